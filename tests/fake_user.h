/* fake_user.h: a program's view of memory without a kernel, for tests of allocators.
 *
 * Pages are bytes on the host, areas a sorted array. brk and mmap place things as Linux does (the
 * highest hole below the lowest mapping; lengths that are multiples of 2 MiB are aligned to it), a
 * page that is touched first is counted as a fault, and the n-th system call from now fails on
 * demand.
 */
#ifndef MEMWALK_TESTS_FAKE_USER_H
#define MEMWALK_TESTS_FAKE_USER_H

#include "alloc/alloc.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"
#include "sim/base/event.h"

#include <stdlib.h>
#include <string.h>

#define FAKE_HEAP UINT64_C(0x555555681000)
#define FAKE_TOP  UINT64_C(0x7ffff7c00000)

struct fake_area {
    va_t start, end;
};

struct fake_page {
    uint8_t bytes[PAGE_SIZE];
    bool written; /* else the zero page */
};

#define FAKE_BRANCH 4096u

struct fake_user {
    struct fake_area *area; /* mappings, sorted; the heap is apart */
    size_t areas, room;
    va_t heap, brk, top;
    uint64_t ram;                          /* a single request beyond it fails */
    struct fake_page ***root[FAKE_BRANCH]; /* by bits of the page number, twelve at a time */
    uint64_t faults, accesses, syscalls;
    uint64_t fail_at; /* the system call with this number fails; 0: none */
    bool fail_on;     /* and all after it */
    /* Told of each system call, with its result. */
    void (*told)(void *ctx, uint64_t nr, const uint64_t arg[6], int64_t result);
    void *told_ctx;
};

static inline struct fake_page **fake_slot(const struct fake_user *u, vpn_t vpn, bool make)
{
    struct fake_user *w = (struct fake_user *)(uintptr_t)u;
    struct fake_page ***branch = w->root[vpn >> 24];
    if (!branch && !make)
        return NULL;
    if (!branch)
        branch = w->root[vpn >> 24] = calloc(FAKE_BRANCH, sizeof(*branch));
    struct fake_page ***leaf = &branch[vpn >> 12 & (FAKE_BRANCH - 1)];
    if (!*leaf && make)
        *leaf = calloc(FAKE_BRANCH, sizeof(**leaf));
    return *leaf ? &(*leaf)[vpn & (FAKE_BRANCH - 1)] : NULL;
}

static inline void fake_forget(struct fake_user *u, va_t start, va_t end)
{
    for (vpn_t vpn = start >> PAGE_SHIFT; vpn < end >> PAGE_SHIFT; vpn++) {
        struct fake_page **slot = fake_slot(u, vpn, false);
        if (!slot) {
            vpn |= 4095;
            continue;
        }
        free(*slot);
        *slot = NULL;
    }
}

/* The first area that ends above va. */
static inline size_t fake_find(const struct fake_user *u, va_t va)
{
    size_t low = 0;
    size_t high = u->areas;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u->area[middle].end <= va)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline bool fake_mapped(const struct fake_user *u, va_t va)
{
    if (va >= u->heap && va < align_up(u->brk, PAGE_SIZE))
        return true;
    size_t i = fake_find(u, va);
    return i < u->areas && u->area[i].start <= va;
}

static inline void fake_insert(struct fake_user *u, va_t start, va_t end)
{
    if (u->areas == u->room) {
        u->room = u->room ? u->room * 2 : 64;
        u->area = realloc(u->area, u->room * sizeof(u->area[0]));
    }
    size_t i = fake_find(u, start);
    memmove(&u->area[i + 1], &u->area[i], (u->areas - i) * sizeof(u->area[0]));
    u->area[i] = (struct fake_area){start, end};
    u->areas++;
}

static inline void fake_cut(struct fake_user *u, va_t start, va_t end)
{
    for (size_t i = fake_find(u, start); i < u->areas && u->area[i].start < end;) {
        struct fake_area a = u->area[i];
        u->areas--;
        memmove(&u->area[i], &u->area[i + 1], (u->areas - i) * sizeof(a));
        fake_forget(u, max_u64(a.start, start), min_u64(a.end, end));
        if (a.start < start) {
            fake_insert(u, a.start, start);
            i++;
        }
        if (a.end > end) {
            fake_insert(u, end, a.end);
            i++;
        }
    }
}

/* The highest hole that holds length bytes; 0: none. */
static inline va_t fake_hole(const struct fake_user *u, uint64_t length)
{
    uint64_t align = length % (2 * MIB) == 0 ? 2 * MIB : PAGE_SIZE;
    va_t end = u->top;
    for (size_t i = u->areas + 1; i-- > 0;) {
        va_t start = i ? u->area[i - 1].end : align_up(u->brk, PAGE_SIZE) + MIB;
        if (end >= length && end > start && align_down(end - length, align) >= start)
            return align_down(end - length, align);
        end = i ? u->area[i - 1].start : 0;
    }
    return 0;
}

static inline int64_t fake_mmap(struct fake_user *u, uint64_t length)
{
    if (!length || length > u->ram)
        return length ? -LX_ENOMEM : -LX_EINVAL;
    length = align_up(length, PAGE_SIZE);
    va_t at = fake_hole(u, length);
    if (!at)
        return -LX_ENOMEM;
    fake_insert(u, at, at + length);
    return (int64_t)at;
}

static inline int64_t fake_brk(struct fake_user *u, va_t to)
{
    va_t limit = u->areas ? u->area[0].start : u->top;
    if (to < u->heap || to > limit || (to > u->brk && to - u->brk > u->ram))
        return (int64_t)u->brk;
    if (to < u->brk)
        fake_forget(u, align_up(to, PAGE_SIZE), align_up(u->brk, PAGE_SIZE));
    u->brk = to;
    return (int64_t)to;
}

static inline int64_t fake_mremap(struct fake_user *u, va_t old, uint64_t from, uint64_t to)
{
    to = align_up(to, PAGE_SIZE);
    if (!to || to > u->ram)
        return -LX_ENOMEM;
    if (to <= from) {
        fake_cut(u, old + to, old + from);
        return (int64_t)old;
    }
    size_t i = fake_find(u, old);
    CHECK(i < u->areas && u->area[i].start <= old && u->area[i].end >= old + from);
    va_t next = i + 1 < u->areas ? u->area[i + 1].start : u->top;
    if (u->area[i].end == old + from && next - old >= to) {
        u->area[i].end = old + to;
        return (int64_t)old;
    }
    int64_t at = fake_mmap(u, to);
    if (lx_failed(at))
        return at;
    for (va_t offset = 0; offset < from; offset += PAGE_SIZE) {
        struct fake_page **src = fake_slot(u, (old + offset) >> PAGE_SHIFT, false);
        if (!src || !*src)
            continue;
        *fake_slot(u, ((va_t)at + offset) >> PAGE_SHIFT, true) = *src;
        *src = NULL;
    }
    fake_cut(u, old, old + from);
    return at;
}

static inline int64_t fake_do(struct fake_user *u, uint64_t nr, const uint64_t a[6])
{
    switch (nr) {
    case LX_NR_brk:
        return fake_brk(u, a[0]);
    case LX_NR_mmap:
        return fake_mmap(u, a[1]);
    case LX_NR_munmap:
        fake_cut(u, a[0], a[0] + align_up(a[1], PAGE_SIZE));
        return 0;
    case LX_NR_mremap:
        return fake_mremap(u, a[0], a[1], a[2]);
    case LX_NR_madvise:
        fake_forget(u, a[0], a[0] + align_up(a[1], PAGE_SIZE));
        return 0;
    case LX_NR_mprotect: /* every page may be read and written */
        return 0;
    case LX_NR_getrandom:
        return (int64_t)a[1];
    default:
        return -LX_ENOSYS;
    }
}

static inline int64_t fake_syscall(void *ctx, uint64_t nr, const uint64_t arg[6])
{
    struct fake_user *u = ctx;
    u->syscalls++;
    bool fail = u->fail_at && (u->fail_on ? u->syscalls >= u->fail_at : u->syscalls == u->fail_at);
    int64_t result;
    if (!fail)
        result = fake_do(u, nr, arg);
    else
        result = nr == LX_NR_brk ? (int64_t)u->brk : -LX_ENOMEM;
    if (u->told)
        u->told(u->told_ctx, nr, arg, result);
    return result;
}

/* The page that holds va, as an access finds it; NULL: a signal. */
static inline struct fake_page *fake_touch(struct fake_user *u, va_t va, bool write)
{
    if (va >> 48 || !fake_mapped(u, va))
        return NULL;
    struct fake_page **slot = fake_slot(u, va >> PAGE_SHIFT, true);
    if (!*slot) {
        *slot = calloc(1, sizeof(**slot));
        u->faults++;
        (*slot)->written = write;
    } else if (write && !(*slot)->written) {
        u->faults++;
        (*slot)->written = true;
    }
    return *slot;
}

static inline int fake_access(struct fake_user *u, va_t va, void *to, const void *from, size_t n)
{
    u->accesses++;
    for (size_t done = 0; done < n;) {
        size_t piece = min_u64(n - done, PAGE_SIZE - ((va + done) & PAGE_MASK));
        struct fake_page *page = fake_touch(u, va + done, from != NULL);
        if (!page)
            return LX_SIGSEGV;
        uint8_t *bytes = page->bytes + ((va + done) & PAGE_MASK);
        if (from)
            memcpy(bytes, (const uint8_t *)from + done, piece);
        else
            memcpy((uint8_t *)to + done, bytes, piece);
        done += piece;
    }
    return 0;
}

static inline int fake_load(void *ctx, va_t va, void *to, size_t n)
{
    return fake_access(ctx, va, to, NULL, n);
}

static inline int fake_store(void *ctx, va_t va, const void *from, size_t n)
{
    return fake_access(ctx, va, NULL, from, n);
}

static inline int fake_peek(const void *ctx, va_t va, void *to, size_t n)
{
    const struct fake_user *u = ctx;
    for (size_t done = 0; done < n;) {
        size_t piece = min_u64(n - done, PAGE_SIZE - ((va + done) & PAGE_MASK));
        if ((va + done) >> 48 || !fake_mapped(u, va + done))
            return -1;
        struct fake_page **slot = fake_slot(u, (va + done) >> PAGE_SHIFT, false);
        if (slot && *slot)
            memcpy((uint8_t *)to + done, (*slot)->bytes + ((va + done) & PAGE_MASK), piece);
        else
            memset((uint8_t *)to + done, 0, piece);
        done += piece;
    }
    return 0;
}

static inline struct fake_user *fake_new(void)
{
    struct fake_user *u = calloc(1, sizeof(*u));
    u->heap = u->brk = FAKE_HEAP;
    u->top = FAKE_TOP;
    u->ram = 16 * GIB;
    return u;
}

static inline void fake_free(struct fake_user *u)
{
    for (size_t i = 0; i < FAKE_BRANCH; i++) {
        for (size_t j = 0; u->root[i] && j < FAKE_BRANCH; j++) {
            for (size_t k = 0; u->root[i][j] && k < FAKE_BRANCH; k++)
                free(u->root[i][j][k]);
            free(u->root[i][j]);
        }
        free(u->root[i]);
    }
    free(u->area);
    free(u);
}

static inline struct user fake_door(struct fake_user *u)
{
    return (struct user){u, fake_load, fake_store, fake_syscall, fake_peek, NULL, 0};
}

/* A heap on a fake program, with all that it needs. */
struct rig {
    struct arena *arena;
    struct bus bus;
    struct env env;
    struct fake_user *user;
    struct heap *heap; /* NULL: it could not be made */
};

static inline struct alloc_config rig_config(void)
{
    return (struct alloc_config){.mmap_threshold = 128 * KIB,
                                 .trim_threshold = 128 * KIB,
                                 .top_pad = 64 * KIB,
                                 .arena_bytes = 64 * KIB,
                                 .cost_cycles = 20,
                                 .probe_cycles = 2};
}

static inline void rig_init(struct rig *r, const struct alloc_ops *ops,
                            const struct alloc_config *config)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena_new(GIB);
    r->env = (struct env){.bus = &r->bus, .arena = r->arena};
    r->user = fake_new();
    struct user door = fake_door(r->user);
    r->heap = heap_new(&r->env, &door, ops, config);
}

static inline void rig_free(struct rig *r)
{
    heap_destroy(r->heap);
    fake_free(r->user);
    arena_destroy(r->arena);
}

#endif
