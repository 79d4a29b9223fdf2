/* glibc_info.c: the sums that the library tells of itself: mallinfo2, malloc_info.
 *
 * Like a debugger, they only look: the real calls read words that other calls have written just
 * before, so they cost no fault, and here they leave no trace at all.
 * Source: int_mallinfo, __malloc_info.
 */
#include "alloc/glibc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static uint64_t peek_size(const struct heap *h, va_t p)
{
    return heap_peek64(h, p + CHUNK_SIZE) & ~SIZE_BITS;
}

static uint32_t peek_mp32(const struct heap *h, unsigned field)
{
    uint32_t word = 0;
    h->user.peek(h->user.ctx, glibc_of(h)->data + DATA_MP + field, &word, sizeof(word));
    return word;
}

static uint64_t peek_mp(const struct heap *h, unsigned field)
{
    return heap_peek64(h, glibc_of(h)->data + DATA_MP + field);
}

/* Chunks and bytes of a fastbin. */
static void sum_fastbin(const struct heap *h, va_t av, unsigned i, uint64_t *count, uint64_t *bytes)
{
    struct tour tour = {0};
    for (va_t p = heap_peek64(h, fastbin_at(av, i)); p && !tour_circles(&tour, p);
         p = protect(p + CHUNK_FD, heap_peek64(h, p + CHUNK_FD))) {
        ++*count;
        *bytes += peek_size(h, p);
    }
}

static void sum_bin(const struct heap *h, va_t av, unsigned i, uint64_t *count, uint64_t *bytes)
{
    va_t bin = bin_at(av, i);
    struct tour tour = {0};
    for (va_t p = heap_peek64(h, bin + CHUNK_BK); p != bin && p && !tour_circles(&tour, p);
         p = heap_peek64(h, p + CHUNK_BK)) {
        ++*count;
        *bytes += peek_size(h, p);
    }
}

static void sum_arena(const struct heap *h, va_t av, struct glibc_mallinfo *m)
{
    uint64_t fast = 0, fast_bytes = 0, count = 1;
    uint64_t top = peek_size(h, heap_peek64(h, av + AV_TOP)), bytes = top;
    uint64_t system = heap_peek64(h, av + AV_SYSTEM_MEM);
    for (unsigned i = 0; i < NFASTBINS; i++)
        sum_fastbin(h, av, i, &fast, &fast_bytes);
    for (unsigned i = 1; i < NBINS; i++)
        sum_bin(h, av, i, &count, &bytes);
    bytes += fast_bytes;
    m->smblks += fast;
    m->ordblks += count;
    m->fordblks += bytes;
    m->uordblks += system - bytes;
    m->arena += system;
    m->fsmblks += fast_bytes;
    if (av == main_arena(h))
        m->keepcost = top;
}

void glibc_mallinfo2(const struct heap *h, struct glibc_mallinfo *m)
{
    *m = (struct glibc_mallinfo){0};
    m->hblks = peek_mp32(h, MP_N_MMAPS);
    m->hblkhd = peek_mp(h, MP_MMAPPED_MEM);
    if (!glibc_of(h)->initialized)
        return;
    struct tour tour = {0};
    va_t av = main_arena(h);
    do {
        sum_arena(h, av, m);
        av = heap_peek64(h, av + AV_NEXT);
    } while (av && av != main_arena(h) && !tour_circles(&tour, av));
}

/* ---- malloc_info ---- */

/* A text that is cut where the room ends, but whose length is known, as with snprintf. */
struct out {
    char *text;
    size_t size, length;
};

static __attribute__((format(printf, 2, 3))) void put(struct out *o, const char *format, ...)
{
    va_list list;
    size_t room = o->length < o->size ? o->size - o->length : 0;
    va_start(list, format);
    int n = vsnprintf(room ? o->text + o->length : NULL, room, format, list);
    va_end(list);
    o->length += n > 0 ? (size_t)n : 0;
}

struct sizes {
    uint64_t from, to, total, count;
};

static void put_size(struct out *o, const char *tag, const struct sizes *s)
{
    put(o,
        "  <%s from=\"%" PRIu64 "\" to=\"%" PRIu64 "\" total=\"%" PRIu64 "\" count=\"%" PRIu64
        "\"/>\n",
        tag, s->from, s->to, s->total, s->count);
}

/* What of an arena stands in its element; fast and rest: count and total. */
struct arena_sums {
    struct sizes fast, rest;
};

static void put_fastbins(struct out *o, const struct heap *h, va_t av, struct arena_sums *sums)
{
    for (unsigned i = 0; i < NFASTBINS; i++) {
        struct sizes s = {0};
        va_t first = heap_peek64(h, fastbin_at(av, i));
        if (!first)
            continue;
        sum_fastbin(h, av, i, &s.count, &s.total);
        s.to = peek_size(h, first);
        s.from = s.to - ALIGN_MASK;
        put_size(o, "size", &s);
        sums->fast.count += s.count;
        sums->fast.total += s.total;
    }
}

/* Here the library takes the size word with its flags. */
static void put_bin(struct out *o, const struct heap *h, va_t av, unsigned i,
                    struct arena_sums *sums)
{
    struct sizes s = {.from = UINT64_MAX};
    va_t bin = bin_at(av, i);
    struct tour tour = {0};
    for (va_t p = heap_peek64(h, bin + CHUNK_FD); p && p != bin && !tour_circles(&tour, p);
         p = heap_peek64(h, p + CHUNK_FD)) {
        uint64_t word = heap_peek64(h, p + CHUNK_SIZE);
        s.count++;
        s.total += word;
        s.from = min_u64(s.from, word);
        s.to = max_u64(s.to, word);
    }
    sums->rest.count += s.count;
    sums->rest.total += s.total;
    if (s.count)
        put_size(o, i == 1 ? "unsorted" : "size", &s);
}

/* The unsorted list comes last. */
static void put_bins(struct out *o, const struct heap *h, va_t av, struct arena_sums *sums)
{
    for (unsigned i = 2; i < NBINS; i++)
        put_bin(o, h, av, i, sums);
    put_bin(o, h, av, 1, sums);
}

static void put_total(struct out *o, const char *type, uint64_t count, uint64_t size)
{
    put(o, "<total type=\"%s\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n", type, count, size);
}

static void put_number(struct out *o, const char *tag, const char *type, uint64_t size)
{
    put(o, "<%s type=\"%s\" size=\"%" PRIu64 "\"/>\n", tag, type, size);
}

struct all_sums {
    struct arena_sums sums;
    uint64_t system, max_system, aspace, mprotect;
};

static void put_arena(struct out *o, const struct heap *h, va_t av, uint64_t number,
                      struct all_sums *all)
{
    struct arena_sums a = {0};
    uint64_t system = heap_peek64(h, av + AV_SYSTEM_MEM), aspace = system, usable = system;
    uint64_t max = heap_peek64(h, av + AV_MAX_SYSTEM_MEM), heaps = 0;
    uint64_t top = peek_size(h, heap_peek64(h, av + AV_TOP));
    put(o, "<heap nr=\"%" PRIu64 "\">\n<sizes>\n", number);
    a.rest = (struct sizes){.count = 1, .total = top};
    put_fastbins(o, h, av, &a);
    put_bins(o, h, av, &a);
    if (av != main_arena(h)) {
        struct tour tour = {0};
        aspace = usable = 0;
        for (va_t heap = heap_for(heap_peek64(h, av + AV_TOP)); heap && !tour_circles(&tour, heap);
             heap = heap_peek64(h, heap + HEAP_PREV), heaps++) {
            aspace += heap_peek64(h, heap + HEAP_SIZE);
            usable += heap_peek64(h, heap + HEAP_MPROTECT_SIZE);
        }
    }
    put(o, "</sizes>\n");
    put_total(o, "fast", a.fast.count, a.fast.total);
    put_total(o, "rest", a.rest.count, a.rest.total);
    put_number(o, "system", "current", system);
    put_number(o, "system", "max", max);
    put_number(o, "aspace", "total", aspace);
    put_number(o, "aspace", "mprotect", usable);
    if (heaps)
        put_number(o, "aspace", "subheaps", heaps);
    put(o, "</heap>\n");
    all->sums.fast.count += a.fast.count;
    all->sums.fast.total += a.fast.total;
    all->sums.rest.count += a.rest.count;
    all->sums.rest.total += a.rest.total;
    all->system += system;
    all->max_system += max;
    all->aspace += aspace;
    all->mprotect += usable;
}

size_t glibc_malloc_info(const struct heap *h, char *text, size_t size)
{
    struct out o = {text, size, 0};
    struct all_sums all = {0};
    uint64_t number = 0;
    put(&o, "<malloc version=\"1\">\n");
    struct tour tour = {0};
    va_t av = main_arena(h);
    do {
        put_arena(&o, h, av, number++, &all);
        av = heap_peek64(h, av + AV_NEXT);
    } while (av && av != main_arena(h) && !tour_circles(&tour, av));
    put_total(&o, "fast", all.sums.fast.count, all.sums.fast.total);
    put_total(&o, "rest", all.sums.rest.count, all.sums.rest.total);
    put_total(&o, "mmap", peek_mp32(h, MP_N_MMAPS), peek_mp(h, MP_MMAPPED_MEM));
    put_number(&o, "system", "current", all.system);
    put_number(&o, "system", "max", all.max_system);
    put_number(&o, "aspace", "total", all.aspace);
    put_number(&o, "aspace", "mprotect", all.mprotect);
    put(&o, "</malloc>\n");
    return o.length;
}
