/* shadow.c: a hash table of blocks with open addressing, and a sorted list of the mapped ones.
 *
 * Dead blocks stay in the table, because "freed twice" is a better answer than "never seen". They
 * are let go when there are very many of them, so that the table follows the live blocks in size.
 */
#include "alloc/shadow.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64u
#define DEAD_KEPT   65536u

struct shadow {
    struct heap_block *slot; /* block 0: never used */
    size_t slots;            /* a power of two */
    size_t filled;           /* live and dead ones */
    size_t live, fences;     /* in the heap proper */
    size_t mapped, mapped_room;
    va_t *map; /* blocks of kind BLOCK_MAPPED, sorted */
};

struct shadow *shadow_new(struct arena *arena)
{
    struct shadow *s = arena_alloc(arena, sizeof(*s));
    if (!s)
        return NULL;
    s->slots = FIRST_SLOTS;
    s->slot = arena_alloc(arena, s->slots * sizeof(s->slot[0]));
    if (s->slot)
        return s;
    arena_free(arena, s, sizeof(*s));
    return NULL;
}

void shadow_destroy(struct shadow *s, struct arena *arena)
{
    if (!s)
        return;
    arena_free(arena, s->map, s->mapped_room * sizeof(s->map[0]));
    arena_free(arena, s->slot, s->slots * sizeof(s->slot[0]));
    arena_free(arena, s, sizeof(*s));
}

struct shadow *shadow_copy(const struct shadow *from, struct arena *arena)
{
    struct shadow *s = arena_alloc(arena, sizeof(*s));
    if (!s)
        return NULL;
    *s = *from;
    s->slot = arena_alloc(arena, s->slots * sizeof(s->slot[0]));
    s->map = s->mapped_room ? arena_alloc(arena, s->mapped_room * sizeof(s->map[0])) : NULL;
    if (!s->slot || (s->mapped_room && !s->map)) {
        shadow_destroy(s, arena);
        return NULL;
    }
    memcpy(s->slot, from->slot, s->slots * sizeof(s->slot[0]));
    if (s->map)
        memcpy(s->map, from->map, s->mapped_room * sizeof(s->map[0]));
    return s;
}

/* Where block stands, or the free slot where it would stand. Fibonacci hashing; the low four bits
 * of a pointer say nothing. */
static struct heap_block *slot_of(struct heap_block *slot, size_t slots, va_t block)
{
    size_t i = (size_t)(((block >> 4) * UINT64_C(0x9e3779b97f4a7c15)) >> 24) & (slots - 1);
    while (slot[i].block && slot[i].block != block)
        i = (i + 1) & (slots - 1);
    return &slot[i];
}

static bool rehash(struct shadow *s, struct arena *arena)
{
    size_t living = s->live + s->fences + s->mapped;
    bool keep_dead = s->filled - living <= DEAD_KEPT;
    size_t keep = keep_dead ? s->filled : living;
    size_t slots = FIRST_SLOTS;
    while (slots < keep * 2 + 4)
        slots *= 2;
    struct heap_block *fresh = arena_alloc(arena, slots * sizeof(fresh[0]));
    if (!fresh)
        return false;
    for (size_t i = 0; i < s->slots; i++) {
        const struct heap_block *b = &s->slot[i];
        if (b->block && (keep_dead || b->kind != BLOCK_DEAD))
            *slot_of(fresh, slots, b->block) = *b;
    }
    arena_free(arena, s->slot, s->slots * sizeof(s->slot[0]));
    s->slot = fresh;
    s->slots = slots;
    s->filled = keep;
    return true;
}

bool shadow_reserve(struct shadow *s, struct arena *arena)
{
    if (s->mapped + 2 > s->mapped_room) {
        size_t room = s->mapped_room ? s->mapped_room * 2 : 16;
        va_t *map =
            arena_resize(arena, s->map, s->mapped_room * sizeof(map[0]), room * sizeof(map[0]));
        if (!map)
            return false;
        s->map = map;
        s->mapped_room = room;
    }
    return s->filled + 2 <= s->slots / 4 * 3 || rehash(s, arena);
}

/* The first mapped block at or above block. */
static size_t map_index(const struct shadow *s, va_t block)
{
    size_t low = 0;
    size_t high = s->mapped;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->map[middle] < block)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void map_add(struct shadow *s, va_t block)
{
    size_t i = map_index(s, block);
    memmove(&s->map[i + 1], &s->map[i], (s->mapped - i) * sizeof(s->map[0]));
    s->map[i] = block;
    s->mapped++;
}

static void map_remove(struct shadow *s, va_t block)
{
    size_t i = map_index(s, block);
    CHECK(i < s->mapped && s->map[i] == block);
    s->mapped--;
    memmove(&s->map[i], &s->map[i + 1], (s->mapped - i) * sizeof(s->map[0]));
}

void shadow_add(struct shadow *s, const struct heap_block *b)
{
    CHECK(b->block && b->kind != BLOCK_DEAD);
    struct heap_block *slot = slot_of(s->slot, s->slots, b->block);
    if (slot->block && slot->kind != BLOCK_DEAD) /* given out twice: only after great damage */
        shadow_kill(s, b->block, b->op);
    s->filled += !slot->block;
    *slot = *b;
    s->live += b->kind == BLOCK_LIVE;
    s->fences += b->kind == BLOCK_FENCE;
    if (b->kind == BLOCK_MAPPED)
        map_add(s, b->block);
}

const struct heap_block *shadow_find(const struct shadow *s, va_t block)
{
    const struct heap_block *b = block ? slot_of(s->slot, s->slots, block) : NULL;
    return b && b->block ? b : NULL;
}

void shadow_kill(struct shadow *s, va_t block, uint64_t op)
{
    struct heap_block *b = slot_of(s->slot, s->slots, block);
    CHECK(b->block == block && b->kind != BLOCK_DEAD);
    s->live -= b->kind == BLOCK_LIVE;
    s->fences -= b->kind == BLOCK_FENCE;
    if (b->kind == BLOCK_MAPPED)
        map_remove(s, block);
    b->kind = BLOCK_DEAD;
    b->op = op;
}

size_t shadow_count(const struct shadow *s)
{
    return s->live + s->fences;
}

static int by_chunk(const void *a, const void *b)
{
    const struct heap_block *x = a;
    const struct heap_block *y = b;
    return (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

struct heap_block *shadow_sorted(const struct shadow *s, struct arena *arena)
{
    size_t count = shadow_count(s);
    struct heap_block *list = count ? arena_alloc(arena, count * sizeof(list[0])) : NULL;
    if (!list)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < s->slots; i++) {
        const struct heap_block *b = &s->slot[i];
        if (b->block && (b->kind == BLOCK_LIVE || b->kind == BLOCK_FENCE))
            list[n++] = *b;
    }
    CHECK(n == count);
    qsort(list, n, sizeof(list[0]), by_chunk);
    return list;
}

size_t shadow_mapped(const struct shadow *s)
{
    return s->mapped;
}

va_t shadow_mapped_at(const struct shadow *s, size_t i)
{
    CHECK(i < s->mapped);
    return s->map[i];
}
