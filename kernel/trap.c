/* trap.c: the page fault handler (Linux: do_user_addr_fault in arch/x86/mm/fault.c, handle_mm_fault
 * in mm/memory.c). It first asks whether the access may be, by the area, and then makes it
 * possible.
 *
 *   error code        area        entry                   outcome
 *   not present       none        –                       SIGSEGV, MAPERR
 *   any               forbids it  –                       SIGSEGV, ACCERR
 *   read, no frame    private     0                       the frame of zeroes, read-only
 *   write, no frame   private     0                       a new frame, filled with zeroes
 *   write             private     read-only               a copy, or the frame itself if alone
 *   any               private     names a swap slot       a frame, read from the slot
 *   any               shared      0                       the object's frame, made if need be
 *   read              of a file   0                       the cached page, read if need be
 *   write             private file                        a copy of it
 *   write             shared file                         the cached page, dirty from now on
 */
#include "kernel/trap.h"

#include "kernel/file.h"
#include "kernel/oom.h"
#include "kernel/pgtable.h"
#include "kernel/pkeys.h"
#include "kernel/reclaim.h"
#include "kernel/swap.h"
#include "kernel/thp.h"
#include "sim/base/check.h"

#define SI_KERNEL    0x80u /* si_code of a fault that has no address */
#define AROUND_PAGES 16u   /* a read maps so many pages of an object at once */

const char *const fault_outcome_name[FAULT_OUTCOMES] = {
    [FAULT_MINOR] = "minor",   [FAULT_MAJOR] = "major",   [FAULT_SPURIOUS] = "spurious",
    [FAULT_SIGNAL] = "signal", [FAULT_KILLED] = "killed",
};

/* ---- bringing one page in ---- */

/* A frame of zeroes of its own for the page at va. */
static enum page_in page_fresh(struct kernel *k, struct process *p, struct area *a, pfn_t table,
                               va_t va)
{
    pfn_t pfn = frame_get(k, FRAME_ANON, p->pid, va);
    if (pfn == PFN_NONE)
        return PAGE_NO_MEMORY;
    if (k->config.bug.publish_early)
        k->cpus[k->env->cpu].late = pfn;
    else
        frame_zero(k, pfn);
    frames_at(k->frames, pfn)->alone = true;
    pgtable_set(k, p, table, va, pte_make(pfn, area_pte(a, true)));
    return PAGE_MADE;
}

/* A copy of the page in frame from, of the process's own, for the page at va. */
static enum page_in page_copied(struct kernel *k, struct process *p, const struct area *a,
                                pfn_t table, va_t va, pfn_t from)
{
    reclaim_pin_frame(k, from); /* or room for the copy would be made by evicting the original */
    pfn_t pfn = frame_get(k, FRAME_ANON, p->pid, va);
    if (pfn == PFN_NONE)
        return PAGE_NO_MEMORY;
    ram_copy(k->ram, pfn, from);
    frames_at(k->frames, pfn)->alone = true;
    k->counters.cow_copied++;
    EMIT(k->env, page_copy, .va = va, .from = from, .to = pfn);
    pgtable_set(k, p, table, va, pte_make(pfn, area_pte(a, true)));
    return PAGE_MADE;
}

/* A write to a page that is mapped read-only although its area may be written. */
static enum page_in page_unshare(struct kernel *k, struct process *p, struct area *a, pfn_t table,
                                 va_t va, pte_t entry)
{
    pfn_t old = pte_pfn(entry);
    struct frame *frame = frames_at(k->frames, old);
    if (a->flags & VM_SHARED) { /* of a file, clean until now (page_mkwrite) */
        page_dirty(k, old);
        pgtable_set(k, p, table, va, entry | PTE_RW);
        return PAGE_MADE;
    }
    area_own_anon(p, a, &k->next_anon);
    if (pfn_is_zero(k, old))
        return page_fresh(k, p, a, table, va);
    bool in_swap = frame->slot && swap_refs(k, frame->slot - 1);
    bool alone = frame->refs == 1 && !frame->cached && !in_swap && !block_shared(k, p, old);
    if (alone || k->config.bug.cow_no_count) { /* the others are gone: keep it */
        frame->alone = true;
        pgtable_set(k, p, table, va, entry | PTE_RW);
        k->counters.cow_reused++;
        EMIT(k->env, page_keep, .va = va, .pfn = old);
        return PAGE_MADE;
    }
    return page_copied(k, p, a, table, va, old);
}

/* Maps the pages around va that the object holds and that are not mapped yet (do_fault_around). A
 * file's are mapped read-only, and one that bids the next window be read must be met by itself. The
 * table is made when there is one to map. false: no memory for it. */
static bool map_around(struct kernel *k, struct process *p, const struct area *a, va_t va)
{
    va_t block = align_down(va, HUGE_SIZE); /* what the table covers */
    va_t start = max_u64(align_down(va, AROUND_PAGES * PAGE_SIZE), a->start);
    va_t end = min_u64(min_u64(start + AROUND_PAGES * PAGE_SIZE, a->end), block + HUGE_SIZE);
    for (va_t at = start; at < end; at += PAGE_SIZE) {
        uint64_t index = area_index(a, at);
        pfn_t pfn = index < a->object->pages ? object_get(a->object, index) : PFN_NONE;
        if (pfn == PFN_NONE || frames_at(k->frames, pfn)->readahead)
            continue;
        pfn_t table = pgtable_make(k, p, va);
        if (table == PFN_NONE)
            return false;
        if (!ram_read64(k->ram, entry_at(table, at, 1)))
            pgtable_set(k, p, table, at, pte_make(pfn, area_pte(a, !area_inode(a))));
    }
    return true;
}

/* The object's page, read from swap or made if need be. PFN_NONE: no memory. */
static pfn_t object_page(struct kernel *k, const struct process *p, const struct area *a, va_t va)
{
    uint64_t index = area_index(a, va);
    uint32_t slot;
    if (object_slot(a->object, index, &slot)) {
        pfn_t back = reclaim_read(k, p->pid, va, slot, FRAME_SHARED);
        if (back != PFN_NONE)
            object_swap_in(a->object, index, back);
        return back;
    }
    pfn_t pfn = object_get(a->object, index);
    if (pfn != PFN_NONE)
        return pfn;
    pfn = frame_get(k, FRAME_SHARED, p->pid, va);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    if (!object_set(a->object, index, pfn)) {
        frame_put(k, pfn);
        return PFN_NONE;
    }
    frame_zero(k, pfn);
    return pfn;
}

/* Only a page that is there makes a table of level 1; those above it are made in any case. */
static enum page_in page_shared(struct kernel *k, struct process *p, const struct area *a, va_t va,
                                bool write)
{
    if (pgtable_level(k, p, va, 2, true) == PFN_NONE)
        return PAGE_NO_MEMORY;
    if (!write && !map_around(k, p, a, va)) /* even where the page itself turns out to be missing */
        return PAGE_NO_MEMORY;
    if (area_index(a, va) >= a->object->pages)
        return PAGE_NO_OBJECT;
    if (!write && object_get(a->object, area_index(a, va)) != PFN_NONE)
        return PAGE_MADE;
    uint64_t reads = k->counters.refaults;
    pfn_t pfn = object_page(k, p, a, va);
    pfn_t table = pfn == PFN_NONE ? PFN_NONE : pgtable_make(k, p, va);
    if (table == PFN_NONE)
        return PAGE_NO_MEMORY;
    pgtable_set(k, p, table, va, pte_make(pfn, area_pte(a, true)));
    return k->counters.refaults > reads ? PAGE_READ_IN : PAGE_MADE;
}

/* Linux: do_read_fault, do_cow_fault and do_shared_fault. Who waited for the disk begins anew, and
 * so maps around what was read. */
static enum page_in page_file(struct kernel *k, struct process *p, struct area *a, va_t va,
                              bool write)
{
    struct inode *inode = area_inode(a);
    uint64_t index = area_index(a, va);
    pfn_t table;
    if (pgtable_level(k, p, va, 2, true) == PFN_NONE)
        return PAGE_NO_MEMORY;
    if (!write && !map_around(k, p, a, va))
        return PAGE_NO_MEMORY;
    if (index >= inode->cache->pages)
        return PAGE_NO_OBJECT;
    if (pte_held(pgtable_get(k, p, va, &table)))
        return PAGE_MADE;
    uint64_t waits = k->counters.file_waits;
    pfn_t pfn = filemap_fault(k, a, inode, index);
    if (!write && k->counters.file_waits > waits && !map_around(k, p, a, va))
        return PAGE_NO_MEMORY;
    if (pte_held(pgtable_get(k, p, va, &table)))
        return PAGE_MADE;
    table = pfn == PFN_NONE ? PFN_NONE : pgtable_make(k, p, va);
    if (table == PFN_NONE)
        return PAGE_NO_MEMORY;
    if (write && !(a->flags & VM_SHARED)) {
        area_own_anon(p, a, &k->next_anon);
        return page_copied(k, p, a, table, va, pfn);
    }
    if (write)
        page_dirty(k, pfn);
    pgtable_set(k, p, table, va, pte_make(pfn, area_pte(a, write)));
    return PAGE_MADE;
}

/* The page comes back from swap, as a copy of its own where it is written and others have it. */
static enum page_in page_back(struct kernel *k, struct process *p, struct area *a, pfn_t table,
                              va_t va, pte_t entry, bool write)
{
    enum page_in in = reclaim_swap_in(k, p, a, table, va, entry, write);
    entry = pgtable_get(k, p, va, &table);
    if (in == PAGE_NO_MEMORY || !write || (entry & PTE_RW))
        return in;
    return page_unshare(k, p, a, table, va, entry) == PAGE_NO_MEMORY ? PAGE_NO_MEMORY : in;
}

/* Once, with what is free. */
static enum page_in page_in_once(struct kernel *k, struct process *p, struct area *a, va_t va,
                                 bool write)
{
    va = align_down(va, PAGE_SIZE);
    pfn_t table;
    enum page_in huge = huge_in(k, p, a, va, write);
    if (huge != PAGE_SMALL)
        return huge;
    pte_t entry = pgtable_get(k, p, va, &table);
    if (pte_held(entry)) {
        if (!write || (entry & PTE_RW))
            return PAGE_READY;
        return page_unshare(k, p, a, table, va, entry);
    }
    if (pte_swapped(entry))
        return page_back(k, p, a, table, va, entry, write);
    if (entry & PTE_GUARD)
        return PAGE_GUARDED;
    if (area_inode(a))
        return page_file(k, p, a, va, write);
    if (a->flags & VM_SHARED)
        return page_shared(k, p, a, va, write);
    table = pgtable_make(k, p, va);
    if (table == PFN_NONE)
        return PAGE_NO_MEMORY;
    /* NOTE: a page of a program's file is given a frame of zeroes at once, as if the page cache
     * had it: no frame is shared between processes and the contents are not those of a file. */
    if (write)
        area_own_anon(p, a, &k->next_anon);
    if (write || a->file)
        return page_fresh(k, p, a, table, va);
    pgtable_set(k, p, table, va, pte_make(k->zero, area_pte(a, false)));
    return PAGE_MADE;
}

/* Where no frame is left, some are freed and all begins anew. */
enum page_in page_in(struct kernel *k, struct process *p, struct area *a, va_t va, bool write)
{
    uint64_t waits = k->counters.file_waits;
    enum page_in in;
    do
        in = page_in_once(k, p, a, va, write);
    while (in == PAGE_NO_MEMORY && reclaim_direct(k));
    return in == PAGE_MADE && k->counters.file_waits > waits ? PAGE_READ_IN : in;
}

/* ---- populating ---- */

static void count_fault(struct kernel *k, struct process *p, enum page_in in)
{
    bool major = in == PAGE_READ_IN;
    *(major ? &p->faults_major : &p->faults_minor) += 1;
    *(major ? &k->counters.faults_major : &k->counters.faults_minor) += 1;
}

int populate_area(struct kernel *k, struct process *p, struct area *a, va_t start, va_t end,
                  bool write)
{
    for (va_t va = start; va < end; va += PAGE_SIZE) {
        enum page_in in = page_in(k, p, a, va, write);
        if (in == PAGE_MADE || in == PAGE_READ_IN)
            count_fault(k, p, in);
        reclaim_unpin(k);
        if (in == PAGE_NO_MEMORY) {
            EMIT(k->env, out_of_memory, .va = va, .pid = 0);
            return -LX_ENOMEM;
        }
        if (in > PAGE_READ_IN)
            return -LX_EFAULT;
    }
    return 0;
}

int populate(struct kernel *k, struct process *p, va_t start, va_t end, bool skip)
{
    struct area *a;
    while (start < end && (a = areas_first(&p->areas, start, end))) {
        va_t stop = min_u64(end, a->end);
        bool write = (a->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
        int result = -LX_EFAULT;
        if (a->flags & VM_ACCESS)
            result = populate_area(k, p, a, max_u64(start, a->start), stop, write);
        if (result && !skip)
            return result;
        start = stop;
    }
    return 0;
}

/* ---- the handler ---- */

/* Does the tables' present state already allow what faulted? Then a TLB was behind. */
static bool fault_spurious(const struct kernel *k, const struct cpu *cpu,
                           const struct mmu_fault *fault)
{
    const struct mmu_regs *regs = mmu_regs_now(cpu->mmu);
    struct walk walk;
    uint32_t error;
    walk_read(k->ram, regs, fault->va, &walk);
    return walk.canonical && walk_judge(&walk, regs, fault->access, &error);
}

/* Linux: expand_downwards and acct_stack_growth in mm/vma.c. */
static bool grow_stack(struct kernel *k, struct process *p, struct area *a, va_t va)
{
    va_t start = align_down(va, PAGE_SIZE);
    size_t i = areas_index(&p->areas, a->start);
    const struct area *lower = i ? p->areas.at[i - 1] : NULL;
    if (start < HINT_MIN || a->end - start > p->limit[LIMIT_STACK])
        return false;
    if (lower && !(lower->flags & VM_GROWSDOWN) && (lower->flags & VM_ACCESS) &&
        start - lower->end < STACK_GUARD)
        return false;
    uint64_t grow = a->start - start;
    if (!memory_expandable(p, a->flags, grow >> PAGE_SHIFT))
        return false;
    if ((a->flags & VM_LOCKED) && process_locked(p) + grow > p->limit[LIMIT_MEMLOCK])
        return false;
    area_own_anon(p, a, &k->next_anon);
    area_grow_down(k->env, p, a, start);
    return true;
}

/* The area for va, a stack grown to it where that may be; NULL: none. */
static struct area *fault_area(struct kernel *k, struct process *p, va_t va)
{
    struct area *a = NULL;
    if (va < TASK_SIZE)
        a = areas_at(&p->areas, areas_index(&p->areas, va));
    if (a && va < a->start && (!(a->flags & VM_GROWSDOWN) || !grow_stack(k, p, a, va)))
        a = NULL;
    EMIT(k->env, fault_area, .va = va, .start = a ? a->start : 0, .end = a ? a->end : 0,
         .prot = a ? a->flags & VM_ACCESS : 0);
    return a;
}

/* Linux: access_error. Without protection keys whatever may be accessed may be read. */
static bool fault_allowed(const struct area *a, enum access access)
{
    if (access == ACCESS_WRITE)
        return a->flags & VM_WRITE;
    if (access == ACCESS_FETCH)
        return a->flags & VM_EXEC;
    return a->flags & VM_ACCESS;
}

static enum fault_outcome fault_signal(struct kernel *k, struct lx_siginfo *info, int signal,
                                       unsigned code, va_t va)
{
    *info = (struct lx_siginfo){.signal = signal, .code = code, .va = va};
    if (!mmu_user(mmu_regs(k->cpus[k->env->cpu].mmu)))
        return FAULT_SIGNAL; /* the kernel's own access: its call fails, nobody gets a signal */
    if (signal == LX_SIGSEGV && code == LX_SEGV_PKUERR)
        k->counters.segv_pkuerr++;
    if (signal == LX_SIGSEGV && code == LX_SEGV_MAPERR)
        k->counters.segv_maperr++;
    if (signal == LX_SIGSEGV && code == LX_SEGV_ACCERR)
        k->counters.segv_accerr++;
    EMIT(k->env, signal_sent, .signal = (uint64_t)signal, .code = code, .va = va);
    return FAULT_SIGNAL;
}

/* Out of memory: true: another process died of it, so there may be some now. */
static bool killed_another(struct kernel *k, struct process *p, va_t va)
{
    const struct process *victim = oom_kill(k, p, va);
    if (!victim) /* Linux would panic */
        process_kill(k, p, va);
    return victim && victim != p;
}

static enum fault_outcome fault_page(struct kernel *k, struct process *p, struct area *a,
                                     const struct mmu_fault *fault, struct lx_siginfo *info)
{
    enum page_in in;
    do
        in = page_in(k, p, a, fault->va, fault->access == ACCESS_WRITE);
    while (in == PAGE_NO_MEMORY && killed_another(k, p, fault->va));
    switch (in) {
    case PAGE_NO_MEMORY:
        *info = (struct lx_siginfo){.signal = LX_SIGKILL, .va = fault->va};
        return FAULT_KILLED;
    case PAGE_NO_OBJECT:
        return fault_signal(k, info, LX_SIGBUS, LX_BUS_ADRERR, fault->va);
    case PAGE_GUARDED:
        return fault_signal(k, info, LX_SIGSEGV, LX_SEGV_MAPERR, fault->va);
    case PAGE_READY:
    case PAGE_MADE:
    case PAGE_SMALL:
    case PAGE_READ_IN:
        break;
    }
    count_fault(k, p, in);
    reclaim_pin(k, p, fault->va);
    return in == PAGE_READ_IN ? FAULT_MAJOR : FAULT_MINOR;
}

static enum fault_outcome fault_decide(struct kernel *k, struct cpu *cpu, struct process *p,
                                       const struct mmu_fault *fault, struct lx_siginfo *info)
{
    if (fault->vector != VECTOR_PF)
        return fault_signal(k, info, LX_SIGSEGV, SI_KERNEL, 0);
    if (fault_spurious(k, cpu, fault)) {
        mmu_invlpg(cpu->mmu, fault->va);
        k->counters.invlpgs++;
        k->counters.faults_spurious++;
        return FAULT_SPURIOUS;
    }
    struct area *a = fault_area(k, p, fault->va);
    if (!a)
        return fault_signal(k, info, LX_SIGSEGV, LX_SEGV_MAPERR, fault->va);
    if (k->config.pkeys && pkey_denies(mmu_regs(cpu->mmu)->pkru, area_pkey(a), fault->access))
        return fault_signal(k, info, LX_SIGSEGV, LX_SEGV_PKUERR, fault->va);
    if (!fault_allowed(a, fault->access))
        return fault_signal(k, info, LX_SIGSEGV, LX_SEGV_ACCERR, fault->va);
    return fault_page(k, p, a, fault, info);
}

enum fault_outcome kernel_fault(struct kernel *k, struct cpu *cpu, const struct mmu_fault *fault,
                                struct lx_siginfo *info)
{
    struct process *p = process_running(cpu);
    *info = (struct lx_siginfo){.signal = 0};
    if (!p) {
        *info = (struct lx_siginfo){.signal = LX_SIGKILL, .va = fault->va};
        return FAULT_KILLED;
    }
    cycles_t start = k->env->cycle;
    k->env->cycle += k->config.fault_cycles;
    frame_zero_late(k, cpu);
    EMIT(k->env, fault_begin, .va = fault->va, .error = fault->error);
    enum fault_outcome outcome = fault_decide(k, cpu, p, fault, info);
    k->counters.cycles_fault += k->env->cycle - start;
    EMIT(k->env, fault_end, .va = fault->va, .outcome = outcome, .signal = (uint64_t)info->signal,
         .code = info->code);
    writeback_balance(k, &k->counters.cycles_fault);
    reclaim_background(k);
    return outcome;
}
