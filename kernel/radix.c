/* radix.c: the tree grows at its top when a higher index comes, and never shrinks. */
#include "kernel/radix.h"

#include "sim/base/arena.h"

#define NODE_SHIFT 6u
#define NODE_SLOTS 64u

/* Inner nodes hold nodes; the lowest level holds the numbers. */
struct radix_node {
    union {
        struct radix_node *node;
        uint64_t held;
    } slot[NODE_SLOTS];
};

static unsigned slot_of(uint64_t index, unsigned level)
{
    return (unsigned)(index >> level * NODE_SHIFT) & (NODE_SLOTS - 1);
}

/* Is index beyond what a tree of this height reaches? */
static bool beyond(uint64_t index, unsigned height)
{
    return height == 0 || (height * NODE_SHIFT < 64 && index >> height * NODE_SHIFT);
}

/* A level is put on top until the tree reaches index. false: no memory. */
static bool grow(struct arena *arena, struct radix *r, uint64_t index)
{
    while (beyond(index, r->height)) {
        struct radix_node *top = arena_alloc(arena, sizeof(*top));
        if (!top)
            return false;
        top->slot[0].node = r->root;
        r->root = top;
        r->height++;
    }
    return true;
}

uint64_t *radix_slot(struct arena *arena, struct radix *r, uint64_t index, bool make)
{
    if (make ? !grow(arena, r, index) : beyond(index, r->height))
        return NULL;
    struct radix_node *at = r->root;
    for (unsigned level = r->height - 1; level > 0; level--) {
        struct radix_node **next = &at->slot[slot_of(index, level)].node;
        if (!*next && make)
            *next = arena_alloc(arena, sizeof(**next));
        if (!*next)
            return NULL;
        at = *next;
    }
    return &at->slot[slot_of(index, 0)].held;
}

uint64_t radix_get(const struct radix *r, uint64_t index)
{
    if (beyond(index, r->height))
        return 0;
    const struct radix_node *at = r->root;
    for (unsigned level = r->height - 1; level > 0 && at; level--)
        at = at->slot[slot_of(index, level)].node;
    return at ? at->slot[slot_of(index, 0)].held : 0;
}

uint64_t radix_next(const struct radix *r, uint64_t *index)
{
    while (!beyond(*index, r->height)) {
        const struct radix_node *at = r->root;
        unsigned level = r->height - 1;
        while (level > 0 && at->slot[slot_of(*index, level)].node)
            at = at->slot[slot_of(*index, level--)].node;
        uint64_t held = level == 0 ? at->slot[slot_of(*index, 0)].held : 0;
        if (held)
            return held;
        uint64_t span = (uint64_t)1 << level * NODE_SHIFT;
        *index = align_down(*index, span) + span;
        if (*index == 0)
            break; /* round the end of all indices */
    }
    return 0;
}

static void node_free(struct arena *arena, struct radix_node *node, unsigned level)
{
    for (unsigned i = 0; i < NODE_SLOTS && level > 0; i++)
        if (node->slot[i].node)
            node_free(arena, node->slot[i].node, level - 1);
    arena_free(arena, node, sizeof(*node));
}

void radix_free(struct arena *arena, struct radix *r)
{
    if (r->root)
        node_free(arena, r->root, r->height - 1);
    *r = (struct radix){0};
}
