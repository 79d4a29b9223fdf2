/* thing.c: from any thing to its virtual range, down to entries and frame; and hover texts. */
#include "viz/thing.h"

#include "viz/keys.h"
#include "viz/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const level_name[] = {"", "PT", "PD", "PDPT", "PML4", "PML5"};

/* ---- links ---- */

static void set_range(struct links *l, va_t start, uint64_t bytes)
{
    l->ranged = true;
    l->start = start;
    l->end = start + max_u64(bytes, 1);
}

/* An entry covers a range: known from the first address that its table maps. */
static void entry_range(struct links *l, const struct model *m, pa_t pa)
{
    const struct model_frame *f = model_frame(m, pa >> PAGE_SHIFT);
    if (!f->entry || !f->level)
        return;
    uint64_t span = level_span(f->level);
    l->entry[f->level] = pa;
    set_range(l, f->va + (pa & PAGE_MASK) / sizeof(pte_t) * span, span);
}

static void line_range(struct links *l, const struct model_cpu *cpu, struct thing t)
{
    const struct model_tlb *tlb = &cpu->tlb[(t.b - 1) % TLB_ARRAYS];
    if (t.a >= (uint64_t)tlb->sets * tlb->ways || !tlb->line[t.a].valid)
        return;
    set_range(l, tlb->line[t.a].vpn << PAGE_SHIFT, tlb->line[t.a].size);
    l->framed = true;
    l->pfn = tlb->line[t.a].pfn;
}

static void frame_range(struct links *l, const struct model *m, pfn_t pfn)
{
    const struct model_frame *f = model_frame(m, pfn);
    l->framed = true;
    l->pfn = pfn;
    if (f->use == FRAME_ANON || f->use == FRAME_SHARED)
        set_range(l, f->va, PAGE_SIZE);
}

/* 8 bytes of a frame: of the page there, or of a table. */
static void word_range(struct links *l, const struct model *m, pa_t pa)
{
    frame_range(l, m, pa >> PAGE_SHIFT);
    if (l->ranged)
        set_range(l, l->start + (pa & PAGE_MASK), sizeof(uint64_t));
    else
        entry_range(l, m, pa);
}

/* Downwards by translation. A range of many pages has no single way down. */
static void follow_tables(struct links *l, const struct model *m, pa_t root)
{
    pte_t entry = 0;
    for (unsigned level = m->levels; level >= 1; level--) {
        if (l->end - l->start > level_span(level) ||
            !model_entry(m, root, l->start, level, &entry, &l->entry[level]))
            return;
        if (level == 1 && (entry & PTE_P)) {
            l->framed = true;
            l->pfn = pte_pfn(entry);
        }
    }
}

void thing_links(struct links *l, const struct model *m, const struct model_cpu *cpu,
                 struct thing t)
{
    *l = (struct links){.thing = t};
    switch (t.kind) {
    case THING_VA:
        set_range(l, t.a, 1);
        break;
    case THING_BLOCK: {
        const struct model_block *b = model_block_at(m, cpu->pid, t.a);
        set_range(l, t.a, b ? b->usable : 1);
        break;
    }
    case THING_CHUNK:
        set_range(l, t.a, t.b);
        break;
    case THING_AREA:
        set_range(l, t.a, t.b - t.a);
        break;
    case THING_ENTRY:
        entry_range(l, m, t.a);
        break;
    case THING_LINE:
        line_range(l, cpu, t);
        break;
    case THING_WORD:
        word_range(l, m, t.a);
        break;
    case THING_SPAN:
        set_range(l, model_canonical(m, t.a), UINT64_C(1) << t.b);
        break;
    case THING_FRAME:
        frame_range(l, m, t.a);
        break;
    default:
        break;
    }
    if (l->ranged)
        follow_tables(l, m, cpu->root);
}

static bool touches(const struct links *l, va_t start, uint64_t bytes)
{
    return l->ranged && start < l->end && l->start < start + max_u64(bytes, 1);
}

static bool line_linked(const struct links *l, const struct model_cpu *cpu, struct thing t)
{
    const struct model_tlb *tlb = &cpu->tlb[(t.b - 1) % TLB_ARRAYS];
    const struct model_line *line = &tlb->line[t.a];
    return line->valid && touches(l, line->vpn << PAGE_SHIFT, line->size);
}

bool thing_linked(const struct links *l, const struct model *m, const struct model_cpu *cpu,
                  struct thing t)
{
    if (l->thing.kind == THING_NONE || t.kind == THING_NONE)
        return false;
    if (thing_equal(l->thing, t))
        return true;
    switch (t.kind) {
    case THING_BLOCK: {
        const struct model_block *b = model_block_at(m, cpu->pid, t.a);
        return touches(l, t.a, b ? b->usable : 1);
    }
    case THING_CHUNK:
        return touches(l, t.a, t.b);
    case THING_AREA:
        return touches(l, t.a, t.b - t.a);
    case THING_ENTRY:
        return t.b <= LEVELS_MAX && l->entry[t.b] && l->entry[t.b] == t.a;
    case THING_LINE:
        return line_linked(l, cpu, t);
    case THING_FRAME:
        return l->framed && l->pfn == t.a;
    default:
        return false;
    }
}

bool thing_selectable(struct thing t)
{
    switch (t.kind) {
    case THING_VA:
    case THING_BLOCK:
    case THING_CHUNK:
    case THING_AREA:
    case THING_ENTRY:
    case THING_TABLE:
    case THING_LINE:
    case THING_SLOT:
    case THING_FRAME:
    case THING_CALL:
    case THING_WORD:
    case THING_SPAN:
        return true;
    default:
        return false;
    }
}

/* ---- what a thing says ---- */

static int tell_area(enum lang lang, const struct model *m, uint16_t pid, va_t va, char *text,
                     size_t size)
{
    const struct model_area *a = model_area(m, pid, va);
    if (!a)
        return snprintf(text, size, "%s", words_say(lang, "no area"));
    return snprintf(text, size, "%s%s–%s",
                    a->name && a->name[0] ? a->name : words_say(lang, "anonymous "),
                    number_bare(a->start).text, number_bare(a->end).text);
}

static void tell_frame(enum lang lang, const struct model *m, pfn_t pfn, char *text, size_t size)
{
    const struct model_frame *f = model_frame(m, pfn);
    struct number frame = number_hex(pfn, 4);
    if (f->use == FRAME_TABLE)
        snprintf(text, size, words_say(lang, "frame %s (%" PRIu64 "): %s of pid %u, maps from %s"),
                 frame.text, pfn, level_name[f->level % 6], f->pid, number_hex(f->va, 12).text);
    else if (f->use == FRAME_FILE)
        snprintf(text, size,
                 words_say(lang, "frame %s (%" PRIu64 "): page %" PRIu64 " of a file (page cache)"),
                 frame.text, pfn, f->va >> PAGE_SHIFT);
    else if (f->use == FRAME_ANON || f->use == FRAME_SHARED)
        snprintf(text, size, words_say(lang, "frame %s (%" PRIu64 "): page %s of pid %u"),
                 frame.text, pfn, number_hex(f->va, 12).text, f->pid);
    else
        snprintf(text, size, words_say(lang, "frame %s (%" PRIu64 "): %s"), frame.text, pfn,
                 words_say(lang, f->use == FRAME_RESERVED ? "the kernel's own" : "free"));
}

static void tell_line(enum lang lang, const struct model_cpu *cpu, struct thing t, char *text,
                      size_t size)
{
    const struct model_tlb *tlb = &cpu->tlb[(t.b - 1) % TLB_ARRAYS];
    const struct model_line *line = &tlb->line[t.a];
    int n = snprintf(text, size, words_say(lang, "%s set %" PRIu64 " way %" PRIu64 ": "),
                     tlb_array_name[(t.b - 1) % TLB_ARRAYS], t.a / tlb->ways, t.a % tlb->ways);
    if (!line->valid)
        snprintf(text + n, size - (size_t)n, "%s", words_say(lang, "empty"));
    else
        snprintf(text + n, size - (size_t)n, words_say(lang, "page %s → frame %s%s%s%s"),
                 number_hex(line->vpn << PAGE_SHIFT, 12).text, number_hex(line->pfn, 4).text,
                 words_say(lang, line->flags & TLB_WRITE ? " writable" : ""),
                 line->flags & TLB_DIRTY ? " dirty" : "",
                 line->flags & TLB_USER ? "" : " supervisor");
}

static void tell_entry(enum lang lang, const struct model *m, struct thing t, char *text,
                       size_t size)
{
    const struct model_frame *f = model_frame(m, t.a >> PAGE_SHIFT);
    pte_t entry = f->entry ? f->entry[(t.a & PAGE_MASK) / sizeof(pte_t)] : 0;
    snprintf(text, size, words_say(lang, "%s entry %" PRIu64 " at %s: %s%s"), level_name[t.b % 6],
             (t.a & PAGE_MASK) / sizeof(pte_t), number_hex(t.a, 8).text, number_hex(entry, 16).text,
             words_say(lang, entry & PTE_P ? "" : " not present"));
}

static void tell_block(enum lang lang, const struct model *m, uint16_t pid, va_t va, char *text,
                       size_t size)
{
    const struct model_block *b = model_block_at(m, pid, va);
    if (!b)
        snprintf(text, size, "%s", number_hex(va, 12).text);
    else
        snprintf(text, size,
                 words_say(lang, "block p%" PRIu64 " at %s: %" PRIu64 " B asked for, %" PRIu64
                                 " B usable, made by op %" PRIu64),
                 b->id, number_hex(va, 12).text, b->size, b->usable, b->op);
}

static void tell_bit(enum lang lang, struct thing t, char *text, size_t size)
{
    static const char *const bit[] = {
        "P: present",
        "R/W: may be written",
        "U/S: user may use it",
        "PWT: write-through",
        "PCD: not cached",
        "A: was accessed",
        "D: was written",
        "PAT (in PD, PDPT: PS, maps a page)",
        "G: global",
    };
    if (t.a < ARRAY_LEN(bit))
        snprintf(text, size, words_say(lang, "bit %" PRIu64 " %s"), t.a, words_say(lang, bit[t.a]));
    else
        snprintf(text, size, "%s",
                 words_say(lang, t.a == 63 ? "bit 63 XD: no execution" : "bits 51…12: the frame"));
}

static void tell_word(const struct model *m, const struct view *v, struct thing t, char *text,
                      size_t size)
{
    const struct model_frame *f = model_frame(m, t.a >> PAGE_SHIFT);
    uint64_t word;
    memcpy(&word, v->browse.bytes + (t.a & PAGE_MASK & ~UINT64_C(7)), sizeof(word));
    int n = snprintf(text, size, "%s: %s (%" PRIu64 ")", number_hex(t.a, 8).text,
                     number_hex(word, 16).text, word);
    const struct model_block *b = model_block_over(m, f->pid, f->va + (t.a & PAGE_MASK));
    if (b && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, words_say(v->lang, ", in block p%" PRIu64), b->id);
}

static void tell_span(enum lang lang, const struct model *m, const struct model_cpu *cpu,
                      struct thing t, char *text, size_t size)
{
    uint64_t bytes = UINT64_C(1) << t.b;
    va_t va = model_canonical(m, t.a);
    uint64_t mapped = model_mapped(m, cpu->pid, va, va + bytes);
    snprintf(text, size,
             words_say(lang, "%s, %s: %s in areas (%s), %" PRIu64 " pages with a frame"),
             number_hex(va, 12).text, number_bytes(bytes).text, number_bytes(mapped).text,
             number_percent(mapped, bytes).text, model_resident(m, cpu->root, va, va + bytes));
}

static void tell_op(const struct view *v, uint64_t op, char *text, size_t size)
{
    if (!v->trace || op < 1 || op > v->trace->count)
        return;
    const struct op *o = &v->trace->op[op - 1];
    char said[128];
    op_text(o, o->extra ? &v->trace->extra[o->extra] : NULL, said, sizeof(said));
    snprintf(text, size, words_say(v->lang, "op %" PRIu64 ", line %u: %s"), op, o->line, said);
}

void thing_tell(const struct model *m, const struct model_cpu *cpu, const struct view *v,
                struct thing t, char *text, size_t size)
{
    text[0] = '\0';
    switch (t.kind) {
    case THING_OP:
        tell_op(v, t.a, text, size);
        break;
    case THING_BLOCK:
        tell_block(v->lang, m, cpu->pid, t.a, text, size);
        break;
    case THING_CHUNK:
        snprintf(text, size, words_say(v->lang, "chunk %s, %" PRIu64 " B"),
                 number_hex(t.a, 12).text, t.b);
        break;
    case THING_AREA:
    case THING_VA:
        tell_area(v->lang, m, cpu->pid, t.a, text, size);
        break;
    case THING_INDEX:
        snprintf(text, size, words_say(v->lang, "bits %" PRIu64 "…%" PRIu64 " of the address"),
                 t.a ? 11 + 9 * t.a : 11, t.a ? 3 + 9 * t.a : 0);
        break;
    case THING_ENTRY:
        tell_entry(v->lang, m, t, text, size);
        break;
    case THING_LINE:
        tell_line(v->lang, cpu, t, text, size);
        break;
    case THING_FRAME:
        tell_frame(v->lang, m, t.a, text, size);
        break;
    case THING_WORD:
        tell_word(m, v, t, text, size);
        break;
    case THING_SPAN:
        tell_span(v->lang, m, cpu, t, text, size);
        break;
    case THING_BIT:
        tell_bit(v->lang, t, text, size);
        break;
    case THING_ACTION:
        snprintf(text, size, "%s", words_say(v->lang, t.a < ACTIONS ? action_info[t.a].doc : ""));
        break;
    default:
        break;
    }
}
