/* bench_window.c: how long a picture of the window takes: making its scene and drawing it by the
 * software renderer, at 1600 × 900, in motion, over the steps of three ops of a run; how long it
 * takes from the start to the first picture; and from one moment of a long run to another. All of
 * it is processor time. Usage: bench_window [TRACE]; the default is a shipped recording.
 */
#include "tests/bench/bench.h"
#include "tests/bench/longer.h"
#include "viz/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES 300u
#define STARTS   5u
#define SEEKS    100u
#define LONG_RUN 1000000u

static void print_percentiles(const char *what, double *ms, const char *goal)
{
    sort_samples(ms, PICTURES);
    printf("%-44s %8.2f %8.2f %8.2f  ms%s\n", what, ms[0], ms[PICTURES / 2],
           ms[PICTURES * 99 / 100], goal);
}

static void open_picture(struct window *w, const struct viz_options *o)
{
    struct error error = {0};
    if (window_open(w, o, &error) || sdl_open_picture(&w->sdl, o->width, o->height, &error))
        bench_die(&error);
}

static void bench_start(const struct viz_options *o)
{
    double ms[STARTS];
    for (unsigned i = 0; i < STARTS; i++) {
        struct window w = {0};
        double start = 1e3 * processor_seconds();
        open_picture(&w, o);
        travel_to(&w.travel, o->at);
        window_draw(&w);
        ms[i] = 1e3 * processor_seconds() - start;
        window_close(&w);
    }
    sort_samples(ms, STARTS);
    printf("%-44s %8.2f %8.2f %8.2f  ms (goal: 300); min median max of %u\n",
           "trace in memory to first picture", ms[0], ms[STARTS / 2], ms[STARTS - 1], STARTS);
}

/* Picture after picture of the steps of an op, round again, each at another part of its motion. */
static void bench_pictures(const struct viz_options *o, uint64_t op, const char *what)
{
    static double scene[PICTURES], draw[PICTURES], all[PICTURES];
    struct window w = {0};
    char text[80];
    open_picture(&w, o);
    while (survey_run(w.travel.survey, 1000))
        continue;
    for (unsigned i = 0; i < PICTURES; i++) {
        uint64_t step = w.view.steps ? i % w.view.steps : 0;
        travel_to(&w.travel, (struct moment){op, step});
        w.view.phase = (int)(i % 4) * PHASE_DONE / 4;
        double start = 1e3 * processor_seconds();
        paint_scene(&w.scene, travel_model(&w.travel), &w.view, sdl_metrics(w.sdl), o->width,
                    o->height, &w.layout);
        double made = 1e3 * processor_seconds();
        sdl_draw(w.sdl, &w.scene, w.view.theme);
        double drawn = 1e3 * processor_seconds();
        scene[i] = made - start;
        draw[i] = drawn - made;
        all[i] = drawn - start;
    }
    snprintf(text, sizeof(text), "%s, %zu items: scene", what, w.scene.items);
    print_percentiles(text, scene, "");
    print_percentiles("  drawing", draw, "");
    print_percentiles("  both", all, " (goal for the 99th: 16)");
    window_close(&w);
}

/* With the window's model, and the kinds of the op's events learnt, as a click on the timeline does
 * it; once the run was gone through to its end. */
static void bench_seeks(const struct viz_options *o)
{
    static double ms[SEEKS];
    struct trace longer = longer_trace(o->run.trace, LONG_RUN);
    struct viz_options far = *o;
    struct window w = {0};
    struct rng rng = {42};
    far.run.trace = &longer;
    open_picture(&w, &far);
    double start = processor_seconds();
    travel_to(&w.travel, (struct moment){LONG_RUN, 0});
    printf("%-44s %8.2f %19s\n", "1 M ops with history and model, to the end",
           processor_seconds() - start, "s");
    for (unsigned i = 0; i < SEEKS; i++) {
        start = 1e3 * processor_seconds();
        travel_to(&w.travel, (struct moment){1 + rng_below(&rng, LONG_RUN), 3});
        ms[i] = 1e3 * processor_seconds() - start;
    }
    sort_samples(ms, SEEKS);
    printf("%-44s %8.2f %8.2f %8.2f  ms (goal for any: 50); min 50th max of %u\n",
           "to a random moment of 1 M ops", ms[0], ms[SEEKS / 2], ms[SEEKS - 1], SEEKS);
    window_close(&w);
    free(longer.op);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "traces/sqlite3.jsonl.zst";
    struct error error = {0};
    struct trace *t;
    struct config c;
    if (trace_load(&t, path, &error))
        bench_die(&error);
    config_default(&c);
    struct viz_options o = {.run = {.trace = t, .config = &c, .name = "bench", .command = "bench"},
                            .at = {1, 0},
                            .width = VIZ_WIDTH,
                            .height = VIZ_HEIGHT,
                            .scale = 1000,
                            .theme = "dark"};
    printf("%s, %dx%d, software renderer\n%-44s %8s %8s %8s\n", path, o.width, o.height, "", "min",
           "50th", "99th");
    bench_start(&o);
    bench_pictures(&o, 1, "first op");
    bench_pictures(&o, t->count / 2, "middle of the run");
    bench_pictures(&o, t->count, "end of the run");
    bench_seeks(&o);
    trace_free(t);
    return 0;
}
