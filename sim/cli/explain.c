/* explain.c: 'memwalk explain': the story of a trace in words, numbered as a lecturer tells it.
 *
 * Each op is a heading, each of the sixteen chapters from malloc to frame a heading below it, each
 * event a sentence with the number of its micro-step, which every --step takes.
 */
#include "sim/explain.h"
#include "sim/cli/cli.h"
#include "sim/cli/common.h"

#include <inttypes.h>
#include <string.h>

#define OPS_SHOWN 40 /* without --op and --all */
#define TEXT      1024

enum { KEY_ALL = 0x500, KEY_OP, KEY_LANG };

struct story {
    struct cli_options options;
    bool all;
    const struct trace *trace;
    struct sim *sim;
    struct explain_context context;
    uint64_t first, last; /* ops told */
    enum lang lang;
    enum explain_chapter chapter;
    cJSON *ops, *events; /* JSON: the ops so far, the events of the present one */
};

static const struct argp_option options[] = {
    {"all", KEY_ALL, 0, 0, "Tell every op, however many there are", 2},
    {"op", KEY_OP, "N", 0, "Tell only op N", 2},
    {"lang", KEY_LANG, "NAME", 0, "Language of the sentences: en or de (default en)", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct story *s = state->input;
    if (key == KEY_ALL) {
        s->all = true;
        return 0;
    }
    if (key == KEY_OP) {
        s->options.op = cli_number(state, "--op", arg);
        s->options.has_op = true;
        return 0;
    }
    if (key == KEY_LANG) {
        s->lang = cli_lang(state, arg);
        return 0;
    }
    if (key == ARGP_KEY_INIT)
        for (unsigned i = 0; i < 2; i++)
            state->child_inputs[i] = &s->options;
    return cli_trace_argument(&s->options, key, arg, state);
}

/* ---- text ---- */

static void print_op(struct story *s, uint64_t number)
{
    char text[512];
    const struct op *op = inspect_op(s->sim, number);
    int column = printf("%sOp %" PRIu64 ": ", number > s->first ? "\n" : "", number);
    if (op)
        op_text(op, inspect_op_extra(s->sim, number), text, sizeof(text));
    cli_wrap(stdout, op ? text : "?", (unsigned)column, 4);
}

static void print_event(struct story *s, const struct event *e, enum explain_chapter chapter,
                        const char *text)
{
    if (chapter != s->chapter && chapter != CHAPTER_NONE)
        printf("  [%d] %s\n", (int)chapter, words_say(s->lang, explain_chapter_name[chapter]));
    if (chapter != CHAPTER_NONE)
        s->chapter = chapter;
    unsigned indent = 2 * s->context.depth;
    int column = printf("  %5" PRIu64 "  %*s", e->seq, (int)indent, "");
    cli_wrap(stdout, text, (unsigned)column, (unsigned)column);
}

/* ---- JSON ---- */

static void json_op(struct story *s, uint64_t number)
{
    char text[200];
    const struct op *op = inspect_op(s->sim, number);
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(s->ops, item);
    cli_json_number(item, "op", number);
    if (op)
        cJSON_AddStringToObject(item, "text",
                                op_text(op, inspect_op_extra(s->sim, number), text, sizeof(text)));
    s->events = cJSON_AddArrayToObject(item, "steps");
}

static void json_event(struct story *s, const struct event *e, enum explain_chapter chapter,
                       const char *text)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(s->events, item);
    cli_json_number(item, "step", e->seq);
    cJSON_AddStringToObject(item, "event", event_info[e->kind].name);
    cli_json_number(item, "chapter", chapter);
    cJSON_AddStringToObject(item, "text", text);
}

/* ---- both ---- */

static void hear(void *ctx, const struct event *e)
{
    struct story *s = ctx;
    char text[TEXT];
    if (!s->sim)
        return; /* the boot: no op tells of it */
    explain_follow(&s->context, e);
    uint64_t op = sim_now(s->sim).op;
    if (op < s->first || op > s->last)
        return;
    if (e->kind == EV_op_begin) {
        s->chapter = CHAPTER_NONE;
        (s->ops ? json_op : print_op)(s, op);
    }
    explain_event(&s->context, e, text, sizeof(text));
    (s->ops ? json_event : print_event)(s, e, explain_chapter(&s->context, e), text);
}

static int tell(struct story *s)
{
    struct error e = {0};
    int more = 1;
    while (more == 1 && sim_now(s->sim).op <= s->last && !cli_broken())
        more = sim_step(s->sim, &e);
    if (more < 0)
        return cli_fail(&e);
    uint64_t count = sim_ops(s->sim);
    if (!s->ops && s->last < count && !s->options.has_op)
        printf(words_say(s->lang,
                         "\n… and %" PRIu64 " more ops (--all tells them, --op N tells one)\n"),
               count - s->last);
    return STATUS_OK;
}

static int choose_ops(struct story *s)
{
    struct error e;
    uint64_t count = s->trace->count;
    s->first = 1;
    s->last = s->all ? count : min_u64(count, OPS_SHOWN);
    if (!s->options.has_op)
        return STATUS_OK;
    s->first = s->last = s->options.op;
    if (s->options.op >= 1 && s->options.op <= count)
        return STATUS_OK;
    error_set(&e, ERR_USAGE, s->options.trace, 0, "--op",
              "there is no op %" PRIu64 ": the trace has %" PRIu64, s->options.op, count);
    return cli_fail(&e);
}

int cli_explain(int argc, char **argv)
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
        .doc = "Tell the story of a trace in words: every size worked out, every chunk looked at, "
               "every call, walk and fault, in order and with the actual numbers.",
        .children = groups,
    };
    struct story s = {.options = {.command = "memwalk explain"}};
    struct cli_session session;
    struct sim_sink sink = {hear, &s};
    cli_parse(&argp, argc, argv, false, &s);
    int status = cli_open(&session, &s.options, &sink, 1);
    if (status)
        return status;
    s.trace = session.trace;
    s.sim = session.sim;
    explain_begin(&s.context, session.sim);
    s.context.lang = s.lang;
    cJSON *root = s.options.json ? cJSON_CreateObject() : NULL;
    s.ops = root ? cJSON_AddArrayToObject(root, "ops") : NULL;
    status = choose_ops(&s);
    if (!status)
        status = tell(&s);
    if (root && !status)
        status = cli_json_print(root);
    else
        cJSON_Delete(root);
    cli_close(&session);
    return status;
}
