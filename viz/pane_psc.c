/* pane_psc.c: the paging-structure caches: which levels of the walk they can spare. */
#include "viz/paint.h"

static const char *const cache_name[LEVELS_MAX + 1] = {"", "", "PDE", "PDPTE", "PML4E", "PML5E"};

/* The cached entry that covers va; NULL: none. *used: how many are valid. */
static const struct model_slot *lookup(const struct model_psc *psc, unsigned level, va_t va,
                                       uint32_t *used, uint32_t *at)
{
    const struct model_slot *found = NULL;
    *used = *at = 0;
    for (uint32_t i = 0; i < psc->slots; i++) {
        if (!psc->slot[i].valid)
            continue;
        (*used)++;
        if (va - psc->slot[i].va < level_span(level)) {
            found = &psc->slot[i];
            *at = i;
        }
    }
    return found;
}

static void draw_cache(struct paint *p, struct rect r, unsigned level)
{
    const struct model_access *a = &p->cpu->access;
    const struct model_psc *psc = &p->cpu->psc[level];
    uint32_t used;
    uint32_t at;
    const struct model_slot *slot = lookup(psc, level, a->va, &used, &at);
    bool hit = a->psc_level == level;
    bool asked =
        a->tlb[TLB_L2] == ANSWER_MISS || a->tlb[TLB_L2I] == ANSWER_MISS || a->walking || a->walked;
    enum colour colour = hit ? C_HIT : asked && !slot ? C_MISS : C_CELL_EDGE;
    paint_box(p, r, C_CELL, colour, (struct thing){THING_SLOT, at, level});
    r = rect_inset(r, paint_em(p, 2));
    struct rect line;
    struct style bold = {FACE_MONO_BOLD, SIZE_SMALL, hit ? C_HIT : C_TEXT, ALIGN_CENTRE};
    struct style dim = {FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_CENTRE};
    if (paint_next_line(p, SIZE_SMALL, &r, &line))
        paint_textf(p, line, bold, "%s%s", hit ? "✓ " : "", cache_name[level]);
    if (!paint_next_line(p, SIZE_SMALL, &r, &line))
        return;
    if (slot && a->any)
        paint_textf(p, line, dim, "→ %s", number_hex(slot->table, 4).text);
    else
        paint_text(p, line, dim, a->any ? "–" : "");
    if (paint_next_line(p, SIZE_SMALL, &r, &line))
        paint_textf(p, line, (struct style){FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_CENTRE},
                    "%u of %u", used, psc->slots);
}

void pane_psc(struct paint *p)
{
    const struct model_access *a = &p->cpu->access;
    struct rect r;
    if (a->psc_level > 1)
        r = paint_pane(p, "PAGING-STRUCTURE CACHES", "spare %u of 4", 5 - a->psc_level);
    else
        r = paint_pane(p, "PAGING-STRUCTURE CACHES", "%s", a->walking ? "spare none" : "");
    for (int i = 0; i < 3; i++)
        draw_cache(p, rect_column(r, i, 3, paint_em(p, 3)), 4 - (unsigned)i);
}
