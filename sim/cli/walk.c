/* walk.c: 'memwalk walk': one translation in full: what is looked up, read, added up and found.
 *
 * Two things are shown side by side. The walk from the root is read from the tables and leaves no
 * trace. What the machine would do at this moment, with what its caches hold, it is asked by
 * sim_try: that gives the lookups, which entries are read at all, the cost and the TLB entry.
 */
#include "sim/cli/walk.h"

#include "sim/cli/cli.h"
#include "sim/explain.h"

#include <inttypes.h>
#include <string.h>

/* ---- the view ---- */

static void hear(void *ctx, const struct event *e)
{
    struct walk_view *v = ctx;
    if (v->heard < WALK_HEARD)
        v->event[v->heard++] = *e;
}

const struct event *walk_event(const struct walk_view *v, enum event_kind kind)
{
    for (unsigned i = 0; i < v->heard; i++)
        if (v->event[i].kind == kind)
            return &v->event[i];
    return NULL;
}

/* The data caches tell of a read just before the walker does. */
struct walk_source walk_source(const struct walk_view *v, pa_t pa)
{
    struct walk_source source = {.read = false};
    for (unsigned i = 0; i < v->heard && !source.read; i++) {
        const struct event *e = &v->event[i];
        source.caches = source.caches || e->kind == EV_cache_hit || e->kind == EV_cache_miss;
        if (e->kind == EV_cache_hit)
            source.cache = (unsigned)e->cache_hit.level;
        if (e->kind != EV_walk_read && e->kind != EV_ept_read)
            continue;
        bool ept = e->kind == EV_ept_read;
        source.read = pa == (ept ? e->ept_read.pa : e->walk_read.pa);
        source.cost = ept ? e->ept_read.cost : e->walk_read.cost;
        source.cache = source.read ? source.cache : 0;
    }
    return source;
}

/* The registers of the CPU that runs the process; where none does, those it would get. */
static void take_registers(struct walk_view *v)
{
    const struct sim *s = v->look->session.sim;
    for (unsigned cpu = 0; cpu < inspect_cpus(s) && !v->running; cpu++) {
        v->running = inspect_current(s, cpu) == v->look->process.pid;
        v->cpu = v->running ? cpu : 0;
    }
    inspect_regs(s, v->cpu, &v->regs);
    if (!v->running)
        v->regs.cr3 = v->look->process.root;
    v->regs.cpl = v->look->supervisor ? 0 : 3;
}

static int view_make(struct walk_view *v)
{
    struct look *look = v->look;
    struct sim *s = look->session.sim;
    struct error e = {0};
    take_registers(v);
    inspect_walk_with(s, &v->regs, look->address, &v->walk);
    v->allowed = v->walk.canonical && walk_judge(&v->walk, &v->regs, look->how, &v->error);
    v->vector = v->allowed || v->walk.exit.reason ? 0 : v->walk.canonical ? VECTOR_PF : VECTOR_GP;
    if (!v->running)
        return STATUS_OK;
    struct sim_access access = {look->address, 1, look->how, look->cold};
    struct listener listener = {hear, v};
    return sim_try(s, v->cpu, &v->regs, &access, &listener, &v->tried, &e) ? cli_fail(&e)
                                                                           : STATUS_OK;
}

/* ---- the arithmetic ---- */

/* "PML4E 1 and PDPTE 1 and PTE 0": one bit over all levels. */
static void spell_bit(const struct walk *walk, pte_t bit, bool inverted, char *text, size_t size)
{
    size_t used = 0;
    for (unsigned i = 0; i < walk->steps; i++) {
        bool set = (walk->step[i].entry & bit) != 0;
        int n =
            snprintf(text + used, size - used, "%s%s %d", i ? (inverted ? " or " : " and ") : "",
                     explain_entry_name(walk->step[i].level), set);
        used = min_u64(used + (size_t)n, size - 1);
    }
}

static void user_rule(const struct walk_view *v, struct walk_rule *r)
{
    bool fetch = v->look->how == ACCESS_FETCH;
    r->name = "user page";
    r->fact = v->walk.to.flags & TLB_USER;
    spell_bit(&v->walk, PTE_US, false, r->how, sizeof(r->how));
    if (mmu_user(&v->regs)) {
        r->needed = true;
        r->why = "an access in user mode needs it";
    } else if (fetch) {
        r->needed = r->inverse = v->regs.cr4 & CR4_SMEP;
        r->why = r->needed ? "CR4.SMEP: the kernel must not fetch from one"
                           : "does not matter: CR4.SMEP is 0";
    } else {
        r->needed = r->inverse = v->regs.cr4 & CR4_SMAP && !v->regs.ac;
        r->why = r->needed    ? "CR4.SMAP, AC is 0: the kernel must not touch one"
                 : v->regs.ac ? "does not matter: EFLAGS.AC is 1"
                              : "does not matter: CR4.SMAP is 0";
    }
}

static void write_rule(const struct walk_view *v, struct walk_rule *r)
{
    r->name = "writable";
    r->fact = v->walk.to.flags & TLB_WRITE;
    spell_bit(&v->walk, PTE_RW, false, r->how, sizeof(r->how));
    bool write = v->look->how == ACCESS_WRITE;
    r->needed = write && (mmu_user(&v->regs) || v->regs.cr0 & CR0_WP);
    r->why = !write      ? "does not matter: nothing is written"
             : r->needed ? "a write needs it (user mode, or CR0.WP)"
                         : "does not matter: in supervisor mode without CR0.WP";
}

static void fetch_rule(const struct walk_view *v, struct walk_rule *r)
{
    r->name = "execute-disable";
    r->fact = !(v->walk.to.flags & TLB_EXEC);
    spell_bit(&v->walk, PTE_XD, true, r->how, sizeof(r->how));
    r->needed = r->inverse = v->look->how == ACCESS_FETCH;
    r->why = r->needed ? "a fetch needs it to be 0" : "does not matter: nothing is fetched";
}

static void key_rule(const struct walk_view *v, struct walk_rule *r)
{
    bool user_page = v->walk.to.flags & TLB_USER;
    unsigned key = (v->walk.to.flags & TLB_KEYS) >> TLB_KEY_SHIFT;
    uint32_t bits = (user_page ? v->regs.pkru : v->regs.pkrs) >> 2 * key & 3;
    bool on = v->regs.cr4 & (user_page ? CR4_PKE : CR4_PKS);
    bool user = mmu_user(&v->regs);
    bool write = v->look->how == ACCESS_WRITE && (user || v->regs.cr0 & CR0_WP);
    r->name = "key allows";
    r->fact = !(bits & 1) && !(bits & 2 && write);
    snprintf(r->how, sizeof(r->how), "key %u: access disable %u, write disable %u in %s", key,
             bits & 1, bits >> 1, user_page ? "PKRU" : "IA32_PKRS");
    bool fetch = v->look->how == ACCESS_FETCH;
    r->needed = on && !fetch && (user_page || !user);
    r->why = !on ? (user_page ? "does not matter: CR4.PKE is 0" : "does not matter: CR4.PKS is 0")
             : r->needed ? "a data access needs it"
                         : "does not matter for this access";
}

static void ept_rule(const struct walk_view *v, struct walk_rule *r)
{
    const struct ept_walk *ept = &v->walk.ept[v->walk.steps];
    static const pte_t wanted[] = {EPT_R, EPT_W, EPT_X};
    r->name = "EPT allows";
    r->fact = !ept->exit && ept->rights & wanted[v->look->how];
    snprintf(r->how, sizeof(r->how), "R %d W %d X %d over the EPT's levels",
             (ept->rights & EPT_R) != 0, (ept->rights & EPT_W) != 0, (ept->rights & EPT_X) != 0);
    r->needed = true;
    r->why = "else the access leaves the guest: EPT violation";
}

size_t walk_rules(const struct walk_view *v, struct walk_rule rules[WALK_RULES])
{
    size_t n = 0;
    memset(rules, 0, WALK_RULES * sizeof(rules[0]));
    if (!v->walk.present)
        return 0;
    user_rule(v, &rules[n++]);
    write_rule(v, &rules[n++]);
    fetch_rule(v, &rules[n++]);
    key_rule(v, &rules[n++]);
    if (v->regs.eptp)
        ept_rule(v, &rules[n++]);
    return n;
}

const char *walk_memory_type(enum memory_type type)
{
    static const char *const names[] = {
        [MEMORY_UC] = "UC", [MEMORY_WC] = "WC", [MEMORY_WT] = "WT",
        [MEMORY_WP] = "WP", [MEMORY_WB] = "WB", [MEMORY_UC_MINUS] = "UC-"};
    return type < ARRAY_LEN(names) && names[type] ? names[type] : "reserved";
}

const char *walk_error_bits(uint32_t error, char *text)
{
    static const struct {
        const char *name, *set, *clear;
        uint32_t bit;
    } bits[] = {
        {"P", "the page is present", "an entry is not present", PF_P},
        {"W/R", "a write", "not a write", PF_W},
        {"U/S", "in user mode", "in supervisor mode", PF_U},
        {"RSVD", "a reserved bit is set", "no reserved bit", PF_RSVD},
        {"I/D", "a fetch", "not a fetch", PF_I},
        {"PK", "a protection key forbids it", "no protection key", PF_PK},
        {"SS", "of a shadow stack", "no shadow stack", PF_SS},
        {"SGX", "of an enclave", "no enclave", PF_SGX},
    };
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        used += (size_t)snprintf(text + used, 400 - used, "%s%s=%d %s", i ? ", " : "", bits[i].name,
                                 (error & bits[i].bit) != 0,
                                 error & bits[i].bit ? bits[i].set : bits[i].clear);
    return text;
}

static int print(struct look *look)
{
    static struct walk_view none;
    struct walk_view v = none;
    v.look = look;
    int status = view_make(&v);
    if (status)
        return status;
    return look->options.json ? walk_print_json(&v) : walk_print(&v);
}

int cli_walk(int argc, char **argv)
{
    struct look look = {.wants_address = true};
    return look_run(&look, "memwalk walk",
                    "Translate one virtual address by hand, at any moment of a trace: registers, "
                    "what the caches know, every entry with its bits named, the rights added up "
                    "line by line, the cost, and the TLB entry or the fault that comes of it.",
                    argc, argv, print);
}
