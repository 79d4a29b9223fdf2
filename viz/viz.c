/* viz.c: the person's side of the window: keys and mouse become actions, actions change the view or
 * travel in time, and a changed view is drawn again.
 */
#include "viz/keys.h"
#include "viz/window.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MS 16
#define IDLE_MS  200

static const int speed_table[] = {25, 100, 200, 500, 1000, 2500, 0};
static const int scale_table[] = {700, 850, 1000, 1200, 1400, 1700, 2000};

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

/* ---- opening ---- */

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

enum err window_open(struct window *w, const struct viz_options *o, struct error *error)
{
    w->view = (struct view){.trace = o->trace,
                            .config = o->config,
                            .name = o->name,
                            .grain = GRAIN_STEP,
                            .motion = !o->still,
                            .speed = 200,
                            .phase = PHASE_DONE,
                            .pointed = pane_of(o->pane),
                            .enlarged = o->pane != NULL,
                            .theme = theme_of(o->theme),
                            .scale = o->scale};
    w->titled = (struct moment){UINT64_MAX, 0};
    w->command = o->command;
    w->narrate = o->narrate;
    return travel_open(&w->travel, &w->view, error);
}

void window_close(struct window *w)
{
    scene_free(&w->scene);
    travel_close(&w->travel);
    sdl_close(w->sdl);
}

/* The title names the moment: task bars and tests read it. */
static void draw_title(struct window *w)
{
    char title[200];
    struct moment now = w->view.now;
    if (now.op == w->titled.op && now.step == w->titled.step)
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

void window_draw(struct window *w)
{
    draw_title(w);
    int width;
    int height;
    sdl_size(w->sdl, &width, &height);
    paint_scene(&w->scene, travel_model(&w->travel), &w->view, sdl_metrics(w->sdl), width, height,
                &w->layout);
    sdl_draw(w->sdl, &w->scene, w->view.theme);
    w->changed = false;
    w->frames++;
}

void window_command(const struct window *w, char *text, size_t size)
{
    struct moment now = w->view.now;
    int n = snprintf(text, size, "%s --op %" PRIu64, w->command,
                     now.step ? now.op : now.op - (now.op > 0));
    if (now.step && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, " --step %" PRIu64, now.step);
}

/* ---- actions ---- */

static void moved(struct window *w, bool forward)
{
    bool fly = forward && w->view.motion && w->view.grain == GRAIN_STEP;
    w->view.phase = fly ? 0 : PHASE_DONE;
    w->moved_at = sdl_clock();
}

bool window_step(struct window *w, int direction)
{
    bool further = travel_step(&w->travel, direction);
    moved(w, direction > 0);
    return further;
}

/* Going back, the newest event's motion is shown in reverse before the event is taken back; whoever
 * goes on meanwhile takes it back at once. */
static void settle(struct window *w)
{
    if (!w->undoing)
        return;
    w->undoing = false;
    window_step(w, -1);
}

static void step(struct window *w, int direction)
{
    const struct view *v = &w->view;
    if (direction < 0 && v->motion && v->grain == GRAIN_STEP && v->now.step) {
        w->undoing = true;
        w->moved_at = sdl_clock();
    } else if (!window_step(w, direction)) {
        w->view.playing = false;
    }
}

/* The next larger (1) or smaller (-1) number of a table, or the same at its end. */
static int neighbour(const int *table, size_t n, int value, int direction)
{
    for (size_t i = 0; i < n; i++)
        if (table[i] == value && (direction > 0 ? i + 1 < n : i > 0))
            return table[direction > 0 ? i + 1 : i - 1];
    return value;
}

__attribute__((format(printf, 2, 3))) static void notice(struct view *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->notice, sizeof(v->notice), format, args);
    va_end(args);
}

static void clear(struct window *w)
{
    struct view *v = &w->view;
    if (v->help || v->asking)
        v->help = v->asking = false;
    else if (v->enlarged)
        v->enlarged = false;
    else
        v->selection = (struct thing){0};
    v->notice[0] = '\0';
}

static void find(struct window *w, int direction, uint8_t flag)
{
    w->view.playing = false;
    travel_find(&w->travel, direction, flag);
    moved(w, true);
}

static void jump(struct window *w, struct moment to)
{
    w->view.playing = false;
    w->undoing = false;
    travel_to(&w->travel, to);
    moved(w, false);
}

static void trail(struct window *w, int direction, unsigned kinds)
{
    w->view.playing = false;
    travel_trail(&w->travel, direction, kinds);
    moved(w, direction > 0);
}

static bool same(struct moment x, struct moment y)
{
    return x.op == y.op && x.step == y.step;
}

/* Takes the bookmark of this moment away, or puts one, in order. */
static void bookmark(struct view *v)
{
    size_t i = 0;
    while (i < v->bookmarks && moment_before(v->bookmark[i], v->now))
        i++;
    struct moment *at = v->bookmark + i;
    size_t behind = v->bookmarks - i;
    if (behind && same(*at, v->now)) {
        memmove(at, at + 1, (behind - 1) * sizeof(*at));
        v->bookmarks--;
    } else if (v->bookmarks < BOOKMARKS) {
        memmove(at + 1, at, behind * sizeof(*at));
        *at = v->now;
        v->bookmarks++;
    } else {
        notice(v, "There is room for %u bookmarks.", BOOKMARKS);
    }
}

static void next_bookmark(struct window *w)
{
    struct view *v = &w->view;
    if (!v->bookmarks) {
        notice(v, "There is no bookmark: B puts one.");
        return;
    }
    struct moment to = v->bookmark[0];
    for (size_t i = v->bookmarks; i-- > 0 && moment_before(v->now, v->bookmark[i]);)
        to = v->bookmark[i];
    jump(w, to);
}

/* Into the folder in which memwalk runs. */
static void screenshot(struct window *w)
{
    struct view *v = &w->view;
    struct error error;
    char path[80];
    snprintf(path, sizeof(path), "memwalk-%" PRIu64 ".%" PRIu64 ".png", v->now.op, v->now.step);
    if (sdl_shot(w->sdl, path, &error))
        error_text(&error, v->notice, sizeof(v->notice));
    else
        notice(v, "The picture is in %s.", path);
}

static void copy_command(struct window *w)
{
    char text[1200];
    window_command(w, text, sizeof(text));
    sdl_copy(text);
    notice(&w->view, "Copied: the command that leads here.");
}

static void next_pane(struct view *v)
{
    unsigned pane = v->pointed;
    do
        pane = pane + 1 < PANES ? pane + 1 : 0;
    while (v->hidden >> pane & 1);
    v->pointed = pane;
    notice(v, "Z enlarges, H hides: %s.", pane_name[pane]);
}

static void enlarge(struct view *v)
{
    v->notice[0] = '\0';
    if (!v->enlarged && v->pointed >= PANES)
        notice(v, "Point at a pane first, with the mouse or Tab.");
    v->enlarged = !v->enlarged && v->pointed < PANES;
}

/* The narration stays: without it nothing would say what happens. */
static void hide(struct view *v)
{
    if (v->pointed >= PANES || v->pointed == PANE_NARRATION || v->enlarged)
        return;
    v->hidden |= 1u << v->pointed;
    notice(v, "Shift+H shows it again: %s.", pane_name[v->pointed]);
    v->pointed = PANES;
}

static void do_panes(struct view *v, enum action action)
{
    switch (action) {
    case DO_NEXT_PANE:
        next_pane(v);
        break;
    case DO_ENLARGE:
        enlarge(v);
        break;
    case DO_HIDE:
        hide(v);
        break;
    case DO_SHOW_ALL:
        v->hidden = 0;
        v->enlarged = false;
        break;
    default:
        break;
    }
}

static void do_find(struct window *w, enum action action)
{
    switch (action) {
    case DO_NEXT_FAULT:
    case DO_LAST_FAULT:
        find(w, action == DO_NEXT_FAULT ? 1 : -1, SURVEY_FAULT);
        break;
    case DO_NEXT_MISS:
    case DO_LAST_MISS:
        find(w, action == DO_NEXT_MISS ? 1 : -1, SURVEY_MISS);
        break;
    case DO_NEXT_CALL:
    case DO_LAST_CALL:
        find(w, action == DO_NEXT_CALL ? 1 : -1, SURVEY_CALL);
        break;
    case DO_NEXT_EVENT:
    case DO_LAST_EVENT:
        trail(w, action == DO_NEXT_EVENT ? 1 : -1, TRAIL_ANY);
        break;
    case DO_MADE_BY:
        trail(w, -1, TRAIL_MADE);
        break;
    case DO_WRITTEN_BY:
        trail(w, -1, TRAIL_WRITTEN);
        break;
    case DO_READ_BY:
        trail(w, 1, TRAIL_READ);
        break;
    case DO_NEXT_BOOKMARK:
        next_bookmark(w);
        break;
    default:
        break;
    }
}

static void do_look(struct window *w, enum action action)
{
    struct view *v = &w->view;
    switch (action) {
    case DO_FASTER:
        v->speed = neighbour(speed_table, ARRAY_LEN(speed_table), v->speed, 1);
        break;
    case DO_SLOWER:
        v->speed = neighbour(speed_table, ARRAY_LEN(speed_table), v->speed, -1);
        break;
    case DO_LARGER:
        v->scale = neighbour(scale_table, ARRAY_LEN(scale_table), v->scale, 1);
        break;
    case DO_SMALLER:
        v->scale = neighbour(scale_table, ARRAY_LEN(scale_table), v->scale, -1);
        break;
    case DO_NORMAL_SIZE:
        v->scale = 1000;
        break;
    case DO_MOTION:
        v->motion = !v->motion;
        break;
    case DO_THEME:
        v->theme = (v->theme + 1) % THEMES;
        break;
    case DO_FULL_SCREEN:
        sdl_full_screen(w->sdl);
        break;
    case DO_LECTURE:
        v->scale = v->scale == 1400 ? 1000 : 1400;
        sdl_full_screen(w->sdl);
        break;
    case DO_BOOKMARK:
        bookmark(v);
        break;
    case DO_SCREENSHOT:
        screenshot(w);
        break;
    case DO_COPY:
        copy_command(w);
        break;
    case DO_HELP:
        v->help = !v->help;
        break;
    case DO_ASK_OP:
        v->asking = true;
        v->answer[0] = '\0';
        break;
    case DO_CLEAR:
        clear(w);
        break;
    case DO_QUIT:
        w->quit = true;
        break;
    default:
        break;
    }
}

static void act(struct window *w, enum action action)
{
    struct view *v = &w->view;
    w->changed = w->changed || action != DO_NOTHING;
    settle(w);
    switch (action) {
    case DO_PLAY:
        v->playing = !v->playing;
        w->step_at = 0;
        break;
    case DO_FORWARD:
    case DO_BACK:
        v->playing = false;
        step(w, action == DO_FORWARD ? 1 : -1);
        break;
    case DO_GRAIN_STEP:
    case DO_GRAIN_ACCESS:
    case DO_GRAIN_OP:
    case DO_GRAIN_STOP:
        v->grain = (enum grain)(action - DO_GRAIN_STEP);
        break;
    case DO_FIRST:
        jump(w, (struct moment){1, 0});
        break;
    case DO_LAST:
        jump(w, (struct moment){UINT64_MAX, 0});
        break;
    default:
        do_find(w, action);
        do_look(w, action);
        do_panes(v, action);
        break;
    }
}

/* ---- input ---- */

/* While the question for an op is open, digits are its answer. */
static void answer(struct window *w, int key)
{
    struct view *v = &w->view;
    size_t n = strlen(v->answer);
    if (key >= '0' && key <= '9' && n + 1 < sizeof(v->answer)) {
        v->answer[n] = (char)key;
        v->answer[n + 1] = '\0';
    } else if (key == KEY_BACKSPACE && n) {
        v->answer[n - 1] = '\0';
    } else if (key == KEY_RETURN) {
        v->asking = false;
        if (n)
            jump(w, (struct moment){strtoull(v->answer, NULL, 10), UINT64_MAX});
    }
    w->changed = true;
}

static void on_key(struct window *w, const struct input *in)
{
    bool leave = in->key == KEY_ESCAPE || in->mods & MOD_CTRL;
    if (w->view.asking && !leave)
        answer(w, in->key);
    else
        act(w, key_action(in->key, in->mods));
}

static void scrub(struct window *w, int x)
{
    const struct item *slider = scene_find(&w->scene, (struct thing){THING_SCRUB, 0, 0});
    if (!slider || slider->at.w < 2)
        return;
    w->view.playing = false;
    w->undoing = false;
    travel_to_part(&w->travel, (double)(x - slider->at.x) / (slider->at.w - 1));
    moved(w, false);
    w->changed = true;
}

static void on_press(struct window *w, const struct input *in)
{
    struct view *v = &w->view;
    const struct item *item = scene_hit(&w->scene, in->x, in->y);
    struct thing thing = item ? item->thing : (struct thing){0};
    v->help = false;
    w->changed = true;
    switch (thing.kind) {
    case THING_ACTION:
        act(w, (enum action)thing.a);
        break;
    case THING_SCRUB:
        w->dragging = true;
        scrub(w, in->x);
        break;
    case THING_OP:
        jump(w, (struct moment){thing.a, UINT64_MAX});
        break;
    case THING_NONE:
    case THING_PANE:
    case THING_INDEX:
    case THING_BIT:
        break;
    default:
        v->selection = thing_equal(v->selection, thing) ? (struct thing){0} : thing;
        break;
    }
}

static void on_move(struct window *w, const struct input *in)
{
    struct view *v = &w->view;
    if (w->dragging) {
        scrub(w, in->x);
        return;
    }
    const struct item *item = scene_hit(&w->scene, in->x, in->y);
    struct thing thing = item ? item->thing : (struct thing){0};
    w->changed = w->changed || thing.kind != THING_PANE || !thing_equal(v->hover, thing);
    v->hover = thing;
    if (item && !v->enlarged)
        v->pointed = item->pane;
    v->hover_x = in->x;
    v->hover_y = in->y;
}

static void on_input(struct window *w, const struct input *in)
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
    case INPUT_RELEASE:
        w->dragging = false;
        break;
    case INPUT_WHEEL:
        act(w, in->y > 0 ? DO_BACK : DO_FORWARD);
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

uint64_t window_pace(const struct window *w)
{
    const struct event *e = model_event(travel_model(&w->travel), 0);
    if (!w->view.speed)
        return 0;
    uint64_t ms = 100000 / (uint64_t)w->view.speed;
    return e && e->kind == EV_fault ? ms * 2 : ms;
}

static void tick(struct window *w)
{
    struct view *v = &w->view;
    uint64_t now = sdl_clock();
    uint64_t ms = now - w->moved_at;
    int phase = ms >= MOTION_MS ? PHASE_DONE : (int)(ms * PHASE_DONE / MOTION_MS);
    if (w->undoing) {
        v->phase = PHASE_DONE - phase;
        w->changed = true;
        if (!v->phase)
            settle(w);
    } else if (v->phase < PHASE_DONE) {
        v->phase = phase;
        w->changed = true;
    }
    if (v->playing && now >= w->step_at) {
        step(w, 1);
        w->step_at = now + window_pace(w);
        w->changed = true;
    }
    /* The survey runs in what is left of the time of a frame. */
    bool more = !w->travel.survey->over;
    while (more && sdl_clock() - now < FRAME_MS / 2)
        more = survey_run(w->travel.survey, 100);
    w->changed = w->changed || !w->travel.survey->over;
}

static int patience(const struct window *w)
{
    if (!w->travel.survey->over)
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
            on_input(w, &in);
            wait = 0;
        }
        tick(w);
        if (w->changed || exit_after)
            window_draw(w);
    }
}

enum err viz_window(const struct viz_options *o, struct error *error)
{
    struct window w = {0};
    char title[160];
    snprintf(title, sizeof(title), "memwalk · %s", o->name);
    enum err err = sdl_open_window(&w.sdl, o->width, o->height, title, error);
    if (err)
        return err;
    err = window_open(&w, o, error);
    if (!err) {
        travel_to(&w.travel, o->at);
        loop(&w, o->exit_after);
    }
    window_close(&w);
    return err;
}
