/* sys.h: bare system calls for the recorder: no errno, no cancellation point, and no C library
 * function that the recorded program might have replaced by one of its own.
 *
 * Results are those of the kernel: a value, or -errno.
 */
#ifndef MEMWALK_RECORD_SYS_H
#define MEMWALK_RECORD_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

static inline int64_t sys_call(long nr, const uint64_t arg[6])
{
    int64_t result;
    register uint64_t r10 __asm__("r10") = arg[3];
    register uint64_t r8 __asm__("r8") = arg[4];
    register uint64_t r9 __asm__("r9") = arg[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define PAGE_BYTES ((size_t)4096)

#define SYS_ARGS(...) ((const uint64_t[6]){__VA_ARGS__})

static inline int sys_open(const char *path, int flags)
{
    const uint64_t at_cwd = (uint64_t)-100;
    return (int)sys_call(SYS_openat,
                         SYS_ARGS(at_cwd, (uint64_t)(uintptr_t)path, (uint64_t)(unsigned)flags));
}

static inline int64_t sys_read(int fd, void *to, size_t n)
{
    return sys_call(SYS_read, SYS_ARGS((uint64_t)fd, (uint64_t)(uintptr_t)to, n));
}

static inline void sys_close(int fd)
{
    sys_call(SYS_close, SYS_ARGS((uint64_t)fd));
}

/* NULL where it fails. fd -1: private anonymous memory, else shared pages of the file. */
static inline void *sys_map(int fd, uint64_t offset, size_t n)
{
    const uint64_t read_write = 3, shared = 0x01, private_anonymous = 0x22;
    uint64_t flags = fd < 0 ? private_anonymous : shared;
    int64_t at =
        sys_call(SYS_mmap, SYS_ARGS(0, n, read_write, flags, (uint64_t)(int64_t)fd, offset));
    return at < 0 ? NULL : (void *)(uintptr_t)at;
}

static inline void sys_unmap(void *at, size_t n)
{
    sys_call(SYS_munmap, SYS_ARGS((uint64_t)(uintptr_t)at, n));
}

static inline int64_t sys_advise(void *at, size_t n, int advice)
{
    return sys_call(SYS_madvise, SYS_ARGS((uint64_t)(uintptr_t)at, n, (uint64_t)advice));
}

/* A second mapping of the shared pages at `at`, n bytes long, which may reach beyond the first. */
static inline void *sys_map_again(void *at, size_t n)
{
    const uint64_t may_move = 1;
    int64_t to = sys_call(SYS_mremap, SYS_ARGS((uint64_t)(uintptr_t)at, 0, n, may_move));
    return to < 0 ? NULL : (void *)(uintptr_t)to;
}

static inline int sys_pid(void)
{
    return (int)sys_call(SYS_getpid, SYS_ARGS(0));
}

/* Sleeps while *word is value, or wakes one sleeper. */
static inline void sys_futex_wait(void *word, uint32_t value)
{
    const uint64_t wait_private = 128;
    sys_call(SYS_futex, SYS_ARGS((uint64_t)(uintptr_t)word, wait_private, value));
}

static inline void sys_futex_wake(void *word)
{
    const uint64_t wake_private = 129;
    sys_call(SYS_futex, SYS_ARGS((uint64_t)(uintptr_t)word, wake_private, 1));
}

#endif
