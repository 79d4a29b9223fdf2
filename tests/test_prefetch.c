/* test_prefetch.c: guesses of the TLB prefetchers, and how much of walks is waited for. */
#include "mmu/core.h"
#include "sim/base/check.h"
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define RAM_BYTES (8 * MIB)
#define BASE      UINT64_C(0x7ffff0000000)
#define PAGES     200u

static struct world w;
static struct mmu_config config;

static void start(uint32_t prefetch, uint32_t entries)
{
    config = world_config();
    config.tlb[TLB_L1D] = (struct tlb_config){1, 1, REPL_LRU, 1};
    config.tlb[TLB_L2].sets = 0;
    config.prefetch = prefetch;
    config.prefetch_entries = entries;
    config.walkers = 1;
}

/* All pages, accessed before, but for the last one. */
static void go(void)
{
    world_open(&w, &config, RAM_BYTES);
    for (uint32_t i = 0; i <= PAGES; i++)
        world_map(&w, BASE + i * PAGE_SIZE, 1, 300 + i, i < PAGES ? PTE_A : 0);
    struct mmu_fault fault;
    ck_assert(mmu_access(w.mmu, BASE, NULL, 1, ACCESS_READ, &fault)); /* A in the upper levels */
    mmu_invlpg(w.mmu, BASE);
}

static struct mmu_counters count(void)
{
    return *mmu_counters(w.mmu);
}

static void touch(uint32_t page, enum access how)
{
    struct mmu_fault fault;
    ck_assert(mmu_access(w.mmu, BASE + page * PAGE_SIZE, NULL, 1, how, &fault));
}

START_TEST(next_page_serves_a_sweep)
{
    start(PREFETCH_NEXT, 4);
    go();
    uint64_t walks = count().walks;
    for (uint32_t i = 0; i < PAGES; i++)
        touch(i, ACCESS_READ);
    ck_assert_uint_eq(count().walks - walks, 1); /* only the first page's */
    ck_assert_uint_eq(count().prefetch.useful, PAGES - 1);
    ck_assert_uint_eq(count().prefetch.useless, 0);
    ck_assert_uint_eq(count().prefetch.given_up, 1); /* the last page's A is clear */
    ck_assert_uint_eq(count().tlb[TLB_L1D].misses, 1 + PAGES);
    world_close(&w);
}
END_TEST

/* 0 3 5 8 10 …: distances 3 and 2 take turns; from the fourth on each is foretold. */
START_TEST(distances_that_take_turns_are_learnt)
{
    start(PREFETCH_DISTANCE, 4);
    go();
    touch(0, ACCESS_READ);
    uint64_t walks = count().walks;
    uint32_t page = 0;
    for (unsigned i = 1; i < 60; i++)
        touch(page += i % 2 ? 3 : 2, ACCESS_READ);
    ck_assert_uint_eq(count().walks - walks, 3);
    ck_assert_uint_eq(count().prefetch.useful, 59 - 3);
    world_close(&w);
}
END_TEST

/* A prefetch sets nothing and faults nowhere: not at the end of what is mapped, not where A is
 * clear. */
START_TEST(a_prefetch_leaves_tables_alone)
{
    start(PREFETCH_NEXT, 4);
    go();
    pa_t entry = world_entry(&w, w.root, BASE + PAGES * PAGE_SIZE, 1);
    pte_t before = ram_read64(w.ram, entry);
    uint64_t marks = count().ad_writes;
    touch(PAGES - 1, ACCESS_READ);
    ck_assert_uint_eq(ram_read64(w.ram, entry), before);
    ck_assert_uint_eq(count().ad_writes, marks);
    touch(PAGES, ACCESS_READ); /* what follows is not mapped */
    ck_assert_uint_eq(count().faults, 0);
    ck_assert_uint_eq(count().prefetch.given_up, 2);
    ck_assert_uint_eq(count().prefetch.fills, 1); /* behind page 0, before the INVLPG */
    world_close(&w);
}
END_TEST

/* What the buffer has is forgotten by INVLPG, and is not used where its rights do not suffice. */
START_TEST(stale_or_weak_prefetches_are_not_used)
{
    start(PREFETCH_NEXT, 4);
    go();
    touch(10, ACCESS_READ);
    pa_t entry = world_entry(&w, w.root, BASE + 11 * PAGE_SIZE, 1);
    ram_write64(w.ram, entry, 0);
    mmu_invlpg(w.mmu, BASE + 11 * PAGE_SIZE);
    struct mmu_fault fault;
    ck_assert(!mmu_access(w.mmu, BASE + 11 * PAGE_SIZE, NULL, 1, ACCESS_READ, &fault));
    uint64_t useless = count().prefetch.useless, walks = count().walks;
    touch(20, ACCESS_READ);
    touch(21, ACCESS_WRITE); /* fetched, but not dirty */
    ck_assert_uint_eq(count().walks - walks, 2);
    ck_assert_uint_eq(count().prefetch.useless, useless + 1);
    ck_assert(ram_read64(w.ram, world_entry(&w, w.root, BASE + 21 * PAGE_SIZE, 1)) & PTE_D);
    touch(30, ACCESS_READ);
    ck_assert(mmu_write_cr3(w.mmu, w.root));
    walks = count().walks;
    touch(31, ACCESS_READ);
    ck_assert_uint_eq(count().walks - walks, 1);
    world_close(&w);
}
END_TEST

START_TEST(the_buffer_goes_first_in_first_out)
{
    start(PREFETCH_NEXT, 2);
    go();
    touch(10, ACCESS_READ); /* page 1 is there already */
    touch(20, ACCESS_READ); /* page 1 leaves */
    touch(30, ACCESS_READ); /* 11 leaves */
    ck_assert_uint_eq(count().prefetch.useless, 2);
    uint64_t walks = count().walks;
    touch(21, ACCESS_READ);
    ck_assert_uint_eq(count().walks, walks);
    touch(11, ACCESS_READ);
    ck_assert_uint_eq(count().walks, walks + 1);
    world_close(&w);
}
END_TEST

/* ---- walkers ---- */

START_TEST(one_walker_after_the_other)
{
    struct walkers k = {.count = 1, .window = 2};
    ck_assert(!walkers_walk(&k, 1, 100, 50));         /* until 150 */
    ck_assert(walkers_walk(&k, 2, 104, 50));          /* until 200: it had to wait */
    ck_assert_uint_eq(walkers_begin(&k, 3, 108), 0);  /* 1 and 2 may be under way */
    ck_assert_uint_eq(walkers_begin(&k, 4, 110), 40); /* 1 must have ended */
    ck_assert_uint_eq(walkers_begin(&k, 5, 160), 40); /* and 2 */
    ck_assert_uint_eq(walkers_begin(&k, 90, 210), 0);
    ck_assert(!walkers_walk(&k, 90, 210, 30));
    ck_assert_uint_eq(walkers_drain(&k, 211), 29);
    ck_assert_uint_eq(walkers_drain(&k, 240), 0);
}
END_TEST

START_TEST(two_walkers_side_by_side)
{
    struct walkers k = {.count = 2, .window = 8};
    ck_assert(!walkers_walk(&k, 1, 100, 50));
    ck_assert(!walkers_walk(&k, 2, 100, 20));
    ck_assert(walkers_walk(&k, 3, 100, 50)); /* behind the second, until 170 */
    ck_assert_uint_eq(walkers_drain(&k, 100), 70);
}
END_TEST

static cycles_t walk_time(uint32_t walkers, uint32_t window)
{
    start(PREFETCH_OFF, 0);
    config.walkers = walkers;
    config.walk_window = window;
    go();
    cycles_t before = count().cycles_walk;
    for (uint32_t i = 0; i < PAGES; i++)
        touch(i, ACCESS_READ);
    cycles_t time = count().cycles_walk - before;
    uint64_t all = count().cycles_walks_all;
    ck_assert_uint_eq(all != 0, window != 0);
    ck_assert_uint_eq(w.env->cycle, count().cycles_walk + count().cycles_data + count().cycles_tlb);
    world_close(&w);
    return time;
}

START_TEST(more_walkers_hide_more)
{
    cycles_t full = walk_time(1, 0);
    ck_assert_uint_eq(full, PAGES * 4 * 14);
    ck_assert_uint_eq(walk_time(8, 0), full); /* each walk is waited for */
    ck_assert_uint_lt(walk_time(1, 8), full);
    ck_assert_uint_lt(walk_time(2, 8), walk_time(1, 8));
    ck_assert_uint_lt(walk_time(8, 8), walk_time(2, 8));
    ck_assert_uint_lt(walk_time(16, 100), walk_time(16, 8));
}
END_TEST

START_TEST(bad_settings_are_named)
{
    const char *field, *reason;
    start(PREFETCH_NEXT, 0);
    ck_assert(!mmu_config_check(&config, &field, &reason));
    ck_assert_str_eq(field, "tlb.prefetch_entries");
    start(PREFETCH_OFF, 0);
    config.walk_window = 257;
    ck_assert(!mmu_config_check(&config, &field, &reason));
    ck_assert_str_eq(field, "walk.window");
    config.walk_window = 1;
    config.walkers = 17;
    ck_assert(!mmu_config_check(&config, &field, &reason));
    ck_assert_str_eq(field, "walk.walkers");
}
END_TEST

TEST_MAIN("prefetch", next_page_serves_a_sweep, distances_that_take_turns_are_learnt,
          a_prefetch_leaves_tables_alone, stale_or_weak_prefetches_are_not_used,
          the_buffer_goes_first_in_first_out, one_walker_after_the_other, two_walkers_side_by_side,
          more_walkers_hide_more, bad_settings_are_named)
