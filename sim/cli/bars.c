/* bars.c: several runs as bars: a panel for each figure that tells them apart, a bar for each run.
 *
 * Bars begin at 0 and are linear, so lengths may be compared; a run that is far worse than the
 * others makes all others short, and each bar carries its value.
 */
#include "sim/cli/bars.h"

#include "sim/cli/canvas.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 3
#define PANEL_W 480.0
#define NAME_W  130.0
#define VALUE_W 90.0
#define BAR_H   16.0
#define TITLE_H 30.0
#define TOP     56.0
#define MARGIN  24.0

static const struct {
    const char *figure, *title;
} panels[] = {
    {"alloc.cycles_mean", "cycles of a call"},
    {"alloc.accesses_mean", "own loads and stores of a call"},
    {"search.mean", "search length, mean"},
    {"rss.peak", "RSS at the peak"},
    {"rss.now", "RSS at the end"},
    {"heap.held.peak", "held from the kernel at the peak"},
    {"frag.internal.peak", "internal fragmentation at the peak"},
    {"frag.external.peak", "external fragmentation at the peak"},
    {"syscalls.all", "system calls"},
    {"faults.minor", "page faults"},
    {"alloc.own_misses", "L1 dTLB misses of metadata"},
    {"alloc.payload_misses", "L1 dTLB misses of payload"},
};

static void draw_panel(cairo_t *c, const struct report *const *r, size_t count, size_t panel)
{
    double x = MARGIN + (double)(panel % COLUMNS) * PANEL_W;
    size_t row = panel / COLUMNS;
    double y = TOP + (double)row * (TITLE_H + MARGIN + BAR_H * (double)count);
    size_t figure = figure_find(panels[panel].figure);
    struct figure f;
    figure_at(figure, &f);
    double most = 0;
    for (size_t k = 0; k < count; k++)
        most =
            figure_double(figure, &r[k]->stats) > most ? figure_double(figure, &r[k]->stats) : most;
    cairo_set_source_rgb(c, 0.1, 0.1, 0.1);
    cairo_set_font_size(c, 14);
    canvas_text(c, x, y + 16, panels[panel].title, 0);
    cairo_set_font_size(c, 11);
    for (size_t k = 0; k < count; k++) {
        char value[40];
        double at = y + TITLE_H + BAR_H * (double)k;
        double part = most > 0 ? figure_double(figure, &r[k]->stats) / most : 0;
        double width = (PANEL_W - NAME_W - VALUE_W - MARGIN) * part;
        cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
        canvas_text(c, x + NAME_W - 6, at + 12, r[k]->label, 1);
        cairo_set_source_rgb(c, 0, 0.447, 0.698);
        cairo_rectangle(c, x + NAME_W, at + 2, width > 1 ? width : 1, BAR_H - 4);
        cairo_fill(c);
        cairo_set_source_rgb(c, 0.25, 0.25, 0.25);
        canvas_text(c, x + NAME_W + width + 5, at + 12,
                    report_value(figure, &f, &r[k]->stats, value), 0);
    }
}

struct drawing {
    const struct report *const *report;
    size_t count;
};

static void draw(void *ctx, cairo_t *c)
{
    const struct drawing *d = ctx;
    cairo_set_source_rgb(c, 0.1, 0.1, 0.1);
    cairo_set_font_size(c, 20);
    canvas_text(c, MARGIN, 34, d->report[0]->title, 0);
    for (size_t i = 0; i < ARRAY_LEN(panels); i++)
        draw_panel(c, d->report, d->count, i);
}

enum err bars_write(const struct report *const *r, size_t count, const char *path, struct error *e)
{
    struct drawing d = {r, count};
    size_t rows = (ARRAY_LEN(panels) + COLUMNS - 1) / COLUMNS;
    double height = TOP + (double)rows * (TITLE_H + MARGIN + BAR_H * (double)count);
    return canvas_write(draw, &d, COLUMNS * PANEL_W + 2 * MARGIN, height, path, e);
}
