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

/* Each was done by a program against the real library, version 2.36, which said this. */
static const struct {
    void (*damage)(void);
    const char *message;
} cases[] = {
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

TEST_MAIN("glibc", damage_ends_the_program, filtered, silent_corruption, safe_linking, usable_sizes,
          mmap_instead_of_brk)
