/* policies.h: page replacement: which page has to go when room is needed.
 *
 * A policy is a const table of functions over bytes that the host hands it: no policy allocates,
 * and its state travels in time with the rest. It knows frames only by number, 0 to frames - 1, and
 * looks at what they hold through a lens. Adding one: its functions, one line in reclaim_table.
 */
#ifndef MEMWALK_KERNEL_POLICIES_H
#define MEMWALK_KERNEL_POLICIES_H

#include "sim/base/rng.h"
#include "sim/base/types.h"

#define RECLAIM_NONE UINT32_MAX
#define DISTANCE_NEW UINT64_MAX /* the page was never evicted before */

/* What a policy may look at. */
struct reclaim_lens {
    void *ctx;
    /* Was a page of the frame used since it was last asked with clear? clear: and forget it. */
    bool (*accessed)(void *ctx, uint32_t frame, bool clear);
    bool (*dirty)(void *ctx, uint32_t frame);
    /* May it go now? Not while it is locked, or part of the access that is being done. */
    bool (*movable)(void *ctx, uint32_t frame);
    /* How many references from now it is used again; UINT64_MAX: never. Only where the future is
     * known. */
    uint64_t (*next_use)(void *ctx, uint32_t frame);
    struct rng *rng;
};

struct reclaim_ops {
    const char *name, *doc;
    bool hears;  /* used is called for each reference: more than real hardware tells */
    bool future; /* next_use can be asked */
    size_t (*state_size)(uint32_t frames);
    /* The state is zeroed. */
    void (*init)(void *state, uint32_t frames);
    /* A page is in memory now. distance: pages evicted since it was evicted itself. */
    void (*resident)(void *state, uint32_t frame, uint64_t distance);
    /* It is not any more: evicted or given up. */
    void (*gone)(void *state, uint32_t frame);
    void (*used)(void *state, uint32_t frame); /* NULL: it does not want to know */
    /* Every reclaim.tick references; NULL: nothing to do then. */
    void (*tick)(void *state, const struct reclaim_lens *);
    /* The program says that it will not be used soon (MADV_COLD); NULL: no matter. */
    void (*cold)(void *state, uint32_t frame);
    /* The frame that should be freed, RECLAIM_NONE: none can. It stays resident until gone. */
    uint32_t (*pick)(void *state, const struct reclaim_lens *);
};

/* All policies, ended by NULL; the first is the default. */
#define RECLAIM_POLICIES 10u
extern const struct reclaim_ops *const reclaim_table[RECLAIM_POLICIES + 1];
/* By name; NULL: no such policy. */
const struct reclaim_ops *reclaim_find(const char *name);

#endif
