/* classify.h: why a lookup missed: cold, capacity, conflict (Hill's three Cs) or coherence.
 *
 * Beside the real level stands a fully associative LRU one of the same size, and a list of all
 * pages that were ever filled. A miss of a page never filled is cold; one of a page that the level
 * held until it was invalidated is of coherence; one that the fully associative level also misses
 * is of capacity; any other is of conflict (or of the policy). An invalidation removes the page
 * from both.
 *
 * All operations take constant time: one hash table finds a page, one linked list keeps the order.
 */
#ifndef MEMWALK_MMU_CLASSIFY_H
#define MEMWALK_MMU_CLASSIFY_H

#include "mmu/mmu.h"

struct arena;
struct classify;

/* NULL: no memory. entries: of the level beside it. */
struct classify *classify_new(struct arena *, uint64_t entries);
enum miss_class classify_miss(const struct classify *, uint64_t key);
/* The page was hit or filled. */
void classify_use(struct classify *, uint64_t key);
/* The page was missed and then filled: both of these in one. */
enum miss_class classify_fill(struct classify *, uint64_t key);
/* The page was invalidated. */
void classify_drop(struct classify *, uint64_t key);
/* Was any page ever filled that is larger than 4 KiB? */
bool classify_knows_larger(const struct classify *);
/* Host speed only: the page will be asked for soon. */
void classify_prefetch(const struct classify *, uint64_t key);

#endif
