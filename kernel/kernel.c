/* kernel.c: the kernel as a whole: its start, its frames, what can be asked of it, its invariants.
 */
#include "kernel/kernel.h"

#include "kernel/file.h"
#include "kernel/pgtable.h"
#include "kernel/process.h"
#include "kernel/reclaim.h"
#include "kernel/rmap.h"
#include "kernel/swap.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <stdio.h>
#include <string.h>

#define MEMLOCK_DEFAULT (8 * MIB)
#define MIN_FREE_FRAMES 16u /* for the tables of the kernel half and of one process */

const char *const thp_mode_name[THP_MODES] = {
    [THP_NEVER] = "never",
    [THP_MADVISE] = "madvise",
    [THP_ALWAYS] = "always",
};

const char *const frame_use_name[FRAME_USES] = {
    [FRAME_FREE] = "free", [FRAME_RESERVED] = "reserved", [FRAME_TABLE] = "table",
    [FRAME_ANON] = "anon", [FRAME_SHARED] = "shared",     [FRAME_FILE] = "file",
};

/* ---- frames ---- */

static void count_taken(struct kernel *k, enum frame_use use, uint64_t frames)
{
    struct kernel_counters *c = &k->counters;
    c->frames_allocated += frames;
    c->frames_data += frame_holds_page(use) ? frames : 0;
    c->frames_data_peak = max_u64(c->frames_data_peak, c->frames_data);
    k->frames_of[use] += frames;
    c->frames_peak = max_u64(c->frames_peak, k->frames->total - k->frames->free);
}

pfn_t frame_get(struct kernel *k, enum frame_use use, uint16_t pid, va_t va)
{
    pfn_t pfn = reclaim_allows(k, use, 1) ? frames_take(k->frames, 0) : PFN_NONE;
    if (pfn == PFN_NONE)
        return PFN_NONE;
    *frames_at(k->frames, pfn) = (struct frame){.va = va, .pid = pid, .use = (uint8_t)use};
    count_taken(k, use, 1);
    reclaim_resident(k, pfn);
    EMIT(k->env, frame_alloc, .pfn = pfn, .use = use, .va = va, .free = k->frames->free);
    return pfn;
}

void frame_put(struct kernel *k, pfn_t pfn)
{
    for (unsigned i = 0; k->config.bug.publish_early && i < k->cpu_count; i++)
        if (k->cpus[i].late == pfn)
            k->cpus[i].late = 0;
    struct frame *frame = frames_at(k->frames, pfn);
    INVARIANT(frame->use != FRAME_FREE && frame->use != FRAME_RESERVED && frame->refs == 0);
    k->counters.frames_data -= frame_holds_page(frame->use);
    if (frame->slot)
        swap_uncache(k, pfn);
    reclaim_gone(k, pfn);
    k->frames_of[frame->use]--;
    *frame = (struct frame){.use = FRAME_FREE};
    frames_give(k->frames, pfn, 0);
    k->counters.frames_freed++;
    EMIT(k->env, frame_free, .pfn = pfn, .free = k->frames->free);
}

void frame_zero(struct kernel *k, pfn_t pfn)
{
    ram_zero(k->ram, pfn);
    k->env->cycle += k->config.zero_cycles;
    k->counters.frames_zeroed++;
    EMIT(k->env, frame_zero, .pfn = pfn);
}

void frame_zero_late(struct kernel *k, struct cpu *cpu)
{
    pfn_t pfn = cpu->late;
    cpu->late = 0;
    if (pfn)
        frame_zero(k, pfn);
}

pfn_t frames_get_huge(struct kernel *k, enum frame_use use, uint16_t pid, va_t va)
{
    bool allowed = reclaim_allows(k, use, TABLE_ENTRIES);
    pfn_t pfn = allowed ? frames_take(k->frames, HUGE_ORDER) : PFN_NONE;
    if (pfn == PFN_NONE)
        return PFN_NONE;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        *frames_at(k->frames, pfn + i) = (struct frame){
            .va = va + i * PAGE_SIZE, .pid = pid, .use = (uint8_t)use, .joined = use == FRAME_ANON};
        reclaim_resident(k, pfn + i);
    }
    count_taken(k, use, TABLE_ENTRIES);
    EMIT(k->env, huge_alloc, .pfn = pfn, .use = use, .va = va, .free = k->frames->free);
    return pfn;
}

void frames_put_huge(struct kernel *k, pfn_t pfn)
{
    k->counters.frames_data -= frame_holds_page(frames_at(k->frames, pfn)->use) ? TABLE_ENTRIES : 0;
    k->frames_of[frames_at(k->frames, pfn)->use] -= TABLE_ENTRIES;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        INVARIANT(frames_at(k->frames, pfn + i)->refs == 0);
        reclaim_gone(k, pfn + i);
        *frames_at(k->frames, pfn + i) = (struct frame){.use = FRAME_FREE};
    }
    frames_give(k->frames, pfn, HUGE_ORDER);
    k->counters.frames_freed += TABLE_ENTRIES;
    EMIT(k->env, huge_free, .pfn = pfn, .free = k->frames->free);
}

/* ---- start ---- */

/* Paging as Linux runs it; programs run at CPL 3. */
static void cpu_start(const struct kernel *k, struct cpu *cpu)
{
    struct mmu_regs *regs = mmu_regs(cpu->mmu);
    regs->cr0 |= CR0_WP;
    regs->cr4 |= CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP;
    regs->cr4 |= pt_levels(k) == 5 ? CR4_LA57 : 0;
    if (k->config.pcid)
        regs->cr4 |= CR4_PCIDE;
    if (k->config.pkeys)
        regs->cr4 |= CR4_PKE;
    regs->efer |= EFER_NXE;
    regs->cpl = 3;
    cpu->current = NULL;
    bool loaded = mmu_write_cr3(cpu->mmu, k->root << PAGE_SHIFT);
    CHECK(loaded);
}

static struct kernel *kernel_make(struct env *env, struct ram *ram,
                                  const struct kernel_config *config)
{
    struct kernel *k = arena_alloc(env->arena, sizeof(*k));
    if (!k)
        return NULL;
    k->env = env;
    k->ram = ram;
    k->config = *config;
    if (!k->config.memlock_limit)
        k->config.memlock_limit = MEMLOCK_DEFAULT;
    if (!k->config.ram_claim)
        k->config.ram_claim = ram_size(ram);
    k->next_pid = 1;
    k->next_anon = 1;
    k->next_object = 1;
    k->zero = config->reserved_frames - 1;
    k->huge_zero = PFN_NONE;
    k->frames = frames_new(env, ram_size(ram) >> PAGE_SHIFT, config->reserved_frames);
    return k->frames && reclaim_start(k) ? k : NULL;
}

struct kernel *kernel_new(struct env *env, struct ram *ram, struct cpu *cpus, unsigned count,
                          const struct kernel_config *config, struct error *error)
{
    pfn_t total = ram_size(ram) >> PAGE_SHIFT;
    if (!config->reserved_frames || total < config->reserved_frames + MIN_FREE_FRAMES) {
        error_set(error, ERR_VALUE, NULL, 0, "ram",
                  "%llu frames are too few: the kernel's image takes %llu, and tables need %u",
                  (unsigned long long)total, (unsigned long long)config->reserved_frames,
                  MIN_FREE_FRAMES);
        return NULL;
    }
    struct kernel *k = kernel_make(env, ram, config);
    if (!k || !pgtable_kernel_half(k)) {
        error_set(error, ERR_MEMORY, NULL, 0, "kernel", "no memory for the kernel's own state");
        return NULL;
    }
    k->cpus = cpus;
    k->cpu_count = count;
    for (unsigned i = 0; i < count; i++)
        cpu_start(k, &cpus[i]);
    return k;
}

/* ---- inspection ---- */

const struct kernel_counters *kernel_counters(const struct kernel *k)
{
    return &k->counters;
}

size_t kernel_processes(const struct kernel *k)
{
    return k->process_count;
}

bool kernel_process_at(const struct kernel *k, size_t i, struct process_info *info)
{
    if (i >= k->process_count)
        return false;
    const struct process *p = k->process[i];
    *info = (struct process_info){
        .pid = p->pid,
        .parent = p->parent,
        .name = p->name,
        .killed = p->killed,
        .root = p->root == PFN_NONE ? 0 : p->root << PAGE_SHIFT,
        .heap_start = p->heap_start,
        .brk = p->brk,
        .resident = p->resident,
        .resident_peak = p->resident_peak,
        .virtual_pages = p->pages,
        .locked = process_locked(p) >> PAGE_SHIFT,
        .huge = p->huge,
        .tables = p->tables,
        .swapped = p->swapped,
        .faults_minor = p->faults_minor,
        .faults_major = p->faults_major,
    };
    return true;
}

bool kernel_process(const struct kernel *k, uint16_t pid, struct process_info *info)
{
    for (size_t i = 0; i < k->process_count; i++)
        if (k->process[i]->pid == pid)
            return kernel_process_at(k, i, info);
    return false;
}

size_t kernel_areas(const struct kernel *k, uint16_t pid)
{
    const struct process *p = process_find(k, pid);
    return p ? p->areas.count : 0;
}

/* One page of the process, with the frame that it shows. */
struct page_seen {
    struct page_info info;
    pfn_t pfn;
};

static void page_look(const struct kernel *k, pfn_t pfn, pte_t entry, struct page_seen *seen)
{
    const struct frame *frame = frames_at(k->frames, pfn);
    *seen = (struct page_seen){.info.kind = PAGE_KIND_GUARD, .pfn = pfn};
    if (!pte_held(entry))
        return;
    seen->info.kind = frame->use == FRAME_SHARED ? PAGE_KIND_SHARED
                      : frame->use == FRAME_FILE ? PAGE_KIND_FILE
                                                 : PAGE_KIND_ANON;
    seen->info.exclusive = frame->refs == 1;
    if (pfn_is_zero(k, pfn))
        seen->info = (struct page_info){.kind = PAGE_KIND_ZERO};
}

/* The first page at or after *va that has an entry. */
static bool page_next(const struct kernel *k, const struct process *p, va_t *va, va_t end,
                      struct page_seen *seen)
{
    struct pt_step step;
    while (pgtable_step(k, p, va, end, &step)) {
        if (step.huge) {
            page_look(k, pte_pfn(step.huge) + va_index(*va, 1), step.huge, seen);
            seen->info.huge = true;
            return true;
        }
        va_t stop = min_u64(align_down(*va, HUGE_SIZE) + HUGE_SIZE, end);
        for (; *va < stop; *va += PAGE_SIZE) {
            pte_t entry = ram_read64(k->ram, entry_at(step.table, *va, 1));
            if (!entry)
                continue;
            page_look(k, pte_pfn(entry), entry, seen);
            return true;
        }
    }
    return false;
}

bool kernel_page(const struct kernel *k, uint16_t pid, va_t *va, va_t end, struct page_info *info)
{
    const struct process *p = process_find(k, pid);
    struct page_seen seen;
    bool found = p && p->root != PFN_NONE && page_next(k, p, va, end, &seen);
    if (found)
        *info = seen.info;
    return found;
}

static void area_use(const struct kernel *k, const struct process *p, const struct area *a,
                     struct area_usage *usage)
{
    struct page_seen seen;
    *usage = (struct area_usage){.flags = a->flags};
    for (va_t va = a->start; page_next(k, p, &va, a->end, &seen); va += PAGE_SIZE) {
        if (seen.info.kind == PAGE_KIND_ZERO || seen.info.kind == PAGE_KIND_GUARD)
            continue;
        usage->resident++;
        usage->anon += seen.info.kind == PAGE_KIND_ANON;
        usage->huge += seen.info.huge;
        usage->share += (PAGE_SIZE << 12) / frames_at(k->frames, seen.pfn)->refs;
    }
}

bool kernel_area_usage(const struct kernel *k, uint16_t pid, size_t i, struct area_usage *usage)
{
    const struct process *p = process_find(k, pid);
    const struct area *a = p ? areas_at(&p->areas, i) : NULL;
    if (a)
        area_use(k, p, a, usage);
    return a;
}

bool frame_blank(const struct kernel *k, pfn_t pfn)
{
    static const uint8_t blank[PAGE_SIZE];
    return memcmp(ram_frame(k->ram, pfn), blank, PAGE_SIZE) == 0;
}

uint64_t kernel_huge_waste(const struct kernel *k, uint16_t pid)
{
    const struct process *p = process_find(k, pid);
    struct pt_step step;
    uint64_t pages = 0;
    for (va_t va = 0; p && p->huge && pgtable_step(k, p, &va, TASK_SIZE, &step);
         va = align_down(va, HUGE_SIZE) + HUGE_SIZE) {
        if (!step.huge || pte_pfn(step.huge) == k->huge_zero)
            continue;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            pages += frame_blank(k, pte_pfn(step.huge) + i);
    }
    return pages;
}

static void area_copy_out(const struct kernel *k, const struct process *p, const struct area *a,
                          struct area_info *info)
{
    struct area_usage usage;
    area_use(k, p, a, &usage);
    *info = (struct area_info){
        .start = a->start,
        .end = a->end,
        .prot = a->flags & VM_ACCESS,
        .flags = area_map_flags(a),
        .name = area_name(p, a),
        .offset = (a->file && a->file->inode) || a->object ? a->pgoff << PAGE_SHIFT : 0,
        .resident = usage.resident,
    };
}

bool kernel_area(const struct kernel *k, uint16_t pid, size_t i, struct area_info *info)
{
    const struct process *p = process_find(k, pid);
    const struct area *a = p ? areas_at(&p->areas, i) : NULL;
    if (a)
        area_copy_out(k, p, a, info);
    return a;
}

bool kernel_area_at(const struct kernel *k, uint16_t pid, va_t va, struct area_info *info)
{
    const struct process *p = process_find(k, pid);
    const struct area *a = p ? areas_find(&p->areas, va) : NULL;
    if (a)
        area_copy_out(k, p, a, info);
    return a;
}

void kernel_frame(const struct kernel *k, pfn_t pfn, struct frame_info *info)
{
    const struct frame *frame = frames_at(k->frames, pfn);
    *info = (struct frame_info){.use = FRAME_FREE};
    if (pfn < k->frames->reserved)
        info->use = FRAME_RESERVED;
    if (!frame)
        return;
    *info = (struct frame_info){.use = frame->use,
                                .pid = frame->pid,
                                .level = frame->level,
                                .va = frame->va,
                                .refs = frame->refs};
}

uint64_t kernel_frames_free(const struct kernel *k)
{
    return k->frames->free;
}

uint64_t kernel_free_blocks(const struct kernel *k, unsigned order)
{
    return order < FRAME_ORDERS ? k->frames->blocks[order] : 0;
}

void kernel_memory(const struct kernel *k, struct memory_info *info)
{
    *info = (struct memory_info){
        .frames = k->frames->total,
        .reserved = k->frames->reserved,
        .free = k->frames->free,
        .anon = k->frames_of[FRAME_ANON],
        .shared = k->frames_of[FRAME_SHARED],
        .files = k->frames_of[FRAME_FILE],
        .dirty = k->dirty,
        .tables = k->frames_of[FRAME_TABLE],
        .limit = k->reclaim.limit,
        .mark_min = k->reclaim.min,
        .mark_low = k->reclaim.low,
        .mark_high = k->reclaim.high,
        .swap_slots = k->swap.slots,
        .swap_made = k->swap.made,
        .swap_used = k->swap.used,
        .swap_peak = k->swap.peak,
        .swap_cached = k->swap.cached,
    };
}

int kernel_fragmentation_index(const struct kernel *k, unsigned order)
{
    return frames_fragmentation_index(k->frames, order);
}

unsigned kernel_unusable_index(const struct kernel *k, unsigned order)
{
    return frames_unusable_index(k->frames, order);
}

bool kernel_mapping(const struct kernel *k, pfn_t pfn, size_t i, uint16_t *pid, va_t *va)
{
    const struct frame *frame = frames_at(k->frames, pfn);
    mapping_t m = frame ? rmap_at(frame, i) : 0;
    *pid = mapping_pid(m);
    *va = mapping_va(m);
    return m;
}

bool kernel_regs(const struct kernel *k, uint16_t pid, struct mmu_regs *regs)
{
    const struct process *p = process_find(k, pid);
    if (!p || p->root == PFN_NONE)
        return false;
    *regs = *mmu_regs_now(k->cpus[0].mmu);
    regs->cr3 = p->root << PAGE_SHIFT;
    regs->cpl = 3;
    return true;
}

/* ---- invariants ---- */

/* What is gathered on a walk over everything, to be compared with what was counted on the way. */
struct census {
    const struct kernel *k;
    const struct process *p; /* NULL: the kernel half's own root */
    char *why;
    size_t size;
    uint64_t tables;   /* of p */
    uint64_t resident; /* of p */
    uint64_t huge;     /* of p: entries that map 2 MiB */
    uint64_t spares;   /* of p: tables kept for their splitting */
    uint64_t swapped;  /* entries of p that name a swap slot */
    uint64_t pages;    /* frames that hold pages */
    uint64_t refs;     /* entries of all tables that map frames with metadata */
    uint64_t mix;      /* a sum over them that also says which frames */
};

static uint64_t mix_of(pfn_t pfn)
{
    uint64_t h = (pfn + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

#define WRONG(c, ...)                                                                              \
    do {                                                                                           \
        snprintf((c)->why, (c)->size, __VA_ARGS__);                                                \
        return false;                                                                              \
    } while (0)

typedef unsigned long long ull;

static void census_ref(struct census *c, pfn_t pfn)
{
    if (!frames_at(c->k->frames, pfn))
        return;
    c->refs++;
    c->mix += mix_of(pfn);
}

/* Does the reverse map of the frame know this entry? */
static bool mapped_back(const struct census *c, const struct frame *frame, va_t va)
{
    mapping_t wanted = mapping_make(c->p->pid, va), m;
    for (size_t i = 0; (m = rmap_at(frame, i)); i++)
        if (m == wanted)
            return true;
    return c->k->mappings_lost && rmap_count(frame) < frame->refs;
}

/* One page of a process, as its entry and the frame show it, against its area and its frame. */
static bool page_check(struct census *c, va_t va, pfn_t pfn, pte_t entry)
{
    const struct area *a = areas_find(&c->p->areas, va);
    if (!a)
        WRONG(c, "pid %u: page %#llx is mapped outside all areas", c->p->pid, (ull)va);
    if (pte_swapped(entry)) {
        struct swap_info slot;
        if (!kernel_swap_slot(c->k, pte_swap_slot(entry), &slot) || !slot.used)
            WRONG(c, "pid %u: page %#llx names swap slot %u, which is free", c->p->pid, (ull)va,
                  pte_swap_slot(entry));
        c->swapped++;
        return true;
    }
    if (!pte_held(entry))
        return true; /* a guard */
    const struct frame *frame = frames_at(c->k->frames, pfn);
    pte_t allowed = area_pte(a, true);
    if ((entry & PTE_RW) > (allowed & PTE_RW) || (entry & PTE_XD) != (allowed & PTE_XD) ||
        (entry & PTE_P) != (allowed & PTE_P) || !(entry & PTE_US))
        WRONG(c, "pid %u: page %#llx: entry %#llx against the area's rights %#x", c->p->pid,
              (ull)va, (ull)entry, a->flags & VM_ACCESS);
    if (!frame || (!frame_holds_page(frame->use) && !pfn_is_zero(c->k, pfn)))
        WRONG(c, "pid %u: page %#llx: frame %#llx is not a page's", c->p->pid, (ull)va, (ull)pfn);
    if (pfn_is_zero(c->k, pfn) && (entry & PTE_RW))
        WRONG(c, "pid %u: page %#llx: the zero frame may be written", c->p->pid, (ull)va);
    if (frame->alone && (frame->refs != 1 || frame->pid != c->p->pid || frame->va != va))
        WRONG(c, "frame %#llx: says %u %#llx, mapped by pid %u at %#llx", (ull)pfn, frame->pid,
              (ull)frame->va, c->p->pid, (ull)va);
    if (frame->use == FRAME_FILE && (entry & PTE_RW) && (!frame->dirty || !(a->flags & VM_SHARED)))
        WRONG(c, "pid %u: page %#llx: a clean or private page of a file may be written", c->p->pid,
              (ull)va);
    c->resident += !pfn_is_zero(c->k, pfn);
    if (!pfn_is_zero(c->k, pfn) && !mapped_back(c, frame, va))
        WRONG(c, "frame %#llx: the reverse map does not know page %#llx of pid %u", (ull)pfn,
              (ull)va, c->p->pid);
    census_ref(c, pfn);
    return true;
}

/* An entry of level 2 that maps 2 MiB: all of it lies in one area. */
static bool huge_check(struct census *c, va_t va, pte_t entry)
{
    const struct area *a = areas_find(&c->p->areas, va);
    if (!a || va + HUGE_SIZE > a->end || (a->flags & VM_SHARED))
        WRONG(c, "pid %u: huge page %#llx is not in one private area", c->p->pid, (ull)va);
    c->huge++;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        if (!page_check(c, va + i * PAGE_SIZE, pte_pfn(entry) + i, entry))
            return false;
    return true;
}

static bool table_check(struct census *c, pfn_t table, unsigned level, va_t va);

static bool entry_check(struct census *c, unsigned level, va_t va, pte_t entry)
{
    if (level == 1)
        return va > TASK_SIZE || page_check(c, va, pte_pfn(entry), entry);
    if (entry & PTE_PS)
        return va > TASK_SIZE || (level == 2 && huge_check(c, va, entry));
    census_ref(c, pte_pfn(entry));
    if (va > TASK_SIZE && c->p)
        return true; /* the kernel half is walked once, from its own root */
    return table_check(c, pte_pfn(entry), level - 1, va);
}

/* A table of level 2 keeps an empty table for each huge page below it, and no other. */
static bool spares_check(struct census *c, const struct frame *meta, pfn_t table)
{
    const struct kernel *k = c->k;
    for (uint32_t link = meta->next; link; link = frames_at(k->frames, link - 1)->next) {
        const struct frame *spare = frames_at(k->frames, link - 1);
        pte_t entry = ram_read64(k->ram, entry_at(table, spare->va, 2));
        if (!spare->spare || spare->use != FRAME_TABLE || spare->used || !pte_huge(entry))
            WRONG(c, "frame %#x: not the spare table of a huge page", link - 1);
        c->tables++;
        c->spares++;
    }
    return true;
}

static bool table_check(struct census *c, pfn_t table, unsigned level, va_t va)
{
    const struct frame *meta = frames_at(c->k->frames, table);
    if (!meta || meta->use != FRAME_TABLE || meta->level != level || meta->va != va ||
        meta->pid != (c->p ? c->p->pid : 0))
        WRONG(c, "frame %#llx: not marked as the table of level %u for %#llx", (ull)table, level,
              (ull)va);
    unsigned used = 0;
    c->tables++;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        pte_t entry = ram_read64(c->k->ram, (table << PAGE_SHIFT) + i * sizeof(pte_t));
        if (!entry)
            continue;
        used++;
        va_t at = va + i * level_span(level);
        at = at >> 47 & 1 ? at | UINT64_C(0xffff800000000000) : at;
        if (!entry_check(c, level, at, entry))
            return false;
    }
    if (level == 2 && !spares_check(c, meta, table))
        return false;
    if (used != meta->used)
        WRONG(c, "table %#llx: %u entries used, counted %u", (ull)table, used, meta->used);
    return true;
}

static bool areas_check(struct census *c)
{
    uint64_t pages = 0, locked = 0;
    va_t end = 0;
    for (size_t i = 0; i < c->p->areas.count; i++) {
        const struct area *a = c->p->areas.at[i];
        if (a->start < end || a->end <= a->start || (a->start | a->end) & PAGE_MASK ||
            a->end > TASK_SIZE)
            WRONG(c, "pid %u: area %#llx-%#llx is out of order", c->p->pid, (ull)a->start,
                  (ull)a->end);
        if (!(a->flags & VM_SHARED) != !a->object && !area_inode(a))
            WRONG(c, "pid %u: area %#llx: shared without an object", c->p->pid, (ull)a->start);
        end = a->end;
        pages += area_pages(a);
        locked += a->flags & VM_LOCKED ? area_pages(a) : 0;
    }
    if (pages != c->p->pages || locked != c->p->locked)
        WRONG(c, "pid %u: %llu pages in areas, %llu locked; counted %llu and %llu", c->p->pid,
              (ull)pages, (ull)locked, (ull)c->p->pages, (ull)c->p->locked);
    return true;
}

static bool process_check(struct census *c)
{
    c->tables = c->resident = c->huge = c->spares = c->swapped = 0;
    if (!areas_check(c))
        return false;
    if (c->p->root != PFN_NONE && !table_check(c, c->p->root, pt_levels(c->k), 0))
        return false;
    if (c->tables != c->p->tables || c->resident != c->p->resident || c->swapped != c->p->swapped)
        WRONG(c,
              "pid %u: %llu tables, %llu resident and %llu swapped pages; counted %llu, %llu, %llu",
              c->p->pid, (ull)c->tables, (ull)c->resident, (ull)c->swapped, (ull)c->p->tables,
              (ull)c->p->resident, (ull)c->p->swapped);
    if (c->huge != c->p->huge || c->spares != c->huge)
        WRONG(c, "pid %u: %llu huge pages and %llu spare tables; counted %llu", c->p->pid,
              (ull)c->huge, (ull)c->spares, (ull)c->p->huge);
    return true;
}

/* Every frame in use is mapped, or is a root, or is held by an object; as often as it says. */
static bool refs_check(struct census *c)
{
    const struct frames *f = c->k->frames;
    uint64_t refs = 0, mix = 0;
    for (pfn_t pfn = 0; pfn < f->total; pfn++) {
        const struct frame *frame = frames_at(f, pfn);
        if (!frame) {
            pfn |= CHUNK_FRAMES - 1;
            continue;
        }
        refs += frame->refs;
        mix += frame->refs * mix_of(pfn);
        bool root = frame->use == FRAME_TABLE && frame->level == pt_levels(c->k);
        c->pages += frame_holds_page(frame->use);
        if (frame->use > FRAME_RESERVED && !frame->refs && !frame->cached && !frame->slot &&
            !root && !frame->spare)
            WRONG(c, "frame %#llx (%s) is lost: nothing maps it", (ull)pfn,
                  frame_use_name[frame->use]);
        if (frame->use != FRAME_TABLE && !pfn_is_zero(c->k, pfn) &&
            rmap_count(frame) != frame->refs && !c->k->mappings_lost)
            WRONG(c, "frame %#llx: %u entries map it, the reverse map has %zu", (ull)pfn,
                  frame->refs, rmap_count(frame));
    }
    if (refs != c->refs || mix != c->mix)
        WRONG(c, "%llu entries map frames, counted %llu", (ull)c->refs, (ull)refs);
    return true;
}

bool kernel_check(const struct kernel *k, char *why, size_t size)
{
    struct census c = {.k = k, .why = why, .size = size};
    if (!frames_check(k->frames, why, size) || !table_check(&c, k->root, pt_levels(k), 0))
        return false;
    for (size_t i = 0; i < k->process_count; i++) {
        c.p = k->process[i];
        if (!process_check(&c))
            return false;
    }
    if (!refs_check(&c) || !swap_check(k, why, size) || !files_check(k, why, size))
        return false;
    if (c.pages != k->counters.frames_data)
        WRONG(&c, "%llu frames hold pages, counted %llu", (ull)c.pages,
              (ull)k->counters.frames_data);
    return true;
}
