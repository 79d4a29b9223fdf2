/* future.h: what a program will do, known by running it once before: for the policy "opt".
 * Internal to sim/.
 */
#ifndef MEMWALK_SIM_FUTURE_H
#define MEMWALK_SIM_FUTURE_H

#include "sim/config.h"
#include "traces/trace.h"

struct foresight;

/* Runs the whole trace on a machine of this configuration with memory enough, and keeps every
 * reference. The caller frees it. Errors: those of sim_open and sim_step, ERR_LIMIT. */
enum err future_read(struct foresight **, const struct config *, const struct trace *,
                     struct error *);
void future_free(struct foresight *);
const struct future *future_of(const struct foresight *);

#endif
