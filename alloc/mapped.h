/* mapped.h: large blocks, each in a mapping of its own; the same for all allocators.
 *
 *   mapping (a multiple of 4096)                         block
 *     ┌───────────────────────────────┬─────────────────┬──────────────────┐
 *     │ lead, for large alignments    │ lead │ size│M│U │ …                │
 *     └───────────────────────────────┴─────────────────┴──────────────────┘
 *                                     ◀── size ────────────────────────────▶
 */
#ifndef MEMWALK_ALLOC_MAPPED_H
#define MEMWALK_ALLOC_MAPPED_H

#include "alloc/alloc.h"

#define MAPPED_HEADER 16u         /* distance from the mapping's start: lead, and the header */
#define MAPPED_TAG    UINT64_C(5) /* flags of its header: U, in use, and M, mapped */

/* A block in a mapping of its own; 0: no memory. The request is at most 2^62, the alignment at
 * least 16 and at most 2^62. */
va_t mapped_new(struct heap *, uint64_t request, uint64_t alignment);
void mapped_free(struct heap *, va_t block);
/* Another size for it, by mremap or, where that fails, by moving. Says how in heap->how. 0: no
 * memory, and the block stays as it was. */
va_t mapped_resize(struct heap *, va_t block, uint64_t request);
/* Shows all mapped blocks in order of address. false: a header was written over. */
bool mapped_walk(const struct heap *, void (*show)(void *ctx, const struct heap_chunk *),
                 void *ctx);
/* Writes headers that were written over again. */
void mapped_mend(struct heap *);

#endif
