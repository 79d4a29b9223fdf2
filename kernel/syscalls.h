/* syscalls.h: what the files of the memory calls share; private to this folder. */
#ifndef MEMWALK_KERNEL_SYSCALLS_H
#define MEMWALK_KERNEL_SYSCALLS_H

#include "kernel/process.h"

/* May so many more bytes be locked? */
bool memory_lockable(const struct kernel *, const struct process *, uint32_t flags, uint64_t bytes);

/* Where a mapping of length bytes goes. hint 0: no wish. fixed: there or not at all. shared memory
 * is never aligned to huge pages. The address, or -errno. Linux: __get_unmapped_area. */
int64_t place(struct kernel *, const struct process *, va_t hint, uint64_t length, bool fixed,
              bool shared);

/* Takes [start, end) away: pages, tables, areas. Needs areas_reserve(…, 1). 0, or -ENOMEM: too many
 * areas. Linux: do_vmi_align_munmap. */
int unmap(struct kernel *, struct process *, va_t start, va_t end);

/* mprotect, with key in place of those bits of an area's flags that mask names. */
int64_t protect(struct kernel *, struct process *, const uint64_t arg[6], uint32_t key,
                uint32_t mask);

/* The calls; arguments as the program gave them. The result, or -errno. */
int64_t sys_brk(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_mmap(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_munmap(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_mprotect(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_mremap(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_madvise(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_mincore(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_getrusage(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_mlock(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_munlock(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_fork(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_wait4(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_getrandom(struct kernel *, struct process *, const uint64_t arg[6]);

#endif
