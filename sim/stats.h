/* stats.h: the figures of a run.
 *
 * Counters live in the machine and are read by inspection when they are wanted; figures.def says
 * how each figure follows from them. Only the shape of the heap at its peak cannot be read
 * afterwards: struct stats_watch looks at it on the way.
 */
#ifndef MEMWALK_SIM_STATS_H
#define MEMWALK_SIM_STATS_H

#include "sim/inspect.h"

/* The heaps of all processes, chunk by chunk. */
struct heap_shape {
    uint64_t payload; /* bytes as requested */
    uint64_t used;    /* bytes of chunks in use */
    uint64_t headers; /* of these, what the program may not use */
    uint64_t held;    /* bytes held from the kernel */
    uint64_t free;    /* bytes of free chunks, tops included */
    uint64_t largest; /* of them */
    uint64_t chunks;  /* used and free */
};

struct stats {
    struct mmu_counters mmu; /* of all processors */
    uint64_t opt_misses[TLB_LEVELS], opt_lost[TLB_LEVELS];
    struct alloc_counters heap; /* of all processes */
    struct kernel_counters kernel;
    struct replay_counters replay;
    uint64_t wrong_events, wrong_op,
        wrong_step; /* by mistakes of the kernel; the first one's place */
    struct memory_info memory;
    uint64_t processes, areas, resident, resident_peak, virtual_pages, tables; /* pages */
    uint64_t huge, huge_waste; /* huge pages of processes; pages of them with only zeroes */
    struct heap_shape at_peak, at_end;
    cycles_t cycles;
    double seconds; /* host time; the caller's to fill in */
};

/* Follows the peak of the heap. Zeroed at the start.
 * NOTE: a walk of the heap at every new peak would be quadratic, so long traces are walked only
 * when the peak has grown by 1/64 since the last walk, or when few chunks were walked so far. */
struct stats_watch {
    struct heap_shape peak;
    uint64_t walked;
};
/* To be called after each op. */
void stats_watch(struct stats_watch *, const struct sim *);

/* All figures' raw material now. watch may be NULL: then the peak is unknown and reads as 0. */
void stats_read(struct stats *, const struct sim *, const struct stats_watch *);
void heap_shape_read(struct heap_shape *, const struct sim *);

/* ---- the table ---- */

enum figure_kind {
    FIGURE_COUNT,
    FIGURE_BYTES,
    FIGURE_PAGES,
    FIGURE_CYCLES,
    FIGURE_RATIO,
    FIGURE_MEAN,
    FIGURE_SECONDS,
};
enum figure_better { FIGURE_SAME, FIGURE_LESS, FIGURE_MORE };

/* "count", "bytes", … */
extern const char *const figure_unit[];

struct figure {
    const char *group, *name, *of, *label, *doc;
    enum figure_kind kind;
    enum figure_better better;
};

/* Whole kinds use n, the others d. */
struct figure_value {
    uint64_t n;
    double d;
};

/* Figure number i; false beyond the last. */
bool figure_at(size_t i, struct figure *);
/* Its number, or SIZE_MAX. */
size_t figure_find(const char *name);
bool figure_whole(enum figure_kind);
struct figure_value figure_value(size_t i, const struct stats *);
/* Any kind as a double, for comparing. */
double figure_double(size_t i, const struct stats *);

/* ---- expectations ---- */

struct stats_failure {
    char name[64];
    char wanted[48], got[48];
};
/* Holds the figures against a trace's "expect" (a JSON object of names, flat or nested, and a
 * number, or a text such as "<= 10"). Calls failed for each that is not met; an unknown name is an
 * error. Ratios and means are compared to the precision that is written. */
enum err stats_expect(const struct stats *, const char *json, const char *where,
                      void (*failed)(void *ctx, const struct stats_failure *), void *ctx,
                      struct error *);

#endif
