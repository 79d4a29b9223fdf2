/* export.c: moments as files: pictures (PNG, SVG), and stretches of time as the pictures of a film.
 *
 * They are drawn in memory by the same calls as the window, so a file shows what the screen shows.
 */
#include "viz/svg.h"
#include "viz/window.h"

/* The picture of one moment, drawn in memory; w is to be closed by the caller, whatever happens. */
static enum err picture(struct window *w, const struct viz_options *o, struct error *error)
{
    enum err err = window_open(w, o, error);
    if (!err)
        err = sdl_open_picture(&w->sdl, o->width, o->height, error);
    if (err)
        return err;
    while (w->open && survey_run(w->travel.survey, 1000))
        continue;
    if (!w->open) {
        window_draw(w);
        return ERR_NONE;
    }
    travel_to(&w->travel, o->at);
    while (pair_run(&w->pair, 1000))
        continue;
    window_begin(w);
    window_command(w, w->view.caption, sizeof(w->view.caption));
    window_draw(w);
    return ERR_NONE;
}

enum err viz_png(const struct viz_options *o, const char *path, struct error *error)
{
    struct window w = {0};
    enum err err = picture(&w, o, error);
    if (!err)
        err = sdl_save(w.sdl, path, error);
    window_close(&w);
    return err;
}

enum err viz_svg(const struct viz_options *o, const char *path, struct error *error)
{
    struct window w = {0};
    enum err err = picture(&w, o, error);
    if (!err)
        err = svg_save(&w.scene, w.view.theme, w.view.caption, path, error);
    window_close(&w);
    return err;
}

/* ---- searching ---- */

enum err viz_find(const struct viz_run *run, const char *text, struct moment *found,
                  struct error *error)
{
    struct query query;
    struct hits *hits;
    enum err err = query_parse(&query, text, error);
    if (!err)
        err = hits_open(&hits, run->config, run->trace, hits_query, &query, error);
    if (err)
        return err;
    if (!hits_find(hits, (struct moment){0, 0}, 1, 1, UINT64_MAX, found))
        err = error_set(error, ERR_VALUE, run->path, 0, NULL, "no event of the run is \"%s\"",
                        query.text);
    hits_close(hits);
    return err;
}

/* ---- films ---- */

struct filming {
    struct window *w;
    const struct viz_film *film;
    uint64_t shot; /* pictures so far */
    uint64_t ms;   /* of the film's own time that pictures have been taken for */
};

/* Takes pictures until the film's time has come to ms. false: nobody takes them any more. */
static bool shoot(struct filming *f, uint64_t began, uint64_t ms)
{
    struct view *v = &f->w->view;
    for (; f->shot * 1000 < ms * f->film->rate; f->shot++) {
        uint64_t now = f->shot * 1000 / f->film->rate;
        uint64_t since = now > began ? now - began : 0;
        if (v->phase < PHASE_DONE)
            v->phase = since >= MOTION_MS ? PHASE_DONE : (int)(since * PHASE_DONE / MOTION_MS);
        window_draw(f->w);
        if (!f->film->take(f->film->ctx, sdl_pixels(f->w->sdl), f->shot))
            return false;
    }
    f->ms = ms;
    return true;
}

/* The last picture stays as long as one step. */
static void shoot_all(struct filming *f)
{
    struct window *w = f->w;
    bool more = true;
    while (more) {
        uint64_t began = f->ms;
        more = shoot(f, began, began + max_u64(window_pace(w), 1000 / f->film->rate));
        more = more && moment_before(w->view.now, f->film->to) && window_step(w, 1);
    }
}

enum err viz_film(const struct viz_options *o, const struct viz_film *film, struct error *error)
{
    struct window w = {0};
    enum err err = picture(&w, o, error);
    w.view.caption[0] = '\0'; /* it would name one moment only */
    w.view.grain = film->grain;
    w.view.speed = film->speed;
    if (!err)
        shoot_all(&(struct filming){.w = &w, .film = film});
    window_close(&w);
    return err;
}
