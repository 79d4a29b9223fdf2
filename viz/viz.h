/* viz.h: the window on a simulation, and pictures of its moments. */
#ifndef MEMWALK_VIZ_VIZ_H
#define MEMWALK_VIZ_VIZ_H

#include "sim/sim.h"

/* A trace on a machine: what is looked at. All of it stays its maker's. */
struct viz_run {
    const struct trace *trace;
    const struct config *config;
    const struct config *against; /* the same trace on this machine beside it; NULL: alone */
    const char *name;             /* of the trace, for the title */
    const char *command;          /* the command line that opens this window, without the moment */
    const char *other;            /* what is different in against, for its caption */
    char path[1024];              /* of the trace */
    void *own;                    /* the host's */
};

/* What the window asks of the command that opened it. */
struct viz_host {
    /* Opens a trace as the command line would, with the same machine. */
    enum err (*open)(void *ctx, const char *path, struct viz_run *, struct error *);
    void (*close)(void *ctx, struct viz_run *);
    void *ctx;
    const char *traces; /* folder of the shipped ones; NULL: there is none */
    const char *state;  /* file of what is remembered; NULL: nothing is */
};

struct viz_options {
    struct viz_run run;          /* the caller's; run.trace NULL: begin with the start screen */
    const struct viz_host *host; /* NULL: nothing else can be opened */
    struct moment at;            /* where to begin */
    int width, height;           /* pixels; 0: as remembered */
    int scale;                   /* text size, 1000: 1×; 0: as remembered */
    const char *theme;           /* "dark", "light", "contrast"; NULL: as remembered */
    const char *lang;            /* "en", "de"; NULL: as remembered */
    const char *pane;            /* enlarged, one of viz_panes; NULL: none */
    bool still;                  /* no motion */
    bool narrate;                /* say each moment on standard output too, for screen readers */
    uint64_t exit_after;         /* pictures drawn before the window closes by itself; 0: never */
};

#define VIZ_WIDTH  1600
#define VIZ_HEIGHT 900
#define VIZ_LEAST  320 /* pixels, each way */
#define VIZ_MOST   8192

/* Opens the window and stays until the person quits. ERR_IO: no display or no font. */
enum err viz_window(const struct viz_options *, struct error *);
/* Write the picture of the moment, with a caption that says how to come back to it, to a file which
 * appears whole or not at all; they need no display. */
enum err viz_png(const struct viz_options *, const char *path, struct error *);
enum err viz_svg(const struct viz_options *, const char *path, struct error *);
/* The first moment at which the query (sim/query.h) holds. ERR_SYNTAX, or ERR_VALUE: it never does.
 */
enum err viz_find(const struct viz_run *, const char *query, struct moment *, struct error *);
/* A film from the moment of the options to another: take gets each picture, width × height pixels
 * of 4 bytes (blue, green, red, unused), row by row, valid until it returns; false ends the film.
 */
struct viz_film {
    struct moment to;
    unsigned grain; /* enum grain */
    int speed;      /* steps in 100 s */
    uint64_t rate;  /* pictures a second */
    bool (*take)(void *ctx, const void *pixels, uint64_t number);
    void *ctx;
};
enum err viz_film(const struct viz_options *, const struct viz_film *, struct error *);
/* Calls show for each key of the window: how it is written on the keyboard, the name of what it
 * does, and that in words. */
void viz_keys(void (*show)(void *ctx, const char *key, const char *name, const char *doc),
              void *ctx);
/* The names of the sizes of a step, in the order of enum grain, and of the themes, ended by NULL.
 */
const char *const *viz_grains(void);
const char *const *viz_themes(void);
const char *const *viz_panes(void);

#endif
