/* test_audit.c: each mistake of the kernel is seen at its first wrong event; without one, whatever
 * a program does on several CPUs, no event is wrong.
 */
#include "kernel/uapi.h"
#include "sim/inspect.h"
#include "tests/test.h"

#include <string.h>

static struct wrong_event run(const char *settings, const char *ops)
{
    struct error e = {0};
    char text[600], document[4000];
    struct trace *trace;
    struct config config;
    struct sim *sim;
    snprintf(document, sizeof(document), "{\"memwalk\":1,\"config\":{%s},\"ops\":[%s]}", settings,
             ops);
    config_default(&config);
    if (trace_load_memory(&trace, document, strlen(document), "t", &e) ||
        config_json(&config, trace->header.config, "t", &e))
        ck_abort_msg("%s", error_text(&e, text, sizeof(text)));
    struct sim_options options = {.config = &config, .trace = trace, .checked = true};
    ck_assert_int_eq(sim_open(&sim, &options, &e), ERR_NONE);
    ck_assert_msg(sim_run(sim, NULL, NULL, &e) == 0, "%s", e.reason);
    struct wrong_event wrong;
    static char why[200];
    inspect_wrong(sim, &wrong);
    snprintf(why, sizeof(why), "%s", wrong.count ? wrong.why : "");
    wrong.why = why;
    sim_close(sim);
    trace_free(trace);
    return wrong;
}

static const struct {
    const char *bug, *ops, *event;
    uint64_t op;
    unsigned cpu;
} cases[] = {
    {"bug.no_invlpg",
     "\"mmap(0, 4K, rw, private|anonymous)\",\"write [m-4096..m-4088]\",\"munmap(m-4096, 4K)\"",
     "frame_free", 3, 0},
    {"bug.no_invlpg",
     "\"mmap(0, 4K, rw, private|anonymous)\",\"write [m-4096..m-4088]\",\"mprotect(m-4096, 4K, "
     "r)\"",
     "sys_exit", 3, 0},
    {"bug.no_shootdown",
     "\"[tid 1] mmap(0, 4K, rw, private|anonymous)\",\"[tid 2] write [m-4096..m-4088]\","
     "\"[tid 1] mprotect(m-4096, 4K, r)\",\"[tid 2] write [m-4096..m-4088]\"",
     "sys_exit", 3, 0},
    {"bug.cow_no_count",
     "\"mmap(0, 4K, rw, private|anonymous)\",\"write [m-4096..m-4088]\",\"fork(1)\","
     "\"write [m-4096..m-4088]\"",
     "entry_write", 4, 0},
    {"bug.publish_early", "\"mmap(0, 4K, rw, private|anonymous)\",\"write [m-4096..m-4088]\"",
     "entry_write", 2, 0},
};

START_TEST(each_mistake_is_named)
{
    char settings[100];
    snprintf(settings, sizeof(settings), "\"cpus\":2,\"%s\":\"on\"", cases[_i].bug);
    struct wrong_event w = run(settings, cases[_i].ops);
    ck_assert_msg(w.count > 0, "%s: nothing seen", cases[_i].bug);
    ck_assert_str_eq(w.event, cases[_i].event);
    ck_assert_uint_eq(w.at.op, cases[_i].op);
    ck_assert_uint_eq(w.cpu, cases[_i].cpu);
    w = run("\"cpus\":2", cases[_i].ops);
    ck_assert_msg(w.count == 0, "a right kernel is blamed: %s", w.why);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audit");
    TCase *all = tcase_create("audit");
    tcase_add_loop_test(all, each_mistake_is_named, 0, (int)ARRAY_LEN(cases));
    suite_add_tcase(suite, all);
    return test_run(suite);
}
