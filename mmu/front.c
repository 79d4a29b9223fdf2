/* front.c: hits of the first level, and batches of accesses with their misses.
 *
 * Why it is exact: the tags, orders and translations it reads and writes are those of the TLBs
 * themselves; there is no second copy that could differ. What it remembers besides are host
 * pointers only, checked against the epoch of the RAM, and table entries, compared with the RAM at
 * each walk. Repeated accesses to one page change no order, so they are only counted.
 */
#include "mmu/front.h"

#include "mmu/core.h"
#include "sim/base/check.h"

#include <string.h>

/* A write through a clean entry needs a walk, so here the dirty flag counts as a right. */
static struct rights front_rights(const struct mmu *m, enum access how)
{
    struct rights r = rights_of(&m->regs, how);
    if (how == ACCESS_WRITE) {
        r.mask |= TLB_DIRTY;
        r.want |= TLB_DIRTY;
    }
    return r;
}

static void count_accesses(struct mmu *m, size_t n, enum access how, size_t bytes)
{
    m->count.accesses += n;
    m->count.bytes += bytes;
    *(how == ACCESS_READ    ? &m->count.loads
      : how == ACCESS_WRITE ? &m->count.stores
                            : &m->count.fetches) += n;
    mmu_charge(m, &m->count.cycles_data, n * m->config.data_cycles);
}

static void count_hits(struct mmu *m, size_t n)
{
    m->count.tlb[TLB_L1D].lookups += n;
    m->count.tlb[TLB_L1D].hits += n;
    mmu_charge(m, &m->count.cycles_tlb, n * m->config.tlb[TLB_L1D].hit_cycles);
}

/* ---- one access ---- */

/* The bytes of a frame on the host, to write if asked; NULL: outside RAM. */
static uint8_t *frame_bytes(struct mmu *m, pfn_t pfn, bool write)
{
    struct front_frame *f = &m->front.frame[pfn % FRONT_FRAMES];
    if (f->pfn == pfn && f->epoch == ram_epoch(m->ram) && (f->writable || !write))
        return f->bytes;
    if (pfn >= ram_size(m->ram) >> PAGE_SHIFT)
        return NULL;
    f->pfn = pfn;
    f->writable = write;
    f->bytes = write ? ram_frame_write(m->ram, pfn) : (uint8_t *)(uintptr_t)ram_frame(m->ram, pfn);
    f->epoch = ram_epoch(m->ram);
    return f->bytes;
}

static void copy(struct mmu *m, va_t va, pfn_t pfn, uint8_t *buf, size_t n, enum access how)
{
    uint8_t *bytes = frame_bytes(m, pfn, how == ACCESS_WRITE);
    if (bytes && how == ACCESS_WRITE)
        memcpy(bytes + (va & PAGE_MASK), buf, n);
    else if (bytes)
        memcpy(buf, bytes + (va & PAGE_MASK), n);
    else if (how != ACCESS_WRITE)
        memset(buf, 0, n);
}

bool front_access(struct mmu *m, va_t va, uint8_t *buf, size_t n, enum access how)
{
    struct tlb *t = &m->tlb[TLB_L1D];
    uint64_t key = key_make(va, SIZE_4K);
    uint32_t set = tlb_set(t, key);
    int way = tlb_find(t, set, key);
    if (way == TLB_NONE)
        return false;
    uint64_t data = t->data[tlb_slot(t, set, (uint32_t)way)];
    if (!rights_allow(front_rights(m, how), data_flags(data)))
        return false;
    tlb_hit(t, set, (uint32_t)way);
    if (m->classify[TLB_L1D])
        classify_use(m->classify[TLB_L1D], key);
    count_hits(m, 1);
    count_accesses(m, 1, how, n);
    if (buf)
        copy(m, va, data_pfn(data), buf, n, how);
    return true;
}

/* ---- batches, any configuration: hits only ---- */

/* After two hits in a row no policy has anything more to learn from a third. */
static size_t touch_hits(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    size_t i = 0;
    while (i < n && front_access(m, va[i], NULL, 1, how)) {
        size_t first = i++;
        while (i < n && va[i] >> PAGE_SHIFT == va[first] >> PAGE_SHIFT)
            i++;
        count_hits(m, i - first - 1);
        count_accesses(m, i - first - 1, how, i - first - 1);
    }
    return i;
}

/* ---- batches where both levels are LRU in packed orders and pages are small ---- */

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

static bool regs_same(const struct mmu_regs *a, const struct mmu_regs *b)
{
    return a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer &&
           a->maxphyaddr == b->maxphyaddr;
}

/* Regions are good for the tables of one root, as they stood at one epoch of the RAM. */
static void generation_check(struct mmu *m)
{
    struct front *f = &m->front;
    if (f->generation && f->epoch == ram_epoch(m->ram) && regs_same(&f->regs, &m->regs))
        return;
    f->generation++;
    f->epoch = ram_epoch(m->ram);
    f->regs = m->regs;
}

/* Walks once the plain way, and remembers the way where it is an ordinary one. */
static bool region_learn(struct mmu *m, struct front_region *r, va_t va)
{
    struct walk w;
    walk_read(m->ram, &m->regs, va, &w);
    if (!w.present || w.to.page_size != PAGE_SIZE)
        return false;
    for (unsigned i = 0; i + 1 < w.steps; i++)
        if (!(w.step[i].entry & PTE_A))
            return false;
    for (unsigned i = 0; i < LEVELS_MAX - 1; i++) {
        const struct walk_step *step = &w.step[i + 1 < w.steps ? i : 0];
        const uint8_t *frame = ram_frame(m->ram, step->pa >> PAGE_SHIFT);
        r->at[i] = (const pte_t *)(const void *)(frame + (step->pa & PAGE_MASK));
        r->entry[i] = step->entry;
    }
    const struct walk_step *leaf = &w.step[w.steps - 1];
    r->table = (const pte_t *)(const void *)ram_frame(m->ram, leaf->pa >> PAGE_SHIFT);
    r->flags = w.step[w.steps - 2].flags;
    r->region = va >> (PAGE_SHIFT + 9);
    r->generation = m->front.generation;
    return true;
}

static inline bool region_same(const struct front_region *r)
{
    pte_t differs = 0;
    for (unsigned i = 0; i < LEVELS_MAX - 1; i++)
        differs |= *r->at[i] ^ r->entry[i];
    return !differs;
}

/* A walk that changes nothing: the data of the new TLB entry; 0: not an ordinary walk. */
static inline uint64_t region_walk(struct mmu *m, va_t va, struct leaf_rule rule)
{
    uint64_t number = va >> (PAGE_SHIFT + 9);
    struct front_region *r = &m->front.region[number % FRONT_REGIONS];
    bool known = (r->region ^ number) == 0 && r->generation == m->front.generation;
    if (__builtin_expect(!known || !region_same(r), 0))
        if (!region_learn(m, r, va))
            return 0;
    pte_t leaf = r->table[va_index(va, 1)];
    if (__builtin_expect((leaf & rule.mask) != rule.want, 0))
        return 0;
    return (leaf & PTE_FRAME) | walk_leaf_flags(&m->regs, leaf, r->flags);
}

/* Puts a page in the place of the oldest of a full set and makes it the newest. */
static inline void replace_oldest(const struct tlb *t, uint32_t set, uint32_t stride, uint64_t key,
                                  uint64_t data)
{
    uint32_t ways = t->config.ways;
    uint64_t order = t->state[set];
    uint32_t way = repl_oldest(order, ways);
    uint64_t all = ~(uint64_t)0 >> (64 - 4 * ways);
    size_t slot = (size_t)set * stride + way;
    t->key[slot] = key;
    t->data[slot] = data;
    t->shorts[slot] = tlb_short(t, key);
    t->state[set] = (order << 4 | way) & all;
}

struct batch {
    size_t done, l1_misses, l2_misses;
};

/* The strides are constants at each call, so that the searches are unrolled. */
static inline __attribute__((always_inline)) struct batch touch_lru(struct mmu *m, const va_t *va,
                                                                    size_t n, enum access how,
                                                                    uint32_t stride1,
                                                                    uint32_t stride2)
{
    const struct tlb l1 = m->tlb[TLB_L1D], l2 = m->tlb[TLB_L2];
    const struct rights rights = front_rights(m, how);
    const struct leaf_rule rule = leaf_rule(m, how);
    struct batch b = {0, 0, 0};
    vpn_t last = UINT64_MAX;
    size_t i = 0;
    for (; i < n; i++) {
        vpn_t vpn = va[i] >> PAGE_SHIFT;
        if (vpn == last)
            continue;
        uint64_t key = vpn << 2 | SIZE_4K;
        uint32_t set = tlb_set(&l1, key);
        int way = tlb_find_in(&l1, set, key, stride1);
        if (way != TLB_NONE) {
            uint64_t data = l1.data[(size_t)set * stride1 + (uint32_t)way];
            if (!rights_allow(rights, data_flags(data)))
                break;
            l1.state[set] = repl_front(l1.state[set], (uint32_t)way);
            last = vpn;
            continue;
        }
        uint32_t set2 = tlb_set(&l2, key);
        int way2 = tlb_find_in(&l2, set2, key, stride2);
        uint64_t data;
        if (way2 != TLB_NONE)
            data = l2.data[(size_t)set2 * stride2 + (uint32_t)way2];
        else
            data = region_walk(m, va[i], rule);
        bool full = l1.valid[set] == l1.config.ways && l2.valid[set2] == l2.config.ways;
        if (__builtin_expect(!full || !data || !rights_allow(rights, data_flags(data)), 0))
            break;
        if (way2 != TLB_NONE) {
            l2.state[set2] = repl_front(l2.state[set2], (uint32_t)way2);
        } else {
            replace_oldest(&l2, set2, stride2, key, data);
            b.l2_misses++;
        }
        replace_oldest(&l1, set, stride1, key, data);
        b.l1_misses++;
        last = vpn;
    }
    b.done = i;
    return b;
}

static struct batch touch_narrow(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return touch_lru(m, va, n, how, TLB_LANES, 2 * TLB_LANES);
}

static struct batch touch_any(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return touch_lru(m, va, n, how, m->tlb[TLB_L1D].stride, m->tlb[TLB_L2].stride);
}

static void batch_count(struct mmu *m, const struct batch *b, enum access how)
{
    struct tlb_counters *l1 = &m->count.tlb[TLB_L1D], *l2 = &m->count.tlb[TLB_L2];
    count_accesses(m, b->done, how, b->done);
    count_hits(m, b->done - b->l1_misses);
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
               (b->l1_misses - b->l2_misses) * m->config.tlb[TLB_L2].hit_cycles);
    uint64_t reads = b->l2_misses * mmu_levels(&m->regs);
    m->count.walks += b->l2_misses;
    m->count.walk_reads += reads;
    mmu_charge(m, &m->count.cycles_walk, reads * m->config.walk_read_cycles);
}

static bool packed_lru(const struct tlb *t)
{
    return t->config.sets && t->config.repl == REPL_LRU && t->config.ways <= REPL_PACKED_WAYS;
}

/* Large pages, classes and paging-structure caches are the plain path's. */
static bool ordinary(const struct mmu *m)
{
    const struct tlb *l1 = &m->tlb[TLB_L1D], *l2 = &m->tlb[TLB_L2];
    bool small =
        !l1->held[SIZE_2M] && !l1->held[SIZE_1G] && !l2->held[SIZE_2M] && !l2->held[SIZE_1G];
    return small && packed_lru(l1) && packed_lru(l2) && !m->config.classify && !m->psc.any;
}

size_t front_touch(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    if (!ordinary(m))
        return touch_hits(m, va, n, how);
    generation_check(m);
    bool narrow = m->tlb[TLB_L1D].stride == TLB_LANES && m->tlb[TLB_L2].stride == 2 * TLB_LANES;
    struct batch b = narrow ? touch_narrow(m, va, n, how) : touch_any(m, va, n, how);
    batch_count(m, &b, how);
    return b.done;
}

void front_forget(struct mmu *m)
{
    m->front.generation++;
    for (unsigned i = 0; i < FRONT_FRAMES; i++)
        m->front.frame[i].epoch = 0;
}
