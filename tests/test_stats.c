/* test_stats.c: figures follow from the machine's counters, their table is sound, docs/report.md
 * lists exactly them, and a trace's expectations are judged to the precision that they state. */
#include "sim/stats.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

static const char lines[] = "{\"memwalk\":1,\"name\":\"t\"}\n"
                            "{\"op\":\"malloc\",\"id\":1,\"size\":100}\n"
                            "{\"op\":\"malloc\",\"id\":2,\"size\":5000}\n"
                            "{\"op\":\"malloc\",\"id\":3,\"size\":100}\n"
                            "{\"op\":\"write\",\"id\":2,\"off\":0,\"len\":5000}\n"
                            "{\"op\":\"free\",\"id\":2}\n"
                            "{\"op\":\"free\",\"id\":2}\n";

static void run_text(struct stats *s, const char *text, const struct config *config)
{
    struct error e = {0};
    struct trace *trace;
    struct sim *sim;
    struct stats_watch watch = {0};
    ck_assert_int_eq(trace_load_memory(&trace, text, strlen(text), "t.jsonl", &e), ERR_NONE);
    struct sim_options options = {.config = config, .trace = trace};
    ck_assert_int_eq(sim_open(&sim, &options, &e), ERR_NONE);
    while (sim_step(sim, &e) == 1)
        stats_watch(&watch, sim);
    stats_read(s, sim, &watch);
    sim_close(sim);
    trace_free(trace);
}

static void run(struct stats *s)
{
    struct config config;
    config_default(&config);
    config.heap.top_pad = 0; /* so that the hole is larger than the top behind it */
    run_text(s, lines, &config);
}

static double figure(const struct stats *s, const char *name)
{
    size_t i = figure_find(name);
    ck_assert_msg(i != SIZE_MAX, "no figure %s", name);
    return figure_double(i, s);
}

START_TEST(counts_what_happened)
{
    struct stats s;
    run(&s);
    ck_assert_double_eq(figure(&s, "ops"), 6);
    ck_assert_double_eq(figure(&s, "alloc.requests"), 3);
    ck_assert_double_eq(figure(&s, "heap.payload.peak"), 5200);
    ck_assert_double_eq(figure(&s, "heap.payload.now"), 200);
    ck_assert_double_eq(figure(&s, "heap.blocks.now"), 2);
    ck_assert_double_eq(figure(&s, "bytes.written"), 5000);
    ck_assert_double_ge(figure(&s, "misuse"), 1);
    ck_assert_double_ge(figure(&s, "faults.minor"), 2);
}
END_TEST

START_TEST(sums_agree)
{
    struct stats s;
    run(&s);
    static const char *const levels[] = {"l1d", "l2"};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        char name[4][40];
        static const char *const part[] = {"lookups", "hits", "misses", "miss_rate"};
        for (size_t k = 0; k < 4; k++)
            snprintf(name[k], sizeof(name[k]), "tlb.%s.%s", levels[i], part[k]);
        double lookups = figure(&s, name[0]);
        double misses = figure(&s, name[2]);
        ck_assert_double_eq(lookups, figure(&s, name[1]) + misses);
        ck_assert_double_eq_tol(figure(&s, name[3]), misses / lookups, 1e-12);
    }
    double spent = figure(&s, "cycles_in.program") + figure(&s, "cycles_in.tlb") +
                   figure(&s, "cycles_in.walk") + figure(&s, "cycles_in.data") +
                   figure(&s, "cycles_in.syscall") + figure(&s, "cycles_in.fault");
    ck_assert_double_eq(figure(&s, "cycles"), spent);
    ck_assert_double_eq(figure(&s, "tlb.l1d.misses"), figure(&s, "tlb.l1d.cold") +
                                                          figure(&s, "tlb.l1d.capacity") +
                                                          figure(&s, "tlb.l1d.conflict"));
}
END_TEST

static const char files[] =
    "{\"memwalk\":1,\"name\":\"files\"}\n"
    "{\"op\":\"open\",\"file\":1,\"size\":1048576,\"flags\":\"rw\"}\n"
    "{\"op\":\"mmap\",\"addr\":\"0x10000000\",\"len\":1048576,\"prot\":3,\"flags\":50}\n"
    "{\"op\":\"mmap_file\",\"addr\":\"0x20000000\",\"len\":1048576,\"prot\":3,\"flags\":17,\"fd\":"
    "3}\n"
    "{\"op\":\"pread\",\"fd\":3,\"to\":\"0x10000000\",\"len\":1048576}\n"
    "{\"op\":\"write\",\"addr\":\"0x20000000\",\"len\":1048576}\n"
    "{\"op\":\"pwrite\",\"fd\":3,\"from\":\"0x10000000\",\"len\":524288}\n"
    "{\"op\":\"mincore\",\"addr\":\"0x10000000\",\"len\":1048576,\"vec\":\"0x20000000\"}\n";

/* The kernel works for a program that copies, faults inside of calls, and writes back: each cycle
 * belongs to one of them, and what is the program's own does not depend on it. */
START_TEST(each_cycle_is_counted_once)
{
    static const char *const parts[] = {"program", "tlb",    "walk",    "data",      "syscall",
                                        "fault",   "switch", "reclaim", "writeback", "vm_exit"};
    static const uint32_t background[] = {100, 0, 0}, limit[] = {100, 100, 0};
    double own[ARRAY_LEN(background)];
    for (size_t i = 0; i < ARRAY_LEN(background); i++) {
        struct stats s;
        struct config config;
        double sum = 0;
        config_default(&config);
        config.ram_bytes = 16 * MIB;
        config.kernel.dirty_background = background[i];
        config.kernel.dirty_limit = limit[i];
        run_text(&s, files, &config);
        for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
            char name[40];
            snprintf(name, sizeof(name), "cycles_in.%s", parts[k]);
            sum += figure(&s, name);
        }
        ck_assert_double_eq(figure(&s, "cycles"), sum);
        own[i] = figure(&s, "cycles_in.program");
        ck_assert_double_eq(own[i], own[0]);
        ck_assert_int_eq(figure(&s, "cycles_in.writeback") > 0, i == 1);
        ck_assert_int_eq(figure(&s, "file.throttled") > 0, i == 2);
    }
}
END_TEST

/* After the free: a hole where 5000 bytes were, and a smaller top. */
START_TEST(fragmentation_is_as_defined)
{
    struct stats s;
    run(&s);
    ck_assert_uint_ge(s.at_end.largest, 5000);
    ck_assert_uint_gt(s.at_end.free, s.at_end.largest);
    ck_assert_double_eq_tol(figure(&s, "frag.external.end"),
                            1 - (double)s.at_end.largest / (double)s.at_end.free, 1e-12);
    ck_assert_uint_eq(s.at_peak.payload, 5200);
    ck_assert_double_eq_tol(figure(&s, "frag.internal.peak"), 1 - 5200.0 / (double)s.at_peak.used,
                            1e-12);
    ck_assert_double_eq(figure(&s, "frag.external.peak"), 0);
}
END_TEST

START_TEST(table_is_sound)
{
    struct figure f;
    for (size_t i = 0; figure_at(i, &f); i++) {
        ck_assert_uint_eq(figure_find(f.name), i);
        ck_assert_msg(*f.doc && *f.label && *f.group, "%s lacks a text", f.name);
        ck_assert_msg(strlen(f.label) <= 21, "%s: the label is too long for its column", f.name);
        if (*f.of)
            ck_assert_msg(figure_find(f.of) != SIZE_MAX, "%s: of %s", f.name, f.of);
    }
    ck_assert_uint_eq(figure_find("no.such"), SIZE_MAX);
}
END_TEST

/* A name must not be a figure and a group of figures at once: JSON cannot nest that. */
START_TEST(names_nest)
{
    struct figure a, b;
    for (size_t i = 0; figure_at(i, &a); i++)
        for (size_t k = 0; figure_at(k, &b); k++) {
            size_t n = strlen(a.name);
            ck_assert_msg(strncmp(a.name, b.name, n) != 0 || b.name[n] != '.', "%s and %s", a.name,
                          b.name);
        }
}
END_TEST

START_TEST(page_lists_every_figure)
{
    char line[512];
    size_t rows = 0;
    size_t figures = 0;
    struct figure f;
    FILE *page = fopen("docs/report.md", "r");
    ck_assert_ptr_nonnull(page);
    while (fgets(line, sizeof(line), page)) {
        char wanted[512];
        if (strncmp(line, "| `", 3) != 0)
            continue;
        ck_assert_msg(figure_at(rows, &f), "a row too many: %s", line);
        snprintf(wanted, sizeof(wanted), "| `%s` | %s | %s |\n", f.name, figure_unit[f.kind],
                 f.doc);
        ck_assert_str_eq(line, wanted);
        rows++;
    }
    fclose(page);
    while (figure_at(figures, &f))
        figures++;
    ck_assert_uint_eq(rows, figures);
}
END_TEST

/* ---- expectations ---- */

struct failures {
    unsigned count;
    struct stats_failure last;
};

static void note(void *ctx, const struct stats_failure *failure)
{
    struct failures *f = ctx;
    f->count++;
    f->last = *failure;
}

static unsigned unmet(const struct stats *s, const char *json)
{
    struct failures f = {0};
    struct error e = {0};
    ck_assert_msg(!stats_expect(s, json, "t.json", note, &f, &e), "%s: %s", json, e.reason);
    return f.count;
}

START_TEST(expectations)
{
    struct stats s = {.mmu.walks = 4, .mmu.walk_reads = 10};
    s.mmu.tlb[0] = (struct tlb_counters){.lookups = 1000, .misses = 169, .hits = 831};
    ck_assert_uint_eq(unmet(&s, "{}"), 0);
    ck_assert_uint_eq(unmet(&s, "{\"walks\":4,\"walk_reads\":10}"), 0);
    ck_assert_uint_eq(unmet(&s, "{\"walks\":5,\"walk_reads\":11}"), 2);
    ck_assert_uint_eq(unmet(&s, "{\"tlb.l1d.misses\":169}"), 0);
    ck_assert_uint_eq(unmet(&s, "{\"tlb\":{\"l1d\":{\"misses\":170}}}"), 1);
    ck_assert_uint_eq(unmet(&s, "{\"walks\":\"<= 4\",\"walk_reads\":\"> 9\"}"), 0);
    ck_assert_uint_eq(unmet(&s, "{\"walks\":\"< 4\"}"), 1);
    ck_assert_uint_eq(unmet(&s, "{\"walks\":\">= 5\"}"), 1);
    ck_assert_uint_eq(unmet(&s, "{\"tlb.l1d.miss_rate\":\"0.17\"}"), 0);
    ck_assert_uint_eq(unmet(&s, "{\"tlb.l1d.miss_rate\":\"0.170\"}"), 1);
    ck_assert_uint_eq(unmet(&s, "{\"tlb.l1d.miss_rate\":0.169}"), 0);
    ck_assert_uint_eq(unmet(&s, "{\"tlb.l1d.miss_rate\":0.2}"), 1);
    ck_assert_uint_eq(unmet(&s, "{\"tlb.l1d.miss_rate\":\"< 0.2\"}"), 0);
}
END_TEST

START_TEST(expectations_that_make_no_sense)
{
    static const struct {
        const char *json, *reason;
    } bad[] = {
        {"[1]", "JSON object"},
        {"{\"walk\":1}", "did you mean \"walks\""},
        {"{\"walks\":\"many\"}", "is not a number"},
        {"{\"walks\":\"nan\"}", "is not a number"},
        {"{\"walks\":null}", "must be a number"},
        {"{\"walks\":\"<= \"}", "is not a number"},
    };
    struct stats s = {.cycles = 1};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct failures f = {0};
        struct error e = {0};
        ck_assert_int_ne(stats_expect(&s, bad[i].json, "t.json", note, &f, &e), ERR_NONE);
        ck_assert_uint_eq(f.count, 0);
        ck_assert_str_eq(e.file, "t.json");
        ck_assert_str_eq(e.field, "expect");
        ck_assert_msg(strstr(e.reason, bad[i].reason), "%s: %s", bad[i].json, e.reason);
    }
}
END_TEST

TEST_MAIN("stats", counts_what_happened, sums_agree, each_cycle_is_counted_once,
          fragmentation_is_as_defined, table_is_sound, names_nest, page_lists_every_figure,
          expectations, expectations_that_make_no_sense)
