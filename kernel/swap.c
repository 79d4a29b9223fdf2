/* swap.c: slots of the swap device. Their metadata and the bytes they hold are made when they are
 * used first, so that a large device costs nothing; freed slots are used again last freed first.
 */
#include "kernel/swap.h"

#include "kernel/pgtable.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>
#include <string.h>

struct swap_slot {
    uint32_t refs;  /* entries of tables and objects that name it */
    uint32_t frame; /* number + 1 of the frame that holds the same page; 0: none */
    uint32_t next;  /* of a free slot: the next one + 1 */
    bool used;
    uint64_t age; /* when its page was evicted */
    void *bytes;  /* the page; NULL: zeroes */
};

static struct swap_slot *slot_at(const struct kernel *k, uint32_t slot)
{
    INVARIANT(slot < k->swap.made && k->swap.slot[slot].used);
    return &k->swap.slot[slot];
}

/* ---- taking and giving ---- */

static bool make_room(struct kernel *k)
{
    struct swap *s = &k->swap;
    if (s->made < s->capacity)
        return true;
    uint64_t capacity = min_u64(s->capacity ? 2 * s->capacity : 64, s->slots);
    struct swap_slot *slot =
        arena_resize(k->env->arena, s->slot, s->capacity * sizeof(*slot), capacity * sizeof(*slot));
    if (!slot)
        return false;
    s->slot = slot;
    s->capacity = capacity;
    return true;
}

uint32_t swap_take(struct kernel *k)
{
    struct swap *s = &k->swap;
    uint32_t slot = s->free - 1;
    if (s->free) {
        s->free = s->slot[slot].next;
    } else {
        if (s->made == s->slots || !make_room(k))
            return SWAP_NONE;
        slot = (uint32_t)s->made++;
    }
    s->slot[slot] = (struct swap_slot){.used = true};
    s->used++;
    s->peak = max_u64(s->peak, s->used);
    return slot;
}

void swap_count(struct kernel *k, uint32_t slot, int sign)
{
    slot_at(k, slot)->refs += (uint32_t)sign;
}

static void drop_bytes(struct kernel *k, struct swap_slot *at)
{
    arena_free(k->env->arena, at->bytes, PAGE_SIZE);
    at->bytes = NULL;
}

void swap_release(struct kernel *k, uint32_t slot)
{
    struct swap *s = &k->swap;
    struct swap_slot *at = slot_at(k, slot);
    if (at->refs)
        return;
    if (at->frame) { /* read ahead of its use and never mapped: the frame goes, and with it this */
        if (!frames_at(k->frames, at->frame - 1)->refs)
            frame_put(k, at->frame - 1);
        return;
    }
    drop_bytes(k, at);
    *at = (struct swap_slot){.next = s->free};
    s->free = slot + 1;
    s->used--;
    EMIT(k->env, swap_free, .slot = slot, .used = s->used);
}

uint32_t swap_refs(const struct kernel *k, uint32_t slot)
{
    return slot_at(k, slot)->refs;
}

bool swap_tight(const struct kernel *k)
{
    return k->swap.used * 2 > k->swap.slots;
}

/* ---- contents ---- */

static bool all_zero(const uint8_t *bytes)
{
    return !bytes[0] && memcmp(bytes, bytes + 1, PAGE_SIZE - 1) == 0;
}

bool swap_write(struct kernel *k, uint32_t slot, pfn_t pfn)
{
    struct swap_slot *at = slot_at(k, slot);
    uint8_t bytes[PAGE_SIZE];
    ram_read(k->ram, pfn << PAGE_SHIFT, bytes, PAGE_SIZE);
    if (all_zero(bytes)) {
        drop_bytes(k, at);
        return true;
    }
    if (!at->bytes)
        at->bytes = arena_alloc(k->env->arena, PAGE_SIZE);
    if (!at->bytes)
        return false;
    memcpy(at->bytes, bytes, PAGE_SIZE);
    k->counters.swap_writes++;
    k->env->cycle += k->config.swap_write_cycles;
    return true;
}

void swap_read(struct kernel *k, uint32_t slot, pfn_t pfn)
{
    const struct swap_slot *at = slot_at(k, slot);
    if (!at->bytes) {
        ram_zero(k->ram, pfn);
        return;
    }
    ram_write(k->ram, pfn << PAGE_SHIFT, at->bytes, PAGE_SIZE);
    k->counters.swap_reads++;
    k->env->cycle += k->config.swap_read_cycles;
}

/* ---- the swap cache ---- */

pfn_t swap_cached(const struct kernel *k, uint32_t slot)
{
    uint32_t frame = slot_at(k, slot)->frame;
    return frame ? frame - 1 : PFN_NONE;
}

void swap_cache(struct kernel *k, uint32_t slot, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    INVARIANT(!frame->slot && !slot_at(k, slot)->frame);
    frame->slot = slot + 1;
    slot_at(k, slot)->frame = (uint32_t)pfn + 1;
    k->swap.cached++;
}

void swap_uncache(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    uint32_t slot = frame->slot - 1;
    frame->slot = 0;
    slot_at(k, slot)->frame = 0;
    k->swap.cached--;
    swap_release(k, slot);
}

void swap_note(struct kernel *k, uint32_t slot, uint64_t age)
{
    slot_at(k, slot)->age = age;
}

uint64_t swap_noted(const struct kernel *k, uint32_t slot)
{
    return slot_at(k, slot)->age;
}

/* ---- inspection and check ---- */

bool kernel_swap_slot(const struct kernel *k, uint64_t slot, struct swap_info *info)
{
    const struct swap *s = &k->swap;
    if (slot >= s->slots)
        return false;
    *info = (struct swap_info){.pfn = PFN_NONE};
    if (slot >= s->made || !s->slot[slot].used)
        return true;
    const struct swap_slot *at = &s->slot[slot];
    *info = (struct swap_info){.used = true,
                               .refs = at->refs,
                               .pfn = at->frame ? at->frame - 1 : PFN_NONE,
                               .bytes = at->bytes};
    return true;
}

bool kernel_slot_holds(const struct kernel *k, uint64_t slot, pfn_t pfn)
{
    uint8_t bytes[PAGE_SIZE];
    const struct swap_slot *at = slot_at(k, (uint32_t)slot);
    ram_read(k->ram, pfn << PAGE_SHIFT, bytes, PAGE_SIZE);
    return at->bytes ? memcmp(at->bytes, bytes, PAGE_SIZE) == 0 : all_zero(bytes);
}

bool kernel_peek_swap(const struct kernel *k, uint16_t pid, va_t va, void *to, size_t n)
{
    const struct process *p = process_find(k, pid);
    pfn_t table;
    pte_t entry = p && p->root != PFN_NONE ? pgtable_get(k, p, va, &table) : 0;
    if (!pte_swapped(entry))
        return false;
    const uint8_t *bytes = slot_at(k, pte_swap_slot(entry))->bytes;
    if (bytes)
        memcpy(to, bytes + (va & PAGE_MASK), n);
    else
        memset(to, 0, n);
    return true;
}

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        snprintf(why, size, __VA_ARGS__);                                                          \
        return false;                                                                              \
    } while (0)

bool swap_check(const struct kernel *k, char *why, size_t size)
{
    const struct swap *s = &k->swap;
    uint64_t used = 0, cached = 0, free = 0;
    for (uint32_t i = 0; i < s->made; i++) {
        const struct swap_slot *at = &s->slot[i];
        used += at->used;
        cached += at->frame != 0;
        if (at->used && !at->refs && !at->frame)
            WRONG("swap slot %u is lost: nothing names it", i);
        if (!at->used && (at->refs || at->frame || at->bytes))
            WRONG("swap slot %u is free but not empty", i);
        if (at->frame && frames_at(k->frames, at->frame - 1)->slot != i + 1)
            WRONG("swap slot %u: frame %#x does not name it", i, at->frame - 1);
    }
    for (uint32_t link = s->free; link && free <= s->made; link = s->slot[link - 1].next)
        free += !s->slot[link - 1].used;
    if (used != s->used || cached != s->cached || free != s->made - used)
        WRONG("swap: %llu slots used, %llu cached, %llu in the free list; counted %llu and %llu",
              (unsigned long long)used, (unsigned long long)cached, (unsigned long long)free,
              (unsigned long long)s->used, (unsigned long long)s->cached);
    return true;
}
