/* object.h: memory that belongs to no process: what shared anonymous mappings show (Linux:
 * mm/shmem.c), and the cached pages of a file (struct address_space).
 *
 * Its pages belong to the object, not to an area or a process: they stay when a page table forgets
 * them. Shared memory goes with the last area that shows it; a file keeps its object for ever.
 */
#ifndef MEMWALK_KERNEL_OBJECT_H
#define MEMWALK_KERNEL_OBJECT_H

#include "kernel/kernel.h"
#include "kernel/radix.h"

struct inode;

struct object {
    uint64_t number;     /* its inode */
    uint32_t refs;       /* areas that show it; a file counts as one more */
    uint64_t pages;      /* its length */
    bool charged;        /* its pages count against overcommit */
    uint64_t count;      /* pages that it holds now, in memory or in swap */
    struct inode *inode; /* the file whose pages it caches; NULL: shared memory */
    struct radix tree;
    struct kernel *kernel;
};

/* pages long, with one count for the caller. NULL: no memory. */
struct object *object_new(struct kernel *, uint64_t pages);
/* From now on its pages count against overcommit, until it goes. */
void object_charge(struct object *);
void object_hold(struct object *);
/* Gives one count back; the last one frees its pages. NULL is allowed. */
void object_put(struct object *);
/* The frame of page index, PFN_NONE where it holds none. */
pfn_t object_get(const struct object *, uint64_t index);
/* Makes pfn page index. false: no memory. */
bool object_set(struct object *, uint64_t index, pfn_t);
/* The swap slot that holds page index; false: none. */
bool object_slot(const struct object *, uint64_t index, uint32_t *slot);
/* Page index, which no entry maps, lies in the slot from now on. */
void object_swap_out(struct object *, uint64_t index, uint32_t slot);
/* Page index is in memory again. */
void object_swap_in(struct object *, uint64_t index, pfn_t);
/* Makes p's page tables forget pages [first, last) of the object. */
void object_unmap(struct kernel *, struct process *p, const struct object *, uint64_t first,
                  uint64_t last);
/* Frees pages [first, last), which no page table maps. */
void object_punch(struct object *, uint64_t first, uint64_t last);

#endif
