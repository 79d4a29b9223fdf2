/* overlay.c: what lies above the panes: help, the question for an op, and what the mouse points at.
 */
#include "viz/keys.h"
#include "viz/paint.h"

#include <stdio.h>
#include <string.h>

static struct rect centred(const struct paint *p, int w, int h)
{
    int most_w = p->scene->w - paint_em(p, 20);
    int most_h = p->scene->h - paint_em(p, 10);
    w = w < most_w ? w : most_w;
    h = h < most_h ? h : most_h;
    return (struct rect){(p->scene->w - w) / 2, (p->scene->h - h) / 2, w, h};
}

static struct rect panel(struct paint *p, struct rect r, enum colour edge)
{
    paint_box(p, r, C_BACK, edge, (struct thing){0});
    paint_outline(p, r, edge);
    return rect_inset(r, paint_em(p, 8));
}

/* All keys of an action: "→, PageDown". */
static void labels(enum action action, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < key_count && at < size; i++)
        if (key_table[i].action == action)
            at +=
                (size_t)snprintf(text + at, size - at, "%s%s", at ? ", " : "", key_table[i].label);
}

static void draw_binding(struct paint *p, struct rect row, enum action action)
{
    char text[96];
    labels(action, text, sizeof(text));
    struct rect left = rect_cut_left(&row, row.w * 40 / 100);
    rect_cut_left(&row, paint_em(p, 6));
    paint_text(p, left, (struct style){FACE_MONO_BOLD, SIZE_BODY, C_SELECT, ALIGN_RIGHT}, text);
    paint_text(p, row, (struct style){FACE_SANS, SIZE_BODY, C_TEXT, ALIGN_LEFT},
               action_info[action].doc);
}

static void draw_help(struct paint *p)
{
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 2);
    int half = (ACTIONS - 1 + 1) / 2;
    struct rect r = centred(p, paint_em(p, 620), (half + 4) * high);
    if (r.h < (half + 2) * high) /* very large text on a small window */
        high = (r.h - paint_em(p, 40)) / half;
    r = panel(p, r, C_SELECT);
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_LARGE) + paint_em(p, 4));
    paint_text(p, head, (struct style){FACE_SANS_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT},
               "Keys · the mouse: click selects in all panes, drag the slider, point for values");
    for (int i = 0; i < ACTIONS - 1; i++) {
        struct rect column = rect_column(r, i / half, 2, paint_em(p, 8));
        struct rect row = {column.x, column.y + i % half * high, column.w, high};
        if (rect_inside(row, r))
            draw_binding(p, row, (enum action)(i + 1));
    }
}

static void draw_question(struct paint *p)
{
    char text[64];
    snprintf(text, sizeof(text), "go to op %s_", p->view->answer);
    struct style style = {FACE_MONO_BOLD, SIZE_BIG, C_BRIGHT, ALIGN_LEFT};
    struct rect r = centred(p, paint_em(p, 300), paint_line(p, SIZE_BIG) + paint_em(p, 20));
    paint_text(p, panel(p, r, C_SELECT), style, text);
}

static void draw_hint(struct paint *p)
{
    const struct view *v = p->view;
    char text[256];
    thing_tell(p->model, p->cpu, v, v->hover, text, sizeof(text));
    if (!text[0])
        return;
    struct style style = {FACE_MONO, SIZE_BODY, C_BRIGHT, ALIGN_CENTRE};
    int most = p->scene->w - paint_em(p, 20);
    int w = paint_width(p, style, text) + paint_em(p, 10);
    w = w < most ? w : most;
    int h = paint_line(p, SIZE_BODY) + paint_em(p, 6);
    int x = v->hover_x + paint_em(p, 10);
    int y = v->hover_y + paint_em(p, 14);
    if (x + w > p->scene->w)
        x = p->scene->w - w;
    if (y + h > p->scene->h)
        y = v->hover_y - h - paint_em(p, 4);
    if (y + h > p->scene->h)
        y = p->scene->h - h;
    struct rect r = {x < 0 ? 0 : x, y < 0 ? 0 : y, w, h};
    paint_box(p, r, C_BACK, C_DIM, (struct thing){0});
    paint_text(p, rect_inset(r, paint_em(p, 2)), style, text);
}

void paint_overlay(struct paint *p)
{
    p->pane = PANES;
    if (p->view->help)
        draw_help(p);
    else if (p->view->asking)
        draw_question(p);
    else if (p->view->hover.kind != THING_NONE)
        draw_hint(p);
}
