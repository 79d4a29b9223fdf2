/* test_pgtable.c: tables in simulated RAM: how many, when they go, and that TLBs forget. */
#include "kernel/pgtable.h"
#include "tests/kernel_rig.h"

#include <time.h>

static uint64_t tables(const struct rig *r)
{
    return rig_process(r, 1).tables;
}

static va_t map_at(struct rig *r, va_t at, uint64_t length)
{
    ck_assert_int_eq(rig_mmap(r, at, length, LX_PROT_READ | LX_PROT_WRITE,
                              LX_MAP_PRIVATE | LX_MAP_FIXED | LX_MAP_NORESERVE),
                     (int64_t)at);
    return at;
}

/* 262144 pages: 512 PTs, 1 PD, 1 PDPT, 1 PML4. */
START_TEST(one_gib_takes_515_tables)
{
    struct rig r;
    struct kernel_config config = rig_config();
    config.image_bytes = 0;
    rig_open(&r, 2 * GIB, &config);
    uint64_t free = kernel_frames_free(r.k);
    va_t at = map_at(&r, 64 * GIB, GIB);
    ck_assert_uint_eq(tables(&r), 1);
    for (va_t va = at; va < at + GIB; va += PAGE_SIZE)
        ck_assert(rig_store(&r, va, 1));
    ck_assert_uint_eq(tables(&r), 515);
    ck_assert_uint_eq(rig_process(&r, 1).resident, 262144);
    ck_assert_uint_eq(kernel_frames_free(r.k), free - 262144 - 514);
    rig_check(&r);
    clock_t start = clock();
    ck_assert_int_eq(rig_call(&r, LX_NR_munmap, at, GIB, 0, 0, 0), 0);
    printf("munmap of 1 GiB in 4 KiB pages: %.1f ms\n",
           (double)(clock() - start) * 1000 / CLOCKS_PER_SEC);
    ck_assert_uint_eq(tables(&r), 1);
    ck_assert_uint_eq(kernel_frames_free(r.k), free);
    ck_assert_uint_eq(rig_process(&r, 1).resident_peak, 262144);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(four_far_pages_take_13_tables)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    for (unsigned i = 1; i <= 4; i++)
        ck_assert(rig_store(&r, map_at(&r, i * 512 * GIB, PAGE_SIZE), 1));
    ck_assert_uint_eq(tables(&r), 13);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* A table goes when no area is left in what it covers, not when it is merely empty. */
START_TEST(tables_go_with_the_last_area)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    va_t at = map_at(&r, 64 * GIB, 4 * MIB);
    ck_assert(rig_store(&r, at, 1) && rig_store(&r, at + 2 * MIB, 1));
    ck_assert_uint_eq(tables(&r), 5);
    rig_call(&r, LX_NR_munmap, at + PAGE_SIZE, 2 * MIB - PAGE_SIZE, 0, 0, 0);
    ck_assert_uint_eq(tables(&r), 5);
    rig_call(&r, LX_NR_munmap, at, PAGE_SIZE, 0, 0, 0);
    ck_assert_uint_eq(tables(&r), 4);
    rig_call(&r, LX_NR_munmap, at + 2 * MIB, 2 * MIB, 0, 0, 0);
    ck_assert_uint_eq(tables(&r), 1);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* The rights of an access come from the TLB: it must have forgotten the old ones. */
START_TEST(mprotect_reaches_the_tlb)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    for (unsigned pages = 1; pages <= 64; pages *= 8) { /* below and above the flush ceiling */
        va_t at = map_at(&r, 64 * GIB, pages * PAGE_SIZE);
        for (unsigned i = 0; i < pages; i++)
            ck_assert(rig_store(&r, at + i * PAGE_SIZE, 9));
        rig_call(&r, LX_NR_mprotect, at, pages * PAGE_SIZE, LX_PROT_READ, 0, 0);
        for (unsigned i = 0; i < pages; i++) {
            ck_assert(!rig_store(&r, at + i * PAGE_SIZE, 1));
            ck_assert_uint_eq(r.signal.code, LX_SEGV_ACCERR);
            ck_assert_int_eq(rig_load(&r, at + i * PAGE_SIZE), 9);
        }
        rig_call(&r, LX_NR_mprotect, at, pages * PAGE_SIZE, LX_PROT_NONE, 0, 0);
        ck_assert_int_eq(rig_load(&r, at), -1);
        rig_call(&r, LX_NR_mprotect, at, pages * PAGE_SIZE, LX_PROT_READ | LX_PROT_WRITE, 0, 0);
        ck_assert(rig_store(&r, at, 3)); /* the frame was kept */
        ck_assert_uint_eq(r.faults, 0);
        rig_call(&r, LX_NR_munmap, at, pages * PAGE_SIZE, 0, 0, 0);
        ck_assert_int_eq(rig_load(&r, at), -1);
        ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
        rig_check(&r);
    }
    rig_close(&r);
}
END_TEST

/* Another CPU that runs the same address space must forget too. */
START_TEST(other_cpus_forget)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    ck_assert_int_eq(kernel_switch(r.k, &r.cpu[1], 1), 0);
    va_t at = map_at(&r, 64 * GIB, PAGE_SIZE);
    ck_assert(rig_store(&r, at, 7));
    struct mmu_fault fault;
    uint8_t byte = 0;
    ck_assert(mmu_access(r.cpu[1].mmu, at, &byte, 1, ACCESS_READ, &fault));
    ck_assert_uint_eq(byte, 7);
    rig_call(&r, LX_NR_munmap, at, PAGE_SIZE, 0, 0, 0);
    ck_assert(!mmu_access(r.cpu[1].mmu, at, &byte, 1, ACCESS_READ, &fault));
    rig_close(&r);
}
END_TEST

static bool kernel_walk(const struct rig *r, va_t va, struct walk *w, enum access how, bool user)
{
    struct mmu_regs regs;
    uint32_t error;
    ck_assert(kernel_regs(r->k, 1, &regs));
    regs.cpl = user ? 3 : 0;
    walk_read(r->ram, &regs, va, w);
    return walk_judge(w, &regs, how, &error);
}

START_TEST(kernel_half)
{
    struct rig r;
    struct kernel_config config = rig_config();
    struct walk w;
    config.reserved_frames = 2048; /* an image of 8 MiB */
    rig_open(&r, GIB + 6 * MIB + 12 * KIB, &config);
    va_t direct = 0xffff888000000000, image = 0xffffffff81000000;
    ck_assert(kernel_walk(&r, direct + 0x12345, &w, ACCESS_WRITE, false));
    ck_assert_uint_eq(w.to.pa, 0x12345);
    ck_assert_uint_eq(w.to.page_size, GIB);
    ck_assert(kernel_walk(&r, direct + GIB + 5 * MIB, &w, ACCESS_WRITE, false));
    ck_assert_uint_eq(w.to.page_size, 2 * MIB);
    ck_assert(kernel_walk(&r, direct + GIB + 6 * MIB + 8 * KIB, &w, ACCESS_WRITE, false));
    ck_assert_uint_eq(w.to.page_size, 4 * KIB);
    ck_assert(!kernel_walk(&r, direct + GIB + 6 * MIB + 12 * KIB, &w, ACCESS_READ, false));
    ck_assert(!kernel_walk(&r, direct, &w, ACCESS_FETCH, false)); /* no execution of data */
    ck_assert(kernel_walk(&r, image, &w, ACCESS_FETCH, false));
    ck_assert_uint_eq(w.to.page_size, 2 * MIB);
    ck_assert_uint_eq(w.to.flags & TLB_GLOBAL, TLB_GLOBAL);
    ck_assert(!kernel_walk(&r, image, &w, ACCESS_WRITE, false));
    ck_assert(kernel_walk(&r, image + 4 * MIB, &w, ACCESS_WRITE, false));
    ck_assert(!kernel_walk(&r, image + 4 * MIB, &w, ACCESS_FETCH, false));
    ck_assert(!kernel_walk(&r, direct, &w, ACCESS_READ, true)); /* supervisor only */
    ck_assert_int_eq(rig_load(&r, direct), -1);
    ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* A move across table borders, to another alignment: contents and counts come along. */
START_TEST(moving)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    uint64_t pages = 700;
    va_t at = map_at(&r, 64 * GIB, pages * PAGE_SIZE);
    for (uint64_t i = 0; i < pages; i += 3)
        ck_assert(rig_store(&r, at + i * PAGE_SIZE, (uint8_t)(i % 251 + 1)));
    va_t to = 96 * GIB + 300 * PAGE_SIZE;
    ck_assert_int_eq(rig_call(&r, LX_NR_mremap, at, pages * PAGE_SIZE, pages * PAGE_SIZE,
                              LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED, to),
                     (int64_t)to);
    rig_check(&r);
    for (uint64_t i = 0; i < pages; i += 3) {
        ck_assert_int_eq(rig_load(&r, to + i * PAGE_SIZE), (int)(i % 251 + 1));
        ck_assert_uint_eq(r.faults, 0);
    }
    ck_assert_int_eq(rig_load(&r, at), -1);
    ck_assert_uint_eq(tables(&r), 5);
    rig_close(&r);
}
END_TEST

/* A move that finds no frame for a table leaves everything where it was. */
START_TEST(moving_without_memory)
{
    struct rig r;
    struct kernel_config config = rig_config();
    unsigned refused = 0;
    for (unsigned spare = 0; spare < 8; spare++) {
        rig_open(&r, 8 * MIB, &config);
        va_t at = map_at(&r, 64 * GIB, 6 * MIB), to = 96 * GIB + 5 * PAGE_SIZE;
        for (unsigned i = 0; i < 6; i++)
            ck_assert(rig_store(&r, at + i * MIB, (uint8_t)(i + 1)));
        va_t fill = map_at(&r, 32 * GIB, 16 * MIB);
        while (kernel_frames_free(r.k) > spare) {
            ck_assert(rig_store(&r, fill, 1));
            fill += PAGE_SIZE;
        }
        int64_t got = rig_call(&r, LX_NR_mremap, at, 6 * MIB, 6 * MIB,
                               LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED, to);
        ck_assert(got == (int64_t)to || got == -LX_ENOMEM);
        refused += got < 0;
        for (unsigned i = 0; i < 6; i++)
            ck_assert_int_eq(rig_load(&r, (got < 0 ? at : to) + i * MIB), (int)i + 1);
        ck_assert_int_eq(rig_load(&r, got < 0 ? to : at), -1);
        rig_check(&r);
        rig_close(&r);
    }
    ck_assert_uint_gt(refused, 2);
    ck_assert_uint_lt(refused, 8);
}
END_TEST

/* A wrong entry is seen by the whole-kernel check. */
START_TEST(checker_sees)
{
    struct rig r;
    struct kernel_config config = rig_config();
    char why[200];
    rig_open(&r, 64 * MIB, &config);
    va_t at = map_at(&r, 64 * GIB, 2 * PAGE_SIZE);
    ck_assert(rig_store(&r, at, 1));
    pfn_t table;
    pte_t entry = pgtable_get(r.k, process_find(r.k, 1), at, &table);
    pa_t pa = entry_at(table, at, 1);
    ram_write64(r.ram, pa, entry | PTE_XD >> 63 << 63);
    rig_check(&r);
    ram_write64(r.ram, pa, entry & ~PTE_XD); /* executable although the area is not */
    ck_assert(!kernel_check(r.k, why, sizeof(why)));
    ram_write64(r.ram, pa, 0); /* the frame is lost */
    ck_assert(!kernel_check(r.k, why, sizeof(why)));
    ram_write64(r.ram, pa, entry);
    ram_write64(r.ram, pa + 8, entry); /* and here mapped twice */
    ck_assert(!kernel_check(r.k, why, sizeof(why)));
    ram_write64(r.ram, pa + 8, 0);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

TEST_MAIN("pgtable", one_gib_takes_515_tables, four_far_pages_take_13_tables,
          tables_go_with_the_last_area, mprotect_reaches_the_tlb, other_cpus_forget, kernel_half,
          moving, moving_without_memory, checker_sees)
