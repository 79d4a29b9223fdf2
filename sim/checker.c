/* checker.c: does the machine agree with itself? Every layer is held against the one below.
 *
 *   live blocks ──▶ heap's chunks      areas ──▶ entries ──▶ frames (kernel_check)
 *                                      TLB lines ──▶ entries
 */
#include "sim/inspect.h"
#include "sim/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool say(char *why, size_t size, const char *what, va_t va)
{
    snprintf(why, size, "%s at 0x%" PRIx64, what, va);
    return false;
}

/* A line may know less than the tables (it learns D late), never more. offset: of the 4 KiB page
 * looked at, in what the line maps. */
static bool check_page(const struct sim *s, unsigned cpu, const struct tlb_line *line,
                       uint64_t offset, char *why, size_t size)
{
    struct walk walk;
    va_t va = (line->vpn << PAGE_SHIFT) + offset;
    if (va >> 47)
        va |= UINT64_C(0xffff) << 48;
    struct mmu_regs regs = *mmu_regs_now(s->m->cpu[cpu].mmu);
    if (!kernel_tlb_root(s->m->kernel, cpu, line->pcid, &regs.cr3))
        return true;
    walk_read(s->ram, &regs, va, &walk);
    if (!walk.present)
        return say(why, size, "the TLB holds a page that no table maps", va);
    if (walk.to.pa != (line->pfn << PAGE_SHIFT) + offset ||
        walk.to.page_size != tlb_line_page(line))
        return say(why, size, "the TLB and the tables name different frames", va);
    if (line->flags & ~walk.to.flags & ~(uint32_t)TLB_RUN)
        return say(why, size, "the TLB allows more than the tables", va);
    return true;
}

static bool check_line(const struct sim *s, unsigned cpu, const struct tlb_line *line, char *why,
                       size_t size)
{
    uint64_t end = line->flags & TLB_RUN ? line->page_size : PAGE_SIZE;
    for (uint64_t offset = 0; offset < end; offset += PAGE_SIZE)
        if (!check_page(s, cpu, line, offset, why, size))
            return false;
    return true;
}

static bool check_tlbs(const struct sim *s, unsigned cpu, char *why, size_t size)
{
    for (unsigned level = 0; level < TLB_ARRAYS; level++) {
        const struct tlb_config *c = mmu_tlb_config(s->m->cpu[cpu].mmu, level);
        for (uint32_t i = 0; i < c->sets * c->ways; i++) {
            struct tlb_line line;
            mmu_tlb_line(s->m->cpu[cpu].mmu, level, i / c->ways, i % c->ways, &line);
            if (line.valid && !check_line(s, cpu, &line, why, size))
                return false;
        }
    }
    return true;
}

/* ---- heap against the program's own memory of its blocks ---- */

struct used_blocks {
    struct heap_chunk *chunk; /* used ones, sorted by block */
    size_t count, room;
    bool no_memory;
};

static void note_chunk(void *ctx, const struct heap_chunk *c)
{
    struct used_blocks *u = ctx;
    if (!c->used || u->no_memory)
        return;
    if (u->count == u->room) {
        size_t room = u->room ? 2 * u->room : 64;
        struct heap_chunk *more = realloc(u->chunk, room * sizeof(*more));
        if (!more) {
            u->no_memory = true;
            return;
        }
        u->chunk = more;
        u->room = room;
    }
    u->chunk[u->count++] = *c;
}

static int by_block(const void *a, const void *b)
{
    const struct heap_chunk *x = a;
    const struct heap_chunk *y = b;
    return (x->block > y->block) - (x->block < y->block);
}

struct block_search {
    const struct used_blocks *used;
    uint16_t pid;
    va_t wrong; /* a live block that the heap does not hold */
};

static void find_block(void *ctx, const struct block_info *b)
{
    struct block_search *search = ctx;
    if (b->pid != search->pid || !b->start || search->wrong)
        return;
    struct heap_chunk key = {.block = b->start};
    const struct heap_chunk *found =
        bsearch(&key, search->used->chunk, search->used->count, sizeof(key), by_block);
    if (!found || found->usable < b->size)
        search->wrong = b->start;
}

static bool check_heap(const struct sim *s, const struct program *p, char *why, size_t size)
{
    const struct heap *h = p->heap;
    if (!h->ops->check(h, why, size))
        return false;
    struct used_blocks used = {0};
    bool adds_up = heap_walk(h, note_chunk, &used);
    struct block_search search = {&used, p->pid, 0};
    if (adds_up && !used.no_memory && used.count)
        qsort(used.chunk, used.count, sizeof(used.chunk[0]), by_block);
    if (adds_up && !used.no_memory)
        block_each(s->m, find_block, &search);
    free(used.chunk);
    if (!adds_up)
        return say(why, size, "the heap's headers do not add up", 0);
    if (search.wrong)
        return say(why, size, "the heap does not hold a live block", search.wrong);
    return true;
}

bool inspect_check(const struct sim *s, char *why, size_t size)
{
    if (!kernel_check(s->m->kernel, why, size))
        return false;
    for (unsigned i = 0; i < s->config.cpus; i++)
        if (!check_tlbs(s, i, why, size))
            return false;
    for (size_t i = 0; i < s->m->programs; i++) {
        const struct program *p = s->m->program[i];
        if (p->heap && !p->dead && !check_heap(s, p, why, size))
            return false;
    }
    return true;
}
