/* copy.c: from one form to another, all of a trace or a part that stands on its own. */
#include "traces/blocks.h"
#include "traces/fields.h"
#include "traces/tools.h"

#include <stdlib.h>
#include <string.h>

struct copying {
    const struct trace_copy *options;
    struct trace_copied *result;
    struct trace_reader *reader;
    struct trace_writer *writer;
    struct blocks *blocks; /* of a cut: what is live before it */
    uint64_t number;       /* of the op at hand, from 1 */
    uint16_t root;         /* the first op's process */
    uint8_t *runs; /* of a cut: one byte per process number: it was forked and did not end */
};

enum trace_form trace_form_of(const char *path)
{
    static const char *const ends[] = {".json", ".json.gz", ".json.zst"};
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (n > strlen(ends[i]) && strcmp(path + n - strlen(ends[i]), ends[i]) == 0)
            return TRACE_DOCUMENT;
    static const char *const rep[] = {".rep", ".rep.gz", ".rep.zst"};
    for (size_t i = 0; i < ARRAY_LEN(rep); i++)
        if (n > strlen(rep[i]) && strcmp(path + n - strlen(rep[i]), rep[i]) == 0)
            return TRACE_REP;
    return TRACE_LINES;
}

static enum err write_op(struct copying *c, const struct op *op, const struct op_extra *extra,
                         struct error *e)
{
    c->result->ops++;
    return trace_write(c->writer, op, op->extra ? extra : NULL, e);
}

/* ---- what a cut needs before it ---- */

/* All children that run come from the first process: whose they were before is not needed again. */
static enum err write_forks(struct copying *c, struct error *e)
{
    enum err err = ERR_NONE;
    for (unsigned pid = 0; pid <= UINT16_MAX && !err; pid++) {
        struct op fork = {.kind = OP_fork, .pid = c->root, .v = {pid}};
        if (c->runs[pid] && pid != c->root)
            err = write_op(c, &fork, NULL, e);
    }
    return err;
}

static enum err write_block(struct copying *c, const struct block *block, struct error *e)
{
    struct op op = {.kind = block->alignment ? OP_memalign : OP_malloc,
                    .pid = block->pid,
                    .id = block->id,
                    .v = {block->size, block->alignment}};
    return write_op(c, &op, NULL, e);
}

static enum err write_prelude(struct copying *c, struct error *e)
{
    size_t count;
    const struct block *block = blocks_all(c->blocks, &count);
    enum err err = write_forks(c, e);
    for (size_t i = 0; i < count && !err; i++)
        if (block[i].state == BLOCK_LIVE && c->runs[block[i].pid])
            err = write_block(c, &block[i], e);
    c->result->prelude = c->result->ops;
    return err;
}

/* What was measured in the whole trace does not hold in a part of it. */
static void forget_results(struct op *op, struct op_extra *extra)
{
    op->flags &= (uint8_t) ~(OP_HAS_RET | OP_HAS_FAULTS);
    op->extra = extra->text || extra->name[0];
}

static enum err cut_op(struct copying *c, struct op *op, struct op_extra *extra, struct error *e)
{
    struct block_step step;
    enum err err = ERR_NONE;
    if (c->number == c->options->first)
        err = write_prelude(c, e);
    if (c->number >= c->options->first) {
        forget_results(op, extra);
        return err ? err : write_op(c, op, extra, e);
    }
    if (c->number == 1)
        c->root = op->pid;
    if (c->number == 1 || op->kind == OP_exit)
        c->runs[op->pid] = op->kind != OP_exit;
    if (op->kind == OP_fork)
        c->runs[op->v[0] & UINT16_MAX] = 1;
    if (!blocks_follow(c->blocks, op, c->number, &step))
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no memory left to cut");
    return ERR_NONE;
}

/* ---- all ops ---- */

static void tick(const struct copying *c)
{
    uint64_t done, total;
    if (!c->options->tick || c->number % 4096 != 0)
        return;
    trace_progress(c->reader, &done, &total);
    c->options->tick(c->options->ctx, done, total);
}

static enum err copy_ops(struct copying *c, struct error *e)
{
    struct op op;
    struct op_extra extra;
    int got = 0;
    bool cuts = c->options->first > 0;
    while ((!cuts || c->number < c->options->last) &&
           (got = trace_next(c->reader, &op, &extra, e)) > 0) {
        c->number++;
        tick(c);
        enum err err = cuts ? cut_op(c, &op, &extra, e) : write_op(c, &op, &extra, e);
        if (err)
            return err;
    }
    if (got < 0 && c->options->salvage) {
        c->result->damaged = true;
        c->result->damage = *e;
        return ERR_NONE;
    }
    if (got < 0)
        return e->code;
    if (cuts && c->number < c->options->first)
        return error_set(e, ERR_VALUE, NULL, 0, "from", "the trace has only %llu ops",
                         (unsigned long long)c->number);
    return ERR_NONE;
}

static enum err copy_all(struct copying *c, struct error *e)
{
    enum err err = copy_ops(c, e);
    const char *expect = trace_reader_header(c->reader)->expect;
    if (!err && expect && !c->options->first)
        err = trace_writer_expect(c->writer, expect, e);
    return err;
}

static enum err open_writer(struct copying *c, const char *to, struct error *e)
{
    struct trace_header header = *trace_reader_header(c->reader);
    header.expect = NULL;
    size_t size = strlen(header.name) + 80;
    char *name = malloc(size);
    if (!name)
        return error_set(e, ERR_MEMORY, to, 0, NULL, "no memory to write it");
    snprintf(name, size, "%s", header.name);
    if (c->options->last == UINT64_MAX)
        snprintf(name, size, "%s, from op %llu", header.name,
                 (unsigned long long)c->options->first);
    else if (c->options->first)
        snprintf(name, size, "%s, ops %llu to %llu", header.name,
                 (unsigned long long)c->options->first, (unsigned long long)c->options->last);
    header.name = name;
    enum err err = trace_writer_open(&c->writer, to, c->options->form, &header, e);
    free(name);
    return err;
}

enum err trace_copy(const char *from, const char *to, const struct trace_copy *options,
                    struct trace_copied *result, struct error *e)
{
    struct error own;
    struct copying c = {.options = options,
                        .result = result,
                        .blocks = blocks_new(),
                        .runs = calloc(UINT16_MAX + 1, 1)};
    memset(result, 0, sizeof(*result));
    e = e ? e : &own;
    enum err err = c.blocks && c.runs ? trace_open(&c.reader, from, e)
                                      : error_set(e, ERR_MEMORY, from, 0, NULL, "no memory left");
    if (!err)
        err = open_writer(&c, to, e);
    if (!err)
        err = copy_all(&c, e);
    if (c.writer) {
        result->left = trace_writer_left(c.writer);
        enum err closed = trace_writer_close(c.writer, !err, err ? NULL : e);
        err = err ? err : closed;
    }
    trace_close(c.reader);
    blocks_free(c.blocks);
    free(c.runs);
    return err;
}
