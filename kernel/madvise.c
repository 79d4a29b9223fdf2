/* madvise.c: advice, locking, and asking what is in memory (Linux: mm/madvise.c, mlock.c,
 * mincore.c). All three go area by area over a range that may have holes; they differ in what a
 * hole means.
 */
#include "kernel/file.h"
#include "kernel/pgtable.h"
#include "kernel/reclaim.h"
#include "kernel/swap.h"
#include "kernel/syscalls.h"
#include "kernel/thp.h"
#include "kernel/trap.h"
#include "kernel/uaccess.h"
#include "sim/base/check.h"

/* ---- flags of a part of an area ---- */

static int64_t set_flags(struct kernel *k, struct process *p, struct area *a, va_t start, va_t end,
                         uint32_t flags)
{
    if (flags == a->flags)
        return 0;
    if (!areas_reserve(k->env, &p->areas, 2))
        return -LX_ENOMEM;
    huge_border(k, p, start);
    huge_border(k, p, end);
    return area_modify(k->env, p, a, start, end, flags, k->config.max_areas) ? 0 : -LX_ENOMEM;
}

/* Advice that only changes the flags of an area: which go, which come, where it is refused. */
struct flag_advice {
    uint64_t advice;
    uint32_t clear, set;
};

static const struct flag_advice flag_advices[] = {
    {LX_MADV_NORMAL, VM_RAND_READ | VM_SEQ_READ, 0},
    {LX_MADV_RANDOM, VM_SEQ_READ, VM_RAND_READ},
    {LX_MADV_SEQUENTIAL, VM_RAND_READ, VM_SEQ_READ},
    {LX_MADV_DONTFORK, 0, VM_DONTCOPY},
    {LX_MADV_DOFORK, VM_DONTCOPY, 0},
    {LX_MADV_DONTDUMP, 0, VM_DONTDUMP},
    {LX_MADV_DODUMP, VM_DONTDUMP, 0},
    {LX_MADV_WIPEONFORK, 0, VM_WIPEONFORK},
    {LX_MADV_KEEPONFORK, VM_WIPEONFORK, 0},
    {LX_MADV_MERGEABLE, 0, VM_MERGEABLE},
    {LX_MADV_UNMERGEABLE, VM_MERGEABLE, 0},
    {LX_MADV_HUGEPAGE, VM_NOHUGEPAGE, VM_HUGEPAGE},
    {LX_MADV_NOHUGEPAGE, VM_HUGEPAGE, VM_NOHUGEPAGE},
};

static const struct flag_advice *flag_advice_find(uint64_t advice)
{
    for (size_t i = 0; i < ARRAY_LEN(flag_advices); i++)
        if (flag_advices[i].advice == advice)
            return &flag_advices[i];
    return NULL;
}

static int64_t advise_flags(struct kernel *k, struct process *p, struct area *a, va_t start,
                            va_t end, const struct flag_advice *advice)
{
    if (advice->advice == LX_MADV_WIPEONFORK && (a->file || (a->flags & VM_SHARED)))
        return -LX_EINVAL;
    if (advice->advice == LX_MADV_MERGEABLE && (a->flags & VM_SHARED))
        return 0;
    return set_flags(k, p, a, start, end, (a->flags & ~advice->clear) | advice->set);
}

/* ---- advice about pages ---- */

static int64_t advise_dontneed(struct kernel *k, struct process *p, va_t start, va_t end)
{
    pgtable_zap(k, p, start, end, ZAP_KEEP_GUARDS);
    pgtable_reclaim(k, p, start, end);
    return 0;
}

static int64_t advise_free(struct kernel *k, struct process *p, const struct area *a, va_t start,
                           va_t end)
{
    if (a->file || a->object)
        return -LX_EINVAL;
    pgtable_lazy_free(k, p, start, end);
    return 0;
}

/* Asks reclaim to do something with each page that has an entry. */
static int64_t advise_each(struct kernel *k, struct process *p, va_t start, va_t end,
                           void (*ask)(struct kernel *, struct process *, va_t))
{
    va_t va = start;
    while (pgtable_next(k, p, &va, end) != PFN_NONE) {
        va_t stop = min_u64(align_down(va, HUGE_SIZE) + HUGE_SIZE, end);
        for (; va < stop; va += PAGE_SIZE)
            ask(k, p, va);
    }
    return 0;
}

/* Takes pages out of a shared object, wherever they are mapped. */
static int64_t advise_remove(struct kernel *k, const struct area *a, va_t start, va_t end)
{
    if (!a->object || (a->flags & VM_LOCKED))
        return -LX_EINVAL;
    if (area_inode(a)) /* NOTE: no holes in files */
        return (a->flags & VM_SHARED) && (a->flags & VM_WRITE) ? -LX_EOPNOTSUPP : -LX_EACCES;
    struct object *object = a->object;
    uint64_t first = area_index(a, start);
    uint64_t last = min_u64(area_index(a, end), object->pages);
    for (size_t i = 0; i < k->process_count && first < last; i++)
        object_unmap(k, k->process[i], object, first, last);
    if (first < last)
        object_punch(object, first, last);
    return 0;
}

/* What reclaim does to a page of shared memory that only one entry maps, where there is no swap:
 * the entry goes; the page too, unless it was written. */
static void page_out_shared(struct kernel *k, struct process *p, const struct area *a, va_t va)
{
    pfn_t table;
    pte_t entry = pgtable_get(k, p, va, &table);
    uint64_t index = area_index(a, va);
    const struct frame *frame = frames_at(k->frames, pte_pfn(entry));
    if (!pte_held(entry) || frame->refs > 1)
        return;
    pgtable_zap(k, p, va, va + PAGE_SIZE, ZAP_KEEP_GUARDS);
    if (!frame->dirty)
        object_punch(a->object, index, index + 1);
}

/* Without swap, pages that were written stay. */
static void advise_page_out(struct kernel *k, struct process *p, const struct area *a, va_t start,
                            va_t end)
{
    if (!a->object)
        pgtable_drop_lazy(k, p, start, end);
    if (!a->object || k->swap.slots || area_inode(a)) {
        advise_each(k, p, start, end, reclaim_pageout);
        return;
    }
    for (va_t va = start; pgtable_next(k, p, &va, end) != PFN_NONE; va += PAGE_SIZE)
        page_out_shared(k, p, a, va);
}

/* A file's pages are read into the cache; nothing is mapped yet. Linux: madvise_willneed. */
static int64_t advise_willneed(struct kernel *k, const struct area *a, va_t start, va_t end)
{
    uint64_t first = area_index(a, start);
    filemap_willneed(k, area_inode(a), first, min_u64(area_index(a, end), a->object->pages));
    return 0;
}

/* Guards take the place of whatever is there. */
static int64_t advise_guard(struct kernel *k, struct process *p, struct area *a, va_t start,
                            va_t end)
{
    if (a->flags & VM_LOCKED)
        return -LX_EINVAL;
    area_own_anon(p, a, &k->next_anon);
    pgtable_zap(k, p, start, end, ZAP_KEEP_GUARDS);
    return pgtable_guard(k, p, start, end) ? 0 : -LX_ENOMEM;
}

static int64_t advise_pages(struct kernel *k, struct process *p, struct area *a, va_t start,
                            va_t end, uint64_t advice)
{
    bool locked = a->flags & VM_LOCKED;
    switch (advice) {
    case LX_MADV_DONTNEED:
        return locked ? -LX_EINVAL : advise_dontneed(k, p, start, end);
    case LX_MADV_DONTNEED_LOCKED:
        return advise_dontneed(k, p, start, end);
    case LX_MADV_FREE:
        return locked ? -LX_EINVAL : advise_free(k, p, a, start, end);
    case LX_MADV_REMOVE:
        return advise_remove(k, a, start, end);
    case LX_MADV_COLD:
        if (locked)
            return -LX_EINVAL;
        huge_cold(k, p, start, end);
        gather_flush(k, p);
        return advise_each(k, p, start, end, reclaim_cold);
    case LX_MADV_COLLAPSE:
        return huge_collapse_range(k, p, a, start, end);
    case LX_MADV_PAGEOUT:
        if (locked)
            return -LX_EINVAL;
        advise_page_out(k, p, a, start, end);
        return 0;
    case LX_MADV_WILLNEED:
        if (area_inode(a))
            return advise_willneed(k, a, start, end);
        return advise_each(k, p, start, end, reclaim_willneed);
    case LX_MADV_GUARD_INSTALL:
        return advise_guard(k, p, a, start, end);
    case LX_MADV_GUARD_REMOVE:
        pgtable_unguard(k, p, start, end);
        return 0;
    default:
        return 0;
    }
}

static bool advice_known(uint64_t advice)
{
    static const uint64_t others[] = {
        LX_MADV_WILLNEED,      LX_MADV_DONTNEED,       LX_MADV_FREE,
        LX_MADV_REMOVE,        LX_MADV_COLD,           LX_MADV_PAGEOUT,
        LX_MADV_POPULATE_READ, LX_MADV_POPULATE_WRITE, LX_MADV_DONTNEED_LOCKED,
        LX_MADV_GUARD_INSTALL, LX_MADV_GUARD_REMOVE,   LX_MADV_COLLAPSE,
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (others[i] == advice)
            return true;
    return flag_advice_find(advice);
}

/* POPULATE_READ and POPULATE_WRITE stop at the first hole or refusal. */
static int64_t advise_populate(struct kernel *k, struct process *p, va_t start, va_t end,
                               bool write)
{
    while (start < end) {
        struct area *a = areas_find(&p->areas, start);
        if (!a)
            return -LX_ENOMEM;
        if (!(a->flags & (write ? VM_WRITE : VM_READ)))
            return -LX_EINVAL;
        va_t stop = min_u64(end, a->end);
        int result = populate_area(k, p, a, start, stop, write);
        if (result)
            return result;
        start = stop;
    }
    return 0;
}

/* Every area of the range; holes are passed over and reported at the end. */
static int64_t advise_range(struct kernel *k, struct process *p, va_t start, va_t end,
                            uint64_t advice)
{
    const struct flag_advice *flags = flag_advice_find(advice);
    int64_t hole = 0;
    while (start < end) {
        struct area *a = areas_first(&p->areas, start, end);
        if (!a || a->start > start)
            hole = -LX_ENOMEM;
        if (!a)
            break;
        start = max_u64(start, a->start);
        va_t stop = min_u64(end, a->end);
        int64_t result = flags ? advise_flags(k, p, a, start, stop, flags)
                               : advise_pages(k, p, a, start, stop, advice);
        if (result < 0)
            return result;
        start = stop;
    }
    return hole;
}

int64_t sys_madvise(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    va_t start = arg[0];
    uint64_t length = align_up(arg[1], PAGE_SIZE), advice = arg[2];
    if (!advice_known(advice) || (start & PAGE_MASK) || (arg[1] && !length) ||
        start + length < start)
        return -LX_EINVAL;
    if (!length)
        return 0;
    if (advice == LX_MADV_POPULATE_READ || advice == LX_MADV_POPULATE_WRITE)
        return advise_populate(k, p, start, start + length, advice == LX_MADV_POPULATE_WRITE);
    return advise_range(k, p, start, start + length, advice);
}

/* ---- mlock, munlock ---- */

/* Pages of [start, end) that are locked already. */
static uint64_t locked_bytes(const struct process *p, va_t start, va_t end)
{
    uint64_t bytes = 0;
    for (size_t i = areas_index(&p->areas, start); i < p->areas.count; i++) {
        const struct area *a = p->areas.at[i];
        if (a->start >= end)
            break;
        if (a->flags & VM_LOCKED)
            bytes += min_u64(a->end, end) - max_u64(a->start, start);
    }
    return bytes;
}

/* apply_vma_lock_flags: a hole ends it with what came before already done. */
static int64_t lock_range(struct kernel *k, struct process *p, va_t start, va_t end, uint32_t lock)
{
    while (start < end) {
        struct area *a = areas_find(&p->areas, start);
        if (!a)
            return -LX_ENOMEM;
        va_t stop = min_u64(a->end, end);
        int64_t result = set_flags(k, p, a, start, stop, (a->flags & ~VM_LOCKED) | lock);
        if (result < 0)
            return result;
        start = stop;
    }
    return 0;
}

int64_t sys_mlock(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    va_t start = align_down(arg[0], PAGE_SIZE);
    uint64_t length = align_up(arg[1] + (arg[0] & PAGE_MASK), PAGE_SIZE);
    uint64_t limit = p->limit[LIMIT_MEMLOCK] >> PAGE_SHIFT;
    uint64_t locked = (process_locked(p) >> PAGE_SHIFT) + (length >> PAGE_SHIFT);
    va_t end = length > UINT64_MAX - start ? UINT64_MAX : start + length;
    if (locked > limit)
        locked -= locked_bytes(p, start, end) >> PAGE_SHIFT;
    if (locked > limit)
        return -LX_ENOMEM;
    if (start + length < start)
        return -LX_EINVAL;
    int64_t result = lock_range(k, p, start, start + length, VM_LOCKED);
    if (result < 0)
        return result;
    result = populate(k, p, start, start + length, false);
    if (result == -LX_EFAULT)
        return -LX_ENOMEM;
    return result == -LX_ENOMEM ? -LX_EAGAIN : result;
}

int64_t sys_munlock(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    va_t start = align_down(arg[0], PAGE_SIZE);
    uint64_t length = align_up(arg[1] + (arg[0] & PAGE_MASK), PAGE_SIZE);
    if (start + length < start)
        return -LX_EINVAL;
    return lock_range(k, p, start, start + length, 0);
}

/* ---- mincore ---- */

static int page_in_core(const struct kernel *k, const struct process *p, const struct area *a,
                        va_t va)
{
    pfn_t table;
    pte_t entry = pgtable_get(k, p, va, &table);
    uint64_t index = area_index(a, va);
    if (pte_held(entry) || huge_get(k, p, va))
        return 1;
    if (pte_swapped(entry))
        return swap_cached(k, pte_swap_slot(entry)) != PFN_NONE;
    return a->object && index < a->object->pages && object_get(a->object, index) != PFN_NONE;
}

int kernel_mincore(const struct kernel *k, uint16_t pid, va_t va)
{
    const struct process *p = process_find(k, pid);
    const struct area *a = p ? areas_find(&p->areas, va) : NULL;
    return a ? page_in_core(k, p, a, align_down(va, PAGE_SIZE)) : -1;
}

/* A byte for each page into the program's memory. */
static int64_t mincore_tell(struct kernel *k, const struct process *p, va_t start, va_t end,
                            va_t vec)
{
    for (; start < end; start += PAGE_SIZE, vec++) {
        uint8_t byte = (uint8_t)page_in_core(k, p, areas_find(&p->areas, start), start);
        if (!copy_to_user(k, vec, &byte, 1))
            return -LX_EFAULT;
    }
    return 0;
}

/* NOTE: without a vector (0) only the arguments are judged, where Linux says EFAULT: a trace may
 * want no more. */
int64_t sys_mincore(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    va_t start = arg[0];
    if (start & PAGE_MASK)
        return -LX_EINVAL;
    if (start > TASK_SIZE || arg[1] > TASK_SIZE - start)
        return -LX_ENOMEM;
    va_t end = start + align_up(arg[1], PAGE_SIZE);
    while (start < end) {
        const struct area *a = areas_find(&p->areas, start);
        if (!a)
            return -LX_ENOMEM;
        start = a->end;
    }
    return arg[2] ? mincore_tell(k, p, arg[0], end, arg[2]) : 0;
}
