/* view.c: memwalk view: the window on a trace, or one of its moments as a PNG or SVG file. */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/cli/picture.h"
#include "sim/lab.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_PNG = 0x400,
    KEY_SVG,
    KEY_SIZE,
    KEY_SCALE,
    KEY_THEME,
    KEY_LANG,
    KEY_STILL,
    KEY_NARRATE,
    KEY_PANE,
    KEY_EXIT_AFTER,
    KEY_AT_ERROR,
    KEY_AT_BREAK,
    KEY_AT,
    KEY_AGAINST,
    KEY_FRESH,
    KEY_KEYS,
};

#define AGAINST_MOST 16u

struct view_args {
    struct cli_options common;
    struct viz_options viz;
    const char *png, *svg, *at_break;
    bool at_error, fresh;
    struct moment at; /* op 0: not given */
    const char *against[AGAINST_MOST];
    size_t againsts;
};

static const struct argp_option options[] = {
    {"png", KEY_PNG, "FILE", 0, "Write the picture to FILE instead of opening a window", 1},
    {"svg", KEY_SVG, "FILE", 0, "The same as SVG, sharp at every size", 1},
    {"size", KEY_SIZE, "WxH", 0, "Pixels of window or picture (default 1600x900)", 1},
    {"scale", KEY_SCALE, "S", 0, "Size of text, 0.5 to 3 (default 1)", 1},
    {"theme", KEY_THEME, "NAME", 0, "dark, light or contrast (default dark)", 1},
    {"lang", KEY_LANG, "NAME", 0, "Language of all words: en or de (default en)", 1},
    {"pane", KEY_PANE, "NAME", 0,
     "Enlarge a pane: program, heap, address, tlb1, tlb2, psc, walk, areas, frames", 1},
    {"at", KEY_AT, "N[.K]", 0, "Begin after event K of op N, without K after all of it", 1},
    {"at-break", KEY_AT_BREAK, "QUERY", 0,
     "Begin at the first event that is asked for: fault, malloc, \"tlb_miss level=2\", addr=0x…",
     1},
    {"against", KEY_AGAINST, "KEY=VALUE", 0,
     "Show the same trace on a machine with this setting beside it, locked to the same moment; may "
     "be repeated",
     1},
    {"at-error", KEY_AT_ERROR, NULL, 0,
     "Begin at the first op that goes wrong: a mistake of the program, or a check of memwalk lab",
     1},
    {"fresh", KEY_FRESH, NULL, 0, "Neither use nor change what the window remembers", 1},
    {"still", KEY_STILL, NULL, 0, "No motion: every step is a cut", 1},
    {"narrate", KEY_NARRATE, NULL, 0,
     "Also print each moment as a line of text, for screen readers", 1},
    {"keys", KEY_KEYS, NULL, 0, "Print the keys of the window, one a line", 1},
    {"exit-after", KEY_EXIT_AFTER, "N", 0, "Close the window after N pictures, for tests", 1},
    {0},
};

static void print_key(void *ctx, const char *key, const char *name, const char *doc)
{
    (void)ctx;
    printf("%s\t%s\t%s\n", key, name, doc);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct view_args *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = &a->common;
        return 0;
    case KEY_PNG:
        a->png = arg;
        return 0;
    case KEY_SVG:
        a->svg = arg;
        return 0;
    case KEY_SIZE:
        cli_picture_size(state, arg, &a->viz);
        return 0;
    case KEY_SCALE:
        a->viz.scale = (int)(cli_decimal(state, "--scale", arg, 0.5, 3) * 1000 + 0.5);
        return 0;
    case KEY_THEME:
        cli_picture_theme(state, arg, &a->viz);
        return 0;
    case KEY_LANG:
        cli_picture_lang(state, arg, &a->viz);
        return 0;
    case KEY_PANE:
        cli_picture_pane(state, arg, &a->viz);
        return 0;
    case KEY_AT:
        a->at = cli_picture_moment(state, "--at", arg, UINT64_MAX);
        return 0;
    case KEY_AT_BREAK:
        a->at_break = arg;
        return 0;
    case KEY_AGAINST:
        if (a->againsts == AGAINST_MOST)
            argp_error(state, "--against: %u of them are enough", AGAINST_MOST);
        a->against[a->againsts++] = arg;
        return 0;
    case KEY_KEYS:
        viz_keys(print_key, NULL);
        exit(STATUS_OK);
    case KEY_FRESH:
        a->fresh = true;
        return 0;
    case KEY_AT_ERROR:
        a->at_error = true;
        return 0;
    case KEY_STILL:
        a->viz.still = true;
        return 0;
    case KEY_NARRATE:
        a->viz.narrate = true;
        return 0;
    case KEY_EXIT_AFTER:
        a->viz.exit_after = cli_number(state, "--exit-after", arg);
        return 0;
    case ARGP_KEY_END:
        /* The window can do without a trace: it begins with the start screen. */
        if (!a->common.trace && (a->at.op || a->at_break || a->at_error || a->common.has_op))
            argp_error(state, "a TRACE is missing");
        return 0;
    default:
        return cli_trace_argument(&a->common, key, arg, state);
    }
}

static const struct argp_child children[] = {
    {&cli_machine_argp, 0, NULL, 0}, {&cli_moment_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    options,
    parse,
    "[TRACE]",
    "Show a trace from malloc to frame in a window: play, step forward and back, go to "
    "any moment. In the window, ? shows all keys. Without TRACE it begins with the lessons."
    "\vWithout --op the window opens before the first op, and --png and --svg show the end. The "
    "picture of --op N is that just after it. Below a picture stands the command that opens the "
    "window at its moment.",
    children,
    NULL,
    NULL};

/* Where to begin. */
static struct moment moment_of(const struct view_args *a)
{
    if (a->at.op)
        return a->at;
    if (!a->common.has_op)
        return a->png || a->svg ? (struct moment){UINT64_MAX, UINT64_MAX} : (struct moment){1, 0};
    if (!a->common.op)
        return (struct moment){1, 0};
    return (struct moment){a->common.op, a->common.step ? a->common.step : UINT64_MAX};
}

/* The shipped traces: beside a program that was built but not installed, else where they were
 * installed; NULL: nowhere. */
static const char *traces_folder(char *path, size_t size)
{
    static const char beside[] = "/../../traces";
    ssize_t n = readlink("/proc/self/exe", path, size - sizeof(beside));
    if (n > 0) {
        path[n] = '\0';
        char *slash = strrchr(path, '/');
        snprintf(slash, size - (size_t)(slash - path), "%s", beside);
        if (access(path, R_OK) == 0)
            return path;
    }
    snprintf(path, size, "%s/traces", MEMWALK_DATADIR);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* XDG Base Directory Specification: state that outlives the program. NULL: the user has no home. */
static const char *state_file(char *path, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (state && *state == '/')
        n = snprintf(path, size, "%s/memwalk/window.json", state);
    else if (home && *home == '/')
        n = snprintf(path, size, "%s/.local/state/memwalk/window.json", home);
    return n > 0 && (size_t)n < size ? path : NULL;
}

struct first_fault {
    struct lab_fault fault;
    bool any;
};

static void keep_first(void *ctx, const struct lab_fault *f)
{
    struct first_fault *first = ctx;
    if (!first->any)
        *first = (struct first_fault){*f, true};
}

/* Runs the trace to its first fault, and says what it is. */
static enum err find_error(struct view_args *a, const struct trace *trace,
                           const struct config *config, struct error *e)
{
    struct first_fault first = {.any = false};
    uint64_t faults;
    struct lab_options o = {config, trace, 16, true, keep_first, &first};
    enum err err = lab_run(&o, &faults, NULL, e);
    if (err)
        return err;
    if (!first.any) {
        fprintf(stderr, "memwalk: %s: no op goes wrong\n", a->common.trace);
        return ERR_NONE;
    }
    const struct lab_fault *f = &first.fault;
    fprintf(stderr, "memwalk: %s:%" PRIu32 ": op %" PRIu64 ": %s: %s\n", a->common.trace, f->line,
            f->op, lab_check_name[f->what], f->text);
    a->common.has_op = true;
    a->common.op = f->op;
    return ERR_NONE;
}

/* ---- what the window opens ---- */

struct opened { /* a trace on its machine */
    struct trace *trace;
    struct config config, against;
    char command[800], other[300];
};

static void opened_free(struct opened *o)
{
    trace_free(o->trace);
    free(o);
}

/* The machine beside: the same one with other settings. */
static enum err configure_against(const struct view_args *a, struct opened *o, struct error *e)
{
    enum err err = ERR_NONE;
    o->against = o->config;
    for (size_t i = 0; !err && i < a->againsts; i++) {
        size_t n = strlen(o->other);
        snprintf(o->other + n, sizeof(o->other) - n, "%s%s", n ? " " : "", a->against[i]);
        err = config_option(&o->against, a->against[i], e);
    }
    if (err && !e->field[0])
        snprintf(e->field, sizeof(e->field), "--against");
    return err;
}

static enum err open_trace(void *ctx, const char *path, struct viz_run *run, struct error *e)
{
    struct view_args *a = ctx;
    struct cli_options common = a->common;
    struct opened *o = calloc(1, sizeof(*o));
    if (!o)
        return error_set(e, ERR_MEMORY, path, 0, NULL, "no memory for the trace");
    common.trace = path;
    enum err err = trace_load(&o->trace, path, e);
    if (!err)
        err = cli_configure(&common, &o->trace->header, &o->config, e);
    if (!err)
        err = configure_against(a, o, e);
    if (err) {
        opened_free(o);
        return err;
    }
    *run = (struct viz_run){.trace = o->trace,
                            .config = &o->config,
                            .against = a->againsts ? &o->against : NULL,
                            .name = o->trace->header.name,
                            .command = cli_again(&common, o->command, sizeof(o->command)),
                            .other = o->other,
                            .own = o};
    for (size_t i = 0; i < a->againsts; i++) {
        size_t n = strlen(o->command);
        snprintf(o->command + n, sizeof(o->command) - n, " --against %s", a->against[i]);
    }
    snprintf(run->path, sizeof(run->path), "%s", path);
    return ERR_NONE;
}

static void close_trace(void *ctx, struct viz_run *run)
{
    (void)ctx;
    opened_free(run->own);
}

/* ---- the command ---- */

static enum err find_moment(struct view_args *a, const struct viz_run *run, struct error *e)
{
    if (a->at_error && find_error(a, run->trace, run->config, e))
        return e->code;
    if (a->at.op > run->trace->count)
        return error_set(e, ERR_VALUE, NULL, 0, "--at", "the trace has %zu ops", run->trace->count);
    if (a->common.has_op && a->common.op > run->trace->count)
        return error_set(e, ERR_VALUE, NULL, 0, "--op", "the trace has %zu ops", run->trace->count);
    a->viz.at = moment_of(a);
    return a->at_break ? viz_find(run, a->at_break, &a->viz.at, e) : ERR_NONE;
}

static enum err show(struct view_args *a, struct error *e)
{
    enum err err = ERR_NONE;
    if (a->png)
        err = viz_png(&a->viz, a->png, e);
    if (!err && a->svg)
        err = viz_svg(&a->viz, a->svg, e);
    if (!a->png && !a->svg)
        err = viz_window(&a->viz, e);
    return err;
}

int cli_view(int argc, char **argv)
{
    struct view_args a = {.common = {.command = argv[0]}};
    char traces[PATH_MAX], state[PATH_MAX];
    struct error e;
    enum err err = ERR_NONE;
    cli_parse(&argp, argc, argv, false, &a);
    struct viz_host host = {.open = open_trace,
                            .close = close_trace,
                            .ctx = &a,
                            .traces = traces_folder(traces, sizeof(traces)),
                            .state = a.fresh ? NULL : state_file(state, sizeof(state))};
    bool picture = a.png || a.svg;
    a.viz.host = &host;
    if (picture) {
        a.viz.width = a.viz.width ? a.viz.width : VIZ_WIDTH;
        a.viz.height = a.viz.height ? a.viz.height : VIZ_HEIGHT;
    }
    if (a.common.trace) {
        err = open_trace(&a, a.common.trace, &a.viz.run, &e);
        if (!err)
            err = find_moment(&a, &a.viz.run, &e);
    }
    if (!err)
        err = show(&a, &e);
    if (a.viz.run.own)
        close_trace(&a, &a.viz.run);
    return err ? cli_fail(&e) : STATUS_OK;
}
