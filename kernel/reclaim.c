/* reclaim.c: evicting pages and bringing them back. Which page goes is the policy's choice
 * (policies.c); how it goes is the same for all:
 *
 *   is it dirty? ──yes──▶ write it to its slot ──▶ every entry that maps it (rmap) now names the
 *        └─────────no, and the slot still has it─▶ slot, TLBs forget ──▶ the frame is free
 */
#include "kernel/reclaim.h"

#include "kernel/file.h"
#include "kernel/pgtable.h"
#include "kernel/policies.h"
#include "kernel/rmap.h"
#include "kernel/swap.h"
#include "kernel/thp.h"
#include "kernel/tlbflush.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#define CLUSTER      32u  /* pages that direct reclaim frees at once (SWAP_CLUSTER_MAX) */
#define HOPELESS     16u  /* background runs without a page: no more (MAX_RECLAIM_RETRIES) */
#define MIN_FREE_KIB 128u /* least and most of what Linux keeps free */
#define MAX_FREE_KIB 262144u

const char *const reclaim_why_name[RECLAIM_WHYS] = {
    [RECLAIM_KSWAPD] = "background",
    [RECLAIM_DIRECT] = "direct",
    [RECLAIM_LIMIT] = "limit",
    [RECLAIM_ADVICE] = "advice",
};

/* ---- start ---- */

static uint64_t root_of(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= n)
            root |= bit;
    return root;
}

/* Linux: calculate_min_free_kbytes and __setup_per_zone_wmarks in mm/page_alloc.c. */
static void set_marks(struct kernel *k)
{
    struct reclaim *r = &k->reclaim;
    uint64_t managed = k->frames->total - k->frames->reserved;
    uint64_t kib = root_of(managed * (PAGE_SIZE / KIB) * 16);
    kib = min_u64(max_u64(kib, MIN_FREE_KIB), MAX_FREE_KIB);
    r->min = (k->config.min_free ? k->config.min_free : kib * KIB) >> PAGE_SHIFT;
    uint64_t step = max_u64(r->min / 4, managed / 1000);
    r->low = r->min + step;
    r->high = r->low + step;
}

bool reclaim_start(struct kernel *k)
{
    struct reclaim *r = &k->reclaim;
    k->swap.slots = k->config.swap_bytes >> PAGE_SHIFT;
    r->limit = k->config.frames_limit;
    for (unsigned i = 0; i < PINS; i++)
        r->pinned[i] = PFN_NONE;
    if (!k->swap.slots && !r->limit)
        return true;
    uint32_t frames = (uint32_t)k->frames->total;
    const struct reclaim_ops *ops = reclaim_table[k->config.reclaim_policy];
    r->state = arena_alloc(k->env->arena, ops->state_size(frames));
    if (!r->state)
        return false;
    ops->init(r->state, frames);
    r->ops = ops;
    if (k->swap.slots)
        set_marks(k);
    return true;
}

/* ---- who is in memory ---- */

static bool at_limit(const struct kernel *k)
{
    return k->reclaim.limit && k->counters.frames_data >= k->reclaim.limit;
}

bool reclaim_allows(const struct kernel *k, enum frame_use use, uint64_t frames)
{
    const struct reclaim *r = &k->reclaim;
    if (!r->ops || !frame_holds_page(use))
        return true;
    if (r->limit && k->counters.frames_data + frames > r->limit)
        return false;
    return k->frames->free >= r->min + frames;
}

void reclaim_resident(struct kernel *k, pfn_t pfn)
{
    struct reclaim *r = &k->reclaim;
    if (!frame_holds_page(frames_at(k->frames, pfn)->use))
        return;
    if (r->ops)
        r->ops->resident(r->state, (uint32_t)pfn, DISTANCE_NEW);
}

void reclaim_gone(struct kernel *k, pfn_t pfn)
{
    struct reclaim *r = &k->reclaim;
    if (!frame_holds_page(frames_at(k->frames, pfn)->use))
        return;
    if (r->ops)
        r->ops->gone(r->state, (uint32_t)pfn);
}

void reclaim_refault(struct kernel *k, pfn_t pfn, uint64_t distance)
{
    struct reclaim *r = &k->reclaim;
    k->counters.refaults++;
    k->counters.refault_distance += distance;
    r->ops->gone(r->state, (uint32_t)pfn);
    r->ops->resident(r->state, (uint32_t)pfn, distance);
}

/* The frame of the page at va of p, PFN_NONE: it has none of its own. */
static pfn_t page_frame(const struct kernel *k, const struct process *p, va_t va)
{
    unsigned level;
    pte_t entry = pgtable_leaf(k, p, va, &level);
    if (!pte_held(entry) || pfn_is_zero(k, pte_pfn(entry)))
        return PFN_NONE;
    return pte_pfn(entry) + (level > 1 ? va_index(va, 1) : 0);
}

bool reclaim_pinned(const struct kernel *k, pfn_t pfn)
{
    for (unsigned i = 0; i < PINS; i++)
        if (k->reclaim.pinned[i] == pfn)
            return true;
    return false;
}

void reclaim_pin_frame(struct kernel *k, pfn_t pfn)
{
    struct reclaim *r = &k->reclaim;
    if (!reclaim_pinned(k, pfn))
        r->pinned[r->pins++ % PINS] = pfn;
}

/* Without swap and limit only pages of files ever go. */
void reclaim_pin(struct kernel *k, const struct process *p, va_t va)
{
    bool may_go = k->reclaim.ops || k->frames_of[FRAME_FILE];
    pfn_t pfn = may_go ? page_frame(k, p, va) : PFN_NONE;
    if (pfn != PFN_NONE)
        reclaim_pin_frame(k, pfn);
}

void reclaim_unpin(struct kernel *k)
{
    struct reclaim *r = &k->reclaim;
    for (unsigned i = 0; i < PINS && r->pins; i++)
        r->pinned[i] = PFN_NONE;
    r->pins = 0;
}

/* ---- the lens ---- */

/* One entry that maps a frame. */
struct place {
    struct process *p;
    va_t va;
    pte_t entry;
    bool huge; /* it maps 2 MiB */
};

/* Writes the entry; the TLBs forget what it said. */
static void place_set(struct kernel *k, const struct place *at, pte_t after)
{
    unsigned level = at->huge ? 2 : 1;
    pfn_t table = pgtable_level(k, at->p, at->va, level, false);
    if (at->huge) {
        huge_set(k, at->p, table, at->va, after);
    } else {
        entry_write(k, at->p, table, va_index(at->va, 1), after);
        if (at->entry & PTE_P)
            gather_page(k, at->va);
    }
    gather_flush(k, at->p);
}

static struct place place_of(const struct kernel *k, mapping_t m)
{
    struct place at = {.p = process_find(k, mapping_pid(m)), .va = mapping_va(m)};
    unsigned level;
    at.entry = pgtable_leaf(k, at.p, at.va, &level);
    at.huge = level > 1;
    return at;
}

/* All bits of all entries that map the frame. */
static pte_t bits_of(const struct kernel *k, const struct frame *frame)
{
    pte_t bits = 0;
    mapping_t m;
    for (size_t i = 0; (m = rmap_at(frame, i)); i++)
        bits |= place_of(k, m).entry;
    return bits;
}

/* A huge page loses A as a whole.
 * NOTE: Linux does not tell the TLBs when it clears A, because a page that stays in a TLB is in use
 * anyway; here they are told, so that A says exactly whether a page was used since. */
static void clear_accessed(struct kernel *k, const struct frame *frame)
{
    mapping_t m;
    for (size_t i = 0; (m = rmap_at(frame, i)); i++) {
        struct place at = place_of(k, m);
        if (at.entry & PTE_A)
            place_set(k, &at, at.entry & ~PTE_A);
    }
}

static bool lens_accessed(void *ctx, uint32_t pfn, bool clear)
{
    struct kernel *k = ctx;
    const struct frame *frame = frames_at(k->frames, pfn);
    pte_t bits = bits_of(k, frame);
    if (!clear)
        return bits & PTE_A;
    k->counters.pages_scanned++;
    k->env->cycle += k->config.scan_cycles;
    clear_accessed(k, frame);
    EMIT(k->env, reclaim_look, .pfn = pfn, .va = frame->va, .owner = frame->pid,
         .accessed = (bits & PTE_A) != 0, .dirty = (bits & PTE_D) != 0);
    return bits & PTE_A;
}

static bool lens_dirty(void *ctx, uint32_t pfn)
{
    const struct kernel *k = ctx;
    const struct frame *frame = frames_at(k->frames, pfn);
    if (frame->use == FRAME_FILE)
        return frame->dirty;
    return !frame->slot || bits_of(k, frame) & PTE_D;
}

static bool locked(const struct kernel *k, const struct frame *frame)
{
    mapping_t m;
    for (size_t i = 0; (m = rmap_at(frame, i)); i++) {
        const struct process *p = process_find(k, mapping_pid(m));
        const struct area *a = areas_find(&p->areas, mapping_va(m));
        if (a && (a->flags & VM_LOCKED))
            return true;
    }
    return false;
}

static bool has_way_out(const struct kernel *k, const struct frame *frame)
{
    return frame->slot || frame->lazy || frame->use == FRAME_FILE || k->swap.used < k->swap.slots;
}

/* Frames that the reverse map does not know fully stay: memory was short. */
static bool lens_movable(void *ctx, uint32_t pfn)
{
    const struct kernel *k = ctx;
    const struct frame *frame = frames_at(k->frames, pfn);
    bool owned = frame->refs || frame->cached || frame->slot;
    if (frame->cached && !frame->object)
        return false;
    return owned && !reclaim_pinned(k, pfn) && rmap_count(frame) == frame->refs &&
           has_way_out(k, frame) && !locked(k, frame);
}

/* The nearest next use of any page that the frame backs. */
static uint64_t lens_next_use(void *ctx, uint32_t pfn)
{
    const struct kernel *k = ctx;
    const struct frame *frame = frames_at(k->frames, pfn);
    const struct future *f = k->reclaim.future;
    uint64_t next = UINT64_MAX;
    mapping_t m;
    for (size_t i = 0; f && (m = rmap_at(frame, i)); i++)
        next =
            min_u64(next, f->next_use(f->ctx, mapping_pid(m), mapping_va(m), k->reclaim.position));
    return next;
}

static struct reclaim_lens lens_of(struct kernel *k)
{
    return (struct reclaim_lens){.ctx = k,
                                 .accessed = lens_accessed,
                                 .dirty = lens_dirty,
                                 .movable = lens_movable,
                                 .next_use = lens_next_use,
                                 .rng = &k->env->rng};
}

/* ---- evicting one page ---- */

/* Every entry that maps the frame becomes after, and the TLBs forget. */
static void unmap_all(struct kernel *k, struct frame *frame, pte_t after)
{
    mapping_t m;
    while ((m = rmap_at(frame, 0))) {
        struct place at = place_of(k, m);
        place_set(k, &at, after);
    }
}

/* Given up by MADV_FREE and not written since: there is nothing to keep. */
static void drop_lazy(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    EMIT(k->env, page_out, .pfn = pfn, .va = frame->va, .owner = frame->pid, .slot = SWAP_NONE,
         .written = false, .used = k->swap.used);
    k->counters.pages_dropped++;
    unmap_all(k, frame, 0);
    frame_put(k, pfn);
}

/* The slot that holds the frame's page now, written where need be. SWAP_NONE: there is none. */
static uint32_t save(struct kernel *k, pfn_t pfn, bool *written)
{
    const struct frame *frame = frames_at(k->frames, pfn);
    uint64_t writes = k->counters.swap_writes;
    uint32_t slot = frame->slot ? frame->slot - 1 : swap_take(k);
    if (slot == SWAP_NONE)
        return SWAP_NONE;
    bool dirty = !k->config.bug.lost_dirty && bits_of(k, frame) & PTE_D;
    bool stale = !frame->slot || dirty;
    if (stale && !swap_write(k, slot, pfn)) {
        swap_release(k, slot);
        return SWAP_NONE;
    }
    *written = k->counters.swap_writes > writes;
    return slot;
}

/* Only single pages go: a huge page that maps the frame is split before. */
static void split_all(struct kernel *k, const struct frame *frame)
{
    mapping_t m;
    for (size_t i = 0; (m = rmap_at(frame, i));) {
        struct place at = place_of(k, m);
        if (at.huge)
            huge_split(k, at.p, at.va);
        i = at.huge ? 0 : i + 1;
    }
}

bool reclaim_file_page(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    bool written = frame->dirty;
    if (!lens_movable(k, (uint32_t)pfn) || (written && !page_write_back(k, pfn)))
        return false;
    EMIT(k->env, file_drop, .pfn = pfn, .file = frame_inode(frame)->cache->number,
         .page = frame->index, .written = written);
    k->reclaim.age++;
    k->counters.pages_evicted++;
    k->counters.pages_clean += !written;
    unmap_all(k, frame, 0);
    filemap_remove(k, pfn);
    return true;
}

/* false: the page is still there. */
static bool evict(struct kernel *k, pfn_t pfn)
{
    struct frame *frame = frames_at(k->frames, pfn);
    bool written = false;
    if (frame->use == FRAME_FILE)
        return reclaim_file_page(k, pfn);
    split_all(k, frame);
    if (frame->lazy && !(bits_of(k, frame) & PTE_D)) {
        drop_lazy(k, pfn);
        return true;
    }
    uint32_t slot = save(k, pfn, &written);
    if (slot == SWAP_NONE)
        return false;
    swap_note(k, slot, k->reclaim.age++);
    k->counters.pages_evicted++;
    k->counters.pages_clean += !written;
    EMIT(k->env, page_out, .pfn = pfn, .va = frame->va, .owner = frame->pid, .slot = slot,
         .written = written, .used = k->swap.used);
    if (frame->object) {
        unmap_all(k, frame, 0);
        object_swap_out(frame->object, frame->index, slot);
    } else {
        unmap_all(k, frame, pte_swap(slot));
    }
    frame_put(k, pfn);
    return true;
}

/* ---- runs ---- */

static uint64_t run(struct kernel *k, uint64_t target, enum reclaim_why why)
{
    struct reclaim *r = &k->reclaim;
    struct reclaim_lens lens = lens_of(k);
    uint64_t freed = 0, scanned = k->counters.pages_scanned;
    k->counters.reclaim_runs[why]++;
    EMIT(k->env, reclaim_begin, .why = why, .target = target, .free = k->frames->free);
    while (freed < target) {
        uint32_t pfn = r->ops->pick(r->state, &lens);
        if (pfn == RECLAIM_NONE || !evict(k, pfn))
            break;
        freed++;
    }
    k->counters.pages_freed_by[why] += freed;
    k->counters.pages_scanned_by[why] += k->counters.pages_scanned - scanned;
    r->failures = freed ? 0 : r->failures + 1;
    EMIT(k->env, reclaim_end, .why = why, .freed = freed, .free = k->frames->free);
    return freed;
}

bool reclaim_direct(struct kernel *k)
{
    if (!k->reclaim.ops)
        return filemap_shrink(k, CLUSTER);
    if (at_limit(k))
        return run(k, k->counters.frames_data - k->reclaim.limit + 1, RECLAIM_LIMIT);
    return run(k, CLUSTER, RECLAIM_DIRECT);
}

void reclaim_background(struct kernel *k)
{
    const struct reclaim *r = &k->reclaim;
    if (!r->ops || k->frames->free >= r->low || r->failures >= HOPELESS)
        return;
    cycles_t start = k->env->cycle;
    run(k, r->high - k->frames->free, RECLAIM_KSWAPD);
    k->counters.cycles_reclaim += k->env->cycle - start;
}

/* ---- advice ---- */

void reclaim_pageout(struct kernel *k, struct process *p, va_t va)
{
    pfn_t pfn = page_frame(k, p, va);
    if (pfn == PFN_NONE || frames_at(k->frames, pfn)->refs != 1 ||
        !lens_movable(k, (uint32_t)pfn) ||
        (!k->reclaim.ops && frames_at(k->frames, pfn)->use != FRAME_FILE))
        return;
    k->counters.pages_freed_by[RECLAIM_ADVICE] += evict(k, pfn);
}

void reclaim_cold(struct kernel *k, struct process *p, va_t va)
{
    const struct reclaim *r = &k->reclaim;
    pfn_t pfn = page_frame(k, p, va);
    if (!r->ops || pfn == PFN_NONE || frames_at(k->frames, pfn)->refs != 1)
        return;
    clear_accessed(k, frames_at(k->frames, pfn));
    if (r->ops->cold)
        r->ops->cold(r->state, (uint32_t)pfn);
}

/* ---- bringing back ---- */

pfn_t reclaim_read(struct kernel *k, uint16_t pid, va_t va, uint32_t slot, enum frame_use use)
{
    pfn_t pfn = frame_get(k, use, pid, va);
    if (pfn == PFN_NONE)
        return PFN_NONE;
    swap_read(k, slot, pfn);
    uint64_t distance = k->reclaim.age - swap_noted(k, slot) - 1;
    EMIT(k->env, swap_in, .pfn = pfn, .va = va, .slot = slot, .distance = distance);
    reclaim_refault(k, pfn, distance);
    return pfn;
}

enum page_in reclaim_swap_in(struct kernel *k, struct process *p, struct area *a, pfn_t table,
                             va_t va, pte_t entry, bool write)
{
    uint32_t slot = pte_swap_slot(entry);
    pfn_t pfn = swap_cached(k, slot);
    bool read = pfn == PFN_NONE;
    if (read) {
        pfn = reclaim_read(k, p->pid, va, slot, FRAME_ANON);
        if (pfn == PFN_NONE)
            return PAGE_NO_MEMORY;
        swap_cache(k, slot, pfn);
    }
    struct frame *frame = frames_at(k->frames, pfn);
    bool sole = frame->refs == 0 && swap_refs(k, slot) == 1;
    pgtable_set(k, p, table, va, pte_make(pfn, area_pte(a, sole)));
    frame->alone = sole;
    /* What is about to be written, or locked, has no use for its copy; nor has a full device. */
    if (swap_refs(k, slot) == 0 && (write || (a->flags & VM_LOCKED) || swap_tight(k)))
        swap_uncache(k, pfn);
    return read ? PAGE_READ_IN : PAGE_MADE;
}

void reclaim_willneed(struct kernel *k, struct process *p, va_t va)
{
    pfn_t table;
    pte_t entry = pgtable_get(k, p, va, &table);
    if (!pte_swapped(entry) || swap_cached(k, pte_swap_slot(entry)) != PFN_NONE)
        return;
    pfn_t pfn = reclaim_read(k, p->pid, va, pte_swap_slot(entry), FRAME_ANON);
    if (pfn != PFN_NONE)
        swap_cache(k, pte_swap_slot(entry), pfn);
}

/* ---- the program's accesses ---- */

bool kernel_hears(const struct kernel *k)
{
    return k->reclaim.ops || k->reclaim.watch;
}

void kernel_watch(struct kernel *k, void (*watch)(void *ctx, uint16_t pid, va_t page), void *ctx)
{
    k->reclaim.watch = watch;
    k->reclaim.watch_ctx = ctx;
}

void kernel_foresee(struct kernel *k, const struct future *future)
{
    k->reclaim.future = future;
}

bool kernel_needs_future(const struct kernel_config *c)
{
    return (c->swap_bytes || c->frames_limit) && reclaim_table[c->reclaim_policy]->future;
}

bool kernel_surprised(const struct kernel *k)
{
    return k->reclaim.surprised;
}

/* Uses of one page one after the other are one reference: no policy could tell them apart. */
static void refer(struct kernel *k, const struct process *p, va_t page)
{
    struct reclaim *r = &k->reclaim;
    mapping_t now = mapping_make(p->pid, page);
    if (r->last == now)
        return;
    r->last = now;
    r->position++;
    if (r->watch)
        r->watch(r->watch_ctx, p->pid, page);
    if (!r->ops)
        return;
    if (r->future && !r->future->agrees(r->future->ctx, p->pid, page, r->position))
        r->surprised = true;
    pfn_t pfn = r->ops->used ? page_frame(k, p, page) : PFN_NONE;
    if (pfn != PFN_NONE && frame_holds_page(frames_at(k->frames, pfn)->use))
        r->ops->used(r->state, (uint32_t)pfn);
    if (r->ops->tick && r->position % k->config.reclaim_tick == 0) {
        struct reclaim_lens lens = lens_of(k);
        r->ops->tick(r->state, &lens);
    }
}

void kernel_used(struct kernel *k, struct cpu *cpu, va_t va, size_t n)
{
    const struct process *p = process_running(cpu);
    if (!p)
        return;
    for (va_t page = align_down(va, PAGE_SIZE); page < va + n; page += PAGE_SIZE)
        refer(k, p, page);
    reclaim_unpin(k);
}
