/* pane_lesson.c: what the trace says of itself: its text, the point that was reached, the points to
 * come, and whether what it promises has come true.
 */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

#define MARKS_FAR 4096u /* ops within which marks are looked for, each way */

/* Words over as many lines as there are, at most `most`; cut off the top of r. */
static void say(struct paint *p, struct rect *r, struct style style, int most, const char *text)
{
    int px = paint_px(p, style.size), high = text_line(px);
    for (int i = 0; *text && i < most && r->h >= high; i++) {
        char line[300];
        struct rect row = rect_cut_top(r, high);
        bool last = i + 1 == most || r->h < high;
        text_wrap(p->metrics, style.face, px, &text, row.w, last, line, sizeof(line));
        paint_text(p, row, style, line);
    }
    rect_cut_top(r, paint_em(p, 3));
}

/* The last mark at or before this moment: its op; 0: none yet. */
static uint64_t reached(const struct view *v)
{
    uint64_t least = v->now.op > MARKS_FAR ? v->now.op - MARKS_FAR : 1;
    for (uint64_t op = v->now.op; op >= least; op--) {
        bool over = op < v->now.op || v->now.step > 0;
        if (v->trace->op[op - 1].kind == OP_mark && over)
            return op;
    }
    return 0;
}

static void draw_mark(struct paint *p, struct rect *r, uint64_t op, bool now)
{
    const struct view *v = p->view;
    const struct op *o = &v->trace->op[op - 1];
    const struct op_extra *x = o->extra ? &v->trace->extra[o->extra] : NULL;
    const char *name = x && x->name[0] ? x->name : paint_say(p, "mark");
    struct rect row = rect_cut_top(r, paint_line(p, SIZE_BODY));
    paint_box(p, row, now ? C_CELL : C_PANE, C_NONE, (struct thing){THING_OP, op, 0});
    struct style style = {now ? FACE_SANS_BOLD : FACE_SANS, SIZE_BODY, now ? C_BRIGHT : C_DIM,
                          ALIGN_LEFT};
    paint_textf(p, row, style, "%s op %" PRIu64 " · %s", now ? "▶" : " ", op, name);
    if (now && x && x->text)
        say(p, r, (struct style){FACE_SANS, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT}, 6, x->text);
}

/* The checks are those of the whole run: they are known when the survey has come to its end. */
static void draw_checks(struct paint *p, struct rect *r)
{
    const struct survey *s = p->view->survey;
    if (!s || !s->checks || r->h < 2 * paint_line(p, SIZE_BODY))
        return;
    struct style style = {FACE_SANS, SIZE_BODY, C_DIM, ALIGN_LEFT};
    if (!s->over) {
        paint_text(p, rect_cut_bottom(r, paint_line(p, SIZE_BODY)), style, "checks: running …");
        return;
    }
    style.colour = s->unmet ? C_FAULT : C_HIT;
    struct rect row = rect_cut_bottom(r, paint_line(p, SIZE_BODY));
    if (s->unmet)
        paint_textf(p, row, style, "! %u of %u checks fail: %s is %s, not %s", s->unmet, s->checks,
                    s->first, s->got, s->wanted);
    else
        paint_textf(p, row, style, "✓ all %u checks hold at the end", s->checks);
}

void pane_lesson(struct paint *p)
{
    const struct view *v = p->view;
    struct rect r = paint_pane(p, "LESSON", "%s", v->name ? v->name : "");
    if (!v->trace)
        return;
    draw_checks(p, &r);
    const char *doc = v->trace->header.doc;
    if (doc)
        say(p, &r, (struct style){FACE_SANS, SIZE_BODY, C_TEXT, ALIGN_LEFT}, 6, doc);
    uint64_t now = reached(v);
    if (now)
        draw_mark(p, &r, now, true);
    uint64_t most = min_u64(v->ops, now + MARKS_FAR);
    for (uint64_t op = now + 1; op <= most && r.h >= paint_line(p, SIZE_BODY); op++)
        if (v->trace->op[op - 1].kind == OP_mark)
            draw_mark(p, &r, op, false);
}
