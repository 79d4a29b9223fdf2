/* freelist_check.c: the heap seen from outside: walk, check, and mending after damage.
 *
 * walk and check read by peek only and leave no trace in the machine. mend writes: when the program
 * has destroyed headers or links, it lays the heap out anew around the live blocks that the shadow
 * knows. No real allocator can do that; here it lets a lesson about misuse go on after the lesson.
 */
#include "alloc/freelist.h"

#include "alloc/mapped.h"
#include "alloc/shadow.h"
#include "sim/base/arena.h"

#include <stdio.h>

typedef void (*show_fn)(void *ctx, const struct heap_chunk *);

/* One chunk of the heap proper at this place, as its tags say. */
static struct heap_chunk chunk_at(const struct heap *h, va_t at)
{
    const struct freelist *f = freelist_of(h);
    uint64_t tag = heap_peek64(h, at);
    struct heap_chunk c = {.start = at, .size = tag_size(tag), .header = tag, .list = ""};
    c.used = tag & TAG_USED;
    uint64_t least = tag & TAG_FENCE ? CHUNK_ALIGNMENT : CHUNK_MINIMUM;
    c.corrupt = c.size < least || c.size > f->top - at || (tag & TAG_MAPPED);
    if (c.used && !(tag & TAG_FENCE)) {
        c.block = block_of(at);
        c.usable = c.size - chunk_overhead(h);
    } else if (c.used) {
        c.list = "fence";
    } else {
        c.list = freelist_bin_name(h, freelist_bin(h, at, c.size));
        c.corrupt |= !c.corrupt && heap_peek64(h, at + c.size - 8) != c.size;
    }
    return c;
}

bool freelist_walk(const struct heap *h, show_fn show, void *ctx)
{
    const struct freelist *f = freelist_of(h);
    for (va_t at = f->start; at < f->top;) {
        struct heap_chunk c = chunk_at(h, at);
        show(ctx, &c);
        if (c.corrupt)
            return false;
        at += c.size;
    }
    if (f->start) {
        struct heap_chunk top = {.start = f->top, .top = true, .list = "top"};
        top.header = heap_peek64(h, f->top);
        top.size = top_size(f);
        top.corrupt = top.header != (top.size | TAG_PREV_USED);
        show(ctx, &top);
        if (top.corrupt)
            return false;
    }
    return mapped_walk(h, show, ctx);
}

void freelist_lists(const struct heap *h, show_fn show, void *ctx)
{
    unsigned bins = fit_of(h)->bins ? fit_of(h)->bins : 1;
    uint64_t left = freelist_of(h)->listed;
    for (unsigned bin = 0; bin < bins; bin++) {
        va_t head = freelist_peek_head(h, bin);
        for (va_t at = head; at && left; left--) {
            struct heap_chunk c = chunk_at(h, at);
            show(ctx, &c);
            at = heap_peek64(h, block_of(at));
            if (at == head)
                at = 0;
        }
    }
}

/* ---- check ---- */

struct check {
    bool prev_free, deferred, footers;
    uint64_t free;
    va_t wrong;
    const char *what;
};

static void check_chunk(void *ctx, const struct heap_chunk *c)
{
    struct check *k = ctx;
    if (k->what || c->mapped)
        return;
    k->wrong = c->start;
    if (c->corrupt)
        k->what = "the tags do not add up";
    else if (!k->footers && ((c->header & TAG_PREV_USED) == 0) != k->prev_free)
        k->what = "bit P is wrong about the chunk before";
    else if (!c->used && k->prev_free && !k->deferred)
        k->what = "two free chunks touch";
    k->prev_free = !c->used;
    k->free += !c->used && !c->top;
}

struct ring_check {
    uint64_t count;
    bool rover, victim; /* were met */
    va_t wrong;
};

/* One ring: each chunk free, in the list it belongs in, its links leading back, so none comes
 * twice. Counts them. */
static const char *check_ring(const struct heap *h, unsigned bin, struct ring_check *k)
{
    const struct freelist *f = freelist_of(h);
    va_t head = freelist_peek_head(h, bin);
    for (va_t chunk = head; chunk && k->count <= f->listed; k->count++) {
        k->wrong = chunk;
        uint64_t tag = heap_peek64(h, chunk);
        va_t next = heap_peek64(h, block_of(chunk));
        if (chunk < f->start || chunk >= f->top || (tag & TAG_USED))
            return "the list holds what is no free chunk";
        if (heap_peek64(h, block_of(next) + 8) != chunk)
            return "the links of the list do not agree";
        if (freelist_bin(h, chunk, tag_size(tag)) != bin)
            return "a chunk is in a list of another size";
        k->rover = k->rover || chunk == f->rover;
        k->victim = k->victim || chunk == f->victim;
        if (next == head) {
            k->count++;
            return NULL;
        }
        chunk = next;
    }
    return head ? "a list is no ring" : NULL;
}

static const char *check_lists(const struct heap *h, va_t *wrong)
{
    const struct freelist *f = freelist_of(h);
    struct ring_check k = {.rover = !f->rover, .victim = !f->victim};
    unsigned bins = fit_of(h)->bins ? fit_of(h)->bins : 1;
    const char *what = NULL;
    for (unsigned bin = 0; bin < bins && !what; bin++)
        what = check_ring(h, bin, &k);
    *wrong = k.wrong;
    if (!what && k.count != f->listed)
        what = "the lists do not hold all free chunks";
    if (!what && !k.rover && fit_of(h)->roving)
        what = "the rover is not in the list";
    if (!what && !k.victim)
        what = "the victim is in no list";
    if (!what && fit_of(h)->check_marks && f->table)
        what = fit_of(h)->check_marks(h);
    return what;
}

bool freelist_check(const struct heap *h, char *why, size_t size)
{
    const struct freelist *f = freelist_of(h);
    struct check k = {.deferred = h->config.deferred, .footers = h->config.footers};
    bool sound = freelist_walk(h, check_chunk, &k);
    if (!k.what && !sound)
        k.what = "a mapped chunk has a wrong header";
    if (!k.what && k.free != f->listed)
        k.what = "the list does not hold all free chunks";
    if (!k.what)
        k.what = check_lists(h, &k.wrong);
    if (k.what)
        snprintf(why, size, "%s (chunk %#llx)", k.what, (unsigned long long)k.wrong);
    return !k.what;
}

/* ---- mend ---- */

/* What lies between two chunks in use becomes free. */
static void mend_gap(struct heap *h, va_t from, va_t to)
{
    if (to - from >= CHUNK_MINIMUM)
        freelist_insert(h, from, to - from, TAG_PREV_USED, NULL);
}

/* Writes the header of a chunk in use behind from; the first byte after it. Blocks that overlap
 * were given out from a damaged heap: the first one keeps its header. */
static va_t mend_used(struct heap *h, va_t from, const struct heap_block *b)
{
    const struct freelist *f = freelist_of(h);
    if (b->chunk < from || b->chunk >= f->brk)
        return from;
    mend_gap(h, from, b->chunk);
    uint64_t flags = b->kind == BLOCK_FENCE ? TAG_FENCE : 0;
    flags |= b->chunk - from < CHUNK_MINIMUM ? TAG_PREV_USED : 0;
    freelist_set_used(h, b->chunk, b->size, flags);
    return b->chunk + b->size;
}

void freelist_mend(struct heap *h)
{
    struct freelist *f = freelist_of(h);
    size_t count = shadow_count(h->shadow);
    struct heap_block *used = shadow_sorted(h->shadow, h->env->arena);
    if (count && !used)
        return; /* no memory: the damage stays, and will be found again */
    freelist_clear(h);
    va_t at = f->start;
    for (size_t i = 0; i < count; i++)
        at = mend_used(h, at, &used[i]);
    arena_free(h->env->arena, used, count * sizeof(used[0]));
    if (f->start)
        freelist_set_top(h, at);
    mapped_mend(h);
}
