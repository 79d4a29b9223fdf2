/* pane_control.c: the buttons of time: first, back, play, forward, last. */
#include "viz/keys.h"
#include "viz/paint.h"

#include <stdio.h>

const char *const grain_name[GRAINS] = {"micro-steps", "accesses", "ops", "stops"};

static void triangle(struct paint *p, struct rect r, bool left, enum colour colour)
{
    scene_add(p->scene, &(struct item){.kind = ITEM_TRIANGLE,
                                       .layer = p->layer,
                                       .pane = p->pane,
                                       .fill = colour,
                                       .radius = left,
                                       .at = r});
}

static void bar(struct paint *p, struct rect r, enum colour colour)
{
    paint_cell(p, r, colour, 255, (struct thing){0});
}

static void draw_icon(struct paint *p, struct rect r, enum action action)
{
    int thin = r.w / 6 + 1;
    switch (action) {
    case DO_FIRST:
        bar(p, rect_cut_left(&r, thin), C_TEXT);
        triangle(p, r, true, C_TEXT);
        break;
    case DO_LAST:
        bar(p, rect_cut_right(&r, thin), C_TEXT);
        triangle(p, r, false, C_TEXT);
        break;
    case DO_PLAY:
        if (!p->view->playing) {
            triangle(p, r, false, C_SELECT);
            break;
        }
        bar(p, rect_cut_left(&r, 2 * thin), C_SELECT);
        bar(p, rect_cut_right(&r, 2 * thin), C_SELECT);
        break;
    default: /* one step: a smaller triangle */
        r = rect_inset(r, r.w / 10);
        triangle(p, r, action == DO_BACK, C_TEXT);
        break;
    }
}

void pane_control(struct paint *p)
{
    static const enum action button[] = {DO_FIRST, DO_BACK, DO_PLAY, DO_FORWARD, DO_LAST};
    struct rect r = p->layout->pane[p->pane];
    paint_box(p, r, C_PANE, C_PANE_EDGE, (struct thing){THING_PANE, PANE_CONTROL, 0});
    r = rect_inset(r, paint_em(p, 3));
    rect_cut_left(&r, paint_em(p, 3));
    int side = r.h < paint_em(p, 22) ? r.h : paint_em(p, 22);
    r.y += (r.h - side) / 2;
    r.h = side;
    for (size_t i = 0; i < ARRAY_LEN(button) && r.w >= side; i++) {
        struct rect b = rect_cut_left(&r, side);
        paint_box(p, b, C_CELL, C_CELL_EDGE, (struct thing){THING_ACTION, button[i], 0});
        draw_icon(p, rect_inset(b, side * 28 / 100), button[i]);
        rect_cut_left(&r, paint_em(p, 3));
    }
    rect_cut_left(&r, paint_em(p, 3));
    rect_cut_right(&r, paint_em(p, 3));
    char text[64];
    if (p->view->speed)
        snprintf(text, sizeof(text), "%g/s %s", p->view->speed / 100.0,
                 paint_say(p, grain_name[p->view->grain]));
    else
        snprintf(text, sizeof(text), "max %s", paint_say(p, grain_name[p->view->grain]));
    paint_text(p, r, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_RIGHT}, text);
}
