/* uaccess.h: the kernel touches a program's memory, through the MMU like the program itself;
 * private to this folder. Linux: arch/x86/lib/usercopy_64.c, arch/x86/include/asm/smap.h.
 */
#ifndef MEMWALK_KERNEL_UACCESS_H
#define MEMWALK_KERNEL_UACCESS_H

#include "kernel/kernel.h"

/* n bytes to or from the program that runs. Pages are faulted in as for the program. false: a part
 * of it may not be touched (the call then returns -EFAULT); what was copied before stays. */
bool copy_to_user(struct kernel *, va_t to, const void *from, size_t n);
bool copy_from_user(struct kernel *, void *to, va_t from, size_t n);

#endif
