/* tlbflush.h: pages to be forgotten by the TLBs are gathered, then forgotten together (Linux:
 * mm/mmu_gather.c, arch/x86/mm/tlb.c).
 */
#ifndef MEMWALK_KERNEL_TLBFLUSH_H
#define MEMWALK_KERNEL_TLBFLUSH_H

#include "sim/base/types.h"

struct kernel;
struct process;

#define GATHER_PAGES  33u /* above this many pages Linux empties the TLB instead */
#define GATHER_FRAMES 512u

/* Pages whose entries were changed but that a TLB may still know, and frames that become free when
 * it has forgotten them. */
struct gather {
    uint64_t pages;
    va_t va[GATHER_PAGES];
    size_t frames;
    pfn_t frame[GATHER_FRAMES];
};

/* A present entry for the page at va was changed or taken away. */
void gather_page(struct kernel *, va_t);
/* The frame that entry held goes when nobody maps it any more and the TLBs have forgotten it. */
void gather_frame(struct kernel *, const struct process *, pte_t entry);
/* Tells every CPU that runs p to forget what was gathered; then frees the gathered frames. */
void gather_flush(struct kernel *, const struct process *);

#endif
