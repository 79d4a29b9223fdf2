/* rusage.c: getrusage: what a process has used so far, written into its memory as Linux lays it out
 * (kernel/sys.c). */
#include "kernel/syscalls.h"
#include "kernel/uaccess.h"

/* struct rusage: two struct timeval and fourteen longs. */
enum {
    RU_MAXRSS = 4, /* KiB */
    RU_MINFLT = 8,
    RU_MAJFLT = 9,
    RU_NVCSW = 14,
    RU_WORDS = 18,
};

#define RUSAGE_SELF     UINT64_C(0)
#define RUSAGE_CHILDREN UINT64_MAX

/* NOTE: no time is kept for each process: the two times are 0. */
int64_t sys_getrusage(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    uint64_t word[RU_WORDS] = {0};
    if (arg[0] != RUSAGE_SELF && arg[0] != RUSAGE_CHILDREN)
        return -LX_EINVAL;
    if (arg[0] == RUSAGE_SELF) {
        word[RU_MAXRSS] = p->resident_peak * (PAGE_SIZE / KIB);
        word[RU_MINFLT] = p->faults_minor;
        word[RU_MAJFLT] = p->faults_major;
        word[RU_NVCSW] = p->switches;
    } else {
        word[RU_MAXRSS] = p->children_peak * (PAGE_SIZE / KIB);
        word[RU_MINFLT] = p->children_minor;
        word[RU_MAJFLT] = p->children_major;
    }
    return copy_to_user(k, arg[1], word, sizeof(word)) ? 0 : -LX_EFAULT;
}
