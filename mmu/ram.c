/* ram.c: physical memory as a tree of counted pieces: root, nodes of 512 frames, frames.
 *
 *   ram ──▶ root ──▶ node[pfn / 512] ──▶ frame[pfn % 512] ──▶ 4096 bytes
 *   snapshot ──▲
 *
 * A snapshot only counts one more owner of the root. Who writes below a piece with several owners
 * first makes a copy of it, from the root down, so that a picture never changes and whatever was
 * not written stays shared. Pieces that are missing read as zeroes.
 */
#include "mmu/ram.h"

#include "sim/base/check.h"

#include <string.h>

#define NODE_SHIFT  9
#define NODE_FRAMES ((uint64_t)1 << NODE_SHIFT)

struct frame {
    uint8_t bytes[PAGE_SIZE];
    uint64_t refs;
};

struct node {
    uint64_t refs;
    struct frame *frame[NODE_FRAMES];
};

struct root {
    uint64_t refs;
    struct node *node[];
};

struct ram_snapshot {
    struct root *root;
    uint64_t live; /* frames below the root */
};

struct ram {
    struct root *root;
    uint64_t frames; /* size of RAM in frames, the hypervisor's included */
    uint64_t size;   /* in bytes, without them */
    uint64_t nodes;
    uint64_t epoch;
    uint64_t live;  /* frames with host memory below the root */
    uint64_t total; /* frames with host memory, those of snapshots included */
};

static const uint8_t zeroes[PAGE_SIZE];

/* NOTE: memory of the host that runs out here stops the program; there is no way to go on. */
static void *memory(size_t size)
{
    void *p = calloc(1, size);
    CHECK(p && "the host has no memory left for simulated RAM");
    return p;
}

static size_t root_size(const struct ram *ram)
{
    return sizeof(struct root) + ram->nodes * sizeof(struct node *);
}

struct ram *ram_new_guest(uint64_t bytes, uint64_t host_bytes)
{
    CHECK(bytes % PAGE_SIZE == 0 && host_bytes % PAGE_SIZE == 0);
    struct ram *ram = calloc(1, sizeof(*ram));
    if (!ram)
        return NULL;
    ram->size = bytes;
    ram->frames = (bytes + host_bytes) / PAGE_SIZE;
    ram->nodes = (ram->frames + NODE_FRAMES - 1) / NODE_FRAMES;
    ram->epoch = 1;
    ram->root = calloc(1, root_size(ram));
    if (!ram->root) {
        free(ram);
        return NULL;
    }
    ram->root->refs = 1;
    return ram;
}

struct ram *ram_new(uint64_t bytes)
{
    return ram_new_guest(bytes, 0);
}

/* ---- giving up a share of a piece ---- */

static void frame_put(struct ram *ram, struct frame *frame)
{
    if (!frame || --frame->refs)
        return;
    free(frame);
    ram->total--;
}

static void node_put(struct ram *ram, struct node *node)
{
    if (!node || --node->refs)
        return;
    for (uint64_t i = 0; i < NODE_FRAMES; i++)
        frame_put(ram, node->frame[i]);
    free(node);
}

static void root_put(struct ram *ram, struct root *root)
{
    if (--root->refs)
        return;
    for (uint64_t i = 0; i < ram->nodes; i++)
        node_put(ram, root->node[i]);
    free(root);
}

void ram_destroy(struct ram *ram)
{
    if (!ram)
        return;
    root_put(ram, ram->root);
    free(ram);
}

/* ---- the way to a frame ---- */

static struct frame *frame_at(const struct ram *ram, pfn_t pfn)
{
    const struct node *node = ram->root->node[pfn >> NODE_SHIFT];
    return node ? node->frame[pfn & (NODE_FRAMES - 1)] : NULL;
}

static void root_own(struct ram *ram)
{
    struct root *old = ram->root;
    if (old->refs == 1)
        return;
    struct root *fresh = memory(root_size(ram));
    memcpy(fresh, old, root_size(ram));
    for (uint64_t i = 0; i < ram->nodes; i++)
        if (fresh->node[i])
            fresh->node[i]->refs++;
    fresh->refs = 1;
    old->refs--;
    ram->root = fresh;
}

/* The node of a frame with one owner only. */
static struct node *node_own(struct ram *ram, pfn_t pfn)
{
    root_own(ram);
    struct node **at = &ram->root->node[pfn >> NODE_SHIFT];
    struct node *old = *at;
    if (old && old->refs == 1)
        return old;
    struct node *fresh = memory(sizeof(*fresh));
    fresh->refs = 1;
    *at = fresh;
    if (!old)
        return fresh;
    memcpy(fresh->frame, old->frame, sizeof(fresh->frame));
    for (uint64_t i = 0; i < NODE_FRAMES; i++)
        if (fresh->frame[i])
            fresh->frame[i]->refs++;
    old->refs--;
    return fresh;
}

uint64_t ram_size(const struct ram *ram)
{
    return ram->size;
}

uint64_t ram_host_end(const struct ram *ram)
{
    return ram->frames * PAGE_SIZE;
}

const uint8_t *ram_frame(const struct ram *ram, pfn_t pfn)
{
    CHECK(pfn < ram->frames);
    const struct frame *frame = frame_at(ram, pfn);
    return frame ? frame->bytes : zeroes;
}

uint8_t *ram_frame_write(struct ram *ram, pfn_t pfn)
{
    CHECK(pfn < ram->frames);
    struct frame **at = &node_own(ram, pfn)->frame[pfn & (NODE_FRAMES - 1)];
    struct frame *old = *at;
    if (old && old->refs == 1)
        return old->bytes;
    struct frame *fresh = memory(sizeof(*fresh));
    fresh->refs = 1;
    ram->total++;
    ram->epoch++;
    *at = fresh;
    if (old) {
        memcpy(fresh->bytes, old->bytes, PAGE_SIZE);
        old->refs--;
    } else {
        ram->live++;
    }
    return fresh->bytes;
}

/* ---- bytes ---- */

void ram_read(const struct ram *ram, pa_t pa, void *to, size_t n)
{
    uint8_t *out = to;
    while (n) {
        size_t part = (size_t)min_u64(n, PAGE_SIZE - (pa & PAGE_MASK));
        if (pa >> PAGE_SHIFT < ram->frames)
            memcpy(out, ram_frame(ram, pa >> PAGE_SHIFT) + (pa & PAGE_MASK), part);
        else
            memset(out, 0, part);
        pa += part;
        out += part;
        n -= part;
    }
}

void ram_write(struct ram *ram, pa_t pa, const void *from, size_t n)
{
    const uint8_t *in = from;
    while (n) {
        size_t part = (size_t)min_u64(n, PAGE_SIZE - (pa & PAGE_MASK));
        if (pa >> PAGE_SHIFT < ram->frames)
            memcpy(ram_frame_write(ram, pa >> PAGE_SHIFT) + (pa & PAGE_MASK), in, part);
        pa += part;
        in += part;
        n -= part;
    }
}

uint64_t ram_read64(const struct ram *ram, pa_t pa)
{
    CHECK(pa % 8 == 0);
    pfn_t pfn = pa >> PAGE_SHIFT;
    const struct frame *frame = pfn < ram->frames ? frame_at(ram, pfn) : NULL;
    uint64_t value = 0;
    if (frame)
        memcpy(&value, frame->bytes + (pa & PAGE_MASK), sizeof(value));
    return value;
}

void ram_write64(struct ram *ram, pa_t pa, uint64_t value)
{
    CHECK(pa % 8 == 0);
    ram_write(ram, pa, &value, sizeof(value));
}

void ram_zero(struct ram *ram, pfn_t pfn)
{
    CHECK(pfn < ram->frames);
    if (!frame_at(ram, pfn))
        return;
    struct frame **at = &node_own(ram, pfn)->frame[pfn & (NODE_FRAMES - 1)];
    frame_put(ram, *at);
    *at = NULL;
    ram->live--;
    ram->epoch++;
}

void ram_copy(struct ram *ram, pfn_t to, pfn_t from)
{
    CHECK(to < ram->frames && from < ram->frames);
    if (!frame_at(ram, from)) {
        ram_zero(ram, to);
        return;
    }
    uint8_t *bytes = ram_frame_write(ram, to);
    if (to != from)
        memcpy(bytes, ram_frame(ram, from), PAGE_SIZE);
}

uint64_t ram_epoch(const struct ram *ram)
{
    return ram->epoch;
}

const uint64_t *ram_epoch_at(const struct ram *ram)
{
    return &ram->epoch;
}

uint64_t ram_held(const struct ram *ram)
{
    return ram->live * PAGE_SIZE;
}

/* ---- snapshots ---- */

struct ram_snapshot *ram_save(struct ram *ram)
{
    struct ram_snapshot *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    *s = (struct ram_snapshot){.root = ram->root, .live = ram->live};
    ram->root->refs++;
    ram->epoch++;
    return s;
}

void ram_restore(struct ram *ram, const struct ram_snapshot *s)
{
    s->root->refs++;
    root_put(ram, ram->root);
    ram->root = s->root;
    ram->live = s->live;
    ram->epoch++;
}

void ram_snapshot_free(struct ram *ram, struct ram_snapshot *s)
{
    if (!s)
        return;
    root_put(ram, s->root);
    free(s);
}

uint64_t ram_snapshots_bytes(const struct ram *ram)
{
    return (ram->total - ram->live) * PAGE_SIZE;
}
