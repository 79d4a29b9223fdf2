/* act.c: what a person can ask of the window, action by action. */
#include "viz/browse.h"
#include "viz/predict.h"
#include "viz/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int speed_table[] = {25, 100, 200, 500, 1000, 2500, 0};
static const int scale_table[] = {700, 850, 1000, 1200, 1400, 1700, 2000};

/* The next larger (1) or smaller (-1) number of a table, or the same at its end. */
static int neighbour(const int *table, size_t n, int value, int direction)
{
    for (size_t i = 0; i < n; i++)
        if (table[i] == value && (direction > 0 ? i + 1 < n : i > 0))
            return table[direction > 0 ? i + 1 : i - 1];
    return value;
}

static void clear(struct window *w)
{
    struct view *v = &w->view;
    if (v->help || v->menu || v->prompt.kind) {
        v->help = v->menu = false;
        v->prompt.kind = PROMPT_NONE;
    } else if (w->starting && w->open) {
        w->starting = false;
    } else if (v->question.choices) {
        v->question.choices = 0;
    } else if (v->enlarged)
        v->enlarged = false;
    else
        v->selection = (struct thing){0};
    v->notice[0] = '\0';
}

static void find(struct window *w, int direction, uint8_t flag)
{
    w->view.playing = false;
    travel_find(&w->travel, direction, flag);
    window_moved(w, true);
}

static void trail(struct window *w, int direction, unsigned kinds)
{
    w->view.playing = false;
    travel_trail(&w->travel, direction, kinds);
    window_moved(w, direction > 0);
}

/* Takes the bookmark of this moment away, or puts one, in order. */
static void bookmark(struct view *v)
{
    size_t i = 0;
    while (i < v->bookmarks && moment_before(v->bookmark[i], v->now))
        i++;
    struct moment *at = v->bookmark + i;
    size_t behind = v->bookmarks - i;
    if (behind && moment_same(*at, v->now)) {
        memmove(at, at + 1, (behind - 1) * sizeof(*at));
        v->bookmarks--;
    } else if (v->bookmarks < BOOKMARKS) {
        memmove(at + 1, at, behind * sizeof(*at));
        *at = v->now;
        v->bookmarks++;
    } else {
        window_notice(v, "There is room for %u bookmarks.", BOOKMARKS);
    }
}

/* Reads the trace again and goes to the same moment. */
static void reload(struct window *w)
{
    struct error error;
    char path[sizeof(w->run.path)];
    struct moment now = w->view.now;
    snprintf(path, sizeof(path), "%s", w->run.path);
    if (window_load(w, path, &error)) {
        error_text(&error, w->view.notice, sizeof(w->view.notice));
        return;
    }
    window_jump(w, now);
    window_notice(&w->view, "Read again: %s", path);
}

static void next_bookmark(struct window *w)
{
    struct view *v = &w->view;
    if (!v->bookmarks) {
        window_notice(v, "There is no bookmark: B puts one.");
        return;
    }
    struct moment to = v->bookmark[0];
    for (size_t i = v->bookmarks; i-- > 0 && moment_before(v->now, v->bookmark[i]);)
        to = v->bookmark[i];
    window_jump(w, to);
}

/* Mark A, mark B, none; with both, what lies between them. */
static void mark(struct window *w)
{
    struct view *v = &w->view;
    if (v->marks == 2) {
        v->marks = 0;
        window_notice(v, "The marks are gone.");
        return;
    }
    v->mark[v->marks] = v->now;
    v->marked[v->marks++] = travel_model(&w->travel)->count;
    if (v->marks == 1) {
        window_notice(v, "A is here. M once more puts B.");
        return;
    }
    bool swap = moment_before(v->mark[1], v->mark[0]);
    const struct model_counts *a = &v->marked[swap], *b = &v->marked[!swap];
    window_notice(v,
                  "From A to B: %" PRIu64 " accesses, %" PRIu64 " walks of %" PRIu64
                  " reads, %" PRIu64 " faults, %" PRIu64 " kernel calls.",
                  b->accesses - a->accesses, b->walks - a->walks, b->walk_reads - a->walk_reads,
                  b->faults - a->faults, b->calls - a->calls);
}

/* Into the folder in which memwalk runs. */
static void screenshot(struct window *w)
{
    struct view *v = &w->view;
    struct error error;
    char path[80];
    snprintf(path, sizeof(path), "memwalk-%" PRIu64 ".%" PRIu64 ".png", v->now.op, v->now.step);
    window_draw(w); /* what was asked for just before it is on it */
    if (sdl_shot(w->sdl, path, &error))
        error_text(&error, v->notice, sizeof(v->notice));
    else
        window_notice(v, "The picture is in %s.", path);
}

static void copy_command(struct window *w)
{
    char text[1200];
    window_command(w, text, sizeof(text));
    sdl_copy(text);
    window_notice(&w->view, "Copied: %s", text);
}

static void next_pane(struct view *v)
{
    unsigned pane = v->pointed;
    do
        pane = pane + 1 < PANES ? pane + 1 : 0;
    while (v->hidden >> pane & 1);
    v->pointed = pane;
    window_notice(v, "Z enlarges, H hides: %s.", words_say(v->lang, pane_name[pane]));
}

static void enlarge(struct view *v)
{
    v->notice[0] = '\0';
    if (!v->enlarged && v->pointed >= PANES)
        window_notice(v, "Point at a pane first, with the mouse or Tab.");
    v->enlarged = !v->enlarged && v->pointed < PANES;
}

/* The narration stays: without it nothing would say what happens. */
static void hide(struct view *v)
{
    if (v->pointed >= PANES || v->pointed == PANE_NARRATION || v->enlarged)
        return;
    v->hidden |= 1u << v->pointed;
    window_notice(v, "Shift+H shows it again: %s.", words_say(v->lang, pane_name[v->pointed]));
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

/* The next (1) or last (-1) thing of the pane pointed at, in the order in which it is drawn. */
static void next_thing(struct window *w, int direction)
{
    struct view *v = &w->view;
    const struct item *first = NULL, *best = NULL, *last = NULL;
    bool passed = false;
    if (v->pointed >= PANES)
        next_pane(v);
    for (size_t i = 0; i < w->scene.items; i++) {
        const struct item *item = &w->scene.item[i];
        if (item->pane != v->pointed || item->layer != LAYER_PANES ||
            !thing_selectable(item->thing))
            continue;
        if (!first)
            first = item;
        if (thing_equal(item->thing, v->selection)) {
            passed = true;
            if (direction < 0)
                best = last;
        } else if (passed && direction > 0 && !best) {
            best = item;
        }
        last = item;
    }
    if (!passed)
        best = direction > 0 ? first : last;
    if (best)
        v->selection = best->thing;
    else if (!first)
        window_notice(v, "There is nothing to select in this pane: Tab goes to the next.");
}

static void do_alone(struct window *w, unsigned pane)
{
    struct view *v = &w->view;
    v->enlarged = !(v->enlarged && v->pointed == pane);
    v->pointed = v->enlarged ? pane : PANES;
    browse_begin(v, travel_model(&w->travel), pane);
}

/* The menu stands where the selection is. */
static void open_menu(struct window *w)
{
    struct view *v = &w->view;
    const struct item *item = scene_find(&w->scene, v->selection);
    v->menu = !v->menu && v->selection.kind != THING_NONE;
    if (v->selection.kind == THING_NONE)
        window_notice(v, "Nothing is selected: click on something first.");
    if (!item)
        return;
    v->hover_x = item->at.x + item->at.w / 2;
    v->hover_y = item->at.y + item->at.h / 2;
}

static void do_browse(struct window *w, enum action action)
{
    struct view *v = &w->view;
    switch (action) {
    case DO_SPACE:
        do_alone(w, PANE_SPACE);
        break;
    case DO_TABLES:
        do_alone(w, PANE_TABLES);
        break;
    case DO_BYTES:
        do_alone(w, PANE_BYTES);
        break;
    case DO_LESSON:
        v->hidden ^= 1u << PANE_LESSON;
        break;
    case DO_ZOOM_IN:
    case DO_ZOOM_OUT:
        browse_zoom(v, travel_model(&w->travel), action == DO_ZOOM_IN ? 1 : -1);
        break;
    case DO_PAN_LEFT:
    case DO_PAN_RIGHT:
        browse_pan(v, travel_model(&w->travel), action == DO_PAN_RIGHT ? 1 : -1);
        break;
    case DO_NEXT_THING:
    case DO_LAST_THING:
        next_thing(w, action == DO_NEXT_THING ? 1 : -1);
        break;
    case DO_FOLLOW:
        if (!browse_follow(v, &w->travel))
            window_notice(v, "The selection points nowhere.");
        break;
    case DO_MENU:
        open_menu(w);
        break;
    default:
        break;
    }
}

static void do_ask(struct window *w, enum action action)
{
    struct view *v = &w->view;
    switch (action) {
    case DO_ASK_OP:
        prompt_open(&v->prompt, PROMPT_OP, v->lang);
        break;
    case DO_FIND:
        prompt_open(&v->prompt, PROMPT_FIND, v->lang);
        break;
    case DO_BREAK:
        prompt_open(&v->prompt, PROMPT_BREAK, v->lang);
        break;
    case DO_COMMAND:
        prompt_open(&v->prompt, PROMPT_COMMAND, v->lang);
        break;
    case DO_NO_BREAKS:
        v->breaks = 0;
        travel_breaks_changed(&w->travel);
        window_notice(v, "All breakpoints are gone.");
        break;
    case DO_PREDICT:
        predict_toggle(v);
        break;
    case DO_OPEN:
        window_start(w, "");
        break;
    case DO_RELOAD:
        reload(w);
        break;
    default:
        break;
    }
}

static void difference(struct window *w)
{
    struct view *v = &w->view;
    const struct pair *p = &w->pair;
    if (!p->open)
        window_notice(v, "There is one run only: memwalk view TRACE --against KEY=VALUE");
    else if (!p->known)
        window_notice(v, "The first %" PRIu64 " ops are the same; still comparing.", p->compared);
    else if (!p->first.op)
        window_notice(v, "No event of the two runs differs.");
    else
        window_jump(w, p->first);
}

static void search(struct window *w, int direction)
{
    w->view.playing = false;
    travel_search(&w->travel, direction);
    window_moved(w, direction > 0);
}

static void to_break(struct window *w, int direction)
{
    w->view.playing = false;
    travel_break(&w->travel, direction);
    window_moved(w, direction > 0);
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
    case DO_NEXT_MATCH:
    case DO_LAST_MATCH:
        search(w, action == DO_NEXT_MATCH ? 1 : -1);
        break;
    case DO_NEXT_BREAK:
    case DO_LAST_BREAK:
        to_break(w, action == DO_NEXT_BREAK ? 1 : -1);
        break;
    case DO_DIFFERENCE:
        difference(w);
        break;
    case DO_NEXT_BOOKMARK:
        next_bookmark(w);
        break;
    default:
        break;
    }
}

/* What was said already is said again. */
static void next_language(struct window *w)
{
    struct view *v = &w->view;
    v->lang = (v->lang + 1) % LANGS;
    if (!w->open)
        return;
    travel_to(&w->travel, v->now);
    if (w->pair.open)
        pair_follow(&w->pair, v);
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
    case DO_LANGUAGE:
        next_language(w);
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
    case DO_MARK:
        mark(w);
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

/* In predict mode a step that would give an answer away asks first. */
static void go(struct window *w, int direction)
{
    if (direction > 0 && predict_ask(&w->view))
        return;
    window_walk(w, direction);
}

/* Before a trace is open most of it makes no sense. */
static bool possible(const struct window *w, enum action action)
{
    if (w->open && !w->starting)
        return true;
    switch (action) {
    case DO_QUIT:
    case DO_HELP:
    case DO_THEME:
    case DO_LANGUAGE:
    case DO_FULL_SCREEN:
    case DO_LARGER:
    case DO_SMALLER:
    case DO_NORMAL_SIZE:
    case DO_CLEAR:
    case DO_OPEN:
        return true;
    default:
        return false;
    }
}

void window_act(struct window *w, enum action action)
{
    struct view *v = &w->view;
    if (!possible(w, action))
        return;
    w->changed = w->changed || action != DO_NOTHING;
    if (w->narrate && action != DO_NOTHING) { /* who cannot see hears what was asked for */
        printf("> %s\n", action_info[action].name);
        fflush(stdout);
    }
    window_settle(w);
    switch (action) {
    case DO_PLAY:
        v->playing = !v->playing;
        v->question.choices = 0;
        w->step_at = 0;
        break;
    case DO_FORWARD:
    case DO_BACK:
        v->playing = false;
        go(w, action == DO_FORWARD ? 1 : -1);
        break;
    case DO_GRAIN_STEP:
    case DO_GRAIN_ACCESS:
    case DO_GRAIN_OP:
    case DO_GRAIN_STOP:
        v->grain = (enum grain)(action - DO_GRAIN_STEP);
        break;
    case DO_FIRST:
        window_jump(w, (struct moment){1, 0});
        break;
    case DO_LAST:
        window_jump(w, (struct moment){UINT64_MAX, 0});
        break;
    default:
        do_find(w, action);
        do_look(w, action);
        do_panes(v, action);
        do_browse(w, action);
        do_ask(w, action);
        break;
    }
}
