/* reference.c: TLBs and paging-structure caches, counted the plain way. */
#include "tests/reference.h"

#include "sim/base/check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 65536u

static const uint64_t sizes[] = {1, 2, 4, 8, 512, 512 * 512};

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count + 1, size);
    CHECK(p);
    return p;
}

/* ---- life ---- */

static void open_array(struct ref_array *a, const struct tlb_config *c, uint32_t repl)
{
    size_t entries = (size_t)c->sets * c->ways;
    a->sets = c->sets;
    a->ways = c->ways;
    a->repl = repl;
    a->line = zeroed(entries, sizeof(*a->line));
    a->right = zeroed(entries, sizeof(*a->right));
    /* PLRU's bits start at "left goes first", that is: the right half was used last. */
    for (size_t i = 0; i < entries; i++)
        a->right[i] = true;
}

void reference_open(struct reference *r, const struct mmu_config *config, struct rng rng)
{
    memset(r, 0, sizeof(*r));
    r->config = *config;
    r->rng = rng;
    r->levels = 4;
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        struct ref_level *l = &r->level[i];
        l->largest = config->largest[i] ? config->largest[i] / PAGE_SIZE : sizes[5];
        for (unsigned k = 0; k < 3; k++) {
            open_array(&l->array[k], &config->tlb[i + k * TLB_LEVELS], config->tlb[i].repl);
            l->entries += (uint64_t)l->array[k].sets * l->array[k].ways;
        }
        l->seen = zeroed(NAMES_MAX, sizeof(*l->seen));
        l->gone = zeroed(NAMES_MAX, sizeof(*l->gone));
        l->recent = zeroed(l->entries, sizeof(*l->recent));
    }
}

void reference_close(struct reference *r)
{
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        for (unsigned k = 0; k < 3; k++) {
            free(r->level[i].array[k].line);
            free(r->level[i].array[k].right);
        }
        free(r->level[i].seen);
        free(r->level[i].gone);
        free(r->level[i].recent);
    }
}

/* ---- which array, which set ---- */

static bool exists(const struct ref_level *l)
{
    return l->array[0].sets != 0;
}

static struct ref_array *array_of(struct ref_level *l, uint64_t pages)
{
    struct ref_array *a = &l->array[pages == 512 ? 1 : pages > 512 ? 2 : 0];
    return a->sets ? a : &l->array[0];
}

static struct ref_line *set_of(const struct ref_array *a, uint64_t first, uint64_t pages)
{
    return a->line + first / pages % a->sets * a->ways;
}

static struct ref_level *first_level(struct reference *r, enum access how)
{
    return &r->level[how == ACCESS_FETCH && exists(&r->level[TLB_L1I]) ? TLB_L1I : TLB_L1D];
}

static struct ref_level *second_level(struct reference *r, enum access how)
{
    return &r->level[how == ACCESS_FETCH && exists(&r->level[TLB_L2I]) ? TLB_L2I : TLB_L2];
}

static struct ref_line *find(struct ref_level *l, uint64_t at, unsigned pcid)
{
    for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
        struct ref_array *a = array_of(l, sizes[s]);
        struct ref_line *set = set_of(a, at, sizes[s]);
        for (uint32_t way = 0; way < a->ways; way++) {
            struct ref_line *line = &set[way];
            if (line->valid && line->pages == sizes[s] && at - line->first < line->pages &&
                at >= line->first && (line->pcid == pcid || line->page.global))
                return line;
        }
    }
    return NULL;
}

/* ---- classes ---- */

static uint64_t name_of(uint64_t at, uint64_t pages, unsigned pcid)
{
    unsigned s = 0;
    while (sizes[s] != pages)
        s++;
    return at / pages * pages | (uint64_t)s << 48 | (uint64_t)pcid << 52;
}

static size_t position(const uint64_t *list, size_t count, uint64_t name)
{
    size_t i = 0;
    while (i < count && list[i] != name)
        i++;
    return i;
}

static void recent_drop(struct ref_level *l, uint64_t name)
{
    size_t at = position(l->recent, l->recent_count, name);
    if (at == l->recent_count)
        return;
    for (; at + 1 < l->recent_count; at++)
        l->recent[at] = l->recent[at + 1];
    l->recent_count--;
}

/* The list's last one is the most recent. */
static void recent_use(const struct reference *r, struct ref_level *l, const struct ref_line *line)
{
    uint64_t name = name_of(line->first, line->pages, line->pcid);
    if (!r->config.classify)
        return;
    recent_drop(l, name);
    if (l->recent_count == l->entries)
        recent_drop(l, l->recent[0]);
    l->recent[l->recent_count++] = name;
    if (position(l->seen, l->seen_count, name) == l->seen_count) {
        CHECK(l->seen_count < NAMES_MAX);
        l->seen[l->seen_count++] = name;
    }
    l->gone[position(l->seen, l->seen_count, name)] = false;
}

static void recent_invalidate(struct ref_level *l, uint64_t name)
{
    recent_drop(l, name);
    l->gone[position(l->seen, l->seen_count, name)] = true;
}

/* Of the smallest size that the level ever had for the page. */
static enum miss_class class_of(const struct ref_level *l, uint64_t at, unsigned pcid)
{
    for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
        uint64_t name = name_of(at, sizes[s], pcid);
        size_t at_name = position(l->seen, l->seen_count, name);
        if (at_name < l->seen_count && l->gone[at_name])
            return MISS_COHERENCE;
        if (at_name < l->seen_count)
            return position(l->recent, l->recent_count, name) == l->recent_count ? MISS_CAPACITY
                                                                                 : MISS_CONFLICT;
    }
    return MISS_COLD;
}

/* ---- policies ---- */

/* Node n covers the ways [first, first + size); its children are 2n+1 and 2n+2. */
static void plru_point(struct ref_array *a, const struct ref_line *line)
{
    uint32_t at = (uint32_t)(line - a->line);
    assert(a->ways != 0);
    bool *right = a->right + at / a->ways * a->ways;
    uint32_t node = 0, first = 0, way = at % a->ways;
    for (uint32_t size = a->ways; size > 1; size /= 2) {
        right[node] = way >= first + size / 2;
        first += right[node] ? size / 2 : 0;
        node = 2 * node + (right[node] ? 2 : 1);
    }
}

static uint32_t plru_pick(const struct ref_array *a, const struct ref_line *set)
{
    const bool *right = a->right + (set - a->line);
    uint32_t node = 0, first = 0;
    for (uint32_t size = a->ways; size > 1; size /= 2) {
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

static void nru_point(const struct ref_array *a, struct ref_line *line)
{
    struct ref_line *set = a->line + (line - a->line) / a->ways * a->ways;
    bool all = true;
    line->near = true;
    for (uint32_t way = 0; way < a->ways; way++)
        all = all && set[way].near;
    for (uint32_t way = 0; all && way < a->ways; way++)
        set[way].near = &set[way] == line;
}

static uint32_t nru_pick(const struct ref_line *set, uint32_t ways)
{
    for (uint32_t way = 0; way < ways; way++)
        if (!set[way].near)
            return way;
    return 0;
}

static uint32_t pick(struct reference *r, const struct ref_array *a, struct ref_line *set)
{
    uint32_t best = 0;
    for (uint32_t way = 0; way < a->ways; way++)
        if (!set[way].valid)
            return way;
    switch (a->repl) {
    case REPL_LRU:
        for (uint32_t way = 1; way < a->ways; way++)
            best = set[way].used < set[best].used ? way : best;
        return best;
    case REPL_FIFO:
        for (uint32_t way = 1; way < a->ways; way++)
            best = set[way].filled < set[best].filled ? way : best;
        return best;
    case REPL_PLRU:
        return plru_pick(a, set);
    case REPL_NRU:
        return nru_pick(set, a->ways);
    case REPL_RANDOM:
        return rng_below(&r->rng, a->ways);
    default:
        return srrip_pick(set, a->ways);
    }
}

/* ---- one level ---- */

static struct ref_line *lookup(struct reference *r, struct ref_level *l, uint64_t at, unsigned pcid)
{
    l->lookups++;
    struct ref_line *line = find(l, at, pcid);
    if (!line) {
        l->misses++;
        l->by_class[class_of(l, at, pcid)]++;
        return NULL;
    }
    l->hits++;
    line->used = ++r->now;
    line->distance = 0;
    plru_point(array_of(l, line->pages), line);
    nru_point(array_of(l, line->pages), line);
    recent_use(r, l, line);
    return line;
}

/* Returns what was thrown out; not valid: nothing. */
static struct ref_line put(struct reference *r, struct ref_level *l, struct ref_line what)
{
    struct ref_array *a = array_of(l, what.pages);
    struct ref_line *set = set_of(a, what.first, what.pages);
    struct ref_line *line = &set[pick(r, a, set)];
    struct ref_line victim = *line;
    what.valid = true;
    what.near = victim.near;
    what.used = what.filled = ++r->now;
    what.distance = 2;
    *line = what;
    l->fills++;
    l->evictions += victim.valid;
    plru_point(a, line);
    nru_point(a, line);
    recent_use(r, l, line);
    return victim;
}

static struct ref_line held_as(const struct reference *r, const struct ref_level *l, uint64_t at,
                               const struct ref_page *page, unsigned pcid)
{
    uint64_t pages = page->run                  ? r->config.coalesce
                     : page->pages > l->largest ? l->largest
                                                : page->pages;
    assert(pages != 0);
    return (struct ref_line){
        .first = at / pages * pages, .pages = pages, .pcid = pcid, .page = *page};
}

/* ---- both levels ---- */

/* The first levels above this second one lose what it lost. */
static void lose(struct reference *r, const struct ref_level *second, const struct ref_line *gone)
{
    for (enum access how = ACCESS_READ; how <= ACCESS_FETCH; how++) {
        struct ref_level *l = first_level(r, how);
        if (second_level(r, how) != second)
            continue;
        for (unsigned k = 0; k < 3; k++) {
            for (size_t i = 0; i < (size_t)l->array[k].sets * l->array[k].ways; i++) {
                struct ref_line *line = &l->array[k].line[i];
                bool apart = line->first + line->pages <= gone->first ||
                             gone->first + gone->pages <= line->first;
                if (!line->valid || line->pcid != gone->pcid || apart)
                    continue;
                line->valid = false;
                l->lost++;
            }
        }
    }
}

static void put_second(struct reference *r, struct ref_level *second, struct ref_line what)
{
    struct ref_line gone = put(r, second, what);
    if (gone.valid && r->config.inclusion == INCLUSION_INCLUSIVE)
        lose(r, second, &gone);
}

static void put_first(struct reference *r, enum access how, struct ref_line what)
{
    struct ref_level *second = second_level(r, how);
    struct ref_line gone = put(r, first_level(r, how), what);
    if (!gone.valid || r->config.inclusion != INCLUSION_EXCLUSIVE)
        return;
    struct ref_array *a = array_of(second, gone.pages);
    struct ref_line *set = set_of(a, gone.first, gone.pages);
    for (uint32_t way = 0; way < a->ways; way++)
        if (set[way].valid && set[way].first == gone.first && set[way].pages == gone.pages &&
            set[way].pcid == gone.pcid)
            set[way].valid = false;
    put_second(r, second, gone);
}

static void walk(struct reference *r, uint64_t at, const struct ref_page *page, unsigned pcid);

void reference_use(struct reference *r, uint64_t at, const struct ref_page *page, unsigned pcid,
                   enum access how)
{
    struct ref_level *first = first_level(r, how), *second = second_level(r, how);
    if (lookup(r, first, at, pcid))
        return;
    struct ref_line *line = exists(second) ? lookup(r, second, at, pcid) : NULL;
    if (line) {
        struct ref_line copy = *line;
        if (r->config.inclusion == INCLUSION_EXCLUSIVE)
            line->valid = false;
        put_first(r, how, held_as(r, first, at, &copy.page, copy.pcid));
        return;
    }
    walk(r, at, page, pcid);
    if (exists(second) && r->config.inclusion != INCLUSION_EXCLUSIVE)
        put_second(r, second, held_as(r, second, at, page, pcid));
    put_first(r, how, held_as(r, first, at, page, pcid));
}

void reference_access(struct reference *r, uint64_t at)
{
    struct ref_page page = {.first = at, .pages = 1};
    reference_use(r, at, &page, 0, ACCESS_READ);
}

/* ---- the walk ---- */

static uint64_t number_of(uint64_t at, unsigned level)
{
    return at >> (9 * (level - 1));
}

static struct ref_psc *psc_set(struct reference *r, unsigned level, uint64_t number, uint32_t *ways)
{
    uint32_t entries = r->config.psc_entries[level];
    *ways = r->config.psc_ways[level] ? r->config.psc_ways[level] : entries;
    return entries ? &r->psc[level][number % (entries / *ways) * *ways] : NULL;
}

static struct ref_psc *psc_find(struct reference *r, unsigned level, uint64_t at, unsigned pcid)
{
    uint32_t ways;
    struct ref_psc *set = psc_set(r, level, number_of(at, level), &ways);
    for (uint32_t way = 0; set && way < ways; way++)
        if (set[way].valid && set[way].number == number_of(at, level) && set[way].pcid == pcid)
            return &set[way];
    return NULL;
}

static void psc_put(struct reference *r, unsigned level, uint64_t at, unsigned pcid)
{
    uint32_t ways, best = 0;
    struct ref_psc *set = psc_set(r, level, number_of(at, level), &ways);
    if (!set || psc_find(r, level, at, pcid))
        return;
    for (uint32_t way = ways; way-- > 0;)
        if (!set[way].valid || (set[best].valid && set[way].used < set[best].used))
            best = way;
    set[best] = (struct ref_psc){true, number_of(at, level), pcid, ++r->now};
}

static void walk(struct reference *r, uint64_t at, const struct ref_page *page, unsigned pcid)
{
    unsigned leaf = page->pages == 1 ? 1 : page->pages == 512 ? 2 : 3, top = r->levels;
    bool any = false;
    for (unsigned level = 2; level <= LEVELS_MAX; level++)
        any = any || r->config.psc_entries[level];
    for (unsigned level = 2; any && level <= r->levels; level++) {
        struct ref_psc *entry = psc_find(r, level, at, pcid);
        if (!entry)
            continue;
        entry->used = ++r->now;
        r->psc_hits++;
        top = level - 1;
        break;
    }
    r->psc_lookups += any;
    r->walks++;
    r->walk_reads += top - leaf + 1;
    for (unsigned level = top; level > leaf; level--)
        psc_put(r, level, at, pcid);
}

/* ---- forgetting ---- */

static bool doomed(const struct ref_line *line, const struct ref_scope *s)
{
    uint64_t first = line->first, pages = line->pages;
    if (line->page.pages > pages) {
        first = line->page.first;
        pages = line->page.pages;
    }
    if (!line->valid || (s->one_page && (s->page < first || s->page >= first + pages)))
        return false;
    return line->page.global ? s->globals : s->all_pcids || line->pcid == s->pcid;
}

static void forget_line(struct reference *r, struct ref_level *l, struct ref_line *line)
{
    uint64_t name = name_of(line->first, line->pages, line->pcid);
    line->valid = false;
    l->dropped++;
    recent_invalidate(l, name);
    for (unsigned i = 0; i < TLB_LEVELS && r->config.inclusion == INCLUSION_EXCLUSIVE; i++)
        recent_invalidate(&r->level[i], name);
}

static void forget_psc(struct reference *r, const struct ref_scope *s)
{
    for (unsigned level = 2; level <= LEVELS_MAX; level++) {
        for (uint32_t i = 0; i < r->config.psc_entries[level]; i++) {
            struct ref_psc *entry = &r->psc[level][i];
            bool here = !s->psc_page || entry->number == number_of(s->page, level);
            if (here && (s->all_pcids || entry->pcid == s->pcid))
                entry->valid = false;
        }
    }
}

void reference_forget(struct reference *r, const struct ref_scope *s)
{
    for (unsigned i = 0; i < TLB_LEVELS; i++) {
        for (unsigned k = 0; k < 3; k++) {
            struct ref_array *a = &r->level[i].array[k];
            for (size_t at = 0; at < (size_t)a->sets * a->ways; at++)
                if (doomed(&a->line[at], s))
                    forget_line(r, &r->level[i], &a->line[at]);
        }
    }
    forget_psc(r, s);
}
