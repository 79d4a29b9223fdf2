/* output.c: packs and writes, block by block; nothing of the host's time or names gets in. */
#include "traces/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum packing {
    PLAIN,
    GZIP,
    ZSTD,
};

struct output {
    char *path;      /* where the file is to be; "-": standard output */
    char *temporary; /* where it is written; NULL: at its place (a pipe, a device) */
    FILE *file;
    enum packing packing;
    z_stream gz;
    ZSTD_CCtx *zst;
    unsigned char block[128 * KIB];
};

static enum err fail(const struct output *o, struct error *e, const char *what)
{
    return error_set(e, ERR_IO, o->path, 0, NULL, "%s: %s", what, strerror(errno));
}

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

/* Follows links, so that a renamed file does not take a link's place. */
static char *real_place(const char *path)
{
    char *place = realpath(path, NULL);
    return place ? place : strdup(path);
}

static bool is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

/* A new file beside the place: the mode "x" never opens one that is there already. */
static enum err open_beside(struct output *o, struct error *e)
{
    size_t size = strlen(o->path) + 16;
    o->temporary = malloc(size);
    if (!o->temporary)
        return error_set(e, ERR_MEMORY, o->path, 0, NULL, "no memory to write it");
    for (unsigned i = 0; i < 100 && !o->file; i++) {
        snprintf(o->temporary, size, "%s.part%u", o->path, i);
        o->file = fopen(o->temporary, "wbx");
        if (!o->file && errno != EEXIST)
            break;
    }
    return o->file ? ERR_NONE : fail(o, e, "cannot be written");
}

static enum err open_place(struct output *o, struct error *e)
{
    if (strcmp(o->path, "-") == 0) {
        o->file = stdout;
        return ERR_NONE;
    }
    if (!is_special(o->path))
        return open_beside(o, e);
    o->file = fopen(o->path, "wb");
    return o->file ? ERR_NONE : fail(o, e, "cannot be written");
}

static enum err start(struct output *o, struct error *e)
{
    if (ends_in(o->path, ".gz") &&
        deflateInit2(&o->gz, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        o->packing = GZIP;
    else if (ends_in(o->path, ".zst") && (o->zst = ZSTD_createCCtx()))
        o->packing = ZSTD;
    else if (ends_in(o->path, ".gz") || ends_in(o->path, ".zst"))
        return error_set(e, ERR_MEMORY, o->path, 0, NULL, "no memory to pack it");
    if (o->zst)
        ZSTD_CCtx_setParameter(o->zst, ZSTD_c_checksumFlag, 1);
    return open_place(o, e);
}

enum err output_open(struct output **result, const char *path, struct error *e)
{
    *result = NULL;
    struct output *o = calloc(1, sizeof(*o));
    if (o)
        o->path = strcmp(path, "-") == 0 ? strdup(path) : real_place(path);
    if (!o || !o->path) {
        free(o);
        return error_set(e, ERR_MEMORY, path, 0, NULL, "no memory to write it");
    }
    enum err err = start(o, e);
    if (err)
        output_close(o, false, NULL);
    else
        *result = o;
    return err;
}

static enum err put_block(struct output *o, size_t n, struct error *e)
{
    return fwrite(o->block, 1, n, o->file) == n ? ERR_NONE : fail(o, e, "cannot be written");
}

static enum err pack_gzip(struct output *o, const void *bytes, size_t size, int flush,
                          struct error *e)
{
    o->gz.next_in = (unsigned char *)(uintptr_t)bytes;
    o->gz.avail_in = (unsigned)size;
    do {
        o->gz.next_out = o->block;
        o->gz.avail_out = sizeof(o->block);
        deflate(&o->gz, flush);
        enum err err = put_block(o, sizeof(o->block) - o->gz.avail_out, e);
        if (err)
            return err;
    } while (!o->gz.avail_out);
    return ERR_NONE;
}

static enum err pack_zstd(struct output *o, const void *bytes, size_t size, ZSTD_EndDirective end,
                          struct error *e)
{
    ZSTD_inBuffer from = {bytes, size, 0};
    size_t left;
    do {
        ZSTD_outBuffer to = {o->block, sizeof(o->block), 0};
        left = ZSTD_compressStream2(o->zst, &to, &from, end);
        if (ZSTD_isError(left))
            return error_set(e, ERR_MEMORY, o->path, 0, NULL, "cannot be packed: %s",
                             ZSTD_getErrorName(left));
        enum err err = put_block(o, to.pos, e);
        if (err)
            return err;
    } while (end == ZSTD_e_end ? left > 0 : from.pos < from.size);
    return ERR_NONE;
}

enum err output_write(struct output *o, const void *bytes, size_t size, struct error *e)
{
    if (!size)
        return ERR_NONE; /* bytes may be NULL then */
    if (o->packing == GZIP)
        return pack_gzip(o, bytes, size, Z_NO_FLUSH, e);
    if (o->packing == ZSTD)
        return pack_zstd(o, bytes, size, ZSTD_e_continue, e);
    return fwrite(bytes, 1, size, o->file) == size ? ERR_NONE : fail(o, e, "cannot be written");
}

static enum err finish(struct output *o, struct error *e)
{
    enum err err = ERR_NONE;
    if (o->packing == GZIP)
        err = pack_gzip(o, NULL, 0, Z_FINISH, e);
    if (o->packing == ZSTD)
        err = pack_zstd(o, NULL, 0, ZSTD_e_end, e);
    if (!err && fflush(o->file) != 0)
        err = fail(o, e, "cannot be written");
    return err;
}

/* Some disks tell only at the end that they are full. */
static enum err close_file(struct output *o, struct error *e)
{
    bool bad = o->file && o->file != stdout && fclose(o->file) != 0;
    return bad ? fail(o, e, "cannot be written") : ERR_NONE;
}

static void output_free(struct output *o)
{
    if (o->packing == GZIP)
        deflateEnd(&o->gz);
    ZSTD_freeCCtx(o->zst);
    free(o->temporary);
    free(o->path);
    free(o);
}

enum err output_close(struct output *o, bool keep, struct error *e)
{
    bool opened = o->file != NULL;
    enum err err = keep ? finish(o, e) : ERR_NONE;
    enum err closed = close_file(o, err ? NULL : e);
    err = err ? err : closed;
    if (opened && o->temporary && keep && !err && rename(o->temporary, o->path) != 0)
        err = fail(o, e, "cannot be put in its place");
    if (opened && o->temporary && (!keep || err))
        unlink(o->temporary);
    output_free(o);
    return err;
}
