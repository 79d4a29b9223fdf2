/* view.h: everything about the picture that is not the machine: where in time, what is selected,
 * how large. The scene is a function of the model and of this.
 */
#ifndef MEMWALK_VIZ_VIEW_H
#define MEMWALK_VIZ_VIEW_H

#include "sim/sim.h"
#include "viz/layout.h"
#include "viz/survey.h"

enum grain {
    GRAIN_STEP,   /* one event */
    GRAIN_ACCESS, /* one access to memory */
    GRAIN_OP,     /* one op of the trace, or system call */
    GRAIN_STOP,   /* the next stop of the lesson */
    GRAINS
};
extern const char *const grain_name[GRAINS];

#define PHASE_DONE 1000
#define BOOKMARKS  64u

static inline bool moment_before(struct moment x, struct moment y)
{
    return x.op < y.op || (x.op == y.op && x.step < y.step);
}

struct view {
    const struct trace *trace;
    const struct config *config;
    const struct survey *survey;
    const char *name; /* of the trace, for the title */
    struct moment now;
    uint64_t ops;
    const uint8_t *kinds; /* of the events of op now.op; kinds[0 .. steps) */
    uint64_t steps;
    enum grain grain;
    bool playing, motion;
    int speed; /* steps in 100 s; 0: as fast as it goes */
    int phase; /* of the newest event's motion: 0 … PHASE_DONE */
    struct thing selection, hover;
    int hover_x, hover_y;
    enum theme theme;
    int scale;        /* text size, 1000: 1× */
    unsigned hidden;  /* panes switched off */
    unsigned pointed; /* the pane under the mouse, or that Tab went to; PANES: none */
    bool enlarged;    /* that one has the place of all but time and narration */
    bool help;
    bool asking; /* for an op to go to */
    char answer[24];
    struct moment bookmark[BOOKMARKS]; /* in order */
    size_t bookmarks;
    char headline[512]; /* the newest event in a sentence */
    char chapter[320];  /* the op, and the part of the story that the event belongs to */
    char notice[160];   /* one line that says what just went wrong, or "" */
    char caption[1024]; /* below all panes of a picture in a file, or "" */
};

/* The panes that are not shown now, bit by bit. */
static inline unsigned view_hidden(const struct view *v)
{
    unsigned all = (1u << PANES) - 1, keep = 1u << PANE_NARRATION | 1u << PANE_TIMELINE;
    return v->enlarged && v->pointed < PANES ? all & ~(keep | 1u << v->pointed) : v->hidden;
}

#endif
