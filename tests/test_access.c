/* test_access.c: streams of addresses through a whole machine: every user address can be touched,
 * what cannot is named, and the counts are those of a plain reference. */
#include "sim/access.h"
#include "tests/reference.h"
#include "tests/test.h"

#include <string.h>

#define BASE   UINT64_C(0x10000000)
#define STREAM 20000u

static struct access_run *open_with(const char *setting)
{
    struct config config;
    struct error e = {0};
    struct access_run *run;
    config_default(&config);
    if (setting)
        ck_assert_int_eq(config_option(&config, setting, &e), ERR_NONE);
    ck_assert_msg(!access_open(&run, &config, &e), "%s", e.reason);
    return run;
}

static void touch(struct access_run *run, const va_t *va, size_t n, enum access access)
{
    struct error e = {0};
    size_t done;
    ck_assert_msg(!access_touch(run, va, n, access, &done, &e), "%s", e.reason);
    ck_assert_uint_eq(done, n);
}

static const struct mmu_counters *counted(const struct access_run *run)
{
    return inspect_mmu(access_sim(run), 0);
}

START_TEST(every_user_address_has_an_area)
{
    struct access_run *run = open_with(NULL);
    const struct sim *sim = access_sim(run);
    uint16_t pid = inspect_current(sim, 0);
    struct area_info area;
    va_t end = inspect_config(sim)->kernel.stack_top;
    for (va_t at = PAGE_SIZE; at < end; at = area.end) {
        ck_assert_msg(inspect_area_at(sim, pid, at, &area), "nothing at 0x%llx",
                      (unsigned long long)at);
        ck_assert_uint_eq(area.prot & 7, LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC);
    }
    access_close(run);
}
END_TEST

START_TEST(nothing_is_counted_before_the_first)
{
    struct access_run *run = open_with(NULL);
    ck_assert_uint_eq(counted(run)->accesses, 0);
    ck_assert_uint_eq(inspect_kernel(access_sim(run))->faults_minor, 0);
    touch(run, NULL, 0, ACCESS_READ);
    ck_assert_uint_eq(counted(run)->accesses, 0);
    access_close(run);
}
END_TEST

/* From the first page to the last, and into what the program's image, heap and stack hold. */
START_TEST(far_apart_pages)
{
    static const va_t va[] = {0x1000,         0x555555554000, 0x55555555a000,
                              0x7ffff7d80000, 0x7fffffffe000, 0x7fffffffefff};
    for (enum access how = ACCESS_READ; how <= ACCESS_FETCH; how++) {
        struct access_run *run = open_with(NULL);
        touch(run, va, ARRAY_LEN(va), how);
        ck_assert_uint_eq(inspect_kernel(access_sim(run))->faults_minor, 5);
        access_close(run);
    }
}
END_TEST

/* Batches are for speed: they change no figure. */
START_TEST(one_by_one_counts_the_same)
{
    va_t va[1000];
    struct access_run *batch = open_with(NULL);
    struct access_run *single = open_with(NULL);
    struct error e = {0};
    for (size_t i = 0; i < ARRAY_LEN(va); i++)
        va[i] = BASE + (i * i * 37 % 300) * PAGE_SIZE + i;
    touch(batch, va, ARRAY_LEN(va), ACCESS_WRITE);
    for (size_t i = 0; i < ARRAY_LEN(va); i++)
        ck_assert_int_eq(access_bytes(single, va[i], 1, ACCESS_WRITE, &e), ERR_NONE);
    ck_assert_mem_eq(counted(batch), counted(single), sizeof(struct mmu_counters));
    ck_assert_uint_eq(inspect_cycles(access_sim(batch)), inspect_cycles(access_sim(single)));
    access_close(batch);
    access_close(single);
}
END_TEST

/* Pages are mapped just before their first access, so the counts are those of plain simulators. */
START_TEST(counts_are_the_references)
{
    static va_t va[STREAM];
    struct access_run *run = open_with(NULL);
    struct rng rng = {7};
    struct reference r;
    reference_open(&r, &inspect_config(access_sim(run))->mmu, rng);
    for (size_t i = 0; i < STREAM; i++) {
        uint64_t page = rng_below(&rng, i % 3 ? 100 : 4000);
        va[i] = BASE + page * PAGE_SIZE;
        reference_access(&r, va[i] / PAGE_SIZE);
    }
    touch(run, va, STREAM, ACCESS_WRITE);
    const struct mmu_counters *c = counted(run);
    uint64_t faults = inspect_kernel(access_sim(run))->faults_minor;
    ck_assert_uint_gt(faults, 1000);
    ck_assert_uint_eq(c->accesses, STREAM);
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        ck_assert_uint_eq(c->tlb[level].hits, r.level[level].hits);
        ck_assert_uint_eq(c->tlb[level].misses, r.level[level].misses);
        ck_assert_uint_eq(c->tlb[level].evictions, r.level[level].evictions);
    }
    ck_assert_uint_eq(c->walks, r.level[TLB_L2].misses);
    reference_close(&r);
    access_close(run);
}
END_TEST

START_TEST(across_pages)
{
    struct access_run *run = open_with(NULL);
    struct error e = {0};
    ck_assert_int_eq(access_bytes(run, BASE + PAGE_SIZE - 4, 8, ACCESS_WRITE, &e), ERR_NONE);
    ck_assert_uint_eq(inspect_kernel(access_sim(run))->faults_minor, 2);
    ck_assert_int_eq(access_bytes(run, BASE + 2 * PAGE_SIZE, 3 * PAGE_SIZE, ACCESS_READ, &e),
                     ERR_NONE);
    ck_assert_uint_eq(inspect_kernel(access_sim(run))->faults_minor, 5);
    access_close(run);
}
END_TEST

START_TEST(addresses_that_no_program_has)
{
    static const struct {
        va_t va;
        const char *text;
    } bad[] = {{0, "0x0 "},
               {UINT64_C(1) << 47, "0x800000000000 "},
               {UINT64_C(0xffff800000000000), "0xffff800000000000 "},
               {UINT64_MAX, "0xffffffffffffffff "}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct access_run *run = open_with(NULL);
        struct error e = {0};
        const va_t va[] = {BASE, BASE + 8, bad[i].va, BASE + 16};
        size_t done = 99;
        ck_assert_int_eq(access_touch(run, va, ARRAY_LEN(va), ACCESS_READ, &done, &e), ERR_VALUE);
        ck_assert_uint_eq(done, 2);
        ck_assert_msg(strstr(e.reason, bad[i].text), "%s", e.reason);
        ck_assert_int_eq(access_bytes(run, bad[i].va, 1, ACCESS_WRITE, &e), ERR_VALUE);
        touch(run, va, 2, ACCESS_READ); /* the machine is as good as before */
        access_close(run);
    }
}
END_TEST

START_TEST(no_frame_is_left)
{
    struct access_run *run = open_with("ram=4M");
    struct error e = {0};
    enum err err = ERR_NONE;
    size_t pages = 0;
    for (; !err && pages < 2048; pages++)
        err = access_bytes(run, BASE + pages * PAGE_SIZE, 1, ACCESS_WRITE, &e);
    ck_assert_int_eq(err, ERR_LIMIT);
    ck_assert_str_eq(e.field, "ram");
    ck_assert_msg(strstr(e.reason, "more ram"), "%s", e.reason);
    ck_assert_uint_gt(pages, 100);
    access_close(run);
}
END_TEST

START_TEST(settings_that_do_not_fit)
{
    struct config config;
    struct error e = {0};
    struct access_run *run;
    config_default(&config);
    config.kernel_reserved = config.ram_bytes;
    ck_assert_int_ne(access_open(&run, &config, &e), ERR_NONE);
    ck_assert_ptr_null(run);
    ck_assert_uint_gt(strlen(e.reason), 0);
    access_close(NULL);
}
END_TEST

TEST_MAIN("access", every_user_address_has_an_area, nothing_is_counted_before_the_first,
          far_apart_pages, one_by_one_counts_the_same, counts_are_the_references, across_pages,
          addresses_that_no_program_has, no_frame_is_left, settings_that_do_not_fit)
