/* frames.h: physical memory as the kernel sees it: which frames are free, and what the others hold.
 *
 * A buddy system (Linux: mm/page_alloc.c): free memory lies in aligned blocks of 2^order frames,
 * order 0 to 10, in one list for each order. A block that is too large is halved until it fits, the
 * lower half going on, the upper half into its list; a freed block joins its buddy as long as that
 * is free. What was freed last is taken first, because its bytes are still in the caches; but a
 * block whose next larger buddy is free goes to the end of its list, because it may soon grow.
 *
 *   chunk: 1024 frames = one block of order 10. Metadata of a chunk are only made when a frame of
 *   it is taken for the first time, so 24 GiB of RAM cost nothing until they are used; whole chunks
 *   that nobody had yet are the end of the list of order 10, lowest first.
 */
#ifndef MEMWALK_KERNEL_FRAMES_H
#define MEMWALK_KERNEL_FRAMES_H

#include "kernel/kernel.h"

#define HUGE_ORDER   9u /* 512 frames: a huge page */
#define CHUNK_FRAMES ((pfn_t)1 << (FRAME_ORDERS - 1))

/* What is known of a frame (Linux: struct page). */
struct frame {
    va_t va;        /* the page it backs, or the first address that the table maps */
    uint32_t refs;  /* entries that map it */
    uint16_t pid;   /* owner, 0: the kernel */
    uint16_t used;  /* of a table: entries that are not 0 */
    uint8_t use;    /* enum frame_use */
    uint8_t level;  /* of a table */
    bool alone;     /* of an anonymous page: never shared since it was made or last copied */
    bool dirty;     /* of a shared page: it was written, as an entry that is gone said; of a file's
                     * page: the disk does not have it yet (PG_dirty) */
    bool cached;    /* also held by a shared memory object or a file */
    bool readahead; /* of a file's page: whoever meets it reads the next window (PG_readahead) */
    bool lazy;      /* MADV_FREE: worth nothing unless it is written again */
    bool joined;   /* one of 512 that were taken together and not split up since (Linux: a folio) */
    bool head;     /* the first of 512 frames that are to be given back together */
    bool spare;    /* of a table: empty, kept for the splitting of a huge page */
    uint8_t block; /* of the first frame of a free block: its order + 1; 0: none begins here */
    uint32_t slot; /* of a page: swap slot that holds the same, + 1; 0: none */
    /* Of a page: which entries map it (rmap.h), and which object holds it. */
    uint64_t mapping;       /* one of them */
    struct mappings *other; /* the rest */
    struct object *object;  /* NULL: none, or index does not fit: then the page stays */
    union {
        uint32_t index; /* page number in the object */
        /* Of a free block, in its first frame: its neighbours in the list of its order, frame
         * numbers + 1, 0: none. next also links the spare tables of a table of level 2. */
        struct {
            uint32_t next, prev;
        };
    };
};

struct frame_chunk {
    struct frame frame[CHUNK_FRAMES];
};

/* The free blocks of one order; frame numbers + 1. */
struct frame_list {
    uint32_t first, last;
};

struct frames {
    struct env *env;
    pfn_t total;
    pfn_t reserved; /* frames [0, reserved) were never free */
    uint64_t free;
    uint64_t blocks[FRAME_ORDERS]; /* free blocks of each order */
    struct frame_list list[FRAME_ORDERS];
    uint64_t fail_at; /* tests: requests until one finds nothing, once; 0: none will */
    uint64_t chunks;
    uint64_t fresh, fresh_end;  /* chunks [fresh, fresh_end) are free and were never used */
    struct frame_chunk **chunk; /* NULL: all free, or all reserved */
};

/* total > reserved > 0. NULL: no memory. */
struct frames *frames_new(struct env *, pfn_t total, pfn_t reserved);
/* An aligned block of 2^order frames, PFN_NONE: none free, or no memory for its metadata. Its
 * frames are still marked FRAME_FREE: the caller says what they are for. */
pfn_t frames_take(struct frames *, unsigned order);
/* Tests: request number n from now on (from 1) finds nothing, once. 0 switches it off. */
void frames_fail_at(struct frames *, uint64_t n);
/* The frames are marked FRAME_FREE. */
void frames_give(struct frames *, pfn_t, unsigned order);
/* The metadata of a frame, or NULL where its chunk was never used. */
struct frame *frames_at(const struct frames *, pfn_t);
/* Free blocks sorted out: disjoint, joined where they can be, counted right, marked free. */
bool frames_check(const struct frames *, char *why, size_t size);

/* Why an allocation of 2^order frames fails, in thousandths: towards 0 for lack of memory, towards
 * 1000 by fragmentation; -1000: it does not fail (Linux: __fragmentation_index in mm/vmstat.c). */
int frames_fragmentation_index(const struct frames *, unsigned order);
/* How much of the free memory is of no use for 2^order frames, in thousandths (Linux:
 * unusable_free_index). */
unsigned frames_unusable_index(const struct frames *, unsigned order);

#endif
