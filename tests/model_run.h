/* model_run.h: a whole run of a trace in which the window's model is held against inspection after
 * every op.
 */
#ifndef MEMWALK_TESTS_MODEL_RUN_H
#define MEMWALK_TESTS_MODEL_RUN_H

#include "sim/sim.h"

struct model_run {
    const struct trace *trace;
    const struct config *config;
    uint64_t
        every; /* everything is compared after each such op and the last; else model_check_quick */
    uint64_t limit; /* ops at most; 0: all */
    /* out: */
    uint64_t ops;
    uint64_t damaged; /* of them: differed, but the program had damaged its heap */
    char why[400];    /* the first difference, or why the run could not go on */
};

enum model_run_end {
    RUN_EQUAL,
    RUN_DIFFERS,
    RUN_REFUSED, /* the trace's own settings and the ones put over them exclude each other */
};

enum model_run_end model_run(struct model_run *);
/* The configuration of a trace: RAM of 64 MiB, then what the trace sets. */
enum err model_run_config(struct config *, const struct trace *, struct error *);

#endif
