/* random.c: getrandom: the one system call here that writes into the program's memory.
 *
 * The bytes come from the machine's one generator, so that a run can be repeated; they are written
 * through the MMU, as Linux's copy_to_user does, and a page that is not there yet is faulted in.
 * Source: drivers/char/random.c.
 */
#include "kernel/process.h"
#include "kernel/syscalls.h"

#define GRND_KNOWN 7u /* NONBLOCK, RANDOM, INSECURE */
#define GRND_MOST  UINT64_C(33554431)
#define TRIES      4
#define WORD       sizeof(uint64_t)

/* false: the program may not write there. n bytes within one page. */
static bool write_user(struct kernel *k, va_t va, void *bytes, size_t n)
{
    struct cpu *cpu = &k->cpus[k->env->cpu];
    struct mmu_fault fault;
    struct lx_siginfo info;
    for (int i = 0; i < TRIES; i++) {
        if (mmu_access(cpu->mmu, va, bytes, n, ACCESS_WRITE, &fault))
            return true;
        if (kernel_fault(k, cpu, &fault, &info) >= FAULT_SIGNAL)
            return false;
    }
    return false;
}

int64_t sys_getrandom(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    uint64_t n = min_u64(arg[1], GRND_MOST), done = 0;
    (void)p;
    if (arg[2] & ~(uint64_t)GRND_KNOWN)
        return -LX_EINVAL;
    while (done < n) {
        va_t at = arg[0] + done;
        uint64_t word = rng_next(&k->env->rng);
        uint64_t part = min_u64(n - done, min_u64(WORD, PAGE_SIZE - (at & PAGE_MASK)));
        if (!write_user(k, at, &word, part))
            return done ? (int64_t)done : -LX_EFAULT;
        done += part;
    }
    return (int64_t)done;
}
