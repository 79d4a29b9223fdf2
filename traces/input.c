/* input.c: unpacks what it reads, block by block, so that memory stays bounded whatever the length.
 *
 * Several gzip members or Zstandard frames in a row count as one text, because a recorder that ends
 * one frame at each flush leaves exactly that behind.
 */
#include "traces/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum packing {
    PLAIN,
    GZIP,
    ZSTD,
};

#define BLOCK_BYTES (128 * KIB)

struct input {
    const char *name;
    FILE *file; /* NULL: from memory */
    bool close_file;
    enum packing packing;
    z_stream gz;
    ZSTD_DCtx *zst;
    bool inside; /* in the middle of a gzip member or Zstandard frame */
    bool ended;  /* the file has no more bytes */
    uint64_t done, total;
    const unsigned char *at, *end; /* packed bytes not used yet */
    unsigned char block[BLOCK_BYTES];
};

/* Takes the next block once the one before is used up. */
static enum err refill(struct input *in, struct error *e)
{
    if (in->at < in->end || in->ended)
        return ERR_NONE;
    if (!in->file) {
        in->ended = true;
        return ERR_NONE;
    }
    errno = 0;
    size_t n = fread(in->block, 1, sizeof(in->block), in->file);
    if (n < sizeof(in->block) && ferror(in->file))
        return error_set(e, ERR_IO, in->name, 0, NULL, "cannot be read: %s", strerror(errno));
    in->at = in->block;
    in->end = in->block + n;
    in->done += n;
    in->ended = n == 0;
    return ERR_NONE;
}

/* The first four bytes tell. Zstandard also allows frames to be skipped: 0x184D2A50 to 5F. */
static enum packing packing_of(const unsigned char *p, size_t n)
{
    static const unsigned char gzip[2] = {0x1f, 0x8b};
    static const unsigned char frame[4] = {0x28, 0xb5, 0x2f, 0xfd};
    static const unsigned char skipped[3] = {0x2a, 0x4d, 0x18};
    if (n >= 2 && memcmp(p, gzip, 2) == 0)
        return GZIP;
    if (n >= 4 &&
        (memcmp(p, frame, 4) == 0 || ((p[0] & 0xf0) == 0x50 && !memcmp(p + 1, skipped, 3))))
        return ZSTD;
    return PLAIN;
}

static enum err start(struct input *in, struct error *e)
{
    enum err err = refill(in, e);
    if (err)
        return err;
    in->packing = packing_of(in->at, (size_t)(in->end - in->at));
    if (in->packing == GZIP && inflateInit2(&in->gz, 15 + 16) != Z_OK)
        return error_set(e, ERR_MEMORY, in->name, 0, NULL, "no memory to unpack it");
    if (in->packing == ZSTD && !(in->zst = ZSTD_createDCtx()))
        return error_set(e, ERR_MEMORY, in->name, 0, NULL, "no memory to unpack it");
    return ERR_NONE;
}

static enum err finish_open(struct input **result, struct input *in, struct error *e)
{
    enum err err = start(in, e);
    if (err) {
        input_close(in);
        in = NULL;
    }
    *result = in;
    return err;
}

enum err input_open(struct input **result, const char *path, const char *name, struct error *e)
{
    *result = NULL;
    struct input *in = calloc(1, sizeof(*in));
    if (!in)
        return error_set(e, ERR_MEMORY, name, 0, NULL, "no memory to read it");
    in->name = name;
    in->close_file = strcmp(path, "-") != 0;
    in->file = in->close_file ? fopen(path, "rb") : stdin;
    if (!in->file) {
        free(in);
        return error_set(e, ERR_IO, name, 0, NULL, "cannot be opened: %s", strerror(errno));
    }
    if (in->close_file && fseek(in->file, 0, SEEK_END) == 0) {
        long size = ftell(in->file);
        in->total = size > 0 ? (uint64_t)size : 0;
        rewind(in->file);
    }
    return finish_open(result, in, e);
}

enum err input_open_memory(struct input **result, const void *bytes, size_t size, const char *name,
                           struct error *e)
{
    *result = NULL;
    struct input *in = calloc(1, sizeof(*in));
    if (!in)
        return error_set(e, ERR_MEMORY, name, 0, NULL, "no memory to read it");
    in->name = name;
    in->at = size ? bytes : in->block;
    in->end = in->at + size;
    in->done = in->total = size;
    return finish_open(result, in, e);
}

void input_close(struct input *in)
{
    if (!in)
        return;
    if (in->packing == GZIP)
        inflateEnd(&in->gz);
    if (in->packing == ZSTD)
        ZSTD_freeDCtx(in->zst);
    if (in->close_file)
        fclose(in->file);
    free(in);
}

static long read_plain(struct input *in, void *buffer, size_t size)
{
    size_t n = min_u64((uint64_t)(in->end - in->at), size);
    memcpy(buffer, in->at, n);
    in->at += n;
    return (long)n;
}

static enum err damaged(const struct input *in, struct error *e, const char *why)
{
    return error_set(e, ERR_SYNTAX, in->name, 0, NULL, "the compressed data are damaged: %s", why);
}

/* One call of inflate: *made bytes came out. */
static enum err step_gzip(struct input *in, void *buffer, size_t size, size_t *made,
                          struct error *e)
{
    if (!in->inside)
        inflateReset(&in->gz);
    in->inside = true;
    in->gz.next_in = (unsigned char *)(uintptr_t)in->at;
    in->gz.avail_in = (unsigned)min_u64((uint64_t)(in->end - in->at), GIB);
    in->gz.next_out = buffer;
    in->gz.avail_out = (unsigned)min_u64(size, GIB);
    unsigned room = in->gz.avail_out;
    int status = inflate(&in->gz, Z_NO_FLUSH);
    in->at = in->gz.next_in;
    *made = room - in->gz.avail_out;
    if (status == Z_STREAM_END)
        in->inside = false;
    else if (status == Z_MEM_ERROR)
        return error_set(e, ERR_MEMORY, in->name, 0, NULL, "no memory to unpack it");
    else if (status != Z_OK && status != Z_BUF_ERROR)
        return damaged(in, e, in->gz.msg ? in->gz.msg : "not gzip");
    return ERR_NONE;
}

static enum err step_zstd(struct input *in, void *buffer, size_t size, size_t *made,
                          struct error *e)
{
    ZSTD_inBuffer from = {in->at, (size_t)(in->end - in->at), 0};
    ZSTD_outBuffer to = {buffer, size, 0};
    size_t left = ZSTD_decompressStream(in->zst, &to, &from);
    in->at += from.pos;
    *made = to.pos;
    if (ZSTD_isError(left))
        return damaged(in, e, ZSTD_getErrorName(left));
    in->inside = left != 0;
    return ERR_NONE;
}

long input_read(struct input *in, void *buffer, size_t size, struct error *e)
{
    for (;;) {
        if (refill(in, e))
            return -1;
        bool dry = in->at == in->end;
        if (dry && !in->inside)
            return 0;
        if (in->packing == PLAIN)
            return read_plain(in, buffer, size);
        size_t made = 0;
        enum err err = in->packing == GZIP ? step_gzip(in, buffer, size, &made, e)
                                           : step_zstd(in, buffer, size, &made, e);
        if (err)
            return -1;
        if (made)
            return (long)made;
        if (dry && in->inside) {
            damaged(in, e, "the end is missing");
            return -1;
        }
    }
}

void input_progress(const struct input *in, uint64_t *done, uint64_t *total)
{
    *done = in->done - (uint64_t)(in->end - in->at);
    *total = in->total;
}
