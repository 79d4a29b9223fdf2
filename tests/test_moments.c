/* test_moments.c: the sample moments of the window as lists (golden files), and at every size of
 * window and text, with and without the fonts of this machine: nothing overlaps, nothing is cut
 * without "…".
 *
 * 'make goldens' writes the golden files anew, and a PNG of each to look at before it is kept.
 */
#include "tests/moments.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const int size_table[][2] = {
    {1024, 768}, {1280, 720}, {1600, 900}, {1920, 1080}, {3840, 2160}};
static const int scale_table[] = {1000, 2000};

static bool writing(void)
{
    const char *mode = getenv("MEMWALK_GOLDEN");
    return mode && strcmp(mode, "write") == 0;
}

struct golden {
    const struct sample *sample;
    FILE *file;
    unsigned line;
    char like[40];  /* of the cells that look the same, one after another: kind, pane and size */
    unsigned cells; /* so many of them after the first */
    uint64_t hash;  /* of their lines */
};

static void put(struct golden *g, const char *line)
{
    char want[600];
    g->line++;
    if (writing()) {
        fprintf(g->file, "%s\n", line);
        return;
    }
    ck_assert_msg(fgets(want, sizeof(want), g->file) != NULL, "%s, line %u: %s is new",
                  g->sample->name, g->line, line);
    want[strcspn(want, "\n")] = '\0';
    ck_assert_msg(strcmp(want, line) == 0, "%s, line %u:\n  is     %s\n  golden %s",
                  g->sample->name, g->line, line, want);
}

static void end_cells(struct golden *g)
{
    char text[80];
    if (g->cells) {
        snprintf(text, sizeof(text), "  … and %u more of that kind: %016" PRIx64, g->cells,
                 g->hash);
        put(g, text);
    }
    g->cells = 0;
}

/* Cells stand in hundreds; of a run of boxes in one pane only the first is written out, of the
 * others their number and a hash of all that they are. */
static void golden_line(void *ctx, const char *line)
{
    struct golden *g = ctx;
    char like[40] = "";
    int x, y, w, h, pane;
    if (sscanf(line, "box %d %d %d %d %d", &pane, &x, &y, &w, &h) == 5)
        snprintf(like, sizeof(like), "%d", pane);
    if (like[0] && strcmp(like, g->like) == 0) {
        if (!g->cells++)
            g->hash = UINT64_C(0xcbf29ce484222325);
        for (; *line; line++)
            g->hash = (g->hash ^ (uint8_t)*line) * UINT64_C(0x100000001b3);
        return;
    }
    end_cells(g);
    snprintf(g->like, sizeof(g->like), "%s", like);
    put(g, line);
}

START_TEST(each_moment_equals_its_golden_file)
{
    const struct sample *s = &sample_table[_i];
    struct moment_stage m;
    char path[200];
    snprintf(path, sizeof(path), "tests/golden/moment-%s.txt", s->name);
    struct golden g = {.sample = s, .file = fopen(path, writing() ? "w" : "r")};
    ck_assert_msg(g.file != NULL, "%s cannot be opened: 'make goldens' writes it", path);
    moment_open(&m, s, false);
    window_paint(&m.window, &text_plain, 1280, 720);
    scene_print(&m.window.scene, golden_line, &g);
    end_cells(&g);
    ck_assert_msg(writing() || fgetc(g.file) == EOF, "%s: lines are missing", path);
    fclose(g.file);
    moment_close(&m);
}
END_TEST

static void check_sizes(struct window *w, const struct metrics *metrics, const char *name)
{
    char why[600];
    const char *lang = lang_name[w->view.lang];
    for (size_t i = 0; i < ARRAY_LEN(size_table); i++)
        for (size_t k = 0; k < ARRAY_LEN(scale_table); k++) {
            w->view.scale = scale_table[k];
            window_paint(w, metrics, size_table[i][0], size_table[i][1]);
            /* Of two runs the panes of the right one stand elsewhere. */
            bool good = scene_check(&w->scene, metrics, w->layout.pane, w->pair.open ? 0 : PANES,
                                    why, sizeof(why));
            ck_assert_msg(good, "%s (%s) at %dx%d, text %d/1000: %s", name, lang, size_table[i][0],
                          size_table[i][1], scale_table[k], why);
        }
}

START_TEST(nothing_overlaps_or_is_cut_unseen)
{
    struct moment_stage m;
    moment_open(&m, &sample_table[_i], true);
    check_sizes(&m.window, &text_plain, sample_table[_i].name);
    check_sizes(&m.window, sdl_metrics(m.window.sdl), sample_table[_i].name);
    /* Other words are longer. */
    for (int lang = 0; lang < LANGS; lang++) {
        window_act(&m.window, DO_LANGUAGE);
        m.window.view.prompt.lang = m.window.view.lang;
        if (m.window.view.lang != sample_table[_i].lang)
            check_sizes(&m.window, sdl_metrics(m.window.sdl), sample_table[_i].name);
    }
    ck_assert_int_eq(m.window.view.lang, sample_table[_i].lang);
    moment_close(&m);
}
END_TEST

/* Only for the eye: where the goldens are written, so are the pictures. */
START_TEST(pictures_for_the_eye)
{
    const char *folder = getenv("MEMWALK_PICTURES");
    struct moment_stage m;
    struct error error;
    char path[400];
    if (!folder)
        return;
    moment_open(&m, &sample_table[_i], true);
    window_draw(&m.window);
    snprintf(path, sizeof(path), "%s/%s.png", folder, sample_table[_i].name);
    ck_assert_int_eq(sdl_save(m.window.sdl, path, &error), ERR_NONE);
    moment_close(&m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("moments");
    TCase *all = tcase_create("moments");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, each_moment_equals_its_golden_file, 0, (int)sample_count);
    tcase_add_loop_test(all, nothing_overlaps_or_is_cut_unseen, 0, (int)sample_count);
    tcase_add_loop_test(all, pictures_for_the_eye, 0, (int)sample_count);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
