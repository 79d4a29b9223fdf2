/* test_fork.c: two processes from one: what is shared, when it is copied, what is not inherited,
 * who is told, and that nothing is lost when memory runs out in the middle.
 */
#include "kernel/process.h"
#include "tests/kernel_rig.h"

#define P  PAGE_SIZE
#define RW (LX_PROT_READ | LX_PROT_WRITE)

static void run_as(struct rig *r, uint16_t pid)
{
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], pid), 0);
}

/* The process that runs forks; the child's pid. */
static uint16_t rig_fork(struct rig *r)
{
    int64_t pid = rig_call(r, LX_NR_fork, 0, 0, 0, 0, 0);
    ck_assert_int_gt(pid, 0);
    rig_check(r);
    return (uint16_t)pid;
}

static void rig_start(struct rig *r)
{
    struct kernel_config config = rig_config();
    rig_open(r, 64 * MIB, &config);
}

START_TEST(a_page_is_copied_when_it_is_written)
{
    struct rig r;
    rig_start(&r);
    va_t at = (va_t)rig_map(&r, 3 * P);
    ck_assert(rig_store(&r, at, 7) && rig_store(&r, at + P, 8));
    uint64_t resident = rig_process(&r, 1).resident, free = kernel_frames_free(r.k);
    uint16_t child = rig_fork(&r);
    ck_assert_uint_eq(rig_process(&r, child).resident, resident);
    ck_assert_uint_eq(rig_process(&r, child).parent, 1);
    /* Only tables were needed: a root, and three for each of the places that hold pages. */
    ck_assert_uint_eq(free - kernel_frames_free(r.k), rig_process(&r, child).tables);

    ck_assert_int_eq(rig_load(&r, at), 7);
    ck_assert_uint_eq(r.faults, 0);
    ck_assert(rig_store(&r, at, 70));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(kernel_counters(r.k)->cow_copied, 1);
    run_as(&r, child);
    ck_assert_int_eq(rig_load(&r, at), 7);
    ck_assert(rig_store(&r, at, 71)); /* the last one keeps the frame */
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(kernel_counters(r.k)->cow_copied, 1);
    ck_assert_uint_eq(kernel_counters(r.k)->cow_reused, 1);
    run_as(&r, 1);
    ck_assert_int_eq(rig_load(&r, at), 70);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* The parent's TLB knew the page as writable. */
START_TEST(the_parents_tlb_is_told)
{
    struct rig r;
    rig_start(&r);
    va_t at = (va_t)rig_map(&r, 100 * P);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(rig_store(&r, at + i * P, 1));
    ck_assert(rig_store(&r, at + 99 * P, 1));
    ck_assert_uint_eq(r.faults, 0);
    rig_fork(&r);
    ck_assert(rig_store(&r, at + 99 * P, 2));
    ck_assert_uint_eq(r.faults, 1);
    rig_close(&r);
}
END_TEST

START_TEST(what_is_not_inherited)
{
    struct rig r;
    rig_start(&r);
    va_t at = (va_t)rig_map(&r, 8 * P);
    for (unsigned i = 0; i < 8; i++)
        ck_assert(rig_store(&r, at + i * P, 1));
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, at, P, LX_MADV_DONTFORK, 0, 0), 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, at + P, P, LX_MADV_WIPEONFORK, 0, 0), 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_mlock, at + 2 * P, P, 0, 0, 0), 0);
    va_t shared = (va_t)rig_mmap(&r, 0, P, RW, LX_MAP_SHARED);
    ck_assert(rig_store(&r, shared, 5));
    uint16_t child = rig_fork(&r);
    ck_assert_uint_eq(process_find(r.k, 1)->locked, 1);
    ck_assert_uint_eq(process_find(r.k, child)->locked, 0);
    run_as(&r, child);
    ck_assert_int_eq(rig_load(&r, at), -1);
    ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
    ck_assert_int_eq(rig_load(&r, at + P), 0);
    ck_assert_int_eq(rig_load(&r, at + 2 * P), 1);
    ck_assert_uint_eq(r.faults, 0);
    ck_assert_int_eq(rig_load(&r, shared), 5); /* found again by a fault */
    ck_assert_uint_eq(r.faults, 1);
    ck_assert(rig_store(&r, shared, 6));
    run_as(&r, 1);
    ck_assert_int_eq(rig_load(&r, shared), 6);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* ---- exit and wait ---- */

static int64_t rig_wait(struct rig *r, int64_t pid)
{
    return rig_call(r, LX_NR_wait4, (uint64_t)pid, 0, 0, 0, 0);
}

START_TEST(a_parent_waits)
{
    struct rig r;
    struct process_info info;
    rig_start(&r);
    ck_assert_int_eq(rig_wait(&r, -1), -LX_ECHILD);
    uint16_t first = rig_fork(&r), second = rig_fork(&r);
    ck_assert_int_eq(rig_wait(&r, -1), 0);
    kernel_exit(r.k, &r.cpu[0], second);
    ck_assert(kernel_process(r.k, second, &info) && info.killed && info.resident == 0);
    ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], second), -LX_ESRCH);
    ck_assert_int_eq(rig_wait(&r, first), 0);
    ck_assert_int_eq(rig_wait(&r, -1), second);
    ck_assert(!kernel_process(r.k, second, &info));
    ck_assert_int_eq(rig_wait(&r, second), -LX_ECHILD);
    kernel_exit(r.k, &r.cpu[0], first);
    ck_assert_int_eq(rig_wait(&r, first), first);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* Whoever is left alone waits for nobody; whoever ended unseen is forgotten with its parent. */
START_TEST(orphans)
{
    struct rig r;
    struct process_info info;
    rig_start(&r);
    uint16_t child = rig_fork(&r), ended = rig_fork(&r);
    kernel_exit(r.k, &r.cpu[0], ended);
    run_as(&r, child);
    uint16_t grandchild = rig_fork(&r);
    kernel_exit(r.k, &r.cpu[0], 1);
    ck_assert(!kernel_process(r.k, 1, &info) && !kernel_process(r.k, ended, &info));
    ck_assert(kernel_process(r.k, child, &info) && info.parent == 0);
    kernel_exit(r.k, &r.cpu[0], grandchild);
    kernel_exit(r.k, &r.cpu[0], child);
    ck_assert_uint_eq(kernel_processes(r.k), 0);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* ---- without memory ---- */

/* A process with a bit of everything forks twice; true: all of it succeeded. */
static bool family(struct rig *r)
{
    int64_t pid = kernel_spawn(r->k, "family"), child = 0;
    bool whole = pid > 0;
    if (whole) {
        run_as(r, (uint16_t)pid);
        int64_t at = rig_map(r, 20 * P), shared = rig_mmap(r, 0, 4 * P, RW, LX_MAP_SHARED);
        for (unsigned i = 0; i < 20 && at > 0; i++)
            rig_store(r, (va_t)at + i * P, (uint8_t)i);
        child = rig_call(r, LX_NR_fork, 0, 0, 0, 0, 0);
        rig_check(r);
        whole = at > 0 && shared > 0 && child > 0;
        ck_assert(child > 0 || child == -LX_ENOMEM || child == -LX_ESRCH);
    }
    if (child > 0) {
        run_as(r, (uint16_t)child);
        int64_t grandchild = rig_call(r, LX_NR_fork, 0, 0, 0, 0, 0);
        whole = whole && grandchild > 0;
        rig_check(r);
        if (grandchild > 0)
            kernel_exit(r->k, &r->cpu[0], (uint16_t)grandchild);
        kernel_exit(r->k, &r->cpu[0], (uint16_t)child);
    }
    if (pid > 0)
        kernel_exit(r->k, &r->cpu[0], (uint16_t)pid);
    ck_assert_uint_eq(kernel_processes(r->k), 0);
    return whole;
}

START_TEST(failing_requests)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_hardware(&r, 64 * MIB);
    r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
    ck_assert(family(&r)); /* so that lists have their size */
    uint64_t free = kernel_frames_free(r.k), used = arena_used(r.arena), failures = 0;
    for (uint64_t n = 1; n < 250; n++) {
        arena_fail_at(r.arena, n);
        failures += !family(&r);
        arena_fail_at(r.arena, 0);
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        ck_assert_uint_eq(arena_used(r.arena), used);
    }
    ck_assert_uint_gt(failures, 30); /* and the last ones came through */
    ck_assert_uint_lt(failures, 240);
    rig_close(&r);
}
END_TEST

/* Every number of frames from too few for one process to enough for three. */
START_TEST(few_frames)
{
    struct kernel_config config = rig_config();
    config.reserved_frames = 8;
    bool whole = false;
    unsigned failures = 0;
    for (uint64_t frames = 24; !whole; frames++) {
        struct rig r;
        rig_hardware(&r, frames * P);
        r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
        ck_assert_ptr_nonnull(r.k);
        uint64_t free = kernel_frames_free(r.k);
        whole = family(&r);
        failures += !whole;
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        rig_close(&r);
    }
    ck_assert_uint_gt(failures, 20);
}
END_TEST

TEST_MAIN("fork", a_page_is_copied_when_it_is_written, the_parents_tlb_is_told,
          what_is_not_inherited, a_parent_waits, orphans, failing_requests, few_frames)
