/* uaccess.c: a kernel that follows a program's pointer must expect anything behind it. SMAP forbids
 * it to touch user pages at all; STAC lifts that for the copy alone. A fault on the way is handled
 * as the program's own would be, except that a bad address is not a signal: the copy ends early and
 * the call says EFAULT.
 */
#include "kernel/uaccess.h"

#include "kernel/process.h"
#include "sim/base/check.h"

#define RETRIES_MAX 16u

/* One access in kernel mode, retried as long as a fault could be resolved. */
static bool access_user(struct kernel *k, struct cpu *cpu, va_t va, void *buf, size_t n,
                        enum access how)
{
    struct mmu_fault fault;
    struct lx_siginfo info;
    for (unsigned tries = 0; !mmu_access(cpu->mmu, va, buf, n, how, &fault); tries++) {
        CHECK(tries < RETRIES_MAX);
        if (kernel_fault(k, cpu, &fault, &info) >= FAULT_SIGNAL)
            return false;
    }
    return true;
}

static bool copy_user(struct kernel *k, va_t va, unsigned char *buf, size_t n, enum access how)
{
    struct cpu *cpu = &k->cpus[k->env->cpu];
    struct mmu_regs *regs = mmu_regs(cpu->mmu);
    const struct mmu_regs before = *regs;
    cycles_t start = k->env->cycle;
    bool good = va < TASK_SIZE && n <= TASK_SIZE - va; /* access_ok */
    k->counters.user_copies++;
    EMIT(k->env, user_copy, .va = va, .length = n, .write = how == ACCESS_WRITE);
    regs->cpl = 0;
    regs->ac = true; /* STAC */
    while (good && n) {
        size_t part = (size_t)min_u64(n, PAGE_SIZE - (va & PAGE_MASK));
        good = access_user(k, cpu, va, buf, part, how);
        va += part;
        buf += part;
        n -= part;
    }
    regs->ac = before.ac; /* CLAC, and back to the program */
    regs->cpl = before.cpl;
    k->copying += k->env->cycle - start;
    if (good)
        return true;
    k->counters.user_copies_failed++;
    EMIT(k->env, user_copy_failed, .va = va);
    return false;
}

bool copy_to_user(struct kernel *k, va_t to, const void *from, size_t n)
{
    /* Written from, not to: the MMU has one signature for both directions. */
    return copy_user(k, to, (unsigned char *)(uintptr_t)from, n, ACCESS_WRITE);
}

bool copy_from_user(struct kernel *k, void *to, va_t from, size_t n)
{
    return copy_user(k, from, to, n, ACCESS_READ);
}
