/* pair.h: two runs of one trace side by side, locked to the same moment, and where they first
 * differ.
 *
 * Two runs differ where an event is of another kind or says something else: another address,
 * another set, a miss and not a hit. What the machines differ in by name or in cycles does not
 * count.
 */
#ifndef MEMWALK_VIZ_PAIR_H
#define MEMWALK_VIZ_PAIR_H

#include "viz/paint.h"
#include "viz/travel.h"

struct pair_tape { /* the events of one op */
    struct event *event;
    size_t count, room;
    struct sim *sim;
};

struct pair {
    bool open;
    const char *what; /* is different in the other run, in words */
    struct view view; /* of the other run */
    struct travel travel;
    struct scene scene;
    struct layout layout;
    struct pair_tape tape[2]; /* the search for the first difference */
    uint64_t compared;        /* ops that are the same in both */
    bool known;               /* the search is over */
    struct moment first;      /* op 0: there is none */
};

/* Opens the view's trace on another machine. what: how it differs, for people; the caller's. */
enum err pair_open(struct pair *, const struct view *, const struct config *against,
                   const char *what, struct error *);
void pair_close(struct pair *);
/* Is there still something to search? */
static inline bool pair_busy(const struct pair *p)
{
    return p->open && (!p->known || !p->travel.survey->over);
}
/* Searches on for the first difference, and surveys the other run; false: both are done, or there
 * is no pair. */
bool pair_run(struct pair *, uint64_t ops);
/* The other run goes to the moment that belongs to the view's, and looks the same way. */
void pair_follow(struct pair *, const struct view *);
/* Both pictures beside each other; *layout is that of the left one. */
void pair_paint(struct pair *, struct scene *, const struct model *, const struct view *,
                const struct metrics *, int w, int h, struct layout *layout);

#endif
