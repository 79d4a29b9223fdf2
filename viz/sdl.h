/* sdl.h: the host's screen, keys and fonts, or a picture in memory for PNG files.
 *
 * Nothing of SDL shows here: the rest of the window is plain C that a test can run anywhere.
 */
#ifndef MEMWALK_VIZ_SDL_H
#define MEMWALK_VIZ_SDL_H

#include "sim/base/err.h"
#include "viz/scene.h"

struct sdl;

enum input_kind {
    INPUT_NONE,
    INPUT_KEY, /* key, mods: see keys.h */
    INPUT_MOVE,
    INPUT_PRESS,  /* of the left button */
    INPUT_DOUBLE, /* the second press of two */
    INPUT_MENU,   /* a press of the right button */
    INPUT_PAN,    /* a press of the middle button; its release is INPUT_RELEASE */
    INPUT_RELEASE,
    INPUT_WHEEL,  /* y: clicks, away from the person is positive */
    INPUT_DROP,   /* text: the path of a file; good until the next input */
    INPUT_CHANGE, /* of size, or the window must be drawn again */
    INPUT_QUIT,
};

struct input {
    enum input_kind kind;
    int key;
    unsigned mods;
    int x, y; /* pixels of the scene */
    const char *text;
};

/* A window of w × h; *sdl is NULL on error: no display, no font, no renderer. */
enum err sdl_open_window(struct sdl **sdl, int w, int h, const char *title, struct error *);
/* A picture in memory; needs no display. */
enum err sdl_open_picture(struct sdl **sdl, int w, int h, struct error *);
void sdl_close(struct sdl *);

const struct metrics *sdl_metrics(struct sdl *);
/* Pixels that a scene should have now. */
void sdl_size(struct sdl *, int *w, int *h);
void sdl_draw(struct sdl *, const struct scene *, enum theme);
/* Of a picture: its pixels, 4 bytes each (blue, green, red, unused), row by row without gaps. */
const void *sdl_pixels(const struct sdl *);
/* Of a picture: writes it to a PNG file, which appears whole or not at all. */
enum err sdl_save(struct sdl *, const char *path, struct error *);

/* Of a window: writes what was drawn last to a PNG file. */
enum err sdl_shot(struct sdl *, const char *path, struct error *);
/* Text for the clipboard. */
void sdl_copy(const char *text);

/* The next input, waiting at most ms; false: there was none. */
bool sdl_input(struct sdl *, struct input *, int ms);
void sdl_full_screen(struct sdl *);
void sdl_title(struct sdl *, const char *title);
/* Milliseconds of the host, for the pace of motion only. */
uint64_t sdl_clock(void);

#endif
