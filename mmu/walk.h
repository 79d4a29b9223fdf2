/* walk.h: what walk.c shares inside the room: rights as one comparison, and walks that begin low.
 */
#ifndef MEMWALK_MMU_WALK_H
#define MEMWALK_MMU_WALK_H

#include "mmu/mmu.h"

/* Which flags of a translation matter for an access, and what they must be; and which protection
 * keys forbid it. mask has only flags below bit 12. */
struct rights {
    uint32_t mask, want;
    uint32_t deny_user, deny_supervisor; /* bit 2k: key k forbids the access to such a page */
};

/* SDM vol. 3A, "Determination of Access Rights" and "Protection Keys". */
struct rights rights_of(const struct mmu_regs *, enum access);

static inline bool rights_deny_key(struct rights r, uint32_t flags)
{
    uint32_t deny = flags & TLB_USER ? r.deny_user : r.deny_supervisor;
    return deny >> 2 * tlb_key(flags) & 1;
}

static inline bool rights_allow(struct rights r, uint32_t flags)
{
    if ((flags & PAGE_MASK & r.mask) != r.want)
        return false;
    return !(r.deny_user | r.deny_supervisor) || !rights_deny_key(r, flags);
}

/* Do the rights of a translation, fresh or from a TLB, allow an access? false: the #PF error code.
 */
bool rights_judge(const struct mmu_regs *, enum access, uint32_t flags, uint32_t *error);

/* Where a walk begins: a table of this level, and the rights of the levels above it. */
struct walk_start {
    unsigned level;
    pa_t table;
    uint32_t flags;
    bool physical; /* in a guest: table is where it stands in the machine's memory */
};

/* The bits of a present entry that must be 0. */
pte_t walk_reserved(const struct mmu_regs *, pte_t, unsigned level);

/* The flags that an entry leaves of those above it: a level can only take rights away. */
static inline uint32_t walk_entry_flags(pte_t entry, uint32_t above)
{
    uint32_t exec = entry & PTE_XD ? 0 : TLB_EXEC;
    return ((uint32_t)(entry & (PTE_RW | PTE_US)) | exec) & above;
}

/* The bits of an entry that maps a page which are flags of its own. */
static inline pte_t walk_leaf_bits(const struct mmu_regs *regs)
{
    return PTE_D | PTE_PWT | PTE_PCD | PTE_PKEY | (regs->cr4 & CR4_PGE ? PTE_G : 0);
}

struct walk_start walk_root(const struct mmu_regs *);
void walk_read_from(const struct ram *, const struct mmu_regs *, va_t, const struct walk_start *,
                    struct walk *);
/* What an address that is not canonical raises: #SS for the stack, else #GP. */
static inline uint32_t canonical_vector(const struct mmu_regs *regs)
{
    return regs->stack ? VECTOR_SS : VECTOR_GP;
}

#endif
