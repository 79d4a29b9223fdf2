/* query.h: a question about events in words: "fault", "tlb_miss level=2 class=conflict",
 * "addr=0x7ffff7a00010", "malloc", "frame_alloc free<100".
 *
 * One language for searching a run and for breakpoints. Its words are those of docs/events.md and
 * docs/trace-format.md, so a new event or op can be asked for without a change here.
 */
#ifndef MEMWALK_SIM_QUERY_H
#define MEMWALK_SIM_QUERY_H

#include "sim/base/err.h"
#include "sim/log.h"
#include "traces/trace.h"

#define QUERY_TERMS 8
#define QUERY_NONE  UINT8_MAX
#define QUERY_TEXT  96

enum query_term_kind {
    QUERY_EVENT,   /* the event is of this kind or family: "fault", "tlb" */
    QUERY_OP,      /* the beginning of an op of this kind: "malloc" */
    QUERY_FIELD,   /* a field of the event: "level=2" */
    QUERY_CONTEXT, /* where the event is told: op, step, pid, cpu, cycle */
    QUERY_AT,      /* the event touches a virtual or physical address: "addr=0x1000" */
};

enum query_compare { QUERY_EQ, QUERY_NE, QUERY_LT, QUERY_LE, QUERY_GT, QUERY_GE, QUERY_BITS };

struct query_term {
    enum query_term_kind kind;
    enum query_compare compare;
    char name[32]; /* of the field */
    char word[32]; /* the value as it was written: for names */
    uint64_t value;
    bool number; /* word is one */
    struct event_filter filter;
    uint8_t field[EV_COUNT]; /* place of the field in each kind of event; QUERY_NONE: it has none */
};

/* All terms must hold. No terms: holds for nothing. */
struct query {
    char text[QUERY_TEXT];
    size_t terms;
    struct query_term term[QUERY_TERMS];
};

/* Numbers are decimal, 0x…, or with K, M, G; names of enums and policies are as events say them.
 * ERR_SYNTAX with the reason in words; *q is then empty. */
enum err query_parse(struct query *q, const char *text, struct error *);
/* op: the one in progress, 0 at boot. */
bool query_matches(const struct query *, const struct event *, uint64_t op);

#endif
