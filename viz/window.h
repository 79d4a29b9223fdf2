/* window.h: the window's own state, shared by viz.c (a person at work), act.c (what the person asks
 * for) and export.c (files).
 */
#ifndef MEMWALK_VIZ_WINDOW_H
#define MEMWALK_VIZ_WINDOW_H

#include "viz/keys.h"
#include "viz/paint.h"
#include "viz/pair.h"
#include "viz/sdl.h"
#include "viz/start.h"
#include "viz/state.h"
#include "viz/travel.h"
#include "viz/viz.h"

#define MOTION_MS 260 /* of one micro-step */

struct window {
    struct sdl *sdl;
    struct view view;
    struct travel travel;
    struct pair pair; /* the other run beside this one, if there is one */
    struct scene scene;
    struct layout layout;
    struct start start;
    bool starting;               /* the start screen is shown */
    bool open;                   /* a trace is */
    const struct viz_host *host; /* NULL: nothing can be opened */
    struct viz_run run;
    bool loaded;        /* by window_load: it is to be given back to the host */
    struct state state; /* what is remembered */
    uint64_t moved_at;  /* when the newest motion began */
    uint64_t step_at;   /* when play takes the next step */
    uint64_t frames;
    struct moment titled; /* as the title says */
    bool changed, dragging, panning, quit;
    int pan_x, pan_y; /* where the mouse was */
    bool narrate;     /* each moment is also a line on standard output */
    bool undoing;     /* the newest event's motion runs backwards, then time goes one step back */
};

/* The simulation and the view of it; a screen or picture (w->sdl) is the caller's to open. Without
 * a trace in the options it opens the start screen. */
enum err window_open(struct window *, const struct viz_options *, struct error *);
void window_close(struct window *);
/* Another trace, by the host; what the person set stays. Where it cannot be read the old one stays;
 * where the host has no memory to run it, the start screen is left. */
enum err window_load(struct window *, const char *path, struct error *);
/* The start screen, with a message ("" for none). */
void window_start(struct window *, const char *message);
/* The command line that opens this very moment again. */
void window_command(const struct window *, char *text, size_t size);
/* Makes the scene of the moment: what is drawn, on any screen or on none. */
void window_paint(struct window *, const struct metrics *, int width, int height);
/* Makes it and draws it. */
void window_draw(struct window *);
/* Milliseconds from the newest event to the next step of play: slower at a fault, so that it can be
 * seen. 0: as fast as it goes. */
uint64_t window_pace(const struct window *);
/* Goes one step of the view's grain, and begins its motion. false: nothing further there. */
bool window_step(struct window *, int direction);

/* After the first way to a moment: panes and the other run go there too. */
void window_begin(struct window *);
/* What a key, a button or a command asks for. */
void window_act(struct window *, enum action);
/* One input of the person. */
void window_input(struct window *, const struct input *);
/* A step, with its motion run backwards where it goes back. */
void window_walk(struct window *, int direction);
/* Takes back at once what is still being shown in reverse. */
void window_settle(struct window *);
void window_jump(struct window *, struct moment);
/* Motion begins, or not, after time has moved. */
void window_moved(struct window *, bool forward);
void window_notice(struct view *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
