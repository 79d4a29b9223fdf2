/* audit.c: judges events one by one, with the machine as it is at that event. Each rule is what a
 * kernel owes:
 *
 *   entry_write          a page that programs can reach holds nothing old;
 *                        private memory that may be written is mapped once
 *   page_out             the swap slot holds what the frame holds
 *   frame_free           no TLB still leads to the frame
 *   sys_exit, fault_end  no TLB that can be used contradicts the tables
 *   tlb_hit              what is used is what the tables say
 */
#include "sim/audit.h"

#include "sim/state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool audit_wanted(const struct kernel_bugs *b)
{
    return b->no_invlpg || b->no_shootdown || b->cow_no_count || b->publish_early || b->lost_dirty;
}

static void wrong(struct audit *a, uint64_t op, const struct event *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void wrong(struct audit *a, uint64_t op, const struct event *e, const char *format, ...)
{
    if (a->wrong++)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(a->why, sizeof(a->why), format, args);
    va_end(args);
    a->op = op;
    a->step = e->seq;
    a->kind = e->kind;
    a->cpu = e->cpu;
}

/* ---- frames that hold something old ---- */

static void fresh_add(struct audit *a, pfn_t pfn)
{
    a->fresh[a->fresh_next++ % AUDIT_FRESH] = pfn;
}

/* true: it was there. Frame 0 is the kernel's, so 0 marks an empty place. */
static bool fresh_find(const struct audit *a, pfn_t pfn)
{
    for (unsigned i = 0; i < AUDIT_FRESH; i++)
        if (a->fresh[i] == pfn)
            return true;
    return false;
}

static void fresh_drop(struct audit *a, pfn_t pfn)
{
    for (unsigned i = 0; i < AUDIT_FRESH; i++)
        if (a->fresh[i] == pfn)
            a->fresh[i] = 0;
}

/* ---- the rules ---- */

static void judge_entry(struct sim *s, struct audit *a, const struct event *e)
{
    const struct ev_entry_write *w = &e->entry_write;
    if (w->level != 1 || !(w->after & PTE_P) || !(w->after & PTE_US))
        return;
    struct frame_info frame;
    pfn_t pfn = pte_pfn(w->after);
    kernel_frame(s->m->kernel, pfn, &frame);
    if (fresh_find(a, pfn))
        wrong(a, s->m->env.op, e,
              "page 0x%" PRIx64 " can be reached, but frame 0x%" PRIx64 " still holds old data",
              w->va, pfn);
    else if (frame.use == FRAME_ANON && frame.refs > 1 && (w->after & PTE_RW))
        wrong(a, s->m->env.op, e,
              "page 0x%" PRIx64 " may be written, but %u entries share frame 0x%" PRIx64, w->va,
              (unsigned)frame.refs, pfn);
}

/* Goes over every valid line of every CPU that can use its TLB. */
static bool each_line(const struct sim *s,
                      bool (*good)(const struct sim *, unsigned cpu, const struct tlb_line *,
                                   const void *),
                      const void *ctx, unsigned *cpu, struct tlb_line *line)
{
    for (*cpu = 0; *cpu < s->config.cpus; ++*cpu) {
        for (unsigned level = 0; level < TLB_ARRAYS; level++) {
            const struct tlb_config *c = mmu_tlb_config(s->m->cpu[*cpu].mmu, level);
            for (uint32_t i = 0; i < c->sets * c->ways; i++) {
                mmu_tlb_line(s->m->cpu[*cpu].mmu, level, i / c->ways, i % c->ways, line);
                if (line->valid && !good(s, *cpu, line, ctx))
                    return false;
            }
        }
    }
    return true;
}

static bool leads_elsewhere(const struct sim *s, unsigned cpu, const struct tlb_line *line,
                            const void *ctx)
{
    const pfn_t *pfn = ctx;
    pa_t root;
    return !kernel_tlb_root(s->m->kernel, cpu, line->pcid, &root) || !(line->flags & TLB_USER) ||
           *pfn < line->pfn || *pfn - line->pfn >= line->page_size >> PAGE_SHIFT;
}

static void judge_free(struct sim *s, struct audit *a, const struct event *e)
{
    unsigned cpu;
    struct tlb_line line;
    fresh_drop(a, e->frame_free.pfn);
    if (!each_line(s, leads_elsewhere, &e->frame_free.pfn, &cpu, &line))
        wrong(a, s->m->env.op, e,
              "frame 0x%" PRIx64 " is free, but the TLB of CPU %u still leads from 0x%" PRIx64
              " to it",
              e->frame_free.pfn, cpu, line.vpn << PAGE_SHIFT);
}

static bool agrees(const struct sim *s, unsigned cpu, const struct tlb_line *line, const void *ctx)
{
    (void)ctx;
    bool good = true;
    uint64_t end = line->flags & TLB_RUN ? line->page_size : PAGE_SIZE;
    struct mmu_regs regs = *mmu_regs(s->m->cpu[cpu].mmu);
    if (!(line->flags & TLB_USER) || !kernel_tlb_root(s->m->kernel, cpu, line->pcid, &regs.cr3))
        return true;
    for (uint64_t offset = 0; offset < end; offset += PAGE_SIZE) {
        struct walk walk;
        va_t va = (line->vpn << PAGE_SHIFT) + offset;
        walk_read(s->ram, &regs, va, &walk);
        good = good && walk.present && walk.to.pa == (line->pfn << PAGE_SHIFT) + offset &&
               walk.to.page_size == tlb_line_page(line) &&
               !(line->flags & ~walk.to.flags & ~(uint32_t)TLB_RUN);
    }
    return good;
}

static void judge_return(struct sim *s, struct audit *a, const struct event *e)
{
    unsigned cpu;
    struct tlb_line line;
    if (!each_line(s, agrees, NULL, &cpu, &line))
        wrong(a, s->m->env.op, e,
              "the program goes on, but the TLB of CPU %u still leads from 0x%" PRIx64
              " to frame 0x%" PRIx64 ", which the tables do not",
              cpu, line.vpn << PAGE_SHIFT, line.pfn);
}

static void judge_hit(struct sim *s, struct audit *a, const struct event *e)
{
    struct tlb_line line;
    const struct ev_tlb_hit *h = &e->tlb_hit;
    mmu_tlb_line(s->m->cpu[e->cpu].mmu, (unsigned)h->level - 1, (uint32_t)h->set, (uint32_t)h->way,
                 &line);
    if (!agrees(s, e->cpu, &line, NULL))
        wrong(a, s->m->env.op, e,
              "CPU %u uses frame 0x%" PRIx64 " for 0x%" PRIx64 ", as the tables do not say", e->cpu,
              line.pfn, line.vpn << PAGE_SHIFT);
}

static void judge_out(struct sim *s, struct audit *a, const struct event *e)
{
    const struct ev_page_out *out = &e->page_out;
    if (out->slot != UINT32_MAX && !kernel_slot_holds(s->m->kernel, out->slot, out->pfn))
        wrong(a, s->m->env.op, e,
              "page 0x%" PRIx64 " is evicted, but swap slot %u does not hold what frame 0x%" PRIx64
              " holds",
              out->va, (unsigned)out->slot, out->pfn);
}

void audit_hear(void *ctx, const struct event *e)
{
    struct sim *s = ctx;
    if (!s->m->kernel)
        return; /* still starting */
    struct audit *a = &s->m->audit;
    switch (e->kind) {
    case EV_frame_alloc:
        if (e->frame_alloc.use == FRAME_ANON || e->frame_alloc.use == FRAME_SHARED)
            fresh_add(a, e->frame_alloc.pfn);
        break;
    case EV_frame_zero:
        fresh_drop(a, e->frame_zero.pfn);
        break;
    case EV_swap_in:
        fresh_drop(a, e->swap_in.pfn);
        break;
    case EV_page_out:
        judge_out(s, a, e);
        break;
    case EV_page_copy:
        fresh_drop(a, e->page_copy.to);
        break;
    case EV_entry_write:
        judge_entry(s, a, e);
        break;
    case EV_frame_free:
        judge_free(s, a, e);
        break;
    case EV_sys_exit:
    case EV_fault_end:
        judge_return(s, a, e);
        break;
    case EV_tlb_hit:
        judge_hit(s, a, e);
        break;
    default:
        break;
    }
}
