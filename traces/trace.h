/* trace.h: workloads: ops of a program, read from files, held in memory, written again.
 *
 * A trace is a header (version, name, configuration) and a list of ops. It comes as one JSON
 * document or as JSON Lines, plain, .gz or .zst; the reader finds out which from the bytes. JSON
 * Lines are read op by op in bounded memory; a JSON document is one value and is held as a whole.
 * docs/trace-format.md is the reference; traces/ops.def is the list of ops.
 */
#ifndef MEMWALK_TRACES_TRACE_H
#define MEMWALK_TRACES_TRACE_H

#include "sim/base/err.h"
#include "sim/base/types.h"

enum op_kind {
#define OP(name, doc, fields) OP_##name,
#include "traces/ops.def"
#undef OP
    OP_COUNT
};

/* What v[0] (base) or the target's address (to_base) counts from. */
enum op_base {
    BASE_NONE,  /* the op has no address */
    BASE_BLOCK, /* offset into the block named by id (to_base: by to_id) */
    BASE_ABS,   /* a virtual address; 0 too, for example the hint of an mmap */
    BASE_HEAP,  /* "h+N": bytes above the initial break; "h-N" as 2^64 - N */
    BASE_MMAP,  /* "m-N": bytes below the lowest area of the process at its start, as 2^64 - N */
};

enum op_flag {
    OP_FAIL = 1,       /* the recorded program saw NULL */
    OP_HAS_RET = 2,    /* the trace expects a result: extra.ret */
    OP_HAS_FAULTS = 4, /* the trace expects a number of faults: extra.faults */
    OP_STOP = 8,       /* a mark at which a lesson stops */
    OP_HAS_PID = 16,   /* the trace names the process, even if it is 0 */
};

/* One op, 64 bytes, so that a million of them are 64 MB. Rare parts stand in struct op_extra. */
struct op {
    uint8_t kind;    /* enum op_kind */
    uint8_t flags;   /* enum op_flag */
    uint8_t base;    /* enum op_base of v[0] */
    uint8_t to_base; /* enum op_base of the target: copy, mremap */
    uint16_t pid;    /* as in the trace; 0 where it says nothing */
    uint16_t tid;
    uint32_t line;  /* of the file, from 1: where the op begins */
    uint32_t extra; /* index into the trace's extras; 0: none */
    uint64_t id;    /* block; 0 is NULL */
    uint64_t v[5];  /* see ops.def; copy: v[3] is to_off or to_addr, v[4] is to_id */
};

/* What an op is checked against, and what it says. */
struct op_extra {
    const char *text; /* what a mark says; owned by the trace or reader; NULL: none */
    char name[32];    /* the name of a mark; "": none */
    uint8_t ret_base; /* BASE_HEAP, BASE_MMAP, or BASE_NONE: a plain number or -errno */
    uint64_t ret;
    uint64_t faults;
};

struct op_info {
    const char *name, *doc; /* "malloc", "id = malloc(size)" */
};
extern const struct op_info op_info[OP_COUNT];

/* The header. "expect" maps names of the report's figures (for example "faults.minor") to the
 * values that the trace promises; both texts are JSON, owned by the reader or trace. */
struct trace_header {
    unsigned version;
    char *name;    /* never NULL; the file's name where the trace does not say */
    char *doc;     /* a sentence for people, or NULL */
    char *command; /* the command line of a recorded program, or NULL */
    char *config;  /* a JSON object as text, or NULL */
    char *expect;  /* a JSON object as text, or NULL */
};

/* Frees the texts of a header, not the header itself. */
void trace_header_free(struct trace_header *);

/* ---- reading op by op ---- */

struct trace_reader;

/* path "-" is standard input. The header is read at once. */
enum err trace_open(struct trace_reader **, const char *path, struct error *);
/* From memory (the bytes stay the caller's and must outlive the reader); name stands in messages.
 */
enum err trace_open_memory(struct trace_reader **, const void *bytes, size_t size, const char *name,
                           struct error *);
void trace_close(struct trace_reader *);
const struct trace_header *trace_reader_header(const struct trace_reader *);
/* The next op: 1, at the end 0, on an error -1 with *error filled. op->extra is 1 where the op has
 * rare parts: they are in *extra (may be NULL), valid until the next call. A trace in JSON Lines
 * ends its "expect" in a last line {"expect":{…}}. */
int trace_next(struct trace_reader *, struct op *, struct op_extra *extra, struct error *);
/* Bytes of the file read so far and in all (0: unknown), for progress bars. */
void trace_progress(const struct trace_reader *, uint64_t *done, uint64_t *total);

/* ---- a whole trace in memory ---- */

struct trace {
    struct trace_header header;
    char *path;
    struct op *op; /* op[0 .. count) */
    size_t count;
    struct op_extra *extra; /* extra[1 .. extras) */
    size_t extras;
};

/* Reads all of it. On error *trace is NULL. */
enum err trace_load(struct trace **trace, const char *path, struct error *);
enum err trace_load_memory(struct trace **trace, const void *bytes, size_t size, const char *name,
                           struct error *);
void trace_free(struct trace *);

/* ---- writing ---- */

enum trace_form {
    TRACE_LINES,    /* header line, then one op per line */
    TRACE_DOCUMENT, /* one JSON document */
    TRACE_CALLS,    /* one JSON document whose ops are in the call notation of op_text */
    TRACE_REP,      /* the malloc lab's: requests only (traces/rep.h) */
};

struct trace_writer;

/* The compression follows the path's end: .gz, .zst, else none; "-" is standard output. A file is
 * written beside its place and renamed at trace_writer_close, so that nothing is ever half there.
 */
enum err trace_writer_open(struct trace_writer **, const char *path, enum trace_form,
                           const struct trace_header *, struct error *);
enum err trace_write(struct trace_writer *, const struct op *, const struct op_extra *extra,
                     struct error *);
/* What the trace promises, as JSON, where it is known only after the ops (NULL: nothing). */
enum err trace_writer_expect(struct trace_writer *, const char *expect, struct error *);
/* Ops that the form cannot hold and that were left out so far. */
uint64_t trace_writer_left(const struct trace_writer *);
/* Ends the file; with keep false the unfinished file is removed instead. */
enum err trace_writer_close(struct trace_writer *, bool keep, struct error *);

/* One op as a person would write it: "p3 = malloc(24)", "write p3[0..8]", "free(p3)"; always
 * terminated. The same notation is accepted wherever an op may stand in a trace, as a string. */
char *op_text(const struct op *, const struct op_extra *extra, char *text, size_t size);
/* The way back: an op from that notation. What op_text wrote in full gives the same op again.
 * extra (may be NULL) gets the rare parts, extra->text pointing into text; op->extra is then 1
 * where there are any. The error has no file and line. */
enum err op_parse(const char *text, struct op *, struct op_extra *extra, struct error *);

#endif
