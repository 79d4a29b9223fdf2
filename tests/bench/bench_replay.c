/* bench_replay.c: how fast a recorded program is read, replayed, logged and sought in.
 *
 * Every speed is held against a peer in the same run: replay against the real malloc of the host
 * doing the same ops. Usage: bench_replay [TRACE]; the default is a shipped recording.
 */
#include "sim/inspect.h"
#include "sim/log.h"
#include "tests/bench/bench.h"
#include "tests/bench/longer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define RUNS       7
#define SEEKS      100
#define LONG_TRACE 1000000

/* Sorts the samples and prints their minimum, median and maximum. */
static double print_spread(const char *what, double *sample, size_t n, const char *unit)
{
    sort_samples(sample, n);
    printf("%-46s %10.2f %10.2f %10.2f  %s\n", what, sample[0], sample[n / 2], sample[n - 1], unit);
    return sample[n / 2];
}

/* ---- the host's own malloc, doing the same ops ---- */

static void native_op(const struct op *op, void **block)
{
    void **at = &block[op->id];
    switch ((enum op_kind)op->kind) {
    case OP_malloc:
        *at = malloc(op->v[0]);
        break;
    case OP_calloc:
        *at = calloc(op->v[1], op->v[0]);
        break;
    case OP_realloc:
        *at = realloc(op->id ? *at : NULL, op->v[0]);
        break;
    case OP_free:
        free(*at);
        *at = NULL;
        break;
    case OP_memalign:
    case OP_aligned_alloc:
    case OP_posix_memalign:
        if (posix_memalign(at, max_u64(op->v[1], 16), op->v[0]))
            *at = NULL;
        break;
    default:
        break;
    }
}

static double native_replay(const struct trace *t, size_t ids)
{
    void **block = calloc(ids + 1, sizeof(*block));
    if (!block)
        exit(2);
    double start = wall_seconds();
    for (size_t i = 0; i < t->count; i++)
        native_op(&t->op[i], block);
    double seconds = wall_seconds() - start;
    for (size_t i = 1; i <= ids; i++)
        free(block[i]);
    free(block);
    return seconds;
}

/* ---- ours ---- */

static double replay(const struct trace *t, const struct config *c, struct sim_sink *sink)
{
    struct error e = {0};
    struct sim_options o = {.config = c, .trace = t};
    if (sink) {
        o.sinks = 1;
        o.sink[0] = *sink;
    }
    struct sim *s;
    if (sim_open(&s, &o, &e))
        bench_die(&e);
    double start = wall_seconds();
    if (sim_run(s, NULL, NULL, &e) < 0)
        bench_die(&e);
    double seconds = wall_seconds() - start;
    sim_close(s);
    return seconds;
}

static void bench_ops(const struct trace *t)
{
    size_t ids = largest_id(t);
    for (size_t a = 0; alloc_table[a]; a++) {
        struct config c;
        double ours[RUNS];
        double ratio[RUNS];
        char what[64];
        config_default(&c);
        c.mmu.classify = false;
        snprintf(c.alloc, sizeof(c.alloc), "%s", alloc_table[a]->name);
        for (size_t i = 0; i < RUNS; i++) {
            double native = native_replay(t, ids);
            double seconds = replay(t, &c, NULL);
            ours[i] = (double)t->count / seconds / 1e6;
            ratio[i] = seconds / native;
        }
        snprintf(what, sizeof(what), "replay, %s", alloc_table[a]->name);
        print_spread(what, ours, RUNS, "million ops/s");
        print_spread("  times as long as the real malloc", ratio, RUNS, "x");
    }
}

static void count_event(void *ctx, const struct event *e)
{
    (void)e;
    ++*(uint64_t *)ctx;
}

static void log_event(void *ctx, const struct event *e)
{
    char line[1024];
    fwrite(line, 1, log_line(e, 0, line, sizeof(line)), ctx);
}

static void bench_log(const struct trace *t)
{
    struct config c;
    double rate[RUNS];
    uint64_t events = 0;
    struct sim_sink counter = {count_event, &events};
    config_default(&c);
    replay(t, &c, &counter);
    FILE *nowhere = fopen("/dev/null", "w");
    struct sim_sink sink = {log_event, nowhere};
    for (size_t i = 0; nowhere && i < RUNS; i++)
        rate[i] = (double)events / replay(t, &c, &sink) / 1e6;
    fclose(nowhere);
    print_spread("events told and logged as JSON Lines", rate, RUNS, "million events/s");
}

/* ---- reading ---- */

static char *lines_of(const struct trace *t, size_t *size)
{
    char path[] = "/tmp/memwalk-bench-XXXXXX.jsonl";
    struct error e = {0};
    struct trace_writer *w;
    int fd = mkstemps(path, 6);
    if (fd < 0 || close(fd) || trace_writer_open(&w, path, TRACE_LINES, &t->header, &e))
        bench_die(&e);
    for (size_t i = 0; i < t->count; i++)
        if (trace_write(w, &t->op[i], t->op[i].extra ? &t->extra[t->op[i].extra] : NULL, &e))
            bench_die(&e);
    if (trace_writer_close(w, true, &e))
        bench_die(&e);
    FILE *in = fopen(path, "rb");
    fseek(in, 0, SEEK_END);
    *size = (size_t)ftell(in);
    rewind(in);
    char *text = malloc(*size + 1);
    if (!text || fread(text, 1, *size, in) != *size)
        exit(2);
    fclose(in);
    remove(path);
    return text;
}

static void bench_reading(const struct trace *t)
{
    size_t size;
    char *text = lines_of(t, &size);
    double rate[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        struct trace *copy;
        struct error e = {0};
        double start = wall_seconds();
        if (trace_load_memory(&copy, text, size, "bench", &e))
            bench_die(&e);
        rate[i] = (double)size / (wall_seconds() - start) / 1e6;
        trace_free(copy);
    }
    print_spread("JSON Lines reading", rate, RUNS, "MB/s");
    free(text);
}

/* ---- seeking ---- */

static void bench_seeking(const struct trace *t)
{
    struct trace longer = longer_trace(t, LONG_TRACE);
    struct config c;
    struct error e = {0};
    struct sim *s;
    double ms[SEEKS];
    struct rng r = {42};
    config_default(&c);
    c.ram_bytes = 4 * GIB;
    struct sim_options o = {.config = &c, .trace = &longer, .history = true};
    if (sim_open(&s, &o, &e))
        bench_die(&e);
    double start = wall_seconds();
    if (sim_run(s, NULL, NULL, &e) < 0)
        bench_die(&e);
    printf("%-46s %10.2f %32s\n", "1 M ops with history, to the end", wall_seconds() - start, "s");
    for (size_t i = 0; i < SEEKS; i++) {
        struct moment to = {1 + rng_below(&r, LONG_TRACE), rng_below(&r, 10)};
        start = wall_seconds();
        if (sim_seek(s, to, &e))
            bench_die(&e);
        ms[i] = 1e3 * (wall_seconds() - start);
    }
    print_spread("random seek in 1 M ops (goal: 50)", ms, SEEKS, "ms");
    double machine = (double)sim_machine_bytes(s);
    printf("%-46s %10.2f %32s\n", "machine's own memory", machine / 1e6, "MB");
    printf("%-46s %10.2f %32s\n", "snapshots (goal: 268, or twice that)",
           (double)sim_history_bytes(s) / 1e6, "MB");
    printf("%-46s %10.2f %32s\n", "memory per million ops held",
           (double)(LONG_TRACE * sizeof(struct op)) / 1e6, "MB");
    sim_close(s);
    free(longer.op);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "traces/sqlite3.jsonl.zst";
    struct trace *t;
    struct error e = {0};
    if (trace_load(&t, path, &e))
        bench_die(&e);
    printf("%s: %zu ops\n%-46s %10s %10s %10s\n", path, t->count, "", "min", "median", "max");
    bench_reading(t);
    bench_ops(t);
    bench_log(t);
    bench_seeking(t);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%-46s %10.2f %32s\n", "peak memory of all this", (double)usage.ru_maxrss / 1e3, "MB");
    trace_free(t);
    return 0;
}
