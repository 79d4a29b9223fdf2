/* report.c: the report of a run: all figures in groups, one conclusion; runs side by side. */
#include "sim/cli/report.h"

#include <inttypes.h>
#include <string.h>

#define COLUMN 50 /* characters of one of the two columns */

/* ---- one value ---- */

const char *report_value(size_t i, const struct figure *f, const struct stats *s, char *text)
{
    struct figure_value v = figure_value(i, s);
    switch (f->kind) {
    case FIGURE_COUNT:
    case FIGURE_PAGES:
    case FIGURE_CYCLES:
        return cli_grouped(v.n, text);
    case FIGURE_BYTES:
        return cli_bytes(v.n, text);
    case FIGURE_RATIO:
        snprintf(text, 40, "%.1f %%", 100 * v.d);
        break;
    case FIGURE_MEAN:
        snprintf(text, 40, "%.2f", v.d);
        break;
    case FIGURE_SECONDS:
        snprintf(text, 40, "%.3f s", v.d);
        break;
    }
    return text;
}

/* " 12.3 %" of the figure that this one is a part of, or "". */
static const char *share_text(size_t i, const struct figure *f, const struct stats *s, char *text)
{
    text[0] = '\0';
    double whole = *f->of ? figure_double(figure_find(f->of), s) : 0;
    if (whole > 0)
        snprintf(text, 16, "%5.1f %%", 100 * figure_double(i, s) / whole);
    return text;
}

/* ---- the report ---- */

static void print_figure(size_t i, const struct figure *f, const struct stats *s, bool second)
{
    char value[40];
    char share[16];
    char line[COLUMN + 40];
    snprintf(line, sizeof(line), "  %-21s %14s  %-8s", f->label, report_value(i, f, s, value),
             share_text(i, f, s, share));
    if (second)
        printf("  %s\n", line);
    else
        printf("%-*s", COLUMN - 2, line);
}

static size_t print_group(size_t i, const char *group, const struct stats *s)
{
    struct figure f;
    bool second = false;
    bool titled = false;
    for (; figure_at(i, &f) && strcmp(f.group, group) == 0; i++) {
        if (figure_double(i, s) == 0)
            continue;
        if (!titled)
            printf("%s\n", group);
        titled = true;
        print_figure(i, &f, s, second);
        second = !second;
    }
    printf("%s%s", second ? "\n" : "", titled ? "\n" : "");
    return i;
}

/* One sentence: where did the cycles go? */
static void print_conclusion(const struct stats *s)
{
    static const struct {
        const char *figure, *words;
    } parts[] = {
        {"cycles_in.program", "the program's and the allocator's own instructions"},
        {"cycles_in.tlb", "answers of the TLBs"},
        {"cycles_in.walk", "page walks"},
        {"cycles_in.data", "the accesses to data themselves"},
        {"cycles_in.syscall", "system calls"},
        {"cycles_in.fault", "page faults"},
        {"cycles_in.reclaim", "reclaim in the background"},
    };
    size_t best = 0;
    for (size_t i = 1; i < ARRAY_LEN(parts); i++)
        if (figure_double(figure_find(parts[i].figure), s) >
            figure_double(figure_find(parts[best].figure), s))
            best = i;
    double part = figure_double(figure_find(parts[best].figure), s);
    char cycles[40];
    if (s->cycles)
        printf("Of %s cycles the most, %.0f %%, went into %s.\n", cli_grouped(s->cycles, cycles),
               100 * part / (double)s->cycles, parts[best].words);
}

void report_print(const struct report *r)
{
    struct figure f;
    const struct tlb_config *tlb = r->config.mmu.tlb;
    char ram[40];
    printf("%s: %s, %s of RAM, L1 dTLB %u x %u %s, L2 TLB %u x %u %s\n\n", r->title,
           r->config.alloc, cli_bytes(r->config.ram_bytes, ram), tlb[TLB_L1D].sets,
           tlb[TLB_L1D].ways, repl_name[tlb[TLB_L1D].repl], tlb[TLB_L2].sets, tlb[TLB_L2].ways,
           repl_name[tlb[TLB_L2].repl]);
    for (size_t i = 0; figure_at(i, &f);)
        i = print_group(i, f.group, &r->stats);
    print_conclusion(&r->stats);
    printf("Figures that are 0 are left out here; --json has all.\n");
}

/* ---- JSON ---- */

/* The object that a dotted name's last part goes into; last is set to that part. */
static cJSON *place_of(cJSON *root, const char *name, char *part, size_t size, const char **last)
{
    cJSON *at = root;
    const char *dot;
    for (; (dot = strchr(name, '.')); name = dot + 1) {
        snprintf(part, size, "%.*s", (int)(dot - name), name);
        cJSON *next = cJSON_GetObjectItemCaseSensitive(at, part);
        at = next ? next : cJSON_AddObjectToObject(at, part);
    }
    *last = name;
    return at;
}

cJSON *report_json(const struct report *r)
{
    cJSON *root = cJSON_CreateObject();
    struct figure f;
    cli_json_number(root, "memwalk_report", 1);
    cJSON_AddStringToObject(root, "title", r->title);
    if (*r->label)
        cJSON_AddStringToObject(root, "label", r->label);
    cJSON *config = cJSON_AddObjectToObject(root, "config");
    struct config_key key;
    for (size_t i = 0; config_key_at(i, &key); i++) {
        char text[64];
        cJSON_AddStringToObject(config, key.key,
                                config_get(&r->config, key.key, text, sizeof(text)));
    }
    for (size_t i = 0; figure_at(i, &f); i++) {
        char part[64];
        const char *last;
        cJSON *at = place_of(root, f.name, part, sizeof(part), &last);
        struct figure_value v = figure_value(i, &r->stats);
        if (figure_whole(f.kind))
            cli_json_number(at, last, v.n);
        else
            cJSON_AddNumberToObject(at, last, v.d);
    }
    return root;
}

/* ---- side by side ---- */

#define SIDE_BY_SIDE_MAX 6 /* columns; more runs than that are lines */

static const char *const telling[] = {
    "alloc.failed",
    "heap.payload.peak",
    "heap.held.peak",
    "heap.utilisation",
    "frag.internal.peak",
    "frag.external.peak",
    "frag.external.end",
    "search.mean",
    "search.max",
    "heap.headers.peak",
    "heap.books.peak",
    "alloc.loads",
    "alloc.stores",
    "alloc.accesses_mean",
    "alloc.cycles_mean",
    "syscalls.all",
    "faults.minor",
    "rss.peak",
    "rss.now",
    "tables.now",
    "accesses",
    "tlb.l1d.misses",
    "alloc.own_misses",
    "alloc.payload_misses",
    "tlb.l2.misses",
    "walks",
    "walk_reads",
    "cycles",
};

static size_t best_of(size_t figure, const struct figure *f, const struct report *const *r,
                      size_t count)
{
    size_t best = 0;
    bool differ = false;
    for (size_t k = 1; k < count; k++) {
        double a = figure_double(figure, &r[best]->stats);
        double b = figure_double(figure, &r[k]->stats);
        differ = differ || a < b || a > b;
        if (f->better == FIGURE_LESS ? b < a : b > a)
            best = k;
    }
    return differ && f->better != FIGURE_SAME ? best : SIZE_MAX;
}

/* Many runs: a line for each, the figures in blocks of columns. */
struct column {
    const char *figure, *title;
};

static void print_block(const struct report *const *r, size_t count, const struct column *column,
                        size_t columns)
{
    printf("%-18s", "");
    for (size_t i = 0; i < columns; i++)
        printf(" %13s", column[i].title);
    printf("\n");
    for (size_t k = 0; k < count; k++) {
        printf("%-18.18s", r[k]->label);
        for (size_t i = 0; i < columns; i++) {
            struct figure f;
            char value[40];
            size_t figure = figure_find(column[i].figure);
            figure_at(figure, &f);
            size_t best = best_of(figure, &f, r, count);
            bool good = best < count && figure_double(figure, &r[k]->stats) ==
                                            figure_double(figure, &r[best]->stats);
            char marked[44];
            snprintf(marked, sizeof(marked), "%s%s", good ? "*" : "",
                     report_value(figure, &f, &r[k]->stats, value));
            printf(" %13s", marked);
        }
        printf("\n");
    }
    printf("\n");
}

static void compare_lines(const struct report *const *r, size_t count)
{
    static const struct column space[] = {
        {"heap.held.peak", "held, peak"},        {"heap.utilisation", "utilisation"},
        {"frag.internal.peak", "internal frag"}, {"frag.external.peak", "external frag"},
        {"heap.headers.peak", "headers"},        {"heap.books.peak", "tables"},
    };
    static const struct column work[] = {
        {"search.mean", "search, mean"},
        {"search.max", "search, max"},
        {"alloc.loads", "loads"},
        {"alloc.stores", "stores"},
        {"alloc.accesses_mean", "acc./call"},
        {"alloc.cycles_mean", "cycles/call"},
    };
    static const struct column below[] = {
        {"syscalls.all", "system calls"}, {"faults.minor", "faults"},
        {"rss.peak", "RSS, peak"},        {"rss.now", "RSS, end"},
        {"alloc.own_misses", "L1 own"},   {"alloc.payload_misses", "L1 payload"},
    };
    printf("%s; * is the best of a column\n\n", r[0]->title);
    print_block(r, count, space, ARRAY_LEN(space));
    print_block(r, count, work, ARRAY_LEN(work));
    print_block(r, count, below, ARRAY_LEN(below));
}

void report_compare(const struct report *const *r, size_t count)
{
    if (count > SIDE_BY_SIDE_MAX) {
        compare_lines(r, count);
        return;
    }
    unsigned width = count ? (unsigned)min_u64(18, (CLI_COLUMNS - 22) / count - 1) : 0;
    printf("%s; * is the best of a row\n\n%-22s", r[0]->title, "");
    for (size_t k = 0; k < count; k++)
        printf(" %*.*s", (int)width, (int)width, r[k]->label);
    printf("\n");
    for (size_t i = 0; i < ARRAY_LEN(telling); i++) {
        struct figure f;
        size_t figure = figure_find(telling[i]);
        figure_at(figure, &f);
        size_t best = best_of(figure, &f, r, count);
        printf("%-22s", f.label);
        for (size_t k = 0; k < count; k++) {
            char value[40];
            char marked[44];
            double now = figure_double(figure, &r[k]->stats);
            bool good = best < count && now == figure_double(figure, &r[best]->stats);
            snprintf(marked, sizeof(marked), "%s%s", good ? "* " : "",
                     report_value(figure, &f, &r[k]->stats, value));
            printf(" %*s", (int)width, marked);
        }
        printf("\n");
    }
}
