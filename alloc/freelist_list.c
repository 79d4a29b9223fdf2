/* freelist_list.c: the free list, a ring of links inside the free chunks, and the tags around it.
 *
 * Every word here is loaded from simulated memory and so can have been overwritten by the program
 * (a block written beyond its end, a block used after free). Before a chunk is taken out, its
 * footer and its neighbours' links are compared with it; that is what makes damage visible before
 * it spreads.
 */
#include "alloc/freelist.h"

#include "alloc/shadow.h"

#define NEXT(chunk) ((chunk) + 8)
#define PREV(chunk) ((chunk) + 16)

static va_t footer_of(va_t chunk, uint64_t size)
{
    return chunk + size - 8;
}

bool freelist_sound(struct heap *h, va_t chunk, uint64_t tag)
{
    const struct freelist *f = freelist_of(h);
    uint64_t size = tag_size(tag);
    bool sound = chunk >= f->start && chunk < f->top && chunk % CHUNK_ALIGNMENT == CHUNK_HEADER &&
                 size <= f->top - chunk && !(tag & TAG_MAPPED) &&
                 (size >= CHUNK_MINIMUM || (size && (tag & TAG_FENCE)));
    const struct heap_block *b = sound ? shadow_find(h->shadow, block_of(chunk)) : NULL;
    if (b && (b->kind == BLOCK_LIVE || b->kind == BLOCK_FENCE))
        sound = (tag & TAG_USED) && b->size == size;
    if (!sound)
        heap_complain(h, MISUSE_CORRUPT, chunk);
    return sound;
}

void freelist_tell_next(struct heap *h, va_t next, bool prev_used)
{
    uint64_t tag = heap_load64(h, next);
    uint64_t want = prev_used ? tag | TAG_PREV_USED : tag & ~TAG_PREV_USED;
    if (want != tag)
        heap_header(h, next, next, want);
}

/* The place at the front: between the last and the first. */
static struct place front(struct heap *h)
{
    const struct freelist *f = freelist_of(h);
    struct place p = {.head = true};
    if (f->head) {
        p.next = f->head;
        p.prev = heap_load64(h, PREV(f->head));
    }
    return p;
}

void freelist_insert(struct heap *h, va_t chunk, uint64_t size, uint64_t flags,
                     const struct place *where)
{
    struct freelist *f = freelist_of(h);
    struct place p = where ? *where : front(h);
    heap_header(h, chunk, chunk, size | flags);
    heap_header(h, chunk, footer_of(chunk, size), size);
    heap_store64(h, NEXT(chunk), p.next ? p.next : chunk);
    heap_store64(h, PREV(chunk), p.prev ? p.prev : chunk);
    if (p.next) {
        heap_store64(h, NEXT(p.prev), chunk);
        heap_store64(h, PREV(p.next), chunk);
    }
    if (p.head)
        f->head = chunk;
    f->listed++;
    EMIT(h->env, alloc_list, .list = "free", .chunk = chunk, .size = size, .in = true);
}

/* The links lead to chunks of the list that lead back. */
static bool linked(struct heap *h, va_t chunk, va_t prev, va_t next)
{
    const struct freelist *f = freelist_of(h);
    if (prev < f->start || prev >= f->top || next < f->start || next >= f->top)
        return false;
    return heap_load64(h, NEXT(prev)) == chunk && heap_load64(h, PREV(next)) == chunk;
}

bool freelist_remove(struct heap *h, va_t chunk, uint64_t size, struct place *was)
{
    struct freelist *f = freelist_of(h);
    va_t next = heap_load64(h, NEXT(chunk));
    va_t prev = heap_load64(h, PREV(chunk));
    if (!f->listed || heap_load64(h, footer_of(chunk, size)) != size ||
        !linked(h, chunk, prev, next)) {
        heap_complain(h, MISUSE_CORRUPT, chunk);
        return false;
    }
    bool alone = next == chunk;
    *was = (struct place){alone ? 0 : prev, alone ? 0 : next, f->head == chunk};
    if (!alone) {
        heap_store64(h, NEXT(prev), next);
        heap_store64(h, PREV(next), prev);
    }
    if (f->head == chunk)
        f->head = was->next;
    if (f->rover == chunk)
        f->rover = was->next;
    f->listed--;
    EMIT(h->env, alloc_list, .list = "free", .chunk = chunk, .size = size, .in = false);
    return true;
}
