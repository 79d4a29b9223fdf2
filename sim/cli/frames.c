/* frames.c: 'memwalk frames': who owns physical memory: a map, sums, and the frames in use. */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/explain.h"

#include <inttypes.h>

#define MAP_COLUMNS 64
#define MAP_ROWS    16
#define LIST_MAX    64 /* frames listed one by one without --all */

static const char use_letter[FRAME_USES] = {
    [FRAME_FREE] = '.', [FRAME_RESERVED] = 'K', [FRAME_TABLE] = 'T',
    [FRAME_ANON] = 'a', [FRAME_SHARED] = 's',   [FRAME_FILE] = 'f',
};

static void count_uses(const struct sim *s, uint64_t uses[FRAME_USES])
{
    uint64_t frames = inspect_frames(s);
    for (pfn_t pfn = 0; pfn < frames; pfn++) {
        struct frame_info f;
        inspect_frame(s, pfn, &f);
        uses[f.use]++;
    }
}

/* The letter of a run of frames: what most of those in use are; free only if all are. */
static char letter_of(const struct sim *s, pfn_t first, uint64_t n)
{
    uint64_t uses[FRAME_USES] = {0};
    for (uint64_t i = 0; i < n; i++) {
        struct frame_info f;
        inspect_frame(s, first + i, &f);
        uses[f.use]++;
    }
    unsigned best = FRAME_FREE;
    for (unsigned use = FRAME_FREE + 1; use < FRAME_USES; use++)
        if (uses[use] && (best == FRAME_FREE || uses[use] > uses[best]))
            best = use;
    return use_letter[best];
}

static void print_map(const struct sim *s)
{
    uint64_t frames = inspect_frames(s);
    uint64_t each = (frames + MAP_COLUMNS * MAP_ROWS - 1) / (MAP_COLUMNS * MAP_ROWS);
    char size[32];
    printf("Each letter: %" PRIu64
           " frame%s, %s. K kernel, T table, a anonymous, s shared, f file, . free\n",
           each, each == 1 ? "" : "s", cli_bytes(each * PAGE_SIZE, size));
    for (pfn_t pfn = 0; pfn < frames;) {
        printf("  0x%08" PRIx64 "  ", pfn);
        for (unsigned i = 0; i < MAP_COLUMNS && pfn < frames; i++, pfn += each)
            putchar(letter_of(s, pfn, min_u64(each, frames - pfn)));
        putchar('\n');
    }
}

static void print_list(const struct look *look)
{
    const struct sim *s = look->session.sim;
    uint64_t frames = inspect_frames(s);
    uint64_t shown = 0;
    uint64_t left_out = 0;
    printf("\n  %-12s %-10s %4s %-6s %-16s %s\n", "frame", "use", "pid", "level", "page",
           "entries");
    for (pfn_t pfn = 0; pfn < frames; pfn++) {
        struct frame_info f;
        inspect_frame(s, pfn, &f);
        if (f.use == FRAME_FREE || f.use == FRAME_RESERVED)
            continue;
        if (!look->all && shown == LIST_MAX) {
            left_out++;
            continue;
        }
        shown++;
        printf("  0x%-10" PRIx64 " %-10s %4u %-6s 0x%-14" PRIx64 " %u\n", pfn,
               frame_use_name[f.use], f.pid,
               f.use == FRAME_TABLE ? explain_table_name(f.level) : "", f.va, f.refs);
    }
    if (left_out)
        printf("  … and %" PRIu64 " more (--all shows them)\n", left_out);
}

static int print_json(const struct look *look)
{
    const struct sim *s = look->session.sim;
    uint64_t frames = inspect_frames(s);
    uint64_t uses[FRAME_USES] = {0};
    cJSON *root = look_json(look);
    cli_json_number(root, "frames", frames);
    count_uses(s, uses);
    cJSON *by_use = cJSON_AddObjectToObject(root, "by_use");
    for (unsigned use = 0; use < FRAME_USES; use++)
        cli_json_number(by_use, frame_use_name[use], uses[use]);
    cJSON *list = cJSON_AddArrayToObject(root, "in_use");
    for (pfn_t pfn = 0; pfn < frames; pfn++) {
        struct frame_info f;
        inspect_frame(s, pfn, &f);
        if (f.use == FRAME_FREE || f.use == FRAME_RESERVED)
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cli_json_hex(item, "pfn", pfn);
        cJSON_AddStringToObject(item, "use", frame_use_name[f.use]);
        cli_json_number(item, "pid", f.pid);
        if (f.use == FRAME_TABLE)
            cJSON_AddStringToObject(item, "table", explain_table_name(f.level));
        cli_json_hex(item, "va", f.va);
        cli_json_number(item, "entries", f.refs);
    }
    return cli_json_print(root);
}

static int print(struct look *look)
{
    const struct sim *s = look->session.sim;
    if (look->options.json)
        return print_json(look);
    uint64_t uses[FRAME_USES] = {0};
    look_title(look, "Frames, seen with the tables");
    count_uses(s, uses);
    for (unsigned use = 0; use < FRAME_USES; use++) {
        char n[32];
        char size[32];
        printf("  %-10s %12s  %s\n", frame_use_name[use], cli_grouped(uses[use], n),
               cli_bytes(uses[use] * PAGE_SIZE, size));
    }
    printf("\n");
    print_map(s);
    print_list(look);
    return STATUS_OK;
}

int cli_frames(int argc, char **argv)
{
    struct look look = {0};
    return look_run(&look, "memwalk frames",
                    "Show who owns physical memory at any moment of a trace: a map, sums, and the "
                    "frames in use.",
                    argc, argv, print);
}
