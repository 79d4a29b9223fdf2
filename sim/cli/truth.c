/* truth.c: 'memwalk truth': replays a trace as a native replay would, and compares with one.
 *
 * The texts that it writes, or reads with --against, are those of a program that did the same ops
 * on a real Linux with the real C library. So a difference is a fault of the model, and the first
 * op that differs is where to look.
 */
#include "sim/cli/truth.h"

#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/cli/stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RAM_OF_RECORDINGS (24105 * MIB)

/* The keys of the options that write a text stand together, in the order of enum truth_text. */
enum {
    KEY_TOUCH = 0x900,
    KEY_READ,
    KEY_LAYOUT,
    KEY_TUNABLES,
    KEY_RAM,
    KEY_STOP,
    KEY_AGAINST,
    KEY_TEXT,
};

struct truth_command {
    const char *trace, *layout, *against;
    const char *file[TRUTH_TEXTS];
    struct truth_options o;
};

static const struct argp_option options[] = {
    {"touch", KEY_TOUCH, "none|first|page|all", 0, "What is written into every new block", 1},
    {"read", KEY_READ, 0, 0, "Read the touched bytes instead of writing them", 1},
    {"layout", KEY_LAYOUT, "FILE", 0, "Take heap0 and mmap_low from this summary", 1},
    {"tunables", KEY_TUNABLES, "TEXT", 0, "As the environment's GLIBC_TUNABLES", 1},
    {"ram", KEY_RAM, "BYTES", 0, "RAM that overcommit goes by (default 24105 MiB)", 1},
    {"stop", KEY_STOP, "N", 0, "Stop after N ops", 1},
    {"against", KEY_AGAINST, "PREFIX", 0,
     "Compare with PREFIX.out, PREFIX.sys and so on, plain or .gz", 2},
    {"out", KEY_TEXT + TRUTH_OUT, "FILE", 0, "Write results and faults, a line for each op", 3},
    {"sys", KEY_TEXT + TRUTH_SYS, "FILE", 0, "Write the system calls", 3},
    {"walk", KEY_TEXT + TRUTH_WALK, "FILE", 0, "Write the chunks of the heap", 3},
    {"pages", KEY_TEXT + TRUTH_PAGES, "FILE", 0, "Write runs of present pages", 3},
    {"arena", KEY_TEXT + TRUTH_ARENA, "FILE", 0, "Write the allocator's lists and parameters", 3},
    {"info", KEY_TEXT + TRUTH_INFO, "FILE", 0, "Write what malloc_info(0) would print", 3},
    {"maps", KEY_TEXT + TRUTH_MAPS, "FILE", 0, "Write the areas", 3},
    {"summary", KEY_TEXT + TRUTH_SUMMARY, "FILE", 0, "Write the figures as a JSON object", 3},
    {0},
};

static enum truth_touch parse_touch(const struct argp_state *state, const char *text)
{
    static const char *const names[] = {"none", "first", "page", "all"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0)
            return (enum truth_touch)i;
    argp_error(state, "--touch: \"%s\" is not none, first, page or all", text);
    return TRUTH_TOUCH_NONE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct truth_command *c = state->input;
    if (key >= KEY_TEXT && key < KEY_TEXT + TRUTH_TEXTS) {
        c->file[key - KEY_TEXT] = arg;
        return 0;
    }
    switch (key) {
    case KEY_TOUCH:
        c->o.touch = parse_touch(state, arg);
        return 0;
    case KEY_READ:
        c->o.read = true;
        return 0;
    case KEY_LAYOUT:
        c->layout = arg;
        return 0;
    case KEY_TUNABLES:
        c->o.tunables = arg;
        return 0;
    case KEY_RAM:
        c->o.ram = cli_number(state, "--ram", arg);
        return 0;
    case KEY_STOP:
        c->o.stop = cli_number(state, "--stop", arg);
        return 0;
    case KEY_AGAINST:
        c->against = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (c->trace)
            argp_error(state, "one TRACE is enough; \"%s\" is too many", arg);
        c->trace = arg;
        return 0;
    case ARGP_KEY_END:
        if (!c->trace)
            argp_error(state, "a TRACE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- the layout ---- */

/* An address of a summary: a text "0x…". */
static enum err read_address(const cJSON *root, const char *name, const char *path, va_t *at,
                             struct error *e)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, name));
    char *end = NULL;
    uint64_t value = text ? strtoull(text, &end, 16) : 0;
    if (!text || !*text || *end || value % PAGE_SIZE || !value || value >> 47)
        return error_set(e, ERR_VALUE, path, 0, name,
                         "the address of a page, as a text \"0x…\", is expected");
    *at = value;
    return ERR_NONE;
}

static enum err read_layout(struct truth_command *c, const char *path, bool must, struct error *e)
{
    struct text t = {0};
    bool found;
    enum err err = truth_read(path, &t, &found, e);
    if (!err && !found && must)
        err = error_set(e, ERR_IO, path, 0, "--layout", "there is no such file");
    if (!err && found) {
        cJSON *root = cJSON_Parse(t.bytes);
        if (!root)
            err = error_set(e, ERR_SYNTAX, path, 0, NULL, "is not a JSON object");
        if (!err)
            err = read_address(root, "heap0", path, &c->o.heap0, e);
        if (!err)
            err = read_address(root, "mmap_low", path, &c->o.mmap_low, e);
        /* Snapshots were only taken in runs under the tracer. */
        const cJSON *snapshots = cJSON_GetObjectItemCaseSensitive(root, "snapshots");
        c->o.traced = cJSON_GetArraySize(snapshots) > 0;
        cJSON_Delete(root);
    }
    text_free(&t);
    return err;
}

/* --layout, else the summary beside the texts to compare with, else what is usual. */
static enum err find_layout(struct truth_command *c, struct error *e)
{
    char path[4096];
    if (c->layout)
        return read_layout(c, c->layout, true, e);
    if (!c->against)
        return ERR_NONE;
    snprintf(path, sizeof(path), "%s.json", c->against);
    return read_layout(c, path, false, e);
}

/* ---- the command ---- */

static enum err write_text(const struct text *t, const char *path, unsigned what, struct error *e)
{
    if (!t->bytes)
        return error_set(e, ERR_USAGE, NULL, 0, truth_text_name[what],
                         "this kind of trace has no such text");
    FILE *out = stream_open(path, e);
    if (!out)
        return e->code;
    fwrite(t->bytes, 1, t->size, out);
    return stream_close(out, path, e);
}

static enum err write_texts(const struct truth_command *c, const struct truth *t, struct error *e)
{
    enum err err = ERR_NONE;
    for (unsigned i = 0; !err && i < TRUTH_TEXTS; i++)
        if (c->file[i])
            err = write_text(&t->text[i], c->file[i], i, e);
    return err;
}

static enum err replay(const struct trace *trace, const struct truth_options *o, struct truth *t,
                       struct error *e)
{
    enum truth_kind kind;
    enum err err = truth_kind_of(trace, &kind, e);
    if (!err)
        err = kind == TRUTH_MALLOC ? truth_malloc(trace, o, t, e) : truth_vm(trace, o, t, e);
    for (unsigned i = 0; !err && i < TRUTH_TEXTS; i++)
        if (t->text[i].failed)
            err = error_set(e, ERR_MEMORY, trace->path, 0, NULL, "no memory for the texts");
    return err;
}

/* The allocator's state just before and just after the first op that differs. */
static enum err print_states(const struct trace *trace, const struct truth_command *c, uint64_t op,
                             struct error *e)
{
    for (uint64_t after = 0; after < 2; after++) {
        struct truth_options o = c->o;
        struct truth t = {0};
        o.stop = op + after;
        enum err err = replay(trace, &o, &t, e);
        if (!err && t.text[TRUTH_ARENA].bytes)
            printf("memwalk's allocator just %s op %" PRIu64 ":\n%s", after ? "after" : "before",
                   op, t.text[TRUTH_ARENA].bytes);
        truth_free(&t);
        if (err)
            return err;
    }
    return ERR_NONE;
}

static enum err compare(const struct trace *trace, const struct truth_command *c,
                        const struct truth *t, bool *same, struct error *e)
{
    uint64_t first;
    enum err err = truth_compare(t, c->against, same, &first, e);
    if (!err && first < trace->count) {
        char text[160];
        const struct op *op = &trace->op[first];
        printf("op %" PRIu64 " (%s:%u): %s\n", first, c->trace, op->line,
               op_text(op, NULL, text, sizeof(text)));
        err = print_states(trace, c, first, e);
    }
    return err;
}

int cli_truth(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Replay a trace as a native replay on Linux with the GNU C library would, write "
               "what happened as texts, or compare it with the texts of such a replay. The exit "
               "status is 1 where they differ.",
    };
    struct truth_command c = {
        .o = {.heap0 = 0x555555681000,
              .mmap_low = 0x7ffff75b9000,
              .ram = RAM_OF_RECORDINGS,
              .stop = UINT64_MAX},
    };
    struct error e = {0};
    struct trace *trace = NULL;
    struct truth t = {0};
    bool same = true;
    cli_parse(&argp, argc, argv, false, &c);
    enum err err = find_layout(&c, &e);
    if (!err)
        err = trace_load(&trace, c.trace, &e);
    if (!err)
        err = replay(trace, &c.o, &t, &e);
    if (!err)
        err = write_texts(&c, &t, &e);
    if (!err && c.against)
        err = compare(trace, &c, &t, &same, &e);
    truth_free(&t);
    trace_free(trace);
    return err ? cli_fail(&e) : same ? STATUS_OK : STATUS_FAILED;
}
