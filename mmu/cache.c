/* cache.c: looking a line up, filling the levels above, and what a line that leaves takes along. */
#include "mmu/cache.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

/* A line as it is held: its number from bit 2 on. */
#define LINE_VALID 1u
#define LINE_DIRTY 2u
#define LINE_SHIFT 2

#define NO_WAY    UINT32_MAX
#define LIKELY(x) __builtin_expect(!!(x), 1)

/* What every function here needs. */
struct job {
    struct caches *c;
    struct env *env;
    struct caches_counters *count;
};

static bool level_on(const struct caches *c, unsigned level)
{
    return c->level[level].config.sets != 0;
}

static bool level_init(struct cache *l, struct arena *arena, const struct cache_config *config)
{
    l->config = *config;
    l->ops = repl_for((enum repl_policy)config->repl, config->ways);
    l->lru = config->repl == REPL_LRU;
    l->words = l->ops->words(config->ways);
    l->stride = (uint32_t)align_up(config->ways, TLB_LANES);
    l->pow2_mask = is_pow2(config->sets) ? config->sets - 1 : 0;
    size_t slots = (size_t)config->sets * l->stride;
    l->line = arena_alloc(arena, slots * sizeof(l->line[0]));
    l->shorts = arena_alloc(arena, slots * sizeof(l->shorts[0]));
    l->valid = arena_alloc(arena, config->sets * sizeof(l->valid[0]));
    l->state = arena_alloc(arena, ((size_t)config->sets * l->words + 1) * sizeof(l->state[0]));
    if (!l->line || !l->shorts || !l->valid || !l->state)
        return false;
    for (uint32_t set = 0; set < config->sets; set++)
        l->ops->init(l->state + (size_t)set * l->words, config->ways);
    return true;
}

bool caches_init(struct caches *c, struct arena *arena, const struct mmu_config *config)
{
    c->on = config->cache[0].sets != 0;
    c->memory_cycles = config->memory_cycles;
    c->inclusive = config->cache_inclusive;
    if (!c->on)
        return true;
    c->line_shift = (unsigned)__builtin_ctz(config->cache_line);
    for (unsigned level = 0; level < CACHE_LEVELS; level++)
        if (config->cache[level].sets &&
            !level_init(&c->level[level], arena, &config->cache[level]))
            return false;
    return true;
}

/* ---- one level ---- */

static uint32_t set_of(const struct cache *l, uint64_t number)
{
    if (l->pow2_mask || l->config.sets == 1)
        return (uint32_t)(number & l->pow2_mask);
    return (uint32_t)(number % l->config.sets);
}

static uint64_t *state_of(const struct cache *l, uint32_t set)
{
    return l->state + (size_t)set * l->words;
}

static uint64_t *line_at(const struct cache *l, uint32_t set, uint32_t way)
{
    return &l->line[(size_t)set * l->stride + way];
}

static uint16_t short_of(uint64_t number)
{
    return (uint16_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

/* The way of its set that holds a line, or NO_WAY. */
static uint32_t find(const struct cache *l, uint32_t set, uint64_t number)
{
    size_t slot = (size_t)set * l->stride;
    uint16_t wanted = short_of(number);
    for (uint32_t at = 0; at < l->stride; at += TLB_LANES) {
        uint32_t bits = lanes_twice(l->shorts + slot + at, wanted);
        for (; bits; bits &= bits - 1) {
            uint32_t way = at + (uint32_t)__builtin_ctz(bits) / 2;
            uint64_t line = l->line[slot + way];
            if (LIKELY((line & ~(uint64_t)LINE_DIRTY) == (number << LINE_SHIFT | LINE_VALID)))
                return way;
        }
    }
    return NO_WAY;
}

static uint64_t *find_line(const struct cache *l, uint64_t number)
{
    uint32_t set = set_of(l, number), way = find(l, set, number);
    return way == NO_WAY ? NULL : line_at(l, set, way);
}

/* The lowest invalid way, else the policy's victim. */
static uint32_t room(const struct cache *l, uint32_t set, struct rng *rng)
{
    if (LIKELY(l->valid[set] == l->config.ways && l->lru))
        return repl_lru_oldest(state_of(l, set), l->config.ways);
    if (l->valid[set] == l->config.ways)
        return l->ops->victim(state_of(l, set), l->config.ways, rng);
    uint32_t way = 0;
    while (*line_at(l, set, way) & LINE_VALID)
        way++;
    INVARIANT(way < l->config.ways);
    return way;
}

static pa_t pa_of(const struct caches *c, uint64_t number)
{
    return number << c->line_shift;
}

/* ---- coming and going ---- */

static void put(const struct job *j, unsigned level, uint64_t number, bool dirty);

/* The next level outwards that there is; CACHE_LEVELS: memory. */
static unsigned next_level(const struct caches *c, unsigned level)
{
    do
        level++;
    while (level < CACHE_LEVELS && !level_on(c, level));
    return level;
}

static void write_back(const struct job *j, unsigned level, uint64_t number)
{
    unsigned next = next_level(j->c, level);
    j->count->level[level].write_backs++;
    EMIT(j->env, cache_write_back, .level = level + 1, .pa = pa_of(j->c, number),
         .to = next < CACHE_LEVELS ? next + 1 : 0);
    if (next == CACHE_LEVELS) {
        j->count->memory_writes++;
        return;
    }
    uint64_t *line = find_line(&j->c->level[next], number);
    if (line)
        *line |= LINE_DIRTY;
    else
        put(j, next, number, true);
}

/* Takes a line out of the levels above; was it dirty in one of them? */
static bool leave_above(const struct job *j, unsigned level, uint64_t number)
{
    bool dirty = false;
    for (unsigned above = 0; above < level; above++) {
        uint64_t *line = level_on(j->c, above) ? find_line(&j->c->level[above], number) : NULL;
        if (!line)
            continue;
        dirty = dirty || *line & LINE_DIRTY;
        *line = 0;
        j->c->level[above].valid[set_of(&j->c->level[above], number)]--;
        j->count->level[above].invalidations++;
        EMIT(j->env, cache_drop, .level = above + 1, .pa = pa_of(j->c, number));
    }
    return dirty;
}

static void put(const struct job *j, unsigned level, uint64_t number, bool dirty)
{
    struct cache *l = &j->c->level[level];
    uint32_t set = set_of(l, number);
    uint32_t way = room(l, set, &j->env->rng);
    uint64_t old = *line_at(l, set, way);
    *line_at(l, set, way) = number << LINE_SHIFT | (dirty ? LINE_DIRTY : 0) | LINE_VALID;
    l->shorts[(size_t)set * l->stride + way] = short_of(number);
    l->valid[set] += !(old & LINE_VALID);
    if (LIKELY(l->lru))
        repl_lru_use(state_of(l, set), l->config.ways, way);
    else
        l->ops->fill(state_of(l, set), l->config.ways, way);
    j->count->level[level].fills++;
    j->count->level[level].evictions += old & LINE_VALID;
    EMIT(j->env, cache_fill, .level = level + 1, .set = set, .way = way, .pa = pa_of(j->c, number),
         .victim = pa_of(j->c, old >> LINE_SHIFT), .evicts = old & LINE_VALID);
    if (!(old & LINE_VALID))
        return;
    bool spoilt = old & LINE_DIRTY;
    if (j->c->inclusive && leave_above(j, level, old >> LINE_SHIFT))
        spoilt = true;
    if (spoilt)
        write_back(j, level, old >> LINE_SHIFT);
}

/* ---- one access ---- */

static bool lookup(const struct job *j, unsigned level, uint64_t number, bool walk)
{
    struct cache *l = &j->c->level[level];
    struct cache_counters *count = &j->count->level[level];
    uint32_t set = set_of(l, number);
    uint32_t way = find(l, set, number);
    count->lookups++;
    count->walk_lookups += walk;
    if (way == NO_WAY) {
        count->misses++;
        count->walk_misses += walk;
        EMIT(j->env, cache_miss, .level = level + 1, .set = set, .pa = pa_of(j->c, number));
        return false;
    }
    count->hits++;
    if (LIKELY(l->lru)) /* the usual policy is called by its name */
        repl_lru_use(state_of(l, set), l->config.ways, way);
    else
        l->ops->hit(state_of(l, set), l->config.ways, way);
    EMIT(j->env, cache_hit, .level = level + 1, .set = set, .way = way, .pa = pa_of(j->c, number));
    return true;
}

static cycles_t access_line(const struct job *j, uint64_t number, bool write, bool walk)
{
    struct caches *c = j->c;
    unsigned level = 0;
    while (level < CACHE_LEVELS && !lookup(j, level, number, walk))
        level = next_level(c, level);
    j->count->memory_reads += level == CACHE_LEVELS;
    cycles_t cycles = level < CACHE_LEVELS ? c->level[level].config.hit_cycles : c->memory_cycles;
    for (unsigned fill = level; fill-- > 0;)
        if (level_on(c, fill))
            put(j, fill, number, false);
    if (write) { /* the first level has it now */
        uint64_t *line = find_line(&c->level[0], number);
        CHECK(line);
        *line |= LINE_DIRTY;
    }
    return cycles;
}

cycles_t caches_access(struct caches *c, struct env *env, struct caches_counters *count, pa_t pa,
                       size_t n, bool write, bool walk)
{
    struct job j = {c, env, count};
    cycles_t cycles = 0;
    uint64_t last = (pa + n - 1) >> c->line_shift;
    for (uint64_t number = pa >> c->line_shift; number <= last; number++)
        cycles += access_line(&j, number, write, walk);
    return cycles;
}

/* ---- inspection ---- */

void caches_line(const struct caches *c, unsigned level, uint32_t set, uint32_t way,
                 struct cache_line *to)
{
    const struct cache *l = &c->level[level];
    CHECK(set < l->config.sets && way < l->config.ways);
    uint64_t line = *line_at(l, set, way);
    *to = (struct cache_line){.valid = line & LINE_VALID,
                              .dirty = line & LINE_DIRTY,
                              .rank = l->ops->rank(state_of(l, set), l->config.ways, way)};
    if (to->valid)
        to->pa = pa_of(c, line >> LINE_SHIFT);
}
