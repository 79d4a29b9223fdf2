/* shadow.h: which pointers the heap gave out, kept beside the simulated heap.
 *
 * The heap's own bytes can be overwritten by the program, so they cannot prove that a pointer is
 * live. The shadow can: it lies in the arena, costs no simulated access, and knows each block's
 * chunk, size and request. From it come the exact counters, the certainty about double and foreign
 * frees, and the way back to a sound heap after the program wrote over a header.
 */
#ifndef MEMWALK_ALLOC_SHADOW_H
#define MEMWALK_ALLOC_SHADOW_H

#include "alloc/alloc.h"

struct arena;

/* NULL: no memory. */
struct shadow *shadow_new(struct arena *);
void shadow_destroy(struct shadow *, struct arena *);
/* One of its own with the same blocks, or NULL: no memory. */
struct shadow *shadow_copy(const struct shadow *, struct arena *);

/* Makes room for two more blocks, so that the next shadow_adds cannot fail. false: no memory. */
bool shadow_reserve(struct shadow *, struct arena *);
/* The block is there from now on; a dead one at the same place is forgotten. */
void shadow_add(struct shadow *, const struct heap_block *);
/* The block with this pointer, of any kind, or NULL. Good until the next add. */
const struct heap_block *shadow_find(const struct shadow *, va_t block);
/* The block is dead from now on; op is remembered as the one that freed it. */
void shadow_kill(struct shadow *, va_t block, uint64_t op);

/* Live blocks and fences in the heap proper. */
size_t shadow_count(const struct shadow *);
/* All of these, sorted by chunk, in an array of shadow_count elements that the caller gives back
 * with arena_free; NULL: none, or no memory. */
struct heap_block *shadow_sorted(const struct shadow *, struct arena *);

/* Live blocks with a mapping of their own, in order of address. */
size_t shadow_mapped(const struct shadow *);
va_t shadow_mapped_at(const struct shadow *, size_t i);

#endif
