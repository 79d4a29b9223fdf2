/* truth_state.h: what a replay for comparison keeps, and the texts about its end. */
#ifndef MEMWALK_SIM_TRUTH_STATE_H
#define MEMWALK_SIM_TRUTH_STATE_H

#include "sim/machine.h"
#include "sim/truth.h"

/* The program that replays, on a machine of its own. */
struct player {
    const struct truth_options *o;
    struct truth *t;
    struct arena *arena;
    struct ram *ram;
    struct bus bus;
    struct machine *m;
    uint16_t pid;
    struct user user;
    struct heap *heap;
    bool recording; /* system calls are written down */
    uint64_t op;    /* from 0 */
    uint64_t *id;   /* [ids], sorted; id[0] is 0 */
    va_t *block;    /* of each */
    size_t ids;
    uint64_t id_max;
    uint64_t lines;  /* of the trace and one more */
    uint64_t faults; /* of all ops */
    uint64_t resident0, tables0, resident_peak;
};

void truth_sys_line(struct player *, uint64_t nr, const uint64_t arg[6], int64_t result);
/* Fills the texts about the end: walk, pages, arena, summary. ops: how many were done. */
void truth_state(struct player *, uint64_t ops);
/* The allocator's parameters and lists, in truth_arena.c. */
void truth_arena(struct player *);

#endif
