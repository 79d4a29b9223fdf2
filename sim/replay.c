/* replay.c: the ops of a trace, done one by one by the program that the trace tells of.
 *
 * Each group of ops has one function; what a trace asks wrongly (a dead id, a byte outside its
 * block) is told as op_error, and the replay goes on as the real program would have.
 */
#include "sim/replay.h"

#include "sim/base/check.h"

#include <string.h>

/* An access of at most this many bytes is one instruction, which may cross a page border. */
#define ONE_ACCESS 16

/* What every op function is handed. */
struct task {
    struct machine *m;
    struct program *p;
    struct heap *heap; /* only for the malloc family */
    const struct op *op;
    const struct op_extra *extra; /* NULL: none */
    uint64_t number;
};

static void complain(const struct task *t, enum misuse what, va_t pointer, uint64_t other_op)
{
    t->m->counters.errors[what]++;
    if (t->m->mistake.op != t->number)
        t->m->mistake = (struct mistake){t->number, what, pointer, other_op, NULL, false};
    EMIT(&t->m->env, op_error, .op = t->number, .what = what, .pointer = pointer,
         .other_op = other_op);
}

va_t replay_address(const struct machine *m, uint8_t base, uint64_t value)
{
    switch (base) {
    case BASE_HEAP:
        return m->config.kernel.heap_start + value;
    case BASE_MMAP:
        return m->config.kernel.mmap_top + value;
    default:
        return value;
    }
}

/* ---- the malloc family ---- */

/* If the allocator complained during its last call, that is told: with the op that made the block
 * where it lives (maker), else with the one that freed it. */
static void check_heap(const struct task *t, uint64_t maker)
{
    enum misuse what = t->heap->misuse;
    if (what == MISUSE_NONE)
        return;
    const struct gone_block *gone = block_gone(t->m, t->p->pid, t->op->id);
    complain(t, what, t->heap->misuse_at, gone && !maker ? gone->op : maker);
    t->heap->misuse = MISUSE_NONE;
}

static void unbind(const struct task *t, struct block *b)
{
    struct block_info info;
    block_get(b, &info);
    block_remove(t->m, b);
    if (info.start)
        EMIT(&t->m->env, block_gone, .id = t->op->id, .pointer = info.start);
}

/* The id now stands for a block at start; 0 binds it to NULL, so a later free of it is free(NULL).
 */
static void bind(const struct task *t, va_t start, uint64_t size)
{
    struct block *old = block_find(t->m, t->p->pid, t->op->id);
    if (old) {
        struct block_info info;
        block_get(old, &info);
        if (info.start)
            complain(t, MISUSE_REUSED, info.start, info.op);
        unbind(t, old);
    }
    if (!block_add(t->m, t->p->pid, t->op->id, start, size))
        complain(t, MISUSE_NO_MEMORY, start, 0);
    else if (start)
        EMIT(&t->m->env, block_new, .id = t->op->id, .pointer = start, .size = size);
}

static uint64_t product(uint64_t a, uint64_t b)
{
    return a && b > UINT64_MAX / a ? UINT64_MAX : a * b;
}

/* C and POSIX want a power of two; posix_memalign, at least the size of a pointer. What the
 * allocator then does is its own matter: glibc rounds up. */
static void check_alignment(const struct task *t)
{
    uint64_t alignment = t->op->v[1];
    bool aligned = t->op->kind == OP_memalign || t->op->kind == OP_aligned_alloc ||
                   t->op->kind == OP_posix_memalign;
    bool small = t->op->kind == OP_posix_memalign && alignment < sizeof(va_t);
    if (aligned && (!is_pow2(alignment) || small))
        complain(t, MISUSE_ALIGNMENT, alignment, 0);
}

static va_t allocate(const struct task *t)
{
    const struct op *op = t->op;
    struct heap *h = t->heap;
    uint64_t size = op->v[0];
    uint64_t other = op->v[1];
    va_t p = 0;
    switch ((enum op_kind)op->kind) {
    case OP_malloc:
        return heap_malloc(h, size);
    case OP_calloc:
        return heap_calloc(h, other, size);
    case OP_memalign:
        return heap_memalign(h, other, size);
    case OP_posix_memalign:
        heap_posix_memalign(h, &p, other, size);
        return p;
    case OP_aligned_alloc:
        return heap_aligned_alloc(h, other, size);
    case OP_valloc:
        return heap_valloc(h, size);
    default:
        return heap_pvalloc(h, size);
    }
}

static int64_t do_allocate(const struct task *t)
{
    uint64_t size = t->op->kind == OP_calloc ? product(t->op->v[0], t->op->v[1]) : t->op->v[0];
    check_alignment(t);
    va_t p = allocate(t);
    check_heap(t, 0);
    bind(t, p, size);
    return (int64_t)p;
}

/* A dead or unknown id. The stale pointer goes to the allocator, as in the real program, unless
 * another block lives there now: freeing that one would spoil the rest of the trace. With
 * alloc.unfiltered it goes there all the same. */
static int64_t free_dead(const struct task *t)
{
    const struct gone_block *gone = block_gone(t->m, t->p->pid, t->op->id);
    if (!gone) {
        complain(t, MISUSE_DEAD, 0, 0);
    } else if (block_lives_at(t->m, t->p->pid, gone->start) && !t->heap->config.unfiltered) {
        complain(t, MISUSE_DOUBLE_FREE, gone->start, gone->op);
    } else {
        heap_free(t->heap, gone->start);
        if (t->heap->misuse == MISUSE_NONE)
            complain(t, MISUSE_DOUBLE_FREE, gone->start, gone->op);
        check_heap(t, 0);
    }
    return 0;
}

static int64_t do_free(const struct task *t)
{
    if (t->op->id == 0) {
        heap_free(t->heap, 0);
        return 0;
    }
    struct block *b = block_find(t->m, t->p->pid, t->op->id);
    if (!b)
        return free_dead(t);
    struct block_info info;
    block_get(b, &info);
    heap_free(t->heap, info.start + t->op->v[0]);
    check_heap(t, info.op);
    if (t->op->v[0] == 0)
        unbind(t, b);
    return 0;
}

/* realloc of a stale pointer is told, and then makes a new block: another one may live where it
 * points. */
static void check_realloc(const struct task *t)
{
    const struct gone_block *gone = NULL;
    if (t->op->id && !block_find(t->m, t->p->pid, t->op->id))
        gone = block_gone(t->m, t->p->pid, t->op->id);
    if (gone && gone->start)
        complain(t, MISUSE_REALLOC, gone->start, gone->op);
}

static int64_t do_realloc(const struct task *t)
{
    const struct op *op = t->op;
    check_realloc(t);
    bool array = op->kind == OP_reallocarray;
    uint64_t size = array ? product(op->v[0], op->v[1]) : op->v[0];
    struct block *b = op->id ? block_find(t->m, t->p->pid, op->id) : NULL;
    struct block_info old = {0};
    if (b)
        block_get(b, &old);
    va_t p = array ? heap_reallocarray(t->heap, old.start, op->v[1], op->v[0])
                   : heap_realloc(t->heap, old.start, size);
    check_heap(t, 0);
    bool ended = old.start && size == 0 && !p;
    if (!p && b && !ended)
        return 0; /* it failed; the old block is still there */
    if (b)
        unbind(t, b);
    if (!ended)
        bind(t, p, size);
    return (int64_t)p;
}

/* ---- the program touches memory ---- */

/* What a write op stores: a value that tells the op, never 0. */
static uint8_t op_byte(const struct task *t)
{
    if (t->op->kind == OP_set)
        return (uint8_t)t->op->v[2];
    return (uint8_t)((t->number - 1) % 255 + 1);
}

/* How much of n bytes at va is one access. */
static size_t access_size(const struct machine *m, va_t va, uint64_t n)
{
    uint64_t unit = m->config.access_unit;
    if (n <= ONE_ACCESS && n <= unit)
        return n;
    uint64_t in_page = PAGE_SIZE - (va & PAGE_MASK);
    return min_u64(n, min_u64(unit - va % unit, in_page));
}

static int64_t got_signal(const struct task *t, va_t va)
{
    complain(t,
             t->m->signal.signal == LX_SIGKILL  ? MISUSE_KILLED
             : t->m->signal.signal == LX_SIGBUS ? MISUSE_BUS
                                                : MISUSE_SEGV,
             va, 0);
    return -LX_EFAULT;
}

/* Reads, fills or fetches n bytes, access by access. */
static int64_t sweep(const struct task *t, va_t va, uint64_t n, enum access access)
{
    uint8_t bytes[PAGE_SIZE];
    if (access == ACCESS_WRITE)
        memset(bytes, op_byte(t), min_u64(n, sizeof(bytes)));
    for (uint64_t done = 0; done < n;) {
        size_t part = access_size(t->m, va + done, n - done);
        if (machine_access(t->m, va + done, access == ACCESS_FETCH ? NULL : bytes, part, access))
            return got_signal(t, t->m->signal.va);
        done += part;
    }
    return (int64_t)n;
}

static int64_t move(const struct task *t, va_t to, va_t from, uint64_t n)
{
    uint8_t bytes[PAGE_SIZE];
    for (uint64_t done = 0; done < n;) {
        size_t part = access_size(t->m, from + done, n - done);
        part = min_u64(part, access_size(t->m, to + done, n - done));
        if (machine_access(t->m, from + done, bytes, part, ACCESS_READ) ||
            machine_access(t->m, to + done, bytes, part, ACCESS_WRITE))
            return got_signal(t, t->m->signal.va);
        done += part;
    }
    return (int64_t)n;
}

struct neighbour {
    const struct task *t;
    va_t start, end; /* what was accessed */
    va_t own;        /* the block that it should have been */
    uint64_t op;     /* of the first live block that was hit; 0: none */
};

static void look_for_neighbour(void *ctx, const struct block_info *b)
{
    struct neighbour *n = ctx;
    if (b->pid == n->t->p->pid && b->start && b->start != n->own && !n->op && b->start < n->end &&
        n->start < b->start + b->size)
        n->op = b->op;
}

/* [off, off + len) is not all inside the block: whose bytes are they? */
static void complain_outside(const struct task *t, const struct block_info *info, uint64_t off,
                             uint64_t len)
{
    struct heap_block b;
    bool known = t->p->heap && heap_block(t->p->heap, info->start, &b);
    va_t end = known ? b.chunk + b.size : info->start + info->size;
    struct neighbour n = {t, info->start + off, info->start + off + len, info->start, 0};
    enum misuse what = MISUSE_OUTSIDE;
    if (off >> 63)
        what = MISUSE_UNDERFLOW;
    else if (n.end > end || n.end < n.start)
        what = MISUSE_OVERFLOW;
    block_each(t->m, look_for_neighbour, &n);
    complain(t, what, n.start, n.op ? n.op : info->op);
}

/* The address of [off, off + len) in a block. A dead block's old address is used, as a dangling
 * pointer would; false: the id never was a block, or stands for NULL. */
static bool block_place(const struct task *t, uint64_t id, uint64_t off, uint64_t len, va_t *va)
{
    const struct block *b = block_find(t->m, t->p->pid, id);
    struct block_info info = {0};
    if (b)
        block_get(b, &info);
    if (b && info.start) {
        if (off > info.size || len > info.size - off)
            complain_outside(t, &info, off, len);
        *va = info.start + off;
        return true;
    }
    const struct gone_block *gone = b ? NULL : block_gone(t->m, t->p->pid, id);
    complain(t, MISUSE_DEAD, gone ? gone->start + off : off, gone ? gone->op : 0);
    *va = gone ? gone->start + off : 0;
    return gone != NULL;
}

static int64_t do_touch(const struct task *t)
{
    const struct op *op = t->op;
    struct machine *m = t->m;
    uint64_t n = op->v[1];
    va_t va = replay_address(m, op->base, op->v[0]);
    va_t to = replay_address(m, op->to_base, op->v[3]);
    if (op->base == BASE_BLOCK && !block_place(t, op->id, op->v[0], n, &va))
        return -LX_EFAULT;
    if (op->kind == OP_copy && op->to_base == BASE_BLOCK &&
        !block_place(t, op->v[4], op->v[3], n, &to))
        return -LX_EFAULT;
    bool reads = op->kind == OP_read || op->kind == OP_copy;
    bool writes = op->kind == OP_write || op->kind == OP_set || op->kind == OP_copy;
    int64_t result;
    if (op->kind == OP_copy)
        result = move(t, to, va, n);
    else
        result = sweep(t, va, n, writes ? ACCESS_WRITE : reads ? ACCESS_READ : ACCESS_FETCH);
    if (result > 0) {
        m->counters.bytes_read += reads ? n : 0;
        m->counters.bytes_written += writes ? n : 0;
    }
    return result;
}

/* ---- system calls of the program itself ---- */

/* The ops that are system calls. */
static const uint16_t call_number[OP_COUNT] = {
    [OP_brk] = LX_NR_brk,
    [OP_mmap] = LX_NR_mmap,
    [OP_munmap] = LX_NR_munmap,
    [OP_mremap] = LX_NR_mremap,
    [OP_mprotect] = LX_NR_mprotect,
    [OP_madvise] = LX_NR_madvise,
    [OP_mincore] = LX_NR_mincore,
    [OP_mlock] = LX_NR_mlock,
    [OP_munlock] = LX_NR_munlock,
    [OP_close] = LX_NR_close,
    [OP_mmap_file] = LX_NR_mmap,
    [OP_msync] = LX_NR_msync,
    [OP_fsync] = LX_NR_fsync,
    [OP_ftruncate] = LX_NR_ftruncate,
    [OP_pread] = LX_NR_pread64,
    [OP_pwrite] = LX_NR_pwrite64,
    [OP_fadvise] = LX_NR_fadvise64,
    [OP_setrlimit] = LX_NR_setrlimit,
    [OP_getrusage] = LX_NR_getrusage,
    [OP_pkey_alloc] = LX_NR_pkey_alloc,
    [OP_pkey_free] = LX_NR_pkey_free,
    [OP_pkey_mprotect] = LX_NR_pkey_mprotect,
};

static int64_t do_syscall(const struct task *t)
{
    const struct op *op = t->op;
    uint64_t nr = call_number[op->kind];
    uint64_t arg[6] = {replay_address(t->m, op->base, op->v[0]), op->v[1], op->v[2], op->v[3]};
    if (nr == LX_NR_mmap)
        arg[4] = UINT64_MAX; /* the file: none */
    if (nr == LX_NR_mincore)
        arg[2] = replay_address(t->m, op->to_base, op->v[4]);
    if (nr == LX_NR_getrusage)
        arg[1] = replay_address(t->m, op->to_base, op->v[4]);
    if (nr == LX_NR_mremap)
        arg[4] = replay_address(t->m, op->to_base, op->v[4]);
    return machine_syscall(t->m, nr, arg);
}

/* The file is on the disk before the program opens it. */
static int64_t do_open(const struct task *t)
{
    const struct op *op = t->op;
    int made = kernel_file(t->m->kernel, op->v[0], op->v[1]);
    if (made == -LX_ENOMEM)
        return made;
    const uint64_t arg[6] = {(uint64_t)LX_AT_FDCWD, op->v[0], op->v[2]};
    return machine_syscall(t->m, LX_NR_openat, arg);
}

/* The calls whose first argument is a descriptor; the op's own fields follow it. */
static int64_t do_fd(const struct task *t)
{
    const struct op *op = t->op;
    const uint64_t arg[6] = {op->id, replay_address(t->m, op->base, op->v[0]), op->v[1], op->v[2]};
    return machine_syscall(t->m, call_number[op->kind], arg);
}

static int64_t do_mmap_file(const struct task *t)
{
    const struct op *op = t->op;
    const uint64_t arg[6] = {
        replay_address(t->m, op->base, op->v[0]), op->v[1], op->v[2], op->v[3], op->id, op->v[4]};
    return machine_syscall(t->m, LX_NR_mmap, arg);
}

/* The program's brk and sbrk are the C library's: it knows where the break is now. */
static void tell_break(const struct task *t)
{
    struct process_info info;
    struct heap *h = t->p->heap;
    if (h && h->ops->moved && kernel_process(t->m->kernel, t->p->pid, &info))
        h->ops->moved(h, info.brk);
}

static int64_t do_brk(const struct task *t)
{
    int64_t result = do_syscall(t);
    tell_break(t);
    return result;
}

/* The C library's sbrk: the old break, or -ENOMEM. */
static int64_t do_sbrk(const struct task *t)
{
    struct process_info info;
    CHECK(kernel_process(t->m->kernel, t->p->pid, &info));
    uint64_t arg[6] = {info.brk + t->op->v[0]};
    if (t->op->v[0] == 0)
        return (int64_t)info.brk;
    int64_t now = machine_syscall(t->m, LX_NR_brk, arg);
    tell_break(t);
    return (uint64_t)now == arg[0] ? (int64_t)info.brk : -LX_ENOMEM;
}

/* The child's number in the trace, or -errno. */
static int64_t do_fork(const struct task *t)
{
    int64_t result = machine_fork(t->m, t->p, (uint16_t)t->op->v[0]);
    if (result == -LX_EEXIST)
        complain(t, MISUSE_REUSED, 0, 0);
    return result ? result : (int64_t)t->op->v[0];
}

static void count_leak(void *ctx, const struct block_info *b)
{
    const struct task *t = ctx;
    if (b->pid != t->p->pid || !b->start)
        return;
    t->m->counters.leaked_blocks++;
    t->m->counters.leaked_bytes += b->size;
}

/* The trace's numbers of processes are not the kernel's. */
static int64_t do_wait(const struct task *t)
{
    const struct op *op = t->op;
    uint64_t arg[6] = {op->v[0], replay_address(t->m, op->to_base, op->v[4])};
    const struct program *child = machine_find(t->m, (uint16_t)op->v[0]);
    if ((int64_t)op->v[0] >= 0 && op->v[0] <= UINT16_MAX && child)
        arg[0] = child->pid;
    int64_t result = machine_syscall(t->m, LX_NR_wait4, arg);
    child = result > 0 ? machine_find_pid(t->m, (uint16_t)result) : NULL;
    return child ? child->trace_pid : result;
}

static int64_t do_exit(const struct task *t)
{
    struct task leaving = *t;
    block_each(t->m, count_leak, &leaving);
    kernel_exit_code(t->m->kernel, t->p->pid, (uint8_t)t->op->v[0]);
    machine_exit(t->m, t->p);
    return 0;
}

/* ---- one op ---- */

static int64_t do_trim(const struct task *t)
{
    return heap_trim(t->heap, t->op->v[0]);
}

static int64_t do_mallopt(const struct task *t)
{
    return heap_mallopt(t->heap, (int)t->op->v[0], (int64_t)t->op->v[1]);
}

static int64_t do_wrpkru(const struct task *t)
{
    kernel_wrpkru(t->m->kernel, machine_cpu(t->m), (uint32_t)t->op->v[0]);
    return 0;
}

static int64_t do_mark(const struct task *t)
{
    EMIT(&t->m->env, mark, .op = t->number, .text = t->extra ? t->extra->text : NULL);
    return 0;
}

static int64_t do_thread_exit(const struct task *t)
{
    if (t->p->heap && t->p->heap->ops->thread)
        t->p->heap->ops->thread(t->p->heap, t->op->tid, true);
    kernel_thread_exit(t->m->kernel, machine_cpu(t->m));
    return 0;
}

static int64_t do_sleep(const struct task *t)
{
    kernel_block(t->m->kernel, machine_cpu(t->m));
    return 0;
}

static int64_t do_affinity(const struct task *t)
{
    return kernel_affinity(t->m->kernel, machine_cpu(t->m), t->op->v[0]);
}

/* NOTE: the threads of a process share one heap. */
static int64_t do_nothing(const struct task *t)
{
    (void)t;
    return 0;
}

static int64_t (*const action[OP_COUNT])(const struct task *) = {
    [OP_malloc] = do_allocate,
    [OP_calloc] = do_allocate,
    [OP_memalign] = do_allocate,
    [OP_posix_memalign] = do_allocate,
    [OP_aligned_alloc] = do_allocate,
    [OP_valloc] = do_allocate,
    [OP_pvalloc] = do_allocate,
    [OP_realloc] = do_realloc,
    [OP_reallocarray] = do_realloc,
    [OP_free] = do_free,
    [OP_malloc_trim] = do_trim,
    [OP_mallopt] = do_mallopt,
    [OP_read] = do_touch,
    [OP_write] = do_touch,
    [OP_set] = do_touch,
    [OP_copy] = do_touch,
    [OP_fetch] = do_touch,
    [OP_brk] = do_brk,
    [OP_sbrk] = do_sbrk,
    [OP_mmap] = do_syscall,
    [OP_munmap] = do_syscall,
    [OP_mremap] = do_syscall,
    [OP_mprotect] = do_syscall,
    [OP_madvise] = do_syscall,
    [OP_mincore] = do_syscall,
    [OP_mlock] = do_syscall,
    [OP_munlock] = do_syscall,
    [OP_open] = do_open,
    [OP_close] = do_fd,
    [OP_mmap_file] = do_mmap_file,
    [OP_msync] = do_syscall,
    [OP_fsync] = do_fd,
    [OP_ftruncate] = do_fd,
    [OP_pread] = do_fd,
    [OP_pwrite] = do_fd,
    [OP_fadvise] = do_fd,
    [OP_setrlimit] = do_syscall,
    [OP_getrusage] = do_syscall,
    [OP_pkey_alloc] = do_syscall,
    [OP_pkey_free] = do_syscall,
    [OP_pkey_mprotect] = do_syscall,
    [OP_wrpkru] = do_wrpkru,
    [OP_fork] = do_fork,
    [OP_wait4] = do_wait,
    [OP_exit] = do_exit,
    [OP_mark] = do_mark,
    [OP_thread_create] = do_nothing,
    [OP_thread_start] = do_nothing,
    [OP_thread_exit] = do_thread_exit,
    [OP_sleep] = do_sleep,
    [OP_sched_setaffinity] = do_affinity,
};

static bool of_malloc_family(enum op_kind kind)
{
    return kind <= OP_mallopt;
}

/* The allocator has ended its program, by abort() or by an access of its own, or it would never
 * have returned, and somebody lost patience: nothing follows. */
static void end_by_signal(const struct task *t)
{
    const struct heap *h = t->heap;
    check_heap(t, 0); /* what no op has told yet */
    t->m->mistake.message = h->message;
    t->m->mistake.endless = h->endless;
    if (h->message)
        EMIT(&t->m->env, signal_sent, .signal = h->endless ? LX_SIGKILL : LX_SIGABRT);
    else
        EMIT(&t->m->env, signal_sent, .signal = LX_SIGSEGV, .va = t->m->signal.va);
    machine_exit(t->m, t->p);
}

static int64_t run_family(struct task *t)
{
    t->heap = machine_heap(t->m, t->p);
    if (!t->heap) {
        complain(t, MISUSE_NO_MEMORY, 0, 0);
        return -LX_ENOMEM;
    }
    if (t->heap->ops->thread)
        t->heap->ops->thread(t->heap, t->op->tid, false);
    cycles_t start = t->m->env.cycle;
    int64_t result = action[t->op->kind](t);
    t->m->counters.cycles_heap += t->m->env.cycle - start;
    if (t->heap->over)
        end_by_signal(t);
    return result;
}

static int64_t run(struct task *t)
{
    int64_t result = 0;
    if (t->op->kind == OP_mark) /* nobody runs for it */
        return action[t->op->kind](t);
    t->p = machine_program(t->m, t->op->pid, t->op->tid, &result);
    if (!t->p) {
        complain(t, MISUSE_KILLED, 0, 0);
        return result;
    }
    if (of_malloc_family((enum op_kind)t->op->kind))
        return run_family(t);
    return action[t->op->kind](t);
}

static uint64_t faults_so_far(const struct machine *m)
{
    const struct kernel_counters *k = kernel_counters(m->kernel);
    return k->faults_minor + k->faults_major;
}

void replay_op(struct machine *m, uint64_t number, const struct op *op,
               const struct op_extra *extra)
{
    struct task t = {.m = m, .op = op, .extra = extra, .number = number};
    m->env.op = number;
    m->env.seq = 0;
    uint64_t faults = faults_so_far(m);
    EMIT(&m->env, op_begin, .op = number, .kind = op->kind, .id = op->id, .tid = op->tid);
    int64_t result = run(&t);
    m->outcome = (struct outcome){result, faults_so_far(m) - faults};
    m->counters.ops++;
    m->counters.by_kind[op->kind]++;
    if (m->config.scan_ops && number % m->config.scan_ops == 0)
        kernel_khugepaged(m->kernel, m->config.scan_pages);
    EMIT(&m->env, op_end, .op = number, .result = result, .faults = m->outcome.faults);
}
