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
    uint64_t born; /* goes up whenever psc_fill puts an entry in: front.c knows its own */
};

bool psc_init(struct psc *, struct arena *, const struct mmu_config *);
/* The lowest level that knows va says where the walk goes on; false: it starts at the root. */
bool psc_find(struct psc *, struct env *, va_t, uint64_t space, struct walk_start *);
/* Holds the tables that a completed walk came by. */
void psc_fill(struct psc *, struct env *, const struct walk *, uint64_t space);

/* ---- for front.c, while nobody listens ---- */

struct psc_place {
    unsigned level;
    uint32_t set, way;
};

/* One size of "page" per cache: what an entry of the level covers. Never 0, as 0 is invalid. */
static inline uint64_t psc_key(va_t va, unsigned level, uint64_t space)
{
    va_t kept = va & (((va_t)1 << VA_BITS_KEPT) - 1);
    return kept >> level_shift(level) << KEY_SIZE_BITS | SIZE_4K | space;
}

static inline struct tlb_entry *psc_entry(const struct psc *psc, const struct psc_place *at)
{
    const struct tlb *t = &psc->level[at->level];
    return &t->entry[tlb_slot(t, at->set, at->way)];
}

/* The entry was of use. All levels are LRU, so their policy is called by its name. */
static inline void psc_use(struct psc *psc, const struct psc_place *at)
{
    const struct tlb *t = &psc->level[at->level];
    uint64_t *state = tlb_state(t, at->set);
    if (t->config.ways <= REPL_PACKED_WAYS)
        *state = repl_front(*state, at->way);
    else
        repl_ring_use((uint16_t *)(void *)state, at->way);
}

/* Puts an entry that is not held into its set: at->way says where. */
static inline void psc_add(struct psc *psc, struct psc_place *at, uint64_t key, uint64_t data)
{
    struct tlb *t = &psc->level[at->level];
    const uint64_t *state = tlb_state(t, at->set);
    if (t->valid[at->set] < t->config.ways) {
        struct tlb_entry victim;
        at->way = tlb_put(t, NULL, at->set, key, data, &victim);
        return;
    }
    at->way = t->config.ways <= REPL_PACKED_WAYS
                  ? repl_oldest(*state, t->config.ways)
                  : repl_ring_oldest((const uint16_t *)(const void *)state);
    *psc_entry(psc, at) = (struct tlb_entry){key, data};
    t->shorts[tlb_slot(t, at->set, at->way)] = key_short(key);
    psc_use(psc, at);
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
