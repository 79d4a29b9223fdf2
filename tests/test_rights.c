/* test_rights.c: every combination of an entry's flags, registers, mode and access, protection keys
 * and shadow stacks included, against the manual's rules written down once more; from the tables,
 * and from TLB entries that were made under other registers. */
#include "tests/test.h"
#include "tests/world.h"

#define VA    UINT64_C(0x00007123456789ab)
#define FRAME UINT64_C(0x40000000) /* 1 GiB: a frame of any page size */
#define KEY   5u

/* ---- one case, by the manual's own names ---- */

enum mode { SUPERVISOR, IMPLICIT, USER };
enum kind { READ, WRITE, FETCH, SHADOW_READ, SHADOW_WRITE, KINDS };

struct page {
    bool rw, us, xd;                   /* of the entry that maps the page */
    bool rw_above, us_above, xd_above; /* in all (rw, us) or any (xd) of the entries above it */
    bool dirty;
    unsigned key;
};

struct state {
    bool wp, smep, smap, ac, pke, pks;
    bool ad_user, wd_user, ad_super, wd_super; /* bits of KEY in PKRU and IA32_PKRS */
    bool nxe, cet;
};

/* ---- the rules: SDM vol. 3A, "Determination of Access Rights" and "Protection Keys" ----
 *
 * An access is allowed when each clause of its rule has one fact that holds. */

enum fact {
    ALWAYS = 1,
    NO_SMAP = 2,
    AC = 4,
    NO_WP = 8,
    RW = 16,    /* R/W is 1 in every entry */
    NO_XD = 32, /* XD is 0 in every entry */
    NO_SMEP = 64,
    KEY_R = 128, /* the page's key allows to read */
    KEY_W = 256, /* and to write */
    STACK = 512, /* R/W is 0 and D is 1 in the last entry, R/W is 1 in all others */
};

static const struct rule {
    unsigned modes; /* bits */
    enum kind kind;
    bool user_page; /* U/S is 1 in every entry */
    unsigned clause[3];
} rules[] = {
    {1 << SUPERVISOR | 1 << IMPLICIT, READ, false, {KEY_R, ALWAYS, ALWAYS}},
    {1 << SUPERVISOR, READ, true, {KEY_R, NO_SMAP | AC, ALWAYS}},
    {1 << IMPLICIT, READ, true, {KEY_R, NO_SMAP, ALWAYS}},
    {1 << SUPERVISOR | 1 << IMPLICIT, WRITE, false, {KEY_W, NO_WP | RW, ALWAYS}},
    {1 << SUPERVISOR, WRITE, true, {KEY_W, NO_WP | RW, NO_SMAP | AC}},
    {1 << IMPLICIT, WRITE, true, {KEY_W, NO_WP | RW, NO_SMAP}},
    {1 << SUPERVISOR, FETCH, false, {NO_XD, ALWAYS, ALWAYS}},
    {1 << SUPERVISOR, FETCH, true, {NO_XD, NO_SMEP, ALWAYS}},
    {1 << SUPERVISOR, SHADOW_READ, false, {STACK, KEY_R, ALWAYS}},
    {1 << SUPERVISOR, SHADOW_WRITE, false, {STACK, KEY_W, ALWAYS}},
    {1 << USER, READ, true, {KEY_R, ALWAYS, ALWAYS}},
    {1 << USER, WRITE, true, {KEY_W, RW, ALWAYS}},
    {1 << USER, FETCH, true, {NO_XD, ALWAYS, ALWAYS}},
    {1 << USER, SHADOW_READ, true, {STACK, KEY_R, ALWAYS}},
    {1 << USER, SHADOW_WRITE, true, {STACK, KEY_W, ALWAYS}},
    /* what is not here is not allowed */
};

static bool user_page(const struct page *p)
{
    return p->us && p->us_above;
}

static bool is_write(enum kind kind)
{
    return kind == WRITE || kind == SHADOW_WRITE;
}

/* Does the key forbid it? Where KEY is not the page's, its bits are 0. */
static bool key_denies(const struct page *p, const struct state *s, enum mode mode, bool write)
{
    bool on = user_page(p) ? s->pke : s->pks && mode != USER;
    bool ad = user_page(p) ? s->ad_user : s->ad_super;
    bool wd = user_page(p) ? s->wd_user : s->wd_super;
    return on && p->key == KEY && (ad || (wd && write && (mode == USER || s->wp)));
}

static unsigned facts(const struct page *p, const struct state *s, enum mode mode)
{
    unsigned f = ALWAYS;
    f |= s->smap ? 0u : NO_SMAP;
    f |= s->ac ? AC : 0u;
    f |= s->wp ? 0u : NO_WP;
    f |= p->rw && p->rw_above ? RW : 0u;
    f |= p->xd || p->xd_above ? 0u : NO_XD;
    f |= s->smep ? 0u : NO_SMEP;
    f |= key_denies(p, s, mode, false) ? 0u : KEY_R;
    f |= key_denies(p, s, mode, true) ? 0u : KEY_W;
    f |= s->cet && !p->rw && p->dirty && p->rw_above ? STACK : 0u;
    return f;
}

static bool allowed(const struct page *p, const struct state *s, enum mode mode, enum kind kind)
{
    unsigned known = facts(p, s, mode);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *r = &rules[i];
        if (r->modes >> mode & 1 && r->kind == kind && r->user_page == user_page(p))
            return known & r->clause[0] && known & r->clause[1] && known & r->clause[2];
    }
    return false;
}

/* -1: allowed; else the error code, by SDM vol. 3A, "Page-Fault Exceptions". */
static int expected(const struct page *p, const struct state *s, enum mode mode, enum kind kind)
{
    int code = (is_write(kind) ? 2 : 0) | (mode == USER ? 4 : 0);
    if (kind == FETCH && (s->nxe || s->smep))
        code |= 16;
    if (kind >= SHADOW_READ)
        code |= 64;
    if ((p->xd || p->xd_above) && !s->nxe)
        return code | 1 | 8;
    if (allowed(p, s, mode, kind))
        return -1;
    if (kind != FETCH && key_denies(p, s, mode, is_write(kind)))
        code |= 32;
    return code | 1;
}

/* ---- putting a case into tables and registers ---- */

static void tables_put(struct world *w, const struct page *p, unsigned leaf_level)
{
    for (unsigned level = 4; level >= leaf_level; level--) {
        bool leaf = level == leaf_level;
        uint64_t e = leaf ? FRAME | (level > 1 ? 128u : 0u) : 0x1000 * (6 - (uint64_t)level);
        e |=
            1 | ((leaf ? p->rw : p->rw_above) ? 2u : 0u) | ((leaf ? p->us : p->us_above) ? 4u : 0u);
        e |= (leaf ? p->xd : p->xd_above) ? (uint64_t)1 << 63 : 0;
        e |= leaf ? (p->dirty ? 64u : 0u) | (uint64_t)p->key << 59 : (uint64_t)(15 - KEY) << 59;
        ram_write64(w->ram, 0x1000 * (5 - (pa_t)level) + 8 * (pa_t)va_index(VA, level), e);
    }
}

static struct page page_of(unsigned n)
{
    return (struct page){n & 1, n & 2, n & 4, n & 8, n & 16, n & 32, n & 64, n & 128 ? KEY : 0};
}

#define PAGES 256u

static struct state state_of(unsigned n)
{
    return (struct state){n & 1,  n & 2,   n & 4,   n & 8,   n & 16,   n & 32,
                          n & 64, n & 128, n & 256, n & 512, n & 1024, n & 2048};
}

#define STATES 4096u

static struct mmu_regs regs_of(const struct state *s, enum mode mode, enum kind kind)
{
    struct mmu_regs r = {.cr3 = 0x1000, .cr4 = 1u << 5, .maxphyaddr = 46, .pat = PAT_RESET};
    r.cr0 = s->wp ? 1u << 16 : 0;
    r.cr4 |= (s->smep ? 1u << 20 : 0) | (s->smap ? 1u << 21 : 0) | (s->pke ? 1u << 22 : 0) |
             (s->cet ? 1u << 23 : 0) | (s->pks ? 1u << 24 : 0);
    r.efer = s->nxe ? 1u << 11 : 0;
    r.pkru = ((s->ad_user ? 1u : 0) | (s->wd_user ? 2u : 0)) << 2 * KEY;
    r.pkrs = ((s->ad_super ? 1u : 0) | (s->wd_super ? 2u : 0)) << 2 * KEY;
    r.ac = s->ac;
    r.cpl = mode == SUPERVISOR ? 0 : 3;
    r.implicit = mode == IMPLICIT;
    r.shadow = kind >= SHADOW_READ;
    return r;
}

static enum access how_of(enum kind kind)
{
    return kind == FETCH ? ACCESS_FETCH : is_write(kind) ? ACCESS_WRITE : ACCESS_READ;
}

static void judge(const struct walk *walk, unsigned page, unsigned state, enum mode mode,
                  enum kind kind)
{
    struct page p = page_of(page);
    struct state s = state_of(state);
    struct mmu_regs regs = regs_of(&s, mode, kind);
    uint32_t error;
    bool ok = walk_judge(walk, &regs, how_of(kind), &error);
    int want = expected(&p, &s, mode, kind);
    if (ok != (want == -1) || (!ok && error != (uint32_t)want))
        ck_abort_msg("page %x state %x mode %d kind %d: %s %x, not %x", page, state, (int)mode,
                     (int)kind, ok ? "allowed" : "error", error, (unsigned)want);
}

/* The processor makes implicit accesses to data only, and none to shadow stacks. */
static bool exists(enum mode mode, enum kind kind)
{
    return mode != IMPLICIT || kind == READ || kind == WRITE;
}

static void judge_modes(const struct walk *walk, unsigned page, unsigned state)
{
    for (unsigned mode = SUPERVISOR; mode <= USER; mode++)
        for (unsigned kind = 0; kind < KINDS; kind++)
            if (exists((enum mode)mode, (enum kind)kind))
                judge(walk, page, state, (enum mode)mode, (enum kind)kind);
}

/* Reading depends on NXE and CET alone, the two highest bits of a state. */
static void judge_all(struct world *w, unsigned page, unsigned leaf_level)
{
    struct page p = page_of(page);
    tables_put(w, &p, leaf_level);
    for (unsigned high = 0; high < STATES; high += STATES / 4) {
        struct state s = state_of(high);
        struct mmu_regs regs = regs_of(&s, SUPERVISOR, READ);
        struct walk walk;
        walk_read(w->ram, &regs, VA, &walk);
        for (unsigned low = 0; low < STATES / 4; low++)
            judge_modes(&walk, page, high | low);
    }
}

static void every_combination_of(unsigned leaf_level)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned page = 0; page < PAGES; page++)
        judge_all(&w, page, leaf_level);
    world_close(&w);
}

START_TEST(every_combination_of_4k)
{
    every_combination_of(1);
}
END_TEST

START_TEST(every_combination_of_2m)
{
    every_combination_of(2);
}
END_TEST

START_TEST(every_combination_of_1g)
{
    every_combination_of(3);
}
END_TEST

/* An access under registers that allow everything leaves a TLB entry; then the registers change,
 * and nothing is invalidated: WRPKRU, and MOV to CR4 for these bits, do not. What is kept in the
 * entry under the new registers' own EFER.NXE and CR4.CET is judged anew. */
static void cached_case(struct world *w, unsigned page, unsigned state, enum mode mode,
                        enum kind kind)
{
    struct page p = page_of(page);
    struct state s = state_of(state);
    struct mmu_fault fault;
    tables_put(w, &p, 1);
    struct state open = {.nxe = s.nxe, .cet = s.cet};
    *mmu_regs(w->mmu) = regs_of(&open, SUPERVISOR, READ);
    ck_assert(mmu_write_cr3(w->mmu, 0x1000));
    bool cached = world_access(w, VA, ACCESS_READ, &fault);
    ck_assert_int_eq(cached, s.nxe || !(p.xd || p.xd_above));
    uint64_t walks = mmu_counters(w->mmu)->walks;
    *mmu_regs(w->mmu) = regs_of(&s, mode, kind);
    bool ok = world_access(w, VA, how_of(kind), &fault);
    int want = expected(&p, &s, mode, kind);
    if (ok != (want == -1) || (!ok && fault.error != (uint32_t)want))
        ck_abort_msg("page %x state %x mode %d kind %d: %s %x, not %x", page, state, (int)mode,
                     (int)kind, ok ? "allowed" : "error", fault.error, (unsigned)want);
    bool marks = ok && is_write(kind) && !p.dirty;
    if (cached)
        ck_assert_uint_eq(mmu_counters(w->mmu)->walks - walks, marks ? 1 : 0);
}

START_TEST(cached_translations_are_judged_anew)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    struct rng rng = {11};
    for (unsigned n = 0; n < 200000; n++) {
        enum mode mode = (enum mode)rng_below(&rng, 3);
        enum kind kind = (enum kind)rng_below(&rng, KINDS);
        if (exists(mode, kind))
            cached_case(&w, rng_below(&rng, PAGES), rng_below(&rng, STATES), mode, kind);
    }
    world_close(&w);
}
END_TEST

/* Each of the 16 keys has its own two bits in PKRU and IA32_PKRS. */
START_TEST(every_key_has_its_own_bits)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned n = 0; n < 16 * 64; n++) {
        unsigned key = n / 64, shift = n % 32;
        bool user = n / 32 % 2;
        struct page p = {.rw = true, .us = user, .rw_above = true, .us_above = true, .key = key};
        tables_put(&w, &p, 1);
        struct mmu_regs regs = {.cr0 = 1u << 16, .cr3 = 0x1000, .maxphyaddr = 46};
        regs.cr4 = 1u << 22 | 1u << 24;
        *(user ? &regs.pkru : &regs.pkrs) = 1u << shift;
        for (unsigned how = ACCESS_READ; how <= ACCESS_FETCH; how++) {
            struct walk walk;
            uint32_t error;
            walk_read(w.ram, &regs, VA, &walk);
            bool denied =
                how != ACCESS_FETCH && shift / 2 == key && (shift % 2 == 0 || how == ACCESS_WRITE);
            ck_assert_int_eq(walk_judge(&walk, &regs, (enum access)how, &error), !denied);
            ck_assert_uint_eq(error, denied ? 0x21 | (how == ACCESS_WRITE ? 2 : 0) : 0);
        }
    }
    world_close(&w);
}
END_TEST

/* ---- memory types: PAT, PCD and PWT choose one of the eight of IA32_PAT ---- */

START_TEST(memory_types)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned n = 0; n < 24; n++) {
        unsigned level = 1 + n / 8, index = n % 8;
        struct page p = {.rw = true, .us = true, .rw_above = true, .us_above = true};
        tables_put(&w, &p, level);
        pa_t at = 0x1000 * (5 - (pa_t)level) + 8 * (pa_t)va_index(VA, level);
        uint64_t e = ram_read64(w.ram, at);
        e |= (index & 1 ? 1u << 3 : 0) | (index & 2 ? 1u << 4 : 0);
        e |= index & 4 ? 1u << (level == 1 ? 7 : 12) : 0;
        ram_write64(w.ram, at, e);
        mmu_regs(w.mmu)->pat = UINT64_C(0x0706050401000607);
        static const unsigned types[] = {7, 6, 0, 1, 4, 5, 6, 7};
        struct translation to;
        ck_assert(mmu_probe(w.mmu, VA, &to));
        ck_assert_uint_eq(mmu_memory_type(mmu_regs(w.mmu), to.flags), types[index]);
        ck_assert_uint_eq(to.pa, FRAME + VA % level_span(level));
    }
    world_close(&w);
}
END_TEST

TEST_MAIN("rights", every_combination_of_4k, every_combination_of_2m, every_combination_of_1g,
          cached_translations_are_judged_anew, every_key_has_its_own_bits, memory_types)
