/* psc.c: paging-structure caches: one array, made like a TLB, for each level of tables. */
#include "mmu/psc.h"

va_t psc_va(uint64_t key, unsigned level)
{
    va_t sign = (va_t)1 << (VA_BITS_KEPT - 1);
    return ((key_number(key) * level_span(level)) ^ sign) - sign;
}

bool psc_init(struct psc *psc, struct arena *arena, const struct mmu_config *c)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        uint32_t entries = c->psc_entries[level];
        uint32_t ways = c->psc_ways[level] ? c->psc_ways[level] : entries;
        if (!entries)
            continue;
        struct tlb_config config = {.sets = entries / ways, .ways = ways, .repl = REPL_LRU};
        psc->any = true;
        if (!tlb_init(&psc->level[level], arena, &config))
            return false;
    }
    return true;
}

/* Finds va's entry: its set and way. */
static bool psc_where(const struct tlb *t, uint64_t key, uint32_t *set, uint32_t *way)
{
    if (!t->config.ways)
        return false;
    *set = tlb_set(t, key);
    int found = tlb_find(t, *set, key);
    *way = (uint32_t)found;
    return found != TLB_NONE;
}

bool psc_find(struct psc *psc, struct env *env, va_t va, uint64_t space, struct walk_start *start)
{
    for (unsigned level = 2; level <= start->level; level++) {
        struct tlb *t = &psc->level[level];
        uint32_t set, way;
        if (!psc_where(t, psc_key(va, level, space), &set, &way))
            continue;
        tlb_hit(t, set, way);
        uint64_t data = t->entry[tlb_slot(t, set, way)].data;
        *start = (struct walk_start){level - 1, data & ~PAGE_MASK, data_flags(data), true};
        EMIT(env, psc_hit, .level = level, .va = va, .table = start->table);
        return true;
    }
    return false;
}

static void put(struct psc *psc, struct env *env, va_t va, uint64_t space, unsigned level,
                uint64_t data)
{
    struct tlb *t = &psc->level[level];
    uint64_t key = psc_key(va, level, space);
    uint32_t set = tlb_set(t, key);
    struct tlb_entry victim;
    psc->born++;
    uint32_t way = tlb_put(t, &env->rng, set, key, data, &victim);
    EMIT(env, psc_fill, .level = level, .slot = set * t->config.ways + way,
         .va = align_down(va, level_span(level)), .table = data & ~PAGE_MASK,
         .pcid = key_pcid(key));
}

void psc_fill(struct psc *psc, struct env *env, const struct walk *w, uint64_t space)
{
    for (unsigned i = 0; psc->any && i + 1 < w->steps; i++) {
        unsigned level = w->step[i].level;
        uint32_t set, way;
        const struct tlb *t = &psc->level[level];
        if (t->config.ways && !psc_where(t, psc_key(w->va, level, space), &set, &way))
            put(psc, env, w->va, space, level, psc_data(w, i));
    }
}

/* Drops what a cache holds of the scope; page: of this key only, 0: any. Entries of
 * paging-structure caches are never global. */
static void psc_drop_level(struct psc *psc, struct env *env, unsigned level, uint64_t page,
                           const struct scope *scope)
{
    struct tlb *t = &psc->level[level];
    for (uint32_t set = 0; set < t->config.sets; set++) {
        for (uint32_t way = 0; t->valid[set] && way < t->config.ways; way++) {
            uint64_t key = t->entry[tlb_slot(t, set, way)].key;
            if (!key || (page && (key & KEY_PAGE) != page) || !scope_has(scope, key, false))
                continue;
            tlb_remove(t, set, way);
            EMIT(env, psc_drop, .level = level, .slot = set * t->config.ways + way);
        }
    }
}

void psc_flush(struct psc *psc, struct env *env, const struct scope *scope)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++)
        psc_drop_level(psc, env, level, 0, scope);
}

void psc_drop(struct psc *psc, struct env *env, va_t va, const struct scope *scope)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++)
        psc_drop_level(psc, env, level, psc_key(va, level, 0), scope);
}
