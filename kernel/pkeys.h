/* pkeys.h: protection keys: one of 16 numbers on each page, and in a register of each thread what
 * it may do with pages of each number; private to this folder. Linux: mm/mprotect.c,
 * arch/x86/mm/pkeys.c.
 */
#ifndef MEMWALK_KERNEL_PKEYS_H
#define MEMWALK_KERNEL_PKEYS_H

#include "kernel/process.h"

#define PKEYS     16u
#define PKRU_INIT 0x55555554u /* only pages of key 0 may be touched */

/* The key of an area's pages. */
static inline unsigned area_pkey(const struct area *a)
{
    return (a->flags & VM_PKEY) >> VM_PKEY_SHIFT;
}

/* Does the register forbid the access to pages of that key? Fetches are never forbidden. */
bool pkey_denies(uint32_t pkru, unsigned key, enum access how);

int64_t sys_pkey_alloc(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_pkey_free(struct kernel *, struct process *, const uint64_t arg[6]);
int64_t sys_pkey_mprotect(struct kernel *, struct process *, const uint64_t arg[6]);

#endif
