/* piece.h: pieces of memory from the kernel, for allocators that divide memory by themselves.
 *
 * Each piece is one range, got at once and given back at once. The list of pieces lies beside the
 * simulated heap, like the shadow: it serves walk, check and mend, which look from outside. An
 * allocator that must find its way from a pointer to its piece does it by loads of its own.
 */
#ifndef MEMWALK_ALLOC_PIECE_H
#define MEMWALK_ALLOC_PIECE_H

#include "alloc/alloc.h"

struct heap_piece {
    va_t start, end;
    va_t held_start; /* what the kernel gave: more, where alignment cost something */
    va_t held_end;
    bool mapped;    /* by mmap, else by brk */
    uint64_t *book; /* words that an allocator wants to be sure of, or NULL */
    size_t books;
};

/* bytes (a multiple of 4096) of zeroed memory whose start is a multiple of alignment (a power of
 * two, at least 4096); 0: no memory. The first asks brk, and mmap where the break cannot move. */
va_t piece_by_brk(struct heap *, uint64_t bytes, uint64_t alignment);
va_t piece_by_mmap(struct heap *, uint64_t bytes, uint64_t alignment);
/* Gives the piece back. false: it lies below the break, and something lies above it. */
bool piece_put(struct heap *, va_t start);

/* Gives the piece a book of so many words, zeroed. false: no memory. */
bool piece_book(struct heap *, va_t start, size_t words);
/* A forked heap gets a list and books of its own. false: no memory, and the list is empty. */
bool pieces_copy(struct heap *, const struct heap *parent);
/* Forgets all pieces; the memory stays as it is. */
void pieces_forget(struct heap *);

/* For inspection: pieces in order of address, and the one that holds va, or NULL. */
size_t piece_count(const struct heap *);
const struct heap_piece *piece_at(const struct heap *, size_t i);
const struct heap_piece *piece_of(const struct heap *, va_t va);

#endif
