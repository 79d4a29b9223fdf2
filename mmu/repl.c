/* repl.c: the replacement policies.
 *
 * LRU and FIFO keep the exact order of the ways, packed into one word where it fits: a victim is
 * then found without a search. Time stamps would need one over all ways at each miss.
 */
#include "mmu/repl.h"

#include "sim/base/check.h"

#include <string.h>

const char *const repl_name[REPL_POLICIES] = {"lru", "fifo", "plru", "random", "srrip", "nru"};

const char *const repl_doc[REPL_POLICIES] = {
    "least recently used: the exact order of use",
    "first in, first out: the order of filling, hits change nothing",
    "tree-PLRU: one bit per node of a binary tree points away from the last use",
    "random: any way, drawn from the seeded generator",
    "SRRIP: 2-bit prediction of re-reference; new entries are distrusted until they hit",
    "NRU: one bit per way says that it was used since the bits were last cleared",
};

static void ignore_hit(uint64_t *set, uint32_t ways, uint32_t way)
{
    (void)set, (void)ways, (void)way;
}

/* ---- an exact order, packed: LRU and FIFO of up to 16 ways ---- */

static uint32_t packed_words(uint32_t ways)
{
    (void)ways;
    return 1;
}

static void packed_init(uint64_t *set, uint32_t ways)
{
    *set = 0;
    for (uint32_t way = 0; way < ways; way++)
        *set |= (uint64_t)(ways - 1 - way) << (4 * way);
}

static void packed_use(uint64_t *set, uint32_t ways, uint32_t way)
{
    (void)ways;
    *set = repl_front(*set, way);
}

static uint32_t packed_victim(uint64_t *set, uint32_t ways, struct rng *rng)
{
    (void)rng;
    return repl_oldest(*set, ways);
}

static uint32_t packed_rank(const uint64_t *set, uint32_t ways, uint32_t way)
{
    for (uint32_t i = 0; i < ways; i++)
        if ((*set >> (4 * i) & 15) == way)
            return ways - 1 - i;
    CHECK(false && "the order has every way");
    return 0;
}

/* ---- the same as a ring, for more ways ---- */

static uint32_t ring_words(uint32_t ways)
{
    return (2 * ways + 1 + 3) / 4;
}

static uint16_t *ring_of(uint64_t *set)
{
    return (uint16_t *)(void *)set;
}

/* The first way is the oldest. */
static void ring_init(uint64_t *set, uint32_t ways)
{
    uint16_t *ring = ring_of(set);
    ring[0] = (uint16_t)(ways - 1);
    for (uint32_t way = 0; way < ways; way++) {
        ring[REPL_RING_NEWER(way)] = (uint16_t)((way + 1) % ways);
        ring[REPL_RING_OLDER(way)] = (uint16_t)((way + ways - 1) % ways);
    }
}

static uint32_t ring_rank(const uint64_t *set, uint32_t ways, uint32_t way)
{
    const uint16_t *ring = (const uint16_t *)(const void *)set;
    uint32_t at = repl_ring_oldest(ring);
    for (uint32_t i = 0; i < ways; i++, at = ring[REPL_RING_NEWER(at)])
        if (at == way)
            return i;
    CHECK(false && "the ring has every way");
    return 0;
}

static void ring_use(uint64_t *set, uint32_t ways, uint32_t way)
{
    (void)ways;
    repl_ring_use(ring_of(set), way);
}

static uint32_t ring_victim(uint64_t *set, uint32_t ways, struct rng *rng)
{
    (void)ways, (void)rng;
    return repl_ring_oldest(ring_of(set));
}

/* ---- tree-PLRU: bit n of the word is node n, the root is node 1 ----
 *
 *          1           A bit says which half goes next: 0 the left, 1 the right.
 *        2   3
 *       0 1 2 3  ways
 */

static void plru_init(uint64_t *set, uint32_t ways)
{
    (void)ways;
    *set = 0;
}

static void plru_use(uint64_t *set, uint32_t ways, uint32_t way)
{
    uint32_t node = 1;
    for (uint32_t half = ways / 2; half; half /= 2) {
        uint32_t right = (way & half) != 0;
        uint64_t bit = (uint64_t)1 << node;
        *set = right ? *set & ~bit : *set | bit;
        node = 2 * node + right;
    }
}

static uint32_t plru_victim(uint64_t *set, uint32_t ways, struct rng *rng)
{
    (void)rng;
    uint32_t node = 1;
    while (node < ways)
        node = 2 * node + (*set >> node & 1);
    return node - ways;
}

/* Misses in a row would throw out each way once; the rank is the place in that row. */
static uint32_t plru_rank(const uint64_t *set, uint32_t ways, uint32_t way)
{
    uint64_t copy = *set;
    for (uint32_t rank = 0; rank < ways; rank++) {
        uint32_t victim = plru_victim(&copy, ways, NULL);
        if (victim == way)
            return rank;
        plru_use(&copy, ways, victim);
    }
    CHECK(false && "a row of misses meets every way");
    return 0;
}

/* ---- random ---- */

static uint32_t random_words(uint32_t ways)
{
    (void)ways;
    return 0;
}

static void random_init(uint64_t *set, uint32_t ways)
{
    (void)set, (void)ways;
}

static uint32_t random_victim(uint64_t *set, uint32_t ways, struct rng *rng)
{
    (void)set;
    return rng_below(rng, ways);
}

static uint32_t random_rank(const uint64_t *set, uint32_t ways, uint32_t way)
{
    (void)set, (void)ways, (void)way;
    return 0;
}

/* ---- SRRIP: two bits for each way; 3: not expected soon ----
 *
 * Jaleel, Theobald, Steely, Emer, "High Performance Cache Replacement Using Re-Reference Interval
 * Prediction" (ISCA 2010): a new entry gets 2, a hit 0, the first way with 3 goes; where none has
 * 3, all grow older until one has.
 */

#define SRRIP_PER_WORD 32u
#define SRRIP_NEW      2u
#define SRRIP_FAR      3u

static uint32_t srrip_words(uint32_t ways)
{
    return (ways + SRRIP_PER_WORD - 1) / SRRIP_PER_WORD;
}

static void srrip_set(uint64_t *set, uint32_t way, uint64_t value)
{
    uint32_t shift = way % SRRIP_PER_WORD * 2;
    uint64_t *word = &set[way / SRRIP_PER_WORD];
    *word = (*word & ~((uint64_t)3 << shift)) | value << shift;
}

static uint32_t srrip_get(const uint64_t *set, uint32_t way)
{
    return (uint32_t)(set[way / SRRIP_PER_WORD] >> (way % SRRIP_PER_WORD * 2)) & 3;
}

static void srrip_init(uint64_t *set, uint32_t ways)
{
    for (uint32_t way = 0; way < ways; way++)
        srrip_set(set, way, SRRIP_FAR);
}

static void srrip_hit(uint64_t *set, uint32_t ways, uint32_t way)
{
    (void)ways;
    srrip_set(set, way, 0);
}

static void srrip_fill(uint64_t *set, uint32_t ways, uint32_t way)
{
    (void)ways;
    srrip_set(set, way, SRRIP_NEW);
}

/* The first way of the highest value; all others grow older by what it lacked. */
static uint32_t srrip_victim(uint64_t *set, uint32_t ways, struct rng *rng)
{
    (void)rng;
    uint32_t victim = 0;
    for (uint32_t way = 1; way < ways; way++)
        if (srrip_get(set, way) > srrip_get(set, victim))
            victim = way;
    uint32_t older = SRRIP_FAR - srrip_get(set, victim);
    for (uint32_t way = 0; older && way < ways; way++)
        srrip_set(set, way, srrip_get(set, way) + older);
    return victim;
}

static uint32_t srrip_rank(const uint64_t *set, uint32_t ways, uint32_t way)
{
    uint32_t mine = srrip_get(set, way);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < ways; i++)
        rank += srrip_get(set, i) > mine || (srrip_get(set, i) == mine && i < way);
    return rank;
}

/* ---- NRU: one bit for each way; the first way whose bit is clear goes ----
 *
 * A use sets the way's bit; when that was the last clear one, all others are cleared.
 */

#define NRU_PER_WORD 64u

static uint32_t nru_words(uint32_t ways)
{
    return (ways + NRU_PER_WORD - 1) / NRU_PER_WORD;
}

static void nru_init(uint64_t *set, uint32_t ways)
{
    memset(set, 0, nru_words(ways) * sizeof(*set));
}

static bool nru_get(const uint64_t *set, uint32_t way)
{
    return set[way / NRU_PER_WORD] >> way % NRU_PER_WORD & 1;
}

/* The first way that was not used; ways: there is none. */
static uint32_t nru_first(const uint64_t *set, uint32_t ways)
{
    uint32_t way = 0;
    while (way < ways && nru_get(set, way))
        way++;
    return way;
}

static void nru_use(uint64_t *set, uint32_t ways, uint32_t way)
{
    uint64_t bit = (uint64_t)1 << way % NRU_PER_WORD;
    set[way / NRU_PER_WORD] |= bit;
    if (nru_first(set, ways) < ways)
        return;
    for (uint32_t word = 0; word < nru_words(ways); word++)
        set[word] = 0;
    set[way / NRU_PER_WORD] = bit;
}

/* Of one way only, the bit is always set. */
static uint32_t nru_victim(uint64_t *set, uint32_t ways, struct rng *rng)
{
    (void)rng;
    return nru_first(set, ways) % ways;
}

/* Those not used come first, each group in the order of its ways. */
static uint32_t nru_rank(const uint64_t *set, uint32_t ways, uint32_t way)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < ways; i++)
        rank += nru_get(set, i) == nru_get(set, way) ? i < way : nru_get(set, way);
    return rank;
}

/* ---- the table ---- */

static const struct repl_ops packed_lru = {packed_words,  packed_init, packed_use, packed_use,
                                           packed_victim, packed_rank, false};
static const struct repl_ops packed_fifo = {packed_words,  packed_init, ignore_hit, packed_use,
                                            packed_victim, packed_rank, false};

static const struct repl_ops table[REPL_POLICIES] = {
    [REPL_LRU] = {ring_words, ring_init, ring_use, ring_use, ring_victim, ring_rank, false},
    [REPL_FIFO] = {ring_words, ring_init, ignore_hit, ring_use, ring_victim, ring_rank, false},
    [REPL_PLRU] = {packed_words, plru_init, plru_use, plru_use, plru_victim, plru_rank, true},
    [REPL_RANDOM] = {random_words, random_init, ignore_hit, ignore_hit, random_victim, random_rank,
                     false},
    [REPL_NRU] = {nru_words, nru_init, nru_use, nru_use, nru_victim, nru_rank, false},
    [REPL_SRRIP] = {srrip_words, srrip_init, srrip_hit, srrip_fill, srrip_victim, srrip_rank,
                    false},
};

const struct repl_ops *repl_for(enum repl_policy policy, uint32_t ways)
{
    if (policy == REPL_LRU && ways <= REPL_PACKED_WAYS)
        return &packed_lru;
    if (policy == REPL_FIFO && ways <= REPL_PACKED_WAYS)
        return &packed_fifo;
    return &table[policy];
}
