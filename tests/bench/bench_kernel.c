/* bench_kernel.c: page faults per second, fork and munmap of up to 1 GiB, and how each grows with
 * size, beside the Linux that runs here doing the very same thing for real.
 *
 *   bench_kernel [RUNS]      5 runs; the median counts
 *
 * A real page fault clears 4 KiB and crosses into the kernel; a simulated one edits simulated
 * tables, counts, and checks. The ratio says what the simulation costs, nothing about Linux.
 */
#include "kernel/kernel.h"
#include "sim/base/check.h"
#include "sim/state.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS     5u
#define RUNS_MAX 25u

static const uint64_t sizes[] = {64 * MIB, 256 * MIB, GIB};
enum { SIZES = ARRAY_LEN(sizes) };

enum work { FAULTS, FORK, MUNMAP, WORKS };
static const char *const work_name[WORKS] = {"touch every page", "fork", "munmap"};

/* Seconds of each piece of work. */
struct times {
    double of[WORKS];
};

/* ---- the simulator ---- */

static int64_t call(struct machine *m, uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    const uint64_t arg[6] = {a, b, c, d, UINT64_MAX, 0};
    int64_t result = machine_syscall(m, nr, arg);
    CHECK(!lx_failed(result));
    return result;
}

static struct times simulated(uint64_t size)
{
    struct config config;
    struct error error;
    struct sim *sim;
    struct times t;
    const struct trace nothing = {0};
    config_default(&config);
    config.ram_bytes = 4 * GIB;
    config.mmu.classify = false;
    CHECK(!sim_open(&sim, &(struct sim_options){.config = &config, .trace = &nothing}, &error));
    int64_t result;
    CHECK(machine_program(sim->m, 0, 0, &result));
    va_t at = (va_t)call(sim->m, LX_NR_mmap, 0, size, LX_PROT_READ | LX_PROT_WRITE,
                         LX_MAP_PRIVATE | LX_MAP_ANONYMOUS);
    double start = processor_seconds();
    for (uint64_t i = 0; i < size; i += PAGE_SIZE)
        CHECK(machine_access(sim->m, at + i, NULL, 1, ACCESS_WRITE) == 0);
    t.of[FAULTS] = processor_seconds() - start;
    start = processor_seconds();
    int64_t child = call(sim->m, LX_NR_fork, 0, 0, 0, 0);
    t.of[FORK] = processor_seconds() - start;
    kernel_exit(sim->m->kernel, &sim->m->cpu[0], (uint16_t)child);
    start = processor_seconds();
    call(sim->m, LX_NR_munmap, at, size, 0, 0);
    t.of[MUNMAP] = processor_seconds() - start;
    sim_close(sim);
    return t;
}

/* ---- Linux ---- */

static struct times real(uint64_t size)
{
    struct times t;
    volatile char *at =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    madvise((void *)at, size, MADV_NOHUGEPAGE);
    double start = processor_seconds();
    for (uint64_t i = 0; i < size; i += PAGE_SIZE)
        at[i] = 1;
    t.of[FAULTS] = processor_seconds() - start;
    start = processor_seconds();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    t.of[FORK] = processor_seconds() - start;
    waitpid(child, NULL, 0);
    start = processor_seconds();
    munmap((void *)at, size);
    t.of[MUNMAP] = processor_seconds() - start;
    return t;
}

/* ---- the table ---- */

static double median(const struct times *t, unsigned runs, enum work work)
{
    double v[RUNS_MAX];
    for (unsigned i = 0; i < runs; i++)
        v[i] = t[i].of[work];
    sort_samples(v, runs);
    return v[runs / 2];
}

/* t ~ size^x between the smallest and the largest. */
static double growth(const double *t)
{
    double least = (double)sizes[0];
    double most = (double)sizes[SIZES - 1];
    return log(t[SIZES - 1] / t[0]) / log(most / least);
}

static void print_work(enum work work, double sim[][WORKS], double host[][WORKS])
{
    double s[SIZES], h[SIZES];
    printf("%s\n", work_name[work]);
    for (size_t i = 0; i < SIZES; i++) {
        uint64_t count = sizes[i] / PAGE_SIZE;
        double pages = (double)count;
        s[i] = sim[i][work];
        h[i] = host[i][work];
        printf(
            "  %5llu MiB  memwalk %8.2f ms (%6.1f ns a page, %5.2f million a second)   Linux %8.2f "
            "ms (%6.1f ns a page)   %5.2f x\n",
            (unsigned long long)(sizes[i] / MIB), s[i] * 1e3, s[i] / pages * 1e9,
            pages / s[i] / 1e6, h[i] * 1e3, h[i] / pages * 1e9, s[i] / h[i]);
    }
    printf("  grows as size^%.2f, on Linux as size^%.2f\n", growth(s), growth(h));
}

int main(int argc, char **argv)
{
    unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RUNS;
    double sim[SIZES][WORKS], host[SIZES][WORKS];
    if (runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: bench_kernel [RUNS], 1 to %u\n", RUNS_MAX);
        return 2;
    }
    for (size_t i = 0; i < SIZES; i++) {
        struct times mine[RUNS_MAX], theirs[RUNS_MAX];
        for (unsigned k = 0; k < runs; k++) { /* in turns, so that a noisy machine hurts both */
            mine[k] = simulated(sizes[i]);
            theirs[k] = real(sizes[i]);
        }
        for (unsigned w = 0; w < WORKS; w++) {
            sim[i][w] = median(mine, runs, (enum work)w);
            host[i][w] = median(theirs, runs, (enum work)w);
        }
    }
    printf("processor time, median of %u runs, 4 KiB pages, one process, private memory\n", runs);
    for (unsigned w = 0; w < WORKS; w++)
        print_work((enum work)w, sim, host);
    return 0;
}
