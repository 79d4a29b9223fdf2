/* reference.h: two levels of TLB counted the plain way, by another mind than mmu/: arrays of lines,
 * time stamps, loops, nothing shared with what it judges but the generator of chance.
 */
#ifndef MEMWALK_TESTS_REFERENCE_H
#define MEMWALK_TESTS_REFERENCE_H

#include "mmu/mmu.h"

struct ref_line {
    bool valid;
    uint64_t page;
    uint64_t used, filled; /* times */
    unsigned distance;     /* SRRIP */
    bool near;             /* NRU; of the way, whether valid or not */
};

struct ref_level {
    uint32_t sets, ways, repl;
    struct ref_line *line; /* [set][way] */
    bool *right;           /* [set][node]: PLRU, the half that was used last is the right one */
    uint64_t *seen, *recent;
    bool *lost; /* [i]: seen[i] was dropped and not filled since */
    size_t seen_count, recent_count;
    uint64_t lookups, hits, misses, evictions, dropped, by_class[MISS_CLASSES];
};

struct reference {
    struct ref_level level[TLB_LEVELS];
    struct rng rng;
    uint64_t now;
};

void reference_open(struct reference *, const struct mmu_config *, struct rng);
void reference_close(struct reference *);
void reference_access(struct reference *, uint64_t page);
void reference_drop(struct reference *, uint64_t page);
/* Drops all pages for which keep is false. */
void reference_flush(struct reference *, bool (*keep)(uint64_t page));

#endif
