/* stream.c: gzip and zstd behind a FILE, so that whoever writes need not know. */
#include "sim/cli/stream.h"

#include "sim/base/types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* ---- gzip ---- */

static ssize_t gz_write(void *cookie, const char *bytes, size_t n)
{
    return gzwrite(cookie, bytes, (unsigned)n) == (int)n ? (ssize_t)n : 0;
}

static int gz_close(void *cookie)
{
    return gzclose(cookie) == Z_OK ? 0 : -1;
}

static FILE *gz_open(const char *path)
{
    gzFile gz = gzopen(path, "wbe");
    if (!gz)
        return NULL;
    FILE *out = fopencookie(gz, "w", (cookie_io_functions_t){.write = gz_write, .close = gz_close});
    if (!out)
        gzclose(gz);
    return out;
}

/* ---- zstd ---- */

struct zst {
    ZSTD_CCtx *stream;
    FILE *file;
    size_t size;
    char buffer[];
};

static bool zst_push(struct zst *z, const char *bytes, size_t n, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {bytes, n, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {z->buffer, z->size, 0};
        left = ZSTD_compressStream2(z->stream, &out, &in, how);
        if (ZSTD_isError(left) || fwrite(z->buffer, 1, out.pos, z->file) != out.pos)
            return false;
    } while (in.pos < in.size || (how == ZSTD_e_end && left));
    return true;
}

static ssize_t zst_write(void *cookie, const char *bytes, size_t n)
{
    return zst_push(cookie, bytes, n, ZSTD_e_continue) ? (ssize_t)n : 0;
}

static int zst_close(void *cookie)
{
    struct zst *z = cookie;
    bool good = zst_push(z, NULL, 0, ZSTD_e_end);
    good = fclose(z->file) == 0 && good;
    ZSTD_freeCCtx(z->stream);
    free(z);
    return good ? 0 : -1;
}

static FILE *zst_open(const char *path)
{
    size_t size = ZSTD_CStreamOutSize();
    struct zst *z = malloc(sizeof(*z) + size);
    FILE *file = fopen(path, "wbe");
    FILE *out = NULL;
    if (z && file) {
        *z = (struct zst){ZSTD_createCCtx(), file, size};
        out = fopencookie(z, "w", (cookie_io_functions_t){.write = zst_write, .close = zst_close});
    }
    if (!out) {
        if (z && file)
            ZSTD_freeCCtx(z->stream);
        if (file)
            fclose(file);
        free(z);
    }
    return out;
}

/* ---- both ---- */

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path);
    size_t m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

FILE *stream_open(const char *path, struct error *e)
{
    if (strcmp(path, "-") == 0)
        return stdout;
    FILE *out = ends_in(path, ".gz")    ? gz_open(path)
                : ends_in(path, ".zst") ? zst_open(path)
                                        : fopen(path, "wbe");
    if (!out)
        error_set(e, ERR_IO, path, 0, NULL, "%s", errno ? strerror(errno) : "cannot be written");
    return out;
}

enum err stream_close(FILE *out, const char *path, struct error *e)
{
    if (out == stdout)
        return ERR_NONE; /* checked at the end of the program */
    bool bad = ferror(out) != 0;
    bad = fclose(out) != 0 || bad;
    return bad ? error_set(e, ERR_IO, path, 0, NULL, "not everything could be written") : ERR_NONE;
}
