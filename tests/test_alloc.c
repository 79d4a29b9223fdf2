/* test_alloc.c: what every allocator of the table must do: hand out aligned, disjoint blocks that
 * keep their bytes, whatever the order of calls and whatever fails below, with headers and counters
 * that add up after every single call. */
#include "alloc/alloc.h"
#include "tests/fake_user.h"
#include "tests/test.h"

#define SLOTS 96u

/* What the program knows of one of its blocks. */
struct held {
    va_t p;
    uint64_t size;
    uint8_t seed;
};

struct player {
    struct rig rig;
    struct rng rng;
    struct held held[SLOTS];
    uint64_t requested;
};

/* Check writes to a pipe at every assertion; in loops over bytes only a failure may. */
#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond))                                                                               \
            ck_abort_msg("%s", #cond);                                                             \
    } while (0)

static uint8_t pattern(const struct held *b, uint64_t i)
{
    return (uint8_t)(b->seed + i * 7 + (i >> 8));
}

/* Fills bytes [from, size) of a block, but of a large one only both ends. */
static void paint(struct player *g, const struct held *b, uint64_t from)
{
    for (uint64_t i = from; i < b->size; i++) {
        if (i == from + 3000 && b->size - i > 3000)
            i = b->size - 3000;
        uint8_t byte = pattern(b, i);
        MUST(fake_store(g->rig.user, b->p + i, &byte, 1) == 0);
    }
}

static void verify(const struct player *g, const struct held *b, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (i == 1500 && size > 3000)
            i = size - 1500;
        if (i >= 3000 && i + 3000 < b->size)
            continue; /* never painted */
        uint8_t byte;
        MUST(fake_peek(g->rig.user, b->p + i, &byte, 1) == 0);
        MUST(byte == pattern(b, i));
    }
}

static void check_heap(const struct player *g)
{
    char why[256];
    const struct heap *h = g->rig.heap;
    ck_assert_msg(heap_check(h, why, sizeof(why)), "%s: %s", h->ops->name, why);
    ck_assert_uint_eq(h->counters.bytes_requested_now, g->requested);
    ck_assert_uint_eq(h->misuse, MISUSE_NONE);
}

static void no_overlap(const struct player *g, const struct held *b)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct held *other = &g->held[i];
        if (other != b && other->p)
            MUST(b->p + b->size <= other->p || other->p + other->size <= b->p);
    }
}

/* The block is new (its first keep bytes are old ones). */
static void take(struct player *g, struct held *b, va_t p, uint64_t size, uint64_t align)
{
    ck_assert_uint_eq(p % align, 0);
    *b = (struct held){p, size, (uint8_t)rng_below(&g->rng, 256)};
    g->requested += size;
    no_overlap(g, b);
    ck_assert_uint_ge(heap_usable(g->rig.heap, p), size);
    paint(g, b, 0);
}

static uint64_t some_size(struct rng *r)
{
    switch (rng_below(r, 16)) {
    case 0:
        return 0;
    case 1:
        return 1 + rng_below(r, 300 * 1024);
    case 2:
    case 3:
        return 1 + rng_below(r, 20000);
    default:
        return 1 + rng_below(r, 500);
    }
}

static void do_free(struct player *g, struct held *b)
{
    verify(g, b, b->size);
    heap_free(g->rig.heap, b->p);
    g->requested -= b->size;
    *b = (struct held){0};
}

static void do_resize(struct player *g, struct held *b)
{
    uint64_t size = 1 + some_size(&g->rng);
    verify(g, b, b->size);
    va_t p = heap_realloc(g->rig.heap, b->p, size);
    if (!p) {
        verify(g, b, b->size);
        return;
    }
    struct held moved = {p, b->size, b->seed};
    verify(g, &moved, min_u64(size, b->size));
    g->requested -= b->size;
    take(g, b, p, size, 16);
}

static void do_new(struct player *g, struct held *b)
{
    struct heap *h = g->rig.heap;
    uint64_t size = some_size(&g->rng);
    uint64_t align = 16;
    va_t p;
    uint32_t what = rng_below(&g->rng, 8);
    if (what == 0) {
        align = (uint64_t)1 << rng_below(&g->rng, 15);
        p = heap_memalign(h, align, size);
        align = max_u64(align, 16);
    } else if (what == 1) {
        p = heap_calloc(h, 1 + size / 8, 8);
        size = (1 + size / 8) * 8;
        uint8_t byte = 1;
        for (uint64_t i = 0; p && i < size; i++) {
            MUST(fake_peek(g->rig.user, p + i, &byte, 1) == 0);
            MUST(byte == 0);
        }
    } else {
        p = heap_malloc(h, size);
    }
    if (p)
        take(g, b, p, size, align);
}

static void step(struct player *g)
{
    struct held *b = &g->held[rng_below(&g->rng, SLOTS)];
    if (!b->p)
        do_new(g, b);
    else if (rng_below(&g->rng, 3) == 0)
        do_resize(g, b);
    else
        do_free(g, b);
    if (rng_below(&g->rng, 200) == 0)
        heap_trim(g->rig.heap, rng_below(&g->rng, 8192));
    check_heap(g);
}

static void player_init_with(struct player *g, const struct alloc_ops *ops, uint64_t seed,
                             const struct alloc_config *config)
{
    memset(g, 0, sizeof(*g));
    g->rng.state = seed;
    rig_init(&g->rig, ops, config);
    ck_assert_ptr_nonnull(g->rig.heap);
}

static void player_init(struct player *g, const struct alloc_ops *ops, uint64_t seed)
{
    struct alloc_config config = rig_config();
    player_init_with(g, ops, seed, &config);
}

static void player_end(struct player *g)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (g->held[i].p)
            do_free(g, &g->held[i]);
    check_heap(g);
    ck_assert_uint_eq(g->rig.heap->counters.blocks_now, 0);
    ck_assert_uint_eq(g->rig.heap->counters.bytes_chunks_now, 0);
    rig_free(&g->rig);
}

/* The tests below run once for each allocator, in a process each: Check counts in _i. */
#define THIS_ALLOCATOR(a) for (size_t a = (size_t)_i; a == (size_t)_i; a++)

START_TEST(random_streams)
{
    THIS_ALLOCATOR(a)
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct player g;
        player_init(&g, alloc_table[a], seed);
        for (unsigned i = 0; i < 600; i++)
            step(&g);
        player_end(&g);
    }
}
END_TEST

/* Every setting of boundary tags, and a break that the program moves too. */
START_TEST(random_streams_with_settings)
{
    static const char *const names[] = {"first-fit",  "next-fit", "best-fit",
                                        "segregated", "tlsf",     "dl-like"};
    struct alloc_config config = rig_config();
    config.order = (uint32_t)_i % LIST_ORDERS;
    config.deferred = _i / LIST_ORDERS & 1;
    config.footers = _i / LIST_ORDERS & 2;
    for (size_t a = 0; a < ARRAY_LEN(names); a++) {
        struct player g;
        player_init_with(&g, alloc_find(names[a]), (uint64_t)_i + 1, &config);
        for (unsigned i = 0; i < 400; i++) {
            if (i % 100 == 50)
                fake_brk(g.rig.user, g.rig.user->brk + 1 + rng_below(&g.rng, 9000));
            step(&g);
        }
        player_end(&g);
    }
}
END_TEST

/* The program moves the break itself, in the middle of everything. */
START_TEST(random_streams_with_a_foreign_break)
{
    THIS_ALLOCATOR(a)
    {
        struct player g;
        player_init(&g, alloc_table[a], 77);
        unsigned moves = 0;
        for (unsigned i = 0; i < 600; i++) {
            if (i % 20 == 10) {
                va_t brk = g.rig.user->brk;
                va_t to = brk + 1 + rng_below(&g.rng, 9000);
                moves += fake_brk(g.rig.user, to) == (int64_t)to;
                uint8_t dirt[1] = {0xee};
                fake_store(g.rig.user, brk, dirt, 1);
            }
            step(&g);
        }
        ck_assert_uint_eq(moves, 30);
        player_end(&g);
    }
}
END_TEST

START_TEST(every_nth_syscall_fails)
{
    THIS_ALLOCATOR(a)
    {
        uint64_t failed = 0;
        for (uint64_t n = 1; n <= 60; n += n < 10 ? 1 : 5) {
            struct player g;
            player_init(&g, alloc_table[a], 5);
            g.rig.user->fail_at = n;
            g.rig.user->fail_on = n % 2;
            for (unsigned i = 0; i < 200; i++)
                step(&g);
            failed += g.rig.heap->counters.failed;
            g.rig.user->fail_at = 0;
            player_end(&g);
        }
        ck_assert_uint_gt(failed, 0);
    }
}
END_TEST

/* A fork has books of its own: they are sound, they go without a trace, and where there is no
 * memory for them nothing is lost. */
START_TEST(forked_books)
{
    THIS_ALLOCATOR(a)
    {
        struct player g;
        player_init(&g, alloc_table[a], 3);
        for (unsigned i = 0; i < 200; i++)
            step(&g);
        struct user door = fake_door(g.rig.user);
        uint64_t used = arena_used(g.rig.arena);
        unsigned refused = 0;
        for (uint64_t n = 0; n <= 6; n++) {
            arena_fail_at(g.rig.arena, n);
            struct heap *child = heap_fork(g.rig.heap, &door);
            arena_fail_at(g.rig.arena, 0);
            char why[256];
            refused += !child;
            if (child)
                ck_assert_msg(heap_check(child, why, sizeof(why)), "%s", why);
            heap_destroy(child);
            ck_assert_uint_eq(arena_used(g.rig.arena), used);
        }
        ck_assert_uint_ge(refused, 3);
        player_end(&g);
    }
}
END_TEST

START_TEST(every_nth_arena_alloc_fails)
{
    THIS_ALLOCATOR(a)
    for (uint64_t n = 1; n <= 10; n++) {
        struct player g;
        player_init(&g, alloc_table[a], n);
        arena_fail_at(g.rig.arena, n);
        for (unsigned i = 0; i < 150; i++)
            step(&g);
        arena_fail_at(g.rig.arena, 0);
        player_end(&g);
    }
}
END_TEST

START_TEST(a_heap_that_cannot_be_made)
{
    struct rig r;
    struct alloc_config config = rig_config();
    THIS_ALLOCATOR(a)
    {
        rig_init(&r, alloc_table[a], &config);
        struct user door = fake_door(r.user);
        uint64_t used = arena_used(r.arena);
        unsigned refused = 0;
        for (uint64_t n = 1; n <= 6; n++) {
            arena_fail_at(r.arena, n);
            struct heap *h = heap_new(&r.env, &door, alloc_table[a], &config);
            arena_fail_at(r.arena, 0);
            refused += h == NULL;
            heap_destroy(h);
            ck_assert_uint_eq(arena_used(r.arena), used);
        }
        ck_assert_uint_ge(refused, 4);
        rig_free(&r);
    }
}
END_TEST

START_TEST(arguments)
{
    const uint64_t huge[] = {(uint64_t)1 << 47, INT64_MAX,      (uint64_t)1 << 63,
                             UINT64_MAX - 4096, UINT64_MAX - 8, UINT64_MAX};
    THIS_ALLOCATOR(a)
    {
        struct rig r;
        struct alloc_config config = rig_config();
        rig_init(&r, alloc_table[a], &config);
        struct heap *h = r.heap;
        va_t keep = heap_malloc(h, 40);
        for (size_t i = 0; i < ARRAY_LEN(huge); i++) {
            ck_assert_uint_eq(heap_malloc(h, huge[i]), 0);
            ck_assert_uint_eq(heap_calloc(h, 1, huge[i]), 0);
            ck_assert_uint_eq(heap_realloc(h, keep, huge[i]), 0);
            ck_assert_uint_eq(heap_memalign(h, 64, huge[i]), 0);
            ck_assert_uint_eq(heap_memalign(h, huge[i], 64), 0);
            ck_assert_uint_eq(heap_valloc(h, huge[i]), 0);
            ck_assert_uint_eq(heap_pvalloc(h, huge[i]), 0);
        }
        ck_assert_uint_eq(h->counters.failed, 7 * ARRAY_LEN(huge));
        ck_assert_uint_eq(heap_calloc(h, (uint64_t)1 << 32, (uint64_t)1 << 32), 0);
        ck_assert_uint_eq(heap_reallocarray(h, keep, (uint64_t)1 << 60, 17), 0);
        va_t p = 1;
        ck_assert_int_eq(heap_posix_memalign(h, &p, 24, 8), LX_EINVAL);
        ck_assert_int_eq(heap_posix_memalign(h, &p, 4, 8), LX_EINVAL);
        ck_assert_int_eq(heap_posix_memalign(h, &p, 0, 8), LX_EINVAL);
        ck_assert_int_eq(heap_posix_memalign(h, &p, 64, INT64_MAX), LX_ENOMEM);
        ck_assert_uint_eq(p, 1);
        ck_assert_int_eq(heap_posix_memalign(h, &p, 256, 8), 0);
        ck_assert_uint_eq(p % 256, 0);
        ck_assert_uint_eq(heap_aligned_alloc(h, 48, 8) % 64, 0);
        ck_assert_uint_eq(heap_valloc(h, 1) % PAGE_SIZE, 0);
        va_t pages = heap_pvalloc(h, 1);
        ck_assert_uint_ge(heap_usable(h, pages), PAGE_SIZE);
        ck_assert_uint_ne(heap_malloc(h, 0), 0);
        ck_assert_uint_eq(heap_realloc(h, keep, 0), 0);
        ck_assert_uint_ne(heap_realloc(h, 0, 10), 0);
        heap_free(h, 0);
        ck_assert_uint_eq(h->misuse, MISUSE_NONE);
        char why[256];
        ck_assert_msg(heap_check(h, why, sizeof(why)), "%s", why);
        rig_free(&r);
    }
}
END_TEST

/* Whatever pointer comes in: named as what it is, and the heap stays as it was. */
START_TEST(misuse_of_pointers)
{
    THIS_ALLOCATOR(a)
    {
        struct rig r;
        struct alloc_config config = rig_config();
        rig_init(&r, alloc_table[a], &config);
        struct heap *h = r.heap;
        va_t p = heap_malloc(h, 100);
        va_t q = heap_malloc(h, 100);
        va_t big = heap_malloc(h, MIB);
        r.env.op = 7;
        heap_free(h, p);
        heap_free(h, big);
        const va_t foreign[] = {q + 1, q + 16, q - 16, 16, FAKE_TOP, UINT64_MAX, UINT64_MAX - 15};
        for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
            heap_free(h, foreign[i]);
            ck_assert_uint_eq(h->misuse, MISUSE_FOREIGN);
            ck_assert_uint_eq(h->misuse_at, foreign[i]);
            ck_assert_uint_eq(heap_realloc(h, foreign[i], 50), 0);
            ck_assert_uint_eq(h->misuse, MISUSE_FOREIGN);
        }
        heap_free(h, p);
        ck_assert_uint_eq(h->misuse, MISUSE_DOUBLE_FREE);
        heap_free(h, big);
        ck_assert_uint_eq(h->misuse, MISUSE_DOUBLE_FREE);
        ck_assert_uint_eq(heap_realloc(h, p, 10), 0);
        ck_assert_uint_eq(h->misuse, MISUSE_DEAD);
        ck_assert_uint_eq(heap_usable(h, p), 0);
        struct heap_block b;
        ck_assert(heap_block(h, p, &b));
        ck_assert_uint_eq(b.kind, BLOCK_DEAD);
        ck_assert_uint_eq(b.op, 7);
        ck_assert(!heap_block(h, q + 16, &b));
        char why[256];
        ck_assert_msg(heap_check(h, why, sizeof(why)), "%s", why);
        ck_assert_uint_eq(h->counters.blocks_now, 1);
        ck_assert_uint_eq(h->counters.bytes_requested_now, 100);
        heap_free(h, q);
        ck_assert_uint_eq(h->misuse, MISUSE_NONE);
        rig_free(&r);
    }
}
END_TEST

/* Live blocks keep their bytes and the heap comes to order again, whatever a program writes beyond
 * the ends of its blocks and into freed ones. */
START_TEST(wild_writes)
{
    THIS_ALLOCATOR(a)
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct player g;
        player_init(&g, alloc_table[a], seed);
        for (unsigned i = 0; i < 400; i++) {
            struct held *b = &g.held[rng_below(&g.rng, 40)];
            uint64_t junk[2] = {rng_next(&g.rng), rng_below(&g.rng, 400)};
            if (b->p && rng_below(&g.rng, 4) == 0)
                fake_store(g.rig.user, align_up(b->p + b->size, 8), &junk[i % 2], 8);
            else if (b->p && rng_below(&g.rng, 8) == 0)
                fake_store(g.rig.user, b->p - 8, &junk[i % 2], 8);
            if (!b->p) {
                va_t p = heap_malloc(g.rig.heap, some_size(&g.rng) % 3000);
                struct heap_block known;
                if (g.rig.heap->over)
                    break;
                ck_assert(p && heap_block(g.rig.heap, p, &known));
                *b = (struct held){p, known.request, 0};
            } else {
                va_t dead = b->p;
                heap_free(g.rig.heap, b->p);
                *b = (struct held){0};
                if (rng_below(&g.rng, 4) == 0)
                    fake_store(g.rig.user, dead, junk, 8);
            }
            MUST(g.rig.heap->counters.blocks_now <= 40);
        }
        if (g.rig.heap->over) { /* it ended the program, as it should */
            rig_free(&g.rig);
            continue;
        }
        for (size_t i = 0; i < SLOTS; i++)
            heap_free(g.rig.heap, g.held[i].p);
        ck_assert_uint_eq(g.rig.heap->counters.blocks_now, 0);
        if (g.rig.heap->ops->mend)
            g.rig.heap->ops->mend(g.rig.heap);
        char why[256];
        ck_assert_msg(heap_check(g.rig.heap, why, sizeof(why)), "%s: %s", g.rig.heap->ops->name,
                      why);
        rig_free(&g.rig);
    }
}
END_TEST

START_TEST(counters_and_cost)
{
    struct rig r;
    struct alloc_config config = rig_config();
    rig_init(&r, alloc_find("first-fit"), &config);
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, 24);
    va_t q = heap_malloc(h, 25);
    const struct alloc_counters *c = &h->counters;
    ck_assert_uint_eq(c->mallocs, 2);
    ck_assert_uint_eq(c->bytes_requested_now, 49);
    ck_assert_uint_eq(c->bytes_chunks_now, 32 + 48);
    ck_assert_uint_eq(c->blocks_now, 2);
    /* Two calls, and one look at top by the second: the first found no heap. */
    ck_assert_uint_eq(r.env.cycle, 2 * 20 + 2);
    heap_free(h, q);
    heap_free(h, p);
    ck_assert_uint_eq(c->frees, 2);
    ck_assert_uint_eq(c->bytes_requested_now, 0);
    ck_assert_uint_eq(c->bytes_requested_peak, 49);
    ck_assert_uint_eq(c->bytes_chunks_peak, 80);
    ck_assert_uint_eq(c->blocks_peak, 2);
    ck_assert_uint_eq(c->bytes_heap_now, r.user->brk - FAKE_HEAP);
    ck_assert_uint_eq(c->loads + c->stores, r.user->accesses);
    rig_free(&r);
}
END_TEST

START_TEST(names)
{
    ck_assert_ptr_null(alloc_find("no such"));
    for (size_t a = 0; alloc_table[a]; a++) {
        ck_assert_ptr_eq(alloc_find(alloc_table[a]->name), alloc_table[a]);
        ck_assert_uint_gt(strlen(alloc_table[a]->doc), 0);
    }
    for (size_t i = 0; i < PROBE_VERDICTS; i++)
        ck_assert_ptr_nonnull(probe_verdict_name[i]);
    for (size_t i = 0; i < RESIZE_HOWS; i++)
        ck_assert_ptr_nonnull(resize_how_name[i]);
    for (size_t i = 0; i < MISUSE_KINDS; i++)
        ck_assert_ptr_nonnull(misuse_name[i]);
}
END_TEST

int main(void)
{
    const TTest *const each[] = {
        random_streams,
        random_streams_with_a_foreign_break,
        forked_books,
        every_nth_syscall_fails,
        every_nth_arena_alloc_fails,
        a_heap_that_cannot_be_made,
        arguments,
        misuse_of_pointers,
        wild_writes,
    };
    Suite *suite = suite_create("alloc");
    TCase *table = tcase_create("each");
    TCase *all = tcase_create("alloc");
    int count = 0;
    while (alloc_table[count])
        count++;
    tcase_set_timeout(table, 120);
    tcase_set_timeout(all, 120);
    for (size_t i = 0; i < ARRAY_LEN(each); i++)
        tcase_add_loop_test(table, each[i], 0, count);
    tcase_add_loop_test(all, random_streams_with_settings, 0, 4 * LIST_ORDERS);
    tcase_add_test(all, counters_and_cost);
    tcase_add_test(all, names);
    suite_add_tcase(suite, table);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
