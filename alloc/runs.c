/* runs.c: segments of pages, divided into runs by first fit, with descriptors that lead from a
 * pointer to its run (drawn in runs.h).
 *
 * Cost: a new run O(runs of the segments), giving one back O(1), finding one O(1).
 */
#include "alloc/runs.h"

#include "alloc/piece.h"
#include "alloc/shadow.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>
#include <string.h>

#define DESCRIPTOR    128u
#define FREE_AT       8u /* pages that are free, in the segment's head */
#define SEGMENT_LEAST (64 * KIB)

/* A tag: the state, a flag, class << 8, detail << 16, pages << 32 (of an inner page: how far back
 * the first is). */
enum state { STATE_NONE, STATE_FREE, STATE_USED, STATE_INNER };
#define STATE_MASK UINT64_C(7)
#define DIRTY      UINT64_C(8)

static uint64_t tag_make(enum state state, uint64_t pages, unsigned class)
{
    return (uint64_t)state | (uint64_t) class << 8 | pages << 32;
}

static enum state tag_state(uint64_t tag)
{
    return (enum state)(tag & STATE_MASK);
}

static uint64_t tag_pages(uint64_t tag)
{
    return tag >> 32;
}

static unsigned tag_class(uint64_t tag)
{
    return (unsigned)(tag >> 8 & 255);
}

static unsigned tag_detail(uint64_t tag)
{
    return (unsigned)(tag >> 16 & 65535);
}

static uint64_t pages_of(const struct runs *r)
{
    return r->bytes / PAGE_SIZE;
}

static va_t tag_at(va_t segment, uint64_t page)
{
    return segment + DESCRIPTOR * (1 + page);
}

static va_t segment_of(const struct runs *r, va_t va)
{
    return align_down(va, r->bytes);
}

static uint64_t page_of(const struct runs *r, va_t run)
{
    return (run - segment_of(r, run)) / DESCRIPTOR - 1;
}

va_t run_start(const struct runs *r, va_t run)
{
    return segment_of(r, run) + page_of(r, run) * PAGE_SIZE;
}

uint64_t runs_pages_max(const struct runs *r)
{
    return pages_of(r) - r->meta;
}

void runs_init(struct heap *h, struct runs *r)
{
    for (r->bytes = SEGMENT_LEAST; r->bytes * 2 <= h->config.arena_bytes && r->bytes < GIB;)
        r->bytes *= 2;
    r->meta = (DESCRIPTOR * (1 + pages_of(r)) + PAGE_MASK) / PAGE_SIZE;
}

/* ---- tags ---- */

static uint64_t *book_of(const struct heap *h, va_t segment)
{
    const struct heap_piece *p = piece_of(h, segment);
    return p && p->start == segment ? p->book : NULL;
}

static void set_tag(struct heap *h, va_t segment, uint64_t page, uint64_t tag)
{
    heap_store64(h, tag_at(segment, page), tag);
    book_of(h, segment)[page] = tag;
}

/* The tag; STATE_NONE, with a complaint, where the program wrote over it. */
static uint64_t get_tag(struct heap *h, va_t segment, uint64_t page)
{
    const uint64_t *book = book_of(h, segment);
    uint64_t tag = book ? heap_load64(h, tag_at(segment, page)) : 0;
    if (book && tag == book[page])
        return tag;
    heap_complain(h, MISUSE_CORRUPT, tag_at(segment, page));
    return 0;
}

/* A free run has a tag at both ends, so that its neighbours find it. */
static void set_free(struct heap *h, va_t segment, uint64_t page, uint64_t pages, uint64_t dirty)
{
    if (pages > 1)
        set_tag(h, segment, page + pages - 1, tag_make(STATE_INNER, pages - 1, 0));
    set_tag(h, segment, page, tag_make(STATE_FREE, pages, 0) | dirty);
}

static void add_free(struct heap *h, va_t segment, uint64_t more, uint64_t less)
{
    heap_store64(h, segment + FREE_AT, heap_load64(h, segment + FREE_AT) + more - less);
}

/* ---- new runs ---- */

static va_t segment_new(struct heap *h, struct runs *r)
{
    va_t segment = piece_by_mmap(h, r->bytes, r->bytes);
    if (!segment)
        return 0;
    if (!piece_book(h, segment, pages_of(r))) {
        piece_put(h, segment);
        return 0;
    }
    heap_store64(h, segment, r->first);
    heap_store64(h, segment + FREE_AT, runs_pages_max(r));
    set_free(h, segment, r->meta, runs_pages_max(r), 0);
    r->first = segment;
    return segment;
}

/* The first free run of this segment with so many pages, its tag in *tag; 0: none. */
static uint64_t find(struct heap *h, const struct runs *r, va_t segment, uint64_t pages,
                     uint64_t *tag)
{
    if (heap_load64(h, segment + FREE_AT) < pages)
        return 0;
    for (uint64_t page = r->meta; page < pages_of(r); page += tag_pages(*tag)) {
        *tag = get_tag(h, segment, page);
        if (tag_state(*tag) == STATE_NONE)
            return 0;
        if (tag_state(*tag) != STATE_FREE)
            continue;
        bool fits = tag_pages(*tag) >= pages;
        va_t start = segment + page * PAGE_SIZE;
        heap_probe(h, start, tag_pages(*tag) * PAGE_SIZE, pages * PAGE_SIZE,
                   fits ? PROBE_TAKE : PROBE_TOO_SMALL, fits ? start : 0);
        if (fits)
            return page;
    }
    return 0;
}

static va_t use(struct heap *h, struct runs *r, va_t segment, uint64_t page, uint64_t pages,
                unsigned class, uint64_t tag)
{
    uint64_t rest = tag_pages(tag) - pages;
    if (tag & DIRTY)
        r->dirty_pages -= pages;
    if (rest) {
        h->counters.splits++;
        EMIT(h->env, alloc_split, .chunk = segment + page * PAGE_SIZE, .size = pages * PAGE_SIZE,
             .rest = segment + (page + pages) * PAGE_SIZE, .rest_size = rest * PAGE_SIZE);
        set_free(h, segment, page + pages, rest, tag & DIRTY);
    }
    set_tag(h, segment, page, tag_make(STATE_USED, pages, class));
    for (uint64_t i = 1; i < pages; i++)
        set_tag(h, segment, page + i, tag_make(STATE_INNER, i, 0));
    add_free(h, segment, 0, pages);
    va_t run = tag_at(segment, page);
    heap_fill(h, run + 8, 0, DESCRIPTOR - 8);
    return run;
}

va_t run_new(struct heap *h, struct runs *r, uint64_t pages, unsigned class, unsigned detail)
{
    if (pages > runs_pages_max(r))
        return 0;
    va_t segment = r->first;
    uint64_t page = 0;
    uint64_t tag = 0;
    for (size_t n = piece_count(h); segment && n--;) {
        page = book_of(h, segment) ? find(h, r, segment, pages, &tag) : 0;
        if (page)
            break;
        if (h->misuse == MISUSE_CORRUPT)
            return 0;
        segment = heap_load64(h, segment);
    }
    if (!page) {
        segment = segment_new(h, r);
        page = segment ? r->meta : 0;
        tag = tag_make(STATE_FREE, runs_pages_max(r), 0);
    }
    return page ? use(h, r, segment, page, pages, class | detail << 8, tag) : 0;
}

/* ---- back again ---- */

/* A segment without a used run goes back to the kernel, if there is another one. */
static void give_back(struct heap *h, struct runs *r, va_t segment, uint64_t dirty)
{
    va_t next = heap_load64(h, segment);
    va_t before = r->first;
    if (piece_count(h) < 2)
        return;
    for (size_t n = piece_count(h); before != segment && n--;) {
        va_t after = heap_load64(h, before);
        if (after == segment)
            break;
        before = after;
    }
    if (!piece_put(h, segment))
        return;
    r->dirty_pages -= dirty ? runs_pages_max(r) : 0;
    if (r->first == segment)
        r->first = next;
    else
        heap_store64(h, before, next);
}

static void tell_merge(struct heap *h, va_t segment, uint64_t page, uint64_t pages, uint64_t taken,
                       uint64_t taken_pages)
{
    h->counters.coalesces++;
    EMIT(h->env, alloc_coalesce, .chunk = segment + page * PAGE_SIZE, .size = pages * PAGE_SIZE,
         .neighbour = segment + taken * PAGE_SIZE, .neighbour_size = taken_pages * PAGE_SIZE);
}

/* A dirty run makes clean neighbours dirty: all of it will be purged. */
static void count_dirty(struct runs *r, uint64_t tag)
{
    if (r->dirty && !(tag & DIRTY))
        r->dirty_pages += tag_pages(tag);
}

void run_free(struct heap *h, struct runs *r, va_t run)
{
    va_t segment = segment_of(r, run);
    uint64_t page = page_of(r, run);
    uint64_t tag = get_tag(h, segment, page);
    if (tag_state(tag) != STATE_USED)
        return;
    uint64_t pages = tag_pages(tag);
    count_dirty(r, tag);
    add_free(h, segment, pages, 0);
    if (page + pages < pages_of(r)) {
        uint64_t next = get_tag(h, segment, page + pages);
        if (tag_state(next) == STATE_FREE) {
            pages += tag_pages(next);
            count_dirty(r, next);
            tell_merge(h, segment, page, pages, page + pages - tag_pages(next), tag_pages(next));
        }
    }
    uint64_t before = page > r->meta ? get_tag(h, segment, page - 1) : 0;
    uint64_t back = tag_state(before) == STATE_INNER ? tag_pages(before) : 0;
    if (back)
        before = get_tag(h, segment, page - 1 - back);
    if (tag_state(before) == STATE_FREE) {
        page -= tag_pages(before);
        pages += tag_pages(before);
        count_dirty(r, before);
        tell_merge(h, segment, page, pages, page, tag_pages(before));
    }
    set_free(h, segment, page, pages, r->dirty ? DIRTY : 0);
    if (pages == runs_pages_max(r))
        give_back(h, r, segment, r->dirty);
}

va_t run_of(struct heap *h, struct runs *r, va_t block, unsigned *class)
{
    va_t segment = segment_of(r, block);
    uint64_t page = (block - segment) / PAGE_SIZE;
    uint64_t tag = get_tag(h, segment, page);
    if (tag_state(tag) == STATE_INNER) {
        page -= tag_pages(tag);
        tag = get_tag(h, segment, page);
    }
    *class = tag_class(tag);
    if (tag_state(tag) == STATE_USED)
        return tag_at(segment, page);
    heap_complain(h, MISUSE_CORRUPT, block);
    return 0;
}

bool run_is(struct heap *h, const struct runs *r, va_t run, unsigned class)
{
    va_t segment = segment_of(r, run);
    const uint64_t *book = book_of(h, segment);
    uint64_t page = page_of(r, run);
    if (book && run % DESCRIPTOR == 0 && run >= tag_at(segment, r->meta) && page < pages_of(r) &&
        tag_state(book[page]) == STATE_USED && tag_class(book[page]) == class)
        return true;
    heap_complain(h, MISUSE_CORRUPT, run);
    return false;
}

void runs_purge(struct heap *h, struct runs *r)
{
    va_t segment = r->first;
    for (size_t n = piece_count(h); segment && n--; segment = heap_load64(h, segment)) {
        uint64_t tag = 0;
        for (uint64_t page = r->meta; page < pages_of(r); page += tag_pages(tag)) {
            tag = get_tag(h, segment, page);
            if (tag_state(tag) == STATE_NONE)
                return;
            if (!(tag & DIRTY))
                continue;
            uint64_t bytes = tag_pages(tag) * PAGE_SIZE;
            EMIT(h->env, alloc_trim, .top = bytes, .release = bytes);
            if (heap_syscall(h, LX_NR_madvise, segment + page * PAGE_SIZE, bytes, LX_MADV_DONTNEED,
                             0, 0, 0) != 0)
                return;
            h->counters.trims++;
            r->dirty_pages -= tag_pages(tag);
            set_tag(h, segment, page, tag & ~DIRTY);
        }
    }
}

/* ---- giving out ---- */

va_t run_give(struct heap *h, va_t block, uint64_t slot, uint64_t probes)
{
    heap_probe(h, block, slot, slot, PROBE_TAKE, block);
    heap_fit(h, block, slot, slot, probes + 1);
    struct heap_given given = {block, slot, slot, false};
    return heap_give(h, given, block, 16, block);
}

va_t run_give_large(struct heap *h, struct runs *r, uint64_t size, uint64_t pages)
{
    pages = max_u64(pages, 1);
    if (size > pages * PAGE_SIZE || pages > pages_of(r) / 2)
        return 0;
    EMIT(h->env, alloc_size, .request = size, .header = 0, .alignment = PAGE_SIZE,
         .minimum = PAGE_SIZE, .chunk = pages * PAGE_SIZE);
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = "pages", .need = pages * PAGE_SIZE);
    va_t run = run_new(h, r, pages, RUN_LARGE, 0);
    return run ? run_give(h, run_start(r, run), pages * PAGE_SIZE, 0) : 0;
}

/* ---- seen from outside ---- */

bool run_mark_list(const struct heap *h, struct run_view *v, va_t first)
{
    unsigned n = 0;
    for (va_t at = first; at; at = heap_peek64(h, at)) {
        uint64_t slot = (at - v->start - v->offset) / v->slot;
        if (at < v->start + v->offset || slot >= v->count || n++ > v->count ||
            (at - v->start - v->offset) % v->slot)
            return false;
        v->free[slot / 64] |= UINT64_C(1) << slot % 64;
    }
    return true;
}

struct shower {
    void (*show)(void *ctx, const struct heap_chunk *);
    void *ctx;
};

static void show_gap(const struct shower *s, va_t start, va_t end)
{
    if (end > start)
        s->show(s->ctx, &(struct heap_chunk){.start = start, .size = end - start, .list = ""});
}

static void show_slots(const struct shower *s, const struct run_view *v)
{
    va_t at = v->start + v->offset;
    show_gap(s, v->start, at);
    for (unsigned i = 0; i < v->count; i++, at += v->slot) {
        struct heap_chunk c = {.start = at, .size = v->slot, .list = ""};
        c.used = !(v->free[i / 64] >> i % 64 & 1);
        c.block = c.used ? at : 0;
        c.usable = c.used ? v->slot : 0;
        if (!c.used)
            c.list = v->list;
        s->show(s->ctx, &c);
    }
    show_gap(s, at, v->start + v->bytes);
}

/* Shape and, by its user, the blocks of a used run. */
static void view_run(const struct heap *h, const struct run_user *user, struct run_view *v,
                     va_t run)
{
    v->list = "";
    if (v->class < RUN_LARGE) {
        user->shape(h, v, run);
        CHECK(v->possible <= RUN_SLOTS_MAX);
        return;
    }
    v->slot = v->bytes;
    v->count = v->possible = 1;
}

bool runs_walk(const struct heap *h, const struct runs *r, const struct run_user *user,
               void (*show)(void *ctx, const struct heap_chunk *), void *ctx)
{
    struct shower s = {show, ctx};
    for (size_t i = 0; i < piece_count(h); i++) {
        const struct heap_piece *p = piece_at(h, i);
        for (uint64_t page = r->meta; page < pages_of(r);) {
            va_t run = tag_at(p->start, page);
            uint64_t tag = heap_peek64(h, run);
            struct run_view v = {.start = p->start + page * PAGE_SIZE, .class = tag_class(tag)};
            v.detail = tag_detail(tag);
            v.bytes = tag_pages(tag) * PAGE_SIZE;
            if (tag != p->book[page] || !tag)
                return false;
            if (tag_state(tag) == STATE_FREE) {
                show_gap(&s, v.start, v.start + v.bytes);
            } else if (v.class != RUN_OWN) {
                view_run(h, user, &v, run);
                if (v.class != RUN_LARGE && !user->look(h, &v, run))
                    return false;
                show_slots(&s, &v);
            }
            page += tag_pages(tag);
        }
    }
    return true;
}

bool runs_check(const struct heap *h, const struct runs *r, char *why, size_t size)
{
    uint64_t dirty = 0;
    for (size_t i = 0; i < piece_count(h); i++) {
        const struct heap_piece *p = piece_at(h, i);
        uint64_t pages_free = 0;
        bool was_free = false;
        for (uint64_t page = r->meta; page < pages_of(r); page += tag_pages(p->book[page])) {
            uint64_t tag = heap_peek64(h, tag_at(p->start, page));
            bool is_free = tag_state(tag) == STATE_FREE;
            if (tag != p->book[page] || (is_free && was_free)) {
                snprintf(why, size,
                         tag == p->book[page] ? "two free runs touch"
                                              : "the tag of a page was written over");
                return false;
            }
            was_free = is_free;
            pages_free += is_free ? tag_pages(tag) : 0;
            dirty += tag & DIRTY ? tag_pages(tag) : 0;
        }
        if (heap_peek64(h, p->start + FREE_AT) != pages_free) {
            snprintf(why, size, "a segment counts its free pages wrongly");
            return false;
        }
    }
    if (dirty == r->dirty_pages)
        return true;
    snprintf(why, size, "the dirty pages are counted wrongly");
    return false;
}

/* ---- mending ---- */

static void mend_segment(struct heap *h, struct runs *r, const struct heap_piece *p)
{
    uint64_t pages_free = 0;
    for (uint64_t page = r->meta; page < pages_of(r); page++)
        if (heap_peek64(h, tag_at(p->start, page)) != p->book[page])
            heap_store64(h, tag_at(p->start, page), p->book[page]);
    for (uint64_t page = r->meta; page < pages_of(r); page += tag_pages(p->book[page]))
        if (tag_state(p->book[page]) == STATE_FREE)
            pages_free += tag_pages(p->book[page]);
    heap_store64(h, p->start, r->first);
    heap_store64(h, p->start + FREE_AT, pages_free);
    r->first = p->start;
}

static void mend_run(struct heap *h, const struct run_user *user, struct run_view *v, va_t run)
{
    memset(v->free, 0, sizeof(v->free));
    user->shape(h, v, run);
    v->count = v->possible;
    for (unsigned i = 0; i < v->possible; i++) {
        const struct heap_block *b = shadow_find(h->shadow, v->start + v->offset + i * v->slot);
        if (!b || b->kind != BLOCK_LIVE)
            v->free[i / 64] |= UINT64_C(1) << i % 64;
    }
    user->refill(h, v, run);
}

void runs_mend(struct heap *h, struct runs *r, const struct run_user *user)
{
    r->first = 0;
    for (size_t i = piece_count(h); i-- > 0;)
        mend_segment(h, r, piece_at(h, i));
    user->empty(h);
    for (size_t i = 0; i < piece_count(h); i++) {
        va_t segment = piece_at(h, i)->start;
        for (uint64_t page = r->meta; page < pages_of(r);) {
            uint64_t tag = piece_at(h, i)->book[page];
            struct run_view v = {.start = segment + page * PAGE_SIZE, .class = tag_class(tag)};
            v.detail = tag_detail(tag);
            v.bytes = tag_pages(tag) * PAGE_SIZE;
            if (tag_state(tag) == STATE_USED && v.class < RUN_LARGE)
                mend_run(h, user, &v, tag_at(segment, page));
            page += tag_pages(tag);
        }
    }
}
