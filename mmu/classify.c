/* classify.c: a hash table of all pages ever filled, and the most recent of them linked in order.
 *
 * The table is large and looked into at random places, which the host's caches do not like; so it
 * is looked into once for each use, and not at all for pages that are used often. The order of use
 * is in an array of its own, as small as the level: a page that it loses is not told, but finds
 * another in its place.
 */
#include "mmu/classify.h"

#include "mmu/tlb.h"
#include "sim/base/arena.h"

#include <string.h>

#define NIL        UINT32_MAX
#define FIRST_BITS 8u
#define HINT_BITS  8u

/* A page that was filled once; they never go away. */
struct page {
    uint64_t key;  /* 0: nothing here */
    uint32_t slot; /* where it is in held[], if it is there */
    bool dropped;  /* invalidated, and not filled since */
};

struct held {
    uint64_t key;          /* 0: a free place */
    uint32_t newer, older; /* neighbours in the order of use; older: of free ones the next */
};

struct classify {
    struct arena *arena;
    struct page *page; /* [2^bits], at most half of them used; found by linear probing */
    uint32_t bits, count;
    struct held *held;       /* [entries] */
    uint32_t entries, fresh; /* fresh: so many of held[] were ever used */
    uint32_t free;           /* one that was used and is free; NIL: none */
    uint32_t newest, oldest;
    bool larger;
    uint32_t hint[1u << HINT_BITS]; /* where in held[] a page with such a key was last */
};

static size_t room_of(const struct classify *c)
{
    return (size_t)1 << c->bits;
}

static size_t home_of(const struct classify *c, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - c->bits));
}

static uint32_t *hint_of(struct classify *c, uint64_t key)
{
    return &c->hint[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - HINT_BITS)];
}

/* Where the page is, or where it would be put. */
static size_t find(const struct classify *c, uint64_t key)
{
    size_t i = home_of(c, key);
    while (c->page[i].key && c->page[i].key != key)
        i = (i + 1) & (room_of(c) - 1);
    return i;
}

static void move_pages(struct classify *c, const struct page *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (from[i].key)
            c->page[find(c, from[i].key)] = from[i];
}

/* Makes room for twice as many. false: no memory, nothing changed. */
static bool grow(struct classify *c)
{
    size_t room = room_of(c);
    struct page *old = c->page;
    struct page *page = c->bits < 31 ? arena_alloc(c->arena, 2 * room * sizeof(*page)) : NULL;
    if (!page)
        return false;
    c->page = page;
    c->bits++;
    move_pages(c, old, room);
    arena_free(c->arena, old, room * sizeof(*old));
    return true;
}

struct classify *classify_new(struct arena *arena, uint64_t entries)
{
    struct classify *c = arena_alloc(arena, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct classify){.arena = arena, .bits = FIRST_BITS, .entries = (uint32_t)entries};
    c->newest = c->oldest = c->free = NIL;
    c->page = arena_alloc(arena, room_of(c) * sizeof(c->page[0]));
    c->held = arena_alloc(arena, entries * sizeof(c->held[0]));
    return c->page && c->held ? c : NULL;
}

static bool is_held(const struct classify *c, size_t at)
{
    uint32_t slot = c->page[at].slot;
    return slot < c->fresh && c->held[slot].key == c->page[at].key;
}

static enum miss_class class_of(const struct classify *c, size_t at)
{
    const struct page *p = &c->page[at];
    if (!p->key)
        return MISS_COLD;
    if (p->dropped)
        return MISS_COHERENCE;
    return is_held(c, at) ? MISS_CONFLICT : MISS_CAPACITY;
}

enum miss_class classify_miss(const struct classify *c, uint64_t key)
{
    return class_of(c, find(c, key));
}

static void unlink_held(struct classify *c, uint32_t slot)
{
    const struct held *h = &c->held[slot];
    *(h->newer == NIL ? &c->newest : &c->held[h->newer].older) = h->older;
    *(h->older == NIL ? &c->oldest : &c->held[h->older].newer) = h->newer;
}

static void link_newest(struct classify *c, uint32_t slot)
{
    c->held[slot].newer = NIL;
    c->held[slot].older = c->newest;
    *(c->newest == NIL ? &c->oldest : &c->held[c->newest].newer) = slot;
    c->newest = slot;
}

/* A place in the fully associative level, of the page used longest ago where it is full. */
static uint32_t make_place(struct classify *c)
{
    uint32_t slot = c->free;
    if (slot != NIL) {
        c->free = c->held[slot].older;
        return slot;
    }
    if (c->fresh < c->entries)
        return c->fresh++;
    slot = c->oldest;
    unlink_held(c, slot);
    return slot;
}

/* NOTE: when the arena is full, new pages are not remembered and stay cold. */
static bool add(struct classify *c, uint64_t key, size_t *at)
{
    if (2 * (size_t)(c->count + 1) > room_of(c)) {
        if (!grow(c))
            return false;
        *at = find(c, key);
    }
    c->page[*at] = (struct page){.key = key, .slot = NIL};
    c->count++;
    c->larger |= key_size(key) != SIZE_4K;
    return true;
}

static void use(struct classify *c, uint64_t key, size_t at)
{
    if (!c->page[at].key && !add(c, key, &at))
        return;
    struct page *p = &c->page[at];
    p->dropped = false;
    if (is_held(c, at)) {
        unlink_held(c, p->slot);
    } else {
        p->slot = make_place(c);
        c->held[p->slot].key = key;
    }
    link_newest(c, p->slot);
    *hint_of(c, key) = p->slot;
}

/* A page that is held was not dropped, so only the order changes. */
void classify_use(struct classify *c, uint64_t key)
{
    if (c->newest != NIL && c->held[c->newest].key == key)
        return;
    uint32_t slot = *hint_of(c, key);
    if (slot < c->fresh && c->held[slot].key == key) {
        unlink_held(c, slot);
        link_newest(c, slot);
    } else {
        use(c, key, find(c, key));
    }
}

enum miss_class classify_fill(struct classify *c, uint64_t key)
{
    size_t at = find(c, key);
    enum miss_class class = class_of(c, at);
    use(c, key, at);
    return class;
}

void classify_drop(struct classify *c, uint64_t key)
{
    size_t at = find(c, key);
    struct page *p = &c->page[at];
    if (!p->key)
        return;
    p->dropped = true;
    if (!is_held(c, at))
        return;
    unlink_held(c, p->slot);
    c->held[p->slot].key = 0;
    c->held[p->slot].older = c->free;
    c->free = p->slot;
}

bool classify_knows_larger(const struct classify *c)
{
    return c->larger;
}

void classify_prefetch(const struct classify *c, uint64_t key)
{
    __builtin_prefetch(&c->page[home_of(c, key)]);
}
