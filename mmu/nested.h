/* nested.h: what nested.c adds to a walk inside the room: the second dimension, where a guest runs.
 */
#ifndef MEMWALK_MMU_NESTED_H
#define MEMWALK_MMU_NESTED_H

#include "mmu/walk.h"

/* Only reads: guest-physical to physical. regs->eptp is not 0. */
void ept_read(const struct ram *, const struct mmu_regs *, pa_t gpa, struct ept_walk *);
/* Finds where the entry of step i stands; false: w->exit says why the walk ends here. */
bool nested_table(const struct ram *, const struct mmu_regs *, struct walk *, unsigned i);
/* Finds the page's physical address and takes away from w->to what the EPT does not give. */
void nested_page(const struct ram *, const struct mmu_regs *, struct walk *);
/* Only decides, after walk_judge: false: the access leaves the guest, *exit says how. */
bool nested_judge(const struct walk *, const struct mmu_regs *, enum access, struct vm_exit *exit);
/* Only writes A and D of the EPT, where EPTP asks for them. */
void nested_commit(struct ram *, struct env *, const struct mmu_regs *, struct walk *, enum access);

/* Must the walker go to the tables although a TLB has the page? With a guest also where the entry
 * does not say that the EPT allows this kind of access. */
static inline bool walk_needed(const struct mmu_regs *regs, enum access how, uint32_t flags)
{
    if (how == ACCESS_WRITE)
        return !(flags & TLB_DIRTY);
    return regs->eptp && !(flags & (how == ACCESS_FETCH ? TLB_EPT_X : TLB_EPT_R));
}

#endif
