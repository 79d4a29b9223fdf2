/* test_ram.c: RAM equals a flat array, through any order of writes, snapshots, restores, frees. */
#include "mmu/ram.h"
#include "sim/base/rng.h"
#include "tests/test.h"

#include <string.h>

#define FRAMES    1100u /* more than two nodes of the tree */
#define BYTES     (FRAMES * PAGE_SIZE)
#define SNAPSHOTS 6u

struct flat {
    uint8_t bytes[BYTES];
};

struct pair {
    struct ram *ram;
    struct flat *now;
    struct ram_snapshot *saved[SNAPSHOTS];
    struct flat *then[SNAPSHOTS];
};

static void same(const struct pair *p)
{
    for (pfn_t pfn = 0; pfn < FRAMES; pfn++)
        if (memcmp(ram_frame(p->ram, pfn), p->now->bytes + pfn * PAGE_SIZE, PAGE_SIZE) != 0)
            ck_abort_msg("frame %llu differs", (unsigned long long)pfn);
}

static void write_some(struct pair *p, struct rng *rng)
{
    uint8_t bytes[9000];
    size_t n = 1 + rng_below(rng, sizeof(bytes));
    pa_t pa = rng_below(rng, (uint32_t)(BYTES - sizeof(bytes)));
    memset(bytes, (int)rng_below(rng, 256), n);
    ram_write(p->ram, pa, bytes, n);
    memcpy(p->now->bytes + pa, bytes, n);
}

static void write_word(struct pair *p, struct rng *rng)
{
    pa_t pa = 8 * (pa_t)rng_below(rng, BYTES / 8);
    uint64_t value = rng_next(rng), back;
    ram_write64(p->ram, pa, value);
    memcpy(p->now->bytes + pa, &value, sizeof(value));
    ck_assert_uint_eq(ram_read64(p->ram, pa), value);
    ram_read(p->ram, pa, &back, sizeof(back));
    ck_assert_uint_eq(back, value);
}

static void whole_frames(struct pair *p, struct rng *rng)
{
    pfn_t to = rng_below(rng, FRAMES), from = rng_below(rng, FRAMES);
    uint8_t *at = p->now->bytes + to * PAGE_SIZE;
    if (rng_below(rng, 2)) {
        ram_zero(p->ram, to);
        memset(at, 0, PAGE_SIZE);
        return;
    }
    ram_copy(p->ram, to, from);
    memmove(at, p->now->bytes + from * PAGE_SIZE, PAGE_SIZE);
}

static void save(struct pair *p, unsigned i)
{
    ram_snapshot_free(p->ram, p->saved[i]);
    p->saved[i] = ram_save(p->ram);
    ck_assert_ptr_nonnull(p->saved[i]);
    *p->then[i] = *p->now;
}

static void travel(struct pair *p, struct rng *rng)
{
    unsigned i = rng_below(rng, SNAPSHOTS);
    uint64_t epoch = ram_epoch(p->ram);
    if (!p->saved[i] || rng_below(rng, 3) == 0) {
        save(p, i);
    } else if (rng_below(rng, 4) == 0) {
        ram_snapshot_free(p->ram, p->saved[i]);
        p->saved[i] = NULL;
        return;
    } else {
        ram_restore(p->ram, p->saved[i]);
        *p->now = *p->then[i];
    }
    ck_assert_uint_ne(ram_epoch(p->ram), epoch);
}

static void step(struct pair *p, struct rng *rng)
{
    uint32_t what = rng_below(rng, 10);
    if (what < 4)
        write_some(p, rng);
    else if (what < 6)
        write_word(p, rng);
    else if (what < 8)
        whole_frames(p, rng);
    else
        travel(p, rng);
}

static struct flat *flat_new(void)
{
    struct flat *f = calloc(1, sizeof(*f));
    ck_assert_ptr_nonnull(f);
    return f;
}

START_TEST(equals_a_flat_array)
{
    struct rng rng = {5};
    struct pair p = {.ram = ram_new(BYTES), .now = flat_new()};
    for (unsigned i = 0; i < SNAPSHOTS; i++)
        p.then[i] = flat_new();
    for (unsigned i = 0; i < 1500; i++) {
        step(&p, &rng);
        if (i % 10 == 0)
            same(&p);
    }
    same(&p);
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        ram_snapshot_free(p.ram, p.saved[i]);
        free(p.then[i]);
    }
    ck_assert_uint_eq(ram_snapshots_bytes(p.ram), 0);
    ram_destroy(p.ram);
    free(p.now);
}
END_TEST

START_TEST(host_memory_is_counted)
{
    struct ram *ram = ram_new(BYTES);
    ck_assert_uint_eq(ram_size(ram), BYTES);
    ck_assert_uint_eq(ram_held(ram), 0);
    ram_write64(ram, 5 * PAGE_SIZE, 1);
    ram_write64(ram, 6 * PAGE_SIZE, 1);
    ck_assert_uint_eq(ram_held(ram), 2 * PAGE_SIZE);
    struct ram_snapshot *s = ram_save(ram);
    ck_assert_uint_eq(ram_snapshots_bytes(ram), 0);
    ram_write64(ram, 5 * PAGE_SIZE, 2);
    ck_assert_uint_eq(ram_held(ram), 2 * PAGE_SIZE);
    ck_assert_uint_eq(ram_snapshots_bytes(ram), PAGE_SIZE);
    ram_zero(ram, 6);
    ck_assert_uint_eq(ram_held(ram), PAGE_SIZE);
    ck_assert_uint_eq(ram_snapshots_bytes(ram), 2 * PAGE_SIZE);
    ram_restore(ram, s);
    ck_assert_uint_eq(ram_held(ram), 2 * PAGE_SIZE);
    ck_assert_uint_eq(ram_read64(ram, 5 * PAGE_SIZE), 1);
    ram_snapshot_free(ram, s);
    ck_assert_uint_eq(ram_snapshots_bytes(ram), 0);
    ram_destroy(ram);
}
END_TEST

START_TEST(beyond_the_end_reads_zero_and_loses_writes)
{
    struct ram *ram = ram_new(2 * PAGE_SIZE);
    uint8_t bytes[16];
    memset(bytes, 7, sizeof(bytes));
    ram_write(ram, 2 * PAGE_SIZE - 8, bytes, sizeof(bytes));
    ram_read(ram, 2 * PAGE_SIZE - 8, bytes, sizeof(bytes));
    for (unsigned i = 0; i < sizeof(bytes); i++)
        ck_assert_uint_eq(bytes[i], i < 8 ? 7 : 0);
    ram_write64(ram, UINT64_MAX - 7, 1);
    ck_assert_uint_eq(ram_read64(ram, UINT64_MAX - 7), 0);
    ck_assert_uint_eq(ram_held(ram), PAGE_SIZE);
    ram_destroy(ram);
}
END_TEST

/* Whoever holds a pointer learns from the epoch that it may be stale. */
START_TEST(the_epoch_moves_when_pointers_go_stale)
{
    struct ram *ram = ram_new(4 * PAGE_SIZE);
    uint64_t epoch = ram_epoch(ram);
    uint8_t *frame = ram_frame_write(ram, 1); /* made */
    ck_assert_uint_ne(ram_epoch(ram), epoch);
    epoch = ram_epoch(ram);
    ck_assert_ptr_eq(ram_frame_write(ram, 1), frame);
    ck_assert_ptr_eq(ram_frame(ram, 1), frame);
    ck_assert_uint_eq(ram_epoch(ram), epoch);
    struct ram_snapshot *s = ram_save(ram);
    ck_assert_uint_ne(ram_epoch(ram), epoch);
    epoch = ram_epoch(ram);
    ck_assert_ptr_ne(ram_frame_write(ram, 1), frame); /* unshared */
    ck_assert_uint_ne(ram_epoch(ram), epoch);
    ram_snapshot_free(ram, s);
    ram_destroy(ram);
}
END_TEST

TEST_MAIN("ram", equals_a_flat_array, host_memory_is_counted,
          beyond_the_end_reads_zero_and_loses_writes, the_epoch_moves_when_pointers_go_stale)
