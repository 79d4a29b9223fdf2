/* test_freelist.c: which chunk each fit takes, how chunks are cut and merged, where memory comes
 * from and goes to, what is told on the way, and what damage is found. */
#include "alloc/freelist.h"
#include "tests/fake_user.h"
#include "tests/test.h"

#define TALE 64u

/* The events of one call, in order. */
struct tale {
    unsigned count;
    struct event event[TALE];
};

static void hear(void *ctx, const struct event *e)
{
    struct tale *t = ctx;
    if (t->count < TALE)
        t->event[t->count++] = *e;
}

static void listen(struct rig *r, struct tale *t)
{
    t->count = 0;
    r->bus.on = true;
    r->bus.count = 1;
    r->bus.listener[0] = (struct listener){hear, t};
}

static void told(const struct tale *t, const enum event_kind *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(i, t->count);
        ck_assert_str_eq(event_info[t->event[i].kind].name, event_info[kinds[i]].name);
    }
    ck_assert_uint_eq(t->count, count);
}

static const struct event *find(const struct tale *t, enum event_kind kind)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->event[i].kind == kind)
            return &t->event[i];
    ck_abort_msg("no event %s", event_info[kind].name);
    return NULL;
}

static void sound(const struct heap *h)
{
    char why[256];
    ck_assert_msg(heap_check(h, why, sizeof(why)), "%s", why);
}

static void start(struct rig *r, const char *name)
{
    struct alloc_config config = rig_config();
    rig_init(r, alloc_find(name), &config);
    ck_assert_ptr_nonnull(r->heap);
}

/* Free chunks of 112, 64, 208, 64, 512 bytes in this order of address, kept apart by used ones; the
 * list holds them the other way round, the last one freed first. */
#define HOLES 5u
static void holes(struct heap *h, va_t hole[HOLES])
{
    const uint64_t size[HOLES] = {112, 64, 208, 64, 512};
    for (size_t i = 0; i < HOLES; i++) {
        hole[i] = heap_malloc(h, size[i] - 8);
        heap_malloc(h, 8);
    }
    for (size_t i = 0; i < HOLES; i++)
        heap_free(h, hole[i]);
    sound(h);
}

START_TEST(each_fit_chooses_its_own)
{
    const struct {
        const char *name;
        size_t hole; /* that a request of a 96-byte chunk goes to */
        uint64_t probes;
    } expect[] = {{"first-fit", 4, 1}, {"next-fit", 4, 1}, {"best-fit", 0, 5}, {"worst-fit", 4, 5}};
    for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
        struct rig r;
        va_t hole[HOLES];
        start(&r, expect[i].name);
        holes(r.heap, hole);
        uint64_t before = r.heap->counters.probes;
        ck_assert_uint_eq(heap_malloc(r.heap, 88), hole[expect[i].hole]);
        ck_assert_uint_eq(r.heap->counters.probes - before, expect[i].probes);
        sound(r.heap);
        rig_free(&r);
    }
}
END_TEST

/* List: 512, 64, 208, 64, 112. The second request tells first from next fit, an exact one best fit,
 * and worst fit goes to what is largest then. */
START_TEST(the_second_request)
{
    struct rig r;
    va_t hole[HOLES];
    start(&r, "first-fit");
    holes(r.heap, hole);
    ck_assert_uint_eq(heap_malloc(r.heap, 504), hole[4]);
    ck_assert_uint_eq(heap_malloc(r.heap, 56), hole[3]);
    rig_free(&r);

    start(&r, "next-fit");
    holes(r.heap, hole);
    ck_assert_uint_eq(heap_malloc(r.heap, 200), hole[4]);
    ck_assert_uint_eq(heap_malloc(r.heap, 200), hole[4] + 208);
    ck_assert_uint_eq(heap_malloc(r.heap, 200), hole[2]);
    /* It stands behind the 208 bytes now, and does not return to the 96 left at the front. */
    ck_assert_uint_eq(heap_malloc(r.heap, 40), hole[1]);
    sound(r.heap);
    rig_free(&r);

    start(&r, "best-fit");
    holes(r.heap, hole);
    uint64_t before = r.heap->counters.probes;
    ck_assert_uint_eq(heap_malloc(r.heap, 200), hole[2]);
    ck_assert_uint_eq(r.heap->counters.probes - before, 3); /* exact: the search ends */
    rig_free(&r);

    start(&r, "worst-fit");
    holes(r.heap, hole);
    ck_assert_uint_eq(heap_malloc(r.heap, 392), hole[4]);
    ck_assert_uint_eq(heap_malloc(r.heap, 40), hole[2]);
    rig_free(&r);
}
END_TEST

START_TEST(sizes_of_chunks)
{
    struct rig r;
    start(&r, "first-fit");
    const struct {
        uint64_t request, usable;
    } expect[] = {{0, 24}, {1, 24}, {24, 24}, {25, 40}, {40, 40}, {41, 56}, {1000, 1000}};
    for (size_t i = 0; i < ARRAY_LEN(expect); i++)
        ck_assert_uint_eq(heap_usable(r.heap, heap_malloc(r.heap, expect[i].request)),
                          expect[i].usable);
    ck_assert_uint_eq(heap_malloc(r.heap, (uint64_t)1 << 63), 0);
    ck_assert_uint_eq(heap_malloc(r.heap, UINT64_MAX), 0);
    sound(r.heap);
    rig_free(&r);
}
END_TEST

START_TEST(the_story_of_the_first_malloc)
{
    struct rig r;
    struct tale t;
    start(&r, "first-fit");
    listen(&r, &t);
    va_t p = heap_malloc(r.heap, 100);
    const enum event_kind kinds[] = {
        EV_alloc_request, EV_alloc_size,   EV_alloc_threshold, EV_alloc_search,
        EV_alloc_fit,     EV_alloc_grow,   EV_alloc_header,    EV_alloc_split,
        EV_alloc_header,  EV_alloc_header, EV_alloc_align,     EV_alloc_return,
    };
    told(&t, kinds, ARRAY_LEN(kinds));
    ck_assert_uint_eq(p, FAKE_HEAP + 16);
    ck_assert_uint_eq(find(&t, EV_alloc_size)->alloc_size.chunk, 112);
    ck_assert(!find(&t, EV_alloc_threshold)->alloc_threshold.mmap);
    ck_assert_uint_eq(find(&t, EV_alloc_fit)->alloc_fit.chunk, 0);
    const struct ev_alloc_grow *grow = &find(&t, EV_alloc_grow)->alloc_grow;
    ck_assert_uint_eq(grow->need, 112);
    ck_assert_uint_eq(grow->ask, align_up(112 + 64 * KIB + 16, PAGE_SIZE));
    ck_assert_uint_eq(r.user->brk - FAKE_HEAP, grow->ask);
    const struct ev_alloc_return *back = &find(&t, EV_alloc_return)->alloc_return;
    ck_assert_uint_eq(back->pointer, p);
    ck_assert_uint_eq(back->chunk, p - 8);
    ck_assert_uint_eq(back->usable, 104);
    ck_assert_uint_eq(t.event[9].alloc_header.after, 112 | TAG_USED | TAG_PREV_USED);
    rig_free(&r);
}
END_TEST

START_TEST(the_story_of_a_split_and_of_a_merge)
{
    struct rig r;
    struct tale t;
    va_t hole[HOLES];
    start(&r, "first-fit");
    holes(r.heap, hole);
    listen(&r, &t);
    va_t p = heap_malloc(r.heap, 88);
    const enum event_kind taking[] = {
        EV_alloc_request, EV_alloc_size,   EV_alloc_threshold, EV_alloc_search, EV_alloc_probe,
        EV_alloc_fit,     EV_alloc_list,   EV_alloc_split,     EV_alloc_header, EV_alloc_header,
        EV_alloc_list,    EV_alloc_header, EV_alloc_align,     EV_alloc_return,
    };
    told(&t, taking, ARRAY_LEN(taking));
    const struct ev_alloc_header *mark = &t.event[11].alloc_header;
    ck_assert_uint_eq(mark->before, 512 | TAG_PREV_USED);
    ck_assert_uint_eq(mark->after, 96 | TAG_USED | TAG_PREV_USED);
    t.count = 0;
    heap_free(r.heap, p);
    const enum event_kind giving[] = {
        EV_alloc_free,   EV_alloc_list,   EV_alloc_coalesce,
        EV_alloc_header, EV_alloc_header, EV_alloc_list,
    };
    told(&t, giving, ARRAY_LEN(giving));
    ck_assert_uint_eq(t.event[2].alloc_coalesce.size, 512);
    rig_free(&r);
}
END_TEST

START_TEST(neighbours_merge_on_every_side)
{
    struct rig r;
    start(&r, "first-fit");
    va_t p[4];
    for (size_t i = 0; i < 4; i++)
        p[i] = heap_malloc(r.heap, 56);
    heap_malloc(r.heap, 8);
    heap_free(r.heap, p[0]);
    heap_free(r.heap, p[2]);
    ck_assert_uint_eq(freelist_of(r.heap)->listed, 2);
    heap_free(r.heap, p[1]);
    ck_assert_uint_eq(freelist_of(r.heap)->listed, 1);
    ck_assert_uint_eq(r.heap->counters.coalesces, 2);
    heap_free(r.heap, p[3]);
    sound(r.heap);
    ck_assert_uint_eq(heap_malloc(r.heap, 4 * 64 - 8), p[0]);
    ck_assert_uint_eq(freelist_of(r.heap)->listed, 0);
    sound(r.heap);
    rig_free(&r);
}
END_TEST

START_TEST(realloc_finds_the_cheapest_way)
{
    struct rig r;
    start(&r, "best-fit");
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, 200);
    va_t next = heap_malloc(h, 200);
    ck_assert_uint_eq(heap_realloc(h, p, 199), p);
    ck_assert_uint_eq(h->how, RESIZE_SAME);
    ck_assert_uint_eq(heap_realloc(h, p, 100), p);
    ck_assert_uint_eq(h->how, RESIZE_SHRINK);
    ck_assert_uint_eq(heap_realloc(h, p, 150), p);
    ck_assert_uint_eq(h->how, RESIZE_NEXT);
    sound(h);
    ck_assert_uint_eq(heap_realloc(h, next, 5000), next);
    ck_assert_uint_eq(h->how, RESIZE_TOP);
    ck_assert_uint_gt(heap_realloc(h, p, 3000), next);
    ck_assert_uint_eq(h->how, RESIZE_MOVE);
    ck_assert_uint_eq(h->counters.moved, 1);
    sound(h);
    rig_free(&r);
}
END_TEST

START_TEST(large_blocks_are_mappings)
{
    struct rig r;
    struct tale t;
    start(&r, "first-fit");
    struct heap *h = r.heap;
    heap_malloc(h, 1);
    va_t brk = r.user->brk;
    listen(&r, &t);
    va_t p = heap_malloc(h, 200000);
    ck_assert(find(&t, EV_alloc_threshold)->alloc_threshold.mmap);
    ck_assert(find(&t, EV_alloc_grow)->alloc_grow.mmap);
    ck_assert_uint_eq(find(&t, EV_alloc_grow)->alloc_grow.ask, 200704);
    ck_assert_uint_eq(p % PAGE_SIZE, 16);
    ck_assert_uint_eq(r.user->brk, brk);
    ck_assert_uint_eq(r.user->areas, 1);
    uint64_t word = 0x1234;
    fake_store(r.user, p + 199992, &word, 8);
    va_t q = heap_realloc(h, p, 900000);
    ck_assert_uint_eq(h->how, RESIZE_MREMAP);
    ck_assert_uint_eq(heap_peek64(h, q + 199992), 0x1234);
    sound(h);
    va_t aligned = heap_memalign(h, MIB, 300000);
    ck_assert_uint_eq(aligned % MIB, 0);
    sound(h);
    heap_free(h, q);
    heap_free(h, aligned);
    ck_assert_uint_eq(r.user->areas, 0);
    ck_assert_uint_eq(h->counters.mmaps, 2);
    ck_assert_uint_eq(h->counters.munmaps, 2);
    ck_assert_uint_eq(h->counters.bytes_heap_now, r.user->brk - FAKE_HEAP);
    /* Without a threshold everything comes from the break. */
    ck_assert_int_eq(heap_mallopt(h, -3, 0), 1);
    ck_assert_uint_ne(heap_malloc(h, MIB), 0);
    ck_assert_uint_eq(r.user->areas, 0);
    ck_assert_int_eq(heap_mallopt(h, 99, 0), 0);
    rig_free(&r);
}
END_TEST

START_TEST(the_top_goes_back)
{
    struct rig r;
    start(&r, "first-fit");
    struct heap *h = r.heap;
    va_t p[3];
    for (size_t i = 0; i < 3; i++)
        p[i] = heap_malloc(h, 100000);
    uint64_t peak = h->counters.bytes_heap_now;
    for (size_t i = 0; i < 3; i++)
        heap_free(h, p[i]);
    ck_assert_uint_eq(h->counters.trims, 1);
    ck_assert_uint_eq(h->counters.bytes_heap_peak, peak);
    ck_assert_uint_eq(r.user->brk - FAKE_HEAP, align_up(64 * KIB + 16, PAGE_SIZE));
    sound(h);
    ck_assert_int_eq(heap_trim(h, 0), 1);
    ck_assert_uint_eq(r.user->brk - FAKE_HEAP, PAGE_SIZE);
    ck_assert_int_eq(heap_trim(h, 0), 0);
    sound(h);
    /* Not where somebody else holds what lies above. */
    heap_malloc(h, 20000);
    fake_brk(r.user, r.user->brk + 100);
    ck_assert_int_eq(heap_trim(h, 0), 0);
    rig_free(&r);
}
END_TEST

START_TEST(calloc_clears_only_what_may_be_dirty)
{
    struct rig r;
    start(&r, "first-fit");
    struct heap *h = r.heap;
    heap_calloc(h, 1000, 8);
    heap_calloc(h, 100000, 8);
    ck_assert_uint_eq(h->counters.bytes_filled, 0);
    va_t p = heap_malloc(h, 800);
    heap_malloc(h, 8);
    heap_free(h, p);
    ck_assert_uint_eq(heap_calloc(h, 100, 8), p);
    ck_assert_uint_eq(h->counters.bytes_filled, 800);
    rig_free(&r);
}
END_TEST

/* Header, footer and link, each overwritten as a program would: found, named, and put in order. */
START_TEST(damage_is_found)
{
    const struct {
        int64_t at; /* from the block that is freed first */
        bool used;  /* it is the next block's free that finds it */
    } damage[] = {{-8, true}, {0, false}, {8, false}, {48, false}, {-8, false}};
    for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
        struct rig r;
        start(&r, "first-fit");
        struct heap *h = r.heap;
        heap_malloc(h, 48);
        va_t p = heap_malloc(h, 48);
        va_t next = heap_malloc(h, 48);
        va_t last = heap_malloc(h, 48);
        if (!damage[i].used)
            heap_free(h, p);
        uint64_t junk = 0x4141414141414141;
        fake_store(r.user, p + (va_t)damage[i].at, &junk, 8);
        heap_free(h, damage[i].used ? p : next);
        ck_assert_uint_eq(h->misuse, MISUSE_CORRUPT);
        ck_assert_uint_ge(h->misuse_at, p - 8);
        ck_assert_uint_lt(h->misuse_at, last);
        sound(h);
        ck_assert_uint_eq(heap_malloc(h, 48), p);
        ck_assert_uint_eq(h->misuse, MISUSE_NONE);
        heap_free(h, last);
        sound(h);
        rig_free(&r);
    }
}
END_TEST

START_TEST(damage_in_a_mapping)
{
    struct rig r;
    start(&r, "first-fit");
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, MIB);
    uint64_t junk = 3;
    fake_store(r.user, p - 8, &junk, 8);
    char why[256];
    ck_assert(!heap_check(h, why, sizeof(why)));
    heap_free(h, p);
    ck_assert_uint_eq(h->misuse, MISUSE_CORRUPT);
    ck_assert_uint_eq(r.user->areas, 0);
    sound(h);
    rig_free(&r);
}
END_TEST

/* What is left of top when the program takes the break: a chunk, or too little for one. */
START_TEST(the_end_before_a_fence)
{
    for (uint64_t left = 0; left <= 48; left += 16) {
        struct rig r;
        start(&r, "first-fit");
        struct heap *h = r.heap;
        heap_malloc(h, 8);
        ck_assert_uint_ne(heap_malloc(h, top_size(freelist_of(h)) - left - 8), 0);
        ck_assert_uint_eq(top_size(freelist_of(h)), left);
        fake_brk(r.user, r.user->brk + 1);
        va_t p = heap_malloc(h, 100);
        ck_assert_uint_gt(p, FAKE_HEAP + 64 * KIB);
        ck_assert_uint_eq(freelist_of(h)->listed, left >= 32);
        sound(h);
        heap_free(h, p);
        sound(h);
        rig_free(&r);
    }
}
END_TEST

/* A program that takes the heap's own memory away. */
START_TEST(the_break_is_cut)
{
    struct rig r;
    start(&r, "first-fit");
    struct heap *h = r.heap;
    va_t p = heap_malloc(h, 100);
    heap_malloc(h, 20000);
    va_t q = heap_malloc(h, 100);
    fake_brk(r.user, FAKE_HEAP + PAGE_SIZE);
    heap_free(h, q);
    ck_assert_uint_eq(h->misuse, MISUSE_SEGV);
    va_t far = heap_malloc(h, 100000);
    ck_assert_uint_ne(far, 0);
    ck_assert_uint_eq(h->misuse, MISUSE_CORRUPT);
    sound(h);
    heap_free(h, p);
    heap_free(h, far);
    ck_assert_uint_eq(h->misuse, MISUSE_NONE);
    sound(h);
    rig_free(&r);
}
END_TEST

TEST_MAIN("freelist", each_fit_chooses_its_own, the_second_request, sizes_of_chunks,
          the_story_of_the_first_malloc, the_story_of_a_split_and_of_a_merge,
          neighbours_merge_on_every_side, realloc_finds_the_cheapest_way, large_blocks_are_mappings,
          the_top_goes_back, calloc_clears_only_what_may_be_dirty, damage_is_found,
          damage_in_a_mapping, the_end_before_a_fence, the_break_is_cut)
