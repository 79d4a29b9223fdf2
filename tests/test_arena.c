/* test_arena.c: memory comes zeroed and aligned, snapshots put every byte back to its address,
 * share what did not change, and running on from a restore gives the same addresses again. */
#include "sim/base/arena.h"
#include "sim/base/rng.h"
#include "tests/test.h"

#include <string.h>

#define ROOMY (256 * MIB)

START_TEST(memory_is_zeroed_aligned_and_apart)
{
    struct arena *a = arena_new(ROOMY);
    unsigned char *p[300];
    for (size_t size = 1; size < ARRAY_LEN(p); size++) {
        p[size] = arena_alloc(a, size);
        ck_assert_ptr_nonnull(p[size]);
        ck_assert_uint_eq((uintptr_t)p[size] % (size >= 64 ? 64 : 16), 0);
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(p[size][i], 0);
        memset(p[size], (int)(size & 0xff), size);
    }
    for (size_t size = 1; size < ARRAY_LEN(p); size++)
        for (size_t i = 0; i < size; i++)
            ck_assert_uint_eq(p[size][i], size & 0xff);
    arena_destroy(a);
}
END_TEST

START_TEST(freed_memory_is_used_again_and_zeroed)
{
    struct arena *a = arena_new(ROOMY);
    void *keep = arena_alloc(a, 100);
    uint64_t before = arena_used(a);
    unsigned char *p = arena_alloc(a, 5000);
    memset(p, 0xff, 5000);
    arena_free(a, p, 5000);
    ck_assert_uint_eq(arena_used(a), before);
    unsigned char *q = arena_alloc(a, 4900); /* of the same size class */
    ck_assert_ptr_eq(q, p);
    for (size_t i = 0; i < 4900; i++)
        ck_assert_uint_eq(q[i], 0);
    arena_free(a, NULL, 12);
    arena_free(a, q, 4900);
    arena_free(a, keep, 100);
    ck_assert_uint_eq(arena_used(a), 0);
    arena_destroy(a);
}
END_TEST

/* A size class never loses more than a fifth of what it hands out, from 32 bytes up. */
START_TEST(size_classes_lose_at_most_a_fifth)
{
    for (size_t size = 32; size < 4 * MIB; size += 1 + size / 97) {
        struct arena *a = arena_new(ROOMY);
        ck_assert_ptr_nonnull(arena_alloc(a, size));
        ck_assert_uint_ge(arena_used(a), size);
        ck_assert_uint_le(arena_used(a) - size, arena_used(a) / 5);
        arena_destroy(a);
    }
}
END_TEST

START_TEST(resize_keeps_the_bytes)
{
    struct arena *a = arena_new(ROOMY);
    char *p = arena_resize(a, NULL, 0, 10);
    ck_assert_ptr_nonnull(p);
    strcpy(p, "memory");
    p = arena_resize(a, p, 10, 100000);
    ck_assert_str_eq(p, "memory");
    ck_assert_int_eq(p[99999], 0);
    p = arena_resize(a, p, 100000, 4);
    ck_assert_int_eq(memcmp(p, "memo", 4), 0);
    arena_free(a, p, 4);
    ck_assert_uint_eq(arena_used(a), 0);
    arena_destroy(a);
}
END_TEST

START_TEST(limit_is_kept_and_can_be_reached)
{
    ck_assert_ptr_null(arena_new(1000));
    struct arena *a = arena_new(MIB);
    unsigned pages = 0;
    while (arena_alloc(a, 4096))
        pages++;
    ck_assert_uint_ge(pages, 250); /* of 256 */
    ck_assert_uint_le(arena_held(a), MIB);
    ck_assert_ptr_null(arena_alloc(a, 2 * MIB));
    arena_destroy(a);
    a = arena_new(UINT64_MAX);
    ck_assert_ptr_null(arena_alloc(a, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(a, SIZE_MAX / 2 + 1));
    ck_assert_ptr_nonnull(arena_alloc(a, 1));
    arena_destroy(a);
    arena_destroy(NULL);
}
END_TEST

START_TEST(failing_hook_fails_once_at_the_asked_place)
{
    struct arena *a = arena_new(ROOMY);
    arena_fail_at(a, 3);
    ck_assert_ptr_nonnull(arena_alloc(a, 8));
    char *p = arena_alloc(a, 8);
    strcpy(p, "good");
    uint64_t used = arena_used(a);
    ck_assert_ptr_null(arena_resize(a, p, 8, 800));
    ck_assert_str_eq(p, "good");
    ck_assert_uint_eq(arena_used(a), used);
    ck_assert_ptr_nonnull(arena_alloc(a, 8));
    arena_fail_at(a, 1);
    arena_fail_at(a, 0);
    ck_assert_ptr_nonnull(arena_alloc(a, 8));
    arena_destroy(a);
}
END_TEST

/* Each snapshot of a large arena in which one page changed costs a page, not the arena. */
START_TEST(snapshots_share_what_did_not_change)
{
    struct arena *a = arena_new(ROOMY);
    unsigned char *big = arena_alloc(a, 8 * MIB);
    struct rng r = {1};
    for (size_t i = 0; i < 8 * MIB; i++)
        big[i] = (unsigned char)rng_next(&r);
    struct arena_snapshot *s[20];
    s[0] = arena_save(a, NULL);
    uint64_t alone = arena_snapshots_bytes(a);
    ck_assert_uint_ge(alone, 8 * MIB);
    for (unsigned i = 1; i < ARRAY_LEN(s); i++) {
        big[i * 100 * KIB]++;
        s[i] = arena_save(a, s[i - 1]);
    }
    uint64_t all = arena_snapshots_bytes(a);
    uint64_t list = arena_held(a) / PAGE_SIZE * sizeof(void *);
    ck_assert_uint_ge(all, alone + (ARRAY_LEN(s) - 1) * (list / 2 + PAGE_SIZE));
    ck_assert_uint_le(all, alone + ARRAY_LEN(s) * (list + 3 * PAGE_SIZE));
    for (unsigned i = 0; i < ARRAY_LEN(s); i += 2)
        arena_snapshot_free(s[i]); /* the pieces that others share must stay */
    unsigned char changed = big[19 * 100 * KIB];
    memset(big, 0, 8 * MIB);
    arena_restore(a, s[19]);
    ck_assert_uint_eq(big[19 * 100 * KIB], changed);
    struct rng again = {1};
    for (size_t i = 0; i < 8 * MIB; i++) {
        bool touched = i && i % (100 * KIB) == 0 && i <= 19 * 100 * KIB;
        unsigned char expected = (unsigned char)((unsigned char)rng_next(&again) + touched);
        if (big[i] != expected)
            ck_abort_msg("byte %zu is %u, not %u", i, big[i], expected);
    }
    for (unsigned i = 1; i < ARRAY_LEN(s); i += 2)
        arena_snapshot_free(s[i]);
    arena_snapshot_free(NULL);
    ck_assert_uint_eq(arena_snapshots_bytes(a), 0);
    arena_destroy(a);
}
END_TEST

/* ---- random programs against plain copies ---- */

#define BLOCKS    64
#define SNAPSHOTS 24

struct block {
    unsigned char *p;
    size_t size;
    unsigned char *copy; /* what must stand at p; the test's own */
};

struct world {
    struct block block[BLOCKS];
    uint64_t used;
    struct rng rng; /* goes back with the world, so the same things happen again */
};

struct saved {
    struct arena_snapshot *snapshot;
    struct world world; /* with its own copies */
};

static void world_copy(struct world *to, const struct world *from)
{
    *to = *from;
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (!from->block[i].p)
            continue;
        to->block[i].copy = malloc(from->block[i].size);
        memcpy(to->block[i].copy, from->block[i].copy, from->block[i].size);
    }
}

static void world_drop(struct world *w)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        if (w->block[i].p)
            free(w->block[i].copy);
    memset(w, 0, sizeof(*w));
}

static void world_verify(const struct world *w, const struct arena *a)
{
    ck_assert_uint_eq(arena_used(a), w->used);
    for (unsigned i = 0; i < BLOCKS; i++) {
        const struct block *b = &w->block[i];
        if (b->p && memcmp(b->p, b->copy, b->size) != 0)
            ck_abort_msg("block %u of %zu bytes changed", i, b->size);
    }
}

static size_t random_size(struct rng *r)
{
    static const uint32_t most[] = {32, 300, 5000, 200000};
    return 1 + rng_below(r, most[rng_below(r, ARRAY_LEN(most))]);
}

static void block_write(struct block *b, struct rng *r)
{
    size_t start = rng_below(r, (uint32_t)b->size);
    size_t n = 1 + rng_below(r, (uint32_t)min_u64(b->size - start, 64));
    for (size_t i = start; i < start + n; i++)
        b->p[i] = b->copy[i] = (unsigned char)rng_next(r);
}

static void block_new(struct block *b, struct arena *a, struct rng *r)
{
    b->size = random_size(r);
    b->p = arena_alloc(a, b->size);
    ck_assert_ptr_nonnull(b->p);
    b->copy = calloc(1, b->size);
}

static void block_resize(struct block *b, struct arena *a, struct rng *r)
{
    size_t size = random_size(r);
    b->p = arena_resize(a, b->p, b->size, size);
    ck_assert_ptr_nonnull(b->p);
    unsigned char *copy = calloc(1, size);
    memcpy(copy, b->copy, min_u64(size, b->size));
    free(b->copy);
    b->copy = copy;
    b->size = size;
}

static void block_free(struct block *b, struct arena *a)
{
    arena_free(a, b->p, b->size);
    free(b->copy);
    memset(b, 0, sizeof(*b));
}

/* One random step of the program; all chance comes from the world. */
static void world_step(struct world *w, struct arena *a)
{
    struct block *b = &w->block[rng_below(&w->rng, BLOCKS)];
    uint32_t what = rng_below(&w->rng, 10);
    if (!b->p)
        block_new(b, a, &w->rng);
    else if (what == 0)
        block_free(b, a);
    else if (what == 1)
        block_resize(b, a, &w->rng);
    else
        block_write(b, &w->rng);
    w->used = arena_used(a);
}

static void saved_drop(struct saved *s)
{
    arena_snapshot_free(s->snapshot);
    world_drop(&s->world);
    s->snapshot = NULL;
}

/* Saves into a slot that may be in use; shares with any other snapshot, or with none. */
static void saved_take(struct saved *slot, struct arena *a, const struct saved *base,
                       const struct world *w)
{
    struct saved fresh = {.snapshot = arena_save(a, base->snapshot)};
    ck_assert_ptr_nonnull(fresh.snapshot);
    world_copy(&fresh.world, w);
    saved_drop(slot);
    *slot = fresh;
}

START_TEST(random_programs_go_back_in_time)
{
    static struct saved saved[SNAPSHOTS];
    struct arena *a = arena_new(GIB);
    struct world w = {.rng = {(uint64_t)_i + 1}};
    struct rng when = {(uint64_t)_i + 1000}; /* does not go back in time */
    for (unsigned step = 0; step < 3000; step++) {
        world_step(&w, a);
        struct saved *s = &saved[rng_below(&when, SNAPSHOTS)];
        uint32_t what = rng_below(&when, 20);
        if (what == 0) {
            saved_take(s, a, &saved[rng_below(&when, SNAPSHOTS)], &w);
        } else if (what == 1 && s->snapshot) {
            arena_restore(a, s->snapshot);
            world_drop(&w);
            world_copy(&w, &s->world);
            world_verify(&w, a);
        } else if (what == 2 && s->snapshot) {
            saved_drop(s);
        }
    }
    world_verify(&w, a);
    for (unsigned i = 0; i < SNAPSHOTS; i++)
        saved_drop(&saved[i]);
    world_drop(&w);
    arena_destroy(a);
}
END_TEST

/* From a restore on, the same program gets the same addresses, chunks added later included. */
START_TEST(running_again_gives_the_same_addresses)
{
    struct arena *a = arena_new(GIB);
    struct world w = {.rng = {(uint64_t)_i + 50}};
    for (unsigned i = 0; i < 200; i++)
        world_step(&w, a);
    struct saved past = {0};
    saved_take(&past, a, &past, &w);
    for (unsigned i = 0; i < 2000; i++)
        world_step(&w, a);
    struct world first;
    world_copy(&first, &w);
    arena_restore(a, past.snapshot);
    world_drop(&w);
    world_copy(&w, &past.world);
    for (unsigned i = 0; i < 2000; i++)
        world_step(&w, a);
    for (unsigned i = 0; i < BLOCKS; i++) {
        ck_assert_ptr_eq(w.block[i].p, first.block[i].p);
        ck_assert_uint_eq(w.block[i].size, first.block[i].size);
    }
    world_verify(&first, a);
    saved_drop(&past);
    world_drop(&first);
    world_drop(&w);
    arena_destroy(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    TCase *plain = tcase_create("plain");
    tcase_add_test(plain, memory_is_zeroed_aligned_and_apart);
    tcase_add_test(plain, freed_memory_is_used_again_and_zeroed);
    tcase_add_test(plain, size_classes_lose_at_most_a_fifth);
    tcase_add_test(plain, resize_keeps_the_bytes);
    tcase_add_test(plain, limit_is_kept_and_can_be_reached);
    tcase_add_test(plain, failing_hook_fails_once_at_the_asked_place);
    tcase_add_test(plain, snapshots_share_what_did_not_change);
    suite_add_tcase(suite, plain);
    TCase *random = tcase_create("random");
    tcase_add_loop_test(random, random_programs_go_back_in_time, 0, 12);
    tcase_add_loop_test(random, running_again_gives_the_same_addresses, 0, 6);
    suite_add_tcase(suite, random);
    return test_run(suite);
}
