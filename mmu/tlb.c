/* tlb.c: filling and emptying a level; searching is inline in tlb.h. */
#include "mmu/tlb.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

static void geometry(struct tlb *t)
{
    uint32_t sets = t->config.sets;
    t->stride = (uint32_t)align_up(t->config.ways, TLB_LANES);
    t->words = t->ops->words(t->config.ways);
    t->pow2_mask = is_pow2(sets) ? sets - 1 : 0;
    t->reciprocal = UINT64_MAX / sets;
}

bool tlb_init(struct tlb *t, struct arena *arena, const struct tlb_config *config)
{
    t->config = *config;
    t->ops = repl_for((enum repl_policy)config->repl, config->ways);
    geometry(t);
    size_t slots = (size_t)config->sets * t->stride;
    t->shorts = arena_alloc(arena, slots * sizeof(t->shorts[0]));
    t->entry = arena_alloc(arena, slots * sizeof(t->entry[0]));
    t->state = arena_alloc(arena, ((size_t)config->sets * t->words + 1) * sizeof(t->state[0]));
    t->valid = arena_alloc(arena, config->sets * sizeof(t->valid[0]));
    if (!t->shorts || !t->entry || !t->state || !t->valid)
        return false;
    for (uint32_t set = 0; set < config->sets; set++)
        t->ops->init(tlb_state(t, set), config->ways);
    return true;
}

static uint32_t lowest_invalid(const struct tlb *t, uint32_t set)
{
    uint32_t way = 0;
    while (t->entry[tlb_slot(t, set, way)].key)
        way++;
    INVARIANT(way < t->config.ways);
    return way;
}

static bool is_piece(uint64_t key, uint64_t data)
{
    return flags_size(data_flags(data)) > key_size(key);
}

static void note_gone(struct tlb *t, const struct tlb_entry *e)
{
    t->held[key_size(e->key)]--;
    t->pieces -= is_piece(e->key, e->data);
}

uint32_t tlb_put(struct tlb *t, struct rng *rng, uint32_t set, uint64_t key, uint64_t data,
                 struct tlb_entry *victim)
{
    uint32_t ways = t->config.ways;
    bool full = t->valid[set] == ways;
    uint32_t way = full ? t->ops->victim(tlb_state(t, set), ways, rng) : lowest_invalid(t, set);
    size_t slot = tlb_slot(t, set, way);
    *victim = t->entry[slot];
    if (full)
        note_gone(t, victim);
    else
        t->valid[set]++;
    t->held[key_size(key)]++;
    t->pieces += is_piece(key, data);
    t->entry[slot] = (struct tlb_entry){key, data};
    t->shorts[slot] = key_short(key);
    t->ops->fill(tlb_state(t, set), ways, way);
    return way;
}

void tlb_remove(struct tlb *t, uint32_t set, uint32_t way)
{
    size_t slot = tlb_slot(t, set, way);
    INVARIANT(t->entry[slot].key != 0);
    note_gone(t, &t->entry[slot]);
    t->valid[set]--;
    t->entry[slot] = (struct tlb_entry){0, 0};
    t->shorts[slot] = 0;
}
