/* state.h: struct sim, for the files of sim/ that are its inside: sim.c, inspect.c, checker.c. */
#ifndef MEMWALK_SIM_STATE_H
#define MEMWALK_SIM_STATE_H

#include "sim/machine.h"
#include "sim/snapshot.h"

#include <setjmp.h>

struct sim {
    struct sim_options options;
    struct config config;
    struct arena *arena;
    struct ram *ram;
    struct machine *m; /* in the arena */
    struct bus bus;
    void *state[SIM_OBSERVERS]; /* of the observers, in the arena */

    struct moment now;
    bool middle;              /* the machine stands inside op now.op, at now.step */
    struct snapshot op_start; /* just before op now.op, where middle */
    jmp_buf leave;            /* out of that op */

    struct moment heard; /* the last event that the sinks heard */
    bool mute;           /* an op is run only to be counted */

    struct history history;
    uint64_t counted_op, counted_steps; /* the last answer of sim_steps */

    struct op op; /* from the reader */
    struct op_extra op_extra;

    uint64_t judged;             /* ops up to this one were held against the trace's promises */
    struct foresight *foresight; /* for the policy "opt"; NULL: not needed */
    struct sim_failure *failure;
    size_t failures;
    bool failures_lost; /* no memory for one more */
};

#endif
