/* piece.c: memory from the kernel in pieces, by brk or by mmap.
 *
 * The break belongs to the whole program, which may move it too; a piece begins wherever it stands
 * now, so nobody has to know what lies between two pieces. mmap promises multiples of 4096 only, so
 * for more, too much is asked for and both ends are cut off again:
 *
 *   mmap(bytes + alignment)                 the piece
 *     ┌───────────────┬──────────────────────────────────────────┬──────────┐
 *     │ munmap        │ start: a multiple of alignment           │ munmap   │
 *     └───────────────┴──────────────────────────────────────────┴──────────┘
 */
#include "alloc/piece.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

#define MAP_PROT  (LX_PROT_READ | LX_PROT_WRITE)
#define MAP_FLAGS (LX_MAP_PRIVATE | LX_MAP_ANONYMOUS)

size_t piece_count(const struct heap *h)
{
    return h->pieces;
}

const struct heap_piece *piece_at(const struct heap *h, size_t i)
{
    CHECK(i < h->pieces);
    return &h->piece[i];
}

/* The first piece that ends above va. */
static size_t index_of(const struct heap *h, va_t va)
{
    size_t low = 0;
    size_t high = h->pieces;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (h->piece[middle].end <= va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct heap_piece *piece_of(const struct heap *h, va_t va)
{
    size_t i = index_of(h, va);
    return i < h->pieces && h->piece[i].start <= va ? &h->piece[i] : NULL;
}

/* The list can take one more. */
static bool reserve(struct heap *h)
{
    if (h->pieces < h->piece_room)
        return true;
    size_t room = h->piece_room ? h->piece_room * 2 : 8;
    struct heap_piece *more =
        arena_resize(h->env->arena, h->piece, h->piece_room * sizeof(*more), room * sizeof(*more));
    if (!more)
        return false;
    h->piece = more;
    h->piece_room = room;
    return true;
}

static va_t add(struct heap *h, struct heap_piece p)
{
    size_t i = index_of(h, p.start);
    memmove(&h->piece[i + 1], &h->piece[i], (h->pieces - i) * sizeof(p));
    h->piece[i] = p;
    h->pieces++;
    h->counters.grows++;
    heap_hold(h, p.held_end - p.held_start, 0);
    return p.start;
}

static va_t move_break(struct heap *h, va_t to)
{
    return (va_t)heap_syscall(h, LX_NR_brk, to, 0, 0, 0, 0, 0);
}

va_t piece_by_brk(struct heap *h, uint64_t bytes, uint64_t alignment)
{
    if (!reserve(h))
        return 0;
    va_t now = move_break(h, 0);
    va_t start = align_up(now, alignment);
    va_t end = start + bytes;
    if (start < now || end < start)
        return 0;
    EMIT(h->env, alloc_grow, .need = bytes, .have = 0, .ask = end - now, .mmap = false);
    if (move_break(h, end) != end)
        return piece_by_mmap(h, bytes, alignment);
    return add(h, (struct heap_piece){start, end, now, end, false, NULL, 0});
}

static bool unmap(struct heap *h, va_t start, va_t end)
{
    return start == end || heap_syscall(h, LX_NR_munmap, start, end - start, 0, 0, 0, 0) == 0;
}

va_t piece_by_mmap(struct heap *h, uint64_t bytes, uint64_t alignment)
{
    uint64_t ask = bytes + (alignment > PAGE_SIZE ? alignment : 0);
    if (ask < bytes || !reserve(h))
        return 0;
    EMIT(h->env, alloc_grow, .need = bytes, .have = 0, .ask = ask, .mmap = true);
    int64_t got =
        heap_syscall(h, LX_NR_mmap, 0, ask, MAP_PROT, MAP_FLAGS, (uint64_t)INT64_C(-1), 0);
    if (lx_failed(got))
        return 0;
    struct heap_piece p = {.held_start = (va_t)got, .held_end = (va_t)got + ask, .mapped = true};
    p.start = align_up(p.held_start, alignment);
    p.end = p.start + bytes;
    /* Where the kernel lacks memory to cut an area, the ends stay ours, unused. */
    if (unmap(h, p.held_start, p.start))
        p.held_start = p.start;
    if (unmap(h, p.end, p.held_end))
        p.held_end = p.end;
    return add(h, p);
}

bool piece_book(struct heap *h, va_t start, size_t words)
{
    size_t i = index_of(h, start);
    CHECK(i < h->pieces && !h->piece[i].book);
    h->piece[i].book = arena_alloc(h->env->arena, words * sizeof(uint64_t));
    h->piece[i].books = words;
    return h->piece[i].book;
}

static void forget(struct heap *h, size_t i)
{
    if (h->piece[i].book)
        arena_free(h->env->arena, h->piece[i].book, h->piece[i].books * sizeof(uint64_t));
    h->pieces--;
    memmove(&h->piece[i], &h->piece[i + 1], (h->pieces - i) * sizeof(h->piece[0]));
}

bool piece_put(struct heap *h, va_t start)
{
    size_t i = index_of(h, start);
    CHECK(i < h->pieces && h->piece[i].start == start);
    struct heap_piece p = h->piece[i];
    uint64_t bytes = p.held_end - p.held_start;
    if (!p.mapped && move_break(h, 0) != p.held_end)
        return false;
    EMIT(h->env, alloc_trim, .top = p.end - p.start, .release = bytes);
    if (p.mapped ? !unmap(h, p.held_start, p.held_end)
                 : move_break(h, p.held_start) != p.held_start)
        return false;
    forget(h, i);
    h->counters.trims++;
    heap_hold(h, 0, bytes);
    return true;
}

void pieces_forget(struct heap *h)
{
    while (h->pieces)
        forget(h, h->pieces - 1);
    arena_free(h->env->arena, h->piece, h->piece_room * sizeof(h->piece[0]));
}

bool pieces_copy(struct heap *h, const struct heap *parent)
{
    struct arena *arena = h->env->arena;
    h->pieces = h->piece_room = 0;
    h->piece = parent->pieces ? arena_alloc(arena, parent->pieces * sizeof(h->piece[0])) : NULL;
    if (!h->piece)
        return !parent->pieces;
    h->piece_room = parent->pieces;
    for (size_t i = 0; i < parent->pieces; i++) {
        struct heap_piece *p = &h->piece[h->pieces++];
        *p = parent->piece[i];
        if (!p->book)
            continue;
        p->book = arena_alloc(arena, p->books * sizeof(uint64_t));
        if (!p->book)
            return false;
        memcpy(p->book, parent->piece[i].book, p->books * sizeof(uint64_t));
    }
    return true;
}
