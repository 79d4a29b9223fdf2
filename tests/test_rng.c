/* test_rng.c: the generator is SplitMix64 and stays so, because every figure with chance in it
 * depends on its numbers. */
#include "sim/base/rng.h"
#include "sim/base/types.h"
#include "tests/test.h"

/* The published reference values for the seed 1234567. */
START_TEST(rng_reference)
{
    struct rng r = {1234567};
    const uint64_t expected[] = {
        UINT64_C(6457827717110365317),  UINT64_C(3203168211198807973),
        UINT64_C(9817491932198370423),  UINT64_C(4593380528125082431),
        UINT64_C(16408922859458223821),
    };
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        ck_assert_uint_eq(rng_next(&r), expected[i]);
}
END_TEST

START_TEST(rng_below_stays_below_and_is_even)
{
    struct rng r = {7};
    unsigned seen[10] = {0};
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t n = rng_below(&r, 10);
        ck_assert_uint_lt(n, 10);
        seen[n]++;
    }
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_uint_gt(seen[i], 9500);
        ck_assert_uint_lt(seen[i], 10500);
    }
}
END_TEST

START_TEST(rng_below_edges)
{
    struct rng r = {99};
    for (unsigned i = 0; i < 1000; i++)
        ck_assert_uint_eq(rng_below(&r, 1), 0);
    uint32_t high = 0;
    for (unsigned i = 0; i < 1000; i++)
        high = (uint32_t)max_u64(high, rng_below(&r, UINT32_MAX));
    ck_assert_uint_gt(high, UINT32_MAX / 100 * 99);
}
END_TEST

START_TEST(rng_same_seed_same_numbers)
{
    struct rng a = {42};
    struct rng b = {42};
    struct rng c = {43};
    unsigned differ = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t n = rng_next(&a);
        ck_assert_uint_eq(n, rng_next(&b));
        differ += n != rng_next(&c);
    }
    ck_assert_uint_eq(differ, 1000);
}
END_TEST

TEST_MAIN("rng", rng_reference, rng_below_stays_below_and_is_even, rng_below_edges,
          rng_same_seed_same_numbers)
