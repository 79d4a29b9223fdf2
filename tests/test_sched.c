/* test_sched.c: several threads and processes on several CPUs: where each runs, what a switch does,
 * and that the machine agrees with itself and with its picture all the while.
 */
#include "kernel/uapi.h"
#include "sim/base/rng.h"
#include "sim/inspect.h"
#include "tests/test.h"
#include "viz/model.h"
#include "viz/model_check.h"

#include <stdarg.h>
#include <string.h>

struct stage {
    struct trace *trace;
    struct config config;
    struct sim *sim;
};

static bool bad_kernel;

/* ops: in the call notation, each in quotes. With the picture's model as an observer. */
static void stage_open(struct stage *g, const char *ops, unsigned cpus)
{
    struct error e = {0};
    char text[600], *document = malloc(strlen(ops) + 100);
    sprintf(document, "{\"memwalk\":1,\"ops\":[%s]}", ops);
    config_default(&g->config);
    g->config.ram_bytes = 16 * MIB;
    g->config.cpus = cpus;
    if (bad_kernel)
        g->config.kernel.bug = (struct kernel_bugs){true, true, true, true, true};
    if (trace_load_memory(&g->trace, document, strlen(document), "t", &e))
        ck_abort_msg("%s", error_text(&e, text, sizeof(text)));
    free(document);
    struct sim_options options = {.config = &g->config,
                                  .trace = g->trace,
                                  .checked = true,
                                  .observers = 1,
                                  .observer = {model_observer()}};
    ck_assert_int_eq(sim_open(&g->sim, &options, &e), ERR_NONE);
}

static void stage_close(struct stage *g)
{
    sim_close(g->sim);
    trace_free(g->trace);
}

static void check_picture(const struct stage *g)
{
    char why[300] = "";
    ck_assert_msg(model_check(sim_observer_state(g->sim, 0), g->sim, why, sizeof(why)), "op %d: %s",
                  (int)sim_now(g->sim).op, why);
}

static void stage_run(struct stage *g)
{
    struct error e = {0};
    int more;
    while ((more = sim_step(g->sim, &e)) == 1)
        check_picture(g);
    ck_assert_msg(more == 0, "%s", e.reason);
    for (size_t i = 0; i < sim_failures(g->sim); i++) {
        const struct sim_failure *f = sim_failure(g->sim, i);
        ck_abort_msg("op %d: %s is %lld, not %lld", (int)f->op, f->what, (long long)f->got,
                     (long long)f->wanted);
    }
}

static struct cpu_info cpu(const struct stage *g, unsigned i)
{
    struct cpu_info info;
    ck_assert(inspect_cpu(g->sim, i, &info));
    return info;
}

START_TEST(threads_spread_over_cpus)
{
    struct stage g;
    stage_open(
        &g,
        "\"[tid 1] p1 = malloc(100)\", \"[tid 2] p2 = malloc(100)\", \"[tid 3] write p1[0..8]\","
        "\"[pid 2 tid 1] p9 = malloc(8)\", \"[tid 1] read p1[0..8]\"",
        3);
    stage_run(&g);
    ck_assert_uint_eq(cpu(&g, 0).tasks, 2); /* thread 1 of the first process, the second process */
    ck_assert_uint_eq(cpu(&g, 1).tasks, 1);
    ck_assert_uint_eq(cpu(&g, 1).tid, 2);
    ck_assert_uint_eq(cpu(&g, 2).tid, 3);
    ck_assert_uint_eq(cpu(&g, 0).tid, 1);
    ck_assert_uint_eq(cpu(&g, 0).pid, cpu(&g, 1).pid);
    stage_close(&g);
}
END_TEST

/* Threads of one process change no address space; processes do. */
START_TEST(switches_are_counted)
{
    struct stage g;
    stage_open(
        &g,
        "\"[tid 1] p1 = malloc(100)\", \"[tid 2] write p1[0..8]\", \"[tid 1] write p1[8..16]\","
        "\"[pid 2] p2 = malloc(100)\", \"[tid 1] read p1[0..8]\"",
        1);
    stage_run(&g);
    const struct kernel_counters *k = inspect_kernel(g.sim);
    ck_assert_uint_eq(k->switches, 4);
    ck_assert_uint_eq(k->mm_switches, 3); /* the first one at the start */
    ck_assert_uint_eq(k->cycles_switch, 4 * g.config.kernel.switch_cycles);
    stage_close(&g);
}
END_TEST

START_TEST(sleep_idles_and_affinity_moves)
{
    struct stage g;
    stage_open(
        &g,
        "\"[tid 1] p1 = malloc(100)\", \"[tid 1] write p1[0..8]\", \"[tid 2] read p1[0..8]\","
        "\"[tid 2] sleep()\"",
        2);
    stage_run(&g);
    ck_assert_uint_eq(cpu(&g, 1).pid, 0);
    ck_assert(cpu(&g, 1).lazy);
    ck_assert_uint_eq(cpu(&g, 1).loaded, cpu(&g, 0).pid);
    stage_close(&g);
    stage_open(&g,
               "\"p1 = malloc(100)\", \"sched_setaffinity(1) -> 0\", \"write p1[0..8]\","
               "\"sched_setaffinity(2) -> -22\"",
               2);
    stage_run(&g);
    ck_assert_uint_eq(cpu(&g, 0).tasks, 0);
    ck_assert_uint_eq(cpu(&g, 1).tasks, 1);
    ck_assert(cpu(&g, 0).lazy);
    ck_assert_uint_gt(inspect_mmu(g.sim, 1)->stores, 0);
    stage_close(&g);
}
END_TEST

/* What ends makes room. */
START_TEST(places_are_given_back)
{
    struct stage g;
    stage_open(&g,
               "\"[tid 1] p1 = malloc(8)\", \"[tid 2] p2 = malloc(8)\", \"[tid 2] thread_exit()\","
               "\"[pid 5] p3 = malloc(8)\", \"[pid 5] exit()\", \"[tid 3] p4 = malloc(8)\"",
               2);
    stage_run(&g);
    ck_assert_uint_eq(cpu(&g, 0).tasks, 1);
    ck_assert_uint_eq(cpu(&g, 1).tasks, 1);
    ck_assert_uint_eq(cpu(&g, 1).tid, 3);
    stage_close(&g);
}
END_TEST

/* ---- random programs ---- */

struct text {
    char at[200000];
    size_t used;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    t->used += (size_t)vsnprintf(t->at + t->used, sizeof(t->at) - t->used, format, args);
    va_end(args);
}

/* Up to three processes of up to four threads share 64 pages' worth of fixed addresses. */
static void random_op(struct text *t, struct rng *r)
{
    static const char *const prot[] = {"r", "rw", "none"};
    uint64_t page = 0x10000 + rng_below(r, 64), pages = 1 + rng_below(r, 40);
    unsigned long long start = page << PAGE_SHIFT, bytes = pages << PAGE_SHIFT;
    unsigned pid = 1 + rng_below(r, 3);
    add(t, "%s\"[pid %u tid %u] ", t->used ? "," : "", pid, 1 + rng_below(r, 4));
    switch (rng_below(r, 12)) {
    case 0:
    case 1:
        add(t, "mmap(0x%llx, %llu, rw, %s|anonymous|fixed)\"", start, bytes,
            rng_below(r, 3) ? "private" : "shared");
        break;
    case 2:
        add(t, "munmap(0x%llx, %llu)\"", start, bytes);
        break;
    case 3:
        add(t, "mprotect(0x%llx, %llu, %s)\"", start, bytes, prot[rng_below(r, 3)]);
        break;
    case 4:
        add(t, "madvise(0x%llx, %llu, dontneed)\"", start, bytes);
        break;
    case 5:
        add(t, "sleep()\"");
        break;
    case 6:
        add(t, "sched_setaffinity(%u)\"", rng_below(r, 5));
        break;
    case 7:
        add(t, rng_below(r, 3) ? "thread_exit()\"" : "exit()\"");
        break;
    case 8:
        add(t, "fork(%u)\"", 1 + rng_below(r, 3));
        break;
    default:
        add(t, "%s [0x%llx..0x%llx]\"", rng_below(r, 2) ? "write" : "read", start, start + bytes);
    }
}

START_TEST(random_programs_on_four_cpus)
{
    struct rng r = {(uint64_t)_i + 1};
    struct text *t = calloc(1, sizeof(*t));
    for (unsigned i = 0; i < 400; i++)
        random_op(t, &r);
    struct stage g;
    stage_open(&g, t->at, 4);
    free(t);
    stage_run(&g);
    const struct kernel_counters *k = inspect_kernel(g.sim);
    ck_assert_uint_gt(k->ipis, 0);
    ck_assert_uint_gt(k->ipis_spared, 0);
    struct wrong_event wrong;
    inspect_wrong(g.sim, &wrong);
    ck_assert_msg(wrong.count == 0, "op %d: %s", (int)wrong.at.op, wrong.why);
    stage_close(&g);
}
END_TEST

/* A kernel that makes every mistake at once goes on, and is found out. */
START_TEST(random_programs_on_a_bad_kernel)
{
    struct rng r = {(uint64_t)_i + 100};
    struct text *t = calloc(1, sizeof(*t));
    for (unsigned i = 0; i < 400; i++)
        random_op(t, &r);
    struct stage g;
    bad_kernel = true;
    stage_open(&g, t->at, 4);
    free(t);
    struct error e = {0};
    ck_assert_int_eq(sim_run(g.sim, NULL, NULL, &e), 0);
    struct wrong_event wrong;
    inspect_wrong(g.sim, &wrong);
    ck_assert_uint_gt(wrong.count, 0);
    stage_close(&g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched");
    TCase *all = tcase_create("sched");
    tcase_add_test(all, threads_spread_over_cpus);
    tcase_add_test(all, switches_are_counted);
    tcase_add_test(all, sleep_idles_and_affinity_moves);
    tcase_add_test(all, places_are_given_back);
    tcase_add_loop_test(all, random_programs_on_four_cpus, 0, 12);
    tcase_add_loop_test(all, random_programs_on_a_bad_kernel, 0, 6);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
