/* sched.c: which thread runs on which CPU; context switches. Linux: kernel/sched/core.c. */
#include "kernel/sched.h"

#include "kernel/process.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

/* ---- threads ---- */

/* Where the thread stands in its process's list, or would stand. */
static size_t task_index(const struct tasks *t, uint16_t tid)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->at[middle].tid < tid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct task *task_find(const struct process *p, uint16_t tid)
{
    size_t i = task_index(&p->tasks, tid);
    return i < p->tasks.count && p->tasks.at[i].tid == tid ? &p->tasks.at[i] : NULL;
}

static uint16_t idlest_cpu(const struct kernel *k)
{
    unsigned best = 0;
    for (unsigned i = 1; i < k->cpu_count; i++)
        if (k->cpus[i].tasks < k->cpus[best].tasks)
            best = i;
    return (uint16_t)best;
}

static bool tasks_grow(struct kernel *k, struct tasks *t)
{
    size_t capacity = t->capacity ? 2 * t->capacity : 4;
    struct task *at = arena_resize(k->env->arena, t->at, t->capacity * sizeof(struct task),
                                   capacity * sizeof(struct task));
    if (!at)
        return false;
    t->at = at;
    t->capacity = capacity;
    return true;
}

/* NULL: no memory. */
static struct task *task_new(struct kernel *k, struct process *p, uint16_t tid)
{
    struct tasks *t = &p->tasks;
    size_t i = task_index(t, tid);
    if (t->count == t->capacity && !tasks_grow(k, t))
        return NULL;
    memmove(t->at + i + 1, t->at + i, (t->count - i) * sizeof(struct task));
    t->count++;
    t->at[i] = (struct task){.tid = tid, .cpu = idlest_cpu(k), .pkru = p->pkru};
    k->cpus[t->at[i].cpu].tasks++;
    if (k->cpu_count > 1)
        EMIT(k->env, task_place, .id = p->pid, .tid = tid, .on = t->at[i].cpu);
    return &t->at[i];
}

/* ---- switching ---- */

static void tell_switch(struct kernel *k, struct cpu *cpu, uint64_t pid, uint64_t tid)
{
    k->env->cycle += k->config.switch_cycles;
    frame_zero_late(k, cpu);
    k->counters.switches++;
    k->counters.cycles_switch += k->config.switch_cycles;
    EMIT(k->env, task_switch, .from = cpu->current ? cpu->current->pid : 0,
         .from_tid = cpu->current ? cpu->tid : 0, .to = pid, .to_tid = tid);
}

static void switch_to(struct kernel *k, struct cpu *cpu, struct process *p, uint32_t tid)
{
    bool first = cpu->current == p && cpu->tid == TID_NONE;
    bool same = cpu->current == p && cpu->tid == tid;
    k->env->cpu = (uint16_t)cpu->id;
    if (!first && !same && tid != TID_NONE)
        tell_switch(k, cpu, p->pid, tid);
    cpu->current = p;
    cpu->tid = tid;
    k->env->pid = p->pid;
    p->switches += !same;
    const struct task *task = tid == TID_NONE ? NULL : task_find(p, (uint16_t)tid);
    uint32_t pkru = task ? task->pkru : p->pkru;
    if (mmu_regs_now(cpu->mmu)->pkru != pkru)
        mmu_regs(cpu->mmu)->pkru = pkru;
    mm_load(k, cpu, p);
}

void kernel_wrpkru(struct kernel *k, struct cpu *cpu, uint32_t pkru)
{
    struct process *p = process_running(cpu);
    if (!p)
        return;
    struct task *task = cpu->tid == TID_NONE ? NULL : task_find(p, (uint16_t)cpu->tid);
    EMIT(k->env, pkru_write, .before = mmu_regs(cpu->mmu)->pkru, .after = pkru);
    mmu_regs(cpu->mmu)->pkru = pkru;
    *(task ? &task->pkru : &p->pkru) = pkru;
}

/* The CPU has nothing to run. */
static void go_idle(struct kernel *k, struct cpu *cpu)
{
    tell_switch(k, cpu, 0, 0);
    cpu->current = NULL;
    cpu->tid = 0;
    mm_idle(k, cpu);
}

int kernel_switch(struct kernel *k, struct cpu *cpu, uint16_t pid)
{
    struct process *p = process_find(k, pid);
    if (!p || p->killed)
        return -LX_ESRCH;
    switch_to(k, cpu, p, TID_NONE);
    return 0;
}

/* Does the thread run already, where it should, on tables that are loaded as they are? */
static bool runs_here(const struct kernel *k, const struct cpu *cpu, uint16_t pid, uint16_t tid)
{
    const struct process *p = cpu->current;
    return p && p->pid == pid && cpu->tid == tid && !p->killed && k->env->pid == pid &&
           mm_current(cpu, p);
}

int kernel_run(struct kernel *k, uint16_t pid, uint16_t tid, struct cpu **cpu)
{
    *cpu = &k->cpus[k->env->cpu];
    if (runs_here(k, *cpu, pid, tid))
        return 0;
    struct process *p = process_find(k, pid);
    if (!p || p->killed)
        return -LX_ESRCH;
    struct task *task = task_find(p, tid);
    if (!task)
        task = task_new(k, p, tid);
    if (!task)
        return -LX_ENOMEM;
    *cpu = &k->cpus[task->cpu];
    switch_to(k, *cpu, p, tid);
    return 0;
}

void kernel_block(struct kernel *k, struct cpu *cpu)
{
    if (cpu->current)
        go_idle(k, cpu);
}

void kernel_thread_exit(struct kernel *k, struct cpu *cpu)
{
    struct process *p = cpu->current;
    struct task *task = p && cpu->tid != TID_NONE ? task_find(p, (uint16_t)cpu->tid) : NULL;
    if (!task)
        return;
    size_t i = (size_t)(task - p->tasks.at);
    p->tasks.count--;
    memmove(task, task + 1, (p->tasks.count - i) * sizeof(*task));
    cpu->tasks--;
    go_idle(k, cpu);
}

/* NOTE: one CPU, not a set: the trace says who runs, so a choice would never be made. */
int kernel_affinity(struct kernel *k, struct cpu *cpu, uint64_t to)
{
    struct process *p = process_running(cpu);
    struct task *task = p && cpu->tid != TID_NONE ? task_find(p, (uint16_t)cpu->tid) : NULL;
    if (!task)
        return -LX_ESRCH;
    if (to >= k->cpu_count)
        return -LX_EINVAL;
    if (to == task->cpu)
        return 0;
    cpu->tasks--;
    task->cpu = (uint16_t)to;
    k->cpus[to].tasks++;
    EMIT(k->env, task_place, .id = p->pid, .tid = task->tid, .on = to);
    uint32_t tid = cpu->tid;
    go_idle(k, cpu);
    switch_to(k, &k->cpus[to], p, tid);
    return 0;
}

void sched_forget(struct kernel *k, struct process *p)
{
    for (size_t i = 0; i < p->tasks.count; i++)
        k->cpus[p->tasks.at[i].cpu].tasks--;
    arena_free(k->env->arena, p->tasks.at, p->tasks.capacity * sizeof(struct task));
    p->tasks = (struct tasks){0};
    for (unsigned i = 0; i < k->cpu_count; i++)
        if (k->cpus[i].current == p)
            k->cpus[i].current = NULL;
}

bool kernel_cpu(const struct kernel *k, unsigned i, struct cpu_info *info)
{
    if (i >= k->cpu_count)
        return false;
    const struct cpu *cpu = &k->cpus[i];
    *info = (struct cpu_info){.pid = cpu->current ? cpu->current->pid : 0,
                              .tid = cpu->current && cpu->tid != TID_NONE ? (uint16_t)cpu->tid : 0,
                              .loaded = cpu->mm ? cpu->mm->pid : 0,
                              .lazy = cpu->lazy,
                              .pcid = k->config.pcid && cpu->mm ? (uint16_t)(cpu->asid + 1) : 0,
                              .tasks = cpu->tasks};
    return true;
}
