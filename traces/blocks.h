/* blocks.h: which blocks a trace holds at each op, followed without running anything.
 *
 * The rules: a block that failed is NULL; realloc of an id that is not live makes it; realloc to
 * size 0 ends it; a fork gives the child the parent's blocks. Every id is remembered for good, so
 * that a wrong op can be told together with the op before it: about 70 bytes per id.
 */
#ifndef MEMWALK_TRACES_BLOCKS_H
#define MEMWALK_TRACES_BLOCKS_H

#include "traces/trace.h"

enum block_state {
    BLOCK_UNKNOWN, /* no op spoke of it yet */
    BLOCK_LIVE,
    BLOCK_DEAD,
    BLOCK_NULL, /* the request failed */
};

struct block {
    uint64_t id, size, alignment; /* alignment: 0 where the request did not say */
    uint64_t made_op, made_line;  /* the op that made it, from 1, and its line */
    uint64_t ended_op, ended_line;
    uint16_t pid;
    uint8_t state; /* enum block_state */
};

struct blocks;

struct blocks *blocks_new(void);
void blocks_free(struct blocks *);

/* What an op did to a block. before is a copy: state BLOCK_UNKNOWN where there was none. */
struct block_step {
    bool touches; /* the op is about a block with an id */
    bool request; /* it asks for memory; size says how much, UINT64_MAX beyond all bounds */
    uint64_t size;
    struct block before, after;
};

/* Follows one op; number is its place in the trace, from 1. False: no host memory left. */
bool blocks_follow(struct blocks *, const struct op *, uint64_t number, struct block_step *);

/* The block of process pid, or NULL. */
const struct block *blocks_find(const struct blocks *, uint16_t pid, uint64_t id);
/* All blocks that were ever seen, in the order of their first op. */
const struct block *blocks_all(const struct blocks *, size_t *count);

#endif
