/* lab.c: the checks of a malloc lab, from outside, for any allocator.
 *
 * The trace is played with a memset of each block after its request, so that every byte of a block
 * is known; then blocks are read by inspection, which changes nothing. What lives is kept in an
 * array sorted by address, so an overlap is one with a neighbour.
 */
#include "sim/lab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const lab_check_name[LAB_CHECKS] = {
    [LAB_NULL] = "no memory",  [LAB_ALIGNMENT] = "alignment", [LAB_OUTSIDE] = "outside the heap",
    [LAB_OVERLAP] = "overlap", [LAB_REALLOC] = "realloc",     [LAB_CHANGED] = "block changed",
    [LAB_MISUSE] = "misuse",
};

struct lab_block {
    va_t start;
    uint64_t size, id;
    uint8_t byte; /* all of it */
};

struct lab {
    const struct lab_options *o;
    struct sim *sim;
    struct trace played; /* the trace, with a set op behind each request */
    uint64_t *origin;    /* of each op of it: its number in the trace as given */
    struct lab_block *block;
    size_t blocks, room;
    uint64_t faults;
    struct op at; /* the op at hand */
    uint64_t op;  /* its number in the trace as given */
};

/* ---- the trace that is played ---- */

static bool is_request(const struct op *op)
{
    return op->kind < OP_malloc_trim && op->kind != OP_free;
}

static uint64_t size_of(const struct op *op)
{
    bool counted = op->kind == OP_calloc || op->kind == OP_reallocarray;
    uint64_t size;
    return __builtin_mul_overflow(op->v[0], counted ? op->v[1] : 1, &size) ? UINT64_MAX : size;
}

static uint8_t byte_of(uint64_t op)
{
    return (uint8_t)(op % 251 + 1);
}

static struct op filling(const struct op *op, uint64_t number)
{
    struct op set = {
        .kind = OP_set, .id = op->id, .pid = op->pid, .tid = op->tid, .line = op->line};
    set.base = BASE_BLOCK;
    set.v[1] = size_of(op);
    set.v[2] = byte_of(number);
    return set;
}

static bool prepare(struct lab *l)
{
    const struct trace *t = l->o->trace;
    struct op *op = calloc(2 * t->count + 1, sizeof(*op));
    l->origin = calloc(2 * t->count + 1, sizeof(*l->origin));
    l->played = *t;
    l->played.op = op;
    l->played.count = 0;
    if (!op || !l->origin)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        l->origin[l->played.count] = i + 1;
        op[l->played.count++] = t->op[i];
        uint64_t size = size_of(&t->op[i]);
        if (!is_request(&t->op[i]) || !t->op[i].id || !size || size > INT32_MAX)
            continue;
        l->origin[l->played.count] = i + 1;
        op[l->played.count++] = filling(&t->op[i], i + 1);
    }
    return true;
}

/* ---- the live blocks ---- */

/* The first one that ends above va. */
static size_t index_of(const struct lab *l, va_t va)
{
    size_t low = 0;
    size_t high = l->blocks;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->block[middle].start + l->block[middle].size <= va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct lab_block *find(struct lab *l, uint64_t id)
{
    for (size_t i = 0; i < l->blocks; i++)
        if (l->block[i].id == id)
            return &l->block[i];
    return NULL;
}

static bool add(struct lab *l, struct lab_block b)
{
    if (l->blocks == l->room) {
        size_t room = l->room ? 2 * l->room : 256;
        struct lab_block *more = realloc(l->block, room * sizeof(*more));
        if (!more)
            return false;
        l->block = more;
        l->room = room;
    }
    size_t i = index_of(l, b.start);
    memmove(&l->block[i + 1], &l->block[i], (l->blocks - i) * sizeof(b));
    l->block[i] = b;
    l->blocks++;
    return true;
}

static void drop(struct lab *l, struct lab_block *b)
{
    size_t i = (size_t)(b - l->block);
    l->blocks--;
    memmove(b, b + 1, (l->blocks - i) * sizeof(*b));
}

/* ---- the checks ---- */

static void fault(struct lab *l, enum lab_check what, const char *text)
{
    struct lab_fault f = {.what = what, .op = l->op, .line = l->at.line};
    snprintf(f.text, sizeof(f.text), "%s", text);
    l->faults++;
    if (l->o->found)
        l->o->found(l->o->ctx, &f);
}

static uint16_t process(const struct lab *l)
{
    struct process_info p;
    return inspect_process_at(l->sim, 0, &p) ? p.pid : 0;
}

/* The first byte of [0, n) that is not as it was written; n: all are. */
static uint64_t first_wrong(const struct lab *l, va_t start, uint64_t n, uint8_t byte)
{
    uint8_t bytes[PAGE_SIZE];
    for (uint64_t at = 0; at < n;) {
        size_t part = min_u64(n - at, PAGE_SIZE);
        if (!inspect_read(l->sim, process(l), start + at, bytes, part))
            return at;
        for (size_t i = 0; i < part; i++)
            if (bytes[i] != byte)
                return at + i;
        at += part;
    }
    return n;
}

/* Is this range wholly in the heap, or in one mapping without a name? */
static bool in_heap(const struct lab *l, va_t start, uint64_t size)
{
    struct area_info area;
    if (!inspect_area_at(l->sim, process(l), start, &area))
        return false;
    bool ours = strcmp(area.name, "[heap]") == 0 || !area.name[0];
    return ours && start + size <= area.end;
}

static void check_place(struct lab *l, const struct lab_block *b)
{
    char text[160];
    if (b->start % l->o->alignment) {
        snprintf(text, sizeof(text),
                 "block %" PRIu64 " at 0x%" PRIx64 " is not at a multiple of %" PRIu64, b->id,
                 b->start, l->o->alignment);
        fault(l, LAB_ALIGNMENT, text);
    }
    if (!in_heap(l, b->start, b->size)) {
        snprintf(text, sizeof(text),
                 "block %" PRIu64 ", 0x%" PRIx64 " to 0x%" PRIx64 ", is not inside the heap", b->id,
                 b->start, b->start + b->size);
        fault(l, LAB_OUTSIDE, text);
    }
    size_t i = index_of(l, b->start);
    if (i < l->blocks && l->block[i].start < b->start + b->size) {
        snprintf(text, sizeof(text),
                 "block %" PRIu64 ", 0x%" PRIx64 " to 0x%" PRIx64 ", overlaps block %" PRIu64
                 " at 0x%" PRIx64,
                 b->id, b->start, b->start + b->size, l->block[i].id, l->block[i].start);
        fault(l, LAB_OVERLAP, text);
    }
}

/* The old block must still hold its bytes, at the new place after a realloc. */
static void check_bytes(struct lab *l, enum lab_check what, va_t start, uint64_t n,
                        const struct lab_block *b)
{
    char text[160];
    uint64_t wrong = first_wrong(l, start, n, b->byte);
    if (wrong == n)
        return;
    snprintf(text, sizeof(text),
             "byte %" PRIu64 " of block %" PRIu64 " (at 0x%" PRIx64
             ") is not the one that was written",
             wrong, b->id, start + wrong);
    fault(l, what, text);
}

static void before_free(struct lab *l)
{
    struct lab_block *b = find(l, l->at.id);
    if (!b || l->at.v[0])
        return;
    check_bytes(l, LAB_CHANGED, b->start, b->size, b);
    drop(l, b);
}

static bool after_request(struct lab *l)
{
    struct block_info info;
    struct lab_block *old = find(l, l->at.id);
    uint64_t size = size_of(&l->at);
    bool resized = old && (l->at.kind == OP_realloc || l->at.kind == OP_reallocarray);
    bool known = inspect_block(l->sim, process(l), l->at.id, &info) && info.start;
    if (!known || (resized && info.size != size)) {
        if (size && size <= INT32_MAX)
            fault(l, LAB_NULL, "the request got NULL");
        else if (old && !known)
            drop(l, old);
        return true;
    }
    if (resized)
        check_bytes(l, LAB_REALLOC, info.start, min_u64(old->size, size), old);
    if (old)
        drop(l, old);
    struct lab_block b = {info.start, size, l->at.id, byte_of(l->op)};
    check_place(l, &b);
    return !size || add(l, b);
}

/* ---- the run ---- */

static int step(struct lab *l, struct error *e)
{
    uint64_t next = inspect_replay(l->sim)->ops;
    if (next < l->played.count) {
        l->at = l->played.op[next];
        l->op = l->origin[next];
    }
    bool first = next < l->played.count && (!next || l->origin[next - 1] != l->origin[next]);
    if (first && l->at.kind == OP_free)
        before_free(l);
    int more = sim_step(l->sim, e);
    if (more != 1)
        return more;
    const struct mistake *m = inspect_mistake(l->sim);
    if (m->op == inspect_replay(l->sim)->ops)
        fault(l, LAB_MISUSE, misuse_name[m->what]);
    if (first && is_request(&l->at) && l->at.id && !after_request(l)) {
        error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory for the list of blocks");
        return -1;
    }
    return 1;
}

enum err lab_run(const struct lab_options *o, uint64_t *faults, struct stats *stats,
                 struct error *e)
{
    struct lab l = {.o = o};
    struct sim_options so = {.config = o->config, .trace = &l.played};
    struct stats_watch watch = {0};
    int more = 1;
    enum err err = prepare(&l) ? sim_open(&l.sim, &so, e)
                               : error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory for the trace");
    while (!err && more == 1 && !(o->first_only && l.faults)) {
        more = step(&l, e);
        stats_watch(&watch, l.sim);
    }
    if (more < 0)
        err = e->code ? e->code : ERR_VALUE;
    if (!err && stats)
        stats_read(stats, l.sim, &watch);
    *faults = l.faults;
    sim_close(l.sim);
    free(l.played.op);
    free(l.origin);
    free(l.block);
    return err;
}
