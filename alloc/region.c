/* region.c: an arena allocator: memory is given out by moving a pointer and freed a whole region at
 * a time.
 *
 * Compilers and servers do it so on purpose: all that belongs to one request or one function lives
 * in one region and dies with it. Here a region counts its living blocks; when the count falls to
 * nothing, the region is used again from its start or, if it is not the current one, goes back to
 * the kernel.
 *
 *   a region: a multiple of its own size, so that a pointer leads to it by a mask
 *   ┌──────┬──────┬────────┬───────────┬────────┬─────────┬──────────────────────────────┐
 *   │ next │ live │ size│U │ block     │ size│0 │ dead    │ never used                   │
 *   └──────┴──────┴────────┴───────────┴────────┴─────────┴──────────────────────────────┘
 *      ▲                   ▲ 16-aligned                   ▲ next points here
 *
 * Cost: malloc O(1), free O(1), and nothing is searched or merged, ever. Best: blocks that die
 * together. Worst: one long-lived block in each region: it holds all of it.
 */
#include "alloc/region.h"

#include "alloc/piece.h"
#include "alloc/shadow.h"
#include "sim/base/arena.h"

#include <stdio.h>

#define HEADER  8u
#define UNIT    16u
#define USED    1u
#define LIVE_AT 8u
#define FIRST   24u /* offset of the first header: its block is 16-aligned */

struct region {
    uint64_t bytes; /* of a region: a power of two */
    va_t current;   /* 0: none yet */
};

static struct region *region_of(const struct heap *h)
{
    return h->state;
}

static int region_init(struct heap *h)
{
    struct region *r = region_of(h);
    for (r->bytes = PAGE_SIZE; r->bytes * 2 <= h->config.arena_bytes;)
        r->bytes *= 2;
    return 0;
}

static va_t start_of(const struct heap *h, va_t block)
{
    return align_down(block, region_of(h)->bytes);
}

static bool region_new(struct heap *h)
{
    struct region *r = region_of(h);
    va_t fresh = piece_by_mmap(h, r->bytes, r->bytes);
    if (!fresh)
        return false;
    r->current = fresh;
    heap_store64(h, fresh, fresh + FIRST);
    return true;
}

/* Where the next header goes; 0: the word was written over. */
static va_t next_of(struct heap *h, va_t region)
{
    va_t next = heap_load64(h, region);
    if (next >= region + FIRST && next <= region + region_of(h)->bytes + HEADER &&
        next % UNIT == FIRST % UNIT)
        return next;
    heap_complain(h, MISUSE_CORRUPT, region);
    return 0;
}

static va_t region_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    struct region *r = region_of(h);
    uint64_t chunk = align_up(size + HEADER, UNIT);
    EMIT(h->env, alloc_size, .request = size, .header = HEADER, .alignment = UNIT, .minimum = UNIT,
         .chunk = chunk);
    if (chunk + alignment > r->bytes / 4) /* a few of these would fill a region */
        return 0;
    if (!r->current && !region_new(h))
        return 0;
    va_t next = next_of(h, r->current);
    va_t block = align_up(next + HEADER, alignment);
    if (next && block - HEADER + chunk > r->current + r->bytes) {
        if (!region_new(h))
            return 0;
        next = next_of(h, r->current);
        block = align_up(next + HEADER, alignment);
    }
    if (!next)
        return 0;
    if (block - HEADER > next) /* what alignment skips is a dead block */
        heap_header(h, next, next, block - HEADER - next);
    heap_header(h, block - HEADER, block - HEADER, chunk | USED);
    heap_store64(h, r->current, block - HEADER + chunk);
    heap_store64(h, r->current + LIVE_AT, heap_load64(h, r->current + LIVE_AT) + 1);
    struct heap_given given = {block - HEADER, chunk, chunk - HEADER, false};
    return heap_give(h, given, next + HEADER, alignment, block);
}

static va_t region_malloc(struct heap *h, uint64_t size)
{
    return region_memalign(h, UNIT, size);
}

static void region_free(struct heap *h, va_t block)
{
    struct region *r = region_of(h);
    va_t region = start_of(h, block);
    uint64_t tag = heap_load64(h, block - HEADER);
    uint64_t live = heap_load64(h, region + LIVE_AT);
    if (tag != (shadow_find(h->shadow, block)->size | USED) || !live) {
        heap_complain(h, MISUSE_CORRUPT, block - HEADER);
        return;
    }
    heap_header(h, block - HEADER, block - HEADER, tag & ~(uint64_t)USED);
    heap_store64(h, region + LIVE_AT, live - 1);
    if (live > 1)
        return;
    if (region == r->current)
        heap_store64(h, region, region + FIRST);
    else
        piece_put(h, region);
}

/* ---- seen from outside ---- */

static bool region_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                        void *ctx)
{
    for (size_t i = 0; i < piece_count(h); i++) {
        const struct heap_piece *p = piece_at(h, i);
        va_t next = heap_peek64(h, p->start);
        va_t at = p->start + FIRST;
        while (at < next && at < p->end) {
            uint64_t tag = heap_peek64(h, at);
            struct heap_chunk c = {.start = at, .size = align_down(tag, UNIT), .list = ""};
            c.header = tag;
            c.used = tag & USED;
            c.block = c.used ? at + HEADER : 0;
            c.usable = c.used ? c.size - HEADER : 0;
            c.corrupt = !c.size || c.size > next - at || (tag & (UNIT - 1) & ~(uint64_t)USED);
            show(ctx, &c);
            if (c.corrupt)
                return false;
            at += c.size;
        }
        if (at != next || at > p->end + HEADER)
            return false;
        struct heap_chunk rest = {.start = at, .list = "", .size = p->end - min_u64(at, p->end)};
        if (rest.size)
            show(ctx, &rest);
    }
    return true;
}

struct count {
    const struct heap *heap;
    va_t region;
    uint64_t live;
};

static void count_live(void *ctx, const struct heap_chunk *c)
{
    struct count *n = ctx;
    n->live += c->used && start_of(n->heap, c->start) == n->region;
}

static bool region_check(const struct heap *h, char *why, size_t size)
{
    for (size_t i = 0; i < piece_count(h); i++) {
        struct count n = {h, piece_at(h, i)->start, 0};
        if (!region_walk(h, count_live, &n)) {
            snprintf(why, size, "a header does not lead to the next one");
            return false;
        }
        uint64_t live = heap_peek64(h, n.region + LIVE_AT);
        if (live != n.live) {
            snprintf(why, size, "region %#llx counts %llu living blocks, it has %llu",
                     (unsigned long long)n.region, (unsigned long long)live,
                     (unsigned long long)n.live);
            return false;
        }
    }
    return true;
}

/* Headers, counts and pointers again, as the living blocks say; what lies between them is dead. */
static void region_mend(struct heap *h)
{
    size_t count = shadow_count(h->shadow);
    struct heap_block *live = shadow_sorted(h->shadow, h->env->arena);
    if (count && !live)
        return;
    for (size_t i = piece_count(h); i-- > 0;) {
        va_t region = piece_at(h, i)->start;
        va_t next = region + FIRST;
        uint64_t n = 0;
        for (size_t k = 0; k < count; k++) {
            if (start_of(h, live[k].chunk) != region || live[k].chunk < next)
                continue;
            if (live[k].chunk > next)
                heap_header(h, next, next, live[k].chunk - next);
            heap_header(h, live[k].chunk, live[k].chunk, live[k].size | USED);
            next = live[k].chunk + live[k].size;
            n++;
        }
        heap_store64(h, region, next);
        heap_store64(h, region + LIVE_AT, n);
        if (!n && region != region_of(h)->current)
            piece_put(h, region);
    }
    arena_free(h->env->arena, live, count * sizeof(live[0]));
}

const struct alloc_ops region_ops = {
    .name = "arena",
    .doc = "regions: a pointer moves up, and a region is freed when its last block dies",
    .bits = "U",
    .state_size = sizeof(struct region),
    .large_apart = true,
    .init = region_init,
    .malloc = region_malloc,
    .memalign = region_memalign,
    .free = region_free,
    .walk = region_walk,
    .check = region_check,
    .mend = region_mend,
};
