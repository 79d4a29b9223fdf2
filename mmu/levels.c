/* levels.c: the levels of TLB together: who is asked first, who is filled, what is forgotten.
 *
 * Everything that a level does is counted and told here, so no other file can forget to.
 *
 *   L1 data          ┐            each level: one array for all sizes,
 *                    ├─▶ L2       or others beside it for 2 MiB and 1 GiB
 *   L1 instructions  ┘            (instructions may have a second level too)
 */
#include "mmu/levels.h"

#include "sim/base/check.h"

/* Where a translation stands. */
struct place {
    uint64_t key; /* the entry's own */
    unsigned array;
    uint32_t set, way;
};

/* ---- arrays of a level ---- */

unsigned levels_array(const struct mmu *m, unsigned level, enum size_code size)
{
    unsigned further = size < SIZE_2M ? 0 : size == SIZE_2M ? 1 : 2;
    unsigned array = level + TLB_LEVELS * further;
    return mmu_has_level(m, array) ? array : level;
}

static struct tlb_entry *place_entry(struct mmu *m, const struct place *at)
{
    struct tlb *t = &m->tlb[at->array];
    return &t->entry[tlb_slot(t, at->set, at->way)];
}

/* ---- pages and their pieces ---- */

/* The size of the entry in which a level holds a page. */
static enum size_code entry_size(const struct mmu *m, unsigned level, uint32_t flags)
{
    enum size_code size = flags_size(flags);
    if (flags & TLB_RUN)
        return (enum size_code)(SIZE_4K + __builtin_ctz(m->config.coalesce));
    uint64_t largest = m->config.largest[level];
    if (size == SIZE_1G && largest && largest < GIB)
        size = SIZE_2M;
    if (size == SIZE_2M && largest && largest < 2 * MIB)
        size = SIZE_4K;
    return size;
}

/* Frames are counted from that of va's 4 KiB: back to the first of the page, or of the entry. */
static uint64_t data_moved(uint64_t data, va_t va, enum size_code from, enum size_code to)
{
    pfn_t mine = data_pfn(data) + (va >> PAGE_SHIFT & (size_pages(from) - 1));
    return data_make(align_down(mine, size_pages(to)), data_flags(data));
}

static uint64_t entry_data(uint64_t data, va_t va, enum size_code size)
{
    return data_moved(data, va, flags_size(data_flags(data)), size);
}

static uint64_t page_data(const struct tlb_entry *e, va_t va)
{
    return data_moved(e->data, va, key_size(e->key), flags_size(data_flags(e->data)));
}

/* ---- one level ---- */

/* Sizes are looked for only where the level holds some; of several entries for one address, the
 * smallest wins. */
static bool level_find(const struct mmu *m, unsigned level, va_t va, struct place *at)
{
    uint64_t space = mmu_space(m);
    for (enum size_code size = SIZE_4K; size < SIZE_CODES; size++) {
        at->array = levels_array(m, level, size);
        const struct tlb *t = &m->tlb[at->array];
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

static void level_hit(struct mmu *m, unsigned level, const struct place *at)
{
    m->count.tlb[level].hits++;
    tlb_hit(&m->tlb[at->array], at->set, at->way);
    if (m->classify[level])
        classify_use(m->classify[level], at->key);
    if (m->opt[level])
        opt_use(m->opt[level], at->key);
    mmu_charge(m, &m->count.cycles_tlb, m->config.tlb[level].hit_cycles);
    EMIT(m->env, tlb_hit, .level = at->array + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key), .pfn = data_pfn(place_entry(m, at)->data));
}

/* The page's size is not known at a miss: set and class are those of a page that the level would
 * hold had it been there, a 4 KiB page unless a larger one is known to have been filled. */
static uint64_t missed_key(const struct mmu *m, unsigned level, va_t va)
{
    const struct classify *c = m->classify[level];
    uint64_t space = mmu_space(m);
    uint64_t key = key_make(va, SIZE_4K, space);
    if (!c || !classify_knows_larger(c))
        return key;
    for (enum size_code size = SIZE_8K; size < SIZE_CODES; size++) {
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
    unsigned array = levels_array(m, level, key_size(key));
    enum miss_class class = MISS_CLASSES;
    if (m->classify[level])
        count->by_class[class = classify_miss(m->classify[level], key)]++;
    count->misses++;
    EMIT(m->env, tlb_miss, .level = array + 1, .set = tlb_set(&m->tlb[array], key),
         .vpn = key_vpn(key), .class = class);
}

static bool level_lookup(struct mmu *m, unsigned level, va_t va, struct place *at)
{
    m->count.tlb[level].lookups++;
    if (!level_find(m, level, va, at)) {
        level_miss(m, level, va);
        return false;
    }
    level_hit(m, level, at);
    return true;
}

/* Puts an entry in; *victim is what it threw out, key 0: nothing. */
static void level_put(struct mmu *m, unsigned level, uint64_t key, uint64_t data,
                      struct tlb_entry *victim)
{
    unsigned array = levels_array(m, level, key_size(key));
    struct tlb *t = &m->tlb[array];
    uint32_t set = tlb_set(t, key);
    uint32_t way = tlb_put(t, &m->env->rng, set, key, data, victim);
    m->count.tlb[level].fills++;
    m->count.tlb[level].evictions += victim->key != 0;
    if (m->classify[level])
        classify_use(m->classify[level], key);
    if (m->opt[level])
        opt_use(m->opt[level], key);
    EMIT(m->env, tlb_fill, .level = array + 1, .set = set, .way = way, .vpn = key_vpn(key),
         .pfn = data_pfn(data), .flags = data_flags(data), .pcid = key_pcid(key),
         .size = size_pages(key_size(key)) * PAGE_SIZE,
         .victim = victim->key ? key_vpn(victim->key) : 0, .evicts = victim->key != 0);
}

static void place_gone(struct mmu *m, const struct place *at)
{
    tlb_remove(&m->tlb[at->array], at->set, at->way);
    EMIT(m->env, tlb_drop, .level = at->array + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key));
}

/* An instruction or a fault makes a level forget. Where the levels share nothing, the second one
 * would have had the page too, so both learn that it was invalidated. */
static void place_drop(struct mmu *m, const struct place *at)
{
    unsigned level = at->array % TLB_LEVELS;
    m->count.tlb[level].invalidations++;
    for (unsigned i = 0; i < TLB_LEVELS; i++)
        if (m->classify[i] && (i == level || m->config.inclusion == INCLUSION_EXCLUSIVE))
            classify_drop(m->classify[i], at->key);
    if (m->opt[level])
        opt_drop(m->opt[level], at->key);
    place_gone(m, at);
}

/* ---- inclusive: the first level has nothing that the second has not ---- */

static bool overlap(uint64_t key, uint64_t other)
{
    vpn_t a = key_vpn(key), b = key_vpn(other);
    return a < b + size_pages(key_size(other)) && b < a + size_pages(key_size(key)) &&
           !((key ^ other) & (KEY_PCID | KEY_GUEST));
}

/* Pieces of the victim may stand in any set; an entry of its own size, in one. */
static void array_lose(struct mmu *m, unsigned array, uint64_t victim)
{
    const struct tlb *t = &m->tlb[array];
    struct place at = {.array = array};
    for (at.set = 0; at.set < t->config.sets; at.set++) {
        for (at.way = 0; t->valid[at.set] && at.way < t->config.ways; at.way++) {
            at.key = t->entry[tlb_slot(t, at.set, at.way)].key;
            if (!at.key || !overlap(at.key, victim))
                continue;
            m->count.tlb[array % TLB_LEVELS].back_invalidations++;
            place_gone(m, &at);
        }
    }
}

static void back_invalidate(struct mmu *m, unsigned second, uint64_t victim)
{
    for (unsigned array = 0; array < TLB_ARRAYS; array++) {
        unsigned level = array % TLB_LEVELS;
        bool above = level == TLB_L1I ? second == mmu_second(m, ACCESS_FETCH)
                                      : level == TLB_L1D && second == TLB_L2;
        if (above)
            array_lose(m, array, victim);
    }
}

static void second_put(struct mmu *m, unsigned second, uint64_t key, uint64_t data)
{
    struct tlb_entry victim;
    level_put(m, second, key, data, &victim);
    if (victim.key && m->config.inclusion == INCLUSION_INCLUSIVE)
        back_invalidate(m, second, victim.key);
}

/* ---- exclusive: a translation is in one of the levels ---- */

/* An entry leaves the second level: for the first, or because a newer copy of it comes. */
static void second_take(struct mmu *m, const struct place *at)
{
    EMIT(m->env, tlb_move, .level = at->array + 1, .set = at->set, .way = at->way,
         .vpn = key_vpn(at->key));
    tlb_remove(&m->tlb[at->array], at->set, at->way);
}

static void second_victim(struct mmu *m, unsigned second, const struct tlb_entry *victim)
{
    struct place at = {.array = levels_array(m, second, key_size(victim->key))};
    const struct tlb *t = &m->tlb[at.array];
    at.set = tlb_set(t, victim->key);
    for (at.way = 0; at.way < t->config.ways; at.way++) {
        at.key = t->entry[tlb_slot(t, at.set, at.way)].key;
        if (at.key == victim->key)
            second_take(m, &at);
    }
    second_put(m, second, victim->key, victim->data);
}

/* ---- filling ---- */

static void first_put(struct mmu *m, va_t va, enum access how, uint64_t space, uint64_t data)
{
    unsigned first = mmu_first(m, how), second = mmu_second(m, how);
    enum size_code size = entry_size(m, first, data_flags(data));
    struct tlb_entry victim;
    level_put(m, first, key_make(va, size, space), entry_data(data, va, size), &victim);
    if (victim.key && m->config.inclusion == INCLUSION_EXCLUSIVE)
        second_victim(m, second, &victim);
}

bool levels_lookup(struct mmu *m, va_t va, enum access how, uint64_t *data)
{
    struct place at;
    unsigned second = mmu_second(m, how);
    bool first = level_lookup(m, mmu_first(m, how), va, &at);
    if (!first && (!mmu_has_level(m, second) || !level_lookup(m, second, va, &at)))
        return false;
    *data = page_data(place_entry(m, &at), va);
    if (first)
        return true;
    if (m->config.inclusion == INCLUSION_EXCLUSIVE)
        second_take(m, &at);
    first_put(m, va, how, at.key & (KEY_PCID | KEY_GUEST), *data);
    return true;
}

void levels_fill(struct mmu *m, va_t va, enum access how, uint64_t data)
{
    uint64_t space = mmu_space(m);
    unsigned second = mmu_second(m, how);
    if (mmu_has_level(m, second) && m->config.inclusion != INCLUSION_EXCLUSIVE) {
        enum size_code size = entry_size(m, second, data_flags(data));
        second_put(m, second, key_make(va, size, space), entry_data(data, va, size));
    }
    first_put(m, va, how, space, data);
}

/* Only entries that say the same but for D: others, stale or of more pages, stay as they are. */
static void level_dirty(struct mmu *m, unsigned level, va_t va, uint64_t data)
{
    struct place at;
    if (!level_find(m, level, va, &at))
        return;
    struct tlb_entry *entry = place_entry(m, &at);
    uint64_t now = page_data(entry, va);
    if (now == data || (now | TLB_DIRTY) != data)
        return;
    entry->data |= TLB_DIRTY;
    EMIT(m->env, tlb_dirty, .level = at.array + 1, .set = at.set, .way = at.way,
         .vpn = key_vpn(at.key));
}

void levels_dirty(struct mmu *m, va_t va, uint64_t data)
{
    static const unsigned order[TLB_LEVELS] = {TLB_L2I, TLB_L1I, TLB_L2, TLB_L1D};
    for (unsigned i = 0; i < TLB_LEVELS; i++)
        level_dirty(m, order[i], va, data);
}

/* ---- forgetting ---- */

/* Does the page that the entry belongs to cover va? */
static bool entry_covers(const struct tlb_entry *e, va_t va)
{
    enum size_code size = key_size(e->key), page = flags_size(data_flags(e->data));
    uint64_t differs = (key_vpn(e->key) ^ va >> PAGE_SHIFT) << (64 - VA_BITS_KEPT + PAGE_SHIFT);
    size = page > size ? page : size;
    return !(differs >> (64 - VA_BITS_KEPT + size_shift(size)));
}

/* Drops what a set holds in the scope; page: only what covers va. */
static void set_drop(struct mmu *m, struct place at, const va_t *va, const struct scope *scope)
{
    const struct tlb *t = &m->tlb[at.array];
    for (at.way = 0; t->valid[at.set] && at.way < t->config.ways; at.way++) {
        const struct tlb_entry *e = place_entry(m, &at);
        at.key = e->key;
        bool wanted = at.key && (!va || entry_covers(e, *va));
        if (wanted && scope_has(scope, at.key, (e->data & TLB_GLOBAL) != 0))
            place_drop(m, &at);
    }
}

static void array_drop(struct mmu *m, unsigned array, va_t va, const struct scope *scope)
{
    const struct tlb *t = &m->tlb[array];
    struct place at = {.array = array};
    /* Pieces of one page may stand in all sets. */
    for (at.set = 0; t->pieces && at.set < t->config.sets; at.set++)
        set_drop(m, at, &va, scope);
    for (enum size_code size = SIZE_4K; size < SIZE_CODES; size++) {
        at.set = tlb_set(t, key_make(va, size, 0));
        if (t->held[size])
            set_drop(m, at, &va, scope);
    }
}

void levels_drop(struct mmu *m, va_t va, const struct scope *scope)
{
    prefetch_drop(m, va);
    for (unsigned array = 0; array < TLB_ARRAYS; array++)
        if (mmu_has_level(m, array))
            array_drop(m, array, va, scope);
}

void levels_flush(struct mmu *m, const struct scope *scope)
{
    prefetch_flush(m);
    for (unsigned array = 0; array < TLB_ARRAYS; array++) {
        struct place at = {.array = array};
        for (; at.set < m->tlb[array].config.sets; at.set++)
            set_drop(m, at, NULL, scope);
    }
}
