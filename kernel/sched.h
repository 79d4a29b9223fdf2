/* sched.h: threads and the CPUs they run on; private to this folder.
 *
 * The trace says who runs next, so nothing is decided here but where. A thread gets its CPU when it
 * first runs: the one with the fewest threads, the lowest number among equals (Linux's
 * find_idlest_cpu in spirit), and keeps it until sched_setaffinity moves it.
 */
#ifndef MEMWALK_KERNEL_SCHED_H
#define MEMWALK_KERNEL_SCHED_H

#include "sim/base/types.h"

struct kernel;
struct process;

struct task {
    uint16_t tid;
    uint16_t cpu;
    uint32_t pkru; /* its register while it does not run */
};

/* The threads of a process, sorted by tid. */
struct tasks {
    struct task *at;
    size_t count, capacity;
};

/* Forgets all threads of a process; CPUs on which it ran have nothing to run. */
void sched_forget(struct kernel *, struct process *);

#endif
