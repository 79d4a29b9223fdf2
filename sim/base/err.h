/* err.h: errors that may happen, with where and why.
 *
 * A function that can fail for a reason outside the program (a bad trace, a full disk, no memory)
 * returns an enum err and fills a struct error that its caller owns. The message always reads
 * "file:line: field: reason"; parts that do not apply are left out.
 */
#ifndef MEMWALK_BASE_ERR_H
#define MEMWALK_BASE_ERR_H

#include <stdint.h>
#include <stdio.h>

enum err {
    ERR_NONE = 0,
    ERR_USAGE,  /* a command line or option that makes no sense */
    ERR_IO,     /* a file that cannot be opened, read or written */
    ERR_SYNTAX, /* a text that is not of its format */
    ERR_VALUE,  /* a well-formed value outside its range or meaning */
    ERR_MEMORY, /* the host has no memory left */
    ERR_LIMIT,  /* a stated limit of the simulator is reached */
};

struct error {
    enum err code;
    char file[256]; /* "" where there is none */
    uint64_t line;  /* from 1; 0 where there is none */
    char field[64]; /* for example "size" or "tlb.l1d.ways"; "" where there is none */
    char reason[256];
};

/* Fills *e (may be NULL: then only the code counts) and returns code. file and field may be NULL.
 */
enum err error_set(struct error *e, enum err code, const char *file, uint64_t line,
                   const char *field, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
#ifdef __clang_analyzer__ /* which sees one file at a time: tell it what comes back */
#define error_set(e, code, ...) ((error_set)((e), (code), __VA_ARGS__), (code))
#endif

/* Writes "file:line: field: reason" into text, always terminated, and returns text. */
char *error_text(const struct error *e, char *text, size_t size);

/* Prints "memwalk: " and the message and a newline. */
void error_print(const struct error *e, FILE *out);

/* The one of names[0..count) that is nearest to text by edit distance, or NULL where nothing is
 * near: for "unknown key, did you mean". */
const char *error_nearest(const char *text, const char *const *names, size_t count);

#endif
