/* buddy.c: buddy systems: blocks of fixed sizes, cut in two until they are small enough, and joined
 * again with the very block they were cut from.
 *
 * This is the binary one, where every size is a power of two and every cut is in the middle, so the
 * buddy of a block is found by changing one bit of its offset; buddy_fibonacci.c cuts otherwise.
 *
 *   one piece of memory
 *   ┌──────┬───────┬─────────────────────┬───────────────────────────────────────────────┐
 *   │ next │ heads │ one byte per unit   │ the arena: a power of two, here 1 MiB         │
 *   └──────┴───────┴─────────────────────┴───────────────────────────────────────────────┘
 *     the byte of a block's first unit:     ┌───────────────┬───────┬───────┬───────────────┐
 *     ┌─────────┬──────┬───────┐            │ 256K used     │ 128K  │ 128K  │ 512K free     │
 *     │ 1:begins│1:used│ order │            │               │ used  │ free  │               │
 *     └─────────┴──────┴───────┘            └───────────────┴───────┴───────┴───────────────┘
 *
 *   a free block: │ next of its order │ previous │ …          a block in use: all of it is yours
 *
 * The orders stand apart from the blocks, so a block has no header: a request for a power of two
 * wastes nothing, and a write beyond a block cannot destroy them.
 *
 * Cost: malloc and free O(orders). Best: sizes that are powers of two. Worst: sizes just above one:
 * nearly half of each block is waste. Knuth, The Art of Computer Programming 1, section 2.5,
 * Algorithms R and S.
 */
#include "alloc/buddy.h"

#include "alloc/piece.h"
#include "alloc/shadow.h"
#include "sim/base/arena.h"

#include <stdio.h>

#define BEGINS     0x80u
#define USED       0x40u
#define ORDER_MASK 0x3fu
#define HEADS_AT   8u
#define BYTES_AT   (HEADS_AT + 8u * BUDDY_ORDERS)

static const struct buddy_kind *kind_of(const struct heap *h)
{
    return (const struct buddy_kind *)(const void *)h->ops;
}

static struct buddy *buddy_of(const struct heap *h)
{
    return h->state;
}

/* ---- binary ---- */

static uint64_t binary_size(unsigned order)
{
    return (uint64_t)BUDDY_UNIT << order;
}

static unsigned binary_half(unsigned order)
{
    return order - 1;
}

static void binary_family(struct buddy_place b, unsigned whole, struct buddy_place *parent,
                          struct buddy_place *buddy)
{
    (void)whole;
    uint64_t size = binary_size(b.order);
    *buddy = (struct buddy_place){b.offset ^ size, b.order};
    *parent = (struct buddy_place){b.offset & ~size, b.order + 1};
}

const struct buddy_kind buddy_binary = {
    .ops = BUDDY_OPS("buddy", "binary buddies: powers of two, cut and joined in halves"),
    .size = binary_size,
    .left = binary_half,
    .right = binary_half,
    .cut_min = 1,
    .family = binary_family,
    .natural = PAGE_SIZE,
};

/* ---- an arena and its books ---- */

static uint64_t whole_size(const struct heap *h)
{
    return kind_of(h)->size(buddy_of(h)->whole);
}

static va_t base_of(const struct heap *h, va_t arena)
{
    return arena + buddy_of(h)->front;
}

static va_t head_at(va_t arena, unsigned order)
{
    return arena + HEADS_AT + 8 * (va_t)order;
}

static va_t byte_at(va_t arena, uint64_t offset)
{
    return arena + BYTES_AT + offset / BUDDY_UNIT;
}

static void set_byte(struct heap *h, va_t arena, struct buddy_place b, unsigned flags)
{
    heap_store(h, byte_at(arena, b.offset), b.order | flags, 1);
}

static unsigned peek_byte(const struct heap *h, va_t arena, uint64_t offset)
{
    unsigned char byte = 0;
    h->user.peek(h->user.ctx, byte_at(arena, offset), &byte, 1);
    return byte;
}

static const char *order_name(unsigned order)
{
    static const char *const names[] = {
        "order 0",  "order 1",  "order 2",  "order 3",           "order 4",  "order 5",  "order 6",
        "order 7",  "order 8",  "order 9",  "order 10",          "order 11", "order 12", "order 13",
        "order 14", "order 15", "order 16", "order 17",          "order 18", "order 19", "order 20",
        "order 21", "order 22", "order 23", "order 24 and more",
    };
    return names[min_u64(order, ARRAY_LEN(names) - 1)];
}

static void tell_list(struct heap *h, va_t arena, struct buddy_place b, bool in)
{
    EMIT(h->env, alloc_list, .list = order_name(b.order), .chunk = base_of(h, arena) + b.offset,
         .size = kind_of(h)->size(b.order), .in = in);
}

int buddy_init(struct heap *h)
{
    struct buddy *b = buddy_of(h);
    const struct buddy_kind *k = kind_of(h);
    while (b->whole + 1 < BUDDY_ORDERS && k->size(b->whole + 1) <= h->config.arena_bytes)
        b->whole++;
    b->front = align_up(BYTES_AT + k->size(b->whole) / BUDDY_UNIT, PAGE_SIZE);
    return 0;
}

/* ---- the lists of free blocks ---- */

static void push(struct heap *h, va_t arena, struct buddy_place b)
{
    va_t at = base_of(h, arena) + b.offset;
    va_t head = heap_load64(h, head_at(arena, b.order));
    set_byte(h, arena, b, BEGINS);
    heap_store64(h, at, head);
    heap_store64(h, at + 8, 0);
    if (head)
        heap_store64(h, head + 8, at);
    heap_store64(h, head_at(arena, b.order), at);
    tell_list(h, arena, b, true);
}

static bool inside(const struct heap *h, va_t arena, va_t at)
{
    va_t base = base_of(h, arena);
    return at >= base && at < base + whole_size(h) && at % BUDDY_UNIT == base % BUDDY_UNIT;
}

/* A free block leaves its list. false: its links were written over, and nothing was done. */
static bool unlink_block(struct heap *h, va_t arena, struct buddy_place b)
{
    va_t at = base_of(h, arena) + b.offset;
    va_t next = heap_load64(h, at);
    va_t prev = heap_load64(h, at + 8);
    va_t from = prev ? prev : head_at(arena, b.order);
    bool sound = (!prev || inside(h, arena, prev)) && (!next || inside(h, arena, next)) &&
                 heap_load64(h, from) == at && (!next || heap_load64(h, next + 8) == at);
    if (!sound) {
        heap_complain(h, MISUSE_CORRUPT, at);
        return false;
    }
    heap_store64(h, from, next);
    if (next)
        heap_store64(h, next + 8, prev);
    tell_list(h, arena, b, false);
    return true;
}

/* ---- malloc ---- */

static va_t arena_new_one(struct heap *h)
{
    struct buddy *b = buddy_of(h);
    uint64_t bytes = align_up(b->front + whole_size(h), PAGE_SIZE);
    va_t arena = piece_by_brk(h, bytes, PAGE_SIZE);
    if (!arena)
        return 0;
    heap_store64(h, arena, b->first);
    b->first = arena;
    push(h, arena, (struct buddy_place){0, b->whole});
    return arena;
}

/* The first free block of this arena that has at least this order. */
static bool find(struct heap *h, va_t arena, unsigned order, struct buddy_place *found,
                 uint64_t *probes)
{
    const struct buddy_kind *k = kind_of(h);
    for (unsigned at = order; at <= buddy_of(h)->whole; at++) {
        va_t block = heap_load64(h, head_at(arena, at));
        if (!block)
            continue;
        if (!inside(h, arena, block)) {
            heap_complain(h, MISUSE_CORRUPT, head_at(arena, at));
            return false;
        }
        (*probes)++;
        heap_probe(h, block, k->size(at), k->size(order), PROBE_TAKE, block);
        *found = (struct buddy_place){block - base_of(h, arena), at};
        return true;
    }
    return false;
}

/* Cuts the block until what is left of it has this order; the other parts become free. */
static struct buddy_place cut(struct heap *h, va_t arena, struct buddy_place b, unsigned order)
{
    const struct buddy_kind *k = kind_of(h);
    va_t base = base_of(h, arena);
    while (b.order > order && b.order >= k->cut_min) {
        struct buddy_place left = {b.offset, k->left(b.order)};
        struct buddy_place right = {b.offset + k->size(left.order), k->right(b.order)};
        bool takes_right = right.order >= order && right.order < left.order;
        struct buddy_place rest = takes_right ? left : right;
        b = takes_right ? right : left;
        h->counters.splits++;
        EMIT(h->env, alloc_split, .chunk = base + b.offset, .size = k->size(b.order),
             .rest = base + rest.offset, .rest_size = k->size(rest.order));
        push(h, arena, rest);
    }
    return b;
}

static va_t take(struct heap *h, unsigned order)
{
    const struct buddy_kind *k = kind_of(h);
    struct buddy_place b;
    uint64_t probes = 0;
    va_t arena = buddy_of(h)->first;
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = order_name(order),
         .need = k->size(order));
    bool found = false;
    for (size_t n = piece_count(h); arena && n-- && !found;) {
        found = find(h, arena, order, &b, &probes);
        if (!found)
            arena = heap_load64(h, arena);
        if (h->misuse == MISUSE_CORRUPT)
            return 0;
    }
    heap_fit(h, found ? base_of(h, arena) + b.offset : 0, found ? k->size(b.order) : 0,
             k->size(order), probes);
    if (!found) {
        arena = arena_new_one(h);
        b = (struct buddy_place){0, buddy_of(h)->whole};
    }
    if (!arena || !unlink_block(h, arena, b))
        return 0;
    b = cut(h, arena, b, order);
    set_byte(h, arena, b, BEGINS | USED);
    struct heap_given given = {base_of(h, arena) + b.offset, k->size(b.order), k->size(b.order),
                               false};
    return heap_give(h, given, given.chunk, BUDDY_UNIT / 2, given.chunk);
}

/* The smallest order that holds so many bytes; 0 bytes get a block too. false: none does. */
static bool order_for(struct heap *h, uint64_t request, uint64_t least, unsigned *order)
{
    const struct buddy_kind *k = kind_of(h);
    *order = 0;
    while (*order < buddy_of(h)->whole && k->size(*order) < max_u64(request, least))
        ++*order;
    uint64_t chunk = k->size(*order);
    bool fits = chunk >= max_u64(request, least);
    EMIT(h->env, alloc_size, .request = request, .header = 0, .alignment = BUDDY_UNIT / 2,
         .minimum = BUDDY_UNIT, .chunk = fits ? chunk : 0);
    return fits;
}

va_t buddy_malloc(struct heap *h, uint64_t size)
{
    unsigned order;
    return order_for(h, size, 0, &order) ? take(h, order) : 0;
}

va_t buddy_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    unsigned order;
    if (alignment > kind_of(h)->natural || !order_for(h, size, alignment, &order))
        return 0;
    return take(h, order);
}

/* ---- free ---- */

/* The arena that the block lies in, by its links; 0: they are damaged. */
static va_t arena_of(struct heap *h, va_t block)
{
    va_t arena = buddy_of(h)->first;
    for (size_t n = piece_count(h); arena && n--; arena = heap_load64(h, arena))
        if (inside(h, arena, block))
            return arena;
    heap_complain(h, MISUSE_CORRUPT, block);
    return 0;
}

/* An arena that is free as a whole goes back, if there is another one. */
static void give_back(struct heap *h, va_t arena)
{
    struct buddy *b = buddy_of(h);
    va_t next = heap_load64(h, arena);
    va_t before = b->first;
    if (piece_count(h) < 2)
        return;
    for (size_t n = piece_count(h); before != arena && n--;) {
        va_t after = heap_load64(h, before);
        if (after == arena)
            break;
        before = after;
    }
    if (!unlink_block(h, arena, (struct buddy_place){0, b->whole}))
        return;
    if (!piece_put(h, arena))
        push(h, arena, (struct buddy_place){0, b->whole});
    else if (b->first == arena)
        b->first = next;
    else
        heap_store64(h, before, next);
}

void buddy_free(struct heap *h, va_t block)
{
    const struct buddy_kind *k = kind_of(h);
    va_t arena = arena_of(h, block);
    if (!arena)
        return;
    struct buddy_place b = {block - base_of(h, arena), 0};
    unsigned byte = (unsigned)heap_load(h, byte_at(arena, b.offset), 1);
    b.order = byte & ORDER_MASK;
    if (!(byte & BEGINS) || !(byte & USED) || b.order > buddy_of(h)->whole) {
        heap_complain(h, MISUSE_CORRUPT, block);
        return;
    }
    while (b.order < buddy_of(h)->whole) {
        struct buddy_place parent, other;
        k->family(b, buddy_of(h)->whole, &parent, &other);
        byte = (unsigned)heap_load(h, byte_at(arena, other.offset), 1);
        if (byte != (BEGINS | other.order) || !unlink_block(h, arena, other))
            break;
        heap_store(h, byte_at(arena, max_u64(b.offset, other.offset)), 0, 1);
        h->counters.coalesces++;
        EMIT(h->env, alloc_coalesce, .chunk = base_of(h, arena) + parent.offset,
             .size = k->size(parent.order), .neighbour = base_of(h, arena) + other.offset,
             .neighbour_size = k->size(other.order));
        b = parent;
    }
    push(h, arena, b);
    if (b.order == buddy_of(h)->whole)
        give_back(h, arena);
}

/* ---- seen from outside ---- */

bool buddy_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *), void *ctx)
{
    const struct buddy_kind *k = kind_of(h);
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t arena = piece_at(h, i)->start;
        for (uint64_t at = 0; at < whole_size(h);) {
            unsigned byte = peek_byte(h, arena, at);
            struct heap_chunk c = {.start = base_of(h, arena) + at, .list = "", .header = byte};
            unsigned order = byte & ORDER_MASK;
            c.size = order <= buddy_of(h)->whole ? k->size(order) : 0;
            c.used = byte & USED;
            c.block = c.used ? c.start : 0;
            c.usable = c.used ? c.size : 0;
            c.list = c.used ? "" : order_name(order);
            c.corrupt = !(byte & BEGINS) || !c.size || c.size > whole_size(h) - at;
            show(ctx, &c);
            if (c.corrupt)
                return false;
            at += c.size;
        }
    }
    return true;
}

void buddy_lists(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                 void *ctx)
{
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t arena = piece_at(h, i)->start;
        uint64_t left = whole_size(h) / BUDDY_UNIT;
        for (unsigned order = 0; order <= buddy_of(h)->whole; order++)
            for (va_t at = heap_peek64(h, head_at(arena, order)); at && left--;
                 at = heap_peek64(h, at)) {
                struct heap_chunk c = {.start = at, .size = kind_of(h)->size(order)};
                c.list = order_name(order);
                show(ctx, &c);
            }
    }
}

/* A list: every block free, of that order, linked both ways. Counts them. */
static const char *check_list(const struct heap *h, va_t arena, unsigned order, uint64_t *count)
{
    va_t prev = 0;
    uint64_t most = whole_size(h) / BUDDY_UNIT;
    for (va_t at = heap_peek64(h, head_at(arena, order)); at; at = heap_peek64(h, at)) {
        if (!inside(h, arena, at) || ++*count > most)
            return "a list leads out of its arena";
        uint64_t offset = at - base_of(h, arena);
        if (peek_byte(h, arena, offset) != (BEGINS | order))
            return "a list holds what is no free block of its order";
        if (heap_peek64(h, at + 8) != prev)
            return "the links of a list do not agree";
        struct buddy_place parent, other;
        if (order < buddy_of(h)->whole) {
            kind_of(h)->family((struct buddy_place){offset, order}, buddy_of(h)->whole, &parent,
                               &other);
            if (peek_byte(h, arena, other.offset) == (BEGINS | other.order))
                return "two free buddies were not joined";
        }
        prev = at;
    }
    return NULL;
}

static void count_free(void *ctx, const struct heap_chunk *c)
{
    uint64_t *n = ctx;
    *n += !c->used;
}

bool buddy_check(const struct heap *h, char *why, size_t size)
{
    uint64_t listed = 0;
    uint64_t seen = 0;
    size_t chained = 0;
    const char *what = NULL;
    for (va_t arena = buddy_of(h)->first; arena && chained <= piece_count(h); chained++)
        arena = heap_peek64(h, arena);
    if (chained != piece_count(h))
        what = "the chain of arenas is broken";
    for (size_t i = 0; i < piece_count(h) && !what; i++) {
        uint64_t count = 0;
        for (unsigned order = 0; order <= buddy_of(h)->whole && !what; order++)
            what = check_list(h, piece_at(h, i)->start, order, &count);
        listed += count;
    }
    if (!what && !buddy_walk(h, count_free, &seen))
        what = "the orders do not lead from block to block";
    if (!what && seen != listed)
        what = "the lists do not hold all free blocks";
    if (what)
        snprintf(why, size, "%s", what);
    return !what;
}

/* ---- mending ---- */

struct rebuild {
    va_t arena;
    const struct heap_block *live; /* sorted; those before at lie behind us */
    size_t at, count;
};

/* Everything from this place on, as the live blocks say. */
static void rebuild(struct heap *h, struct rebuild *r, struct buddy_place b)
{
    const struct buddy_kind *k = kind_of(h);
    va_t start = base_of(h, r->arena) + b.offset;
    va_t end = start + k->size(b.order);
    while (r->at < r->count && r->live[r->at].chunk < start)
        r->at++;
    if (r->at == r->count || r->live[r->at].chunk >= end) {
        push(h, r->arena, b);
    } else if (r->live[r->at].size >= k->size(b.order) || b.order < k->cut_min) {
        set_byte(h, r->arena, b, BEGINS | USED);
        r->at++;
    } else {
        struct buddy_place left = {b.offset, k->left(b.order)};
        struct buddy_place right = {b.offset + k->size(left.order), k->right(b.order)};
        rebuild(h, r, left);
        rebuild(h, r, right);
    }
}

void buddy_mend(struct heap *h)
{
    struct buddy *b = buddy_of(h);
    size_t count = shadow_count(h->shadow);
    struct heap_block *live = shadow_sorted(h->shadow, h->env->arena);
    if (count && !live)
        return;
    b->first = 0;
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t arena = piece_at(h, i)->start;
        struct rebuild r = {arena, live, 0, count};
        heap_fill(h, arena + HEADS_AT, 0, b->front - HEADS_AT);
        heap_store64(h, arena, b->first);
        b->first = arena;
        rebuild(h, &r, (struct buddy_place){0, b->whole});
    }
    arena_free(h->env->arena, live, count * sizeof(live[0]));
}
