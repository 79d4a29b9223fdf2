/* classify.c: a hash table of all pages ever filled, the most recent of them linked in order. */
#include "mmu/classify.h"

#include "sim/base/arena.h"

#include <string.h>

#define NIL        UINT32_MAX
#define FIRST_ROOM 256u

/* A page that was filled once. They never go away, so a number names one for good. */
struct page {
    uint64_t key;
    uint32_t chain;        /* next in its bucket */
    uint32_t newer, older; /* neighbours in the order of use */
    bool held;             /* by the fully associative level */
    bool dropped;          /* invalidated, and not filled since */
};

struct classify {
    struct arena *arena;
    struct page *page;
    uint32_t *bucket; /* [room], a power of two */
    uint32_t room, count;
    uint64_t entries, held;
    uint32_t newest, oldest;
};

static uint32_t bucket_of(const struct classify *c, uint64_t key)
{
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (c->room - 1);
}

static void rehash(struct classify *c)
{
    memset(c->bucket, 0xff, c->room * sizeof(c->bucket[0]));
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t *head = &c->bucket[bucket_of(c, c->page[i].key)];
        c->page[i].chain = *head;
        *head = i;
    }
}

/* Makes room for twice as many. false: no memory, nothing changed. */
static bool grow(struct classify *c)
{
    uint32_t room = c->room * 2;
    uint32_t *bucket = room ? arena_alloc(c->arena, room * sizeof(*bucket)) : NULL;
    if (!bucket)
        return false;
    struct page *page =
        arena_resize(c->arena, c->page, c->room * sizeof(*page), (size_t)room * sizeof(*page));
    if (!page) {
        arena_free(c->arena, bucket, room * sizeof(*bucket));
        return false;
    }
    arena_free(c->arena, c->bucket, c->room * sizeof(*bucket));
    c->page = page;
    c->bucket = bucket;
    c->room = room;
    rehash(c);
    return true;
}

struct classify *classify_new(struct arena *arena, uint64_t entries)
{
    struct classify *c = arena_alloc(arena, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct classify){.arena = arena, .room = FIRST_ROOM, .entries = entries};
    c->newest = c->oldest = NIL;
    c->page = arena_alloc(arena, c->room * sizeof(c->page[0]));
    c->bucket = arena_alloc(arena, c->room * sizeof(c->bucket[0]));
    if (!c->page || !c->bucket)
        return NULL;
    rehash(c);
    return c;
}

static uint32_t find(const struct classify *c, uint64_t key)
{
    uint32_t i = c->bucket[bucket_of(c, key)];
    while (i != NIL && c->page[i].key != key)
        i = c->page[i].chain;
    return i;
}

enum miss_class classify_miss(const struct classify *c, uint64_t key)
{
    uint32_t i = find(c, key);
    if (i == NIL)
        return MISS_COLD;
    if (c->page[i].dropped)
        return MISS_COHERENCE;
    return c->page[i].held ? MISS_CONFLICT : MISS_CAPACITY;
}

static void unlink_page(struct classify *c, uint32_t i)
{
    struct page *p = &c->page[i];
    *(p->newer == NIL ? &c->newest : &c->page[p->newer].older) = p->older;
    *(p->older == NIL ? &c->oldest : &c->page[p->older].newer) = p->newer;
    p->held = false;
    c->held--;
}

static void link_newest(struct classify *c, uint32_t i)
{
    struct page *p = &c->page[i];
    p->newer = NIL;
    p->older = c->newest;
    *(c->newest == NIL ? &c->oldest : &c->page[c->newest].newer) = i;
    c->newest = i;
    p->held = true;
    c->held++;
}

/* NOTE: when the arena is full, new pages are not remembered and stay cold. */
static uint32_t add(struct classify *c, uint64_t key)
{
    if (c->count == c->room && !grow(c))
        return NIL;
    uint32_t i = c->count++;
    uint32_t *head = &c->bucket[bucket_of(c, key)];
    c->page[i] = (struct page){.key = key, .chain = *head};
    *head = i;
    return i;
}

void classify_use(struct classify *c, uint64_t key)
{
    if (c->newest != NIL && c->page[c->newest].key == key)
        return;
    uint32_t i = find(c, key);
    if (i == NIL && (i = add(c, key)) == NIL)
        return;
    c->page[i].dropped = false;
    if (c->page[i].held)
        unlink_page(c, i);
    else if (c->held == c->entries)
        unlink_page(c, c->oldest);
    link_newest(c, i);
}

void classify_drop(struct classify *c, uint64_t key)
{
    uint32_t i = find(c, key);
    if (i == NIL)
        return;
    c->page[i].dropped = true;
    if (c->page[i].held)
        unlink_page(c, i);
}
