/* travel.h: moving the simulation through time, and telling the view where it is.
 *
 * Knows nothing of windows, so a test can travel as a person would.
 */
#ifndef MEMWALK_VIZ_TRAVEL_H
#define MEMWALK_VIZ_TRAVEL_H

#include "viz/trail.h"

struct travel {
    struct sim *sim;
    struct survey *survey;
    struct view *view;
    struct trail *trail; /* of the selected thing; NULL: not asked for */
    struct query query;  /* that search looks for */
    struct hits *search; /* NULL: not asked for */
    struct hits *breaks; /* of the view's breakpoints; NULL: not asked for */
    uint8_t *kinds;      /* of the events of op kinds_op */
    size_t steps, kinds_max;
    uint64_t kinds_op;
};

/* Opens simulation and survey for the view's trace and configuration. */
enum err travel_open(struct travel *, struct view *, struct error *);
void travel_close(struct travel *);
const struct model *travel_model(const struct travel *);

/* Goes to a moment; beyond the ends means the ends. Errors become the view's notice. */
void travel_to(struct travel *, struct moment);
/* One step of the view's grain, forward (1) or back (-1). false: nothing further there. */
bool travel_step(struct travel *, int direction);
/* To the next (1) or last (-1) event of that kind: SURVEY_FAULT, SURVEY_MISS or SURVEY_CALL. */
bool travel_find(struct travel *, int direction, uint8_t flag);
/* To the next (1) or last (-1) event of the selected thing that is of these kinds (enum
 * trail_kind).
 */
bool travel_trail(struct travel *, int direction, unsigned kinds);
/* To the next (1) or last (-1) event of the view's query; from now on also to "the next one". */
bool travel_search(struct travel *, int direction);
/* To the next (1) or last (-1) event that one of the view's breakpoints asks for. */
bool travel_break(struct travel *, int direction);
/* The first moment after from and not after to at which a breakpoint holds. */
bool travel_broken(struct travel *, struct moment from, struct moment to, struct moment *at);
/* The view's breakpoints are others now. */
void travel_breaks_changed(struct travel *);
/* To a place of the whole run, 0 to 1. */
void travel_to_part(struct travel *, double part);

#endif
