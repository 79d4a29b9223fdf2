/* batch.h: batches of accesses on the fast path, and what single ones (front.c) share with them.
 */
#ifndef MEMWALK_MMU_BATCH_H
#define MEMWALK_MMU_BATCH_H

#include "mmu/core.h"

#define INLINE      inline __attribute__((always_inline))
#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Are both levels, as they stand, such that batch_touch knows their misses? */
bool batch_ordinary(const struct mmu *, enum access);
/* How many of the accesses, from the first, were done; the next one is not ordinary. */
size_t batch_touch(struct mmu *, const va_t *va, size_t n, enum access);

/* A write through a clean entry needs a walk, so here the dirty flag counts as a right. */
static inline struct rights front_rights(const struct mmu *m, enum access how)
{
    struct rights r = rights_of(&m->regs, how);
    if (how == ACCESS_WRITE) {
        r.mask |= TLB_DIRTY;
        r.want |= TLB_DIRTY;
    }
    return r;
}

/* Where data caches make time depend on each address, cached_data charges it. */
static inline void count_accesses(struct mmu *m, size_t n, enum access how, size_t bytes)
{
    m->count.accesses += n;
    m->count.bytes += bytes;
    *(how == ACCESS_READ    ? &m->count.loads
      : how == ACCESS_WRITE ? &m->count.stores
                            : &m->count.fetches) += n;
    if (!m->caches.on)
        mmu_charge(m, &m->count.cycles_data, n * m->config.data_cycles);
}

static inline cycles_t cached_data(struct mmu *m, pa_t pa, size_t n, enum access how)
{
    return caches_access(&m->caches, m->env, &m->count.cache, pa, n, how == ACCESS_WRITE, false);
}

static inline void count_hits(struct mmu *m, unsigned first, size_t n)
{
    m->count.tlb[first].lookups += n;
    m->count.tlb[first].hits += n;
    mmu_charge(m, &m->count.cycles_tlb, n * m->config.tlb[first].hit_cycles);
}

static inline bool packed_lru(const struct tlb *t)
{
    return t->config.sets && t->config.repl == REPL_LRU && t->config.ways <= REPL_PACKED_WAYS;
}

/* Does a level hold whole 4 KiB pages and nothing else? */
static inline bool only_small(const struct mmu *m, unsigned level)
{
    if (m->tlb[level].pieces)
        return false;
    for (unsigned array = level; array < TLB_ARRAYS; array += TLB_LEVELS)
        for (enum size_code size = SIZE_4K + 1; size < SIZE_CODES; size++)
            if (m->tlb[array].held[size])
                return false;
    return true;
}

#endif
