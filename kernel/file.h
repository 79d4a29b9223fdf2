/* file.h: files on a disk, and their pages in memory: the page cache; private to this folder.
 *
 *      process A        process B
 *     [ area, shared ] [ area, private ]
 *            └──────┬──────┘ └─ written: a copy of its own (anonymous from then on)
 *                   ▼
 *     page cache  [ 0 ][ 1 ][ 2*][   ][   ]     one frame a page, however many map it; * dirty
 *                   ▲         │
 *            read,  │         ▼  write-back
 *      read-ahead   │
 *     disk        [ 0 ][ 1 ][ 2 ][ 3 ][ 4 ]     as last written back
 *
 * Linux: mm/filemap.c, mm/readahead.c, mm/page-writeback.c, mm/truncate.c. A file exists as long as
 * the machine; the disk is never full.
 */
#ifndef MEMWALK_KERNEL_FILE_H
#define MEMWALK_KERNEL_FILE_H

#include "kernel/object.h"
#include "kernel/trap.h"
#include "kernel/uapi.h"

#define FILE_BYTES_MAX ((uint64_t)1 << 43) /* page numbers fit in 32 bits */
#define READAHEAD_MAX  256u                /* pages of a window, at most */

/* The window that was read ahead last (Linux: struct file_ra_state): size pages from start; at the
 * page async_size before its end the next window is begun.
 * NOTE: one for each file, where Linux has one for each time it was opened. */
struct readahead {
    uint64_t start;
    uint32_t size, async_size;
    uint32_t misses; /* faults that found no page, less those that did (mmap_miss) */
    uint64_t prev;   /* page that read() ended with, + 1 */
    uint64_t advice; /* LX_POSIX_FADV_ of the whole file */
};

struct inode {
    const struct area_file *name; /* as maps and events show it */
    uint64_t size;                /* bytes */
    uint64_t made;                /* bytes that it had at first: those have contents */
    struct object *cache;         /* its pages in memory */
    struct radix disk;            /* pages as written back: host memory, or 0: as at first */
    uint64_t dirty;               /* pages that the disk does not have */
    struct readahead ra;
};

/* The file that an area shows, NULL: none of these. */
static inline struct inode *area_inode(const struct area *a)
{
    return a->object ? a->object->inode : NULL;
}

static inline struct inode *frame_inode(const struct frame *frame)
{
    return frame->object ? frame->object->inode : NULL;
}

/* ---- the page cache (filemap.c) ---- */

/* The page at index, which lies in the file; read with those around it where it is not cached, as
 * Linux reads for a fault in a. PFN_NONE: no frame. */
pfn_t filemap_fault(struct kernel *, const struct area *, struct inode *, uint64_t index);
/* The same for read() of pages [index, index + pages): the first of them. */
pfn_t filemap_read(struct kernel *, struct inode *, uint64_t index, uint64_t pages);
/* A page about to be overwritten as a whole, or read alone. PFN_NONE: no frame. */
pfn_t filemap_page(struct kernel *, struct inode *, uint64_t index, bool whole);
/* Reads pages [first, last) that are not cached, none of which is waited for. */
void filemap_willneed(struct kernel *, struct inode *, uint64_t first, uint64_t last);
/* The page leaves the cache; nothing maps it, and what it held is lost if it was dirty. */
void filemap_remove(struct kernel *, pfn_t);
/* Pages [first, last) leave the cache, clean and unmapped ones only (POSIX_FADV_DONTNEED). */
void filemap_drop_clean(struct kernel *, struct inode *, uint64_t first, uint64_t last);
/* Where no policy rules: frees up to n pages of files, those of low numbers first. How many. */
uint64_t filemap_shrink(struct kernel *, uint64_t n);
/* A file's new length: pages beyond it go, from the processes too. */
void filemap_truncate(struct kernel *, struct inode *, uint64_t size);

/* What page index holds on the disk. */
void disk_read(const struct kernel *, const struct inode *, uint64_t index,
               uint8_t bytes[PAGE_SIZE]);
/* false: no host memory; the disk is as before. */
bool disk_write(struct kernel *, struct inode *, uint64_t index, const uint8_t bytes[PAGE_SIZE]);

/* The disk forgets what lies behind size. */
void disk_cut(struct kernel *, struct inode *, uint64_t size);

/* ---- dirty pages (writeback.c) ---- */

/* The cached page is about to be written, by a store or a call. */
void page_dirty(struct kernel *, pfn_t);
/* Writes one dirty page back: it is clean, and no entry lets it be written any more. false: it
 * stays dirty (no memory for the disk, or an entry that is not known). */
bool page_write_back(struct kernel *, pfn_t);
/* Writes pages [first, last) back: 0, or -EIO if one could not be. */
int writeback_range(struct kernel *, struct inode *, uint64_t first, uint64_t last);
/* Above the background mark the flusher writes until below it; above the other mark the program
 * itself must, and its time is added to waited. Linux: balance_dirty_pages, wb_workfn. */
void writeback_balance(struct kernel *, cycles_t *waited);

/* ---- descriptors and calls (file.c, writeback.c) ---- */

int64_t sys_openat(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_close(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_pread64(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_pwrite64(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_ftruncate(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_fadvise64(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_fsync(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_msync(struct kernel *, struct process *, const uint64_t arg[6]);

/* The file of a descriptor, NULL: it is a bad one. */
struct inode *file_of_fd(const struct kernel *, const struct process *, uint64_t fd);
/* May it be mapped with these LX_PROT_ and LX_MAP_, as it was opened? The descriptor is good. */
bool file_may_map(const struct process *, uint64_t fd, uint64_t prot, uint64_t flags);

/* Cached pages counted, dirty ones too, and named back by their frames. */
bool files_check(const struct kernel *, char *why, size_t size);

#endif
