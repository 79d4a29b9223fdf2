/* needs.h: the section of a report that tells how much memory the program needs. */
#ifndef MEMWALK_SIM_CLI_NEEDS_H
#define MEMWALK_SIM_CLI_NEEDS_H

#include "sim/cli/common.h"
#include "sim/workset.h"

/* Working sets by window, faults under LRU by number of frames, and one sentence. */
void needs_print(const struct workset *);
/* The same as a JSON object "working_set" in root. */
void needs_json(const struct workset *, cJSON *root);

#endif
