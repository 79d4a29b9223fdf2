/* region.c: learning the way down to a page table, and walking it through the paging-structure
 * caches.
 *
 * Where a paging-structure cache held an entry last is remembered, and whether it is still there is
 * seen by its key. Searching a set would be slow right after another entry was put into it: the
 * host would wait for that write to end.
 */
#include "mmu/region.h"

#include "mmu/core.h"

static bool regs_same(const struct mmu_regs *a, const struct mmu_regs *b)
{
    return a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer &&
           a->maxphyaddr == b->maxphyaddr;
}

void regions_forget(struct regions *r)
{
    for (unsigned i = 0; i < REGIONS; i++) {
        r->down[i].tag = 0;
        r->at[i].number = REGION_NONE;
    }
}

/* Regions are good for the tables of one root, as they stood at one epoch of the RAM; the number of
 * the batch must not come again. */
void regions_begin(struct mmu *m)
{
    struct regions *r = &m->front.regions;
    r->batch += REGION_BATCH;
    if (r->batch && r->epoch == ram_epoch(m->ram) && regs_same(&r->regs, &m->regs))
        return;
    regions_forget(r);
    r->batch = REGION_BATCH;
    r->epoch = ram_epoch(m->ram);
    r->regs = m->regs;
}

/* ---- the tables ---- */

static const pte_t *entry_host(const struct mmu *m, pa_t pa)
{
    const uint8_t *frame = ram_frame(m->ram, pa >> PAGE_SHIFT);
    return (const pte_t *)(const void *)(frame + (pa & PAGE_MASK));
}

/* What does not depend on the tables. */
static void region_new(const struct mmu *m, struct region *r, uint64_t key)
{
    va_t va = key_vpn(key) << PAGE_SHIFT;
    r->number = region_number(key);
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        const struct tlb *t = &m->psc.level[level];
        struct region_psc *p = &r->psc[level - 2];
        *p = (struct region_psc){.key = psc_key(va, level, mmu_space(m))};
        p->tag = key_short(p->key);
        if (t->config.ways)
            p->set = tlb_set(t, p->key);
    }
}

/* Walks once the plain way, and remembers the way where it is an ordinary one. With fewer levels
 * than there is room for, the first one is read again: it does no harm. */
static bool region_learn(struct mmu *m, struct region *r, uint64_t key)
{
    struct region_down *down = &m->front.regions.down[r - m->front.regions.at];
    struct walk w;
    down->tag = 0;
    walk_read(m->ram, &m->regs, key_vpn(key) << PAGE_SHIFT, &w);
    if (!w.present || w.to.page_size != PAGE_SIZE || m->regs.cr4 & CR4_CET)
        return false;
    for (unsigned i = 0; i + 1 < w.steps; i++)
        if (!(w.step[i].entry & PTE_A))
            return false;
    for (unsigned i = 0; i < LEVELS_MAX - 1; i++) {
        const struct walk_step *step = &w.step[i + 1 < w.steps ? i : 0];
        r->at[i] = entry_host(m, step->pa);
        r->entry[i] = step->entry;
    }
    uint32_t above = w.step[w.steps - 2].flags;
    down->table = entry_host(m, w.step[w.steps - 1].pa & ~PAGE_MASK);
    down->keep = PTE_FRAME | PTE_PAT | walk_leaf_bits(&m->regs) | (above & (TLB_WRITE | TLB_USER));
    down->exec = above & TLB_EXEC;
    if (r->number != region_number(key))
        region_new(m, r, key);
    r->psc_born = 0;
    r->pa[0] = w.step[w.steps - 1].pa & ~PAGE_MASK;
    for (unsigned i = 0; i + 1 < w.steps; i++) {
        r->psc[w.step[i].level - 2].data = psc_data(&w, i);
        r->pa[w.step[i].level - 1] = w.step[i].pa;
    }
    return true;
}

/* Do the upper entries stand as they were? */
static bool region_same(const struct region *r)
{
    pte_t differs = 0;
    for (unsigned i = 0; i < LEVELS_MAX - 1; i++)
        differs |= *r->at[i] ^ r->entry[i];
    return !differs;
}

/* ---- paging-structure caches ---- */

static struct tlb_entry *psc_entry(const struct tlb *t, const struct region_psc *p)
{
    return &t->entry[tlb_slot(t, p->set, p->way)];
}

/* Looks for the entry in its set. false: it is not held. */
static bool psc_search(const struct tlb *t, struct region_psc *p)
{
    int way = t->config.ways ? tlb_find(t, p->set, p->key) : TLB_NONE;
    if (way != TLB_NONE)
        p->way = (uint32_t)way;
    return way != TLB_NONE;
}

/* Finds all entries of the region. false: one is not what the tables say. */
static bool psc_learn(const struct mmu *m, struct region *r)
{
    for (unsigned level = 2; level <= mmu_levels(&m->regs); level++) {
        const struct tlb *t = &m->psc.level[level];
        struct region_psc *p = &r->psc[level - 2];
        if (psc_search(t, p) && psc_entry(t, p)->data != p->data)
            return false;
    }
    r->psc_born = m->psc.born + 1;
    return true;
}

bool region_enter(struct mmu *m, uint64_t key)
{
    struct regions *all = &m->front.regions;
    struct region *r = &all->at[region_at(key)];
    if (!(r->number == region_number(key) && region_same(r)) && !region_learn(m, r, key))
        return false;
    if (m->psc.any && r->psc_born != m->psc.born + 1 && !psc_learn(m, r))
        return false;
    all->down[r - all->at].tag = all->batch + r->number;
    return true;
}

/* An entry of level 2 is the region's alone, so nobody else has put it anywhere. */
static bool psc_holds(const struct tlb *t, struct region_psc *p, unsigned level)
{
    if (t->config.ways && psc_entry(t, p)->key == p->key)
        return true;
    return level > 2 && psc_search(t, p);
}

unsigned region_psc_walk(struct mmu *m, struct region *r)
{
    unsigned level = 2, levels = mmu_levels(&m->regs);
    while (level <= levels && !psc_holds(&m->psc.level[level], &r->psc[level - 2], level))
        level++;
    if (level <= levels) {
        struct tlb *t = &m->psc.level[level];
        m->count.psc_hits++;
        tlb_hit(t, r->psc[level - 2].set, r->psc[level - 2].way);
    }
    for (unsigned above = level - 1; above >= 2; above--) {
        struct tlb *t = &m->psc.level[above];
        struct region_psc *p = &r->psc[above - 2];
        struct tlb_entry victim;
        if (t->config.ways)
            p->way = tlb_put(t, NULL, p->set, p->key, p->data, &victim);
    }
    return level - 1;
}
