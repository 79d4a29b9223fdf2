/* bench.h: what every measurement needs: a clock, samples in order, and a way out. */
#ifndef MEMWALK_TESTS_BENCH_H
#define MEMWALK_TESTS_BENCH_H

#include "sim/base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double clock_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double wall_seconds(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}

/* Of this process, the kernel's on its behalf included: what others of the host take does not
 * count. */
static inline double processor_seconds(void)
{
    return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static inline int smaller_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void sort_samples(double *sample, size_t n)
{
    qsort(sample, n, sizeof(sample[0]), smaller_first);
}

static inline _Noreturn void bench_die(const struct error *e)
{
    error_print(e, stderr);
    exit(2);
}

#endif
