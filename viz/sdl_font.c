/* sdl_font.c: fonts by fontconfig, letters by SDL2_ttf: each a texture, made once per face, size
 * and colour, for SDL's software renderer copies a texture as it is several times as fast as one
 * that it has to tint.
 */
#include "viz/sdl_own.h"

#include <fontconfig/fontconfig.h>
#include <stdlib.h>
#include <string.h>

/* ---- fonts ---- */

/* The file of the font that the system would use; NULL: it has none. */
static char *font_file(const char *family, bool bold)
{
    FcPattern *wanted = FcPatternCreate();
    FcPatternAddString(wanted, FC_FAMILY, (const FcChar8 *)family);
    FcPatternAddInteger(wanted, FC_WEIGHT, bold ? FC_WEIGHT_BOLD : FC_WEIGHT_REGULAR);
    FcPatternAddBool(wanted, FC_SCALABLE, FcTrue);
    FcConfigSubstitute(NULL, wanted, FcMatchPattern);
    FcDefaultSubstitute(wanted);
    FcResult result;
    FcPattern *found = FcFontMatch(NULL, wanted, &result);
    FcChar8 *file = NULL;
    char *copy = NULL;
    if (found && FcPatternGetString(found, FC_FILE, 0, &file) == FcResultMatch)
        copy = strdup((const char *)file);
    if (found)
        FcPatternDestroy(found);
    FcPatternDestroy(wanted);
    return copy;
}

enum err sdl_find_fonts(struct sdl *s, struct error *error)
{
    /* DejaVu first: it has every sign that the window uses, and a marked zero. */
    static const struct {
        const char *family, *fallback;
        bool bold;
    } want[FACES] = {
        [FACE_MONO] = {"DejaVu Sans Mono", "monospace", false},
        [FACE_MONO_BOLD] = {"DejaVu Sans Mono", "monospace", true},
        [FACE_SANS] = {"DejaVu Sans", "sans-serif", false},
        [FACE_SANS_BOLD] = {"DejaVu Sans", "sans-serif", true},
    };
    if (!FcInit())
        return error_set(error, ERR_IO, NULL, 0, NULL, "fontconfig does not start");
    for (int f = 0; f < FACES; f++) {
        s->file[f] = font_file(want[f].family, want[f].bold);
        if (!s->file[f])
            s->file[f] = font_file(want[f].fallback, want[f].bold);
        if (!s->file[f])
            return error_set(error, ERR_IO, NULL, 0, NULL,
                             "no font found for \"%s\"; install fonts-dejavu-core", want[f].family);
    }
    return ERR_NONE;
}

static struct font *font_make(struct sdl *s, enum face face, int px)
{
    struct font *f = s->fonts < FONTS_MAX ? calloc(1, sizeof(*f)) : NULL;
    if (!f)
        return s->fonts ? s->font[0] : NULL;
    f->face = face;
    f->px = px;
    f->ttf = TTF_OpenFont(s->file[face], px);
    if (f->ttf)
        TTF_SetFontHinting(f->ttf, TTF_HINTING_LIGHT);
    s->font[s->fonts++] = f;
    return f;
}

static void font_free(struct font *f)
{
    for (size_t i = 0; i < GLYPHS; i++)
        if (f->glyph[i].texture)
            SDL_DestroyTexture(f->glyph[i].texture);
    if (f->ttf)
        TTF_CloseFont(f->ttf);
    free(f);
}

struct font *sdl_font(struct sdl *s, enum face face, int px)
{
    for (size_t i = 0; i < s->fonts; i++)
        if (s->font[i]->face == face && s->font[i]->px == px)
            return s->font[i];
    return font_make(s, face, px);
}

/* A face without the sign borrows it from the sans face, else shows its own box. */
static TTF_Font *font_with(struct sdl *s, struct font *f, uint32_t c)
{
    if (f->ttf && !TTF_GlyphIsProvided32(f->ttf, c) && f->face != FACE_SANS) {
        struct font *sans = sdl_font(s, FACE_SANS, f->px);
        if (sans && sans->ttf && TTF_GlyphIsProvided32(sans->ttf, c))
            return sans->ttf;
    }
    return f->ttf;
}

static void glyph_make(struct sdl *s, struct font *f, struct glyph *g, uint32_t c,
                       enum colour colour)
{
    struct rgb rgb = theme_colour(s->theme, colour);
    *g = (struct glyph){.character = c, .colour = colour, .advance = f->px / 2};
    TTF_Font *ttf = font_with(s, f, c);
    if (!ttf)
        return;
    TTF_GlyphMetrics32(ttf, c, NULL, NULL, NULL, NULL, &g->advance);
    SDL_Surface *surface = TTF_RenderGlyph32_Blended(ttf, c, (SDL_Color){rgb.r, rgb.g, rgb.b, 255});
    if (!surface)
        return;
    g->texture = SDL_CreateTextureFromSurface(s->renderer, surface);
    g->w = surface->w;
    g->h = surface->h;
    SDL_FreeSurface(surface);
}

struct glyph *sdl_glyph(struct sdl *s, struct font *f, uint32_t c, enum colour colour)
{
    size_t i = (c * 31 + colour) * 2654435761u >> 8 & (GLYPHS - 1);
    for (size_t tries = 0; tries < 16; tries++, i = (i + 1) & (GLYPHS - 1)) {
        if (f->glyph[i].character == c && f->glyph[i].colour == colour)
            return &f->glyph[i];
        if (!f->glyph[i].character)
            break;
    }
    if (f->glyph[i].texture)
        SDL_DestroyTexture(f->glyph[i].texture);
    glyph_make(s, f, &f->glyph[i], c, colour);
    return &f->glyph[i];
}

int sdl_advance(void *ctx, enum face face, int px, uint32_t c)
{
    struct sdl *s = ctx;
    struct font *f = sdl_font(s, face, px);
    return f ? sdl_glyph(s, f, c, C_TEXT)->advance : px;
}

/* After many changes of text size: begin anew, between two pictures. */
void sdl_forget_fonts(struct sdl *s)
{
    for (size_t i = 0; i < s->fonts; i++)
        font_free(s->font[i]);
    s->fonts = 0;
}
