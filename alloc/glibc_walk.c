/* glibc_walk.c: every chunk in order of address, with the list that it is in.
 *
 * The bytes alone do not tell whether a chunk is the program's, because chunks of a tcache or a
 * fastbin look used; the shadow of the heap tells. Which list a free chunk is in is read from the
 * bytes.
 */
#include "alloc/glibc.h"

#include "alloc/shadow.h"

#include <stdlib.h>
#include <string.h>

/* The chunks of all unsorted lists, sorted by address. */
struct unsorted {
    va_t *chunk;
    size_t count, room;
};

struct walker {
    const struct heap *h;
    void (*show)(void *ctx, const struct heap_chunk *);
    void *ctx;
    struct unsorted unsorted;
    uint64_t key;
};

static uint64_t peek_word(const struct heap *h, va_t p)
{
    return heap_peek64(h, p + CHUNK_SIZE);
}

/* ---- lists ---- */

static void remember(struct unsorted *u, va_t p)
{
    if (u->count == u->room) {
        size_t room = u->room ? 2 * u->room : 64;
        va_t *chunk = realloc(u->chunk, room * sizeof(va_t));
        if (!chunk)
            return; /* its list will be told wrongly, nothing else */
        u->chunk = chunk;
        u->room = room;
    }
    u->chunk[u->count++] = p;
}

static int by_address(const void *a, const void *b)
{
    va_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* A ring that is damaged ends where it goes in a circle. */
static void collect_unsorted(struct walker *w, va_t av)
{
    va_t bin = bin_at(av, 1);
    struct tour tour = {0};
    for (va_t p = heap_peek64(w->h, bin + CHUNK_FD); p && p != bin && !tour_circles(&tour, p);
         p = heap_peek64(w->h, p + CHUNK_FD))
        remember(&w->unsorted, p);
}

static const char *list_of(const struct walker *w, va_t p, uint64_t size, bool marked_used)
{
    const struct unsorted *u = &w->unsorted;
    if (marked_used) {
        bool cached =
            tcache_index(size) < TCACHE_BINS && heap_peek64(w->h, p + HDR_SZ + ENTRY_KEY) == w->key;
        return cached ? "tcache" : "fastbin";
    }
    if (u->count && bsearch(&p, u->chunk, u->count, sizeof(va_t), by_address))
        return "unsorted";
    return is_small(size) ? "small bin" : "large bin";
}

/* ---- the walk ---- */

static bool is_tcache(const struct heap *h, va_t block)
{
    const struct glibc *g = glibc_of(h);
    for (size_t i = 0; i < g->threads; i++)
        if (g->thread[i].tcache == block)
            return true;
    return false;
}

static void fill(const struct walker *w, struct heap_chunk *c, uint64_t next_word)
{
    const struct heap_block *b = shadow_find(w->h->shadow, c->start + HDR_SZ);
    bool live = b && b->kind == BLOCK_LIVE;
    bool fence = c->size < MINSIZE;
    c->used = live || fence || is_tcache(w->h, c->start + HDR_SZ);
    c->block = live ? c->start + HDR_SZ : 0;
    c->usable = c->used ? c->size - SIZE_SZ : 0;
    if (!c->used)
        c->list = list_of(w, c->start, c->size, next_word & PREV_INUSE);
}

/* Chunks from p on, to top or to the fence; end: no chunk reaches beyond it. */
static bool walk_region(struct walker *w, va_t p, va_t top, va_t end)
{
    unsigned fences = 0;
    while (p < end) {
        uint64_t word = peek_word(w->h, p);
        struct heap_chunk c = {
            .start = p, .size = word & ~SIZE_BITS, .header = word, .list = "", .top = p == top};
        if (!c.size && !c.top)
            return true; /* the fence of a heap that is full */
        c.corrupt = c.size < HDR_SZ || c.size & ALIGN_MASK || c.size > end - p;
        if (!c.corrupt && !c.top)
            fill(w, &c, peek_word(w->h, p + c.size));
        w->show(w->ctx, &c);
        if (c.corrupt || c.top)
            return !c.corrupt;
        fences = c.size == HDR_SZ ? fences + 1 : 0;
        if (fences == 2)
            return true;
        p += c.size;
    }
    return true;
}

#define HEAPS_MAX 4096u /* NOTE: an arena of more heaps, 256 GiB, is taken for damaged */

/* The oldest heap first. depth: how many may still come before it. */
static bool walk_heaps(struct walker *w, va_t av, va_t heap, unsigned depth)
{
    va_t top = heap_peek64(w->h, av + AV_TOP);
    va_t prev = heap_peek64(w->h, heap + HEAP_PREV);
    if (prev && (!depth || !walk_heaps(w, av, prev, depth - 1)))
        return false;
    va_t first = heap + HEAP_INFO_BYTES;
    if (first == av)
        first = align_up(av + AV_BYTES, 16);
    return walk_region(w, first, top, heap + heap_peek64(w->h, heap + HEAP_SIZE));
}

static bool walk_main(struct walker *w)
{
    const struct glibc *g = glibc_of(w->h);
    va_t top = heap_peek64(w->h, main_arena(w->h) + AV_TOP);
    bool good = true;
    for (size_t i = 0; good && i < g->regions; i++)
        good = walk_region(w, g->region[i].start, top, g->region[i].end);
    return good;
}

static void walk_mapped(struct walker *w)
{
    for (size_t i = 0; i < shadow_mapped(w->h->shadow); i++) {
        va_t block = shadow_mapped_at(w->h->shadow, i);
        const struct heap_block *b = shadow_find(w->h->shadow, block);
        uint64_t word = peek_word(w->h, block - HDR_SZ);
        struct heap_chunk c = {.start = block - HDR_SZ,
                               .size = word & ~SIZE_BITS,
                               .block = block,
                               .used = true,
                               .mapped = true,
                               .header = word,
                               .list = ""};
        c.usable = c.size - HDR_SZ;
        c.corrupt = b && c.size != b->size;
        w->show(w->ctx, &c);
    }
}

bool glibc_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *), void *ctx)
{
    const struct glibc *g = glibc_of(h);
    struct walker w = {.h = h, .show = show, .ctx = ctx};
    if (!g->initialized)
        return true;
    w.key = heap_peek64(h, g->data + DATA_TCACHE_KEY);
    struct tour tour = {0}, second = {0};
    va_t av = main_arena(h);
    do {
        collect_unsorted(&w, av);
        av = heap_peek64(h, av + AV_NEXT);
    } while (av && av != main_arena(h) && !tour_circles(&tour, av));
    if (w.unsorted.count)
        qsort(w.unsorted.chunk, w.unsorted.count, sizeof(va_t), by_address);
    bool good = walk_main(&w);
    for (av = heap_peek64(h, main_arena(h) + AV_NEXT); good && av && av != main_arena(h);
         av = heap_peek64(h, av + AV_NEXT))
        good = !tour_circles(&second, av) &&
               walk_heaps(&w, av, heap_for(heap_peek64(h, av + AV_TOP)), HEAPS_MAX);
    free(w.unsorted.chunk);
    if (good)
        walk_mapped(&w);
    return good;
}
