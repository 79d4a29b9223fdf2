/* region.h: an allocator whose memory is freed a region at a time. */
#ifndef MEMWALK_ALLOC_REGION_H
#define MEMWALK_ALLOC_REGION_H

#include "alloc/alloc.h"

extern const struct alloc_ops region_ops;

#endif
