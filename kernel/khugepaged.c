/* khugepaged.c: huge pages made of small ones that are there already, on demand (MADV_COLLAPSE) or
 * in the background, a stretch of memory at a time, because memory that was touched before it could
 * be huge would stay small for ever. Linux: mm/khugepaged.c.
 */
#include "kernel/thp.h"

#include "sim/base/check.h"

#define MAX_SHARED 256u /* khugepaged/max_ptes_shared */

/* What the 512 entries of a table hold. */
struct found {
    unsigned pages, shared, touched, guards;
};

static struct found look(const struct kernel *k, pfn_t small)
{
    struct found f = {0};
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        pte_t entry = ram_read64(k->ram, (small << PAGE_SHIFT) + i * sizeof(pte_t));
        f.guards += entry && !pte_held(entry);
        if (!pte_held(entry) || pfn_is_zero(k, pte_pfn(entry)))
            continue;
        f.pages++;
        f.shared += frames_at(k->frames, pte_pfn(entry))->refs > 1;
        f.touched += (entry & PTE_A) != 0;
    }
    return f;
}

/* The pages are copied into the block and given back; their table is left empty. */
static void collapse_copy(struct kernel *k, struct process *p, pfn_t small, va_t va, pfn_t block)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        pte_t entry = ram_read64(k->ram, (small << PAGE_SHIFT) + i * sizeof(pte_t));
        if (!entry)
            continue;
        if (!pfn_is_zero(k, pte_pfn(entry)))
            ram_copy(k->ram, block + i, pte_pfn(entry));
        entry_write(k, p, small, i, 0);
        if (entry & PTE_P)
            gather_page(k, va + i * PAGE_SIZE);
        gather_frame(k, p, entry);
    }
}

int huge_collapse(struct kernel *k, struct process *p, va_t va)
{
    const struct area *a = areas_find(&p->areas, va);
    pfn_t table = pgtable_level(k, p, va, 2, false), small = pgtable_level(k, p, va, 1, false);
    struct found found = {0};
    if (huge_at(k, table, va))
        return 0;
    if (!a || !a->anon || (a->flags & VM_SHARED) || a->file || va % HUGE_SIZE ||
        va + HUGE_SIZE > a->end || small == PFN_NONE)
        return -LX_EINVAL;
    found = look(k, small);
    if (!found.pages || found.guards)
        return -LX_EINVAL;
    pfn_t block = huge_frames(k, FRAME_ANON, p->pid, va);
    if (block == PFN_NONE)
        return -LX_ENOMEM;
    collapse_copy(k, p, small, va, block);
    entry_write(k, p, table, va_index(va, 2), 0);
    gather_unhooked(k, va);
    gather_flush(k, p);
    spare_keep(k, table, small); /* it is not needed until the huge page is split */
    huge_alone(k, pte_make(block, 0), true);
    huge_set(k, p, table, va, pte_make(block, area_pte(a, true) | PTE_PS));
    k->counters.huge_collapses++;
    EMIT(k->env, huge_collapse, .va = va, .pfn = block, .copied = found.pages);
    return 0;
}

/* Linux: madvise_collapse. */
int64_t huge_collapse_range(struct kernel *k, struct process *p, const struct area *a, va_t start,
                            va_t end)
{
    va_t first = align_up(a->start, HUGE_SIZE);
    if (!a->anon || (a->flags & (VM_NOHUGEPAGE | VM_SHARED)) || a->file ||
        first + HUGE_SIZE > a->end)
        return -LX_EINVAL;
    int64_t result = 0;
    for (va_t va = align_up(start, HUGE_SIZE); va + HUGE_SIZE <= end; va += HUGE_SIZE) {
        int one = huge_collapse(k, p, va);
        if (one == -LX_ENOMEM)
            return one;
        result = one ? one : result;
    }
    return result;
}

/* ---- in the background ---- */

/* Would khugepaged take the block? It wants a page that was used, and few that others share. */
static bool worth_it(const struct kernel *k, struct process *p, va_t va)
{
    pfn_t small = pgtable_level((struct kernel *)k, p, va, 1, false);
    if (small == PFN_NONE)
        return false;
    struct found f = look(k, small);
    return f.pages && f.touched && !f.guards && f.shared <= MAX_SHARED;
}

/* The next block at or after *va that could be huge; NULL: none in this process. */
static const struct area *next_block(const struct kernel *k, const struct process *p, va_t *va)
{
    for (size_t i = areas_index(&p->areas, *va); i < p->areas.count; i++) {
        const struct area *a = p->areas.at[i];
        *va = max_u64(*va, align_up(a->start, HUGE_SIZE));
        if (*va + HUGE_SIZE <= a->end && a->anon && huge_wanted(k, a, *va))
            return a;
    }
    return NULL;
}

/* The process at the cursor, or the next one; NULL: the last was done, the cursor starts anew. */
static struct process *next_process(struct kernel *k)
{
    for (size_t i = 0; i < k->process_count; i++)
        if (k->process[i]->pid >= k->scan_pid && !k->process[i]->killed) {
            if (k->process[i]->pid != k->scan_pid)
                k->scan_va = 0;
            k->scan_pid = k->process[i]->pid;
            return k->process[i];
        }
    k->scan_pid = 0;
    return NULL;
}

void kernel_khugepaged(struct kernel *k, uint64_t pages)
{
    uint16_t before = k->env->pid;
    struct process *p;
    while (pages >= TABLE_ENTRIES && (p = next_process(k))) {
        k->env->pid = p->pid;
        if (!next_block(k, p, &k->scan_va)) {
            k->scan_pid++;
            continue;
        }
        if (worth_it(k, p, k->scan_va))
            huge_collapse(k, p, k->scan_va);
        k->scan_va += HUGE_SIZE;
        pages -= TABLE_ENTRIES;
    }
    k->env->pid = before;
}
