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
        c.usable = c.size - CHUNK_HEADER;
    } else if (c.used) {
        c.list = "fence";
    } else {
        c.list = "free";
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

/* ---- check ---- */

struct check {
    bool prev_free;
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
    else if (((c->header & TAG_PREV_USED) == 0) != k->prev_free)
        k->what = "bit P is wrong about the chunk before";
    else if (!c->used && k->prev_free)
        k->what = "two free chunks touch";
    k->prev_free = !c->used;
    k->free += !c->used && !c->top;
}

/* The ring has as many chunks as there are free ones; links lead back, so none comes twice. */
static const char *check_list(const struct heap *h, va_t *wrong)
{
    const struct freelist *f = freelist_of(h);
    va_t chunk = f->head;
    bool rover = !f->rover;
    for (uint64_t n = 0; n < f->listed; n++) {
        *wrong = chunk;
        va_t next = heap_peek64(h, block_of(chunk));
        if (chunk < f->start || chunk >= f->top || (heap_peek64(h, chunk) & TAG_USED))
            return "the list holds what is no free chunk";
        if (heap_peek64(h, block_of(next) + 8) != chunk)
            return "the links of the list do not agree";
        rover = rover || chunk == f->rover;
        chunk = next;
    }
    if (chunk != f->head)
        return "the list is no ring";
    return rover ? NULL : "the rover is not in the list";
}

bool freelist_check(const struct heap *h, char *why, size_t size)
{
    const struct freelist *f = freelist_of(h);
    struct check k = {.what = NULL};
    bool sound = freelist_walk(h, check_chunk, &k);
    if (!k.what && !sound)
        k.what = "a mapped chunk has a wrong header";
    if (!k.what && k.free != f->listed)
        k.what = "the list does not hold all free chunks";
    if (!k.what && (f->listed == 0) != (f->head == 0))
        k.what = "the list's head is wrong";
    if (!k.what)
        k.what = check_list(h, &k.wrong);
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
    uint64_t flags = TAG_USED | (b->kind == BLOCK_FENCE ? TAG_FENCE : 0);
    flags |= b->chunk - from < CHUNK_MINIMUM ? TAG_PREV_USED : 0;
    heap_header(h, b->chunk, b->chunk, b->size | flags);
    return b->chunk + b->size;
}

void freelist_mend(struct heap *h)
{
    struct freelist *f = freelist_of(h);
    size_t count = shadow_count(h->shadow);
    struct heap_block *used = shadow_sorted(h->shadow, h->env->arena);
    if (count && !used)
        return; /* no memory: the damage stays, and will be found again */
    f->head = f->rover = 0;
    f->listed = 0;
    va_t at = f->start;
    for (size_t i = 0; i < count; i++)
        at = mend_used(h, at, &used[i]);
    arena_free(h->env->arena, used, count * sizeof(used[0]));
    if (f->start)
        freelist_set_top(h, at);
    mapped_mend(h);
}
