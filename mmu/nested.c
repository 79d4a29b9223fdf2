/* nested.c: a guest's walk in two dimensions: each guest-physical address goes through the EPT.
 *
 * The guest's own walk (walk.c) stays as it is; here is what comes between its steps. As there, one
 * function reads, one decides, one writes. Sources: see ept.h.
 *
 * NOTE: nothing is cached between guest-physical and physical addresses alone; the TLBs and
 * paging-structure caches hold translations of both dimensions together ("combined mappings").
 */
#include "mmu/nested.h"

#define GPA_BITS (PAGE_SHIFT + 9 * EPT_LEVELS)

/* ---- read ---- */

static bool ept_maps_page(pte_t entry, unsigned level)
{
    return level == 1 || (level <= 3 && entry & EPT_PAGE);
}

/* The bits of a present entry that must be 0. */
static pte_t ept_reserved(const struct mmu_regs *regs, pte_t entry, unsigned level)
{
    pte_t bits = EPT_FRAME & ~(((pte_t)1 << regs->maxphyaddr) - 1);
    if (!ept_maps_page(entry, level))
        return bits | EPT_TYPE | EPT_IPAT | (level == 4 ? EPT_PAGE : 0);
    return bits | ((level_span(level) - 1) & EPT_FRAME);
}

/* SDM vol. 3C, "EPT Misconfigurations". Execute-only pages are supported, as IA32_VMX_EPT_VPID_CAP
 * bit 0 would say. */
static bool ept_misconfigured(const struct mmu_regs *regs, pte_t entry, unsigned level)
{
    if ((entry & (EPT_R | EPT_W)) == EPT_W || entry & ept_reserved(regs, entry, level))
        return true;
    unsigned type = (unsigned)((entry & EPT_TYPE) >> EPT_TYPE_SHIFT);
    return ept_maps_page(entry, level) && (type == 2 || type == 3 || type == 7);
}

static void ept_found(struct ept_walk *e)
{
    const struct ept_step *leaf = &e->step[e->steps - 1];
    e->page_size = level_span(leaf->level);
    e->pa = (leaf->entry & EPT_FRAME & ~(e->page_size - 1)) | (e->gpa & (e->page_size - 1));
}

void ept_read(const struct ram *ram, const struct mmu_regs *regs, pa_t gpa, struct ept_walk *e)
{
    pa_t table = regs->eptp & EPT_FRAME;
    *e = (struct ept_walk){.gpa = gpa, .rights = EPT_RWX};
    if (gpa >> GPA_BITS) {
        e->exit = EXIT_EPT_VIOLATION;
        e->rights = 0;
        return;
    }
    for (unsigned level = EPT_LEVELS;; level--) {
        struct ept_step *step = &e->step[e->steps++];
        step->level = level;
        step->index = va_index(gpa, level);
        step->pa = table + 8 * (pa_t)step->index;
        step->entry = ram_read64(ram, step->pa);
        e->rights &= step->entry;
        if (!(step->entry & EPT_RWX))
            e->exit = EXIT_EPT_VIOLATION;
        else if (ept_misconfigured(regs, step->entry, level))
            e->exit = EXIT_EPT_MISCONFIG;
        if (e->exit)
            return;
        if (ept_maps_page(step->entry, level))
            break;
        table = step->entry & EPT_FRAME;
    }
    ept_found(e);
}

/* ---- exits ---- */

static uint64_t access_bits(enum access how)
{
    return how == ACCESS_WRITE ? EXIT_WRITE : how == ACCESS_FETCH ? EXIT_FETCH : EXIT_READ;
}

/* Does the EPT allow it? wanted: EXIT_READ, EXIT_WRITE, EXIT_FETCH, which stand as EPT_R, W, X. A
 * misconfiguration has no qualification. */
static bool ept_judge(const struct ept_walk *e, uint64_t wanted, uint64_t more,
                      struct vm_exit *exit)
{
    *exit = (struct vm_exit){.reason = e->exit, .gpa = e->gpa};
    if (!e->exit && (e->rights & wanted) == wanted)
        return true;
    if (e->exit == EXIT_EPT_MISCONFIG)
        return false;
    exit->reason = EXIT_EPT_VIOLATION;
    exit->qualification = wanted | e->rights << EXIT_RIGHTS_SHIFT | EXIT_LINEAR | more;
    return false;
}

/* With A and D in use, reading a guest's entry counts as a write too. */
static uint64_t table_bits(const struct mmu_regs *regs)
{
    return regs->eptp & EPTP_AD ? EXIT_READ | EXIT_WRITE : EXIT_READ;
}

bool nested_table(const struct ram *ram, const struct mmu_regs *regs, struct walk *w, unsigned i)
{
    struct ept_walk *e = &w->ept[i];
    ept_read(ram, regs, w->step[i].pa, e);
    if (!ept_judge(e, table_bits(regs), 0, &w->exit))
        return false;
    w->step[i].pa = e->pa;
    return true;
}

/* ---- the page ---- */

static uint32_t size_flags(uint64_t page_size)
{
    return page_size == level_span(3) ? TLB_1G : page_size == level_span(2) ? TLB_2M : 0;
}

/* An entry is dirty for the TLB when a write needs no more walk: D is set in both dimensions, and
 * the EPT allows it. */
static uint32_t ept_flags(const struct mmu_regs *regs, const struct ept_walk *e, uint32_t flags)
{
    flags &= ~(uint32_t)(TLB_2M | TLB_1G);
    flags |= (e->rights & EPT_R ? TLB_EPT_R : 0) | (e->rights & EPT_X ? TLB_EPT_X : 0);
    bool clean = regs->eptp & EPTP_AD && !(e->step[e->steps - 1].entry & EPT_D);
    if (clean || !(e->rights & EPT_W))
        flags &= ~(uint32_t)TLB_DIRTY;
    return flags;
}

void nested_page(const struct ram *ram, const struct mmu_regs *regs, struct walk *w)
{
    struct ept_walk *e = &w->ept[w->steps];
    ept_read(ram, regs, w->gpa, e);
    w->to.pa = e->pa;
    if (e->exit)
        return;
    w->to.page_size = min_u64(w->to.page_size, e->page_size);
    w->to.flags = ept_flags(regs, e, w->to.flags) | size_flags(w->to.page_size);
}

/* ---- judge ---- */

/* Setting A or D is a write to the guest's table; with A and D of the EPT in use, reading it was
 * judged as one already. */
static bool marks_judge(const struct walk *w, const struct mmu_regs *regs, enum access how,
                        struct vm_exit *exit)
{
    if (regs->eptp & EPTP_AD)
        return true;
    for (unsigned i = 0; i < w->steps; i++) {
        pte_t wanted = PTE_A | (i + 1 == w->steps && how == ACCESS_WRITE ? PTE_D : 0);
        bool marks = (w->step[i].entry & wanted) != wanted;
        if (marks && w->ept[i].steps && !ept_judge(&w->ept[i], EXIT_WRITE, 0, exit))
            return false;
    }
    return true;
}

bool nested_judge(const struct walk *w, const struct mmu_regs *regs, enum access how,
                  struct vm_exit *exit)
{
    *exit = w->exit;
    if (exit->reason)
        return false;
    return marks_judge(w, regs, how, exit) &&
           ept_judge(&w->ept[w->steps], access_bits(how), EXIT_FINAL, exit);
}

/* ---- commit ---- */

static void ept_mark(struct ram *ram, struct env *env, struct ept_step *step, pte_t bits,
                     unsigned *marked)
{
    pte_t before = ram_read64(ram, step->pa); /* an entry may have had its part in several walks */
    step->entry = before | bits;
    if (step->entry == before)
        return;
    ram_write64(ram, step->pa, step->entry);
    step->marked = true;
    ++*marked;
    EMIT(env, ept_mark, .pa = step->pa, .level = step->level, .before = before,
         .after = step->entry);
}

void nested_commit(struct ram *ram, struct env *env, const struct mmu_regs *regs, struct walk *w,
                   enum access how)
{
    if (!(regs->eptp & EPTP_AD))
        return;
    for (unsigned i = 0; i <= w->steps; i++) {
        struct ept_walk *e = &w->ept[i];
        bool write = i < w->steps || how == ACCESS_WRITE;
        for (unsigned s = 0; s < e->steps; s++)
            ept_mark(ram, env, &e->step[s], EPT_A | (write && s + 1 == e->steps ? EPT_D : 0),
                     &w->marked);
    }
}
