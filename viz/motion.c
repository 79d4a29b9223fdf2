/* motion.c: what flies from one pane to another while the newest event happens.
 *
 * The picture is exact at every phase: the model is that of the moment, only the token is under
 * way. So a moment looks the same whichever way it was reached, and motion can be switched off.
 */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>

struct flight {
    struct thing from, to;
    enum colour colour;
    char text[64];
};

static struct thing pane_thing(enum pane_id pane)
{
    return (struct thing){THING_PANE, pane, 0};
}

static struct thing line_thing(const struct model_cpu *cpu, uint64_t level, uint64_t set,
                               uint64_t way)
{
    uint32_t ways = cpu->tlb[(level - 1) % TLB_ARRAYS].ways;
    return (struct thing){THING_LINE, set * ways + way, level};
}

static void say(struct flight *f, const char *what, uint64_t value)
{
    snprintf(f->text, sizeof(f->text), "%s%s", what, number_bare(value).text);
}

static bool fly_mmu(struct flight *f, const struct model_cpu *cpu, const struct event *e)
{
    const struct model_access *a = &cpu->access;
    unsigned last = a->last_level ? a->last_level : 1;
    struct thing entry = {THING_ENTRY, a->level[last].pa, last};
    switch (e->kind) {
    case EV_access:
        *f = (struct flight){{THING_OP, 0, 0}, pane_thing(PANE_ADDRESS), C_READ, ""};
        say(f, "", e->access.va);
        return true;
    case EV_tlb_hit:
        *f = (struct flight){pane_thing(PANE_ADDRESS),
                             line_thing(cpu, e->tlb_hit.level, e->tlb_hit.set, e->tlb_hit.way),
                             C_HIT, ""};
        say(f, "✓ ", e->tlb_hit.vpn);
        return true;
    case EV_tlb_miss:
        *f = (struct flight){pane_thing(PANE_ADDRESS),
                             line_thing(cpu, e->tlb_miss.level, e->tlb_miss.set, 0), C_MISS, ""};
        say(f, "↻ ", e->tlb_miss.vpn);
        return true;
    case EV_tlb_fill:
        *f = (struct flight){entry,
                             line_thing(cpu, e->tlb_fill.level, e->tlb_fill.set, e->tlb_fill.way),
                             C_MISS, ""};
        say(f, "→ ", e->tlb_fill.pfn);
        return true;
    case EV_walk_read:
        *f = (struct flight){{THING_INDEX, e->walk_read.level, 0},
                             {THING_ENTRY, e->walk_read.pa, e->walk_read.level},
                             C_SELECT,
                             ""};
        snprintf(f->text, sizeof(f->text), "%" PRIu64, e->walk_read.index);
        return true;
    case EV_walk_end:
        *f = (struct flight){entry, {THING_FRAME, e->walk_end.pfn, 0}, C_HIT, ""};
        say(f, "frame ", e->walk_end.pfn);
        return true;
    case EV_fault:
        *f = (struct flight){entry, pane_thing(PANE_AREAS), C_FAULT, "! #PF"};
        return true;
    case EV_data:
        *f = (struct flight){pane_thing(PANE_ADDRESS),
                             {THING_FRAME, e->data.pa >> PAGE_SHIFT, 0},
                             e->data.how == ACCESS_WRITE ? C_WRITE : C_READ,
                             ""};
        snprintf(f->text, sizeof(f->text), "%s %" PRIu64 " B",
                 e->data.how == ACCESS_WRITE ? "W" : "R", e->data.length);
        return true;
    default:
        return false;
    }
}

static bool fly_kernel(struct flight *f, const struct event *e)
{
    switch (e->kind) {
    case EV_sys_enter:
        *f = (struct flight){pane_thing(PANE_HEAP), pane_thing(PANE_AREAS), C_MISS, ""};
        snprintf(f->text, sizeof(f->text), "→ %s", lx_syscall_name(e->sys_enter.nr));
        return true;
    case EV_sys_exit:
        *f = (struct flight){pane_thing(PANE_AREAS), pane_thing(PANE_HEAP), C_HIT, ""};
        say(f, "← ", (uint64_t)e->sys_exit.result);
        return true;
    case EV_fault_area:
        *f = (struct flight){pane_thing(PANE_AREAS),
                             {THING_AREA, e->fault_area.start, e->fault_area.end},
                             C_HIT,
                             "? area"};
        return true;
    case EV_frame_alloc:
        *f = (struct flight){
            pane_thing(PANE_AREAS), {THING_FRAME, e->frame_alloc.pfn, 0}, C_MISS, ""};
        say(f, "frame ", e->frame_alloc.pfn);
        return true;
    case EV_entry_write:
        *f = (struct flight){pane_thing(PANE_AREAS),
                             {THING_ENTRY, e->entry_write.pa, e->entry_write.level},
                             C_WRITE,
                             ""};
        say(f, "W ", e->entry_write.after);
        return true;
    case EV_alloc_return:
        *f = (struct flight){pane_thing(PANE_HEAP), {THING_OP, 0, 0}, C_HIT, ""};
        say(f, "p = ", e->alloc_return.pointer);
        return true;
    case EV_alloc_request:
        *f = (struct flight){{THING_OP, 0, 0}, pane_thing(PANE_HEAP), C_READ, ""};
        snprintf(f->text, sizeof(f->text), "%" PRIu64 " B", e->alloc_request.request);
        return true;
    default:
        return false;
    }
}

/* Where a thing is on the picture; THING_OP 0 is the current op. */
static bool find(const struct paint *p, struct thing t, struct rect *r)
{
    if (t.kind == THING_OP)
        t.a = p->view->now.op;
    const struct item *item = scene_find(p->scene, t);
    if (item)
        *r = item->at;
    return item != NULL;
}

/* Slow at both ends. */
static int ease(int from, int to, int phase)
{
    double t = (double)phase / PHASE_DONE;
    double s = t * t * (3 - 2 * t);
    return from + (int)((to - from) * s);
}

static int clamp(int n, int max)
{
    return n < 0 ? 0 : n > max ? max : n;
}

void paint_motion(struct paint *p)
{
    const struct event *e = model_event(p->model, 0);
    struct flight f;
    struct rect from;
    struct rect to;
    if (!p->view->motion || p->view->phase >= PHASE_DONE || !p->view->now.step || !e)
        return;
    if (!fly_mmu(&f, p->cpu, e) && !fly_kernel(&f, e))
        return;
    if (!find(p, f.from, &from) || !find(p, f.to, &to))
        return;
    struct style style = {FACE_MONO_BOLD, SIZE_BODY, C_BRIGHT, ALIGN_CENTRE};
    int w = paint_width(p, style, f.text) + paint_em(p, 10);
    int h = paint_line(p, SIZE_BODY) + paint_em(p, 6);
    int x = ease(from.x + from.w / 2, to.x + to.w / 2, p->view->phase) - w / 2;
    int y = ease(from.y + from.h / 2, to.y + to.h / 2, p->view->phase) - h / 2;
    struct rect at = {clamp(x, p->scene->w - w), clamp(y, p->scene->h - h), w, h};
    p->pane = PANES;
    paint_box(p, at, C_BACK, f.colour, (struct thing){0});
    paint_outline(p, at, f.colour);
    paint_text(p, at, style, f.text);
}
