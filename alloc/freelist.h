/* freelist.h: inside the allocators with boundary tags: the layout of a chunk and the parts they
 * are made of.
 *
 * freelist.c       malloc, free, realloc and the rest, written for any way to keep free chunks
 * freelist_fit.c   one list, searched: first, next, good, best and worst fit
 * segregated.c     many lists by size: segregated fits
 * tlsf.c           many lists and two levels of bitmaps: no search at all
 * dl_like.c        many lists, a map of them, and a designated victim
 * freelist_list.c  the lists, in any order, and the boundary tags
 * freelist_grow.c  memory from the kernel: brk, top, trim
 * freelist_check.c walk, check and mend
 *
 *   a chunk in use                        a free chunk
 *   ┌──────────────────────┐ ◀─ chunk ──▶ ┌──────────────────────┐  always 8 beyond a
 *   │ size        │M│P│U=1 │              │ size        │M│P│U=0 │  multiple of 16
 *   ├──────────────────────┤ ◀─ block     ├──────────────────────┤
 *   │                      │              │ next in the list     │
 *   │ what the program     │              ├──────────────────────┤
 *   │ wrote                │              │ previous in the list │
 *   │                      │              ├──────────────────────┤
 *   │                      │              │ …                    │
 *   │                      │              ├──────────────────────┤
 *   │                      │              │ footer: size again   │
 *   └──────────────────────┘              └──────────────────────┘
 *   the next chunk: P = 1                 the next chunk: P = 0
 *
 *   U  this chunk is in use      P  the chunk before it is      M  a mapping of its own
 *   F  a fence (below)
 *
 * The footer is Knuth's boundary tag (The Art of Computer Programming 1, section 2.5): whoever
 * frees the chunk behind a free one finds its start there, so neighbours merge in constant time. A
 * chunk in use needs none, because bit P says that there is nothing to merge; so a block costs 8
 * bytes.
 *
 *   start                                              top                       break
 *     ▼                                                 ▼                          ▼
 *   8 ┌──────┬────────┬──────┬───────┬─────────────┬────┬──────────────────────┬───┐
 *   b.│ used │ free   │ used │ fence │ not ours    │used│ top: free, in no list│ 8 │
 *     └──────┴────────┴──────┴───────┴─────────────┴────┴──────────────────────┴───┘
 *
 * Top is the free end of the heap. It is in no list and the search comes to it last, because all
 * that stays in it can go back to the kernel. It has a header but no footer: a footer would touch
 * the last page of every growth. The last 8 bytes below the break are kept free for the fence:
 * where the program itself moved the break, our next memory begins above its own, and a chunk in
 * use that belongs to nobody spans what lies between.
 *
 * Invariants: chunks follow each other without a gap from start to top; no two free chunks are
 * neighbours; the chunk before top is in use; the lists hold exactly the free chunks.
 *
 * Settings change three things. alloc.order: where in its list a freed chunk goes. With
 * alloc.deferred, free merges nothing (but with top), and neighbours are free chunks until a
 * request finds nothing that fits: then one pass over the heap merges them all. With alloc.footers,
 * chunks in use have a footer too, as in Knuth's first version; then bit P is not kept, and a block
 * costs 16 bytes.
 */
#ifndef MEMWALK_ALLOC_FREELIST_H
#define MEMWALK_ALLOC_FREELIST_H

#include "alloc/alloc.h"

#define TAG_USED      UINT64_C(1)
#define TAG_PREV_USED UINT64_C(2)
#define TAG_MAPPED    UINT64_C(4)
#define TAG_FENCE     UINT64_C(8)
#define TAG_FLAGS     UINT64_C(15)

#define CHUNK_HEADER    8u
#define CHUNK_ALIGNMENT 16u
#define CHUNK_MINIMUM   32u /* header, two links, footer */

/* One search for memory. */
struct search {
    uint64_t need;
    va_t best; /* 0: none yet */
    uint64_t best_size;
    uint64_t probes;
};

/* One way to keep free chunks and to choose among them; ops stands first, so heap->ops leads here.
 */
struct fit {
    struct alloc_ops ops;
    /* What to do with a chunk that is large enough; best: size of the best so far, 0: none. */
    enum probe_verdict (*judge)(uint64_t size, uint64_t need, uint64_t best);
    bool roving; /* the search begins where the last one ended */

    /* Where there is more than one list: how many, and which one a free chunk belongs in. The heads
     * are words of simulated memory before the first chunk, with extra bytes behind them. 0: one
     * list, its head in a register. */
    unsigned bins;
    uint64_t extra;
    unsigned (*bin_of)(const struct heap *, va_t chunk, uint64_t size);
    const char *(*bin_name)(unsigned bin);
    /* Looks for a chunk in the lists; NULL: one turn of the one list. */
    void (*search)(struct heap *, struct search *);
    /* NULL, or told when a list gets its first chunk or loses its last one. */
    void (*mark)(struct heap *, unsigned bin, bool any);
    /* NULL, or what is wrong with the bytes that mark wrote. */
    const char *(*check_marks)(const struct heap *);
    /* NULL, or what becomes of the rest of a chunk that was split for a request of need bytes. */
    void (*keep_rest)(struct heap *, va_t rest, uint64_t size, uint64_t flags, uint64_t need);
};
extern const struct fit fit_first, fit_next, fit_good, fit_best, fit_worst;
extern const struct fit fit_segregated, fit_tlsf, fit_dl_like;

/* The registers; all else is in simulated memory. */
struct freelist {
    va_t start;  /* first chunk; 0: no memory yet */
    va_t top;    /* its size is in its header, and top + size + 8 is brk */
    va_t brk;    /* the break as we left it */
    va_t fresh;  /* from here up to brk nothing was ever written: still zero */
    va_t table;  /* heads of the lists, where there are many */
    va_t head;   /* the list, a ring, where there is one; 0: empty */
    va_t rover;  /* where next fit begins, a chunk of the list; 0: at head */
    va_t victim; /* dl-like: the rest of the last split, first choice for small requests */
    uint64_t listed;
    uint64_t unmerged; /* deferred coalescing: chunks freed since the last pass */
};

static inline const struct fit *fit_of(const struct heap *h)
{
    return (const struct fit *)(const void *)h->ops;
}

static inline struct freelist *freelist_of(const struct heap *h)
{
    return h->state;
}

static inline uint64_t tag_size(uint64_t tag)
{
    return tag & ~TAG_FLAGS;
}

static inline va_t block_of(va_t chunk)
{
    return chunk + CHUNK_HEADER;
}

static inline va_t chunk_of(va_t block)
{
    return block - CHUNK_HEADER;
}

static inline uint64_t top_size(const struct freelist *f)
{
    return f->brk ? f->brk - CHUNK_HEADER - f->top : 0;
}

/* Bytes that a block costs: its header, and its footer where used chunks have one too. */
static inline uint64_t chunk_overhead(const struct heap *h)
{
    return h->config.footers ? 2 * CHUNK_HEADER : CHUNK_HEADER;
}

/* ---- freelist_fit.c ---- */

/* A free chunk of at least need bytes, still in the list, with its size; 0: nothing fits. Top is
 * looked at last and may be the answer. */
va_t freelist_search(struct heap *, uint64_t need, uint64_t *size);
/* One turn of a list, or until the judge is content. false: a chunk is damaged. */
bool freelist_turn(struct heap *, struct search *, unsigned bin);
/* The first chunk of a list is looked at. */
void freelist_look_first(struct heap *, struct search *, unsigned bin);

/* ---- freelist_list.c ---- */

/* Where a chunk stood in its ring. */
struct place {
    va_t prev, next; /* 0: the ring was empty but for it */
    bool head;
    unsigned bin;
};

/* size bytes at chunk become a free chunk: header (with these flags), footer, and a link at the
 * given place, or where the order of the lists wants it (NULL). */
void freelist_insert(struct heap *, va_t chunk, uint64_t size, uint64_t flags,
                     const struct place *);
/* Takes a free chunk out of its list. false: links or footer are damaged, and nothing was done. */
bool freelist_remove(struct heap *, va_t chunk, uint64_t size, struct place *);
/* The list that a free chunk belongs in, and its name. */
unsigned freelist_bin(const struct heap *, va_t chunk, uint64_t size);
const char *freelist_bin_name(const struct heap *, unsigned bin);
/* The first chunk of a list, 0: it is empty; by a load, and by a peek. */
va_t freelist_head(struct heap *, unsigned bin);
va_t freelist_peek_head(const struct heap *, unsigned bin);
/* All lists become empty. */
void freelist_clear(struct heap *);
/* Marks size bytes at chunk as used: header with U and these flags, and the footer if it has one.
 */
void freelist_set_used(struct heap *, va_t chunk, uint64_t size, uint64_t flags);
/* Is the chunk before this one, whose header is tag, free? */
bool freelist_prev_free(struct heap *, va_t chunk, uint64_t tag);
/* The word at chunk could be the header of a chunk there; the shadow is asked where it can tell.
 * If not, complains. */
bool freelist_sound(struct heap *, va_t chunk, uint64_t tag);
/* Sets or clears bit P of the chunk behind. */
void freelist_tell_next(struct heap *, va_t next, bool prev_used);

/* ---- freelist_grow.c ---- */

/* Makes top at least need bytes by brk. false: no memory. */
bool freelist_grow(struct heap *, uint64_t need);
/* Top begins at chunk now and reaches to the break. */
void freelist_set_top(struct heap *, va_t chunk);
/* Gives the end of top back where it holds more than keep bytes. false: nothing to give. */
bool freelist_trim(struct heap *, uint64_t keep);

/* ---- freelist_check.c ---- */

bool freelist_walk(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                   void *ctx);
void freelist_lists(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                    void *ctx);
bool freelist_check(const struct heap *, char *why, size_t size);
void freelist_mend(struct heap *);

/* ---- freelist.c, shared by all tables ---- */

va_t freelist_malloc(struct heap *, uint64_t size);
va_t freelist_calloc(struct heap *, uint64_t count, uint64_t size);
va_t freelist_realloc(struct heap *, va_t block, uint64_t size);
va_t freelist_memalign(struct heap *, uint64_t alignment, uint64_t size);
void freelist_free(struct heap *, va_t block);
uint64_t freelist_usable(struct heap *, va_t block);
int freelist_give_back(struct heap *, uint64_t pad);
int freelist_mallopt(struct heap *, int param, int64_t value);

/* The functions of a table; the rest of struct alloc_ops may follow. */
#define FREELIST_OPS(name_, doc_)                                                                  \
    {                                                                                              \
        .name = name_, .doc = doc_, .state_size = sizeof(struct freelist),                         \
        .malloc = freelist_malloc, .calloc = freelist_calloc, .realloc = freelist_realloc,         \
        .memalign = freelist_memalign, .free = freelist_free, .usable = freelist_usable,           \
        .trim = freelist_give_back, .mallopt = freelist_mallopt, .walk = freelist_walk,            \
        .bits = "UPMF", .lists = freelist_lists, .check = freelist_check, .mend = freelist_mend,   \
    }

#endif
