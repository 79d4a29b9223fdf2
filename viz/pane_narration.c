/* pane_narration.c: the newest event in one large sentence, and where in the story it stands. */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

/* The border says at a glance what kind of thing happened. */
static enum colour mood(const struct event *e)
{
    if (!e)
        return C_PANE_EDGE;
    switch (e->kind) {
    case EV_fault:
    case EV_fault_begin:
    case EV_op_error:
    case EV_out_of_memory:
    case EV_signal_sent:
        return C_FAULT;
    case EV_tlb_miss:
    case EV_walk_begin:
    case EV_alloc_grow:
    case EV_sys_enter:
        return C_MISS;
    case EV_tlb_hit:
    case EV_psc_hit:
    case EV_walk_end:
    case EV_alloc_fit:
    case EV_alloc_return:
    case EV_fault_end:
    case EV_data:
    case EV_op_end:
        return C_HIT;
    default:
        return C_SELECT;
    }
}

static void draw_sentence(struct paint *p, struct rect *r, int lines)
{
    const char *rest = p->view->headline;
    struct style style = {FACE_SANS_BOLD, SIZE_HEAD, C_BRIGHT, ALIGN_LEFT};
    int px = paint_px(p, SIZE_HEAD);
    for (int i = 0; i < lines && *rest; i++) {
        char text[512];
        struct rect line = rect_cut_top(r, text_line(px));
        text_wrap(p->metrics, style.face, px, &rest, line.w, i == lines - 1, text, sizeof(text));
        paint_text(p, line, style, text);
    }
}

/* What was left out for lack of room, so that nobody looks for it in vain. */
static void left_out(const struct paint *p, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "%s", paint_say(p, "? help"));
    const char *before = paint_say(p, " · no room: ");
    for (unsigned i = 0; i < PANES && at < size; i++) {
        if (!(p->layout->dropped >> i & 1))
            continue;
        at += (size_t)snprintf(text + at, size - at, "%s%s", before,
                               paint_say(p, pane_table[i].name));
        before = ", ";
    }
}

void pane_narration(struct paint *p)
{
    const struct view *v = p->view;
    const struct event *e = model_event(p->model, 0);
    struct rect r = p->layout->pane[p->pane];
    paint_box(p, r, C_BACK, v->now.step ? mood(e) : C_PANE_EDGE,
              (struct thing){THING_PANE, PANE_NARRATION, 0});
    r = rect_inset(r, paint_em(p, 4));
    r.x += paint_em(p, 8);
    r.w -= paint_em(p, 16);
    int head = text_line(paint_px(p, SIZE_HEAD));
    int foot = paint_line(p, SIZE_LARGE);
    int lines = (r.h - foot) / head;
    struct rect under = rect_cut_bottom(&r, r.h >= head + foot ? foot : 0);
    lines = lines < 1 ? 1 : lines > 2 ? 2 : lines;
    int width = text_width(p->metrics, FACE_SANS_BOLD, paint_px(p, SIZE_HEAD), v->headline);
    int needed = width > r.w ? lines : 1;
    int spare = (r.h - needed * head) / 2;
    if (spare > 0)
        rect_cut_top(&r, spare);
    draw_sentence(p, &r, lines);
    char text[400];
    left_out(p, text, sizeof(text));
    struct style note = {FACE_SANS, SIZE_SMALL, C_FAINT, ALIGN_RIGHT};
    int wide = paint_width(p, note, text);
    if (wide > under.w / 2)
        wide = under.w / 2;
    paint_text(p, rect_cut_right(&under, wide), note, text);
    rect_cut_right(&under, paint_em(p, 10));
    struct style style = {FACE_SANS, SIZE_LARGE, C_TEXT, ALIGN_LEFT};
    paint_text(p, under, style, v->notice[0] ? v->notice : v->chapter);
}
