/* truth_arena.c: the allocator's parameters, and all lists of the main arena and of the thread's
 * cache in their order, as a debugger would print them.
 */
#include "sim/truth_state.h"

#include "alloc/glibc.h"

#include <inttypes.h>
#include <stdlib.h>

static uint64_t peek_mp(const struct player *p, unsigned field)
{
    return heap_peek64(p->heap, p->user.data + DATA_MP + field);
}

static uint32_t peek32(const struct player *p, va_t at)
{
    uint32_t word = 0;
    p->user.peek(p->user.ctx, at, &word, sizeof(word));
    return word;
}

static void add_chunk(struct player *p, struct text *t, const char *before, va_t at)
{
    char text[32];
    text_add(t, "%s%s", before, truth_address(p->o, at, text));
}

static void add_parameters(struct player *p, struct text *t)
{
    static const struct {
        const char *name;
        unsigned at;
        bool narrow;
    } field[] = {
        {"trim_threshold", MP_TRIM_THRESHOLD, false},
        {"top_pad", MP_TOP_PAD, false},
        {"mmap_threshold", MP_MMAP_THRESHOLD, false},
        {"arena_test", MP_ARENA_TEST, false},
        {"arena_max", MP_ARENA_MAX, false},
        {"thp_pagesize", MP_THP_PAGESIZE, false},
        {"hp_pagesize", MP_HP_PAGESIZE, false},
        {"n_mmaps", MP_N_MMAPS, true},
        {"n_mmaps_max", MP_N_MMAPS_MAX, true},
        {"max_n_mmaps", MP_MAX_N_MMAPS, true},
        {"no_dyn_threshold", MP_NO_DYN_THRESHOLD, true},
        {"mmapped_mem", MP_MMAPPED_MEM, false},
        {"max_mmapped_mem", MP_MAX_MMAPPED_MEM, false},
        {"sbrk_base-heap0", MP_SBRK_BASE, false},
        {"tcache_bins", MP_TCACHE_BINS, false},
        {"tcache_max_bytes", MP_TCACHE_MAX_BYTES, false},
        {"tcache_count", MP_TCACHE_COUNT, false},
        {"tcache_unsorted_limit", MP_TCACHE_UNSORTED_LIMIT, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        uint64_t value = field[i].narrow ? peek32(p, p->user.data + DATA_MP + field[i].at)
                                         : peek_mp(p, field[i].at);
        if (field[i].at == MP_SBRK_BASE)
            value -= p->o->heap0;
        text_add(t, "%s %" PRIu64 "\n", field[i].name, value);
    }
    text_add(t, "global_max_fast %" PRIu64 "\n",
             heap_peek64(p->heap, p->user.data + DATA_MAX_FAST));
}

static void add_head(struct player *p, struct text *t, va_t av)
{
    const struct heap *h = p->heap;
    va_t top = heap_peek64(h, av + AV_TOP);
    text_add(t, "flags %" PRIu32 "\nhave_fastchunks %" PRIu32 "\n", peek32(p, av + AV_FLAGS),
             peek32(p, av + AV_HAVE_FAST));
    add_chunk(p, t, "top ", top);
    text_add(t, " size %" PRIu64, heap_peek64(h, top + CHUNK_SIZE) & ~SIZE_BITS);
    add_chunk(p, t, "\nlast_remainder ", heap_peek64(h, av + AV_LAST_REMAINDER));
    text_add(t, "\nsystem_mem %" PRIu64 "\nmax_system_mem %" PRIu64 "\nbinmap",
             heap_peek64(h, av + AV_SYSTEM_MEM), heap_peek64(h, av + AV_MAX_SYSTEM_MEM));
    for (unsigned i = 0; i < NBINS / 32; i++)
        text_add(t, " 0x%" PRIx32, peek32(p, av + AV_BINMAP + 4 * i));
    text_add(t, "\n");
}

static void add_fastbins(struct player *p, struct text *t, va_t av)
{
    for (unsigned i = 0; i < NFASTBINS; i++) {
        va_t at = heap_peek64(p->heap, fastbin_at(av, i));
        if (!at)
            continue;
        text_add(t, "fastbin %u", MINSIZE + 16 * i);
        for (; at; at = protect(at + CHUNK_FD, heap_peek64(p->heap, at + CHUNK_FD)))
            add_chunk(p, t, " ", at);
        text_add(t, "\n");
    }
}

static void add_bins(struct player *p, struct text *t, va_t av)
{
    for (unsigned i = 1; i < NBINS; i++) {
        va_t bin = bin_at(av, i), at = heap_peek64(p->heap, bin + CHUNK_FD);
        if (at == bin)
            continue;
        text_add(t, "bin %u", i);
        for (; at && at != bin; at = heap_peek64(p->heap, at + CHUNK_FD)) {
            add_chunk(p, t, " ", at);
            text_add(t, ":%" PRIu64, heap_peek64(p->heap, at + CHUNK_SIZE) & ~SIZE_BITS);
        }
        text_add(t, "\n");
    }
}

static void add_tcache(struct player *p, struct text *t)
{
    va_t cache = glibc_of(p->heap)->thread[0].tcache;
    add_chunk(p, t, "tcache_struct ", cache);
    text_add(t, "\n");
    for (unsigned i = 0; cache && i < TCACHE_BINS; i++) {
        uint32_t count = peek32(p, cache + TC_COUNTS + 2 * i) & 0xffff;
        if (!count)
            continue;
        text_add(t, "tcache %u n=%" PRIu32, MINSIZE + 16 * i, count);
        for (va_t e = heap_peek64(p->heap, cache + TC_ENTRIES + 8 * i); e;
             e = protect(e, heap_peek64(p->heap, e)))
            add_chunk(p, t, " ", e - HDR_SZ);
        text_add(t, "\n");
    }
}

static void add_info(struct player *p)
{
    struct text *t = &p->t->text[TRUTH_INFO];
    size_t size = glibc_malloc_info(p->heap, NULL, 0) + 1;
    char *text = malloc(size);
    t->failed = !text;
    if (!text)
        return;
    glibc_malloc_info(p->heap, text, size);
    for (size_t at = 0; at < size; at += 256)
        text_add(t, "%.256s", text + at);
    free(text);
}

void truth_arena(struct player *p)
{
    struct text *t = &p->t->text[TRUTH_ARENA];
    va_t av = main_arena(p->heap);
    add_parameters(p, t);
    add_head(p, t, av);
    if (glibc_of(p->heap)->initialized) {
        add_fastbins(p, t, av);
        add_bins(p, t, av);
    }
    add_tcache(p, t);
    add_info(p);
}
