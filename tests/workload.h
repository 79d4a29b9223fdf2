/* workload.h: random traces for tests, with an oracle that knows every byte the program wrote.
 *
 * The oracle is plain host memory, one buffer for each block: whatever happens below (splits,
 * faults, mremap, trimming), the simulated program must read back what it wrote.
 */
#ifndef MEMWALK_TESTS_WORKLOAD_H
#define MEMWALK_TESTS_WORKLOAD_H

#include "sim/base/rng.h"
#include "sim/inspect.h"

#define WORKLOAD_IDS 128

struct workload {
    struct trace trace;
    struct {
        bool live;
        uint64_t size;
        uint8_t *byte;  /* what the program wrote */
        uint8_t *known; /* 1: it did write there */
    } block[WORKLOAD_IDS];
};

/* count random ops: small and large blocks of the whole malloc family, writes, copies. */
void workload_make(struct workload *, uint64_t seed, size_t count);
void workload_free(struct workload *);
/* Brings the oracle to the state after op number n (from 1); to be called for 1, 2, 3 … */
void workload_follow(struct workload *, size_t n);
/* Does the machine hold every known byte of every live block? Fails the test if not. */
void workload_verify(const struct workload *, const struct sim *);

#endif
