/* lab.c: 'memwalk lab': grades an allocator on traces as a malloc lab does. */
#include "sim/lab.h"
#include "sim/cli/cli.h"
#include "sim/cli/common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRACES_MAX  256
#define FAULTS_TOLD 20

enum { KEY_ALIGNMENT = 0x700 };

struct lab_args {
    struct cli_options common;
    const char *trace[TRACES_MAX];
    size_t traces;
    uint64_t alignment;
};

static const struct argp_option options[] = {
    {"alignment", KEY_ALIGNMENT, "BYTES", 0, "Blocks must lie at multiples of it (default 16)", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct lab_args *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = &a->common;
        return 0;
    case KEY_ALIGNMENT:
        a->alignment = cli_number(state, "--alignment", arg);
        if (!is_pow2(a->alignment))
            argp_error(state, "--alignment: \"%s\" is not a power of two", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (a->traces == TRACES_MAX)
            argp_error(state, "at most %d traces", TRACES_MAX);
        a->trace[a->traces++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->traces)
            argp_error(state, "a TRACE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* One trace, graded. */
struct grade {
    const char *trace;
    uint64_t faults;
    struct stats stats;
    cJSON *list;
};

static void tell(void *ctx, const struct lab_fault *f)
{
    struct grade *g = ctx;
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(g->list, item);
    cJSON_AddStringToObject(item, "check", lab_check_name[f->what]);
    cli_json_number(item, "op", f->op);
    cli_json_number(item, "line", f->line);
    cJSON_AddStringToObject(item, "text", f->text);
    if (g->faults++ < FAULTS_TOLD)
        fprintf(stderr, "memwalk: %s:%" PRIu32 ": op %" PRIu64 ": %s: %s\n", g->trace, f->line,
                f->op, lab_check_name[f->what], f->text);
}

static enum err grade_one(const struct lab_args *a, struct grade *g, struct error *e)
{
    struct trace *trace = NULL;
    struct config config;
    uint64_t faults = 0;
    enum err err = trace_load(&trace, g->trace, e);
    if (!err)
        err = cli_configure(&a->common, &trace->header, &config, e);
    struct lab_options o = {&config, trace, a->alignment, false, tell, g};
    if (!err)
        err = lab_run(&o, &faults, &g->stats, e);
    if (g->faults > FAULTS_TOLD)
        fprintf(stderr, "memwalk: %s: and %" PRIu64 " more\n", g->trace, g->faults - FAULTS_TOLD);
    if (!err && g->faults)
        fprintf(stderr, "memwalk: %s: 'memwalk view --at-error %s' shows the first one\n", g->trace,
                g->trace);
    trace_free(trace);
    return err;
}

static double utilisation(const struct stats *s)
{
    return figure_double(figure_find("heap.utilisation"), s);
}

static void print_grade(const struct grade *g)
{
    char ops[32];
    printf("%-40s %-6s %11.1f %% %12s %14.1f\n", g->trace, g->faults ? "no" : "yes",
           100 * utilisation(&g->stats), cli_grouped(g->stats.replay.ops, ops),
           figure_double(figure_find("alloc.cycles_mean"), &g->stats));
}

static cJSON *json_grade(const struct grade *g)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "trace", g->trace);
    cJSON_AddBoolToObject(item, "valid", g->faults == 0);
    cJSON_AddNumberToObject(item, "utilisation", utilisation(&g->stats));
    cJSON_AddNumberToObject(item, "cycles_mean",
                            figure_double(figure_find("alloc.cycles_mean"), &g->stats));
    cJSON_AddItemToObject(item, "faults", cJSON_Duplicate(g->list, true));
    return item;
}

static int grade_all(const struct lab_args *a)
{
    struct error e = {0};
    bool good = true;
    double sum = 0;
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "traces");
    if (!a->common.json)
        printf("%-40s %-6s %13s %12s %14s\n", "trace", "valid", "utilisation", "ops",
               "cycles/call");
    enum err err = ERR_NONE;
    for (size_t i = 0; i < a->traces && !err; i++) {
        struct grade g = {.trace = a->trace[i], .list = cJSON_CreateArray()};
        err = grade_one(a, &g, &e);
        good = good && !g.faults;
        sum += utilisation(&g.stats);
        if (!err && a->common.json)
            cJSON_AddItemToArray(list, json_grade(&g));
        else if (!err)
            print_grade(&g);
        cJSON_Delete(g.list);
    }
    if (!err && !a->common.json && a->traces > 1)
        printf("%-40s %-6s %11.1f %%\n", "mean", good ? "yes" : "no",
               100 * sum / (double)a->traces);
    if (!err && a->common.json)
        cli_json_print(root);
    else
        cJSON_Delete(root);
    if (err)
        return cli_fail(&e);
    return good ? STATUS_OK : STATUS_FAILED;
}

int cli_lab(int argc, char **argv)
{
    static const struct argp_child groups[] = {
        {&cli_machine_argp, 0, 0, 0},
        {&cli_json_argp, 0, 0, 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE…",
        .doc =
            "Grade an allocator on traces (.rep or any other form) as a malloc lab does: is every "
            "block aligned, inside the heap, apart from all others, and does it keep its bytes, "
            "through realloc too; how well is memory used, and what does a call cost. The exit "
            "status is 1 where a check fails.",
        .children = groups,
    };
    struct lab_args a = {.common = {.command = argv[0]}, .alignment = 16};
    cli_parse(&argp, argc, argv, false, &a);
    return grade_all(&a);
}
