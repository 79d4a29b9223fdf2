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

static bool fly_mmu(struct flight *f, enum lang lang, const struct model_cpu *cpu,
                    const struct event *e)
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
        say(f, words_say(lang, "frame "), e->walk_end.pfn);
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

static bool fly_kernel(struct flight *f, enum lang lang, const struct event *e)
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
        say(f, words_say(lang, "frame "), e->frame_alloc.pfn);
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

static struct thing chunk_thing(va_t start, uint64_t size)
{
    return (struct thing){THING_CHUNK, start, size};
}

static struct thing frame_thing(pfn_t pfn)
{
    return (struct thing){THING_FRAME, pfn, 0};
}

static bool fly_heap(struct flight *f, enum lang lang, const struct event *e)
{
    struct thing op = {THING_OP, 0, 0};
    switch (e->kind) {
    case EV_alloc_probe:
        *f = (struct flight){op, chunk_thing(e->alloc_probe.chunk, e->alloc_probe.size), C_MISS,
                             "?"};
        snprintf(f->text, sizeof(f->text), "? %" PRIu64 " B", e->alloc_probe.need);
        return true;
    case EV_alloc_split:
        *f = (struct flight){chunk_thing(e->alloc_split.chunk, e->alloc_split.size),
                             chunk_thing(e->alloc_split.rest, e->alloc_split.rest_size), C_HIT, ""};
        snprintf(f->text, sizeof(f->text), words_say(lang, "rest %" PRIu64 " B"),
                 e->alloc_split.rest_size);
        return true;
    case EV_alloc_coalesce:
        *f = (struct flight){
            chunk_thing(e->alloc_coalesce.neighbour, e->alloc_coalesce.neighbour_size),
            chunk_thing(e->alloc_coalesce.chunk, e->alloc_coalesce.size), C_HIT, ""};
        snprintf(f->text, sizeof(f->text), "+ %" PRIu64 " B", e->alloc_coalesce.neighbour_size);
        return true;
    case EV_alloc_free:
        *f = (struct flight){op, chunk_thing(e->alloc_free.chunk, e->alloc_free.size), C_FAULT,
                             "free()"};
        return true;
    case EV_brk_move:
        *f = (struct flight){pane_thing(PANE_AREAS), pane_thing(PANE_HEAP), C_HIT, ""};
        say(f, "brk ", e->brk_move.after);
        return true;
    default:
        return false;
    }
}

/* Pages that go from one place to another: copies, swap, files, huge pages. */
static bool fly_pages(struct flight *f, enum lang lang, const struct event *e)
{
    struct thing kernel = pane_thing(PANE_AREAS);
    switch (e->kind) {
    case EV_area_new:
        *f = (struct flight){
            kernel, {THING_AREA, e->area_new.start, e->area_new.end}, C_HIT, "+ area"};
        return true;
    case EV_table_new:
        *f = (struct flight){frame_thing(e->table_new.pfn), pane_thing(PANE_WALK), C_TABLE, "T"};
        return true;
    case EV_page_copy:
        *f = (struct flight){frame_thing(e->page_copy.from), frame_thing(e->page_copy.to), C_WRITE,
                             "copy"};
        return true;
    case EV_page_out:
        *f = (struct flight){frame_thing(e->page_out.pfn), kernel, C_MISS, ""};
        snprintf(f->text, sizeof(f->text), "%s swap %" PRIu64, e->page_out.written ? "W →" : "→",
                 e->page_out.slot);
        return true;
    case EV_swap_in:
        *f = (struct flight){kernel, frame_thing(e->swap_in.pfn), C_READ, ""};
        snprintf(f->text, sizeof(f->text), "R ← swap %" PRIu64, e->swap_in.slot);
        return true;
    case EV_frame_free:
        *f = (struct flight){frame_thing(e->frame_free.pfn), kernel, C_FAULT, "– free"};
        return true;
    case EV_huge_alloc:
        *f = (struct flight){kernel, frame_thing(e->huge_alloc.pfn), C_MISS, "512 frames"};
        return true;
    case EV_huge_collapse:
        *f = (struct flight){pane_thing(PANE_WALK), frame_thing(e->huge_collapse.pfn), C_HIT,
                             "512 → 1"};
        return true;
    case EV_huge_split:
        *f = (struct flight){frame_thing(e->huge_split.table), pane_thing(PANE_WALK), C_MISS,
                             "1 → 512"};
        return true;
    case EV_file_read:
        *f = (struct flight){kernel, pane_thing(PANE_FRAMES), C_READ, ""};
        snprintf(f->text, sizeof(f->text), words_say(lang, "R %" PRIu64 " pages"),
                 e->file_read.pages);
        return true;
    case EV_file_write:
        *f = (struct flight){frame_thing(e->file_write.pfn), kernel, C_WRITE, "W → disk"};
        return true;
    default:
        return false;
    }
}

/* What is forgotten, and who must forget it too. */
static bool fly_forget(struct flight *f, const struct model_cpu *cpu, const struct event *e)
{
    struct thing kernel = pane_thing(PANE_AREAS);
    switch (e->kind) {
    case EV_invlpg:
        *f = (struct flight){kernel, pane_thing(PANE_TLB1), C_FAULT, "INVLPG"};
        return true;
    case EV_tlb_drop:
        *f = (struct flight){line_thing(cpu, e->tlb_drop.level, e->tlb_drop.set, e->tlb_drop.way),
                             kernel, C_FAULT, ""};
        say(f, "– ", e->tlb_drop.vpn);
        return true;
    case EV_cr3_load:
        *f = (struct flight){kernel, pane_thing(PANE_WALK), C_SELECT, ""};
        say(f, "CR3 ", e->cr3_load.root);
        return true;
    case EV_ipi_send:
        *f = (struct flight){kernel, pane_thing(PANE_TLB1), C_FAULT, ""};
        snprintf(f->text, sizeof(f->text), "IPI → CPUs %" PRIx64, e->ipi_send.cpus);
        return true;
    case EV_ipi_handle:
        *f = (struct flight){pane_thing(PANE_TLB1), kernel, C_HIT, "✓ forgotten"};
        return true;
    case EV_psc_hit:
        *f = (struct flight){
            pane_thing(PANE_PSC), {THING_INDEX, e->psc_hit.level - 1, 0}, C_HIT, "✓"};
        say(f, "✓ ", e->psc_hit.table);
        return true;
    case EV_psc_fill:
        *f = (struct flight){pane_thing(PANE_WALK), pane_thing(PANE_PSC), C_MISS, ""};
        say(f, "→ ", e->psc_fill.table);
        return true;
    case EV_entry_mark:
        *f = (struct flight){pane_thing(PANE_ADDRESS),
                             {THING_ENTRY, e->entry_mark.pa, e->entry_mark.level},
                             C_DIRTY,
                             ""};
        snprintf(f->text, sizeof(f->text), "%s",
                 (e->entry_mark.before ^ e->entry_mark.after) & PTE_D ? "D = 1" : "A = 1");
        return true;
    default:
        return false;
    }
}

/* Where a thing would be that is not to be seen itself. */
static enum pane_id home_of(struct thing t)
{
    switch (t.kind) {
    case THING_OP:
        return PANE_PROGRAM;
    case THING_BLOCK:
    case THING_CHUNK:
        return PANE_HEAP;
    case THING_AREA:
        return PANE_AREAS;
    case THING_FRAME:
        return PANE_FRAMES;
    case THING_LINE:
        return t.b == 2 ? PANE_TLB2 : PANE_TLB1;
    case THING_INDEX:
        return PANE_ADDRESS;
    default:
        return PANE_WALK;
    }
}

/* Where a thing is on the picture; THING_OP 0 is the current op. */
static bool find(const struct paint *p, struct thing t, struct rect *r)
{
    if (t.kind == THING_OP)
        t.a = p->view->now.op;
    const struct item *item = scene_find(p->scene, t);
    if (!item)
        item = scene_find(p->scene, pane_thing(home_of(t)));
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
    if (!fly_mmu(&f, p->view->lang, p->cpu, e) && !fly_kernel(&f, p->view->lang, e) &&
        !fly_heap(&f, p->view->lang, e) && !fly_pages(&f, p->view->lang, e) &&
        !fly_forget(&f, p->cpu, e))
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
