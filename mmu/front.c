/* front.c: hits of the first level, one by one; batches with their misses are batch.c's.
 *
 * Why it is exact: the tags, orders and translations it reads and writes are those of the TLBs
 * themselves; there is no second copy that could differ. What it remembers besides are host
 * pointers, checked against the epoch of the RAM, and places of pages, forgotten whenever something
 * else may have changed their sets. Repeated accesses to one page change no order, so they are only
 * counted.
 */
#include "mmu/front.h"

#include "mmu/batch.h"
#include "mmu/levels.h"
#include "sim/base/check.h"

#include <string.h>

/* ---- the pages that hit last, for struct hot ----
 *
 * A slot serves one set of the first level (or several, where there are more than slots), so it
 * holds the page of the set's last hit, or nothing. Where sets are not found by the low bits of the
 * page number, or the order of all pages is kept for their classes, there is one slot for all.
 */

static bool recall(struct hot *hot, va_t va, bool write);

void front_init(struct mmu *m)
{
    struct hot *hot = &m->front.hot;
    hot->recall = recall;
    m->front.born = 1;
    m->front.plain_lru = packed_lru(&m->tlb[TLB_L1D]) && !m->config.classify && !m->config.opt;
    uint32_t sets = m->config.tlb[TLB_L1D].sets;
    hot->bus = m->env->bus;
    hot->epoch = ram_epoch_at(m->ram);
    hot->clock = &m->env->cycle;
    hot->cycles = m->config.tlb[TLB_L1D].hit_cycles + m->config.data_cycles;
    m->front.apart = m->config.inclusion == INCLUSION_NINE && m->config.coalesce < 2 &&
                     m->config.prefetch == PREFETCH_OFF && is_pow2(sets) && sets <= FRONT_NOTES;
    hot->mask = is_pow2(sets) && !m->config.classify ? min_u64(sets, HOT_SLOTS) - 1 : 0;
    front_close(m);
}

void front_close(struct mmu *m)
{
    struct hot *hot = &m->front.hot;
    for (uint64_t i = 0; i <= hot->mask; i++)
        hot->slot[i].read = hot->slot[i].write = HOT_NONE;
    m->front.born++;
}

void front_settle(struct mmu *m)
{
    struct hot *hot = &m->front.hot;
    uint64_t n = hot->loads + hot->stores;
    m->count.accesses += n;
    m->count.loads += hot->loads;
    m->count.stores += hot->stores;
    m->count.bytes += n * sizeof(uint64_t) - hot->fewer;
    m->count.tlb[TLB_L1D].lookups += n;
    m->count.tlb[TLB_L1D].hits += n;
    m->count.cycles_tlb += n * m->config.tlb[TLB_L1D].hit_cycles;
    m->count.cycles_data += n * m->config.data_cycles;
    hot->loads = hot->stores = hot->fewer = 0;
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

static void copy(uint8_t *bytes, uint8_t *buf, size_t n, enum access how)
{
    if (bytes && how == ACCESS_WRITE)
        memcpy(bytes, buf, n);
    else if (bytes)
        memcpy(buf, bytes, n);
    else if (how != ACCESS_WRITE)
        memset(buf, 0, n);
}

/* Notes of one set of the first level have numbers that are equal modulo its sets. */
static void forget_set(struct mmu *m, vpn_t vpn)
{
    struct hot *hot = &m->front.hot;
    uint64_t sets = m->tlb[TLB_L1D].config.sets;
    struct hot_slot *slot = &hot->slot[vpn & hot->mask];
    slot->read = slot->write = HOT_NONE;
    for (uint64_t i = vpn % sets; i < FRONT_NOTES; i += sets)
        m->front.note[i].born = 0;
}

void front_passed(struct mmu *m, va_t va, size_t n)
{
    uint64_t pages = ((va & PAGE_MASK) + n - 1) / PAGE_SIZE + 1;
    if (!m->front.apart || pages > 2 || !only_small(m, TLB_L1D)) {
        front_close(m);
        return;
    }
    for (uint64_t i = 0; i < pages; i++)
        forget_set(m, (va >> PAGE_SHIFT) + i);
}

/* An entry of the first level that an access hits. */
struct found {
    struct tlb *tlb; /* NULL: there is none, or it does not allow the access */
    unsigned level;
    uint32_t set, way;
    struct tlb_entry entry;
};

/* true: there is an entry of this size, whether it allows the access or not. */
static INLINE bool look_for(struct mmu *m, va_t va, enum access how, struct tlb *t,
                            enum size_code size, struct found *f)
{
    uint64_t key = key_make(va, size, mmu_space(m));
    f->set = tlb_set(t, key);
    int way = tlb_find(t, f->set, key);
    if (way == TLB_NONE)
        return false;
    f->way = (uint32_t)way;
    f->entry = t->entry[tlb_slot(t, f->set, f->way)];
    if (rights_allow(front_rights(m, how), data_flags(f->entry.data)))
        f->tlb = t;
    return true;
}

/* As in levels.c, of several entries for one address the smallest answers. */
static __attribute__((noinline)) void look_larger(struct mmu *m, va_t va, enum access how,
                                                  struct found *f)
{
    for (enum size_code size = SIZE_4K + 1; size < SIZE_CODES; size++) {
        struct tlb *t = &m->tlb[levels_array(m, f->level, size)];
        if (t->held[size] && look_for(m, va, how, t, size, f))
            return;
    }
}

static INLINE struct found look(struct mmu *m, va_t va, enum access how)
{
    struct found f = {.level = mmu_first(m, how)};
    if (!look_for(m, va, how, &m->tlb[f.level], SIZE_4K, &f))
        look_larger(m, va, how, &f);
    return f;
}

/* The frame of va's 4 KiB: an entry has the first one that it maps. */
static INLINE pfn_t found_pfn(const struct found *f, va_t va)
{
    uint64_t pages = size_pages(key_size(f->entry.key));
    return data_pfn(f->entry.data) + (va >> PAGE_SHIFT & (pages - 1));
}

/* It is the newest of its set now. */
static INLINE void use(struct mmu *m, const struct found *f)
{
    tlb_hit(f->tlb, f->set, f->way);
    struct classify *c = m->classify[f->level];
    if (c && f->tlb == &m->tlb[f->level])
        classify_use_slot(c, tlb_slot(f->tlb, f->set, f->way), f->entry.key);
    else if (c)
        classify_use(c, f->entry.key);
    if (m->opt[f->level])
        opt_use(m->opt[f->level], f->entry.key);
}

/* The page that was hit is the last one of its set. note NULL: nothing is known of its bytes. */
static INLINE void make_last(struct hot *hot, vpn_t vpn, const struct front_note *note)
{
    struct hot_slot *slot = &hot->slot[vpn & hot->mask];
    slot->read = note ? note->read : HOT_NONE;
    slot->write = note ? note->write : HOT_NONE;
    slot->bytes = note ? note->bytes : NULL;
}

/* Takes a note of a page that was just hit. What is allowed besides this access is noted too,
 * unless the frame's bytes would have to be copied for it. */
static void take_note(struct mmu *m, vpn_t vpn, const struct found *f, uint8_t *bytes,
                      enum access how)
{
    struct hot *hot = &m->front.hot;
    struct front_note *note = &m->front.note[vpn % FRONT_NOTES];
    uint32_t flags = data_flags(f->entry.data);
    const struct front_frame *frame = &m->front.frame[data_pfn(f->entry.data) % FRONT_FRAMES];
    bool read = how == ACCESS_READ || rights_allow(front_rights(m, ACCESS_READ), flags);
    bool write = how == ACCESS_WRITE ||
                 (frame->writable && rights_allow(front_rights(m, ACCESS_WRITE), flags));
    if (hot->good_at != *hot->epoch) {
        front_close(m);
        hot->good_at = *hot->epoch;
    }
    *note = (struct front_note){.born = m->front.born,
                                .read = read ? vpn : HOT_NONE,
                                .write = write ? vpn : HOT_NONE,
                                .bytes = bytes,
                                .key = f->entry.key,
                                .set = f->set,
                                .way = f->way};
    make_last(hot, vpn, note);
}

bool front_access(struct mmu *m, va_t va, uint8_t *buf, size_t n, enum access how)
{
    if (!key_tells(va))
        return false;
    struct found f = look(m, va, how);
    if (!f.tlb)
        return false;
    use(m, &f);
    count_hits(m, f.level, 1);
    count_accesses(m, 1, how, n);
    uint8_t *bytes = buf ? frame_bytes(m, found_pfn(&f, va), how == ACCESS_WRITE) : NULL;
    bool small = key_size(f.entry.key) == SIZE_4K;
    if (m->caches.on) {
        pa_t pa = found_pfn(&f, va) << PAGE_SHIFT | (va & PAGE_MASK);
        mmu_charge(m, &m->count.cycles_data, cached_data(m, pa, n, how));
    } else if (bytes && how != ACCESS_FETCH && small)
        take_note(m, va >> PAGE_SHIFT, &f, bytes, how);
    else if (f.level == TLB_L1D)
        make_last(&m->front.hot, small ? va >> PAGE_SHIFT : f.set, NULL);
    if (buf)
        copy(bytes ? bytes + (va & PAGE_MASK) : NULL, buf, n, how);
    return true;
}

/* A hit of a page of which there is a note: all of front_access but the counts, which are hot.h's.
 */
static bool recall(struct hot *hot, va_t va, bool write)
{
    struct mmu *m = (struct mmu *)(void *)((char *)hot - offsetof(struct mmu, front.hot));
    vpn_t vpn = va >> PAGE_SHIFT;
    const struct front_note *note = &m->front.note[vpn % FRONT_NOTES];
    if (note->born != m->front.born || (write ? note->write : note->read) != vpn)
        return false;
    struct tlb *t = &m->tlb[TLB_L1D];
    if (m->front.plain_lru)
        t->state[note->set] = repl_front(t->state[note->set], note->way);
    else
        use(m, &(struct found){t, TLB_L1D, note->set, note->way, {note->key, 0}});
    make_last(hot, vpn, note);
    return true;
}

/* ---- batches, any configuration: hits only ---- */

/* After two hits in a row no policy of a TLB has anything more to learn from a third. */
static size_t touch_hits(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    size_t i = 0;
    while (i < n && front_access(m, va[i], NULL, 1, how)) {
        size_t first = i++;
        while (!m->caches.on && i < n && va[i] >> PAGE_SHIFT == va[first] >> PAGE_SHIFT)
            i++;
        count_hits(m, mmu_first(m, how), i - first - 1);
        count_accesses(m, i - first - 1, how, i - first - 1);
    }
    return i;
}

size_t front_touch(struct mmu *m, const va_t *va, size_t n, enum access how)
{
    return batch_ordinary(m, how) ? batch_touch(m, va, n, how) : touch_hits(m, va, n, how);
}

void front_forget(struct mmu *m)
{
    front_close(m);
    regions_forget(&m->front.regions);
    for (unsigned i = 0; i < FRONT_FRAMES; i++)
        m->front.frame[i].epoch = 0;
}
