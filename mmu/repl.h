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

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* An order of up to 32 ways is the age of each in a byte: 0 for the newest. Bytes of ways that
 * there are not hold an age that no way has. All are compared at once and written as they are read,
 * so the host need not wait for one use to end before it begins the next. */
#define REPL_AGES   32u
#define REPL_NO_AGE 127

/* Makes a way the newest: those that were newer grow older by one. */
static REPL_INLINE void repl_ages_use(uint8_t *age, uint32_t way)
{
    uint8_t mine = age[way];
#ifdef __SSE2__
    /* 16 bytes from REPL_AGES - way on have all their bits set where the way is. */
    static const uint8_t mark[2 * REPL_AGES] = {[REPL_AGES] = 0xff};
    __m128i before = _mm_set1_epi8((char)mine);
    for (unsigned at = 0; at < REPL_AGES; at += 16) {
        __m128i *part = (__m128i *)(void *)(age + at);
        __m128i ages = _mm_loadu_si128(part);
        const void *place = mark + REPL_AGES + at - way;
        ages = _mm_sub_epi8(ages, _mm_cmplt_epi8(ages, before));
        _mm_storeu_si128(part, _mm_andnot_si128(_mm_loadu_si128((const __m128i *)place), ages));
    }
#else
    for (unsigned i = 0; i < REPL_AGES; i++)
        age[i] = (uint8_t)(age[i] + (age[i] < mine));
    age[way] = 0;
#endif
}

static REPL_INLINE uint32_t repl_ages_oldest(const uint8_t *age, uint32_t ways)
{
#ifdef __SSE2__
    __m128i oldest = _mm_set1_epi8((char)(ways - 1));
    uint32_t bits = 0;
    for (unsigned at = 0; at < REPL_AGES; at += 16) {
        __m128i ages = _mm_loadu_si128((const __m128i *)(const void *)(age + at));
        bits |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(ages, oldest)) << at;
    }
    return (uint32_t)__builtin_ctz(bits);
#else
    uint32_t way = 0;
    while (age[way] != ways - 1)
        way++;
    return way;
#endif
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

static REPL_INLINE void repl_lru_use(uint64_t *set, uint32_t ways, uint32_t way)
{
    if (ways <= REPL_PACKED_WAYS)
        *set = repl_front(*set, way);
    else if (ways <= REPL_AGES)
        repl_ages_use((uint8_t *)set, way);
    else
        repl_ring_use((uint16_t *)(void *)set, way);
}

static REPL_INLINE uint32_t repl_lru_oldest(const uint64_t *set, uint32_t ways)
{
    if (ways <= REPL_PACKED_WAYS)
        return repl_oldest(*set, ways);
    if (ways <= REPL_AGES)
        return repl_ages_oldest((const uint8_t *)set, ways);
    return repl_ring_oldest((const uint16_t *)(const void *)set);
}

static REPL_INLINE uint32_t repl_lru_newest(const uint64_t *set, uint32_t ways)
{
    if (ways <= REPL_PACKED_WAYS)
        return (uint32_t)*set & 15;
    if (ways <= REPL_AGES)
        return repl_ages_oldest((const uint8_t *)set, 1);
    return *(const uint16_t *)(const void *)set;
}

#endif
