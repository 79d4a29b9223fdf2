/* inspect.c: answers about the machine's present state, copied out. */
#include "sim/inspect.h"

#include "sim/state.h"

#include <string.h>

const struct config *inspect_config(const struct sim *s)
{
    return &s->config;
}

cycles_t inspect_cycles(const struct sim *s)
{
    return s->m->env.cycle;
}

/* ---- processors ---- */

unsigned inspect_cpus(const struct sim *s)
{
    return s->config.cpus;
}

uint16_t inspect_current(const struct sim *s, unsigned cpu)
{
    struct cpu_info info;
    return kernel_cpu(s->m->kernel, cpu, &info) ? info.pid : 0;
}

bool inspect_cpu(const struct sim *s, unsigned cpu, struct cpu_info *info)
{
    return kernel_cpu(s->m->kernel, cpu, info);
}

const struct mmu_counters *inspect_mmu(const struct sim *s, unsigned cpu)
{
    return mmu_counters(s->m->cpu[cpu].mmu);
}

enum inspect_opt inspect_opt(const struct sim *s, unsigned cpu, unsigned level, uint64_t *misses)
{
    bool known = mmu_opt_misses(s->m->cpu[cpu].mmu, level, misses);
    bool asked = s->config.mmu.opt && s->config.mmu.tlb[level].sets;
    return known ? OPT_KNOWN : asked ? OPT_LOST : OPT_OFF;
}

bool inspect_tlb(const struct sim *s, unsigned cpu, unsigned level, uint32_t set, uint32_t way,
                 struct tlb_line *line)
{
    if (cpu >= s->config.cpus || level >= TLB_ARRAYS)
        return false;
    const struct tlb_config *c = mmu_tlb_config(s->m->cpu[cpu].mmu, level);
    if (set >= c->sets || way >= c->ways)
        return false;
    mmu_tlb_line(s->m->cpu[cpu].mmu, level, set, way, line);
    return true;
}

bool inspect_psc(const struct sim *s, unsigned cpu, unsigned level, uint32_t slot,
                 struct psc_line *line)
{
    if (cpu >= s->config.cpus || slot >= mmu_psc_entries(s->m->cpu[cpu].mmu, level))
        return false;
    mmu_psc_line(s->m->cpu[cpu].mmu, level, slot, line);
    return true;
}

void inspect_regs(const struct sim *s, unsigned cpu, struct mmu_regs *regs)
{
    *regs = *mmu_regs_now(s->m->cpu[cpu].mmu);
}

/* ---- kernel ---- */

const struct kernel_counters *inspect_kernel(const struct sim *s)
{
    return kernel_counters(s->m->kernel);
}

bool inspect_process(const struct sim *s, uint16_t pid, struct process_info *info)
{
    return kernel_process(s->m->kernel, pid, info);
}

bool inspect_process_at(const struct sim *s, size_t i, struct process_info *info)
{
    return kernel_process_at(s->m->kernel, i, info);
}

uint64_t inspect_huge_waste(const struct sim *s, uint16_t pid)
{
    return kernel_huge_waste(s->m->kernel, pid);
}

bool inspect_area(const struct sim *s, uint16_t pid, size_t i, struct area_info *info)
{
    return kernel_area(s->m->kernel, pid, i, info);
}

bool inspect_area_at(const struct sim *s, uint16_t pid, va_t va, struct area_info *info)
{
    return kernel_area_at(s->m->kernel, pid, va, info);
}

uint64_t inspect_frames(const struct sim *s)
{
    return ram_size(s->ram) / PAGE_SIZE;
}

uint64_t inspect_frames_free(const struct sim *s)
{
    return kernel_frames_free(s->m->kernel);
}

void inspect_memory(const struct sim *s, struct memory_info *info)
{
    kernel_memory(s->m->kernel, info);
}

bool inspect_swap_slot(const struct sim *s, uint64_t slot, struct swap_info *info)
{
    return kernel_swap_slot(s->m->kernel, slot, info);
}

const char *inspect_oom_report(const struct sim *s)
{
    return kernel_oom_report(s->m->kernel);
}

void inspect_frame(const struct sim *s, pfn_t pfn, struct frame_info *info)
{
    kernel_frame(s->m->kernel, pfn, info);
}

int64_t inspect_proc(const struct sim *s, const char *path, char *text, size_t size)
{
    return kernel_proc(s->m->kernel, path, text, size);
}

bool inspect_pagemap(const struct sim *s, uint16_t pid, vpn_t page, uint64_t *entry)
{
    return kernel_proc_pagemap(s->m->kernel, pid, page, entry);
}

size_t inspect_maps(const struct sim *s, uint16_t pid, char *text, size_t size)
{
    return kernel_proc_maps(s->m->kernel, pid, text, size);
}

/* ---- memory ---- */

void inspect_ram(const struct sim *s, pa_t pa, void *to, size_t n)
{
    ram_read(s->ram, pa, to, n);
}

bool inspect_walk(const struct sim *s, uint16_t pid, va_t va, struct walk *walk)
{
    struct mmu_regs regs;
    if (!kernel_regs(s->m->kernel, pid, &regs))
        return false;
    regs.eptp = 0;
    walk_read(s->ram, &regs, va, walk);
    return true;
}

void inspect_walk_with(const struct sim *s, const struct mmu_regs *regs, va_t va, struct walk *walk)
{
    walk_read(s->ram, regs, va, walk);
}

bool inspect_read(const struct sim *s, uint16_t pid, va_t va, void *to, size_t n)
{
    return machine_peek(s->m, pid, va, to, n);
}

/* ---- the program ---- */

static const struct program *program_of(const struct sim *s, uint16_t pid)
{
    for (size_t i = 0; i < s->m->programs; i++)
        if (s->m->program[i]->pid == pid)
            return s->m->program[i];
    return NULL;
}

static const struct heap *heap_of(const struct sim *s, uint16_t pid)
{
    const struct program *p = program_of(s, pid);
    return p && !p->dead ? p->heap : NULL;
}

const struct alloc_counters *inspect_heap(const struct sim *s, uint16_t pid)
{
    const struct program *p = program_of(s, pid);
    return p && p->heap ? &p->heap->counters : NULL;
}

const char *inspect_heap_policy(const struct sim *s, uint16_t pid)
{
    const struct program *p = program_of(s, pid);
    return p && p->heap ? p->heap->ops->name : s->config.alloc;
}

bool inspect_chunks(const struct sim *s, uint16_t pid,
                    void (*show)(void *ctx, const struct heap_chunk *), void *ctx)
{
    const struct heap *h = heap_of(s, pid);
    return !h || heap_walk(h, show, ctx);
}

bool inspect_lists(const struct sim *s, uint16_t pid,
                   void (*show)(void *ctx, const struct heap_chunk *), void *ctx)
{
    const struct heap *h = heap_of(s, pid);
    if (!h || !h->ops->lists)
        return false;
    h->ops->lists(h, show, ctx);
    return true;
}

const char *inspect_header_bits(const struct sim *s, uint16_t pid)
{
    const struct heap *h = heap_of(s, pid);
    return h && h->ops->bits ? h->ops->bits : "";
}

size_t inspect_blocks(const struct sim *s)
{
    return block_count(s->m);
}

void inspect_each_block(const struct sim *s, void (*show)(void *ctx, const struct block_info *),
                        void *ctx)
{
    block_each(s->m, show, ctx);
}

bool inspect_block(const struct sim *s, uint16_t pid, uint64_t id, struct block_info *info)
{
    const struct block *b = block_find(s->m, pid, id);
    if (b)
        block_get(b, info);
    return b != NULL;
}

/* ---- the replay ---- */

/* Cycles that neither the MMU nor the kernel charged: the program's and the allocator's own. */
static cycles_t program_cycles(const struct machine *m)
{
    const struct kernel_counters *k = kernel_counters(m->kernel);
    cycles_t other = k->cycles_syscall + k->cycles_fault + k->cycles_switch + k->cycles_reclaim +
                     k->cycles_writeback;
    for (unsigned i = 0; i < m->config.cpus; i++) {
        const struct mmu_counters *c = mmu_counters(m->cpu[i].mmu);
        other += c->cycles_tlb + c->cycles_walk + c->cycles_data + c->cycles_exit;
    }
    return m->env.cycle - other;
}

const struct replay_counters *inspect_replay(const struct sim *s)
{
    s->m->counters.cycles_program = program_cycles(s->m);
    return &s->m->counters;
}

void inspect_wrong(const struct sim *s, struct wrong_event *wrong)
{
    const struct audit *a = &s->m->audit;
    *wrong = (struct wrong_event){.count = a->wrong};
    if (a->wrong)
        *wrong = (struct wrong_event){
            a->wrong, {a->op, a->step}, event_info[a->kind].name, a->cpu, a->why};
}

const struct mistake *inspect_mistake(const struct sim *s)
{
    return &s->m->mistake;
}

const struct op *inspect_op(const struct sim *s, uint64_t number)
{
    const struct trace *t = s->options.trace;
    if (!t)
        return number && (number == s->now.op || number + 1 == s->now.op) ? &s->op : NULL;
    return number >= 1 && number <= t->count ? &t->op[number - 1] : NULL;
}

const struct op_extra *inspect_op_extra(const struct sim *s, uint64_t number)
{
    const struct op *op = inspect_op(s, number);
    if (op && !s->options.trace)
        return &s->op_extra;
    return op && op->extra ? &s->options.trace->extra[op->extra] : NULL;
}

/* ---- one number for everything ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 29);
}

static uint64_t mix_words(uint64_t hash, const void *from, size_t bytes)
{
    const unsigned char *at = from;
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, sizeof(word));
        hash = mix(hash, word);
    }
    return hash;
}

static uint64_t hash_mmu(const struct sim *s, uint64_t h, unsigned cpu)
{
    struct mmu *mmu = s->m->cpu[cpu].mmu;
    h = mix_words(h, mmu_counters(mmu), sizeof(struct mmu_counters));
    for (unsigned level = 0; level < TLB_ARRAYS; level++) {
        const struct tlb_config *c = mmu_tlb_config(mmu, level);
        for (uint32_t i = 0; i < c->sets * c->ways; i++) {
            struct tlb_line line;
            mmu_tlb_line(mmu, level, i / c->ways, i % c->ways, &line);
            h = mix(h, line.valid ? line.vpn : UINT64_MAX);
            h = mix(h, line.valid ? line.pfn ^ (uint64_t)line.flags << 52 : 0);
            h = mix(h, line.rank);
        }
    }
    return h;
}

static uint64_t hash_process(const struct sim *s, uint64_t h, const struct process_info *p)
{
    struct area_info a;
    h = mix(mix(mix(h, p->pid), p->brk), p->root);
    h = mix(mix(mix(h, p->resident), p->tables), p->faults_minor);
    for (size_t i = 0; inspect_area(s, p->pid, i, &a); i++)
        h = mix(mix(mix(h, a.start), a.end), a.prot | (uint64_t)a.flags << 32);
    const struct alloc_counters *c = inspect_heap(s, p->pid);
    return c ? mix_words(h, c, sizeof(*c)) : h;
}

struct hash_ctx {
    uint64_t hash;
};

static void hash_block(void *ctx, const struct block_info *b)
{
    struct hash_ctx *c = ctx;
    c->hash = mix(mix(mix(mix(c->hash, b->id), b->start), b->size), b->op);
}

static uint64_t hash_swap(const struct sim *s, uint64_t h)
{
    struct memory_info memory;
    struct swap_info slot;
    inspect_memory(s, &memory);
    h = mix(mix(h, memory.swap_used), memory.swap_cached);
    for (uint64_t i = 0; i < memory.swap_made && inspect_swap_slot(s, i, &slot); i++)
        h = mix(mix(h, slot.refs | (uint64_t)slot.used << 32), slot.pfn);
    return h;
}

uint64_t sim_hash(const struct sim *s)
{
    struct hash_ctx c = {mix(s->m->env.cycle, s->m->env.rng.state)};
    for (unsigned i = 0; i < s->config.cpus; i++)
        c.hash = hash_mmu(s, c.hash, i);
    struct process_info p;
    for (size_t i = 0; inspect_process_at(s, i, &p); i++)
        c.hash = hash_process(s, c.hash, &p);
    c.hash = mix_words(c.hash, inspect_kernel(s), sizeof(struct kernel_counters));
    block_each(s->m, hash_block, &c);
    c.hash = hash_swap(s, c.hash);
    uint64_t frames = inspect_frames(s);
    for (pfn_t pfn = 0; pfn < frames; pfn++) {
        struct frame_info f;
        inspect_frame(s, pfn, &f);
        if (f.use == FRAME_FREE)
            continue;
        c.hash = mix(mix(c.hash, pfn), f.use | (uint64_t)f.pid << 8 | (uint64_t)f.refs << 32);
        c.hash = mix_words(c.hash, ram_frame(s->ram, pfn), PAGE_SIZE);
    }
    return c.hash;
}
