/* travel.c: steps of every size, made of seeks; the kinds of the current op's events are kept, so
 * that "the next access" or "the last fault" is a look into a list.
 */
#include "viz/travel.h"

#include "sim/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SURVEY_SLICE 20000u

enum err travel_open(struct travel *t, struct view *view, struct error *error)
{
    *t = (struct travel){.view = view};
    struct sim_options options = {.config = view->config,
                                  .trace = view->trace,
                                  .history = true,
                                  .observers = 1,
                                  .observer = {model_observer()}};
    enum err err = sim_open(&t->sim, &options, error);
    if (!err)
        err = survey_open(&t->survey, view->config, view->trace, error);
    if (err) {
        travel_close(t);
        return err;
    }
    view->survey = t->survey;
    view->ops = view->trace->count;
    return ERR_NONE;
}

void travel_close(struct travel *t)
{
    survey_close(t->survey);
    trail_close(t->trail);
    hits_close(t->search);
    hits_close(t->breaks);
    sim_close(t->sim);
    free(t->kinds);
    *t = (struct travel){0};
}

const struct model *travel_model(const struct travel *t)
{
    return sim_observer_state(t->sim, 0);
}

static void complain(struct travel *t, const struct error *error)
{
    error_text(error, t->view->notice, sizeof(t->view->notice));
}

/* Learns what happens in op: runs it to its end and copies the kinds of its events. */
static bool learn(struct travel *t, uint64_t op)
{
    struct error error;
    if (t->kinds_op == op)
        return true;
    if (sim_seek(t->sim, (struct moment){op, UINT64_MAX}, &error)) {
        complain(t, &error);
        return false;
    }
    const struct model *m = travel_model(t);
    size_t steps = m->op == op ? m->steps : 0;
    if (steps > t->kinds_max) {
        uint8_t *larger = realloc(t->kinds, steps);
        if (!larger)
            return false;
        t->kinds = larger;
        t->kinds_max = steps;
    }
    if (steps)
        memcpy(t->kinds, m->step, steps);
    t->steps = steps;
    t->kinds_op = op;
    return true;
}

/* The sentence of the moment. */
static void narrate(struct travel *t)
{
    struct view *v = t->view;
    const struct model *m = travel_model(t);
    const struct event *e = model_event(m, 0);
    char text[160];
    v->headline[0] = v->chapter[0] = '\0';
    if (v->now.op < 1 || v->now.op > v->trace->count) {
        snprintf(v->headline, sizeof(v->headline), "%s",
                 words_say(v->lang, "The machine stands ready; there is no op."));
        return;
    }
    const struct op *op = &v->trace->op[v->now.op - 1];
    op_text(op, op->extra ? &v->trace->extra[op->extra] : NULL, text, sizeof(text));
    if (!v->now.step || !e) {
        snprintf(v->headline, sizeof(v->headline), words_say(v->lang, "Next: %s"), text);
        snprintf(v->chapter, sizeof(v->chapter), "%s",
                 words_say(v->lang, "Space plays, → steps, ? shows all keys."));
        return;
    }
    struct explain_context story = m->story;
    story.sim = t->sim;
    story.lang = v->lang;
    explain_event(&story, e, v->headline, sizeof(v->headline));
    enum explain_chapter chapter = explain_chapter(&story, e);
    int n = snprintf(v->chapter, sizeof(v->chapter), "Op %" PRIu64 ": %s", v->now.op, text);
    if (chapter != CHAPTER_NONE && n > 0 && (size_t)n < sizeof(v->chapter))
        snprintf(v->chapter + n, sizeof(v->chapter) - (size_t)n,
                 words_say(v->lang, " · step %d of %d: %s"), (int)chapter, CHAPTERS - 1,
                 words_say(v->lang, explain_chapter_name[chapter]));
}

void travel_to(struct travel *t, struct moment to)
{
    struct view *v = t->view;
    struct error error;
    snprintf(v->notice, sizeof(v->notice), "%s", v->verdict);
    v->verdict[0] = '\0';
    if (to.op < 1)
        to = (struct moment){1, 0};
    if (to.op > v->ops)
        to = (struct moment){v->ops ? v->ops : 1, UINT64_MAX};
    if (v->ops && learn(t, to.op)) {
        to.step = min_u64(to.step, t->steps);
        if (sim_seek(t->sim, to, &error))
            complain(t, &error);
    }
    v->now = v->ops ? to : (struct moment){0, 0};
    v->kinds = t->kinds;
    v->steps = t->steps;
    narrate(t);
}

/* Does a step of this grain end with this event? Every step ends at the end of an op. */
static bool ends_step(enum grain grain, uint8_t kind)
{
    switch (grain) {
    case GRAIN_STEP:
        return true;
    case GRAIN_ACCESS:
        return kind == EV_data || kind == EV_fault_end;
    default:
        return kind == EV_sys_exit;
    }
}

static bool step_forward(struct travel *t)
{
    struct moment to = t->view->now;
    if (to.step >= t->steps) {
        if (to.op >= t->view->ops || !learn(t, to.op + 1))
            return false;
        to = (struct moment){to.op + 1, 0};
    }
    do
        to.step++;
    while (to.step < t->steps && !ends_step(t->view->grain, t->kinds[to.step - 1]));
    travel_to(t, to);
    return true;
}

static bool step_back(struct travel *t)
{
    struct moment to = t->view->now;
    if (to.step <= 1) {
        if (to.op <= 1 && to.step == 0)
            return false;
        to = to.op <= 1 ? (struct moment){1, 0} : (struct moment){to.op - 1, UINT64_MAX};
        travel_to(t, to);
        return true;
    }
    do
        to.step--;
    while (to.step > 0 && !ends_step(t->view->grain, t->kinds[to.step - 1]));
    if (!to.step && to.op > 1)
        to = (struct moment){to.op - 1, UINT64_MAX};
    travel_to(t, to);
    return true;
}

bool travel_step(struct travel *t, int direction)
{
    if (!t->view->ops)
        return false;
    if (t->view->grain == GRAIN_STOP)
        return travel_find(t, direction, SURVEY_STOP);
    return direction > 0 ? step_forward(t) : step_back(t);
}

static bool shows(uint8_t flag, uint8_t kind)
{
    switch (flag) {
    case SURVEY_FAULT:
        return kind == EV_fault;
    case SURVEY_MISS:
        return kind == EV_walk_begin;
    case SURVEY_CALL:
        return kind == EV_sys_enter;
    default:
        return kind == EV_mark;
    }
}

/* In the learned op: the first such event after step, or the last before it; 0: none. */
static uint64_t find_in_op(const struct travel *t, uint64_t step, int direction, uint8_t flag)
{
    if (direction > 0) {
        for (uint64_t i = step + 1; i <= t->steps; i++)
            if (shows(flag, t->kinds[i - 1]))
                return i;
        return 0;
    }
    for (uint64_t i = min_u64(step, t->steps + 1); i-- > 1;)
        if (shows(flag, t->kinds[i - 1]))
            return i;
    return 0;
}

/* The next op with the flag; the survey runs on until it knows. */
static uint64_t find_op(struct travel *t, uint64_t op, int direction, uint8_t flag)
{
    uint64_t found = survey_find(t->survey, op, direction, flag);
    while (!found && direction > 0 && survey_run(t->survey, SURVEY_SLICE))
        found = survey_find(t->survey, op, direction, flag);
    return found ? found : survey_find(t->survey, op, direction, flag);
}

bool travel_find(struct travel *t, int direction, uint8_t flag)
{
    struct moment now = t->view->now;
    uint64_t step = now.op && learn(t, now.op) ? find_in_op(t, now.step, direction, flag) : 0;
    if (step) {
        travel_to(t, (struct moment){now.op, step});
        return true;
    }
    for (uint64_t op = find_op(t, now.op, direction, flag); op;
         op = find_op(t, op, direction, flag)) {
        if (!learn(t, op))
            return false;
        step = find_in_op(t, direction > 0 ? 0 : UINT64_MAX, direction, flag);
        if (step) {
            travel_to(t, (struct moment){op, step});
            return true;
        }
    }
    travel_to(t, now);
    snprintf(t->view->notice, sizeof(t->view->notice),
             words_say(t->view->lang, "There is none %s here."),
             words_say(t->view->lang, direction > 0 ? "after" : "before"));
    return false;
}

static bool no_trail(struct travel *t, const char *why)
{
    snprintf(t->view->notice, sizeof(t->view->notice), "%s", words_say(t->view->lang, why));
    return false;
}

bool travel_trail(struct travel *t, int direction, unsigned kinds)
{
    const struct view *v = t->view;
    const struct model *m = travel_model(t);
    struct error error;
    if (v->selection.kind == THING_NONE || !v->ops)
        return no_trail(t, "Nothing is selected: click on something first.");
    if (!t->trail || !thing_equal(t->trail->subject.thing, v->selection)) {
        struct subject s = trail_subject(m, &m->cpu[m->cpu_now], v->selection);
        trail_close(t->trail);
        if (trail_open(&t->trail, v->config, v->trace, &s, &error)) {
            complain(t, &error);
            return false;
        }
    }
    struct moment found;
    if (!hits_find(t->trail->hits, v->now, direction, kinds, UINT64_MAX, &found))
        return no_trail(t, direction > 0 ? "No such event of the selection after this moment."
                                         : "No such event of the selection before this moment.");
    travel_to(t, found);
    return true;
}

bool travel_search(struct travel *t, int direction)
{
    const struct view *v = t->view;
    struct error error;
    struct moment found;
    if (!v->query.terms || !v->ops)
        return no_trail(t, "Nothing is looked for: / asks for it.");
    if (!t->search || strcmp(t->query.text, v->query.text) != 0) {
        hits_close(t->search);
        t->query = v->query;
        if (hits_open(&t->search, v->config, v->trace, hits_query, &t->query, &error)) {
            complain(t, &error);
            return false;
        }
    }
    if (!hits_find(t->search, v->now, direction, 1, UINT64_MAX, &found))
        return no_trail(t, direction > 0 ? "No such event after this moment."
                                         : "No such event before this moment.");
    travel_to(t, found);
    return true;
}

static unsigned match_breaks(void *ctx, const struct event *e, uint64_t op)
{
    const struct travel *t = ctx;
    for (size_t i = 0; i < t->view->breaks; i++)
        if (query_matches(&t->view->brk[i], e, op))
            return 1;
    return 0;
}

static bool open_breaks(struct travel *t)
{
    struct error error;
    if (!t->breaks &&
        hits_open(&t->breaks, t->view->config, t->view->trace, match_breaks, t, &error))
        complain(t, &error);
    return t->breaks != NULL;
}

void travel_breaks_changed(struct travel *t)
{
    hits_close(t->breaks);
    t->breaks = NULL;
}

bool travel_break(struct travel *t, int direction)
{
    const struct view *v = t->view;
    struct moment found;
    if (!v->breaks || !v->ops)
        return no_trail(t, "There is no breakpoint: F9 asks for one.");
    if (!open_breaks(t))
        return false;
    if (!hits_find(t->breaks, v->now, direction, 1, UINT64_MAX, &found))
        return no_trail(t, direction > 0 ? "No breakpoint holds after this moment."
                                         : "No breakpoint holds before this moment.");
    travel_to(t, found);
    return true;
}

bool travel_broken(struct travel *t, struct moment from, struct moment to, struct moment *at)
{
    return t->view->breaks && open_breaks(t) && hits_find(t->breaks, from, 1, 1, to.op, at) &&
           !moment_before(to, *at);
}

void travel_to_part(struct travel *t, double part)
{
    if (part < 0)
        part = 0;
    double at = part * (double)t->view->ops;
    uint64_t op = (uint64_t)at;
    if (op >= t->view->ops) {
        travel_to(t, (struct moment){t->view->ops, UINT64_MAX});
        return;
    }
    if (!learn(t, op + 1))
        return;
    travel_to(t, (struct moment){op + 1, (uint64_t)((at - (double)op) * (double)t->steps)});
}
