/* object.c: pages of shared memory by number, in a tree as deep as the object is long. */
#include "kernel/object.h"

#include "kernel/pgtable.h"
#include "kernel/swap.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#define NODE_SHIFT 6u
#define NODE_SLOTS 64u

/* Inner nodes hold nodes; the lowest level holds frame numbers plus one, so that 0 is nothing, or
 * with the highest bit set the swap slots of pages that have no frame. */
#define IN_SWAP ((uint64_t)1 << 63)

struct node {
    union {
        struct node *node;
        uint64_t frame;
    } slot[NODE_SLOTS];
};

struct object *object_new(struct kernel *k, uint64_t pages)
{
    struct object *o = arena_alloc(k->env->arena, sizeof(*o));
    if (!o)
        return NULL;
    o->number = k->next_object++;
    o->refs = 1;
    o->pages = pages;
    o->kernel = k;
    o->height = 1;
    while (o->height * NODE_SHIFT < 64 && (pages - 1) >> o->height * NODE_SHIFT)
        o->height++;
    return o;
}

void object_charge(struct object *o)
{
    o->charged = true;
    o->kernel->shared_charged += o->pages;
}

void object_hold(struct object *o)
{
    o->refs++;
}

static unsigned slot_of(uint64_t index, unsigned level)
{
    return (unsigned)(index >> level * NODE_SHIFT) & (NODE_SLOTS - 1);
}

static void slot_drop(struct object *o, uint32_t slot)
{
    swap_count(o->kernel, slot, -1);
    swap_release(o->kernel, slot);
}

/* What a slot of the lowest level holds goes. */
static void page_drop(struct object *o, uint64_t held)
{
    o->count--;
    if (held & IN_SWAP) {
        slot_drop(o, (uint32_t)held);
        return;
    }
    struct frame *frame = frames_at(o->kernel->frames, held - 1);
    frame->cached = false;
    frame->object = NULL;
    if (frame->refs == 0)
        frame_put(o->kernel, held - 1);
}

static void node_free(struct object *o, struct node *node, unsigned level)
{
    if (!node)
        return;
    for (unsigned i = 0; i < NODE_SLOTS; i++) {
        if (level > 0)
            node_free(o, node->slot[i].node, level - 1);
        else if (node->slot[i].frame)
            page_drop(o, node->slot[i].frame);
    }
    arena_free(o->kernel->env->arena, node, sizeof(*node));
}

void object_put(struct object *o)
{
    if (!o || --o->refs)
        return;
    if (o->charged)
        o->kernel->shared_charged -= o->pages;
    node_free(o, o->root, o->height - 1);
    arena_free(o->kernel->env->arena, o, sizeof(*o));
}

/* The slot of page index, or NULL where its node is missing (and make is false, or no memory). */
static uint64_t *slot_find(struct object *o, uint64_t index, bool make)
{
    struct node **at = &o->root;
    for (unsigned level = o->height; level-- > 0;) {
        if (!*at && make)
            *at = arena_alloc(o->kernel->env->arena, sizeof(struct node));
        if (!*at)
            return NULL;
        if (level == 0)
            return &(*at)->slot[slot_of(index, 0)].frame;
        at = &(*at)->slot[slot_of(index, level)].node;
    }
    return NULL;
}

pfn_t object_get(struct object *o, uint64_t index)
{
    const uint64_t *slot = slot_find(o, index, false);
    return slot && *slot && !(*slot & IN_SWAP) ? *slot - 1 : PFN_NONE;
}

static void hold_frame(struct object *o, uint64_t index, uint64_t *slot, pfn_t pfn)
{
    struct frame *frame = frames_at(o->kernel->frames, pfn);
    *slot = pfn + 1;
    frame->cached = true;
    frame->object = index > UINT32_MAX ? NULL : o;
    frame->index = (uint32_t)index;
}

bool object_set(struct object *o, uint64_t index, pfn_t pfn)
{
    uint64_t *slot = slot_find(o, index, true);
    if (!slot)
        return false;
    INVARIANT(*slot == 0);
    hold_frame(o, index, slot, pfn);
    o->count++;
    return true;
}

bool object_slot(struct object *o, uint64_t index, uint32_t *to)
{
    const uint64_t *slot = slot_find(o, index, false);
    if (!slot || !(*slot & IN_SWAP))
        return false;
    *to = (uint32_t)*slot;
    return true;
}

void object_swap_out(struct object *o, uint64_t index, uint32_t to)
{
    uint64_t *slot = slot_find(o, index, false);
    struct frame *frame = frames_at(o->kernel->frames, *slot - 1);
    frame->cached = false;
    frame->object = NULL;
    swap_count(o->kernel, to, 1);
    *slot = IN_SWAP | to;
}

void object_swap_in(struct object *o, uint64_t index, pfn_t pfn)
{
    uint64_t *slot = slot_find(o, index, false);
    slot_drop(o, (uint32_t)*slot);
    hold_frame(o, index, slot, pfn);
}

void object_unmap(struct kernel *k, struct process *p, const struct object *o, uint64_t first,
                  uint64_t last)
{
    for (size_t i = 0; i < p->areas.count; i++) {
        const struct area *a = p->areas.at[i];
        uint64_t from = max_u64(a->pgoff, first), to = min_u64(a->pgoff + area_pages(a), last);
        if (a->object == o && from < to)
            pgtable_zap(k, p, a->start + ((from - a->pgoff) << PAGE_SHIFT),
                        a->start + ((to - a->pgoff) << PAGE_SHIFT), ZAP_KEEP_GUARDS);
    }
}

void object_punch(struct object *o, uint64_t index, uint64_t n)
{
    for (uint64_t i = index; i < index + n; i++) {
        uint64_t *slot = slot_find(o, i, false);
        if (!slot || !*slot)
            continue;
        uint64_t held = *slot;
        *slot = 0;
        page_drop(o, held);
    }
}
