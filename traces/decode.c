/* decode.c: one JSON object to one op, driven by the tables of fields.h. */
#include "traces/decode.h"

#include <stdarg.h>
#include <string.h>

enum err decode_fail(const struct decode *d, enum err code, const char *field, const char *format,
                     ...)
{
    char reason[sizeof(((struct error *)0)->reason)];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    return error_set(d->error, code, d->file, d->line, field, "%s", reason);
}

bool address_read(struct slice text, uint8_t *base, uint64_t *value)
{
    enum op_base from = BASE_ABS;
    const char *at = text.at, *end = at + text.length;
    if (text.length > 2 && (*at == 'h' || *at == 'm') && (at[1] == '+' || at[1] == '-')) {
        from = *at == 'h' ? BASE_HEAP : BASE_MMAP;
        at += 2;
        if (*at == '-')
            return false;
    }
    uint64_t number;
    if (number_read(at, (size_t)(end - at), false, &number) != NUMBER_GOOD)
        return false;
    *base = (uint8_t)from;
    *value = from != BASE_ABS && text.at[1] == '-' ? 0 - number : number;
    return true;
}

bool ret_read(struct slice text, uint8_t *base, uint64_t *value)
{
    unsigned number = errno_read(text.at, text.length);
    *base = BASE_NONE;
    *value = 0 - (uint64_t)number;
    if (number && text.at[0] == '-')
        return true;
    if (!address_read(text, base, value))
        return false;
    if (*base == BASE_ABS)
        *base = BASE_NONE;
    return true;
}

bool mark_name_good(struct slice name)
{
    size_t good = 0;
    while (
        good < name.length && name.at[good] != '\0' &&
        strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", name.at[good]))
        good++;
    return good == name.length && good < sizeof(((struct op_extra *)0)->name);
}

/* ---- values ---- */

static const char *type_text(const struct json_field *given)
{
    switch (given->type) {
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_BOOL:
        return given->truth ? "true" : "false";
    default:
        return "null, an array or an object";
    }
}

/* A whole number, given as such or as a string such as "0x1000". */
static enum err take_number(struct decode *d, const struct json_field *given, const char *field,
                            uint64_t max, uint64_t *value)
{
    if (given->type != JSON_NUMBER && given->type != JSON_STRING)
        return decode_fail(d, ERR_VALUE, field, "must be a whole number, not %s", type_text(given));
    enum number_error bad = number_read(given->text.at, given->text.length, d->is_call, value);
    int shown = (int)min_u64(given->text.length, 40);
    if (bad == NUMBER_BAD)
        return decode_fail(d, ERR_VALUE, field, "must be a whole number, not %s%.*s%s",
                           given->type == JSON_STRING ? "\"" : "", shown, given->text.at,
                           given->type == JSON_STRING ? "\"" : "");
    if (bad == NUMBER_RANGE)
        return decode_fail(d, ERR_VALUE, field, "%.*s does not fit in 64 bits", shown,
                           given->text.at);
    if (*value > max)
        return decode_fail(d, ERR_VALUE, field, "must be 0 to %llu, not %.*s",
                           (unsigned long long)max, shown, given->text.at);
    return ERR_NONE;
}

static enum err take_short(struct decode *d, const struct json_field *given, const char *field,
                           uint16_t *value)
{
    uint64_t number = 0;
    enum err err = take_number(d, given, field, UINT16_MAX, &number);
    *value = (uint16_t)number;
    return err;
}

static enum err take_flag(struct decode *d, const struct json_field *given, const char *field,
                          uint8_t flag)
{
    if (given->type != JSON_BOOL)
        return decode_fail(d, ERR_VALUE, field, "must be true or false, not %s", type_text(given));
    d->op->flags = (uint8_t)(d->op->flags | (given->truth ? flag : 0));
    return ERR_NONE;
}

static enum err take_address(struct decode *d, const struct json_field *given, const char *field,
                             uint8_t *base, uint64_t *value)
{
    bool may = given->type == JSON_NUMBER || given->type == JSON_STRING;
    if (may && address_read(given->text, base, value))
        return ERR_NONE;
    if (!may)
        return decode_fail(d, ERR_VALUE, field, "must be a virtual address, not %s",
                           type_text(given));
    return decode_fail(
        d, ERR_VALUE, field,
        "must be a virtual address (a number, \"0x…\", \"h+N\" or \"m-N\"), not %.*s",
        (int)min_u64(given->text.length, 40), given->text.at);
}

static enum err take_ret(struct decode *d, const struct json_field *given)
{
    d->op->flags |= OP_HAS_RET;
    bool may = given->type == JSON_NUMBER || given->type == JSON_STRING;
    if (may && ret_read(given->text, &d->extra->ret_base, &d->extra->ret))
        return ERR_NONE;
    return decode_fail(d, ERR_VALUE, "ret",
                       "must be a number, \"h+N\", \"m-N\" or \"-ENAME\", not %.*s",
                       may ? (int)min_u64(given->text.length, 40) : (int)strlen(type_text(given)),
                       may ? given->text.at : type_text(given));
}

static enum err take_names(struct decode *d, const struct json_field *given,
                           const struct op_field *field)
{
    char unknown[32];
    uint64_t *value = &d->op->v[field->slot];
    enum names_table table = (enum names_table)field->names;
    if (given->type != JSON_STRING)
        return take_number(d, given, field->name, UINT64_MAX, value);
    if (names_read(table, given->text.at, given->text.length, value, unknown))
        return ERR_NONE;
    const char *words[32];
    size_t count = 0;
    while (count < ARRAY_LEN(words) && names_word(table, count))
        words[count] = names_word(table, count), count++;
    const char *near = error_nearest(unknown, words, count);
    return decode_fail(d, ERR_VALUE, field->name, "\"%s\" is not known here%s%s%s", unknown,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

#define TEXT_MAX (64 * KIB)

static enum err take_text(struct decode *d, const struct json_field *given, const char *field)
{
    if (given->type != JSON_STRING)
        return decode_fail(d, ERR_VALUE, field, "must be a string, not %s", type_text(given));
    if (given->text.length > TEXT_MAX)
        return decode_fail(d, ERR_LIMIT, field, "longer than %u bytes", (unsigned)TEXT_MAX);
    d->text = given->text;
    return ERR_NONE;
}

static enum err take_mark_name(struct decode *d, const struct json_field *given, const char *field)
{
    if (given->type != JSON_STRING)
        return decode_fail(d, ERR_VALUE, field, "must be a string, not %s", type_text(given));
    if (!mark_name_good(given->text))
        return decode_fail(d, ERR_VALUE, field,
                           "must be up to 31 letters, digits, \"_\", \"-\" or \".\"");
    memcpy(d->extra->name, given->text.at, given->text.length);
    return ERR_NONE;
}

enum err decode_field(struct decode *d, const struct json_field *given,
                      const struct op_field *field)
{
    struct op *op = d->op;
    uint64_t *value = &op->v[field->slot];
    switch ((enum op_field_kind)field->kind) {
    case FIELD_MAKES:
    case FIELD_MOVES:
    case FIELD_ENDS:
    case FIELD_FD:
        return take_number(d, given, field->name, UINT64_MAX, &op->id);
    case FIELD_ID:
        op->base = BASE_BLOCK;
        return take_number(d, given, field->name, UINT64_MAX, &op->id);
    case FIELD_TO_ID:
        op->to_base = BASE_BLOCK;
        return take_number(d, given, field->name, UINT64_MAX, value);
    case FIELD_ADDR:
    case FIELD_ADDRESS:
        return take_address(d, given, field->name, &op->base, value);
    case FIELD_TO_ADDR:
    case FIELD_TARGET:
        return take_address(d, given, field->name, &op->to_base, value);
    case FIELD_OFF:
    case FIELD_TO_OFF:
    case FIELD_NUMBER:
    case FIELD_SIGNED:
    case FIELD_OPTIONAL:
    case FIELD_ONE:
        return take_number(d, given, field->name, UINT64_MAX, value);
    case FIELD_BYTE:
        return take_number(d, given, field->name, UINT8_MAX, value);
    case FIELD_PROCESS:
        return take_number(d, given, field->name, UINT16_MAX, value);
    case FIELD_NAMED:
        return take_names(d, given, field);
    case FIELD_MARK_NAME:
        return take_mark_name(d, given, field->name);
    case FIELD_MARK_TEXT:
        return take_text(d, given, field->name);
    case FIELD_MARK_STOP:
        return take_flag(d, given, field->name, OP_STOP);
    case FIELD_PID:
        op->flags |= OP_HAS_PID;
        return take_short(d, given, field->name, &op->pid);
    case FIELD_TID:
        return take_short(d, given, field->name, &op->tid);
    case FIELD_FAIL:
        return take_flag(d, given, field->name, OP_FAIL);
    case FIELD_RET:
        return take_ret(d, given);
    case FIELD_FAULTS:
        op->flags |= OP_HAS_FAULTS;
        return take_number(d, given, field->name, UINT64_MAX, &d->extra->faults);
    }
    return ERR_NONE;
}

/* ---- which fields there are ---- */

enum err decode_unknown_op(const struct decode *d, struct slice name)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)min_u64(name.length, sizeof(text) - 1), name.at);
    const char *names[OP_COUNT];
    op_names(names);
    const char *near = error_nearest(text, names, OP_COUNT);
    return decode_fail(d, ERR_VALUE, "op", "\"%s\" is not an op%s%s%s", text,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static enum err unknown_field(const struct decode *d, struct slice name)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)min_u64(name.length, sizeof(text) - 1), name.at);
    const char *names[FIELDS_MAX + COMMON_FIELDS + 1] = {"op"};
    size_t count = 1;
    const struct op_shape *shape = &op_shape[d->op->kind];
    for (size_t i = 0; i < FIELDS_MAX && shape->field[i].name; i++)
        names[count++] = shape->field[i].name;
    for (size_t i = 0; i < COMMON_FIELDS; i++)
        names[count++] = op_common[i].name;
    const char *near = error_nearest(text, names, count);
    return decode_fail(d, ERR_VALUE, text, "%s has no such field%s%s%s", shape->name,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static enum err find_kind(struct decode *d, const struct json_object *object)
{
    for (size_t i = 0; i < object->count; i++) {
        const struct json_field *given = &object->field[i];
        if (given->name.length != 2 || memcmp(given->name.at, "op", 2) != 0)
            continue;
        if (given->type != JSON_STRING)
            return decode_fail(d, ERR_VALUE, "op", "must be a string, not %s", type_text(given));
        unsigned kind = op_kind_of(given->text.at, given->text.length);
        if (kind == OP_COUNT)
            return decode_unknown_op(d, given->text);
        d->op->kind = (uint8_t)kind;
        return ERR_NONE;
    }
    return decode_fail(d, ERR_SYNTAX, "op", "missing: every op has one");
}

/* One bit per field of the op; p counts as pid, t as tid. */
static unsigned field_bit(const struct op_shape *shape, const struct op_field *field)
{
    if (field >= shape->field && field < shape->field + FIELDS_MAX)
        return 1u << (field - shape->field);
    return 1u << (FIELDS_MAX + field->kind - FIELD_PID);
}

static const struct op_field *own_field(const struct op_shape *shape, enum op_field_kind kind)
{
    for (size_t i = 0; i < FIELDS_MAX && shape->field[i].name; i++)
        if (shape->field[i].kind == kind)
            return &shape->field[i];
    return NULL;
}

/* A place is a block with an offset or an address, and not both. */
static enum err check_place(const struct decode *d, unsigned seen, enum op_field_kind id,
                            enum op_field_kind off, enum op_field_kind addr)
{
    const struct op_shape *shape = &op_shape[d->op->kind];
    const struct op_field *by_id = own_field(shape, id);
    if (!by_id)
        return ERR_NONE;
    const struct op_field *by_off = own_field(shape, off), *by_addr = own_field(shape, addr);
    bool has_id = seen & field_bit(shape, by_id), has_addr = seen & field_bit(shape, by_addr);
    if (has_id && has_addr)
        return decode_fail(d, ERR_VALUE, by_addr->name, "either \"%s\" or \"%s\", not both",
                           by_id->name, by_addr->name);
    if (!has_id && !has_addr)
        return decode_fail(d, ERR_SYNTAX, by_id->name, "missing: %s needs \"%s\" or \"%s\"",
                           shape->name, by_id->name, by_addr->name);
    if (has_addr && (seen & field_bit(shape, by_off)))
        return decode_fail(d, ERR_VALUE, by_off->name, "goes with \"%s\", not with \"%s\"",
                           by_id->name, by_addr->name);
    return ERR_NONE;
}

static enum err check_complete(const struct decode *d, unsigned seen)
{
    const struct op_shape *shape = &op_shape[d->op->kind];
    for (size_t i = 0; i < FIELDS_MAX && shape->field[i].name; i++)
        if (!(seen & 1u << i) && op_field_required(&shape->field[i]))
            return decode_fail(d, ERR_SYNTAX, shape->field[i].name, "missing: %s needs it",
                               shape->name);
    enum err err = check_place(d, seen, FIELD_ID, FIELD_OFF, FIELD_ADDR);
    return err ? err : check_place(d, seen, FIELD_TO_ID, FIELD_TO_OFF, FIELD_TO_ADDR);
}

/* Fields whose absence means 1. */
void decode_defaults(struct op *op)
{
    const struct op_field *field = op_shape[op->kind].field;
    for (size_t i = 0; i < FIELDS_MAX && field[i].name; i++)
        if (field[i].kind == FIELD_ONE)
            op->v[field[i].slot] = 1;
}

void decode_finish(struct decode *d)
{
    d->has_extra =
        d->text.length > 0 || d->extra->name[0] || (d->op->flags & (OP_HAS_RET | OP_HAS_FAULTS));
}

enum err decode_object(struct decode *d, const struct json_object *object)
{
    enum err err = find_kind(d, object);
    if (err)
        return err;
    decode_defaults(d->op);
    const struct op_shape *shape = &op_shape[d->op->kind];
    unsigned seen = 0;
    bool seen_op = false;
    for (size_t i = 0; i < object->count && !err; i++) {
        const struct json_field *given = &object->field[i];
        bool is_op = given->name.length == 2 && memcmp(given->name.at, "op", 2) == 0;
        const struct op_field *field =
            is_op ? NULL : op_field_of(d->op->kind, given->name.at, given->name.length);
        if (!is_op && !field)
            return unknown_field(d, given->name);
        unsigned bit = is_op ? 0 : field_bit(shape, field);
        if (is_op ? seen_op : (seen & bit) != 0)
            return decode_fail(d, ERR_VALUE, is_op ? "op" : field->name, "given twice");
        seen_op = seen_op || is_op;
        seen |= bit;
        err = is_op ? ERR_NONE : decode_field(d, given, field);
    }
    if (!err)
        err = check_complete(d, seen);
    d->has_extra =
        d->text.length > 0 || d->extra->name[0] || (d->op->flags & (OP_HAS_RET | OP_HAS_FAULTS));
    return err;
}
