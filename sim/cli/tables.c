/* tables.c: 'memwalk tables': the page tables of a process as a tree, runs of pages drawn together.
 *
 * A run is a range of neighbouring entries of one table that map pages with the same rights; the
 * tree would be as long as the memory otherwise. --all shows every page by itself.
 */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/explain.h"

#include <inttypes.h>
#include <string.h>

#define USER_HALF (TABLE_ENTRIES / 2)
#define SAME      (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D | PTE_G | PTE_XD)

struct tree {
    const struct look *look;
    cJSON *json; /* where the next table goes; NULL: text */
    unsigned top;
    uint64_t tables, pages;
};

static void read_table(const struct tree *t, pa_t table, pte_t entry[TABLE_ENTRIES])
{
    inspect_ram(t->look->session.sim, table, entry, TABLE_ENTRIES * sizeof(pte_t));
}

static bool maps_page(pte_t entry, unsigned level)
{
    return (entry & PTE_P) && (level == 1 || (level <= 3 && (entry & PTE_PS)));
}

/* The first address of entry i of a table that begins at base. */
static va_t address_of(const struct tree *t, va_t base, unsigned level, unsigned i)
{
    va_t va = base + i * level_span(level);
    unsigned bits = PAGE_SHIFT + 9 * t->top;
    return va >> (bits - 1) & 1 ? va | ~((UINT64_C(1) << bits) - 1) : va;
}

/* How many entries from i on map pages alike. */
static unsigned run_length(const struct tree *t, const pte_t *entry, unsigned i, unsigned level)
{
    unsigned n = 1;
    if (t->look->all)
        return n;
    while (i + n < TABLE_ENTRIES && maps_page(entry[i + n], level) &&
           (entry[i + n] & SAME) == (entry[i] & SAME))
        n++;
    return n;
}

static void show_run(struct tree *t, cJSON *into, va_t va, unsigned level, unsigned i, unsigned n,
                     pte_t entry)
{
    char means[128];
    unsigned indent = 2 * (t->top - level + 1);
    t->pages += n;
    explain_entry(LANG_EN, entry, level, means, sizeof(means));
    if (into) {
        cJSON *run = cJSON_CreateObject();
        cJSON_AddItemToArray(into, run);
        cli_json_number(run, "index", i);
        cli_json_number(run, "pages", n);
        cli_json_number(run, "page_size", level_span(level));
        cli_json_hex(run, "va", va);
        cli_json_hex(run, "entry", entry);
        cJSON_AddStringToObject(run, "means", means);
        return;
    }
    char range[16];
    snprintf(range, sizeof(range), n > 1 ? "%u-%u" : "%u", i, i + n - 1);
    int column = printf("%*s%s %-7s 0x%" PRIx64 "  %u page%s: ", (int)indent, "",
                        explain_entry_name(level), range, va, n, n == 1 ? "" : "s");
    cli_wrap(stdout, means, (unsigned)column, indent + 6);
}

static cJSON *show_table(struct tree *t, cJSON *into, va_t va, unsigned level, pa_t table,
                         unsigned index)
{
    unsigned indent = 2 * (t->top - level);
    t->tables++;
    if (!into) {
        printf("%*s%s at 0x%" PRIx64, (int)indent, "", explain_table_name(level), table);
        if (level < t->top)
            printf(", by %s %u, from 0x%" PRIx64, explain_entry_name(level + 1), index, va);
        printf("\n");
        return NULL;
    }
    cJSON *node = cJSON_CreateObject();
    cJSON_AddItemToArray(into, node);
    cJSON_AddStringToObject(node, "table", explain_table_name(level));
    cli_json_hex(node, "pa", table);
    cli_json_hex(node, "va", va);
    return cJSON_AddArrayToObject(node, "entries");
}

/* Depth-first; never deeper than the number of levels. */
static void visit(struct tree *t, cJSON *into, va_t base, unsigned level, pa_t table,
                  unsigned index)
{
    pte_t entry[TABLE_ENTRIES];
    read_table(t, table, entry);
    cJSON *entries = show_table(t, into, base, level, table, index);
    unsigned end = level == t->top && !t->look->all ? USER_HALF : TABLE_ENTRIES;
    for (unsigned i = 0; i < end; i++) {
        va_t va = address_of(t, base, level, i);
        if (maps_page(entry[i], level)) {
            unsigned n = run_length(t, entry, i, level);
            show_run(t, entries, va, level, i, n, entry[i]);
            i += n - 1;
        } else if (entry[i] & PTE_P) {
            visit(t, entries, va, level - 1, entry[i] & PTE_FRAME, i);
        }
    }
}

static int print(struct look *look)
{
    struct mmu_regs regs;
    inspect_regs(look->session.sim, 0, &regs);
    struct tree t = {.look = look, .top = mmu_levels(&regs)};
    if (look->options.json) {
        cJSON *root = look_json(look);
        visit(&t, cJSON_AddArrayToObject(root, "tables"), 0, t.top, look->process.root, 0);
        cli_json_number(root, "table_frames", t.tables);
        cli_json_number(root, "pages", t.pages);
        return cli_json_print(root);
    }
    look_title(look, "Page tables");
    visit(&t, NULL, 0, t.top, look->process.root, 0);
    printf("\n%" PRIu64 " tables map %" PRIu64 " pages%s\n", t.tables, t.pages,
           look->all ? "" : "; the kernel half is left out (--all shows it)");
    return STATUS_OK;
}

int cli_tables(int argc, char **argv)
{
    struct look look = {0};
    return look_run(&look, "memwalk tables",
                    "Print the page tables of a process as a tree, with every entry's bits, at "
                    "any moment of a trace.",
                    argc, argv, print);
}
