/* theme.h: roles of colour, and three themes that give each role its colour.
 *
 * The scene speaks of roles only, so a picture is the same in every theme but for its colours. The
 * roles that carry meaning are those of Okabe and Ito, which stay apart for colour-blind eyes; and
 * every one of them has a glyph or pattern as well.
 */
#ifndef MEMWALK_VIZ_THEME_H
#define MEMWALK_VIZ_THEME_H

#include "sim/base/types.h"

enum colour {
    C_NONE,
    C_BACK,      /* behind all panes */
    C_PANE,      /* a pane */
    C_PANE_EDGE, /* its border */
    C_CELL,      /* a row or cell in a pane */
    C_CELL_EDGE,
    C_SUNK, /* an empty cell, the groove of a slider */
    C_TEXT,
    C_BRIGHT, /* what is spoken of now */
    C_DIM,    /* titles and notes */
    C_FAINT,  /* what is not used */
    C_HIT,
    C_MISS,
    C_FAULT,
    C_SELECT,
    C_READ,
    C_WRITE,
    C_DIRTY,
    C_TABLE,
    C_KERNEL,
    C_HEAP,
    C_MMAP,
    C_STACK,
    C_IMAGE,
    COLOURS
};

enum theme { THEME_DARK, THEME_LIGHT, THEME_CONTRAST, THEMES };

struct rgb {
    uint8_t r, g, b;
};

struct rgb theme_colour(enum theme, enum colour);
extern const char *const theme_name[THEMES];
extern const char *const colour_name[COLOURS];

#endif
