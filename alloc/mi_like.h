/* mi_like.h: an allocator after mimalloc's free-list sharding. */
#ifndef MEMWALK_ALLOC_MI_LIKE_H
#define MEMWALK_ALLOC_MI_LIKE_H

#include "alloc/alloc.h"

extern const struct alloc_ops mi_like_ops;

#endif
