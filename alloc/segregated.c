/* segregated.c: segregated fits: one free list for each size class, boundary tags as in freelist.h.
 *
 * Sizes up to 512 have a list for each multiple of 16; above, a list for each power of two. A
 * search begins in the list of its own size and goes on upwards; the first chunk of a higher list
 * is always large enough. So a search rarely looks at more than one chunk, and first fit over such
 * lists is nearly best fit.
 *
 *   table ─▶ ┌────┬────┬────┬───┬─────┬───────────┬───────────┬───┐
 *            │ 32 │ 48 │ 64 │ … │ 512 │ 513…1023  │ 1024…2047 │ … │   heads, 8 bytes each
 *            └─┬──┴────┴─┬──┴───┴─────┴─────┬─────┴───────────┴───┘
 *              ▼         ▼                  ▼
 *             32        64 ⇄ 64            528 ⇄ 976 ⇄ 640          rings of free chunks
 *
 * Cost: malloc O(lists), and O(chunks of one class) above 512; free O(1).
 * Best: many blocks of few sizes. Worst: a class of large chunks, all a little too small.
 */
#include "alloc/freelist.h"

#define EXACT_MAX  512u
#define EXACT_BINS (EXACT_MAX / CHUNK_ALIGNMENT + 1) /* bins 0 and 1 stay empty */
#define POWER_BINS 40u
#define BINS       (EXACT_BINS + POWER_BINS)

static unsigned log2_of(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll((unsigned long long)n);
}

static unsigned bin_of(const struct heap *h, va_t chunk, uint64_t size)
{
    (void)h;
    (void)chunk;
    if (size <= EXACT_MAX)
        return (unsigned)(size / CHUNK_ALIGNMENT);
    return (unsigned)min_u64(EXACT_BINS + log2_of(size) - log2_of(EXACT_MAX), BINS - 1);
}

static const char *bin_name(unsigned bin)
{
    static const char *const exact[] = {
        "0",   "16",  "32",  "48",  "64",  "80",  "96",  "112", "128", "144", "160",
        "176", "192", "208", "224", "240", "256", "272", "288", "304", "320", "336",
        "352", "368", "384", "400", "416", "432", "448", "464", "480", "496", "512",
    };
    static const char *const power[] = {
        "513 and more", "1K",   "2K",   "4K", "8K", "16K", "32K", "64K",
        "128K",         "256K", "512K", "1M", "2M", "4M",  "8M",  "16M and more",
    };
    if (bin < EXACT_BINS)
        return exact[bin];
    return power[min_u64(bin - EXACT_BINS, ARRAY_LEN(power) - 1)];
}

static enum probe_verdict judge(uint64_t size, uint64_t need, uint64_t best)
{
    (void)size;
    (void)need;
    (void)best;
    return PROBE_TAKE;
}

static void search(struct heap *h, struct search *s)
{
    for (unsigned bin = bin_of(h, 0, s->need); bin < BINS && !s->best; bin++)
        if (!freelist_turn(h, s, bin))
            return;
}

const struct fit fit_segregated = {
    .ops = FREELIST_OPS("segregated", "a free list for each size class, first fit from its own up"),
    .judge = judge,
    .bins = BINS,
    .bin_of = bin_of,
    .bin_name = bin_name,
    .search = search,
};
