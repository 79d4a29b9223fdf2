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
    uint64_t space = mmu_space(m);
    return (struct scope){KEY_PCID, space, true, (uint16_t)(1u << (space >> KEY_GUEST_SHIFT))};
}

/* And with the same VPID, but any EPT: what a page fault or INVLPG reaches. */
static inline struct scope scope_vpid(const struct mmu *m)
{
    struct scope scope = scope_current(m);
    scope.guests = guests_of_vpid(m, m->regs.vpid);
    return scope;
}

/* In what follows data is that of the page, as tlb.h lays it out: its first frame, whatever piece
 * of it a level holds. */

/* The array in which a level holds entries of this size. */
unsigned levels_array(const struct mmu *, unsigned level, enum size_code);
/* From either level of TLB; a hit in the second fills the first. */
bool levels_lookup(struct mmu *, va_t, enum access, uint64_t *data);
/* Puts what a walk found where the configuration says. */
void levels_fill(struct mmu *, va_t, enum access, uint64_t data);
/* Entries that would translate va learn that the page is dirty. */
void levels_dirty(struct mmu *, va_t, uint64_t data);
/* Forgets the entries in the scope for the page that va lies in, whatever its size: all pieces. */
void levels_drop(struct mmu *, va_t, const struct scope *);
/* Forgets all entries in the scope. */
void levels_flush(struct mmu *, const struct scope *);

#endif
