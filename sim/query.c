/* query.c: reads a question once, so that asking it of each event is a few comparisons. */
#include "sim/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const context_name[] = {"op", "step", "pid", "cpu", "cycle"};
enum { CONTEXT_OP, CONTEXT_STEP, CONTEXT_PID, CONTEXT_CPU, CONTEXT_CYCLE };

/* ---- reading ---- */

/* The longer signs first. */
static const struct {
    const char *sign;
    enum query_compare compare;
} compare_table[] = {
    {"!=", QUERY_NE}, {"<=", QUERY_LE}, {">=", QUERY_GE}, {"==", QUERY_EQ},
    {"=", QUERY_EQ},  {"<", QUERY_LT},  {">", QUERY_GT},  {"&", QUERY_BITS},
};

/* A whole number with an optional K, M or G; underscores may group digits, as the window shows
 * them. */
static bool read_number(const char *word, uint64_t *value)
{
    char digits[40];
    size_t n = 0;
    for (const char *c = word; *c && n + 1 < sizeof(digits); c++)
        if (*c != '_')
            digits[n++] = *c;
    digits[n] = '\0';
    bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    char *end;
    errno = 0;
    *value = strtoull(digits, &end, hex ? 16 : 10);
    if (!isdigit((unsigned char)digits[0]) || errno)
        return false;
    static const char unit[] = "KMG";
    const char *u = *end && !hex ? strchr(unit, *end) : NULL;
    unsigned shift = u ? 10 * (unsigned)(u - unit + 1) : 0;
    if (u && *value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return !end[u != NULL];
}

static bool known_context(struct query_term *t)
{
    for (size_t i = 0; i < ARRAY_LEN(context_name); i++)
        if (strcmp(t->name, context_name[i]) == 0) {
            t->field[0] = (uint8_t)i;
            return true;
        }
    return false;
}

static bool known_field(struct query_term *t)
{
    bool known = false;
    for (size_t k = 0; k < EV_COUNT; k++) {
        t->field[k] = QUERY_NONE;
        for (size_t i = 0; i < event_info[k].fields; i++)
            if (strcmp(event_info[k].field[i].name, t->name) == 0)
                t->field[k] = (uint8_t)i;
        known = known || t->field[k] != QUERY_NONE;
    }
    return known;
}

/* Is there an enum that has the word, in one of the fields of that name? */
static bool known_word(const struct query_term *t)
{
    for (size_t k = 0; k < EV_COUNT; k++) {
        if (t->field[k] == QUERY_NONE)
            continue;
        const struct event_field *f = &event_info[k].field[t->field[k]];
        if (f->kind == FIELD_name)
            return true;
        const char *name = "";
        for (uint64_t v = 0; f->kind == FIELD_enum && name; v++) {
            name = log_enum_name(f, v);
            if (name && strcmp(name, t->word) == 0)
                return true;
        }
    }
    return false;
}

static enum err bad(struct error *e, const char *word, const char *why)
{
    return error_set(e, ERR_SYNTAX, NULL, 0, NULL, "\"%.40s\": %s", word, why);
}

static enum err read_comparison(struct query_term *t, const char *word, struct error *e)
{
    if (!*t->word)
        return bad(e, word, "there is no value after the sign");
    t->number = read_number(t->word, &t->value);
    if (strcmp(t->name, "addr") == 0) {
        t->kind = QUERY_AT;
        return t->number && t->compare == QUERY_EQ ? ERR_NONE
                                                   : bad(e, word, "addr=ADDRESS, please");
    }
    t->kind = known_context(t) ? QUERY_CONTEXT : QUERY_FIELD;
    if (t->kind == QUERY_FIELD && !known_field(t))
        return bad(e, t->name, "no event has such a field (docs/events.md lists them)");
    if (strcmp(t->word, "true") == 0 || strcmp(t->word, "false") == 0) {
        t->number = true;
        t->value = *t->word == 't';
    }
    if (t->number)
        return ERR_NONE;
    if (t->kind == QUERY_CONTEXT || !known_word(t))
        return bad(e, t->word, "neither a number nor a name that this field can have");
    return t->compare == QUERY_EQ || t->compare == QUERY_NE
               ? ERR_NONE
               : bad(e, word, "names can only be = or !=");
}

/* An event's own name goes before an op's, an op's before a family's: "brk" is the op. */
static enum err read_word(struct query_term *t, const char *word, struct error *e)
{
    const char *names[EV_COUNT + OP_COUNT];
    char unknown[64];
    bool event = false;
    size_t n = 0;
    for (size_t k = 0; k < EV_COUNT; k++) {
        event = event || strcmp(event_info[k].name, word) == 0;
        names[n++] = event_info[k].name;
    }
    for (uint64_t op = 0; op < OP_COUNT; op++) {
        if (!event && strcmp(op_info[op].name, word) == 0) {
            t->kind = QUERY_OP;
            t->value = op;
            return ERR_NONE;
        }
        names[n++] = op_info[op].name;
    }
    if (event_filter_parse(&t->filter, word, unknown, sizeof(unknown))) {
        t->kind = QUERY_EVENT;
        return ERR_NONE;
    }
    const char *near = error_nearest(word, names, n);
    return error_set(e, ERR_SYNTAX, NULL, 0, NULL, "\"%.40s\" is neither an event nor an op%s%s%s",
                     word, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static enum err read_term(struct query_term *t, const char *word, struct error *e)
{
    size_t name = strcspn(word, "!<>=&");
    if (!word[name])
        return read_word(t, word, e);
    for (size_t i = 0; i < ARRAY_LEN(compare_table); i++) {
        size_t sign = strlen(compare_table[i].sign);
        if (strncmp(word + name, compare_table[i].sign, sign) != 0)
            continue;
        t->compare = compare_table[i].compare;
        snprintf(t->name, sizeof(t->name), "%.*s", (int)name, word);
        snprintf(t->word, sizeof(t->word), "%s", word + name + sign);
        return read_comparison(t, word, e);
    }
    return bad(e, word, "compare with = != < <= > >= or &");
}

enum err query_parse(struct query *q, const char *text, struct error *e)
{
    struct query read = {.terms = 0};
    size_t at = strspn(text, " \t");
    *q = read;
    if (strlen(text) >= sizeof(read.text))
        return error_set(e, ERR_SYNTAX, NULL, 0, NULL, "longer than %zu signs",
                         sizeof(read.text) - 1);
    snprintf(read.text, sizeof(read.text), "%s", text + at);
    while (text[at]) {
        char word[QUERY_TEXT];
        size_t n = strcspn(text + at, " \t");
        snprintf(word, sizeof(word), "%.*s", (int)n, text + at);
        if (read.terms == QUERY_TERMS)
            return error_set(e, ERR_SYNTAX, NULL, 0, NULL, "more than %d conditions", QUERY_TERMS);
        enum err err = read_term(&read.term[read.terms++], word, e);
        if (err)
            return err;
        at += n + strspn(text + at + n, " \t");
    }
    if (!read.terms)
        return error_set(e, ERR_SYNTAX, NULL, 0, NULL,
                         "empty: try \"fault\", \"malloc\" or \"tlb_miss level=2\"");
    *q = read;
    return ERR_NONE;
}

/* ---- asking ---- */

static bool holds(enum query_compare compare, uint64_t x, uint64_t y)
{
    switch (compare) {
    case QUERY_EQ:
        return x == y;
    case QUERY_NE:
        return x != y;
    case QUERY_LT:
        return x < y;
    case QUERY_LE:
        return x <= y;
    case QUERY_GT:
        return x > y;
    case QUERY_GE:
        return x >= y;
    case QUERY_BITS:
        return (x & y) == y;
    }
    return false;
}

/* A signed result is compared as one: -12 is less than 0. */
static bool holds_signed(enum query_compare compare, int64_t x, uint64_t y)
{
    return holds(compare, (uint64_t)x ^ UINT64_C(1) << 63, y ^ UINT64_C(1) << 63);
}

static bool holds_field(const struct query_term *t, const struct event *e)
{
    size_t at = t->field[e->kind];
    if (at == QUERY_NONE)
        return false;
    const struct event_field *f = &event_info[e->kind].field[at];
    if (t->number && f->kind == FIELD_int && t->compare != QUERY_BITS)
        return holds_signed(t->compare, (int64_t)event_value(e, at), t->value);
    if (t->number && f->kind != FIELD_name)
        return holds(t->compare, event_value(e, at), t->value);
    const char *name = f->kind == FIELD_name   ? event_name(e, at)
                       : f->kind == FIELD_enum ? log_enum_name(f, event_value(e, at))
                                               : NULL;
    bool same = name && strcmp(name, t->word) == 0;
    return same == (t->compare == QUERY_EQ);
}

static bool holds_context(const struct query_term *t, const struct event *e, uint64_t op)
{
    switch (t->field[0]) {
    case CONTEXT_OP:
        return holds(t->compare, op, t->value);
    case CONTEXT_STEP:
        return holds(t->compare, e->seq, t->value);
    case CONTEXT_PID:
        return holds(t->compare, e->pid, t->value);
    case CONTEXT_CPU:
        return holds(t->compare, e->cpu, t->value);
    default:
        return holds(t->compare, e->cycle, t->value);
    }
}

/* An event that says how long its range is touches all of it. */
static bool touches(const struct event *e, uint64_t address)
{
    const struct event_info *info = &event_info[e->kind];
    uint64_t length = 1;
    for (size_t i = 0; i < info->fields; i++)
        if (strcmp(info->field[i].name, "length") == 0)
            length = max_u64(event_value(e, i), 1);
    for (size_t i = 0; i < info->fields; i++) {
        uint64_t value = event_value(e, i);
        switch (info->field[i].kind) {
        case FIELD_va:
        case FIELD_pa:
            if (value && address >= value && address - value < length)
                return true;
            break;
        case FIELD_vpn:
            if (value == address >> PAGE_SHIFT)
                return true;
            break;
        default:
            break;
        }
    }
    return false;
}

bool query_matches(const struct query *q, const struct event *e, uint64_t op)
{
    for (size_t i = 0; i < q->terms; i++) {
        const struct query_term *t = &q->term[i];
        bool holds_here = false;
        switch (t->kind) {
        case QUERY_EVENT:
            holds_here = t->filter.wanted[e->kind];
            break;
        case QUERY_OP:
            holds_here = e->kind == EV_op_begin && e->op_begin.kind == t->value;
            break;
        case QUERY_FIELD:
            holds_here = holds_field(t, e);
            break;
        case QUERY_CONTEXT:
            holds_here = holds_context(t, e, op);
            break;
        case QUERY_AT:
            holds_here = touches(e, t->value);
            break;
        }
        if (!holds_here)
            return false;
    }
    return q->terms > 0;
}
