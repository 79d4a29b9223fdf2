/* frames.c: the buddy system. The lists are linked by frame numbers in the metadata of the first
 * frame of each free block, so that a buddy is found and taken out in one step.
 */
#include "kernel/frames.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>

#define LAST_ORDER (FRAME_ORDERS - 1)

typedef unsigned long long ull;

struct frame *frames_at(const struct frames *f, pfn_t pfn)
{
    if (pfn >= f->total)
        return NULL;
    struct frame_chunk *c = f->chunk[pfn / CHUNK_FRAMES];
    return c ? &c->frame[pfn % CHUNK_FRAMES] : NULL;
}

static pfn_t order_frames(unsigned order)
{
    return (pfn_t)1 << order;
}

/* ---- one list ---- */

/* The metadata that a link names; NULL: the end. */
static struct frame *linked(const struct frames *f, uint32_t link)
{
    return link ? frames_at(f, link - 1) : NULL;
}

static void block_add(struct frames *f, pfn_t pfn, unsigned order, bool at_end)
{
    struct frame *frame = frames_at(f, pfn);
    struct frame_list *list = &f->list[order];
    uint32_t link = (uint32_t)pfn + 1;
    frame->block = (uint8_t)(order + 1);
    frame->prev = at_end ? list->last : 0;
    frame->next = at_end ? 0 : list->first;
    struct frame *before = linked(f, frame->prev);
    struct frame *after = linked(f, frame->next);
    *(before ? &before->next : &list->first) = link;
    *(after ? &after->prev : &list->last) = link;
    f->blocks[order]++;
}

static void block_remove(struct frames *f, pfn_t pfn, unsigned order)
{
    struct frame *frame = frames_at(f, pfn);
    struct frame_list *list = &f->list[order];
    struct frame *before = linked(f, frame->prev);
    struct frame *after = linked(f, frame->next);
    *(before ? &before->next : &list->first) = frame->next;
    *(after ? &after->prev : &list->last) = frame->prev;
    frame->block = 0;
    frame->next = frame->prev = 0;
    f->blocks[order]--;
}

/* Does a free block of this order begin at pfn? Only asked of chunks that have metadata. */
static bool block_is_free(const struct frames *f, pfn_t pfn, unsigned order)
{
    const struct frame *frame = frames_at(f, pfn);
    return frame && frame->block == order + 1;
}

/* ---- taking ---- */

static bool chunk_make(struct frames *f, uint64_t chunk)
{
    if (!f->chunk[chunk])
        f->chunk[chunk] = arena_alloc(f->env->arena, sizeof(struct frame_chunk));
    return f->chunk[chunk] != NULL;
}

/* The first free block of this order, which has one; taken out of its list. */
static pfn_t block_pop(struct frames *f, unsigned order)
{
    if (f->list[order].first) {
        pfn_t pfn = f->list[order].first - 1;
        block_remove(f, pfn, order);
        return pfn;
    }
    INVARIANT(order == LAST_ORDER && f->fresh < f->fresh_end);
    if (!chunk_make(f, f->fresh))
        return PFN_NONE;
    f->blocks[order]--;
    return f->fresh++ * CHUNK_FRAMES;
}

void frames_fail_at(struct frames *f, uint64_t n)
{
    f->fail_at = n;
}

pfn_t frames_take(struct frames *f, unsigned order)
{
    if (f->fail_at && --f->fail_at == 0)
        return PFN_NONE;
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
        block_add(f, pfn + order_frames(have), have, false); /* the upper half stays free */
    }
    f->free -= order_frames(order);
    return pfn;
}

/* ---- giving back ---- */

/* Could the block soon join twice? Then its buddy is in use, but the block that both would make
 * has a free buddy (Linux: buddy_merge_likely). */
static bool join_likely(const struct frames *f, pfn_t pfn, unsigned order)
{
    if (order + 1 >= LAST_ORDER)
        return false;
    pfn_t whole = pfn & ~order_frames(order);
    return block_is_free(f, whole ^ order_frames(order + 1), order + 1);
}

void frames_give(struct frames *f, pfn_t pfn, unsigned order)
{
    INVARIANT(order < FRAME_ORDERS);
    INVARIANT(pfn >= f->reserved && pfn + order_frames(order) <= f->total);
    f->free += order_frames(order);
    while (order < LAST_ORDER) {
        pfn_t buddy = pfn ^ order_frames(order);
        if (!block_is_free(f, buddy, order))
            break;
        block_remove(f, buddy, order);
        pfn &= ~order_frames(order);
        order++;
    }
    block_add(f, pfn, order, join_likely(f, pfn, order));
}

/* ---- start ---- */

/* Frees [start, end), which has metadata, in the largest aligned blocks, lowest first. */
static void give_range(struct frames *f, pfn_t start, pfn_t end)
{
    while (start < end) {
        unsigned order = LAST_ORDER;
        while (order && ((start & (order_frames(order) - 1)) || start + order_frames(order) > end))
            order--;
        f->free += order_frames(order);
        block_add(f, start, order, true);
        start += order_frames(order);
    }
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
    /* Chunks that are cut by a border are free in parts only, so they need metadata now. */
    if (!f->chunk || !chunk_make(f, (reserved - 1) / CHUNK_FRAMES) ||
        !chunk_make(f, reserved / CHUNK_FRAMES) ||
        (total % CHUNK_FRAMES && !chunk_make(f, total / CHUNK_FRAMES)))
        return NULL;
    mark_reserved(f);
    f->fresh = reserved / CHUNK_FRAMES + 1;
    f->fresh_end = max_u64(f->fresh, total / CHUNK_FRAMES);
    f->blocks[LAST_ORDER] = f->fresh_end - f->fresh;
    f->free = f->blocks[LAST_ORDER] * CHUNK_FRAMES;
    give_range(f, reserved, min_u64(total, f->fresh * CHUNK_FRAMES));
    give_range(f, min_u64(total, f->fresh_end * CHUNK_FRAMES), total);
    return f;
}

/* ---- fragmentation ---- */

/* Free blocks that hold 2^order frames or more, each counted as so many of that order. */
static uint64_t suitable_blocks(const struct frames *f, unsigned order)
{
    uint64_t suitable = 0;
    for (unsigned i = order; i < FRAME_ORDERS; i++)
        suitable += f->blocks[i] << (i - order);
    return suitable;
}

int frames_fragmentation_index(const struct frames *f, unsigned order)
{
    uint64_t blocks = 0;
    for (unsigned i = 0; i < FRAME_ORDERS; i++)
        blocks += f->blocks[i];
    if (!blocks)
        return 0;
    if (suitable_blocks(f, order))
        return -1000;
    return 1000 - (int)((1000 + f->free * 1000 / order_frames(order)) / blocks);
}

unsigned frames_unusable_index(const struct frames *f, unsigned order)
{
    if (!f->free)
        return 1000;
    return (unsigned)((f->free - (suitable_blocks(f, order) << order)) * 1000 / f->free);
}

/* ---- check ---- */

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        snprintf(why, size, __VA_ARGS__);                                                          \
        return false;                                                                              \
    } while (0)

static bool block_check(const struct frames *f, pfn_t pfn, unsigned order, char *why, size_t size)
{
    pfn_t buddy = pfn ^ order_frames(order);
    if (pfn & (order_frames(order) - 1) || pfn + order_frames(order) > f->total)
        WRONG("frame %#llx: no block of order %u can begin here", (ull)pfn, order);
    if (order < LAST_ORDER && block_is_free(f, buddy, order))
        WRONG("frames %#llx and %#llx: free buddies of order %u are not joined", (ull)pfn,
              (ull)buddy, order);
    for (pfn_t i = pfn; i < pfn + order_frames(order); i++) {
        const struct frame *frame = frames_at(f, i);
        if (frame->use != FRAME_FREE || frame->refs)
            WRONG("frame %#llx is in use and in a free block", (ull)i);
        if (i > pfn && frame->block)
            WRONG("frame %#llx begins a free block inside another", (ull)i);
    }
    return true;
}

/* Every block of one list; each is linked back to the one before it. */
static bool list_check(const struct frames *f, unsigned order, char *why, size_t size)
{
    uint64_t blocks = order == LAST_ORDER ? f->fresh_end - f->fresh : 0;
    uint32_t before = 0;
    for (uint32_t link = f->list[order].first; link; link = frames_at(f, link - 1)->next) {
        const struct frame *frame = linked(f, link);
        if (!frame || frame->block != order + 1 || frame->prev != before)
            WRONG("order %u: the list is broken at frame %#llx", order, (ull)link - 1);
        if (!block_check(f, link - 1, order, why, size))
            return false;
        before = link;
        blocks++;
    }
    if (f->list[order].last != before)
        WRONG("order %u: the list does not end where it says", order);
    if (blocks != f->blocks[order])
        WRONG("order %u: %llu free blocks, counted %llu", order, (ull)blocks,
              (ull)f->blocks[order]);
    return true;
}

bool frames_check(const struct frames *f, char *why, size_t size)
{
    uint64_t free = 0, marked = 0;
    for (unsigned i = 0; i < FRAME_ORDERS; i++) {
        if (!list_check(f, i, why, size))
            return false;
        free += f->blocks[i] << i;
    }
    for (uint64_t i = 0; i < f->chunks; i++) {
        for (pfn_t pfn = i * CHUNK_FRAMES; f->chunk[i] && pfn < (i + 1) * CHUNK_FRAMES; pfn++)
            marked += pfn < f->total && frames_at(f, pfn)->use == FRAME_FREE;
    }
    marked += (f->fresh_end - f->fresh) * CHUNK_FRAMES;
    if (free != f->free)
        WRONG("%llu frames free, counted %llu", (ull)free, (ull)f->free);
    if (free != marked)
        WRONG("%llu frames in free blocks, %llu marked free", (ull)free, (ull)marked);
    return true;
}
