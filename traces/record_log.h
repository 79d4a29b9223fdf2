/* record_log.h: the raw recording: what the recorder inside the programs writes and
 * sim/cli/recording.c reads.
 *
 * One sparse file without a name holds the whole run. Every program image (what a process executes
 * from one exec to the next, or a forked copy of it) maps one chunk of it at a time and fills it
 * with entries in the order in which the calls take effect. The pages belong to the file, not to
 * the process, so they outlive a crash and even SIGKILL.
 *
 *     chunk 0            chunk n: seq 0 of an image          chunk m: seq 1, 2, …
 *    +---------------+  +--------------+-------------------+  +--------------+----------------+
 *    | log_session   |  | log_chunk    | entries           |  | log_chunk    | entries        |
 *    |               |  | log_image    | (from LOG_FIRST)  |  |              | (from LOG_NEXT)|
 *    +---------------+  +--------------+-------------------+  +--------------+----------------+
 */
#ifndef MEMWALK_RECORD_LOG_H
#define MEMWALK_RECORD_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#define LOG_ENV   "MEMWALK_RECORD" /* the session's path, in the environment of the programs */
#define LOG_MAGIC UINT64_C(0x31474f4c4b4c574d)
#define LOG_CHUNK ((uint64_t)64 << 10) /* bytes */
#define LOG_FIRST ((uint64_t)4096)     /* where the entries of an image's first chunk begin */
#define LOG_NEXT  ((uint64_t)64)       /* where those of its other chunks begin */

enum log_kind {
    LOG_NONE, /* not written: the end of the image's entries */
    LOG_MALLOC,
    LOG_CALLOC,         /* a: size, b: nmemb */
    LOG_FREE,           /* before the real free: nobody else can have the block again yet */
    LOG_REALLOC_BEGIN,  /* ptr: the old block, before the real call */
    LOG_REALLOC,        /* ptr: the new block; ends the last LOG_REALLOC_BEGIN of its thread */
    LOG_REALLOCARRAY,   /* likewise; a: size, b: nmemb */
    LOG_MEMALIGN,       /* a: size, b: alignment */
    LOG_POSIX_MEMALIGN, /* likewise */
    LOG_ALIGNED_ALLOC,  /* likewise */
    LOG_VALLOC,
    LOG_PVALLOC,
    LOG_MALLOC_TRIM, /* a: pad */
    LOG_MALLOPT,     /* a: param, b: value */
    LOG_THREAD_EXIT,
    LOG_KINDS,
};

/* One call, 32 bytes, so that none straddles a cache line. kind is stored last. */
struct log_entry {
    uint64_t ptr; /* the block: result or argument */
    uint64_t a;   /* size, unless stated above */
    uint64_t b;
    uint32_t thread; /* serial number within the process, from 1 */
    _Atomic uint32_t kind;
};

struct log_session {
    uint64_t magic;
    uint64_t limit;          /* chunks that may be used */
    _Atomic uint64_t chunks; /* used, chunk 0 included */
    _Atomic uint32_t images;
    _Atomic uint32_t full;   /* images that had to stop for want of room */
    _Atomic uint64_t lost;   /* calls after that */
    _Atomic uint64_t nested; /* calls from a signal handler that had interrupted the recorder */
};

struct log_chunk {
    uint32_t image; /* from 1; 0: claimed but never used */
    uint32_t seq;   /* which chunk of the image */
};

struct log_image {
    uint32_t parent;    /* the image that it is a forked copy of; 0: begun by exec */
    int32_t pid;        /* the system's */
    uint64_t fork;      /* how many entries of the parent had been written then */
    uint32_t length;    /* of command */
    char command[3072]; /* the arguments, each ended by a 0 byte; may be cut */
};

_Static_assert(sizeof(struct log_entry) == 32, "entries tile a chunk");
_Static_assert(sizeof(struct log_chunk) <= LOG_NEXT, "the header lies before the entries");
_Static_assert(sizeof(struct log_chunk) + sizeof(struct log_image) <= LOG_FIRST, "likewise");

#endif
