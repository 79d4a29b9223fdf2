/* canvas.c: a white page for cairo, PNG and SVG alike. */
#include "sim/cli/canvas.h"

#include <cairo/cairo-svg.h>
#include <string.h>

void canvas_text(cairo_t *c, double x, double y, const char *text, double align)
{
    cairo_text_extents_t size;
    cairo_text_extents(c, text, &size);
    cairo_move_to(c, x - align * size.x_advance, y);
    cairo_show_text(c, text);
    cairo_new_path(c); /* a text leaves its end as the start of the next line */
}

enum err canvas_write(void (*draw)(void *ctx, cairo_t *), void *ctx, double width, double height,
                      const char *path, struct error *e)
{
    size_t length = strlen(path);
    bool svg = length > 4 && strcmp(path + length - 4, ".svg") == 0;
    bool png = length > 4 && strcmp(path + length - 4, ".png") == 0;
    if (!svg && !png)
        return error_set(e, ERR_USAGE, path, 0, "--plot", "the name must end in .png or .svg");
    cairo_surface_t *surface =
        svg ? cairo_svg_surface_create(path, width, height)
            : cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
    cairo_t *c = cairo_create(surface);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    draw(ctx, c);
    cairo_status_t status = cairo_status(c);
    cairo_destroy(c);
    if (!status && png)
        status = cairo_surface_write_to_png(surface, path);
    cairo_surface_finish(surface);
    if (!status)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status)
        return error_set(e, ERR_IO, path, 0, NULL, "%s", cairo_status_to_string(status));
    return ERR_NONE;
}
