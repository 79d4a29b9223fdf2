/* freelist_grow.c: where the memory of the heap proper comes from and goes to: brk.
 *
 * The break belongs to the whole program, which may move it too. So it is asked for before every
 * move, and memory that is not behind our own is fenced off.
 */
#include "alloc/freelist.h"

#include "alloc/shadow.h"

static va_t move_break(struct heap *h, va_t to)
{
    return (va_t)heap_syscall(h, LX_NR_brk, to, 0, 0, 0, 0, 0);
}

void freelist_set_top(struct heap *h, va_t chunk)
{
    struct freelist *f = freelist_of(h);
    f->top = chunk;
    f->fresh = max_u64(f->fresh, block_of(chunk));
    heap_header(h, chunk, chunk, top_size(f) | TAG_PREV_USED);
}

/* The memory from the old top to the new one becomes a free chunk, as far as it is ours, and a
 * fence. What is too small for a chunk goes to the fence. */
static void fence_off(struct heap *h, va_t old_top, va_t old_brk)
{
    struct freelist *f = freelist_of(h);
    uint64_t room = old_brk - CHUNK_HEADER - old_top;
    bool chunk = room >= CHUNK_MINIMUM;
    va_t fence = chunk ? old_brk - CHUNK_HEADER : old_top;
    uint64_t size = f->top - fence;
    uint64_t flags = TAG_USED | TAG_FENCE | (chunk ? 0 : TAG_PREV_USED);
    freelist_set_used(h, fence, size, flags);
    struct heap_block b = {block_of(fence), fence, size, 0, h->env->op, BLOCK_FENCE, false};
    shadow_add(h->shadow, &b);
    if (chunk)
        freelist_insert(h, old_top, room, TAG_PREV_USED, NULL);
}

bool freelist_grow(struct heap *h, uint64_t need)
{
    struct freelist *f = freelist_of(h);
    va_t now = move_break(h, 0);
    va_t base = max_u64(now, f->brk);
    bool joins = base == f->brk;
    va_t table = align_up(base, CHUNK_ALIGNMENT);
    uint64_t table_bytes = f->start ? 0 : fit_of(h)->bins * UINT64_C(8) + fit_of(h)->extra;
    va_t top = joins ? f->top : align_up(table + table_bytes, CHUNK_ALIGNMENT) + CHUNK_HEADER;
    va_t want;
    if (__builtin_add_overflow(top + CHUNK_HEADER + PAGE_MASK, need, &want) ||
        __builtin_add_overflow(want, h->config.top_pad, &want))
        return false;
    want = align_down(want, PAGE_SIZE);
    EMIT(h->env, alloc_grow, .need = need, .have = joins ? top_size(f) : 0, .ask = want - base,
         .mmap = false);
    if (move_break(h, want) != want)
        return false;
    h->counters.grows++;
    heap_hold(h, want - base, 0);
    if (f->start && now < f->top) /* somebody cut our memory off; what is there now is zero */
        heap_complain(h, MISUSE_CORRUPT, now);
    va_t old_top = f->top;
    va_t old_brk = f->brk;
    f->brk = want;
    freelist_set_top(h, top);
    if (table_bytes) {
        f->table = table;
        freelist_clear(h);
    }
    if (!f->start)
        f->start = top;
    else if (!joins)
        fence_off(h, old_top, old_brk);
    return true;
}

bool freelist_trim(struct heap *h, uint64_t keep)
{
    struct freelist *f = freelist_of(h);
    va_t want;
    if (!f->start || __builtin_add_overflow(f->top + CHUNK_HEADER + PAGE_MASK, keep, &want))
        return false;
    want = align_down(want, PAGE_SIZE);
    if (want >= f->brk || move_break(h, 0) != f->brk)
        return false;
    uint64_t release = f->brk - want;
    EMIT(h->env, alloc_trim, .top = top_size(f), .release = release);
    if (move_break(h, want) != want)
        return false;
    h->counters.trims++;
    heap_hold(h, 0, release);
    f->brk = want;
    f->fresh = min_u64(f->fresh, want);
    freelist_set_top(h, f->top);
    return true;
}
