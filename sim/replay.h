/* replay.h: doing one op of a trace on a machine. Internal to sim/. */
#ifndef MEMWALK_SIM_REPLAY_H
#define MEMWALK_SIM_REPLAY_H

#include "sim/machine.h"

/* Does the op with this number (from 1); the outcome is in m->outcome. The last event told is
 * op_end, and nothing changes after it. */
void replay_op(struct machine *m, uint64_t number, const struct op *, const struct op_extra *);

/* The virtual address that base and value stand for in a process. */
va_t replay_address(const struct machine *m, uint8_t base, uint64_t value);

#endif
