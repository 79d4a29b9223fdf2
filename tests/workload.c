/* workload.c: random op streams and the oracle that follows them. */
#include "tests/workload.h"

#include "tests/test.h"

#include <string.h>

/* Sizes as programs have them: mostly small, sometimes pages, seldom beyond the mmap threshold. */
static uint64_t random_size(struct rng *r)
{
    switch (rng_below(r, 16)) {
    case 0:
        return rng_below(r, 3);
    case 1:
        return 130000 + rng_below(r, 70000);
    case 2:
    case 3:
        return 1000 + rng_below(r, 20000);
    default:
        return 1 + rng_below(r, 600);
    }
}

static void make_new(struct op *op, struct rng *r)
{
    static const enum op_kind kinds[] = {OP_malloc,   OP_malloc,         OP_malloc, OP_calloc,
                                         OP_memalign, OP_posix_memalign, OP_realloc};
    op->kind = (uint8_t)kinds[rng_below(r, ARRAY_LEN(kinds))];
    op->v[0] = random_size(r);
    if (op->kind == OP_calloc)
        op->v[1] = 1 + rng_below(r, 3);
    else if (op->kind != OP_malloc && op->kind != OP_realloc)
        op->v[1] = (uint64_t)16 << rng_below(r, 9);
}

static void make_touch(struct op *op, struct rng *r, uint64_t size)
{
    op->kind = rng_below(r, 3) ? OP_write : OP_set;
    op->base = BASE_BLOCK;
    op->v[0] = size ? rng_below(r, (uint32_t)size) : 0;
    op->v[1] = size ? 1 + rng_below(r, (uint32_t)min_u64(size - op->v[0], 9000)) : 0;
    op->v[2] = rng_below(r, 256);
    if (rng_below(r, 4) == 0)
        op->kind = OP_read;
}

static uint64_t new_size(const struct op *op)
{
    return op->kind == OP_calloc ? op->v[0] * op->v[1] : op->v[0];
}

void workload_make(struct workload *w, uint64_t seed, size_t count)
{
    struct rng r = {seed};
    uint64_t size[WORKLOAD_IDS] = {0};
    bool live[WORKLOAD_IDS] = {0};
    memset(w, 0, sizeof(*w));
    w->trace.op = calloc(count, sizeof(struct op));
    w->trace.count = count;
    for (size_t i = 0; i < count; i++) {
        struct op *op = &w->trace.op[i];
        uint32_t at = 1 + rng_below(&r, WORKLOAD_IDS - 1);
        op->id = at;
        op->line = (uint32_t)i + 1;
        if (!live[at]) {
            make_new(op, &r);
            live[at] = true;
            size[at] = new_size(op);
        } else if (rng_below(&r, 3) == 0) {
            op->kind = OP_free;
            live[at] = false;
        } else if (rng_below(&r, 4) == 0) {
            op->kind = OP_realloc;
            size[at] = op->v[0] = 1 + random_size(&r);
        } else {
            make_touch(op, &r, size[at]);
        }
    }
}

static void resize(struct workload *w, uint64_t id, uint64_t size, bool zeroed)
{
    uint64_t old = w->block[id].live ? w->block[id].size : 0;
    w->block[id].byte = realloc(w->block[id].byte, size + 1);
    w->block[id].known = realloc(w->block[id].known, size + 1);
    if (size > old) {
        memset(w->block[id].byte + old, 0, size - old);
        memset(w->block[id].known + old, zeroed, size - old);
    }
    w->block[id].size = size;
    w->block[id].live = true;
}

void workload_follow(struct workload *w, size_t n)
{
    const struct op *op = &w->trace.op[n - 1];
    uint64_t off = op->v[0];
    switch ((enum op_kind)op->kind) {
    case OP_free:
        w->block[op->id].live = false;
        break;
    case OP_write:
    case OP_set:
        memset(w->block[op->id].byte + off,
               op->kind == OP_set ? (int)op->v[2] : (int)((n - 1) % 255 + 1), op->v[1]);
        memset(w->block[op->id].known + off, 1, op->v[1]);
        break;
    case OP_read:
        break;
    default:
        resize(w, op->id, new_size(op), op->kind == OP_calloc);
    }
}

void workload_verify(const struct workload *w, const struct sim *s)
{
    uint8_t bytes[PAGE_SIZE];
    for (uint64_t id = 0; id < WORKLOAD_IDS; id++) {
        if (!w->block[id].live || w->block[id].size == 0)
            continue;
        struct block_info info;
        ck_assert(inspect_block(s, 1, id, &info));
        ck_assert_uint_eq(info.size, w->block[id].size);
        for (uint64_t at = 0, n; at < info.size; at += n) {
            n = min_u64(PAGE_SIZE - ((info.start + at) & PAGE_MASK), info.size - at);
            bool mapped = inspect_read(s, 1, info.start + at, bytes, n);
            for (uint64_t i = 0; i < n; i++)
                if (w->block[id].known[at + i] &&
                    (mapped ? bytes[i] : 0) != w->block[id].byte[at + i])
                    ck_abort_msg("block %d byte %d is %d, not %d", (int)id, (int)(at + i),
                                 (int)bytes[i], (int)w->block[id].byte[at + i]);
        }
    }
}

void workload_free(struct workload *w)
{
    free(w->trace.op);
    for (size_t i = 0; i < WORKLOAD_IDS; i++) {
        free(w->block[i].byte);
        free(w->block[i].known);
    }
}
