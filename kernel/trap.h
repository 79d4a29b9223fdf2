/* trap.h: bringing pages in: what the fault handler and the calls that populate have in common. */
#ifndef MEMWALK_KERNEL_TRAP_H
#define MEMWALK_KERNEL_TRAP_H

#include "kernel/process.h"

enum page_in {
    PAGE_READY,     /* it was there already */
    PAGE_MADE,      /* work was done: one minor fault */
    PAGE_READ_IN,   /* and a device was read: one major fault */
    PAGE_NO_MEMORY, /* no frame, or no table */
    PAGE_NO_OBJECT, /* beyond the end of what is mapped: SIGBUS */
    PAGE_GUARDED,   /* a guard page: SIGSEGV */
    PAGE_SMALL,     /* only of huge_in: no huge page comes in here */
};

/* Makes the page at va, in area, ready to be read or written. Rights were checked. */
enum page_in page_in(struct kernel *, struct process *, struct area *, va_t, bool write);

/* Brings in every page of [start, end), as a program would by touching it (Linux: __mm_populate).
 * skip: go on with the next area after a failure. 0, or -errno: no access, guard, no memory. */
int populate(struct kernel *, struct process *, va_t start, va_t end, bool skip);
/* One area's part of it; write: as if stored to. *done is where it stopped. */
int populate_area(struct kernel *, struct process *, struct area *, va_t start, va_t end,
                  bool write);

#endif
