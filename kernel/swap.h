/* swap.h: the swap device: pages that have no frame, in slots of one page each (Linux:
 * mm/swapfile.c and mm/swap_state.c).
 *
 * A slot is named by entries with P = 0, in Linux's format for x86-64 (the type, always 0 here,
 * chooses the device):
 *
 *   63   59 58                        9  8   7 … 1   0
 *   [ type ][ slot number, inverted    ][ 0 ][ 0 … 0 ][ 0 ]     bit 8 would say PROT_NONE, bit 0 P
 *
 * The number is inverted so that the address bits, should a processor guess ahead with them, point
 * outside of memory (L1TF). A frame and a slot that hold the same page name each other: that is the
 * swap cache. As long as such a page stays clean, evicting it again costs nothing.
 */
#ifndef MEMWALK_KERNEL_SWAP_H
#define MEMWALK_KERNEL_SWAP_H

#include "kernel/process.h"

#define SWAP_NONE      UINT32_MAX
#define SWAP_SHIFT     9u
#define SWAP_BITS      50u
#define SWAP_SLOTS_MAX ((uint64_t)1 << 31)

static inline pte_t pte_swap(uint32_t slot)
{
    return (~(uint64_t)slot & (((uint64_t)1 << SWAP_BITS) - 1)) << SWAP_SHIFT;
}

/* The highest bit of an inverted number is always set: no device has that many slots. */
static inline bool pte_swapped(pte_t entry)
{
    return !(entry & (PTE_P | PTE_G)) && entry >> (SWAP_SHIFT + SWAP_BITS - 1) & 1;
}

static inline uint32_t pte_swap_slot(pte_t entry)
{
    return (uint32_t) ~(entry >> SWAP_SHIFT);
}

/* A free slot, with no entry that names it. SWAP_NONE: the device is full, or no memory. */
uint32_t swap_take(struct kernel *);
/* One entry more, or less, names the slot. Does not free it. */
void swap_count(struct kernel *, uint32_t slot, int sign);
/* Frees the slot if neither an entry nor a frame needs it any more. */
void swap_release(struct kernel *, uint32_t slot);
/* Entries that name it. */
uint32_t swap_refs(const struct kernel *, uint32_t slot);
/* Is the device nearly full? Then copies of pages that are in memory are given up (vm_swap_full).
 */
bool swap_tight(const struct kernel *);

/* Stores the frame's page in the slot; a page of zeroes needs no write. false: no memory for it. */
bool swap_write(struct kernel *, uint32_t slot, pfn_t);
/* Fills the frame from the slot. */
void swap_read(struct kernel *, uint32_t slot, pfn_t);

/* ---- the swap cache ---- */

/* The frame that holds the slot's page, PFN_NONE: none. */
pfn_t swap_cached(const struct kernel *, uint32_t slot);
/* Frame and slot hold the same page from now on. */
void swap_cache(struct kernel *, uint32_t slot, pfn_t);
/* They do not any more; the slot is freed if nothing else needs it. */
void swap_uncache(struct kernel *, pfn_t);

/* When its page was evicted, in evictions. */
void swap_note(struct kernel *, uint32_t slot, uint64_t age);
uint64_t swap_noted(const struct kernel *, uint32_t slot);

/* Slots sorted out: counts, free list, cache in both directions. refs: sum over all slots. */
bool swap_check(const struct kernel *, char *why, size_t size);

#endif
