/* filemap.c: the page cache: which pages of a file are in memory, and which are read when one is
 * missing. Linux: mm/filemap.c (do_sync_mmap_readahead, do_async_mmap_readahead) and
 * mm/readahead.c (ondemand_readahead) of 6.1.
 *
 *      fault at page 40, nothing cached, 32 pages a window
 *
 *      24 ─────────────── 40 ────────── 48* ───────── 55      read-around: half before, half
 * behind; at * the next window will be begun
 */
#include "kernel/file.h"
#include "kernel/pgtable.h"
#include "kernel/reclaim.h"
#include "kernel/rmap.h"
#include "sim/base/check.h"

#include <string.h>

#define LOTS_OF_MISSES 100u /* from here on reading around does not pay (MMAP_LOTSAMISS) */

/* ---- one page ---- */

/* Takes the page into the cache with a frame of its own, whose bytes are still to come. */
static pfn_t page_add(struct kernel *k, struct inode *inode, uint64_t index)
{
    pfn_t pfn = frame_get(k, FRAME_FILE, 0, index << PAGE_SHIFT);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    if (!object_set(inode->cache, index, pfn)) {
        frame_put(k, pfn);
        return PFN_NONE;
    }
    return pfn;
}

static pfn_t page_fill(struct kernel *k, struct inode *inode, uint64_t index)
{
    uint8_t bytes[PAGE_SIZE];
    pfn_t pfn = page_add(k, inode, index);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    disk_read(k, inode, index, bytes);
    ram_write(k->ram, pfn << PAGE_SHIFT, bytes, PAGE_SIZE);
    EMIT(k->env, file_page, .pfn = pfn, .file = inode->cache->number, .page = index);
    return pfn;
}

void filemap_remove(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    struct inode *inode = frame_inode(frame);
    INVARIANT(frame->refs == 0);
    inode->dirty -= frame->dirty;
    k->dirty -= frame->dirty;
    object_punch(frame->object, frame->index, (uint64_t)frame->index + 1);
}

/* ---- reading a window ---- */

static uint64_t pages_of(const struct inode *inode)
{
    return inode->cache->pages;
}

/* Reads the pages of [start, start + size) that lie in the file and are not cached; the page mark
 * tells, when it is met, that the next window is due. waited: the program waits for it. Linux:
 * page_cache_ra_unbounded. */
static void read_pages(struct kernel *k, struct inode *inode, uint64_t start, uint64_t size,
                       uint64_t mark, bool waited)
{
    uint64_t end = min_u64(start + size, pages_of(inode)), read = 0;
    for (uint64_t i = start; i < end; i++) {
        if (object_get(inode->cache, i) != PFN_NONE)
            continue;
        pfn_t pfn = page_fill(k, inode, i);
        if (pfn == PFN_NONE)
            break; /* memory is short: what is needed is read by itself */
        frames_at(k->frames, pfn)->readahead = i == mark;
        read++;
    }
    if (!read)
        return;
    cycles_t cost = k->config.disk_request_cycles + read * k->config.disk_page_cycles;
    if (waited)
        k->env->cycle += cost;
    k->counters.file_requests++;
    k->counters.file_reads += read;
    k->counters.file_waits += waited;
    EMIT(k->env, file_read, .file = inode->cache->number, .page = start, .pages = read,
         .waited = waited);
}

/* ---- read-ahead ---- */

static uint32_t window_max(const struct kernel *k, const struct inode *inode)
{
    return inode->ra.advice == LX_POSIX_FADV_SEQUENTIAL
               ? (uint32_t)min_u64(2 * k->config.readahead, READAHEAD_MAX)
               : k->config.readahead;
}

/* Linux: get_init_ra_size. */
static uint32_t window_first(uint64_t wanted, uint32_t max)
{
    uint64_t size = 1;
    while (size < wanted && size < max)
        size *= 2;
    if (size <= max / 32)
        size *= 4;
    else if (size <= max / 4)
        size *= 2;
    else
        size = max;
    return (uint32_t)size;
}

/* Linux: get_next_ra_size. */
static uint32_t window_next(const struct readahead *ra, uint32_t max)
{
    if (ra->size < max / 16)
        return 4 * ra->size;
    return ra->size <= max / 2 ? 2 * ra->size : max;
}

static void window_read(struct kernel *k, struct inode *inode, uint64_t index, uint32_t max,
                        bool waited)
{
    struct readahead *ra = &inode->ra;
    /* A window that would be marked at its first page takes the next one in at once. */
    if (ra->start == index && ra->size == ra->async_size) {
        uint32_t more = window_next(ra, max);
        if (ra->size + more <= max) {
            ra->async_size = more;
            ra->size += more;
        } else {
            ra->size = max;
            ra->async_size = max / 2;
        }
    }
    read_pages(k, inode, ra->start, ra->size, ra->start + ra->size - ra->async_size, waited);
}

/* Linux: ondemand_readahead. marked: index is the page that says so. */
static void read_ahead(struct kernel *k, struct inode *inode, uint64_t index, uint64_t wanted,
                       bool marked)
{
    struct readahead *ra = &inode->ra;
    uint32_t max = window_max(k, inode);
    wanted = min_u64(wanted, max);
    if (index &&
        (index == ra->start + ra->size - ra->async_size || index == ra->start + ra->size)) {
        ra->start += ra->size;
        ra->size = window_next(ra, max);
        ra->async_size = ra->size;
    } else if (marked) { /* of another stream: go on behind what is cached */
        uint64_t end = index + 1;
        while (end < index + 1 + max && object_get(inode->cache, end) != PFN_NONE)
            end++;
        ra->start = end;
        ra->size = (uint32_t)(end - index + wanted);
        ra->size = window_next(ra, max);
        ra->async_size = ra->size;
    } else if (index == 0 || wanted > max || index == ra->prev || index + 1 == ra->prev) {
        ra->start = index;
        ra->size = window_first(wanted, max);
        ra->async_size = ra->size > wanted ? ra->size - (uint32_t)wanted : ra->size;
    } else { /* a read of its own: no more than was asked for */
        read_pages(k, inode, index, wanted, UINT64_MAX, true);
        return;
    }
    window_read(k, inode, index, max, !marked);
}

/* Nothing is cached at index. Linux: do_sync_mmap_readahead. */
static void read_around(struct kernel *k, const struct area *a, struct inode *inode, uint64_t index)
{
    struct readahead *ra = &inode->ra;
    uint32_t max = window_max(k, inode);
    if (!max || (a->flags & VM_RAND_READ) || inode->ra.advice == LX_POSIX_FADV_RANDOM)
        return;
    if (a->flags & VM_SEQ_READ) {
        read_ahead(k, inode, index, max, false);
        return;
    }
    if (ra->misses < 10 * LOTS_OF_MISSES)
        ra->misses++;
    if (ra->misses > LOTS_OF_MISSES)
        return;
    ra->start = index > max / 2 ? index - max / 2 : 0;
    ra->size = max;
    ra->async_size = max / 4;
    read_pages(k, inode, ra->start, ra->size, ra->start + ra->size - ra->async_size, true);
}

/* The mark of a window is met: the next one is read while the program goes on. */
static void read_marked(struct kernel *k, struct inode *inode, uint64_t index, uint64_t wanted)
{
    struct frame *frame = frames_at(k->frames, object_get(inode->cache, index));
    if (!frame->readahead || !window_max(k, inode))
        return;
    frame->readahead = false;
    read_ahead(k, inode, index, wanted, true);
}

pfn_t filemap_page(struct kernel *k, struct inode *inode, uint64_t index, bool whole)
{
    pfn_t pfn = object_get(inode->cache, index);
    if (pfn != PFN_NONE)
        return pfn;
    if (!whole) {
        read_pages(k, inode, index, 1, UINT64_MAX, true);
        return object_get(inode->cache, index);
    }
    pfn = page_add(k, inode, index);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    frame_zero(k, pfn);
    EMIT(k->env, file_page, .pfn = pfn, .file = inode->cache->number, .page = index);
    return pfn;
}

pfn_t filemap_fault(struct kernel *k, const struct area *a, struct inode *inode, uint64_t index)
{
    if (object_get(inode->cache, index) != PFN_NONE) {
        inode->ra.misses -= inode->ra.misses > 0;
        if (!(a->flags & VM_RAND_READ))
            read_marked(k, inode, index, window_max(k, inode));
    } else {
        read_around(k, a, inode, index);
    }
    return filemap_page(k, inode, index, false);
}

pfn_t filemap_read(struct kernel *k, struct inode *inode, uint64_t index, uint64_t pages)
{
    bool ahead = window_max(k, inode) && inode->ra.advice != LX_POSIX_FADV_RANDOM;
    if (object_get(inode->cache, index) != PFN_NONE)
        read_marked(k, inode, index, pages);
    else if (ahead)
        read_ahead(k, inode, index, pages, false);
    inode->ra.prev = index + 1;
    return filemap_page(k, inode, index, false);
}

void filemap_willneed(struct kernel *k, struct inode *inode, uint64_t first, uint64_t last)
{
    if (first < last)
        read_pages(k, inode, first, last - first, UINT64_MAX, false);
}

/* ---- giving pages up ---- */

void filemap_drop_clean(struct kernel *k, struct inode *inode, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; radix_next(&inode->cache->tree, &i) && i < last; i++) {
        pfn_t pfn = object_get(inode->cache, i);
        const struct frame *frame = frames_at(k->frames, pfn);
        if (!frame->refs && !frame->dirty)
            filemap_remove(k, pfn);
    }
}

uint64_t filemap_shrink(struct kernel *k, uint64_t n)
{
    uint64_t freed = 0;
    for (size_t f = 0; f < FILES_MAX && freed < n; f++) {
        struct inode *inode = k->inode[f];
        for (uint64_t i = 0; inode && freed < n && radix_next(&inode->cache->tree, &i); i++)
            freed += reclaim_file_page(k, object_get(inode->cache, i));
    }
    return freed;
}

/* What lies behind the end in the last page is nothing, should the file ever grow again. */
static void cut_page(struct kernel *k, struct inode *inode, uint64_t size)
{
    uint64_t index = size >> PAGE_SHIFT, from = size & PAGE_MASK;
    pfn_t pfn = object_get(inode->cache, index);
    if (from && pfn != PFN_NONE)
        memset(ram_frame_write(k->ram, pfn) + from, 0, PAGE_SIZE - from);
}

void filemap_truncate(struct kernel *k, struct inode *inode, uint64_t size)
{
    uint64_t before = pages_of(inode), after = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    inode->size = size;
    inode->made = min_u64(inode->made, size);
    inode->cache->pages = after;
    for (size_t i = 0; i < k->process_count && after < before; i++)
        object_unmap(k, k->process[i], inode->cache, after, before);
    for (uint64_t i = after; radix_next(&inode->cache->tree, &i); i++)
        filemap_remove(k, object_get(inode->cache, i));
    cut_page(k, inode, size);
    disk_cut(k, inode, size);
    EMIT(k->env, file_size, .file = inode->cache->number, .size = size);
}
