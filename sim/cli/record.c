/* record.c: memwalk record: runs a program with the recorder inside and writes its traces.
 *
 * The program goes first in everything: it is judged before it is started, nothing is said while
 * it runs, and its exit status or signal becomes that of this command unless the trace could not
 * be written.
 */
#include "sim/cli/cli.h"
#include "sim/cli/launch.h"
#include "sim/cli/program.h"
#include "sim/cli/recording.h"
#include "traces/record_log.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MEMWALK_LIBDIR
#define MEMWALK_LIBDIR "/usr/local/lib/memwalk"
#endif

#define LIBRARY "libmemwalk-record.so"

enum {
    STATUS_BAD = 2,
    STATUS_FORBIDDEN = 126,
    STATUS_MISSING = 127,
};

enum { LINES_SAID = 20 }; /* files named one by one on standard error */

struct record_options {
    const char *output; /* NULL: named after the program */
    const char *dir;    /* of the raw recording; NULL: in memory */
    uint64_t limit;     /* bytes of the raw recording; 0: the default */
    bool main_only, quiet;
    char **program; /* argv of the program, ended by NULL */
};

/* ---- command line ---- */

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0,
     "Write the trace to FILE (default: PROGRAM.jsonl.zst). The end of its "
     "name says the form: .jsonl or .json, plain, .gz or .zst",
     0},
    {"main-only", 'm', NULL, 0, "Write only the trace of PROGRAM itself, not of its children", 0},
    {"limit", 'l', "MIB", 0,
     "Stop recording when the raw recording has MIB mebibytes, about 32,000 calls each (default: a "
     "quarter of the memory; with --dir 65536)",
     0},
    {"dir", 'd', "DIR", 0, "Keep the raw recording on the disk, in DIR, instead of in memory", 0},
    {"quiet", 'q', NULL, 0, "Say nothing when all went well", 0},
    {0},
};

static error_t parse_limit(const char *text, struct argp_state *state, uint64_t *bytes)
{
    char *end;
    errno = 0;
    unsigned long long mib = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || !mib || mib > (1 << 23))
        argp_error(state, "--limit: %s: not a number of mebibytes from 1 to %d", text, 1 << 23);
    *bytes = mib * MIB;
    return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct record_options *o = state->input;
    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case 'm':
        o->main_only = true;
        return 0;
    case 'l':
        return parse_limit(arg, state, &o->limit);
    case 'd':
        o->dir = arg;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case ARGP_KEY_ARG: /* the program; all that follows is its own */
        o->program = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no program to record");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    options,
    parse_option,
    "-- PROGRAM [ARGUMENT…]",
    "Runs PROGRAM and records every call of the malloc family that it, its threads and its "
    "children "
    "make, as a trace that the other commands replay.\v"
    "PROGRAM's output, exit status and signals stay its own. With several processes, or programs "
    "executed one after another, the first goes to FILE and the others to FILE with .1, .2, … put "
    "before the end of its name; each replays by itself.\n\n"
    "The recorder is " LIBRARY " beside this program, else in " MEMWALK_LIBDIR
    "; MEMWALK_RECORDER in the environment names another. The raw recording takes 32 bytes a call "
    "until the program has ended.",
    NULL,
    NULL,
    NULL,
};

/* ---- before the run ---- */

/* Directory of this executable, with the last slash; "" where it cannot be told. */
static void own_directory(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        slash[1] = 0;
}

static enum err find_recorder(char library[PATH_MAX], struct error *error)
{
    const char *chosen = getenv("MEMWALK_RECORDER");
    char dir[PATH_MAX], found[2 * PATH_MAX];
    own_directory(dir);
    snprintf(found, sizeof(found), "%s" LIBRARY, dir);
    if (chosen && *chosen)
        snprintf(found, sizeof(found), "%s", chosen);
    else if (access(found, R_OK))
        snprintf(found, sizeof(found), "%s/" LIBRARY, MEMWALK_LIBDIR);
    if (access(found, R_OK) || !realpath(found, library))
        return error_set(error, ERR_IO, found, 0, NULL, "the recorder is not there: %s",
                         strerror(errno));
    if (strpbrk(library, ": \t\n"))
        return error_set(error, ERR_USAGE, library, 0, NULL,
                         "the loader cannot preload from a path with spaces or colons");
    return ERR_NONE;
}

/* What would make the output fail is said before the program runs. */
static enum err check_output(const char *path, struct error *error)
{
    char dir[PATH_MAX];
    struct stat st;
    if (!strcmp(path, "-"))
        return error_set(error, ERR_USAGE, NULL, 0, "--output",
                         "standard output belongs to the program; name a file");
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        return error_set(error, ERR_IO, path, 0, NULL, "is a directory");
    const char *slash = strrchr(path, '/');
    if ((size_t)snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1,
                         slash ? path : ".") >= sizeof(dir))
        return error_set(error, ERR_IO, path, 0, NULL, "the name is too long");
    if (access(dir, W_OK | X_OK))
        return error_set(error, ERR_IO, path, 0, NULL, "cannot be written: %s", strerror(errno));
    return ERR_NONE;
}

/* "DIR/PROGRAM" → "PROGRAM.jsonl.zst" in the present directory. */
static void default_output(const char *program, char path[PATH_MAX])
{
    const char *slash = strrchr(program, '/');
    snprintf(path, PATH_MAX, "%s.jsonl.zst", slash ? slash + 1 : program);
}

/* ---- after the run ---- */

/* Length of the end that says the form: ".jsonl.zst" of "a.b.jsonl.zst". */
static size_t end_length(const char *path)
{
    static const char *const ends[] = {".jsonl.zst", ".jsonl.gz", ".jsonl", ".json.zst",
                                       ".json.gz",   ".json",     ".zst",   ".gz"};
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t k = strlen(ends[i]);
        if (n > k && !strcmp(path + n - k, ends[i]) && path[n - k - 1] != '/')
            return k;
    }
    return 0;
}

static void file_name(const char *output, size_t number, char path[PATH_MAX])
{
    size_t end = end_length(output);
    int stem = (int)(strlen(output) - end);
    if (number)
        snprintf(path, PATH_MAX, "%.*s.%zu%s", stem, output, number, output + stem);
    else
        snprintf(path, PATH_MAX, "%s", output);
}

/* A forked child that never allocated (most call exec at once) has nothing to tell. */
static bool has_file(const struct recording *r, size_t i, const struct record_options *o)
{
    return !i || (!o->main_only && recording_image(r, i)->calls);
}

/* The number of the file of image i; files are counted in the order of the images. */
static size_t file_number(const struct recording *r, size_t i, const struct record_options *o)
{
    size_t number = 0;
    for (size_t k = 0; k < i; k++)
        number += has_file(r, k, o);
    return number;
}

static void describe(const struct recording *r, size_t i, char *text, size_t size)
{
    const struct recording_image *image = recording_image(r, i);
    if (image->parent == RECORDING_NONE)
        snprintf(text, size, "Recorded from a run of %s.", image->name);
    else
        snprintf(text, size,
                 "Recorded from a forked copy of %s. It begins with the %" PRIu64
                 " calls of the parent before the fork, which made its heap.",
                 image->name, image->fork);
}

static void say_counts(const char *path, const struct recording_counts *c)
{
    if (c->unknown)
        fprintf(stderr, "memwalk: %s: left out %" PRIu64 " frees of pointers of unknown origin\n",
                path, c->unknown);
    if (c->dead)
        fprintf(stderr, "memwalk: %s: %" PRIu64 " calls on blocks that had been freed\n", path,
                c->dead);
    if (c->vanished)
        fprintf(stderr, "memwalk: %s: added frees for %" PRIu64 " blocks that went unseen\n", path,
                c->vanished);
}

static enum err write_image(const struct recording *r, size_t i, const struct record_options *o,
                            struct error *error)
{
    char path[PATH_MAX], note[512];
    struct recording_counts counts;
    const struct recording_image *image = recording_image(r, i);
    size_t number = file_number(r, i, o);
    file_name(o->output, number, path);
    describe(r, i, note, sizeof(note));
    enum err err = recording_write(r, i, path, note, &counts, error);
    if (err || o->quiet)
        return err;
    if (number < LINES_SAID)
        fprintf(stderr, "memwalk: %s: %" PRIu64 " ops of %s%.60s\n", path, counts.ops,
                image->parent == RECORDING_NONE ? "" : "a fork of ", image->command);
    say_counts(path, &counts);
    return ERR_NONE;
}

static enum err write_images(const struct recording *r, const struct record_options *o,
                             struct error *error)
{
    if (!recording_images(r))
        return error_set(error, ERR_IO, o->program[0], 0, NULL,
                         "nothing was recorded: the recorder did not get into the program");
    for (size_t i = 0; i < recording_images(r); i++) {
        enum err err = has_file(r, i, o) ? write_image(r, i, o, error) : ERR_NONE;
        if (err)
            return err;
    }
    if (recording_lost(r))
        return error_set(error, ERR_LIMIT, o->output, 0, NULL,
                         "the recording ran out of room: the traces end early, the last %" PRIu64
                         " calls are missing",
                         recording_lost(r));
    return ERR_NONE;
}

static void say_rest(const struct recording *r, const struct record_options *o)
{
    char path[PATH_MAX];
    size_t files = file_number(r, recording_images(r), o);
    if (files <= LINES_SAID)
        return;
    file_name(o->output, files - 1, path);
    fprintf(stderr, "memwalk: … up to %s: %zu files; each names its command line at its head\n",
            path, files);
}

/* What the traces do not hold is said even where it is nobody's fault. */
static void say_limits(const struct recording *r)
{
    size_t running = 0;
    for (size_t i = 0; i < recording_images(r); i++) {
        const struct recording_image *image = recording_image(r, i);
        bool last = true; /* of its process: a later exec replaces an image */
        for (size_t k = i + 1; k < recording_images(r); k++)
            last &= recording_image(r, k)->pid != image->pid;
        running += last && (!kill(image->pid, 0) || errno == EPERM);
    }
    if (running)
        fprintf(stderr, "memwalk: still running: %zu processes; their traces end here\n", running);
    if (recording_nested(r))
        fprintf(stderr, "memwalk: not recorded: %" PRIu64 " calls inside signal handlers\n",
                recording_nested(r));
}

static enum err write_traces(int fd, const struct record_options *o, struct error *error)
{
    struct recording *r;
    enum err err = recording_open(&r, fd, error);
    if (err)
        return err;
    err = write_images(r, o, error);
    if (!err && !o->quiet) {
        say_rest(r, o);
        say_limits(r);
    }
    recording_close(r);
    return err;
}

/* ---- the run ---- */

/* Runs the program with the recorder in front of whatever else is preloaded. */
static int run(const struct record_options *o, const char *library, int fd, int *status)
{
    char session[64], preload[2 * PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    snprintf(session, sizeof(session), "/proc/%d/fd/%d", (int)getpid(), fd);
    snprintf(preload, sizeof(preload), "%s%s%s", library, others && *others ? ":" : "",
             others ? others : "");
    const char *const environment[2][2] = {{"LD_PRELOAD", preload}, {LOG_ENV, session}};
    return launch(o->program, environment, status);
}

static int fail(const struct error *error, int status)
{
    error_print(error, stderr);
    return status;
}

static int record(const struct record_options *o)
{
    static const int status_of[] = {[PROGRAM_MISSING] = STATUS_MISSING,
                                    [PROGRAM_FORBIDDEN] = STATUS_FORBIDDEN,
                                    [PROGRAM_UNRECORDED] = STATUS_BAD};
    struct error error;
    char library[PATH_MAX];
    int fd, status = 0;
    if (check_output(o->output, &error) || find_recorder(library, &error))
        return fail(&error, STATUS_BAD);
    enum program_verdict verdict = program_judge(o->program[0], &error);
    if (verdict != PROGRAM_OK)
        return fail(&error, status_of[verdict]);
    if (recording_create(&fd, o->dir, o->limit, &error))
        return fail(&error, STATUS_BAD);
    int refused = run(o, library, fd, &status);
    if (refused) {
        error_set(&error, ERR_IO, o->program[0], 0, NULL, "%s", strerror(refused));
        return fail(&error, refused == ENOENT ? STATUS_MISSING : STATUS_FORBIDDEN);
    }
    enum err err = write_traces(fd, o, &error);
    close(fd);
    return err ? fail(&error, STATUS_BAD) : launch_echo(status);
}

int cli_record(int argc, char **argv)
{
    struct record_options o = {0};
    char output[PATH_MAX];
    argp_err_exit_status = STATUS_BAD;
    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o))
        return STATUS_BAD;
    if (!o.output) {
        default_output(o.program[0], output);
        o.output = output;
    }
    return record(&o);
}
