/* trace.c: memwalk trace: check, stat, convert, cut and schema of traces, without running them. */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/cli/progress.h"
#include "traces/tools.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

struct trace_options {
    const char *from, *to;
    uint64_t first, last; /* of cut */
    bool json, quiet, salvage, has_form;
    enum trace_form form;
};

/* ---- options ---- */

enum {
    KEY_FORM = 256,
    KEY_SALVAGE,
    KEY_JSON,
    KEY_FROM,
    KEY_TO,
};

static error_t take_form(struct trace_options *o, const char *text, struct argp_state *state)
{
    static const char *const names[] = {[TRACE_LINES] = "lines",
                                        [TRACE_DOCUMENT] = "document",
                                        [TRACE_CALLS] = "calls",
                                        [TRACE_REP] = "rep"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        o->has_form = true;
        o->form = (enum trace_form)i;
        return 0;
    }
    argp_error(state, "--form: \"%s\" is not a form: lines, document, calls or rep", text);
    return EINVAL;
}

/* The TRACE, and OUTPUT where the command has one. */
static error_t take_argument(struct trace_options *o, char *arg, const struct argp_state *state,
                             bool has_output)
{
    if (state->arg_num == 0)
        o->from = arg;
    else if (state->arg_num == 1 && has_output)
        o->to = arg;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static error_t parse_read(int key, char *arg, struct argp_state *state)
{
    struct trace_options *o = state->input;
    switch (key) {
    case KEY_JSON:
        o->json = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        return take_argument(o, arg, state, false);
    case ARGP_KEY_END:
        if (!o->from)
            argp_error(state, "a TRACE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_write(int key, char *arg, struct argp_state *state)
{
    struct trace_options *o = state->input;
    switch (key) {
    case KEY_FORM:
        return take_form(o, arg, state);
    case KEY_SALVAGE:
        o->salvage = true;
        return 0;
    case KEY_FROM:
        o->first = cli_number(state, "--from", arg);
        return 0;
    case KEY_TO:
        o->last = cli_number(state, "--to", arg);
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        return take_argument(o, arg, state, true);
    case ARGP_KEY_END:
        if (!o->to)
            argp_error(state, "%s is missing", o->from ? "the OUTPUT" : "a TRACE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- reading with a bar ---- */

/* Hands every op to take; an error of either is printed. */
static int each_op(const char *path, enum err (*take)(void *ctx, const struct op *), void *ctx,
                   uint64_t *ops)
{
    struct error e;
    struct trace_reader *reader;
    struct progress bar;
    if (trace_open(&reader, path, &e))
        return cli_fail(&e);
    progress_start(&bar, "reading");
    struct op op;
    int got;
    enum err err = ERR_NONE;
    *ops = 0;
    while (!err && (got = trace_next(reader, &op, NULL, &e)) > 0) {
        err = take(ctx, &op);
        if (++*ops % 4096 == 0) {
            uint64_t done, total;
            trace_progress(reader, &done, &total);
            progress_tick(&bar, done, total);
        }
    }
    progress_end(&bar);
    trace_close(reader);
    if (err)
        error_set(&e, err, path, op.line, NULL, "no memory left to follow its blocks");
    return err || got < 0 ? cli_fail(&e) : STATUS_OK;
}

/* ---- check ---- */

struct check_report {
    struct trace_checker *checker;
    const char *path;
    cJSON *list; /* NULL: as text */
    bool quiet;
};

static void told(void *ctx, const struct trace_finding *f)
{
    const struct check_report *r = ctx;
    if (!r->list) {
        if (!r->quiet)
            printf("%s:%llu: op %llu: %s: %s\n", r->path, (unsigned long long)f->line,
                   (unsigned long long)f->op, finding_names[f->kind], f->text);
        return;
    }
    cJSON *finding = cJSON_CreateObject();
    cJSON_AddStringToObject(finding, "kind", finding_names[f->kind]);
    cli_json_number(finding, "op", f->op);
    cli_json_number(finding, "line", f->line);
    if (f->other_op) {
        cli_json_number(finding, "other_op", f->other_op);
        cli_json_number(finding, "other_line", f->other_line);
    }
    cli_json_number(finding, "id", f->id);
    cJSON_AddStringToObject(finding, "text", f->text);
    cJSON_AddItemToArray(r->list, finding);
}

static enum err check_op(void *ctx, const struct op *op)
{
    struct check_report *r = ctx;
    return trace_checker_op(r->checker, op);
}

static int check_end(const struct check_report *r, cJSON *root, uint64_t ops)
{
    const uint64_t *counts = trace_checker_counts(r->checker);
    uint64_t findings = 0;
    for (size_t i = 0; i < FINDING_COUNT; i++)
        findings += counts[i];
    char grouped[32];
    if (root) {
        cli_json_number(root, "ops", ops);
        cJSON_AddItemToObject(root, "findings", r->list);
        cli_json_print(root);
    } else if (findings) {
        printf("%s: %s ops", r->path, cli_grouped(ops, grouped));
        for (size_t i = 0; i < FINDING_COUNT; i++)
            if (counts[i])
                printf(", %llu %s", (unsigned long long)counts[i], finding_names[i]);
        printf("\n");
    } else if (!r->quiet) {
        printf("%s: %s ops, nothing to report\n", r->path, cli_grouped(ops, grouped));
    }
    return findings ? STATUS_FAILED : STATUS_OK;
}

static const struct argp_option check_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the findings as JSON", 0},
    {"quiet", 'q', NULL, 0, "Print only the counts, and those only if there are findings", 0},
    {0},
};

static const struct argp check_argp = {
    check_options,
    parse_read,
    "TRACE",
    "Checks that a trace is well formed, then follows its blocks and processes.\v"
    "Findings are what cannot be meant: a double free, a dead or unknown block, an access beyond "
    "a block's end, an id given again while it is live. Exit status: 0 nothing found, 1 "
    "findings, 2 the trace cannot be read.",
    NULL,
    NULL,
    NULL};

static int trace_check(int argc, char **argv)
{
    struct trace_options o = {0};
    cli_parse(&check_argp, argc, argv, false, &o);
    struct check_report r = {.path = o.from, .quiet = o.quiet};
    cJSON *root = o.json ? cJSON_CreateObject() : NULL;
    r.list = o.json ? cJSON_CreateArray() : NULL;
    r.checker = trace_checker_new(told, &r);
    uint64_t ops = 0;
    int status = r.checker ? each_op(o.from, check_op, &r, &ops) : STATUS_BAD;
    if (status == STATUS_OK) {
        status = check_end(&r, root, ops);
    } else {
        cJSON_Delete(root);
        cJSON_Delete(r.list);
    }
    trace_checker_free(r.checker);
    return status;
}

/* ---- stat ---- */

static enum err count_op(void *ctx, const struct op *op)
{
    return trace_counter_op(ctx, op);
}

static void print_kinds(const struct trace_stat *s)
{
    char number[32];
    for (size_t i = 0; i < OP_COUNT; i++)
        if (s->by_kind[i])
            printf("  %-16s %14s\n", op_info[i].name, cli_grouped(s->by_kind[i], number));
}

static void print_histogram(const struct trace_stat *s)
{
    enum { WIDTH = 50 };
    char number[32], size[32];
    uint64_t most = 1;
    unsigned low = 64, high = 0;
    for (unsigned k = 0; k < ARRAY_LEN(s->histogram); k++) {
        most = max_u64(most, s->histogram[k]);
        if (s->histogram[k]) {
            low = low < k ? low : k;
            high = k;
        }
    }
    for (unsigned k = low; k <= high; k++) {
        int bar = (int)((double)s->histogram[k] / (double)most * WIDTH + 0.5);
        bar += !bar && s->histogram[k];
        printf("  up to %9s %12s%s%.*s\n", cli_bytes((uint64_t)1 << k, size),
               cli_grouped(s->histogram[k], number), bar ? "  " : "", bar,
               "##################################################");
    }
}

static void print_line(const char *what, uint64_t n, const char *unit)
{
    char number[32];
    printf("  %-28s %16s%s%s\n", what, cli_grouped(n, number), *unit ? " " : "", unit);
}

static void print_stat(const char *path, const struct trace_stat *s)
{
    char number[32];
    printf("%s: %s ops\n", path, cli_grouped(s->ops, number));
    print_kinds(s);
    printf("\nMemory, as the program asked for it\n");
    print_line("requests", s->requests, "");
    print_line("of these failed", s->failed, "");
    print_line("requested in all", s->requested, "bytes");
    print_line("largest request", s->largest, "bytes");
    print_line("most live at once", s->peak_bytes, "bytes");
    print_line("  at op", s->peak_bytes_op, "");
    print_line("most live at once", s->peak_blocks, "blocks");
    print_line("  at op", s->peak_blocks_op, "");
    print_line("live at the end", s->live_bytes, "bytes");
    print_line("live at the end", s->live_blocks, "blocks");
    print_line("processes", s->processes, "");
    if (s->requests > s->failed) {
        printf("\nSizes of requests\n");
        print_histogram(s);
    }
}

static void stat_json(const struct trace_stat *s)
{
    cJSON *root = cJSON_CreateObject();
    cli_json_number(root, "ops", s->ops);
    cJSON *kinds = cJSON_AddObjectToObject(root, "by_kind");
    for (size_t i = 0; i < OP_COUNT; i++)
        if (s->by_kind[i])
            cli_json_number(kinds, op_info[i].name, s->by_kind[i]);
    cli_json_number(root, "requests", s->requests);
    cli_json_number(root, "failed", s->failed);
    cli_json_number(root, "requested_bytes", s->requested);
    cli_json_number(root, "largest_request", s->largest);
    cli_json_number(root, "peak_live_bytes", s->peak_bytes);
    cli_json_number(root, "peak_live_bytes_op", s->peak_bytes_op);
    cli_json_number(root, "peak_live_blocks", s->peak_blocks);
    cli_json_number(root, "peak_live_blocks_op", s->peak_blocks_op);
    cli_json_number(root, "end_live_bytes", s->live_bytes);
    cli_json_number(root, "end_live_blocks", s->live_blocks);
    cli_json_number(root, "processes", s->processes);
    cli_json_number(root, "marks", s->marks);
    cJSON *sizes = cJSON_AddObjectToObject(root, "sizes_up_to");
    for (unsigned k = 0; k < 64; k++) {
        char name[32];
        snprintf(name, sizeof(name), "%llu", 1ULL << k);
        if (s->histogram[k])
            cli_json_number(sizes, name, s->histogram[k]);
    }
    cli_json_print(root);
}

static const struct argp_option stat_options[] = {
    {"json", KEY_JSON, NULL, 0, "Print the counts as JSON", 0},
    {0},
};

static const struct argp stat_argp = {
    stat_options,
    parse_read,
    "TRACE",
    "Counts the ops of a trace, the sizes asked for, and what is live at most and at the end.",
    NULL,
    NULL,
    NULL};

static int trace_stat_command(int argc, char **argv)
{
    struct trace_options o = {0};
    cli_parse(&stat_argp, argc, argv, false, &o);
    struct trace_counter *counter = trace_counter_new();
    uint64_t ops;
    int status = counter ? each_op(o.from, count_op, counter, &ops) : STATUS_BAD;
    if (status == STATUS_OK && o.json)
        stat_json(trace_counter_stat(counter));
    else if (status == STATUS_OK)
        print_stat(o.from, trace_counter_stat(counter));
    trace_counter_free(counter);
    return status;
}

/* ---- convert and cut ---- */

static void copy_tick(void *ctx, uint64_t done, uint64_t total)
{
    progress_tick(ctx, done, total);
}

static int copy(const struct trace_options *o)
{
    struct progress bar;
    struct error e;
    struct trace_copied result;
    struct trace_copy options = {.form = o->has_form ? o->form : trace_form_of(o->to),
                                 .first = o->first,
                                 .last = o->last,
                                 .salvage = o->salvage,
                                 .tick = copy_tick,
                                 .ctx = &bar};
    progress_start(&bar, "converting");
    enum err err = trace_copy(o->from, o->to, &options, &result, &e);
    progress_end(&bar);
    if (err)
        return cli_fail(&e);
    if (result.damaged)
        error_print(&result.damage, stderr);
    bool says = !o->quiet && strcmp(o->to, "-") != 0;
    if (says && result.prelude)
        fprintf(stderr, "memwalk: %s: %llu ops written, %llu of them make what is needed before\n",
                o->to, (unsigned long long)result.ops, (unsigned long long)result.prelude);
    else if (says)
        fprintf(stderr, "memwalk: %s: %llu ops written\n", o->to,
                (unsigned long long)(result.ops - result.left));
    if (says && result.left)
        fprintf(stderr, "memwalk: %s: %llu ops left out, which a malloc-lab trace cannot hold\n",
                o->to, (unsigned long long)result.left);
    return STATUS_OK;
}

#define WRITE_OPTIONS                                                                              \
    {"form",                                                                                       \
     KEY_FORM,                                                                                     \
     "FORM",                                                                                       \
     0,                                                                                            \
     "lines (JSON Lines), document (one JSON document), calls (a document in the call notation) "  \
     "or rep (a malloc lab's, requests only); else as OUTPUT's name ends",                         \
     0},                                                                                           \
    {                                                                                              \
        "quiet", 'q', NULL, 0, "Say nothing when all went well", 0                                 \
    }

static const struct argp_option convert_options[] = {
    {"salvage", KEY_SALVAGE, NULL, 0, "Keep what can be read of a damaged trace", 0},
    WRITE_OPTIONS,
    {0},
};

static const struct argp convert_argp = {
    convert_options,
    parse_write,
    "TRACE OUTPUT",
    "Writes a trace in another form: .jsonl, .json or .rep, plain, .gz or .zst.\v"
    "OUTPUT \"-\" is standard output. The file appears whole or not at all.",
    NULL,
    NULL,
    NULL};

static int trace_convert(int argc, char **argv)
{
    struct trace_options o = {0};
    cli_parse(&convert_argp, argc, argv, false, &o);
    return copy(&o);
}

static const struct argp_option cut_options[] = {
    {"from", KEY_FROM, "OP", 0, "The first op, from 1 (default: 1)", 0},
    {"to", KEY_TO, "OP", 0, "The last op (default: the last one of the trace)", 0},
    WRITE_OPTIONS,
    {0},
};

static const struct argp cut_argp = {
    cut_options,
    parse_write,
    "TRACE OUTPUT",
    "Writes ops FROM to TO, both included, and before them what they need: forks, and the live "
    "blocks with their last sizes.\v"
    "Expected results and figures are left out, because another heap gives others. Areas that "
    "the program made itself by brk or mmap before FROM are not made again.",
    NULL,
    NULL,
    NULL};

static int trace_cut(int argc, char **argv)
{
    struct trace_options o = {.first = 1, .last = UINT64_MAX};
    cli_parse(&cut_argp, argc, argv, false, &o);
    if (o.first && o.first <= o.last)
        return copy(&o);
    struct error e;
    error_set(&e, ERR_USAGE, NULL, 0, "--from", "must be 1 or more, and not beyond --to");
    return cli_fail(&e);
}

/* ---- schema ---- */

static const struct argp schema_argp = {
    NULL, NULL, NULL, "Prints the JSON Schema (2020-12) of traces.", NULL, NULL, NULL};

static int trace_schema_command(int argc, char **argv)
{
    cli_parse(&schema_argp, argc, argv, false, NULL);
    trace_schema(stdout);
    return STATUS_OK;
}

/* ---- which of them ---- */

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
    {"check", trace_check}, {"stat", trace_stat_command},     {"convert", trace_convert},
    {"cut", trace_cut},     {"schema", trace_schema_command},
};

struct choice {
    int at; /* index of the subcommand's word in argv */
};

static error_t parse_choice(int key, char *arg, struct argp_state *state)
{
    struct choice *choice = state->input;
    (void)arg;
    if (key == ARGP_KEY_ARG) {
        choice->at = state->next - 1;
        state->next = state->argc; /* the rest is the subcommand's */
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "check, stat, convert, cut or schema is missing");
    return ARGP_ERR_UNKNOWN;
}

static const struct argp trace_argp = {
    NULL,
    parse_choice,
    "check|stat|convert|cut|schema …",
    "Works on traces without running them.\v"
    "  check TRACE           is it well formed, and does it make sense\n"
    "  stat TRACE            counts, sizes, most live at once\n"
    "  convert TRACE OUTPUT  between JSON Lines, documents, plain and packed\n"
    "  cut TRACE OUTPUT      some ops, with the blocks that they need\n"
    "  schema                the JSON Schema of traces\n\n"
    "Each has its own --help.",
    NULL,
    NULL,
    NULL};

int cli_trace(int argc, char **argv)
{
    struct choice choice = {0};
    const char *names[ARRAY_LEN(subcommands)];
    char near[128], name[64];
    cli_parse(&trace_argp, argc, argv, true, &choice);
    const char *wanted = argv[choice.at];
    for (size_t i = 0; i < ARRAY_LEN(subcommands); i++) {
        names[i] = subcommands[i].name;
        if (strcmp(wanted, names[i]) != 0)
            continue;
        snprintf(name, sizeof(name), "memwalk trace %s", names[i]);
        argv[choice.at] = name;
        return subcommands[i].run(argc - choice.at, argv + choice.at);
    }
    fprintf(stderr, "memwalk trace: \"%s\" is not a command%s\n", wanted,
            cli_near(wanted, names, ARRAY_LEN(names), near));
    return STATUS_BAD;
}
