/* region.h: remembered ways down to page tables, so that batches need not walk from the root.
 *
 * A region is 2 MiB of addresses. Each batch reads its upper entries again and compares, all at
 * once instead of one after the other, so an entry that the kernel changed is never overlooked.
 */
#ifndef MEMWALK_MMU_REGION_H
#define MEMWALK_MMU_REGION_H

#include "mmu/mmu.h"
#include "mmu/tlb.h"

#define REGIONS     256u
#define REGION_NONE UINT64_MAX

/* An entry of a paging-structure cache as a walk would fill it, the set that it belongs to, and the
 * way where it was last. */
struct region_psc {
    uint64_t key, data;
    uint32_t set, way;
    uint16_t tag; /* key_short */
};

/* What each walk needs of a region. */
struct region_down {
    uint64_t tag; /* of the batch that compared its entries last, and its number; 0: nothing */
    const pte_t *table; /* the page table on the host */
    pte_t keep;         /* bits of a page's entry that go into its translation */
    pte_t exec;         /* TLB_EXEC unless a level takes that away */
};

struct region {
    uint64_t number;   /* region_number; REGION_NONE */
    uint64_t psc_born; /* born of the caches, plus 1, when its entries were looked for there */
    struct region_psc psc[LEVELS_MAX - 1]; /* [0] of level 2 … */
    pa_t pa[LEVELS_MAX]; /* [0] of the page table, [level - 1] of the entry of that level */
    const pte_t *at[LEVELS_MAX - 1]; /* the upper entries on the host */
    pte_t entry[LEVELS_MAX - 1];     /* and what they were */
};

struct regions {
    uint64_t epoch;       /* of the RAM when they were learnt */
    struct mmu_regs regs; /* the same of the registers */
    uint64_t batch;       /* what the tags of this batch have besides the number */
    struct region_down down[REGIONS];
    struct region at[REGIONS];
};

/* A new batch: forgets what is no longer good. */
void regions_begin(struct mmu *);
void regions_forget(struct regions *);
/* To be called once in a batch for the region of a small page's key. false: its walks are not
 * ordinary: they fault, end at a larger page, mark an entry, or a paging-structure cache holds what
 * the tables no longer say. */
bool region_enter(struct mmu *, uint64_t key);
/* A walk through the paging-structure caches, of one of the ordinary ways: their recency and what
 * they hold afterwards. Returns how many entries were read. */
unsigned region_psc_walk(struct mmu *, struct region *);

/* From the key of a small page. */
static inline uint64_t region_number(uint64_t key)
{
    return key / ((uint64_t)TABLE_ENTRIES << KEY_SIZE_BITS);
}

static inline unsigned region_index(uint64_t key)
{
    return (unsigned)(key >> KEY_SIZE_BITS & (TABLE_ENTRIES - 1));
}

/* A number has at most 48 bits, as no guest runs here; tags count the batches in those above. */
#define REGION_BATCH ((uint64_t)1 << 48)

static inline uint64_t region_batch(uint64_t tag)
{
    return tag / REGION_BATCH;
}

/* Where in struct regions. */
static inline unsigned region_at(uint64_t key)
{
    return region_number(key) % REGIONS;
}

/* What is known of the page's region in this batch; NULL: nothing yet. */
static inline const struct region_down *region_known(const struct regions *r, uint64_t key)
{
    const struct region_down *down = &r->down[region_at(key)];
    return down->tag == r->batch + region_number(key) ? down : NULL;
}

#endif
