/* prefetch.c: guessing, fetching, and finding out whether it was of use. */
#include "mmu/prefetch.h"

#include "mmu/core.h"

bool prefetch_init(struct prefetch *p, struct arena *arena, const struct mmu_config *config)
{
    struct tlb_config buffer = {.sets = 1, .ways = config->prefetch_entries, .repl = REPL_FIFO};
    return config->prefetch == PREFETCH_OFF || tlb_init(&p->buffer, arena, &buffer);
}

static bool off(const struct mmu *m)
{
    return m->config.prefetch == PREFETCH_OFF;
}

const char *const prefetch_name[PREFETCH_KINDS] = {"off", "next", "distance"};

/* ---- the buffer ---- */

/* Where the buffer has va in the current space, in any size; TLB_NONE. */
static int find(const struct mmu *m, va_t va)
{
    const struct tlb *t = &m->prefetch.buffer;
    int way = TLB_NONE;
    for (enum size_code size = SIZE_4K; size < SIZE_CODES && way == TLB_NONE; size++)
        if (t->held[size])
            way = tlb_find(t, 0, key_make(va, size, mmu_space(m)));
    return way;
}

static void leave(struct mmu *m, uint32_t way, bool used)
{
    struct tlb *t = &m->prefetch.buffer;
    vpn_t vpn = key_vpn(t->entry[way].key);
    tlb_remove(t, 0, way);
    *(used ? &m->count.prefetch.useful : &m->count.prefetch.useless) += 1;
    EMIT(m->env, prefetch_leave, .slot = way, .vpn = vpn, .used = used);
}

uint64_t prefetch_take(struct mmu *m, va_t va, enum access how)
{
    int way = off(m) ? TLB_NONE : find(m, va);
    if (way == TLB_NONE)
        return 0;
    uint64_t data = m->prefetch.buffer.entry[way].data;
    uint32_t flags = data_flags(data);
    bool enough =
        rights_allow(rights_of(&m->regs, how), flags) && (how != ACCESS_WRITE || flags & TLB_DIRTY);
    leave(m, (uint32_t)way, enough);
    return enough ? data : 0;
}

void prefetch_drop(struct mmu *m, va_t va)
{
    const struct tlb *t = &m->prefetch.buffer;
    for (uint32_t way = 0; !off(m) && way < t->config.ways; way++) {
        uint64_t key = t->entry[way].key;
        if (key && (key & KEY_PAGE) == key_make(va, key_size(key), 0))
            leave(m, way, false);
    }
}

void prefetch_flush(struct mmu *m)
{
    const struct tlb *t = &m->prefetch.buffer;
    for (uint32_t way = 0; !off(m) && way < t->config.ways; way++)
        if (t->entry[way].key)
            leave(m, way, false);
}

/* ---- fetching ---- */

/* A walk that must not change or fault. */
static bool walk_quietly(struct mmu *m, va_t va, struct walk *w)
{
    struct walk_start root = walk_root(&m->regs);
    if (!va_canonical(va, mmu_levels(&m->regs)))
        return false;
    m->count.prefetch.walks++;
    walk_read_from(m->ram, &m->regs, va, &root, w);
    bool good = w->present;
    for (unsigned i = 0; i < w->steps; i++) {
        m->count.prefetch.reads++;
        if (m->caches.on)
            caches_access(&m->caches, m->env, &m->count.cache, w->step[i].pa, sizeof(pte_t), false,
                          true);
        good = good && w->step[i].entry & PTE_A;
    }
    return good;
}

static bool any_level_has(const struct mmu *m, va_t va)
{
    for (unsigned array = 0; array < TLB_ARRAYS; array++) {
        const struct tlb *t = &m->tlb[array];
        for (enum size_code size = SIZE_4K; size < SIZE_CODES; size++) {
            uint64_t key = key_make(va, size, mmu_space(m));
            if (t->held[size] && tlb_find(t, tlb_set(t, key), key) != TLB_NONE)
                return true;
        }
    }
    return false;
}

static void fetch(struct mmu *m, vpn_t vpn)
{
    struct tlb *t = &m->prefetch.buffer;
    va_t va = vpn << PAGE_SHIFT;
    struct walk w;
    if (find(m, va) != TLB_NONE || any_level_has(m, va))
        return;
    if (!walk_quietly(m, va, &w)) {
        m->count.prefetch.given_up++;
        return;
    }
    uint64_t data = data_make(align_down(w.to.pa, w.to.page_size) >> PAGE_SHIFT, w.to.flags);
    uint64_t key = key_make(va, flags_size(w.to.flags), mmu_space(m));
    if (t->valid[0] == t->config.ways)
        leave(m, t->ops->victim(tlb_state(t, 0), t->config.ways, &m->env->rng), false);
    struct tlb_entry victim;
    uint32_t way = tlb_put(t, &m->env->rng, 0, key, data, &victim);
    m->count.prefetch.fills++;
    EMIT(m->env, prefetch_fill, .slot = way, .vpn = key_vpn(key), .pfn = data_pfn(data));
}

/* ---- guessing ---- */

static struct distance_row *row_of(struct prefetch *p, int64_t distance)
{
    return &p->row[(uint64_t)distance % DISTANCE_ROWS];
}

/* After p->distance came this one: that is remembered. */
static void learn(struct prefetch *p, int64_t distance)
{
    struct distance_row *row = row_of(p, p->distance);
    if (row->distance != p->distance)
        *row = (struct distance_row){.distance = p->distance};
    if (row->then[0] == distance)
        return;
    row->then[1] = row->then[0];
    row->then[0] = distance;
}

static void by_distance(struct mmu *m, vpn_t vpn)
{
    struct prefetch *p = &m->prefetch;
    int64_t distance = p->last ? (int64_t)(vpn - p->last) : 0;
    if (p->distance && distance)
        learn(p, distance);
    p->last = vpn;
    p->distance = distance;
    const struct distance_row row = *row_of(p, distance);
    for (unsigned i = 0; distance && row.distance == distance && i < DISTANCE_GUESS; i++)
        if (row.then[i])
            fetch(m, vpn + (uint64_t)row.then[i]);
}

void prefetch_next(struct mmu *m, va_t va)
{
    vpn_t vpn = va >> PAGE_SHIFT;
    if (m->regs.eptp) /* NOTE: guests have no prefetcher */
        return;
    if (m->config.prefetch == PREFETCH_NEXT)
        fetch(m, vpn + 1);
    else if (m->config.prefetch == PREFETCH_DISTANCE)
        by_distance(m, vpn);
}
