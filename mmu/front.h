/* front.h: the fast path: the same figures as the plain path, where nobody listens.
 *
 * It does what is ordinary and leaves the rest untouched to mmu.c: it looks first, without writing
 * anything; only when it has seen that the access is a hit, or a miss whose walk neither faults
 * nor marks an entry, does it change the TLBs. So there is one place where each unusual thing
 * happens, and nothing to undo.
 */
#ifndef MEMWALK_MMU_FRONT_H
#define MEMWALK_MMU_FRONT_H

#include "mmu/mmu.h"
#include "mmu/region.h"
#include "sim/base/hot.h"

#define FRONT_FRAMES 64u /* remembered host pointers to data */
#define FRONT_NOTES  64u /* remembered places in the first level */

/* A frame's bytes on the host, good while the epoch of the RAM is the same. */
struct front_frame {
    pfn_t pfn;
    uint64_t epoch;
    uint8_t *bytes;
    bool writable;
};

/* A page that the first level holds: where it stands there, and where its bytes stand. */
struct front_note {
    uint64_t born;     /* good while it is front.born */
    vpn_t read, write; /* the page, where it may be read and written; HOT_NONE */
    uint8_t *bytes;
    uint64_t key;
    uint32_t set, way;
};

struct front {
    struct hot hot; /* the pages that hit last, for whoever runs on this CPU */
    uint64_t born;  /* goes up whenever no note is good any more */
    struct front_note note[FRONT_NOTES];
    bool plain_lru; /* a hit of the first level moves one way of a packed order, no more */
    bool apart;     /* a miss of a small page changes its own set of the first level alone */
    struct regions regions;
    struct front_frame frame[FRONT_FRAMES];
};

void front_init(struct mmu *);
/* A hit in the first level, done completely; false: nothing was done. n bytes within one page. */
bool front_access(struct mmu *, va_t, uint8_t *buf, size_t n, enum access);
/* How many of the accesses, from the first, were done; the next one is not ordinary. */
size_t front_touch(struct mmu *, const va_t *va, size_t n, enum access);
/* The pages that hit last are no longer known as such: before anything but front_access touches the
 * first level, and before registers change. */
void front_close(struct mmu *);
/* The plain path has done this access: its pages are no longer known as the last to hit, nor any
 * other whose set it may have changed. */
void front_passed(struct mmu *, va_t, size_t n);
/* Adds what was counted in struct hot to the counters. */
void front_settle(struct mmu *);
/* Host pointers are not to be trusted any more. */
void front_forget(struct mmu *);

#endif
