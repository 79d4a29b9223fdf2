/* test_glibc.c: what the model of glibc's malloc does when its bytes are damaged: the words with
 * which the real library ends the program, and that nothing goes on afterwards. What it does with
 * sound programs is held against recordings by test_truth.py.
 */
#include "alloc/glibc.h"
#include "tests/fake_user.h"
#include "tests/test.h"

/* Seven blocks fill a stack of the tcache. */
#define FULL 7

static struct rig rig;

static va_t m(uint64_t size)
{
    return heap_malloc(rig.heap, size);
}

static void f(va_t p)
{
    heap_free(rig.heap, p);
}

/* Word i of a block is overwritten; word -1 is the size of its chunk. */
static void w(va_t p, int i, uint64_t word)
{
    ck_assert_int_eq(fake_store(rig.user, p + (uint64_t)(8 * (int64_t)i), &word, 8), 0);
}

static uint64_t r(va_t p, int i)
{
    return heap_peek64(rig.heap, p + (uint64_t)(8 * (int64_t)i));
}

static void fill(va_t *p, size_t n, uint64_t size)
{
    for (size_t i = 0; i < n; i++)
        p[i] = m(size);
}

static void drop(const va_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        f(p[i]);
}

/* ---- ways to damage ---- */

static void twice_in_tcache(void)
{
    va_t a = m(24);
    f(a);
    f(a);
}

static void twice_in_fastbin(void)
{
    va_t p[FULL];
    fill(p, FULL, 24);
    va_t b = m(24);
    drop(p, FULL);
    f(b);
    f(b);
}

static void beside_the_block(void)
{
    f(m(24) + 8);
}

static void senseless_size(void)
{
    va_t a = m(24);
    w(a, -1, 0x11);
    f(a);
}

static void unaligned_size(void)
{
    va_t a = m(2000);
    m(2000);
    w(a, -1, 3000 | 1);
    f(a);
}

static void twice_large(void)
{
    va_t a = m(2000);
    m(24);
    f(a);
    f(a);
}

static void wrong_prev_size(void)
{
    va_t a = m(2000), b = m(2000);
    m(24);
    f(a);
    w(a, 2000 / 8, 64);
    f(b);
}

static void links_to_itself(void)
{
    va_t a = m(2000);
    m(2000);
    va_t c = m(2000);
    m(24);
    f(a);
    w(a, 0, a);
    w(a, 1, a);
    f(c);
    m(2000);
    m(3000);
}

/* Its neighbour merges with it and so takes it out of its list. */
static void merged_with_wrong_links(void)
{
    va_t a = m(2000), b = m(2000);
    m(24);
    f(a);
    w(a, 0, b - 16);
    w(a, 1, b - 16);
    f(b);
}

static void unsorted_without_size(void)
{
    va_t a = m(2000);
    m(24);
    f(a);
    w(a, -1, 0);
    m(5000);
}

static void unsorted_with_wrong_back(void)
{
    va_t a = m(2000);
    m(24);
    f(a);
    w(a, 1, a - 16);
    m(5000);
}

static void top_too_large(void)
{
    va_t a = m(24);
    w(a, 3, 0x9000000);
    m(130000);
}

static void top_without_size(void)
{
    va_t a = m(24);
    w(a, 3, 0);
    m(100);
}

static void resized_without_size(void)
{
    va_t a = m(24);
    w(a, -1, 0);
    heap_realloc(rig.heap, a, 100);
}

static void resized_beside(void)
{
    heap_realloc(rig.heap, m(24) + 8, 100);
}

static void unmapped_wrongly(void)
{
    va_t a = m(200000);
    w(a, -2, 8);
    f(a);
}

static void remapped_wrongly(void)
{
    va_t a = m(200000);
    w(a, -2, 8);
    heap_realloc(rig.heap, a, 300000);
}

static void tcache_link(void)
{
    va_t a = m(24), b = m(24);
    f(b);
    f(a);
    w(a, 0, r(a, 0) ^ 8);
    m(24);
    m(24);
}

static void fastbin_link(void)
{
    va_t p[FULL + 2];
    fill(p, FULL + 2, 24);
    drop(p, FULL + 2);
    w(p[FULL + 1], 0, r(p[FULL + 1], 0) ^ 8);
    for (unsigned i = 0; i < FULL + 2; i++)
        m(24);
}

static void fastbin_size(void)
{
    va_t p[FULL + 2];
    fill(p, FULL + 2, 24);
    drop(p, FULL + 2);
    w(p[FULL + 1], -1, 0x41);
    for (unsigned i = 0; i < FULL + 1; i++)
        m(24);
}

static void merged_fastbin_size(void)
{
    va_t p[FULL + 2];
    fill(p, FULL + 2, 24);
    drop(p, FULL + 2);
    w(p[FULL + 1], -1, 0x41);
    m(2000);
}

static void large_sizes(void)
{
    va_t a = m(1200);
    m(24);
    va_t c = m(1200);
    m(24);
    f(a);
    f(c);
    m(3000);
    w(c, 2, c);
    m(1200);
}

static void neighbour_of_fast(void)
{
    va_t p[FULL + 1];
    fill(p, FULL + 1, 104);
    w(p[FULL], 13, 0);
    drop(p, FULL + 1);
}

static void break_moved_down(void)
{
    const uint64_t back[6] = {rig.user->brk - 0x1000};
    m(24);
    const uint64_t now[6] = {rig.user->brk - 0x1000};
    (void)back;
    fake_syscall(rig.user, LX_NR_brk, now);
    rig.heap->ops->moved(rig.heap, now[0]);
    m(100000);
    m(100000);
}

static void fastbin_of_ten(va_t *p)
{
    fill(p, 10, 24);
    m(24);
    drop(p, 10);
}

/* Stored links: of a chunk behind block p to that of block q. */
static void link_fast(va_t p, va_t q)
{
    w(p, 0, p >> 12 ^ (q - HDR_SZ));
}

static void merged_circle(void)
{
    va_t p[10];
    fastbin_of_ten(p);
    link_fast(p[7], p[9]);
    m(2000);
}

static void merged_itself(void)
{
    va_t p[FULL + 1];
    fill(p, FULL + 1, 24);
    m(24);
    drop(p, FULL + 1);
    link_fast(p[FULL], p[FULL]);
    m(2000);
}

static void merged_itself_before_top(void)
{
    va_t p[FULL + 1];
    fill(p, FULL + 1, 24);
    drop(p, FULL + 1);
    link_fast(p[FULL], p[FULL]);
    m(2000);
}

static void tcache_circle(void)
{
    va_t a = m(24), b = m(24), c = m(24);
    f(a);
    f(b);
    w(a, 0, a >> 12 ^ b);
    w(c, 1, r(b, 1));
    f(c);
}

/* Each was done by a program against the real library, version 2.36, which said this. */
struct damage {
    void (*damage)(void);
    const char *message;
};
static const struct damage cases[] = {
    {twice_in_tcache, "free(): double free detected in tcache 2"},
    {twice_in_fastbin, "double free or corruption (fasttop)"},
    {beside_the_block, "free(): invalid pointer"},
    {senseless_size, "free(): invalid size"},
    {unaligned_size, "free(): invalid size"},
    {twice_large, "double free or corruption (!prev)"},
    {wrong_prev_size, "corrupted size vs. prev_size while consolidating"},
    {links_to_itself, "free(): corrupted unsorted chunks"},
    {merged_with_wrong_links, "corrupted double-linked list"},
    {unsorted_without_size, "malloc(): invalid size (unsorted)"},
    {unsorted_with_wrong_back, "malloc(): unsorted double linked list corrupted"},
    {top_too_large, "malloc(): corrupted top size"},
    {top_without_size,
     "Fatal glibc error: malloc assertion failure in sysmalloc: (old_top == initial_top (av) && "
     "old_size == 0) || ((unsigned long) (old_size) >= MINSIZE && prev_inuse (old_top) && "
     "((unsigned long) old_end & (pagesize - 1)) == 0)"},
    {resized_without_size, "realloc(): invalid pointer"},
    {resized_beside, "realloc(): invalid pointer"},
    {unmapped_wrongly, "munmap_chunk(): invalid pointer"},
    {remapped_wrongly, "mremap_chunk(): invalid pointer"},
    {tcache_link, "malloc(): unaligned tcache chunk detected"},
    {fastbin_link, "malloc(): unaligned fastbin chunk detected 3"},
    {fastbin_size, "malloc(): memory corruption (fast)"},
    {merged_fastbin_size, "malloc_consolidate(): invalid chunk size"},
    {large_sizes, "corrupted double-linked list (not small)"},
    {neighbour_of_fast, "free(): invalid next size (fast)"},
    {break_moved_down, "break adjusted to free malloc space"},
    {merged_circle, "malloc_consolidate(): unaligned fastbin chunk detected"},
    {merged_itself, "malloc_consolidate(): unaligned fastbin chunk detected"},
    {merged_itself_before_top, "malloc_consolidate(): invalid chunk size"},
    {tcache_circle, "free(): too many chunks detected in tcache"},
};

/* ---- lists that go in a circle ---- */

/* Chunks of 1264, 1248 and 1232 bytes are in bin 67, unless the middle one is still to come. */
static void large_bin(va_t p[3], bool all)
{
    static const uint64_t size[3] = {1256, 1240, 1224};
    for (unsigned i = 0; i < 3; i++) {
        p[i] = m(size[i]);
        m(24);
    }
    f(p[0]);
    f(p[2]);
    if (all)
        f(p[1]);
    m(3000);
}

static void search_in_circle(void)
{
    va_t p[3];
    large_bin(p, true);
    w(p[2], 3, p[2] - HDR_SZ);
    m(1250);
}

static void sort_in_circle(void)
{
    va_t p[3];
    large_bin(p, false);
    w(p[0], 2, p[0] - HDR_SZ);
    f(p[1]);
    m(3000);
}

static void trim_in_circle(void)
{
    va_t a = m(9000);
    m(24);
    f(a);
    m(20000);
    w(a, 1, a - HDR_SZ);
    heap_trim(rig.heap, 0);
}

static void trim_in_a_larger_circle(void)
{
    va_t p[40];
    for (unsigned i = 0; i < 40; i++) {
        p[i] = m(9000);
        m(24);
    }
    drop(p, 40);
    m(20000);
    w(p[39], 1, p[20] - HDR_SZ);
    heap_trim(rig.heap, 0);
}

/* The ring of arenas does not come back to the main one. */
static void arenas_in_circle(void)
{
    m(24);
    glibc_thread(rig.heap, 2);
    m(24);
    va_t av = glibc_self(rig.heap)->arena;
    w(av, AV_NEXT / 8, av);
    heap_trim(rig.heap, 0);
}

/* Each was done by a program against the real library, which did not come back. */
static const struct damage circles[] = {
    {search_in_circle,
     "the ring of sizes of bin 67 is circular: the real glibc would loop for ever"},
    {sort_in_circle, "the ring of sizes of bin 67 is circular: the real glibc would loop for ever"},
    {trim_in_circle, "the list of bin 108 is circular: the real glibc would loop for ever"},
    {trim_in_a_larger_circle,
     "the list of bin 108 is circular: the real glibc would loop for ever"},
    {arenas_in_circle, "the ring of arenas is circular: the real glibc would loop for ever"},
};

static void begin(bool unfiltered)
{
    struct alloc_config config = rig_config();
    config.top_pad = 128 * KIB;
    config.unfiltered = unfiltered;
    rig_init(&rig, alloc_find("glibc"), &config);
    ck_assert_ptr_nonnull(rig.heap);
}

START_TEST(damage_ends_the_program)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(true);
        cases[i].damage();
        ck_assert_msg(rig.heap->over && rig.heap->message, "case %zu: nothing was seen", i);
        ck_assert_str_eq(rig.heap->message, cases[i].message);
        ck_assert_uint_eq(m(24), 0);
        rig_free(&rig);
    }
}
END_TEST

static void ignore_chunk(void *ctx, const struct heap_chunk *c)
{
    (void)c;
    ++*(uint64_t *)ctx;
}

/* The program ends, with a word of why; and whoever looks at such a heap comes back too. */
START_TEST(circles_end_the_program)
{
    for (size_t i = 0; i < sizeof(circles) / sizeof(circles[0]); i++) {
        begin(true);
        circles[i].damage();
        const struct heap *h = rig.heap;
        ck_assert_msg(h->over && h->endless, "case %zu: nothing was seen", i);
        ck_assert_str_eq(h->message, circles[i].message);
        ck_assert_uint_eq(h->misuse, MISUSE_ENDLESS);
        struct glibc_mallinfo info;
        uint64_t chunks = 0;
        char why[200];
        glibc_mallinfo2(h, &info);
        ck_assert_uint_gt(glibc_malloc_info(h, NULL, 0), 0);
        heap_walk(h, ignore_chunk, &chunks);
        ck_assert_uint_gt(chunks, 0);
        rig.heap->over = false; /* else the checker has nothing to check */
        ck_assert(!glibc_check(h, why, sizeof(why)));
        rig_free(&rig);
    }
}
END_TEST

/* Otherwise a wrong pointer is told and goes no further. */
START_TEST(filtered)
{
    begin(false);
    va_t a = m(24);
    f(a);
    f(a);
    ck_assert_uint_eq(rig.heap->misuse, MISUSE_DOUBLE_FREE);
    ck_assert(!rig.heap->over);
    ck_assert_uint_eq(m(24), a);
    rig_free(&rig);
}
END_TEST

/* A use after free that the library does not see: two owners of one block. */
START_TEST(silent_corruption)
{
    begin(true);
    va_t a = m(24), b = m(24);
    f(a);
    w(a, 1, 1); /* the key is gone: the second free is not noticed */
    f(a);
    ck_assert_msg(!rig.heap->over, "%s", rig.heap->message);
    ck_assert_uint_eq(m(24), a);
    ck_assert_uint_eq(m(24), a);
    (void)b;
    rig_free(&rig);
}
END_TEST

/* The link in a tcache is kept as link ^ (place >> 12). */
START_TEST(safe_linking)
{
    begin(false);
    va_t a = m(24), b = m(24);
    uint64_t key = 0x123456789abcdef;
    fake_store(rig.user, glibc_of(rig.heap)->data + DATA_TCACHE_KEY, &key, sizeof(key));
    f(a);
    f(b);
    ck_assert_uint_eq(r(b, 0), b >> 12 ^ a);
    ck_assert_uint_eq(r(a, 0), a >> 12);
    ck_assert_uint_eq(r(a, 1), key);
    ck_assert_uint_eq(r(b, 1), key);
    ck_assert_uint_eq(m(24), b);
    ck_assert_uint_eq(r(b, 1), 0);
    rig_free(&rig);
}
END_TEST

START_TEST(usable_sizes)
{
    begin(false);
    static const uint64_t request[] = {0, 1, 24, 25, 40, 1032, 131049, 200000};
    static const uint64_t usable[] = {24, 24, 24, 40, 40, 1032, 131064, 200688};
    m(1);
    for (size_t i = 0; i < 8; i++)
        ck_assert_uint_eq(heap_usable(rig.heap, m(request[i])), usable[i]);
    rig_free(&rig);
}
END_TEST

/* The bytes of the last mmap. */
static void keep_length(void *ctx, uint64_t nr, const uint64_t arg[6], int64_t result)
{
    if (nr == LX_NR_mmap && !lx_failed(result))
        *(uint64_t *)ctx = arg[1];
}

/* Where brk fails, mmap stands in for it with a whole MiB, and top moves there. */
START_TEST(mmap_instead_of_brk)
{
    uint64_t length = 0;
    begin(false);
    m(100000);
    rig.user->told = keep_length;
    rig.user->told_ctx = &length;
    rig.user->fail_at = rig.user->syscalls + 1;
    va_t p = m(100000);
    ck_assert_uint_eq(length, MIB);
    ck_assert_uint_gt(p, rig.user->brk);
    ck_assert_uint_eq(p & PAGE_MASK, HDR_SZ);
    ck_assert_uint_eq(m(100000), p + 100016);
    rig_free(&rig);
}
END_TEST

TEST_MAIN("glibc", damage_ends_the_program, circles_end_the_program, filtered, silent_corruption,
          safe_linking, usable_sizes, mmap_instead_of_brk)
