/* invalidate.c: the instructions that make the TLBs and paging-structure caches forget.
 *
 * The architecture says what must go and allows more to go; here only what must go goes, so that a
 * kernel which invalidates too little is found out. Intel SDM vol. 3A, "Operations that Invalidate
 * TLBs and Paging-Structure Caches" and "Process-Context Identifiers (PCIDs)"; for the faults vol.
 * 2, "MOV—Move to/from Control Registers" and "INVPCID".
 *
 *                           TLB entries that go            paging-structure cache entries
 *     INVLPG va             of va: this PCID and global    this PCID, all
 *     INVPCID 0 pcid va     of va: pcid                    pcid, those for va
 *     INVPCID 1 pcid        pcid                           pcid
 *     INVPCID 2             all                            all
 *     INVPCID 3             all but global                 all
 *     MOV CR3               the new PCID                   the new PCID
 *     MOV CR3, bit 63       none                           none
 *     MOV CR4: PGE, PCIDE   all                            all
 *     MOV CR4: SMEP, PAE    this PCID and global           this PCID
 *
 * All of these reach only the entries of the guest that runs, or of none. A hypervisor has two more
 * (vol. 3C, "Operations that Invalidate Cached Mappings"):
 *
 *     INVVPID 0 vpid va     of va: vpid, all PCIDs         vpid, those for va
 *     INVVPID 1 vpid        vpid                           vpid
 *     INVVPID 2             all guests                     all guests
 *     INVVPID 3 vpid        vpid, all but global           vpid
 *     INVEPT                all guests                     all guests
 */
#include "mmu/levels.h"

#define ALL_PCIDS KEY_VPID

/* The guest that runs, or none: no instruction here reaches the entries of another. */
static uint64_t vpid_space(const struct mmu *m)
{
    return (uint64_t)m->regs.vpid << KEY_VPID_SHIFT;
}

static struct scope scope_pcid(const struct mmu *m, uint64_t pcid)
{
    return (struct scope){KEY_PCID | KEY_VPID, pcid << KEY_PCID_SHIFT | vpid_space(m), false};
}

static void forget(struct mmu *m, struct scope scope)
{
    levels_flush(m, &scope);
    psc_flush(&m->psc, m->env, &scope);
}

/* ---- MOV CR3 ---- */

bool mmu_write_cr3(struct mmu *m, uint64_t value)
{
    bool pcids = m->regs.cr4 & CR4_PCIDE;
    bool keep = pcids && value & CR3_NOFLUSH;
    if (pcids)
        value &= ~CR3_NOFLUSH;
    if (value >> m->regs.maxphyaddr)
        return false;
    front_close(m);
    m->regs.cr3 = value;
    uint64_t pcid = mmu_pcid(&m->regs);
    EMIT(m->env, cr3_load, .root = value & PTE_FRAME, .pcid = pcid, .flush = !keep);
    if (!keep)
        forget(m, scope_pcid(m, pcid));
    return true;
}

/* ---- MOV CR4 ---- */

static bool cr4_allowed(const struct mmu_regs *regs, uint64_t value)
{
    uint64_t changed = regs->cr4 ^ value;
    bool pcids_begin = changed & value & CR4_PCIDE;
    return value & CR4_PAE && !(changed & CR4_LA57) && !(pcids_begin && regs->cr3 & CR3_PCID);
}

bool mmu_write_cr4(struct mmu *m, uint64_t value)
{
    if (!cr4_allowed(&m->regs, value))
        return false;
    uint64_t before = m->regs.cr4, changed = before ^ value;
    struct scope current = scope_current(m);
    front_close(m);
    m->regs.cr4 = value;
    EMIT(m->env, cr4_load, .before = before, .after = value);
    if (changed & CR4_PGE || changed & before & CR4_PCIDE)
        forget(m, (struct scope){ALL_PCIDS, vpid_space(m), true});
    else if (changed & value & CR4_SMEP)
        forget(m, current);
    return true;
}

/* ---- INVLPG, INVPCID ---- */

void mmu_invlpg(struct mmu *m, va_t va)
{
    front_close(m);
    EMIT(m->env, invlpg, .va = va);
    struct scope scope = scope_current(m);
    levels_drop(m, va, &scope);
    psc_flush(&m->psc, m->env, &scope);
}

static void invpcid_address(struct mmu *m, uint64_t pcid, va_t va)
{
    struct scope scope = scope_pcid(m, pcid);
    levels_drop(m, va, &scope);
    psc_drop(&m->psc, m->env, va, &scope);
}

bool mmu_invpcid(struct mmu *m, enum invpcid type, uint64_t pcid, va_t va)
{
    bool names_pcid = type == INVPCID_ADDRESS || type == INVPCID_SINGLE;
    if (type >= INVPCID_TYPES || pcid > CR3_PCID)
        return false;
    if (names_pcid && pcid && !(m->regs.cr4 & CR4_PCIDE))
        return false;
    if (type == INVPCID_ADDRESS && !va_canonical(va, mmu_levels(&m->regs)))
        return false;
    front_close(m);
    EMIT(m->env, invpcid, .type = (ev_enum)type, .pcid = pcid, .va = va);
    if (type == INVPCID_ADDRESS)
        invpcid_address(m, pcid, va);
    else if (type == INVPCID_SINGLE)
        forget(m, scope_pcid(m, pcid));
    else
        forget(m, (struct scope){ALL_PCIDS, vpid_space(m), type == INVPCID_ALL});
    return true;
}

/* ---- INVVPID, INVEPT: a hypervisor's ---- */

bool mmu_invvpid(struct mmu *m, enum invvpid type, uint64_t vpid, va_t va)
{
    bool names_vpid = type != INVVPID_ALL;
    if (type >= INVVPID_TYPES || vpid > VPID_MAX || (names_vpid && !vpid))
        return false;
    if (type == INVVPID_ADDRESS && !va_canonical(va, mmu_levels(&m->regs)))
        return false;
    EMIT(m->env, invvpid, .type = (ev_enum)type, .vpid = vpid, .va = va);
    for (uint64_t id = names_vpid ? vpid : 1; id <= (names_vpid ? vpid : VPID_MAX); id++) {
        bool global = type != INVVPID_ALL_BUT_GLOBAL;
        struct scope scope = {KEY_VPID, id << KEY_VPID_SHIFT, global};
        if (type == INVVPID_ADDRESS) {
            levels_drop(m, va, &scope);
            psc_drop(&m->psc, m->env, va, &scope);
        } else {
            forget(m, scope);
        }
    }
    return true;
}

/* NOTE: entries are not tagged with the EPTP, so both types forget the translations of all guests,
 * which the architecture allows. */
void mmu_invept(struct mmu *m)
{
    EMIT(m->env, invept, .eptp = m->regs.eptp);
    for (uint64_t id = 1; id <= VPID_MAX; id++)
        forget(m, (struct scope){KEY_VPID, id << KEY_VPID_SHIFT, true});
}
