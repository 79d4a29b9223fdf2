/* text.c: the call notation: ops as people write them on a board.
 *
 *     p3 = malloc(24)            p3 = realloc(p3, 600)        free(p3)
 *     write p3[0..8]             read [h+16..h+24]            set p3[0..64] = 255
 *     copy p3[0..8] to p4[16]    mmap(0, 8K, rw, private|anonymous)
 *     mark NAME: TEXT            stop: TEXT
 *
 * In front [pid 1 tid 2] may stand, behind an op "-> RESULT", "faults N" and "fail". Ranges are
 * half-open, as everywhere. Both directions walk the tables of fields.h.
 */
#include "traces/decode.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

/* ---- writing ---- */

struct out {
    char *text;
    size_t size, used; /* used < size */
};

static void put(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct out *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(o->text + o->used, o->size - o->used, format, args);
    va_end(args);
    o->used = min_u64(o->used + (size_t)(n > 0 ? n : 0), o->size - 1);
}

static void put_number(struct out *o, uint64_t value)
{
    put(o, "%llu", (unsigned long long)value);
}

static void put_signed(struct out *o, uint64_t value)
{
    if (value >> 63)
        put(o, "-%llu", (unsigned long long)(0 - value));
    else
        put_number(o, value);
}

static void put_block(struct out *o, uint64_t id)
{
    if (id)
        put(o, "p%llu", (unsigned long long)id);
    else
        put(o, "NULL");
}

static void put_address(struct out *o, uint8_t base, uint64_t value)
{
    if (base == BASE_HEAP || base == BASE_MMAP) {
        bool below = value >> 63;
        put(o, "%c%c%llu", base == BASE_HEAP ? 'h' : 'm', below ? '-' : '+',
            (unsigned long long)(below ? 0 - value : value));
    } else {
        put(o, value ? "0x%llx" : "%llx", (unsigned long long)value);
    }
}

void ret_write(const struct op_extra *extra, char *text, size_t size)
{
    struct out o = {text, size, 0};
    uint64_t number = 0 - extra->ret;
    const char *name = number <= 4095 ? errno_write((unsigned)number) : NULL;
    if (extra->ret_base != BASE_NONE)
        put_address(&o, extra->ret_base, extra->ret);
    else if (name)
        put(&o, "-%s", name);
    else if (number <= 4095)
        put_signed(&o, extra->ret);
    else
        put(&o, extra->ret < 4096 ? "%llu" : "0x%llx", (unsigned long long)extra->ret);
}

void address_write(uint8_t base, uint64_t value, char *text, size_t size)
{
    struct out o = {text, size, 0};
    put_address(&o, base, value);
}

static void put_place(struct out *o, const struct op *op)
{
    put(o, " ");
    if (op->base == BASE_BLOCK) {
        put_block(o, op->id);
        put(o, "[%llu..%llu]", (unsigned long long)op->v[0],
            (unsigned long long)(op->v[0] + op->v[1]));
        return;
    }
    put(o, "[");
    put_address(o, op->base, op->v[0]);
    put(o, "..");
    put_address(o, op->base, op->v[0] + op->v[1]);
    put(o, "]");
}

static void put_target(struct out *o, const struct op *op)
{
    put(o, " to ");
    if (op->to_base == BASE_BLOCK) {
        put_block(o, op->v[4]);
        put(o, "[%llu]", (unsigned long long)op->v[3]);
        return;
    }
    put(o, "[");
    put_address(o, op->to_base, op->v[3]);
    put(o, "]");
}

/* One argument of a call; false: it is left out, and so is all behind it. */
static bool put_argument(struct out *o, const struct op *op, const struct op_field *field)
{
    char words[160];
    uint64_t value = op->v[field->slot];
    switch ((enum op_field_kind)field->kind) {
    case FIELD_MOVES:
    case FIELD_ENDS:
        put_block(o, op->id);
        return true;
    case FIELD_FD:
        put_number(o, op->id);
        return true;
    case FIELD_SIGNED:
        put_signed(o, value);
        return true;
    case FIELD_OPTIONAL:
        if (value)
            put_number(o, value);
        return value != 0;
    case FIELD_NAMED:
        names_write((enum names_table)field->names, value, words, sizeof(words));
        put(o, "%s", words);
        return true;
    case FIELD_ADDRESS:
        put_address(o, op->base, value);
        return true;
    case FIELD_TARGET:
        if (op->to_base != BASE_NONE)
            put_address(o, op->to_base, value);
        return op->to_base != BASE_NONE;
    default:
        put_number(o, value);
        return true;
    }
}

static void put_call(struct out *o, const struct op *op)
{
    const struct op_shape *shape = &op_shape[op->kind];
    const struct op_field *field = shape->field;
    unsigned first = field->name ? field->kind : FIELD_NUMBER;
    if (first == FIELD_MAKES || first == FIELD_MOVES)
        put(o, "p%llu = ", (unsigned long long)op->id);
    put(o, "%s(", shape->name);
    bool comma = false;
    for (field += first == FIELD_MAKES; field < shape->field + FIELDS_MAX && field->name; field++) {
        size_t before = o->used;
        put(o, comma ? ", " : "");
        if (!put_argument(o, op, field))
            o->used = before;
        o->text[o->used] = '\0';
        comma = true;
    }
    put(o, ")");
}

static bool is_mark(const struct op *op)
{
    return op_shape[op->kind].field[0].kind == FIELD_MARK_NAME && op_shape[op->kind].field[0].name;
}

static bool is_place(const struct op *op)
{
    return op_shape[op->kind].field[0].kind == FIELD_ID && op_shape[op->kind].field[0].name;
}

static void put_mark(struct out *o, const struct op *op, const struct op_extra *extra)
{
    put(o, op->flags & OP_STOP ? "stop" : "%s", op_shape[op->kind].name);
    if (extra && extra->name[0])
        put(o, " %s", extra->name);
    if (extra && extra->text)
        put(o, ": %s", extra->text);
}

/* "[pid 1 tid 2] "; of a mark all, because its text takes the rest of the line. */
static void put_front(struct out *o, const struct op *op, const struct op_extra *extra, bool all)
{
    char ret[40];
    size_t before = o->used;
    put(o, "[");
    if (op->pid || (op->flags & OP_HAS_PID))
        put(o, "pid %u ", op->pid);
    if (op->tid)
        put(o, "tid %u ", op->tid);
    if (all && extra && (op->flags & OP_HAS_RET)) {
        ret_write(extra, ret, sizeof(ret));
        put(o, "ret %s ", ret);
    }
    if (all && extra && (op->flags & OP_HAS_FAULTS))
        put(o, "faults %llu ", (unsigned long long)extra->faults);
    if (all && (op->flags & OP_FAIL))
        put(o, "fail ");
    o->used -= o->used > before;
    if (o->used > before)
        put(o, "] ");
    o->text[o->used] = '\0';
}

static void put_behind(struct out *o, const struct op *op, const struct op_extra *extra)
{
    char ret[40];
    if (extra && (op->flags & OP_HAS_RET)) {
        ret_write(extra, ret, sizeof(ret));
        put(o, " -> %s", ret);
    }
    if (extra && (op->flags & OP_HAS_FAULTS))
        put(o, " faults %llu", (unsigned long long)extra->faults);
    if (op->flags & OP_FAIL)
        put(o, " fail");
}

char *op_text(const struct op *op, const struct op_extra *extra, char *text, size_t size)
{
    struct out o = {text, size, 0};
    text[0] = '\0';
    put_front(&o, op, extra, is_mark(op));
    if (is_mark(op)) {
        put_mark(&o, op, extra);
        return text;
    }
    if (is_place(op)) {
        put(&o, "%s", op_shape[op->kind].name);
        put_place(&o, op);
        if (op->to_base != BASE_NONE)
            put_target(&o, op);
        else if (op->v[2])
            put(&o, " = %llu", (unsigned long long)op->v[2]);
    } else {
        put_call(&o, op);
    }
    put_behind(&o, op, extra);
    return text;
}

/* ---- reading ---- */

struct scan {
    struct decode *d;
    const char *at, *end;
};

static enum err scan_fail(const struct scan *s, const char *what)
{
    char near[24];
    size_t n = min_u64((size_t)(s->end - s->at), sizeof(near) - 1);
    for (size_t i = 0; i < n; i++)
        near[i] = isprint((unsigned char)s->at[i]) ? s->at[i] : '?';
    near[n] = '\0';
    return decode_fail(s->d, ERR_SYNTAX, NULL, n ? "%s, near '%s'" : "%s, at the end", what, near);
}

static void space(struct scan *s)
{
    while (s->at < s->end && *s->at == ' ')
        s->at++;
}

/* Takes the text if it comes next. */
static bool take(struct scan *s, const char *text)
{
    size_t n = strlen(text);
    space(s);
    bool here = (size_t)(s->end - s->at) >= n && memcmp(s->at, text, n) == 0;
    s->at += here ? n : 0;
    return here;
}

/* The longest piece without any of these characters, spaces at its end left out. */
static struct slice piece(struct scan *s, const char *stops)
{
    space(s);
    const char *from = s->at;
    while (s->at < s->end && !strchr(stops, *s->at))
        s->at++;
    const char *to = s->at;
    while (to > from && to[-1] == ' ')
        to--;
    return (struct slice){from, (size_t)(to - from)};
}

static struct slice word(struct scan *s)
{
    space(s);
    const char *from = s->at;
    while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '_'))
        s->at++;
    return (struct slice){from, (size_t)(s->at - from)};
}

static bool is_word(struct slice text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.at, wanted, text.length) == 0;
}

/* "p3" or NULL. */
static bool block_of(struct slice text, uint64_t *id)
{
    *id = 0;
    if (is_word(text, "NULL"))
        return true;
    return text.length > 1 && *text.at == 'p' && isdigit((unsigned char)text.at[1]) &&
           number_read(text.at + 1, text.length - 1, false, id) == NUMBER_GOOD &&
           memchr(text.at, 'x', text.length) == NULL;
}

static enum err field_text(struct scan *s, const struct op_field *field, struct slice text)
{
    struct json_field given = {.type = JSON_STRING, .text = text};
    return decode_field(s->d, &given, field);
}

static enum err common_text(struct scan *s, const char *name, struct slice text)
{
    return field_text(s, op_field_of(s->d->op->kind, name, strlen(name)), text);
}

/* "[pid 1 tid 2] " */
static enum err scan_front(struct scan *s)
{
    if (!take(s, "["))
        return ERR_NONE;
    unsigned seen = 0;
    while (!take(s, "]")) {
        static const char *const names[] = {"pid", "tid", "ret", "faults", "fail"};
        struct slice name = word(s);
        unsigned i = 0;
        while (i < ARRAY_LEN(names) && !is_word(name, names[i]))
            i++;
        if (i == ARRAY_LEN(names) || seen & 1u << i)
            return scan_fail(s, "in [ ] stand pid, tid, ret, faults or fail, each once");
        seen |= 1u << i;
        struct json_field yes = {.type = JSON_BOOL, .truth = true};
        const struct op_field *field = op_field_of(0, names[i], name.length);
        enum err err =
            i == 4 ? decode_field(s->d, &yes, field) : field_text(s, field, piece(s, " ,]"));
        if (err)
            return err;
        take(s, ",");
    }
    return ERR_NONE;
}

/* "-> RESULT", "faults N", "fail", each at most once and not in front already. */
static enum err scan_behind(struct scan *s)
{
    struct op *op = s->d->op;
    for (space(s); s->at < s->end; space(s)) {
        enum err err = ERR_NONE;
        if (!(op->flags & OP_HAS_RET) && take(s, "->"))
            err = common_text(s, "ret", piece(s, " "));
        else if (!(op->flags & OP_HAS_FAULTS) && take(s, "faults "))
            err = common_text(s, "faults", piece(s, " "));
        else if (!(op->flags & OP_FAIL) && take(s, "fail"))
            op->flags |= OP_FAIL;
        else
            return scan_fail(s, "only \"-> RESULT\", \"faults N\" or \"fail\" may follow");
        if (err)
            return err;
    }
    return ERR_NONE;
}

static enum err scan_mark(struct scan *s)
{
    struct slice name = piece(s, ":");
    enum err err = name.length ? common_text(s, "name", name) : ERR_NONE;
    if (err || s->at == s->end)
        return err;
    s->at++;
    s->at += s->at < s->end && *s->at == ' ';
    return common_text(s, "text", (struct slice){s->at, (size_t)(s->end - s->at)});
}

/* "[from..to]", from and to numbers or addresses: at v[0], length in v[1]. */
static enum err scan_range(struct scan *s)
{
    struct op *op = s->d->op;

    if (!take(s, "["))
        return scan_fail(s, "\"[\" is missing");
    struct slice from = piece(s, ".]");
    if (!take(s, ".."))
        return scan_fail(s, "\"..\" is missing");
    struct slice to = piece(s, "]");
    if (!take(s, "]"))
        return scan_fail(s, "\"]\" is missing");
    const char *name = op->base == BASE_BLOCK ? "off" : "addr";
    enum err err = common_text(s, name, from);
    if (err)
        return err;
    uint64_t start = op->v[0];
    uint8_t base = op->base;
    err = common_text(s, name, to);
    op->v[1] = op->v[0] - start;
    op->v[0] = start;
    if (!err && op->base != base)
        return scan_fail(s, "both ends of a range count from the same place");

    return err;
}

static enum err scan_target(struct scan *s)
{
    struct op *op = s->d->op;
    if (!take(s, "to "))
        return scan_fail(s, "\"to\" is missing");
    struct slice block = piece(s, "[");
    op->to_base = block.length ? BASE_BLOCK : BASE_NONE;
    if (block.length && !block_of(block, &op->v[4]))
        return scan_fail(s, "a block such as p3 is missing");
    if (!take(s, "["))
        return scan_fail(s, "\"[\" is missing");
    struct slice place = piece(s, "]");
    if (!take(s, "]"))
        return scan_fail(s, "\"]\" is missing");
    return common_text(s, block.length ? "to_off" : "to_addr", place);
}

static enum err scan_place(struct scan *s)
{
    struct op *op = s->d->op;
    struct slice block = piece(s, "[");
    op->base = block.length ? BASE_BLOCK : BASE_NONE;
    if (block.length && !block_of(block, &op->id))
        return scan_fail(s, "a block such as p3 is missing");
    enum err err = scan_range(s);
    if (err)
        return err;
    if (op_field_of(op->kind, "to_off", 6))
        err = scan_target(s);
    else if (op_field_of(op->kind, "value", 5) && take(s, "="))
        err = common_text(s, "value", piece(s, " "));
    return err ? err : scan_behind(s);
}

static enum err scan_block_argument(struct scan *s, struct slice text, bool named)
{
    uint64_t id;
    if (!block_of(text, &id))
        return scan_fail(s, "a block such as p3 is missing");
    if (named && id != s->d->op->id)
        return scan_fail(s, "the block keeps its name: p3 = realloc(p3, …)");
    s->d->op->id = id;
    return ERR_NONE;
}

static enum err scan_argument(struct scan *s, const struct op_field *field, bool named)
{
    const char *before = s->at;
    struct slice text = piece(s, ",)");
    if (!text.length) {
        s->at = before;
        return decode_fail(s->d, ERR_SYNTAX, field->name, "missing: %s needs it",
                           op_shape[s->d->op->kind].name);
    }
    if (field->kind == FIELD_MOVES || field->kind == FIELD_ENDS)
        return scan_block_argument(s, text, named);
    return field_text(s, field, text);
}

static enum err scan_call(struct scan *s, bool named)
{
    const struct op_shape *shape = &op_shape[s->d->op->kind];
    const struct op_field *field = shape->field;
    unsigned first = field->name ? field->kind : FIELD_NUMBER;
    if (named != (first == FIELD_MAKES) && !(named && first == FIELD_MOVES))
        return scan_fail(s, named ? "this op makes no block" : "a name is missing: p3 = …");
    if (!take(s, "("))
        return scan_fail(s, "\"(\" is missing");
    bool comma = false;
    for (field += first == FIELD_MAKES; field < shape->field + FIELDS_MAX && field->name; field++) {
        bool optional = field->kind == FIELD_OPTIONAL || field->kind == FIELD_TARGET;
        space(s);
        if (optional && s->at < s->end && *s->at == ')')
            break;
        if (comma && !take(s, ","))
            return scan_fail(s, "a comma and another value are missing");
        enum err err = scan_argument(s, field, named);
        if (err)
            return err;
        comma = true;
    }
    if (!take(s, ")"))
        return scan_fail(s, "\")\" is missing");
    return scan_behind(s);
}

/* "p3 =" in front of a call. */
static bool scan_name(struct scan *s)
{
    const char *before = s->at;
    struct slice name = word(s);
    uint64_t id;
    if (block_of(name, &id) && take(s, "=")) {
        s->d->op->id = id;
        return true;
    }
    s->at = before;
    return false;
}

enum err decode_call(struct decode *d, struct slice text)
{
    struct scan s = {d, text.at, text.at + text.length};
    d->is_call = true;
    enum err err = scan_front(&s);
    if (err)
        return err;
    bool named = scan_name(&s);
    struct slice name = word(&s);
    bool stop = is_word(name, "stop");
    unsigned kind = stop ? OP_mark : op_kind_of(name.at, name.length);
    if (kind == OP_COUNT)
        return name.length ? decode_unknown_op(d, name) : scan_fail(&s, "an op is missing");
    d->op->kind = (uint8_t)kind;
    d->op->flags = (uint8_t)(d->op->flags | (stop ? OP_STOP : 0));
    if (is_mark(d->op) && !named)
        err = scan_mark(&s);
    else if (is_place(d->op) && !named)
        err = scan_place(&s);
    else
        err = scan_call(&s, named);
    decode_finish(d);
    return err;
}

enum err op_parse(const char *text, struct op *op, struct op_extra *extra, struct error *e)
{
    struct op_extra own;
    extra = extra ? extra : &own;
    memset(op, 0, sizeof(*op));
    memset(extra, 0, sizeof(*extra));
    struct decode d = {.error = e, .op = op, .extra = extra};
    enum err err = decode_call(&d, (struct slice){text, strlen(text)});
    op->extra = d.has_extra;
    extra->text = d.text.length ? d.text.at : NULL;
    return err;
}
