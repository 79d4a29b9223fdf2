/* pane_address.c: the virtual address of the access, and how its bits are split into indices. */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

struct field {
    const char *name;
    unsigned level; /* 0: the offset */
    enum colour colour;
};

static const struct field field_table[] = {
    {"PML5", 5, C_BRIGHT}, {"PML4", 4, C_SELECT}, {"PDPT", 3, C_HIT},
    {"PD", 2, C_DIRTY},    {"PT", 1, C_MISS},     {"offset", 0, C_WRITE},
};

static void draw_field(struct paint *p, struct rect r, const struct field *f, bool known)
{
    const struct model_access *a = &p->cpu->access;
    paint_box(p, r, C_CELL, known ? f->colour : C_CELL_EDGE,
              (struct thing){THING_INDEX, f->level, 0});
    r = rect_inset(r, paint_em(p, 2));
    int small = paint_line(p, SIZE_SMALL);
    struct style dim = {FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_CENTRE};
    struct rect top = rect_cut_top(&r, small);
    struct rect bits = rect_cut_bottom(&r, r.h >= small + paint_line(p, SIZE_BODY) ? small : 0);
    paint_text(p, top, dim, f->name);
    if (!known)
        return;
    uint64_t value = f->level ? va_index(a->va, f->level) : a->va & PAGE_MASK;
    struct style big = {FACE_MONO_BOLD, SIZE_LARGE, C_BRIGHT, ALIGN_CENTRE};
    char text[24];
    snprintf(text, sizeof(text), f->level ? "%" PRIu64 : "0x%03" PRIx64, value);
    paint_text_shrink(p, r, big, text);
    struct number binary = number_bits(value, f->level ? 9 : 12);
    if (paint_width(p, dim, binary.text) <= bits.w)
        paint_text(p, bits, dim, binary.text);
}

/* What the program does: "store 8 B · user". */
static const char *verb(const struct model_access *a)
{
    static const char *const name[] = {"load", "store", "fetch"};
    return a->how < ARRAY_LEN(name) ? name[a->how] : "access";
}

static void draw_words(struct paint *p, struct rect r)
{
    const struct model_access *a = &p->cpu->access;
    struct style big = {FACE_MONO_BOLD, SIZE_BIG, C_BRIGHT, ALIGN_LEFT};
    struct style dim = {FACE_MONO, SIZE_BODY, C_DIM, ALIGN_LEFT};
    struct rect top =
        rect_cut_top(&r, paint_line(p, SIZE_BIG) < r.h ? paint_line(p, SIZE_BIG) : r.h);
    paint_text_shrink(p, top, big, number_hex(a->va, 16).text);
    struct rect line;
    vpn_t vpn = a->va >> PAGE_SHIFT;
    if (paint_next_line(p, SIZE_BODY, &r, &line))
        paint_textf(p, line, dim, "page %s · L1 set %" PRIu64, number_hex(vpn, 9).text,
                    vpn % max_u64(p->cpu->tlb[0].sets, 1));
    if (!paint_next_line(p, SIZE_BODY, &r, &line))
        return;
    if (a->done)
        paint_textf(p, line, (struct style){FACE_MONO, SIZE_BODY, C_HIT, ALIGN_LEFT},
                    "✓ physical %s", number_hex(a->pa, 8).text);
    else if (a->pfn != PFN_NONE)
        paint_textf(p, line, dim, "frame %s", number_hex(a->pfn, 4).text);
    else
        paint_textf(p, line, dim, a->tries > 1 ? "tried again" : "physical address not known yet");
}

void pane_address(struct paint *p)
{
    const struct model_access *a = &p->cpu->access;
    struct rect r;
    if (a->any)
        r = paint_pane(p, "VIRTUAL ADDRESS", "%s %s %s · %s", a->how == ACCESS_WRITE ? "W" : "R",
                       paint_say(p, verb(a)), number_bytes(a->length).text,
                       paint_say(p, a->user ? "user" : "supervisor"));
    else
        r = paint_pane(p, "VIRTUAL ADDRESS", "%s", "no access yet in this op");
    struct rect words = rect_cut_left(&r, r.w * 44 / 100);
    rect_cut_left(&r, paint_em(p, 6));
    if (a->any)
        draw_words(p, words);
    else
        paint_text(p, words, (struct style){FACE_MONO_BOLD, SIZE_BIG, C_FAINT, ALIGN_LEFT}, "–");
    const struct field *field = &field_table[LEVELS_MAX - p->model->levels];
    int n = (int)p->model->levels + 1;
    int high = paint_em(p, 52);
    if (r.h > high)
        r = (struct rect){r.x, r.y + (r.h - high) / 2, r.w, high};
    for (int i = 0; i < n; i++)
        draw_field(p, rect_column(r, i, n, paint_em(p, 4)), &field[i], a->any);
}
