/* test_tlb.c: counts, lines and classes of both levels equal an independent plain reference, for
 * all policies, random geometries and streams with invalidations, by every way of access. */
#include "tests/reference.h"
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define PAGES 700u
#define BASE  UINT64_C(0x7fffff000000) /* page numbers with many bits */

static bool is_global(uint64_t page)
{
    return page % 7 == 0;
}

static va_t va_of(uint32_t i)
{
    return BASE + i * PAGE_SIZE;
}

static void map_all(struct world *w)
{
    for (uint32_t i = 0; i < PAGES; i++)
        world_map(w, va_of(i), 1, 256 + i, is_global(va_of(i) >> PAGE_SHIFT) ? PTE_G : 0);
}

static struct tlb_config random_level(struct rng *rng, uint32_t repl, bool small)
{
    static const uint32_t pow2[] = {1, 2, 4, 8, 16, 32, 64};
    struct tlb_config c = {.repl = repl, .hit_cycles = rng_below(rng, 9)};
    c.ways = repl == REPL_PLRU ? pow2[rng_below(rng, small ? 5 : 7)]
                               : 1 + rng_below(rng, small ? 16 : 70);
    c.sets = 1 + rng_below(rng, small ? 20 : 40);
    return c;
}

static void same_counts(const struct world *w, const struct reference *r, bool classes)
{
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct tlb_counters *c = &mmu_counters(w->mmu)->tlb[level];
        const struct ref_level *l = &r->level[level];
        ck_assert_uint_eq(c->lookups, l->lookups);
        ck_assert_uint_eq(c->hits, l->hits);
        ck_assert_uint_eq(c->misses, l->misses);
        ck_assert_uint_eq(c->evictions, l->evictions);
        ck_assert_uint_eq(c->invalidations, l->dropped);
        for (unsigned class = 0; class < MISS_CLASSES; class ++)
            ck_assert_uint_eq(c->by_class[class], classes ? l->by_class[class] : 0);
    }
}

static void same_lines(const struct world *w, const struct reference *r)
{
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct ref_level *l = &r->level[level];
        for (uint32_t at = 0; at < l->sets * l->ways; at++) {
            struct tlb_line line;
            mmu_tlb_line(w->mmu, level, at / l->ways, at % l->ways, &line);
            ck_assert_int_eq(line.valid, l->line[at].valid);
            if (!line.valid)
                continue;
            ck_assert_uint_eq(line.vpn, l->line[at].page);
            ck_assert_uint_eq(line.pfn, 256 + line.vpn - (BASE >> PAGE_SHIFT));
            ck_assert_uint_eq(line.page_size, PAGE_SIZE);
            ck_assert_int_eq((line.flags & TLB_GLOBAL) != 0, is_global(line.vpn));
        }
    }
}

/* Streams that loop, that jump, and that stay; so that there are hits on both levels. */
static uint32_t next_page(struct rng *rng, uint32_t before)
{
    switch (rng_below(rng, 8)) {
    case 0:
        return rng_below(rng, PAGES);
    case 1:
    case 2:
        return (before + 1) % PAGES;
    case 3:
    case 4:
        return before;
    default:
        return rng_below(rng, 24) * 29 % PAGES;
    }
}

static void some_accesses(struct world *w, struct reference *r, struct rng *rng)
{
    va_t va[300];
    size_t n = 1 + rng_below(rng, ARRAY_LEN(va));
    uint32_t page = rng_below(rng, PAGES);
    for (size_t i = 0; i < n; i++) {
        page = next_page(rng, page);
        va[i] = va_of(page) + rng_below(rng, PAGE_SIZE);
        reference_access(r, va[i] >> PAGE_SHIFT);
    }
    struct mmu_fault fault;
    if (rng_below(rng, 2)) {
        ck_assert_uint_eq(mmu_touch(w->mmu, va, n, ACCESS_READ, &fault), n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ck_assert(mmu_access(w->mmu, va[i], NULL, 1, ACCESS_READ, &fault));
}

static void one_step(struct world *w, struct reference *r, struct rng *rng)
{
    uint32_t what = rng_below(rng, 40);
    if (what == 0) {
        mmu_load_cr3(w->mmu, w->root);
        reference_flush(r, is_global);
    } else if (what < 8) {
        va_t va = va_of(rng_below(rng, PAGES));
        mmu_invlpg(w->mmu, va);
        reference_drop(r, va >> PAGE_SHIFT);
    } else {
        some_accesses(w, r, rng);
    }
}

static void compare(struct mmu_config config, struct rng *rng, unsigned steps)
{
    struct world w;
    struct reference r;
    world_open(&w, &config, 8 * MIB);
    map_all(&w);
    reference_open(&r, &config, w.env->rng);
    for (unsigned step = 0; step < steps; step++) {
        one_step(&w, &r, rng);
        same_counts(&w, &r, config.classify);
    }
    same_lines(&w, &r);
    ck_assert_uint_eq(w.env->rng.state, r.rng.state);
    reference_close(&r);
    world_close(&w);
}

START_TEST(all_policies_equal_the_reference)
{
    struct rng rng = {1};
    for (unsigned round = 0; round < 60; round++) {
        struct mmu_config config = world_config();
        config.classify = rng_below(&rng, 3) == 0;
        config.front_cache = rng_below(&rng, 4) != 0;
        config.psc_entries[2] = rng_below(&rng, 2) * 4;
        config.tlb[TLB_L1D] = random_level(&rng, round % REPL_POLICIES, true);
        config.tlb[TLB_L2] = random_level(&rng, rng_below(&rng, REPL_POLICIES), false);
        compare(config, &rng, 60);
    }
}
END_TEST

/* The geometry of the fast path, power of two or not, up to 16 ways. */
START_TEST(lru_of_packed_orders_equals_the_reference)
{
    struct rng rng = {2};
    for (unsigned round = 0; round < 60; round++) {
        struct mmu_config config = world_config();
        config.tlb[TLB_L1D] = random_level(&rng, REPL_LRU, true);
        config.tlb[TLB_L2] = random_level(&rng, REPL_LRU, true);
        if (round % 2) {
            config.tlb[TLB_L1D].sets = 1u << rng_below(&rng, 5);
            config.tlb[TLB_L2].sets = 1u << rng_below(&rng, 6);
            config.tlb[TLB_L1D].ways = 1 + rng_below(&rng, 8);
            config.tlb[TLB_L2].ways = 9 + rng_below(&rng, 8);
        }
        compare(config, &rng, 120);
    }
}
END_TEST

START_TEST(one_level_alone_equals_the_reference)
{
    struct rng rng = {3};
    for (unsigned round = 0; round < 10; round++) {
        struct mmu_config config = world_config();
        config.classify = true;
        config.tlb[TLB_L1D] = random_level(&rng, round % REPL_POLICIES, true);
        config.tlb[TLB_L2].sets = 0;
        compare(config, &rng, 60);
    }
}
END_TEST

/* Pages whose short tags agree are told apart by their keys. */
START_TEST(many_pages_far_apart_are_told_apart)
{
    struct mmu_config config = world_config();
    config.tlb[TLB_L1D] = (struct tlb_config){1, 64, REPL_LRU, 1};
    config.tlb[TLB_L2] = (struct tlb_config){1, 1024, REPL_LRU, 1};
    struct world w;
    world_open(&w, &config, 64 * MIB);
    struct mmu_fault fault;
    struct rng rng = {4};
    for (uint32_t i = 0; i < 4000; i++) {
        va_t va = (rng_next(&rng) >> 17) & ~PAGE_MASK;
        if (w.next > 16000)
            break;
        world_map(&w, va, 1, i, 0);
        ck_assert(world_access(&w, va, ACCESS_READ, &fault));
        ck_assert_uint_eq(mmu_counters(w.mmu)->tlb[TLB_L1D].misses, i + 1);
    }
    world_close(&w);
}
END_TEST

TEST_MAIN("tlb", all_policies_equal_the_reference, lru_of_packed_orders_equals_the_reference,
          one_level_alone_equals_the_reference, many_pages_far_apart_are_told_apart)
