/* run.c: 'memwalk run': replays a trace and reports, alone or several configurations side by side.
 *
 * A single run reads the trace op by op, so its length does not matter; a comparison holds the
 * trace and replays it once for each configuration.
 */
#include "sim/cli/bars.h"
#include "sim/cli/cli.h"
#include "sim/cli/expect.h"
#include "sim/cli/needs.h"
#include "sim/cli/plot.h"
#include "sim/cli/progress.h"
#include "sim/cli/report.h"
#include "sim/cli/stream.h"
#include "sim/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMPARED_MAX 40
#define MISUSE_SHOWN 20
#define TICK_OPS     4096

enum {
    KEY_COMPARE = 0x600,
    KEY_PLOT,
    KEY_LOG,
    KEY_EVENTS,
    KEY_CHECK,
    KEY_LEAKS,
    KEY_STRICT,
    KEY_NEEDS
};

struct run_options {
    struct cli_options common;
    const char *compare, *plot, *log, *events;
    bool check, leaks, strict, needs;
};

static const struct argp_option options[] = {
    {"compare", KEY_COMPARE, "LIST", 0,
     "Replay once for each item of LIST, separated by commas, and show the runs side by side: an "
     "allocator (best-fit), a setting (tlb.l1d.ways=8), a machine file (@small.json), or 'all': "
     "every allocator",
     4},
    {"plot", KEY_PLOT, "FILE", 0,
     "Draw memory, fragmentation and TLB misses over time into a .png or .svg; with --compare, the "
     "runs as bars",
     4},
    {"log", KEY_LOG, "FILE", 0, "Write every event as a line of JSON (.gz and .zst compress)", 4},
    {"events", KEY_EVENTS, "LIST", 0,
     "Log only these events or families (tlb,fault); see 'memwalk events'", 4},
    {"leaks", KEY_LEAKS, 0, 0,
     "Tell what was never freed: the largest blocks that live at the end, with the op that made "
     "them",
     4},
    {"strict", KEY_STRICT, 0, 0,
     "Exit with status 1 where the program makes a mistake, or, with --leaks, leaks", 4},
    {"working-set", KEY_NEEDS, 0, 0,
     "Add how much memory the program needs: working sets, and the faults that each number of "
     "frames would cost under LRU (slow)",
     4},
    {"check", KEY_CHECK, 0, 0, "Hold all layers against each other after every op (slow)", 4},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    switch (key) {
    case KEY_COMPARE:
        o->compare = arg;
        return 0;
    case KEY_PLOT:
        o->plot = arg;
        return 0;
    case KEY_LOG:
        o->log = arg;
        return 0;
    case KEY_EVENTS:
        o->events = arg;
        return 0;
    case KEY_NEEDS:
        o->needs = true;
        return 0;
    case KEY_CHECK:
        o->check = true;
        return 0;
    case KEY_LEAKS:
        o->leaks = true;
        return 0;
    case KEY_STRICT:
        o->strict = true;
        return 0;
    case ARGP_KEY_INIT:
        for (unsigned i = 0; i < 2; i++)
            state->child_inputs[i] = &o->common;
        return 0;
    case ARGP_KEY_END:
        if (o->compare && (o->log || o->needs))
            argp_error(state, "--compare goes with neither --log nor --working-set");
        if (o->events && !o->log)
            argp_error(state, "--events needs --log");
        break;
    default:
        break;
    }
    return cli_trace_argument(&o->common, key, arg, state);
}

/* ---- what a run collects ---- */

struct misuse_note {
    struct mistake mistake;
    uint32_t line;
    char text[96];
};

struct run {
    const struct run_options *o;
    struct sim *sim;
    struct stats_watch watch;
    struct plot plot;
    FILE *log;
    struct workset *needs; /* NULL: not asked for */
    struct event_filter filter;
    struct misuse_note note[MISUSE_SHOWN];
    uint64_t misuses;
    uint64_t kills; /* out of memory, so far */
    unsigned unmet; /* expectations */
};

/* Prints what the kernel said if the op just done ran out of memory. */
static void note_oom(struct run *r)
{
    uint64_t kills = inspect_kernel(r->sim)->oom_kills;
    if (kills > r->kills)
        fprintf(stderr, "memwalk: op %" PRIu64 ":\n%s", inspect_replay(r->sim)->ops,
                inspect_oom_report(r->sim));
    r->kills = kills;
}

/* Keeps the mistake of the op just done, if it made one. */
static void note_misuse(struct run *r)
{
    const struct mistake *mistake = inspect_mistake(r->sim);
    uint64_t op = inspect_replay(r->sim)->ops;
    if (mistake->op != op || r->misuses++ >= MISUSE_SHOWN)
        return;
    struct misuse_note *note = &r->note[r->misuses - 1];
    note->mistake = *mistake;
    note->line = inspect_op(r->sim, op)->line;
    op_text(inspect_op(r->sim, op), inspect_op_extra(r->sim, op), note->text, sizeof(note->text));
}

static void hear_for_log(void *ctx, const struct event *e)
{
    struct run *r = ctx;
    char line[1024];
    uint64_t op = r->sim ? sim_now(r->sim).op : 0;
    if (r->filter.wanted[e->kind])
        fwrite(line, 1, log_line(e, op, line, sizeof(line)), r->log);
}

static void hear_for_needs(void *ctx, const struct event *e)
{
    if (e->kind == EV_data)
        workset_hear(ctx, e->pid, e->data.va);
}

static double host_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- replaying ---- */

static int replay(struct run *r, struct trace_reader *reader, struct report *report,
                  struct error *e)
{
    struct progress progress;
    double start = host_seconds();
    int more;
    progress_start(&progress, "replaying");
    while ((more = sim_step(r->sim, e)) == 1) {
        stats_watch(&r->watch, r->sim);
        note_misuse(r);
        note_oom(r);
        if (r->o->plot && !r->o->compare)
            plot_follow(&r->plot, r->sim);
        if (inspect_replay(r->sim)->ops % TICK_OPS == 0) {
            uint64_t done = inspect_replay(r->sim)->ops;
            uint64_t total = sim_ops(r->sim);
            if (reader)
                trace_progress(reader, &done, &total);
            progress_tick(&progress, done, total);
        }
    }
    progress_end(&progress);
    stats_read(&report->stats, r->sim, &r->watch);
    report->stats.seconds = host_seconds() - start;
    return more;
}

static enum err unknown_event(const char *name, struct error *e)
{
    const char *names[EV_COUNT];
    char hint[128];
    for (size_t i = 0; i < EV_COUNT; i++)
        names[i] = event_info[i].name;
    return error_set(e, ERR_USAGE, NULL, 0, "--events", "there is no event \"%s\"%s", name,
                     cli_near(name, names, EV_COUNT, hint));
}

static enum err open_log(struct run *r, struct error *e)
{
    char unknown[64];
    if (!event_filter_parse(&r->filter, r->o->events ? r->o->events : "all", unknown,
                            sizeof(unknown)))
        return unknown_event(unknown, e);
    if (!r->o->log)
        return ERR_NONE;
    r->log = stream_open(r->o->log, e);
    return r->log ? ERR_NONE : e->code;
}

/* Runs either a reader or a whole trace on a machine of report->config. */
static enum err run_once(struct run *r, const struct trace *trace, struct trace_reader *reader,
                         struct report *report, struct error *e)
{
    struct sim_options so = {
        .config = &report->config, .trace = trace, .reader = reader, .checked = r->o->check};
    enum err err = open_log(r, e);
    if (err)
        return err;
    r->needs = r->o->needs ? workset_new() : NULL;
    if (r->o->needs && !r->needs)
        return error_set(e, ERR_MEMORY, NULL, 0, "--working-set", "no memory");
    if (r->log) /* without a listener the machine runs at full speed */
        so.sink[so.sinks++] = (struct sim_sink){hear_for_log, r};
    if (r->needs)
        so.sink[so.sinks++] = (struct sim_sink){hear_for_needs, r->needs};
    plot_begin(&r->plot);
    err = sim_open(&r->sim, &so, e);
    if (!err && replay(r, reader, report, e) < 0)
        err = e->code ? e->code : ERR_VALUE;
    if (!err && r->needs && !workset_good(r->needs))
        err = error_set(e, ERR_MEMORY, NULL, 0, "--working-set", "no memory for all pages");
    if (r->log) {
        struct error late;
        enum err closed = stream_close(r->log, r->o->log, err ? &late : e);
        err = err ? err : closed;
    }
    return err;
}

/* ---- what the trace promised ---- */

static void print_expect(void *ctx, const struct stats_failure *f)
{
    struct run *r = ctx;
    r->unmet++;
    char where[24] = "";
    uint64_t line = expect_line(r->o->common.trace, f->name);
    if (line)
        snprintf(where, sizeof(where), ":%" PRIu64, line);
    fprintf(stderr, "memwalk: %s%s: expect: %s is %s, not %s\n", r->o->common.trace, where, f->name,
            f->got, f->wanted);
}

static enum err judge(struct run *r, const struct trace_header *header, const struct stats *s,
                      struct error *e)
{
    for (size_t i = 0; i < sim_failures(r->sim); i++) {
        const struct sim_failure *f = sim_failure(r->sim, i);
        r->unmet++;
        fprintf(stderr, "memwalk: %s:%u: %s: op %" PRIu64 " gives %" PRId64 ", not %" PRId64 "\n",
                r->o->common.trace, f->line, f->what, f->op, f->got, f->wanted);
    }
    if (!header->expect)
        return ERR_NONE;
    return stats_expect(s, header->expect, r->o->common.trace, print_expect, r, e);
}

static void print_misuses(const struct run *r)
{
    for (uint64_t i = 0; i < min_u64(r->misuses, MISUSE_SHOWN); i++) {
        const struct misuse_note *n = &r->note[i];
        const struct mistake *m = &n->mistake;
        char other[96] = "";
        if (m->other_op)
            snprintf(other, sizeof(other), "; %s op %" PRIu64, misuse_other(m->what), m->other_op);
        fprintf(stderr, "memwalk: %s:%u: op %" PRIu64 ", %s: %s, pointer 0x%" PRIx64 "%s\n",
                r->o->common.trace, n->line, m->op, n->text, misuse_name[m->what], m->pointer,
                other);
        if (m->message)
            fprintf(stderr, "memwalk: %s:%u: the program %s: %s\n", r->o->common.trace, n->line,
                    m->endless ? "hangs" : "aborts", m->message);
    }
    if (r->misuses > MISUSE_SHOWN)
        fprintf(stderr, "memwalk: … and %" PRIu64 " more mistakes of the trace\n",
                r->misuses - MISUSE_SHOWN);
}

static void json_misuses(const struct run *r, cJSON *root)
{
    cJSON *list = cJSON_AddArrayToObject(root, "mistakes");
    for (uint64_t i = 0; i < min_u64(r->misuses, MISUSE_SHOWN); i++) {
        const struct misuse_note *n = &r->note[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cli_json_number(item, "op", n->mistake.op);
        cli_json_number(item, "line", n->line);
        cJSON_AddStringToObject(item, "what", misuse_name[n->mistake.what]);
        cJSON_AddStringToObject(item, "text", n->text);
        cli_json_hex(item, "pointer", n->mistake.pointer);
        cli_json_number(item, "other_op", n->mistake.other_op);
        if (n->mistake.message)
            cJSON_AddStringToObject(item, "message", n->mistake.message);
    }
}

/* ---- leaks ---- */

#define LEAKS_SHOWN 10

/* The largest blocks that live now. */
struct leaks {
    struct block_info block[LEAKS_SHOWN];
    uint64_t count, bytes;
};

static void keep_leak(void *ctx, const struct block_info *b)
{
    struct leaks *l = ctx;
    struct block_info at = *b;
    if (!b->start)
        return;
    for (size_t i = 0; i < min_u64(l->count, LEAKS_SHOWN); i++)
        if (l->block[i].size < at.size) {
            struct block_info smaller = l->block[i];
            l->block[i] = at;
            at = smaller;
        }
    if (l->count < LEAKS_SHOWN)
        l->block[l->count] = at;
    l->count++;
    l->bytes += b->size;
}

static void print_leaks(const struct run *r, const struct leaks *l)
{
    char count[32];
    char bytes[32];
    printf("\nNever freed: %s block%s of %s\n", cli_grouped(l->count, count),
           l->count == 1 ? "" : "s", cli_bytes(l->bytes, bytes));
    for (size_t i = 0; i < min_u64(l->count, LEAKS_SHOWN); i++) {
        const struct block_info *b = &l->block[i];
        printf("  block %" PRIu64 " of process %u: %s at 0x%" PRIx64 ", allocated by op %" PRIu64
               "\n",
               b->id, b->pid, cli_bytes(b->size, bytes), b->start, b->op);
    }
    if (l->count > LEAKS_SHOWN)
        printf("  … and %" PRIu64 " more, none of them larger\n", l->count - LEAKS_SHOWN);
    uint64_t before = inspect_replay(r->sim)->leaked_blocks;
    if (before)
        printf("  and %" PRIu64 " blocks of processes that ended before\n", before);
}

static void json_leaks(const struct leaks *l, cJSON *root)
{
    cJSON *list = cJSON_AddArrayToObject(root, "leaked");
    for (size_t i = 0; i < min_u64(l->count, LEAKS_SHOWN); i++) {
        const struct block_info *b = &l->block[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cli_json_number(item, "id", b->id);
        cli_json_number(item, "process", b->pid);
        cli_json_number(item, "size", b->size);
        cli_json_hex(item, "pointer", b->start);
        cli_json_number(item, "op", b->op);
    }
}

/* ---- what the kernel did wrong on purpose ---- */

static void print_wrong(const struct run *r)
{
    struct wrong_event w;
    inspect_wrong(r->sim, &w);
    if (w.count)
        fprintf(stderr,
                "memwalk: %s: the first wrong event of %" PRIu64 ": op %" PRIu64 ", event %" PRIu64
                ", %s on CPU %u: %s\n",
                r->o->common.trace, w.count, w.at.op, w.at.step, w.event, w.cpu, w.why);
}

static void json_wrong(const struct run *r, cJSON *root)
{
    struct wrong_event w;
    inspect_wrong(r->sim, &w);
    if (!w.count)
        return;
    cJSON *item = cJSON_AddObjectToObject(root, "wrong_event");
    cli_json_number(item, "op", w.at.op);
    cli_json_number(item, "step", w.at.step);
    cJSON_AddStringToObject(item, "event", w.event);
    cli_json_number(item, "cpu", w.cpu);
    cJSON_AddStringToObject(item, "why", w.why);
}

/* ---- one run ---- */

static int print_run(struct run *r, const struct trace_header *header, struct report *report,
                     struct error *e)
{
    enum err err = judge(r, header, &report->stats, e);
    if (!err && r->o->plot)
        err = plot_write(&r->plot, report->title, r->o->plot, e);
    if (err)
        return cli_fail(e);
    print_misuses(r);
    print_wrong(r);
    struct leaks leaks = {.count = 0};
    inspect_each_block(r->sim, keep_leak, &leaks);
    int status = STATUS_OK;
    if (r->o->common.json) {
        cJSON *root = report_json(report);
        json_misuses(r, root);
        json_wrong(r, root);
        if (r->o->leaks)
            json_leaks(&leaks, root);
        if (r->needs)
            needs_json(r->needs, root);
        cli_json_number(root, "unmet", r->unmet);
        status = cli_json_print(root);
    } else {
        report_print(report);
        if (r->o->leaks)
            print_leaks(r, &leaks);
        if (r->needs)
            needs_print(r->needs);
    }
    uint64_t leaked = leaks.count + inspect_replay(r->sim)->leaked_blocks;
    bool wrong = r->o->strict && (r->misuses || (r->o->leaks && leaked));
    return status ? status : r->unmet || wrong ? STATUS_FAILED : STATUS_OK;
}

/* A policy that knows the future needs the whole trace at once. */
static enum err load_if_needed(const struct run_options *o, const struct config *config,
                               struct trace **trace, struct error *e)
{
    bool file = strcmp(o->common.trace, "-") != 0;
    if (!kernel_needs_future(&config->kernel) || !file)
        return ERR_NONE;
    return trace_load(trace, o->common.trace, e);
}

static int run_single(const struct run_options *o)
{
    struct error e = {0};
    struct trace_reader *reader;
    struct run r = {.o = o};
    struct report report = {0};
    if (trace_open(&reader, o->common.trace, &e))
        return cli_fail(&e);
    const struct trace_header *header = trace_reader_header(reader);
    report.title = header->name;
    struct trace *trace = NULL;
    int status = STATUS_OK;
    if (cli_configure(&o->common, header, &report.config, &e) ||
        load_if_needed(o, &report.config, &trace, &e) ||
        run_once(&r, trace, trace ? NULL : reader, &report, &e))
        status = cli_fail(&e);
    if (!status)
        status = print_run(&r, header, &report, &e);
    sim_close(r.sim);
    workset_free(r.needs);
    trace_free(trace);
    trace_close(reader);
    return status;
}

/* ---- several runs ---- */

/* Applies one item of --compare. */
static enum err apply(struct config *c, const char *item, struct error *e)
{
    if (*item == '@')
        return config_file(c, item + 1, e);
    return strchr(item, '=') ? config_option(c, item, e) : config_set(c, "alloc", item, e);
}

struct comparison {
    const struct run_options *o;
    const struct trace *trace;
    struct report report[COMPARED_MAX];
    size_t count;
    bool unmet;
};

static enum err compare_one(struct comparison *c, const char *item, struct error *e)
{
    struct run r = {.o = c->o};
    struct report *report = &c->report[c->count];
    if (c->count == COMPARED_MAX)
        return error_set(e, ERR_USAGE, NULL, 0, "--compare", "at most %d runs", COMPARED_MAX);
    report->title = c->trace->header.name;
    snprintf(report->label, sizeof(report->label), "%s", item);
    enum err err = cli_configure(&c->o->common, &c->trace->header, &report->config, e);
    if (!err)
        err = apply(&report->config, item, e);
    if (!err)
        err = run_once(&r, c->trace, NULL, report, e);
    sim_close(r.sim);
    c->count++;
    return err;
}

static enum err compare_all(struct comparison *c, struct error *e)
{
    enum err err = ERR_NONE;
    for (size_t i = 0; alloc_table[i] && !err; i++)
        err = compare_one(c, alloc_table[i]->name, e);
    return err;
}

static int print_comparison(const struct comparison *c)
{
    const struct report *list[COMPARED_MAX];
    struct error e = {0};
    for (size_t i = 0; i < c->count; i++)
        list[i] = &c->report[i];
    if (c->o->plot && bars_write(list, c->count, c->o->plot, &e))
        return cli_fail(&e);
    if (!c->o->common.json) {
        report_compare(list, c->count);
        return STATUS_OK;
    }
    cJSON *root = cJSON_CreateObject();
    cJSON *runs = cJSON_AddArrayToObject(root, "runs");
    for (size_t i = 0; i < c->count; i++)
        cJSON_AddItemToArray(runs, report_json(list[i]));
    return cli_json_print(root);
}

static int run_compared(const struct run_options *o)
{
    struct error e = {0};
    struct comparison *c = calloc(1, sizeof(*c));
    char *list = strdup(o->compare);
    struct trace *trace = NULL;
    enum err err = c && list ? trace_load(&trace, o->common.trace, &e)
                             : error_set(&e, ERR_MEMORY, NULL, 0, NULL, "no memory");
    if (!err) {
        c->o = o;
        c->trace = trace;
    }
    char *rest = list;
    for (char *item; !err && (item = strtok_r(rest, ",", &rest));)
        err = strcmp(item, "all") == 0 ? compare_all(c, &e) : compare_one(c, item, &e);
    if (!err && !c->count)
        err = error_set(&e, ERR_USAGE, NULL, 0, "--compare", "the list is empty");
    int status = err ? cli_fail(&e) : print_comparison(c);
    trace_free(trace);
    free(list);
    free(c);
    return status;
}

int cli_run(int argc, char **argv)
{
    static const struct argp_child groups[] = {
        {&cli_machine_argp, 0, 0, 0},
        {&cli_json_argp, 0, 0, 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Replay a trace through allocator, kernel and MMU, and report. The exit status is 1 "
               "where the trace expects something else than what happens.",
        .children = groups,
    };
    struct run_options o = {.common = {.command = "memwalk run"}};
    cli_parse(&argp, argc, argv, false, &o);
    return o.compare ? run_compared(&o) : run_single(&o);
}
