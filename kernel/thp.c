/* thp.c: transparent huge pages: made by faults, shared by fork, split where 4 KiB matter, and made
 * of small ones by collapse (khugepaged.c).
 *
 *      entry of level 2 ─────────────▶ 512 frames in a row
 *           │ split                     collapse ▲
 *           ▼                                    │
 *      entry of level 2 ──▶ table ──▶ 512 entries ──▶ the same frames (or, before, any)
 */
#include "kernel/thp.h"

#include "kernel/rmap.h"
#include "sim/base/check.h"

/* Bits of an entry that stay the same when it is split. */
#define KEPT (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_NONE | PTE_XD)

static va_t block_of(va_t va)
{
    return align_down(va, HUGE_SIZE);
}

/* ---- spare tables ---- */

void spare_keep(struct kernel *k, pfn_t table, pfn_t spare)
{
    struct frame *meta = frames_at(k->frames, spare), *holder = frames_at(k->frames, table);
    meta->spare = true;
    meta->next = holder->next;
    holder->next = (uint32_t)spare + 1;
}

static bool spare_put(struct kernel *k, struct process *p, pfn_t table, va_t va)
{
    pfn_t spare = table_new(k, p, 1, va);
    if (spare != PFN_NONE)
        spare_keep(k, table, spare);
    return spare != PFN_NONE;
}

/* Takes the spare table for va out of the list of its table of level 2. */
static pfn_t spare_take(struct kernel *k, pfn_t table, va_t va)
{
    uint32_t *link = &frames_at(k->frames, table)->next;
    while (*link && frames_at(k->frames, *link - 1)->va != block_of(va))
        link = &frames_at(k->frames, *link - 1)->next;
    CHECK(*link);
    pfn_t spare = *link - 1;
    struct frame *meta = frames_at(k->frames, spare);
    *link = meta->next;
    meta->next = 0;
    meta->spare = false;
    return spare;
}

/* ---- one huge page ---- */

pte_t huge_at(const struct kernel *k, pfn_t table, va_t va)
{
    pte_t entry = table == PFN_NONE ? 0 : ram_read64(k->ram, entry_at(table, va, 2));
    return pte_huge(entry) ? entry : 0;
}

static pfn_t table_of(const struct kernel *k, const struct process *p, va_t va)
{
    struct pt_step step;
    va_t at = block_of(va);
    return pgtable_step(k, p, &at, at + HUGE_SIZE, &step) && step.huge ? step.table : PFN_NONE;
}

pte_t huge_get(const struct kernel *k, const struct process *p, va_t va)
{
    return p->huge ? huge_at(k, table_of(k, p, va), va) : 0;
}

void huge_set(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t after)
{
    pte_t before = huge_at(k, table, va);
    entry_write(k, p, table, va_index(va, 2), after);
    if (before & PTE_P)
        gather_huge_page(k, va);
}

void huge_alone(struct kernel *k, pte_t entry, bool alone)
{
    for (unsigned i = 0; i < TABLE_ENTRIES && !pfn_is_zero(k, pte_pfn(entry)); i++)
        frames_at(k->frames, pte_pfn(entry) + i)->alone = alone;
}

pfn_t huge_frames(struct kernel *k, enum frame_use use, uint16_t pid, va_t va)
{
    pfn_t pfn = frames_get_huge(k, use, pid, block_of(va));
    for (unsigned i = 0; i < TABLE_ENTRIES && pfn != PFN_NONE; i++)
        frame_zero(k, pfn + i);
    return pfn;
}

static void huge_zap_one(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry)
{
    huge_set(k, p, table, va, 0);
    table_free(k, p, spare_take(k, table, va));
    gather_huge(k, p, entry);
}

/* ---- faults ---- */

bool huge_wanted(const struct kernel *k, const struct area *a, va_t va)
{
    bool always = k->config.thp == THP_ALWAYS && !(a->flags & VM_NOHUGEPAGE);
    bool asked = k->config.thp == THP_MADVISE && (a->flags & VM_HUGEPAGE);
    bool always_asked = always || asked;
    return always_asked && !(a->flags & VM_SHARED) && !a->file && block_of(va) >= a->start &&
           block_of(va) + HUGE_SIZE <= a->end;
}

/* The huge page of zeroes, made at its first use. */
static pfn_t zero_frames(struct kernel *k)
{
    if (k->huge_zero == PFN_NONE)
        k->huge_zero = huge_frames(k, FRAME_RESERVED, 0, 0);
    return k->huge_zero;
}

/* Linux: do_huge_pmd_anonymous_page. The identity comes even with a read. */
static enum page_in huge_fresh(struct kernel *k, struct process *p, struct area *a, pfn_t table,
                               va_t va, bool write)
{
    area_own_anon(p, a, &k->next_anon);
    pfn_t pfn = write ? huge_frames(k, FRAME_ANON, p->pid, va) : zero_frames(k);
    if (pfn == PFN_NONE || !spare_put(k, p, table, va)) {
        k->counters.huge_fallbacks++;
        if (pfn != PFN_NONE && frames_at(k->frames, pfn)->refs == 0)
            gather_huge(k, p, pte_make(pfn, 0));
        gather_flush(k, p);
        return PAGE_SMALL;
    }
    pte_t entry = pte_make(pfn, area_pte(a, write) | PTE_PS);
    huge_alone(k, entry, true);
    huge_set(k, p, table, va, entry);
    k->counters.huge_faults++;
    return PAGE_MADE;
}

/* A write to a huge page that is mapped read-only although its area may be written. Linux:
 * do_huge_pmd_wp_page. */
static enum page_in huge_unshare(struct kernel *k, struct process *p, struct area *a, va_t va,
                                 pte_t entry)
{
    pfn_t pfn = pte_pfn(entry), table = table_of(k, p, va);
    unsigned alone = 0;
    if (pfn == k->huge_zero) {
        pfn_t fresh = huge_frames(k, FRAME_ANON, p->pid, va);
        if (fresh == PFN_NONE)
            return PAGE_SMALL;
        huge_set(k, p, table, va, pte_make(fresh, area_pte(a, true) | PTE_PS));
        huge_alone(k, pte_make(fresh, 0), true);
        gather_huge(k, p, entry);
        return PAGE_MADE;
    }
    while (alone < TABLE_ENTRIES && frames_at(k->frames, pfn + alone)->refs == 1)
        alone++;
    if (alone < TABLE_ENTRIES)
        return PAGE_SMALL;
    huge_alone(k, entry, true);
    huge_set(k, p, table, va, entry | PTE_RW);
    k->counters.cow_reused++;
    EMIT(k->env, page_keep, .va = block_of(va), .pfn = pfn);
    return PAGE_MADE;
}

enum page_in huge_in(struct kernel *k, struct process *p, struct area *a, va_t va, bool write)
{
    pte_t entry = huge_get(k, p, va);
    enum page_in in = PAGE_SMALL;
    if (entry && (!write || (entry & PTE_RW)))
        return PAGE_READY;
    if (entry) {
        in = huge_unshare(k, p, a, va, entry);
        if (in == PAGE_SMALL)
            huge_split(k, p, va);
    } else if (huge_wanted(k, a, va)) {
        pfn_t table = pgtable_level(k, p, va, 2, true);
        if (table == PFN_NONE)
            return PAGE_NO_MEMORY;
        if (!ram_read64(k->ram, entry_at(table, va, 2)))
            in = huge_fresh(k, p, a, table, va, write);
    }
    gather_flush(k, p);
    return in;
}

/* ---- splitting ---- */

/* NOTE: a frame that is not mapped any more becomes free at once, where Linux keeps all 512 until
 * the last is free, or until memory is short. */
pfn_t huge_split(struct kernel *k, struct process *p, va_t va)
{
    pfn_t table = table_of(k, p, va);
    pte_t entry = huge_at(k, table, va);
    bool zero = pte_pfn(entry) == k->huge_zero;
    pfn_t small = spare_take(k, table, va);
    huge_set(k, p, table, va, 0);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        entry_write(k, p, small, i, pte_make(zero ? k->zero : pte_pfn(entry) + i, entry & KEPT));
    entry_write(k, p, table, va_index(va, 2), pte_make(small, PTE_P | PTE_RW | PTE_US));
    if (zero)
        gather_huge(k, p, entry);
    gather_flush(k, p);
    k->counters.huge_splits++;
    EMIT(k->env, huge_split, .va = block_of(va), .table = small);
    return small;
}

void huge_border(struct kernel *k, struct process *p, va_t va)
{
    if (p->huge && va != block_of(va) && huge_get(k, p, va))
        huge_split(k, p, va);
}

/* ---- ranges ---- */

/* Calls visit for every huge page of [start, end); whole: all of it lies there. */
static void each_huge(struct kernel *k, struct process *p, va_t start, va_t end,
                      void (*visit)(struct kernel *, struct process *, pfn_t table, va_t, pte_t,
                                    bool whole))
{
    struct pt_step step;
    for (va_t va = start; p->huge && pgtable_step(k, p, &va, end, &step);
         va = block_of(va) + HUGE_SIZE) {
        bool whole = va == block_of(va) && end - va >= HUGE_SIZE;
        if (step.huge)
            visit(k, p, step.table, va, step.huge, whole);
    }
}

static void visit_zap(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry,
                      bool whole)
{
    if (whole)
        huge_zap_one(k, p, table, va, entry);
    else
        huge_split(k, p, va);
}

void huge_zap(struct kernel *k, struct process *p, va_t start, va_t end)
{
    each_huge(k, p, start, end, visit_zap);
}

void huge_protect(struct kernel *k, struct process *p, const struct area *a, va_t start, va_t end)
{
    struct pt_step step;
    for (va_t va = start; p->huge && pgtable_step(k, p, &va, end, &step);
         va = block_of(va) + HUGE_SIZE) {
        if (!step.huge)
            continue;
        INVARIANT(va == block_of(va) && end - va >= HUGE_SIZE);
        pte_t after = (step.huge & (PTE_FRAME | PTE_A | PTE_D)) | PTE_PS |
                      area_pte(a, frame_writable(k, a, step.huge));
        if (after != step.huge)
            huge_set(k, p, step.table, va, after);
    }
}

/* Of a huge page that only this process maps: the metadata of its first frame. */
static struct frame *huge_only(const struct kernel *k, const struct process *p, pte_t entry)
{
    pfn_t pfn = pte_pfn(entry);
    bool only = !pfn_is_zero(k, pfn) && !block_shared(k, p, pfn);
    return only ? frames_at(k->frames, pfn) : NULL;
}

/* ---- blocks whose frames are mapped one by one ---- */

static pfn_t block_first(pfn_t pfn)
{
    return align_down(pfn, TABLE_ENTRIES);
}

bool block_shared(const struct kernel *k, const struct process *p, pfn_t pfn)
{
    if (!frames_at(k->frames, pfn)->joined)
        return false;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        const struct frame *f = frames_at(k->frames, block_first(pfn) + i);
        if (f->joined && (f->refs > 1 || (f->refs && mapping_pid(f->mapping) != p->pid)))
            return true;
    }
    return false;
}

/* The page shows the frame of zeroes instead of its own, which holds nothing else. */
static void page_to_zero(struct kernel *k, struct process *p, pfn_t pfn, va_t va)
{
    const struct area *a = areas_find(&p->areas, va);
    pfn_t table;
    pte_t entry = pgtable_get(k, p, va, &table);
    if (pte_pfn(entry) != pfn || !a || (a->flags & VM_LOCKED))
        return;
    entry_write(k, p, table, va_index(va, 1), pte_make(k->zero, area_pte(a, false)));
    if (entry & PTE_P)
        gather_page(k, va);
    gather_frame(k, p, entry);
}

void block_split(struct kernel *k, struct process *p, pfn_t pfn)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        pfn_t at = block_first(pfn) + i;
        struct frame *f = frames_at(k->frames, at);
        if (!f->joined)
            continue;
        f->joined = false;
        if (f->refs && frame_blank(k, at))
            page_to_zero(k, p, at, mapping_va(f->mapping));
    }
    gather_flush(k, p);
}

/* Do the 512 entries of the table map the 512 frames from pfn on, in order? */
static bool block_whole(const struct kernel *k, pfn_t table, pfn_t pfn)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        pte_t entry = ram_read64(k->ram, (table << PAGE_SHIFT) + i * sizeof(pte_t));
        if (!pte_held(entry) || pte_pfn(entry) != pfn + i)
            return false;
    }
    return true;
}

/* The page of entry is one of a block, about to be treated alone: the block is split up, unless all
 * of it is treated, or somebody shares it (then its pages are passed over). */
static void block_break(struct kernel *k, struct process *p, pte_t entry, pfn_t table, bool fits,
                        bool always)
{
    pfn_t pfn = pte_pfn(entry);
    const struct frame *frame = frames_at(k->frames, pfn);
    if (!pte_held(entry) || !frame->joined || block_shared(k, p, pfn))
        return;
    if (fits && block_whole(k, table, block_first(pfn)) && (!always || frame->lazy))
        return;
    block_split(k, p, pfn);
}

static void blocks_break(struct kernel *k, struct process *p, va_t start, va_t end, bool always)
{
    va_t va = start;
    pfn_t table;
    while ((table = pgtable_next(k, p, &va, end)) != PFN_NONE) {
        va_t block = block_of(va), stop = min_u64(block + HUGE_SIZE, end);
        bool fits = block >= start && block + HUGE_SIZE <= end;
        for (; va < stop; va += PAGE_SIZE)
            block_break(k, p, ram_read64(k->ram, entry_at(table, va, 1)), table, fits, always);
    }
}

/* Advice for a part of a huge page: first it is split, entry and block. */
static void huge_break(struct kernel *k, struct process *p, va_t va, pte_t entry)
{
    huge_split(k, p, va);
    block_split(k, p, pte_pfn(entry));
}

static void visit_lazy_free(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry,
                            bool whole)
{
    if (!huge_only(k, p, entry))
        return;
    if (!whole) {
        huge_break(k, p, va, entry);
        return;
    }
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        frames_at(k->frames, pte_pfn(entry) + i)->lazy = true;
    if (entry & (PTE_A | PTE_D))
        huge_set(k, p, table, va, entry & ~(PTE_A | PTE_D));
}

void huge_lazy_free(struct kernel *k, struct process *p, va_t start, va_t end)
{
    each_huge(k, p, start, end, visit_lazy_free);
    blocks_break(k, p, start, end, false);
}

static void visit_page_out(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry,
                           bool whole)
{
    const struct frame *frame = huge_only(k, p, entry);
    if (frame && whole && frame->lazy && !(entry & PTE_D))
        huge_zap_one(k, p, table, va, entry);
    else if (frame)
        huge_break(k, p, va, entry);
}

void huge_page_out(struct kernel *k, struct process *p, va_t start, va_t end)
{
    each_huge(k, p, start, end, visit_page_out);
    blocks_break(k, p, start, end, true);
}

static void visit_cold(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry,
                       bool whole)
{
    (void)table;
    if (!whole && huge_only(k, p, entry))
        huge_break(k, p, va, entry);
}

void huge_cold(struct kernel *k, struct process *p, va_t start, va_t end)
{
    each_huge(k, p, start, end, visit_cold);
    blocks_break(k, p, start, end, false);
}

/* ---- moving, forking ---- */

bool huge_move(struct kernel *k, struct process *p, va_t from, va_t to)
{
    pfn_t source = table_of(k, p, from), target = pgtable_level(k, p, to, 2, true);
    pte_t entry = huge_at(k, source, from);
    if (target == PFN_NONE || ram_read64(k->ram, entry_at(target, to, 2)) ||
        !spare_put(k, p, target, to))
        return false;
    huge_set(k, p, source, from, 0);
    table_free(k, p, spare_take(k, source, from));
    huge_set(k, p, target, to, entry);
    gather_flush(k, p);
    return true;
}

bool huge_fork(struct kernel *k, struct process *parent, struct process *child, pfn_t from,
               pfn_t to, va_t va, pte_t entry)
{
    uint16_t before = k->env->pid;
    k->env->pid = child->pid;
    bool made = spare_put(k, child, to, va);
    if (made)
        huge_set(k, child, to, va, entry & ~(PTE_RW | PTE_A));
    k->env->pid = before;
    huge_alone(k, entry, false);
    if (made && (entry & PTE_RW))
        huge_set(k, parent, from, va, entry & ~PTE_RW);
    return made;
}
