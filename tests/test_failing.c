/* test_failing.c: the shipped lessons with one request for memory failing, a frame of the kernel's
 * or a piece of the simulator's own books: whichever it is, the run goes on or ends with an error,
 * everything is still consistent, and every frame comes back when the processes end.
 */
#include "kernel/process.h"
#include "sim/base/arena.h"
#include "sim/inspect.h"
#include "sim/state.h"
#include "tests/test.h"

#include <glob.h>
#include <string.h>

#define OPS_MAX 400u /* longer lessons repeat themselves */

struct run {
    struct trace *trace;
    struct config config;
};

static bool run_open(struct run *r, const char *path)
{
    struct error e = {0};
    ck_assert_int_eq(trace_load(&r->trace, path, &e), ERR_NONE);
    config_default(&r->config);
    ck_assert_int_eq(config_option(&r->config, "ram=32M", &e), ERR_NONE);
    if (r->trace->header.config)
        ck_assert_int_eq(config_json(&r->config, r->trace->header.config, path, &e), ERR_NONE);
    static const struct kernel_bugs none;
    bool fit = r->trace->count <= OPS_MAX && r->config.ram_bytes <= 256 * MIB &&
               memcmp(&r->config.kernel.bug, &none, sizeof(none)) == 0; /* wrong on purpose */
    if (!fit)
        trace_free(r->trace);
    return fit;
}

/* Nobody owns a frame of a process any more, once all have ended. */
static void end_all(struct sim *s, const char *what)
{
    struct kernel *k = s->m->kernel;
    struct memory_info m;
    char why[300];
    for (size_t i = k->process_count; i-- > 0;) /* children first, who are kept for their parents */
        if (i < k->process_count)
            kernel_exit(k, &k->cpus[0], k->process[i]->pid);
    ck_assert_msg(kernel_check(k, why, sizeof(why)), "%s: at the end: %s", what, why);
    kernel_memory(k, &m);
    ck_assert_msg(m.anon + m.shared == 0, "%s: %d frames are lost", what, (int)(m.anon + m.shared));
}

/* One run in which request n fails. false: nothing failed, for there were fewer. */
static bool run_with(struct run *r, const char *path, bool frame, uint64_t n)
{
    struct error e = {0};
    struct sim_options options = {.config = &r->config, .trace = r->trace};
    struct sim *s;
    char what[300], why[300];
    snprintf(what, sizeof(what), "%s, %s %d fails", path, frame ? "frame" : "request", (int)n);
    ck_assert_int_eq(sim_open(&s, &options, &e), ERR_NONE);
    struct frames *frames = s->m->kernel->frames;
    if (frame)
        frames_fail_at(frames, n);
    else
        arena_fail_at(s->arena, n);
    sim_run(s, NULL, NULL, &e);
    bool met = !frame || frames->fail_at == 0;
    arena_fail_at(s->arena, 0);
    frames_fail_at(frames, 0);
    ck_assert_msg(kernel_check(s->m->kernel, why, sizeof(why)), "%s: %s", what, why);
    end_all(s, what);
    sim_close(s);
    return met;
}

static void each_lesson(bool frame)
{
    glob_t found;
    unsigned runs = 0;
    ck_assert_int_eq(glob("traces/lesson-*.json", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct run r;
        if (!run_open(&r, found.gl_pathv[i]))
            continue;
        /* The first ones one by one, then ever farther apart. */
        for (uint64_t n = 1; n < 400 && run_with(&r, found.gl_pathv[i], frame, n); n += 1 + n / 8)
            runs++;
        trace_free(r.trace);
    }
    globfree(&found);
    ck_assert_uint_gt(runs, 500);
}

START_TEST(any_frame_fails)
{
    each_lesson(true);
}
END_TEST

START_TEST(any_piece_of_the_books_fails)
{
    each_lesson(false);
}
END_TEST

TEST_MAIN("failing", any_frame_fails, any_piece_of_the_books_fails)
