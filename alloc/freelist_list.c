/* freelist_list.c: the free lists, rings of links inside the free chunks, and the tags around them.
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

/* ---- tags ---- */

void freelist_tell_next(struct heap *h, va_t next, bool prev_used)
{
    if (h->config.footers)
        return; /* the footer before it tells */
    uint64_t tag = heap_load64(h, next);
    uint64_t want = prev_used ? tag | TAG_PREV_USED : tag & ~TAG_PREV_USED;
    if (want != tag)
        heap_header(h, next, next, want);
}

void freelist_set_used(struct heap *h, va_t chunk, uint64_t size, uint64_t flags)
{
    heap_header(h, chunk, chunk, size | flags | TAG_USED);
    if (h->config.footers)
        heap_header(h, chunk, footer_of(chunk, size), size | TAG_USED);
}

bool freelist_prev_free(struct heap *h, va_t chunk, uint64_t tag)
{
    if (!h->config.footers)
        return !(tag & TAG_PREV_USED);
    return chunk > freelist_of(h)->start && !(heap_load64(h, chunk - 8) & TAG_USED);
}

/* ---- heads ---- */

static bool binned(const struct heap *h)
{
    return fit_of(h)->bins != 0;
}

unsigned freelist_bin(const struct heap *h, va_t chunk, uint64_t size)
{
    return binned(h) ? fit_of(h)->bin_of(h, chunk, size) : 0;
}

const char *freelist_bin_name(const struct heap *h, unsigned bin)
{
    return binned(h) ? fit_of(h)->bin_name(bin) : "free";
}

va_t freelist_head(struct heap *h, unsigned bin)
{
    const struct freelist *f = freelist_of(h);
    return binned(h) ? heap_load64(h, f->table + 8 * (va_t)bin) : f->head;
}

va_t freelist_peek_head(const struct heap *h, unsigned bin)
{
    const struct freelist *f = freelist_of(h);
    if (binned(h))
        return f->table ? heap_peek64(h, f->table + 8 * (va_t)bin) : 0;
    return f->head;
}

static void set_head(struct heap *h, unsigned bin, va_t chunk)
{
    struct freelist *f = freelist_of(h);
    if (binned(h))
        heap_store64(h, f->table + 8 * (va_t)bin, chunk);
    else
        f->head = chunk;
}

static void mark(struct heap *h, unsigned bin, bool any)
{
    if (binned(h) && fit_of(h)->mark)
        fit_of(h)->mark(h, bin, any);
}

void freelist_clear(struct heap *h)
{
    struct freelist *f = freelist_of(h);
    f->head = f->rover = f->victim = 0;
    f->listed = f->unmerged = 0;
    if (f->table)
        heap_fill(h, f->table, 0, fit_of(h)->bins * UINT64_C(8) + fit_of(h)->extra);
}

/* ---- lists ---- */

/* Does the order want the new chunk before this one? */
static bool goes_before(struct heap *h, va_t chunk, uint64_t size, va_t other)
{
    if (h->config.order == ORDER_ADDRESS)
        return chunk < other;
    return size <= tag_size(heap_load64(h, other));
}

/* The first chunk of the ring that the new one goes before, or the head again: none. */
static va_t find_next(struct heap *h, va_t chunk, uint64_t size, va_t head, bool *first)
{
    const struct freelist *f = freelist_of(h);
    va_t at = head;
    *first = true;
    for (uint64_t n = 0; n < f->listed; n++) {
        if (at < f->start || at >= f->top) {
            heap_complain(h, MISUSE_CORRUPT, at);
            return head;
        }
        if (goes_before(h, chunk, size, at))
            return at;
        *first = false;
        at = heap_load64(h, NEXT(at));
        if (at == head)
            break;
    }
    return head;
}

/* Where the order of the list wants the chunk. */
static struct place ordered(struct heap *h, unsigned bin, va_t chunk, uint64_t size)
{
    struct place p = {.head = true, .bin = bin};
    va_t head = freelist_head(h, bin);
    if (!head)
        return p;
    p.next = head;
    if (h->config.order == ORDER_FIFO)
        p.head = false;
    else if (h->config.order != ORDER_LIFO)
        p.next = find_next(h, chunk, size, head, &p.head);
    p.prev = heap_load64(h, PREV(p.next));
    return p;
}

/* A place that was left can be taken again where list and order stay the same. */
static bool still_good(const struct heap *h, const struct place *p, unsigned bin)
{
    return p && p->bin == bin && h->config.order != ORDER_SIZE;
}

void freelist_insert(struct heap *h, va_t chunk, uint64_t size, uint64_t flags,
                     const struct place *where)
{
    struct freelist *f = freelist_of(h);
    unsigned bin = freelist_bin(h, chunk, size);
    struct place p = still_good(h, where, bin) ? *where : ordered(h, bin, chunk, size);
    heap_header(h, chunk, chunk, size | flags);
    heap_header(h, chunk, footer_of(chunk, size), size);
    heap_store64(h, NEXT(chunk), p.next ? p.next : chunk);
    heap_store64(h, PREV(chunk), p.prev ? p.prev : chunk);
    if (p.next) {
        heap_store64(h, NEXT(p.prev), chunk);
        heap_store64(h, PREV(p.next), chunk);
    }
    if (p.head)
        set_head(h, bin, chunk);
    if (!p.next)
        mark(h, bin, true);
    f->listed++;
    EMIT(h->env, alloc_list, .list = freelist_bin_name(h, bin), .chunk = chunk, .size = size,
         .in = true);
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
    unsigned bin = freelist_bin(h, chunk, size);
    va_t next = heap_load64(h, NEXT(chunk));
    va_t prev = heap_load64(h, PREV(chunk));
    if (!f->listed || heap_load64(h, footer_of(chunk, size)) != size ||
        !linked(h, chunk, prev, next)) {
        heap_complain(h, MISUSE_CORRUPT, chunk);
        return false;
    }
    bool alone = next == chunk;
    bool head = freelist_head(h, bin) == chunk;
    *was = (struct place){alone ? 0 : prev, alone ? 0 : next, head, bin};
    if (!alone) {
        heap_store64(h, NEXT(prev), next);
        heap_store64(h, PREV(next), prev);
    }
    if (head)
        set_head(h, bin, was->next);
    if (f->rover == chunk)
        f->rover = was->next;
    if (alone)
        mark(h, bin, false);
    f->listed--;
    EMIT(h->env, alloc_list, .list = freelist_bin_name(h, bin), .chunk = chunk, .size = size,
         .in = false);
    return true;
}
