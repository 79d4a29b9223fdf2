/* test_reclaim.c: evicted pages come back with their bytes, everything is counted, nothing is lost.
 */
#include "kernel/pgtable.h"
#include "kernel/policies.h"
#include "kernel/swap.h"
#include "tests/kernel_rig.h"
#include "tests/test.h"

#define READ_WRITE (LX_PROT_READ | LX_PROT_WRITE)

static struct kernel_config small_config(uint64_t frames, uint32_t policy)
{
    struct kernel_config config = rig_config();
    config.swap_bytes = 4 * MIB;
    config.frames_limit = frames;
    config.reclaim_policy = policy;
    config.swap_read_cycles = 1000;
    config.swap_write_cycles = 3000;
    return config;
}

static uint32_t policy_number(const char *name)
{
    for (uint32_t i = 0; i < RECLAIM_POLICIES; i++)
        if (strcmp(reclaim_table[i]->name, name) == 0)
            return i;
    ck_abort_msg("no policy %s", name);
}

static void small_open(struct rig *r, uint64_t frames, const char *policy)
{
    struct kernel_config config = small_config(frames, policy_number(policy));
    rig_open(r, 64 * MIB, &config);
}

static int64_t advise(struct rig *r, va_t va, uint64_t pages, uint64_t advice)
{
    return rig_call(r, LX_NR_madvise, va, pages * PAGE_SIZE, advice, 0, 0);
}

static bool in_memory(const struct rig *r, va_t va)
{
    return kernel_mincore(r->k, 1, va) == 1;
}

static pte_t entry_of(const struct rig *r, va_t va)
{
    struct mmu_regs regs;
    struct walk walk;
    ck_assert(kernel_regs(r->k, 1, &regs));
    walk_read(r->ram, &regs, va, &walk);
    return walk.step[walk.steps - 1].entry;
}

/* All is given back when the last process is gone. */
static void ends_empty(struct rig *r)
{
    struct memory_info memory;
    rig_check(r);
    kernel_exit(r->k, &r->cpu[0], 1);
    rig_check(r);
    kernel_memory(r->k, &memory);
    ck_assert_uint_eq(memory.anon + memory.shared, 0);
    ck_assert_uint_eq(memory.swap_used, 0);
    ck_assert_uint_eq(memory.swap_cached, 0);
    rig_close(r);
}

/* ---- contents ---- */

#define PAGES 24u

struct program {
    struct rig r;
    va_t base;
    int byte[PAGES]; /* what the program must read; -1: either that or 0 (given up) */
    int old[PAGES];
    struct rng rng;
};

static void step(struct program *p)
{
    struct rig *r = &p->r;
    uint32_t i = rng_below(&p->rng, PAGES), n = 1 + rng_below(&p->rng, 4);
    va_t va = p->base + i * PAGE_SIZE;
    n = (uint32_t)min_u64(n, PAGES - i);
    switch (rng_below(&p->rng, 12)) {
    case 0:
        ck_assert_int_eq(advise(r, va, n, LX_MADV_DONTNEED), 0);
        memset(&p->byte[i], 0, n * sizeof(p->byte[0]));
        break;
    case 1:
        ck_assert_int_eq(advise(r, va, n, LX_MADV_PAGEOUT), 0);
        break;
    case 2:
        ck_assert_int_eq(advise(r, va, n, LX_MADV_COLD), 0);
        break;
    case 3:
        ck_assert_int_eq(advise(r, va, n, LX_MADV_WILLNEED), 0);
        break;
    case 4:
        ck_assert_int_eq(advise(r, va, n, LX_MADV_FREE), 0);
        for (uint32_t j = i; j < i + n; j++) {
            p->old[j] = p->byte[j] < 0 ? p->old[j] : p->byte[j];
            p->byte[j] = -1;
        }
        break;
    case 5:
        rig_call(r, LX_NR_mprotect, va, n * PAGE_SIZE, LX_PROT_NONE, 0, 0);
        ck_assert_int_eq(rig_load(r, va), -1);
        rig_call(r, LX_NR_mprotect, va, n * PAGE_SIZE, READ_WRITE, 0, 0);
        break;
    case 6:
    case 7:
    case 8: {
        int got = rig_load(r, va);
        if (p->byte[i] < 0)
            ck_assert(got == 0 || got == p->old[i]);
        else
            ck_assert_int_eq(got, p->byte[i]);
        break;
    }
    default:
        p->byte[i] = 1 + (int)rng_below(&p->rng, 255);
        ck_assert(rig_store(r, va, (uint8_t)p->byte[i]));
    }
}

/* Moves all of it to another place and back: entries that name slots move too. */
static void move(struct program *p)
{
    va_t other = p->base - 256 * PAGE_SIZE;
    for (unsigned back = 0; back < 2; back++) {
        int64_t to = rig_call(&p->r, LX_NR_mremap, back ? other : p->base, PAGES * PAGE_SIZE,
                              PAGES * PAGE_SIZE, LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED,
                              back ? p->base : other);
        ck_assert_int_eq(to, (int64_t)(back ? p->base : other));
        rig_check(&p->r);
    }
}

START_TEST(contents_survive)
{
    struct program p = {.rng = {(uint64_t)_i + 5}};
    small_open(&p.r, 3 + (uint64_t)_i % 7, kernel_reclaim_name((uint64_t)_i));
    p.base = (va_t)rig_map(&p.r, PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < 1500; i++) {
        step(&p);
        if (i % 50 == 0)
            rig_check(&p.r);
        if (i % 500 == 250)
            move(&p);
    }
    ck_assert_uint_gt(kernel_counters(p.r.k)->pages_evicted, 100);
    ends_empty(&p.r);
}
END_TEST

/* ---- families ---- */

#define FAMILY 4u

struct member {
    uint16_t pid; /* 0: not born */
    uint8_t byte[PAGES];
};

static void run_as(struct rig *r, const struct member *m)
{
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], m->pid), 0);
}

static void fork_into(struct rig *r, const struct member *parent, struct member *child)
{
    int64_t pid = rig_call(r, LX_NR_fork, 0, 0, 0, 0, 0);
    ck_assert_int_gt(pid, 0);
    *child = *parent;
    child->pid = (uint16_t)pid;
}

static void family_step(struct rig *r, struct member family[FAMILY], va_t base, struct rng *rng)
{
    struct member *m = &family[rng_below(rng, FAMILY)];
    struct member *other = &family[1 + rng_below(rng, FAMILY - 1)];
    uint32_t i = rng_below(rng, PAGES);
    va_t va = base + i * PAGE_SIZE;
    if (!m->pid)
        return;
    run_as(r, m);
    switch (rng_below(rng, 10)) {
    case 0:
        if (!other->pid)
            fork_into(r, m, other);
        else if (other != m) {
            kernel_exit(r->k, &r->cpu[0], other->pid);
            other->pid = 0;
        }
        break;
    case 1:
        advise(r, va, min_u64(4, PAGES - i), LX_MADV_PAGEOUT);
        break;
    case 2:
        advise(r, va, min_u64(4, PAGES - i), LX_MADV_WILLNEED);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        ck_assert_int_eq(rig_load(r, va), m->byte[i]);
        break;
    default:
        m->byte[i] = (uint8_t)(1 + rng_below(rng, 255));
        ck_assert(rig_store(r, va, m->byte[i]));
    }
}

/* Pages that parents and children share go to swap as one and come back to each by itself; what
 * one writes no other sees. */
START_TEST(families)
{
    struct rig r;
    struct rng rng = {(uint64_t)_i + 77};
    struct member family[FAMILY] = {{.pid = 1}};
    small_open(&r, 4 + (uint64_t)_i % 5, kernel_reclaim_name((uint64_t)_i));
    va_t base = (va_t)rig_map(&r, PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < 3000; i++) {
        family_step(&r, family, base, &rng);
        if (i % 50 == 0)
            rig_check(&r);
    }
    ck_assert_uint_gt(kernel_counters(r.k)->pages_evicted, 100);
    for (unsigned i = 1; i < FAMILY; i++)
        if (family[i].pid)
            kernel_exit(r.k, &r.cpu[0], family[i].pid);
    ends_empty(&r);
}
END_TEST

/* One frame shared by two, one slot named by two; the copy is made where it is written. */
START_TEST(shared_slot)
{
    struct rig r;
    struct member family[2] = {{.pid = 1}};
    struct swap_info slot;
    small_open(&r, 1, "fifo");
    va_t va = (va_t)rig_map(&r, 2 * PAGE_SIZE);
    ck_assert(rig_store(&r, va, 5));
    fork_into(&r, &family[0], &family[1]);
    ck_assert(rig_store(&r, va + PAGE_SIZE, 6)); /* there is one frame: the shared page goes */
    ck_assert(kernel_swap_slot(r.k, 0, &slot) && slot.used);
    ck_assert_uint_eq(slot.refs, 2);
    ck_assert_uint_eq(kernel_counters(r.k)->swap_writes, 1);
    run_as(&r, &family[1]);
    ck_assert_int_eq(rig_load(&r, va), 5);
    ck_assert(kernel_swap_slot(r.k, 0, &slot));
    ck_assert(slot.refs == 1 && slot.pfn != PFN_NONE);
    rig_check(&r);
    run_as(&r, &family[0]);
    ck_assert_int_eq(rig_load(&r, va), 5); /* found in the swap cache */
    ck_assert(r.faults == 1 && r.reads == 0);
    kernel_exit(r.k, &r.cpu[0], family[1].pid);
    ck_assert(rig_store(&r, va, 7)); /* nobody else has it: no copy, and no second frame */
    ck_assert_int_eq(rig_load(&r, va), 7);
    ends_empty(&r);
}
END_TEST

/* ---- shared memory ---- */

/* One object shown twice; its pages go and come back under both names. */
START_TEST(shared_objects)
{
    struct rig r;
    small_open(&r, 4, "fifo");
    va_t a = (va_t)rig_mmap(&r, 0, 8 * PAGE_SIZE, READ_WRITE, LX_MAP_SHARED);
    va_t b = (va_t)rig_call(&r, LX_NR_mremap, a, 0, 8 * PAGE_SIZE, LX_MREMAP_MAYMOVE, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 8; i++) {
            ck_assert(rig_store(&r, a + i * PAGE_SIZE, (uint8_t)(10 * round + i + 1)));
            ck_assert_int_eq(rig_load(&r, b + i * PAGE_SIZE), (int)(10 * round + i + 1));
            rig_check(&r);
        }
        ck_assert_int_eq(in_memory(&r, a), false);
        ck_assert_int_eq(in_memory(&r, a + 7 * PAGE_SIZE), true);
        for (unsigned i = 0; i < 8; i++)
            ck_assert_int_eq(rig_load(&r, (i % 2 ? a : b) + i * PAGE_SIZE),
                             (int)(10 * round + i + 1));
    }
    ck_assert_int_eq(advise(&r, a, 4, LX_MADV_REMOVE), 0);
    ck_assert_int_eq(rig_load(&r, b), 0);
    rig_check(&r);
    rig_call(&r, LX_NR_munmap, a, 8 * PAGE_SIZE, 0, 0, 0);
    ck_assert_int_eq(rig_load(&r, b + 6 * PAGE_SIZE), 27);
    ends_empty(&r);
}
END_TEST

/* ---- huge pages ---- */

/* A huge page is split when one of its pages must go, also where parent and child share it. */
START_TEST(huge_pages_are_split)
{
    struct rig r;
    struct kernel_config config = small_config(700, policy_number(_i ? "two-list" : "fifo"));
    config.thp = THP_ALWAYS;
    rig_open(&r, 64 * MIB, &config);
    va_t va = (va_t)rig_mmap(&r, 0, 4 * MIB, READ_WRITE, LX_MAP_PRIVATE);
    for (unsigned i = 0; i < 512; i++)
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, (uint8_t)(i + 1)));
    ck_assert_uint_eq(rig_process(&r, 1).huge, 1);
    rig_check(&r);
    int64_t child = _i == 2 ? rig_call(&r, LX_NR_fork, 0, 0, 0, 0, 0) : 0;
    for (unsigned i = 512; i < 1024; i++) /* no room for a second huge one: small pages */
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, (uint8_t)(i + 1)));
    ck_assert_uint_eq(rig_process(&r, 1).huge, 0);
    ck_assert_uint_gt(kernel_counters(r.k)->huge_splits, 0);
    rig_check(&r);
    for (unsigned i = 0; i < 1024; i++)
        ck_assert_int_eq(rig_load(&r, va + i * PAGE_SIZE), (uint8_t)(i + 1));
    if (child) {
        ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], (uint16_t)child), 0);
        for (unsigned i = 0; i < 512; i++)
            ck_assert_int_eq(rig_load(&r, va + i * PAGE_SIZE), (uint8_t)(i + 1));
        rig_check(&r);
        kernel_exit(r.k, &r.cpu[0], (uint16_t)child);
    }
    ends_empty(&r);
}
END_TEST

/* ---- what is written, and what is not ---- */

START_TEST(only_dirty_pages_are_written)
{
    struct rig r;
    small_open(&r, 0, "fifo");
    const struct kernel_counters *c = kernel_counters(r.k);
    va_t va = (va_t)rig_map(&r, PAGE_SIZE);
    ck_assert(rig_store(&r, va, 7));
    advise(&r, va, 1, LX_MADV_PAGEOUT);
    ck_assert_uint_eq(c->swap_writes, 1);
    ck_assert_int_eq(in_memory(&r, va), false);
    ck_assert_int_eq(rig_load(&r, va), 7); /* read: the slot stays good */
    ck_assert_uint_eq(r.reads, 1);
    advise(&r, va, 1, LX_MADV_PAGEOUT);
    ck_assert_uint_eq(c->swap_writes, 1);
    ck_assert_uint_eq(c->pages_clean, 1);
    ck_assert_int_eq(rig_load(&r, va), 7);
    ck_assert(rig_store(&r, va, 8)); /* dirty again */
    ck_assert_uint_eq(r.faults + r.reads, 0);
    advise(&r, va, 1, LX_MADV_PAGEOUT);
    ck_assert_uint_eq(c->swap_writes, 2);
    ck_assert_int_eq(rig_load(&r, va), 8);
    ends_empty(&r);
}
END_TEST

START_TEST(zeroes_take_no_write)
{
    struct rig r;
    small_open(&r, 0, "fifo");
    va_t va = (va_t)rig_map(&r, PAGE_SIZE);
    ck_assert(rig_store(&r, va, 7) && rig_store(&r, va, 0));
    advise(&r, va, 1, LX_MADV_PAGEOUT);
    ck_assert_uint_eq(kernel_counters(r.k)->swap_writes, 0);
    ck_assert_int_eq(in_memory(&r, va), false);
    struct swap_info slot;
    ck_assert(kernel_swap_slot(r.k, 0, &slot) && slot.used && !slot.bytes);
    ck_assert_uint_eq(slot.refs, 1);
    ck_assert_int_eq(rig_load(&r, va), 0);
    ends_empty(&r);
}
END_TEST

/* Bits 59 to 63: the type, 0. Bits 9 to 58: the slot, inverted. The rest 0. */
START_TEST(entry_as_in_linux)
{
    struct rig r;
    small_open(&r, 0, "fifo");
    va_t va = (va_t)rig_map(&r, 3 * PAGE_SIZE);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, 1));
    advise(&r, va, 3, LX_MADV_PAGEOUT);
    ck_assert_uint_eq(entry_of(&r, va), UINT64_C(0x07fffffffffffe00));
    ck_assert_uint_eq(entry_of(&r, va + PAGE_SIZE), UINT64_C(0x07fffffffffffc00));
    ck_assert_uint_eq(pte_swap_slot(entry_of(&r, va + 2 * PAGE_SIZE)), 2);
    ck_assert(!pte_swapped(PTE_GUARD) && !pte_swapped(0) && !pte_swapped(PTE_NONE | PTE_XD));
    ends_empty(&r);
}
END_TEST

START_TEST(guards_stay_guards)
{
    struct rig r;
    small_open(&r, 0, "fifo");
    va_t va = (va_t)rig_map(&r, 3 * PAGE_SIZE);
    ck_assert(rig_store(&r, va, 1) && rig_store(&r, va + 2 * PAGE_SIZE, 3));
    advise(&r, va, 3, LX_MADV_PAGEOUT);
    ck_assert_int_eq(advise(&r, va + PAGE_SIZE, 1, LX_MADV_GUARD_INSTALL), 0);
    ck_assert_int_eq(rig_load(&r, va + PAGE_SIZE), -1);
    ck_assert_int_eq(advise(&r, va, 3, LX_MADV_GUARD_REMOVE), 0);
    ck_assert_int_eq(rig_load(&r, va), 1); /* entries that name slots are none of its business */
    ck_assert_int_eq(rig_load(&r, va + PAGE_SIZE), 0);
    ck_assert_int_eq(rig_load(&r, va + 2 * PAGE_SIZE), 3);
    ends_empty(&r);
}
END_TEST

START_TEST(willneed_makes_faults_minor)
{
    struct rig r;
    small_open(&r, 0, "fifo");
    va_t va = (va_t)rig_map(&r, 2 * PAGE_SIZE);
    ck_assert(rig_store(&r, va, 5) && rig_store(&r, va + PAGE_SIZE, 6));
    advise(&r, va, 2, LX_MADV_PAGEOUT);
    advise(&r, va, 1, LX_MADV_WILLNEED);
    rig_check(&r);
    ck_assert_int_eq(rig_load(&r, va), 5);
    ck_assert(r.faults == 1 && r.reads == 0);
    ck_assert_int_eq(rig_load(&r, va + PAGE_SIZE), 6);
    ck_assert(r.faults == 0 && r.reads == 1);
    advise(&r, va, 2, LX_MADV_PAGEOUT);
    advise(&r, va, 2, LX_MADV_WILLNEED); /* and never touched: goes with the process */
    ends_empty(&r);
}
END_TEST

START_TEST(lazy_pages_need_no_slot)
{
    struct rig r;
    small_open(&r, 2, "fifo");
    va_t va = (va_t)rig_map(&r, 4 * PAGE_SIZE);
    ck_assert(rig_store(&r, va, 5) && rig_store(&r, va + PAGE_SIZE, 6));
    advise(&r, va, 1, LX_MADV_FREE);
    ck_assert(rig_store(&r, va + 2 * PAGE_SIZE, 7));
    ck_assert_uint_eq(kernel_counters(r.k)->pages_dropped, 1);
    ck_assert_uint_eq(kernel_counters(r.k)->pages_evicted, 0);
    ck_assert_int_eq(rig_load(&r, va), 0);
    ends_empty(&r);
}
END_TEST

/* ---- what may not go ---- */

START_TEST(locked_pages_stay)
{
    struct rig r;
    small_open(&r, 4, "lru");
    va_t va = (va_t)rig_map(&r, 16 * PAGE_SIZE);
    ck_assert_int_eq(rig_call(&r, LX_NR_mlock, va, 2 * PAGE_SIZE, 0, 0, 0), 0);
    for (unsigned i = 0; i < 16; i++)
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, 1));
    ck_assert(in_memory(&r, va) && in_memory(&r, va + PAGE_SIZE));
    ck_assert_uint_eq(rig_process(&r, 1).resident, 4);
    ck_assert_int_eq(rig_call(&r, LX_NR_munlock, va, 2 * PAGE_SIZE, 0, 0, 0), 0);
    for (unsigned i = 8; i < 16; i++)
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, 1));
    ck_assert(!in_memory(&r, va) && !in_memory(&r, va + PAGE_SIZE));
    ends_empty(&r);
}
END_TEST

/* Two frames are enough for an access across two pages, whatever the policy; one is not. */
START_TEST(access_across_pages)
{
    struct rig r;
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, got[8];
    const char *policy = kernel_reclaim_name((uint64_t)_i);
    small_open(&r, 2, policy);
    va_t va = (va_t)rig_map(&r, 4 * PAGE_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        va_t at = va + (i % 3) * PAGE_SIZE + PAGE_SIZE - 4;
        ck_assert(rig_access(&r, at, bytes, 8, ACCESS_WRITE));
        ck_assert(rig_access(&r, at, got, 8, ACCESS_READ));
        ck_assert_mem_eq(bytes, got, 8);
    }
    ends_empty(&r);
    small_open(&r, 1, policy);
    va = (va_t)rig_map(&r, 4 * PAGE_SIZE);
    ck_assert(!rig_access(&r, va + PAGE_SIZE - 4, bytes, 8, ACCESS_WRITE));
    ck_assert_int_eq(r.signal.signal, LX_SIGKILL);
    ends_empty(&r);
}
END_TEST

/* ---- watermarks ---- */

START_TEST(marks)
{
    struct rig r;
    struct memory_info memory;
    struct kernel_config config = small_config(0, 0);
    config.swap_bytes = 16 * MIB;
    rig_open(&r, 8 * MIB, &config);
    kernel_memory(r.k, &memory);
    /* 1536 frames are the kernel's to manage: the root of 6144 KiB times 16 is 313 KiB. */
    ck_assert_uint_eq(memory.mark_min, 78);
    ck_assert_uint_eq(memory.mark_low, 78 + 19);
    ck_assert_uint_eq(memory.mark_high, 78 + 19 + 19);
    va_t va = (va_t)rig_map(&r, 2000 * PAGE_SIZE);
    for (unsigned i = 0; i < 2000; i++) {
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, 1));
        kernel_memory(r.k, &memory);
        ck_assert_uint_ge(memory.free, memory.mark_low);
    }
    const struct kernel_counters *c = kernel_counters(r.k);
    ck_assert_uint_gt(c->reclaim_runs[RECLAIM_KSWAPD], 10);
    ck_assert_uint_eq(c->reclaim_runs[RECLAIM_DIRECT], 0);
    ck_assert_uint_eq(c->pages_freed_by[RECLAIM_KSWAPD], memory.swap_used);
    ck_assert_uint_gt(c->cycles_reclaim, c->swap_writes * config.swap_write_cycles - 1);
    for (unsigned i = 0; i < 2000; i++)
        ck_assert_int_eq(rig_load(&r, va + i * PAGE_SIZE), 1);
    ends_empty(&r);
}
END_TEST

/* A call that wants much at once gets below the min mark and must reclaim itself. */
START_TEST(direct_reclaim)
{
    struct rig r;
    struct kernel_config config = small_config(0, 0);
    config.swap_bytes = 16 * MIB;
    rig_open(&r, 8 * MIB, &config);
    va_t va = (va_t)rig_map(&r, 2000 * PAGE_SIZE);
    ck_assert_int_eq(advise(&r, va, 2000, LX_MADV_POPULATE_WRITE), 0);
    const struct kernel_counters *c = kernel_counters(r.k);
    ck_assert_uint_gt(c->reclaim_runs[RECLAIM_DIRECT], 10);
    ck_assert_uint_eq(c->pages_freed_by[RECLAIM_DIRECT], 32 * c->reclaim_runs[RECLAIM_DIRECT]);
    ends_empty(&r);
}
END_TEST

/* ---- out of memory ---- */

START_TEST(largest_process_dies)
{
    struct rig r;
    struct kernel_config config = small_config(40, 0);
    config.swap_bytes = 0;
    rig_open(&r, 64 * MIB, &config);
    ck_assert_int_eq(kernel_spawn(r.k, "large"), 2);
    for (unsigned pid = 2; pid >= 1; pid--) {
        ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], (uint16_t)pid), 0);
        va_t va = (va_t)rig_map(&r, 64 * PAGE_SIZE);
        for (unsigned i = 0; i < (pid == 2 ? 30 : 20); i++)
            ck_assert(rig_store(&r, va + i * PAGE_SIZE, 1));
    }
    ck_assert(rig_process(&r, 2).killed && !rig_process(&r, 1).killed);
    const char *report = kernel_oom_report(r.k);
    ck_assert_ptr_nonnull(strstr(report, "test invoked oom-killer: "));
    ck_assert_ptr_nonnull(strstr(report, "Memory cgroup out of memory: Killed process 2 (large) "));
    ck_assert_ptr_nonnull(strstr(report, "anon-rss:120kB"));
    ends_empty(&r);
}
END_TEST

START_TEST(report_tells_kinds_apart)
{
    struct rig r;
    struct kernel_config config = small_config(12, 0);
    config.swap_bytes = 0;
    rig_open(&r, 64 * MIB, &config);
    va_t shared = (va_t)rig_mmap(&r, 0, 8 * PAGE_SIZE, READ_WRITE, LX_MAP_SHARED);
    va_t own = (va_t)rig_map(&r, 8 * PAGE_SIZE);
    for (unsigned i = 0; i < 8; i++)
        ck_assert(rig_store(&r, shared + i * PAGE_SIZE, 1));
    for (unsigned i = 0; rig_store(&r, own + i * PAGE_SIZE, 1); i++)
        ck_assert_uint_lt(i, 5);
    const char *report = kernel_oom_report(r.k);
    ck_assert_msg(strstr(report, "anon-rss:16kB, file-rss:0kB, shmem-rss:32kB"), "%s", report);
    ends_empty(&r);
}
END_TEST

START_TEST(adjusted_badness)
{
    struct rig r;
    struct kernel_config config = small_config(2000, 0);
    config.swap_bytes = 0;
    rig_open(&r, 64 * MIB, &config);
    ck_assert_int_eq(kernel_spawn(r.k, "other"), 2);
    ck_assert_int_eq(kernel_oom_score_adj(r.k, 3, 0), -LX_ESRCH);
    ck_assert_int_eq(kernel_oom_score_adj(r.k, 1, 1001), -LX_EINVAL);
    ck_assert_int_eq(kernel_oom_score_adj(r.k, 1, -1000), 0); /* never */
    va_t va = (va_t)rig_map(&r, 3000 * PAGE_SIZE);
    for (unsigned i = 0; i < 2000; i++)
        ck_assert(rig_store(&r, va + i * PAGE_SIZE, 1));
    ck_assert(!rig_store(&r, va + 2000 * PAGE_SIZE, 1)); /* the other had nothing to free */
    ck_assert(rig_process(&r, 2).killed);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* ---- failing allocations ---- */

/* A process that lives through all of it; false: it failed somewhere. */
static bool small_life(struct rig *r)
{
    va_t va = (va_t)rig_map(r, 12 * PAGE_SIZE);
    va_t shared = (va_t)rig_mmap(r, 0, 4 * PAGE_SIZE, READ_WRITE, LX_MAP_SHARED);
    if (lx_failed((int64_t)va) || lx_failed((int64_t)shared))
        return false;
    for (unsigned i = 0; i < 24; i++) {
        if (!rig_store(r, va + i * 5 % 12 * PAGE_SIZE, (uint8_t)(i + 1)) ||
            !rig_store(r, shared + i % 4 * PAGE_SIZE, (uint8_t)(i + 1)))
            return false;
        if (i == 12 &&
            lx_failed(rig_call(r, LX_NR_mremap, shared, 0, 4 * PAGE_SIZE, LX_MREMAP_MAYMOVE, 0)))
            return false;
    }
    advise(r, va, 12, LX_MADV_PAGEOUT);
    advise(r, va, 12, LX_MADV_WILLNEED);
    for (unsigned i = 12; i < 24; i++)
        if (rig_load(r, va + i * 5 % 12 * PAGE_SIZE) != (int)i + 1)
            return false;
    return true;
}

static bool born_and_gone(struct rig *r)
{
    int64_t pid = kernel_spawn(r->k, "short");
    if (lx_failed(pid))
        return false;
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], (uint16_t)pid), 0);
    bool good = small_life(r);
    kernel_exit(r->k, &r->cpu[0], (uint16_t)pid);
    return good;
}

START_TEST(nth_allocation_fails)
{
    struct rig r;
    unsigned failures = 0;
    small_open(&r, 5, "clock");
    ck_assert(born_and_gone(&r)); /* so that lists have their size */
    uint64_t free = kernel_frames_free(r.k), used = arena_used(r.arena);
    for (uint64_t n = 1; n < 160; n++) {
        arena_fail_at(r.arena, n);
        failures += !born_and_gone(&r);
        arena_fail_at(r.arena, 0);
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        ck_assert_uint_eq(arena_used(r.arena), used);
    }
    ck_assert_uint_gt(failures, 10); /* and the last ones came through */
    ck_assert_uint_lt(failures, 150);
    ends_empty(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reclaim");
    TCase *all = tcase_create("reclaim");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, contents_survive, 0, (int)RECLAIM_POLICIES - 1); /* all but opt */
    tcase_add_loop_test(all, families, 0, (int)RECLAIM_POLICIES - 1);
    tcase_add_test(all, shared_slot);
    tcase_add_loop_test(all, huge_pages_are_split, 0, 3);
    tcase_add_loop_test(all, access_across_pages, 0, (int)RECLAIM_POLICIES - 1);
    tcase_add_test(all, shared_objects);
    tcase_add_test(all, only_dirty_pages_are_written);
    tcase_add_test(all, zeroes_take_no_write);
    tcase_add_test(all, entry_as_in_linux);
    tcase_add_test(all, guards_stay_guards);
    tcase_add_test(all, willneed_makes_faults_minor);
    tcase_add_test(all, lazy_pages_need_no_slot);
    tcase_add_test(all, locked_pages_stay);
    tcase_add_test(all, marks);
    tcase_add_test(all, direct_reclaim);
    tcase_add_test(all, largest_process_dies);
    tcase_add_test(all, report_tells_kinds_apart);
    tcase_add_test(all, adjusted_badness);
    tcase_add_test(all, nth_allocation_fails);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
