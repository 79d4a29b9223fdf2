/* frames.c: the buddy system, with bitmaps instead of lists because the lowest block is wanted. */
#include "kernel/frames.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>

#define LAST_ORDER (FRAME_ORDERS - 1)
#define WORD_BITS  64u

/* Where the bitmap of each order starts in frame_chunk.free. */
static const unsigned bitmap_start[LAST_ORDER] = {0, 16, 24, 28, 30, 31, 32, 33, 34, 35};

static unsigned bitmap_words(unsigned order)
{
    unsigned bits = (unsigned)(CHUNK_FRAMES >> order);
    return (bits + WORD_BITS - 1) / WORD_BITS;
}

static unsigned lowest_bit(uint64_t word)
{
    return (unsigned)__builtin_ctzll((unsigned long long)word);
}

static void having_set(struct frames *f, unsigned order, uint64_t chunk)
{
    uint64_t word = chunk / WORD_BITS;
    f->having[order][word] |= (uint64_t)1 << chunk % WORD_BITS;
    f->lowest[order] = min_u64(f->lowest[order], word);
}

static void having_clear(struct frames *f, unsigned order, uint64_t chunk)
{
    f->having[order][chunk / WORD_BITS] &= ~((uint64_t)1 << chunk % WORD_BITS);
}

static bool having(const struct frames *f, unsigned order, uint64_t chunk)
{
    return f->having[order][chunk / WORD_BITS] >> chunk % WORD_BITS & 1;
}

/* The lowest chunk with a free block of this order; there is one. */
static uint64_t lowest_chunk(struct frames *f, unsigned order)
{
    uint64_t word = f->lowest[order];
    while (!f->having[order][word])
        word++;
    f->lowest[order] = word;
    return word * WORD_BITS + lowest_bit(f->having[order][word]);
}

static bool bitmap_empty(const struct frame_chunk *c, unsigned order)
{
    for (unsigned i = 0; i < bitmap_words(order); i++)
        if (c->free[bitmap_start[order] + i])
            return false;
    return true;
}

static bool block_is_free(const struct frames *f, pfn_t pfn, unsigned order)
{
    uint64_t chunk = pfn / CHUNK_FRAMES;
    if (order == LAST_ORDER)
        return having(f, order, chunk);
    uint64_t bit = pfn % CHUNK_FRAMES >> order;
    return f->chunk[chunk]->free[bitmap_start[order] + bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

static void block_add(struct frames *f, pfn_t pfn, unsigned order)
{
    uint64_t chunk = pfn / CHUNK_FRAMES;
    f->blocks[order]++;
    having_set(f, order, chunk);
    if (order == LAST_ORDER)
        return;
    uint64_t bit = pfn % CHUNK_FRAMES >> order;
    f->chunk[chunk]->free[bitmap_start[order] + bit / WORD_BITS] |= (uint64_t)1 << bit % WORD_BITS;
}

static void block_remove(struct frames *f, pfn_t pfn, unsigned order)
{
    uint64_t chunk = pfn / CHUNK_FRAMES;
    f->blocks[order]--;
    if (order == LAST_ORDER) {
        having_clear(f, order, chunk);
        return;
    }
    struct frame_chunk *c = f->chunk[chunk];
    uint64_t bit = pfn % CHUNK_FRAMES >> order;
    c->free[bitmap_start[order] + bit / WORD_BITS] &= ~((uint64_t)1 << bit % WORD_BITS);
    if (bitmap_empty(c, order))
        having_clear(f, order, chunk);
}

static bool chunk_make(struct frames *f, uint64_t chunk)
{
    if (!f->chunk[chunk])
        f->chunk[chunk] = arena_alloc(f->env->arena, sizeof(struct frame_chunk));
    return f->chunk[chunk] != NULL;
}

/* The lowest free block of this order, which has one; taken off the bitmap. */
static pfn_t block_pop(struct frames *f, unsigned order)
{
    uint64_t chunk = lowest_chunk(f, order);
    if (!chunk_make(f, chunk))
        return PFN_NONE;
    pfn_t pfn = chunk * CHUNK_FRAMES;
    if (order < LAST_ORDER) {
        const uint64_t *word = &f->chunk[chunk]->free[bitmap_start[order]];
        unsigned i = 0;
        while (!word[i])
            i++;
        pfn += (pfn_t)(i * WORD_BITS + lowest_bit(word[i])) << order;
    }
    block_remove(f, pfn, order);
    return pfn;
}

pfn_t frames_take(struct frames *f, unsigned order)
{
    unsigned have = order;
    while (have <= LAST_ORDER && !f->blocks[have])
        have++;
    if (have > LAST_ORDER)
        return PFN_NONE;
    pfn_t pfn = block_pop(f, have);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    while (have > order) {
        have--;
        block_add(f, pfn + ((pfn_t)1 << have), have); /* the upper half stays free */
    }
    f->free -= (uint64_t)1 << order;
    return pfn;
}

void frames_give(struct frames *f, pfn_t pfn, unsigned order)
{
    INVARIANT(pfn >= f->reserved && pfn + ((pfn_t)1 << order) <= f->total);
    f->free += (uint64_t)1 << order;
    while (order < LAST_ORDER) {
        pfn_t buddy = pfn ^ ((pfn_t)1 << order);
        if (!block_is_free(f, buddy, order))
            break;
        block_remove(f, buddy, order);
        pfn &= ~((pfn_t)1 << order);
        order++;
    }
    block_add(f, pfn, order);
}

struct frame *frames_at(const struct frames *f, pfn_t pfn)
{
    if (pfn >= f->total)
        return NULL;
    struct frame_chunk *c = f->chunk[pfn / CHUNK_FRAMES];
    return c ? &c->frame[pfn % CHUNK_FRAMES] : NULL;
}

/* Frees [start, end) in the largest aligned blocks. */
static void give_range(struct frames *f, pfn_t start, pfn_t end)
{
    while (start < end) {
        unsigned order = LAST_ORDER;
        while ((start & (((pfn_t)1 << order) - 1)) || start + ((pfn_t)1 << order) > end)
            order--;
        f->free += (uint64_t)1 << order;
        block_add(f, start, order);
        start += (pfn_t)1 << order;
    }
}

/* The bitmaps over chunks, in one piece. */
static bool having_make(struct frames *f)
{
    uint64_t words = (f->chunks + WORD_BITS - 1) / WORD_BITS;
    uint64_t *bits = arena_alloc(f->env->arena, FRAME_ORDERS * words * sizeof(uint64_t));
    if (!bits)
        return false;
    for (unsigned i = 0; i < FRAME_ORDERS; i++)
        f->having[i] = bits + i * words;
    return true;
}

static void mark_reserved(struct frames *f)
{
    for (pfn_t pfn = 0; pfn < f->reserved; pfn++) {
        struct frame *frame = frames_at(f, pfn);
        if (frame)
            frame->use = FRAME_RESERVED;
    }
}

struct frames *frames_new(struct env *env, pfn_t total, pfn_t reserved)
{
    struct frames *f = arena_alloc(env->arena, sizeof(*f));
    if (!f)
        return NULL;
    f->env = env;
    f->total = total;
    f->reserved = reserved;
    f->chunks = (total + CHUNK_FRAMES - 1) / CHUNK_FRAMES;
    f->chunk = arena_alloc(env->arena, f->chunks * sizeof(struct frame_chunk *));
    /* Chunks that are cut by a border are free in parts only, so they need their bitmaps now. */
    if (!f->chunk || !having_make(f) || !chunk_make(f, (reserved - 1) / CHUNK_FRAMES) ||
        !chunk_make(f, reserved / CHUNK_FRAMES) || !chunk_make(f, (total - 1) / CHUNK_FRAMES))
        return NULL;
    mark_reserved(f);
    give_range(f, reserved, total);
    return f;
}

/* ---- check ---- */

static bool block_check(const struct frames *f, pfn_t pfn, unsigned order, char *why, size_t size)
{
    pfn_t buddy = pfn ^ ((pfn_t)1 << order);
    if (order < LAST_ORDER && block_is_free(f, buddy, order)) {
        snprintf(why, size, "frames %#llx and %#llx: free buddies of order %u are not joined",
                 (unsigned long long)pfn, (unsigned long long)buddy, order);
        return false;
    }
    for (pfn_t i = pfn; i < pfn + ((pfn_t)1 << order); i++) {
        if (frames_at(f, i)->use == FRAME_FREE && frames_at(f, i)->refs == 0)
            continue;
        snprintf(why, size, "frame %#llx is in use and in a free block", (unsigned long long)i);
        return false;
    }
    return true;
}

/* Every free block of one chunk, *count frames in all; -1 where something is wrong. */
static bool chunk_check(const struct frames *f, uint64_t chunk, uint64_t blocks[], char *why,
                        size_t size)
{
    uint64_t free = 0, marked = 0;
    for (unsigned order = 0; order < LAST_ORDER; order++) {
        for (pfn_t i = 0; i < CHUNK_FRAMES >> order; i++) {
            pfn_t pfn = chunk * CHUNK_FRAMES + (i << order);
            if (!block_is_free(f, pfn, order))
                continue;
            blocks[order]++;
            free += (uint64_t)1 << order;
            if (!block_check(f, pfn, order, why, size))
                return false;
        }
    }
    if (having(f, LAST_ORDER, chunk))
        free += CHUNK_FRAMES;
    for (pfn_t i = 0; i < CHUNK_FRAMES; i++)
        marked +=
            chunk * CHUNK_FRAMES + i < f->total && f->chunk[chunk]->frame[i].use == FRAME_FREE;
    if (free != marked)
        snprintf(why, size, "frames from %#llx: %llu in free blocks, %llu marked free",
                 (unsigned long long)(chunk * CHUNK_FRAMES), (unsigned long long)free,
                 (unsigned long long)marked);
    return free == marked;
}

bool frames_check(const struct frames *f, char *why, size_t size)
{
    uint64_t blocks[FRAME_ORDERS] = {0};
    uint64_t free = 0;
    for (uint64_t i = 0; i < f->chunks; i++) {
        blocks[LAST_ORDER] += having(f, LAST_ORDER, i);
        if (f->chunk[i] && !chunk_check(f, i, blocks, why, size))
            return false;
    }
    for (unsigned i = 0; i < FRAME_ORDERS; i++) {
        free += blocks[i] << i;
        if (blocks[i] == f->blocks[i])
            continue;
        snprintf(why, size, "order %u: %llu free blocks, counted %llu", i,
                 (unsigned long long)blocks[i], (unsigned long long)f->blocks[i]);
        return false;
    }
    if (free != f->free)
        snprintf(why, size, "%llu frames free, counted %llu", (unsigned long long)free,
                 (unsigned long long)f->free);
    return free == f->free;
}
