/* je_like.c: an allocator after jemalloc: bins of slabs whose free regions are bits, and extents of
 * pages that stay dirty for a while before their frames go back.
 *
 *   bins   │ 16 │ 32 │ 48 │ … │ 14336 │       slab of 48: 3 pages, 256 regions
 *            │                                ┌────┬────┬────┬────┬────┬────────┐
 *            ├─ current slab ───────────────▶ │used│    │used│    │    │ …      │
 *            └─ other slabs with room,        └────┴────┴────┴────┴────┴────────┘
 *               lowest address first          its descriptor: 0 1 0 1 1 …   1: free
 *
 * A slab is a run of just so many pages that its regions fill it. malloc takes the lowest free
 * region of the current slab, so live blocks gather at low addresses and high slabs run empty. The
 * books are bits in a descriptor far from the regions: a free block is not touched, and an overrun
 * cannot destroy them. Sizes above the bins are rounded up to a class too and get extents.
 *
 * A free extent is dirty: its frames are still there, and using it again costs no fault. A clock
 * that ticks with each call decides how long: every 1024 ticks, if more than an eighth of the heap
 * is dirty, all dirty extents are purged (madvise).
 * Source: Evans, "A scalable concurrent malloc(3) implementation for FreeBSD", 2006, and
 * jemalloc 5.
 *
 * Modelled: size classes, bins, slabs with bitmaps, lowest address first, extents that merge,
 * dirty and purged. Not modelled: caches of threads, several arenas, the radix tree from pointer to
 * extent (segments and masks here), muzzy extents, and decay by time along a sigmoid.
 *
 * Cost: malloc and free O(1), a full slab O(slabs with room). Best: long runs of a server: little
 * fragmentation, and memory does go back. Worst: short programs: each class has a slab of its own.
 */
#include "alloc/je_like.h"

#include "alloc/runs.h"
#include "alloc/shadow.h"
#include "alloc/size_class.h"

#include <stdio.h>

#define BINS        35u /* up to 14336 */
#define MAP_WORDS   4u
#define DECAY_TICKS 1024u
#define DIRTY_PART  8u

/* Words of a slab's descriptor, behind the tag. */
enum slab_word { SLAB_FREE = 1, SLAB_NEXT, SLAB_PREV, SLAB_LISTED, SLAB_MAP };
/* Words of a bin. */
enum bin_word { BIN_CURRENT, BIN_FIRST, BIN_WORDS };

struct je {
    struct runs runs;
    va_t bins; /* 0: none yet */
    uint64_t ticks;
};

static struct je *je_of(const struct heap *h)
{
    return h->state;
}

static va_t word(va_t slab, unsigned w)
{
    return slab + 8 * (va_t)w;
}

static va_t bin(const struct heap *h, unsigned class, enum bin_word w)
{
    return je_of(h)->bins + 8 * (va_t)(class * BIN_WORDS + w);
}

/* As many pages as regions fill exactly: 48 bytes fill three. */
static uint64_t slab_pages(unsigned class)
{
    uint64_t pages = 1;
    while (pages * PAGE_SIZE % size_class_bytes(class))
        pages++;
    return pages;
}

static unsigned regions(unsigned class)
{
    return (unsigned)(slab_pages(class) * PAGE_SIZE / size_class_bytes(class));
}

static int je_init(struct heap *h)
{
    runs_init(h, &je_of(h)->runs);
    je_of(h)->runs.dirty = true;
    return 0;
}

static bool has_bins(struct heap *h)
{
    struct je *j = je_of(h);
    va_t run = j->bins ? 0 : run_new(h, &j->runs, 1, RUN_OWN, 0);
    if (run)
        j->bins = run_start(&j->runs, run);
    return j->bins != 0;
}

static void tick(struct heap *h)
{
    struct je *j = je_of(h);
    if (++j->ticks % DECAY_TICKS == 0 &&
        j->runs.dirty_pages * PAGE_SIZE > h->counters.bytes_heap_now / DIRTY_PART)
        runs_purge(h, &j->runs);
}

/* ---- slabs ---- */

/* A slab of the class, or none. */
static bool is_slab(struct heap *h, va_t slab, unsigned class)
{
    return !slab || run_is(h, &je_of(h)->runs, slab, class);
}

/* Into the list of slabs with room, in order of address. */
static void list_slab(struct heap *h, va_t slab, unsigned class)
{
    va_t prev = 0;
    va_t next = heap_load64(h, bin(h, class, BIN_FIRST));
    while (is_slab(h, next, class) && next && next < slab && next > prev) {
        prev = next;
        next = heap_load64(h, word(next, SLAB_NEXT));
    }
    if (!is_slab(h, next, class))
        return;
    heap_store64(h, word(slab, SLAB_NEXT), next);
    heap_store64(h, word(slab, SLAB_PREV), prev);
    heap_store64(h, word(slab, SLAB_LISTED), 1);
    heap_store64(h, prev ? word(prev, SLAB_NEXT) : bin(h, class, BIN_FIRST), slab);
    if (next)
        heap_store64(h, word(next, SLAB_PREV), slab);
}

static bool unlist_slab(struct heap *h, va_t slab, unsigned class)
{
    va_t next = heap_load64(h, word(slab, SLAB_NEXT));
    va_t prev = heap_load64(h, word(slab, SLAB_PREV));
    if (!is_slab(h, next, class) || !is_slab(h, prev, class))
        return false;
    heap_store64(h, prev ? word(prev, SLAB_NEXT) : bin(h, class, BIN_FIRST), next);
    if (next)
        heap_store64(h, word(next, SLAB_PREV), prev);
    heap_store64(h, word(slab, SLAB_LISTED), 0);
    return true;
}

static va_t slab_new(struct heap *h, unsigned class)
{
    va_t slab = run_new(h, &je_of(h)->runs, slab_pages(class), class, 0);
    if (!slab)
        return 0;
    unsigned left = regions(class);
    heap_store64(h, word(slab, SLAB_FREE), left);
    for (unsigned i = 0; i < MAP_WORDS && left; i++) {
        unsigned bits = left < 64 ? left : 64;
        heap_store64(h, word(slab, SLAB_MAP + i),
                     bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1);
        left -= bits;
    }
    return slab;
}

/* The current slab if it has room, else the lowest that has, else a new one; current from now on.
 */
static va_t find_slab(struct heap *h, unsigned class, uint64_t *probes)
{
    va_t slab = heap_load64(h, bin(h, class, BIN_CURRENT));
    ++*probes;
    if (!is_slab(h, slab, class))
        return 0;
    if (slab && heap_load64(h, word(slab, SLAB_FREE)))
        return slab;
    slab = heap_load64(h, bin(h, class, BIN_FIRST));
    ++*probes;
    if (!is_slab(h, slab, class) || (slab && !unlist_slab(h, slab, class)))
        return 0;
    if (!slab)
        slab = slab_new(h, class);
    if (slab)
        heap_store64(h, bin(h, class, BIN_CURRENT), slab);
    return slab;
}

/* The lowest free region of the slab; regions(class): its bits are damaged. */
static unsigned take_region(struct heap *h, va_t slab, unsigned class)
{
    for (unsigned i = 0; i < MAP_WORDS; i++) {
        uint64_t map = heap_load64(h, word(slab, SLAB_MAP + i));
        if (!map)
            continue;
        unsigned region = 64 * i + (unsigned)__builtin_ctzll((unsigned long long)map);
        if (region >= regions(class))
            break;
        heap_store64(h, word(slab, SLAB_MAP + i), map & (map - 1));
        heap_store64(h, word(slab, SLAB_FREE), heap_load64(h, word(slab, SLAB_FREE)) - 1);
        return region;
    }
    heap_complain(h, MISUSE_CORRUPT, slab);
    return regions(class);
}

/* ---- the calls ---- */

/* Pages of an extent: the size rounded up to four steps in each doubling. */
static uint64_t extent_pages(uint64_t size)
{
    uint64_t pages = max_u64(1, (size + PAGE_MASK) / PAGE_SIZE);
    if (pages <= 8)
        return pages;
    unsigned power = 63 - (unsigned)__builtin_clzll((unsigned long long)(pages - 1));
    return align_up(pages, UINT64_C(1) << (power - 2));
}

static va_t je_malloc(struct heap *h, uint64_t size)
{
    tick(h);
    if (!has_bins(h))
        return 0;
    if (size > size_class_bytes(BINS - 1))
        return run_give_large(h, &je_of(h)->runs, size, extent_pages(size));
    unsigned class = size_class_of(size);
    uint64_t chunk = size_class_bytes(class);
    uint64_t probes = 0;
    EMIT(h->env, alloc_size, .request = size, .header = 0, .alignment = 16, .minimum = 16,
         .chunk = chunk);
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = size_class_name(class),
         .need = chunk);
    va_t slab = find_slab(h, class, &probes);
    unsigned region = slab ? take_region(h, slab, class) : 0;
    if (!slab || region == regions(class))
        return 0;
    va_t block = run_start(&je_of(h)->runs, slab) + region * chunk;
    const struct heap_block *b = shadow_find(h->shadow, block);
    if (!b || b->kind != BLOCK_LIVE)
        return run_give(h, block, chunk, probes ? probes - 1 : 0);
    heap_complain(h, MISUSE_CORRUPT, slab);
    return 0;
}

/* Regions lie at multiples of their size from the start of a slab. */
static va_t je_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    if (alignment > PAGE_SIZE || !has_bins(h))
        return 0;
    for (uint64_t fit = align_up(max_u64(size, 1), alignment); fit <= size_class_bytes(BINS - 1);
         fit += alignment)
        if (size_class_bytes(size_class_of(fit)) == fit)
            return je_malloc(h, fit);
    return run_give_large(h, &je_of(h)->runs, size, extent_pages(size));
}

static void je_free(struct heap *h, va_t block)
{
    unsigned class;
    struct runs *r = &je_of(h)->runs;
    tick(h);
    va_t slab = run_of(h, r, block, &class);
    if (!slab)
        return;
    if (class == RUN_LARGE) {
        run_free(h, r, slab);
        return;
    }
    unsigned region = (unsigned)((block - run_start(r, slab)) / size_class_bytes(class));
    uint64_t map = heap_load64(h, word(slab, SLAB_MAP + region / 64));
    uint64_t left = heap_load64(h, word(slab, SLAB_FREE)) + 1;
    if ((map >> region % 64 & 1) || left > regions(class)) {
        heap_complain(h, MISUSE_CORRUPT, slab);
        return;
    }
    heap_store64(h, word(slab, SLAB_MAP + region / 64), map | UINT64_C(1) << region % 64);
    heap_store64(h, word(slab, SLAB_FREE), left);
    if (heap_load64(h, bin(h, class, BIN_CURRENT)) == slab)
        return;
    bool listed = heap_load64(h, word(slab, SLAB_LISTED));
    if (left < regions(class)) {
        if (!listed)
            list_slab(h, slab, class);
        return;
    }
    if (!listed || unlist_slab(h, slab, class))
        run_free(h, r, slab);
}

static int je_trim(struct heap *h, uint64_t pad)
{
    (void)pad;
    uint64_t before = je_of(h)->runs.dirty_pages;
    runs_purge(h, &je_of(h)->runs);
    return je_of(h)->runs.dirty_pages < before;
}

/* ---- seen from outside ---- */

static void shape(const struct heap *h, struct run_view *v, va_t run)
{
    (void)h;
    (void)run;
    v->slot = size_class_bytes(v->class);
    v->possible = regions(v->class);
}

static bool look(const struct heap *h, struct run_view *v, va_t slab)
{
    unsigned left = 0;
    v->count = v->possible;
    for (unsigned i = 0; i < MAP_WORDS; i++) {
        v->free[i] = heap_peek64(h, word(slab, SLAB_MAP + i));
        left += (unsigned)__builtin_popcountll((unsigned long long)v->free[i]);
    }
    return heap_peek64(h, word(slab, SLAB_FREE)) == left && left <= v->possible;
}

static void empty(struct heap *h)
{
    if (je_of(h)->bins)
        heap_fill(h, je_of(h)->bins, 0, 8 * BINS * BIN_WORDS);
}

static void refill(struct heap *h, struct run_view *v, va_t slab)
{
    unsigned left = 0;
    heap_fill(h, slab + 8, 0, 8 * (SLAB_MAP + MAP_WORDS - 1));
    for (unsigned i = 0; i < MAP_WORDS; i++) {
        heap_store64(h, word(slab, SLAB_MAP + i), v->free[i]);
        left += (unsigned)__builtin_popcountll((unsigned long long)v->free[i]);
    }
    heap_store64(h, word(slab, SLAB_FREE), left);
    if (left)
        list_slab(h, slab, v->class);
}

static const struct run_user user = {shape, look, empty, refill};

static bool je_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                    void *ctx)
{
    return runs_walk(h, &je_of(h)->runs, &user, show, ctx);
}

static void look_at_nothing(void *ctx, const struct heap_chunk *c)
{
    (void)ctx;
    (void)c;
}

static const char *check_bin(const struct heap *h, unsigned class)
{
    uint64_t most = h->counters.bytes_heap_now / PAGE_SIZE;
    va_t prev = 0;
    va_t slab = heap_peek64(h, bin(h, class, BIN_FIRST));
    for (; slab && most--; prev = slab, slab = heap_peek64(h, word(slab, SLAB_NEXT))) {
        if (heap_peek64(h, word(slab, SLAB_PREV)) != prev || slab < prev)
            return "the slabs of a bin are not in order";
        if (!heap_peek64(h, word(slab, SLAB_FREE)) || !heap_peek64(h, word(slab, SLAB_LISTED)))
            return "a slab without room is in the list of those with room";
    }
    return slab ? "the list of a bin has no end" : NULL;
}

static bool je_check(const struct heap *h, char *why, size_t size)
{
    if (!runs_check(h, &je_of(h)->runs, why, size))
        return false;
    const char *what = NULL;
    if (!je_walk(h, look_at_nothing, NULL))
        what = "the bits of a slab are not as many as it counts";
    for (unsigned class = 0; je_of(h)->bins && class < BINS && !what; class ++)
        what = check_bin(h, class);
    if (what)
        snprintf(why, size, "%s", what);
    return !what;
}

static void je_mend(struct heap *h)
{
    runs_mend(h, &je_of(h)->runs, &user);
}

const struct alloc_ops je_like_ops = {
    .name = "je-like",
    .doc = "after jemalloc: bins of slabs with bitmaps, and extents that are purged later",
    .state_size = sizeof(struct je),
    .large_apart = true,
    .init = je_init,
    .malloc = je_malloc,
    .memalign = je_memalign,
    .free = je_free,
    .trim = je_trim,
    .walk = je_walk,
    .check = je_check,
    .mend = je_mend,
};
