/* model_check.c: the comparison that proves that no event is missing: each part of the model beside
 * what inspection copies out of the machine at the same moment.
 */
#include "viz/model_check.h"

#include "sim/inspect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct check {
    const struct model *m;
    const struct sim *sim;
    char *why;
    size_t size;
    uint64_t seen;
    bool quick; /* without what takes time in proportion to memory and heap */
    bool ok;
};

__attribute__((format(printf, 2, 3))) static bool differ(struct check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (c->ok)
        vsnprintf(c->why, c->size, format, args);
    va_end(args);
    c->ok = false;
    return false;
}

/* ---- processes ---- */

static bool check_area(struct check *c, const struct model_process *p, size_t i,
                       const struct area_info *want)
{
    if (i >= p->areas)
        return differ(c, "pid %u: area %" PRIx64 "-%" PRIx64 " %s was never told", p->pid,
                      want->start, want->end, want->name);
    const struct model_area *a = &p->area[i];
    if (a->start != want->start || a->end != want->end || a->prot != want->prot ||
        a->flags != want->flags || strcmp(a->name ? a->name : "", want->name) != 0)
        return differ(c,
                      "pid %u area %zu: model %" PRIx64 "-%" PRIx64 " prot %x flags %" PRIx64
                      " %s, machine %" PRIx64 "-%" PRIx64 " prot %x flags %x %s",
                      p->pid, i, a->start, a->end, a->prot, a->flags, a->name, want->start,
                      want->end, want->prot, want->flags, want->name);
    if (c->quick)
        return true;
    uint64_t resident = model_resident(c->m, p->root, a->start, a->end);
    if (p->root && resident != want->resident)
        return differ(c,
                      "pid %u area %" PRIx64 ": model %" PRIu64 " pages resident, machine %" PRIu64,
                      p->pid, a->start, resident, want->resident);
    return true;
}

static bool check_process(struct check *c, const struct process_info *want)
{
    const struct model_process *p = model_process(c->m, want->pid);
    struct area_info area;
    size_t count = 0;
    if (!p)
        return differ(c, "pid %u was never told", want->pid);
    if (p->parent != want->parent || p->gone != want->killed)
        return differ(c, "pid %u: parent %u gone %d, machine %u %d", want->pid, p->parent, p->gone,
                      want->parent, want->killed);
    if (want->killed)
        return true;
    if (p->brk != want->brk || p->heap_start != want->heap_start || p->root != want->root)
        return differ(c,
                      "pid %u: break %" PRIx64 " heap %" PRIx64 " root %" PRIx64
                      ", machine %" PRIx64 " %" PRIx64 " %" PRIx64,
                      want->pid, p->brk, p->heap_start, p->root, want->brk, want->heap_start,
                      want->root);
    for (; inspect_area(c->sim, want->pid, count, &area); count++)
        if (!check_area(c, p, count, &area))
            return false;
    return count == p->areas ||
           differ(c, "pid %u: %zu areas, machine %zu", want->pid, p->areas, count);
}

static bool check_processes(struct check *c)
{
    struct process_info process;
    for (size_t i = 0; inspect_process_at(c->sim, i, &process); i++)
        if (!check_process(c, &process))
            return false;
    return true;
}

/* ---- processors ---- */

static bool check_line(struct check *c, unsigned cpu, unsigned level, uint32_t set, uint32_t way)
{
    const struct model_tlb *tlb = &c->m->cpu[cpu].tlb[level];
    const struct model_line *line = &tlb->line[set * tlb->ways + way];
    struct tlb_line want;
    if (!inspect_tlb(c->sim, cpu, level, set, way, &want))
        return differ(c, "L%u has no set %u way %u", level + 1, set, way);
    if (line->valid != want.valid)
        return differ(c, "L%u set %u way %u: valid %d, machine %d", level + 1, set, way,
                      line->valid, want.valid);
    if (want.valid &&
        (line->vpn != want.vpn || line->pfn != want.pfn || line->flags != want.flags ||
         line->pcid != want.pcid || line->size != want.page_size))
        return differ(c,
                      "L%u set %u way %u: page %" PRIx64 " frame %" PRIx64
                      " flags %x PCID %u, machine %" PRIx64 " %" PRIx64 " %x %u",
                      level + 1, set, way, line->vpn, line->pfn, line->flags, line->pcid, want.vpn,
                      want.pfn, want.flags, want.pcid);
    return true;
}

static bool check_psc(struct check *c, unsigned cpu, unsigned level)
{
    const struct model_psc *psc = &c->m->cpu[cpu].psc[level];
    for (uint32_t i = 0; i < psc->slots; i++) {
        struct psc_line want = {0};
        const struct model_slot *slot = &psc->slot[i];
        if (!inspect_psc(c->sim, cpu, level, i, &want))
            return differ(c, "paging-structure cache %u has no slot %u", level, i);
        if (slot->valid != want.valid ||
            (want.valid &&
             (slot->va != want.va || slot->table != want.table || slot->pcid != want.pcid)))
            return differ(c,
                          "paging-structure cache %u slot %u: %d %" PRIx64 " %" PRIx64
                          ", machine %d %" PRIx64 " %" PRIx64,
                          level, i, slot->valid, slot->va, slot->table, want.valid, want.va,
                          want.table);
    }
    return true;
}

static bool check_counters(struct check *c, unsigned cpu)
{
    const struct mmu_counters *want = inspect_mmu(c->sim, cpu);
    for (unsigned l = 0; l < TLB_LEVELS; l++) {
        const struct model_tlb *tlb = &c->m->cpu[cpu].tlb[l];
        if (tlb->hits != want->tlb[l].hits || tlb->misses != want->tlb[l].misses)
            return differ(c,
                          "L%u: %" PRIu64 " hits %" PRIu64 " misses, machine %" PRIu64 " %" PRIu64,
                          l + 1, tlb->hits, tlb->misses, want->tlb[l].hits, want->tlb[l].misses);
    }
    return true;
}

static bool check_loaded(struct check *c, unsigned cpu)
{
    const struct model_cpu *model = &c->m->cpu[cpu];
    struct cpu_info want = {0};
    inspect_cpu(c->sim, cpu, &want);
    if (model->pid != want.loaded || model->lazy != want.lazy)
        return differ(c, "CPU %u: process %u loaded, lazy %d; machine %u, %d", cpu, model->pid,
                      model->lazy, want.loaded, want.lazy);
    return true;
}

static bool check_cpu(struct check *c, unsigned cpu)
{
    if (!check_loaded(c, cpu))
        return false;
    for (unsigned level = 0; level < TLB_ARRAYS; level++) {
        const struct model_tlb *tlb = &c->m->cpu[cpu].tlb[level];
        for (uint32_t at = 0; at < tlb->sets * tlb->ways; at++)
            if (!check_line(c, cpu, level, at / tlb->ways, at % tlb->ways))
                return false;
    }
    for (unsigned level = 2; level <= LEVELS_MAX; level++)
        if (!check_psc(c, cpu, level))
            return false;
    return check_counters(c, cpu);
}

/* ---- memory ---- */

static bool check_table(struct check *c, pfn_t pfn, const struct model_frame *f)
{
    pte_t want[TABLE_ENTRIES];
    if (!f->entry)
        return differ(c, "table in frame %" PRIx64 " was never told", pfn);
    inspect_ram(c->sim, pfn << PAGE_SHIFT, want, sizeof(want));
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        if (want[i] != f->entry[i])
            return differ(c,
                          "level %u table in frame %" PRIx64 " entry %u: %016" PRIx64
                          ", machine %016" PRIx64,
                          f->level, pfn, i, f->entry[i], want[i]);
    return true;
}

static bool check_frame(struct check *c, pfn_t pfn)
{
    struct frame_info want;
    const struct model_frame *f = model_frame(c->m, pfn);
    inspect_frame(c->sim, pfn, &want);
    if (f->use != want.use)
        return differ(c, "frame %" PRIx64 ": use %u, machine %u", pfn, f->use, want.use);
    if (want.use == FRAME_TABLE && f->level != want.level)
        return differ(c, "frame %" PRIx64 ": level %u, machine %u", pfn, f->level, want.level);
    if ((want.use == FRAME_ANON || want.use == FRAME_TABLE) && f->va != want.va)
        return differ(c, "frame %" PRIx64 ": for %" PRIx64 ", machine %" PRIx64, pfn, f->va,
                      want.va);
    return want.use != FRAME_TABLE || check_table(c, pfn, f);
}

static bool check_amounts(struct check *c)
{
    if (c->m->frames != inspect_frames(c->sim) || c->m->frames_free != inspect_frames_free(c->sim))
        return differ(c, "%" PRIu64 " frames free, machine %" PRIu64, c->m->frames_free,
                      inspect_frames_free(c->sim));
    struct memory_info memory;
    inspect_memory(c->sim, &memory);
    if (c->m->swap_used != memory.swap_used)
        return differ(c, "%" PRIu64 " swap slots used, machine %" PRIu64, c->m->swap_used,
                      memory.swap_used);
    return c->m->blocks == inspect_blocks(c->sim) ||
           differ(c, "%zu blocks, machine %zu", c->m->blocks, inspect_blocks(c->sim));
}

static bool check_frames(struct check *c)
{
    for (pfn_t pfn = 0; pfn < c->m->frames; pfn++)
        if (!check_frame(c, pfn))
            return false;
    return true;
}

/* ---- the program ---- */

static void check_block(void *ctx, const struct block_info *want)
{
    struct check *c = ctx;
    const struct model_block *b = model_block_at(c->m, want->pid, want->start);
    c->seen++;
    if (!b)
        differ(c, "block %" PRIu64 " at %" PRIx64 " was never told", want->id, want->start);
    else if (b->id != want->id || b->size != want->size || b->op != want->op)
        differ(c,
               "block at %" PRIx64 ": id %" PRIu64 " size %" PRIu64 ", machine %" PRIu64
               " %" PRIu64,
               want->start, b->id, b->size, want->id, want->size);
}

static bool check_blocks(struct check *c)
{
    c->seen = 0;
    inspect_each_block(c->sim, check_block, c);
    if (c->ok && c->seen != c->m->blocks)
        differ(c, "%zu blocks, machine %" PRIu64, c->m->blocks, c->seen);
    return c->ok;
}

static void check_chunk(void *ctx, const struct heap_chunk *want)
{
    struct check *c = ctx;
    if (want->used || want->top || !want->list || !want->list[0])
        return;
    c->seen++;
    for (size_t i = 0; i < c->m->processes; i++) {
        const struct model_free *f = model_free_at(c->m, c->m->process[i].pid, want->start);
        if (f && f->size == want->size)
            return;
    }
    differ(c, "free chunk %" PRIx64 " of %" PRIu64 " in list %s was never told", want->start,
           want->size, want->list);
}

static bool check_chunks(struct check *c)
{
    c->seen = 0;
    for (size_t i = 0; i < c->m->processes; i++)
        if (inspect_heap(c->sim, c->m->process[i].pid) && !c->m->process[i].gone)
            inspect_chunks(c->sim, c->m->process[i].pid, check_chunk, c);
    if (c->ok && c->seen != c->m->chunks)
        differ(c, "%zu chunks in free lists, machine %" PRIu64, c->m->chunks, c->seen);
    return c->ok;
}

static bool check(const struct model *m, const struct sim *sim, bool quick, char *why, size_t size)
{
    struct check c = {.m = m, .sim = sim, .why = why, .size = size, .quick = quick, .ok = true};
    for (unsigned cpu = 0; cpu < inspect_cpus(sim); cpu++)
        if (!check_cpu(&c, cpu))
            return false;
    if (!check_processes(&c) || !check_amounts(&c))
        return false;
    return quick || (check_frames(&c) && check_blocks(&c) && check_chunks(&c));
}

bool model_check(const struct model *m, const struct sim *sim, char *why, size_t size)
{
    return check(m, sim, false, why, size);
}

bool model_check_quick(const struct model *m, const struct sim *sim, char *why, size_t size)
{
    return check(m, sim, true, why, size);
}
