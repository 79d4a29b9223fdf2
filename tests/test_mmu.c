/* test_mmu.c: the story that an access tells, what it costs and counts, and what is forgotten when.
 */
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define VA UINT64_C(0x7f0012345000)

static struct world w;

static void open_with(const struct mmu_config *config)
{
    world_open(&w, config, 16 * MIB);
    world_map(&w, VA, 1, 300, 0);
    world_map(&w, VA + PAGE_SIZE, 1, 301, 0);
}

static void open_default(void)
{
    struct mmu_config config = world_config();
    open_with(&config);
}

static const struct mmu_counters *count(void)
{
    return mmu_counters(w.mmu);
}

static bool touch(va_t va, enum access how)
{
    struct mmu_fault fault;
    return world_access(&w, va, how, &fault);
}

/* ---- the story ---- */

START_TEST(a_first_read_is_told_in_order)
{
    open_default();
    world_listen(&w);
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert_str_eq(world_story(&w),
                     "access tlb_miss tlb_miss walk_begin walk_read walk_read walk_read walk_read "
                     "entry_mark entry_mark entry_mark entry_mark walk_end tlb_fill tlb_fill data");
    const struct event *e = w.event;
    ck_assert_uint_eq(e[4].walk_read.level, 4);
    ck_assert_uint_eq(e[7].walk_read.level, 1);
    ck_assert_uint_eq(e[7].walk_read.entry, pte_make(300, PTE_P | PTE_RW | PTE_US));
    ck_assert_uint_eq(e[11].entry_mark.after, e[11].entry_mark.before | PTE_A);
    ck_assert_uint_eq(e[12].walk_end.pfn, 300);
    ck_assert_uint_eq(e[13].tlb_fill.level, 2);
    ck_assert_uint_eq(e[14].tlb_fill.level, 1);
    ck_assert_uint_eq(e[14].tlb_fill.set, (VA >> PAGE_SHIFT) % 16);
    ck_assert_uint_eq(e[15].data.pa, 300 * PAGE_SIZE);
    world_listen(&w);
    ck_assert(touch(VA + 5, ACCESS_READ));
    ck_assert_str_eq(world_story(&w), "access tlb_hit data");
    world_close(&w);
}
END_TEST

START_TEST(a_write_through_a_clean_entry_walks_to_set_d)
{
    open_default();
    ck_assert(touch(VA, ACCESS_READ));
    world_listen(&w);
    ck_assert(touch(VA, ACCESS_WRITE));
    ck_assert_str_eq(world_story(&w), "access tlb_hit walk_begin walk_read walk_read walk_read "
                                      "walk_read entry_mark walk_end tlb_dirty tlb_dirty data");
    ck_assert_uint_eq(count()->dirty_walks, 1);
    ck_assert_uint_eq(count()->walks, 2);
    ck_assert_uint_eq(count()->ad_writes, 5);
    ck_assert_uint_eq(ram_read64(w.ram, world_entry(&w, w.root, VA, 1)),
                      pte_make(300, PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D));
    world_listen(&w);
    ck_assert(touch(VA, ACCESS_WRITE));
    ck_assert_str_eq(world_story(&w), "access tlb_hit data");
    world_close(&w);
}
END_TEST

START_TEST(a_dirty_walk_that_finds_another_frame_believes_the_table)
{
    open_default();
    ck_assert(touch(VA, ACCESS_READ));
    world_map(&w, VA, 1, 400, 0); /* and no INVLPG */
    uint8_t byte = 9;
    struct mmu_fault fault;
    ck_assert(mmu_access(w.mmu, VA, &byte, 1, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(ram_frame(w.ram, 300)[0], 0);
    ck_assert_uint_eq(ram_frame(w.ram, 400)[0], 9);
    struct tlb_line line;
    mmu_tlb_line(w.mmu, TLB_L2, (VA >> PAGE_SHIFT) % 128, 0, &line);
    ck_assert(line.valid && line.pfn == 400 && line.flags & TLB_DIRTY);
    world_close(&w);
}
END_TEST

START_TEST(a_second_level_hit_fills_the_first)
{
    struct mmu_config config = world_config();
    config.tlb[TLB_L1D] = (struct tlb_config){1, 1, REPL_LRU, 1};
    open_with(&config);
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert(touch(VA + PAGE_SIZE, ACCESS_READ));
    cycles_t before = w.env->cycle;
    world_listen(&w);
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert_str_eq(world_story(&w), "access tlb_miss tlb_hit tlb_fill data");
    ck_assert(w.event[3].tlb_fill.evicts);
    ck_assert_uint_eq(w.event[3].tlb_fill.victim, (VA >> PAGE_SHIFT) + 1);
    ck_assert_uint_eq(w.env->cycle - before, 7 + 4);
    world_close(&w);
}
END_TEST

START_TEST(cycles_are_those_of_the_configuration)
{
    open_default();
    ck_assert(touch(VA, ACCESS_READ)); /* four reads and the data */
    ck_assert_uint_eq(w.env->cycle, 4 * 14 + 4);
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert_uint_eq(w.env->cycle, 4 * 14 + 4 + 1 + 4);
    ck_assert_uint_eq(count()->cycles_walk, 4 * 14);
    ck_assert_uint_eq(count()->cycles_tlb, 1);
    ck_assert_uint_eq(count()->cycles_data, 8);
    world_close(&w);
}
END_TEST

/* ---- page-crossing accesses ---- */

START_TEST(an_access_across_two_pages_is_all_or_nothing)
{
    open_default();
    struct mmu_fault fault;
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8] = {0};
    va_t va = VA + PAGE_SIZE - 3;
    ck_assert(mmu_access(w.mmu, va, bytes, 8, ACCESS_WRITE, &fault));
    ck_assert(mmu_access(w.mmu, va, back, 8, ACCESS_READ, &fault));
    ck_assert_mem_eq(bytes, back, 8);
    ck_assert_uint_eq(ram_frame(w.ram, 300)[PAGE_SIZE - 1], 3);
    ck_assert_uint_eq(ram_frame(w.ram, 301)[0], 4);
    ck_assert_uint_eq(count()->accesses, 4);
    ck_assert_uint_eq(count()->bytes, 16);
    memset(bytes, 0xee, sizeof(bytes));
    va += PAGE_SIZE; /* the second page is not there */
    ck_assert(!mmu_access(w.mmu, va, bytes, 8, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.va, VA + 2 * PAGE_SIZE);
    ck_assert_uint_eq(fault.error, PF_W | PF_U);
    ck_assert_uint_eq(ram_frame(w.ram, 301)[PAGE_SIZE - 1], 0);
    ck_assert_uint_eq(count()->bytes, 16);
    world_close(&w);
}
END_TEST

START_TEST(more_than_a_page_goes_page_by_page)
{
    open_default();
    struct mmu_fault fault;
    uint8_t bytes[3 * PAGE_SIZE];
    memset(bytes, 5, sizeof(bytes));
    ck_assert(!mmu_access(w.mmu, VA, bytes, sizeof(bytes), ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.va, VA + 2 * PAGE_SIZE);
    ck_assert_uint_eq(ram_frame(w.ram, 301)[PAGE_SIZE - 1], 5);
    world_map(&w, VA + 2 * PAGE_SIZE, 1, 302, 0);
    ck_assert(mmu_access(w.mmu, VA, bytes, sizeof(bytes), ACCESS_WRITE, &fault));
    ck_assert_uint_eq(ram_frame(w.ram, 302)[PAGE_SIZE - 1], 5);
    world_close(&w);
}
END_TEST

/* ---- forgetting ---- */

START_TEST(a_stale_entry_stays_until_it_is_invalidated)
{
    open_default();
    ck_assert(touch(VA, ACCESS_READ));
    ram_write64(w.ram, world_entry(&w, w.root, VA, 1), 0);
    ck_assert(touch(VA, ACCESS_READ));
    world_listen(&w);
    mmu_invlpg(w.mmu, VA + 123);
    ck_assert_str_eq(world_story(&w), "invlpg tlb_drop tlb_drop");
    ck_assert(!touch(VA, ACCESS_READ));
    world_close(&w);
}
END_TEST

START_TEST(a_page_fault_forgets_the_address)
{
    open_default();
    pa_t at = world_entry(&w, w.root, VA, 1);
    ram_write64(w.ram, at, pte_make(300, PTE_P | PTE_US));
    ck_assert(touch(VA, ACCESS_READ));
    ram_write64(w.ram, at, pte_make(300, PTE_P | PTE_US | PTE_RW)); /* more rights, no INVLPG */
    world_listen(&w);
    ck_assert(!touch(VA, ACCESS_WRITE));
    ck_assert_str_eq(world_story(&w), "access tlb_hit tlb_drop tlb_drop fault");
    ck_assert(touch(VA, ACCESS_WRITE));
    world_close(&w);
}
END_TEST

START_TEST(cr3_keeps_global_entries_only)
{
    open_default();
    world_map(&w, VA, 1, 300, PTE_G);
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert(touch(VA + PAGE_SIZE, ACCESS_READ));
    world_listen(&w);
    ck_assert(mmu_write_cr3(w.mmu, 0x5000)); /* an empty table */
    ck_assert_str_eq(world_story(&w), "cr3_load tlb_drop tlb_drop");
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert(!touch(VA + PAGE_SIZE, ACCESS_READ));
    world_close(&w);
}
END_TEST

START_TEST(large_pages_take_one_entry_and_go_at_once)
{
    open_default();
    world_map(&w, 8 * GIB, 3, 0, 0);
    world_map(&w, 4 * MIB, 2, 512, 0);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(touch(8 * GIB + i * 7 * MIB, ACCESS_READ));
        ck_assert(touch(4 * MIB + i * PAGE_SIZE, ACCESS_READ));
    }
    ck_assert_uint_eq(count()->walks, 2);
    ck_assert_uint_eq(count()->walk_reads, 2 + 3);
    struct tlb_line line;
    mmu_tlb_line(w.mmu, TLB_L1D, 2, 0, &line); /* the second page of 2 MiB */
    ck_assert(line.valid && line.vpn == 1024 && line.pfn == 512 && line.page_size == 2 * MIB);
    mmu_invlpg(w.mmu, 4 * MIB + 12345);
    mmu_invlpg(w.mmu, 8 * GIB + 999 * MIB);
    ck_assert_uint_eq(count()->tlb[TLB_L1D].invalidations, 2);
    ck_assert_uint_eq(count()->tlb[TLB_L2].invalidations, 2);
    world_close(&w);
}
END_TEST

/* ---- paging-structure caches ---- */

static void open_psc(uint32_t pde, uint32_t pdpte, uint32_t pml4e)
{
    struct mmu_config config = world_config();
    config.psc_entries[2] = pde;
    config.psc_entries[3] = pdpte;
    config.psc_entries[4] = pml4e;
    open_with(&config);
}

START_TEST(the_lowest_cached_table_shortens_the_walk)
{
    open_psc(2, 1, 1);
    world_map(&w, VA + 2 * MIB, 1, 302, 0);
    world_map(&w, VA + GIB, 1, 303, 0);
    world_map(&w, VA + 512 * GIB, 1, 304, 0);
    static const struct {
        uint64_t offset, reads, hits;
    } steps[] = {{0, 4, 0}, {PAGE_SIZE, 1, 1}, {2 * MIB, 2, 1}, {GIB, 3, 1}, {512 * GIB, 4, 0}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        uint64_t reads = count()->walk_reads, hits = count()->psc_hits;
        ck_assert(touch(VA + steps[i].offset, ACCESS_READ));
        ck_assert_uint_eq(count()->walk_reads - reads, steps[i].reads);
        ck_assert_uint_eq(count()->psc_hits - hits, steps[i].hits);
    }
    ck_assert_uint_eq(count()->psc_lookups, ARRAY_LEN(steps));
    struct psc_line line;
    mmu_psc_line(w.mmu, 4, 0, &line);
    ck_assert(line.valid && line.va == align_down(VA + 512 * GIB, 512 * GIB));
    world_close(&w);
}
END_TEST

START_TEST(invlpg_empties_the_paging_structure_caches)
{
    open_psc(4, 4, 4);
    world_listen(&w);
    ck_assert(touch(VA, ACCESS_READ));
    ck_assert_ptr_nonnull(
        strstr(world_story(&w), "entry_mark psc_fill psc_fill psc_fill walk_end"));
    world_listen(&w);
    mmu_invlpg(w.mmu, VA + 64 * GIB);
    ck_assert_str_eq(world_story(&w), "invlpg psc_drop psc_drop psc_drop");
    ck_assert(touch(VA + PAGE_SIZE, ACCESS_READ));
    ck_assert_uint_eq(count()->walk_reads, 8);
    ck_assert(!touch(VA + 9 * PAGE_SIZE, ACCESS_READ)); /* a fault drops those on its way */
    world_listen(&w);
    ck_assert(mmu_write_cr3(w.mmu, w.root));
    ck_assert_ptr_null(strstr(world_story(&w), "psc_drop"));
    world_close(&w);
}
END_TEST

/* Rights of the levels that the cache skips still count. */
START_TEST(a_cached_table_keeps_the_rights_above_it)
{
    open_psc(4, 0, 0);
    pa_t pde = world_entry(&w, w.root, VA, 2);
    ram_write64(w.ram, pde, ram_read64(w.ram, pde) & ~PTE_RW);
    ck_assert(touch(VA, ACCESS_READ));
    struct mmu_fault fault;
    ck_assert(!world_access(&w, VA + PAGE_SIZE, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.error, PF_P | PF_W | PF_U);
    ck_assert_uint_eq(count()->psc_hits, 1);
    world_close(&w);
}
END_TEST

/* ---- the rest ---- */

START_TEST(a_probe_leaves_no_trace)
{
    open_psc(4, 4, 4);
    struct mmu_counters before = *count();
    world_listen(&w);
    struct translation to;
    ck_assert(mmu_probe(w.mmu, VA + 77, &to));
    ck_assert_uint_eq(to.pa, 300 * PAGE_SIZE + 77);
    ck_assert(!mmu_probe(w.mmu, VA + 9 * PAGE_SIZE, &to));
    ck_assert(!mmu_probe(w.mmu, UINT64_C(1) << 60, &to));
    ck_assert_uint_eq(w.heard, 0);
    ck_assert_mem_eq(&before, count(), sizeof(before));
    ck_assert_uint_eq(ram_read64(w.ram, world_entry(&w, w.root, VA, 1)) & PTE_A, 0);
    world_close(&w);
}
END_TEST

START_TEST(five_levels_walk_and_cache)
{
    struct mmu_config config = world_config();
    config.psc_entries[5] = 2;
    world_open(&w, &config, 16 * MIB);
    mmu_regs(w.mmu)->cr4 |= CR4_LA57;
    va_t high = UINT64_C(0xff12345678abc000);
    world_map(&w, high, 1, 500, 0);
    ck_assert(touch(high, ACCESS_WRITE));
    ck_assert_uint_eq(count()->walk_reads, 5);
    world_map(&w, high ^ 256 * GIB, 1, 501, 0);
    ck_assert(touch(high ^ 256 * GIB, ACCESS_WRITE));
    ck_assert_uint_eq(count()->psc_hits, 1);
    world_close(&w);
}
END_TEST

START_TEST(configurations_that_make_no_sense_are_refused)
{
    const char *field, *reason;
    struct mmu_config good = world_config(), c;
    ck_assert(mmu_config_check(&good, &field, &reason));
#define REFUSED(change, name)                                                                      \
    do {                                                                                           \
        c = good;                                                                                  \
        change;                                                                                    \
        ck_assert(!mmu_config_check(&c, &field, &reason));                                         \
        ck_assert_str_eq(field, name);                                                             \
        ck_assert_uint_gt(strlen(reason), 0);                                                      \
    } while (0)
    REFUSED(c.tlb[TLB_L1D].sets = 0, "tlb.l1d.sets");
    REFUSED(c.tlb[TLB_L1D].ways = 0, "tlb.l1d");
    REFUSED(c.tlb[TLB_L1D].ways = 1025, "tlb.l1d");
    REFUSED(c.tlb[TLB_L2].sets = 65537, "tlb.l2");
    REFUSED((c.tlb[TLB_L2].sets = 65536, c.tlb[TLB_L2].ways = 17), "tlb.l2");
    REFUSED(c.tlb[TLB_L2].repl = REPL_POLICIES, "tlb.l2");
    REFUSED(c.tlb[TLB_L2].repl = REPL_PLRU, "tlb.l2"); /* 12 ways */
    REFUSED((c.tlb[TLB_L1D].repl = REPL_PLRU, c.tlb[TLB_L1D].ways = 128), "tlb.l1d");
    REFUSED(c.psc_entries[2] = 1025, "psc.pde");
    REFUSED(c.psc_entries[1] = 1, "psc");
    REFUSED(c.maxphyaddr = 35, "maxphyaddr");
    REFUSED(c.maxphyaddr = 53, "maxphyaddr");
}
END_TEST

START_TEST(no_memory_is_told)
{
    struct arena *arena = arena_new(64 * MIB);
    struct bus bus = {.on = false};
    struct env env = {.bus = &bus, .arena = arena};
    struct ram *ram = ram_new(MIB);
    struct mmu_config config = world_config();
    config.classify = true;
    config.psc_entries[2] = 8;
    unsigned n = 1;
    struct mmu *mmu = NULL;
    for (; !mmu; n++) {
        arena_fail_at(arena, n);
        mmu = mmu_new(&env, ram, &config);
    }
    ck_assert_uint_gt(n, 15);
    ram_destroy(ram);
    arena_destroy(arena);
}
END_TEST

/* Classes that no memory is left for: the sums stay right, and nothing stops. */
START_TEST(classes_survive_a_full_arena)
{
    struct mmu_config config = world_config();
    config.classify = true;
    open_with(&config);
    for (unsigned i = 0; i < 400; i++)
        world_map(&w, VA + i * PAGE_SIZE, 1, 300 + i, 0);
    for (unsigned i = 0; i < 400; i++) {
        arena_fail_at(w.env->arena, 1);
        ck_assert(touch(VA + i * PAGE_SIZE, ACCESS_READ));
    }
    const struct tlb_counters *c = &count()->tlb[TLB_L2];
    ck_assert_uint_eq(c->by_class[MISS_COLD], 400);
    ck_assert_uint_eq(c->misses, 400);
    world_close(&w);
}
END_TEST

TEST_MAIN("mmu", a_first_read_is_told_in_order, a_write_through_a_clean_entry_walks_to_set_d,
          a_dirty_walk_that_finds_another_frame_believes_the_table,
          a_second_level_hit_fills_the_first, cycles_are_those_of_the_configuration,
          an_access_across_two_pages_is_all_or_nothing, more_than_a_page_goes_page_by_page,
          a_stale_entry_stays_until_it_is_invalidated, a_page_fault_forgets_the_address,
          cr3_keeps_global_entries_only, large_pages_take_one_entry_and_go_at_once,
          the_lowest_cached_table_shortens_the_walk, invlpg_empties_the_paging_structure_caches,
          a_cached_table_keeps_the_rights_above_it, a_probe_leaves_no_trace,
          five_levels_walk_and_cache, configurations_that_make_no_sense_are_refused,
          no_memory_is_told, classes_survive_a_full_arena)
