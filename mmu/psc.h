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
};

bool psc_init(struct psc *, struct arena *, const struct mmu_config *);
/* The lowest level that knows va says where the walk goes on; false: it starts at the root. */
bool psc_find(struct psc *, struct env *, va_t, uint64_t space, struct walk_start *);
/* The same in two steps, for front.c: where the lowest level is that knows va, from level 2 up to
 * top; and that it was of use. */
struct psc_place {
    unsigned level;
    uint32_t set, way;
    uint64_t data; /* as psc_data makes it */
};
bool psc_peek(const struct psc *, va_t, uint64_t space, unsigned top, struct psc_place *);
void psc_use(struct psc *, const struct psc_place *);
/* Holds the tables that a completed walk came by. */
void psc_fill(struct psc *, struct env *, const struct walk *, uint64_t space);
/* One of them, which is not held yet. */
void psc_add(struct psc *, struct env *, va_t, uint64_t space, unsigned level, uint64_t data);

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
