/* rng.h: the one source of chance. Seeded, so a machine is a function of (configuration, trace).
 *
 * SplitMix64 (Steele, Lea, Flood, 2014): one word of state, equally distributed over 64 bits, and
 * small enough to live in every machine's arena.
 */
#ifndef MEMWALK_BASE_RNG_H
#define MEMWALK_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in [0, n), n > 0, by multiplying instead of dividing; the bias is below n / 2^32. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

#endif
