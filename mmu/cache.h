/* cache.h: three levels of data cache between the MMU and RAM: what a load, a store or the walker's
 * read of an entry costs, by where its line is.
 *
 *     data, entries ──▶ L1 ──miss──▶ L2 ──miss──▶ L3 ──miss──▶ memory
 *
 * They hold tags, not bytes: the bytes are always in RAM, so a cache can say nothing that is stale
 * and only time and counts depend on it. Lines are found by physical address. A store goes to L1
 * only (write-back) and brings the line there first (write-allocate). A miss fills every level from
 * the one that answered up to L1, the outermost first. A dirty line that is thrown out is written
 * to the next level, where it takes a place if it has none.
 *
 * Without inclusion a level may throw out what a level above it keeps. With it, whatever leaves a
 * level leaves those above it too, and so each level holds all that those above it hold.
 *
 * NOTE: each processor has three levels of its own, and they are not kept coherent with those of
 * others. NOTE: the kernel's own reads and writes of RAM pass the caches by.
 */
#ifndef MEMWALK_MMU_CACHE_H
#define MEMWALK_MMU_CACHE_H

#include "mmu/tlb.h"

struct arena;

/* One level: sets × ways of lines. Each way also has a short tag, as in a TLB, so that eight ways
 * are compared at a time. */
struct cache {
    struct cache_config config;
    const struct repl_ops *ops;
    bool lru;
    uint32_t words;     /* of replacement state for one set */
    uint32_t stride;    /* ways rounded up to whole lanes: slot = set × stride + way */
    uint64_t pow2_mask; /* sets - 1 where sets is a power of two, else 0 */
    uint64_t *line;     /* [slot]: line number, dirty, valid */
    uint16_t *shorts;   /* [slot] */
    uint32_t *valid;    /* [set] valid ways */
    uint64_t *state;    /* [set × words] */
};

struct caches {
    struct cache level[CACHE_LEVELS];
    unsigned line_shift;
    cycles_t memory_cycles;
    bool inclusive;
    bool on;
};

/* All from the arena; false: no memory. */
bool caches_init(struct caches *, struct arena *, const struct mmu_config *);

/* One access to n bytes at pa, line after line; counted, told, and its cycles returned, which the
 * caller charges. walk: it is the walker's. */
cycles_t caches_access(struct caches *, struct env *, struct caches_counters *, pa_t, size_t n,
                       bool write, bool walk);

/* Copies one line out. */
void caches_line(const struct caches *, unsigned level, uint32_t set, uint32_t way,
                 struct cache_line *);

#endif
