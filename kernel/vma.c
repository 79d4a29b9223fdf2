/* vma.c: areas: finding, placing, splitting, merging. Linux: mm/vma.c, whose rules on what may be
 * joined are followed one by one, since a process can count its areas.
 */
#include "kernel/vma.h"

#include "kernel/limits.h"
#include "kernel/object.h"
#include "kernel/process.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

/* ---- the list ---- */

static bool list_grow(struct env *env, struct areas *s, size_t need)
{
    size_t capacity = max_u64(16, s->capacity * 2);
    while (capacity < need)
        capacity *= 2;
    struct area **at = arena_resize(env->arena, s->at, s->capacity * sizeof(struct area *),
                                    capacity * sizeof(struct area *));
    if (!at)
        return false;
    s->at = at;
    s->capacity = capacity;
    return true;
}

bool areas_reserve(struct env *env, struct areas *s, size_t n)
{
    CHECK(n <= AREA_SPARES);
    if (s->count + n > s->capacity && !list_grow(env, s, s->count + n))
        return false;
    while (s->spares < n) {
        struct area *a = arena_alloc(env->arena, sizeof(*a));
        if (!a)
            return false;
        s->spare[s->spares++] = a;
    }
    return true;
}

void areas_drop(struct env *env, struct areas *s)
{
    CHECK(s->count == 0);
    while (s->spares)
        arena_free(env->arena, s->spare[--s->spares], sizeof(struct area));
    arena_free(env->arena, s->at, s->capacity * sizeof(struct area *));
    *s = (struct areas){0};
}

size_t areas_index(const struct areas *s, va_t va)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->at[middle]->end > va)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct area *areas_first(const struct areas *s, va_t start, va_t end)
{
    struct area *a = areas_at(s, areas_index(s, start));
    return a && a->start < end ? a : NULL;
}

struct area *areas_find(const struct areas *s, va_t va)
{
    return areas_first(s, va, va + 1);
}

/* ---- what an area looks like ---- */

va_t area_start_gap(const struct area *a)
{
    if (!(a->flags & VM_GROWSDOWN))
        return a->start;
    return a->start > STACK_GUARD ? a->start - STACK_GUARD : 0;
}

uint32_t area_map_flags(const struct area *a)
{
    static const struct {
        uint32_t vm, map;
    } pairs[] = {
        {VM_GROWSDOWN, LX_MAP_GROWSDOWN},
        {VM_LOCKED, LX_MAP_LOCKED},
        {VM_NORESERVE, LX_MAP_NORESERVE},
    };
    uint32_t flags = a->flags & VM_SHARED ? LX_MAP_SHARED : LX_MAP_PRIVATE;
    if (!a->file)
        flags |= LX_MAP_ANONYMOUS;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (a->flags & pairs[i].vm)
            flags |= pairs[i].map;
    return flags;
}

const char *area_name(const struct process *p, const struct area *a)
{
    if (a->file)
        return a->file->path;
    if (a->flags & VM_SHARED)
        return "/dev/zero (deleted)";
    if (a->start < p->brk && a->end > p->heap_start)
        return "[heap]";
    if (a->start < p->stack_top && a->end >= p->stack_top)
        return "[stack]";
    return "";
}

/* ---- single changes, each with its event ---- */

static void count_pages(struct process *p, const struct area *a, uint64_t sign)
{
    p->pages += sign * area_pages(a);
    p->data += area_is_data(a->flags) ? sign * area_pages(a) : 0;
    p->charged += a->flags & VM_ACCOUNT ? sign * area_pages(a) : 0;
    p->pages_peak = max_u64(p->pages_peak, p->pages);
    if (a->flags & VM_LOCKED)
        p->locked += sign * area_pages(a);
}

static void insert(struct env *env, struct process *p, size_t i, const struct area *wanted)
{
    struct areas *s = &p->areas;
    CHECK(s->count < s->capacity && s->spares);
    struct area *a = s->spare[--s->spares];
    *a = *wanted;
    memmove(s->at + i + 1, s->at + i, (s->count - i) * sizeof(struct area *));
    s->at[i] = a;
    s->count++;
    count_pages(p, a, 1);
    EMIT(env, area_new, .start = a->start, .end = a->end, .prot = a->flags & VM_ACCESS,
         .flags = area_map_flags(a), .name = area_name(p, a));
}

/* Its memory first becomes a spare, so that a call can remove and add without running out. */
static void take_out(struct env *env, struct process *p, size_t i)
{
    struct areas *s = &p->areas;
    struct area *a = s->at[i];
    struct area old = *a;
    count_pages(p, a, UINT64_MAX);
    s->count--;
    memmove(s->at + i, s->at + i + 1, (s->count - i) * sizeof(struct area *));
    if (s->spares < AREA_SPARES)
        s->spare[s->spares++] = a;
    else
        arena_free(env->arena, a, sizeof(*a));
    EMIT(env, area_gone, .start = old.start, .end = old.end);
}

/* New borders and flags; the page number of the first page follows. */
static void change(struct env *env, struct process *p, struct area *a, va_t start, va_t end,
                   uint32_t flags)
{
    struct area old = *a;
    if (start == old.start && end == old.end && flags == old.flags)
        return;
    count_pages(p, a, UINT64_MAX);
    a->pgoff += (uint64_t)((int64_t)(start - old.start) / (int64_t)PAGE_SIZE);
    a->start = start;
    a->end = end;
    a->flags = flags;
    count_pages(p, a, 1);
    EMIT(env, area_change, .old_start = old.start, .old_end = old.end, .start = start, .end = end,
         .prot = flags & VM_ACCESS, .flags = area_map_flags(a));
}

void area_split(struct env *env, struct process *p, struct area *a, va_t va)
{
    INVARIANT(a->start < va && va < a->end);
    struct area upper = *a;
    upper.start = va;
    upper.pgoff += (va - a->start) >> PAGE_SHIFT;
    if (upper.object)
        object_hold(upper.object);
    size_t i = areas_index(&p->areas, a->start);
    change(env, p, a, a->start, va, a->flags);
    insert(env, p, i + 1, &upper);
}

/* ---- who may join whom ---- */

/* is_mergeable_vma: all but the anonymous identity; b begins where a ends. */
static bool alike(const struct area *a, const struct area *b)
{
    return a->end == b->start && a->flags == b->flags && a->file == b->file &&
           a->object == b->object && b->pgoff == a->pgoff + area_pages(a);
}

/* May an area with identity anon become part of target? */
static bool anon_joins(uint64_t anon, bool inherited, const struct area *target)
{
    if (!target->anon && anon)
        return !inherited;
    if (target->anon && !anon)
        return !target->inherited;
    return target->anon == anon;
}

static bool joins_lower(const struct area *lower, const struct area *a)
{
    return lower && alike(lower, a) && anon_joins(a->anon, a->inherited, lower);
}

static bool joins_upper(const struct area *a, const struct area *upper)
{
    return upper && alike(a, upper) && anon_joins(a->anon, a->inherited, upper);
}

static bool anons_compatible(const struct area *a, const struct area *b)
{
    return !a->anon || !b->anon || a->anon == b->anon;
}

static void take_anon(struct area *target, const struct area *from)
{
    if (target->anon || !from->anon)
        return;
    target->anon = from->anon;
    target->inherited = from->inherited;
}

/* Area i + 1 becomes part of area i, which then ends at its end. */
static struct area *absorb_next(struct env *env, struct process *p, size_t i)
{
    struct area *a = p->areas.at[i];
    struct area next = *p->areas.at[i + 1];
    take_anon(a, &next);
    take_out(env, p, i + 1);
    object_put(next.object);
    change(env, p, a, a->start, next.end, a->flags);
    return a;
}

struct area *area_add(struct env *env, struct process *p, const struct area *wanted, enum join join)
{
    size_t i = areas_index(&p->areas, wanted->start);
    struct area *lower = i ? p->areas.at[i - 1] : NULL;
    struct area *upper = areas_at(&p->areas, i);
    bool down = join != JOIN_NONE && joins_lower(lower, wanted);
    bool up = join == JOIN_BOTH && joins_upper(wanted, upper) &&
              (!down || anons_compatible(lower, upper));
    if (!down && !up) {
        insert(env, p, i, wanted);
        return p->areas.at[i];
    }
    struct area *target = down ? lower : upper;
    take_anon(target, wanted);
    object_put(wanted->object);
    if (!down) {
        change(env, p, upper, wanted->start, upper->end, upper->flags);
        return upper;
    }
    if (up)
        return absorb_next(env, p, i - 1);
    change(env, p, lower, lower->start, wanted->end, lower->flags);
    return lower;
}

/* ---- changing the flags of a part ---- */

/* Area i gives [its start, va) to the one below, which can take it. */
static struct area *give_lower(struct env *env, struct process *p, size_t i, va_t va)
{
    struct area *lower = p->areas.at[i - 1], *a = p->areas.at[i];
    take_anon(lower, a);
    if (va == a->end)
        return absorb_next(env, p, i - 1);
    change(env, p, a, va, a->end, a->flags);
    change(env, p, lower, lower->start, va, lower->flags);
    return lower;
}

/* Area i gives [va, its end) to the one above, which can take it. */
static struct area *give_upper(struct env *env, struct process *p, size_t i, va_t va)
{
    struct area *a = p->areas.at[i], *upper = p->areas.at[i + 1];
    take_anon(upper, a);
    if (va == a->start) {
        struct area old = *a;
        take_out(env, p, i);
        object_put(old.object);
    } else {
        change(env, p, a, a->start, va, a->flags);
    }
    change(env, p, upper, va, upper->end, upper->flags);
    return upper;
}

/* Cuts [start, end) out of area as one of its own. NULL: too many areas. */
static struct area *isolate(struct env *env, struct process *p, struct area *a, va_t start,
                            va_t end, uint64_t limit)
{
    if (start > a->start) {
        if (p->areas.count >= limit)
            return NULL;
        area_split(env, p, a, start);
        a = areas_find(&p->areas, start);
    }
    if (end < a->end) {
        if (p->areas.count >= limit)
            return NULL;
        area_split(env, p, a, end);
    }
    return a;
}

/* Linux: vma_modify and vma_merge_existing_range. */
struct area *area_modify(struct env *env, struct process *p, struct area *a, va_t start, va_t end,
                         uint32_t flags, uint64_t limit)
{
    size_t i = areas_index(&p->areas, a->start);
    struct area part = *a;
    part.start = start;
    part.end = end;
    part.pgoff += (start - a->start) >> PAGE_SHIFT;
    part.flags = flags;
    struct area *lower = i && start == a->start ? p->areas.at[i - 1] : NULL;
    struct area *upper = end == a->end ? areas_at(&p->areas, i + 1) : NULL;
    bool down = joins_lower(lower, &part);
    bool up = joins_upper(&part, upper) && (!down || anons_compatible(lower, upper));
    if (down) {
        struct area *joined = give_lower(env, p, i, end);
        return up ? absorb_next(env, p, i - 1) : joined;
    }
    if (up)
        return give_upper(env, p, i, start);
    a = isolate(env, p, a, start, end, limit);
    if (a)
        change(env, p, a, start, end, flags);
    return a;
}

/* ---- taking away, growing ---- */

/* What is left of area i when [start, end) goes. */
static void cut(struct env *env, struct process *p, size_t i, va_t start, va_t end)
{
    struct area *a = p->areas.at[i];
    if (start > a->start && end < a->end) {
        area_split(env, p, a, end);
        change(env, p, a, a->start, start, a->flags);
    } else if (start > a->start) {
        change(env, p, a, a->start, start, a->flags);
    } else if (end < a->end) {
        change(env, p, a, end, a->end, a->flags);
    } else {
        struct object *object = a->object;
        take_out(env, p, i);
        object_put(object);
    }
}

void area_remove_range(struct env *env, struct process *p, va_t start, va_t end)
{
    size_t first = areas_index(&p->areas, start);
    size_t i = areas_index(&p->areas, end - 1);
    if (i < p->areas.count && p->areas.at[i]->start < end)
        i++;
    while (i > first)
        cut(env, p, --i, start, end); /* from the top: less to move in the array */
}

void area_set_flags(struct env *env, struct process *p, struct area *a, uint32_t flags)
{
    change(env, p, a, a->start, a->end, flags);
}

void area_grow_down(struct env *env, struct process *p, struct area *a, va_t start)
{
    change(env, p, a, start, a->end, a->flags);
}

struct area *area_grow_up(struct env *env, struct process *p, struct area *a, va_t end)
{
    size_t i = areas_index(&p->areas, a->start);
    struct area *upper = areas_at(&p->areas, i + 1);
    struct area grown = *a;
    grown.end = end;
    bool up = joins_upper(&grown, upper);
    change(env, p, a, a->start, end, a->flags);
    return up ? absorb_next(env, p, i) : a;
}

/* ---- anonymous identity ---- */

/* anon_vma_compatible: alike apart from access rights. */
static bool could_join(const struct area *a, const struct area *b)
{
    return a->end == b->start && !((a->flags ^ b->flags) & ~VM_ACCESS) && a->file == b->file &&
           b->pgoff == a->pgoff + area_pages(a);
}

void area_own_anon(const struct process *p, struct area *a, uint64_t *next)
{
    if (a->anon)
        return;
    size_t i = areas_index(&p->areas, a->start);
    const struct area *upper = areas_at(&p->areas, i + 1);
    const struct area *lower = i ? p->areas.at[i - 1] : NULL;
    if (upper && upper->anon && !upper->inherited && could_join(a, upper))
        a->anon = upper->anon;
    else if (lower && lower->anon && !lower->inherited && could_join(lower, a))
        a->anon = lower->anon;
    else
        a->anon = (*next)++;
}

/* ---- placement ---- */

/* The highest hole of this length below top, whatever gap the area above it wants; *above is that
 * area. 0: none. */
static va_t hole_below(const struct areas *s, uint64_t length, va_t top, size_t *above,
                       va_t *hole_start, va_t *hole_end)
{
    size_t i = areas_index(s, top);
    va_t end = i < s->count ? min_u64(top, s->at[i]->start) : top;
    while (true) {
        va_t start = i ? max_u64(s->at[i - 1]->end, MMAP_MIN) : MMAP_MIN;
        if (end > start && end - start >= length) {
            *above = i;
            *hole_start = start;
            *hole_end = end;
            return end - length;
        }
        if (i == 0)
            return 0;
        i--;
        end = s->at[i]->start;
    }
}

/* Linux: unmapped_area_topdown. A hole that reaches into a stack's gap is looked at again with the
 * gap as its end, and everything above that is out of the search then. */
va_t areas_hole(const struct areas *s, uint64_t length, va_t top, va_t *hole_start, va_t *hole_end)
{
    while (true) {
        size_t above = 0;
        va_t at = hole_below(s, length, top, &above, hole_start, hole_end);
        const struct area *next = areas_at(s, above);
        if (!at || !next || area_start_gap(next) >= *hole_end)
            return at;
        top = area_start_gap(next);
    }
}

va_t areas_hole_up(const struct areas *s, uint64_t length, va_t low, va_t high)
{
    for (size_t i = areas_index(s, low); low < high && high - low >= length; i++) {
        const struct area *next = areas_at(s, i);
        va_t end = next ? min_u64(area_start_gap(next), high) : high;
        if (end > low && end - low >= length)
            return low;
        if (!next)
            return 0;
        low = next->end;
    }
    return 0;
}
