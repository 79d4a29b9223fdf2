/* alloc.h: user-space allocators: what each offers, and what each is handed.
 *
 * An allocator is a const table of functions. All that it knows of the world is struct user: its
 * headers and lists are bytes in simulated memory that it loads and stores through the MMU, and
 * memory comes from system calls. Its few registers (start of the heap, roving pointer) are the
 * state bytes that the heap hands it; they lie in the arena.
 */
#ifndef MEMWALK_ALLOC_ALLOC_H
#define MEMWALK_ALLOC_ALLOC_H

#include "kernel/uapi.h"
#include "sim/base/event.h"

struct alloc_config {
    uint64_t mmap_threshold; /* chunks of this size and above come from mmap; 0: never */
    uint64_t trim_threshold; /* free bytes at the top that make free() give memory back */
    uint64_t top_pad;        /* asked of brk beyond the need, and kept when trimming */
    uint64_t arena_bytes;    /* buddy, bump: bytes asked for at once */
    uint32_t cost_cycles;    /* the program's own instructions: each malloc or free */
    uint32_t probe_cycles;   /* and each free chunk looked at */
};

struct alloc_counters {
    uint64_t mallocs, frees, reallocs, callocs, aligned;
    uint64_t failed;                       /* out of memory */
    uint64_t probes, searches, probes_max; /* free chunks looked at */
    uint64_t splits, coalesces;
    uint64_t grows, trims, mmaps, munmaps;
    uint64_t resized_in_place, moved;
    uint64_t loads, stores;                             /* of the allocator's own words */
    uint64_t bytes_requested_now, bytes_requested_peak; /* live blocks, as asked for */
    uint64_t bytes_chunks_now, bytes_chunks_peak;       /* live chunks, headers included */
    uint64_t bytes_heap_now, bytes_heap_peak;           /* held from the kernel */
    uint64_t blocks_now, blocks_peak;
};

/* Why a chunk was or was not taken (event alloc_probe). */
enum probe_verdict {
    PROBE_TAKE, /* large enough, and the policy takes it */
    PROBE_TOO_SMALL,
    PROBE_WORSE, /* large enough, but another is better */
    PROBE_BEST,  /* the best so far; the search goes on */
    PROBE_USED,  /* not free */
    PROBE_VERDICTS
};
extern const char *const probe_verdict_name[PROBE_VERDICTS];

enum resize_how {
    RESIZE_SAME,   /* it fits where it is */
    RESIZE_SHRINK, /* the end is cut off */
    RESIZE_NEXT,   /* grown into the free neighbour */
    RESIZE_TOP,    /* grown into the top */
    RESIZE_MREMAP,
    RESIZE_MOVE, /* new block, copy, free */
    RESIZE_FAIL,
    RESIZE_HOWS
};
extern const char *const resize_how_name[RESIZE_HOWS];

/* What an allocator found wrong about a pointer or about its own bytes. */
enum misuse {
    MISUSE_NONE,
    MISUSE_DOUBLE_FREE,
    MISUSE_FOREIGN,   /* not a pointer that this heap gave out */
    MISUSE_CORRUPT,   /* a header does not make sense: somebody wrote over it */
    MISUSE_DEAD,      /* the trace works on a block that is gone */
    MISUSE_OUTSIDE,   /* the trace works beyond the block's end */
    MISUSE_SEGV,      /* the program got SIGSEGV */
    MISUSE_KILLED,    /* the process was killed, or has ended */
    MISUSE_REUSED,    /* the trace gives an id that is still live to a new block */
    MISUSE_NO_MEMORY, /* the simulator itself has no memory for its books */
    MISUSE_KINDS
};
extern const char *const misuse_name[MISUSE_KINDS];

struct alloc_ops;

/* One heap: one allocator in one process. It lies in the arena. */
struct heap {
    const struct alloc_ops *ops;
    struct env *env;
    struct user user;
    struct alloc_config config;
    struct alloc_counters counters;
    enum misuse misuse; /* what the last call complained of */
    va_t misuse_at;     /* the pointer or header concerned */
    void *state;        /* ops->state_size bytes, zeroed at the start */
};

/* One piece of the heap, for pictures, checks and reports. */
struct heap_chunk {
    va_t start;
    uint64_t size;
    va_t block;      /* first byte of the block where it is used */
    uint64_t usable; /* bytes of the block */
    bool used;
    bool mapped; /* by mmap, outside the heap proper */
    bool top;    /* the wilderness at the end */
    bool corrupt;
    uint64_t header;  /* the header word as it stands, 0 where the allocator has none */
    const char *list; /* the free list it is in, or "" */
};

struct alloc_ops {
    const char *name; /* as on the command line */
    const char *doc;  /* one line */
    size_t state_size;
    /* Every call may set heap->misuse. 0, or -errno. */
    int (*init)(struct heap *);
    /* 0: out of memory. */
    va_t (*malloc)(struct heap *, uint64_t size);
    va_t (*calloc)(struct heap *, uint64_t count, uint64_t size);
    /* 0 with nothing freed: out of memory; realloc(p, 0) frees and returns 0. */
    va_t (*realloc)(struct heap *, va_t, uint64_t size);
    /* alignment: power of two (the heap_ functions below see to it). */
    va_t (*memalign)(struct heap *, uint64_t alignment, uint64_t size);
    void (*free)(struct heap *, va_t);
    uint64_t (*usable)(struct heap *, va_t);
    /* 1: gave memory back, 0: nothing to give. NULL: not offered. */
    int (*trim)(struct heap *, uint64_t pad);
    /* 1: understood, 0: not. NULL: not offered. */
    int (*mallopt)(struct heap *, int param, int64_t value);
    /* Shows every chunk in address order, heap first, then mapped ones, by user.peek only.
     * Returns false where the headers do not add up (the last one shown is marked corrupt). */
    bool (*walk)(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                 void *ctx);
    /* All invariants of the structure; true, or false with what is wrong in why. */
    bool (*check)(const struct heap *, char *why, size_t size);
};

/* The table of all allocators, ended by NULL, and the one with that name or NULL. */
extern const struct alloc_ops *const alloc_table[];
const struct alloc_ops *alloc_find(const char *name);

/* Makes a heap (state from env's arena) and calls init; NULL: no memory, or init failed. */
struct heap *heap_new(struct env *, const struct user *, const struct alloc_ops *,
                      const struct alloc_config *);
void heap_destroy(struct heap *);

/* The calls of the malloc family as C defines them, for any allocator: they count, they tell
 * events, they check arguments (posix_memalign's EINVAL, overflow of nmemb × size), and then call
 * the allocator. 0: NULL. */
va_t heap_malloc(struct heap *, uint64_t size);
va_t heap_calloc(struct heap *, uint64_t count, uint64_t size);
va_t heap_realloc(struct heap *, va_t, uint64_t size);
va_t heap_reallocarray(struct heap *, va_t, uint64_t count, uint64_t size);
va_t heap_memalign(struct heap *, uint64_t alignment, uint64_t size);
/* 0, or LX_EINVAL or LX_ENOMEM with *p untouched. */
int heap_posix_memalign(struct heap *, va_t *p, uint64_t alignment, uint64_t size);
va_t heap_aligned_alloc(struct heap *, uint64_t alignment, uint64_t size);
va_t heap_valloc(struct heap *, uint64_t size);
va_t heap_pvalloc(struct heap *, uint64_t size);
void heap_free(struct heap *, va_t);
int heap_trim(struct heap *, uint64_t pad);
int heap_mallopt(struct heap *, int param, int64_t value);
uint64_t heap_usable(struct heap *, va_t);

/* ---- for allocators: words of simulated memory, counted ---- */

/* A load or store that gets a signal sets heap->misuse to MISUSE_SEGV and reads as 0. */
uint64_t heap_load64(struct heap *, va_t);
void heap_store64(struct heap *, va_t, uint64_t);
/* memcpy and memset in simulated memory, page by page at most. */
void heap_copy(struct heap *, va_t to, va_t from, uint64_t n);
void heap_fill(struct heap *, va_t to, uint8_t byte, uint64_t n);
uint64_t heap_peek64(const struct heap *, va_t);
int64_t heap_syscall(struct heap *, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                     uint64_t a4, uint64_t a5);

#endif
