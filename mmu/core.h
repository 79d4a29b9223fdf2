/* core.h: the inside of struct mmu, shared by mmu.c (the plain path), front.c and batch.c (the fast
 * one).
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

/* The guests that have entries, each named in their keys by its place: a VPID with the address of
 * an EPT. SDM vol. 3C, "Information That May Be Cached": a combined mapping belongs to VPID, PCID
 * and EP4TA (bits 51:12 of EPTP). NOTE: sixteen bits of VPID and forty of EP4TA do not fit into a
 * key; when a further guest comes, the one that ran longest ago loses its entries, as the
 * architecture allows. */
#define GUESTS 15u

struct guests {
    struct {
        uint16_t vpid;
        pa_t ep4ta;
        uint64_t entered; /* when, in accesses and instructions of guests; 0: a free place */
    } at[GUESTS + 1];     /* [0]: no guest */
    uint64_t clock;
    unsigned now; /* the guest that runs, as of the last access or instruction */
};

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
    struct guests guests;
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

static inline bool mmu_in_guest(const struct mmu_regs *regs)
{
    return regs->eptp || regs->vpid;
}

/* guests.now is to be the guest that the registers name: before entries are looked at or made. */
void guests_enter(struct mmu *);
/* Bit n: guest n has this VPID, or (the other way round) this EPT; any: each guest. */
uint16_t guests_of_vpid(const struct mmu *, uint64_t vpid);
uint16_t guests_of_ept(const struct mmu *, pa_t ep4ta);
#define GUESTS_ANY ((uint16_t)~1u)

/* The current address space as TLB keys have it. */
static inline uint64_t mmu_space(const struct mmu *m)
{
    uint64_t guest = mmu_in_guest(&m->regs) ? m->guests.now : 0;
    return (uint64_t)mmu_pcid(&m->regs) << KEY_PCID_SHIFT | guest << KEY_GUEST_SHIFT;
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
