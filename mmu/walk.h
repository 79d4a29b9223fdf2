/* walk.h: what walk.c shares inside the room: rights as one comparison, and walks that begin low.
 */
#ifndef MEMWALK_MMU_WALK_H
#define MEMWALK_MMU_WALK_H

#include "mmu/mmu.h"

/* Which flags of a translation matter for an access, and what they must be. */
struct rights {
    uint32_t mask, want;
};

/* SDM vol. 3A, "Determination of Access Rights". */
struct rights rights_of(const struct mmu_regs *, enum access);

static inline bool rights_allow(struct rights r, uint32_t flags)
{
    return (flags & r.mask) == r.want;
}

/* Where a walk begins: a table of this level, and the rights of the levels above it. */
struct walk_start {
    unsigned level;
    pa_t table;
    uint32_t flags;
};

struct walk_start walk_root(const struct mmu_regs *);
void walk_read_from(const struct ram *, const struct mmu_regs *, va_t, const struct walk_start *,
                    struct walk *);
/* The error code of a #PF with these causes. */
uint32_t pf_error(const struct mmu_regs *, enum access, bool present, bool reserved);

#endif
