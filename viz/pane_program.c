/* pane_program.c: the ops of the trace, the current one in the middle, with what each one caused.
 *
 * Only the part of the trace that fits is ever formatted, so a million ops cost no more than ten.
 */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

struct tag {
    uint8_t flag;
    const char *text;
    enum colour colour;
};

/* The strongest first: one is shown. */
static const struct tag tag_table[] = {
    {SURVEY_ERROR, "! error", C_FAULT}, {SURVEY_SIGNAL, "! signal", C_FAULT},
    {SURVEY_MMAP, "→ mmap", C_MISS},    {SURVEY_BRK, "→ brk", C_MISS},
    {SURVEY_FAULT, "! #PF", C_FAULT},   {SURVEY_CALL, "→ kernel", C_MISS},
    {SURVEY_STOP, "stop", C_SELECT},
};

static const struct tag *tag_of(uint8_t flags)
{
    for (size_t i = 0; i < ARRAY_LEN(tag_table); i++)
        if (flags & tag_table[i].flag)
            return &tag_table[i];
    return NULL;
}

static void draw_op(struct paint *p, struct rect row, uint64_t number, int gutter)
{
    const struct view *v = p->view;
    const struct op *op = &v->trace->op[number - 1];
    bool current = number == v->now.op;
    struct thing thing = {THING_OP, number, 0};
    paint_box(p, row, current ? C_CELL : C_NONE, C_NONE, thing);
    if (current)
        paint_outline(p, row, C_SELECT);
    row = rect_inset(row, 0);
    rect_cut_left(&row, paint_em(p, 4));
    rect_cut_right(&row, paint_em(p, 4));
    struct rect left = rect_cut_left(&row, gutter);
    rect_cut_left(&row, paint_em(p, 7));
    paint_textf(p, left, (struct style){FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_RIGHT}, "%" PRIu64,
                number);
    const struct tag *tag = tag_of(survey_flags(v->survey, number));
    if (tag) {
        struct style style = {FACE_MONO_BOLD, SIZE_SMALL, tag->colour, ALIGN_RIGHT};
        paint_text(p, rect_cut_right(&row, paint_width(p, style, tag->text)), style, tag->text);
        rect_cut_right(&row, paint_em(p, 4));
    }
    char text[160];
    op_text(op, op->extra ? &v->trace->extra[op->extra] : NULL, text, sizeof(text));
    paint_text(p, row,
               (struct style){current ? FACE_MONO_BOLD : FACE_MONO, SIZE_BODY,
                              current ? C_BRIGHT : C_TEXT, ALIGN_LEFT},
               text);
}

void pane_program(struct paint *p)
{
    const struct view *v = p->view;
    struct rect r =
        paint_pane(p, "PROGRAM", "op %s / %s", number_count(min_u64(v->now.op, v->ops)).text,
                   number_count(v->ops).text);
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 4);
    int rows = r.h / high;
    if (!v->trace || rows < 1 || !v->ops)
        return;
    uint64_t count = min_u64((uint64_t)rows, v->ops);
    uint64_t before = (uint64_t)rows * 2 / 5;
    uint64_t first = v->now.op > before ? v->now.op - before : 1;
    first = min_u64(first, v->ops - count + 1);
    struct style number = {FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_RIGHT};
    char widest[24];
    snprintf(widest, sizeof(widest), "%" PRIu64, first + count);
    int gutter = paint_width(p, number, widest);
    for (uint64_t i = 0; i < count; i++)
        draw_op(p, rect_cut_top(&r, high), first + i, gutter);
}
