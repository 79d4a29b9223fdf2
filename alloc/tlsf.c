/* tlsf.c: two-level segregated fit: a free chunk is found by two bit scans, never by a search.
 *
 * The first level are the powers of two, the second cuts each into 16 equal steps. One bitmap tells
 * which powers have free chunks, one for each power tells which steps. A request is rounded up to
 * the next step, so that every chunk of the list found is large enough and the first is taken:
 *
 *   first level    1 0 0 1 …        bit 3: some chunk of 1024…2047 is free
 *                        │
 *   second level   0 1 0 0 0 1 …    bit 1: of 1088…1151; bit 5: of 1344…1407
 *                    │
 *   heads            ▼              one ring of free chunks for each bit (freelist.h)
 *
 * So malloc and free take constant time whatever the heap looks like: made for real-time systems.
 * The price is the rounding: a chunk that would fit may be passed over.
 * Source: Masmano, Ripoll, Crespo and Real, "TLSF: a new dynamic memory allocator for real-time
 * systems", 2004.
 * NOTE: the original works in pools that it is given; here the pool is the heap below the break,
 * which grows, and its unused end is top.
 *
 * Cost: malloc and free O(1). Best: anything with a deadline. Worst: a request a little above a
 * step.
 */
#include "alloc/freelist.h"

#define STEPS      16u /* of each power of two */
#define STEP_BITS  4u
#define LINEAR_MAX 256u /* below it, the steps are 16 bytes: row 0 */
#define LINEAR_LOG 8u
#define ROWS       41u
#define BINS       (ROWS * STEPS)

static unsigned log2_of(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll((unsigned long long)n);
}

static unsigned bin_of(const struct heap *h, va_t chunk, uint64_t size)
{
    (void)h;
    (void)chunk;
    if (size < LINEAR_MAX)
        return (unsigned)(size / CHUNK_ALIGNMENT);
    unsigned power = log2_of(size);
    unsigned row = (unsigned)min_u64(power - LINEAR_LOG + 1, ROWS - 1);
    return row * STEPS + (unsigned)(size >> (power - STEP_BITS) & (STEPS - 1));
}

static const char *bin_name(unsigned bin)
{
    static const char *const row[] = {
        "below 256", "256",  "512",  "1K",   "2K", "4K", "8K", "16K",         "32K",
        "64K",       "128K", "256K", "512K", "1M", "2M", "4M", "8M and more",
    };
    return row[min_u64(bin / STEPS, ARRAY_LEN(row) - 1)];
}

/* The bitmaps stand behind the heads: the first level, then a word for each row. */
static va_t map_at(const struct heap *h, unsigned word)
{
    return freelist_of(h)->table + 8 * (va_t)(BINS + word);
}

static void mark(struct heap *h, unsigned bin, bool any)
{
    unsigned row = bin / STEPS;
    uint64_t bit = UINT64_C(1) << bin % STEPS;
    uint64_t before = heap_load64(h, map_at(h, 1 + row));
    uint64_t steps = any ? before | bit : before & ~bit;
    heap_store64(h, map_at(h, 1 + row), steps);
    if ((before != 0) == (steps != 0))
        return;
    uint64_t rows = heap_load64(h, map_at(h, 0));
    heap_store64(h, map_at(h, 0), rows ^ UINT64_C(1) << row);
}

/* The size at which the step above begins, so that any chunk of its list fits. */
static uint64_t round_up(uint64_t need)
{
    if (need < LINEAR_MAX)
        return need;
    return need + (UINT64_C(1) << (log2_of(need) - STEP_BITS)) - 1;
}

static void search(struct heap *h, struct search *s)
{
    unsigned bin = bin_of(h, 0, round_up(s->need));
    unsigned row = bin / STEPS;
    uint64_t steps = heap_load64(h, map_at(h, 1 + row)) >> bin % STEPS << bin % STEPS;
    if (!steps) {
        uint64_t rows = heap_load64(h, map_at(h, 0)) & ~((UINT64_C(2) << row) - 1);
        if (!rows)
            return;
        row = (unsigned)__builtin_ctzll((unsigned long long)rows);
        if (row >= ROWS)
            heap_complain(h, MISUSE_CORRUPT, map_at(h, 0));
        else
            steps = heap_load64(h, map_at(h, 1 + row));
    }
    unsigned step = steps ? (unsigned)__builtin_ctzll((unsigned long long)steps) : STEPS;
    if (step < STEPS)
        freelist_look_first(h, s, row * STEPS + step);
    else
        heap_complain(h, MISUSE_CORRUPT, map_at(h, 0));
}

static enum probe_verdict judge(uint64_t size, uint64_t need, uint64_t best)
{
    (void)size;
    (void)need;
    (void)best;
    return PROBE_TAKE;
}

static const char *check_marks(const struct heap *h)
{
    uint64_t rows = 0;
    for (unsigned row = 0; row < ROWS; row++) {
        uint64_t steps = 0;
        for (unsigned step = 0; step < STEPS; step++)
            if (freelist_peek_head(h, row * STEPS + step))
                steps |= UINT64_C(1) << step;
        rows |= (uint64_t)(steps != 0) << row;
        if (heap_peek64(h, map_at(h, 1 + row)) != steps)
            return "a second-level bitmap is wrong";
    }
    return heap_peek64(h, map_at(h, 0)) == rows ? NULL : "the first-level bitmap is wrong";
}

const struct fit fit_tlsf = {
    .ops = FREELIST_OPS("tlsf", "two-level segregated fit: two bit scans instead of a search"),
    .judge = judge,
    .bins = BINS,
    .extra = 8 * (1 + ROWS),
    .bin_of = bin_of,
    .bin_name = bin_name,
    .search = search,
    .mark = mark,
    .check_marks = check_marks,
};
