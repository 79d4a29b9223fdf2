/* blocks.c: a dense list of blocks in order of appearance, found by a hash of (process, id). */
#include "traces/blocks.h"

#include "traces/fields.h"

#include <stdlib.h>
#include <string.h>

struct blocks {
    struct block *block;
    size_t count, room;
    uint32_t *slot; /* index + 1 into block; 0: free; a power of two of them, at most half full */
    size_t slots;
};

struct blocks *blocks_new(void)
{
    return calloc(1, sizeof(struct blocks));
}

void blocks_free(struct blocks *b)
{
    if (!b)
        return;
    free(b->block);
    free(b->slot);
    free(b);
}

/* The finaliser of MurmurHash3: neighbouring ids spread over the whole table. */
static uint64_t hash(uint16_t pid, uint64_t id)
{
    uint64_t h = id ^ (uint64_t)pid << 48;
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* The slot of the block, or the free one where it belongs. slots > 0. */
static size_t slot_of(const struct blocks *b, uint16_t pid, uint64_t id)
{
    size_t i = hash(pid, id) & (b->slots - 1);
    while (b->slot[i]) {
        const struct block *block = &b->block[b->slot[i] - 1];
        if (block->id == id && block->pid == pid)
            break;
        i = (i + 1) & (b->slots - 1);
    }
    return i;
}

const struct block *blocks_find(const struct blocks *b, uint16_t pid, uint64_t id)
{
    if (!b->slots)
        return NULL;
    uint32_t found = b->slot[slot_of(b, pid, id)];
    return found ? &b->block[found - 1] : NULL;
}

const struct block *blocks_all(const struct blocks *b, size_t *count)
{
    *count = b->count;
    return b->block;
}

static bool grow(struct blocks *b)
{
    size_t room = b->room ? b->room * 2 : 64;
    struct block *block = realloc(b->block, room * sizeof(*block));
    if (!block)
        return false;
    b->block = block;
    uint32_t *slot = calloc(room * 2, sizeof(*slot));
    if (!slot || room >= UINT32_MAX) {
        free(slot);
        return false;
    }
    free(b->slot);
    b->slot = slot;
    b->slots = room * 2;
    b->room = room;
    for (size_t i = 0; i < b->count; i++)
        b->slot[slot_of(b, block[i].pid, block[i].id)] = (uint32_t)(i + 1);
    return true;
}

/* The block, made in state BLOCK_UNKNOWN where there was none; NULL: no memory. */
static struct block *block_of(struct blocks *b, uint16_t pid, uint64_t id)
{
    if (b->count == b->room && !grow(b))
        return NULL;
    size_t i = slot_of(b, pid, id);
    if (!b->slot[i]) {
        b->block[b->count] = (struct block){.id = id, .pid = pid};
        b->slot[i] = (uint32_t)++b->count;
    }
    return &b->block[b->slot[i] - 1];
}

static bool follow_fork(struct blocks *b, uint16_t parent, uint16_t child)
{
    size_t count = b->count;
    for (size_t i = 0; i < count; i++) {
        if (b->block[i].pid != parent || child == parent)
            continue;
        struct block *copy = block_of(b, child, b->block[i].id);
        if (!copy)
            return false;
        *copy = b->block[i];
        copy->pid = child;
    }
    return true;
}

/* Bytes asked for; UINT64_MAX where the product overflows. */
static uint64_t request_size(const struct op *op)
{
    const struct op_field *size = op_field_of(op->kind, "size", 4);
    const struct op_field *times = op_field_of(op->kind, "nmemb", 5);
    uint64_t bytes = op->v[size->slot];
    if (times && op->v[times->slot] && bytes > UINT64_MAX / op->v[times->slot])
        return UINT64_MAX;
    return times ? bytes * op->v[times->slot] : bytes;
}

static uint64_t request_alignment(const struct op *op)
{
    const struct op_field *alignment = op_field_of(op->kind, "alignment", 9);
    return alignment ? op->v[alignment->slot] : 0;
}

static void end_block(struct block *block, const struct op *op, uint64_t number)
{
    block->state = BLOCK_DEAD;
    block->ended_op = number;
    block->ended_line = op->line;
}

static void make_block(struct block *block, const struct op *op, uint64_t number, uint64_t size,
                       bool good)
{
    block->state = good ? BLOCK_LIVE : BLOCK_NULL;
    block->size = good ? size : 0;
    block->alignment = request_alignment(op);
    block->made_op = number;
    block->made_line = op->line;
}

/* A size above PTRDIFF_MAX cannot be had from any malloc. */
static bool request_good(const struct op *op, uint64_t size)
{
    return !(op->flags & OP_FAIL) && size <= INT64_MAX;
}

static void follow_request(struct block *block, const struct op *op, uint64_t number,
                           const struct block_step *step, bool moves)
{
    bool good = request_good(op, step->size);
    bool live = block->state == BLOCK_LIVE;
    if (!moves || !live)
        make_block(block, op, number, step->size, good);
    else if (step->size == 0)
        end_block(block, op, number);
    else if (good)
        block->size = step->size;
}

bool blocks_follow(struct blocks *b, const struct op *op, uint64_t number, struct block_step *step)
{
    const struct op_field *first = op_shape[op->kind].field;
    unsigned kind = first->name ? first->kind : FIELD_NUMBER;
    *step = (struct block_step){.touches = false};
    if (op->kind == OP_fork)
        return follow_fork(b, op->pid, (uint16_t)op->v[0]);
    step->request = kind == FIELD_MAKES || kind == FIELD_MOVES;
    step->touches =
        step->request || kind == FIELD_ENDS || (kind == FIELD_ID && op->base == BASE_BLOCK);
    if (step->request)
        step->size = request_size(op);
    step->touches = step->touches && op->id;
    if (!step->touches)
        return true;
    struct block *block = block_of(b, op->pid, op->id);
    if (!block)
        return false;
    step->before = *block;
    if (step->request)
        follow_request(block, op, number, step, kind == FIELD_MOVES);
    else if (kind == FIELD_ENDS && op->v[0] == 0 && block->state == BLOCK_LIVE)
        end_block(block, op, number);
    step->after = *block;
    return true;
}
