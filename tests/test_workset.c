/* test_workset.c: working sets and LRU curves against counting by hand and plain simulation. */
#include "sim/workset.h"

#include "sim/base/rng.h"
#include "tests/test.h"

#include <string.h>

#define REFS  3000u
#define PAGES 200u

/* Neighbours differ, and loops come in among chance. */
static void random_string(uint32_t *page, size_t n, struct rng *rng)
{
    for (size_t i = 0; i < n; i++) {
        bool loop = i / 500 % 2;
        do
            page[i] = loop && rng_below(rng, 8) ? (uint32_t)(i % 37) : rng_below(rng, PAGES);
        while (i && page[i] == page[i - 1]);
    }
}

static struct workset *heard(const uint32_t *page, size_t n)
{
    struct workset *w = workset_new();
    ck_assert_ptr_nonnull(w);
    for (size_t i = 0; i < n; i++)
        workset_hear(w, (uint16_t)(1 + page[i] % 2), page[i] * PAGE_SIZE + i % PAGE_SIZE);
    ck_assert(workset_good(w));
    return w;
}

/* Different pages among references (at - length, at]. */
static uint64_t window_by_hand(const uint32_t *page, size_t at, uint64_t length)
{
    bool in[PAGES] = {false};
    uint64_t n = 0;
    for (size_t i = at + 1; i-- > 0 && at - i < length;) {
        n += !in[page[i]];
        in[page[i]] = true;
    }
    return n;
}

START_TEST(windows)
{
    static uint32_t page[REFS];
    struct rng rng = {3};
    random_string(page, REFS, &rng);
    struct workset *w = heard(page, REFS);
    ck_assert_uint_eq(workset_references(w), REFS);
    struct workset_window got;
    for (size_t i = 0; workset_window(w, i, &got); i++) {
        uint64_t sum = 0, most = 0;
        for (size_t at = 0; at < REFS; at++) {
            uint64_t n = window_by_hand(page, at, got.references);
            sum += n;
            most = n > most ? n : most;
        }
        ck_assert_uint_eq(got.most, most);
        ck_assert_double_eq_tol(got.mean, (double)sum / REFS, 1e-9);
    }
    workset_free(w);
}
END_TEST

static uint64_t lru_by_hand(const uint32_t *page, size_t n, size_t frames)
{
    static uint32_t stack[PAGES];
    size_t count = 0;
    uint64_t faults = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;
        while (at < count && stack[at] != page[i])
            at++;
        faults += at == count;
        if (at == count && count < frames)
            count++;
        at = at < count ? at : count - 1;
        memmove(&stack[1], &stack[0], at * sizeof(stack[0]));
        stack[0] = page[i];
    }
    return faults;
}

START_TEST(lru_curve)
{
    static uint32_t page[REFS];
    for (uint64_t seed = 1; seed < 4; seed++) {
        struct rng rng = {seed};
        random_string(page, REFS, &rng);
        struct workset *w = heard(page, REFS);
        for (size_t frames = 1; frames <= PAGES; frames += frames < 40 ? 1 : 13)
            ck_assert_uint_eq(workset_lru_faults(w, frames), lru_by_hand(page, REFS, frames));
        ck_assert_uint_eq(workset_lru_faults(w, PAGES), workset_pages(w));
        uint64_t enough = workset_frames_for(w, 100), first = workset_pages(w);
        ck_assert_uint_le(workset_lru_faults(w, enough) - first, REFS / 100);
        ck_assert_uint_gt(workset_lru_faults(w, enough - 1) - first, REFS / 100);
        workset_free(w);
    }
}
END_TEST

/* Times run out several times: the tree is numbered anew, and says the same. */
START_TEST(long_runs)
{
    struct workset *w = workset_new();
    for (uint64_t i = 0; i < 50000; i++)
        workset_hear(w, 1, i % 100 * PAGE_SIZE);
    ck_assert_uint_eq(workset_lru_faults(w, 100), 100);
    ck_assert_uint_eq(workset_lru_faults(w, 99), 50000);
    struct workset_window got;
    ck_assert(workset_window(w, 5, &got));
    ck_assert_uint_eq(got.most, 100);
    workset_free(w);
}
END_TEST

START_TEST(one_page_again_and_again)
{
    struct workset *w = workset_new();
    for (uint64_t i = 0; i < 100; i++)
        workset_hear(w, 1, 5 * PAGE_SIZE + i);
    ck_assert_uint_eq(workset_references(w), 1);
    workset_hear(w, 2, 5 * PAGE_SIZE); /* another process's page */
    ck_assert_uint_eq(workset_references(w), 2);
    ck_assert_uint_eq(workset_pages(w), 2);
    workset_free(w);
}
END_TEST

TEST_MAIN("workset", windows, lru_curve, long_runs, one_page_again_and_again)
