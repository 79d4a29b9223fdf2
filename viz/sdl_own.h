/* sdl_own.h: what the three files share that know SDL: sdl.c (window, input, files), sdl_draw.c
 * (the items of a scene) and sdl_font.c (letters). Nobody else includes it.
 */
#ifndef MEMWALK_VIZ_SDL_OWN_H
#define MEMWALK_VIZ_SDL_OWN_H

#include "viz/sdl.h"

#include <SDL.h>
#include <SDL_ttf.h>

#define FONTS_MAX  160
#define GLYPHS     1024 /* room of the table of one font; a power of two */
#define CIRCLE_MAX 256
#define BOX_MAX    256         /* a power of two */
#define BOX_PIXELS (256 * 128) /* larger ones are few, and drawn piece by piece */
#define PLOT_MAX   8

struct glyph {
    uint32_t character; /* 0: empty place */
    enum colour colour;
    SDL_Texture *texture;
    int w, h, advance;
};

struct font {
    TTF_Font *ttf;
    enum face face;
    int px;
    struct glyph glyph[GLYPHS];
};

struct circle { /* a disc (ring: a circle line) of that radius */
    int radius, ring;
    enum colour colour;
    int alpha;
    SDL_Texture *texture;
};

struct box { /* a whole box: most are cells, of which there are hundreds that look the same */
    int w, h, radius, edge_px;
    enum colour fill, edge;
    uint8_t alpha;
    SDL_Texture *texture; /* NULL: empty place */
};

struct plot { /* a curve; it changes far less often than what stands around it */
    uint64_t hash;
    SDL_Texture *texture;
};

struct sdl {
    SDL_Window *window; /* NULL: a picture */
    SDL_Surface *surface;
    SDL_Renderer *renderer;
    char *file[FACES]; /* of the fonts */
    struct font *font[FONTS_MAX];
    size_t fonts;
    struct circle circle[CIRCLE_MAX];
    size_t circles;
    struct box box[BOX_MAX];
    struct plot plot[PLOT_MAX];
    size_t plots; /* made so far */
    struct metrics metrics;
    enum theme theme;
    unsigned key_mods; /* SDL_Keymod of the last key that was pressed */
    char *dropped;     /* the last file; SDL's to free */
};

/* ---- sdl_font.c ---- */

enum err sdl_find_fonts(struct sdl *, struct error *);
/* NULL: no memory, and no font at all. */
struct font *sdl_font(struct sdl *, enum face, int px);
struct glyph *sdl_glyph(struct sdl *, struct font *, uint32_t character, enum colour);
/* For struct metrics. */
int sdl_advance(void *ctx, enum face, int px, uint32_t character);
void sdl_forget_fonts(struct sdl *);

/* ---- sdl_draw.c ---- */

void sdl_forget_shapes(struct sdl *);

#endif
