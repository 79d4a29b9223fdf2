/* test_front.c: the fast path changes no figure: machines that differ only in how they are run
 * (front cache on or off, batches or single accesses, the short way, listened to or not) stay equal
 * in every counter, TLB line, cache of tables, fault and byte of RAM, whatever happens to them. */
#include "mmu/repl.h"
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define MACHINES  5u
#define SWITCHED  4u /* is listened to now and then */
#define RAM_BYTES (8 * MIB)
#define SMALL     160u /* twice so many pages of 4 KiB … */
#define TABLES    24u  /* … in so many tables, three of them from BASE on, the others from FAR */
#define BASE      UINT64_C(0x7ffff0000000)
#define FAR       (BASE - GIB) /* the fast path remembers it in the same place as BASE */
#define LARGE     (BASE + 8 * MIB)
#define HUGE      (BASE - 16 * GIB)

/* How each machine is run. */
static const struct way {
    bool front, batch, listened, hot;
} ways[MACHINES] = {{false, false, false, false},
                    {true, false, false, false},
                    {true, true, false, false},
                    {true, true, true, false},
                    {true, false, false, true}};

struct group {
    struct world w[MACHINES];
    pa_t roots[2];
    struct arena_snapshot *arena[MACHINES];
    struct ram_snapshot *ram[MACHINES];
};

/* With larger pages nearly nothing is ordinary any more, so some groups have none. */
static bool larger_pages;

static va_t small_va(uint32_t i)
{
    uint32_t table = i % TABLES;
    va_t first = table < 3 ? BASE + table * 2 * MIB : FAR + (table - 3) * 2 * MIB;
    return first + i / TABLES * PAGE_SIZE;
}

/* Most pages allow everything. The others: executable never, supervisor's, read-only, a shadow
 * stack, and each with some protection key. */
static pte_t small_flags(uint32_t i)
{
    pte_t flags = i % 9 == 0 ? PTE_G : i % 3 == 0 ? PTE_A : 0;
    pte_t key = (pte_t)(i % 4) << PTE_PKEY_SHIFT;
    switch (i % 23) {
    case 3:
        return flags | key | PTE_RW | PTE_US | PTE_XD;
    case 5:
        return flags | key | PTE_RW;
    case 8:
        return flags | key | PTE_US;
    case 13:
        return flags | key | PTE_US | PTE_A | PTE_D;
    case 17:
        return flags | key | PTE_RW | PTE_US;
    default:
        return flags | PTE_RW | PTE_US;
    }
}

/* Two address spaces: the same pages on other frames, so that a stale entry would be seen. */
static void build(struct world *w, pa_t roots[2])
{
    for (unsigned space = 0; space < 2; space++) {
        pfn_t root = w->next++;
        roots[space] = w->root = root << PAGE_SHIFT;
        for (uint32_t i = 0; i < 2 * SMALL; i++)
            ram_write64(w->ram, world_entry(w, w->root, small_va(i), 1),
                        pte_make(256 + (i * 5 + space * 77) % 700, PTE_P | small_flags(i)));
        world_map(w, LARGE, 2, 512, 0);
        world_map(w, HUGE, 3, 0, PTE_G);
    }
    ck_assert(mmu_write_cr3(w->mmu, roots[0]));
}

static struct tlb_config random_level(struct rng *rng, bool lru)
{
    uint32_t repl = lru ? REPL_LRU : rng_below(rng, REPL_POLICIES);
    uint32_t count = 1 + rng_below(rng, lru ? 16 : 24);
    return (struct tlb_config){.sets = 1 + rng_below(rng, 12),
                               .ways = repl == REPL_PLRU ? 1u << rng_below(rng, 4) : count,
                               .repl = repl,
                               .hit_cycles = rng_below(rng, 10)};
}

/* Of few lines, so that they are soon full; now and then without outer levels. */
static void random_caches(struct mmu_config *config, struct rng *rng)
{
    unsigned levels = rng_below(rng, CACHE_LEVELS + 1);
    for (unsigned level = 0; level < levels; level++) {
        struct tlb_config like = random_level(rng, rng_below(rng, 2));
        config->cache[level] = (struct cache_config){1 + rng_below(rng, 8u << level), like.ways,
                                                     like.repl, 1 + rng_below(rng, 20)};
    }
    config->cache_line = 8u << rng_below(rng, 5);
    config->memory_cycles = 100 + rng_below(rng, 100);
    config->cache_inclusive = rng_below(rng, 2);
}

/* One that batch.c has code of its own for. */
static void usual_config(struct mmu_config *config, struct rng *rng)
{
    config->tlb[TLB_L1D].sets = 1u << rng_below(rng, 3);
    config->tlb[TLB_L1D].ways = 1 + rng_below(rng, 8);
    config->tlb[TLB_L2].sets = 1u << rng_below(rng, 4);
    config->tlb[TLB_L2].ways = 9 + rng_below(rng, 8);
    config->opt = false;
    config->prefetch = PREFETCH_OFF;
    memset(config->cache, 0, sizeof(config->cache));
    for (unsigned level = 2; level <= LEVELS_MAX && !config->classify; level++)
        config->psc_entries[level] = 0;
}

static void group_open(struct group *g, struct rng *rng, unsigned round)
{
    memset(g, 0, sizeof(*g));
    struct mmu_config config = world_config();
    bool lru = round % 2; /* every other round is one for the batches of batch.c */
    config.tlb[TLB_L1D] = random_level(rng, lru);
    config.tlb[TLB_L2] = random_level(rng, lru);
    config.classify = rng_below(rng, 2);
    config.largest[TLB_L1D] = rng_below(rng, 3) ? 0 : 2 * MIB >> 9 * rng_below(rng, 2);
    config.largest[TLB_L2] = rng_below(rng, 3) ? 0 : 2 * MIB >> 9 * rng_below(rng, 2);
    config.opt = rng_below(rng, 4) == 0;
    config.opt_limit = 1000000;
    config.prefetch = rng_below(rng, 3) ? PREFETCH_OFF : rng_below(rng, PREFETCH_KINDS);
    config.prefetch_entries = 1 + rng_below(rng, 4);
    config.walkers = 1;
    for (unsigned level = 2; level <= 4; level++)
        config.psc_entries[level] = rng_below(rng, 2) ? 0 : rng_below(rng, 4);
    if (rng_below(rng, 3) == 0)
        config.psc_entries[2] = REPL_PACKED_WAYS + 1 + rng_below(rng, 4);
    if (rng_below(rng, 3) == 0)
        random_caches(&config, rng);
    if (lru && rng_below(rng, 2))
        usual_config(&config, rng);
    larger_pages = !lru || rng_below(rng, 3) == 0;
    bool five = rng_below(rng, 4) == 0;
    for (unsigned i = 0; i < MACHINES; i++) {
        config.front_cache = ways[i].front;
        world_open(&g->w[i], &config, RAM_BYTES);
        mmu_regs(g->w[i].mmu)->cr4 |= five ? CR4_LA57 : 0;
        build(&g->w[i], g->roots);
        if (round % 3 == 0)
            ck_assert(mmu_write_cr4(g->w[i].mmu, mmu_regs_now(g->w[i].mmu)->cr4 | CR4_PCIDE));
        if (ways[i].listened)
            world_listen(&g->w[i]);
    }
}

static void group_close(struct group *g)
{
    for (unsigned i = 0; i < MACHINES; i++) {
        ram_snapshot_free(g->w[i].ram, g->ram[i]);
        arena_snapshot_free(g->arena[i]);
        world_close(&g->w[i]);
    }
}

/* ---- equality ---- */

static void same_lines(const struct mmu *a, const struct mmu *b)
{
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct tlb_config *c = mmu_tlb_config(a, level);
        for (uint32_t at = 0; at < c->sets * c->ways; at++) {
            struct tlb_line x, y;
            mmu_tlb_line(a, level, at / c->ways, at % c->ways, &x);
            mmu_tlb_line(b, level, at / c->ways, at % c->ways, &y);
            if (x.valid != y.valid || x.vpn != y.vpn || x.pfn != y.pfn || x.flags != y.flags ||
                x.page_size != y.page_size || x.rank != y.rank)
                ck_abort_msg("TLB %u, line %u differs", level + 1, at);
        }
    }
}

static void same_psc(const struct mmu *a, const struct mmu *b)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        for (uint32_t slot = 0; slot < mmu_psc_entries(a, level); slot++) {
            struct psc_line x, y;
            mmu_psc_line(a, level, slot, &x);
            mmu_psc_line(b, level, slot, &y);
            if (x.valid != y.valid || x.va != y.va || x.table != y.table)
                ck_abort_msg("paging-structure cache %u, slot %u differs", level, slot);
        }
    }
}

static void same_caches(const struct mmu *a, const struct mmu *b)
{
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        const struct cache_config *c = mmu_cache_config(a, level);
        for (uint32_t at = 0; at < c->sets * c->ways; at++) {
            struct cache_line x, y;
            mmu_cache_line(a, level, at / c->ways, at % c->ways, &x);
            mmu_cache_line(b, level, at / c->ways, at % c->ways, &y);
            if (x.valid != y.valid || x.dirty != y.dirty || x.pa != y.pa || x.rank != y.rank)
                ck_abort_msg("data cache %u, line %u differs", level + 1, at);
        }
    }
}

static void same_ram(const struct ram *a, const struct ram *b)
{
    for (pfn_t pfn = 0; pfn < RAM_BYTES >> PAGE_SHIFT; pfn++)
        if (memcmp(ram_frame(a, pfn), ram_frame(b, pfn), PAGE_SIZE) != 0)
            ck_abort_msg("frame %llu differs", (unsigned long long)pfn);
}

static void group_equal(struct group *g, bool bytes)
{
    struct world *a = &g->w[0];
    for (unsigned i = 1; i < MACHINES; i++) {
        struct world *b = &g->w[i];
        ck_assert_mem_eq(mmu_counters(a->mmu), mmu_counters(b->mmu), sizeof(struct mmu_counters));
        ck_assert_uint_eq(a->env->cycle, b->env->cycle);
        ck_assert_uint_eq(a->env->rng.state, b->env->rng.state);
        same_lines(a->mmu, b->mmu);
        same_psc(a->mmu, b->mmu);
        same_caches(a->mmu, b->mmu);
        if (bytes)
            same_ram(a->ram, b->ram);
        for (unsigned level = 0; level < TLB_LEVELS; level++) {
            uint64_t x, y;
            bool known = bytes && mmu_opt_misses(a->mmu, level, &x);
            if (known && (!mmu_opt_misses(b->mmu, level, &y) || x != y))
                ck_abort_msg("the best that TLB %u could do differs", level + 1);
        }
    }
}

/* ---- what happens to all of them ---- */

/* One of a few pages, so that what happens often happens to a page that was hit just before. */
static va_t favourite(struct rng *rng)
{
    return small_va(rng_below(rng, 5) * 7) + rng_below(rng, PAGE_SIZE);
}

static va_t random_va(struct rng *rng)
{
    switch (larger_pages ? rng_below(rng, 30) : 2 + rng_below(rng, 28)) {
    case 0:
        return LARGE + rng_below(rng, rng_below(rng, 2) ? 2 * MIB : 80 * PAGE_SIZE);
    case 1:
        return HUGE + rng_below(rng, GIB);
    case 2:
        return BASE + 16 * MIB + rng_below(rng, MIB); /* not mapped */
    case 3:
        /* Not canonical, and in all other bits like a page that was just hit. */
        return favourite(rng) ^ (va_t)1 << (48 + rng_below(rng, 16));
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
        return favourite(rng);
    case 11:
    case 12:
    case 13:
        return small_va(rng_below(rng, 2 * SMALL)) + PAGE_SIZE - 1 - rng_below(rng, 8);
    default:
        return small_va(rng_below(rng, 40) * 7) + rng_below(rng, PAGE_SIZE);
    }
}

static enum access random_how(struct rng *rng)
{
    uint32_t x = rng_below(rng, 10);
    return x < 6 ? ACCESS_READ : x < 9 ? ACCESS_WRITE : ACCESS_FETCH;
}

static void same_fault(const struct mmu_fault *a, const struct mmu_fault *b)
{
    /* One assertion, and only where it fails: each that Check counts is a system call. */
    if (a->va != b->va || a->vector != b->vector || a->error != b->error || a->level != b->level ||
        a->access != b->access)
        ck_abort_msg("faults differ at %#llx and %#llx", (unsigned long long)a->va,
                     (unsigned long long)b->va);
}

static size_t touch(struct world *w, const struct way *way, const va_t *va, size_t n,
                    enum access how, struct mmu_fault *fault)
{
    if (way->batch)
        return mmu_touch(w->mmu, va, n, how, fault);
    for (size_t i = 0; i < n; i++)
        if (!mmu_access(w->mmu, va[i], NULL, 1, how, fault))
            return i;
    return n;
}

static void op_touch(struct group *g, struct rng *rng)
{
    va_t va[700];
    size_t n = 1 + rng_below(rng, ARRAY_LEN(va));
    bool tame = rng_below(rng, 4) != 0; /* no wild addresses: long batches */
    for (size_t i = 0; i < n; i++) {
        va[i] = tame ? small_va(rng_below(rng, 2 * SMALL)) : random_va(rng);
        for (uint32_t run = rng_below(rng, 4); run && i + 1 < n; run--, i++)
            va[i + 1] = va[i] ^ rng_below(rng, 8);
    }
    enum access how = random_how(rng);
    struct mmu_fault first = {0};
    size_t done = touch(&g->w[0], &ways[0], va, n, how, &first);
    for (unsigned i = 1; i < MACHINES; i++) {
        struct mmu_fault fault = {0};
        ck_assert_uint_eq(touch(&g->w[i], &ways[i], va, n, how, &fault), done);
        same_fault(&first, &fault);
    }
}

static void op_access(struct group *g, struct rng *rng)
{
    uint8_t in[64], out[MACHINES][64];
    size_t n = 1 + rng_below(rng, sizeof(in));
    va_t va = random_va(rng);
    enum access how = random_how(rng);
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)rng_next(rng);
    struct mmu_fault first = {0};
    bool done = false;
    for (unsigned i = 0; i < MACHINES; i++) {
        struct mmu_fault fault = {0};
        memcpy(out[i], in, sizeof(in));
        bool ok = mmu_access(g->w[i].mmu, va, out[i], n, how, &fault);
        if (i == 0) {
            first = fault;
            done = ok;
        }
        ck_assert_int_eq(ok, done);
        same_fault(&first, &fault);
        ck_assert_mem_eq(out[0], out[i], sizeof(in));
    }
}

/* Eight bytes, the short way where there is one, as an allocator does it. */
static bool word(struct world *w, const struct way *way, va_t va, uint64_t *value, enum access how,
                 struct mmu_fault *fault)
{
    struct hot *hot = mmu_hot(w->mmu);
    if (way->hot &&
        (how == ACCESS_WRITE ? hot_store64(hot, va, *value) : hot_load64(hot, va, value)))
        return true;
    return mmu_access(w->mmu, va, value, sizeof(*value), how, fault);
}

/* A few pages again and again, so that the short way is often open when something happens. */
static void op_words(struct group *g, struct rng *rng)
{
    g->w[SWITCHED].bus.on = rng_below(rng, 4) == 0;
    for (uint32_t n = 1 + rng_below(rng, 30); n; n--) {
        va_t va = align_down(rng_below(rng, 8) ? favourite(rng) : random_va(rng), 4);
        enum access how = rng_below(rng, 3) ? ACCESS_READ : ACCESS_WRITE;
        uint64_t in = rng_next(rng), out[MACHINES];
        struct mmu_fault fault[MACHINES] = {{0}};
        bool done[MACHINES];
        for (unsigned i = 0; i < MACHINES; i++) {
            out[i] = in;
            done[i] = word(&g->w[i], &ways[i], va, &out[i], how, &fault[i]);
            if (done[i] != done[0] || out[i] != out[0])
                ck_abort_msg("words at %#llx differ", (unsigned long long)va);
            same_fault(&fault[0], &fault[i]);
        }
    }
}

/* Any bit of any entry on the way to a page, or another page or table, with an INVLPG or, as a
 * careless kernel, without. */
static void op_edit(struct group *g, struct rng *rng)
{
    static const pte_t bits[] = {PTE_P, PTE_RW, PTE_US, PTE_A,         PTE_A,
                                 PTE_D, PTE_G,  PTE_XD, (pte_t)1 << 47};
    va_t va = rng_below(rng, 2) ? favourite(rng) : small_va(rng_below(rng, 2 * SMALL));
    unsigned level = rng_below(rng, 6) ? 1 : 1 + rng_below(rng, 4);
    pte_t bit = bits[rng_below(rng, ARRAY_LEN(bits))];
    bool told = rng_below(rng, 3) != 0;
    bool remap = level == 2 ? !told : level == 1 && rng_below(rng, 3) == 0;
    pfn_t pfn = 256 + rng_below(rng, 700);
    for (unsigned i = 0; i < MACHINES; i++) {
        struct world *w = &g->w[i];
        pa_t root = mmu_regs_now(w->mmu)->cr3 & PTE_FRAME;
        pa_t at = world_entry(w, root, va, level);
        pte_t old = ram_read64(w->ram, at);
        pte_t other = level == 1 ? pte_make(pfn, PTE_P | PTE_RW | PTE_US)
                                 : ram_read64(w->ram, world_entry(w, root, va ^ 2 * MIB, level));
        ram_write64(w->ram, at, remap ? other : old ^ bit);
        if (told)
            mmu_invlpg(w->mmu, va);
        /* What was broken above the last level is repaired soon, or nothing would ever work. */
        if (level > 1 && told)
            ram_write64(w->ram, at, old);
    }
}

/* The large page becomes small ones, or they the large one. */
static void op_split(struct group *g)
{
    for (unsigned i = 0; i < MACHINES; i++) {
        struct world *w = &g->w[i];
        pa_t root = mmu_regs_now(w->mmu)->cr3 & PTE_FRAME;
        pa_t at = world_entry(w, root, LARGE, 2);
        bool large = ram_read64(w->ram, at) & PTE_PS;
        pte_t table = ram_read64(w->ram, world_entry(w, root, BASE, 2));
        ram_write64(w->ram, at, large ? table : pte_make(512, PTE_P | PTE_RW | PTE_US | PTE_PS));
        mmu_invlpg(w->mmu, LARGE);
    }
}

static void op_registers(struct group *g, struct rng *rng)
{
    uint32_t what = rng_below(rng, 12), keys = (uint32_t)rng_next(rng) & 0xff;
    for (unsigned i = 0; i < MACHINES; i++) {
        struct mmu_regs *regs = mmu_regs(g->w[i].mmu);
        if (what == 0)
            regs->cr0 ^= CR0_WP;
        else if (what == 1)
            regs->cr4 ^= CR4_SMAP;
        else if (what == 2)
            regs->cr4 ^= CR4_SMEP;
        else if (what == 3)
            regs->cr4 ^= CR4_PGE;
        else if (what == 4)
            regs->efer ^= EFER_NXE;
        else if (what == 5)
            regs->ac = !regs->ac;
        else if (what == 6)
            regs->implicit = !regs->implicit;
        else if (what == 7)
            regs->cr4 ^= CR4_PKE;
        else if (what == 8)
            regs->cr4 ^= CR4_PKS;
        else if (what == 9)
            regs->pkru = regs->pkrs = keys;
        else if (what == 10 && keys % 4 == 0) {
            regs->cr4 ^= CR4_CET;
            regs->shadow = (regs->cr4 & CR4_CET) != 0;
        } else
            regs->cpl ^= 3;
    }
}

static void op_snapshot(struct group *g, struct rng *rng)
{
    bool restore = rng_below(rng, 2);
    for (unsigned i = 0; i < MACHINES; i++) {
        struct world *w = &g->w[i];
        if (restore && g->ram[i]) {
            arena_restore(w->env->arena, g->arena[i]);
            ram_restore(w->ram, g->ram[i]);
            mmu_forget_host(w->mmu);
            continue;
        }
        ram_snapshot_free(w->ram, g->ram[i]);
        arena_snapshot_free(g->arena[i]);
        g->ram[i] = ram_save(w->ram);
        g->arena[i] = arena_save(w->env->arena, NULL);
        ck_assert_ptr_nonnull(g->ram[i]);
        ck_assert_ptr_nonnull(g->arena[i]);
    }
}

static void op_forget(struct group *g, struct rng *rng)
{
    uint32_t what = rng_below(rng, 8);
    va_t va = random_va(rng);
    for (unsigned i = 0; i < MACHINES; i++) {
        if (what == 0)
            ck_assert(mmu_write_cr3(g->w[i].mmu, g->roots[rng_below(&(struct rng){va}, 2)]));
        else if (what == 1 && mmu_regs_now(g->w[i].mmu)->cr4 & CR4_PCIDE)
            mmu_write_cr3(g->w[i].mmu, g->roots[va >> 12 & 1] | (va >> 13 & 3) | CR3_NOFLUSH);
        else if (what == 2 && mmu_regs_now(g->w[i].mmu)->cr4 & CR4_PCIDE)
            mmu_invpcid(g->w[i].mmu, (enum invpcid)(va >> 12 & 3), va >> 14 & 3, va);
        else
            mmu_invlpg(g->w[i].mmu, va);
    }
}

static void op_any(struct group *g, struct rng *rng)
{
    uint32_t what = rng_below(rng, 60);
    if (what >= 40)
        op_words(g, rng);
    else if (what < 14)
        op_touch(g, rng);
    else if (what < 28)
        op_access(g, rng);
    else if (what == 28 && larger_pages)
        op_split(g);
    else if (what < 34)
        op_edit(g, rng);
    else if (what < 36)
        op_registers(g, rng);
    else if (what < 37)
        op_snapshot(g, rng);
    else
        op_forget(g, rng);
}

START_TEST(all_ways_of_running_give_the_same_machine)
{
    static struct group g;
    struct rng rng = {11};
    for (unsigned round = 0; round < 100; round++) {
        group_open(&g, &rng, round);
        for (unsigned op = 0; op < 200; op++) {
            op_any(&g, &rng);
            group_equal(&g, op % 50 == 0);
        }
        group_equal(&g, true);
        group_close(&g);
    }
}
END_TEST

/* Accesses to pages with key 1 and 3 are denied. */
static void forbid_keys(struct group *g)
{
    for (unsigned i = 0; i < MACHINES; i++) {
        struct mmu_regs *regs = mmu_regs(g->w[i].mmu);
        regs->cr4 |= CR4_PKE | CR4_PKS;
        regs->pkru = regs->pkrs = 1u << 2 | 1u << 6;
    }
}

/* All of them, whatever faults. */
static void touch_all(struct world *w, const struct way *way, const va_t *va, size_t n,
                      enum access how)
{
    struct mmu_fault fault;
    for (size_t i = 0; i < n; i++)
        i += touch(w, way, va + i, n - i, how, &fault);
}

/* The stream of a benchmark: long, ordinary, so that nearly all of it takes the fast path; then
 * with other rights, while the levels are still full. */
START_TEST(long_batches_are_exact)
{
    static struct group g;
    static va_t va[20000];
    struct rng rng = {12};
    for (unsigned round = 1; round < 24; round += 2) {
        group_open(&g, &rng, round);
        for (size_t i = 0; i < ARRAY_LEN(va); i++)
            va[i] = small_va(rng_below(&rng, rng_below(&rng, 3) ? 12 : 2 * SMALL));
        for (unsigned i = 0; i < MACHINES; i++) {
            struct mmu_fault fault;
            /* Some pages are the supervisor's, some read-only. */
            mmu_regs(g.w[i].mmu)->cpl = 0;
            mmu_regs(g.w[i].mmu)->cr0 &= ~CR0_WP;
            ck_assert_uint_eq(touch(&g.w[i], &ways[i], va, ARRAY_LEN(va), ACCESS_WRITE, &fault),
                              ARRAY_LEN(va));
        }
        group_equal(&g, true);
        for (unsigned more = 0; more < 8; more++) {
            enum access how = random_how(&rng);
            if (more)
                op_registers(&g, &rng);
            else
                forbid_keys(&g);
            for (unsigned i = 0; i < MACHINES; i++)
                touch_all(&g.w[i], &ways[i], va, 2000, how);
            group_equal(&g, true);
        }
        group_close(&g);
    }
}
END_TEST

/* A write after a snapshot must not reach the past through a remembered pointer. */
START_TEST(a_snapshot_is_not_written_through_old_pointers)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, RAM_BYTES);
    world_map(&w, BASE, 1, 300, 0);
    struct mmu_fault fault;
    uint8_t byte = 1, back = 0;
    for (unsigned i = 0; i < 3; i++)
        ck_assert(mmu_access(w.mmu, BASE, &byte, 1, ACCESS_WRITE, &fault));
    struct ram_snapshot *s = ram_save(w.ram);
    byte = 2;
    ck_assert(!hot_store64(mmu_hot(w.mmu), BASE, 3));
    ck_assert(mmu_access(w.mmu, BASE, &byte, 1, ACCESS_WRITE, &fault));
    ck_assert(mmu_access(w.mmu, BASE, &back, 1, ACCESS_READ, &fault));
    ck_assert_uint_eq(back, 2);
    ck_assert(hot_store64(mmu_hot(w.mmu), BASE, 3)); /* but now it is short again */
    ram_restore(w.ram, s);
    mmu_forget_host(w.mmu);
    ck_assert(mmu_access(w.mmu, BASE, &back, 1, ACCESS_READ, &fault));
    ck_assert_uint_eq(back, 1);
    ram_snapshot_free(w.ram, s);
    world_close(&w);
}
END_TEST

/* ---- what batches must leave to the plain path, one by one: with and without the fast one ---- */

static struct world pair[2];

/* Small TLBs, soon full; pages 0 to 39 of two regions are mapped. */
static void pair_open(struct mmu_config config)
{
    config.tlb[TLB_L1D] = (struct tlb_config){1, 2, REPL_LRU, 1};
    config.tlb[TLB_L2] = (struct tlb_config){1, 4, REPL_LRU, 7};
    for (unsigned i = 0; i < 2; i++) {
        config.front_cache = i;
        world_open(&pair[i], &config, RAM_BYTES);
        for (uint32_t page = 0; page < 80; page++)
            world_map(&pair[i], BASE + page / 40 * 2 * MIB + page % 40 * PAGE_SIZE, 1, 300 + page,
                      PTE_A);
    }
}

static void pair_touch(va_t start, uint32_t pages)
{
    va_t va[40];
    struct mmu_fault fault;
    for (uint32_t i = 0; i < pages; i++)
        va[i] = start + i * PAGE_SIZE;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned again = 0; again < 2; again++)
            ck_assert_uint_eq(mmu_touch(pair[i].mmu, va, pages, ACCESS_READ, &fault), pages);
}

static void pair_write(va_t va, unsigned level, pte_t entry, bool told)
{
    for (unsigned i = 0; i < 2; i++) {
        ram_write64(pair[i].ram, world_entry(&pair[i], pair[i].root, va, level), entry);
        if (told)
            mmu_invlpg(pair[i].mmu, va);
    }
}

static void pair_close(void)
{
    ck_assert_mem_eq(mmu_counters(pair[0].mmu), mmu_counters(pair[1].mmu),
                     sizeof(struct mmu_counters));
    same_lines(pair[0].mmu, pair[1].mmu);
    same_psc(pair[0].mmu, pair[1].mmu);
    for (unsigned i = 0; i < 2; i++)
        world_close(&pair[i]);
}

/* A PDE changes and nobody says so: walks go on through the cached one. */
START_TEST(a_stale_paging_structure_cache_answers_batches)
{
    struct mmu_config config = world_config();
    struct tlb_line line;
    config.psc_entries[2] = 2;
    pair_open(config);
    pair_touch(BASE, 8);
    pte_t other = ram_read64(pair[0].ram, world_entry(&pair[0], pair[0].root, BASE + 2 * MIB, 2));
    pair_write(BASE, 2, other | PTE_A, false);
    pair_touch(BASE + 8 * PAGE_SIZE, 8);
    mmu_tlb_line(pair[1].mmu, TLB_L2, 0, 0, &line);
    ck_assert_uint_eq(line.pfn - 300, line.vpn - (BASE >> PAGE_SHIFT)); /* not the other's */
    pair_close();
}
END_TEST

/* A page that was a part of a larger one is of its class, not cold. */
START_TEST(classes_know_larger_pages_in_batches)
{
    struct mmu_config config = world_config();
    config.classify = true;
    pair_open(config);
    pair_write(LARGE, 2, pte_make(512, PTE_P | PTE_RW | PTE_US | PTE_PS | PTE_A), false);
    pair_touch(LARGE, 1);
    pte_t table = ram_read64(pair[0].ram, world_entry(&pair[0], pair[0].root, BASE, 2));
    pair_write(LARGE, 2, table | PTE_A, true);
    pair_touch(BASE, 8);
    pair_touch(LARGE, 8);
    const struct tlb_counters *count = &mmu_counters(pair[1].mmu)->tlb[TLB_L2];
    ck_assert_uint_gt(count->by_class[MISS_COHERENCE], 0);
    pair_close();
}
END_TEST

/* The second level holds pieces, the first the whole page. */
START_TEST(pieces_become_whole_in_batches)
{
    struct mmu_config config = world_config();
    config.largest[TLB_L2] = 4 * KIB;
    pair_open(config);
    pair_write(LARGE, 2, pte_make(512, PTE_P | PTE_RW | PTE_US | PTE_PS | PTE_A), false);
    pair_touch(LARGE, 1);
    pair_touch(BASE, 2); /* the first level is full of others, the second has the piece */
    pair_touch(LARGE, 1);
    struct tlb_line line = {.valid = false};
    for (uint32_t way = 0; way < 2 && line.page_size != 2 * MIB; way++)
        mmu_tlb_line(pair[1].mmu, TLB_L1D, 0, way, &line);
    ck_assert_uint_eq(line.page_size, 2 * MIB);
    pair_close();
}
END_TEST

/* Opens the short way to page, which was mapped. */
static void open_short_way(struct world *w, va_t page)
{
    struct mmu_fault fault;
    uint64_t word = 0;
    for (unsigned i = 0; i < 2; i++)
        ck_assert(mmu_access(w->mmu, page, &word, sizeof(word), ACCESS_READ, &fault));
    ck_assert(hot_load64(mmu_hot(w->mmu), page, &word));
}

/* Of the one set of two ways this page is the one that hit last. */
static void newest_of_set(const struct world *w, va_t page)
{
    for (uint32_t way = 0; way < 2; way++) {
        struct tlb_line line;
        mmu_tlb_line(w->mmu, TLB_L1D, 0, way, &line);
        ck_assert_uint_eq(line.rank, line.vpn == page >> PAGE_SHIFT);
    }
}

/* A larger page is in a set by its own number; a hit there makes it the last of that set. */
START_TEST(a_larger_page_is_the_last_of_its_own_set)
{
    struct world w;
    struct mmu_config config = world_config();
    struct tlb_line line;
    struct mmu_fault fault;
    va_t small = BASE + PAGE_SIZE, large = LARGE + 2 * MIB;
    uint64_t word;
    config.tlb[TLB_L1D] = (struct tlb_config){2, 2, REPL_LRU, 1};
    world_open(&w, &config, RAM_BYTES);
    ck_assert(large / PAGE_SIZE % 2 == 0 && large / (2 * MIB) % 2 == small / PAGE_SIZE % 2);
    world_map(&w, small, 1, 300, PTE_A);
    world_map(&w, large, 2, 512, PTE_A);
    for (unsigned i = 0; i < 2; i++)
        ck_assert(mmu_access(w.mmu, large, &word, sizeof(word), ACCESS_READ, &fault));
    open_short_way(&w, small);
    ck_assert(mmu_access(w.mmu, large, &word, sizeof(word), ACCESS_READ, &fault));
    ck_assert(hot_load64(mmu_hot(w.mmu), small, &word)); /* a hit: now it is the last again */
    for (uint32_t way = 0; way < 2; way++) {
        mmu_tlb_line(w.mmu, TLB_L1D, 1, way, &line);
        ck_assert_uint_eq(line.rank, line.vpn == small >> PAGE_SHIFT ? 1 : 0);
    }
    world_close(&w);
}
END_TEST

START_TEST(the_short_way_is_closed_when_it_must_be)
{
    struct world w;
    struct mmu_config config = world_config();
    config.tlb[TLB_L1D] = (struct tlb_config){1, 2, REPL_LRU, 1};
    world_open(&w, &config, RAM_BYTES);
    struct hot *hot = mmu_hot(w.mmu);
    va_t a = BASE, b = BASE + PAGE_SIZE, c = BASE + 2 * PAGE_SIZE;
    struct mmu_fault fault;
    uint64_t word;
    world_map(&w, a, 1, 300, PTE_A);
    world_map(&w, b, 1, 301, PTE_A);
    open_short_way(&w, b);
    open_short_way(&w, a);
    ck_assert(!hot_load64(hot, b, &word)); /* not the last one of its set any more */
    ck_assert(!hot_store64(hot, a, 1));    /* not dirty yet */
    ck_assert(!hot_load64(hot, a + PAGE_SIZE - 4, &word));
    ck_assert(mmu_access(w.mmu, b, NULL, 1, ACCESS_READ, &fault));
    newest_of_set(&w, b);
    ck_assert(hot_load64(hot, a, &word)); /* it is remembered */
    newest_of_set(&w, a);
    ck_assert(mmu_access(w.mmu, b, &word, 1, ACCESS_FETCH, &fault));
    newest_of_set(&w, b);
    ck_assert(hot_load64(hot, a, &word));
    newest_of_set(&w, a);
    world_map(&w, c, 1, 302, PTE_A);
    ck_assert(mmu_access(w.mmu, c, &word, 1, ACCESS_READ, &fault));
    ck_assert(!hot_load64(hot, a, &word)); /* a miss in its set: the page may be gone */
    ck_assert(!hot_load64(hot, b, &word)); /* this one is */
    open_short_way(&w, a);
    mmu_regs(w.mmu)->cpl = 0;
    ck_assert(!hot_load64(hot, a, &word));
    open_short_way(&w, a);
    mmu_invlpg(w.mmu, a);
    ck_assert(!hot_load64(hot, a, &word));
    open_short_way(&w, a);
    ck_assert(mmu_write_cr3(w.mmu, w.root));
    ck_assert(!hot_load64(hot, a, &word));
    open_short_way(&w, a);
    ck_assert(mmu_write_cr4(w.mmu, mmu_regs_now(w.mmu)->cr4 | CR4_PCIDE));
    ck_assert(!hot_load64(hot, a, &word));
    open_short_way(&w, a);
    ck_assert(
        mmu_write_cr3(w.mmu, w.root | 1 | CR3_NOFLUSH)); /* the entry stays, but is not ours */
    ck_assert(!hot_load64(hot, a, &word));
    open_short_way(&w, a);
    ck_assert(mmu_invpcid(w.mmu, INVPCID_SINGLE, 1, 0));
    ck_assert(!hot_load64(hot, a, &word));
    open_short_way(&w, a);
    world_listen(&w);
    ck_assert(!hot_load64(hot, a, &word));
    world_close(&w);
}
END_TEST

/* A batch whose walks find A clear somewhere, at any level, sets it, as single walks would. */
START_TEST(batches_set_a_and_d_wherever_they_are_clear)
{
    struct world w;
    struct mmu_config config = world_config();
    config.tlb[TLB_L1D] = config.tlb[TLB_L2] = (struct tlb_config){1, 1, REPL_LRU, 1};
    world_open(&w, &config, RAM_BYTES);
    va_t va[64];
    for (uint32_t i = 0; i < ARRAY_LEN(va); i++)
        world_map(&w, va[i] = BASE + i * PAGE_SIZE, 1, 300 + i, 0);
    struct mmu_fault fault;
    ck_assert_uint_eq(mmu_touch(w.mmu, va, 64, ACCESS_WRITE, &fault), 64);
    for (unsigned level = 1; level <= 4; level++) {
        for (unsigned bit = 0; bit < (level == 1 ? 2 : 1); bit++) {
            pa_t at = world_entry(&w, w.root, va[40], level);
            pte_t old = ram_read64(w.ram, at);
            ck_assert(old & PTE_A);
            ram_write64(w.ram, at, old & ~(bit ? PTE_D : PTE_A));
            uint64_t marked = mmu_counters(w.mmu)->ad_writes;
            ck_assert_uint_eq(mmu_touch(w.mmu, va, 64, ACCESS_WRITE, &fault), 64);
            ck_assert_uint_eq(ram_read64(w.ram, at), old);
            ck_assert_uint_eq(mmu_counters(w.mmu)->ad_writes, marked + 1);
        }
    }
    ck_assert_uint_eq(mmu_counters(w.mmu)->walks, 6 * 64);
    world_close(&w);
}
END_TEST

/* ---- walks of batches, through paging-structure caches of many shapes ---- */

/* Entries and ways of level 2, entries of level 3. */
static const struct psc_case {
    uint32_t entries, ways, above;
} psc_cases[] = {{0, 0, 2},  {1, 0, 1},  {3, 0, 2},  {8, 2, 1},  {16, 0, 4},  {17, 0, 1},
                 {17, 0, 4}, {20, 0, 2}, {24, 0, 3}, {24, 8, 2}, {36, 18, 2}, {32, 0, 0}};

/* The first twenty lie in one GiB, and those of the next are remembered in the same places. */
static va_t region_va(uint32_t region)
{
    return BASE - region / 20 * GIB + region % 20 * 2 * MIB;
}

static void psc_run(const struct psc_case *c, struct rng *rng)
{
    enum { ALL = 48, PAGES = 3 };
    va_t va[600];
    struct mmu_fault fault;
    struct mmu_config config = world_config();
    config.psc_entries[2] = c->entries;
    config.psc_ways[2] = c->ways;
    config.psc_entries[3] = c->above;
    config.psc_entries[4] = 1;
    config.classify = true;
    pair_open(config);
    for (uint32_t i = 0; i < 2 * ALL * PAGES; i++)
        world_map(&pair[i % 2], region_va(i / 2 % ALL) + i / 2 / ALL * PAGE_SIZE, 1, 400 + i / 2,
                  PTE_A);
    for (unsigned round = 0; round < 30; round++) {
        uint32_t few = 1 + rng_below(rng, ALL);
        for (size_t i = 0; i < ARRAY_LEN(va); i++)
            va[i] = region_va(rng_below(rng, few)) + rng_below(rng, PAGES) * PAGE_SIZE;
        uint32_t n = 1 + rng_below(rng, ARRAY_LEN(va)), what = rng_below(rng, 12);
        for (unsigned i = 0; i < 2; i++) {
            ck_assert_uint_eq(mmu_touch(pair[i].mmu, va, n, ACCESS_READ, &fault), n);
            if (what == 0)
                mmu_invlpg(pair[i].mmu, va[0]);
            else if (what < 4)
                ck_assert(mmu_access(pair[i].mmu, va[n / 2], NULL, 1, ACCESS_READ, &fault));
        }
        ck_assert_mem_eq(mmu_counters(pair[0].mmu), mmu_counters(pair[1].mmu),
                         sizeof(struct mmu_counters));
        same_psc(pair[0].mmu, pair[1].mmu);
    }
    pair_close();
}

START_TEST(walks_of_batches_go_through_the_paging_structure_caches)
{
    struct rng rng = {13};
    for (size_t i = 0; i < ARRAY_LEN(psc_cases); i++)
        psc_run(&psc_cases[i], &rng);
}
END_TEST

TEST_MAIN("front", a_larger_page_is_the_last_of_its_own_set,
          all_ways_of_running_give_the_same_machine, long_batches_are_exact,
          a_stale_paging_structure_cache_answers_batches, classes_know_larger_pages_in_batches,
          pieces_become_whole_in_batches, a_snapshot_is_not_written_through_old_pointers,
          the_short_way_is_closed_when_it_must_be,
          walks_of_batches_go_through_the_paging_structure_caches,
          batches_set_a_and_d_wherever_they_are_clear)
