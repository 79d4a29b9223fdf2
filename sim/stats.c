/* stats.c: the table of figures made from figures.def, and what is computed from the machine for
 * it. */
#include "sim/stats.h"

#include "sim/base/check.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEST_LIMIT 8
/* Chunks that may be walked on the way without asking, and for each op done. */
#define WALK_BUDGET (MIB)
#define WALK_PER_OP 8
#define PEAK_STEP   64

const char *const figure_unit[] = {
    [FIGURE_COUNT] = "count",     [FIGURE_BYTES] = "bytes", [FIGURE_PAGES] = "frames",
    [FIGURE_CYCLES] = "cycles",   [FIGURE_RATIO] = "ratio", [FIGURE_MEAN] = "mean",
    [FIGURE_SECONDS] = "seconds",
};

/* ---- reading the machine ---- */

/* Adds fields of two structs that hold nothing but 64-bit counters. */
static void add_words(void *to, const void *from, size_t bytes)
{
    for (size_t i = 0; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t)) {
        uint64_t a, b;
        memcpy(&a, (const char *)to + i, sizeof(a));
        memcpy(&b, (const char *)from + i, sizeof(b));
        a += b;
        memcpy((char *)to + i, &a, sizeof(a));
    }
}

static void add_chunk(void *ctx, const struct heap_chunk *c)
{
    struct heap_shape *h = ctx;
    h->chunks++;
    if (c->used) {
        h->used += c->size;
        h->headers += c->block ? c->size - c->usable : 0;
        return;
    }
    h->free += c->size;
    h->largest = max_u64(h->largest, c->size);
}

void heap_shape_read(struct heap_shape *h, const struct sim *sim)
{
    struct process_info p;
    *h = (struct heap_shape){0};
    for (size_t i = 0; inspect_process_at(sim, i, &p); i++) {
        const struct alloc_counters *c = inspect_heap(sim, p.pid);
        if (!c)
            continue;
        h->payload += c->bytes_requested_now;
        h->held += c->bytes_heap_now;
        inspect_chunks(sim, p.pid, add_chunk, h);
    }
}

static uint64_t payload_now(const struct sim *sim, uint64_t *blocks)
{
    struct process_info p;
    uint64_t payload = 0;
    for (size_t i = 0; inspect_process_at(sim, i, &p); i++) {
        const struct alloc_counters *c = inspect_heap(sim, p.pid);
        payload += c ? c->bytes_requested_now : 0;
        *blocks += c ? c->blocks_now : 0;
    }
    return payload;
}

void stats_watch(struct stats_watch *w, const struct sim *sim)
{
    uint64_t blocks = 0;
    uint64_t payload = payload_now(sim, &blocks);
    if (payload <= w->peak.payload)
        return;
    bool cheap = w->walked + blocks <= WALK_BUDGET + WALK_PER_OP * inspect_replay(sim)->ops;
    if (!cheap && payload < w->peak.payload + w->peak.payload / PEAK_STEP)
        return;
    heap_shape_read(&w->peak, sim);
    w->walked += w->peak.chunks;
}

static void read_process(struct stats *s, const struct sim *sim, const struct process_info *p)
{
    struct area_info area;
    s->processes += !p->killed;
    s->resident += p->resident;
    s->resident_peak += p->resident_peak;
    s->virtual_pages += p->virtual_pages;
    s->tables += p->tables;
    s->huge += p->huge;
    s->huge_waste += inspect_huge_waste(sim, p->pid);
    for (size_t i = 0; inspect_area(sim, p->pid, i, &area); i++)
        s->areas++;
}

/* Heaps outlive the list of processes: a process that ended has done its mallocs all the same. */
static void read_heaps(struct stats *s, const struct sim *sim)
{
    for (unsigned pid = 1; pid <= UINT16_MAX; pid++) {
        const struct alloc_counters *c = inspect_heap(sim, (uint16_t)pid);
        if (!c)
            continue;
        uint64_t longest = max_u64(s->heap.probes_max, c->probes_max);
        add_words(&s->heap, c, sizeof(*c));
        s->heap.probes_max = longest;
    }
}

static void read_mmu(struct stats *s, const struct sim *sim, unsigned cpu)
{
    add_words(&s->mmu, inspect_mmu(sim, cpu), sizeof(s->mmu));
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        uint64_t misses;
        enum inspect_opt found = inspect_opt(sim, cpu, level, &misses);
        s->opt_misses[level] += found == OPT_KNOWN ? misses : 0;
        s->opt_lost[level] += found == OPT_LOST;
    }
}

void stats_read(struct stats *s, const struct sim *sim, const struct stats_watch *watch)
{
    struct process_info p;
    *s = (struct stats){0};
    for (unsigned i = 0; i < inspect_cpus(sim); i++)
        read_mmu(s, sim, i);
    for (size_t i = 0; inspect_process_at(sim, i, &p); i++)
        read_process(s, sim, &p);
    read_heaps(s, sim);
    s->kernel = *inspect_kernel(sim);
    s->replay = *inspect_replay(sim);
    struct wrong_event wrong;
    inspect_wrong(sim, &wrong);
    s->wrong_events = wrong.count;
    s->wrong_op = wrong.at.op;
    s->wrong_step = wrong.at.step;
    inspect_memory(sim, &s->memory);
    s->cycles = inspect_cycles(sim);
    heap_shape_read(&s->at_end, sim);
    if (watch)
        s->at_peak = watch->peak;
}

/* ---- the table ---- */

static double ratio(uint64_t part, uint64_t of)
{
    return of ? (double)part / (double)of : 0;
}

static double internal(const struct heap_shape *h)
{
    return h->used ? 1 - ratio(h->payload, h->used) : 0;
}

static double external(const struct heap_shape *h)
{
    return h->free ? 1 - ratio(h->largest, h->free) : 0;
}

/* What is held and in no chunk: tables, bitmaps, descriptors, borders. */
static uint64_t books(const struct heap_shape *h)
{
    return h->held - min_u64(h->held, h->used + h->free);
}

static uint64_t own_accesses(const struct stats *s)
{
    return s->heap.loads + s->heap.stores;
}

static uint64_t requests(const struct stats *s)
{
    return s->heap.mallocs + s->heap.callocs + s->heap.reallocs + s->heap.aligned;
}

static uint64_t calls(const struct stats *s)
{
    return requests(s) + s->heap.frees;
}

static uint64_t misuse(const struct stats *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < MISUSE_KINDS; i++)
        n += s->replay.errors[i];
    return n;
}

static const struct figure table[] = {
#define FIGURE(name_, kind_, better_, value_, of_, label_, doc_)                                   \
    {.name = name_,                                                                                \
     .of = of_,                                                                                    \
     .label = label_,                                                                              \
     .doc = doc_,                                                                                  \
     .kind = FIGURE_##kind_,                                                                       \
     .better = FIGURE_##better_},
#define GROUP(title) {.group = title},
#include "sim/figures.def"
#undef FIGURE
#undef GROUP
};

/* Every expression of figures.def, in the order of the table. */
static void all_values(const struct stats *s, struct figure_value value[ARRAY_LEN(table)])
{
    size_t row = 0;
#define FIGURE(name_, kind_, better_, value_, of_, label_, doc_)                                   \
    value[row++] = (struct figure_value){(uint64_t)(value_), (double)(value_)};
#define GROUP(title) row++;
#include "sim/figures.def"
#undef FIGURE
#undef GROUP
}

/* The row of figure number i: rows that only begin a group do not count. */
static size_t row_of(size_t i, const char **group)
{
    for (size_t row = 0; row < ARRAY_LEN(table); row++) {
        if (table[row].group)
            *group = table[row].group;
        else if (i-- == 0)
            return row;
    }
    return SIZE_MAX;
}

bool figure_at(size_t i, struct figure *figure)
{
    const char *group = "";
    size_t row = row_of(i, &group);
    if (row == SIZE_MAX)
        return false;
    *figure = table[row];
    figure->group = group;
    return true;
}

size_t figure_find(const char *name)
{
    struct figure f;
    for (size_t i = 0; figure_at(i, &f); i++)
        if (strcmp(f.name, name) == 0)
            return i;
    return SIZE_MAX;
}

bool figure_whole(enum figure_kind kind)
{
    return kind <= FIGURE_CYCLES;
}

struct figure_value figure_value(size_t i, const struct stats *s)
{
    const char *group;
    struct figure_value value[ARRAY_LEN(table)] = {{0}};
    all_values(s, value);
    return value[row_of(i, &group)];
}

double figure_double(size_t i, const struct stats *s)
{
    return figure_value(i, s).d;
}

/* ---- expectations ---- */

struct expectation {
    const struct stats *stats;
    const char *where;
    void (*failed)(void *ctx, const struct stats_failure *);
    void *ctx;
    struct error *error;
};

/* "<= 10" and its kin; a bare number means "=". */
static bool holds(const char *relation, double got, double wanted, double precision)
{
    bool equal = fabs(got - wanted) <= precision;
    if (strcmp(relation, "<=") == 0)
        return got < wanted || equal;
    if (strcmp(relation, ">=") == 0)
        return got > wanted || equal;
    if (strcmp(relation, "<") == 0)
        return got < wanted && !equal;
    if (strcmp(relation, ">") == 0)
        return got > wanted && !equal;
    return equal;
}

/* Half a unit of the last digit that is written, for figures that are not whole. */
static double precision_of(const char *number)
{
    const char *point = strchr(number, '.');
    return point ? 0.5 * pow(10, -(double)strspn(point + 1, "0123456789")) : 1e-9;
}

/* Cuts "<= 10" into relation and number; false where it is neither. */
static bool parse_wanted(const char *text, char relation[3], double *wanted)
{
    size_t n = strspn(text, "<>=");
    if (n > 2 || (n == 1 && text[0] == '=' && text[1] == '='))
        return false;
    snprintf(relation, 3, "%.*s", (int)n, text);
    char *end;
    *wanted = strtod(text + n, &end);
    return end != text + n && *end == '\0' && isfinite(*wanted);
}

static enum err expect_one(struct expectation *x, const char *name, const char *text)
{
    size_t i = figure_find(name);
    struct figure f;
    char relation[3] = "";
    double wanted = 0;
    if (i == SIZE_MAX) {
        const char *names[ARRAY_LEN(table)];
        size_t count = 0;
        for (; figure_at(count, &f); count++)
            names[count] = f.name;
        const char *near = error_nearest(name, names, count);
        return error_set(x->error, ERR_VALUE, x->where, 0, "expect",
                         "no figure is called \"%s\"%s%s%s", name, near ? "; did you mean \"" : "",
                         near ? near : "", near ? "\"?" : "");
    }
    figure_at(i, &f);
    if (!parse_wanted(text, relation, &wanted))
        return error_set(x->error, ERR_VALUE, x->where, 0, "expect",
                         "%s: \"%s\" is not a number, nor <, <=, >, >= and a number", name, text);
    double got = figure_double(i, x->stats);
    bool exact = figure_whole(f.kind) || relation[0] == '<' || relation[0] == '>';
    if (holds(relation, got, wanted, exact ? 0 : precision_of(text)))
        return ERR_NONE;
    struct stats_failure failure;
    snprintf(failure.name, sizeof(failure.name), "%s", name);
    snprintf(failure.wanted, sizeof(failure.wanted), "%s", text);
    if (figure_whole(f.kind))
        snprintf(failure.got, sizeof(failure.got), "%" PRIu64, figure_value(i, x->stats).n);
    else
        snprintf(failure.got, sizeof(failure.got), "%.6g", got);
    x->failed(x->ctx, &failure);
    return ERR_NONE;
}

static enum err expect_object(struct expectation *x, const char *prefix, const cJSON *object,
                              unsigned depth)
{
    enum err err = ERR_NONE;
    for (const cJSON *item = object->child; item && !err; item = item->next) {
        char name[128];
        char text[64];
        snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", item->string);
        if (cJSON_IsObject(item) && depth < NEST_LIMIT) {
            err = expect_object(x, name, item, depth + 1);
        } else if (cJSON_IsString(item)) {
            err = expect_one(x, name, item->valuestring);
        } else if (cJSON_IsNumber(item)) {
            snprintf(text, sizeof(text), "%.15g", item->valuedouble);
            /* A JSON number has lost its last zeros: 0.1 must not let 0.14 pass. */
            const char *point = strchr(text, '.');
            if (point && strlen(point) < 4)
                snprintf(text, sizeof(text), "%.3f", item->valuedouble);
            err = expect_one(x, name, text);
        } else {
            err = error_set(x->error, ERR_VALUE, x->where, 0, "expect",
                            "%s must be a number or a text such as \"<= 10\"", name);
        }
    }
    return err;
}

enum err stats_expect(const struct stats *s, const char *json, const char *where,
                      void (*failed)(void *ctx, const struct stats_failure *), void *ctx,
                      struct error *e)
{
    struct expectation x = {s, where, failed, ctx, e};
    cJSON *root = cJSON_Parse(json);
    enum err err;
    if (!cJSON_IsObject(root))
        err = error_set(e, ERR_SYNTAX, where, 0, "expect", "must be a JSON object");
    else
        err = expect_object(&x, "", root, 0);
    cJSON_Delete(root);
    return err;
}
