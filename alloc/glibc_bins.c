/* glibc_bins.c: the bins of an arena: rings of free chunks by size, headed by two words of the
 * arena that look like the fd and bk of a chunk.
 *
 *   bin 1           unsorted: freed and not yet sorted in
 *   bins 2 … 63     small: one size each, 32, 48, … 1008; first in, first out
 *   bins 64 … 126   large: a range of sizes each, sorted downwards; the first chunk of each size is
 *                   also linked to the first ones of the next sizes (fd_nextsize, bk_nextsize)
 *
 * A bit of the binmap is set when a chunk goes into a bin, and cleared only by a search that finds
 * the bin empty.
 */
#include "alloc/glibc.h"

/* Source: largebin_index_64. */
static unsigned large_index(uint64_t size)
{
    if (size >> 6 <= 48)
        return (unsigned)(48 + (size >> 6));
    if (size >> 9 <= 20)
        return (unsigned)(91 + (size >> 9));
    if (size >> 12 <= 10)
        return (unsigned)(110 + (size >> 12));
    if (size >> 15 <= 4)
        return (unsigned)(119 + (size >> 15));
    if (size >> 18 <= 2)
        return (unsigned)(124 + (size >> 18));
    return 126;
}

unsigned glibc_bin_index(uint64_t size)
{
    return is_small(size) ? (unsigned)(size >> 4) : large_index(size);
}

void glibc_mark_bin(struct heap *h, va_t av, unsigned i)
{
    va_t word = av + AV_BINMAP + i / 32 * 4;
    st32(h, word, ld32(h, word) | 1u << i % 32);
}

static const char *list_name(uint64_t size)
{
    return is_small(size) ? "small bin" : "large bin";
}

/* A large chunk leaves the ring of sizes; fd: the chunk behind it in its bin. */
static void unlink_size(struct heap *h, va_t p, va_t fd)
{
    va_t fd_next = ld(h, p + CHUNK_FD_NEXT);
    if (!fd_next)
        return;
    va_t bk_next = ld(h, p + CHUNK_BK_NEXT);
    if (ld(h, fd_next + CHUNK_BK_NEXT) != p || ld(h, bk_next + CHUNK_FD_NEXT) != p)
        glibc_abort(h, "corrupted double-linked list (not small)");
    if (ld(h, fd + CHUNK_FD_NEXT)) {
        st(h, fd_next + CHUNK_BK_NEXT, bk_next);
        st(h, bk_next + CHUNK_FD_NEXT, fd_next);
    } else if (fd_next == p) { /* the only size: now fd stands for it */
        st(h, fd + CHUNK_BK_NEXT, fd);
        st(h, fd + CHUNK_FD_NEXT, fd);
    } else { /* fd has the same size and takes the place */
        st(h, fd + CHUNK_FD_NEXT, fd_next);
        st(h, fd + CHUNK_BK_NEXT, bk_next);
        st(h, fd_next + CHUNK_BK_NEXT, fd);
        st(h, bk_next + CHUNK_FD_NEXT, fd);
    }
}

/* Source: unlink_chunk. */
void glibc_unlink(struct heap *h, va_t av, va_t p)
{
    (void)av;
    uint64_t size = chunk_bytes(h, p);
    if (size != prev_size(h, p + size))
        glibc_abort(h, "corrupted size vs. prev_size");
    va_t fd = ld(h, p + CHUNK_FD), bk = ld(h, p + CHUNK_BK);
    if (ld(h, fd + CHUNK_BK) != p || ld(h, bk + CHUNK_FD) != p)
        glibc_abort(h, "corrupted double-linked list");
    st(h, fd + CHUNK_BK, bk);
    st(h, bk + CHUNK_FD, fd);
    if (!is_small(size))
        unlink_size(h, p, fd);
    glibc_tell_list(h, list_name(size), p, size, false);
}

/* A large chunk that is in no ring of sizes yet says so. */
static void clear_sizes(struct heap *h, va_t p, uint64_t size)
{
    if (is_small(size))
        return;
    st(h, p + CHUNK_FD_NEXT, 0);
    st(h, p + CHUNK_BK_NEXT, 0);
}

void glibc_to_unsorted(struct heap *h, va_t av, va_t p, uint64_t size, const char *message)
{
    va_t bin = bin_at(av, 1);
    va_t fwd = ld(h, bin + CHUNK_FD);
    if (message && ld(h, fwd + CHUNK_BK) != bin)
        glibc_abort(h, message);
    st(h, p + CHUNK_FD, fwd);
    st(h, p + CHUNK_BK, bin);
    clear_sizes(h, p, size);
    st(h, bin + CHUNK_FD, p);
    st(h, fwd + CHUNK_BK, p);
    glibc_tell_list(h, "unsorted", p, size, true);
}

/* A new size goes in front of fwd in the ring of sizes. */
static void link_size(struct heap *h, va_t p, va_t fwd)
{
    va_t bk_next = ld(h, fwd + CHUNK_BK_NEXT);
    st(h, p + CHUNK_FD_NEXT, fwd);
    st(h, p + CHUNK_BK_NEXT, bk_next);
    if (ld(h, bk_next + CHUNK_FD_NEXT) != fwd)
        glibc_abort(h, "malloc(): largebin double linked list corrupted (nextsize)");
    st(h, fwd + CHUNK_BK_NEXT, p);
    st(h, bk_next + CHUNK_FD_NEXT, p);
}

/* The chunk in front of which a new one of this size goes, so that the bin stays sorted: its fwd.
 * An equal size goes into the second place, because then the ring of sizes need not change. */
static va_t large_place(struct heap *h, va_t bin, va_t p, uint64_t size)
{
    va_t fwd = ld(h, bin + CHUNK_FD);
    if (fwd == bin) {
        st(h, p + CHUNK_BK_NEXT, p);
        st(h, p + CHUNK_FD_NEXT, p);
        return bin;
    }
    size |= PREV_INUSE;
    va_t smallest = ld(h, bin + CHUNK_BK);
    if (size < size_word(h, smallest)) {
        va_t bk_next = ld(h, fwd + CHUNK_BK_NEXT);
        st(h, p + CHUNK_FD_NEXT, fwd);
        st(h, p + CHUNK_BK_NEXT, bk_next);
        st(h, bk_next + CHUNK_FD_NEXT, p);
        st(h, fwd + CHUNK_BK_NEXT, p);
        return bin;
    }
    struct tour tour = {0};
    while (size < size_word(h, fwd)) {
        tour_step(h, &tour, fwd, "the ring of sizes of bin", glibc_bin_index(size));
        heap_probe(h, fwd, size_word(h, fwd) & ~SIZE_BITS, size & ~SIZE_BITS, PROBE_WORSE, 0);
        fwd = ld(h, fwd + CHUNK_FD_NEXT);
    }
    if (size == size_word(h, fwd))
        fwd = ld(h, fwd + CHUNK_FD);
    else
        link_size(h, p, fwd);
    if (ld(h, ld(h, fwd + CHUNK_BK) + CHUNK_FD) != fwd)
        glibc_abort(h, "malloc(): largebin double linked list corrupted (bk)");
    return fwd;
}

void glibc_sort_in(struct heap *h, va_t av, va_t p, uint64_t size)
{
    unsigned index = glibc_bin_index(size);
    va_t bin = bin_at(av, index);
    va_t fwd, bck;
    if (is_small(size)) {
        bck = bin;
        fwd = ld(h, bin + CHUNK_FD);
    } else {
        fwd = large_place(h, bin, p, size);
        bck = ld(h, fwd + CHUNK_BK);
    }
    glibc_mark_bin(h, av, index);
    st(h, p + CHUNK_BK, bck);
    st(h, p + CHUNK_FD, fwd);
    st(h, fwd + CHUNK_BK, p);
    st(h, bck + CHUNK_FD, p);
    glibc_tell_list(h, list_name(size), p, size, true);
}
