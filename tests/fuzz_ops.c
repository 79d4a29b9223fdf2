/* fuzz_ops.c: any bytes as the ops of a program on a small machine: no crash, a machine that agrees
 * with itself after each op, and time travel that lands on the same state.
 *
 * The first four bytes choose the machine, each next six are one op. Raw system calls work mostly
 * in a zone of their own, where they cannot harm the heap. A program that does harm its heap (a
 * write outside of its blocks, an munmap of the heap) is still held to everything but the heap's
 * own agreement. The corpus stands in tests/corpus/ops.
 */
#include "sim/base/check.h"
#include "sim/inspect.h"
#include "sim/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define HEAD      4
#define OP_BYTES  6
#define OPS_LIMIT 96
#define ZONE      UINT64_C(0x10000000)

/* What one op is made from. */
struct draw {
    uint8_t kind, id;
    uint16_t a, b;
};

/* Ops that could harm the heap, unless in the zone. */
static bool can_harm(enum op_kind kind)
{
    switch (kind) {
    case OP_write:
    case OP_set:
    case OP_copy:
    case OP_brk:
    case OP_sbrk:
    case OP_mmap:
    case OP_mmap_file:
    case OP_pread:
    case OP_pkey_mprotect:
    case OP_wrpkru: /* the allocator itself may not write any more */
    case OP_munmap:
    case OP_mremap:
    case OP_mprotect:
    case OP_madvise:
        return true;
    default:
        return false;
    }
}

static uint64_t some_size(uint16_t n)
{
    switch (n & 7) {
    case 0:
        return n >> 3;
    case 1:
        return (uint64_t)(n >> 3) << 8;
    case 2:
        return UINT64_MAX - (n >> 3);
    case 3:
        return (uint64_t)(n >> 3) << 12;
    default:
        return (n >> 3) % 600;
    }
}

/* A length in pages, sometimes crooked, sometimes absurd. */
static uint64_t some_length(uint16_t n)
{
    if (n % 61 == 60)
        return UINT64_MAX - n;
    return (uint64_t)(n % 60) * (n & 0x100 ? PAGE_SIZE : n & 0x200 ? 4001 : 16 * PAGE_SIZE);
}

/* An address: mostly in the zone, else at every kind of place. */
static uint64_t some_address(uint16_t n, uint8_t *base)
{
    static const uint64_t place[] = {
        0,
        UINT64_C(0x7fffffffe000),
        UINT64_C(0x7ffffffff000),
        UINT64_C(0x800000000000),
        UINT64_C(0xffff800000000000),
        UINT64_MAX - 4095,
        UINT64_C(0x555555554000),
        UINT64_C(0x7ffffffde000),
    };
    *base = BASE_ABS;
    if (n % 16 < 13)
        return ZONE + (uint64_t)(n >> 4) * (n & 1 ? PAGE_SIZE : 1000);
    if (n % 16 == 13)
        return place[(n >> 4) % ARRAY_LEN(place)];
    *base = n % 16 == 14 ? BASE_HEAP : BASE_MMAP;
    uint64_t off = (uint64_t)(n >> 4) * 512;
    return *base == BASE_HEAP ? off : 0 - off - PAGE_SIZE;
}

static void make_touch(struct op *op, const struct draw *d)
{
    op->v[1] = d->b & 0xfff;
    op->v[2] = d->b >> 8;
    if (d->a & 1) {
        op->v[0] = some_address(d->a >> 1, &op->base);
    } else {
        op->base = BASE_BLOCK;
        op->v[0] = (d->a >> 1) % 700;
        if (!(d->a & 0xe)) /* the beginning, which most often lies inside */
            op->v[0] = 0;
    }
    if (op->kind != OP_copy)
        return;
    op->to_base = BASE_BLOCK;
    op->v[4] = d->b >> 12;
    op->v[3] = d->b & 0x3f;
    if (d->b & 0x800)
        op->v[3] = some_address(d->b >> 1, &op->to_base);
    op->v[1] &= 0x3ff;
}

static void make_call(struct op *op, const struct draw *d)
{
    static const uint32_t flags[] = {0x22, 0x32, 0x100022, 0x4022, 0x21, 0x122, 0x20, 0x8022};
    op->v[0] = some_address(d->a, &op->base);
    op->v[1] = some_length(d->b);
    op->v[2] = d->id >> 4;
    switch ((enum op_kind)op->kind) {
    case OP_mmap:
        op->v[2] &= 7;
        op->v[3] = flags[d->id & 7];
        if (d->id & 8)
            op->base = BASE_ABS, op->v[0] = 0;
        break;
    case OP_mremap:
        op->v[2] = some_length((uint16_t)(d->b >> 4));
        op->v[3] = d->id & 7;
        op->v[4] = some_address((uint16_t)(d->a ^ d->b), &op->to_base);
        break;
    case OP_madvise:
        op->v[2] = d->id % 26;
        break;
    default:
        break;
    }
}

static void make_op(struct op *op, const struct draw *d)
{
    *op = (struct op){.kind = d->kind % OP_COUNT, .id = d->id & 15, .line = 1};
    op->pid = d->kind >= 250 ? 1 : 0;
    op->v[0] = some_size(d->a);
    op->v[1] = d->b;
    switch ((enum op_kind)op->kind) {
    case OP_memalign:
    case OP_posix_memalign:
    case OP_aligned_alloc:
        op->v[1] = d->b & 0x100 ? d->b : (uint64_t)1 << (d->b % 24);
        break;
    case OP_read:
    case OP_write:
    case OP_set:
    case OP_copy:
    case OP_fetch:
        make_touch(op, d);
        break;
    case OP_sbrk:
        op->v[0] = (uint64_t)((int64_t)(int16_t)d->a * (d->b & 1 ? 1 : 256));
        break;
    case OP_brk:
    case OP_mmap:
    case OP_munmap:
    case OP_mremap:
    case OP_mprotect:
    case OP_madvise:
    case OP_mincore:
    case OP_mlock:
    case OP_munlock:
        make_call(op, d);
        break;
    case OP_mark:
        op->extra = 1;
        break;
    default:
        break;
    }
}

static bool in_zone(uint8_t base, uint64_t va)
{
    return base == BASE_ABS && va >= ZONE && va < 2 * ZONE;
}

/* Did op, which is done, perhaps harm the heap? A block's own bytes are judged by the machine,
 * which counts what lies outside. */
static bool harms(const struct op *op, uint64_t misuses)
{
    if (!can_harm((enum op_kind)op->kind))
        return false;
    if (op->kind == OP_sbrk)
        return (int64_t)op->v[0] < 0;
    if ((op->kind == OP_mmap || op->kind == OP_mmap_file) && !(op->v[3] & 0x10))
        return false;
    bool from = op->base == BASE_BLOCK || in_zone(op->base, op->v[0]);
    bool to = true;
    if (op->kind == OP_copy)
        to = op->to_base == BASE_BLOCK || in_zone(op->to_base, op->v[3]);
    if (op->kind == OP_mremap && (op->v[3] & 2))
        to = in_zone(op->to_base, op->v[4]);
    return misuses || !from || !to;
}

static uint64_t misuses(const struct sim *s)
{
    const uint64_t *errors = inspect_replay(s)->errors;
    return errors[MISUSE_OUTSIDE] + errors[MISUSE_OVERFLOW] + errors[MISUSE_UNDERFLOW] +
           errors[MISUSE_DEAD];
}

static void check_machine(const struct sim *s, bool harmed)
{
    char why[200] = "";
    char other[200];
    if (inspect_check(s, why, sizeof(why)))
        return;
    bool only_heap = !strstr(why, "TLB") && kernel_check(s->m->kernel, other, sizeof(other));
    if (!harmed || !only_heap)
        fprintf(stderr, "after op %d: %s\n", (int)sim_now(s).op - 1, why);
    CHECK(harmed && only_heap);
}

static void make_config(struct config *c, const uint8_t *head)
{
    size_t allocators = 1; /* there is always one */
    while (alloc_table[allocators])
        allocators++;
    config_default(c);
    snprintf(c->alloc, sizeof(c->alloc), "%s", alloc_table[head[0] % allocators]->name);
    c->ram_bytes = (8 + head[1] % 9) * MIB;
    c->access_unit = head[1] & 0x80 ? 64 : PAGE_SIZE;
    c->mmu.front_cache = !(head[1] & 0x40);
    c->mmu.tlb[TLB_L1D].sets = (uint32_t)1 << (head[2] & 3);
    c->mmu.tlb[TLB_L2].ways = 4;
    c->mmu.tlb[TLB_L1D].repl = c->mmu.tlb[TLB_L2].repl = (head[2] >> 2) % REPL_POLICIES;
    c->mmu.tlb[TLB_L2].sets = head[2] & 0x80 ? 0 : 8;
    if (head[3] & 1)
        c->heap.mmap_threshold = 4 * KIB;
    if (head[3] & 2)
        c->heap.trim_threshold = c->heap.top_pad = 4 * KIB;
    if (head[3] & 4)
        c->kernel.max_areas = 16;
}

/* Three states that are met again. */
struct stops {
    uint64_t op; /* gone back to */
    uint64_t before, after, end;
};

static void run_straight(struct sim *s, const struct trace *t, struct stops *at)
{
    bool harmed = false;
    struct error e = {0};
    for (size_t n = 1; n <= t->count; n++) {
        uint64_t mistakes = misuses(s);
        if (n == at->op)
            at->before = sim_hash(s);
        CHECK(sim_step(s, &e) == 1);
        harmed = harmed || harms(&t->op[n - 1], misuses(s) - mistakes);
        check_machine(s, harmed);
        if (n == at->op)
            at->after = sim_hash(s);
    }
    at->end = sim_hash(s);
}

/* To before an op, into it, out of it, and to the end. */
static void travel(struct sim *s, const struct stops *at, uint64_t step)
{
    struct error e = {0};
    CHECK(sim_seek(s, (struct moment){at->op, 0}, &e) == ERR_NONE);
    CHECK(sim_hash(s) == at->before);
    CHECK(sim_seek(s, (struct moment){at->op, step}, &e) == ERR_NONE);
    CHECK(sim_step(s, &e) == 1 && sim_hash(s) == at->after);
    CHECK(sim_seek(s, (struct moment){sim_ops(s) + 1, 0}, &e) == ERR_NONE);
    CHECK(sim_hash(s) == at->end);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char fuzz[] = "fuzz";
    struct op op[OPS_LIMIT];
    struct op_extra extra[2] = {[1] = {.text = "a mark", .name = "here"}};
    struct trace t = {.header.name = fuzz, .path = fuzz, .op = op, .extra = extra, .extras = 2};
    if (size < HEAD + OP_BYTES)
        return 0;
    for (size_t at = HEAD; at + OP_BYTES <= size && t.count < OPS_LIMIT; at += OP_BYTES) {
        const uint8_t *b = bytes + at;
        struct draw d = {b[0], b[1], (uint16_t)(b[2] | b[3] << 8), (uint16_t)(b[4] | b[5] << 8)};
        make_op(&op[t.count++], &d);
    }
    struct config c;
    struct error e = {0};
    make_config(&c, bytes);
    struct sim_options options = {.config = &c, .trace = &t, .history = true};
    struct sim *s;
    CHECK(sim_open(&s, &options, &e) == ERR_NONE);
    struct stops stops = {.op = 1 + (bytes[2] + bytes[3]) % t.count};
    run_straight(s, &t, &stops);
    travel(s, &stops, 1 + bytes[3] % 9);
    sim_close(s);
    return 0;
}
