/* mmu.c: an access from its first byte to its data: TLBs, paging-structure caches, walk, faults.
 *
 * This is the plain path, which tells every event and is meant to be read. front.c does the same
 * to the counters and to the TLBs, faster, where nobody listens.
 */
#include "mmu/mmu.h"

#include "mmu/core.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

#define TLB_ENTRIES_MAX (1u << 20)

/* ---- life ---- */

struct problem {
    const char *field, *reason;
};

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

static struct problem config_problem(const struct mmu_config *c)
{
    if (c->tlb[TLB_L1D].sets < 1)
        return (struct problem){"tlb.l1d.sets", "at least 1 set"};
    const char *reason = tlb_problem(&c->tlb[TLB_L1D]);
    if (reason)
        return (struct problem){"tlb.l1d", reason};
    reason = c->tlb[TLB_L2].sets ? tlb_problem(&c->tlb[TLB_L2]) : NULL;
    if (reason)
        return (struct problem){"tlb.l2", reason};
    static const char *const psc[] = {"psc",       "psc",       "psc.pde",
                                      "psc.pdpte", "psc.pml4e", "psc.pml5e"};
    for (unsigned level = 0; level <= LEVELS_MAX; level++)
        if (c->psc_entries[level] > (level >= 2 ? 1024u : 0u))
            return (struct problem){psc[level], "at most 1024 entries, and only from PDEs up"};
    if (c->maxphyaddr < 36 || c->maxphyaddr > 52)
        return (struct problem){"maxphyaddr", "36 to 52 bits"};
    return (struct problem){NULL, NULL};
}

bool mmu_config_check(const struct mmu_config *c, const char **field, const char **reason)
{
    struct problem p = config_problem(c);
    *field = p.field;
    *reason = p.reason;
    return !p.reason;
}

static bool levels_init(struct mmu *m)
{
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct tlb_config *c = &m->config.tlb[level];
        if (!c->sets)
            continue;
        if (!tlb_init(&m->tlb[level], m->env->arena, c))
            return false;
        if (!m->config.classify)
            continue;
        m->classify[level] = classify_new(m->env->arena, (uint64_t)c->sets * c->ways);
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
    if (!levels_init(m) || !psc_init(&m->psc, env->arena, config->psc_entries))
        return NULL;
    return m;
}

struct mmu_regs *mmu_regs(struct mmu *m)
{
    return &m->regs;
}

const struct mmu_counters *mmu_counters(const struct mmu *m)
{
    return &m->count;
}

/* ---- one level of TLB ---- */

/* Where a translation stands in a level. */
struct place {
    uint64_t key;
    uint32_t set, way;
};

/* Large pages are looked for only where the level holds some; of several entries for one address,
 * which only a missing INVLPG can leave, the smallest page wins. */
static bool level_find(const struct mmu *m, unsigned level, va_t va, struct place *at)
{
    const struct tlb *t = &m->tlb[level];
    for (enum size_code size = SIZE_4K; size < SIZE_CODES; size++) {
        if (!t->held[size])
            continue;
        at->key = key_make(va, size);
        at->set = tlb_set(t, at->key);
        int way = tlb_find(t, at->set, at->key);
        at->way = (uint32_t)way;
        if (way != TLB_NONE)
            return true;
    }
    return false;
}

static uint64_t *place_data(struct mmu *m, unsigned level, const struct place *at)
{
    return &m->tlb[level].entry[tlb_slot(&m->tlb[level], at->set, at->way)].data;
}

static void level_hit(struct mmu *m, unsigned level, const struct place *at)
{
    m->count.tlb[level].hits++;
    tlb_hit(&m->tlb[level], at->set, at->way);
    if (m->classify[level])
        classify_use(m->classify[level], at->key);
    mmu_charge(m, &m->count.cycles_tlb, m->config.tlb[level].hit_cycles);
    EMIT(m->env, tlb_hit, .level = level + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key), .pfn = data_pfn(*place_data(m, level, at)));
}

/* The page's size is not known at a miss: set and class are those of a page that the level would
 * hold had it been there, a 4 KiB page unless a larger one is known to have been filled. */
static uint64_t missed_key(const struct mmu *m, unsigned level, va_t va)
{
    const struct classify *c = m->classify[level];
    uint64_t key = key_make(va, SIZE_4K);
    for (enum size_code size = SIZE_2M; c && size < SIZE_CODES; size++)
        if (classify_miss(c, key) == MISS_COLD)
            key = classify_miss(c, key_make(va, size)) == MISS_COLD ? key : key_make(va, size);
    return key;
}

static void level_miss(struct mmu *m, unsigned level, va_t va)
{
    struct tlb_counters *count = &m->count.tlb[level];
    uint64_t key = missed_key(m, level, va);
    enum miss_class class = MISS_CLASSES;
    if (m->classify[level])
        count->by_class[class = classify_miss(m->classify[level], key)]++;
    count->misses++;
    EMIT(m->env, tlb_miss, .level = level + 1, .set = tlb_set(&m->tlb[level], key),
         .vpn = key_vpn(key), .class = class);
}

static bool level_lookup(struct mmu *m, unsigned level, va_t va, uint64_t *data)
{
    struct place at;
    m->count.tlb[level].lookups++;
    if (!level_find(m, level, va, &at)) {
        level_miss(m, level, va);
        return false;
    }
    *data = *place_data(m, level, &at);
    level_hit(m, level, &at);
    return true;
}

static enum size_code flags_size(uint32_t flags)
{
    return flags & TLB_1G ? SIZE_1G : flags & TLB_2M ? SIZE_2M : SIZE_4K;
}

static void level_fill(struct mmu *m, unsigned level, va_t va, uint64_t data)
{
    struct tlb *t = &m->tlb[level];
    uint64_t key = key_make(va, flags_size(data_flags(data)));
    uint32_t set = tlb_set(t, key);
    uint64_t victim;
    uint32_t way = tlb_put(t, &m->env->rng, set, key, data, &victim);
    m->count.tlb[level].fills++;
    m->count.tlb[level].evictions += victim != 0;
    if (m->classify[level])
        classify_use(m->classify[level], key);
    EMIT(m->env, tlb_fill, .level = level + 1, .set = set, .way = way, .vpn = key_vpn(key),
         .pfn = data_pfn(data), .flags = data_flags(data), .victim = victim ? key_vpn(victim) : 0,
         .evicts = victim != 0);
}

static void place_drop(struct mmu *m, unsigned level, const struct place *at)
{
    tlb_remove(&m->tlb[level], at->set, at->way);
    m->count.tlb[level].invalidations++;
    if (m->classify[level])
        classify_drop(m->classify[level], at->key);
    EMIT(m->env, tlb_drop, .level = level + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key));
}

/* Entries of every size that would translate va. */
static void levels_drop(struct mmu *m, va_t va)
{
    struct place at;
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        while (level_find(m, level, va, &at))
            place_drop(m, level, &at);
}

/* ---- faults ---- */

/* Whoever describes a fault ends the access with it. */
static bool raise_fault(struct mmu *m, const struct piece *p, uint32_t vector, uint32_t error,
                        unsigned level, struct mmu_fault *fault)
{
    m->count.faults++;
    *fault = (struct mmu_fault){p->va, vector, error, level, p->how};
    EMIT(m->env, fault, .va = p->va, .vector = vector, .error = error, .level = level);
    return false;
}

/* A page fault also forgets what was cached for the address, so that a kernel that only adds
 * rights need not invalidate. SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure
 * Caches". */
static bool raise_pf(struct mmu *m, const struct piece *p, uint32_t error, unsigned level,
                     struct mmu_fault *fault)
{
    levels_drop(m, p->va);
    psc_drop(&m->psc, m->env, p->va);
    return raise_fault(m, p, VECTOR_PF, error, level, fault);
}

/* ---- the walk ---- */

static void walk_tell(struct mmu *m, const struct walk *w, pa_t table)
{
    EMIT(m->env, walk_begin, .va = w->va, .root = table);
    cycles_t cost = m->config.walk_read_cycles;
    for (unsigned i = 0; i < w->steps; i++) {
        const struct walk_step *step = &w->step[i];
        m->count.walk_reads++;
        mmu_charge(m, &m->count.cycles_walk, cost);
        EMIT(m->env, walk_read, .level = step->level, .pa = step->pa, .index = step->index,
             .entry = step->entry, .cost = cost);
    }
}

static void walk_done(struct mmu *m, struct walk *w, enum access how)
{
    walk_commit(m->ram, m->env, w, how);
    m->count.ad_writes += w->marked;
    psc_fill(&m->psc, m->env, w);
    EMIT(m->env, walk_end, .va = w->va, .pfn = w->to.pa >> PAGE_SHIFT, .size = w->to.page_size,
         .flags = w->to.flags, .reads = w->steps);
}

/* The frame in a TLB entry is the first of its page. */
static uint64_t walk_data(const struct walk *w)
{
    return data_make(align_down(w->to.pa, w->to.page_size) >> PAGE_SHIFT, w->to.flags);
}

static bool walk_page(struct mmu *m, const struct piece *p, uint64_t *data, struct mmu_fault *fault)
{
    struct walk w = {.marked = 0};
    struct walk_start start = walk_root(&m->regs);
    if (m->psc.any) {
        m->count.psc_lookups++;
        m->count.psc_hits += psc_find(&m->psc, m->env, p->va, &start);
    }
    m->count.walks++;
    walk_read_from(m->ram, &m->regs, p->va, &start, &w);
    walk_tell(m, &w, start.table);
    uint32_t error;
    if (!walk_judge(&w, &m->regs, p->how, &error))
        return raise_pf(m, p, error, w.step[w.steps - 1].level, fault);
    walk_done(m, &w, p->how);
    *data = walk_data(&w);
    return true;
}

/* ---- translation ---- */

static void dirty_set(struct mmu *m, unsigned level, va_t va, uint64_t data)
{
    struct place at;
    if (!level_find(m, level, va, &at))
        return;
    uint64_t *entry = place_data(m, level, &at);
    if (*entry == data)
        return;
    *entry = data;
    EMIT(m->env, tlb_dirty, .level = level + 1, .set = at.set, .way = at.way,
         .vpn = key_vpn(at.key));
}

/* A write through an entry whose dirty flag is clear: the walker goes to the tables again to set D
 * there. What it finds is what counts from then on, also where the entry was stale. */
static bool dirty_walk(struct mmu *m, const struct piece *p, uint64_t *data,
                       struct mmu_fault *fault)
{
    uint64_t fresh;
    m->count.dirty_walks++;
    if (!walk_page(m, p, &fresh, fault))
        return false;
    bool stale = (*data | TLB_DIRTY) != fresh;
    *data = fresh;
    if (stale)
        levels_drop(m, p->va);
    for (unsigned level = TLB_LEVELS; level-- > 0;) {
        if (stale && mmu_has_level(m, level))
            level_fill(m, level, p->va, fresh);
        else
            dirty_set(m, level, p->va, fresh);
    }
    return true;
}

/* From either level of TLB; a hit in the second fills the first. */
static bool lookup(struct mmu *m, va_t va, uint64_t *data)
{
    if (level_lookup(m, TLB_L1D, va, data))
        return true;
    if (!mmu_has_level(m, TLB_L2) || !level_lookup(m, TLB_L2, va, data))
        return false;
    level_fill(m, TLB_L1D, va, *data);
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
    if (p->how == ACCESS_WRITE && !(flags & TLB_DIRTY))
        return dirty_walk(m, p, data, fault);
    return true;
}

static void access_count(struct mmu *m, const struct piece *p)
{
    m->count.accesses++;
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
    if (lookup(m, p->va, data))
        return cached_judge(m, p, data, fault);
    if (!walk_page(m, p, data, fault))
        return false;
    if (mmu_has_level(m, TLB_L2))
        level_fill(m, TLB_L2, p->va, *data);
    level_fill(m, TLB_L1D, p->va, *data);
    return true;
}

bool mmu_translate(struct mmu *m, const struct piece *p, pa_t *pa, struct mmu_fault *fault)
{
    uint64_t data;
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
    mmu_charge(m, &m->count.cycles_data, m->config.data_cycles);
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

/* Host speed only, so never while somebody listens. */
static bool front_on(const struct mmu *m)
{
    return m->config.front_cache && !m->env->bus->on;
}

bool mmu_access(struct mmu *m, va_t va, void *buf, size_t n, enum access how,
                struct mmu_fault *fault)
{
    CHECK(n > 0);
    if (n <= PAGE_SIZE - (va & PAGE_MASK) && front_on(m) && front_access(m, va, buf, n, how))
        return true;
    return access_plain(m, va, buf, n, how, fault);
}

size_t mmu_touch(struct mmu *m, const va_t *va, size_t n, enum access how, struct mmu_fault *fault)
{
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

/* ---- forgetting ---- */

static void level_flush(struct mmu *m, unsigned level)
{
    struct tlb *t = &m->tlb[level];
    struct place at;
    for (at.set = 0; at.set < t->config.sets; at.set++) {
        for (at.way = 0; t->valid[at.set] && at.way < t->config.ways; at.way++) {
            size_t slot = tlb_slot(t, at.set, at.way);
            at.key = t->entry[slot].key;
            if (at.key && !(t->entry[slot].data & TLB_GLOBAL))
                place_drop(m, level, &at);
        }
    }
}

void mmu_load_cr3(struct mmu *m, pa_t root)
{
    m->regs.cr3 = root;
    EMIT(m->env, cr3_load, .root = root, .flush = true);
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        level_flush(m, level);
    psc_flush(&m->psc, m->env);
}

/* INVLPG also empties the paging-structure caches, whatever address they are for. SDM vol. 2A,
 * "INVLPG", and vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches". */
void mmu_invlpg(struct mmu *m, va_t va)
{
    EMIT(m->env, invlpg, .va = va);
    levels_drop(m, va);
    psc_flush(&m->psc, m->env);
}

void mmu_forget_host(struct mmu *m)
{
    front_forget(m);
}

/* ---- inspection ---- */

const struct tlb_config *mmu_tlb_config(const struct mmu *m, unsigned level)
{
    CHECK(level < TLB_LEVELS);
    return &m->config.tlb[level];
}

void mmu_tlb_line(const struct mmu *m, unsigned level, uint32_t set, uint32_t way,
                  struct tlb_line *line)
{
    CHECK(level < TLB_LEVELS);
    const struct tlb *t = &m->tlb[level];
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
    *line = (struct psc_line){.valid = t->entry[slot].key != 0};
    if (!line->valid)
        return;
    line->va = (t->entry[slot].key >> 2) * level_span(level);
    line->table = t->entry[slot].data & ~PAGE_MASK;
}
