/* test_bump.c: the pointer only moves up; nothing is used twice; the chain of chunks holds. */
#include "alloc/bump.h"
#include "tests/fake_user.h"
#include "tests/test.h"

static void start(struct rig *r)
{
    struct alloc_config config = rig_config();
    rig_init(r, &bump_ops, &config);
    ck_assert_ptr_nonnull(r->heap);
}

static void sound(const struct heap *h)
{
    char why[256];
    ck_assert_msg(heap_check(h, why, sizeof(why)), "%s", why);
}

START_TEST(blocks_follow_each_other)
{
    struct rig r;
    start(&r);
    va_t p = heap_malloc(r.heap, 24);
    ck_assert_uint_eq(p, FAKE_HEAP + 16);
    ck_assert_uint_eq(heap_malloc(r.heap, 1), p + 32);
    ck_assert_uint_eq(heap_malloc(r.heap, 0), p + 48);
    ck_assert_uint_eq(heap_malloc(r.heap, 8), p + 64);
    heap_free(r.heap, p);
    ck_assert_uint_eq(heap_malloc(r.heap, 24), p + 80);
    ck_assert_uint_eq(r.heap->counters.grows, 1);
    /* One store for each header, and never a load. */
    ck_assert_uint_eq(r.heap->counters.stores, 5);
    ck_assert_uint_eq(r.heap->counters.loads, 0);
    sound(r.heap);
    rig_free(&r);
}
END_TEST

START_TEST(realloc_copies)
{
    struct rig r;
    start(&r);
    va_t p = heap_malloc(r.heap, 24);
    uint64_t word = 77;
    fake_store(r.user, p + 16, &word, 8);
    ck_assert_uint_eq(heap_realloc(r.heap, p, 20), p);
    ck_assert_uint_eq(r.heap->how, RESIZE_SAME);
    va_t q = heap_realloc(r.heap, p, 25);
    ck_assert_uint_gt(q, p);
    ck_assert_uint_eq(r.heap->how, RESIZE_MOVE);
    ck_assert_uint_eq(heap_peek64(r.heap, q + 16), 77);
    ck_assert_uint_eq(r.heap->counters.bytes_copied, 24);
    sound(r.heap);
    rig_free(&r);
}
END_TEST

START_TEST(gaps_are_walked_over)
{
    struct rig r;
    start(&r);
    heap_malloc(r.heap, 1);
    ck_assert_uint_eq(heap_memalign(r.heap, 4096, 10) % 4096, 0);
    fake_brk(r.user, r.user->brk + 12345);
    ck_assert_uint_gt(heap_malloc(r.heap, 100000), r.user->heap + 64 * KIB + 12345);
    sound(r.heap);
    ck_assert_uint_eq(r.heap->counters.blocks_now, 3);
    rig_free(&r);
}
END_TEST

START_TEST(a_damaged_header_is_found)
{
    struct rig r;
    start(&r);
    va_t p = heap_malloc(r.heap, 24);
    heap_malloc(r.heap, 24);
    uint64_t junk = UINT64_MAX;
    fake_store(r.user, p - 8, &junk, 8);
    char why[256];
    ck_assert(!heap_check(r.heap, why, sizeof(why)));
    ck_assert_uint_eq(heap_usable(r.heap, p), 24);
    ck_assert_uint_eq(r.heap->misuse, MISUSE_CORRUPT);
    ck_assert_uint_eq(r.heap->misuse_at, p - 8);
    sound(r.heap);
    rig_free(&r);
}
END_TEST

TEST_MAIN("bump", blocks_follow_each_other, realloc_copies, gaps_are_walked_over,
          a_damaged_header_is_found)
