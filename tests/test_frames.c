/* test_frames.c: the buddy system against a plain list of free frames. */
#include "kernel/frames.h"
#include "sim/base/arena.h"
#include "sim/base/event.h"
#include "tests/test.h"

#include <string.h>

#define TOTAL    3000u /* the last chunk is cut */
#define RESERVED 100u

struct world {
    struct bus bus;
    struct env env;
    struct frames *f;
};

static void open_world(struct world *w, pfn_t total, pfn_t reserved)
{
    *w = (struct world){.env = {.rng = {7}}};
    w->env.bus = &w->bus;
    w->env.arena = arena_new(GIB);
    w->f = frames_new(&w->env, total, reserved);
    ck_assert_ptr_nonnull(w->f);
}

static void check(const struct world *w)
{
    char why[200] = "";
    ck_assert_msg(frames_check(w->f, why, sizeof(why)), "%s", why);
}

static void mark(const struct world *w, pfn_t pfn, unsigned order, uint8_t use)
{
    for (pfn_t i = pfn; i < pfn + ((pfn_t)1 << order); i++)
        frames_at(w->f, i)->use = use;
}

START_TEST(memory_never_used_goes_lowest_first)
{
    struct world w;
    open_world(&w, 4096, RESERVED);
    check(&w);
    ck_assert_uint_eq(w.f->free, 4096 - RESERVED);
    for (pfn_t i = RESERVED; i < 4096; i++) /* 100 is a multiple of 4 but not of 8 */
        ck_assert_uint_eq(frames_take(w.f, 0), i);
    arena_destroy(w.env.arena);
}
END_TEST

/* Odd frames have no free buddy: they are taken in the order in which a stack would give them. */
START_TEST(last_freed_first)
{
    struct world w;
    open_world(&w, 2048, 1024);
    for (pfn_t i = 0; i < 1024; i++)
        mark(&w, frames_take(w.f, 0), 0, FRAME_ANON);
    static const pfn_t freed[] = {1101, 1033, 1205, 1077};
    for (size_t i = 0; i < ARRAY_LEN(freed); i++) {
        mark(&w, freed[i], 0, FRAME_FREE);
        frames_give(w.f, freed[i], 0);
    }
    check(&w);
    for (size_t i = ARRAY_LEN(freed); i-- > 0;)
        ck_assert_uint_eq(frames_take(w.f, 0), freed[i]);
    arena_destroy(w.env.arena);
}
END_TEST

/* 1040 and 1041 are free as a pair, so 1042, once free, waits at the end for 1043. */
START_TEST(a_block_that_may_grow_waits)
{
    struct world w;
    open_world(&w, 2048, 1024);
    for (pfn_t i = 0; i < 1024; i++)
        mark(&w, frames_take(w.f, 0), 0, FRAME_ANON);
    static const pfn_t freed[] = {1040, 1041, 1101, 1042};
    for (size_t i = 0; i < ARRAY_LEN(freed); i++) {
        mark(&w, freed[i], 0, FRAME_FREE);
        frames_give(w.f, freed[i], 0);
    }
    check(&w);
    ck_assert_uint_eq(frames_take(w.f, 0), 1101);
    ck_assert_uint_eq(frames_take(w.f, 0), 1042);
    ck_assert_uint_eq(frames_take(w.f, 0), 1040);
    arena_destroy(w.env.arena);
}
END_TEST

/* Every second frame of 1024 free: 512 blocks of one frame, nothing larger. */
START_TEST(fragmentation)
{
    struct world w;
    open_world(&w, 2048, 1024);
    ck_assert_int_eq(frames_fragmentation_index(w.f, 10), -1000);
    ck_assert_uint_eq(frames_unusable_index(w.f, 10), 0);
    for (pfn_t i = 0; i < 1024; i++)
        mark(&w, frames_take(w.f, 0), 0, FRAME_ANON);
    ck_assert_int_eq(frames_fragmentation_index(w.f, 0), 0);
    for (pfn_t i = 1024; i < 2048; i += 2) {
        mark(&w, i, 0, FRAME_FREE);
        frames_give(w.f, i, 0);
    }
    ck_assert_int_eq(frames_fragmentation_index(w.f, 0), -1000);
    ck_assert_int_eq(frames_fragmentation_index(w.f, 3), 1000 - (1000 + 64000) / 512);
    ck_assert_uint_eq(frames_unusable_index(w.f, 0), 0);
    ck_assert_uint_eq(frames_unusable_index(w.f, 1), 1000);
    mark(&w, 1025, 0, FRAME_FREE);
    frames_give(w.f, 1025, 0); /* one pair among 513 free frames */
    ck_assert_uint_eq(frames_unusable_index(w.f, 1), 511 * 1000 / 513);
    arena_destroy(w.env.arena);
}
END_TEST

START_TEST(splits_and_joins)
{
    struct world w;
    open_world(&w, 2048, 1024);
    ck_assert_uint_eq(w.f->blocks[10], 1);
    ck_assert_uint_eq(frames_take(w.f, 0), 1024);
    for (unsigned order = 0; order < 10; order++) /* one half left at each size */
        ck_assert_uint_eq(w.f->blocks[order], 1);
    ck_assert_uint_eq(w.f->blocks[10], 0);
    ck_assert_uint_eq(frames_take(w.f, 9), 1536);
    frames_give(w.f, 1024, 0);
    ck_assert_uint_eq(w.f->blocks[9], 1);
    frames_give(w.f, 1536, 9);
    ck_assert_uint_eq(w.f->blocks[10], 1);
    check(&w);
    arena_destroy(w.env.arena);
}
END_TEST

START_TEST(nothing_left)
{
    struct world w;
    open_world(&w, TOTAL, RESERVED);
    uint64_t taken = 0;
    pfn_t pfn;
    while ((pfn = frames_take(w.f, 0)) != PFN_NONE) {
        ck_assert(pfn >= RESERVED && pfn < TOTAL);
        ck_assert_uint_eq(frames_at(w.f, pfn)->use, FRAME_FREE); /* none twice */
        mark(&w, pfn, 0, FRAME_ANON);
        taken++;
    }
    ck_assert_uint_eq(taken, TOTAL - RESERVED);
    check(&w);
    ck_assert_uint_eq(frames_take(w.f, 3), PFN_NONE);
    arena_destroy(w.env.arena);
}
END_TEST

/* Random blocks of all orders; a byte per frame says who has it. */
START_TEST(random_against_list)
{
    static struct {
        pfn_t pfn;
        unsigned order;
    } held[TOTAL];
    static uint8_t owned[TOTAL];
    struct world w;
    open_world(&w, TOTAL, RESERVED);
    size_t count = 0;
    memset(owned, 0, sizeof(owned));
    for (unsigned i = 0; i < 20000; i++) {
        if (count && rng_below(&w.env.rng, 100) < (i / 2000 % 2 ? 60u : 40u)) {
            size_t at = rng_below(&w.env.rng, (uint32_t)count);
            memset(owned + held[at].pfn, 0, (size_t)1 << held[at].order);
            mark(&w, held[at].pfn, held[at].order, FRAME_FREE);
            frames_give(w.f, held[at].pfn, held[at].order);
            held[at] = held[--count];
            continue;
        }
        unsigned order = rng_below(&w.env.rng, 4) ? 0 : rng_below(&w.env.rng, FRAME_ORDERS);
        pfn_t pfn = frames_take(w.f, order);
        if (pfn == PFN_NONE)
            continue;
        ck_assert(pfn >= RESERVED && pfn + ((pfn_t)1 << order) <= TOTAL);
        ck_assert_uint_eq(pfn & (((pfn_t)1 << order) - 1), 0);
        for (pfn_t j = pfn; j < pfn + ((pfn_t)1 << order); j++)
            ck_assert_uint_eq(owned[j]++, 0);
        mark(&w, pfn, order, FRAME_ANON);
        held[count].pfn = pfn;
        held[count++].order = order;
        if (i % 100 == 0)
            check(&w);
    }
    while (count) {
        count--;
        mark(&w, held[count].pfn, held[count].order, FRAME_FREE);
        frames_give(w.f, held[count].pfn, held[count].order);
    }
    check(&w);
    ck_assert_uint_eq(w.f->free, TOTAL - RESERVED);
    ck_assert_uint_eq(w.f->blocks[10], 1); /* frames 1024 to 2047 are whole again */
    arena_destroy(w.env.arena);
}
END_TEST

START_TEST(large_memory_costs_nothing)
{
    struct world w;
    open_world(&w, 24 * GIB / PAGE_SIZE, 512);
    ck_assert_uint_lt(arena_used(w.env.arena), 256 * KIB);
    ck_assert_ptr_null(frames_at(w.f, 1000000));
    ck_assert_ptr_null(frames_at(w.f, 24 * GIB / PAGE_SIZE));
    ck_assert_uint_eq(frames_take(w.f, 0), 512);
    mark(&w, 512, 0, FRAME_ANON);
    check(&w);
    arena_destroy(w.env.arena);
}
END_TEST

START_TEST(no_memory_for_metadata)
{
    struct world w;
    open_world(&w, 8 * 1024, 512);
    for (pfn_t i = 512; i < 1024; i++)
        mark(&w, frames_take(w.f, 0), 0, FRAME_ANON);
    arena_fail_at(w.env.arena, 1);
    ck_assert_uint_eq(frames_take(w.f, 0), PFN_NONE);
    ck_assert_uint_eq(w.f->free, 7 * 1024);
    check(&w);
    ck_assert_uint_eq(frames_take(w.f, 0), 1024);
    arena_destroy(w.env.arena);
}
END_TEST

/* What the checker is for: a frame in use that is in a free block, and a wrong count. */
START_TEST(checker_sees)
{
    struct world w;
    char why[200];
    open_world(&w, TOTAL, RESERVED);
    frames_at(w.f, 200)->use = FRAME_ANON;
    ck_assert(!frames_check(w.f, why, sizeof(why)));
    frames_at(w.f, 200)->use = FRAME_FREE;
    check(&w);
    w.f->free++;
    ck_assert(!frames_check(w.f, why, sizeof(why)));
    arena_destroy(w.env.arena);
}
END_TEST

TEST_MAIN("frames", memory_never_used_goes_lowest_first, last_freed_first,
          a_block_that_may_grow_waits, fragmentation, splits_and_joins, nothing_left,
          random_against_list, large_memory_costs_nothing, no_memory_for_metadata, checker_sees)
