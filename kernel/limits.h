/* limits.h: how much a process may have (setrlimit), and how much the kernel may promise to all
 * (overcommit); private to this folder. Linux: may_expand_vm in mm/vma.c, __vm_enough_memory in
 * mm/util.c.
 */
#ifndef MEMWALK_KERNEL_LIMITS_H
#define MEMWALK_KERNEL_LIMITS_H

#include "kernel/vma.h"

/* Those of Linux's limits that are about memory; its numbers are in uapi.h. */
enum limit { LIMIT_AS, LIMIT_DATA, LIMIT_STACK, LIMIT_MEMLOCK, LIMITS };

/* The limits that every process starts with. */
void limits_start(const struct kernel *, struct process *);
/* May an area with these flags have so many pages more? RLIMIT_AS, and RLIMIT_DATA for private
 * memory that can be written. */
bool memory_expandable(const struct process *, uint32_t flags, uint64_t pages);
/* Is an area with these flags data, as RLIMIT_DATA and VmData count it? */
bool area_is_data(uint32_t flags);

/* Overcommit: may so many bytes more be promised? Mode 0 refuses one request that is larger than
 * all RAM and swap; 1 nothing; 2 what would bring the sum of all promises over the limit. */
bool memory_enough(const struct kernel *, uint64_t bytes);
/* All that was promised, and the limit of mode 2; in pages. */
uint64_t memory_committed(const struct kernel *);
uint64_t memory_commit_limit(const struct kernel *);

int64_t sys_setrlimit(struct kernel *, struct process *, const uint64_t arg[6]);

#endif
