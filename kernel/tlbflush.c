/* tlbflush.c: forgetting translations: locally with INVLPG or a load of CR3, on other CPUs by
 * interrupt. The order is what makes it safe: entries first, then all TLBs, then the frames.
 */
#include "kernel/tlbflush.h"

#include "kernel/pgtable.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

/* Linux: struct mmu_gather_batch. */
struct batch {
    struct batch *older;
    size_t count;
    pfn_t frame[BATCH_FRAMES];
};

/* ---- gathering ---- */

static void gather_range(struct gather *g, va_t va, unsigned shift)
{
    bool empty = g->start == g->end;
    va_t end = va + ((uint64_t)1 << shift);
    g->shift = empty ? shift : (unsigned)min_u64(g->shift, shift);
    g->start = empty ? va : min_u64(g->start, va);
    g->end = empty ? end : max_u64(g->end, end);
}

void gather_page(struct kernel *k, va_t va)
{
    gather_range(&k->gather, align_down(va, PAGE_SIZE), PAGE_SHIFT);
}

void gather_huge_page(struct kernel *k, va_t va)
{
    gather_range(&k->gather, align_down(va, HUGE_SIZE), PAGE_SHIFT + HUGE_ORDER);
}

/* The flush is for the walkers: INVLPG also empties the paging-structure caches. */
void gather_unhooked(struct kernel *k, va_t va)
{
    gather_page(k, va);
    k->gather.tables = true;
}

/* ---- one CPU forgets ---- */

/* One order to forget, as every CPU gets it (Linux: struct flush_tlb_info). */
struct flush {
    struct process *p;
    va_t start, end;
    unsigned shift;
    bool all; /* too many pages: the whole TLB */
    bool tables;
    uint64_t gen; /* the address space's, this change included */
};

/* MOV to CR3. Without PCIDs, or if forget says so, all but global translations go. */
static void load_root(const struct kernel *k, struct cpu *cpu, pfn_t root, uint64_t pcid,
                      bool forget)
{
    uint64_t value = root << PAGE_SHIFT;
    if (k->config.pcid)
        value |= pcid | (forget ? 0 : CR3_NOFLUSH);
    bool loaded = mmu_write_cr3(cpu->mmu, value);
    CHECK(loaded);
}

static uint64_t flush_pages(const struct flush *f)
{
    return f->all ? 0 : (f->end - f->start) >> f->shift;
}

static void forget_pages(struct kernel *k, struct cpu *cpu, const struct flush *f)
{
    for (va_t va = f->start; va < f->end; va += (uint64_t)1 << f->shift)
        mmu_invlpg(cpu->mmu, va);
    k->counters.invlpgs += flush_pages(f);
}

/* Linux: flush_tlb_func. A CPU that already missed an earlier change forgets everything. */
static void forget(struct kernel *k, struct cpu *cpu, const struct flush *f)
{
    if (cpu->mm != f->p)
        return;
    if (cpu->lazy) {
        mm_unload(k, cpu);
        return;
    }
    uint64_t *gen = &cpu->slot[cpu->asid].gen;
    if (!f->all && *gen + 1 == f->gen) {
        forget_pages(k, cpu, f);
    } else {
        load_root(k, cpu, f->p->root, cpu->asid + 1, true);
        k->counters.tlb_flushes++;
    }
    *gen = f->gen;
}

/* ---- all others forget ---- */

/* Does as if the code ran on cpu: events are stamped with it and with what runs there. */
static void stand_on(struct kernel *k, const struct cpu *cpu)
{
    k->env->cpu = (uint16_t)cpu->id;
    k->env->pid = cpu->current ? cpu->current->pid : 0;
}

/* Whom the change concerns; *spared: those that will catch up instead. */
static uint64_t targets(const struct kernel *k, const struct flush *f, uint64_t *spared)
{
    uint64_t cpus = f->p->cpumask & ~((uint64_t)1 << k->env->cpu);
    *spared = 0;
    for (unsigned i = 0; i < k->cpu_count && !f->tables; i++)
        if ((cpus >> i & 1) && k->cpus[i].lazy)
            *spared |= (uint64_t)1 << i;
    return cpus & ~*spared;
}

static void handle(struct kernel *k, struct cpu *cpu, unsigned from, const struct flush *f)
{
    uint16_t pid = k->env->pid;
    stand_on(k, cpu);
    k->counters.ipis++;
    EMIT(k->env, ipi_handle, .from = from, .pages = flush_pages(f), .generation = f->gen,
         .lazy = cpu->lazy);
    forget(k, cpu, f);
    k->env->cpu = (uint16_t)from;
    k->env->pid = pid;
}

static unsigned count_bits(uint64_t bits)
{
    unsigned n = 0;
    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

/* The mistake: these CPUs are taken for up to date, although nobody told them. */
static void believe(struct kernel *k, uint64_t cpus, const struct flush *f)
{
    for (unsigned i = 0; i < k->cpu_count; i++)
        if ((cpus >> i & 1) && k->cpus[i].mm == f->p)
            k->cpus[i].slot[k->cpus[i].asid].gen = f->gen;
}

/* The sender pays for each interrupt and then waits for the last answer; the others handle theirs
 * at the same time, each losing ipi_handle_cycles of its own. */
static void shoot_down(struct kernel *k, const struct flush *f)
{
    uint64_t spared, cpus = targets(k, f, &spared);
    unsigned from = k->env->cpu, count = count_bits(cpus);
    k->counters.ipis_spared += count_bits(spared);
    if (!cpus && !spared)
        return;
    if (k->config.bug.no_shootdown) {
        believe(k, cpus, f);
        return;
    }
    EMIT(k->env, ipi_send, .cpus = cpus, .spared = spared, .start = f->all ? 0 : f->start,
         .end = f->all ? 0 : f->end, .pages = flush_pages(f), .generation = f->gen);
    if (!cpus)
        return;
    cycles_t start = k->env->cycle;
    k->env->cycle += (cycles_t)count * k->config.ipi_send_cycles;
    for (unsigned i = 0; i < k->cpu_count; i++)
        if (cpus >> i & 1)
            handle(k, &k->cpus[i], from, f);
    k->env->cycle += k->config.ipi_handle_cycles;
    k->counters.shootdowns++;
    k->counters.cycles_ipi_wait += k->env->cycle - start;
    k->counters.cycles_ipi_handle += (cycles_t)count * k->config.ipi_handle_cycles;
    EMIT(k->env, ipi_done, .cpus = cpus, .waited = k->env->cycle - start);
}

/* Linux: flush_tlb_mm_range. */
static void flush(struct kernel *k, struct process *p)
{
    struct gather *g = &k->gather;
    struct flush f = {.p = p,
                      .start = g->start,
                      .end = g->end,
                      .shift = g->shift,
                      .all = (g->end - g->start) >> g->shift > FLUSH_CEILING,
                      .tables = g->tables,
                      .gen = ++p->tlb_gen};
    k->counters.flushes++;
    shoot_down(k, &f);
    if (k->config.bug.no_invlpg)
        believe(k, (uint64_t)1 << k->env->cpu, &f);
    else
        forget(k, &k->cpus[k->env->cpu], &f);
}

/* ---- the end of a gathering ---- */

static void give_back(struct kernel *k, struct process *p, const pfn_t *frame, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct frame *meta = frames_at(k->frames, frame[i]);
        if (meta->use == FRAME_TABLE)
            table_free(k, p, frame[i]);
        else if (meta->head)
            frames_put_huge(k, frame[i]);
        else
            frame_put(k, frame[i]);
    }
}

static void flush_now(struct kernel *k, struct process *p)
{
    struct gather *g = &k->gather;
    if (g->start != g->end)
        flush(k, p);
    g->start = g->end = 0;
    g->tables = false;
    give_back(k, p, g->local, g->locals);
    g->locals = 0;
    while (g->batch) {
        struct batch *b = g->batch;
        give_back(k, p, b->frame, b->count);
        g->batch = b->older;
        g->batches--;
        arena_free(k->env->arena, b, sizeof(*b));
    }
}

void gather_flush(struct kernel *k, struct process *p)
{
    if (!k->gather.held)
        flush_now(k, p);
}

void gather_hold(struct kernel *k)
{
    k->gather.held++;
}

void gather_release(struct kernel *k, struct process *p)
{
    CHECK(k->gather.held);
    k->gather.held--;
    gather_flush(k, p);
}

/* Room for one more frame in a batch. NULL: there are enough batches, or no memory. */
static struct batch *batch_room(struct kernel *k)
{
    struct gather *g = &k->gather;
    if (g->batch && g->batch->count < BATCH_FRAMES)
        return g->batch;
    struct batch *b = g->batches < BATCHES_MAX ? arena_alloc(k->env->arena, sizeof(*b)) : NULL;
    if (!b)
        return NULL;
    b->older = g->batch;
    g->batch = b;
    g->batches++;
    return b;
}

static void gather_pfn(struct kernel *k, struct process *p, pfn_t pfn)
{
    struct gather *g = &k->gather;
    struct batch *b = g->locals == GATHER_LOCAL ? batch_room(k) : NULL;
    if (b) {
        b->frame[b->count++] = pfn;
        return;
    }
    if (g->locals == GATHER_LOCAL)
        flush_now(k, p);
    g->local[g->locals++] = pfn;
}

void gather_frame(struct kernel *k, struct process *p, pte_t entry)
{
    pfn_t pfn = pte_pfn(entry);
    const struct frame *frame = frames_at(k->frames, pfn);
    if (!pfn_is_zero(k, pfn) && !frame->refs && !frame->cached)
        gather_pfn(k, p, pfn);
}

void gather_huge(struct kernel *k, struct process *p, pte_t entry)
{
    pfn_t pfn = pte_pfn(entry);
    unsigned unused = 0;
    while (unused < TABLE_ENTRIES && !frames_at(k->frames, pfn + unused)->refs)
        unused++;
    if (unused == TABLE_ENTRIES) {
        if (pfn == k->huge_zero)
            k->huge_zero = PFN_NONE;
        frames_at(k->frames, pfn)->head = true;
        gather_pfn(k, p, pfn);
        return;
    }
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) /* a process that was forked maps some of them */
        gather_frame(k, p, pte_make(pfn + i, 0));
}

void gather_table(struct kernel *k, struct process *p, pfn_t table, va_t va)
{
    gather_unhooked(k, va);
    gather_pfn(k, p, table);
}

/* ---- which address space a CPU holds ---- */

static void mask_clear(struct cpu *cpu)
{
    if (cpu->mm)
        cpu->mm->cpumask &= ~((uint64_t)1 << cpu->id);
    cpu->mm = NULL;
}

static void lazy_set(struct kernel *k, struct cpu *cpu, bool lazy)
{
    if (cpu->lazy == lazy)
        return;
    cpu->lazy = lazy;
    EMIT(k->env, tlb_lazy, .id = cpu->id, .on = lazy);
}

/* The slot of cpu for p; true: what its TLBs know of p is still good. Linux: choose_new_asid. */
static bool choose_asid(struct kernel *k, struct cpu *cpu, const struct process *p)
{
    cpu->asid = 0;
    while (k->config.pcid && cpu->asid < ASIDS && cpu->slot[cpu->asid].ctx != p->ctx)
        cpu->asid++;
    if (k->config.pcid && cpu->asid < ASIDS)
        return cpu->slot[cpu->asid].gen == p->tlb_gen;
    cpu->asid = k->config.pcid ? cpu->next_asid : 0;
    cpu->next_asid = (cpu->asid + 1) % ASIDS;
    bool reused = cpu->slot[cpu->asid].ctx;
    cpu->slot[cpu->asid] = (struct asid){.ctx = p->ctx};
    if (k->config.pcid)
        EMIT(k->env, pcid_assign, .id = p->pid, .pcid = cpu->asid + 1, .reused = reused);
    return false;
}

bool mm_current(const struct cpu *cpu, const struct process *p)
{
    return cpu->mm == p && !cpu->lazy && cpu->slot[cpu->asid].gen == p->tlb_gen;
}

void mm_load(struct kernel *k, struct cpu *cpu, struct process *p)
{
    bool same = cpu->mm == p;
    lazy_set(k, cpu, false);
    if (same && cpu->slot[cpu->asid].gen == p->tlb_gen)
        return;
    mask_clear(cpu);
    cpu->mm = p;
    p->cpumask |= (uint64_t)1 << cpu->id;
    bool good = !same && choose_asid(k, cpu, p);
    cpu->slot[cpu->asid].gen = p->tlb_gen;
    k->counters.mm_switches += !same;
    k->counters.mm_kept += good;
    load_root(k, cpu, p->root, cpu->asid + 1, !good);
}

/* No process is stamped on the events: what is loaded belongs to none. */
void mm_unload(struct kernel *k, struct cpu *cpu)
{
    uint16_t here = k->env->cpu, pid = k->env->pid;
    k->env->cpu = (uint16_t)cpu->id;
    lazy_set(k, cpu, false);
    mask_clear(cpu);
    k->env->pid = 0;
    load_root(k, cpu, k->root, 0, false);
    k->env->cpu = here;
    k->env->pid = pid;
}

void mm_idle(struct kernel *k, struct cpu *cpu)
{
    if (cpu->mm)
        lazy_set(k, cpu, true);
}

void mm_leave_all(struct kernel *k, struct process *p)
{
    for (unsigned i = 0; i < k->cpu_count; i++)
        if (k->cpus[i].mm == p)
            mm_unload(k, &k->cpus[i]);
}

/* ---- what must be true ---- */

bool kernel_tlb_root(const struct kernel *k, unsigned i, uint16_t pcid, pa_t *root)
{
    const struct cpu *cpu = &k->cpus[i];
    unsigned asid = k->config.pcid ? pcid - 1u : 0;
    *root = k->root << PAGE_SHIFT;
    if (k->config.pcid ? pcid == 0 : !cpu->mm)
        return true;
    for (size_t at = 0; asid < ASIDS && at < k->process_count; at++) {
        const struct process *p = k->process[at];
        *root = p->root << PAGE_SHIFT;
        if (p->root != PFN_NONE && p->ctx == cpu->slot[asid].ctx)
            return cpu->slot[asid].gen == p->tlb_gen;
    }
    return false;
}

static bool line_leads_to(const struct tlb_line *line, pfn_t pfn)
{
    return line->valid && (line->flags & TLB_USER) && pfn >= line->pfn &&
           pfn - line->pfn < line->page_size >> PAGE_SHIFT;
}

bool tlb_leads_to(const struct kernel *k, pfn_t pfn)
{
    for (unsigned i = 0; i < k->cpu_count; i++) {
        for (unsigned level = 0; level < TLB_LEVELS; level++) {
            const struct tlb_config *c = mmu_tlb_config(k->cpus[i].mmu, level);
            for (uint32_t at = 0; at < c->sets * c->ways; at++) {
                struct tlb_line line;
                mmu_tlb_line(k->cpus[i].mmu, level, at / c->ways, at % c->ways, &line);
                if (line_leads_to(&line, pfn))
                    return true;
            }
        }
    }
    return false;
}
