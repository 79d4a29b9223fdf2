/* test_thp.c: huge pages: when they come, what splits them, that the bytes stay the same whatever
 * happens, and that nothing is lost when memory runs out in the middle.
 */
#include "kernel/process.h"
#include "tests/kernel_rig.h"

#define P    PAGE_SIZE
#define RW   (LX_PROT_READ | LX_PROT_WRITE)
#define BASE (64 * GIB)

static void rig_start(struct rig *r, enum thp_mode mode, uint64_t ram)
{
    struct kernel_config config = rig_config();
    config.thp = mode;
    rig_open(r, ram, &config);
}

/* size bytes at BASE, and MADV_HUGEPAGE. */
static void map_huge(struct rig *r, uint64_t size)
{
    ck_assert_int_eq(rig_mmap(r, BASE, size, RW, LX_MAP_PRIVATE | LX_MAP_FIXED), BASE);
    ck_assert_int_eq(rig_call(r, LX_NR_madvise, BASE, size, LX_MADV_HUGEPAGE, 0, 0), 0);
}

static uint64_t huge(struct rig *r, uint16_t pid)
{
    rig_check(r);
    return rig_process(r, pid).huge;
}

static int64_t advise(struct rig *r, va_t at, uint64_t size, uint64_t advice)
{
    return rig_call(r, LX_NR_madvise, at, size, advice, 0, 0);
}

START_TEST(who_gets_one)
{
    static const struct {
        enum thp_mode mode;
        uint64_t advice, huge;
    } cases[] = {
        {THP_NEVER, LX_MADV_HUGEPAGE, 0},   {THP_MADVISE, LX_MADV_NORMAL, 0},
        {THP_MADVISE, LX_MADV_HUGEPAGE, 1}, {THP_MADVISE, LX_MADV_NOHUGEPAGE, 0},
        {THP_ALWAYS, LX_MADV_NORMAL, 1},    {THP_ALWAYS, LX_MADV_NOHUGEPAGE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_start(&r, cases[i].mode, 64 * MIB);
        rig_mmap(&r, BASE, 4 * MIB + P, RW, LX_MAP_PRIVATE | LX_MAP_FIXED);
        advise(&r, BASE, 4 * MIB + P, cases[i].advice);
        ck_assert(rig_store(&r, BASE + 5 * P, 7));
        ck_assert_uint_eq(r.faults, 1);
        ck_assert_uint_eq(huge(&r, 1), cases[i].huge);
        ck_assert_uint_eq(rig_process(&r, 1).resident, cases[i].huge ? 512 : 1);
        ck_assert(rig_store(&r, BASE + 4 * MIB, 7)); /* the last page is not 2 MiB */
        ck_assert_uint_eq(huge(&r, 1), cases[i].huge);
        rig_close(&r);
    }
}
END_TEST

/* Reading brings the huge page of zeroes, shared by all; writing replaces it by one of its own. */
START_TEST(zeroes)
{
    struct rig r;
    rig_start(&r, THP_MADVISE, 64 * MIB);
    uint64_t free = kernel_frames_free(r.k);
    map_huge(&r, 4 * MIB);
    ck_assert_int_eq(rig_load(&r, BASE), 0);
    ck_assert_int_eq(rig_load(&r, BASE + 2 * MIB), 0);
    ck_assert_uint_eq(huge(&r, 1), 2);
    ck_assert_uint_eq(rig_process(&r, 1).resident, 0);
    ck_assert(rig_store(&r, BASE + P, 5));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(rig_process(&r, 1).resident, 512);
    ck_assert_int_eq(rig_load(&r, BASE + 2 * MIB + P), 0);
    ck_assert_uint_eq(kernel_huge_waste(r.k, 1), 511);
    ck_assert_int_eq(rig_call(&r, LX_NR_munmap, BASE, 4 * MIB, 0, 0, 0), 0);
    ck_assert_uint_eq(huge(&r, 1), 0);
    ck_assert_uint_eq(kernel_frames_free(r.k), free); /* the page of zeroes too */
    rig_close(&r);
}
END_TEST

/* Each of these needs a border inside the second huge page of three, or changes it page by page. */
START_TEST(what_splits)
{
    static const struct {
        uint64_t nr, at, size, arg, left;
    } cases[] = {
        {LX_NR_munmap, 2 * MIB + P, P, 0, 2},
        {LX_NR_mprotect, 2 * MIB + P, P, LX_PROT_READ, 2},
        {LX_NR_mprotect, 2 * MIB, 2 * MIB, LX_PROT_READ, 3},
        {LX_NR_mprotect, 2 * MIB, 2 * MIB, LX_PROT_NONE, 3},
        {LX_NR_madvise, 2 * MIB, P, LX_MADV_DONTNEED, 2},
        {LX_NR_madvise, 2 * MIB, 2 * MIB, LX_MADV_DONTNEED, 2},
        {LX_NR_madvise, 2 * MIB, P, LX_MADV_FREE, 2},
        {LX_NR_madvise, 2 * MIB, 2 * MIB, LX_MADV_FREE, 3},
        {LX_NR_madvise, 2 * MIB, 2 * MIB, LX_MADV_PAGEOUT, 2},
        {LX_NR_madvise, 2 * MIB + P, 4 * MIB - P, LX_MADV_DONTDUMP, 2},
        {LX_NR_madvise, 2 * MIB + P, P, LX_MADV_COLD, 2},
        {LX_NR_mlock, 2 * MIB + P, P, 0, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_start(&r, THP_MADVISE, 64 * MIB);
        map_huge(&r, 6 * MIB);
        for (unsigned k = 0; k < 3; k++)
            ck_assert(rig_store(&r, BASE + k * 2 * MIB + 9 * P, (uint8_t)(k + 1)));
        ck_assert_uint_eq(huge(&r, 1), 3);
        ck_assert_int_eq(
            rig_call(&r, cases[i].nr, BASE + cases[i].at, cases[i].size, cases[i].arg, 0, 0), 0);
        ck_assert_msg(huge(&r, 1) == cases[i].left, "case %zu: %llu huge pages", i,
                      (unsigned long long)huge(&r, 1));
        ck_assert_int_eq(rig_load(&r, BASE + 9 * P), 1);
        rig_close(&r);
    }
}
END_TEST

/* A write after fork copies 4 KiB, not 2 MiB; who is alone keeps all of it. */
START_TEST(forked)
{
    struct rig r;
    rig_start(&r, THP_MADVISE, 64 * MIB);
    map_huge(&r, 2 * MIB);
    ck_assert(rig_store(&r, BASE, 1) && rig_store(&r, BASE + P, 2));
    int64_t child = rig_call(&r, LX_NR_fork, 0, 0, 0, 0, 0);
    ck_assert_int_gt(child, 0);
    ck_assert_uint_eq(huge(&r, (uint16_t)child), 1);
    uint64_t data = kernel_counters(r.k)->frames_data;
    kernel_switch(r.k, &r.cpu[0], (uint16_t)child);
    ck_assert(rig_store(&r, BASE, 9));
    ck_assert_uint_eq(r.faults, 1);
    ck_assert_uint_eq(huge(&r, (uint16_t)child), 0);
    ck_assert_uint_eq(huge(&r, 1), 1);
    ck_assert_uint_eq(kernel_counters(r.k)->frames_data - data, 1);
    ck_assert_int_eq(rig_load(&r, BASE + P), 2);
    kernel_exit(r.k, &r.cpu[0], (uint16_t)child);
    kernel_switch(r.k, &r.cpu[0], 1);
    ck_assert(rig_store(&r, BASE + P, 3)); /* nobody else is left */
    ck_assert_uint_eq(huge(&r, 1), 1);
    ck_assert_int_eq(rig_load(&r, BASE), 1);
    rig_close(&r);
}
END_TEST

START_TEST(moved)
{
    const uint64_t fixed = LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED;
    struct rig r;
    rig_start(&r, THP_MADVISE, 64 * MIB);
    map_huge(&r, 4 * MIB);
    ck_assert(rig_store(&r, BASE, 1) && rig_store(&r, BASE + 2 * MIB, 2));
    va_t to = 2 * BASE;
    ck_assert_int_eq(rig_call(&r, LX_NR_mremap, BASE, 4 * MIB, 4 * MIB, fixed, to), (int64_t)to);
    ck_assert_uint_eq(huge(&r, 1), 2);
    ck_assert_int_eq(rig_load(&r, to + 2 * MIB), 2);
    ck_assert_int_eq(rig_call(&r, LX_NR_mremap, to, 4 * MIB, 4 * MIB, fixed, BASE + P),
                     (int64_t)(BASE + P));
    ck_assert_uint_eq(huge(&r, 1), 0);
    ck_assert_int_eq(rig_load(&r, BASE + P), 1);
    ck_assert_int_eq(rig_load(&r, BASE + P + 2 * MIB), 2);
    rig_close(&r);
}
END_TEST

/* ---- collapse ---- */

START_TEST(collapsed_on_demand)
{
    struct rig r;
    rig_start(&r, THP_NEVER, 64 * MIB);
    rig_mmap(&r, BASE, 4 * MIB, RW, LX_MAP_PRIVATE | LX_MAP_FIXED);
    ck_assert_int_eq(advise(&r, BASE, 2 * MIB, LX_MADV_COLLAPSE), -LX_EINVAL); /* never written */
    for (unsigned i = 0; i < 512; i += 3)
        ck_assert(rig_store(&r, BASE + i * P, (uint8_t)(i % 200 + 1)));
    ck_assert_int_eq(advise(&r, BASE, 2 * MIB, LX_MADV_COLLAPSE), 0);
    ck_assert_uint_eq(huge(&r, 1), 1);
    for (unsigned i = 0; i < 512; i++)
        ck_assert_int_eq(rig_load(&r, BASE + i * P), i % 3 ? 0 : (int)(i % 200 + 1));
    ck_assert_int_eq(advise(&r, BASE, 4 * MIB, LX_MADV_COLLAPSE), -LX_EINVAL); /* half is empty */
    ck_assert_int_eq(advise(&r, BASE, 2 * MIB, LX_MADV_COLLAPSE), 0);
    rig_close(&r);
}
END_TEST

START_TEST(collapsed_in_the_background)
{
    struct rig r;
    rig_start(&r, THP_MADVISE, 64 * MIB);
    rig_mmap(&r, BASE, 6 * MIB, RW, LX_MAP_PRIVATE | LX_MAP_FIXED);
    for (unsigned k = 0; k < 3; k++)
        ck_assert(rig_store(&r, BASE + k * 2 * MIB, (uint8_t)(k + 1)));
    kernel_khugepaged(r.k, 4096);
    ck_assert_uint_eq(huge(&r, 1), 0); /* nobody asked */
    advise(&r, BASE, 6 * MIB, LX_MADV_HUGEPAGE);
    kernel_khugepaged(r.k, 512);
    ck_assert_uint_eq(huge(&r, 1), 1); /* a stretch at a time */
    kernel_khugepaged(r.k, 4096);
    ck_assert_uint_eq(huge(&r, 1), 3);
    for (unsigned k = 0; k < 3; k++)
        ck_assert_int_eq(rig_load(&r, BASE + k * 2 * MIB), (int)(k + 1));
    rig_close(&r);
}
END_TEST

/* ---- whatever happens, the bytes stay ---- */

#define PAGES (5u * 512)

struct play {
    struct rig r;
    struct rng rng;
    uint8_t byte[PAGES];
    bool mapped[PAGES];
};

static void some_range(struct play *g, unsigned *at, unsigned *n)
{
    *at = rng_below(&g->rng, PAGES);
    *n = 1 + rng_below(&g->rng, rng_below(&g->rng, 2) ? 8 : 1200);
    if (rng_below(&g->rng, 3) == 0) {
        *at &= ~511u;
        *n = 512;
    }
    if (*n > PAGES - *at)
        *n = PAGES - *at;
}

static void play_one(struct play *g)
{
    unsigned at, n;
    some_range(g, &at, &n);
    va_t va = BASE + at * P;
    switch (rng_below(&g->rng, 8)) {
    case 0:
        rig_call(&g->r, LX_NR_munmap, va, n * P, 0, 0, 0);
        memset(g->mapped + at, 0, n);
        break;
    case 1:
        rig_mmap(&g->r, va, n * P, RW, LX_MAP_PRIVATE | LX_MAP_FIXED);
        advise(&g->r, va, n * P, LX_MADV_HUGEPAGE);
        memset(g->mapped + at, 1, n);
        memset(g->byte + at, 0, n);
        break;
    case 2:
        advise(&g->r, va, n * P, LX_MADV_DONTNEED);
        memset(g->byte + at, 0, n);
        break;
    case 3:
        advise(&g->r, va, n * P, rng_below(&g->rng, 2) ? LX_MADV_COLLAPSE : LX_MADV_PAGEOUT);
        break;
    case 4:
        rig_call(&g->r, LX_NR_mprotect, va, n * P, LX_PROT_READ, 0, 0);
        rig_call(&g->r, LX_NR_mprotect, va, n * P, RW, 0, 0);
        break;
    case 5:
        kernel_khugepaged(g->r.k, 1024);
        break;
    default:
        if (rig_store(&g->r, va, (uint8_t)(at % 255 + 1)))
            g->byte[at] = (uint8_t)(at % 255 + 1);
    }
}

START_TEST(random_programs)
{
    struct play *g = calloc(1, sizeof(*g));
    uint64_t splits = 0, collapses = 0;
    rig_start(&g->r, THP_MADVISE, 64 * MIB);
    g->rng.state = (uint64_t)_i + 1;
    for (unsigned i = 0; i < 300; i++) {
        play_one(g);
        rig_check(&g->r);
    }
    for (unsigned i = 0; i < PAGES; i++)
        ck_assert_int_eq(rig_load(&g->r, BASE + i * P), g->mapped[i] ? g->byte[i] : -1);
    splits = kernel_counters(g->r.k)->huge_splits;
    collapses = kernel_counters(g->r.k)->huge_collapses;
    ck_assert(splits && collapses && kernel_counters(g->r.k)->huge_faults);
    rig_close(&g->r);
    free(g);
}
END_TEST

/* ---- without memory ---- */

/* true: all of it succeeded. */
static bool huge_life(struct rig *r)
{
    int64_t pid = kernel_spawn(r->k, "huge");
    if (pid < 0)
        return false;
    kernel_switch(r->k, &r->cpu[0], (uint16_t)pid);
    uint64_t fallbacks = kernel_counters(r->k)->huge_fallbacks;
    int64_t at = rig_mmap(r, BASE, 6 * MIB, RW, LX_MAP_PRIVATE | LX_MAP_FIXED);
    bool whole = at > 0 && advise(r, BASE, 6 * MIB, LX_MADV_HUGEPAGE) == 0;
    whole = rig_load(r, BASE) == 0 && rig_store(r, BASE, 1) && whole;
    whole = rig_store(r, BASE + 2 * MIB, 1) && whole;
    int64_t child = rig_call(r, LX_NR_fork, 0, 0, 0, 0, 0);
    rig_check(r);
    whole = rig_store(r, BASE + P, 2) && child > 0 && whole;
    whole = rig_call(r, LX_NR_munmap, BASE + 2 * MIB + P, P, 0, 0, 0) == 0 && whole;
    whole = advise(r, BASE, 2 * MIB, LX_MADV_COLLAPSE) == 0 && whole;
    rig_check(r);
    if (child > 0)
        kernel_exit(r->k, &r->cpu[0], (uint16_t)child);
    kernel_exit(r->k, &r->cpu[0], (uint16_t)pid);
    return whole && kernel_counters(r->k)->huge_fallbacks == fallbacks;
}

START_TEST(failing_requests)
{
    struct rig r;
    struct kernel_config config = rig_config();
    config.thp = THP_MADVISE;
    rig_hardware(&r, 64 * MIB);
    r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
    ck_assert(huge_life(&r)); /* so that lists have their size */
    uint64_t free = kernel_frames_free(r.k), used = arena_used(r.arena), failures = 0;
    for (uint64_t n = 1; n < 150; n++) {
        arena_fail_at(r.arena, n);
        failures += !huge_life(&r);
        arena_fail_at(r.arena, 0);
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        ck_assert_uint_eq(arena_used(r.arena), used);
    }
    ck_assert_uint_gt(failures, 20);
    rig_close(&r);
}
END_TEST

/* From no block of 512 frames to enough for everything. */
START_TEST(few_frames)
{
    struct kernel_config config = rig_config();
    config.reserved_frames = 8;
    config.thp = THP_MADVISE;
    bool whole = false;
    unsigned failures = 0;
    for (uint64_t frames = 40; !whole; frames += frames % 512 < 64 ? 1 : 37) {
        struct rig r;
        rig_hardware(&r, frames * P);
        r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
        ck_assert_ptr_nonnull(r.k);
        uint64_t free = kernel_frames_free(r.k);
        whole = huge_life(&r);
        failures += !whole;
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        rig_close(&r);
    }
    ck_assert_uint_gt(failures, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("thp");
    TCase *all = tcase_create("thp");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, who_gets_one);
    tcase_add_test(all, zeroes);
    tcase_add_test(all, what_splits);
    tcase_add_test(all, forked);
    tcase_add_test(all, moved);
    tcase_add_test(all, collapsed_on_demand);
    tcase_add_test(all, collapsed_in_the_background);
    tcase_add_loop_test(all, random_programs, 0, 4);
    tcase_add_test(all, failing_requests);
    tcase_add_test(all, few_frames);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
