/* look.c: the common frame of the commands that look into a machine at one moment. */
#include "sim/cli/look.h"

#include <inttypes.h>
#include <string.h>

enum { KEY_ACCESS = 0x400, KEY_ALL, KEY_OUT, KEY_CPL, KEY_COLD, KEY_OVER_TIME };

static const struct argp_option options[] = {
    {"all", KEY_ALL, 0, 0, "Leave nothing out, however long it gets", 2},
    {0},
};

static const struct argp_option heap_options[] = {
    {"all", KEY_ALL, 0, 0, "Leave nothing out, however long it gets", 2},
    {"over-time", KEY_OVER_TIME, 0, 0,
     "Show how the heap and its fragmentation became so: a line for each part of the trace", 2},
    {0},
};

static const struct argp_option address_options[] = {
    {"access", KEY_ACCESS, "r|w|x", 0, "Judge a read (the default), a write or a fetch", 2},
    {"cold", KEY_COLD, 0, 0, "As if TLBs and paging-structure caches did not know the page", 2},
    {"cpl", KEY_CPL, "0|3", 0, "By the kernel or, the default, by the program", 2},
    {0},
};

static const struct argp_option path_options[] = {
    {"out", KEY_OUT, "FILE", 0, "Write the file to FILE, pagemap with holes where nothing is", 2},
    {0},
};

static void take_access(struct look *look, const char *arg, const struct argp_state *state)
{
    static const char letters[] = "rwx";
    const char *at = arg[0] && !arg[1] ? strchr(letters, arg[0]) : NULL;
    if (!at)
        argp_error(state, "--access: \"%s\" is not r, w or x", arg);
    else
        look->how = (enum access)(at - letters);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct look *look = state->input;
    switch (key) {
    case KEY_OUT:
        look->out = arg;
        return 0;
    case KEY_ALL:
        look->all = true;
        return 0;
    case KEY_OVER_TIME:
        look->over_time = true;
        return 0;
    case KEY_ACCESS:
        take_access(look, arg, state);
        return 0;
    case KEY_CPL:
        look->supervisor = strcmp(arg, "0") == 0;
        if (!look->supervisor && strcmp(arg, "3") != 0)
            argp_error(state, "--cpl: \"%s\" is not 0 or 3", arg);
        return 0;
    case KEY_COLD:
        look->cold = true;
        return 0;
    case ARGP_KEY_INIT:
        for (unsigned i = 0; i < 3; i++)
            state->child_inputs[i] = &look->options;
        return 0;
    case ARGP_KEY_ARG:
        if (look->wants_address && look->options.trace && !look->has_address) {
            look->address = cli_number(state, "ADDRESS", arg);
            look->has_address = true;
            return 0;
        }
        if (look->path_doc && look->options.trace && !look->path) {
            look->path = arg;
            return 0;
        }
        break;
    case ARGP_KEY_END:
        if (look->wants_address && look->options.trace && !look->has_address)
            argp_error(state, "an ADDRESS is missing");
        break;
    default:
        break;
    }
    return cli_trace_argument(&look->options, key, arg, state);
}

static const struct argp_child groups[] = {
    {&cli_machine_argp, 0, 0, 0},
    {&cli_moment_argp, 0, 0, 0},
    {&cli_json_argp, 0, 0, 0},
    {0},
};

int look_run(struct look *look, const char *command, const char *doc, int argc, char **argv,
             int (*print)(struct look *))
{
    const struct argp argp = {
        .options = look->wants_address ? address_options
                   : look->is_heap     ? heap_options
                   : look->path_doc    ? path_options
                                       : options,
        .parser = parse,
        .args_doc = look->wants_address ? "TRACE ADDRESS"
                    : look->path_doc    ? look->path_doc
                                        : "TRACE",
        .doc = doc,
        .children = groups,
    };
    look->options.command = command;
    cli_parse(&argp, argc, argv, false, look);
    int status = cli_open(&look->session, &look->options, NULL, 0);
    if (status)
        return status;
    status = cli_seek(&look->session, &look->options);
    if (!status && !cli_process(&look->session, &look->options, &look->process))
        status = STATUS_BAD;
    if (!status)
        status = print(look);
    cli_close(&look->session);
    return status;
}

void look_title(const struct look *look, const char *what)
{
    char moment[160];
    printf("%s of process %u, %s\n\n", what, look->process.pid,
           cli_moment_text(&look->session, moment, sizeof(moment)));
}

cJSON *look_json(const struct look *look)
{
    cJSON *root = cJSON_CreateObject();
    struct moment now = sim_now(look->session.sim);
    cJSON *moment = cJSON_AddObjectToObject(root, "moment");
    cli_json_number(moment, "op", now.op);
    cli_json_number(moment, "step", now.step);
    cli_json_number(root, "pid", look->process.pid);
    return root;
}

const char *look_address(uint64_t address, char *text)
{
    snprintf(text, 24, "0x%04" PRIx64 "_%04" PRIx64 "_%04" PRIx64 "_%04" PRIx64, address >> 48,
             address >> 32 & 0xffff, address >> 16 & 0xffff, address & 0xffff);
    return text;
}

const char *look_flags(uint32_t flags, char *text)
{
    static const struct {
        uint32_t flag;
        char letter;
    } letters[] = {
        {TLB_WRITE, 'W'}, {TLB_USER, 'U'}, {TLB_EXEC, 'X'}, {TLB_DIRTY, 'D'}, {TLB_GLOBAL, 'G'}};
    size_t i = 0;
    for (; i < ARRAY_LEN(letters); i++)
        text[i] = flags & letters[i].flag ? letters[i].letter : '-';
    text[i] = '\0';
    return text;
}
