/* future.c: the references of a whole trace, page by page. The addresses that a program uses do not
 * depend on which of its pages are in memory, so they are found by a run that never has to evict.
 */
#include "sim/future.h"

#include "sim/state.h"

#include <stdlib.h>
#include <uthash.h>

/* The references of one page: their numbers, ascending. */
struct page_uses {
    uint64_t page; /* page number << 16 | pid */
    uint32_t *at;
    size_t count, room;
    UT_hash_handle hh;
};

struct foresight {
    struct future future;
    struct page_uses *pages; /* a uthash */
    uint64_t count;
    bool no_memory;
};

static uint64_t key_of(uint16_t pid, va_t page)
{
    return page >> PAGE_SHIFT << 16 | pid;
}

static struct page_uses *find(const struct foresight *f, uint16_t pid, va_t page)
{
    struct page_uses *uses;
    uint64_t key = key_of(pid, page);
    HASH_FIND(hh, f->pages, &key, sizeof(key), uses);
    return uses;
}

static bool room_for_one(struct page_uses *uses)
{
    if (uses->count < uses->room)
        return true;
    size_t room = uses->room ? 2 * uses->room : 4;
    uint32_t *at = realloc(uses->at, room * sizeof(*at));
    if (!at)
        return false;
    uses->at = at;
    uses->room = room;
    return true;
}

static void note(void *ctx, uint16_t pid, va_t page)
{
    struct foresight *f = ctx;
    struct page_uses *uses = find(f, pid, page);
    f->count++;
    if (!uses && (uses = calloc(1, sizeof(*uses)))) {
        uses->page = key_of(pid, page);
        HASH_ADD(hh, f->pages, page, sizeof(uses->page), uses);
    }
    if (!uses || f->count > UINT32_MAX || !room_for_one(uses))
        f->no_memory = true;
    else
        uses->at[uses->count++] = (uint32_t)f->count;
}

/* The first use with a number above after; count: none. */
static size_t first_above(const struct page_uses *uses, uint64_t after)
{
    size_t low = 0, high = uses->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (uses->at[middle] > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static uint64_t next_use(void *ctx, uint16_t pid, va_t page, uint64_t done)
{
    const struct page_uses *uses = find(ctx, pid, page);
    size_t i = uses ? first_above(uses, done) : 0;
    return uses && i < uses->count ? uses->at[i] - done - 1 : UINT64_MAX;
}

static bool agrees(void *ctx, uint16_t pid, va_t page, uint64_t number)
{
    const struct page_uses *uses = find(ctx, pid, page);
    size_t i = uses ? first_above(uses, number - 1) : 0;
    return uses && i < uses->count && uses->at[i] == number;
}

/* The same machine, but with memory for everything, which its programs must not notice. */
static struct config roomy(const struct config *config)
{
    struct config c = *config;
    if (!c.kernel.ram_claim)
        c.kernel.ram_claim = c.ram_bytes;
    c.ram_bytes += align_up(c.kernel.swap_bytes, PAGE_SIZE);
    c.kernel.swap_bytes = 0;
    c.kernel.frames_limit = 0;
    return c;
}

static enum err run(struct foresight *f, const struct sim_options *options, struct error *e)
{
    struct sim *s;
    enum err err = sim_open(&s, options, e);
    if (err)
        return err;
    kernel_watch(s->m->kernel, note, f);
    machine_hears(s->m);
    int more;
    while ((more = sim_step(s, e)) == 1 && !f->no_memory)
        ;
    if (more < 0)
        err = e->code ? e->code : ERR_VALUE;
    if (f->no_memory)
        err = error_set(e, ERR_LIMIT, NULL, 0, "reclaim.policy",
                        "opt: no host memory for all references of the trace");
    if (!err && kernel_counters(s->m->kernel)->oom_kills)
        err = error_set(e, ERR_LIMIT, NULL, 0, "ram",
                        "opt: the run that finds the references needs more memory than ram and "
                        "swap together");
    sim_close(s);
    return err;
}

enum err future_read(struct foresight **out, const struct config *config, const struct trace *trace,
                     struct error *e)
{
    struct config c = roomy(config);
    struct sim_options options = {.config = &c, .trace = trace};
    struct foresight *f = calloc(1, sizeof(*f));
    *out = NULL;
    if (!f)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory");
    f->future = (struct future){.ctx = f, .next_use = next_use, .agrees = agrees};
    enum err err = run(f, &options, e);
    if (err) {
        future_free(f);
        return err;
    }
    *out = f;
    return ERR_NONE;
}

void future_free(struct foresight *f)
{
    if (!f)
        return;
    struct page_uses *uses = f->pages;
    HASH_CLEAR(hh, f->pages);
    while (uses) {
        struct page_uses *next = uses->hh.next;
        free(uses->at);
        free(uses);
        uses = next;
    }
    free(f);
}

const struct future *future_of(const struct foresight *f)
{
    return &f->future;
}
