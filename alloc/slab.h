/* slab.h: caches of equal objects in slabs. */
#ifndef MEMWALK_ALLOC_SLAB_H
#define MEMWALK_ALLOC_SLAB_H

#include "alloc/alloc.h"

extern const struct alloc_ops slab_ops;

#endif
