/* snapshot.c: taking, restoring and thinning out pictures of the machine. */
#include "sim/snapshot.h"

#include <string.h>

#define FIRST_SPACING 50000u

bool snapshot_take(struct snapshot *s, uint64_t op, struct arena *arena, struct ram *ram,
                   const struct snapshot *base)
{
    s->op = op;
    s->arena = arena_save(arena, base ? base->arena : NULL);
    s->ram = s->arena ? ram_save(ram) : NULL;
    if (s->ram)
        return true;
    arena_snapshot_free(s->arena);
    memset(s, 0, sizeof(*s));
    return false;
}

void snapshot_restore(const struct snapshot *s, struct arena *arena, struct ram *ram)
{
    arena_restore(arena, s->arena);
    ram_restore(ram, s->ram);
}

void snapshot_drop(struct snapshot *s, struct ram *ram)
{
    if (!s->arena)
        return;
    arena_snapshot_free(s->arena);
    ram_snapshot_free(ram, s->ram);
    memset(s, 0, sizeof(*s));
}

uint64_t snapshots_bytes(const struct arena *arena, const struct ram *ram)
{
    return arena_snapshots_bytes(arena) + ram_snapshots_bytes(ram);
}

/* Drops the one, never the boot nor the newest, whose neighbours are nearest to each other. */
static void thin_out(struct history *h, struct ram *ram)
{
    size_t least = 1;
    uint64_t least_gap = UINT64_MAX;
    for (size_t i = 1; i + 1 < h->count; i++) {
        uint64_t gap = h->at[i + 1].work - h->at[i - 1].work;
        if (gap < least_gap) {
            least = i;
            least_gap = gap;
        }
    }
    snapshot_drop(&h->at[least], ram);
    h->count--;
    memmove(&h->at[least], &h->at[least + 1], (h->count - least) * sizeof(h->at[0]));
    h->spacing = max_u64(h->spacing, least_gap / 2);
}

void history_offer(struct history *h, uint64_t op, uint64_t work, struct arena *arena,
                   struct ram *ram)
{
    if (!h->spacing)
        h->spacing = FIRST_SPACING;
    const struct snapshot *newest = h->count ? &h->at[h->count - 1] : NULL;
    if (newest && (newest->op >= op || work - newest->work < h->spacing))
        return;
    struct snapshot *s = &h->at[h->count];
    if (!snapshot_take(s, op, arena, ram, newest))
        return;
    s->work = work;
    h->count++;
    while (h->count > 2 && (h->count == SNAPSHOTS_MAX || snapshots_bytes(arena, ram) > h->bytes))
        thin_out(h, ram);
}

const struct snapshot *history_before(const struct history *h, uint64_t op)
{
    const struct snapshot *best = NULL;
    for (size_t i = 0; i < h->count && h->at[i].op <= op; i++)
        best = &h->at[i];
    return best;
}

void history_clear(struct history *h, struct ram *ram)
{
    for (size_t i = 0; i < h->count; i++)
        snapshot_drop(&h->at[i], ram);
    h->count = 0;
}
