/* test_sim.c: whole machines: memory keeps what was written, time travel is exact, nothing that is
 * only for the host's speed or for observers changes the machine. */
#include "sim/base/arena.h"
#include "tests/test.h"
#include "tests/workload.h"

#include <string.h>

static struct sim *open_sim(const struct workload *w, const struct config *c, bool history)
{
    struct sim_options options = {.config = c, .trace = &w->trace, .history = history};
    struct sim *s;
    struct error e = {0};
    if (sim_open(&s, &options, &e))
        ck_abort_msg("%s: %s", e.field, e.reason);
    return s;
}

static void default_config(struct config *c, const char *alloc)
{
    struct error e;
    config_default(c);
    c->ram_bytes = 64 * MIB;
    c->seed = 7;
    ck_assert_int_eq(config_set(c, "alloc", alloc, &e), ERR_NONE);
}

static void seek(struct sim *s, uint64_t op, uint64_t step)
{
    struct error e = {0};
    if (sim_seek(s, (struct moment){op, step}, &e))
        ck_abort_msg("%s", e.reason);
}

static void step(struct sim *s)
{
    struct error e = {0};
    if (sim_step(s, &e) != 1)
        ck_abort_msg("%s", e.reason);
}

static void assert_consistent(const struct sim *s)
{
    char why[200] = "";
    if (!inspect_check(s, why, sizeof(why)))
        ck_abort_msg("op %d: %s", (int)sim_now(s).op, why);
}

/* ---- every byte that the program wrote is read back, under every allocator ---- */

START_TEST(bytes_are_kept)
{
    for (size_t a = 0; alloc_table[a]; a++) {
        struct workload w;
        struct config c;
        workload_make(&w, 11 + a, 1500);
        default_config(&c, alloc_table[a]->name);
        struct sim *s = open_sim(&w, &c, false);
        for (size_t n = 1; n <= w.trace.count; n++) {
            step(s);
            workload_follow(&w, n);
            assert_consistent(s);
            if (n % 16 == 0)
                workload_verify(&w, s);
        }
        workload_verify(&w, s);
        ck_assert_uint_eq(inspect_replay(s)->errors[MISUSE_SEGV], 0);
        sim_close(s);
        workload_free(&w);
    }
}
END_TEST

/* ---- time travel ---- */

#define TRAVEL_OPS 600

START_TEST(seeks_land_on_the_same_state)
{
    struct workload w;
    struct config c;
    static uint64_t hash[TRAVEL_OPS + 2];
    workload_make(&w, 3, TRAVEL_OPS);
    default_config(&c, "first-fit");
    struct sim *s = open_sim(&w, &c, true);
    for (uint64_t n = 1; n <= TRAVEL_OPS; n++) {
        hash[n] = sim_hash(s);
        step(s);
    }
    hash[TRAVEL_OPS + 1] = sim_hash(s);
    struct rng r = {99};
    for (int i = 0; i < 60; i++) {
        uint64_t op = 1 + rng_below(&r, TRAVEL_OPS + 1);
        seek(s, op, 0);
        ck_assert_uint_eq(sim_hash(s), hash[op]);
        ck_assert_uint_eq(sim_now(s).op, op);
    }
    sim_close(s);
    workload_free(&w);
}
END_TEST

/* A micro-step is the same whether it is reached from before, from behind or by a jump. */
START_TEST(micro_steps_are_reached_from_anywhere)
{
    struct workload w;
    struct config c;
    workload_make(&w, 5, 200);
    default_config(&c, "best-fit");
    struct sim *s = open_sim(&w, &c, true);
    struct sim *fresh = open_sim(&w, &c, false);
    struct rng r = {1};
    seek(s, 201, 0);
    for (uint64_t op = 1; op <= 200; op += 1 + rng_below(&r, 20)) {
        uint64_t steps = sim_steps(s, op);
        ck_assert_uint_ge(steps, 2);
        uint64_t at = 1 + rng_below(&r, (uint32_t)steps);
        seek(fresh, op, at);
        uint64_t wanted = sim_hash(fresh);
        seek(s, op, at);
        ck_assert_uint_eq(sim_hash(s), wanted);
        seek(s, op, steps);
        seek(s, op, at);
        ck_assert_uint_eq(sim_hash(s), wanted);
        seek(s, 1 + rng_below(&r, 200), 0);
        seek(s, op, at);
        ck_assert_uint_eq(sim_hash(s), wanted);
    }
    sim_close(s);
    sim_close(fresh);
    workload_free(&w);
}
END_TEST

START_TEST(stepping_on_from_a_micro_step_completes_the_op)
{
    struct workload w;
    struct config c;
    workload_make(&w, 8, 100);
    default_config(&c, "first-fit");
    struct sim *s = open_sim(&w, &c, true);
    struct sim *straight = open_sim(&w, &c, false);
    for (uint64_t op = 1; op <= 100; op++) {
        if (op % 3 == 0)
            seek(s, op, 1 + op % 7);
        step(s);
        step(straight);
        ck_assert_uint_eq(sim_hash(s), sim_hash(straight));
    }
    struct error e;
    ck_assert_int_eq(sim_step(s, &e), 0);
    sim_close(s);
    sim_close(straight);
    workload_free(&w);
}
END_TEST

START_TEST(a_long_history_thins_itself_out)
{
    struct workload w;
    struct config c;
    workload_make(&w, 21, 60000);
    default_config(&c, "first-fit");
    c.ram_bytes = 256 * MIB;
    struct sim *s = open_sim(&w, &c, true);
    seek(s, w.trace.count + 1, 0);
    /* The limit is looked at when a snapshot is taken; what is written then adds to it. */
    uint64_t machine = sim_machine_bytes(s);
    ck_assert_uint_le(sim_history_bytes(s), max_u64(SIM_HISTORY_BYTES, 2 * machine) + machine / 4);
    uint64_t end = sim_hash(s);
    struct rng r = {2};
    for (int i = 0; i < 5; i++)
        seek(s, 1 + rng_below(&r, 60000), 0);
    seek(s, w.trace.count + 1, 0);
    ck_assert_uint_eq(sim_hash(s), end);
    sim_close(s);
    workload_free(&w);
}
END_TEST

START_TEST(impossible_moments_are_refused)
{
    struct workload w;
    struct config c;
    struct error e = {0};
    workload_make(&w, 1, 10);
    default_config(&c, "first-fit");
    struct sim *s = open_sim(&w, &c, false);
    ck_assert_int_eq(sim_seek(s, (struct moment){0, 0}, &e), ERR_VALUE);
    ck_assert_int_eq(sim_seek(s, (struct moment){12, 0}, &e), ERR_VALUE);
    seek(s, 11, 0);
    ck_assert_int_eq(sim_seek(s, (struct moment){3, 0}, &e), ERR_USAGE);
    ck_assert_uint_eq(sim_now(s).op, 11);
    sim_close(s);
    workload_free(&w);
}
END_TEST

/* ---- observers and sinks ---- */

struct tally {
    uint64_t events, mixed;
};

static void tally_hear(void *state, const struct event *e)
{
    struct tally *t = state;
    t->events++;
    t->mixed = t->mixed * 31 + e->kind + e->seq + event_value(e, 0);
}

static void sink_hear(void *ctx, const struct event *e)
{
    tally_hear(ctx, e);
}

START_TEST(observers_go_back_and_sinks_hear_once)
{
    struct workload w;
    struct config c;
    struct error e = {0};
    struct tally once = {0};
    struct tally again = {0};
    workload_make(&w, 4, 120);
    default_config(&c, "worst-fit");
    struct sim_options o = {.config = &c, .trace = &w.trace, .history = true};
    o.observers = 1;
    o.observer[0] = (struct sim_observer){.state_size = sizeof(struct tally), .hear = tally_hear};
    o.sinks = 1;
    o.sink[0] = (struct sim_sink){sink_hear, &once};
    struct sim *straight;
    ck_assert_int_eq(sim_open(&straight, &o, &e), ERR_NONE);
    ck_assert_int_eq(sim_run(straight, NULL, NULL, &e), 0);
    o.sink[0].ctx = &again;
    struct sim *s;
    ck_assert_int_eq(sim_open(&s, &o, &e), ERR_NONE);
    struct rng r = {17};
    for (int i = 0; i < 40; i++) {
        seek(s, 1 + rng_below(&r, 121), rng_below(&r, 12));
        if (i % 5 == 0)
            sim_steps(s, 1 + rng_below(&r, 120));
    }
    seek(s, 50, 4);
    const struct tally *here = sim_observer_state(s, 0);
    uint64_t then = here->mixed;
    seek(s, 121, 0);
    ck_assert_mem_eq(sim_observer_state(s, 0), sim_observer_state(straight, 0), sizeof(once));
    ck_assert_mem_eq(&once, &again, sizeof(once));
    ck_assert_uint_eq(once.events, ((struct tally *)sim_observer_state(s, 0))->events);
    seek(s, 50, 4);
    ck_assert_uint_eq(here->mixed, then);
    sim_close(s);
    sim_close(straight);
    workload_free(&w);
}
END_TEST

/* ---- what must not matter ---- */

START_TEST(front_cache_and_listeners_change_nothing)
{
    for (uint32_t policy = 0; policy < REPL_POLICIES; policy++) {
        struct workload w;
        struct config c;
        struct error e = {0};
        struct tally t = {0};
        workload_make(&w, 40 + policy, 300);
        default_config(&c, "next-fit");
        c.ram_bytes = 16 * MIB;
        c.mmu.tlb[TLB_L1D].repl = c.mmu.tlb[TLB_L2].repl = policy;
        c.mmu.tlb[TLB_L2] = (struct tlb_config){.sets = 4, .ways = 4, .repl = policy};
        c.mmu.tlb[TLB_L1D].sets = 2;
        struct sim *front = open_sim(&w, &c, false);
        c.mmu.front_cache = false;
        struct sim *plain = open_sim(&w, &c, false);
        struct sim_options o = {.config = &c, .trace = &w.trace, .sinks = 1};
        o.sink[0] = (struct sim_sink){sink_hear, &t};
        struct sim *heard;
        ck_assert_int_eq(sim_open(&heard, &o, &e), ERR_NONE);
        for (size_t n = 1; n <= w.trace.count; n++) {
            step(front);
            step(plain);
            step(heard);
            if (n % 30)
                continue;
            uint64_t wanted = sim_hash(plain);
            ck_assert_uint_eq(sim_hash(front), wanted);
            ck_assert_uint_eq(sim_hash(heard), wanted);
        }
        ck_assert_uint_gt(t.events, 1000);
        sim_close(front);
        sim_close(plain);
        sim_close(heard);
        workload_free(&w);
    }
}
END_TEST

START_TEST(two_machines_do_not_meet)
{
    struct workload a;
    struct workload b;
    struct config c;
    workload_make(&a, 61, 300);
    workload_make(&b, 62, 300);
    default_config(&c, "first-fit");
    struct sim *alone = open_sim(&a, &c, false);
    seek(alone, 301, 0);
    struct sim *one = open_sim(&a, &c, false);
    default_config(&c, "best-fit");
    c.seed = 1234;
    struct sim *two = open_sim(&b, &c, true);
    for (int i = 0; i < 300; i++) {
        step(one);
        step(two);
        if (i == 150)
            seek(two, 10, 3);
    }
    ck_assert_uint_eq(sim_hash(one), sim_hash(alone));
    sim_close(alone);
    sim_close(one);
    sim_close(two);
    workload_free(&a);
    workload_free(&b);
}
END_TEST

/* ---- promises and mistakes of a trace ---- */

START_TEST(promises_are_judged_once)
{
    static const char text[] =
        "{\"memwalk\":1,\"name\":\"t\"}\n"
        "{\"op\":\"malloc\",\"id\":1,\"size\":100,\"ret\":0}\n"
        "{\"op\":\"write\",\"id\":1,\"off\":0,\"len\":8,\"ret\":8,\"faults\":9}\n"
        "{\"op\":\"free\",\"id\":1,\"ret\":0}\n";
    struct trace *t;
    struct error e = {0};
    struct config c;
    ck_assert_int_eq(trace_load_memory(&t, text, sizeof(text) - 1, "t", &e), ERR_NONE);
    default_config(&c, "first-fit");
    struct sim_options o = {.config = &c, .trace = t, .history = true};
    struct sim *s;
    ck_assert_int_eq(sim_open(&s, &o, &e), ERR_NONE);
    ck_assert_int_eq(sim_run(s, NULL, NULL, &e), 0);
    seek(s, 1, 0);
    ck_assert_int_eq(sim_run(s, NULL, NULL, &e), 0);
    ck_assert_uint_eq(sim_failures(s), 2);
    ck_assert_str_eq(sim_failure(s, 0)->what, "ret");
    ck_assert_uint_eq(sim_failure(s, 0)->op, 1);
    ck_assert_str_eq(sim_failure(s, 1)->what, "faults");
    ck_assert_uint_eq(sim_failure(s, 1)->line, 3);
    sim_close(s);
    trace_free(t);
}
END_TEST

struct mistakes {
    uint32_t what[8];
    uint64_t other[8];
    size_t count;
};

static void hear_mistakes(void *ctx, const struct event *e)
{
    struct mistakes *m = ctx;
    if (e->kind != EV_op_error || m->count == ARRAY_LEN(m->what))
        return;
    m->what[m->count] = e->op_error.what;
    m->other[m->count++] = e->op_error.other_op;
}

START_TEST(mistakes_name_both_ops)
{
    static const char text[] = "{\"op\":\"malloc\",\"id\":1,\"size\":100}\n"
                               "{\"op\":\"malloc\",\"id\":2,\"size\":100}\n"
                               "{\"op\":\"free\",\"id\":2,\"off\":16}\n"
                               "{\"op\":\"free\",\"id\":1}\n"
                               "{\"op\":\"free\",\"id\":1}\n"
                               "{\"op\":\"write\",\"id\":1,\"off\":0,\"len\":4}\n"
                               "{\"op\":\"write\",\"id\":2,\"off\":98,\"len\":4}\n"
                               "{\"op\":\"free\",\"id\":77}\n"
                               "{\"op\":\"malloc\",\"id\":2,\"size\":5}\n";
    static const struct {
        enum misuse what;
        uint64_t other;
    } wanted[] = {
        {MISUSE_FOREIGN, 2}, {MISUSE_DOUBLE_FREE, 4}, {MISUSE_DEAD, 4}, {MISUSE_OUTSIDE, 2},
        {MISUSE_DEAD, 0},    {MISUSE_CORRUPT, 0}, /* op 6 wrote over the free list's links */
        {MISUSE_REUSED, 2}};
    struct trace *t;
    struct error e = {0};
    struct config c;
    struct mistakes got = {0};
    ck_assert_int_eq(trace_load_memory(&t, text, sizeof(text) - 1, "t", &e), ERR_NONE);
    default_config(&c, "first-fit");
    struct sim_options o = {.config = &c, .trace = t, .sinks = 1};
    o.sink[0] = (struct sim_sink){hear_mistakes, &got};
    struct sim *s;
    ck_assert_int_eq(sim_open(&s, &o, &e), ERR_NONE);
    ck_assert_int_eq(sim_run(s, NULL, NULL, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        ck_assert_uint_eq(got.what[i], wanted[i].what);
        ck_assert_uint_eq(got.other[i], wanted[i].other);
    }
    ck_assert_uint_eq(got.count, ARRAY_LEN(wanted));
    sim_close(s);
    trace_free(t);
}
END_TEST

/* ---- an access that is only tried ---- */

struct heard {
    uint64_t all, reads, data, faults;
};

static void count_event(void *ctx, const struct event *e)
{
    struct heard *h = ctx;
    h->all++;
    h->reads += e->kind == EV_walk_read || e->kind == EV_ept_read;
    h->data += e->kind == EV_data;
    h->faults += e->kind == EV_fault;
}

/* Writes, cold and not, to pages of all kinds: the machine and its observers stay as they are, and
 * go on as if nothing had been. */
START_TEST(what_is_only_tried_leaves_no_trace)
{
    struct workload w;
    struct config c;
    struct error e = {0};
    workload_make(&w, 5, 300);
    default_config(&c, "first-fit");
    struct heard sink = {0}, got;
    struct sim_options options = {.config = &c, .trace = &w.trace, .history = true, .sinks = 1};
    options.sink[0] = (struct sim_sink){count_event, &sink};
    struct sim *s, *plain = open_sim(&w, &c, true);
    ck_assert_int_eq(sim_open(&s, &options, &e), ERR_NONE);
    for (size_t n = 1; n <= w.trace.count; n++) {
        step(s);
        step(plain);
        uint64_t hash = sim_hash(s), told = sink.all;
        struct process_info p;
        struct mmu_regs regs;
        inspect_regs(s, 0, &regs);
        ck_assert(inspect_process(s, inspect_current(s, 0), &p));
        for (unsigned i = 0; i < 4; i++) {
            struct sim_tried tried;
            struct sim_access access = {p.heap_start + (i & 1 ? 0x40000000 : 0), 1, ACCESS_WRITE,
                                        i & 2};
            got = (struct heard){0};
            struct listener listener = {count_event, &got};
            ck_assert_int_eq(sim_try(s, 0, &regs, &access, &listener, &tried, &e), ERR_NONE);
            ck_assert_int_eq(tried.done, got.data == 1);
            ck_assert_int_eq(!tried.done, got.faults == 1);
            ck_assert(!(i & 1) || !tried.done);
            ck_assert(!(i & 2) || i & 1 || got.reads == 4);
            ck_assert(tried.cycles > 0);
        }
        ck_assert_uint_eq(sim_hash(s), hash);
        ck_assert_uint_eq(sink.all, told);
    }
    ck_assert_uint_eq(sim_hash(s), sim_hash(plain));
    sim_close(s);
    sim_close(plain);
    workload_free(&w);
}
END_TEST

TEST_MAIN("sim", bytes_are_kept, seeks_land_on_the_same_state,
          micro_steps_are_reached_from_anywhere, stepping_on_from_a_micro_step_completes_the_op,
          a_long_history_thins_itself_out, impossible_moments_are_refused,
          observers_go_back_and_sinks_hear_once, front_cache_and_listeners_change_nothing,
          two_machines_do_not_meet, promises_are_judged_once, mistakes_name_both_ops,
          what_is_only_tried_leaves_no_trace)
