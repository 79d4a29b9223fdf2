/* levels.c: the levels of TLB together: who is asked first, who is filled, what is forgotten.
 *
 * Everything that a level does is counted and told here, so no other file can forget to.
 */
#include "mmu/levels.h"

#include "sim/base/check.h"

/* Where a translation stands in a level. */
struct place {
    uint64_t key; /* the entry's own */
    uint32_t set, way;
};

/* ---- one level ---- */

/* Large pages are looked for only where the level holds some; of several entries for one address,
 * which only a missing INVLPG can leave, the smallest page wins. */
static bool level_find(const struct mmu *m, unsigned level, va_t va, struct place *at)
{
    const struct tlb *t = &m->tlb[level];
    uint64_t space = mmu_space(&m->regs);
    for (enum size_code size = SIZE_4K; size < SIZE_CODES; size++) {
        if (!t->held[size])
            continue;
        uint64_t key = key_make(va, size, space);
        at->set = tlb_set(t, key);
        int way = tlb_find(t, at->set, key);
        if (way == TLB_NONE)
            continue;
        at->way = (uint32_t)way;
        at->key = t->entry[tlb_slot(t, at->set, at->way)].key;
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
    if (m->opt[level])
        opt_use(m->opt[level], at->key);
    mmu_charge(m, &m->count.cycles_tlb, m->config.tlb[level].hit_cycles);
    EMIT(m->env, tlb_hit, .level = level + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key), .pfn = data_pfn(*place_data(m, level, at)));
}

/* The page's size is not known at a miss: set and class are those of a page that the level would
 * hold had it been there, a 4 KiB page unless a larger one is known to have been filled. */
static uint64_t missed_key(const struct mmu *m, unsigned level, va_t va)
{
    const struct classify *c = m->classify[level];
    uint64_t space = mmu_space(&m->regs);
    uint64_t key = key_make(va, SIZE_4K, space);
    for (enum size_code size = SIZE_2M; c && size < SIZE_CODES; size++) {
        uint64_t larger = key_make(va, size, space);
        if (classify_miss(c, key) == MISS_COLD && classify_miss(c, larger) != MISS_COLD)
            key = larger;
    }
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

static void level_fill(struct mmu *m, unsigned level, va_t va, uint64_t data)
{
    struct tlb *t = &m->tlb[level];
    uint64_t key = key_make(va, flags_size(data_flags(data)), mmu_space(&m->regs));
    uint32_t set = tlb_set(t, key);
    uint64_t victim;
    uint32_t way = tlb_put(t, &m->env->rng, set, key, data, &victim);
    m->count.tlb[level].fills++;
    m->count.tlb[level].evictions += victim != 0;
    if (m->classify[level])
        classify_use(m->classify[level], key);
    if (m->opt[level])
        opt_use(m->opt[level], key);
    EMIT(m->env, tlb_fill, .level = level + 1, .set = set, .way = way, .vpn = key_vpn(key),
         .pfn = data_pfn(data), .flags = data_flags(data), .pcid = key_pcid(key),
         .victim = victim ? key_vpn(victim) : 0, .evicts = victim != 0);
}

static void place_drop(struct mmu *m, unsigned level, const struct place *at)
{
    tlb_remove(&m->tlb[level], at->set, at->way);
    m->count.tlb[level].invalidations++;
    if (m->classify[level])
        classify_drop(m->classify[level], at->key);
    if (m->opt[level])
        opt_drop(m->opt[level], at->key);
    EMIT(m->env, tlb_drop, .level = level + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key));
}

/* Drops what a set holds of the scope; page: of this number and size only, 0: any. */
static void set_drop(struct mmu *m, unsigned level, uint32_t set, uint64_t page,
                     const struct scope *scope)
{
    const struct tlb *t = &m->tlb[level];
    struct place at = {.set = set};
    for (at.way = 0; t->valid[set] && at.way < t->config.ways; at.way++) {
        const struct tlb_entry *e = &t->entry[tlb_slot(t, set, at.way)];
        at.key = e->key;
        bool wanted = at.key && (!page || (at.key & KEY_PAGE) == page);
        if (wanted && scope_has(scope, at.key, (e->data & TLB_GLOBAL) != 0))
            place_drop(m, level, &at);
    }
}

/* ---- all levels ---- */

bool levels_lookup(struct mmu *m, va_t va, uint64_t *data)
{
    if (level_lookup(m, TLB_L1D, va, data))
        return true;
    if (!mmu_has_level(m, TLB_L2) || !level_lookup(m, TLB_L2, va, data))
        return false;
    level_fill(m, TLB_L1D, va, *data);
    return true;
}

void levels_fill(struct mmu *m, va_t va, uint64_t data)
{
    if (mmu_has_level(m, TLB_L2))
        level_fill(m, TLB_L2, va, data);
    level_fill(m, TLB_L1D, va, data);
}

static void level_dirty(struct mmu *m, unsigned level, va_t va, uint64_t data)
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

void levels_dirty(struct mmu *m, va_t va, uint64_t data)
{
    for (unsigned level = TLB_LEVELS; level-- > 0;)
        level_dirty(m, level, va, data);
}

void levels_drop(struct mmu *m, va_t va, const struct scope *scope)
{
    prefetch_drop(m, va);
    for (unsigned level = 0; level < TLB_LEVELS; level++) {
        const struct tlb *t = &m->tlb[level];
        for (enum size_code size = SIZE_4K; size < SIZE_CODES; size++) {
            uint64_t page = key_make(va, size, 0);
            if (t->held[size])
                set_drop(m, level, tlb_set(t, page), page, scope);
        }
    }
}

void levels_flush(struct mmu *m, const struct scope *scope)
{
    prefetch_flush(m);
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        for (uint32_t set = 0; set < m->tlb[level].config.sets; set++)
            set_drop(m, level, set, 0, scope);
}
