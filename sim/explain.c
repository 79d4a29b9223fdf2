/* explain.c: every event of events.def as a sentence with its actual numbers.
 *
 * There is one say_… function per event, and the switch over them is made from events.def, so an
 * event without a sentence does not compile. A sentence states arithmetic only after checking that
 * it holds; otherwise the plain result stands there.
 */
#include "sim/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const explain_chapter_name[CHAPTERS] = {
    [CHAPTER_NONE] = "",
    [CHAPTER_CALL] = "the program calls malloc",
    [CHAPTER_SIZE] = "the block size is worked out",
    [CHAPTER_SEARCH] = "the heap is searched for a free block",
    [CHAPTER_FIT] = "a fit is found and marked allocated",
    [CHAPTER_GROW] = "no fit: more memory must come from the kernel",
    [CHAPTER_BRK] = "brk moves the program break",
    [CHAPTER_MAP] = "the kernel extends the address space",
    [CHAPTER_TLB] = "the MMU translates; the TLB makes it fast",
    [CHAPTER_WALK] = "page tables map pages to frames",
    [CHAPTER_LARGE] = "a large request: mmap instead of the heap?",
    [CHAPTER_RANGE] = "mmap assigns a range of virtual addresses",
    [CHAPTER_BACK] = "the kernel updates its books and maps pages to frames",
    [CHAPTER_MMAP_DONE] = "mmap returns the address",
    [CHAPTER_BOOKS] = "malloc keeps its books and aligns the pointer",
    [CHAPTER_RETURN] = "malloc returns the pointer",
    [CHAPTER_USE] = "the program uses the memory",
};

static const char *const table_name[] = {"?", "PT", "PD", "PDPT", "PML4", "PML5"};
static const char *const entry_name[] = {"?", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
static const char *const access_verb[] = {"load", "store", "fetch"};
static const char *const access_does[] = {"loads", "stores", "fetches"};
static const char *const class_why[MISS_CLASSES] = {
    [MISS_COLD] = "cold: the page was never here before",
    [MISS_CAPACITY] = "capacity: a TLB of this size, even with one set, would miss too",
    [MISS_CONFLICT] = "conflict: only because its set was full",
    [MISS_COHERENCE] = "coherence: it was here until it was invalidated",
};

#define LLU(value) ((unsigned long long)(value))

/* ---- a text that grows up to its end ---- */

struct telling {
    char *text;
    size_t size, used;
    enum lang lang;
    const struct explain_context *c;
};

/* A word for the place of a %s; say() looks only its format up. */
static const char *word(const struct telling *t, const char *english)
{
    return words_say(t->lang, english);
}

static void say(struct telling *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct telling *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->text + t->used, t->size - t->used, words_say(t->lang, format), args);
    va_end(args);
    if (n > 0)
        t->used = min_u64(t->used + (size_t)n, t->size - 1);
}

static const char *name_in(const char *const *names, size_t count, uint64_t i)
{
    return i < count && names[i] ? names[i] : "?";
}

static const char *table_of(uint64_t level)
{
    return name_in(table_name, ARRAY_LEN(table_name), level);
}

static const char *entry_of(uint64_t level)
{
    return name_in(entry_name, ARRAY_LEN(entry_name), level);
}

static const char *many(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- bits with their names ---- */

struct bit_name {
    uint64_t bit;
    const char *name;
};

static void say_bits(struct telling *t, uint64_t bits, const struct bit_name *names, size_t count,
                     const char *separator)
{
    const char *before = "";
    for (size_t i = 0; i < count; i++) {
        if (!(bits & names[i].bit))
            continue;
        say(t, "%s%s", before, names[i].name);
        before = separator;
        bits &= ~names[i].bit;
    }
    if (bits)
        say(t, "%s0x%llx", before, LLU(bits));
    else if (!*before)
        say(t, "none");
}

static void say_entry(struct telling *t, pte_t entry, uint64_t level)
{
    if (!(entry & PTE_P)) {
        say(t, entry ? "not present (bit 0 is 0)" : "0, not present");
        return;
    }
    const struct bit_name names[] = {
        {PTE_P, "P"},     {PTE_RW, "W"},  {PTE_US, "U"}, {PTE_PWT, "PWT"},
        {PTE_PCD, "PCD"}, {PTE_A, "A"},   {PTE_D, "D"},  {PTE_PS, level == 1 ? "PAT" : "PS"},
        {PTE_G, "G"},     {PTE_XD, "XD"},
    };
    say(t, "%s 0x%llx, ", word(t, level == 1 || (entry & PTE_PS) ? "frame" : "table in frame"),
        LLU(pte_pfn(entry)));
    uint64_t flags = entry & ~PTE_FRAME & ~((uint64_t)7 << 9) & ~((uint64_t)0x7ff << 52);
    say_bits(t, flags, names, ARRAY_LEN(names), " ");
}

static void say_pf_error(struct telling *t, uint64_t error)
{
    const char *what = error & PF_I ? "an instruction fetch" : error & PF_W ? "a write" : "a read";
    if (error & PF_SS)
        what = error & PF_W ? "a write to a shadow stack" : "a read of a shadow stack";
    say(t, "%s in %s mode, ", word(t, what), word(t, error & PF_U ? "user" : "supervisor"));
    if (error & PF_RSVD)
        say(t, "and an entry has a reserved bit set");
    else if (error & PF_PK)
        say(t, "and the page's protection key forbids it");
    else
        say(t, error & PF_P ? "and the page is present but does not allow it"
                            : "and the page is not present");
}

static void say_prot(struct telling *t, uint64_t prot)
{
    say(t, "%c%c%c", prot & LX_PROT_READ ? 'r' : '-', prot & LX_PROT_WRITE ? 'w' : '-',
        prot & LX_PROT_EXEC ? 'x' : '-');
}

static void say_rights(struct telling *t, uint64_t flags)
{
    say(t, "read%s%s, %s", word(t, flags & TLB_WRITE ? " write" : ""),
        word(t, flags & TLB_EXEC ? " execute" : ""),
        word(t, flags & TLB_USER ? "user" : "supervisor only"));
}

/* Where an address lies, as /proc/PID/maps would say it. */
static void say_area_of(struct telling *t, va_t va)
{
    struct area_info a;
    if (!t->c->sim || !inspect_area_at(t->c->sim, t->c->pid, va, &a))
        return;
    say(t, ", in the area %s%s0x%llx-0x%llx", a.name, *a.name ? " " : "", LLU(a.start), LLU(a.end));
}

static const char *tlb_name(uint64_t level)
{
    return name_in(tlb_array_name, TLB_ARRAYS, level - 1);
}

static uint32_t sets_of(const struct explain_context *c, uint64_t level)
{
    return c->sim && level >= 1 && level <= TLB_ARRAYS
               ? inspect_config(c->sim)->mmu.tlb[level - 1].sets
               : 0;
}

/* Which bits of the page number choose the set, as arithmetic where the geometry is known. */
static void say_set(struct telling *t, uint64_t level, vpn_t vpn, uint64_t set)
{
    uint32_t sets = sets_of(t->c, level);
    say(t, "%s TLB: ", tlb_name(level));
    if (sets && vpn % sets == set)
        say(t, "page 0x%llx mod %u sets = set %llu", LLU(vpn), sets, LLU(set));
    else
        say(t, "page 0x%llx, set %llu", LLU(vpn), LLU(set));
}

/* The tags of all ways of a set, as the comparators see them. */
static void say_tags(struct telling *t, uint64_t level, uint32_t set)
{
    struct tlb_line line;
    unsigned empty = 0;
    unsigned shown = 0;
    if (!t->c->sim || level < 1)
        return;
    say(t, "; tags compared: ");
    for (uint32_t way = 0; inspect_tlb(t->c->sim, t->c->cpu, (unsigned)level - 1, set, way, &line);
         way++) {
        if (!line.valid) {
            empty++;
            continue;
        }
        say(t, "%sway %u 0x%llx", shown ? ", " : "", way, LLU(line.vpn));
        shown++;
    }
    if (empty && shown)
        say(t, ", %u way%s empty", empty, many(empty));
    else if (!shown)
        say(t, "none, all %u ways are empty", empty);
}

/* ---- sentences: the program ---- */

#define SAY(name) static void say_##name(struct telling *t, const struct ev_##name *e)

static bool uses_memory(uint64_t kind)
{
    return kind == OP_read || kind == OP_write || kind == OP_set || kind == OP_copy ||
           kind == OP_fetch;
}

SAY(op_begin)
{
    const struct op *op = t->c->sim ? inspect_op(t->c->sim, e->op) : NULL;
    char call[160];
    const char *name = e->kind < OP_COUNT ? op_info[e->kind].name : "?";
    if (e->kind == OP_mark) /* what it says follows, as the event of its own */
        say(t, "Op %llu is a mark", LLU(e->op));
    else if (op)
        say(t, "Op %llu: %s", LLU(e->op),
            op_text(op, inspect_op_extra(t->c->sim, e->op), call, sizeof(call)));
    else if (e->id)
        say(t, "Op %llu: the program does %s, block %llu", LLU(e->op), name, LLU(e->id));
    else
        say(t, "Op %llu: the program does %s", LLU(e->op), name);
    if (e->tid)
        say(t, " (thread %llu)", LLU(e->tid));
    say(t, ".");
}

SAY(op_end)
{
    say(t, "Op %llu is done", LLU(e->op));
    if (lx_failed(e->result))
        say(t, "; it failed with %s", lx_errno_name(e->result));
    else if (e->result > 0xffff)
        say(t, "; its result is 0x%llx", LLU(e->result));
    else
        say(t, "; its result is %lld", (long long)e->result);
    if (e->faults)
        say(t, "; %llu page fault%s on the way", LLU(e->faults), many(e->faults));
    say(t, ".");
}

SAY(op_error)
{
    say(t, "Wrong: %s", word(t, name_in(misuse_name, MISUSE_KINDS, e->what)));
    if (e->pointer)
        say(t, " at 0x%llx", LLU(e->pointer));
    const char *did = misuse_other(e->what);
    if (e->other_op)
        say(t, "; %s op %llu", word(t, did), LLU(e->other_op));
    say(t, ".");
}

SAY(block_new)
{
    say(t, "The program holds block %llu: %llu byte%s, 0x%llx to 0x%llx", LLU(e->id), LLU(e->size),
        many(e->size), LLU(e->pointer), LLU(e->pointer + e->size));
    say_area_of(t, e->pointer);
    say(t, ".");
}

SAY(block_gone)
{
    say(t, "The program has given back block %llu at 0x%llx.", LLU(e->id), LLU(e->pointer));
}

SAY(heap_fork)
{
    say(t, "The child has every block and free chunk that process %llu has.", LLU(e->parent));
}

SAY(heap_gone)
{
    say(t, "Process %llu ends, and its blocks with it.", LLU(e->id));
}

/* ---- sentences: the allocator ---- */

SAY(alloc_request)
{
    say(t, "malloc is called: %llu byte%s wanted", LLU(e->request), many(e->request));
    if (e->alignment)
        say(t, ", at a multiple of %llu", LLU(e->alignment));
    say(t, ".");
}

SAY(alloc_size)
{
    uint64_t sum = e->request + e->header;
    uint64_t rounded = is_pow2(e->alignment) ? align_up(sum, e->alignment) : sum;
    if (max_u64(rounded, e->minimum) != e->chunk) {
        say(t, "The chunk for %llu bytes has %llu bytes.", LLU(e->request), LLU(e->chunk));
        return;
    }
    say(t, "Chunk size: %llu + %llu of header = %llu", LLU(e->request), LLU(e->header), LLU(sum));
    say(t, "; up to a multiple of %llu: %llu", LLU(e->alignment), LLU(rounded));
    say(t, "; at least %llu: %llu bytes.", LLU(e->minimum), LLU(e->chunk));
}

SAY(alloc_search)
{
    say(t, "Search, %s: a free chunk of at least %llu bytes is wanted", e->policy, LLU(e->need));
    if (e->list && *e->list)
        say(t, "; list: %s", e->list);
    say(t, ".");
}

SAY(alloc_probe)
{
    bool large = e->size >= e->need;
    say(t, "%s chunk %u at 0x%llx: %llu %s %llu, ",
        word(t, e->verdict == PROBE_USED ? "Used" : "Free"), t->c->probes, LLU(e->chunk),
        LLU(e->size), large ? ">=" : "<", LLU(e->need));
    switch ((enum probe_verdict)e->verdict) {
    case PROBE_TAKE:
        say(t, "large enough: taken.");
        break;
    case PROBE_TOO_SMALL:
        say(t, "too small: not taken.");
        break;
    case PROBE_WORSE:
        say(t, "large enough, but the one at 0x%llx suits better: not taken.", LLU(e->best));
        break;
    case PROBE_BEST:
        say(t, "large enough and the best so far: kept in mind, the search goes on.");
        break;
    default:
        say(t, "not free: not taken.");
    }
}

SAY(alloc_fit)
{
    if (e->chunk)
        say(t, "Found: the chunk at 0x%llx has %llu bytes, %llu are needed", LLU(e->chunk),
            LLU(e->size), LLU(e->need));
    else
        say(t, "Nothing fits: no free chunk has %llu bytes", LLU(e->need));
    say(t, " (%llu chunk%s looked at).", LLU(e->probes), many(e->probes));
}

SAY(alloc_split)
{
    say(t, "The chunk is split: %llu = %llu used at 0x%llx + %llu that stay free at 0x%llx.",
        LLU(e->size + e->rest_size), LLU(e->size), LLU(e->chunk), LLU(e->rest_size), LLU(e->rest));
}

/* The low bits of a header word are flags in every allocator here: sizes are multiples of 16. */
static void say_header_word(struct telling *t, uint64_t word)
{
    say(t, "0x%llx", LLU(word));
    if (word)
        say(t, " (size %llu, flags %llu)", LLU(word & ~UINT64_C(15)), LLU(word & 15));
}

SAY(alloc_header)
{
    say(t, "The header word at 0x%llx changes from ", LLU(e->at));
    say_header_word(t, e->before);
    say(t, " to ");
    say_header_word(t, e->after);
    say(t, ".");
}

SAY(alloc_list)
{
    say(t, "The chunk at 0x%llx (%llu bytes) %s the free list %s.", LLU(e->chunk), LLU(e->size),
        word(t, e->in ? "enters" : "leaves"), e->list && *e->list ? e->list : "");
}

SAY(alloc_threshold)
{
    if (!e->threshold)
        say(t, "mmap is never chosen: its threshold is 0.");
    else
        say(t, "Large enough for mmap? %llu %s %llu: %s.", LLU(e->size),
            e->size >= e->threshold ? ">=" : "<", LLU(e->threshold),
            word(t, e->mmap ? "yes, mmap is chosen" : "no, the heap serves it"));
}

SAY(alloc_grow)
{
    say(t, "More memory must come from the kernel: %llu bytes are needed, ", LLU(e->need));
    if (!e->mmap)
        say(t, "%llu are free at the end of the heap, so ", LLU(e->have));
    say(t, "%llu are asked for by %s.", LLU(e->ask), e->mmap ? "mmap" : "brk");
}

SAY(alloc_align)
{
    bool sum = is_pow2(e->alignment) && align_up(e->raw, e->alignment) == e->pointer;
    say(t, "The pointer is aligned: 0x%llx", LLU(e->raw));
    if (sum)
        say(t, " up to a multiple of %llu", LLU(e->alignment));
    say(t, " is 0x%llx%s.", LLU(e->pointer),
        word(t, e->raw == e->pointer ? ", already a multiple: nothing to skip" : ""));
}

SAY(alloc_return)
{
    if (!e->pointer) {
        say(t, "malloc returns NULL: out of memory.");
        return;
    }
    say(t, "malloc returns 0x%llx, in the chunk at 0x%llx of %llu bytes", LLU(e->pointer),
        LLU(e->chunk), LLU(e->size));
    say_area_of(t, e->pointer);
    say(t, "; %llu bytes may be used.", LLU(e->usable));
}

SAY(alloc_free)
{
    if (e->pointer)
        say(t, "free is called for 0x%llx: the chunk at 0x%llx, %llu bytes.", LLU(e->pointer),
            LLU(e->chunk), LLU(e->size));
    else
        say(t, "free is called for NULL: nothing to do.");
}

SAY(alloc_coalesce)
{
    say(t, "The free neighbour at 0x%llx (%llu bytes) joins: one free chunk at 0x%llx, %llu bytes.",
        LLU(e->neighbour), LLU(e->neighbour_size), LLU(e->chunk), LLU(e->size));
}

static const char *const resize_words[RESIZE_HOWS] = {
    [RESIZE_SAME] = "it fits where it is",
    [RESIZE_SHRINK] = "its end is cut off and becomes free",
    [RESIZE_NEXT] = "it grows into its free neighbour",
    [RESIZE_TOP] = "it grows into the top of the heap",
    [RESIZE_MREMAP] = "the kernel moves or grows its mapping (mremap)",
    [RESIZE_MOVE] = "a new block is made, the bytes are copied, the old one is freed",
    [RESIZE_FAIL] = "no memory; the old block stays as it is",
};

SAY(alloc_resize)
{
    say(t, "realloc of 0x%llx: %s", LLU(e->pointer),
        word(t, name_in(resize_words, RESIZE_HOWS, e->how)));
    if (e->result && e->result != e->pointer)
        say(t, "; it is at 0x%llx now", LLU(e->result));
    say(t, ".");
}

SAY(alloc_trim)
{
    say(t, "%llu bytes are free in one piece: %llu go back to the kernel.", LLU(e->top),
        LLU(e->release));
}

SAY(alloc_mend)
{
    say(t,
        "The damage at 0x%llx is undone, so that the trace can go on: headers and free lists are "
        "put "
        "in order. No real allocator does that.",
        LLU(e->at));
}

/* ---- sentences: the kernel ---- */

static const struct bit_name prot_bits[] = {
    {LX_PROT_READ, "PROT_READ"},
    {LX_PROT_WRITE, "PROT_WRITE"},
    {LX_PROT_EXEC, "PROT_EXEC"},
};

static const struct bit_name map_bits[] = {
    {LX_MAP_PRIVATE, "MAP_PRIVATE"},     {LX_MAP_SHARED, "MAP_SHARED"},
    {LX_MAP_ANONYMOUS, "MAP_ANONYMOUS"}, {LX_MAP_FIXED, "MAP_FIXED"},
    {LX_MAP_GROWSDOWN, "MAP_GROWSDOWN"}, {LX_MAP_LOCKED, "MAP_LOCKED"},
    {LX_MAP_NORESERVE, "MAP_NORESERVE"}, {LX_MAP_POPULATE, "MAP_POPULATE"},
    {LX_MAP_STACK, "MAP_STACK"},         {LX_MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
};

static const struct bit_name mremap_bits[] = {
    {LX_MREMAP_MAYMOVE, "MREMAP_MAYMOVE"},
    {LX_MREMAP_FIXED, "MREMAP_FIXED"},
    {LX_MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP"},
};

static void say_prot_names(struct telling *t, uint64_t prot)
{
    if (prot)
        say_bits(t, prot, prot_bits, ARRAY_LEN(prot_bits), "|");
    else
        say(t, "PROT_NONE");
}

static void say_arguments(struct telling *t, const struct ev_sys_enter *e)
{
    switch (e->nr) {
    case LX_NR_brk:
        say(t, "0x%llx", LLU(e->a0));
        break;
    case LX_NR_mmap:
        if (e->a0)
            say(t, "0x%llx, ", LLU(e->a0));
        else
            say(t, "NULL, ");
        say(t, "%llu, ", LLU(e->a1));
        say_prot_names(t, e->a2);
        say(t, ", ");
        say_bits(t, e->a3, map_bits, ARRAY_LEN(map_bits), "|");
        say(t, ", %d, %llu", (int)e->a4, LLU(e->a5));
        break;
    case LX_NR_mprotect:
        say(t, "0x%llx, %llu, ", LLU(e->a0), LLU(e->a1));
        say_prot_names(t, e->a2);
        break;
    case LX_NR_mremap:
        say(t, "0x%llx, %llu, %llu, ", LLU(e->a0), LLU(e->a1), LLU(e->a2));
        say_bits(t, e->a3, mremap_bits, ARRAY_LEN(mremap_bits), "|");
        say(t, ", 0x%llx", LLU(e->a4));
        break;
    case LX_NR_madvise:
        say(t, "0x%llx, %llu, %llu", LLU(e->a0), LLU(e->a1), LLU(e->a2));
        break;
    case LX_NR_fork:
    case LX_NR_getpid:
        break;
    default:
        say(t, "0x%llx, %llu", LLU(e->a0), LLU(e->a1));
    }
}

SAY(sys_enter)
{
    say(t, "System call %llu: %s(", LLU(e->nr), lx_syscall_name(e->nr));
    say_arguments(t, e);
    say(t, ").");
}

SAY(sys_exit)
{
    say(t, "%s returns ", lx_syscall_name(e->nr));
    if (lx_failed(e->result))
        say(t, "%lld, %s.", (long long)e->result, lx_errno_name(e->result));
    else if (e->result > 0xffff)
        say(t, "0x%llx.", LLU(e->result));
    else
        say(t, "%lld.", (long long)e->result);
}

SAY(brk_move)
{
    bool up = e->after > e->before;
    say(t,
        "The program break moves %s by %llu bytes, from 0x%llx to 0x%llx; the heap starts at "
        "0x%llx.",
        word(t, up ? "up" : "down"), LLU(up ? e->after - e->before : e->before - e->after),
        LLU(e->before), LLU(e->after), LLU(e->start));
}

SAY(area_search)
{
    if (e->chosen)
        say(t, "A hole for %llu bytes is looked for: 0x%llx-0x%llx is free; 0x%llx is chosen.",
            LLU(e->length), LLU(e->hole_start), LLU(e->hole_end), LLU(e->chosen));
    else
        say(t, "A hole for %llu bytes is looked for: none is large enough.", LLU(e->length));
}

/* Whether the memory of an area is there already: the point that surprises people. */
static void say_frames_of(struct telling *t, va_t va)
{
    struct area_info a;
    if (!t->c->sim || !inspect_area_at(t->c->sim, t->c->pid, va, &a))
        return;
    uint64_t pages = (a.end - a.start) >> PAGE_SHIFT;
    if (a.resident)
        say(t, "; %llu of its %llu pages have a frame", LLU(a.resident), LLU(pages));
    else
        say(t, "; none of its %llu page%s has a frame yet", LLU(pages), many(pages));
}

SAY(area_new)
{
    say(t, "The kernel's map gets an area: 0x%llx-0x%llx ", LLU(e->start), LLU(e->end));
    say_prot(t, e->prot);
    if (e->name && *e->name)
        say(t, " %s", e->name);
    say(t, ", %llu KiB", LLU((e->end - e->start) / KIB));
    say_frames_of(t, e->start);
    say(t, ".");
}

SAY(area_change)
{
    say(t, "The area 0x%llx-0x%llx ", LLU(e->old_start), LLU(e->old_end));
    if (e->old_start == e->start && e->old_end == e->end)
        say(t, "keeps its borders and is now ");
    else
        say(t, "becomes 0x%llx-0x%llx ", LLU(e->start), LLU(e->end));
    say_prot(t, e->prot);
    say_frames_of(t, e->start);
    say(t, ".");
}

SAY(area_gone)
{
    say(t, "The area 0x%llx-0x%llx disappears from the kernel's map.", LLU(e->start), LLU(e->end));
}

SAY(fault_begin)
{
    say(t, "The kernel's page fault handler starts: CR2 = 0x%llx, error code 0x%llx: ", LLU(e->va),
        LLU(e->error));
    say_pf_error(t, e->error);
    say(t, ".");
}

SAY(fault_area)
{
    if (!e->end) {
        say(t, "The handler looks for an area at 0x%llx: there is none.", LLU(e->va));
        return;
    }
    say(t, "The handler finds the area 0x%llx-0x%llx ", LLU(e->start), LLU(e->end));
    say_prot(t, e->prot);
    say(t, " around 0x%llx.", LLU(e->va));
}

SAY(fault_end)
{
    switch ((enum fault_outcome)e->outcome) {
    case FAULT_MINOR:
        say(t, "Minor fault: no disk was needed; the instruction is tried again.");
        break;
    case FAULT_MAJOR:
        say(t, "Major fault: the page was read in; the instruction is tried again.");
        break;
    case FAULT_SPURIOUS:
        say(t, "Spurious fault: the tables allow it by now; the instruction is tried again.");
        break;
    default:
        say(t, "The fault at 0x%llx cannot be resolved (%s): signal %llu, code %llu.", LLU(e->va),
            word(t, name_in(fault_outcome_name, FAULT_OUTCOMES, e->outcome)), LLU(e->signal),
            LLU(e->code));
    }
}

SAY(frame_alloc)
{
    say(t, "Frame 0x%llx is taken from the free ones for use as %s", LLU(e->pfn),
        word(t, name_in(frame_use_name, FRAME_USES, e->use)));
    if (e->va)
        say(t, ", for 0x%llx", LLU(e->va));
    say(t, "; %llu are left.", LLU(e->free));
}

SAY(frame_zero)
{
    say(t, "Frame 0x%llx is filled with zeroes, so that nothing old shows.", LLU(e->pfn));
}

SAY(frame_free)
{
    say(t, "Frame 0x%llx is free again; %llu are free now.", LLU(e->pfn), LLU(e->free));
}

SAY(table_new)
{
    say(t, "A new %s is made in frame 0x%llx; it maps from 0x%llx on.", table_of(e->level),
        LLU(e->pfn), LLU(e->va));
}

SAY(table_gone)
{
    say(t, "The %s in frame 0x%llx, which mapped from 0x%llx on, is empty and goes back.",
        table_of(e->level), LLU(e->pfn), LLU(e->va));
}

SAY(entry_write)
{
    say(t, "The kernel writes the %s at physical 0x%llx, which maps 0x%llx: 0x%llx -> 0x%llx: ",
        entry_of(e->level), LLU(e->pa), LLU(e->va), LLU(e->before), LLU(e->after));
    say_entry(t, e->after, e->level);
    say(t, ".");
}

SAY(huge_alloc)
{
    say(t, "512 frames from 0x%llx on are taken for a huge page at 0x%llx; %llu are left.",
        LLU(e->pfn), LLU(e->va), LLU(e->free));
}

SAY(huge_free)
{
    say(t, "The 512 frames from 0x%llx on are free again; %llu are free now.", LLU(e->pfn),
        LLU(e->free));
}

SAY(huge_split)
{
    say(t, "The huge page at 0x%llx is split: frame 0x%llx is now a table with 512 entries for it.",
        LLU(e->va), LLU(e->table));
}

SAY(huge_collapse)
{
    say(t, "The 2 MiB at 0x%llx become a huge page in frame 0x%llx; %llu pages were copied.",
        LLU(e->va), LLU(e->pfn), LLU(e->copied));
}

SAY(page_copy)
{
    say(t, "The page at 0x%llx is shared, so frame 0x%llx is copied to 0x%llx for the writer.",
        LLU(e->va), LLU(e->from), LLU(e->to));
}

SAY(page_keep)
{
    say(t, "Nobody else has frame 0x%llx any more: the page at 0x%llx may be written as it is.",
        LLU(e->pfn), LLU(e->va));
}

/* ---- sentences: several processors ---- */

/* "CPUs 1, 3" */
static void say_cpus(struct telling *t, uint64_t mask)
{
    say(t, "CPU%s", mask & (mask - 1) ? "s" : "");
    const char *separator = " ";
    for (unsigned i = 0; i < 64; i++) {
        if (!(mask >> i & 1))
            continue;
        say(t, "%s%u", separator, i);
        separator = ", ";
    }
}

static void say_to_forget(struct telling *t, uint64_t pages)
{
    if (pages)
        say(t, "%llu page%s", LLU(pages), many(pages));
    else
        say(t, "everything but global pages");
}

SAY(task_place)
{
    say(t, "Thread %llu of process %llu will run on CPU %llu.", LLU(e->tid), LLU(e->id),
        LLU(e->on));
}

SAY(task_switch)
{
    if (e->to)
        say(t, "Context switch: thread %llu of process %llu runs here now", LLU(e->to_tid),
            LLU(e->to));
    else
        say(t, "Nothing is left to run here");
    if (e->from)
        say(t, ", instead of thread %llu of process %llu", LLU(e->from_tid), LLU(e->from));
    if (e->to && e->to == e->from)
        say(t, "; the address space stays the same");
    say(t, ".");
}

SAY(pcid_assign)
{
    say(t, "On this CPU process %llu gets PCID %llu%s.", LLU(e->id), LLU(e->pcid),
        word(t, e->reused ? ", which another one had: what the TLB knows under it must go" : ""));
}

/* ---- sentences: keys, and the kernel in the program's memory ---- */

SAY(pkru_write)
{
    say(t, "WRPKRU: 0x%llx -> 0x%llx.", LLU(e->before), LLU(e->after));
    for (unsigned key = 0; key < 16; key++) {
        uint64_t now = e->after >> 2 * key & 3;
        if (now != (e->before >> 2 * key & 3))
            say(t, " Pages of key %u may %s.", key,
                word(t, now & 1   ? "not be touched by this thread"
                        : now & 2 ? "only be read by this thread"
                                  : "be used"));
    }
}

SAY(user_copy)
{
    say(t, "The kernel %s %llu byte%s at 0x%llx in the program's memory, as the pointer says.",
        word(t, e->write ? "writes" : "reads"), LLU(e->length), many(e->length), LLU(e->va));
}

SAY(user_copy_failed)
{
    say(t, "The program itself may not touch 0x%llx, so the kernel does not either: EFAULT.",
        LLU(e->va));
}

SAY(ipi_send)
{
    if (e->cpus) {
        say(t, "Shootdown: ");
        say_cpus(t, e->cpus);
        say(t, e->cpus & (e->cpus - 1)
                   ? " may have cached the old entries and are interrupted, to forget "
                   : " may have cached the old entries and is interrupted, to forget ");
        say_to_forget(t, e->pages);
        if (e->pages)
            say(t, " in 0x%llx-0x%llx", LLU(e->start), LLU(e->end));
        say(t, "; the address space is at generation %llu.", LLU(e->generation));
    }
    if (!e->spared) {
        say(t, e->cpus ? "" : "No other CPU has the address space loaded.");
        return;
    }
    say(t, e->cpus ? " " : "No interrupt is needed: ");
    say_cpus(t, e->spared);
    say(t, e->spared & (e->spared - 1) ? " idle and will catch up before running again."
                                       : " idles and will catch up before running again.");
}

SAY(ipi_handle)
{
    say(t, "This CPU is interrupted by CPU %llu: ", LLU(e->from));
    if (e->lazy) {
        say(t, "it idles and only leaves the address space, whose tables are about to go.");
        return;
    }
    say(t, "it forgets ");
    say_to_forget(t, e->pages);
    say(t, " and is at generation %llu again.", LLU(e->generation));
}

SAY(ipi_done)
{
    say_cpus(t, e->cpus);
    say(t,
        e->cpus & (e->cpus - 1)
            ? " have answered after %llu cycles: nobody can use the old entries any more."
            : " has answered after %llu cycles: nobody can use the old entries any more.",
        LLU(e->waited));
}

SAY(tlb_lazy)
{
    if (e->on)
        say(t, "CPU %llu has nothing to run: it keeps the address space loaded, lazily.",
            LLU(e->id));
    else
        say(t, "CPU %llu idles no more.", LLU(e->id));
}

/* ---- sentences: the end of processes ---- */

SAY(reclaim_begin)
{
    static const char *const reason[RECLAIM_WHYS] = {
        [RECLAIM_KSWAPD] = "less than the low mark is free, so in the background",
        [RECLAIM_DIRECT] = "a request found no frame, so before it is tried again",
        [RECLAIM_LIMIT] = "the limit on pages in memory is reached, so",
        [RECLAIM_ADVICE] = "the program asked for it:",
    };
    say(t, "Reclaim: %s %llu frame%s must come free; %llu are free now.",
        word(t, name_in(reason, RECLAIM_WHYS, e->why)), LLU(e->target), many(e->target),
        LLU(e->free));
}

SAY(reclaim_look)
{
    say(t, "Reclaim looks at page 0x%llx of process %llu in frame 0x%llx: A is %s, D is %s%s.",
        LLU(e->va), LLU(e->owner), LLU(e->pfn), word(t, e->accessed ? "set" : "clear"),
        word(t, e->dirty ? "set" : "clear"),
        word(t, e->accessed ? "; A is cleared, to see whether the page is used again" : ""));
}

SAY(page_out)
{
    say(t, "Page 0x%llx of process %llu is evicted from frame 0x%llx: ", LLU(e->va), LLU(e->owner),
        LLU(e->pfn));
    if (e->slot == UINT32_MAX)
        say(t, "the program gave it up (MADV_FREE), so it is dropped.");
    else if (e->written)
        say(t, "it is dirty, so it is written to swap slot %llu.", LLU(e->slot));
    else
        say(t, "swap slot %llu has the same bytes, so nothing is written.", LLU(e->slot));
}

SAY(reclaim_end)
{
    say(t, "Reclaim is done: %llu frame%s freed, %llu are free.", LLU(e->freed), many(e->freed),
        LLU(e->free));
}

SAY(swap_in)
{
    say(t,
        e->distance == 1
            ? "Page 0x%llx is read from swap slot %llu into frame 0x%llx; %llu page was "
              "evicted since it was."
            : "Page 0x%llx is read from swap slot %llu into frame 0x%llx; %llu pages "
              "were evicted since it was.",
        LLU(e->va), LLU(e->slot), LLU(e->pfn), LLU(e->distance));
}

SAY(file_new)
{
    say(t, "File %llu is on the disk, %llu bytes long.", LLU(e->file), LLU(e->size));
}

SAY(file_size)
{
    say(t, "File %llu is %llu bytes long now.", LLU(e->file), LLU(e->size));
}

SAY(file_page)
{
    say(t, "Page %llu of file %llu is in the page cache, in frame 0x%llx.", LLU(e->page),
        LLU(e->file), LLU(e->pfn));
}

SAY(file_read)
{
    say(t, "%llu page%s of file %llu, from page %llu on, %s read from the disk; %s", LLU(e->pages),
        many(e->pages), LLU(e->file), LLU(e->page), word(t, e->pages == 1 ? "was" : "were"),
        word(t, e->waited ? "the program waits for it."
                          : "the program goes on meanwhile (read-ahead)."));
}

static void say_dirty(struct telling *t, uint64_t pages)
{
    say(t, pages == 1 ? "%llu page is dirty." : "%llu pages are dirty.", LLU(pages));
}

SAY(file_dirty)
{
    say(t, "Page %llu of file %llu is dirty from now on: the disk has it as it was. ", LLU(e->page),
        LLU(e->file));
    say_dirty(t, e->dirty);
}

SAY(file_write)
{
    say(t,
        "Page %llu of file %llu is written back: it is clean, and the next store to it will "
        "fault. ",
        LLU(e->page), LLU(e->file));
    say_dirty(t, e->dirty);
}

SAY(file_drop)
{
    say(t, "Page %llu of file %llu leaves the page cache%s; frame 0x%llx is about to be free.",
        LLU(e->page), LLU(e->file),
        word(t, e->written ? " now that it is on the disk" : ": the disk has the same bytes"),
        LLU(e->pfn));
}

SAY(writeback_begin)
{
    say(t, "%llu pages are dirty, which is too many: %s writes them back.", LLU(e->dirty),
        word(t, e->waited ? "the program itself" : "the flusher"));
}

SAY(swap_free)
{
    say(t, "Swap slot %llu is free again; %llu are in use.", LLU(e->slot), LLU(e->used));
}

SAY(out_of_memory)
{
    say(t, "No frame is left for 0x%llx: ", LLU(e->va));
    if (e->pid)
        say(t, "process %llu is killed.", LLU(e->pid));
    else
        say(t, "the call fails.");
}

SAY(signal_sent)
{
    const char *name = e->signal == LX_SIGSEGV   ? "SIGSEGV"
                       : e->signal == LX_SIGBUS  ? "SIGBUS"
                       : e->signal == LX_SIGKILL ? "SIGKILL"
                                                 : "a signal";
    say(t, "The process gets %s", word(t, name));
    if (e->signal == LX_SIGSEGV)
        say(t, ", %s",
            word(t, e->code == LX_SEGV_MAPERR   ? "MAPERR (no area is there)"
                    : e->code == LX_SEGV_PKUERR ? "PKUERR (the protection key does not allow it)"
                                                : "ACCERR (the area does not allow it)"));
    say(t, ", at 0x%llx.", LLU(e->va));
}

SAY(process_new)
{
    say(t, "Process %llu begins", LLU(e->id));
    if (e->parent)
        say(t, ", a child of %llu", LLU(e->parent));
    say(t, ".");
}

SAY(process_gone)
{
    say(t, "Process %llu ends", LLU(e->id));
    if (e->signal)
        say(t, ", killed by signal %llu", LLU(e->signal));
    say(t, ".");
}

/* ---- sentences: the MMU ---- */

SAY(access)
{
    unsigned offset = (unsigned)(e->va & PAGE_MASK);
    static const char *const who[][2] = {{"The kernel", "Again: the kernel"},
                                         {"The allocator", "Again: the allocator"},
                                         {"The program", "Again: the program"}};
    unsigned whose = !e->user ? 0 : t->c->in_malloc ? 1 : 2;
    say(t, "%s %s %llu byte%s at 0x%llx: page 0x%llx, offset 0x%03x",
        word(t, who[whose][t->c->retry]),
        word(t, name_in(access_does, ARRAY_LEN(access_does), e->how)), LLU(e->length),
        many(e->length), LLU(e->va), LLU(e->va >> PAGE_SHIFT), offset);
    struct mmu_regs regs = {.cr4 = 0};
    if (t->c->sim)
        inspect_regs(t->c->sim, t->c->cpu, &regs);
    say(t, "; indices ");
    if (mmu_levels(&regs) == 5)
        say(t, "PML5 %u, ", va_index(e->va, 5));
    say(t, "PML4 %u, PDPT %u, PD %u, PT %u.", va_index(e->va, 4), va_index(e->va, 3),
        va_index(e->va, 2), va_index(e->va, 1));
}

SAY(tlb_hit)
{
    say_set(t, e->level, e->vpn, e->set);
    say(t, "; way %llu has this tag: hit, frame 0x%llx.", LLU(e->way), LLU(e->pfn));
}

SAY(tlb_miss)
{
    say_set(t, e->level, e->vpn, e->set);
    say_tags(t, e->level, (uint32_t)e->set);
    say(t, ": miss");
    if (t->c->sim && inspect_config(t->c->sim)->mmu.classify)
        say(t, " (%s)", word(t, name_in(class_why, MISS_CLASSES, e->class)));
    say(t, ".");
}

SAY(tlb_fill)
{
    say(t, "%s TLB: set %llu, way %llu now holds page 0x%llx -> frame 0x%llx (", tlb_name(e->level),
        LLU(e->set), LLU(e->way), LLU(e->vpn), LLU(e->pfn));
    say_rights(t, e->flags);
    say(t, ")");
    if (e->flags & TLB_RUN)
        say(t, "; one entry for %llu neighbouring pages", LLU(e->size / PAGE_SIZE));
    if (e->evicts)
        say(t, "; page 0x%llx is thrown out", LLU(e->victim));
    say(t, ".");
}

SAY(tlb_dirty)
{
    say(t, "%s TLB: set %llu, way %llu learns that page 0x%llx is dirty.", tlb_name(e->level),
        LLU(e->set), LLU(e->way), LLU(e->vpn));
}

SAY(tlb_drop)
{
    say(t, "%s TLB: set %llu, way %llu forgets page 0x%llx.", tlb_name(e->level), LLU(e->set),
        LLU(e->way), LLU(e->vpn));
}

SAY(tlb_move)
{
    say(t, "%s TLB: set %llu, way %llu gives page 0x%llx up: the levels never hold the same.",
        tlb_name(e->level), LLU(e->set), LLU(e->way), LLU(e->vpn));
}

SAY(psc_hit)
{
    say(t, "The cache of %ss shortens the walk: the next table is at physical 0x%llx.",
        entry_of(e->level), LLU(e->table));
}

SAY(psc_fill)
{
    say(t, "The cache of %ss, slot %llu, remembers 0x%llx -> table at physical 0x%llx.",
        entry_of(e->level), LLU(e->slot), LLU(e->va), LLU(e->table));
}

SAY(psc_drop)
{
    say(t, "The cache of %ss forgets slot %llu.", entry_of(e->level), LLU(e->slot));
}

SAY(prefetch_fill)
{
    say(t,
        "Page 0x%llx -> frame 0x%llx may be wanted next: its translation is fetched into the "
        "prefetch buffer.",
        LLU(e->vpn), LLU(e->pfn));
}

SAY(prefetch_leave)
{
    if (e->used)
        say(t, "The prefetch buffer has the translation of page 0x%llx: no walk is needed.",
            LLU(e->vpn));
    else
        say(t, "Page 0x%llx leaves the prefetch buffer, fetched for nothing.", LLU(e->vpn));
}

SAY(cache_hit)
{
    say(t, "L%llu cache: set %llu, way %llu has the line at physical 0x%llx.", LLU(e->level),
        LLU(e->set), LLU(e->way), LLU(e->pa));
}

SAY(cache_miss)
{
    say(t, "L%llu cache: no way of set %llu has the line at physical 0x%llx.", LLU(e->level),
        LLU(e->set), LLU(e->pa));
}

SAY(cache_fill)
{
    say(t, "L%llu cache: set %llu, way %llu now holds the line at physical 0x%llx", LLU(e->level),
        LLU(e->set), LLU(e->way), LLU(e->pa));
    if (e->evicts)
        say(t, "; the one at 0x%llx is thrown out", LLU(e->victim));
    say(t, ".");
}

SAY(cache_write_back)
{
    say(t,
        "The line at physical 0x%llx was written to since it came into the L%llu cache: it goes "
        "to ",
        LLU(e->pa), LLU(e->level));
    if (e->to)
        say(t, "L%llu.", LLU(e->to));
    else
        say(t, "memory.");
}

SAY(cache_drop)
{
    say(t,
        "The line at physical 0x%llx leaves the L%llu cache too: a level holds only what those "
        "further "
        "out hold.",
        LLU(e->pa), LLU(e->level));
}

SAY(walk_begin)
{
    say(t, "Page walk for 0x%llx: CR3 points to the first table at physical 0x%llx.", LLU(e->va),
        LLU(e->root));
}

SAY(walk_read)
{
    say(t, "%s[%llu] at physical 0x%llx is 0x%llx: ", table_of(e->level), LLU(e->index), LLU(e->pa),
        LLU(e->entry));
    say_entry(t, e->entry, e->level);
    if (e->cost)
        say(t, " (%llu cycles)", LLU(e->cost));
    say(t, ".");
}

SAY(walk_end)
{
    say(t, "The walk ends after %llu read%s: 0x%llx is in frame 0x%llx, a page of %llu KiB (",
        LLU(e->reads), many(e->reads), LLU(e->va), LLU(e->pfn), LLU(e->size / KIB));
    say_rights(t, e->flags);
    say(t, ").");
}

SAY(entry_mark)
{
    pte_t now = e->after & ~e->before;
    say(t, "The walker sets %s%s%s in the %s at physical 0x%llx: 0x%llx -> 0x%llx.",
        word(t, now & PTE_A ? "A (accessed)" : ""),
        word(t, (now & PTE_A) && (now & PTE_D) ? " and " : ""),
        word(t, now & PTE_D ? "D (dirty)" : ""), entry_of(e->level), LLU(e->pa), LLU(e->before),
        LLU(e->after));
}

SAY(ept_read)
{
    say(t, "Guest-physical 0x%llx: EPT %s[%llu] at physical 0x%llx is 0x%llx", LLU(e->gpa),
        table_of(e->level), LLU(e->index), LLU(e->pa), LLU(e->entry));
    if (e->cost)
        say(t, " (%llu cycles)", LLU(e->cost));
    say(t, ".");
}

SAY(ept_mark)
{
    pte_t now = e->after & ~e->before;
    say(t, "The walker sets %s%s%s in the EPT's %s at physical 0x%llx.", now & EPT_A ? "A" : "",
        word(t, (now & EPT_A) && (now & EPT_D) ? " and " : ""), now & EPT_D ? "D" : "",
        entry_of(e->level), LLU(e->pa));
}

SAY(vm_exit)
{
    if (e->reason == EXIT_EPT_MISCONFIG) {
        say(t, "VM exit 49, EPT misconfiguration: an entry for guest-physical 0x%llx is malformed.",
            LLU(e->gpa));
        return;
    }
    say(t,
        "VM exit 48, EPT violation, qualification 0x%llx: guest-physical 0x%llx (for linear "
        "0x%llx, %s) ",
        LLU(e->qualification), LLU(e->gpa), LLU(e->va),
        word(t, e->qualification & EXIT_FINAL ? "its page" : "a table's entry"));
    say(t, e->qualification >> EXIT_RIGHTS_SHIFT & EPT_RWX ? "may not be used in this way."
                                                           : "is not mapped.");
}

SAY(ept_write)
{
    say(t,
        "The hypervisor writes the EPT's %s at physical 0x%llx for guest-physical 0x%llx: 0x%llx.",
        entry_of(e->level), LLU(e->pa), LLU(e->gpa), LLU(e->entry));
}

SAY(invvpid)
{
    say(t, "INVVPID, type %llu, VPID %llu.", LLU(e->type), LLU(e->vpid));
}

SAY(invept)
{
    if (e->type == INVEPT_ALL)
        say(t, "INVEPT, type 2: the translations of all guests are forgotten.");
    else
        say(t, "INVEPT, type 1: translations by the EPT at physical 0x%llx are forgotten.",
            LLU(e->eptp & EPT_FRAME));
}

SAY(fault)
{
    if (e->vector != VECTOR_PF) {
        say(t, "%s: 0x%llx is not canonical (its upper bits are not all the same).",
            e->vector == VECTOR_SS ? "#SS" : "#GP", LLU(e->va));
        return;
    }
    say(t, "#PF: CR2 = 0x%llx, error code 0x%llx (P=%d W=%d U=%d RSVD=%d I=%d): ", LLU(e->va),
        LLU(e->error), !!(e->error & PF_P), !!(e->error & PF_W), !!(e->error & PF_U),
        !!(e->error & PF_RSVD), !!(e->error & PF_I));
    say_pf_error(t, e->error);
    if (e->level)
        say(t, "; it shows in the %s", entry_of(e->level));
    say(t, ".");
}

SAY(data)
{
    say(t, "The %s is done: %llu byte%s at 0x%llx are physical 0x%llx (frame 0x%llx + 0x%03llx).",
        word(t, name_in(access_verb, ARRAY_LEN(access_verb), e->how)), LLU(e->length),
        many(e->length), LLU(e->va), LLU(e->pa), LLU(e->pa >> PAGE_SHIFT), LLU(e->pa & PAGE_MASK));
}

SAY(cr3_load)
{
    say(t, "CR3 = 0x%llx: another address space", LLU(e->root));
    if (e->pcid)
        say(t, " (PCID %llu%s)", LLU(e->pcid), word(t, e->flush ? "" : ", nothing is forgotten"));
    if (e->flush && e->pcid)
        say(t, "; its old translations are forgotten");
    say(t, "%s.", word(t, e->flush && !e->pcid ? "; the TLBs are emptied" : ""));
}

SAY(cr4_load)
{
    uint64_t changed = e->before ^ e->after;
    bool all = changed & CR4_PGE || changed & e->before & CR4_PCIDE;
    say(t, "CR4 = 0x%llx (was 0x%llx): ", LLU(e->after), LLU(e->before));
    say(t, "%s.",
        word(t, all ? "PGE or PCIDE changed, so every translation is forgotten"
                : changed & e->after & CR4_SMEP
                    ? "SMEP begins, so this PCID's translations are forgotten"
                    : "no translation has to be forgotten"));
}

SAY(invlpg)
{
    say(t, "INVLPG 0x%llx: its translations are dropped from the TLBs.", LLU(e->va));
}

SAY(invpcid)
{
    say(t, "INVPCID type %llu: ", LLU(e->type));
    if (e->type == INVPCID_ADDRESS)
        say(t, "the translations of 0x%llx under PCID %llu", LLU(e->va), LLU(e->pcid));
    else if (e->type == INVPCID_SINGLE)
        say(t, "all translations of PCID %llu", LLU(e->pcid));
    else
        say(t, "all translations of all PCIDs");
    say(t, "%s are dropped.",
        word(t, e->type == INVPCID_ALL ? ", global ones too," : " but global ones"));
}

SAY(mark)
{
    say(t, "%s", e->text ? e->text : word(t, "A mark."));
}

/* ---- following ---- */

void explain_begin(struct explain_context *c, const struct sim *sim)
{
    *c = (struct explain_context){.sim = sim, .op_kind = OP_COUNT};
}

static void follow_fault_end(struct explain_context *c, const struct event *e)
{
    c->in_fault = false;
    c->retry = e->fault_end.outcome <= FAULT_SPURIOUS;
    c->in_access = false;
}

static void follow_program(struct explain_context *c, const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EV_op_begin:
        *c = (struct explain_context){.sim = c->sim, .lang = c->lang};
        c->op_kind = (uint8_t)e->op_begin.kind;
        break;
    case EV_alloc_request:
    case EV_alloc_free:
        c->in_malloc = true;
        c->fits = c->grew = false;
        break;
    case EV_alloc_search:
        c->probes = 0;
        break;
    case EV_alloc_probe:
        c->probes++;
        break;
    case EV_alloc_fit:
        c->fits = e->alloc_fit.chunk != 0;
        break;
    case EV_alloc_grow:
        c->grew = true;
        break;
    case EV_block_new:
    case EV_block_gone:
    case EV_op_end:
        c->in_malloc = false;
        break;
    default:
        break;
    }
}

static void follow_kernel(struct explain_context *c, const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EV_sys_enter:
        c->in_call = true;
        c->call = e->sys_enter.nr;
        break;
    case EV_sys_exit:
        c->in_call = false;
        break;
    case EV_fault_begin:
        c->in_fault = true;
        break;
    case EV_fault_end:
        follow_fault_end(c, e);
        break;
    default:
        break;
    }
}

static void follow_mmu(struct explain_context *c, const struct event *e)
{
    if (e->kind == EV_access) {
        c->retry = c->retry && c->va >> PAGE_SHIFT == e->access.va >> PAGE_SHIFT;
        c->in_access = true;
        c->va = e->access.va;
        c->how = (enum access)e->access.how;
    } else if (e->kind == EV_data) {
        c->in_access = c->retry = false;
    }
}

/* What opens something stands one step further out than what is inside it. */
static bool opens(uint32_t kind)
{
    return kind == EV_sys_enter || kind == EV_sys_exit || kind == EV_fault_begin ||
           kind == EV_fault_end || kind == EV_access || kind == EV_data;
}

void explain_follow(struct explain_context *c, const struct event *e)
{
    unsigned before = (unsigned)c->in_access + c->in_fault + c->in_call;
    c->cpu = e->cpu;
    c->pid = e->pid;
    follow_program(c, e);
    follow_kernel(c, e);
    follow_mmu(c, e);
    c->cpu = e->cpu;
    c->pid = e->pid;
    unsigned now = (unsigned)c->in_access + c->in_fault + c->in_call;
    c->depth = opens(e->kind) ? (unsigned)min_u64(before, now) : now;
}

char *explain_event(const struct explain_context *c, const struct event *e, char *text, size_t size)
{
    struct telling t = {text, size, 0, c->lang, c};
    if (!size)
        return text;
    text[0] = '\0';
    switch ((enum event_kind)e->kind) {
#define F(kind, name, doc)
#define EVENT(name, doc, ...)                                                                      \
    case EV_##name:                                                                                \
        say_##name(&t, &e->name);                                                                  \
        break;
#include "sim/base/events.def"
#undef EVENT
#undef F
    case EV_COUNT:
        break;
    }
    return text;
}

/* ---- chapters ---- */

static enum explain_chapter chapter_of_op(uint64_t kind)
{
    if (uses_memory(kind))
        return CHAPTER_USE;
    return kind <= OP_pvalloc && kind != OP_free ? CHAPTER_CALL : CHAPTER_NONE;
}

static enum explain_chapter chapter_of_alloc(const struct explain_context *c, const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EV_alloc_request:
        return CHAPTER_CALL;
    case EV_alloc_size:
        return CHAPTER_SIZE;
    case EV_alloc_search:
    case EV_alloc_probe:
        return CHAPTER_SEARCH;
    case EV_alloc_fit:
        return c->fits ? CHAPTER_FIT : CHAPTER_GROW;
    case EV_alloc_split:
    case EV_alloc_list:
        return CHAPTER_FIT;
    case EV_alloc_header:
        return c->fits && !c->grew ? CHAPTER_FIT : CHAPTER_BOOKS;
    case EV_alloc_threshold:
        return CHAPTER_LARGE;
    case EV_alloc_grow:
        return e->alloc_grow.mmap ? CHAPTER_LARGE : CHAPTER_GROW;
    case EV_alloc_align:
        return CHAPTER_BOOKS;
    case EV_alloc_return:
    case EV_block_new:
        return CHAPTER_RETURN;
    default:
        return CHAPTER_NONE;
    }
}

static enum explain_chapter chapter_of_call(const struct explain_context *c, const struct event *e)
{
    if (c->call == LX_NR_brk)
        return e->kind == EV_area_new || e->kind == EV_area_change ? CHAPTER_MAP : CHAPTER_BRK;
    if (c->call != LX_NR_mmap)
        return CHAPTER_NONE;
    if (e->kind == EV_sys_exit)
        return CHAPTER_MMAP_DONE;
    return e->kind == EV_area_new || e->kind == EV_area_change ? CHAPTER_BACK : CHAPTER_RANGE;
}

static enum explain_chapter chapter_of_mmu(const struct explain_context *c, const struct event *e)
{
    switch ((enum event_kind)e->kind) {
    case EV_walk_begin:
    case EV_walk_read:
    case EV_walk_end:
    case EV_ept_read:
    case EV_ept_mark:
    case EV_entry_mark:
    case EV_psc_hit:
    case EV_psc_fill:
        return CHAPTER_WALK;
    case EV_fault:
        return CHAPTER_BACK;
    case EV_access:
    case EV_data:
        return uses_memory(c->op_kind) ? CHAPTER_USE : CHAPTER_BOOKS;
    case EV_tlb_hit:
    case EV_tlb_miss:
    case EV_tlb_fill:
    case EV_tlb_dirty:
    case EV_tlb_move:
        return CHAPTER_TLB;
    default:
        return CHAPTER_NONE;
    }
}

enum explain_chapter explain_chapter(const struct explain_context *c, const struct event *e)
{
    if (e->kind == EV_op_begin)
        return chapter_of_op(e->op_begin.kind);
    if (c->in_fault || e->kind == EV_fault_end)
        return CHAPTER_BACK;
    if (c->in_call || e->kind == EV_sys_exit)
        return chapter_of_call(c, e);
    enum explain_chapter chapter = chapter_of_alloc(c, e);
    return chapter ? chapter : chapter_of_mmu(c, e);
}

/* ---- the parts ---- */

#define PART(call)                                                                                 \
    struct telling t = {text, size, 0, lang, NULL};                                                \
    if (size) {                                                                                    \
        text[0] = '\0';                                                                            \
        call;                                                                                      \
    }                                                                                              \
    return text

char *explain_entry(enum lang lang, pte_t entry, unsigned level, char *text, size_t size)
{
    PART(say_entry(&t, entry, level));
}

char *explain_pf_error(enum lang lang, uint64_t error, char *text, size_t size)
{
    PART(say_pf_error(&t, error));
}

char *explain_prot(uint64_t prot, char *text, size_t size)
{
    const enum lang lang = LANG_EN; /* the letters are the same in all */
    PART(say_prot(&t, prot));
}

const char *explain_table_name(unsigned level)
{
    return table_of(level);
}

const char *explain_entry_name(unsigned level)
{
    return entry_of(level);
}
