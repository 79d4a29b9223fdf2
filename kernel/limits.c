/* limits.c: what a request for memory is held against before anything is changed. */
#include "kernel/limits.h"

#include "kernel/process.h"

#define PERCENT 100u
/* As Linux sets them at its start, for a user without rights: 3 % of RAM, but no more than these.
 */
#define ADMIN_RESERVE (8 * MIB)
#define USER_RESERVE  (128 * MIB)
#define RESERVE_PART  32u /* about 3 % */

enum overcommit { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };

/* ---- limits of a process ---- */

void limits_start(const struct kernel *k, struct process *p)
{
    const uint64_t none = UINT64_MAX;
    p->limit[LIMIT_AS] = k->config.rlimit_as ? k->config.rlimit_as : none;
    p->limit[LIMIT_DATA] = k->config.rlimit_data ? k->config.rlimit_data : none;
    p->limit[LIMIT_STACK] = k->config.stack_limit;
    p->limit[LIMIT_MEMLOCK] = k->config.memlock_limit;
}

/* Linux: is_data_mapping. */
bool area_is_data(uint32_t flags)
{
    return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

bool memory_expandable(const struct process *p, uint32_t flags, uint64_t pages)
{
    if (p->pages + pages > p->limit[LIMIT_AS] >> PAGE_SHIFT)
        return false;
    return !area_is_data(flags) || p->data + pages <= p->limit[LIMIT_DATA] >> PAGE_SHIFT;
}

/* NOTE: by value and for the soft limit only: a trace has no place in memory for the struct. */
int64_t sys_setrlimit(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    (void)k;
    switch (arg[0]) {
    case LX_RLIMIT_AS:
        p->limit[LIMIT_AS] = arg[1];
        return 0;
    case LX_RLIMIT_DATA:
        p->limit[LIMIT_DATA] = arg[1];
        return 0;
    case LX_RLIMIT_STACK:
        p->limit[LIMIT_STACK] = arg[1];
        return 0;
    case LX_RLIMIT_MEMLOCK:
        p->limit[LIMIT_MEMLOCK] = arg[1];
        return 0;
    default:
        return -LX_EINVAL;
    }
}

/* ---- overcommit ---- */

uint64_t memory_committed(const struct kernel *k)
{
    uint64_t pages = k->shared_charged;
    for (size_t i = 0; i < k->process_count; i++)
        pages += k->process[i]->charged;
    return pages;
}

static uint64_t swap_pages(const struct kernel *k)
{
    return k->swap.slots;
}

uint64_t memory_commit_limit(const struct kernel *k)
{
    uint64_t ram = k->config.ram_claim >> PAGE_SHIFT;
    return ram * k->config.overcommit_ratio / PERCENT + swap_pages(k);
}

/* What is kept back so that somebody can still log in and clean up. */
static uint64_t kept_back(const struct kernel *k)
{
    const struct process *p = process_running(&k->cpus[k->env->cpu]);
    uint64_t part = k->config.ram_claim / RESERVE_PART;
    uint64_t user = min_u64(part, USER_RESERVE) >> PAGE_SHIFT;
    return (min_u64(part, ADMIN_RESERVE) >> PAGE_SHIFT) +
           (p ? min_u64(p->pages / RESERVE_PART, user) : 0);
}

bool memory_enough(const struct kernel *k, uint64_t bytes)
{
    uint64_t pages = bytes >> PAGE_SHIFT;
    switch ((enum overcommit)k->config.overcommit) {
    case OVERCOMMIT_ALWAYS:
        return true;
    case OVERCOMMIT_NEVER:
        return memory_committed(k) + pages + kept_back(k) < memory_commit_limit(k);
    case OVERCOMMIT_GUESS:
        break;
    }
    return pages <= (k->config.ram_claim >> PAGE_SHIFT) + swap_pages(k);
}
