/* pane_tlb2.c: the second-level TLB: a way is a row, a set a column, the current set framed. */
#include "viz/paint.h"

struct grid {
    uint32_t first, sets; /* shown */
    int w, h;             /* of a cell, with its gap */
};

/* The level that is asked second: instructions may have one of their own. */
static unsigned second_level(const struct paint *p)
{
    const struct model_cpu *cpu = p->cpu;
    return cpu->access.how == ACCESS_FETCH && cpu->tlb[TLB_L2I].sets ? TLB_L2I : TLB_L2;
}

static struct grid grid_for(const struct paint *p, struct rect r)
{
    const struct model_tlb *tlb = &p->cpu->tlb[second_level(p)];
    struct grid g = {.h = r.h / (int)tlb->ways};
    if (g.h > paint_em(p, 7))
        g.h = paint_em(p, 7);
    uint32_t most = (uint32_t)(r.w / 3);
    g.sets = tlb->sets < most ? tlb->sets : most;
    g.w = g.sets ? r.w / (int)g.sets : 0;
    uint32_t current = (uint32_t)((p->cpu->access.va >> PAGE_SHIFT) % max_u64(tlb->sets, 1));
    g.first = current > g.sets / 2 ? current - g.sets / 2 : 0;
    if (g.first + g.sets > tlb->sets)
        g.first = tlb->sets - g.sets;
    return g;
}

static void draw_grid(struct paint *p, struct rect r)
{
    const struct model_tlb *tlb = &p->cpu->tlb[second_level(p)];
    struct grid g = grid_for(p, r);
    if (g.h < 2 || g.w < 2)
        return;
    uint32_t current = (uint32_t)((p->cpu->access.va >> PAGE_SHIFT) % tlb->sets);
    for (uint32_t s = 0; s < g.sets; s++) {
        struct rect column = {r.x + (int)s * g.w, r.y, g.w - 1, g.h * (int)tlb->ways};
        for (uint32_t w = 0; w < tlb->ways; w++) {
            uint32_t at = (g.first + s) * tlb->ways + w;
            const struct model_line *line = &tlb->line[at];
            struct rect cell = {column.x, r.y + (int)w * g.h, g.w - 1, g.h - 1};
            paint_cell(p, cell, line->valid ? paint_owner(p, line->vpn << PAGE_SHIFT) : C_SUNK,
                       line->valid ? 220 : 255,
                       (struct thing){THING_LINE, at, second_level(p) + 1});
        }
        if (g.first + s == current && p->cpu->access.tlb[second_level(p)] != ANSWER_NONE)
            paint_outline(p, (struct rect){column.x - 1, column.y, g.w + 1, column.h}, C_SELECT);
    }
}

void pane_tlb2(struct paint *p)
{
    const struct model_tlb *tlb = &p->cpu->tlb[second_level(p)];
    const struct model_access *a = &p->cpu->access;
    unsigned second = second_level(p);
    if (!tlb->sets) {
        paint_pane(p, "L2 TLB", "%s", "none in this machine");
        return;
    }
    struct rect r =
        paint_pane(p, second == TLB_L2I ? "L2 iTLB" : "L2 TLB", "%u × %u · hit %s", tlb->sets,
                   tlb->ways, number_percent(tlb->hits, tlb->hits + tlb->misses).text);
    struct rect foot = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL) + paint_em(p, 1));
    r = (struct rect){r.x + 1, r.y, r.w - 2, r.h};
    draw_grid(p, r);
    struct style style = {FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_LEFT};
    if (a->tlb[second] == ANSWER_HIT) {
        style.colour = C_HIT;
        paint_textf(p, foot, style, "✓ hit in %s%sset %u, way %u",
                    a->array[second] == second ? "" : tlb_array_name[a->array[second]],
                    a->array[second] == second ? "" : ", ", a->set[second], a->way[second]);
    } else if (a->tlb[second] == ANSWER_MISS) {
        style.colour = C_MISS;
        paint_textf(p, foot, style, "↻ miss in set %u", a->set[second]);
    } else {
        paint_text(p, foot, style,
                   a->tlb[TLB_L1D] == ANSWER_HIT || a->tlb[TLB_L1I] == ANSWER_HIT
                       ? "not needed: L1 hit"
                       : "not asked");
    }
}
