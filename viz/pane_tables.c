/* pane_tables.c: one page table as a whole: its 512 entries as a map, and those that are in use as
 * a list with their bits in words.
 */
#include "viz/browse.h"
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

static enum colour entry_colour(pte_t entry, unsigned level)
{
    if (!(entry & PTE_P))
        return entry ? C_MISS : C_SUNK;
    if (level == 1 || entry & PTE_PS)
        return C_MMAP;
    return C_TABLE;
}

static void draw_map(struct paint *p, struct rect r, pa_t table, const struct model_frame *f)
{
    enum { COLUMNS_MAP = 16, ROWS_MAP = TABLE_ENTRIES / 16 };
    unsigned access = va_index(p->cpu->access.va, f->level ? f->level : 1);
    for (int y = 0; y < ROWS_MAP; y++) {
        struct rect row = {r.x, r.y + r.h * y / ROWS_MAP, r.w,
                           r.h * (y + 1) / ROWS_MAP - r.h * y / ROWS_MAP - 1};
        for (int x = 0; x < COLUMNS_MAP; x++) {
            unsigned i = (unsigned)(y * COLUMNS_MAP + x);
            struct rect cell = rect_column(row, x, COLUMNS_MAP, 2);
            paint_cell(p, cell, entry_colour(f->entry[i], f->level), 255,
                       (struct thing){THING_ENTRY, table + i * sizeof(pte_t), f->level});
            if (f->entry[i] && !(f->entry[i] & PTE_P))
                paint_pattern(p, cell, ITEM_HATCH, C_DIM);
            if (i == access && p->cpu->access.any)
                paint_outline(p, cell, C_BRIGHT);
        }
    }
}

static void draw_row(struct paint *p, struct rect r, pa_t table, const struct model_frame *f,
                     unsigned i)
{
    char text[200], said[128];
    struct thing thing = {THING_ENTRY, table + i * sizeof(pte_t), f->level};
    va_t va = model_canonical(p->model, f->va + i * level_span(f->level));
    paint_box(p, r, C_CELL, C_NONE, thing);
    rect_cut_left(&r, paint_em(p, 4));
    snprintf(text, sizeof(text), "%3u  %s  %s", i, number_hex(va, 12).text,
             number_hex(f->entry[i], 16).text);
    struct style style = {FACE_MONO, SIZE_BODY, C_BRIGHT, ALIGN_LEFT};
    int used = paint_text(p, r, style, text);
    rect_cut_left(&r, used + paint_em(p, 10));
    paint_text(p, r, (struct style){FACE_SANS, SIZE_BODY, C_TEXT, ALIGN_LEFT},
               explain_entry(p->view->lang, f->entry[i], f->level, said, sizeof(said)));
}

static void draw_list(struct paint *p, struct rect r, pa_t table, const struct model_frame *f)
{
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 3);
    struct rect foot = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL));
    unsigned used = 0, shown = 0, first = p->view->browse.row;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        used += f->entry[i] != 0;
    if (first >= used)
        first = used ? used - 1 : 0;
    unsigned skip = first;
    for (unsigned i = 0; i < TABLE_ENTRIES && r.h >= high; i++) {
        if (!f->entry[i] || skip) {
            skip -= f->entry[i] != 0;
            continue;
        }
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 1);
        draw_row(p, row, table, f, i);
        shown++;
    }
    paint_textf(p, foot, (struct style){FACE_SANS, SIZE_SMALL, C_DIM, ALIGN_RIGHT},
                "%u to %u of %u entries in use · A D scroll", used ? first + 1 : 0, first + shown,
                used);
}

void pane_tables(struct paint *p)
{
    pa_t table = p->view->browse.table ? p->view->browse.table : p->cpu->root;
    const struct model_frame *f = model_frame(p->model, table >> PAGE_SHIFT);
    struct rect r =
        paint_pane(p, "PAGE TABLES", "W into the selected entry · S to the table above");
    if (!f->entry) {
        paint_text(p, r, (struct style){FACE_SANS, SIZE_LARGE, C_DIM, ALIGN_CENTRE},
                   "There is no table here at this moment.");
        return;
    }
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_LARGE));
    paint_textf(p, head, (struct style){FACE_MONO_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT},
                "%s at %s · maps from %s, %s an entry", explain_table_name(f->level),
                number_hex(table, 8).text, number_hex(model_canonical(p->model, f->va), 12).text,
                number_bytes(level_span(f->level ? f->level : 1)).text);
    rect_cut_top(&r, paint_em(p, 4));
    struct rect map = rect_cut_left(&r, r.w * 28 / 100);
    rect_cut_left(&r, paint_em(p, 12));
    draw_map(p, map, table, f);
    draw_list(p, r, table, f);
}
