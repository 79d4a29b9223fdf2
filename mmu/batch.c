/* batch.c: batches of accesses where both levels are LRU in packed orders and pages are small.
 *
 * The loop does hits of the first level and misses whose walk neither faults nor marks an entry. It
 * looks at everything first and changes something only when nothing can stop the access any more.
 * What it costs the host is instructions, so what does not change within a region of 2 MiB, or
 * within a batch, is worked out once for it.
 *
 * What paging-structure caches, data caches and the classes of the second level make of an access
 * decides nothing in the loop. So they come after it, each in a loop of its own over a record of
 * what missed: short loops, of which the host works on several turns at once.
 */
#include "mmu/batch.h"

#include "mmu/levels.h"

#include <string.h>

#define UNROLL _Pragma("GCC unroll 8") /* loops over a few constants */

/* ---- the record ---- */

/* A miss of the first level. */
struct miss {
    uint64_t key;
    bool walked; /* the second level missed it too */
};

/* One or more accesses to a page in a row. */
struct use {
    pa_t page;
    uint32_t end; /* one behind its last access */
    bool missed, walked;
};

#define RECORD 256u

struct record {
    struct miss miss[RECORD];
    uint8_t region[RECORD + 1]; /* region_at of the misses that walked, in their order */
    uint8_t reads[RECORD];      /* entries that these walks read */
    unsigned misses, walks;
    struct use use[RECORD]; /* only with data caches */
    unsigned uses;
};

/* What does not change while a batch runs. */
struct loop {
    struct tlb t1, t2;
    bool full1, full2; /* all ways of all sets are valid */
    struct rights rights;
    bool simple;                   /* rights ask for no more than … */
    uint64_t data_mask, data_want; /* … this of a TLB entry's data */
    pte_t leaf_mask, leaf_want;    /* what an ordinary walk finds in the lowest entry */
    uint64_t space;
    unsigned first, second;
};

static bool is_full(const struct tlb *t)
{
    return t->held[SIZE_4K] == (uint64_t)t->config.sets * t->config.ways;
}

static struct loop loop_of(const struct mmu *m, enum access how)
{
    struct rights r = front_rights(m, how);
    struct loop l = {.rights = r,
                     .data_mask = r.mask,
                     .data_want = r.want,
                     .simple = !(r.deny_user | r.deny_supervisor),
                     .leaf_want = PTE_P | PTE_A | (how == ACCESS_WRITE ? PTE_D : 0),
                     .space = mmu_space(m),
                     .first = mmu_first(m, how),
                     .second = mmu_second(m, how)};
    l.t1 = m->tlb[l.first];
    l.t2 = m->tlb[l.second];
    l.full1 = is_full(&l.t1);
    l.full2 = is_full(&l.t2);
    l.leaf_mask = l.leaf_want | walk_reserved(&m->regs, 0, 1);
    return l;
}

/* How the loop is built: constants at each call, so that what they rule out is not there. */
struct shape {
    uint32_t stride1, stride2;
    bool pow2;            /* both levels have a power of two of sets */
    bool warm;            /* both levels are full, and rights are simple */
    bool record;          /* something comes after the loop */
    bool classes, caches; /* misses are told apart; there are data caches */
};

/* ---- searching and replacing ---- */

static inline uint32_t set_of(const struct tlb *t, uint64_t key, bool pow2)
{
    return pow2 ? (uint32_t)(key >> KEY_SIZE_BITS & t->pow2_mask) : tlb_set(t, key);
}

/* Two bits for each lane of up to 16 that holds the short tag. */
static INLINE uint32_t lanes_of(const uint16_t *shorts, uint16_t wanted, uint32_t stride)
{
    uint32_t bits = 0;
    UNROLL
    for (uint32_t at = 0; at < stride; at += TLB_LANES)
        bits |= lanes_twice(shorts + at, wanted) << 2 * at;
    return bits;
}

/* The way of key in the set that begins at slot, or TLB_NONE. */
static INLINE int way_of(const struct tlb *t, size_t slot, uint64_t key, uint32_t stride)
{
    uint32_t bits = lanes_of(t->shorts + slot, key_short(key), stride);
    for (; bits; bits &= bits - 1) {
        uint32_t way = (uint32_t)__builtin_ctz(bits) / 2;
        if (LIKELY(entry_serves(&t->entry[slot + way], key)))
            return (int)way;
    }
    return TLB_NONE;
}

/* Puts a page in the place of the oldest of a full set and makes it the newest. Returns its slot.
 */
static INLINE size_t replace_oldest(const struct tlb *t, uint32_t set, size_t slot, uint64_t key,
                                    uint64_t data)
{
    slot += repl_turn(&t->state[set], t->config.ways);
    t->entry[slot] = (struct tlb_entry){key, data};
    t->shorts[slot] = key_short(key);
    return slot;
}

/* Is the set full? Elsewhere a page goes into a way that is invalid, not into the oldest. */
static INLINE bool is_warm(const struct tlb *t, uint32_t set, bool full, struct shape shape)
{
    return shape.warm || full || t->valid[set] == t->config.ways;
}

/* Rights as rights_allow judges them, but quicker. */
static INLINE bool data_allows(const struct loop *l, uint64_t data, struct shape shape)
{
    return (LIKELY((data & l->data_mask) == l->data_want) && (shape.warm || l->simple)) ||
           rights_allow(l->rights, data_flags(data));
}

/* Host speed only: a miss looks into arrays too large for the host's caches; what it will need
 * there is fetched while misses before it are worked on. */
#define AHEAD 8u

static INLINE void class_prefetch(const struct classify *c, uint64_t key)
{
    const struct classify_bucket *near = classify_near(c, key);
    if (near->tag == classify_tag(key))
        __builtin_prefetch(classify_page(near->group, key));
}

static INLINE void miss_prefetch(const struct mmu *m, const struct loop *l, uint64_t key,
                                 struct shape shape)
{
    const struct region_down *down = region_known(&m->front.regions, key);
    if (down)
        __builtin_prefetch(&down->table[region_index(key)]);
    if (shape.classes) {
        class_prefetch(m->classify[l->first], key);
        class_prefetch(m->classify[l->second], key);
    }
}

/* Would the region of this page take the place of one that the record may name? */
static bool is_crowded(const struct regions *r, uint64_t key, size_t walks)
{
    uint64_t tag = r->down[region_at(key)].tag;
    return walks && region_batch(tag) == region_batch(r->batch) &&
           tag != r->batch + region_number(key);
}

/* The way down of a page that no level has; NULL: not now, or it is not ordinary. */
static INLINE const struct region_down *way_down(struct mmu *m, uint64_t key, size_t walks)
{
    const struct regions *r = &m->front.regions;
    const struct region_down *down = region_known(r, key);
    if (LIKELY(down))
        return down;
    return !is_crowded(r, key, walks) && region_enter(m, key) ? &r->down[region_at(key)] : NULL;
}

/* ---- the loop ---- */

struct done {
    size_t accesses, l1_misses, l2_misses;
    bool plain; /* the next access is not ordinary */
};

/* What the second level or else the tables say of a page. false: nothing was done; not now, or it
 * is not ordinary. */
static INLINE bool second_level(struct mmu *m, const struct loop *l, uint64_t key, size_t walks,
                                struct shape shape, uint64_t *data, bool *walked)
{
    uint32_t set = set_of(&l->t2, key, shape.pow2);
    size_t slot = (size_t)set * shape.stride2;
    int way = way_of(&l->t2, slot, key, shape.stride2);
    *walked = way == TLB_NONE;
    if (!*walked) {
        const struct tlb_entry *e = &l->t2.entry[slot + (uint32_t)way];
        *data = e->data;
        /* Another key: a global entry of another PCID. */
        if (UNLIKELY(e->key != key || !data_allows(l, *data, shape)))
            return false;
        l->t2.state[set] = repl_front(l->t2.state[set], (uint32_t)way);
        return true;
    }
    const struct region_down *down = way_down(m, key, walks);
    if (UNLIKELY(!down || !is_warm(&l->t2, set, l->full2, shape)))
        return false;
    pte_t leaf = down->table[region_index(key)];
    *data = (leaf & down->keep) | (~leaf >> 63 & down->exec);
    if (UNLIKELY((leaf & l->leaf_mask) != l->leaf_want || !data_allows(l, *data, shape)))
        return false;
    replace_oldest(&l->t2, set, slot, key, *data);
    return true;
}

static INLINE struct done touch_lru(struct mmu *m, const struct loop *loop, const va_t *va,
                                    size_t n, struct shape shape, struct record *rec)
{
    const struct loop l = *loop;
    struct classify *c1 = m->classify[l.first];
    uint64_t *class1 = m->count.tlb[l.first].by_class;
    size_t i = 0, misses = 0, walks = 0, uses = 0;
    bool plain = false;
    while (i < n && (!shape.record || (shape.caches ? uses : misses) < RECORD)) {
        va_t at = va[i];
        uint64_t key = key_make(at, SIZE_4K, l.space), data;
        uint32_t set = set_of(&l.t1, key, shape.pow2);
        size_t slot = (size_t)set * shape.stride1;
        bool walked = false;
        plain = true;
        if (UNLIKELY(!key_tells(at)))
            break;
        int way = way_of(&l.t1, slot, key, shape.stride1);
        bool hit = way != TLB_NONE;
        if (hit) {
            slot += (uint32_t)way;
            data = l.t1.entry[slot].data;
            if (UNLIKELY(!data_allows(&l, data, shape)))
                break;
            l.t1.state[set] = repl_front(l.t1.state[set], (uint32_t)way);
            if (shape.classes)
                classify_use_slot(c1, slot, l.t1.entry[slot].key);
        } else {
            if (i + AHEAD < n)
                miss_prefetch(m, &l, key_make(va[i + AHEAD], SIZE_4K, l.space), shape);
            if (UNLIKELY(!is_warm(&l.t1, set, l.full1, shape) ||
                         !second_level(m, &l, key, walks, shape, &data, &walked))) {
                plain = !is_crowded(&m->front.regions, key, walks);
                break;
            }
            slot = replace_oldest(&l.t1, set, slot, key, data);
            if (shape.classes) {
                class1[classify_use(c1, key)]++;
                c1->hint[slot] = c1->newest;
            }
            if (shape.record) {
                rec->region[walks] = (uint8_t)region_at(key);
                rec->miss[misses] = (struct miss){key, walked};
            }
            walks += walked;
            misses++;
        }
        plain = false;
        do
            i++;
        while (i < n && (va[i] ^ at) < PAGE_SIZE);
        if (shape.caches)
            rec->use[uses++] = (struct use){data & PTE_FRAME, (uint32_t)i, !hit, walked};
    }
    rec->uses = (unsigned)uses;
    rec->misses = (unsigned)misses;
    rec->walks = (unsigned)walks;
    return (struct done){.accesses = i, .l1_misses = misses, .l2_misses = walks, .plain = plain};
}

#define BARE                                                                                       \
    {                                                                                              \
        TLB_LANES, 2 * TLB_LANES, true, true, false, false, false                                  \
    }
#define FULL                                                                                       \
    {                                                                                              \
        TLB_LANES, 2 * TLB_LANES, true, true, true, true, false                                    \
    }

typedef struct done touch_fn(struct mmu *, const struct loop *, const va_t *, size_t n,
                             struct record *);

static struct done touch_bare(struct mmu *m, const struct loop *l, const va_t *va, size_t n,
                              struct record *rec)
{
    return touch_lru(m, l, va, n, (struct shape)BARE, rec);
}

static struct done touch_full(struct mmu *m, const struct loop *l, const va_t *va, size_t n,
                              struct record *rec)
{
    return touch_lru(m, l, va, n, (struct shape)FULL, rec);
}

static struct done touch_any(struct mmu *m, const struct loop *l, const va_t *va, size_t n,
                             struct record *rec)
{
    bool pow2 = is_pow2(l->t1.config.sets) && is_pow2(l->t2.config.sets);
    return touch_lru(m, l, va, n,
                     (struct shape){l->t1.stride, l->t2.stride, pow2, false, true,
                                    m->config.classify, m->caches.on},
                     rec);
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same code with the instructions of newer processors: shifts without flags count most. */
#define NEWER __attribute__((target("avx2,bmi,bmi2")))

static NEWER struct done newer_bare(struct mmu *m, const struct loop *l, const va_t *va, size_t n,
                                    struct record *rec)
{
    return touch_lru(m, l, va, n, (struct shape)BARE, rec);
}

static NEWER struct done newer_full(struct mmu *m, const struct loop *l, const va_t *va, size_t n,
                                    struct record *rec)
{
    return touch_lru(m, l, va, n, (struct shape)FULL, rec);
}

static bool newer_host(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}
#else
#define newer_bare touch_bare
#define newer_full touch_full

static bool newer_host(void)
{
    return false;
}
#endif

/* TLBs of the default geometry have code of their own. */
static touch_fn *code_for(const struct mmu *m, const struct loop *l)
{
    bool usual = l->t1.stride == TLB_LANES && l->t2.stride == 2 * TLB_LANES &&
                 is_pow2(l->t1.config.sets) && is_pow2(l->t2.config.sets) && l->full1 && l->full2 &&
                 l->simple && !m->caches.on;
    bool record = m->psc.any || m->config.classify;
    if (!usual || record != m->config.classify)
        return touch_any;
    if (newer_host())
        return record ? newer_full : newer_bare;
    return record ? touch_full : touch_bare;
}

/* ---- paging-structure caches ---- */

/* A walk where the cache of level 2 is full and that of level 3 has the region's entry as its
 * newest. Returns how many entries were read. */
static INLINE uint8_t psc_one(const struct tlb *t, struct region_psc *p)
{
    uint64_t *state = tlb_state(t, p->set);
    if (t->entry[tlb_slot(t, p->set, p->way)].key == p->key) {
        repl_lru_use(state, t->config.ways, p->way);
        return 1;
    }
    p->way = repl_lru_turn(state, t->config.ways);
    size_t slot = tlb_slot(t, p->set, p->way);
    t->entry[slot] = (struct tlb_entry){p->key, p->data};
    t->shorts[slot] = p->tag;
    return 2;
}

/* Two regions have the same entry of level 3 where their numbers have the same upper bits. */
static INLINE bool same_above(uint64_t key, uint64_t other)
{
    return !((key ^ other) / ((uint64_t)TABLE_ENTRIES << KEY_SIZE_BITS));
}

/* Is the region's entry of level 3 the newest there? */
static bool psc_newest(const struct tlb *t, const struct region_psc *p)
{
    return t->config.ways && t->entry[tlb_slot(t, p->set, p->way)].key == p->key &&
           repl_lru_newest(tlb_state(t, p->set), t->config.ways) == p->way;
}

/* Returns how many entries all walks read. */
static size_t psc_record(struct mmu *m, struct record *rec)
{
    const struct tlb t2 = m->psc.level[2], *t3 = &m->psc.level[3];
    bool full = t2.config.ways && is_full(&t2);
    uint64_t last = UINT64_MAX; /* key of a region whose entry of level 3 is the newest */
    size_t reads = 0, others = 0;
    for (unsigned i = 0; i < rec->walks; i++) {
        struct region *r = &m->front.regions.at[rec->region[i]];
        if (LIKELY(same_above(r->psc[0].key, last))) {
            rec->reads[i] = psc_one(&t2, &r->psc[0]);
        } else {
            rec->reads[i] = (uint8_t)region_psc_walk(m, r);
            others++;
            last = full && psc_newest(t3, &r->psc[1]) ? r->psc[0].key : UINT64_MAX;
        }
        reads += rec->reads[i];
    }
    m->count.psc_hits += rec->walks - others;
    return reads;
}

/* ---- classes of the second level ---- */

static void classes_record(struct mmu *m, unsigned second, const struct record *rec)
{
    struct classify *c = m->classify[second];
    uint64_t *by_class = m->count.tlb[second].by_class;
    for (unsigned i = 0; i < rec->misses; i++)
        by_class[classify_use(c, rec->miss[i].key)] += rec->miss[i].walked;
}

/* ---- data caches ---- */

/* The walker's reads, from an entry of this level down. */
static cycles_t cached_walk(struct mmu *m, const struct region *r, uint64_t key, unsigned level)
{
    cycles_t cycles = 0;
    for (; level; level--) {
        pa_t pa = level > 1 ? r->pa[level - 1] : r->pa[0] + sizeof(pte_t) * region_index(key);
        cycles +=
            caches_access(&m->caches, m->env, &m->count.cache, pa, sizeof(pte_t), false, true);
    }
    return cycles;
}

/* All that goes through the caches, in the order of the accesses. */
static void caches_record(struct mmu *m, const va_t *va, enum access how, const struct record *rec)
{
    cycles_t walk = 0, data = 0;
    unsigned misses = 0, walks = 0;
    uint32_t i = 0;
    for (unsigned u = 0; u < rec->uses; u++) {
        const struct use *use = &rec->use[u];
        if (use->walked) {
            const struct region *r = &m->front.regions.at[rec->region[walks]];
            walk += cached_walk(m, r, rec->miss[misses].key, rec->reads[walks]);
            walks++;
        }
        misses += use->missed;
        for (; i < use->end; i++)
            data += cached_data(m, use->page | (va[i] & PAGE_MASK), 1, how);
    }
    mmu_charge(m, &m->count.cycles_walk, walk);
    mmu_charge(m, &m->count.cycles_data, data);
}

/* ---- all of it ---- */

static void done_count(struct mmu *m, const struct loop *l, const struct done *d, size_t reads,
                       enum access how)
{
    struct tlb_counters *l1 = &m->count.tlb[l->first], *l2 = &m->count.tlb[l->second];
    count_accesses(m, d->accesses, how, d->accesses);
    count_hits(m, l->first, d->accesses - d->l1_misses);
    l1->lookups += d->l1_misses;
    l1->misses += d->l1_misses;
    l1->fills += d->l1_misses;
    l1->evictions += d->l1_misses;
    l2->lookups += d->l1_misses;
    l2->hits += d->l1_misses - d->l2_misses;
    l2->misses += d->l2_misses;
    l2->fills += d->l2_misses;
    l2->evictions += d->l2_misses;
    mmu_charge(m, &m->count.cycles_tlb,
               (d->l1_misses - d->l2_misses) * m->config.tlb[l->second].hit_cycles);
    m->count.walks += d->l2_misses;
    m->count.psc_lookups += m->psc.any ? d->l2_misses : 0;
    m->count.walk_reads += reads;
    if (!m->caches.on)
        mmu_charge(m, &m->count.cycles_walk, reads * m->config.walk_read_cycles);
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

/* What comes after the loop. Returns how many entries the walks read. */
static size_t record_use(struct mmu *m, const struct loop *l, const va_t *va, enum access how,
                         struct record *rec, const struct done *d)
{
    size_t reads = d->l2_misses * mmu_levels(&m->regs);
    if (m->psc.any)
        reads = psc_record(m, rec);
    else if (m->caches.on)
        memset(rec->reads, (int)mmu_levels(&m->regs), rec->walks);
    if (m->config.classify)
        classes_record(m, l->second, rec);
    if (m->caches.on)
        caches_record(m, va, how, rec);
    return reads;
}

size_t batch_touch(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    regions_begin(m);
    const struct loop l = loop_of(m, how);
    touch_fn *code = code_for(m, &l);
    struct record rec;
    struct done d = {0};
    size_t i = 0;
    for (; i < n && !d.plain; i += d.accesses) {
        d = code(m, &l, va + i, min_u64(n - i, UINT32_MAX), &rec);
        done_count(m, &l, &d, record_use(m, &l, va + i, how, &rec, &d), how);
    }
    return i;
}
