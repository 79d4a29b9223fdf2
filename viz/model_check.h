/* model_check.h: is what was folded from events what inspection sees? For tests. */
#ifndef MEMWALK_VIZ_MODEL_CHECK_H
#define MEMWALK_VIZ_MODEL_CHECK_H

#include "viz/model.h"

/* Compares areas, break and root of every process, TLB lines of each level, paging-structure
 * caches, the use of every frame, every entry of every table, live blocks and free lists. true, or
 * false with the first difference in why. */
bool model_check(const struct model *, const struct sim *, char *why, size_t size);
/* The part of it that takes the same time however much memory there is: TLB lines, paging-structure
 * caches, what each CPU runs and counts, processes, their breaks and areas (not how much of them is
 * resident), and how many frames are free, swap slots used, blocks live. */
bool model_check_quick(const struct model *, const struct sim *, char *why, size_t size);

#endif
