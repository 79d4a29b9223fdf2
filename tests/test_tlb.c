/* test_tlb.c: counts, lines and classes of all levels equal an independent plain reference, for all
 * policies, organisations, random geometries and streams with invalidations, by every way of
 * access. */
#include "tests/reference.h"
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define PAGES 700u
#define BASE  UINT64_C(0x7fffff000000) /* page numbers with many bits */
#define LARGE UINT64_C(0x7e0000000000)
#define HUGE  UINT64_C(0x7d0000000000)

enum { LARGES = 24, HUGES = 6 };

/* ---- the pages: 4 KiB, 2 MiB, 1 GiB, each a function of its number ---- */

static bool is_global(uint64_t page)
{
    return page / 8 % 7 == 0;
}

static va_t va_of(uint32_t i)
{
    return BASE + i * PAGE_SIZE;
}

/* Neighbours in both spaces, but for some: so not every group of pages can share an entry. */
static pfn_t frame_of(uint64_t i)
{
    return 256 + (i % 40 == 5 ? i + 4096 : i);
}

static pte_t rights_of_page(uint64_t i)
{
    return i % 56 == 9 ? PTE_PWT : 0;
}

static void map_all(struct world *w)
{
    for (uint32_t i = 0; i < PAGES; i++)
        world_map(w, va_of(i), 1, frame_of(i),
                  PTE_A | PTE_D | rights_of_page(i) |
                      (is_global(va_of(i) >> PAGE_SHIFT) ? PTE_G : 0));
    for (uint64_t i = 0; i < LARGES; i++)
        world_map(w, LARGE + i * 2 * MIB, 2, 512 * i, PTE_A | PTE_D | (i % 3 ? 0 : PTE_G));
    for (uint64_t i = 0; i < HUGES; i++)
        world_map(w, HUGE + i * GIB, 3, 512 * 512 * i, PTE_A | PTE_D | (i % 2 ? 0 : PTE_G));
}

/* BASE's own number is a multiple of 8, and so is 256. */
static bool in_run(uint64_t i, uint32_t pages)
{
    if (pages < 2)
        return false;
    uint64_t first = i / pages * pages;
    for (uint64_t k = first; k < first + pages; k++)
        if (k >= PAGES || frame_of(k) != 256 + k || rights_of_page(k) != rights_of_page(first))
            return false;
    return true;
}

static struct ref_page page_of(va_t va, uint32_t coalesce)
{
    uint64_t vpn = va >> PAGE_SHIFT;
    if (va >= BASE)
        return (struct ref_page){vpn, 1, is_global(vpn),
                                 in_run(vpn - (BASE >> PAGE_SHIFT), coalesce)};
    if (va >= LARGE)
        return (struct ref_page){vpn / 512 * 512, 512, (va - LARGE) / (2 * MIB) % 3 == 0, false};
    return (struct ref_page){align_down(vpn, 512 * 512), 512 * 512, (va - HUGE) / GIB % 2 == 0,
                             false};
}

static pfn_t frame_at(va_t va)
{
    if (va >= BASE)
        return frame_of((va - BASE) >> PAGE_SHIFT);
    return (va - (va >= LARGE ? LARGE : HUGE)) >> PAGE_SHIFT;
}

static struct tlb_config random_level(struct rng *rng, uint32_t repl, bool small)
{
    static const uint32_t pow2[] = {1, 2, 4, 8, 16, 32, 64};
    struct tlb_config c = {.repl = repl, .hit_cycles = rng_below(rng, 9)};
    c.ways = repl == REPL_PLRU ? pow2[rng_below(rng, small ? 5 : 7)]
                               : 1 + rng_below(rng, small ? 16 : 70);
    c.sets = 1 + rng_below(rng, small ? 20 : 40);
    return c;
}

/* ---- comparing ---- */

static void same_counts(const struct world *w, const struct reference *r, bool classes)
{
    const struct mmu_counters *all = mmu_counters(w->mmu);
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct tlb_counters *c = &all->tlb[level];
        const struct ref_level *l = &r->level[level];
        ck_assert_uint_eq(c->lookups, l->lookups);
        ck_assert_uint_eq(c->hits, l->hits);
        ck_assert_uint_eq(c->misses, l->misses);
        ck_assert_uint_eq(c->fills, l->fills);
        ck_assert_uint_eq(c->evictions, l->evictions);
        ck_assert_uint_eq(c->invalidations, l->dropped);
        ck_assert_uint_eq(c->back_invalidations, l->lost);
        for (unsigned class = 0; class < MISS_CLASSES; class ++)
            ck_assert_uint_eq(c->by_class[class], classes ? l->by_class[class] : 0);
    }
    ck_assert_uint_eq(all->walks, r->walks);
    ck_assert_uint_eq(all->walk_reads, r->walk_reads);
    ck_assert_uint_eq(all->psc_lookups, r->psc_lookups);
    ck_assert_uint_eq(all->psc_hits, r->psc_hits);
}

static void same_line(const struct world *w, unsigned array, uint32_t at, const struct ref_array *a)
{
    const struct ref_line *want = &a->line[at];
    struct tlb_line line;
    mmu_tlb_line(w->mmu, array, at / a->ways, at % a->ways, &line);
    ck_assert_int_eq(line.valid, want->valid);
    if (!line.valid)
        return;
    ck_assert_uint_eq(line.vpn, want->first);
    ck_assert_uint_eq(line.pfn, frame_at(line.vpn << PAGE_SHIFT));
    ck_assert_uint_eq(line.page_size, want->pages * PAGE_SIZE);
    ck_assert_uint_eq(line.pcid, want->pcid);
    ck_assert_int_eq((line.flags & TLB_GLOBAL) != 0, want->page.global);
}

static void same_lines(const struct world *w, const struct reference *r)
{
    for (unsigned array = 0; array < TLB_ARRAYS; array++) {
        const struct ref_array *a = &r->level[array % TLB_LEVELS].array[array / TLB_LEVELS];
        for (uint32_t at = 0; at < a->sets * a->ways; at++)
            same_line(w, array, at, a);
    }
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        for (uint32_t slot = 0; slot < mmu_psc_entries(w->mmu, level); slot++) {
            const struct ref_psc *want = &r->psc[level][slot];
            struct psc_line line;
            mmu_psc_line(w->mmu, level, slot, &line);
            ck_assert_int_eq(line.valid, want->valid);
            if (line.valid)
                ck_assert_uint_eq(line.va, (want->number << PAGE_SHIFT) << 9 * (level - 1));
            ck_assert(!line.valid || line.pcid == want->pcid);
        }
    }
}

/* ---- what is done ---- */

struct run {
    struct world w;
    struct reference r;
    bool large; /* large pages are used too */
    unsigned pcid;
};

/* Streams that loop, that jump, and that stay; so that there are hits on both levels. */
static uint32_t next_page(struct rng *rng, uint32_t before)
{
    switch (rng_below(rng, 8)) {
    case 0:
        return rng_below(rng, PAGES);
    case 1:
    case 2:
        return (before + 1) % PAGES;
    case 3:
    case 4:
        return before;
    default:
        return rng_below(rng, 24) * 29 % PAGES;
    }
}

static va_t large_va(struct rng *rng)
{
    if (rng_below(rng, 2))
        return LARGE + (va_t)rng_below(rng, LARGES) * 2 * MIB + rng_below(rng, 2 * MIB);
    return HUGE + (va_t)rng_below(rng, HUGES) * GIB + rng_below(rng, 16) * 37 * 2 * MIB / 16;
}

static void some_accesses(struct run *run, struct rng *rng)
{
    va_t va[300];
    size_t n = 1 + rng_below(rng, ARRAY_LEN(va));
    uint32_t page = rng_below(rng, PAGES);
    enum access how = (enum access)rng_below(rng, 3);
    bool large = run->large && rng_below(rng, 2);
    for (size_t i = 0; i < n; i++) {
        page = next_page(rng, page);
        va[i] = va_of(page) + rng_below(rng, PAGE_SIZE);
        if (large && rng_below(rng, 3) == 0)
            va[i] = large_va(rng);
        struct ref_page p = page_of(va[i], run->r.config.coalesce);
        reference_use(&run->r, va[i] >> PAGE_SHIFT, &p, run->pcid, how);
    }
    struct mmu_fault fault;
    if (rng_below(rng, 2)) {
        ck_assert_uint_eq(mmu_touch(run->w.mmu, va, n, how, &fault), n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ck_assert(mmu_access(run->w.mmu, va[i], NULL, 1, how, &fault));
}

static va_t any_va(const struct run *run, struct rng *rng)
{
    return run->large && rng_below(rng, 2) ? large_va(rng) : va_of(rng_below(rng, PAGES));
}

static bool has_pcids(const struct run *run)
{
    return (mmu_regs(run->w.mmu)->cr4 & CR4_PCIDE) != 0;
}

static void load_cr3(struct run *run, struct rng *rng)
{
    bool keep = has_pcids(run) && rng_below(rng, 4);
    run->pcid = has_pcids(run) ? rng_below(rng, 3) : 0;
    ck_assert(mmu_write_cr3(run->w.mmu, run->w.root | run->pcid | (keep ? CR3_NOFLUSH : 0)));
    if (!keep)
        reference_forget(&run->r, &(struct ref_scope){.pcid = run->pcid});
}

static void invpcid(struct run *run, struct rng *rng)
{
    enum invpcid type = (enum invpcid)rng_below(rng, INVPCID_TYPES);
    va_t va = any_va(run, rng);
    struct ref_scope s = {.all_pcids = type >= INVPCID_ALL,
                          .globals = type == INVPCID_ALL,
                          .pcid = has_pcids(run) ? rng_below(rng, 3) : 0,
                          .one_page = type == INVPCID_ADDRESS,
                          .psc_page = type == INVPCID_ADDRESS,
                          .page = va >> PAGE_SHIFT};
    ck_assert(mmu_invpcid(run->w.mmu, type, s.pcid, va));
    reference_forget(&run->r, &s);
}

static void one_step(struct run *run, struct rng *rng)
{
    uint32_t what = rng_below(rng, 40);
    if (what < 3) {
        load_cr3(run, rng);
    } else if (what == 3) {
        invpcid(run, rng);
    } else if (what == 4) {
        uint64_t cr4 = mmu_regs(run->w.mmu)->cr4;
        ck_assert(mmu_write_cr4(run->w.mmu, cr4 ^ CR4_SMEP));
        if (!(cr4 & CR4_SMEP))
            reference_forget(&run->r, &(struct ref_scope){.globals = true, .pcid = run->pcid});
    } else if (what < 10) {
        va_t va = any_va(run, rng);
        mmu_invlpg(run->w.mmu, va);
        reference_forget(&run->r, &(struct ref_scope){.globals = true,
                                                      .pcid = run->pcid,
                                                      .one_page = true,
                                                      .page = va >> PAGE_SHIFT});
    } else {
        some_accesses(run, rng);
    }
}

enum { WITH_PCIDS = 1, WITH_LARGE = 2, WITH_LA57 = 4 };

static void compare_with(struct mmu_config config, struct rng *rng, unsigned steps, unsigned with)
{
    static struct run run; /* the reference's caches are large */
    run.large = with & WITH_LARGE;
    run.pcid = 0;
    world_open(&run.w, &config, 8 * MIB);
    if (with & WITH_LA57)
        mmu_regs(run.w.mmu)->cr4 |= CR4_LA57;
    map_all(&run.w);
    if (with & WITH_PCIDS)
        ck_assert(mmu_write_cr4(run.w.mmu, mmu_regs(run.w.mmu)->cr4 | CR4_PCIDE));
    reference_open(&run.r, &config, run.w.env->rng);
    run.r.levels = with & WITH_LA57 ? 5 : 4;
    for (unsigned step = 0; step < steps; step++) {
        one_step(&run, rng);
        same_counts(&run.w, &run.r, config.classify);
    }
    same_lines(&run.w, &run.r);
    ck_assert_uint_eq(run.w.env->rng.state, run.r.rng.state);
    reference_close(&run.r);
    world_close(&run.w);
}

static void compare(struct mmu_config config, struct rng *rng, unsigned steps)
{
    compare_with(config, rng, steps, 0);
}

START_TEST(all_policies_equal_the_reference)
{
    struct rng rng = {1};
    for (unsigned round = 0; round < 36; round++) {
        struct mmu_config config = world_config();
        config.classify = rng_below(&rng, 3) == 0;
        config.front_cache = rng_below(&rng, 4) != 0;
        config.psc_entries[2] = rng_below(&rng, 2) * 4;
        config.tlb[TLB_L1D] = random_level(&rng, round % REPL_POLICIES, true);
        config.tlb[TLB_L2] = random_level(&rng, rng_below(&rng, REPL_POLICIES), false);
        compare(config, &rng, 60);
    }
}
END_TEST

/* The geometry of the fast path, power of two or not, up to 16 ways. */
START_TEST(lru_of_packed_orders_equals_the_reference)
{
    struct rng rng = {2};
    for (unsigned round = 0; round < 40; round++) {
        struct mmu_config config = world_config();
        config.tlb[TLB_L1D] = random_level(&rng, REPL_LRU, true);
        config.tlb[TLB_L2] = random_level(&rng, REPL_LRU, true);
        if (round % 2) {
            config.tlb[TLB_L1D].sets = 1u << rng_below(&rng, 5);
            config.tlb[TLB_L2].sets = 1u << rng_below(&rng, 6);
            config.tlb[TLB_L1D].ways = 1 + rng_below(&rng, 8);
            config.tlb[TLB_L2].ways = 9 + rng_below(&rng, 8);
        }
        compare(config, &rng, 80);
    }
}
END_TEST

START_TEST(one_level_alone_equals_the_reference)
{
    struct rng rng = {3};
    for (unsigned round = 0; round < 10; round++) {
        struct mmu_config config = world_config();
        config.classify = true;
        config.tlb[TLB_L1D] = random_level(&rng, round % REPL_POLICIES, true);
        config.tlb[TLB_L2].sets = 0;
        compare(config, &rng, 60);
    }
}
END_TEST

/* ---- every organisation ---- */

static void random_further(struct mmu_config *c, struct rng *rng, unsigned level)
{
    for (unsigned array = level + TLB_LEVELS; array < TLB_ARRAYS; array += TLB_LEVELS) {
        c->tlb[array] = random_level(rng, c->tlb[level].repl, true);
        if (rng_below(rng, 2))
            c->tlb[array].sets = 0;
        c->tlb[array].hit_cycles = 0;
    }
}

static struct mmu_config random_organisation(struct rng *rng)
{
    static const uint64_t largest[] = {0, GIB, 2 * MIB, 4 * KIB};
    struct mmu_config c = world_config();
    c.classify = rng_below(rng, 3) == 0;
    c.front_cache = rng_below(rng, 4) != 0;
    c.coalesce = 1u << rng_below(rng, 4);
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        c.tlb[level] = random_level(rng, rng_below(rng, REPL_POLICIES), level != TLB_L2);
        random_further(&c, rng, level);
        c.largest[level] = largest[rng_below(rng, ARRAY_LEN(largest))];
    }
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        c.psc_ways[level] = 1 + rng_below(rng, 4);
        c.psc_entries[level] = c.psc_ways[level] * rng_below(rng, 4);
    }
    c.inclusion = rng_below(rng, INCLUSIONS);
    return c;
}

/* Takes away what does not go together; what is left must be allowed. */
static void make_sound(struct mmu_config *c, struct rng *rng)
{
    const char *field, *reason;
    if (rng_below(rng, 2))
        for (unsigned array = TLB_L2I; array < TLB_ARRAYS; array += TLB_LEVELS)
            c->tlb[array].sets = 0;
    if (rng_below(rng, 3) == 0)
        for (unsigned array = TLB_L1I; array < TLB_ARRAYS; array++)
            if (array % TLB_LEVELS >= TLB_L1I)
                c->tlb[array].sets = 0;
    if (c->inclusion == INCLUSION_INCLUSIVE)
        c->largest[TLB_L2] = c->largest[TLB_L2I] = GIB;
    for (unsigned level = 1; c->inclusion == INCLUSION_EXCLUSIVE && level < TLB_LEVELS; level++)
        c->largest[level] = c->largest[0];
    ck_assert_msg(mmu_config_check(c, &field, &reason), "%s: %s", field, reason);
}

START_TEST(all_organisations_equal_the_reference)
{
    struct rng rng = {4};
    for (unsigned round = 0; round < 80; round++) {
        struct mmu_config config = random_organisation(&rng);
        make_sound(&config, &rng);
        compare_with(config, &rng, 40, rng_below(&rng, 8));
    }
}
END_TEST

/* Pages whose short tags agree are told apart by their keys. */
START_TEST(many_pages_far_apart_are_told_apart)
{
    struct mmu_config config = world_config();
    config.tlb[TLB_L1D] = (struct tlb_config){1, 64, REPL_LRU, 1};
    config.tlb[TLB_L2] = (struct tlb_config){1, 1024, REPL_LRU, 1};
    struct world w;
    world_open(&w, &config, 64 * MIB);
    struct mmu_fault fault;
    struct rng rng = {4};
    for (uint32_t i = 0; i < 4000; i++) {
        va_t va = (rng_next(&rng) >> 17) & ~PAGE_MASK;
        if (w.next > 16000)
            break;
        world_map(&w, va, 1, i, 0);
        ck_assert(world_access(&w, va, ACCESS_READ, &fault));
        ck_assert_uint_eq(mmu_counters(w.mmu)->tlb[TLB_L1D].misses, i + 1);
    }
    world_close(&w);
}
END_TEST

TEST_MAIN("tlb", all_policies_equal_the_reference, lru_of_packed_orders_equals_the_reference,
          one_level_alone_equals_the_reference, all_organisations_equal_the_reference,
          many_pages_far_apart_are_told_apart)
