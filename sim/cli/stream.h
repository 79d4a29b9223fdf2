/* stream.h: files to write, compressed as their names say. */
#ifndef MEMWALK_SIM_CLI_STREAM_H
#define MEMWALK_SIM_CLI_STREAM_H

#include "sim/base/err.h"

/* A stream to a new file: gzip for .gz, zstd for .zst, else plain; "-" is standard output. NULL
 * with *error. To be closed with stream_close. */
FILE *stream_open(const char *path, struct error *);
/* ERR_IO where not everything could be written. */
enum err stream_close(FILE *, const char *path, struct error *);

#endif
