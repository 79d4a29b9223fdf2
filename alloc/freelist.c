/* freelist.c: malloc with boundary tags, for any way to keep free chunks and to choose among them.
 *
 * A request becomes a chunk size; large ones get a mapping of their own; else the free lists are
 * searched, then top, and if nothing fits, top grows by brk. The chosen chunk is split where the
 * rest can be a chunk. A freed chunk merges with free neighbours at once (or later, with
 * alloc.deferred), and where it reaches the end of the heap it becomes part of top, whose end goes
 * back to the kernel when it is long enough. (Knuth's Algorithms A and C, The Art of Computer
 * Programming 1, section 2.5; the layout of chunks is drawn in freelist.h.)
 *
 * Cost: malloc O(free chunks), free O(1), realloc O(1) in place or O(size).
 */
#include "alloc/freelist.h"

#include "alloc/mapped.h"
#include "alloc/shadow.h"

/* Beyond this no request can be met, and below it no sum of sizes here can wrap. */
#define REQUEST_MAX ((uint64_t)1 << 62)

/* Numbers of mallopt, as in <malloc.h>. */
enum {
    OPTION_TRIM_THRESHOLD = -1,
    OPTION_TOP_PAD = -2,
    OPTION_MMAP_THRESHOLD = -3,
};

/* Header and block, rounded up, at least the minimum; 0: more than there can be. */
static uint64_t chunk_size(struct heap *h, uint64_t request)
{
    uint64_t chunk = 0;
    if (request <= REQUEST_MAX)
        chunk = max_u64(align_up(request + chunk_overhead(h), CHUNK_ALIGNMENT), CHUNK_MINIMUM);
    EMIT(h->env, alloc_size, .request = request, .header = chunk_overhead(h),
         .alignment = CHUNK_ALIGNMENT, .minimum = CHUNK_MINIMUM, .chunk = chunk);
    return chunk;
}

static bool wants_mmap(struct heap *h, uint64_t size)
{
    uint64_t threshold = h->config.mmap_threshold;
    if (!threshold)
        return false;
    EMIT(h->env, alloc_threshold, .size = size, .threshold = threshold, .mmap = size >= threshold);
    return size >= threshold;
}

/* ---- taking ---- */

static void tell_split(struct heap *h, va_t chunk, uint64_t size, va_t rest, uint64_t rest_size)
{
    h->counters.splits++;
    EMIT(h->env, alloc_split, .chunk = chunk, .size = size, .rest = rest, .rest_size = rest_size);
}

/* The bit P of a free chunk: 1, where neighbours merge at once. */
static uint64_t prev_bit(struct heap *h, va_t chunk)
{
    return h->config.deferred ? heap_load64(h, chunk) & TAG_PREV_USED : TAG_PREV_USED;
}

static void keep_rest(struct heap *h, va_t rest, uint64_t size, uint64_t need,
                      const struct place *was)
{
    if (fit_of(h)->keep_rest)
        fit_of(h)->keep_rest(h, rest, size, TAG_PREV_USED, need);
    else
        freelist_insert(h, rest, size, TAG_PREV_USED, was);
}

/* A chunk of the lists, of *size bytes, becomes a used one of need bytes, or of all its bytes where
 * the rest would be too small. The rest takes its place in the list if it can. false: it is
 * damaged. */
static bool use_listed(struct heap *h, va_t chunk, uint64_t *size, uint64_t need)
{
    struct freelist *f = freelist_of(h);
    uint64_t flags = prev_bit(h, chunk);
    struct place was;
    if (!freelist_remove(h, chunk, *size, &was))
        return false;
    va_t rest = chunk + need;
    uint64_t rest_size = *size - need;
    f->rover = was.next;
    if (rest_size >= CHUNK_MINIMUM) {
        tell_split(h, chunk, need, rest, rest_size);
        keep_rest(h, rest, rest_size, need, &was);
        f->rover = rest;
        *size = need;
    } else {
        freelist_tell_next(h, chunk + *size, true);
    }
    freelist_set_used(h, chunk, *size, flags);
    return true;
}

/* The low end of top becomes a used chunk of size bytes. */
static va_t use_top(struct heap *h, uint64_t size)
{
    const struct freelist *f = freelist_of(h);
    va_t chunk = f->top;
    tell_split(h, chunk, size, chunk + size, top_size(f) - size);
    freelist_set_top(h, chunk + size);
    freelist_set_used(h, chunk, size, TAG_PREV_USED);
    return chunk;
}

/* ---- giving back ---- */

static void tell_coalesce(struct heap *h, va_t chunk, uint64_t size, va_t taken,
                          uint64_t taken_size)
{
    h->counters.coalesces++;
    EMIT(h->env, alloc_coalesce, .chunk = chunk, .size = size, .neighbour = taken,
         .neighbour_size = taken_size);
}

/* Takes the free chunk at neighbour out of the list, to be merged. false: it is in use, or damaged.
 */
static bool absorb(struct heap *h, va_t neighbour, uint64_t tag)
{
    struct place was;
    return freelist_sound(h, neighbour, tag) && !(tag & TAG_USED) &&
           freelist_remove(h, neighbour, tag_size(tag), &was);
}

/* The chunk before this one is free: where it starts is in its footer, just before us. tag becomes
 * its header. */
static bool merge_back(struct heap *h, va_t *chunk, uint64_t *size, uint64_t *tag)
{
    uint64_t before = heap_load64(h, *chunk - CHUNK_HEADER);
    va_t prev = *chunk - before;
    const struct freelist *f = freelist_of(h);
    if (prev < f->start || prev >= *chunk || prev % CHUNK_ALIGNMENT != CHUNK_HEADER) {
        heap_complain(h, MISUSE_CORRUPT, *chunk);
        return false;
    }
    *tag = heap_load64(h, prev);
    if (tag_size(*tag) != before || !absorb(h, prev, *tag)) {
        heap_complain(h, MISUSE_CORRUPT, prev);
        return false;
    }
    *chunk = prev;
    *size += before;
    tell_coalesce(h, *chunk, *size, prev, before);
    return true;
}

static void merge_top(struct heap *h, va_t chunk, uint64_t size)
{
    struct freelist *f = freelist_of(h);
    uint64_t old = top_size(f);
    va_t old_top = f->top;
    freelist_set_top(h, chunk);
    tell_coalesce(h, chunk, old + size, old_top, old);
    if (top_size(f) >= h->config.trim_threshold)
        freelist_trim(h, h->config.top_pad);
}

static void merge_next(struct heap *h, va_t chunk, uint64_t *size)
{
    va_t next = chunk + *size;
    uint64_t tag = heap_load64(h, next);
    if (absorb(h, next, tag)) {
        *size += tag_size(tag);
        tell_coalesce(h, chunk, *size, next, tag_size(tag));
    } else if (tag & TAG_USED) {
        freelist_tell_next(h, next, false);
    }
}

/* A used chunk becomes free. Where a neighbour is damaged it is not merged with: the heap will be
 * mended at the end of the call. Before top everything merges at once, so that it can go back. */
static void release(struct heap *h, va_t chunk, uint64_t tag)
{
    struct freelist *f = freelist_of(h);
    uint64_t size = tag_size(tag);
    bool at_top = chunk + size == f->top;
    bool merges = !h->config.deferred || at_top;
    while (merges && freelist_prev_free(h, chunk, tag) && merge_back(h, &chunk, &size, &tag))
        if (!h->config.deferred)
            break;
    if (at_top) {
        merge_top(h, chunk, size);
        return;
    }
    f->unmerged += h->config.deferred;
    if (merges)
        merge_next(h, chunk, &size);
    else
        freelist_tell_next(h, chunk + size, false);
    freelist_insert(h, chunk, size, merges ? TAG_PREV_USED : tag & TAG_PREV_USED, NULL);
}

/* Takes this chunk and all free ones behind it, merged; its size then. */
static uint64_t merge_run(struct heap *h, va_t chunk, uint64_t tag)
{
    const struct freelist *f = freelist_of(h);
    uint64_t size = tag_size(tag);
    while (chunk + size < f->top && h->misuse == MISUSE_NONE) {
        uint64_t next_tag = heap_load64(h, chunk + size);
        if ((next_tag & TAG_USED) || !absorb(h, chunk + size, next_tag))
            break;
        va_t next = chunk + size;
        size += tag_size(next_tag);
        tell_coalesce(h, chunk, size, next, tag_size(next_tag));
    }
    return size;
}

/* The pass of deferred coalescing: every run of free neighbours becomes one chunk. */
static void merge_all(struct heap *h)
{
    struct freelist *f = freelist_of(h);
    f->unmerged = 0;
    for (va_t chunk = f->start; chunk < f->top && h->misuse == MISUSE_NONE;) {
        uint64_t tag = heap_load64(h, chunk);
        uint64_t size = tag_size(tag);
        if (!freelist_sound(h, chunk, tag))
            return;
        bool free_next = !(tag & TAG_USED) && chunk + size < f->top &&
                         !(heap_load64(h, chunk + size) & TAG_USED);
        if (free_next && absorb(h, chunk, tag)) {
            size = merge_run(h, chunk, tag);
            freelist_insert(h, chunk, size, tag & TAG_PREV_USED, NULL);
        }
        chunk += size;
    }
}

/* A used chunk of at least need bytes of the heap proper, and its size; 0: no memory. */
static va_t take(struct heap *h, uint64_t need, uint64_t *size)
{
    const struct freelist *f = freelist_of(h);
    va_t chunk = freelist_search(h, need, size);
    if (f->unmerged && (!chunk || chunk == f->top)) {
        merge_all(h);
        chunk = freelist_search(h, need, size);
    }
    if (chunk && chunk != f->top && use_listed(h, chunk, size, need))
        return chunk;
    if (top_size(f) < need && !freelist_grow(h, need))
        return 0;
    *size = need;
    return use_top(h, need);
}

/* The header of a block of the heap proper; 0, with a complaint, where it is not the one that we
 * wrote: the shadow knows the size. */
static uint64_t sound_header(struct heap *h, va_t block)
{
    uint64_t tag = heap_load64(h, chunk_of(block));
    const struct heap_block *b = shadow_find(h->shadow, block);
    if (tag_size(tag) == b->size && (tag & ~TAG_PREV_USED & TAG_FLAGS) == TAG_USED)
        return tag;
    heap_complain(h, MISUSE_CORRUPT, chunk_of(block));
    return 0;
}

/* Blocks in a mapping of their own are told by the shadow: their header can be damaged too. */
static bool is_mapped(const struct heap *h, va_t block)
{
    return shadow_find(h->shadow, block)->chunk != chunk_of(block);
}

void freelist_free(struct heap *h, va_t block)
{
    if (is_mapped(h, block)) {
        mapped_free(h, block);
        return;
    }
    uint64_t tag = sound_header(h, block);
    if (tag)
        release(h, chunk_of(block), tag);
}

/* Cuts the end of a used chunk off and frees it; too small an end stays. The size that it has. */
static uint64_t cut_end(struct heap *h, va_t chunk, uint64_t tag, uint64_t need)
{
    uint64_t rest_size = tag_size(tag) - need;
    if (rest_size < CHUNK_MINIMUM)
        return tag_size(tag);
    va_t rest = chunk + need;
    tell_split(h, chunk, need, rest, rest_size);
    freelist_set_used(h, chunk, need, tag & TAG_FLAGS);
    freelist_set_used(h, rest, rest_size, TAG_PREV_USED);
    release(h, rest, rest_size | TAG_USED | TAG_PREV_USED);
    return need;
}

/* ---- the calls ---- */

static va_t give(struct heap *h, va_t chunk, uint64_t size)
{
    struct heap_given given = {chunk, size, size - chunk_overhead(h), false};
    return heap_give(h, given, block_of(chunk), CHUNK_ALIGNMENT, block_of(chunk));
}

va_t freelist_malloc(struct heap *h, uint64_t request)
{
    uint64_t need = chunk_size(h, request);
    if (!need)
        return 0;
    va_t block = wants_mmap(h, need) ? mapped_new(h, request, CHUNK_ALIGNMENT) : 0;
    if (block)
        return block;
    uint64_t size;
    va_t chunk = take(h, need, &size);
    if (chunk)
        return give(h, chunk, size);
    /* The break cannot move, perhaps because something lies behind it; elsewhere may be room. */
    return h->config.mmap_threshold ? mapped_new(h, request, CHUNK_ALIGNMENT) : 0;
}

va_t freelist_calloc(struct heap *h, uint64_t count, uint64_t size)
{
    va_t fresh = freelist_of(h)->fresh;
    uint64_t bytes = count * size;
    va_t block = freelist_malloc(h, bytes);
    /* Memory fresh from the kernel is zero. */
    if (block && !h->given.mapped && block < fresh)
        heap_clear(h, block, min_u64(bytes, fresh - block));
    return block;
}

/* The used chunk of size bytes, large enough for any place of the block, loses what lies before and
 * behind it. */
static va_t carve(struct heap *h, va_t chunk, uint64_t size, uint64_t alignment, uint64_t need)
{
    va_t block = align_up(block_of(chunk), alignment);
    if (block - block_of(chunk) == CHUNK_MINIMUM / 2) /* too small for a chunk of its own */
        block += alignment;
    uint64_t lead = block - block_of(chunk);
    uint64_t flags = TAG_USED | prev_bit(h, chunk);
    size = cut_end(h, chunk, size | flags, lead + need) - lead;
    if (lead) {
        tell_split(h, chunk_of(block), size, chunk, lead);
        freelist_set_used(h, chunk_of(block), size, TAG_PREV_USED);
        freelist_set_used(h, chunk, lead, flags);
        release(h, chunk, lead | flags);
    }
    struct heap_given given = {chunk_of(block), size, size - chunk_overhead(h), false};
    return heap_give(h, given, block_of(chunk), alignment, block);
}

va_t freelist_memalign(struct heap *h, uint64_t alignment, uint64_t request)
{
    uint64_t need = chunk_size(h, request);
    if (!need || alignment > REQUEST_MAX)
        return 0;
    uint64_t room = need + alignment + CHUNK_ALIGNMENT;
    va_t block = wants_mmap(h, room) ? mapped_new(h, request, alignment) : 0;
    if (block)
        return block;
    uint64_t size;
    va_t chunk = take(h, room, &size);
    if (chunk)
        return carve(h, chunk, size, alignment, need);
    return h->config.mmap_threshold ? mapped_new(h, request, alignment) : 0;
}

/* Tries to make the used chunk at least need bytes where it stands. */
static bool grow_in_place(struct heap *h, va_t chunk, uint64_t *tag, uint64_t need)
{
    const struct freelist *f = freelist_of(h);
    uint64_t size = tag_size(*tag);
    va_t next = chunk + size;
    if (next == f->top) {
        if (size + top_size(f) < need)
            return false;
        freelist_set_top(h, chunk + need);
        *tag = need | (*tag & TAG_FLAGS);
        freelist_set_used(h, chunk, need, *tag & TAG_FLAGS);
        h->how = RESIZE_TOP;
        return true;
    }
    uint64_t next_tag = heap_load64(h, next);
    if (size + tag_size(next_tag) < need || !absorb(h, next, next_tag))
        return false;
    size += tag_size(next_tag);
    tell_coalesce(h, chunk, size, next, tag_size(next_tag));
    *tag = size | (*tag & TAG_FLAGS);
    freelist_set_used(h, chunk, size, *tag & TAG_FLAGS);
    freelist_tell_next(h, chunk + size, true);
    h->how = RESIZE_NEXT;
    return true;
}

va_t freelist_realloc(struct heap *h, va_t block, uint64_t request)
{
    uint64_t need = chunk_size(h, request);
    if (!need)
        return 0;
    if (is_mapped(h, block))
        return mapped_resize(h, block, request);
    va_t chunk = chunk_of(block);
    uint64_t old_size = shadow_find(h->shadow, block)->size;
    uint64_t tag = sound_header(h, block);
    /* With a damaged header nothing is known of what lies behind: only moving is safe. */
    if (!tag || (tag_size(tag) < need && !grow_in_place(h, chunk, &tag, need)))
        return heap_move(h, block, old_size - chunk_overhead(h), request);
    if (tag_size(tag) == old_size)
        h->how = old_size - need >= CHUNK_MINIMUM ? RESIZE_SHRINK : RESIZE_SAME;
    return give(h, chunk, cut_end(h, chunk, tag, need));
}

uint64_t freelist_usable(struct heap *h, va_t block)
{
    const struct heap_block *b = shadow_find(h->shadow, block);
    if (is_mapped(h, block))
        heap_load64(h, chunk_of(block));
    else
        sound_header(h, block);
    bool apart = is_mapped(h, block);
    return b->chunk + b->size - block - (apart ? 0 : chunk_overhead(h) - CHUNK_HEADER);
}

int freelist_give_back(struct heap *h, uint64_t pad)
{
    return freelist_trim(h, pad);
}

int freelist_mallopt(struct heap *h, int param, int64_t value)
{
    uint64_t to = (uint64_t)value;
    if (param == OPTION_TRIM_THRESHOLD)
        h->config.trim_threshold = to;
    else if (param == OPTION_TOP_PAD)
        h->config.top_pad = to;
    else if (param == OPTION_MMAP_THRESHOLD)
        h->config.mmap_threshold = to;
    else
        return 0;
    return 1;
}
