/* test_kernel.c: the kernel as a whole: start, layout, processes, no frame lost. */
#include "tests/kernel_rig.h"

START_TEST(smoke)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    rig_check(&r);
    char maps[8192];
    kernel_proc_maps(r.k, 1, maps, sizeof(maps));
    va_t heap = rig_brk(&r, 0);
    ck_assert_uint_eq(rig_brk(&r, heap + 0x21000), heap + 0x21000);
    ck_assert(rig_store(&r, heap + 5, 42));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_int_eq(rig_load(&r, heap + 5), 42);
    rig_check(&r);
    int64_t at = rig_map(&r, 8 * PAGE_SIZE);
    ck_assert_int_eq(at, (int64_t)(config.mmap_top - 8 * PAGE_SIZE));
    ck_assert_int_eq(rig_load(&r, (va_t)at), 0);
    ck_assert(rig_store(&r, (va_t)at, 1));
    ck_assert_uint_eq(r.faults, 1);
    rig_check(&r);
    ck_assert_int_eq(rig_call(&r, LX_NR_munmap, (va_t)at, 8 * PAGE_SIZE, 0, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, (va_t)at), -1);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

TEST_MAIN("kernel", smoke)
