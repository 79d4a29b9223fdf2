/* psc.h: paging-structure caches: entries of upper levels that shorten a walk.
 *
 * Intel SDM vol. 3A, "Paging-Structure Caches": an entry of level n is found by the address bits
 * that select it and the PCID, and holds the table it points to, with the rights of all levels down
 * to it. Each level is an array of sets with LRU, one set unless configured.
 */
#ifndef MEMWALK_MMU_PSC_H
#define MEMWALK_MMU_PSC_H

#include "mmu/tlb.h"
#include "mmu/walk.h"

struct psc {
    struct tlb level[LEVELS_MAX + 1]; /* [2] PDE … [5] PML5E; config.ways 0: none */
    bool any;
    uint64_t born; /* goes up whenever psc_fill puts an entry in: batch.c knows its own */
};

bool psc_init(struct psc *, struct arena *, const struct mmu_config *);
/* The lowest level that knows va says where the walk goes on; false: it starts at the root. */
bool psc_find(struct psc *, struct env *, va_t, uint64_t space, struct walk_start *);
/* Holds the tables that a completed walk came by. */
void psc_fill(struct psc *, struct env *, const struct walk *, uint64_t space);

/* One size of "page" per cache: what an entry of the level covers. Never 0, as 0 is invalid. */
static inline uint64_t psc_key(va_t va, unsigned level, uint64_t space)
{
    va_t kept = va & (((va_t)1 << VA_BITS_KEPT) - 1);
    return kept >> level_shift(level) << KEY_SIZE_BITS | SIZE_4K | space;
}

/* What is held of step i of a walk: the table that its entry points to (in a guest: behind its EPT)
 * and the rights down to there. */
static inline uint64_t psc_data(const struct walk *w, unsigned i)
{
    return (w->step[i + 1].pa & ~PAGE_MASK) | w->step[i].flags;
}

/* Forgets all in the scope, or only what would be used for one address. */
void psc_flush(struct psc *, struct env *, const struct scope *);
void psc_drop(struct psc *, struct env *, va_t, const struct scope *);
/* The first address that an entry with this key covers. */
va_t psc_va(uint64_t key, unsigned level);

#endif
