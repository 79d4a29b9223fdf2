/* longer.h: a recorded trace made long, for measurements of long runs. */
#ifndef MEMWALK_TESTS_BENCH_LONGER_H
#define MEMWALK_TESTS_BENCH_LONGER_H

#include "traces/trace.h"

#include <stdlib.h>

static inline uint64_t largest_id(const struct trace *t)
{
    uint64_t id = 0;
    for (size_t i = 0; i < t->count; i++)
        id = max_u64(id, t->op[i].id);
    return id;
}

/* The trace again and again until it has enough ops, with fresh ids each time. To be freed: .op. */
static inline struct trace longer_trace(const struct trace *t, size_t count)
{
    struct trace r = *t;
    uint64_t ids = largest_id(t);
    r.op = malloc(count * sizeof(struct op));
    r.count = count;
    if (!r.op || !t->count)
        exit(2);
    for (size_t i = 0; i < count; i++) {
        r.op[i] = t->op[i % t->count];
        if (r.op[i].id)
            r.op[i].id += i / t->count * ids;
    }
    return r;
}

#endif
