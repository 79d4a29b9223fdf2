/* canvas.h: what the plots share: a white page, written as PNG or SVG. */
#ifndef MEMWALK_SIM_CLI_CANVAS_H
#define MEMWALK_SIM_CLI_CANVAS_H

#include "sim/base/err.h"
#include "sim/base/types.h"

#include <cairo/cairo.h>

/* A text whose start (align 0) or end (1) is at x, its base line at y. */
void canvas_text(cairo_t *, double x, double y, const char *text, double align);
/* Writes what draw draws: .png or .svg by the path's end. */
enum err canvas_write(void (*draw)(void *ctx, cairo_t *), void *ctx, double width, double height,
                      const char *path, struct error *);

#endif
