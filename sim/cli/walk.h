/* walk.h: what 'memwalk walk' knows of one translation, for its two ways to print it.
 */
#ifndef MEMWALK_SIM_CLI_WALK_H
#define MEMWALK_SIM_CLI_WALK_H

#include "sim/cli/look.h"

#define WALK_HEARD                                                                                 \
    1024u /* the most events of one access: 29 reads and marks by way of the caches */

struct walk_view {
    struct look *look;
    struct mmu_regs regs;
    struct walk walk; /* read from the root, whatever the caches hold */
    bool allowed;
    uint32_t vector, error; /* where not; vector 0: it leaves the guest, see tried.fault */
    bool running;           /* the process runs on a CPU: the rest is known */
    unsigned cpu;
    struct sim_tried tried;
    unsigned heard;
    struct event event[WALK_HEARD];
};

/* One line of the arithmetic: a fact that the access needs, and whether it is there. */
struct walk_rule {
    const char *name; /* "user page", "writable", … */
    char how[160];    /* how it comes about, bit by bit */
    bool fact;
    bool needed; /* this access needs it (or needs its opposite, where inverse) */
    bool inverse;
    const char *why; /* why it is needed, or not */
};

#define WALK_RULES 8
/* In the order of the manual's rules. Returns how many. */
size_t walk_rules(const struct walk_view *, struct walk_rule rules[WALK_RULES]);

/* "WB" … of a memory type. */
const char *walk_memory_type(enum memory_type);
/* "P=1 the page is there; W=0 a read; …": every bit of a #PF error code; text holds 400 bytes. */
const char *walk_error_bits(uint32_t error, char *text);
/* How the access came by the entry at a physical address. */
struct walk_source {
    bool read;
    cycles_t cost;
    unsigned cache; /* the data cache that had it, 1 to 3; 0: memory, or there are no caches */
    bool caches;    /* there are data caches */
};
struct walk_source walk_source(const struct walk_view *, pa_t);
/* The event of this kind that the access caused first, or NULL. */
const struct event *walk_event(const struct walk_view *, enum event_kind);

int walk_print(const struct walk_view *);
int walk_print_json(const struct walk_view *);

#endif
