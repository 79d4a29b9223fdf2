/* kernel_rig.h: a whole machine without sim/: RAM, one CPU, the kernel, a process, and what a
 * program does: loads, stores, system calls. For the tests of kernel/.
 */
#ifndef MEMWALK_TESTS_KERNEL_RIG_H
#define MEMWALK_TESTS_KERNEL_RIG_H

#include "kernel/kernel.h"
#include "sim/base/arena.h"
#include "tests/test.h"

#include <string.h>

#define RIG_CPUS 2u

struct rig {
    struct bus bus;
    struct arena *arena;
    struct env *env;
    struct ram *ram;
    struct cpu *cpu; /* RIG_CPUS of them; programs run on the first */
    struct kernel *k;
    struct lx_siginfo signal; /* what the last load or store got */
    uint64_t faults;          /* minor ones of the last load or store */
    uint64_t reads;           /* major ones */
};

static const struct mmu_config rig_mmu = {
    .tlb = {{.sets = 16, .ways = 4, .hit_cycles = 1}, {.sets = 128, .ways = 12, .hit_cycles = 7}},
    .psc_entries = {[2] = 32, [3] = 4, [4] = 2},
    .walk_read_cycles = 14,
    .data_cycles = 4,
    .maxphyaddr = 46,
    .front_cache = true,
};

static inline struct kernel_config rig_config(void)
{
    return (struct kernel_config){
        .image_start = 0x555555554000,
        .image_bytes = 0x8000,
        .heap_start = 0x55555555c000,
        .mmap_top = 0x7ffff5e4d000,
        .stack_top = 0x7ffffffff000,
        .stack_bytes = 132 * KIB,
        .stack_limit = 8 * MIB,
        .ram_claim = 24105 * MIB,
        .max_areas = 65530,
        .reserved_frames = 512,
        .syscall_cycles = 150,
        .fault_cycles = 1000,
        .zero_cycles = 128,
        .entry_cycles = 4,
        .rlimit_as = UINT64_MAX,
        .rlimit_data = UINT64_MAX,
        .ipi_send_cycles = 300,
        .ipi_handle_cycles = 1200,
        .reclaim_tick = 100,
    };
}

/* Everything but the kernel. */
static inline void rig_hardware(struct rig *r, uint64_t ram_bytes)
{
    *r = (struct rig){.arena = arena_new(4 * GIB)};
    ck_assert_ptr_nonnull(r->arena);
    r->env = arena_alloc(r->arena, sizeof(*r->env));
    *r->env = (struct env){.bus = &r->bus, .arena = r->arena, .rng = {1}};
    r->ram = ram_new(ram_bytes);
    r->cpu = arena_alloc(r->arena, RIG_CPUS * sizeof(struct cpu));
    for (unsigned i = 0; i < RIG_CPUS; i++)
        r->cpu[i] = (struct cpu){.id = i, .mmu = mmu_new(r->env, r->ram, &rig_mmu)};
}

static inline void rig_open(struct rig *r, uint64_t ram_bytes, const struct kernel_config *config)
{
    rig_hardware(r, ram_bytes);
    struct error error = {0};
    r->k = kernel_new(r->env, r->ram, r->cpu, RIG_CPUS, config, &error);
    ck_assert_msg(r->k, "kernel_new: %s", error.reason);
    ck_assert_int_eq(kernel_spawn(r->k, "test"), 1);
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], 1), 0);
}

static inline void rig_close(struct rig *r)
{
    ram_destroy(r->ram);
    arena_destroy(r->arena);
}

static inline void rig_check(const struct rig *r)
{
    char why[200] = "";
    ck_assert_msg(kernel_check(r->k, why, sizeof(why)), "%s", why);
}

static inline int64_t rig_call(struct rig *r, uint64_t nr, uint64_t a, uint64_t b, uint64_t c,
                               uint64_t d, uint64_t e)
{
    const uint64_t arg[6] = {a, b, c, d, e, 0};
    return kernel_syscall(r->k, &r->cpu[0], nr, arg);
}

static inline int64_t rig_mmap(struct rig *r, va_t at, uint64_t length, uint32_t prot,
                               uint32_t flags)
{
    const uint64_t arg[6] = {at, length, prot, flags | LX_MAP_ANONYMOUS, UINT64_MAX, 0};
    return kernel_syscall(r->k, &r->cpu[0], LX_NR_mmap, arg);
}

static inline int64_t rig_map(struct rig *r, uint64_t length)
{
    return rig_mmap(r, 0, length, LX_PROT_READ | LX_PROT_WRITE, LX_MAP_PRIVATE);
}

static inline va_t rig_brk(struct rig *r, va_t to)
{
    return (va_t)rig_call(r, LX_NR_brk, to, 0, 0, 0, 0);
}

/* One access, retried as long as the kernel says so; false: a signal. */
static inline bool rig_access(struct rig *r, va_t va, void *buf, size_t n, enum access how)
{
    struct mmu_fault fault;
    r->faults = r->reads = 0;
    r->signal = (struct lx_siginfo){0};
    while (!mmu_access(r->cpu[0].mmu, va, buf, n, how, &fault)) {
        enum fault_outcome outcome = kernel_fault(r->k, &r->cpu[0], &fault, &r->signal);
        if (outcome >= FAULT_SIGNAL)
            return false;
        r->faults += outcome == FAULT_MINOR;
        r->reads += outcome == FAULT_MAJOR;
        ck_assert_uint_lt(r->faults + r->reads, 10);
    }
    if (kernel_hears(r->k))
        kernel_used(r->k, &r->cpu[0], va, n);
    return true;
}

static inline bool rig_store(struct rig *r, va_t va, uint8_t byte)
{
    return rig_access(r, va, &byte, 1, ACCESS_WRITE);
}

/* The byte, or -1: a signal. */
static inline int rig_load(struct rig *r, va_t va)
{
    uint8_t byte = 0;
    return rig_access(r, va, &byte, 1, ACCESS_READ) ? byte : -1;
}

static inline struct process_info rig_process(const struct rig *r, uint16_t pid)
{
    struct process_info info;
    ck_assert(kernel_process(r->k, pid, &info));
    return info;
}

#endif
