/* report.h: the figures of a run, printed for people and as JSON. */
#ifndef MEMWALK_SIM_CLI_REPORT_H
#define MEMWALK_SIM_CLI_REPORT_H

#include "sim/cli/common.h"
#include "sim/stats.h"

/* One run with its figures and what it was. */
struct report {
    const char *title; /* the trace's name, or the stream's */
    char label[64];    /* in comparisons: what is different about this run */
    struct config config;
    struct stats stats;
};

/* The value of figure i as people read it; text holds 40 bytes. */
const char *report_value(size_t i, const struct figure *, const struct stats *, char *text);
/* Groups of figures in two columns; those that are 0 are left out. */
void report_print(const struct report *);
/* All figures, nested at their dots, into a JSON object that is the caller's. */
cJSON *report_json(const struct report *);
/* The most telling figures side by side, the best value of each row marked. */
void report_compare(const struct report *const *, size_t count);

#endif
