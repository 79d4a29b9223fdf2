/* window.h: the window's own state, shared by viz.c (a person at work) and export.c (files). */
#ifndef MEMWALK_VIZ_WINDOW_H
#define MEMWALK_VIZ_WINDOW_H

#include "viz/paint.h"
#include "viz/sdl.h"
#include "viz/travel.h"
#include "viz/viz.h"

#define MOTION_MS 260 /* of one micro-step */

struct window {
    struct sdl *sdl;
    struct view view;
    struct travel travel;
    struct scene scene;
    struct layout layout;
    uint64_t moved_at; /* when the newest motion began */
    uint64_t step_at;  /* when play takes the next step */
    uint64_t frames;
    struct moment titled; /* as the title says */
    bool changed, dragging, quit;
    bool narrate; /* each moment is also a line on standard output */
    bool undoing; /* the newest event's motion runs backwards, then time goes one step back */
    const char *command; /* that opens this window, without the moment */
};

/* The simulation and the view of it; a screen or picture (w->sdl) is the caller's to open. */
enum err window_open(struct window *, const struct viz_options *, struct error *);
void window_close(struct window *);
/* The command line that opens this very moment again. */
void window_command(const struct window *, char *text, size_t size);
/* Makes the scene of the moment and draws it. */
void window_draw(struct window *);
/* Milliseconds from the newest event to the next step of play: slower at a fault, so that it can be
 * seen. 0: as fast as it goes. */
uint64_t window_pace(const struct window *);
/* Goes one step of the view's grain, and begins its motion. false: nothing further there. */
bool window_step(struct window *, int direction);

#endif
