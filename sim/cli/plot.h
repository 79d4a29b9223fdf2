/* plot.h: a run over time as a picture: memory, fragmentation, TLB misses. */
#ifndef MEMWALK_SIM_CLI_PLOT_H
#define MEMWALK_SIM_CLI_PLOT_H

#include "sim/inspect.h"

#define PLOT_SAMPLES 1024

struct plot_sample {
    uint64_t op;
    double payload, held, rss; /* bytes */
    double fragmentation;      /* external, 0 to 1 */
    double misses;             /* of first-level lookups since the sample before, 0 to 1 */
};

/* Samples of a run of any length: when the room is used up, every second one goes. */
struct plot {
    struct plot_sample sample[PLOT_SAMPLES];
    size_t count;
    uint64_t every, next; /* ops */
    uint64_t lookups, missed;
};

void plot_begin(struct plot *);
/* To be called after each op. */
void plot_follow(struct plot *, const struct sim *);
/* Writes the picture: .png or .svg by the path's end. */
enum err plot_write(const struct plot *, const char *title, const char *path, struct error *);

#endif
