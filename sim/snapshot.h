/* snapshot.h: pictures of the whole machine, and the list of them that makes time travel quick.
 * Internal to sim/.
 *
 * A snapshot shares every unchanged piece of the arena with the one before it and every unchanged
 * frame of RAM. The list thins itself out: where it holds more than its share of memory, or more
 * than SNAPSHOTS_MAX, the one goes whose neighbours are nearest to each other, and new ones are
 * taken that much farther apart. So they stay evenly spread over the work done.
 */
#ifndef MEMWALK_SIM_SNAPSHOT_H
#define MEMWALK_SIM_SNAPSHOT_H

#include "mmu/ram.h"
#include "sim/base/arena.h"

struct snapshot {
    uint64_t op;   /* taken just before this op */
    uint64_t work; /* of the machine, up to here */
    struct arena_snapshot *arena;
    struct ram_snapshot *ram;
};

/* base (may be NULL) is the snapshot to share pieces with. false: no host memory. */
bool snapshot_take(struct snapshot *, uint64_t op, struct arena *, struct ram *,
                   const struct snapshot *base);
void snapshot_restore(const struct snapshot *, struct arena *, struct ram *);
void snapshot_drop(struct snapshot *, struct ram *);

#define SNAPSHOTS_MAX 256

struct history {
    struct snapshot at[SNAPSHOTS_MAX]; /* by op, ascending; at[0] is the boot and stays */
    size_t count;
    uint64_t spacing; /* work between two of them */
    uint64_t bytes;   /* host memory that all of them may take */
};

/* Takes one if enough work was done since the newest, and thins out. work is any measure that
 * grows with the time it takes to run up to here. Without memory it is left out: going back then
 * only takes longer. */
void history_offer(struct history *, uint64_t op, uint64_t work, struct arena *, struct ram *);
/* The last one at or before op; NULL: none. */
const struct snapshot *history_before(const struct history *, uint64_t op);
/* Host bytes that the snapshots hold. */
uint64_t snapshots_bytes(const struct arena *, const struct ram *);
void history_clear(struct history *, struct ram *);

#endif
