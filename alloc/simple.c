/* simple.c: simple segregated storage: a list of free blocks for each power of two, and nothing
 * else.
 *
 * When a list is empty, a run of pages is cut into blocks of its size, all at once. A block never
 * changes its size: it is never split, never merged, and its pages never serve another size again.
 *
 *   heads   │ 16 │ 32 │ 64 │ … │ 4096 │
 *              │         └──────────┐
 *              ▼                    ▼
 *   ┌────┬────┬────┬──┐   ┌────────────┬────────────┬──────┐
 *   │used│next│next│ …│   │ used       │ next       │ …    │    a free block: the first word
 *   └────┴────┴────┴──┘   └────────────┴────────────┴──────┘    leads to the next one
 *   a page of 16s         a page of 64s                         a used one: no header at all
 *
 * Cost: malloc and free O(1), a handful of instructions. Best: many blocks of one size. Worst: a
 * program that uses one size first and then another: the pages of the first are lost to the second;
 * and sizes just above a power of two.
 */
#include "alloc/simple.h"

#include "alloc/runs.h"
#include "alloc/shadow.h"

#include <stdio.h>

#define CLASSES 9u /* 16 to 4096 */

struct simple {
    struct runs runs;
    va_t heads; /* 0: none yet */
};

static struct simple *simple_of(const struct heap *h)
{
    return h->state;
}

static const char *class_name(unsigned class)
{
    static const char *const names[CLASSES] = {"16",  "32",   "64",   "128", "256",
                                               "512", "1024", "2048", "4096"};
    return names[class];
}

static uint64_t class_size(unsigned class)
{
    return UINT64_C(16) << class;
}

static uint64_t class_pages(unsigned class)
{
    return max_u64(1, class_size(class) * 8 / PAGE_SIZE);
}

static int simple_init(struct heap *h)
{
    runs_init(h, &simple_of(h)->runs);
    return 0;
}

static va_t head_at(const struct heap *h, unsigned class)
{
    return simple_of(h)->heads + 8 * (va_t) class;
}

/* The heads live in a page of their own. */
static bool has_heads(struct heap *h)
{
    struct simple *s = simple_of(h);
    va_t run = s->heads ? 0 : run_new(h, &s->runs, 1, RUN_OWN, 0);
    if (run)
        s->heads = run_start(&s->runs, run);
    return s->heads != 0;
}

static void push(struct heap *h, unsigned class, va_t block)
{
    heap_store64(h, block, heap_load64(h, head_at(h, class)));
    heap_store64(h, head_at(h, class), block);
    EMIT(h->env, alloc_list, .list = class_name(class), .chunk = block, .size = class_size(class),
         .in = true);
}

/* A new run, cut into blocks, the lowest in front. */
static bool carve(struct heap *h, unsigned class)
{
    struct runs *r = &simple_of(h)->runs;
    va_t run = run_new(h, r, class_pages(class), class, 0);
    if (!run)
        return false;
    va_t start = run_start(r, run);
    for (va_t at = start + class_pages(class) * PAGE_SIZE; at > start;) {
        at -= class_size(class);
        push(h, class, at);
    }
    return true;
}

/* Could this be a free block of the class? The first word of a free block may have been written
 * over, so the shadow and the tags are asked. */
static bool sound(struct heap *h, unsigned class, va_t block)
{
    const struct heap_block *b = shadow_find(h->shadow, block);
    unsigned found;
    if (b && b->kind == BLOCK_LIVE)
        heap_complain(h, MISUSE_CORRUPT, block);
    else if (block % class_size(class) == 0 && run_of(h, &simple_of(h)->runs, block, &found) &&
             found == class)
        return true;
    heap_complain(h, MISUSE_CORRUPT, block);
    return false;
}

static va_t simple_malloc(struct heap *h, uint64_t size)
{
    unsigned class = 0;
    while (class < CLASSES && class_size(class) < size)
        class ++;
    if (!has_heads(h))
        return 0;
    if (class == CLASSES)
        return run_give_large(h, &simple_of(h)->runs, size, (size + PAGE_MASK) / PAGE_SIZE);
    EMIT(h->env, alloc_size, .request = size, .header = 0, .alignment = 16, .minimum = 16,
         .chunk = class_size(class));
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = class_name(class),
         .need = class_size(class));
    va_t block = heap_load64(h, head_at(h, class));
    if (!block && carve(h, class))
        block = heap_load64(h, head_at(h, class));
    if (!block || !sound(h, class, block))
        return 0;
    heap_store64(h, head_at(h, class), heap_load64(h, block));
    EMIT(h->env, alloc_list, .list = class_name(class), .chunk = block, .size = class_size(class),
         .in = false);
    return run_give(h, block, class_size(class), 0);
}

/* Blocks are aligned to their size. */
static va_t simple_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    return alignment <= PAGE_SIZE ? simple_malloc(h, max_u64(size, alignment)) : 0;
}

static void simple_free(struct heap *h, va_t block)
{
    struct runs *r = &simple_of(h)->runs;
    unsigned class;
    va_t run = run_of(h, r, block, &class);
    if (!run)
        return;
    if (class == RUN_LARGE)
        run_free(h, r, run);
    else
        push(h, class, block);
}

/* ---- seen from outside ---- */

static void shape(const struct heap *h, struct run_view *v, va_t run)
{
    (void)h;
    (void)run;
    v->slot = class_size(v->class);
    v->possible = (unsigned)(v->bytes / v->slot);
    v->list = class_name(v->class);
}

/* Nothing in memory says which blocks are used, but the lists, which go through all runs of a
 * class; so the shadow is asked here, and the lists in check. */
static bool look(const struct heap *h, struct run_view *v, va_t run)
{
    (void)run;
    v->count = v->possible;
    for (unsigned i = 0; i < v->count; i++) {
        const struct heap_block *b = shadow_find(h->shadow, v->start + i * v->slot);
        if (!b || b->kind != BLOCK_LIVE)
            v->free[i / 64] |= UINT64_C(1) << i % 64;
    }
    return true;
}

static void empty(struct heap *h)
{
    if (simple_of(h)->heads)
        heap_fill(h, simple_of(h)->heads, 0, 8 * CLASSES);
}

static void refill(struct heap *h, struct run_view *v, va_t run)
{
    (void)run;
    for (unsigned i = v->possible; i-- > 0;)
        if (v->free[i / 64] >> i % 64 & 1)
            push(h, v->class, v->start + i * v->slot);
}

static const struct run_user user = {shape, look, empty, refill};

static bool simple_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                        void *ctx)
{
    return runs_walk(h, &simple_of(h)->runs, &user, show, ctx);
}

static void count_free(void *ctx, const struct heap_chunk *c)
{
    uint64_t *n = ctx;
    *n += !c->used && c->list[0];
}

static bool simple_check(const struct heap *h, char *why, size_t size)
{
    uint64_t listed = 0;
    uint64_t seen = 0;
    uint64_t most = h->counters.bytes_heap_now / class_size(0);
    if (!runs_check(h, &simple_of(h)->runs, why, size))
        return false;
    for (unsigned class = 0; simple_of(h)->heads && class < CLASSES; class ++)
        for (va_t at = heap_peek64(h, head_at(h, class)); at && listed <= most;
             at = heap_peek64(h, at)) {
            const struct heap_block *b = shadow_find(h->shadow, at);
            listed += b && b->kind == BLOCK_LIVE ? most : 1;
        }
    if (simple_walk(h, count_free, &seen) && seen == listed)
        return true;
    snprintf(why, size, "the lists do not hold the free blocks");
    return false;
}

static void simple_lists(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                         void *ctx)
{
    uint64_t left = h->counters.bytes_heap_now / class_size(0);
    for (unsigned class = 0; simple_of(h)->heads && class < CLASSES; class ++)
        for (va_t at = heap_peek64(h, head_at(h, class)); at && left--; at = heap_peek64(h, at)) {
            struct heap_chunk c = {.start = at, .size = class_size(class)};
            c.list = class_name(class);
            show(ctx, &c);
        }
}

static void simple_mend(struct heap *h)
{
    runs_mend(h, &simple_of(h)->runs, &user);
}

const struct alloc_ops simple_ops = {
    .name = "simple",
    .doc = "simple segregated storage: a list for each power of two, no splitting, no merging",
    .state_size = sizeof(struct simple),
    .large_apart = true,
    .init = simple_init,
    .malloc = simple_malloc,
    .memalign = simple_memalign,
    .free = simple_free,
    .walk = simple_walk,
    .lists = simple_lists,
    .check = simple_check,
    .mend = simple_mend,
};
