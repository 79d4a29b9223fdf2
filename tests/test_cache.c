/* test_cache.c: data caches against a plain reference of another make, and what an access costs
 * where they stand on its way. */
#include "mmu/cache.h"
#include "sim/base/check.h"
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define RAM_BYTES (8 * MIB)
#define BASE      UINT64_C(0x7ffff0000000)

/* ---- the reference: lines with time stamps, looked for by loops ---- */

#define REF_LINES 64u

struct ref_line {
    bool valid, dirty;
    uint64_t number, used, filled;
};

struct ref {
    const struct mmu_config *config;
    struct ref_line line[CACHE_LEVELS][REF_LINES]; /* [set × ways + way] */
    struct caches_counters count;
    struct rng rng;
    uint64_t now;
};

static struct ref_line *ref_find(struct ref *r, unsigned level, uint64_t number)
{
    for (unsigned i = 0; i < REF_LINES; i++)
        if (r->line[level][i].valid && r->line[level][i].number == number)
            return &r->line[level][i];
    return NULL;
}

static struct ref_line *ref_victim(struct ref *r, unsigned level, uint64_t number)
{
    const struct cache_config *c = &r->config->cache[level];
    struct ref_line *set = &r->line[level][number % c->sets * c->ways], *best = set;
    for (uint32_t way = 0; way < c->ways; way++)
        if (!set[way].valid)
            return &set[way];
    if (c->repl == REPL_RANDOM)
        return &set[rng_below(&r->rng, c->ways)];
    for (uint32_t way = 1; way < c->ways; way++) {
        bool older =
            c->repl == REPL_FIFO ? set[way].filled < best->filled : set[way].used < best->used;
        best = older ? &set[way] : best;
    }
    return best;
}

static void ref_put(struct ref *r, unsigned level, uint64_t number, bool dirty);

static void ref_leave(struct ref *r, unsigned level, struct ref_line gone)
{
    for (unsigned i = 0; i < level && r->config->cache_inclusive; i++) {
        struct ref_line *above = ref_find(r, i, gone.number);
        if (!above)
            continue;
        gone.dirty = gone.dirty || above->dirty;
        above->valid = false;
        r->count.level[i].invalidations++;
    }
    if (!gone.dirty)
        return;
    r->count.level[level].write_backs++;
    unsigned next = level + 1;
    while (next < CACHE_LEVELS && !r->config->cache[next].sets)
        next++;
    struct ref_line *there = next < CACHE_LEVELS ? ref_find(r, next, gone.number) : NULL;
    if (there)
        there->dirty = true;
    else if (next < CACHE_LEVELS)
        ref_put(r, next, gone.number, true);
    else
        r->count.memory_writes++;
}

static void ref_put(struct ref *r, unsigned level, uint64_t number, bool dirty)
{
    struct ref_line *at = ref_victim(r, level, number), gone = *at;
    *at = (struct ref_line){true, dirty, number, r->now, r->now};
    r->now++;
    r->count.level[level].fills++;
    if (!gone.valid)
        return;
    r->count.level[level].evictions++;
    ref_leave(r, level, gone);
}

static cycles_t ref_line_access(struct ref *r, uint64_t number, bool write, bool walk)
{
    cycles_t cycles = r->config->memory_cycles;
    unsigned answer = 0;
    for (; answer < CACHE_LEVELS; answer++) {
        if (!r->config->cache[answer].sets)
            continue;
        struct cache_counters *count = &r->count.level[answer];
        struct ref_line *line = ref_find(r, answer, number);
        count->lookups++;
        count->walk_lookups += walk;
        count->hits += line != NULL;
        count->misses += !line;
        count->walk_misses += walk && !line;
        if (!line)
            continue;
        line->used = r->now++;
        cycles = r->config->cache[answer].hit_cycles;
        break;
    }
    r->count.memory_reads += answer == CACHE_LEVELS;
    while (answer-- > 0)
        if (r->config->cache[answer].sets)
            ref_put(r, answer, number, false);
    if (write)
        ref_find(r, 0, number)->dirty = true;
    return cycles;
}

static cycles_t ref_access(struct ref *r, pa_t pa, size_t n, bool write, bool walk)
{
    cycles_t cycles = 0;
    uint64_t previous = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t number = (pa + i) / r->config->cache_line;
        if (number != previous)
            cycles += ref_line_access(r, number, write, walk);
        previous = number;
    }
    return cycles;
}

/* ---- equality ---- */

static void same_lines(const struct caches *c, struct ref *r)
{
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        const struct cache_config *config = &r->config->cache[level];
        for (uint32_t i = 0; i < config->sets * config->ways; i++) {
            struct cache_line line;
            const struct ref_line *want = &r->line[level][i];
            caches_line(c, level, i / config->ways, i % config->ways, &line);
            if (line.valid != want->valid ||
                (line.valid &&
                 (line.dirty != want->dirty || line.pa != want->number * r->config->cache_line)))
                ck_abort_msg("L%u, line %u differs", level + 1, i);
        }
    }
}

static struct mmu_config random_config(struct rng *rng)
{
    static const uint32_t policy[] = {REPL_LRU, REPL_LRU, REPL_FIFO, REPL_RANDOM};
    struct mmu_config c = world_config();
    for (unsigned level = 0; level < CACHE_LEVELS; level++)
        c.cache[level] = (struct cache_config){.sets = 1 + rng_below(rng, 8),
                                               .ways = 1 + rng_below(rng, 8),
                                               .repl = policy[rng_below(rng, ARRAY_LEN(policy))],
                                               .hit_cycles = 3 + 10 * level};
    for (unsigned level = 1; level < CACHE_LEVELS; level++)
        if (rng_below(rng, 4) == 0)
            c.cache[level].sets = 0;
    c.cache_line = 8u << rng_below(rng, 5);
    c.memory_cycles = 100;
    c.cache_inclusive = rng_below(rng, 2);
    return c;
}

START_TEST(equal_to_the_reference)
{
    struct rng rng = {21};
    for (unsigned round = 0; round < 120; round++) {
        struct mmu_config config = random_config(&rng);
        struct bus bus = {0};
        struct env env = {.rng = {round + 1}, .bus = &bus, .arena = arena_new(MIB)};
        struct caches c = {.on = false};
        struct caches_counters count = {0};
        static struct ref r;
        r = (struct ref){.config = &config, .rng = {round + 1}, .now = 1};
        CHECK(caches_init(&c, env.arena, &config));
        for (unsigned i = 0; i < 3000; i++) {
            pa_t pa = rng_below(&rng, 1 + rng_below(&rng, 4096));
            size_t n = 1 + rng_below(&rng, rng_below(&rng, 8) ? 8 : 100);
            bool write = rng_below(&rng, 3) == 0, walk = rng_below(&rng, 4) == 0;
            if (caches_access(&c, &env, &count, pa, n, write, walk) !=
                ref_access(&r, pa, n, write, walk))
                ck_abort_msg("round %u, access %u: other cycles", round, i);
        }
        ck_assert_mem_eq(&count, &r.count, sizeof(count));
        same_lines(&c, &r);
        arena_destroy(env.arena);
    }
}
END_TEST

/* With inclusion every line of a level is in the level behind it. */
START_TEST(inclusive_levels_hold_what_those_above_hold)
{
    struct rng rng = {22};
    for (unsigned round = 0; round < 40; round++) {
        struct mmu_config config = random_config(&rng);
        config.cache[1].sets = config.cache[2].sets = 3;
        config.cache_inclusive = true;
        struct world w;
        world_open(&w, &config, RAM_BYTES);
        world_map(&w, BASE, 1, 300, 0);
        struct mmu_fault fault;
        for (unsigned i = 0; i < 500; i++)
            mmu_access(w.mmu, BASE + rng_below(&rng, PAGE_SIZE), NULL, 1,
                       rng_below(&rng, 2) ? ACCESS_READ : ACCESS_WRITE, &fault);
        for (unsigned level = 0; level + 1 < CACHE_LEVELS; level++) {
            const struct cache_config *in = mmu_cache_config(w.mmu, level);
            const struct cache_config *out = mmu_cache_config(w.mmu, level + 1);
            for (uint32_t i = 0; i < in->sets * in->ways; i++) {
                struct cache_line line, other;
                bool found = false;
                mmu_cache_line(w.mmu, level, i / in->ways, i % in->ways, &line);
                for (uint32_t j = 0; line.valid && j < out->sets * out->ways; j++) {
                    mmu_cache_line(w.mmu, level + 1, j / out->ways, j % out->ways, &other);
                    found = found || (other.valid && other.pa == line.pa);
                }
                if (line.valid && !found)
                    ck_abort_msg("L%u has a line that L%u has not", level + 1, level + 2);
            }
        }
        world_close(&w);
    }
}
END_TEST

/* ---- on the way of an access ---- */

static struct mmu_config small_caches(void)
{
    struct mmu_config c = world_config();
    c.cache[0] = (struct cache_config){8, 8, REPL_LRU, 4};
    c.cache[1] = (struct cache_config){64, 4, REPL_LRU, 14};
    c.cache_line = 64;
    c.memory_cycles = 200;
    return c;
}

/* A walk costs what its entries cost: from memory the first time, from L1 the second, and what it
 * marks costs as well. */
START_TEST(a_walk_costs_what_its_entries_cost)
{
    struct world w;
    struct mmu_config config = small_caches();
    world_open(&w, &config, RAM_BYTES);
    world_map(&w, BASE, 1, 300, 0);
    struct mmu_fault fault;
    ck_assert(mmu_access(w.mmu, BASE, NULL, 1, ACCESS_READ, &fault));
    struct mmu_counters first = *mmu_counters(w.mmu);
    ck_assert_uint_eq(first.walk_reads, 4);
    ck_assert_uint_eq(first.ad_writes, 4);
    ck_assert_uint_eq(first.cycles_walk, 4 * 200 + 4 * 4);
    ck_assert_uint_eq(first.cycles_data, 200);
    ck_assert_uint_eq(first.cache.level[0].walk_lookups, 8);
    ck_assert_uint_eq(first.cache.level[0].walk_misses, 4);
    mmu_invlpg(w.mmu, BASE);
    ck_assert(mmu_access(w.mmu, BASE, NULL, 1, ACCESS_READ, &fault));
    struct mmu_counters second = *mmu_counters(w.mmu);
    ck_assert_uint_eq(second.walk_reads, 8);
    ck_assert_uint_eq(second.cycles_walk - first.cycles_walk, 4 * 4);
    ck_assert_uint_eq(second.cycles_data - first.cycles_data, 4);
    world_close(&w);
}
END_TEST

/* Two lines are two lookups; and the entry of a neighbouring page lies in the same line. */
START_TEST(lines_are_what_counts)
{
    struct world w;
    struct mmu_config config = small_caches();
    world_open(&w, &config, RAM_BYTES);
    world_map(&w, BASE, 1, 300, PTE_A | PTE_D);
    world_map(&w, BASE + PAGE_SIZE, 1, 310, PTE_A | PTE_D);
    uint64_t word = 5;
    struct mmu_fault fault;
    ck_assert(mmu_access(w.mmu, BASE + 60, &word, 8, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(mmu_counters(w.mmu)->cycles_data, 400);
    uint64_t before = mmu_counters(w.mmu)->cache.memory_reads;
    cycles_t walked = mmu_counters(w.mmu)->cycles_walk;
    ck_assert(mmu_access(w.mmu, BASE + PAGE_SIZE, &word, 8, ACCESS_READ, &fault));
    ck_assert_uint_eq(mmu_counters(w.mmu)->cache.memory_reads, before + 1); /* the data only */
    ck_assert_uint_eq(mmu_counters(w.mmu)->cycles_walk, walked + 4 * 4);
    world_close(&w);
}
END_TEST

/* What is told is what was counted, and a dirty line is told to go on. */
START_TEST(events_tell_where_lines_go)
{
    struct world w;
    struct mmu_config config = small_caches();
    config.cache[0] = (struct cache_config){1, 1, REPL_LRU, 4};
    config.cache[1].sets = 0;
    world_open(&w, &config, RAM_BYTES);
    world_map(&w, BASE, 1, 300, PTE_A | PTE_D);
    struct mmu_fault fault;
    ck_assert(mmu_access(w.mmu, BASE, NULL, 1, ACCESS_WRITE, &fault));
    ck_assert(mmu_access(w.mmu, BASE, NULL, 1, ACCESS_WRITE, &fault));
    world_listen(&w);
    ck_assert(mmu_access(w.mmu, BASE + 64, NULL, 1, ACCESS_READ, &fault));
    ck_assert_str_eq(world_story(&w), "access tlb_hit cache_miss cache_fill cache_write_back data");
    ck_assert_uint_eq(mmu_counters(w.mmu)->cache.memory_writes,
                      1 + 3); /* and three marked entries */
    world_close(&w);
}
END_TEST

START_TEST(bad_settings_are_named)
{
    const char *field, *reason;
    struct mmu_config c = small_caches();
    ck_assert(mmu_config_check(&c, &field, &reason));
    c.cache_line = 48;
    ck_assert(!mmu_config_check(&c, &field, &reason));
    ck_assert_str_eq(field, "cache.line");
    c = small_caches();
    c.cache[1].ways = 0;
    ck_assert(!mmu_config_check(&c, &field, &reason));
    ck_assert_str_eq(field, "cache.l2");
    c = small_caches();
    c.cache[0].sets = 0;
    ck_assert(!mmu_config_check(&c, &field, &reason));
    ck_assert_str_eq(field, "cache.l1.sets");
    c.cache[1].sets = 0;
    ck_assert(mmu_config_check(&c, &field, &reason));
}
END_TEST

TEST_MAIN("cache", equal_to_the_reference, inclusive_levels_hold_what_those_above_hold,
          a_walk_costs_what_its_entries_cost, lines_are_what_counts, events_tell_where_lines_go,
          bad_settings_are_named)
