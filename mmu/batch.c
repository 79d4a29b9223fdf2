/* batch.c: batches of accesses where both levels are LRU in packed orders and pages are small.
 *
 * The loop does hits of the first level and misses whose walk neither faults nor marks an entry. It
 * looks at everything first and changes something only when nothing can stop the access any more.
 * What it costs the host is instructions, so what does not change within a region of 2 MiB, or
 * within a batch, is worked out once for it.
 */
#include "mmu/batch.h"

#include "mmu/levels.h"

#include <string.h>

#define REGION_SHIFT (PAGE_SHIFT + 9)
#define UNROLL       _Pragma("GCC unroll 8") /* loops over a few constants */

/* ---- the way down to a page table ---- */

static bool regs_same(const struct mmu_regs *a, const struct mmu_regs *b)
{
    return a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer &&
           a->maxphyaddr == b->maxphyaddr;
}

/* Regions are good for the tables of one root, as they stood at one epoch of the RAM. */
static void regions_check(struct mmu *m)
{
    struct front *f = &m->front;
    if (f->epoch == ram_epoch(m->ram) && regs_same(&f->regs, &m->regs))
        return;
    for (unsigned i = 0; i < FRONT_REGIONS; i++)
        f->region[i].number = 0;
    f->epoch = ram_epoch(m->ram);
    f->regs = m->regs;
}

static const pte_t *entry_host(const struct mmu *m, pa_t pa)
{
    const uint8_t *frame = ram_frame(m->ram, pa >> PAGE_SHIFT);
    return (const pte_t *)(const void *)(frame + (pa & PAGE_MASK));
}

/* What does not depend on the tables. */
static void region_new(struct mmu *m, struct front_region *r, va_t va)
{
    uint64_t space = mmu_space(m);
    r->number = (va >> REGION_SHIFT) + 1;
    r->psc_born = 0;
    memset(r->group, 0, sizeof(r->group));
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        const struct tlb *t = &m->psc.level[level];
        struct front_psc *p = &r->psc[level - 2];
        *p = (struct front_psc){.key = psc_key(va, level, space)};
        if (!t->config.ways)
            continue;
        p->set = tlb_set(t, p->key);
        p->entry = t->entry + tlb_slot(t, p->set, 0);
        p->shorts = t->shorts + tlb_slot(t, p->set, 0);
        p->state = tlb_state(t, p->set);
    }
}

/* Walks once the plain way, and remembers the way where it is an ordinary one. With fewer levels
 * than there is room for, the first one is read again: it does no harm. */
static __attribute__((noinline)) bool region_learn(struct mmu *m, struct front_region *r, va_t va)
{
    struct walk w;
    walk_read(m->ram, &m->regs, va, &w);
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
    r->table = entry_host(m, w.step[w.steps - 1].pa & ~PAGE_MASK);
    r->keep = PTE_FRAME | PTE_PAT | walk_leaf_bits(&m->regs) | (above & (TLB_WRITE | TLB_USER));
    r->exec = above & TLB_EXEC;
    if (r->number != (va >> REGION_SHIFT) + 1)
        region_new(m, r, va);
    r->pa[0] = w.step[w.steps - 1].pa & ~PAGE_MASK;
    for (unsigned i = 0; i + 1 < w.steps; i++) {
        r->psc[w.step[i].level - 2].data = psc_data(&w, i);
        r->pa[w.step[i].level - 1] = w.step[i].pa;
    }
    return true;
}

/* What data of a TLB entry must say: rights as rights_allow judges them, but quicker. */
static INLINE bool data_allows(struct rights r, uint64_t data)
{
    if (LIKELY((data & r.mask) == r.want && !(r.deny_user | r.deny_supervisor)))
        return true;
    return rights_allow(r, data_flags(data));
}

/* What the walk of a small page must find in the lowest entry to be ordinary. */
struct leaf_rule {
    pte_t mask, want;
};

static struct leaf_rule leaf_rule(const struct mmu *m, enum access how)
{
    struct leaf_rule r = {.want = PTE_P | PTE_A};
    if (how == ACCESS_WRITE)
        r.want |= PTE_D;
    r.mask = r.want | walk_reserved(&m->regs, 0, 1);
    return r;
}

static INLINE struct front_region *region_of(struct mmu *m, va_t va)
{
    return &m->front.region[((va >> REGION_SHIFT) + 1) % FRONT_REGIONS];
}

static INLINE bool region_is(const struct front_region *r, va_t va)
{
    return r->number == (va >> REGION_SHIFT) + 1;
}

/* Do the upper entries stand as they were? */
static bool region_same(const struct front_region *r)
{
    pte_t differs = 0;
    for (unsigned i = 0; i < LEVELS_MAX - 1; i++)
        differs |= *r->at[i] ^ r->entry[i];
    return !differs;
}

static __attribute__((noinline)) bool region_enter(struct mmu *m, struct front_region *r, va_t va)
{
    if (!(region_is(r, va) && region_same(r)) && !region_learn(m, r, va))
        return false;
    r->batch = m->front.batch;
    return true;
}

/* A walk that changes nothing: the data of the new TLB entry; 0: not an ordinary walk. Nobody
 * writes tables while a batch runs, so their upper entries are compared once. */
static INLINE uint64_t region_walk(struct mmu *m, struct front_region *r, va_t va, bool *mine,
                                   uint64_t batch, struct leaf_rule rule)
{
    if (UNLIKELY(!*mine || r->batch != batch)) {
        *mine = region_enter(m, r, va);
        if (!*mine)
            return 0;
    }
    pte_t leaf = r->table[va_index(va, 1)];
    if (UNLIKELY((leaf & rule.mask) != rule.want))
        return 0;
    return (leaf & r->keep) | (~leaf >> 63 & r->exec);
}

/* ---- paging-structure caches of an ordinary walk ----
 *
 * A region remembers where its entries were held last, and whether one is still there is seen by
 * its key. Searching a set would be slow right after another entry was put into it: the host would
 * wait for that write to end.
 */

/* The way that a walk takes through the caches. */
struct psc_way {
    unsigned level; /* of the lowest entry held; above all levels: none */
    /* Whether an entry of level 2 is held cannot be foretold, so where one of level 3 is and the
     * set of level 2 is full, both are dealt with in one: */
    bool both;
    bool hit;     /* it is held in level 2 */
    uint32_t way; /* where it is, or will be */
};

static __attribute__((noinline)) bool psc_search(struct mmu *m, struct front_region *r,
                                                 unsigned level)
{
    struct front_psc *p = &r->psc[level - 2];
    int way = tlb_find(&m->psc.level[level], p->set, p->key);
    if (level == 2)
        r->psc_born = m->psc.born + 1;
    if (way == TLB_NONE)
        return false;
    p->way = (uint32_t)way;
    return true;
}

/* Is the region's entry of this level held? An entry of level 2 is the region's alone, so nobody
 * else has put it anywhere. */
static bool psc_holds(struct mmu *m, struct front_region *r, unsigned level)
{
    const struct front_psc *p = &r->psc[level - 2];
    if (!p->entry)
        return false;
    if (p->entry[p->way].key == p->key)
        return true;
    if (level == 2 && r->psc_born == m->psc.born + 1)
        return false;
    return psc_search(m, r, level);
}

static __attribute__((noinline)) bool psc_begin_any(struct mmu *m, struct front_region *r,
                                                    unsigned levels, struct psc_way *w)
{
    w->both = false;
    for (w->level = 2; w->level <= levels; w->level++) {
        const struct front_psc *p = &r->psc[w->level - 2];
        if (psc_holds(m, r, w->level))
            return p->entry[p->way].data == p->data;
    }
    return true;
}

/* What is the same for all walks of a batch. */
struct psc_batch {
    uint64_t born;         /* what psc_born of a region must be */
    uint32_t ways2, ways3; /* of the caches of levels 2 and 3 */
};

/* A born that no region has: there are no such caches, or level 2 has room left. */
static struct psc_batch psc_batch(const struct psc *psc)
{
    const struct tlb *t2 = &psc->level[2], *t3 = &psc->level[3];
    bool full = t2->held[SIZE_4K] == (uint64_t)t2->config.sets * t2->config.ways;
    bool usual = t2->config.ways && t3->config.ways && full;
    return (struct psc_batch){usual ? psc->born + 1 : UINT64_MAX, t2->config.ways, t3->config.ways};
}

/* Finds where the walk begins; false: a cache holds what the tables no longer say, so the walk is
 * not ordinary. */
static INLINE bool psc_begin(struct mmu *m, struct front_region *r, unsigned levels,
                             struct psc_batch b, struct psc_way *w)
{
    const struct front_psc *p2 = &r->psc[0], *p3 = &r->psc[1];
    if (UNLIKELY(r->psc_born != b.born || p3->entry[p3->way].key != p3->key ||
                 p3->entry[p3->way].data != p3->data))
        return psc_begin_any(m, r, levels, w);
    const struct tlb_entry *e2 = &p2->entry[p2->way];
    uint32_t oldest = repl_lru_oldest(p2->state, b.ways2);
    w->both = true;
    w->hit = e2->key == p2->key;
    w->way = w->hit ? p2->way : oldest;
    return LIKELY(!(w->hit & (e2->data != p2->data)));
}

static __attribute__((noinline)) unsigned psc_end_any(struct mmu *m, struct front_region *r,
                                                      unsigned levels, const struct psc_way *w)
{
    bool hit = w->level <= levels;
    m->count.psc_hits += hit;
    if (hit)
        repl_lru_use(r->psc[w->level - 2].state, m->psc.level[w->level].config.ways,
                     r->psc[w->level - 2].way);
    for (unsigned level = w->level - 1; level >= 2; level--) {
        struct front_psc *p = &r->psc[level - 2];
        struct tlb_entry victim;
        if (p->entry)
            p->way = tlb_put(&m->psc.level[level], NULL, p->set, p->key, p->data, &victim);
    }
    return w->level - 1;
}

/* The walk was done: its entries read, and what the caches have of it. */
static INLINE unsigned psc_end(struct mmu *m, struct front_region *r, unsigned levels,
                               struct psc_batch b, const struct psc_way *w)
{
    struct front_psc *p2 = &r->psc[0], *p3 = &r->psc[1];
    if (UNLIKELY(!w->both))
        return psc_end_any(m, r, levels, w);
    m->count.psc_hits++;
    p2->way = w->way;
    p2->entry[w->way] = (struct tlb_entry){p2->key, p2->data};
    p2->shorts[w->way] = key_short(p2->key);
    repl_lru_use(p2->state, b.ways2, w->way);
    if (!w->hit & (repl_lru_newest(p3->state, b.ways3) != p3->way))
        repl_lru_use(p3->state, b.ways3, p3->way);
    return 2u - w->hit;
}

/* ---- the loop ---- */

/* How the loop is built: constants at each call, so that what they rule out is not there. */
struct shape {
    uint32_t stride1, stride2;
    bool pow2; /* both levels have a power of two of sets */
    unsigned levels;
    bool classes, psc; /* misses are told apart; there are paging-structure caches */
    bool caches;       /* there are data caches */
};

static inline uint32_t set_of(const struct tlb *t, uint64_t key, bool pow2)
{
    return pow2 ? (uint32_t)(key >> KEY_SIZE_BITS & t->pow2_mask) : tlb_set(t, key);
}

/* The way of key in the set that begins at slot, or TLB_NONE. */
static INLINE int way_of(const struct tlb *t, size_t slot, uint64_t key, uint32_t stride)
{
    uint16_t wanted = key_short(key);
    uint32_t bits = 0;
    UNROLL
    for (uint32_t at = 0; at < stride; at += TLB_LANES)
        bits |= lanes_equal(t->shorts + slot + at, wanted) << at;
    for (; bits; bits &= bits - 1)
        if (LIKELY(entry_serves(&t->entry[slot + (uint32_t)__builtin_ctz(bits)], key)))
            return __builtin_ctz(bits);
    return TLB_NONE;
}

/* Puts a page in the place of the oldest of a full set and makes it the newest. Returns its slot.
 */
static INLINE size_t replace_oldest(const struct tlb *t, uint32_t set, size_t slot, uint64_t key,
                                    uint64_t data)
{
    uint32_t last = 4 * (t->config.ways - 1);
    uint64_t order = t->state[set];
    uint32_t way = (uint32_t)(order >> last) & 15;
    t->state[set] = (order ^ (uint64_t)way << last) << 4 | way;
    t->entry[slot + way] = (struct tlb_entry){key, data};
    t->shorts[slot + way] = key_short(key);
    return slot + way;
}

/* ---- classes of misses ---- */

static __attribute__((noinline)) uint32_t *page_ask(struct mmu *m, struct front_region *r,
                                                    unsigned level, va_t va, uint64_t key)
{
    struct classify_group *g = classify_group(m->classify[level], key);
    if (region_is(r, va))
        r->group[level] = g;
    return g ? classify_page(g, key) : NULL;
}

/* The page was hit or filled; *class is that of a miss. */
static INLINE enum miss_class class_use(struct mmu *m, struct front_region *r, bool mine,
                                        unsigned level, va_t va, uint64_t key)
{
    uint32_t *page;
    if (LIKELY(mine && r->group[level]))
        page = classify_page(r->group[level], key);
    else
        page = page_ask(m, r, level, va, key);
    return LIKELY(page) ? classify_use_page(m->classify[level], page, key) : MISS_COLD;
}

/* Host speed only: a miss looks into arrays too large for the host's caches; what it will need
 * there is fetched while misses before it are worked on. */
#define AHEAD 8u

static INLINE void miss_prefetch(struct mmu *m, va_t va, bool classes, unsigned first,
                                 unsigned second)
{
    const struct front_region *r = region_of(m, va);
    if (!region_is(r, va))
        return;
    unsigned index = va_index(va, 1);
    __builtin_prefetch(&r->table[index]);
    if (classes && r->group[first])
        __builtin_prefetch(&r->group[first]->page[index]);
    if (classes && r->group[second])
        __builtin_prefetch(&r->group[second]->page[index]);
}

struct batch {
    size_t done, l1_misses, l2_misses, reads;
    cycles_t walk, data; /* with data caches */
};

/* What does not change while a batch runs. */
struct loop {
    struct tlb t1, t2;
    struct rights rights;
    struct leaf_rule rule;
    uint64_t space, batch;
    unsigned first, second;
    struct psc_batch psc;
    struct classify *c1;
    uint64_t *class1, *class2; /* counters */
};

static INLINE struct loop loop_of(struct mmu *m, enum access how)
{
    unsigned first = mmu_first(m, how), second = mmu_second(m, how);
    return (struct loop){.t1 = m->tlb[first],
                         .t2 = m->tlb[second],
                         .rights = front_rights(m, how),
                         .rule = leaf_rule(m, how),
                         .space = mmu_space(m),
                         .batch = m->front.batch,
                         .first = first,
                         .second = second,
                         .psc = psc_batch(&m->psc),
                         .c1 = m->classify[first],
                         .class1 = m->count.tlb[first].by_class,
                         .class2 = m->count.tlb[second].by_class};
}

/* The walker's reads, from an entry of this level down. */
static cycles_t cached_walk(struct mmu *m, const struct front_region *r, va_t va, unsigned level)
{
    cycles_t cycles = 0;
    for (; level; level--) {
        pa_t pa = level > 1 ? r->pa[level - 1] : r->pa[0] + sizeof(pte_t) * va_index(va, 1);
        cycles +=
            caches_access(&m->caches, m->env, &m->count.cache, pa, sizeof(pte_t), false, true);
    }
    return cycles;
}

/* A hit of the first level in this slot. false: it does not allow the access. */
static INLINE bool touch_hit(const struct loop *l, uint32_t set, size_t slot, uint32_t way,
                             struct shape shape, pa_t *page)
{
    const struct tlb_entry *e = &l->t1.entry[slot + way];
    if (UNLIKELY(!data_allows(l->rights, e->data)))
        return false;
    l->t1.state[set] = repl_front(l->t1.state[set], way);
    if (shape.classes)
        classify_use_slot(l->c1, slot + way, e->key);
    *page = e->data & PTE_FRAME;
    return true;
}

/* A miss of the first level, whose set begins at slot. false: nothing was done, it is not ordinary.
 */
static INLINE bool touch_miss(struct mmu *m, const struct loop *l, va_t va, uint64_t key,
                              uint32_t set, size_t slot, struct shape shape, struct batch *b,
                              pa_t *page)
{
    struct front_region *r = region_of(m, va);
    bool mine = region_is(r, va);
    uint32_t set2 = set_of(&l->t2, key, shape.pow2);
    size_t slot2 = (size_t)set2 * shape.stride2;
    int way2 = way_of(&l->t2, slot2, key, shape.stride2);
    uint64_t data = 0;
    struct psc_way steps = {0};
    bool found = way2 != TLB_NONE;
    if (found && UNLIKELY(l->t2.entry[slot2 + (size_t)way2].key != key))
        return false; /* a global entry of another PCID */
    if (found)
        data = l->t2.entry[slot2 + (size_t)way2].data;
    else if (l->t2.valid[set2] == l->t2.config.ways)
        data = region_walk(m, r, va, &mine, l->batch, l->rule);
    bool full = l->t1.valid[set] == l->t1.config.ways;
    if (UNLIKELY(!full || !data || !data_allows(l->rights, data)))
        return false;
    if (shape.psc && !found && !psc_begin(m, r, shape.levels, l->psc, &steps))
        return false;
    if (found) {
        l->t2.state[set2] = repl_front(l->t2.state[set2], (uint32_t)way2);
        if (shape.classes)
            class_use(m, r, mine, l->second, va, key);
    } else {
        unsigned reads = shape.psc ? psc_end(m, r, shape.levels, l->psc, &steps) : shape.levels;
        b->reads += reads;
        if (shape.caches)
            b->walk += cached_walk(m, r, va, reads);
        replace_oldest(&l->t2, set2, slot2, key, data);
        if (shape.classes)
            l->class2[class_use(m, r, mine, l->second, va, key)]++;
        b->l2_misses++;
    }
    slot = replace_oldest(&l->t1, set, slot, key, data);
    if (shape.classes) {
        l->class1[class_use(m, r, mine, l->first, va, key)]++;
        l->c1->hint[slot] = l->c1->newest;
    }
    b->l1_misses++;
    *page = data & PTE_FRAME;
    return true;
}

static INLINE struct batch touch_lru(struct mmu *m, const va_t *va, size_t n, enum access how,
                                     struct shape shape)
{
    const struct loop l = loop_of(m, how);
    struct batch b = {0};
    size_t i = 0;
    while (i < n) {
        va_t at = va[i];
        if (UNLIKELY(!key_tells(at)))
            break;
        uint64_t key = key_make(at, SIZE_4K, l.space);
        uint32_t set = set_of(&l.t1, key, shape.pow2);
        size_t slot = (size_t)set * shape.stride1;
        int way = way_of(&l.t1, slot, key, shape.stride1);
        if (way == TLB_NONE && i + AHEAD < n)
            miss_prefetch(m, va[i + AHEAD], shape.classes, l.first, l.second);
        pa_t page;
        if (!(way == TLB_NONE ? touch_miss(m, &l, at, key, set, slot, shape, &b, &page)
                              : touch_hit(&l, set, slot, (uint32_t)way, shape, &page)))
            break;
        do {
            if (shape.caches)
                b.data += cached_data(m, page | (va[i] & PAGE_MASK), 1, how);
            i++;
        } while (i < n && (va[i] ^ at) < PAGE_SIZE);
    }
    b.done = i;
    return b;
}

#define BARE                                                                                       \
    {                                                                                              \
        TLB_LANES, 2 * TLB_LANES, true, 4, false, false, false                                     \
    }
#define FULL                                                                                       \
    {                                                                                              \
        TLB_LANES, 2 * TLB_LANES, true, 4, true, true, false                                       \
    }

static struct batch touch_bare(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return touch_lru(m, va, n, how, (struct shape)BARE);
}

static struct batch touch_full(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return touch_lru(m, va, n, how, (struct shape)FULL);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define NEWER_HOST 1
/* The same code with the instructions of newer processors: shifts without flags count most. */
#define NEWER __attribute__((target("avx2,bmi,bmi2")))

static NEWER struct batch newer_bare(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return touch_lru(m, va, n, how, (struct shape)BARE);
}

static NEWER struct batch newer_full(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return touch_lru(m, va, n, how, (struct shape)FULL);
}
#endif

/* What the level's configuration makes of it; TLBs of the default geometry have code of their own,
 * with all that the default configuration switches on and with nothing of it. */
static struct shape shape_of(const struct mmu *m, enum access how)
{
    const struct tlb *t1 = &m->tlb[mmu_first(m, how)], *t2 = &m->tlb[mmu_second(m, how)];
    return (struct shape){t1->stride,
                          t2->stride,
                          is_pow2(t1->config.sets) && is_pow2(t2->config.sets),
                          mmu_levels(&m->regs),
                          m->config.classify,
                          m->psc.any,
                          m->caches.on};
}

static struct batch touch_fitting(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    struct shape s = shape_of(m, how);
    bool common = s.stride1 == TLB_LANES && s.stride2 == 2 * TLB_LANES && s.pow2 && s.levels == 4 &&
                  s.classes == s.psc && !s.caches;
    if (!common)
        return touch_lru(m, va, n, how, s);
#ifdef NEWER_HOST
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return s.psc ? newer_full(m, va, n, how) : newer_bare(m, va, n, how);
#endif
    return s.psc ? touch_full(m, va, n, how) : touch_bare(m, va, n, how);
}

static void batch_count(struct mmu *m, const struct batch *b, enum access how)
{
    unsigned first = mmu_first(m, how), second = mmu_second(m, how);
    struct tlb_counters *l1 = &m->count.tlb[first], *l2 = &m->count.tlb[second];
    count_accesses(m, b->done, how, b->done);
    count_hits(m, first, b->done - b->l1_misses);
    l1->lookups += b->l1_misses;
    l1->misses += b->l1_misses;
    l1->fills += b->l1_misses;
    l1->evictions += b->l1_misses;
    l2->lookups += b->l1_misses;
    l2->hits += b->l1_misses - b->l2_misses;
    l2->misses += b->l2_misses;
    l2->fills += b->l2_misses;
    l2->evictions += b->l2_misses;
    mmu_charge(m, &m->count.cycles_tlb,
               (b->l1_misses - b->l2_misses) * m->config.tlb[second].hit_cycles);
    m->count.walks += b->l2_misses;
    m->count.psc_lookups += m->psc.any ? b->l2_misses : 0;
    m->count.walk_reads += b->reads;
    mmu_charge(m, &m->count.cycles_walk,
               m->caches.on ? b->walk : b->reads * m->config.walk_read_cycles);
    mmu_charge(m, &m->count.cycles_data, b->data);
}

/* The set of a 4 KiB page that was missed is that of its own key, unless a larger page is known. */
static bool classes_small(const struct mmu *m, unsigned level)
{
    return !m->config.classify || !classify_knows_larger(m->classify[level]);
}

/* Large pages, the record for OPT, prefetches and what moves between levels are the plain path's.
 */
bool batch_ordinary(const struct mmu *m, enum access how)
{
    unsigned first = mmu_first(m, how), second = mmu_second(m, how);
    return packed_lru(&m->tlb[first]) && packed_lru(&m->tlb[second]) && !m->config.opt &&
           m->config.inclusion == INCLUSION_NINE && m->config.coalesce < 2 &&
           m->config.prefetch == PREFETCH_OFF && only_small(m, first) && only_small(m, second) &&
           classes_small(m, first) && classes_small(m, second);
}

size_t batch_touch(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    regions_check(m);
    m->front.batch++;
    struct batch b = touch_fitting(m, va, n, how);
    batch_count(m, &b, how);
    return b.done;
}
