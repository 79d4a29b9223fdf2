/* progress.h: a line on standard error that says how far a long job is, for people only: nothing
 * is shown where standard error is no terminal, or in the first half second.
 */
#ifndef MEMWALK_SIM_CLI_PROGRESS_H
#define MEMWALK_SIM_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "reading": stays the caller's */
    bool on, shown;
    uint64_t start, last; /* milliseconds of the host's clock: only when to draw, never results */
};

void progress_start(struct progress *, const char *what);
/* done of total (0: unknown); cheap enough for every few thousand ops. */
void progress_tick(struct progress *, uint64_t done, uint64_t total);
/* Wipes the line. */
void progress_end(struct progress *);

#endif
