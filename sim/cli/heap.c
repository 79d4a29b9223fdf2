/* heap.c: 'memwalk heap': the heap to scale, every chunk with its header, the free lists. */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"

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

/* Free chunks by powers of two: why a large request may fail though much is free. */
static void print_free_sizes(const struct chunks *all)
{
    uint64_t count[64] = {0};
    bool any = false;
    for (size_t i = 0; i < all->count; i++) {
        const struct heap_chunk *c = &all->chunk[i];
        if (c->used || c->top || c->corrupt || !c->size)
            continue;
        count[63 - __builtin_clzll((unsigned long long)c->size)]++;
        any = true;
    }
    if (!any)
        return;
    printf("Free chunks by size\n");
    for (unsigned i = 0; i < 64; i++) {
        char from[32];
        char n[32];
        if (count[i])
            printf("  from %10s: %s\n", cli_bytes(UINT64_C(1) << i, from),
                   cli_grouped(count[i], n));
    }
    printf("\n");
}

/* ---- one by one ---- */

static void print_chunk(const struct heap_chunk *c)
{
    char size[32];
    printf("  0x%-14" PRIx64 " %12s  %-8s", c->start, cli_grouped(c->size, size), state_of(c));
    if (c->used)
        printf(" block 0x%-14" PRIx64 " usable %-9" PRIu64, c->block, c->usable);
    else
        printf(" %-41s", c->list ? c->list : "");
    printf(" header 0x%" PRIx64 "\n", c->header);
}

static void print_chunks(const struct look *look, const struct chunks *all)
{
    size_t shown = look->all ? all->count : min_u64(all->count, LIST_MAX);
    printf("  %-16s %12s  %s\n", "chunk", "bytes", "state");
    for (size_t i = 0; i < shown; i++)
        print_chunk(&all->chunk[i]);
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
    print_free_sizes(all);
    print_chunks(look, all);
    if (!adds_up)
        printf("\n  The headers do not add up behind the last chunk: somebody wrote over one.\n");
    return STATUS_OK;
}

static int print(struct look *look)
{
    struct chunks all = {0};
    struct error e;
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
    struct look look = {0};
    return look_run(&look, "memwalk heap",
                    "Show the heap of a process to scale, every chunk with its header, and the "
                    "free ones by size and list, at any moment of a trace.",
                    argc, argv, print);
}
