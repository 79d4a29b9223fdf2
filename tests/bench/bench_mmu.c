/* bench_mmu.c: accesses per second through the whole MMU, beside a plain counter and a bare
 * compare.
 *
 * Four generated streams; one run measures all on each, in turns, so that a noisy machine hurts all
 * alike: memwalk plain (two levels of TLB, LRU, nothing else), memwalk as it is configured by
 * default (with paging-structure caches and classes of misses besides), the counter, the compare.
 * The counter is also the judge: its misses must be memwalk's.
 *
 * The goals were measured on a machine where the counter made 606, 31, 43 and 86 million/s, so
 * they are given as multiples of the counter too, which hold on other machines.
 *
 * Then each feature of the MMU is switched on alone, on shorter streams, and compared with the
 * plain configuration measured beside it in the same run: what it costs the host, and what it does
 * to the simulated time.
 *
 *   bench_mmu [RUNS [ACCESSES]]      5 runs of 20 million
 */
#include "mmu/mmu.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"
#include "sim/base/event.h"
#include "sim/config.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

#define ACCESSES  20000000u
#define RUNS      5u
#define RUNS_MAX  100u
#define PAGES     65536u /* of the wide streams: 256 MiB */
#define HOT_PAGES 32u
#define BASE      UINT64_C(0x7f0000000000)
#define CR3       UINT64_C(0x1000)

/* ---- the streams ---- */

static void sequential(va_t *va, size_t n, struct rng *rng)
{
    (void)rng;
    for (size_t i = 0; i < n; i++)
        va[i] = BASE + i * 64 % (64 * MIB);
}

static va_t anywhere(struct rng *rng)
{
    return BASE + rng_below(rng, PAGES) * PAGE_SIZE + rng_below(rng, PAGE_SIZE);
}

static void uniform(va_t *va, size_t n, struct rng *rng)
{
    for (size_t i = 0; i < n; i++)
        va[i] = anywhere(rng);
}

/* Rank k has weight 1 / k^0.99; ranks lie scattered over the pages. */
static void zipf(va_t *va, size_t n, struct rng *rng)
{
    double *sum = malloc(PAGES * sizeof(*sum));
    uint32_t *page = malloc(PAGES * sizeof(*page));
    CHECK(sum && page);
    double total = 0;
    for (uint32_t k = 0; k < PAGES; k++) {
        sum[k] = total += pow(k + 1, -0.99);
        uint32_t other = rng_below(rng, k + 1);
        page[k] = page[other];
        page[other] = k;
    }
    for (size_t i = 0; i < n; i++) {
        double x = (double)(rng_next(rng) >> 11) * 0x1p-53 * total;
        uint32_t low = 0, high = PAGES - 1;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (sum[middle] < x)
                low = middle + 1;
            else
                high = middle;
        }
        va[i] = BASE + page[low] * PAGE_SIZE + rng_below(rng, PAGE_SIZE);
    }
    free(sum);
    free(page);
}

static void hot_and_cold(va_t *va, size_t n, struct rng *rng)
{
    for (size_t i = 0; i < n; i++)
        va[i] = rng_below(rng, 10)
                    ? BASE + rng_below(rng, HOT_PAGES) * PAGE_SIZE + rng_below(rng, PAGE_SIZE)
                    : anywhere(rng);
}

static const struct stream {
    const char *name;
    void (*make)(va_t *, size_t, struct rng *);
    /* million/s where the goals were measured: a throw-away MMU of fixed geometry, to reach; the
     * fastest simulators without tables, to pass; the plain counter. */
    double goal, simulators, counter;
} streams[] = {
    {"sequential", sequential, 481, 306, 606},
    {"uniform", uniform, 74, 50, 31},
    {"zipf 0.99", zipf, 87, 50, 43},
    {"90-10", hot_and_cold, 95, 60, 86},
};

/* ---- memwalk ---- */

struct machine {
    struct bus bus;
    struct env env;
    struct ram *ram;
    struct mmu *mmu;
    pfn_t next; /* free frame */
};

/* Maps va to frame, making tables from *next on. */
static void map(struct ram *ram, va_t va, pfn_t frame, pfn_t *next)
{
    pa_t table = CR3;
    for (unsigned level = 4; level > 1; level--) {
        pa_t at = table + 8 * (pa_t)va_index(va, level);
        if (!ram_read64(ram, at))
            ram_write64(ram, at, pte_make((*next)++, PTE_P | PTE_RW | PTE_US));
        table = ram_read64(ram, at) & PTE_FRAME;
    }
    ram_write64(ram, table + 8 * (pa_t)va_index(va, 1), pte_make(frame, PTE_P | PTE_RW | PTE_US));
}

/* sets and ways pass through here at run time; nothing is known to the compiler. */
static struct mmu_config usual(void)
{
    return (struct mmu_config){.tlb = {{16, 4, REPL_LRU, 1}, {128, 12, REPL_LRU, 7}},
                               .walk_read_cycles = 14,
                               .data_cycles = 4,
                               .maxphyaddr = 46,
                               .front_cache = true};
}

static void machine_open(struct machine *m, const struct mmu_config *config)
{
    memset(m, 0, sizeof(*m));
    m->env.bus = &m->bus;
    m->env.arena = arena_new(GIB);
    m->ram = ram_new(GIB);
    CHECK(m->env.arena && m->ram);
    m->mmu = mmu_new(&m->env, m->ram, config);
    CHECK(m->mmu);
    m->next = (CR3 >> PAGE_SHIFT) + 1;
    for (uint32_t i = 0; i < PAGES; i++)
        map(m->ram, BASE + i * PAGE_SIZE, 1024 + i, &m->next);
    CHECK(mmu_write_cr3(m->mmu, CR3));
    mmu_regs(m->mmu)->cpl = 3;
}

static void machine_close(struct machine *m)
{
    ram_destroy(m->ram);
    arena_destroy(m->env.arena);
}

/* ---- the plain counter: tags and time stamps, no tables, no rights ---- */

struct plain {
    uint64_t page[128 * 12], stamp[128 * 12];
    uint32_t sets, ways;
    uint64_t misses;
};

static bool plain_access(struct plain *t, uint64_t page, uint64_t now)
{
    uint64_t *tag = t->page + page % t->sets * t->ways;
    uint64_t *stamp = t->stamp + page % t->sets * t->ways;
    uint32_t oldest = 0;
    for (uint32_t way = 0; way < t->ways; way++) {
        if (tag[way] == page) {
            stamp[way] = now;
            return true;
        }
        if (stamp[way] < stamp[oldest])
            oldest = way;
    }
    tag[oldest] = page;
    stamp[oldest] = now;
    t->misses++;
    return false;
}

static void plain_run(struct plain *l1, struct plain *l2, const va_t *va, size_t n)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t page = va[i] >> PAGE_SHIFT;
        if (page == last)
            continue;
        last = page;
        if (!plain_access(l1, page, i + 1))
            plain_access(l2, page, i + 1);
    }
}

/* ---- the floor: the last page, else one compare in a direct-mapped array ---- */

static uint64_t floor_run(const va_t *va, size_t n)
{
    static uint64_t tag[1024];
    uint64_t last = 0, misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t page = va[i] >> PAGE_SHIFT;
        if (page == last)
            continue;
        last = page;
        misses += tag[page % 1024] != page;
        tag[page % 1024] = page;
    }
    return misses;
}

/* ---- configurations ---- */

static struct mmu_config shipped(void)
{
    static struct config c;
    config_default(&c);
    return c.mmu;
}

static void with_psc(struct mmu_config *c)
{
    const struct mmu_config d = shipped();
    memcpy(c->psc_entries, d.psc_entries, sizeof(c->psc_entries));
    memcpy(c->psc_ways, d.psc_ways, sizeof(c->psc_ways));
}

static void with_classes(struct mmu_config *c)
{
    c->classify = true;
}

/* What the default configuration switches on. */
static void with_default(struct mmu_config *c)
{
    with_psc(c);
    c->classify = shipped().classify;
}

/* ---- measuring ---- */

/* The streams lie in large pages of the host, so that its own TLB misses are not what is measured.
 */
static void *huge(size_t bytes)
{
    bytes = align_up(bytes, 2 * MIB);
    void *p = aligned_alloc(2 * MIB, bytes);
    if (p)
        madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

enum { PLAIN, DEFAULT, COUNTER, FLOOR, CONTENDERS };

static const char *const contender[CONTENDERS] = {"memwalk, plain", "memwalk, default",
                                                  "plain counter", "bare compare"};

struct result {
    double rate[CONTENDERS][RUNS_MAX]; /* million/s */
    uint64_t l1[CONTENDERS], l2[CONTENDERS], floor;
};

static void run_memwalk(const struct mmu_config *config, const va_t *va, size_t n, struct result *r,
                        unsigned which, unsigned run)
{
    struct machine m;
    struct mmu_fault fault;
    machine_open(&m, config);
    double start = processor_seconds();
    CHECK(mmu_touch(m.mmu, va, n, ACCESS_READ, &fault) == n);
    r->rate[which][run] = (double)n * 1e-6 / (processor_seconds() - start);
    const struct mmu_counters *count = mmu_counters(m.mmu);
    r->l1[which] = count->tlb[TLB_L1D].misses;
    r->l2[which] = count->tlb[TLB_L2].misses;
    CHECK(config->psc_entries[2] || count->walk_reads == 4 * r->l2[which]);
    machine_close(&m);
}

static void run_once(const va_t *va, size_t n, struct result *r, unsigned run)
{
    struct plain l1 = {.sets = 16, .ways = 4}, l2 = {.sets = 128, .ways = 12};
    struct mmu_config config = usual();
    run_memwalk(&config, va, n, r, PLAIN, run);
    with_default(&config);
    run_memwalk(&config, va, n, r, DEFAULT, run);
    double start = processor_seconds();
    plain_run(&l1, &l2, va, n);
    double plain = processor_seconds();
    r->floor = floor_run(va, n);
    double end = processor_seconds();
    r->rate[COUNTER][run] = (double)n * 1e-6 / (plain - start);
    r->rate[FLOOR][run] = (double)n * 1e-6 / (end - plain);
    r->l1[COUNTER] = l1.misses;
    r->l2[COUNTER] = l2.misses;
}

static const char *verdict(double is, double wanted)
{
    return is >= wanted ? "yes" : "no";
}

static void print(const struct stream *s, size_t n, struct result *r, unsigned runs)
{
    for (unsigned c = 0; c < CONTENDERS; c++)
        sort_samples(r->rate[c], runs);
    double counter = r->rate[COUNTER][runs / 2];
    printf("\n%s: L1 misses %.1f%%, L2 misses %.1f%%\n", s->name,
           100.0 * (double)r->l1[COUNTER] / (double)n, 100.0 * (double)r->l2[COUNTER] / (double)n);
    printf("  %-17s %20s | %9s | %14s | %14s\n", "", "min median max", "x counter", "reach",
           "pass");
    for (unsigned c = 0; c < CONTENDERS; c++) {
        double median = r->rate[c][runs / 2], times = median / counter;
        printf("  %-17s %6.0f %6.0f %6.0f | %9.2f |", contender[c], r->rate[c][0], median,
               r->rate[c][runs - 1], times);
        if (c > DEFAULT)
            printf("\n");
        else
            printf(" %3.0f %-3s %4.2f %-3s| %3.0f %-3s %4.2f %-3s\n", s->goal,
                   verdict(median, s->goal), s->goal / s->counter,
                   verdict(times, s->goal / s->counter), s->simulators,
                   verdict(median, s->simulators), s->simulators / s->counter,
                   verdict(times, s->simulators / s->counter));
    }
}

/* ---- features, each alone ---- */

#define FEATURE_ACCESSES 1000000u
#define FEATURE_RUNS     3u

static void with_opt(struct mmu_config *c)
{
    c->opt = true;
    c->opt_limit = 1u << 24;
}

static void with_plru(struct mmu_config *c)
{
    c->tlb[TLB_L2].ways = 8;
    c->tlb[TLB_L1D].repl = c->tlb[TLB_L2].repl = REPL_PLRU;
}

static void with_nru(struct mmu_config *c)
{
    c->tlb[TLB_L1D].repl = c->tlb[TLB_L2].repl = REPL_NRU;
}

static void with_caches(struct mmu_config *c)
{
    c->cache[0] = (struct cache_config){64, 8, REPL_LRU, 4};
    c->cache[1] = (struct cache_config){1024, 8, REPL_LRU, 14};
    c->cache[2] = (struct cache_config){4096, 16, REPL_LRU, 42};
    c->cache_line = 64;
    c->memory_cycles = 200;
}

static void with_next(struct mmu_config *c)
{
    c->prefetch = PREFETCH_NEXT;
    c->prefetch_entries = 16;
}

static void with_distance(struct mmu_config *c)
{
    c->prefetch = PREFETCH_DISTANCE;
    c->prefetch_entries = 16;
}

static void with_walkers(struct mmu_config *c)
{
    c->walkers = 4;
    c->walk_window = 16;
}

static void without_front(struct mmu_config *c)
{
    c->front_cache = false;
}

/* As the presets of real processors have it. */
static void with_default_caches(struct mmu_config *c)
{
    with_default(c);
    with_caches(c);
}

static void with_inclusive(struct mmu_config *c)
{
    c->inclusion = INCLUSION_INCLUSIVE;
}

static void with_exclusive(struct mmu_config *c)
{
    c->inclusion = INCLUSION_EXCLUSIVE;
}

static void with_coalescing(struct mmu_config *c)
{
    c->coalesce = 4;
}

static void with_all(struct mmu_config *c)
{
    with_psc(c);
    with_classes(c);
    with_caches(c);
    with_distance(c);
    with_walkers(c);
}

static void use_pcid(struct machine *m)
{
    CHECK(mmu_write_cr4(m->mmu, mmu_regs_now(m->mmu)->cr4 | CR4_PCIDE));
    CHECK(mmu_write_cr3(m->mmu, CR3 | 5));
}

static void use_five_levels(struct machine *m)
{
    pa_t root = m->next++ << PAGE_SHIFT;
    ram_write64(m->ram, root, CR3 | PTE_P | PTE_RW | PTE_US);
    mmu_regs(m->mmu)->cr4 |= CR4_LA57;
    CHECK(mmu_write_cr3(m->mmu, root));
}

/* All of RAM lies in one page of 1 GiB of the EPT. */
static void use_nested(struct machine *m)
{
    pa_t root = m->next++ << PAGE_SHIFT, table = m->next++ << PAGE_SHIFT;
    ram_write64(m->ram, root, table | EPT_RWX);
    ram_write64(m->ram, table, EPT_PAGE | (pte_t)MEMORY_WB << EPT_TYPE_SHIFT | EPT_RWX);
    mmu_regs(m->mmu)->eptp = root | EPTP_WALK | EPTP_WB;
    mmu_regs(m->mmu)->vpid = 1;
}

static const struct feature {
    const char *name;
    void (*set)(struct mmu_config *);
    void (*use)(struct machine *);
} features[] = {
    {"default configuration", with_default, NULL},
    {"  paging-structure caches", with_psc, NULL},
    {"  classes of misses", with_classes, NULL},
    {"PCID", NULL, use_pcid},
    {"5 levels of tables", NULL, use_five_levels},
    {"inclusive second level", with_inclusive, NULL},
    {"exclusive second level", with_exclusive, NULL},
    {"coalescing, 4 pages", with_coalescing, NULL},
    {"tree-PLRU (L2 of 8 ways)", with_plru, NULL},
    {"NRU", with_nru, NULL},
    {"record for OPT", with_opt, NULL},
    {"prefetch, next page", with_next, NULL},
    {"prefetch, distance", with_distance, NULL},
    {"4 walkers, window 16", with_walkers, NULL},
    {"data caches", with_caches, NULL},
    {"default and data caches", with_default_caches, NULL},
    {"nested paging", NULL, use_nested},
    {"default, caches, walkers, prefetch", with_all, NULL},
    {"nothing, without the fast path", without_front, NULL},
};

/* One run: million/s of processor time, and simulated cycles for each access. Every page was
 * touched before: first touches are no feature. */
static double feature_run(const struct feature *f, const va_t *va, double *cycles)
{
    struct mmu_config config = usual();
    struct machine m;
    struct mmu_fault fault;
    if (f && f->set)
        f->set(&config);
    machine_open(&m, &config);
    if (f && f->use)
        f->use(&m);
    for (uint32_t i = 0; i < PAGES; i++)
        CHECK(mmu_access(m.mmu, BASE + i * PAGE_SIZE, NULL, 1, ACCESS_READ, &fault));
    uint64_t before = m.env.cycle;
    double start = processor_seconds();
    CHECK(mmu_touch(m.mmu, va, FEATURE_ACCESSES, ACCESS_READ, &fault) == FEATURE_ACCESSES);
    double took = processor_seconds() - start;
    *cycles = (double)(m.env.cycle - before) / FEATURE_ACCESSES;
    machine_close(&m);
    return FEATURE_ACCESSES * 1e-6 / took;
}

static void features_of(const struct stream *s, va_t *va, unsigned runs)
{
    struct rng rng = {1};
    double rate[RUNS_MAX], plain[RUNS_MAX], cycles = 0, plain_cycles = 0;
    s->make(va, FEATURE_ACCESSES, &rng);
    printf("\n%-34s %20s | %6s | %5s | %s\n", s->name, "min median max", "plain", "ratio",
           "simulated cycles each (plain)");
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        for (unsigned run = 0; run < runs; run++) {
            rate[run] = feature_run(&features[i], va, &cycles);
            plain[run] = feature_run(NULL, va, &plain_cycles);
        }
        sort_samples(rate, runs);
        sort_samples(plain, runs);
        printf("%-34s %6.1f %6.1f %6.1f | %6.1f | %5.2f | %6.1f (%.1f)\n", features[i].name,
               rate[0], rate[runs / 2], rate[runs - 1], plain[runs / 2],
               rate[runs / 2] / plain[runs / 2], cycles, plain_cycles);
    }
}

int main(int argc, char **argv)
{
    unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RUNS;
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    n = n ? n : ACCESSES;
    runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : runs;
    va_t *va = huge(n * sizeof(*va));
    struct result *r = malloc(sizeof(*r));
    CHECK(va && r);
    printf(
        "million accesses per second of processor time, %u runs of %zu accesses\n"
        "reach: a throw-away MMU; pass: the fastest simulators without tables; each in million/s "
        "and\nas a multiple of the plain counter, with what memwalk does: yes or no\n",
        runs, n);
    bool same = true;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        struct rng rng = {i + 1};
        streams[i].make(va, n, &rng);
        for (unsigned run = 0; run < runs; run++)
            run_once(va, n, r, run);
        print(&streams[i], n, r, runs);
        for (unsigned c = PLAIN; c < COUNTER; c++)
            same = same && r->l1[c] == r->l1[COUNTER] && r->l2[c] == r->l2[COUNTER];
    }
    printf("\nmisses of memwalk and of the plain counter: %s\n", same ? "the same" : "DIFFERENT");
    runs = runs < FEATURE_RUNS ? runs : FEATURE_RUNS;
    printf(
        "\nThe cost of each feature: million accesses per second with it and, in turns, with the "
        "plain\nconfiguration; %u runs of %u accesses\n",
        runs, FEATURE_ACCESSES);
    for (size_t i = 0; n >= FEATURE_ACCESSES && i < ARRAY_LEN(streams); i++)
        features_of(&streams[i], va, runs);
    free(va);
    free(r);
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
