/* test_rmap.c: the reverse map against a plain list, and what it says of the pages of a process. */
#include "kernel/rmap.h"
#include "sim/base/event.h"
#include "tests/kernel_rig.h"
#include "tests/test.h"

#define MANY 200u

struct world {
    struct bus bus;
    struct env env;
    struct frame frame;
};

static void open_world(struct world *w)
{
    *w = (struct world){.env = {.rng = {11}}};
    w->env.bus = &w->bus;
    w->env.arena = arena_new(GIB);
}

static va_t page(size_t i)
{
    return (i + 1) * PAGE_SIZE;
}

static bool has(const struct frame *frame, mapping_t wanted)
{
    mapping_t m;
    for (size_t i = 0; (m = rmap_at(frame, i)); i++)
        if (m == wanted)
            return true;
    return false;
}

START_TEST(random_against_list)
{
    struct world w;
    open_world(&w);
    bool in[MANY] = {false};
    size_t count = 0;
    for (unsigned step = 0; step < 20000; step++) {
        size_t i = rng_below(&w.env.rng, step < 10000 ? MANY : 8);
        uint16_t pid = (uint16_t)(1 + i % 3);
        if (in[i])
            rmap_remove(&w.env, &w.frame, pid, page(i));
        else
            ck_assert(rmap_add(&w.env, &w.frame, pid, page(i)));
        in[i] = !in[i];
        count += in[i] ? 1 : (size_t)-1;
        ck_assert_uint_eq(rmap_count(&w.frame), count);
        ck_assert_uint_eq(rmap_at(&w.frame, count), 0);
        for (size_t j = 0; step % 50 == 0 && j < MANY; j++)
            ck_assert_int_eq(has(&w.frame, mapping_make((uint16_t)(1 + j % 3), page(j))), in[j]);
    }
    for (size_t i = 0; i < MANY; i++)
        if (in[i])
            rmap_remove(&w.env, &w.frame, (uint16_t)(1 + i % 3), page(i));
    ck_assert_uint_eq(rmap_count(&w.frame), 0);
    ck_assert_uint_eq(arena_used(w.env.arena), 0); /* no piece is lost */
    arena_destroy(w.env.arena);
}
END_TEST

START_TEST(no_memory_leaves_one_out)
{
    struct world w;
    open_world(&w);
    ck_assert(rmap_add(&w.env, &w.frame, 1, page(0)));
    arena_fail_at(w.env.arena, 1);
    ck_assert(!rmap_add(&w.env, &w.frame, 1, page(1)));
    ck_assert(rmap_add(&w.env, &w.frame, 1, page(2)));
    rmap_remove(&w.env, &w.frame, 1, page(1)); /* never noted: nothing happens */
    ck_assert_uint_eq(rmap_count(&w.frame), 2);
    ck_assert(has(&w.frame, mapping_make(1, page(2))));
    arena_destroy(w.env.arena);
}
END_TEST

/* A page of a shared object that is shown twice by one process, then moved, then forgotten. */
START_TEST(pages_of_a_process)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    va_t a = (va_t)rig_mmap(&r, 0, 4 * PAGE_SIZE, LX_PROT_READ | LX_PROT_WRITE, LX_MAP_SHARED);
    va_t b = (va_t)rig_call(&r, LX_NR_mremap, a, 0, 4 * PAGE_SIZE, LX_MREMAP_MAYMOVE, 0);
    ck_assert(rig_store(&r, a, 1) && rig_store(&r, b, 2));
    struct translation to;
    ck_assert(mmu_probe(r.cpu[0].mmu, a, &to));
    pfn_t pfn = to.pa >> PAGE_SHIFT;
    uint16_t pid;
    va_t va[2];
    ck_assert(kernel_mapping(r.k, pfn, 0, &pid, &va[0]) && pid == 1);
    ck_assert(kernel_mapping(r.k, pfn, 1, &pid, &va[1]) && pid == 1);
    ck_assert((va[0] == a && va[1] == b) || (va[0] == b && va[1] == a));
    ck_assert(!kernel_mapping(r.k, pfn, 2, &pid, &va[0]));
    rig_check(&r);
    int64_t moved = rig_call(&r, LX_NR_mremap, b, 4 * PAGE_SIZE, 4 * PAGE_SIZE,
                             LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED, b - 64 * PAGE_SIZE);
    ck_assert_int_eq(moved, (int64_t)(b - 64 * PAGE_SIZE));
    rig_check(&r);
    rig_call(&r, LX_NR_munmap, a, 4 * PAGE_SIZE, 0, 0, 0);
    ck_assert(kernel_mapping(r.k, pfn, 0, &pid, &va[0]));
    ck_assert_uint_eq(va[0], (va_t)moved);
    ck_assert(!kernel_mapping(r.k, pfn, 1, &pid, &va[0]));
    rig_check(&r);
    kernel_exit(r.k, &r.cpu[0], 1);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

TEST_MAIN("rmap", random_against_list, no_memory_leaves_one_out, pages_of_a_process)
