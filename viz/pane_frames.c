/* pane_frames.c: physical memory, a cell to a frame, coloured by what it is used for.
 *
 * A machine has 262 144 frames for each GiB and most rows of them look all the same; such rows are
 * folded into one thin line that says how many they are, so what is left is what differs.
 */
#include "viz/paint.h"

#include <inttypes.h>

#define LINES_MAX 256u

struct line {
    pfn_t first;
    uint64_t frames;
    uint8_t use; /* FRAME_USES: a row of cells; else a fold of frames of this use */
};

static bool uniform(const struct model *m, pfn_t first, unsigned columns, uint8_t *use)
{
    *use = model_frame(m, first)->use;
    if (*use != FRAME_FREE && *use != FRAME_RESERVED)
        return false;
    for (pfn_t i = 1; i < columns && first + i < m->frames; i++)
        if (model_frame(m, first + i)->use != *use)
            return false;
    return true;
}

/* Frames from first on that were never told of: whole pieces of the directory are skipped. */
static uint64_t untouched(const struct model *m, pfn_t first)
{
    uint64_t n = 0;
    while (first + n < m->frames && (first + n) % MODEL_BLOCK == 0 &&
           !m->frame[(first + n) / MODEL_BLOCK] &&
           model_frame(m, first + n)->use == model_frame(m, first)->use)
        n += MODEL_BLOCK;
    return min_u64(n, m->frames - first);
}

/* Lines from frame at (a multiple of MODEL_BLOCK) on. */
static size_t fold_lines(const struct model *m, pfn_t at, unsigned columns, struct line *line,
                         size_t max)
{
    size_t count = 0;
    while (at < m->frames && count < max) {
        uint8_t use = model_frame(m, at)->use;
        uint64_t n = untouched(m, at);
        bool same = n > 0 || uniform(m, at, columns, &use);
        n = n ? n : min_u64(columns, m->frames - at);
        struct line *last = count ? &line[count - 1] : NULL;
        if (same && last && last->use == use)
            last->frames += n;
        else
            line[count++] = (struct line){at, n, same ? use : FRAME_USES};
        at += n;
    }
    return count;
}

static pfn_t focus_of(const struct paint *p)
{
    if (p->links.framed)
        return p->links.pfn;
    if (p->cpu->fault.frame != PFN_NONE)
        return p->cpu->fault.frame;
    return p->cpu->access.pfn;
}

static enum colour frame_colour(const struct paint *p, const struct model_frame *f)
{
    switch (f->use) {
    case FRAME_TABLE:
        return C_TABLE;
    case FRAME_ANON:
    case FRAME_SHARED:
        return paint_owner(p, f->va);
    case FRAME_FILE:
        return C_MMAP;
    case FRAME_RESERVED:
        return C_KERNEL;
    default:
        return C_SUNK;
    }
}

static void draw_frame(struct paint *p, struct rect cell, pfn_t pfn)
{
    const struct model_frame *f = model_frame(p->model, pfn);
    enum colour colour = frame_colour(p, f);
    if (f->use != FRAME_RESERVED && colour == C_KERNEL)
        colour = C_MMAP;
    paint_cell(p, cell, colour, 255, (struct thing){THING_FRAME, pfn, 0});
    if (f->use == FRAME_TABLE)
        paint_pattern(p, cell, ITEM_GRID, C_PANE);
    if (pfn == p->cpu->fault.frame || pfn == p->cpu->access.pfn)
        paint_outline(p, cell, pfn == p->cpu->fault.frame ? C_FAULT : C_BRIGHT);
}

static void draw_row(struct paint *p, struct rect row, pfn_t first, unsigned columns)
{
    for (unsigned i = 0; i < columns && first + i < p->model->frames; i++)
        draw_frame(p, rect_column(row, (int)i, (int)columns, 1), first + i);
}

static void draw_fold(struct paint *p, struct rect row, const struct line *line)
{
    bool kernel = line->use == FRAME_RESERVED;
    paint_cell(p, row, kernel ? C_KERNEL : C_SUNK, 120,
               (struct thing){THING_FRAME, line->first, 0});
    rect_cut_left(&row, paint_em(p, 4));
    paint_textf(p, row, (struct style){FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_LEFT}, "%s %s from %s",
                number_count(line->frames).text, paint_say(p, kernel ? "K reserved" : "– free"),
                number_hex(line->first, 4).text);
}

static int cell_of(struct rect r, unsigned columns)
{
    int cell = r.w / (int)columns;
    return cell < 4 ? 4 : cell;
}

static int fold_of(const struct paint *p)
{
    return paint_line(p, SIZE_SMALL) + paint_em(p, 2);
}

/* Lines from frame at on, in the largest cells in which all of them have room. */
static size_t choose_lines(const struct paint *p, struct rect r, pfn_t at, struct line *line,
                           unsigned *columns)
{
    size_t count = 0;
    for (*columns = 16; *columns <= 64; *columns *= 2) {
        int high = 0;
        count = fold_lines(p->model, at, *columns, line, LINES_MAX);
        for (size_t i = 0; i < count; i++)
            high += line[i].use == FRAME_USES ? cell_of(r, *columns) : fold_of(p);
        if (high <= r.h || *columns == 64)
            return count;
    }
    return count;
}

static void draw_lines(struct paint *p, struct rect r, const struct line *line, size_t count,
                       unsigned columns)
{
    int cell = cell_of(r, columns);
    int fold = fold_of(p);
    pfn_t focus = focus_of(p);
    size_t hot = 0;
    for (size_t i = 0; i < count; i++)
        if (focus != PFN_NONE && focus >= line[i].first && focus < line[i].first + line[i].frames)
            hot = i;
    size_t first = 0;
    int all = 0; /* start so that the hot line is inside */
    for (size_t i = 0; i <= hot && count; i++)
        all += line[i].use == FRAME_USES ? cell : fold;
    while (first < hot && all > r.h)
        all -= line[first++].use == FRAME_USES ? cell : fold;
    for (size_t i = first; i < count; i++) {
        int high = line[i].use == FRAME_USES ? cell : fold;
        if (r.h < high)
            return;
        struct rect row = rect_cut_top(&r, high);
        row.h -= 1;
        if (line[i].use == FRAME_USES)
            draw_row(p, row, line[i].first, columns);
        else
            draw_fold(p, row, &line[i]);
    }
}

static void draw_key(struct paint *p, struct rect r)
{
    static const struct {
        enum colour colour;
        const char *name;
    } key[] = {{C_TABLE, "T tables"},
               {C_HEAP, "heap"},
               {C_MMAP, "mmap"},
               {C_STACK, "stack"},
               {C_IMAGE, "image"}};
    struct style style = {FACE_MONO, SIZE_SMALL, C_DIM, ALIGN_LEFT};
    int side = paint_em(p, 6);
    for (size_t i = 0; i < ARRAY_LEN(key); i++) {
        int wide = paint_width(p, style, key[i].name);
        if (r.w < wide + side + paint_em(p, 3))
            return;
        struct rect box = rect_cut_left(&r, side);
        box.y += (box.h - side) / 2;
        box.h = side;
        paint_cell(p, box, key[i].colour, 255, (struct thing){0});
        rect_cut_left(&r, paint_em(p, 3));
        paint_text(p, rect_cut_left(&r, wide), style, key[i].name);
        rect_cut_left(&r, paint_em(p, 5));
    }
}

void pane_frames(struct paint *p)
{
    const struct model *m = p->model;
    struct rect r =
        m->swap_used
            ? paint_pane(p, "PHYSICAL MEMORY", "%s free, %s pages in swap",
                         number_count(m->frames_free).text, number_count(m->swap_used).text)
            : paint_pane(p, "PHYSICAL MEMORY", "%s free", number_count(m->frames_free).text);
    struct rect key = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL) + paint_em(p, 2));
    struct rect words = rect_cut_bottom(&r, paint_line(p, SIZE_SMALL) + paint_em(p, 1));
    struct line line[LINES_MAX];
    unsigned columns;
    size_t count = choose_lines(p, r, 0, line, &columns);
    pfn_t focus = focus_of(p);
    if (focus != PFN_NONE && count && focus >= line[count - 1].first + line[count - 1].frames)
        count = choose_lines(p, r, align_down(focus, MODEL_BLOCK), line, &columns);
    draw_lines(p, r, line, count, columns);
    draw_key(p, key);
    if (focus == PFN_NONE)
        return;
    char text[200];
    thing_tell(m, p->cpu, p->view, (struct thing){THING_FRAME, focus, 0}, text, sizeof(text));
    paint_text(p, words, (struct style){FACE_MONO, SIZE_SMALL, C_TEXT, ALIGN_LEFT}, text);
}
