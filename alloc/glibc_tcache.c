/* glibc_tcache.c: the cache that each thread has for itself: 64 stacks of at most 7 chunks, by
 * size, in a chunk of the heap. No lock, no coalescing, no look at the neighbours; so it answers
 * most calls of real programs.
 *
 *   tcache ──▶ ┌──────────────────┬───────────────────────┐
 *              │ 64 × 16 bits     │ 64 × 64 bits          │
 *              │ counts           │ entries: first blocks │
 *              └──────────────────┴───────────┬───────────┘
 *                                             ▼ block
 *                                      ┌────────────────────────┐
 *                                      │ next ^ (address >> 12) │──▶ …
 *                                      ├────────────────────────┤
 *                                      │ key: in the tcache     │
 *                                      └────────────────────────┘
 *
 * The key is a random number, the same for all; a block that carries it when it is freed is looked
 * for in the stack, and that is how a double free is found.
 */
#include "alloc/glibc.h"

static va_t count_at(struct heap *h, uint64_t index)
{
    return glibc_self(h)->tcache + TC_COUNTS + index * 2;
}

static va_t entry_at(struct heap *h, uint64_t index)
{
    return glibc_self(h)->tcache + TC_ENTRIES + index * 8;
}

/* Source: tcache_init. In want of memory there is no cache for now. */
void glibc_tcache_ready(struct heap *h)
{
    struct glibc_thread *self = glibc_self(h);
    if (self->tcache || self->shut)
        return;
    va_t av = glibc_arena_get(h, TCACHE_BYTES);
    va_t block = glibc_int_malloc(h, av, TCACHE_BYTES);
    if (!block && av)
        block = glibc_int_malloc(h, glibc_arena_retry(h, av, TCACHE_BYTES), TCACHE_BYTES);
    if (!block)
        return;
    heap_fill(h, block, 0, TCACHE_BYTES);
    glibc_self(h)->tcache = block;
}

bool glibc_tcache_full(struct heap *h, uint64_t index)
{
    return glibc_tcache_count(h, index) >= mp(h, MP_TCACHE_COUNT);
}

uint16_t glibc_tcache_count(struct heap *h, uint64_t index)
{
    return ld16(h, count_at(h, index));
}

bool glibc_tcache_put(struct heap *h, va_t chunk, uint64_t index)
{
    va_t block = chunk + HDR_SZ;
    uint16_t count = glibc_tcache_count(h, index);
    if (count >= mp(h, MP_TCACHE_COUNT))
        return false;
    st(h, block + ENTRY_KEY, var(h, DATA_TCACHE_KEY));
    st(h, block + ENTRY_NEXT, protect(block + ENTRY_NEXT, ld(h, entry_at(h, index))));
    st(h, entry_at(h, index), block);
    st16(h, count_at(h, index), (uint16_t)(count + 1));
    glibc_tell_list(h, "tcache", chunk, MINSIZE + 16 * index, true);
    return true;
}

va_t glibc_tcache_get(struct heap *h, uint64_t index, uint16_t count)
{
    va_t block = ld(h, entry_at(h, index));
    if (misaligned(block))
        glibc_abort(h, "malloc(): unaligned tcache chunk detected");
    st(h, entry_at(h, index), reveal(h, block + ENTRY_NEXT));
    st16(h, count_at(h, index), (uint16_t)(count - 1));
    st(h, block + ENTRY_KEY, 0);
    glibc_tell_list(h, "tcache", block - HDR_SZ, MINSIZE + 16 * index, false);
    return block;
}

void glibc_tcache_check(struct heap *h, va_t block, uint64_t index)
{
    if (ld(h, block + ENTRY_KEY) != var(h, DATA_TCACHE_KEY))
        return;
    uint64_t seen = 0;
    for (va_t e = ld(h, entry_at(h, index)); e; e = reveal(h, e + ENTRY_NEXT), seen++) {
        if (seen >= mp(h, MP_TCACHE_COUNT))
            glibc_abort(h, "free(): too many chunks detected in tcache");
        if (misaligned(e))
            glibc_abort(h, "free(): unaligned chunk detected in tcache 2");
        if (e == block)
            glibc_abort(h, "free(): double free detected in tcache 2");
    }
}

/* Source: tcache_thread_shutdown. The thread ends: all that it cached goes back to the arenas. */
void glibc_tcache_shut(struct heap *h)
{
    struct glibc_thread *self = glibc_self(h);
    va_t cache = self->tcache;
    self->shut = true;
    if (!cache)
        return;
    self->tcache = 0;
    for (unsigned i = 0; i < TCACHE_BINS; i++) {
        va_t head = cache + TC_ENTRIES + i * 8;
        struct tour tour = {0};
        for (va_t e = ld(h, head); e; e = ld(h, head)) {
            tour_step(h, &tour, e, "the tcache of chunks of bytes", MINSIZE + 16 * i);
            if (misaligned(e))
                glibc_abort(h, "tcache_thread_shutdown(): unaligned tcache chunk detected");
            st(h, head, reveal(h, e + ENTRY_NEXT));
            glibc_int_free(h, glibc_arena_of(h, e - HDR_SZ), e - HDR_SZ, false);
        }
    }
    glibc_int_free(h, glibc_arena_of(h, cache - HDR_SZ), cache - HDR_SZ, false);
}
