/* test_repl.c: each policy throws out what its definition says; ranks foretell the next victim. */
#include "mmu/repl.h"
#include "tests/test.h"

#include <string.h>

#define WORDS 513u /* of the order of 1024 ways */

static void start(enum repl_policy policy, uint64_t *set, uint32_t ways)
{
    const struct repl_ops *ops = repl_for(policy, ways);
    memset(set, 0, WORDS * sizeof(*set));
    ck_assert_uint_le(ops->words(ways), WORDS);
    ops->init(set, ways);
    for (uint32_t way = 0; way < ways; way++)
        ops->fill(set, ways, way);
}

static uint32_t victim(enum repl_policy policy, uint64_t *set, uint32_t ways)
{
    struct rng rng = {1};
    return repl_for(policy, ways)->victim(set, ways, &rng);
}

static void hit(enum repl_policy policy, uint64_t *set, uint32_t ways, uint32_t way)
{
    repl_for(policy, ways)->hit(set, ways, way);
}

START_TEST(every_policy_has_a_name_and_a_line)
{
    for (unsigned i = 0; i < REPL_POLICIES; i++) {
        ck_assert_uint_gt(strlen(repl_name[i]), 0);
        ck_assert_uint_gt(strlen(repl_doc[i]), 0);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(repl_name[i], repl_name[j]);
    }
}
END_TEST

START_TEST(lru_goes_by_use_and_fifo_by_filling)
{
    uint64_t set[WORDS];
    static const uint32_t counts[] = {4, 12, 16, 17, 64, 1024};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        uint32_t ways = counts[i];
        start(REPL_LRU, set, ways);
        hit(REPL_LRU, set, ways, 0);
        hit(REPL_LRU, set, ways, 2);
        ck_assert_uint_eq(victim(REPL_LRU, set, ways), 1);
        start(REPL_FIFO, set, ways);
        hit(REPL_FIFO, set, ways, 0);
        ck_assert_uint_eq(victim(REPL_FIFO, set, ways), 0);
        repl_for(REPL_FIFO, ways)->fill(set, ways, 0);
        ck_assert_uint_eq(victim(REPL_FIFO, set, ways), 1);
    }
}
END_TEST

/* Four ways: used 0 1 2 3, then 0: the bits point right, and there to way 2. */
START_TEST(plru_follows_the_bits_away_from_the_last_use)
{
    uint64_t set[WORDS];
    start(REPL_PLRU, set, 4);
    ck_assert_uint_eq(victim(REPL_PLRU, set, 4), 0);
    hit(REPL_PLRU, set, 4, 0);
    ck_assert_uint_eq(victim(REPL_PLRU, set, 4), 2);
    hit(REPL_PLRU, set, 4, 2);
    ck_assert_uint_eq(victim(REPL_PLRU, set, 4), 1);
    hit(REPL_PLRU, set, 4, 1); /* true LRU would throw out 3 now, and so does the tree */
    ck_assert_uint_eq(victim(REPL_PLRU, set, 4), 3);
}
END_TEST

START_TEST(srrip_distrusts_what_never_hit)
{
    uint64_t set[WORDS];
    start(REPL_SRRIP, set, 40);
    for (uint32_t way = 0; way < 40; way++)
        if (way != 35)
            hit(REPL_SRRIP, set, 40, way);
    ck_assert_uint_eq(victim(REPL_SRRIP, set, 40), 35);
    hit(REPL_SRRIP, set, 40, 35); /* the others are one older by now */
    ck_assert_uint_eq(victim(REPL_SRRIP, set, 40), 0);
}
END_TEST

/* Three ways: used 0 1 2, so only the last bit is left; then 0, then 1 clears all but itself. */
START_TEST(nru_spares_what_was_used_since_the_bits_were_cleared)
{
    uint64_t set[WORDS];
    start(REPL_NRU, set, 3);
    ck_assert_uint_eq(victim(REPL_NRU, set, 3), 0);
    hit(REPL_NRU, set, 3, 0);
    ck_assert_uint_eq(victim(REPL_NRU, set, 3), 1);
    hit(REPL_NRU, set, 3, 1);
    ck_assert_uint_eq(victim(REPL_NRU, set, 3), 0);
    hit(REPL_NRU, set, 3, 0);
    ck_assert_uint_eq(victim(REPL_NRU, set, 3), 2);
    start(REPL_NRU, set, 1);
    ck_assert_uint_eq(victim(REPL_NRU, set, 1), 0);
    start(REPL_NRU, set, 130);
    hit(REPL_NRU, set, 130, 0);
    ck_assert_uint_eq(victim(REPL_NRU, set, 130), 1);
}
END_TEST

START_TEST(random_meets_every_way)
{
    uint64_t set[WORDS];
    struct rng rng = {3};
    unsigned met[6] = {0};
    start(REPL_RANDOM, set, 6);
    for (unsigned i = 0; i < 6000; i++)
        met[repl_for(REPL_RANDOM, 6)->victim(set, 6, &rng)]++;
    for (unsigned way = 0; way < 6; way++)
        ck_assert(met[way] > 800 && met[way] < 1200);
}
END_TEST

START_TEST(rank_0_is_the_next_victim_and_ranks_are_an_order)
{
    static const enum repl_policy ordered[] = {REPL_LRU, REPL_FIFO, REPL_PLRU, REPL_SRRIP,
                                               REPL_NRU};
    uint64_t set[WORDS];
    struct rng rng = {4};
    for (size_t p = 0; p < ARRAY_LEN(ordered); p++) {
        for (uint32_t ways = 2; ways <= 32; ways *= 2) {
            const struct repl_ops *ops = repl_for(ordered[p], ways);
            start(ordered[p], set, ways);
            for (unsigned i = 0; i < 100; i++) {
                hit(ordered[p], set, ways, rng_below(&rng, ways));
                uint64_t seen = 0;
                uint32_t first = 0;
                for (uint32_t way = 0; way < ways; way++) {
                    seen |= (uint64_t)1 << ops->rank(set, ways, way);
                    first = ops->rank(set, ways, way) ? first : way;
                }
                ck_assert_uint_eq(seen, ((uint64_t)1 << ways) - 1);
                ck_assert_uint_eq(first, victim(ordered[p], set, ways));
                ops->fill(set, ways, first);
            }
        }
    }
}
END_TEST

TEST_MAIN("repl", every_policy_has_a_name_and_a_line, lru_goes_by_use_and_fifo_by_filling,
          plru_follows_the_bits_away_from_the_last_use, srrip_distrusts_what_never_hit,
          nru_spares_what_was_used_since_the_bits_were_cleared, random_meets_every_way,
          rank_0_is_the_next_victim_and_ranks_are_an_order)
