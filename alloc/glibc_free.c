/* glibc_free.c: how a chunk becomes free: into the tcache, into a fastbin, or merged with its free
 * neighbours into the unsorted list or into top.
 *
 * Only the last way looks at the neighbours at once; malloc_consolidate does the same later for all
 * chunks of the fastbins.
 * Source: _int_free, malloc_consolidate, mtrim, _int_realloc.
 */
#include "alloc/glibc.h"

static void tell_coalesce(struct heap *h, va_t chunk, uint64_t size, va_t taken,
                          uint64_t taken_size)
{
    h->counters.coalesces++;
    EMIT(h->env, alloc_coalesce, .chunk = chunk, .size = size, .neighbour = taken,
         .neighbour_size = taken_size);
}

/* ---- merging ---- */

/* The chunk before this one is free; message: where its size is not what ours says. */
static void merge_back(struct heap *h, va_t av, va_t *p, uint64_t *size, const char *message)
{
    uint64_t before = prev_size(h, *p);
    *p -= before;
    *size += before;
    if (chunk_bytes(h, *p) != before)
        glibc_abort(h, message);
    glibc_unlink(h, av, *p);
    tell_coalesce(h, *p, *size, *p, before);
}

/* The chunk behind is taken in if it is free; else it is told that we are. */
static void merge_next(struct heap *h, va_t av, va_t p, uint64_t *size, va_t next,
                       uint64_t next_size)
{
    if (prev_inuse(h, next + next_size)) {
        clear_inuse_at(h, next);
        return;
    }
    glibc_unlink(h, av, next);
    *size += next_size;
    tell_coalesce(h, p, *size, next, next_size);
}

static void into_top(struct heap *h, va_t av, va_t p, uint64_t size, va_t top, uint64_t top_size)
{
    set_head(h, p, size | PREV_INUSE);
    st(h, av + AV_TOP, p);
    tell_coalesce(h, p, size, top, top_size);
}

/* ---- free ---- */

static void into_fastbin(struct heap *h, va_t av, va_t p, uint64_t size, bool locked)
{
    uint64_t next_word = size_word(h, p + size);
    if (next_word <= HDR_SZ || (next_word & ~SIZE_BITS) >= ld(h, av + AV_SYSTEM_MEM))
        glibc_abort(h, "free(): invalid next size (fast)");
    glibc_perturb(h, p + HDR_SZ, size - HDR_SZ, false);
    st32(h, av + AV_HAVE_FAST, 1);
    va_t bin = fastbin_at(av, fastbin_index(size));
    va_t old = ld(h, bin);
    if (old == p)
        glibc_abort(h, "double free or corruption (fasttop)");
    st(h, p + CHUNK_FD, protect(p + CHUNK_FD, old));
    st(h, bin, p);
    if (locked && old && fastbin_index(chunk_bytes(h, old)) != fastbin_index(size))
        glibc_abort(h, "invalid fastbin entry (free)");
    glibc_tell_list(h, "fastbin", p, size, true);
}

/* What can be seen at once to be wrong with a chunk; the size word of the next one. */
static uint64_t check_free(struct heap *h, va_t av, va_t p, va_t next)
{
    va_t top = ld(h, av + AV_TOP);
    if (p == top)
        glibc_abort(h, "double free or corruption (top)");
    if (!(ld32(h, av + AV_FLAGS) & AV_NONCONTIGUOUS) && next >= top + chunk_bytes(h, top))
        glibc_abort(h, "double free or corruption (out)");
    uint64_t next_word = size_word(h, next);
    if (!(next_word & PREV_INUSE))
        glibc_abort(h, "double free or corruption (!prev)");
    if (next_word <= HDR_SZ || (next_word & ~SIZE_BITS) >= ld(h, av + AV_SYSTEM_MEM))
        glibc_abort(h, "free(): invalid next size (normal)");
    return next_word & ~SIZE_BITS;
}

/* A large free piece is a reason to merge the fastbins and to give memory back. */
static void tidy(struct heap *h, va_t av)
{
    if (ld32(h, av + AV_HAVE_FAST))
        glibc_consolidate(h, av);
    if (av != main_arena(h))
        glibc_heap_trim(h, heap_for(ld(h, av + AV_TOP)), mp(h, MP_TOP_PAD));
    else if (chunk_bytes(h, ld(h, av + AV_TOP)) >= mp(h, MP_TRIM_THRESHOLD))
        glibc_systrim(h, av, mp(h, MP_TOP_PAD));
}

static void coalesce(struct heap *h, va_t av, va_t p, uint64_t size)
{
    va_t next = p + size;
    uint64_t next_size = check_free(h, av, p, next);
    glibc_perturb(h, p + HDR_SZ, size - HDR_SZ, false);
    if (!prev_inuse(h, p))
        merge_back(h, av, &p, &size, "corrupted size vs. prev_size while consolidating");
    if (next != ld(h, av + AV_TOP)) {
        merge_next(h, av, p, &size, next, next_size);
        glibc_to_unsorted(h, av, p, size, "free(): corrupted unsorted chunks");
        set_head(h, p, size | PREV_INUSE);
        set_foot(h, p, size);
    } else {
        size += next_size;
        into_top(h, av, p, size, next, next_size);
    }
    if (size >= CONSOLIDATE_AT)
        tidy(h, av);
}

void glibc_int_free(struct heap *h, va_t av, va_t p, bool locked)
{
    uint64_t word = size_word(h, p), size = word & ~SIZE_BITS;
    if (p > -size || misaligned(p))
        glibc_abort(h, "free(): invalid pointer");
    if (size < MINSIZE || size & ALIGN_MASK)
        glibc_abort(h, "free(): invalid size");
    uint64_t index = tcache_index(size);
    if (tcache_takes(h, index)) {
        glibc_tcache_check(h, p + HDR_SZ, index);
        if (glibc_tcache_put(h, p, index))
            return;
    }
    if (size <= var(h, DATA_MAX_FAST))
        into_fastbin(h, av, p, size, locked);
    else if (word & IS_MMAPPED)
        glibc_munmap_chunk(h, p);
    else
        coalesce(h, av, p, size);
}

/* ---- malloc_consolidate ---- */

static void consolidate_one(struct heap *h, va_t av, va_t p, uint64_t size)
{
    va_t next = p + size;
    uint64_t next_size = chunk_bytes(h, next);
    glibc_tell_list(h, "fastbin", p, size, false);
    if (!prev_inuse(h, p))
        merge_back(h, av, &p, &size, "corrupted size vs. prev_size in fastbins");
    if (next == ld(h, av + AV_TOP)) {
        into_top(h, av, p, size + next_size, next, next_size);
        return;
    }
    merge_next(h, av, p, &size, next, next_size);
    glibc_to_unsorted(h, av, p, size, NULL);
    set_head(h, p, size | PREV_INUSE);
    set_foot(h, p, size);
}

void glibc_consolidate(struct heap *h, va_t av)
{
    st32(h, av + AV_HAVE_FAST, 0);
    for (unsigned i = 0; i < NFASTBINS; i++) {
        va_t bin = fastbin_at(av, i);
        va_t p = ld(h, bin);
        if (!p)
            continue;
        st(h, bin, 0);
        struct tour tour = {0};
        while (p) {
            tour_step(h, &tour, p, "the fastbin of chunks of bytes", MINSIZE + 16 * i);
            if (misaligned(p))
                glibc_abort(h, "malloc_consolidate(): unaligned fastbin chunk detected");
            uint64_t size = chunk_bytes(h, p);
            if (fastbin_index(size) != i)
                glibc_abort(h, "malloc_consolidate(): invalid chunk size");
            va_t rest = reveal(h, p + CHUNK_FD);
            consolidate_one(h, av, p, size);
            p = rest;
        }
    }
}

/* ---- malloc_trim ---- */

/* Gives back the whole pages inside a free chunk. */
static int trim_chunk(struct heap *h, va_t p, uint64_t size)
{
    if (size <= PAGE_MASK + CHUNK_STRUCT)
        return 0;
    va_t from = align_up(p + CHUNK_STRUCT, PAGE_SIZE);
    uint64_t rest = size - (from - p);
    if (rest <= PAGE_MASK)
        return 0;
    heap_syscall(h, LX_NR_madvise, from, rest & ~PAGE_MASK, LX_MADV_DONTNEED, 0, 0, 0);
    return 1;
}

int glibc_mtrim(struct heap *h, va_t av, uint64_t pad)
{
    int result = 0;
    unsigned first = glibc_bin_index(PAGE_SIZE);
    glibc_consolidate(h, av);
    for (unsigned i = 1; i < NBINS; i++) {
        if (i != 1 && i < first)
            continue;
        va_t bin = bin_at(av, i);
        struct tour tour = {0};
        for (va_t p = ld(h, bin + CHUNK_BK); p != bin; p = ld(h, p + CHUNK_BK)) {
            tour_step(h, &tour, p, "the list of bin", i);
            result |= trim_chunk(h, p, chunk_bytes(h, p));
        }
    }
    return av == main_arena(h) ? result | glibc_systrim(h, av, pad) : result;
}

/* ---- realloc in an arena ---- */

static void taken(struct heap *h, uint64_t size)
{
    glibc_of(h)->taken = size;
    glibc_of(h)->mapped = false;
}

/* The end of a used chunk is cut off and freed. */
static void cut_end(struct heap *h, va_t av, va_t p, uint64_t size, uint64_t need)
{
    taken(h, size - need < MINSIZE ? size : need);
    if (size - need < MINSIZE) {
        set_head_size(h, p, size | main_flag(h, av));
        set_inuse_at(h, p + size);
        return;
    }
    va_t rest = p + need;
    set_head_size(h, p, need | main_flag(h, av));
    set_head(h, rest, (size - need) | PREV_INUSE | main_flag(h, av));
    set_inuse_at(h, p + size);
    glibc_tell_split(h, p, need, rest, size - need);
    glibc_int_free(h, av, rest, true);
}

/* A new chunk, a copy, free; the new chunk may happen to lie just behind, then nothing is copied
 * and *size grows instead. */
static va_t move_chunk(struct heap *h, va_t av, va_t p, uint64_t *size, uint64_t need)
{
    va_t block = glibc_int_malloc(h, av, need - ALIGN_MASK);
    if (!block)
        return 0;
    if (block - HDR_SZ == p + *size) {
        *size += chunk_bytes(h, block - HDR_SZ);
        h->how = RESIZE_NEXT;
        return p;
    }
    h->how = RESIZE_MOVE;
    heap_copy(h, block, p + HDR_SZ, *size - SIZE_SZ);
    glibc_int_free(h, av, p, true);
    return block - HDR_SZ;
}

/* Makes the chunk at least need bytes; the new chunk with its size in *size, or 0. done: nothing
 * is to be cut off any more. */
static va_t enlarge(struct heap *h, va_t av, va_t p, uint64_t *size, uint64_t need, bool *done)
{
    va_t next = p + *size, top = ld(h, av + AV_TOP);
    uint64_t next_size = chunk_bytes(h, next);
    if (next == top && *size + next_size >= need + MINSIZE) {
        set_head_size(h, p, need | main_flag(h, av));
        st(h, av + AV_TOP, p + need);
        set_head(h, p + need, (*size + next_size - need) | PREV_INUSE);
        h->how = RESIZE_TOP;
        taken(h, need);
        *done = true;
        return p;
    }
    if (next != top && !prev_inuse(h, next + next_size) && *size + next_size >= need) {
        glibc_unlink(h, av, next);
        *size += next_size;
        tell_coalesce(h, p, *size, next, next_size);
        h->how = RESIZE_NEXT;
        return p;
    }
    va_t fresh = move_chunk(h, av, p, size, need);
    *done = fresh != p;
    return fresh;
}

va_t glibc_int_realloc(struct heap *h, va_t av, va_t p, uint64_t size, uint64_t need)
{
    uint64_t system = ld(h, av + AV_SYSTEM_MEM);
    if (size_word(h, p) <= HDR_SZ || size >= system)
        glibc_abort(h, "realloc(): invalid old size");
    uint64_t next_word = size_word(h, p + size);
    if (next_word <= HDR_SZ || (next_word & ~SIZE_BITS) >= system)
        glibc_abort(h, "realloc(): invalid next size");
    bool done = false;
    if (size < need) {
        p = enlarge(h, av, p, &size, need, &done);
        if (done)
            return p;
    } else {
        h->how = size - need >= MINSIZE ? RESIZE_SHRINK : RESIZE_SAME;
    }
    cut_end(h, av, p, size, need);
    return p;
}
