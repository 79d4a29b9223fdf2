/* smaps.c: what a process's pages come to: /proc/PID/smaps, smaps_rollup, status and statm. Linux:
 * fs/proc/task_mmu.c and fs/proc/array.c. A page that n entries map counts as 1/n in Pss.
 */
#include "kernel/pgtable.h"
#include "kernel/procfs.h"
#include "kernel/swap.h"

#define KB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / KIB))

/* ---- counting pages ---- */

/* One page of an entry that holds a frame. Linux: smaps_account. */
static void see_page(const struct kernel *k, pfn_t pfn, pte_t entry, struct page_census *c)
{
    const struct frame *frame = frames_at(k->frames, pfn);
    if (pfn_is_zero(k, pfn) || !frame || !frame->refs)
        return;
    bool dirty = (entry & PTE_D) || (frame->use == FRAME_FILE && frame->dirty);
    bool shared = frame->refs > 1;
    uint64_t share = (PAGE_SIZE << PSS_SHIFT) / frame->refs;
    c->present++;
    c->referenced += (entry & PTE_A) != 0;
    c->pss += share;
    c->pss_dirty += dirty ? share : 0;
    *(shared  ? dirty ? &c->shared_dirty : &c->shared_clean
      : dirty ? &c->private_dirty
              : &c->private_clean) += 1;
    if (frame->use == FRAME_ANON) {
        c->anon++;
        c->pss_anon += share;
        c->lazy += frame->lazy && !dirty;
    } else if (frame->use == FRAME_FILE) {
        c->file++;
        c->pss_file += share;
    } else {
        c->shmem++;
        c->pss_shmem += share;
    }
}

static void see_entry(const struct kernel *k, pte_t entry, unsigned level, uint64_t pages,
                      struct page_census *c)
{
    if (pte_swapped(entry)) {
        c->swap++;
        c->swap_pss += (PAGE_SIZE << PSS_SHIFT) / swap_refs(k, pte_swap_slot(entry));
    }
    if (!pte_held(entry))
        return;
    c->huge += level > 1 && !pfn_is_zero(k, pte_pfn(entry)) ? pages : 0;
    for (uint64_t i = 0; i < pages; i++)
        see_page(k, pte_pfn(entry) + i, entry, c);
}

void census_add(const struct kernel *k, const struct process *p, va_t start, va_t end,
                struct page_census *c)
{
    while (start < end && p->root != PFN_NONE) {
        unsigned level;
        pte_t entry = pgtable_leaf(k, p, start, &level);
        va_t next = min_u64(align_down(start, level_span(level)) + level_span(level), end);
        see_entry(k, entry, level, (next - start) >> PAGE_SHIFT, c);
        start = next;
    }
}

/* ---- smaps ---- */

static void line(struct proc_text *t, const char *name, unsigned long long kb)
{
    proc_add(t, "%-16s%8llu kB\n", name, kb);
}

static unsigned long long share_kb(uint64_t share)
{
    return share >> (10 + PSS_SHIFT);
}

/* Linux: __show_smap. */
static void smap_sums(struct proc_text *t, const struct page_census *c, uint64_t locked,
                      bool rollup)
{
    line(t, "Rss:", KB(c->present));
    line(t, "Pss:", share_kb(c->pss));
    line(t, "Pss_Dirty:", share_kb(c->pss_dirty));
    if (rollup) {
        line(t, "Pss_Anon:", share_kb(c->pss_anon));
        line(t, "Pss_File:", share_kb(c->pss_file));
        line(t, "Pss_Shmem:", share_kb(c->pss_shmem));
    }
    line(t, "Shared_Clean:", KB(c->shared_clean));
    line(t, "Shared_Dirty:", KB(c->shared_dirty));
    line(t, "Private_Clean:", KB(c->private_clean));
    line(t, "Private_Dirty:", KB(c->private_dirty));
    line(t, "Referenced:", KB(c->referenced));
    line(t, "Anonymous:", KB(c->anon));
    line(t, "KSM:", 0);
    line(t, "LazyFree:", KB(c->lazy));
    line(t, "AnonHugePages:", KB(c->huge));
    line(t, "ShmemPmdMapped:", 0);
    line(t, "FilePmdMapped:", 0);
    line(t, "Shared_Hugetlb:", 0);
    line(t, "Private_Hugetlb:", 0);
    line(t, "Swap:", KB(c->swap));
    line(t, "SwapPss:", share_kb(c->swap_pss));
    line(t, "Locked:", share_kb(locked));
}

/* Linux: show_smap_vma_flags, in the order of the bits. */
static void smap_flags(struct proc_text *t, const struct area *a)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {VM_GROWSDOWN, "gd"},  {VM_LOCKED, "lo"},   {VM_SEQ_READ, "sr"},  {VM_RAND_READ, "rr"},
        {VM_DONTCOPY, "dc"},   {VM_ACCOUNT, "ac"},  {VM_NORESERVE, "nr"}, {VM_SYNC, "sf"},
        {VM_WIPEONFORK, "wf"}, {VM_DONTDUMP, "dd"}, {VM_HUGEPAGE, "hg"},  {VM_NOHUGEPAGE, "nh"},
        {VM_MERGEABLE, "mg"},
    };
    proc_add(t, "VmFlags: %s%s%s%smr mw me %s", a->flags & VM_READ ? "rd " : "",
             a->flags & VM_WRITE ? "wr " : "", a->flags & VM_EXEC ? "ex " : "",
             a->flags & VM_SHARED ? "sh " : "", a->flags & VM_SHARED ? "ms " : "");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (a->flags & names[i].flag)
            proc_add(t, "%s ", names[i].name);
    proc_add(t, "\n");
}

static void smap_sizes(struct proc_text *t, uint64_t pages)
{
    line(t, "Size:", KB(pages));
    line(t, "KernelPageSize:", PAGE_SIZE / KIB);
    line(t, "MMUPageSize:", PAGE_SIZE / KIB);
}

void proc_smaps(const struct kernel *k, const struct process *p, struct proc_text *t)
{
    for (size_t i = 0; i < p->areas.count; i++) {
        const struct area *a = p->areas.at[i];
        struct page_census c = {0};
        census_add(k, p, a->start, a->end, &c);
        maps_line(t, p, a);
        smap_sizes(t, area_pages(a));
        smap_sums(t, &c, a->flags & VM_LOCKED ? c.pss : 0, false);
        proc_add(t, "%-16s%8u\n", "THPeligible:", 0u);
        smap_flags(t, a);
    }
    const struct page_census nothing = {0};
    maps_vsyscall(t);
    smap_sizes(t, 1);
    smap_sums(t, &nothing, 0, false);
    proc_add(t, "%-16s%8u\nVmFlags: ex \n", "THPeligible:", 0u);
}

void proc_smaps_rollup(const struct kernel *k, const struct process *p, struct proc_text *t)
{
    struct page_census c = {0};
    uint64_t locked = 0;
    for (size_t i = 0; i < p->areas.count; i++) {
        const struct area *a = p->areas.at[i];
        uint64_t before = c.pss;
        census_add(k, p, a->start, a->end, &c);
        locked += a->flags & VM_LOCKED ? c.pss - before : 0;
    }
    va_t start = p->areas.count ? p->areas.at[0]->start : 0;
    va_t end = p->areas.count ? p->areas.at[p->areas.count - 1]->end : 0;
    size_t line_start = t->length;
    proc_add(t, "%08llx-%08llx ---p 00000000 00:00 0 ", (unsigned long long)start,
             (unsigned long long)end);
    proc_add(t, "%*s[rollup]\n", (int)(NAME_COLUMN - (t->length - line_start)), "");
    smap_sums(t, &c, locked, true);
}

/* ---- status ---- */

struct area_sums {
    uint64_t data, stack, exec, text; /* pages */
};

/* Linux: vm_stat_account; the program's own text is what its file maps executable. */
static struct area_sums sum_areas(const struct process *p)
{
    struct area_sums s = {0};
    for (size_t i = 0; i < p->areas.count; i++) {
        const struct area *a = p->areas.at[i];
        uint64_t pages = area_pages(a);
        uint32_t kind = a->flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN | VM_EXEC);
        if ((kind & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
            s.exec += pages;
        else if (kind & VM_GROWSDOWN)
            s.stack += pages;
        else if ((kind & (VM_WRITE | VM_SHARED)) == VM_WRITE)
            s.data += pages;
        if (a->file && a->start < p->heap_start && (a->flags & VM_EXEC))
            s.text += pages;
    }
    return s;
}

static void vm_line(struct proc_text *t, const char *name, uint64_t pages)
{
    proc_add(t, "%s:\t%8llu kB\n", name, KB(pages));
}

static void status_memory(const struct kernel *k, const struct process *p, struct proc_text *t)
{
    struct page_census c = {0};
    struct area_sums s = sum_areas(p);
    census_add(k, p, 0, TASK_SIZE, &c);
    vm_line(t, "VmPeak", max_u64(p->pages_peak, p->pages));
    vm_line(t, "VmSize", p->pages);
    vm_line(t, "VmLck", p->locked);
    vm_line(t, "VmPin", 0);
    vm_line(t, "VmHWM", max_u64(p->resident_peak, c.present));
    vm_line(t, "VmRSS", c.present);
    vm_line(t, "RssAnon", c.anon);
    vm_line(t, "RssFile", c.file);
    vm_line(t, "RssShmem", c.shmem);
    vm_line(t, "VmData", s.data);
    vm_line(t, "VmStk", s.stack);
    vm_line(t, "VmExe", s.text);
    vm_line(t, "VmLib", s.exec - s.text);
    vm_line(t, "VmPTE", p->tables ? p->tables - 1 : 0); /* all but the root */
    vm_line(t, "VmSwap", c.swap);
    vm_line(t, "HugetlbPages", 0);
}

/* NOTE: of the lines that are not about memory only those that scripts need to know the process. */
void proc_status(const struct kernel *k, const struct process *p, struct proc_text *t)
{
    bool runs = false;
    for (unsigned i = 0; i < k->cpu_count; i++)
        runs = runs || k->cpus[i].current == p;
    const char *state = p->killed ? "Z (zombie)" : runs ? "R (running)" : "S (sleeping)";
    proc_add(t, "Name:\t%s\nState:\t%s\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\n", p->name, state, p->pid,
             p->pid, p->parent);
    if (p->root != PFN_NONE)
        status_memory(k, p, t);
    proc_add(t, "Threads:\t%zu\n", p->tasks.count ? p->tasks.count : 1);
}

/* Linux: task_statm; size resident shared text lib data dt, in pages. */
void proc_statm(const struct kernel *k, const struct process *p, struct proc_text *t)
{
    struct page_census c = {0};
    struct area_sums s = sum_areas(p);
    census_add(k, p, 0, TASK_SIZE, &c);
    proc_add(t, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)p->pages,
             (unsigned long long)c.present, (unsigned long long)(c.file + c.shmem),
             (unsigned long long)s.text, (unsigned long long)(s.data + s.stack));
}
