/* opt.c: recording the uses of pages, and Belady's replacement over them. */
#include "mmu/opt.h"

#include "sim/base/arena.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024u
#define DROP       UINT64_C(0) /* an item before a key that was invalidated, not used */
#define NEVER      UINT32_MAX  /* no next use */

struct opt {
    struct arena *arena;
    const struct tlb *tlb;
    uint64_t *item; /* keys, and DROP */
    uint64_t count, room, limit;
    uint64_t *last; /* [set]: the key used last, 0: none */
    bool lost;      /* more uses than may be recorded */
};

struct opt *opt_new(struct arena *arena, const struct tlb *tlb, uint64_t limit)
{
    struct opt *o = arena_alloc(arena, sizeof(*o));
    if (!o)
        return NULL;
    *o = (struct opt){.arena = arena, .tlb = tlb, .limit = min_u64(limit, NEVER)};
    o->last = arena_alloc(arena, tlb->config.sets * sizeof(o->last[0]));
    return o->last ? o : NULL;
}

/* ---- recording ---- */

static void record(struct opt *o, uint64_t item)
{
    if (o->count == o->room && !o->lost) {
        uint64_t room = o->room ? o->room * 2 : FIRST_ROOM;
        size_t size = sizeof(o->item[0]);
        uint64_t *more = o->count < o->limit
                             ? arena_resize(o->arena, o->item, o->room * size, room * size)
                             : NULL;
        o->lost = !more;
        o->item = more ? more : o->item;
        o->room = more ? room : o->room;
    }
    if (!o->lost)
        o->item[o->count++] = item;
}

void opt_use(struct opt *o, uint64_t key)
{
    uint64_t *last = &o->last[tlb_set(o->tlb, key)];
    if (*last == key)
        return;
    *last = key;
    record(o, key);
}

void opt_drop(struct opt *o, uint64_t key)
{
    uint64_t *last = &o->last[tlb_set(o->tlb, key)];
    if (*last == key)
        *last = 0;
    record(o, DROP);
    record(o, key);
}

/* ---- numbers instead of keys, so that what belongs to a page is found at once ---- */

struct numbers {
    uint64_t *key;   /* [slot]; 0: free */
    uint32_t *value; /* [slot] */
    uint64_t slots;  /* a power of two, more than half of them free */
    uint32_t count;
};

static uint64_t slot_of(const struct numbers *n, uint64_t key)
{
    uint64_t slot = (key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (n->slots - 1);
    while (n->key[slot] && n->key[slot] != key)
        slot = (slot + 1) & (n->slots - 1);
    return slot;
}

static bool numbers_grow(struct numbers *n)
{
    struct numbers more = {.slots = n->slots ? n->slots * 2 : FIRST_ROOM, .count = n->count};
    more.key = calloc(more.slots, sizeof(more.key[0]));
    more.value = calloc(more.slots, sizeof(more.value[0]));
    for (uint64_t i = 0; more.key && more.value && i < n->slots; i++) {
        if (!n->key[i])
            continue;
        uint64_t slot = slot_of(&more, n->key[i]);
        more.key[slot] = n->key[i];
        more.value[slot] = n->value[i];
    }
    free(n->key);
    free(n->value);
    *n = more;
    return more.key && more.value;
}

static bool number_of(struct numbers *n, uint64_t key, uint32_t *number)
{
    if (n->count * UINT64_C(2) >= n->slots && !numbers_grow(n))
        return false;
    uint64_t slot = slot_of(n, key);
    if (!n->key[slot]) {
        n->key[slot] = key;
        n->value[slot] = n->count++;
    }
    *number = n->value[slot];
    return true;
}

/* ---- running it again ---- */

struct page {
    uint32_t next; /* item of its next use, as known at its last one; NEVER */
    bool held;
};

struct rerun {
    const struct opt *o;
    struct numbers numbers;
    uint32_t *number; /* [item]: of its page */
    uint32_t *next;   /* [item]: where its page is used again before it is dropped */
    struct page *page;
    uint32_t *way;  /* [set × ways]: pages held */
    uint32_t *held; /* [set] */
    uint64_t misses;
};

static bool dropped(const struct rerun *r, uint64_t i)
{
    return i && r->o->item[i - 1] == DROP;
}

static bool number_items(struct rerun *r)
{
    for (uint64_t i = 0; i < r->o->count; i++)
        if (r->o->item[i] != DROP && !number_of(&r->numbers, r->o->item[i], &r->number[i]))
            return false;
    return true;
}

/* From the end: page[].next is where the page is used next, seen from the item at hand. */
static void look_ahead(struct rerun *r)
{
    for (uint32_t i = 0; i < r->numbers.count; i++)
        r->page[i].next = NEVER;
    for (uint64_t i = r->o->count; i-- > 0;) {
        if (r->o->item[i] == DROP)
            continue;
        struct page *page = &r->page[r->number[i]];
        r->next[i] = page->next;
        page->next = dropped(r, i) ? NEVER : (uint32_t)i;
    }
}

/* The place in a set of the page whose next use is farthest. */
static uint32_t farthest(const struct rerun *r, const uint32_t *set, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (r->page[set[i]].next > r->page[set[best]].next)
            best = i;
    return best;
}

static void rerun_drop(struct rerun *r, uint32_t *set, uint32_t *count, uint32_t number)
{
    uint32_t i = 0;
    while (i < *count && set[i] != number)
        i++;
    if (i == *count)
        return;
    r->page[number].held = false;
    set[i] = set[--*count];
}

static void rerun_item(struct rerun *r, uint64_t i)
{
    const struct tlb *t = r->o->tlb;
    uint64_t item = r->o->item[i];
    uint32_t number = r->number[i];
    uint32_t in = tlb_set(t, item);
    uint32_t *set = r->way + (size_t)in * t->config.ways;
    uint32_t *count = &r->held[in];
    struct page *page = &r->page[number];
    if (dropped(r, i)) {
        rerun_drop(r, set, count, number);
        return;
    }
    page->next = r->next[i];
    if (page->held)
        return;
    r->misses++;
    uint32_t at = *count;
    if (at == t->config.ways) {
        at = farthest(r, set, at);
        r->page[set[at]].held = false;
    } else {
        ++*count;
    }
    set[at] = number;
    page->held = true;
}

static void rerun_free(struct rerun *r)
{
    free(r->numbers.key);
    free(r->numbers.value);
    free(r->number);
    free(r->next);
    free(r->page);
    free(r->way);
    free(r->held);
}

bool opt_misses(const struct opt *o, uint64_t *misses)
{
    const struct tlb_config *c = &o->tlb->config;
    struct rerun r = {.o = o};
    if (o->lost)
        return false;
    r.number = calloc(o->count + 1, sizeof(r.number[0]));
    r.next = calloc(o->count + 1, sizeof(r.next[0]));
    r.way = calloc((size_t)c->sets * c->ways, sizeof(r.way[0]));
    r.held = calloc(c->sets, sizeof(r.held[0]));
    bool good = r.number && r.next && r.way && r.held && number_items(&r);
    r.page = good ? calloc(r.numbers.count + 1, sizeof(r.page[0])) : NULL;
    good = r.page != NULL;
    if (good) {
        look_ahead(&r);
        for (uint64_t i = 0; i < o->count; i++)
            if (o->item[i] != DROP)
                rerun_item(&r, i);
    }
    *misses = r.misses;
    rerun_free(&r);
    return good;
}
