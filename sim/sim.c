/* sim.c: running a trace on a machine, and going to any moment of it.
 *
 * An op is left in its middle by longjmp out of the bus, at the event that was asked for. Nothing
 * is lost by that, because all state of the machine lies in the arena and in RAM; to go on, the
 * snapshot from before the op is restored and the op is run again.
 */
#include "sim/sim.h"

#include "sim/base/check.h"
#include "sim/future.h"
#include "sim/replay.h"
#include "sim/state.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (64 * GIB)

/* ---- events on their way to observers and sinks ---- */

static bool later(struct moment a, struct moment b)
{
    return a.op > b.op || (a.op == b.op && a.step > b.step);
}

/* The one place in which sinks are muted: an event that was told before is not told again. */
static void hear_for_sinks(void *ctx, const struct event *e)
{
    struct sim *s = ctx;
    struct moment at = {s->m->env.op, e->seq};
    if (s->mute || !later(at, s->heard))
        return;
    s->heard = at;
    for (unsigned i = 0; i < s->options.sinks; i++)
        s->options.sink[i].hear(s->options.sink[i].ctx, e);
}

static void leave_op(void *ctx)
{
    struct sim *s = ctx;
    longjmp(s->leave, 1);
}

static enum err connect(struct sim *s, struct error *e)
{
    if (s->options.checked || audit_wanted(&s->config.kernel.bug))
        s->bus.listener[s->bus.count++] = (struct listener){audit_hear, s};
    for (unsigned i = 0; i < s->options.observers; i++) {
        const struct sim_observer *o = &s->options.observer[i];
        s->state[i] = arena_alloc(s->arena, o->state_size);
        if (!s->state[i])
            return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for an observer");
        if (o->init)
            o->init(s->state[i], s->arena, &s->config);
        s->bus.listener[s->bus.count++] = (struct listener){o->hear, s->state[i]};
    }
    if (s->options.sinks)
        s->bus.listener[s->bus.count++] = (struct listener){hear_for_sinks, s};
    s->bus.stop = leave_op;
    s->bus.stop_ctx = s;
    s->bus.on = s->bus.count > 0;
    return ERR_NONE;
}

/* ---- opening and closing ---- */

/* How much work the machine has done: grows about as the time that it took. */
static uint64_t work_of(const struct sim *s)
{
    uint64_t work = s->m->counters.ops * 4;
    for (unsigned i = 0; i < s->config.cpus; i++)
        work += mmu_counters(s->m->cpu[i].mmu)->accesses;
    return work;
}

static void offer_snapshot(struct sim *s)
{
    /* A small machine may take more than its share: without that, few snapshots of it fit, and
     * going to a moment means running a tenth of the trace again. */
    s->history.bytes = s->options.history_bytes
                           ? s->options.history_bytes
                           : max_u64(SIM_HISTORY_BYTES, 2 * sim_machine_bytes(s));
    history_offer(&s->history, s->now.op, work_of(s), s->arena, s->ram);
}

/* A policy that knows the future is told it now. */
static enum err foresee(struct sim *s, struct error *e)
{
    if (!kernel_needs_future(&s->config.kernel))
        return ERR_NONE;
    if (!s->options.trace)
        return error_set(e, ERR_USAGE, NULL, 0, "reclaim.policy",
                         "opt must know the whole trace before it is run: it takes a file, not a "
                         "stream");
    enum err err = future_read(&s->foresight, &s->config, s->options.trace, e);
    if (!err)
        kernel_foresee(s->m->kernel, future_of(s->foresight));
    return err;
}

enum err sim_open(struct sim **out, const struct sim_options *options, struct error *e)
{
    *out = NULL;
    CHECK(options->observers <= SIM_OBSERVERS && options->sinks <= SIM_OBSERVERS);
    enum err err = config_check(options->config, e);
    if (err)
        return err;
    struct sim *s = calloc(1, sizeof(*s));
    if (!s)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory");
    s->options = *options;
    s->config = *options->config;
    s->now.op = 1;
    s->arena = arena_new(ARENA_LIMIT);
    s->ram = ram_new_guest(s->config.ram_bytes,
                           hypervisor_bytes(&s->config.nested, s->config.ram_bytes));
    s->m = s->arena ? arena_alloc(s->arena, sizeof(*s->m)) : NULL;
    if (!s->ram || !s->m)
        err = error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for the machine");
    if (!err)
        err = connect(s, e);
    if (!err)
        err = machine_boot(s->m, s->arena, s->ram, &s->bus, &s->config, e);
    if (!err)
        err = foresee(s, e);
    if (err) {
        sim_close(s);
        return err;
    }
    if (s->options.history)
        offer_snapshot(s);
    *out = s;
    return ERR_NONE;
}

void sim_close(struct sim *s)
{
    if (!s)
        return;
    if (s->ram) {
        history_clear(&s->history, s->ram);
        snapshot_drop(&s->op_start, s->ram);
        ram_destroy(s->ram);
    }
    arena_destroy(s->arena);
    future_free(s->foresight);
    free(s->failure);
    free(s);
}

/* ---- one op ---- */

static void add_failure(struct sim *s, const struct op *op, const char *what, int64_t wanted,
                        int64_t got)
{
    struct sim_failure *more = realloc(s->failure, (s->failures + 1) * sizeof(*more));
    if (!more) {
        s->failures_lost = true;
        return;
    }
    s->failure = more;
    s->failure[s->failures++] = (struct sim_failure){s->now.op, op->line, what, wanted, got};
}

/* Holds the outcome against what the trace promises, the first time that the op is done. */
static void judge(struct sim *s, const struct op *op, const struct op_extra *extra)
{
    if (s->now.op <= s->judged)
        return;
    s->judged = s->now.op;
    if (!extra)
        return;
    const struct outcome *got = &s->m->outcome;
    int64_t ret = (int64_t)replay_address(s->m, extra->ret_base, extra->ret);
    if ((op->flags & OP_HAS_RET) && got->result != ret)
        add_failure(s, op, "ret", ret, got->result);
    if ((op->flags & OP_HAS_FAULTS) && got->faults != extra->faults)
        add_failure(s, op, "faults", (int64_t)extra->faults, (int64_t)got->faults);
}

/* The op of this number: 1; 0: the trace is over; -1: *error. */
static int fetch_op(struct sim *s, uint64_t number, const struct op **op,
                    const struct op_extra **extra, struct error *e)
{
    const struct trace *trace = s->options.trace;
    if (!trace) {
        *op = &s->op;
        *extra = &s->op_extra;
        return trace_next(s->options.reader, &s->op, &s->op_extra, e);
    }
    if (number > trace->count)
        return 0;
    *op = &trace->op[number - 1];
    *extra = (*op)->extra ? &trace->extra[(*op)->extra] : NULL;
    return 1;
}

/* Does op now.op; stop_at 0: all of it, else only up to that event. true: it was done to its end.
 */
static bool run_op(struct sim *s, const struct op *op, const struct op_extra *extra,
                   uint64_t stop_at)
{
    s->bus.stop_at = stop_at;
    s->bus.on = s->bus.count > 0 || stop_at;
    if (stop_at && setjmp(s->leave))
        return false;
    replay_op(s->m, s->now.op, op, extra);
    return true;
}

static void restore(struct sim *s, const struct snapshot *snapshot)
{
    snapshot_restore(snapshot, s->arena, s->ram);
    for (unsigned i = 0; i < s->config.cpus; i++)
        mmu_forget_host(s->m->cpu[i].mmu);
    s->now = (struct moment){snapshot->op, 0};
    s->middle = false;
}

/* Is there anything to be looked at after each op? */
static inline bool is_checked(const struct sim *s)
{
    return s->options.checked || kernel_surprised(s->m->kernel);
}

static int check_machine(struct sim *s, const struct op *op, struct error *e)
{
    char why[200];
    if (kernel_surprised(s->m->kernel)) {
        error_set(e, ERR_VALUE, s->options.trace ? s->options.trace->path : NULL, op->line,
                  "reclaim.policy",
                  "opt: op %llu uses other pages than in the run that had memory enough",
                  (unsigned long long)s->now.op);
        return -1;
    }
    if (!s->options.checked || audit_wanted(&s->config.kernel.bug) ||
        inspect_check(s, why, sizeof(why)))
        return 1; /* mistakes that are made on purpose are the audit's to tell */
    error_set(e, ERR_VALUE, s->options.trace ? s->options.trace->path : NULL, op->line, NULL,
              "after op %llu the machine contradicts itself: %s", (unsigned long long)s->now.op,
              why);
    return -1;
}

int sim_step(struct sim *s, struct error *e)
{
    if (s->middle)
        restore(s, &s->op_start);
    const struct op *op;
    const struct op_extra *extra;
    int got = fetch_op(s, s->now.op, &op, &extra, e);
    if (got != 1)
        return got;
    CHECK(run_op(s, op, extra, 0));
    judge(s, op, extra);
    if (is_checked(s))
        got = check_machine(s, op, e);
    s->now = (struct moment){s->now.op + 1, 0};
    if (s->options.history)
        offer_snapshot(s);
    return got;
}

int sim_run(struct sim *s, bool (*stop)(void *ctx), void *ctx, struct error *e)
{
    int more;
    do
        more = sim_step(s, e);
    while (more == 1 && !(stop && stop(ctx)));
    return more;
}

/* ---- going to a moment ---- */

/* Puts the machine somewhere at or before op, as near as possible without running anything. */
static enum err come_near(struct sim *s, uint64_t op, struct error *e)
{
    const struct snapshot *near = history_before(&s->history, op);
    bool here_is_good = s->now.op <= op && (!near || near->op <= s->now.op);
    if (here_is_good && s->middle)
        restore(s, &s->op_start);
    else if (!here_is_good && near)
        restore(s, near);
    else if (!here_is_good)
        return error_set(e, ERR_USAGE, NULL, 0, NULL, "going back needs a history");
    return ERR_NONE;
}

static enum err go_to_op(struct sim *s, uint64_t op, struct error *e)
{
    enum err err = come_near(s, op, e);
    while (!err && s->now.op < op)
        if (sim_step(s, e) != 1)
            err = e && e->code ? e->code : ERR_VALUE;
    return err;
}

/* Keeps the state from before op now.op, so that the op can be left in its middle. */
static enum err keep_op_start(struct sim *s, struct error *e)
{
    if (s->op_start.arena && s->op_start.op == s->now.op)
        return ERR_NONE;
    snapshot_drop(&s->op_start, s->ram);
    const struct snapshot *base = history_before(&s->history, s->now.op);
    if (snapshot_take(&s->op_start, s->now.op, s->arena, s->ram, base))
        return ERR_NONE;
    return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for a snapshot");
}

/* From {op, 0} to {op, step}, or to the op's last event where it has fewer. */
static enum err go_into_op(struct sim *s, uint64_t step, struct error *e)
{
    enum err err = keep_op_start(s, e);
    if (err)
        return err;
    const struct op *op;
    const struct op_extra *extra;
    CHECK(fetch_op(s, s->now.op, &op, &extra, e) == 1);
    run_op(s, op, extra, step);
    s->now.step = s->m->env.seq;
    s->middle = true;
    return ERR_NONE;
}

enum err sim_seek(struct sim *s, struct moment to, struct error *e)
{
    if (!s->options.trace)
        return error_set(e, ERR_USAGE, NULL, 0, NULL, "only a whole trace can be sought in");
    uint64_t count = s->options.trace->count;
    if (to.op == 0 || to.op > count + 1)
        return error_set(e, ERR_VALUE, s->options.trace->path, 0, "op",
                         "there is no op %llu: the trace has %llu", (unsigned long long)to.op,
                         (unsigned long long)count);
    if (to.op == s->now.op && to.step == s->now.step)
        return ERR_NONE;
    enum err err = go_to_op(s, to.op, e);
    if (!err && to.step && to.op <= count)
        err = go_into_op(s, to.step, e);
    return err;
}

struct moment sim_now(const struct sim *s)
{
    return s->now;
}

uint64_t sim_ops(const struct sim *s)
{
    return s->options.trace ? s->options.trace->count : UINT64_MAX;
}

uint64_t sim_steps(struct sim *s, uint64_t op)
{
    struct moment back = s->now;
    struct error e = {0};
    if (!s->options.trace || op == 0 || op > s->options.trace->count)
        return 0;
    if (s->counted_op == op)
        return s->counted_steps;
    s->mute = true;
    bool good = !sim_seek(s, (struct moment){op, 0}, &e) && !go_into_op(s, UINT64_MAX, &e);
    uint64_t steps = good ? s->now.step : 0;
    good = good && !sim_seek(s, back, &e);
    s->mute = false;
    s->counted_op = good ? op : 0;
    s->counted_steps = steps;
    return good ? steps : 0;
}

void *sim_observer_state(struct sim *s, unsigned i)
{
    CHECK(i < s->options.observers);
    return s->state[i];
}

uint64_t sim_machine_bytes(const struct sim *s)
{
    return arena_held(s->arena) + ram_held(s->ram);
}

uint64_t sim_history_bytes(const struct sim *s)
{
    return snapshots_bytes(s->arena, s->ram);
}

size_t sim_failures(const struct sim *s)
{
    return s->failures + s->failures_lost;
}

const struct sim_failure *sim_failure(const struct sim *s, size_t i)
{
    static const struct sim_failure lost = {.what = "(no memory to keep it)"};
    return i < s->failures ? &s->failure[i] : &lost;
}
