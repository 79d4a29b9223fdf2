/* blocks.c: the program's own memory of its pointers: (process, id) to block.
 *
 * A hash table (uthash) whose nodes and buckets lie in the arena, so it goes back in time with the
 * rest. Its order of iteration is the order of insertion, never that of addresses.
 */
#include "sim/base/arena.h"
#include "sim/machine.h"

#include <string.h>

/* uthash takes memory by these; "arena" is a variable in scope wherever the table changes. */
#define uthash_malloc(size)    arena_alloc(arena, size)
#define uthash_free(ptr, size) arena_free(arena, ptr, size)
#define HASH_NONFATAL_OOM      1
/* Two words mixed, instead of uthash's general hash over bytes: every op finds its block. */
#define HASH_FUNCTION(key, length, hash) (hash) = key_hash(key)
#include <uthash.h>

struct block_key {
    uint64_t id;
    uint64_t pid;
};

static inline unsigned key_hash(const struct block_key *key)
{
    uint64_t h = (key->id ^ key->pid << 48) * UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(h >> 32);
}

struct block {
    struct block_key key;
    va_t start;
    uint64_t size;
    uint64_t op;
    UT_hash_handle hh;
};

struct block *block_find(const struct machine *m, uint16_t pid, uint64_t id)
{
    struct block_key key = {id, pid};
    struct block *b;
    HASH_FIND(hh, m->blocks, &key, sizeof(key), b);
    return b;
}

bool block_add(struct machine *m, uint16_t pid, uint64_t id, va_t start, uint64_t size)
{
    struct arena *arena = m->env.arena;
    struct block *b = arena_alloc(arena, sizeof(*b));
    if (!b)
        return false;
    b->key = (struct block_key){id, pid};
    b->start = start;
    b->size = size;
    b->op = m->env.op;
    HASH_ADD(hh, m->blocks, key, sizeof(b->key), b);
    if (!b->hh.tbl) {
        arena_free(arena, b, sizeof(*b));
        return false;
    }
    return true;
}

void block_remove(struct machine *m, struct block *b)
{
    struct arena *arena = m->env.arena;
    struct gone_block *gone = &m->gone[m->gone_count++ % GONE_MAX];
    *gone = (struct gone_block){b->key.id, b->start, m->env.op, (uint16_t)b->key.pid};
    HASH_DELETE(hh, m->blocks, b);
    arena_free(arena, b, sizeof(*b));
}

void block_set(struct block *b, va_t start, uint64_t size)
{
    b->start = start;
    b->size = size;
}

void block_get(const struct block *b, struct block_info *info)
{
    *info = (struct block_info){.id = b->key.id,
                                .pid = (uint16_t)b->key.pid,
                                .start = b->start,
                                .size = b->size,
                                .op = b->op};
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
    return HASH_COUNT(m->blocks);
}

void block_each(const struct machine *m, void (*show)(void *, const struct block_info *), void *ctx)
{
    for (const struct block *b = m->blocks; b; b = b->hh.next) {
        struct block_info info;
        block_get(b, &info);
        show(ctx, &info);
    }
}

bool block_lives_at(const struct machine *m, uint16_t pid, va_t start)
{
    for (const struct block *b = m->blocks; b; b = b->hh.next)
        if (b->start == start && b->key.pid == pid)
            return true;
    return false;
}

bool block_fork(struct machine *m, uint16_t parent, uint16_t child)
{
    for (const struct block *b = m->blocks; b; b = b->hh.next) { /* new ones come last */
        if (b->key.pid != parent)
            continue;
        if (!block_add(m, child, b->key.id, b->start, b->size))
            return false;
        block_find(m, child, b->key.id)->op = b->op;
    }
    return true;
}

void block_remove_all(struct machine *m, uint16_t pid)
{
    struct block *b = m->blocks;
    while (b) {
        struct block *next = b->hh.next;
        if (b->key.pid == pid)
            block_remove(m, b);
        b = next;
    }
}
