/* radix.h: numbers by index, in a tree of 64-way nodes as deep as the highest index needs (Linux:
 * lib/xarray.c). A huge empty range costs nothing; 0 is an empty slot.
 */
#ifndef MEMWALK_KERNEL_RADIX_H
#define MEMWALK_KERNEL_RADIX_H

#include "sim/base/types.h"

struct arena;
struct radix_node;

struct radix {
    unsigned height; /* levels of nodes; 0: empty */
    struct radix_node *root;
};

/* The slot of index. NULL: none there (and make is false, or there is no memory for a node). Valid
 * until the tree is freed. */
uint64_t *radix_slot(struct arena *, struct radix *, uint64_t index, bool make);
/* What index holds, 0: nothing. */
uint64_t radix_get(const struct radix *, uint64_t index);
/* The first index at or after *index that holds something; moves *index to it. 0: no more. */
uint64_t radix_next(const struct radix *, uint64_t *index);
/* Gives the nodes back; what the slots held is the caller's. */
void radix_free(struct arena *, struct radix *);

#endif
