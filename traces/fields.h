/* fields.h: what an op may carry, as tables made from ops.def, and the names of flag values.
 *
 * Reader, writer, call notation and schema walk these tables; none of them knows an op by name.
 */
#ifndef MEMWALK_TRACES_FIELDS_H
#define MEMWALK_TRACES_FIELDS_H

#include "traces/trace.h"

enum op_field_kind {
    FIELD_MAKES, /* "id" of ops that give it a new block */
    FIELD_MOVES, /* "id" of ops that give its block a new size */
    FIELD_ENDS,  /* "id" of ops that end its block */
    FIELD_ID,    /* "id" of a place */
    FIELD_OFF,
    FIELD_ADDR, /* "addr" of a place */
    FIELD_TO_ID,
    FIELD_TO_OFF,
    FIELD_TO_ADDR,
    FIELD_NUMBER,
    FIELD_SIGNED,
    FIELD_OPTIONAL, /* 0 where absent */
    FIELD_ONE,      /* 1 where absent */
    FIELD_BYTE,
    FIELD_PROCESS,
    FIELD_NAMED,
    FIELD_ADDRESS,
    FIELD_TARGET, /* an optional address, counted from to_base */
    FIELD_FD,     /* a descriptor, in op.id */
    FIELD_MARK_NAME,
    FIELD_MARK_TEXT,
    FIELD_MARK_STOP,
    /* on every op */
    FIELD_PID,
    FIELD_TID,
    FIELD_FAIL,
    FIELD_RET,
    FIELD_FAULTS,
};

enum names_table {
    NAMES_none,
    NAMES_prot,
    NAMES_map,
    NAMES_mremap,
    NAMES_advice,
    NAMES_rlimit,
    NAMES_open,
    NAMES_msync,
    NAMES_fadvice,
};

struct op_field {
    const char *name;
    uint8_t length;
    uint8_t kind;  /* enum op_field_kind */
    uint8_t slot;  /* of op.v */
    uint8_t names; /* enum names_table */
};

#define FIELDS_MAX 8

struct op_shape {
    const char *name;
    uint8_t length;
    struct op_field field[FIELDS_MAX]; /* in the order of the call notation; ends with name NULL */
};

extern const struct op_shape op_shape[OP_COUNT];

/* Fields that every op may carry; p and t are other names of pid and tid. */
#define COMMON_FIELDS 7
extern const struct op_field op_common[COMMON_FIELDS];

/* The op of that name, or OP_COUNT. */
unsigned op_kind_of(const char *name, size_t length);

/* The field of this op with this name, own or common; NULL: it has none. */
const struct op_field *op_field_of(unsigned kind, const char *name, size_t length);

/* The names of all ops, for messages. */
void op_names(const char *names[OP_COUNT]);

/* True for the kinds that must stand in an op. */
bool op_field_required(const struct op_field *);

/* ---- names of values ---- */

/* value in the words of the table, or as a number where words do not suffice: "rw",
 * "private|anonymous", "dontneed", "private|0x4000000". */
void names_write(enum names_table, uint64_t value, char *text, size_t size);
/* The way back; also takes plain numbers. False: *unknown is the word that is not in the table. */
bool names_read(enum names_table, const char *text, size_t length, uint64_t *value,
                char unknown[32]);
/* Word i of the table, NULL beyond the end: for messages and the schema. */
const char *names_word(enum names_table, size_t i);

/* "-ENOMEM" or "ENOMEM": 12; 0: no such name. And back; NULL: no name for that number. */
unsigned errno_read(const char *text, size_t length);
const char *errno_write(unsigned number);

/* A number as JSON, C and people write it: decimal or 0x…, perhaps with a minus (then it is two's
 * complement); suffixes says whether K, M and G are allowed behind. */
enum number_error {
    NUMBER_GOOD,
    NUMBER_BAD,
    NUMBER_RANGE,
};
enum number_error number_read(const char *text, size_t length, bool suffixes, uint64_t *value);

#endif
