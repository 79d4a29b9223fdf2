/* prefetch.h: translations fetched before they are missed, by what the last misses were.
 *
 *     miss of the last level ──▶ buffer ──has it──▶ into the TLBs, no walk
 *              │                    ▲
 *              └──▶ predict ──walk──┘   next page, or the distance that followed this one last time
 *
 * What is fetched waits in a small buffer (first in, first out) and is of use only when it is
 * missed; so a wrong guess throws nothing out of the TLBs. A prefetch never changes anything else:
 * it is given up where an entry is not present or was never accessed, so it sets no A bit and
 * cannot fault. Distance: G. Kandiraju, A. Sivasubramaniam, "Going the Distance for TLB
 * Prefetching" (ISCA 2002): a table says which distances between missed pages followed each other.
 *
 * Invalidations reach the buffer too. NOTE: the walks of prefetches take no time and no walker, and
 * neither use nor fill the paging-structure caches; their reads do go through the data caches.
 */
#ifndef MEMWALK_MMU_PREFETCH_H
#define MEMWALK_MMU_PREFETCH_H

#include "mmu/tlb.h"

struct arena;
struct mmu;

#define DISTANCE_ROWS  64u /* of the table, direct-mapped */
#define DISTANCE_GUESS 2u  /* distances that each row keeps, the newest first */

struct distance_row {
    int64_t distance; /* 0: empty */
    int64_t then[DISTANCE_GUESS];
};

struct prefetch {
    struct tlb buffer; /* one set, FIFO; config.ways 0: no prefetching */
    vpn_t last;        /* page missed last; 0: none */
    int64_t distance;  /* between the last two */
    struct distance_row row[DISTANCE_ROWS];
};

/* Buffer from the arena; false: no memory. */
bool prefetch_init(struct prefetch *, struct arena *, const struct mmu_config *);

/* The last level missed va. The translation if the buffer has it, which is taken out; 0: it has
 * not, or the access needs a walk all the same. */
uint64_t prefetch_take(struct mmu *, va_t, enum access);
/* The translation of va was missed and is there now: fetches what may come next. */
void prefetch_next(struct mmu *, va_t);
/* Forgets va in every size, whatever its space, or all. */
void prefetch_drop(struct mmu *, va_t);
void prefetch_flush(struct mmu *);

#endif
