/* levels.h: the levels of TLB together: who is asked first, who is filled, what is forgotten.
 *
 * tlb.c only holds, finds and replaces in one array; here it is counted and told.
 */
#ifndef MEMWALK_MMU_LEVELS_H
#define MEMWALK_MMU_LEVELS_H

#include "mmu/core.h"

/* What a lookup in the current address space could use. */
static inline struct scope scope_current(const struct mmu *m)
{
    return (struct scope){KEY_PCID | KEY_VPID, mmu_space(&m->regs), true};
}

static inline enum size_code flags_size(uint32_t flags)
{
    return flags & TLB_1G ? SIZE_1G : flags & TLB_2M ? SIZE_2M : SIZE_4K;
}

/* From either level of TLB; a hit in the second fills the first. */
bool levels_lookup(struct mmu *, va_t, uint64_t *data);
/* Puts what a walk found into both. */
void levels_fill(struct mmu *, va_t, uint64_t data);
/* Entries that would translate va learn that the page is dirty. */
void levels_dirty(struct mmu *, va_t, uint64_t data);
/* Forgets the entries of every size, in the scope, that would translate va. */
void levels_drop(struct mmu *, va_t, const struct scope *);
/* Forgets all entries in the scope. */
void levels_flush(struct mmu *, const struct scope *);

#endif
