/* model_run.c: steps a trace and compares; the first difference ends the run. */
#include "tests/model_run.h"

#include "sim/inspect.h"
#include "viz/model_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum err model_run_config(struct config *config, const struct trace *trace, struct error *e)
{
    config_default(config);
    enum err err = config_option(config, "ram=64M", e);
    if (!err && trace->header.config)
        err = config_json(config, trace->header.config, trace->path, e);
    return err;
}

/* Is the heap damaged by the program itself, and nobody has found out? Then inspection shows bytes
 * that no event can have told of. Mistakes that the kernel makes on purpose are no such excuse. */
static bool damaged(const struct sim *sim)
{
    char why[200];
    return inspect_replay(sim)->errors[MISUSE_CORRUPT] == 0 &&
           !inspect_check(sim, why, sizeof(why));
}

static bool equal(struct model_run *r, struct sim *sim, bool whole)
{
    const struct model *m = sim_observer_state(sim, 0);
    char why[300];
    if (whole ? model_check(m, sim, why, sizeof(why)) : model_check_quick(m, sim, why, sizeof(why)))
        return true;
    if (damaged(sim)) {
        r->damaged++;
        return true;
    }
    snprintf(r->why, sizeof(r->why), "after op %" PRIu64 ": %s", r->ops, why);
    return false;
}

static enum model_run_end run(struct model_run *r, struct sim *sim)
{
    struct error error = {0};
    char text[300];
    uint64_t limit = r->limit ? r->limit : UINT64_MAX;
    int more = 1;
    bool same = equal(r, sim, true);
    while (same && r->ops < limit && (more = sim_step(sim, &error)) > 0)
        same = equal(r, sim, ++r->ops % r->every == 0);
    if (more < 0) {
        snprintf(r->why, sizeof(r->why), "the run ended after op %" PRIu64 ": %s", r->ops,
                 error_text(&error, text, sizeof(text)));
        return RUN_DIFFERS;
    }
    return same && equal(r, sim, true) ? RUN_EQUAL : RUN_DIFFERS;
}

enum model_run_end model_run(struct model_run *r)
{
    struct error error = {0};
    struct sim *sim;
    struct sim_options options = {
        .config = r->config, .trace = r->trace, .observers = 1, .observer = {model_observer()}};
    r->ops = r->damaged = 0;
    r->why[0] = '\0';
    if (sim_open(&sim, &options, &error)) {
        error_text(&error, r->why, sizeof(r->why));
        return RUN_REFUSED;
    }
    enum model_run_end end = run(r, sim);
    sim_close(sim);
    return end;
}
