/* lab.h: what a malloc lab checks: every block is aligned, inside the heap and apart from all
 * others, and keeps its bytes, through realloc too. */
#ifndef MEMWALK_SIM_LAB_H
#define MEMWALK_SIM_LAB_H

#include "sim/stats.h"

enum lab_check {
    LAB_NULL,      /* a request got NULL */
    LAB_ALIGNMENT, /* the block is not aligned */
    LAB_OUTSIDE,   /* it lies outside the heap and the allocator's mappings */
    LAB_OVERLAP,   /* it overlaps a live block */
    LAB_REALLOC,   /* realloc lost bytes */
    LAB_CHANGED,   /* a live block's bytes have changed when it is freed */
    LAB_MISUSE,    /* the allocator found damage, or the program did wrong */
    LAB_CHECKS
};
extern const char *const lab_check_name[LAB_CHECKS];

struct lab_fault {
    enum lab_check what;
    uint64_t op; /* of the trace as given, from 1 */
    uint32_t line;
    char text[160];
};

struct lab_options {
    const struct config *config;
    const struct trace *trace;
    uint64_t alignment; /* a power of two */
    bool first_only;    /* stop at the first fault */
    void (*found)(void *ctx, const struct lab_fault *);
    void *ctx;
};

/* Replays the trace; after each request the block is filled with bytes of its own. Blocks of forked
 * processes are not looked at. stats may be NULL. *faults: how many were found. */
enum err lab_run(const struct lab_options *, uint64_t *faults, struct stats *stats, struct error *);

#endif
