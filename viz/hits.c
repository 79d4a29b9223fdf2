/* hits.c: a run in search of moments. */
#include "viz/hits.h"

#include "viz/view.h"

#include <stdlib.h>

unsigned hits_query(void *ctx, const struct event *e, uint64_t op)
{
    return query_matches(ctx, e, op);
}

static void note(struct hits *h, struct moment at, unsigned kind)
{
    if (h->count == h->room) {
        size_t room = h->room ? h->room * 2 : 256;
        void *more = room <= HITS_MOST ? realloc(h->moment, room * sizeof(*h->moment)) : NULL;
        h->cut = !more;
        if (!more)
            return;
        h->moment = more;
        h->room = room;
    }
    h->moment[h->count].at = at;
    h->moment[h->count++].kind = (uint8_t)kind;
}

static void hear(void *ctx, const struct event *e)
{
    struct hits *h = ctx;
    if (!h->sim || h->cut)
        return;
    uint64_t op = sim_now(h->sim).op;
    unsigned kind = h->match(h->ctx, e, op);
    if (kind)
        note(h, (struct moment){op, e->seq}, kind);
}

enum err hits_open(struct hits **hits, const struct config *config, const struct trace *trace,
                   hits_match *match, void *ctx, struct error *error)
{
    struct hits *h = calloc(1, sizeof(*h));
    *hits = NULL;
    if (!h)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory for the search");
    h->match = match;
    h->ctx = ctx;
    struct sim_options options = {
        .config = config, .trace = trace, .sinks = 1, .sink = {{hear, h}}};
    enum err err = sim_open(&h->sim, &options, error);
    if (err)
        free(h);
    else
        *hits = h;
    return err;
}

void hits_close(struct hits *h)
{
    if (!h)
        return;
    sim_close(h->sim);
    free(h->moment);
    free(h);
}

static bool run_one(struct hits *h, uint64_t limit)
{
    struct error error;
    if (h->done >= limit)
        return false;
    if (h->over || h->cut || sim_step(h->sim, &error) <= 0)
        h->over = true;
    else
        h->done++;
    return !h->over;
}

/* The first moment that is not before at. */
static size_t place(const struct hits *h, struct moment at)
{
    size_t low = 0;
    size_t high = h->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moment_before(h->moment[middle].at, at))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool hits_find(struct hits *h, struct moment now, int direction, unsigned kinds, uint64_t limit,
               struct moment *found)
{
    while (run_one(h, now.op < limit ? now.op : limit))
        continue;
    size_t i = place(h, direction > 0 ? (struct moment){now.op, now.step + 1} : now);
    while (direction > 0 ? true : i-- > 0) {
        while (i >= h->count && run_one(h, limit))
            continue;
        if (i >= h->count)
            return false;
        *found = h->moment[i].at;
        if (h->moment[i].kind & kinds)
            return true;
        i += direction > 0;
    }
    return false;
}
