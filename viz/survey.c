/* survey.c: a model folded ahead of time, and its figures taken after each op. */
#include "viz/survey.h"

#include "viz/model.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void hear(void *ctx, const struct event *e)
{
    struct survey *s = ctx;
    uint8_t flag = 0;
    switch (e->kind) {
    case EV_fault_begin:
        flag = SURVEY_FAULT;
        break;
    case EV_walk_begin:
        flag = SURVEY_MISS;
        break;
    case EV_sys_enter:
        flag = SURVEY_CALL | (e->sys_enter.nr == LX_NR_mmap ? SURVEY_MMAP : 0) |
               (e->sys_enter.nr == LX_NR_brk ? SURVEY_BRK : 0);
        break;
    case EV_op_error:
        flag = SURVEY_ERROR;
        break;
    case EV_signal_sent:
        flag = SURVEY_SIGNAL;
        break;
    default:
        return;
    }
    if (s->done < s->ops)
        s->flag[s->done + 1] |= flag;
}

enum err survey_open(struct survey **survey, const struct config *config, const struct trace *trace,
                     struct error *error)
{
    struct survey *s = calloc(1, sizeof(*s));
    *survey = NULL;
    if (!s)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory for the survey");
    s->ops = trace->count;
    s->trace = trace;
    s->per_bucket = trace->count / SURVEY_BUCKETS + 1;
    s->flag = calloc(trace->count + 2, 1);
    struct sim_options options = {.config = config,
                                  .trace = trace,
                                  .observers = 1,
                                  .sinks = 1,
                                  .observer = {model_observer()},
                                  .sink = {{hear, s}}};
    enum err err = s->flag ? sim_open(&s->sim, &options, error)
                           : error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory");
    if (err) {
        survey_close(s);
        return err;
    }
    for (size_t i = 0; i < trace->count; i++)
        if (trace->op[i].kind == OP_mark && (trace->op[i].flags & OP_STOP))
            s->flag[i + 1] |= SURVEY_STOP;
    *survey = s;
    return ERR_NONE;
}

void survey_close(struct survey *s)
{
    if (!s)
        return;
    sim_close(s->sim);
    free(s->flag);
    free(s);
}

/* Bytes that the program's heap holds: below the break, and mapped without a name. */
static uint64_t held(const struct model *m)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < m->processes; i++) {
        const struct model_process *p = &m->process[i];
        bytes += p->brk - p->heap_start;
        for (size_t a = 0; a < p->areas; a++)
            if (!p->area[a].name || !p->area[a].name[0])
                bytes += p->area[a].end - p->area[a].start;
    }
    return bytes;
}

static void take(struct survey *s, const struct model *m)
{
    struct survey_bucket *b = &s->bucket[(s->done - 1) / s->per_bucket];
    struct survey_bucket *first = s->bucket;
    s->buckets = (size_t)(b - first) + 1;
    uint64_t misses = 0;
    for (uint32_t i = 0; i < m->cpus; i++)
        misses += m->cpu[i].tlb[TLB_L1D].misses + m->cpu[i].tlb[TLB_L1I].misses;
    /* Sums so far: the plots take differences, so buckets need no reset. */
    b->accesses = m->count.accesses;
    b->l1_misses = misses;
    b->walks = m->count.walks;
    b->faults = m->count.faults;
    b->calls = m->count.calls;
    b->resident = m->count.resident;
    b->requested = m->requested;
    b->held = held(m);
    b->flags |= s->flag[s->done];
}

static unsigned count_leaves(const cJSON *item)
{
    unsigned n = 0;
    const cJSON *child;
    if (!cJSON_IsObject(item))
        return 1;
    cJSON_ArrayForEach(child, item) n += count_leaves(child);
    return n;
}

static void keep_unmet(void *ctx, const struct stats_failure *f)
{
    struct survey *s = ctx;
    if (s->unmet++)
        return;
    snprintf(s->first, sizeof(s->first), "%s", f->name);
    snprintf(s->got, sizeof(s->got), "%s", f->got);
    snprintf(s->wanted, sizeof(s->wanted), "%s", f->wanted);
}

/* Holds the end of the run against what the trace promises. */
static void check(struct survey *s)
{
    const char *expect = s->trace->header.expect;
    for (size_t i = 0; i < s->trace->count; i++) {
        const struct op *op = &s->trace->op[i];
        s->checks += (op->flags & OP_HAS_RET) != 0;
        s->checks += (op->flags & OP_HAS_FAULTS) != 0;
    }
    s->unmet = (unsigned)sim_failures(s->sim);
    if (s->unmet) {
        const struct sim_failure *f = sim_failure(s->sim, 0);
        snprintf(s->first, sizeof(s->first), "op %" PRIu64 ": %s", f->op, f->what);
        snprintf(s->got, sizeof(s->got), "%" PRId64, f->got);
        snprintf(s->wanted, sizeof(s->wanted), "%" PRId64, f->wanted);
    }
    if (!expect)
        return;
    struct error error;
    struct stats *stats = calloc(1, sizeof(*stats));
    cJSON *root = cJSON_Parse(expect);
    s->checks += root ? count_leaves(root) : 0;
    cJSON_Delete(root);
    if (stats) {
        stats_read(stats, s->sim, &s->watch);
        stats_expect(stats, expect, "expect", keep_unmet, s, &error);
    }
    free(stats);
}

bool survey_run(struct survey *s, uint64_t ops)
{
    struct error error;
    for (uint64_t i = 0; i < ops && !s->over; i++) {
        if (s->done >= s->ops || sim_step(s->sim, &error) <= 0) {
            s->over = true;
            check(s);
            break;
        }
        s->done++;
        if (s->trace->header.expect)
            stats_watch(&s->watch, s->sim);
        take(s, sim_observer_state(s->sim, 0));
    }
    return !s->over;
}

uint8_t survey_flags(const struct survey *s, uint64_t op)
{
    return s && op <= s->ops ? s->flag[op] : 0;
}

uint64_t survey_find(const struct survey *s, uint64_t op, int step, uint8_t flags)
{
    while (true) {
        if (step > 0 ? op >= s->ops : op <= 1)
            return 0;
        op = step > 0 ? op + 1 : op - 1;
        if (s->flag[op] & flags)
            return op;
    }
}
