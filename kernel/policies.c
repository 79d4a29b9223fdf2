/* policies.c: the replacement policies of textbooks and of Linux.
 *
 * All but random keep frames in queues: circular lists over frame numbers, the front being the next
 * to go.
 */
#include "kernel/policies.h"

#include "kernel/kernel.h"

#include <string.h>

/* ---- queues ---- */

enum { FIRST, SECOND, QUEUES };

struct link {
    uint32_t next, prev;
};

/* link[frames + q] is the head of queue q; per-frame bytes of a policy stand behind the links. */
struct queues {
    uint32_t frames;
    uint32_t count[QUEUES];
    struct link link[];
};

static size_t queues_size(uint32_t frames)
{
    return sizeof(struct queues) + (frames + (size_t)QUEUES) * sizeof(struct link);
}

static void queues_init(void *state, uint32_t frames)
{
    struct queues *s = state;
    s->frames = frames;
    for (uint32_t q = 0; q < QUEUES; q++)
        s->link[frames + q] = (struct link){frames + q, frames + q};
}

/* A byte for each frame. */
static size_t queues_bytes_size(uint32_t frames)
{
    return queues_size(frames) + frames;
}

static uint8_t *bytes_of(struct queues *s)
{
    return (uint8_t *)&s->link[s->frames + QUEUES];
}

static void push_back(struct queues *s, unsigned q, uint32_t frame)
{
    uint32_t head = s->frames + q;
    uint32_t last = s->link[head].prev;
    s->link[frame] = (struct link){head, last};
    s->link[last].next = frame;
    s->link[head].prev = frame;
    s->count[q]++;
}

static void push_front(struct queues *s, unsigned q, uint32_t frame)
{
    uint32_t head = s->frames + q;
    uint32_t first = s->link[head].next;
    s->link[frame] = (struct link){first, head};
    s->link[first].prev = frame;
    s->link[head].next = frame;
    s->count[q]++;
}

static void take_out(struct queues *s, unsigned q, uint32_t frame)
{
    struct link at = s->link[frame];
    s->link[at.prev].next = at.next;
    s->link[at.next].prev = at.prev;
    s->count[q]--;
}

static uint32_t front(const struct queues *s, unsigned q)
{
    uint32_t first = s->link[s->frames + q].next;
    return first < s->frames ? first : RECLAIM_NONE;
}

static void to_back(struct queues *s, unsigned q, uint32_t frame)
{
    take_out(s, q, frame);
    push_back(s, q, frame);
}

static uint32_t first_movable(const struct queues *s, const struct reclaim_lens *lens)
{
    uint32_t frame = s->link[s->frames + FIRST].next;
    while (frame < s->frames && !lens->movable(lens->ctx, frame))
        frame = s->link[frame].next;
    return frame < s->frames ? frame : RECLAIM_NONE;
}

static void queue_resident(void *state, uint32_t frame, uint64_t distance)
{
    (void)distance;
    push_back(state, FIRST, frame);
}

static void queue_gone(void *state, uint32_t frame)
{
    take_out(state, FIRST, frame);
}

static void queue_cold(void *state, uint32_t frame)
{
    take_out(state, FIRST, frame);
    push_front(state, FIRST, frame);
}

static uint32_t queue_pick_first(void *state, const struct reclaim_lens *lens)
{
    return first_movable(state, lens);
}

/* ---- FIFO ---- */

static const struct reclaim_ops fifo = {
    .name = "fifo",
    .doc = "the page that came in first",
    .state_size = queues_size,
    .init = queues_init,
    .resident = queue_resident,
    .gone = queue_gone,
    .cold = queue_cold,
    .pick = queue_pick_first,
};

/* ---- LRU and MRU: the queue is in order of last use ---- */

static void recency_used(void *state, uint32_t frame)
{
    to_back(state, FIRST, frame);
}

static const struct reclaim_ops lru = {
    .name = "lru",
    .doc = "the page that was not used for the longest time, exactly: every reference is heard",
    .hears = true,
    .state_size = queues_size,
    .init = queues_init,
    .resident = queue_resident,
    .gone = queue_gone,
    .used = recency_used,
    .cold = queue_cold,
    .pick = queue_pick_first,
};

static uint32_t mru_pick(void *state, const struct reclaim_lens *lens)
{
    const struct queues *s = state;
    uint32_t frame = s->link[s->frames + FIRST].prev;
    while (frame < s->frames && !lens->movable(lens->ctx, frame))
        frame = s->link[frame].prev;
    return frame < s->frames ? frame : RECLAIM_NONE;
}

static const struct reclaim_ops mru = {
    .name = "mru",
    .doc = "the page that was used last, exactly: best for loops that are larger than memory",
    .hears = true,
    .state_size = queues_size,
    .init = queues_init,
    .resident = queue_resident,
    .gone = queue_gone,
    .used = recency_used,
    .cold = recency_used, /* the end that goes first */
    .pick = mru_pick,
};

/* ---- second chance: FIFO, but a page with A goes to the end once ---- */

static uint32_t chance_pick(void *state, const struct reclaim_lens *lens)
{
    struct queues *s = state;
    for (uint64_t left = 2 * (uint64_t)s->count[FIRST]; left > 0; left--) {
        uint32_t frame = front(s, FIRST);
        if (lens->movable(lens->ctx, frame) && !lens->accessed(lens->ctx, frame, true))
            return frame;
        to_back(s, FIRST, frame);
    }
    return first_movable(s, lens);
}

static const struct reclaim_ops second_chance = {
    .name = "second-chance",
    .doc = "FIFO, but a page whose A bit is set loses it and goes to the end instead",
    .state_size = queues_size,
    .init = queues_init,
    .resident = queue_resident,
    .gone = queue_gone,
    .cold = queue_cold,
    .pick = chance_pick,
};

/* ---- CLOCK: second chance without moving pages ----
 *
 * The pages stand still in a circle and a hand turns over them. A new page takes the place of the
 * one that went, just behind the hand; so the victims are those of second chance.
 */

static size_t clock_size(uint32_t frames)
{
    return queues_size(frames) + sizeof(uint32_t);
}

/* The frame that is looked at next; only where there is one. */
static uint32_t *hand_of(struct queues *s)
{
    return (uint32_t *)(void *)&s->link[s->frames + QUEUES];
}

/* The head of the queue is not part of the circle. */
static uint32_t around(const struct queues *s, uint32_t frame)
{
    uint32_t next = s->link[frame].next;
    return next < s->frames ? next : s->link[next].next;
}

static void clock_resident(void *state, uint32_t frame, uint64_t distance)
{
    struct queues *s = state;
    (void)distance;
    if (!s->count[FIRST]) {
        push_back(s, FIRST, frame);
        *hand_of(s) = frame;
        return;
    }
    uint32_t hand = *hand_of(s), before = s->link[hand].prev;
    s->link[frame] = (struct link){hand, before};
    s->link[before].next = frame;
    s->link[hand].prev = frame;
    s->count[FIRST]++;
}

static void clock_gone(void *state, uint32_t frame)
{
    struct queues *s = state;
    if (*hand_of(s) == frame)
        *hand_of(s) = around(s, frame);
    take_out(s, FIRST, frame);
}

static uint32_t clock_pick(void *state, const struct reclaim_lens *lens)
{
    struct queues *s = state;
    for (uint64_t left = 2 * (uint64_t)s->count[FIRST]; left > 0; left--) {
        uint32_t frame = *hand_of(s);
        *hand_of(s) = around(s, frame);
        if (lens->movable(lens->ctx, frame) && !lens->accessed(lens->ctx, frame, true))
            return frame;
    }
    return first_movable(s, lens);
}

static const struct reclaim_ops clock_ops = {
    .name = "clock",
    .doc = "a hand turns over the pages: A set: it is cleared; A clear: that page goes",
    .state_size = clock_size,
    .init = queues_init,
    .resident = clock_resident,
    .gone = clock_gone,
    .pick = clock_pick,
};

/* ---- not recently used: four classes by A and D ---- */

static void nru_tick(void *state, const struct reclaim_lens *lens)
{
    const struct queues *s = state;
    for (uint32_t f = s->link[s->frames + FIRST].next; f < s->frames; f = s->link[f].next)
        lens->accessed(lens->ctx, f, true);
}

static uint32_t nru_pick(void *state, const struct reclaim_lens *lens)
{
    const struct queues *s = state;
    uint32_t best = RECLAIM_NONE;
    unsigned best_class = 4;
    for (uint32_t f = s->link[s->frames + FIRST].next; f < s->frames; f = s->link[f].next) {
        if (!lens->movable(lens->ctx, f))
            continue;
        unsigned class = 2u * lens->accessed(lens->ctx, f, false) + lens->dirty(lens->ctx, f);
        if (class < best_class) {
            best_class = class;
            best = f;
        }
    }
    return best;
}

static const struct reclaim_ops nru = {
    .name = "nru",
    .doc = "the oldest page of the lowest class: 2 for A plus 1 for D; each tick clears A",
    .state_size = queues_size,
    .init = queues_init,
    .resident = queue_resident,
    .gone = queue_gone,
    .tick = nru_tick,
    .cold = queue_cold,
    .pick = nru_pick,
};

/* ---- aging: a byte of history for each frame, the newest bit highest ---- */

#define AGE_USED 0x80u

static void aging_resident(void *state, uint32_t frame, uint64_t distance)
{
    queue_resident(state, frame, distance);
    bytes_of(state)[frame] = AGE_USED;
}

static void aging_tick(void *state, const struct reclaim_lens *lens)
{
    struct queues *s = state;
    uint8_t *age = bytes_of(s);
    for (uint32_t f = s->link[s->frames + FIRST].next; f < s->frames; f = s->link[f].next)
        age[f] = (uint8_t)(age[f] >> 1 | (lens->accessed(lens->ctx, f, true) ? AGE_USED : 0));
}

static void aging_cold(void *state, uint32_t frame)
{
    queue_cold(state, frame);
    bytes_of(state)[frame] = 0;
}

/* What was used since the last tick counts as younger than any history. */
static uint32_t aging_pick(void *state, const struct reclaim_lens *lens)
{
    struct queues *s = state;
    uint32_t best = RECLAIM_NONE;
    unsigned best_age = 2 * UINT8_MAX + 2;
    for (uint32_t f = s->link[s->frames + FIRST].next; f < s->frames; f = s->link[f].next) {
        if (!lens->movable(lens->ctx, f))
            continue;
        unsigned age = bytes_of(s)[f] + (lens->accessed(lens->ctx, f, false) ? UINT8_MAX + 1u : 0);
        if (age < best_age) {
            best_age = age;
            best = f;
        }
    }
    return best;
}

static const struct reclaim_ops aging = {
    .name = "aging",
    .doc = "each tick shifts the A bit into a byte; the page with the smallest goes",
    .state_size = queues_bytes_size,
    .init = queues_init,
    .resident = aging_resident,
    .gone = queue_gone,
    .tick = aging_tick,
    .cold = aging_cold,
    .pick = aging_pick,
};

/* ---- random ---- */

struct dense {
    uint32_t frames, count;
    uint32_t at[]; /* frame of each place, then, from frames on, place of each frame */
};

static size_t random_size(uint32_t frames)
{
    return sizeof(struct dense) + 2 * (size_t)frames * sizeof(uint32_t);
}

static void random_init(void *state, uint32_t frames)
{
    struct dense *s = state;
    s->frames = frames;
}

static void random_resident(void *state, uint32_t frame, uint64_t distance)
{
    struct dense *s = state;
    (void)distance;
    s->at[s->count] = frame;
    s->at[s->frames + frame] = s->count++;
}

static void random_gone(void *state, uint32_t frame)
{
    struct dense *s = state;
    uint32_t place = s->at[s->frames + frame];
    uint32_t last = s->at[--s->count];
    s->at[place] = last;
    s->at[s->frames + last] = place;
}

static uint32_t random_pick(void *state, const struct reclaim_lens *lens)
{
    const struct dense *s = state;
    if (!s->count)
        return RECLAIM_NONE;
    uint32_t start = rng_below(lens->rng, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t frame = s->at[(start + i) % s->count];
        if (lens->movable(lens->ctx, frame))
            return frame;
    }
    return RECLAIM_NONE;
}

static const struct reclaim_ops random_ops = {
    .name = "random",
    .doc = "any page",
    .state_size = random_size,
    .init = random_init,
    .resident = random_resident,
    .gone = random_gone,
    .pick = random_pick,
};

/* ---- two lists, as Linux has them for anonymous memory ---- */

enum { INACTIVE = FIRST, ACTIVE = SECOND };
enum { FLAG_ACTIVE = 1, FLAG_REFERENCED = 2 };

#define GIB_PAGES_SHIFT 18u

static unsigned list_of(struct queues *s, uint32_t frame)
{
    return bytes_of(s)[frame] & FLAG_ACTIVE ? ACTIVE : INACTIVE;
}

/* A page that comes back sooner than the active ones would have been evicted had deserved to stay
 * (Linux: workingset_refault in mm/workingset.c). */
static void two_resident(void *state, uint32_t frame, uint64_t distance)
{
    struct queues *s = state;
    bool active = distance <= s->count[ACTIVE];
    bytes_of(s)[frame] = active ? FLAG_ACTIVE : 0;
    push_back(s, active ? ACTIVE : INACTIVE, frame);
}

static void two_gone(void *state, uint32_t frame)
{
    take_out(state, list_of(state, frame), frame);
}

static void two_cold(void *state, uint32_t frame)
{
    two_gone(state, frame);
    bytes_of(state)[frame] = 0;
    push_front(state, INACTIVE, frame);
}

static uint64_t root_of(uint64_t n)
{
    uint64_t root = 0;
    while ((root + 1) * (root + 1) <= n)
        root++;
    return root;
}

/* Linux: inactive_is_low in mm/vmscan.c. */
static bool inactive_is_low(const struct queues *s)
{
    uint64_t gib = ((uint64_t)s->count[INACTIVE] + s->count[ACTIVE]) >> GIB_PAGES_SHIFT;
    uint64_t ratio = gib ? root_of(10 * gib) : 1;
    return s->count[INACTIVE] * ratio < s->count[ACTIVE];
}

/* The oldest active page becomes inactive, used or not (Linux: shrink_active_list). */
static void deactivate(struct queues *s, const struct reclaim_lens *lens)
{
    uint32_t frame = front(s, ACTIVE);
    lens->accessed(lens->ctx, frame, true);
    take_out(s, ACTIVE, frame);
    bytes_of(s)[frame] = 0;
    push_back(s, INACTIVE, frame);
}

/* Looks at one inactive page: does it go? Used once, it stays; used again, it becomes active
 * (Linux: folio_check_references). */
static bool two_judge(struct queues *s, uint32_t frame, const struct reclaim_lens *lens)
{
    uint8_t *flags = &bytes_of(s)[frame];
    if (!lens->movable(lens->ctx, frame)) {
        to_back(s, INACTIVE, frame);
        return false;
    }
    if (!lens->accessed(lens->ctx, frame, true))
        return true;
    if (!(*flags & FLAG_REFERENCED)) {
        *flags |= FLAG_REFERENCED;
        to_back(s, INACTIVE, frame);
        return false;
    }
    take_out(s, INACTIVE, frame);
    *flags = FLAG_ACTIVE;
    push_back(s, ACTIVE, frame);
    return false;
}

static uint32_t two_scan(struct queues *s, const struct reclaim_lens *lens)
{
    uint64_t left = 4 * ((uint64_t)s->count[INACTIVE] + s->count[ACTIVE]);
    for (; left > 0; left--) {
        while (inactive_is_low(s))
            deactivate(s, lens);
        uint32_t frame = front(s, INACTIVE);
        if (frame == RECLAIM_NONE)
            return RECLAIM_NONE;
        if (two_judge(s, frame, lens))
            return frame;
    }
    return RECLAIM_NONE;
}

/* Where no inactive page may go, the active ones must serve. */
static uint32_t two_pick(void *state, const struct reclaim_lens *lens)
{
    struct queues *s = state;
    uint32_t frame = two_scan(s, lens);
    if (frame != RECLAIM_NONE || !s->count[ACTIVE])
        return frame;
    while (s->count[ACTIVE])
        deactivate(s, lens);
    return two_scan(s, lens);
}

static const struct reclaim_ops two_list = {
    .name = "two-list",
    .doc = "Linux's active and inactive lists: used twice makes active, a quick refault too",
    .state_size = queues_bytes_size,
    .init = queues_init,
    .resident = two_resident,
    .gone = two_gone,
    .cold = two_cold,
    .pick = two_pick,
};

/* ---- OPT: the page whose next use is farthest away (Belady, 1966) ---- */

static uint32_t opt_pick(void *state, const struct reclaim_lens *lens)
{
    const struct queues *s = state;
    uint32_t best = RECLAIM_NONE;
    uint64_t farthest = 0;
    for (uint32_t f = s->link[s->frames + FIRST].next; f < s->frames; f = s->link[f].next) {
        if (!lens->movable(lens->ctx, f))
            continue;
        uint64_t next = lens->next_use(lens->ctx, f);
        if (best == RECLAIM_NONE || next > farthest) {
            farthest = next;
            best = f;
        }
        if (next == UINT64_MAX)
            break;
    }
    return best;
}

static const struct reclaim_ops opt = {
    .name = "opt",
    .doc = "the page whose next use is farthest away: knows the trace, and cannot be beaten",
    .future = true,
    .state_size = queues_size,
    .init = queues_init,
    .resident = queue_resident,
    .gone = queue_gone,
    .pick = opt_pick,
};

/* ---- the table ---- */

const struct reclaim_ops *const reclaim_table[RECLAIM_POLICIES + 1] = {
    &two_list, &fifo, &lru, &clock_ops, &second_chance, &nru, &aging, &mru, &random_ops, &opt, NULL,
};

const struct reclaim_ops *reclaim_find(const char *name)
{
    for (size_t i = 0; reclaim_table[i]; i++)
        if (strcmp(reclaim_table[i]->name, name) == 0)
            return reclaim_table[i];
    return NULL;
}

const char *kernel_reclaim_name(uint64_t i)
{
    return i < RECLAIM_POLICIES ? reclaim_table[i]->name : NULL;
}

const char *kernel_reclaim_doc(uint64_t i)
{
    return i < RECLAIM_POLICIES ? reclaim_table[i]->doc : NULL;
}
