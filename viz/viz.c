/* viz.c: the person's side of the window: keys and mouse become actions, time passes, and what has
 * changed is drawn again.
 */
#include "viz/viz.h"

#include "viz/browse.h"
#include "viz/predict.h"
#include "viz/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MS 16
#define IDLE_MS  200

const char *const *viz_themes(void)
{
    static const char *const names[THEMES + 1] = {"dark", "light", "contrast", NULL};
    return names;
}

const char *const *viz_panes(void)
{
    return pane_name;
}

const char *const *viz_grains(void)
{
    static const char *const names[GRAINS + 1] = {"step", "access", "op", "stop", NULL};
    return names;
}

void viz_keys(void (*show)(void *ctx, const char *key, const char *name, const char *doc),
              void *ctx)
{
    for (size_t i = 0; i < key_count; i++) {
        const struct action_info *info = &action_info[key_table[i].action];
        show(ctx, key_table[i].label, info->name, info->doc);
    }
}

/* ---- keys ---- */

/* What was typed is taken; a query that cannot be read stays on the screen with the reason. */
static void take_prompt(struct window *w)
{
    struct view *v = &w->view;
    struct prompt p = v->prompt;
    struct error error;
    enum action choice[ACTIONS];
    struct query query;
    enum err err = ERR_NONE;
    v->prompt.kind = PROMPT_NONE;
    switch (p.kind) {
    case PROMPT_OP:
        if (p.text[0])
            window_jump(w, (struct moment){strtoull(p.text, NULL, 10), UINT64_MAX});
        break;
    case PROMPT_COMMAND:
        if (p.pick < prompt_choices(&p, choice))
            window_act(w, choice[p.pick]);
        break;
    case PROMPT_FIND:
        err = query_parse(&query, p.text, &error);
        if (!err) {
            v->query = query;
            window_act(w, DO_NEXT_MATCH);
        }
        break;
    case PROMPT_BREAK:
        err = query_parse(&query, p.text, &error);
        if (!err && v->breaks == BREAKS) {
            window_notice(v, "There is room for %u breakpoints.", BREAKS);
        } else if (!err) {
            v->brk[v->breaks++] = query;
            travel_breaks_changed(&w->travel);
            window_notice(v, "Play stops at %s; E goes to the next.", query.text);
        }
        break;
    case PROMPT_FILE:
        err = window_load(w, p.text, &error);
        break;
    default:
        break;
    }
    if (err) {
        v->prompt = p;
        error_text(&error, v->prompt.reason, sizeof(v->prompt.reason));
    }
}

static void open_picked(struct window *w)
{
    struct error error;
    char path[1024], reason[600];
    if (!start_path(&w->start, path, sizeof(path))) {
        prompt_open(&w->view.prompt, PROMPT_FILE, w->view.lang);
        return;
    }
    if (window_load(w, path, &error)) {
        error_text(&error, reason, sizeof(reason));
        window_start(w, reason);
    }
}

static void on_key(struct window *w, const struct input *in)
{
    struct view *v = &w->view;
    bool plain = in->key != KEY_ESCAPE && !(in->mods & MOD_CTRL);
    w->changed = true;
    if (v->prompt.kind && plain) {
        if (in->key == KEY_RETURN)
            take_prompt(w);
        else
            prompt_key(&v->prompt, in->key, in->mods);
    } else if (w->starting && plain && start_key(&w->start, in->key)) {
        if (in->key == KEY_RETURN || (in->key >= '1' && in->key <= '3'))
            open_picked(w);
    } else if (v->question.choices && plain && in->key >= '1' &&
               in->key < '1' + (int)v->question.choices) {
        predict_answer(v, (unsigned)(in->key - '0'));
        window_walk(w, 1);
    } else {
        window_act(w, key_action(in->key, in->mods));
    }
}

/* ---- the mouse ---- */

static void scrub(struct window *w, int x)
{
    const struct item *slider = scene_find(&w->scene, (struct thing){THING_SCRUB, 0, 0});
    if (!slider || slider->at.w < 2)
        return;
    w->view.playing = false;
    w->undoing = false;
    travel_to_part(&w->travel, (double)(x - slider->at.x) / (slider->at.w - 1));
    window_moved(w, false);
    w->changed = true;
}

static struct thing thing_at(const struct window *w, int x, int y)
{
    const struct item *item = scene_hit(&w->scene, x, y);
    return item ? item->thing : (struct thing){0};
}

static void press_thing(struct window *w, struct thing thing, int x)
{
    struct view *v = &w->view;
    switch (thing.kind) {
    case THING_ACTION:
        window_act(w, (enum action)thing.a);
        break;
    case THING_SCRUB:
        w->dragging = true;
        scrub(w, x);
        break;
    case THING_OP:
        window_jump(w, (struct moment){thing.a, UINT64_MAX});
        break;
    case THING_FILE:
        w->start.pick = (size_t)thing.a;
        open_picked(w);
        break;
    case THING_ANSWER:
        predict_answer(v, (unsigned)thing.a);
        window_walk(w, 1);
        break;
    default:
        if (thing_selectable(thing))
            v->selection = thing_equal(v->selection, thing) ? (struct thing){0} : thing;
        break;
    }
}

static void on_press(struct window *w, const struct input *in)
{
    struct view *v = &w->view;
    struct thing thing = thing_at(w, in->x, in->y);
    bool overlay = v->help || v->menu || v->prompt.kind;
    v->help = v->menu = false;
    w->changed = true;
    if (overlay && thing.kind != THING_ACTION)
        v->prompt.kind = PROMPT_NONE;
    else
        press_thing(w, thing, in->x);
}

/* The first click of the two has selected it, or taken the selection away. */
static void on_double(struct window *w, const struct input *in)
{
    struct thing thing = thing_at(w, in->x, in->y);
    w->changed = true;
    if (!w->open || w->starting || !thing_selectable(thing)) {
        on_press(w, in);
        return;
    }
    w->view.selection = thing;
    browse_follow(&w->view, &w->travel);
}

static void on_menu(struct window *w, const struct input *in)
{
    struct view *v = &w->view;
    struct thing thing = thing_at(w, in->x, in->y);
    if (!w->open || w->starting || !thing_selectable(thing))
        return;
    v->selection = thing;
    v->menu = true;
    v->hover_x = in->x;
    v->hover_y = in->y;
    w->changed = true;
}

static void on_move(struct window *w, const struct input *in)
{
    struct view *v = &w->view;
    if (w->dragging) {
        scrub(w, in->x);
        return;
    }
    if (w->panning) {
        browse_drag(v, travel_model(&w->travel), in->x - w->pan_x, in->y - w->pan_y);
        w->pan_x = in->x;
        w->pan_y = in->y;
        w->changed = true;
        return;
    }
    if (v->menu || (in->x == v->hover_x && in->y == v->hover_y)) /* it only lies there */
        return;
    const struct item *item = scene_hit(&w->scene, in->x, in->y);
    struct thing thing = item ? item->thing : (struct thing){0};
    w->changed = w->changed || thing.kind != THING_PANE || !thing_equal(v->hover, thing);
    v->hover = thing;
    if (item && !v->enlarged)
        v->pointed = item->pane;
    v->hover_x = in->x;
    v->hover_y = in->y;
}

static void on_wheel(struct window *w, const struct input *in)
{
    bool away = in->y > 0;
    if (w->starting) {
        start_key(&w->start, away ? KEY_UP : KEY_DOWN);
        w->changed = true;
    } else if (view_alone(&w->view) >= PANE_SPACE && view_alone(&w->view) < PANES) {
        if (in->mods & MOD_CTRL && w->view.hover.kind == THING_SPAN)
            w->view.selection = w->view.hover; /* zooms at the cursor */
        window_act(w, away ? DO_ZOOM_IN : DO_ZOOM_OUT);
    } else if (in->mods & MOD_CTRL) {
        window_act(w, away ? DO_LARGER : DO_SMALLER);
    } else {
        window_act(w, away ? DO_BACK : DO_FORWARD);
    }
}

static void on_drop(struct window *w, const char *path)
{
    struct error error;
    char reason[600];
    if (!window_load(w, path, &error))
        return;
    error_text(&error, reason, sizeof(reason));
    window_start(w, reason);
}

void window_input(struct window *w, const struct input *in)
{
    switch (in->kind) {
    case INPUT_KEY:
        on_key(w, in);
        break;
    case INPUT_MOVE:
        on_move(w, in);
        break;
    case INPUT_PRESS:
        on_press(w, in);
        break;
    case INPUT_DOUBLE:
        on_double(w, in);
        break;
    case INPUT_MENU:
        on_menu(w, in);
        break;
    case INPUT_PAN:
        w->panning = true;
        w->pan_x = in->x;
        w->pan_y = in->y;
        break;
    case INPUT_RELEASE:
        w->dragging = w->panning = false;
        break;
    case INPUT_WHEEL:
        on_wheel(w, in);
        break;
    case INPUT_DROP:
        on_drop(w, in->text);
        break;
    case INPUT_CHANGE:
        w->changed = true;
        break;
    case INPUT_QUIT:
        w->quit = true;
        break;
    case INPUT_NONE:
        break;
    }
}

/* ---- time passes ---- */

static void tick(struct window *w)
{
    struct view *v = &w->view;
    if (!w->open || w->starting)
        return;
    uint64_t now = sdl_clock();
    uint64_t ms = now - w->moved_at;
    int phase = ms >= MOTION_MS ? PHASE_DONE : (int)(ms * PHASE_DONE / MOTION_MS);
    if (w->undoing) {
        v->phase = PHASE_DONE - phase;
        w->changed = true;
        if (!v->phase)
            window_settle(w);
    } else if (v->phase < PHASE_DONE) {
        v->phase = phase;
        w->changed = true;
    }
    if (v->playing && now >= w->step_at && !predict_ask(v)) {
        window_walk(w, 1);
        w->step_at = now + window_pace(w);
        w->changed = true;
    }
    /* The survey runs in what is left of the time of a frame. */
    bool more = !w->travel.survey->over;
    while (more && sdl_clock() - now < FRAME_MS / 2)
        more = survey_run(w->travel.survey, 100);
    w->changed = w->changed || !w->travel.survey->over;
    more = pair_busy(&w->pair);
    w->changed = w->changed || more;
    while (more && sdl_clock() - now < FRAME_MS)
        more = pair_run(&w->pair, 20);
}

static int patience(const struct window *w)
{
    if (!w->open || w->starting)
        return IDLE_MS;
    if (!w->travel.survey->over || pair_busy(&w->pair))
        return 1;
    bool moves = w->view.playing || w->undoing || w->view.phase < PHASE_DONE;
    return moves ? FRAME_MS : IDLE_MS;
}

static void loop(struct window *w, uint64_t exit_after)
{
    w->changed = true;
    while (!w->quit && (!exit_after || w->frames < exit_after)) {
        struct input in;
        int wait = w->changed || exit_after ? 0 : patience(w);
        while (!w->quit && sdl_input(w->sdl, &in, wait)) {
            window_input(w, &in);
            wait = 0;
        }
        tick(w);
        if (w->changed || exit_after)
            window_draw(w);
    }
}

/* What was set on the command line goes before what is remembered. */
static void recall(struct window *w, const struct viz_options *o)
{
    struct view *v = &w->view;
    const struct state *s = &w->state;
    if (!o->theme)
        v->theme = s->theme;
    if (!o->lang)
        v->lang = s->lang;
    if (!o->scale)
        v->scale = s->scale;
    v->hidden |= s->hidden & ~(1u << PANE_LESSON);
    v->motion = v->motion && s->motion;
    v->speed = s->speed;
}

static void keep(struct window *w, const char *path)
{
    const struct view *v = &w->view;
    struct state *s = &w->state;
    struct error error;
    s->theme = v->theme;
    s->lang = v->lang;
    s->scale = v->scale;
    s->hidden = v->hidden;
    s->motion = v->motion;
    s->speed = v->speed;
    sdl_size(w->sdl, &s->width, &s->height);
    if (path && state_save(s, path, &error))
        error_print(&error, stderr);
}

enum err viz_window(const struct viz_options *o, struct error *error)
{
    struct window w = {0};
    const char *path = o->host ? o->host->state : NULL;
    struct error unread;
    state_default(&w.state);
    if (path && state_load(&w.state, path, &unread))
        error_print(&unread, stderr); /* a broken memory is no reason not to work */
    int width = o->width ? o->width : w.state.width;
    int height = o->height ? o->height : w.state.height;
    enum err err = sdl_open_window(&w.sdl, width, height, "memwalk", error);
    if (err)
        return err;
    err = window_open(&w, o, error);
    if (!err) {
        recall(&w, o);
        if (w.open) {
            state_opened(&w.state, w.run.path);
            travel_to(&w.travel, o->at);
            window_begin(&w);
        }
        loop(&w, o->exit_after);
        keep(&w, path);
    }
    window_close(&w);
    return err;
}
