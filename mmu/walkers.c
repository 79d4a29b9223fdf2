/* walkers.c: when each walk begins and ends, and who waits for it. */
#include "mmu/walkers.h"

#include "sim/base/check.h"

static cycles_t wait_first(struct walkers *w, cycles_t now)
{
    cycles_t end = w->pending[w->first].end;
    w->first = (w->first + 1) % PENDING_MAX;
    w->pending_count--;
    return end > now ? end - now : 0;
}

cycles_t walkers_begin(struct walkers *w, uint64_t n, cycles_t now)
{
    cycles_t waited = 0;
    while (w->pending_count && n - w->pending[w->first].access > w->window)
        waited += wait_first(w, now + waited);
    return waited;
}

bool walkers_walk(struct walkers *w, uint64_t n, cycles_t now, cycles_t length)
{
    cycles_t *walker = &w->free_at[0];
    for (uint32_t i = 1; i < w->count; i++)
        if (w->free_at[i] < *walker)
            walker = &w->free_at[i];
    bool busy = *walker > now;
    *walker = max_u64(*walker, now) + length;
    CHECK(w->pending_count < PENDING_MAX);
    uint32_t last = (w->first + w->pending_count++) % PENDING_MAX;
    w->pending[last].access = n;
    w->pending[last].end = *walker;
    return busy;
}

cycles_t walkers_drain(struct walkers *w, cycles_t now)
{
    cycles_t waited = 0;
    while (w->pending_count)
        waited += wait_first(w, now + waited);
    return waited;
}
