/* inspect.h: looking into a machine at its present moment.
 *
 * Everything is copied out; nothing is changed: no event, no time, no accessed bit. The window, the
 * reports and the tests know the inside of a machine only by this.
 */
#ifndef MEMWALK_SIM_INSPECT_H
#define MEMWALK_SIM_INSPECT_H

#include "sim/sim.h"

const struct config *inspect_config(const struct sim *);
cycles_t inspect_cycles(const struct sim *);

/* ---- processors ---- */
unsigned inspect_cpus(const struct sim *);
uint16_t inspect_current(const struct sim *, unsigned cpu); /* pid that runs there; 0: none */
bool inspect_cpu(const struct sim *, unsigned cpu, struct cpu_info *); /* false: no such CPU */
const struct mmu_counters *inspect_mmu(const struct sim *, unsigned cpu);
/* The fewest misses that any replacement could have had: mmu_opt_misses. */
enum inspect_opt { OPT_OFF, OPT_KNOWN, OPT_LOST };
enum inspect_opt inspect_opt(const struct sim *, unsigned cpu, unsigned level, uint64_t *misses);
bool inspect_tlb(const struct sim *, unsigned cpu, unsigned level, uint32_t set, uint32_t way,
                 struct tlb_line *);
bool inspect_psc(const struct sim *, unsigned cpu, unsigned level, uint32_t slot,
                 struct psc_line *);
void inspect_regs(const struct sim *, unsigned cpu, struct mmu_regs *);

/* ---- kernel ---- */
const struct kernel_counters *inspect_kernel(const struct sim *);
bool inspect_process(const struct sim *, uint16_t pid, struct process_info *);
bool inspect_process_at(const struct sim *, size_t i, struct process_info *);
bool inspect_area(const struct sim *, uint16_t pid, size_t i, struct area_info *);
bool inspect_area_at(const struct sim *, uint16_t pid, va_t, struct area_info *);
uint64_t inspect_frames(const struct sim *); /* in RAM */
uint64_t inspect_frames_free(const struct sim *);
void inspect_memory(const struct sim *, struct memory_info *);
bool inspect_swap_slot(const struct sim *, uint64_t slot, struct swap_info *);
const char *inspect_oom_report(const struct sim *); /* of the last kill; "": none */
void inspect_frame(const struct sim *, pfn_t, struct frame_info *);
/* A file below /proc; see kernel_proc. */
int64_t inspect_proc(const struct sim *, const char *path, char *text, size_t size);
bool inspect_pagemap(const struct sim *, uint16_t pid, vpn_t, uint64_t *entry);
size_t inspect_maps(const struct sim *, uint16_t pid, char *text, size_t size);

/* Pages that are part of huge pages and hold only zeroes. */
uint64_t inspect_huge_waste(const struct sim *, uint16_t pid);

/* ---- memory ---- */
void inspect_ram(const struct sim *, pa_t, void *to, size_t n);
/* A walk through the tables of pid (not through any TLB, nor a guest's EPT). false: no such
 * process. */
bool inspect_walk(const struct sim *, uint16_t pid, va_t, struct walk *);
/* The same with registers of the caller's, from their CR3. */
void inspect_walk_with(const struct sim *, const struct mmu_regs *, va_t, struct walk *);
/* Bytes of a process; false where a page is not mapped. */
bool inspect_read(const struct sim *, uint16_t pid, va_t, void *to, size_t n);

/* ---- the program ---- */
/* NULL before the process's first call of the malloc family. */
const struct alloc_counters *inspect_heap(const struct sim *, uint16_t pid);
const char *inspect_heap_policy(const struct sim *, uint16_t pid);
/* Every chunk in address order; false where the headers do not add up. */
bool inspect_chunks(const struct sim *, uint16_t pid,
                    void (*show)(void *ctx, const struct heap_chunk *), void *ctx);

/* Every chunk of a free list, in the order of its links; false: the allocator has no such order. */
bool inspect_lists(const struct sim *, uint16_t pid,
                   void (*show)(void *ctx, const struct heap_chunk *), void *ctx);
/* Letters of the low bits of a header word, bit 0 first; "": it has none. */
const char *inspect_header_bits(const struct sim *, uint16_t pid);

struct block_info {
    uint64_t id;
    uint16_t pid;
    va_t start;
    uint64_t size; /* as requested */
    uint64_t op;   /* that made it */
};
size_t inspect_blocks(const struct sim *);
/* In the order in which they were made. */
void inspect_each_block(const struct sim *, void (*show)(void *ctx, const struct block_info *),
                        void *ctx);
bool inspect_block(const struct sim *, uint16_t pid, uint64_t id, struct block_info *);

/* ---- the replay ---- */
struct replay_counters {
    uint64_t ops;
    uint64_t by_kind[OP_COUNT];
    uint64_t errors[MISUSE_KINDS];
    uint64_t bytes_read, bytes_written;   /* by the program's own ops */
    uint64_t leaked_blocks, leaked_bytes; /* live when their process ended, so far */
    cycles_t cycles_program;              /* instructions outside memory: alloc.call_cycles … */
    cycles_t cycles_heap; /* calls of the malloc family, with all that happens below them */
    uint64_t own_misses, own_walks, own_faults; /* first-level dTLB misses, walks and page faults of
                                                   the allocator's accesses to its own words */
};
const struct replay_counters *inspect_replay(const struct sim *);

/* What the trace last did wrong: the first mistake of the last op that made one. */
struct mistake {
    uint64_t op; /* 0: none so far */
    enum misuse what;
    va_t pointer;
    uint64_t other_op;   /* the other op concerned; 0: none */
    const char *message; /* what the C library said before it aborted; NULL: it did not */
    bool endless;        /* it did not abort, but would never have returned: message tells where */
};
const struct mistake *inspect_mistake(const struct sim *);

/* The first event that was wrong, where the kernel makes mistakes on purpose (bug.*). */
struct wrong_event {
    uint64_t count; /* wrong events so far; 0: none, and nothing else is set */
    struct moment at;
    const char *event; /* its name */
    unsigned cpu;
    const char *why;
};
void inspect_wrong(const struct sim *, struct wrong_event *);

/* The op of that number; of a trace that is read op by op only the one in progress (to sinks) or
 * just done is known. NULL: none. */
const struct op *inspect_op(const struct sim *, uint64_t number);
const struct op_extra *inspect_op_extra(const struct sim *, uint64_t number);

/* The whole-machine checker: TLB against tables, frames against entries, entries against areas,
 * heap against live blocks. true, or false with what is wrong in why. */
bool inspect_check(const struct sim *, char *why, size_t size);

#endif
