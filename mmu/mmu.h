/* mmu.h: the door to memory: translation lookaside buffers, paging-structure caches, page walker.
 *
 * An access either is done completely or returns false with a fault described; nothing above is
 * ever called back. The kernel changes tables in RAM and then says what to forget (mmu_invlpg,
 * mmu_invpcid, mmu_write_cr3); the MMU keeps stale entries until then, as the architecture allows.
 *
 *     va ──▶ L1 TLB ──miss──▶ L2 TLB ──miss──▶ paging-structure caches ──▶ walk ──▶ fill both
 *
 * Semantics of the counts: set = page number mod sets; the second level is looked up, and its
 * recency updated, only on a first-level miss; a second-level hit fills the first level; a miss
 * fills both, the second level first; invalid ways are filled first, lowest way first.
 *
 * Fetches have a first level of their own where one is configured (and may have a second), else
 * they share that of data. A level is one array for all page sizes, or has further ones for 2 MiB
 * and 1 GiB pages; its arrays are looked up at once and counted as one. A large page is held as one
 * entry of its own size, in the set (page number of that size) mod sets; where it is larger than
 * the level may hold, as entries for the pieces that were used. With tlb.coalesce an entry may hold
 * several 4 KiB pages that are neighbours in both spaces.
 *
 * Inclusive: what the second level throws out, the first level loses too. Exclusive: a walk fills
 * the first level only, what that throws out moves to the second, and a hit there moves it back.
 *
 * A write through an entry whose dirty flag is clear is a hit, and then a walk that sets D in the
 * table: so walks = misses of the last level + dirty_walks (less the misses that a prefetch had
 * provided for). A hit whose rights do not suffice is a
 * fault without a walk. A page fault drops what the TLBs and paging-structure caches had for the
 * address. Walks that fault set no A bit.
 */
#ifndef MEMWALK_MMU_MMU_H
#define MEMWALK_MMU_MMU_H

#include "mmu/ept.h"
#include "mmu/pte.h"
#include "mmu/ram.h"
#include "sim/base/hot.h"

/* ---- configuration ---- */

enum repl_policy {
    REPL_LRU,
    REPL_FIFO,
    REPL_PLRU, /* tree; ways must be a power of two */
    REPL_RANDOM,
    REPL_SRRIP, /* 2-bit re-reference prediction */
    REPL_NRU,   /* one bit for each way */
    REPL_POLICIES
};
extern const char *const repl_name[REPL_POLICIES]; /* "lru", "fifo", … */
extern const char *const repl_doc[REPL_POLICIES];

/* One array. Of the further arrays of a level only sets and ways are looked at. */
struct tlb_config {
    uint32_t sets, ways; /* sets need not be a power of two; 0 sets: no such array */
    uint32_t repl;       /* enum repl_policy */
    uint32_t hit_cycles; /* added when this level answers */
};

/* The levels, each named like its main array; then their further arrays for large pages. Array a
 * belongs to level a mod TLB_LEVELS. */
enum {
    TLB_L1D, /* data, and instructions too where there is no TLB_L1I */
    TLB_L2,  /* data, and instructions too where there is no TLB_L2I */
    TLB_L1I,
    TLB_L2I,
    TLB_LEVELS,
    TLB_L1D_2M = TLB_LEVELS,
    TLB_L2_2M,
    TLB_L1I_2M,
    TLB_L2I_2M,
    TLB_L1D_1G,
    TLB_L2_1G,
    TLB_L1I_1G,
    TLB_L2I_1G,
    TLB_ARRAYS
};
extern const char *const tlb_array_name[TLB_ARRAYS]; /* "L1", "L2", "L1I", … "L1 2M" … */

/* How the second level is filled. NINE: neither inclusive nor exclusive. */
enum tlb_inclusion { INCLUSION_NINE, INCLUSION_INCLUSIVE, INCLUSION_EXCLUSIVE, INCLUSIONS };
extern const char *const tlb_inclusion_name[INCLUSIONS];

#define COALESCE_MAX 8u /* entries of a table in one line of a data cache */

/* Data caches, for data and for the walker's reads and marks of entries: mmu/cache.h. */
#define CACHE_LEVELS 3

struct cache_config {
    uint32_t sets, ways; /* sets 0: no such level; without the first there is none at all */
    uint32_t repl;       /* enum repl_policy */
    uint32_t hit_cycles; /* of an access that this level answers, all of it */
};

/* Translations fetched before they are missed: mmu/prefetch.h. */
enum prefetch_kind { PREFETCH_OFF, PREFETCH_NEXT, PREFETCH_DISTANCE, PREFETCH_KINDS };
extern const char *const prefetch_name[PREFETCH_KINDS]; /* "off", "next", "distance" */

struct mmu_config {
    struct tlb_config tlb[TLB_ARRAYS];
    uint64_t largest[TLB_LEVELS]; /* bytes: larger pages are held in pieces of this size; 0: any */
    uint32_t inclusion;           /* enum tlb_inclusion */
    uint32_t coalesce;            /* pages in one entry: 2, 4 or 8; 0 or 1: off */
    uint32_t psc_entries[LEVELS_MAX + 1]; /* by level of the entry held: [2] PDE … ; 0: none */
    uint32_t psc_ways[LEVELS_MAX + 1];    /* 0: fully associative */
    uint32_t walk_read_cycles;            /* each entry that the walker reads */
    uint32_t data_cycles;                 /* each access to data, after translation */
    uint32_t exit_cycles;                 /* each VM exit, with the way back */
    uint32_t maxphyaddr;                  /* physical address bits, 36 to 52 */
    bool front_cache;                     /* host speed only; changes no figure */
    struct cache_config cache[CACHE_LEVELS];
    uint32_t cache_line;       /* bytes, a power of two */
    uint32_t memory_cycles;    /* of an access that no level answers */
    bool cache_inclusive;      /* what leaves a level leaves those above it too */
    uint32_t prefetch;         /* enum prefetch_kind */
    uint32_t prefetch_entries; /* of its buffer */
    uint32_t walkers;          /* 1 to 16 page walkers */
    uint32_t walk_window;      /* accesses that may go on behind one that waits for its walk */
    bool opt;                  /* record the uses of pages for mmu_opt_misses */
    uint64_t opt_limit;        /* so many of each level; 8 bytes each */
    bool classify;             /* tell cold, capacity and conflict misses apart */
};

/* ---- registers ---- */

#define CR0_WP    ((uint64_t)1 << 16)
#define CR4_PSE   ((uint64_t)1 << 4)
#define CR4_PAE   ((uint64_t)1 << 5)
#define CR4_PGE   ((uint64_t)1 << 7)
#define CR4_LA57  ((uint64_t)1 << 12)
#define CR4_PCIDE ((uint64_t)1 << 17)
#define CR4_SMEP  ((uint64_t)1 << 20)
#define CR4_SMAP  ((uint64_t)1 << 21)
#define CR4_PKE   ((uint64_t)1 << 22)
#define CR4_CET   ((uint64_t)1 << 23)
#define CR4_PKS   ((uint64_t)1 << 24)
#define EFER_NXE  ((uint64_t)1 << 11)
#define PAT_RESET UINT64_C(0x0007040600070406) /* IA32_PAT after reset */

#define CR3_PCID    UINT64_C(0xfff)
#define CR3_NOFLUSH ((uint64_t)1 << 63) /* in MOV to CR3 only, with CR4.PCIDE; never kept */

/* The registers that paging looks at, and the mode that an access is made in. */
struct mmu_regs {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pat;        /* IA32_PAT: eight memory types of 8 bits */
    uint32_t pkru, pkrs; /* two bits for each of 16 keys: access disable, write disable */
    unsigned maxphyaddr;
    uint64_t eptp; /* in a guest: its extended page tables; 0: no guest */
    uint16_t vpid; /* and the guest's number, not 0, for TLB entries */
    uint8_t cpl;   /* 0 to 3; only 3 is user mode */
    bool ac;       /* EFLAGS.AC: supervisor may touch user pages although SMAP is on */
    bool implicit; /* the processor's own access to a system table: supervisor, whatever the CPL */
    bool stack;    /* by SS, as PUSH and CALL do: #SS where it is not canonical */
    bool shadow;   /* to a shadow stack, as CALL and RET do with CR4.CET */
};

/* Are accesses user-mode accesses? SDM vol. 3A, "Access Rights". */
static inline bool mmu_user(const struct mmu_regs *regs)
{
    return regs->cpl == 3 && !regs->implicit;
}

/* 4, or 5 with CR4.LA57. */
static inline unsigned mmu_levels(const struct mmu_regs *regs)
{
    return regs->cr4 & CR4_LA57 ? 5 : 4;
}

/* The current process-context identifier: 0 unless CR4.PCIDE. */
static inline uint16_t mmu_pcid(const struct mmu_regs *regs)
{
    return regs->cr4 & CR4_PCIDE ? (uint16_t)(regs->cr3 & CR3_PCID) : 0;
}

/* ---- faults and translations ---- */

enum { VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14 };

struct mmu_fault {
    va_t va; /* the byte that faults: goes into CR2 */
    uint32_t vector;
    uint32_t error; /* PF_ bits */
    unsigned level; /* where the walk ended, 0: before the walk (not canonical) */
    enum access access;
    struct vm_exit exit; /* where vector is 0: the access leaves the guest */
};

/* Rights of a translation, all levels taken together, and what else of the last entry matters; also
 * kept in TLB entries. Bits 0 to 11 stand where an entry of a table has them; bits 12 to 23 are
 * bits 52 to 63 of the entry, where there is no frame. */
enum tlb_flag {
    TLB_EXEC = 1,
    TLB_WRITE = 2, /* PTE_RW */
    TLB_USER = 4,  /* PTE_US */
    TLB_PWT = 8,   /* PTE_PWT, PTE_PCD, PTE_PAT (of a large page too): an index into IA32_PAT */
    TLB_PCD = 16,
    TLB_DIRTY = 64, /* PTE_D */
    TLB_PAT = 128,
    TLB_GLOBAL = 256,    /* PTE_G */
    TLB_SHADOW = 512,    /* a shadow-stack page: dirty, writable but for its own entry */
    TLB_EPT_R = 1 << 14, /* in a guest: its EPT allows to read, to fetch */
    TLB_EPT_X = 1 << 15,
    TLB_2M = 1 << 12,    /* a 2 MiB page */
    TLB_1G = 1 << 13,    /* a 1 GiB page */
    TLB_RUN = 1 << 16,   /* a 4 KiB page that shares its entry with its neighbours */
    TLB_KEYS = 15 << 19, /* protection key */
};
#define TLB_KEY_SHIFT 19

static inline unsigned tlb_key(uint32_t flags)
{
    return flags >> TLB_KEY_SHIFT & 15;
}

/* Memory types as IA32_PAT numbers them; 2 and 3 are reserved. */
enum memory_type { MEMORY_UC, MEMORY_WC, MEMORY_WT = 4, MEMORY_WP, MEMORY_WB, MEMORY_UC_MINUS };

/* The type that paging alone gives a page (the MTRRs are not modelled). SDM vol. 3A, "Paging and
 * Memory Typing". */
static inline enum memory_type mmu_memory_type(const struct mmu_regs *regs, uint32_t flags)
{
    unsigned index = (flags & TLB_PWT) / TLB_PWT + (flags & TLB_PCD) / TLB_PCD * 2 +
                     (flags & TLB_PAT) / TLB_PAT * 4;
    return (enum memory_type)(regs->pat >> 8 * index & 7);
}

struct translation {
    pa_t pa;
    uint64_t page_size; /* 4 KiB, 2 MiB, 1 GiB */
    uint32_t flags;     /* enum tlb_flag */
};

/* ---- the walk, in three steps ---- */

struct walk_step {
    unsigned level; /* 5 … 1 */
    unsigned index;
    pa_t pa; /* in a guest too: where in the machine's memory it stands */
    pte_t entry;
    uint32_t flags; /* TLB_WRITE, USER, EXEC of all levels down to this one */
    bool marked;    /* walk_commit set A or D in it */
};

struct walk {
    va_t va;
    bool canonical;
    bool present;    /* step[steps-1] maps a page */
    bool reserved;   /* step[steps-1] has a reserved bit set */
    unsigned steps;  /* entries read */
    unsigned marked; /* entries in which walk_commit set A or D */
    struct walk_step step[LEVELS_MAX];
    struct translation to; /* where present; in a guest only where ept[steps].exit is 0 */
    pa_t gpa;              /* where present: by the guest's tables alone */
    struct vm_exit exit; /* why a guest's walk ended before it read step[steps]; reason 0: not so */
    /* In a guest: ept[i] found where step i's entry stands (no steps: a paging-structure cache knew
     * its table), ept[steps] where the page is. */
    struct ept_walk ept[LEVELS_MAX + 1];
};

/* Only reads, and records each entry. */
void walk_read(const struct ram *, const struct mmu_regs *, va_t, struct walk *);
/* Only decides: true, or false with the #PF error code. Causes in hardware's priority. A guest's
 * walk that ended with an exit is false with 0. */
bool walk_judge(const struct walk *, const struct mmu_regs *, enum access, uint32_t *pf_error);
/* Only writes A (and D for a write) where still clear. */
void walk_commit(struct ram *, struct env *, struct walk *, enum access);

/* ---- counters: plain fields, always exact ---- */

/* Cold: the level never held the page. Capacity: a fully associative LRU level of the same size,
 * with the same invalidations, misses too. Coherence: the level held the page until it was
 * invalidated. Conflict: the rest. In events MISS_CLASSES: not told. */
enum miss_class { MISS_COLD, MISS_CAPACITY, MISS_CONFLICT, MISS_COHERENCE, MISS_CLASSES };

struct tlb_counters {
    uint64_t lookups, hits, misses, fills, evictions, invalidations; /* misses with faults too */
    uint64_t back_invalidations;     /* lost because an inclusive second level lost it */
    uint64_t by_class[MISS_CLASSES]; /* all 0 unless configured */
};

struct cache_counters {
    uint64_t lookups, hits, misses, fills, evictions;
    uint64_t write_backs;               /* dirty lines that left */
    uint64_t invalidations;             /* because they left a level further out */
    uint64_t walk_lookups, walk_misses; /* those of the walker */
};

struct caches_counters {
    struct cache_counters level[CACHE_LEVELS];
    uint64_t memory_reads, memory_writes; /* lines */
};

struct prefetch_counters {
    uint64_t walks, reads, fills; /* reads: entries; not among the MMU's own */
    uint64_t useful, useless;     /* left the buffer because it was missed, or otherwise */
    uint64_t given_up;            /* not present, or an A bit was clear */
};

struct mmu_counters {
    struct prefetch_counters prefetch;
    uint64_t walker_waits;        /* walks for which no walker was free at once */
    cycles_t cycles_walks_all;    /* of all walks, waited for or not; only where they overlap */
    struct caches_counters cache; /* all 0 without caches */
    struct tlb_counters tlb[TLB_LEVELS];
    uint64_t accesses; /* within one page each; an access across two pages counts two */
    uint64_t loads, stores, fetches;
    uint64_t bytes;
    uint64_t walks;       /* completed or faulting, dirty_walks included */
    uint64_t dirty_walks; /* on a TLB hit: a write found the entry's dirty flag clear */
    uint64_t walk_reads;  /* entries read from RAM, those of a guest's EPT not included */
    uint64_t ept_reads;   /* entries of the EPT read from RAM */
    uint64_t vm_exits;    /* EPT violations and misconfigurations */
    uint64_t psc_lookups, psc_hits;
    uint64_t ad_writes; /* entries in which A or D was set */
    uint64_t faults;
    cycles_t cycles_tlb, cycles_walk, cycles_data, cycles_exit; /* sums of what was charged */
};

/* ---- the MMU of one CPU ---- */

struct mmu;

/* Allocates from env's arena. NULL: no memory. The configuration was checked by mmu_config_check.
 */
struct mmu *mmu_new(struct env *, struct ram *, const struct mmu_config *);
/* false with a reason (static text) and the field's name where the configuration makes no sense. */
bool mmu_config_check(const struct mmu_config *, const char **field, const char **reason);

/* To write them: ask anew before each change that follows an access. To read them. */
struct mmu_regs *mmu_regs(struct mmu *);
const struct mmu_regs *mmu_regs_now(const struct mmu *);
/* Exact at the time of the call; ask anew after accesses. */
const struct mmu_counters *mmu_counters(struct mmu *);
/* The same, where only misses, walks and what follows from them are exact: the short way of
 * sim/base/hot.h changes none of these, so nothing has to be summed up first. */
const struct mmu_counters *mmu_counters_rare(const struct mmu *);
/* The short way for the program on this CPU: see sim/base/hot.h. Lives as long as the MMU. */
struct hot *mmu_hot(struct mmu *);

/* Reads into or writes from buf (NULL: only touches), n bytes, n > 0; may cross pages. On a fault
 * nothing of the access is stored; but more than PAGE_SIZE bytes are done page by page, as REP MOVS
 * does, and the pages before the fault stay done. Cycles go to env's clock and to the counters. */
bool mmu_access(struct mmu *, va_t, void *buf, size_t n, enum access, struct mmu_fault *);
/* Touches one byte at each of va[0 .. n) and returns how many were done; fewer than n: *fault. The
 * same counts as n calls of mmu_access, faster. */
size_t mmu_touch(struct mmu *, const va_t *va, size_t n, enum access, struct mmu_fault *);

/* Reads tables but leaves no trace: no event, no A/D, no recency, no time. false: not mapped. */
bool mmu_probe(const struct mmu *, va_t, struct translation *);

/* ---- the instructions that load registers and forget translations ----
 *
 * Sources, and what each forgets: invalidate.c. false: the instruction raises #GP(0), and nothing
 * was done. (Writing through mmu_regs forgets nothing; it is for the firmware's start.) */

enum invpcid {
    INVPCID_ADDRESS,        /* one address of one PCID, not global */
    INVPCID_SINGLE,         /* one PCID, not global */
    INVPCID_ALL,            /* everything */
    INVPCID_ALL_BUT_GLOBAL, /* everything that is not global */
    INVPCID_TYPES
};

/* MOV to CR3: the root table's address, with CR4.PCIDE the PCID in bits 11:0 and, in bit 63,
 * "forget nothing". Otherwise all entries of the PCID go but global ones. */
bool mmu_write_cr3(struct mmu *, uint64_t value);
/* MOV to CR4: changes of PGE, PCIDE and SMEP forget. LA57 and PAE cannot change in long mode; PCIDE
 * can begin only while bits 11:0 of CR3 are 0. */
bool mmu_write_cr4(struct mmu *, uint64_t value);
/* INVLPG: of this PCID, and global entries; and all paging-structure cache entries of this PCID. */
void mmu_invlpg(struct mmu *, va_t);
/* INVPCID. pcid and va are ignored where the type does not need them. */
bool mmu_invpcid(struct mmu *, enum invpcid, uint64_t pcid, va_t);

#define VPID_MAX 0xffffu

enum invvpid {
    INVVPID_ADDRESS,        /* one address of one guest, all PCIDs */
    INVVPID_SINGLE,         /* one guest */
    INVVPID_ALL,            /* all guests */
    INVVPID_ALL_BUT_GLOBAL, /* one guest, not its global entries */
    INVVPID_TYPES
};

/* INVVPID, from outside of guests or from within. false: VMfail, nothing was done. */
bool mmu_invvpid(struct mmu *, enum invvpid, uint64_t vpid, va_t);

/* The instruction's types 1 and 2. */
enum invept {
    INVEPT_SINGLE, /* guests whose EPT has the same root as eptp */
    INVEPT_ALL,    /* all guests; eptp is ignored */
    INVEPT_TYPES
};

/* INVEPT, after a change in an EPT that takes something away. false: VMfail, nothing was done. */
bool mmu_invept(struct mmu *, enum invept, uint64_t eptp);

/* Must be called after ram_restore: host pointers may be stale. Changes no figure. */
void mmu_forget_host(struct mmu *);

/* ---- inspection: copies out, changes nothing ---- */

struct tlb_line {
    bool valid;
    vpn_t vpn; /* first page it maps */
    pfn_t pfn;
    uint64_t page_size; /* what it maps: less than the page where the level holds pieces */
    uint32_t flags;     /* enum tlb_flag */
    uint32_t rank;      /* 0: the policy would throw this way out first */
    uint16_t pcid;      /* under which it was filled; a global entry serves all */
};

/* Misses that the level would have had at least, whatever its replacement policy, on the lookups
 * that it had (Belady's MIN: mmu/opt.h). false: not configured, more uses than config.opt_limit, or
 * a level of several arrays, with coalesced pages or exclusive.
 * Takes as long as the run itself. */
bool mmu_opt_misses(const struct mmu *, unsigned level, uint64_t *misses);

/* Bytes of the page that the line maps, or maps a piece of, or, with TLB_RUN, each of its pages. */
static inline uint64_t tlb_line_page(const struct tlb_line *line)
{
    return line->flags & TLB_1G ? GIB : line->flags & TLB_2M ? 2 * MIB : PAGE_SIZE;
}

struct cache_line {
    bool valid, dirty;
    pa_t pa;       /* of its first byte */
    uint32_t rank; /* 0: the policy would throw this way out first */
};

const struct cache_config *mmu_cache_config(const struct mmu *, unsigned level);
void mmu_cache_line(const struct mmu *, unsigned level, uint32_t set, uint32_t way,
                    struct cache_line *);
const struct tlb_config *mmu_tlb_config(const struct mmu *, unsigned array);
void mmu_tlb_line(const struct mmu *, unsigned array, uint32_t set, uint32_t way,
                  struct tlb_line *);

struct psc_line {
    bool valid;
    va_t va;    /* first address that it covers */
    pa_t table; /* the table it points to */
    uint16_t pcid;
};
uint32_t mmu_psc_entries(const struct mmu *, unsigned level);
void mmu_psc_line(const struct mmu *, unsigned level, uint32_t slot, struct psc_line *);

#endif
