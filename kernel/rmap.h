/* rmap.h: the reverse map: from a frame to every entry that maps it.
 *
 * Each frame of a page keeps a list of (process, page), as Linux did with its pte_chains (2.5 and
 * 2.6.0); nearly every frame has one entry, which stands in the frame's own metadata. Linux finds
 * the entries by searching areas instead (anon_vma, i_mmap), which costs less memory when thousands
 * of processes share a page, and needs more rules to stay true. Here the one writer of entries
 * keeps the lists, so that a page that was moved, forked or merged needs no thought.
 */
#ifndef MEMWALK_KERNEL_RMAP_H
#define MEMWALK_KERNEL_RMAP_H

#include "kernel/frames.h"

/* Page number << 16 | pid, 0: none. User pages have 35-bit numbers and pids begin at 1. */
typedef uint64_t mapping_t;

static inline mapping_t mapping_make(uint16_t pid, va_t va)
{
    return va >> PAGE_SHIFT << 16 | pid;
}

static inline uint16_t mapping_pid(mapping_t m)
{
    return (uint16_t)m;
}

static inline va_t mapping_va(mapping_t m)
{
    return m >> 16 << PAGE_SHIFT;
}

/* An entry for va of process pid now maps the frame. false: no memory for the list, the entry is
 * left out: then the list is shorter than frame->refs, and the frame cannot be reclaimed. */
bool rmap_add(struct env *, struct frame *, uint16_t pid, va_t va);
/* It does not any more. */
void rmap_remove(struct env *, struct frame *, uint16_t pid, va_t va);
/* Entry number i of the list in no particular order, 0 beyond the last. */
mapping_t rmap_at(const struct frame *, size_t i);
/* How many the list holds: frame->refs, or less where memory was short. */
size_t rmap_count(const struct frame *);

#endif
