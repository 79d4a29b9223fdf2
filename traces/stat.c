/* stat.c: counts of a trace: ops, sizes, what is live and when it was most. */
#include "traces/blocks.h"
#include "traces/tools.h"

#include <stdlib.h>

struct trace_counter {
    struct blocks *blocks;
    struct trace_stat stat;
};

struct trace_counter *trace_counter_new(void)
{
    struct trace_counter *c = calloc(1, sizeof(*c));
    if (c && !(c->blocks = blocks_new())) {
        free(c);
        return NULL;
    }
    if (c)
        c->stat.processes = 1;
    return c;
}

void trace_counter_free(struct trace_counter *c)
{
    if (c)
        blocks_free(c->blocks);
    free(c);
}

const struct trace_stat *trace_counter_stat(const struct trace_counter *c)
{
    return &c->stat;
}

/* The smallest k with size <= 2^k. */
static unsigned class_of(uint64_t size)
{
    return size <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(size - 1);
}

static void count_request(struct trace_stat *s, const struct op *op, uint64_t size)
{
    s->requests++;
    if ((op->flags & OP_FAIL) || size > INT64_MAX) {
        s->failed++;
        return;
    }
    s->requested += size;
    s->largest = max_u64(s->largest, size);
    s->histogram[class_of(size)]++;
}

static void count_live(struct trace_stat *s, const struct block_step *step)
{
    bool was = step->before.state == BLOCK_LIVE, is = step->after.state == BLOCK_LIVE;
    s->live_blocks += (uint64_t)is - (uint64_t)was;
    s->live_bytes += (is ? step->after.size : 0) - (was ? step->before.size : 0);
}

static void note_peaks(struct trace_stat *s)
{
    if (s->live_bytes > s->peak_bytes) {
        s->peak_bytes = s->live_bytes;
        s->peak_bytes_op = s->ops;
    }
    if (s->live_blocks > s->peak_blocks) {
        s->peak_blocks = s->live_blocks;
        s->peak_blocks_op = s->ops;
    }
}

/* A child has a copy of every live block of its parent. */
static void count_fork(struct trace_counter *c, const struct op *op)
{
    size_t count;
    const struct block *block = blocks_all(c->blocks, &count);
    uint16_t child = (uint16_t)op->v[0];
    for (size_t i = 0; i < count && child != op->pid; i++) {
        if (block[i].state != BLOCK_LIVE || block[i].pid != child)
            continue;
        c->stat.live_blocks++;
        c->stat.live_bytes += block[i].size;
    }
    c->stat.processes++;
}

enum err trace_counter_op(struct trace_counter *c, const struct op *op)
{
    struct block_step step;
    struct trace_stat *s = &c->stat;
    s->ops++;
    s->by_kind[op->kind]++;
    s->marks += op->kind == OP_mark;
    if (!blocks_follow(c->blocks, op, s->ops, &step))
        return ERR_MEMORY;
    if (op->kind == OP_fork)
        count_fork(c, op);
    if (step.request)
        count_request(s, op, step.size);
    if (step.touches)
        count_live(s, &step);
    note_peaks(s);
    return ERR_NONE;
}
