/* sim.h: a whole simulation: a machine, a trace, a place in time.
 *
 * A moment is an op and a micro-step. Ops are numbered from 1. {n, 0} is just before op n begins,
 * {n, k} just after its k-th event, {count + 1, 0} the end. The machine is a function of
 * (configuration, trace); so going back is: restore a snapshot from before, run again up to there.
 */
#ifndef MEMWALK_SIM_SIM_H
#define MEMWALK_SIM_SIM_H

#include "sim/base/event.h"
#include "sim/config.h"
#include "traces/trace.h"

struct sim;

struct moment {
    uint64_t op;   /* from 1 */
    uint64_t step; /* events of that op that are done; 0: it has not begun */
};

/* A state observer is a fold over events: its state lies in the arena and goes back in time with
 * the machine. It hears every event, the boot's included. */
struct sim_observer {
    size_t state_size;
    void (*init)(void *state, struct arena *, const struct config *);
    void (*hear)(void *state, const struct event *);
};

/* A sink hears each event exactly once, in order, never again when time is run again. */
struct sim_sink {
    void (*hear)(void *ctx, const struct event *);
    void *ctx;
};

#define SIM_OBSERVERS 4

#define SIM_HISTORY_BYTES (256 * MIB)

struct sim_options {
    const struct config *config;
    /* One of the two. A whole trace can be sought in; a reader only goes forward. The caller keeps
     * both alive until sim_close. */
    const struct trace *trace;
    struct trace_reader *reader;
    bool history;           /* keep snapshots: needed for going back */
    uint64_t history_bytes; /* host memory for them; 0: SIM_HISTORY_BYTES, or twice the machine's
                             * own where that is more */
    bool checked;           /* run the whole-machine checker after every op */
    unsigned observers, sinks;
    struct sim_observer observer[SIM_OBSERVERS];
    struct sim_sink sink[SIM_OBSERVERS];
};

/* Boots the machine. On error *sim is NULL. */
enum err sim_open(struct sim **sim, const struct sim_options *, struct error *);
void sim_close(struct sim *);

/* Runs what is left of the current op, or the next one. 1; 0: the trace is over; -1: *error (the
 * reader's, or the checker's report). */
int sim_step(struct sim *, struct error *);
/* Runs to the end, or until stop (may be NULL) says so after an op. Same results as sim_step. */
int sim_run(struct sim *, bool (*stop)(void *ctx), void *ctx, struct error *);

/* Goes to a moment, past or future. A step beyond the op's last means its last. Needs a trace, and
 * history to go back; ERR_USAGE where that is missing, ERR_VALUE for an op beyond the end. */
enum err sim_seek(struct sim *, struct moment, struct error *);
struct moment sim_now(const struct sim *);
/* Ops in the trace; UINT64_MAX where only a reader knows. */
uint64_t sim_ops(const struct sim *);
/* Events that op has (it is run for that if need be, and the moment is kept); 0 on error. */
uint64_t sim_steps(struct sim *, uint64_t op);

struct sim_access {
    va_t va;
    size_t size;
    enum access how;
    bool cold; /* as if no cache knew the page or its tables */
};
struct sim_tried {
    bool done; /* else: fault */
    struct mmu_fault fault;
    cycles_t cycles; /* of the access alone; nobody resolves its fault */
};
/* What an access would do at this moment on that CPU with these registers: it is done, listener
 * hears its events, and the machine is put back. Observers and sinks hear nothing of it. */
enum err sim_try(struct sim *, unsigned cpu, const struct mmu_regs *, const struct sim_access *,
                 const struct listener *, struct sim_tried *, struct error *);

void *sim_observer_state(struct sim *, unsigned i);

/* Host memory: of the machine (arena and RAM) and of its snapshots. */
uint64_t sim_machine_bytes(const struct sim *);
uint64_t sim_history_bytes(const struct sim *);
/* A hash of everything that can be inspected; equal states have equal hashes. */
uint64_t sim_hash(const struct sim *);

/* What the trace promised and did not get ("ret", "faults" on ops). */
struct sim_failure {
    uint64_t op;
    uint32_t line;
    const char *what; /* "ret" or "faults" */
    int64_t wanted, got;
};
size_t sim_failures(const struct sim *);
const struct sim_failure *sim_failure(const struct sim *, size_t i);

#endif
