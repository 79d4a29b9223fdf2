/* bitmap.h: an allocator that keeps its books in bits. */
#ifndef MEMWALK_ALLOC_BITMAP_H
#define MEMWALK_ALLOC_BITMAP_H

#include "alloc/alloc.h"

extern const struct alloc_ops bitmap_ops;

#endif
