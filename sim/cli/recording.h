/* recording.h: from the raw recording of a run (traces/record_log.h) to trace files.
 *
 * The raw file is made here before the run, filled by the recorder inside the programs, and read
 * here afterwards. Whatever happened to the programs, and whatever they scribbled over the mapped
 * chunk, reading it ends with a valid trace or with an error.
 */
#ifndef MEMWALK_CLI_RECORDING_H
#define MEMWALK_CLI_RECORDING_H

#include "sim/base/err.h"
#include "sim/base/types.h"
#include "traces/trace.h"

/* What one process executed between exec and exec; or a forked copy, whose trace begins with the
 * calls that its parent had made until the fork. */
struct recording_image {
    uint32_t
        parent; /* index of the image that it is a forked copy of; RECORDING_NONE: begun by exec */
    int pid;    /* the system's */
    uint64_t calls; /* entries of its own */
    uint64_t fork;  /* entries of the parent before the fork */
    char *command;  /* its command line, quoted as for a shell, UTF-8; owned by the recording */
    char *name;     /* the last part of argv[0]; likewise */
    size_t first_chunk, chunks;
};

#define RECORDING_NONE UINT32_MAX

struct recording_counts {
    uint64_t ops;      /* written */
    uint64_t unknown;  /* frees of pointers that no recorded call had returned: left out */
    uint64_t dead;     /* frees and reallocs of blocks that had been freed before: kept */
    uint64_t vanished; /* blocks that must have gone in a way that was not seen: a free was added */
};

/* Makes the raw file: without a name, sparse, in memory (dir NULL) or in dir, at most limit bytes;
 * limit 0: a quarter of the memory, or 64 GiB in a directory. */
enum err recording_create(int *fd, const char *dir, uint64_t limit, struct error *);

struct recording;

/* fd stays the caller's and must outlive the recording. Reads the directory, not the entries. */
enum err recording_open(struct recording **, int fd, struct error *);
void recording_close(struct recording *);

size_t recording_images(const struct recording *); /* in the order in which they began */
const struct recording_image *recording_image(const struct recording *, size_t);
uint64_t recording_lost(const struct recording *); /* calls after the file was full */
uint64_t
recording_nested(const struct recording *); /* calls inside signal handlers, not recorded */

/* Writes the trace of one image. note (may be NULL) is put into the header as its doc. */
enum err recording_write(const struct recording *, size_t image, const char *path, const char *note,
                         struct recording_counts *, struct error *);

#endif
