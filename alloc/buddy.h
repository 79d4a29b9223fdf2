/* buddy.h: inside the buddy allocators: what binary and Fibonacci buddies share, and in what they
 * differ. */
#ifndef MEMWALK_ALLOC_BUDDY_H
#define MEMWALK_ALLOC_BUDDY_H

#include "alloc/alloc.h"

#define BUDDY_UNIT   32u /* the smallest block: room for two links */
#define BUDDY_ORDERS 48u

/* A block inside its arena. */
struct buddy_place {
    uint64_t offset; /* from the start of the arena, bytes */
    unsigned order;
};

/* One of the two; ops stands first, so heap->ops leads here. A block of an order from cut_min up is
 * cut into a left part of order left(k) and, behind it, a right part of order right(k). */
struct buddy_kind {
    struct alloc_ops ops;
    uint64_t (*size)(unsigned order);
    unsigned (*left)(unsigned order);
    unsigned (*right)(unsigned order);
    unsigned cut_min;
    /* The block that this one was cut from, which is smaller than the whole arena, and the other
     * part of that; whole: the order of the arena. */
    void (*family)(struct buddy_place, unsigned whole, struct buddy_place *parent,
                   struct buddy_place *buddy);
    uint64_t natural; /* blocks are aligned to their own size up to this; 0: they are not */
};
extern const struct buddy_kind buddy_binary, buddy_fibonacci;

struct buddy {
    va_t first;     /* the arena that is asked first; 0: none yet */
    unsigned whole; /* order of an arena */
    uint64_t front; /* bytes of links, heads and orders before an arena */
};

int buddy_init(struct heap *);
va_t buddy_malloc(struct heap *, uint64_t size);
va_t buddy_memalign(struct heap *, uint64_t alignment, uint64_t size);
void buddy_free(struct heap *, va_t);
bool buddy_walk(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *), void *ctx);
void buddy_lists(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                 void *ctx);
bool buddy_check(const struct heap *, char *why, size_t size);
void buddy_mend(struct heap *);

#define BUDDY_OPS(name_, doc_)                                                                     \
    {                                                                                              \
        .name = name_, .doc = doc_, .state_size = sizeof(struct buddy), .large_apart = true,       \
        .init = buddy_init, .malloc = buddy_malloc, .memalign = buddy_memalign,                    \
        .free = buddy_free, .walk = buddy_walk, .lists = buddy_lists, .check = buddy_check,        \
        .mend = buddy_mend,                                                                        \
    }

#endif
