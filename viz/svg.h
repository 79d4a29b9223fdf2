/* svg.h: a scene as an SVG file: the picture of a moment that stays sharp at every size. */
#ifndef MEMWALK_VIZ_SVG_H
#define MEMWALK_VIZ_SVG_H

#include "sim/base/err.h"
#include "viz/scene.h"

/* Writes the scene to path, which appears whole or not at all. caption: what a reader must know to
 * make the picture again; it becomes the file's description. ERR_IO: cannot be written. */
enum err svg_save(const struct scene *, enum theme, const char *caption, const char *path,
                  struct error *);

#endif
