/* save.c: writes traces in every form, op by op, driven by the tables of fields.h.
 *
 * Numbers beyond 2^53 and virtual addresses are written as strings in hexadecimal, because many
 * JSON programs keep numbers as doubles.
 */
#include "traces/decode.h"
#include "traces/output.h"
#include "traces/rep.h"

#include <stdlib.h>
#include <string.h>

struct trace_writer {
    struct output *out;
    enum trace_form form;
    char *expect;        /* kept for the end, or NULL */
    struct rep_out *rep; /* TRACE_REP: all of it, until the end */
    bool any;            /* an op was written */
    char *text;          /* the line being made: [0 .. used) */
    size_t used, room;
    bool no_memory;
};

/* ---- text ---- */

static void put_bytes(struct trace_writer *w, const char *bytes, size_t n)
{
    if (w->room - w->used < n) {
        size_t room = (w->used + n) * 2;
        char *larger = realloc(w->text, room);
        w->no_memory = w->no_memory || !larger;
        if (!larger)
            return;
        w->text = larger;
        w->room = room;
    }
    memcpy(w->text + w->used, bytes, n);
    w->used += n;
}

static void put(struct trace_writer *w, const char *text)
{
    put_bytes(w, text, strlen(text));
}

/* A JSON string. What is not ASCII is UTF-8 already and stays. */
static void put_string(struct trace_writer *w, const char *text)
{
    put(w, "\"");
    for (; *text; text++) {
        char code[8];
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            snprintf(code, sizeof(code), "\\%c", c);
        else if (c == '\n' || c == '\t')
            snprintf(code, sizeof(code), c == '\n' ? "\\n" : "\\t");
        else if (c < 0x20)
            snprintf(code, sizeof(code), "\\u%04x", c);
        else
            snprintf(code, sizeof(code), "%c", c);
        put(w, code);
    }
    put(w, "\"");
}

#define EXACT_MAX ((uint64_t)1 << 53) /* beyond, doubles leave out whole numbers */

static void put_number(struct trace_writer *w, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), value > EXACT_MAX ? "\"0x%llx\"" : "%llu",
             (unsigned long long)value);
    put(w, text);
}

static void put_signed(struct trace_writer *w, uint64_t value)
{
    if (!(value >> 63) || 0 - value > EXACT_MAX) {
        put_number(w, value);
        return;
    }
    put(w, "-");
    put_number(w, 0 - value);
}

static void put_key(struct trace_writer *w, const char *key)
{
    put(w, ",\"");
    put(w, key);
    put(w, "\":");
}

static void put_key_number(struct trace_writer *w, const char *key, uint64_t value)
{
    put_key(w, key);
    put_number(w, value);
}

static void put_address(struct trace_writer *w, const char *key, uint8_t base, uint64_t value)
{
    char text[32];
    address_write(base, value, text, sizeof(text));
    put_key(w, key);
    put(w, "\"");
    put(w, text);
    put(w, "\"");
}

/* ---- one op as an object ---- */

static void put_field(struct trace_writer *w, const struct op *op, const struct op_extra *extra,
                      const struct op_field *field)
{
    uint64_t value = op->v[field->slot];
    bool in_block = op->base == BASE_BLOCK, to_block = op->to_base == BASE_BLOCK;
    switch ((enum op_field_kind)field->kind) {
    case FIELD_MAKES:
    case FIELD_MOVES:
    case FIELD_ENDS:
    case FIELD_FD:
        put_key_number(w, field->name, op->id);
        break;
    case FIELD_ID:
        if (in_block)
            put_key_number(w, field->name, op->id);
        break;
    case FIELD_OFF:
        if (in_block && value)
            put_key_number(w, field->name, value);
        break;
    case FIELD_ADDR:
        if (!in_block)
            put_address(w, field->name, op->base, value);
        break;
    case FIELD_TO_ID:
        if (to_block)
            put_key_number(w, field->name, value);
        break;
    case FIELD_TO_OFF:
        if (to_block && value)
            put_key_number(w, field->name, value);
        break;
    case FIELD_TO_ADDR:
        if (!to_block)
            put_address(w, field->name, op->to_base, value);
        break;
    case FIELD_ADDRESS:
        put_address(w, field->name, op->base, value);
        break;
    case FIELD_TARGET:
        if (op->to_base != BASE_NONE)
            put_address(w, field->name, op->to_base, value);
        break;
    case FIELD_SIGNED:
        put_key(w, field->name);
        put_signed(w, value);
        break;
    case FIELD_OPTIONAL:
    case FIELD_BYTE:
        if (value)
            put_key_number(w, field->name, value);
        break;
    case FIELD_MARK_NAME:
        if (extra && extra->name[0]) {
            put_key(w, field->name);
            put_string(w, extra->name);
        }
        break;
    case FIELD_MARK_TEXT:
        if (extra && extra->text) {
            put_key(w, field->name);
            put_string(w, extra->text);
        }
        break;
    case FIELD_MARK_STOP:
        put(w, op->flags & OP_STOP ? ",\"stop\":true" : "");
        break;
    default:
        put_key_number(w, field->name, value);
    }
}

/* What any op may carry. */
static void put_common(struct trace_writer *w, const struct op *op, const struct op_extra *extra)
{
    char text[40];
    if (op->pid || (op->flags & OP_HAS_PID))
        put_key_number(w, "pid", op->pid);
    if (op->tid)
        put_key_number(w, "tid", op->tid);
    if (op->flags & OP_FAIL)
        put(w, ",\"fail\":true");
    if (extra && (op->flags & OP_HAS_RET)) {
        bool small = extra->ret_base == BASE_NONE && extra->ret <= EXACT_MAX;
        ret_write(extra, text, sizeof(text));
        if (small)
            put_key_number(w, "ret", extra->ret);
        else
            put_key(w, "ret");
        if (!small)
            put_string(w, text);
    }
    if (extra && (op->flags & OP_HAS_FAULTS))
        put_key_number(w, "faults", extra->faults);
}

static void put_object(struct trace_writer *w, const struct op *op, const struct op_extra *extra)
{
    const struct op_field *field = op_shape[op->kind].field;
    put(w, "{\"op\":\"");
    put(w, op_shape[op->kind].name);
    put(w, "\"");
    for (size_t i = 0; i < FIELDS_MAX && field[i].name; i++)
        put_field(w, op, extra, &field[i]);
    put_common(w, op, extra);
    put(w, "}");
}

/* The call notation; only a mark's text can be long. */
static void put_call(struct trace_writer *w, const struct op *op, const struct op_extra *extra)
{
    size_t size = 512 + (extra && extra->text ? strlen(extra->text) : 0);
    char *text = malloc(size);
    w->no_memory = w->no_memory || !text;
    if (text)
        put_string(w, op_text(op, extra, text, size));
    free(text);
}

/* ---- header and end ---- */

static enum err flush(struct trace_writer *w, struct error *e)
{
    if (w->no_memory)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory left to write the trace");
    enum err err = output_write(w->out, w->text, w->used, e);
    w->used = 0;
    return err;
}

static void put_header_string(struct trace_writer *w, const char *key, const char *text)
{
    if (!text)
        return;
    put(w, w->form == TRACE_LINES ? "," : ",\n \"");
    put(w, w->form == TRACE_LINES ? "\"" : "");
    put(w, key);
    put(w, "\":");
    put(w, w->form == TRACE_LINES ? "" : " ");
    put_string(w, text);
}

/* An object of the header stands in one line of JSON Lines: what it was broken into is joined. */
static void put_joined(struct trace_writer *w, const char *json)
{
    for (; *json; json++)
        if (*json != '\n' && *json != '\r')
            put_bytes(w, json, 1);
}

static void put_header(struct trace_writer *w, const struct trace_header *header)
{
    bool lines = w->form == TRACE_LINES;
    put(w, lines ? "{\"memwalk\":1" : "{\"memwalk\": 1");
    put_header_string(w, "name", header->name);
    put_header_string(w, "doc", header->doc);
    put_header_string(w, "command", header->command);
    if (header->config) {
        put(w, lines ? ",\"config\":" : ",\n \"config\": ");
        put_joined(w, header->config);
    }
    put(w, lines ? "}\n" : ",\n \"ops\": [");
}

enum err trace_writer_open(struct trace_writer **result, const char *path, enum trace_form form,
                           const struct trace_header *header, struct error *e)
{
    *result = NULL;
    struct trace_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(e, ERR_MEMORY, path, 0, NULL, "no memory to write it");
    w->form = form;
    enum err err = output_open(&w->out, path, e);
    if (err) {
        free(w);
        return err;
    }
    if (form == TRACE_REP)
        w->rep = rep_out_new();
    else
        put_header(w, header);
    w->no_memory = form == TRACE_REP && !w->rep;
    err = flush(w, e);
    *result = w;
    if (!err && header->expect)
        err = trace_writer_expect(w, header->expect, e);
    if (err) {
        trace_writer_close(w, false, NULL);
        *result = NULL;
    }
    return err;
}

enum err trace_writer_expect(struct trace_writer *w, const char *expect, struct error *e)
{
    char *kept = expect ? strdup(expect) : NULL;
    if (expect && !kept)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory left to write the trace");
    free(w->expect);
    w->expect = kept;
    return ERR_NONE;
}

enum err trace_write(struct trace_writer *w, const struct op *op, const struct op_extra *extra,
                     struct error *e)
{
    if (w->form == TRACE_REP) {
        w->no_memory = !rep_out_op(w->rep, op);
        return w->no_memory ? flush(w, e) : ERR_NONE;
    }
    if (w->form != TRACE_LINES)
        put(w, w->any ? ",\n  " : "\n  ");
    w->any = true;
    if (w->form == TRACE_CALLS)
        put_call(w, op, extra);
    else
        put_object(w, op, extra);
    if (w->form == TRACE_LINES)
        put(w, "\n");
    return w->used < 64 * KIB ? ERR_NONE : flush(w, e);
}

static void put_end(struct trace_writer *w)
{
    if (w->form == TRACE_REP) {
        size_t length;
        const char *text = rep_out_text(w->rep, &length);
        put_bytes(w, text, length);
        return;
    }
    bool lines = w->form == TRACE_LINES;
    put(w, lines ? "" : w->any ? "\n ]" : "]");
    if (w->expect) {
        put(w, lines ? "{\"expect\":" : ",\n \"expect\": ");
        put_joined(w, w->expect);
        put(w, lines ? "}\n" : "");
    }
    put(w, lines ? "" : "}\n");
}

enum err trace_writer_close(struct trace_writer *w, bool keep, struct error *e)
{
    enum err err = ERR_NONE;
    if (keep) {
        put_end(w);
        err = flush(w, e);
    }
    enum err closed = output_close(w->out, keep && !err, err ? NULL : e);
    rep_out_free(w->rep);
    free(w->expect);
    free(w->text);
    free(w);
    return err ? err : closed;
}

uint64_t trace_writer_left(const struct trace_writer *w)
{
    return w->rep ? rep_out_left(w->rep) : 0;
}
