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
#include "sim/base/hot.h"

struct classify_group;
struct tlb_entry;

#define FRONT_REGIONS 256u /* remembered ways down to a page table */
#define FRONT_FRAMES  64u  /* remembered host pointers to data */
#define FRONT_NOTES   64u  /* remembered places in the first level */

/* An entry of a paging-structure cache as a walk would fill it, the set that it belongs to, and the
 * way where it was held last. */
struct front_psc {
    uint64_t key, data;
    struct tlb_entry *entry; /* [way]; NULL: no cache of this level */
    uint16_t *shorts;        /* [way] */
    uint64_t *state;
    uint32_t set, way;
};

/* The way down to the page table of 2 MiB of addresses: where its upper entries stand on the host
 * and what they were. Each batch reads them again and compares, all at once instead of one after
 * the other, so that an entry which the kernel changed is never overlooked. */
struct front_region {
    uint64_t number;    /* va / 2 MiB, plus 1; 0: nothing */
    uint64_t batch;     /* front.batch when they were compared last */
    const pte_t *table; /* the page table on the host */
    pte_t keep;         /* bits of a page's entry that go into its translation */
    pte_t exec;         /* TLB_EXEC unless a level takes that away */
    struct classify_group *group[TLB_LEVELS]; /* what their classes know of its pages; NULL: ask */
    /* born of the caches, plus 1, when level 2 was searched last: while it is the same, what does
     * not stand at psc[0] is not held at all. */
    uint64_t psc_born;
    struct front_psc psc[LEVELS_MAX - 1]; /* [0] of level 2 … */
    pa_t pa[LEVELS_MAX]; /* [0] of the page table, [level - 1] of the entry of that level */
    const pte_t *at[LEVELS_MAX - 1];
    pte_t entry[LEVELS_MAX - 1];
};

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
    uint64_t batch;       /* number of the last one */
    uint64_t epoch;       /* of the RAM when the regions were learnt */
    struct mmu_regs regs; /* the same of the registers */
    bool plain_lru;       /* a hit of the first level moves one way of a packed order, no more */
    bool apart;           /* a miss of a small page changes its own set of the first level alone */
    struct front_region region[FRONT_REGIONS];
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
