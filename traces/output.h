/* output.h: a file that appears whole or not at all, packed as its name says.
 *
 * It is written beside its place and renamed at the end, so that neither a crash nor a full disk
 * leaves half a trace, and a trace can be converted onto itself.
 */
#ifndef MEMWALK_TRACES_OUTPUT_H
#define MEMWALK_TRACES_OUTPUT_H

#include "sim/base/err.h"
#include "sim/base/types.h"

struct output;

/* ".gz" and ".zst" at the end of path pack it; "-" is standard output, plain. */
enum err output_open(struct output **, const char *path, struct error *);
enum err output_write(struct output *, const void *bytes, size_t size, struct error *);
/* With keep false, or on an error, the unfinished file is removed and the old one is untouched. */
enum err output_close(struct output *, bool keep, struct error *);

#endif
