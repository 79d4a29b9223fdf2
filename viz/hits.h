/* hits.h: the moments of a run at which something holds, found by running through the trace once.
 *
 * A second machine runs as far as it has to and notes the moments; so looking for the next one
 * costs its way only the first time, and looking back is a look into a list.
 */
#ifndef MEMWALK_VIZ_HITS_H
#define MEMWALK_VIZ_HITS_H

#include "sim/query.h"
#include "sim/sim.h"

#define HITS_MOST 1000000u

/* What an event is to the search, any bits; 0: nothing. op: the one in progress. */
typedef unsigned hits_match(void *ctx, const struct event *, uint64_t op);

/* The search for a query: ctx is its struct query. */
hits_match hits_query;

struct hits {
    hits_match *match;
    void *ctx;
    struct sim *sim;
    struct {
        struct moment at;
        uint8_t kind;
    } * moment;
    size_t count, room;
    uint64_t done; /* ops that were run through */
    bool over;
    bool cut; /* there are more than HITS_MOST, or than memory: the later ones are left out */
};

/* *hits is NULL on error; ctx stays the caller's. */
enum err hits_open(struct hits **hits, const struct config *, const struct trace *, hits_match *,
                   void *ctx, struct error *);
void hits_close(struct hits *);
/* The nearest moment after (direction 1) or before (-1) now of one of the kinds; runs on until it
 * is known, but not beyond op limit. false: there is none. */
bool hits_find(struct hits *, struct moment now, int direction, unsigned kinds, uint64_t limit,
               struct moment *found);

#endif
