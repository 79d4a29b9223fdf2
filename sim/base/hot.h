/* hot.h: the short way to a word of simulated memory that was touched just before.
 *
 * Most words that an allocator loads and stores lie in pages that it used a moment ago. For each
 * set of the first-level TLB the MMU notes here the page that hit there last, and where its bytes
 * stand on the host. Hitting the same page again teaches no replacement policy anything, so such an
 * access is a copy of eight bytes, a count and a charge. For another page the MMU is asked
 * (recall): it may find that the first level has it, and then that page is the set's last. Whatever
 * else must happen, happens on the long way (struct user's load and store).
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
    /* Makes the page of va the last one that hit in its set; false: only the long way can tell. */
    bool (*recall)(struct hot *, va_t, bool write);
    struct hot_slot slot[HOT_SLOTS];
};

/* Where the eight bytes at va stand; NULL: take the long way. */
static inline uint8_t *hot_find(struct hot *hot, va_t va, bool write)
{
    bool whole = (va & PAGE_MASK) <= PAGE_SIZE - sizeof(uint64_t);
    if (!whole || hot->good_at != *hot->epoch || hot->bus->on)
        return NULL;
    vpn_t vpn = va >> PAGE_SHIFT;
    const struct hot_slot *slot = &hot->slot[vpn & hot->mask];
    if ((write ? slot->write : slot->read) != vpn && !hot->recall(hot, va, write))
        return NULL;
    *hot->clock += hot->cycles;
    return slot->bytes + (va & PAGE_MASK);
}

/* A part of a word: n bytes, at most eight; false: take the long way. */
static inline bool hot_load(struct hot *hot, va_t va, void *to, size_t n)
{
    const uint8_t *bytes = hot_find(hot, va, false);
    if (!bytes)
        return false;
    memcpy(to, bytes, n);
    hot->loads++;
    hot->fewer += sizeof(uint64_t) - n;
    return true;
}

static inline bool hot_store(struct hot *hot, va_t va, const void *from, size_t n)
{
    uint8_t *bytes = hot_find(hot, va, true);
    if (!bytes)
        return false;
    memcpy(bytes, from, n);
    hot->stores++;
    hot->fewer += sizeof(uint64_t) - n;
    return true;
}

/* The word at va; false: take the long way. */
static inline bool hot_load64(struct hot *hot, va_t va, uint64_t *word)
{
    return hot_load(hot, va, word, sizeof(*word));
}

static inline bool hot_store64(struct hot *hot, va_t va, uint64_t word)
{
    return hot_store(hot, va, &word, sizeof(word));
}

#endif
