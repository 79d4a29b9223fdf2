/* writeback.c: dirty pages: how a store to a shared page is noticed, and how the page gets to the
 * disk. Linux: page_mkwrite and page_mkclean, mm/page-writeback.c, mm/msync.c.
 *
 *   clean, entry R-  ──store: fault──▶  dirty, entry RW  ──write-back──▶  clean, entry R-
 *
 * Because a clean page is never mapped writable, no store goes unnoticed.
 */
#include "kernel/file.h"
#include "kernel/pgtable.h"
#include "kernel/reclaim.h"
#include "kernel/rmap.h"
#include "sim/base/check.h"

void page_dirty(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    struct inode *inode = frame_inode(frame);
    if (frame->dirty)
        return;
    frame->dirty = true;
    inode->dirty++;
    k->dirty++;
    k->counters.file_dirtied++;
    EMIT(k->env, file_dirty, .pfn = pfn, .file = inode->cache->number, .page = frame->index,
         .dirty = k->dirty);
}

/* Every entry that maps the frame loses W and D (Linux: page_mkclean). */
static void protect_all(struct kernel *k, const struct frame *frame)
{
    mapping_t m;
    for (size_t i = 0; (m = rmap_at(frame, i)); i++) {
        struct process *p = process_find(k, mapping_pid(m));
        pfn_t table;
        pte_t entry = pgtable_get(k, p, mapping_va(m), &table);
        if (entry & (PTE_RW | PTE_D))
            pgtable_set(k, p, table, mapping_va(m), entry & ~(PTE_RW | PTE_D));
    }
}

bool page_write_back(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    struct inode *inode = frame_inode(frame);
    if (!inode || rmap_count(frame) != frame->refs ||
        !disk_write(k, inode, frame->index, ram_frame(k->ram, pfn)))
        return false;
    protect_all(k, frame);
    frame->dirty = false;
    inode->dirty--;
    k->dirty--;
    k->counters.file_writes++;
    k->env->cycle += k->config.disk_page_cycles;
    EMIT(k->env, file_write, .pfn = pfn, .file = inode->cache->number, .page = frame->index,
         .dirty = k->dirty);
    return true;
}

/* At most n dirty pages of [first, last), none that is pinned. How many; *failed: one could not be
 * written. */
static uint64_t write_some(struct kernel *k, struct inode *inode, uint64_t first, uint64_t last,
                           uint64_t n, bool *failed)
{
    uint64_t written = 0;
    for (uint64_t i = first;
         inode->dirty && written < n && radix_next(&inode->cache->tree, &i) && i < last; i++) {
        pfn_t pfn = object_get(inode->cache, i);
        if (!frames_at(k->frames, pfn)->dirty || reclaim_pinned(k, pfn))
            continue;
        bool good = page_write_back(k, pfn);
        *failed = *failed || !good;
        written += good;
    }
    if (written) {
        k->env->cycle += k->config.disk_request_cycles;
        k->counters.file_requests++;
    }
    return written;
}

int writeback_range(struct kernel *k, struct inode *inode, uint64_t first, uint64_t last)
{
    bool failed = false;
    write_some(k, inode, first, last, UINT64_MAX, &failed);
    return failed ? -LX_EIO : 0;
}

/* Linux: global_dirtyable_memory, in pages. Those of the access under way may always be dirty. */
static uint64_t mark(const struct kernel *k, uint32_t percent)
{
    return max_u64((k->frames->free + k->frames_of[FRAME_FILE]) * percent / 100, PINS);
}

void writeback_balance(struct kernel *k, cycles_t *waited)
{
    if (!k->dirty || k->dirty <= mark(k, k->config.dirty_background))
        return;
    cycles_t start = k->env->cycle;
    bool waits = k->dirty > mark(k, k->config.dirty_limit), failed = false;
    EMIT(k->env, writeback_begin, .dirty = k->dirty, .waited = waits);
    for (size_t i = 0; i < FILES_MAX; i++) {
        uint64_t least = mark(k, k->config.dirty_background);
        if (k->inode[i] && k->dirty > least)
            write_some(k, k->inode[i], 0, UINT64_MAX, k->dirty - least, &failed);
    }
    *(waits ? &k->counters.writeback_waits : &k->counters.writeback_runs) += 1;
    *(waits ? waited : &k->counters.cycles_writeback) += k->env->cycle - start;
}

/* ---- the calls ---- */

int64_t sys_fsync(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    struct inode *inode = file_of_fd(k, p, arg[0]);
    return inode ? writeback_range(k, inode, 0, UINT64_MAX) : -LX_EBADF;
}

/* What one area's part of [start, end) asks for. */
static int64_t sync_area(struct kernel *k, const struct area *a, va_t start, va_t end,
                         uint64_t flags)
{
    struct inode *inode = area_inode(a);
    if ((flags & LX_MS_INVALIDATE) && (a->flags & VM_LOCKED))
        return -LX_EBUSY;
    if (!(flags & LX_MS_SYNC) || !inode || !(a->flags & VM_SHARED))
        return 0; /* MS_ASYNC does nothing: the flusher comes by itself */
    return writeback_range(k, inode, area_index(a, start), area_index(a, end));
}

int64_t sys_msync(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    const uint64_t known = LX_MS_ASYNC | LX_MS_INVALIDATE | LX_MS_SYNC;
    va_t start = arg[0], end = start + align_up(arg[1], PAGE_SIZE);
    uint64_t flags = arg[2];
    int64_t hole = 0;
    if ((flags & ~known) || (start & PAGE_MASK) || ((flags & LX_MS_ASYNC) && (flags & LX_MS_SYNC)))
        return -LX_EINVAL;
    if (end < start)
        return -LX_ENOMEM;
    while (start < end) {
        const struct area *a = areas_at(&p->areas, areas_index(&p->areas, start));
        if (!a || (a->start > start && flags == LX_MS_ASYNC))
            return -LX_ENOMEM;
        if (a->start > start)
            hole = -LX_ENOMEM;
        start = max_u64(start, a->start);
        if (start >= end)
            break;
        va_t stop = min_u64(a->end, end);
        int64_t result = sync_area(k, a, start, stop, flags);
        if (result < 0)
            return result;
        start = stop;
    }
    return hole;
}
