/* trail.h: every event of the run that concerns one thing: who made it, who wrote it, who reads it.
 *
 * Which events those are is not said event by event: the kinds of their fields say it (a virtual
 * address inside the thing's range, its frame, its entry, its set and way). So a new event is found
 * without a change here.
 */
#ifndef MEMWALK_VIZ_TRAIL_H
#define MEMWALK_VIZ_TRAIL_H

#include "viz/hits.h"
#include "viz/thing.h"

/* What a thing is known by, wherever time goes: taken from the model when it was selected. */
struct subject {
    struct thing thing;
    uint16_t pid;
    bool ranged, framed, entered, lined;
    va_t start, end;
    pfn_t pfn;
    pa_t entry;
    uint64_t level, set, way; /* of a TLB line */
};

enum trail_kind { TRAIL_MADE = 1, TRAIL_WRITTEN = 2, TRAIL_READ = 4, TRAIL_OTHER = 8 };
#define TRAIL_ANY 15u

struct subject trail_subject(const struct model *, const struct model_cpu *, struct thing);
/* enum trail_kind, or 0: the event has nothing to do with it. */
unsigned trail_concerns(const struct subject *, const struct event *);

struct trail {
    struct subject subject;
    struct hits *hits; /* their kinds are enum trail_kind */
};

/* *trail is NULL on error. */
enum err trail_open(struct trail **trail, const struct config *, const struct trace *,
                    const struct subject *, struct error *);
void trail_close(struct trail *);

#endif
