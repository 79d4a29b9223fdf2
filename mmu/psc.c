/* psc.c: paging-structure caches, made of TLB sets: one set for each level of tables. */
#include "mmu/psc.h"

/* One size of "page" per cache: what an entry of the level covers. Never 0, as 0 is invalid. */
static uint64_t psc_key(va_t va, unsigned level, uint64_t space)
{
    va_t kept = va & (((va_t)1 << VA_BITS_KEPT) - 1);
    return kept / level_span(level) << KEY_SIZE_BITS | SIZE_4K | space;
}

va_t psc_va(uint64_t key, unsigned level)
{
    va_t sign = (va_t)1 << (VA_BITS_KEPT - 1);
    return ((key_number(key) * level_span(level)) ^ sign) - sign;
}

bool psc_init(struct psc *psc, struct arena *arena, const uint32_t entries[LEVELS_MAX + 1])
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        struct tlb_config config = {.sets = 1, .ways = entries[level], .repl = REPL_LRU};
        if (!config.ways)
            continue;
        psc->any = true;
        if (!tlb_init(&psc->level[level], arena, &config))
            return false;
    }
    return true;
}

static bool psc_find_level(struct psc *psc, va_t va, uint64_t space, unsigned level,
                           struct walk_start *start)
{
    struct tlb *t = &psc->level[level];
    int way = t->config.ways ? tlb_find(t, 0, psc_key(va, level, space)) : TLB_NONE;
    if (way == TLB_NONE)
        return false;
    tlb_hit(t, 0, (uint32_t)way);
    uint64_t data = t->entry[way].data;
    *start = (struct walk_start){level - 1, data & ~PAGE_MASK, data_flags(data), true};
    return true;
}

bool psc_find(struct psc *psc, struct env *env, va_t va, uint64_t space, struct walk_start *start)
{
    unsigned top = start->level;
    for (unsigned level = 2; level <= top; level++) {
        if (psc_find_level(psc, va, space, level, start)) {
            EMIT(env, psc_hit, .level = level, .va = va, .table = start->table);
            return true;
        }
    }
    return false;
}

void psc_fill(struct psc *psc, struct env *env, const struct walk *w, uint64_t space)
{
    for (unsigned i = 0; i + 1 < w->steps; i++) {
        unsigned level = w->step[i].level;
        struct tlb *t = &psc->level[level];
        uint64_t key = psc_key(w->va, level, space);
        if (!t->config.ways || tlb_find(t, 0, key) != TLB_NONE)
            continue;
        uint64_t victim;
        pa_t table = w->step[i + 1].pa & ~PAGE_MASK; /* in a guest: behind its EPT */
        uint32_t slot = tlb_put(t, &env->rng, 0, key, table | w->step[i].flags, &victim);
        EMIT(env, psc_fill, .level = level, .slot = slot,
             .va = align_down(w->va, level_span(level)), .table = table, .pcid = key_pcid(key));
    }
}

static void psc_remove(struct psc *psc, struct env *env, unsigned level, uint32_t slot)
{
    tlb_remove(&psc->level[level], 0, slot);
    EMIT(env, psc_drop, .level = level, .slot = slot);
}

/* Entries of paging-structure caches are never global. */
void psc_flush(struct psc *psc, struct env *env, const struct scope *scope)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        struct tlb *t = &psc->level[level];
        for (uint32_t slot = 0; slot < t->config.ways && t->valid[0]; slot++)
            if (t->entry[slot].key && scope_has(scope, t->entry[slot].key, false))
                psc_remove(psc, env, level, slot);
    }
}

void psc_drop(struct psc *psc, struct env *env, va_t va, const struct scope *scope)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        struct tlb *t = &psc->level[level];
        uint64_t page = psc_key(va, level, 0);
        for (uint32_t slot = 0; slot < t->config.ways && t->valid[0]; slot++) {
            uint64_t key = t->entry[slot].key;
            if (key && (key & KEY_PAGE) == page && scope_has(scope, key, false))
                psc_remove(psc, env, level, slot);
        }
    }
}
