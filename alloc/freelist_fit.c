/* freelist_fit.c: the search, and five ways to choose: first, next, good, best and worst fit.
 *
 * All five walk the same ring and differ in one question: what about a chunk that is large enough?
 * First and next fit take it. Best fit remembers the smallest, worst fit the largest, and both look
 * at all of them (best fit may stop at an exact one). Good fit is best fit that stops at the first
 * chunk that wastes no more than an eighth. Next fit begins where the last search ended, so that
 * small leftovers do not gather at the start of the list.
 *
 * Cost: first and next fit O(chunks) at worst and short in the middle; best and worst fit O(chunks)
 * nearly always; good fit between the two. Knuth, The Art of Computer Programming 1, section 2.5,
 * compares them.
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

static enum probe_verdict judge_good(uint64_t size, uint64_t need, uint64_t best)
{
    if (size - need <= need / 8)
        return PROBE_TAKE;
    return judge_best(size, need, best);
}

#define FIT(var, name_, doc_, judge_, roving_)                                                     \
    const struct fit var = {.ops = FREELIST_OPS(name_, doc_), .judge = judge_, .roving = roving_}

FIT(fit_first, "first-fit", "takes the first free chunk that is large enough", judge_first, false);
FIT(fit_next, "next-fit", "as first fit, but goes on where the last search ended", judge_first,
    true);
FIT(fit_good, "good-fit", "takes the first free chunk that wastes little, else the smallest",
    judge_good, false);
FIT(fit_best, "best-fit", "takes the smallest free chunk that is large enough", judge_best, false);
FIT(fit_worst, "worst-fit", "takes the largest free chunk", judge_worst, false);

static enum probe_verdict look_at(struct heap *h, struct search *s, va_t chunk, uint64_t size)
{
    enum probe_verdict verdict = PROBE_TOO_SMALL;
    if (size >= s->need)
        verdict = fit_of(h)->judge(size, s->need, s->best_size);
    if (verdict == PROBE_BEST && fit_of(h) == &fit_best && h->config.order == ORDER_SIZE)
        verdict = PROBE_TAKE; /* all that follow are larger */
    if (verdict == PROBE_TAKE || verdict == PROBE_BEST) {
        s->best = chunk;
        s->best_size = size;
    }
    s->probes++;
    heap_probe(h, chunk, size, s->need, verdict, s->best);
    return verdict;
}

/* Looks at the chunk, if it is one. false: it is damaged: the program may have written over a link,
 * and a link may lead anywhere. */
static bool look_safely(struct heap *h, struct search *s, va_t chunk, enum probe_verdict *verdict)
{
    uint64_t tag = heap_load64(h, chunk);
    if ((tag & TAG_USED) || !freelist_sound(h, chunk, tag)) {
        heap_complain(h, MISUSE_CORRUPT, chunk);
        return false;
    }
    *verdict = look_at(h, s, chunk, tag_size(tag));
    return true;
}

bool freelist_turn(struct heap *h, struct search *s, unsigned bin)
{
    const struct freelist *f = freelist_of(h);
    va_t head = freelist_head(h, bin);
    va_t chunk = fit_of(h)->roving && f->rover ? f->rover : head;
    va_t first = chunk;
    enum probe_verdict verdict;
    for (uint64_t n = 0; chunk && n < f->listed; n++) {
        if (!look_safely(h, s, chunk, &verdict))
            return false;
        if (verdict == PROBE_TAKE)
            return true;
        chunk = heap_load64(h, block_of(chunk));
        if (chunk == first)
            return true;
    }
    return true;
}

void freelist_look_first(struct heap *h, struct search *s, unsigned bin)
{
    enum probe_verdict verdict;
    look_safely(h, s, freelist_head(h, bin), &verdict);
}

va_t freelist_search(struct heap *h, uint64_t need, uint64_t *size)
{
    const struct freelist *f = freelist_of(h);
    struct search s = {.need = need};
    EMIT(h->env, alloc_search, .policy = h->ops->name,
         .list = freelist_bin_name(h, freelist_bin(h, 0, need)), .need = need);
    if (!fit_of(h)->bins)
        freelist_turn(h, &s, 0);
    else if (f->table)
        fit_of(h)->search(h, &s);
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
