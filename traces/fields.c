/* fields.c: the tables that ops.def expands to, and how they are searched. */
#include "traces/fields.h"

#include <string.h>

#define NAMED(name_, kind_, slot_, names_)                                                         \
    {#name_, sizeof(#name_) - 1, FIELD_##kind_, slot_, NAMES_##names_},
#define MAKES NAMED(id, MAKES, 0, none)
#define MOVES NAMED(id, MOVES, 0, none)
#define ENDS  NAMED(id, ENDS, 0, none)
#define PLACE NAMED(id, ID, 0, none) NAMED(off, OFF, 0, none) NAMED(addr, ADDR, 0, none)
#define TARGET                                                                                     \
    NAMED(to, TO_ID, 4, none) NAMED(to_off, TO_OFF, 3, none) NAMED(to_addr, TO_ADDR, 3, none)
#define TEXT                                                                                       \
    NAMED(name, MARK_NAME, 0, none) NAMED(text, MARK_TEXT, 0, none) NAMED(stop, MARK_STOP, 0, none)
#define NOTHING              {NULL, 0, 0, 0, 0},
#define I(name, slot)        NAMED(name, NUMBER, slot, none)
#define S(name, slot)        NAMED(name, SIGNED, slot, none)
#define O(name, slot)        NAMED(name, OPTIONAL, slot, none)
#define N(name, slot)        NAMED(name, ONE, slot, none)
#define B(name, slot)        NAMED(name, BYTE, slot, none)
#define C(name, slot)        NAMED(name, PROCESS, slot, none)
#define E(name, slot, table) NAMED(name, NAMED, slot, table)
#define A(name, slot)        NAMED(name, ADDRESS, slot, none)
#define T(name, slot)        NAMED(name, TARGET, slot, none)
#define D(name)              NAMED(name, FD, 0, none)

const struct op_shape op_shape[OP_COUNT] = {
#define OP(name, doc, fields) [OP_##name] = {#name, sizeof(#name) - 1, {fields}},
#include "traces/ops.def"
#undef OP
};

const struct op_info op_info[OP_COUNT] = {
#define OP(name, doc, fields) [OP_##name] = {#name, doc},
#include "traces/ops.def"
#undef OP
};

const struct op_field op_common[COMMON_FIELDS] = {
    NAMED(pid, PID, 0, none) NAMED(p, PID, 0, none) NAMED(tid, TID, 0, none) NAMED(t, TID, 0, none)
        NAMED(fail, FAIL, 0, none) NAMED(ret, RET, 0, none) NAMED(faults, FAULTS, 0, none)};

unsigned op_kind_of(const char *name, size_t length)
{
    unsigned kind = 0;
    while (kind < OP_COUNT &&
           (op_shape[kind].length != length || memcmp(op_shape[kind].name, name, length) != 0))
        kind++;
    return kind;
}

static const struct op_field *search(const struct op_field *field, size_t count, const char *name,
                                     size_t length)
{
    for (size_t i = 0; i < count && field[i].name; i++)
        if (field[i].length == length && memcmp(field[i].name, name, length) == 0)
            return &field[i];
    return NULL;
}

const struct op_field *op_field_of(unsigned kind, const char *name, size_t length)
{
    const struct op_field *own = search(op_shape[kind].field, FIELDS_MAX, name, length);
    return own ? own : search(op_common, COMMON_FIELDS, name, length);
}

void op_names(const char *names[OP_COUNT])
{
    for (unsigned kind = 0; kind < OP_COUNT; kind++)
        names[kind] = op_shape[kind].name;
}

bool op_field_required(const struct op_field *field)
{
    switch ((enum op_field_kind)field->kind) {
    case FIELD_MAKES:
    case FIELD_MOVES:
    case FIELD_ENDS:
    case FIELD_NUMBER:
    case FIELD_SIGNED:
    case FIELD_PROCESS:
    case FIELD_NAMED:
    case FIELD_ADDRESS:
    case FIELD_FD:
        return true;
    default:
        return false;
    }
}
