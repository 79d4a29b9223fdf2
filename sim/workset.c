/* workset.c: pages in order of their last use, with a mark for each in a tree of sums over time.
 *
 *   time      1  2  3  4  5  6  7          marks: the last use of each page
 *   page      a  b  c  a  b  d  b          distance of b at time 7: marks behind 5 = 1 (d)
 *   mark            c  a     d  b
 *
 * The sums are a Fenwick tree. Its times are numbered anew when they run out, so it grows with the
 * pages and not with the run.
 */
#include "sim/workset.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define FIRST_TIMES 4096u

static const uint64_t window_length[WORKSET_WINDOWS] = {10, 100, 1000, 10000, 100000, 1000000};

struct page {
    uint64_t key;  /* page number << 16 | pid */
    uint64_t last; /* reference number of its last use */
    uint64_t mark; /* the same in times of the tree */
    struct page *older, *newer;
    UT_hash_handle hh;
};

struct window {
    struct page *oldest; /* in it */
    uint64_t pages, most;
    uint64_t sum; /* of its size over all moments that are over */
};

struct workset {
    struct page *pages; /* a uthash */
    struct page *newest, *oldest;
    uint64_t references;
    uint64_t *tree; /* [times + 1] */
    uint64_t times, now;
    uint64_t *at_distance; /* references with each reuse distance; [0]: never used before */
    uint64_t distances;
    struct window window[WORKSET_WINDOWS];
    bool no_memory;
};

struct workset *workset_new(void)
{
    struct workset *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->times = FIRST_TIMES;
    w->tree = calloc(w->times + 1, sizeof(*w->tree));
    if (!w->tree) {
        free(w);
        return NULL;
    }
    return w;
}

void workset_free(struct workset *w)
{
    if (!w)
        return;
    struct page *page = w->oldest;
    HASH_CLEAR(hh, w->pages);
    while (page) {
        struct page *newer = page->newer;
        free(page);
        page = newer;
    }
    free(w->tree);
    free(w->at_distance);
    free(w);
}

bool workset_good(const struct workset *w)
{
    return !w->no_memory;
}

/* ---- the tree ---- */

static void tree_add(struct workset *w, uint64_t time, uint64_t n)
{
    for (; time <= w->times; time += time & -time)
        w->tree[time] += n;
}

/* Marks at times 1 to time. */
static uint64_t tree_sum(const struct workset *w, uint64_t time)
{
    uint64_t sum = 0;
    for (; time; time -= time & -time)
        sum += w->tree[time];
    return sum;
}

/* Numbers the times anew, from the page that was not used for the longest time on. */
static bool tree_renew(struct workset *w)
{
    uint64_t times = 2 * (uint64_t)HASH_COUNT(w->pages) + FIRST_TIMES;
    uint64_t *tree = realloc(w->tree, (times + 1) * sizeof(*tree));
    if (!tree)
        return false;
    memset(tree, 0, (times + 1) * sizeof(*tree));
    w->tree = tree;
    w->times = times;
    w->now = 0;
    for (struct page *p = w->oldest; p; p = p->newer) {
        p->mark = ++w->now;
        tree_add(w, p->mark, 1);
    }
    return true;
}

static bool count_distance(struct workset *w, uint64_t distance)
{
    if (distance >= w->distances) {
        uint64_t room = 2 * distance + 64;
        uint64_t *more = realloc(w->at_distance, room * sizeof(*more));
        if (!more)
            return false;
        memset(more + w->distances, 0, (room - w->distances) * sizeof(*more));
        w->at_distance = more;
        w->distances = room;
    }
    w->at_distance[distance]++;
    return true;
}

/* ---- the list, newest first ---- */

static void list_remove(struct workset *w, struct page *p)
{
    *(p->older ? &p->older->newer : &w->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &w->newest) = p->older;
    p->older = p->newer = NULL;
}

static void list_add(struct workset *w, struct page *p)
{
    p->older = w->newest;
    *(w->newest ? &w->newest->newer : &w->oldest) = p;
    w->newest = p;
}

/* p is used now, and was used at p->last before (known: at all). */
static void windows_move(struct workset *w, struct page *p, bool known)
{
    for (unsigned i = 0; i < WORKSET_WINDOWS; i++) {
        struct window *at = &w->window[i];
        bool inside = known && w->references - 1 - p->last < window_length[i];
        if (at->oldest == p)
            at->oldest = p->newer;
        at->pages += !inside;
    }
}

/* Pages whose last use is now too far back leave the window. */
static void windows_trim(struct workset *w)
{
    for (unsigned i = 0; i < WORKSET_WINDOWS; i++) {
        struct window *at = &w->window[i];
        if (!at->oldest)
            at->oldest = w->newest;
        while (w->references - at->oldest->last >= window_length[i]) {
            at->oldest = at->oldest->newer;
            at->pages--;
        }
        at->most = max_u64(at->most, at->pages);
        at->sum += at->pages;
    }
}

/* ---- one reference ---- */

static struct page *page_of(struct workset *w, uint64_t key, bool *known)
{
    struct page *p;
    HASH_FIND(hh, w->pages, &key, sizeof(key), p);
    *known = p != NULL;
    if (!p && (p = calloc(1, sizeof(*p)))) {
        p->key = key;
        HASH_ADD(hh, w->pages, key, sizeof(p->key), p);
    }
    return p;
}

/* Different pages used since p was, p itself included: the place it has in a stack by recency. */
static uint64_t distance_of(const struct workset *w, const struct page *p)
{
    return HASH_COUNT(w->pages) - tree_sum(w, p->mark) + 1;
}

void workset_hear(struct workset *w, uint16_t pid, va_t va)
{
    uint64_t key = va >> PAGE_SHIFT << 16 | pid;
    bool known;
    if (w->no_memory || (w->newest && w->newest->key == key))
        return;
    if (w->now == w->times && !tree_renew(w)) {
        w->no_memory = true;
        return;
    }
    struct page *p = page_of(w, key, &known);
    if (!p || !count_distance(w, known ? distance_of(w, p) : 0)) {
        w->no_memory = true;
        return;
    }
    w->references++;
    windows_move(w, p, known);
    if (known) {
        list_remove(w, p);
        tree_add(w, p->mark, (uint64_t)-1);
    }
    list_add(w, p);
    p->last = w->references;
    p->mark = ++w->now;
    tree_add(w, p->mark, 1);
    windows_trim(w);
}

/* ---- answers ---- */

uint64_t workset_references(const struct workset *w)
{
    return w->references;
}

uint64_t workset_pages(const struct workset *w)
{
    return HASH_COUNT(w->pages);
}

bool workset_window(const struct workset *w, size_t i, struct workset_window *out)
{
    if (i >= WORKSET_WINDOWS)
        return false;
    const struct window *at = &w->window[i];
    *out = (struct workset_window){
        .references = window_length[i],
        .mean = w->references ? (double)at->sum / (double)w->references : 0,
        .most = at->most,
    };
    return true;
}

uint64_t workset_lru_faults(const struct workset *w, uint64_t frames)
{
    uint64_t faults = w->distances ? w->at_distance[0] : 0;
    for (uint64_t d = frames + 1; d < w->distances; d++)
        faults += w->at_distance[d];
    return faults;
}

uint64_t workset_frames_for(const struct workset *w, uint64_t of)
{
    uint64_t allowed = w->references / of;
    uint64_t late = 0; /* references that fault with fewer than d frames */
    for (uint64_t d = w->distances; d-- > 1;) {
        late += w->at_distance[d];
        if (late > allowed)
            return d;
    }
    return 1;
}
