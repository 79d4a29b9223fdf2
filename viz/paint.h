/* paint.h: what panes are drawn with: boxes and texts that cannot leave their rectangle. */
#ifndef MEMWALK_VIZ_PAINT_H
#define MEMWALK_VIZ_PAINT_H

#include "viz/model.h"
#include "viz/thing.h"
#include "viz/view.h"

struct paint {
    struct scene *scene;
    const struct model *model;
    const struct view *view;
    const struct metrics *metrics;
    const struct layout *layout;
    const struct model_cpu *cpu; /* whose access and walk are shown */
    struct links links;          /* what hangs together with the selection */
    unsigned pane;
    enum layer layer;
};

/* Sizes of text, as parts of the em. */
enum size { SIZE_SMALL, SIZE_BODY, SIZE_LARGE, SIZE_BIG, SIZE_HEAD, SIZES };
enum align { ALIGN_LEFT, ALIGN_CENTRE, ALIGN_RIGHT };

struct style {
    enum face face;
    enum size size;
    enum colour colour;
    enum align align;
};

/* Tenths of an em, in pixels. */
int paint_em(const struct paint *, int tenths);
int paint_px(const struct paint *, enum size);
int paint_line(const struct paint *, enum size);

/* The box of something; it gets the outline of the selection where that belongs to it. */
void paint_box(struct paint *, struct rect, enum colour fill, enum colour edge, struct thing);
/* A box without corners, for cells of a few pixels. */
void paint_cell(struct paint *, struct rect, enum colour fill, uint8_t alpha, struct thing);
/* A thick outline round what is spoken of now. */
void paint_outline(struct paint *, struct rect, enum colour);
void paint_pattern(struct paint *, struct rect, enum item_kind, enum colour);
void paint_meter(struct paint *, struct rect, uint64_t part, uint64_t whole, enum colour);

/* Text in the middle of the rectangle's height; cut with "…" to its width, left out where it is
 * not a line high. Returns the width used. */
int paint_text(struct paint *, struct rect, struct style, const char *text);
int paint_textf(struct paint *, struct rect, struct style, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The largest size from the given one downwards that does not cut. */
int paint_text_shrink(struct paint *, struct rect, struct style, const char *text);
/* Text that is cut at its beginning: of tags and entries the last digits tell most. */
int paint_text_tail(struct paint *, struct rect, struct style, const char *text);
int paint_width(const struct paint *, struct style, const char *text);
/* The English text in the language of the view. Whatever takes a text or a format here looks it up
 * by itself; this is for words that are put into others. */
const char *paint_say(const struct paint *, const char *english) __attribute__((format_arg(2)));

/* The pane's box and head line; returns what is left for its content. */
struct rect paint_pane(struct paint *, const char *title, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Does a line of this size still fit? Then it is cut off the top of rest. */
bool paint_next_line(const struct paint *, enum size, struct rect *rest, struct rect *line);

/* The colour of what lies at a virtual address: heap, stack, mapping … */
enum colour paint_owner(const struct paint *, va_t);

/* A pane: a name for titles and golden files, and how it is drawn. */
struct pane {
    const char *name;
    void (*draw)(struct paint *);
};
extern const struct pane pane_table[PANES];

void pane_program(struct paint *);
void pane_heap(struct paint *);
void pane_control(struct paint *);
void pane_address(struct paint *);
void pane_tlb1(struct paint *);
void pane_tlb2(struct paint *);
void pane_psc(struct paint *);
void pane_walk(struct paint *);
void pane_areas(struct paint *);
void pane_frames(struct paint *);
void pane_timeline(struct paint *);
void pane_narration(struct paint *);
void pane_lesson(struct paint *);
void pane_space(struct paint *);
void pane_tables(struct paint *);
void pane_bytes(struct paint *);

/* Above all panes: what flies from one to another, then help, questions and hints. */
void paint_motion(struct paint *);
void paint_overlay(struct paint *);

/* The whole picture. */
void paint_scene(struct scene *, const struct model *, const struct view *, const struct metrics *,
                 int w, int h, struct layout *);

#endif
