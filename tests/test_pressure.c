/* test_pressure.c: whole programs in too little memory: their bytes survive under every policy, the
 * machine agrees with itself, and going back in time finds the same pages in the same places.
 */
#include "sim/inspect.h"
#include "tests/test.h"
#include "tests/workload.h"

#define OPS 500u

static void config_of(struct config *c, size_t policy, uint64_t frames)
{
    struct error e = {0};
    config_default(c);
    c->ram_bytes = 16 * MIB;
    c->kernel.swap_bytes = 64 * MIB;
    c->kernel.reclaim_policy = (uint32_t)policy;
    c->kernel.frames_limit = frames;
    ck_assert_msg(!config_check(c, &e), "%s", e.reason);
}

static struct sim *open_sim(const struct workload *w, const struct config *c, bool history)
{
    struct sim_options options = {.config = c, .trace = &w->trace, .history = history};
    struct error e = {0};
    struct sim *s;
    ck_assert_msg(!sim_open(&s, &options, &e), "%s", e.reason);
    return s;
}

static void step(struct sim *s)
{
    struct error e = {0};
    ck_assert_msg(sim_step(s, &e) == 1, "%s", e.reason);
}

START_TEST(bytes_survive)
{
    struct workload w;
    struct config c;
    char why[200] = "";
    workload_make(&w, 21 + (uint64_t)_i, OPS);
    config_of(&c, (size_t)_i, 12);
    struct sim *s = open_sim(&w, &c, false);
    for (size_t n = 1; n <= OPS; n++) {
        step(s);
        workload_follow(&w, n);
        if (n % 25 == 0) {
            ck_assert_msg(inspect_check(s, why, sizeof(why)), "op %zu: %s", n, why);
            workload_verify(&w, s);
        }
    }
    ck_assert_uint_gt(inspect_kernel(s)->pages_evicted, 100);
    ck_assert_uint_eq(inspect_replay(s)->errors[MISUSE_KILLED], 0);
    sim_close(s);
    workload_free(&w);
}
END_TEST

START_TEST(seeks_land_on_the_same_state)
{
    struct workload w;
    struct config c;
    static uint64_t hash[OPS + 2];
    workload_make(&w, 3, OPS);
    config_of(&c, (size_t)_i, 12);
    struct sim *s = open_sim(&w, &c, true);
    for (uint64_t n = 1; n <= OPS; n++) {
        hash[n] = sim_hash(s);
        step(s);
    }
    struct rng r = {7};
    for (unsigned i = 0; i < 12; i++) {
        struct error e = {0};
        uint64_t op = 1 + rng_below(&r, OPS);
        ck_assert(!sim_seek(s, (struct moment){op, 0}, &e));
        ck_assert_uint_eq(sim_hash(s), hash[op]);
    }
    sim_close(s);
    workload_free(&w);
}
END_TEST

static void hear(void *ctx, const struct event *e)
{
    (void)e;
    ++*(uint64_t *)ctx;
}

/* Whether somebody listens makes no difference to what is evicted when. */
START_TEST(listening_changes_nothing)
{
    struct workload w;
    struct config c;
    uint64_t heard = 0, hash[2];
    workload_make(&w, 5, OPS);
    config_of(&c, (size_t)_i, 12);
    c.mmu.classify = false; /* the short way of the allocator's words is at its shortest */
    for (unsigned listen = 0; listen < 2; listen++) {
        struct sim_options options = {
            .config = &c, .trace = &w.trace, .sinks = listen, .sink = {{hear, &heard}}};
        struct error e = {0};
        struct sim *s;
        ck_assert_msg(!sim_open(&s, &options, &e), "%s", e.reason);
        while (sim_step(s, &e) == 1)
            ;
        hash[listen] = sim_hash(s);
        sim_close(s);
    }
    ck_assert_uint_gt(heard, 1000);
    ck_assert_uint_eq(hash[0], hash[1]);
    workload_free(&w);
}
END_TEST

/* OPT has the fewest faults of all, on a program that was not made for it. */
START_TEST(opt_is_best)
{
    struct workload w;
    struct config c;
    uint64_t refaults[16];
    size_t opt = SIZE_MAX;
    workload_make(&w, 9, OPS);
    size_t i;
    for (i = 0; kernel_reclaim_name(i); i++) {
        struct error e = {0};
        config_of(&c, i, 24);
        struct sim *s = open_sim(&w, &c, false);
        while (sim_step(s, &e) == 1)
            ;
        ck_assert_msg(!e.code, "%s", e.reason);
        refaults[i] = inspect_kernel(s)->refaults;
        opt = kernel_needs_future(&c.kernel) ? i : opt;
        sim_close(s);
    }
    ck_assert_uint_lt(opt, i);
    ck_assert_uint_gt(refaults[opt], 0);
    while (i-- > 0)
        ck_assert_uint_le(refaults[opt], refaults[i]);
    workload_free(&w);
}
END_TEST

START_TEST(opt_needs_the_trace)
{
    struct config c;
    struct error e = {0};
    struct trace_reader *reader;
    struct sim *s;
    static const char trace[] = "{\"memwalk\":1,\"config\":{\"swap\":\"1M\"}}\n{\"op\":\"malloc\","
                                "\"id\":1,\"size\":24}\n";
    config_of(&c, 0, 0);
    ck_assert(!config_set(&c, "reclaim.policy", "opt", &e));
    ck_assert(!trace_open_memory(&reader, trace, sizeof(trace) - 1, "t", &e));
    struct sim_options options = {.config = &c, .reader = reader};
    ck_assert_int_eq(sim_open(&s, &options, &e), ERR_USAGE);
    ck_assert_ptr_null(s);
    ck_assert_str_eq(e.field, "reclaim.policy");
    trace_close(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pressure");
    TCase *all = tcase_create("pressure");
    int policies = 0;
    while (kernel_reclaim_name((uint64_t)policies))
        policies++;
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, bytes_survive, 0, policies);
    tcase_add_loop_test(all, seeks_land_on_the_same_state, 0, policies);
    tcase_add_loop_test(all, listening_changes_nothing, 0, policies);
    tcase_add_test(all, opt_is_best);
    tcase_add_test(all, opt_needs_the_trace);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
