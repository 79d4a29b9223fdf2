/* truth.h: a trace replayed under the conditions of a native replay, told in its words.
 *
 * Another program replays a trace against the real C library on the real Linux and writes down what
 * happened, as texts. Here the same texts come out of the machine, so that they can be compared
 * line by line. Addresses are told relative to the process's layout: "h+N" is N bytes above the
 * initial break, "m-N" is N bytes below the lowest mapping that was there at the start.
 */
#ifndef MEMWALK_SIM_TRUTH_H
#define MEMWALK_SIM_TRUTH_H

#include "sim/config.h"
#include "traces/trace.h"

/* What is done to every new block right after the program got it. */
enum truth_touch {
    TRUTH_TOUCH_NONE,
    TRUTH_TOUCH_FIRST, /* its first byte */
    TRUTH_TOUCH_PAGE,  /* one byte of each page */
    TRUTH_TOUCH_ALL,   /* all of it */
};

struct truth_options {
    enum truth_touch touch;
    bool read; /* touch by loads instead of stores */
    va_t heap0, mmap_low;
    uint64_t ram;         /* bytes that overcommit goes by */
    const char *tunables; /* value of GLIBC_TUNABLES, or NULL */
    uint64_t stop;        /* stop after so many ops; UINT64_MAX: at the end */
    bool traced;          /* the native replay had a page in common with its tracer */
};

/* A text that grows. Ends in a zero byte once something was added. */
struct text {
    char *bytes;
    size_t size, room;
    bool failed; /* no memory: the text is cut */
};

void text_add(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *);

enum truth_text {
    TRUTH_OUT,     /* a line for each op: result, faults */
    TRUTH_SYS,     /* a line for each system call */
    TRUTH_WALK,    /* chunks of the heap at the end */
    TRUTH_PAGES,   /* runs of present pages at the end */
    TRUTH_ARENA,   /* lists and parameters of the allocator at the end */
    TRUTH_INFO,    /* what malloc_info(0) would print at the end */
    TRUTH_MAPS,    /* areas at the end */
    TRUTH_SUMMARY, /* figures at the end, a JSON object */
    TRUTH_TEXTS
};
extern const char *const truth_text_name[TRUTH_TEXTS]; /* "out", also the end of a file's name */

/* What a replay told; a text that this kind of trace does not have stays empty (bytes NULL). */
struct truth {
    struct text text[TRUTH_TEXTS];
};
void truth_free(struct truth *);

/* Which of the two kinds of trace it is; ERR_VALUE: neither, or a mixture of both. */
enum truth_kind { TRUTH_MALLOC, TRUTH_VM };
enum err truth_kind_of(const struct trace *, enum truth_kind *, struct error *);

/* Replays ops of the malloc family (truth_malloc.c) or memory calls (truth_vm.c) and fills the
 * texts. *t is zeroed before, and to be freed by truth_free, also after an error. */
enum err truth_malloc(const struct trace *, const struct truth_options *, struct truth *,
                      struct error *);
enum err truth_vm(const struct trace *, const struct truth_options *, struct truth *,
                  struct error *);

/* The machine that both start from: default sizes, the layout of the options, room in RAM. */
void truth_config(const struct truth_options *, struct config *);

/* An address in the notation above; 0 as "0", UINT64_MAX as "-". text must hold 32 bytes. */
const char *truth_address(const struct truth_options *, va_t, char *text);

#endif
