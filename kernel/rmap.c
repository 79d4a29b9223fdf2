/* rmap.c: lists of entries that map a frame, in pieces of three to waste little. Only the first
 * piece may have room, so that adding looks at one piece and removing leaves no holes.
 */
#include "kernel/rmap.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#define PIECE 3u

struct mappings {
    mapping_t mapping[PIECE]; /* filled from the end; 0: room */
    struct mappings *next;
};

/* Places of the first piece that are empty. */
static unsigned room(const struct mappings *m)
{
    unsigned n = 0;
    while (m && n < PIECE && !m->mapping[n])
        n++;
    return n;
}

bool rmap_add(struct env *env, struct frame *frame, uint16_t pid, va_t va)
{
    mapping_t added = mapping_make(pid, va);
    if (!frame->mapping) {
        frame->mapping = added;
        return true;
    }
    if (!room(frame->other)) {
        struct mappings *piece = arena_alloc(env->arena, sizeof(*piece));
        if (!piece)
            return false;
        piece->next = frame->other;
        frame->other = piece;
    }
    frame->other->mapping[room(frame->other) - 1] = added;
    return true;
}

/* Takes one entry out of the first piece, and the piece away with its last one. */
static mapping_t take_one(struct env *env, struct frame *frame)
{
    struct mappings *piece = frame->other;
    if (!piece)
        return 0;
    unsigned at = room(piece);
    mapping_t taken = piece->mapping[at];
    piece->mapping[at] = 0;
    if (at + 1 == PIECE) {
        frame->other = piece->next;
        arena_free(env->arena, piece, sizeof(*piece));
    }
    return taken;
}

static mapping_t *find(struct frame *frame, mapping_t wanted)
{
    if (frame->mapping == wanted)
        return &frame->mapping;
    for (struct mappings *piece = frame->other; piece; piece = piece->next)
        for (unsigned i = 0; i < PIECE; i++)
            if (piece->mapping[i] == wanted)
                return &piece->mapping[i];
    return NULL;
}

void rmap_remove(struct env *env, struct frame *frame, uint16_t pid, va_t va)
{
    mapping_t gone = mapping_make(pid, va);
    mapping_t *at = find(frame, gone);
    if (!at)
        return; /* there was no memory to note it */
    mapping_t other = take_one(env, frame);
    if (other && other != gone)
        *at = other; /* at still stands: only the place of other itself went away */
    else if (!other)
        frame->mapping = 0;
}

mapping_t rmap_at(const struct frame *frame, size_t i)
{
    if (i == 0)
        return frame->mapping;
    i = i - 1 + room(frame->other);
    const struct mappings *piece = frame->other;
    for (; piece && i >= PIECE; i -= PIECE)
        piece = piece->next;
    return piece ? piece->mapping[i] : 0;
}

size_t rmap_count(const struct frame *frame)
{
    size_t n = frame->mapping != 0;
    for (const struct mappings *piece = frame->other; piece; piece = piece->next)
        n += PIECE - (piece == frame->other ? room(piece) : 0);
    return n;
}
