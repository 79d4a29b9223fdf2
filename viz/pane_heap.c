/* pane_heap.c: the heap to scale, with the looks of the search, and the arithmetic of the chunk.
 *
 *   overview   the whole heap in one bar, the window below framed
 *   window     some rows of it, one row after the other like lines of text
 *   words      request → chunk; what the search found; the header
 */
#include "viz/paint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROWS_MAX 12

/* A range of addresses that is drawn as a bar of pixels. */
struct strip {
    va_t start, end;
    struct rect at;
};

static int x_of(const struct strip *s, va_t va)
{
    if (va <= s->start)
        return s->at.x;
    if (va >= s->end)
        return s->at.x + s->at.w;
    return s->at.x + (int)((double)(va - s->start) * s->at.w / (double)(s->end - s->start));
}

/* The part of [start, end) that lies on the strip; w is at least 1 where any does. */
static bool clip(const struct strip *s, va_t start, va_t end, struct rect *r)
{
    if (end <= s->start || start >= s->end)
        return false;
    int from = x_of(s, start);
    int to = x_of(s, end);
    if (to <= from)
        to = from + 1;
    if (to > s->at.x + s->at.w)
        from = (to = s->at.x + s->at.w) - 1;
    *r = (struct rect){from, s->at.y, to - from, s->at.h};
    return true;
}

/* ---- what is spoken of ---- */

static va_t focus_of(const struct paint *p)
{
    const struct model_search *s = &p->model->search;
    const struct model_process *process = model_process(p->model, p->cpu->pid);
    va_t heap = process ? process->heap_start : 0;
    if (s->chunk)
        return s->chunk;
    if (s->fit)
        return s->fit;
    if (s->probes)
        return s->probe[(s->probes - 1) % MODEL_PROBES].chunk;
    if (s->header_at)
        return s->header_at;
    if (p->view->selection.kind == THING_BLOCK || p->view->selection.kind == THING_CHUNK)
        return p->view->selection.a;
    va_t va = p->cpu->access.va;
    return process && va >= heap && va < process->brk ? va : heap;
}

/* The region that holds the focus: the heap below the break, or a mapping. */
static struct strip region_of(const struct paint *p, va_t focus)
{
    const struct model_process *process = model_process(p->model, p->cpu->pid);
    const struct model_area *area = model_area(p->model, p->cpu->pid, focus);
    if (process && focus >= process->heap_start && focus <= process->brk)
        return (struct strip){.start = process->heap_start, .end = process->brk};
    if (area)
        return (struct strip){.start = area->start, .end = area->end};
    return (struct strip){0};
}

/* ---- drawing chunks ---- */

static void draw_used(struct paint *p, const struct strip *s, const struct model_block *b)
{
    struct rect r;
    va_t start = b->chunk ? b->chunk : b->start;
    va_t end = b->chunk ? b->chunk + b->chunk_size : b->start + b->usable;
    if (!clip(s, start, end, &r))
        return;
    if (r.w > 3)
        r.w--;
    paint_cell(p, r, C_HEAP, 235, (struct thing){THING_BLOCK, b->start, 0});
}

static void draw_free(struct paint *p, const struct strip *s, const struct model_free *f)
{
    struct rect r;
    if (!clip(s, f->start, f->start + f->size, &r))
        return;
    if (r.w > 3)
        r.w--;
    paint_cell(p, r, C_KERNEL, 160, (struct thing){THING_CHUNK, f->start, f->size});
}

static void draw_strip(struct paint *p, const struct strip *s)
{
    const struct model *m = p->model;
    paint_cell(p, s->at, C_SUNK, 255, (struct thing){0});
    for (size_t i = 0; i < m->chunk_room; i++)
        if (m->chunk[i].start && !m->chunk[i].dead && m->chunk[i].pid == p->cpu->pid)
            draw_free(p, s, &m->chunk[i]);
    for (size_t i = 0; i < m->block_room; i++)
        if (m->block[i].start && !m->block[i].dead && m->block[i].pid == p->cpu->pid)
            draw_used(p, s, &m->block[i]);
}

/* What the search looked at, and what it took. */
static void draw_search(struct paint *p, const struct strip *s)
{
    const struct model_search *q = &p->model->search;
    struct rect r;
    uint64_t kept = min_u64(q->probes, MODEL_PROBES);
    for (uint64_t i = q->probes - kept; i < q->probes; i++) {
        const struct model_probe *probe = &q->probe[i % MODEL_PROBES];
        if (clip(s, probe->chunk, probe->chunk + probe->size, &r))
            paint_outline(p, r, probe->verdict == PROBE_TAKE ? C_HIT : C_MISS);
    }
    va_t chunk = q->chunk ? q->chunk : q->fit;
    uint64_t size = q->chunk ? q->chunk_size : q->fit_size;
    if (chunk && clip(s, chunk, chunk + size, &r))
        paint_outline(p, r, C_DIRTY);
    if (p->cpu->access.any && clip(s, p->cpu->access.va, p->cpu->access.va + 1, &r)) {
        r = (struct rect){r.x, r.y, r.w + 1 < 2 ? 2 : r.w + 1, r.h};
        if (r.x + r.w <= s->at.x + s->at.w)
            paint_cell(p, r, C_BRIGHT, 255, (struct thing){THING_VA, p->cpu->access.va, 0});
    }
}

/* The end of the last block or listed chunk of the region. */
static va_t used_end(const struct paint *p, const struct strip *region)
{
    const struct model *m = p->model;
    va_t end = region->start;
    for (size_t i = 0; i < m->block_room; i++) {
        const struct model_block *b = &m->block[i];
        if (b->start > end && b->start < region->end && !b->dead)
            end = b->start + b->usable;
    }
    for (size_t i = 0; i < m->chunk_room; i++) {
        const struct model_free *f = &m->chunk[i];
        if (f->start >= end && f->start < region->end && !f->dead)
            end = f->start + f->size;
    }
    return min_u64(end, region->end);
}

/* Bytes to a row: a power of two, so that the rows of the window hold what is in use if they can,
 * and a small chunk is still some pixels wide. */
static uint64_t row_bytes(uint64_t used, int rows, int width)
{
    uint64_t bytes = 128;
    while (bytes * (uint64_t)rows < used && bytes < (uint64_t)width * 8)
        bytes *= 2;
    return bytes;
}

static void draw_window(struct paint *p, struct rect r, const struct strip *region, va_t focus)
{
    int high = paint_em(p, 13);
    int rows = r.h / high < ROWS_MAX ? r.h / high : ROWS_MAX;
    if (rows < 1 || region->end <= region->start)
        return;
    struct strip whole = {region->start, region->end, rect_cut_top(&r, paint_em(p, 5))};
    rect_cut_top(&r, paint_em(p, 4));
    rows = r.h / high < ROWS_MAX ? r.h / high : ROWS_MAX;
    uint64_t used = used_end(p, region) - region->start;
    uint64_t bytes = row_bytes(used, rows > 1 ? rows - 1 : 1, r.w);
    uint64_t back = (uint64_t)(rows / 2) * bytes;
    va_t at = focus - region->start > back ? focus - back : region->start;
    if (used <= bytes * (uint64_t)(rows > 1 ? rows - 1 : 1))
        at = region->start;
    at = region->start + align_down(at - region->start, bytes);
    draw_strip(p, &whole);
    struct rect frame;
    if (clip(&whole, at, at + bytes * (uint64_t)(rows > 0 ? rows : 1), &frame))
        paint_outline(p, frame, C_BRIGHT);
    for (int i = 0; i < rows && at < region->end; i++, at += bytes) {
        struct rect row = rect_cut_top(&r, high);
        row.h -= paint_em(p, 3);
        struct strip s = {at, at + bytes, row};
        draw_strip(p, &s);
        draw_search(p, &s);
    }
}

/* ---- words ---- */

static void say_size(struct paint *p, struct rect line, const struct model_search *s)
{
    struct style style = {FACE_MONO, SIZE_SMALL, C_TEXT, ALIGN_LEFT};
    if (s->sized)
        paint_textf(p, line, style,
                    "%" PRIu64 " + %" PRIu64 " header → %" PRIu64 " (× %" PRIu64 ")", s->request,
                    s->header, s->chunk_size, s->alignment);
    else if (s->freeing)
        paint_textf(p, line, style, "free chunk %s, %" PRIu64 " B", number_bare(s->chunk).text,
                    s->chunk_size);
    else if (s->asked)
        paint_textf(p, line, style, "malloc(%" PRIu64 ")", s->request);
    else
        paint_textf(p, line, style, "%s live, %s asked for", number_count(p->model->blocks).text,
                    number_bytes(p->model->requested).text);
}

static void say_result(struct paint *p, struct rect line, const struct model_search *s)
{
    struct style style = {FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_LEFT};
    if (s->returned) {
        style.colour = s->pointer ? C_HIT : C_FAULT;
        paint_textf(p, line, style,
                    s->pointer ? "✓ p = %s in chunk of %" PRIu64 : "! out of memory%s%.0" PRIu64,
                    s->pointer ? number_bare(s->pointer).text : "", s->chunk_size);
    } else if (s->fitted && s->fit) {
        style.colour = C_HIT;
        paint_textf(p, line, style, "✓ fits %s (%" PRIu64 ")", number_bare(s->fit).text,
                    s->fit_size);
    } else if (s->fitted) {
        style.colour = C_MISS;
        paint_text(p, line, style, "✗ nothing fits: ask the kernel");
    } else if (s->headed) {
        paint_textf(p, line, style, "header %s → %s", number_bare(s->header_before).text,
                    number_bare(s->header_after).text);
    } else {
        paint_textf(p, line, style, "%s free in lists, %s", number_count(p->model->chunks).text,
                    number_bytes(p->model->free_bytes).text);
    }
}

/* The last looks: "✗ …9010  ✓ …a2c0", as many as fit. */
static void say_probes(struct paint *p, struct rect line, const struct model_search *s)
{
    char text[256];
    size_t at = 0;
    uint64_t kept = min_u64(s->probes, 6);
    struct style style = {FACE_MONO, SIZE_SMALL, C_MISS, ALIGN_LEFT};
    if (!s->probes)
        return;
    at += (size_t)snprintf(text, sizeof(text), paint_say(p, "%" PRIu64 " looks"), s->probes);
    for (uint64_t i = s->probes - kept; i < s->probes; i++) {
        const struct model_probe *probe = &s->probe[i % MODEL_PROBES];
        bool good = probe->verdict == PROBE_TAKE || probe->verdict == PROBE_BEST;
        at += (size_t)snprintf(text + at, sizeof(text) - at, " %s…%04" PRIx64, good ? "✓" : "✗",
                               probe->chunk & 0xffff);
    }
    paint_text(p, line, style, text);
}

void pane_heap(struct paint *p)
{
    const struct model *m = p->model;
    const struct model_process *process = model_process(m, p->cpu->pid);
    uint64_t heap = process ? process->brk - process->heap_start : 0;
    char title[64];
    snprintf(title, sizeof(title), "HEAP · %s", m->alloc);
    struct rect r = paint_pane(p, title, "%s", number_bytes(heap).text);
    struct rect words = rect_cut_bottom(&r, 3 * (paint_line(p, SIZE_SMALL) + paint_em(p, 1)));
    va_t focus = focus_of(p);
    struct strip region = region_of(p, focus);
    if (region.end > region.start)
        draw_window(p, r, &region, focus);
    else
        paint_text(p, r, (struct style){FACE_MONO, SIZE_BODY, C_FAINT, ALIGN_CENTRE},
                   "no heap yet");
    struct rect line;
    if (paint_next_line(p, SIZE_SMALL, &words, &line))
        say_size(p, line, &m->search);
    if (paint_next_line(p, SIZE_SMALL, &words, &line))
        say_result(p, line, &m->search);
    if (paint_next_line(p, SIZE_SMALL, &words, &line))
        say_probes(p, line, &m->search);
}
