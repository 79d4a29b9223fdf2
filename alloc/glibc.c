/* glibc.c: the GNU C library's malloc, version 2.36 on x86-64: the calls of the family.
 *
 * Each call looks into the thread's cache first and asks an arena only then; glibc.h draws the
 * layout and says which file holds what. docs/glibc.md tells what is modelled and what is not.
 *
 * Cost: malloc and free O(1) from the cache and the fastbins; else O(chunks not yet sorted).
 * Source: __libc_malloc, __libc_free, __libc_realloc, __libc_calloc, _mid_memalign,
 * ptmalloc_init.
 */
#include "alloc/glibc.h"

#include <stdio.h>

#define GRND_NONBLOCK 1u

/* ---- ways out ---- */

_Noreturn static void leave(struct heap *h)
{
    h->over = true;
    longjmp(*glibc_of(h)->escape, 1);
}

_Noreturn void glibc_abort(struct heap *h, const char *message)
{
    h->message = message;
    heap_complain(h, MISUSE_ABORT, 0);
    leave(h);
}

_Noreturn void glibc_signal(struct heap *h, va_t at)
{
    heap_complain(h, MISUSE_SEGV, at);
    leave(h);
}

_Noreturn void glibc_endless(struct heap *h, va_t at, const char *list, unsigned number)
{
    struct glibc *g = glibc_of(h);
    char which[16] = "";
    if (number)
        snprintf(which, sizeof(which), " %u", number);
    snprintf(g->endless, sizeof(g->endless), "%s%s is circular: the real glibc would loop for ever",
             list, which);
    h->message = g->endless;
    h->endless = true;
    heap_complain(h, MISUSE_ENDLESS, at);
    leave(h);
}

/* Runs a call so that abort() and signals come back to here; then it gives 0. */
static uint64_t guard(struct heap *h, uint64_t (*run)(struct heap *, uint64_t, uint64_t),
                      uint64_t a, uint64_t b)
{
    jmp_buf out;
    glibc_of(h)->escape = &out;
    if (setjmp(out))
        return 0;
    return run(h, a, b);
}

/* ---- the beginning ---- */

/* What the library's file holds for its variables, before anything runs. */
static uint64_t load_data(struct heap *h, uint64_t a, uint64_t b)
{
    (void)a;
    (void)b;
    glibc_defaults(h);
    var_set(h, DATA_NARENAS, 1);
    st(h, main_arena(h) + AV_NEXT, main_arena(h));
    st(h, main_arena(h) + AV_ATTACHED, 1);
    return 1;
}

static int init(struct heap *h)
{
    struct glibc *g = glibc_of(h);
    g->data = h->user.data;
    if (!g->data) { /* a program without the library's data: they get a page of their own */
        int64_t at = heap_syscall(h, LX_NR_mmap, 0, PAGE_SIZE, LX_PROT_READ | LX_PROT_WRITE,
                                  LX_MAP_PRIVATE | LX_MAP_ANONYMOUS, UINT64_MAX, 0);
        if (lx_failed(at))
            return (int)at;
        g->data = (va_t)at;
    }
    g->threads = 1;
    return guard(h, load_data, 0, 0) ? 0 : -LX_EFAULT;
}

/* Settings of the machine's configuration that are not the library's own. */
static void configured(struct heap *h)
{
    const struct alloc_config *c = &h->config;
    if (c->mmap_threshold == 0)
        glibc_mallopt(h, -4, 0);
    else if (c->mmap_threshold != 128 * KIB)
        glibc_mallopt(h, -3, (int64_t)min_u64(c->mmap_threshold, INT32_MAX));
    if (c->trim_threshold != 128 * KIB)
        glibc_mallopt(h, -1, (int64_t)min_u64(c->trim_threshold, INT32_MAX));
    if (c->top_pad != 128 * KIB)
        glibc_mallopt(h, -2, (int64_t)min_u64(c->top_pad, INT32_MAX));
}

/* Source: ptmalloc_init. */
static void initialize(struct heap *h)
{
    struct glibc *g = glibc_of(h);
    if (g->initialized)
        return;
    g->initialized = true;
    va_t key = g->data + DATA_TCACHE_KEY;
    if (heap_syscall(h, LX_NR_getrandom, key, SIZE_SZ, GRND_NONBLOCK, 0, 0, 0) != SIZE_SZ)
        st(h, key, rng_next(&h->env->rng));
    glibc_self(h)->arena = main_arena(h);
    glibc_state_init(h, main_arena(h));
    configured(h);
    if (h->config.tunables[0])
        glibc_tunables(h, h->config.tunables);
}

/* ---- giving out ---- */

static va_t give(struct heap *h, va_t block, uint64_t alignment)
{
    const struct glibc *g = glibc_of(h);
    if (!block)
        return 0;
    uint64_t usable = g->taken - (g->mapped ? HDR_SZ : SIZE_SZ);
    struct heap_given given = {block - HDR_SZ, g->taken, usable, g->mapped};
    return heap_give(h, given, block, alignment, block);
}

static void tell_size(struct heap *h, uint64_t request, uint64_t chunk)
{
    EMIT(h->env, alloc_size, .request = request, .header = SIZE_SZ, .alignment = 16,
         .minimum = MINSIZE, .chunk = chunk);
}

/* From the running thread's arena, and if there is no memory in it, from another. */
static va_t from_arenas(struct heap *h, uint64_t bytes)
{
    if (!glibc_of(h)->multi)
        return glibc_int_malloc(h, main_arena(h), bytes);
    va_t av = glibc_arena_get(h, bytes);
    va_t block = glibc_int_malloc(h, av, bytes);
    if (!block && av)
        block = glibc_int_malloc(h, glibc_arena_retry(h, av, bytes), bytes);
    return block;
}

static uint64_t run_malloc(struct heap *h, uint64_t bytes, uint64_t unused)
{
    struct glibc *g = glibc_of(h);
    uint64_t need = request_size(bytes);
    (void)unused;
    initialize(h);
    tell_size(h, bytes, need);
    if (!need)
        return 0;
    uint64_t index = tcache_index(need);
    glibc_tcache_ready(h);
    uint16_t count = tcache_takes(h, index) ? glibc_tcache_count(h, index) : 0;
    if (!count)
        return from_arenas(h, bytes);
    g->taken = need;
    g->mapped = false;
    return glibc_tcache_get(h, index, count);
}

static va_t family_malloc(struct heap *h, uint64_t bytes)
{
    return give(h, guard(h, run_malloc, bytes, 0), 16);
}

/* ---- calloc ---- */

/* How many bytes from top on may hold something. What brk gives is zero, even where the heap has
 * been before; a heap of another arena may have given pages back and got them again. */
static uint64_t used_top(struct heap *h, va_t av, va_t top)
{
    uint64_t size = chunk_bytes(h, top);
    if (av == main_arena(h))
        return size;
    va_t heap = heap_for(top);
    return max_u64(size, heap + ld(h, heap + HEAP_MPROTECT_SIZE) - top);
}

static void clear(struct heap *h, va_t block, uint64_t bytes, va_t top, uint64_t used)
{
    uint64_t word = size_word(h, block - HDR_SZ), size = word & ~SIZE_BITS;
    bool perturbed = var(h, DATA_PERTURB) & 0xff;
    if (word & IS_MMAPPED) {
        if (perturbed)
            heap_fill(h, block, 0, bytes);
        return;
    }
    if (!perturbed && block - HDR_SZ == top && size > used)
        size = used;
    heap_fill(h, block, 0, size - SIZE_SZ);
}

static uint64_t run_calloc(struct heap *h, uint64_t bytes, uint64_t unused)
{
    (void)unused;
    if (bytes > INT64_MAX) /* seen before anything else is done */
        return 0;
    initialize(h);
    tell_size(h, bytes, request_size(bytes));
    glibc_tcache_ready(h);
    va_t av = glibc_of(h)->multi ? glibc_arena_get(h, bytes) : main_arena(h);
    va_t top = av ? ld(h, av + AV_TOP) : 0;
    uint64_t used = av ? used_top(h, av, top) : 0;
    va_t block = glibc_int_malloc(h, av, bytes);
    if (!block && glibc_of(h)->multi && av)
        block = glibc_int_malloc(h, glibc_arena_retry(h, av, bytes), bytes);
    if (block)
        clear(h, block, bytes, top, used);
    return block;
}

static va_t family_calloc(struct heap *h, uint64_t count, uint64_t size)
{
    return give(h, guard(h, run_calloc, count * size, 0), 16);
}

/* ---- free ---- */

/* A mapping that is freed shows that the program wants such sizes again: from now on they come
 * from the heap. */
static void adjust_threshold(struct heap *h, uint64_t word)
{
    if (mp32(h, MP_NO_DYN_THRESHOLD) || word <= mp(h, MP_MMAP_THRESHOLD) ||
        word > MMAP_THRESHOLD_MAX)
        return;
    uint64_t size = word & ~SIZE_BITS;
    mp_set(h, MP_MMAP_THRESHOLD, size);
    mp_set(h, MP_TRIM_THRESHOLD, 2 * size);
}

static uint64_t run_free(struct heap *h, uint64_t block, uint64_t unused)
{
    va_t p = block - HDR_SZ;
    uint64_t word = size_word(h, p);
    (void)unused;
    if (word & IS_MMAPPED) {
        adjust_threshold(h, word);
        glibc_munmap_chunk(h, p);
        return 0;
    }
    glibc_tcache_ready(h);
    glibc_int_free(h, glibc_arena_of(h, p), p, false);
    return 0;
}

static void family_free(struct heap *h, va_t block)
{
    guard(h, run_free, block, 0);
}

/* ---- realloc ---- */

static va_t realloc_mapped(struct heap *h, va_t p, uint64_t size, uint64_t need, uint64_t bytes)
{
    struct glibc *g = glibc_of(h);
    va_t fresh = glibc_mremap_chunk(h, p, need);
    if (fresh) {
        uint64_t now = chunk_bytes(h, fresh);
        h->how = now == size ? RESIZE_SAME : RESIZE_MREMAP;
        g->taken = now;
        g->mapped = true;
        return fresh + HDR_SZ;
    }
    if (size - SIZE_SZ >= need) {
        h->how = RESIZE_SAME;
        g->taken = size;
        g->mapped = true;
        return p + HDR_SZ;
    }
    va_t block = run_malloc(h, bytes, 0);
    if (!block)
        return 0;
    uint64_t taken = g->taken;
    bool mapped = g->mapped;
    h->how = RESIZE_MOVE;
    heap_copy(h, block, p + HDR_SZ, size - HDR_SZ);
    glibc_munmap_chunk(h, p);
    g->taken = taken;
    g->mapped = mapped;
    return block;
}

/* The arena of the old chunk has no memory; others may have. */
static va_t realloc_elsewhere(struct heap *h, va_t av, va_t p, uint64_t size, uint64_t bytes)
{
    va_t block = run_malloc(h, bytes, 0);
    if (!block)
        return 0;
    uint64_t taken = glibc_of(h)->taken;
    h->how = RESIZE_MOVE;
    heap_copy(h, block, p + HDR_SZ, size - SIZE_SZ);
    glibc_int_free(h, av, p, false);
    glibc_of(h)->taken = taken;
    return block;
}

static uint64_t run_realloc(struct heap *h, uint64_t old, uint64_t bytes)
{
    va_t p = old - HDR_SZ;
    initialize(h);
    uint64_t word = size_word(h, p), size = word & ~SIZE_BITS;
    if (!(word & IS_MMAPPED))
        glibc_tcache_ready(h);
    if (p > -size || misaligned(p))
        glibc_abort(h, "realloc(): invalid pointer");
    uint64_t need = request_size(bytes);
    tell_size(h, bytes, need);
    if (!need)
        return 0;
    if (word & IS_MMAPPED)
        return realloc_mapped(h, p, size, need, bytes);
    va_t av = glibc_arena_of(h, p);
    va_t fresh = glibc_int_realloc(h, av, p, size, need);
    if (!fresh)
        return glibc_of(h)->multi ? realloc_elsewhere(h, av, p, size, bytes) : 0;
    return fresh + HDR_SZ;
}

static va_t family_realloc(struct heap *h, va_t block, uint64_t bytes)
{
    return give(h, guard(h, run_realloc, block, bytes), 16);
}

/* ---- the rest ---- */

static uint64_t run_memalign(struct heap *h, uint64_t alignment, uint64_t bytes)
{
    initialize(h);
    tell_size(h, bytes, request_size(bytes));
    if (!glibc_of(h)->multi)
        return glibc_int_memalign(h, main_arena(h), alignment, bytes);
    va_t av = glibc_arena_get(h, bytes + alignment + MINSIZE);
    va_t block = glibc_int_memalign(h, av, alignment, bytes);
    if (!block && av)
        block = glibc_int_memalign(h, glibc_arena_retry(h, av, bytes), alignment, bytes);
    return block;
}

static va_t family_memalign(struct heap *h, uint64_t alignment, uint64_t bytes)
{
    return give(h, guard(h, run_memalign, alignment, bytes), alignment);
}

/* Source: musable. */
static uint64_t run_usable(struct heap *h, uint64_t block, uint64_t unused)
{
    va_t p = block - HDR_SZ;
    uint64_t word = size_word(h, p), size = word & ~SIZE_BITS;
    (void)unused;
    if (word & IS_MMAPPED)
        return size - HDR_SZ;
    return prev_inuse(h, p + size) ? size - SIZE_SZ : 0;
}

static uint64_t family_usable(struct heap *h, va_t block)
{
    return guard(h, run_usable, block, 0);
}

/* Even then the library has initialized itself. */
static uint64_t run_refused(struct heap *h, uint64_t a, uint64_t b)
{
    (void)a;
    (void)b;
    initialize(h);
    return 0;
}

static void family_refused(struct heap *h)
{
    guard(h, run_refused, 0, 0);
}

static uint64_t run_trim(struct heap *h, uint64_t pad, uint64_t unused)
{
    int gave = 0;
    struct tour tour = {0};
    (void)unused;
    initialize(h);
    va_t av = main_arena(h);
    do {
        tour_step(h, &tour, av, "the ring of arenas", 0);
        gave |= glibc_mtrim(h, av, pad);
        av = ld(h, av + AV_NEXT);
    } while (av != main_arena(h));
    return (uint64_t)gave;
}

static int family_trim(struct heap *h, uint64_t pad)
{
    return (int)guard(h, run_trim, pad, 0);
}

static uint64_t run_mallopt(struct heap *h, uint64_t param, uint64_t value)
{
    initialize(h);
    return (uint64_t)glibc_mallopt(h, (int)(int64_t)param, (int64_t)value);
}

static int family_mallopt(struct heap *h, int param, int64_t value)
{
    return (int)guard(h, run_mallopt, (uint64_t)(int64_t)param, (uint64_t)value);
}

static uint64_t run_thread_end(struct heap *h, uint64_t a, uint64_t b)
{
    (void)a;
    (void)b;
    glibc_thread_end(h);
    return 0;
}

static void family_thread(struct heap *h, uint16_t tid, bool ends)
{
    glibc_thread(h, tid);
    if (ends)
        guard(h, run_thread_end, 0, 0);
}

static uint64_t run_moved(struct heap *h, uint64_t brk, uint64_t unused)
{
    (void)unused;
    var_set(h, DATA_CURBRK, brk);
    return 0;
}

static void family_moved(struct heap *h, va_t brk)
{
    guard(h, run_moved, brk, 0);
}

const struct alloc_ops glibc_ops = {
    .name = "glibc",
    .doc = "the GNU C library's malloc 2.36, byte for byte: tcache, bins, top, arenas",
    .state_size = sizeof(struct glibc),
    .takes_any = true,
    .init = init,
    .malloc = family_malloc,
    .calloc = family_calloc,
    .realloc = family_realloc,
    .memalign = family_memalign,
    .free = family_free,
    .usable = family_usable,
    .trim = family_trim,
    .mallopt = family_mallopt,
    .refused = family_refused,
    .thread = family_thread,
    .moved = family_moved,
    .walk = glibc_walk,
    .check = glibc_check,
};
