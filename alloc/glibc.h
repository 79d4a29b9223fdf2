/* glibc.h: inside the model of the GNU C library's malloc, version 2.36 on x86-64.
 *
 * glibc.c         the calls of the family, the tables of this allocator
 * glibc_tcache.c  the cache of each thread: what most calls end with
 * glibc_malloc.c  _int_malloc: fastbins, small bins, unsorted list, large bins, binmap, top
 * glibc_free.c    _int_free, coalescing, malloc_consolidate, malloc_trim
 * glibc_bins.c    the index of a bin, links, the sorted order of large bins
 * glibc_sys.c     memory from the kernel: brk, top, mmap, mremap, trim
 * glibc_heap.c    arenas of further threads: heaps made by mmap and mprotect
 * glibc_tune.c    parameters: mallopt and GLIBC_TUNABLES
 * glibc_info.c    mallinfo2, malloc_info, the dump of all lists
 * glibc_walk.c    every chunk, for pictures and reports
 * glibc_check.c   what must hold between two calls
 *
 *   a chunk in use                           a free chunk
 *   ┌──────────────────────────┐ ◀─ chunk ─▶ ┌──────────────────────────┐  multiple of 16
 *   │ (the chunk before it)    │             │ (the chunk before it)    │
 *   ├──────────────────────────┤             ├──────────────────────────┤
 *   │ size             │A│M│P=1│             │ size             │A│M│P=1│
 *   ├──────────────────────────┤ ◀─ block    ├──────────────────────────┤
 *   │                          │             │ fd   next in its list    │
 *   │ what the program         │             ├──────────────────────────┤
 *   │ wrote                    │             │ bk   previous            │
 *   │                          │             ├──────────────────────────┤
 *   │                          │             │ fd_nextsize, bk_nextsize │  large ones: next size
 *   │                          │             ├──────────────────────────┤
 *   │                          │             │ …                        │
 *   ├──────────────────────────┤             ├──────────────────────────┤  the next chunk
 *   │ (its last 8 bytes)       │             │ prev_size: size again    │
 *   ├──────────────────────────┤             ├──────────────────────────┤
 *   │ size             │A│M│P=1│             │ size             │A│M│P=0│
 *
 *   P  the chunk before is in use    M  a mapping of its own    A  of another arena than the main
 *
 * A chunk in a fastbin or in a tcache is linked but not marked free: its neighbours do not merge
 * with it. Its link is kept as link ^ (its own address >> 12) ("safe-linking").
 *
 * All of it is simulated memory, read and written where the library does it, in its order; so the
 * faults and the TLB misses are those of the library. Only what the library keeps in registers or
 * in the thread's own storage is a C variable here.
 * Source: malloc/malloc.c, malloc/arena.c and malloc/malloc-internal.h of glibc 2.36.
 */
#ifndef MEMWALK_ALLOC_GLIBC_H
#define MEMWALK_ALLOC_GLIBC_H

#include "alloc/alloc.h"

#include <setjmp.h>

/* ---- sizes ---- */

#define SIZE_SZ            8u  /* a word */
#define HDR_SZ             16u /* prev_size and size */
#define ALIGN_MASK         15u
#define MINSIZE            32u
#define CHUNK_STRUCT       48u /* sizeof(struct malloc_chunk) */
#define PREV_INUSE         UINT64_C(1)
#define IS_MMAPPED         UINT64_C(2)
#define NON_MAIN_ARENA     UINT64_C(4)
#define SIZE_BITS          UINT64_C(7)
#define SMALL_LIMIT        1024u /* chunks below it have a bin for each size */
#define NBINS              128u
#define NFASTBINS          10u
#define TCACHE_BINS        64u
#define TCACHE_BYTES       640u /* sizeof(tcache_perthread_struct) */
#define CONSOLIDATE_AT     65536u
#define MMAP_THRESHOLD_MAX (32 * MIB)
#define HEAP_MAX_BYTES     (64 * MIB)
#define SBRK_UNIT          MIB /* MMAP_AS_MORECORE_SIZE */

/* ---- fields: offsets in a chunk, in malloc_state, in malloc_par, in the tcache ---- */

enum {
    CHUNK_PREV_SIZE = 0,
    CHUNK_SIZE = 8,
    CHUNK_FD = 16,
    CHUNK_BK = 24,
    CHUNK_FD_NEXT = 32,
    CHUNK_BK_NEXT = 40,
};

enum {
    AV_FLAGS = 4, /* 32 bits */
    AV_HAVE_FAST = 8,
    AV_FASTBINS = 16,
    AV_TOP = 96,
    AV_LAST_REMAINDER = 104,
    AV_BINS = 112,
    AV_BINMAP = 2144, /* 4 × 32 bits */
    AV_NEXT = 2160,
    AV_NEXT_FREE = 2168,
    AV_ATTACHED = 2176,
    AV_SYSTEM_MEM = 2184,
    AV_MAX_SYSTEM_MEM = 2192,
    AV_BYTES = 2200,
};
#define AV_NONCONTIGUOUS 2u

enum {
    MP_TRIM_THRESHOLD = 0,
    MP_TOP_PAD = 8,
    MP_MMAP_THRESHOLD = 16,
    MP_ARENA_TEST = 24,
    MP_ARENA_MAX = 32,
    MP_THP_PAGESIZE = 40,
    MP_HP_PAGESIZE = 48,
    MP_HP_FLAGS = 56, /* the next five have 32 bits */
    MP_N_MMAPS = 60,
    MP_N_MMAPS_MAX = 64,
    MP_MAX_N_MMAPS = 68,
    MP_NO_DYN_THRESHOLD = 72,
    MP_MMAPPED_MEM = 80,
    MP_MAX_MMAPPED_MEM = 88,
    MP_SBRK_BASE = 96,
    MP_TCACHE_BINS = 104,
    MP_TCACHE_MAX_BYTES = 112,
    MP_TCACHE_COUNT = 120,
    MP_TCACHE_UNSORTED_LIMIT = 128,
    MP_BYTES = 136,
};

/* The library's variables, from user.data on. */
enum {
    DATA_MP = 0,
    DATA_MAX_FAST = MP_BYTES,
    DATA_TCACHE_KEY = DATA_MAX_FAST + 8,
    DATA_CURBRK = DATA_TCACHE_KEY + 8,
    DATA_PERTURB = DATA_CURBRK + 8,
    DATA_FREE_LIST = DATA_PERTURB + 8,
    DATA_NARENAS = DATA_FREE_LIST + 8,
    DATA_MAIN_ARENA = 256,
};

enum { TC_COUNTS = 0 /* 16 bits each */, TC_ENTRIES = 128 };
enum { ENTRY_NEXT = 0, ENTRY_KEY = 8 }; /* from the block on */

/* ---- registers ---- */

/* What the library keeps in the storage of each thread. */
struct glibc_thread {
    uint16_t tid;
    bool shut; /* it has ended: its tcache is gone for good */
    va_t tcache, arena;
};

/* A piece of memory that the main arena got: the first one, and one more whenever somebody else has
 * moved the break or mmap had to stand in for brk. Only for the walk. */
struct glibc_region {
    va_t start, end;
};
#define GLIBC_REGIONS 256u /* NOTE: further regions are not shown by the walk */

/* NOTE: further threads than these work on with the first one's tcache. */
#define GLIBC_THREADS 1024u

struct glibc {
    va_t data; /* where the library's variables lie */
    bool initialized;
    bool multi; /* there has been a second thread: SINGLE_THREAD_P is false */
    struct glibc_thread thread[GLIBC_THREADS];
    size_t threads, now; /* now: index of the one that runs */
    va_t aligned_heap;   /* where the next heap is tried first */
    va_t next_arena;     /* next_to_use of reused_arena */
    struct glibc_region region[GLIBC_REGIONS];
    size_t regions;
    uint64_t taken;   /* size of the chunk that was last taken */
    bool mapped;      /* it has a mapping of its own */
    jmp_buf *escape;  /* out of a call that ends in a signal */
    char endless[80]; /* which list goes in a circle: kept in heap->message */
};

static inline struct glibc *glibc_of(const struct heap *h)
{
    return h->state;
}

static inline struct glibc_thread *glibc_self(const struct heap *h)
{
    struct glibc *g = glibc_of(h);
    return &g->thread[g->now];
}

static inline va_t main_arena(const struct heap *h)
{
    return glibc_of(h)->data + DATA_MAIN_ARENA;
}

/* ---- ways out ---- */

/* The library prints the message and calls abort(): kept in heap->message. */
_Noreturn void glibc_abort(struct heap *, const char *message);
/* A load or store got a signal. */
_Noreturn void glibc_signal(struct heap *, va_t at);
/* A list that the library follows to its end has none: the library would never return. The text is
 * made of the list's name and, if it is not 0, its number. */
_Noreturn void glibc_endless(struct heap *, va_t at, const char *list, unsigned number);

/* ---- lists that damage may have closed to a circle ---- */

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The way along a list. Some place on it is kept in mind: the one of step 1, 2, 4, 8 and so on.
 * Source: R. P. Brent, An improved Monte Carlo factorization algorithm, 1980, section 2. */
struct tour {
    va_t mark;
    uint64_t steps;
    unsigned met; /* how often the mark was met again */
};

/* The next place is at: does the way go in a circle? A place that is met twice more, because the
 * library may change the list while it follows it; after a whole round nothing changes any more. */
static inline bool tour_circles(struct tour *t, va_t at)
{
    if (UNLIKELY(at == t->mark && t->steps))
        return ++t->met == 2;
    if ((t->steps & (t->steps - 1)) == 0) {
        t->mark = at;
        t->met = 0;
    }
    t->steps++;
    return false;
}

static inline void tour_step(struct heap *h, struct tour *t, va_t at, const char *list,
                             unsigned number)
{
    if (UNLIKELY(tour_circles(t, at)))
        glibc_endless(h, at, list, number);
}

/* ---- words ---- */

static inline void load(struct heap *h, va_t at, void *to, size_t n)
{
    if (UNLIKELY(heap_get(h, at, to, n)))
        glibc_signal(h, at);
}

static inline void store(struct heap *h, va_t at, const void *from, size_t n)
{
    if (UNLIKELY(heap_put(h, at, from, n)))
        glibc_signal(h, at);
}

static inline uint64_t ld(struct heap *h, va_t at)
{
    uint64_t word;
    load(h, at, &word, sizeof(word));
    return word;
}

static inline uint32_t ld32(struct heap *h, va_t at)
{
    uint32_t word;
    load(h, at, &word, sizeof(word));
    return word;
}

static inline uint16_t ld16(struct heap *h, va_t at)
{
    uint16_t word;
    load(h, at, &word, sizeof(word));
    return word;
}

static inline void st(struct heap *h, va_t at, uint64_t word)
{
    store(h, at, &word, sizeof(word));
}

static inline void st32(struct heap *h, va_t at, uint32_t word)
{
    store(h, at, &word, sizeof(word));
}

static inline void st16(struct heap *h, va_t at, uint16_t word)
{
    store(h, at, &word, sizeof(word));
}

static inline uint64_t mp(struct heap *h, unsigned field)
{
    return ld(h, glibc_of(h)->data + DATA_MP + field);
}

static inline void mp_set(struct heap *h, unsigned field, uint64_t to)
{
    st(h, glibc_of(h)->data + DATA_MP + field, to);
}

static inline uint32_t mp32(struct heap *h, unsigned field)
{
    return ld32(h, glibc_of(h)->data + DATA_MP + field);
}

static inline void mp_set32(struct heap *h, unsigned field, uint32_t to)
{
    st32(h, glibc_of(h)->data + DATA_MP + field, to);
}

static inline uint64_t var(struct heap *h, unsigned field)
{
    return ld(h, glibc_of(h)->data + field);
}

static inline void var_set(struct heap *h, unsigned field, uint64_t to)
{
    st(h, glibc_of(h)->data + field, to);
}

/* ---- chunks ---- */

static inline uint64_t size_word(struct heap *h, va_t p)
{
    return ld(h, p + CHUNK_SIZE);
}

static inline uint64_t chunk_bytes(struct heap *h, va_t p)
{
    return size_word(h, p) & ~SIZE_BITS;
}

static inline uint64_t prev_size(struct heap *h, va_t p)
{
    return ld(h, p + CHUNK_PREV_SIZE);
}

static inline bool prev_inuse(struct heap *h, va_t p)
{
    return size_word(h, p) & PREV_INUSE;
}

static inline void set_head(struct heap *h, va_t p, uint64_t word)
{
    heap_header(h, p, p + CHUNK_SIZE, word);
    if (UNLIKELY(h->misuse == MISUSE_SEGV))
        glibc_signal(h, p + CHUNK_SIZE);
}

/* The size changes, the flags stay. */
static inline void set_head_size(struct heap *h, va_t p, uint64_t size)
{
    set_head(h, p, (size_word(h, p) & SIZE_BITS) | size);
}

static inline void set_foot(struct heap *h, va_t p, uint64_t size)
{
    st(h, p + size, size);
}

/* The chunk that begins at next sees its predecessor as used. */
static inline void set_inuse_at(struct heap *h, va_t next)
{
    set_head(h, next, size_word(h, next) | PREV_INUSE);
}

static inline void clear_inuse_at(struct heap *h, va_t next)
{
    set_head(h, next, size_word(h, next) & ~PREV_INUSE);
}

static inline uint64_t main_flag(const struct heap *h, va_t av)
{
    return av == main_arena(h) ? 0 : NON_MAIN_ARENA;
}

static inline bool misaligned(va_t p)
{
    return p & ALIGN_MASK;
}

/* A link as it is stored at this place, and the way back. */
static inline uint64_t protect(va_t place, va_t link)
{
    return place >> 12 ^ link;
}

static inline va_t reveal(struct heap *h, va_t place)
{
    return protect(place, ld(h, place));
}

/* The chunk size for a request; 0: more than there can be. */
static inline uint64_t request_size(uint64_t request)
{
    if (request > INT64_MAX)
        return 0;
    return request + SIZE_SZ + ALIGN_MASK < MINSIZE
               ? MINSIZE
               : (request + SIZE_SZ + ALIGN_MASK) & ~(uint64_t)ALIGN_MASK;
}

/* ---- glibc_bins.c ---- */

static inline bool is_small(uint64_t size)
{
    return size < SMALL_LIMIT;
}

static inline unsigned fastbin_index(uint64_t size)
{
    return (unsigned)(size >> 4) - 2;
}

/* As if the bin were a chunk: its fd and bk are where a chunk's would be. */
static inline va_t bin_at(va_t av, unsigned i)
{
    return av + AV_BINS + (i - 1) * 2 * SIZE_SZ - CHUNK_FD;
}

static inline va_t fastbin_at(va_t av, unsigned i)
{
    return av + AV_FASTBINS + i * SIZE_SZ;
}

unsigned glibc_bin_index(uint64_t size);
/* "fastbins", "small bin 7": what list a chunk of that size goes to, for people. */
void glibc_unlink(struct heap *, va_t av, va_t chunk);
/* Puts a chunk of the unsorted list, already taken out of it, into the bin of its size. */
void glibc_sort_in(struct heap *, va_t av, va_t chunk, uint64_t size);
/* Puts a free chunk at the front of the unsorted list; message: where that is damaged. */
void glibc_to_unsorted(struct heap *, va_t av, va_t chunk, uint64_t size, const char *message);
void glibc_mark_bin(struct heap *, va_t av, unsigned i);
static inline void glibc_tell_list(struct heap *h, const char *list, va_t chunk, uint64_t size,
                                   bool in)
{
    EMIT(h->env, alloc_list, .list = list, .chunk = chunk, .size = size, .in = in);
}

/* ---- glibc_tcache.c ---- */

static inline uint64_t tcache_index(uint64_t size)
{
    return (size - MINSIZE + ALIGN_MASK) / 16;
}

/* Does the running thread have a cache, with a bin for chunks of this size? */
static inline bool tcache_takes(struct heap *h, uint64_t index)
{
    return glibc_self(h)->tcache && index < mp(h, MP_TCACHE_BINS);
}

/* Makes the thread's cache where it has none yet. */
void glibc_tcache_ready(struct heap *);
bool glibc_tcache_full(struct heap *, uint64_t index);
uint16_t glibc_tcache_count(struct heap *, uint64_t index);
/* false: the bin is full, and nothing was done. */
bool glibc_tcache_put(struct heap *, va_t chunk, uint64_t index);
/* The block; the bin has count > 0 of them. */
va_t glibc_tcache_get(struct heap *, uint64_t index, uint16_t count);
/* Aborts where the block is in that bin already. */
void glibc_tcache_check(struct heap *, va_t block, uint64_t index);
void glibc_tcache_shut(struct heap *);

/* ---- glibc_malloc.c ---- */

/* A block of that many bytes; 0: no memory. av 0: no arena, only mmap. */
va_t glibc_int_malloc(struct heap *, va_t av, uint64_t bytes);
va_t glibc_int_memalign(struct heap *, va_t av, uint64_t alignment, uint64_t bytes);
/* Cuts a chunk of need bytes off a free one of size bytes; the rest's address. */
void glibc_tell_split(struct heap *, va_t chunk, uint64_t need, va_t rest, uint64_t rest_size);
void glibc_perturb(struct heap *, va_t block, uint64_t n, bool fresh);

/* ---- glibc_free.c ---- */

void glibc_int_free(struct heap *, va_t av, va_t chunk, bool locked);
void glibc_consolidate(struct heap *, va_t av);
int glibc_mtrim(struct heap *, va_t av, uint64_t pad);
va_t glibc_int_realloc(struct heap *, va_t av, va_t chunk, uint64_t old_size, uint64_t need);

/* ---- glibc_sys.c ---- */

va_t glibc_sysmalloc(struct heap *, va_t av, uint64_t need);
int glibc_systrim(struct heap *, va_t av, uint64_t pad);
void glibc_munmap_chunk(struct heap *, va_t chunk);
/* The chunk, which may have moved; 0: the kernel refused. */
va_t glibc_mremap_chunk(struct heap *, va_t chunk, uint64_t need);
/* The old break, or 0: no memory. */
va_t glibc_morecore(struct heap *, int64_t increment);
va_t glibc_mmap_chunk(struct heap *, uint64_t need, uint64_t page, uint32_t flags);
void glibc_madvise_thp(struct heap *, va_t at, uint64_t size);

/* ---- glibc_heap.c ---- */

#define HEAP_INFO_BYTES 48u
enum {
    HEAP_ARENA = 0,
    HEAP_PREV = 8,
    HEAP_SIZE = 16,
    HEAP_MPROTECT_SIZE = 24,
    HEAP_PAGESIZE = 32,
};

static inline va_t heap_for(va_t p)
{
    return p & ~(va_t)(HEAP_MAX_BYTES - 1);
}

/* The arena that the running thread uses; 0: none. */
va_t glibc_arena_get(struct heap *, uint64_t size);
/* The one to try after av had no memory. */
va_t glibc_arena_retry(struct heap *, va_t av, uint64_t size);
va_t glibc_arena_of(struct heap *, va_t chunk);
va_t glibc_heap_new(struct heap *, uint64_t size, uint64_t pad);
int glibc_heap_grow(struct heap *, va_t heap, int64_t more);
bool glibc_heap_trim(struct heap *, va_t heap, uint64_t pad);
/* That thread runs from now on; a new one has neither cache nor arena. */
void glibc_thread(struct heap *, uint16_t tid);
/* The running thread ends: its cache is emptied, its arena may be used by another. */
void glibc_thread_end(struct heap *);

/* ---- glibc_tune.c ---- */

void glibc_state_init(struct heap *, va_t av);
void glibc_defaults(struct heap *);
int glibc_mallopt(struct heap *, int param, int64_t value);
/* The value of GLIBC_TUNABLES, as the library reads it: what it does not know is passed over. */
void glibc_tunables(struct heap *, const char *text);

/* ---- glibc_info.c ---- */

struct glibc_mallinfo {
    uint64_t arena, ordblks, smblks, hblks, hblkhd, fsmblks, uordblks, fordblks, keepcost;
};
void glibc_mallinfo2(const struct heap *, struct glibc_mallinfo *);
/* The text of malloc_info(0): its whole length, like snprintf. */
size_t glibc_malloc_info(const struct heap *, char *text, size_t size);

/* ---- glibc_walk.c ---- */

bool glibc_walk(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *), void *ctx);

/* ---- glibc_check.c ---- */

bool glibc_check(const struct heap *, char *why, size_t size);

extern const struct alloc_ops glibc_ops;

#endif
