/* tlbflush.h: what the TLBs of all CPUs must forget, and which address space each of them holds.
 *
 * After a change of entries the pages concerned are gathered and then forgotten together, here and,
 * by inter-processor interrupt, on every other CPU that has the address space loaded; only then may
 * frames and tables that were taken away be used again. Linux: mm/mmu_gather.c for the gathering,
 * arch/x86/mm/tlb.c for the rest.
 *
 *   each address space   tlb_gen: how many times it was changed     cpumask: who has it loaded
 *   each CPU             the tlb_gen up to which it has forgotten
 *
 * A CPU whose generation is behind must not translate with what it has: it is interrupted at once,
 * or, where it is idle ("lazy") or has gone on to another address space, catches up when it comes
 * back.
 */
#ifndef MEMWALK_KERNEL_TLBFLUSH_H
#define MEMWALK_KERNEL_TLBFLUSH_H

#include "sim/base/types.h"

struct kernel;
struct process;
struct cpu;

#define FLUSH_CEILING 33u /* for more pages than this Linux empties the TLB instead */

/* Frames that wait for a flush: as many as Linux gathers before it must flush. */
#define GATHER_LOCAL  8u
#define BATCH_FRAMES  510u
#define BATCHES_MAX   19u
#define GATHER_FRAMES (GATHER_LOCAL + BATCHES_MAX * BATCH_FRAMES)

struct batch;

/* What was changed and not yet forgotten, all of one address space. */
struct gather {
    va_t start, end; /* all changed pages lie in here; empty: none */
    unsigned shift;  /* size of the smallest of them */
    bool tables;     /* tables were unhooked: idle CPUs, which could walk them, are not spared */
    unsigned held;   /* flushes wait for the end of so many operations */
    pfn_t local[GATHER_LOCAL]; /* these frames become free with the flush; tables too */
    unsigned locals, batches;
    struct batch *batch; /* for more of them, the newest first; made when needed */
};

/* ---- gathering ---- */

/* A present entry for the page at va was changed or taken away. */
void gather_page(struct kernel *, va_t);
/* The same of an entry that maps 2 MiB. */
void gather_huge_page(struct kernel *, va_t);
/* The frame that entry held goes when nobody maps it any more and the TLBs have forgotten it. */
void gather_frame(struct kernel *, struct process *, pte_t entry);
/* The same of the 512 frames that an entry of 2 MiB held. */
void gather_huge(struct kernel *, struct process *, pte_t entry);
/* A table that maps va was unhooked, and may be used again after the flush. */
void gather_unhooked(struct kernel *, va_t);
/* A table that was unhooked goes when no walker can be in it; va: an address that it mapped. */
void gather_table(struct kernel *, struct process *, pfn_t table, va_t va);
/* Makes every CPU forget what was gathered; then frees the gathered frames. */
void gather_flush(struct kernel *, struct process *);
/* Between the two, flushes are put off: one operation, one flush (Linux: tlb_gather_mmu and
 * tlb_finish_mmu). They nest. Nothing may use the address space in between. */
void gather_hold(struct kernel *);
void gather_release(struct kernel *, struct process *);

/* Does a TLB still lead to the frame? Only a kernel that errs (bug.*) needs to ask. */
bool tlb_leads_to(const struct kernel *, pfn_t);

/* ---- which address space a CPU holds ---- */

/* Makes p's address space the one of cpu. Linux: switch_mm_irqs_off. */
void mm_load(struct kernel *, struct cpu *, struct process *p);
/* Would mm_load do nothing? */
bool mm_current(const struct cpu *, const struct process *p);
/* Only the kernel half from now on: no tables of a process may be in use. */
void mm_unload(struct kernel *, struct cpu *);
/* The CPU has nothing to run: its address space stays loaded, but it is not interrupted for
 * flushes and catches up when it runs again. Linux: enter_lazy_tlb. */
void mm_idle(struct kernel *, struct cpu *);
/* No CPU may stand in p's tables, which are about to go. */
void mm_leave_all(struct kernel *, struct process *);

#endif
