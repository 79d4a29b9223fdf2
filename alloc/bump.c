/* bump.c: an allocator that only moves a pointer up; the one to read first.
 *
 * malloc cuts the next bytes off a piece of memory and moves the pointer behind them; when the
 * piece is used up, brk gives the next one. free does nothing: nothing is ever used again. So it is
 * as fast as an allocator can be, wastes nothing between blocks, and grows without end: the two
 * ends of every trade-off that the other allocators make.
 *
 *   start                                        next            end         break
 *     │ 8 bytes                                    │              │ 8 bytes   │
 *     ▼                                            ▼              ▼           ▼
 *     ┌────────┬───────────────┬────────┬─────────┬──────────────┬───────────┐
 *     │ header │ block         │ header │ block   │ never used   │ room for  │
 *     │ size|1 │               │ size|1 │         │              │ a fence   │
 *     └────────┴───────────────┴────────┴─────────┴──────────────┴───────────┘
 *              ▲ 16-aligned             ▲ 16-aligned
 *
 * Why a header at all, where nothing is freed? realloc copies, so it must know how much. The header
 * is one word: size of the chunk (header included, a multiple of 16) and bit 0: used. A chunk with
 * bit 0 clear is a gap: padding in front of an aligned block, the unused end of a piece, or, where
 * the program itself moved the break, foreign memory that lies between two of our pieces.
 *
 * Cost: malloc O(1) (one store), free nothing, realloc O(size).
 */
#include "alloc/bump.h"

#include "alloc/shadow.h"
#include "sim/base/arena.h"

#include <stdio.h>

#define HEADER    8u
#define ALIGNMENT 16u
#define USED      1u

struct bump {
    va_t start; /* first header; 0: no memory yet. start, next and end are 8 beyond 16 */
    va_t next;  /* where the next header goes */
    va_t end;   /* no chunk goes beyond it */
    va_t brk;   /* the break as we left it */
};

static int bump_init(struct heap *h)
{
    (void)h; /* all zero is an empty heap */
    return 0;
}

/* Header and block, rounded up; 0: more than there can be. */
static uint64_t chunk_size(struct heap *h, uint64_t request)
{
    uint64_t chunk = request > INT64_MAX ? 0 : align_up(request + HEADER, ALIGNMENT);
    EMIT(h->env, alloc_size, .request = request, .header = HEADER, .alignment = ALIGNMENT,
         .minimum = ALIGNMENT, .chunk = chunk);
    return chunk;
}

/* The chunks must form one chain that a walk can follow, so what we step over gets a header too. */
static void skip_to(struct heap *h, struct bump *b, va_t to)
{
    if (to > b->next)
        heap_header(h, b->next, b->next, to - b->next);
    b->next = to;
}

/* Moves the break so that need bytes fit; where somebody else moved it since, our next piece
 * begins above theirs. */
static bool grow(struct heap *h, uint64_t need)
{
    struct bump *b = h->state;
    va_t now = (va_t)heap_syscall(h, LX_NR_brk, 0, 0, 0, 0, 0, 0);
    va_t base = max_u64(now, b->brk);
    va_t from = base == b->brk ? b->next : align_up(base, ALIGNMENT) + HEADER;
    uint64_t bytes = max_u64(need, h->config.arena_bytes);
    va_t want;
    if (__builtin_add_overflow(from + HEADER + PAGE_MASK, bytes, &want))
        return false;
    want = align_down(want, PAGE_SIZE);
    EMIT(h->env, alloc_grow, .need = need, .have = b->end - b->next, .ask = want - base,
         .mmap = false);
    if ((va_t)heap_syscall(h, LX_NR_brk, want, 0, 0, 0, 0, 0) != want)
        return false;
    h->counters.grows++;
    heap_hold(h, want - base, 0);
    if (b->start)
        skip_to(h, b, from);
    else
        b->start = b->next = from;
    b->end = want - HEADER;
    b->brk = want;
    return true;
}

/* A chunk whose block lies at a multiple of alignment. */
static va_t cut(struct heap *h, uint64_t request, uint64_t alignment)
{
    struct bump *b = h->state;
    uint64_t chunk = chunk_size(h, request);
    if (!chunk || alignment > INT64_MAX)
        return 0;
    va_t block = align_up(b->next + HEADER, alignment);
    if (!b->start || block + (chunk - HEADER) > b->end || block < b->next) {
        if (!grow(h, chunk + (alignment - ALIGNMENT)))
            return 0;
        block = align_up(b->next + HEADER, alignment);
    }
    va_t raw = b->next + HEADER;
    skip_to(h, b, block - HEADER);
    heap_header(h, b->next, b->next, chunk | USED);
    b->next += chunk;
    struct heap_given given = {block - HEADER, chunk, chunk - HEADER, false};
    return heap_give(h, given, raw, alignment, block);
}

static va_t bump_malloc(struct heap *h, uint64_t size)
{
    return cut(h, size, ALIGNMENT);
}

static va_t bump_memalign(struct heap *h, uint64_t alignment, uint64_t size)
{
    return cut(h, size, alignment);
}

/* Nothing is used twice, and memory from the kernel is zero: nothing to clear. */
static va_t bump_calloc(struct heap *h, uint64_t count, uint64_t size)
{
    return cut(h, count * size, ALIGNMENT);
}

static void bump_free(struct heap *h, va_t block)
{
    (void)h;
    (void)block;
}

/* The header says how large; where it does not say what we wrote there, the shadow does. */
static uint64_t bump_usable(struct heap *h, va_t block)
{
    uint64_t size = shadow_find(h->shadow, block)->size;
    if (heap_load64(h, block - HEADER) != (size | USED))
        heap_complain(h, MISUSE_CORRUPT, block - HEADER);
    return size - HEADER;
}

static va_t bump_realloc(struct heap *h, va_t block, uint64_t size)
{
    uint64_t usable = bump_usable(h, block);
    if (size > usable)
        return heap_move(h, block, usable, size);
    h->how = RESIZE_SAME;
    struct heap_given given = {block - HEADER, usable + HEADER, usable, false};
    return heap_give(h, given, block, ALIGNMENT, block);
}

static bool bump_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                      void *ctx)
{
    const struct bump *b = h->state;
    for (va_t at = b->start; at < b->next;) {
        uint64_t header = heap_peek64(h, at);
        uint64_t size = align_down(header, ALIGNMENT);
        struct heap_chunk c = {.start = at, .size = size, .header = header, .list = ""};
        c.corrupt = size < ALIGNMENT || size > b->next - at;
        /* Nothing is used again, so a freed block still stands there, but it is nobody's. */
        const struct heap_block *known = shadow_find(h->shadow, at + HEADER);
        c.used = (header & USED) && known && known->kind == BLOCK_LIVE;
        c.block = c.used ? at + HEADER : 0;
        c.usable = c.used ? size - HEADER : 0;
        show(ctx, &c);
        if (c.corrupt)
            return false;
        at += size;
    }
    if (b->start && b->end > b->next)
        show(ctx, &(struct heap_chunk){
                      .start = b->next, .size = b->end - b->next, .top = true, .list = ""});
    return true;
}

static void ignore(void *ctx, const struct heap_chunk *c)
{
    (void)ctx;
    (void)c;
}

static bool bump_check(const struct heap *h, char *why, size_t size)
{
    const struct bump *b = h->state;
    if (b->start > b->next || b->next > b->end || (b->start && b->end != b->brk - HEADER))
        snprintf(why, size, "start, next, end are not in order");
    else if (b->start && (b->start % ALIGNMENT != HEADER || b->next % ALIGNMENT != HEADER))
        snprintf(why, size, "start or next would not align a block");
    else if (!bump_walk(h, ignore, NULL))
        snprintf(why, size, "a header does not lead to the next one");
    else
        return true;
    return false;
}

/* Headers that the program wrote over are written again, those of gaps too: between two blocks
 * that are alive, everything is a gap. */
static void bump_mend(struct heap *h)
{
    struct bump *b = h->state;
    size_t count = shadow_count(h->shadow);
    struct heap_block *live = shadow_sorted(h->shadow, h->env->arena);
    if (count && !live)
        return;
    va_t next = b->next;
    b->next = b->start;
    for (size_t i = 0; i < count; i++) {
        skip_to(h, b, live[i].chunk);
        heap_header(h, b->next, b->next, live[i].size | USED);
        b->next += live[i].size;
    }
    skip_to(h, b, next);
    arena_free(h->env->arena, live, count * sizeof(live[0]));
}

const struct alloc_ops bump_ops = {
    .name = "bump",
    .doc = "moves a pointer up; free does nothing",
    .bits = "U",
    .state_size = sizeof(struct bump),
    .init = bump_init,
    .malloc = bump_malloc,
    .calloc = bump_calloc,
    .realloc = bump_realloc,
    .memalign = bump_memalign,
    .free = bump_free,
    .usable = bump_usable,
    .walk = bump_walk,
    .check = bump_check,
    .mend = bump_mend,
};
