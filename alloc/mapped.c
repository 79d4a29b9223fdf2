/* mapped.c: large blocks by mmap: a system call each way and whole pages, but the memory goes back
 * to the kernel at once when the block is freed.
 *
 * The header tells what munmap must be given. The program can write over it, so it is compared with
 * what the shadow knows; a wrong one is complained of, and the shadow's word is taken.
 *
 * Cost: malloc and free one system call and one header, realloc one mremap whatever the size.
 */
#include "alloc/mapped.h"

#include "alloc/shadow.h"

#define MAP_PROT  (LX_PROT_READ | LX_PROT_WRITE)
#define MAP_FLAGS (LX_MAP_PRIVATE | LX_MAP_ANONYMOUS)
#define USUAL     16u

static va_t header_of(va_t block)
{
    return block - 8;
}

/* Writes the tags of a mapped chunk and gives its block out. */
static va_t give(struct heap *h, va_t map, uint64_t length, va_t block, uint64_t alignment)
{
    uint64_t lead = block - MAPPED_HEADER - map;
    if (lead) /* else the word is zero already */
        heap_store64(h, block - MAPPED_HEADER, lead);
    heap_header(h, map, header_of(block), (length - lead) | MAPPED_TAG);
    struct heap_given given = {map, length, map + length - block, true};
    return heap_give(h, given, map + MAPPED_HEADER, alignment, block);
}

va_t mapped_new(struct heap *h, uint64_t request, uint64_t alignment)
{
    uint64_t slack = alignment > USUAL ? alignment : 0;
    uint64_t length = align_up(request + MAPPED_HEADER + slack, PAGE_SIZE);
    EMIT(h->env, alloc_grow, .need = request, .have = 0, .ask = length, .mmap = true);
    int64_t map =
        heap_syscall(h, LX_NR_mmap, 0, length, MAP_PROT, MAP_FLAGS, (uint64_t)INT64_C(-1), 0);
    if (lx_failed(map))
        return 0;
    h->counters.mmaps++;
    heap_hold(h, length, 0);
    va_t block = align_up((va_t)map + MAPPED_HEADER, alignment);
    return give(h, (va_t)map, length, block, alignment);
}

/* What the tags of a mapped block say, unless the shadow knows better. */
static struct heap_block mapping_of(struct heap *h, va_t block)
{
    struct heap_block b = *shadow_find(h->shadow, block);
    uint64_t tag = heap_load64(h, header_of(block));
    uint64_t lead = heap_load64(h, block - MAPPED_HEADER);
    if (block - MAPPED_HEADER - lead != b.chunk || tag != ((b.size - lead) | MAPPED_TAG))
        heap_complain(h, MISUSE_CORRUPT, header_of(block));
    return b;
}

void mapped_free(struct heap *h, va_t block)
{
    struct heap_block b = mapping_of(h, block);
    if (heap_syscall(h, LX_NR_munmap, b.chunk, b.size, 0, 0, 0, 0) != 0)
        return; /* the kernel may lack memory to cut an area; the mapping is lost */
    h->counters.munmaps++;
    heap_hold(h, 0, b.size);
}

/* By mremap, or as it is; 0: the kernel refuses. */
static va_t remap(struct heap *h, va_t block, uint64_t request)
{
    struct heap_block b = mapping_of(h, block);
    uint64_t lead = block - MAPPED_HEADER - b.chunk;
    uint64_t length = align_up(request + MAPPED_HEADER + lead, PAGE_SIZE);
    if (length == b.size) {
        h->how = RESIZE_SAME;
        return give(h, b.chunk, length, block, USUAL);
    }
    int64_t map = heap_syscall(h, LX_NR_mremap, b.chunk, b.size, length, LX_MREMAP_MAYMOVE, 0, 0);
    if (lx_failed(map))
        return 0;
    heap_hold(h, length, b.size);
    h->how = RESIZE_MREMAP;
    return give(h, (va_t)map, length, (va_t)map + lead + MAPPED_HEADER, USUAL);
}

va_t mapped_resize(struct heap *h, va_t block, uint64_t request)
{
    va_t fresh = remap(h, block, request);
    if (fresh)
        return fresh;
    struct heap_block b = *shadow_find(h->shadow, block);
    uint64_t usable = b.chunk + b.size - block;
    if (usable < request)
        return heap_move(h, block, usable, request);
    h->how = RESIZE_SAME; /* the kernel refused to make it smaller; it stays as it is */
    struct heap_given given = {b.chunk, b.size, usable, true};
    return heap_give(h, given, block, USUAL, block);
}

/* The header that this block must have. */
static uint64_t header_word(const struct heap_block *b)
{
    uint64_t lead = b->block - MAPPED_HEADER - b->chunk;
    return (b->size - lead) | MAPPED_TAG;
}

bool mapped_walk(const struct heap *h, void (*show)(void *ctx, const struct heap_chunk *),
                 void *ctx)
{
    bool sound = true;
    for (size_t i = 0; i < shadow_mapped(h->shadow); i++) {
        const struct heap_block *b = shadow_find(h->shadow, shadow_mapped_at(h->shadow, i));
        struct heap_chunk c = {.start = b->chunk, .size = b->size, .block = b->block, .list = ""};
        c.header = heap_peek64(h, header_of(b->block));
        c.usable = b->chunk + b->size - b->block;
        c.used = c.mapped = true;
        c.corrupt = c.header != header_word(b);
        sound = sound && !c.corrupt;
        show(ctx, &c);
    }
    return sound;
}

void mapped_mend(struct heap *h)
{
    for (size_t i = 0; i < shadow_mapped(h->shadow); i++) {
        const struct heap_block *b = shadow_find(h->shadow, shadow_mapped_at(h->shadow, i));
        uint64_t lead = b->block - MAPPED_HEADER - b->chunk;
        if (heap_peek64(h, header_of(b->block)) == header_word(b) &&
            heap_peek64(h, b->block - MAPPED_HEADER) == lead)
            continue;
        heap_store64(h, b->block - MAPPED_HEADER, lead);
        heap_header(h, b->chunk, header_of(b->block), header_word(b));
    }
}
