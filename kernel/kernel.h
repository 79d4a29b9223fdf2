/* kernel.h: the toy kernel: processes, areas, system calls, the page fault handler, frames.
 *
 * The kernel edits real page tables in simulated RAM and tells the MMU what to forget. It never
 * calls upwards: whoever runs a program (sim/machine.c) brings a fault here and then retries.
 */
#ifndef MEMWALK_KERNEL_KERNEL_H
#define MEMWALK_KERNEL_KERNEL_H

#include "kernel/uapi.h"
#include "mmu/mmu.h"
#include "sim/base/err.h"

struct kernel;
struct process;

/* PCIDs are given out by each CPU for itself, in turn, to the address spaces that last ran there. A
 * slot remembers whose it is and how much of that address space's changes its translations know.
 * Linux: TLB_NR_DYN_ASIDS in arch/x86/include/asm/tlbflush.h. */
#define ASIDS 6u
struct asid {
    uint64_t ctx; /* of the address space; 0: free */
    uint64_t gen; /* changes of it that were forgotten here */
};

/* One processor. The machine owns an array of them; the kernel schedules processes on them. */
struct cpu {
    unsigned id;
    struct mmu *mmu;
    struct process *current; /* NULL before the first process runs */
    struct process *mm;      /* whose address space is loaded; NULL: only the kernel half */
    unsigned asid;           /* the slot that it has here; its PCID is one more */
    unsigned next_asid;      /* the slot that goes to the next stranger */
    struct asid slot[ASIDS];
    bool lazy;      /* idle: forgets later, when it runs again */
    uint32_t tid;   /* of current; TID_NONE: only the process is known */
    uint32_t tasks; /* threads that have their place here */
    pfn_t late;     /* frame that it forgot to zero (bug.publish_early); 0: none */
};
#define TID_NONE UINT32_MAX

/* ---- configuration ---- */

/* The classic mistakes, each to be made on purpose. */
struct kernel_bugs {
    bool no_invlpg;    /* changed entries stay in the TLB of the CPU that changed them */
    bool no_shootdown; /* and in those of the others */
    bool cow_no_count; /* a write to a shared page takes the frame without asking who else has it */
    bool publish_early; /* a new page is mapped first, and zeroed when its CPU is next in the kernel
                         */
    bool lost_dirty; /* eviction does not see D: what was written since a page came back is lost */
};

/* Who gets huge pages: /sys/kernel/mm/transparent_hugepage/enabled. */
enum thp_mode {
    THP_NEVER,
    THP_MADVISE, /* areas of MADV_HUGEPAGE */
    THP_ALWAYS,  /* all but those of MADV_NOHUGEPAGE */
    THP_MODES
};
extern const char *const thp_mode_name[THP_MODES];

struct kernel_config {
    /* Where things lie in a process; the defaults are what setarch -R shows on Linux. */
    va_t image_start;         /* program text, data, bss */
    uint64_t image_bytes;     /* from image_start to the initial break or below it */
    va_t heap_start;          /* the initial break (heap0) */
    va_t mmap_top;            /* mappings are placed top-down below this (mmap_low) */
    va_t stack_top;           /* first byte above the stack area */
    uint64_t stack_bytes;     /* initial size of the stack area */
    uint64_t stack_limit;     /* RLIMIT_STACK */
    uint64_t ram_claim;       /* RAM that overcommit mode 0 believes in; 0: the machine's own */
    uint64_t max_areas;       /* vm.max_map_count */
    uint64_t reserved_frames; /* frames at the bottom of RAM that the kernel image owns */
    uint64_t memlock_limit;   /* RLIMIT_MEMLOCK; 0: 8 MiB, as Linux starts with */
    uint32_t thp;             /* enum thp_mode: transparent_hugepage/enabled */
    bool five_levels;         /* of page tables (CR4.LA57), not four */
    /* Reclaim and swap; with neither a device nor a limit nothing is ever reclaimed. */
    uint64_t swap_bytes;     /* of the swap device; 0: none */
    uint32_t reclaim_policy; /* index into reclaim_table */
    uint64_t frames_limit;   /* pages of programs that may be in memory at once; 0: any number */
    uint32_t reclaim_tick;   /* references between two ticks of the policy, > 0 */
    uint64_t min_free;       /* vm.min_free_kbytes, in bytes; 0: as Linux computes it */
    uint32_t swap_read_cycles, swap_write_cycles;
    uint32_t scan_cycles; /* reclaim looks at one page */
    /* Files. */
    uint32_t readahead;           /* pages of a read-ahead window (read_ahead_kb); 0: none */
    uint32_t dirty_background;    /* vm.dirty_background_ratio, percent */
    uint32_t dirty_limit;         /* vm.dirty_ratio, percent */
    uint32_t disk_request_cycles; /* one read or write of neighbouring pages */
    uint32_t disk_page_cycles;    /* and for each page of it */
    /* Costs. */
    uint32_t syscall_cycles;         /* entry and exit */
    uint32_t fault_cycles;           /* entry, area lookup and exit of a page fault */
    uint32_t zero_cycles;            /* filling one frame with zeroes */
    uint32_t entry_cycles;           /* the kernel writes one entry of a table */
    uint64_t rlimit_as, rlimit_data; /* of every process at first; 0: none */
    uint32_t overcommit; /* vm.overcommit_memory: 0 guesses, 1 never refuses, 2 keeps a limit */
    uint32_t overcommit_ratio;  /* percent of RAM in that limit */
    bool pkeys;                 /* protection keys: CR4.PKE */
    bool pcid;                  /* address spaces keep their translations over a switch */
    uint32_t switch_cycles;     /* a CPU goes on with another thread */
    uint32_t ipi_send_cycles;   /* for each CPU that is interrupted */
    uint32_t ipi_handle_cycles; /* until its answer is there; all interrupted CPUs at once */
    struct kernel_bugs bug;
};

/* ---- life ---- */

/* Takes RAM over: reserves its own frames and builds the kernel half of the address space (mapped
 * supervisor-only, shared by all processes). NULL with *error: no memory, or RAM too small. */
struct kernel *kernel_new(struct env *, struct ram *, struct cpu *cpus, unsigned count,
                          const struct kernel_config *, struct error *);

/* A new process with the standard layout; its pid (from 1), or -errno. */
int64_t kernel_spawn(struct kernel *, const char *name);
/* Makes pid run on cpu, whichever of its threads: loads CR3 where the address space differs. 0 or
 * -ESRCH. */
int kernel_switch(struct kernel *, struct cpu *, uint16_t pid);
/* Thread tid of pid runs, on the CPU that it has: *cpu. One that never ran gets the CPU with the
 * fewest threads, the lowest number among equals. 0, -ESRCH or -ENOMEM. */
int kernel_run(struct kernel *, uint16_t pid, uint16_t tid, struct cpu **cpu);
/* What runs on cpu waits for something: the CPU idles, with the address space still loaded. */
void kernel_block(struct kernel *, struct cpu *);
/* The thread that runs on cpu ends; its process goes on. */
void kernel_thread_exit(struct kernel *, struct cpu *);
/* The thread that runs on cpu executes WRPKRU. */
void kernel_wrpkru(struct kernel *, struct cpu *, uint32_t pkru);
/* The thread that runs on cpu moves to CPU number to. 0, -EINVAL (no such CPU) or -ESRCH. */
int kernel_affinity(struct kernel *, struct cpu *, uint64_t to);
/* The code with which a process is about to exit, for its parent's wait. */
void kernel_exit_code(struct kernel *, uint16_t pid, uint8_t code);
/* Ends a process and frees all that it owns. While its parent lives and has not waited for it, it
 * stays listed, without memory. */
void kernel_exit(struct kernel *, struct cpu *, uint16_t pid);

/* khugepaged looks at so many pages, where it left off, and makes huge ones of small ones where
 * that is wanted and possible. */
void kernel_khugepaged(struct kernel *, uint64_t pages);

/* ---- the two doors ---- */

/* For the process that runs on cpu. The result, or -errno. */
int64_t kernel_syscall(struct kernel *, struct cpu *, uint64_t nr, const uint64_t arg[6]);

struct lx_siginfo {
    int signal; /* 0: none */
    unsigned code;
    va_t va;
};

enum fault_outcome {
    FAULT_MINOR,    /* a frame was found without reading a disk: retry */
    FAULT_MAJOR,    /* retry */
    FAULT_SPURIOUS, /* the tables already allow it: retry */
    FAULT_SIGNAL,   /* the program did something wrong */
    FAULT_KILLED,   /* out of memory: the process is gone */
    FAULT_OUTCOMES
};
extern const char *const fault_outcome_name[FAULT_OUTCOMES];

/* FAULT_MINOR to FAULT_SPURIOUS: retry; else *info says which signal the process got. A killed
 * process has no memory left; every further call for it fails. It stays listed until kernel_exit,
 * although event process_gone was told at its death. */
enum fault_outcome kernel_fault(struct kernel *, struct cpu *, const struct mmu_fault *,
                                struct lx_siginfo *info);

/* Name of replacement policy number i, NULL beyond the last; and what it does. */
const char *kernel_reclaim_name(uint64_t i);
const char *kernel_reclaim_doc(uint64_t i);

/* ---- the program's accesses: for replacement policies ---- */

/* Must kernel_used be called? */
bool kernel_hears(const struct kernel *);
/* The access to n bytes at va by what runs on cpu is done: its pages may go again, and policies
 * that know each reference hear of it. */
void kernel_used(struct kernel *, struct cpu *, va_t, size_t n);
/* watch is told each reference: the page of an access if it is not the page of the access before
 * it. ctx and watch are the host's, so for machines that do not travel in time only. */
void kernel_watch(struct kernel *, void (*watch)(void *ctx, uint16_t pid, va_t page), void *ctx);

/* What a program will do, as a run before this one was watched. It must not change. */
struct future {
    void *ctx;
    /* After so many references: how many come before the page is used again. UINT64_MAX: it is
     * not. */
    uint64_t (*next_use)(void *ctx, uint16_t pid, va_t page, uint64_t done);
    /* Is reference number (from 1) to this page? */
    bool (*agrees)(void *ctx, uint16_t pid, va_t page, uint64_t number);
};
/* Does the policy of this configuration need it? Then kernel_foresee must be called before the
 * first access. */
bool kernel_needs_future(const struct kernel_config *);
void kernel_foresee(struct kernel *, const struct future *);
/* Did the program do something else than was foreseen? */
bool kernel_surprised(const struct kernel *);

/* ---- inspection: copies out, changes nothing ---- */

#define FRAME_ORDERS 11u /* free blocks have 2^0 to 2^10 frames */

struct area_info {
    va_t start, end;
    uint32_t prot;     /* LX_PROT_ */
    uint32_t flags;    /* LX_MAP_ */
    const char *name;  /* "[heap]", "[stack]", a path; "" for anonymous memory */
    uint64_t offset;   /* as maps prints it */
    uint64_t resident; /* pages of it that have a frame */
};

enum frame_use {
    FRAME_FREE,
    FRAME_RESERVED, /* the kernel's own */
    FRAME_TABLE,    /* a page table of a process or of the kernel half */
    FRAME_ANON,     /* private memory of a process */
    FRAME_SHARED,   /* a page of a shared memory object */
    FRAME_FILE,     /* a page of a file: the page cache. va is its place in the file, pid 0 */
    FRAME_USES
};
extern const char *const frame_use_name[FRAME_USES];

/* Does such a frame hold a page, and not the kernel's own? */
static inline bool frame_holds_page(enum frame_use use)
{
    return use == FRAME_ANON || use == FRAME_SHARED || use == FRAME_FILE;
}

struct frame_info {
    enum frame_use use;
    uint16_t pid;  /* owner; 0: the kernel */
    uint8_t level; /* of a table */
    va_t va;       /* page it backs (of the last entry written for it while only one maps it), or
                    * first address that the table maps */
    uint32_t refs; /* entries that map it */
};

struct process_info {
    uint16_t pid, parent;
    const char *name;
    bool killed; /* it has no memory any more: killed, or ended and not waited for */
    pa_t root;   /* of its tables: CR3 */
    va_t heap_start, brk;
    uint64_t resident; /* pages with a frame */
    uint64_t resident_peak;
    uint64_t virtual_pages;
    uint64_t locked;  /* pages, as VmLck counts them */
    uint64_t huge;    /* entries that map 2 MiB */
    uint64_t tables;  /* frames of its own tables, the root included, kernel half not */
    uint64_t swapped; /* pages in swap: entries that name a slot */
    uint64_t faults_minor, faults_major;
};

enum reclaim_why {
    RECLAIM_KSWAPD, /* less than the low mark was free */
    RECLAIM_DIRECT, /* a request found less than the min mark, or nothing */
    RECLAIM_LIMIT,  /* reclaim.frames was reached */
    RECLAIM_ADVICE, /* MADV_PAGEOUT */
    RECLAIM_WHYS
};
extern const char *const reclaim_why_name[RECLAIM_WHYS];

struct kernel_counters {
    uint64_t syscalls;
    uint64_t brk, mmap, munmap, mremap, mprotect, madvise, other;
    uint64_t huge_faults, huge_fallbacks; /* huge pages made by faults; small ones instead */
    uint64_t huge_splits, huge_collapses; /* into 4 KiB pages; from 4 KiB pages */
    uint64_t forks;                       /* that succeeded */
    uint64_t cow_copied;                  /* shared pages that a writer got a copy of */
    uint64_t cow_reused;                  /* that nobody shared any more: the writer kept them */
    uint64_t failed;                      /* returned -errno, or a brk that did not move */
    uint64_t faults_minor, faults_major, faults_spurious, segv_maperr, segv_accerr, oom_kills;
    uint64_t segv_pkuerr;                     /* SIGSEGV by a protection key */
    uint64_t user_copies, user_copies_failed; /* the kernel's own accesses to programs' memory */
    uint64_t frames_allocated, frames_freed, frames_zeroed;
    uint64_t frames_data, frames_data_peak; /* that hold pages of programs, now and at most */
    uint64_t tables_made, tables_freed;
    uint64_t entry_writes;
    uint64_t invlpgs;
    uint64_t switches;          /* of threads, to and from idle included */
    uint64_t mm_switches;       /* of address spaces */
    uint64_t mm_kept;           /* of these, how often the translations were still good */
    uint64_t flushes;           /* times that changed entries had to be forgotten */
    uint64_t tlb_flushes;       /* by emptying a TLB, each CPU counted */
    uint64_t shootdowns;        /* flushes that interrupted other CPUs */
    uint64_t ipis;              /* interrupts handled for them */
    uint64_t ipis_spared;       /* idle CPUs that were left alone */
    cycles_t cycles_ipi_wait;   /* of the CPUs that asked; part of their call or fault */
    cycles_t cycles_ipi_handle; /* lost by those that were asked; not on the clock */
    uint64_t areas_peak, frames_peak;
    /* Reclaim: runs and pages freed by reason; pages whose A bit was looked at; evicted in all, of
     * them without a write; dropped because MADV_FREE had given them up. */
    uint64_t reclaim_runs[RECLAIM_WHYS], pages_freed_by[RECLAIM_WHYS];
    uint64_t pages_scanned_by[RECLAIM_WHYS];
    uint64_t pages_scanned, pages_evicted, pages_clean, pages_dropped;
    uint64_t swap_reads, swap_writes;         /* transfers of the device */
    uint64_t refaults, refault_distance;      /* pages read in again; sum of evictions in between */
    uint64_t file_reads, file_writes;         /* pages from and to the disk */
    uint64_t file_requests;                   /* in so many transfers */
    uint64_t file_waits;                      /* of these reads, those that a program waited for */
    uint64_t file_dirtied;                    /* clean pages that were written */
    uint64_t writeback_runs, writeback_waits; /* by the flusher; by the program itself */
    cycles_t cycles_writeback;                /* in the background */
    cycles_t cycles_syscall, cycles_fault, cycles_switch;
    cycles_t cycles_reclaim; /* in the background */
};

struct cpu_info {
    uint16_t pid, tid; /* what runs; 0: nothing */
    uint16_t loaded;   /* whose address space is loaded; 0: only the kernel half */
    bool lazy;         /* loaded, but not interrupted for flushes */
    uint16_t pcid;     /* 0: none */
    uint32_t tasks;    /* threads that have their place there */
};
/* The tables that translations of that PCID in the TLBs of that CPU must agree with. false: none;
 * they are never used again before they are forgotten. */
bool kernel_tlb_root(const struct kernel *, unsigned cpu, uint16_t pcid, pa_t *root);
/* false: no such CPU. */
bool kernel_cpu(const struct kernel *, unsigned cpu, struct cpu_info *);

const struct kernel_counters *kernel_counters(const struct kernel *);
/* Process number i in order of pid, i < count. */
size_t kernel_processes(const struct kernel *);
bool kernel_process(const struct kernel *, uint16_t pid, struct process_info *);
bool kernel_process_at(const struct kernel *, size_t i, struct process_info *);
/* Area number i of a process in address order; false beyond the last. */
size_t kernel_areas(const struct kernel *, uint16_t pid);
bool kernel_area(const struct kernel *, uint16_t pid, size_t i, struct area_info *);
/* The area that holds va. */
bool kernel_area_at(const struct kernel *, uint16_t pid, va_t, struct area_info *);
void kernel_frame(const struct kernel *, pfn_t, struct frame_info *);
uint64_t kernel_frames_free(const struct kernel *);
/* Free blocks of 2^order frames, order 0 to 10, as /proc/buddyinfo counts them. */
uint64_t kernel_free_blocks(const struct kernel *, unsigned order);
/* Why 2^order frames cannot be had, in thousandths: towards 0 for lack of memory, towards 1000 by
 * fragmentation; -1000: they can (/sys/kernel/debug/extfrag/extfrag_index). */
int kernel_fragmentation_index(const struct kernel *, unsigned order);
/* Part of the free memory that is of no use for 2^order frames, in thousandths (unusable_index). */
unsigned kernel_unusable_index(const struct kernel *, unsigned order);
/* Memory as a whole, for /proc/meminfo and the like; all but the marks in pages. */
struct memory_info {
    uint64_t frames, reserved, free;
    uint64_t anon, shared; /* frames of programs */
    uint64_t files, dirty; /* frames of files; of these, those that the disk does not have */
    uint64_t tables;       /* frames of page tables, the kernel's own included */
    uint64_t limit;        /* reclaim.frames, 0: none */
    uint64_t mark_min, mark_low, mark_high;
    uint64_t swap_slots, swap_used, swap_peak, swap_cached;
    uint64_t swap_made; /* slots from this one on were never used */
};
void kernel_memory(const struct kernel *, struct memory_info *);

struct swap_info {
    bool used;
    uint32_t refs; /* entries that name it */
    pfn_t pfn;     /* frame that holds the same page; PFN_NONE: none */
    bool bytes;    /* false: it holds a page of zeroes */
};
/* false: the device has no such slot. */
bool kernel_swap_slot(const struct kernel *, uint64_t slot, struct swap_info *);
/* Does the slot hold the bytes of the frame? */
bool kernel_slot_holds(const struct kernel *, uint64_t slot, pfn_t);
/* n bytes at va, all in one page that lies in swap; false: it does not. Changes nothing. */
bool kernel_peek_swap(const struct kernel *, uint16_t pid, va_t, void *to, size_t n);
/* Why did the out-of-memory killer do what it did last? In Linux's words; "": it never ran. */
const char *kernel_oom_report(const struct kernel *);
/* /proc/PID/oom_score_adj, -1000 (never killed) to 1000. 0, -ESRCH or -EINVAL. */
int kernel_oom_score_adj(struct kernel *, uint16_t pid, int value);
/* What /proc/PID/oom_score would be computed from: pages, moved by oom_score_adj. */
int64_t kernel_oom_badness(const struct kernel *, uint16_t pid);

/* The entries that map a frame, by the reverse map: number i, false beyond the last. */
bool kernel_mapping(const struct kernel *, pfn_t, size_t i, uint16_t *pid, va_t *va);
/* What /proc/PID/smaps tells of an area beyond its line in maps. */
struct area_usage {
    uint32_t flags;    /* VM_ bits of vma.h, as VmFlags shows them */
    uint64_t resident; /* pages that have a frame */
    uint64_t anon;     /* of these: private ones */
    uint64_t huge;     /* of these: parts of huge pages */
    uint64_t share; /* bytes × 4096 of the resident ones, each divided by those who map it (Pss) */
};
/* Of area number i of a process in address order; false beyond the last. */
bool kernel_area_usage(const struct kernel *, uint16_t pid, size_t i, struct area_usage *);

enum page_kind {
    PAGE_KIND_ANON,
    PAGE_KIND_SHARED,
    PAGE_KIND_ZERO,
    PAGE_KIND_GUARD,
    PAGE_KIND_FILE,
};

/* What /proc/PID/pagemap tells of a page that has an entry. */
struct page_info {
    enum page_kind kind;
    bool exclusive; /* one entry alone maps its frame */
    bool huge;      /* by an entry for 2 MiB */
};
/* The first such page at or after *va and below end; moves *va to it. false: none. */
bool kernel_page(const struct kernel *, uint16_t pid, va_t *va, va_t end, struct page_info *);

/* Pages of a process that are part of huge pages and hold only zeroes: what its huge pages waste.
 */
uint64_t kernel_huge_waste(const struct kernel *, uint16_t pid);

/* ---- files ---- */

#define FILES_MAX 16u

/* A file "/data/fileNUMBER" of size bytes on the disk, number 1 to FILES_MAX; one that is there
 * already stays as it is. Its first contents are lines of 16 bytes that name file, page and place.
 * 0, -EINVAL or -ENOMEM. */
int kernel_file(struct kernel *, uint64_t number, uint64_t size);
struct file_info {
    const char *name;
    uint64_t size;          /* bytes */
    uint64_t cached, dirty; /* pages */
};
bool kernel_file_info(const struct kernel *, uint64_t number, struct file_info *);
/* The frame that caches the page, PFN_NONE: none. */
pfn_t kernel_file_page(const struct kernel *, uint64_t number, uint64_t index);

/* Registers as the process would have them: for walks through any process's tables. */
bool kernel_regs(const struct kernel *, uint16_t pid, struct mmu_regs *);

/* What mincore would say of one page: 1 in memory, 0 not, -1 no area there. */
int kernel_mincore(const struct kernel *, uint16_t pid, va_t);

/* A file below /proc by its path there ("7/smaps", "meminfo"), as Linux prints it. The length that
 * all of it has, like snprintf, or -ENOENT. */
int64_t kernel_proc(const struct kernel *, const char *path, char *text, size_t size);
/* Name number i of those that there are, first those of a process; NULL beyond the last. */
const char *kernel_proc_name(size_t i, bool *of_process);
/* kernel_proc for PID/maps; 0: no such process. */
size_t kernel_proc_maps(const struct kernel *, uint16_t pid, char *text, size_t size);
/* One word of /proc/PID/pagemap: bits 0-54 frame, 56 mapped once, 58 guard, 61 of a file or shared,
 * 62 in swap, 63 present. false: no such process or page. */
bool kernel_proc_pagemap(const struct kernel *, uint16_t pid, vpn_t, uint64_t *entry);

/* Whole-kernel invariants: areas sorted and disjoint, entries within areas' rights, frames owned
 * once, counts right, free lists disjoint. true, or false with what is wrong in why. */
bool kernel_check(const struct kernel *, char *why, size_t size);

#endif
