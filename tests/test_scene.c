/* test_scene.c: pictures as lists: nothing overlaps, nothing leaves its pane, nothing is cut
 * unseen, at every size; the same moment gives the same list; every key is bound once.
 *
 * The golden files hold scenes of a small story told by hand, so they change only with the panes.
 * MEMWALK_GOLDEN=write writes them anew; look at the difference before keeping it.
 */
#include "sim/base/arena.h"
#include "tests/test.h"
#include "viz/keys.h"
#include "viz/paint.h"
#include "viz/travel.h"

#include <inttypes.h>
#include <string.h>

static const char story[] = "{\"memwalk\":1,\"name\":\"story\"}\n"
                            "{\"op\":\"malloc\",\"id\":1,\"size\":24}\n"
                            "{\"op\":\"write\",\"id\":1,\"off\":0,\"len\":8}\n"
                            "{\"op\":\"malloc\",\"id\":2,\"size\":600}\n"
                            "{\"op\":\"malloc\",\"id\":3,\"size\":40}\n"
                            "{\"op\":\"free\",\"id\":2}\n"
                            "{\"op\":\"malloc\",\"id\":1234567,\"size\":18446744073709551615}\n"
                            "{\"op\":\"malloc\",\"id\":5,\"size\":123456789}\n"
                            "{\"op\":\"write\",\"id\":5,\"off\":0,\"len\":8000}\n"
                            "{\"op\":\"write\",\"addr\":\"0xffff800000000000\",\"len\":8}\n"
                            "{\"op\":\"free\",\"id\":5}\n";

static const int size_table[][2] = {
    {1024, 768}, {1280, 720}, {1600, 900}, {1920, 1080}, {3840, 2160}, {640, 480},
};
static const int scale_table[] = {1000, 1400, 2000};

struct stage {
    struct trace *trace;
    struct config config;
    struct view view;
    struct travel travel;
    struct scene scene;
    struct layout layout;
};

static void stage_open(struct stage *s, const char *setting)
{
    struct error error;
    memset(s, 0, sizeof(*s));
    config_default(&s->config);
    ck_assert_int_eq(config_option(&s->config, "ram=32M", &error), ERR_NONE);
    if (setting)
        ck_assert_int_eq(config_option(&s->config, setting, &error), ERR_NONE);
    ck_assert_int_eq(trace_load_memory(&s->trace, story, strlen(story), "story", &error), 0);
    s->view = (struct view){.trace = s->trace,
                            .config = &s->config,
                            .name = "story",
                            .phase = PHASE_DONE,
                            .speed = 200,
                            .motion = true,
                            .scale = 1000};
    ck_assert_int_eq(travel_open(&s->travel, &s->view, &error), ERR_NONE);
    while (survey_run(s->travel.survey, 100))
        continue;
    travel_to(&s->travel, (struct moment){1, 0});
}

static void stage_close(struct stage *s)
{
    scene_free(&s->scene);
    travel_close(&s->travel);
    trace_free(s->trace);
}

static void paint(struct stage *s, int w, int h)
{
    paint_scene(&s->scene, travel_model(&s->travel), &s->view, &text_plain, w, h, &s->layout);
}

static void check_all_sizes(struct stage *s)
{
    char why[600];
    for (size_t i = 0; i < ARRAY_LEN(size_table); i++) {
        for (size_t k = 0; k < ARRAY_LEN(scale_table); k++) {
            s->view.scale = scale_table[k];
            paint(s, size_table[i][0], size_table[i][1]);
            bool good =
                scene_check(&s->scene, &text_plain, s->layout.pane, PANES, why, sizeof(why));
            ck_assert_msg(good, "%dx%d at %d/1000, op %" PRIu64 " step %" PRIu64 ": %s",
                          size_table[i][0], size_table[i][1], scale_table[k], s->view.now.op,
                          s->view.now.step, why);
        }
    }
    s->view.scale = 1000;
}

/* Every op's end, and every seventh moment inside. */
START_TEST(scene_nothing_overlaps_at_any_size)
{
    static const char *const setting[] = {NULL, "tlb.l2.sets=0", "tlb.l1d.ways=64", "cpus=2"};
    for (size_t c = 0; c < ARRAY_LEN(setting); c++) {
        struct stage s;
        stage_open(&s, setting[c]);
        check_all_sizes(&s);
        for (uint64_t op = 1; op <= s.view.ops; op++) {
            travel_to(&s.travel, (struct moment){op, UINT64_MAX});
            check_all_sizes(&s);
            for (uint64_t step = 3; step < s.view.steps && c == 0; step += 7 + s.view.steps / 8) {
                travel_to(&s.travel, (struct moment){op, step});
                check_all_sizes(&s);
            }
        }
        stage_close(&s);
    }
}
END_TEST

START_TEST(panes_are_enlarged_and_hidden)
{
    struct stage s;
    stage_open(&s, NULL);
    travel_to(&s.travel, (struct moment){2, 12});
    for (unsigned pane = 0; pane < PANES; pane++) {
        s.view.pointed = pane;
        s.view.enlarged = false;
        paint(&s, 1600, 900);
        struct rect before = s.layout.pane[pane];
        s.view.enlarged = true;
        paint(&s, 1600, 900);
        struct rect after = s.layout.pane[pane];
        ck_assert_msg(after.w * after.h > before.w * before.h, "%s does not grow", pane_name[pane]);
        ck_assert_int_gt(s.layout.pane[PANE_NARRATION].w, 0);
        check_all_sizes(&s);
        s.view.enlarged = false;
        s.view.hidden = 1u << pane;
        paint(&s, 1600, 900);
        ck_assert_int_eq(s.layout.pane[pane].w, 0);
        check_all_sizes(&s);
        s.view.hidden = 0;
    }
    stage_close(&s);
}
END_TEST

START_TEST(scene_overlays_stay_inside)
{
    struct stage s;
    stage_open(&s, NULL);
    travel_to(&s.travel, (struct moment){2, 12});
    for (int mode = 0; mode < 5; mode++) {
        s.view.help = mode == 0;
        s.view.prompt.kind = mode == 1 ? PROMPT_OP : PROMPT_NONE;
        strcpy(s.view.prompt.text, "1234567");
        s.view.hover = mode == 2 ? (struct thing){THING_FRAME, 530, 0} : (struct thing){0};
        s.view.menu = mode == 4; /* where the mouse left the window */
        s.view.hover_x = mode == 4 ? -14 : 1000;
        s.view.hover_y = mode == 4 ? -3 : 700;
        s.view.phase = mode == 3 ? 400 : PHASE_DONE;
        check_all_sizes(&s);
    }
    stage_close(&s);
}
END_TEST

/* The check itself is not blind. */
START_TEST(scene_check_sees_faults)
{
    struct scene s = {0};
    char why[600];
    struct rect pane = {0, 0, 100, 100};
    struct item text = {.kind = ITEM_TEXT, .fill = C_TEXT, .px = 10, .at = {10, 10, 40, 12}};
    scene_clear(&s, 200, 200);
    scene_add_text(&s, &text, "abc");
    ck_assert(scene_check(&s, &text_plain, &pane, 1, why, sizeof(why)));
    text.at.x = 30;
    scene_add_text(&s, &text, "abc");
    ck_assert(!scene_check(&s, &text_plain, &pane, 1, why, sizeof(why)));
    scene_clear(&s, 200, 200);
    scene_add_text(&s, &text, "far too long for its place");
    ck_assert(!scene_check(&s, &text_plain, &pane, 1, why, sizeof(why)));
    scene_clear(&s, 200, 200);
    text.at.x = 80;
    scene_add_text(&s, &text, "abc");
    ck_assert(!scene_check(&s, &text_plain, &pane, 1, why, sizeof(why)));
    scene_free(&s);
}
END_TEST

struct hash {
    uint64_t sum;
};

static void hash_line(void *ctx, const char *line)
{
    struct hash *h = ctx;
    for (; *line; line++)
        h->sum = (h->sum ^ (uint8_t)*line) * UINT64_C(0x100000001b3);
}

static uint64_t scene_hash(struct stage *s)
{
    struct hash h = {UINT64_C(0xcbf29ce484222325)};
    paint(s, 1600, 900);
    scene_print(&s->scene, hash_line, &h);
    return h.sum;
}

START_TEST(scene_is_the_same_however_reached)
{
    struct stage s;
    uint64_t forward[256];
    size_t n = 0;
    stage_open(&s, NULL);
    do
        forward[n++] = scene_hash(&s);
    while (n < 200 && travel_step(&s.travel, 1));
    ck_assert_uint_gt(n, 100);
    while (n-- > 1) {
        ck_assert_msg(scene_hash(&s) == forward[n], "op %" PRIu64 " step %" PRIu64, s.view.now.op,
                      s.view.now.step);
        travel_step(&s.travel, -1);
    }
    stage_close(&s);
}
END_TEST

START_TEST(travel_finds_and_stops_at_the_ends)
{
    struct stage s;
    stage_open(&s, NULL);
    ck_assert(!travel_step(&s.travel, -1));
    ck_assert(travel_find(&s.travel, 1, SURVEY_CALL));
    ck_assert_uint_eq(s.view.now.op, 1);
    ck_assert_uint_eq(model_event(travel_model(&s.travel), 0)->kind, EV_sys_enter);
    ck_assert(travel_find(&s.travel, 1, SURVEY_FAULT));
    struct moment fault = s.view.now;
    ck_assert_uint_eq(model_event(travel_model(&s.travel), 0)->kind, EV_fault);
    ck_assert(travel_find(&s.travel, 1, SURVEY_FAULT));
    ck_assert(travel_find(&s.travel, -1, SURVEY_FAULT));
    ck_assert_uint_eq(s.view.now.op, fault.op);
    ck_assert_uint_eq(s.view.now.step, fault.step);
    travel_to(&s.travel, (struct moment){UINT64_MAX, 0});
    ck_assert_uint_eq(s.view.now.op, s.view.ops);
    ck_assert(!travel_step(&s.travel, 1));
    ck_assert(!travel_find(&s.travel, 1, SURVEY_FAULT));
    ck_assert_str_ne(s.view.notice, "");
    travel_to_part(&s.travel, 0);
    ck_assert_uint_eq(s.view.now.op, 1);
    stage_close(&s);
}
END_TEST

START_TEST(selection_goes_through_all_layers)
{
    struct stage s;
    struct links l;
    stage_open(&s, NULL);
    travel_to(&s.travel, (struct moment){2, UINT64_MAX});
    const struct model *m = travel_model(&s.travel);
    const struct model_cpu *cpu = &m->cpu[0];
    thing_links(&l, m, cpu, (struct thing){THING_VA, cpu->access.va, 0});
    ck_assert(l.framed);
    ck_assert_uint_eq(l.pfn, cpu->access.pa >> PAGE_SHIFT);
    struct thing frame = {THING_FRAME, l.pfn, 0};
    struct thing line = {THING_LINE, cpu->access.set[0] * cpu->tlb[0].ways + cpu->access.way[0], 1};
    ck_assert(thing_linked(&l, m, cpu, frame));
    ck_assert(thing_linked(&l, m, cpu, line));
    ck_assert(thing_linked(&l, m, cpu, (struct thing){THING_ENTRY, l.entry[1], 1}));
    struct links up;
    thing_links(&up, m, cpu, frame); /* and from the frame back */
    ck_assert(thing_linked(&up, m, cpu, line));
    ck_assert_uint_eq(up.start, cpu->access.va & ~PAGE_MASK);
    ck_assert(!thing_linked(&up, m, cpu, (struct thing){THING_FRAME, l.pfn + 1, 0}));
    stage_close(&s);
}
END_TEST

/* Every moment that a trail gives, forwards from the start, is one of the thing's; backwards from
 * the end come the same ones. */
static size_t follow(struct stage *s, struct thing thing, unsigned kinds)
{
    struct moment seen[512];
    size_t n = 0;
    s->view.selection = thing;
    travel_to(&s->travel, (struct moment){1, 0});
    while (n < ARRAY_LEN(seen) && travel_trail(&s->travel, 1, kinds)) {
        const struct event *e = model_event(travel_model(&s->travel), 0);
        ck_assert(trail_concerns(&s->travel.trail->subject, e) & kinds);
        seen[n++] = s->view.now;
    }
    ck_assert_uint_lt(n, ARRAY_LEN(seen));
    ck_assert_str_ne(s->view.notice, "");
    travel_to(&s->travel, (struct moment){UINT64_MAX, UINT64_MAX});
    for (size_t i = n; i-- > 0;) {
        if (i + 1 == n && seen[i].op == s->view.now.op && seen[i].step == s->view.now.step)
            continue;
        ck_assert(travel_trail(&s->travel, -1, kinds));
        ck_assert_uint_eq(s->view.now.op, seen[i].op);
        ck_assert_uint_eq(s->view.now.step, seen[i].step);
    }
    ck_assert(!travel_trail(&s->travel, -1, kinds));
    return n;
}

START_TEST(trails_tell_who_made_wrote_and_read_a_thing)
{
    struct stage s;
    stage_open(&s, NULL);
    ck_assert(!travel_trail(&s.travel, 1, TRAIL_ANY)); /* nothing is selected */
    travel_to(&s.travel, (struct moment){2, UINT64_MAX});
    const struct model *m = travel_model(&s.travel);
    const struct model_cpu *cpu = &m->cpu[m->cpu_now];
    struct thing frame = {THING_FRAME, cpu->access.pfn, 0};
    struct thing block = {THING_BLOCK, cpu->access.va, 0};
    struct thing line = {THING_LINE, cpu->access.set[0] * cpu->tlb[0].ways + cpu->access.way[0], 1};
    struct thing entry = {THING_ENTRY, cpu->access.level[1].pa, 1};
    ck_assert_uint_eq(follow(&s, frame, TRAIL_MADE), 1);
    ck_assert_uint_eq(model_event(travel_model(&s.travel), 0)->kind, EV_frame_alloc);
    ck_assert_uint_eq(s.view.now.op, 1);
    ck_assert_uint_ge(follow(&s, frame, TRAIL_WRITTEN), 2); /* zeroed, the header, the program */
    travel_to(&s.travel, (struct moment){2, UINT64_MAX});
    ck_assert_uint_eq(follow(&s, block, TRAIL_MADE), 1);
    ck_assert_uint_eq(model_event(travel_model(&s.travel), 0)->kind, EV_block_new);
    travel_to(&s.travel, (struct moment){2, UINT64_MAX});
    ck_assert_uint_ge(follow(&s, block, TRAIL_WRITTEN), 1);
    ck_assert_uint_ge(follow(&s, line, TRAIL_MADE), 1);
    ck_assert_uint_ge(follow(&s, line, TRAIL_READ), 1);
    if (entry.a) {
        ck_assert_uint_ge(follow(&s, entry, TRAIL_READ), 1);
        ck_assert_uint_ge(follow(&s, entry, TRAIL_WRITTEN), 1);
    }
    ck_assert_uint_eq(follow(&s, (struct thing){THING_FRAME, 7000, 0}, TRAIL_ANY), 0);
    stage_close(&s);
}
END_TEST

START_TEST(each_key_is_bound_once_and_each_action_has_one)
{
    bool bound[ACTIONS] = {false};
    for (size_t i = 0; i < key_count; i++) {
        const struct binding *a = &key_table[i];
        bound[a->action] = true;
        ck_assert_int_eq(key_action(a->key, a->mods), a->action);
        for (size_t k = i + 1; k < key_count; k++)
            ck_assert_msg(a->key != key_table[k].key || a->mods != key_table[k].mods, "%s is twice",
                          a->label);
    }
    for (int i = 1; i < ACTIONS; i++) {
        ck_assert_msg(bound[i], "%s has no key", action_info[i].name);
        ck_assert_ptr_nonnull(action_info[i].doc);
    }
    ck_assert_int_eq(key_action('x', MOD_CTRL), DO_NOTHING);
}
END_TEST

START_TEST(texts_are_cut_with_dots_and_numbers_are_grouped)
{
    char text[64];
    int wide = text_width(&text_plain, FACE_MONO, 10, "0123456789");
    ck_assert_int_le(
        text_fit(&text_plain, FACE_MONO, 10, "0123456789", wide - 1, text, sizeof(text)), wide - 1);
    ck_assert_str_eq(text, "01234567…");
    ck_assert_int_eq(text_fit(&text_plain, FACE_MONO, 10, "0123456789", wide, text, sizeof(text)),
                     wide);
    ck_assert_str_eq(text, "0123456789");
    const char *rest = "one two three";
    text_wrap(&text_plain, FACE_MONO, 10, &rest, 8 * wide / 10, false, text, sizeof(text));
    ck_assert_str_eq(text, "one two");
    ck_assert_str_eq(rest, "three");
    ck_assert_str_eq(number_hex(UINT64_C(0x7ffff7a00010), 16).text, "0x0000_7fff_f7a0_0010");
    ck_assert_str_eq(number_hex(0, 1).text, "0x0");
    ck_assert_str_eq(number_bytes(135168).text, "132 KiB");
    ck_assert_str_eq(number_bytes(1536).text, "1.5 KiB");
    ck_assert_str_eq(number_count(1234567).text, "1 234 567");
    ck_assert_str_eq(number_bits(445, 9).text, "1 1011 1101");
    ck_assert_str_eq(number_percent(1, 3).text, "33.3 %");
}
END_TEST

/* ---- golden scenes of a story told by hand ---- */

struct telling {
    struct model *model;
    struct env env;
    struct bus bus;
};

static void tell_access(struct env *env, bool mapped)
{
    va_t va = UINT64_C(0x7ffff7a00010);
    EMIT(env, access, .va = va, .length = 8, .how = ACCESS_WRITE, .user = true);
    EMIT(env, tlb_miss, .level = 1, .set = 0, .vpn = va >> 12, .class = MISS_COLD);
    EMIT(env, tlb_miss, .level = 2, .set = 0, .vpn = va >> 12, .class = MISS_COLD);
    EMIT(env, walk_begin, .va = va, .root = 0x102000);
    for (unsigned level = 4; level >= 1; level--) {
        pa_t table = 0x102000 + (4 - level) * 0x1000;
        pte_t entry = level == 1 ? (mapped ? 0xb7067 : 0) : ((table + 0x1000) | 0x27);
        EMIT(env, walk_read, .level = level, .pa = table + 8 * va_index(va, level),
             .index = va_index(va, level), .entry = entry, .cost = 14);
    }
}

static void tell(struct env *env)
{
    va_t va = UINT64_C(0x7ffff7a00010);
    EMIT(env, process_new, .id = 1);
    EMIT(env, cr3_load, .root = 0x102000, .flush = true);
    for (unsigned level = 4; level >= 1; level--) {
        pfn_t pfn = 0x102 + (4 - level);
        EMIT(env, frame_alloc, .pfn = pfn, .use = FRAME_TABLE, .va = 0, .free = 3000 + level);
        EMIT(env, table_new, .pfn = pfn, .level = level,
             .va = level == 4 ? 0 : align_down(va, level_span(level + 1)));
    }
    for (unsigned level = 4; level >= 2; level--) {
        pa_t table = 0x102000 + (4 - level) * 0x1000;
        EMIT(env, entry_write, .pa = table + 8 * va_index(va, level), .level = level, .va = va,
             .after = (table + 0x1000) | 0x27);
    }
    EMIT(env, area_new, .start = 0x7ffff7a00000, .end = 0x7ffff7a21000, .prot = 3, .flags = 0x22,
         .name = "");
    EMIT(env, brk_move, .start = 0x55555555a000, .before = 0x55555555a000, .after = 0x55555557b000);
    EMIT(env, area_new, .start = 0x55555555a000, .end = 0x55555557b000, .prot = 3, .flags = 0x22,
         .name = "[heap]");
    tell_access(env, false);
    EMIT(env, fault, .va = va, .vector = 14, .error = 6, .level = 1);
}

static void tell_rest(struct env *env)
{
    va_t va = UINT64_C(0x7ffff7a00010);
    EMIT(env, fault_begin, .va = va, .error = 6);
    EMIT(env, fault_area, .va = va, .start = 0x7ffff7a00000, .end = 0x7ffff7a21000, .prot = 3);
    EMIT(env, frame_alloc, .pfn = 0xb7, .use = FRAME_ANON, .va = va & ~PAGE_MASK, .free = 3000);
    EMIT(env, frame_zero, .pfn = 0xb7);
    EMIT(env, entry_write, .pa = 0x105000 + 8 * va_index(va, 1), .level = 1, .va = va & ~PAGE_MASK,
         .after = 0xb7067);
    EMIT(env, fault_end, .va = va, .outcome = FAULT_MINOR);
    tell_access(env, true);
    EMIT(env, walk_end, .va = va, .pfn = 0xb7, .size = 4096, .flags = 3, .reads = 4);
    EMIT(env, tlb_fill, .level = 1, .set = 0, .way = 0, .vpn = va >> 12, .pfn = 0xb7, .flags = 3);
    EMIT(env, data, .va = va, .pa = 0xb7010, .length = 8, .how = ACCESS_WRITE);
}

struct golden {
    FILE *file;
    bool write;
    unsigned line;
};

static void golden_line(void *ctx, const char *line)
{
    struct golden *g = ctx;
    char want[600];
    g->line++;
    if (g->write) {
        fprintf(g->file, "%s\n", line);
        return;
    }
    ck_assert_msg(fgets(want, sizeof(want), g->file) != NULL, "line %u: %s is new", g->line, line);
    want[strcspn(want, "\n")] = '\0';
    ck_assert_msg(strcmp(want, line) == 0, "line %u:\n  is     %s\n  golden %s", g->line, line,
                  want);
}

static void compare_golden(const struct model *m, const struct view *view, const char *path)
{
    const char *mode = getenv("MEMWALK_GOLDEN");
    struct golden g = {.write = mode && strcmp(mode, "write") == 0};
    struct scene scene = {0};
    struct layout layout;
    char why[600];
    g.file = fopen(path, g.write ? "w" : "r");
    ck_assert_msg(g.file != NULL, "%s cannot be opened", path);
    paint_scene(&scene, m, view, &text_plain, 1600, 900, &layout);
    ck_assert_msg(scene_check(&scene, &text_plain, layout.pane, PANES, why, sizeof(why)), "%s",
                  why);
    scene_print(&scene, golden_line, &g);
    ck_assert_msg(g.write || fgetc(g.file) == EOF, "%s: lines are missing", path);
    fclose(g.file);
    scene_free(&scene);
}

START_TEST(scenes_equal_their_golden_files)
{
    struct config config;
    struct error error;
    config_default(&config);
    ck_assert_int_eq(config_option(&config, "ram=16M", &error), ERR_NONE);
    ck_assert_int_eq(config_option(&config, "kernel.reserved=512K", &error), ERR_NONE);
    struct sim_observer observer = model_observer();
    struct arena *arena = arena_new(64 * MIB);
    struct model *m = arena_alloc(arena, observer.state_size);
    observer.init(m, arena, &config);
    struct bus bus = {.on = true, .count = 1, .listener = {{observer.hear, m}}};
    struct env env = {.bus = &bus, .arena = arena, .pid = 1, .op = 1};
    struct view view = {.config = &config,
                        .name = "told",
                        .now = {1, 1},
                        .ops = 1,
                        .steps = 1,
                        .speed = 200,
                        .phase = PHASE_DONE,
                        .scale = 1000,
                        .headline = "A sentence stands here."};
    tell(&env);
    compare_golden(m, &view, "tests/golden/scene-fault.txt");
    view.selection = (struct thing){THING_AREA, 0x7ffff7a00000, 0x7ffff7a21000};
    tell_rest(&env);
    compare_golden(m, &view, "tests/golden/scene-retry.txt");
    view.motion = true;
    view.phase = 500;
    view.scale = 2000;
    view.theme = THEME_LIGHT;
    compare_golden(m, &view, "tests/golden/scene-large.txt");
    arena_destroy(arena);
}
END_TEST

TEST_MAIN("scene", scene_nothing_overlaps_at_any_size, panes_are_enlarged_and_hidden,
          scene_overlays_stay_inside, trails_tell_who_made_wrote_and_read_a_thing,
          scene_check_sees_faults, scene_is_the_same_however_reached,
          travel_finds_and_stops_at_the_ends, selection_goes_through_all_layers,
          each_key_is_bound_once_and_each_action_has_one,
          texts_are_cut_with_dots_and_numbers_are_grouped, scenes_equal_their_golden_files)
