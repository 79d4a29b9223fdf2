/* pgtable.h: page tables of a process, as entries in simulated RAM. The only writer of entries.
 *
 * Besides what the hardware knows, an entry with P = 0 can say three things, as in Linux:
 *
 *   PTE_NONE   (bit 8) a frame is there, but the area allows no access (PROT_NONE)
 *   PTE_GUARD  (bit 9) no frame; any access is an error (MADV_GUARD_INSTALL)
 *
 * and name a swap slot (swap.h).
 */
#ifndef MEMWALK_KERNEL_PGTABLE_H
#define MEMWALK_KERNEL_PGTABLE_H

#include "kernel/process.h"

#define PTE_NONE  PTE_G
#define PTE_GUARD ((pte_t)1 << 9)

/* Levels of tables: 4, or 5 with CR4.LA57. Programs live below 2^47 in both, as Linux keeps it. */
static inline unsigned pt_levels(const struct kernel *k)
{
    return k->config.five_levels ? 5 : 4;
}

/* The entry holds a frame, accessible or not. */
static inline bool pte_held(pte_t entry)
{
    return (entry & PTE_P) || (entry & PTE_NONE);
}

/* An entry of level 2 maps 2 MiB by itself, accessible or not. */
static inline bool pte_huge(pte_t entry)
{
    return (entry & PTE_PS) && pte_held(entry);
}

/* Address of the entry for va in a table of this level. */
static inline pa_t entry_at(pfn_t table, va_t va, unsigned level)
{
    return (table << PAGE_SHIFT) + va_index(va, level) * sizeof(pte_t);
}

/* ---- one entry ---- */

/* Writes one entry of any table: counts what the tables and frames involved hold, tells the event.
 * *p's resident pages are counted where p is not NULL. Does not tell the TLB. */
void entry_write(struct kernel *, struct process *p, pfn_t table, unsigned index, pte_t after);

/* The entry for va, 0 where there is none; *table is its table of level 1, or PFN_NONE. */
pte_t pgtable_get(const struct kernel *, const struct process *, va_t, pfn_t *table);
/* The entry that says what is at va: of level 1, of a large page, or, at the level where the way
 * ends, 0. */
pte_t pgtable_leaf(const struct kernel *, const struct process *, va_t, unsigned *level);
/* The table of level 1 for va, made with those above it where needed. PFN_NONE: no memory; tables
 * that were made on the way stay, empty. */
pfn_t pgtable_make(struct kernel *, struct process *, va_t);
/* The entry for va; its table is there. Tells the TLB where the old entry was present. */
void pgtable_set(struct kernel *, struct process *, pfn_t table, va_t, pte_t);
/* A new table, empty. PFN_NONE: no memory. */
pfn_t table_new(struct kernel *, struct process *, unsigned level, va_t);
void table_free(struct kernel *, struct process *, pfn_t);

/* The first table of level 1 at or after *va and below end; moves *va to where it begins to
 * matter. PFN_NONE: no more. */
pfn_t pgtable_next(const struct kernel *, const struct process *, va_t *va, va_t end);

/* What a walk over a range meets: a table of level 1, or an entry that maps 2 MiB. */
struct pt_step {
    pte_t huge;  /* 0: a table */
    pfn_t table; /* of level 1; where huge is not 0, of level 2 */
};
/* The first of either at or after *va and below end; moves *va to where it begins to matter.
 * false: no more. */
bool pgtable_step(const struct kernel *, const struct process *, va_t *va, va_t end,
                  struct pt_step *);
/* The table of this level that maps va, made where make says so. PFN_NONE: there is none, or no
 * memory. */
pfn_t pgtable_level(struct kernel *, struct process *, va_t, unsigned level, bool make);

/* ---- ranges ---- */

/* What becomes of guard entries when a range is emptied. */
enum zap { ZAP_ALL, ZAP_KEEP_GUARDS };

/* Takes the pages of [start, end) away and frees frames that nobody else has. */
void pgtable_zap(struct kernel *, struct process *, va_t start, va_t end, enum zap);
/* Frees the tables of [start, end) that serve nothing in [floor, ceiling); ceiling 0: the top. */
void pgtable_trim(struct kernel *, struct process *, va_t start, va_t end, va_t floor,
                  va_t ceiling);
/* Frees tables of level 1 that are empty and lie wholly in [start, end). */
void pgtable_reclaim(struct kernel *, struct process *, va_t start, va_t end);
/* Gives the pages of [start, end), which lies in area, the rights that area now has. */
void pgtable_protect(struct kernel *, struct process *, const struct area *, va_t start, va_t end);
/* Marks the pages of [start, end) as worth nothing until they are written again (MADV_FREE). */
void pgtable_lazy_free(struct kernel *, struct process *, va_t start, va_t end);
/* Drops those of them that were not (what reclaim would do with them). */
void pgtable_drop_lazy(struct kernel *, struct process *, va_t start, va_t end);
/* Puts guard entries everywhere in [start, end), which holds nothing. false: no memory for a
 * table; what is done stays. */
bool pgtable_guard(struct kernel *, struct process *, va_t start, va_t end);
void pgtable_unguard(struct kernel *, struct process *, va_t start, va_t end);
/* Moves the pages of [from, from + bytes) to to. Stops where a table cannot be made: returns the
 * bytes that are done. */
uint64_t pgtable_move(struct kernel *, struct process *, va_t from, va_t to, uint64_t bytes);

/* Lets child see the pages of [start, end) as parent does, and write-protects them in both: what
 * either writes later is copied first. The parent's TLBs are told at the next gather_flush. false:
 * no memory for a table; what is done stays. */
bool pgtable_fork(struct kernel *, struct process *parent, struct process *child, va_t start,
                  va_t end);

/* May the frame that entry holds, of a page of area, be written without a copy? */
bool frame_writable(const struct kernel *, const struct area *, pte_t entry);
/* Bits of an entry that follow from an area's rights, for a page that may be written or not. */
pte_t area_pte(const struct area *, bool writable);

/* The kernel half: direct map and image. false: no memory. */
bool pgtable_kernel_half(struct kernel *);

#endif
