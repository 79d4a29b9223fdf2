/* perfetto.c: 'memwalk perfetto': a run as Chrome trace JSON, for ui.perfetto.dev and its kin.
 *
 * Each process and thread of the trace is a track. Ops, searches, system calls, accesses, walks and
 * page faults are slices, nested as they happen; a flow leads from the malloc that made a block to
 * the fault at its page, to the entry that the kernel writes and to the TLB that is filled. One
 * simulated cycle is shown as one nanosecond.
 */
#include "kernel/uapi.h"
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/cli/stream.h"
#include "sim/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_FROM = 0x500, KEY_TO };

/* What can be open at the same time, outermost first. */
enum slice { SLICE_OP, SLICE_SEARCH, SLICE_CALL, SLICE_FAULT, SLICE_ACCESS, SLICE_WALK, SLICES };

struct perfetto {
    struct cli_options options;
    const char *path;
    uint64_t from, to;
    struct sim *sim;
    FILE *out;
    bool comma, no_memory;
    enum slice open[SLICES]; /* a stack */
    unsigned depth;
    uint64_t tid;
    cycles_t *began; /* [op]: when it began */
    size_t room;
    uint64_t flows;       /* made so far */
    bool flowing, filled; /* the last fault's flow waits for its entry, for its TLB */
    uint64_t frames, heap, misses;
};

/* ---- records ---- */

/* Begins one record of the file; the caller adds its own fields and ends it with end(). */
static void begin(struct perfetto *p, char phase, const struct event *e, cycles_t at)
{
    fprintf(p->out, "%s\n{\"ph\":\"%c\",\"pid\":%u,\"tid\":%" PRIu64 ",\"ts\":%" PRIu64 ".%03u",
            p->comma ? "," : "", phase, e->pid, p->tid, at / 1000, (unsigned)(at % 1000));
    p->comma = true;
}

static void end(struct perfetto *p)
{
    fputc('}', p->out);
}

static void put_name(struct perfetto *p, const char *category, const char *name)
{
    fprintf(p->out, ",\"cat\":\"%s\",\"name\":\"", category);
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            fputc('\\', p->out);
        if ((unsigned char)*name >= ' ')
            fputc(*name, p->out);
    }
    fputc('"', p->out);
}

/* All fields of the event as arguments, as the log names and writes them. */
static void put_arguments(struct perfetto *p, const struct event *e)
{
    char line[2048];
    size_t n = log_line(e, sim_now(p->sim).op, line, sizeof(line));
    if (n && line[n - 1] == '\n')
        line[n - 1] = '\0';
    fprintf(p->out, ",\"args\":%s", line);
}

static void open_slice(struct perfetto *p, enum slice slice, const char *category,
                       const struct event *e, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void open_slice(struct perfetto *p, enum slice slice, const char *category,
                       const struct event *e, const char *format, ...)
{
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof(name), format, args);
    va_end(args);
    if (p->depth == SLICES)
        return;
    p->open[p->depth++] = slice;
    begin(p, 'B', e, e->cycle);
    put_name(p, category, name);
    put_arguments(p, e);
    end(p);
}

static bool is_open(const struct perfetto *p, enum slice slice)
{
    for (unsigned i = 0; i < p->depth; i++)
        if (p->open[i] == slice)
            return true;
    return false;
}

/* Ends the slice and whatever is still open inside it: a fault leaves walk and access. */
static void close_slice(struct perfetto *p, enum slice slice, const struct event *e)
{
    if (!is_open(p, slice))
        return;
    while (p->open[--p->depth] != slice) {
        begin(p, 'E', e, e->cycle);
        end(p);
    }
    begin(p, 'E', e, e->cycle);
    put_arguments(p, e);
    end(p);
}

/* A slice of no length: something to hang a flow on. */
static void mark(struct perfetto *p, const char *category, const struct event *e, const char *name)
{
    begin(p, 'X', e, e->cycle);
    fputs(",\"dur\":0", p->out);
    put_name(p, category, name);
    put_arguments(p, e);
    end(p);
}

static void count(struct perfetto *p, const struct event *e, const char *name, uint64_t *was,
                  uint64_t now)
{
    if (*was == now)
        return;
    *was = now;
    begin(p, 'C', e, e->cycle);
    fprintf(p->out, ",\"name\":\"%s\",\"args\":{\"value\":%" PRIu64 "}", name, now);
    end(p);
}

/* ---- flows ---- */

/* phase: s start, t step, f finish; all bind to the slice around that time. */
static void flow(struct perfetto *p, char phase, const struct event *e, cycles_t at)
{
    begin(p, phase, e, at);
    fprintf(p->out, ",\"cat\":\"page\",\"name\":\"page\",\"id\":%" PRIu64 "%s", p->flows,
            phase == 'f' ? ",\"bp\":\"e\"" : "");
    end(p);
}

struct owner {
    uint16_t pid;
    va_t va;
    uint64_t op; /* that made the block; 0: none found */
};

static void find_owner(void *ctx, const struct block_info *b)
{
    struct owner *o = ctx;
    if (b->pid == o->pid && o->va - b->start < b->size)
        o->op = b->op;
}

/* The op that asked for the memory at va: the one that made the block there, else the present one.
 */
static uint64_t op_behind(const struct perfetto *p, const struct event *e, va_t va)
{
    struct owner o = {e->pid, va, 0};
    inspect_each_block(p->sim, find_owner, &o);
    uint64_t now = sim_now(p->sim).op;
    return o.op >= p->from && o.op < now ? o.op : now;
}

static void begin_flow(struct perfetto *p, const struct event *e)
{
    p->flows++;
    flow(p, 's', e, p->began[op_behind(p, e, e->fault_begin.va)]);
    flow(p, 't', e, e->cycle);
    p->flowing = p->filled = true;
}

/* ---- events ---- */

static bool begin_op(struct perfetto *p, const struct event *e)
{
    char text[200];
    uint64_t number = e->op_begin.op;
    if (number >= p->room) {
        size_t room = number * 2 + 1024;
        cycles_t *more = realloc(p->began, room * sizeof(*more));
        if (!more)
            return false;
        p->began = more;
        p->room = room;
    }
    p->began[number] = e->cycle;
    p->tid = e->op_begin.tid;
    p->flowing = p->filled = false;
    op_text(inspect_op(p->sim, number), inspect_op_extra(p->sim, number), text, sizeof(text));
    open_slice(p, SLICE_OP, "op", e, "%s", text);
    return true;
}

static void end_op(struct perfetto *p, const struct event *e)
{
    const struct alloc_counters *heap = inspect_heap(p->sim, e->pid);
    const struct mmu_counters *mmu = inspect_mmu(p->sim, 0);
    close_slice(p, SLICE_OP, e);
    count(p, e, "frames in use", &p->frames, inspect_frames(p->sim) - inspect_frames_free(p->sim));
    count(p, e, "bytes in live blocks", &p->heap, heap ? heap->bytes_requested_now : 0);
    count(p, e, "page walks", &p->misses, mmu->walks);
}

static void begin_access(struct perfetto *p, const struct event *e)
{
    static const char *const how[] = {"load", "store", "fetch"};
    close_slice(p, SLICE_ACCESS, e);
    open_slice(p, SLICE_ACCESS, "mmu", e, "%s %" PRIu64 " B at 0x%" PRIx64, how[e->access.how],
               e->access.length, e->access.va);
}

static void hear_kernel(struct perfetto *p, const struct event *e)
{
    switch (e->kind) {
    case EV_sys_enter:
        open_slice(p, SLICE_CALL, "kernel", e, "%s", lx_syscall_name(e->sys_enter.nr));
        break;
    case EV_sys_exit:
        close_slice(p, SLICE_CALL, e);
        break;
    case EV_fault_begin:
        open_slice(p, SLICE_FAULT, "kernel", e, "page fault at 0x%" PRIx64, e->fault_begin.va);
        begin_flow(p, e);
        break;
    case EV_fault_end:
        close_slice(p, SLICE_FAULT, e);
        p->flowing = false;
        break;
    case EV_entry_write:
        mark(p, "kernel", e, e->entry_write.level == 1 ? "write PTE" : "write entry");
        if (p->flowing && e->entry_write.level == 1)
            flow(p, 't', e, e->cycle);
        break;
    default:
        break;
    }
}

static void hear_mmu(struct perfetto *p, const struct event *e)
{
    switch (e->kind) {
    case EV_access:
        begin_access(p, e);
        break;
    case EV_data:
        close_slice(p, SLICE_ACCESS, e);
        break;
    case EV_walk_begin:
        open_slice(p, SLICE_WALK, "mmu", e, "page walk");
        break;
    case EV_walk_end:
        close_slice(p, SLICE_WALK, e);
        break;
    case EV_fault:
        close_slice(p, SLICE_ACCESS, e);
        break;
    case EV_tlb_fill:
        mark(p, "mmu", e, e->tlb_fill.level == 1 ? "fill L1 TLB" : "fill L2 TLB");
        if (p->filled && e->tlb_fill.level == 1) {
            flow(p, 'f', e, e->cycle);
            p->filled = false;
        }
        break;
    default:
        break;
    }
}

static void hear(void *ctx, const struct event *e)
{
    struct perfetto *p = ctx;
    uint64_t op = p->sim ? sim_now(p->sim).op : 0;
    if (!op || op < p->from || op > p->to || p->no_memory)
        return;
    switch (e->kind) {
    case EV_op_begin:
        p->no_memory = !begin_op(p, e);
        break;
    case EV_op_end:
        end_op(p, e);
        break;
    case EV_alloc_search:
        open_slice(p, SLICE_SEARCH, "alloc", e, "search, %s", e->alloc_search.policy);
        break;
    case EV_alloc_fit:
        close_slice(p, SLICE_SEARCH, e);
        break;
    default:
        hear_kernel(p, e);
        hear_mmu(p, e);
    }
}

/* ---- the command ---- */

static const struct argp_option options[] = {
    {"output", 'O', "FILE", 0, "Where to write; .gz and .zst pack (default: standard output)", 1},
    {"from", KEY_FROM, "N", 0, "Begin with op N", 1},
    {"to", KEY_TO, "N", 0, "End with op N", 1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct perfetto *p = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &p->options;
        return 0;
    case 'O':
        p->path = arg;
        return 0;
    case KEY_FROM:
        p->from = cli_number(state, "--from", arg);
        return 0;
    case KEY_TO:
        p->to = cli_number(state, "--to", arg);
        return 0;
    default:
        return cli_trace_argument(&p->options, key, arg, state);
    }
}

/* Names for the tracks of all processes. */
static void put_processes(struct perfetto *p)
{
    struct process_info info;
    for (size_t i = 0; inspect_process_at(p->sim, i, &info); i++)
        fprintf(p->out,
                "%s\n{\"ph\":\"M\",\"pid\":%u,\"tid\":0,\"name\":\"process_name\","
                "\"args\":{\"name\":\"process %u\"}}",
                p->comma ? "," : "", info.pid, info.pid);
}

static int write_all(struct perfetto *p, const struct cli_session *session)
{
    struct error e = {0};
    uint64_t last = min_u64(p->to, sim_ops(session->sim));
    int more = 1;
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", p->out);
    while (more == 1 && !p->no_memory && sim_now(session->sim).op <= last)
        more = sim_step(session->sim, &e);
    put_processes(p);
    fputs("\n]}\n", p->out);
    if (more < 0)
        return cli_fail(&e);
    if (!p->no_memory)
        return STATUS_OK;
    error_set(&e, ERR_MEMORY, NULL, 0, NULL, "no memory for the times of so many ops");
    return cli_fail(&e);
}

int cli_perfetto(int argc, char **argv)
{
    static const struct argp_child groups[] = {{&cli_machine_argp, 0, 0, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "TRACE",
        .doc = "Write a run as Chrome trace JSON, for ui.perfetto.dev: ops, calls, faults, "
               "accesses and walks as nested slices, a flow from each malloc to the faults, "
               "entries and TLB fills of its pages, and counters. One cycle is one nanosecond.",
        .children = groups,
    };
    struct perfetto p = {.options = {.command = argv[0]}, .path = "-", .from = 1, .to = UINT64_MAX};
    struct cli_session session;
    struct sim_sink sink = {hear, &p};
    struct error e;
    cli_parse(&argp, argc, argv, false, &p);
    int status = cli_open(&session, &p.options, &sink, 1);
    if (status)
        return status;
    p.sim = session.sim;
    p.out = stream_open(p.path, &e);
    status = p.out ? write_all(&p, &session) : cli_fail(&e);
    if (p.out && stream_close(p.out, p.path, &e) && !status)
        status = cli_fail(&e);
    free(p.began);
    cli_close(&session);
    return status;
}
