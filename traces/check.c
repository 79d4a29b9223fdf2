/* check.c: follows blocks and processes through a trace and tells what cannot be meant.
 *
 * These are findings, not errors: a lesson about a double free is a good trace.
 */
#include "traces/blocks.h"
#include "traces/tools.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const finding_names[FINDING_COUNT] = {
    "double-free", "unknown-id", "use-after-free", "id-reused",
    "beyond-end",  "null-used",  "process",
};

struct trace_checker {
    void (*found)(void *ctx, const struct trace_finding *);
    void *ctx;
    struct blocks *blocks;
    uint64_t ops, counts[FINDING_COUNT];
    uint8_t *runs; /* one byte per process number: enum run */
};

enum run {
    RUN_NOT, /* the first op's process runs from the start */
    RUN_YES,
    RUN_ENDED,
};

struct trace_checker *trace_checker_new(void (*found)(void *ctx, const struct trace_finding *),
                                        void *ctx)
{
    struct trace_checker *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->found = found;
    c->ctx = ctx;
    c->blocks = blocks_new();
    c->runs = calloc(UINT16_MAX + 1, 1);
    if (c->blocks && c->runs)
        return c;
    trace_checker_free(c);
    return NULL;
}

void trace_checker_free(struct trace_checker *c)
{
    if (!c)
        return;
    blocks_free(c->blocks);
    free(c->runs);
    free(c);
}

const uint64_t *trace_checker_counts(const struct trace_checker *c)
{
    return c->counts;
}

static void tell(struct trace_checker *c, enum finding_kind kind, const struct op *op,
                 uint64_t other_op, uint64_t other_line, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

static void tell(struct trace_checker *c, enum finding_kind kind, const struct op *op,
                 uint64_t other_op, uint64_t other_line, const char *format, ...)
{
    struct trace_finding f = {.kind = kind,
                              .op = c->ops,
                              .line = op->line,
                              .other_op = other_op,
                              .other_line = other_line,
                              .id = op->id};
    va_list args;
    va_start(args, format);
    vsnprintf(f.text, sizeof(f.text), format, args);
    va_end(args);
    size_t n = strlen(f.text);
    if (other_op)
        snprintf(f.text + n, sizeof(f.text) - n, " by op %llu (line %llu)",
                 (unsigned long long)other_op, (unsigned long long)other_line);
    c->counts[kind]++;
    if (c->found)
        c->found(c->ctx, &f);
}

static void check_free(struct trace_checker *c, const struct op *op, const struct block *before)
{
    unsigned long long id = op->id;
    if (before->state == BLOCK_DEAD)
        tell(c, FINDING_DOUBLE_FREE, op, before->ended_op, before->ended_line,
             "block %llu is freed again: it was ended", id);
    if (before->state == BLOCK_UNKNOWN)
        tell(c, FINDING_UNKNOWN_ID, op, 0, 0, "block %llu is freed, but no op made it", id);
}

/* Half-open [off, off + len) of a block of size bytes. */
static void check_use(struct trace_checker *c, const struct op *op, const struct block *block,
                      uint64_t id, uint64_t off, uint64_t len)
{
    unsigned long long name = id, size = block->size;
    if (block->state == BLOCK_DEAD)
        tell(c, FINDING_USE_AFTER_FREE, op, block->ended_op, block->ended_line,
             "block %llu is used after its end: it was ended", name);
    else if (block->state == BLOCK_UNKNOWN)
        tell(c, FINDING_UNKNOWN_ID, op, 0, 0, "block %llu is used, but no op made it", name);
    else if (block->state == BLOCK_NULL)
        tell(c, FINDING_NULL_USED, op, block->made_op, block->made_line,
             "block %llu is used, but it is NULL: the request failed that was made", name);
    else if (off > block->size || len > block->size - off)
        tell(c, FINDING_BEYOND_END, op, block->made_op, block->made_line,
             "bytes [%llu, %llu) are used of block %llu of %llu bytes, made",
             (unsigned long long)off, (unsigned long long)(off + len), name, size);
}

static void check_null(struct trace_checker *c, const struct op *op, uint64_t id)
{
    if (!id)
        tell(c, FINDING_NULL_USED, op, 0, 0, "NULL is used");
}

static void check_target(struct trace_checker *c, const struct op *op)
{
    if (op->kind != OP_copy || op->to_base != BASE_BLOCK)
        return;
    check_null(c, op, op->v[4]);
    static const struct block unknown = {.state = BLOCK_UNKNOWN};
    const struct block *to = blocks_find(c->blocks, op->pid, op->v[4]);
    if (op->v[4])
        check_use(c, op, to ? to : &unknown, op->v[4], op->v[3], op->v[1]);
}

static void check_process(struct trace_checker *c, const struct op *op)
{
    if (c->ops == 1)
        c->runs[op->pid] = RUN_YES;
    if (c->runs[op->pid] == RUN_NOT)
        tell(c, FINDING_PROCESS, op, 0, 0, "process %u was never forked", op->pid);
    if (c->runs[op->pid] == RUN_ENDED)
        tell(c, FINDING_PROCESS, op, 0, 0, "process %u has ended", op->pid);
    c->runs[op->pid] = RUN_YES; /* told once */
    if (op->kind == OP_exit)
        c->runs[op->pid] = RUN_ENDED;
    if (op->kind != OP_fork)
        return;
    uint8_t *child = &c->runs[op->v[0] & UINT16_MAX];
    if (*child == RUN_YES)
        tell(c, FINDING_PROCESS, op, 0, 0, "process %u runs already", (unsigned)op->v[0]);
    *child = RUN_YES;
}

enum err trace_checker_op(struct trace_checker *c, const struct op *op)
{
    struct block_step step;
    c->ops++;
    check_process(c, op);
    if (!blocks_follow(c->blocks, op, c->ops, &step))
        return ERR_MEMORY;
    bool uses = op->base == BASE_BLOCK;
    if (uses)
        check_null(c, op, op->id);
    if (step.touches && op->kind == OP_free)
        check_free(c, op, &step.before);
    else if (step.touches && !step.request)
        check_use(c, op, &step.before, op->id, op->v[0], op->v[1]);
    else if (step.touches && step.before.state == BLOCK_LIVE &&
             step.after.made_op != step.before.made_op)
        tell(c, FINDING_ID_REUSED, op, step.before.made_op, step.before.made_line,
             "block %llu is given again while it is live, made", (unsigned long long)op->id);
    check_target(c, op);
    return ERR_NONE;
}
