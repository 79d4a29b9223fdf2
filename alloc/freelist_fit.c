/* freelist_fit.c: the search, and the four ways to choose: first, next, best and worst fit.
 *
 * All four walk the same ring and differ in one question: what about a chunk that is large enough?
 * First and next fit take it. Best fit remembers the smallest, worst fit the largest, and both look
 * at all of them (best fit may stop at an exact one). Next fit begins where the last search ended,
 * so that small leftovers do not gather at the start of the list.
 *
 * Cost: first and next fit O(chunks) at worst and short in the middle; best and worst fit O(chunks)
 * nearly always. Knuth, The Art of Computer Programming 1, section 2.5, compares them.
 */
#include "alloc/freelist.h"

static enum probe_verdict judge_first(uint64_t size, uint64_t need, uint64_t best)
{
    (void)size;
    (void)need;
    (void)best;
    return PROBE_TAKE;
}

static enum probe_verdict judge_best(uint64_t size, uint64_t need, uint64_t best)
{
    if (size == need)
        return PROBE_TAKE; /* no other can be better */
    return !best || size < best ? PROBE_BEST : PROBE_WORSE;
}

static enum probe_verdict judge_worst(uint64_t size, uint64_t need, uint64_t best)
{
    (void)need;
    return size > best ? PROBE_BEST : PROBE_WORSE;
}

#define FIT(var, name_, doc_, judge_, roving_)                                                     \
    const struct fit var = {                                                                       \
        .ops = {.name = name_,                                                                     \
                .doc = doc_,                                                                       \
                .state_size = sizeof(struct freelist),                                             \
                .init = freelist_init,                                                             \
                .malloc = freelist_malloc,                                                         \
                .calloc = freelist_calloc,                                                         \
                .realloc = freelist_realloc,                                                       \
                .memalign = freelist_memalign,                                                     \
                .free = freelist_free,                                                             \
                .usable = freelist_usable,                                                         \
                .trim = freelist_give_back,                                                        \
                .mallopt = freelist_mallopt,                                                       \
                .walk = freelist_walk,                                                             \
                .check = freelist_check,                                                           \
                .mend = freelist_mend},                                                            \
        .judge = judge_,                                                                           \
        .roving = roving_,                                                                         \
    }

FIT(fit_first, "first-fit", "takes the first free chunk that is large enough", judge_first, false);
FIT(fit_next, "next-fit", "as first fit, but goes on where the last search ended", judge_first,
    true);
FIT(fit_best, "best-fit", "takes the smallest free chunk that is large enough", judge_best, false);
FIT(fit_worst, "worst-fit", "takes the largest free chunk", judge_worst, false);

struct search {
    uint64_t need;
    va_t best; /* 0: none yet */
    uint64_t best_size;
    uint64_t probes;
};

static enum probe_verdict look_at(struct heap *h, struct search *s, va_t chunk, uint64_t size)
{
    enum probe_verdict verdict = PROBE_TOO_SMALL;
    if (size >= s->need)
        verdict = fit_of(h)->judge(size, s->need, s->best_size);
    if (verdict == PROBE_TAKE || verdict == PROBE_BEST) {
        s->best = chunk;
        s->best_size = size;
    }
    s->probes++;
    heap_probe(h, chunk, size, s->need, verdict, s->best);
    return verdict;
}

/* One turn of the ring. It ends early where a chunk is damaged: the program may have written over a
 * link, and a link may lead anywhere. */
static void search_list(struct heap *h, struct search *s)
{
    const struct freelist *f = freelist_of(h);
    va_t chunk = fit_of(h)->roving && f->rover ? f->rover : f->head;
    for (uint64_t n = 0; n < f->listed; n++) {
        uint64_t tag = heap_load64(h, chunk);
        if ((tag & TAG_USED) || !freelist_sound(h, chunk, tag)) {
            heap_complain(h, MISUSE_CORRUPT, chunk);
            return;
        }
        if (look_at(h, s, chunk, tag_size(tag)) == PROBE_TAKE)
            return;
        chunk = heap_load64(h, block_of(chunk));
    }
}

va_t freelist_search(struct heap *h, uint64_t need, uint64_t *size)
{
    const struct freelist *f = freelist_of(h);
    struct search s = {.need = need};
    EMIT(h->env, alloc_search, .policy = h->ops->name, .list = "free", .need = need);
    search_list(h, &s);
    if (!s.best && f->start) {
        bool fits = top_size(f) >= need;
        s.best = fits ? f->top : 0;
        s.best_size = fits ? top_size(f) : 0;
        s.probes++;
        heap_probe(h, f->top, top_size(f), need, fits ? PROBE_TAKE : PROBE_TOO_SMALL, s.best);
    }
    heap_fit(h, s.best, s.best_size, need, s.probes);
    *size = s.best_size;
    return s.best;
}
