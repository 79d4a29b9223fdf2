/* uapi.c: names for the numbers at the border between programs and the kernel. */
#include "kernel/uapi.h"

struct name {
    uint64_t number;
    const char *name;
};

static const struct name errnos[] = {
    {LX_EPERM, "EPERM"},   {LX_ENOENT, "ENOENT"},         {LX_ESRCH, "ESRCH"},
    {LX_EBADF, "EBADF"},   {LX_ECHILD, "ECHILD"},         {LX_EAGAIN, "EAGAIN"},
    {LX_ENOMEM, "ENOMEM"}, {LX_EACCES, "EACCES"},         {LX_EFAULT, "EFAULT"},
    {LX_EBUSY, "EBUSY"},   {LX_EEXIST, "EEXIST"},         {LX_EINVAL, "EINVAL"},
    {LX_ENOSYS, "ENOSYS"}, {LX_EOPNOTSUPP, "EOPNOTSUPP"}, {LX_EIO, "EIO"},
    {LX_EMFILE, "EMFILE"}, {LX_EFBIG, "EFBIG"},           {LX_ENOSPC, "ENOSPC"},
};

static const struct name syscalls[] = {
    {LX_NR_mmap, "mmap"},
    {LX_NR_mprotect, "mprotect"},
    {LX_NR_munmap, "munmap"},
    {LX_NR_brk, "brk"},
    {LX_NR_mremap, "mremap"},
    {LX_NR_msync, "msync"},
    {LX_NR_mincore, "mincore"},
    {LX_NR_madvise, "madvise"},
    {LX_NR_getpid, "getpid"},
    {LX_NR_fork, "fork"},
    {LX_NR_exit, "exit"},
    {LX_NR_getrusage, "getrusage"},
    {LX_NR_wait4, "wait4"},
    {LX_NR_mlock, "mlock"},
    {LX_NR_munlock, "munlock"},
    {LX_NR_getrandom, "getrandom"},
    {LX_NR_openat, "openat"},
    {LX_NR_close, "close"},
    {LX_NR_pread64, "pread64"},
    {LX_NR_pwrite64, "pwrite64"},
    {LX_NR_fsync, "fsync"},
    {LX_NR_ftruncate, "ftruncate"},
    {LX_NR_fadvise64, "fadvise64"},
    {LX_NR_setrlimit, "setrlimit"},
    {LX_NR_pkey_alloc, "pkey_alloc"},
    {LX_NR_pkey_free, "pkey_free"},
    {LX_NR_pkey_mprotect, "pkey_mprotect"},
};

static const char *name_of(const struct name *names, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].number == number)
            return names[i].name;
    return "?";
}

const char *lx_errno_name(int64_t err)
{
    return name_of(errnos, ARRAY_LEN(errnos), (uint64_t)(err < 0 ? -err : err));
}

const char *lx_syscall_name(uint64_t nr)
{
    return name_of(syscalls, ARRAY_LEN(syscalls), nr);
}
