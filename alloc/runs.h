/* runs.h: whole pages for allocators that cut them up: segments, divided into runs of pages, with a
 * descriptor for each page.
 *
 *   a segment: alloc.arena_bytes, at a multiple of its size, so that a mask leads to it
 *   ┌────────┬──────┬──────┬───┬──────┬───────────────┬────────┬──────────────────────────┐
 *   │ next,  │ page │ page │ … │ page │ run of 3      │ run    │ free run                 │
 *   │ free   │  0   │  1   │   │ n-1  │ pages, used   │ of 1   │                          │
 *   └────────┴──────┴──────┴───┴──────┴───────────────┴────────┴──────────────────────────┘
 *     128 B    128 bytes each            ▲
 *              └── tag: state, pages, class; 15 words for the user of the run
 *
 * So from any pointer to its run it is one mask, one load of a tag, and for an inner page one step
 * back. Runs are found by first fit over the tags, and merge with free neighbours at once.
 * (struct page of Linux, edata of jemalloc and mi_page_t of mimalloc are such descriptors.)
 *
 * The tags are kept beside the simulated heap too, like the shadow: a tag that the program wrote
 * over is noticed when it is read, and mended.
 */
#ifndef MEMWALK_ALLOC_RUNS_H
#define MEMWALK_ALLOC_RUNS_H

#include "alloc/alloc.h"

#define RUN_SLOTS_MAX 4096u /* blocks in one run */
#define RUN_OWN       255u  /* class of a run with words of the allocator itself: not shown */
#define RUN_LARGE     254u  /* class of a run that is one block */

/* Stands first in the state of the allocator. */
struct runs {
    uint64_t bytes; /* of a segment, a power of two */
    uint64_t meta;  /* pages of descriptors at its start */
    va_t first;     /* the segment that is asked first; 0: none yet */
    bool dirty;     /* free runs remember that they were used, until runs_purge */
    uint64_t dirty_pages;
};

/* What the user of the runs tells about one of them; by peeks. */
struct run_view {
    va_t start;
    uint64_t bytes;
    unsigned class, detail;
    uint64_t slot;                     /* bytes of each of its blocks */
    uint64_t offset;                   /* of the first one */
    unsigned count;                    /* blocks that have ever been given out or listed */
    unsigned possible;                 /* blocks that it has room for */
    uint64_t free[RUN_SLOTS_MAX / 64]; /* bit: block is free */
    const char *list;                  /* where its free blocks are, "": in no list */
};

struct run_user {
    /* Slot, offset, possible and list of a class. */
    void (*shape)(const struct heap *, struct run_view *, va_t run);
    /* Count and free. false: the books of the run are damaged. */
    bool (*look)(const struct heap *, struct run_view *, va_t run);
    /* Mending: all lists are to be empty, then each run comes, with the bits of all blocks that are
     * free. */
    void (*empty)(struct heap *);
    void (*refill)(struct heap *, struct run_view *, va_t run);
};

void runs_init(struct heap *, struct runs *);
/* The most pages that a run can have. */
uint64_t runs_pages_max(const struct runs *);
/* A run, known by its descriptor: 15 words from run + 8 on are its user's, zeroed. Class (below
 * 256) and detail (below 65536) are remembered with it. 0: no memory, or damage. */
va_t run_new(struct heap *, struct runs *, uint64_t pages, unsigned class, unsigned detail);
void run_free(struct heap *, struct runs *, va_t run);
/* The run that the block lies in; 0, with a complaint: damaged. */
va_t run_of(struct heap *, struct runs *, va_t block, unsigned *class);
va_t run_start(const struct runs *, va_t run);
/* Is this, read from a list, a run of the class? If not, complains: links may be written over. */
bool run_is(struct heap *, const struct runs *, va_t run, unsigned class);
/* Gives the frames of free dirty runs back by madvise; the addresses stay. */
void runs_purge(struct heap *, struct runs *);

/* A block that is a run by itself, for sizes above the classes; 0: too large, or no memory. */
va_t run_give_large(struct heap *, struct runs *, uint64_t size, uint64_t pages);
/* The end of every malloc here: the search, after so many looks, has come to this block. */
va_t run_give(struct heap *, va_t block, uint64_t slot, uint64_t probes);

bool runs_walk(const struct heap *, const struct runs *, const struct run_user *,
               void (*show)(void *ctx, const struct heap_chunk *), void *ctx);
/* The tags, and that no two free runs touch. */
bool runs_check(const struct heap *, const struct runs *, char *why, size_t size);
void runs_mend(struct heap *, struct runs *, const struct run_user *);

/* Marks every block of a list linked by its first words as free in view. false: the list leads out
 * of the run, or in circles. */
bool run_mark_list(const struct heap *, struct run_view *, va_t first);

#endif
