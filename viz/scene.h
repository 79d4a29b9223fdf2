/* scene.h: a picture as a list of boxes, lines and texts, each with what it stands for.
 *
 * Building it is a pure function of (model, view, sizes, font metrics): the same moment gives the
 * same list. SDL only executes the list; tests print it, and check that nothing overlaps.
 */
#ifndef MEMWALK_VIZ_SCENE_H
#define MEMWALK_VIZ_SCENE_H

#include "viz/text.h"
#include "viz/theme.h"

struct rect {
    int x, y, w, h;
};

/* ---- what an item stands for ---- */

enum thing_kind {
    THING_NONE,
    THING_PANE,   /* a: enum pane_id */
    THING_OP,     /* a: number */
    THING_VA,     /* a: virtual address */
    THING_INDEX,  /* a: level; the field of the split address */
    THING_BLOCK,  /* a: first byte */
    THING_CHUNK,  /* a: first byte, b: size */
    THING_AREA,   /* a: start, b: end */
    THING_ENTRY,  /* a: pa, b: level */
    THING_TABLE,  /* a: pa, b: level */
    THING_LINE,   /* a: set * ways + way, b: level */
    THING_SLOT,   /* a: slot, b: level */
    THING_FRAME,  /* a: pfn */
    THING_BIT,    /* a: number of the bit in an entry, b: the entry's pa */
    THING_ACTION, /* a: enum action: a button */
    THING_SCRUB,  /* the slider of time */
    THING_CALL,   /* the kernel at work */
    THING_FILE,   /* a: which of the start screen's traces */
    THING_WORD,   /* a: physical address of 8 bytes */
    THING_SPAN,   /* a: first virtual address, b: how much of it, log2 of bits; part of a space */
    THING_ANSWER, /* a: number of the answer to a question, from 1 */
    THING_KINDS
};

struct thing {
    enum thing_kind kind;
    uint64_t a, b;
};

extern const char *const thing_kind_name[THING_KINDS];
bool thing_equal(struct thing, struct thing);

/* ---- items ---- */

enum item_kind {
    ITEM_BOX,      /* rounded: fill, edge */
    ITEM_HATCH,    /* diagonal lines over a box */
    ITEM_GRID,     /* a grid over a box */
    ITEM_TEXT,     /* fill is its colour */
    ITEM_LINE,     /* from x,y to x+w,y+h */
    ITEM_ARROW,    /* a curve that leaves and arrives level, with a head */
    ITEM_TRIANGLE, /* radius 0: points right, 1: left */
    ITEM_DISC,
    ITEM_PLOT, /* points text … text+count */
    ITEM_KINDS
};

enum layer { LAYER_PANES, LAYER_MOTION, LAYER_OVER, LAYERS };

struct item {
    enum item_kind kind;
    enum layer layer;
    unsigned pane;
    enum colour fill, edge;
    uint8_t alpha; /* of the fill, 255: solid */
    int edge_px;   /* width of edge or line */
    int radius;
    struct rect at; /* of a text: exactly its pixels, whole lines high */
    enum face face;
    int px;       /* size of text */
    size_t text;  /* offset into scene.texts, or first of scene.points */
    size_t count; /* of points */
    struct thing thing;
};

struct point {
    int x, y;
};

struct scene {
    int w, h;
    struct item *item;
    size_t items, items_max;
    char *texts;
    size_t texts_used, texts_max;
    struct point *point;
    size_t points, points_max;
};

/* An empty scene of w × h pixels; keeps the memory of the one before. */
void scene_clear(struct scene *, int w, int h);
void scene_free(struct scene *);
/* Both return NULL where the host has no memory: the item is then left out. */
struct item *scene_add(struct scene *, const struct item *);
struct item *scene_add_text(struct scene *, const struct item *, const char *text);
struct item *scene_add_plot(struct scene *, const struct item *, const struct point *, size_t n);
const char *scene_text(const struct scene *, const struct item *);

/* The topmost item at a place that stands for something; NULL: none. */
const struct item *scene_hit(const struct scene *, int x, int y);
/* The first item that stands for that; NULL: not to be seen. */
const struct item *scene_find(const struct scene *, struct thing);

/* Finds the first fault of a picture: a text that overlaps another or crosses a box, or an item
 * outside the picture or its pane. true: none; false: described in why. */
bool scene_check(const struct scene *, const struct metrics *, const struct rect *panes,
                 size_t count, char *why, size_t size);

/* The list as text, a line per item, for golden files: calls put for each line. */
void scene_print(const struct scene *, void (*put)(void *ctx, const char *line), void *ctx);

/* ---- cutting rectangles: pieces can never overlap, and never leave the whole ---- */

struct rect rect_cut_top(struct rect *, int h);
struct rect rect_cut_bottom(struct rect *, int h);
struct rect rect_cut_left(struct rect *, int w);
struct rect rect_cut_right(struct rect *, int w);
struct rect rect_inset(struct rect, int by);
/* Column i of n, with gaps between. */
struct rect rect_column(struct rect, int i, int n, int gap);
bool rect_holds(struct rect, int x, int y);
bool rect_inside(struct rect inner, struct rect outer);
bool rect_overlap(struct rect, struct rect);

#endif
