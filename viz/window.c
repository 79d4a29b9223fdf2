/* window.c: opening and closing what the window shows, drawing it, and going through its time. */
#include "viz/window.h"

#include "viz/browse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* PANES: no such pane. */
static unsigned pane_of(const char *name)
{
    unsigned pane = 0;
    while (pane < PANES && (!name || strcmp(name, pane_name[pane]) != 0))
        pane++;
    return pane;
}

static enum theme theme_of(const char *name)
{
    for (int i = 0; i < THEMES; i++)
        if (name && strcmp(name, theme_name[i]) == 0)
            return (enum theme)i;
    return THEME_DARK;
}

static enum lang language_of(const char *name)
{
    enum lang lang = LANG_EN;
    if (name)
        lang_of(name, &lang);
    return lang;
}

void window_notice(struct view *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->notice, sizeof(v->notice), words_say(v->lang, format), args);
    va_end(args);
}

/* ---- opening ---- */

/* A trace with points to stop at is a lesson: its text is shown. */
static bool is_lesson(const struct trace *trace)
{
    for (size_t i = 0; i < trace->count; i++)
        if (trace->op[i].kind == OP_mark && trace->op[i].flags & OP_STOP)
            return true;
    return trace->count < 1000 && trace->header.doc;
}

static enum err open_run(struct window *w, const struct viz_run *run, struct error *error)
{
    struct view *v = &w->view;
    struct travel travel;
    v->trace = run->trace;
    v->config = run->config;
    v->name = run->name;
    v->now = (struct moment){0};
    enum err err = travel_open(&travel, v, error);
    if (err)
        return err;
    w->travel = travel;
    w->run = *run;
    w->open = true;
    w->titled = (struct moment){UINT64_MAX, 0};
    if (!is_lesson(run->trace))
        v->hidden |= 1u << PANE_LESSON;
    else
        v->hidden &= ~(1u << PANE_LESSON);
    if (run->against)
        err = pair_open(&w->pair, v, run->against, run->other ? run->other : "", error);
    return err;
}

enum err window_open(struct window *w, const struct viz_options *o, struct error *error)
{
    w->view = (struct view){.grain = GRAIN_STEP,
                            .motion = !o->still,
                            .speed = 200,
                            .phase = PHASE_DONE,
                            .pointed = pane_of(o->pane),
                            .enlarged = o->pane != NULL,
                            .theme = theme_of(o->theme),
                            .lang = language_of(o->lang),
                            .scale = o->scale ? o->scale : 1000};
    w->host = o->host;
    w->narrate = o->narrate;
    w->titled = (struct moment){UINT64_MAX, 0};
    if (o->run.trace)
        return open_run(w, &o->run, error);
    window_start(w, "");
    return ERR_NONE;
}

static void close_run(struct window *w)
{
    pair_close(&w->pair);
    travel_close(&w->travel);
    if (w->loaded)
        w->host->close(w->host->ctx, &w->run);
    w->open = w->loaded = false;
}

void window_close(struct window *w)
{
    scene_free(&w->scene);
    close_run(w);
    start_free(&w->start);
    sdl_close(w->sdl);
}

/* What belongs to one trace is forgotten; how it is looked at stays. */
static void fresh(struct view *v)
{
    struct view old = *v;
    *v = (struct view){.grain = old.grain,
                       .motion = old.motion,
                       .speed = old.speed,
                       .phase = PHASE_DONE,
                       .pointed = PANES,
                       .theme = old.theme,
                       .lang = old.lang,
                       .scale = old.scale,
                       .hidden = old.hidden};
}

enum err window_load(struct window *w, const char *path, struct error *error)
{
    struct viz_run run = {0};
    if (!w->host)
        return error_set(error, ERR_USAGE, path, 0, NULL, "nothing can be opened from here");
    enum err err = w->host->open(w->host->ctx, path, &run, error);
    if (err)
        return err;
    close_run(w);
    fresh(&w->view);
    w->run = run;
    w->loaded = true;
    err = open_run(w, &run, error);
    if (err) {
        close_run(w);
        window_start(w, "");
        return err;
    }
    w->starting = false;
    state_opened(&w->state, path);
    travel_to(&w->travel, (struct moment){1, 0});
    w->changed = true;
    return ERR_NONE;
}

void window_start(struct window *w, const char *message)
{
    start_load(&w->start, w->host ? w->host->traces : NULL, w->state.recent, w->state.recents);
    snprintf(w->start.message, sizeof(w->start.message), "%s", message);
    w->view.playing = false;
    w->view.hover = (struct thing){0};
    w->starting = true;
    w->changed = true;
}

/* ---- drawing ---- */

/* The title names the moment: task bars and tests read it. */
static void draw_title(struct window *w)
{
    char title[200];
    struct moment now = w->view.now;
    if (w->starting) {
        sdl_title(w->sdl, "memwalk · start");
        w->titled = (struct moment){UINT64_MAX, 0};
        return;
    }
    if (moment_same(now, w->titled))
        return;
    snprintf(title, sizeof(title), "memwalk · %s · op %" PRIu64 ".%" PRIu64, w->view.name, now.op,
             now.step);
    sdl_title(w->sdl, title);
    if (w->narrate) {
        printf("%" PRIu64 ".%" PRIu64 " %s: %s\n", now.op, now.step, w->view.chapter,
               w->view.headline);
        fflush(stdout);
    }
    w->titled = now;
}

void window_paint(struct window *w, const struct metrics *metrics, int width, int height)
{
    if (w->starting) {
        paint_start(&w->scene, &w->start, &w->view, metrics, width, height, &w->layout);
        return;
    }
    browse_read(&w->view, &w->travel);
    if (w->pair.open)
        pair_paint(&w->pair, &w->scene, travel_model(&w->travel), &w->view, metrics, width, height,
                   &w->layout);
    else
        paint_scene(&w->scene, travel_model(&w->travel), &w->view, metrics, width, height,
                    &w->layout);
}

void window_draw(struct window *w)
{
    int width;
    int height;
    draw_title(w);
    sdl_size(w->sdl, &width, &height);
    window_paint(w, sdl_metrics(w->sdl), width, height);
    sdl_draw(w->sdl, &w->scene, w->view.theme);
    w->changed = false;
    w->frames++;
}

void window_command(const struct window *w, char *text, size_t size)
{
    struct moment now = w->view.now;
    int n = snprintf(text, size, "%s --op %" PRIu64, w->run.command,
                     now.step ? now.op : now.op - (now.op > 0));
    if (now.step && n > 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, " --step %" PRIu64, now.step);
    if (view_alone(&w->view) < PANES && n > 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, " --pane %s", pane_name[w->view.pointed]);
    if (w->view.lang != LANG_EN && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, " --lang %s", lang_name[w->view.lang]);
}

/* ---- time ---- */

void window_begin(struct window *w)
{
    if (view_alone(&w->view) < PANES)
        browse_begin(&w->view, travel_model(&w->travel), w->view.pointed);
    if (w->pair.open)
        pair_follow(&w->pair, &w->view);
}

void window_moved(struct window *w, bool forward)
{
    bool fly = forward && w->view.motion && w->view.grain == GRAIN_STEP;
    w->view.phase = fly ? 0 : PHASE_DONE;
    w->moved_at = sdl_clock();
    if (w->pair.open)
        pair_follow(&w->pair, &w->view);
}

bool window_step(struct window *w, int direction)
{
    struct moment from = w->view.now, at;
    bool further = travel_step(&w->travel, direction);
    if (further && direction > 0 && w->view.playing &&
        travel_broken(&w->travel, from, w->view.now, &at)) {
        travel_to(&w->travel, at);
        w->view.playing = false;
        window_notice(&w->view, "Breakpoint. Space plays on.");
    }
    window_moved(w, direction > 0);
    return further;
}

/* Going back, the newest event's motion is shown in reverse before the event is taken back; whoever
 * goes on meanwhile takes it back at once. */
void window_settle(struct window *w)
{
    if (!w->undoing)
        return;
    w->undoing = false;
    window_step(w, -1);
}

void window_walk(struct window *w, int direction)
{
    const struct view *v = &w->view;
    if (direction < 0 && v->motion && v->grain == GRAIN_STEP && v->now.step) {
        w->undoing = true;
        w->moved_at = sdl_clock();
    } else if (!window_step(w, direction)) {
        w->view.playing = false;
    }
}

void window_jump(struct window *w, struct moment to)
{
    w->view.playing = false;
    w->undoing = false;
    travel_to(&w->travel, to);
    window_moved(w, false);
}

uint64_t window_pace(const struct window *w)
{
    const struct event *e = model_event(travel_model(&w->travel), 0);
    if (!w->view.speed)
        return 0;
    uint64_t ms = 100000 / (uint64_t)w->view.speed;
    return e && e->kind == EV_fault ? ms * 2 : ms;
}
