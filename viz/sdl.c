/* sdl.c: the host's window, its input, and pictures in files. With sdl_draw.c and sdl_font.c the
 * only files that know SDL, so that everything else can be tested without a screen.
 */
#include "viz/sdl.h"

#include "traces/output.h"
#include "viz/keys.h"
#include "viz/sdl_own.h"

#include <SDL_image.h>
#include <fontconfig/fontconfig.h>
#include <stdlib.h>
#include <string.h>

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
    (*s)->metrics = (struct metrics){.ctx = *s, .advance = sdl_advance};
    if (TTF_Init() != 0)
        return fail(s, error, "the font library does not start");
    enum err err = sdl_find_fonts(*s, error);
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

/* Where there is no screen SDL takes a driver that shows nothing. Only who asks for that wants it.
 */
static bool nobody_sees(void)
{
    const char *driver = SDL_GetCurrentVideoDriver();
    if (getenv("SDL_VIDEODRIVER") || !driver)
        return false;
    return strcmp(driver, "dummy") == 0 || strcmp(driver, "offscreen") == 0;
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
    if (nobody_sees()) {
        SDL_SetError("neither DISPLAY nor WAYLAND_DISPLAY leads to one");
        return fail(sdl, error, "no display (use --png FILE for a picture)");
    }
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
    SDL_free(s->dropped);
    sdl_forget_fonts(s);
    sdl_forget_shapes(s);
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
    if (!s->window)
        return sdl_save(s, path, error);
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

/* SDL writes into an output as into any stream. */
static size_t SDLCALL stream_write(SDL_RWops *stream, const void *bytes, size_t size, size_t count)
{
    struct error error;
    struct output *output = stream->hidden.unknown.data1;
    return output_write(output, bytes, size * count, &error) ? 0 : count;
}

enum err sdl_save(struct sdl *s, const char *path, struct error *error)
{
    struct output *output;
    enum err err = output_open(&output, path, error);
    if (err)
        return err;
    SDL_RWops *stream = SDL_AllocRW();
    if (stream) {
        stream->write = stream_write;
        stream->hidden.unknown.data1 = output;
        if (IMG_SavePNG_RW(s->surface, stream, 0) != 0)
            err = error_set(error, ERR_IO, path, 0, NULL, "cannot be written: %s", SDL_GetError());
        SDL_FreeRW(stream);
    } else {
        err = error_set(error, ERR_MEMORY, path, 0, NULL, "no memory to write it");
    }
    enum err closed = output_close(output, !err, err ? NULL : error);
    return err ? err : closed;
}

void sdl_full_screen(struct sdl *s)
{
    if (!s->window)
        return;
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
    case SDLK_F9:
        return KEY_F9;
    case SDLK_F11:
        return KEY_F11;
    case SDLK_UP:
        return KEY_UP;
    case SDLK_DOWN:
        return KEY_DOWN;
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

static struct input key_input(struct sdl *s, const SDL_KeyboardEvent *e)
{
    s->key_mods = e->keysym.mod;
    struct input in = {.kind = INPUT_KEY, .key = special_key(e->keysym.sym)};
    in.mods =
        (e->keysym.mod & KMOD_CTRL ? MOD_CTRL : 0) | (e->keysym.mod & KMOD_SHIFT ? MOD_SHIFT : 0);
    if (!in.key && in.mods & MOD_CTRL && e->keysym.sym < 128)
        in.key = e->keysym.sym;
    if (!in.key)
        in.kind = INPUT_NONE;
    return in;
}

/* The text of a key comes after the key. What is held now may belong to a later one. */
static struct input text_input(const struct sdl *s, const SDL_TextInputEvent *e)
{
    unsigned char c = (unsigned char)e->text[0];
    struct input in = {.kind = c < 128 ? INPUT_KEY : INPUT_NONE, .key = c};
    if (s->key_mods & KMOD_CTRL)
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

static enum input_kind pressed(const SDL_MouseButtonEvent *e)
{
    switch (e->button) {
    case SDL_BUTTON_LEFT:
        return e->clicks == 2 ? INPUT_DOUBLE : INPUT_PRESS;
    case SDL_BUTTON_RIGHT:
        return INPUT_MENU;
    case SDL_BUTTON_MIDDLE:
        return INPUT_PAN;
    default:
        return INPUT_NONE;
    }
}

static struct input drop_input(struct sdl *s, char *file)
{
    SDL_free(s->dropped);
    s->dropped = file;
    return (struct input){.kind = file ? INPUT_DROP : INPUT_NONE, .text = file};
}

static struct input translate(struct sdl *s, const SDL_Event *e)
{
    switch (e->type) {
    case SDL_QUIT:
        return (struct input){.kind = INPUT_QUIT};
    case SDL_KEYDOWN:
        return key_input(s, &e->key);
    case SDL_TEXTINPUT:
        return text_input(s, &e->text);
    case SDL_MOUSEMOTION:
        return mouse_input(s, INPUT_MOVE, e->motion.x, e->motion.y);
    case SDL_MOUSEBUTTONDOWN:
        return mouse_input(s, pressed(&e->button), e->button.x, e->button.y);
    case SDL_MOUSEBUTTONUP:
        return mouse_input(s, INPUT_RELEASE, e->button.x, e->button.y);
    case SDL_DROPFILE:
        return drop_input(s, e->drop.file);
    case SDL_MOUSEWHEEL:
        return (struct input){.kind = INPUT_WHEEL,
                              .y = e->wheel.y,
                              .mods = SDL_GetModState() & KMOD_CTRL ? MOD_CTRL : 0};
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
