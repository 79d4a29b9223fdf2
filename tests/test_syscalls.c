/* test_syscalls.c: every errno of the memory calls, and the few rules they have for themselves. */
#include "tests/kernel_rig.h"

#define P    PAGE_SIZE
#define RW   (LX_PROT_READ | LX_PROT_WRITE)
#define ANON (LX_MAP_PRIVATE | LX_MAP_ANONYMOUS)
#define HUGE (UINT64_C(1) << 62)
#define TASK UINT64_C(0x7ffffffff000)

/* A: 4 pages RW at 64 GiB, then a hole; S: 2 shared pages at 65 GiB; G: a stack at 66 GiB. */
#define A (64 * GIB)
#define S (65 * GIB)
#define G (66 * GIB)

static void open_rig(struct rig *r)
{
    struct kernel_config config = rig_config();
    rig_open(r, 64 * MIB, &config);
    ck_assert_int_eq(rig_mmap(r, A, 4 * P, RW, LX_MAP_PRIVATE | LX_MAP_FIXED), (int64_t)A);
    ck_assert_int_eq(rig_mmap(r, S, 2 * P, RW, LX_MAP_SHARED | LX_MAP_FIXED), (int64_t)S);
    ck_assert_int_eq(rig_mmap(r, G, 2 * P, RW, LX_MAP_PRIVATE | LX_MAP_FIXED | LX_MAP_GROWSDOWN),
                     (int64_t)G);
}

static const struct row {
    uint64_t nr;
    uint64_t arg[6];
    int64_t want;
} rows[] = {
    /* mmap: address, length, prot, flags, fd, offset; in the order of the checks */
    {LX_NR_mmap, {0, 0, RW, LX_MAP_PRIVATE, 3, 0}, -LX_EBADF},
    {LX_NR_mmap, {0, P, RW, ANON, 0, 1}, -LX_EINVAL},
    {LX_NR_mmap, {0, 0, RW, ANON, 0, 0}, -LX_EINVAL},
    {LX_NR_mmap, {0, UINT64_MAX, RW, ANON, 0, 0}, -LX_ENOMEM},
    {LX_NR_mmap, {0, TASK + P, 0, ANON, 0, 0}, -LX_ENOMEM},
    {LX_NR_mmap, {TASK, P, RW, ANON | LX_MAP_FIXED, 0, 0}, -LX_ENOMEM},
    {LX_NR_mmap, {A + 1, P, RW, ANON | LX_MAP_FIXED, 0, 0}, -LX_EINVAL},
    {LX_NR_mmap, {0, P, RW, ANON | LX_MAP_FIXED, 0, 0}, -LX_EPERM},
    {LX_NR_mmap, {A, P, RW, ANON | LX_MAP_FIXED_NOREPLACE, 0, 0}, -LX_EEXIST},
    {LX_NR_mmap, {0, 16 * MIB, RW, ANON | LX_MAP_LOCKED, 0, 0}, -LX_EAGAIN},
    {LX_NR_mmap, {0, P, RW, LX_MAP_ANONYMOUS, 0, 0}, -LX_EINVAL},
    {LX_NR_mmap, {0, P, RW, LX_MAP_ANONYMOUS | 3, 0, 0}, -LX_EINVAL},
    {LX_NR_mmap, {0, P, RW, LX_MAP_ANONYMOUS | LX_MAP_SHARED | LX_MAP_GROWSDOWN, 0, 0}, -LX_EINVAL},
    {LX_NR_mmap, {0, 25 * GIB, RW, ANON, 0, 0}, -LX_ENOMEM},
    {LX_NR_mmap, {0, P, RW, ANON | LX_MAP_HUGETLB, 0, 0}, -LX_ENOMEM},
    {LX_NR_mmap, {0, P, RW, ANON | LX_MAP_32BIT, 0, 0}, GIB},
    /* munmap */
    {LX_NR_munmap, {A + 1, P}, -LX_EINVAL},
    {LX_NR_munmap, {A, 0}, -LX_EINVAL},
    {LX_NR_munmap, {A, UINT64_MAX}, -LX_EINVAL},
    {LX_NR_munmap, {TASK, P}, -LX_EINVAL},
    {LX_NR_munmap, {A, HUGE}, -LX_EINVAL},
    {LX_NR_munmap, {A + GIB / 2, P}, 0}, /* a hole is fine */
    /* mprotect */
    {LX_NR_mprotect, {A, P, LX_PROT_GROWSDOWN | LX_PROT_GROWSUP}, -LX_EINVAL},
    {LX_NR_mprotect, {A + 1, P, RW}, -LX_EINVAL},
    {LX_NR_mprotect, {A, 0, 0x1000}, 0}, /* the length is looked at first */
    {LX_NR_mprotect, {A, UINT64_MAX, RW}, -LX_ENOMEM},
    {LX_NR_mprotect, {A, P, 0x10}, -LX_EINVAL},
    {LX_NR_mprotect, {A - P, P, RW}, -LX_ENOMEM},
    {LX_NR_mprotect, {A, 8 * P, RW}, -LX_ENOMEM},
    {LX_NR_mprotect, {A, P, RW | LX_PROT_GROWSDOWN}, -LX_EINVAL},
    {LX_NR_mprotect, {A, P, RW | LX_PROT_GROWSUP}, -LX_EINVAL},
    {LX_NR_mprotect, {G + P, P, LX_PROT_READ | LX_PROT_GROWSDOWN}, 0},
    {LX_NR_mprotect, {A, P, RW | LX_PROT_SEM}, 0},
    /* mremap: old address, old length, new length, flags, new address */
    {LX_NR_mremap, {A + 1, P, P, 0, 0}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, P, 8, 0}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, 0, 0, 0}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, TASK + P, 1, 0}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, P, LX_MREMAP_FIXED, 70 * GIB}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, P, 3, 70 * GIB + 1}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, 2 * P, 5, 0}, -LX_EINVAL},
    {LX_NR_mremap, {A, 2 * P, 2 * P, 3, A + P}, -LX_EINVAL},
    {LX_NR_mremap, {A, P, P, 3, TASK}, -LX_EINVAL},
    {LX_NR_mremap, {A - P, P, P, 0, 0}, -LX_EFAULT},
    {LX_NR_mremap, {A, 8 * P, 9 * P, 1, 0}, -LX_EFAULT},
    {LX_NR_mremap, {A, 0, P, 1, 0}, -LX_EINVAL},
    {LX_NR_mremap, {S, 0, P, 0, 0}, -LX_ENOMEM},
    {LX_NR_mremap, {A, P, 2 * P, 0, 0}, -LX_ENOMEM},
    {LX_NR_mremap, {A, 4 * P, 25 * GIB, 1, 0}, -LX_ENOMEM},
    {LX_NR_mremap, {A, P, P, 3, 0}, -LX_EPERM},
    {LX_NR_mremap, {A, 4 * P, 4 * P, 0, 0}, (int64_t)A},
    {LX_NR_mremap, {A, P, HUGE, 0, 0}, -LX_EINVAL},
    {LX_NR_mremap, {A, HUGE, P, 0, 0}, -LX_EINVAL},
    /* madvise */
    {LX_NR_madvise, {A + 1, P, 999}, -LX_EINVAL},
    {LX_NR_madvise, {A + 1, P, LX_MADV_DONTNEED}, -LX_EINVAL},
    {LX_NR_madvise, {A, UINT64_MAX, LX_MADV_DONTNEED}, -LX_EINVAL},
    {LX_NR_madvise, {A, 0 - A - P, LX_MADV_DONTNEED}, -LX_ENOMEM},
    {LX_NR_madvise, {A - P, 0, LX_MADV_DONTNEED}, 0},
    {LX_NR_madvise, {A, 8 * P, LX_MADV_DONTNEED}, -LX_ENOMEM},
    {LX_NR_madvise, {A, P, LX_MADV_REMOVE}, -LX_EINVAL},
    {LX_NR_madvise, {S, P, LX_MADV_REMOVE}, 0},
    {LX_NR_madvise, {S, P, LX_MADV_FREE}, -LX_EINVAL},
    {LX_NR_madvise, {S, P, LX_MADV_WIPEONFORK}, -LX_EINVAL},
    {LX_NR_madvise, {A, P, LX_MADV_WILLNEED}, 0},
    {LX_NR_madvise, {A, 8 * P, LX_MADV_POPULATE_READ}, -LX_ENOMEM},
    /* mlock, munlock, mincore */
    {LX_NR_mlock, {A, 16 * MIB}, -LX_ENOMEM},
    {LX_NR_mlock, {A, 8 * P}, -LX_ENOMEM},
    {LX_NR_mlock, {A + 5, 0}, 0},
    {LX_NR_munlock, {A, 8 * P}, -LX_ENOMEM},
    {LX_NR_munlock, {A + 5, P}, 0},
    {LX_NR_mincore, {A + 1, P}, -LX_EINVAL},
    {LX_NR_mincore, {A, 8 * P}, -LX_ENOMEM},
    {LX_NR_mincore, {A, HUGE}, -LX_ENOMEM},
    {LX_NR_mincore, {TASK + P, 0}, -LX_ENOMEM},
    {LX_NR_mincore, {A, 4 * P}, 0},
    {LX_NR_getpid, {0}, 1},
    {9999, {0}, -LX_ENOSYS},
};

START_TEST(results)
{
    struct rig r;
    open_rig(&r);
    int64_t got = kernel_syscall(r.k, &r.cpu[0], rows[_i].nr, rows[_i].arg);
    ck_assert_msg(got == rows[_i].want, "row %d, %s: want %lld, got %lld", _i,
                  lx_syscall_name(rows[_i].nr), (long long)rows[_i].want, (long long)got);
    rig_check(&r);
    ck_assert_uint_eq(kernel_counters(r.k)->syscalls, 4);
    ck_assert_uint_eq(kernel_counters(r.k)->failed, lx_failed(rows[_i].want));
    rig_close(&r);
}
END_TEST

START_TEST(brk_rules)
{
    struct rig r;
    open_rig(&r);
    va_t heap = rig_brk(&r, 0);
    ck_assert_uint_eq(rig_brk(&r, heap - 1), heap);
    ck_assert_uint_eq(rig_brk(&r, heap + 100), heap + 100);
    ck_assert_uint_eq(rig_brk(&r, heap + 25 * GIB), heap + 100);
    ck_assert_uint_eq(rig_brk(&r, TASK + 1), heap + 100);
    /* One page must stay free above. */
    ck_assert_int_eq(rig_mmap(&r, heap + 8 * P, P, 0, LX_MAP_PRIVATE | LX_MAP_FIXED),
                     (int64_t)(heap + 8 * P));
    ck_assert_uint_eq(rig_brk(&r, heap + 8 * P), heap + 100);
    ck_assert_uint_eq(rig_brk(&r, heap + 7 * P), heap + 7 * P);
    ck_assert(rig_store(&r, heap + 6 * P, 5));
    ck_assert_uint_eq(rig_brk(&r, heap + 3), heap + 3);
    ck_assert_uint_eq(rig_brk(&r, heap + 7 * P), heap + 7 * P);
    ck_assert_int_eq(rig_load(&r, heap + 6 * P), 0); /* fresh again */
    /* With nothing mapped in what is to go, it does not go. */
    rig_call(&r, LX_NR_munmap, heap + 4 * P, 3 * P, 0, 0, 0);
    ck_assert_uint_eq(rig_brk(&r, heap + 4 * P), heap + 7 * P);
    ck_assert_uint_eq(rig_brk(&r, heap + 2 * P), heap + 2 * P);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(dontneed_and_free)
{
    struct rig r;
    open_rig(&r);
    ck_assert(rig_store(&r, A, 5) && rig_store(&r, A + P, 6));
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, P, LX_MADV_DONTNEED, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, A), 0);
    ck_assert_int_eq(rig_load(&r, A + P), 6);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, 2 * P, LX_MADV_FREE, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, A + P), 6); /* nobody needed it yet */
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, 2 * P, LX_MADV_PAGEOUT, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, A + P), 0);
    ck_assert(rig_store(&r, A + P, 7));
    rig_call(&r, LX_NR_madvise, A, 2 * P, LX_MADV_FREE, 0, 0);
    ck_assert(rig_store(&r, A + P + 1, 8)); /* written again: worth keeping */
    ck_assert_uint_eq(r.faults, 0);
    rig_call(&r, LX_NR_madvise, A, 2 * P, LX_MADV_PAGEOUT, 0, 0);
    ck_assert_int_eq(rig_load(&r, A + P), 7);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(guards)
{
    struct rig r;
    open_rig(&r);
    ck_assert(rig_store(&r, A, 5) && rig_store(&r, A + P, 6));
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, P, LX_MADV_GUARD_INSTALL, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, A), -1);
    ck_assert_uint_eq(r.signal.code, LX_SEGV_MAPERR);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, 2 * P, LX_MADV_DONTNEED, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, A), -1);
    ck_assert_int_eq(rig_load(&r, A + P), 0);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, P, LX_MADV_POPULATE_WRITE, 0, 0), -LX_EFAULT);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, P, LX_MADV_GUARD_REMOVE, 0, 0), 0);
    ck_assert_int_eq(rig_load(&r, A), 0);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(locking)
{
    struct rig r;
    open_rig(&r);
    ck_assert_int_eq(rig_call(&r, LX_NR_mlock, A + P, 2 * P, 0, 0, 0), 0);
    ck_assert_uint_eq(rig_process(&r, 1).faults_minor, 2);
    ck_assert_uint_eq(rig_process(&r, 1).resident, 2);
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, A, 4 * P, LX_MADV_DONTNEED, 0, 0), -LX_EINVAL);
    ck_assert_int_eq(rig_mmap(&r, 0, 8 * MIB - P, RW, LX_MAP_PRIVATE | LX_MAP_LOCKED), -LX_EAGAIN);
    ck_assert_int_eq(rig_call(&r, LX_NR_munlock, A, 4 * P, 0, 0, 0), 0);
    ck_assert_int_gt(rig_mmap(&r, 0, 8 * MIB - P, RW, LX_MAP_PRIVATE | LX_MAP_LOCKED), 0);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(lx_errno_name(-LX_ENOMEM), "ENOMEM");
    ck_assert_str_eq(lx_errno_name(LX_EPERM), "EPERM");
    ck_assert_str_eq(lx_errno_name(12345), "?");
    ck_assert_str_eq(lx_syscall_name(LX_NR_mremap), "mremap");
    ck_assert_str_eq(lx_syscall_name(12345), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("syscalls");
    TCase *all = tcase_create("results");
    tcase_add_loop_test(all, results, 0, (int)ARRAY_LEN(rows));
    tcase_add_test(all, brk_rules);
    tcase_add_test(all, dontneed_and_free);
    tcase_add_test(all, guards);
    tcase_add_test(all, locking);
    tcase_add_test(all, names);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
