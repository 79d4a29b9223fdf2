/* mremap.c: resizing and moving mappings, in the order of Linux's mm/mremap.c (since 6.17). */
#include "kernel/object.h"
#include "kernel/pgtable.h"
#include "kernel/syscalls.h"
#include "kernel/trap.h"
#include "sim/base/check.h"

/* One request; the lengths are whole pages. */
struct remap {
    struct kernel *k;
    struct process *p;
    va_t from;
    uint64_t old, new;
    uint64_t flags;
    va_t to; /* asked for, or found */
};

static bool names_address(const struct remap *r)
{
    return r->flags & (LX_MREMAP_FIXED | LX_MREMAP_DONTUNMAP);
}

static bool overlaps(const struct remap *r)
{
    return r->to + r->new > r->from && r->from + r->old > r->to;
}

/* check_mremap_params: what is wrong whatever is mapped. */
static int64_t remap_params(const struct remap *r)
{
    const uint64_t known = LX_MREMAP_MAYMOVE | LX_MREMAP_FIXED | LX_MREMAP_DONTUNMAP;
    if ((r->flags & ~known) || (r->from & PAGE_MASK) || !r->new || r->new > TASK_SIZE)
        return -LX_EINVAL;
    if (!names_address(r))
        return 0;
    if (r->to > TASK_SIZE - r->new || (r->to & PAGE_MASK) || !(r->flags & LX_MREMAP_MAYMOVE))
        return -LX_EINVAL;
    if (((r->flags & LX_MREMAP_DONTUNMAP) && r->old != r->new) || overlaps(r))
        return -LX_EINVAL;
    return r->p->areas.count + 2 >= r->k->config.max_areas - 3 ? -LX_ENOMEM : 0;
}

/* check_prep_vma: may this area be grown or moved? */
static int64_t remap_area_check(const struct remap *r, const struct area *a)
{
    if (!a)
        return -LX_EFAULT;
    if (!names_address(r) && r->new <= r->old)
        return 0;
    if (!r->old && !(a->flags & VM_SHARED))
        return -LX_EINVAL;
    if ((r->new < r->old ? r->new : r->old) > a->end - r->from) /* what is cut off may lie beyond */
        return -LX_EFAULT;
    if (r->new > r->old && !memory_lockable(r->k, r->p, a->flags, r->new - r->old))
        return -LX_EAGAIN;
    return 0;
}

static bool remap_charge(const struct remap *r, const struct area *a)
{
    uint64_t grows = names_address(r) && (r->flags & LX_MREMAP_DONTUNMAP)
                         ? r->new
                         : r->new - min_u64(r->new, r->old);
    if (!memory_expandable(r->p, a->flags, grows >> PAGE_SHIFT))
        return false;
    if (!(a->flags & VM_ACCOUNT))
        return true;
    uint64_t bytes = r->flags & LX_MREMAP_DONTUNMAP ? r->new : r->new - min_u64(r->new, r->old);
    return memory_enough(r->k, bytes);
}

/* copy_vma: the area at the new place; it may join neighbours there. */
static struct area *remap_copy(struct remap *r, const struct area *a)
{
    struct area wanted = *a;
    wanted.pgoff += (r->from - a->start) >> PAGE_SHIFT;
    wanted.start = r->to;
    wanted.end = r->to + r->new;
    /* Memory that was never written has nothing that points back to its page numbers. */
    if (!a->anon && !a->file && !a->object)
        wanted.pgoff = r->to >> PAGE_SHIFT;
    if (wanted.object)
        object_hold(wanted.object);
    return area_add(r->k->env, r->p, &wanted, JOIN_BOTH);
}

/* dontunmap_complete: the old range stays, empty and unlocked. */
static void remap_leave(struct remap *r)
{
    struct area *a = areas_find(&r->p->areas, r->from);
    if (a->start == r->from && a->end == r->from + r->old) {
        a->anon = 0;
        a->inherited = false;
    }
    if (a->flags & VM_LOCKED)
        r->p->locked_for_ever += area_pages(a);
    area_set_flags(r->k->env, r->p, a, a->flags & ~VM_LOCKED);
}

/* move_vma. */
static int64_t remap_move(struct remap *r, struct area *a)
{
    struct kernel *k = r->k;
    struct process *p = r->p;
    if (p->areas.count >= k->config.max_areas - 3 || !remap_charge(r, a))
        return -LX_ENOMEM;
    if (!areas_reserve(k->env, &p->areas, 2))
        return -LX_ENOMEM;
    remap_copy(r, a);
    uint64_t done = pgtable_move(k, p, r->from, r->to, r->old);
    if (done < r->old) { /* no memory for tables: put back what was moved */
        pgtable_move(k, p, r->to, r->from, done);
        unmap(k, p, r->to, r->to + r->new);
        return -LX_ENOMEM;
    }
    if (r->flags & LX_MREMAP_DONTUNMAP)
        remap_leave(r);
    else if (r->old)
        unmap(k, p, r->from, r->from + r->old);
    return (int64_t)r->to;
}

static int64_t remap_place(struct remap *r, const struct area *a)
{
    int64_t at = place(r->k, r->p, names_address(r) ? r->to : 0, r->new, r->flags & LX_MREMAP_FIXED,
                       a->flags & VM_SHARED);
    if (at >= 0)
        r->to = (va_t)at;
    return at;
}

/* mremap_to: to a given address, or anywhere with the old range left in place. */
static int64_t remap_to(struct remap *r)
{
    if (!areas_reserve(r->k->env, &r->p->areas, 3))
        return -LX_ENOMEM;
    if (r->flags & LX_MREMAP_FIXED) {
        int gone = unmap(r->k, r->p, r->to, r->to + r->new);
        if (gone)
            return gone;
    }
    if (r->new < r->old) {
        unmap(r->k, r->p, r->from + r->new, r->from + r->old);
        r->old = r->new;
    }
    struct area *a = areas_find(&r->p->areas, r->from);
    if (!a)
        return -LX_EFAULT;
    int64_t at = remap_place(r, a);
    return at < 0 ? at : remap_move(r, a);
}

/* Pages that were added to locked memory are brought in at once. */
static void remap_populate(const struct remap *r, va_t start, bool locked)
{
    if (locked && r->new > r->old)
        populate(r->k, r->p, start + r->old, start + r->new, true);
}

/* expand_vma. */
static int64_t remap_grow(struct remap *r, struct area *a)
{
    va_t end = r->from + r->old, wanted = r->from + r->new;
    if (a->end == end && r->old && wanted <= TASK_SIZE && !areas_first(&r->p->areas, end, wanted)) {
        if (!remap_charge(r, a))
            return -LX_ENOMEM;
        area_grow_up(r->k->env, r->p, a, wanted);
        return (int64_t)r->from;
    }
    if (!(r->flags & LX_MREMAP_MAYMOVE))
        return -LX_ENOMEM;
    int64_t at = remap_place(r, a);
    return at < 0 ? at : remap_move(r, a);
}

static int64_t remap_shrink(const struct remap *r)
{
    if (r->old > TASK_SIZE - r->from)
        return -LX_EINVAL;
    return unmap(r->k, r->p, r->from + r->new, r->from + r->old);
}

/* One area, or shrinking, which may cut across several. */
static int64_t remap_one(struct remap *r)
{
    struct area *a = areas_find(&r->p->areas, r->from);
    int64_t result = remap_area_check(r, a);
    if (result < 0)
        return result;
    bool locked = a->flags & VM_LOCKED;
    if (!areas_reserve(r->k->env, &r->p->areas, 2))
        return -LX_ENOMEM;
    if (names_address(r))
        result = remap_to(r);
    else if (r->new > r->old)
        result = remap_grow(r, a);
    else if (r->new < r->old)
        result = remap_shrink(r);
    if (result < 0)
        return result;
    va_t start = names_address(r) || r->new > r->old ? (va_t)result : r->from;
    remap_populate(r, start, locked);
    return (int64_t)start;
}

/* remap_move: FIXED without a change of size moves every area of the range, holes kept. */
static int64_t remap_many(const struct remap *all)
{
    va_t at = all->from, end = all->from + all->old;
    int64_t result = -LX_EFAULT;
    const struct area *a;
    while (at < end && (a = areas_first(&all->p->areas, at, end))) {
        struct remap piece = *all;
        if (at == all->from && a->start > at)
            return -LX_EFAULT;
        piece.from = max_u64(a->start, at);
        piece.old = piece.new = min_u64(a->end, end) - piece.from;
        piece.to = all->to + (piece.from - all->from);
        at = piece.from + piece.old;
        result = remap_one(&piece);
        if (result < 0)
            return result;
    }
    return result < 0 ? result : (int64_t)all->to;
}

int64_t sys_mremap(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    struct remap r = {.k = k,
                      .p = p,
                      .from = arg[0],
                      .old = align_up(arg[1], PAGE_SIZE),
                      .new = align_up(arg[2], PAGE_SIZE),
                      .flags = arg[3],
                      .to = arg[4]};
    int64_t result = remap_params(&r);
    if (result < 0)
        return result;
    if ((r.flags & LX_MREMAP_FIXED) && r.old == r.new)
        return remap_many(&r);
    return remap_one(&r);
}
