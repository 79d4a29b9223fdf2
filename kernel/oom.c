/* oom.c: the out-of-memory killer, and its report in the words that Linux leaves in its log. */
#include "kernel/oom.h"

#include <stdarg.h>
#include <stdio.h>

typedef unsigned long long ull;

#define NOT_KILLABLE (-1000) /* OOM_SCORE_ADJ_MIN */

int64_t oom_badness(const struct kernel *k, const struct process *p)
{
    if (p->killed || p->oom_score_adj == NOT_KILLABLE)
        return INT64_MIN;
    uint64_t all = k->frames->total - k->frames->reserved + k->swap.slots;
    if (k->reclaim.limit)
        all = k->reclaim.limit + k->swap.slots;
    return (int64_t)(p->resident + p->swapped + p->tables) +
           p->oom_score_adj * (int64_t)(all / 1000);
}

/* Of several that are equally bad the last in the list goes, as in Linux. */
static struct process *worst(const struct kernel *k)
{
    struct process *chosen = NULL;
    int64_t most = INT64_MIN;
    for (size_t i = 0; i < k->process_count; i++) {
        int64_t points = oom_badness(k, k->process[i]);
        if (points == INT64_MIN || points < most)
            continue;
        most = points;
        chosen = k->process[i];
    }
    return chosen;
}

/* ---- the report ---- */

/* Adds to the report as long as there is room. */
__attribute__((format(printf, 2, 3))) static void say(struct kernel *k, const char *format, ...)
{
    size_t room = sizeof(k->oom_report) - k->oom_length;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(k->oom_report + k->oom_length, room, format, args);
    va_end(args);
    k->oom_length += n < 0 ? 0 : min_u64((uint64_t)n, room - 1);
}

static ull kib(uint64_t pages)
{
    return pages * (PAGE_SIZE / KIB);
}

static bool by_limit(const struct kernel *k)
{
    return k->reclaim.limit && k->counters.frames_data >= k->reclaim.limit;
}

/* Linux: show_free_areas. */
static void say_memory(struct kernel *k)
{
    const struct reclaim *r = &k->reclaim;
    say(k, "Mem-Info:\nanon:%llu shmem:%llu pagetables:%llu free:%llu\n",
        (ull)k->frames_of[FRAME_ANON], (ull)k->frames_of[FRAME_SHARED],
        (ull)k->frames_of[FRAME_TABLE], (ull)k->frames->free);
    say(k, "Node 0 Normal free:%llukB boost:0kB min:%llukB low:%llukB high:%llukB\n",
        kib(k->frames->free), kib(r->min), kib(r->low), kib(r->high));
    say(k, "Node 0 Normal:");
    for (unsigned i = 0; i < FRAME_ORDERS; i++)
        say(k, " %llu*%llukB", (ull)k->frames->blocks[i], kib((uint64_t)1 << i));
    say(k, " = %llukB\n", kib(k->frames->free));
    say(k, "%llu pages in swap cache\nFree swap  = %llukB\nTotal swap = %llukB\n",
        (ull)k->swap.cached, kib(k->swap.slots - k->swap.used), kib(k->swap.slots));
    say(k, "%llu pages RAM\n0 pages HighMem/MovableOnly\n%llu pages reserved\n",
        (ull)k->frames->total, (ull)k->frames->reserved);
}

/* Linux: dump_tasks. NOTE: with very many processes the list ends where the report is full. */
static void say_tasks(struct kernel *k)
{
    say(k, "Tasks state (memory values in pages):\n"
           "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes "
           "swapents oom_score_adj name\n");
    for (size_t i = 0; i < k->process_count; i++) {
        const struct process *p = k->process[i];
        if (p->killed)
            continue;
        say(k, "[%7d] %5d %5d %8llu %8llu %8llu %8llu %9llu %8llu %8llu         %5hd %s\n", p->pid,
            0, p->pid, (ull)p->pages, (ull)p->resident, (ull)(p->resident - p->shared - p->filed),
            (ull)p->filed, (ull)p->shared, (ull)(p->tables * PAGE_SIZE), (ull)p->swapped,
            p->oom_score_adj, p->name);
    }
}

static void report(struct kernel *k, const struct process *p, const struct process *victim)
{
    bool limit = by_limit(k);
    k->oom_length = 0;
    say(k,
        "%s invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO), "
        "order=0, oom_score_adj=%hd\n",
        p->name, p->oom_score_adj);
    if (limit)
        say(k, "memory: usage %llukB, limit %llukB\n", kib(k->counters.frames_data),
            kib(k->reclaim.limit));
    say_memory(k);
    say_tasks(k);
    if (!victim) {
        say(k, "Out of memory and no killable processes...\n");
        return;
    }
    say(k, "oom-kill:constraint=%s,nodemask=(null),task=%s,pid=%d,uid=0\n",
        limit ? "CONSTRAINT_MEMCG" : "CONSTRAINT_NONE", victim->name, victim->pid);
    say(k,
        "%s: Killed process %d (%s) total-vm:%llukB, anon-rss:%llukB, file-rss:%llukB, "
        "shmem-rss:%llukB, UID:0 pgtables:%llukB oom_score_adj:%hd\n",
        limit ? "Memory cgroup out of memory" : "Out of memory", victim->pid, victim->name,
        kib(victim->pages), kib(victim->resident - victim->shared - victim->filed),
        kib(victim->filed), kib(victim->shared), kib(victim->tables), victim->oom_score_adj);
}

struct process *oom_kill(struct kernel *k, const struct process *p, va_t va)
{
    struct process *victim = worst(k);
    report(k, p, victim);
    if (!victim)
        return NULL;
    uint16_t before = k->env->pid;
    k->env->pid = victim->pid;
    process_kill(k, victim, va);
    k->env->pid = before;
    return victim;
}

int kernel_oom_score_adj(struct kernel *k, uint16_t pid, int value)
{
    struct process *p = process_find(k, pid);
    if (!p)
        return -LX_ESRCH;
    if (value < NOT_KILLABLE || value > -NOT_KILLABLE)
        return -LX_EINVAL;
    p->oom_score_adj = (int16_t)value;
    return 0;
}

int64_t kernel_oom_badness(const struct kernel *k, uint16_t pid)
{
    const struct process *p = process_find(k, pid);
    return p ? oom_badness(k, p) : INT64_MIN;
}

const char *kernel_oom_report(const struct kernel *k)
{
    return k->oom_report;
}
