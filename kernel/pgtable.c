/* pgtable.c: page tables. Every entry is written here, because a change of a present entry that a
 * TLB is not told about (tlbflush.c) is the classic mistake.
 */
#include "kernel/pgtable.h"

#include "kernel/file.h"
#include "kernel/pkeys.h"
#include "kernel/rmap.h"
#include "kernel/swap.h"
#include "kernel/thp.h"
#include "sim/base/check.h"

#define DIRECT_MAP   UINT64_C(0xffff888000000000) /* all of RAM (Linux: page_offset_base) */
#define KERNEL_IMAGE UINT64_C(0xffffffff81000000) /* text and data of the kernel */

/* ---- one entry ---- */

/* A frame appears at va in p's tables (sign 1) or disappears (-1). */
static void count_page(struct kernel *k, struct process *p, pfn_t pfn, va_t va, int sign)
{
    struct frame *frame = frames_at(k->frames, pfn);
    if (!frame)
        return;
    frame->refs += (uint32_t)sign;
    if (p && !pfn_is_zero(k, pfn)) {
        p->resident += (uint64_t)(int64_t)sign;
        p->resident_peak = max_u64(p->resident_peak, p->resident);
        p->shared += frame->use == FRAME_SHARED ? (uint64_t)(int64_t)sign : 0;
        p->filed += frame->use == FRAME_FILE ? (uint64_t)(int64_t)sign : 0;
        if (sign < 0)
            rmap_remove(k->env, frame, p->pid, va);
        else if (!rmap_add(k->env, frame, p->pid, va))
            k->mappings_lost++;
    }
    if (p && sign > 0 && frame->refs == 1 && frame->use == FRAME_ANON) {
        frame->va = va;
        frame->pid = p->pid;
    }
}

static void count_huge(struct kernel *k, struct process *p, pte_t entry, va_t va, int sign)
{
    if (p)
        p->huge += (uint64_t)(int64_t)sign;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        count_page(k, p, pte_pfn(entry) + i, va + i * PAGE_SIZE, sign);
}

static void count_swapped(struct kernel *k, struct process *p, pte_t entry, int sign)
{
    if (!p || !pte_swapped(entry))
        return;
    swap_count(k, pte_swap_slot(entry), sign);
    p->swapped += (uint64_t)(int64_t)sign;
}

static void count_table(struct kernel *k, pte_t entry, int sign)
{
    struct frame *frame = frames_at(k->frames, pte_pfn(entry));
    if (frame && (entry & PTE_P) && !(entry & PTE_PS))
        frame->refs += (uint32_t)sign;
}

/* What entry, of a table of this level, says appears or disappears. */
static void count_entry(struct kernel *k, struct process *p, unsigned level, pte_t entry, va_t va,
                        int sign)
{
    bool of_program = pte_held(entry) && (entry & PTE_US);
    struct frame *frame = level == 1 && of_program ? frames_at(k->frames, pte_pfn(entry)) : NULL;
    if (frame && sign < 0 && (entry & PTE_D) && frame->use != FRAME_FILE)
        frame->dirty = true; /* a file's page was marked at the store (page_dirty) */
    if (level == 1 && of_program)
        count_page(k, p, pte_pfn(entry), va, sign);
    if (level == 1)
        count_swapped(k, p, entry, sign);
    if (level == 2 && of_program && pte_huge(entry))
        count_huge(k, p, entry, va, sign);
    if (level > 1)
        count_table(k, entry, sign);
}

/* First address that entry index of a table maps; the upper half of the PML4 is negative. */
static va_t entry_va(const struct frame *table, unsigned index)
{
    va_t va = table->va + index * level_span(table->level);
    return va >> 47 & 1 ? va | UINT64_C(0xffff800000000000) : va;
}

void entry_write(struct kernel *k, struct process *p, pfn_t table, unsigned index, pte_t after)
{
    struct frame *meta = frames_at(k->frames, table);
    INVARIANT(meta && meta->use == FRAME_TABLE);
    pa_t pa = (table << PAGE_SHIFT) + index * sizeof(pte_t);
    pte_t before = ram_read64(k->ram, pa);
    va_t va = entry_va(meta, index);
    ram_write64(k->ram, pa, after);
    meta->used = (uint16_t)(meta->used + (after != 0) - (before != 0));
    count_entry(k, p, meta->level, before, va, -1);
    count_entry(k, p, meta->level, after, va, 1);
    k->counters.entry_writes++;
    k->env->cycle += k->config.entry_cycles;
    EMIT(k->env, entry_write, .pa = pa, .level = meta->level, .va = va, .before = before,
         .after = after);
}

/* ---- tables ---- */

#define LEAKED_MAX 64u

/* A frame for a table. NOTE: a kernel that errs on purpose must not put a table where a stale
 * translation leads, or the program would write entries, and the mistake would be the simulator's.
 */
static pfn_t table_frame(struct kernel *k, uint16_t pid, va_t first)
{
    pfn_t aside[LEAKED_MAX];
    unsigned n = 0;
    bool errs = k->config.bug.no_invlpg || k->config.bug.no_shootdown;
    pfn_t pfn = frame_get(k, FRAME_TABLE, pid, first);
    while (errs && pfn != PFN_NONE && n < LEAKED_MAX && tlb_leads_to(k, pfn)) {
        aside[n++] = pfn;
        pfn = frame_get(k, FRAME_TABLE, pid, first);
    }
    while (n)
        frame_put(k, aside[--n]);
    return pfn;
}

pfn_t table_new(struct kernel *k, struct process *p, unsigned level, va_t va)
{
    va_t first = level == pt_levels(k) ? 0 : align_down(va, level_span(level + 1));
    pfn_t pfn = table_frame(k, p ? p->pid : 0, first);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    frame_zero(k, pfn);
    frames_at(k->frames, pfn)->level = (uint8_t)level;
    k->counters.tables_made++;
    if (p)
        p->tables++;
    EMIT(k->env, table_new, .pfn = pfn, .level = level, .va = first);
    return pfn;
}

void table_free(struct kernel *k, struct process *p, pfn_t pfn)
{
    struct frame *meta = frames_at(k->frames, pfn);
    INVARIANT(meta->use == FRAME_TABLE && meta->used == 0 && meta->refs == 0);
    k->counters.tables_freed++;
    if (p)
        p->tables--;
    EMIT(k->env, table_gone, .pfn = pfn, .level = meta->level, .va = meta->va);
    frame_put(k, pfn);
}

/* The table of the given level for va below root, or PFN_NONE. */
static pfn_t table_find(const struct kernel *k, pfn_t root, va_t va, unsigned level)
{
    pfn_t table = root;
    for (unsigned at = pt_levels(k); at > level; at--) {
        pte_t entry = ram_read64(k->ram, entry_at(table, va, at));
        if (!(entry & PTE_P) || (entry & PTE_PS))
            return PFN_NONE;
        table = pte_pfn(entry);
    }
    return table;
}

/* The same, with tables made where they are missing; flags for the entries that point to them. */
static pfn_t table_make(struct kernel *k, struct process *p, pfn_t root, va_t va, unsigned level,
                        pte_t flags)
{
    pfn_t table = root;
    for (unsigned at = pt_levels(k); at > level; at--) {
        pte_t entry = ram_read64(k->ram, entry_at(table, va, at));
        pfn_t next = pte_pfn(entry);
        INVARIANT(!(entry & PTE_PS)); /* whoever wants a table has split the huge page */
        if (!(entry & PTE_P)) {
            next = table_new(k, p, at - 1, va);
            if (next == PFN_NONE)
                return PFN_NONE;
            entry_write(k, p, table, va_index(va, at), pte_make(next, flags));
        }
        table = next;
    }
    return table;
}

pfn_t pgtable_make(struct kernel *k, struct process *p, va_t va)
{
    return table_make(k, p, p->root, va, 1, PTE_P | PTE_RW | PTE_US);
}

pte_t pgtable_get(const struct kernel *k, const struct process *p, va_t va, pfn_t *table)
{
    *table = table_find(k, p->root, va, 1);
    return *table == PFN_NONE ? 0 : ram_read64(k->ram, entry_at(*table, va, 1));
}

/* Does after allow all that before did, to the same frame? Then a TLB may be behind: whoever has
 * the old entry faults once more, finds that the tables allow it, and has forgotten it by that. */
static bool only_adds(pte_t before, pte_t after)
{
    pte_t rights = PTE_P | PTE_RW | PTE_US, same = PTE_FRAME | PTE_XD;
    return !(before & PTE_P) || (!(before & rights & ~after) && !((before ^ after) & same));
}

pte_t pgtable_leaf(const struct kernel *k, const struct process *p, va_t va, unsigned *level)
{
    pfn_t table = p->root;
    *level = pt_levels(k);
    pte_t entry = ram_read64(k->ram, entry_at(table, va, pt_levels(k)));
    while (*level > 1 && (entry & PTE_P) && !(entry & PTE_PS)) {
        --*level;
        entry = ram_read64(k->ram, entry_at(pte_pfn(entry), va, *level));
    }
    return entry;
}

void pgtable_set(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t after)
{
    pte_t before = ram_read64(k->ram, entry_at(table, va, 1));
    entry_write(k, p, table, va_index(va, 1), after);
    if (!only_adds(before, after))
        gather_page(k, va);
    gather_flush(k, p);
}

bool pgtable_step(const struct kernel *k, const struct process *p, va_t *va, va_t end,
                  struct pt_step *step)
{
    while (*va < end) {
        pfn_t table = p->root;
        pte_t entry = PTE_P;
        unsigned level = pt_levels(k);
        for (; level > 1; level--) {
            entry = ram_read64(k->ram, entry_at(table, *va, level));
            if (!(entry & PTE_P) || (entry & PTE_PS))
                break;
            table = pte_pfn(entry);
        }
        bool huge = level == 2 && pte_huge(entry);
        *step = (struct pt_step){.huge = huge ? entry : 0, .table = table};
        if (level == 1 || huge)
            return true;
        *va = align_down(*va, level_span(level)) + level_span(level);
    }
    return false;
}

pfn_t pgtable_next(const struct kernel *k, const struct process *p, va_t *va, va_t end)
{
    struct pt_step step;
    while (pgtable_step(k, p, va, end, &step)) {
        if (!step.huge)
            return step.table;
        *va = align_down(*va, HUGE_SIZE) + HUGE_SIZE;
    }
    return PFN_NONE;
}

pfn_t pgtable_level(struct kernel *k, struct process *p, va_t va, unsigned level, bool make)
{
    return make ? table_make(k, p, p->root, va, level, PTE_P | PTE_RW | PTE_US)
                : table_find(k, p->root, va, level);
}

/* End of the part of [va, end) that the table of level 1 for va covers. */
static va_t table_end(va_t va, va_t end)
{
    return min_u64(align_down(va, HUGE_SIZE) + HUGE_SIZE, end);
}

/* ---- taking pages away ---- */

static void zap_table(struct kernel *k, struct process *p, pfn_t table, va_t va, va_t end,
                      enum zap how)
{
    for (; va < end; va += PAGE_SIZE) {
        pte_t entry = ram_read64(k->ram, entry_at(table, va, 1));
        if (!entry || (entry == PTE_GUARD && how == ZAP_KEEP_GUARDS))
            continue;
        entry_write(k, p, table, va_index(va, 1), 0);
        if (entry & PTE_P)
            gather_page(k, va);
        if (pte_held(entry))
            gather_frame(k, p, entry);
        if (pte_swapped(entry))
            swap_release(k, pte_swap_slot(entry));
    }
}

void pgtable_zap(struct kernel *k, struct process *p, va_t start, va_t end, enum zap how)
{
    va_t va = start;
    pfn_t table;
    huge_zap(k, p, start, end);
    while ((table = pgtable_next(k, p, &va, end)) != PFN_NONE) {
        va_t stop = table_end(va, end);
        if (frames_at(k->frames, table)->used)
            zap_table(k, p, table, va, stop, how);
        va = stop;
    }
    gather_flush(k, p);
}

/* Unhooks and frees the table that entry index of parent points to. */
static void table_drop(struct kernel *k, struct process *p, pfn_t parent, unsigned index)
{
    pfn_t table = pte_pfn(ram_read64(k->ram, (parent << PAGE_SHIFT) + index * sizeof(pte_t)));
    va_t va = frames_at(k->frames, table)->va;
    entry_write(k, p, parent, index, 0);
    gather_table(k, p, table, va);
    gather_flush(k, p);
}

/* Frees what lies below parent's entries for [start, end): lower levels first. */
static void trim_level(struct kernel *k, struct process *p, pfn_t parent, unsigned level,
                       va_t start, va_t end, va_t floor, va_t ceiling)
{
    uint64_t span = level_span(level);
    for (va_t va = align_down(start, span); va < end; va += span) {
        pte_t entry = ram_read64(k->ram, entry_at(parent, va, level));
        if (!(entry & PTE_P) || (entry & PTE_PS))
            continue;
        if (level > 2)
            trim_level(k, p, pte_pfn(entry), level - 1, max_u64(va, start), min_u64(va + span, end),
                       floor, ceiling);
        if (va >= floor && (!ceiling || va + span <= ceiling))
            table_drop(k, p, parent, va_index(va, level));
    }
}

/* Linux: free_pgd_range in mm/memory.c. */
void pgtable_trim(struct kernel *k, struct process *p, va_t start, va_t end, va_t floor,
                  va_t ceiling)
{
    trim_level(k, p, p->root, pt_levels(k), start, end, floor, ceiling);
}

void pgtable_reclaim(struct kernel *k, struct process *p, va_t start, va_t end)
{
    va_t va = align_up(start, HUGE_SIZE);
    pfn_t table;
    while ((table = pgtable_next(k, p, &va, align_down(end, HUGE_SIZE))) != PFN_NONE) {
        pfn_t parent = table_find(k, p->root, va, 2);
        if (frames_at(k->frames, table)->used == 0)
            table_drop(k, p, parent, va_index(va, 2));
        va += HUGE_SIZE;
    }
}

/* ---- rights ---- */

pte_t area_pte(const struct area *a, bool writable)
{
    pte_t bits = PTE_US | (a->flags & VM_ACCESS ? PTE_P : PTE_NONE);
    bits |= (pte_t)area_pkey(a) << PTE_PKEY_SHIFT;
    if (!(a->flags & VM_EXEC))
        bits |= PTE_XD;
    if (writable && (a->flags & VM_WRITE))
        bits |= PTE_RW;
    return bits;
}

bool frame_writable(const struct kernel *k, const struct area *a, pte_t entry)
{
    if (a->flags & VM_SHARED)
        return !area_inode(a) || (entry & PTE_D);
    return !pfn_is_zero(k, pte_pfn(entry)) && frames_at(k->frames, pte_pfn(entry))->alone;
}

void pgtable_protect(struct kernel *k, struct process *p, const struct area *a, va_t start,
                     va_t end)
{
    va_t va = start;
    pfn_t table;
    huge_protect(k, p, a, start, end);
    while ((table = pgtable_next(k, p, &va, end)) != PFN_NONE) {
        for (va_t stop = table_end(va, end); va < stop; va += PAGE_SIZE) {
            pte_t entry = ram_read64(k->ram, entry_at(table, va, 1));
            if (!pte_held(entry))
                continue;
            pte_t after =
                (entry & (PTE_FRAME | PTE_A | PTE_D)) | area_pte(a, frame_writable(k, a, entry));
            if (after == entry)
                continue;
            entry_write(k, p, table, va_index(va, 1), after);
            if (entry & PTE_P)
                gather_page(k, va);
        }
    }
    gather_flush(k, p);
}

/* ---- advice ---- */

/* Calls visit for every entry of [start, end) that is not 0. */
static void each_entry(struct kernel *k, struct process *p, va_t start, va_t end,
                       void (*visit)(struct kernel *, struct process *, pfn_t table, va_t, pte_t))
{
    va_t va = start;
    pfn_t table;
    while ((table = pgtable_next(k, p, &va, end)) != PFN_NONE) {
        for (va_t stop = table_end(va, end); va < stop; va += PAGE_SIZE) {
            pte_t entry = ram_read64(k->ram, entry_at(table, va, 1));
            if (entry)
                visit(k, p, table, va, entry);
        }
    }
    gather_flush(k, p);
}

static struct frame *page_alone(const struct kernel *k, const struct process *p, pte_t entry)
{
    struct frame *frame = pte_held(entry) ? frames_at(k->frames, pte_pfn(entry)) : NULL;
    bool alone = frame && frame->use == FRAME_ANON && frame->refs == 1;
    return alone && !block_shared(k, p, pte_pfn(entry)) ? frame : NULL;
}

static void lazy_free(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry)
{
    struct frame *frame = page_alone(k, p, entry);
    if (pte_swapped(entry))
        zap_table(k, p, table, va, va + PAGE_SIZE, ZAP_ALL);
    if (!frame)
        return;
    frame->lazy = true;
    if (!(entry & (PTE_A | PTE_D)))
        return;
    entry_write(k, p, table, va_index(va, 1), entry & ~(PTE_A | PTE_D));
    if (entry & PTE_P)
        gather_page(k, va);
}

void pgtable_lazy_free(struct kernel *k, struct process *p, va_t start, va_t end)
{
    huge_lazy_free(k, p, start, end);
    each_entry(k, p, start, end, lazy_free);
}

static void drop_lazy(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry)
{
    const struct frame *frame = page_alone(k, p, entry);
    if (frame && frame->lazy && !(entry & PTE_D))
        zap_table(k, p, table, va, va + PAGE_SIZE, ZAP_ALL);
}

void pgtable_drop_lazy(struct kernel *k, struct process *p, va_t start, va_t end)
{
    huge_page_out(k, p, start, end);
    each_entry(k, p, start, end, drop_lazy);
}

bool pgtable_guard(struct kernel *k, struct process *p, va_t start, va_t end)
{
    for (va_t va = start; va < end; va += PAGE_SIZE) {
        pfn_t table = pgtable_make(k, p, va);
        if (table == PFN_NONE)
            return false;
        if (!ram_read64(k->ram, entry_at(table, va, 1)))
            entry_write(k, p, table, va_index(va, 1), PTE_GUARD);
    }
    return true;
}

static void unguard(struct kernel *k, struct process *p, pfn_t table, va_t va, pte_t entry)
{
    if (entry == PTE_GUARD)
        entry_write(k, p, table, va_index(va, 1), 0);
}

void pgtable_unguard(struct kernel *k, struct process *p, va_t start, va_t end)
{
    each_entry(k, p, start, end, unguard);
}

/* ---- moving ---- */

/* Moves the entries of one stretch that lies under one table at either end. */
static bool move_stretch(struct kernel *k, struct process *p, pfn_t from_table, va_t from, va_t to,
                         uint64_t bytes)
{
    pfn_t to_table = pgtable_make(k, p, to);
    if (to_table == PFN_NONE)
        return false;
    for (uint64_t i = 0; i < bytes; i += PAGE_SIZE) {
        pte_t entry = ram_read64(k->ram, entry_at(from_table, from + i, 1));
        if (!entry)
            continue;
        entry_write(k, p, from_table, va_index(from + i, 1), 0);
        if (entry & PTE_P)
            gather_page(k, from + i);
        entry_write(k, p, to_table, va_index(to + i, 1), entry);
    }
    gather_flush(k, p);
    return true;
}

/* Where the source has a PD, the target gets a PDPT, before anything is known of pages (Linux:
 * alloc_new_pud). false: no memory. */
static bool move_upper(struct kernel *k, struct process *p, va_t from, va_t to, uint64_t bytes)
{
    va_t end = from + bytes, next;
    for (va_t va = from; va < end; va = next) {
        pfn_t table = table_find(k, p->root, va, 3);
        uint64_t span = level_span(table == PFN_NONE ? 4 : 3);
        next = min_u64(align_down(va, span) + span, end);
        if (table == PFN_NONE || !(ram_read64(k->ram, entry_at(table, va, 3)) & PTE_P))
            continue;
        if (pgtable_level(k, p, to + (va - from), 3, true) == PFN_NONE ||
            pgtable_level(k, p, to + (next - 1 - from), 3, true) == PFN_NONE)
            return false;
    }
    return true;
}

/* Linux: move_page_tables in mm/mremap.c. */
uint64_t pgtable_move(struct kernel *k, struct process *p, va_t from, va_t to, uint64_t bytes)
{
    uint64_t done = 0;
    if (!move_upper(k, p, from, to, bytes))
        return 0;
    while (done < bytes) {
        va_t va = from + done;
        struct pt_step step;
        if (!pgtable_step(k, p, &va, from + bytes, &step))
            return bytes;
        done = va - from;
        bool whole = !((va | (to + done)) & (HUGE_SIZE - 1)) && bytes - done >= HUGE_SIZE;
        if (step.huge && whole && huge_move(k, p, va, to + done)) {
            done += HUGE_SIZE;
            continue;
        }
        if (step.huge)
            step.table = huge_split(k, p, va);
        bool free_slot = whole && pgtable_level(k, p, to + done, 1, false) == PFN_NONE;
        uint64_t left = min_u64(table_end(va, from + bytes) - va,
                                table_end(to + done, to + bytes) - (to + done));
        if (!move_stretch(k, p, step.table, va, to + done, left))
            return done;
        if (free_slot) /* Linux moves the table itself */
            table_drop(k, p, pgtable_level(k, p, va, 2, false), va_index(va, 2));
        done += left;
    }
    return bytes;
}

/* ---- fork ---- */

/* One request: child is to see what parent sees. */
struct forking {
    struct kernel *k;
    struct process *parent, *child;
};

/* Linux: copy_present_ptes. The child's entry is written first, so that the frame goes on being
 * the parent's in what is known of it. */
static void fork_entry(const struct forking *f, pfn_t from, pfn_t to, va_t va, pte_t entry)
{
    struct kernel *k = f->k;
    uint16_t before = k->env->pid;
    k->env->pid = f->child->pid;
    entry_write(k, f->child, to, va_index(va, 1),
                pte_held(entry) ? entry & ~(PTE_RW | PTE_A) : entry);
    k->env->pid = before;
    if (!pte_held(entry))
        return;
    if (!pfn_is_zero(k, pte_pfn(entry)))
        frames_at(k->frames, pte_pfn(entry))->alone = false;
    if (!(entry & PTE_RW))
        return;
    entry_write(k, f->parent, from, va_index(va, 1), entry & ~PTE_RW);
    if (entry & PTE_P)
        gather_page(k, va);
}

/* The child's table below entry va of its table to, made where it is missing. PFN_NONE: no memory.
 */
static pfn_t fork_table(const struct forking *f, pfn_t to, va_t va, unsigned level)
{
    struct kernel *k = f->k;
    pte_t entry = ram_read64(k->ram, entry_at(to, va, level));
    if (entry & PTE_P)
        return pte_pfn(entry);
    uint16_t before = k->env->pid;
    k->env->pid = f->child->pid;
    pfn_t table = table_new(k, f->child, level - 1, va);
    if (table != PFN_NONE)
        entry_write(k, f->child, to, va_index(va, level), pte_make(table, PTE_P | PTE_RW | PTE_US));
    k->env->pid = before;
    return table;
}

/* Linux: copy_p4d_range and below: where the parent has a table, the child gets one, even if
 * nothing of the range is in it. */
static bool fork_level(const struct forking *f, pfn_t from, pfn_t to, unsigned level, va_t start,
                       va_t end)
{
    uint64_t span = level_span(level);
    for (va_t va = start; va < end; va = align_down(va, span) + span) {
        pte_t entry = ram_read64(f->k->ram, entry_at(from, va, level));
        if (level == 1) {
            if (entry)
                fork_entry(f, from, to, va, entry);
            continue;
        }
        if (level == 2 && pte_huge(entry)) {
            if (!huge_fork(f->k, f->parent, f->child, from, to, va, entry))
                return false;
            continue;
        }
        if (!(entry & PTE_P))
            continue;
        pfn_t below = fork_table(f, to, va, level);
        va_t stop = min_u64(align_down(va, span) + span, end);
        if (below == PFN_NONE || !fork_level(f, pte_pfn(entry), below, level - 1, va, stop))
            return false;
    }
    return true;
}

bool pgtable_fork(struct kernel *k, struct process *parent, struct process *child, va_t start,
                  va_t end)
{
    const struct forking f = {k, parent, child};
    return fork_level(&f, parent->root, child->root, pt_levels(k), start, end);
}

/* ---- the kernel half ---- */

/* The largest page level that fits at va, pa for so many bytes. */
static unsigned page_level(va_t va, pa_t pa, uint64_t bytes)
{
    unsigned level = 3;
    while (level > 1 && (((va | pa) & (level_span(level) - 1)) || bytes < level_span(level)))
        level--;
    return level;
}

static bool map_kernel(struct kernel *k, va_t va, pa_t pa, uint64_t bytes, pte_t flags)
{
    while (bytes) {
        unsigned level = page_level(va, pa, bytes);
        pfn_t table = table_make(k, NULL, k->root, va, level, PTE_P | PTE_RW);
        if (table == PFN_NONE)
            return false;
        pte_t size = level > 1 ? PTE_PS : 0;
        entry_write(k, NULL, table, va_index(va, level),
                    pte_make(pa >> PAGE_SHIFT, flags | size | PTE_P | PTE_G));
        va += level_span(level);
        pa += level_span(level);
        bytes -= level_span(level);
    }
    return true;
}

bool pgtable_kernel_half(struct kernel *k)
{
    uint64_t image = k->config.reserved_frames << PAGE_SHIFT;
    uint64_t text = align_up(image / 2, PAGE_SIZE);
    if (image >= 2 * HUGE_SIZE)
        text = align_down(text, HUGE_SIZE);
    k->root = table_new(k, NULL, pt_levels(k), 0);
    return k->root != PFN_NONE && map_kernel(k, DIRECT_MAP, 0, ram_size(k->ram), PTE_RW | PTE_XD) &&
           map_kernel(k, KERNEL_IMAGE, 0, text, 0) &&
           map_kernel(k, KERNEL_IMAGE + text, text, image - text, PTE_RW | PTE_XD);
}
