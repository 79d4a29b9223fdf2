/* arena.c: bump allocation with free lists inside chunks that never move; snapshots by pieces.
 *
 * The list of chunks is the host's and only grows: after a restore to an earlier time the later
 * chunks stand ready and are used again in the same order, because a machine that is run again
 * asks again for the same sizes.
 */
#include "sim/base/arena.h"

#include "sim/base/check.h"

#include <string.h>

#define PIECE       4096u
#define FIRST_CHUNK (256 * KIB)
#define LAST_CHUNK  (16 * MIB)
#define MAX_CHUNKS  4096u
#define CLASSES     256u
#define MIN_CLASS   32u

/* What travels in time: it lies at the start of chunk 0. */
struct arena_head {
    uint64_t chunk;  /* index of the chunk that is being filled */
    uint64_t offset; /* its next free byte */
    uint64_t used;   /* bytes handed out and not freed, by class size */
    void *free[CLASSES];
};

struct chunk {
    uint8_t *bytes;
    uint64_t size; /* a multiple of PIECE */
};

struct arena {
    struct chunk chunks[MAX_CHUNKS];
    uint64_t count;
    uint64_t held;
    uint64_t limit;
    uint64_t fail_in; /* 0: off */
    uint64_t saved;   /* bytes of all snapshots */
};

struct piece {
    uint64_t refs;
    uint8_t bytes[PIECE];
};

struct arena_snapshot {
    struct arena *arena;
    uint64_t room; /* for pieces */
    uint64_t pieces;
    struct piece *piece[];
};

static struct arena_head *head_of(const struct arena *a)
{
    return (struct arena_head *)(void *)a->chunks[0].bytes;
}

/* The size classes: four to each doubling, so at most a fifth is lost. */
static unsigned class_of(size_t size, size_t *class_size)
{
    if (size <= MIN_CLASS) {
        *class_size = MIN_CLASS;
        return 0;
    }
    unsigned log = 63u - (unsigned)__builtin_clzll((unsigned long long)size - 1);
    size_t step = (size_t)1 << (log - 2);
    size_t quarter = (size - 1 - ((size_t)1 << log)) / step;
    *class_size = ((size_t)1 << log) + (quarter + 1) * step;
    return 1 + (log - 5) * 4 + (unsigned)quarter;
}

/* A chunk of at least need bytes; near the limit it is as small as it must be. */
static bool chunk_add(struct arena *a, uint64_t need)
{
    uint64_t room = align_down(a->limit - a->held, PIECE);
    uint64_t size = min_u64(min_u64(FIRST_CHUNK << min_u64(a->count, 6), LAST_CHUNK), room);
    size = max_u64(size, align_up(need, PIECE));
    if (a->count == MAX_CHUNKS || size > room)
        return false;
    uint8_t *bytes = aligned_alloc(PIECE, size);
    if (!bytes)
        return false;
    a->chunks[a->count].bytes = bytes;
    a->chunks[a->count++].size = size;
    a->held += size;
    return true;
}

struct arena *arena_new(uint64_t limit)
{
    struct arena *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    a->limit = limit;
    if (!chunk_add(a, sizeof(struct arena_head))) {
        free(a);
        return NULL;
    }
    memset(head_of(a), 0, sizeof(struct arena_head));
    head_of(a)->offset = align_up(sizeof(struct arena_head), 64);
    return a;
}

void arena_destroy(struct arena *a)
{
    if (!a)
        return;
    for (uint64_t i = 0; i < a->count; i++)
        free(a->chunks[i].bytes);
    free(a);
}

/* size bytes from the chunk being filled, or from the next one that is large enough. */
static void *bump(struct arena *a, size_t size)
{
    struct arena_head *head = head_of(a);
    uint64_t start = align_up(head->offset, size >= 64 ? 64 : 16);
    uint64_t chunk = head->chunk;
    while (start + size > a->chunks[chunk].size) {
        chunk++;
        start = 0;
        if (chunk == a->count && !chunk_add(a, size))
            return NULL;
    }
    head->chunk = chunk;
    head->offset = start + size;
    return a->chunks[chunk].bytes + start;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (a->fail_in && --a->fail_in == 0)
        return NULL;
    if (size > a->limit || size > SIZE_MAX / 4) /* beyond that the size class would not fit */
        return NULL;
    size_t class_size;
    unsigned class = class_of(size, &class_size);
    struct arena_head *head = head_of(a);
    void *p = head->free[class];
    if (p)
        memcpy(&head->free[class], p, sizeof(void *));
    else if (!(p = bump(a, class_size)))
        return NULL;
    head->used += class_size;
    return memset(p, 0, class_size);
}

void arena_free(struct arena *a, void *p, size_t size)
{
    if (!p)
        return;
    size_t class_size;
    unsigned class = class_of(size, &class_size);
    struct arena_head *head = head_of(a);
    INVARIANT(head->used >= class_size);
    memset(p, 0xdd, class_size);
    memcpy(p, &head->free[class], sizeof(void *));
    head->free[class] = p;
    head->used -= class_size;
}

void *arena_resize(struct arena *a, void *p, size_t old_size, size_t new_size)
{
    void *fresh = arena_alloc(a, new_size);
    if (!fresh)
        return NULL;
    if (p)
        memcpy(fresh, p, min_u64(old_size, new_size));
    arena_free(a, p, old_size);
    return fresh;
}

void arena_fail_at(struct arena *a, uint64_t n)
{
    a->fail_in = n;
}

uint64_t arena_used(const struct arena *a)
{
    return head_of(a)->used;
}

uint64_t arena_held(const struct arena *a)
{
    return a->held;
}

/* How many pieces of chunk i hold anything at this moment. */
static uint64_t pieces_in_use(const struct arena *a, uint64_t i)
{
    const struct arena_head *head = head_of(a);
    if (i > head->chunk)
        return 0;
    uint64_t bytes = i == head->chunk ? head->offset : a->chunks[i].size;
    return align_up(bytes, PIECE) / PIECE;
}

static uint64_t list_bytes(const struct arena_snapshot *s)
{
    return sizeof(*s) + s->room * sizeof(s->piece[0]);
}

static struct piece *piece_take(struct arena *a, const struct piece *old, const uint8_t *bytes)
{
    if (old && memcmp(old->bytes, bytes, PIECE) == 0) {
        struct piece *shared = (struct piece *)(uintptr_t)old;
        shared->refs++;
        return shared;
    }
    struct piece *fresh = malloc(sizeof(*fresh));
    if (!fresh)
        return NULL;
    a->saved += sizeof(*fresh);
    fresh->refs = 1;
    memcpy(fresh->bytes, bytes, PIECE);
    return fresh;
}

struct arena_snapshot *arena_save(struct arena *a, const struct arena_snapshot *base)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i <= head_of(a)->chunk; i++)
        total += pieces_in_use(a, i);
    struct arena_snapshot *s = calloc(1, sizeof(*s) + total * sizeof(s->piece[0]));
    if (!s)
        return NULL;
    s->arena = a;
    s->room = total;
    a->saved += list_bytes(s);
    for (uint64_t i = 0; i <= head_of(a)->chunk; i++) {
        for (uint64_t j = 0; j < pieces_in_use(a, i); j++) {
            struct piece *old = base && s->pieces < base->pieces ? base->piece[s->pieces] : NULL;
            struct piece *p = piece_take(a, old, a->chunks[i].bytes + j * PIECE);
            if (!p) {
                arena_snapshot_free(s);
                return NULL;
            }
            s->piece[s->pieces++] = p;
        }
    }
    return s;
}

void arena_restore(struct arena *a, const struct arena_snapshot *s)
{
    uint64_t next = 0;
    for (uint64_t i = 0; i < a->count && next < s->pieces; i++) {
        uint64_t in_chunk = a->chunks[i].size / PIECE;
        for (uint64_t j = 0; j < in_chunk && next < s->pieces; j++, next++) {
            uint8_t *bytes = a->chunks[i].bytes + j * PIECE;
            if (memcmp(bytes, s->piece[next]->bytes, PIECE) != 0)
                memcpy(bytes, s->piece[next]->bytes, PIECE);
        }
    }
    CHECK(next == s->pieces);
}

void arena_snapshot_free(struct arena_snapshot *s)
{
    if (!s)
        return;
    for (uint64_t i = 0; i < s->pieces; i++) {
        if (--s->piece[i]->refs)
            continue;
        s->arena->saved -= sizeof(struct piece);
        free(s->piece[i]);
    }
    s->arena->saved -= list_bytes(s);
    free(s);
}

uint64_t arena_snapshots_bytes(const struct arena *a)
{
    return a->saved;
}
