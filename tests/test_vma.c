/* test_vma.c: areas split and merge as Linux's do, and find their places. */
#include "kernel/process.h"
#include "tests/kernel_rig.h"

#define RW  (LX_PROT_READ | LX_PROT_WRITE)
#define PRV LX_MAP_PRIVATE
#define P   PAGE_SIZE

struct world {
    struct rig r;
    size_t before; /* areas of the fresh process */
    va_t low;      /* mmap_top */
};

static void open_world(struct world *w)
{
    struct kernel_config config = rig_config();
    rig_open(&w->r, 64 * MIB, &config);
    w->before = kernel_areas(w->r.k, 1);
    w->low = config.mmap_top;
}

static size_t areas(const struct world *w)
{
    rig_check(&w->r);
    return kernel_areas(w->r.k, 1) - w->before;
}

/* pages at low - below pages; touched if wanted. */
static va_t fixed(struct world *w, uint64_t below, uint64_t pages, uint32_t prot, bool touch)
{
    va_t at = w->low - below * P;
    ck_assert_int_eq(rig_mmap(&w->r, at, pages * P, prot, PRV | LX_MAP_FIXED), (int64_t)at);
    if (touch)
        ck_assert(rig_store(&w->r, at, 1));
    return at;
}

static void protect(struct world *w, va_t at, uint64_t pages, uint32_t prot)
{
    ck_assert_int_eq(rig_call(&w->r, LX_NR_mprotect, at, pages * P, prot, 0, 0), 0);
}

START_TEST(neighbours_merge)
{
    struct world w;
    open_world(&w);
    fixed(&w, 20, 4, RW, false);
    fixed(&w, 12, 4, RW, false);
    ck_assert_uint_eq(areas(&w), 2);
    fixed(&w, 16, 4, RW, false); /* fills the hole */
    ck_assert_uint_eq(areas(&w), 1);
    struct area_info info;
    ck_assert(kernel_area_at(w.r.k, 1, w.low - 9 * P, &info));
    ck_assert_uint_eq(info.start, w.low - 20 * P);
    ck_assert_uint_eq(info.end, w.low - 8 * P);
    fixed(&w, 24, 4, LX_PROT_READ, false); /* other rights */
    ck_assert_uint_eq(areas(&w), 2);
    rig_close(&w.r);
}
END_TEST

/* Memory that was written has an identity; two different ones never join. */
START_TEST(written_areas_stay_apart)
{
    struct world w;
    open_world(&w);
    fixed(&w, 20, 4, RW, true);
    fixed(&w, 12, 4, RW, true);
    fixed(&w, 16, 4, RW, false);
    ck_assert_uint_eq(areas(&w), 2); /* the new one joined the lower */
    struct area_info info;
    ck_assert(kernel_area_at(w.r.k, 1, w.low - 16 * P, &info));
    ck_assert_uint_eq(info.start, w.low - 20 * P);
    ck_assert_uint_eq(info.resident, 1);
    rig_close(&w.r);
}
END_TEST

START_TEST(split_and_back)
{
    struct world w;
    open_world(&w);
    va_t at = fixed(&w, 20, 10, RW, true);
    protect(&w, at + 3 * P, 3, LX_PROT_READ);
    ck_assert_uint_eq(areas(&w), 3);
    protect(&w, at + 4 * P, 1, RW);
    ck_assert_uint_eq(areas(&w), 5);
    protect(&w, at, 10, RW);
    ck_assert_uint_eq(areas(&w), 1);
    ck_assert_int_eq(rig_call(&w.r, LX_NR_munmap, at + 4 * P, 2 * P, 0, 0, 0), 0);
    ck_assert_uint_eq(areas(&w), 2);
    fixed(&w, 16, 2, RW, false);
    ck_assert_uint_eq(areas(&w), 1);
    rig_close(&w.r);
}
END_TEST

/* A neighbour's identity is taken over at the first write, rights apart. */
START_TEST(identity_is_shared_with_neighbours)
{
    struct world w;
    open_world(&w);
    va_t at = fixed(&w, 20, 10, RW, false);
    protect(&w, at, 5, RW | LX_PROT_EXEC);
    ck_assert(rig_store(&w.r, at, 1));
    ck_assert(rig_store(&w.r, at + 5 * P, 1));
    protect(&w, at, 5, RW);
    ck_assert_uint_eq(areas(&w), 1);
    rig_close(&w.r);
}
END_TEST

/* Written memory keeps its page numbers when it moves, so it joins nothing at the new place. */
START_TEST(moved_memory)
{
    struct world w;
    open_world(&w);
    for (int touched = 0; touched < 2; touched++) {
        va_t from = fixed(&w, 100, 2, RW, touched);
        fixed(&w, 20, 2, RW, false);
        va_t to = w.low - 22 * P;
        ck_assert_int_eq(rig_call(&w.r, LX_NR_mremap, from, 2 * P, 2 * P,
                                  LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED, to),
                         (int64_t)to);
        ck_assert_uint_eq(areas(&w), touched ? 2 : 1);
        rig_call(&w.r, LX_NR_munmap, to, 4 * P, 0, 0, 0);
        ck_assert_uint_eq(areas(&w), 0);
    }
    rig_close(&w.r);
}
END_TEST

START_TEST(heap_stays_off_the_image)
{
    struct world w;
    open_world(&w);
    va_t heap = rig_brk(&w.r, 0);
    ck_assert_uint_eq(rig_brk(&w.r, heap + P), heap + P);
    ck_assert_uint_eq(areas(&w), 1);
    ck_assert_uint_eq(rig_brk(&w.r, heap + 5 * P + 7), heap + 5 * P + 7);
    ck_assert_uint_eq(areas(&w), 1);
    struct area_info info;
    ck_assert(kernel_area_at(w.r.k, 1, heap, &info));
    ck_assert_str_eq(info.name, "[heap]");
    ck_assert_uint_eq(info.end, heap + 6 * P);
    ck_assert_uint_eq(rig_brk(&w.r, heap), heap);
    ck_assert_uint_eq(areas(&w), 0);
    rig_close(&w.r);
}
END_TEST

START_TEST(top_down_placement)
{
    struct world w;
    open_world(&w);
    va_t a = (va_t)rig_map(&w.r, 4 * P), b = (va_t)rig_map(&w.r, 4 * P);
    ck_assert_uint_eq(a, w.low - 4 * P);
    ck_assert_uint_eq(b, w.low - 8 * P);
    rig_call(&w.r, LX_NR_munmap, a, 2 * P, 0, 0, 0);
    ck_assert_int_eq(rig_map(&w.r, 3 * P), (int64_t)(w.low - 11 * P)); /* the hole is too small */
    ck_assert_int_eq(rig_map(&w.r, P), (int64_t)(a + P));              /* now it fits */
    /* A wish is granted where it is free, rounded down. */
    ck_assert_int_eq(rig_mmap(&w.r, 64 * GIB + 5, P, RW, PRV), (int64_t)(64 * GIB));
    ck_assert_int_eq(rig_mmap(&w.r, 64 * GIB, P, RW, PRV), (int64_t)a);
    areas(&w);
    rig_close(&w.r);
}
END_TEST

/* Private memory in whole huge pages is aligned to them. */
START_TEST(huge_alignment)
{
    struct world w;
    open_world(&w);
    va_t at = (va_t)rig_map(&w.r, 4 * MIB);
    ck_assert_uint_eq(at % (2 * MIB), 0);
    ck_assert_uint_eq(at, (w.low - 4 * MIB) & ~(2 * MIB - 1));
    va_t odd = (va_t)rig_map(&w.r, 2 * MIB + P);
    ck_assert_uint_eq(odd, at - 2 * MIB - P);
    rig_close(&w.r);
}
END_TEST

START_TEST(gap_below_a_stack)
{
    struct world w;
    open_world(&w);
    va_t at = w.low - 4 * P;
    ck_assert_int_eq(rig_mmap(&w.r, at, 4 * P, RW, PRV | LX_MAP_FIXED | LX_MAP_GROWSDOWN),
                     (int64_t)at);
    ck_assert_int_eq(rig_map(&w.r, P), (int64_t)(at - 257 * P));
    ck_assert_int_eq(rig_mmap(&w.r, at - 256 * P, P, RW, PRV | LX_MAP_FIXED),
                     (int64_t)(at - 256 * P));
    rig_close(&w.r);
}
END_TEST

/* The search against a plain one over every page. */
START_TEST(holes_against_pages)
{
    struct rng rng = {11};
    static bool used[1024];
    for (unsigned round = 0; round < 200; round++) {
        struct world w;
        open_world(&w);
        va_t base = w.low - ARRAY_LEN(used) * P;
        memset(used, 0, sizeof(used));
        for (unsigned i = 0; i < 60; i++) {
            unsigned at = rng_below(&rng, ARRAY_LEN(used) - 20), n = 1 + rng_below(&rng, 20);
            fixed(&w, ARRAY_LEN(used) - at, n, i % 2 ? RW : LX_PROT_READ, false);
            memset(used + at, 1, n);
        }
        unsigned want = 1 + rng_below(&rng, 12), at, run = 0;
        for (at = ARRAY_LEN(used); at > 0 && run < want; at--)
            run = used[at - 1] ? 0 : run + 1;
        if (run == want)
            ck_assert_int_eq(rig_map(&w.r, want * P), (int64_t)(base + at * P));
        areas(&w);
        rig_close(&w.r);
    }
}
END_TEST

START_TEST(limit_on_areas)
{
    struct rig r;
    struct kernel_config config = rig_config();
    config.max_areas = 40;
    rig_open(&r, 64 * MIB, &config);
    va_t at = (va_t)rig_map(&r, 100 * P);
    uint64_t i = 1;
    while (kernel_areas(r.k, 1) < 40) {
        ck_assert_int_eq(rig_call(&r, LX_NR_munmap, at + i * P, P, 0, 0, 0), 0);
        i += 2;
    }
    ck_assert_int_eq(rig_call(&r, LX_NR_munmap, at + i * P, P, 0, 0, 0), -LX_ENOMEM);
    ck_assert_int_eq(rig_call(&r, LX_NR_mprotect, at + i * P, P, 0, 0, 0), -LX_ENOMEM);
    ck_assert_int_eq(rig_call(&r, LX_NR_munmap, at, P, 0, 0, 0), 0); /* no new area needed */
    rig_check(&r);
    rig_close(&r);
}
END_TEST

TEST_MAIN("vma", neighbours_merge, written_areas_stay_apart, split_and_back,
          identity_is_shared_with_neighbours, moved_memory, heap_stays_off_the_image,
          top_down_placement, huge_alignment, gap_below_a_stack, holes_against_pages,
          limit_on_areas)
