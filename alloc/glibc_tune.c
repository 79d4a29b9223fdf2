/* glibc_tune.c: the library's parameters: their first values, mallopt, and GLIBC_TUNABLES.
 *
 * Both ways end in the same small functions, each of which refuses what makes no sense. Setting a
 * threshold by hand ends its own growth ("dynamic threshold").
 * Source: ptmalloc_init, do_set_… and __libc_mallopt, elf/dl-tunables.c.
 */
#include "alloc/glibc.h"

#include <stdlib.h>
#include <string.h>

#define TCACHE_MAX_REQUEST (16 * (TCACHE_BINS - 1) + MINSIZE - SIZE_SZ)
#define FAST_MAX_REQUEST   160u /* MAX_FAST_SIZE: 80 * sizeof(size_t) / 4 */
#define HUGE_PAGE          (2 * MIB)
#define HUGETLB_SHIFT      26 /* MAP_HUGE_SHIFT */

/* Numbers of mallopt, as in <malloc.h>. */
enum {
    M_MXFAST = 1,
    M_TRIM_THRESHOLD = -1,
    M_TOP_PAD = -2,
    M_MMAP_THRESHOLD = -3,
    M_MMAP_MAX = -4,
    M_CHECK_ACTION = -5,
    M_PERTURB = -6,
    M_ARENA_TEST = -7,
    M_ARENA_MAX = -8,
};

/* ---- one parameter each; 1: done, 0: refused ---- */

/* Set by hand: from now on it stays. */
static int fix(struct heap *h, unsigned field, uint64_t to)
{
    mp_set(h, field, to);
    mp_set32(h, MP_NO_DYN_THRESHOLD, 1);
    return 1;
}

static int set_trim_threshold(struct heap *h, uint64_t to)
{
    return fix(h, MP_TRIM_THRESHOLD, to);
}

static int set_top_pad(struct heap *h, uint64_t to)
{
    return fix(h, MP_TOP_PAD, to);
}

static int set_mmap_threshold(struct heap *h, uint64_t to)
{
    return fix(h, MP_MMAP_THRESHOLD, to);
}

static int set_mmap_max(struct heap *h, uint64_t to)
{
    mp_set32(h, MP_N_MMAPS_MAX, (uint32_t)to);
    mp_set32(h, MP_NO_DYN_THRESHOLD, 1);
    return 1;
}

static int set_perturb(struct heap *h, uint64_t to)
{
    var_set(h, DATA_PERTURB, to);
    return 1;
}

static int set_arena_test(struct heap *h, uint64_t to)
{
    mp_set(h, MP_ARENA_TEST, to);
    return 1;
}

static int set_arena_max(struct heap *h, uint64_t to)
{
    mp_set(h, MP_ARENA_MAX, to);
    return 1;
}

static int set_tcache_max(struct heap *h, uint64_t to)
{
    if (to > TCACHE_MAX_REQUEST)
        return 0;
    mp_set(h, MP_TCACHE_MAX_BYTES, to);
    mp_set(h, MP_TCACHE_BINS, tcache_index(request_size(to)) + 1);
    return 1;
}

static int set_tcache_count(struct heap *h, uint64_t to)
{
    if (to > UINT16_MAX)
        return 0;
    mp_set(h, MP_TCACHE_COUNT, to);
    return 1;
}

static int set_tcache_unsorted(struct heap *h, uint64_t to)
{
    mp_set(h, MP_TCACHE_UNSORTED_LIMIT, to);
    return 1;
}

static int set_mxfast(struct heap *h, uint64_t to)
{
    if (to > FAST_MAX_REQUEST)
        return 0;
    var_set(h, DATA_MAX_FAST,
            to <= ALIGN_MASK - SIZE_SZ ? MINSIZE / 2 : (to + SIZE_SZ) & ~(uint64_t)ALIGN_MASK);
    return 1;
}

/* The library opens a file below /sys or /proc to learn what the kernel offers.
 * NOTE: the files are not there; the answers are those of a kernel with huge pages of 2 MiB, given
 * where madvise asks for them. */
static void look_into_file(struct heap *h)
{
    heap_syscall(h, LX_NR_openat, (uint64_t)LX_AT_FDCWD, 0, 0, 0, 0, 0);
}

/* 1: madvise for huge pages; 2: huge pages of the default size; else: of that size.
 * NOTE: another size than 2 MiB is as if nothing were set. */
static int set_hugetlb(struct heap *h, uint64_t to)
{
    if (to == 1) {
        look_into_file(h); /* transparent_hugepage/enabled */
        look_into_file(h); /* transparent_hugepage/hpage_pmd_size */
        mp_set(h, MP_THP_PAGESIZE, HUGE_PAGE);
    } else if (to >= 2) {
        look_into_file(h); /* /proc/meminfo: the default size */
        if (to != 2 && to != HUGE_PAGE)
            return 1;
        mp_set(h, MP_HP_PAGESIZE, HUGE_PAGE);
        mp_set32(h, MP_HP_FLAGS,
                 LX_MAP_HUGETLB | (uint32_t)__builtin_ctzll(HUGE_PAGE) << HUGETLB_SHIFT);
    }
    return 1;
}

/* ---- first values ---- */

/* Source: malloc_init_state. */
void glibc_state_init(struct heap *h, va_t av)
{
    for (unsigned i = 1; i < NBINS; i++) {
        va_t bin = bin_at(av, i);
        st(h, bin + CHUNK_FD, bin);
        st(h, bin + CHUNK_BK, bin);
    }
    if (av == main_arena(h))
        set_mxfast(h, 64 * SIZE_SZ / 4);
    else
        st32(h, av + AV_FLAGS, AV_NONCONTIGUOUS);
    st32(h, av + AV_HAVE_FAST, 0);
    st(h, av + AV_TOP, bin_at(av, 1));
}

void glibc_defaults(struct heap *h)
{
    mp_set(h, MP_TRIM_THRESHOLD, 128 * KIB);
    mp_set(h, MP_TOP_PAD, 128 * KIB);
    mp_set(h, MP_MMAP_THRESHOLD, 128 * KIB);
    mp_set(h, MP_ARENA_TEST, 8);
    mp_set32(h, MP_N_MMAPS_MAX, 65536);
    mp_set(h, MP_TCACHE_BINS, TCACHE_BINS);
    mp_set(h, MP_TCACHE_MAX_BYTES, TCACHE_MAX_REQUEST);
    mp_set(h, MP_TCACHE_COUNT, 7);
}

/* ---- mallopt ---- */

int glibc_mallopt(struct heap *h, int param, int64_t given)
{
    int value = (int)given;
    uint64_t to = (uint64_t)(int64_t)value;
    glibc_consolidate(h, main_arena(h));
    switch (param) {
    case M_MXFAST:
        return set_mxfast(h, to);
    case M_TRIM_THRESHOLD:
        return set_trim_threshold(h, to);
    case M_TOP_PAD:
        return set_top_pad(h, to);
    case M_MMAP_THRESHOLD:
        return set_mmap_threshold(h, to);
    case M_MMAP_MAX:
        return set_mmap_max(h, to);
    case M_PERTURB:
        return set_perturb(h, to);
    case M_ARENA_TEST:
        return value > 0 ? set_arena_test(h, to) : 1;
    case M_ARENA_MAX:
        return value > 0 ? set_arena_max(h, to) : 1;
    default: /* M_CHECK_ACTION, and numbers that there are not: nothing happens */
        return 1;
    }
}

/* ---- GLIBC_TUNABLES ---- */

struct tunable {
    const char *name;
    int (*set)(struct heap *, uint64_t);
    uint64_t min, max;
};

/* In the order in which the library asks for them, with the range that it allows.
 * Source: elf/dl-tunables.list. */
static const struct tunable tunables[] = {
    {"glibc.malloc.top_pad", set_top_pad, 0, UINT64_MAX},
    {"glibc.malloc.perturb", set_perturb, 0, 0xff},
    {"glibc.malloc.mmap_max", set_mmap_max, 0, INT32_MAX},
    {"glibc.malloc.mmap_threshold", set_mmap_threshold, 0, UINT64_MAX},
    {"glibc.malloc.trim_threshold", set_trim_threshold, 0, UINT64_MAX},
    {"glibc.malloc.arena_max", set_arena_max, 1, UINT64_MAX},
    {"glibc.malloc.arena_test", set_arena_test, 1, UINT64_MAX},
    {"glibc.malloc.tcache_max", set_tcache_max, 0, UINT64_MAX},
    {"glibc.malloc.tcache_count", set_tcache_count, 0, UINT64_MAX},
    {"glibc.malloc.tcache_unsorted_limit", set_tcache_unsorted, 0, UINT64_MAX},
    {"glibc.malloc.mxfast", set_mxfast, 0, UINT64_MAX},
    {"glibc.malloc.hugetlb", set_hugetlb, 0, UINT64_MAX},
};

/* The last value that the text "name=value:name=value" has for this name; false: none in range. */
static bool tunable_value(const char *text, const struct tunable *t, uint64_t *value)
{
    size_t length = strlen(t->name);
    bool found = false;
    while (*text) {
        size_t n = strcspn(text, ":");
        if (n > length && strncmp(text, t->name, length) == 0 && text[length] == '=') {
            uint64_t v = strtoull(text + length + 1, NULL, 0);
            if (v >= t->min && v <= t->max) {
                *value = v;
                found = true;
            }
        }
        text += n + (text[n] == ':');
    }
    return found;
}

void glibc_tunables(struct heap *h, const char *text)
{
    for (size_t i = 0; i < sizeof(tunables) / sizeof(tunables[0]); i++) {
        uint64_t value;
        if (tunable_value(text, &tunables[i], &value))
            tunables[i].set(h, value);
    }
}
