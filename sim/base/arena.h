/* arena.h: the one home of all mutable machine state.
 *
 * Everything that must go back in time is allocated here and is found again at the same host
 * address after a restore, so pointers inside the arena stay good and no module needs code to save
 * itself. The arena is a list of chunks that never move. A snapshot cuts them into pieces of 4 KiB
 * and shares every piece that did not change since the snapshot before it.
 *
 *   chunk 0                      chunk 1
 *   [ head | bytes … used | … ]  [ bytes … used | … ]
 *     free lists, totals: travel in time with the rest
 *
 * Freed memory is kept in lists by size class (four to each doubling, from 32 bytes) inside the
 * arena. Memory comes zeroed. Alignment is 16 bytes (64 from 64 bytes up).
 */
#ifndef MEMWALK_BASE_ARENA_H
#define MEMWALK_BASE_ARENA_H

#include "sim/base/types.h"

struct arena;
struct arena_snapshot;

/* A new arena, or NULL. Its memory grows by chunks up to limit bytes in all. */
struct arena *arena_new(uint64_t limit);
void arena_destroy(struct arena *);

/* size bytes, zeroed, or NULL: no host memory, limit reached, or the test hook below. */
void *arena_alloc(struct arena *, size_t size);
/* p came from arena_alloc with the same size; NULL is allowed. */
void arena_free(struct arena *, void *p, size_t size);
/* A larger (or smaller) copy of p; NULL on failure, and then p is still good. */
void *arena_resize(struct arena *, void *p, size_t old_size, size_t new_size);

/* Tests: the n-th allocation from now (from 1) returns NULL, once. 0 switches it off. */
void arena_fail_at(struct arena *, uint64_t n);

/* Bytes handed out and not freed, and bytes of host memory held. */
uint64_t arena_used(const struct arena *);
uint64_t arena_held(const struct arena *);

/* A picture of the arena as it is now, sharing pieces with base (may be NULL); it must be freed
 * before the arena. NULL: no memory. */
struct arena_snapshot *arena_save(struct arena *, const struct arena_snapshot *base);
/* Puts every byte back, to the same addresses. Always succeeds. */
void arena_restore(struct arena *, const struct arena_snapshot *);
void arena_snapshot_free(struct arena_snapshot *);
/* Host bytes that all snapshots of the arena hold together. */
uint64_t arena_snapshots_bytes(const struct arena *);

#endif
