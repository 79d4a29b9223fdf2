/* frames.h: physical memory as the kernel sees it: which frames are free, and what the others hold.
 *
 * A buddy system: free memory lies in aligned blocks of 2^order frames, order 0 to 10; a block that
 * is too large is halved until it fits, and a freed block joins its buddy as long as that is free.
 * The lowest block of the smallest sufficient order is taken, so that a run is deterministic and
 * its picture reads from left to right. (Linux: mm/page_alloc.c, which takes the last one freed.)
 *
 *   chunk: 1024 frames = one block of order 10. Bitmaps and metadata of a chunk are only made when
 *   a frame of it is taken for the first time, so 24 GiB of RAM cost nothing until they are used.
 */
#ifndef MEMWALK_KERNEL_FRAMES_H
#define MEMWALK_KERNEL_FRAMES_H

#include "kernel/kernel.h"

#define FRAME_ORDERS 11u
#define CHUNK_FRAMES ((pfn_t)1 << (FRAME_ORDERS - 1))
#define CHUNK_WORDS  36u /* bitmaps of orders 0 to 9: 16 + 8 + 4 + 2 + 6 × 1 words */

/* What is known of a frame (Linux: struct page). */
struct frame {
    va_t va;       /* the page it backs, or the first address that the table maps */
    uint32_t refs; /* entries that map it */
    uint16_t pid;  /* owner, 0: the kernel */
    uint16_t used; /* of a table: entries that are not 0 */
    uint8_t use;   /* enum frame_use */
    uint8_t level; /* of a table */
    bool alone;    /* of an anonymous page: never shared since it was made or last copied */
    bool cached;   /* also held by a shared memory object */
    bool lazy;     /* MADV_FREE: worth nothing unless it is written again */
};

struct frame_chunk {
    uint64_t free[CHUNK_WORDS];
    struct frame frame[CHUNK_FRAMES];
};

struct frames {
    struct env *env;
    pfn_t total;
    pfn_t reserved; /* frames [0, reserved) were never free */
    uint64_t free;
    uint64_t blocks[FRAME_ORDERS]; /* free blocks of each order */
    uint64_t chunks;
    struct frame_chunk **chunk;     /* NULL: all free, or all reserved */
    uint64_t *having[FRAME_ORDERS]; /* bit per chunk: it has a free block of this order */
    uint64_t lowest[FRAME_ORDERS];  /* words of having[] below this one are 0 */
};

/* total > reserved > 0. NULL: no memory. */
struct frames *frames_new(struct env *, pfn_t total, pfn_t reserved);
/* An aligned block of 2^order frames, PFN_NONE: none free, or no memory for its metadata. Its
 * frames are still marked FRAME_FREE: the caller says what they are for. */
pfn_t frames_take(struct frames *, unsigned order);
void frames_give(struct frames *, pfn_t, unsigned order);
/* The metadata of a frame, or NULL where its chunk was never used. */
struct frame *frames_at(const struct frames *, pfn_t);
/* Free blocks sorted out: disjoint, joined where they can be, counted right, marked free. */
bool frames_check(const struct frames *, char *why, size_t size);

#endif
