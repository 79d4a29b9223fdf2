/* layout.c: the tree of rows and columns, and the two passes that solve it: minimum sizes upwards,
 * pixels downwards.
 */
#include "viz/layout.h"

#include <string.h>

const char *const pane_name[PANES + 1] = {
    [PANE_PROGRAM] = "program", [PANE_HEAP] = "heap",         [PANE_CONTROL] = "buttons",
    [PANE_ADDRESS] = "address", [PANE_TLB1] = "tlb1",         [PANE_TLB2] = "tlb2",
    [PANE_PSC] = "psc",         [PANE_WALK] = "walk",         [PANE_AREAS] = "areas",
    [PANE_FRAMES] = "frames",   [PANE_TIMELINE] = "timeline", [PANE_NARRATION] = "narration",
    [PANE_LESSON] = "lesson",   [PANE_SPACE] = "space",       [PANE_TABLES] = "tables",
    [PANE_BYTES] = "bytes",
};

enum { ROW, COLUMN, LEAF };

/* A node: lengths in tenths of an em. Extra space goes to the children of one parent by weight.
 * drop: who goes first when it is tight; 0: never. */
struct node {
    int kind, parent, pane;
    int min_w, min_h, weight, drop;
};

/* In the order in which they stand on the screen. */
enum {
    ROOT,
    MAIN,
    LEFT,
    LESSON,
    PROGRAM,
    HEAP,
    CONTROL,
    MIDDLE,
    ADDRESS,
    CACHES,
    TLB1,
    CACHES_RIGHT,
    TLB2,
    PSC,
    WALK,
    RIGHT,
    AREAS,
    FRAMES,
    SPACE,
    TABLES,
    BYTES,
    TIMELINE,
    NARRATION
};

static const struct node tree[] = {
    [ROOT] = {.kind = COLUMN, .parent = -1},
    [MAIN] = {.kind = ROW, .parent = ROOT, .weight = 70},
    [LEFT] = {.kind = COLUMN, .parent = MAIN, .weight = 18, .drop = 90},
    [LESSON] = {LEAF, LEFT, PANE_LESSON, 160, 90, 60, 45},
    [PROGRAM] = {LEAF, LEFT, PANE_PROGRAM, 160, 50, 52, 70},
    [HEAP] = {LEAF, LEFT, PANE_HEAP, 160, 80, 48, 40},
    [CONTROL] = {LEAF, LEFT, PANE_CONTROL, 150, 24, 3, 30},
    [MIDDLE] = {.kind = COLUMN, .parent = MAIN, .weight = 66},
    [ADDRESS] = {LEAF, MIDDLE, PANE_ADDRESS, 320, 44, 12, 0},
    [CACHES] = {.kind = ROW, .parent = MIDDLE, .weight = 36, .drop = 80},
    [TLB1] = {LEAF, CACHES, PANE_TLB1, 150, 44, 54, 0},
    [CACHES_RIGHT] = {.kind = COLUMN, .parent = CACHES, .weight = 46, .drop = 35},
    [TLB2] = {LEAF, CACHES_RIGHT, PANE_TLB2, 150, 36, 56, 15},
    [PSC] = {LEAF, CACHES_RIGHT, PANE_PSC, 150, 36, 34, 10},
    [WALK] = {LEAF, MIDDLE, PANE_WALK, 320, 86, 52, 0},
    [RIGHT] = {.kind = COLUMN, .parent = MAIN, .weight = 18, .drop = 60},
    [AREAS] = {LEAF, RIGHT, PANE_AREAS, 170, 70, 56, 25},
    [FRAMES] = {LEAF, RIGHT, PANE_FRAMES, 170, 70, 44, 20},
    [SPACE] = {LEAF, ROOT, PANE_SPACE, 300, 120, 70, 5},
    [TABLES] = {LEAF, ROOT, PANE_TABLES, 300, 120, 70, 5},
    [BYTES] = {LEAF, ROOT, PANE_BYTES, 300, 120, 70, 5},
    [TIMELINE] = {LEAF, ROOT, PANE_TIMELINE, 300, 32, 20, 50},
    [NARRATION] = {LEAF, ROOT, PANE_NARRATION, 300, 46, 7, 0},
};

#define NODES ((int)ARRAY_LEN(tree))
#define GAP   6

struct solve {
    int em;
    bool off[ARRAY_LEN(tree)];
    int w[ARRAY_LEN(tree)], h[ARRAY_LEN(tree)]; /* minimum, pixels */
    struct rect at[ARRAY_LEN(tree)];
};

static int pixels(const struct solve *s, int tenths)
{
    return (s->em * tenths + 5) / 10;
}

/* Does the node show anything? A container does if a child does. */
static bool shown(const struct solve *s, int n)
{
    if (s->off[n])
        return false;
    if (tree[n].kind == LEAF)
        return true;
    for (int c = n + 1; c < NODES; c++)
        if (tree[c].parent == n && shown(s, c))
            return true;
    return false;
}

/* Sum along the axis of the container, maximum across it. */
static void measure(struct solve *s, int n)
{
    s->w[n] = pixels(s, tree[n].min_w);
    s->h[n] = pixels(s, tree[n].min_h);
    int count = 0;
    for (int c = n + 1; c < NODES; c++) {
        if (tree[c].parent != n || !shown(s, c))
            continue;
        measure(s, c);
        int gap = count++ ? pixels(s, GAP) : 0;
        if (tree[n].kind == ROW) {
            s->w[n] += s->w[c] + gap;
            s->h[n] = s->h[n] > s->h[c] ? s->h[n] : s->h[c];
        } else {
            s->h[n] += s->h[c] + gap;
            s->w[n] = s->w[n] > s->w[c] ? s->w[n] : s->w[c];
        }
    }
}

/* Switches off the least important node that brings the overfull side down; false: there is none.
 */
static bool drop_one(struct solve *s, bool wide)
{
    int before = wide ? s->w[ROOT] : s->h[ROOT];
    int best = -1;
    for (int n = 1; n < NODES; n++) {
        if (!tree[n].drop || !shown(s, n) || (best >= 0 && tree[n].drop >= tree[best].drop))
            continue;
        s->off[n] = true;
        measure(s, ROOT);
        if ((wide ? s->w[ROOT] : s->h[ROOT]) < before)
            best = n;
        s->off[n] = false;
    }
    if (best >= 0)
        s->off[best] = true;
    measure(s, ROOT);
    return best >= 0;
}

/* Gives each child its minimum and its share of what is over (or of what is missing). */
static void place(struct solve *s, int n)
{
    bool row = tree[n].kind == ROW;
    int children[ARRAY_LEN(tree)];
    int count = 0;
    int weights = 0;
    for (int c = n + 1; c < NODES; c++) {
        if (tree[c].parent != n || !shown(s, c))
            continue;
        children[count++] = c;
        weights += tree[c].weight;
    }
    struct rect left = s->at[n];
    int extra = row ? left.w - s->w[n] : left.h - s->h[n];
    for (int i = 0; i < count; i++) {
        int c = children[i];
        int share = weights ? extra * tree[c].weight / weights : 0;
        int size = i == count - 1 ? (row ? left.w : left.h) : (row ? s->w[c] : s->h[c]) + share;
        s->at[c] = row ? rect_cut_left(&left, size) : rect_cut_top(&left, size);
        (void)(row ? rect_cut_left(&left, pixels(s, GAP)) : rect_cut_top(&left, pixels(s, GAP)));
        place(s, c);
    }
}

/* 16 px at 1600 × 900, in step with the window, never below what can be read. */
static int em_for(int w, int h, int scale)
{
    int em = w * 9 < h * 16 ? w / 100 : h * 16 / 900;
    if (em < 14)
        em = 14;
    return em * scale / 1000;
}

void layout_make(struct layout *l, int w, int h, int scale, unsigned hidden)
{
    struct solve s = {.em = em_for(w, h, scale)};
    memset(l, 0, sizeof(*l));
    l->em = s.em;
    for (int n = 0; n < NODES; n++)
        s.off[n] = tree[n].kind == LEAF && hidden >> tree[n].pane & 1;
    s.at[ROOT] = rect_inset((struct rect){0, 0, w, h}, pixels(&s, GAP));
    measure(&s, ROOT);
    while (s.w[ROOT] > s.at[ROOT].w && drop_one(&s, true))
        continue;
    while (s.h[ROOT] > s.at[ROOT].h && drop_one(&s, false))
        continue;
    place(&s, ROOT);
    for (int n = 0; n < NODES; n++) {
        bool visible = true;
        if (tree[n].kind != LEAF)
            continue;
        for (int p = n; p >= 0; p = tree[p].parent)
            visible = visible && !s.off[p];
        if (visible)
            l->pane[tree[n].pane] = s.at[n];
        else if (!(hidden >> tree[n].pane & 1))
            l->dropped |= 1u << tree[n].pane;
    }
}
