/* object.c: pages of shared memory by number, in a tree as deep as the object is long. */
#include "kernel/object.h"

#include "kernel/pgtable.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#define NODE_SHIFT 6u
#define NODE_SLOTS 64u

/* Inner nodes hold nodes; the lowest level holds frame numbers plus one, so that 0 is nothing. */
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

void object_hold(struct object *o)
{
    o->refs++;
}

static unsigned slot_of(uint64_t index, unsigned level)
{
    return (unsigned)(index >> level * NODE_SHIFT) & (NODE_SLOTS - 1);
}

static void page_drop(struct object *o, pfn_t pfn)
{
    struct frame *frame = frames_at(o->kernel->frames, pfn);
    frame->cached = false;
    o->count--;
    if (frame->refs == 0)
        frame_put(o->kernel, pfn);
}

static void node_free(struct object *o, struct node *node, unsigned level)
{
    if (!node)
        return;
    for (unsigned i = 0; i < NODE_SLOTS; i++) {
        if (level > 0)
            node_free(o, node->slot[i].node, level - 1);
        else if (node->slot[i].frame)
            page_drop(o, node->slot[i].frame - 1);
    }
    arena_free(o->kernel->env->arena, node, sizeof(*node));
}

void object_put(struct object *o)
{
    if (!o || --o->refs)
        return;
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
    return slot && *slot ? *slot - 1 : PFN_NONE;
}

bool object_set(struct object *o, uint64_t index, pfn_t pfn)
{
    uint64_t *slot = slot_find(o, index, true);
    if (!slot)
        return false;
    INVARIANT(*slot == 0);
    *slot = pfn + 1;
    frames_at(o->kernel->frames, pfn)->cached = true;
    o->count++;
    return true;
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
        pfn_t pfn = *slot - 1;
        *slot = 0;
        page_drop(o, pfn);
    }
}
