/* meminfo.c: what the whole machine's memory comes to: /proc/meminfo, vmstat, buddyinfo. Linux:
 * fs/proc/meminfo.c, mm/vmstat.c. Names and order are those of Linux 6.18; what is not modelled is
 * 0 in meminfo, which programs read as a whole, and left out of vmstat, which they search by name.
 */
#include "kernel/pgtable.h"
#include "kernel/procfs.h"

/* ---- counting frames ---- */

struct frame_census {
    uint64_t use[FRAME_USES];
    uint64_t mapped_anon, mapped_shared; /* with at least one entry */
};

static void see_frame(struct frame_census *c, const struct frame *frame)
{
    c->use[frame->use]++;
    c->mapped_anon += frame->use == FRAME_ANON && frame->refs;
    c->mapped_shared += (frame->use == FRAME_SHARED || frame->use == FRAME_FILE) && frame->refs;
}

static struct frame_census count_frames(const struct kernel *k)
{
    const struct frames *f = k->frames;
    struct frame_census c = {0};
    for (pfn_t pfn = f->reserved; pfn < f->total; pfn++) {
        const struct frame *frame = frames_at(f, pfn);
        if (frame)
            see_frame(&c, frame);
        else
            pfn |= CHUNK_FRAMES - 1;
    }
    return c;
}

/* Bytes of the direct map that pages of each size cover, as pgtable_kernel_half maps it. */
static uint64_t direct_map(const struct kernel *k, unsigned level)
{
    uint64_t left = ram_size(k->ram);
    for (unsigned at = 3; at > level; at--)
        left %= level_span(at);
    return align_down(left, level_span(level));
}

/* ---- meminfo ---- */

struct memory_sums {
    uint64_t total, free, available, cached, anon, mapped, shmem, dirty, huge, tables; /* pages */
    uint64_t active, locked, limit, committed;
    uint64_t swap, swap_free, swap_cached, swap_in, swap_out;
    uint64_t map4k, map2m, map1g; /* bytes */
};

static struct memory_sums sum_memory(const struct kernel *k)
{
    struct frame_census c = count_frames(k);
    struct memory_sums s = {
        .total = k->frames->total - k->frames->reserved,
        .free = k->frames->free,
        .available = k->frames->free + c.use[FRAME_FILE],
        .cached = c.use[FRAME_SHARED] + c.use[FRAME_FILE],
        .dirty = k->dirty,
        .anon = c.mapped_anon,
        .mapped = c.mapped_shared,
        .shmem = c.use[FRAME_SHARED],
        .tables = c.use[FRAME_TABLE],
        .swap = k->swap.slots,
        .swap_free = k->swap.slots - k->swap.used,
        .swap_cached = k->swap.cached,
        .swap_in = k->counters.swap_reads,
        .swap_out = k->counters.swap_writes,
        .limit = memory_commit_limit(k),
        .committed = memory_committed(k),
        .map4k = direct_map(k, 1),
        .map2m = direct_map(k, 2),
        .map1g = direct_map(k, 3),
    };
    for (size_t i = 0; i < k->process_count; i++)
        s.locked += k->process[i]->locked;
    return s;
}

#define KB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / KIB))

struct row {
    const char *name;
    unsigned long long kb; /* vmstat: a count */
};

void proc_meminfo(const struct kernel *k, struct proc_text *t)
{
    const struct memory_sums s = sum_memory(k);
    const struct row rows[] = {
        {"MemTotal:", KB(s.total)},
        {"MemFree:", KB(s.free)},
        {"MemAvailable:", KB(s.available)},
        {"Buffers:", 0},
        {"Cached:", KB(s.cached)},
        {"SwapCached:", KB(s.swap_cached)},
        {"Active:", KB(s.active)},
        {"Inactive:", KB(s.anon + s.cached - s.active)},
        {"Active(anon):", KB(s.active)},
        {"Inactive(anon):", KB(s.anon + s.shmem - s.active)},
        {"Active(file):", 0},
        {"Inactive(file):", KB(s.cached - s.shmem)},
        {"Unevictable:", KB(s.locked)},
        {"Mlocked:", KB(s.locked)},
        {"SwapTotal:", KB(s.swap)},
        {"SwapFree:", KB(s.swap_free)},
        {"Zswap:", 0},
        {"Zswapped:", 0},
        {"Dirty:", KB(s.dirty)},
        {"Writeback:", 0},
        {"AnonPages:", KB(s.anon)},
        {"Mapped:", KB(s.mapped)},
        {"Shmem:", KB(s.shmem)},
        {"KReclaimable:", 0},
        {"Slab:", 0},
        {"SReclaimable:", 0},
        {"SUnreclaim:", 0},
        {"KernelStack:", 0},
        {"PageTables:", KB(s.tables)},
        {"SecPageTables:", 0},
        {"NFS_Unstable:", 0},
        {"Bounce:", 0},
        {"WritebackTmp:", 0},
        {"CommitLimit:", KB(s.limit)},
        {"Committed_AS:", KB(s.committed)},
        {"VmallocTotal:", 34359738367},
        {"VmallocUsed:", 0},
        {"VmallocChunk:", 0},
        {"Percpu:", 0},
        {"AnonHugePages:", KB(s.huge)},
        {"ShmemHugePages:", 0},
        {"ShmemPmdMapped:", 0},
        {"FileHugePages:", 0},
        {"FilePmdMapped:", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        proc_add(t, "%-16s%8llu kB\n", rows[i].name, rows[i].kb);
    proc_add(t,
             "HugePages_Total:   %5u\nHugePages_Free:    %5u\nHugePages_Rsvd:    %5u\n"
             "HugePages_Surp:    %5u\nHugepagesize:   %8llu kB\nHugetlb:        %8u kB\n",
             0u, 0u, 0u, 0u, (unsigned long long)(HUGE_SIZE / KIB), 0u);
    proc_add(t, "DirectMap4k:    %8llu kB\nDirectMap2M:    %8llu kB\nDirectMap1G:    %8llu kB\n",
             (unsigned long long)(s.map4k / KIB), (unsigned long long)(s.map2m / KIB),
             (unsigned long long)(s.map1g / KIB));
}

/* ---- vmstat ---- */

void proc_vmstat(const struct kernel *k, struct proc_text *t)
{
    const struct memory_sums s = sum_memory(k);
    const struct kernel_counters *c = &k->counters;
    const struct row rows[] = {
        {"nr_free_pages", s.free},
        {"nr_mlock", s.locked},
        {"nr_anon_pages", s.anon},
        {"nr_mapped", s.mapped},
        {"nr_file_pages", s.cached},
        {"nr_dirty", s.dirty},
        {"nr_shmem", s.shmem},
        {"nr_anon_transparent_hugepages", s.huge / (HUGE_SIZE >> PAGE_SHIFT)},
        {"nr_dirtied", c->file_dirtied},
        {"nr_written", c->file_writes},
        {"nr_page_table_pages", s.tables},
        {"nr_swapcached", s.swap_cached},
        {"pgpgin", KB(s.swap_in + c->file_reads)},
        {"pgpgout", KB(s.swap_out + c->file_writes)},
        {"pswpin", s.swap_in},
        {"pswpout", s.swap_out},
        {"pgalloc_normal", c->frames_allocated},
        {"pgfree", c->frames_freed},
        {"pgfault", c->faults_minor + c->faults_major},
        {"pgmajfault", c->faults_major},
        {"pgreuse", c->cow_reused},
        {"pgsteal_kswapd", c->pages_freed_by[RECLAIM_KSWAPD]},
        {"pgsteal_direct", c->pages_freed_by[RECLAIM_DIRECT] + c->pages_freed_by[RECLAIM_LIMIT]},
        {"pgscan_kswapd", c->pages_scanned_by[RECLAIM_KSWAPD]},
        {"pgscan_direct", c->pages_scanned_by[RECLAIM_DIRECT] + c->pages_scanned_by[RECLAIM_LIMIT]},
        {"oom_kill", c->oom_kills},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        proc_add(t, "%s %llu\n", rows[i].name, rows[i].kb);
}

/* ---- buddyinfo ---- */

/* NOTE: one zone, which is Linux's Normal. */
void proc_buddyinfo(const struct kernel *k, struct proc_text *t)
{
    proc_add(t, "Node %d, zone %8s ", 0, "Normal");
    for (unsigned order = 0; order < FRAME_ORDERS; order++)
        proc_add(t, "%6llu ", (unsigned long long)kernel_free_blocks(k, order));
    proc_add(t, "\n");
}
