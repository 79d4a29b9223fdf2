/* mmu.c: an access from its first byte to its data: TLBs, paging-structure caches, walk, faults.
 *
 * This is the plain path, which tells every event and is meant to be read. front.c does the same
 * to the counters and to the TLBs, faster, where nobody listens.
 */
#include "mmu/mmu.h"

#include "mmu/levels.h"
#include "mmu/nested.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

#define TLB_ENTRIES_MAX (1u << 20)
#define CACHE_LINES_MAX (1u << 24)

/* ---- life ---- */

const char *const tlb_array_name[TLB_ARRAYS] = {"L1",    "L2",    "L1I",    "L2I",
                                                "L1 2M", "L2 2M", "L1I 2M", "L2I 2M",
                                                "L1 1G", "L2 1G", "L1I 1G", "L2I 1G"};
const char *const tlb_inclusion_name[INCLUSIONS] = {"nine", "inclusive", "exclusive"};

struct problem {
    const char *field, *reason;
};

static const char *const array_field[TLB_ARRAYS] = {
    "tlb.l1d",    "tlb.l2",     "tlb.l1i",    "tlb.l2i",   "tlb.l1d.2m", "tlb.l2.2m",
    "tlb.l1i.2m", "tlb.l2i.2m", "tlb.l1d.1g", "tlb.l2.1g", "tlb.l1i.1g", "tlb.l2i.1g"};

/* A further array has the policy of its level. */
static struct tlb_config array_config(const struct mmu_config *c, unsigned array)
{
    struct tlb_config config = c->tlb[array];
    config.repl = c->tlb[array % TLB_LEVELS].repl;
    config.hit_cycles = c->tlb[array % TLB_LEVELS].hit_cycles;
    return config;
}

static const char *tlb_problem(const struct tlb_config *c)
{
    if (c->sets > 65536)
        return "at most 65536 sets";
    if (c->ways < 1 || c->ways > 1024)
        return "1 to 1024 ways";
    if ((uint64_t)c->sets * c->ways > TLB_ENTRIES_MAX)
        return "sets times ways is more than 1048576";
    if (c->repl >= REPL_POLICIES)
        return "no such replacement policy";
    if (repl_for((enum repl_policy)c->repl, c->ways)->way_count_pow2 &&
        (!is_pow2(c->ways) || c->ways > 64))
        return "plru needs a power of two of ways, at most 64";
    return NULL;
}

static const char *cache_problem(const struct cache_config *c)
{
    if ((uint64_t)c->sets * c->ways > CACHE_LINES_MAX)
        return "sets times ways is more than 16777216";
    if (c->ways < 1 || c->ways > 1024)
        return "1 to 1024 ways";
    if (c->repl >= REPL_POLICIES)
        return "no such replacement policy";
    if (repl_for((enum repl_policy)c->repl, c->ways)->way_count_pow2 &&
        (!is_pow2(c->ways) || c->ways > 64))
        return "plru needs a power of two of ways, at most 64";
    return NULL;
}

static struct problem caches_problem(const struct mmu_config *c)
{
    static const char *const name[CACHE_LEVELS] = {"cache.l1", "cache.l2", "cache.l3"};
    if (!c->cache[0].sets && (c->cache[1].sets || c->cache[2].sets))
        return (struct problem){"cache.l1.sets", "outer levels need the first one"};
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        const char *reason = c->cache[level].sets ? cache_problem(&c->cache[level]) : NULL;
        if (reason)
            return (struct problem){name[level], reason};
    }
    if (c->cache[0].sets && (!is_pow2(c->cache_line) || c->cache_line < 8 || c->cache_line > 4096))
        return (struct problem){"cache.line", "a power of two from 8 to 4096"};
    return (struct problem){NULL, NULL};
}

static struct problem extras_problem(const struct mmu_config *c)
{
    if (c->prefetch >= PREFETCH_KINDS)
        return (struct problem){"tlb.prefetch", "no such prefetcher"};
    if (c->prefetch != PREFETCH_OFF && (c->prefetch_entries < 1 || c->prefetch_entries > 1024))
        return (struct problem){"tlb.prefetch_entries", "1 to 1024 entries"};
    if (c->walk_window > WINDOW_MAX)
        return (struct problem){"walk.window", "at most 256 accesses"};
    if (c->walk_window && (c->walkers < 1 || c->walkers > WALKERS_MAX))
        return (struct problem){"walk.walkers", "1 to 16"};
    return caches_problem(c);
}

static struct problem arrays_problem(const struct mmu_config *c)
{
    if (c->tlb[TLB_L1D].sets < 1)
        return (struct problem){"tlb.l1d.sets", "at least 1 set"};
    for (unsigned array = 0; array < TLB_ARRAYS; array++) {
        struct tlb_config config = array_config(c, array);
        const char *reason = config.sets ? tlb_problem(&config) : NULL;
        if (!reason && config.sets && !c->tlb[array % TLB_LEVELS].sets)
            reason = "there is no such level";
        if (reason)
            return (struct problem){array_field[array], reason};
    }
    if (c->tlb[TLB_L2I].sets && !(c->tlb[TLB_L1I].sets && c->tlb[TLB_L2].sets))
        return (struct problem){"tlb.l2i", "needs tlb.l1i and tlb.l2 beside it"};
    if (c->coalesce > COALESCE_MAX || (c->coalesce && !is_pow2(c->coalesce)))
        return (struct problem){"tlb.coalesce", "1, 2, 4 or 8 pages"};
    return (struct problem){NULL, NULL};
}

static uint64_t largest_of(const struct mmu_config *c, unsigned level)
{
    return c->largest[level] ? c->largest[level] : GIB;
}

static struct problem largest_problem(const struct mmu_config *c)
{
    static const char *const field[TLB_LEVELS] = {"tlb.l1d.largest", "tlb.l2.largest",
                                                  "tlb.l1i.largest", "tlb.l2i.largest"};
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        uint64_t largest = largest_of(c, level);
        if (largest != 4 * KIB && largest != 2 * MIB && largest != GIB)
            return (struct problem){field[level], "the largest page is 4K, 2M or 1G"};
    }
    return (struct problem){NULL, NULL};
}

/* An inclusive second level must be able to hold what the first holds; an exclusive one gets the
 * first one's entries as they are, and gives them back to either side. */
static struct problem inclusion_problem(const struct mmu_config *c)
{
    if (c->inclusion == INCLUSION_NINE)
        return (struct problem){NULL, NULL};
    if (c->inclusion >= INCLUSIONS || !c->tlb[TLB_L2].sets)
        return (struct problem){"tlb.l2.inclusion", "needs a second level"};
    bool exclusive = c->inclusion == INCLUSION_EXCLUSIVE;
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        bool second = level == TLB_L2I;
        unsigned beside = level == TLB_L1I && c->tlb[TLB_L2I].sets ? TLB_L2I : TLB_L2;
        if (!c->tlb[level].sets || level == TLB_L2 || (second && !exclusive))
            continue;
        if (exclusive && largest_of(c, level) != largest_of(c, TLB_L2))
            return (struct problem){"tlb.l2.inclusion", "exclusive needs one largest page for all"};
        if (largest_of(c, level) > largest_of(c, beside))
            return (struct problem){"tlb.l2.inclusion",
                                    "inclusive needs a second level that holds all page sizes"};
    }
    return (struct problem){NULL, NULL};
}

static struct problem psc_problem(const struct mmu_config *c)
{
    static const char *const psc[] = {"psc",       "psc",       "psc.pde",
                                      "psc.pdpte", "psc.pml4e", "psc.pml5e"};
    for (unsigned level = 0; level <= LEVELS_MAX; level++) {
        uint32_t entries = c->psc_entries[level], ways = c->psc_ways[level];
        if (entries > (level >= 2 ? 1024u : 0u))
            return (struct problem){psc[level], "at most 1024 entries, and only from PDEs up"};
        if (entries && ways && entries % ways)
            return (struct problem){psc[level], "the entries must fill whole sets of ways"};
    }
    return (struct problem){NULL, NULL};
}

static struct problem config_problem(const struct mmu_config *c)
{
    static struct problem (*const checks[])(const struct mmu_config *) = {
        arrays_problem, largest_problem, inclusion_problem, psc_problem};
    for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
        struct problem p = checks[i](c);
        if (p.reason)
            return p;
    }
    if (c->maxphyaddr < 36 || c->maxphyaddr > 52)
        return (struct problem){"maxphyaddr", "36 to 52 bits"};
    return extras_problem(c);
}

bool mmu_config_check(const struct mmu_config *c, const char **field, const char **reason)
{
    struct problem p = config_problem(c);
    *field = p.field;
    *reason = p.reason;
    return !p.reason;
}

/* The bound is of one array that is filled by its own misses. */
static bool has_opt(const struct mmu *m, unsigned level)
{
    const struct mmu_config *c = &m->config;
    return c->opt && c->tlb[level].sets && !c->tlb[level + TLB_LEVELS].sets &&
           !c->tlb[level + 2 * TLB_LEVELS].sets && c->coalesce < 2 &&
           c->inclusion != INCLUSION_EXCLUSIVE;
}

static bool opts_init(struct mmu *m)
{
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        if (!has_opt(m, level))
            continue;
        m->opt[level] = opt_new(m->env->arena, &m->tlb[level], m->config.opt_limit);
        if (!m->opt[level])
            return false;
    }
    return true;
}

static bool arrays_init(struct mmu *m)
{
    uint64_t entries[TLB_LEVELS] = {0};
    for (unsigned array = 0; array < TLB_ARRAYS; array++) {
        struct tlb_config *c = &m->config.tlb[array];
        *c = array_config(&m->config, array);
        if (c->sets && !tlb_init(&m->tlb[array], m->env->arena, c))
            return false;
        entries[array % TLB_LEVELS] += (uint64_t)c->sets * c->ways;
    }
    for (unsigned level = 0; level < TLB_LEVELS && m->config.classify; level++) {
        if (!entries[level])
            continue;
        m->classify[level] = classify_new(m->env->arena, entries[level], &m->tlb[level]);
        if (!m->classify[level])
            return false;
    }
    return true;
}

struct mmu *mmu_new(struct env *env, struct ram *ram, const struct mmu_config *config)
{
    struct problem p = config_problem(config);
    CHECK(!p.reason);
    struct mmu *m = arena_alloc(env->arena, sizeof(*m));
    if (!m)
        return NULL;
    m->env = env;
    m->ram = ram;
    m->config = *config;
    m->regs = (struct mmu_regs){.cr0 = CR0_WP,
                                .cr4 = CR4_PAE | CR4_PGE,
                                .efer = EFER_NXE,
                                .pat = PAT_RESET,
                                .maxphyaddr = config->maxphyaddr};
    if (!arrays_init(m) || !opts_init(m) || !psc_init(&m->psc, env->arena, config) ||
        !caches_init(&m->caches, env->arena, config) ||
        !prefetch_init(&m->prefetch, env->arena, config))
        return NULL;
    m->walkers.count = config->walkers;
    m->walkers.window = config->walk_window;
    front_init(m);
    return m;
}

struct mmu_regs *mmu_regs(struct mmu *m)
{
    front_close(m);
    return &m->regs;
}

const struct mmu_regs *mmu_regs_now(const struct mmu *m)
{
    return &m->regs;
}

const struct mmu_counters *mmu_counters(struct mmu *m)
{
    front_settle(m);
    return &m->count;
}

const struct mmu_counters *mmu_counters_rare(const struct mmu *m)
{
    return &m->count;
}

struct hot *mmu_hot(struct mmu *m)
{
    return &m->front.hot;
}

/* ---- faults ---- */

/* Whoever describes a fault ends the access with it. */
static bool raise_fault(struct mmu *m, const struct piece *p, uint32_t vector, uint32_t error,
                        unsigned level, struct mmu_fault *fault)
{
    m->count.faults++;
    *fault = (struct mmu_fault){
        .va = p->va, .vector = vector, .error = error, .level = level, .access = p->how};
    EMIT(m->env, fault, .va = p->va, .vector = vector, .error = error, .level = level);
    return false;
}

/* A page fault also forgets what was cached for the address, so that a kernel that only adds
 * rights need not invalidate. SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure
 * Caches". */
static void forget_address(struct mmu *m, va_t va, struct scope scope)
{
    levels_drop(m, va, &scope);
    psc_drop(&m->psc, m->env, va, &scope);
}

static bool raise_pf(struct mmu *m, const struct piece *p, uint32_t error, unsigned level,
                     struct mmu_fault *fault)
{
    forget_address(m, p->va, scope_vpid(m));
    return raise_fault(m, p, VECTOR_PF, error, level, fault);
}

/* An EPT violation forgets in the same way. SDM vol. 3C, "Operations that Invalidate Cached
 * Mappings". */
static bool leave_guest(struct mmu *m, const struct piece *p, const struct vm_exit *exit,
                        struct mmu_fault *fault)
{
    forget_address(m, p->va, scope_current(m));
    m->count.vm_exits++;
    mmu_charge(m, &m->count.cycles_exit, m->config.exit_cycles);
    *fault = (struct mmu_fault){.va = p->va, .access = p->how, .exit = *exit};
    EMIT(m->env, vm_exit, .reason = exit->reason, .qualification = exit->qualification,
         .gpa = exit->gpa, .va = p->va);
    return false;
}

/* ---- the walk ---- */

/* What the walker's read of an entry costs, or its mark there. */
static cycles_t entry_cycles(struct mmu *m, pa_t pa, bool write)
{
    if (!m->caches.on)
        return write ? 0 : m->config.walk_read_cycles;
    return caches_access(&m->caches, m->env, &m->count.cache, pa, sizeof(pte_t), write, true);
}

/* Time that a walk takes: waited for at once, or when it must be. */
static void walk_charge(struct mmu *m, cycles_t cycles)
{
    if (walkers_overlap(&m->walkers))
        m->walk_cycles += cycles;
    else
        mmu_charge(m, &m->count.cycles_walk, cycles);
}

/* The walk of the access under way has its length now. A fault waits for it, and for all others. */
static void walk_timed(struct mmu *m, bool fault)
{
    if (!walkers_overlap(&m->walkers))
        return;
    m->count.cycles_walks_all += m->walk_cycles;
    m->count.walker_waits +=
        walkers_walk(&m->walkers, m->count.accesses, m->env->cycle, m->walk_cycles);
    m->walk_cycles = 0;
    if (fault)
        mmu_charge(m, &m->count.cycles_walk, walkers_drain(&m->walkers, m->env->cycle));
}

static void ept_tell(struct mmu *m, const struct ept_walk *e)
{
    for (unsigned i = 0; i < e->steps; i++) {
        cycles_t cost = entry_cycles(m, e->step[i].pa, false);
        m->count.ept_reads++;
        walk_charge(m, cost);
        EMIT(m->env, ept_read, .gpa = e->gpa, .level = e->step[i].level, .pa = e->step[i].pa,
             .index = e->step[i].index, .entry = e->step[i].entry, .cost = cost);
    }
}

/* final: the page's own guest-physical address was looked up, because the guest allows the access.
 */
static void walk_tell(struct mmu *m, const struct walk *w, pa_t table, bool final)
{
    EMIT(m->env, walk_begin, .va = w->va, .root = table);
    unsigned epts = !m->regs.eptp ? 0 : w->steps + (w->exit.reason || final);
    for (unsigned i = 0; i < max_u64(w->steps, epts); i++) {
        const struct walk_step *step = &w->step[i];
        if (i < epts)
            ept_tell(m, &w->ept[i]);
        if (i == w->steps)
            break;
        cycles_t cost = entry_cycles(m, step->pa, false);
        m->count.walk_reads++;
        walk_charge(m, cost);
        EMIT(m->env, walk_read, .level = step->level, .pa = step->pa, .index = step->index,
             .entry = step->entry, .cost = cost);
    }
}

static void charge_marks(struct mmu *m, const struct walk *w)
{
    for (unsigned i = 0; i < w->steps; i++)
        if (w->step[i].marked)
            walk_charge(m, entry_cycles(m, w->step[i].pa, true));
    for (unsigned i = 0; m->regs.eptp && i <= w->steps; i++)
        for (unsigned s = 0; s < w->ept[i].steps; s++)
            if (w->ept[i].step[s].marked)
                walk_charge(m, entry_cycles(m, w->ept[i].step[s].pa, true));
}

static void walk_done(struct mmu *m, struct walk *w, enum access how)
{
    walk_commit(m->ram, m->env, w, how);
    if (m->regs.eptp)
        nested_commit(m->ram, m->env, &m->regs, w, how);
    m->count.ad_writes += w->marked;
    if (w->marked)
        charge_marks(m, w);
    psc_fill(&m->psc, m->env, w, mmu_space(m));
    EMIT(m->env, walk_end, .va = w->va, .pfn = w->to.pa >> PAGE_SHIFT, .size = w->to.page_size,
         .flags = w->to.flags, .reads = w->steps);
}

/* Do the entries around that of the page map neighbours, in all else alike, so that one TLB entry
 * can hold them? They lie in one line of a data cache, so hardware sees them for nothing. NOTE: A
 * and D must be the same too; what vendors' processors ask for is not told in full. A guest's
 * neighbours need not be neighbours in the machine, so there none are looked for. */
static bool in_run(const struct mmu *m, const struct walk *w)
{
    const struct walk_step *leaf = &w->step[w->steps - 1];
    unsigned pages = m->config.coalesce;
    if (pages < 2 || leaf->level != 1 || m->regs.eptp)
        return false;
    pa_t first = align_down(leaf->pa, 8 * (pa_t)pages);
    pte_t want = leaf->entry - ((leaf->pa - first) / 8 << PAGE_SHIFT);
    if ((want & PTE_FRAME) % (pages * PAGE_SIZE))
        return false;
    for (unsigned i = 0; i < pages; i++)
        if (ram_read64(m->ram, first + 8 * (pa_t)i) != want + ((pte_t)i << PAGE_SHIFT))
            return false;
    return true;
}

/* What goes into the TLBs: the page's first frame. */
static uint64_t walk_data(const struct mmu *m, const struct walk *w)
{
    uint32_t flags = w->to.flags | (in_run(m, w) ? TLB_RUN : 0);
    return data_make(align_down(w->to.pa, w->to.page_size) >> PAGE_SHIFT, flags);
}

static bool walk_page(struct mmu *m, const struct piece *p, uint64_t *data, struct mmu_fault *fault)
{
    struct walk w;
    w.marked = 0;
    struct walk_start start = walk_root(&m->regs);
    if (m->psc.any) {
        m->count.psc_lookups++;
        m->count.psc_hits += psc_find(&m->psc, m->env, p->va, mmu_space(m), &start);
    }
    m->count.walks++;
    walk_read_from(m->ram, &m->regs, p->va, &start, &w);
    uint32_t error;
    struct vm_exit exit;
    bool allowed = walk_judge(&w, &m->regs, p->how, &error);
    walk_tell(m, &w, start.table, allowed);
    if (!allowed && !w.exit.reason) {
        walk_timed(m, true);
        return raise_pf(m, p, error, w.step[w.steps - 1].level, fault);
    }
    if (m->regs.eptp && !nested_judge(&w, &m->regs, p->how, &exit)) {
        walk_timed(m, true);
        return leave_guest(m, p, &exit, fault);
    }
    walk_done(m, &w, p->how);
    walk_timed(m, false);
    *data = walk_data(m, &w);
    return true;
}

/* ---- translation ---- */

/* A write through an entry whose dirty flag is clear: the walker goes to the tables again to set D
 * there (in a guest also to ask the EPT for a right that the entry does not tell of). What it finds
 * is what counts from then on, also where the entry was stale. */
static bool dirty_walk(struct mmu *m, const struct piece *p, uint64_t *data,
                       struct mmu_fault *fault)
{
    uint64_t fresh;
    m->count.dirty_walks++;
    if (!walk_page(m, p, &fresh, fault))
        return false;
    bool stale = (*data | TLB_DIRTY) != fresh;
    *data = fresh;
    if (!stale) {
        levels_dirty(m, p->va, fresh);
        return true;
    }
    struct scope current = scope_current(m);
    levels_drop(m, p->va, &current);
    levels_fill(m, p->va, p->how, fresh);
    return true;
}

/* Rights are judged by the entry alone, stale or not, as hardware may. */
static bool cached_judge(struct mmu *m, const struct piece *p, uint64_t *data,
                         struct mmu_fault *fault)
{
    uint32_t flags = data_flags(*data);
    uint32_t error;
    if (!rights_judge(&m->regs, p->how, flags, &error))
        return raise_pf(m, p, error, flags_size(flags), fault);
    if (walk_needed(&m->regs, p->how, flags))
        return dirty_walk(m, p, data, fault);
    return true;
}

static void access_count(struct mmu *m, const struct piece *p)
{
    m->count.accesses++;
    mmu_charge(m, &m->count.cycles_walk,
               walkers_begin(&m->walkers, m->count.accesses, m->env->cycle));
    m->count.loads += p->how == ACCESS_READ;
    m->count.stores += p->how == ACCESS_WRITE;
    m->count.fetches += p->how == ACCESS_FETCH;
    EMIT(m->env, access, .va = p->va, .length = p->length, .how = (ev_enum)p->how,
         .user = mmu_user(&m->regs));
}

static bool translate_data(struct mmu *m, const struct piece *p, uint64_t *data,
                           struct mmu_fault *fault)
{
    if (!va_canonical(p->va, mmu_levels(&m->regs)))
        return raise_fault(m, p, canonical_vector(&m->regs), 0, 0, fault);
    if (levels_lookup(m, p->va, p->how, data))
        return cached_judge(m, p, data, fault);
    *data = prefetch_take(m, p->va, p->how);
    if (!*data && !walk_page(m, p, data, fault))
        return false;
    levels_fill(m, p->va, p->how, *data);
    prefetch_next(m, p->va);
    return true;
}

bool mmu_translate(struct mmu *m, const struct piece *p, pa_t *pa, struct mmu_fault *fault)
{
    uint64_t data = 0;
    guests_enter(m);
    access_count(m, p);
    if (!translate_data(m, p, &data, fault))
        return false;
    uint64_t inside = ((uint64_t)1 << size_shift(flags_size(data_flags(data)))) - 1;
    *pa = (data & PTE_FRAME) | (p->va & inside);
    return true;
}

void mmu_data(struct mmu *m, const struct piece *p, pa_t pa)
{
    m->count.bytes += p->length;
    cycles_t cost = m->config.data_cycles;
    if (m->caches.on)
        cost = caches_access(&m->caches, m->env, &m->count.cache, pa, p->length,
                             p->how == ACCESS_WRITE, false);
    mmu_charge(m, &m->count.cycles_data, cost);
    EMIT(m->env, data, .va = p->va, .pa = pa, .length = p->length, .how = (ev_enum)p->how);
}

/* ---- an access ---- */

static void copy(struct mmu *m, const struct piece *p, pa_t pa, uint8_t *buf)
{
    if (buf && p->how == ACCESS_WRITE)
        ram_write(m->ram, pa, buf, p->length);
    else if (buf)
        ram_read(m->ram, pa, buf, p->length);
    mmu_data(m, p, pa);
}

/* Up to one page, so it lies in one or two of them; both are translated before a byte moves. All
 * addresses are looked at before any is translated: #GP comes before #PF. */
static bool access_short(struct mmu *m, va_t va, uint8_t *buf, size_t n, enum access how,
                         struct mmu_fault *fault)
{
    size_t first = (size_t)min_u64(n, PAGE_SIZE - (va & PAGE_MASK));
    struct piece piece[2] = {{va, first, how}, {va + first, n - first, how}};
    unsigned pieces = first < n ? 2 : 1;
    pa_t pa[2];
    if (pieces == 2 && !va_canonical(piece[1].va, mmu_levels(&m->regs)))
        return raise_fault(m, &piece[1], canonical_vector(&m->regs), 0, 0, fault);
    for (unsigned i = 0; i < pieces; i++)
        if (!mmu_translate(m, &piece[i], &pa[i], fault))
            return false;
    for (unsigned i = 0; i < pieces; i++)
        copy(m, &piece[i], pa[i], buf && i ? buf + first : buf);
    return true;
}

static bool access_plain(struct mmu *m, va_t va, void *buf, size_t n, enum access how,
                         struct mmu_fault *fault)
{
    uint8_t *bytes = buf;
    while (n > PAGE_SIZE) {
        size_t part = (size_t)(PAGE_SIZE - (va & PAGE_MASK));
        if (!access_short(m, va, bytes, part, how, fault))
            return false;
        va += part;
        n -= part;
        bytes = bytes ? bytes + part : NULL;
    }
    return access_short(m, va, bytes, n, how, fault);
}

/* Host speed only, so never while somebody listens; and what depends on the time of each access is
 * the plain path's. */
static bool front_on(const struct mmu *m)
{
    return m->config.front_cache && !m->env->bus->on && !mmu_in_guest(&m->regs) &&
           !walkers_overlap(&m->walkers);
}

bool mmu_access(struct mmu *m, va_t va, void *buf, size_t n, enum access how,
                struct mmu_fault *fault)
{
    CHECK(n > 0);
    if (n <= PAGE_SIZE - (va & PAGE_MASK) && front_on(m) && front_access(m, va, buf, n, how))
        return true;
    bool done = access_plain(m, va, buf, n, how, fault);
    front_passed(m, va, n);
    return done;
}

size_t mmu_touch(struct mmu *m, const va_t *va, size_t n, enum access how, struct mmu_fault *fault)
{
    front_close(m);
    for (size_t i = 0; i < n; i++) {
        if (front_on(m))
            i += front_touch(m, va + i, n - i, how);
        if (i < n && !access_short(m, va[i], NULL, 1, how, fault))
            return i;
    }
    return n;
}

bool mmu_probe(const struct mmu *m, va_t va, struct translation *to)
{
    struct walk w;
    walk_read(m->ram, &m->regs, va, &w);
    if (w.present)
        *to = w.to;
    return w.present;
}

void mmu_forget_host(struct mmu *m)
{
    front_forget(m);
}

/* ---- inspection ---- */

/* Lookups that ended in a fault were not filled by any policy. */
bool mmu_opt_misses(const struct mmu *m, unsigned level, uint64_t *misses)
{
    CHECK(level < TLB_LEVELS);
    const struct tlb_counters *count = &m->count.tlb[level];
    *misses = 0;
    if (!m->opt[level] || !opt_misses(m->opt[level], misses))
        return false;
    *misses += count->misses - min_u64(count->misses, count->fills);
    return true;
}

const struct cache_config *mmu_cache_config(const struct mmu *m, unsigned level)
{
    CHECK(level < CACHE_LEVELS);
    return &m->config.cache[level];
}

void mmu_cache_line(const struct mmu *m, unsigned level, uint32_t set, uint32_t way,
                    struct cache_line *line)
{
    CHECK(level < CACHE_LEVELS && m->caches.on);
    caches_line(&m->caches, level, set, way, line);
}

const struct tlb_config *mmu_tlb_config(const struct mmu *m, unsigned array)
{
    CHECK(array < TLB_ARRAYS);
    return &m->config.tlb[array];
}

void mmu_tlb_line(const struct mmu *m, unsigned array, uint32_t set, uint32_t way,
                  struct tlb_line *line)
{
    CHECK(array < TLB_ARRAYS);
    const struct tlb *t = &m->tlb[array];
    CHECK(set < t->config.sets && way < t->config.ways);
    size_t slot = tlb_slot(t, set, way);
    uint64_t key = t->entry[slot].key;
    *line = (struct tlb_line){.valid = key != 0,
                              .rank = t->ops->rank(tlb_state(t, set), t->config.ways, way)};
    if (!key)
        return;
    line->vpn = key_vpn(key);
    line->pfn = data_pfn(t->entry[slot].data);
    line->page_size = (uint64_t)1 << size_shift(key_size(key));
    line->flags = data_flags(t->entry[slot].data);
    line->pcid = key_pcid(key);
}

uint32_t mmu_psc_entries(const struct mmu *m, unsigned level)
{
    CHECK(level <= LEVELS_MAX);
    return m->config.psc_entries[level];
}

void mmu_psc_line(const struct mmu *m, unsigned level, uint32_t slot, struct psc_line *line)
{
    CHECK(slot < mmu_psc_entries(m, level));
    const struct tlb *t = &m->psc.level[level];
    slot = slot / t->config.ways * t->stride + slot % t->config.ways;
    *line = (struct psc_line){.valid = t->entry[slot].key != 0};
    if (!line->valid)
        return;
    line->va = psc_va(t->entry[slot].key, level);
    line->pcid = key_pcid(t->entry[slot].key);
    line->table = t->entry[slot].data & ~PAGE_MASK;
}
