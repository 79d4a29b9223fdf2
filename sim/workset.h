/* workset.h: how much memory a program needs, found from its references alone.
 *
 * Working set (Denning, 1968): the pages used by the last τ references. Reuse (stack) distance
 * (Mattson and others, 1970): how many different pages were used since a page was used before; a
 * memory of n frames under LRU faults exactly at the references with a distance of n or more, so
 * one run gives the faults for every size of memory at once.
 *
 * Internal to sim/. Everything here is the host's and outside of the machine.
 */
#ifndef MEMWALK_SIM_WORKSET_H
#define MEMWALK_SIM_WORKSET_H

#include "sim/base/types.h"

#define WORKSET_WINDOWS 6u

struct workset;

/* NULL: no memory. */
struct workset *workset_new(void);
void workset_free(struct workset *);
/* An access to a page; one to the same page as the access before is no new reference. */
void workset_hear(struct workset *, uint16_t pid, va_t);
/* Was there memory for everything? Else the figures are worth nothing. */
bool workset_good(const struct workset *);

uint64_t workset_references(const struct workset *);
uint64_t workset_pages(const struct workset *); /* different ones */

struct workset_window {
    uint64_t references; /* its length */
    double mean;         /* pages in it, over all moments */
    uint64_t most;
};
/* Window number i; false beyond the last. */
bool workset_window(const struct workset *, size_t i, struct workset_window *);
/* Faults that LRU has with so many frames, first touches included. */
uint64_t workset_lru_faults(const struct workset *, uint64_t frames);
/* Fewest frames with which at most one in `of` references faults beyond the first touches. */
uint64_t workset_frames_for(const struct workset *, uint64_t of);

#endif
