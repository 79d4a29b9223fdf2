/* process.h: the kernel's own picture of itself and of its processes; private to this folder. */
#ifndef MEMWALK_KERNEL_PROCESS_H
#define MEMWALK_KERNEL_PROCESS_H

#include "kernel/frames.h"
#include "kernel/limits.h"
#include "kernel/sched.h"
#include "kernel/tlbflush.h"
#include "kernel/vma.h"

#define OOM_REPORT_BYTES 4096u
#define NAME_BYTES       16u /* as Linux's comm */
#define FDS_MAX          16u /* descriptors of a process */
#define PINS             4u /* an access lies in two pages, and a copy of each may have to be made */
#define FIRST_FD         3u /* those before it are the terminal's */

/* An open file. */
struct descriptor {
    uint8_t file; /* its number; 0: the descriptor is free */
    bool read, write;
};

/* One process. Its address space is its areas and its tables. */
struct process {
    uint16_t pid, parent;
    bool killed;     /* it owns nothing any more: it ended, or was killed */
    bool exited;     /* it ended by itself, and is listed until its parent asks (a zombie) */
    uint32_t status; /* for its parent's wait: exit code << 8, or the signal */
    char name[NAME_BYTES];
    pfn_t root; /* of its tables; PFN_NONE once they are gone */
    struct areas areas;
    va_t heap_start, brk;
    va_t stack_top;
    uint64_t pages; /* in areas */
    uint64_t pages_peak;
    uint64_t data;    /* in private areas that can be written, stacks apart */
    uint64_t charged; /* in areas that count against overcommit */
    uint64_t limit[LIMITS];
    uint16_t pkeys;  /* bit for each protection key that was given out; key 0 always is */
    uint32_t pkru;   /* what its next thread starts with */
    uint64_t locked; /* in areas with VM_LOCKED */
    /* Unlocked by MREMAP_DONTUNMAP, but still counted as locked, in VmLck and against the limit:
     * Linux forgets to count them off. */
    uint64_t locked_for_ever;
    uint64_t resident, resident_peak;
    uint64_t tables;
    uint64_t ctx;          /* the address space's own number, never used again */
    uint64_t tlb_gen;      /* how often a TLB had to forget something of it */
    uint64_t cpumask;      /* CPUs that have it loaded */
    uint64_t swapped;      /* entries that name a swap slot */
    uint64_t shared;       /* of the resident pages: those of shared objects */
    uint64_t filed;        /* and those of files */
    int16_t oom_score_adj; /* -1000 to 1000 */
    uint64_t huge;         /* entries that map 2 MiB, the huge page of zeroes too */
    uint64_t faults_minor, faults_major;
    uint64_t children_minor, children_major, children_peak; /* of those waited for */
    uint64_t switches; /* how often one of its threads began to run */
    struct tasks tasks;
    struct descriptor fd[FDS_MAX];
};

/* The swap device (swap.h). */
struct swap {
    uint64_t slots; /* 0: there is none */
    uint64_t made;  /* slots [0, made) were used at some time */
    uint64_t used, peak, cached;
    uint64_t capacity; /* of slot[] */
    struct swap_slot *slot;
    uint32_t free; /* the first free one of those made, + 1; 0: none */
};

/* Reclaim (reclaim.h). */
struct reclaim {
    const struct reclaim_ops *ops; /* NULL: nothing is ever reclaimed */
    void *state;                   /* the policy's */
    uint64_t limit;                /* pages that may be in memory; 0: any number */
    uint64_t min, low, high;       /* free frames: the watermarks */
    uint64_t failures;             /* runs in a row that freed nothing */
    uint64_t age;                  /* pages evicted so far */
    uint64_t position;             /* references so far */
    uint64_t last;                 /* mapping_t of the last one */
    pfn_t pinned[PINS];            /* frames that the present access needs; PFN_NONE: none */
    unsigned pins;                 /* since the last time that none was needed */
    bool surprised;                /* a reference was not the one foreseen */
    const struct future *future;   /* of the trace; the host's, constant */
    void (*watch)(void *ctx, uint16_t pid, va_t page);
    void *watch_ctx;
};

struct kernel {
    struct env *env;
    struct ram *ram;
    struct cpu *cpus;
    unsigned cpu_count;
    struct kernel_config config;
    struct kernel_counters counters;
    struct frames *frames;
    uint64_t frames_of[FRAME_USES]; /* frames in use, by use */
    struct swap swap;
    struct reclaim reclaim;
    struct inode *inode[FILES_MAX]; /* file number i + 1, NULL: there is none */
    uint64_t dirty;                 /* pages of files that the disk does not have */
    pfn_t root;                     /* the kernel half alone: CR3 where no process runs */
    uint64_t mappings_lost;         /* entries that the reverse map had no memory for */
    pfn_t zero;      /* the frame of zeroes that all untouched pages share when read */
    pfn_t huge_zero; /* the same of 2 MiB, for huge pages; PFN_NONE: nobody maps it */
    struct process **process;
    size_t process_count, process_capacity;
    uint16_t next_pid;
    uint64_t next_ctx;
    uint64_t next_anon;   /* identity of the next anonymous memory */
    uint64_t next_object; /* number of the next shared object */
    uint16_t scan_pid;    /* where khugepaged goes on */
    va_t scan_va;
    cycles_t copying;        /* in programs' memory: the MMU and the faults there count them */
    uint64_t shared_charged; /* pages of shared memory that count against overcommit */
    struct gather gather;
    size_t oom_length;
    char oom_report[OOM_REPORT_BYTES]; /* of the last kill */
};

struct process *process_find(const struct kernel *, uint16_t pid);
/* The process that runs on cpu and has memory, or NULL. */
struct process *process_running(const struct cpu *);
/* A new process with an empty address space. NULL with *result = -errno. */
struct process *process_begin(struct kernel *, const char *name, uint16_t parent, int64_t *result);
/* Gives everything back and takes p out of the list: nobody waits for it. */
void process_end(struct kernel *, struct process *);
/* Empties the address space: areas, pages, tables. */
void process_clear(struct kernel *, struct process *);
/* Bytes that count against RLIMIT_MEMLOCK. */
static inline uint64_t process_locked(const struct process *p)
{
    return (p->locked + p->locked_for_ever) << PAGE_SHIFT;
}
/* Out of memory at va: the process loses all its memory. */
void process_kill(struct kernel *, struct process *, va_t);

/* A frame for one page or table. PFN_NONE: none left. */
pfn_t frame_get(struct kernel *, enum frame_use, uint16_t pid, va_t);
/* The frame is free again. */
void frame_put(struct kernel *, pfn_t);
void frame_zero(struct kernel *, pfn_t);
/* Zeroes the frame that cpu forgot to (bug.publish_early). */
void frame_zero_late(struct kernel *, struct cpu *);

/* 512 frames in one block for a huge page. PFN_NONE: no such block is free. */
pfn_t frames_get_huge(struct kernel *, enum frame_use, uint16_t pid, va_t);
void frames_put_huge(struct kernel *, pfn_t);

/* Does the frame hold only zeroes? */
bool frame_blank(const struct kernel *, pfn_t);

/* One of the frames of zeroes, which are nobody's memory. */
static inline bool pfn_is_zero(const struct kernel *k, pfn_t pfn)
{
    return pfn == k->zero || (k->huge_zero != PFN_NONE && pfn - k->huge_zero < TABLE_ENTRIES);
}

#endif
