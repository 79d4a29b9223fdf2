/* repl.h: replacement policies: which way of a full set is thrown out.
 *
 * A policy is a table of functions over the 64-bit words of state that the TLB keeps for each of
 * its sets, so all state travels in time with the TLB. Invalid ways never come here: the TLB fills
 * them first by itself. Adding a policy: its functions and one line of the table in repl.c, and
 * one name in enum repl_policy.
 */
#ifndef MEMWALK_MMU_REPL_H
#define MEMWALK_MMU_REPL_H

#include "mmu/mmu.h"

/* An order of up to 16 ways in one word, four bits each: the most recent way in the lowest. */
#define REPL_PACKED_WAYS 16u

/* The paths that need speed are large, so the compiler would not do it by itself. */
#define REPL_INLINE inline __attribute__((always_inline))

struct repl_ops {
    uint32_t (*words)(uint32_t ways); /* words of state for one set */
    void (*init)(uint64_t *set, uint32_t ways);
    void (*hit)(uint64_t *set, uint32_t ways, uint32_t way);
    void (*fill)(uint64_t *set, uint32_t ways, uint32_t way);
    uint32_t (*victim)(uint64_t *set, uint32_t ways, struct rng *);     /* all ways are valid */
    uint32_t (*rank)(const uint64_t *set, uint32_t ways, uint32_t way); /* 0: would go first */
    bool way_count_pow2; /* works for powers of two up to 64 only */
};

/* The functions of a policy for sets of so many ways. */
const struct repl_ops *repl_for(enum repl_policy, uint32_t ways);

/* Moves way to the front of a packed order. No branch: which way hits cannot be predicted. */
static REPL_INLINE uint64_t repl_front(uint64_t order, uint32_t way)
{
    const uint64_t ones = UINT64_C(0x1111111111111111);
    uint64_t differs = order ^ (way * ones);
    /* The lowest nibble that is zero marks its top bit first. */
    uint64_t zero = (differs - ones) & ~differs & (ones << 3);
    unsigned at = (unsigned)__builtin_ctzll(zero) - 3;
    uint64_t newer = order & (((uint64_t)1 << at) - 1);
    uint64_t older = order & (~(uint64_t)0 << at << 4);
    return older | newer << 4 | way;
}

/* The oldest way of a packed order. */
static REPL_INLINE uint32_t repl_oldest(uint64_t order, uint32_t ways)
{
    return (uint32_t)(order >> (4 * (ways - 1))) & 15;
}

/* Makes the oldest way of a packed order the newest, and returns it. */
static REPL_INLINE uint32_t repl_turn(uint64_t *order, uint32_t ways)
{
    uint32_t last = 4 * (ways - 1);
    uint64_t way = *order >> last;
    *order = (*order ^ way << last) << 4 | way;
    return (uint32_t)way;
}

/* An order of more ways is a ring of 16-bit numbers: the newest way, then for each way the next
 * newer and the next older one. The next newer than the newest is the oldest. */
#define REPL_RING_NEWER(way) (1 + 2 * (way))
#define REPL_RING_OLDER(way) (2 + 2 * (way))

static REPL_INLINE uint32_t repl_ring_oldest(const uint16_t *ring)
{
    return ring[REPL_RING_NEWER(ring[0])];
}

/* Makes a way the newest. For the oldest, the ring only turns. */
static REPL_INLINE void repl_ring_use(uint16_t *ring, uint32_t way)
{
    uint32_t newest = ring[0], oldest = repl_ring_oldest(ring);
    if (way == newest)
        return;
    ring[0] = (uint16_t)way;
    if (way == oldest)
        return;
    uint16_t newer = ring[REPL_RING_NEWER(way)], older = ring[REPL_RING_OLDER(way)];
    ring[REPL_RING_OLDER(newer)] = older;
    ring[REPL_RING_NEWER(older)] = newer;
    ring[REPL_RING_OLDER(way)] = (uint16_t)newest;
    ring[REPL_RING_NEWER(way)] = (uint16_t)oldest;
    ring[REPL_RING_NEWER(newest)] = ring[REPL_RING_OLDER(oldest)] = (uint16_t)way;
}

/* ---- LRU by its name, in whatever form so many ways have it ---- */

static REPL_INLINE uint32_t repl_lru_oldest(const uint64_t *set, uint32_t ways)
{
    if (ways <= REPL_PACKED_WAYS)
        return repl_oldest(*set, ways);
    return repl_ring_oldest((const uint16_t *)(const void *)set);
}

static REPL_INLINE uint32_t repl_lru_newest(const uint64_t *set, uint32_t ways)
{
    return ways <= REPL_PACKED_WAYS ? *set & 15 : *(const uint16_t *)(const void *)set;
}

static REPL_INLINE void repl_lru_use(uint64_t *set, uint32_t ways, uint32_t way)
{
    if (ways <= REPL_PACKED_WAYS)
        *set = repl_front(*set, way);
    else
        repl_ring_use((uint16_t *)(void *)set, way);
}

/* Makes the oldest way the newest, and returns it. */
static REPL_INLINE uint32_t repl_lru_turn(uint64_t *set, uint32_t ways)
{
    if (ways <= REPL_PACKED_WAYS)
        return repl_turn(set, ways);
    uint16_t *ring = (uint16_t *)(void *)set;
    return ring[0] = (uint16_t)repl_ring_oldest(ring);
}

#endif
