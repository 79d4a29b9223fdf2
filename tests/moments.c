/* moments.c: the table of samples, and going to one of them. */
#include "tests/moments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANATOMY "lesson-anatomy-of-a-malloc.json"
#define DO(...) ((const enum action[]){__VA_ARGS__, DO_NOTHING})

const struct sample sample_table[] = {
    {.name = "start", .trace = NULL},
    {.name = "start-light", .trace = NULL, .theme = THEME_LIGHT},
    {.name = "ready", .trace = ANATOMY, .query = NULL},
    {.name = "request", .trace = ANATOMY, .query = "alloc_request op>=6"},
    {.name = "chunk-size", .trace = ANATOMY, .query = "alloc_size op>=6"},
    {.name = "probe", .trace = ANATOMY, .query = "alloc_probe op>=6"},
    {.name = "fit", .trace = ANATOMY, .query = "alloc_fit op>=6"},
    {.name = "split-chunk", .trace = ANATOMY, .query = "alloc_split op>=6"},
    {.name = "grow", .trace = ANATOMY, .query = "alloc_grow"},
    {.name = "brk-call", .trace = ANATOMY, .query = "sys_enter"},
    {.name = "brk", .trace = ANATOMY, .query = "brk_move after>0"},
    {.name = "access", .trace = ANATOMY, .query = "access"},
    {.name = "miss-first", .trace = ANATOMY, .query = "tlb_miss level=1"},
    {.name = "miss-second", .trace = ANATOMY, .query = "tlb_miss level=2"},
    {.name = "read-top", .trace = ANATOMY, .query = "walk_read level=4"},
    {.name = "read-last", .trace = ANATOMY, .query = "walk_read level=1"},
    {.name = "structure-cache-hit", .trace = ANATOMY, .query = "psc_hit"},
    {.name = "fault", .trace = ANATOMY, .query = "fault"},
    {.name = "fault-area", .trace = ANATOMY, .query = "fault_area"},
    {.name = "frame", .trace = ANATOMY, .query = "frame_alloc op>=2"},
    {.name = "entry", .trace = ANATOMY, .query = "entry_write level=1 op>=2"},
    {.name = "resolved", .trace = ANATOMY, .query = "fault_end"},
    {.name = "retry", .trace = ANATOMY, .query = "walk_end"},
    {.name = "fill", .trace = ANATOMY, .query = "tlb_fill level=1"},
    {.name = "hit", .trace = ANATOMY, .query = "tlb_hit level=1"},
    {.name = "data", .trace = ANATOMY, .query = "data"},
    {.name = "returned", .trace = ANATOMY, .query = "alloc_return op>=6"},
    {.name = "mmap", .trace = ANATOMY, .query = "area_new op>=8"},
    {.name = "free", .trace = ANATOMY, .query = "alloc_free"},
    {.name = "coalesce", .trace = "lesson-coalescing.json", .query = "alloc_coalesce"},
    {.name = "copy-on-write", .trace = "lesson-fork-and-copy-on-write.json", .query = "page_copy"},
    {.name = "shootdown", .trace = "lesson-shootdown.json", .query = "ipi_send"},
    {.name = "stale", .trace = "lesson-stale-tlb.json", .query = "mark op>=3"},
    {.name = "page-out", .trace = "lesson-replacement-1-lru.json", .query = "page_out"},
    {.name = "swap-in", .trace = "lesson-belady-4.json", .query = "swap_in"},
    {.name = "huge", .trace = "lesson-huge-page-economics-2m.json", .query = "huge_alloc"},
    {.name = "protection-key", .trace = "lesson-protection-keys.json", .query = "fault"},
    {.name = "signal", .trace = "lesson-read-only.json", .query = "signal_sent"},
    {.name = "page-cache", .trace = "lesson-read-ahead.json", .query = "file_read"},
    {.name = "write-back", .trace = "lesson-write-back.json", .query = "file_dirty"},
    {.name = "misuse", .trace = "lesson-misuse.json", .query = "op_error"},
    {.name = "context-switch", .trace = "lesson-context-switch.json", .query = "cr3_load op>=2"},
    {.name = "light", .trace = ANATOMY, .query = "fault", .theme = THEME_LIGHT},
    {.name = "contrast", .trace = ANATOMY, .query = "fault", .theme = THEME_CONTRAST},
    {.name = "large", .trace = ANATOMY, .query = "fault", .scale = 1400},
    {.name = "twice", .trace = ANATOMY, .query = "fault", .scale = 2000},
    {.name = "walk-alone", .trace = ANATOMY, .query = "walk_read level=1", .pane = "walk"},
    {.name = "heap-alone",
     .trace = "lesson-best-fit.json",
     .query = "alloc_fit op>=16",
     .pane = "heap"},
    {.name = "space", .trace = ANATOMY, .query = "fault", .pane = "space"},
    {.name = "space-page",
     .trace = ANATOMY,
     .query = "data op>=4",
     .pane = "space",
     .action = DO(DO_ZOOM_IN, DO_ZOOM_IN, DO_ZOOM_IN, DO_ZOOM_IN)},
    {.name = "space-word",
     .trace = ANATOMY,
     .query = "data op>=4",
     .pane = "space",
     .action = DO(DO_ZOOM_IN, DO_ZOOM_IN, DO_ZOOM_IN, DO_ZOOM_IN, DO_ZOOM_IN)},
    {.name = "tables", .trace = ANATOMY, .query = "data op>=4", .pane = "tables"},
    {.name = "bytes", .trace = ANATOMY, .query = "data op>=4", .pane = "bytes"},
    {.name = "side-by-side",
     .trace = "lesson-best-fit.json",
     .query = "alloc_fit op>=16",
     .against = "alloc=first-fit"},
    {.name = "help", .trace = ANATOMY, .query = "fault", .action = DO(DO_HELP)},
    {.name = "find",
     .trace = ANATOMY,
     .query = "fault",
     .action = DO(DO_FIND),
     .typed = "tlb_miss level=2"},
    {.name = "command",
     .trace = ANATOMY,
     .query = "fault",
     .action = DO(DO_COMMAND),
     .typed = "next"},
    {.name = "predict", .trace = ANATOMY, .query = "access", .action = DO(DO_PREDICT, DO_FORWARD)},
    {.name = "menu",
     .trace = ANATOMY,
     .query = "data",
     .action = DO(DO_NEXT_PANE, DO_NEXT_PANE, DO_NEXT_PANE, DO_NEXT_PANE, DO_NEXT_PANE,
                  DO_NEXT_THING, DO_MENU)},
    {.name = "german", .trace = ANATOMY, .query = "fault", .lang = LANG_DE},
    {.name = "german-help",
     .trace = ANATOMY,
     .query = "fault",
     .lang = LANG_DE,
     .action = DO(DO_HELP)},
};
const size_t sample_count = ARRAY_LEN(sample_table);

static void die(const struct sample *s, const struct error *error)
{
    fprintf(stderr, "moment %s: ", s->name);
    error_print(error, stderr);
    exit(EXIT_FAILURE);
}

static void open_trace(struct moment_stage *m, const struct sample *s, struct viz_options *o)
{
    struct error error = {0};
    char path[200];
    snprintf(path, sizeof(path), "traces/%s", s->trace);
    config_default(&m->config);
    if (trace_load(&m->trace, path, &error))
        die(s, &error);
    if (m->trace->header.config && config_json(&m->config, m->trace->header.config, NULL, &error))
        die(s, &error);
    m->against = m->config;
    if (s->against && config_option(&m->against, s->against, &error))
        die(s, &error);
    o->run = (struct viz_run){.trace = m->trace,
                              .config = &m->config,
                              .against = s->against ? &m->against : NULL,
                              .name = m->trace->header.name,
                              .command = "memwalk view",
                              .other = s->against};
    if (s->query && viz_find(&o->run, s->query, &o->at, &error))
        die(s, &error);
}

static void type(struct window *w, const char *text)
{
    for (; *text; text++)
        window_input(w, &(struct input){.kind = INPUT_KEY, .key = *text});
}

void moment_open(struct moment_stage *m, const struct sample *s, bool picture)
{
    struct error error = {0};
    *m = (struct moment_stage){.host = {.traces = "traces"}};
    struct viz_options o = {.host = &m->host,
                            .at = {1, 0},
                            .scale = s->scale ? s->scale : 1000,
                            .theme = theme_name[s->theme],
                            .lang = lang_name[s->lang],
                            .pane = s->pane,
                            .still = true};
    if (s->trace)
        open_trace(m, s, &o);
    struct window *w = &m->window;
    if (window_open(w, &o, &error))
        die(s, &error);
    if (picture && sdl_open_picture(&w->sdl, 1600, 900, &error))
        die(s, &error);
    if (!w->open)
        return;
    while (survey_run(w->travel.survey, 1000) || pair_run(&w->pair, 1000))
        continue;
    travel_to(&w->travel, o.at);
    window_begin(w);
    /* Some actions look at what is to be seen. */
    paint_scene(&w->scene, travel_model(&w->travel), &w->view, &text_plain, 1600, 900, &w->layout);
    for (const enum action *a = s->action; a && *a; a++)
        window_act(w, *a);
    if (s->typed)
        type(w, s->typed);
}

void moment_close(struct moment_stage *m)
{
    window_close(&m->window);
    trace_free(m->trace);
}
