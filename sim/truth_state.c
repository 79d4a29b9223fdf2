/* truth_state.c: what a replay for comparison tells of its end: system calls, chunks, pages, areas
 * and figures.
 */
#include "sim/truth_state.h"

#include "alloc/glibc.h"

#include <inttypes.h>
#include <string.h>

/* ---- system calls ---- */

static void add_address(struct player *p, struct text *t, const char *before, va_t at)
{
    char text[32];
    text_add(t, "%s%s", before, truth_address(p->o, at, text));
}

static void add_arguments(struct player *p, struct text *t, uint64_t nr, const uint64_t a[6])
{
    if (nr == LX_NR_brk || nr == LX_NR_mmap || nr == LX_NR_munmap || nr == LX_NR_mremap ||
        nr == LX_NR_mprotect || nr == LX_NR_madvise)
        add_address(p, t, " ", a[0]);
    switch (nr) {
    case LX_NR_mmap:
        text_add(t, " %" PRIu64 " prot=%" PRIu64 " flags=0x%" PRIx64, a[1], a[2], a[3]);
        break;
    case LX_NR_munmap:
        text_add(t, " %" PRIu64, a[1]);
        break;
    case LX_NR_mremap:
        text_add(t, " %" PRIu64 " %" PRIu64 " flags=%" PRIu64, a[1], a[2], a[3]);
        break;
    case LX_NR_mprotect:
    case LX_NR_madvise:
        text_add(t, " %" PRIu64 " %" PRIu64, a[1], a[2]);
        break;
    default:
        break;
    }
}

void truth_sys_line(struct player *p, uint64_t nr, const uint64_t arg[6], int64_t result)
{
    struct text *t = &p->t->text[TRUTH_SYS];
    text_add(t, "%" PRIu64 " %s", p->op, lx_syscall_name(nr));
    add_arguments(p, t, nr, arg);
    if (lx_failed(result))
        text_add(t, " = -E%" PRIi64 "\n", -result);
    else if (nr == LX_NR_brk || nr == LX_NR_mmap || nr == LX_NR_mremap) {
        add_address(p, t, " = ", (va_t)result);
        text_add(t, "\n");
    } else
        text_add(t, " = %" PRIi64 "\n", result);
}

/* ---- chunks ---- */

static va_t break_now(const struct player *p)
{
    struct process_info info;
    kernel_process(p->m->kernel, p->pid, &info);
    return info.brk;
}

/* From the initial break on, header by header, whatever stands there. */
static void add_walk(struct player *p)
{
    struct text *t = &p->t->text[TRUTH_WALK];
    va_t at = align_up(p->o->heap0, 16), end = break_now(p);
    text_add(t, "%s", "");
    while (at + HDR_SZ <= end) {
        uint64_t word = heap_peek64(p->heap, at + CHUNK_SIZE), size = word & ~SIZE_BITS;
        text_add(t, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", at - p->o->heap0, size,
                 word & SIZE_BITS);
        if (size < HDR_SZ)
            break;
        at += size;
    }
}

/* ---- pages ---- */

struct pages {
    uint64_t present, frames; /* frames: without the shared page of zeroes */
};

static bool present(const struct player *p, va_t at, bool *zero, va_t *next)
{
    struct mmu_regs regs;
    struct walk walk;
    *next = at + PAGE_SIZE;
    if (!kernel_regs(p->m->kernel, p->pid, &regs))
        return false;
    walk_read(p->m->ram, &regs, at, &walk);
    *zero = false;
    if (!walk.present) {
        if (walk.steps < 4) /* a table is missing: all that it would map is */
            *next = align_down(at, 2 * MIB) + 2 * MIB;
        return false;
    }
    struct frame_info f;
    kernel_frame(p->m->kernel, walk.to.pa >> PAGE_SHIFT, &f);
    *zero = f.use != FRAME_ANON;
    return true;
}

static void add_run(struct player *p, va_t start, uint64_t run)
{
    struct text *t = &p->t->text[TRUTH_PAGES];
    if (!run)
        return;
    add_address(p, t, "", start);
    text_add(t, " %" PRIu64 "\n", run);
}

/* Runs of present pages of one area into the text; their numbers. */
static struct pages scan_area(struct player *p, const struct area_info *a)
{
    struct pages n = {0, 0};
    uint64_t run = 0;
    va_t start = 0;
    for (va_t at = a->start, next; at < a->end; at = next) {
        bool zero;
        if (present(p, at, &zero, &next)) {
            start = run ? start : at;
            run++;
            n.present++;
            n.frames += !zero;
        } else {
            add_run(p, start, run);
            run = 0;
        }
    }
    add_run(p, start, run);
    return n;
}

/* ---- the summary ---- */

/* What the native replay had in memory before the first op, in KiB, besides its arrays. */
#define BASE_RSS_KB  11760u
#define BASE_ANON_KB 9680u
#define BASE_DATA_KB 9520u

static uint64_t array_kb(uint64_t bytes)
{
    uint64_t size = max_u64(align_up(bytes, PAGE_SIZE), PAGE_SIZE);
    return (size % (2 * MIB) ? size : size + PAGE_SIZE) / KIB;
}

/* Its arrays: an op of 24 bytes for each line, a result of 16 for each op, a pointer and a size
 * for each id. */
static uint64_t arrays_kb(const struct player *p)
{
    uint64_t ids = p->id_max + 1;
    return array_kb(p->lines * 24) + array_kb(p->lines * 16) + 2 * array_kb(ids * 8);
}

struct sums {
    uint64_t heap_size, heap_rss, mmap_size, mmap_rss, mmap_areas;
};

static bool is_heap(const struct area_info *a)
{
    return strcmp(a->name, "[heap]") == 0;
}

static void add_area(struct player *p, struct text *t, const struct area_info *a, bool first,
                     struct sums *s)
{
    uint64_t rss = 4 * scan_area(p, a).frames, kb = (a->end - a->start) / KIB;
    bool heap = is_heap(a);
    if (heap) {
        s->heap_size += kb;
        s->heap_rss += rss;
    } else {
        s->mmap_size += kb;
        s->mmap_rss += rss;
        s->mmap_areas++;
    }
    add_address(p, t, first ? "\n  {\"start\":\"" : ",\n  {\"start\":\"", a->start);
    text_add(t,
             "\",\"size\":%" PRIu64 ",\"prot\":\"%c%c%c%c\",\"rss_kb\":%" PRIu64
             ",\"anon_kb\":%" PRIu64 ",\"thp_kb\":0%s}",
             a->end - a->start, a->prot & LX_PROT_READ ? 'r' : '-',
             a->prot & LX_PROT_WRITE ? 'w' : '-', a->prot & LX_PROT_EXEC ? 'x' : '-',
             a->flags & LX_MAP_SHARED ? 's' : 'p', rss, rss, heap ? ",\"heap\":true" : "");
}

/* Areas of the heap and below mmap_low, and their pages. */
static void add_areas(struct player *p, struct text *t, struct sums *s)
{
    struct area_info a;
    bool first = true;
    text_add(&p->t->text[TRUTH_PAGES], "%s", "");
    for (size_t i = 0; kernel_area(p->m->kernel, p->pid, i, &a); i++) {
        if (!is_heap(&a) && (a.start < p->o->heap0 || a.start >= p->o->mmap_low))
            continue;
        add_area(p, t, &a, first, s);
        first = false;
    }
}

static void add_mallinfo(struct player *p, struct text *t)
{
    struct glibc_mallinfo m;
    glibc_mallinfo2(p->heap, &m);
    text_add(t,
             "\"mallinfo2\":{\"arena\":%" PRIu64 ",\"ordblks\":%" PRIu64 ",\"smblks\":%" PRIu64
             ",\"hblks\":%" PRIu64 ",\"hblkhd\":%" PRIu64 ",\"fsmblks\":%" PRIu64
             ",\"uordblks\":%" PRIu64 ",\"fordblks\":%" PRIu64 ",\"keepcost\":%" PRIu64 "},",
             m.arena, m.ordblks, m.smblks, m.hblks, m.hblkhd, m.fsmblks, m.uordblks, m.fordblks,
             m.keepcost);
}

static void add_summary(struct player *p, uint64_t ops)
{
    struct text *t = &p->t->text[TRUTH_SUMMARY], areas = {0};
    struct sums s = {0};
    struct process_info info;
    kernel_process(p->m->kernel, p->pid, &info);
    text_add(&areas, "%s", "");
    add_areas(p, &areas, &s);
    uint64_t own = arrays_kb(p), rss = s.heap_rss + s.mmap_rss;
    uint64_t base = BASE_RSS_KB + (p->o->traced ? PAGE_SIZE / KIB : 0) + own;
    uint64_t peak = 4 * (p->resident_peak - p->resident0);
    text_add(t,
             "{\"snapshots\":[],\n\"nops\":%" PRIu64 ",\"minflt\":%" PRIu64
             ",\"heap0\":\"0x%" PRIx64 "\",\"mmap_low\":\"0x%" PRIx64 "\",\"brk_end\":%" PRIu64
             ",\"vmpte_before_kb\":%" PRIu64 ",\"vmpte_after_kb\":%" PRIu64,
             ops, p->faults, p->o->heap0, p->o->mmap_low, info.brk - p->o->heap0,
             4 * (p->tables0 - 1), 4 * (info.tables - 1));
    text_add(t,
             ",\"vmrss_kb\":%" PRIu64 ",\"rssanon_kb\":%" PRIu64 ",\"vmhwm_kb\":%" PRIu64
             ",\"vmdata_kb\":%" PRIu64 ",",
             base + rss, BASE_ANON_KB + own + rss, base + max_u64(rss, peak),
             BASE_DATA_KB + own + s.heap_size + s.mmap_size);
    add_mallinfo(p, t);
    text_add(t, "\"vmas\":[");
    for (size_t at = 0; at < areas.size; at += 256)
        text_add(t, "%.256s", areas.bytes + at);
    text_add(t,
             "],\"heap_size_kb\":%" PRIu64 ",\"heap_rss_kb\":%" PRIu64 ",\"mmap_size_kb\":%" PRIu64
             ",\"mmap_rss_kb\":%" PRIu64 ",\"mmap_vmas\":%" PRIu64 ",\"end\":0}\n",
             s.heap_size, s.heap_rss, s.mmap_size, s.mmap_rss, s.mmap_areas);
    text_free(&areas);
}

void truth_state(struct player *p, uint64_t ops)
{
    add_walk(p);
    truth_arena(p);
    add_summary(p, ops);
}
