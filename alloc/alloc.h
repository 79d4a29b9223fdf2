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

/* Where a freed chunk goes in a free list. */
enum list_order {
    ORDER_LIFO,    /* to the front: what was freed last is used first */
    ORDER_FIFO,    /* to the end */
    ORDER_ADDRESS, /* before the first one with a higher address */
    ORDER_SIZE,    /* before the first one that is not smaller */
    LIST_ORDERS
};
extern const char *const list_order_name[LIST_ORDERS];

#define ALLOC_TUNABLES 256 /* bytes of the text, its end included */

struct alloc_config {
    uint64_t mmap_threshold;       /* chunks of this size and above come from mmap; 0: never */
    uint64_t trim_threshold;       /* free bytes at the top that make free() give memory back */
    uint64_t top_pad;              /* asked of brk beyond the need, and kept when trimming */
    uint64_t arena_bytes;          /* buddy, bump: bytes asked for at once */
    uint32_t cost_cycles;          /* the program's own instructions: each malloc or free */
    uint32_t probe_cycles;         /* and each free chunk looked at */
    uint32_t order;                /* enum list_order, of free lists with boundary tags */
    bool deferred;                 /* the same: coalesce only when nothing fits */
    bool footers;                  /* the same: chunks in use have a footer too */
    bool unfiltered;               /* wrong pointers reach an allocator that can take them */
    uint32_t cpus;                 /* of the machine: how many arenas are worth having */
    char tunables[ALLOC_TUNABLES]; /* glibc: the value of GLIBC_TUNABLES */
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
    uint64_t bytes_copied, bytes_filled; /* by realloc and calloc, in the program's blocks */
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
    MISUSE_OUTSIDE,   /* the trace works beyond the block's end, in bytes that nobody uses */
    MISUSE_SEGV,      /* the program got SIGSEGV */
    MISUSE_KILLED,    /* the process was killed, or has ended */
    MISUSE_REUSED,    /* the trace gives an id that is still live to a new block */
    MISUSE_ABORT,     /* the allocator saw that something is wrong and ended the program: SIGABRT */
    MISUSE_NO_MEMORY, /* the simulator itself has no memory for its books */
    MISUSE_OVERFLOW,  /* the trace works beyond the end of the block's chunk: in its neighbour */
    MISUSE_UNDERFLOW, /* the trace works before the block's start: in its header or neighbour */
    MISUSE_REALLOC,   /* realloc of a block that is gone */
    MISUSE_ALIGNMENT, /* an alignment that is no power of two, or too small for the call */
    MISUSE_BUS,       /* the program got SIGBUS: it went beyond the end of a file */
    MISUSE_ENDLESS, /* the allocator follows a list that goes in a circle: it would never return */
    MISUSE_KINDS
};
extern const char *const misuse_name[MISUSE_KINDS];
/* What the other op of a mistake did: "freed by", "allocated by", … */
const char *misuse_other(uint64_t what);

/* What the allocator tells about the block that it just gave out. */
struct heap_given {
    va_t chunk;
    uint64_t size;   /* of the chunk, header included */
    uint64_t usable; /* bytes from the block's first byte on */
    bool mapped;     /* a mapping of its own */
};

/* What is known of a pointer that the heap gave out. */
enum block_kind {
    BLOCK_DEAD,   /* freed, and the place not given out again */
    BLOCK_LIVE,   /* in the heap proper */
    BLOCK_MAPPED, /* live, in a mapping of its own */
    BLOCK_FENCE,  /* memory of others that the heap must step over: no block */
};

struct heap_block {
    va_t block;
    va_t chunk;
    uint64_t size;    /* of the chunk, header included */
    uint64_t request; /* as asked for */
    uint64_t op;      /* the op that allocated it, or the one that freed it */
    enum block_kind kind;
    bool mapped; /* has, or had, a mapping of its own */
};

struct alloc_ops;
struct heap_piece;
struct shadow;

/* One heap: one allocator in one process. It lies in the arena. */
struct heap {
    const struct alloc_ops *ops;
    struct env *env;
    struct user user;
    struct alloc_config config;
    struct alloc_counters counters;
    enum misuse misuse;       /* what the last call complained of */
    va_t misuse_at;           /* the pointer or header concerned */
    struct heap_given given;  /* filled by the allocator whenever it gives out a block */
    enum resize_how how;      /* filled by its realloc */
    const char *message;      /* with MISUSE_ABORT and MISUSE_ENDLESS: what is wrong, in words */
    bool endless;             /* with message: not an abort, but a loop without end */
    bool over;                /* a signal in the allocator has ended the program */
    struct shadow *shadow;    /* the blocks given out: alloc/shadow.h */
    void *state;              /* ops->state_size bytes, zeroed at the start */
    bool in_payload;          /* right now it copies or fills the program\'s bytes, not its own */
    struct heap_piece *piece; /* memory from the kernel, in order of address: alloc/piece.h */
    size_t pieces, piece_room;
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
    const char *bits; /* letters of the low bits of a header word, bit 0 first; NULL: none */
    size_t state_size;
    /* Large blocks are not this allocator's business: from the threshold on, and where it returns
     * 0, they get a mapping of their own (alloc/mapped.h), and none of these functions ever sees
     * one. Sizes that arrive are then below 2^62. */
    bool large_apart;
    /* free and realloc may be called with any pointer: the allocator finds out itself. */
    bool takes_any;
    /* Pointers that come in are live blocks: the heap_ functions below see to that. Every call may
     * find its own bytes damaged and say so by heap_complain. Then it may give up: it is mended,
     * and a call that wanted memory is made once more. */

    /* 0, or -errno. NULL: all zero is an empty heap. */
    int (*init)(struct heap *);
    /* 0: out of memory. Whoever gives out a block fills heap->given (heap_give). */
    va_t (*malloc)(struct heap *, uint64_t size);
    /* NULL: malloc, and then zeroes. */
    va_t (*calloc)(struct heap *, uint64_t count, uint64_t size);
    /* Not called for pointer 0 or size 0. Says how in heap->how. 0: out of memory, and the block
     * stays as it was. NULL: the block stays where it fits and is at least half used; else it
     * moves. */
    va_t (*realloc)(struct heap *, va_t, uint64_t size);
    /* alignment: power of two above 16 (the heap_ functions below see to it). NULL, or 0 where
     * large_apart is set: a mapping of its own. */
    va_t (*memalign)(struct heap *, uint64_t alignment, uint64_t size);
    void (*free)(struct heap *, va_t);
    /* NULL: from the block to the end of its chunk. */
    uint64_t (*usable)(struct heap *, va_t);
    /* 1: gave memory back, 0: nothing to give. NULL: not offered. */
    int (*trim)(struct heap *, uint64_t pad);
    /* 1: understood, 0: not. NULL: not offered. */
    int (*mallopt)(struct heap *, int param, int64_t value);
    /* A call came whose arguments make no sense, so it ends here. NULL: not of interest. */
    void (*refused)(struct heap *);
    /* That thread runs from now on; ends: and it ends at once. NULL: threads make no difference. */
    void (*thread)(struct heap *, uint16_t tid, bool ends);
    /* The program itself moved the break by the C library's brk or sbrk. NULL: not of interest. */
    void (*moved)(struct heap *, va_t brk);
    /* Shows every chunk in address order, heap first, then mapped ones (not where large_apart is
     * set), by user.peek only. Returns false where the headers do not add up (the last one shown
     * is marked corrupt). */
    bool (*walk)(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                 void *ctx);
    /* Shows the chunks of each free list in the order of its links, list by list, by user.peek only
     * (start, size and list are filled). NULL: the order in walk is all that there is. */
    void (*lists)(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                  void *ctx);
    /* All invariants of the structure; true, or false with what is wrong in why. */
    bool (*check)(const struct heap *, char *why, size_t size);
    /* Called after a call that found damage: puts headers and lists in order again from the shadow,
     * so that the replay can go on. NULL: nothing to mend. */
    void (*mend)(struct heap *);
    /* The process has forked; the child's state is a copy of the parent's, byte by byte. Gives the
     * child copies of its own of whatever the state points to in the arena. false: no memory, and
     * nothing is left that heap_destroy would not free. NULL: the state points to nothing. */
    bool (*fork)(struct heap *child);
};

/* The table of all allocators, ended by NULL, and the one with that name or NULL. */
extern const struct alloc_ops *const alloc_table[];
const struct alloc_ops *alloc_find(const char *name);

/* Makes a heap (state from env's arena) and calls init; NULL: no memory, or init failed. */
struct heap *heap_new(struct env *, const struct user *, const struct alloc_ops *,
                      const struct alloc_config *);
void heap_destroy(struct heap *);
/* The heap of a process that was just forked: it works on the copied memory and knows every block
 * of the parent. Its counters of what is there now go on; those of what happened begin at 0. NULL:
 * no memory. */
struct heap *heap_fork(const struct heap *parent, const struct user *);
/* The process has ended: nothing of the heap is there any more; what happened stays counted. */
void heap_end(struct heap *);

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

/* Every chunk: ops->walk, and the large blocks apart. */
bool heap_walk(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *), void *ctx);
/* What the heap knows of this pointer, alive or dead; false: never given out, or long forgotten. */
bool heap_block(const struct heap *, va_t, struct heap_block *);
/* ops->check, and the shadow against the walk: every live block is shown once as used, and the
 * counters are the sums. */
bool heap_check(const struct heap *, char *why, size_t size);

/* ---- for allocators: words of simulated memory, counted ---- */

/* The long way through the MMU; a signal sets heap->misuse to MISUSE_SEGV and reads as 0. */
uint64_t heap_load64_far(struct heap *, va_t);
void heap_store64_far(struct heap *, va_t, uint64_t);

/* One load or store of the allocator's own, counted; the short way where there is one. 0, or the
 * signal: then nothing was stored. */
static inline int heap_get(struct heap *h, va_t at, void *to, size_t n)
{
    h->counters.loads++;
    if (h->user.hot && hot_load(*h->user.hot, at, to, n))
        return 0;
    return h->user.load(h->user.ctx, at, to, n);
}

static inline int heap_put(struct heap *h, va_t at, const void *from, size_t n)
{
    h->counters.stores++;
    if (h->user.hot && hot_store(*h->user.hot, at, from, n))
        return 0;
    return h->user.store(h->user.ctx, at, from, n);
}

static inline uint64_t heap_load64(struct heap *h, va_t at)
{
    uint64_t word;
    h->counters.loads++;
    if (h->user.hot && hot_load64(*h->user.hot, at, &word))
        return word;
    return heap_load64_far(h, at);
}

static inline void heap_store64(struct heap *h, va_t at, uint64_t word)
{
    h->counters.stores++;
    if (!h->user.hot || !hot_store64(*h->user.hot, at, word))
        heap_store64_far(h, at, word);
}
/* The same for 1, 2, 4 or 8 bytes. */
uint64_t heap_load(struct heap *, va_t, size_t bytes);
void heap_store(struct heap *, va_t, uint64_t, size_t bytes);
/* In simulated memory, page by page at most: memcpy and zeroes for the program's bytes, and memset
 * for the allocator's own. */
void heap_copy(struct heap *, va_t to, va_t from, uint64_t n);
void heap_clear(struct heap *, va_t to, uint64_t n);
void heap_fill(struct heap *, va_t to, uint8_t byte, uint64_t n);
uint64_t heap_peek64(const struct heap *, va_t);
int64_t heap_syscall(struct heap *, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                     uint64_t a4, uint64_t a5);

/* ---- for allocators: what they tell ---- */

/* Something is wrong; the first complaint of a call stands. */
void heap_complain(struct heap *, enum misuse, va_t at);
/* One chunk is looked at in a search: counted, charged, told. */
void heap_probe(struct heap *, va_t chunk, uint64_t size, uint64_t need, enum probe_verdict,
                va_t best);
/* The search is over: told, with the count of its probes. chunk 0: nothing fits. */
void heap_fit(struct heap *, va_t chunk, uint64_t size, uint64_t need, uint64_t probes);
/* Stores a header or footer word of chunk and tells it. */
void heap_header(struct heap *, va_t chunk, va_t at, uint64_t word);
/* Fills heap->given and tells how the pointer came to be aligned; returns block. raw: the first
 * byte that could have been given out. */
va_t heap_give(struct heap *, struct heap_given, va_t raw, uint64_t alignment, va_t block);
/* Bytes held from the kernel have become more, or less. */
void heap_hold(struct heap *, uint64_t more, uint64_t less);
/* The usual realloc where nothing else helps: a new block, a copy of the smaller of both, free. */
va_t heap_move(struct heap *, va_t old, uint64_t old_usable, uint64_t size);

#endif
