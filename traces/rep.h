/* rep.h: the traces of the malloc lab of CS:APP: plain text, one request a line.
 *
 *   20000      suggested size of the heap, not used
 *   3          number of ids
 *   4          number of requests
 *   1          weight
 *   a 0 512    malloc of 512 bytes, called 0
 *   r 0 640    realloc
 *   f 0        free; -1 is NULL
 */
#ifndef MEMWALK_TRACES_REP_H
#define MEMWALK_TRACES_REP_H

#include "traces/json.h"
#include "traces/trace.h"

/* The four numbers at the top, one after the other. */
struct rep_header {
    unsigned seen; /* of the four */
    uint64_t heap, ids, requests, weight;
};

/* The next number of the header. false: it is none, with the field's name. */
bool rep_take_number(struct rep_header *, struct slice line, const char **field);
/* One request; ids count from 1 here, because id 0 is NULL. false: why says what is wrong with it,
 * and field where. */
bool rep_take_op(const struct rep_header *, struct slice line, struct op *, const char **field,
                 const char **why);

/* Collects requests for writing, because the header tells how many follow. */
struct rep_out;

struct rep_out *rep_out_new(void); /* NULL: no memory */
/* Ops that are no requests are left out, and counted. false: no memory. */
bool rep_out_op(struct rep_out *, const struct op *);
/* All of it as text, which is rep_out's; NULL: no memory. */
const char *rep_out_text(struct rep_out *, size_t *length);
uint64_t rep_out_left(const struct rep_out *);
void rep_out_free(struct rep_out *);

#endif
