/* pkeys.c: which keys a process has, and the register that says what they allow. The register
 * belongs to the thread and is written without the kernel (WRPKRU), which is the point: a library
 * can lock its memory away in a few cycles, where mprotect would take a call, entries and a flush.
 *
 *   PKRU   … | WD2 AD2 | WD1 AD1 | WD0 AD0      AD: no access, WD: no writes, to pages of that key
 */
#include "kernel/pkeys.h"

#include "kernel/syscalls.h"

#define ACCESS_DISABLE 1u
#define WRITE_DISABLE  2u
#define NO_KEY         UINT64_MAX /* pkey_mprotect with -1: leave the key as it is */

bool pkey_denies(uint32_t pkru, unsigned key, enum access how)
{
    uint32_t bits = pkru >> 2 * key;
    if (how == ACCESS_FETCH)
        return false;
    return (bits & ACCESS_DISABLE) || (how == ACCESS_WRITE && (bits & WRITE_DISABLE));
}

static bool key_taken(const struct process *p, uint64_t key)
{
    return key == 0 || (key < PKEYS && (p->pkeys >> key & 1));
}

int64_t sys_pkey_alloc(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    unsigned key = 1;
    if (arg[0] || arg[1] & ~(uint64_t)(ACCESS_DISABLE | WRITE_DISABLE))
        return -LX_EINVAL;
    while (key < PKEYS && key_taken(p, key))
        key++;
    if (!k->config.pkeys || key == PKEYS)
        return -LX_ENOSPC;
    p->pkeys = (uint16_t)(p->pkeys | 1u << key);
    struct cpu *cpu = &k->cpus[k->env->cpu];
    uint32_t pkru = mmu_regs(cpu->mmu)->pkru & ~(3u << 2 * key);
    kernel_wrpkru(k, cpu, pkru | (uint32_t)arg[1] << 2 * key);
    return key;
}

/* Pages keep the key, as in Linux: a program that frees too early shares it with the next owner. */
int64_t sys_pkey_free(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    (void)k;
    if (arg[0] == 0 || !key_taken(p, arg[0]))
        return -LX_EINVAL;
    p->pkeys = (uint16_t)(p->pkeys & ~(1u << arg[0]));
    return 0;
}

/* NOTE: no key is set aside for memory that may only be executed. */
int64_t sys_pkey_mprotect(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    if (arg[3] == NO_KEY)
        return protect(k, p, arg, 0, 0);
    if (!k->config.pkeys || !key_taken(p, arg[3]))
        return -LX_EINVAL;
    return protect(k, p, arg, (uint32_t)arg[3] << VM_PKEY_SHIFT, VM_PKEY);
}
