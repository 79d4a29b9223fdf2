/* walk.c: the page walk in three steps: read, judge, commit.
 *
 * One loop over the levels serves 4 and 5 levels and all page sizes. Reading and judging change
 * nothing, so an inspector can have a walk that leaves no trace.
 *
 * Sources: Intel SDM vol. 3A, "4-Level Paging and 5-Level Paging", "Access Rights", "Protection
 * Keys", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 */
#include "mmu/walk.h"

#include "mmu/nested.h"

#include <string.h>

_Static_assert(PTE_RW == TLB_WRITE && PTE_US == TLB_USER && PTE_D == TLB_DIRTY &&
                   PTE_G == TLB_GLOBAL && PTE_PWT == TLB_PWT && PTE_PCD == TLB_PCD &&
                   PTE_PAT == TLB_PAT && PTE_PKEY >> 40 == TLB_KEYS,
               "flags stand where entries have them");

/* ---- rights ---- */

/* Bit 2k of the result: key k forbids. A register has two bits for each key: AD, then WD. */
static uint32_t keys_deny(uint32_t keys, bool write)
{
    return (keys | (write ? keys >> 1 : 0)) & 0x55555555u;
}

/* Keys are for data only. PKRU guards user pages, also against supervisor accesses; IA32_PKRS
 * guards supervisor pages, which a user access does not reach anyway. */
static void rights_keys(const struct mmu_regs *regs, enum access how, struct rights *r)
{
    if (how == ACCESS_FETCH)
        return;
    bool user = mmu_user(regs);
    bool write = how == ACCESS_WRITE && (user || regs->cr0 & CR0_WP);
    if (regs->cr4 & CR4_PKE)
        r->deny_user = keys_deny(regs->pkru, write);
    if (regs->cr4 & CR4_PKS && !user)
        r->deny_supervisor = keys_deny(regs->pkrs, write);
}

/* The processor's own accesses to system tables are not excused by AC. */
static bool keeps_out_of_user_pages(const struct mmu_regs *regs, enum access how)
{
    if (how == ACCESS_FETCH)
        return (regs->cr4 & CR4_SMEP) != 0;
    return (regs->cr4 & CR4_SMAP) != 0 && (regs->implicit || !regs->ac);
}

struct rights rights_of(const struct mmu_regs *regs, enum access how)
{
    struct rights r = {0};
    bool user = mmu_user(regs);
    rights_keys(regs, how, &r);
    if (how == ACCESS_FETCH)
        r.mask = r.want = TLB_EXEC;
    else if (regs->shadow)
        r.mask = r.want = TLB_SHADOW;
    else if (how == ACCESS_WRITE && (user || regs->cr0 & CR0_WP))
        r.mask = r.want = TLB_WRITE;
    if (user)
        r.want |= TLB_USER;
    if (user || regs->shadow || keeps_out_of_user_pages(regs, how))
        r.mask |= TLB_USER;
    return r;
}

/* What the error code says of the access itself, whatever it met. */
static uint32_t error_of_access(const struct mmu_regs *regs, enum access how)
{
    uint32_t error = mmu_user(regs) ? PF_U : 0;
    if (how == ACCESS_WRITE)
        error |= PF_W;
    bool tells_fetch = (regs->cr4 & CR4_SMEP) != 0 || (regs->efer & EFER_NXE) != 0;
    if (how == ACCESS_FETCH && tells_fetch)
        error |= PF_I;
    if (how != ACCESS_FETCH && regs->shadow)
        error |= PF_SS;
    return error;
}

bool rights_judge(const struct mmu_regs *regs, enum access how, uint32_t flags, uint32_t *error)
{
    struct rights r = rights_of(regs, how);
    *error = 0;
    if (rights_allow(r, flags))
        return true;
    *error = error_of_access(regs, how) | PF_P | (rights_deny_key(r, flags) ? PF_PK : 0);
    return false;
}

/* ---- read ---- */

static bool maps_page(pte_t entry, unsigned level)
{
    return level == 1 || (level <= 3 && entry & PTE_PS);
}

pte_t walk_reserved(const struct mmu_regs *regs, pte_t entry, unsigned level)
{
    pte_t bits = PTE_FRAME & ~(((pte_t)1 << regs->maxphyaddr) - 1);
    if (!(regs->efer & EFER_NXE))
        bits |= PTE_XD;
    if (level >= 4)
        bits |= PTE_PS;
    if (level > 1 && maps_page(entry, level))
        bits |= (level_span(level) - 1) & PTE_FRAME & ~PTE_PAT_LARGE;
    return bits;
}

static void page_found(const struct mmu_regs *regs, uint32_t above, struct walk *w)
{
    const struct walk_step *leaf = &w->step[w->steps - 1];
    uint64_t span = level_span(leaf->level);
    w->present = true;
    w->to.page_size = span;
    w->gpa = w->to.pa = (leaf->entry & PTE_FRAME & ~(span - 1)) | (w->va & (span - 1));
    w->to.flags = leaf->flags | (uint32_t)(leaf->entry & walk_leaf_bits(regs) & PAGE_MASK);
    w->to.flags |= (uint32_t)((leaf->entry & PTE_PKEY) >> PTE_PKEY_SHIFT << TLB_KEY_SHIFT);
    if (leaf->entry & (leaf->level == 1 ? PTE_PAT : PTE_PAT_LARGE))
        w->to.flags |= TLB_PAT;
    if (leaf->level == 2)
        w->to.flags |= TLB_2M;
    if (leaf->level == 3)
        w->to.flags |= TLB_1G;
    if (regs->cr4 & CR4_CET && above & TLB_WRITE && (leaf->entry & (PTE_RW | PTE_D)) == PTE_D)
        w->to.flags |= TLB_SHADOW;
}

struct walk_start walk_root(const struct mmu_regs *regs)
{
    return (struct walk_start){mmu_levels(regs), regs->cr3 & PTE_FRAME,
                               TLB_WRITE | TLB_USER | TLB_EXEC, false};
}

void walk_read_from(const struct ram *ram, const struct mmu_regs *regs, va_t va,
                    const struct walk_start *start, struct walk *w)
{
    w->va = va;
    w->canonical = true;
    w->present = w->reserved = false;
    w->steps = 0;
    w->exit.reason = 0;
    w->ept[0].steps = 0;
    pa_t table = start->table;
    uint32_t flags = start->flags, above;
    for (unsigned level = start->level;; level--) {
        struct walk_step *step = &w->step[w->steps];
        step->level = level;
        step->marked = false;
        step->index = va_index(va, level);
        step->pa = table + 8 * (pa_t)step->index;
        bool known = !regs->eptp || (start->physical && w->steps == 0);
        if (!known && !nested_table(ram, regs, w, w->steps))
            return;
        w->steps++;
        step->entry = ram_read64(ram, step->pa);
        above = flags;
        step->flags = flags = walk_entry_flags(step->entry, flags);
        if (!(step->entry & PTE_P))
            return;
        w->reserved = (step->entry & walk_reserved(regs, step->entry, level)) != 0;
        if (w->reserved)
            return;
        if (maps_page(step->entry, level))
            break;
        table = step->entry & PTE_FRAME;
    }
    page_found(regs, above, w);
    if (regs->eptp)
        nested_page(ram, regs, w);
}

void walk_read(const struct ram *ram, const struct mmu_regs *regs, va_t va, struct walk *w)
{
    memset(w, 0, offsetof(struct walk, ept)); /* the rest is large, and written before it is read */
    w->va = va;
    w->canonical = va_canonical(va, mmu_levels(regs));
    if (!w->canonical)
        return;
    struct walk_start start = walk_root(regs);
    walk_read_from(ram, regs, va, &start, w);
}

/* ---- judge ---- */

bool walk_judge(const struct walk *w, const struct mmu_regs *regs, enum access how, uint32_t *error)
{
    *error = 0;
    if (!w->canonical || w->exit.reason)
        return false;
    if (w->present)
        return rights_judge(regs, how, w->to.flags, error);
    *error = error_of_access(regs, how) | (w->reserved ? PF_P | PF_RSVD : 0);
    return false;
}

/* ---- commit ---- */

void walk_commit(struct ram *ram, struct env *env, struct walk *w, enum access how)
{
    for (unsigned i = 0; i < w->steps; i++) {
        struct walk_step *step = &w->step[i];
        pte_t before = step->entry;
        pte_t after = before | PTE_A;
        if (i + 1 == w->steps && how == ACCESS_WRITE)
            after |= PTE_D;
        if (after == before)
            continue;
        ram_write64(ram, step->pa, after);
        step->entry = after;
        step->marked = true;
        w->marked++;
        EMIT(env, entry_mark, .pa = step->pa, .level = step->level, .before = before,
             .after = after);
    }
    if (how == ACCESS_WRITE)
        w->to.flags |= TLB_DIRTY;
}
