/* blocks.c: the program's own memory of its pointers: (process, id) to block.
 *
 * A hash table with chains, all of it indices into arrays in the arena, so it goes back in time
 * with the rest. Ids mostly go up by one, so eight neighbours share a stretch of buckets, and what
 * is freed last is used first: the table stays in the host's caches. Every op finds its block here.
 * The order of iteration is that of insertion, never that of addresses.
 */
#include "sim/base/arena.h"
#include "sim/base/check.h"
#include "sim/machine.h"

#include <string.h>

#define NONE       0u /* no block has this index */
#define FIRST_ROOM 64u
#define NEAR       3u /* bits of an id that its neighbours differ in */

struct block {
    uint64_t id;
    va_t start;
    uint64_t size;
    uint64_t op;
    uint32_t next;          /* of its bucket, or of the free ones */
    uint32_t before, after; /* in the order of insertion */
    uint16_t pid;
};

static uint32_t *bucket_of(const struct blocks *b, uint16_t pid, uint64_t id)
{
    uint64_t group = (id >> NEAR ^ (uint64_t)pid << 45) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t place = group >> 32 << NEAR | (id & ((1u << NEAR) - 1));
    return &b->bucket[place & (b->room - 1)];
}

static void link_in(struct blocks *b, uint32_t i)
{
    uint32_t *bucket = bucket_of(b, b->at[i].pid, b->at[i].id);
    b->at[i].next = *bucket;
    *bucket = i;
}

/* Twice the room, or the first; the number of buckets is that of blocks. false: no memory. */
static bool grow(struct blocks *b, struct arena *arena)
{
    uint32_t room = b->room ? 2 * b->room : FIRST_ROOM;
    uint32_t *bucket = room ? arena_alloc(arena, room * sizeof(*bucket)) : NULL;
    struct block *at =
        bucket ? arena_resize(arena, b->at, b->room * sizeof(*at), (size_t)room * sizeof(*at))
               : NULL;
    if (!at) {
        arena_free(arena, bucket, (size_t)room * sizeof(*bucket));
        return false;
    }
    arena_free(arena, b->bucket, b->room * sizeof(*bucket));
    for (uint32_t i = room - 1; i >= max_u64(b->room, 1); i--) {
        at[i].next = b->free;
        b->free = i;
    }
    b->at = at;
    b->bucket = bucket;
    b->room = room;
    for (uint32_t i = b->first; i != NONE; i = at[i].after)
        link_in(b, i);
    return true;
}

struct block *block_find(const struct machine *m, uint16_t pid, uint64_t id)
{
    const struct blocks *b = &m->blocks;
    if (!b->room)
        return NULL;
    for (uint32_t i = *bucket_of(b, pid, id); i != NONE; i = b->at[i].next)
        if (b->at[i].id == id && b->at[i].pid == pid)
            return &b->at[i];
    return NULL;
}

bool block_add(struct machine *m, uint16_t pid, uint64_t id, va_t start, uint64_t size)
{
    struct blocks *b = &m->blocks;
    if (b->free == NONE && !grow(b, m->env.arena))
        return false;
    uint32_t i = b->free;
    b->free = b->at[i].next;
    b->at[i] = (struct block){
        .id = id, .start = start, .size = size, .op = m->env.op, .before = b->last, .pid = pid};
    *(b->last == NONE ? &b->first : &b->at[b->last].after) = i;
    b->last = i;
    b->count++;
    link_in(b, i);
    return true;
}

static void link_out(struct blocks *b, const struct block *block, uint32_t i)
{
    uint32_t *link = bucket_of(b, block->pid, block->id);
    while (*link != i)
        link = &b->at[*link].next;
    *link = block->next;
    *(block->before == NONE ? &b->first : &b->at[block->before].after) = block->after;
    *(block->after == NONE ? &b->last : &b->at[block->after].before) = block->before;
}

void block_remove(struct machine *m, struct block *block)
{
    struct blocks *b = &m->blocks;
    uint32_t i = (uint32_t)(block - b->at);
    struct gone_block *gone = &m->gone[m->gone_count++ % GONE_MAX];
    *gone = (struct gone_block){block->id, block->start, m->env.op, block->pid};
    link_out(b, block, i);
    block->next = b->free;
    b->free = i;
    b->count--;
}

void block_set(struct block *b, va_t start, uint64_t size)
{
    b->start = start;
    b->size = size;
}

void block_get(const struct block *b, struct block_info *info)
{
    *info = (struct block_info){
        .id = b->id, .pid = b->pid, .start = b->start, .size = b->size, .op = b->op};
}

const struct gone_block *block_gone(const struct machine *m, uint16_t pid, uint64_t id)
{
    uint64_t known = min_u64(m->gone_count, GONE_MAX);
    for (uint64_t i = 1; i <= known; i++) {
        const struct gone_block *gone = &m->gone[(m->gone_count - i) % GONE_MAX];
        if (gone->id == id && gone->pid == pid)
            return gone;
    }
    return NULL;
}

size_t block_count(const struct machine *m)
{
    return m->blocks.count;
}

void block_each(const struct machine *m, void (*show)(void *ctx, const struct block_info *),
                void *ctx)
{
    const struct blocks *b = &m->blocks;
    for (uint32_t i = b->first; i != NONE; i = b->at[i].after) {
        struct block_info info;
        block_get(&b->at[i], &info);
        show(ctx, &info);
    }
}

bool block_lives_at(const struct machine *m, uint16_t pid, va_t start)
{
    const struct blocks *b = &m->blocks;
    for (uint32_t i = b->first; i != NONE; i = b->at[i].after)
        if (b->at[i].start == start && b->at[i].pid == pid)
            return true;
    return false;
}

bool block_fork(struct machine *m, uint16_t parent, uint16_t child)
{
    struct blocks *b = &m->blocks;
    for (uint32_t i = b->first; i != NONE; i = b->at[i].after) { /* new ones come last */
        struct block old = b->at[i];
        if (old.pid != parent)
            continue;
        if (!block_add(m, child, old.id, old.start, old.size))
            return false;
        b->at[b->last].op = old.op;
    }
    return true;
}

void block_remove_all(struct machine *m, uint16_t pid)
{
    struct blocks *b = &m->blocks;
    for (uint32_t i = b->first, after; i != NONE; i = after) {
        after = b->at[i].after;
        if (b->at[i].pid == pid)
            block_remove(m, &b->at[i]);
    }
}
