/* reference.h: TLBs and paging-structure caches counted the plain way, by another mind than mmu/:
 * arrays of lines, time stamps, loops over everything; nothing shared with what it judges but the
 * generator of chance. Pages are counted in units of 4 KiB.
 */
#ifndef MEMWALK_TESTS_REFERENCE_H
#define MEMWALK_TESTS_REFERENCE_H

#include "mmu/mmu.h"

struct ref_page { /* what the tables say of a page */
    uint64_t first, pages;
    bool global;
    bool run; /* one of config.coalesce neighbours that may share an entry */
};

struct ref_line {
    bool valid;
    uint64_t first, pages; /* what it maps */
    unsigned pcid;
    struct ref_page page;  /* what that is a part of */
    uint64_t used, filled; /* times */
    unsigned distance;     /* SRRIP */
    bool near;             /* NRU */
};

struct ref_array {
    uint32_t sets, ways, repl;
    struct ref_line *line; /* [set][way] */
    bool *right;           /* [set][node]: PLRU, the half that was used last is the right one */
};

struct ref_level {
    struct ref_array array[3]; /* all sizes, or without: 2 MiB, 1 GiB */
    uint64_t largest, entries;
    uint64_t *seen, *recent; /* names of entries, for the classes */
    bool *gone;              /* of each that was seen: invalidated, and not filled since */
    size_t seen_count, recent_count;
    uint64_t lookups, hits, misses, fills, evictions, dropped, lost, by_class[MISS_CLASSES];
};

struct ref_psc {
    bool valid;
    uint64_t number;
    unsigned pcid;
    uint64_t used;
};

struct reference {
    struct mmu_config config;
    struct ref_level level[TLB_LEVELS];
    struct ref_psc psc[LEVELS_MAX + 1][1024];
    unsigned levels; /* of tables: 4 or 5 */
    struct rng rng;
    uint64_t now;
    uint64_t walks, walk_reads, psc_lookups, psc_hits;
};

struct ref_scope { /* what an instruction forgets */
    bool all_pcids, globals;
    unsigned pcid;
    bool one_page; /* only what translates … */
    uint64_t page;
    bool psc_page; /* of the paging-structure caches too only what leads there */
};

void reference_open(struct reference *, const struct mmu_config *, struct rng);
void reference_close(struct reference *);
/* An access to 4 KiB page number at, which lies in the page. */
void reference_use(struct reference *, uint64_t at, const struct ref_page *, unsigned pcid,
                   enum access);
/* The same for a small page of its own, PCID 0, by a load. */
void reference_access(struct reference *, uint64_t at);
void reference_forget(struct reference *, const struct ref_scope *);

#endif
