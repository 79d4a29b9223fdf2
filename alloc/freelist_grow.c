/* freelist_grow.c: where the heap's memory comes from and goes to: brk for the heap proper, mmap
 * for large blocks.
 *
 * The break belongs to the whole program, which may move it too. So it is asked for before every
 * move, and memory that is not behind our own is fenced off. A mapping of its own costs a system
 * call each way and whole pages, but goes back to the kernel at once when the block is freed:
 *
 *   mapping (a multiple of 4096)                         block
 *     ┌───────────────────────────────┬─────────────────┬──────────────────┐
 *     │ lead, for large alignments    │ lead │ size│M│U │ …                │
 *     └───────────────────────────────┴─────────────────┴──────────────────┘
 *                                     ◀── size ────────────────────────────▶
 */
#include "alloc/freelist.h"

#include "alloc/shadow.h"

#define MAP_PROT  (LX_PROT_READ | LX_PROT_WRITE)
#define MAP_FLAGS (LX_MAP_PRIVATE | LX_MAP_ANONYMOUS)

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
    heap_header(h, fence, fence, size | flags);
    struct heap_block b = {block_of(fence), fence, size, 0, h->env->op, BLOCK_FENCE};
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
    va_t top = joins ? f->top : align_up(base, CHUNK_ALIGNMENT) + CHUNK_HEADER;
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

/* Writes the tags of a mapped chunk and gives its block out. */
static va_t give_mapped(struct heap *h, va_t map, uint64_t length, va_t block, uint64_t alignment)
{
    uint64_t lead = block - MAPPED_HEADER - map;
    if (lead) /* else the word is zero already */
        heap_store64(h, block - MAPPED_HEADER, lead);
    heap_header(h, map, chunk_of(block), (length - lead) | TAG_USED | TAG_MAPPED);
    struct heap_given given = {map, length, map + length - block, true};
    return heap_give(h, given, map + MAPPED_HEADER, alignment, block);
}

va_t freelist_map(struct heap *h, uint64_t request, uint64_t alignment)
{
    uint64_t slack = alignment > CHUNK_ALIGNMENT ? alignment : 0;
    uint64_t length = align_up(request + MAPPED_HEADER + slack, PAGE_SIZE);
    EMIT(h->env, alloc_grow, .need = request, .have = 0, .ask = length, .mmap = true);
    int64_t map =
        heap_syscall(h, LX_NR_mmap, 0, length, MAP_PROT, MAP_FLAGS, (uint64_t)INT64_C(-1), 0);
    if (lx_failed(map))
        return 0;
    h->counters.mmaps++;
    heap_hold(h, length, 0);
    va_t block = align_up((va_t)map + MAPPED_HEADER, alignment);
    return give_mapped(h, (va_t)map, length, block, alignment);
}

/* What the tags of a mapped block say, unless the shadow knows better. */
static struct heap_block mapping_of(struct heap *h, va_t block, uint64_t tag)
{
    struct heap_block b = *shadow_find(h->shadow, block);
    uint64_t lead = heap_load64(h, block - MAPPED_HEADER);
    bool sound = block - MAPPED_HEADER - lead == b.chunk && tag_size(tag) + lead == b.size &&
                 (tag & TAG_FLAGS) == (TAG_USED | TAG_MAPPED);
    if (!sound)
        heap_complain(h, MISUSE_CORRUPT, chunk_of(block));
    return b;
}

void freelist_unmap(struct heap *h, va_t block, uint64_t tag)
{
    struct heap_block b = mapping_of(h, block, tag);
    if (heap_syscall(h, LX_NR_munmap, b.chunk, b.size, 0, 0, 0, 0) != 0)
        return; /* the kernel may lack memory to cut an area; the mapping is lost */
    h->counters.munmaps++;
    heap_hold(h, 0, b.size);
}

va_t freelist_remap(struct heap *h, va_t block, uint64_t tag, uint64_t request)
{
    struct heap_block b = mapping_of(h, block, tag);
    uint64_t lead = block - MAPPED_HEADER - b.chunk;
    uint64_t length = align_up(request + MAPPED_HEADER + lead, PAGE_SIZE);
    if (length == b.size) {
        h->how = RESIZE_SAME;
        return give_mapped(h, b.chunk, length, block, CHUNK_ALIGNMENT);
    }
    int64_t map = heap_syscall(h, LX_NR_mremap, b.chunk, b.size, length, LX_MREMAP_MAYMOVE, 0, 0);
    if (lx_failed(map))
        return 0;
    heap_hold(h, length, b.size);
    h->how = RESIZE_MREMAP;
    return give_mapped(h, (va_t)map, length, (va_t)map + lead + MAPPED_HEADER, CHUNK_ALIGNMENT);
}
