/* test_opt.c: Belady's bound against a search through all replacements, and against every policy.
 */
#include "mmu/opt.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define BASE UINT64_C(0x7ffff0000000)

/* ---- the fewest misses, found by trying everything ---- */

#define STREAM_MAX 12u

struct step {
    bool drop;
    unsigned page;
};

/* held: the pages of one set of `ways` ways, a bit each. */
static unsigned try_all(const struct step *step, unsigned n, unsigned held, unsigned ways)
{
    if (!n)
        return 0;
    unsigned bit = 1u << step->page;
    if (step->drop)
        return try_all(step + 1, n - 1, held & ~bit, ways);
    if (held & bit)
        return try_all(step + 1, n - 1, held, ways);
    if ((unsigned)__builtin_popcount(held) < ways)
        return 1 + try_all(step + 1, n - 1, held | bit, ways);
    unsigned best = STREAM_MAX + 1;
    for (unsigned out = 0; out < 8; out++) {
        if (!(held >> out & 1))
            continue;
        unsigned misses = 1 + try_all(step + 1, n - 1, (held & ~(1u << out)) | bit, ways);
        best = misses < best ? misses : best;
    }
    return best;
}

static uint64_t bound(const struct step *step, unsigned n, unsigned ways)
{
    struct arena *arena = arena_new(MIB);
    struct tlb tlb = {.ops = NULL};
    struct tlb_config config = {.sets = 1, .ways = ways, .repl = REPL_LRU};
    CHECK(arena && tlb_init(&tlb, arena, &config));
    struct opt *o = opt_new(arena, &tlb, 1000);
    CHECK(o);
    for (unsigned i = 0; i < n; i++) {
        uint64_t key = key_make(BASE + step[i].page * PAGE_SIZE, SIZE_4K, 0);
        if (step[i].drop)
            opt_drop(o, key);
        else
            opt_use(o, key);
    }
    uint64_t misses = 0;
    ck_assert(opt_misses(o, &misses));
    arena_destroy(arena);
    return misses;
}

START_TEST(no_choice_is_better)
{
    struct rng rng = {31};
    for (unsigned round = 0; round < 2000; round++) {
        struct step step[STREAM_MAX];
        unsigned ways = 1 + rng_below(&rng, 4);
        for (unsigned i = 0; i < STREAM_MAX; i++)
            step[i] = (struct step){rng_below(&rng, 8) == 0, rng_below(&rng, 6)};
        if (bound(step, STREAM_MAX, ways) != try_all(step, STREAM_MAX, 0, ways))
            ck_abort_msg("round %u: not the fewest", round);
    }
}
END_TEST

/* A loop over one page more than there are ways: LRU always misses, the best keeps all but one. */
START_TEST(a_loop_just_too_long)
{
    struct step step[5 * 100];
    for (unsigned i = 0; i < ARRAY_LEN(step); i++)
        step[i] = (struct step){false, i % 5};
    uint64_t misses = bound(step, ARRAY_LEN(step), 4);
    ck_assert_uint_eq(misses, 5 + (ARRAY_LEN(step) - 5) / 4);
}
END_TEST

/* ---- in the MMU ---- */

static uint64_t misses_of(uint32_t repl, uint64_t seed, unsigned level, uint64_t *best)
{
    struct mmu_config config = world_config();
    struct rng rng = {seed};
    struct world w;
    config.tlb[TLB_L1D] = (struct tlb_config){4, 4, repl, 1};
    config.tlb[TLB_L2] = (struct tlb_config){8, 4, repl, 7};
    config.opt = true;
    config.opt_limit = 100000;
    world_open(&w, &config, 8 * MIB);
    for (uint32_t i = 0; i < 90; i++)
        world_map(&w, BASE + i * PAGE_SIZE, 1, 300 + i, 0);
    struct mmu_fault fault;
    for (unsigned i = 0; i < 4000; i++) {
        uint32_t page = rng_below(&rng, 1 + rng_below(&rng, 100)); /* some are not mapped */
        mmu_access(w.mmu, BASE + page * PAGE_SIZE, NULL, 1,
                   rng_below(&rng, 3) ? ACCESS_READ : ACCESS_WRITE, &fault);
        if (rng_below(&rng, 50) == 0)
            mmu_invlpg(w.mmu, BASE + rng_below(&rng, 90) * PAGE_SIZE);
    }
    ck_assert(mmu_opt_misses(w.mmu, level, best));
    uint64_t misses = mmu_counters(w.mmu)->tlb[level].misses;
    world_close(&w);
    return misses;
}

START_TEST(no_policy_is_better)
{
    for (uint64_t seed = 1; seed < 8; seed++) {
        for (uint32_t repl = 0; repl < REPL_POLICIES; repl++) {
            uint64_t best;
            ck_assert_uint_gt(misses_of(repl, seed, TLB_L2, &best), best);
            ck_assert_uint_gt(misses_of(repl, seed, TLB_L1D, &best), best);
        }
    }
}
END_TEST

START_TEST(too_long_a_record_is_no_bound)
{
    struct mmu_config config = world_config();
    struct world w;
    uint64_t best;
    world_open(&w, &config, 8 * MIB);
    ck_assert(!mmu_opt_misses(w.mmu, TLB_L1D, &best)); /* not configured */
    world_close(&w);
    config.opt = true;
    config.opt_limit = 1500;
    world_open(&w, &config, 8 * MIB);
    for (uint32_t i = 0; i < 4; i++)
        world_map(&w, BASE + i * 16 * PAGE_SIZE, 1, 300 + i, 0);
    struct mmu_fault fault;
    for (unsigned i = 0; i < 1000; i++)
        mmu_access(w.mmu, BASE + i % 4 * 16 * PAGE_SIZE, NULL, 1, ACCESS_READ, &fault);
    ck_assert(mmu_opt_misses(w.mmu, TLB_L1D, &best));
    ck_assert_uint_eq(best, 4);
    for (unsigned i = 0; i < 4000; i++)
        mmu_access(w.mmu, BASE + i % 4 * 16 * PAGE_SIZE, NULL, 1, ACCESS_READ, &fault);
    ck_assert(!mmu_opt_misses(w.mmu, TLB_L1D, &best));
    world_close(&w);
}
END_TEST

TEST_MAIN("opt", no_choice_is_better, a_loop_just_too_long, no_policy_is_better,
          too_long_a_record_is_no_bound)
