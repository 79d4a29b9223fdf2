/* browse.c: where the panes of a close look stand, and where a pointer leads. */
#include "viz/browse.h"

#define WORD_BITS 6u  /* 64 bits */
#define PAGE_BITS 15u /* 4096 bytes */

unsigned browse_bits(const struct model *m, unsigned depth)
{
    if (depth > m->levels)
        return WORD_BITS;
    return PAGE_BITS + 9 * (m->levels - depth);
}

uint64_t browse_bytes(const struct model *m, unsigned depth)
{
    unsigned bits = browse_bits(m, depth);
    return UINT64_C(1) << (bits - 3);
}

static const struct model_cpu *cpu_of(const struct model *m)
{
    return &m->cpu[m->cpu_now];
}

/* ---- where the panes stand ---- */

static void space_at(struct browse *b, const struct model *m, va_t va, unsigned depth)
{
    b->depth = depth < browse_depths(m) ? depth : browse_depths(m) - 1;
    uint64_t bytes = browse_bytes(m, b->depth);
    b->space = va & ~(bytes - 1) & (browse_bytes(m, 0) - 1);
}

/* The smallest place that holds the range. */
static void space_around(struct browse *b, const struct model *m, va_t start, va_t end)
{
    unsigned depth = m->levels;
    while (depth && (start & ~(browse_bytes(m, depth) - 1)) + browse_bytes(m, depth) < end)
        depth--;
    space_at(b, m, start, depth);
}

void browse_begin(struct view *v, const struct model *m, unsigned pane)
{
    struct browse *b = &v->browse;
    struct links l;
    thing_links(&l, m, cpu_of(m), v->selection);
    if (pane == PANE_SPACE && l.ranged)
        space_around(b, m, l.start, l.end);
    if (pane == PANE_TABLES) {
        bool entry = v->selection.kind == THING_ENTRY;
        pfn_t pfn = entry ? v->selection.a >> PAGE_SHIFT : l.framed ? l.pfn : PFN_NONE;
        bool table = pfn != PFN_NONE && model_frame(m, pfn)->entry;
        b->table = table ? pfn << PAGE_SHIFT : cpu_of(m)->root;
        b->row = 0;
    }
    if (pane == PANE_BYTES) {
        bool inside = v->selection.kind == THING_ENTRY || v->selection.kind == THING_WORD;
        pfn_t access = cpu_of(m)->access.pa >> PAGE_SHIFT;
        b->frame = inside ? v->selection.a >> PAGE_SHIFT : l.framed ? l.pfn : access;
        b->row = inside ? (unsigned)(v->selection.a & PAGE_MASK) / 16 : 0;
    }
}

/* The table whose entry points to this one; 0: it is the root, or unknown. */
static pa_t table_above(const struct model *m, pa_t table)
{
    const struct model_frame *f = model_frame(m, table >> PAGE_SHIFT);
    pa_t pa = 0;
    pte_t entry;
    if (!f->entry || f->level >= m->levels ||
        !model_entry(m, cpu_of(m)->root, f->va, f->level + 1u, &entry, &pa))
        return 0;
    return pa & ~PAGE_MASK;
}

static void move_row(struct browse *b, int by)
{
    int row = (int)b->row + by;
    b->row = row < 0 ? 0 : row > 255 ? 255 : (unsigned)row;
}

static void zoom_space(struct view *v, const struct model *m, int direction)
{
    struct browse *b = &v->browse;
    if (direction < 0) {
        if (b->depth)
            space_at(b, m, b->space, b->depth - 1);
        return;
    }
    bool chosen = v->selection.kind == THING_SPAN &&
                  v->selection.b == browse_bits(m, b->depth + 1) - 3 &&
                  v->selection.a - b->space < browse_bytes(m, b->depth);
    va_t access = cpu_of(m)->access.va;
    bool here = access - b->space < browse_bytes(m, b->depth);
    space_at(b, m, chosen ? v->selection.a : here ? access : b->space, b->depth + 1);
}

/* Down one level: to the table or page of the selected entry of this table. */
static bool table_below(struct browse *b, const struct view *v, const struct model *m)
{
    const struct model_frame *f = model_frame(m, v->selection.a >> PAGE_SHIFT);
    if (v->selection.kind != THING_ENTRY || !f->entry)
        return false;
    pte_t entry = f->entry[(v->selection.a & PAGE_MASK) / sizeof(pte_t)];
    if (!(entry & PTE_P) || !model_frame(m, pte_pfn(entry))->entry)
        return false;
    b->table = pte_pfn(entry) << PAGE_SHIFT;
    b->row = 0;
    return true;
}

void browse_zoom(struct view *v, const struct model *m, int direction)
{
    struct browse *b = &v->browse;
    switch (view_alone(v)) {
    case PANE_SPACE:
        zoom_space(v, m, direction);
        break;
    case PANE_TABLES:
        if (direction > 0) {
            table_below(b, v, m);
        } else if (table_above(m, b->table)) {
            b->table = table_above(m, b->table);
            b->row = 0;
        }
        break;
    case PANE_BYTES:
        move_row(b, direction > 0 ? -8 : 8);
        break;
    default:
        break;
    }
}

void browse_pan(struct view *v, const struct model *m, int direction)
{
    struct browse *b = &v->browse;
    uint64_t bytes = browse_bytes(m, b->depth);
    switch (view_alone(v)) {
    case PANE_SPACE:
        b->space = (b->space + (uint64_t)direction * bytes) & (browse_bytes(m, 0) - 1);
        break;
    case PANE_TABLES:
        move_row(b, direction * 8);
        break;
    case PANE_BYTES:
        b->frame = (b->frame + m->frames + (uint64_t)(int64_t)direction) % max_u64(m->frames, 1);
        b->row = 0;
        break;
    default:
        break;
    }
}

void browse_drag(struct view *v, const struct model *m, int dx, int dy)
{
    enum { PIXELS = 40 }; /* of the mouse for one step */
    struct browse *b = &v->browse;
    b->drag_x += dx;
    b->drag_y += dy;
    for (; b->drag_x >= PIXELS || b->drag_x <= -PIXELS;
         b->drag_x -= b->drag_x > 0 ? PIXELS : -PIXELS)
        browse_pan(v, m, b->drag_x > 0 ? -1 : 1);
    for (; b->drag_y >= PIXELS || b->drag_y <= -PIXELS;
         b->drag_y -= b->drag_y > 0 ? PIXELS : -PIXELS)
        if (view_alone(v) == PANE_BYTES)
            browse_zoom(v, m, b->drag_y > 0 ? 1 : -1);
}

/* ---- pointers ---- */

static void open_pane(struct view *v, const struct model *m, unsigned pane)
{
    v->pointed = pane;
    v->enlarged = true;
    browse_begin(v, m, pane);
}

static bool select_frame(struct view *v, const struct model *m, pfn_t pfn)
{
    if (pfn >= m->frames)
        return false;
    v->selection = (struct thing){THING_FRAME, pfn, 0};
    return true;
}

static bool follow_entry(struct view *v, const struct model *m)
{
    const struct model_frame *f = model_frame(m, v->selection.a >> PAGE_SHIFT);
    pte_t entry = f->entry ? f->entry[(v->selection.a & PAGE_MASK) / sizeof(pte_t)] : 0;
    if (!(entry & PTE_P))
        return false;
    bool table = model_frame(m, pte_pfn(entry))->entry != NULL;
    if (view_alone(v) == PANE_TABLES && table)
        return table_below(&v->browse, v, m);
    return select_frame(v, m, pte_pfn(entry));
}

/* A word of 8 bytes as an address: of an area, or nothing. */
static bool follow_word(struct view *v, const struct travel *t)
{
    const struct model *m = travel_model(t);
    uint64_t word = 0;
    inspect_ram(t->sim, v->selection.a, &word, sizeof(word));
    if (!model_area(m, cpu_of(m)->pid, word))
        return false;
    v->selection = (struct thing){THING_VA, word, 0};
    if (view_alone(v) == PANE_BYTES) {
        struct links l;
        thing_links(&l, m, cpu_of(m), v->selection);
        if (l.framed) {
            v->browse.frame = l.pfn;
            v->browse.row = (unsigned)(word & PAGE_MASK) / 16;
        }
    }
    return true;
}

bool browse_follow(struct view *v, struct travel *t)
{
    const struct model *m = travel_model(t);
    struct links l;
    switch (v->selection.kind) {
    case THING_ENTRY:
        return follow_entry(v, m);
    case THING_WORD:
        return follow_word(v, t);
    case THING_SPAN:
        if (view_alone(v) == PANE_SPACE)
            browse_zoom(v, m, 1);
        return true;
    case THING_AREA:
        open_pane(v, m, PANE_SPACE);
        return true;
    case THING_FRAME:
        open_pane(v, m, model_frame(m, v->selection.a)->entry ? PANE_TABLES : PANE_BYTES);
        return true;
    default:
        thing_links(&l, m, cpu_of(m), v->selection);
        return l.framed && select_frame(v, m, l.pfn);
    }
}

/* ---- bytes ---- */

pfn_t browse_frame(const struct view *v, const struct model *m)
{
    const struct browse *b = &v->browse;
    pte_t entry;
    if (view_alone(v) == PANE_BYTES)
        return b->frame < m->frames ? b->frame : PFN_NONE;
    if (view_alone(v) != PANE_SPACE || b->depth < m->levels)
        return PFN_NONE;
    for (unsigned level = 1; level <= m->levels; level++)
        if (model_entry(m, cpu_of(m)->root, b->space, level, &entry, NULL) && entry & PTE_P &&
            (level == 1 || entry & PTE_PS))
            return pte_pfn(entry) + (b->space % level_span(level) >> PAGE_SHIFT);
    return PFN_NONE;
}

void browse_read(struct view *v, const struct travel *t)
{
    pfn_t pfn = browse_frame(v, travel_model(t));
    v->browse.known = pfn != PFN_NONE;
    if (v->browse.known)
        inspect_ram(t->sim, pfn << PAGE_SHIFT, v->browse.bytes, sizeof(v->browse.bytes));
}
