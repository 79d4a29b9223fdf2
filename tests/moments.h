/* moments.h: the sample moments of the window: every kind of picture that it can show, each found
 * in a shipped trace by a question, so that they stay what they are when traces grow.
 *
 * Golden files, the checks of texts and boxes at all sizes, and the pictures of the documentation
 * are all made of these.
 */
#ifndef MEMWALK_TESTS_MOMENTS_H
#define MEMWALK_TESTS_MOMENTS_H

#include "viz/window.h"

struct sample {
    const char *name;
    const char *trace;   /* below traces/; NULL: the start screen */
    const char *query;   /* sim/query.h; NULL: before the first op */
    const char *against; /* another machine beside it */
    const char *pane;    /* enlarged */
    enum theme theme;
    enum lang lang;
    int scale; /* 0: 1000 */
    const enum action
        *action;       /* what the person then asks for, ended by DO_NOTHING; NULL: nothing */
    const char *typed; /* and types, into the line that is open then */
};

extern const struct sample sample_table[];
extern const size_t sample_count;

/* A window in memory at the sample's moment; ends the program where that is not possible. */
struct moment_stage {
    struct trace *trace;
    struct config config, against;
    struct viz_host host;
    struct window window;
};
/* picture: with the fonts of this machine, else without any. */
void moment_open(struct moment_stage *, const struct sample *, bool picture);
void moment_close(struct moment_stage *);

#endif
