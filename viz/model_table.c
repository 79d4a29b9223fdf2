/* model_table.c: the tables behind the model: areas sorted, frames in pieces, blocks and free
 * chunks hashed by address, because a long trace makes millions of them.
 */
#include "viz/model_table.h"

#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

#define FIRST_ROOM 256u

void *model_memory(struct model *m, size_t size)
{
    if (size == 0)
        return NULL;
    void *p = arena_alloc(m->arena, size);
    CHECK(p != NULL);
    return p;
}

/* Room for one more of item_size bytes at the end of *array. */
static void grow(struct model *m, void **array, size_t count, size_t *max, size_t item_size)
{
    if (count < *max)
        return;
    size_t room = *max ? *max * 2 : 16;
    void *larger = arena_resize(m->arena, *array, *max * item_size, room * item_size);
    CHECK(larger != NULL);
    *array = larger;
    *max = room;
}

/* ---- processes and frames ---- */

struct model_process *model_process_make(struct model *m, uint16_t pid)
{
    for (size_t i = 0; i < m->processes; i++)
        if (m->process[i].pid == pid)
            return &m->process[i];
    void *array = m->process;
    grow(m, &array, m->processes, &m->processes_max, sizeof(*m->process));
    m->process = array;
    m->process[m->processes] = (struct model_process){.pid = pid};
    return &m->process[m->processes++];
}

struct model_frame *model_frame_make(struct model *m, pfn_t pfn)
{
    CHECK(pfn < m->frames);
    struct model_frame **piece = &m->frame[pfn / MODEL_BLOCK];
    if (!*piece) {
        *piece = model_memory(m, MODEL_BLOCK * sizeof(struct model_frame));
        pfn_t first = align_down(pfn, MODEL_BLOCK);
        for (pfn_t i = first; i < first + MODEL_BLOCK && i < m->reserved; i++)
            (*piece)[i - first].use = FRAME_RESERVED;
    }
    return &(*piece)[pfn % MODEL_BLOCK];
}

/* ---- areas ---- */

void model_area_add(struct model *m, struct model_process *p, const struct model_area *area)
{
    void *array = p->area;
    grow(m, &array, p->areas, &p->areas_max, sizeof(*p->area));
    p->area = array;
    size_t i = p->areas++;
    for (; i > 0 && p->area[i - 1].start > area->start; i--)
        p->area[i] = p->area[i - 1];
    p->area[i] = *area;
}

struct model_area *model_area_starting(struct model_process *p, va_t start)
{
    for (size_t i = 0; i < p->areas; i++)
        if (p->area[i].start == start)
            return &p->area[i];
    return NULL;
}

void model_area_drop(struct model_process *p, va_t start)
{
    struct model_area *area = model_area_starting(p, start);
    if (!area)
        return;
    size_t after = p->areas - (size_t)(area - p->area) - 1;
    memmove(area, area + 1, after * sizeof(*area));
    p->areas--;
}

/* ---- blocks and free chunks: open addressing, room a power of two, at most 3/4 used ---- */

static size_t hash(uint16_t pid, va_t start, size_t room)
{
    uint64_t h = (start >> 3 ^ (uint64_t)pid << 48) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 20) & (room - 1);
}

static size_t room_for(size_t live)
{
    size_t room = FIRST_ROOM;
    while (room / 2 <= live)
        room *= 2;
    return room;
}

static struct model_block *block_place(struct model *m, uint16_t pid, va_t start)
{
    size_t i = hash(pid, start, m->block_room);
    while (m->block[i].start && (m->block[i].start != start || m->block[i].pid != pid))
        i = (i + 1) & (m->block_room - 1);
    return &m->block[i];
}

static void block_rehash(struct model *m)
{
    struct model_block *old = m->block;
    size_t old_room = m->block_room;
    m->block_room = room_for(m->blocks);
    m->block = model_memory(m, m->block_room * sizeof(*m->block));
    m->block_used = m->blocks;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].start && !old[i].dead)
            *block_place(m, old[i].pid, old[i].start) = old[i];
    arena_free(m->arena, old, old_room * sizeof(*old));
}

void model_block_add(struct model *m, const struct model_block *block)
{
    if (!block->start)
        return;
    if ((m->block_used + 1) * 4 > m->block_room * 3)
        block_rehash(m);
    struct model_block *place = block_place(m, block->pid, block->start);
    m->block_used += !place->start;
    if (place->start && !place->dead)
        m->requested -= place->size;
    else
        m->blocks++;
    *place = *block;
    m->requested += block->size;
}

void model_block_drop(struct model *m, uint16_t pid, va_t start)
{
    if (!start || !m->block_room)
        return;
    struct model_block *place = block_place(m, pid, start);
    if (!place->start || place->dead)
        return;
    place->dead = true;
    m->requested -= place->size;
    m->blocks--;
}

static struct model_free *free_place(struct model *m, uint16_t pid, va_t start)
{
    size_t i = hash(pid, start, m->chunk_room);
    while (m->chunk[i].start && (m->chunk[i].start != start || m->chunk[i].pid != pid))
        i = (i + 1) & (m->chunk_room - 1);
    return &m->chunk[i];
}

static void free_rehash(struct model *m)
{
    struct model_free *old = m->chunk;
    size_t old_room = m->chunk_room;
    m->chunk_room = room_for(m->chunks);
    m->chunk = model_memory(m, m->chunk_room * sizeof(*m->chunk));
    m->chunk_used = m->chunks;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].start && !old[i].dead)
            *free_place(m, old[i].pid, old[i].start) = old[i];
    arena_free(m->arena, old, old_room * sizeof(*old));
}

void model_free_add(struct model *m, const struct model_free *chunk)
{
    if ((m->chunk_used + 1) * 4 > m->chunk_room * 3)
        free_rehash(m);
    struct model_free *place = free_place(m, chunk->pid, chunk->start);
    m->chunk_used += !place->start;
    if (place->start && !place->dead)
        m->free_bytes -= place->size;
    else
        m->chunks++;
    *place = *chunk;
    m->free_bytes += chunk->size;
}

void model_free_drop(struct model *m, uint16_t pid, va_t start)
{
    if (!m->chunk_room)
        return;
    struct model_free *place = free_place(m, pid, start);
    if (!place->start || place->dead)
        return;
    place->dead = true;
    m->free_bytes -= place->size;
    m->chunks--;
}

static void *model_copy(struct model *m, const void *from, size_t size)
{
    void *to = model_memory(m, size);
    if (size)
        memcpy(to, from, size);
    return to;
}

/* Tables move while copies are added to them, so copies of the old tables are walked. */
void model_heap_fork(struct model *m, uint16_t parent, uint16_t child)
{
    struct model_block *block = m->block;
    struct model_free *chunk = m->chunk;
    size_t blocks = m->block_room, chunks = m->chunk_room;
    m->block = model_copy(m, block, blocks * sizeof(*block));
    m->chunk = model_copy(m, chunk, chunks * sizeof(*chunk));
    for (size_t i = 0; i < blocks; i++) {
        block[i].pid = block[i].pid == parent ? child : block[i].pid;
        if (block[i].start && !block[i].dead && block[i].pid == child)
            model_block_add(m, &block[i]);
    }
    for (size_t i = 0; i < chunks; i++) {
        chunk[i].pid = chunk[i].pid == parent ? child : chunk[i].pid;
        if (chunk[i].start && !chunk[i].dead && chunk[i].pid == child)
            model_free_add(m, &chunk[i]);
    }
    arena_free(m->arena, block, blocks * sizeof(*block));
    arena_free(m->arena, chunk, chunks * sizeof(*chunk));
}

void model_free_forget(struct model *m, uint16_t pid)
{
    for (size_t i = 0; i < m->chunk_room; i++)
        if (m->chunk[i].pid == pid && m->chunk[i].start)
            model_free_drop(m, pid, m->chunk[i].start);
}

void model_heap_drop(struct model *m, uint16_t pid)
{
    for (size_t i = 0; i < m->block_room; i++)
        if (m->block[i].pid == pid)
            model_block_drop(m, pid, m->block[i].start);
    model_free_forget(m, pid);
}

void model_step_add(struct model *m, uint8_t kind)
{
    void *array = m->step;
    grow(m, &array, m->steps, &m->steps_max, 1);
    m->step = array;
    m->step[m->steps++] = kind;
}

/* ---- questions ---- */

const struct event *model_event(const struct model *m, size_t n)
{
    if (n >= MODEL_RING || n >= m->tick)
        return NULL;
    return &m->ring[(m->tick - n) % MODEL_RING];
}

const struct model_process *model_process(const struct model *m, uint16_t pid)
{
    for (size_t i = 0; i < m->processes; i++)
        if (m->process[i].pid == pid)
            return &m->process[i];
    return NULL;
}

const struct model_area *model_area(const struct model *m, uint16_t pid, va_t va)
{
    const struct model_process *p = model_process(m, pid);
    size_t low = 0;
    size_t high = p ? p->areas : 0;
    while (low < high) { /* the first area that ends above va */
        size_t middle = (low + high) / 2;
        if (p->area[middle].end <= va)
            low = middle + 1;
        else
            high = middle;
    }
    return p && low < p->areas && va >= p->area[low].start ? &p->area[low] : NULL;
}

const struct model_frame *model_frame(const struct model *m, pfn_t pfn)
{
    static const struct model_frame none = {.use = FRAME_FREE};
    static const struct model_frame reserved = {.use = FRAME_RESERVED};
    if (pfn >= m->frames || !m->frame[pfn / MODEL_BLOCK])
        return pfn < m->reserved ? &reserved : &none;
    return &m->frame[pfn / MODEL_BLOCK][pfn % MODEL_BLOCK];
}

bool model_entry(const struct model *m, pa_t root, va_t va, unsigned level, pte_t *entry, pa_t *pa)
{
    pa_t table = root;
    for (unsigned l = m->levels; l >= 1; l--) {
        const struct model_frame *f = model_frame(m, table >> PAGE_SHIFT);
        if (!table || !f->entry)
            return false;
        unsigned index = va_index(va, l);
        *entry = f->entry[index];
        if (pa)
            *pa = table + index * sizeof(pte_t);
        if (l == level)
            return true;
        if (!(*entry & PTE_P) || (*entry & PTE_PS))
            return false;
        table = *entry & PTE_FRAME;
    }
    return false;
}

/* Counts below one table; spans that the range does not touch are never visited. */
static uint64_t resident_in(const struct model *m, pa_t table, unsigned level, va_t base,
                            va_t start, va_t end)
{
    const struct model_frame *f = model_frame(m, table >> PAGE_SHIFT);
    uint64_t pages = 0;
    if (!f->entry || level < 1)
        return 0;
    uint64_t span = level_span(level);
    unsigned first = start > base ? (unsigned)((start - base) / span) : 0;
    for (unsigned i = first; i < TABLE_ENTRIES && base + i * span < end; i++) {
        pte_t entry = f->entry[i];
        bool leaf = level == 1 || (entry & PTE_PS);
        bool held = (entry & PTE_P) || (leaf && (entry & PTE_G)); /* or PROT_NONE */
        if (!held)
            continue;
        if (leaf && model_frame(m, pte_pfn(entry))->use == FRAME_RESERVED)
            continue; /* the page of zeroes that all share */
        if (leaf)
            pages += span / PAGE_SIZE;
        else
            pages += resident_in(m, entry & PTE_FRAME, level - 1, base + i * span, start, end);
    }
    return pages;
}

uint64_t model_resident(const struct model *m, pa_t root, va_t start, va_t end)
{
    /* NOTE: user addresses only: the range lies below 2^47. */
    return root ? resident_in(m, root, m->levels, 0, start, end) : 0;
}

const struct model_block *model_block_at(const struct model *m, uint16_t pid, va_t start)
{
    if (!m->block_room)
        return NULL;
    size_t i = hash(pid, start, m->block_room);
    for (; m->block[i].start; i = (i + 1) & (m->block_room - 1))
        if (m->block[i].start == start && m->block[i].pid == pid)
            return m->block[i].dead ? NULL : &m->block[i];
    return NULL;
}

const struct model_block *model_block_over(const struct model *m, uint16_t pid, va_t va)
{
    for (size_t i = 0; i < m->block_room; i++) {
        const struct model_block *b = &m->block[i];
        if (b->start && !b->dead && b->pid == pid && va - b->start < max_u64(b->usable, 1))
            return b;
    }
    return NULL;
}

const struct model_free *model_free_at(const struct model *m, uint16_t pid, va_t start)
{
    if (!m->chunk_room)
        return NULL;
    size_t i = hash(pid, start, m->chunk_room);
    for (; m->chunk[i].start; i = (i + 1) & (m->chunk_room - 1))
        if (m->chunk[i].start == start && m->chunk[i].pid == pid)
            return m->chunk[i].dead ? NULL : &m->chunk[i];
    return NULL;
}

uint64_t model_mapped(const struct model *m, uint16_t pid, va_t start, va_t end)
{
    const struct model_process *p = model_process(m, pid);
    uint64_t bytes = 0;
    for (size_t i = 0; p && i < p->areas; i++) {
        va_t from = max_u64(p->area[i].start, start), to = min_u64(p->area[i].end, end);
        bytes += from < to ? to - from : 0;
    }
    return bytes;
}
