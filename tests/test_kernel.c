/* test_kernel.c: the kernel as a whole: layout, processes, nothing lost, events that tell all, and
 * random programs against an oracle that knows only pages.
 */
#include "kernel/process.h"
#include "tests/kernel_rig.h"

#define P  PAGE_SIZE
#define RW (LX_PROT_READ | LX_PROT_WRITE)

START_TEST(maps_as_linux_prints_them)
{
    static const char *const lines[] = {
        "555555554000-555555555000 r--p 00000000 08:01 1048577                    "
        "/usr/bin/program\n",
        "55555555c000-55555557d000 rw-p 00000000 00:00 0                          [heap]\n",
        "7ffff5e4c000-7ffff5e4d000 rw-p 00000000 00:00 0 \n7ffff5e4d000-",
        "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n",
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
        "1000000000-1000001000 rw-s 00000000 00:01 1                              "
        "/dev/zero (deleted)\n",
    };
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    rig_brk(&r, config.heap_start + 0x21000);
    rig_map(&r, P);
    rig_mmap(&r, 64 * GIB, P, RW, LX_MAP_SHARED);
    char text[8192], small[64];
    size_t n = kernel_proc_maps(r.k, 1, text, sizeof(text));
    ck_assert_uint_eq(n, strlen(text));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        ck_assert_msg(strstr(text, lines[i]), "missing: %s in\n%s", lines[i], text);
    ck_assert_uint_eq(kernel_proc_maps(r.k, 1, small, sizeof(small)), n);
    ck_assert_uint_eq(strlen(small), sizeof(small) - 1);
    ck_assert_uint_eq(kernel_proc_maps(r.k, 9, text, sizeof(text)), 0);
    rig_close(&r);
}
END_TEST

START_TEST(too_little_ram)
{
    struct rig r;
    struct kernel_config config = rig_config();
    struct error error = {0};
    rig_hardware(&r, 512 * P);
    ck_assert_ptr_null(kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, &error));
    ck_assert_int_eq(error.code, ERR_VALUE);
    ck_assert_str_eq(error.field, "ram");
    rig_close(&r);
}
END_TEST

/* Five processes with the same addresses and different contents; then none, and nothing is lost. */
START_TEST(processes)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_hardware(&r, 64 * MIB);
    r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
    uint64_t free = kernel_frames_free(r.k);
    for (uint16_t pid = 1; pid <= 5; pid++) {
        ck_assert_int_eq(kernel_spawn(r.k, "a rather long name"), pid);
        ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], pid), 0);
        ck_assert_uint_eq(rig_brk(&r, config.heap_start + P), config.heap_start + P);
        ck_assert(rig_store(&r, config.heap_start, (uint8_t)pid));
        ck_assert_int_eq(rig_call(&r, LX_NR_getpid, 0, 0, 0, 0, 0), pid);
    }
    for (uint16_t pid = 5; pid >= 1; pid--) {
        ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], pid), 0);
        ck_assert_int_eq(rig_load(&r, config.heap_start), pid);
        ck_assert_uint_eq(r.faults, 0);
    }
    rig_check(&r);
    ck_assert_str_eq(rig_process(&r, 3).name, "a rather long n");
    ck_assert_int_eq(kernel_switch(r.k, &r.cpu[0], 6), -LX_ESRCH);
    kernel_exit(r.k, &r.cpu[0], 3);
    struct process_info info;
    ck_assert(kernel_process_at(r.k, 2, &info) && info.pid == 4);
    ck_assert(!kernel_process(r.k, 3, &info));
    for (uint16_t pid = 1; pid <= 5; pid++)
        kernel_exit(r.k, &r.cpu[0], pid);
    ck_assert_ptr_null(r.cpu[0].current);
    ck_assert_int_eq(rig_map(&r, P), -LX_ESRCH);
    ck_assert_uint_eq(kernel_frames_free(r.k), free);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* ---- a model made of events only ---- */

#define MODEL_AREAS  256u
#define MODEL_FRAMES 32768u

struct model {
    struct rig *r;
    struct {
        va_t start, end;
        uint64_t prot, flags;
    } area[MODEL_AREAS];
    size_t areas;
    uint8_t use[MODEL_FRAMES];
    va_t va[MODEL_FRAMES];
    uint64_t free, brk, tables;
    uint64_t compared;
};

static size_t model_find(const struct model *m, va_t start)
{
    size_t i = 0;
    while (i < m->areas && m->area[i].start < start)
        i++;
    return i;
}

static void model_area_new(struct model *m, const struct ev_area_new *e)
{
    size_t i = model_find(m, e->start);
    ck_assert_uint_lt(m->areas, MODEL_AREAS);
    memmove(&m->area[i + 1], &m->area[i], (m->areas - i) * sizeof(m->area[0]));
    m->areas++;
    m->area[i].start = e->start;
    m->area[i].end = e->end;
    m->area[i].prot = e->prot;
    m->area[i].flags = e->flags;
}

static void model_area_gone(struct model *m, const struct ev_area_gone *e)
{
    size_t i = model_find(m, e->start);
    ck_assert(i < m->areas && m->area[i].start == e->start && m->area[i].end == e->end);
    m->areas--;
    memmove(&m->area[i], &m->area[i + 1], (m->areas - i) * sizeof(m->area[0]));
}

static void model_area_change(struct model *m, const struct ev_area_change *e)
{
    size_t i = model_find(m, e->old_start);
    ck_assert(i < m->areas && m->area[i].start == e->old_start && m->area[i].end == e->old_end);
    m->area[i].start = e->start;
    m->area[i].end = e->end;
    m->area[i].prot = e->prot;
    m->area[i].flags = e->flags;
}

static void model_compare_areas(struct model *m)
{
    struct area_info info;
    ck_assert_uint_eq(kernel_areas(m->r->k, 1), m->areas);
    for (size_t i = 0; i < m->areas; i++) {
        const struct area *a = process_find(m->r->k, 1)->areas.at[i];
        ck_assert_uint_eq(a->start, m->area[i].start);
        ck_assert_uint_eq(a->end, m->area[i].end);
        ck_assert_uint_eq(a->flags & VM_ACCESS, m->area[i].prot);
        ck_assert_uint_eq(area_map_flags(a), m->area[i].flags);
    }
    ck_assert(!kernel_area(m->r->k, 1, m->areas, &info));
    m->compared++;
}

static void model_compare_frames(struct model *m)
{
    for (pfn_t pfn = 512; pfn < ram_size(m->r->ram) >> PAGE_SHIFT; pfn++) {
        struct frame_info info;
        kernel_frame(m->r->k, pfn, &info);
        ck_assert_uint_eq(info.use, m->use[pfn]);
        if (info.use == FRAME_ANON)
            ck_assert_uint_eq(info.va, m->va[pfn]);
    }
    ck_assert_uint_eq(kernel_frames_free(m->r->k), m->free);
}

static void model_hear(void *ctx, const struct event *e)
{
    struct model *m = ctx;
    switch (e->kind) {
    case EV_area_new:
        model_area_new(m, &e->area_new);
        model_compare_areas(m);
        break;
    case EV_area_gone:
        model_area_gone(m, &e->area_gone);
        model_compare_areas(m);
        break;
    case EV_area_change:
        model_area_change(m, &e->area_change);
        model_compare_areas(m);
        break;
    case EV_brk_move:
        m->brk = e->brk_move.after;
        ck_assert_uint_eq(rig_process(m->r, 1).brk, m->brk);
        break;
    case EV_frame_alloc:
        ck_assert_uint_eq(m->use[e->frame_alloc.pfn], FRAME_FREE);
        m->use[e->frame_alloc.pfn] = (uint8_t)e->frame_alloc.use;
        m->va[e->frame_alloc.pfn] = e->frame_alloc.va;
        m->free = e->frame_alloc.free;
        ck_assert_uint_eq(kernel_frames_free(m->r->k), m->free);
        break;
    case EV_frame_free:
        m->use[e->frame_free.pfn] = FRAME_FREE;
        m->free = e->frame_free.free;
        ck_assert_uint_eq(kernel_frames_free(m->r->k), m->free);
        break;
    case EV_table_new:
        m->tables++;
        ck_assert_uint_eq(rig_process(m->r, 1).tables, m->tables);
        break;
    case EV_table_gone:
        m->tables--;
        ck_assert_uint_eq(rig_process(m->r, 1).tables, m->tables);
        break;
    case EV_entry_write:
        ck_assert_uint_eq(ram_read64(m->r->ram, e->entry_write.pa), e->entry_write.after);
        if (e->entry_write.level == 1 && e->entry_write.after)
            m->va[pte_pfn(e->entry_write.after)] = e->entry_write.va;
        break;
    default:
        break;
    }
}

static void model_attach(struct model *m, struct rig *r)
{
    *m = (struct model){.r = r};
    r->bus.on = true;
    r->bus.count = 1;
    r->bus.listener[0] = (struct listener){model_hear, m};
}

/* ---- random programs against an oracle ---- */

#define PAGES 640u /* of the window the program plays in; more than one table */

struct oracle {
    bool mapped[PAGES], written[PAGES];
    uint8_t prot[PAGES], byte[PAGES];
};

struct play {
    struct rig r;
    struct rng rng;
    struct oracle o;
    va_t base;
    unsigned heap; /* pages; the heap is a small oracle of its own */
    uint8_t heap_byte[64];
};

static unsigned some_length(struct play *g)
{
    return 1 + rng_below(&g->rng, rng_below(&g->rng, 4) ? 8 : 200);
}

static unsigned some_page(struct play *g, unsigned n)
{
    return rng_below(&g->rng, PAGES - n + 1);
}

static void play_mmap(struct play *g)
{
    unsigned n = some_length(g), at = some_page(g, n);
    uint32_t prot = rng_below(&g->rng, 8), flags = LX_MAP_PRIVATE | LX_MAP_FIXED;
    if (rng_below(&g->rng, 8) == 0)
        flags |= LX_MAP_POPULATE;
    ck_assert_int_eq(rig_mmap(&g->r, g->base + at * P, n * P, prot, flags),
                     (int64_t)(g->base + at * P));
    for (unsigned i = at; i < at + n; i++) {
        g->o.mapped[i] = true;
        g->o.prot[i] = (uint8_t)prot;
        g->o.byte[i] = 0;
        g->o.written[i] = (flags & LX_MAP_POPULATE) && (prot & LX_PROT_WRITE);
    }
}

static void play_munmap(struct play *g)
{
    unsigned n = some_length(g), at = some_page(g, n);
    ck_assert_int_eq(rig_call(&g->r, LX_NR_munmap, g->base + at * P, n * P, 0, 0, 0), 0);
    memset(g->o.mapped + at, 0, n);
    memset(g->o.written + at, 0, n);
}

static void play_mprotect(struct play *g)
{
    unsigned n = some_length(g), at = some_page(g, n), i = at;
    uint32_t prot = rng_below(&g->rng, 8);
    int64_t got = rig_call(&g->r, LX_NR_mprotect, g->base + at * P, n * P, prot, 0, 0);
    for (; i < at + n && g->o.mapped[i]; i++)
        g->o.prot[i] = (uint8_t)prot;
    ck_assert_int_eq(got, i == at + n ? 0 : -LX_ENOMEM);
}

static void play_dontneed(struct play *g)
{
    unsigned n = some_length(g), at = some_page(g, n);
    bool hole = false;
    int64_t got = rig_call(&g->r, LX_NR_madvise, g->base + at * P, n * P, LX_MADV_DONTNEED, 0, 0);
    for (unsigned i = at; i < at + n; i++) {
        hole |= !g->o.mapped[i];
        g->o.byte[i] = 0;
        g->o.written[i] = false;
    }
    ck_assert_int_eq(got, hole ? -LX_ENOMEM : 0);
}

/* Of the same size, to a place that does not overlap. */
static void play_mremap(struct play *g)
{
    unsigned n = some_length(g), from = some_page(g, n), to = some_page(g, n);
    if (from < to + n && to < from + n)
        return;
    struct oracle old = g->o;
    int64_t got = rig_call(&g->r, LX_NR_mremap, g->base + from * P, n * P, n * P,
                           LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED, g->base + to * P);
    ck_assert_int_eq(got, old.mapped[from] ? (int64_t)(g->base + to * P) : -LX_EFAULT);
    for (unsigned i = 0; i < n && got > 0; i++) {
        if (!old.mapped[from + i])
            continue; /* a hole leaves the other side alone */
        g->o.mapped[to + i] = true;
        g->o.prot[to + i] = old.prot[from + i];
        g->o.byte[to + i] = old.byte[from + i];
        g->o.written[to + i] = old.written[from + i];
        g->o.mapped[from + i] = g->o.written[from + i] = false;
    }
}

static void play_brk(struct play *g)
{
    unsigned pages = rng_below(&g->rng, 60);
    va_t heap = rig_process(&g->r, 1).heap_start;
    ck_assert_uint_eq(rig_brk(&g->r, heap + pages * P), heap + pages * P);
    for (unsigned i = pages; i < 64; i++)
        g->heap_byte[i] = 0;
    g->heap = pages;
    if (!pages)
        return;
    unsigned at = rng_below(&g->rng, pages);
    ck_assert_int_eq(rig_load(&g->r, heap + at * P), g->heap_byte[at]);
    g->heap_byte[at] = (uint8_t)rng_below(&g->rng, 256);
    ck_assert(rig_store(&g->r, heap + at * P, g->heap_byte[at]));
}

static void play_touch(struct play *g)
{
    unsigned at = rng_below(&g->rng, PAGES);
    va_t va = g->base + at * P;
    bool write = rng_below(&g->rng, 2);
    bool may = g->o.mapped[at] && (write ? g->o.prot[at] & LX_PROT_WRITE : g->o.prot[at]);
    uint8_t byte = (uint8_t)(1 + rng_below(&g->rng, 255));
    bool did = rig_access(&g->r, va, &byte, 1, write ? ACCESS_WRITE : ACCESS_READ);
    ck_assert_int_eq(did, may);
    if (!did) {
        unsigned code = g->o.mapped[at] ? LX_SEGV_ACCERR : LX_SEGV_MAPERR;
        ck_assert_uint_eq(g->r.signal.code, code);
    } else if (write) {
        g->o.byte[at] = byte;
        g->o.written[at] = true;
    } else {
        ck_assert_uint_eq(byte, g->o.byte[at]);
    }
}

static void play_step(struct play *g)
{
    static void (*const moves[])(struct play *) = {
        play_mmap, play_mmap,  play_munmap, play_mprotect, play_dontneed, play_mremap,
        play_brk,  play_touch, play_touch,  play_touch,    play_touch,    play_touch,
    };
    moves[rng_below(&g->rng, ARRAY_LEN(moves))](g);
}

static void play_resident(const struct play *g)
{
    uint64_t pages = 0;
    struct area_info info;
    for (unsigned i = 0; i < PAGES; i++)
        pages += g->o.written[i];
    uint64_t heap = 0;
    if (kernel_area_at(g->r.k, 1, rig_process(&g->r, 1).heap_start, &info))
        heap = info.resident;
    ck_assert_uint_eq(rig_process(&g->r, 1).resident, pages + heap);
}

START_TEST(random_programs)
{
    struct play *g = calloc(1, sizeof(*g));
    struct model *m = calloc(1, sizeof(*m));
    struct kernel_config config = rig_config();
    config.image_bytes = 0;
    rig_hardware(&g->r, 64 * MIB);
    g->r.k = kernel_new(g->r.env, g->r.ram, g->r.cpu, RIG_CPUS, &config, NULL);
    uint64_t frames = kernel_frames_free(g->r.k);
    model_attach(m, &g->r);
    for (pfn_t pfn = 512; pfn < 512 + 100; pfn++) {
        struct frame_info info;
        kernel_frame(g->r.k, pfn, &info); /* what the start took */
        m->use[pfn] = (uint8_t)info.use;
    }
    g->rng.state = (uint64_t)_i + 1;
    g->base = 64 * GIB + 100 * P;
    ck_assert_int_eq(kernel_spawn(g->r.k, "random"), 1);
    ck_assert_int_eq(kernel_switch(g->r.k, &g->r.cpu[0], 1), 0);
    for (unsigned i = 0; i < 1500; i++) {
        play_step(g);
        rig_check(&g->r);
        play_resident(g);
    }
    model_compare_frames(m);
    ck_assert_uint_gt(m->compared, 500);
    kernel_exit(g->r.k, &g->r.cpu[0], 1);
    ck_assert_uint_eq(kernel_frames_free(g->r.k), frames);
    ck_assert_uint_eq(m->areas + m->tables, 0);
    rig_check(&g->r);
    rig_close(&g->r);
    free(m);
    free(g);
}
END_TEST

/* ---- the n-th allocation fails ---- */

/* Every call may fail, but only for want of memory. */
static int64_t may_fail(int64_t result)
{
    ck_assert_msg(!lx_failed(result) || result == -LX_ENOMEM || result == -LX_ESRCH ||
                      result == -LX_EAGAIN,
                  "%s", lx_errno_name(result));
    return result;
}

static void busy_calls(struct rig *r, va_t at)
{
    const uint64_t move = LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED;
    for (unsigned i = 0; i < 40; i += 2)
        may_fail(rig_call(r, LX_NR_mprotect, at + i * P, P, LX_PROT_READ, 0, 0));
    may_fail(rig_call(r, LX_NR_munmap, at + 10 * P, 5 * P, 0, 0, 0));
    may_fail(rig_call(r, LX_NR_mremap, at + 20 * P, 3 * P, 3 * P, move, 70 * GIB));
    may_fail(rig_mmap(r, at + 30 * P, 5 * P, RW, LX_MAP_PRIVATE | LX_MAP_FIXED));
    may_fail(rig_call(r, LX_NR_mlock, at + 30 * P, 5 * P, 0, 0, 0));
    int64_t shared = may_fail(rig_mmap(r, 0, 8 * P, RW, LX_MAP_SHARED));
    if (shared > 0) {
        rig_store(r, (va_t)shared, 1);
        may_fail(rig_call(r, LX_NR_mremap, (va_t)shared, 0, 8 * P, LX_MREMAP_MAYMOVE, 0));
        may_fail(rig_call(r, LX_NR_madvise, (va_t)shared, 4 * P, LX_MADV_REMOVE, 0, 0));
    }
}

/* Spawns, works, exits; true: nothing failed. */
static bool busy_life(struct rig *r)
{
    int64_t pid = kernel_spawn(r->k, "busy");
    if (pid < 0) {
        ck_assert_int_eq(pid, -LX_ENOMEM);
        return false;
    }
    ck_assert_int_eq(kernel_switch(r->k, &r->cpu[0], (uint16_t)pid), 0);
    uint64_t failed = kernel_counters(r->k)->failed + kernel_counters(r->k)->oom_kills;
    va_t heap = rig_process(r, (uint16_t)pid).heap_start;
    if (rig_brk(r, heap + 9 * P) == heap + 9 * P)
        rig_store(r, heap, 1);
    int64_t at = may_fail(rig_map(r, 64 * P));
    if (at > 0)
        busy_calls(r, (va_t)at);
    rig_check(r);
    failed = kernel_counters(r->k)->failed + kernel_counters(r->k)->oom_kills - failed;
    kernel_exit(r->k, &r->cpu[0], (uint16_t)pid);
    return failed == 0;
}

START_TEST(failing_allocations)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_hardware(&r, 64 * MIB);
    r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
    ck_assert(busy_life(&r)); /* so that lists have their size */
    uint64_t free = kernel_frames_free(r.k), used = arena_used(r.arena), failures = 0;
    for (uint64_t n = 1; n < 300; n++) {
        arena_fail_at(r.arena, n);
        failures += !busy_life(&r);
        arena_fail_at(r.arena, 0);
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        ck_assert_uint_eq(arena_used(r.arena), used);
    }
    ck_assert_uint_gt(failures, 40); /* and the last ones came through */
    ck_assert_uint_lt(failures, 290);
    rig_close(&r);
}
END_TEST

START_TEST(failing_start)
{
    struct kernel_config config = rig_config();
    bool made = false;
    for (uint64_t n = 1; !made; n++) {
        struct rig r;
        struct error error = {0};
        rig_hardware(&r, 64 * MIB);
        arena_fail_at(r.arena, n);
        r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, &error);
        made = r.k;
        ck_assert_int_eq(error.code, made ? ERR_NONE : ERR_MEMORY);
        ck_assert_uint_lt(n, 20);
        rig_close(&r);
    }
}
END_TEST

/* Too few frames at each place where one is needed: killed, or told, but never lost. */
START_TEST(few_frames)
{
    struct kernel_config config = rig_config();
    config.reserved_frames = 8;
    for (uint64_t frames = 24; frames < 100; frames++) {
        struct rig r;
        rig_hardware(&r, frames * P);
        r.k = kernel_new(r.env, r.ram, r.cpu, RIG_CPUS, &config, NULL);
        ck_assert_ptr_nonnull(r.k);
        uint64_t free = kernel_frames_free(r.k);
        busy_life(&r);
        rig_check(&r);
        ck_assert_uint_eq(kernel_frames_free(r.k), free);
        rig_close(&r);
    }
}
END_TEST

START_TEST(costs_are_charged)
{
    struct rig r;
    struct kernel_config config = rig_config();
    rig_open(&r, 64 * MIB, &config);
    cycles_t before = r.env->cycle;
    int64_t at = rig_map(&r, P);
    ck_assert_uint_eq(r.env->cycle - before, config.syscall_cycles);
    ck_assert(rig_store(&r, (va_t)at, 1)); /* makes the tables */
    ck_assert_int_eq(rig_call(&r, LX_NR_madvise, (va_t)at, P, LX_MADV_DONTNEED, 0, 0), 0);
    uint64_t fault = kernel_counters(r.k)->cycles_fault;
    ck_assert(rig_store(&r, (va_t)at, 1));
    ck_assert_uint_eq(kernel_counters(r.k)->cycles_fault - fault,
                      config.fault_cycles + config.zero_cycles + config.entry_cycles);
    rig_close(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel");
    TCase *all = tcase_create("kernel");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, maps_as_linux_prints_them);
    tcase_add_test(all, too_little_ram);
    tcase_add_test(all, processes);
    tcase_add_loop_test(all, random_programs, 0, 6);
    tcase_add_test(all, failing_allocations);
    tcase_add_test(all, failing_start);
    tcase_add_test(all, few_frames);
    tcase_add_test(all, costs_are_charged);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
