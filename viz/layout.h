/* layout.h: where each pane is, from one table of constraints.
 *
 * All lengths are in em (tenths of it), so a picture keeps its shape when text or window grow.
 * Where not everything fits, the least important panes go first; what is left is never squeezed
 * below its minimum unless it is the last.
 */
#ifndef MEMWALK_VIZ_LAYOUT_H
#define MEMWALK_VIZ_LAYOUT_H

#include "viz/scene.h"

enum pane_id {
    PANE_PROGRAM,
    PANE_HEAP,
    PANE_CONTROL,
    PANE_ADDRESS,
    PANE_TLB1,
    PANE_TLB2,
    PANE_PSC,
    PANE_WALK,
    PANE_AREAS,
    PANE_FRAMES,
    PANE_TIMELINE,
    PANE_NARRATION,
    PANE_LESSON,
    PANE_SPACE,
    PANE_TABLES,
    PANE_BYTES,
    PANES
};

/* "program", "heap", …, ended by NULL. */
extern const char *const pane_name[PANES + 1];

struct layout {
    int em;                  /* pixels: the size of text that all others follow */
    struct rect pane[PANES]; /* w == 0: hidden */
    unsigned dropped;        /* bit n: pane n did not fit */
};

/* w and h in pixels; scale: the user's text size, 1000 = 1×; hidden: bit n switches pane n off. */
void layout_make(struct layout *, int w, int h, int scale, unsigned hidden);

#endif
