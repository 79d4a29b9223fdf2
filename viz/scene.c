/* scene.c: the list of items, hit tests, and the checks that every picture must pass. */
#include "viz/scene.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const thing_kind_name[THING_KINDS] = {
    "-",    "pane",  "op",  "va",     "index", "block", "chunk", "area", "entry", "table",  "line",
    "slot", "frame", "bit", "action", "scrub", "call",  "file",  "word", "span",  "answer",
};

static const char *const item_kind_name[ITEM_KINDS] = {
    "box", "hatch", "grid", "text", "line", "arrow", "triangle", "disc", "plot",
};

bool thing_equal(struct thing x, struct thing y)
{
    return x.kind == y.kind && x.a == y.a && x.b == y.b;
}

/* ---- the list ---- */

void scene_clear(struct scene *s, int w, int h)
{
    s->w = w;
    s->h = h;
    s->items = s->texts_used = s->points = 0;
}

void scene_free(struct scene *s)
{
    free(s->item);
    free(s->texts);
    free(s->point);
    *s = (struct scene){0};
}

/* Room for need items in *array. */
static bool room(void **array, size_t need, size_t *max, size_t size)
{
    if (need <= *max)
        return true;
    size_t more = *max ? *max : 256;
    while (more < need)
        more *= 2;
    void *larger = realloc(*array, more * size);
    if (!larger)
        return false;
    *array = larger;
    *max = more;
    return true;
}

struct item *scene_add(struct scene *s, const struct item *item)
{
    void *array = s->item;
    bool ok = room(&array, s->items + 1, &s->items_max, sizeof(*s->item));
    s->item = array;
    if (!ok)
        return NULL;
    s->item[s->items] = *item;
    return &s->item[s->items++];
}

struct item *scene_add_text(struct scene *s, const struct item *item, const char *text)
{
    size_t length = strlen(text) + 1;
    void *array = s->texts;
    bool ok = room(&array, s->texts_used + length, &s->texts_max, 1);
    s->texts = array;
    struct item *added = ok ? scene_add(s, item) : NULL;
    if (!added)
        return NULL;
    added->text = s->texts_used;
    memcpy(s->texts + s->texts_used, text, length);
    s->texts_used += length;
    return added;
}

struct item *scene_add_plot(struct scene *s, const struct item *item, const struct point *point,
                            size_t n)
{
    void *array = s->point;
    bool ok = room(&array, s->points + n, &s->points_max, sizeof(*s->point));
    s->point = array;
    struct item *added = ok ? scene_add(s, item) : NULL;
    if (!added)
        return NULL;
    added->text = s->points;
    added->count = n;
    memcpy(s->point + s->points, point, n * sizeof(*point));
    s->points += n;
    return added;
}

const char *scene_text(const struct scene *s, const struct item *item)
{
    return item->kind == ITEM_TEXT ? s->texts + item->text : "";
}

const struct item *scene_hit(const struct scene *s, int x, int y)
{
    for (size_t i = s->items; i-- > 0;)
        if (s->item[i].thing.kind != THING_NONE && rect_holds(s->item[i].at, x, y))
            return &s->item[i];
    return NULL;
}

const struct item *scene_find(const struct scene *s, struct thing thing)
{
    for (size_t i = 0; i < s->items; i++)
        if (s->item[i].layer == LAYER_PANES && thing_equal(s->item[i].thing, thing))
            return &s->item[i];
    return NULL;
}

/* ---- checks ---- */

/* The corners that a line really has, whichever way it runs. */
static struct rect bounds(const struct item *item)
{
    struct rect r = item->at;
    if (r.w < 0)
        r = (struct rect){r.x + r.w, r.y, -r.w, r.h};
    if (r.h < 0)
        r = (struct rect){r.x, r.y + r.h, r.w, -r.h};
    return r;
}

static bool complain(const struct scene *s, const struct item *a, const struct item *b,
                     const char *what, char *why, size_t size)
{
    snprintf(why, size, "%s \"%s\" at %d,%d %dx%d pane %u: %s %s \"%s\" at %d,%d %dx%d",
             item_kind_name[a->kind], scene_text(s, a), a->at.x, a->at.y, a->at.w, a->at.h, a->pane,
             what, b ? item_kind_name[b->kind] : "", b ? scene_text(s, b) : "", b ? b->at.x : 0,
             b ? b->at.y : 0, b ? b->at.w : 0, b ? b->at.h : 0);
    return false;
}

static bool check_place(const struct scene *s, const struct item *item, const struct metrics *m,
                        const struct rect *panes, size_t count, char *why, size_t size)
{
    struct rect all = {0, 0, s->w, s->h};
    struct rect at = bounds(item);
    if (!rect_inside(at, all))
        return complain(s, item, NULL, "outside the picture", why, size);
    if (item->layer == LAYER_PANES && item->pane < count && !rect_inside(at, panes[item->pane]))
        return complain(s, item, NULL, "outside its pane", why, size);
    if (item->kind == ITEM_TEXT &&
        text_width(m, item->face, item->px, scene_text(s, item)) > item->at.w)
        return complain(s, item, NULL, "wider than its place", why, size);
    return true;
}

/* A text may lie in a box or beside it, and beside another text. */
static bool check_pair(const struct scene *s, const struct item *text, const struct item *other,
                       char *why, size_t size)
{
    if (other == text || other->layer != text->layer || !rect_overlap(text->at, other->at))
        return true;
    if (other->kind == ITEM_TEXT && other > text)
        return complain(s, text, other, "overlaps", why, size);
    if (other->kind == ITEM_BOX && !rect_inside(text->at, other->at))
        return complain(s, text, other, "crosses", why, size);
    return true;
}

bool scene_check(const struct scene *s, const struct metrics *m, const struct rect *panes,
                 size_t count, char *why, size_t size)
{
    for (size_t i = 0; i < s->items; i++) {
        const struct item *item = &s->item[i];
        if (!check_place(s, item, m, panes, count, why, size))
            return false;
        for (size_t j = 0; item->kind == ITEM_TEXT && j < s->items; j++)
            if (!check_pair(s, item, &s->item[j], why, size))
                return false;
    }
    return true;
}

/* ---- as text ---- */

void scene_print(const struct scene *s, void (*put)(void *ctx, const char *line), void *ctx)
{
    for (size_t i = 0; i < s->items; i++) {
        const struct item *t = &s->item[i];
        char line[512];
        int n = snprintf(line, sizeof(line), "%-8s %u %4d %4d %4d %4d %s/%s",
                         item_kind_name[t->kind], t->pane, t->at.x, t->at.y, t->at.w, t->at.h,
                         colour_name[t->fill], colour_name[t->edge]);
        if (t->thing.kind != THING_NONE)
            n += snprintf(line + n, sizeof(line) - (size_t)n, " %s:%" PRIx64 ":%" PRIx64,
                          thing_kind_name[t->thing.kind], t->thing.a, t->thing.b);
        if (t->kind == ITEM_TEXT)
            snprintf(line + n, sizeof(line) - (size_t)n, " %d \"%s\"", t->px, scene_text(s, t));
        put(ctx, line);
    }
}

/* ---- rectangles ---- */

static int clamp(int n, int max)
{
    if (n < 0)
        return 0;
    return n < max ? n : max;
}

struct rect rect_cut_top(struct rect *r, int h)
{
    h = clamp(h, r->h);
    struct rect cut = {r->x, r->y, r->w, h};
    r->y += h;
    r->h -= h;
    return cut;
}

struct rect rect_cut_bottom(struct rect *r, int h)
{
    h = clamp(h, r->h);
    r->h -= h;
    return (struct rect){r->x, r->y + r->h, r->w, h};
}

struct rect rect_cut_left(struct rect *r, int w)
{
    w = clamp(w, r->w);
    struct rect cut = {r->x, r->y, w, r->h};
    r->x += w;
    r->w -= w;
    return cut;
}

struct rect rect_cut_right(struct rect *r, int w)
{
    w = clamp(w, r->w);
    r->w -= w;
    return (struct rect){r->x + r->w, r->y, w, r->h};
}

struct rect rect_inset(struct rect r, int by)
{
    if (r.w < 2 * by || r.h < 2 * by)
        return (struct rect){r.x + r.w / 2, r.y + r.h / 2, 0, 0};
    return (struct rect){r.x + by, r.y + by, r.w - 2 * by, r.h - 2 * by};
}

struct rect rect_column(struct rect r, int i, int n, int gap)
{
    int space = r.w - (n - 1) * gap;
    int from = space * i / n;
    int to = space * (i + 1) / n;
    return (struct rect){r.x + from + i * gap, r.y, to - from, r.h};
}

bool rect_holds(struct rect r, int x, int y)
{
    return x >= r.x && x < r.x + r.w && y >= r.y && y < r.y + r.h;
}

bool rect_inside(struct rect in, struct rect out)
{
    return in.x >= out.x && in.y >= out.y && in.x + in.w <= out.x + out.w &&
           in.y + in.h <= out.y + out.h;
}

bool rect_overlap(struct rect a, struct rect b)
{
    return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
