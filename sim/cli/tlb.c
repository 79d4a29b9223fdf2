/* tlb.c: 'memwalk tlb': what the TLBs and paging-structure caches hold, set by set. */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/explain.h"

#include <inttypes.h>

#define PER_LINE 2 /* lines of a TLB in one line of text */

static uint32_t valid_in_set(const struct sim *s, unsigned level, uint32_t set)
{
    struct tlb_line line;
    uint32_t valid = 0;
    for (uint32_t way = 0; inspect_tlb(s, 0, level, set, way, &line); way++)
        valid += line.valid;
    return valid;
}

static void print_set(const struct sim *s, unsigned level, uint32_t set)
{
    struct tlb_line line;
    unsigned shown = 0;
    printf("  set %-4u", set);
    for (uint32_t way = 0; inspect_tlb(s, 0, level, set, way, &line); way++) {
        char flags[8];
        char text[64];
        if (!line.valid)
            continue;
        if (shown && shown % PER_LINE == 0)
            printf("\n          ");
        snprintf(text, sizeof(text), "%u: 0x%" PRIx64 " > 0x%" PRIx64 " %s", way,
                 line.vpn << PAGE_SHIFT, line.pfn, look_flags(line.flags, flags));
        printf(" %-43s", text);
        shown++;
    }
    printf("\n");
}

static void print_level(const struct sim *s, unsigned level)
{
    const struct tlb_config *c = &inspect_config(s)->mmu.tlb[level];
    printf("%s TLB: %u sets of %u ways, %s", tlb_array_name[level], c->sets, c->ways,
           repl_name[inspect_config(s)->mmu.tlb[level % TLB_LEVELS].repl]);
    if (level < TLB_LEVELS) {
        const struct tlb_counters *n = &inspect_mmu(s, 0)->tlb[level];
        char hits[32];
        char misses[32];
        printf("; %s hits, %s misses", cli_grouped(n->hits, hits), cli_grouped(n->misses, misses));
    }
    printf("\n");
    uint32_t empty = 0;
    for (uint32_t set = 0; set < c->sets; set++) {
        if (valid_in_set(s, level, set))
            print_set(s, level, set);
        else
            empty++;
    }
    if (empty)
        printf("  %u set%s empty\n", empty, empty == 1 ? "" : "s");
    printf("\n");
}

static void print_psc(const struct sim *s)
{
    printf("Paging-structure caches (entry: first address > table)\n");
    for (unsigned level = LEVELS_MAX; level >= 2; level--) {
        struct psc_line line;
        for (uint32_t slot = 0; inspect_psc(s, 0, level, slot, &line); slot++)
            if (line.valid)
                printf("  %-6s %2u: 0x%" PRIx64 " > 0x%" PRIx64 "\n", explain_entry_name(level),
                       slot, line.va, line.table);
    }
}

/* ---- JSON ---- */

static cJSON *json_level(const struct sim *s, unsigned level)
{
    const struct tlb_config *c = &inspect_config(s)->mmu.tlb[level];
    cJSON *out = cJSON_CreateObject();
    cli_json_number(out, "sets", c->sets);
    cli_json_number(out, "ways", c->ways);
    cJSON_AddStringToObject(out, "replacement",
                            repl_name[inspect_config(s)->mmu.tlb[level % TLB_LEVELS].repl]);
    cJSON *lines = cJSON_AddArrayToObject(out, "lines");
    for (uint32_t set = 0; set < c->sets; set++) {
        struct tlb_line line;
        for (uint32_t way = 0; inspect_tlb(s, 0, level, set, way, &line); way++) {
            char flags[8];
            if (!line.valid)
                continue;
            cJSON *item = cJSON_CreateObject();
            cJSON_AddItemToArray(lines, item);
            cli_json_number(item, "set", set);
            cli_json_number(item, "way", way);
            cli_json_hex(item, "va", line.vpn << PAGE_SHIFT);
            cli_json_hex(item, "pfn", line.pfn);
            cli_json_number(item, "page_size", line.page_size);
            cJSON_AddStringToObject(item, "rights", look_flags(line.flags, flags));
            cli_json_number(item, "rank", line.rank);
            cli_json_number(item, "pcid", line.pcid);
        }
    }
    return out;
}

static int print_json(const struct look *look)
{
    const struct sim *s = look->session.sim;
    cJSON *root = look_json(look);
    static const char *const name[TLB_ARRAYS] = {"l1d",    "l2",    "l1i",    "l2i",
                                                 "l1d_2m", "l2_2m", "l1i_2m", "l2i_2m",
                                                 "l1d_1g", "l2_1g", "l1i_1g", "l2i_1g"};
    for (unsigned level = 0; level < TLB_ARRAYS; level++)
        if (level <= TLB_L2 || inspect_config(s)->mmu.tlb[level].sets)
            cJSON_AddItemToObject(root, name[level], json_level(s, level));
    cJSON *psc = cJSON_AddArrayToObject(root, "psc");
    for (unsigned level = LEVELS_MAX; level >= 2; level--) {
        struct psc_line line;
        for (uint32_t slot = 0; inspect_psc(s, 0, level, slot, &line); slot++) {
            if (!line.valid)
                continue;
            cJSON *item = cJSON_CreateObject();
            cJSON_AddItemToArray(psc, item);
            cJSON_AddStringToObject(item, "entry", explain_entry_name(level));
            cli_json_number(item, "slot", slot);
            cli_json_hex(item, "va", line.va);
            cli_json_hex(item, "table", line.table);
            cli_json_number(item, "pcid", line.pcid);
        }
    }
    return cli_json_print(root);
}

static int print(struct look *look)
{
    const struct sim *s = look->session.sim;
    if (look->options.json)
        return print_json(look);
    look_title(look, "TLBs");
    printf("way: virtual page > frame, rights W write U user X execute D dirty G global\n\n");
    for (unsigned level = 0; level < TLB_ARRAYS; level++)
        if (inspect_config(s)->mmu.tlb[level].sets)
            print_level(s, level);
    print_psc(s);
    return STATUS_OK;
}

int cli_tlb(int argc, char **argv)
{
    struct look look = {0};
    return look_run(&look, "memwalk tlb",
                    "Show what the TLBs and paging-structure caches hold, set by set, at any "
                    "moment of a trace.",
                    argc, argv, print);
}
