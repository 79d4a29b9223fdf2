/* classify.c: finding the words of a page in a table that grows; what is done with them is inline
 * in classify.h.
 */
#include "mmu/classify.h"

#include "sim/base/arena.h"

#define FIRST_BITS 4u

static size_t room_of(const struct classify *c)
{
    return (size_t)1 << c->bits;
}

/* Where the group is, or where it would be put. */
static struct classify_bucket *find(const struct classify *c, uint64_t tag)
{
    size_t i = (size_t)(tag * UINT64_C(0x9e3779b97f4a7c15) >> (64 - c->bits));
    while (c->bucket[i].tag && c->bucket[i].tag != tag)
        i = (i + 1) & (room_of(c) - 1);
    return &c->bucket[i];
}

/* Makes room for twice as many. false: no memory, nothing changed. */
static bool grow(struct classify *c)
{
    size_t room = room_of(c);
    struct classify_bucket *old = c->bucket;
    struct classify_bucket *fresh =
        c->bits < 31 ? arena_alloc(c->arena, 2 * room * sizeof(*fresh)) : NULL;
    if (!fresh)
        return false;
    c->bucket = fresh;
    c->bits++;
    for (size_t i = 0; i < room; i++)
        if (old[i].tag)
            *find(c, old[i].tag) = old[i];
    arena_free(c->arena, old, room * sizeof(*old));
    return true;
}

/* A ring of free places, the first one the oldest. */
static bool held_init(struct classify *c, uint32_t entries)
{
    c->held = arena_alloc(c->arena, ((size_t)HELD_FIRST + entries) * sizeof(c->held[0]));
    if (!c->held)
        return false;
    for (uint32_t i = 0; i < entries; i++) {
        c->held[HELD_FIRST + i].newer = HELD_FIRST + (i + 1) % entries;
        c->held[HELD_FIRST + i].older = HELD_FIRST + (i + entries - 1) % entries;
    }
    c->newest = HELD_FIRST + entries - 1;
    return true;
}

struct classify *classify_new(struct arena *arena, uint64_t entries, const struct tlb *main)
{
    struct classify *c = arena_alloc(arena, sizeof(*c));
    if (!c)
        return NULL;
    *c = (struct classify){.arena = arena, .bits = FIRST_BITS};
    c->bucket = arena_alloc(arena, room_of(c) * sizeof(c->bucket[0]));
    c->near = arena_alloc(arena, NEAR_GROUPS * sizeof(c->near[0]));
    c->hint = arena_alloc(arena, (size_t)main->config.sets * main->stride * sizeof(c->hint[0]));
    return c->bucket && c->near && c->hint && held_init(c, (uint32_t)entries) ? c : NULL;
}

/* NOTE: when the arena is full, new pages are not remembered and stay cold. */
static struct classify_group *group_of(struct classify *c, uint64_t key)
{
    uint64_t tag = classify_tag(key);
    struct classify_bucket *b = find(c, tag);
    if (b->tag)
        return b->group;
    if (2 * (size_t)(c->count + 1) > room_of(c)) {
        if (!grow(c))
            return NULL;
        b = find(c, tag);
    }
    struct classify_group *group = arena_alloc(c->arena, sizeof(*group));
    if (!group)
        return NULL;
    *b = (struct classify_bucket){tag, group};
    c->count++;
    c->larger |= key_size(key) != SIZE_4K;
    return group;
}

struct classify_group *classify_group(struct classify *c, uint64_t key)
{
    struct classify_group *group = group_of(c, key);
    if (group)
        *classify_near(c, key) = (struct classify_bucket){classify_tag(key), group};
    return group;
}

enum miss_class classify_miss(const struct classify *c, uint64_t key)
{
    const struct classify_bucket *b = find(c, classify_tag(key));
    uint32_t page = b->tag ? *classify_page(b->group, key) : PAGE_UNKNOWN;
    if (page < HELD_FIRST)
        return page == PAGE_UNKNOWN ? MISS_COLD : MISS_COHERENCE;
    return c->held[page].key == key ? MISS_CONFLICT : MISS_CAPACITY;
}

/* Its place is free now, and so the oldest. */
void classify_drop(struct classify *c, uint64_t key)
{
    const struct classify_bucket *b = find(c, classify_tag(key));
    uint32_t *page = b->tag ? classify_page(b->group, key) : NULL;
    if (!page || *page == PAGE_UNKNOWN)
        return;
    uint32_t at = *page;
    *page = PAGE_DROPPED;
    if (c->held[at].key != key)
        return;
    c->held[at].key = 0;
    if (at == c->newest)
        c->newest = c->held[at].older;
    else
        classify_move(c, at);
}
