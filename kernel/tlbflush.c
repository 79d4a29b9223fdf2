/* tlbflush.c: what the TLBs must forget after the kernel changed page tables, and when the frames
 * that were taken away may be used again: only after every TLB has forgotten them.
 */
#include "kernel/tlbflush.h"

#include "kernel/pgtable.h"

void gather_page(struct kernel *k, va_t va)
{
    struct gather *g = &k->gather;
    if (g->pages < GATHER_PAGES)
        g->va[g->pages] = va;
    g->pages++;
}

static void forget_pages(struct kernel *k, struct cpu *cpu, pfn_t root)
{
    const struct gather *g = &k->gather;
    if (g->pages > GATHER_PAGES) {
        mmu_load_cr3(cpu->mmu, root << PAGE_SHIFT);
        return;
    }
    for (uint64_t i = 0; i < g->pages; i++)
        mmu_invlpg(cpu->mmu, g->va[i]);
    k->counters.invlpgs += g->pages;
}

/* NOTE: other CPUs forget at once and at no cost; the inter-processor interrupt is not modelled. */
void gather_flush(struct kernel *k, const struct process *p)
{
    struct gather *g = &k->gather;
    for (unsigned i = 0; i < k->cpu_count && g->pages; i++)
        if (mmu_regs(k->cpus[i].mmu)->cr3 >> PAGE_SHIFT == p->root)
            forget_pages(k, &k->cpus[i], p->root);
    for (size_t i = 0; i < g->frames; i++)
        frame_put(k, g->frame[i]);
    g->pages = 0;
    g->frames = 0;
}

void gather_frame(struct kernel *k, const struct process *p, pte_t entry)
{
    pfn_t pfn = pte_pfn(entry);
    const struct frame *frame = frames_at(k->frames, pfn);
    if (pfn == k->zero || frame->refs || frame->cached)
        return;
    if (k->gather.frames == GATHER_FRAMES)
        gather_flush(k, p);
    k->gather.frame[k->gather.frames++] = pfn;
}
