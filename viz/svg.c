/* svg.c: executes a scene as SVG elements, one or a few per item, in the scene's order.
 *
 * Texts carry the width that the scene promised them (textLength), so that nothing overlaps where a
 * viewer has other fonts. Colours are written out, so that the file needs no style sheet.
 */
#include "viz/svg.h"

#include "traces/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From the middle of a line of text down to its baseline, in sizes of the text (DejaVu's; not
 * every viewer knows dominant-baseline). */
#define BASELINE 0.36

struct svg {
    FILE *out;
    const struct scene *scene;
    enum theme theme;
};

struct paint_name {
    char text[8];
};

static struct paint_name hex(const struct svg *s, enum colour role)
{
    struct paint_name name;
    struct rgb c = theme_colour(s->theme, role);
    snprintf(name.text, sizeof(name.text), "#%02x%02x%02x", c.r, c.g, c.b);
    return name;
}

/* As the content of an element or attribute. */
static void put_text(const struct svg *s, const char *text)
{
    for (; *text; text++) {
        const char *name = *text == '&'   ? "&amp;"
                           : *text == '<' ? "&lt;"
                           : *text == '>' ? "&gt;"
                           : *text == '"' ? "&quot;"
                                          : NULL;
        if (name)
            fputs(name, s->out);
        else if ((unsigned char)*text >= ' ') /* XML has no other control characters */
            fputc(*text, s->out);
    }
}

static void put_opacity(const struct svg *s, const char *what, int alpha)
{
    if (alpha < 255)
        fprintf(s->out, " %s-opacity=\"%.3f\"", what, alpha / 255.0);
}

/* An edge is drawn inside the rectangle, as on the screen. */
static void draw_box(const struct svg *s, const struct item *t)
{
    double inset = t->edge == C_NONE ? 0 : t->edge_px / 2.0;
    double w = t->at.w - 2 * inset;
    double h = t->at.h - 2 * inset;
    if (w <= 0 || h <= 0)
        return;
    fprintf(s->out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"", t->at.x + inset,
            t->at.y + inset, w, h);
    if (t->radius)
        fprintf(s->out, " rx=\"%g\"", t->radius > inset ? t->radius - inset : 0);
    fprintf(s->out, " fill=\"%s\"", t->fill == C_NONE ? "none" : hex(s, t->fill).text);
    if (t->fill != C_NONE)
        put_opacity(s, "fill", t->alpha);
    if (t->edge != C_NONE)
        fprintf(s->out, " stroke=\"%s\" stroke-width=\"%d\"", hex(s, t->edge).text, t->edge_px);
    fputs("/>\n", s->out);
}

/* Diagonals from the lower left to the upper right, each cut at the rectangle's borders. */
static void draw_hatch(const struct svg *s, const struct item *t)
{
    struct rect r = t->at;
    int gap = r.h > 12 ? 5 : 4;
    fprintf(s->out, "<path stroke=\"%s\" stroke-opacity=\"0.588\" d=\"", hex(s, t->fill).text);
    for (int x = -r.h; x < r.w; x += gap) {
        int left = x > 0 ? x : 0;
        int right = x + r.h < r.w ? x + r.h : r.w;
        if (left < right)
            fprintf(s->out, "M%d %dL%d %d", r.x + left, r.y + r.h - (left - x), r.x + right,
                    r.y + r.h - (right - x));
    }
    fputs("\"/>\n", s->out);
}

static void draw_grid(const struct svg *s, const struct item *t)
{
    struct rect r = t->at;
    int x = r.x + r.w / 2;
    int y = r.y + r.h / 2;
    fprintf(s->out, "<path stroke=\"%s\" stroke-opacity=\"0.667\" d=\"M%g %dv%dM%d %gh%d\"/>\n",
            hex(s, t->fill).text, x + 0.5, r.y, r.h, r.x, y + 0.5, r.w);
}

static void draw_text(const struct svg *s, const struct item *t)
{
    bool mono = t->face == FACE_MONO || t->face == FACE_MONO_BOLD;
    bool bold = t->face == FACE_MONO_BOLD || t->face == FACE_SANS_BOLD;
    fprintf(
        s->out,
        "<text x=\"%d\" y=\"%g\" class=\"%s\"%s font-size=\"%d\" textLength=\"%d\" fill=\"%s\">",
        t->at.x, t->at.y + t->at.h / 2.0 + t->px * BASELINE, mono ? "m" : "s",
        bold ? " font-weight=\"bold\"" : "", t->px, t->at.w, hex(s, t->fill).text);
    put_text(s, scene_text(s->scene, t));
    fputs("</text>\n", s->out);
}

static void draw_line(const struct svg *s, const struct item *t)
{
    fprintf(s->out, "<path stroke=\"%s\"", hex(s, t->fill).text);
    put_opacity(s, "stroke", t->alpha ? t->alpha : 255);
    fprintf(s->out, " d=\"M%g %gl%d %d\"/>\n", t->at.x + 0.5, t->at.y + 0.5, t->at.w, t->at.h);
}

/* The Bézier curve of the screen, with the same head. */
static void draw_arrow(const struct svg *s, const struct item *t)
{
    double head = t->edge_px * 3.5;
    double w = t->at.w - head;
    double h = t->at.h;
    double half = head * 0.62;
    struct paint_name colour = hex(s, t->fill);
    fprintf(
        s->out,
        "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%d\" d=\"M%d %dc%g 0 %g %g %g %g\"/>\n",
        colour.text, t->edge_px, t->at.x, t->at.y, w / 2, w / 2, h, w, h);
    fprintf(s->out, "<path fill=\"%s\" d=\"M%g %gl%g %gl%g %gz\"/>\n", colour.text, t->at.x + w,
            t->at.y + h - half, head, half, -head, half);
}

static void draw_triangle(const struct svg *s, const struct item *t)
{
    struct rect r = t->at;
    int base = t->radius ? r.x + r.w : r.x;
    int tip = t->radius ? r.x : r.x + r.w;
    fprintf(s->out, "<path fill=\"%s\" d=\"M%d %dL%d %gL%d %dz\"/>\n", hex(s, t->fill).text, base,
            r.y, tip, r.y + r.h / 2.0, base, r.y + r.h);
}

static void draw_disc(const struct svg *s, const struct item *t)
{
    int radius = t->at.w / 2;
    fprintf(
        s->out,
        "<circle cx=\"%d\" cy=\"%d\" r=\"%g\" fill=\"%s\" stroke=\"%s\" stroke-width=\"%d\"/>\n",
        t->at.x + radius, t->at.y + radius, radius - t->edge_px / 2.0, hex(s, t->fill).text,
        hex(s, t->edge).text, t->edge_px);
}

static void draw_plot(const struct svg *s, const struct item *t)
{
    const struct point *p = s->scene->point + t->text;
    fprintf(s->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%d\" points=\"",
            hex(s, t->fill).text, t->edge_px);
    for (size_t i = 0; i < t->count; i++)
        fprintf(s->out, "%s%d,%d", i ? " " : "", p[i].x, p[i].y);
    fputs("\"/>\n", s->out);
}

static void (*const draw[ITEM_KINDS])(const struct svg *, const struct item *) = {
    [ITEM_BOX] = draw_box,   [ITEM_HATCH] = draw_hatch, [ITEM_GRID] = draw_grid,
    [ITEM_TEXT] = draw_text, [ITEM_LINE] = draw_line,   [ITEM_ARROW] = draw_arrow,
    [ITEM_DISC] = draw_disc, [ITEM_PLOT] = draw_plot,   [ITEM_TRIANGLE] = draw_triangle,
};

static void put_scene(const struct svg *s, const char *caption)
{
    int w = s->scene->w;
    int h = s->scene->h;
    fprintf(s->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n<desc>",
            w, h, w, h);
    put_text(s, caption);
    fprintf(s->out,
            "</desc>\n<style>text{white-space:pre}"
            ".m{font-family:'DejaVu Sans Mono',monospace}"
            ".s{font-family:'DejaVu Sans',sans-serif}</style>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
            w, h, hex(s, C_BACK).text);
    for (size_t i = 0; i < s->scene->items; i++)
        draw[s->scene->item[i].kind](s, &s->scene->item[i]);
    fputs("</svg>\n", s->out);
}

enum err svg_save(const struct scene *scene, enum theme theme, const char *caption,
                  const char *path, struct error *error)
{
    struct output *output;
    char *text = NULL;
    size_t size = 0;
    struct svg s = {open_memstream(&text, &size), scene, theme};
    if (s.out)
        put_scene(&s, caption);
    if (!s.out || fclose(s.out) != 0) {
        free(text);
        return error_set(error, ERR_MEMORY, path, 0, NULL, "no memory to write it");
    }
    enum err err = output_open(&output, path, error);
    if (!err) {
        err = output_write(output, text, size, error);
        enum err closed = output_close(output, !err, err ? NULL : error);
        err = err ? err : closed;
    }
    free(text);
    return err;
}
