/* machine.h: the whole simulated computer as one struct in the arena, and the programs on it.
 *
 * Internal to sim/: everybody else looks through inspect.h. Whoever leaves an op in the middle (the
 * bus's stop) finds the machine exactly as it was at that event, because nothing of it lies
 * anywhere but here, in the arena and in RAM.
 */
#ifndef MEMWALK_SIM_MACHINE_H
#define MEMWALK_SIM_MACHINE_H

#include "sim/audit.h"
#include "sim/hypervisor.h"
#include "sim/inspect.h"

struct machine;
struct block;

/* One process as its user sees it: a heap, and a way to touch memory. */
struct program {
    struct machine *machine;
    uint16_t pid;       /* the kernel's */
    uint16_t trace_pid; /* the trace's */
    bool dead;
    struct heap *heap; /* NULL before its first malloc */
    struct user user;
    struct hot *hot; /* of the CPU that it runs on */
};

#define PROGRAMS_MAX 64

/* What the last op came to. */
struct outcome {
    int64_t result;
    uint64_t faults;
};

/* Blocks that are gone, so that a double free can name the op that freed it.
 * NOTE: only the last GONE_MAX are remembered; an older one is reported without that op. */
#define GONE_MAX 4096

struct gone_block {
    uint64_t id;
    va_t start;
    uint64_t op;
    uint16_t pid;
};

/* All live blocks: see blocks.c. */
struct blocks {
    struct block *at; /* [room]; at[0] is none */
    uint32_t *bucket; /* [room] */
    uint32_t room;    /* a power of two, or 0 */
    uint32_t free;    /* the first one that is not used */
    uint32_t first, last, count;
};

struct machine {
    struct env env;
    struct config config;
    struct ram *ram;
    struct hypervisor *hypervisor; /* NULL: the machine is no guest */
    struct kernel *kernel;
    bool hears;      /* the kernel wants to know of each access */
    struct cpu *cpu; /* [config.cpus] */
    struct program *program[PROGRAMS_MAX];
    size_t programs;
    struct blocks blocks;
    struct gone_block *gone;
    uint64_t gone_count;
    struct lx_siginfo signal; /* the last one that a program got */
    struct outcome outcome;
    struct mistake mistake; /* the first one of the last op that had one */
    struct replay_counters counters;
    struct audit audit;
};

/* Builds and boots the machine inside m (zeroed, in the arena); events are told meanwhile. */
enum err machine_boot(struct machine *m, struct arena *, struct ram *, struct bus *,
                      const struct config *, struct error *);

/* The program of a trace's pid, made if it is new; its thread tid now runs. NULL with *result =
 * -errno: not possible. */
struct program *machine_program(struct machine *, uint16_t trace_pid, uint16_t tid,
                                int64_t *result);
/* The program of that number in the trace, alive or not, and of that number in the kernel; NULL:
 * none. */
struct program *machine_find(const struct machine *, uint16_t trace_pid);
struct program *machine_find_pid(const struct machine *, uint16_t pid);
/* The CPU that the running thread is on. */
struct cpu *machine_cpu(struct machine *);
/* The program forks: its child is the program of trace_pid from now on, with a copy of its memory,
 * heap and blocks. -ENOMEM, -EAGAIN: too many; -EEXIST: trace_pid names a living process. 0 else.
 */
int64_t machine_fork(struct machine *, struct program *, uint16_t trace_pid);
/* The program ends. */
void machine_exit(struct machine *, struct program *);
/* The heap of a program; made at its first use. NULL: no memory. */
struct heap *machine_heap(struct machine *, struct program *);

/* One access of the thread that runs, on its CPU, with faults resolved and retried: 0, or the
 * signal (details in m->signal). buf NULL: only touches. */
int machine_access(struct machine *, va_t, void *buf, size_t n, enum access);
/* The kernel wants to know of each access now. No program has a heap yet. */
void machine_hears(struct machine *);
/* Whoever is asked resolves a fault of the running CPU: the kernel, or, where the access left the
 * guest, the hypervisor. The outcome as kernel_fault. */
enum fault_outcome machine_fault(struct machine *, const struct mmu_fault *);
int64_t machine_syscall(struct machine *, uint64_t nr, const uint64_t arg[6]);

/* Bytes of a process through its tables, without a trace; false: a page is not mapped. */
bool machine_peek(const struct machine *, uint16_t pid, va_t, void *to, size_t n);

/* ---- blocks.c: ids to blocks ---- */

struct block *block_find(const struct machine *, uint16_t pid, uint64_t id);
/* false: no memory. The id must not be live. */
bool block_add(struct machine *, uint16_t pid, uint64_t id, va_t start, uint64_t size);
void block_remove(struct machine *, struct block *);
void block_set(struct block *, va_t start, uint64_t size);
void block_get(const struct block *, struct block_info *);
/* The most recent block of that id that is gone, or NULL. */
const struct gone_block *block_gone(const struct machine *, uint16_t pid, uint64_t id);
size_t block_count(const struct machine *);
void block_each(const struct machine *, void (*show)(void *, const struct block_info *), void *);
/* Is a live block at this address? */
bool block_lives_at(const struct machine *, uint16_t pid, va_t start);
/* Process child holds every block that parent holds. false: no memory; some are there. */
bool block_fork(struct machine *, uint16_t parent, uint16_t child);
/* Forgets all blocks of a process that ended. */
void block_remove_all(struct machine *, uint16_t pid);

#endif
