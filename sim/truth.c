/* truth.c: what both kinds of replay for comparison share: texts, addresses, the machine. */
#include "sim/truth.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const truth_text_name[TRUTH_TEXTS] = {
    [TRUTH_OUT] = "out",     [TRUTH_SYS] = "sys",   [TRUTH_WALK] = "walk", [TRUTH_PAGES] = "pages",
    [TRUTH_ARENA] = "arena", [TRUTH_INFO] = "info", [TRUTH_MAPS] = "maps", [TRUTH_SUMMARY] = "json",
};

/* ---- texts ---- */

static bool text_room(struct text *t, size_t more)
{
    if (t->room - t->size > more)
        return true;
    size_t room = 2 * t->room + more + 4096;
    char *bytes = t->failed ? NULL : realloc(t->bytes, room);
    if (!bytes) {
        t->failed = true;
        return false;
    }
    t->bytes = bytes;
    t->room = room;
    return true;
}

void text_add(struct text *t, const char *format, ...)
{
    char piece[512];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(piece, sizeof(piece), format, list);
    va_end(list);
    if (length < 0 || (size_t)length >= sizeof(piece))
        t->failed = true;
    else if (text_room(t, (size_t)length)) {
        memcpy(t->bytes + t->size, piece, (size_t)length + 1);
        t->size += (size_t)length;
    }
}

void text_free(struct text *t)
{
    free(t->bytes);
    *t = (struct text){0};
}

void truth_free(struct truth *t)
{
    for (unsigned i = 0; i < TRUTH_TEXTS; i++)
        text_free(&t->text[i]);
}

/* ---- kinds ---- */

/* -1: the op says nothing about the kind. */
static int kind_of_op(enum op_kind kind)
{
    if (kind <= OP_mallopt)
        return TRUTH_MALLOC;
    return kind >= OP_brk && kind <= OP_munlock ? TRUTH_VM : -1;
}

enum err truth_kind_of(const struct trace *trace, enum truth_kind *kind, struct error *e)
{
    int found = -1;
    for (size_t i = 0; i < trace->count; i++) {
        int one = kind_of_op((enum op_kind)trace->op[i].kind);
        if (one >= 0 && found >= 0 && one != found)
            return error_set(e, ERR_VALUE, trace->path, trace->op[i].line, "op",
                             "calls of malloc and memory calls in one trace: there is no truth "
                             "for such a mixture");
        found = one >= 0 ? one : found;
    }
    if (found < 0)
        return error_set(e, ERR_VALUE, trace->path, 0, NULL,
                         "neither calls of malloc nor memory calls: nothing to compare");
    *kind = (enum truth_kind)found;
    return ERR_NONE;
}

/* ---- the machine ---- */

/* Frames are made when they are written, so RAM that is large on paper costs nothing. */
#define RAM_ROOM (64 * GIB)

void truth_config(const struct truth_options *o, struct config *c)
{
    config_default(c);
    c->ram_bytes = RAM_ROOM;
    c->mmu.classify = false;
    c->kernel.heap_start = o->heap0;
    c->kernel.image_bytes = o->heap0 - c->kernel.image_start;
    c->kernel.mmap_top = o->mmap_low;
    c->kernel.ram_claim = o->ram;
}

const char *truth_address(const struct truth_options *o, va_t at, char *text)
{
    if (!at)
        snprintf(text, 32, "0");
    else if (at == UINT64_MAX)
        snprintf(text, 32, "-");
    else if (at >= o->heap0 && at < o->heap0 + (UINT64_C(1) << 40) && at < 0x7e0000000000)
        snprintf(text, 32, "h+%" PRIu64, at - o->heap0);
    else if (at < o->mmap_low)
        snprintf(text, 32, "m-%" PRIu64, o->mmap_low - at);
    else
        snprintf(text, 32, "m+%" PRIu64, at - o->mmap_low);
    return text;
}
