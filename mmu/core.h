/* core.h: the inside of struct mmu, shared by mmu.c (the plain path) and front.c (the fast one).
 */
#ifndef MEMWALK_MMU_CORE_H
#define MEMWALK_MMU_CORE_H

#include "mmu/cache.h"
#include "mmu/classify.h"
#include "mmu/front.h"
#include "mmu/opt.h"
#include "mmu/prefetch.h"
#include "mmu/psc.h"
#include "mmu/tlb.h"
#include "mmu/walk.h"
#include "mmu/walkers.h"

struct mmu {
    struct env *env;
    struct ram *ram;
    struct mmu_config config;
    struct mmu_regs regs;
    struct mmu_counters count;
    struct tlb tlb[TLB_ARRAYS];
    struct classify *classify[TLB_LEVELS]; /* NULL: not configured */
    struct opt *opt[TLB_LEVELS];           /* NULL: not configured */
    struct psc psc;
    struct caches caches;
    struct prefetch prefetch;
    struct walkers walkers;
    cycles_t walk_cycles; /* of the walk under way, where walks overlap */
    struct front front;
};

/* An access within one page. */
struct piece {
    va_t va;
    size_t length;
    enum access how;
};

/* The plain path: translates with every count and event, and gives the physical address. */
bool mmu_translate(struct mmu *, const struct piece *, pa_t *, struct mmu_fault *);
/* Charges and counts the data of a piece that was translated. */
void mmu_data(struct mmu *, const struct piece *, pa_t);

/* The current address space as TLB keys have it. Without a guest the VPID is 0. */
static inline uint64_t mmu_space(const struct mmu_regs *regs)
{
    return (uint64_t)mmu_pcid(regs) << KEY_PCID_SHIFT | (uint64_t)regs->vpid << KEY_VPID_SHIFT;
}

static inline bool mmu_has_level(const struct mmu *m, unsigned level)
{
    return m->tlb[level].config.sets != 0;
}

/* The levels that an access asks. */
static inline unsigned mmu_first(const struct mmu *m, enum access how)
{
    return how == ACCESS_FETCH && mmu_has_level(m, TLB_L1I) ? TLB_L1I : TLB_L1D;
}

static inline unsigned mmu_second(const struct mmu *m, enum access how)
{
    return how == ACCESS_FETCH && mmu_has_level(m, TLB_L2I) ? TLB_L2I : TLB_L2;
}

static inline void mmu_charge(struct mmu *m, cycles_t *sum, cycles_t cycles)
{
    *sum += cycles;
    m->env->cycle += cycles;
}

#endif
