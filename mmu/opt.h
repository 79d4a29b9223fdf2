/* opt.h: the fewest misses that any replacement could have had: Belady's MIN, computed afterwards.
 *
 * While the machine runs, the use of pages in a level is recorded: each hit and each fill of
 * another page than the one used last in its set, and each invalidation. Uses of the same page in a
 * row cannot miss under any policy, so they are left out, and the fast ways to a page that was just
 * hit need no record. Afterwards the level is run again with the same sets and ways, throwing out
 * the page whose next use is farthest; a page that will be invalidated before its next use has
 * none.
 *
 * L. A. Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer" (IBM Systems
 * Journal 5, 1966). Every miss must fill, as in a TLB, so the bound holds for every policy over the
 * same uses. NOTE: an invalidation is recorded where the level held the page at that time, so the
 * bound can be a little lower than what any policy could reach. NOTE: the uses of the second level
 * are those that the first one, with its own policy, left to it.
 */
#ifndef MEMWALK_MMU_OPT_H
#define MEMWALK_MMU_OPT_H

#include "mmu/tlb.h"

struct arena;
struct opt;

/* For this level. limit: uses that may be recorded, of 8 bytes each; with more there is no bound.
 * NULL: no memory. */
struct opt *opt_new(struct arena *, const struct tlb *, uint64_t limit);
/* The entry of this key was hit or filled. Keys are not 0. */
void opt_use(struct opt *, uint64_t key);
/* It was invalidated. */
void opt_drop(struct opt *, uint64_t key);
/* Misses that end in a fill, by the best replacement. false: too many uses to be recorded, or the
 * host has no memory to run them again. Changes nothing; takes about as long as the run itself. */
bool opt_misses(const struct opt *, uint64_t *misses);

#endif
