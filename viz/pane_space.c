/* pane_space.c: the address space from all of it down to one bit: each place in its 512 parts, who
 * owns them, and how empty it all is.
 */
#include "viz/browse.h"
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const place_name[] = {
    "8 bytes",           "a page: PT entry",    "2 MiB: PD entry",
    "1 GiB: PDPT entry", "512 GiB: PML4 entry", "256 TiB"};

/* What the place is called; levels count down from the whole space. */
static const char *name_of(const struct model *m, unsigned depth)
{
    if (depth == 0)
        return m->levels > 4 ? "all of it: 128 PiB" : "all of it: 256 TiB";
    return place_name[m->levels + 1 - depth];
}

/* How many of the parts' frames there are: an entry of that size that is present. */
static bool is_present(const struct paint *p, va_t va, unsigned depth)
{
    pte_t entry;
    unsigned level = p->model->levels - depth;
    return model_entry(p->model, p->cpu->root, va, level, &entry, NULL) && entry & PTE_P;
}

/* The colour of the first area in the part, and C_NONE where there is none. */
static enum colour owner_of(const struct paint *p, va_t start, va_t end)
{
    const struct model_process *process = model_process(p->model, p->cpu->pid);
    for (size_t i = 0; process && i < process->areas; i++)
        if (process->area[i].start < end && start < process->area[i].end)
            return paint_owner(p, process->area[i].start);
    return C_NONE;
}

static void draw_part(struct paint *p, struct rect r, va_t start, unsigned depth)
{
    unsigned bits = browse_bits(p->model, depth + 1) - 3;
    va_t va = model_canonical(p->model, start);
    bool kernel = va >> 63;
    enum colour owner = owner_of(p, va, va + (UINT64_C(1) << bits));
    bool present = is_present(p, va, depth);
    struct thing thing = {THING_SPAN, start, bits};
    bool here = p->cpu->access.any && p->cpu->access.va - va < UINT64_C(1) << bits;
    paint_cell(p, r,
               owner != C_NONE ? owner
               : kernel        ? C_KERNEL
                               : C_SUNK,
               present           ? 255
               : owner != C_NONE ? 110
                                 : 255,
               thing);
    if (owner != C_NONE && !present)
        paint_pattern(p, r, ITEM_HATCH, C_DIM);
    if (here)
        paint_outline(p, r, C_BRIGHT);
}

static void draw_word(struct paint *p, struct rect r, unsigned index)
{
    const struct browse *b = &p->view->browse;
    uint64_t word = 0;
    if (b->known)
        memcpy(&word, b->bytes + index * sizeof(word), sizeof(word));
    struct thing thing = {THING_SPAN, b->space + index * sizeof(word), 3};
    paint_cell(p, r, !b->known ? C_SUNK : word ? C_HEAP : C_CELL, 255, thing);
    char text[24];
    snprintf(text, sizeof(text), "%" PRIx64, word);
    struct style style = {FACE_MONO, SIZE_SMALL, C_BRIGHT, ALIGN_CENTRE};
    if (word && paint_width(p, style, text) < r.w)
        paint_text(p, r, style, text);
}

static void draw_bit(struct paint *p, struct rect r, unsigned index)
{
    const struct browse *b = &p->view->browse;
    uint64_t word = 0;
    if (b->known)
        memcpy(&word, b->bytes + (b->space & PAGE_MASK & ~UINT64_C(7)), sizeof(word));
    unsigned bit = 63 - index;
    bool on = word >> bit & 1;
    paint_box(p, r, on ? C_HEAP : C_CELL, C_CELL_EDGE, (struct thing){0});
    char text[24];
    snprintf(text, sizeof(text), "%u", on);
    struct rect top = rect_cut_top(&r, r.h * 60 / 100);
    paint_text(p, top, (struct style){FACE_MONO_BOLD, SIZE_BIG, C_BRIGHT, ALIGN_CENTRE}, text);
    snprintf(text, sizeof(text), "%u", bit);
    paint_text(p, r, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_CENTRE}, text);
}

static void draw_parts(struct paint *p, struct rect r)
{
    const struct browse *b = &p->view->browse;
    unsigned levels = p->model->levels;
    int columns = b->depth > levels ? 16 : 32, rows = b->depth > levels ? 4 : 16;
    for (int y = 0; y < rows; y++) {
        struct rect row = {r.x, r.y + r.h * y / rows, r.w, r.h * (y + 1) / rows - r.h * y / rows};
        row.h -= row.h > 8 ? 2 : 1;
        for (int x = 0; x < columns; x++) {
            struct rect cell = rect_column(row, x, columns, 2);
            unsigned index = (unsigned)(y * columns + x);
            if (b->depth > levels)
                draw_bit(p, cell, index);
            else if (b->depth == levels)
                draw_word(p, cell, index);
            else
                draw_part(p, cell, b->space + index * browse_bytes(p->model, b->depth + 1),
                          b->depth);
        }
    }
}

void pane_space(struct paint *p)
{
    const struct browse *b = &p->view->browse;
    uint64_t bytes = browse_bytes(p->model, b->depth);
    va_t va = model_canonical(p->model, b->space);
    uint64_t last = bytes - 1;
    struct rect r = paint_pane(p, "ADDRESS SPACE", "W nearer · S farther · A D beside");
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_LARGE));
    paint_textf(p, head, (struct style){FACE_MONO_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT},
                "%s … %s · %s", number_hex(va, 12).text, number_hex(va + last, 12).text,
                paint_say(p, name_of(p->model, b->depth)));
    struct rect note = rect_cut_top(&r, paint_line(p, SIZE_BODY));
    uint64_t mapped = model_mapped(p->model, p->cpu->pid, va, va + last);
    uint64_t pages = model_resident(p->model, p->cpu->root, va, va + last);
    char text[160];
    snprintf(
        text, sizeof(text),
        paint_say(p, "%s of it lies in areas: %.7f %% · %" PRIu64 " pages have a frame: %.7f %%"),
        number_bytes(mapped).text, 100.0 * (double)mapped / (double)bytes, pages,
        100.0 * (double)(pages << PAGE_SHIFT) / (double)bytes);
    paint_text(p, note, (struct style){FACE_SANS, SIZE_BODY, C_TEXT, ALIGN_LEFT}, text);
    rect_cut_top(&r, paint_em(p, 4));
    draw_parts(p, r);
}
