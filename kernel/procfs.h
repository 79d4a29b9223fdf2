/* procfs.h: files below /proc, as text that is made anew for each reader; private to this folder.
 */
#ifndef MEMWALK_KERNEL_PROCFS_H
#define MEMWALK_KERNEL_PROCFS_H

#include "kernel/process.h"

#define NAME_COLUMN 73 /* of maps: where the name of an area starts */

/* Text that may be longer than its room: the length goes on being counted. */
struct proc_text {
    char *at;
    size_t size;
    size_t length;
};

void proc_add(struct proc_text *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line of maps, and the head of an area's part in smaps. */
void maps_line(struct proc_text *, const struct process *, const struct area *);
/* The line of the page at the top of all address spaces, which programs may only call. */
void maps_vsyscall(struct proc_text *);

void proc_smaps(const struct kernel *, const struct process *, struct proc_text *);
void proc_smaps_rollup(const struct kernel *, const struct process *, struct proc_text *);
void proc_status(const struct kernel *, const struct process *, struct proc_text *);
void proc_statm(const struct kernel *, const struct process *, struct proc_text *);
void proc_meminfo(const struct kernel *, struct proc_text *);
void proc_vmstat(const struct kernel *, struct proc_text *);
void proc_buddyinfo(const struct kernel *, struct proc_text *);

/* ---- what the pages of a range come to ---- */

#define PSS_SHIFT 12u /* shares are counted in 1/4096 bytes, as Linux does */

struct page_census {
    uint64_t present, anon, file, shmem; /* pages; the frame of zeroes is none */
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t referenced, lazy, huge, swap;
    uint64_t pss, pss_dirty, pss_anon, pss_file, pss_shmem, swap_pss; /* << PSS_SHIFT */
};

/* Adds the pages of [start, end). */
void census_add(const struct kernel *, const struct process *, va_t start, va_t end,
                struct page_census *);

#endif
