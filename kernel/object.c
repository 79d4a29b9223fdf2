/* object.c: pages of shared memory, or of a file, by number. */
#include "kernel/object.h"

#include "kernel/pgtable.h"
#include "kernel/swap.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

/* The tree holds frame numbers plus one, so that 0 is nothing, or with the highest bit set the swap
 * slots of pages that have no frame. */
#define IN_SWAP ((uint64_t)1 << 63)

struct object *object_new(struct kernel *k, uint64_t pages)
{
    struct object *o = arena_alloc(k->env->arena, sizeof(*o));
    if (!o)
        return NULL;
    o->number = k->next_object++;
    o->refs = 1;
    o->pages = pages;
    o->kernel = k;
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

void object_put(struct object *o)
{
    if (!o || --o->refs)
        return;
    if (o->charged)
        o->kernel->shared_charged -= o->pages;
    object_punch(o, 0, UINT64_MAX);
    radix_free(o->kernel->env->arena, &o->tree);
    arena_free(o->kernel->env->arena, o, sizeof(*o));
}

/* The slot of page index, or NULL where its node is missing (and make is false, or no memory). */
static uint64_t *slot_find(struct object *o, uint64_t index, bool make)
{
    return radix_slot(o->kernel->env->arena, &o->tree, index, make);
}

pfn_t object_get(const struct object *o, uint64_t index)
{
    uint64_t held = radix_get(&o->tree, index);
    return held && !(held & IN_SWAP) ? held - 1 : PFN_NONE;
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

bool object_slot(const struct object *o, uint64_t index, uint32_t *to)
{
    uint64_t held = radix_get(&o->tree, index);
    if (!(held & IN_SWAP))
        return false;
    *to = (uint32_t)held;
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

void object_punch(struct object *o, uint64_t first, uint64_t last)
{
    uint64_t held;
    for (uint64_t i = first; (held = radix_next(&o->tree, &i)) && i < last; i++) {
        *slot_find(o, i, false) = 0;
        page_drop(o, held);
    }
}
