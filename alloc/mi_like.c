/* mi_like.c: an allocator after mimalloc: free-list sharding. Each page of blocks has lists of its
 * own, and a block that is freed goes to another list than the one that malloc takes from.
 *
 *   queues │ 16 │ 32 │ 48 │ … │             "page" here: 64 KiB of blocks of one size, a run
 *            │
 *            ▼
 *          ┌──────────────────────────┐     ┌──────────────────────────┐
 *          │ free ─────▶ □ ─▶ □       │ ──▶ │ free: none               │   the queue of one size
 *          │ local free ─▶ □          │ ◀── │ local free ─▶ □          │
 *          │ used 5, capacity 8 of 64 │     │ used 63, capacity 64     │
 *          └──────────────────────────┘     └──────────────────────────┘
 *
 * malloc takes the first block of the free list of the first page of its queue: three loads and two
 * stores. Only when that list is empty, the slow path runs: the local free list becomes the free
 * list; if that is empty too, a few more blocks are cut off the untouched rest of the page
 * (capacity); if there is none, the next page of the queue is asked; at last a new page is made. So
 * blocks that are asked for together lie in one page, and reused memory is near. A page that is
 * full leaves the queue until a block of it is freed; one without a used block gives its memory
 * back. Source: Leijen, Zorn and de Moura, "Mimalloc: free list sharding in action", 2019.
 *
 * Modelled: segments found by a mask, pages with descriptors, free and local-free lists, capacity
 * growing by at most 4 KiB at a time, full pages, retiring of empty ones. Not modelled: the third
 * list (blocks freed by other threads), the direct table for small sizes, delayed free, encoded
 * links, and reset or purge of unused pages. Blocks above an eighth of a page are runs of their
 * own.
 *
 * Cost: malloc and free O(1), rarely O(pages of the queue). Best: small blocks, most of all when
 * they die in another order than they were made. Worst: one block left in each page.
 */
#include "alloc/mi_like.h"

#include "alloc/runs.h"
#include "alloc/shadow.h"
#include "alloc/size_class.h"

#include <stdio.h>

#define EXTEND_BYTES PAGE_SIZE /* at most so much is cut into blocks at once */

/* Words of a page's descriptor, behind the tag. */
enum page_word {
    PAGE_FREE = 1,
    PAGE_LOCAL,
    PAGE_USED,
    PAGE_CAPACITY,
    PAGE_NEXT,
    PAGE_PREV,
    PAGE_FULL
};
/* Words of a queue. */
enum queue_word { QUEUE_FIRST, QUEUE_LAST, QUEUE_WORDS };

struct mi {
    struct runs runs;
    uint64_t page_pages; /* of 4 KiB, in a page of blocks */
    unsigned classes;    /* that blocks of pages have; larger ones are runs */
    va_t queues;         /* 0: none yet */
};

static struct mi *mi_of(const struct heap *h)
{
    return h->state;
}

static va_t word(va_t page, enum page_word w)
{
    return page + 8 * (va_t)w;
}

static va_t queue(const struct heap *h, unsigned class, enum queue_word w)
{
    return mi_of(h)->queues + 8 * (va_t)(class * QUEUE_WORDS + w);
}

static uint64_t reserved(const struct heap *h, unsigned class)
{
    return mi_of(h)->page_pages * PAGE_SIZE / size_class_bytes(class);
}

static int mi_init(struct heap *h)
{
    struct mi *m = mi_of(h);
    runs_init(h, &m->runs);
    m->page_pages = min_u64(m->runs.bytes / PAGE_SIZE / 16, 16);
    while (m->classes < SIZE_CLASSES &&
           size_class_bytes(m->classes) <= m->page_pages * PAGE_SIZE / 8)
        m->classes++;
    return 0;
}

static bool has_queues(struct heap *h)
{
    struct mi *m = mi_of(h);
    va_t run = m->queues ? 0 : run_new(h, &m->runs, 1, RUN_OWN, 0);
    if (run)
        m->queues = run_start(&m->runs, run);
    return m->queues != 0;
}

/* ---- the queue of a size ---- */

/* A page of the class, or none. */
static bool is_page(struct heap *h, va_t page, unsigned class)
{
    return !page || run_is(h, &mi_of(h)->runs, page, class);
}

static void enqueue(struct heap *h, va_t page, unsigned class)
{
    va_t last = heap_load64(h, queue(h, class, QUEUE_LAST));
    if (!is_page(h, last, class))
        return;
    heap_store64(h, word(page, PAGE_NEXT), 0);
    heap_store64(h, word(page, PAGE_PREV), last);
    heap_store64(h, last ? word(last, PAGE_NEXT) : queue(h, class, QUEUE_FIRST), page);
    heap_store64(h, queue(h, class, QUEUE_LAST), page);
}

static bool dequeue(struct heap *h, va_t page, unsigned class)
{
    va_t next = heap_load64(h, word(page, PAGE_NEXT));
    va_t prev = heap_load64(h, word(page, PAGE_PREV));
    if (!is_page(h, next, class) || !is_page(h, prev, class))
        return false;
    heap_store64(h, prev ? word(prev, PAGE_NEXT) : queue(h, class, QUEUE_FIRST), next);
    heap_store64(h, next ? word(next, PAGE_PREV) : queue(h, class, QUEUE_LAST), prev);
    return true;
}

/* ---- the lists of a page ---- */

static void tell(struct heap *h, va_t block, unsigned class, bool in)
{
    EMIT(h->env, alloc_list, .list = size_class_name(class), .chunk = block,
         .size = size_class_bytes(class), .in = in);
}

static void push(struct heap *h, va_t page, enum page_word list, va_t block, unsigned class)
{
    heap_store64(h, block, heap_load64(h, word(page, list)));
    heap_store64(h, word(page, list), block);
    tell(h, block, class, true);
}

/* A few blocks of the untouched rest of the page become free. */
static bool extend(struct heap *h, va_t page, unsigned class)
{
    uint64_t size = size_class_bytes(class);
    uint64_t capacity = heap_load64(h, word(page, PAGE_CAPACITY));
    if (capacity >= reserved(h, class))
        return false;
    uint64_t more = min_u64(max_u64(EXTEND_BYTES / size, 1), reserved(h, class) - capacity);
    va_t start = run_start(&mi_of(h)->runs, page);
    for (uint64_t i = capacity + more; i-- > capacity;)
        push(h, page, PAGE_FREE, start + i * size, class);
    heap_store64(h, word(page, PAGE_CAPACITY), capacity + more);
    return true;
}

/* Makes sure that the free list of the page has a block. false: the page is full. */
static bool collect(struct heap *h, va_t page, unsigned class)
{
    if (heap_load64(h, word(page, PAGE_FREE)))
        return true;
    va_t local = heap_load64(h, word(page, PAGE_LOCAL));
    if (!local)
        return extend(h, page, class);
    heap_store64(h, word(page, PAGE_FREE), local);
    heap_store64(h, word(page, PAGE_LOCAL), 0);
    return true;
}

/* A page with a free block: the first of the queue that has one; full ones leave it. */
static va_t find_page(struct heap *h, unsigned class, uint64_t *probes)
{
    struct mi *m = mi_of(h);
    va_t page;
    while ((page = heap_load64(h, queue(h, class, QUEUE_FIRST)))) {
        if (!is_page(h, page, class))
            return 0;
        ++*probes;
        if (collect(h, page, class))
            return page;
        if (heap_load64(h, word(page, PAGE_FULL)) || !dequeue(h, page, class)) {
            heap_complain(h, MISUSE_CORRUPT, page);
            return 0;
        }
        heap_store64(h, word(page, PAGE_FULL), 1);
    }
    page = run_new(h, &m->runs, m->page_pages, class, 0);
    if (!page)
        return 0;
    enqueue(h, page, class);
    extend(h, page, class);
    return page;
}

/* The block may be the first of its page's list: it lies in that page, and is not alive. */
static bool sound(struct heap *h, va_t page, va_t block, unsigned class)
{
    va_t start = run_start(&mi_of(h)->runs, page);
    const struct heap_block *b = shadow_find(h->shadow, block);
    if (block >= start && (block - start) % size_class_bytes(class) == 0 &&
        (block - start) / size_class_bytes(class) < reserved(h, class) &&
        !(b && b->kind == BLOCK_LIVE))
        return true;
    heap_complain(h, MISUSE_CORRUPT, block);
    return false;
}

static va_t mi_malloc(struct heap *h, uint64_t size)
{
    const struct mi *m = mi_of(h);
    if (!has_queues(h))
        return 0;
    if (size > size_class_bytes(m->classes - 1))
        return run_give_large(h, &mi_of(h)->runs, size, (size + PAGE_MASK) / PAGE_SIZE);
    unsigned class = size_class_of(size);
    uint64_t chunk = size_class_bytes(class);
    uint64_t probes = 0;
    EMIT(h->env, alloc_size, .request = size, .header = 0, .alignment = 16, .minimum = 16,
         .chunk = chunk);
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = size_class_name(class),
         .need = chunk);
    va_t page = find_page(h, class, &probes);
    va_t block = page ? heap_load64(h, word(page, PAGE_FREE)) : 0;
    if (!page || !sound(h, page, block, class))
        return 0;
    heap_store64(h, word(page, PAGE_FREE), heap_load64(h, block));
    heap_store64(h, word(page, PAGE_USED), heap_load64(h, word(page, PAGE_USED)) + 1);
    tell(h, block, class, false);
    return run_give(h, block, chunk, probes ? probes - 1 : 0);
}

/* Blocks lie at multiples of their size from the start of a run. */
static va_t mi_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    const struct mi *m = mi_of(h);
    if (alignment > PAGE_SIZE || !has_queues(h))
        return 0;
    for (uint64_t fit = align_up(max_u64(size, 1), alignment);
         fit <= size_class_bytes(m->classes - 1); fit += alignment)
        if (size_class_bytes(size_class_of(fit)) == fit)
            return mi_malloc(h, fit);
    return run_give_large(h, &mi_of(h)->runs, size, (size + PAGE_MASK) / PAGE_SIZE);
}

/* ---- free ---- */

static void tell_gone(struct heap *h, va_t list, unsigned class)
{
    uint64_t n = reserved(h, class);
    for (va_t block = list; h->env->bus->on && block && n--; block = heap_peek64(h, block))
        tell(h, block, class, false);
}

/* A page without a used block goes, but for the only one of its size. */
static void retire(struct heap *h, va_t page, unsigned class)
{
    if (heap_load64(h, queue(h, class, QUEUE_FIRST)) == page &&
        heap_load64(h, queue(h, class, QUEUE_LAST)) == page)
        return;
    if (!dequeue(h, page, class))
        return;
    tell_gone(h, heap_load64(h, word(page, PAGE_FREE)), class);
    tell_gone(h, heap_load64(h, word(page, PAGE_LOCAL)), class);
    run_free(h, &mi_of(h)->runs, page);
}

static void mi_free(struct heap *h, va_t block)
{
    unsigned class;
    struct runs *r = &mi_of(h)->runs;
    va_t page = run_of(h, r, block, &class);
    if (!page)
        return;
    if (class == RUN_LARGE) {
        run_free(h, r, page);
        return;
    }
    uint64_t used = heap_load64(h, word(page, PAGE_USED));
    push(h, page, PAGE_LOCAL, block, class);
    heap_store64(h, word(page, PAGE_USED), used - 1);
    if (heap_load64(h, word(page, PAGE_FULL))) {
        heap_store64(h, word(page, PAGE_FULL), 0);
        enqueue(h, page, class);
    }
    if (used == 1)
        retire(h, page, class);
}

/* ---- seen from outside ---- */

static void shape(const struct heap *h, struct run_view *v, va_t run)
{
    (void)run;
    v->slot = size_class_bytes(v->class);
    v->possible = (unsigned)reserved(h, v->class);
    v->list = size_class_name(v->class);
}

static bool look(const struct heap *h, struct run_view *v, va_t page)
{
    v->count = (unsigned)min_u64(heap_peek64(h, word(page, PAGE_CAPACITY)), v->possible);
    if (!run_mark_list(h, v, heap_peek64(h, word(page, PAGE_FREE))) ||
        !run_mark_list(h, v, heap_peek64(h, word(page, PAGE_LOCAL))))
        return false;
    unsigned free_blocks = 0;
    for (size_t i = 0; i < RUN_SLOTS_MAX / 64; i++)
        free_blocks += (unsigned)__builtin_popcountll((unsigned long long)v->free[i]);
    return heap_peek64(h, word(page, PAGE_USED)) == v->count - free_blocks;
}

static void empty(struct heap *h)
{
    if (mi_of(h)->queues)
        heap_fill(h, mi_of(h)->queues, 0, 8 * SIZE_CLASSES * QUEUE_WORDS);
}

static void refill(struct heap *h, struct run_view *v, va_t page)
{
    uint64_t used = v->possible;
    heap_fill(h, page + 8, 0, 8 * PAGE_FULL);
    heap_store64(h, word(page, PAGE_CAPACITY), v->possible);
    for (unsigned i = v->possible; i-- > 0;) {
        if (!(v->free[i / 64] >> i % 64 & 1))
            continue;
        push(h, page, PAGE_FREE, v->start + i * v->slot, v->class);
        used--;
    }
    heap_store64(h, word(page, PAGE_USED), used);
    heap_store64(h, word(page, PAGE_FULL), used == v->possible);
    if (used < v->possible)
        enqueue(h, page, v->class);
}

static const struct run_user user = {shape, look, empty, refill};

static bool mi_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                    void *ctx)
{
    return runs_walk(h, &mi_of(h)->runs, &user, show, ctx);
}

static void look_at_nothing(void *ctx, const struct heap_chunk *c)
{
    (void)ctx;
    (void)c;
}

static const char *check_queue(const struct heap *h, unsigned class)
{
    uint64_t most = h->counters.bytes_heap_now / PAGE_SIZE;
    va_t prev = 0;
    va_t page = heap_peek64(h, queue(h, class, QUEUE_FIRST));
    for (; page && most--; prev = page, page = heap_peek64(h, word(page, PAGE_NEXT)))
        if (heap_peek64(h, word(page, PAGE_PREV)) != prev || heap_peek64(h, word(page, PAGE_FULL)))
            return "a queue of pages is broken";
    return prev == heap_peek64(h, queue(h, class, QUEUE_LAST)) ? NULL : "a queue has a wrong end";
}

static bool mi_check(const struct heap *h, char *why, size_t size)
{
    if (!runs_check(h, &mi_of(h)->runs, why, size))
        return false;
    const char *what = NULL;
    if (!mi_walk(h, look_at_nothing, NULL))
        what = "the free blocks of a page are not those that it counts";
    for (unsigned class = 0; mi_of(h)->queues && class < mi_of(h)->classes && !what; class ++)
        what = check_queue(h, class);
    if (what)
        snprintf(why, size, "%s", what);
    return !what;
}

static void mi_mend(struct heap *h)
{
    runs_mend(h, &mi_of(h)->runs, &user);
}

const struct alloc_ops mi_like_ops = {
    .name = "mi-like",
    .doc = "after mimalloc: pages of equal blocks, each with free lists of its own",
    .state_size = sizeof(struct mi),
    .large_apart = true,
    .init = mi_init,
    .malloc = mi_malloc,
    .memalign = mi_memalign,
    .free = mi_free,
    .walk = mi_walk,
    .check = mi_check,
    .mend = mi_mend,
};
