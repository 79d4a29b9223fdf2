/* test_policies.c: every replacement policy against a plain simulation of its textbook algorithm.
 *
 * A program touches pages of one area in the order of a reference string, on a whole kernel with
 * room for a few of them; the other side is an array of page numbers. Both must fault at the same
 * references, for random strings and for those of course sheets.
 */
#include "kernel/policies.h"
#include "tests/kernel_rig.h"
#include "tests/test.h"

#define PAGES_MAX  16u
#define FRAMES_MAX 8u
#define REFS       400u
#define ROUNDS     12u
#define NOBODY     UINT32_MAX

struct string {
    size_t count;
    uint8_t page[REFS];
};

/* ---- the textbook ---- */

/* Pages in memory, in the order that the algorithm keeps; r: the reference bit. */
struct book {
    size_t frames, count, hand;
    struct {
        uint32_t page;
        bool r, active, referenced;
        uint64_t used; /* when last */
        uint8_t age;
    } in[FRAMES_MAX];
    const struct string *s;
    size_t now;
    unsigned tick;
};

static size_t find(const struct book *b, uint32_t page)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->in[i].page == page)
            return i;
    return NOBODY;
}

static void drop(struct book *b, size_t i)
{
    b->count--;
    memmove(&b->in[i], &b->in[i + 1], (b->count - i) * sizeof(b->in[0]));
}

static size_t victim_fifo(struct book *b)
{
    (void)b;
    return 0;
}

static size_t victim_lru(struct book *b)
{
    size_t best = 0;
    for (size_t i = 1; i < b->count; i++)
        if (b->in[i].used < b->in[best].used)
            best = i;
    return best;
}

static size_t victim_mru(struct book *b)
{
    size_t best = 0;
    for (size_t i = 1; i < b->count; i++)
        if (b->in[i].used > b->in[best].used)
            best = i;
    return best;
}

/* A page with the bit loses it and goes to the end. */
static size_t victim_second_chance(struct book *b)
{
    while (b->in[0].r) {
        b->in[0].r = false;
        struct book before = *b;
        for (size_t i = 0; i < b->count; i++)
            b->in[i] = before.in[(i + 1) % b->count];
    }
    return 0;
}

static uint64_t next_of(const struct book *b, uint32_t page)
{
    for (size_t i = b->now + 1; i < b->s->count; i++)
        if (b->s->page[i] == page)
            return i;
    return UINT64_MAX;
}

static size_t victim_opt(struct book *b)
{
    size_t best = 0;
    for (size_t i = 1; i < b->count; i++)
        if (next_of(b, b->in[i].page) > next_of(b, b->in[best].page))
            best = i;
    return best;
}

static unsigned age_of(const struct book *b, size_t i)
{
    return b->in[i].age + (b->in[i].r ? 256u : 0);
}

static size_t victim_aging(struct book *b)
{
    size_t best = 0;
    for (size_t i = 1; i < b->count; i++)
        if (age_of(b, i) < age_of(b, best))
            best = i;
    return best;
}

static void tick_aging(struct book *b)
{
    for (size_t i = 0; i < b->count; i++) {
        b->in[i].age = (uint8_t)(b->in[i].age / 2 + (b->in[i].r ? 128 : 0));
        b->in[i].r = false;
    }
}

/* All pages are dirty: the program only writes. Clean ones are tested by hand below. */
static size_t victim_nru(struct book *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (!b->in[i].r)
            return i;
    return 0;
}

static void tick_nru(struct book *b)
{
    for (size_t i = 0; i < b->count; i++)
        b->in[i].r = false;
}

struct textbook {
    const char *policy;
    size_t (*victim)(struct book *);
    void (*tick)(struct book *);
    bool circle; /* a hand that goes round, a new page in the place of the old */
};

static size_t victim_clock(struct book *b)
{
    while (b->in[b->hand].r) {
        b->in[b->hand].r = false;
        b->hand = (b->hand + 1) % b->count;
    }
    size_t victim = b->hand;
    b->hand = (b->hand + 1) % b->count;
    return victim;
}

static const struct textbook textbooks[] = {
    {"fifo", victim_fifo, NULL, false},
    {"lru", victim_lru, NULL, false},
    {"mru", victim_mru, NULL, false},
    {"second-chance", victim_second_chance, NULL, false},
    {"clock", victim_clock, NULL, true},
    {"opt", victim_opt, NULL, false},
    {"aging", victim_aging, tick_aging, false},
    {"nru", victim_nru, tick_nru, false},
};

/* true: a fault. */
static bool book_touch(struct book *b, const struct textbook *t, size_t now)
{
    uint32_t page = b->s->page[now];
    size_t i = find(b, page);
    bool fault = i == NOBODY;
    b->now = now;
    if (fault && b->count == b->frames) {
        i = t->victim(b);
        if (!t->circle) {
            drop(b, i);
            i = b->count++;
        }
    } else if (fault) {
        i = b->count++;
    }
    if (fault) {
        memset(&b->in[i], 0, sizeof(b->in[i]));
        b->in[i].page = page;
        b->in[i].age = 128;
    }
    b->in[i].r = true;
    b->in[i].used = now + 1;
    return fault;
}

/* ---- the machine ---- */

struct seer {
    const struct string *s;
    va_t base;
};

static uint64_t seer_next(void *ctx, uint16_t pid, va_t page, uint64_t done)
{
    const struct seer *seer = ctx;
    (void)pid;
    for (uint64_t i = done; i < seer->s->count; i++)
        if (seer->base + seer->s->page[i] * PAGE_SIZE == page)
            return i - done;
    return UINT64_MAX;
}

static bool seer_agrees(void *ctx, uint16_t pid, va_t page, uint64_t number)
{
    const struct seer *seer = ctx;
    (void)pid;
    return seer->base + seer->s->page[number - 1] * PAGE_SIZE == page;
}

static uint32_t policy_number(const char *name)
{
    for (uint32_t i = 0; i < RECLAIM_POLICIES; i++)
        if (strcmp(reclaim_table[i]->name, name) == 0)
            return i;
    ck_abort_msg("no policy %s", name);
}

static void machine_open(struct rig *r, const char *policy, size_t frames, uint32_t tick)
{
    struct kernel_config config = rig_config();
    config.swap_bytes = MIB;
    config.frames_limit = frames;
    config.reclaim_policy = policy_number(policy);
    config.reclaim_tick = tick;
    rig_open(r, 64 * MIB, &config);
}

/* Faults of the whole string; faulted[i]: at reference i. */
static size_t machine_faults(const char *policy, const struct string *s, size_t frames,
                             uint32_t tick, bool faulted[])
{
    struct rig r;
    size_t faults = 0;
    machine_open(&r, policy, frames, tick);
    va_t base = (va_t)rig_map(&r, PAGES_MAX * PAGE_SIZE);
    struct seer seer = {s, base};
    struct future future = {&seer, seer_next, seer_agrees};
    kernel_foresee(r.k, &future);
    for (size_t i = 0; i < s->count; i++) {
        ck_assert(rig_store(&r, base + s->page[i] * PAGE_SIZE, (uint8_t)i));
        ck_assert_uint_le(r.faults + r.reads, 1);
        faulted[i] = r.faults + r.reads > 0;
        faults += faulted[i];
        ck_assert_uint_le(rig_process(&r, 1).resident, frames);
    }
    ck_assert(!kernel_surprised(r.k));
    rig_check(&r);
    kernel_exit(r.k, &r.cpu[0], 1);
    rig_check(&r);
    struct memory_info memory;
    kernel_memory(r.k, &memory);
    ck_assert_uint_eq(memory.swap_used, 0); /* no slot is lost */
    ck_assert_uint_eq(memory.anon, 0);
    rig_close(&r);
    return faults;
}

/* Neighbours differ: uses of one page one after the other are one reference to a policy. */
static void random_string(struct string *s, struct rng *rng, uint32_t pages)
{
    s->count = REFS;
    for (size_t i = 0; i < s->count; i++) {
        do
            s->page[i] = (uint8_t)(rng_below(rng, 3) ? rng_below(rng, pages)
                                                     : (i ? s->page[i - 1] + 1u : 0) % pages);
        while (i && s->page[i] == s->page[i - 1]);
    }
}

START_TEST(random_strings)
{
    const struct textbook *t = &textbooks[_i];
    struct rng rng = {(uint64_t)_i + 1};
    static bool faulted[REFS];
    struct string s;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct book b = {.s = &s, .frames = 1 + rng_below(&rng, FRAMES_MAX), .tick = 7};
        random_string(&s, &rng, 2 + rng_below(&rng, PAGES_MAX - 2));
        machine_faults(t->policy, &s, b.frames, b.tick, faulted);
        for (size_t i = 0; i < s.count; i++) {
            bool fault = book_touch(&b, t, i);
            ck_assert_msg(fault == faulted[i], "%s, %zu frames, round %u: reference %zu", t->policy,
                          b.frames, round, i);
            if (t->tick && (i + 1) % b.tick == 0)
                t->tick(&b);
        }
    }
}
END_TEST

/* Nobody has fewer faults than OPT, and nobody more than there are references. */
START_TEST(nobody_beats_opt)
{
    struct rng rng = {99};
    static bool faulted[REFS];
    struct string s;
    for (unsigned round = 0; round < 4; round++) {
        size_t frames = 2 + rng_below(&rng, FRAMES_MAX - 2);
        random_string(&s, &rng, PAGES_MAX);
        size_t best = machine_faults("opt", &s, frames, 7, faulted);
        for (uint32_t i = 0; i < RECLAIM_POLICIES; i++)
            ck_assert_uint_ge(machine_faults(reclaim_table[i]->name, &s, frames, 7, faulted), best);
    }
}
END_TEST

/* ---- course sheets ---- */

static size_t sheet(const char *policy, size_t frames, const char *digits)
{
    static bool faulted[REFS];
    struct string s = {.count = strlen(digits)};
    for (size_t i = 0; i < s.count; i++)
        s.page[i] = (uint8_t)(digits[i] - '0');
    return machine_faults(policy, &s, frames, 100, faulted);
}

START_TEST(course_numbers)
{
    static const struct {
        const char *digits;
        size_t frames, fifo, lru, opt;
    } sheets[] = {
        {"01201303121", 3, 7, 5, 5},
        {"01720317017", 4, 8, 7, 5},
        {"123412351236", 4, 9, 6, 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(sheets); i++) {
        ck_assert_uint_eq(sheet("fifo", sheets[i].frames, sheets[i].digits), sheets[i].fifo);
        ck_assert_uint_eq(sheet("lru", sheets[i].frames, sheets[i].digits), sheets[i].lru);
        ck_assert_uint_eq(sheet("opt", sheets[i].frames, sheets[i].digits), sheets[i].opt);
    }
}
END_TEST

START_TEST(belady)
{
    static const size_t fifo[] = {12, 12, 9, 10, 5};
    static const size_t lru[] = {12, 12, 10, 8, 5};
    for (size_t frames = 1; frames <= 5; frames++) {
        ck_assert_uint_eq(sheet("fifo", frames, "123412512345"), fifo[frames - 1]);
        ck_assert_uint_eq(sheet("lru", frames, "123412512345"), lru[frames - 1]);
    }
}
END_TEST

START_TEST(thrashing)
{
    char digits[71] = "";
    for (size_t n = 6; n <= 7; n++) {
        for (size_t i = 0; i < 10 * n; i++)
            digits[i] = (char)('0' + i % n);
        digits[10 * n] = '\0';
        ck_assert_uint_eq(sheet("lru", 6, digits), n == 6 ? 6 : 70);
        ck_assert_uint_lt(sheet("mru", 6, digits), 25); /* what helps against loops */
    }
}
END_TEST

/* ---- two lists: by hand, from the rules of mm/vmscan.c and mm/workingset.c ---- */

/* Four frames. Pages 0 to 3 come in and are each used: all are inactive, A set. For page 4, the
 * first look gives each a second round (A cleared, referenced); the second finds page 0 unused. */
START_TEST(two_lists)
{
    struct rig r;
    machine_open(&r, "two-list", 4, 100);
    va_t base = (va_t)rig_map(&r, PAGES_MAX * PAGE_SIZE);
    for (unsigned i = 0; i < 5; i++)
        ck_assert(rig_store(&r, base + i * PAGE_SIZE, 1));
    ck_assert_int_eq(kernel_mincore(r.k, 1, base), 0);
    /* 1 is used again: with A and referenced both set it becomes active; 2 goes for page 5. */
    ck_assert(rig_store(&r, base + PAGE_SIZE, 1));
    ck_assert(rig_store(&r, base + 5 * PAGE_SIZE, 1));
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + PAGE_SIZE), 1);
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + 2 * PAGE_SIZE), 0);
    /* 2 comes back after a distance of 0, not above the one active page: it is active at once. So
     * 3 went for it, and a stream of new pages passes by both. */
    ck_assert(rig_store(&r, base + 2 * PAGE_SIZE, 1));
    ck_assert_uint_eq(r.reads, 1);
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + 3 * PAGE_SIZE), 0);
    for (unsigned i = 6; i < 12; i++)
        ck_assert(rig_store(&r, base + i * PAGE_SIZE, 1));
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + PAGE_SIZE), 1);
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + 2 * PAGE_SIZE), 1);
    rig_check(&r);
    rig_close(&r);
}
END_TEST

/* Of pages that were not used since the tick, a clean one goes before a dirty one. */
START_TEST(nru_prefers_clean)
{
    struct rig r;
    machine_open(&r, "nru", 3, 2);
    va_t base = (va_t)rig_map(&r, PAGES_MAX * PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++) /* 0 goes to swap */
        ck_assert(rig_store(&r, base + i * PAGE_SIZE, 1));
    ck_assert_int_eq(kernel_mincore(r.k, 1, base), 0);
    ck_assert_int_eq(rig_load(&r, base), 1); /* and comes back clean; 1 went */
    ck_assert(rig_store(&r, base + 2 * PAGE_SIZE, 1));
    ck_assert(rig_store(&r, base + 3 * PAGE_SIZE, 1));
    ck_assert(rig_store(&r, base + 2 * PAGE_SIZE, 1)); /* a tick: A is clear everywhere */
    ck_assert(rig_store(&r, base + 4 * PAGE_SIZE, 1));
    ck_assert_int_eq(kernel_mincore(r.k, 1, base), 0);
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + 2 * PAGE_SIZE), 1);
    ck_assert_int_eq(kernel_mincore(r.k, 1, base + 3 * PAGE_SIZE), 1);
    rig_close(&r);
}
END_TEST

START_TEST(by_name)
{
    for (uint32_t i = 0; i < RECLAIM_POLICIES; i++)
        ck_assert_ptr_eq(reclaim_find(reclaim_table[i]->name), reclaim_table[i]);
    ck_assert_ptr_null(reclaim_find("best"));
    ck_assert_ptr_null(kernel_reclaim_name(RECLAIM_POLICIES));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies");
    TCase *all = tcase_create("policies");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, random_strings, 0, (int)ARRAY_LEN(textbooks));
    tcase_add_test(all, nobody_beats_opt);
    tcase_add_test(all, course_numbers);
    tcase_add_test(all, belady);
    tcase_add_test(all, thrashing);
    tcase_add_test(all, two_lists);
    tcase_add_test(all, nru_prefers_clean);
    tcase_add_test(all, by_name);
    suite_add_tcase(suite, all);
    return test_run(suite);
}
