/* test_replay.c: each kind of op does what its name says: results, misuse, memory, processes; told
 * by short traces whose every result is known.
 */
#include "kernel/uapi.h"
#include "sim/inspect.h"
#include "tests/test.h"

#include <string.h>

struct stage {
    struct trace *trace;
    struct config config;
    struct sim *sim;
    uint16_t pid;
};

static void stage_open(struct stage *g, const char *lines, const char *setting)
{
    struct error e = {0};
    char text[600];
    config_default(&g->config);
    g->config.ram_bytes = 16 * MIB;
    if (setting && config_option(&g->config, setting, &e))
        ck_abort_msg("%s", error_text(&e, text, sizeof(text)));
    if (trace_load_memory(&g->trace, lines, strlen(lines), "t", &e))
        ck_abort_msg("%s", error_text(&e, text, sizeof(text)));
    struct sim_options options = {.config = &g->config, .trace = g->trace, .checked = true};
    ck_assert_int_eq(sim_open(&g->sim, &options, &e), ERR_NONE);
    g->pid = inspect_current(g->sim, 0);
}

/* Runs it all; every "ret" and "faults" of the trace must come true. */
static void stage_run(struct stage *g)
{
    struct error e = {0};
    ck_assert_msg(sim_run(g->sim, NULL, NULL, &e) == 0, "%s", e.reason);
    for (size_t i = 0; i < sim_failures(g->sim); i++) {
        const struct sim_failure *f = sim_failure(g->sim, i);
        ck_abort_msg("op %d: %s is %lld, not %lld", (int)f->op, f->what, (long long)f->got,
                     (long long)f->wanted);
    }
}

static void stage_close(struct stage *g)
{
    sim_close(g->sim);
    trace_free(g->trace);
}

static uint64_t errors(const struct stage *g, enum misuse what)
{
    return inspect_replay(g->sim)->errors[what];
}

static struct block_info block(const struct stage *g, uint64_t id)
{
    struct block_info info = {0};
    ck_assert(inspect_block(g->sim, g->pid, id, &info));
    return info;
}

static void assert_byte(const struct stage *g, va_t va, unsigned wanted)
{
    uint8_t byte = 0;
    ck_assert(inspect_read(g->sim, g->pid, va, &byte, 1));
    ck_assert_uint_eq(byte, wanted);
}

static const char whole_family[] =
    "{\"op\":\"malloc\",\"id\":1,\"size\":10}\n"
    "{\"op\":\"calloc\",\"id\":2,\"nmemb\":7,\"size\":9}\n"
    "{\"op\":\"memalign\",\"id\":3,\"alignment\":256,\"size\":30}\n"
    "{\"op\":\"posix_memalign\",\"id\":4,\"alignment\":64,\"size\":31}\n"
    "{\"op\":\"aligned_alloc\",\"id\":5,\"alignment\":512,\"size\":512}\n"
    "{\"op\":\"valloc\",\"id\":6,\"size\":33}\n"
    "{\"op\":\"pvalloc\",\"id\":7,\"size\":34}\n"
    "{\"op\":\"realloc\",\"id\":8,\"size\":35}\n"
    "{\"op\":\"reallocarray\",\"id\":1,\"nmemb\":50,\"size\":40}\n"
    "{\"op\":\"mallopt\",\"param\":-3,\"value\":65536}\n"
    "{\"op\":\"malloc_trim\",\"pad\":0}\n"
    "{\"op\":\"free\",\"id\":0}\n";

START_TEST(the_whole_malloc_family)
{
    for (size_t a = 0; alloc_table[a]; a++) {
        static const struct {
            uint64_t id, size, alignment;
        } wanted[] = {{1, 2000, 16}, {2, 63, 16},   {3, 30, 256},  {4, 31, 64},
                      {5, 512, 512}, {6, 33, 4096}, {7, 34, 4096}, {8, 35, 16}};
        struct stage g;
        char setting[64];
        snprintf(setting, sizeof(setting), "alloc=%s", alloc_table[a]->name);
        stage_open(&g, whole_family, setting);
        stage_run(&g);
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
            struct block_info info = block(&g, wanted[i].id);
            ck_assert_uint_eq(info.size, wanted[i].size);
            ck_assert_uint_eq(info.start % wanted[i].alignment, 0);
        }
        ck_assert_uint_eq(inspect_blocks(g.sim), ARRAY_LEN(wanted));
        ck_assert_str_eq(inspect_heap_policy(g.sim, g.pid), alloc_table[a]->name);
        for (unsigned what = 0; what < MISUSE_KINDS; what++)
            ck_assert_uint_eq(errors(&g, what), 0);
        stage_close(&g);
    }
}
END_TEST

START_TEST(bytes_are_set_and_copied)
{
    static const char lines[] =
        "{\"op\":\"malloc\",\"id\":1,\"size\":9000}\n"
        "{\"op\":\"malloc\",\"id\":2,\"size\":9000}\n"
        "{\"op\":\"set\",\"id\":1,\"off\":0,\"len\":9000,\"value\":171,\"ret\":9000}\n"
        "{\"op\":\"write\",\"id\":1,\"off\":8999,\"len\":1,\"ret\":1}\n"
        "{\"op\":\"copy\",\"id\":1,\"off\":0,\"len\":9000,\"to\":2,\"to_off\":0,\"ret\":9000}\n"
        "{\"op\":\"copy\",\"id\":1,\"off\":0,\"len\":8,\"to_addr\":\"0x8\",\"ret\":-14}\n";
    struct stage g;
    stage_open(&g, lines, "access.unit=64");
    stage_run(&g);
    va_t copy = block(&g, 2).start;
    assert_byte(&g, copy, 171);
    assert_byte(&g, copy + 8998, 171);
    assert_byte(&g, copy + 8999, 4); /* the number of the op that wrote it */
    ck_assert_uint_eq(inspect_replay(g.sim)->bytes_written, 9000 + 1 + 9000);
    ck_assert_uint_eq(inspect_replay(g.sim)->bytes_read, 9000);
    ck_assert_uint_eq(errors(&g, MISUSE_SEGV), 1);
    stage_close(&g);
}
END_TEST

/* Results as the C library and the kernel give them; addresses from the break and the top. */
START_TEST(raw_calls_return_what_linux_returns)
{
    static const char lines[] =
        "{\"op\":\"sbrk\",\"increment\":0,\"ret\":\"h+0\"}\n"
        "{\"op\":\"sbrk\",\"increment\":65536,\"ret\":\"h+0\"}\n"
        "{\"op\":\"brk\",\"to\":\"h+4096\",\"ret\":\"h+4096\"}\n"
        "{\"op\":\"sbrk\",\"increment\":-8192,\"ret\":-12}\n"
        "{\"op\":\"mmap\",\"addr\":0,\"len\":8192,\"prot\":3,\"flags\":34,\"ret\":\"m-8192\"}\n"
        "{\"op\":\"write\",\"addr\":\"m-8192\",\"len\":1,\"faults\":1,\"ret\":1}\n"
        "{\"op\":\"mlock\",\"addr\":\"m-8192\",\"len\":8192,\"ret\":0}\n"
        "{\"op\":\"munlock\",\"addr\":\"m-8192\",\"len\":8192,\"ret\":0}\n"
        "{\"op\":\"fetch\",\"addr\":\"0x555555555000\",\"len\":4,\"ret\":4}\n"
        "{\"op\":\"munmap\",\"addr\":\"m-8191\",\"len\":8192,\"ret\":-22}\n"
        "{\"op\":\"munmap\",\"addr\":\"m-8192\",\"len\":8192,\"ret\":0}\n"
        "{\"op\":\"thread_create\",\"child\":5,\"ret\":0}\n"
        "{\"op\":\"thread_start\",\"tid\":5}\n"
        "{\"op\":\"thread_exit\",\"tid\":5}\n"
        "{\"op\":\"mark\",\"name\":\"end\",\"text\":\"that was it\",\"ret\":0}\n";
    struct stage g;
    stage_open(&g, lines, NULL);
    stage_run(&g);
    stage_close(&g);
}
END_TEST

START_TEST(what_fails_leaves_the_block_as_it_was)
{
    static const char lines[] =
        "{\"op\":\"malloc\",\"id\":1,\"size\":100}\n"
        "{\"op\":\"set\",\"id\":1,\"off\":0,\"len\":100,\"value\":7}\n"
        "{\"op\":\"realloc\",\"id\":1,\"size\":9223372036854775807,\"ret\":0}\n"
        "{\"op\":\"reallocarray\",\"id\":1,\"nmemb\":4294967296,\"size\":4294967296,\"ret\":0}\n"
        "{\"op\":\"calloc\",\"id\":2,\"nmemb\":4294967296,\"size\":4294967296,\"ret\":0}\n"
        "{\"op\":\"write\",\"id\":2,\"off\":0,\"len\":4,\"ret\":-14}\n"
        "{\"op\":\"free\",\"id\":2,\"ret\":0}\n";
    struct stage g;
    stage_open(&g, lines, NULL);
    stage_run(&g);
    ck_assert_uint_eq(block(&g, 1).size, 100);
    assert_byte(&g, block(&g, 1).start + 99, 7);
    ck_assert_uint_eq(errors(&g, MISUSE_DEAD), 1);
    ck_assert_uint_eq(inspect_mistake(g.sim)->op, 6);
    stage_close(&g);
}
END_TEST

/* The stale pointer's place has a new owner, who must not suffer. */
START_TEST(a_double_free_spares_the_next_owner)
{
    static const char lines[] = "{\"op\":\"malloc\",\"id\":1,\"size\":100}\n"
                                "{\"op\":\"free\",\"id\":1}\n"
                                "{\"op\":\"malloc\",\"id\":2,\"size\":100}\n"
                                "{\"op\":\"free\",\"id\":1}\n";
    struct stage g;
    stage_open(&g, lines, "alloc=first-fit");
    stage_run(&g);
    ck_assert_uint_eq(errors(&g, MISUSE_DOUBLE_FREE), 1);
    ck_assert_uint_eq(inspect_mistake(g.sim)->other_op, 2);
    ck_assert_uint_eq(inspect_mistake(g.sim)->pointer, block(&g, 2).start);
    stage_close(&g);
}
END_TEST

/* Two processes with the same ids and addresses, and what is left when one ends. */
START_TEST(processes_are_apart)
{
    static const char lines[] =
        "{\"op\":\"malloc\",\"id\":1,\"size\":64,\"pid\":10}\n"
        "{\"op\":\"malloc\",\"id\":1,\"size\":64,\"pid\":11}\n"
        "{\"op\":\"set\",\"id\":1,\"off\":0,\"len\":64,\"value\":1,\"pid\":10}\n"
        "{\"op\":\"set\",\"id\":1,\"off\":0,\"len\":64,\"value\":2,\"pid\":11}\n"
        "{\"op\":\"exit\",\"pid\":11,\"ret\":0}\n"
        "{\"op\":\"free\",\"id\":1,\"pid\":11,\"ret\":-3}\n"
        "{\"op\":\"read\",\"id\":1,\"off\":0,\"len\":64,\"pid\":10,\"ret\":64}\n";
    struct stage g;
    struct error e;
    struct process_info info;
    stage_open(&g, lines, NULL);
    uint64_t boot = inspect_frames_free(g.sim);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(sim_step(g.sim, &e), 1);
    uint64_t both = inspect_frames_free(g.sim);
    uint16_t other = inspect_current(g.sim, 0);
    uint8_t byte;
    va_t start = block(&g, 1).start;
    assert_byte(&g, start, 1);
    ck_assert(inspect_read(g.sim, other, start, &byte, 1) && byte == 2);
    ck_assert_uint_lt(both, boot);
    ck_assert_uint_eq(inspect_blocks(g.sim), 2);
    stage_run(&g);
    ck_assert_uint_eq(inspect_blocks(g.sim), 1);
    ck_assert_uint_gt(inspect_frames_free(g.sim), both);
    ck_assert(inspect_process(g.sim, g.pid, &info) && !info.killed);
    ck_assert_uint_eq(errors(&g, MISUSE_KILLED), 1);
    assert_byte(&g, start, 1);
    stage_close(&g);
}
END_TEST

/* More is touched than there is: the process is killed at a fault, the rest of its ops are told. */
START_TEST(out_of_memory_ends_the_process_not_the_replay)
{
    static const char lines[] =
        "{\"op\":\"mmap\",\"addr\":\"0x10000000\",\"len\":15728640,\"prot\":3,\"flags\":50}\n"
        "{\"op\":\"write\",\"addr\":\"0x10000000\",\"len\":15728640,\"ret\":-14}\n"
        "{\"op\":\"malloc\",\"id\":1,\"size\":10,\"ret\":-3}\n";
    struct stage g;
    stage_open(&g, lines, NULL);
    stage_run(&g);
    ck_assert_uint_eq(errors(&g, MISUSE_KILLED), 2);
    ck_assert_uint_eq(inspect_blocks(g.sim), 0);
    stage_close(&g);
}
END_TEST

TEST_MAIN("replay", the_whole_malloc_family, bytes_are_set_and_copied,
          raw_calls_return_what_linux_returns, what_fails_leaves_the_block_as_it_was,
          a_double_free_spares_the_next_owner, processes_are_apart,
          out_of_memory_ends_the_process_not_the_replay)
