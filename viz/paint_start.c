/* paint_start.c: the start screen as a picture. */
#include "viz/start.h"

#include <stdio.h>
#include <string.h>

static struct thing file_thing(size_t i)
{
    return (struct thing){THING_FILE, i, 0};
}

/* Words over as many lines as there is room for. */
static void paint_words(struct paint *p, struct rect r, struct style style, const char *text)
{
    int px = paint_px(p, style.size), high = text_line(px);
    while (*text && r.h >= high) {
        char line[400];
        struct rect row = rect_cut_top(&r, high);
        text_wrap(p->metrics, style.face, px, &text, row.w, r.h < high, line, sizeof(line));
        paint_text(p, row, style, line);
    }
}

static void draw_card(struct paint *p, struct rect r, const struct start *s, size_t i)
{
    static const enum colour edge[START_CARDS] = {C_HIT, C_MISS, C_FAULT};
    static const char *const glyph[START_CARDS] = {"✓", "↻", "!"};
    const struct start_entry *e = &s->entry[i];
    bool picked = s->pick == i;
    char number[40];
    paint_box(p, r, C_PANE, edge[i % START_CARDS], file_thing(i));
    if (picked)
        paint_outline(p, r, C_SELECT);
    r = rect_inset(r, paint_em(p, 10));
    snprintf(number, sizeof(number), "%s %zu", glyph[i % START_CARDS], i + 1);
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_BIG));
    struct style mark = {FACE_MONO_BOLD, SIZE_BIG, edge[i % START_CARDS], ALIGN_LEFT};
    rect_cut_left(&head, paint_text(p, head, mark, number) + paint_em(p, 8));
    paint_text_shrink(p, head, (struct style){FACE_SANS_BOLD, SIZE_BIG, C_BRIGHT, ALIGN_LEFT},
                      e->title);
    rect_cut_top(&r, paint_em(p, 4));
    paint_words(p, r, (struct style){FACE_SANS, SIZE_BIG, C_TEXT, ALIGN_LEFT}, e->doc);
}

static void draw_row(struct paint *p, struct rect r, const struct start *s, size_t i)
{
    const struct start_entry *e = &s->entry[i];
    bool picked = s->pick == i;
    paint_box(p, r, picked ? C_CELL : C_PANE, picked ? C_SELECT : C_NONE, file_thing(i));
    if (picked)
        paint_outline(p, r, C_SELECT);
    rect_cut_left(&r, paint_em(p, 5));
    rect_cut_right(&r, paint_em(p, 5));
    struct rect title = rect_cut_left(&r, r.w * 34 / 100);
    rect_cut_left(&r, paint_em(p, 8));
    enum colour colour = e->kind == START_RECENT ? C_SELECT : C_BRIGHT;
    paint_text(p, title, (struct style){FACE_SANS_BOLD, SIZE_BODY, colour, ALIGN_LEFT}, e->title);
    paint_text(p, r, (struct style){FACE_SANS, SIZE_BODY, C_DIM, ALIGN_LEFT}, e->doc);
}

/* The rows round the picked one, and how many there are. */
static void draw_list(struct paint *p, struct rect r, const struct start *s, size_t first)
{
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 4);
    struct rect foot = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL));
    size_t rows = (size_t)(r.h / high), count = s->entries - first;
    size_t top = s->pick > first + rows / 2 ? s->pick - rows / 2 : first;
    if (top + rows > s->entries)
        top = s->entries > first + rows ? s->entries - rows : first;
    for (size_t i = top; i < s->entries && i < top + rows; i++) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 1);
        draw_row(p, row, s, i);
    }
    paint_textf(p, foot, (struct style){FACE_SANS, SIZE_SMALL, C_FAINT, ALIGN_RIGHT},
                "%zu to %zu of %zu lessons, recordings and recent files", top - first + 1,
                top - first + (rows < count ? rows : count), count);
}

void paint_start(struct scene *scene, const struct start *s, const struct view *view,
                 const struct metrics *metrics, int w, int h, struct layout *layout)
{
    scene_clear(scene, w, h);
    layout_make(layout, w, h, view->scale, (1u << PANES) - 1);
    struct paint p = {
        .scene = scene, .view = view, .metrics = metrics, .layout = layout, .pane = PANES};
    struct rect r = rect_inset((struct rect){0, 0, w, h}, paint_em(&p, 16));
    struct rect head = rect_cut_top(&r, paint_line(&p, SIZE_HEAD));
    paint_text(&p, head, (struct style){FACE_SANS_BOLD, SIZE_HEAD, C_BRIGHT, ALIGN_LEFT},
               "memwalk: from malloc to frame");
    struct rect note = rect_cut_top(&r, paint_line(&p, SIZE_LARGE) + paint_em(&p, 4));
    bool bad = s->message[0];
    struct style says = {FACE_SANS, SIZE_LARGE, bad ? C_FAULT : C_DIM, ALIGN_LEFT};
    paint_text(&p, note, says,
               bad ? s->message
                   : "↑ ↓ choose, Enter opens, 1 2 3 take a card, ? shows all keys, Q quits.");
    size_t cards = 0;
    while (cards < s->entries && s->entry[cards].kind == START_CARD)
        cards++;
    if (cards) {
        struct rect row = rect_cut_top(&r, r.h * 34 / 100);
        for (size_t i = 0; i < cards; i++)
            draw_card(&p, rect_column(row, (int)i, (int)cards, paint_em(&p, 12)), s, i);
        rect_cut_top(&r, paint_em(&p, 10));
    }
    draw_list(&p, r, s, cards);
    p.layer = LAYER_OVER;
    paint_overlay(&p);
}
