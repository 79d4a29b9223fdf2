/* json.h: JSON as traces need it: text slices, members of an object, and one small object as a
 * list of fields with the exact text of each number.
 *
 * cJSON parses; what it is lenient or inexact about is done here: numbers keep their digits (cJSON
 * knows only doubles), and text that other JSON programs would refuse is refused.
 */
#ifndef MEMWALK_TRACES_JSON_H
#define MEMWALK_TRACES_JSON_H

#include "sim/base/err.h"
#include "sim/base/types.h"

enum json_type {
    JSON_NUMBER,
    JSON_STRING,
    JSON_BOOL,
    JSON_OTHER, /* null, an array, an object */
};

/* A piece of text, not terminated. */
struct slice {
    const char *at;
    size_t length;
};

struct json_field {
    struct slice name; /* unescaped */
    enum json_type type;
    bool truth;        /* of JSON_BOOL */
    struct slice text; /* JSON_STRING: unescaped; JSON_NUMBER: its digits as they stand */
};

#define JSON_FIELDS 24

struct cJSON;

/* An object, or a string in its place: then is_string, and field[0].text is the string. */
struct json_object {
    bool is_string;
    size_t count;
    struct json_field field[JSON_FIELDS];
    struct cJSON *owner; /* holds the texts; NULL: they stand in the source */
};

/* The fast way: a flat object in plain ASCII without escapes. False: something unusual, perhaps
 * wrong; then json_read decides. Whatever it accepts, json_read accepts with the same result. */
bool json_read_plain(struct slice, struct json_object *);
/* The whole way. On an error *why is a reason with static storage and *near where it is wrong (a
 * place in the slice, or its end). */
bool json_read(struct slice, struct json_object *, const char **why, const char **near);
void json_release(struct json_object *);

/* True where the slice is one JSON value as the standard has it; else as json_read. */
bool json_valid(struct slice, const char **why, const char **near);

/* The string that the slice (a JSON string with its quotes) means; malloc'ed, or NULL. */
char *json_string(struct slice);

/* The next thing that is not white space. */
const char *json_space(const char *at, const char *end);
/* Behind the value that begins at at, found by quotes and brackets alone; NULL: it does not end. */
const char *json_skip(const char *at, const char *end);

/* Walks the members of an object: *at stands behind the "{", then behind each member. 1: a member;
 * 0: the object ended and *at stands behind it; -1: as json_read. Keys come as they stand. */
int json_member(const char **at, const char *end, struct slice *key, struct slice *value,
                const char **why);

#endif
