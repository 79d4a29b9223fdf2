/* oom.h: out of memory: somebody has to go (Linux: mm/oom_kill.c). */
#ifndef MEMWALK_KERNEL_OOM_H
#define MEMWALK_KERNEL_OOM_H

#include "kernel/process.h"

/* What killing the process would free, in pages: resident, in swap, and tables, moved by
 * oom_score_adj in thousandths of all memory. INT64_MIN: it must not be killed. */
int64_t oom_badness(const struct kernel *, const struct process *);
/* p needed a frame for va and nothing can be freed: kills the process with the highest badness and
 * writes the report. The one killed; NULL: nobody may be. */
struct process *oom_kill(struct kernel *, const struct process *p, va_t);

#endif
