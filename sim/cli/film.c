/* film.c: 'memwalk film': a stretch of a run as GIF, WebM or MP4.
 *
 * The pictures come from the window's own code; packing them is ffmpeg's work, which gets them
 * through a pipe. Nothing of it is linked in, so memwalk runs where ffmpeg is not installed.
 */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/cli/picture.h"
#include "sim/cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    KEY_FROM = 0x600,
    KEY_TO,
    KEY_SIZE,
    KEY_SCALE,
    KEY_THEME,
    KEY_LANG,
    KEY_GRAIN,
    KEY_SPEED,
    KEY_RATE
};

#define RATE_MOST  60
#define SPEED_MOST 100 /* steps a second */

struct film {
    struct cli_options common;
    struct viz_options viz;
    struct viz_film film;
    const char *path;
    pid_t pid; /* of ffmpeg; 0: not started */
    int pipe;
    size_t bytes; /* of one picture */
    struct progress progress;
};

/* ---- options ---- */

static const struct argp_option options[] = {
    {"output", 'O', "FILE", 0, "Where to write: .gif, .webm or .mp4", 1},
    {"from", KEY_FROM, "N[.K]", 0, "Begin after event K of op N (default: 1.0)", 1},
    {"to", KEY_TO, "N[.K]", 0, "End after event K of op N, without K after all of it", 1},
    {"grain", KEY_GRAIN, "NAME", 0, "What a step is: step, access, op or stop (default step)", 1},
    {"speed", KEY_SPEED, "S", 0, "Steps a second, 0.25 to 100 (default 2)", 1},
    {"rate", KEY_RATE, "N", 0, "Pictures a second, 1 to 60 (default 25)", 1},
    {"size", KEY_SIZE, "WxH", 0, "Pixels of the picture, both even (default 1280x720)", 2},
    {"scale", KEY_SCALE, "S", 0, "Size of text, 0.5 to 3 (default 1)", 2},
    {"theme", KEY_THEME, "NAME", 0, "dark, light or contrast (default dark)", 2},
    {"lang", KEY_LANG, "NAME", 0, "Language of all words: en or de (default en)", 2},
    {0},
};

static unsigned parse_grain(const struct argp_state *state, const char *text)
{
    const char *const *names = viz_grains();
    char near[128];
    unsigned count = 0;
    for (; names[count]; count++)
        if (strcmp(names[count], text) == 0)
            return count;
    argp_error(state, "--grain: there is no grain \"%s\"%s", text,
               cli_near(text, names, count, near));
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct film *f = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        return 0;
    case 'O':
        f->path = arg;
        return 0;
    case KEY_FROM:
        f->viz.at = cli_picture_moment(state, "--from", arg, 0);
        return 0;
    case KEY_TO:
        f->film.to = cli_picture_moment(state, "--to", arg, UINT64_MAX);
        return 0;
    case KEY_GRAIN:
        f->film.grain = parse_grain(state, arg);
        return 0;
    case KEY_SPEED:
        f->film.speed = (int)(cli_decimal(state, "--speed", arg, 0.25, SPEED_MOST) * 100 + 0.5);
        return 0;
    case KEY_RATE:
        f->film.rate = (uint64_t)cli_decimal(state, "--rate", arg, 1, RATE_MOST);
        return 0;
    case KEY_SIZE:
        cli_picture_size(state, arg, &f->viz);
        if (f->viz.width % 2 || f->viz.height % 2)
            argp_error(state, "--size: \"%s\": films need even numbers of pixels", arg);
        return 0;
    case KEY_SCALE:
        f->viz.scale = (int)(cli_decimal(state, "--scale", arg, 0.5, 3) * 1000 + 0.5);
        return 0;
    case KEY_THEME:
        cli_picture_theme(state, arg, &f->viz);
        return 0;
    case KEY_LANG:
        cli_picture_lang(state, arg, &f->viz);
        return 0;
    case ARGP_KEY_END:
        if (!f->path)
            argp_error(state, "--output is missing: where shall the film go?");
        return 0;
    default:
        return cli_trace_argument(&f->common, key, arg, state);
    }
}

/* ---- ffmpeg ---- */

struct format {
    const char *end, *muxer;
    const char *how[5]; /* options of the encoder */
};

static const struct format formats[] = {
    {".gif",
     "gif",
     {"-filter_complex",
      "split[a][b];[a]palettegen=stats_mode=diff[p];[b][p]paletteuse=dither=none"}},
    {".webm", "webm", {"-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p"}},
    {".mp4", "mp4", {"-c:v", "libx264", "-pix_fmt", "yuv420p"}},
};

static const struct format *format_of(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        size_t n = strlen(formats[i].end);
        if (length > n && strcmp(path + length - n, formats[i].end) == 0)
            return &formats[i];
    }
    return NULL;
}

static enum err encoder_start(struct film *f, const struct format *format, const char *part,
                              struct error *e)
{
    char size[32], rate[16];
    int fd[2];
    snprintf(size, sizeof(size), "%dx%d", f->viz.width, f->viz.height);
    snprintf(rate, sizeof(rate), "%" PRIu64, f->film.rate);
    const char *argv[40] = {"ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt",
                            "bgr0",   "-s",       size, "-r",    rate, "-i", "pipe:0"};
    size_t n = 15;
    for (size_t i = 0; format->how[i]; i++)
        argv[n++] = format->how[i];
    argv[n++] = "-f";
    argv[n++] = format->muxer;
    argv[n++] = part;
    if (pipe(fd) != 0)
        return error_set(e, ERR_IO, NULL, 0, NULL, "no pipe to ffmpeg: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd[0], 0);
    posix_spawn_file_actions_addclose(&actions, fd[0]);
    posix_spawn_file_actions_addclose(&actions, fd[1]);
    /* posix_spawnp only reads its arguments. */
    int error = posix_spawnp(&f->pid, "ffmpeg", &actions, NULL, (char **)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fd[0]);
    f->pipe = fd[1];
    if (!error)
        return ERR_NONE;
    close(fd[1]);
    f->pid = 0;
    return error_set(e, ERR_IO, NULL, 0, NULL,
                     "films need ffmpeg (package ffmpeg), which does not "
                     "start: %s",
                     strerror(error));
}

static bool take(void *ctx, const void *pixels, uint64_t number)
{
    struct film *f = ctx;
    const char *at = pixels;
    size_t left = f->bytes;
    progress_tick(&f->progress, number, 0);
    while (left) {
        ssize_t n = write(f->pipe, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false; /* ffmpeg has ended; its status says so */
        at += n;
        left -= (size_t)n;
    }
    return true;
}

/* Ends the encoder; true: it has written everything. */
static bool encoder_end(struct film *f)
{
    int status;
    close(f->pipe);
    while (waitpid(f->pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- the command ---- */

static enum err shoot(struct film *f, const struct format *format, const char *part,
                      struct error *e)
{
    f->bytes = (size_t)f->viz.width * (size_t)f->viz.height * 4;
    f->film.take = take;
    f->film.ctx = f;
    enum err err = encoder_start(f, format, part, e);
    if (err)
        return err;
    progress_start(&f->progress, "filming");
    err = viz_film(&f->viz, &f->film, e);
    bool good = encoder_end(f);
    progress_end(&f->progress);
    if (!err && !good)
        err = error_set(e, ERR_IO, f->path, 0, NULL, "ffmpeg could not write it");
    if (!err && rename(part, f->path) != 0)
        err = error_set(e, ERR_IO, f->path, 0, NULL, "cannot be written: %s", strerror(errno));
    if (err)
        remove(part);
    return err;
}

static enum err film(struct film *f, const struct trace *trace, struct error *e)
{
    struct config config;
    const struct format *format = format_of(f->path);
    if (!format)
        return error_set(e, ERR_USAGE, f->path, 0, "--output",
                         "a film ends in .gif, .webm or .mp4");
    enum err err = cli_configure(&f->common, &trace->header, &config, e);
    if (err)
        return err;
    if (f->viz.at.op > trace->count)
        return error_set(e, ERR_VALUE, NULL, 0, "--from", "the trace has %zu ops", trace->count);
    char *part = NULL;
    if (asprintf(&part, "%s.part", f->path) < 0)
        return error_set(e, ERR_MEMORY, f->path, 0, NULL, "no memory for its name");
    f->viz.run = (struct viz_run){
        .trace = trace, .config = &config, .name = trace->header.name, .command = ""};
    err = shoot(f, format, part, e);
    f->viz.run = (struct viz_run){0}; /* the configuration ends here */
    free(part);
    return err;
}

int cli_film(int argc, char **argv)
{
    static const struct argp_child groups[] = {{&cli_machine_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Film a stretch of a run as the window shows it: every micro-step from one moment "
               "to another, with its motion, twice as long at faults. ffmpeg packs the pictures.",
        .children = groups,
    };
    struct film f = {.common = {.command = argv[0]},
                     .viz = {.width = 1280,
                             .height = 720,
                             .scale = 1000,
                             .theme = viz_themes()[0],
                             .at = {1, 0}},
                     .film = {.to = {UINT64_MAX, UINT64_MAX}, .speed = 200, .rate = 25}};
    struct error e;
    struct trace *trace;
    cli_parse(&argp, argc, argv, false, &f);
    if (trace_load(&trace, f.common.trace, &e))
        return cli_fail(&e);
    enum err err = film(&f, trace, &e);
    trace_free(trace);
    return err ? cli_fail(&e) : STATUS_OK;
}
