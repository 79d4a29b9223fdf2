/* reader.h: limits of the reader, and the two ways to read one op, for the reader and its tests. */
#ifndef MEMWALK_TRACES_READER_H
#define MEMWALK_TRACES_READER_H

#include "traces/decode.h"

#define TRACE_LINE_MAX     (1 * MIB) /* one line of JSON Lines, without its end */
#define TRACE_DOCUMENT_MAX (1 * GIB) /* one JSON document, unpacked */

enum read_way {
    READ_FAST, /* the plain reader first, cJSON for what it does not take */
    READ_FULL, /* cJSON alone */
};

/* One op from its JSON text. On success *object holds what d->text points to: json_release it. */
enum err read_op(struct decode *d, struct slice text, enum read_way, struct json_object *object);

#endif
