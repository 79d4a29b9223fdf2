/* pane_tlb1.c: the first-level TLB, set by set and way by way; the current set in words above. */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

/* The level that the access asks first: instructions may have one of their own. */
static unsigned first_level(const struct paint *p)
{
    const struct model_cpu *cpu = p->cpu;
    return cpu->access.how == ACCESS_FETCH && cpu->tlb[TLB_L1I].sets ? TLB_L1I : TLB_L1D;
}

/* The way of the set that was not used for longest: the one that LRU would give up. */
static uint32_t oldest(const struct model_tlb *tlb, uint32_t set)
{
    uint32_t way = 0;
    for (uint32_t w = 1; w < tlb->ways; w++)
        if (tlb->line[set * tlb->ways + w].used < tlb->line[set * tlb->ways + way].used)
            way = w;
    return way;
}

static void draw_way(struct paint *p, struct rect r, uint32_t set, uint32_t way)
{
    const struct model_tlb *tlb = &p->cpu->tlb[first_level(p)];
    const struct model_access *a = &p->cpu->access;
    const struct model_line *line = &tlb->line[set * tlb->ways + way];
    bool tag = line->valid && line->vpn == a->va >> PAGE_SHIFT;
    bool hit = tag && a->tlb[first_level(p)] == ANSWER_HIT;
    enum colour edge = tag ? C_HIT : C_CELL_EDGE;
    if (a->tlb[first_level(p)] == ANSWER_MISS && tag)
        edge = C_MISS;
    paint_box(p, r, C_CELL, edge,
              (struct thing){THING_LINE, set * tlb->ways + way, first_level(p) + 1});
    if (line->valid && line->flags & TLB_DIRTY)
        paint_pattern(p, (struct rect){r.x + 2, r.y + 2, paint_em(p, 4), r.h - 4}, ITEM_HATCH,
                      C_DIRTY);
    r = rect_inset(r, 1);
    rect_cut_left(&r, paint_em(p, 5));
    rect_cut_right(&r, paint_em(p, 2));
    struct style style = {FACE_MONO, SIZE_SMALL, line->valid ? C_TEXT : C_FAINT, ALIGN_CENTRE};
    if (!line->valid) {
        paint_text(p, r, style, way == oldest(tlb, set) ? "– empty" : "–");
        return;
    }
    const char *glyph = hit ? "✓ " : tag ? "↻ " : way == oldest(tlb, set) ? "– " : "";
    style.face = tag ? FACE_MONO_BOLD : FACE_MONO;
    style.colour = tag ? edge : C_TEXT;
    if (glyph[0]) {
        paint_text(p, rect_cut_left(&r, paint_width(p, style, glyph)), style, glyph);
        style.align = ALIGN_LEFT;
    }
    char text[24];
    snprintf(text, sizeof(text), "%" PRIx64, line->vpn);
    paint_text_tail(p, r, style, text);
}

static void draw_set(struct paint *p, struct rect r, uint32_t set, int gap)
{
    const struct model_tlb *tlb = &p->cpu->tlb[first_level(p)];
    for (uint32_t w = 0; w < tlb->ways; w++) {
        const struct model_line *line = &tlb->line[set * tlb->ways + w];
        struct rect cell = rect_column(r, (int)w, (int)tlb->ways, gap);
        struct thing thing = {THING_LINE, set * tlb->ways + w, first_level(p) + 1};
        if (line->valid)
            paint_cell(p, cell, paint_owner(p, line->vpn << PAGE_SHIFT), 170, thing);
        else
            paint_cell(p, cell, C_SUNK, 255, thing);
        if (line->valid && line->flags & TLB_DIRTY)
            paint_pattern(p, cell, ITEM_HATCH, C_DIRTY);
    }
}

static void draw_grid(struct paint *p, struct rect r, uint32_t current)
{
    const struct model_tlb *tlb = &p->cpu->tlb[first_level(p)];
    int least = paint_em(p, 4);
    uint32_t rows = (uint32_t)(r.h / least);
    if (rows < 1)
        return;
    if (rows > tlb->sets)
        rows = tlb->sets;
    uint32_t first = current > rows / 2 ? current - rows / 2 : 0;
    if (first + rows > tlb->sets)
        first = tlb->sets - rows;
    int high = r.h / (int)rows;
    if (high > paint_em(p, 12))
        high = paint_em(p, 12);
    struct rect mark = rect_cut_left(&r, paint_em(p, 4));
    rect_cut_left(&r, paint_em(p, 2));
    for (uint32_t i = 0; i < rows; i++) {
        struct rect row = rect_cut_top(&r, high);
        struct rect side = rect_cut_top(&mark, high);
        row.h -= high > 4 ? 2 : 1;
        side.h = row.h;
        if (first + i == current && p->cpu->access.any)
            paint_cell(p, side, C_SELECT, 255, (struct thing){0});
        draw_set(p, row, first + i, 2);
    }
}

void pane_tlb1(struct paint *p)
{
    const struct model_tlb *tlb = &p->cpu->tlb[first_level(p)];
    const struct model_access *a = &p->cpu->access;
    unsigned first = first_level(p);
    uint64_t all = tlb->hits + tlb->misses;
    struct rect r = paint_pane(
        p, first == TLB_L1I ? "L1 iTLB" : "L1 dTLB", "%u × %u %s · hit %s", tlb->sets, tlb->ways,
        p->view->config ? repl_name[p->view->config->mmu.tlb[first].repl] : "",
        number_percent(tlb->hits, all).text);
    uint32_t set = (uint32_t)((a->va >> PAGE_SHIFT) % max_u64(tlb->sets, 1));
    int high = paint_line(p, SIZE_SMALL) + paint_em(p, 3);
    uint32_t shown = tlb->ways < 6 ? tlb->ways : 6;
    struct rect words = rect_cut_top(&r, high);
    rect_cut_left(&words, paint_em(p, 6));
    for (uint32_t w = 0; w < shown && words.h == high; w++)
        draw_way(p, rect_column(words, (int)w, (int)shown, paint_em(p, 2)), set, w);
    rect_cut_top(&r, paint_em(p, 3));
    struct rect foot = {0};
    if (r.h > paint_line(p, SIZE_SMALL) * 3)
        foot = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL) + paint_em(p, 1));
    draw_grid(p, r, set);
    struct style style = {FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_LEFT};
    static const char *const class[] = {"cold", "capacity", "conflict", "coherence"};
    if (a->tlb[first_level(p)] == ANSWER_HIT) {
        style.colour = C_HIT;
        paint_textf(p, foot, style, "✓ hit in %s%sset %u, way %u",
                    a->array[first] == first ? "" : tlb_array_name[a->array[first]],
                    a->array[first] == first ? "" : ", ", a->set[first], a->way[first]);
    } else if (a->tlb[first_level(p)] == ANSWER_MISS) {
        style.colour = C_MISS;
        paint_textf(p, foot, style, "↻ miss in set %u%s%s", a->set[first],
                    a->miss_class < ARRAY_LEN(class) ? ", " : "",
                    paint_say(p, a->miss_class < ARRAY_LEN(class) ? class[a->miss_class] : ""));
    } else {
        paint_text(p, foot, style, a->any ? "looking …" : "not asked in this op");
    }
}
