/* bench_reclaim.c: programs in half of the memory they want: accesses and evictions per second, and
 * how both grow with memory, beside a plain simulator of LRU.
 *
 * The plain simulator keeps page numbers in a linked list and knows no tables, TLBs, slots or
 * bytes; it runs the same references in the same run, in turns with the machine, and is also the
 * judge: under lru the machine must have as many faults.
 *
 *   bench_reclaim [RUNS [ACCESSES]]      3 runs of 200 thousand, or four for each page
 */
#include "kernel/kernel.h"
#include "sim/access.h"
#include "sim/base/check.h"
#include "sim/base/rng.h"
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCESSES 200000u
#define RUNS     3u
#define RUNS_MAX 50u
#define BASE     UINT64_C(0x7f0000000000)

/* Half of the accesses go to a tenth of the pages; no two in a row to the same one. */
static void make_stream(va_t *va, size_t n, uint32_t pages)
{
    struct rng rng = {42};
    for (size_t i = 0; i < n; i++) {
        do
            va[i] = BASE + rng_below(&rng, rng_below(&rng, 2) ? pages : pages / 10) * PAGE_SIZE;
        while (i && va[i] == va[i - 1]);
    }
}

/* ---- the peer ---- */

struct node {
    uint32_t newer, older;
    bool in;
};

/* Node 0 is the ends of the list, node p + 1 page p. */
static uint64_t plain_lru(const va_t *va, size_t n, uint32_t pages, uint64_t frames)
{
    struct node *node = calloc(pages + 1, sizeof(*node));
    uint64_t count = 0, faults = 0;
    CHECK(node);
    for (size_t i = 0; i < n; i++) {
        uint32_t p = (uint32_t)((va[i] - BASE) / PAGE_SIZE) + 1;
        faults += !node[p].in;
        if (!node[p].in && count == frames) {
            uint32_t victim = node[0].newer;
            node[0].newer = node[victim].newer;
            node[node[0].newer].older = 0;
            node[victim].in = false;
        } else if (node[p].in) {
            node[node[p].older].newer = node[p].newer;
            node[node[p].newer].older = node[p].older;
        } else {
            count++;
        }
        node[p] = (struct node){.newer = 0, .older = node[0].older, .in = true};
        node[node[0].older].newer = p;
        node[0].older = p;
    }
    free(node);
    return faults;
}

/* ---- the machine ---- */

struct result {
    double seconds;
    uint64_t faults, evictions;
};

static struct result machine(const char *policy, const va_t *va, size_t n, uint32_t pages,
                             uint64_t frames)
{
    struct error e = {0};
    struct config c;
    struct access_run *run = NULL;
    char text[32];
    size_t done;
    config_default(&c);
    c.mmu.classify = false;
    c.ram_bytes = 4 * GIB;
    c.kernel.swap_bytes = pages * PAGE_SIZE;
    snprintf(text, sizeof(text), "%" PRIu64, frames);
    if (config_set(&c, "reclaim.policy", policy, &e) ||
        config_set(&c, "reclaim.frames", text, &e) || access_open(&run, &c, &e))
        bench_die(&e);
    double start = wall_seconds();
    if (access_touch(run, va, n, ACCESS_WRITE, &done, &e))
        bench_die(&e);
    struct result r = {.seconds = wall_seconds() - start};
    const struct kernel_counters *k = inspect_kernel(access_sim(run));
    r.faults = k->faults_minor + k->faults_major;
    r.evictions = k->pages_evicted;
    access_close(run);
    return r;
}

static void print_spread(const char *what, double *value, size_t n, const char *unit)
{
    sort_samples(value, n);
    printf("  %-44s %9.2f %s  (%.2f to %.2f in %zu runs)\n", what, value[n / 2], unit, value[0],
           value[n - 1], n);
}

static void measure(const char *policy, const va_t *va, size_t n, uint32_t pages, uint64_t frames,
                    size_t runs)
{
    double each[RUNS_MAX], eviction[RUNS_MAX], ratio[RUNS_MAX];
    char what[64];
    for (size_t i = 0; i < runs; i++) {
        double start = wall_seconds();
        uint64_t faults = plain_lru(va, n, pages, frames);
        double plain = wall_seconds() - start;
        struct result r = machine(policy, va, n, pages, frames);
        CHECK(strcmp(policy, "lru") != 0 || r.faults == faults);
        each[i] = 1e9 * r.seconds / (double)n;
        eviction[i] = 1e6 * r.seconds / (double)r.evictions;
        ratio[i] = r.seconds / plain;
    }
    snprintf(what, sizeof(what), "%s, %" PRIu64 " frames, each access", policy, frames);
    print_spread(what, each, runs, "ns");
    print_spread("  for each eviction", eviction, runs, "us");
    print_spread("  times as long as plain LRU on numbers", ratio, runs, "x");
}

int main(int argc, char **argv)
{
    size_t runs = argc > 1 ? strtoul(argv[1], NULL, 10) : RUNS;
    size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : ACCESSES;
    static const char *const policies[] = {"lru", "clock", "two-list"};
    CHECK(runs > 0 && runs <= RUNS_MAX && n > 0);
    for (uint64_t frames = 1024; frames <= 65536; frames *= 8) {
        uint32_t pages = (uint32_t)(2 * frames);
        n = max_u64(n, 4 * pages);
        va_t *va = calloc(n, sizeof(*va));
        CHECK(va);
        make_stream(va, n, pages);
        printf("%u pages written in %" PRIu64 " frames, %zu accesses\n", pages, frames, n);
        for (size_t i = 0; i < ARRAY_LEN(policies); i++)
            measure(policies[i], va, n, pages, frames, runs);
        free(va);
    }
    return 0;
}
