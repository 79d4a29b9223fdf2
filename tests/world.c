/* world.c: a small machine for tests of the MMU. */
#include "tests/world.h"

#include "sim/base/check.h"

#include <string.h>

#define ROOT (PAGE_SIZE * 1)

struct mmu_config world_config(void)
{
    return (struct mmu_config){.tlb = {{16, 4, REPL_LRU, 1}, {128, 12, REPL_LRU, 7}},
                               .walk_read_cycles = 14,
                               .data_cycles = 4,
                               .maxphyaddr = 46,
                               .front_cache = true};
}

void world_open(struct world *w, const struct mmu_config *config, uint64_t ram_bytes)
{
    memset(w, 0, sizeof(*w));
    struct arena *arena = arena_new(GIB);
    CHECK(arena);
    w->env = arena_alloc(arena, sizeof(*w->env));
    CHECK(w->env);
    *w->env = (struct env){.rng = {7}, .bus = &w->bus, .arena = arena};
    w->ram = ram_new(ram_bytes);
    w->mmu = mmu_new(w->env, w->ram, config);
    CHECK(w->ram && w->mmu);
    w->root = ROOT;
    w->next = (ROOT >> PAGE_SHIFT) + 1;
    CHECK(mmu_write_cr3(w->mmu, ROOT));
    mmu_regs(w->mmu)->cpl = 3;
}

void world_close(struct world *w)
{
    ram_destroy(w->ram);
    arena_destroy(w->env->arena);
}

pa_t world_entry(struct world *w, pa_t root, va_t va, unsigned level)
{
    pa_t table = root;
    for (unsigned at = mmu_levels(mmu_regs(w->mmu)); at > level; at--) {
        pa_t entry = table + 8 * (pa_t)va_index(va, at);
        if (!ram_read64(w->ram, entry))
            ram_write64(w->ram, entry, pte_make(w->next++, PTE_P | PTE_RW | PTE_US));
        table = ram_read64(w->ram, entry) & PTE_FRAME;
    }
    return table + 8 * (pa_t)va_index(va, level);
}

void world_map(struct world *w, va_t va, unsigned level, pfn_t pfn, pte_t more)
{
    pte_t size = level > 1 ? PTE_PS : 0;
    ram_write64(w->ram, world_entry(w, w->root, va, level),
                pte_make(pfn, PTE_P | PTE_RW | PTE_US | size | more));
}

static void hear(void *ctx, const struct event *e)
{
    struct world *w = ctx;
    if (w->heard < WORLD_HEARD)
        w->event[w->heard] = *e;
    w->heard++;
}

void world_listen(struct world *w)
{
    w->bus.on = true;
    w->bus.count = 1;
    w->bus.listener[0] = (struct listener){hear, w};
    w->heard = 0;
}

const char *world_story(struct world *w)
{
    static char text[WORLD_HEARD * 16];
    text[0] = '\0';
    for (uint32_t i = 0; i < w->heard && i < WORLD_HEARD; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof(text) - length, "%s%s", i ? " " : "",
                 event_info[w->event[i].kind].name);
    }
    return text;
}

bool world_access(struct world *w, va_t va, enum access how, struct mmu_fault *fault)
{
    *fault = (struct mmu_fault){0};
    return mmu_access(w->mmu, va, NULL, 1, how, fault);
}
