/* pane_walk.c: the four tables of the walk, each around the entry that the address selects, and the
 * 64 bits of one entry named.
 *
 * The tables are drawn from the model's page tables, so they are there also when the TLB answers
 * and no entry is read: what is not read is grey.
 */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS_MAX 11

static const char *const table_name[] = {"", "PT", "PD", "PDPT", "PML4", "PML5"};

/* How the walk came past one level. */
enum passage { PASS_NOT, PASS_READ, PASS_CACHED, PASS_FAULT };

static enum passage passage_of(const struct model_cpu *cpu, unsigned level)
{
    const struct model_access *a = &cpu->access;
    if (cpu->fault.raised && cpu->fault.level == level && a->level[level].read)
        return PASS_FAULT;
    if (a->level[level].read)
        return PASS_READ;
    return a->psc_level && level >= a->psc_level ? PASS_CACHED : PASS_NOT;
}

static enum colour passage_colour(enum passage pass)
{
    static const enum colour colour[] = {C_CELL_EDGE, C_SELECT, C_HIT, C_FAULT};
    return colour[pass];
}

struct column {
    unsigned level;
    pa_t table; /* 0: there is none */
    const pte_t *entry;
    unsigned index;
    enum passage pass;
    struct rect row; /* of the entry that the address selects */
};

/* ---- one table ---- */

static void draw_entry(struct paint *p, struct rect r, const struct column *c, unsigned index)
{
    pte_t entry = c->entry[index];
    bool current = index == c->index && p->cpu->access.any;
    bool lit = current && c->pass != PASS_NOT;
    struct thing thing = {THING_ENTRY, c->table + index * sizeof(pte_t), c->level};
    paint_box(p, r, lit ? C_CELL : C_SUNK, current ? passage_colour(c->pass) : C_NONE, thing);
    if (lit)
        paint_outline(p, r, passage_colour(c->pass));
    rect_cut_left(&r, paint_em(p, 4));
    rect_cut_right(&r, paint_em(p, 4));
    struct style number = {FACE_MONO, SIZE_SMALL, lit ? C_TEXT : C_FAINT, ALIGN_LEFT};
    char text[16];
    snprintf(text, sizeof(text), "%u", index);
    int used = paint_text(p, r, number, text);
    rect_cut_left(&r, used + paint_em(p, 4));
    struct style value = {lit ? FACE_MONO_BOLD : FACE_MONO, SIZE_BODY, lit ? C_BRIGHT : C_DIM,
                          ALIGN_RIGHT};
    if (!entry && !lit)
        paint_text(p, r, (struct style){FACE_MONO, SIZE_BODY, C_FAINT, ALIGN_RIGHT}, "·");
    else
        paint_text_tail(p, r, value, number_hex(entry & ~PTE_XD, 8).text);
}

static void draw_rows(struct paint *p, struct rect r, struct column *c)
{
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 4);
    int rows = r.h / high;
    if (rows > ROWS_MAX)
        rows = ROWS_MAX;
    if (rows < 1)
        return;
    int first = (int)c->index - rows / 2;
    if (first < 0)
        first = 0;
    if (first + rows > (int)TABLE_ENTRIES)
        first = (int)TABLE_ENTRIES - rows;
    for (int i = 0; i < rows; i++) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 2);
        if (first + i == (int)c->index)
            c->row = row;
        if (c->entry)
            draw_entry(p, row, c, (unsigned)(first + i));
        else
            paint_cell(p, row, C_SUNK, 90, (struct thing){0});
    }
}

static void draw_status(struct paint *p, struct rect r, const struct column *c)
{
    const struct model_access *a = &p->cpu->access;
    struct style style = {FACE_MONO, SIZE_SMALL, passage_colour(c->pass), ALIGN_CENTRE};
    switch (c->pass) {
    case PASS_READ:
        paint_textf(p, r, style, "R read · %" PRIu64 " cy", a->level[c->level].cost);
        break;
    case PASS_CACHED:
        paint_text(p, r, style, "✓ from cache");
        break;
    case PASS_FAULT:
        paint_text(p, r, style, a->level[c->level].entry & PTE_P ? "! right" : "! P = 0 → #PF");
        break;
    case PASS_NOT:
        style.colour = C_FAINT;
        paint_text(p, r, style, !c->entry ? "no table" : a->walked || a->done ? "not read" : "");
        break;
    }
}

static void draw_table(struct paint *p, struct rect r, struct column *c)
{
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_LARGE));
    struct style title = {FACE_MONO_BOLD, SIZE_LARGE, c->entry ? C_BRIGHT : C_FAINT, ALIGN_LEFT};
    int used = paint_text(p, head, title, table_name[c->level]);
    rect_cut_left(&head, used + paint_em(p, 4));
    if (c->table)
        paint_text_tail(p, head, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_RIGHT},
                        number_hex(c->table, 8).text);
    struct rect status = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL));
    rect_cut_top(&r, paint_em(p, 2));
    draw_rows(p, r, c);
    draw_status(p, status, c);
}

/* ---- the bits ---- */

struct bit {
    const char *name;
    unsigned shift;
};

static const struct bit bit_table[] = {
    {"XD", 63}, {"frame", 12}, {"G", 8},  {"PS", 7}, {"D", 6}, {"A", 5},
    {"CD", 4},  {"WT", 3},     {"US", 2}, {"RW", 1}, {"P", 0},
};

/* The entry to name: the selected one, else the newest read, else the last of the way. */
static pa_t chosen(const struct paint *p, const struct column *column, pte_t *entry)
{
    const struct model_access *a = &p->cpu->access;
    pa_t pa = p->view->selection.kind == THING_ENTRY ? p->view->selection.a : 0;
    if (!pa && a->last_level)
        pa = a->level[a->last_level].pa;
    for (int i = (int)p->model->levels - 1; i >= 0 && !pa; i--)
        if (column[i].entry && a->any)
            pa = column[i].table + column[i].index * sizeof(pte_t);
    const struct model_frame *f = model_frame(p->model, pa >> PAGE_SHIFT);
    *entry = f->entry ? f->entry[(pa & PAGE_MASK) / sizeof(pte_t)] : 0;
    return f->entry ? pa : 0;
}

static void draw_bit(struct paint *p, struct rect r, const struct bit *b, pa_t pa, pte_t entry)
{
    bool on = entry >> b->shift & 1;
    bool frame = b->shift == PAGE_SHIFT;
    bool missing = b->shift == 0 && !on;
    enum colour edge = missing ? C_FAULT : b->shift == 6 && on ? C_DIRTY : C_CELL_EDGE;
    paint_box(p, r, C_CELL, edge, (struct thing){THING_BIT, b->shift, pa});
    if (b->shift == 6 && on)
        paint_pattern(p, (struct rect){r.x + 2, r.y + r.h - 5, r.w - 4, 3}, ITEM_HATCH, C_DIRTY);
    r = rect_inset(r, 2);
    struct style style = {FACE_MONO_BOLD, SIZE_LARGE, on || frame ? C_BRIGHT : C_FAINT,
                          ALIGN_CENTRE};
    if (missing)
        style.colour = C_FAULT;
    char text[64];
    if (frame)
        snprintf(text, sizeof(text), paint_say(p, "frame %s"), number_hex(pte_pfn(entry), 4).text);
    else
        snprintf(text, sizeof(text), "%s %u", b->name, on);
    paint_text_shrink(p, r, style, text);
}

static void draw_bits(struct paint *p, struct rect r, const struct column *column)
{
    pte_t entry;
    pa_t pa = chosen(p, column, &entry);
    if (!pa)
        return;
    const struct model_frame *f = model_frame(p->model, pa >> PAGE_SHIFT);
    struct style style = {FACE_MONO, SIZE_BODY, C_DIM, ALIGN_LEFT};
    char text[32];
    snprintf(text, sizeof(text), "%s %" PRIu64, f->level == 1 ? "PTE" : table_name[f->level % 5],
             (pa & PAGE_MASK) / sizeof(pte_t));
    int label = paint_width(p, style, "PML4 000");
    paint_text(p, rect_cut_left(&r, label), style, text);
    rect_cut_left(&r, paint_em(p, 4));
    int n = (int)ARRAY_LEN(bit_table) + 3; /* the frame takes the room of four */
    int at = 0;
    for (size_t i = 0; i < ARRAY_LEN(bit_table); i++) {
        int wide = bit_table[i].shift == PAGE_SHIFT ? 4 : 1;
        struct rect from = rect_column(r, at, n, paint_em(p, 3));
        struct rect to = rect_column(r, at + wide - 1, n, paint_em(p, 3));
        draw_bit(p, (struct rect){from.x, r.y, to.x + to.w - from.x, r.h}, &bit_table[i], pa,
                 entry);
        at += wide;
    }
}

/* ---- the pane ---- */

static void find_tables(const struct paint *p, struct column *column)
{
    const struct model_access *a = &p->cpu->access;
    pa_t table = p->cpu->root;
    for (unsigned i = 0; i < p->model->levels; i++) {
        unsigned level = p->model->levels - i;
        struct column *c = &column[i];
        const struct model_frame *f = model_frame(p->model, table >> PAGE_SHIFT);
        *c = (struct column){.level = level, .index = va_index(a->va, level)};
        c->pass = passage_of(p->cpu, c->level);
        if (!table || !f->entry)
            continue;
        c->table = table;
        c->entry = f->entry;
        pte_t entry = c->entry[c->index];
        table = entry & PTE_P && !(entry & PTE_PS) ? entry & PTE_FRAME : 0;
    }
}

static void draw_arrow(struct paint *p, const struct column *from, const struct column *to)
{
    if (!from->row.w || !to->row.w || !to->entry || !p->cpu->access.any)
        return;
    bool used = from->pass != PASS_NOT && to->pass != PASS_NOT;
    int x = from->row.x + from->row.w;
    int y = from->row.y + from->row.h / 2;
    scene_add(p->scene, &(struct item){.kind = ITEM_ARROW,
                                       .layer = p->layer,
                                       .pane = p->pane,
                                       .fill = used ? passage_colour(to->pass) : C_CELL_EDGE,
                                       .edge_px = 1 + p->layout->em / 12,
                                       .at = {x, y, to->row.x - x, to->row.y + to->row.h / 2 - y}});
}

void pane_walk(struct paint *p)
{
    const struct model_access *a = &p->cpu->access;
    bool hit = false;
    for (unsigned level = 0; level < TLB_LEVELS; level++)
        hit = hit || a->tlb[level] == ANSWER_HIT;
    const char *state = paint_say(p, hit ? "✓ not needed: the TLB knows" : "");
    struct rect r;
    if (a->reads || a->walking)
        r = paint_pane(p, "PAGE WALK", "CR3 %s · %u read%s · %u spared",
                       number_hex(p->cpu->root, 8).text, a->reads, a->reads == 1 ? "" : "s",
                       a->psc_level ? p->model->levels + 1 - a->psc_level : 0);
    else
        r = paint_pane(p, "PAGE WALK", "CR3 %s%s%s", number_hex(p->cpu->root, 8).text,
                       state[0] ? " · " : "", state);
    struct rect bits = {0};
    if (r.h > paint_em(p, 90)) {
        bits = rect_cut_bottom(&r, paint_line(p, SIZE_LARGE) + paint_em(p, 4));
        rect_cut_bottom(&r, paint_em(p, 3));
    }
    int levels = (int)p->model->levels;
    struct column column[LEVELS_MAX];
    find_tables(p, column);
    for (int i = 0; i < levels; i++)
        draw_table(p, rect_column(r, i, levels, paint_em(p, 28)), &column[i]);
    for (int i = 0; i + 1 < levels; i++)
        draw_arrow(p, &column[i], &column[i + 1]);
    if (bits.h)
        draw_bits(p, bits, column);
}
