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
    {LX_ENOSYS, "ENOSYS"}, {LX_EOPNOTSUPP, "EOPNOTSUPP"},
};

static const struct name syscalls[] = {
    {LX_NR_mmap, "mmap"},       {LX_NR_mprotect, "mprotect"},
    {LX_NR_munmap, "munmap"},   {LX_NR_brk, "brk"},
    {LX_NR_mremap, "mremap"},   {LX_NR_msync, "msync"},
    {LX_NR_mincore, "mincore"}, {LX_NR_madvise, "madvise"},
    {LX_NR_getpid, "getpid"},   {LX_NR_fork, "fork"},
    {LX_NR_exit, "exit"},       {LX_NR_getrusage, "getrusage"},
    {LX_NR_wait4, "wait4"},     {LX_NR_mlock, "mlock"},
    {LX_NR_munlock, "munlock"}, {LX_NR_getrandom, "getrandom"},
    {LX_NR_openat, "openat"},
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
