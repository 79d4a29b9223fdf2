/* view.c: memwalk view: the window on a trace, or one of its moments as a PNG file. */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/cli/picture.h"
#include "sim/lab.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_PNG = 0x400,
    KEY_SVG,
    KEY_SIZE,
    KEY_SCALE,
    KEY_THEME,
    KEY_STILL,
    KEY_NARRATE,
    KEY_PANE,
    KEY_EXIT_AFTER,
    KEY_AT_ERROR,
};

struct view_args {
    struct cli_options common;
    struct viz_options viz;
    const char *png, *svg;
    bool at_error;
    char command[800]; /* as the caption of a picture says it */
};

static const struct argp_option options[] = {
    {"png", KEY_PNG, "FILE", 0, "Write the picture to FILE instead of opening a window", 1},
    {"svg", KEY_SVG, "FILE", 0, "The same as SVG, sharp at every size", 1},
    {"size", KEY_SIZE, "WxH", 0, "Pixels of window or picture (default 1600x900)", 1},
    {"scale", KEY_SCALE, "S", 0, "Size of text, 0.5 to 3 (default 1)", 1},
    {"theme", KEY_THEME, "NAME", 0, "dark, light or contrast (default dark)", 1},
    {"pane", KEY_PANE, "NAME", 0,
     "Enlarge a pane: program, heap, address, tlb1, tlb2, psc, walk, areas, frames", 1},
    {"at-error", KEY_AT_ERROR, NULL, 0,
     "Begin at the first op that goes wrong: a mistake of the program, or a check of memwalk lab",
     1},
    {"still", KEY_STILL, NULL, 0, "No motion: every step is a cut", 1},
    {"narrate", KEY_NARRATE, NULL, 0,
     "Also print each moment as a line of text, for screen readers", 1},
    {"exit-after", KEY_EXIT_AFTER, "N", 0, "Close the window after N pictures, for tests", 1},
    {0},
};

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
    case KEY_PANE:
        cli_picture_pane(state, arg, &a->viz);
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
    default:
        return cli_trace_argument(&a->common, key, arg, state);
    }
}

static const struct argp_child children[] = {
    {&cli_machine_argp, 0, NULL, 0}, {&cli_moment_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    options,
    parse,
    "TRACE",
    "Show a trace from malloc to frame in a window: play, step forward and back, go to "
    "any moment. In the window, ? shows all keys."
    "\vWithout --op the window opens before the first op, and --png and --svg show the end. The "
    "picture of --op N is that just after it. Below a picture stands the command that opens the "
    "window at its moment.",
    children,
    NULL,
    NULL};

/* Where to begin. */
static struct moment moment_of(const struct view_args *a)
{
    if (!a->common.has_op)
        return a->png || a->svg ? (struct moment){UINT64_MAX, UINT64_MAX} : (struct moment){1, 0};
    if (!a->common.op)
        return (struct moment){1, 0};
    return (struct moment){a->common.op, a->common.step ? a->common.step : UINT64_MAX};
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

static int show(struct view_args *a, const struct trace *trace)
{
    struct error error;
    struct config config;
    if (cli_configure(&a->common, &trace->header, &config, &error) ||
        (a->at_error && find_error(a, trace, &config, &error)))
        return cli_fail(&error);
    if (a->common.has_op && a->common.op > trace->count) {
        error_set(&error, ERR_VALUE, NULL, 0, "--op", "the trace has %zu ops", trace->count);
        return cli_fail(&error);
    }
    a->viz.trace = trace;
    a->viz.config = &config;
    a->viz.name = trace->header.name;
    a->viz.at = moment_of(a);
    a->viz.command = cli_again(&a->common, a->command, sizeof(a->command));
    enum err err = ERR_NONE;
    if (a->png)
        err = viz_png(&a->viz, a->png, &error);
    if (!err && a->svg)
        err = viz_svg(&a->viz, a->svg, &error);
    if (!a->png && !a->svg)
        err = viz_window(&a->viz, &error);
    a->viz.config = NULL; /* it ends here */
    return err ? cli_fail(&error) : STATUS_OK;
}

int cli_view(int argc, char **argv)
{
    struct view_args a = {
        .common = {.command = argv[0]},
        .viz = {.width = VIZ_WIDTH, .height = VIZ_HEIGHT, .scale = 1000, .theme = viz_themes()[0]}};
    cli_parse(&argp, argc, argv, false, &a);
    struct error error;
    struct trace *trace;
    if (trace_load(&trace, a.common.trace, &error))
        return cli_fail(&error);
    int status = show(&a, trace);
    trace_free(trace);
    return status;
}
