/* input.h: the bytes of a trace, wherever they come from: plain, .gz or .zst, a file, standard
 * input or memory. Which of them is found out from the first bytes, never from the name.
 */
#ifndef MEMWALK_TRACES_INPUT_H
#define MEMWALK_TRACES_INPUT_H

#include "sim/base/err.h"
#include "sim/base/types.h"

struct input;

/* path "-" is standard input. name stands in messages; it must outlive the input. */
enum err input_open(struct input **, const char *path, const char *name, struct error *);
enum err input_open_memory(struct input **, const void *bytes, size_t size, const char *name,
                           struct error *);
void input_close(struct input *);

/* Up to size bytes of the unpacked text into buffer: how many, 0 at the end, -1 with *error. */
long input_read(struct input *, void *buffer, size_t size, struct error *);

/* Bytes taken from the file so far, and in all (0: unknown). Both count packed bytes. */
void input_progress(const struct input *, uint64_t *done, uint64_t *total);

#endif
