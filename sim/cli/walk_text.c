/* walk_text.c: a translation for people, from the registers down to what comes of it. */
#include "sim/cli/walk.h"
#include "sim/explain.h"

#include <inttypes.h>
#include <string.h>

static const char *const access_word[] = {"read", "write", "fetch"};

static int bit(uint64_t word, uint64_t mask)
{
    return (word & mask) != 0;
}

/* ---- before the walk ---- */

static void print_split(const struct walk_view *v)
{
    va_t va = v->look->address;
    printf("  split      ");
    for (unsigned level = mmu_levels(&v->regs); level >= 1; level--)
        printf("%s %u  ", explain_table_name(level), va_index(va, level));
    printf("offset 0x%03" PRIx64 "\n", va & PAGE_MASK);
}

static void print_registers(const struct walk_view *v)
{
    const struct mmu_regs *r = &v->regs;
    printf("  registers  CR3 0x%" PRIx64 " (root 0x%" PRIx64 ", PCID %u)  CPL %u  EFLAGS.AC %d\n",
           r->cr3, r->cr3 & PTE_FRAME, mmu_pcid(r), r->cpl, r->ac);
    printf(
        "             CR0.WP %d  CR4.PGE %d PCIDE %d SMEP %d SMAP %d PKE %d CET %d PKS %d LA57 %d"
        "  EFER.NXE %d\n",
        bit(r->cr0, CR0_WP), bit(r->cr4, CR4_PGE), bit(r->cr4, CR4_PCIDE), bit(r->cr4, CR4_SMEP),
        bit(r->cr4, CR4_SMAP), bit(r->cr4, CR4_PKE), bit(r->cr4, CR4_CET), bit(r->cr4, CR4_PKS),
        bit(r->cr4, CR4_LA57), bit(r->efer, EFER_NXE));
    printf("             PKRU 0x%08" PRIx32 "  IA32_PKRS 0x%08" PRIx32 "  IA32_PAT 0x%016" PRIx64
           "  MAXPHYADDR %u\n",
           r->pkru, r->pkrs, r->pat, r->maxphyaddr);
    if (r->eptp)
        printf("             a guest: EPTP 0x%" PRIx64 " (root 0x%" PRIx64
               ", A and D %s)  VPID %u\n",
               r->eptp, r->eptp & EPT_FRAME, r->eptp & EPTP_AD ? "in use" : "not in use", r->vpid);
}

static void print_area(const struct walk_view *v)
{
    struct area_info a;
    char prot[8];
    const struct look *look = v->look;
    if (inspect_area_at(look->session.sim, look->process.pid, look->address, &a))
        printf("  area       0x%" PRIx64 "-0x%" PRIx64 " %s %s\n", a.start, a.end,
               explain_prot(a.prot, prot, sizeof(prot)), a.name);
    else
        printf("  area       none: the kernel would answer a fault with SIGSEGV\n");
}

/* What is asked before the tables are, and what it answers. */
static void print_lookup(const struct event *e)
{
    if (e->kind == EV_tlb_hit)
        printf("  lookup     %s TLB: set %" PRIu64 ", way %" PRIu64 " has the page: frame "
               "0x%" PRIx64 "\n",
               tlb_array_name[e->tlb_hit.level - 1], e->tlb_hit.set, e->tlb_hit.way,
               e->tlb_hit.pfn);
    else if (e->kind == EV_tlb_miss)
        printf("  lookup     %s TLB: set %" PRIu64 " does not have the page\n",
               tlb_array_name[e->tlb_miss.level - 1], e->tlb_miss.set);
    else if (e->kind == EV_psc_hit)
        printf("  lookup     the cache of %ss knows the next table: 0x%" PRIx64 "\n",
               explain_entry_name((unsigned)e->psc_hit.level), e->psc_hit.table);
}

static void print_lookups(const struct walk_view *v)
{
    for (unsigned i = 0; i < v->heard; i++)
        print_lookup(&v->event[i]);
    if (walk_event(v, EV_walk_begin) && !walk_event(v, EV_psc_hit))
        printf("  lookup     no paging-structure cache helps: the walk begins at the root\n");
    if (!v->running)
        printf("  lookup     the process runs on no CPU now: no cache is asked\n");
}

/* ---- entries ---- */

static void print_source(const struct walk_view *v, pa_t pa)
{
    struct walk_source source = walk_source(v, pa);
    if (source.read && source.cache)
        printf("  read: %" PRIu64 " cycles, L%u cache", source.cost, source.cache);
    else if (source.read)
        printf("  read: %" PRIu64 " cycles%s", source.cost, source.caches ? ", memory" : "");
    else if (walk_event(v, EV_walk_begin))
        printf("  not read: a paging-structure cache");
    else if (v->running && walk_event(v, EV_tlb_hit))
        printf("  not read: the TLB");
    printf("\n");
}

static bool names_page(pte_t entry, unsigned level)
{
    return level == 1 || (level <= 3 && entry & PTE_PS);
}

struct bits {
    char text[240];
    size_t used;
};

static void add(struct bits *b, const char *name, uint64_t value)
{
    b->used += (size_t)snprintf(b->text + b->used, sizeof(b->text) - b->used, "%s%s=%" PRIu64,
                                b->used ? " " : "", name, value);
}

static void add_frame(struct bits *b, bool page, pfn_t pfn)
{
    b->used += (size_t)snprintf(b->text + b->used, sizeof(b->text) - b->used, " %s=0x%" PRIx64,
                                page ? "frame" : "table", pfn);
}

/* All 64 bits, from the highest; those without a name in such an entry go by their numbers. */
static void print_bits(pte_t e, unsigned level)
{
    struct bits b = {.used = 0};
    bool page = names_page(e, level), large = page && level > 1;
    pte_t low = large ? level_span(level) - 1 : PAGE_MASK;
    add(&b, "XD", e >> 63);
    add(&b, page ? "key" : "62:59", e >> PTE_PKEY_SHIFT & 15);
    add(&b, "58:52", e >> 52 & 0x7f);
    add_frame(&b, page, (e & PTE_FRAME & ~low) >> PAGE_SHIFT);
    if (large) {
        add(&b, level == 3 ? "29:13" : "20:13", (e & low) >> 13);
        add(&b, "PAT", e >> 12 & 1);
    }
    add(&b, "11:9", e >> 9 & 7);
    add(&b, page ? "G" : "8", e >> 8 & 1);
    add(&b, level == 1 ? "PAT" : level <= 3 ? "PS" : "7", e >> 7 & 1);
    add(&b, page ? "D" : "6", e >> 6 & 1);
    static const char *const names[] = {"P", "R/W", "U/S", "PWT", "PCD", "A"};
    for (unsigned n = 6; n-- > 0;)
        add(&b, names[n], e >> n & 1);
    printf("         ");
    cli_wrap(stdout, b.text, 9, 9);
}

static void print_ept_bits(pte_t e, unsigned level)
{
    struct bits b = {.used = 0};
    bool page = level == 1 || (level <= 3 && e & EPT_PAGE);
    add(&b, "63:52", e >> 52);
    add_frame(&b, page, (e & EPT_FRAME) >> PAGE_SHIFT);
    add(&b, "11:10", e >> 10 & 3);
    add(&b, page ? "D" : "9", e >> 9 & 1);
    add(&b, "A", e >> 8 & 1);
    add(&b, "page", e >> 7 & 1);
    add(&b, "IPAT", e >> 6 & 1);
    add(&b, "type", e >> EPT_TYPE_SHIFT & 7);
    add(&b, "X", e >> 2 & 1);
    add(&b, "W", e >> 1 & 1);
    add(&b, "R", e & 1);
    printf("            %s\n", b.text);
}

static void print_ept(const struct walk_view *v, const struct ept_walk *ept)
{
    printf("     guest-physical 0x%" PRIx64 ":\n", ept->gpa);
    for (unsigned i = 0; i < ept->steps; i++) {
        const struct ept_step *step = &ept->step[i];
        printf("       EPT %-5s [%3u] at 0x%012" PRIx64 " = %016" PRIx64,
               explain_entry_name(step->level), step->index, step->pa, step->entry);
        print_source(v, step->pa);
        print_ept_bits(step->entry, step->level);
    }
    if (ept->exit)
        printf("       %s\n", ept->exit == EXIT_EPT_VIOLATION
                                  ? "is not mapped: EPT violation"
                                  : "is malformed: EPT misconfiguration");
    else
        printf("       is physical 0x%" PRIx64 "\n", ept->pa);
}

static void print_step(const struct walk_view *v, const struct walk_step *step)
{
    printf("  %-6s [%3u] at 0x%012" PRIx64 " = %016" PRIx64, explain_entry_name(step->level),
           step->index, step->pa, step->entry);
    print_source(v, step->pa);
    print_bits(step->entry, step->level);
}

static void print_entries(const struct walk_view *v)
{
    const struct walk *walk = &v->walk;
    printf("\n");
    for (unsigned i = 0; i < walk->steps; i++) {
        if (v->regs.eptp)
            print_ept(v, &walk->ept[i]);
        print_step(v, &walk->step[i]);
    }
    if (v->regs.eptp && (walk->present || walk->exit.reason))
        print_ept(v, &walk->ept[walk->steps]);
    if (walk->reserved)
        printf("         a bit that is reserved is set: the walk ends here\n");
    else if (!walk->present && !walk->exit.reason)
        printf("         not present: the walk ends here, all other bits mean nothing\n");
}

static void print_rules(const struct walk_view *v)
{
    struct walk_rule rules[WALK_RULES];
    size_t n = walk_rules(v, rules);
    printf("%s", n ? "\n" : "");
    for (size_t i = 0; i < n; i++) {
        const struct walk_rule *r = &rules[i];
        const char *verdict = !r->needed ? "  " : r->fact != r->inverse ? "ok" : "NO";
        printf("  %-16s %s = %s\n", r->name, r->how, r->fact ? "yes" : "no");
        printf("             %s %s\n", verdict, r->why);
    }
}

/* ---- what comes of it ---- */

static void print_exit(const struct vm_exit *exit)
{
    uint64_t q = exit->qualification;
    if (exit->reason == EXIT_EPT_MISCONFIG) {
        printf("  result     VM exit 49, EPT misconfiguration, guest-physical 0x%" PRIx64 "\n",
               exit->gpa);
        return;
    }
    printf("  result     VM exit 48, EPT violation, guest-physical 0x%" PRIx64
           ", exit qualification 0x%" PRIx64 ":\n             read %d, write %d, fetch %d; the EPT "
           "gives R %d W %d X %d; %s\n",
           exit->gpa, q, bit(q, EXIT_READ), bit(q, EXIT_WRITE), bit(q, EXIT_FETCH),
           bit(q >> EXIT_RIGHTS_SHIFT, EPT_R), bit(q >> EXIT_RIGHTS_SHIFT, EPT_W),
           bit(q >> EXIT_RIGHTS_SHIFT, EPT_X),
           q & EXIT_FINAL ? "for the page itself" : "for an entry of the guest's tables");
}

static void print_fault(const struct walk_view *v)
{
    char text[400];
    if (v->vector != VECTOR_PF) {
        unsigned top = mmu_levels(&v->regs) == 5 ? 56 : 47;
        printf("  result     #GP: bits 63 to %u are not all the same, so the address is not "
               "canonical\n",
               top);
        return;
    }
    printf("  result     #PF, CR2 0x%" PRIx64 ", error code 0x%" PRIx32 ": a %s\n             ",
           v->look->address, v->error, access_word[v->look->how]);
    cli_wrap(stdout, walk_error_bits(v->error, text), 13, 13);
}

static void print_mark(const struct ev_entry_mark *mark)
{
    pte_t now = mark->after & ~mark->before;
    printf("  sets       %s in the %s at 0x%" PRIx64 "\n",
           now == (PTE_A | PTE_D) ? "A and D"
           : now == PTE_A         ? "A"
                                  : "D",
           explain_entry_name((unsigned)mark->level), mark->pa);
}

static void print_fills(const struct walk_view *v)
{
    for (unsigned i = 0; i < v->heard; i++) {
        const struct event *e = &v->event[i];
        char flags[8];
        if (e->kind == EV_tlb_fill)
            printf("  TLB entry  %s, set %" PRIu64 ", way %" PRIu64 ": page 0x%" PRIx64
                   " is frame 0x%" PRIx64 ", rights %s, key %u, PCID %" PRIu64 "%s\n",
                   tlb_array_name[e->tlb_fill.level - 1], e->tlb_fill.set, e->tlb_fill.way,
                   e->tlb_fill.vpn, e->tlb_fill.pfn, look_flags((uint32_t)e->tlb_fill.flags, flags),
                   (unsigned)(e->tlb_fill.flags >> TLB_KEY_SHIFT & 15), e->tlb_fill.pcid,
                   e->tlb_fill.evicts ? " (another is thrown out)" : "");
        else if (e->kind == EV_entry_mark)
            print_mark(&e->entry_mark);
    }
}

static void print_cost(const struct walk_view *v)
{
    cycles_t walk = 0;
    unsigned reads = 0;
    for (unsigned i = 0; i < v->heard; i++) {
        const struct event *e = &v->event[i];
        if (e->kind != EV_walk_read && e->kind != EV_ept_read)
            continue;
        walk += e->kind == EV_walk_read ? e->walk_read.cost : e->ept_read.cost;
        reads++;
    }
    printf("  cost       %" PRIu64 " cycles: %u entr%s read for %" PRIu64 ", %" PRIu64
           " for the TLBs and the data\n",
           v->tried.cycles, reads, reads == 1 ? "y" : "ies", walk, v->tried.cycles - walk);
}

static void print_translation(const struct walk_view *v)
{
    char pa[24], size[32], flags[8];
    const struct translation *to = &v->walk.to;
    printf("  result     a %s is allowed: physical %s, page of %s\n             rights %s, memory "
           "type %s\n",
           access_word[v->look->how], look_address(to->pa, pa), cli_bytes(to->page_size, size),
           look_flags(to->flags, flags), walk_memory_type(mmu_memory_type(&v->regs, to->flags)));
    if (v->regs.eptp)
        printf("             guest-physical 0x%" PRIx64 "\n", v->walk.gpa);
}

/* A TLB may know a translation that the tables do not have any more. */
static void print_stale(const struct walk_view *v)
{
    bool tables = v->allowed && !(v->regs.eptp && v->walk.ept[v->walk.steps].exit);
    if (v->running && v->tried.done != tables)
        printf("  stale      the machine does otherwise now: its TLB holds what the tables do not "
               "say\n");
}

static void print_result(const struct walk_view *v)
{
    const struct vm_exit *exit = v->tried.done ? &v->walk.exit : &v->tried.fault.exit;
    printf("\n");
    if (exit->reason)
        print_exit(exit);
    else if (v->allowed)
        print_translation(v);
    else
        print_fault(v);
    if (!exit->reason)
        print_stale(v);
    print_fills(v);
    if (v->running)
        print_cost(v);
}

int walk_print(const struct walk_view *v)
{
    char va[24];
    char what[64];
    snprintf(what, sizeof(what), "Walk of %s", look_address(v->look->address, va));
    look_title(v->look, what);
    print_split(v);
    print_registers(v);
    print_area(v);
    print_lookups(v);
    if (v->walk.canonical) {
        print_entries(v);
        print_rules(v);
    }
    print_result(v);
    return STATUS_OK;
}
