/* common.c: options that commands share, simulations opened from them, printing.
 *
 * Unknown options are found before argp sees them, because argp cannot say which one was meant.
 */
#include "sim/cli/common.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- groups of options ---- */

enum { KEY_ALLOC = 0x200, KEY_JSON, KEY_OP, KEY_STEP, KEY_PID };

static const struct argp_option machine_options[] = {
    {"machine", 'm', "FILE", 0, "Read settings from a machine file (a JSON object)", 1},
    {"set", 'o', "KEY=VALUE", 0, "Set one key of the configuration; see 'memwalk config'", 1},
    {"alloc", KEY_ALLOC, "NAME", 0, "Use this allocator: short for -o alloc=NAME", 1},
    {0},
};

static error_t machine_parse(int key, char *arg, struct argp_state *state)
{
    struct cli_options *o = state->input;
    switch (key) {
    case 'm':
        if (o->machines == ARRAY_LEN(o->machine))
            argp_error(state, "at most %zu machine files", ARRAY_LEN(o->machine));
        o->machine[o->machines++] = arg;
        return 0;
    case 'o':
        if (o->settings == CLI_SETTINGS)
            argp_error(state, "at most %d settings", CLI_SETTINGS);
        o->setting[o->settings++] = arg;
        return 0;
    case KEY_ALLOC:
        snprintf(o->alloc, sizeof(o->alloc), "alloc=%s", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_machine_argp = {machine_options, machine_parse, 0, 0, 0, 0, 0};

static const struct argp_option json_options[] = {
    {"json", KEY_JSON, 0, 0, "Print JSON", 3},
    {0},
};

static error_t json_parse(int key, char *arg, struct argp_state *state)
{
    struct cli_options *o = state->input;
    (void)arg;
    if (key != KEY_JSON)
        return ARGP_ERR_UNKNOWN;
    o->json = true;
    return 0;
}

const struct argp cli_json_argp = {json_options, json_parse, 0, 0, 0, 0, 0};

static const struct argp_option moment_options[] = {
    {"op", KEY_OP, "N", 0, "Look after op N (0: before the first) instead of at the end", 2},
    {"step", KEY_STEP, "K", 0, "Look inside op N, just after its K-th event", 2},
    {"pid", KEY_PID, "PID", 0, "Look at this process instead of the running one", 2},
    {0},
};

static error_t moment_parse(int key, char *arg, struct argp_state *state)
{
    struct cli_options *o = state->input;
    switch (key) {
    case KEY_OP:
        o->op = cli_number(state, "--op", arg);
        o->has_op = true;
        return 0;
    case KEY_STEP:
        o->step = cli_number(state, "--step", arg);
        return 0;
    case KEY_PID:
        o->pid = cli_number(state, "--pid", arg);
        if (!o->pid || o->pid > UINT16_MAX)
            argp_error(state, "--pid: a number from 1 to 65535 is expected");
        return 0;
    case ARGP_KEY_END:
        if (o->step && !o->op)
            argp_error(state, "--step needs --op N with N from 1");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_moment_argp = {moment_options, moment_parse, 0, 0, 0, 0, 0};

double cli_decimal(const struct argp_state *state, const char *option, const char *text,
                   double least, double most)
{
    char *end;
    double number = strtod(text, &end);
    if (*end || end == text || !(number >= least && number <= most))
        argp_error(state, "%s: \"%s\" is not a number from %g to %g", option, text, least, most);
    return number;
}

error_t cli_trace_argument(struct cli_options *o, int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG && !o->trace) {
        o->trace = arg;
        return 0;
    }
    if (key == ARGP_KEY_ARG)
        argp_error(state, "one TRACE is enough; \"%s\" is too many", arg);
    if (key == ARGP_KEY_END && !o->trace)
        argp_error(state, "a TRACE is missing");
    return ARGP_ERR_UNKNOWN;
}

uint64_t cli_number(const struct argp_state *state, const char *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    if (errno || *end || end == text || *text == '-' || *text == '+' || *text == ' ')
        argp_error(state, "%s: \"%s\" is not a whole number", option, text);
    return n;
}

enum lang cli_lang(const struct argp_state *state, const char *text)
{
    enum lang lang = LANG_EN;
    if (!lang_of(text, &lang))
        argp_error(state, "--lang: there is no lang \"%s\", only en and de", text);
    return lang;
}

/* ---- unknown options ---- */

#define OPTIONS_MAX 128

struct option_list {
    const struct argp_option *option[OPTIONS_MAX];
    size_t count;
};

static void collect(const struct argp *argp, struct option_list *list)
{
    static const struct argp_option standard[] = {
        {"help", '?', 0, 0, 0, 0}, {"usage", 0x300, 0, 0, 0, 0}, {0}};
    const struct argp_option *own[] = {argp->options, list->count ? NULL : standard};
    for (size_t k = 0; k < ARRAY_LEN(own); k++)
        for (const struct argp_option *o = own[k]; o && (o->name || o->key || o->doc); o++)
            if (list->count < OPTIONS_MAX)
                list->option[list->count++] = o;
    for (const struct argp_child *c = argp->children; c && c->argp; c++)
        collect(c->argp, list);
}

/* The option that begins like this ("--mach" is --machine, as in getopt_long). */
static const struct argp_option *find_long(const struct option_list *list, const char *text,
                                           size_t length)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->option[i]->name && strncmp(list->option[i]->name, text, length) == 0)
            return list->option[i];
    return NULL;
}

static const struct argp_option *find_short(const struct option_list *list, char c)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->option[i]->key == c)
            return list->option[i];
    return NULL;
}

static void unknown_long(const struct option_list *list, const char *command, const char *text,
                         size_t length)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    char given[64], hint[128];
    for (size_t i = 0; i < list->count; i++)
        if (list->option[i]->name)
            names[count++] = list->option[i]->name;
    snprintf(given, sizeof(given), "%.*s", (int)min_u64(length, sizeof(given) - 1), text);
    const char *near = error_nearest(given, names, count);
    if (near)
        snprintf(hint, sizeof(hint), "; did you mean \"--%s\"?", near);
    fprintf(stderr, "%s: there is no option \"--%s\"%s\nTry '%s --help' for all options.\n",
            command, given, near ? hint : "", command);
    exit(STATUS_BAD);
}

/* How many arguments the option at argv[0] takes away: itself, or itself and its value. */
static int skip_option(const struct option_list *list, const char *command, const char *arg)
{
    if (arg[1] == '-') {
        size_t length = strcspn(arg + 2, "=");
        const struct argp_option *o = find_long(list, arg + 2, length);
        if (!o)
            unknown_long(list, command, arg + 2, length);
        return o && o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && !arg[2 + length] ? 2 : 1;
    }
    for (const char *c = arg + 1; *c; c++) {
        const struct argp_option *o = find_short(list, *c);
        if (!o) {
            fprintf(stderr, "%s: there is no option \"-%c\"\nTry '%s --help' for all options.\n",
                    command, *c, command);
            exit(STATUS_BAD);
        }
        if (o->arg && !(o->flags & OPTION_ARG_OPTIONAL))
            return c[1] ? 1 : 2;
    }
    return 1;
}

void cli_parse(const struct argp *argp, int argc, char **argv, bool in_order, void *input)
{
    struct option_list list = {.count = 0};
    collect(argp, &list);
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--") == 0)
            break;
        bool option = argv[i][0] == '-' && argv[i][1];
        if (!option && in_order)
            break;
        i += option ? skip_option(&list, argv[0], argv[i]) : 1;
    }
    argp_err_exit_status = STATUS_BAD;
    if (argp_parse(argp, argc, argv, in_order ? ARGP_IN_ORDER : 0, NULL, input))
        exit(STATUS_BAD);
}

const char *cli_near(const char *given, const char *const *names, size_t count, char *text)
{
    const char *near = error_nearest(given, names, count);
    text[0] = '\0';
    if (near)
        snprintf(text, 128, "; did you mean \"%s\"?", near);
    return text;
}

/* ---- configurations and simulations ---- */

/* Says where a setting came from, where the message does not. */
static enum err from(struct error *e, enum err err, const char *where)
{
    if (err && !e->file[0])
        snprintf(e->file, sizeof(e->file), "%s", where);
    return err;
}

enum err cli_configure(const struct cli_options *o, const struct trace_header *header,
                       struct config *config, struct error *e)
{
    enum err err = ERR_NONE;
    config_default(config);
    for (size_t i = 0; !err && i < o->machines; i++)
        err = config_file(config, o->machine[i], e);
    if (!err && header && header->config)
        err = from(e, config_json(config, header->config, NULL, e), o->trace);
    for (size_t i = 0; !err && i < o->settings; i++)
        err = from(e, config_option(config, o->setting[i], e), "-o");
    if (!err && *o->alloc)
        err = from(e, config_option(config, o->alloc, e), "--alloc");
    return err ? err : config_check(config, e);
}

int cli_open(struct cli_session *s, const struct cli_options *o, const struct sim_sink *sinks,
             unsigned count)
{
    struct error e = {0};
    *s = (struct cli_session){0};
    if (trace_load(&s->trace, o->trace, &e))
        return cli_fail(&e);
    struct sim_options options = {.config = &s->config, .trace = s->trace, .sinks = count};
    for (unsigned i = 0; i < count; i++)
        options.sink[i] = sinks[i];
    enum err err = cli_configure(o, &s->trace->header, &s->config, &e);
    if (!err)
        err = sim_open(&s->sim, &options, &e);
    if (!err)
        return STATUS_OK;
    cli_close(s);
    return cli_fail(&e);
}

int cli_seek(struct cli_session *s, const struct cli_options *o)
{
    struct error e = {0};
    uint64_t count = s->trace->count;
    struct moment to = {count + 1, 0};
    if (o->has_op && o->op > count) {
        error_set(&e, ERR_USAGE, s->trace->path, 0, "--op",
                  "there is no op %llu: the trace has %llu", (unsigned long long)o->op,
                  (unsigned long long)count);
        return cli_fail(&e);
    }
    if (o->has_op)
        to = o->step ? (struct moment){o->op, o->step} : (struct moment){o->op + 1, 0};
    return sim_seek(s->sim, to, &e) ? cli_fail(&e) : STATUS_OK;
}

void cli_close(struct cli_session *s)
{
    sim_close(s->sim);
    trace_free(s->trace);
    *s = (struct cli_session){0};
}

bool cli_process(const struct cli_session *s, const struct cli_options *o,
                 struct process_info *info)
{
    uint16_t running = inspect_current(s->sim, 0);
    if (o->pid && inspect_process(s->sim, (uint16_t)o->pid, info))
        return true;
    if (!o->pid && (inspect_process(s->sim, running, info) || inspect_process_at(s->sim, 0, info)))
        return true;
    if (o->pid)
        fprintf(stderr, "memwalk: there is no process %" PRIu64 " at this moment\n", o->pid);
    else
        fprintf(stderr, "memwalk: there is no process at this moment\n");
    return false;
}

const char *cli_moment_text(const struct cli_session *s, char *text, size_t size)
{
    struct moment now = sim_now(s->sim);
    uint64_t op = now.step ? now.op : now.op - 1;
    char call[160], step[40];
    if (!op) {
        snprintf(text, size, "before the first op");
        return text;
    }
    const struct op_extra *extra = inspect_op_extra(s->sim, op);
    op_text(inspect_op(s->sim, op), extra, call, sizeof(call));
    snprintf(step, sizeof(step), "event %" PRIu64 " of ", now.step);
    snprintf(text, size, "after %sop %" PRIu64 ": %s", now.step ? step : "", op, call);
    return text;
}

/* One word for a shell: as it is where it is plain, else in quotes. */
static void add_word(char *text, size_t size, const char *option, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./=,:+@%";
    size_t at = strlen(text);
    bool quote = !*word || word[strspn(word, plain)];
    snprintf(text + at, size - at, " %s%s", option, quote ? "'" : "");
    for (at = strlen(text); *word && at + 5 < size; word++) {
        const char letter[] = {*word, '\0'};
        snprintf(text + at, size - at, "%s", *word == '\'' ? "'\\''" : letter);
        at += strlen(text + at);
    }
    snprintf(text + at, size - at, "%s", quote ? "'" : "");
}

const char *cli_again(const struct cli_options *o, char *text, size_t size)
{
    snprintf(text, size, "%s", o->command);
    add_word(text, size, "", o->trace);
    for (size_t i = 0; i < o->machines; i++)
        add_word(text, size, "-m ", o->machine[i]);
    if (*o->alloc)
        add_word(text, size, "--", o->alloc);
    for (size_t i = 0; i < o->settings; i++)
        add_word(text, size, "-o ", o->setting[i]);
    return text;
}

/* ---- printing ---- */

const char *cli_grouped(uint64_t n, char *text)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    char *at = text;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

const char *cli_bytes(uint64_t n, char *text)
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    char number[32];
    unsigned u = 0;
    if (n < 10 * KIB && n % KIB) {
        snprintf(text, 32, "%s B", cli_grouped(n, number));
        return text;
    }
    uint64_t scale = KIB;
    for (; n / scale >= 10 * KIB && u + 1 < ARRAY_LEN(unit); u++)
        scale *= KIB;
    if (n % scale == 0 || n / scale >= 100)
        snprintf(text, 32, "%s %s", cli_grouped((n + scale / 2) / scale, number), unit[u]);
    else
        snprintf(text, 32, "%.1f %s", (double)n / (double)scale, unit[u]);
    return text;
}

void cli_wrap(FILE *out, const char *text, unsigned column, unsigned hang)
{
    while (*text) {
        size_t room = CLI_COLUMNS > column ? CLI_COLUMNS - column : 1;
        size_t n = strcspn(text, "\n");
        if (n > room) {
            size_t cut = room;
            while (cut && text[cut] != ' ')
                cut--;
            n = cut ? cut : room;
        }
        fprintf(out, "%.*s\n", (int)n, text);
        text += n;
        text += *text == ' ' || *text == '\n';
        if (*text)
            fprintf(out, "%*s", (int)hang, "");
        column = hang;
    }
}

void cli_entry(FILE *out, const char *name, const char *doc, unsigned width)
{
    int n = fprintf(out, "  %-*s  ", (int)width, name);
    cli_wrap(out, doc, (unsigned)n, width + 4);
}

void cli_json_number(cJSON *object, const char *name, uint64_t n)
{
    /* As a raw text: cJSON's own numbers are doubles. */
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, n);
    cJSON_AddRawToObject(object, name, text);
}

void cli_json_hex(cJSON *object, const char *name, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "0x%" PRIx64, n);
    cJSON_AddStringToObject(object, name, text);
}

int cli_json_print(cJSON *root)
{
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (!text) {
        fprintf(stderr, "memwalk: no memory for the answer\n");
        return STATUS_BAD;
    }
    puts(text);
    cJSON_free(text);
    return STATUS_OK;
}

int cli_fail(const struct error *e)
{
    error_print(e, stderr);
    return STATUS_BAD;
}

bool cli_broken(void)
{
    return ferror(stdout) != 0;
}
