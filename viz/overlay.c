/* overlay.c: what lies above the panes: help, the line that is typed, the menu of the selection, a
 * question to guess at, and what the mouse points at.
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
static void labels(const struct paint *p, enum action action, char *text, size_t size)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < key_count && at < size; i++)
        if (key_table[i].action == action)
            at += (size_t)snprintf(text + at, size - at, "%s%s", at ? ", " : "",
                                   paint_say(p, key_table[i].label));
}

static void draw_binding(struct paint *p, struct rect row, enum action action)
{
    char text[96];
    labels(p, action, text, sizeof(text));
    struct rect left = rect_cut_left(&row, row.w * 40 / 100);
    rect_cut_left(&row, paint_em(p, 6));
    paint_text(p, left, (struct style){FACE_MONO_BOLD, SIZE_BODY, C_SELECT, ALIGN_RIGHT}, text);
    paint_text(p, row, (struct style){FACE_SANS, SIZE_BODY, C_TEXT, ALIGN_LEFT},
               action_info[action].doc);
}

static void draw_help(struct paint *p)
{
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 2);
    enum { COLUMNS_HELP = 3 };
    int rows = (ACTIONS - 1 + COLUMNS_HELP - 1) / COLUMNS_HELP;
    struct rect r = centred(p, paint_em(p, 960), (rows + 4) * high);
    if (r.h < (rows + 2) * high) /* very large text on a small window */
        high = (r.h - paint_em(p, 40)) / rows;
    r = panel(p, r, C_SELECT);
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_LARGE) + paint_em(p, 4));
    paint_text(
        p, head, (struct style){FACE_SANS_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT},
        "Keys · mouse: click selects, double click follows, right click asks, drag the slider");
    for (int i = 0; i < ACTIONS - 1; i++) {
        struct rect column = rect_column(r, i / rows, COLUMNS_HELP, paint_em(p, 8));
        struct rect row = {column.x, column.y + i % rows * high, column.w, high};
        if (rect_inside(row, r))
            draw_binding(p, row, (enum action)(i + 1));
    }
}

/* The line that is typed, why it was not taken, and what it could mean. */
static void draw_prompt(struct paint *p)
{
    const struct prompt *q = &p->view->prompt;
    enum action choice[ACTIONS];
    size_t count = prompt_choices(q, choice), shown = count < 12 ? count : 12;
    size_t first = q->pick >= shown ? q->pick - shown + 1 : 0;
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 4);
    bool note = q->reason[0] || q->kind == PROMPT_FIND || q->kind == PROMPT_BREAK;
    struct rect r = centred(p, paint_em(p, 520),
                            paint_line(p, SIZE_BIG) + paint_em(p, 20) + high * (int)(shown + note));
    r = panel(p, r, q->reason[0] ? C_FAULT : C_SELECT);
    char text[320];
    struct style style = {FACE_MONO_BOLD, SIZE_BIG, C_BRIGHT, ALIGN_LEFT};
    snprintf(text, sizeof(text), "%s %s_", paint_say(p, prompt_title[q->kind]), q->text);
    paint_text_tail(p, rect_cut_top(&r, paint_line(p, SIZE_BIG)), style, text);
    if (note)
        paint_text(p, rect_cut_top(&r, high),
                   (struct style){FACE_SANS, SIZE_BODY, q->reason[0] ? C_FAULT : C_DIM, ALIGN_LEFT},
                   q->reason[0]
                       ? q->reason
                       : "fault · malloc · tlb_miss level=2 · addr=0x… · free<100 · pid=2");
    for (size_t i = first; i < first + shown && r.h >= high; i++) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 1);
        paint_box(p, row, i == q->pick ? C_CELL : C_BACK, i == q->pick ? C_SELECT : C_NONE,
                  (struct thing){THING_ACTION, choice[i], 0});
        draw_binding(p, row, choice[i]);
    }
}

/* What can be asked of the selection, where the mouse was. */
static void draw_menu(struct paint *p)
{
    static const enum action entry[] = {DO_MADE_BY,    DO_WRITTEN_BY, DO_READ_BY, DO_LAST_EVENT,
                                        DO_NEXT_EVENT, DO_FOLLOW,     DO_BYTES,   DO_SPACE};
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 4), w = paint_em(p, 300);
    int h = high * (int)ARRAY_LEN(entry) + paint_em(p, 6);
    w = w < p->scene->w ? w : p->scene->w;
    h = h < p->scene->h ? h : p->scene->h;
    int x = p->view->hover_x > 0 ? p->view->hover_x : 0;
    int y = p->view->hover_y > 0 ? p->view->hover_y : 0;
    struct rect r = {x + w > p->scene->w ? p->scene->w - w : x,
                     y + h > p->scene->h ? p->scene->h - h : y, w, h};
    paint_box(p, r, C_BACK, C_SELECT, (struct thing){0});
    r = rect_inset(r, paint_em(p, 3));
    for (size_t i = 0; i < ARRAY_LEN(entry) && r.h >= high; i++) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 1);
        paint_box(p, row, C_CELL, C_NONE, (struct thing){THING_ACTION, entry[i], 0});
        draw_binding(p, row, entry[i]);
    }
}

/* In predict mode: choose before it is shown. */
static void draw_question(struct paint *p)
{
    const struct question *q = &p->view->question;
    int high = paint_line(p, SIZE_LARGE) + paint_em(p, 6);
    struct rect r = centred(p, paint_em(p, 420), high * (int)(q->choices + 1) + paint_em(p, 20));
    r = panel(p, r, C_MISS);
    paint_text_shrink(p, rect_cut_top(&r, high),
                      (struct style){FACE_SANS_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT}, q->text);
    for (unsigned i = 0; i < q->choices && r.h >= high; i++) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 2);
        paint_box(p, row, C_CELL, C_CELL_EDGE, (struct thing){THING_ANSWER, i + 1, 0});
        rect_cut_left(&row, paint_em(p, 6));
        paint_textf(p, row, (struct style){FACE_SANS, SIZE_LARGE, C_TEXT, ALIGN_LEFT}, "%u  %s",
                    i + 1, paint_say(p, q->choice[i]));
    }
}

static void draw_hint(struct paint *p)
{
    const struct view *v = p->view;
    char text[256];
    if (!p->model && v->hover.kind != THING_ACTION)
        return;
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
    else if (p->view->prompt.kind)
        draw_prompt(p);
    else if (p->view->menu)
        draw_menu(p);
    else if (p->view->question.choices)
        draw_question(p);
    else if (p->view->hover.kind != THING_NONE)
        draw_hint(p);
}
