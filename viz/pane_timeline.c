/* pane_timeline.c: the whole run from left to right: plots, events, and the slider of time. */
#include "viz/paint.h"

#include <inttypes.h>

#define POINTS_MAX 1024

enum plot { PLOT_MISSES, PLOT_RSS, PLOT_HEAP, PLOTS };

static const struct {
    const char *name;
    enum colour colour;
} plot_table[PLOTS] = {{"↻ dTLB misses", C_MISS}, {"RSS", C_HIT}, {"heap in use", C_WRITE}};

/* Frames of the program at its largest; at least 1. */
static uint64_t most_resident(const struct survey *s)
{
    uint64_t most = 1;
    for (size_t i = 0; i < s->buckets; i++)
        most = max_u64(most, s->bucket[i].resident);
    return most;
}

/* Height of a plot at a bucket, 0 … 1; most: of most_resident. */
static double value_at(const struct survey *s, enum plot plot, size_t i, uint64_t most)
{
    static const struct survey_bucket zero;
    const struct survey_bucket *b = &s->bucket[i];
    const struct survey_bucket *a = i ? b - 1 : &zero;
    switch (plot) {
    case PLOT_MISSES:
        if (b->accesses == a->accesses)
            return 0;
        return (double)(b->l1_misses - a->l1_misses) / (double)(b->accesses - a->accesses);
    case PLOT_RSS:
        return (double)b->resident / (double)most;
    default:
        return b->held ? (double)min_u64(b->requested, b->held) / (double)b->held : 0;
    }
}

/* The x of the end of op n. */
static int x_of(const struct paint *p, struct rect r, double op)
{
    double ops = p->view->ops ? (double)p->view->ops : 1;
    double at = op / ops;
    return r.x + (int)((at > 1 ? 1 : at) * (r.w - 1));
}

static void draw_plot(struct paint *p, struct rect r, enum plot plot)
{
    const struct survey *s = p->view->survey;
    struct point point[POINTS_MAX];
    size_t n = s->buckets < POINTS_MAX ? s->buckets : POINTS_MAX;
    if ((int)n > r.w)
        n = (size_t)(r.w > 1 ? r.w : 1);
    if (!n || r.h < 3)
        return;
    uint64_t most = most_resident(s);
    for (size_t i = 0; i < n; i++) {
        size_t bucket = i * s->buckets / n;
        double v = value_at(s, plot, bucket, most);
        point[i].x = x_of(p, r, (double)((bucket + 1) * s->per_bucket));
        point[i].y = r.y + r.h - 2 - (int)(v * (r.h - 4));
    }
    scene_add_plot(p->scene,
                   &(struct item){.kind = ITEM_PLOT,
                                  .layer = p->layer,
                                  .pane = p->pane,
                                  .fill = plot_table[plot].colour,
                                  .edge_px = 1 + p->layout->em / 14,
                                  .at = r},
                   point, n);
}

/* A tick for each stretch in which something happened; faults over calls. */
static void draw_ticks(struct paint *p, struct rect r)
{
    const struct survey *s = p->view->survey;
    int last = -1;
    for (size_t i = 0; i < s->buckets; i++) {
        uint8_t flags = s->bucket[i].flags;
        enum colour colour = C_NONE;
        if (flags & (SURVEY_ERROR | SURVEY_SIGNAL))
            colour = C_WRITE;
        else if (flags & SURVEY_FAULT)
            colour = C_FAULT;
        else if (flags & SURVEY_CALL)
            colour = C_SELECT;
        int x = x_of(p, r, ((double)i + 0.5) * (double)s->per_bucket);
        if (colour == C_NONE || x <= last + 1)
            continue;
        int wide = 1 + p->layout->em / 16;
        if (x + wide > r.x + r.w)
            x = r.x + r.w - wide;
        paint_cell(p, (struct rect){x, r.y + 1, wide, r.h - 2}, colour, 255, (struct thing){0});
        last = x + wide;
    }
}

static double now_of(const struct view *v)
{
    double part = v->steps ? (double)v->now.step / (double)v->steps : 0;
    return v->now.op ? (double)(v->now.op - 1) + part : 0;
}

static void draw_bookmarks(struct paint *p, struct rect r)
{
    const struct view *v = p->view;
    int wide = 2 + p->layout->em / 8;
    for (size_t i = 0; i < v->bookmarks; i++) {
        int x = x_of(p, r, (double)(v->bookmark[i].op - 1)) - wide / 2;
        x = x < r.x ? r.x : x + wide > r.x + r.w ? r.x + r.w - wide : x;
        paint_cell(p, (struct rect){x, r.y, wide, r.h}, C_DIRTY, 255, (struct thing){0});
    }
}

/* The stretch from mark A to mark B, or mark A alone. */
static void draw_marks(struct paint *p, struct rect r)
{
    const struct view *v = p->view;
    int x[2];
    for (unsigned i = 0; i < v->marks; i++) {
        bool end = v->mark[i].step > 0; /* of the op, as well as a whole run can show it */
        x[i] = x_of(p, r, (double)(v->mark[i].op - !end));
    }
    if (!v->marks)
        return;
    int from = v->marks == 2 && x[1] < x[0] ? x[1] : x[0];
    int to = v->marks == 2 ? x[0] + x[1] - from : from + 2;
    paint_cell(p, (struct rect){from, r.y, to - from > 2 ? to - from : 2, r.h}, C_WRITE, 120,
               (struct thing){0});
}

static void draw_slider(struct paint *p, struct rect r)
{
    int thin = paint_em(p, 4);
    int knob = paint_em(p, 11) < r.h ? paint_em(p, 11) : r.h;
    struct rect groove = {r.x, r.y + (r.h - thin) / 2, r.w, thin};
    struct thing scrub = {THING_SCRUB, 0, 0};
    paint_cell(p, groove, C_SUNK, 255, (struct thing){0});
    int x = x_of(p, r, now_of(p->view));
    struct rect filled = {groove.x, groove.y, x - groove.x, thin};
    paint_cell(p, filled, C_SELECT, 255, (struct thing){0});
    draw_marks(p, r);
    draw_bookmarks(p, r);
    if (x < r.x + knob / 2)
        x = r.x + knob / 2;
    if (x > r.x + r.w - knob / 2 - 1)
        x = r.x + r.w - knob / 2 - 1;
    scene_add(p->scene, &(struct item){.kind = ITEM_DISC,
                                       .layer = p->layer,
                                       .pane = p->pane,
                                       .fill = C_BRIGHT,
                                       .edge = C_SELECT,
                                       .edge_px = 1 + p->layout->em / 8,
                                       .at = {x - knob / 2, r.y + (r.h - knob) / 2, knob, knob}});
    scene_add(p->scene,
              &(struct item){
                  .kind = ITEM_BOX, .layer = p->layer, .pane = p->pane, .at = r, .thing = scrub});
}

static void draw_rows(struct paint *p, struct rect labels, struct rect r)
{
    int text = paint_line(p, SIZE_SMALL);
    int rows = PLOTS + 1;
    while (rows > 1 && r.h / rows < text)
        rows--;
    int high = r.h / rows;
    struct style style = {FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_LEFT};
    for (int i = 0; i < rows - 1; i++) {
        struct rect row = rect_cut_top(&r, high);
        style.colour = plot_table[i].colour;
        paint_text(p, rect_cut_top(&labels, high), style, plot_table[i].name);
        draw_plot(p, row, (enum plot)i);
    }
    style.colour = C_DIM;
    paint_text(p, rect_cut_top(&labels, high), style, "! faults, calls");
    draw_ticks(p, rect_cut_top(&r, high));
}

void pane_timeline(struct paint *p)
{
    const struct view *v = p->view;
    const struct event *e = model_event(p->model, 0);
    struct rect r = paint_pane(p, "TIMELINE", "op %s · micro-step %s / %s · cycle %s",
                               number_count(v->now.op).text, number_count(v->now.step).text,
                               number_count(v->steps).text, number_count(e ? e->cycle : 0).text);
    int slider = paint_em(p, 13);
    struct rect labels =
        rect_cut_left(&r, paint_width(p, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_LEFT},
                                      "↻ dTLB misses  "));
    struct rect bottom = rect_cut_bottom(&r, slider);
    labels.h -= slider;
    if (r.h >= paint_line(p, SIZE_SMALL) && v->survey)
        draw_rows(p, labels, r);
    draw_slider(p, bottom);
    int x = x_of(p, r, now_of(v));
    scene_add(p->scene, &(struct item){.kind = ITEM_LINE,
                                       .layer = p->layer,
                                       .pane = p->pane,
                                       .fill = C_BRIGHT,
                                       .alpha = 120,
                                       .edge_px = 1,
                                       .at = {x, r.y, 0, r.h}});
}
