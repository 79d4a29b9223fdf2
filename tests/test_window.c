/* test_window.c: the window without a screen: what a person may do to it in any order, what it
 * remembers, what it opens, and how it stops and asks.
 */
#include "tests/moments.h"
#include "tests/test.h"
#include "viz/browse.h"
#include "viz/predict.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a host as the command is one ---- */

struct opened {
    struct trace *trace;
    struct config config;
};

static enum err host_open(void *ctx, const char *path, struct viz_run *run, struct error *error)
{
    struct opened *o = calloc(1, sizeof(*o));
    (void)ctx;
    ck_assert_ptr_nonnull(o);
    config_default(&o->config);
    enum err err = trace_load(&o->trace, path, error);
    if (!err && o->trace->header.config)
        err = config_json(&o->config, o->trace->header.config, NULL, error);
    if (err) {
        trace_free(o->trace);
        free(o);
        return err;
    }
    *run = (struct viz_run){.trace = o->trace,
                            .config = &o->config,
                            .name = o->trace->header.name,
                            .command = "memwalk view",
                            .own = o};
    snprintf(run->path, sizeof(run->path), "%s", path);
    return ERR_NONE;
}

static void host_close(void *ctx, struct viz_run *run)
{
    struct opened *o = run->own;
    (void)ctx;
    trace_free(o->trace);
    free(o);
}

static const struct viz_host host = {.open = host_open, .close = host_close, .traces = "traces"};

static void open_window(struct window *w, const char *path)
{
    struct error error = {0};
    struct viz_options o = {.host = &host, .scale = 1000, .theme = "dark", .still = true};
    memset(w, 0, sizeof(*w));
    state_default(&w->state);
    ck_assert_int_eq(window_open(w, &o, &error), ERR_NONE);
    ck_assert_msg(!sdl_open_picture(&w->sdl, 1280, 720, &error), "%s", error.reason);
    if (path)
        ck_assert_msg(!window_load(w, path, &error), "%s", error.reason);
}

static void press(struct window *w, int key, unsigned mods)
{
    window_input(w, &(struct input){.kind = INPUT_KEY, .key = key, .mods = mods});
}

static void type(struct window *w, const char *text)
{
    for (; *text; text++)
        press(w, *text, 0);
    press(w, KEY_RETURN, 0);
}

/* After the third op of the lesson: a heap, and an access whose tables are there. */
static void open_third_op(struct window *w)
{
    open_window(w, "traces/lesson-anatomy-of-a-malloc.json");
    press(w, 'g', 0);
    type(w, "3");
}

static void expect_op(const struct window *w, uint64_t op)
{
    ck_assert_uint_eq(w->view.now.op, op);
}

/* ---- the start screen ---- */

START_TEST(the_start_screen_opens_lessons_and_says_why_not)
{
    struct window w;
    open_window(&w, NULL);
    ck_assert(w.starting && !w.open);
    ck_assert_uint_gt(w.start.entries, 50);
    for (size_t i = 0; i < START_CARDS; i++)
        ck_assert_int_eq(w.start.entry[i].kind, START_CARD);
    window_draw(&w);
    press(&w, 'f', 0); /* there is nothing to find yet */
    ck_assert(w.starting);
    press(&w, '2', 0);
    ck_assert(!w.starting && w.open);
    ck_assert_ptr_nonnull(strstr(w.run.path, "belady-4"));
    expect_op(&w, 1);
    ck_assert_ptr_nonnull(strstr(w.state.recent[0], "belady-4"));
    window_draw(&w);
    window_input(&w, &(struct input){.kind = INPUT_DROP, .text = "traces/none.json"});
    ck_assert(w.starting && w.open); /* the old one is still there */
    ck_assert_ptr_nonnull(strstr(w.start.message, "none.json"));
    window_draw(&w);
    press(&w, KEY_ESCAPE, 0);
    ck_assert(!w.starting);
    press(&w, 'o', 0);
    press(&w, KEY_DOWN, 0);
    ck_assert_uint_eq(w.start.pick, 1);
    press(&w, KEY_HOME, 0);
    press(&w, KEY_RETURN, 0);
    ck_assert_ptr_nonnull(strstr(w.run.path, "promise"));
    press(&w, 'o', 0);
    press(&w, KEY_END, 0);
    press(&w, KEY_RETURN, 0); /* the last recording */
    ck_assert(w.open && !w.starting);
    window_close(&w);
}
END_TEST

/* ---- finding and stopping ---- */

START_TEST(finding_goes_to_the_next_and_back)
{
    struct window w;
    open_window(&w, "traces/lesson-anatomy-of-a-malloc.json");
    press(&w, '/', 0);
    type(&w, "falt");
    ck_assert_int_eq(w.view.prompt.kind, PROMPT_FIND); /* it stays, with the reason */
    ck_assert_ptr_nonnull(strstr(w.view.prompt.reason, "did you mean"));
    press(&w, KEY_ESCAPE, 0);
    press(&w, '/', 0);
    type(&w, "fault");
    struct moment first = w.view.now;
    ck_assert_uint_eq(model_event(travel_model(&w.travel), 0)->kind, EV_fault);
    press(&w, 'n', 0);
    ck_assert(moment_before(first, w.view.now));
    press(&w, 'n', MOD_SHIFT);
    ck_assert_uint_eq(w.view.now.op, first.op);
    ck_assert_uint_eq(w.view.now.step, first.step);
    press(&w, 'n', MOD_SHIFT);
    ck_assert_str_ne(w.view.notice, ""); /* there is none before */
    window_close(&w);
}
END_TEST

/* Plays from here until it stops by itself. */
static void play(struct window *w)
{
    w->view.playing = true;
    for (int i = 0; i < 100000 && w->view.playing; i++)
        window_walk(w, 1);
    ck_assert(!w->view.playing);
}

START_TEST(play_stops_at_breakpoints_whatever_the_step)
{
    for (enum grain grain = GRAIN_STEP; grain <= GRAIN_OP; grain++) {
        struct window w;
        open_window(&w, "traces/lesson-anatomy-of-a-malloc.json");
        w.view.grain = grain;
        press(&w, KEY_F9, 0);
        type(&w, "page_fault");
        ck_assert_str_ne(w.view.prompt.reason, "");
        press(&w, KEY_ESCAPE, 0);
        press(&w, KEY_F9, 0);
        type(&w, "brk_move");
        press(&w, KEY_F9, 0);
        type(&w, "fault error&4");
        ck_assert_uint_eq(w.view.breaks, 2);
        play(&w);
        const struct event *e = model_event(travel_model(&w.travel), 0);
        ck_assert_uint_eq(e->kind, EV_brk_move);
        play(&w);
        e = model_event(travel_model(&w.travel), 0);
        ck_assert_uint_eq(e->kind, EV_fault);
        struct moment second = w.view.now;
        press(&w, 'e', MOD_SHIFT);
        ck_assert(moment_before(w.view.now, second));
        press(&w, 'e', 0);
        ck_assert_uint_eq(w.view.now.step, second.step);
        press(&w, KEY_F9, MOD_SHIFT);
        ck_assert_uint_eq(w.view.breaks, 0);
        play(&w);
        expect_op(&w, w.view.ops);
        window_close(&w);
    }
}
END_TEST

START_TEST(the_palette_runs_any_command)
{
    struct window w;
    open_window(&w, "traces/lesson-anatomy-of-a-malloc.json");
    press(&w, 'p', MOD_CTRL | MOD_SHIFT);
    type(&w, "the end");
    expect_op(&w, w.view.ops);
    press(&w, 'p', MOD_CTRL | MOD_SHIFT);
    type(&w, "no such thing");
    ck_assert_int_eq(w.view.prompt.kind, PROMPT_NONE);
    for (int a = 1; a < ACTIONS; a++) { /* each by its own name */
        struct prompt p = {.kind = PROMPT_COMMAND};
        enum action choice[ACTIONS];
        snprintf(p.text, sizeof(p.text), "%s", action_info[a].name);
        bool there = false;
        for (size_t i = prompt_choices(&p, choice); i-- > 0;)
            there = there || choice[i] == (enum action)a;
        ck_assert(there || a == DO_COMMAND);
    }
    window_close(&w);
}
END_TEST

/* ---- looking closely ---- */

START_TEST(pointers_are_followed_down_to_the_bytes)
{
    struct window w;
    open_third_op(&w);
    const struct model *m = travel_model(&w.travel);
    const struct model_cpu *cpu = &m->cpu[m->cpu_now];
    pa_t pa = 0;
    pte_t entry;
    ck_assert(model_entry(m, cpu->root, cpu->access.va, 4, &entry, &pa));
    w.view.selection = (struct thing){THING_ENTRY, pa, 4};
    press(&w, 'y', 0);
    ck_assert_uint_eq(view_alone(&w.view), PANE_TABLES);
    ck_assert_uint_eq(w.view.browse.table, pa & ~PAGE_MASK);
    for (unsigned level = 4; level > 1; level--) { /* down, table by table */
        ck_assert(model_entry(m, cpu->root, cpu->access.va, level, &entry, &pa));
        w.view.selection = (struct thing){THING_ENTRY, pa, level};
        press(&w, 'i', 0);
        ck_assert_uint_eq(w.view.browse.table, pte_pfn(entry) << PAGE_SHIFT);
    }
    press(&w, 's', 0); /* and up again */
    ck_assert_uint_eq(model_frame(m, w.view.browse.table >> PAGE_SHIFT)->level, 2);
    ck_assert(model_entry(m, cpu->root, cpu->access.va, 1, &entry, &pa));
    w.view.selection = (struct thing){THING_ENTRY, pa, 1};
    press(&w, 'i', 0);
    ck_assert_int_eq(w.view.selection.kind, THING_FRAME);
    ck_assert_uint_eq(w.view.selection.a, cpu->access.pfn);
    press(&w, 'i', 0);
    ck_assert_uint_eq(view_alone(&w.view), PANE_BYTES);
    window_draw(&w);
    ck_assert(w.view.browse.known);
    uint8_t truth[PAGE_SIZE];
    inspect_ram(w.travel.sim, cpu->access.pfn << PAGE_SHIFT, truth, sizeof(truth));
    ck_assert_int_eq(memcmp(truth, w.view.browse.bytes, sizeof(truth)), 0);
    window_close(&w);
}
END_TEST

START_TEST(the_address_space_opens_down_to_one_bit)
{
    struct window w;
    open_third_op(&w);
    const struct model *m = travel_model(&w.travel);
    va_t va = m->cpu[m->cpu_now].access.va;
    press(&w, 'v', 0);
    ck_assert_uint_eq(w.view.browse.depth, 0);
    for (unsigned depth = 1; depth < browse_depths(m); depth++) {
        window_draw(&w);
        press(&w, 'w', 0);
        ck_assert_uint_eq(w.view.browse.depth, depth);
        ck_assert_uint_lt(va - w.view.browse.space, browse_bytes(m, depth));
    }
    press(&w, 'w', 0); /* no nearer than a bit */
    ck_assert_uint_eq(w.view.browse.depth, browse_depths(m) - 1);
    va_t at = w.view.browse.space;
    press(&w, 'd', 0);
    ck_assert_uint_eq(w.view.browse.space, at + 8);
    press(&w, 'a', 0);
    ck_assert_uint_eq(w.view.browse.space, at);
    for (unsigned depth = 0; depth < browse_depths(m); depth++)
        press(&w, 's', 0);
    ck_assert_uint_eq(w.view.browse.depth, 0);
    window_close(&w);
}
END_TEST

START_TEST(things_are_selected_by_key)
{
    struct window w;
    open_third_op(&w);
    window_draw(&w);
    while (w.view.pointed != PANE_FRAMES)
        press(&w, KEY_TAB, 0);
    press(&w, KEY_DOWN, 0);
    ck_assert_int_eq(w.view.selection.kind, THING_FRAME);
    struct thing first = w.view.selection;
    press(&w, KEY_DOWN, 0);
    ck_assert(!thing_equal(first, w.view.selection));
    press(&w, KEY_UP, 0);
    ck_assert(thing_equal(first, w.view.selection));
    press(&w, 'u', 0);
    ck_assert(w.view.menu);
    window_draw(&w);
    press(&w, KEY_ESCAPE, 0);
    ck_assert(!w.view.menu);
    window_close(&w);
}
END_TEST

/* ---- guessing, marks, two runs ---- */

START_TEST(predict_mode_asks_before_it_shows)
{
    struct window w;
    unsigned asked = 0;
    open_window(&w, "traces/lesson-anatomy-of-a-malloc.json");
    press(&w, 'p', 0);
    for (int i = 0; i < 400; i++) {
        press(&w, KEY_RIGHT, 0);
        if (!w.view.question.choices)
            continue;
        struct moment at = w.view.now;
        press(&w, KEY_RIGHT, 0); /* it stays until it is answered */
        ck_assert_uint_eq(w.view.now.step, at.step);
        window_draw(&w);
        press(&w, '0' + (int)w.view.question.right, 0);
        ck_assert_uint_eq(w.view.now.step, at.step + 1);
        ck_assert_uint_eq(w.view.guessed, ++asked);
    }
    ck_assert_uint_gt(asked, 5);
    ck_assert_uint_eq(w.view.asked, asked);
    window_close(&w);
}
END_TEST

START_TEST(marks_count_what_lies_between)
{
    struct window w;
    open_window(&w, "traces/lesson-tlb-reach.json");
    press(&w, KEY_END, 0);
    press(&w, 'm', 0);
    press(&w, KEY_HOME, 0);
    press(&w, 'm', 0); /* in any order */
    ck_assert_msg(strstr(w.view.notice, "128 walks") && strstr(w.view.notice, "64 faults"), "%s",
                  w.view.notice);
    press(&w, 'm', 0);
    ck_assert_uint_eq(w.view.marks, 0);
    window_close(&w);
}
END_TEST

static void open_pair(struct moment_stage *m)
{
    static const struct sample sample = {
        .name = "pair", .trace = "lesson-best-fit.json", .against = "alloc=first-fit"};
    moment_open(m, &sample, true);
}

START_TEST(two_runs_stay_together_and_differ_where_they_do)
{
    struct moment_stage m;
    open_pair(&m);
    struct window *w = &m.window;
    ck_assert(w->pair.known);
    ck_assert_uint_eq(w->pair.first.op, 16); /* the request that fits into several holes */
    press(w, 'j', 0);
    window_draw(w);
    ck_assert_uint_eq(w->view.now.op, 16);
    ck_assert_uint_eq(w->pair.view.now.op, 16);
    ck_assert_uint_eq(w->pair.view.now.step, w->view.now.step);
    const struct event *a = model_event(travel_model(&w->travel), 0);
    const struct event *b = model_event(travel_model(&w->pair.travel), 0);
    ck_assert(a->kind != b->kind || memcmp(a, b, sizeof(*a)) != 0);
    press(w, KEY_LEFT, 0); /* just before it they are the same */
    window_draw(w);
    a = model_event(travel_model(&w->travel), 0);
    b = model_event(travel_model(&w->pair.travel), 0);
    ck_assert_uint_eq(a->kind, b->kind);
    moment_close(&m);
}
END_TEST

/* ---- what is remembered ---- */

/* ---- languages ---- */

static bool painted(struct window *w, const char *text)
{
    window_paint(w, &text_plain, 1600, 900);
    for (size_t i = 0; i < w->scene.items; i++)
        if (w->scene.item[i].kind == ITEM_TEXT &&
            strcmp(scene_text(&w->scene, &w->scene.item[i]), text) == 0)
            return true;
    return false;
}

START_TEST(the_language_changes_at_any_moment)
{
    struct window w;
    open_window(&w, "traces/lesson-anatomy-of-a-malloc.json");
    press(&w, 'f', 0);
    ck_assert_ptr_nonnull(strstr(w.view.headline, "error code"));
    ck_assert(painted(&w, "PROGRAM"));
    struct moment at = w.view.now;
    press(&w, 'l', MOD_CTRL);
    ck_assert_ptr_nonnull(strstr(w.view.headline, "Fehlercode"));
    ck_assert_ptr_nonnull(strstr(w.view.chapter, "Schritt 12 von 16: der Kernel"));
    ck_assert_uint_eq(w.view.now.op, at.op);
    ck_assert_uint_eq(w.view.now.step, at.step);
    ck_assert(painted(&w, "PROGRAMM"));
    ck_assert(!painted(&w, "PROGRAM"));
    press(&w, 'b', MOD_SHIFT);
    ck_assert_str_eq(w.view.notice, "Es gibt kein Lesezeichen: B setzt eines.");
    press(&w, 'l', MOD_CTRL);
    ck_assert_ptr_nonnull(strstr(w.view.headline, "error code"));
    ck_assert(painted(&w, "PROGRAM"));
    window_close(&w);
}
END_TEST

START_TEST(commands_are_found_in_the_language_of_the_window)
{
    static const char *const words[] = {"ganzer bild", "full scr", "full-scr"};
    struct window w;
    open_window(&w, "traces/lesson-anatomy-of-a-malloc.json");
    press(&w, 'l', MOD_CTRL);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        enum action choice[ACTIONS];
        press(&w, 'p', MOD_CTRL | MOD_SHIFT);
        for (const char *s = words[i]; *s; s++)
            press(&w, *s, 0);
        ck_assert_uint_ge(prompt_choices(&w.view.prompt, choice), 1);
        ck_assert_int_eq(choice[0], DO_FULL_SCREEN);
        press(&w, KEY_ESCAPE, 0);
    }
    window_close(&w);
}
END_TEST

START_TEST(another_trace_is_told_in_the_same_language)
{
    struct window w;
    struct error error;
    open_window(&w, NULL);
    ck_assert(painted(&w, "memwalk: from malloc to frame"));
    press(&w, 'l', MOD_CTRL);
    ck_assert(painted(&w, "memwalk: von malloc bis zum Frame"));
    ck_assert_int_eq(window_load(&w, "traces/lesson-promise.json", &error), ERR_NONE);
    ck_assert_ptr_nonnull(strstr(w.view.headline, "Als Nächstes: "));
    window_close(&w);
}
END_TEST

START_TEST(both_runs_speak_the_same_language)
{
    struct moment_stage m;
    open_pair(&m);
    press(&m.window, 'j', 0);
    press(&m.window, 'l', MOD_CTRL);
    ck_assert_ptr_nonnull(strstr(m.window.pair.view.chapter, "Schritt "));
    window_draw(&m.window);
    ck_assert_ptr_nonnull(strstr(m.window.pair.view.caption, "erster Unterschied: Op 16"));
    moment_close(&m);
}
END_TEST

START_TEST(the_state_comes_back_as_it_was)
{
    char folder[] = "/tmp/memwalk-state-XXXXXX", path[200];
    struct state s, t;
    struct error error = {0};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a/b/window.json", folder);
    ck_assert_int_eq(state_load(&s, path, &error), ERR_NONE); /* there is none yet */
    s.theme = THEME_CONTRAST;
    s.lang = LANG_DE;
    s.scale = 1400;
    s.hidden = 1u << PANE_HEAP | 1u << PANE_PSC;
    s.motion = false;
    for (int i = 0; i < 12; i++) {
        char name[200];
        snprintf(name, sizeof(name), "%s/t%d.json", folder, i);
        FILE *f = fopen(name, "w");
        ck_assert_ptr_nonnull(f);
        fclose(f);
        state_opened(&s, name);
    }
    snprintf(path, sizeof(path), "%s/t8.json", folder);
    state_opened(&s, path); /* once more: first again, and once only */
    ck_assert_uint_eq(s.recents, STATE_RECENT);
    ck_assert_ptr_nonnull(strstr(s.recent[0], "t8.json"));
    ck_assert_ptr_nonnull(strstr(s.recent[1], "t11.json"));
    snprintf(path, sizeof(path), "%s/a/b/window.json", folder);
    ck_assert_int_eq(state_save(&s, path, &error), ERR_NONE);
    ck_assert_int_eq(state_load(&t, path, &error), ERR_NONE);
    ck_assert_int_eq(memcmp(&s, &t, offsetof(struct state, recent)), 0);
    for (size_t i = 0; i < s.recents; i++)
        ck_assert_str_eq(s.recent[i], t.recent[i]);
    static const char *const broken[] = {"", "[1]", "{\"scale\": 9e99, \"lang\": \"xx\"}",
                                         "{\"rec"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        FILE *f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        fputs(broken[i], f);
        fclose(f);
        ck_assert_int_eq(state_load(&t, path, &error), i == 2 ? ERR_NONE : ERR_SYNTAX);
        ck_assert_int_eq(t.scale, 1000);
        ck_assert_int_eq(t.lang, LANG_EN);
    }
    char command[300];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- anything, in any order ---- */

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static struct input any_input(uint64_t *x, int w, int h)
{
    static const int odd[] = {KEY_RETURN, KEY_ESCAPE, KEY_TAB, KEY_BACKSPACE, -1, 0x7fffffff};
    struct input in = {.x = (int)(next(x) % (unsigned)(w + 40)) - 20,
                       .y = (int)(next(x) % (unsigned)(h + 40)) - 20};
    uint64_t dice = next(x) % 100;
    if (dice < 50) {
        const struct binding *b = &key_table[next(x) % key_count];
        in = (struct input){.kind = INPUT_KEY, .key = b->key, .mods = b->mods};
    } else if (dice < 58) {
        in = (struct input){.kind = INPUT_KEY, .key = ' ' + (int)(next(x) % 95), .mods = 0};
    } else if (dice < 60) {
        in = (struct input){
            .kind = INPUT_KEY, .key = odd[next(x) % ARRAY_LEN(odd)], .mods = (unsigned)next(x) % 8};
    } else if (dice < 62) {
        in = (struct input){.kind = INPUT_DROP,
                            .text = next(x) % 2 ? "traces/lesson-arena.json" : "/nowhere"};
    } else if (dice < 66) {
        in.kind = INPUT_WHEEL;
        in.y = next(x) % 2 ? 1 : -1;
        in.mods = next(x) % 2 ? MOD_CTRL : 0;
    } else {
        static const enum input_kind mouse[] = {INPUT_PRESS, INPUT_DOUBLE,  INPUT_MENU,  INPUT_PAN,
                                                INPUT_MOVE,  INPUT_RELEASE, INPUT_CHANGE};
        in.kind = mouse[next(x) % ARRAY_LEN(mouse)];
    }
    return in;
}

/* Screenshots go into the working folder: that is an empty one, in which the traces are seen. */
static void go_away(char *folder)
{
    char traces[4096], here[200];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_ptr_nonnull(realpath("traces", traces));
    snprintf(here, sizeof(here), "%s/traces", folder);
    ck_assert_int_eq(symlink(traces, here), 0);
    ck_assert_int_eq(chdir(folder), 0);
}

START_TEST(any_input_in_any_order)
{
    const char *given = getenv("WINDOW_INPUTS");
    unsigned inputs = given ? (unsigned)strtoul(given, NULL, 10) : 1200;
    uint64_t x = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(_i + 1);
    struct window w;
    char why[600], folder[] = "/tmp/memwalk-window-XXXXXX", command[100];
    go_away(folder);
    open_window(&w, _i % 2 ? "traces/lesson-anatomy-of-a-malloc.json" : NULL);
    for (unsigned i = 0; i < inputs; i++) {
        static const int size[][2] = {{1280, 720}, {640, 400}, {1920, 1080}};
        const int *at = size[next(&x) % 3];
        struct input in = any_input(&x, at[0], at[1]);
        window_input(&w, &in);
        if (w.view.playing)
            window_walk(&w, 1);
        w.quit = false; /* a person would come back */
        if (i % 4)
            continue;
        window_paint(&w, &text_plain, at[0], at[1]);
        bool good = scene_check(&w.scene, &text_plain, w.layout.pane, w.starting ? 0 : PANES, why,
                                sizeof(why));
        ck_assert_msg(good, "seed %d input %u: %s", _i, i, why);
    }
    for (int i = 0; i < 8; i++)
        press(&w, KEY_ESCAPE, 0);
    if (w.open) { /* whatever was done, it can be left, and goes on */
        press(&w, KEY_HOME, 0);
        ck_assert(!w.starting && !w.view.prompt.kind && !w.view.menu && !w.view.help);
        expect_op(&w, w.view.ops ? 1 : 0);
        ck_assert_uint_eq(w.view.now.step, 0);
        w.view.predicting = false;
        press(&w, '1', 0);
        press(&w, KEY_RIGHT, 0);
        ck_assert_uint_gt(w.view.now.step + w.view.now.op, 1);
    }
    window_close(&w);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_start_screen_opens_lessons_and_says_why_not,
                                  finding_goes_to_the_next_and_back,
                                  play_stops_at_breakpoints_whatever_the_step,
                                  the_palette_runs_any_command,
                                  pointers_are_followed_down_to_the_bytes,
                                  the_address_space_opens_down_to_one_bit,
                                  things_are_selected_by_key,
                                  predict_mode_asks_before_it_shows,
                                  marks_count_what_lies_between,
                                  two_runs_stay_together_and_differ_where_they_do,
                                  the_language_changes_at_any_moment,
                                  commands_are_found_in_the_language_of_the_window,
                                  another_trace_is_told_in_the_same_language,
                                  both_runs_speak_the_same_language,
                                  the_state_comes_back_as_it_was};
    Suite *suite = suite_create("window");
    TCase *all = tcase_create("window");
    tcase_set_timeout(all, 120);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        tcase_add_test(all, tests[i]);
    tcase_add_loop_test(all, any_input_in_any_order, 0, 8);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
