/* reclaim.h: taking frames away from pages when memory is short (Linux: mm/vmscan.c).
 *
 *      free frames
 *   high ─────────  background reclaim stops here
 *   low  ─────────  and starts here, after the fault or call that got below (kswapd)
 *   min  ─────────  below: who wants a page must reclaim first (direct reclaim); tables may go on
 *
 * Nobody reclaims in the middle of something: a request for a frame that would need it fails, what
 * was begun is given up, the frames are made free, and it is begun anew. So no code has to fear
 * that a page it has just looked at is gone.
 *
 * All of it sleeps unless there is a swap device or a limit (reclaim.frames).
 */
#ifndef MEMWALK_KERNEL_RECLAIM_H
#define MEMWALK_KERNEL_RECLAIM_H

#include "kernel/process.h"
#include "kernel/trap.h"

/* Reads the configuration. false: no memory for the policy's state. */
bool reclaim_start(struct kernel *);

/* May so many frames for this use be taken now? */
bool reclaim_allows(const struct kernel *, enum frame_use, uint64_t frames);
/* A frame was taken for a page, or given back. */
void reclaim_resident(struct kernel *, pfn_t);
void reclaim_gone(struct kernel *, pfn_t);
/* The page in it was evicted before, distance evictions ago. */
void reclaim_refault(struct kernel *, pfn_t, uint64_t distance);
/* The page at va, or the frame, is part of an access that is not done yet: it stays until the
 * kernel hears of the access's end (kernel_used) or, where nobody tells it that, until the next
 * call, or until PINS further ones are pinned. */
void reclaim_pin(struct kernel *, const struct process *, va_t);
void reclaim_pin_frame(struct kernel *, pfn_t);
bool reclaim_pinned(const struct kernel *, pfn_t);
/* All that is pinned may go again. */
void reclaim_unpin(struct kernel *);

/* Somebody got no frame: frees some. false: nothing can be freed. */
bool reclaim_direct(struct kernel *);
/* Frees up to the high mark where less than the low mark is free. */
void reclaim_background(struct kernel *);
/* What MADV_PAGEOUT and MADV_COLD ask for one page, at va of p. */
void reclaim_pageout(struct kernel *, struct process *, va_t);
void reclaim_cold(struct kernel *, struct process *, va_t);
/* A cached page of a file leaves memory, written back first where need be. false: it stays. */
bool reclaim_file_page(struct kernel *, pfn_t);
/* MADV_WILLNEED: reads the page into the swap cache, if it is in swap and there is room. */
void reclaim_willneed(struct kernel *, struct process *, va_t);

/* The entry for va, in area, names a slot: brings the page back. */
enum page_in reclaim_swap_in(struct kernel *, struct process *, struct area *, pfn_t table, va_t,
                             pte_t entry, bool write);
/* A frame with the page of the slot, read where need be; nothing maps it. PFN_NONE: no frame. */
pfn_t reclaim_read(struct kernel *, uint16_t pid, va_t, uint32_t slot, enum frame_use);

#endif
