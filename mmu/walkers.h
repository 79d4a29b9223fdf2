/* walkers.h: several page walkers, and a processor that goes on while they work: which part of the
 * walks' time is waited for.
 *
 *     access   1     2     3     4     5
 *     walker A ├──────────┤│
 *     walker B       ├─────────┤
 *                             ▲ window 2: access 3 may begin, but not 4, before the walk of 1 ended
 *
 * A walk begins when it is needed and a walker is free, takes as long as its reads cost, and is
 * waited for when the window of accesses that may be under way behind it is full. Then only is time
 * charged. With a window of 0, the default, each walk is waited for at once, and the number of
 * walkers does not matter.
 *
 * NOTE: no access depends on the data of another, so this is the most that overlapping can give; a
 * fault waits for all walks, a system call for none.
 */
#ifndef MEMWALK_MMU_WALKERS_H
#define MEMWALK_MMU_WALKERS_H

#include "mmu/mmu.h"

#define WALKERS_MAX 16u
#define WINDOW_MAX  256u
#define PENDING_MAX (2 * WINDOW_MAX) /* an access needs one walk at most */

struct walkers {
    uint32_t count, window;
    cycles_t free_at[WALKERS_MAX]; /* [walker]: when its walk ends */
    /* Walks not waited for yet, a ring in the order of their accesses. */
    struct {
        uint64_t access; /* its number */
        cycles_t end;
    } pending[PENDING_MAX];
    uint32_t first, pending_count;
};

static inline bool walkers_overlap(const struct walkers *w)
{
    return w->window != 0;
}

/* Access number n begins at this time: how long it must wait for walks before it. */
cycles_t walkers_begin(struct walkers *, uint64_t n, cycles_t now);
/* The access under way needs a walk of so many cycles. true: no walker was free at once. */
bool walkers_walk(struct walkers *, uint64_t n, cycles_t now, cycles_t length);
/* How long it takes until all walks have ended; none is pending then. */
cycles_t walkers_drain(struct walkers *, cycles_t now);

#endif
