/* machine.c: the parts wired together, and the one loop that joins them: access, fault, retry. */
#include "sim/machine.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

/* An access of a few bytes touches two pages, each of which may fault for a table and a copy, and
 * in a guest leave it for each table and the page; more retries than this mean that the kernel says
 * "retry" without having changed anything. (Reclaim leaves the pages of an access alone until it is
 * done.) */
#define RETRIES_MAX 64

/* ---- what a program can do ---- */

struct cpu *machine_cpu(struct machine *m)
{
    return &m->cpu[m->env.cpu];
}

enum fault_outcome machine_fault(struct machine *m, const struct mmu_fault *fault)
{
    if (!fault->exit.reason)
        return kernel_fault(m->kernel, machine_cpu(m), fault, &m->signal);
    bool handled = hypervisor_exit(m->hypervisor, &fault->exit);
    CHECK(handled);
    return FAULT_SPURIOUS;
}

int machine_access(struct machine *m, va_t va, void *buf, size_t n, enum access access)
{
    struct cpu *cpu = machine_cpu(m);
    struct mmu_fault fault;
    for (unsigned tries = 0; !mmu_access(cpu->mmu, va, buf, n, access, &fault); tries++) {
        CHECK(tries < RETRIES_MAX);
        if (machine_fault(m, &fault) >= FAULT_SIGNAL)
            return m->signal.signal;
    }
    if (m->hears)
        kernel_used(m->kernel, cpu, va, n);
    return 0;
}

int64_t machine_syscall(struct machine *m, uint64_t nr, const uint64_t arg[6])
{
    return kernel_syscall(m->kernel, machine_cpu(m), nr, arg);
}

/* An access of the allocator. What its own words cost is counted apart from the program's bytes
 * that it moves. */
static int allocator_access(struct program *p, va_t va, void *buf, size_t n, enum access access)
{
    struct machine *m = p->machine;
    if (p->heap && p->heap->in_payload)
        return machine_access(m, va, buf, n, access);
    const struct mmu_counters *now = mmu_counters_rare(machine_cpu(m)->mmu);
    const struct kernel_counters *k = kernel_counters(m->kernel);
    uint64_t misses = now->tlb[TLB_L1D].misses;
    uint64_t walks = now->walks;
    uint64_t faults = k->faults_minor + k->faults_major;
    int signal = machine_access(m, va, buf, n, access);
    m->counters.own_misses += now->tlb[TLB_L1D].misses - misses;
    m->counters.own_walks += now->walks - walks;
    m->counters.own_faults += k->faults_minor + k->faults_major - faults;
    return signal;
}

static int user_load(void *ctx, va_t from, void *to, size_t n)
{
    return allocator_access(ctx, from, to, n, ACCESS_READ);
}

static int user_store(void *ctx, va_t to, const void *from, size_t n)
{
    /* A store only reads its buffer; the MMU has one signature for both directions. */
    return allocator_access(ctx, to, (void *)(uintptr_t)from, n, ACCESS_WRITE);
}

static int64_t user_syscall(void *ctx, uint64_t nr, const uint64_t arg[6])
{
    struct program *p = ctx;
    return machine_syscall(p->machine, nr, arg);
}

static int user_peek(const void *ctx, va_t from, void *to, size_t n)
{
    const struct program *p = ctx;
    return machine_peek(p->machine, p->pid, from, to, n) ? 0 : -1;
}

bool machine_peek(const struct machine *m, uint16_t pid, va_t va, void *to, size_t n)
{
    struct mmu_regs regs;
    if (!kernel_regs(m->kernel, pid, &regs))
        return false;
    regs.eptp = 0; /* a guest's memory is its own, whether its EPT maps it yet or not */
    unsigned char *at = to;
    while (n) {
        struct walk walk;
        size_t part = min_u64(n, PAGE_SIZE - (va & PAGE_MASK));
        walk_read(m->ram, &regs, va, &walk);
        if (walk.present)
            ram_read(m->ram, walk.to.pa, at, part);
        else if (!kernel_peek_swap(m->kernel, pid, va, at, part))
            return false;
        va += part;
        at += part;
        n -= part;
    }
    return true;
}

/* The kernel would not hear of accesses by the short way. */
void machine_hears(struct machine *m)
{
    m->hears = true;
    for (size_t i = 0; i < m->programs; i++) {
        CHECK(!m->program[i]->heap);
        m->program[i]->user.hot = NULL;
    }
}

/* ---- programs ---- */

/* The C library's variables: in its data where libraries are laid out, at the distance that Debian
 * 12 has (main_arena 0x1d3c60); else in the last page of the program's own. */
#define LIBC_DATA 0x1d3b60u

static va_t data_place(const struct machine *m, uint16_t pid)
{
    const struct kernel_config *k = &m->config.kernel;
    struct area_info a;
    va_t in_libc = k->mmap_top + LIBC_DATA;
    if (kernel_area_at(m->kernel, pid, in_libc, &a) && (a.prot & LX_PROT_WRITE))
        return in_libc;
    va_t in_image = k->image_start + k->image_bytes - PAGE_SIZE;
    return kernel_area_at(m->kernel, pid, in_image, &a) && (a.prot & LX_PROT_WRITE) ? in_image : 0;
}

struct program *machine_find(const struct machine *m, uint16_t trace_pid)
{
    for (size_t i = 0; i < m->programs; i++)
        if (m->program[i]->trace_pid == trace_pid)
            return m->program[i];
    return NULL;
}

struct program *machine_find_pid(const struct machine *m, uint16_t pid)
{
    for (size_t i = 0; i < m->programs; i++)
        if (m->program[i]->pid == pid)
            return m->program[i];
    return NULL;
}

/* Room for one more: that of a dead one with the same number, or a new one. */
static struct program *program_room(struct machine *m, uint16_t trace_pid)
{
    struct program *p = machine_find(m, trace_pid);
    if (p) {
        heap_destroy(p->heap);
        *p = (struct program){.trace_pid = trace_pid};
        return p;
    }
    if (m->programs == PROGRAMS_MAX)
        return NULL;
    p = arena_alloc(m->env.arena, sizeof(*p));
    if (p)
        m->program[m->programs++] = p;
    return p;
}

static struct program *program_init(struct machine *m, struct program *p, uint16_t trace_pid,
                                    int64_t pid)
{
    p->machine = m;
    p->pid = (uint16_t)pid;
    p->trace_pid = trace_pid;
    p->dead = false;
    p->hot = mmu_hot(m->cpu[0].mmu);
    p->user = (struct user){p,         user_load, user_store,           user_syscall,
                            user_peek, &p->hot,   data_place(m, p->pid)};
    if (m->hears)
        p->user.hot = NULL;
    return p;
}

static struct program *program_new(struct machine *m, uint16_t trace_pid, int64_t *result)
{
    struct program *p = program_room(m, trace_pid);
    *result = p ? kernel_spawn(m->kernel, "program") : -LX_EAGAIN;
    if (!p)
        return NULL;
    if (!lx_failed(*result))
        return program_init(m, p, trace_pid, *result);
    arena_free(m->env.arena, p, sizeof(*p));
    m->programs--;
    return NULL;
}

/* ---- the start ---- */

static enum err no_memory(struct error *e)
{
    return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for the machine");
}

static bool become_guest(struct machine *m)
{
    m->hypervisor = hypervisor_new(&m->env, m->ram, &m->config.nested);
    if (!m->hypervisor)
        return false;
    for (unsigned i = 0; i < m->config.cpus; i++) {
        mmu_regs(m->cpu[i].mmu)->eptp = hypervisor_eptp(m->hypervisor);
        mmu_regs(m->cpu[i].mmu)->vpid = 1;
    }
    return true;
}

enum err machine_boot(struct machine *m, struct arena *arena, struct ram *ram, struct bus *bus,
                      const struct config *config, struct error *e)
{
    m->config = *config;
    m->config.kernel.reserved_frames = config->kernel_reserved / PAGE_SIZE;
    m->config.heap.cpus = config->cpus;
    m->ram = ram;
    m->env.bus = bus;
    m->env.arena = arena;
    m->env.rng.state = config->seed;
    m->cpu = arena_alloc(arena, config->cpus * sizeof(m->cpu[0]));
    m->gone = arena_alloc(arena, GONE_MAX * sizeof(m->gone[0]));
    if (!m->cpu || !m->gone)
        return no_memory(e);
    for (unsigned i = 0; i < config->cpus; i++) {
        m->cpu[i].id = i;
        m->cpu[i].mmu = mmu_new(&m->env, ram, &m->config.mmu);
        if (!m->cpu[i].mmu)
            return no_memory(e);
    }
    if (config->nested.on && !become_guest(m))
        return no_memory(e);
    m->kernel = kernel_new(&m->env, ram, m->cpu, config->cpus, &m->config.kernel, e);
    if (!m->kernel)
        return e && e->code ? e->code : no_memory(e);
    m->hears = kernel_hears(m->kernel);
    int64_t result;
    if (!program_new(m, 0, &result) || kernel_switch(m->kernel, &m->cpu[0], m->program[0]->pid))
        return error_set(e, ERR_VALUE, NULL, 0, "ram", "the first process cannot start: %s",
                         lx_errno_name(result));
    return ERR_NONE;
}

/* ---- processes ---- */

/* What the kernel does not know of: the child's heap and blocks. false: no memory. */
static bool fork_heap(struct machine *m, const struct program *parent, struct program *child)
{
    if (parent->heap) {
        child->heap = heap_fork(parent->heap, &child->user);
        if (!child->heap)
            return false;
    }
    if (!block_fork(m, parent->pid, child->pid))
        return false;
    uint16_t before = m->env.pid;
    m->env.pid = child->pid;
    EMIT(&m->env, heap_fork, .parent = parent->pid);
    m->env.pid = before;
    return true;
}

int64_t machine_fork(struct machine *m, struct program *parent, uint16_t trace_pid)
{
    static const uint64_t nothing[6];
    struct program *child = machine_find(m, trace_pid);
    if (child && !child->dead)
        return -LX_EEXIST;
    child = program_room(m, trace_pid);
    if (!child)
        return -LX_EAGAIN;
    child->trace_pid = trace_pid;
    child->dead = true; /* until it is whole */
    int64_t pid = machine_syscall(m, LX_NR_fork, nothing);
    if (lx_failed(pid))
        return pid;
    program_init(m, child, trace_pid, pid);
    if (fork_heap(m, parent, child))
        return 0;
    machine_exit(m, child);
    return -LX_ENOMEM;
}

void machine_exit(struct machine *m, struct program *p)
{
    block_remove_all(m, p->pid);
    if (p->heap)
        heap_end(p->heap);
    kernel_exit(m->kernel, machine_cpu(m), p->pid);
    p->dead = true;
    EMIT(&m->env, heap_gone, .id = p->pid);
}

struct program *machine_program(struct machine *m, uint16_t trace_pid, uint16_t tid,
                                int64_t *result)
{
    struct program *p = machine_find(m, trace_pid);
    if (!p && m->programs == 1 && m->counters.ops == 0) {
        p = m->program[0]; /* the first process is the one that the trace begins with */
        p->trace_pid = trace_pid;
    }
    if (!p)
        p = program_new(m, trace_pid, result);
    if (!p)
        return NULL;
    struct cpu *cpu;
    *result = p->dead ? -LX_ESRCH : kernel_run(m->kernel, p->pid, tid, &cpu);
    p->dead = *result == -LX_ESRCH;
    if (*result)
        return NULL;
    p->hot = mmu_hot(cpu->mmu);
    return p;
}

struct heap *machine_heap(struct machine *m, struct program *p)
{
    if (!p->heap)
        p->heap = heap_new(&m->env, &p->user, alloc_find(m->config.alloc), &m->config.heap);
    return p->heap;
}
