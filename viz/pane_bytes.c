/* pane_bytes.c: a frame byte by byte, as words of 8 bytes that can be selected and followed. */
#include "viz/browse.h"
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE 16u /* bytes */

/* Entries of a table, bytes of a live block, or neither: a header, what is free. */
static enum colour word_colour(const struct paint *p, pa_t pa, uint64_t word)
{
    const struct model_frame *f = model_frame(p->model, pa >> PAGE_SHIFT);
    if (f->entry)
        return word & PTE_P ? C_TABLE : C_CELL;
    if (model_block_over(p->model, f->pid, f->va + (pa & PAGE_MASK)))
        return C_HEAP;
    return C_CELL;
}

static void draw_word(struct paint *p, struct rect r, pa_t pa)
{
    const uint8_t *at = p->view->browse.bytes + (pa & PAGE_MASK);
    char text[40];
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    paint_box(p, r, C_SUNK, word_colour(p, pa, word), (struct thing){THING_WORD, pa, 0});
    snprintf(text, sizeof(text), "%02x %02x %02x %02x  %02x %02x %02x %02x", at[0], at[1], at[2],
             at[3], at[4], at[5], at[6], at[7]);
    struct style style = {FACE_MONO, SIZE_BODY, word ? C_BRIGHT : C_FAINT, ALIGN_CENTRE};
    paint_text(p, rect_inset(r, 1), style, text);
}

static void draw_line(struct paint *p, struct rect r, pa_t pa)
{
    const uint8_t *at = p->view->browse.bytes + (pa & PAGE_MASK);
    struct style dim = {FACE_MONO, SIZE_BODY, C_DIM, ALIGN_LEFT};
    char text[LINE + 1];
    rect_cut_left(&r, paint_text(p, r, dim, number_hex(pa, 8).text) + paint_em(p, 8));
    int letters = paint_width(p, dim, "0123456789abcdef");
    struct rect tail = rect_cut_right(&r, letters);
    rect_cut_right(&r, paint_em(p, 8));
    for (unsigned i = 0; i < LINE; i++)
        text[i] = (char)(at[i] >= ' ' && at[i] < 127 ? at[i] : '.');
    text[LINE] = '\0';
    for (int i = 0; i < 2; i++)
        draw_word(p, rect_column(r, i, 2, paint_em(p, 6)), pa + (unsigned)i * 8);
    paint_text(p, tail, dim, text);
}

void pane_bytes(struct paint *p)
{
    const struct browse *b = &p->view->browse;
    char said[200];
    struct rect r =
        paint_pane(p, "BYTES", "W S scroll · A D frame before, after · I follows a word");
    thing_tell(p->model, p->cpu, p->view, (struct thing){THING_FRAME, b->frame, 0}, said,
               sizeof(said));
    struct rect head = rect_cut_top(&r, paint_line(p, SIZE_LARGE));
    paint_text(p, head, (struct style){FACE_MONO_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_LEFT}, said);
    rect_cut_top(&r, paint_em(p, 4));
    if (!b->known) {
        paint_text(p, r, (struct style){FACE_SANS, SIZE_LARGE, C_DIM, ALIGN_CENTRE},
                   "There is no such frame.");
        return;
    }
    int high = paint_line(p, SIZE_BODY) + paint_em(p, 3);
    int columns = r.w > paint_em(p, 900) ? 2 : 1;
    unsigned rows = (unsigned)(r.h / high), lines = (unsigned)PAGE_SIZE / LINE;
    unsigned all = rows * (unsigned)columns, first = b->row;
    if (first + all > lines)
        first = lines > all ? lines - all : 0;
    for (unsigned i = 0; i < all && first + i < lines; i++) {
        struct rect column = rect_column(r, (int)(i / rows), columns, paint_em(p, 24));
        struct rect row = {column.x, column.y + (int)(i % rows) * high, column.w,
                           high - paint_em(p, 1)};
        draw_line(p, row, (b->frame << PAGE_SHIFT) + (pa_t)(first + i) * LINE);
    }
}
