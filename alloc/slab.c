/* slab.c: a slab allocator: a cache for each size, made of slabs, runs of pages cut into objects.
 *
 * A slab counts its objects in use and keeps its own list of free ones. A cache has its slabs in
 * three lists: full, partial and empty. New objects come from a partial slab, so that the others
 * can run empty; an empty slab is kept for each cache, and further ones give their pages back.
 *
 *   a slab of objects of 128 bytes, colour 1
 *   ┌─────────┬────────┬────────┬────────┬───┬────────┬──────┬───────────────────────────────┐
 *   │ colour  │ used   │ free ──┼▶ free  │ … │ used   │ rest │ next │ prev │ free │ in use   │
 *   └─────────┴────────┴────────┴────────┴───┴────────┴──────┴───────────────────────────────┘
 *    64 bytes   objects                                       its head, in the last 64 bytes
 *
 * Colouring: objects do not fill a slab exactly. The rest is spent in front, 64 bytes more in each
 * new slab, so that first objects of slabs do not all fall into the same lines of a cache.
 * Sizes are those of the kernel's kmalloc caches.
 * Source: Bonwick, "The slab allocator: an object-caching kernel memory allocator", 1994.
 * NOTE: no constructors, and one processor: no magazines or per-processor slabs.
 *
 * Cost: malloc and free O(1), and O(objects) for a new slab. Best: many objects of one kind, that
 * come and go. Worst: one object left in each slab.
 */
#include "alloc/slab.h"

#include "alloc/runs.h"
#include "alloc/shadow.h"

#include <stdio.h>

#define CLASSES 11u
#define HEAD    64u /* bytes at the end of a slab, and a step of the colour */

/* Words of a slab's head, and of a cache. */
enum head_word { SLAB_NEXT, SLAB_PREV, SLAB_FREE, SLAB_USED };
enum cache_word { CACHE_PARTIAL, CACHE_FULL, CACHE_EMPTY, CACHE_COLOUR, CACHE_WORDS };

struct slab {
    struct runs runs;
    va_t caches; /* 0: none yet */
};

static struct slab *slab_of(const struct heap *h)
{
    return h->state;
}

static uint64_t class_size(unsigned class)
{
    static const uint16_t sizes[CLASSES] = {16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096};
    return sizes[class];
}

static const char *class_name(unsigned class)
{
    static const char *const names[CLASSES] = {
        "kmalloc-16",  "kmalloc-32",  "kmalloc-64",   "kmalloc-96",   "kmalloc-128", "kmalloc-192",
        "kmalloc-256", "kmalloc-512", "kmalloc-1024", "kmalloc-2048", "kmalloc-4096"};
    return names[class];
}

static uint64_t class_pages(unsigned class)
{
    return max_u64(1, class_size(class) * 8 / PAGE_SIZE);
}

static uint64_t objects(unsigned class)
{
    return (class_pages(class) * PAGE_SIZE - HEAD) / class_size(class);
}

static uint64_t colours(unsigned class)
{
    return (class_pages(class) * PAGE_SIZE - HEAD) % class_size(class) / HEAD + 1;
}

static va_t head_of(va_t slab, unsigned class)
{
    return slab + class_pages(class) * PAGE_SIZE - HEAD;
}

static va_t word(va_t slab, unsigned class, enum head_word w)
{
    return head_of(slab, class) + 8 * (va_t)w;
}

static va_t cache_word(const struct heap *h, unsigned class, enum cache_word w)
{
    return slab_of(h)->caches + 8 * (va_t)(class * CACHE_WORDS + w);
}

static int slab_init(struct heap *h)
{
    runs_init(h, &slab_of(h)->runs);
    return 0;
}

static bool has_caches(struct heap *h)
{
    struct slab *s = slab_of(h);
    va_t run = s->caches ? 0 : run_new(h, &s->runs, 1, RUN_OWN, 0);
    if (run)
        s->caches = run_start(&s->runs, run);
    return s->caches != 0;
}

/* ---- the three lists of a cache ---- */

static void link_slab(struct heap *h, va_t slab, unsigned class, enum cache_word list)
{
    va_t head = heap_load64(h, cache_word(h, class, list));
    heap_store64(h, word(slab, class, SLAB_NEXT), head);
    heap_store64(h, word(slab, class, SLAB_PREV), 0);
    if (head)
        heap_store64(h, word(head, class, SLAB_PREV), slab);
    heap_store64(h, cache_word(h, class, list), slab);
}

/* Is this the start of a slab of the class? Its head may have been written over. */
static bool is_slab(struct heap *h, va_t slab, unsigned class)
{
    unsigned found;
    va_t run = slab % PAGE_SIZE == 0 ? run_of(h, &slab_of(h)->runs, slab, &found) : 0;
    if (run && found == class && run_start(&slab_of(h)->runs, run) == slab)
        return true;
    heap_complain(h, MISUSE_CORRUPT, slab);
    return false;
}

static bool unlink_slab(struct heap *h, va_t slab, unsigned class, enum cache_word list)
{
    va_t next = heap_load64(h, word(slab, class, SLAB_NEXT));
    va_t prev = heap_load64(h, word(slab, class, SLAB_PREV));
    if ((next && !is_slab(h, next, class)) || (prev && !is_slab(h, prev, class)))
        return false;
    va_t from = prev ? word(prev, class, SLAB_NEXT) : cache_word(h, class, list);
    if (heap_load64(h, from) != slab) {
        heap_complain(h, MISUSE_CORRUPT, slab);
        return false;
    }
    heap_store64(h, from, next);
    if (next)
        heap_store64(h, word(next, class, SLAB_PREV), prev);
    return true;
}

/* ---- objects ---- */

static void push(struct heap *h, va_t slab, unsigned class, va_t object)
{
    heap_store64(h, object, heap_load64(h, word(slab, class, SLAB_FREE)));
    heap_store64(h, word(slab, class, SLAB_FREE), object);
    EMIT(h->env, alloc_list, .list = class_name(class), .chunk = object, .size = class_size(class),
         .in = true);
}

/* A new slab in the partial list, all its objects free. */
static va_t slab_new(struct heap *h, unsigned class)
{
    struct runs *r = &slab_of(h)->runs;
    uint64_t colour = heap_load64(h, cache_word(h, class, CACHE_COLOUR)) % colours(class);
    va_t run = run_new(h, r, class_pages(class), class, (unsigned)colour);
    if (!run)
        return 0;
    va_t slab = run_start(r, run);
    heap_store64(h, cache_word(h, class, CACHE_COLOUR), colour + 1);
    heap_store64(h, word(slab, class, SLAB_FREE), 0);
    heap_store64(h, word(slab, class, SLAB_USED), 0);
    for (uint64_t i = objects(class); i-- > 0;)
        push(h, slab, class, slab + colour * HEAD + i * class_size(class));
    link_slab(h, slab, class, CACHE_PARTIAL);
    return slab;
}

/* A slab with a free object, in the partial list; 0: no memory, or damage. */
static va_t find_slab(struct heap *h, unsigned class)
{
    va_t slab = heap_load64(h, cache_word(h, class, CACHE_PARTIAL));
    if (slab)
        return is_slab(h, slab, class) ? slab : 0;
    slab = heap_load64(h, cache_word(h, class, CACHE_EMPTY));
    if (!slab)
        return slab_new(h, class);
    if (!is_slab(h, slab, class) || !unlink_slab(h, slab, class, CACHE_EMPTY))
        return 0;
    link_slab(h, slab, class, CACHE_PARTIAL);
    return slab;
}

/* The first free object of the slab, if its links are sound. */
static va_t pop(struct heap *h, va_t slab, unsigned class)
{
    va_t object = heap_load64(h, word(slab, class, SLAB_FREE));
    uint64_t used = heap_load64(h, word(slab, class, SLAB_USED));
    const struct heap_block *b = shadow_find(h->shadow, object);
    if (object < slab || object >= head_of(slab, class) || object % 16 || used >= objects(class) ||
        (b && b->kind == BLOCK_LIVE)) {
        heap_complain(h, MISUSE_CORRUPT, object ? object : slab);
        return 0;
    }
    heap_store64(h, word(slab, class, SLAB_FREE), heap_load64(h, object));
    heap_store64(h, word(slab, class, SLAB_USED), used + 1);
    EMIT(h->env, alloc_list, .list = class_name(class), .chunk = object, .size = class_size(class),
         .in = false);
    if (used + 1 == objects(class) && unlink_slab(h, slab, class, CACHE_PARTIAL))
        link_slab(h, slab, class, CACHE_FULL);
    return object;
}

static va_t slab_malloc(struct heap *h, uint64_t size)
{
    unsigned class = 0;
    while (class < CLASSES && class_size(class) < size)
        class ++;
    if (!has_caches(h))
        return 0;
    if (class == CLASSES)
        return run_give_large(h, &slab_of(h)->runs, size, (size + PAGE_MASK) / PAGE_SIZE);
    EMIT(h->env, alloc_size, .request = size, .header = 0, .alignment = 16, .minimum = 16,
         .chunk = class_size(class));
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = class_name(class),
         .need = class_size(class));
    va_t slab = find_slab(h, class);
    va_t object = slab ? pop(h, slab, class) : 0;
    return object ? run_give(h, object, class_size(class), 0) : 0;
}

/* The colour moves objects by multiples of 64, so only the run itself is aligned to more. */
static va_t slab_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    if (alignment <= HEAD)
        return slab_malloc(h, align_up(max_u64(size, 1), alignment));
    if (alignment > PAGE_SIZE || !has_caches(h))
        return 0;
    return run_give_large(h, &slab_of(h)->runs, size, max_u64(1, (size + PAGE_MASK) / PAGE_SIZE));
}

/* ---- free ---- */

/* A slab without an object in use: the first one is kept. */
static void retire(struct heap *h, va_t run, va_t slab, unsigned class)
{
    if (!unlink_slab(h, slab, class, CACHE_PARTIAL))
        return;
    if (heap_load64(h, cache_word(h, class, CACHE_EMPTY)) == 0) {
        link_slab(h, slab, class, CACHE_EMPTY);
        return;
    }
    va_t object = heap_load64(h, word(slab, class, SLAB_FREE));
    for (uint64_t n = objects(class); h->env->bus->on && object && n--;
         object = heap_peek64(h, object))
        EMIT(h->env, alloc_list, .list = class_name(class), .chunk = object,
             .size = class_size(class), .in = false);
    run_free(h, &slab_of(h)->runs, run);
}

static void slab_free(struct heap *h, va_t block)
{
    unsigned class;
    struct runs *r = &slab_of(h)->runs;
    va_t run = run_of(h, r, block, &class);
    if (!run)
        return;
    if (class >= CLASSES) {
        run_free(h, r, run);
        return;
    }
    va_t slab = run_start(r, run);
    uint64_t used = heap_load64(h, word(slab, class, SLAB_USED));
    if (!used || used > objects(class)) {
        heap_complain(h, MISUSE_CORRUPT, head_of(slab, class));
        return;
    }
    push(h, slab, class, block);
    heap_store64(h, word(slab, class, SLAB_USED), used - 1);
    if (used == objects(class)) {
        if (!unlink_slab(h, slab, class, CACHE_FULL))
            return;
        link_slab(h, slab, class, CACHE_PARTIAL);
    }
    if (used == 1)
        retire(h, run, slab, class);
}

/* ---- seen from outside ---- */

static void shape(const struct heap *h, struct run_view *v, va_t run)
{
    (void)h;
    (void)run;
    v->slot = class_size(v->class);
    v->offset = v->detail * (uint64_t)HEAD;
    v->possible = (unsigned)objects(v->class);
    v->list = class_name(v->class);
}

static bool look(const struct heap *h, struct run_view *v, va_t run)
{
    (void)run;
    v->count = v->possible;
    if (!run_mark_list(h, v, heap_peek64(h, word(v->start, v->class, SLAB_FREE))))
        return false;
    unsigned free_objects = 0;
    for (size_t i = 0; i < RUN_SLOTS_MAX / 64; i++)
        free_objects += (unsigned)__builtin_popcountll((unsigned long long)v->free[i]);
    return heap_peek64(h, word(v->start, v->class, SLAB_USED)) == v->count - free_objects;
}

static void empty(struct heap *h)
{
    if (slab_of(h)->caches)
        heap_fill(h, slab_of(h)->caches, 0, 8 * CLASSES * CACHE_WORDS);
}

static void refill(struct heap *h, struct run_view *v, va_t run)
{
    (void)run;
    uint64_t used = v->possible;
    heap_store64(h, word(v->start, v->class, SLAB_FREE), 0);
    for (unsigned i = v->possible; i-- > 0;) {
        if (!(v->free[i / 64] >> i % 64 & 1))
            continue;
        push(h, v->start, v->class, v->start + v->offset + i * v->slot);
        used--;
    }
    heap_store64(h, word(v->start, v->class, SLAB_USED), used);
    enum cache_word list = used == v->possible ? CACHE_FULL : used ? CACHE_PARTIAL : CACHE_EMPTY;
    link_slab(h, v->start, v->class, list);
}

static const struct run_user user = {shape, look, empty, refill};

static bool slab_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                      void *ctx)
{
    return runs_walk(h, &slab_of(h)->runs, &user, show, ctx);
}

static void look_at_nothing(void *ctx, const struct heap_chunk *c)
{
    (void)ctx;
    (void)c;
}

/* Each slab of a list is as full as the list says. */
static const char *check_cache(const struct heap *h, unsigned class)
{
    static const char *const what[] = {"a slab in the partial list is not partly used",
                                       "a slab in the full list has room",
                                       "a slab in the empty list is in use"};
    for (unsigned list = CACHE_PARTIAL; list <= CACHE_EMPTY; list++) {
        uint64_t most = h->counters.bytes_heap_now / PAGE_SIZE;
        va_t prev = 0;
        va_t slab = heap_peek64(h, cache_word(h, class, (enum cache_word)list));
        for (; slab && most--; prev = slab, slab = heap_peek64(h, word(slab, class, SLAB_NEXT))) {
            uint64_t used = heap_peek64(h, word(slab, class, SLAB_USED));
            bool full = used == objects(class);
            bool good = list == CACHE_FULL ? full : list == CACHE_EMPTY ? !used : used && !full;
            if (!good || heap_peek64(h, word(slab, class, SLAB_PREV)) != prev)
                return what[list];
        }
        if (slab)
            return "a list of slabs has no end";
    }
    return NULL;
}

static bool slab_check(const struct heap *h, char *why, size_t size)
{
    if (!runs_check(h, &slab_of(h)->runs, why, size))
        return false;
    const char *what = NULL;
    if (!slab_walk(h, look_at_nothing, NULL))
        what = "the free objects of a slab are not those that it counts";
    for (unsigned class = 0; slab_of(h)->caches && class < CLASSES && !what; class ++)
        what = check_cache(h, class);
    if (what)
        snprintf(why, size, "%s", what);
    return !what;
}

static void slab_mend(struct heap *h)
{
    runs_mend(h, &slab_of(h)->runs, &user);
}

const struct alloc_ops slab_ops = {
    .name = "slab",
    .doc = "caches of equal objects in slabs: full, partial and empty, with colouring",
    .state_size = sizeof(struct slab),
    .large_apart = true,
    .init = slab_init,
    .malloc = slab_malloc,
    .memalign = slab_memalign,
    .free = slab_free,
    .walk = slab_walk,
    .check = slab_check,
    .mend = slab_mend,
};
