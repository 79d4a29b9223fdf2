/* recording_read.h: what recording.c and recording_write.c share: the opened raw recording. */
#ifndef MEMWALK_CLI_RECORDING_READ_H
#define MEMWALK_CLI_RECORDING_READ_H

#include "sim/cli/recording.h"
#include "traces/record_log.h"

#define ENTRIES_FIRST ((LOG_CHUNK - LOG_FIRST) / sizeof(struct log_entry))
#define ENTRIES_NEXT  ((LOG_CHUNK - LOG_NEXT) / sizeof(struct log_entry))

struct chunk_ref {
    uint32_t image, seq; /* as in struct log_chunk */
    uint64_t nr;         /* where it lies in the file, in chunks */
};

struct recording {
    int fd;
    struct chunk_ref *chunk; /* chunk[0 .. chunks), by image and seq */
    size_t chunks;
    struct recording_image *image; /* image[0 .. images) */
    size_t images;
    uint64_t lost, nested;
};

/* The calls that made the heap of an image: those of its ancestors up to each fork, then its own.
 */
struct story {
    const struct recording *recording;
    struct story_part {
        size_t image;
        uint64_t calls;
    } * part;
    size_t parts;
    uint64_t own;     /* calls before the image's own ones */
    uint64_t ordinal; /* calls read so far */
    size_t at_part;
    uint64_t at_call;
    struct log_entry *buffer; /* one chunk */
    uint64_t buffered;        /* its number; 0: none */
};

/* story_close is due also where story_open fails. */
enum err story_open(struct story *, const struct recording *, size_t image, struct error *);
void story_close(struct story *);
void story_rewind(struct story *);
/* 1: *entry is the next call, valid until the next one; 0: the end; -1: an error. */
int story_next(struct story *, const struct log_entry **entry, struct error *);

/* From arguments ended by 0 bytes: the command line as a shell would read it; the program's name.
 * Allocated; NULL: no memory. Always valid UTF-8: other bytes become "?". */
char *command_text(const char *args, size_t n);
char *command_name(const char *args, size_t n);

#endif
