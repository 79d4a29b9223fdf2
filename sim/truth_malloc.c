/* truth_malloc.c: traces of the malloc family, replayed and told in the words of the native replay.
 *
 * The native replay is a small program of its own, and these are its conditions: it has an array of
 * blocks by id, so a failed malloc binds its id to NULL and a failed realloc leaves the old block;
 * everything that it has before the first op is in memory and fills the addresses from mmap_low up,
 * so page tables stand there already; and it has asked for the break before.
 */
#include "sim/truth.h"

#include "alloc/glibc.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"
#include "sim/machine.h"
#include "sim/truth_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOUCH_BYTE 0xa5
#define WRITE_BYTE 0x5a
#define READ_STEP  64u
#define NO_RESULT  UINT64_MAX

/* ---- the program that replays ---- */

static int player_load(void *ctx, va_t from, void *to, size_t n)
{
    struct player *p = ctx;
    return machine_access(p->m, from, to, n, ACCESS_READ);
}

static int player_store(void *ctx, va_t to, const void *from, size_t n)
{
    struct player *p = ctx;
    return machine_access(p->m, to, (void *)(uintptr_t)from, n, ACCESS_WRITE);
}

static int player_peek(const void *ctx, va_t from, void *to, size_t n)
{
    const struct player *p = ctx;
    return machine_peek(p->m, p->pid, from, to, n) ? 0 : -1;
}

/* Resident pages just before memory is given back: Linux updates its peak only then. */
static void note_peak(struct player *p, uint64_t nr)
{
    struct process_info info;
    if (nr != LX_NR_munmap && nr != LX_NR_brk && nr != LX_NR_mremap && nr != LX_NR_madvise)
        return;
    kernel_process(p->m->kernel, p->pid, &info);
    p->resident_peak = max_u64(p->resident_peak, info.resident);
}

/* The native replay has seven files open before the first op. */
#define FREE_DESCRIPTOR 7

static int64_t player_syscall(void *ctx, uint64_t nr, const uint64_t arg[6])
{
    struct player *p = ctx;
    note_peak(p, nr);
    int64_t result = nr == LX_NR_openat ? FREE_DESCRIPTOR : machine_syscall(p->m, nr, arg);
    if (p->recording)
        truth_sys_line(p, nr, arg, result);
    return result;
}

/* ---- conditions at the start ---- */

static void touch_byte(struct player *p, va_t at, enum access how)
{
    uint8_t byte = 0;
    CHECK(machine_access(p->m, at, &byte, 1, how) == 0);
}

/* A page in each 2 MiB of [from, to) is read, so that the page tables are there. */
static void make_tables(struct player *p, va_t from, va_t to)
{
    for (va_t at = from; at < to; at = align_down(at, 2 * MIB) + 2 * MIB)
        touch_byte(p, at, ACCESS_READ);
}

/* Whatever is not mapped between from and to becomes one of the replayer's own arrays. */
static void plug(struct player *p, va_t from, va_t to)
{
    struct area_info a;
    for (va_t at = from; at < to;) {
        va_t end = to;
        for (size_t i = 0; kernel_area(p->m->kernel, p->pid, i, &a); i++)
            if (a.end > at && a.start < end)
                end = a.start > at ? a.start : at;
        if (end == at) {
            kernel_area_at(p->m->kernel, p->pid, at, &a);
            at = a.end;
            continue;
        }
        const uint64_t arg[6] = {at,
                                 end - at,
                                 LX_PROT_READ | LX_PROT_WRITE,
                                 LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED,
                                 UINT64_MAX,
                                 0};
        CHECK(machine_syscall(p->m, LX_NR_mmap, arg) == (int64_t)at);
        at = end;
    }
}

/* Linux maps downwards from here: 8 MiB for the stack and what randomisation may take. */
#define MMAP_BASE_BELOW (128 * MIB)

static void prepare(struct player *p)
{
    const struct kernel_config *k = &p->m->config.kernel;
    va_t base = k->stack_top - MMAP_BASE_BELOW;
    if (k->mmap_top < base)
        plug(p, k->mmap_top, base);
    make_tables(p, k->mmap_top + PAGE_SIZE, base);
    make_tables(p, k->image_start, k->image_start + k->image_bytes);
    touch_byte(p, k->stack_top - 1, ACCESS_WRITE);
    for (va_t at = align_down(p->user.data, PAGE_SIZE);
         at < p->user.data + DATA_MAIN_ARENA + AV_BYTES; at += PAGE_SIZE)
        touch_byte(p, at, ACCESS_WRITE);
}

/* The replayer's own sbrk(0) let the library learn the break. */
static void learn_break(struct player *p)
{
    uint64_t brk = p->o->heap0;
    va_t at = p->user.data + DATA_CURBRK;
    CHECK(machine_access(p->m, at, &brk, sizeof(brk), ACCESS_WRITE) == 0);
}

/* ---- blocks by id ---- */

/* Ids may be any number, so they are looked up by binary search in a sorted list of all of them. */
static int by_number(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static bool take_ids(struct player *p, const struct trace *trace)
{
    p->id = calloc(trace->count + 1, sizeof(uint64_t));
    p->block = calloc(trace->count + 1, sizeof(va_t));
    if (!p->id || !p->block)
        return false;
    uint64_t last = 0;
    for (size_t i = 0; i < trace->count; i++) {
        p->id[i + 1] = trace->op[i].id;
        last = max_u64(last, trace->op[i].id);
    }
    p->id_max = last;
    qsort(p->id, trace->count + 1, sizeof(uint64_t), by_number);
    for (size_t i = 0; i <= trace->count; i++)
        if (!p->ids || p->id[p->ids - 1] != p->id[i])
            p->id[p->ids++] = p->id[i];
    return true;
}

static va_t *block_of_id(struct player *p, uint64_t id)
{
    const uint64_t *at = bsearch(&id, p->id, p->ids, sizeof(id), by_number);
    CHECK(at);
    return &p->block[at - p->id];
}

/* ---- ops ---- */

static void touch_range(struct player *p, va_t at, uint64_t n, uint64_t step, enum access how)
{
    uint8_t bytes[PAGE_SIZE];
    memset(bytes, TOUCH_BYTE, sizeof(bytes));
    for (va_t end = at + n; at < end;) {
        uint64_t in_page = min_u64(end - at, PAGE_SIZE - (at & PAGE_MASK));
        uint64_t part = step == 1 ? in_page : 1;
        if (machine_access(p->m, at, bytes, part, how))
            return;
        at += step == 1 || step == PAGE_SIZE ? in_page : step;
    }
}

static void touch(struct player *p, va_t at, uint64_t n)
{
    enum access how = p->o->read ? ACCESS_READ : ACCESS_WRITE;
    if (!n)
        return;
    if (p->o->touch == TRUTH_TOUCH_FIRST)
        touch_range(p, at, 1, 1, how);
    else if (p->o->touch == TRUTH_TOUCH_PAGE)
        touch_range(p, at, n, PAGE_SIZE, how);
    else if (p->o->touch == TRUTH_TOUCH_ALL)
        touch_range(p, at, n, 1, how);
}

static void use_block(struct player *p, const struct op *op)
{
    va_t block = *block_of_id(p, op->id);
    uint64_t n = op->v[1];
    uint8_t bytes[PAGE_SIZE];
    if (!block || !n)
        return;
    block += op->v[0];
    if (op->kind == OP_read) {
        touch_range(p, block, n, READ_STEP, ACCESS_READ);
        touch_range(p, block + n - 1, 1, 1, ACCESS_READ);
        return;
    }
    memset(bytes, WRITE_BYTE, sizeof(bytes));
    for (va_t at = block, end = block + n; at < end;) {
        uint64_t part = min_u64(end - at, PAGE_SIZE - (at & PAGE_MASK));
        if (machine_access(p->m, at, bytes, part, ACCESS_WRITE))
            return;
        at += part;
    }
}

/* The result, and in *n how much of it is to be touched. */
static va_t make(struct player *p, const struct op *op, uint64_t *n)
{
    struct heap *h = p->heap;
    va_t block = 0;
    *n = op->v[0];
    switch ((enum op_kind)op->kind) {
    case OP_malloc:
        block = heap_malloc(h, op->v[0]);
        break;
    case OP_calloc:
        *n = op->v[0] * op->v[1];
        block = heap_calloc(h, op->v[1], op->v[0]);
        break;
    case OP_memalign:
        block = heap_memalign(h, op->v[1], op->v[0]);
        break;
    case OP_posix_memalign:
        heap_posix_memalign(h, &block, op->v[1], op->v[0]);
        break;
    case OP_aligned_alloc:
        block = heap_aligned_alloc(h, op->v[1], op->v[0]);
        break;
    case OP_valloc:
        block = heap_valloc(h, op->v[0]);
        break;
    default:
        block = heap_pvalloc(h, op->v[0]);
    }
    *block_of_id(p, op->id) = block;
    return block;
}

/* The native replay knows reallocarray only as a realloc of the size it names. */
static va_t resize(struct player *p, const struct op *op, uint64_t *n)
{
    va_t *at = block_of_id(p, op->id);
    *n = op->v[0];
    va_t block = heap_realloc(p->heap, *at, op->v[0]);
    if (block || !op->v[0])
        *at = block;
    return block;
}

static va_t do_op(struct player *p, const struct op *op, uint64_t *n)
{
    *n = 0;
    switch ((enum op_kind)op->kind) {
    case OP_malloc:
    case OP_calloc:
    case OP_memalign:
    case OP_posix_memalign:
    case OP_aligned_alloc:
    case OP_valloc:
    case OP_pvalloc:
        return make(p, op, n);
    case OP_realloc:
    case OP_reallocarray:
        return resize(p, op, n);
    case OP_free: {
        va_t *at = block_of_id(p, op->id);
        heap_free(p->heap, *at);
        *at = 0;
        break;
    }
    case OP_malloc_trim:
        heap_trim(p->heap, op->v[0]);
        break;
    case OP_mallopt:
        heap_mallopt(p->heap, (int)op->v[0], (int)op->v[1]);
        break;
    case OP_read:
    case OP_write:
        use_block(p, op);
        break;
    default: /* threads, marks: the native replay passes them over */
        break;
    }
    return NO_RESULT;
}

static uint64_t faults(const struct player *p)
{
    return kernel_counters(p->m->kernel)->faults_minor;
}

static void play(struct player *p, const struct trace *trace)
{
    struct text *out = &p->t->text[TRUTH_OUT];
    char result[32];
    uint64_t n, first = faults(p);
    text_add(out, "%s", "");
    text_add(&p->t->text[TRUTH_SYS], "%s", "");
    p->recording = true;
    for (p->op = 0; p->op < trace->count && p->op < p->o->stop; p->op++) {
        uint64_t before = faults(p);
        p->m->env.op = p->op + 1;
        va_t block = do_op(p, &trace->op[p->op], &n);
        uint64_t between = faults(p);
        if (p->o->touch != TRUTH_TOUCH_NONE && block != NO_RESULT && block)
            touch(p, block, n);
        text_add(out, "%s %" PRIu64 " %" PRIu64 "\n", truth_address(p->o, block, result),
                 between - before, faults(p) - between);
    }
    p->recording = false;
    p->faults = faults(p) - first;
}

/* ---- all of it ---- */

static enum err boot(struct player *p, struct error *e)
{
    struct config c;
    truth_config(p->o, &c);
    snprintf(c.alloc, sizeof(c.alloc), "glibc");
    if (p->o->tunables && strlen(p->o->tunables) >= sizeof(c.heap.tunables))
        return error_set(e, ERR_VALUE, NULL, 0, "--tunables", "longer than %zu bytes",
                         sizeof(c.heap.tunables) - 1);
    snprintf(c.heap.tunables, sizeof(c.heap.tunables), "%s", p->o->tunables ? p->o->tunables : "");
    enum err err = config_check(&c, e);
    if (err)
        return err;
    p->arena = arena_new(64 * GIB);
    p->ram = ram_new(c.ram_bytes);
    p->m = p->arena ? arena_alloc(p->arena, sizeof(*p->m)) : NULL;
    if (!p->m || !p->ram)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for the machine");
    err = machine_boot(p->m, p->arena, p->ram, &p->bus, &c, e);
    if (err)
        return err;
    struct program *program = p->m->program[0];
    int64_t result;
    CHECK(machine_program(p->m, 0, 0, &result) == program);
    p->pid = program->pid;
    p->user = (struct user){p,           player_load,   player_store,      player_syscall,
                            player_peek, &program->hot, program->user.data};
    prepare(p);
    p->heap = heap_new(&p->m->env, &p->user, alloc_find("glibc"), &p->m->config.heap);
    if (!p->heap)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory for the heap");
    learn_break(p);
    return ERR_NONE;
}

static void close_player(struct player *p)
{
    free(p->id);
    free(p->block);
    if (p->ram)
        ram_destroy(p->ram);
    if (p->arena)
        arena_destroy(p->arena);
}

enum err truth_malloc(const struct trace *trace, const struct truth_options *o, struct truth *t,
                      struct error *e)
{
    struct player p = {.o = o, .t = t};
    enum err err = ERR_NONE;
    if (!take_ids(&p, trace))
        err = error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory for the ids");
    if (!err)
        err = boot(&p, e);
    if (!err) {
        struct process_info info;
        kernel_process(p.m->kernel, p.pid, &info);
        p.resident0 = info.resident;
        p.resident_peak = info.resident;
        p.tables0 = info.tables;
        p.lines = trace->count + 1;
        play(&p, trace);
        truth_state(&p, p.op);
    }
    close_player(&p);
    return err;
}
