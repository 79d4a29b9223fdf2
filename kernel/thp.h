/* thp.h: transparent huge pages: 2 MiB of private memory mapped by one entry of level 2 (Linux:
 * mm/huge_memory.c, mm/khugepaged.c).
 *
 * A huge page is 512 frames in one block, each with its own count and reverse map like any other
 * page, so whoever looks at a frame needs no second rule. Beside each entry of 2 MiB its table
 * keeps an empty table of level 1 (Linux: pgtable_trans_huge_deposit), so that a huge page can be
 * split where no memory may be asked for.
 */
#ifndef MEMWALK_KERNEL_THP_H
#define MEMWALK_KERNEL_THP_H

#include "kernel/pgtable.h"
#include "kernel/trap.h"

/* The entry that maps 2 MiB around va; 0: there is none. */
pte_t huge_get(const struct kernel *, const struct process *, va_t);

/* A fault at va where a huge page is or could be. PAGE_SMALL: not so, or no longer: go on with a
 * page of 4 KiB. */
enum page_in huge_in(struct kernel *, struct process *, struct area *, va_t, bool write);

/* The huge page at va becomes 512 entries; returns their table. */
pfn_t huge_split(struct kernel *, struct process *, va_t);
/* Does another process map any of the 512 frames that pfn was taken together with? */
bool block_shared(const struct kernel *, const struct process *, pfn_t);

/* An area is about to end or begin at va: no huge page may lie across it (Linux:
 * vma_adjust_trans_huge). */
void huge_border(struct kernel *, struct process *, va_t);

/* The 512 frames that pfn was taken together with are single ones from now on; those that hold only
 * zeroes are given back, and their pages show the frame of zeroes. None may be mapped by another
 * process. Linux: split_folio, remap_page. */
void block_split(struct kernel *, struct process *, pfn_t);

/* The huge pages of a range; those that only partly lie in it are split instead. The TLBs are told
 * at the next gather_flush. */
void huge_zap(struct kernel *, struct process *, va_t start, va_t end);
void huge_protect(struct kernel *, struct process *, const struct area *, va_t start, va_t end);
void huge_lazy_free(struct kernel *, struct process *, va_t start, va_t end);
/* What MADV_PAGEOUT does: pages worth nothing go, all others are split. */
void huge_page_out(struct kernel *, struct process *, va_t start, va_t end);
/* What MADV_COLD does: those that lie partly in the range are split. */
void huge_cold(struct kernel *, struct process *, va_t start, va_t end);
/* Moves the huge page at from to to, where nothing is. false: a table is there, or cannot be made.
 */
bool huge_move(struct kernel *, struct process *, va_t from, va_t to);
/* The child shares it, write-protected in both; from and to are their tables of level 2. false: no
 * memory for the child's spare table. */
bool huge_fork(struct kernel *, struct process *parent, struct process *child, pfn_t from, pfn_t to,
               va_t, pte_t entry);

/* ---- between thp.c and khugepaged.c ---- */

/* May area have a huge page around va? Linux: thp_vma_allowable_order, thp_vma_suitable_order. */
bool huge_wanted(const struct kernel *, const struct area *, va_t);
/* The entry of 2 MiB for va in that table of level 2, 0: none; and a new one, gathered for the TLBs
 * where the old one was present. */
pte_t huge_at(const struct kernel *, pfn_t table, va_t);
void huge_set(struct kernel *, struct process *, pfn_t table, va_t, pte_t after);
/* 512 frames of zeroes, or PFN_NONE. */
pfn_t huge_frames(struct kernel *, enum frame_use, uint16_t pid, va_t);
/* Whether the pages of the entry may be written without a copy. */
void huge_alone(struct kernel *, pte_t entry, bool alone);
/* spare, an empty table for a block of that table of level 2, is kept for a splitting. */
void spare_keep(struct kernel *, pfn_t table, pfn_t spare);

/* ---- collapse ---- */

/* Makes a huge page of the 2 MiB at va, which is aligned (Linux: collapse_huge_page). 0, also where
 * it is one already; -EINVAL: not possible there; -ENOMEM. */
int huge_collapse(struct kernel *, struct process *, va_t);
/* MADV_COLLAPSE of the part of area. 0, or -errno. */
int64_t huge_collapse_range(struct kernel *, struct process *, const struct area *, va_t start,
                            va_t end);

#endif
