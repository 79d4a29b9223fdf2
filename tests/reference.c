/* reference.c: two levels of TLB, counted the plain way. */
#include "tests/reference.h"

#include "sim/base/check.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 65536u

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);
    CHECK(p);
    return p;
}

void reference_open(struct reference *r, const struct mmu_config *config, struct rng rng)
{
    memset(r, 0, sizeof(*r));
    r->rng = rng;
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        struct ref_level *l = &r->level[i];
        l->sets = config->tlb[i].sets;
        l->ways = config->tlb[i].ways;
        l->repl = config->tlb[i].repl;
        l->line = zeroed((size_t)l->sets * l->ways, sizeof(*l->line));
        l->right = zeroed((size_t)l->sets * l->ways, sizeof(*l->right));
        l->seen = zeroed(PAGES_MAX, sizeof(*l->seen));
        l->lost = zeroed(PAGES_MAX, sizeof(*l->lost));
        l->recent = zeroed((size_t)l->sets * l->ways, sizeof(*l->recent));
    }
}

void reference_close(struct reference *r)
{
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        free(r->level[i].line);
        free(r->level[i].right);
        free(r->level[i].seen);
        free(r->level[i].lost);
        free(r->level[i].recent);
    }
}

static struct ref_line *line_of(struct ref_level *l, uint64_t page)
{
    struct ref_line *set = l->line + page % l->sets * l->ways;
    for (uint32_t way = 0; way < l->ways; way++)
        if (set[way].valid && set[way].page == page)
            return &set[way];
    return NULL;
}

/* ---- classes ---- */

static size_t position(const uint64_t *list, size_t count, uint64_t page)
{
    size_t i = 0;
    while (i < count && list[i] != page)
        i++;
    return i;
}

static void recent_drop(struct ref_level *l, uint64_t page)
{
    size_t at = position(l->recent, l->recent_count, page);
    if (at == l->recent_count)
        return;
    for (; at + 1 < l->recent_count; at++)
        l->recent[at] = l->recent[at + 1];
    l->recent_count--;
}

/* The list's last one is the most recent. */
static void recent_use(struct ref_level *l, uint64_t page)
{
    recent_drop(l, page);
    if (l->recent_count == (size_t)l->sets * l->ways)
        recent_drop(l, l->recent[0]);
    l->recent[l->recent_count++] = page;
    if (position(l->seen, l->seen_count, page) == l->seen_count) {
        CHECK(l->seen_count < PAGES_MAX);
        l->seen[l->seen_count++] = page;
    }
    l->lost[position(l->seen, l->seen_count, page)] = false;
}

static void lose(struct ref_level *l, uint64_t page)
{
    recent_drop(l, page);
    l->lost[position(l->seen, l->seen_count, page)] = true;
}

static enum miss_class class_of(const struct ref_level *l, uint64_t page)
{
    if (position(l->seen, l->seen_count, page) == l->seen_count)
        return MISS_COLD;
    if (l->lost[position(l->seen, l->seen_count, page)])
        return MISS_COHERENCE;
    return position(l->recent, l->recent_count, page) == l->recent_count ? MISS_CAPACITY
                                                                         : MISS_CONFLICT;
}

/* ---- policies ---- */

/* Node n covers the ways [first, first + size); its children are 2n+1 and 2n+2. */
static void plru_point(struct ref_level *l, uint64_t page, uint32_t way)
{
    bool *right = l->right + page % l->sets * l->ways;
    uint32_t node = 0, first = 0;
    for (uint32_t size = l->ways; size > 1; size /= 2) {
        right[node] = way >= first + size / 2;
        first += right[node] ? size / 2 : 0;
        node = 2 * node + (right[node] ? 2 : 1);
    }
}

static uint32_t plru_pick(const struct ref_level *l, uint64_t page)
{
    const bool *right = l->right + page % l->sets * l->ways;
    uint32_t node = 0, first = 0;
    for (uint32_t size = l->ways; size > 1; size /= 2) {
        bool go_right = !right[node];
        first += go_right ? size / 2 : 0;
        node = 2 * node + (go_right ? 2 : 1);
    }
    return first;
}

static uint32_t srrip_pick(struct ref_line *set, uint32_t ways)
{
    for (;;) {
        for (uint32_t way = 0; way < ways; way++)
            if (set[way].distance == 3)
                return way;
        for (uint32_t way = 0; way < ways; way++)
            set[way].distance++;
    }
}

static void nru_point(struct ref_level *l, struct ref_line *line)
{
    struct ref_line *set = l->line + (line - l->line) / l->ways * l->ways;
    bool all = true;
    line->near = true;
    for (uint32_t way = 0; way < l->ways; way++)
        all = all && set[way].near;
    for (uint32_t way = 0; all && way < l->ways; way++)
        set[way].near = &set[way] == line;
}

static uint32_t nru_pick(const struct ref_line *set, uint32_t ways)
{
    for (uint32_t way = 0; way < ways; way++)
        if (!set[way].near)
            return way;
    return 0;
}

static uint32_t pick(struct reference *r, struct ref_level *l, uint64_t page)
{
    struct ref_line *set = l->line + page % l->sets * l->ways;
    uint32_t best = 0;
    for (uint32_t way = 0; way < l->ways; way++)
        if (!set[way].valid)
            return way;
    switch (l->repl) {
    case REPL_LRU:
        for (uint32_t way = 1; way < l->ways; way++)
            best = set[way].used < set[best].used ? way : best;
        return best;
    case REPL_FIFO:
        for (uint32_t way = 1; way < l->ways; way++)
            best = set[way].filled < set[best].filled ? way : best;
        return best;
    case REPL_PLRU:
        return plru_pick(l, page);
    case REPL_NRU:
        return nru_pick(set, l->ways);
    case REPL_RANDOM:
        return rng_below(&r->rng, l->ways);
    default:
        return srrip_pick(set, l->ways);
    }
}

/* PLRU's bits start at "left goes first", that is: the right half was used last. */
static void plru_start(struct ref_level *l)
{
    for (size_t i = 0; i < (size_t)l->sets * l->ways; i++)
        l->right[i] = true;
}

/* ---- what happens ---- */

static bool lookup(struct reference *r, struct ref_level *l, uint64_t page)
{
    if (r->now == 1)
        plru_start(l);
    l->lookups++;
    struct ref_line *line = line_of(l, page);
    if (!line) {
        l->misses++;
        l->by_class[class_of(l, page)]++;
        return false;
    }
    l->hits++;
    line->used = r->now;
    line->distance = 0;
    plru_point(l, page, (uint32_t)(line - l->line) % l->ways);
    nru_point(l, line);
    recent_use(l, page);
    return true;
}

static void fill(struct reference *r, struct ref_level *l, uint64_t page)
{
    if (r->now == 1)
        plru_start(l);
    uint32_t way = pick(r, l, page);
    struct ref_line *line = l->line + page % l->sets * l->ways + way;
    l->evictions += line->valid;
    *line = (struct ref_line){true, page, r->now, r->now, 2, line->near};
    plru_point(l, page, way);
    nru_point(l, line);
    recent_use(l, page);
}

void reference_access(struct reference *r, uint64_t page)
{
    struct ref_level *l1 = &r->level[TLB_L1D], *l2 = &r->level[TLB_L2];
    r->now++;
    if (lookup(r, l1, page))
        return;
    if (l2->sets && !lookup(r, l2, page))
        fill(r, l2, page);
    fill(r, l1, page);
}

void reference_drop(struct reference *r, uint64_t page)
{
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        struct ref_level *l = &r->level[i];
        struct ref_line *line = l->sets ? line_of(l, page) : NULL;
        if (!line)
            continue;
        line->valid = false;
        l->dropped++;
        lose(l, page);
    }
}

void reference_flush(struct reference *r, bool (*keep)(uint64_t page))
{
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        struct ref_level *l = &r->level[i];
        for (size_t at = 0; at < (size_t)l->sets * l->ways; at++) {
            struct ref_line *line = &l->line[at];
            if (!line->valid || keep(line->page))
                continue;
            line->valid = false;
            l->dropped++;
            lose(l, line->page);
        }
    }
}
