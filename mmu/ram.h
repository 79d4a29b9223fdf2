/* ram.h: physical memory. One place for everything: table entries, heap bytes, headers.
 *
 * The frames hang in a tree of two levels whose nodes are counted and copied when they are written
 * after a snapshot. So a snapshot costs nothing but a count, and every frame that did not change is
 * shared. A frame that was never written takes no host memory and reads as zeroes.
 *
 * Host pointers to frames go stale at a snapshot, at a restore and at the first write of a shared
 * frame; ram_epoch changes whenever that may have happened.
 */
#ifndef MEMWALK_MMU_RAM_H
#define MEMWALK_MMU_RAM_H

#include "sim/base/types.h"

struct ram;
struct ram_snapshot;

/* bytes is a multiple of PAGE_SIZE. NULL: no host memory. */
struct ram *ram_new(uint64_t bytes);
/* The same with more frames behind its end, which a hypervisor keeps for itself: ram_size does not
 * count them, and nobody else goes there. */
struct ram *ram_new_guest(uint64_t bytes, uint64_t host_bytes);
void ram_destroy(struct ram *);
uint64_t ram_size(const struct ram *);
uint64_t ram_host_end(const struct ram *); /* where the hypervisor's frames end */

/* The 4096 bytes of a frame, to read; never NULL for pfn inside RAM. */
const uint8_t *ram_frame(const struct ram *, pfn_t);
/* The same to write: the frame is made and unshared. Stops the program if the host has no memory.
 */
uint8_t *ram_frame_write(struct ram *, pfn_t);

/* n bytes at pa, across frames too. Reads beyond the end give 0, writes there are lost. */
void ram_read(const struct ram *, pa_t, void *to, size_t n);
void ram_write(struct ram *, pa_t, const void *from, size_t n);
/* A table entry; pa is a multiple of 8. */
uint64_t ram_read64(const struct ram *, pa_t);
void ram_write64(struct ram *, pa_t, uint64_t);
/* Fills a frame with zeroes by dropping its host memory. */
void ram_zero(struct ram *, pfn_t);
void ram_copy(struct ram *, pfn_t to, pfn_t from);

uint64_t ram_epoch(const struct ram *);
/* Where the epoch stands, for whoever must look at it often. */
const uint64_t *ram_epoch_at(const struct ram *);
/* Host bytes that hold frames now. */
uint64_t ram_held(const struct ram *);

struct ram_snapshot *ram_save(struct ram *);
void ram_restore(struct ram *, const struct ram_snapshot *);
void ram_snapshot_free(struct ram *, struct ram_snapshot *);
/* Host bytes held by the frames of all snapshots together beyond the live ones. */
uint64_t ram_snapshots_bytes(const struct ram *);

#endif
