/* access.c: 'memwalk access': a stream of memory accesses through the whole machine.
 *
 * Two forms: raw little-endian 64-bit virtual addresses (.u64; each a load of one byte), and the
 * text of valgrind --tool=lackey --trace-mem=yes ("I  04001000,3", " L 1ffefffe7,8", " S …",
 * " M …" for load and store). A pipe is as good as a file; nothing is held.
 */
#include "sim/access.h"

#include "sim/cli/cli.h"
#include "sim/cli/progress.h"
#include "sim/cli/report.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH          4096
#define LINE_MAX_BYTES 256
#define SIZE_LIMIT     4096 /* bytes of one access in a text */

enum { KEY_FORM = 0x700, KEY_WRITE };
enum form { FORM_GUESS, FORM_RAW, FORM_LACKEY };

struct access_options {
    struct cli_options common;
    enum form form;
    bool write;
};

static const struct argp_option options[] = {
    {"form", KEY_FORM, "u64|lackey", 0, "What STREAM holds; else its name tells (.u64: raw)", 4},
    {"write", KEY_WRITE, 0, 0, "Raw addresses are stores, not loads", 4},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct access_options *o = state->input;
    switch (key) {
    case KEY_FORM:
        o->form = strcmp(arg, "u64") == 0 ? FORM_RAW : FORM_LACKEY;
        if (o->form == FORM_LACKEY && strcmp(arg, "lackey") != 0)
            argp_error(state, "--form: \"%s\" is not u64 or lackey", arg);
        return 0;
    case KEY_WRITE:
        o->write = true;
        return 0;
    case ARGP_KEY_INIT:
        for (unsigned i = 0; i < 2; i++)
            state->child_inputs[i] = &o->common;
        return 0;
    case ARGP_KEY_END:
        if (!o->common.trace)
            argp_error(state, "a STREAM is missing");
        return 0;
    case ARGP_KEY_ARG:
        if (o->common.trace)
            argp_error(state, "one STREAM is enough; \"%s\" is too many", arg);
        o->common.trace = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct feed {
    const struct access_options *o;
    const char *path;
    FILE *in;
    struct access_run *run;
    struct progress progress;
    uint64_t total; /* bytes of the file; 0: unknown */
};

/* An error of the machine, told with its place in the stream. */
static enum err at_place(struct feed *f, uint64_t line, const char *place, enum err err,
                         struct error *e)
{
    char reason[sizeof(e->reason)];
    snprintf(reason, sizeof(reason), "%.200s", e->reason);
    return error_set(e, err, f->path, line, place, "%s", reason);
}

/* ---- raw ---- */

static uint64_t little_endian(const uint8_t *b)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)b[i] << (8 * i);
    return v;
}

static enum err feed_raw(struct feed *f, struct error *e)
{
    static const char cut[] = "the stream ends inside an address: its length is no multiple of 8";
    uint8_t bytes[8 * BATCH];
    va_t va[BATCH];
    uint64_t count = 0;
    size_t n;
    while ((n = fread(bytes, 1, sizeof(bytes), f->in)) > 0) {
        size_t done;
        size_t whole = n / 8;
        for (size_t i = 0; i < whole; i++)
            va[i] = little_endian(bytes + 8 * i);
        enum err err =
            access_touch(f->run, va, whole, f->o->write ? ACCESS_WRITE : ACCESS_READ, &done, e);
        if (err) {
            char place[48];
            snprintf(place, sizeof(place), "address %" PRIu64 " (byte %" PRIu64 ")",
                     count + done + 1, 8 * (count + done));
            return at_place(f, 0, place, err, e);
        }
        if (n % 8)
            return error_set(e, ERR_SYNTAX, f->path, 0, NULL, "%s", cut);
        count += whole;
        progress_tick(&f->progress, 8 * count, f->total);
    }
    return ERR_NONE;
}

/* ---- lackey ---- */

/* "I  04001000,3" or " L 1ffefffe70,8": the kind letter, the address, the size. */
static bool parse_lackey(const char *line, char *kind, va_t *va, uint64_t *size)
{
    while (*line == ' ')
        line++;
    *kind = *line;
    if (!*kind || !strchr("ILSM", *kind) || line[1] != ' ')
        return false;
    line += strspn(line + 1, " ") + 1;
    char *end;
    errno = 0;
    if (!isxdigit((unsigned char)*line))
        return false;
    *va = strtoull(line, &end, 16);
    if (errno || *end != ',' || !isdigit((unsigned char)end[1]))
        return false;
    *size = strtoull(end + 1, &end, 10);
    return !errno && (*end == '\n' || *end == '\0' || *end == '\r');
}

static enum err do_lackey(struct feed *f, char kind, va_t va, uint64_t size, struct error *e)
{
    if (kind == 'I')
        return access_bytes(f->run, va, size, ACCESS_FETCH, e);
    enum err err = ERR_NONE;
    if (kind == 'L' || kind == 'M')
        err = access_bytes(f->run, va, size, ACCESS_READ, e);
    if (!err && (kind == 'S' || kind == 'M'))
        err = access_bytes(f->run, va, size, ACCESS_WRITE, e);
    return err;
}

/* Valgrind's own messages ("==123== …") stand among the lines and are passed over, to their end
 * however long: they may quote a command line. */
static bool pass_message(struct feed *f, const char *text)
{
    if (strncmp(text, "==", 2) != 0 && strncmp(text, "--", 2) != 0 && text[0] != '\n')
        return false;
    int c = strchr(text, '\n') ? '\n' : 0;
    while (c != '\n' && c != EOF)
        c = getc(f->in);
    return true;
}

static enum err feed_lackey(struct feed *f, struct error *e)
{
    char text[LINE_MAX_BYTES];
    uint64_t bytes = 0;
    for (uint64_t line = 1; fgets(text, sizeof(text), f->in); line++) {
        char kind;
        va_t va;
        uint64_t size;
        bytes += strlen(text);
        if (pass_message(f, text))
            continue;
        if (!parse_lackey(text, &kind, &va, &size))
            return error_set(e, ERR_SYNTAX, f->path, line, NULL,
                             "this is not a line of lackey (I, L, S or M, then address,size)");
        if (size == 0 || size > SIZE_LIMIT)
            return error_set(e, ERR_VALUE, f->path, line, "size", "must be 1 to %d", SIZE_LIMIT);
        enum err err = do_lackey(f, kind, va, size, e);
        if (err)
            return at_place(f, line, NULL, err, e);
        if (line % BATCH == 0)
            progress_tick(&f->progress, bytes, f->total);
    }
    return ERR_NONE;
}

/* ---- the command ---- */

static bool is_raw(const struct access_options *o)
{
    size_t length = strlen(o->common.trace);
    if (o->form != FORM_GUESS)
        return o->form == FORM_RAW;
    return length > 4 && strcmp(o->common.trace + length - 4, ".u64") == 0;
}

static enum err open_stream(struct feed *f, struct error *e)
{
    bool standard = strcmp(f->path, "-") == 0;
    f->in = standard ? stdin : fopen(f->path, "rb");
    if (!f->in)
        return error_set(e, ERR_IO, f->path, 0, NULL, "%s", strerror(errno));
    if (!standard && fseek(f->in, 0, SEEK_END) == 0) {
        long end = ftell(f->in);
        f->total = end > 0 ? (uint64_t)end : 0;
        rewind(f->in);
    }
    return ERR_NONE;
}

static enum err feed_all(struct feed *f, struct error *e)
{
    progress_start(&f->progress, "accessing");
    enum err err = is_raw(f->o) ? feed_raw(f, e) : feed_lackey(f, e);
    int why = errno; /* of the last read, if that failed */
    progress_end(&f->progress);
    if (!err && ferror(f->in))
        err = error_set(e, ERR_IO, f->path, 0, NULL, "cannot be read: %s", strerror(why));
    return err;
}

int cli_access(int argc, char **argv)
{
    static const struct argp_child groups[] = {
        {&cli_machine_argp, 0, 0, 0}, {&cli_json_argp, 0, 0, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "STREAM",
        .doc = "Drive the MMU with a stream of memory accesses: raw little-endian 64-bit virtual "
               "addresses (.u64), or the text of valgrind --tool=lackey --trace-mem=yes; a file, "
               "or - for standard input. Pages get frames on first touch.",
        .children = groups,
    };
    struct access_options o = {.common = {.command = "memwalk access"}};
    cli_parse(&argp, argc, argv, false, &o);
    struct error e = {0};
    struct report report = {.title = o.common.trace};
    struct feed f = {.o = &o, .path = o.common.trace};
    struct timespec start;
    struct timespec end;
    enum err err = cli_configure(&o.common, NULL, &report.config, &e);
    if (!err)
        err = open_stream(&f, &e);
    if (!err)
        err = access_open(&f.run, &report.config, &e);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (!err)
        err = feed_all(&f, &e);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int status = err ? cli_fail(&e) : STATUS_OK;
    if (!err) {
        stats_read(&report.stats, access_sim(f.run), NULL);
        report.stats.seconds =
            (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
        if (o.common.json)
            status = cli_json_print(report_json(&report));
        else
            report_print(&report);
    }
    if (f.in && f.in != stdin)
        fclose(f.in);
    access_close(f.run);
    return status;
}
