/* paint.c: boxes and texts for the panes, and the order in which a picture is put together. */
#include "viz/paint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct pane pane_table[PANES] = {
    [PANE_PROGRAM] = {"program", pane_program},
    [PANE_HEAP] = {"heap", pane_heap},
    [PANE_CONTROL] = {"control", pane_control},
    [PANE_ADDRESS] = {"address", pane_address},
    [PANE_TLB1] = {"tlb1", pane_tlb1},
    [PANE_TLB2] = {"tlb2", pane_tlb2},
    [PANE_PSC] = {"psc", pane_psc},
    [PANE_WALK] = {"walk", pane_walk},
    [PANE_AREAS] = {"areas", pane_areas},
    [PANE_FRAMES] = {"frames", pane_frames},
    [PANE_TIMELINE] = {"timeline", pane_timeline},
    [PANE_NARRATION] = {"narration", pane_narration},
    [PANE_LESSON] = {"lesson", pane_lesson},
    [PANE_SPACE] = {"space", pane_space},
    [PANE_TABLES] = {"tables", pane_tables},
    [PANE_BYTES] = {"bytes", pane_bytes},
};

/* ---- sizes ---- */

int paint_em(const struct paint *p, int tenths)
{
    return (p->layout->em * tenths + 5) / 10;
}

int paint_px(const struct paint *p, enum size size)
{
    static const int percent[SIZES] = {72, 84, 98, 145, 165};
    return (p->layout->em * percent[size] + 50) / 100;
}

int paint_line(const struct paint *p, enum size size)
{
    return text_line(paint_px(p, size));
}

/* ---- boxes ---- */

static struct item *add_box(struct paint *p, struct rect r, enum colour fill, enum colour edge,
                            struct thing thing)
{
    if (r.w <= 0 || r.h <= 0)
        return NULL;
    return scene_add(p->scene, &(struct item){.kind = ITEM_BOX,
                                              .layer = p->layer,
                                              .pane = p->pane,
                                              .fill = fill,
                                              .edge = edge,
                                              .alpha = 255,
                                              .edge_px = 1 + p->layout->em / 20,
                                              .radius = paint_em(p, 3),
                                              .at = r,
                                              .thing = thing});
}

static bool is_linked(const struct paint *p, struct thing thing)
{
    return thing_linked(&p->links, p->model, p->cpu, thing);
}

void paint_box(struct paint *p, struct rect r, enum colour fill, enum colour edge,
               struct thing thing)
{
    add_box(p, r, fill, edge, thing);
    if (is_linked(p, thing))
        paint_outline(p, r, C_SELECT);
}

void paint_cell(struct paint *p, struct rect r, enum colour fill, uint8_t alpha, struct thing thing)
{
    struct item *box = add_box(p, r, fill, C_NONE, thing);
    if (!box)
        return;
    box->radius = r.h > 6 && r.w > 6 ? 2 : 0;
    box->alpha = alpha;
    if (is_linked(p, thing))
        paint_outline(p, r, C_SELECT);
}

void paint_outline(struct paint *p, struct rect r, enum colour colour)
{
    struct item *box = add_box(p, r, C_NONE, colour, (struct thing){0});
    if (!box)
        return;
    box->edge_px = 2 + p->layout->em / 24;
    if (r.h < 12)
        box->radius = 2;
}

void paint_pattern(struct paint *p, struct rect r, enum item_kind kind, enum colour colour)
{
    if (r.w > 3 && r.h > 3)
        scene_add(p->scene, &(struct item){.kind = kind,
                                           .layer = p->layer,
                                           .pane = p->pane,
                                           .fill = colour,
                                           .edge_px = 1,
                                           .at = r});
}

void paint_meter(struct paint *p, struct rect r, uint64_t part, uint64_t whole, enum colour colour)
{
    paint_cell(p, r, C_SUNK, 255, (struct thing){0});
    if (!whole || !part)
        return;
    struct rect filled = r;
    filled.w = (int)((double)r.w * (double)min_u64(part, whole) / (double)whole + 0.5);
    paint_cell(p, filled, colour, 255, (struct thing){0});
}

/* ---- texts ---- */

const char *paint_say(const struct paint *p, const char *english)
{
    return words_say(p->view->lang, english);
}

static int text_at(struct paint *p, struct rect r, struct style style, int px, const char *text)
{
    char fitted[512];
    int width = text_fit(p->metrics, style.face, px, text, r.w, fitted, sizeof(fitted));
    int high = text_line(px);
    if (!fitted[0] || high > r.h)
        return 0;
    int left = style.align == ALIGN_LEFT ? 0 : r.w - width;
    if (style.align == ALIGN_CENTRE)
        left /= 2;
    scene_add_text(p->scene,
                   &(struct item){.kind = ITEM_TEXT,
                                  .layer = p->layer,
                                  .pane = p->pane,
                                  .fill = style.colour,
                                  .at = {r.x + left, r.y + (r.h - high) / 2, width, high},
                                  .face = style.face,
                                  .px = px},
                   fitted);
    return width;
}

int paint_text(struct paint *p, struct rect r, struct style style, const char *text)
{
    return text_at(p, r, style, paint_px(p, style.size), paint_say(p, text));
}

int paint_textf(struct paint *p, struct rect r, struct style style, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), paint_say(p, format), args);
    va_end(args);
    return paint_text(p, r, style, text);
}

int paint_text_shrink(struct paint *p, struct rect r, struct style style, const char *text)
{
    int px = paint_px(p, style.size);
    int least = paint_px(p, SIZE_SMALL);
    text = paint_say(p, text);
    while (px > least &&
           (text_width(p->metrics, style.face, px, text) > r.w || text_line(px) > r.h))
        px--;
    return text_at(p, r, style, px, text);
}

int paint_text_tail(struct paint *p, struct rect r, struct style style, const char *text)
{
    char tail[64];
    const char *rest = text;
    if (paint_width(p, style, text) <= r.w)
        return paint_text(p, r, style, text);
    do {
        text_next(&rest);
        snprintf(tail, sizeof(tail), "…%s", rest);
    } while (*rest && paint_width(p, style, tail) > r.w);
    return paint_text(p, r, style, tail);
}

int paint_width(const struct paint *p, struct style style, const char *text)
{
    return text_width(p->metrics, style.face, paint_px(p, style.size), paint_say(p, text));
}

/* ---- panes ---- */

struct rect paint_pane(struct paint *p, const char *title, const char *format, ...)
{
    char note[256];
    va_list args;
    va_start(args, format);
    vsnprintf(note, sizeof(note), paint_say(p, format), args);
    va_end(args);
    struct rect r = p->layout->pane[p->pane];
    struct item *box = add_box(p, r, C_PANE, C_PANE_EDGE, (struct thing){THING_PANE, p->pane, 0});
    if (box) {
        box->edge_px = 1;
        box->radius = paint_em(p, 4);
    }
    r = rect_inset(r, paint_em(p, 5));
    r.x += paint_em(p, 2);
    r.w -= paint_em(p, 4);
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_SMALL));
    int used =
        paint_text(p, head, (struct style){FACE_SANS_BOLD, SIZE_SMALL, C_DIM, ALIGN_LEFT}, title);
    rect_cut_left(&head, used + paint_em(p, 8));
    paint_text(p, head, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_RIGHT}, note);
    rect_cut_top(&r, paint_em(p, 3));
    return r;
}

bool paint_next_line(const struct paint *p, enum size size, struct rect *rest, struct rect *line)
{
    int high = paint_line(p, size) + paint_em(p, 1);
    if (rest->h < high)
        return false;
    *line = rect_cut_top(rest, high);
    return true;
}

enum colour paint_owner(const struct paint *p, va_t va)
{
    if (va >> 47)
        return C_KERNEL;
    const struct model_area *a = model_area(p->model, p->cpu->pid, va);
    const char *name = a && a->name ? a->name : "";
    if (strcmp(name, "[heap]") == 0)
        return C_HEAP;
    if (strcmp(name, "[stack]") == 0)
        return C_STACK;
    if (name[0])
        return C_IMAGE;
    return a ? C_MMAP : C_KERNEL;
}

/* A line below the panes: what a picture in a file must say about itself. Returns the height that
 * is left above it. */
static int paint_caption(struct paint *p, int w, int h)
{
    int high = paint_line(p, SIZE_SMALL) + paint_em(p, 3);
    struct rect r = {paint_em(p, 6), h - high, w - 2 * paint_em(p, 6), paint_line(p, SIZE_SMALL)};
    p->layer = LAYER_OVER;
    paint_text(p, r, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_LEFT}, p->view->caption);
    p->layer = LAYER_PANES;
    return h - high;
}

void paint_scene(struct scene *scene, const struct model *model, const struct view *view,
                 const struct metrics *metrics, int w, int h, struct layout *layout)
{
    scene_clear(scene, w, h);
    layout_make(layout, w, h, view->scale, view_hidden(view));
    struct paint p = {.scene = scene,
                      .model = model,
                      .view = view,
                      .metrics = metrics,
                      .layout = layout,
                      .cpu = &model->cpu[model->cpu_now],
                      .pane = PANES};
    if (view->caption[0])
        layout_make(layout, w, paint_caption(&p, w, h), view->scale, view_hidden(view));
    thing_links(&p.links, model, p.cpu, view->selection);
    for (p.pane = 0; p.pane < PANES; p.pane++)
        if (layout->pane[p.pane].w > 0)
            pane_table[p.pane].draw(&p);
    p.layer = LAYER_MOTION;
    paint_motion(&p);
    p.layer = LAYER_OVER;
    paint_overlay(&p);
}
