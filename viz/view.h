/* view.h: everything about the picture that is not the machine: where in time, what is selected,
 * how large. The scene is a function of the model and of this.
 */
#ifndef MEMWALK_VIZ_VIEW_H
#define MEMWALK_VIZ_VIEW_H

#include "sim/query.h"
#include "sim/sim.h"
#include "sim/words.h"
#include "viz/layout.h"
#include "viz/model.h"
#include "viz/prompt.h"
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
#define BREAKS     8u

static inline bool moment_before(struct moment x, struct moment y)
{
    return x.op < y.op || (x.op == y.op && x.step < y.step);
}

static inline bool moment_same(struct moment x, struct moment y)
{
    return x.op == y.op && x.step == y.step;
}

struct browse {     /* a close look: browse.h */
    va_t space;     /* first address of the place that the pane of the address space shows */
    unsigned depth; /* 0: all of it */
    pa_t table;     /* that the browser of tables shows */
    pfn_t frame;    /* whose bytes are shown */
    unsigned row;   /* first line that is shown */
    int drag_x, drag_y;
    bool known; /* bytes are those of the frame */
    uint8_t bytes[PAGE_SIZE];
};

struct question { /* in predict mode: predict.h */
    const char *text, *choice[4];
    unsigned choices; /* 0: nothing is asked */
    unsigned right;   /* 1 … choices */
};

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
    enum lang lang;   /* of all words */
    int scale;        /* text size, 1000: 1× */
    unsigned hidden;  /* panes switched off */
    unsigned pointed; /* the pane under the mouse, or that Tab went to; PANES: none */
    bool enlarged;    /* that one has the place of all but time and narration */
    bool help;
    struct prompt prompt; /* a line that is being typed */
    struct browse browse;
    bool predicting;
    struct question question;
    unsigned asked, guessed; /* questions, and right answers */
    struct moment answered;  /* where the last one was */
    char verdict[128];       /* on the last answer; shown with the next step */
    bool menu;               /* what can be asked of the selection, at hover_x, hover_y */
    struct query query;      /* looked for last */
    struct query brk[BREAKS];
    size_t breaks;
    struct moment mark[2]; /* a stretch of the run: A, B */
    struct model_counts marked[2];
    unsigned marks;                    /* 0 … 2 */
    struct moment bookmark[BOOKMARKS]; /* in order */
    size_t bookmarks;
    char headline[512]; /* the newest event in a sentence */
    char chapter[320];  /* the op, and the part of the story that the event belongs to */
    char notice[160];   /* one line that says what just went wrong, or "" */
    char caption[1400]; /* below all panes of a picture in a file, or "" */
};

/* Panes that are shown only alone, with time and narration. */
#define PANES_ALONE (1u << PANE_SPACE | 1u << PANE_TABLES | 1u << PANE_BYTES)

/* The panes that are not shown now, bit by bit. */
static inline unsigned view_hidden(const struct view *v)
{
    unsigned all = (1u << PANES) - 1, keep = 1u << PANE_NARRATION | 1u << PANE_TIMELINE;
    return v->enlarged && v->pointed < PANES ? all & ~(keep | 1u << v->pointed)
                                             : v->hidden | PANES_ALONE;
}

/* The pane that has the place of the others; PANES: none. */
static inline unsigned view_alone(const struct view *v)
{
    return v->enlarged ? v->pointed : PANES;
}

#endif
