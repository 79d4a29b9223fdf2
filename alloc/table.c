/* table.c: the allocators that exist. A new one is a file of its own and a line here; the
 * configuration, the help and the tests over all allocators find it by this table. */
#include "alloc/bitmap.h"
#include "alloc/buddy.h"
#include "alloc/bump.h"
#include "alloc/freelist.h"
#include "alloc/glibc.h"
#include "alloc/je_like.h"
#include "alloc/mi_like.h"
#include "alloc/region.h"
#include "alloc/simple.h"
#include "alloc/slab.h"

const struct alloc_ops *const alloc_table[] = {
    &fit_first.ops,
    &fit_next.ops,
    &fit_good.ops,
    &fit_best.ops,
    &fit_worst.ops,
    &fit_segregated.ops,
    &fit_tlsf.ops,
    &fit_dl_like.ops,
    &buddy_binary.ops,
    &buddy_fibonacci.ops,
    &bitmap_ops,
    &region_ops,
    &simple_ops,
    &slab_ops,
    &mi_like_ops,
    &je_like_ops,
    &bump_ops,
    &glibc_ops,
    NULL,
};
