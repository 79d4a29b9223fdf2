/* glibc_sys.c: memory from the kernel and back to it.
 *
 * The main arena grows by brk: top always ends at the break, on a page border. A large request gets
 * a mapping of its own; its threshold grows with what is freed ("dynamic threshold", glibc.c).
 * Where brk fails, mmap stands in for it, and the arena is no longer in one piece.
 * Source: sysmalloc, sysmalloc_mmap, sysmalloc_mmap_fallback, systrim, munmap_chunk, mremap_chunk,
 * misc/sbrk.c.
 */
#include "alloc/glibc.h"

#define HUGETLB_FLAG LX_MAP_HUGETLB

/* ---- sbrk ---- */

static bool set_brk(struct heap *h, va_t to)
{
    va_t now = (va_t)heap_syscall(h, LX_NR_brk, to, 0, 0, 0, 0, 0);
    var_set(h, DATA_CURBRK, now);
    return now >= to;
}

/* The library remembers the break and asks the kernel for it only once. */
static bool sbrk(struct heap *h, int64_t increment, va_t *old)
{
    *old = var(h, DATA_CURBRK);
    if (!*old) {
        set_brk(h, 0);
        *old = var(h, DATA_CURBRK);
    }
    if (!increment)
        return true;
    va_t to = *old + (uint64_t)increment;
    if (increment > 0 ? to < *old : to > *old)
        return false;
    return set_brk(h, to);
}

va_t glibc_morecore(struct heap *h, int64_t increment)
{
    va_t old;
    if (mp(h, MP_HP_PAGESIZE) || !sbrk(h, increment, &old))
        return 0;
    if (increment > 0)
        heap_hold(h, (uint64_t)increment, 0);
    else if (increment < 0)
        heap_hold(h, 0, (uint64_t)-increment);
    return old;
}

/* ---- mappings ---- */

/* 0: the kernel refused. */
static va_t map(struct heap *h, uint64_t size, uint32_t flags)
{
    int64_t at = heap_syscall(h, LX_NR_mmap, 0, size, LX_PROT_READ | LX_PROT_WRITE,
                              LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | flags, UINT64_MAX, 0);
    return lx_failed(at) ? 0 : (va_t)at;
}

void glibc_madvise_thp(struct heap *h, va_t at, uint64_t size)
{
    uint64_t huge = mp(h, MP_THP_PAGESIZE);
    if (!huge || size < huge)
        return;
    size += at & PAGE_MASK;
    heap_syscall(h, LX_NR_madvise, at & ~PAGE_MASK, size, LX_MADV_HUGEPAGE, 0, 0, 0);
}

/* Mapped chunks have become more by count and bytes. */
static void count_mapped(struct heap *h, uint32_t count, uint64_t bytes)
{
    uint32_t n = mp32(h, MP_N_MMAPS) + count;
    uint64_t sum = mp(h, MP_MMAPPED_MEM) + bytes;
    mp_set32(h, MP_N_MMAPS, n);
    mp_set(h, MP_MMAPPED_MEM, sum);
    if (count == 1 && n > mp32(h, MP_MAX_N_MMAPS))
        mp_set32(h, MP_MAX_N_MMAPS, n);
    if (count != UINT32_MAX && sum > mp(h, MP_MAX_MMAPPED_MEM))
        mp_set(h, MP_MAX_MMAPPED_MEM, sum);
}

va_t glibc_mmap_chunk(struct heap *h, uint64_t need, uint64_t page, uint32_t flags)
{
    uint64_t size = align_up(need + SIZE_SZ, page);
    if (size <= need)
        return 0;
    EMIT(h->env, alloc_grow, .need = need, .have = 0, .ask = size, .mmap = true);
    va_t p = map(h, size, flags);
    if (!p)
        return 0;
    if (!(flags & HUGETLB_FLAG))
        glibc_madvise_thp(h, p, size);
    h->counters.mmaps++;
    heap_hold(h, size, 0);
    st(h, p + CHUNK_PREV_SIZE, 0);
    set_head(h, p, size | IS_MMAPPED);
    count_mapped(h, 1, size);
    glibc_of(h)->taken = size;
    glibc_of(h)->mapped = true;
    return p + HDR_SZ;
}

/* Block and length of the mapping that a chunk lies in. */
static uint64_t mapping_of(struct heap *h, va_t p, va_t *start, const char *message)
{
    uint64_t offset = prev_size(h, p);
    uint64_t total = offset + chunk_bytes(h, p);
    uint64_t within = (p + HDR_SZ) & PAGE_MASK;
    *start = p - offset;
    if (((*start | total) & PAGE_MASK) || (within & (within - 1)))
        glibc_abort(h, message);
    return total;
}

void glibc_munmap_chunk(struct heap *h, va_t p)
{
    va_t start;
    uint64_t total = mapping_of(h, p, &start, "munmap_chunk(): invalid pointer");
    count_mapped(h, UINT32_MAX, -total);
    h->counters.munmaps++;
    heap_hold(h, 0, total);
    heap_syscall(h, LX_NR_munmap, start, total, 0, 0, 0, 0);
}

va_t glibc_mremap_chunk(struct heap *h, va_t p, uint64_t need)
{
    va_t start;
    uint64_t total = mapping_of(h, p, &start, "mremap_chunk(): invalid pointer");
    uint64_t offset = p - start;
    uint64_t size = align_up(need + offset + SIZE_SZ, PAGE_SIZE);
    if (size == total)
        return p;
    int64_t at = heap_syscall(h, LX_NR_mremap, start, total, size, LX_MREMAP_MAYMOVE, 0, 0);
    if (lx_failed(at))
        return 0;
    glibc_madvise_thp(h, (va_t)at, size);
    p = (va_t)at + offset;
    if (prev_size(h, p) != offset)
        glibc_abort(
            h,
            "Fatal glibc error: malloc assertion failure in mremap_chunk: prev_size (p) == offset");
    set_head(h, p, (size - offset) | IS_MMAPPED);
    count_mapped(h, 0, size - total);
    heap_hold(h, size, total);
    return p;
}

/* ---- top of the main arena ---- */

static void region_new(struct heap *h, va_t start, va_t end)
{
    struct glibc *g = glibc_of(h);
    if (g->regions < GLIBC_REGIONS)
        g->region[g->regions++] = (struct glibc_region){start, end};
}

/* The region that top lies in is the last one. */
static void region_end(struct heap *h, va_t end)
{
    struct glibc *g = glibc_of(h);
    if (g->regions)
        g->region[g->regions - 1].end = end;
}

/* New memory that begins at brk. */
struct gain {
    va_t brk; /* 0: none */
    va_t end; /* where it ends, if mmap gave it; else 0 */
    int64_t size;
};

/* Source: sysmalloc_mmap_fallback, where the caller hands in the unit of 1 MiB and the least size
 * in exchanged places: so the size is a multiple of 1 MiB, and the least size is a page. */
static bool fallback(struct heap *h, va_t av, struct gain *gain, uint64_t need, uint64_t old_size,
                     uint64_t unit, uint32_t flags)
{
    uint32_t state = ld32(h, av + AV_FLAGS);
    uint64_t size = (uint64_t)gain->size;
    if (!(state & AV_NONCONTIGUOUS))
        size = align_up(size + old_size, unit);
    size = max_u64(size, flags ? unit : PAGE_SIZE);
    if (size <= need)
        return false;
    va_t at = map(h, size, flags);
    if (!at)
        return false;
    if (!(flags & HUGETLB_FLAG))
        glibc_madvise_thp(h, at, size);
    heap_hold(h, size, 0);
    st32(h, av + AV_FLAGS, state | AV_NONCONTIGUOUS);
    *gain = (struct gain){at, at + size, (int64_t)size};
    return true;
}

static struct gain grow(struct heap *h, va_t av, uint64_t need, uint64_t old_size)
{
    struct gain gain = {0};
    uint64_t huge = mp(h, MP_THP_PAGESIZE);
    uint64_t size = need + mp(h, MP_TOP_PAD) + MINSIZE;
    if (!(ld32(h, av + AV_FLAGS) & AV_NONCONTIGUOUS))
        size -= old_size;
    if (huge) {
        va_t last = glibc_morecore(h, 0);
        size = align_up(last + size, huge) - last;
    } else {
        size = align_up(size, PAGE_SIZE);
    }
    gain.size = (int64_t)size;
    EMIT(h->env, alloc_grow, .need = need, .have = old_size, .ask = size, .mmap = false);
    if (gain.size > 0) {
        gain.brk = glibc_morecore(h, gain.size);
        if (gain.brk)
            glibc_madvise_thp(h, gain.brk, size);
    }
    uint64_t hugetlb = mp(h, MP_HP_PAGESIZE);
    if (!gain.brk && hugetlb)
        fallback(h, av, &gain, need, old_size, hugetlb, mp32(h, MP_HP_FLAGS));
    if (!gain.brk)
        fallback(h, av, &gain, need, old_size, SBRK_UNIT, 0);
    return gain;
}

/* Memory that does not continue top: it becomes the new top, aligned; more is asked for so that it
 * ends on a page border. */
static va_t align_gain(struct heap *h, va_t av, struct gain *gain, uint64_t old_size, va_t old_end,
                       int64_t *correction)
{
    *correction = 0;
    if (ld32(h, av + AV_FLAGS) & AV_NONCONTIGUOUS) {
        if (!gain->end)
            gain->end = glibc_morecore(h, 0);
        return gain->brk;
    }
    va_t aligned = gain->brk;
    if (old_size) /* somebody else moved the break: that counts as ours */
        st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) + (gain->brk - old_end));
    uint64_t front = (gain->brk + HDR_SZ) & ALIGN_MASK;
    if (front)
        *correction = (int64_t)(ALIGN_MASK + 1 - front);
    aligned += (uint64_t)*correction;
    uint64_t end = gain->brk + (uint64_t)gain->size + (uint64_t)*correction + old_size;
    *correction += (int64_t)(old_size + align_up(end, PAGE_SIZE) - end);
    gain->end = glibc_morecore(h, *correction);
    if (gain->end) {
        glibc_madvise_thp(h, gain->end, (uint64_t)*correction);
    } else {
        *correction = 0;
        gain->end = glibc_morecore(h, 0);
    }
    return aligned;
}

/* Two chunks that are in use for ever stand at the end of the old top; what is left of it is freed.
 */
static void fence_old_top(struct heap *h, va_t av, va_t top, uint64_t size)
{
    size = (size - 2 * HDR_SZ) & ~(uint64_t)ALIGN_MASK;
    set_head(h, top, size | PREV_INUSE);
    set_head(h, top + size, HDR_SZ | PREV_INUSE);
    set_head(h, top + size + HDR_SZ, HDR_SZ | PREV_INUSE);
    if (size >= MINSIZE)
        glibc_int_free(h, av, top, true);
}

static void new_top(struct heap *h, va_t av, struct gain *gain, va_t old_top, uint64_t old_size)
{
    int64_t correction;
    va_t aligned = align_gain(h, av, gain, old_size, old_top + old_size, &correction);
    if (!gain->end)
        return;
    st(h, av + AV_TOP, aligned);
    region_new(h, aligned, gain->end + (uint64_t)correction);
    set_head(h, aligned, (gain->end - aligned + (uint64_t)correction) | PREV_INUSE);
    st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) + (uint64_t)correction);
    if (old_size)
        fence_old_top(h, av, old_top, old_size);
}

static void grow_main(struct heap *h, va_t av, uint64_t need, va_t old_top, uint64_t old_size)
{
    struct gain gain = grow(h, av, need, old_size);
    bool contiguous = !(ld32(h, av + AV_FLAGS) & AV_NONCONTIGUOUS);
    va_t old_end = old_top + old_size;
    if (!gain.brk)
        return;
    h->counters.grows++;
    if (!mp(h, MP_SBRK_BASE))
        mp_set(h, MP_SBRK_BASE, gain.brk);
    st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) + (uint64_t)gain.size);
    if (gain.brk == old_end && !gain.end) {
        set_head(h, old_top, ((uint64_t)gain.size + old_size) | PREV_INUSE);
        region_end(h, old_end + (uint64_t)gain.size);
    } else if (contiguous && old_size && gain.brk < old_end)
        glibc_abort(h, "break adjusted to free malloc space");
    else
        new_top(h, av, &gain, old_top, old_size);
}

/* ---- tops of other arenas ---- */

/* The old top of a heap that is full keeps a fence at its end; the rest of it is freed. */
static void leave_heap(struct heap *h, va_t av, va_t top, uint64_t size)
{
    size = (size - MINSIZE) & ~(uint64_t)ALIGN_MASK;
    set_head(h, top + size + HDR_SZ, PREV_INUSE);
    if (size >= MINSIZE) {
        set_head(h, top + size, HDR_SZ | PREV_INUSE);
        set_foot(h, top + size, HDR_SZ);
        set_head(h, top, size | PREV_INUSE | NON_MAIN_ARENA);
        glibc_int_free(h, av, top, true);
    } else {
        set_head(h, top, (size + HDR_SZ) | PREV_INUSE);
        set_foot(h, top, size + HDR_SZ);
    }
}

static bool further_heap(struct heap *h, va_t av, uint64_t need, va_t old_top, uint64_t old_size)
{
    va_t heap = glibc_heap_new(h, need + MINSIZE + HEAP_INFO_BYTES, mp(h, MP_TOP_PAD));
    if (!heap)
        return false;
    uint64_t size = ld(h, heap + HEAP_SIZE);
    st(h, heap + HEAP_ARENA, av);
    st(h, heap + HEAP_PREV, heap_for(old_top));
    st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) + size);
    st(h, av + AV_TOP, heap + HEAP_INFO_BYTES);
    set_head(h, heap + HEAP_INFO_BYTES, (size - HEAP_INFO_BYTES) | PREV_INUSE);
    leave_heap(h, av, old_top, old_size);
    return true;
}

/* Makes top of an arena of heaps large enough: false: neither the heap nor a further one. */
static bool grow_heap(struct heap *h, va_t av, uint64_t need, va_t old_top, uint64_t old_size)
{
    va_t heap = heap_for(old_top);
    uint64_t before = ld(h, heap + HEAP_SIZE);
    int64_t more = (int64_t)(MINSIZE + need - old_size);
    if (more > 0 && glibc_heap_grow(h, heap, more) == 0) {
        uint64_t size = ld(h, heap + HEAP_SIZE);
        st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) + (size - before));
        set_head(h, old_top, (heap + size - old_top) | PREV_INUSE);
        return true;
    }
    return further_heap(h, av, need, old_top, old_size);
}

/* ---- sysmalloc ---- */

static bool wants_mmap(struct heap *h, uint64_t need)
{
    uint64_t threshold = mp(h, MP_MMAP_THRESHOLD);
    bool large = need >= threshold;
    EMIT(h->env, alloc_threshold, .size = need, .threshold = threshold, .mmap = large);
    return large && mp32(h, MP_N_MMAPS) < mp32(h, MP_N_MMAPS_MAX);
}

static va_t own_mapping(struct heap *h, uint64_t need)
{
    uint64_t hugetlb = mp(h, MP_HP_PAGESIZE);
    va_t block = 0;
    if (hugetlb && need >= hugetlb)
        block = glibc_mmap_chunk(h, need, hugetlb, mp32(h, MP_HP_FLAGS));
    return block ? block : glibc_mmap_chunk(h, need, PAGE_SIZE, 0);
}

/* The low end of top, which has just grown. */
static va_t take_top(struct heap *h, va_t av, uint64_t need)
{
    uint64_t system = ld(h, av + AV_SYSTEM_MEM);
    if (system > ld(h, av + AV_MAX_SYSTEM_MEM))
        st(h, av + AV_MAX_SYSTEM_MEM, system);
    va_t p = ld(h, av + AV_TOP);
    uint64_t size = chunk_bytes(h, p);
    if (size < need + MINSIZE)
        return 0;
    st(h, av + AV_TOP, p + need);
    set_head(h, p, need | PREV_INUSE | main_flag(h, av));
    set_head(h, p + need, (size - need) | PREV_INUSE);
    glibc_tell_split(h, p, need, p + need, size - need);
    return p + HDR_SZ;
}

va_t glibc_sysmalloc(struct heap *h, va_t av, uint64_t need)
{
    bool tried = false;
    if (!av || wants_mmap(h, need)) {
        va_t block = own_mapping(h, need);
        if (block || !av)
            return block;
        tried = true;
    }
    va_t old_top = ld(h, av + AV_TOP);
    uint64_t word = size_word(h, old_top), old_size = word & ~SIZE_BITS;
    bool first = old_top == bin_at(av, 1) && !old_size;
    if (!first &&
        (old_size < MINSIZE || !(word & PREV_INUSE) || ((old_top + old_size) & PAGE_MASK)))
        glibc_abort(h, "Fatal glibc error: malloc assertion failure in sysmalloc: "
                       "(old_top == initial_top (av) && old_size == 0) || "
                       "((unsigned long) (old_size) >= MINSIZE && prev_inuse (old_top) && "
                       "((unsigned long) old_end & (pagesize - 1)) == 0)");
    if (av == main_arena(h)) {
        grow_main(h, av, need, old_top, old_size);
    } else if (!grow_heap(h, av, need, old_top, old_size) && !tried) {
        va_t block = glibc_mmap_chunk(h, need, PAGE_SIZE, 0);
        if (block)
            return block;
    }
    return take_top(h, av, need);
}

/* ---- trimming ---- */

int glibc_systrim(struct heap *h, va_t av, uint64_t pad)
{
    va_t top = ld(h, av + AV_TOP);
    uint64_t top_size = chunk_bytes(h, top), area = top_size - MINSIZE - 1;
    uint64_t huge = mp(h, MP_THP_PAGESIZE);
    if (area <= pad)
        return 0;
    uint64_t extra = align_down(area - pad, huge ? huge : PAGE_SIZE);
    va_t now = extra ? glibc_morecore(h, 0) : 0;
    if (!extra || now != top + top_size)
        return 0;
    EMIT(h->env, alloc_trim, .top = top_size, .release = extra);
    glibc_morecore(h, -(int64_t)extra);
    uint64_t released = now - glibc_morecore(h, 0);
    if (!released)
        return 0;
    h->counters.trims++;
    st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) - released);
    set_head(h, top, (top_size - released) | PREV_INUSE);
    region_end(h, top + top_size - released);
    return 1;
}
