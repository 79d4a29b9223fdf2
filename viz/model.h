/* model.h: what the picture needs to know about a machine, folded from its events.
 *
 * The window never looks inside the machine: it draws this. The model lies in the machine's arena,
 * so it goes back in time with it. model_check compares it with inspection; where the two are
 * equal after every op, no event is missing.
 */
#ifndef MEMWALK_VIZ_MODEL_H
#define MEMWALK_VIZ_MODEL_H

#include "mmu/pte.h"
#include "sim/explain.h"
#include "sim/sim.h"

#define MODEL_RING   64u  /* recent events kept for the narration */
#define MODEL_PROBES 48u  /* looks of the current search that are kept */
#define MODEL_BLOCK  256u /* frames in one piece of the frame directory */

/* ---- pieces ---- */

struct model_line { /* one way of a TLB set */
    vpn_t vpn;
    pfn_t pfn;
    uint64_t used;  /* model's tick of the last hit or fill: the newest is the largest */
    uint64_t size;  /* bytes that it maps */
    uint32_t flags; /* enum tlb_flag */
    uint16_t pcid;
    bool valid;
};

struct model_tlb {
    uint32_t sets, ways;
    struct model_line *line; /* [set * ways + way] */
    uint64_t hits, misses;
};

struct model_slot { /* one paging-structure cache entry */
    va_t va;
    pa_t table;
    uint16_t pcid;
    bool valid;
};

struct model_psc {
    uint32_t slots;
    struct model_slot *slot;
};

struct model_frame {
    va_t va;       /* page it backs, or first address that the table maps */
    pte_t *entry;  /* of a table: its 512 entries; else NULL */
    uint32_t refs; /* entries of level 1 that hold it */
    uint16_t pid;
    uint8_t use;   /* enum frame_use */
    uint8_t level; /* of a table */
};

struct model_area {
    va_t start, end;
    uint64_t flags;   /* LX_MAP_ */
    const char *name; /* static storage */
    uint32_t prot;    /* LX_PROT_ */
};

struct model_process {
    struct model_area *area; /* in address order */
    size_t areas, areas_max;
    va_t heap_start, brk;
    pa_t root; /* 0: not loaded yet */
    uint16_t pid, parent;
    uint16_t signal; /* that ended it */
    bool gone;
};

struct model_block { /* what malloc returned and was not given back */
    va_t start;      /* 0: empty place of the table */
    uint64_t id, size, usable;
    va_t chunk; /* 0: not told */
    uint64_t chunk_size;
    uint64_t op; /* that made it */
    uint16_t pid;
    bool dead; /* a place that was used: the search for others goes on past it */
};

struct model_free { /* a chunk in a free list */
    va_t start;
    uint64_t size;
    const char *list;
    uint16_t pid;
    bool dead;
};

struct model_probe {
    va_t chunk;
    uint64_t size;
    uint32_t verdict; /* enum probe_verdict */
};

struct model_search { /* the steps of the last malloc or free */
    uint64_t request, chunk_size, header, alignment, minimum;
    const char *policy, *list;
    uint64_t need, probes;
    struct model_probe probe[MODEL_PROBES]; /* the last ones, a ring by probes */
    va_t fit;
    uint64_t fit_size;
    va_t split, rest;
    uint64_t split_size, rest_size;
    va_t chunk, pointer; /* what came out */
    uint64_t usable;
    va_t header_at;
    uint64_t header_before, header_after;
    bool asked, sized, fitted, returned, freeing, headed;
};

enum model_answer { ANSWER_NONE, ANSWER_HIT, ANSWER_MISS };

struct model_read { /* one level of the walk of the current access */
    pa_t pa;
    pte_t entry;
    cycles_t cost;
    unsigned index;
    bool read;
};

struct model_access { /* the last access, with what is known of it so far */
    va_t va;
    uint64_t length;
    uint32_t how; /* enum access */
    bool any, user, done;
    enum model_answer tlb[TLB_LEVELS];
    uint32_t set[TLB_LEVELS], way[TLB_LEVELS]; /* in … */
    unsigned array[TLB_LEVELS];                /* this array of the level */
    uint32_t miss_class;
    unsigned psc_level; /* level of the cached entry that was used; 0: none */
    pa_t psc_table;
    bool walking, walked;
    unsigned reads;
    unsigned last_level; /* of the newest read; 0: none */
    struct model_read level[LEVELS_MAX + 1];
    pfn_t pfn; /* PFN_NONE: not known yet */
    uint64_t page_size;
    pa_t pa;
    unsigned tries; /* walks of this same access: more than 1 after a fault */
};

struct model_fault { /* the page fault in progress, or the last one of the access */
    va_t va;
    uint64_t error;
    unsigned level, vector;
    bool raised, handling, found, ended;
    va_t start, end;
    uint64_t prot;
    pfn_t frame; /* PFN_NONE: none taken yet */
    bool zeroed;
    uint32_t outcome; /* enum fault_outcome */
    unsigned signal, code;
    unsigned tables; /* made on the way */
};

struct model_call { /* the system call in progress, or the last one of the op */
    uint64_t nr, arg[6];
    int64_t result;
    bool any, inside;
};

struct model_cpu {
    struct model_tlb tlb[TLB_ARRAYS]; /* hits and misses: of levels */
    struct model_psc psc[LEVELS_MAX + 1];
    struct model_access access;
    struct model_fault fault;
    struct model_call call;
    pa_t root; /* CR3's table */
    uint16_t pid;
    uint16_t running, tid; /* process and thread; 0: none */
    bool lazy;             /* idle, with an address space loaded */
};

struct model_counts {
    uint64_t ops, accesses, walks, walk_reads, faults, calls, tables, resident, errors;
};

/* The fold. */
struct model {
    struct arena *arena;
    struct model_cpu *cpu;
    unsigned levels; /* of page tables */
    uint32_t cpus, cpu_now;
    uint64_t frames, frames_free;
    uint64_t swap_used; /* slots of the swap device */
    uint64_t reserved;  /* frames at the bottom that the kernel's image takes: by configuration */
    struct model_frame **frame; /* directory: pieces of MODEL_BLOCK frames, NULL: all free */
    struct model_process *process;
    size_t processes, processes_max;
    struct model_block *block; /* open addressing by (pid, start) */
    size_t block_room, block_used, blocks;
    struct model_free *chunk; /* open addressing by (pid, start) */
    size_t chunk_room, chunk_used, chunks;
    struct model_search search;
    struct model_counts count;
    uint64_t requested;  /* bytes of live blocks, as asked for */
    uint64_t free_bytes; /* in free lists */
    uint64_t tick;       /* events heard */
    uint64_t op;         /* in progress, or the last; 0: boot */
    uint32_t op_kind;
    uint64_t op_id, op_faults;
    int64_t op_result;
    bool op_done;
    uint8_t *step; /* kinds of the events of this op */
    size_t steps, steps_max;
    struct event ring[MODEL_RING]; /* by tick */
    struct explain_context story;  /* for the sentence about the newest event */
    char alloc[32];
};

/* The observer to give to sim_open. */
struct sim_observer model_observer(void);

/* ---- questions ---- */

/* The newest event, or the one n before it; NULL: it is not kept (any more). */
const struct event *model_event(const struct model *, size_t n);
const struct model_process *model_process(const struct model *, uint16_t pid);
const struct model_area *model_area(const struct model *, uint16_t pid, va_t);
/* Never NULL: a frame that was never told of is free. */
const struct model_frame *model_frame(const struct model *, pfn_t);
/* The entry of this level for va, in the tables below root; false: no such table. *pa (may be
 * NULL): where it stands. */
bool model_entry(const struct model *, pa_t root, va_t, unsigned level, pte_t *entry, pa_t *pa);
/* Pages of [start, end) that have a frame. */
uint64_t model_resident(const struct model *, pa_t root, va_t start, va_t end);
/* An address of the model's width with its upper bits as the processor wants them. */
static inline va_t model_canonical(const struct model *m, va_t va)
{
    unsigned shift = 64 - level_shift(m->levels + 1);
    return (va_t)((int64_t)(va << shift) >> shift);
}
/* Bytes of [start, end) that lie in areas of the process. */
uint64_t model_mapped(const struct model *, uint16_t pid, va_t start, va_t end);
const struct model_block *model_block_at(const struct model *, uint16_t pid, va_t start);
/* The live block that holds va; NULL: none. */
const struct model_block *model_block_over(const struct model *, uint16_t pid, va_t);
const struct model_free *model_free_at(const struct model *, uint16_t pid, va_t start);

#endif
