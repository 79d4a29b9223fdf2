/* world.h: a small machine for tests of the MMU: RAM, tables, one MMU, and ears for its events. */
#ifndef MEMWALK_TESTS_WORLD_H
#define MEMWALK_TESTS_WORLD_H

#include "mmu/mmu.h"
#include "sim/base/arena.h"
#include "sim/base/event.h"

#define WORLD_HEARD 256u

struct world {
    struct bus bus;
    struct env *env; /* in the arena, as in a real machine */
    struct ram *ram;
    struct mmu *mmu;
    pfn_t next; /* free frames for tables */
    pa_t root;
    uint32_t heard; /* events since the last world_hush */
    struct event event[WORLD_HEARD];
};

/* 16 × 4 and 128 × 12, LRU, no paging-structure caches, front cache on. */
struct mmu_config world_config(void);
/* At CPL 3 with an empty table; frames 1 to 255 are for tables. */
void world_open(struct world *, const struct mmu_config *, uint64_t ram_bytes);
void world_close(struct world *);
/* The entry that maps va at level (1: 4 KiB …) in the tables below root; tables are made. */
pa_t world_entry(struct world *, pa_t root, va_t va, unsigned level);
/* Maps a page of that level to the frame, user-accessible and writable, with more flags. */
void world_map(struct world *, va_t va, unsigned level, pfn_t pfn, pte_t more);
/* Begins to listen, or to listen anew. */
void world_listen(struct world *);
/* The names of the events heard, with blanks between; the text lives until the next call. */
const char *world_story(struct world *);
bool world_access(struct world *, va_t, enum access, struct mmu_fault *);

#endif
