/* je_like.h: an allocator after jemalloc's extents and bins. */
#ifndef MEMWALK_ALLOC_JE_LIKE_H
#define MEMWALK_ALLOC_JE_LIKE_H

#include "alloc/alloc.h"

extern const struct alloc_ops je_like_ops;

#endif
