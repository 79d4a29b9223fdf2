/* model.c: the fold: one small function per event that changes something visible.
 *
 * Every function does exactly what the event says and looks nowhere else; that is what makes the
 * comparison with inspection a proof that the events tell everything.
 */
#include "viz/model.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"
#include "viz/model_table.h"

#include <string.h>

static struct model_cpu *cpu_of(struct model *m, const struct event *e)
{
    CHECK(e->cpu < m->cpus);
    return &m->cpu[e->cpu];
}

/* ---- the program ---- */

static void on_op_begin(struct model *m, const struct event *e)
{
    m->op = e->op_begin.op;
    m->op_kind = e->op_begin.kind;
    m->op_id = e->op_begin.id;
    m->op_faults = 0;
    m->op_result = 0;
    m->op_done = false;
    m->count.ops++;
    m->search = (struct model_search){0};
    for (uint32_t i = 0; i < m->cpus; i++) {
        m->cpu[i].access = (struct model_access){.pfn = PFN_NONE};
        m->cpu[i].fault = (struct model_fault){.frame = PFN_NONE};
        m->cpu[i].call = (struct model_call){0};
    }
}

static void on_op_end(struct model *m, const struct event *e)
{
    m->op_result = e->op_end.result;
    m->op_faults = e->op_end.faults;
    m->op_done = true;
}

static void on_block_new(struct model *m, const struct event *e)
{
    struct model_block block = {.start = e->block_new.pointer,
                                .id = e->block_new.id,
                                .size = e->block_new.size,
                                .usable = e->block_new.size,
                                .op = m->op,
                                .pid = e->pid};
    if (m->search.returned && m->search.pointer == block.start) {
        block.chunk = m->search.chunk;
        block.chunk_size = m->search.chunk_size;
        block.usable = m->search.usable;
    }
    model_block_add(m, &block);
}

/* ---- alloc ---- */

static void on_alloc_request(struct model *m, const struct event *e)
{
    m->search = (struct model_search){.asked = true, .request = e->alloc_request.request};
}

static void on_alloc_size(struct model *m, const struct event *e)
{
    m->search.sized = true;
    m->search.request = e->alloc_size.request;
    m->search.header = e->alloc_size.header;
    m->search.alignment = e->alloc_size.alignment;
    m->search.minimum = e->alloc_size.minimum;
    m->search.chunk_size = e->alloc_size.chunk;
}

static void on_alloc_search(struct model *m, const struct event *e)
{
    m->search.policy = e->alloc_search.policy;
    m->search.list = e->alloc_search.list;
    m->search.need = e->alloc_search.need;
}

static void on_alloc_probe(struct model *m, const struct event *e)
{
    m->search.probe[m->search.probes++ % MODEL_PROBES] =
        (struct model_probe){e->alloc_probe.chunk, e->alloc_probe.size, e->alloc_probe.verdict};
}

static void on_alloc_fit(struct model *m, const struct event *e)
{
    m->search.fitted = true;
    m->search.fit = e->alloc_fit.chunk;
    m->search.fit_size = e->alloc_fit.size;
    m->search.need = e->alloc_fit.need;
}

static void on_alloc_split(struct model *m, const struct event *e)
{
    m->search.split = e->alloc_split.chunk;
    m->search.split_size = e->alloc_split.size;
    m->search.rest = e->alloc_split.rest;
    m->search.rest_size = e->alloc_split.rest_size;
}

static void on_alloc_header(struct model *m, const struct event *e)
{
    m->search.headed = true;
    m->search.header_at = e->alloc_header.at;
    m->search.header_before = e->alloc_header.before;
    m->search.header_after = e->alloc_header.after;
}

static void on_alloc_list(struct model *m, const struct event *e)
{
    const struct ev_alloc_list *l = &e->alloc_list;
    if (l->in)
        model_free_add(m, &(struct model_free){l->chunk, l->size, l->list, e->pid, false});
    else
        model_free_drop(m, e->pid, l->chunk);
}

static void on_alloc_mend(struct model *m, const struct event *e)
{
    model_free_forget(m, e->pid);
}

static void on_alloc_return(struct model *m, const struct event *e)
{
    m->search.returned = true;
    m->search.pointer = e->alloc_return.pointer;
    m->search.chunk = e->alloc_return.chunk;
    m->search.chunk_size = e->alloc_return.size;
    m->search.usable = e->alloc_return.usable;
}

static void on_alloc_free(struct model *m, const struct event *e)
{
    m->search = (struct model_search){.freeing = true,
                                      .pointer = e->alloc_free.pointer,
                                      .chunk = e->alloc_free.chunk,
                                      .chunk_size = e->alloc_free.size};
}

/* ---- kernel ---- */

static void on_sys_enter(struct model *m, const struct event *e)
{
    const struct ev_sys_enter *s = &e->sys_enter;
    cpu_of(m, e)->call = (struct model_call){.nr = s->nr,
                                             .arg = {s->a0, s->a1, s->a2, s->a3, s->a4, s->a5},
                                             .any = true,
                                             .inside = true};
    m->count.calls++;
}

static void on_sys_exit(struct model *m, const struct event *e)
{
    struct model_call *call = &cpu_of(m, e)->call;
    call->result = e->sys_exit.result;
    call->inside = false;
}

static void on_brk_move(struct model *m, const struct event *e)
{
    struct model_process *p = model_process_make(m, e->pid);
    p->heap_start = e->brk_move.start;
    p->brk = e->brk_move.after;
}

static void on_area_new(struct model *m, const struct event *e)
{
    const struct ev_area_new *a = &e->area_new;
    struct model_area area = {.start = a->start,
                              .end = a->end,
                              .flags = a->flags,
                              .name = a->name,
                              .prot = (uint32_t)a->prot};
    model_area_add(m, model_process_make(m, e->pid), &area);
}

static void on_area_change(struct model *m, const struct event *e)
{
    const struct ev_area_change *c = &e->area_change;
    struct model_process *p = model_process_make(m, e->pid);
    struct model_area *area = model_area_starting(p, c->old_start);
    if (!area)
        return;
    area->start = c->start;
    area->end = c->end;
    area->prot = (uint32_t)c->prot;
    area->flags = c->flags;
}

static void on_fault_begin(struct model *m, const struct event *e)
{
    struct model_fault *f = &cpu_of(m, e)->fault;
    f->va = e->fault_begin.va;
    f->error = e->fault_begin.error;
    f->handling = true;
    f->found = f->ended = f->zeroed = false;
    f->frame = PFN_NONE;
    f->tables = 0;
}

static void on_fault_area(struct model *m, const struct event *e)
{
    struct model_fault *f = &cpu_of(m, e)->fault;
    f->found = e->fault_area.start != e->fault_area.end;
    f->start = e->fault_area.start;
    f->end = e->fault_area.end;
    f->prot = e->fault_area.prot;
}

static void on_fault_end(struct model *m, const struct event *e)
{
    struct model_fault *f = &cpu_of(m, e)->fault;
    f->handling = false;
    f->ended = true;
    f->outcome = e->fault_end.outcome;
    f->signal = (unsigned)e->fault_end.signal;
    f->code = (unsigned)e->fault_end.code;
}

/* Is it memory of a program, and not the kernel's? */
static bool backs_page(const struct model_frame *f)
{
    return frame_holds_page((enum frame_use)f->use);
}

static void on_frame_alloc(struct model *m, const struct event *e)
{
    struct model_frame *f = model_frame_make(m, e->frame_alloc.pfn);
    *f = (struct model_frame){
        .use = (uint8_t)e->frame_alloc.use, .pid = e->pid, .va = e->frame_alloc.va};
    if (f->use == FRAME_FILE)
        f->pid = 0; /* the page cache is nobody's */
    m->frames_free = e->frame_alloc.free;
    m->count.resident += backs_page(f);
    struct model_fault *fault = &cpu_of(m, e)->fault;
    if (fault->handling && backs_page(f))
        fault->frame = e->frame_alloc.pfn;
}

static void on_frame_free(struct model *m, const struct event *e)
{
    struct model_frame *f = model_frame_make(m, e->frame_free.pfn);
    m->count.resident -= backs_page(f);
    if (f->entry)
        arena_free(m->arena, f->entry, PAGE_SIZE);
    *f = (struct model_frame){.use = FRAME_FREE};
    m->frames_free = e->frame_free.free;
}

static void on_huge_alloc(struct model *m, const struct event *e)
{
    const struct ev_huge_alloc *h = &e->huge_alloc;
    for (pfn_t i = 0; i < TABLE_ENTRIES; i++)
        *model_frame_make(m, h->pfn + i) = (struct model_frame){
            .use = (uint8_t)h->use, .pid = e->pid, .va = h->va + (i << PAGE_SHIFT)};
    m->frames_free = h->free;
    m->count.resident += h->use == FRAME_ANON ? TABLE_ENTRIES : 0;
    struct model_fault *fault = &cpu_of(m, e)->fault;
    if (fault->handling)
        fault->frame = h->pfn;
}

static void on_huge_free(struct model *m, const struct event *e)
{
    for (pfn_t i = 0; i < TABLE_ENTRIES; i++) {
        struct model_frame *f = model_frame_make(m, e->huge_free.pfn + i);
        m->count.resident -= backs_page(f);
        *f = (struct model_frame){.use = FRAME_FREE};
    }
    m->frames_free = e->huge_free.free;
}

static void on_table_new(struct model *m, const struct event *e)
{
    struct model_frame *f = model_frame_make(m, e->table_new.pfn);
    f->use = FRAME_TABLE;
    f->level = (uint8_t)e->table_new.level;
    f->va = e->table_new.va;
    if (!f->entry)
        f->entry = model_memory(m, PAGE_SIZE);
    m->count.tables++;
    cpu_of(m, e)->fault.tables++;
    struct model_process *p = e->pid ? model_process_make(m, e->pid) : NULL;
    if (p && !p->root) /* its first table */
        p->root = e->table_new.pfn << PAGE_SHIFT;
}

static void on_table_gone(struct model *m, const struct event *e)
{
    (void)e;
    m->count.tables--;
}

static void entry_set(struct model *m, pa_t pa, pte_t entry)
{
    struct model_frame *f = model_frame_make(m, pa >> PAGE_SHIFT);
    if (f->entry)
        f->entry[(pa & PAGE_MASK) / sizeof(pte_t)] = entry;
}

/* The frame that an entry of level 1 holds for a program, accessible or not (then global alone is
 * set); NULL: none. */
static struct model_frame *frame_held(struct model *m, pte_t entry)
{
    bool held = (entry & PTE_US) && (entry & (PTE_P | PTE_G)) && pte_pfn(entry) < m->frames;
    return held ? model_frame_make(m, pte_pfn(entry)) : NULL;
}

/* A page may move (mremap): the frame goes with its entry, while it has only one. */
static void frame_shown(struct model *m, const struct ev_entry_write *w, pte_t entry, pfn_t i,
                        int sign)
{
    struct model_frame *f = frame_held(m, entry + (i << PAGE_SHIFT));
    if (!f)
        return;
    f->refs += (uint32_t)sign;
    if (sign > 0 && f->refs == 1 && f->use == FRAME_ANON)
        f->va = w->va + (i << PAGE_SHIFT);
}

/* What a program's entry says appears or disappears; of 2 MiB that are 512 frames. */
static void entry_shown(struct model *m, const struct ev_entry_write *w, pte_t entry, int sign)
{
    bool huge = w->level == 2 && (entry & PTE_PS);
    pfn_t count = huge ? TABLE_ENTRIES : w->level == 1;
    for (pfn_t i = 0; i < count; i++)
        frame_shown(m, w, entry, i, sign);
}

static void on_entry_write(struct model *m, const struct event *e)
{
    const struct ev_entry_write *w = &e->entry_write;
    entry_set(m, w->pa, w->after);
    entry_shown(m, w, w->before, -1);
    entry_shown(m, w, w->after, 1);
}

static void on_process_new(struct model *m, const struct event *e)
{
    struct model_process *p = model_process_make(m, (uint16_t)e->process_new.id);
    p->parent = (uint16_t)e->process_new.parent;
}

static void on_process_gone(struct model *m, const struct event *e)
{
    struct model_process *p = model_process_make(m, (uint16_t)e->process_gone.id);
    for (size_t i = 0; i < m->processes; i++) /* nobody waits for its children any more */
        if (m->process[i].parent == p->pid)
            m->process[i].parent = 0;
    p->gone = true;
    p->signal = (uint16_t)e->process_gone.signal;
}

/* ---- mmu ---- */

static struct model_line *line_of(struct model *m, const struct event *e, uint64_t level,
                                  uint64_t set, uint64_t way)
{
    CHECK(level >= 1 && level <= TLB_ARRAYS);
    struct model_tlb *tlb = &cpu_of(m, e)->tlb[level - 1];
    CHECK(set < tlb->sets && way < tlb->ways);
    return &tlb->line[set * tlb->ways + way];
}

static void on_access(struct model *m, const struct event *e)
{
    struct model_cpu *cpu = cpu_of(m, e);
    bool again = cpu->access.any && !cpu->access.done && cpu->access.va == e->access.va;
    unsigned tries = again ? cpu->access.tries + 1 : 1;
    cpu->access = (struct model_access){.va = e->access.va,
                                        .length = e->access.length,
                                        .how = e->access.how,
                                        .user = e->access.user,
                                        .any = true,
                                        .pfn = PFN_NONE,
                                        .tries = tries};
    if (!again)
        cpu->fault = (struct model_fault){.frame = PFN_NONE};
    m->count.accesses++;
}

/* What a level said of the access, and where. level: as events have it. */
static void answer(struct model_cpu *cpu, uint64_t level, enum model_answer what, uint64_t set,
                   uint64_t way)
{
    unsigned at = (unsigned)(level - 1) % TLB_LEVELS;
    cpu->access.tlb[at] = what;
    cpu->access.array[at] = (unsigned)(level - 1);
    cpu->access.set[at] = (uint32_t)set;
    cpu->access.way[at] = (uint32_t)way;
}

static void on_tlb_hit(struct model *m, const struct event *e)
{
    const struct ev_tlb_hit *h = &e->tlb_hit;
    line_of(m, e, h->level, h->set, h->way)->used = m->tick;
    struct model_cpu *cpu = cpu_of(m, e);
    answer(cpu, h->level, ANSWER_HIT, h->set, h->way);
    cpu->tlb[(h->level - 1) % TLB_LEVELS].hits++;
    cpu->access.pfn = h->pfn;
}

static void on_tlb_miss(struct model *m, const struct event *e)
{
    const struct ev_tlb_miss *s = &e->tlb_miss;
    struct model_cpu *cpu = cpu_of(m, e);
    CHECK(s->level >= 1 && s->level <= TLB_ARRAYS);
    answer(cpu, s->level, ANSWER_MISS, s->set, 0);
    cpu->tlb[(s->level - 1) % TLB_LEVELS].misses++;
    cpu->access.miss_class = s->class;
}

static void on_tlb_fill(struct model *m, const struct event *e)
{
    const struct ev_tlb_fill *f = &e->tlb_fill;
    *line_of(m, e, f->level, f->set, f->way) = (struct model_line){.vpn = f->vpn,
                                                                   .pfn = f->pfn,
                                                                   .used = m->tick,
                                                                   .size = f->size,
                                                                   .flags = (uint32_t)f->flags,
                                                                   .pcid = (uint16_t)f->pcid,
                                                                   .valid = true};
    struct model_cpu *cpu = cpu_of(m, e);
    unsigned level = (unsigned)(f->level - 1) % TLB_LEVELS;
    answer(cpu, f->level, cpu->access.tlb[level], f->set, f->way);
}

static struct model_slot *slot_of(struct model *m, const struct event *e, uint64_t level,
                                  uint64_t slot)
{
    CHECK(level <= LEVELS_MAX);
    struct model_psc *psc = &cpu_of(m, e)->psc[level];
    CHECK(slot < psc->slots);
    return &psc->slot[slot];
}

static void on_psc_hit(struct model *m, const struct event *e)
{
    struct model_access *a = &cpu_of(m, e)->access;
    a->psc_level = (unsigned)e->psc_hit.level;
    a->psc_table = e->psc_hit.table;
}

static void on_walk_begin(struct model *m, const struct event *e)
{
    struct model_access *a = &cpu_of(m, e)->access;
    a->walking = true;
    a->walked = false;
    a->reads = a->last_level = 0;
    memset(a->level, 0, sizeof(a->level));
    m->count.walks++;
}

static void on_walk_read(struct model *m, const struct event *e)
{
    const struct ev_walk_read *r = &e->walk_read;
    struct model_access *a = &cpu_of(m, e)->access;
    CHECK(r->level >= 1 && r->level <= LEVELS_MAX);
    a->level[r->level] = (struct model_read){r->pa, r->entry, r->cost, (unsigned)r->index, true};
    a->last_level = (unsigned)r->level;
    a->reads++;
    m->count.walk_reads++;
}

static void on_walk_end(struct model *m, const struct event *e)
{
    struct model_access *a = &cpu_of(m, e)->access;
    a->walking = false;
    a->walked = true;
    a->pfn = e->walk_end.pfn;
    a->page_size = e->walk_end.size;
}

static void on_entry_mark(struct model *m, const struct event *e)
{
    entry_set(m, e->entry_mark.pa, e->entry_mark.after);
    struct model_access *a = &cpu_of(m, e)->access;
    unsigned level = (unsigned)e->entry_mark.level;
    if (level <= LEVELS_MAX && a->level[level].pa == e->entry_mark.pa)
        a->level[level].entry = e->entry_mark.after;
}

static void on_fault(struct model *m, const struct event *e)
{
    struct model_cpu *cpu = cpu_of(m, e);
    cpu->access.walking = false;
    cpu->fault = (struct model_fault){.va = e->fault.va,
                                      .error = e->fault.error,
                                      .level = (unsigned)e->fault.level,
                                      .vector = (unsigned)e->fault.vector,
                                      .raised = true,
                                      .frame = PFN_NONE};
    m->count.faults++;
}

static void on_data(struct model *m, const struct event *e)
{
    struct model_access *a = &cpu_of(m, e)->access;
    a->pa = e->data.pa;
    a->done = true;
}

static void on_cr3_load(struct model *m, const struct event *e)
{
    struct model_cpu *cpu = cpu_of(m, e);
    cpu->root = e->cr3_load.root;
    cpu->pid = e->pid;
    if (e->pid)
        model_process_make(m, e->pid)->root = e->cr3_load.root;
}

static void on_task_switch(struct model *m, const struct event *e)
{
    struct model_cpu *cpu = cpu_of(m, e);
    cpu->running = (uint16_t)e->task_switch.to;
    cpu->tid = (uint16_t)e->task_switch.to_tid;
}

static void on_tlb_lazy(struct model *m, const struct event *e)
{
    CHECK(e->tlb_lazy.id < m->cpus);
    m->cpu[e->tlb_lazy.id].lazy = e->tlb_lazy.on;
}

/* ---- the fold ---- */

static void on_tlb_dirty(struct model *m, const struct event *e)
{
    line_of(m, e, e->tlb_dirty.level, e->tlb_dirty.set, e->tlb_dirty.way)->flags |= TLB_DIRTY;
}

static void on_tlb_drop(struct model *m, const struct event *e)
{
    line_of(m, e, e->tlb_drop.level, e->tlb_drop.set, e->tlb_drop.way)->valid = false;
}

static void on_tlb_move(struct model *m, const struct event *e)
{
    line_of(m, e, e->tlb_move.level, e->tlb_move.set, e->tlb_move.way)->valid = false;
}

static void on_psc_fill(struct model *m, const struct event *e)
{
    *slot_of(m, e, e->psc_fill.level, e->psc_fill.slot) =
        (struct model_slot){e->psc_fill.va, e->psc_fill.table, (uint16_t)e->psc_fill.pcid, true};
}

static void on_psc_drop(struct model *m, const struct event *e)
{
    slot_of(m, e, e->psc_drop.level, e->psc_drop.slot)->valid = false;
}

static void on_area_gone(struct model *m, const struct event *e)
{
    model_area_drop(model_process_make(m, e->pid), e->area_gone.start);
}

static void on_frame_zero(struct model *m, const struct event *e)
{
    cpu_of(m, e)->fault.zeroed = true;
}

static void on_page_out(struct model *m, const struct event *e)
{
    m->swap_used = e->page_out.used;
}

static void on_swap_free(struct model *m, const struct event *e)
{
    m->swap_used = e->swap_free.used;
}

static void on_op_error(struct model *m, const struct event *e)
{
    (void)e;
    m->count.errors++;
}

static void on_heap_fork(struct model *m, const struct event *e)
{
    model_heap_fork(m, (uint16_t)e->heap_fork.parent, e->pid);
}

static void on_heap_gone(struct model *m, const struct event *e)
{
    model_heap_drop(m, (uint16_t)e->heap_gone.id);
}

static void on_block_gone(struct model *m, const struct event *e)
{
    model_block_drop(m, e->pid, e->block_gone.pointer);
}

/* What each event changes; NULL: nothing that is seen. */
static void (*const fold[EV_COUNT])(struct model *, const struct event *) = {
    [EV_access] = on_access,
    [EV_tlb_hit] = on_tlb_hit,
    [EV_tlb_miss] = on_tlb_miss,
    [EV_tlb_fill] = on_tlb_fill,
    [EV_tlb_dirty] = on_tlb_dirty,
    [EV_tlb_drop] = on_tlb_drop,
    [EV_tlb_move] = on_tlb_move,
    [EV_psc_hit] = on_psc_hit,
    [EV_psc_fill] = on_psc_fill,
    [EV_psc_drop] = on_psc_drop,
    [EV_walk_begin] = on_walk_begin,
    [EV_walk_read] = on_walk_read,
    [EV_walk_end] = on_walk_end,
    [EV_entry_mark] = on_entry_mark,
    [EV_fault] = on_fault,
    [EV_data] = on_data,
    [EV_cr3_load] = on_cr3_load,
    [EV_sys_enter] = on_sys_enter,
    [EV_sys_exit] = on_sys_exit,
    [EV_brk_move] = on_brk_move,
    [EV_area_new] = on_area_new,
    [EV_area_change] = on_area_change,
    [EV_area_gone] = on_area_gone,
    [EV_task_switch] = on_task_switch,
    [EV_tlb_lazy] = on_tlb_lazy,
    [EV_fault_begin] = on_fault_begin,
    [EV_fault_area] = on_fault_area,
    [EV_fault_end] = on_fault_end,
    [EV_frame_alloc] = on_frame_alloc,
    [EV_frame_zero] = on_frame_zero,
    [EV_frame_free] = on_frame_free,
    [EV_page_out] = on_page_out,
    [EV_swap_free] = on_swap_free,
    [EV_huge_alloc] = on_huge_alloc,
    [EV_huge_free] = on_huge_free,
    [EV_table_new] = on_table_new,
    [EV_table_gone] = on_table_gone,
    [EV_entry_write] = on_entry_write,
    [EV_process_new] = on_process_new,
    [EV_process_gone] = on_process_gone,
    [EV_op_begin] = on_op_begin,
    [EV_op_end] = on_op_end,
    [EV_op_error] = on_op_error,
    [EV_block_new] = on_block_new,
    [EV_heap_fork] = on_heap_fork,
    [EV_heap_gone] = on_heap_gone,
    [EV_block_gone] = on_block_gone,
    [EV_alloc_request] = on_alloc_request,
    [EV_alloc_size] = on_alloc_size,
    [EV_alloc_search] = on_alloc_search,
    [EV_alloc_probe] = on_alloc_probe,
    [EV_alloc_fit] = on_alloc_fit,
    [EV_alloc_split] = on_alloc_split,
    [EV_alloc_header] = on_alloc_header,
    [EV_alloc_list] = on_alloc_list,
    [EV_alloc_mend] = on_alloc_mend,
    [EV_alloc_return] = on_alloc_return,
    [EV_alloc_free] = on_alloc_free,
};

static void model_hear(void *state, const struct event *e)
{
    struct model *m = state;
    m->tick++;
    if (e->seq == 1)
        m->steps = 0;
    m->cpu_now = e->cpu;
    if (fold[e->kind])
        fold[e->kind](m, e);
    m->ring[m->tick % MODEL_RING] = *e;
    explain_follow(&m->story, e);
    model_step_add(m, (uint8_t)e->kind);
}

static void cpu_init(struct model *m, struct model_cpu *cpu, const struct mmu_config *config)
{
    for (unsigned l = 0; l < TLB_ARRAYS; l++) {
        struct model_tlb *tlb = &cpu->tlb[l];
        tlb->sets = config->tlb[l].sets;
        tlb->ways = config->tlb[l].ways;
        tlb->line = model_memory(m, (size_t)tlb->sets * tlb->ways * sizeof(*tlb->line));
    }
    for (unsigned l = 0; l <= LEVELS_MAX; l++) {
        cpu->psc[l].slots = config->psc_entries[l];
        cpu->psc[l].slot = model_memory(m, cpu->psc[l].slots * sizeof(struct model_slot));
    }
    cpu->access.pfn = cpu->fault.frame = PFN_NONE;
}

static void model_init(void *state, struct arena *arena, const struct config *config)
{
    struct model *m = state;
    m->arena = arena;
    m->cpus = config->cpus;
    m->levels = config->kernel.five_levels ? 5 : 4;
    m->cpu = model_memory(m, m->cpus * sizeof(*m->cpu));
    for (uint32_t i = 0; i < m->cpus; i++)
        cpu_init(m, &m->cpu[i], &config->mmu);
    m->frames = config->ram_bytes / PAGE_SIZE;
    m->reserved = config->kernel_reserved / PAGE_SIZE;
    m->frames_free = m->frames - m->reserved;
    m->frame = model_memory(m, (m->frames / MODEL_BLOCK + 1) * sizeof(struct model_frame *));
    memcpy(m->alloc, config->alloc, sizeof(m->alloc));
    explain_begin(&m->story, NULL);
}

struct sim_observer model_observer(void)
{
    return (struct sim_observer){
        .state_size = sizeof(struct model), .init = model_init, .hear = model_hear};
}
