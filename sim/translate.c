/* translate.c: one access at a time through an MMU with the smallest TLB there can be.
 *
 * What the access did is heard from the MMU's own events. A TLB of a few ways is enough for the two
 * pages of an access, and is emptied by invalidating just these.
 */
#include "sim/translate.h"

#include "sim/base/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT (16 * MIB)

struct translator {
    struct bus bus;
    struct arena *arena;
    struct env *env;
    struct ram *ram;
    struct mmu *mmu;
    struct translate_result *result;
};

/* ---- what the access did ---- */

/* An entry may be marked twice, where tables are shared between levels or pages. */
static void note_entry(struct translate_result *r, pa_t pa, pte_t before, pte_t after)
{
    size_t i = 0;
    while (i < r->entries && r->entry[i].pa != pa)
        i++;
    if (i == r->entries)
        r->entry[r->entries++] = (struct changed_entry){pa, before, 0};
    r->entry[i].after = after;
}

static void hear(void *ctx, const struct event *e)
{
    struct translate_result *r = ((struct translator *)ctx)->result;
    if (e->kind == EV_entry_mark)
        note_entry(r, e->entry_mark.pa, e->entry_mark.before, e->entry_mark.after);
    else if (e->kind == EV_ept_mark)
        note_entry(r, e->ept_mark.pa, e->ept_mark.before, e->ept_mark.after);
    else if (e->kind == EV_data)
        r->pa[r->pieces++] = e->data.pa;
}

/* ---- life ---- */

static bool start(struct translator *t)
{
    static const struct mmu_config config = {.tlb = {{1, 4, REPL_LRU, 0}}, .maxphyaddr = 52};
    t->arena = arena_new(ARENA_LIMIT);
    t->env = t->arena ? arena_alloc(t->arena, sizeof(*t->env)) : NULL;
    if (!t->env)
        return false;
    *t->env = (struct env){.rng = {1}, .bus = &t->bus, .arena = t->arena};
    t->bus = (struct bus){.on = true, .count = 1, .listener = {{hear, t}}};
    t->mmu = mmu_new(t->env, t->ram, &config);
    return t->mmu != NULL;
}

struct translator *translator_new(struct ram *ram)
{
    struct translator *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->ram = ram;
    if (start(t))
        return t;
    translator_free(t);
    return NULL;
}

void translator_free(struct translator *t)
{
    if (!t)
        return;
    if (t->arena)
        arena_destroy(t->arena);
    free(t);
}

struct mmu_regs translate_regs(void)
{
    return (struct mmu_regs){.cr0 = 0x80010033, /* PG WP NE ET MP PE */
                             .cr4 = CR4_PAE,
                             .efer = 0xd01, /* NXE LMA LME SCE */
                             .pat = PAT_RESET,
                             .maxphyaddr = 46,
                             .cpl = 3};
}

/* ---- an access ---- */

static void put_back(struct translator *t)
{
    for (size_t i = t->result->entries; i-- > 0;)
        ram_write64(t->ram, t->result->entry[i].pa, t->result->entry[i].before);
}

void translator_access(struct translator *t, const struct mmu_regs *regs, va_t va, size_t size,
                       enum access how, struct translate_result *r)
{
    r->pieces = 0;
    r->entries = 0;
    t->result = r;
    *mmu_regs(t->mmu) = *regs;
    r->allowed = mmu_access(t->mmu, va, NULL, size, how, &r->fault);
    mmu_invlpg(t->mmu, va);
    mmu_invlpg(t->mmu, va + size - 1);
    put_back(t);
}

/* ---- an image of RAM ---- */

static bool all_zero(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, PAGE_SIZE - 1) == 0;
}

static enum err read_frames(struct ram *ram, FILE *in, const char *path, struct error *e)
{
    uint8_t frame[PAGE_SIZE] = {0};
    for (pfn_t pfn = 0; pfn < ram_size(ram) >> PAGE_SHIFT; pfn++) {
        size_t n = fread(frame, 1, PAGE_SIZE, in);
        if (ferror(in))
            return error_set(e, ERR_IO, path, 0, NULL, "cannot be read: %s", strerror(errno));
        memset(frame + n, 0, PAGE_SIZE - n);
        if (!all_zero(frame))
            memcpy(ram_frame_write(ram, pfn), frame, PAGE_SIZE);
    }
    return ERR_NONE;
}

static enum err size_of(FILE *in, const char *path, uint64_t *size, struct error *e)
{
    long end = fseek(in, 0, SEEK_END) == 0 ? ftell(in) : -1;
    if (end < 0 || fseek(in, 0, SEEK_SET) != 0)
        return error_set(e, ERR_IO, path, 0, NULL, "is not a file of bytes: %s", strerror(errno));
    if (end == 0)
        return error_set(e, ERR_VALUE, path, 0, NULL, "is empty");
    *size = align_up((uint64_t)end, PAGE_SIZE);
    return ERR_NONE;
}

enum err translate_ram(struct ram **ram, const char *path, struct error *e)
{
    uint64_t size = 0;
    FILE *in = fopen(path, "rb");
    if (!in)
        return error_set(e, ERR_IO, path, 0, NULL, "cannot be opened: %s", strerror(errno));
    enum err err = size_of(in, path, &size, e);
    *ram = err ? NULL : ram_new(size);
    if (!err && !*ram)
        err = error_set(e, ERR_MEMORY, path, 0, NULL, "no host memory for an image of this size");
    if (!err)
        err = read_frames(*ram, in, path, e);
    if (err && *ram)
        ram_destroy(*ram);
    fclose(in);
    return err;
}
