/* program.h: finding a program and judging, before it runs, whether it can be recorded. */
#ifndef MEMWALK_CLI_PROGRAM_H
#define MEMWALK_CLI_PROGRAM_H

#include "sim/base/err.h"

#include <stddef.h>

enum program_verdict {
    PROGRAM_OK,
    PROGRAM_MISSING,    /* a shell would say 127 */
    PROGRAM_FORBIDDEN,  /* there, but cannot be executed: 126 */
    PROGRAM_UNRECORDED, /* it would run, but nothing would be heard of it */
};

/* Looks the name up as execvp does. *error says why where the verdict is not PROGRAM_OK. */
enum program_verdict program_judge(const char *name, struct error *error);

#endif
