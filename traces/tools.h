/* tools.h: what can be said about a trace, and done to it, without running it: check, count,
 * convert, cut. Everything works op by op in bounded memory but for the blocks (blocks.h).
 */
#ifndef MEMWALK_TRACES_TOOLS_H
#define MEMWALK_TRACES_TOOLS_H

#include "traces/trace.h"

/* ---- check: ops that are well formed but make no sense ---- */

enum finding_kind {
    FINDING_DOUBLE_FREE,
    FINDING_UNKNOWN_ID,     /* free, or use, of an id that no op made */
    FINDING_USE_AFTER_FREE, /* an access to a dead block */
    FINDING_ID_REUSED,      /* a live id is given again: the old block is lost */
    FINDING_BEYOND_END,     /* an access beyond the size that was asked for */
    FINDING_NULL_USED,      /* an access to NULL */
    FINDING_PROCESS,        /* an op of a process that does not run, a fork of one that does */
    FINDING_COUNT,
};

extern const char *const finding_names[FINDING_COUNT]; /* "double-free" … */

struct trace_finding {
    enum finding_kind kind;
    uint64_t op, line;             /* the op, from 1, and its line */
    uint64_t other_op, other_line; /* the op before it that it clashes with; 0: none */
    uint64_t id;
    char text[200]; /* all of it as a sentence */
};

struct trace_checker;

/* NULL: no memory. found is called for each finding, in order. */
struct trace_checker *trace_checker_new(void (*found)(void *ctx, const struct trace_finding *),
                                        void *ctx);
/* The next op. ERR_MEMORY: no host memory left. */
enum err trace_checker_op(struct trace_checker *, const struct op *);
/* Findings so far, by kind. */
const uint64_t *trace_checker_counts(const struct trace_checker *);
void trace_checker_free(struct trace_checker *);

/* ---- stat ---- */

struct trace_stat {
    uint64_t ops, by_kind[OP_COUNT];
    uint64_t requests, failed;        /* calls for memory; those that saw, or must see, NULL */
    uint64_t requested;               /* bytes in all, of those that did not fail */
    uint64_t largest;                 /* bytes */
    uint64_t histogram[65];           /* [k]: requests of up to 2^k bytes and more than 2^(k-1) */
    uint64_t live_bytes, live_blocks; /* now; after the last op: what the program never freed */
    uint64_t peak_bytes, peak_bytes_op, peak_blocks, peak_blocks_op;
    uint64_t marks, processes; /* processes: 1 and one for each fork */
};

struct trace_counter;

struct trace_counter *trace_counter_new(void);
enum err trace_counter_op(struct trace_counter *, const struct op *);
const struct trace_stat *trace_counter_stat(const struct trace_counter *);
void trace_counter_free(struct trace_counter *);

/* ---- convert and cut ---- */

struct trace_copy {
    enum trace_form form;
    /* 0, 0: everything. Else ops first to last, from 1, both included, after what they need: forks,
     * and the live blocks with their last sizes. Expected results and figures are then left out,
     * because another heap gives others; areas made by brk and mmap before are not made again. */
    uint64_t first, last;
    bool salvage; /* of a damaged trace keep what can be read */
    void (*tick)(void *ctx, uint64_t done, uint64_t total); /* bytes read; may be NULL */
    void *ctx;
};

struct trace_copied {
    uint64_t ops, prelude; /* ops written in all; of these made up for the cut */
    uint64_t left;         /* of the ops, what the form cannot hold: not written */
    bool damaged;          /* salvage: the trace ended in *damage */
    struct error damage;
};

enum err trace_copy(const char *from, const char *to, const struct trace_copy *,
                    struct trace_copied *, struct error *);
/* The form that goes with a path: .json (.gz, .zst) a document, else lines. */
enum trace_form trace_form_of(const char *path);

/* ---- schema ---- */

/* The JSON Schema (2020-12) of documents and of lines, made from ops.def. */
void trace_schema(FILE *out);

#endif
