/* test_model.c: the window's model, folded from events alone, equals inspection after every op, and
 * after every jump in time. A missing or wrong event anywhere in the machine falls here.
 */
#include "sim/inspect.h"
#include "sim/preset.h"
#include "tests/model_run.h"
#include "tests/test.h"
#include "viz/model_check.h"

#include <glob.h>
#include <inttypes.h>
#include <string.h>

/* Each names what it stirs. RAM is small so that comparing every frame stays quick. */
static const char anatomy[] = "{\"memwalk\":1,\"name\":\"anatomy\"}\n"
                              "{\"op\":\"malloc\",\"id\":1,\"size\":24}\n"
                              "{\"op\":\"write\",\"id\":1,\"off\":0,\"len\":8}\n"
                              "{\"op\":\"malloc\",\"id\":2,\"size\":600}\n"
                              "{\"op\":\"write\",\"id\":2,\"off\":0,\"len\":600}\n"
                              "{\"op\":\"malloc\",\"id\":3,\"size\":40}\n"
                              "{\"op\":\"free\",\"id\":2}\n"
                              "{\"op\":\"malloc\",\"id\":4,\"size\":100}\n"
                              "{\"op\":\"malloc\",\"id\":5,\"size\":200000}\n"
                              "{\"op\":\"write\",\"id\":5,\"off\":0,\"len\":100000}\n"
                              "{\"op\":\"read\",\"id\":1,\"off\":0,\"len\":8}\n"
                              "{\"op\":\"realloc\",\"id\":4,\"size\":5000}\n"
                              "{\"op\":\"free\",\"id\":5}\n"
                              "{\"op\":\"free\",\"id\":5}\n"
                              "{\"op\":\"calloc\",\"id\":6,\"nmemb\":1000,\"size\":40}\n"
                              "{\"op\":\"free\",\"id\":6}\n"
                              "{\"op\":\"free\",\"id\":4}\n"
                              "{\"op\":\"malloc_trim\",\"pad\":0}\n";

static const char kernel_calls[] =
    "{\"memwalk\":1,\"name\":\"calls\"}\n"
    "{\"op\":\"sbrk\",\"increment\":65536}\n"
    "{\"op\":\"mmap\",\"addr\":\"0x10000000\",\"len\":4194304,\"prot\":3,\"flags\":50}\n"
    "{\"op\":\"write\",\"addr\":\"0x10000000\",\"len\":8}\n"
    "{\"op\":\"write\",\"addr\":\"0x10001000\",\"len\":16384}\n"
    "{\"op\":\"write\",\"addr\":\"0x10200000\",\"len\":8}\n"
    "{\"op\":\"mprotect\",\"addr\":\"0x10002000\",\"len\":4096,\"prot\":1}\n"
    "{\"op\":\"read\",\"addr\":\"0x10002000\",\"len\":8}\n"
    "{\"op\":\"munmap\",\"addr\":\"0x10003000\",\"len\":4096}\n"
    "{\"op\":\"munmap\",\"addr\":\"0x10200000\",\"len\":2097152}\n"
    "{\"op\":\"mprotect\",\"addr\":\"0x10002000\",\"len\":4096,\"prot\":3}\n"
    "{\"op\":\"madvise\",\"addr\":\"0x10000000\",\"len\":8192,\"advice\":4}\n"
    "{\"op\":\"mremap\",\"addr\":\"0x10004000\",\"old\":4096,\"new\":16384,\"flags\":1}\n"
    "{\"op\":\"read\",\"addr\":\"0x10000000\",\"len\":8192}\n"
    "{\"op\":\"sbrk\",\"increment\":-32768}\n"
    "{\"op\":\"mmap\",\"addr\":\"0x30000000\",\"len\":4194304,\"prot\":3,\"flags\":50}\n"
    "{\"op\":\"write\",\"addr\":\"0x30000000\",\"len\":4194304}\n"
    "{\"op\":\"write\",\"addr\":\"0x20000000\",\"len\":8}\n";

/* Two generations; each process frees what it inherited and allocates anew; pages are shared,
 * copied, kept, moved, locked away; the grandchild outlives its parents. */
static const char forks[] =
    "{\"memwalk\":1,\"name\":\"forks\"}\n"
    "{\"op\":\"malloc\",\"id\":1,\"size\":24}\n"
    "{\"op\":\"malloc\",\"id\":2,\"size\":5000}\n"
    "{\"op\":\"malloc\",\"id\":3,\"size\":300000}\n"
    "{\"op\":\"write\",\"id\":2,\"off\":0,\"len\":5000}\n"
    "{\"op\":\"write\",\"id\":3,\"off\":0,\"len\":9000}\n"
    "{\"op\":\"malloc\",\"id\":4,\"size\":24}\n"
    "{\"op\":\"free\",\"id\":2}\n"
    "{\"op\":\"mmap\",\"addr\":\"0x10000000\",\"len\":65536,\"prot\":3,\"flags\":50}\n"
    "{\"op\":\"write\",\"addr\":\"0x10000000\",\"len\":32768}\n"
    "{\"op\":\"mprotect\",\"addr\":\"0x10004000\",\"len\":4096,\"prot\":0}\n"
    "{\"op\":\"fork\",\"child\":1}\n"
    "{\"op\":\"write\",\"addr\":\"0x10000000\",\"len\":8192}\n"
    "{\"op\":\"malloc\",\"pid\":1,\"id\":9,\"size\":700}\n"
    "{\"op\":\"mremap\",\"pid\":1,\"addr\":\"0x10002000\",\"old\":12288,\"new\":12288,\"flags\":3,"
    "\"to\":\"0x20000000\"}\n"
    "{\"op\":\"free\",\"pid\":1,\"id\":4}\n"
    "{\"op\":\"fork\",\"pid\":1,\"child\":2}\n"
    "{\"op\":\"free\",\"id\":3}\n"
    "{\"op\":\"write\",\"pid\":1,\"addr\":\"0x20000000\",\"len\":8}\n"
    "{\"op\":\"exit\"}\n"
    "{\"op\":\"write\",\"pid\":2,\"addr\":\"0x20000000\",\"len\":4096}\n"
    "{\"op\":\"free\",\"pid\":2,\"id\":1}\n"
    "{\"op\":\"realloc\",\"pid\":2,\"id\":9,\"size\":7000}\n"
    "{\"op\":\"exit\",\"pid\":1}\n"
    "{\"op\":\"write\",\"pid\":2,\"addr\":\"0x20000000\",\"len\":8}\n"
    "{\"op\":\"free\",\"pid\":2,\"id\":3}\n"
    "{\"op\":\"exit\",\"pid\":2}\n";

/* Huge pages come, are read, written, forked, moved, protected, split and made again. */
static const char huge_pages[] =
    "{\"memwalk\":1,\"name\":\"huge\"}\n"
    "{\"op\":\"mmap\",\"addr\":\"0x40000000\",\"len\":6291456,\"prot\":3,\"flags\":50}\n"
    "{\"op\":\"madvise\",\"addr\":\"0x40000000\",\"len\":6291456,\"advice\":14}\n"
    "{\"op\":\"read\",\"addr\":\"0x40000000\",\"len\":8}\n"
    "{\"op\":\"write\",\"addr\":\"0x40001000\",\"len\":8}\n"
    "{\"op\":\"write\",\"addr\":\"0x40200000\",\"len\":8192}\n"
    "{\"op\":\"read\",\"addr\":\"0x40400000\",\"len\":8}\n"
    "{\"op\":\"fork\",\"child\":1}\n"
    "{\"op\":\"write\",\"pid\":1,\"addr\":\"0x40000000\",\"len\":8}\n"
    "{\"op\":\"mprotect\",\"addr\":\"0x40200000\",\"len\":2097152,\"prot\":0}\n"
    "{\"op\":\"mprotect\",\"addr\":\"0x40200000\",\"len\":2097152,\"prot\":3}\n"
    "{\"op\":\"munmap\",\"pid\":1,\"addr\":\"0x40000000\",\"len\":4096}\n"
    "{\"op\":\"exit\",\"pid\":1}\n"
    "{\"op\":\"mremap\",\"addr\":\"0x40200000\",\"old\":2097152,\"new\":2097152,\"flags\":3,"
    "\"to\":\"0x80000000\"}\n"
    "{\"op\":\"madvise\",\"addr\":\"0x80000000\",\"len\":4096,\"advice\":4}\n"
    "{\"op\":\"mprotect\",\"addr\":\"0x40400000\",\"len\":4096,\"prot\":1}\n"
    "{\"op\":\"madvise\",\"addr\":\"0x80000000\",\"len\":2097152,\"advice\":25}\n"
    "{\"op\":\"munmap\",\"addr\":\"0x40000000\",\"len\":1073741824}\n";

/* ---- a simulation that is watched ---- */

struct watched {
    struct trace *trace;
    struct config config;
    struct sim *sim;
};

/* Opens the simulation of w->trace and w->config. */
static void watch_open(struct watched *w)
{
    struct error error;
    char text[600];
    struct sim_options options = {.config = &w->config,
                                  .trace = w->trace,
                                  .history = true,
                                  .observers = 1,
                                  .observer = {model_observer()}};
    enum err err = sim_open(&w->sim, &options, &error);
    ck_assert_msg(!err, "%s", err ? error_text(&error, text, sizeof(text)) : "");
}

static void watch(struct watched *w, const char *json, const char *const *settings)
{
    struct error error;
    config_default(&w->config);
    ck_assert_int_eq(config_option(&w->config, "ram=16M", &error), ERR_NONE);
    for (; *settings; settings++)
        ck_assert_int_eq(config_option(&w->config, *settings, &error), ERR_NONE);
    ck_assert_int_eq(trace_load_memory(&w->trace, json, strlen(json), "test", &error), ERR_NONE);
    watch_open(w);
}

static void unwatch(struct watched *w)
{
    sim_close(w->sim);
    trace_free(w->trace);
}

static void compare(struct watched *w, const char *what)
{
    char why[400];
    bool same = model_check(sim_observer_state(w->sim, 0), w->sim, why, sizeof(why));
    ck_assert_msg(same, "%s %s, after op %" PRIu64 ": %s", w->trace->header.name, what,
                  sim_now(w->sim).op, why);
}

static void every_op(const char *json, const char *const *settings)
{
    struct watched w;
    struct error error;
    watch(&w, json, settings);
    compare(&w, "boot");
    size_t ops = 0;
    while (sim_step(w.sim, &error) > 0) {
        compare(&w, settings[0] ? settings[0] : "");
        ops++;
    }
    ck_assert_uint_eq(ops, w.trace->count);
    unwatch(&w);
}

START_TEST(model_equals_inspection_in_every_allocator)
{
    for (size_t i = 0; alloc_table[i]; i++) {
        char setting[64];
        snprintf(setting, sizeof(setting), "alloc=%s", alloc_table[i]->name);
        every_op(anatomy, (const char *const[]){setting, NULL});
    }
}
END_TEST

START_TEST(model_equals_inspection_in_forked_processes)
{
    for (size_t i = 0; alloc_table[i]; i++) {
        char setting[64];
        snprintf(setting, sizeof(setting), "alloc=%s", alloc_table[i]->name);
        every_op(forks, (const char *const[]){setting, NULL});
    }
}
END_TEST

/* Blocks come and go, and the program writes over ends and beginnings, and into what it has freed.
 */
static struct trace damage_made(uint64_t seed, struct op *op, size_t count)
{
    struct rng r = {seed};
    for (size_t i = 0; i < count; i++) {
        uint64_t id = 1 + rng_below(&r, 12), what = rng_below(&r, 10);
        uint64_t size = rng_below(&r, 3) ? 16 + rng_below(&r, 200) : rng_below(&r, 3000);
        op[i] = (struct op){.kind = OP_malloc, .line = (uint32_t)i + 1, .id = id, .v = {size}};
        if (what < 4)
            op[i] = (struct op){.kind = OP_free, .line = (uint32_t)i + 1, .id = id};
        else if (what == 4) /* some of its own bytes, and some of its neighbour's */
            op[i] = (struct op){.kind = OP_write,
                                .line = (uint32_t)i + 1,
                                .base = BASE_BLOCK,
                                .id = id,
                                .v = {8, 260}};
        else if (what == 5)
            op[i] = (struct op){.kind = OP_write,
                                .base = BASE_BLOCK,
                                .line = (uint32_t)i + 1,
                                .id = id,
                                .v = {UINT64_MAX - 15, 24}};
    }
    return (struct trace){.header = {.name = "damage"}, .path = "damage", .op = op, .count = count};
}

/* Once the damage is found, headers and lists are put in order, and the model is told. Until then
 * inspection shows bytes that nobody told of. */
START_TEST(model_equals_inspection_after_damage)
{
    static struct op op[400];
    unsigned found = 0;
    for (size_t i = 0; alloc_table[i]; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct trace trace = damage_made(seed, op, ARRAY_LEN(op));
            struct watched w = {.trace = &trace};
            struct error error;
            char why[200];
            config_default(&w.config);
            snprintf(w.config.alloc, sizeof(w.config.alloc), "%s", alloc_table[i]->name);
            ck_assert_int_eq(config_option(&w.config, "ram=16M", &error), ERR_NONE);
            watch_open(&w);
            while (sim_step(w.sim, &error) > 0)
                if (inspect_check(w.sim, why, sizeof(why)))
                    compare(&w, alloc_table[i]->name);
            found += inspect_replay(w.sim)->errors[MISUSE_CORRUPT] > 0;
            sim_close(w.sim);
        }
    }
    ck_assert_uint_gt(found, 20);
}
END_TEST

START_TEST(model_equals_inspection_with_huge_pages)
{
    every_op(huge_pages, (const char *const[]){"ram=32M", NULL});
    every_op(huge_pages, (const char *const[]){"ram=32M", "thp.scan_ops=1", NULL});
    every_op(huge_pages, (const char *const[]){"thp.enabled=always", NULL});
}
END_TEST

START_TEST(model_equals_inspection_in_every_replacement)
{
    for (unsigned i = 0; i < REPL_POLICIES; i++) {
        char setting[64];
        snprintf(setting, sizeof(setting), "tlb.l1d.repl=%s", repl_name[i]);
        every_op(anatomy, (const char *const[]){setting, "tlb.l1d.sets=2", "tlb.l2.sets=3",
                                                "tlb.l2.ways=2", "psc.pde=1", NULL});
    }
}
END_TEST

START_TEST(model_equals_inspection_in_every_organisation)
{
    static const char *const organisations[][8] = {
        {"cpu=generic"},
        {"cpu=skylake", "psc.pde_ways=4"},
        {"cpu=zen2", "tlb.l1d.ways=2", "tlb.l2.sets=2", "tlb.l2.ways=1"},
        {"tlb.l1d.sets=2", "tlb.l1d.ways=1", "tlb.l2.sets=1", "tlb.l2.ways=3",
         "tlb.l2.inclusion=inclusive", "tlb.coalesce=4"},
        {"tlb.l1d.sets=1", "tlb.l1d.ways=2", "tlb.l2.sets=2", "tlb.l2.ways=2",
         "tlb.l2.inclusion=exclusive", "tlb.coalesce=2"},
        {"tlb.l1d.largest=4K", "tlb.l2.largest=4K", "tlb.l1d.2m.sets=1"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(organisations); i++) {
        every_op(anatomy, organisations[i]);
        every_op(kernel_calls, organisations[i]);
    }
}
END_TEST

START_TEST(model_equals_inspection_in_kernel_calls)
{
    every_op(kernel_calls, (const char *const[]){NULL});
    every_op(kernel_calls, (const char *const[]){"tlb.l2.sets=0", "psc.pml4e=0", NULL});
}
END_TEST

START_TEST(model_equals_inspection_in_a_guest)
{
    every_op(kernel_calls, (const char *const[]){"nested=on", NULL});
    every_op(forks, (const char *const[]){"nested=on", NULL});
    every_op(forks, (const char *const[]){"nested=on", "nested.page=2M", "nested.ad=off", NULL});
}
END_TEST

START_TEST(model_equals_inspection_with_five_levels)
{
    every_op(kernel_calls, (const char *const[]){"la57=on", "psc.pde=1", NULL});
    every_op(forks, (const char *const[]){"la57=on", "nested=on", NULL});
}
END_TEST

START_TEST(model_equals_inspection_when_memory_runs_out)
{
    every_op(kernel_calls, (const char *const[]){"ram=4M", "kernel.reserved=2M",
                                                 "layout.stack_bytes=132K", NULL});
}
END_TEST

/* The first limit ops (0: all) of each file that fits; setting may be NULL. */
static void shipped(const char *pattern, uint64_t every, uint64_t limit, const char *setting)
{
    glob_t found;
    if (glob(pattern, 0, NULL, &found))
        SKIP("there are no traces here");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct trace *trace;
        struct config config;
        struct error error;
        ck_assert_int_eq(trace_load(&trace, found.gl_pathv[i], &error), ERR_NONE);
        ck_assert_int_eq(model_run_config(&config, trace, &error), ERR_NONE);
        if (setting)
            ck_assert_int_eq(config_option(&config, setting, &error), ERR_NONE);
        struct model_run r = {.trace = trace, .config = &config, .every = every, .limit = limit};
        ck_assert_msg(model_run(&r) == RUN_EQUAL, "%s %s: %s", found.gl_pathv[i],
                      setting ? setting : "", r.why);
        ck_assert_uint_eq(r.ops, limit ? min_u64(limit, trace->count) : trace->count);
        trace_free(trace);
    }
    globfree(&found);
}

START_TEST(model_equals_inspection_in_shipped_lessons)
{
    shipped("traces/lesson-*.json", 1, 0, NULL);
}
END_TEST

START_TEST(model_equals_inspection_in_shipped_recordings)
{
    shipped("traces/*.jsonl*", 50, 6000, NULL);
}
END_TEST

/* What `make model-check` does at length. */
START_TEST(model_equals_inspection_in_recordings_with_every_allocator)
{
    for (size_t i = 0; alloc_table[i]; i++) {
        char setting[64];
        snprintf(setting, sizeof(setting), "alloc=%s", alloc_table[i]->name);
        shipped("traces/*.jsonl*", 100, 300, setting);
    }
}
END_TEST

START_TEST(model_equals_inspection_in_recordings_on_every_processor)
{
    for (size_t i = 0; preset_at(i); i++) {
        char setting[64];
        snprintf(setting, sizeof(setting), "cpu=%s", preset_at(i)->name);
        shipped("traces/*.jsonl*", 100, 500, setting);
    }
}
END_TEST

/* The comparison that is made in between sees what is not in memory. */
START_TEST(quick_check_sees_a_missing_event)
{
    struct watched w;
    struct error error;
    char why[400];
    watch(&w, anatomy, (const char *const[]){NULL});
    ck_assert_int_eq(sim_seek(w.sim, (struct moment){10, 0}, &error), ERR_NONE);
    struct model *m = sim_observer_state(w.sim, 0);
    ck_assert(model_check_quick(m, w.sim, why, sizeof(why)));
    m->blocks++;
    ck_assert(!model_check_quick(m, w.sim, why, sizeof(why)));
    m->blocks--;
    m->cpu[0].tlb[0].hits++;
    ck_assert(!model_check_quick(m, w.sim, why, sizeof(why)));
    m->cpu[0].tlb[0].hits--;
    m->process[0].area[0].end += PAGE_SIZE;
    ck_assert(!model_check_quick(m, w.sim, why, sizeof(why)));
    unwatch(&w);
}
END_TEST

/* Back and forth, also into the middle of ops, where only the model's own hash is at hand. */
START_TEST(model_equals_inspection_after_jumps)
{
    static const uint64_t to[] = {17, 3, 9, 1, 12, 12, 5, 16, 2, 10};
    struct watched w;
    struct error error;
    watch(&w, anatomy, (const char *const[]){NULL});
    for (size_t i = 0; i < ARRAY_LEN(to); i++) {
        ck_assert_int_eq(sim_seek(w.sim, (struct moment){to[i], 3}, &error), ERR_NONE);
        ck_assert_int_eq(sim_seek(w.sim, (struct moment){to[i], 0}, &error), ERR_NONE);
        compare(&w, "after a jump");
    }
    unwatch(&w);
}
END_TEST

/* The comparison itself: a model that missed an event is not taken for equal. */
START_TEST(model_check_sees_a_missing_event)
{
    struct watched w;
    struct error error;
    char why[400];
    watch(&w, anatomy, (const char *const[]){NULL});
    ck_assert_int_eq(sim_seek(w.sim, (struct moment){10, 0}, &error), ERR_NONE);
    struct model *m = sim_observer_state(w.sim, 0);
    ck_assert(model_check(m, w.sim, why, sizeof(why)));
    m->cpu[0].tlb[0].line[0].valid = !m->cpu[0].tlb[0].line[0].valid;
    ck_assert(!model_check(m, w.sim, why, sizeof(why)));
    m->cpu[0].tlb[0].line[0].valid = !m->cpu[0].tlb[0].line[0].valid;
    m->process[0].brk += PAGE_SIZE;
    ck_assert(!model_check(m, w.sim, why, sizeof(why)));
    m->process[0].brk -= PAGE_SIZE;
    m->frames_free++;
    ck_assert(!model_check(m, w.sim, why, sizeof(why)));
    m->frames_free--;
    ck_assert(model_check(m, w.sim, why, sizeof(why)));
    unwatch(&w);
}
END_TEST

TEST_MAIN("model", model_equals_inspection_in_every_allocator,
          model_equals_inspection_in_forked_processes, model_equals_inspection_after_damage,
          model_equals_inspection_with_huge_pages, model_equals_inspection_in_every_replacement,
          model_equals_inspection_in_every_organisation, model_equals_inspection_in_kernel_calls,
          model_equals_inspection_in_a_guest, model_equals_inspection_with_five_levels,
          model_equals_inspection_when_memory_runs_out, model_equals_inspection_in_shipped_lessons,
          model_equals_inspection_in_shipped_recordings,
          model_equals_inspection_in_recordings_with_every_allocator,
          model_equals_inspection_in_recordings_on_every_processor,
          quick_check_sees_a_missing_event, model_equals_inspection_after_jumps,
          model_check_sees_a_missing_event)
