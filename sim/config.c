/* config.c: one table made from config.def, and the readers that write through it.
 *
 * A key knows its type and its place in struct config, so parsing, printing and checking are each
 * one function over the table.
 */
#include "sim/config.h"

#include "sim/base/check.h"
#include "sim/preset.h"

#include <cjson/cJSON.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum key_type {
    TYPE_U32,
    TYPE_U64,
    TYPE_BYTES,
    TYPE_ADDR,
    TYPE_BOOL,
    TYPE_REPL,
    TYPE_RECLAIM,
    TYPE_FILL,
    TYPE_CPU,
    TYPE_ALLOC,
    TYPE_ORDER,
    TYPE_THP,
    TYPE_TEXT,
    TYPE_PREFETCH,
};

struct key {
    const char *section, *name, *doc;
    enum key_type type;
    size_t offset;
    uint64_t min, max;
};

#define FILE_LIMIT (1 * MIB) /* a machine file is a page of text */
#define NEST_LIMIT 8

#define SECTION(title) {.section = title},
#define KEY(type_, key_, field_, default_, min_, max_, doc_)                                       \
    {.name = key_,                                                                                 \
     .doc = doc_,                                                                                  \
     .type = TYPE_##type_,                                                                         \
     .offset = offsetof(struct config, field_),                                                    \
     .min = min_,                                                                                  \
     .max = max_},
static const struct key keys[] = {
#include "sim/config.def"
};
#undef SECTION
#undef KEY

/* ---- values in their places ---- */

#define STORE_U32(field, value)      (field) = (uint32_t)(value)
#define STORE_U64(field, value)      (field) = (value)
#define STORE_BYTES(field, value)    (field) = (value)
#define STORE_ADDR(field, value)     (field) = (value)
#define STORE_BOOL(field, value)     (field) = (value)
#define STORE_CPU(field, value)      snprintf(field, sizeof(field), "%s", value)
#define STORE_FILL(field, value)     (field) = (uint32_t)(value)
#define STORE_REPL(field, value)     (field) = (uint32_t)(value)
#define STORE_ORDER(field, value)    (field) = (uint32_t)(value)
#define STORE_PREFETCH(field, value) (field) = (uint32_t)(value)
#define STORE_THP(field, value)      (field) = (uint32_t)(value)
#define STORE_RECLAIM(field, value)  (field) = (uint32_t)(value)
#define STORE_ALLOC(field, value)    snprintf(field, sizeof(field), "%s", value)
#define STORE_TEXT(field, value)     STORE_ALLOC(field, value)

void config_default(struct config *c)
{
    memset(c, 0, sizeof(*c));
#define SECTION(title)
#define KEY(type, key, field, def, min, max, doc) STORE_##type(c->field, def);
#include "sim/config.def"
#undef SECTION
#undef KEY
}

static uint64_t key_load(const struct config *c, const struct key *k)
{
    const unsigned char *at = (const unsigned char *)c + k->offset;
    uint64_t wide = 0;
    uint32_t narrow;
    bool flag;
    switch (k->type) {
    case TYPE_U32:
    case TYPE_REPL:
    case TYPE_FILL:
    case TYPE_ORDER:
    case TYPE_THP:
    case TYPE_PREFETCH:
    case TYPE_RECLAIM:
        memcpy(&narrow, at, sizeof(narrow));
        return narrow;
    case TYPE_BOOL:
        memcpy(&flag, at, sizeof(flag));
        return flag;
    case TYPE_U64:
    case TYPE_BYTES:
    case TYPE_ADDR:
        memcpy(&wide, at, sizeof(wide));
        return wide;
    case TYPE_CPU:
    case TYPE_ALLOC:
    case TYPE_TEXT:
        break;
    }
    return 0;
}

static void key_store(struct config *c, const struct key *k, uint64_t value)
{
    unsigned char *at = (unsigned char *)c + k->offset;
    uint32_t narrow = (uint32_t)value;
    bool flag = value != 0;
    switch (k->type) {
    case TYPE_U32:
    case TYPE_REPL:
    case TYPE_FILL:
    case TYPE_ORDER:
    case TYPE_THP:
    case TYPE_PREFETCH:
    case TYPE_RECLAIM:
        memcpy(at, &narrow, sizeof(narrow));
        break;
    case TYPE_BOOL:
        memcpy(at, &flag, sizeof(flag));
        break;
    case TYPE_U64:
    case TYPE_BYTES:
    case TYPE_ADDR:
        memcpy(at, &value, sizeof(value));
        break;
    case TYPE_CPU:
    case TYPE_ALLOC:
    case TYPE_TEXT:
        break;
    }
}

/* ---- texts to values ---- */

/* Digits (decimal or 0x…), '_' between them, then K, M, G or T where suffixes are allowed. */
static bool parse_number(const char *text, bool suffixes, uint64_t *value)
{
    char digits[40];
    size_t n = 0;
    for (; *text && (isxdigit((unsigned char)*text) || *text == 'x' || *text == '_'); text++) {
        if (*text == '_')
            continue;
        if (n + 1 == sizeof(digits))
            return false;
        digits[n++] = *text;
    }
    digits[n] = '\0';
    char *end;
    errno = 0;
    *value = strtoull(digits, &end, n > 1 && digits[1] == 'x' ? 16 : 10);
    if (!n || *end || errno)
        return false;
    static const char units[] = "KMGT";
    const char *unit = *text ? strchr(units, *text) : NULL;
    if (unit && suffixes) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);
        if (*value > UINT64_MAX >> shift)
            return false;
        *value <<= shift;
        text++;
    }
    return *text == '\0';
}

static bool parse_bool(const char *text, uint64_t *value)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i % 2;
            return true;
        }
    }
    return false;
}

/* One of these names; its place is the value. */
static bool parse_name(const char *text, const char *const *names, uint64_t count, uint64_t *value)
{
    for (*value = 0; *value < count; (*value)++)
        if (strcmp(text, names[*value]) == 0)
            return true;
    return false;
}

static bool parse_reclaim(const char *text, uint64_t *value)
{
    for (*value = 0; kernel_reclaim_name(*value); (*value)++)
        if (strcmp(text, kernel_reclaim_name(*value)) == 0)
            return true;
    return false;
}

/* What may be written for a key of this type, for messages and help. */
static const char *type_values(enum key_type type)
{
    switch (type) {
    case TYPE_U32:
    case TYPE_U64:
        return "a number";
    case TYPE_BYTES:
        return "bytes, with K, M, G or T";
    case TYPE_ADDR:
        return "a virtual address";
    case TYPE_BOOL:
        return "on or off";
    case TYPE_FILL:
        return "nine, inclusive or exclusive";
    case TYPE_CPU:
        return "the name of a processor";
    case TYPE_REPL:
        return "lru, fifo, plru, random, srrip or nru";
    case TYPE_RECLAIM:
        return "two-list, fifo, lru, clock, second-chance, nru, aging, mru, random or opt";
    case TYPE_ALLOC:
        return "the name of an allocator";
    case TYPE_THP:
        return "never, madvise or always";
    case TYPE_ORDER:
        return "lifo, fifo, address or size";
    case TYPE_TEXT:
        return "a text";
    case TYPE_PREFETCH:
        return "off, next or distance";
    }
    return "";
}

/* Everything that makes a processor goes back to its default; then come the preset's own. */
static enum err set_cpu(struct config *c, const struct key *k, const char *value, struct error *e)
{
    const struct preset *p = preset_find(value);
    if (!p) {
        const char *names[32];
        size_t count = 0;
        for (; count < ARRAY_LEN(names) && preset_at(count); count++)
            names[count] = preset_at(count)->name;
        const char *near = error_nearest(value, names, count);
        return error_set(e, ERR_VALUE, NULL, 0, k->name, "no processor is called \"%s\"%s%s%s",
                         value, near ? "; did you mean \"" : "", near ? near : "",
                         near ? "\"?" : "");
    }
    struct config usual;
    config_default(&usual);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].name && preset_owns(keys[i].name))
            key_store(c, &keys[i], key_load(&usual, &keys[i]));
    for (const struct preset_setting *s = p->settings; s->key; s++) {
        enum err err = config_set(c, s->key, s->value, e);
        CHECK(!err);
    }
    snprintf(c->cpu, sizeof(c->cpu), "%s", p->name);
    return ERR_NONE;
}

static enum err set_alloc(struct config *c, const struct key *k, const char *value, struct error *e)
{
    if (alloc_find(value)) {
        snprintf(c->alloc, sizeof(c->alloc), "%s", value);
        return ERR_NONE;
    }
    const char *names[32];
    size_t count = 0;
    for (; count < ARRAY_LEN(names) && alloc_table[count]; count++)
        names[count] = alloc_table[count]->name;
    const char *near = error_nearest(value, names, count);
    return error_set(e, ERR_VALUE, NULL, 0, k->name, "no allocator is called \"%s\"%s%s%s", value,
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* The only field of this type has ALLOC_TUNABLES bytes. */
static enum err set_text(struct config *c, const struct key *k, const char *value, struct error *e)
{
    char *at = (char *)c + k->offset;
    if (strlen(value) >= ALLOC_TUNABLES)
        return error_set(e, ERR_VALUE, NULL, 0, k->name, "longer than %d bytes",
                         ALLOC_TUNABLES - 1);
    snprintf(at, ALLOC_TUNABLES, "%s", value);
    return ERR_NONE;
}

static enum err set_key(struct config *c, const struct key *k, const char *value, struct error *e)
{
    uint64_t number = 0;
    bool good = false;
    switch (k->type) {
    case TYPE_CPU:
        return set_cpu(c, k, value, e);
    case TYPE_ALLOC:
        return set_alloc(c, k, value, e);
    case TYPE_TEXT:
        return set_text(c, k, value, e);
    case TYPE_U32:
    case TYPE_U64:
    case TYPE_ADDR:
    case TYPE_BYTES:
        good = parse_number(value, k->type == TYPE_BYTES, &number);
        break;
    case TYPE_BOOL:
        good = parse_bool(value, &number);
        break;
    case TYPE_FILL:
        good = parse_name(value, tlb_inclusion_name, INCLUSIONS, &number);
        break;
    case TYPE_REPL:
        good = parse_name(value, repl_name, REPL_POLICIES, &number);
        break;
    case TYPE_THP:
        good = parse_name(value, thp_mode_name, THP_MODES, &number);
        break;
    case TYPE_ORDER:
        good = parse_name(value, list_order_name, LIST_ORDERS, &number);
        break;
    case TYPE_PREFETCH:
        good = parse_name(value, prefetch_name, PREFETCH_KINDS, &number);
        break;
    case TYPE_RECLAIM:
        good = parse_reclaim(value, &number);
        break;
    }
    if (!good)
        return error_set(e, ERR_VALUE, NULL, 0, k->name, "\"%s\" is not %s", value,
                         type_values(k->type));
    bool named = k->type == TYPE_REPL || k->type == TYPE_ORDER || k->type == TYPE_THP ||
                 k->type == TYPE_PREFETCH || k->type == TYPE_RECLAIM || k->type == TYPE_FILL;
    if (!named && (number < k->min || number > k->max))
        return error_set(e, ERR_VALUE, NULL, 0, k->name, "%s is outside %" PRIu64 " to %" PRIu64,
                         value, k->min, k->max);
    key_store(c, k, number);
    return ERR_NONE;
}

static const struct key *key_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].name && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

enum err config_set(struct config *c, const char *name, const char *value, struct error *e)
{
    const struct key *k = key_find(name);
    if (k)
        return set_key(c, k, value, e);
    const char *names[ARRAY_LEN(keys)];
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].name)
            names[count++] = keys[i].name;
    const char *near = error_nearest(name, names, count);
    return error_set(e, ERR_VALUE, NULL, 0, name, "no such setting%s%s%s",
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

enum err config_option(struct config *c, const char *text, struct error *e)
{
    const char *equals = strchr(text, '=');
    char name[64];
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name))
        return error_set(e, ERR_USAGE, NULL, 0, NULL, "\"%s\" is not of the form key=value", text);
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    return config_set(c, name, equals + 1, e);
}

/* ---- JSON ---- */

static enum err json_value(struct config *c, const char *name, const cJSON *item, struct error *e)
{
    char text[64];
    if (cJSON_IsString(item))
        return config_set(c, name, item->valuestring, e);
    if (cJSON_IsBool(item))
        return config_set(c, name, cJSON_IsTrue(item) ? "on" : "off", e);
    if (!cJSON_IsNumber(item))
        return error_set(e, ERR_VALUE, NULL, 0, name, "must be a number, a text or a boolean");
    double d = item->valuedouble;
    if (d < 0 || d > 9007199254740992.0 || d != (double)(uint64_t)d)
        return error_set(e, ERR_VALUE, NULL, 0, name,
                         "must be a whole number up to 2^53; write larger ones as a text");
    snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)d);
    return config_set(c, name, text, e);
}

static enum err json_object(struct config *c, const char *prefix, const cJSON *object,
                            unsigned depth, struct error *e)
{
    for (const cJSON *item = object->child; item; item = item->next) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", item->string);
        enum err err;
        if (depth == 0 && strcmp(item->string, "cpu") == 0)
            continue; /* was set before */
        if (cJSON_IsObject(item) && depth < NEST_LIMIT)
            err = json_object(c, name, item, depth + 1, e);
        else
            err = json_value(c, name, item, e);
        if (err)
            return err;
    }
    return ERR_NONE;
}

static uint64_t line_of(const char *text, const char *at)
{
    uint64_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

enum err config_json(struct config *c, const char *json, const char *where, struct error *e)
{
    const char *end = NULL;
    cJSON *root = cJSON_ParseWithOpts(json, &end, true);
    if (!root)
        return error_set(e, ERR_SYNTAX, where, end ? line_of(json, end) : 0, NULL,
                         "this is not JSON");
    enum err err;
    /* The processor is what the other keys change, wherever it stands among them. */
    const cJSON *cpu = cJSON_GetObjectItemCaseSensitive(root, "cpu");
    if (!cJSON_IsObject(root))
        err = error_set(e, ERR_SYNTAX, where, 1, NULL, "a configuration must be a JSON object");
    else
        err = cpu ? json_value(c, "cpu", cpu, e) : ERR_NONE;
    if (!err)
        err = json_object(c, "", root, 0, e);
    if (err && e && where && !e->file[0])
        snprintf(e->file, sizeof(e->file), "%s", where);
    cJSON_Delete(root);
    return err;
}

/* Blanks out // comments that stand outside of texts, keeping every line in its place. */
static void strip_comments(char *text)
{
    bool quoted = false;
    for (char *p = text; *p; p++) {
        if (quoted && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (!quoted && p[0] == '/' && p[1] == '/')
            for (; *p && *p != '\n'; p++)
                *p = ' ';
        if (!*p)
            break;
    }
}

enum err config_file(struct config *c, const char *path, struct error *e)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return error_set(e, ERR_IO, path, 0, NULL, "%s", strerror(errno));
    char *text = malloc(FILE_LIMIT + 1);
    size_t n = text ? fread(text, 1, FILE_LIMIT + 1, in) : 0;
    bool failed = ferror(in) != 0;
    fclose(in);
    enum err err;
    if (!text)
        err = error_set(e, ERR_MEMORY, path, 0, NULL, "no memory");
    else if (failed)
        err = error_set(e, ERR_IO, path, 0, NULL, "cannot be read");
    else if (n > FILE_LIMIT)
        err = error_set(e, ERR_LIMIT, path, 0, NULL, "a machine file has at most 1 MiB");
    else {
        text[n] = '\0';
        strip_comments(text);
        err = config_json(c, text, path, e);
    }
    free(text);
    return err;
}

/* ---- what belongs together ---- */

static enum err layout_check(const struct config *c, struct error *e)
{
    const struct kernel_config *k = &c->kernel;
    struct {
        const char *name;
        uint64_t value;
    } pages[] = {
        {"layout.image", k->image_start},        {"layout.image_bytes", k->image_bytes},
        {"layout.heap", k->heap_start},          {"layout.mmap_top", k->mmap_top},
        {"layout.stack_top", k->stack_top},      {"layout.stack_bytes", k->stack_bytes},
        {"layout.stack_limit", k->stack_limit},  {"ram", c->ram_bytes},
        {"kernel.reserved", c->kernel_reserved},
    };
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (pages[i].value & PAGE_MASK)
            return error_set(e, ERR_VALUE, NULL, 0, pages[i].name,
                             "0x%" PRIx64 " is not a multiple of a page (4096)", pages[i].value);
    if (k->heap_start < k->image_start + k->image_bytes)
        return error_set(e, ERR_VALUE, NULL, 0, "layout.heap", "lies inside the image");
    if (k->mmap_top <= k->heap_start)
        return error_set(e, ERR_VALUE, NULL, 0, "layout.mmap_top", "lies below the heap");
    if (k->stack_top < k->stack_limit || k->stack_top - k->stack_limit <= k->mmap_top)
        return error_set(e, ERR_VALUE, NULL, 0, "layout.stack_top",
                         "the stack does not fit above layout.mmap_top");
    if (k->stack_bytes > k->stack_limit)
        return error_set(e, ERR_VALUE, NULL, 0, "layout.stack_bytes", "is above its limit");
    return ERR_NONE;
}

enum err config_check(const struct config *c, struct error *e)
{
    const char *field, *reason;
    if (!mmu_config_check(&c->mmu, &field, &reason))
        return error_set(e, ERR_VALUE, NULL, 0, field, "%s", reason);
    if (c->kernel_reserved > c->ram_bytes / 2)
        return error_set(e, ERR_VALUE, NULL, 0, "kernel.reserved", "is more than half of ram");
    if (c->mmu.maxphyaddr < 64 && c->ram_bytes > (uint64_t)1 << c->mmu.maxphyaddr)
        return error_set(e, ERR_VALUE, NULL, 0, "ram", "does not fit in maxphyaddr bits");
    const uint64_t page = c->nested.page;
    if (page != level_span(1) && page != level_span(2) && page != level_span(3))
        return error_set(e, ERR_VALUE, NULL, 0, "nested.page", "must be 4K, 2M or 1G");
    return layout_check(c, e);
}

/* ---- looking ---- */

const char *config_get(const struct config *c, const char *name, char *text, size_t size)
{
    const struct key *k = key_find(name);
    if (!k)
        return NULL;
    uint64_t value = key_load(c, k);
    switch (k->type) {
    case TYPE_U32:
    case TYPE_U64:
    case TYPE_BYTES:
        snprintf(text, size, "%" PRIu64, value);
        break;
    case TYPE_ADDR:
        snprintf(text, size, "0x%" PRIx64, value);
        break;
    case TYPE_BOOL:
        snprintf(text, size, "%s", value ? "on" : "off");
        break;
    case TYPE_FILL:
        snprintf(text, size, "%s", tlb_inclusion_name[value]);
        break;
    case TYPE_CPU:
        snprintf(text, size, "%s", c->cpu);
        break;
    case TYPE_REPL:
        snprintf(text, size, "%s", repl_name[value]);
        break;
    case TYPE_THP:
        snprintf(text, size, "%s", thp_mode_name[value]);
        break;
    case TYPE_ORDER:
        snprintf(text, size, "%s", list_order_name[value]);
        break;
    case TYPE_PREFETCH:
        snprintf(text, size, "%s", prefetch_name[value]);
        break;
    case TYPE_RECLAIM:
        snprintf(text, size, "%s", kernel_reclaim_name(value));
        break;
    case TYPE_ALLOC:
        snprintf(text, size, "%s", c->alloc);
        break;
    case TYPE_TEXT:
        snprintf(text, size, "%s", (const char *)c + k->offset);
        break;
    }
    return text;
}

bool config_key_at(size_t i, struct config_key *out)
{
    const char *section = "";
    for (size_t at = 0; at < ARRAY_LEN(keys); at++) {
        if (keys[at].section) {
            section = keys[at].section;
        } else if (i-- == 0) {
            *out = (struct config_key){section, keys[at].name, keys[at].doc,
                                       type_values(keys[at].type)};
            return true;
        }
    }
    return false;
}
