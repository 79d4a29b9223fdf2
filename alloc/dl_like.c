/* dl_like.c: an allocator after Doug Lea's dlmalloc 2.8: exact small bins with a map of them, bins
 * for large chunks searched for the best fit, and a designated victim.
 *
 * Chunks and tags are those of freelist.h, which come from dlmalloc anyway. What is its own:
 *
 *   map ─▶ │ 0 1 1 0 … │   one bit for each bin with a chunk in it
 *   heads  │ 32 │ 48 │ … │ 1008 │ 1024… │ 1536… │ 2048… │ 3072… │ … │ victim │
 *
 *   a small request   1. its own bin: a chunk of exactly this size
 *                     2. the victim, if it is large enough
 *                     3. the next bin that the map shows: split, the rest becomes the victim
 *                     4. top
 *   a large request   1. the best fit of its bin, else the smallest of the next bin
 *                     2. the victim, if it fits better; 3. top
 *
 * The designated victim is the rest of the last split of a small request. Blocks that are asked for
 * one after the other so lie side by side, which caches and TLBs like.
 *
 * Modelled: bins, map, victim, best fit, top, immediate coalescing, mmap and trim. Not modelled:
 * the bitwise tries of the large bins (here a list of each bin is searched), footers with a magic
 * word, mspaces, sbrk failure paths, and the adaptive rate of release_checks.
 *
 * Cost: malloc O(1) for small requests, O(chunks of one bin) for large ones; free O(1).
 * Best: many small blocks. Worst: many large free chunks of nearly the same size.
 */
#include "alloc/freelist.h"

#define SMALL_MAX  1024u /* below it, a bin for each multiple of 16 */
#define SMALL_LOG  10u
#define SMALL_BINS (SMALL_MAX / CHUNK_ALIGNMENT)
#define LARGE_BINS 62u /* two for each power of two */
#define VICTIM     (SMALL_BINS + LARGE_BINS)
#define BINS       (VICTIM + 1)

static unsigned log2_of(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll((unsigned long long)n);
}

static unsigned size_bin(uint64_t size)
{
    if (size < SMALL_MAX)
        return (unsigned)(size / CHUNK_ALIGNMENT);
    unsigned power = log2_of(size);
    unsigned half = (unsigned)(size >> (power - 1) & 1);
    return (unsigned)min_u64(SMALL_BINS + 2 * (power - SMALL_LOG) + half, VICTIM - 1);
}

static unsigned bin_of(const struct heap *h, va_t chunk, uint64_t size)
{
    return chunk && chunk == freelist_of(h)->victim ? VICTIM : size_bin(size);
}

static const char *bin_name(unsigned bin)
{
    static const char *const large[] = {
        "1K",  "1.5K", "2K",  "3K",  "4K",   "6K",   "8K",   "12K",  "16K",  "24K",
        "32K", "48K",  "64K", "96K", "128K", "192K", "256K", "384K", "512K", "768K and more",
    };
    if (bin == VICTIM)
        return "victim";
    if (bin < SMALL_BINS)
        return "small bin";
    return large[min_u64(bin - SMALL_BINS, ARRAY_LEN(large) - 1)];
}

/* The map stands behind the heads, a bit for each bin but the victim. */
static va_t map_at(const struct heap *h, unsigned word)
{
    return freelist_of(h)->table + 8 * (va_t)(BINS + word);
}

static void mark(struct heap *h, unsigned bin, bool any)
{
    struct freelist *f = freelist_of(h);
    if (bin == VICTIM) {
        if (!any)
            f->victim = 0;
        return;
    }
    uint64_t word = heap_load64(h, map_at(h, bin / 64));
    uint64_t bit = UINT64_C(1) << bin % 64;
    heap_store64(h, map_at(h, bin / 64), any ? word | bit : word & ~bit);
}

/* The first bin from this one on that has a chunk; VICTIM: none. */
static unsigned next_bin(struct heap *h, unsigned from)
{
    for (unsigned word = from / 64; word <= (VICTIM - 1) / 64; word++) {
        uint64_t bits = heap_load64(h, map_at(h, word));
        if (word == from / 64)
            bits = bits >> from % 64 << from % 64;
        if (bits)
            return (unsigned)min_u64(
                64 * word + (unsigned)__builtin_ctzll((unsigned long long)bits), VICTIM);
    }
    return VICTIM;
}

static enum probe_verdict judge(uint64_t size, uint64_t need, uint64_t best)
{
    if (size == need)
        return PROBE_TAKE;
    return !best || size < best ? PROBE_BEST : PROBE_WORSE;
}

static void look_at_victim(struct heap *h, struct search *s)
{
    if (freelist_of(h)->victim)
        freelist_look_first(h, s, VICTIM);
}

static void search(struct heap *h, struct search *s)
{
    unsigned own = size_bin(s->need);
    unsigned bin = next_bin(h, own);
    bool small = s->need < SMALL_MAX;
    if (small && bin == own)
        freelist_look_first(h, s, own);
    if (small && !s->best)
        look_at_victim(h, s);
    while (!s->best && bin < VICTIM && freelist_turn(h, s, bin))
        bin = next_bin(h, bin + 1);
    if (!small && s->best_size != s->need)
        look_at_victim(h, s);
}

/* The rest of a split becomes the victim; the one before goes to its bin. */
static void keep_rest(struct heap *h, va_t rest, uint64_t size, uint64_t flags, uint64_t need)
{
    struct freelist *f = freelist_of(h);
    if (need < SMALL_MAX) {
        va_t old = f->victim;
        struct place was;
        uint64_t tag = old ? heap_load64(h, old) : 0;
        if (old && freelist_sound(h, old, tag) && freelist_remove(h, old, tag_size(tag), &was))
            freelist_insert(h, old, tag_size(tag), tag & TAG_PREV_USED, NULL);
        f->victim = rest;
    }
    freelist_insert(h, rest, size, flags, NULL);
}

static const char *check_marks(const struct heap *h)
{
    const struct freelist *f = freelist_of(h);
    for (unsigned bin = 0; bin < VICTIM; bin++) {
        bool bit = heap_peek64(h, map_at(h, bin / 64)) >> bin % 64 & 1;
        if (bit != (freelist_peek_head(h, bin) != 0))
            return "the map of the bins is wrong";
    }
    return freelist_peek_head(h, VICTIM) == f->victim ? NULL : "the victim is not in its place";
}

const struct fit fit_dl_like = {
    .ops = FREELIST_OPS("dl-like", "after dlmalloc 2.8: exact small bins, best fit, a victim"),
    .judge = judge,
    .bins = BINS,
    .extra = 16,
    .bin_of = bin_of,
    .bin_name = bin_name,
    .search = search,
    .mark = mark,
    .check_marks = check_marks,
    .keep_rest = keep_rest,
};
