/* bump.h: the simplest allocator there is: a pointer that only moves up. */
#ifndef MEMWALK_ALLOC_BUMP_H
#define MEMWALK_ALLOC_BUMP_H

#include "alloc/alloc.h"

extern const struct alloc_ops bump_ops;

#endif
