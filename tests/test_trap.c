/* test_trap.c: what each kind of fault becomes. */
#include "kernel/pgtable.h"
#include "tests/kernel_rig.h"

#define RW (LX_PROT_READ | LX_PROT_WRITE)

static void open_rig(struct rig *r)
{
    struct kernel_config config = rig_config();
    rig_open(r, 64 * MIB, &config);
}

static uint64_t resident(const struct rig *r)
{
    return rig_process(r, 1).resident;
}

START_TEST(demand_zero)
{
    struct rig r;
    open_rig(&r);
    va_t at = (va_t)rig_map(&r, 4 * PAGE_SIZE);
    uint64_t zeroed = kernel_counters(r.k)->frames_zeroed;
    ck_assert_uint_eq(resident(&r), 0);
    ck_assert(rig_store(&r, at, 5));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(resident(&r), 1);
    ck_assert_uint_gt(kernel_counters(r.k)->frames_zeroed, zeroed);
    ck_assert_int_eq(rig_load(&r, at + 1), 0);
    ck_assert_int_eq(rig_load(&r, at), 5);
    ck_assert_uint_eq(r.faults, 0);
    rig_close(&r);
}
END_TEST

/* A read of untouched memory maps the shared frame of zeroes; a write then is a second fault. */
START_TEST(zero_page)
{
    struct rig r;
    open_rig(&r);
    va_t at = (va_t)rig_map(&r, 4 * PAGE_SIZE);
    struct frame_info zero;
    ck_assert_int_eq(rig_load(&r, at), 0);
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_int_eq(rig_load(&r, at + PAGE_SIZE), 0);
    ck_assert_uint_eq(resident(&r), 0);
    kernel_frame(r.k, r.k->zero, &zero);
    ck_assert_uint_eq(zero.refs, 2);
    ck_assert(rig_store(&r, at, 1));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(resident(&r), 1);
    ck_assert_int_eq(rig_load(&r, at + PAGE_SIZE), 0); /* the other still reads zeroes */
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(two_ways_to_be_invalid)
{
    struct rig r;
    open_rig(&r);
    va_t at = (va_t)rig_mmap(&r, 0, PAGE_SIZE, LX_PROT_READ, LX_MAP_PRIVATE);
    ck_assert(!rig_store(&r, at + 8, 1));
    ck_assert_int_eq(r.signal.signal, LX_SIGSEGV);
    ck_assert_uint_eq(r.signal.code, LX_SEGV_ACCERR);
    ck_assert_uint_eq(r.signal.va, at + 8);
    ck_assert_int_eq(rig_load(&r, at - PAGE_SIZE), -1);
    ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
    ck_assert_int_eq(rig_load(&r, 0), -1);
    ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
    ck_assert_uint_eq(kernel_counters(r.k)->segv_maperr, 2);
    ck_assert_uint_eq(kernel_counters(r.k)->segv_accerr, 1);
    uint8_t byte;
    ck_assert(!rig_access(&r, at, &byte, 1, ACCESS_FETCH));
    ck_assert_uint_eq(r.signal.code, LX_SEGV_ACCERR);
    ck_assert_int_eq(rig_load(&r, 0x800000000000), -1); /* not canonical */
    ck_assert_uint_eq(r.signal.code, 0x80);
    ck_assert_uint_eq(r.signal.va, 0);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* Write-only and execute-only memory can be read, PROT_NONE cannot. */
START_TEST(rights)
{
    static const struct {
        uint32_t prot;
        bool read, write, fetch;
    } rows[] = {
        {LX_PROT_NONE, false, false, false},
        {LX_PROT_READ, true, false, false},
        {LX_PROT_WRITE, true, true, false},
        {LX_PROT_EXEC, true, false, true},
        {RW, true, true, false},
        {RW | LX_PROT_EXEC, true, true, true},
    };
    struct rig r;
    open_rig(&r);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        va_t at = (va_t)rig_mmap(&r, 0, PAGE_SIZE, rows[i].prot, LX_MAP_PRIVATE);
        for (int touched = 0; touched < 2; touched++) {
            uint8_t byte = 0;
            ck_assert_int_eq(rig_access(&r, at, &byte, 1, ACCESS_READ), rows[i].read);
            ck_assert_int_eq(rig_access(&r, at, &byte, 1, ACCESS_WRITE), rows[i].write);
            ck_assert_int_eq(rig_access(&r, at, &byte, 1, ACCESS_FETCH), rows[i].fetch);
        }
    }
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(stack_grows)
{
    struct rig r;
    open_rig(&r);
    va_t top = 0x7ffffffff000;
    ck_assert(rig_store(&r, top - 8, 1));
    ck_assert(rig_store(&r, top - MIB, 2)); /* far below: Linux does not look at the pointer */
    struct area_info stack;
    ck_assert(kernel_area_at(r.k, 1, top - 1, &stack));
    ck_assert_uint_eq(stack.start, top - MIB);
    ck_assert_str_eq(stack.name, "[stack]");
    ck_assert(rig_store(&r, top - 8 * MIB, 3)); /* exactly the limit */
    ck_assert(!rig_store(&r, top - 8 * MIB - 1, 4));
    ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(stack_keeps_its_distance)
{
    struct rig r;
    open_rig(&r);
    va_t at = 64 * GIB;
    ck_assert_int_eq(
        rig_mmap(&r, at, PAGE_SIZE, RW, LX_MAP_PRIVATE | LX_MAP_FIXED | LX_MAP_GROWSDOWN),
        (int64_t)at);
    ck_assert_int_eq(
        rig_mmap(&r, at - 300 * PAGE_SIZE, PAGE_SIZE, RW, LX_MAP_PRIVATE | LX_MAP_FIXED),
        (int64_t)(at - 300 * PAGE_SIZE));
    ck_assert(rig_store(&r, at - 43 * PAGE_SIZE, 1)); /* 256 pages stay free */
    ck_assert(!rig_store(&r, at - 44 * PAGE_SIZE, 1));
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* Tables that already allow what a TLB did not know: forget, retry, count. */
START_TEST(spurious)
{
    struct rig r;
    open_rig(&r);
    va_t at = (va_t)rig_mmap(&r, 0, PAGE_SIZE, RW, LX_MAP_PRIVATE);
    ck_assert(rig_store(&r, at, 1));
    struct process *p = process_find(r.k, 1);
    pfn_t table;
    pte_t entry = pgtable_get(r.k, p, at, &table);
    pgtable_set(r.k, p, table, at, entry & ~PTE_RW);
    ck_assert_int_eq(rig_load(&r, at), 1);              /* the TLB knows it as read-only */
    entry_write(r.k, p, table, va_index(at, 1), entry); /* and is not told */
    ck_assert(rig_store(&r, at, 2));
    ck_assert_uint_eq(r.faults, 0);
    ck_assert_uint_eq(kernel_counters(r.k)->faults_spurious, 1);
    rig_close(&r);
}
END_TEST

/* Shared anonymous memory: pages belong to the object. */
START_TEST(shared_pages_stay)
{
    struct rig r;
    open_rig(&r);
    va_t at = (va_t)rig_mmap(&r, 0, 32 * PAGE_SIZE, RW, LX_MAP_SHARED);
    ck_assert(rig_store(&r, at, 7));
    ck_assert(rig_store(&r, at + PAGE_SIZE, 8));
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, at, 32 * PAGE_SIZE, LX_MADV_DONTNEED, 0, 0), 0);
    ck_assert_uint_eq(resident(&r), 0);
    ck_assert_int_eq(rig_load(&r, at), 7);
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_int_eq(rig_load(&r, at + PAGE_SIZE), 8); /* came along */
    ck_assert_uint_eq(r.faults, 0);
    int64_t twin = rig_call(&r, LX_NR_mremap, at, 0, 32 * PAGE_SIZE, LX_MREMAP_MAYMOVE, 0);
    ck_assert_int_gt(twin, 0);
    ck_assert_int_eq(rig_load(&r, (va_t)twin), 7);
    ck_assert(rig_store(&r, (va_t)twin, 9));
    ck_assert_int_eq(rig_load(&r, at), 9);
    rig_check(&r);
    uint64_t free = kernel_frames_free(r.k);
    rig_call(&r, LX_NR_munmap, at, 32 * PAGE_SIZE, 0, 0, 0);
    ck_assert_int_eq(rig_load(&r, (va_t)twin), 9);
    rig_call(&r, LX_NR_munmap, (va_t)twin, 32 * PAGE_SIZE, 0, 0, 0);
    ck_assert_uint_ge(kernel_frames_free(r.k), free + 2);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(beyond_the_object)
{
    struct rig r;
    open_rig(&r);
    va_t at = (va_t)rig_mmap(&r, 0, PAGE_SIZE, RW, LX_MAP_SHARED);
    int64_t grown = rig_call(&r, LX_NR_mremap, at, PAGE_SIZE, 2 * PAGE_SIZE, LX_MREMAP_MAYMOVE, 0);
    ck_assert_int_gt(grown, 0);
    ck_assert(!rig_store(&r, (va_t)grown + PAGE_SIZE, 1));
    ck_assert_int_eq(r.signal.signal, LX_SIGBUS);
    ck_assert_uint_eq(r.signal.code, LX_BUS_ADRERR);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* Whatever the number of free frames: the process is killed, and nothing of it is left. */
START_TEST(out_of_memory)
{
    struct kernel_config config = rig_config();
    config.reserved_frames = 16;
    for (uint64_t frames = 34; frames < 90; frames++) {
        struct rig r;
        rig_hardware(&r, frames * PAGE_SIZE);
        r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
        ck_assert_ptr_nonnull(r.k);
        uint64_t free = kernel_frames_free(r.k);
        ck_assert_int_eq(kernel_spawn(r.k, "greedy"), 1);
        ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], 1), 0);
        va_t at = (va_t)rig_map(&r, 64 * MIB);
        va_t va = at;
        while (rig_store(&r, va, 1))
            va += PAGE_SIZE * 300; /* many tables too */
        ck_assert_int_eq(r.signal.signal, LX_SIGKILL);
        ck_assert(rig_process(&r, 1).killed);
        ck_assert_uint_eq(kernel_counters(r.k)->oom_kills, 1);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        rig_check(&r);
        ck_assert_int_eq(rig_map(&r, PAGE_SIZE), -LX_ESRCH);
        ck_assert(!rig_store(&r, at, 1));
        ck_assert_int_eq(r.signal.signal, LX_SIGKILL);
        kernel_exit(r.k, &r.cpu[0], 1);
        ck_assert_uint_eq(kernel_processes(r.k), 0);
        ck_assert_int_eq(kernel_spawn(r.k, "next"), 2); /* and life goes on */
        rig_check(&r);
        rig_close(&r);
    }
}
END_TEST

/* Populating without enough frames is not fatal: what is missing comes later. */
START_TEST(populate_out_of_memory)
{
    struct rig r;
    struct kernel_config config = rig_config();
    config.reserved_frames = 16;
    rig_open(&r, 64 * PAGE_SIZE, &config);
    ck_assert_int_gt(rig_mmap(&r, 0, 100 * PAGE_SIZE, RW, LX_MAP_PRIVATE | LX_MAP_POPULATE), 0);
    ck_assert_uint_eq(kernel_frames_free(r.k), 0);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

TEST_MAIN("trap", demand_zero, zero_page, two_ways_to_be_invalid, rights, stack_grows,
          stack_keeps_its_distance, spurious, shared_pages_stay, beyond_the_object, out_of_memory,
          populate_out_of_memory)
