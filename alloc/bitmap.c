/* bitmap.c: an allocator that keeps its books in bits: one says whether 16 bytes are used, one
 * whether a block ends there.
 *
 *   one piece of memory
 *   ┌──────┬──────┬─────────────────┬─────────────────┬────────────────────────────────────┐
 *   │ next │ hint │ used: 1 bit per │ last: 1 bit per │ units of 16 bytes                  │
 *   │      │      │ unit            │ unit            │                                    │
 *   └──────┴──────┴─────────────────┴─────────────────┴────────────────────────────────────┘
 *                   1 1 1 0 0 1 1 1   0 1 1 0 0 0 0 1   [ 32  ][16][ free  ][     48      ]
 *
 * Blocks have no header, so they lie side by side; all books of 64 units are two words, so a search
 * reads little memory; and free neighbours are one hole by themselves, nothing has to be merged.
 * The price is the search, which goes through the bits from the first free unit on.
 *
 * Cost: malloc O(units / 64 + holes), free O(size / 1024). The books are 1/64 of the memory.
 * Best: small blocks, and a cache that likes short books. Worst: a full heap with many small holes.
 */
#include "alloc/bitmap.h"

#include "alloc/piece.h"
#include "alloc/shadow.h"
#include "sim/base/arena.h"

#include <stdio.h>

#define UNIT    16u
#define HINT_AT 8u
#define USED_AT 16u

struct bitmap {
    va_t first;     /* the region that is asked first; 0: none yet */
    uint64_t units; /* in a region, a multiple of 64 */
    uint64_t front; /* bytes of books in front of them */
};

enum map { MAP_USED, MAP_LAST };

static struct bitmap *bitmap_of(const struct heap *h)
{
    return h->state;
}

static va_t base_of(const struct heap *h, va_t region)
{
    return region + bitmap_of(h)->front;
}

static va_t word_at(const struct heap *h, va_t region, enum map map, uint64_t unit)
{
    return region + USED_AT + map * (bitmap_of(h)->units / 8) + unit / 64 * 8;
}

static int bitmap_init(struct heap *h)
{
    struct bitmap *b = bitmap_of(h);
    b->units = align_down(h->config.arena_bytes / UNIT, 64);
    b->front = align_up(USED_AT + 2 * (b->units / 8), PAGE_SIZE);
    return 0;
}

/* The first unit from this one on, below end, whose bit is as wanted; end: none. */
static uint64_t scan(struct heap *h, va_t region, enum map map, uint64_t unit, uint64_t end,
                     bool want)
{
    while (unit < end) {
        uint64_t word = heap_load64(h, word_at(h, region, map, unit));
        uint64_t bits = (want ? word : ~word) >> unit % 64;
        if (bits)
            return min_u64(unit + (unsigned)__builtin_ctzll((unsigned long long)bits), end);
        unit = align_down(unit, 64) + 64;
    }
    return end;
}

static void set(struct heap *h, va_t region, enum map map, uint64_t unit, uint64_t count, bool to)
{
    while (count) {
        uint64_t low = unit % 64;
        uint64_t n = min_u64(count, 64 - low);
        uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << low;
        va_t at = word_at(h, region, map, unit);
        uint64_t word = n == 64 ? 0 : heap_load64(h, at);
        heap_store64(h, at, to ? word | mask : word & ~mask);
        unit += n;
        count -= n;
    }
}

/* ---- malloc ---- */

static uint64_t size_units(struct heap *h, uint64_t request)
{
    uint64_t chunk = max_u64(align_up(request, UNIT), UNIT);
    EMIT(h->env, alloc_size, .request = request, .header = 0, .alignment = UNIT, .minimum = UNIT,
         .chunk = chunk);
    return chunk / UNIT;
}

/* The first hole of at least so many units whose first is a multiple of step units; its unit, or
 * units: none. */
static uint64_t find(struct heap *h, va_t region, uint64_t units, uint64_t step, uint64_t *probes)
{
    uint64_t end = bitmap_of(h)->units;
    uint64_t at = min_u64(heap_load64(h, region + HINT_AT), end);
    for (;;) {
        uint64_t hole = align_up(scan(h, region, MAP_USED, at, end, false), step);
        if (hole >= end)
            return end;
        at = scan(h, region, MAP_USED, hole, min_u64(hole + units, end), true);
        if (at == hole) { /* the alignment led into a used unit */
            at++;
            continue;
        }
        bool fits = at - hole >= units;
        va_t chunk = base_of(h, region) + hole * UNIT;
        ++*probes;
        heap_probe(h, chunk, (at - hole) * UNIT, units * UNIT, fits ? PROBE_TAKE : PROBE_TOO_SMALL,
                   fits ? chunk : 0);
        if (fits)
            return hole;
    }
}

static va_t region_new(struct heap *h)
{
    struct bitmap *b = bitmap_of(h);
    va_t region = piece_by_brk(h, align_up(b->front + b->units * UNIT, PAGE_SIZE), PAGE_SIZE);
    if (!region)
        return 0;
    heap_store64(h, region, b->first);
    b->first = region;
    return region;
}

static va_t use(struct heap *h, va_t region, uint64_t unit, uint64_t units, uint64_t alignment)
{
    set(h, region, MAP_USED, unit, units, true);
    set(h, region, MAP_LAST, unit + units - 1, 1, true);
    if (heap_load64(h, region + HINT_AT) == unit)
        heap_store64(h, region + HINT_AT, unit + units);
    va_t block = base_of(h, region) + unit * UNIT;
    struct heap_given given = {block, units * UNIT, units * UNIT, false};
    return heap_give(h, given, block, alignment, block);
}

static va_t bitmap_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    const struct bitmap *b = bitmap_of(h);
    uint64_t units = size_units(h, size);
    uint64_t probes = 0;
    if (units > b->units || alignment > PAGE_SIZE)
        return 0;
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = "", .need = units * UNIT);
    va_t region = b->first;
    uint64_t unit = b->units;
    for (size_t n = piece_count(h); region && n--; region = heap_load64(h, region)) {
        unit = find(h, region, units, alignment / UNIT, &probes);
        if (unit < b->units)
            break;
    }
    bool found = region && unit < b->units;
    heap_fit(h, found ? base_of(h, region) + unit * UNIT : 0, found ? units * UNIT : 0,
             units * UNIT, probes);
    if (!found) {
        region = region_new(h);
        unit = 0;
    }
    return region ? use(h, region, unit, units, alignment) : 0;
}

static va_t bitmap_malloc(struct heap *h, uint64_t size)
{
    return bitmap_memalign(h, UNIT, size);
}

/* ---- free ---- */

static va_t region_of(struct heap *h, va_t block)
{
    va_t region = bitmap_of(h)->first;
    for (size_t n = piece_count(h); region && n--; region = heap_load64(h, region))
        if (block >= region && block - region < bitmap_of(h)->front + bitmap_of(h)->units * UNIT)
            return region;
    return 0;
}

/* A region without a block goes back, if it is not the only one. */
static void give_back(struct heap *h, va_t region)
{
    struct bitmap *b = bitmap_of(h);
    if (piece_count(h) < 2 || scan(h, region, MAP_USED, 0, b->units, true) < b->units)
        return;
    va_t next = heap_load64(h, region);
    va_t before = b->first;
    for (size_t n = piece_count(h); before != region && n--;) {
        va_t after = heap_load64(h, before);
        if (after == region)
            break;
        before = after;
    }
    if (!piece_put(h, region))
        return;
    if (b->first == region)
        b->first = next;
    else
        heap_store64(h, before, next);
}

static void bitmap_free(struct heap *h, va_t block)
{
    const struct bitmap *b = bitmap_of(h);
    va_t region = region_of(h, block);
    uint64_t unit = region ? (block - base_of(h, region)) / UNIT : 0;
    uint64_t last = region ? scan(h, region, MAP_LAST, unit, b->units, true) : b->units;
    uint64_t size = (last + 1 - unit) * UNIT;
    if (last == b->units || size != shadow_find(h->shadow, block)->size) {
        heap_complain(h, MISUSE_CORRUPT, block);
        return;
    }
    set(h, region, MAP_USED, unit, last + 1 - unit, false);
    set(h, region, MAP_LAST, last, 1, false);
    if (heap_load64(h, region + HINT_AT) > unit)
        heap_store64(h, region + HINT_AT, unit);
    if (heap_load64(h, region + HINT_AT) == 0)
        give_back(h, region);
}

/* ---- seen from outside ---- */

/* As scan, without a trace. */
static uint64_t peek_scan(const struct heap *h, va_t region, enum map map, uint64_t unit,
                          uint64_t end, bool want)
{
    while (unit < end) {
        uint64_t word = heap_peek64(h, word_at(h, region, map, unit));
        uint64_t bits = (want ? word : ~word) >> unit % 64;
        if (bits)
            return min_u64(unit + (unsigned)__builtin_ctzll((unsigned long long)bits), end);
        unit = align_down(unit, 64) + 64;
    }
    return end;
}

/* The block or hole that begins at this unit. */
static struct heap_chunk chunk_at(const struct heap *h, va_t region, uint64_t unit)
{
    uint64_t end = bitmap_of(h)->units;
    struct heap_chunk c = {.start = base_of(h, region) + unit * UNIT, .list = ""};
    uint64_t hole = peek_scan(h, region, MAP_USED, unit, end, false);
    uint64_t last = peek_scan(h, region, MAP_LAST, unit, end, true);
    uint64_t next = peek_scan(h, region, MAP_USED, unit, end, true);
    c.used = hole != unit;
    c.corrupt = c.used ? last >= hole : last < next;
    c.size = ((c.used ? min_u64(last + 1, end) : next) - unit) * UNIT;
    c.block = c.used ? c.start : 0;
    c.usable = c.used ? c.size : 0;
    return c;
}

static bool bitmap_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                        void *ctx)
{
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t region = piece_at(h, i)->start;
        for (uint64_t unit = 0; unit < bitmap_of(h)->units;) {
            struct heap_chunk c = chunk_at(h, region, unit);
            show(ctx, &c);
            if (c.corrupt)
                return false;
            unit += c.size / UNIT;
        }
    }
    return true;
}

static void look_at_nothing(void *ctx, const struct heap_chunk *c)
{
    (void)ctx;
    (void)c;
}

static bool bitmap_check(const struct heap *h, char *why, size_t size)
{
    size_t chained = 0;
    for (va_t region = bitmap_of(h)->first; region && chained <= piece_count(h); chained++)
        region = heap_peek64(h, region);
    if (chained != piece_count(h)) {
        snprintf(why, size, "the chain of regions is broken");
        return false;
    }
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t region = piece_at(h, i)->start;
        uint64_t hint = heap_peek64(h, region + HINT_AT);
        if (peek_scan(h, region, MAP_USED, 0, bitmap_of(h)->units, false) < hint) {
            snprintf(why, size, "a unit below the hint is free");
            return false;
        }
    }
    if (bitmap_walk(h, look_at_nothing, NULL))
        return true;
    snprintf(why, size, "the two bitmaps do not agree");
    return false;
}

static void bitmap_mend(struct heap *h)
{
    struct bitmap *b = bitmap_of(h);
    size_t count = shadow_count(h->shadow);
    struct heap_block *live = shadow_sorted(h->shadow, h->env->arena);
    if (count && !live)
        return;
    b->first = 0;
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t region = piece_at(h, i)->start;
        heap_fill(h, region, 0, b->front);
        heap_store64(h, region, b->first);
        b->first = region;
    }
    for (size_t i = 0; i < count; i++) {
        const struct heap_piece *p = piece_of(h, live[i].chunk);
        if (!p)
            continue;
        uint64_t unit = (live[i].chunk - base_of(h, p->start)) / UNIT;
        set(h, p->start, MAP_USED, unit, live[i].size / UNIT, true);
        set(h, p->start, MAP_LAST, unit + live[i].size / UNIT - 1, 1, true);
    }
    arena_free(h->env->arena, live, count * sizeof(live[0]));
}

const struct alloc_ops bitmap_ops = {
    .name = "bitmap",
    .doc = "one bit for each 16 bytes; first fit over the bits",
    .state_size = sizeof(struct bitmap),
    .large_apart = true,
    .init = bitmap_init,
    .malloc = bitmap_malloc,
    .memalign = bitmap_memalign,
    .free = bitmap_free,
    .walk = bitmap_walk,
    .check = bitmap_check,
    .mend = bitmap_mend,
};
