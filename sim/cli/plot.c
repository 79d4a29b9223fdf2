/* plot.c: three panels over the ops of a trace, drawn by cairo for PNG and SVG alike. */
#include "sim/cli/plot.h"

#include "sim/cli/canvas.h"
#include "sim/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WIDTH  1200.0
#define HEIGHT 800.0
#define LEFT   110.0
#define RIGHT  170.0
#define TOP    60.0
#define GAP    40.0
#define PANELS 3

struct colour {
    double r, g, b;
};

/* Okabe and Ito's colours, told apart by colour-blind people too. */
#define BLUE                                                                                       \
    {                                                                                              \
        0, 0.447, 0.698                                                                            \
    }
#define ORANGE                                                                                     \
    {                                                                                              \
        0.902, 0.624, 0                                                                            \
    }
#define GREEN                                                                                      \
    {                                                                                              \
        0, 0.620, 0.451                                                                            \
    }
#define RED                                                                                        \
    {                                                                                              \
        0.835, 0.369, 0                                                                            \
    }
#define PURPLE                                                                                     \
    {                                                                                              \
        0.800, 0.475, 0.655                                                                        \
    }

struct line {
    const char *name;
    struct colour colour;
    size_t offset; /* of the value in a sample */
};

/* ---- samples ---- */

void plot_begin(struct plot *p)
{
    memset(p, 0, sizeof(*p));
    p->every = 1;
    p->next = 1;
}

static void take_sample(struct plot *p, const struct sim *sim, uint64_t op)
{
    struct stats s;
    stats_read(&s, sim, NULL);
    const struct tlb_counters *tlb = &s.mmu.tlb[TLB_L1D];
    uint64_t lookups = tlb->lookups - p->lookups;
    p->sample[p->count++] = (struct plot_sample){
        .op = op,
        .payload = (double)s.heap.bytes_requested_now,
        .held = (double)s.heap.bytes_heap_now,
        .rss = (double)(s.resident * PAGE_SIZE),
        .fragmentation = s.at_end.free ? 1 - (double)s.at_end.largest / (double)s.at_end.free : 0,
        .misses = lookups ? (double)(tlb->misses - p->missed) / (double)lookups : 0,
    };
    p->lookups = tlb->lookups;
    p->missed = tlb->misses;
}

void plot_follow(struct plot *p, const struct sim *sim)
{
    uint64_t op = inspect_replay(sim)->ops;
    if (op < p->next)
        return;
    take_sample(p, sim, op);
    if (p->count == PLOT_SAMPLES) {
        for (size_t i = 0; i < PLOT_SAMPLES / 2; i++)
            p->sample[i] = p->sample[2 * i + 1];
        p->count = PLOT_SAMPLES / 2;
        p->every *= 2;
    }
    p->next = op + p->every;
}

/* ---- drawing ---- */

static double value_of(const struct plot_sample *s, const struct line *line)
{
    double value;
    memcpy(&value, (const char *)s + line->offset, sizeof(value));
    return value;
}

static double highest(const struct plot *p, const struct line *line, size_t lines)
{
    double most = 0;
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < lines; k++) {
            double v = value_of(&p->sample[i], &line[k]);
            most = v > most ? v : most;
        }
    return most > 0 ? most : 1;
}

static void unit_text(double value, bool bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    if (!bytes) {
        snprintf(text, size, "%.3g %%", 100 * value);
        return;
    }
    for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
        value /= 1024;
    snprintf(text, size, "%.4g %s", value, units[unit]);
}

static void draw_axes(cairo_t *c, double y, double height, double most, bool bytes)
{
    cairo_set_line_width(c, 1);
    for (unsigned i = 0; i <= 4; i++) {
        char text[32];
        double at = y + height - height * i / 4;
        cairo_set_source_rgb(c, 0.85, 0.85, 0.85);
        cairo_move_to(c, LEFT, at);
        cairo_line_to(c, WIDTH - RIGHT, at);
        cairo_stroke(c);
        cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
        unit_text(most * i / 4, bytes, text, sizeof(text));
        canvas_text(c, LEFT - 8, at + 4, text, 1);
    }
}

static void draw_panel(cairo_t *c, const struct plot *p, unsigned panel, const struct line *line,
                       size_t lines, bool bytes)
{
    double height = (HEIGHT - TOP - PANELS * GAP) / PANELS;
    double y = TOP + panel * (height + GAP);
    double most = highest(p, line, lines);
    double last = p->count ? (double)p->sample[p->count - 1].op : 1;
    draw_axes(c, y, height, most, bytes);
    for (size_t k = 0; k < lines; k++) {
        cairo_set_source_rgb(c, line[k].colour.r, line[k].colour.g, line[k].colour.b);
        cairo_set_line_width(c, 1.8);
        for (size_t i = 0; i < p->count; i++)
            cairo_line_to(c, LEFT + (WIDTH - LEFT - RIGHT) * (double)p->sample[i].op / last,
                          y + height - height * value_of(&p->sample[i], &line[k]) / most);
        cairo_stroke(c);
        canvas_text(c, WIDTH - RIGHT + 12, y + 14 + 20 * (double)k, line[k].name, 0);
    }
}

struct drawing {
    const struct plot *plot;
    const char *title;
};

static void draw(void *ctx, cairo_t *c)
{
    const struct drawing *d = ctx;
    const struct plot *p = d->plot;
    static const struct line memory[] = {
        {"held by the heap", BLUE, offsetof(struct plot_sample, held)},
        {"payload", GREEN, offsetof(struct plot_sample, payload)},
        {"RSS", ORANGE, offsetof(struct plot_sample, rss)},
    };
    static const struct line fragmentation = {"external frag.", RED,
                                              offsetof(struct plot_sample, fragmentation)};
    static const struct line misses = {"L1 dTLB miss rate", PURPLE,
                                       offsetof(struct plot_sample, misses)};
    char ops[64];
    cairo_set_source_rgb(c, 0.1, 0.1, 0.1);
    cairo_set_font_size(c, 20);
    canvas_text(c, LEFT, 34, d->title, 0);
    cairo_set_font_size(c, 13);
    draw_panel(c, p, 0, memory, ARRAY_LEN(memory), true);
    draw_panel(c, p, 1, &fragmentation, 1, false);
    draw_panel(c, p, 2, &misses, 1, false);
    cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
    snprintf(ops, sizeof(ops), "op %" PRIu64, p->count ? p->sample[p->count - 1].op : 0);
    canvas_text(c, LEFT, HEIGHT - 14, "op 1", 0);
    canvas_text(c, WIDTH - RIGHT, HEIGHT - 14, ops, 1);
}

enum err plot_write(const struct plot *p, const char *title, const char *path, struct error *e)
{
    struct drawing d = {p, title};
    return canvas_write(draw, &d, WIDTH, HEIGHT, path, e);
}
