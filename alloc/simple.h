/* simple.h: simple segregated storage. */
#ifndef MEMWALK_ALLOC_SIMPLE_H
#define MEMWALK_ALLOC_SIMPLE_H

#include "alloc/alloc.h"

extern const struct alloc_ops simple_ops;

#endif
