/* recording.c: the raw recording of a run: made, opened, its images listed and their entries read.
 *
 * The file comes from processes that may have died at any instruction, so nothing in it is
 * believed before it is checked: chunks that were claimed but not begun are skipped, an image ends
 * at its first unwritten entry, and numbers that point elsewhere are bounded.
 */
#include "sim/cli/recording_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- making ---- */

/* In memory, or in a directory. Neither has a name that the programs could come across. */
static int open_nameless(const char *dir, struct error *error)
{
    int fd = dir ? open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                 : memfd_create("memwalk-recording", MFD_CLOEXEC);
    if (fd < 0)
        error_set(error, ERR_IO, dir, 0, NULL, "no file for the recording: %s", strerror(errno));
    return fd;
}

static uint64_t default_limit(const char *dir)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return dir ? 64 * GIB : memory / 4;
}

/* The largest size up to limit that the file system and the limits of the user allow. The size is
 * only an address space: a sparse file takes room where it is written. */
static uint64_t size_file(int fd, uint64_t limit)
{
    struct rlimit r;
    if (!getrlimit(RLIMIT_FSIZE, &r) && r.rlim_cur != RLIM_INFINITY)
        limit = min_u64(limit, r.rlim_cur);
    for (; limit >= 2 * LOG_CHUNK; limit /= 2)
        if (!ftruncate(fd, (off_t)limit))
            return limit;
    return 0;
}

enum err recording_create(int *fd, const char *dir, uint64_t limit, struct error *error)
{
    *fd = open_nameless(dir, error);
    if (*fd < 0)
        return ERR_IO;
    struct log_session session = {.magic = LOG_MAGIC, .chunks = 1};
    session.limit = size_file(*fd, limit ? limit : default_limit(dir)) / LOG_CHUNK;
    bool ok = session.limit && pwrite(*fd, &session, sizeof(session), 0) == sizeof(session);
    if (ok)
        return ERR_NONE;
    close(*fd);
    *fd = -1;
    return error_set(error, ERR_IO, NULL, 0, NULL, "no room for the recording");
}

/* ---- opening ---- */

static bool read_at(int fd, void *to, size_t n, uint64_t offset)
{
    return pread(fd, to, n, (off_t)offset) == (ssize_t)n;
}

static int order_chunks(const void *a, const void *b)
{
    const struct chunk_ref *x = a, *y = b;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Finds the chunks that images have begun, by image and in order. */
static enum err list_chunks(struct recording *r, uint64_t used, struct error *error)
{
    r->chunk = calloc(used ? used : 1, sizeof(*r->chunk));
    if (!r->chunk)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL,
                         "no memory for the recording's directory");
    for (uint64_t nr = 1; nr < used; nr++) {
        struct log_chunk head;
        if (!read_at(r->fd, &head, sizeof(head), nr * LOG_CHUNK) || !head.image)
            continue;
        r->chunk[r->chunks++] = (struct chunk_ref){.image = head.image, .seq = head.seq, .nr = nr};
    }
    qsort(r->chunk, r->chunks, sizeof(*r->chunk), order_chunks);
    return ERR_NONE;
}

/* How many chunks from first on are those of one image, in sequence. */
static size_t run_length(const struct recording *r, size_t first)
{
    size_t n = 0;
    while (first + n < r->chunks && r->chunk[first + n].image == r->chunk[first].image &&
           r->chunk[first + n].seq == n)
        n++;
    return n;
}

static enum err count_calls(struct recording *r, struct recording_image *image, struct error *error)
{
    struct log_entry *entry = malloc(LOG_CHUNK);
    if (!entry)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory to read the recording");
    size_t last = image->chunks - 1;
    uint64_t from = last ? LOG_NEXT : LOG_FIRST;
    bool ok = read_at(r->fd, entry, LOG_CHUNK - from,
                      r->chunk[image->first_chunk + last].nr * LOG_CHUNK + from);
    uint64_t n = 0, room = (LOG_CHUNK - from) / sizeof(*entry);
    while (ok && n < room && entry[n].kind != LOG_NONE)
        n++;
    free(entry);
    image->calls = n;
    if (last)
        image->calls += ENTRIES_FIRST + (last - 1) * ENTRIES_NEXT;
    return ok ? ERR_NONE
              : error_set(error, ERR_IO, NULL, 0, NULL, "the recording cannot be read back");
}

/* The index of an earlier image by its number in the log; images without a chunk have none. */
static uint32_t find_image(const struct recording *r, uint32_t number)
{
    for (size_t i = r->images; number && i-- > 0;)
        if (r->chunk[r->image[i].first_chunk].image == number)
            return (uint32_t)i;
    return RECORDING_NONE;
}

static enum err add_image(struct recording *r, size_t first, size_t chunks, struct error *error)
{
    struct log_image head;
    struct recording_image *image = &r->image[r->images];
    *image = (struct recording_image){.first_chunk = first, .chunks = chunks};
    if (!read_at(r->fd, &head, sizeof(head),
                 r->chunk[first].nr * LOG_CHUNK + sizeof(struct log_chunk)))
        return error_set(error, ERR_IO, NULL, 0, NULL, "the recording cannot be read back");
    image->pid = head.pid;
    image->parent = find_image(r, head.parent);
    if (image->parent != RECORDING_NONE)
        image->fork = min_u64(head.fork, r->image[image->parent].calls);
    size_t length = min_u64(head.length, sizeof(head.command));
    image->command = command_text(head.command, length);
    image->name = command_name(head.command, length);
    r->images++;
    if (!image->command || !image->name)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory to read the recording");
    return count_calls(r, image, error);
}

static enum err list_images(struct recording *r, struct error *error)
{
    enum err err = ERR_NONE;
    r->image = calloc(r->chunks + 1, sizeof(*r->image));
    if (!r->image)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL,
                         "no memory for the recording's directory");
    for (size_t i = 0; i < r->chunks && !err;) {
        size_t chunks = run_length(r, i);
        if (chunks)
            err = add_image(r, i, chunks, error);
        i += chunks ? chunks : 1;
    }
    return err;
}

enum err recording_open(struct recording **recording, int fd, struct error *error)
{
    struct log_session session;
    *recording = NULL;
    if (!read_at(fd, &session, sizeof(session), 0) || session.magic != LOG_MAGIC)
        return error_set(error, ERR_IO, NULL, 0, NULL, "the recording cannot be read back");
    struct recording *r = calloc(1, sizeof(*r));
    if (!r)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory to read the recording");
    r->fd = fd;
    r->lost = session.lost;
    r->nested = session.nested;
    off_t size = lseek(fd, 0, SEEK_END);
    enum err err = list_chunks(r, min_u64(session.chunks, (uint64_t)size / LOG_CHUNK), error);
    if (!err)
        err = list_images(r, error);
    if (err) {
        recording_close(r);
        return err;
    }
    *recording = r;
    return ERR_NONE;
}

void recording_close(struct recording *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->image && i < r->images; i++) {
        free(r->image[i].command);
        free(r->image[i].name);
    }
    free(r->image);
    free(r->chunk);
    free(r);
}

size_t recording_images(const struct recording *r)
{
    return r->images;
}

const struct recording_image *recording_image(const struct recording *r, size_t i)
{
    return &r->image[i];
}

uint64_t recording_lost(const struct recording *r)
{
    return r->lost;
}

uint64_t recording_nested(const struct recording *r)
{
    return r->nested;
}

/* ---- the story of an image: its ancestors' calls up to each fork, then its own ---- */

enum err story_open(struct story *s, const struct recording *r, size_t image, struct error *error)
{
    *s = (struct story){.recording = r};
    size_t parts = 1;
    for (size_t i = image; r->image[i].parent != RECORDING_NONE; i = r->image[i].parent)
        parts++;
    s->part = calloc(parts, sizeof(*s->part));
    s->buffer = malloc(LOG_CHUNK);
    if (!s->part || !s->buffer)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory to read the recording");
    uint64_t calls = r->image[image].calls;
    s->parts = parts;
    for (size_t i = image; parts-- > 0; i = r->image[i].parent) {
        s->part[parts] = (struct story_part){.image = i, .calls = calls};
        calls = r->image[i].fork;
    }
    for (size_t p = 0; p + 1 < s->parts; p++)
        s->own += s->part[p].calls;
    return ERR_NONE;
}

void story_close(struct story *s)
{
    free(s->part);
    free(s->buffer);
}

void story_rewind(struct story *s)
{
    s->at_part = 0;
    s->at_call = 0;
    s->ordinal = 0;
    s->buffered = 0;
}

/* Where the call lies: chunk of the image, and entry of the chunk. */
static size_t locate(uint64_t call, uint64_t *slot)
{
    *slot = call;
    if (call < ENTRIES_FIRST)
        return 0;
    *slot = (call - ENTRIES_FIRST) % ENTRIES_NEXT;
    return 1 + (call - ENTRIES_FIRST) / ENTRIES_NEXT;
}

static enum err load_chunk(struct story *s, uint64_t nr, bool first, struct error *error)
{
    uint64_t from = first ? LOG_FIRST : LOG_NEXT;
    if (s->buffered == nr)
        return ERR_NONE;
    if (!read_at(s->recording->fd, s->buffer, LOG_CHUNK - from, nr * LOG_CHUNK + from))
        return error_set(error, ERR_IO, NULL, 0, NULL, "the recording cannot be read back");
    s->buffered = nr;
    return ERR_NONE;
}

int story_next(struct story *s, const struct log_entry **entry, struct error *error)
{
    while (s->at_part < s->parts && s->at_call == s->part[s->at_part].calls) {
        s->at_part++;
        s->at_call = 0;
    }
    if (s->at_part == s->parts)
        return 0;
    const struct recording_image *image = &s->recording->image[s->part[s->at_part].image];
    uint64_t slot;
    size_t chunk = locate(s->at_call++, &slot);
    if (load_chunk(s, s->recording->chunk[image->first_chunk + chunk].nr, !chunk, error))
        return -1;
    *entry = &s->buffer[slot];
    s->ordinal++;
    return 1;
}
