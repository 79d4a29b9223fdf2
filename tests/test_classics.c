/* test_classics.c: what is particular to each allocator: which block it gives, what it joins, what
 * it keeps and what it gives back. What all of them must do is in test_alloc.c. */
#include "alloc/alloc.h"
#include "alloc/piece.h"
#include "alloc/size_class.h"
#include "tests/fake_user.h"
#include "tests/test.h"

static void start(struct rig *r, const char *name, uint64_t arena_bytes)
{
    struct alloc_config config = rig_config();
    config.arena_bytes = arena_bytes;
    config.mmap_threshold = 0;
    rig_init(r, alloc_find(name), &config);
    ck_assert_ptr_nonnull(r->heap);
}

static void sound(const struct heap *h)
{
    char why[256];
    ck_assert_msg(heap_check(h, why, sizeof(why)), "%s: %s", h->ops->name, why);
}

static uint64_t wasted(const struct heap *h)
{
    return h->counters.bytes_chunks_now - h->counters.bytes_requested_now;
}

struct free_shape {
    uint64_t chunks, bytes, largest;
};

static void add_free(void *ctx, const struct heap_chunk *c)
{
    struct free_shape *s = ctx;
    if (c->used)
        return;
    s->chunks++;
    s->bytes += c->size;
    s->largest = max_u64(s->largest, c->size);
}

static struct free_shape free_of(const struct heap *h)
{
    struct free_shape s = {0};
    heap_walk(h, add_free, &s);
    return s;
}

/* The exercise of every course: 1 MiB, and what is wasted after each request. */
START_TEST(buddies_waste_what_the_book_says)
{
    const uint64_t wanted[] = {56, 104, 236, 180, 188, 140, 132, 0};
    struct rig r;
    va_t p[4];
    start(&r, "buddy", MIB);
    struct heap *h = r.heap;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        switch (i) {
        case 0:
            p[0] = heap_malloc(h, 200 * KIB);
            break;
        case 1:
            p[1] = heap_malloc(h, 80 * KIB);
            break;
        case 2:
            p[2] = heap_malloc(h, 380 * KIB);
            break;
        case 4:
            p[3] = heap_malloc(h, 120 * KIB);
            break;
        default:
            heap_free(h, p[i == 3 ? 0 : i == 5 ? 1 : i == 6 ? 3 : 2]);
        }
        ck_assert_uint_eq(wasted(h), wanted[i] * KIB);
        sound(h);
    }
    ck_assert_uint_eq(free_of(h).largest, MIB);
    ck_assert_uint_eq(h->counters.splits, h->counters.coalesces);
    rig_free(&r);
}
END_TEST

START_TEST(a_buddy_joins_only_its_own)
{
    struct rig r;
    start(&r, "buddy", 4 * KIB);
    struct heap *h = r.heap;
    va_t p[4];
    for (size_t i = 0; i < 4; i++)
        p[i] = heap_malloc(h, 1024);
    for (size_t i = 1; i < 4; i++)
        ck_assert_uint_eq(p[i], p[0] + 1024 * i);
    heap_free(h, p[1]);
    heap_free(h, p[2]); /* neighbours, but no buddies */
    ck_assert_uint_eq(h->counters.coalesces, 0);
    ck_assert_uint_eq(heap_malloc(h, 2048) > p[3], 1); /* another arena */
    heap_free(h, p[0]);
    ck_assert_uint_eq(h->counters.coalesces, 1);
    ck_assert_uint_eq(free_of(h).largest, 2048); /* of both arenas */
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(fibonacci_sizes)
{
    const uint64_t units[] = {1, 2, 3, 5, 8, 13, 21, 34};
    struct rig r;
    start(&r, "fibonacci-buddy", 32 * KIB);
    struct heap *h = r.heap;
    va_t p[ARRAY_LEN(units)];
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        p[i] = heap_malloc(h, units[i] * 32);
        struct heap_block b;
        ck_assert(heap_block(h, p[i], &b));
        ck_assert_uint_eq(b.size, units[i] * 32);
        sound(h);
    }
    struct heap_block b;
    va_t over = heap_malloc(h, 8 * 32 + 1);
    ck_assert(heap_block(h, over, &b));
    ck_assert_uint_eq(b.size, 13 * 32);
    heap_free(h, over);
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        heap_free(h, p[(i * 3 + 1) % ARRAY_LEN(units)]);
    ck_assert_uint_eq(free_of(h).chunks, 1);
    ck_assert_uint_eq(free_of(h).largest, 987 * 32);
    rig_free(&r);
}
END_TEST

START_TEST(bits_need_no_merging)
{
    struct rig r;
    start(&r, "bitmap", 64 * KIB);
    struct heap *h = r.heap;
    va_t p[4];
    for (size_t i = 0; i < 4; i++)
        p[i] = heap_malloc(h, 32);
    for (size_t i = 1; i < 4; i++)
        ck_assert_uint_eq(p[i], p[i - 1] + 32); /* no header between them */
    heap_free(h, p[2]);
    heap_free(h, p[1]);
    ck_assert_uint_eq(heap_malloc(h, 64), p[1]);
    ck_assert_uint_eq(h->counters.coalesces, 0);
    ck_assert_uint_eq(heap_memalign(h, 4096, 10) % 4096, 0);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(a_region_dies_with_its_last_block)
{
    struct rig r;
    start(&r, "arena", 16 * KIB);
    struct heap *h = r.heap;
    va_t first = heap_malloc(h, 100);
    va_t second = heap_malloc(h, 100);
    heap_free(h, second);
    ck_assert_uint_gt(heap_malloc(h, 100), second); /* what is freed is not used again … */
    heap_free(h, first);
    heap_free(h, second + 112);
    ck_assert_uint_eq(h->counters.blocks_now, 0);
    ck_assert_uint_eq(heap_malloc(h, 100), first); /* … but with the last block all of it is */
    va_t block[9];
    for (size_t i = 0; i < 9; i++)
        block[i] = heap_malloc(h, 4000);
    ck_assert_uint_eq(piece_count(h), 3);
    for (size_t i = 0; i < 9; i++)
        heap_free(h, block[i]);
    ck_assert_uint_eq(piece_count(h), 2); /* the one with first in it, and the current one */
    ck_assert_uint_eq(h->counters.probes, 0);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(simple_pages_never_change_their_size)
{
    struct rig r;
    start(&r, "simple", MIB);
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, 60);
    ck_assert_uint_eq(heap_usable(h, p), 64);
    va_t q = heap_malloc(h, 60);
    ck_assert_uint_eq(q, p + 64);
    heap_free(h, p);
    ck_assert_uint_eq(heap_malloc(h, 64), p);
    heap_free(h, p);
    heap_free(h, q);
    ck_assert_uint_ne(heap_malloc(h, 32) / PAGE_SIZE, p / PAGE_SIZE);
    ck_assert_uint_eq(heap_usable(h, heap_malloc(h, 33)), 64);
    ck_assert_uint_eq(heap_usable(h, heap_malloc(h, 9)), 16);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(slabs_have_colours_and_go_when_empty)
{
    struct rig r;
    start(&r, "slab", MIB);
    struct heap *h = r.heap;
    va_t p[7 * 9];
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        p[i] = heap_malloc(h, 512);
    for (size_t i = 0; i < 9; i++) /* eight colours of 64 bytes, then the first again */
        ck_assert_uint_eq(p[7 * i] % PAGE_SIZE, i % 8 * 64);
    sound(h);
    uint64_t before = free_of(h).bytes;
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        heap_free(h, p[i]);
    ck_assert_uint_ge(free_of(h).largest, 8 * PAGE_SIZE); /* all but one slab are pages again */
    ck_assert_uint_gt(free_of(h).bytes, before);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(two_bit_scans_pass_over_what_might_be_too_small)
{
    struct rig r;
    start(&r, "tlsf", 64 * KIB);
    struct heap *h = r.heap;
    va_t small = heap_malloc(h, 900); /* a chunk of 912, in the list of 896 to 927 */
    heap_malloc(h, 8);
    va_t large = heap_malloc(h, 1100);
    heap_malloc(h, 8);
    heap_free(h, small);
    heap_free(h, large);
    ck_assert_uint_eq(heap_malloc(h, 904), large); /* 912 would fit */
    ck_assert_uint_eq(heap_malloc(h, 880), small); /* every chunk of that list has 896 */
    ck_assert_uint_eq(h->counters.probes_max, 1);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(each_class_has_its_list)
{
    struct rig r;
    start(&r, "segregated", 64 * KIB);
    struct heap *h = r.heap;
    va_t p[8];
    for (size_t i = 0; i < 8; i++) {
        p[i] = heap_malloc(h, 40 + 16 * i);
        heap_malloc(h, 520);
    }
    for (size_t i = 0; i < 8; i++)
        heap_free(h, p[i]);
    uint64_t before = h->counters.probes;
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(heap_malloc(h, 40 + 16 * i), p[i]);
    ck_assert_uint_eq(h->counters.probes - before, 8);
    heap_free(h, p[3]);
    ck_assert_uint_eq(heap_malloc(h, 40), p[3]); /* the next list that has one: 96 */
    heap_free(h, p[4]);
    ck_assert_uint_eq(heap_malloc(h, 88), p[4]); /* 112, one list above 96 */
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(small_requests_are_cut_from_the_victim)
{
    struct rig r;
    start(&r, "dl-like", 64 * KIB);
    struct heap *h = r.heap;
    va_t small = heap_malloc(h, 72);
    heap_malloc(h, 8);
    va_t hole = heap_malloc(h, 1000);
    heap_malloc(h, 8);
    heap_free(h, hole);
    heap_free(h, small);
    ck_assert_uint_eq(heap_malloc(h, 104), hole);
    ck_assert_uint_eq(heap_malloc(h, 40), hole + 112); /* not small, though it would do */
    ck_assert_uint_eq(heap_malloc(h, 200), hole + 112 + 48);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(freed_blocks_wait_in_another_list)
{
    struct rig r;
    start(&r, "mi-like", MIB);
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, 48);
    va_t q = heap_malloc(h, 48);
    ck_assert_uint_eq(q, p + 48);
    heap_free(h, p);
    ck_assert_uint_eq(heap_malloc(h, 48), q + 48); /* not p yet */
    uint64_t first = PAGE_SIZE / 48;               /* so many were cut at once */
    for (uint64_t i = 3; i < first; i++)
        heap_malloc(h, 48);
    ck_assert_uint_eq(heap_malloc(h, 48), p); /* the list is used up: the freed ones come */
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(the_lowest_region_first_and_pages_that_go_later)
{
    struct rig r;
    start(&r, "je-like", MIB);
    struct heap *h = r.heap;
    va_t p[4];
    for (size_t i = 0; i < 4; i++)
        p[i] = heap_malloc(h, 48);
    heap_free(h, p[0]);
    heap_free(h, p[2]);
    ck_assert_uint_eq(heap_malloc(h, 48), p[0]);
    ck_assert_uint_eq(heap_malloc(h, 48), p[2]);
    va_t extent = heap_malloc(h, 40 * KIB);
    uint8_t byte = 1;
    for (va_t at = 0; at < 40 * KIB; at += PAGE_SIZE)
        fake_store(r.user, extent + at, &byte, 1);
    heap_free(h, extent);
    uint64_t faults = r.user->faults;
    ck_assert_uint_eq(heap_malloc(h, 40 * KIB), extent);
    fake_store(r.user, extent, &byte, 1);
    ck_assert_uint_eq(r.user->faults, faults); /* its frames were still there */
    heap_free(h, extent);
    ck_assert_int_eq(heap_trim(h, 0), 1);
    ck_assert_int_eq(heap_trim(h, 0), 0);
    fake_store(r.user, extent, &byte, 1);
    ck_assert_uint_eq(r.user->faults, faults + 1);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(classes_cover_every_size)
{
    for (uint64_t size = 0; size <= size_class_bytes(SIZE_CLASSES - 1); size++) {
        unsigned class = size_class_of(size);
        if (size > size_class_bytes(class) || (class && size <= size_class_bytes(class - 1)))
            ck_abort_msg("%u bytes are not of class %u", (unsigned)size, class);
    }
    for (unsigned class = 0; class < SIZE_CLASSES; class ++)
        ck_assert_uint_eq(strtoull(size_class_name(class), NULL, 10), size_class_bytes(class));
}
END_TEST

START_TEST(pieces_are_aligned_and_go_back)
{
    struct rig r;
    start(&r, "bump", 64 * KIB);
    struct heap *h = r.heap;
    va_t mapped = piece_by_mmap(h, 64 * KIB, MIB);
    ck_assert_uint_eq(mapped % MIB, 0);
    ck_assert_uint_eq(h->counters.bytes_heap_now, 64 * KIB); /* both ends were cut off */
    va_t low = piece_by_brk(h, 8 * KIB, PAGE_SIZE);
    va_t high = piece_by_brk(h, 8 * KIB, 16 * PAGE_SIZE);
    ck_assert_uint_eq(high % (16 * PAGE_SIZE), 0);
    ck_assert_ptr_eq(piece_of(h, high + 8 * KIB - 1), piece_at(h, 1));
    ck_assert_ptr_null(piece_of(h, high + 8 * KIB));
    ck_assert(!piece_put(h, low)); /* high lies above it */
    ck_assert(piece_put(h, high));
    ck_assert(piece_put(h, low));
    ck_assert(piece_put(h, mapped));
    ck_assert_uint_eq(h->counters.bytes_heap_now, 0);
    ck_assert_uint_eq(r.user->areas, 0);
    ck_assert_uint_eq(r.user->brk, FAKE_HEAP);
    rig_free(&r);
}
END_TEST

/* The same holes, freed in one order, and which of them each order of the list takes. */
START_TEST(orders_of_the_free_list)
{
    static const size_t first[LIST_ORDERS] = {
        [ORDER_LIFO] = 2, [ORDER_FIFO] = 3, [ORDER_ADDRESS] = 0, [ORDER_SIZE] = 1};
    const uint64_t size[] = {300, 200, 400, 500};
    const size_t freed[] = {3, 1, 0, 2};
    for (uint32_t order = 0; order < LIST_ORDERS; order++) {
        struct alloc_config config = rig_config();
        struct rig r;
        va_t p[4];
        config.order = order;
        rig_init(&r, alloc_find("first-fit"), &config);
        for (size_t i = 0; i < 4; i++) {
            p[i] = heap_malloc(r.heap, size[i]);
            heap_malloc(r.heap, 8);
        }
        for (size_t i = 0; i < 4; i++)
            heap_free(r.heap, p[freed[i]]);
        ck_assert_uint_eq(heap_malloc(r.heap, 150), p[first[order]]);
        sound(r.heap);
        rig_free(&r);
    }
}
END_TEST

START_TEST(merging_put_off)
{
    struct alloc_config config = rig_config();
    struct rig r;
    config.deferred = true;
    rig_init(&r, alloc_find("first-fit"), &config);
    struct heap *h = r.heap;
    va_t p[6];
    for (size_t i = 0; i < 6; i++)
        p[i] = heap_malloc(h, 56);
    heap_malloc(h, 8);
    for (size_t i = 0; i < 6; i++)
        heap_free(h, p[i]);
    ck_assert_uint_eq(h->counters.coalesces, 0);
    ck_assert_uint_eq(heap_malloc(h, 56), p[5]);
    heap_free(h, p[5]);
    ck_assert_uint_eq(heap_malloc(h, 300), p[0]); /* nothing fits: all are merged */
    ck_assert_uint_eq(h->counters.coalesces, 5);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(footers_cost_eight_bytes_more)
{
    struct alloc_config config = rig_config();
    struct rig r;
    config.footers = true;
    rig_init(&r, alloc_find("first-fit"), &config);
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, 24);
    ck_assert_uint_eq(heap_usable(h, p), 32); /* 24 and two tags, up to 48 */
    ck_assert_uint_eq(heap_peek64(h, p + 32), 48 | 1);
    va_t q = heap_malloc(h, 24);
    heap_malloc(h, 24);
    heap_free(h, p);
    heap_free(h, q);
    ck_assert_uint_eq(h->counters.coalesces, 1);
    sound(h);
    rig_free(&r);
}
END_TEST

TEST_MAIN("classics", buddies_waste_what_the_book_says, a_buddy_joins_only_its_own, fibonacci_sizes,
          bits_need_no_merging, a_region_dies_with_its_last_block,
          simple_pages_never_change_their_size, slabs_have_colours_and_go_when_empty,
          two_bit_scans_pass_over_what_might_be_too_small, each_class_has_its_list,
          small_requests_are_cut_from_the_victim, freed_blocks_wait_in_another_list,
          the_lowest_region_first_and_pages_that_go_later, classes_cover_every_size,
          pieces_are_aligned_and_go_back, orders_of_the_free_list, merging_put_off,
          footers_cost_eight_bytes_more)
