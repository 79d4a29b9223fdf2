/* sdl.c: executes a scene with SDL2, and turns SDL's events into ours. The only file that knows
 * SDL, so that everything else can be tested without a screen.
 *
 * Round corners and discs are cut from circles that are drawn once per radius with smooth edges;
 * letters are textures, made once per face and size. Both the window and the picture in memory go
 * through the same renderer calls, so a PNG shows what the screen shows.
 */
#include "viz/sdl.h"

#include "viz/keys.h"

#include <SDL.h>
#include <SDL_image.h>
#include <SDL_ttf.h>
#include <errno.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FONTS_MAX  160
#define GLYPHS     512 /* room of the table of one font; a power of two */
#define CIRCLE_MAX 64

struct glyph {
    uint32_t character; /* 0: empty place */
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
    struct metrics metrics;
    enum theme theme;
};

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

static enum err find_fonts(struct sdl *s, struct error *error)
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

static struct font *font_get(struct sdl *s, enum face face, int px)
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
        struct font *sans = font_get(s, FACE_SANS, f->px);
        if (sans && sans->ttf && TTF_GlyphIsProvided32(sans->ttf, c))
            return sans->ttf;
    }
    return f->ttf;
}

static void glyph_make(struct sdl *s, struct font *f, struct glyph *g, uint32_t c)
{
    *g = (struct glyph){.character = c, .advance = f->px / 2};
    TTF_Font *ttf = font_with(s, f, c);
    if (!ttf)
        return;
    TTF_GlyphMetrics32(ttf, c, NULL, NULL, NULL, NULL, &g->advance);
    SDL_Surface *surface = TTF_RenderGlyph32_Blended(ttf, c, (SDL_Color){255, 255, 255, 255});
    if (!surface)
        return;
    g->texture = SDL_CreateTextureFromSurface(s->renderer, surface);
    g->w = surface->w;
    g->h = surface->h;
    SDL_FreeSurface(surface);
}

static struct glyph *glyph_get(struct sdl *s, struct font *f, uint32_t c)
{
    size_t i = c * 2654435761u & (GLYPHS - 1);
    for (size_t tries = 0; tries < 16; tries++, i = (i + 1) & (GLYPHS - 1)) {
        if (f->glyph[i].character == c)
            return &f->glyph[i];
        if (!f->glyph[i].character)
            break;
    }
    if (f->glyph[i].texture)
        SDL_DestroyTexture(f->glyph[i].texture);
    glyph_make(s, f, &f->glyph[i], c);
    return &f->glyph[i];
}

static int advance(void *ctx, enum face face, int px, uint32_t c)
{
    struct sdl *s = ctx;
    struct font *f = font_get(s, face, px);
    return f ? glyph_get(s, f, c)->advance : px;
}

/* ---- colours and circles ---- */

static void set_colour(struct sdl *s, enum colour role, int alpha)
{
    struct rgb c = theme_colour(s->theme, role);
    SDL_SetRenderDrawColor(s->renderer, c.r, c.g, c.b, (Uint8)alpha);
}

/* How much of the pixel at that distance from the middle is covered: 0 … 255. */
static Uint8 coverage(double distance, int radius, int ring)
{
    double outer = radius - distance + 0.5;
    double inner = ring ? distance - (radius - ring) + 0.5 : 1;
    double c = fmin(fmin(outer, inner), 1);
    return (Uint8)(c <= 0 ? 0 : c * 255);
}

static SDL_Texture *circle_make(struct sdl *s, int radius, int ring)
{
    int side = 2 * radius;
    SDL_Surface *surface =
        SDL_CreateRGBSurfaceWithFormat(0, side, side, 32, SDL_PIXELFORMAT_ARGB8888);
    if (!surface)
        return NULL;
    for (int y = 0; y < side; y++) {
        Uint32 *row = (void *)((Uint8 *)surface->pixels + y * surface->pitch);
        for (int x = 0; x < side; x++) {
            double distance = hypot(x + 0.5 - radius, y + 0.5 - radius);
            row[x] = (Uint32)coverage(distance, radius, ring) << 24 | 0xffffff;
        }
    }
    SDL_Texture *texture = SDL_CreateTextureFromSurface(s->renderer, surface);
    SDL_FreeSurface(surface);
    return texture;
}

static SDL_Texture *circle_get(struct sdl *s, int radius, int ring)
{
    for (size_t i = 0; i < s->circles; i++)
        if (s->circle[i].radius == radius && s->circle[i].ring == ring)
            return s->circle[i].texture;
    if (s->circles == CIRCLE_MAX) {
        for (size_t i = 0; i < s->circles; i++)
            SDL_DestroyTexture(s->circle[i].texture);
        s->circles = 0;
    }
    struct circle *c = &s->circle[s->circles++];
    *c = (struct circle){radius, ring, circle_make(s, radius, ring)};
    return c->texture;
}

static void circle_colour(struct sdl *s, SDL_Texture *texture, enum colour role, int alpha)
{
    struct rgb c = theme_colour(s->theme, role);
    SDL_SetTextureColorMod(texture, c.r, c.g, c.b);
    SDL_SetTextureAlphaMod(texture, (Uint8)alpha);
    SDL_SetTextureBlendMode(texture, SDL_BLENDMODE_BLEND);
}

/* The four quarters of a circle in the corners of a rectangle. */
static void corners(struct sdl *s, struct rect r, int radius, int ring, enum colour role, int alpha)
{
    SDL_Texture *texture = circle_get(s, radius, ring);
    if (!texture)
        return;
    circle_colour(s, texture, role, alpha);
    for (int i = 0; i < 4; i++) {
        int right = i & 1;
        int bottom = i >> 1;
        SDL_Rect from = {right * radius, bottom * radius, radius, radius};
        SDL_Rect to = {right ? r.x + r.w - radius : r.x, bottom ? r.y + r.h - radius : r.y, radius,
                       radius};
        SDL_RenderCopy(s->renderer, texture, &from, &to);
    }
}

static void fill(struct sdl *s, int x, int y, int w, int h)
{
    if (w > 0 && h > 0)
        SDL_RenderFillRect(s->renderer, &(SDL_Rect){x, y, w, h});
}

/* ---- the items ---- */

static void draw_box(struct sdl *s, const struct item *t)
{
    struct rect r = t->at;
    int radius = t->radius;
    if (radius * 2 > r.w || radius * 2 > r.h)
        radius = (r.w < r.h ? r.w : r.h) / 2;
    if (t->fill != C_NONE) {
        set_colour(s, t->fill, t->alpha);
        fill(s, r.x + radius, r.y, r.w - 2 * radius, r.h);
        fill(s, r.x, r.y + radius, radius, r.h - 2 * radius);
        fill(s, r.x + r.w - radius, r.y + radius, radius, r.h - 2 * radius);
        if (radius)
            corners(s, r, radius, 0, t->fill, t->alpha);
    }
    if (t->edge == C_NONE)
        return;
    int e = t->edge_px;
    set_colour(s, t->edge, 255);
    fill(s, r.x + radius, r.y, r.w - 2 * radius, e);
    fill(s, r.x + radius, r.y + r.h - e, r.w - 2 * radius, e);
    fill(s, r.x, r.y + radius, e, r.h - 2 * radius);
    fill(s, r.x + r.w - e, r.y + radius, e, r.h - 2 * radius);
    if (radius)
        corners(s, r, radius, e < radius ? e : radius, t->edge, 255);
}

static void draw_hatch(struct sdl *s, const struct item *t)
{
    struct rect r = t->at;
    int gap = r.h > 12 ? 5 : 4;
    SDL_RenderSetClipRect(s->renderer, &(SDL_Rect){r.x, r.y, r.w, r.h});
    set_colour(s, t->fill, 150);
    for (int x = -r.h; x < r.w; x += gap)
        SDL_RenderDrawLine(s->renderer, r.x + x, r.y + r.h, r.x + x + r.h, r.y);
    SDL_RenderSetClipRect(s->renderer, NULL);
}

static void draw_grid(struct sdl *s, const struct item *t)
{
    struct rect r = t->at;
    set_colour(s, t->fill, 170);
    fill(s, r.x + r.w / 2, r.y, 1, r.h);
    fill(s, r.x, r.y + r.h / 2, r.w, 1);
}

static void draw_text(struct sdl *s, const struct item *t, const char *text)
{
    struct font *f = font_get(s, t->face, t->px);
    struct rgb c = theme_colour(s->theme, t->fill);
    int x = t->at.x;
    for (uint32_t u = text_next(&text); u && f; u = text_next(&text)) {
        struct glyph *g = glyph_get(s, f, u);
        if (g->texture) {
            SDL_SetTextureColorMod(g->texture, c.r, c.g, c.b);
            SDL_RenderCopy(s->renderer, g->texture, NULL,
                           &(SDL_Rect){x, t->at.y + (t->at.h - g->h) / 2, g->w, g->h});
        }
        x += g->advance;
    }
}

static SDL_Vertex vertex(struct sdl *s, double x, double y, enum colour role, int alpha)
{
    struct rgb c = theme_colour(s->theme, role);
    return (SDL_Vertex){.position = {(float)x, (float)y}, .color = {c.r, c.g, c.b, (Uint8)alpha}};
}

/* A straight piece of a line, solid in the middle and fading out over one pixel at each side. */
static void draw_piece(struct sdl *s, double x0, double y0, double x1, double y1, double width,
                       enum colour role)
{
    static const int index[] = {0, 1, 5, 0, 5, 4, 1, 2, 6, 1, 6, 5, 2, 3, 7, 2, 7, 6};
    static const double side[] = {-1, -1, 1, 1};
    double length = hypot(x1 - x0, y1 - y0);
    if (length < 0.01)
        return;
    double nx = -(y1 - y0) / length;
    double ny = (x1 - x0) / length;
    SDL_Vertex v[8];
    for (int i = 0; i < 4; i++) {
        bool edge = i == 0 || i == 3;
        double off = side[i] * (edge ? width / 2 + 0.5 : fmax(width / 2 - 0.5, 0));
        v[i] = vertex(s, x0 + nx * off, y0 + ny * off, role, edge ? 0 : 255);
        v[i + 4] = vertex(s, x1 + nx * off, y1 + ny * off, role, edge ? 0 : 255);
    }
    SDL_RenderGeometry(s->renderer, NULL, v, 8, index, (int)ARRAY_LEN(index));
}

static void draw_triangle_at(struct sdl *s, const double x[3], const double y[3], enum colour role)
{
    SDL_Vertex v[3];
    for (int i = 0; i < 3; i++)
        v[i] = vertex(s, x[i], y[i], role, 255);
    SDL_RenderGeometry(s->renderer, NULL, v, 3, NULL, 0);
    for (int i = 0; i < 3; i++) /* smooth edges */
        draw_piece(s, x[i], y[i], x[(i + 1) % 3], y[(i + 1) % 3], 1, role);
}

static void draw_triangle(struct sdl *s, const struct item *t)
{
    double left = t->at.x;
    double right = t->at.x + t->at.w;
    double base = t->radius ? right : left;
    double tip = t->radius ? left : right;
    draw_triangle_at(s, (double[]){base, tip, base},
                     (double[]){t->at.y, t->at.y + t->at.h / 2.0, t->at.y + t->at.h}, t->fill);
}

static void draw_disc(struct sdl *s, const struct item *t)
{
    int radius = t->at.w / 2;
    SDL_Rect to = {t->at.x, t->at.y, 2 * radius, 2 * radius};
    SDL_Texture *disc = circle_get(s, radius, 0);
    SDL_Texture *ring = circle_get(s, radius, t->edge_px);
    if (!disc || !ring)
        return;
    circle_colour(s, disc, t->fill, 255);
    SDL_RenderCopy(s->renderer, disc, NULL, &to);
    circle_colour(s, ring, t->edge, 255);
    SDL_RenderCopy(s->renderer, ring, NULL, &to);
}

/* A Bézier curve that leaves and arrives level, then the head. */
static void draw_arrow(struct sdl *s, const struct item *t)
{
    enum { PIECES = 24 };
    double head = t->edge_px * 3.5;
    double w = t->at.w - head;
    double h = t->at.h;
    double from_x = t->at.x;
    double from_y = t->at.y;
    for (int i = 1; i <= PIECES; i++) {
        double u = (double)i / PIECES;
        double v = 1 - u;
        double x = t->at.x + w * (3 * v * v * u * 0.5 + 3 * v * u * u * 0.5 + u * u * u);
        double y = t->at.y + h * (3 * v * u * u + u * u * u);
        draw_piece(s, from_x, from_y, x, y, t->edge_px, t->fill);
        from_x = x;
        from_y = y;
    }
    double half = head * 0.62;
    draw_triangle_at(s, (double[]){from_x, from_x + head, from_x},
                     (double[]){from_y - half, from_y, from_y + half}, t->fill);
}

static void draw_line(struct sdl *s, const struct item *t)
{
    set_colour(s, t->fill, t->alpha ? t->alpha : 255);
    SDL_RenderDrawLine(s->renderer, t->at.x, t->at.y, t->at.x + t->at.w, t->at.y + t->at.h);
}

static void draw_plot(struct sdl *s, const struct item *t, const struct point *p)
{
    for (size_t i = 1; i < t->count; i++)
        draw_piece(s, p[i - 1].x, p[i - 1].y, p[i].x, p[i].y, t->edge_px, t->fill);
}

static void draw_item(struct sdl *s, const struct scene *scene, const struct item *t)
{
    switch (t->kind) {
    case ITEM_BOX:
        draw_box(s, t);
        break;
    case ITEM_HATCH:
        draw_hatch(s, t);
        break;
    case ITEM_GRID:
        draw_grid(s, t);
        break;
    case ITEM_TEXT:
        draw_text(s, t, scene_text(scene, t));
        break;
    case ITEM_LINE:
        draw_line(s, t);
        break;
    case ITEM_ARROW:
        draw_arrow(s, t);
        break;
    case ITEM_TRIANGLE:
        draw_triangle(s, t);
        break;
    case ITEM_DISC:
        draw_disc(s, t);
        break;
    case ITEM_PLOT:
        draw_plot(s, t, scene->point + t->text);
        break;
    case ITEM_KINDS:
        break;
    }
}

/* After many changes of text size: begin anew, between two pictures. */
static void forget_fonts(struct sdl *s)
{
    for (size_t i = 0; i < s->fonts; i++)
        font_free(s->font[i]);
    s->fonts = 0;
}

void sdl_draw(struct sdl *s, const struct scene *scene, enum theme theme)
{
    s->theme = theme;
    if (s->fonts > FONTS_MAX / 2)
        forget_fonts(s);
    SDL_SetRenderDrawBlendMode(s->renderer, SDL_BLENDMODE_BLEND);
    set_colour(s, C_BACK, 255);
    SDL_RenderClear(s->renderer);
    for (size_t i = 0; i < scene->items; i++)
        draw_item(s, scene, &scene->item[i]);
    SDL_RenderPresent(s->renderer);
}

/* ---- opening and closing ---- */

static enum err fail(struct sdl **s, struct error *error, const char *what)
{
    enum err err = error_set(error, ERR_IO, NULL, 0, NULL, "%s: %s", what, SDL_GetError());
    sdl_close(*s);
    *s = NULL;
    return err;
}

static enum err open_common(struct sdl **s, struct error *error)
{
    *s = calloc(1, sizeof(**s));
    if (!*s)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory for the window");
    (*s)->metrics = (struct metrics){.ctx = *s, .advance = advance};
    if (TTF_Init() != 0)
        return fail(s, error, "the font library does not start");
    enum err err = find_fonts(*s, error);
    if (err) {
        sdl_close(*s);
        *s = NULL;
    }
    return err;
}

enum err sdl_open_picture(struct sdl **sdl, int w, int h, struct error *error)
{
    enum err err = open_common(sdl, error);
    if (err)
        return err;
    struct sdl *s = *sdl;
    s->surface = SDL_CreateRGBSurfaceWithFormat(0, w, h, 32, SDL_PIXELFORMAT_ARGB8888);
    if (s->surface)
        s->renderer = SDL_CreateSoftwareRenderer(s->surface);
    return s->renderer ? ERR_NONE : fail(sdl, error, "no picture in memory");
}

enum err sdl_open_window(struct sdl **sdl, int w, int h, const char *title, struct error *error)
{
    enum err err = open_common(sdl, error);
    if (err)
        return err;
    struct sdl *s = *sdl;
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "1");
    if (SDL_Init(SDL_INIT_VIDEO) != 0)
        return fail(sdl, error, "no display (use --png FILE for a picture)");
    s->window = SDL_CreateWindow(title, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, w, h,
                                 SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
    if (!s->window)
        return fail(sdl, error, "no window");
    SDL_SetWindowMinimumSize(s->window, 640, 400);
    s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_PRESENTVSYNC);
    if (!s->renderer)
        s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_SOFTWARE);
    if (!s->renderer)
        return fail(sdl, error, "no renderer");
    SDL_StartTextInput();
    return ERR_NONE;
}

void sdl_close(struct sdl *s)
{
    if (!s)
        return;
    forget_fonts(s);
    for (size_t i = 0; i < s->circles; i++)
        SDL_DestroyTexture(s->circle[i].texture);
    for (int f = 0; f < FACES; f++)
        free(s->file[f]);
    if (s->renderer)
        SDL_DestroyRenderer(s->renderer);
    SDL_FreeSurface(s->surface);
    if (s->window)
        SDL_DestroyWindow(s->window);
    free(s);
    TTF_Quit();
    SDL_Quit();
    FcFini();
}

const struct metrics *sdl_metrics(struct sdl *s)
{
    return &s->metrics;
}

void sdl_size(struct sdl *s, int *w, int *h)
{
    SDL_GetRendererOutputSize(s->renderer, w, h);
}

const void *sdl_pixels(const struct sdl *s)
{
    return s->surface->pixels;
}

enum err sdl_shot(struct sdl *s, const char *path, struct error *error)
{
    int w, h;
    sdl_size(s, &w, &h);
    s->surface = SDL_CreateRGBSurfaceWithFormat(0, w, h, 32, SDL_PIXELFORMAT_ARGB8888);
    enum err err = ERR_NONE;
    if (!s->surface || SDL_RenderReadPixels(s->renderer, NULL, SDL_PIXELFORMAT_ARGB8888,
                                            s->surface->pixels, s->surface->pitch) != 0)
        err = error_set(error, ERR_IO, path, 0, NULL, "no pixels: %s", SDL_GetError());
    if (!err)
        err = sdl_save(s, path, error);
    SDL_FreeSurface(s->surface);
    s->surface = NULL;
    return err;
}

void sdl_copy(const char *text)
{
    SDL_SetClipboardText(text);
}

enum err sdl_save(struct sdl *s, const char *path, struct error *error)
{
    size_t room = strlen(path) + sizeof(".part");
    char *part = malloc(room);
    if (!part)
        return error_set(error, ERR_MEMORY, path, 0, NULL, "no memory for its name");
    snprintf(part, room, "%s.part", path);
    const char *why = NULL;
    if (IMG_SavePNG(s->surface, part) != 0)
        why = SDL_GetError();
    else if (rename(part, path) != 0)
        why = strerror(errno);
    if (why)
        remove(part);
    free(part);
    return why ? error_set(error, ERR_IO, path, 0, NULL, "cannot be written: %s", why) : ERR_NONE;
}

void sdl_full_screen(struct sdl *s)
{
    bool full = SDL_GetWindowFlags(s->window) & SDL_WINDOW_FULLSCREEN_DESKTOP;
    SDL_SetWindowFullscreen(s->window, full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
}

void sdl_title(struct sdl *s, const char *title)
{
    if (s->window)
        SDL_SetWindowTitle(s->window, title);
}

uint64_t sdl_clock(void)
{
    return SDL_GetTicks64();
}

/* ---- input ---- */

/* Keys that give no character. Those that do come as text, so that every keyboard layout works. */
static int special_key(SDL_Keycode key)
{
    switch (key) {
    case SDLK_LEFT:
        return KEY_LEFT;
    case SDLK_RIGHT:
        return KEY_RIGHT;
    case SDLK_PAGEUP:
        return KEY_PAGE_UP;
    case SDLK_PAGEDOWN:
        return KEY_PAGE_DOWN;
    case SDLK_HOME:
        return KEY_HOME;
    case SDLK_END:
        return KEY_END;
    case SDLK_F5:
        return KEY_F5;
    case SDLK_F11:
        return KEY_F11;
    case SDLK_RETURN:
    case SDLK_KP_ENTER:
        return KEY_RETURN;
    case SDLK_ESCAPE:
        return KEY_ESCAPE;
    case SDLK_TAB:
        return KEY_TAB;
    case SDLK_BACKSPACE:
        return KEY_BACKSPACE;
    default:
        return 0;
    }
}

static struct input key_input(const SDL_KeyboardEvent *e)
{
    struct input in = {.kind = INPUT_KEY, .key = special_key(e->keysym.sym)};
    in.mods =
        (e->keysym.mod & KMOD_CTRL ? MOD_CTRL : 0) | (e->keysym.mod & KMOD_SHIFT ? MOD_SHIFT : 0);
    if (!in.key && in.mods & MOD_CTRL && e->keysym.sym < 128)
        in.key = e->keysym.sym;
    if (!in.key)
        in.kind = INPUT_NONE;
    return in;
}

static struct input text_input(const SDL_TextInputEvent *e)
{
    unsigned char c = (unsigned char)e->text[0];
    struct input in = {.kind = c < 128 ? INPUT_KEY : INPUT_NONE, .key = c};
    if (SDL_GetModState() & KMOD_CTRL)
        in.kind = INPUT_NONE; /* came as a key already */
    if (c >= 'A' && c <= 'Z') {
        in.key = c - 'A' + 'a';
        in.mods = MOD_SHIFT;
    }
    return in;
}

/* From the window's own units to pixels: they differ on dense screens. */
static struct input mouse_input(struct sdl *s, enum input_kind kind, int x, int y)
{
    int w, h, pixels_w, pixels_h;
    SDL_GetWindowSize(s->window, &w, &h);
    sdl_size(s, &pixels_w, &pixels_h);
    return (struct input){
        .kind = kind, .x = x * pixels_w / (w ? w : 1), .y = y * pixels_h / (h ? h : 1)};
}

static struct input translate(struct sdl *s, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_QUIT:
        return (struct input){.kind = INPUT_QUIT};
    case SDL_KEYDOWN:
        return key_input(&e->key);
    case SDL_TEXTINPUT:
        return text_input(&e->text);
    case SDL_MOUSEMOTION:
        return mouse_input(s, INPUT_MOVE, e->motion.x, e->motion.y);
    case SDL_MOUSEBUTTONDOWN:
        return mouse_input(s, e->button.button == SDL_BUTTON_LEFT ? INPUT_PRESS : INPUT_NONE,
                           e->button.x, e->button.y);
    case SDL_MOUSEBUTTONUP:
        return mouse_input(s, e->button.button == SDL_BUTTON_LEFT ? INPUT_RELEASE : INPUT_NONE,
                           e->button.x, e->button.y);
    case SDL_MOUSEWHEEL:
        return (struct input){.kind = INPUT_WHEEL, .y = e->wheel.y};
    case SDL_WINDOWEVENT:
        return (struct input){.kind = INPUT_CHANGE};
    default:
        return (struct input){.kind = INPUT_NONE};
    }
}

bool sdl_input(struct sdl *s, struct input *in, int ms)
{
    SDL_Event e;
    if (!(ms > 0 ? SDL_WaitEventTimeout(&e, ms) : SDL_PollEvent(&e)))
        return false;
    *in = translate(s, &e);
    return true;
}
