/* theme.c: the table of colours: one row per role, one column per theme. */
#include "viz/theme.h"

const char *const theme_name[THEMES] = {"dark", "light", "contrast"};

const char *const colour_name[COLOURS] = {
    "none",   "back",  "pane",  "pane-edge", "cell", "cell-edge", "sunk",   "text",
    "bright", "dim",   "faint", "hit",       "miss", "fault",     "select", "read",
    "write",  "dirty", "table", "kernel",    "heap", "mmap",      "stack",  "image",
};

#define RGB(hex)                                                                                   \
    {                                                                                              \
        (hex) >> 16 & 0xff, (hex) >> 8 & 0xff, (hex)&0xff                                          \
    }

/* On white the light blues, yellow and orange of Okabe and Ito would vanish; there they are
 * darkened in their own hue. */
static const struct rgb colour[COLOURS][THEMES] = {
    [C_BACK] = {RGB(0x0d1117), RGB(0xe9edf2), RGB(0x000000)},
    [C_PANE] = {RGB(0x161c26), RGB(0xffffff), RGB(0x000000)},
    [C_PANE_EDGE] = {RGB(0x252d38), RGB(0xc6ced8), RGB(0x8a8a8a)},
    [C_CELL] = {RGB(0x1f2833), RGB(0xf0f3f7), RGB(0x101010)},
    [C_CELL_EDGE] = {RGB(0x2f3a47), RGB(0xccd4de), RGB(0x9a9a9a)},
    [C_SUNK] = {RGB(0x10151d), RGB(0xe1e6ed), RGB(0x1c1c1c)},
    [C_TEXT] = {RGB(0xd3dbe4), RGB(0x242a33), RGB(0xffffff)},
    [C_BRIGHT] = {RGB(0xffffff), RGB(0x000000), RGB(0xffffff)},
    [C_DIM] = {RGB(0x8793a2), RGB(0x586472), RGB(0xd6d6d6)},
    [C_FAINT] = {RGB(0x56616e), RGB(0x8d98a5), RGB(0xa8a8a8)},
    [C_HIT] = {RGB(0x009e73), RGB(0x00805d), RGB(0x19d8a4)},
    [C_MISS] = {RGB(0xe69f00), RGB(0xa26f00), RGB(0xffb81f)},
    [C_FAULT] = {RGB(0xd55e00), RGB(0xc25500), RGB(0xff8126)},
    [C_SELECT] = {RGB(0x56b4e9), RGB(0x0072b2), RGB(0x7ccbff)},
    [C_READ] = {RGB(0x56b4e9), RGB(0x1b7fb8), RGB(0x7ccbff)},
    [C_WRITE] = {RGB(0xcc79a7), RGB(0xa84d80), RGB(0xff9fd2)},
    [C_DIRTY] = {RGB(0xf0e442), RGB(0x8f8600), RGB(0xfff45c)},
    [C_TABLE] = {RGB(0x8a94a0), RGB(0x6d7783), RGB(0xd0d0d0)},
    [C_KERNEL] = {RGB(0x48525e), RGB(0x97a1ad), RGB(0x707070)},
    [C_HEAP] = {RGB(0x2a9d74), RGB(0x12916a), RGB(0x19d8a4)},
    [C_MMAP] = {RGB(0x2d74ad), RGB(0x2d74ad), RGB(0x58b2ff)},
    [C_STACK] = {RGB(0xa5669a), RGB(0xa5669a), RGB(0xff9fd2)},
    [C_IMAGE] = {RGB(0x6b7280), RGB(0x7a8390), RGB(0xbcbcbc)},
};

struct rgb theme_colour(enum theme theme, enum colour role)
{
    return colour[role][theme];
}
