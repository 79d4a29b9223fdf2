/* access.h: a machine that is driven by memory accesses instead of a program's ops.
 *
 * The whole user half is one program's memory, reserved at the start and given frames page by page
 * on first touch, so that any stream of addresses can run.
 */
#ifndef MEMWALK_SIM_ACCESS_H
#define MEMWALK_SIM_ACCESS_H

#include "sim/inspect.h"

struct access_run;

enum err access_open(struct access_run **, const struct config *, struct error *);
void access_close(struct access_run *);

/* Touches the bytes va[0 .. n), one access each. An address that no user page can have is an
 * error (ERR_VALUE) that names it; *done says how many accesses were made before it. */
enum err access_touch(struct access_run *, const va_t *va, size_t n, enum access, size_t *done,
                      struct error *);
/* One access of size bytes (it may cross pages). */
enum err access_bytes(struct access_run *, va_t, size_t size, enum access, struct error *);

/* For inspection and reports. */
const struct sim *access_sim(const struct access_run *);

#endif
