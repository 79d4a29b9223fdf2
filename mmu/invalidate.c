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
 * All of these reach only the entries of the VPID that runs, with any EPT. A hypervisor has two
 * more (vol. 3C, "Operations that Invalidate Cached Mappings"):
 *
 *     INVVPID 0 vpid va     of va: vpid, all PCIDs         vpid, those for va
 *     INVVPID 1 vpid        vpid                           vpid
 *     INVVPID 2             all guests                     all guests
 *     INVVPID 3 vpid        vpid, all but global           vpid
 *     INVEPT 1 eptp         all guests with this EPT       the same
 *     INVEPT 2              all guests                     all guests
 */
#include "mmu/levels.h"

/* ---- guests ---- */

uint16_t guests_of_vpid(const struct mmu *m, uint64_t vpid)
{
    uint16_t guests = vpid ? 0 : 1;
    for (unsigned i = 1; i <= GUESTS; i++)
        if (m->guests.at[i].entered && m->guests.at[i].vpid == vpid)
            guests |= (uint16_t)(1u << i);
    return guests;
}

uint16_t guests_of_ept(const struct mmu *m, pa_t ep4ta)
{
    uint16_t guests = 0;
    for (unsigned i = 1; i <= GUESTS; i++)
        if (m->guests.at[i].entered && m->guests.at[i].ep4ta == ep4ta)
            guests |= (uint16_t)(1u << i);
    return guests;
}

static void forget(struct mmu *m, struct scope scope)
{
    levels_flush(m, &scope);
    psc_flush(&m->psc, m->env, &scope);
}

/* The place of the guest that the registers name, or the one to give it: free, or of the guest that
 * ran longest ago. */
static unsigned guest_place(const struct mmu *m)
{
    unsigned oldest = 1;
    for (unsigned i = 1; i <= GUESTS; i++) {
        if (m->guests.at[i].entered && m->guests.at[i].vpid == m->regs.vpid &&
            m->guests.at[i].ep4ta == (m->regs.eptp & EPT_FRAME))
            return i;
        if (m->guests.at[i].entered < m->guests.at[oldest].entered)
            oldest = i;
    }
    return oldest;
}

void guests_enter(struct mmu *m)
{
    if (!mmu_in_guest(&m->regs))
        return;
    struct guests *g = &m->guests;
    pa_t ep4ta = m->regs.eptp & EPT_FRAME;
    unsigned place = guest_place(m);
    bool same = g->at[place].vpid == m->regs.vpid && g->at[place].ep4ta == ep4ta;
    if (g->at[place].entered && !same)
        forget(m, (struct scope){.global = true, .guests = (uint16_t)(1u << place)});
    g->at[place].vpid = m->regs.vpid;
    g->at[place].ep4ta = ep4ta;
    g->at[place].entered = ++g->clock;
    g->now = place;
}

/* What a guest's instruction, or the host's, reaches of a PCID. */
static struct scope scope_pcid(const struct mmu *m, uint64_t pcid)
{
    return (struct scope){KEY_PCID, pcid << KEY_PCID_SHIFT, false, guests_of_vpid(m, m->regs.vpid)};
}

static struct scope scope_all(const struct mmu *m, bool global)
{
    return (struct scope){.global = global, .guests = guests_of_vpid(m, m->regs.vpid)};
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
    struct scope current = scope_vpid(m);
    front_close(m);
    m->regs.cr4 = value;
    EMIT(m->env, cr4_load, .before = before, .after = value);
    if (changed & CR4_PGE || changed & before & CR4_PCIDE)
        forget(m, scope_all(m, true));
    else if (changed & value & CR4_SMEP)
        forget(m, current);
    return true;
}

/* ---- INVLPG, INVPCID ---- */

void mmu_invlpg(struct mmu *m, va_t va)
{
    front_close(m);
    EMIT(m->env, invlpg, .va = va);
    struct scope scope = scope_vpid(m);
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
        forget(m, scope_all(m, type == INVPCID_ALL));
    return true;
}

/* ---- INVVPID, INVEPT: a hypervisor's ---- */

bool mmu_invvpid(struct mmu *m, enum invvpid type, uint64_t vpid, va_t va)
{
    bool all = type == INVVPID_ALL;
    if (type >= INVVPID_TYPES || vpid > VPID_MAX || (!all && !vpid))
        return false;
    if (type == INVVPID_ADDRESS && !va_canonical(va, mmu_levels(&m->regs)))
        return false;
    EMIT(m->env, invvpid, .type = (ev_enum)type, .vpid = vpid, .va = va);
    struct scope scope = {.global = type != INVVPID_ALL_BUT_GLOBAL,
                          .guests = all ? GUESTS_ANY : guests_of_vpid(m, vpid)};
    if (type != INVVPID_ADDRESS) {
        forget(m, scope);
        return true;
    }
    levels_drop(m, va, &scope);
    psc_drop(&m->psc, m->env, va, &scope);
    return true;
}

/* Would a VM entry accept it? SDM vol. 3C, "Checks on VM-Execution Control Fields". */
static bool eptp_valid(const struct mmu_regs *regs, uint64_t eptp)
{
    uint64_t type = eptp & 7, reserved = eptp & 0xf80; /* bits 11:7 */
    return (type == MEMORY_UC || type == MEMORY_WB) && (eptp & 0x38) == EPTP_WALK && !reserved &&
           !(eptp >> regs->maxphyaddr);
}

bool mmu_invept(struct mmu *m, enum invept type, uint64_t eptp)
{
    if (type >= INVEPT_TYPES || (type == INVEPT_SINGLE && !eptp_valid(&m->regs, eptp)))
        return false;
    EMIT(m->env, invept, .type = (ev_enum)type, .eptp = eptp);
    uint16_t guests = type == INVEPT_ALL ? GUESTS_ANY : guests_of_ept(m, eptp & EPT_FRAME);
    forget(m, (struct scope){.global = true, .guests = guests});
    return true;
}
