/* walk.c: 'memwalk walk': one translation in full: registers, entries, rights, result or fault.
 *
 * The walk is read from the tables (walk_read), so looking sets no A bit and fills no TLB; what the
 * TLBs hold for the page at this moment is told beside it.
 */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/explain.h"

#include <inttypes.h>
#include <string.h>

/* What the walk comes to. */
struct verdict {
    bool allowed;
    uint32_t vector; /* 0: allowed */
    uint32_t error;
};

static const char *const access_word[] = {"read", "write", "fetch"};

static struct verdict judge(const struct look *look, const struct walk *walk,
                            const struct mmu_regs *regs)
{
    struct verdict v = {0};
    if (!walk->canonical)
        v.vector = VECTOR_GP;
    else if (!walk_judge(walk, regs, look->how, &v.error))
        v.vector = VECTOR_PF;
    v.allowed = v.vector == 0;
    return v;
}

/* ---- text ---- */

static void print_split(va_t va, unsigned levels)
{
    printf("  split      ");
    for (unsigned level = levels; level >= 1; level--)
        printf("%s %u  ", explain_table_name(level), va_index(va, level));
    printf("offset 0x%03" PRIx64 "\n", va & PAGE_MASK);
}

static void print_regs(const struct mmu_regs *r)
{
    printf("  registers  CR3 0x%" PRIx64
           "  CR0.WP %d  CR4.SMEP %d SMAP %d PGE %d LA57 %d  EFER.NXE %d"
           "  CPL %d\n",
           r->cr3, (r->cr0 & CR0_WP) != 0, (r->cr4 & CR4_SMEP) != 0, (r->cr4 & CR4_SMAP) != 0,
           (r->cr4 & CR4_PGE) != 0, (r->cr4 & CR4_LA57) != 0, (r->efer & EFER_NXE) != 0, r->cpl);
}

static void print_steps(const struct walk *walk)
{
    printf("\n  %-6s %5s  %-14s %-18s %s\n", "entry", "index", "stands at", "64 bits", "means");
    for (unsigned i = 0; i < walk->steps; i++) {
        const struct walk_step *step = &walk->step[i];
        char means[128];
        explain_entry(step->entry, step->level, means, sizeof(means));
        printf("  %-6s %5u  0x%012" PRIx64 " %016" PRIx64 "   ", explain_entry_name(step->level),
               step->index, step->pa, step->entry);
        cli_wrap(stdout, means, 49, 49);
    }
}

/* The arithmetic: a right is there if every entry on the way gives it. */
static void print_rights(const struct walk *walk)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } rights[] = {{"writable", TLB_WRITE}, {"user", TLB_USER}, {"executable", TLB_EXEC}};
    printf("\n");
    for (size_t r = 0; r < ARRAY_LEN(rights); r++) {
        printf("  %-10s ", rights[r].name);
        bool all = true;
        for (unsigned i = 0; i < walk->steps; i++) {
            pte_t e = walk->step[i].entry;
            bool own = rights[r].flag == TLB_WRITE  ? (e & PTE_RW) != 0
                       : rights[r].flag == TLB_USER ? (e & PTE_US) != 0
                                                    : !(e & PTE_XD);
            all = all && own;
            printf("%s%s %d", i ? " and " : "", explain_entry_name(walk->step[i].level), own);
        }
        printf(" = %s\n", all ? "yes" : "no");
    }
}

static void print_verdict(const struct look *look, const struct walk *walk, struct verdict v)
{
    char text[200];
    const char *word = access_word[look->how];
    printf("\n");
    if (v.vector == VECTOR_GP) {
        printf("  result     #GP: bits 63 to 47 are not all the same, so the address is not "
               "canonical\n");
    } else if (v.vector == VECTOR_PF) {
        printf("  result     a %s raises #PF, error code 0x%x: ", word, v.error);
        cli_wrap(stdout, explain_pf_error(v.error, text, sizeof(text)), 47, 13);
    } else {
        char pa[24];
        char flags[8];
        printf("  result     a %s is allowed: physical %s, page of %s, rights %s\n", word,
               look_address(walk->to.pa, pa), cli_bytes(walk->to.page_size, text),
               look_flags(walk->to.flags, flags));
    }
}

static bool line_covers(const struct tlb_line *line, va_t va)
{
    return line->valid && va >> PAGE_SHIFT >= line->vpn &&
           va >> PAGE_SHIFT < line->vpn + line->page_size / PAGE_SIZE;
}

static void print_tlbs(const struct look *look)
{
    const struct sim *s = look->session.sim;
    const struct config *c = inspect_config(s);
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        bool found = false;
        struct tlb_line line;
        for (uint32_t i = 0; i < c->mmu.tlb[level].sets * c->mmu.tlb[level].ways; i++) {
            uint32_t set = i / c->mmu.tlb[level].ways;
            uint32_t way = i % c->mmu.tlb[level].ways;
            if (!inspect_tlb(s, 0, level, set, way, &line) || !line_covers(&line, look->address))
                continue;
            char flags[8];
            printf("  L%u TLB     holds it: set %u, way %u, frame 0x%" PRIx64 ", rights %s\n",
                   level + 1, set, way, line.pfn, look_flags(line.flags, flags));
            found = true;
        }
        if (!found && c->mmu.tlb[level].sets)
            printf("  L%u TLB     does not hold it\n", level + 1);
    }
}

static void print_area(const struct look *look)
{
    struct area_info a;
    char prot[8];
    if (inspect_area_at(look->session.sim, look->process.pid, look->address, &a))
        printf("  area       0x%" PRIx64 "-0x%" PRIx64 " %s %s\n", a.start, a.end,
               explain_prot(a.prot, prot, sizeof(prot)), a.name);
    else
        printf("  area       none: the kernel would answer a fault with SIGSEGV\n");
}

/* ---- JSON ---- */

static int print_json(const struct look *look, const struct walk *walk, const struct mmu_regs *regs,
                      struct verdict v)
{
    cJSON *root = look_json(look);
    cli_json_hex(root, "va", look->address);
    cJSON_AddStringToObject(root, "access", access_word[look->how]);
    cJSON *r = cJSON_AddObjectToObject(root, "registers");
    cli_json_hex(r, "cr0", regs->cr0);
    cli_json_hex(r, "cr3", regs->cr3);
    cli_json_hex(r, "cr4", regs->cr4);
    cli_json_hex(r, "efer", regs->efer);
    cli_json_number(r, "cpl", regs->cpl);
    cJSON *entries = cJSON_AddArrayToObject(root, "entries");
    for (unsigned i = 0; i < walk->steps; i++) {
        char means[128];
        const struct walk_step *step = &walk->step[i];
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(entries, entry);
        cli_json_number(entry, "level", step->level);
        cli_json_number(entry, "index", step->index);
        cli_json_hex(entry, "pa", step->pa);
        cli_json_hex(entry, "value", step->entry);
        explain_entry(step->entry, step->level, means, sizeof(means));
        cJSON_AddStringToObject(entry, "means", means);
    }
    if (v.allowed) {
        cli_json_hex(root, "pa", walk->to.pa);
        cli_json_number(root, "page_size", walk->to.page_size);
    } else {
        cJSON *fault = cJSON_AddObjectToObject(root, "fault");
        cli_json_number(fault, "vector", v.vector);
        cli_json_hex(fault, "error", v.error);
    }
    return cli_json_print(root);
}

static int print(struct look *look)
{
    struct walk walk;
    struct mmu_regs regs;
    const struct sim *s = look->session.sim;
    inspect_regs(s, 0, &regs);
    regs.cr3 = look->process.root;
    regs.cpl = 3;
    if (!inspect_walk(s, look->process.pid, look->address, &walk))
        memset(&walk, 0, sizeof(walk));
    struct verdict v = judge(look, &walk, &regs);
    if (look->options.json)
        return print_json(look, &walk, &regs, v);
    char va[24];
    char what[64];
    snprintf(what, sizeof(what), "Walk of %s", look_address(look->address, va));
    look_title(look, what);
    print_split(look->address, mmu_levels(&regs));
    print_regs(&regs);
    print_area(look);
    print_tlbs(look);
    if (walk.canonical) {
        print_steps(&walk);
        print_rights(&walk);
    }
    print_verdict(look, &walk, v);
    return STATUS_OK;
}

int cli_walk(int argc, char **argv)
{
    struct look look = {.wants_address = true};
    return look_run(&look, "memwalk walk",
                    "Translate one virtual address by hand, at any moment of a trace: every entry "
                    "read, its bits named, the rights added up, the frame or the fault.",
                    argc, argv, print);
}
