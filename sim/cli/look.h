/* look.h: what the commands share that look into a machine at one moment: walk, maps, heap, tlb,
 * tables, frames. Each parses the same options, goes to the moment, and prints.
 */
#ifndef MEMWALK_SIM_CLI_LOOK_H
#define MEMWALK_SIM_CLI_LOOK_H

#include "sim/cli/common.h"

struct look {
    struct cli_options options;
    bool wants_address; /* set by the command: a second argument, the virtual address */
    bool has_address;
    const char
        *path_doc;    /* set by the command: what the second argument is, which may be missing */
    const char *path; /* the second argument */
    const char *out;  /* --out */
    va_t address;
    enum access how; /* --access */
    bool supervisor; /* --cpl=0 */
    bool cold;       /* --cold */
    bool all;        /* --all: nothing left out */
    bool is_heap;    /* set by the command: it has --over-time */
    bool over_time;  /* --over-time */
    struct cli_session session;
    struct process_info process;
};

/* Parses, opens, goes to the moment, calls print, closes; returns the exit status. doc is what
 * --help says first. */
int look_run(struct look *, const char *command, const char *doc, int argc, char **argv,
             int (*print)(struct look *));

/* The headline: what is looked at, when, in which process; an empty line follows. */
void look_title(const struct look *, const char *what);
/* A JSON object that begins with the moment and the process. */
cJSON *look_json(const struct look *);

/* A virtual or physical address as people read it: 0x0000_7fff_f7a0_0010; text holds 24 bytes. */
const char *look_address(uint64_t address, char *text);
/* "WUXD" letters of a translation's rights, '-' where absent; text holds 8 bytes. */
const char *look_flags(uint32_t flags, char *text);

#endif
