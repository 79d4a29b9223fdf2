/* load.c: a whole trace in memory, for replays that go back and forth in it. */
#include "traces/trace.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more element; true where there is. */
static bool grow(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? *room * 2 : 256;
    void *larger = realloc(*array, more * size);
    if (!larger)
        return false;
    *array = larger;
    *room = more;
    return true;
}

struct loader {
    struct trace *trace;
    size_t op_room, extra_room;
};

static bool add_extra(struct loader *l, struct op *op, const struct op_extra *extra)
{
    struct trace *t = l->trace;
    void *array = t->extra;
    bool good = t->extras < UINT32_MAX && grow(&array, t->extras, &l->extra_room, sizeof(*extra));
    t->extra = array;
    if (!good)
        return false;
    struct op_extra *kept = &t->extra[t->extras];
    *kept = *extra;
    if (extra->text && !(kept->text = strdup(extra->text)))
        return false;
    op->extra = (uint32_t)t->extras++;
    return true;
}

static bool add_op(struct loader *l, struct op *op, const struct op_extra *extra)
{
    struct trace *t = l->trace;
    void *array = t->op;
    bool good = grow(&array, t->count, &l->op_room, sizeof(*op));
    t->op = array;
    if (!good || (op->extra && !add_extra(l, op, extra)))
        return false;
    t->op[t->count++] = *op;
    return true;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* The header is copied at the end, because "expect" may stand in the last line. */
static bool copy_header(struct trace_header *to, const struct trace_header *from)
{
    to->version = from->version;
    to->name = copy(from->name);
    to->doc = copy(from->doc);
    to->command = copy(from->command);
    to->config = copy(from->config);
    to->expect = copy(from->expect);
    return to->name && !from->doc == !to->doc && !from->command == !to->command &&
           !from->config == !to->config && !from->expect == !to->expect;
}

/* Gives back what doubling left over. */
static void shrink(struct trace *t)
{
    void *less = t->count ? realloc(t->op, t->count * sizeof(*t->op)) : NULL;
    t->op = less ? less : t->op;
}

static enum err load_all(struct loader *l, struct trace_reader *reader, struct error *e)
{
    const struct op_extra nothing = {0};
    struct op first = {0};
    bool room = add_extra(l, &first, &nothing); /* extra[0]: index 0 means none */
    struct op op;
    struct op_extra extra;
    int got = 0;
    while (room && (got = trace_next(reader, &op, &extra, e)) > 0)
        room = add_op(l, &op, &extra);
    if (got < 0)
        return e ? e->code : ERR_SYNTAX;
    if (!room || !copy_header(&l->trace->header, trace_reader_header(reader)))
        return error_set(e, ERR_MEMORY, l->trace->path, 0, NULL, "no memory left after %zu ops",
                         l->trace->count);
    shrink(l->trace);
    return ERR_NONE;
}

static enum err load(struct trace **result, struct trace_reader *reader, const char *path,
                     struct error *e)
{
    struct error own;
    e = e ? e : &own;
    struct trace *t = calloc(1, sizeof(*t));
    if (t)
        t->path = strdup(path);
    struct loader l = {.trace = t};
    enum err err = t && t->path ? load_all(&l, reader, e)
                                : error_set(e, ERR_MEMORY, path, 0, NULL, "no memory left");
    trace_close(reader);
    if (err) {
        trace_free(t);
        t = NULL;
    }
    *result = t;
    return err;
}

enum err trace_load(struct trace **result, const char *path, struct error *e)
{
    struct trace_reader *reader;
    *result = NULL;
    enum err err = trace_open(&reader, path, e);
    return err ? err : load(result, reader, path, e);
}

enum err trace_load_memory(struct trace **result, const void *bytes, size_t size, const char *name,
                           struct error *e)
{
    struct trace_reader *reader;
    *result = NULL;
    enum err err = trace_open_memory(&reader, bytes, size, name, e);
    return err ? err : load(result, reader, name, e);
}

void trace_free(struct trace *t)
{
    if (!t)
        return;
    for (size_t i = 1; i < t->extras; i++)
        free((char *)(uintptr_t)t->extra[i].text);
    free(t->extra);
    free(t->op);
    free(t->path);
    trace_header_free(&t->header);
    free(t);
}
