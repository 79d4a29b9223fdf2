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
/* Holds the tables that a completed walk came by. */
void psc_fill(struct psc *, struct env *, const struct walk *, uint64_t space);
/* Forgets all in the scope, or only what would be used for one address. */
void psc_flush(struct psc *, struct env *, const struct scope *);
void psc_drop(struct psc *, struct env *, va_t, const struct scope *);
/* The first address that an entry with this key covers. */
va_t psc_va(uint64_t key, unsigned level);

#endif
