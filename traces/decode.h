/* decode.h: from one JSON object, or one line of the call notation, to an op.
 *
 * Both ways end in the same checks, so that an op means the same however it is written.
 */
#ifndef MEMWALK_TRACES_DECODE_H
#define MEMWALK_TRACES_DECODE_H

#include "traces/fields.h"
#include "traces/json.h"

/* Where the op stands, and where its parts go. text and name of the extra point into the source. */
struct decode {
    const char *file;
    uint64_t line;
    struct error *error;
    struct op *op;
    struct op_extra *extra;
    struct slice text; /* of a mark */
    bool has_extra;
    bool is_call; /* the call notation: numbers may end in K, M or G */
};

/* Fills *d->op, *d->extra, d->text and d->has_extra; d->op->line and d->op->extra are left alone.
 */
enum err decode_object(struct decode *d, const struct json_object *);
/* The call notation. */
enum err decode_call(struct decode *d, struct slice text);

/* ---- parts that the two ways share ---- */

enum err decode_fail(const struct decode *d, enum err code, const char *field, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));
/* Puts the value where the field of the op belongs. */
enum err decode_field(struct decode *d, const struct json_field *given, const struct op_field *);
/* Notes whether the op has rare parts. */
void decode_finish(struct decode *d);
enum err decode_unknown_op(const struct decode *d, struct slice name);
void decode_defaults(struct op *);
/* "h+N", "h-N", "m+N", "m-N" or a number; false: something else, nothing is changed. */
bool address_read(struct slice text, uint8_t *base, uint64_t *value);
/* What "ret" may hold: an address as above, a number, "-ENOMEM". */
bool ret_read(struct slice text, uint8_t *base, uint64_t *value);
/* And back. */
void address_write(uint8_t base, uint64_t value, char *text, size_t size);
void ret_write(const struct op_extra *extra, char *text, size_t size);
/* Letters, digits, "_", "-" and ".", at most 31 of them. */
bool mark_name_good(struct slice name);

#endif
