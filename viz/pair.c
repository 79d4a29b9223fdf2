/* pair.c: the second run, the comparison event by event, and the picture of both. */
#include "viz/pair.h"

#include "viz/browse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the first difference ---- */

static void hear(void *ctx, const struct event *e)
{
    struct pair_tape *t = ctx;
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 256;
        void *more = realloc(t->event, room * sizeof(*t->event));
        if (!more)
            return; /* both tapes end early: what follows counts as equal */
        t->event = more;
        t->room = room;
    }
    t->event[t->count++] = *e;
}

static bool same_event(const struct event *a, const struct event *b)
{
    if (a->kind != b->kind || a->cpu != b->cpu || a->pid != b->pid)
        return false;
    const struct event_info *info = &event_info[a->kind];
    for (size_t i = 0; i < info->fields; i++) {
        enum field_kind kind = info->field[i].kind;
        if (kind != FIELD_cycles && kind != FIELD_name && event_value(a, i) != event_value(b, i))
            return false;
    }
    return true;
}

/* The first event of the op that is not the same, from 1; 0: all are. */
static uint64_t first_difference(const struct pair_tape *a, const struct pair_tape *b)
{
    size_t both = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < both; i++)
        if (!same_event(&a->event[i], &b->event[i]))
            return i + 1;
    return a->count == b->count ? 0 : both + 1;
}

static int step_tape(struct pair_tape *t)
{
    struct error error;
    t->count = 0;
    return sim_step(t->sim, &error);
}

bool pair_run(struct pair *p, uint64_t ops)
{
    bool more = p->open && survey_run(p->travel.survey, ops);
    for (uint64_t i = 0; i < ops && p->open && !p->known; i++) {
        int a = step_tape(&p->tape[0]), b = step_tape(&p->tape[1]);
        uint64_t step = first_difference(&p->tape[0], &p->tape[1]);
        if (a > 0 && b > 0 && !step) {
            p->compared++;
            continue;
        }
        p->known = true;
        if (a > 0 || b > 0)
            p->first = (struct moment){p->compared + 1, step};
    }
    return more || (p->open && !p->known);
}

static enum err open_tape(struct pair_tape *t, const struct config *config,
                          const struct trace *trace, struct error *error)
{
    struct sim_options options = {
        .config = config, .trace = trace, .sinks = 1, .sink = {{hear, t}}};
    return sim_open(&t->sim, &options, error);
}

/* ---- the other run ---- */

enum err pair_open(struct pair *p, const struct view *v, const struct config *against,
                   const char *what, struct error *error)
{
    *p = (struct pair){.open = true, .what = what};
    p->view = *v;
    p->view.config = against;
    enum err err = travel_open(&p->travel, &p->view, error);
    if (!err)
        err = open_tape(&p->tape[0], v->config, v->trace, error);
    if (!err)
        err = open_tape(&p->tape[1], against, v->trace, error);
    if (err)
        pair_close(p);
    else
        p->tape[0].count = p->tape[1].count = 0; /* what was told at boot */
    return err;
}

void pair_close(struct pair *p)
{
    if (!p->open)
        return;
    travel_close(&p->travel);
    scene_free(&p->scene);
    for (int i = 0; i < 2; i++) {
        sim_close(p->tape[i].sim);
        free(p->tape[i].event);
    }
    *p = (struct pair){0};
}

static struct moment partner(const struct pair *p, const struct view *v)
{
    bool equal = p->first.op && moment_before(v->now, p->first);
    if (v->now.step >= v->steps && !equal)
        return (struct moment){v->now.op, UINT64_MAX};
    return v->now;
}

void pair_follow(struct pair *p, const struct view *v)
{
    struct view *o = &p->view;
    bool again = o->lang != v->lang; /* what was said already is said again */
    o->lang = v->lang;
    o->theme = v->theme;
    o->scale = v->scale;
    o->hidden = v->hidden;
    o->pointed = v->pointed;
    o->enlarged = v->enlarged;
    o->selection = v->selection;
    o->browse = v->browse;
    o->motion = v->motion;
    o->phase = v->phase;
    o->speed = v->speed;
    o->grain = v->grain;
    struct moment to = partner(p, v);
    if (again || !moment_same(to, o->now))
        travel_to(&p->travel, to);
}

/* ---- the picture ---- */

static void append(struct scene *to, const struct scene *from, int dx)
{
    for (size_t i = 0; i < from->items; i++) {
        struct item item = from->item[i];
        item.at.x += dx;
        if (item.kind == ITEM_TEXT) {
            scene_add_text(to, &item, scene_text(from, &item));
        } else if (item.kind == ITEM_PLOT) {
            struct point point[1024];
            size_t n = item.count < ARRAY_LEN(point) ? item.count : ARRAY_LEN(point);
            for (size_t k = 0; k < n; k++)
                point[k] =
                    (struct point){from->point[item.text + k].x + dx, from->point[item.text + k].y};
            scene_add_plot(to, &item, point, n);
        } else {
            scene_add(to, &item);
        }
    }
}

static void caption(const struct pair *p, enum lang lang, char *text, size_t size)
{
    if (!p->known)
        snprintf(text, size,
                 words_say(lang, "the first %" PRIu64 " ops are the same; still comparing …"),
                 p->compared);
    else if (!p->first.op)
        snprintf(text, size, "%s", words_say(lang, "no event of the two runs differs"));
    else
        snprintf(
            text, size,
            words_say(lang, "first difference: op %" PRIu64 ", event %" PRIu64 " (J goes there)"),
            p->first.op, p->first.step);
}

void pair_paint(struct pair *p, struct scene *scene, const struct model *m, const struct view *v,
                const struct metrics *metrics, int w, int h, struct layout *layout)
{
    struct view left = *v;
    struct view *right = &p->view;
    char text[200];
    caption(p, v->lang, text, sizeof(text));
    snprintf(left.caption, sizeof(left.caption), "A: %.1380s",
             v->caption[0] ? v->caption : v->name);
    snprintf(right->caption, sizeof(right->caption), "B: %s · %s", p->what, text);
    pair_follow(p, v);
    browse_read(right, &p->travel);
    paint_scene(scene, m, &left, metrics, w / 2, h, layout);
    paint_scene(&p->scene, travel_model(&p->travel), right, metrics, w - w / 2, h, &p->layout);
    scene->w = w;
    append(scene, &p->scene, w / 2);
}
