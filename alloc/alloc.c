/* alloc.c: the malloc family as C defines it, for any allocator: it counts, tells, checks, and then
 * asks the allocator.
 *
 * Everything that is the same for all allocators stands here once: argument checks, the shadow of
 * live blocks that makes counters exact and misuse certain, and the few doors through which an
 * allocator touches simulated memory. An allocator so only has to know how to find memory.
 */
#include "alloc/alloc.h"

#include "alloc/mapped.h"
#include "alloc/piece.h"
#include "alloc/shadow.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>
#include <string.h>

#define USUAL_ALIGNMENT 16u /* what malloc promises on x86-64 */
/* Beyond this no request can be met, and below it no sum of sizes can wrap. */
#define REQUEST_MAX ((uint64_t)1 << 62)

const char *const probe_verdict_name[PROBE_VERDICTS] = {
    [PROBE_TAKE] = "taken",    [PROBE_TOO_SMALL] = "too small", [PROBE_WORSE] = "worse",
    [PROBE_BEST] = "best yet", [PROBE_USED] = "in use",
};

const char *const list_order_name[LIST_ORDERS] = {
    [ORDER_LIFO] = "lifo",
    [ORDER_FIFO] = "fifo",
    [ORDER_ADDRESS] = "address",
    [ORDER_SIZE] = "size",
};

const char *const resize_how_name[RESIZE_HOWS] = {
    [RESIZE_SAME] = "as it is",  [RESIZE_SHRINK] = "end cut off", [RESIZE_NEXT] = "into neighbour",
    [RESIZE_TOP] = "into top",   [RESIZE_MREMAP] = "mremap",      [RESIZE_MOVE] = "moved",
    [RESIZE_FAIL] = "no memory",
};

const char *const misuse_name[MISUSE_KINDS] = {
    [MISUSE_NONE] = "none",
    [MISUSE_DOUBLE_FREE] = "double free",
    [MISUSE_FOREIGN] = "foreign pointer",
    [MISUSE_CORRUPT] = "corrupted header",
    [MISUSE_DEAD] = "dead block",
    [MISUSE_OUTSIDE] = "outside the block",
    [MISUSE_SEGV] = "segmentation fault",
    [MISUSE_KILLED] = "killed",
    [MISUSE_REUSED] = "id used twice",
    [MISUSE_ABORT] = "aborted",
    [MISUSE_NO_MEMORY] = "no memory for the books",
    [MISUSE_OVERFLOW] = "overflow into the neighbour",
    [MISUSE_UNDERFLOW] = "underflow before the block",
    [MISUSE_REALLOC] = "realloc of a dead block",
    [MISUSE_ALIGNMENT] = "wrong alignment",
    [MISUSE_BUS] = "beyond the end of the file",
    [MISUSE_ENDLESS] = "endless loop",
};

const char *misuse_other(uint64_t what)
{
    switch ((enum misuse)what) {
    case MISUSE_DOUBLE_FREE:
    case MISUSE_DEAD:
    case MISUSE_REALLOC:
        return "freed by";
    case MISUSE_OVERFLOW:
    case MISUSE_UNDERFLOW:
        return "the bytes belong to the block of";
    case MISUSE_FOREIGN:
    case MISUSE_OUTSIDE:
    case MISUSE_CORRUPT:
    case MISUSE_REUSED:
        return "allocated by";
    default:
        return "the other op concerned is";
    }
}

/* ---- life ---- */

const struct alloc_ops *alloc_find(const char *name)
{
    for (size_t i = 0; alloc_table[i]; i++)
        if (strcmp(alloc_table[i]->name, name) == 0)
            return alloc_table[i];
    return NULL;
}

void heap_destroy(struct heap *h)
{
    if (!h)
        return;
    struct arena *arena = h->env->arena;
    shadow_destroy(h->shadow, arena);
    pieces_forget(h);
    arena_free(arena, h->state, h->ops->state_size);
    arena_free(arena, h, sizeof(*h));
}

struct heap *heap_new(struct env *env, const struct user *user, const struct alloc_ops *ops,
                      const struct alloc_config *config)
{
    struct heap *h = arena_alloc(env->arena, sizeof(*h));
    if (!h)
        return NULL;
    h->ops = ops;
    h->env = env;
    h->user = *user;
    h->config = *config;
    h->state = arena_alloc(env->arena, ops->state_size);
    h->shadow = shadow_new(env->arena);
    if (h->state && h->shadow && shadow_reserve(h->shadow, env->arena) &&
        (!ops->init || ops->init(h) == 0))
        return h;
    heap_destroy(h);
    return NULL;
}

static struct alloc_counters counters_inherited(const struct alloc_counters *c)
{
    return (struct alloc_counters){
        .bytes_requested_now = c->bytes_requested_now,
        .bytes_requested_peak = c->bytes_requested_now,
        .bytes_chunks_now = c->bytes_chunks_now,
        .bytes_chunks_peak = c->bytes_chunks_now,
        .bytes_heap_now = c->bytes_heap_now,
        .bytes_heap_peak = c->bytes_heap_now,
        .blocks_now = c->blocks_now,
        .blocks_peak = c->blocks_now,
    };
}

struct heap *heap_fork(const struct heap *parent, const struct user *user)
{
    struct arena *arena = parent->env->arena;
    struct heap *h = arena_alloc(arena, sizeof(*h));
    if (!h)
        return NULL;
    *h = *parent;
    h->user = *user;
    h->counters = counters_inherited(&parent->counters);
    h->state = arena_alloc(arena, parent->ops->state_size);
    h->shadow = shadow_copy(parent->shadow, arena);
    bool pieces = pieces_copy(h, parent);
    if (h->state && h->shadow && pieces) {
        memcpy(h->state, parent->state, parent->ops->state_size);
        if (!h->ops->fork || h->ops->fork(h))
            return h;
    }
    heap_destroy(h);
    return NULL;
}

void heap_end(struct heap *h)
{
    h->counters.bytes_requested_now = h->counters.bytes_chunks_now = 0;
    h->counters.bytes_heap_now = h->counters.blocks_now = 0;
}

/* ---- the frame around every call ---- */

static void call_begin(struct heap *h)
{
    h->misuse = MISUSE_NONE;
    h->misuse_at = 0;
    h->env->cycle += h->config.cost_cycles;
}

static void tell_free(void *ctx, const struct heap_chunk *c)
{
    const struct heap *h = ctx;
    if (!c->used && !c->top && c->list && c->list[0])
        EMIT(h->env, alloc_list, .list = c->list, .chunk = c->start, .size = c->size, .in = true);
}

/* After damage: everything in order again, as the shadow knows it. What is free now is told anew,
 * because whatever was told before may not be true any more. */
static bool mend(struct heap *h)
{
    if (h->misuse != MISUSE_CORRUPT || !h->ops->mend)
        return false;
    h->ops->mend(h);
    if (h->ops->large_apart)
        mapped_mend(h);
    EMIT(h->env, alloc_mend, .at = h->misuse_at);
    h->ops->walk(h, tell_free, h);
    return true;
}

/* The call goes on with a sound heap; what was complained of is told at its end all the same. */
static bool mend_and_go_on(struct heap *h, va_t *complaint)
{
    *complaint = h->misuse_at;
    bool mended = mend(h);
    if (mended)
        h->misuse = MISUSE_NONE;
    return mended;
}

static void complain_again(struct heap *h, va_t at)
{
    h->misuse = MISUSE_CORRUPT;
    h->misuse_at = at;
}

static void call_end(struct heap *h)
{
    mend(h);
}

/* The allocator gave out p (0: it could not): count it, remember it, tell it. */
static va_t hand_out(struct heap *h, va_t p, uint64_t request)
{
    struct alloc_counters *c = &h->counters;
    if (!p) {
        c->failed++;
        EMIT(h->env, alloc_return, .pointer = 0);
        return 0;
    }
    const struct heap_given *g = &h->given;
    struct heap_block b = {p, g->chunk, g->size, request, h->env->op, BLOCK_LIVE, g->mapped};
    if (g->mapped)
        b.kind = BLOCK_MAPPED;
    shadow_add(h->shadow, &b);
    c->bytes_requested_now += request;
    c->bytes_chunks_now += g->size;
    c->blocks_now++;
    c->bytes_requested_peak = max_u64(c->bytes_requested_peak, c->bytes_requested_now);
    c->bytes_chunks_peak = max_u64(c->bytes_chunks_peak, c->bytes_chunks_now);
    c->blocks_peak = max_u64(c->blocks_peak, c->blocks_now);
    EMIT(h->env, alloc_return, .pointer = p, .chunk = g->chunk, .size = g->size,
         .usable = g->usable);
    return p;
}

/* The block is the program's no longer. */
static void take_back(struct heap *h, const struct heap_block *b)
{
    h->counters.bytes_requested_now -= b->request;
    h->counters.bytes_chunks_now -= b->size;
    h->counters.blocks_now--;
    shadow_kill(h->shadow, b->block, h->env->op);
}

/* A pointer that the program hands in: the live block, or NULL with the complaint made. */
static const struct heap_block *live_block(struct heap *h, va_t p, enum misuse if_dead)
{
    const struct heap_block *b = shadow_find(h->shadow, p);
    if (b && (b->kind == BLOCK_LIVE || b->kind == BLOCK_MAPPED) && !h->over)
        return b;
    heap_complain(h,
                  h->over                      ? MISUSE_KILLED
                  : b && b->kind == BLOCK_DEAD ? if_dead
                                               : MISUSE_FOREIGN,
                  p);
    return NULL;
}

/* The shadow must be able to take the block before the heap is changed. */
static bool ready(struct heap *h)
{
    return !h->over && shadow_reserve(h->shadow, h->env->arena);
}

/* Does a pointer that is no live block reach the allocator all the same, as in life? */
static bool unfiltered(const struct heap *h)
{
    return h->config.unfiltered && h->ops->takes_any && !h->over;
}

/* ---- the family ---- */

/* Does this block get a mapping of its own? */
static bool goes_apart(struct heap *h, uint64_t size)
{
    uint64_t threshold = h->config.mmap_threshold;
    if (!h->ops->large_apart || !threshold)
        return false;
    EMIT(h->env, alloc_threshold, .size = size, .threshold = threshold, .mmap = size >= threshold);
    return size >= threshold;
}

/* A block from the allocator or apart from it; 0: no memory. alignment 0: the usual one; above the
 * usual one it is a power of two. */
static va_t find_memory(struct heap *h, uint64_t alignment, uint64_t size)
{
    const struct alloc_ops *ops = h->ops;
    bool apart = ops->large_apart;
    uint64_t align = max_u64(alignment, USUAL_ALIGNMENT);
    if (apart && (size > REQUEST_MAX || align > REQUEST_MAX))
        return 0;
    va_t p = 0;
    bool large = goes_apart(h, size);
    if (!large && align == USUAL_ALIGNMENT)
        p = ops->malloc(h, size);
    else if (!large && ops->memalign)
        p = ops->memalign(h, align, size);
    if (p || !apart || h->misuse == MISUSE_CORRUPT)
        return p;
    return mapped_new(h, size, align);
}

static va_t find_zeroes(struct heap *h, uint64_t count, uint64_t size)
{
    if (h->ops->calloc)
        return h->ops->calloc(h, count, size);
    va_t p = find_memory(h, 0, count * size);
    if (p && !h->given.mapped) /* a fresh mapping is zero */
        heap_clear(h, p, count * size);
    return p;
}

static va_t allocate(struct heap *h, uint64_t alignment, uint64_t size)
{
    EMIT(h->env, alloc_request, .request = size, .alignment = alignment);
    va_t p = 0;
    if (ready(h)) {
        va_t complaint;
        p = find_memory(h, alignment, size);
        if (!p && mend_and_go_on(h, &complaint)) {
            p = find_memory(h, alignment, size);
            complain_again(h, complaint);
        }
    }
    p = hand_out(h, p, size);
    call_end(h);
    return p;
}

va_t heap_malloc(struct heap *h, uint64_t size)
{
    call_begin(h);
    h->counters.mallocs++;
    return allocate(h, 0, size);
}

va_t heap_calloc(struct heap *h, uint64_t count, uint64_t size)
{
    call_begin(h);
    h->counters.callocs++;
    uint64_t bytes;
    bool fits = !__builtin_mul_overflow(count, size, &bytes);
    EMIT(h->env, alloc_request, .request = fits ? bytes : UINT64_MAX, .alignment = 0);
    va_t p = 0;
    if (fits && ready(h)) {
        va_t complaint;
        p = find_zeroes(h, count, size);
        if (!p && mend_and_go_on(h, &complaint)) {
            p = find_zeroes(h, count, size);
            complain_again(h, complaint);
        }
    }
    p = hand_out(h, p, bytes);
    call_end(h);
    return p;
}

static bool lies_apart(const struct heap *h, va_t p)
{
    return h->ops->large_apart && shadow_find(h->shadow, p)->mapped;
}

static void give_up(struct heap *h, va_t p)
{
    if (lies_apart(h, p))
        mapped_free(h, p);
    else
        h->ops->free(h, p);
}

static void release(struct heap *h, va_t p)
{
    const struct heap_block *b = live_block(h, p, MISUSE_DOUBLE_FREE);
    if (!b) {
        EMIT(h->env, alloc_free, .pointer = p);
        if (unfiltered(h))
            h->ops->free(h, p);
        return;
    }
    h->counters.frees++;
    struct heap_block gone = *b;
    take_back(h, &gone);
    EMIT(h->env, alloc_free, .pointer = p, .chunk = gone.chunk, .size = gone.size);
    give_up(h, p);
    call_end(h);
}

void heap_free(struct heap *h, va_t p)
{
    call_begin(h);
    if (p)
        release(h, p);
}

/* Where the allocator has no realloc of its own. */
static va_t resize_simply(struct heap *h, va_t p, uint64_t size)
{
    const struct heap_block *b = shadow_find(h->shadow, p);
    uint64_t usable = h->ops->usable ? h->ops->usable(h, p) : b->chunk + b->size - p;
    if (size > usable || size < usable / 2)
        return heap_move(h, p, usable, size);
    h->how = RESIZE_SAME;
    struct heap_given given = {b->chunk, b->size, b->chunk + b->size - p, false};
    return heap_give(h, given, p, USUAL_ALIGNMENT, p);
}

static va_t find_resized(struct heap *h, va_t p, uint64_t size)
{
    if (h->ops->large_apart && size > REQUEST_MAX)
        return 0;
    if (lies_apart(h, p))
        return mapped_resize(h, p, size);
    return h->ops->realloc ? h->ops->realloc(h, p, size) : resize_simply(h, p, size);
}

static va_t resize(struct heap *h, va_t p, uint64_t size)
{
    EMIT(h->env, alloc_request, .request = size, .alignment = 0);
    const struct heap_block *b = live_block(h, p, MISUSE_DEAD);
    if (!b && unfiltered(h) && ready(h))
        return hand_out(h, h->ops->realloc(h, p, size), size);
    if (!b || !ready(h)) {
        h->counters.failed += b != NULL;
        EMIT(h->env, alloc_resize, .pointer = p, .how = RESIZE_FAIL, .result = 0);
        return 0;
    }
    h->how = RESIZE_FAIL;
    va_t complaint;
    va_t fresh = find_resized(h, p, size);
    if (!fresh && mend_and_go_on(h, &complaint)) {
        fresh = find_resized(h, p, size);
        complain_again(h, complaint);
    }
    struct heap_block old = *shadow_find(h->shadow, p);
    EMIT(h->env, alloc_resize, .pointer = p, .how = h->how, .result = fresh);
    if (fresh) {
        h->counters.moved += fresh != p;
        h->counters.resized_in_place += fresh == p;
        take_back(h, &old);
    }
    fresh = hand_out(h, fresh, size);
    call_end(h);
    return fresh;
}

va_t heap_realloc(struct heap *h, va_t p, uint64_t size)
{
    call_begin(h);
    h->counters.reallocs++;
    if (!p)
        return allocate(h, 0, size);
    if (size)
        return resize(h, p, size);
    release(h, p);
    return 0;
}

va_t heap_reallocarray(struct heap *h, va_t p, uint64_t count, uint64_t size)
{
    uint64_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes))
        return heap_realloc(h, p, bytes);
    call_begin(h);
    h->counters.reallocs++;
    EMIT(h->env, alloc_request, .request = UINT64_MAX, .alignment = 0);
    return hand_out(h, 0, 0);
}

static void refuse(struct heap *h)
{
    if (h->ops->refused && !h->over)
        h->ops->refused(h);
}

va_t heap_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    call_begin(h);
    h->counters.aligned++;
    /* glibc rounds a senseless alignment up instead of refusing it; so do we, for every allocator,
     * because recorded programs rely on it. Beyond 2^63 there is nothing to round up to. */
    if (alignment > (uint64_t)1 << 63) {
        refuse(h);
        EMIT(h->env, alloc_request, .request = size, .alignment = alignment);
        return hand_out(h, 0, 0);
    }
    uint64_t rounded = USUAL_ALIGNMENT;
    while (rounded < alignment)
        rounded *= 2;
    return allocate(h, rounded, size);
}

int heap_posix_memalign(struct heap *h, va_t *p, uint64_t alignment, uint64_t size)
{
    if (!is_pow2(alignment) || alignment % sizeof(va_t) != 0) {
        call_begin(h);
        refuse(h);
        return LX_EINVAL;
    }
    va_t block = heap_memalign(h, alignment, size);
    if (!block)
        return LX_ENOMEM;
    *p = block;
    return 0;
}

va_t heap_aligned_alloc(struct heap *h, uint64_t alignment, uint64_t size)
{
    return heap_memalign(h, alignment, size);
}

va_t heap_valloc(struct heap *h, uint64_t size)
{
    return heap_memalign(h, PAGE_SIZE, size);
}

va_t heap_pvalloc(struct heap *h, uint64_t size)
{
    /* A size in the last page of 64 bits cannot be rounded up; left as it is, it fails as it must.
     */
    bool wraps = size > UINT64_MAX - PAGE_MASK;
    return heap_memalign(h, PAGE_SIZE, wraps ? size : align_up(size, PAGE_SIZE));
}

int heap_trim(struct heap *h, uint64_t pad)
{
    call_begin(h);
    int gave = h->ops->trim ? h->ops->trim(h, pad) : 0;
    call_end(h);
    return gave;
}

int heap_mallopt(struct heap *h, int param, int64_t value)
{
    call_begin(h);
    int understood = h->ops->mallopt ? h->ops->mallopt(h, param, value) : 0;
    call_end(h);
    return understood;
}

uint64_t heap_usable(struct heap *h, va_t p)
{
    h->misuse = MISUSE_NONE;
    h->misuse_at = 0;
    if (!p || !live_block(h, p, MISUSE_DEAD))
        return 0;
    const struct heap_block *b = shadow_find(h->shadow, p);
    uint64_t usable = b->chunk + b->size - p;
    if (h->ops->usable && !lies_apart(h, p))
        usable = h->ops->usable(h, p);
    call_end(h);
    return usable;
}

/* ---- inspection ---- */

bool heap_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *), void *ctx)
{
    bool sound = h->ops->walk(h, show, ctx);
    return sound && (!h->ops->large_apart || mapped_walk(h, show, ctx));
}

bool heap_block(const struct heap *h, va_t p, struct heap_block *out)
{
    const struct heap_block *b = shadow_find(h->shadow, p);
    if (b && b->kind != BLOCK_FENCE)
        *out = *b;
    return b && b->kind != BLOCK_FENCE;
}

struct audit {
    const struct heap *heap;
    uint64_t blocks, bytes;
    va_t wrong; /* the first chunk that shadow and walk do not agree on */
};

static void audit_chunk(void *ctx, const struct heap_chunk *c)
{
    struct audit *a = ctx;
    if (!c->used || !c->block)
        return;
    const struct heap_block *b = shadow_find(a->heap->shadow, c->block);
    enum block_kind kind = c->mapped ? BLOCK_MAPPED : BLOCK_LIVE;
    if ((!b || b->kind != kind || b->size != c->size || b->chunk != c->start) && !a->wrong)
        a->wrong = c->start;
    a->blocks++;
    a->bytes += c->size;
}

bool heap_check(const struct heap *h, char *why, size_t size)
{
    if (!h->ops->check(h, why, size))
        return false;
    struct audit a = {.heap = h};
    bool sound = heap_walk(h, audit_chunk, &a);
    const struct alloc_counters *c = &h->counters;
    if (!sound)
        snprintf(why, size, "a header does not add up");
    else if (a.wrong)
        snprintf(why, size, "chunk %#llx is not the live block that the shadow knows",
                 (unsigned long long)a.wrong);
    else if (a.blocks != c->blocks_now || a.bytes != c->bytes_chunks_now)
        snprintf(why, size, "the walk shows %llu blocks of %llu bytes, counted are %llu of %llu",
                 (unsigned long long)a.blocks, (unsigned long long)a.bytes,
                 (unsigned long long)c->blocks_now, (unsigned long long)c->bytes_chunks_now);
    else
        return true;
    return false;
}

/* ---- simulated memory ---- */

uint64_t heap_load64_far(struct heap *h, va_t at)
{
    uint64_t word = 0;
    if (h->user.load(h->user.ctx, at, &word, sizeof(word)) == 0)
        return word;
    heap_complain(h, MISUSE_SEGV, at);
    return 0;
}

void heap_store64_far(struct heap *h, va_t at, uint64_t word)
{
    if (h->user.store(h->user.ctx, at, &word, sizeof(word)) != 0)
        heap_complain(h, MISUSE_SEGV, at);
}

uint64_t heap_load(struct heap *h, va_t at, size_t bytes)
{
    uint64_t word = 0; /* little-endian, as the simulated machine */
    unsigned char byte[8] = {0};
    CHECK(bytes <= sizeof(byte));
    if (heap_get(h, at, byte, bytes) != 0)
        heap_complain(h, MISUSE_SEGV, at);
    else
        for (size_t i = bytes; i-- > 0;)
            word = word << 8 | byte[i];
    return word;
}

void heap_store(struct heap *h, va_t at, uint64_t word, size_t bytes)
{
    unsigned char byte[8];
    CHECK(bytes <= sizeof(byte));
    for (size_t i = 0; i < sizeof(byte); i++)
        byte[i] = (unsigned char)(word >> 8 * i);
    if (heap_put(h, at, byte, bytes) != 0)
        heap_complain(h, MISUSE_SEGV, at);
}

static uint64_t to_page_end(va_t at)
{
    return PAGE_SIZE - (at & PAGE_MASK);
}

static void copy(struct heap *h, va_t to, va_t from, uint64_t n)
{
    uint8_t buffer[PAGE_SIZE];
    h->counters.bytes_copied += n;
    while (n) {
        uint64_t piece = min_u64(n, min_u64(to_page_end(to), to_page_end(from)));
        va_t bad = 0;
        if (h->user.load(h->user.ctx, from, buffer, piece) != 0)
            bad = from;
        else if (h->user.store(h->user.ctx, to, buffer, piece) != 0)
            bad = to;
        if (bad) {
            heap_complain(h, MISUSE_SEGV, bad);
            return;
        }
        to += piece;
        from += piece;
        n -= piece;
    }
}

void heap_copy(struct heap *h, va_t to, va_t from, uint64_t n)
{
    h->in_payload = true;
    copy(h, to, from, n);
    h->in_payload = false;
}

void heap_fill(struct heap *h, va_t to, uint8_t byte, uint64_t n)
{
    uint8_t buffer[PAGE_SIZE];
    memset(buffer, byte, min_u64(n, sizeof(buffer)));
    h->counters.bytes_filled += n;
    while (n) {
        uint64_t piece = min_u64(n, to_page_end(to));
        if (h->user.store(h->user.ctx, to, buffer, piece) != 0) {
            heap_complain(h, MISUSE_SEGV, to);
            return;
        }
        to += piece;
        n -= piece;
    }
}

void heap_clear(struct heap *h, va_t to, uint64_t n)
{
    h->in_payload = true;
    heap_fill(h, to, 0, n);
    h->in_payload = false;
}

uint64_t heap_peek64(const struct heap *h, va_t at)
{
    uint64_t word = 0;
    return h->user.peek(h->user.ctx, at, &word, sizeof(word)) == 0 ? word : 0;
}

int64_t heap_syscall(struct heap *h, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
                     uint64_t a3, uint64_t a4, uint64_t a5)
{
    const uint64_t arg[6] = {a0, a1, a2, a3, a4, a5};
    return h->user.syscall(h->user.ctx, nr, arg);
}

/* ---- what allocators tell ---- */

void heap_complain(struct heap *h, enum misuse what, va_t at)
{
    if (h->misuse != MISUSE_NONE)
        return;
    h->misuse = what;
    h->misuse_at = at;
}

void heap_probe(struct heap *h, va_t chunk, uint64_t size, uint64_t need,
                enum probe_verdict verdict, va_t best)
{
    h->counters.probes++;
    h->env->cycle += h->config.probe_cycles;
    EMIT(h->env, alloc_probe, .chunk = chunk, .size = size, .need = need, .verdict = verdict,
         .best = best);
}

void heap_fit(struct heap *h, va_t chunk, uint64_t size, uint64_t need, uint64_t probes)
{
    h->counters.searches++;
    h->counters.probes_max = max_u64(h->counters.probes_max, probes);
    EMIT(h->env, alloc_fit, .chunk = chunk, .size = size, .need = need, .probes = probes);
}

void heap_header(struct heap *h, va_t chunk, va_t at, uint64_t word)
{
    uint64_t before = h->env->bus->on ? heap_peek64(h, at) : 0;
    heap_store64(h, at, word);
    EMIT(h->env, alloc_header, .chunk = chunk, .at = at, .before = before, .after = word);
}

va_t heap_give(struct heap *h, struct heap_given given, va_t raw, uint64_t alignment, va_t block)
{
    h->given = given;
    EMIT(h->env, alloc_align, .raw = raw, .alignment = alignment, .pointer = block);
    return block;
}

void heap_hold(struct heap *h, uint64_t more, uint64_t less)
{
    struct alloc_counters *c = &h->counters;
    INVARIANT(c->bytes_heap_now + more >= less);
    c->bytes_heap_now += more - less;
    c->bytes_heap_peak = max_u64(c->bytes_heap_peak, c->bytes_heap_now);
}

va_t heap_move(struct heap *h, va_t old, uint64_t old_usable, uint64_t size)
{
    va_t fresh = find_memory(h, 0, size);
    if (!fresh) {
        h->how = RESIZE_FAIL;
        return 0;
    }
    heap_copy(h, fresh, old, min_u64(old_usable, size));
    struct heap_given given = h->given;
    give_up(h, old);
    h->given = given;
    h->how = RESIZE_MOVE;
    return fresh;
}
