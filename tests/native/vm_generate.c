/* vm_generate.c: random sequences of memory calls that are worth trying: most of them work, and
 * what they work on was made, split, merged or touched before.
 *
 *     vm_generate FOLDER FIRST COUNT      writes FOLDER/PROFILE-NUMBER.jsonl
 *
 * Each op is done at once on a simulated machine, whose areas tell where the next one may aim. A
 * sequence is a function of its number alone. Nothing aims at what is not the sequence's own: its
 * image, and everything from mmap_low up.
 */
#include "kernel/vma.h"
#include "sim/base/rng.h"
#include "sim/replay.h"
#include "sim/state.h"
#include "sim/truth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAP0    UINT64_C(0x55555555c000)
#define MMAP_LOW UINT64_C(0x7ffff5e4d000)
#define RAM      (24 * GIB)
#define P        PAGE_SIZE
#define PROCS    8u

/* What a profile likes to do, out of the sum of its weights. */
struct profile {
    const char *name;
    unsigned mmap, munmap, mprotect, madvise, mremap, brk, mincore, lock, read, write, fork, exit;
    bool bad;      /* arguments that are wrong */
    bool grows;    /* areas that grow down */
    bool huge;     /* sizes of 2 MiB, MADV_HUGEPAGE */
    bool children; /* several processes */
};

static const struct profile profiles[] = {
    {.name = "place", .mmap = 10, .munmap = 6, .mremap = 2, .brk = 2, .write = 2},
    {.name = "prot", .mmap = 4, .munmap = 1, .mprotect = 10, .madvise = 1, .read = 3, .write = 5},
    {.name = "mremap", .mmap = 4, .munmap = 1, .mprotect = 1, .mremap = 10, .read = 2, .write = 4},
    {.name = "brk", .mmap = 2, .munmap = 2, .mprotect = 2, .brk = 10, .lock = 1, .write = 3},
    {.name = "fault",
     .mmap = 4,
     .munmap = 1,
     .mprotect = 2,
     .madvise = 5,
     .mincore = 2,
     .read = 7,
     .write = 7},
    {.name = "bad",
     .mmap = 6,
     .munmap = 4,
     .mprotect = 4,
     .madvise = 4,
     .mremap = 6,
     .brk = 1,
     .mincore = 2,
     .lock = 3,
     .write = 1,
     .bad = true},
    {.name = "mix",
     .mmap = 6,
     .munmap = 3,
     .mprotect = 4,
     .madvise = 4,
     .mremap = 4,
     .brk = 3,
     .mincore = 1,
     .lock = 2,
     .read = 4,
     .write = 6},
    {.name = "grow",
     .mmap = 6,
     .munmap = 3,
     .mprotect = 3,
     .mremap = 1,
     .lock = 1,
     .read = 4,
     .write = 9,
     .grows = true},
    {.name = "thp",
     .mmap = 5,
     .munmap = 2,
     .mprotect = 2,
     .madvise = 8,
     .mremap = 2,
     .mincore = 1,
     .read = 3,
     .write = 8,
     .huge = true},
    {.name = "thpcow",
     .mmap = 4,
     .munmap = 2,
     .mprotect = 2,
     .madvise = 6,
     .mremap = 1,
     .read = 4,
     .write = 10,
     .fork = 2,
     .exit = 1,
     .huge = true,
     .children = true},
    {.name = "cow",
     .mmap = 4,
     .munmap = 2,
     .mprotect = 3,
     .madvise = 3,
     .mremap = 2,
     .brk = 2,
     .mincore = 1,
     .lock = 1,
     .read = 6,
     .write = 12,
     .fork = 2,
     .exit = 1,
     .children = true},
};

struct generator {
    const struct profile *profile;
    struct rng rng;
    struct sim *sim;
    struct machine *m;
    FILE *out;
    uint64_t op;
    bool lives[PROCS], used[PROCS];
    unsigned p; /* the process of this op */
};

/* ---- chance ---- */

static uint32_t below(struct generator *g, uint32_t n)
{
    return rng_below(&g->rng, n);
}

static bool one_in(struct generator *g, uint32_t n)
{
    return below(g, n) == 0;
}

static uint64_t pick(struct generator *g, const uint64_t *from, size_t count)
{
    return from[below(g, (uint32_t)count)];
}

#define PICK(g, ...)                                                                               \
    pick(g, (const uint64_t[]){__VA_ARGS__},                                                       \
         sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* ---- where the sequence may aim ---- */

static uint16_t pid_of(const struct generator *g)
{
    for (size_t i = 0; i < g->m->programs; i++)
        if (g->m->program[i]->trace_pid == g->p && !g->m->program[i]->dead)
            return g->m->program[i]->pid;
    return 0;
}

/* One of the areas of the sequence itself; false: there is none. */
static bool some_area(struct generator *g, struct area_info *a)
{
    struct area_info found;
    size_t count = 0;
    for (size_t i = 0; kernel_area(g->m->kernel, pid_of(g), i, &found); i++) {
        bool own = found.end <= MMAP_LOW &&
                   (found.start >= HEAP0 || found.end <= g->m->config.kernel.image_start);
        if (own && below(g, (uint32_t)++count) == 0)
            *a = found;
    }
    return count;
}

/* Nothing but the sequence's own is touched, or Linux refuses before it touches anything. */
static bool safe(const struct generator *g, va_t at, uint64_t length)
{
    va_t end = at + align_up(length, P);
    if (end <= at)
        return true;
    return end <= MMAP_LOW && (end <= g->m->config.kernel.image_start || at >= HEAP0);
}

static uint64_t some_pages(struct generator *g)
{
    static const uint32_t most[] = {1, 4, 8, 32, 32, 600};
    if (g->profile->huge && !one_in(g, 3))
        return 512 * (1 + below(g, 6)) + (one_in(g, 3) ? below(g, 40) : 0);
    return 1 + below(g, most[below(g, 6)]);
}

/* A place that has to do with an area: in it, at its ends, across them; or next to nothing. */
static void some_range(struct generator *g, va_t *at, uint64_t *length)
{
    struct area_info a;
    *at = MMAP_LOW - P * (1 + below(g, 2000));
    *length = P * some_pages(g);
    if (!some_area(g, &a))
        return;
    uint64_t pages = (a.end - a.start) / P;
    switch (below(g, 8)) {
    case 0:
        *at = a.start;
        *length = a.end - a.start;
        break;
    case 1:
        *at = a.start - P * below(g, 6);
        break;
    case 2:
        *at = a.end - P * min_u64(pages, 1 + below(g, 6));
        break;
    case 3:
        *at = a.end;
        break;
    default:
        *at = a.start + P * (pages < UINT32_MAX ? below(g, (uint32_t)pages) : 0);
        if (g->profile->huge && one_in(g, 2))
            *at = align_up(*at, HUGE_SIZE);
        *length = min_u64(*length, P * (1 + below(g, 24)));
        if (g->profile->huge && one_in(g, 3))
            *length = HUGE_SIZE;
    }
}

/* ---- wrong arguments ---- */

static va_t wrong_address(struct generator *g, va_t at)
{
    if (!g->profile->bad || !one_in(g, 4))
        return at;
    return PICK(g, at + 1, at + 2048, 0, P, TASK_SIZE, TASK_SIZE - P, UINT64_MAX - 4095,
                UINT64_C(1) << 47, 100 * P);
}

static uint64_t wrong_length(struct generator *g, uint64_t length)
{
    if (!g->profile->bad || !one_in(g, 4))
        return length + (one_in(g, 5) ? below(g, 4096) : 0);
    return PICK(g, 0, 1, UINT64_MAX, UINT64_MAX - 4095, UINT64_C(1) << 46, UINT64_C(1) << 47,
                UINT64_C(1) << 63, 30 * GIB, length + 1);
}

static uint64_t some_prot(struct generator *g)
{
    if (g->profile->bad && one_in(g, 4))
        return PICK(g, 8, 16, 0x1000000, 0x2000000, 0x3000000, 0x1000003, UINT64_C(1) << 31, 255);
    if (g->profile->huge)
        return PICK(g, 3, 3, 3, 3, 1, 0);
    return PICK(g, 0, 1, 1, 2, 3, 3, 3, 3, 3, 4, 5, 7);
}

/* ---- telling ---- */

static void put_address(const struct generator *g, const char *name, va_t at)
{
    char text[32] = "0";
    const struct truth_options o = {.heap0 = HEAP0, .mmap_low = MMAP_LOW};
    if (at > TASK_SIZE)
        snprintf(text, sizeof(text), "%" PRIu64, at);
    else if (at)
        truth_address(&o, at, text);
    fprintf(g->out, ",\"%s\":\"%s\"", name, text);
}

static void put_number(const struct generator *g, const char *name, uint64_t value)
{
    fprintf(g->out, ",\"%s\":%" PRIu64, name, value);
}

static void put_name(const struct generator *g, const char *name)
{
    fprintf(g->out, "{\"op\":\"%s\"", name);
    if (g->profile->children)
        put_number(g, "p", g->p);
}

/* Told already; now done. */
static void done(struct generator *g, enum op_kind kind, uint64_t v0, uint64_t v1, uint64_t v2,
                 uint64_t v3, uint64_t v4)
{
    struct op op = {.kind = (uint8_t)kind,
                    .base = BASE_ABS,
                    .to_base = BASE_ABS,
                    .pid = (uint16_t)g->p,
                    .v = {v0, v1, v2, v3, v4}};
    fputs("}\n", g->out);
    replay_op(g->m, ++g->op, &op, NULL);
}

/* ---- the ops: false: nothing was done, because it would not have been safe ---- */

static bool make_mmap(struct generator *g)
{
    va_t at;
    uint64_t length;
    uint64_t flags = LX_MAP_ANONYMOUS | (one_in(g, 6) ? LX_MAP_SHARED : LX_MAP_PRIVATE);
    some_range(g, &at, &length);
    length = P * some_pages(g);
    if (one_in(g, 2))
        at = 0;
    if (at && one_in(g, 2))
        flags |= one_in(g, 4) ? LX_MAP_FIXED_NOREPLACE : LX_MAP_FIXED;
    if (one_in(g, 8))
        flags |= PICK(g, LX_MAP_POPULATE, LX_MAP_LOCKED, LX_MAP_NORESERVE, LX_MAP_STACK);
    if (g->profile->grows && !(flags & LX_MAP_SHARED) && one_in(g, 2))
        flags |= LX_MAP_GROWSDOWN;
    if (g->profile->bad && one_in(g, 3))
        flags ^= PICK(g, 1, 2, 3, 0x100, 0x2000, 0x4000, 0x20, 0x10, UINT64_C(1) << 30, 0x8000);
    at = wrong_address(g, at);
    length = wrong_length(g, length);
    bool fixed = flags & (LX_MAP_FIXED | LX_MAP_FIXED_NOREPLACE);
    uint64_t prot = some_prot(g);
    if ((fixed && !safe(g, at, length)) || (at && !safe(g, at, P)))
        return false;
    if (length > 64 * MIB && (flags & (LX_MAP_POPULATE | LX_MAP_LOCKED)))
        return false; /* it would really take the memory */
    put_name(g, "mmap");
    put_address(g, "addr", at);
    put_number(g, "len", length);
    put_number(g, "prot", prot);
    put_number(g, "flags", flags);
    done(g, OP_mmap, at, length, prot, flags, 0);
    return true;
}

static bool make_range(struct generator *g, enum op_kind kind, const char *name, const char *third,
                       uint64_t value)
{
    va_t at;
    uint64_t length;
    some_range(g, &at, &length);
    at = wrong_address(g, at);
    length = wrong_length(g, length);
    va_t end = at + length;
    if (!safe(g, at, length) || (at < MMAP_LOW && end > MMAP_LOW && end > at) ||
        (kind == OP_mincore && length > GIB))
        return false;
    put_name(g, name);
    put_address(g, "addr", at);
    put_number(g, "len", length);
    if (third)
        put_number(g, third, value);
    done(g, kind, at, length, value, 0, 0);
    return true;
}

static bool make_madvise(struct generator *g)
{
    uint64_t advice = PICK(g, 4, 4, 4, 8, 8, 22, 23, 10, 11, 18, 19, 20, 21, 14, 15, 16, 17, 3, 0);
    if (g->profile->children && !g->profile->huge)
        advice = PICK(g, 4, 4, 4, 8, 22, 23, 10, 11, 18, 19);
    if (g->profile->huge)
        advice = PICK(g, 14, 14, 14, 14, 15, 4, 4, 23, 8, 20, 22, 16);
    if (g->profile->bad && one_in(g, 3))
        advice = PICK(g, 5, 6, 7, 9, 26, 50, 104, 1000, 102, 103, UINT64_C(1) << 31);
    return make_range(g, OP_madvise, "madvise", "advice", advice);
}

static bool make_mremap(struct generator *g)
{
    va_t at, to;
    uint64_t old, new, other;
    some_range(g, &at, &old);
    some_range(g, &to, &other);
    new = one_in(g, 2) ? old : P *some_pages(g);
    uint64_t flags = PICK(g, 0, 1, 1, 1, 3, 3, 5, 7);
    if (flags & 4)
        new = old;
    if (g->profile->bad && one_in(g, 3)) {
        flags = PICK(g, 2, 4, 6, 8, 3, 5);
        old = one_in(g, 2) ? 0 : old;
    }
    at = wrong_address(g, at);
    to = wrong_address(g, flags & 6 ? to : 0);
    new = wrong_length(g, new);
    if (!safe(g, at, old) || !safe(g, at, P) || !safe(g, to, new) || (to && !safe(g, to, P)))
        return false;
    put_name(g, "mremap");
    put_address(g, "addr", at);
    put_number(g, "old", old);
    put_number(g, "new", new);
    put_number(g, "flags", flags);
    put_address(g, "to", to);
    done(g, OP_mremap, at, old, new, flags, to);
    return true;
}

static bool make_brk(struct generator *g)
{
    struct process_info info = {0};
    kernel_process(g->m->kernel, pid_of(g), &info);
    va_t to = HEAP0 + below(g, 40) * P + (one_in(g, 3) ? below(g, 4096) : 0);
    if (one_in(g, 3))
        to = info.brk + below(g, 20) * P;
    if (one_in(g, 12))
        to = PICK(g, HEAP0 + 3 * MIB, HEAP0, HEAP0 + 40 * GIB, 0, HEAP0 - P, TASK_SIZE, info.brk);
    put_name(g, "brk");
    put_address(g, "to", to);
    done(g, OP_brk, to, 0, 0, 0, 0);
    return true;
}

/* Done as the native replay does it: one byte per page. */
static bool make_access(struct generator *g, bool write)
{
    va_t at;
    uint64_t length;
    some_range(g, &at, &length);
    length = min_u64(length, P * (g->profile->huge ? 8 : 40));
    at += one_in(g, 6) ? below(g, 4096) : 0;
    if (g->profile->grows && one_in(g, 4))
        at -= P * below(g, 300);
    if (!safe(g, at, length))
        return false;
    put_name(g, write ? "write" : "read");
    put_address(g, "addr", at);
    put_number(g, "len", length);
    fputs("}\n", g->out);
    g->op++;
    for (va_t va = at; va < at + length; va = align_down(va, P) + P) {
        uint8_t byte = 1;
        if (machine_access(g->m, va, &byte, 1, write ? ACCESS_WRITE : ACCESS_READ))
            break;
    }
    return true;
}

static bool make_fork(struct generator *g)
{
    for (unsigned child = 1; child < PROCS; child++) {
        if (g->used[child])
            continue;
        g->used[child] = g->lives[child] = true;
        put_name(g, "fork");
        put_number(g, "child", child);
        done(g, OP_fork, child, 0, 0, 0, 0);
        return true;
    }
    return false;
}

static bool make_exit(struct generator *g)
{
    if (g->p == 0)
        return false;
    put_name(g, "exit");
    done(g, OP_exit, 0, 0, 0, 0, 0);
    g->lives[g->p] = false;
    return true;
}

/* ---- a sequence ---- */

static bool make_one(struct generator *g)
{
    const struct profile *p = g->profile;
    const unsigned weights[] = {p->mmap,    p->munmap, p->mprotect, p->madvise, p->mremap, p->brk,
                                p->mincore, p->lock,   p->read,     p->write,   p->fork,   p->exit};
    unsigned sum = 0, i = 0;
    for (size_t k = 0; k < ARRAY_LEN(weights); k++)
        sum += weights[k];
    unsigned at = below(g, sum);
    while (at >= weights[i])
        at -= weights[i++];
    switch (i) {
    case 0:
        return make_mmap(g);
    case 1:
        return make_range(g, OP_munmap, "munmap", NULL, 0);
    case 2:
        return make_range(g, OP_mprotect, "mprotect", "prot", some_prot(g));
    case 3:
        return make_madvise(g);
    case 4:
        return make_mremap(g);
    case 5:
        return make_brk(g);
    case 6:
        return make_range(g, OP_mincore, "mincore", NULL, 0);
    case 7:
        return one_in(g, 3) ? make_range(g, OP_munlock, "munlock", NULL, 0)
                            : make_range(g, OP_mlock, "mlock", NULL, 0);
    case 8:
        return make_access(g, false);
    case 9:
        return make_access(g, true);
    case 10:
        return make_fork(g);
    default:
        return make_exit(g);
    }
}

static void choose_process(struct generator *g)
{
    int64_t result;
    do
        g->p = g->profile->children ? below(g, PROCS) : 0;
    while (!g->lives[g->p]);
    machine_program(g->m, (uint16_t)g->p, 0, &result);
}

static bool sequence(const char *folder, uint64_t number)
{
    char path[4096];
    struct config config;
    struct error e = {0};
    const struct truth_options o = {.heap0 = HEAP0, .mmap_low = MMAP_LOW, .ram = RAM};
    const struct trace nothing = {0};
    struct generator g = {
        .profile = &profiles[number % ARRAY_LEN(profiles)], .lives = {true}, .used = {true}};
    struct rng seed = {number};
    g.rng.state = rng_next(&seed); /* neighbours share nothing */
    snprintf(path, sizeof(path), "%s/%s-%" PRIu64 ".jsonl", folder, g.profile->name, number);
    truth_config(&o, &config);
    g.out = fopen(path, "w");
    if (!g.out || sim_open(&g.sim, &(struct sim_options){.config = &config, .trace = &nothing}, &e))
        return false;
    g.m = g.sim->m;
    unsigned length = 20 + below(&g, 101);
    while (g.op < length) {
        choose_process(&g);
        make_one(&g);
    }
    sim_close(g.sim);
    return fclose(g.out) == 0;
}

int main(int argc, char **argv)
{
    uint64_t first = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
    uint64_t count = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    if (!count) {
        fputs("usage: vm_generate FOLDER FIRST COUNT\n", stderr);
        return 2;
    }
    for (uint64_t i = first; i < first + count; i++)
        if (!sequence(argv[1], i)) {
            fprintf(stderr, "vm_generate: sequence %" PRIu64 " cannot be written\n", i);
            return 2;
        }
    return 0;
}
