/* read.c: the streaming reader.
 *
 * A buffer holds the unpacked text: of JSON Lines the line at hand and what was read beyond it, of
 * a document all of it, because a JSON value is complete only at its last byte. The ops of a
 * document are found by quotes and brackets and then read one at a time like lines, so both forms
 * share everything from there on, and every op knows its line.
 */
#include "traces/reader.h"

#include "traces/input.h"
#include "traces/rep.h"

#include <stdlib.h>
#include <string.h>

struct trace_reader {
    char *path;
    struct input *in;
    struct trace_header header;
    char *buffer; /* [0 .. filled), used up to at */
    size_t capacity, at, filled;
    bool is_document, is_rep, finished;
    struct rep_header rep;
    uint64_t requests; /* of a .rep, so far */
    uint64_t line;     /* the line of buffer[at], from 1 */
    struct json_object object;
    char *text; /* the mark's text of the last op */
    size_t text_capacity;
};

static enum err fail(const struct trace_reader *r, struct error *e, enum err code,
                     const char *field, const char *reason)
{
    return error_set(e, code, r->path, r->line, field, "%s", reason);
}

/* "why near 'text'", the text cut to what fits in a message and can be printed. */
static enum err fail_near(const char *file, uint64_t line, struct error *e, const char *why,
                          const char *near, const char *end)
{
    char text[24];
    size_t n = 0;
    while (n < sizeof(text) - 1 && near + n < end && near[n] >= 0x20 && near[n] < 0x7f)
        text[n] = near[n], n++;
    text[n] = '\0';
    if (near >= end)
        return error_set(e, ERR_SYNTAX, file, line, NULL, "%s, at the end", why);
    return error_set(e, ERR_SYNTAX, file, line, NULL, n ? "%s, near '%s'" : "%s", why, text);
}

/* ---- the buffer ---- */

/* Reads more behind what is there; *more says whether there was any. */
static enum err read_more(struct trace_reader *r, bool *more, struct error *e)
{
    if (r->at) {
        memmove(r->buffer, r->buffer + r->at, r->filled - r->at);
        r->filled -= r->at;
        r->at = 0;
    }
    long n = input_read(r->in, r->buffer + r->filled, r->capacity - r->filled, e);
    if (n < 0) {
        if (e)
            e->line = r->line;
        return e ? e->code : ERR_IO;
    }
    r->filled += (size_t)n;
    *more = n > 0;
    return ERR_NONE;
}

/* The line at r->at, without its end; *length_used counts the end too. At the end of the text both
 * are 0. Nothing is used up. */
static enum err peek_line(struct trace_reader *r, struct slice *line, size_t *used, struct error *e)
{
    size_t seen = 0;
    bool more = true;
    for (;;) {
        char *start = r->buffer + r->at;
        char *newline = memchr(start + seen, '\n', r->filled - r->at - seen);
        seen = r->filled - r->at;
        size_t length = newline ? (size_t)(newline - start) : seen;
        *line = (struct slice){start, length};
        *used = length + (newline != NULL);
        if (length > TRACE_LINE_MAX || newline || !more)
            return ERR_NONE;
        enum err err = read_more(r, &more, e);
        if (err)
            return err;
    }
}

static void use(struct trace_reader *r, size_t used)
{
    r->line += used && r->buffer[r->at + used - 1] == '\n';
    r->at += used;
}

static bool is_blank(struct slice line)
{
    return json_space(line.at, line.at + line.length) == line.at + line.length;
}

/* The next line that says something; length 0 at the end of the text. */
static enum err next_line(struct trace_reader *r, struct slice *line, size_t *used, struct error *e)
{
    for (;;) {
        enum err err = peek_line(r, line, used, e);
        if (err)
            return err;
        if (line->length > TRACE_LINE_MAX)
            return error_set(e, ERR_LIMIT, r->path, r->line, NULL,
                             "this line is longer than %u bytes", (unsigned)TRACE_LINE_MAX);
        const char *start = json_space(line->at, line->at + line->length);
        if (start < line->at + line->length) {
            line->length -= (size_t)(start - line->at);
            line->at = start;
            return ERR_NONE;
        }
        use(r, *used);
        if (!*used) {
            line->length = 0;
            return ERR_NONE;
        }
    }
}

/* ---- the header ---- */

enum header_key {
    KEY_memwalk,
    KEY_name,
    KEY_doc,
    KEY_command,
    KEY_config,
    KEY_ops,
    KEY_expect,
    KEY_COUNT,
};

static const char *const header_keys[KEY_COUNT] = {
    "memwalk", "name", "doc", "command", "config", "ops", "expect",
};

static unsigned header_key_of(struct slice key)
{
    unsigned i = 0;
    while (i < KEY_COUNT && (strlen(header_keys[i]) != key.length ||
                             memcmp(header_keys[i], key.at, key.length) != 0))
        i++;
    return i;
}

static enum err take_version(struct trace_reader *r, struct slice value, struct error *e)
{
    uint64_t version = 0;
    if (number_read(value.at, value.length, false, &version) != NUMBER_GOOD)
        return fail(r, e, ERR_VALUE, "memwalk", "must be the version of the format, 1");
    r->header.version = (unsigned)version;
    if (version != 1)
        return error_set(e, ERR_VALUE, r->path, r->line, "memwalk",
                         "version %llu is not known; this program reads version 1",
                         (unsigned long long)version);
    return ERR_NONE;
}

static enum err take_string(struct trace_reader *r, struct slice value, const char *key, char **to,
                            struct error *e)
{
    if (value.length > TRACE_LINE_MAX / 8)
        return fail(r, e, ERR_LIMIT, key, "longer than 131072 bytes");
    char *string = *value.at == '"' ? json_string(value) : NULL;
    if (!string)
        return fail(r, e, ERR_VALUE, key, "must be a string");
    free(*to);
    *to = string;
    return ERR_NONE;
}

static enum err take_object(struct trace_reader *r, struct slice value, const char *key, char **to,
                            struct error *e)
{
    const char *why, *near;
    if (value.length > TRACE_LINE_MAX / 2)
        return fail(r, e, ERR_LIMIT, key, "longer than 524288 bytes");
    if (!json_valid(value, &why, &near))
        return fail_near(r->path, r->line, e, why, near, value.at + value.length);
    if (*value.at != '{')
        return fail(r, e, ERR_VALUE, key, "must be an object");
    *to = strndup(value.at, value.length);
    return *to ? ERR_NONE : fail(r, e, ERR_MEMORY, key, "no memory left");
}

/* Whether text is a number, or a relation and a number in quotes: 3, "<= 10". */
static bool is_wanted(struct slice value)
{
    const char *at = value.at, *end = at + value.length;
    bool quoted = *at == '"';
    at += quoted;
    if (quoted)
        at += strspn(at, "<>= ");
    return at < end && (*at == '-' || (*at >= '0' && *at <= '9'));
}

/* Figures of a report are numbers, perhaps in groups; anything else can never come true. */
static enum err check_expect(struct trace_reader *r, struct error *e)
{
    const char *at = r->header.expect + 1, *why = NULL;
    const char *end = at + strlen(at);
    struct slice key, value;
    while (json_member(&at, end, &key, &value, &why) > 0) {
        if (is_wanted(value) || *value.at == '{')
            continue;
        return error_set(e, ERR_VALUE, r->path, r->line, "expect",
                         "the figure \"%.*s\" must be a number, or such as \"<= 10\"",
                         (int)min_u64(key.length, 60), key.at);
    }
    return ERR_NONE;
}

static enum err take_expect(struct trace_reader *r, struct slice value, struct error *e)
{
    enum err err = take_object(r, value, "expect", &r->header.expect, e);
    return err ? err : check_expect(r, e);
}

static enum err take_member(struct trace_reader *r, enum header_key key, struct slice value,
                            struct error *e)
{
    switch (key) {
    case KEY_memwalk:
        return take_version(r, value, e);
    case KEY_name:
        return take_string(r, value, "name", &r->header.name, e);
    case KEY_doc:
        return take_string(r, value, "doc", &r->header.doc, e);
    case KEY_command:
        return take_string(r, value, "command", &r->header.command, e);
    case KEY_config:
        return take_object(r, value, "config", &r->header.config, e);
    case KEY_expect:
        return take_expect(r, value, e);
    default:
        return *value.at == '[' ? ERR_NONE
                                : fail(r, e, ERR_VALUE, "ops", "must be an array of ops");
    }
}

static enum err unknown_key(const struct trace_reader *r, struct slice key, struct error *e)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*s", (int)min_u64(key.length, sizeof(text) - 1), key.at);
    const char *near = error_nearest(text, header_keys, KEY_COUNT);
    return error_set(e, ERR_VALUE, r->path, r->line, text, "a trace has no such field%s%s%s",
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static uint64_t count_lines(const char *from, const char *to)
{
    uint64_t n = 0;
    while (from < to && (from = memchr(from, '\n', (size_t)(to - from)))) {
        from++;
        n++;
    }
    return n;
}

/* Reads the members of the object that begins at text.at. *ops is the array's place, or NULL;
 * r->line goes along for messages. */
static enum err take_members(struct trace_reader *r, struct slice text, const char **ops,
                             uint64_t *ops_line, struct error *e)
{
    const char *at = text.at + 1, *end = text.at + text.length, *counted = text.at, *why = NULL;
    struct slice key, value;
    unsigned seen = 0;
    int got;
    while ((got = json_member(&at, end, &key, &value, &why)) > 0) {
        r->line += count_lines(counted, value.at);
        counted = value.at;
        unsigned k = header_key_of(key);
        if (k == KEY_COUNT)
            return unknown_key(r, key, e);
        if (seen & 1u << k)
            return fail(r, e, ERR_VALUE, header_keys[k], "given twice");
        seen |= 1u << k;
        enum err err = take_member(r, (enum header_key)k, value, e);
        if (err)
            return err;
        if (k == KEY_ops) {
            *ops = value.at;
            *ops_line = r->line;
        }
    }
    r->line += count_lines(counted, at);
    if (got < 0)
        return fail_near(r->path, r->line, e, why, at, end);
    at = json_space(at, end);
    if (at < end)
        return fail_near(r->path, r->line, e, "something follows the trace's end", at, end);
    if (!(seen & 1u << KEY_memwalk) && seen != 1u << KEY_expect)
        return fail(r, e, ERR_SYNTAX, "memwalk", "missing: the version of the format, 1");
    return ERR_NONE;
}

/* ---- which form ---- */

static bool has_key(struct slice text, const char *wanted)
{
    const char *at = text.at + 1, *why;
    struct slice key, value;
    while (json_member(&at, text.at + text.length, &key, &value, &why) > 0)
        if (key.length == strlen(wanted) && memcmp(key.at, wanted, key.length) == 0)
            return true;
    return false;
}

/* An object that is not an op and begins with a key of the header: header or last line. */
static bool is_about_trace(struct slice text)
{
    const char *end = text.at + text.length, *why;
    const char *at = json_space(text.at + 1, end);
    if (*text.at != '{' || (end - at > 4 && memcmp(at, "\"op\"", 4) == 0))
        return false;
    at = text.at + 1;
    struct slice key = {at, 0}, value;
    /* A value that does not end is no reason to doubt its key. */
    json_member(&at, end, &key, &value, &why);
    return header_key_of(key) < KEY_COUNT && !has_key(text, "op");
}

/* A document is one value over many lines, or one line with "ops" in it. */
static bool looks_like_document(struct slice line)
{
    const char *end = line.at + line.length, *at = json_space(line.at + 1, end);
    if (*line.at != '{' || (end - at > 4 && memcmp(at, "\"op\"", 4) == 0))
        return false;
    return has_key(line, "ops") || !json_skip(line.at, end);
}

static enum err read_document(struct trace_reader *r, struct error *e)
{
    bool more = true;
    while (more) {
        if (r->capacity - r->filled < TRACE_LINE_MAX / 2) {
            char *larger = realloc(r->buffer, r->capacity * 2);
            if (!larger)
                return fail(r, e, ERR_MEMORY, NULL, "no memory left for a document of this size");
            r->buffer = larger;
            r->capacity *= 2;
        }
        enum err err = read_more(r, &more, e);
        if (err)
            return err;
        if (r->filled > TRACE_DOCUMENT_MAX)
            return fail(r, e, ERR_LIMIT, NULL,
                        "a document of more than 1 GiB; convert it to JSON Lines");
    }
    return ERR_NONE;
}

static enum err open_document(struct trace_reader *r, struct error *e)
{
    enum err err = read_document(r, e);
    if (err)
        return err;
    const char *ops = NULL;
    uint64_t ops_line = 0;
    r->is_document = true;
    struct slice text = {r->buffer + r->at, r->filled - r->at};
    err = take_members(r, text, &ops, &ops_line, e);
    if (!err && !ops)
        err = fail(r, e, ERR_SYNTAX, "ops", "missing: a document has an array of ops");
    if (err)
        return err;
    r->at = (size_t)(ops - r->buffer) + 1;
    r->line = ops_line;
    return ERR_NONE;
}

/* A first line without "memwalk" but with "expect" is the last line of a trace without ops. */
static enum err open_lines(struct trace_reader *r, struct slice line, size_t used, struct error *e)
{
    if (!is_about_trace(line) || (has_key(line, "expect") && !has_key(line, "memwalk")))
        return ERR_NONE;
    const char *ops = NULL;
    uint64_t ops_line;
    enum err err = take_members(r, line, &ops, &ops_line, e);
    if (!err)
        use(r, used);
    return err;
}

/* Four lines with a number each. */
static enum err open_rep(struct trace_reader *r, struct error *e)
{
    r->is_rep = true;
    while (r->rep.seen < 4) {
        struct slice line;
        size_t used;
        const char *field = NULL;
        enum err err = next_line(r, &line, &used, e);
        if (err)
            return err;
        if (!line.length || !rep_take_number(&r->rep, line, &field))
            return fail(r, e, ERR_SYNTAX, field,
                        "missing: a malloc-lab trace begins with four numbers");
        use(r, used);
    }
    return ERR_NONE;
}

static enum err open_form(struct trace_reader *r, struct error *e)
{
    bool more = true;
    while (more && r->filled < 3) {
        enum err err = read_more(r, &more, e);
        if (err)
            return err;
    }
    if (r->filled >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0)
        r->at = 3; /* the byte-order mark that some editors leave */
    struct slice line;
    size_t used;
    for (;;) {
        enum err err = peek_line(r, &line, &used, e);
        if (err)
            return err;
        if (!is_blank(line) || !used)
            break;
        use(r, used);
    }
    const char *start = json_space(line.at, line.at + line.length);
    struct slice text = {start, line.length - (size_t)(start - line.at)};
    if (!text.length)
        return fail(r, e, ERR_SYNTAX, NULL, "empty: there is no trace in it");
    r->at += (size_t)(start - line.at);
    used -= (size_t)(start - line.at);
    if (*start >= '0' && *start <= '9')
        return open_rep(r, e);
    if (*start != '{' && *start != '"')
        return fail_near(r->path, r->line, e, "not a trace: neither JSON Lines nor a JSON document",
                         start, start + text.length);
    return looks_like_document(text) ? open_document(r, e) : open_lines(r, text, used, e);
}

/* "dir/name.jsonl.zst" without folders and known ends. */
static char *name_of_path(const char *path)
{
    static const char *const ends[] = {".zst", ".gz", ".json", ".jsonl", ".rep"};
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    char *name = strdup(strcmp(base, "-") == 0 ? "standard input" : base);
    for (size_t i = 0; name && i < ARRAY_LEN(ends); i++) {
        size_t n = strlen(name), m = strlen(ends[i]);
        if (n > m && strcmp(name + n - m, ends[i]) == 0)
            name[n - m] = '\0';
    }
    return name;
}

static struct trace_reader *reader_new(const char *path)
{
    struct trace_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->line = 1;
    r->capacity = TRACE_LINE_MAX + 256 * KIB;
    r->buffer = malloc(r->capacity);
    r->path = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    r->header.name = name_of_path(path);
    r->header.version = 1;
    if (r->buffer && r->path && r->header.name)
        return r;
    trace_close(r);
    return NULL;
}

enum err trace_open(struct trace_reader **result, const char *path, struct error *e)
{
    *result = NULL;
    struct trace_reader *r = reader_new(path);
    if (!r)
        return error_set(e, ERR_MEMORY, path, 0, NULL, "no memory to read it");
    enum err err = input_open(&r->in, path, r->path, e);
    if (!err)
        err = open_form(r, e);
    if (err)
        trace_close(r);
    else
        *result = r;
    return err;
}

enum err trace_open_memory(struct trace_reader **result, const void *bytes, size_t size,
                           const char *name, struct error *e)
{
    *result = NULL;
    struct trace_reader *r = reader_new(name);
    if (!r)
        return error_set(e, ERR_MEMORY, name, 0, NULL, "no memory to read it");
    enum err err = input_open_memory(&r->in, bytes, size, r->path, e);
    if (!err)
        err = open_form(r, e);
    if (err)
        trace_close(r);
    else
        *result = r;
    return err;
}

void trace_header_free(struct trace_header *header)
{
    free(header->name);
    free(header->doc);
    free(header->command);
    free(header->config);
    free(header->expect);
}

void trace_close(struct trace_reader *r)
{
    if (!r)
        return;
    input_close(r->in);
    trace_header_free(&r->header);
    free(r->text);
    free(r->buffer);
    free(r->path);
    free(r);
}

const struct trace_header *trace_reader_header(const struct trace_reader *r)
{
    return &r->header;
}

void trace_progress(const struct trace_reader *r, uint64_t *done, uint64_t *total)
{
    input_progress(r->in, done, total);
    if (r->is_document) {
        *done = r->at;
        *total = r->filled;
    }
}

/* ---- ops ---- */

enum err read_op(struct decode *d, struct slice text, enum read_way way, struct json_object *object)
{
    memset(d->op, 0, sizeof(*d->op));
    memset(d->extra, 0, sizeof(*d->extra));
    d->text = (struct slice){NULL, 0};
    d->has_extra = false;
    d->op->line = (uint32_t)min_u64(d->line, UINT32_MAX);
    const char *why = NULL, *near = NULL;
    if ((way == READ_FULL || !json_read_plain(text, object)) &&
        !json_read(text, object, &why, &near))
        return fail_near(d->file, d->line + count_lines(text.at, near), d->error, why, near,
                         text.at + text.length);
    enum err err =
        object->is_string ? decode_call(d, object->field[0].text) : decode_object(d, object);
    if (err)
        json_release(object);
    return err;
}

/* The mark's text outlives the line it came from. */
static enum err keep_text(struct trace_reader *r, const struct decode *d)
{
    if (!d->text.length)
        return ERR_NONE;
    if (r->text_capacity <= d->text.length) {
        free(r->text);
        r->text_capacity = d->text.length + 1;
        r->text = malloc(r->text_capacity);
        if (!r->text) {
            r->text_capacity = 0;
            return fail(r, d->error, ERR_MEMORY, NULL, "no memory left");
        }
    }
    memcpy(r->text, d->text.at, d->text.length);
    r->text[d->text.length] = '\0';
    d->extra->text = r->text;
    return ERR_NONE;
}

static int read_one(struct trace_reader *r, struct slice text, struct op *op,
                    struct op_extra *extra, struct error *e)
{
    struct op_extra own;
    struct decode d = {
        .file = r->path, .line = r->line, .error = e, .op = op, .extra = extra ? extra : &own};
    if (read_op(&d, text, READ_FAST, &r->object))
        return -1;
    enum err err = keep_text(r, &d);
    json_release(&r->object);
    op->extra = d.has_extra;
    return err ? -1 : 1;
}

/* The last line: {"expect":{…}}; behind it only white space. */
static int end_lines(struct trace_reader *r, struct slice line, size_t used, struct error *e)
{
    if (has_key(line, "memwalk")) {
        fail(r, e, ERR_SYNTAX, "memwalk", "a header stands only in the first line");
        return -1;
    }
    const char *ops = NULL;
    uint64_t ops_line;
    if (r->header.expect) {
        fail(r, e, ERR_VALUE, "expect", "given twice");
        return -1;
    }
    if (take_members(r, line, &ops, &ops_line, e))
        return -1;
    use(r, used);
    if (next_line(r, &line, &used, e))
        return -1;
    if (line.length) {
        fail(r, e, ERR_SYNTAX, NULL, "nothing may follow the line with \"expect\"");
        return -1;
    }
    return 0;
}

static int next_of_lines(struct trace_reader *r, struct op *op, struct op_extra *extra,
                         struct error *e)
{
    struct slice line;
    size_t used;
    if (next_line(r, &line, &used, e))
        return -1;
    if (!line.length)
        return 0;
    if (is_about_trace(line))
        return end_lines(r, line, used, e);
    int got = read_one(r, line, op, extra, e);
    if (got > 0)
        use(r, used);
    return got;
}

static int next_of_rep(struct trace_reader *r, struct op *op, struct op_extra *extra,
                       struct error *e)
{
    struct slice line;
    size_t used;
    const char *field, *why;
    if (next_line(r, &line, &used, e))
        return -1;
    bool all = r->requests == r->rep.requests;
    if (!line.length && all)
        return 0;
    if (!line.length || all) {
        error_set(e, ERR_SYNTAX, r->path, r->line, NULL,
                  all ? "more requests than the %llu that the header promises"
                      : "fewer requests than the %llu that the header promises",
                  (unsigned long long)r->rep.requests);
        return -1;
    }
    memset(op, 0, sizeof(*op));
    if (extra)
        memset(extra, 0, sizeof(*extra));
    op->line = (uint32_t)min_u64(r->line, UINT32_MAX);
    if (!rep_take_op(&r->rep, line, op, &field, &why)) {
        fail(r, e, ERR_SYNTAX, field, why);
        return -1;
    }
    r->requests++;
    use(r, used);
    return 1;
}

static int next_of_document(struct trace_reader *r, struct op *op, struct op_extra *extra,
                            struct error *e)
{
    const char *from = r->buffer + r->at, *end = r->buffer + r->filled;
    bool first = from[-1] == '[';
    const char *at = json_space(from, end);
    r->line += count_lines(from, at);
    if (at < end && *at == ']')
        return 0;
    if (!first && at < end && *at == ',') {
        const char *comma = at;
        at = json_space(at + 1, end);
        r->line += count_lines(comma, at);
    } else if (!first) {
        fail_near(r->path, r->line, e, "a comma is missing between two ops", at, end);
        return -1;
    }
    const char *behind = json_skip(at, end);
    if (!behind) {
        fail_near(r->path, r->line, e, "an op is missing", at, end);
        return -1;
    }
    int got = read_one(r, (struct slice){at, (size_t)(behind - at)}, op, extra, e);
    r->line += count_lines(at, behind);
    r->at = (size_t)(behind - r->buffer);
    return got;
}

int trace_next(struct trace_reader *r, struct op *op, struct op_extra *extra, struct error *e)
{
    if (r->finished)
        return 0;
    int got = r->is_rep        ? next_of_rep(r, op, extra, e)
              : r->is_document ? next_of_document(r, op, extra, e)
                               : next_of_lines(r, op, extra, e);
    r->finished = got <= 0;
    return got;
}
