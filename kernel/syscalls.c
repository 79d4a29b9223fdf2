/* syscalls.c: the door for programs, and the calls every allocator lives on: brk, mmap, munmap,
 * mprotect. Each checks its arguments in Linux's order, because the order decides which errno a
 * program sees, and makes sure of all memory it will need before it changes anything.
 */
#include "kernel/syscalls.h"

#include "kernel/file.h"
#include "kernel/pgtable.h"
#include "kernel/pkeys.h"
#include "kernel/reclaim.h"
#include "kernel/thp.h"
#include "kernel/trap.h"
#include "sim/base/check.h"

#define LOW_START GIB /* where MAP_32BIT looks */

/* ---- what several calls ask ---- */

bool memory_lockable(const struct kernel *k, const struct process *p, uint32_t flags,
                     uint64_t bytes)
{
    (void)k;
    return !(flags & VM_LOCKED) || process_locked(p) + bytes <= p->limit[LIMIT_MEMLOCK];
}

/* The top-down search; tells what it found. */
static va_t place_search(struct kernel *k, const struct process *p, uint64_t length)
{
    va_t start = 0, end = 0;
    va_t at = areas_hole(&p->areas, length, k->config.mmap_top, &start, &end);
    EMIT(k->env, area_search, .length = length, .hole_start = start, .hole_end = end, .chosen = at);
    return at;
}

/* Private memory in whole huge pages is aligned to them, where a hole has the slack for it. */
static va_t place_huge(struct kernel *k, const struct process *p, uint64_t length)
{
    va_t start, end;
    va_t at = areas_hole(&p->areas, length + HUGE_SIZE, k->config.mmap_top, &start, &end);
    if (!at)
        return 0;
    at = (at & (HUGE_SIZE - 1)) ? align_up(at, HUGE_SIZE) : at + HUGE_SIZE;
    EMIT(k->env, area_search, .length = length, .hole_start = start, .hole_end = end, .chosen = at);
    return at;
}

static bool hint_usable(const struct process *p, va_t hint, uint64_t length)
{
    if (length > TASK_SIZE || hint > TASK_SIZE - length)
        return false;
    const struct area *a = areas_at(&p->areas, areas_index(&p->areas, hint));
    return !a || hint + length <= area_start_gap(a);
}

static int64_t place_fixed(va_t at, uint64_t length)
{
    if (at > TASK_SIZE - length)
        return -LX_ENOMEM;
    if (at & PAGE_MASK)
        return -LX_EINVAL;
    return at < MMAP_MIN ? -LX_EPERM : (int64_t)at;
}

int64_t place(struct kernel *k, const struct process *p, va_t hint, uint64_t length, bool fixed,
              bool shared)
{
    if (length > TASK_SIZE)
        return -LX_ENOMEM;
    if (fixed)
        return place_fixed(hint, length);
    hint = align_down(hint, PAGE_SIZE);
    if (hint && hint_usable(p, hint, length))
        return (int64_t)hint;
    va_t at = 0;
    if (!hint && !shared && length % HUGE_SIZE == 0)
        at = place_huge(k, p, length);
    if (!at)
        at = place_search(k, p, length);
    return at ? (int64_t)at : -LX_ENOMEM;
}

/* MAP_32BIT: the first hole in the second GiB. NOTE: its hint is ignored. */
static int64_t place_low(struct kernel *k, const struct process *p, uint64_t length)
{
    va_t at = areas_hole_up(&p->areas, length, LOW_START, 2 * LOW_START);
    EMIT(k->env, area_search, .length = length, .hole_start = at, .hole_end = at ? at + length : 0,
         .chosen = at);
    return at ? (int64_t)at : -LX_ENOMEM;
}

/* ---- munmap ---- */

/* End of the area below start, and start of the one above end: tables between them serve nobody. */
static void neighbours(const struct process *p, va_t start, va_t end, va_t *floor, va_t *ceiling)
{
    size_t i = areas_index(&p->areas, start);
    *floor = i ? p->areas.at[i - 1]->end : 0;
    if (i < p->areas.count && p->areas.at[i]->start < start)
        *floor = start;
    i = areas_index(&p->areas, end - 1);
    const struct area *a = areas_at(&p->areas, i);
    if (a && a->start < end && a->end <= end)
        a = areas_at(&p->areas, i + 1);
    *ceiling = a ? max_u64(a->start, end) : 0;
}

int unmap(struct kernel *k, struct process *p, va_t start, va_t end)
{
    const struct area *first = areas_first(&p->areas, start, end);
    if (!first)
        return 0;
    if (first->start < start && end < first->end && p->areas.count >= k->config.max_areas)
        return -LX_ENOMEM;
    const struct area *last = areas_at(&p->areas, areas_index(&p->areas, end - 1));
    va_t from = max_u64(first->start, start);
    va_t to = last && last->start < end ? min_u64(last->end, end) : end;
    huge_border(k, p, start);
    huge_border(k, p, end);
    va_t floor, ceiling;
    neighbours(p, start, end, &floor, &ceiling);
    gather_hold(k);
    pgtable_zap(k, p, from, to, ZAP_ALL);
    pgtable_trim(k, p, from, to, floor, ceiling);
    gather_release(k, p);
    area_remove_range(k->env, p, start, end);
    return 0;
}

int64_t sys_munmap(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    va_t start = arg[0];
    uint64_t length = align_up(arg[1], PAGE_SIZE);
    if ((start & PAGE_MASK) || start > TASK_SIZE || length > TASK_SIZE - start || !length)
        return -LX_EINVAL;
    if (!areas_reserve(k->env, &p->areas, 1))
        return -LX_ENOMEM;
    return unmap(k, p, start, start + length);
}

/* ---- brk ---- */

static void break_set(struct kernel *k, struct process *p, va_t to)
{
    va_t before = p->brk;
    p->brk = to;
    EMIT(k->env, brk_move, .start = p->heap_start, .before = before, .after = to);
}

static void brk_shrink(struct kernel *k, struct process *p, va_t to, va_t new_end, va_t old_end)
{
    if (!areas_first(&p->areas, new_end, old_end))
        return;
    break_set(k, p, to);
    unmap(k, p, new_end, old_end);
}

/* One page must stay free above the heap, and the guard gap below a stack. */
static bool brk_room(const struct process *p, va_t old_end, va_t new_end)
{
    const struct area *next = areas_at(&p->areas, areas_index(&p->areas, old_end));
    return new_end <= TASK_SIZE && (!next || new_end + PAGE_SIZE <= area_start_gap(next));
}

static void brk_grow(struct kernel *k, struct process *p, va_t to, va_t new_end, va_t old_end)
{
    struct area wanted = {.start = old_end,
                          .end = new_end,
                          .flags = VM_READ | VM_WRITE | VM_ACCOUNT,
                          .pgoff = old_end >> PAGE_SHIFT};
    if (!brk_room(p, old_end, new_end) || p->areas.count > k->config.max_areas ||
        to - p->heap_start > p->limit[LIMIT_DATA] ||
        !memory_expandable(p, wanted.flags, area_pages(&wanted)) ||
        !memory_enough(k, new_end - old_end))
        return;
    break_set(k, p, to);
    /* The heap never joins what lies below its start, that is the program's image. */
    area_add(k->env, p, &wanted, old_end > p->heap_start ? JOIN_LOWER : JOIN_NONE);
}

/* Returns the break as it is afterwards: failure shows in its not having moved. */
int64_t sys_brk(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    va_t to = arg[0];
    if (to < p->heap_start || to > TASK_SIZE)
        return (int64_t)p->brk;
    va_t new_end = align_up(to, PAGE_SIZE), old_end = align_up(p->brk, PAGE_SIZE);
    if (new_end == old_end)
        break_set(k, p, to);
    else if (!areas_reserve(k->env, &p->areas, 1))
        return (int64_t)p->brk;
    else if (to < p->brk)
        brk_shrink(k, p, to, new_end, old_end);
    else
        brk_grow(k, p, to, new_end, old_end);
    return (int64_t)p->brk;
}

/* ---- mmap ---- */

struct map_request {
    va_t start;
    uint64_t length;
    uint32_t flags;      /* VM_ */
    struct inode *inode; /* NULL: anonymous */
};

/* Linux: calc_vm_prot_bits, calc_vm_flag_bits, and what do_mmap and mmap_region add. */
static uint32_t map_vm_flags(uint64_t prot, uint64_t flags)
{
    static const struct {
        uint64_t map;
        uint32_t vm;
    } pairs[] = {
        {LX_MAP_GROWSDOWN, VM_GROWSDOWN}, {LX_MAP_LOCKED, VM_LOCKED},
        {LX_MAP_NORESERVE, VM_NORESERVE}, {LX_MAP_STACK, VM_NOHUGEPAGE},
        {LX_MAP_SYNC, VM_SYNC},
    };
    uint32_t vm = (uint32_t)prot & VM_ACCESS;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (flags & pairs[i].map)
            vm |= pairs[i].vm;
    if ((flags & LX_MAP_TYPE) == LX_MAP_SHARED)
        vm |= VM_SHARED;
    if ((vm & (VM_WRITE | VM_SHARED | VM_NORESERVE)) == VM_WRITE)
        vm |= VM_ACCOUNT;
    return vm;
}

/* A wish for a place that is too low becomes one for the lowest; only mmap does so (Linux:
 * round_hint_to_min). */
static va_t map_hint(va_t hint, bool fixed)
{
    return fixed || hint < PAGE_SIZE ? hint : max_u64(hint, HINT_MIN);
}

/* Pages that are not mapped yet: what lies there already is replaced (count_vma_pages_range). */
static uint64_t fresh_pages(const struct process *p, const struct map_request *r)
{
    uint64_t pages = r->length >> PAGE_SHIFT;
    va_t end = r->start + r->length;
    size_t i = areas_index(&p->areas, r->start);
    for (const struct area *a; (a = areas_at(&p->areas, i)) && a->start < end; i++)
        pages -= (min_u64(a->end, end) - max_u64(a->start, r->start)) >> PAGE_SHIFT;
    return pages;
}

/* Checks in Linux's order; fills *r. 0, or -errno. */
static int64_t map_check(struct kernel *k, const struct process *p, const uint64_t arg[6],
                         struct map_request *r)
{
    uint64_t flags = arg[3], type = flags & LX_MAP_TYPE;
    bool fixed = flags & (LX_MAP_FIXED | LX_MAP_FIXED_NOREPLACE);
    if (arg[5] & PAGE_MASK)
        return -LX_EINVAL;
    r->inode = flags & LX_MAP_ANONYMOUS ? NULL : file_of_fd(k, p, arg[4]);
    if (!r->inode && !(flags & LX_MAP_ANONYMOUS))
        return -LX_EBADF;
    /* NOTE: no pool of huge pages is set aside, as on a freshly started machine. */
    if (flags & LX_MAP_HUGETLB)
        return -LX_ENOMEM;
    if (!arg[1])
        return -LX_EINVAL;
    r->length = align_up(arg[1], PAGE_SIZE);
    if (!r->length || p->areas.count > k->config.max_areas)
        return -LX_ENOMEM;
    int64_t at = !fixed && (flags & LX_MAP_32BIT) ? place_low(k, p, r->length)
                                                  : place(k, p, map_hint(arg[0], fixed), r->length,
                                                          fixed, type != LX_MAP_PRIVATE);
    if (at < 0)
        return at;
    r->start = (va_t)at;
    if ((flags & LX_MAP_FIXED_NOREPLACE) && areas_first(&p->areas, r->start, r->start + r->length))
        return -LX_EEXIST;
    r->flags = map_vm_flags(arg[2], flags);
    if (r->inode && !file_may_map(p, arg[4], arg[2], flags))
        return -LX_EACCES;
    if (!memory_lockable(k, p, r->flags, r->length))
        return -LX_EAGAIN;
    if ((type != LX_MAP_SHARED && type != LX_MAP_PRIVATE) ||
        (type == LX_MAP_SHARED && (flags & LX_MAP_GROWSDOWN)))
        return -LX_EINVAL;
    if (!memory_expandable(p, r->flags, fresh_pages(p, r)))
        return -LX_ENOMEM;
    return (r->flags & VM_ACCOUNT) && !memory_enough(k, r->length) ? -LX_ENOMEM : 0;
}

int64_t sys_mmap(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    struct map_request r;
    int64_t result = map_check(k, p, arg, &r);
    if (result < 0)
        return result;
    struct area wanted = {.start = r.start,
                          .end = r.start + r.length,
                          .flags = r.flags,
                          .pgoff = r.start >> PAGE_SHIFT};
    if (!areas_reserve(k->env, &p->areas, 2)) /* one for a hole cut into another, one for itself */
        return -LX_ENOMEM;
    bool shmem = (r.flags & VM_SHARED) && !r.inode;
    if (shmem && !(r.flags & VM_NORESERVE) && !memory_enough(k, r.length)) {
        /* An object is charged only when its place has been cleared: a gap is left there (Linux:
         * vms_abort_munmap_vmas). */
        unmap(k, p, r.start, r.start + r.length);
        return -LX_ENOMEM;
    }
    if (r.inode) {
        wanted.pgoff = arg[5] >> PAGE_SHIFT;
        wanted.file = r.inode->name;
        wanted.object = r.inode->cache;
        object_hold(wanted.object);
    }
    if (shmem) {
        wanted.pgoff = 0;
        wanted.object = object_new(k, r.length >> PAGE_SHIFT);
        if (!wanted.object)
            return -LX_ENOMEM;
        if (!(r.flags & VM_NORESERVE))
            object_charge(wanted.object);
    }
    result = unmap(k, p, r.start, r.start + r.length);
    if (result < 0) {
        object_put(wanted.object);
        return result;
    }
    area_add(k->env, p, &wanted, JOIN_BOTH);
    if ((r.flags & VM_LOCKED) || (arg[3] & (LX_MAP_POPULATE | LX_MAP_NONBLOCK)) == LX_MAP_POPULATE)
        populate(k, p, r.start, r.start + r.length, true);
    return (int64_t)r.start;
}

/* ---- mprotect ---- */

/* Which bits of an area's flags change, and to what. */
struct rights_change {
    uint32_t mask, flags;
};

/* The flags an area will have; sets *enough. Linux: mprotect_fixup. */
static uint32_t protect_flags(const struct kernel *k, const struct process *p, const struct area *a,
                              uint64_t bytes, const struct rights_change *to, bool *enough)
{
    uint32_t flags = (a->flags & ~to->mask) | to->flags;
    *enough = true;
    if (flags == a->flags)
        return flags;
    if (!(flags & VM_WRITE)) {
        /* Only memory that was never written can give its charge back. */
        if ((flags & VM_ACCOUNT) && !a->anon && !(flags & VM_SHARED))
            flags &= ~VM_ACCOUNT;
    } else if (!(a->flags & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE))) {
        *enough = memory_enough(k, bytes);
        flags |= VM_ACCOUNT;
    }
    if (area_is_data(flags) && !area_is_data(a->flags))
        *enough = *enough && memory_expandable(p, flags, bytes >> PAGE_SHIFT);
    return flags;
}

static int64_t protect_area(struct kernel *k, struct process *p, struct area *a, va_t start,
                            va_t end, const struct rights_change *to)
{
    bool enough;
    uint32_t old = a->flags, flags = protect_flags(k, p, a, end - start, to, &enough);
    if (flags == old)
        return 0;
    if (!enough || !areas_reserve(k->env, &p->areas, 2))
        return -LX_ENOMEM;
    huge_border(k, p, start);
    huge_border(k, p, end);
    a = area_modify(k->env, p, a, start, end, flags, k->config.max_areas);
    if (!a)
        return -LX_ENOMEM;
    pgtable_protect(k, p, a, start, end);
    /* Locked memory that becomes writable is copied now rather than at the first write. */
    if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED && (flags & VM_WRITE))
        populate_area(k, p, a, start, end, true);
    return 0;
}

/* Area by area; a hole ends it with what came before already done. */
static int64_t protect_range(struct kernel *k, struct process *p, va_t start, va_t end,
                             const struct rights_change *to)
{
    while (start < end) {
        struct area *a = areas_find(&p->areas, start);
        if (!a)
            return -LX_ENOMEM;
        va_t stop = min_u64(a->end, end);
        int64_t result = protect_area(k, p, a, start, stop, to);
        if (result < 0)
            return result;
        start = stop;
    }
    return 0;
}

int64_t protect(struct kernel *k, struct process *p, const uint64_t arg[6], uint32_t key,
                uint32_t mask)
{
    const uint64_t grows = LX_PROT_GROWSDOWN | LX_PROT_GROWSUP;
    const uint64_t known = LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC | LX_PROT_SEM;
    va_t start = arg[0], end = start + align_up(arg[1], PAGE_SIZE);
    uint64_t prot = arg[2] & ~grows;
    if ((arg[2] & grows) == grows || (start & PAGE_MASK))
        return -LX_EINVAL;
    if (!arg[1])
        return 0;
    if (end <= start)
        return -LX_ENOMEM;
    if (prot & ~known)
        return -LX_EINVAL;
    struct area *a = areas_first(&p->areas, start, end);
    if (!a || (!(arg[2] & LX_PROT_GROWSDOWN) && a->start > start))
        return -LX_ENOMEM;
    if ((arg[2] & LX_PROT_GROWSUP) || ((arg[2] & LX_PROT_GROWSDOWN) && !(a->flags & VM_GROWSDOWN)))
        return -LX_EINVAL;
    if (arg[2] & LX_PROT_GROWSDOWN)
        start = a->start;
    const struct rights_change to = {VM_ACCESS | mask, ((uint32_t)prot & VM_ACCESS) | key};
    return protect_range(k, p, start, end, &to);
}

int64_t sys_mprotect(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    return protect(k, p, arg, 0, 0);
}

/* ---- the door ---- */

struct call {
    uint64_t nr;
    int64_t (*run)(struct kernel *, struct process *, const uint64_t arg[6]);
    size_t counter; /* which of struct kernel_counters counts it */
};

static int64_t sys_getpid(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    (void)k;
    (void)arg;
    return p->pid;
}

#define CALL(name, counter)                                                                        \
    {                                                                                              \
        LX_NR_##name, sys_##name, offsetof(struct kernel_counters, counter)                        \
    }

static const struct call calls[] = {
    CALL(brk, brk),
    CALL(mmap, mmap),
    CALL(munmap, munmap),
    CALL(mprotect, mprotect),
    CALL(mremap, mremap),
    CALL(madvise, madvise),
    CALL(mincore, other),
    CALL(mlock, other),
    CALL(setrlimit, other),
    CALL(getrusage, other),
    CALL(pkey_alloc, other),
    CALL(pkey_free, other),
    CALL(pkey_mprotect, mprotect),
    CALL(munlock, other),
    CALL(getpid, other),
    CALL(fork, other),
    CALL(wait4, other),
    CALL(getrandom, other),
    CALL(openat, other),
    CALL(close, other),
    CALL(pread64, other),
    CALL(pwrite64, other),
    CALL(fsync, other),
    CALL(ftruncate, other),
    CALL(fadvise64, other),
    CALL(msync, other),
};

static const struct call *call_find(uint64_t nr)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (calls[i].nr == nr)
            return &calls[i];
    return NULL;
}

static void call_count(struct kernel *k, size_t counter)
{
    uint64_t *field = (uint64_t *)(void *)((char *)&k->counters + counter);
    (*field)++;
    k->counters.syscalls++;
}

/* NOTE: exit gives ENOSYS (kernel_exit is the way out). */
int64_t kernel_syscall(struct kernel *k, struct cpu *cpu, uint64_t nr, const uint64_t arg[6])
{
    struct process *p = process_running(cpu);
    if (!p)
        return -LX_ESRCH;
    const struct call *call = call_find(nr);
    cycles_t start = k->env->cycle, copying = k->copying;
    k->env->cycle += k->config.syscall_cycles;
    frame_zero_late(k, cpu);
    reclaim_unpin(k);
    call_count(k, call ? call->counter : offsetof(struct kernel_counters, other));
    EMIT(k->env, sys_enter, .nr = nr, .a0 = arg[0], .a1 = arg[1], .a2 = arg[2], .a3 = arg[3],
         .a4 = arg[4], .a5 = arg[5]);
    int64_t result = call ? call->run(k, p, arg) : -LX_ENOSYS;
    bool stuck = nr == LX_NR_brk && arg[0] && (va_t)result != arg[0];
    k->counters.failed += lx_failed(result) || stuck;
    k->counters.areas_peak = max_u64(k->counters.areas_peak, p->areas.count);
    k->counters.cycles_syscall += k->env->cycle - start - (k->copying - copying);
    writeback_balance(k, &k->counters.cycles_syscall);
    EMIT(k->env, sys_exit, .nr = nr, .result = result);
    reclaim_background(k);
    return result;
}
