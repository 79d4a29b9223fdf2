/* glibc_heap.c: arenas of further threads. A thread that finds no arena makes one, so that threads
 * do not wait for each other; its memory is a heap of 64 MiB of addresses, of which the first part
 * is made usable as it is needed.
 *
 *   multiple of 64 MiB                       size          mprotect_size          + 64 MiB
 *     ▼                                        ▼                 ▼                    ▼
 *     ┌───────────┬──────────────┬────────────┬─────────────────┬────────────────────┐
 *     │ heap_info │ malloc_state │ chunks     │ given back by   │ PROT_NONE          │
 *     │ 48 bytes  │ (first heap) │ … top      │ MADV_DONTNEED   │                    │
 *     └───────────┴──────────────┴────────────┴─────────────────┴────────────────────┘
 *
 * So the heap of a chunk is found by its address alone. A full heap gets a successor.
 * Source: malloc/arena.c.
 * NOTE: the library reads /proc/sys/vm/overcommit_memory once, before it first gives a piece of a
 * heap back; that file is not simulated, and the mode is 0.
 */
#include "alloc/glibc.h"

#define ARENA_ALIGN 16u
#define HEAP_MIN    (32 * KIB)

/* ---- heaps ---- */

static va_t reserve(struct heap *h, va_t hint, uint64_t size)
{
    int64_t at = heap_syscall(h, LX_NR_mmap, hint, size, LX_PROT_NONE,
                              LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_NORESERVE, UINT64_MAX, 0);
    return lx_failed(at) ? 0 : (va_t)at;
}

static void unmap(struct heap *h, va_t at, uint64_t size)
{
    heap_syscall(h, LX_NR_munmap, at, size, 0, 0, 0, 0);
}

/* 64 MiB of addresses at a multiple of 64 MiB, if the kernel happens to give such. */
static va_t reserve_exact(struct heap *h, va_t hint)
{
    va_t at = reserve(h, hint, HEAP_MAX_BYTES);
    if (at == heap_for(at))
        return at;
    unmap(h, at, HEAP_MAX_BYTES);
    return 0;
}

/* Twice as much is reserved, and what is not needed given back. */
static va_t reserve_aligned(struct heap *h)
{
    struct glibc *g = glibc_of(h);
    va_t hint = g->aligned_heap;
    g->aligned_heap = 0;
    va_t at = hint ? reserve_exact(h, hint) : 0;
    if (at)
        return at;
    va_t twice = reserve(h, 0, 2 * HEAP_MAX_BYTES);
    if (!twice)
        return reserve_exact(h, 0);
    at = heap_for(twice + HEAP_MAX_BYTES - 1);
    if (at != twice)
        unmap(h, twice, at - twice);
    else
        g->aligned_heap = at + HEAP_MAX_BYTES;
    unmap(h, at + HEAP_MAX_BYTES, HEAP_MAX_BYTES - (at - twice));
    return at;
}

va_t glibc_heap_new(struct heap *h, uint64_t size, uint64_t pad)
{
    if (size + pad < HEAP_MIN)
        size = HEAP_MIN;
    else if (size + pad <= HEAP_MAX_BYTES)
        size += pad;
    else if (size > HEAP_MAX_BYTES)
        return 0;
    else
        size = HEAP_MAX_BYTES;
    size = align_up(size, PAGE_SIZE);
    va_t heap = reserve_aligned(h);
    if (!heap)
        return 0;
    if (heap_syscall(h, LX_NR_mprotect, heap, size, LX_PROT_READ | LX_PROT_WRITE, 0, 0, 0)) {
        unmap(h, heap, HEAP_MAX_BYTES);
        return 0;
    }
    glibc_madvise_thp(h, heap, size);
    h->counters.grows++;
    heap_hold(h, size, 0);
    st(h, heap + HEAP_SIZE, size);
    st(h, heap + HEAP_MPROTECT_SIZE, size);
    st(h, heap + HEAP_PAGESIZE, PAGE_SIZE);
    return heap;
}

/* 0, or what the library returns: -1 there is no room in the heap, -2 the kernel refused. */
int glibc_heap_grow(struct heap *h, va_t heap, int64_t more)
{
    uint64_t old = ld(h, heap + HEAP_SIZE);
    uint64_t size = old + align_up((uint64_t)more, PAGE_SIZE);
    uint64_t usable = ld(h, heap + HEAP_MPROTECT_SIZE);
    if (size > HEAP_MAX_BYTES)
        return -1;
    if (size > usable) {
        if (heap_syscall(h, LX_NR_mprotect, heap + usable, size - usable,
                         LX_PROT_READ | LX_PROT_WRITE, 0, 0, 0))
            return -2;
        st(h, heap + HEAP_MPROTECT_SIZE, size);
    }
    h->counters.grows++;
    heap_hold(h, size, old);
    st(h, heap + HEAP_SIZE, size);
    return 0;
}

static bool shrink(struct heap *h, va_t heap, uint64_t less)
{
    uint64_t size = ld(h, heap + HEAP_SIZE) - less;
    if ((int64_t)size < (int64_t)HEAP_INFO_BYTES)
        return false;
    heap_syscall(h, LX_NR_madvise, heap + size, less, LX_MADV_DONTNEED, 0, 0, 0);
    heap_hold(h, 0, less);
    st(h, heap + HEAP_SIZE, size);
    return true;
}

/* The heap holds nothing but top: it goes away, and what is free at the end of the one before is
 * top again. The older heap, or 0 where too little would be left. */
static va_t drop_heap(struct heap *h, va_t av, va_t heap, uint64_t pad)
{
    va_t prev = ld(h, heap + HEAP_PREV);
    uint64_t prev_bytes = ld(h, prev + HEAP_SIZE), bytes = ld(h, heap + HEAP_SIZE);
    va_t fence = (prev + prev_bytes - HDR_SZ) & ~(va_t)ALIGN_MASK;
    uint64_t gap = prev + prev_bytes - HDR_SZ - fence;
    if (size_word(h, fence) != PREV_INUSE)
        glibc_abort(h, "Fatal glibc error: malloc assertion failure in heap_trim: "
                       "chunksize_nomask (p) == (0 | PREV_INUSE)");
    va_t p = fence - prev_size(h, fence);
    uint64_t size = chunk_bytes(h, p) + HDR_SZ + gap;
    bool free_before = !prev_inuse(h, p);
    if (free_before)
        size += prev_size(h, p);
    if (size + (HEAP_MAX_BYTES - prev_bytes) < pad + MINSIZE + ld(h, heap + HEAP_PAGESIZE))
        return 0;
    st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) - bytes);
    if (heap + HEAP_MAX_BYTES == glibc_of(h)->aligned_heap)
        glibc_of(h)->aligned_heap = 0;
    heap_hold(h, 0, bytes);
    unmap(h, heap, HEAP_MAX_BYTES);
    if (free_before) {
        p -= prev_size(h, p);
        glibc_unlink(h, av, p);
    }
    st(h, av + AV_TOP, p);
    set_head(h, p, size | PREV_INUSE);
    return prev;
}

bool glibc_heap_trim(struct heap *h, va_t heap, uint64_t pad)
{
    va_t av = ld(h, heap + HEAP_ARENA);
    while (ld(h, av + AV_TOP) == heap + HEAP_INFO_BYTES) {
        va_t prev = drop_heap(h, av, heap, pad);
        if (!prev)
            break;
        heap = prev;
    }
    va_t top = ld(h, av + AV_TOP);
    uint64_t size = chunk_bytes(h, top);
    if (size < mp(h, MP_TRIM_THRESHOLD))
        return false;
    int64_t area = (int64_t)(size - MINSIZE - 1);
    if (area < 0 || (uint64_t)area <= pad)
        return false;
    uint64_t extra = align_down((uint64_t)area - pad, PAGE_SIZE);
    if (!extra || !shrink(h, heap, extra))
        return false;
    EMIT(h->env, alloc_trim, .top = size, .release = extra);
    h->counters.trims++;
    st(h, av + AV_SYSTEM_MEM, ld(h, av + AV_SYSTEM_MEM) - extra);
    set_head(h, top, (size - extra) | PREV_INUSE);
    return true;
}

/* ---- arenas ---- */

/* The thread that runs has left this arena for another. */
static void detach(struct heap *h, va_t av)
{
    if (av)
        st(h, av + AV_ATTACHED, ld(h, av + AV_ATTACHED) - 1);
}

static void attach(struct heap *h, va_t av)
{
    detach(h, glibc_self(h)->arena);
    glibc_self(h)->arena = av;
}

/* Source: _int_new_arena. */
static va_t new_arena(struct heap *h, uint64_t size)
{
    uint64_t least = HEAP_INFO_BYTES + AV_BYTES + ARENA_ALIGN;
    uint64_t pad = mp(h, MP_TOP_PAD);
    va_t heap = glibc_heap_new(h, size + least, pad);
    if (!heap)
        heap = glibc_heap_new(h, least, pad);
    if (!heap)
        return 0;
    va_t av = heap + HEAP_INFO_BYTES;
    uint64_t bytes = ld(h, heap + HEAP_SIZE);
    st(h, heap + HEAP_ARENA, av);
    glibc_state_init(h, av);
    st(h, av + AV_ATTACHED, 1);
    st(h, av + AV_SYSTEM_MEM, bytes);
    st(h, av + AV_MAX_SYSTEM_MEM, bytes);
    va_t top = align_up(av + AV_BYTES, ARENA_ALIGN);
    st(h, av + AV_TOP, top);
    set_head(h, top, (heap + bytes - top) | PREV_INUSE);
    attach(h, av);
    st(h, av + AV_NEXT, ld(h, main_arena(h) + AV_NEXT));
    st(h, main_arena(h) + AV_NEXT, av);
    return av;
}

/* An arena whose last thread has ended. */
static va_t from_free_list(struct heap *h)
{
    va_t av = var(h, DATA_FREE_LIST);
    if (!av)
        return 0;
    var_set(h, DATA_FREE_LIST, ld(h, av + AV_NEXT_FREE));
    st(h, av + AV_ATTACHED, 1);
    attach(h, av);
    return av;
}

static void leave_free_list(struct heap *h, va_t av)
{
    va_t at = glibc_of(h)->data + DATA_FREE_LIST;
    struct tour tour = {0};
    for (va_t one = ld(h, at); one; at = one + AV_NEXT_FREE, one = ld(h, at)) {
        tour_step(h, &tour, one, "the list of free arenas", 0);
        if (one != av)
            continue;
        st(h, av + AV_ATTACHED, 0);
        st(h, at, ld(h, av + AV_NEXT_FREE));
        return;
    }
}

/* There are as many as there may be: they are shared, in turn. No lock is ever taken here, because
 * only one thread runs at a time. */
static va_t reused(struct heap *h, va_t avoid)
{
    struct glibc *g = glibc_of(h);
    va_t av = g->next_arena ? g->next_arena : main_arena(h);
    if (av == avoid)
        av = ld(h, av + AV_NEXT);
    leave_free_list(h, av);
    attach(h, av);
    st(h, av + AV_ATTACHED, ld(h, av + AV_ATTACHED) + 1);
    g->next_arena = ld(h, av + AV_NEXT);
    return av;
}

/* 0: no limit yet. */
static uint64_t arenas_limit(struct heap *h)
{
    uint64_t max = mp(h, MP_ARENA_MAX);
    if (max)
        return max;
    uint64_t cpus = h->config.cpus ? h->config.cpus : 1;
    return var(h, DATA_NARENAS) > mp(h, MP_ARENA_TEST) ? 8 * cpus : 0;
}

/* Source: arena_get2. */
static va_t other_arena(struct heap *h, uint64_t size, va_t avoid)
{
    va_t av = from_free_list(h);
    if (av)
        return av;
    uint64_t count = var(h, DATA_NARENAS);
    if (count > arenas_limit(h) - 1)
        return reused(h, avoid);
    av = new_arena(h, size);
    if (av)
        var_set(h, DATA_NARENAS, count + 1);
    return av;
}

va_t glibc_arena_get(struct heap *h, uint64_t size)
{
    va_t own = glibc_self(h)->arena;
    return own ? own : other_arena(h, size, 0);
}

va_t glibc_arena_retry(struct heap *h, va_t av, uint64_t size)
{
    return av == main_arena(h) ? other_arena(h, size, av) : main_arena(h);
}

va_t glibc_arena_of(struct heap *h, va_t p)
{
    if (!glibc_of(h)->multi || !(size_word(h, p) & NON_MAIN_ARENA))
        return main_arena(h);
    return ld(h, heap_for(p) + HEAP_ARENA);
}

/* ---- threads ---- */

void glibc_thread(struct heap *h, uint16_t tid)
{
    struct glibc *g = glibc_of(h);
    if (g->thread[g->now].tid == tid && !g->thread[g->now].shut)
        return;
    if (!g->initialized) /* the first one that calls is the main thread */
        g->thread[0].tid = tid;
    for (g->now = 0; g->now < g->threads; g->now++)
        if (g->thread[g->now].tid == tid && !g->thread[g->now].shut)
            return;
    g->now = 0;
    if (g->threads == GLIBC_THREADS)
        return;
    g->now = g->threads++;
    g->thread[g->now] = (struct glibc_thread){.tid = tid};
    g->multi = true;
}

/* Source: __malloc_arena_thread_freeres. */
void glibc_thread_end(struct heap *h)
{
    struct glibc_thread *self = glibc_self(h);
    glibc_tcache_shut(h);
    va_t av = self->arena;
    self->arena = 0;
    if (!av)
        return;
    uint64_t left = ld(h, av + AV_ATTACHED) - 1;
    st(h, av + AV_ATTACHED, left);
    if (left)
        return;
    st(h, av + AV_NEXT_FREE, var(h, DATA_FREE_LIST));
    var_set(h, DATA_FREE_LIST, av);
}
