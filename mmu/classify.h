/* classify.h: why a lookup missed: cold, capacity, conflict (Hill's three Cs) or coherence.
 *
 * Beside the real level stands a fully associative LRU one of the same size, and a record of all
 * pages that were ever filled. A miss of a page never filled is cold; one of a page that the level
 * held until it was invalidated is of coherence; one that the fully associative level also misses
 * is of capacity; any other is of conflict (or of the policy). An invalidation removes the page
 * from both.
 *
 * All operations take constant time. One word for each page says where in the fully associative
 * level the page was put last; the words of 512 neighbours, as many as a page table has, stand
 * together, and a hash table finds them. So a miss reads one word, from where the words of pages
 * around were read before. That level is a ring in the order of use: the place after the newest is
 * the oldest, so a page takes the place of the oldest by one step of the ring.
 */
#ifndef MEMWALK_MMU_CLASSIFY_H
#define MEMWALK_MMU_CLASSIFY_H

#include "mmu/tlb.h"

struct arena;

#define GROUP_BITS  9u
#define GROUP_PAGES (1u << GROUP_BITS)

/* What is known of a page: where in held[] it was put last, unless it is one of these. A page that
 * loses its place is not told, but finds another there. */
enum { PAGE_UNKNOWN, PAGE_DROPPED, HELD_FIRST };

/* Pages whose keys differ in the last bits of the page number only. Groups never move. */
struct classify_group {
    uint32_t page[GROUP_PAGES];
};

struct classify_bucket {
    uint64_t tag; /* 0: nothing here */
    struct classify_group *group;
};

#define NEAR_GROUPS 256u /* remembered beside the table */

struct held {
    uint64_t key;          /* 0: a free place; they are the oldest of the ring */
    uint32_t newer, older; /* neighbours in the ring */
};

struct classify {
    struct arena *arena;
    struct held *held; /* [HELD_FIRST … HELD_FIRST + entries); those before have no key */
    uint32_t newest;
    uint32_t *hint; /* [slot of the level's main array] where in held[] its page was last */
    bool larger;
    uint32_t bits, count;
    struct classify_bucket *bucket; /* [2^bits], at most half of them used; linear probing */
    struct classify_bucket *near;   /* [NEAR_GROUPS] found last, by the lowest bits of the tag */
};

/* NULL: no memory. entries: of the level beside it; main: its array of small pages. */
struct classify *classify_new(struct arena *, uint64_t entries, const struct tlb *main);
enum miss_class classify_miss(const struct classify *, uint64_t key);
/* The page was invalidated. */
void classify_drop(struct classify *, uint64_t key);
/* The words of the pages around this one, to be filled soon; NULL: no memory. */
struct classify_group *classify_group(struct classify *, uint64_t key);

/* Was any page ever filled that is larger than 4 KiB? */
static inline bool classify_knows_larger(const struct classify *c)
{
    return c->larger;
}

/* What the keys of a group have in common; never 0, as a key has a size. */
static inline uint64_t classify_tag(uint64_t key)
{
    return key & ~((uint64_t)(GROUP_PAGES - 1) << KEY_SIZE_BITS);
}

static inline struct classify_bucket *classify_near(const struct classify *c, uint64_t key)
{
    return &c->near[key >> (KEY_SIZE_BITS + GROUP_BITS) & (NEAR_GROUPS - 1)];
}

static inline uint32_t *classify_page(struct classify_group *g, uint64_t key)
{
    return &g->page[key >> KEY_SIZE_BITS & (GROUP_PAGES - 1)];
}

/* Takes a place out of the ring and puts it between the newest and the oldest. */
static inline void classify_move(struct classify *c, uint32_t at)
{
    struct held *held = c->held, *h = &held[at];
    held[h->newer].older = h->older;
    held[h->older].newer = h->newer;
    uint32_t oldest = held[c->newest].newer;
    h->older = c->newest;
    h->newer = oldest;
    held[c->newest].newer = at;
    held[oldest].older = at;
}

static inline void classify_use_held(struct classify *c, uint32_t at)
{
    if (at == c->newest)
        return;
    classify_move(c, at);
    c->newest = at;
}

/* The page whose word this is was hit or filled: it is the newest now. Its class, had it been
 * missed. */
static inline enum miss_class classify_use_page(struct classify *c, uint32_t *page, uint64_t key)
{
    uint32_t at = *page;
    if (c->held[at].key == key) {
        classify_use_held(c, at);
        return MISS_CONFLICT;
    }
    uint32_t oldest = c->held[c->newest].newer;
    c->newest = *page = oldest;
    c->held[oldest].key = key;
    return at >= HELD_FIRST ? MISS_CAPACITY : at == PAGE_UNKNOWN ? MISS_COLD : MISS_COHERENCE;
}

/* The page was hit or filled: it is the newest now. Its class, had it been missed. */
static inline enum miss_class classify_use(struct classify *c, uint64_t key)
{
    const struct classify_bucket *near = classify_near(c, key);
    bool known = __builtin_expect(near->tag == classify_tag(key), 1);
    struct classify_group *g = known ? near->group : classify_group(c, key);
    return g ? classify_use_page(c, classify_page(g, key), key) : MISS_COLD;
}

/* The page in this slot of the level's main array was hit. */
static inline void classify_use_slot(struct classify *c, size_t slot, uint64_t key)
{
    uint32_t at = c->hint[slot];
    if (c->held[at].key == key) {
        classify_use_held(c, at);
        return;
    }
    classify_use(c, key);
    c->hint[slot] = c->newest;
}

#endif
