/* audit.h: which event was the first that is wrong? Listens where a run is checked and where the
 * kernel makes mistakes on purpose (bug.*); its findings lie in the machine, so they go back in
 * time with it.
 */
#ifndef MEMWALK_SIM_AUDIT_H
#define MEMWALK_SIM_AUDIT_H

#include "sim/base/event.h"

#define AUDIT_FRESH 64u

struct audit {
    uint64_t wrong;    /* events so far */
    uint64_t op, step; /* of the first */
    uint32_t kind;     /* enum event_kind */
    uint16_t cpu;
    char why[200];
    pfn_t fresh[AUDIT_FRESH]; /* frames that were taken and never filled: the newest ones */
    unsigned fresh_next;
};

struct sim;
struct kernel_bugs;

/* Is any mistake switched on? */
bool audit_wanted(const struct kernel_bugs *);
/* A listener of the bus; ctx is the struct sim. */
void audit_hear(void *sim, const struct event *);

#endif
