/* survey.h: the whole run at a glance, for the timeline and for "next fault".
 *
 * A second machine runs ahead of the picture and leaves, for each op, one byte of what happened in
 * it, and for each stretch of ops the figures of the plots. So the plots reach into the future, and
 * a moment looks the same however it was reached.
 */
#ifndef MEMWALK_VIZ_SURVEY_H
#define MEMWALK_VIZ_SURVEY_H

#include "sim/sim.h"
#include "sim/stats.h"

#define SURVEY_BUCKETS 2048u

enum survey_flag {
    SURVEY_FAULT = 1,
    SURVEY_MISS = 2, /* of the last level of TLB: a walk */
    SURVEY_CALL = 4, /* a system call */
    SURVEY_MMAP = 8,
    SURVEY_BRK = 16,
    SURVEY_ERROR = 32,
    SURVEY_STOP = 64,   /* a mark at which a lesson stops */
    SURVEY_SIGNAL = 128 /* a fault that was not resolved */
};

struct survey_bucket {
    uint64_t accesses, l1_misses, walks, faults, calls;
    uint64_t resident;  /* frames of the program, at the end */
    uint64_t requested; /* bytes of live blocks, at the end */
    uint64_t held;      /* bytes that the heap holds from the kernel, at the end */
    uint8_t flags;
};

struct survey {
    uint64_t ops, done; /* in the trace; surveyed */
    uint64_t per_bucket;
    size_t buckets;
    struct survey_bucket bucket[SURVEY_BUCKETS];
    uint8_t *flag; /* [op], of enum survey_flag; room for ops + 1 */
    struct sim *sim;
    bool over;
    const struct trace *trace;
    struct stats_watch watch;
    unsigned checks, unmet; /* what the trace promises; known when it is over */
    /* The first promise that did not come true: of what, what it is, and what it should be. */
    char first[96], got[48], wanted[48];
};

/* Opens the second machine. *survey is NULL on error. */
enum err survey_open(struct survey **survey, const struct config *, const struct trace *,
                     struct error *);
void survey_close(struct survey *);
/* Runs up to ops further ops; false: all is surveyed. */
bool survey_run(struct survey *, uint64_t ops);
/* The nearest op after (step 1) or before (step -1) op that has one of the flags; 0: none known. */
uint64_t survey_find(const struct survey *, uint64_t op, int step, uint8_t flags);
uint8_t survey_flags(const struct survey *, uint64_t op);

#endif
