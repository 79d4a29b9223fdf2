/* heap.c: 'memwalk heap': the heap to scale, every chunk with its header, the free lists. */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STRIP_COLUMNS 80
#define STRIP_ROWS    8
#define LIST_MAX      48 /* chunks listed one by one without --all */

struct chunks {
    struct heap_chunk *chunk;
    size_t count, room;
    bool no_memory;
};

static void keep(void *ctx, const struct heap_chunk *c)
{
    struct chunks *all = ctx;
    if (all->count == all->room && !all->no_memory) {
        size_t room = all->room ? 2 * all->room : 256;
        struct heap_chunk *more = realloc(all->chunk, room * sizeof(*more));
        all->no_memory = !more;
        if (more) {
            all->chunk = more;
            all->room = room;
        }
    }
    if (!all->no_memory)
        all->chunk[all->count++] = *c;
}

static const char *state_of(const struct heap_chunk *c)
{
    if (c->corrupt)
        return "corrupt";
    if (c->top)
        return "top";
    if (c->mapped)
        return "mapped";
    return c->used ? "used" : "free";
}

/* ---- to scale ---- */

/* The end of the heap proper: mapped chunks lie elsewhere. */
static size_t heap_chunks(const struct chunks *all)
{
    size_t n = 0;
    while (n < all->count && !all->chunk[n].mapped)
        n++;
    return n;
}

/* What most of the bytes in [start, end) are. Chunks are in address order; *at moves along. */
static char cell(const struct chunks *all, size_t count, size_t *at, va_t start, va_t end)
{
    uint64_t bytes[3] = {0};
    for (size_t i = *at; i < count && all->chunk[i].start < end; i++) {
        const struct heap_chunk *c = &all->chunk[i];
        va_t from = max_u64(c->start, start);
        va_t to = min_u64(c->start + c->size, end);
        if (to > from)
            bytes[c->top ? 2 : !c->used] += to - from;
        if (c->start + c->size <= end)
            *at = i;
    }
    if (bytes[2] > bytes[0] && bytes[2] > bytes[1])
        return '-';
    return bytes[0] >= bytes[1] ? '#' : '.';
}

static void print_strip(const struct chunks *all)
{
    size_t count = heap_chunks(all);
    if (!count)
        return;
    va_t start = all->chunk[0].start;
    va_t end = all->chunk[count - 1].start + all->chunk[count - 1].size;
    uint64_t each =
        align_up((end - start + STRIP_COLUMNS * STRIP_ROWS - 1) / (STRIP_COLUMNS * STRIP_ROWS), 16);
    char size[32];
    printf("Each mark: %s. # used, . free, - top\n", cli_bytes(each, size));
    size_t at = 0;
    for (va_t va = start; va < end;) {
        printf("  0x%-12" PRIx64 " ", va);
        for (unsigned i = 0; i < STRIP_COLUMNS && va < end; i++, va += each)
            putchar(cell(all, count, &at, va, va + each));
        putchar('\n');
    }
    printf("\n");
}

/* ---- sums ---- */

static void print_sums(const struct chunks *all, const struct alloc_counters *c)
{
    static const char *const states[] = {"used", "free", "top", "mapped", "corrupt"};
    for (size_t k = 0; k < ARRAY_LEN(states); k++) {
        uint64_t n = 0;
        uint64_t bytes = 0;
        for (size_t i = 0; i < all->count; i++) {
            if (strcmp(state_of(&all->chunk[i]), states[k]) != 0)
                continue;
            n++;
            bytes += all->chunk[i].size;
        }
        char count[32];
        char size[32];
        if (n)
            printf("  %-8s %8s chunk%s %12s\n", states[k], cli_grouped(n, count),
                   n == 1 ? " " : "s", cli_bytes(bytes, size));
    }
    char now[32];
    char held[32];
    printf("  requested by live blocks: %s; held from the kernel: %s\n\n",
           cli_bytes(c->bytes_requested_now, now), cli_bytes(c->bytes_heap_now, held));
}

/* Chunks by powers of two: where the memory is, and why a large request may fail though much is
 * free. */
struct size_row {
    uint64_t used, used_bytes, free, free_bytes;
};

static void count_sizes(const struct chunks *all, struct size_row row[64])
{
    for (size_t i = 0; i < all->count; i++) {
        const struct heap_chunk *c = &all->chunk[i];
        if (c->top || c->corrupt || !c->size)
            continue;
        struct size_row *r = &row[63 - __builtin_clzll((unsigned long long)c->size)];
        *(c->used ? &r->used : &r->free) += 1;
        *(c->used ? &r->used_bytes : &r->free_bytes) += c->size;
    }
}

static void print_sizes(const struct chunks *all)
{
    struct size_row row[64] = {{0}};
    count_sizes(all, row);
    printf("Sizes            %8s %12s %8s %12s\n", "used", "bytes", "free", "bytes");
    for (unsigned i = 0; i < 64; i++) {
        char text[5][32];
        if (!row[i].used && !row[i].free)
            continue;
        printf("  from %10s %8s %12s %8s %12s\n", cli_bytes(UINT64_C(1) << i, text[0]),
               cli_grouped(row[i].used, text[1]), cli_bytes(row[i].used_bytes, text[2]),
               cli_grouped(row[i].free, text[3]), cli_bytes(row[i].free_bytes, text[4]));
    }
    printf("\n");
}

/* ---- the free lists ---- */

#define LIST_LINE 5 /* chunks of one list on its line */

/* One list after the other, as their chunks come. */
struct list_lines {
    const char *name;
    uint64_t count, bytes;
    char line[LIST_LINE * 24 + 8];
    size_t used;
    bool any;
};

static void end_list(struct list_lines *l)
{
    char bytes[32];
    if (l->name)
        printf("  %-16s %6" PRIu64 " of %10s %s%s\n", l->name, l->count, cli_bytes(l->bytes, bytes),
               l->line, l->count > LIST_LINE ? " …" : "");
    l->name = NULL;
    l->count = l->bytes = l->used = 0;
    l->line[0] = '\0';
}

static void add_to_list(void *ctx, const struct heap_chunk *c)
{
    struct list_lines *l = ctx;
    if (!l->any)
        printf("Free lists, in order\n");
    l->any = true;
    if (l->name && strcmp(l->name, c->list) != 0)
        end_list(l);
    l->name = c->list;
    l->bytes += c->size;
    if (l->count++ < LIST_LINE)
        l->used +=
            (size_t)snprintf(l->line + l->used, sizeof(l->line) - l->used, " 0x%" PRIx64, c->start);
}

static void print_lists(const struct look *look)
{
    struct list_lines l = {.name = NULL};
    if (!inspect_lists(look->session.sim, look->process.pid, add_to_list, &l) || !l.any)
        return;
    end_list(&l);
    printf("\n");
}

/* ---- one by one ---- */

/* " U P": the bits that a header word says, and its size where that is not the chunk's. */
static const char *header_text(const struct heap_chunk *c, const char *bits, char *text)
{
    size_t at = 0;
    size_t n = strlen(bits);
    uint64_t size = c->header & ~UINT64_C(15);
    text[0] = '\0';
    if (!n || !c->header)
        return text;
    if (size != c->size)
        at += (size_t)snprintf(text, 40, " = %" PRIu64, size);
    for (size_t i = 0; i < n; i++)
        if (c->header >> i & 1)
            at += (size_t)snprintf(text + at, 40 - at, " %c", bits[i]);
    return text;
}

static void print_chunk(const struct heap_chunk *c, const char *bits)
{
    char size[32];
    char header[40];
    printf("  0x%-14" PRIx64 " %12s  %-8s", c->start, cli_grouped(c->size, size), state_of(c));
    if (c->used)
        printf(" block 0x%-14" PRIx64 " usable %-9" PRIu64, c->block, c->usable);
    else
        printf(" %-41s", c->list ? c->list : "");
    printf(" 0x%" PRIx64 "%s\n", c->header, header_text(c, bits, header));
}

static void print_chunks(const struct look *look, const struct chunks *all)
{
    const char *bits = inspect_header_bits(look->session.sim, look->process.pid);
    size_t shown = look->all ? all->count : min_u64(all->count, LIST_MAX);
    printf("  %-16s %12s  %-49s %s\n", "chunk", "bytes", "state", "header");
    for (size_t i = 0; i < shown; i++)
        print_chunk(&all->chunk[i], bits);
    if (shown < all->count)
        printf("  … and %zu more (--all shows them)\n", all->count - shown);
}

static int print_json(const struct look *look, const struct chunks *all, bool adds_up)
{
    cJSON *root = look_json(look);
    cJSON_AddStringToObject(root, "alloc",
                            inspect_heap_policy(look->session.sim, look->process.pid));
    cJSON_AddBoolToObject(root, "adds_up", adds_up);
    cJSON *list = cJSON_AddArrayToObject(root, "chunks");
    for (size_t i = 0; i < all->count; i++) {
        const struct heap_chunk *c = &all->chunk[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cli_json_hex(item, "start", c->start);
        cli_json_number(item, "size", c->size);
        cJSON_AddStringToObject(item, "state", state_of(c));
        cli_json_hex(item, "header", c->header);
        if (c->used) {
            cli_json_hex(item, "block", c->block);
            cli_json_number(item, "usable", c->usable);
        }
        if (c->list && *c->list)
            cJSON_AddStringToObject(item, "list", c->list);
    }
    return cli_json_print(root);
}

static int print_text(const struct look *look, const struct chunks *all, bool adds_up)
{
    const struct sim *s = look->session.sim;
    const struct alloc_counters *c = inspect_heap(s, look->process.pid);
    char what[64];
    snprintf(what, sizeof(what), "Heap (%s)", inspect_heap_policy(s, look->process.pid));
    look_title(look, what);
    if (!c) {
        printf("  The process has not called malloc.\n");
        return STATUS_OK;
    }
    print_strip(all);
    print_sums(all, c);
    print_sizes(all);
    print_lists(look);
    print_chunks(look, all);
    if (!adds_up)
        printf("\n  The headers do not add up behind the last chunk: somebody wrote over one.\n");
    return STATUS_OK;
}

/* ---- over time ---- */

#define TIME_LINES 20

static void shape(void *ctx, const struct heap_chunk *c)
{
    struct heap_shape *h = ctx;
    if (c->used) {
        h->used += c->size;
        return;
    }
    h->free += c->size;
    h->largest = max_u64(h->largest, c->size);
}

/* One moment of the heap, as a line or an object. */
static void print_moment(const struct look *look, const struct sim *s, cJSON *list)
{
    struct heap_shape h = {0};
    const struct alloc_counters *c = inspect_heap(s, look->process.pid);
    static const struct alloc_counters none;
    c = c ? c : &none;
    inspect_chunks(s, look->process.pid, shape, &h);
    double internal = h.used ? 1 - (double)c->bytes_requested_now / (double)h.used : 0;
    double external = h.free ? 1 - (double)h.largest / (double)h.free : 0;
    uint64_t op = inspect_replay(s)->ops;
    char text[5][32];
    if (!list) {
        printf("%12s %10s %10s %10s %10s %9.1f %% %8.1f %%\n", cli_grouped(op, text[0]),
               cli_bytes(c->bytes_requested_now, text[1]), cli_bytes(h.used, text[2]),
               cli_bytes(h.free, text[3]), cli_bytes(c->bytes_heap_now, text[4]), 100 * internal,
               100 * external);
        return;
    }
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(list, item);
    cli_json_number(item, "op", op);
    cli_json_number(item, "payload", c->bytes_requested_now);
    cli_json_number(item, "used", h.used);
    cli_json_number(item, "free", h.free);
    cli_json_number(item, "held", c->bytes_heap_now);
    cJSON_AddNumberToObject(item, "internal", internal);
    cJSON_AddNumberToObject(item, "external", external);
}

/* Runs the trace once more, from its start, to the moment that is looked at. */
static int print_over_time(const struct look *look)
{
    struct error e = {0};
    struct sim *s;
    struct sim_options o = {.config = &look->session.config, .trace = look->session.trace};
    uint64_t end = inspect_replay(look->session.sim)->ops;
    uint64_t every = max_u64(1, end / TIME_LINES);
    cJSON *root = look->options.json ? look_json(look) : NULL;
    cJSON *list = root ? cJSON_AddArrayToObject(root, "over_time") : NULL;
    if (sim_open(&s, &o, &e))
        return cli_fail(&e);
    if (!root)
        printf("%12s %10s %10s %10s %10s %11s %10s\n", "op", "payload", "used", "free", "held",
               "internal", "external");
    int more = 1;
    for (uint64_t op = 1; op <= end && (more = sim_step(s, &e)) == 1; op++)
        if (op % every == 0 || op == end)
            print_moment(look, s, list);
    sim_close(s);
    if (more == 1 && root)
        return cli_json_print(root);
    cJSON_Delete(root);
    return more == 1 ? STATUS_OK : cli_fail(&e);
}

static int print(struct look *look)
{
    struct chunks all = {0};
    struct error e;
    if (look->over_time)
        return print_over_time(look);
    bool adds_up = inspect_chunks(look->session.sim, look->process.pid, keep, &all);
    int status;
    if (all.no_memory) {
        error_set(&e, ERR_MEMORY, NULL, 0, NULL, "no memory for the list of chunks");
        status = cli_fail(&e);
    } else if (look->options.json) {
        status = print_json(look, &all, adds_up);
    } else {
        status = print_text(look, &all, adds_up);
    }
    free(all.chunk);
    return status;
}

int cli_heap(int argc, char **argv)
{
    struct look look = {.is_heap = true};
    return look_run(&look, "memwalk heap",
                    "Show the heap of a process to scale, every chunk with its header decoded, "
                    "sizes and free lists in order, at any moment of a trace or over time.",
                    argc, argv, print);
}
