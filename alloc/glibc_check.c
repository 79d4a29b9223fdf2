/* glibc_check.c: all that must hold in a heap of glibc's between two calls.
 *
 * Headers: chunks follow each other without a gap; bit P tells of the chunk before whether it is
 * in a bin; no two chunks of bins are neighbours, and none is before top. Lists: every ring holds
 * both ways; sizes fit their list; large bins are sorted, and so is the ring of sizes; a bin that
 * is not empty has its bit; a count of the tcache is the length of its stack.
 */
#include "alloc/glibc.h"

#include <stdio.h>
#include <string.h>

struct check {
    const struct heap *h;
    char *why;
    size_t size;
    bool bad;
    struct heap_chunk before; /* the chunk shown before this one */
};

static void complain(struct check *c, const char *what, va_t at)
{
    if (!c->bad)
        snprintf(c->why, c->size, "%s: %#llx", what, (unsigned long long)at);
    c->bad = true;
}

static uint64_t peek(const struct check *c, va_t at)
{
    return heap_peek64(c->h, at);
}

static uint32_t peek32(const struct check *c, va_t at)
{
    uint32_t word = 0;
    c->h->user.peek(c->h->user.ctx, at, &word, sizeof(word));
    return word;
}

static uint64_t peek_size(const struct check *c, va_t p)
{
    return peek(c, p + CHUNK_SIZE) & ~SIZE_BITS;
}

/* ---- headers ---- */

static bool in_bin(const struct heap_chunk *c)
{
    return !c->used && !c->top && strcmp(c->list, "tcache") != 0 && strcmp(c->list, "fastbin") != 0;
}

static void check_chunk(void *ctx, const struct heap_chunk *now)
{
    struct check *c = ctx;
    const struct heap_chunk *before = &c->before;
    bool follows = before->size && before->start + before->size == now->start && !now->mapped;
    if (now->corrupt)
        complain(c, "a header does not lead to the next one", now->start);
    if (follows && in_bin(before) == (bool)(now->header & PREV_INUSE))
        complain(c, "bit P is wrong", now->start);
    if (follows && in_bin(before) && (in_bin(now) || now->top))
        complain(c, "two free neighbours", now->start);
    if (follows && in_bin(before) && peek(c, now->start) != before->size)
        complain(c, "prev_size is wrong", now->start);
    c->before = *now;
}

/* ---- lists ---- */

static void check_fastbin(struct check *c, va_t av, unsigned i)
{
    struct tour tour = {0};
    for (va_t p = peek(c, fastbin_at(av, i)); p && !c->bad;
         p = protect(p + CHUNK_FD, peek(c, p + CHUNK_FD))) {
        if (misaligned(p) || fastbin_index(peek_size(c, p)) != i)
            complain(c, "a chunk in the wrong fastbin", p);
        if (tour_circles(&tour, p))
            complain(c, "a fastbin goes in a circle", p);
    }
}

/* The first chunk of each size is in the ring of sizes, the others are not asked. */
static void check_sizes(struct check *c, va_t p, uint64_t size, va_t bin)
{
    va_t next = peek(c, p + CHUNK_FD_NEXT);
    if (peek(c, next + CHUNK_BK_NEXT) != p)
        complain(c, "the ring of sizes does not hold", p);
    uint64_t next_size = peek_size(c, next);
    bool around = next == peek(c, bin + CHUNK_FD);
    if (!around && next_size >= size)
        complain(c, "the ring of sizes is not sorted", p);
}

static void check_bin(struct check *c, va_t av, unsigned i)
{
    va_t bin = bin_at(av, i), before = bin;
    uint64_t last = UINT64_MAX;
    struct tour tour = {0};
    for (va_t p = peek(c, bin + CHUNK_FD); p != bin && !c->bad; p = peek(c, p + CHUNK_FD)) {
        uint64_t size = peek_size(c, p);
        if (peek(c, p + CHUNK_BK) != before || tour_circles(&tour, p))
            complain(c, "a ring does not hold", p);
        if (i > 1 && glibc_bin_index(size) != i)
            complain(c, "a chunk in the wrong bin", p);
        if (i > 1 && size > last)
            complain(c, "a bin is not sorted", p);
        if (i > 1 && !is_small(size) && size != last)
            check_sizes(c, p, size, bin);
        last = size;
        before = p;
    }
    bool marked = peek32(c, av + AV_BINMAP + i / 32 * 4) >> i % 32 & 1;
    if (i > 1 && before != bin && !marked)
        complain(c, "a bin with chunks has no bit", bin);
}

static void check_arena(struct check *c, va_t av)
{
    for (unsigned i = 0; i < NFASTBINS; i++)
        check_fastbin(c, av, i);
    for (unsigned i = 1; i < NBINS; i++)
        check_bin(c, av, i);
}

static void check_tcache(struct check *c, va_t cache)
{
    for (unsigned i = 0; i < TCACHE_BINS && !c->bad; i++) {
        uint64_t count = peek32(c, cache + TC_COUNTS + 2 * i) & UINT16_MAX, n = 0;
        for (va_t e = peek(c, cache + TC_ENTRIES + 8 * i); e && n <= count; n++) {
            if (peek_size(c, e - HDR_SZ) != MINSIZE + 16 * i)
                complain(c, "a block in the wrong stack of the tcache", e);
            e = protect(e, peek(c, e));
        }
        if (n != count)
            complain(c, "a count of the tcache is wrong", cache);
    }
}

bool glibc_check(const struct heap *h, char *why, size_t size)
{
    const struct glibc *g = glibc_of(h);
    struct check c = {.h = h, .why = why, .size = size};
    if (!g->initialized || h->over)
        return true;
    if (!glibc_walk(h, check_chunk, &c))
        complain(&c, "a header does not lead to the next one", c.before.start);
    struct tour tour = {0};
    va_t av = main_arena(h);
    do {
        check_arena(&c, av);
        av = peek(&c, av + AV_NEXT);
        if (tour_circles(&tour, av))
            complain(&c, "the ring of arenas does not hold", av);
    } while (!c.bad && av && av != main_arena(h));
    for (size_t i = 0; i < g->threads && !c.bad; i++)
        if (g->thread[i].tcache)
            check_tcache(&c, g->thread[i].tcache);
    return !c.bad;
}
