/* hot.h: the short way to a word of simulated memory that was touched just before.
 *
 * Most words that an allocator loads and stores lie in pages that it used a moment ago. For each
 * set of the first-level TLB the MMU notes here the page that hit there last, and where its bytes
 * stand on the host. Hitting the same page again teaches no replacement policy anything, so such an
 * access is a copy of eight bytes, a count and a charge; whatever else must happen, happens on the
 * long way (struct user's load and store), which is also the only one that notes pages.
 *
 * Nothing is lost by not having it, and no figure changes by having it: the MMU adds these counts
 * to its own whenever its counters are read.
 */
#ifndef MEMWALK_BASE_HOT_H
#define MEMWALK_BASE_HOT_H

#include "sim/base/event.h"

#include <string.h>

#define HOT_SLOTS 64u
#define HOT_NONE  UINT64_MAX /* no page has this number */

struct hot_slot {
    vpn_t read, write; /* the page, where it may be read and written; HOT_NONE */
    uint8_t *bytes;    /* of its frame on the host */
};

struct hot {
    const struct bus *bus;
    const uint64_t *epoch;  /* of the RAM */
    uint64_t good_at;       /* the epoch at which the slots were noted */
    cycles_t *clock;        /* the machine's */
    cycles_t cycles;        /* of one hit with its data */
    uint64_t mask;          /* page number & mask: its slot */
    uint64_t loads, stores; /* of eight bytes each, not yet in the MMU's counters */
    uint64_t fewer;         /* bytes that some of them had less than eight */
    struct hot_slot slot[HOT_SLOTS];
};

/* Where the eight bytes at va may stand; NULL: take the long way. */
static inline struct hot_slot *hot_slot(struct hot *hot, va_t va)
{
    bool whole = (va & PAGE_MASK) <= PAGE_SIZE - sizeof(uint64_t);
    if (!whole || hot->good_at != *hot->epoch || hot->bus->on)
        return NULL;
    return &hot->slot[va >> PAGE_SHIFT & hot->mask];
}

/* A part of a word: n bytes, at most eight; false: take the long way. */
static inline bool hot_load(struct hot *hot, va_t va, void *to, size_t n)
{
    const struct hot_slot *slot = hot_slot(hot, va);
    if (!slot || slot->read != va >> PAGE_SHIFT)
        return false;
    memcpy(to, slot->bytes + (va & PAGE_MASK), n);
    hot->loads++;
    hot->fewer += sizeof(uint64_t) - n;
    *hot->clock += hot->cycles;
    return true;
}

static inline bool hot_store(struct hot *hot, va_t va, const void *from, size_t n)
{
    const struct hot_slot *slot = hot_slot(hot, va);
    if (!slot || slot->write != va >> PAGE_SHIFT)
        return false;
    memcpy(slot->bytes + (va & PAGE_MASK), from, n);
    hot->stores++;
    hot->fewer += sizeof(uint64_t) - n;
    *hot->clock += hot->cycles;
    return true;
}

/* The word at va; false: take the long way. */
static inline bool hot_load64(struct hot *hot, va_t va, uint64_t *word)
{
    const struct hot_slot *slot = hot_slot(hot, va);
    if (!slot || slot->read != va >> PAGE_SHIFT)
        return false;
    memcpy(word, slot->bytes + (va & PAGE_MASK), sizeof(*word));
    hot->loads++;
    *hot->clock += hot->cycles;
    return true;
}

static inline bool hot_store64(struct hot *hot, va_t va, uint64_t word)
{
    const struct hot_slot *slot = hot_slot(hot, va);
    if (!slot || slot->write != va >> PAGE_SHIFT)
        return false;
    memcpy(slot->bytes + (va & PAGE_MASK), &word, sizeof(word));
    hot->stores++;
    *hot->clock += hot->cycles;
    return true;
}

#endif
