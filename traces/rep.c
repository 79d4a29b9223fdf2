/* rep.c: reads and writes the malloc lab's traces, which know malloc, realloc and free alone.
 *
 * Written ids are dense and never used twice, because the lab's driver keeps blocks in an array of
 * that many. calloc and aligned requests become plain ones; what is no request is left out.
 */
#include "traces/rep.h"

#include "traces/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* ---- reading ---- */

/* The next word of the line, as a number. */
static bool take_number(const char **at, const char *end, uint64_t *value)
{
    *at = json_space(*at, end);
    const char *start = *at;
    while (*at < end && **at >= '0' && **at <= '9')
        ++*at;
    return *at > start && number_read(start, (size_t)(*at - start), false, value) == NUMBER_GOOD;
}

static bool at_end(const char *at, const char *end)
{
    return json_space(at, end) == end;
}

bool rep_take_number(struct rep_header *h, struct slice line, const char **field)
{
    static const char *const names[] = {"heap size", "number of ids", "number of requests",
                                        "weight"};
    uint64_t *const to[] = {&h->heap, &h->ids, &h->requests, &h->weight};
    const char *at = line.at;
    *field = names[h->seen];
    if (!take_number(&at, line.at + line.length, to[h->seen]) || !at_end(at, line.at + line.length))
        return false;
    h->seen++;
    return true;
}

static bool take_id(const struct rep_header *h, const char **at, const char *end, bool null,
                    struct op *op)
{
    *at = json_space(*at, end);
    if (null && end - *at >= 2 && memcmp(*at, "-1", 2) == 0) {
        *at += 2;
        return true;
    }
    if (!take_number(at, end, &op->id) || op->id >= h->ids)
        return false;
    op->id++;
    return true;
}

bool rep_take_op(const struct rep_header *h, struct slice line, struct op *op, const char **field,
                 const char **why)
{
    const char *at = json_space(line.at, line.at + line.length);
    const char *end = line.at + line.length;
    char kind = *at++;
    *field = NULL;
    *why = "not a request: a ID SIZE, r ID SIZE or f ID";
    if ((kind != 'a' && kind != 'r' && kind != 'f') || (at < end && *at != ' ' && *at != '\t'))
        return false;
    op->kind = kind == 'a' ? OP_malloc : kind == 'r' ? OP_realloc : OP_free;
    *field = "id";
    *why = "must be a number below the number of ids in the header";
    if (!take_id(h, &at, end, kind == 'f', op))
        return false;
    *field = "size";
    *why = "must be a number of bytes";
    if (kind != 'f' && !take_number(&at, end, &op->v[0]))
        return false;
    *field = NULL;
    *why = "something follows the request";
    return at_end(at, end);
}

/* ---- writing ---- */

struct rep_id {
    struct {
        uint64_t id;
        uint64_t pid;
    } key;
    uint64_t number; /* in the file */
    UT_hash_handle hh;
};

struct rep_out {
    char *text; /* room for a header is left in front */
    size_t used, room;
    uint64_t ids, requests, left;
    struct rep_id *live;
};

#define HEADER_ROOM 128u

struct rep_out *rep_out_new(void)
{
    struct rep_out *o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    o->room = 4096;
    o->used = HEADER_ROOM;
    o->text = malloc(o->room);
    if (o->text)
        return o;
    free(o);
    return NULL;
}

static struct rep_id *find(const struct rep_out *o, const struct op *op)
{
    struct rep_id *found;
    struct rep_id key;
    memset(&key, 0, sizeof(key));
    key.key.id = op->id;
    key.key.pid = op->pid;
    HASH_FIND(hh, o->live, &key.key, sizeof(key.key), found);
    return found;
}

/* The number of a new block of this id. NULL: no memory. */
static struct rep_id *name(struct rep_out *o, const struct op *op)
{
    struct rep_id *id = find(o, op);
    if (!id) {
        id = calloc(1, sizeof(*id));
        if (!id)
            return NULL;
        id->key.id = op->id;
        id->key.pid = op->pid;
        HASH_ADD(hh, o->live, key, sizeof(id->key), id);
    }
    id->number = o->ids++;
    return id;
}

static bool put(struct rep_out *o, char kind, uint64_t id, const uint64_t *size)
{
    if (o->room - o->used < 64) {
        char *more = realloc(o->text, o->room * 2);
        if (!more)
            return false;
        o->text = more;
        o->room *= 2;
    }
    int n = size ? snprintf(o->text + o->used, 64, "%c %llu %llu\n", kind, (unsigned long long)id,
                            (unsigned long long)*size)
                 : snprintf(o->text + o->used, 64, "%c %llu\n", kind, (unsigned long long)id);
    o->used += (size_t)n;
    o->requests++;
    return true;
}

static bool forget(struct rep_out *o, const struct op *op)
{
    struct rep_id *id = find(o, op);
    if (!id) {
        o->left++;
        return true;
    }
    bool good = put(o, 'f', id->number, NULL);
    HASH_DEL(o->live, id);
    free(id);
    return good;
}

bool rep_out_op(struct rep_out *o, const struct op *op)
{
    uint64_t size = op->v[0];
    uint64_t count = op->kind == OP_calloc || op->kind == OP_reallocarray ? op->v[1] : 1;
    struct rep_id *id = NULL;
    bool fits = !__builtin_mul_overflow(size, count, &size) && size <= INT32_MAX;
    /* The lab keeps sizes in an int. */
    switch (fits || op->kind == OP_free ? (enum op_kind)op->kind : OP_COUNT) {
    case OP_malloc:
    case OP_calloc:
    case OP_memalign:
    case OP_posix_memalign:
    case OP_aligned_alloc:
    case OP_valloc:
    case OP_pvalloc:
        id = name(o, op);
        return id && put(o, 'a', id->number, &size);
    case OP_realloc:
    case OP_reallocarray:
        if (!size)
            return forget(o, op);
        id = find(o, op);
        if (id)
            return put(o, 'r', id->number, &size);
        id = name(o, op);
        return id && put(o, 'a', id->number, &size);
    case OP_free:
        if (op->id && !op->v[0])
            return forget(o, op);
        break;
    default:
        break;
    }
    o->left++;
    return true;
}

const char *rep_out_text(struct rep_out *o, size_t *length)
{
    char header[HEADER_ROOM];
    int n = snprintf(header, sizeof(header), "20000000\n%llu\n%llu\n1\n",
                     (unsigned long long)o->ids, (unsigned long long)o->requests);
    char *start = o->text + HEADER_ROOM - n;
    memcpy(start, header, (size_t)n);
    *length = o->used - HEADER_ROOM + (size_t)n;
    return start;
}

uint64_t rep_out_left(const struct rep_out *o)
{
    return o->left;
}

void rep_out_free(struct rep_out *o)
{
    if (!o)
        return;
    struct rep_id *id = o->live;
    HASH_CLEAR(hh, o->live);
    while (id) {
        struct rep_id *next = id->hh.next;
        free(id);
        id = next;
    }
    free(o->text);
    free(o);
}
