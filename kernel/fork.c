/* fork.c: a second process with a copy of everything, made without copying a page: the frames are
 * shared until somebody writes. Linux: dup_mmap in mm/mmap.c, copy_page_range in mm/memory.c.
 *
 *      parent's tables        frame         child's tables
 *   before  RW ────────────▶ [ 1 entry  ]
 *   after   R- ────────────▶ [ 2 entries ] ◀──────────── R-     a write to either one faults, and
 *                                                               page_unshare (trap.c) copies
 */
#include "kernel/object.h"
#include "kernel/pgtable.h"
#include "kernel/syscalls.h"
#include "sim/base/check.h"

#include <string.h>

/* ---- areas ---- */

/* The child's area: no lock is inherited; memory that was written gets an identity of its own,
 * which never joins what the child maps later (Linux: anon_vma_fork, a chain of more than one
 * link). */
static void area_inherit(struct kernel *k, struct process *child, const struct area *from)
{
    struct area a = *from;
    a.flags &= ~VM_LOCKED;
    a.anon = 0;
    a.inherited = false;
    if (from->anon && !(from->flags & VM_WIPEONFORK)) {
        a.anon = k->next_anon++;
        a.inherited = true;
    }
    if (a.object)
        object_hold(a.object);
    area_add(k->env, child, &a, JOIN_NONE);
}

/* What no fault can find again must be copied; the rest the child faults in by itself, which for
 * shared memory is cheaper (Linux: vma_needs_copy). */
static bool needs_copy(const struct area *a)
{
    return a->anon && !(a->flags & VM_WIPEONFORK);
}

/* 0, or -ENOMEM. The events of the areas carry the child's pid. */
static int64_t fork_area(struct kernel *k, struct process *parent, struct process *child,
                         const struct area *a)
{
    if (a->flags & VM_DONTCOPY)
        return 0;
    if ((a->flags & VM_ACCOUNT) && !memory_enough(k, a->end - a->start))
        return -LX_ENOMEM;
    if (!areas_reserve(k->env, &child->areas, 1))
        return -LX_ENOMEM;
    uint16_t before = k->env->pid;
    k->env->pid = child->pid;
    area_inherit(k, child, a);
    k->env->pid = before;
    return needs_copy(a) && !pgtable_fork(k, parent, child, a->start, a->end) ? -LX_ENOMEM : 0;
}

static int64_t fork_memory(struct kernel *k, struct process *parent, struct process *child)
{
    int64_t result = 0;
    for (size_t i = 0; i < parent->areas.count && result == 0; i++)
        result = fork_area(k, parent, child, parent->areas.at[i]);
    gather_flush(k, parent);
    return result;
}

/* ---- the call ---- */

int64_t sys_fork(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    (void)arg;
    int64_t result;
    struct process *child = process_begin(k, p->name, p->pid, &result);
    if (!child)
        return result;
    child->heap_start = p->heap_start;
    child->brk = p->brk;
    child->stack_top = p->stack_top;
    memcpy(child->limit, p->limit, sizeof(child->limit));
    memcpy(child->fd, p->fd, sizeof(child->fd));
    child->pkeys = p->pkeys;
    child->pkru = mmu_regs(k->cpus[k->env->cpu].mmu)->pkru;
    result = fork_memory(k, p, child);
    if (result < 0) {
        process_end(k, child);
        return result;
    }
    uint16_t before = k->env->pid;
    k->env->pid = child->pid;
    EMIT(k->env, brk_move, .start = child->heap_start, .before = child->brk, .after = child->brk);
    k->env->pid = before;
    k->counters.forks++;
    return child->pid;
}
