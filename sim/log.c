/* log.c: events as JSON Lines, generic over events.def: no event is treated apart. */
#include "sim/log.h"

#include "alloc/alloc.h"
#include "kernel/kernel.h"
#include "mmu/mmu.h"
#include "traces/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const access_name[] = {"read", "write", "fetch"};
static const char *const invvpid_name[INVVPID_TYPES] = {"address", "single", "all",
                                                        "all-but-global"};
static const char *const invept_name[INVEPT_TYPES] = {"single", "all"};
static const char *const invpcid_name[INVPCID_TYPES] = {"address", "single", "all",
                                                        "all-but-global"};
static const char *const miss_class_name[MISS_CLASSES] = {"cold", "capacity", "conflict",
                                                          "coherence"};

/* The enums that fields hold, by the name that stands in the field's doc. */
static const struct {
    const char *doc;
    const char *const *name;
    size_t count;
} enums[] = {
    {"enum misuse", misuse_name, MISUSE_KINDS},
    {"enum probe_verdict", probe_verdict_name, PROBE_VERDICTS},
    {"enum resize_how", resize_how_name, RESIZE_HOWS},
    {"enum fault_outcome", fault_outcome_name, FAULT_OUTCOMES},
    {"enum reclaim_why", reclaim_why_name, RECLAIM_WHYS},
    {"enum frame_use", frame_use_name, FRAME_USES},
    {"enum access", access_name, ARRAY_LEN(access_name)},
    {"enum miss_class", miss_class_name, MISS_CLASSES},
    {"enum invpcid", invpcid_name, INVPCID_TYPES},
    {"enum invvpid", invvpid_name, INVVPID_TYPES},
    {"enum invept", invept_name, INVEPT_TYPES},
};

const char *log_enum_name(const struct event_field *field, uint64_t value)
{
    if (strcmp(field->doc, "enum op_kind") == 0)
        return value < OP_COUNT ? op_info[value].name : NULL;
    for (size_t i = 0; i < ARRAY_LEN(enums); i++)
        if (strcmp(field->doc, enums[i].doc) == 0)
            return value < enums[i].count ? enums[i].name[value] : NULL;
    return NULL;
}

const char *log_field_type(const struct event_field *field)
{
    switch (field->kind) {
    case FIELD_num:
    case FIELD_bytes:
    case FIELD_cycles:
    case FIELD_int:
        return "number";
    case FIELD_flag:
        return "true or false";
    case FIELD_enum:
        return "name";
    case FIELD_name:
        return "text or null";
    default:
        return "hex text";
    }
}

/* ---- filters ---- */

static bool in_family(const char *name, const char *family, size_t length)
{
    return strncmp(name, family, length) == 0 && (name[length] == '\0' || name[length] == '_');
}

bool event_filter_parse(struct event_filter *f, const char *list, char *unknown, size_t size)
{
    memset(f, 0, sizeof(*f));
    for (const char *at = list;;) {
        size_t length = strcspn(at, ",");
        bool all = length == 3 && strncmp(at, "all", 3) == 0;
        bool found = false;
        for (size_t i = 0; i < EV_COUNT; i++) {
            bool match = length && (all || in_family(event_info[i].name, at, length));
            f->wanted[i] = f->wanted[i] || match;
            found = found || match;
        }
        if (!found) {
            snprintf(unknown, size, "%.*s", (int)min_u64(length, size - 1), at);
            return false;
        }
        at += length;
        if (!*at++)
            return true;
    }
}

/* ---- lines ---- */

struct line {
    char *text;
    size_t size, used;
};

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, l->size - l->used, format, args);
    va_end(args);
    if (n > 0)
        l->used = min_u64(l->used + (size_t)n, l->size - 1);
}

static void put_text(struct line *l, const char *text)
{
    put(l, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            put(l, "\\%c", c);
        else if (c < 0x20)
            put(l, "\\u%04x", c);
        else
            put(l, "%c", c);
    }
    put(l, "\"");
}

static void put_value(struct line *l, const struct event *e, size_t i)
{
    const struct event_field *field = &event_info[e->kind].field[i];
    const char *name;
    uint64_t value;
    if (field->kind == FIELD_name) {
        name = event_name(e, i);
        if (name)
            put_text(l, name);
        else
            put(l, "null");
        return;
    }
    value = event_value(e, i);
    switch (field->kind) {
    case FIELD_num:
    case FIELD_bytes:
    case FIELD_cycles:
        put(l, "%" PRIu64, value);
        break;
    case FIELD_int:
        put(l, "%" PRId64, (int64_t)value);
        break;
    case FIELD_flag:
        put(l, value ? "true" : "false");
        break;
    case FIELD_enum:
        name = log_enum_name(field, value);
        if (name)
            put_text(l, name);
        else
            put(l, "%" PRIu64, value);
        break;
    default:
        put(l, "\"0x%" PRIx64 "\"", value);
    }
}

size_t log_line(const struct event *e, uint64_t op, char *text, size_t size)
{
    const struct event_info *info = &event_info[e->kind];
    struct line l = {text, size, 0};
    put(&l,
        "{\"moment\":[%" PRIu64 ",%" PRIu64 "],\"cycle\":%" PRIu64
        ",\"cpu\":%u,\"process\":%u,\"event\":\"%s\"",
        op, e->seq, e->cycle, e->cpu, e->pid, info->name);
    for (size_t i = 0; i < info->fields; i++) {
        put(&l, ",\"%s\":", info->field[i].name);
        put_value(&l, e, i);
    }
    put(&l, "}\n");
    return l.used;
}
