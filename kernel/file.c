/* file.c: the files of the disk, descriptors, and the calls that use them. Linux: fs/open.c,
 * fs/read_write.c, mm/fadvise.c.
 */
#include "kernel/file.h"

#include "kernel/reclaim.h"
#include "kernel/uaccess.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>
#include <string.h>

#define LINE_BYTES 16u /* contents of a file as it is made: lines that say where they stand */

/* Names that never change, because events may be read long after the machine is gone. */
#define NAME(n)                                                                                    \
    {                                                                                              \
        "/data/file" #n, 0x08, 2, n                                                                \
    }
static const struct area_file names[FILES_MAX] = {
    NAME(1), NAME(2),  NAME(3),  NAME(4),  NAME(5),  NAME(6),  NAME(7),  NAME(8),
    NAME(9), NAME(10), NAME(11), NAME(12), NAME(13), NAME(14), NAME(15), NAME(16),
};

/* ---- the disk ---- */

/* Line by line: "f1 p40    000080\n", file, page and offset in it. */
static void first_contents(const struct inode *inode, uint64_t index, uint8_t bytes[PAGE_SIZE])
{
    char line[32];
    for (unsigned at = 0; at < PAGE_SIZE; at += LINE_BYTES) {
        int n = snprintf(line, sizeof(line), "f%llu p%llu",
                         (unsigned long long)inode->cache->number, (unsigned long long)index);
        memset(bytes + at, ' ', LINE_BYTES);
        memcpy(bytes + at, line, (size_t)min_u64((uint64_t)n, LINE_BYTES - 5));
        snprintf(line, sizeof(line), "%03x\n", at);
        memcpy(bytes + at + LINE_BYTES - 4, line, 4);
    }
    uint64_t start = index << PAGE_SHIFT;
    uint64_t good = inode->made > start ? min_u64(inode->made - start, PAGE_SIZE) : 0;
    memset(bytes + good, 0, PAGE_SIZE - good);
}

void disk_read(const struct kernel *k, const struct inode *inode, uint64_t index,
               uint8_t bytes[PAGE_SIZE])
{
    (void)k;
    const void *held = (const void *)(uintptr_t)radix_get(&inode->disk, index);
    if (held)
        memcpy(bytes, held, PAGE_SIZE);
    else
        first_contents(inode, index, bytes);
}

bool disk_write(struct kernel *k, struct inode *inode, uint64_t index,
                const uint8_t bytes[PAGE_SIZE])
{
    uint64_t *slot = radix_slot(k->env->arena, &inode->disk, index, true);
    if (!slot)
        return false;
    void *held = (void *)(uintptr_t)*slot;
    if (!held)
        held = arena_alloc(k->env->arena, PAGE_SIZE);
    if (!held)
        return false;
    memcpy(held, bytes, PAGE_SIZE);
    *slot = (uintptr_t)held;
    return true;
}

void disk_cut(struct kernel *k, struct inode *inode, uint64_t size)
{
    uint64_t i = size >> PAGE_SHIFT, from = size & PAGE_MASK, held;
    for (; (held = radix_next(&inode->disk, &i)); i++) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)held;
        if (i << PAGE_SHIFT < size) {
            memset(bytes + from, 0, PAGE_SIZE - from);
            continue;
        }
        arena_free(k->env->arena, bytes, PAGE_SIZE);
        *radix_slot(k->env->arena, &inode->disk, i, false) = 0;
    }
}

/* The file of that number, NULL: there is none. */
static struct inode *numbered(const struct kernel *k, uint64_t number)
{
    return number && number <= FILES_MAX ? k->inode[number - 1] : NULL;
}

int kernel_file(struct kernel *k, uint64_t number, uint64_t size)
{
    if (number == 0 || number > FILES_MAX || size > FILE_BYTES_MAX)
        return -LX_EINVAL;
    if (numbered(k, number))
        return 0;
    struct inode *inode = arena_alloc(k->env->arena, sizeof(*inode));
    struct object *cache = object_new(k, align_up(size, PAGE_SIZE) >> PAGE_SHIFT);
    if (!inode || !cache) {
        arena_free(k->env->arena, inode, sizeof(*inode));
        object_put(cache);
        return -LX_ENOMEM;
    }
    *inode = (struct inode){.name = &names[number - 1], .size = size, .made = size, .cache = cache};
    cache->number = number;
    cache->inode = inode;
    k->inode[number - 1] = inode;
    EMIT(k->env, file_new, .file = number, .size = size);
    return 0;
}

/* ---- descriptors ---- */

static const struct descriptor *find(const struct process *p, uint64_t fd)
{
    uint64_t i = fd - FIRST_FD;
    return i < FDS_MAX && p->fd[i].file ? &p->fd[i] : NULL;
}

static struct inode *inode_of(const struct kernel *k, const struct descriptor *d)
{
    return numbered(k, d->file);
}

struct inode *file_of_fd(const struct kernel *k, const struct process *p, uint64_t fd)
{
    const struct descriptor *d = find(p, fd);
    return d ? inode_of(k, d) : NULL;
}

/* NOTE: the path is the number of a file that kernel_file made, for the program has no string in
 * its memory. */
int64_t sys_openat(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    uint64_t file = arg[1], mode = arg[2] & LX_O_ACCMODE;
    if (mode == LX_O_ACCMODE)
        return -LX_EINVAL;
    if (!numbered(k, file))
        return -LX_ENOENT;
    for (unsigned i = 0; i < FDS_MAX; i++) {
        if (p->fd[i].file)
            continue;
        p->fd[i] = (struct descriptor){
            .file = (uint8_t)file, .read = mode != LX_O_WRONLY, .write = mode != LX_O_RDONLY};
        if (arg[2] & LX_O_TRUNC && p->fd[i].write)
            filemap_truncate(k, numbered(k, file), 0);
        return FIRST_FD + i;
    }
    return -LX_EMFILE;
}

int64_t sys_close(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    (void)k;
    if (!find(p, arg[0]))
        return -LX_EBADF;
    p->fd[arg[0] - FIRST_FD] = (struct descriptor){0};
    return 0;
}

bool file_may_map(const struct process *p, uint64_t fd, uint64_t prot, uint64_t flags)
{
    const struct descriptor *d = find(p, fd);
    bool changes = (flags & LX_MAP_TYPE) == LX_MAP_SHARED && (prot & LX_PROT_WRITE);
    return d->read && (d->write || !changes);
}

/* ---- read and write ---- */

/* One page's part of a read or write. false: no frame, even after reclaim (*fault false), or the
 * program's memory may not be touched. */
static bool copy_part(struct kernel *k, struct inode *inode, uint64_t at, va_t user, size_t n,
                      bool write, uint64_t pages, bool *fault)
{
    uint8_t bytes[PAGE_SIZE];
    uint64_t index = at >> PAGE_SHIFT, in = at & PAGE_MASK;
    pfn_t pfn;
    *fault = write && !copy_from_user(k, bytes, user, n);
    if (*fault)
        return false;
    do
        pfn = write ? filemap_page(k, inode, index, n == PAGE_SIZE)
                    : filemap_read(k, inode, index, pages);
    while (pfn == PFN_NONE && reclaim_direct(k));
    if (pfn == PFN_NONE)
        return false;
    if (write) {
        page_dirty(k, pfn);
        ram_write(k->ram, (pfn << PAGE_SHIFT) + in, bytes, n);
        return true;
    }
    ram_read(k->ram, (pfn << PAGE_SHIFT) + in, bytes, n);
    *fault = !copy_to_user(k, user, bytes, n);
    return !*fault;
}

static int64_t copy_file(struct kernel *k, struct inode *inode, const uint64_t arg[6], bool write)
{
    uint64_t length = arg[2], at = arg[3];
    for (uint64_t done = 0; done < length;) {
        bool fault;
        size_t n = (size_t)min_u64(PAGE_SIZE - ((at + done) & PAGE_MASK), length - done);
        uint64_t pages = (length - done + PAGE_MASK) >> PAGE_SHIFT;
        if (!copy_part(k, inode, at + done, arg[1] + done, n, write, pages, &fault))
            return done ? (int64_t)done : fault ? -LX_EFAULT : -LX_ENOMEM;
        done += n;
    }
    return (int64_t)length;
}

int64_t sys_pread64(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    const struct descriptor *d = find(p, arg[0]);
    if ((int64_t)arg[3] < 0)
        return -LX_EINVAL;
    if (!d || !d->read)
        return -LX_EBADF;
    struct inode *inode = inode_of(k, d);
    if (arg[3] >= inode->size)
        return 0;
    const uint64_t part[6] = {arg[0], arg[1], min_u64(arg[2], inode->size - arg[3]), arg[3]};
    return copy_file(k, inode, part, false);
}

/* A file grows before the bytes are there; what could not be written then reads as zeroes. */
int64_t sys_pwrite64(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    const struct descriptor *d = find(p, arg[0]);
    if ((int64_t)arg[3] < 0)
        return -LX_EINVAL;
    if (!d || !d->write)
        return -LX_EBADF;
    if (arg[3] > FILE_BYTES_MAX || arg[2] > FILE_BYTES_MAX - arg[3])
        return -LX_EFBIG;
    struct inode *inode = inode_of(k, d);
    if (arg[2] && arg[3] + arg[2] > inode->size)
        filemap_truncate(k, inode, arg[3] + arg[2]); /* to more than it has */
    return copy_file(k, inode, arg, true);
}

int64_t sys_ftruncate(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    const struct descriptor *d = find(p, arg[0]);
    if ((int64_t)arg[1] < 0)
        return -LX_EINVAL;
    if (!d)
        return -LX_EBADF;
    if (!d->write)
        return -LX_EINVAL;
    if (arg[1] > FILE_BYTES_MAX)
        return -LX_EFBIG;
    filemap_truncate(k, inode_of(k, d), arg[1]);
    return 0;
}

/* NOTE: a range is rounded to pages outwards for WILLNEED and inwards for DONTNEED, as Linux does;
 * the other advices hold for the whole file. */
int64_t sys_fadvise64(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    const struct descriptor *d = find(p, arg[0]);
    if (!d)
        return -LX_EBADF;
    struct inode *inode = inode_of(k, d);
    uint64_t end = arg[2] && arg[1] + arg[2] >= arg[1] ? arg[1] + arg[2] : UINT64_MAX & ~PAGE_MASK;
    if ((int64_t)arg[2] < 0)
        return -LX_EINVAL;
    switch (arg[3]) {
    case LX_POSIX_FADV_NORMAL:
    case LX_POSIX_FADV_RANDOM:
    case LX_POSIX_FADV_SEQUENTIAL:
        inode->ra.advice = arg[3];
        return 0;
    case LX_POSIX_FADV_WILLNEED:
        filemap_willneed(k, inode, arg[1] >> PAGE_SHIFT,
                         min_u64((end + PAGE_MASK) >> PAGE_SHIFT, inode->cache->pages));
        return 0;
    case LX_POSIX_FADV_DONTNEED:
        if (end >= inode->size)
            end = align_up(inode->size, PAGE_SIZE);
        writeback_range(k, inode, arg[1] >> PAGE_SHIFT, end >> PAGE_SHIFT);
        filemap_drop_clean(k, inode, align_up(arg[1], PAGE_SIZE) >> PAGE_SHIFT, end >> PAGE_SHIFT);
        return 0;
    case LX_POSIX_FADV_NOREUSE:
        return 0;
    default:
        return -LX_EINVAL;
    }
}

/* ---- inspection and check ---- */

bool kernel_file_info(const struct kernel *k, uint64_t number, struct file_info *info)
{
    const struct inode *inode = numbered(k, number);
    if (!inode)
        return false;
    *info = (struct file_info){.name = inode->name->path,
                               .size = inode->size,
                               .cached = inode->cache->count,
                               .dirty = inode->dirty};
    return true;
}

pfn_t kernel_file_page(const struct kernel *k, uint64_t number, uint64_t index)
{
    const struct inode *inode = numbered(k, number);
    return inode ? object_get(inode->cache, index) : PFN_NONE;
}

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        snprintf(why, size, __VA_ARGS__);                                                          \
        return false;                                                                              \
    } while (0)

static bool file_check(const struct kernel *k, const struct inode *inode, char *why, size_t size)
{
    uint64_t count = 0, dirty = 0;
    const struct object *cache = inode->cache;
    for (uint64_t i = 0; radix_next(&cache->tree, &i); i++, count++) {
        pfn_t pfn = object_get(cache, i);
        const struct frame *frame = frames_at(k->frames, pfn);
        if (frame->use != FRAME_FILE || !frame->cached || frame->object != cache ||
            frame->index != i)
            WRONG("%s: page %llu: frame %#llx does not say so", inode->name->path,
                  (unsigned long long)i, (unsigned long long)pfn);
        dirty += frame->dirty;
    }
    if (count != cache->count || dirty != inode->dirty)
        WRONG("%s: %llu pages cached, %llu dirty; counted %llu and %llu", inode->name->path,
              (unsigned long long)count, (unsigned long long)dirty,
              (unsigned long long)cache->count, (unsigned long long)inode->dirty);
    return true;
}

bool files_check(const struct kernel *k, char *why, size_t size)
{
    uint64_t cached = 0, dirty = 0;
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (!k->inode[i])
            continue;
        if (!file_check(k, k->inode[i], why, size))
            return false;
        cached += k->inode[i]->cache->count;
        dirty += k->inode[i]->dirty;
    }
    if (cached != k->frames_of[FRAME_FILE] || dirty != k->dirty)
        WRONG("%llu pages of files cached, %llu dirty; %llu frames and %llu counted",
              (unsigned long long)cached, (unsigned long long)dirty,
              (unsigned long long)k->frames_of[FRAME_FILE], (unsigned long long)k->dirty);
    return true;
}
