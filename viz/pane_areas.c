/* pane_areas.c: the kernel's areas, the highest address first, each with how much of it has frames;
 * and what the kernel is doing.
 */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where the list must not be cut: the fault, the call's result, else the access. */
static va_t focus_of(const struct paint *p)
{
    if (p->cpu->fault.raised || p->cpu->fault.handling)
        return p->cpu->fault.va;
    if (p->cpu->access.any)
        return p->cpu->access.va;
    const struct event *e = model_event(p->model, 0);
    if (e && (e->kind == EV_area_new || e->kind == EV_area_change))
        return e->kind == EV_area_new ? e->area_new.start : e->area_change.start;
    return p->view->selection.kind == THING_AREA ? p->view->selection.a : 0;
}

static void rights(const struct model_area *a, char text[8])
{
    snprintf(text, 8, "%c%c%c%c", a->prot & LX_PROT_READ ? 'r' : '-',
             a->prot & LX_PROT_WRITE ? 'w' : '-', a->prot & LX_PROT_EXEC ? 'x' : '-',
             (a->flags & LX_MAP_TYPE) == LX_MAP_SHARED ? 's' : 'p');
}

/* The file's name without its folders: there is little room. */
static const char *short_name(const struct paint *p, const struct model_area *a)
{
    const char *name = a->name && a->name[0] ? a->name : paint_say(p, "anon");
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static void draw_area(struct paint *p, struct rect r, const struct model_area *a, bool hot)
{
    enum colour owner = paint_owner(p, a->start);
    uint64_t pages = (a->end - a->start) / PAGE_SIZE;
    uint64_t resident = model_resident(p->model, p->cpu->root, a->start, a->end);
    bool fault = hot && p->cpu->fault.raised && !p->cpu->access.done;
    paint_box(p, r, C_CELL, hot ? (fault ? C_FAULT : owner) : C_CELL_EDGE,
              (struct thing){THING_AREA, a->start, a->end});
    if (hot)
        paint_outline(p, r, fault ? C_FAULT : owner);
    r = rect_inset(r, paint_em(p, 2));
    paint_cell(p, rect_cut_left(&r, paint_em(p, 3)), owner, 255, (struct thing){0});
    rect_cut_left(&r, paint_em(p, 4));
    rect_cut_right(&r, paint_em(p, 2));
    struct rect top = rect_cut_top(&r, paint_line(p, SIZE_SMALL));
    paint_textf(p, top, (struct style){FACE_MONO, SIZE_SMALL, C_TEXT, ALIGN_LEFT}, "%s–%s",
                number_bare(a->start).text, number_bare(a->end).text);
    char text[8];
    rights(a, text);
    struct rect bar = rect_cut_right(&r, r.w * 30 / 100);
    rect_cut_right(&r, paint_em(p, 4));
    paint_textf(
        p, r,
        (struct style){FACE_MONO_BOLD, SIZE_SMALL, owner == C_IMAGE ? C_DIM : owner, ALIGN_LEFT},
        "%s %s %s", text, short_name(p, a), number_bytes(a->end - a->start).text);
    bar.y += bar.h / 2 - paint_em(p, 2);
    bar.h = paint_em(p, 4);
    paint_meter(p, bar, resident, pages, owner);
}

static void draw_gap(struct paint *p, struct rect r, size_t count, const char *where)
{
    paint_textf(p, r, (struct style){FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_CENTRE}, "… %zu more %s",
                count, paint_say(p, where));
}

/* Area number i from the top. */
static const struct model_area *from_top(const struct model_process *process, size_t i)
{
    return &process->area[process->areas - 1 - i];
}

static void draw_list(struct paint *p, struct rect r, const struct model_process *process)
{
    int high = 2 * paint_line(p, SIZE_SMALL) + paint_em(p, 6) + 3;
    int note = paint_line(p, SIZE_SMALL);
    va_t focus = focus_of(p);
    size_t hot = process->areas;
    for (size_t i = 0; i < process->areas; i++)
        if (focus >= from_top(process, i)->start && focus < from_top(process, i)->end)
            hot = i;
    size_t rows = r.h / high > 0 ? (size_t)(r.h / high) : 0;
    if (rows < process->areas)
        rows = r.h > 2 * note + high ? (size_t)((r.h - 2 * note) / high) : 0;
    if (rows > process->areas)
        rows = process->areas;
    size_t first = hot < process->areas && hot >= rows ? hot - rows / 2 : 0;
    if (first + rows > process->areas)
        first = process->areas - rows;
    if (first)
        draw_gap(p, rect_cut_top(&r, note), first, "above");
    for (size_t i = first; i < first + rows; i++) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 2);
        draw_area(p, row, from_top(process, i), i == hot);
    }
    if (first + rows < process->areas)
        draw_gap(p, rect_cut_top(&r, note), process->areas - first - rows, "below");
}

/* ---- what the kernel does ---- */

static void say_fault(struct paint *p, struct rect *r)
{
    const struct model_fault *f = &p->cpu->fault;
    struct rect line;
    struct style hot = {FACE_MONO_BOLD, SIZE_SMALL, C_FAULT, ALIGN_LEFT};
    struct style dim = {FACE_MONO, SIZE_SMALL, C_TEXT, ALIGN_LEFT};
    if (paint_next_line(p, SIZE_SMALL, r, &line))
        paint_textf(p, line, hot, "! #PF %s%s%s cr2 %s", f->error & PF_W ? "W" : "R",
                    f->error & PF_U ? "|U" : "", f->error & PF_P ? "|P" : "",
                    number_bare(f->va).text);
    if (!paint_next_line(p, SIZE_SMALL, r, &line))
        return;
    char text[160];
    int n = snprintf(text, sizeof(text), "%s", f->found ? paint_say(p, "→ area ✓") : "→ …");
    if (f->frame != PFN_NONE)
        n += snprintf(text + n, sizeof(text) - (size_t)n, paint_say(p, " → frame %s%s"),
                      number_hex(f->frame, 1).text, paint_say(p, f->zeroed ? " → zero" : ""));
    if (f->ended)
        snprintf(text + n, sizeof(text) - (size_t)n,
                 paint_say(p, f->signal ? " → signal %u" : " → map ✓"), f->signal);
    paint_text(p, line, dim, text);
}

static void say_call(struct paint *p, struct rect *r)
{
    const struct model_call *c = &p->cpu->call;
    struct rect line;
    struct style hot = {FACE_MONO_BOLD, SIZE_SMALL, C_MISS, ALIGN_LEFT};
    if (paint_next_line(p, SIZE_SMALL, r, &line))
        paint_textf(p, line, hot, "→ %s(%s, %s)", lx_syscall_name(c->nr),
                    number_hex(c->arg[0], 1).text, number_hex(c->arg[1], 1).text);
    if (!paint_next_line(p, SIZE_SMALL, r, &line) || c->inside)
        return;
    struct style dim = {FACE_MONO, SIZE_SMALL, lx_failed(c->result) ? C_FAULT : C_TEXT, ALIGN_LEFT};
    if (lx_failed(c->result))
        paint_textf(p, line, dim, "! %s", lx_errno_name(c->result));
    else
        paint_textf(p, line, dim, "✓ %s", number_hex((uint64_t)c->result, 1).text);
}

void pane_areas(struct paint *p)
{
    const struct model_process *process = model_process(p->model, p->cpu->pid);
    if (!process) {
        paint_pane(p, "KERNEL", "%s", "no process yet");
        return;
    }
    uint64_t size = 0;
    uint64_t resident = 0;
    for (size_t i = 0; i < process->areas; i++) {
        size += process->area[i].end - process->area[i].start;
        resident +=
            model_resident(p->model, p->cpu->root, process->area[i].start, process->area[i].end);
    }
    char title[48];
    snprintf(title, sizeof(title), "KERNEL · pid %u", process->pid);
    struct rect r = paint_pane(p, title, "%s · RSS %s", number_bytes(size).text,
                               number_bytes(resident * PAGE_SIZE).text);
    struct rect words = rect_cut_bottom(&r, 2 * (paint_line(p, SIZE_SMALL) + paint_em(p, 1)));
    draw_list(p, r, process);
    if (p->cpu->fault.raised || p->cpu->fault.handling)
        say_fault(p, &words);
    else if (p->cpu->call.any)
        say_call(p, &words);
    else
        paint_text(p, words, (struct style){FACE_MONO, SIZE_SMALL, C_FAINT, ALIGN_LEFT},
                   process->gone ? "! the process has ended" : "the kernel is at rest");
}
