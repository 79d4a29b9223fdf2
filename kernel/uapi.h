/* uapi.h: the border between programs and the kernel: numbers as Linux has them on x86-64.
 *
 * Allocators and traces know the kernel only by this file. The names carry LX_ because the
 * simulator also runs where the host's own headers say something else.
 * Source: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/{mman,errno,signal}*.h.
 */
#ifndef MEMWALK_KERNEL_UAPI_H
#define MEMWALK_KERNEL_UAPI_H

#include "sim/base/hot.h"

enum lx_syscall {
    LX_NR_close = 3,
    LX_NR_mmap = 9,
    LX_NR_mprotect = 10,
    LX_NR_munmap = 11,
    LX_NR_brk = 12,
    LX_NR_pread64 = 17,
    LX_NR_pwrite64 = 18,
    LX_NR_mremap = 25,
    LX_NR_msync = 26,
    LX_NR_mincore = 27,
    LX_NR_madvise = 28,
    LX_NR_getpid = 39,
    LX_NR_fork = 57,
    LX_NR_exit = 60,
    LX_NR_wait4 = 61,
    LX_NR_fsync = 74,
    LX_NR_ftruncate = 77,
    LX_NR_getrusage = 98,
    LX_NR_mlock = 149,
    LX_NR_munlock = 150,
    LX_NR_setrlimit = 160,
    LX_NR_fadvise64 = 221,
    LX_NR_openat = 257,
    LX_NR_getrandom = 318,
    LX_NR_pkey_mprotect = 329,
    LX_NR_pkey_alloc = 330,
    LX_NR_pkey_free = 331,
};

enum lx_errno {
    LX_EPERM = 1,
    LX_ENOENT = 2,
    LX_ESRCH = 3,
    LX_EIO = 5,
    LX_EBADF = 9,
    LX_ECHILD = 10,
    LX_EAGAIN = 11,
    LX_ENOMEM = 12,
    LX_EACCES = 13,
    LX_EFAULT = 14,
    LX_EBUSY = 16,
    LX_EEXIST = 17,
    LX_EINVAL = 22,
    LX_EMFILE = 24,
    LX_EFBIG = 27,
    LX_ENOSPC = 28,
    LX_ENOSYS = 38,
    LX_EOPNOTSUPP = 95,
};

#define LX_AT_FDCWD (-100)

#define LX_O_RDONLY  0u
#define LX_O_WRONLY  1u
#define LX_O_RDWR    2u
#define LX_O_ACCMODE 3u
#define LX_O_TRUNC   0x200u

#define LX_MS_ASYNC      1u
#define LX_MS_INVALIDATE 2u
#define LX_MS_SYNC       4u

#define LX_POSIX_FADV_NORMAL     0u
#define LX_POSIX_FADV_RANDOM     1u
#define LX_POSIX_FADV_SEQUENTIAL 2u
#define LX_POSIX_FADV_WILLNEED   3u
#define LX_POSIX_FADV_DONTNEED   4u
#define LX_POSIX_FADV_NOREUSE    5u

#define LX_PROT_NONE      0x0u
#define LX_PROT_READ      0x1u
#define LX_PROT_WRITE     0x2u
#define LX_PROT_EXEC      0x4u
#define LX_PROT_SEM       0x8u
#define LX_PROT_GROWSDOWN 0x01000000u
#define LX_PROT_GROWSUP   0x02000000u

#define LX_MAP_SHARED          0x01u
#define LX_MAP_PRIVATE         0x02u
#define LX_MAP_TYPE            0x0fu
#define LX_MAP_FIXED           0x10u
#define LX_MAP_ANONYMOUS       0x20u
#define LX_MAP_32BIT           0x40u
#define LX_MAP_GROWSDOWN       0x0100u
#define LX_MAP_LOCKED          0x2000u
#define LX_MAP_NORESERVE       0x4000u
#define LX_MAP_POPULATE        0x8000u
#define LX_MAP_NONBLOCK        0x10000u
#define LX_MAP_STACK           0x20000u
#define LX_MAP_HUGETLB         0x40000u
#define LX_MAP_SYNC            0x80000u
#define LX_MAP_FIXED_NOREPLACE 0x100000u

#define LX_RLIMIT_DATA    2u
#define LX_RLIMIT_STACK   3u
#define LX_RLIMIT_MEMLOCK 8u
#define LX_RLIMIT_AS      9u

#define LX_MREMAP_MAYMOVE   1u
#define LX_MREMAP_FIXED     2u
#define LX_MREMAP_DONTUNMAP 4u

enum lx_advice {
    LX_MADV_NORMAL = 0,
    LX_MADV_RANDOM = 1,
    LX_MADV_SEQUENTIAL = 2,
    LX_MADV_WILLNEED = 3,
    LX_MADV_DONTNEED = 4,
    LX_MADV_FREE = 8,
    LX_MADV_REMOVE = 9,
    LX_MADV_DONTFORK = 10,
    LX_MADV_DOFORK = 11,
    LX_MADV_MERGEABLE = 12,
    LX_MADV_UNMERGEABLE = 13,
    LX_MADV_HUGEPAGE = 14,
    LX_MADV_NOHUGEPAGE = 15,
    LX_MADV_DONTDUMP = 16,
    LX_MADV_DODUMP = 17,
    LX_MADV_WIPEONFORK = 18,
    LX_MADV_KEEPONFORK = 19,
    LX_MADV_COLD = 20,
    LX_MADV_PAGEOUT = 21,
    LX_MADV_POPULATE_READ = 22,
    LX_MADV_POPULATE_WRITE = 23,
    LX_MADV_DONTNEED_LOCKED = 24,
    LX_MADV_COLLAPSE = 25,
    LX_MADV_GUARD_INSTALL = 102,
    LX_MADV_GUARD_REMOVE = 103,
};

enum lx_signal {
    LX_SIGABRT = 6,
    LX_SIGBUS = 7,
    LX_SIGKILL = 9,
    LX_SIGSEGV = 11,
};

#define LX_SEGV_MAPERR 1u /* si_code: no area at the address */
#define LX_SEGV_ACCERR 2u /* si_code: the area does not allow it */
#define LX_SEGV_PKUERR 4u /* si_code: the protection key does not allow it */
#define LX_BUS_ADRERR  2u

/* A failed system call returns -errno, in [-4095, -1]. */
static inline bool lx_failed(int64_t result)
{
    return result < 0 && result >= -4095;
}

/* "ENOMEM", or "?" for a number that is not in the list; "mmap". */
const char *lx_errno_name(int64_t err);
const char *lx_syscall_name(uint64_t nr);

/* All that a program, and so an allocator, can do. load and store return 0, or the signal that the
 * program got instead; then nothing was stored. peek reads without any trace in the machine (no
 * event, no time, no TLB), for whoever walks a heap to draw or check it; 0, or -1: not mapped. hot
 * says where the short way of the CPU is that runs the program; NULL: there is none. */
struct user {
    void *ctx;
    int (*load)(void *ctx, va_t from, void *to, size_t n);
    int (*store)(void *ctx, va_t to, const void *from, size_t n);
    int64_t (*syscall)(void *ctx, uint64_t nr, const uint64_t arg[6]);
    int (*peek)(const void *ctx, va_t from, void *to, size_t n);
    struct hot *const *hot;
    va_t data; /* writable memory of the program's image for the C library's variables; 0: none */
};

#endif
