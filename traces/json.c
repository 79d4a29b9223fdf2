/* json.c: exact and strict JSON on top of cJSON, and a fast reader for plain one-line objects. */
#include "traces/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

const char *json_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Behind the closing quote; at stands behind the opening one. */
static const char *skip_string(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at++;
    }
    return NULL;
}

const char *json_skip(const char *at, const char *end)
{
    size_t depth = 0;
    const char *start = at;
    while (at && at < end) {
        char c = *at++;
        if (c == '"')
            at = skip_string(at, end);
        else if (c == '{' || c == '[')
            depth++;
        else if (depth && (c == '}' || c == ']'))
            depth--;
        else if (!depth && (c == '}' || c == ']' || c == ',' || is_space(c)))
            return at - 1 > start ? at - 1 : NULL;
        else if (!depth)
            continue;
        if (!depth)
            return at;
    }
    return at && !depth && at > start ? at : NULL;
}

int json_member(const char **at, const char *end, struct slice *key, struct slice *value,
                const char **why)
{
    bool first = (*at)[-1] == '{';
    const char *p = json_space(*at, end);
    *at = p;
    if (p < end && *p == '}') {
        *at = p + 1;
        return 0;
    }
    *why = first ? "a name in quotes is missing" : "a comma or } is missing";
    if (!first && (p == end || *p != ','))
        return -1;
    p = json_space(p + !first, end);
    *at = p;
    *why = "a name in quotes is missing";
    const char *behind = p < end && *p == '"' ? skip_string(p + 1, end) : NULL;
    if (!behind)
        return -1;
    *key = (struct slice){p + 1, (size_t)(behind - p - 2)};
    *at = p = json_space(behind, end);
    *why = "a colon is missing";
    if (p == end || *p != ':')
        return -1;
    *at = p = json_space(p + 1, end);
    *why = "a value is missing, or does not end";
    behind = json_skip(p, end);
    if (!behind)
        return -1;
    *value = (struct slice){p, (size_t)(behind - p)};
    *at = behind;
    return 1;
}

/* ---- what cJSON lets pass ---- */

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), or 0. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    if (*p < 0x80)
        return 1;
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    bool beyond = (*p == 0xed && p[1] > 0x9f) || (*p == 0xf4 && p[1] > 0x8f);
    return overlong || beyond ? 0 : n;
}

/* Behind the string whose opening quote stands before at; NULL: *why and *near. */
static const char *strict_string(const char *at, const char *end, const char **why,
                                 const char **near)
{
    while (at < end && *at != '"') {
        size_t n = utf8_length((const unsigned char *)at, (const unsigned char *)end);
        *near = at;
        *why = "a control character in a string";
        if ((unsigned char)*at < 0x20)
            return NULL;
        *why = "not UTF-8";
        if (!n)
            return NULL;
        *why = "a NUL in a string";
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0)
            return NULL;
        at += *at == '\\' && end - at > 1 && at[1] < 0x7f && at[1] >= 0x20 ? 2 : n;
    }
    *near = end;
    *why = "a string does not end";
    return at < end ? at + 1 : NULL;
}

static const char *digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Behind the number at at, or NULL: RFC 8259, section 6. */
static const char *strict_number(const char *at, const char *end)
{
    at += *at == '-';
    const char *behind = digits(at, end);
    if (behind == at || (*at == '0' && behind - at > 1))
        return NULL;
    if (behind < end && *behind == '.') {
        at = behind + 1;
        behind = digits(at, end);
        if (behind == at)
            return NULL;
    }
    if (behind < end && (*behind == 'e' || *behind == 'E')) {
        at = behind + 1;
        at += at < end && (*at == '+' || *at == '-');
        behind = digits(at, end);
        if (behind == at)
            return NULL;
    }
    return behind;
}

/* The next number in the text that is not part of a string; {end, 0} where there is none. */
static struct slice next_number(const char **at, const char *end)
{
    const char *p = *at;
    while (p && p < end && *p != '-' && !is_digit(*p))
        p = *p == '"' ? skip_string(p + 1, end) : p + 1;
    if (!p || p >= end)
        return (struct slice){end, 0};
    const char *behind = strict_number(p, end);
    *at = behind ? behind : end;
    return (struct slice){p, (size_t)(*at - p)};
}

static bool strict(struct slice text, const char **why, const char **near)
{
    const char *at = text.at, *end = at + text.length;
    while (at && at < end) {
        *near = at;
        *why = "not JSON";
        if (*at == '"')
            at = strict_string(at + 1, end, why, near);
        else if (*at == '-' || is_digit(*at))
            at = strict_number(at, end);
        else if ((unsigned char)*at < 0x20 && !is_space(*at))
            at = NULL;
        else
            at++;
    }
    return at != NULL;
}

static cJSON *parse(struct slice text, const char **why, const char **near)
{
    if (!strict(text, why, near))
        return NULL;
    const char *end = text.at + text.length;
    *why = "not JSON: a quote or bracket is missing";
    *near = end;
    if (!json_skip(json_space(text.at, end), end))
        return NULL;
    *why = "not JSON";
    *near = text.at;
    cJSON *value = cJSON_ParseWithLengthOpts(text.at, text.length, near, false);
    if (!value)
        return NULL;
    *near = json_space(*near, end);
    *why = "something follows the value";
    if (*near == end)
        return value;
    cJSON_Delete(value);
    return NULL;
}

bool json_valid(struct slice text, const char **why, const char **near)
{
    cJSON *value = parse(text, why, near);
    cJSON_Delete(value);
    return value != NULL;
}

char *json_string(struct slice text)
{
    const char *why, *near;
    cJSON *value = parse(text, &why, &near);
    char *string = cJSON_IsString(value) ? strdup(value->valuestring) : NULL;
    cJSON_Delete(value);
    return string;
}

/* ---- one op ---- */

static struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static enum json_type type_of(const cJSON *value)
{
    if (cJSON_IsNumber(value))
        return JSON_NUMBER;
    if (cJSON_IsString(value))
        return JSON_STRING;
    return cJSON_IsBool(value) ? JSON_BOOL : JSON_OTHER;
}

/* Numbers come in the same order in the tree and in the text, so each finds its digits. A field
 * with numbers inside it is refused as a whole by whoever asked for a flat object. */
static bool take_fields(struct slice text, struct json_object *object)
{
    const char *at = text.at, *end = at + text.length;
    object->count = 0;
    for (const cJSON *value = object->owner->child; value; value = value->next) {
        if (object->count == JSON_FIELDS)
            return false;
        struct json_field *field = &object->field[object->count++];
        *field = (struct json_field){.name = slice_of(value->string), .type = type_of(value)};
        field->truth = cJSON_IsTrue(value);
        if (field->type == JSON_STRING)
            field->text = slice_of(value->valuestring);
        else if (field->type == JSON_NUMBER)
            field->text = next_number(&at, end);
        else if (field->type == JSON_OTHER && value->child)
            return true;
    }
    return true;
}

bool json_read(struct slice text, struct json_object *object, const char **why, const char **near)
{
    object->count = 0;
    object->is_string = false;
    object->owner = parse(text, why, near);
    if (!object->owner)
        return false;
    *near = text.at;
    *why = "more fields than any op has";
    object->is_string = cJSON_IsString(object->owner);
    if (object->is_string)
        object->field[0].text = slice_of(object->owner->valuestring);
    else if (cJSON_IsObject(object->owner) && take_fields(text, object))
        return true;
    else if (!cJSON_IsObject(object->owner))
        *why = "an op is an object or a string in the call notation";
    if (!object->is_string)
        json_release(object);
    return object->is_string;
}

void json_release(struct json_object *object)
{
    cJSON_Delete(object->owner);
    object->owner = NULL;
}

/* A string of printable ASCII without a backslash; *at stands behind the opening quote. */
static bool plain_string(const char **at, const char *end, struct slice *text)
{
    const char *p = *at;
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p < 0x7f)
        p++;
    *text = (struct slice){*at, (size_t)(p - *at)};
    *at = p + 1;
    return p < end && *p == '"';
}

/* Only numbers of up to 20 digits without a point or exponent. */
static bool plain_number(const char **at, const char *end, struct slice *text)
{
    const char *p = *at + (**at == '-');
    const char *behind = digits(p, end);
    *text = (struct slice){*at, (size_t)(behind - *at)};
    *at = behind;
    bool good = behind > p && behind - p <= 20 && (*p != '0' || behind - p == 1);
    return good && behind < end && *behind != '.' && *behind != 'e' && *behind != 'E';
}

static bool plain_bool(const char **at, const char *end, struct json_field *field)
{
    field->type = JSON_BOOL;
    field->truth = **at == 't';
    const char *word = field->truth ? "true" : "false";
    size_t n = strlen(word);
    bool good = (size_t)(end - *at) > n && memcmp(*at, word, n) == 0;
    *at += good ? n : 0;
    return good;
}

static bool plain_value(const char **at, const char *end, struct json_field *field)
{
    if (*at == end)
        return false;
    if (**at == '"') {
        ++*at;
        field->type = JSON_STRING;
        return plain_string(at, end, &field->text);
    }
    if (**at == '-' || is_digit(**at)) {
        field->type = JSON_NUMBER;
        return plain_number(at, end, &field->text);
    }
    return plain_bool(at, end, field);
}

static bool plain_field(const char **at, const char *end, struct json_field *field)
{
    const char *p = json_space(*at, end);
    if (p == end || *p++ != '"' || !plain_string(&p, end, &field->name))
        return false;
    p = json_space(p, end);
    if (p == end || *p++ != ':')
        return false;
    p = json_space(p, end);
    if (!plain_value(&p, end, field))
        return false;
    *at = json_space(p, end);
    return *at < end;
}

bool json_read_plain(struct slice text, struct json_object *object)
{
    const char *at = json_space(text.at, text.at + text.length), *end = text.at + text.length;
    object->count = 0;
    object->is_string = false;
    object->owner = NULL;
    if (at == end || *at != '{')
        return false;
    do {
        at++;
        if (object->count == JSON_FIELDS || !plain_field(&at, end, &object->field[object->count]))
            return false;
        object->count++;
    } while (*at == ',');
    return *at == '}' && json_space(at + 1, end) == end;
}
