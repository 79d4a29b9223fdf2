/* sdl_draw.c: executes a scene with SDL's renderer.
 *
 * Round corners and discs are cut from circles that are drawn once per radius and colour with
 * smooth edges. Both the window and the picture in memory go through the same renderer calls, so a
 * PNG shows what the screen shows.
 */
#include "viz/sdl_own.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static SDL_Surface *surface_make(int w, int h)
{
    return SDL_CreateRGBSurfaceWithFormat(0, w, h, 32, SDL_PIXELFORMAT_ARGB8888);
}

/* Frees the surface. */
static SDL_Texture *texture_of(struct sdl *s, SDL_Surface *surface)
{
    SDL_Texture *texture = SDL_CreateTextureFromSurface(s->renderer, surface);
    SDL_FreeSurface(surface);
    if (texture)
        SDL_SetTextureBlendMode(texture, SDL_BLENDMODE_BLEND);
    return texture;
}

static SDL_Texture *circle_make(struct sdl *s, int radius, int ring, enum colour role, int alpha)
{
    struct rgb c = theme_colour(s->theme, role);
    Uint32 rgb = (Uint32)c.r << 16 | (Uint32)c.g << 8 | c.b;
    int side = 2 * radius;
    SDL_Surface *surface = surface_make(side, side);
    if (!surface)
        return NULL;
    for (int y = 0; y < side; y++) {
        Uint32 *row = (void *)((Uint8 *)surface->pixels + y * surface->pitch);
        for (int x = 0; x < side; x++) {
            double distance = hypot(x + 0.5 - radius, y + 0.5 - radius);
            row[x] = (Uint32)coverage(distance, radius, ring) * (Uint32)alpha / 255 << 24 | rgb;
        }
    }
    return texture_of(s, surface);
}

static void forget_circles(struct sdl *s)
{
    for (size_t i = 0; i < s->circles; i++)
        SDL_DestroyTexture(s->circle[i].texture);
    s->circles = 0;
}

static SDL_Texture *circle_get(struct sdl *s, int radius, int ring, enum colour colour, int alpha)
{
    for (size_t i = 0; i < s->circles; i++) {
        const struct circle *c = &s->circle[i];
        if (c->radius == radius && c->ring == ring && c->colour == colour && c->alpha == alpha)
            return c->texture;
    }
    if (s->circles == CIRCLE_MAX)
        forget_circles(s);
    struct circle *c = &s->circle[s->circles++];
    *c = (struct circle){radius, ring, colour, alpha, circle_make(s, radius, ring, colour, alpha)};
    return c->texture;
}

/* The four quarters of a circle in the corners of a rectangle. */
static void corners(struct sdl *s, struct rect r, int radius, int ring, enum colour role, int alpha)
{
    SDL_Texture *texture = circle_get(s, radius, ring, role, alpha);
    if (!texture)
        return;
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

/* How far inside the box the middle of pixel x, y is, in pixels; below 0: outside. */
static double depth(const struct box *b, int x, int y)
{
    double right = b->w - x - 0.5, bottom = b->h - y - 0.5;
    double dx = fmin(x + 0.5, right), dy = fmin(y + 0.5, bottom);
    if (dx < b->radius && dy < b->radius)
        return b->radius - hypot(b->radius - dx, b->radius - dy);
    return fmin(dx, dy);
}

/* Pixel x, y of the box: its edge over its filling. */
static Uint32 box_pixel(const struct box *b, struct rgb fill, struct rgb edge, int x, int y)
{
    double in = depth(b, x, y);
    double covered = fmin(fmax(in + 0.5, 0), 1);
    double ring = b->edge == C_NONE ? 0 : covered * fmin(fmax(b->edge_px - in + 0.5, 0), 1);
    double filled = b->fill == C_NONE ? 0 : covered * b->alpha / 255 * (1 - ring);
    double alpha = ring + filled;
    if (alpha <= 0)
        return 0;
    Uint32 red = (Uint32)((edge.r * ring + fill.r * filled) / alpha + 0.5);
    Uint32 green = (Uint32)((edge.g * ring + fill.g * filled) / alpha + 0.5);
    Uint32 blue = (Uint32)((edge.b * ring + fill.b * filled) / alpha + 0.5);
    return (Uint32)(alpha * 255 + 0.5) << 24 | red << 16 | green << 8 | blue;
}

static SDL_Texture *box_make(struct sdl *s, const struct box *b)
{
    struct rgb fill = theme_colour(s->theme, b->fill), edge = theme_colour(s->theme, b->edge);
    SDL_Surface *surface = surface_make(b->w, b->h);
    for (int y = 0; surface && y < b->h; y++) {
        Uint32 *row = (void *)((Uint8 *)surface->pixels + y * surface->pitch);
        for (int x = 0; x < b->w; x++)
            row[x] = box_pixel(b, fill, edge, x, y);
    }
    return surface ? texture_of(s, surface) : NULL;
}

static bool box_same(const struct box *a, const struct box *b)
{
    return a->w == b->w && a->h == b->h && a->radius == b->radius && a->edge_px == b->edge_px &&
           a->fill == b->fill && a->edge == b->edge && a->alpha == b->alpha;
}

/* One place for each way to look; who comes later takes it. NULL: no memory. */
static SDL_Texture *box_get(struct sdl *s, const struct box *wanted)
{
    uint32_t hash = (uint32_t)wanted->w * 31 + (uint32_t)wanted->h;
    hash = (hash * 31 + wanted->fill) * 31 + wanted->edge;
    hash = ((hash * 31 + wanted->alpha) * 31 + (uint32_t)wanted->edge_px) * 2654435761u >> 16;
    struct box *b = &s->box[hash & (BOX_MAX - 1)];
    if (b->texture && box_same(b, wanted))
        return b->texture;
    if (b->texture)
        SDL_DestroyTexture(b->texture);
    *b = *wanted;
    b->texture = box_make(s, b);
    return b->texture;
}

static void forget_boxes(struct sdl *s)
{
    for (size_t i = 0; i < BOX_MAX; i++)
        if (s->box[i].texture)
            SDL_DestroyTexture(s->box[i].texture);
    for (size_t i = 0; i < PLOT_MAX; i++)
        if (s->plot[i].texture)
            SDL_DestroyTexture(s->plot[i].texture);
    memset(s->box, 0, sizeof(s->box));
    memset(s->plot, 0, sizeof(s->plot));
}

static void draw_box(struct sdl *s, const struct item *t)
{
    struct rect r = t->at;
    int radius = t->radius;
    if (radius * 2 > r.w || radius * 2 > r.h)
        radius = (r.w < r.h ? r.w : r.h) / 2;
    if (radius && r.w * r.h <= BOX_PIXELS) {
        SDL_Texture *whole =
            box_get(s, &(struct box){r.w, r.h, radius, t->edge == C_NONE ? 0 : t->edge_px, t->fill,
                                     t->edge, t->fill == C_NONE ? 0 : t->alpha, NULL});
        if (whole)
            SDL_RenderCopy(s->renderer, whole, NULL, &(SDL_Rect){r.x, r.y, r.w, r.h});
        return;
    }
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
    struct font *f = sdl_font(s, t->face, t->px);
    int x = t->at.x;
    for (uint32_t u = text_next(&text); u && f; u = text_next(&text)) {
        const struct glyph *g = sdl_glyph(s, f, u, t->fill);
        if (g->texture)
            SDL_RenderCopy(s->renderer, g->texture, NULL,
                           &(SDL_Rect){x, t->at.y + (t->at.h - g->h) / 2, g->w, g->h});
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
    SDL_Texture *disc = circle_get(s, radius, 0, t->fill, 255);
    if (disc)
        SDL_RenderCopy(s->renderer, disc, NULL, &to);
    SDL_Texture *ring = circle_get(s, radius, t->edge_px, t->edge, 255);
    if (ring)
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

static void draw_curve(struct sdl *s, const struct item *t, const struct point *p, int x, int y)
{
    for (size_t i = 1; i < t->count; i++)
        draw_piece(s, p[i - 1].x - x, p[i - 1].y - y, p[i].x - x, p[i].y - y, t->edge_px, t->fill);
}

/* All of a curve's pixels have its colour from the start and differ in alpha alone, so that what is
 * blended here can be blended once more. */
static SDL_Texture *plot_make(struct sdl *s, const struct item *t, const struct point *p,
                              SDL_Rect at)
{
    struct rgb c = theme_colour(s->theme, t->fill);
    SDL_Surface *surface = surface_make(at.w, at.h);
    SDL_Renderer *own = surface ? SDL_CreateSoftwareRenderer(surface) : NULL;
    if (!own) {
        SDL_FreeSurface(surface);
        return NULL;
    }
    SDL_FillRect(surface, NULL, (Uint32)c.r << 16 | (Uint32)c.g << 8 | c.b);
    SDL_Renderer *screen = s->renderer;
    s->renderer = own;
    SDL_SetRenderDrawBlendMode(own, SDL_BLENDMODE_BLEND);
    draw_curve(s, t, p, at.x, at.y);
    SDL_RenderFlush(own);
    s->renderer = screen;
    SDL_DestroyRenderer(own);
    return texture_of(s, surface);
}

static void draw_plot(struct sdl *s, const struct item *t, const struct point *p)
{
    int fringe = t->edge_px + 1;
    SDL_Rect at = {t->at.x - fringe, t->at.y - fringe, t->at.w + 2 * fringe, t->at.h + 2 * fringe};
    uint64_t hash = (uint64_t)t->fill << 32 | (uint64_t)t->edge_px;
    for (size_t i = 0; i < t->count; i++)
        hash = ((hash ^ (uint64_t)p[i].x) * 31 ^ (uint64_t)p[i].y) * UINT64_C(0x9e3779b97f4a7c15);
    struct plot *found = NULL;
    for (size_t i = 0; i < PLOT_MAX && !found; i++)
        if (s->plot[i].texture && s->plot[i].hash == hash)
            found = &s->plot[i];
    if (!found) {
        found = &s->plot[s->plots++ % PLOT_MAX];
        if (found->texture)
            SDL_DestroyTexture(found->texture);
        *found = (struct plot){hash, plot_make(s, t, p, at)};
    }
    if (found->texture)
        SDL_RenderCopy(s->renderer, found->texture, NULL, &at);
    else
        draw_curve(s, t, p, 0, 0);
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

void sdl_forget_shapes(struct sdl *s)
{
    forget_circles(s);
    forget_boxes(s);
}

void sdl_draw(struct sdl *s, const struct scene *scene, enum theme theme)
{
    if (s->fonts > FONTS_MAX / 2 || s->theme != theme)
        sdl_forget_fonts(s);
    if (s->theme != theme)
        sdl_forget_shapes(s);
    s->theme = theme;
    SDL_SetRenderDrawBlendMode(s->renderer, SDL_BLENDMODE_BLEND);
    set_colour(s, C_BACK, 255);
    SDL_RenderClear(s->renderer);
    for (size_t i = 0; i < scene->items; i++)
        draw_item(s, scene, &scene->item[i]);
    SDL_RenderPresent(s->renderer);
}
