/* glibc_malloc.c: how an arena finds a chunk: the order in which it looks is the heart of it.
 *
 *   1. fastbin of that size        last in, first out; the rest of it moves into the tcache
 *   2. small bin of that size      first in, first out; the rest moves into the tcache
 *      or, for a large request, all fastbins are merged first
 *   3. unsorted list, oldest first: the last remainder is cut; an exact fit goes into the tcache
 *      or to the program; everything else is sorted into its bin
 *   4. large bin of that size: the smallest chunk that is large enough
 *   5. the bins above, by the binmap: the first that has a chunk
 *   6. top
 *   7. with something in the fastbins: merge them, look again from 3; else ask the kernel
 *
 * Source: _int_malloc, _int_memalign.
 */
#include "alloc/glibc.h"

#define SCAN_LIMIT 10000 /* chunks sorted in one go */

/* One search. */
struct search {
    struct heap *h;
    va_t av;
    uint64_t need;   /* chunk size */
    uint64_t cache;  /* index in the tcache */
    bool fills;      /* chunks of that size may go into the tcache */
    bool cached;     /* one that could be given out went there */
    uint64_t sorted; /* chunks of the unsorted list that were sorted in */
    unsigned index;  /* of the bin */
    uint64_t probes;
    uint64_t taken; /* size of the chunk that was found: need, or a little more */
};

void glibc_perturb(struct heap *h, va_t block, uint64_t n, bool fresh)
{
    uint8_t byte = (uint8_t)var(h, DATA_PERTURB);
    if (UNLIKELY(byte))
        heap_fill(h, block, fresh ? byte ^ 0xff : byte, n);
}

void glibc_tell_split(struct heap *h, va_t chunk, uint64_t need, va_t rest, uint64_t rest_size)
{
    h->counters.splits++;
    EMIT(h->env, alloc_split, .chunk = chunk, .size = need, .rest = rest, .rest_size = rest_size);
}

static void probe(struct search *s, va_t chunk, uint64_t size, enum probe_verdict verdict)
{
    s->probes++;
    heap_probe(s->h, chunk, size, s->need, verdict, 0);
}

/* The chunk is taken as it is. */
static void use_whole(struct search *s, va_t chunk, uint64_t size)
{
    set_inuse_at(s->h, chunk + size);
    if (s->av != main_arena(s->h))
        set_head(s->h, chunk, size_word(s->h, chunk) | NON_MAIN_ARENA);
}

/* ---- 1 and 2: exact bins ---- */

static va_t fastbin_pop(struct search *s, va_t bin, const char *message)
{
    va_t chunk = ld(s->h, bin);
    if (!chunk)
        return 0;
    if (misaligned(chunk))
        glibc_abort(s->h, message);
    st(s->h, bin, reveal(s->h, chunk + CHUNK_FD));
    return chunk;
}

static va_t from_fastbin(struct search *s)
{
    struct heap *h = s->h;
    unsigned index = fastbin_index(s->need);
    va_t bin = fastbin_at(s->av, index);
    va_t chunk = fastbin_pop(s, bin, "malloc(): unaligned fastbin chunk detected 2");
    if (!chunk)
        return 0;
    if (fastbin_index(chunk_bytes(h, chunk)) != index)
        glibc_abort(h, "malloc(): memory corruption (fast)");
    glibc_tell_list(h, "fastbin", chunk, s->need, false);
    while (s->fills && !glibc_tcache_full(h, s->cache)) {
        va_t more = fastbin_pop(s, bin, "malloc(): unaligned fastbin chunk detected 3");
        if (!more)
            break;
        glibc_tell_list(h, "fastbin", more, s->need, false);
        glibc_tcache_put(h, more, s->cache);
    }
    return chunk;
}

static void smallbin_take(struct search *s, va_t bin, va_t chunk, va_t bck)
{
    use_whole(s, chunk, s->need);
    st(s->h, bin + CHUNK_BK, bck);
    st(s->h, bck + CHUNK_FD, bin);
    glibc_tell_list(s->h, "small bin", chunk, s->need, false);
}

static va_t from_smallbin(struct search *s)
{
    struct heap *h = s->h;
    va_t bin = bin_at(s->av, s->index);
    va_t chunk = ld(h, bin + CHUNK_BK);
    if (chunk == bin)
        return 0;
    va_t bck = ld(h, chunk + CHUNK_BK);
    if (ld(h, bck + CHUNK_FD) != chunk)
        glibc_abort(h, "malloc(): smallbin double linked list corrupted");
    smallbin_take(s, bin, chunk, bck);
    while (s->fills && !glibc_tcache_full(h, s->cache)) {
        va_t more = ld(h, bin + CHUNK_BK);
        if (more == bin)
            break;
        smallbin_take(s, bin, more, ld(h, more + CHUNK_BK));
        glibc_tcache_put(h, more, s->cache);
    }
    return chunk;
}

/* ---- 3: the unsorted list ---- */

static void check_unsorted(struct search *s, va_t chunk, uint64_t size, va_t bck)
{
    struct heap *h = s->h;
    va_t bin = bin_at(s->av, 1), next = chunk + size;
    uint64_t system = ld(h, s->av + AV_SYSTEM_MEM);
    if (size <= HDR_SZ || size > system)
        glibc_abort(h, "malloc(): invalid size (unsorted)");
    uint64_t next_word = size_word(h, next);
    if (next_word < HDR_SZ || next_word > system)
        glibc_abort(h, "malloc(): invalid next size (unsorted)");
    if ((prev_size(h, next) & ~SIZE_BITS) != size)
        glibc_abort(h, "malloc(): mismatching next->prev_size (unsorted)");
    if (ld(h, bck + CHUNK_FD) != chunk || ld(h, chunk + CHUNK_FD) != bin)
        glibc_abort(h, "malloc(): unsorted double linked list corrupted");
    if (next_word & PREV_INUSE)
        glibc_abort(h, "malloc(): invalid next->prev_inuse (unsorted)");
}

/* Headers of a chunk that is used and of the free rest behind it. */
static void write_split(struct search *s, va_t chunk, va_t rest, uint64_t rest_size)
{
    struct heap *h = s->h;
    set_head(h, chunk, s->need | PREV_INUSE | main_flag(h, s->av));
    set_head(h, rest, rest_size | PREV_INUSE);
    set_foot(h, rest, rest_size);
    glibc_tell_split(h, chunk, s->need, rest, rest_size);
}

/* Small requests in a row are served from the same chunk, so that they lie side by side. */
static void cut_last_remainder(struct search *s, va_t chunk, uint64_t size)
{
    struct heap *h = s->h;
    va_t bin = bin_at(s->av, 1), rest = chunk + s->need;
    uint64_t rest_size = size - s->need;
    glibc_tell_list(h, "unsorted", chunk, size, false);
    st(h, bin + CHUNK_FD, rest);
    st(h, bin + CHUNK_BK, rest);
    st(h, s->av + AV_LAST_REMAINDER, rest);
    st(h, rest + CHUNK_FD, bin);
    st(h, rest + CHUNK_BK, bin);
    if (!is_small(rest_size)) {
        st(h, rest + CHUNK_FD_NEXT, 0);
        st(h, rest + CHUNK_BK_NEXT, 0);
    }
    write_split(s, chunk, rest, rest_size);
    glibc_tell_list(h, "unsorted", rest, rest_size, true);
}

static bool is_last_remainder(struct search *s, va_t chunk, uint64_t size, va_t bck)
{
    return is_small(s->need) && bck == bin_at(s->av, 1) &&
           chunk == ld(s->h, s->av + AV_LAST_REMAINDER) && size > s->need + MINSIZE;
}

/* The oldest chunk of the list, of that size, leaves it: it is given out (its address), cached or
 * sorted in (0). */
static va_t unsorted_one(struct search *s, va_t chunk, uint64_t size, va_t bck)
{
    struct heap *h = s->h;
    va_t bin = bin_at(s->av, 1);
    if (ld(h, bck + CHUNK_FD) != chunk)
        glibc_abort(h, "malloc(): corrupted unsorted chunks 3");
    st(h, bin + CHUNK_BK, bck);
    st(h, bck + CHUNK_FD, bin);
    glibc_tell_list(h, "unsorted", chunk, size, false);
    if (size != s->need) {
        probe(s, chunk, size, size < s->need ? PROBE_TOO_SMALL : PROBE_WORSE);
        glibc_sort_in(h, s->av, chunk, size);
        s->sorted++;
        return 0;
    }
    probe(s, chunk, size, PROBE_TAKE);
    use_whole(s, chunk, size);
    if (!s->fills || !glibc_tcache_put(h, chunk, s->cache))
        return chunk;
    s->cached = true;
    return 0;
}

/* Has the scan put as much into the tcache as it may before it must answer? */
static bool scan_limited(struct search *s, uint64_t sorted_before)
{
    if (!s->cached || s->sorted == sorted_before)
        return false;
    uint64_t limit = mp(s->h, MP_TCACHE_UNSORTED_LIMIT);
    return limit && s->sorted > limit;
}

static va_t from_unsorted(struct search *s)
{
    struct heap *h = s->h;
    va_t bin = bin_at(s->av, 1);
    uint64_t start = s->sorted;
    while (s->sorted - start < SCAN_LIMIT) {
        va_t chunk = ld(h, bin + CHUNK_BK);
        if (chunk == bin)
            break;
        va_t bck = ld(h, chunk + CHUNK_BK);
        uint64_t size = chunk_bytes(h, chunk), sorted = s->sorted;
        check_unsorted(s, chunk, size, bck);
        if (is_last_remainder(s, chunk, size, bck)) {
            probe(s, chunk, size, PROBE_TAKE);
            cut_last_remainder(s, chunk, size);
            return chunk;
        }
        va_t found = unsorted_one(s, chunk, size, bck);
        if (found)
            return found;
        if (scan_limited(s, sorted))
            break;
    }
    if (!s->cached)
        return 0;
    return glibc_tcache_get(h, s->cache, glibc_tcache_count(h, s->cache)) - HDR_SZ;
}

/* ---- 4 and 5: sorted bins ---- */

/* A free chunk of a bin is cut; what is too small to be a chunk stays with it. */
static void use_part(struct search *s, va_t chunk, uint64_t size, const char *message,
                     bool remember)
{
    struct heap *h = s->h;
    uint64_t rest_size = size - s->need;
    va_t rest = chunk + s->need;
    glibc_unlink(h, s->av, chunk);
    if (rest_size < MINSIZE) {
        use_whole(s, chunk, size);
        s->taken = size;
        return;
    }
    glibc_to_unsorted(h, s->av, rest, rest_size, message);
    if (remember)
        st(h, s->av + AV_LAST_REMAINDER, rest);
    write_split(s, chunk, rest, rest_size);
}

static va_t from_largebin(struct search *s)
{
    struct heap *h = s->h;
    va_t bin = bin_at(s->av, s->index);
    va_t chunk = ld(h, bin + CHUNK_FD);
    if (chunk == bin || size_word(h, chunk) < s->need)
        return 0;
    chunk = ld(h, chunk + CHUNK_BK_NEXT);
    uint64_t size = chunk_bytes(h, chunk);
    struct tour tour = {0};
    while (size < s->need) {
        tour_step(h, &tour, chunk, "the ring of sizes of bin", s->index);
        probe(s, chunk, size, PROBE_TOO_SMALL);
        chunk = ld(h, chunk + CHUNK_BK_NEXT);
        size = chunk_bytes(h, chunk);
    }
    /* The second of its size, if there is one: it is in no ring of sizes. */
    if (chunk != ld(h, bin + CHUNK_BK)) {
        va_t second = ld(h, chunk + CHUNK_FD);
        if (size_word(h, chunk) == size_word(h, second))
            chunk = second;
    }
    probe(s, chunk, size, PROBE_TAKE);
    use_part(s, chunk, size, "malloc(): corrupted unsorted chunks", false);
    return chunk;
}

/* The next bin from this one on whose bit is set; NBINS: none. *map is the word of its bits. */
static unsigned next_marked(struct search *s, unsigned index, uint32_t *map)
{
    uint32_t rest = index % 32 ? *map >> index % 32 << index % 32 : *map;
    unsigned block = index / 32;
    while (!rest) {
        if (++block >= NBINS / 32)
            return NBINS;
        rest = *map = ld32(s->h, s->av + AV_BINMAP + block * 4);
    }
    return block * 32 + (unsigned)__builtin_ctz(rest);
}

static va_t from_larger_bins(struct search *s)
{
    struct heap *h = s->h;
    unsigned index = s->index + 1;
    if (index >= NBINS)
        return 0;
    uint32_t map = ld32(h, s->av + AV_BINMAP + index / 32 * 4);
    while ((index = next_marked(s, index, &map)) < NBINS) {
        va_t bin = bin_at(s->av, index);
        va_t chunk = ld(h, bin + CHUNK_BK);
        if (chunk != bin) {
            uint64_t size = chunk_bytes(h, chunk);
            probe(s, chunk, size, PROBE_TAKE);
            use_part(s, chunk, size, "malloc(): corrupted unsorted chunks 2", is_small(s->need));
            return chunk;
        }
        map &= ~(1u << index % 32);
        st32(h, s->av + AV_BINMAP + index / 32 * 4, map);
        if (++index % 32 == 0) {
            if (index >= NBINS)
                return 0;
            map = ld32(h, s->av + AV_BINMAP + index / 32 * 4);
        }
    }
    return 0;
}

/* ---- 6: top ---- */

static va_t from_top(struct search *s)
{
    struct heap *h = s->h;
    va_t chunk = ld(h, s->av + AV_TOP);
    uint64_t size = chunk_bytes(h, chunk);
    if (size > ld(h, s->av + AV_SYSTEM_MEM))
        glibc_abort(h, "malloc(): corrupted top size");
    if (size < s->need + MINSIZE)
        return 0;
    va_t rest = chunk + s->need;
    st(h, s->av + AV_TOP, rest);
    set_head(h, chunk, s->need | PREV_INUSE | main_flag(h, s->av));
    set_head(h, rest, (size - s->need) | PREV_INUSE);
    glibc_tell_split(h, chunk, s->need, rest, size - s->need);
    return chunk;
}

/* ---- all of it ---- */

/* One round through 3 to 6. */
static va_t look(struct search *s)
{
    s->index = glibc_bin_index(s->need);
    va_t chunk = from_unsorted(s);
    if (!chunk && !is_small(s->need))
        chunk = from_largebin(s);
    if (!chunk)
        chunk = from_larger_bins(s);
    return chunk ? chunk : from_top(s);
}

static va_t look_exact(struct search *s)
{
    struct heap *h = s->h;
    if (s->need <= var(h, DATA_MAX_FAST)) {
        va_t chunk = from_fastbin(s);
        if (chunk)
            return chunk;
    }
    s->index = glibc_bin_index(s->need);
    if (is_small(s->need))
        return from_smallbin(s);
    if (ld32(h, s->av + AV_HAVE_FAST))
        glibc_consolidate(h, s->av);
    return 0;
}

static va_t search(struct search *s)
{
    struct heap *h = s->h;
    EMIT(h->env, alloc_search, .policy = "glibc", .list = "bins", .need = s->need);
    va_t chunk = look_exact(s);
    while (!chunk) {
        chunk = look(s);
        if (chunk || !ld32(h, s->av + AV_HAVE_FAST))
            break;
        glibc_consolidate(h, s->av);
    }
    heap_fit(h, chunk, chunk ? s->need : 0, s->need, s->probes);
    return chunk;
}

va_t glibc_int_malloc(struct heap *h, va_t av, uint64_t bytes)
{
    uint64_t need = request_size(bytes);
    if (!need)
        return 0;
    struct search s = {.h = h, .av = av, .need = need, .cache = tcache_index(need), .taken = need};
    va_t chunk = 0;
    if (av) {
        s.fills = tcache_takes(h, s.cache);
        chunk = search(&s);
    }
    glibc_of(h)->taken = s.taken;
    glibc_of(h)->mapped = false;
    va_t block = chunk ? chunk + HDR_SZ : glibc_sysmalloc(h, av, need);
    if (block)
        glibc_perturb(h, block, bytes, true);
    return block;
}

/* ---- aligned blocks ---- */

/* A used chunk that is not aligned loses its beginning. */
static va_t cut_lead(struct heap *h, va_t av, va_t p, uint64_t alignment)
{
    va_t block = p + HDR_SZ;
    va_t aligned = ((block + alignment - 1) & -alignment) - HDR_SZ;
    if (aligned - p < MINSIZE)
        aligned += alignment;
    uint64_t lead = aligned - p;
    uint64_t word = size_word(h, p);
    uint64_t size = (word & ~SIZE_BITS) - lead;
    if (word & IS_MMAPPED) {
        st(h, aligned + CHUNK_PREV_SIZE, prev_size(h, p) + lead);
        set_head(h, aligned, size | IS_MMAPPED);
        return aligned;
    }
    set_head(h, aligned, size | PREV_INUSE | main_flag(h, av));
    set_inuse_at(h, aligned + size);
    set_head_size(h, p, lead | main_flag(h, av));
    glibc_tell_split(h, aligned, size, p, lead);
    glibc_int_free(h, av, p, true);
    return aligned;
}

va_t glibc_int_memalign(struct heap *h, va_t av, uint64_t alignment, uint64_t bytes)
{
    uint64_t need = request_size(bytes);
    if (!need)
        return 0;
    va_t block = glibc_int_malloc(h, av, need + alignment + MINSIZE);
    if (!block)
        return 0;
    va_t p = block - HDR_SZ;
    if (block % alignment)
        p = cut_lead(h, av, p, alignment);
    uint64_t word = size_word(h, p), size = word & ~SIZE_BITS;
    if (!(word & IS_MMAPPED) && size > need + MINSIZE) {
        va_t rest = p + need;
        set_head(h, rest, (size - need) | PREV_INUSE | main_flag(h, av));
        set_head_size(h, p, need);
        glibc_tell_split(h, p, need, rest, size - need);
        glibc_int_free(h, av, rest, true);
        size = need;
    }
    glibc_of(h)->taken = size;
    return p + HDR_SZ;
}
