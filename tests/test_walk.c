/* test_walk.c: every combination of level flags, registers, mode and access, against a table of
 * the manual's rules; reserved bits one by one; A and D bits; by walks and by whole accesses. */
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define VA    UINT64_C(0x00007123456789ab)
#define FRAME UINT64_C(0x40000000) /* 1 GiB: a frame of any page size */

/* ---- the rules, from SDM vol. 3A, "Determination of Access Rights" ----
 *
 * An access is allowed when each of its clauses has one fact that holds. */

enum fact {
    ALWAYS = 1,
    NO_SMAP = 2,
    AC = 4,
    NO_WP = 8,
    RW = 16,    /* R/W is 1 in every entry */
    NO_XD = 32, /* XD is 0 in every entry, or NXE is 0 */
    NO_SMEP = 64,
};

static const struct rule {
    bool user_mode;
    enum access how;
    bool user_page; /* U/S is 1 in every entry */
    unsigned clause[2];
} rules[] = {
    {false, ACCESS_READ, false, {ALWAYS, ALWAYS}},
    {false, ACCESS_READ, true, {NO_SMAP | AC, ALWAYS}},
    {false, ACCESS_WRITE, false, {NO_WP | RW, ALWAYS}},
    {false, ACCESS_WRITE, true, {NO_WP | RW, NO_SMAP | AC}},
    {false, ACCESS_FETCH, false, {NO_XD, ALWAYS}},
    {false, ACCESS_FETCH, true, {NO_XD, NO_SMEP}},
    {true, ACCESS_READ, false, {0, 0}},
    {true, ACCESS_READ, true, {ALWAYS, ALWAYS}},
    {true, ACCESS_WRITE, false, {0, 0}},
    {true, ACCESS_WRITE, true, {RW, ALWAYS}},
    {true, ACCESS_FETCH, false, {0, 0}},
    {true, ACCESS_FETCH, true, {NO_XD, ALWAYS}},
};

/* Bits by number, not by the names of mmu/pte.h. */
enum { BIT_P = 0, BIT_RW = 1, BIT_US = 2, BIT_A = 5, BIT_D = 6, BIT_PS = 7, BIT_XD = 63 };

static bool bit(uint64_t word, unsigned n)
{
    return word >> n & 1;
}

/* One case: 4, 3 or 2 entries (a page of 4 KiB, 2 MiB, 1 GiB), and the registers. */
struct access_case {
    uint64_t entry[4];
    unsigned entries;
    struct mmu_regs regs;
    enum access how;
};

static unsigned facts(const struct access_case *c, bool *user_page)
{
    bool rw = true, xd = false;
    *user_page = true;
    for (unsigned i = 0; i < c->entries; i++) {
        rw = rw && bit(c->entry[i], BIT_RW);
        xd = xd || bit(c->entry[i], BIT_XD);
        *user_page = *user_page && bit(c->entry[i], BIT_US);
    }
    return ALWAYS | (bit(c->regs.cr4, 21) ? 0u : NO_SMAP) | (c->regs.ac ? AC : 0u) |
           (bit(c->regs.cr0, 16) ? 0u : NO_WP) | (rw ? RW : 0u) | (xd ? 0u : NO_XD) |
           (bit(c->regs.cr4, 20) ? 0u : NO_SMEP);
}

/* -1: allowed, else the error code. */
static int expected(const struct access_case *c)
{
    int how = (c->how == ACCESS_WRITE ? 2 : 0) | (c->regs.cpl == 3 ? 4 : 0);
    if (c->how == ACCESS_FETCH && (bit(c->regs.efer, 11) || bit(c->regs.cr4, 20)))
        how |= 16;
    for (unsigned i = 0; i < c->entries; i++) {
        if (!bit(c->entry[i], BIT_P))
            return how;
        if (bit(c->entry[i], BIT_XD) && !bit(c->regs.efer, 11))
            return how | 1 | 8;
    }
    bool user_page;
    unsigned known = facts(c, &user_page);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *r = &rules[i];
        if (r->user_mode == (c->regs.cpl == 3) && r->how == c->how && r->user_page == user_page)
            return known & r->clause[0] && known & r->clause[1] ? -1 : how | 1;
    }
    ck_abort_msg("no rule");
    return 0;
}

/* ---- putting a case into tables ---- */

static struct mmu_regs regs_of(unsigned n)
{
    struct mmu_regs r = {.cr3 = 0x1000, .cr4 = CR4_PAE, .maxphyaddr = 46};
    r.cr0 = n & 1 ? (uint64_t)1 << 16 : 0;
    r.cr4 |= n & 2 ? (uint64_t)1 << 20 : 0;
    r.cr4 |= n & 4 ? (uint64_t)1 << 21 : 0;
    r.efer = n & 8 ? (uint64_t)1 << 11 : 0;
    r.ac = n & 16;
    r.cpl = n & 32 ? 3 : 0;
    return r;
}

#define REGISTERS 64u

/* flags: three bits for each entry: R/W, U/S, XD; absent: which entry has P clear, 4: none. */
static void tables_put(struct world *w, struct access_case *c, unsigned flags, unsigned absent)
{
    for (unsigned i = 0; i < c->entries; i++, flags >>= 3) {
        bool leaf = i + 1 == c->entries;
        uint64_t e =
            leaf ? FRAME | (c->entries < 4 ? 1u << BIT_PS : 0u) : 0x2000 + (uint64_t)i * 0x1000;
        e |= (i != absent ? 1u : 0u) | (flags & 1 ? 2u : 0u) | (flags & 2 ? 4u : 0u);
        e |= flags & 4 ? (uint64_t)1 << BIT_XD : 0;
        c->entry[i] = e;
        ram_write64(w->ram, 0x1000 + i * PAGE_SIZE + 8 * (pa_t)va_index(VA, 4 - i), e);
    }
}

static void judge(struct world *w, const struct access_case *c)
{
    struct walk walk;
    uint32_t error;
    walk_read(w->ram, &c->regs, VA, &walk);
    bool allowed = walk_judge(&walk, &c->regs, c->how, &error);
    int want = expected(c);
    if (allowed != (want == -1) || (!allowed && error != (uint32_t)want))
        ck_abort_msg("error %d, not %x: %llx %llx %llx %llx cr0 %llx cr4 %llx efer %llx ac %d "
                     "cpl %d how %d",
                     want, error, (unsigned long long)c->entry[0], (unsigned long long)c->entry[1],
                     (unsigned long long)c->entry[2], (unsigned long long)c->entry[3],
                     (unsigned long long)c->regs.cr0, (unsigned long long)c->regs.cr4,
                     (unsigned long long)c->regs.efer, c->regs.ac, c->regs.cpl, (int)c->how);
}

static void judge_all(struct world *w, struct access_case *c)
{
    for (unsigned n = 0; n < REGISTERS; n++) {
        c->regs = regs_of(n);
        for (unsigned how = 0; how < 3; how++) {
            c->how = (enum access)how;
            judge(w, c);
        }
    }
}

START_TEST(every_combination_of_rights)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned entries = 2; entries <= 4; entries++) {
        struct access_case c = {.entries = entries};
        for (unsigned flags = 0; flags < 1u << (3 * entries); flags++) {
            tables_put(&w, &c, flags, 4);
            judge_all(&w, &c);
        }
    }
    world_close(&w);
}
END_TEST

START_TEST(every_absent_entry)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned entries = 2; entries <= 4; entries++) {
        struct access_case c = {.entries = entries};
        for (unsigned absent = 0; absent < entries; absent++) {
            for (unsigned flags = 0; flags < 1u << (3 * entries); flags += 3) {
                tables_put(&w, &c, flags, absent);
                judge_all(&w, &c);
            }
        }
    }
    world_close(&w);
}
END_TEST

/* The same rules through the door: with an empty TLB, and again by the entry that the first access
 * left. A fault leaves every table as it was; success sets A everywhere and D for a write. */
static void access_case_run(struct world *w, const struct access_case *c)
{
    int want = expected(c);
    *mmu_regs(w->mmu) = c->regs;
    ck_assert(mmu_write_cr3(w->mmu, c->regs.cr3));
    for (unsigned again = 0; again < 2; again++) {
        struct mmu_fault fault;
        bool ok = world_access(w, VA, c->how, &fault);
        ck_assert_int_eq(ok, want == -1);
        if (!ok) {
            ck_assert_uint_eq(fault.error, (uint32_t)want);
            ck_assert_uint_eq(fault.vector, 14);
            ck_assert_uint_eq(fault.va, VA);
        }
    }
    for (unsigned i = 0; i < c->entries; i++) {
        pa_t at = 0x1000 + i * PAGE_SIZE + 8 * (pa_t)va_index(VA, 4 - i);
        uint64_t after = c->entry[i];
        if (want == -1)
            after |= 1u << BIT_A;
        if (want == -1 && i + 1 == c->entries && c->how == ACCESS_WRITE)
            after |= 1u << BIT_D;
        ck_assert_uint_eq(ram_read64(w->ram, at), after);
        ram_write64(w->ram, at, c->entry[i]);
    }
}

START_TEST(whole_accesses_obey_the_rules)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    struct rng rng = {9};
    for (unsigned round = 0; round < 30000; round++) {
        struct access_case c = {.entries = 2 + rng_below(&rng, 3)};
        unsigned flags = rng_below(&rng, 1u << (3 * c.entries));
        if (rng_below(&rng, 2))
            flags |= 03333; /* mostly R/W and U/S, so that half of the cases succeed */
        flags &= rng_below(&rng, 2) ? 03333u : ~0u;
        tables_put(&w, &c, flags, rng_below(&rng, 8) ? 4 : rng_below(&rng, 4));
        c.regs = regs_of(rng_below(&rng, REGISTERS));
        c.how = (enum access)rng_below(&rng, 3);
        access_case_run(&w, &c);
    }
    world_close(&w);
}
END_TEST

/* A write after a read: right by right the same answer from the TLB entry as from the tables. */
START_TEST(cached_rights_are_judged_anew)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned flags = 0; flags < 1u << 12; flags++) {
        struct access_case c = {.entries = 4, .how = ACCESS_READ};
        c.regs = regs_of(8);
        tables_put(&w, &c, flags, 4);
        for (unsigned n = 8; n < REGISTERS; n += n % 8 == 7 ? 9 : 1) {
            struct mmu_fault fault;
            *mmu_regs(w.mmu) = regs_of(8);
            ck_assert(mmu_write_cr3(w.mmu, 0x1000));
            ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
            c.regs = *mmu_regs(w.mmu) = regs_of(n);
            c.how = (enum access)(n % 3);
            int want = expected(&c);
            if (world_access(&w, VA, c.how, &fault) != (want == -1))
                ck_abort_msg("flags %o registers %u", flags, n);
            if (want != -1)
                ck_assert_uint_eq(fault.error, (uint32_t)want);
        }
    }
    world_close(&w);
}
END_TEST

/* ---- reserved bits ---- */

static const struct reserved {
    unsigned level;
    bool leaf;
    unsigned low, high;
} reserved[] = {
    {5, false, 7, 7},
    {4, false, 7, 7},
    {3, true, 13, 29},
    {2, true, 13, 20},
};

static bool is_reserved(unsigned level, bool leaf, unsigned n, unsigned maxphyaddr, bool nxe)
{
    if ((n >= maxphyaddr && n <= 51) || (n == 63 && !nxe))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        const struct reserved *r = &reserved[i];
        if (r->level == level && r->leaf == leaf && n >= r->low && n <= r->high)
            return true;
    }
    return false;
}

/* A walk of 5 levels down to leaf_level, with one more bit set in the entry of one level. */
static void reserved_case(struct world *w, const struct mmu_regs *regs, unsigned leaf_level,
                          unsigned level, unsigned n)
{
    for (unsigned l = 5; l >= leaf_level; l--) {
        bool leaf = l == leaf_level;
        uint64_t e = leaf ? FRAME | (l > 1 ? 1u << BIT_PS : 0u) : 0x1000 * (7 - (uint64_t)l);
        e |= 7 | (l == level ? (uint64_t)1 << n : 0);
        ram_write64(w->ram, 0x1000 * (6 - (pa_t)l) + 8 * (pa_t)va_index(VA, l), e);
    }
    struct walk walk;
    uint32_t error;
    walk_read(w->ram, regs, VA, &walk);
    bool ok = walk_judge(&walk, regs, ACCESS_READ, &error);
    bool want =
        is_reserved(level, level == leaf_level, n, regs->maxphyaddr, (regs->efer & EFER_NXE) != 0);
    if (want != (!ok && error == (PF_P | PF_RSVD | PF_U)))
        ck_abort_msg("leaf %u level %u bit %u: ok %d error %x", leaf_level, level, n, ok, error);
    if (want)
        ck_assert_uint_eq(walk.step[walk.steps - 1].level, level);
}

START_TEST(every_reserved_bit_of_every_level)
{
    static const unsigned maxphyaddr[] = {36, 40, 46, 52};
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned m = 0; m < ARRAY_LEN(maxphyaddr) * 2; m++) {
        struct mmu_regs regs = {.cr3 = 0x1000, .cr4 = CR4_LA57, .cpl = 3};
        regs.efer = m % 2 ? EFER_NXE : 0;
        regs.maxphyaddr = maxphyaddr[m / 2];
        for (unsigned leaf = 1; leaf <= 3; leaf++)
            for (unsigned level = leaf; level <= 5; level++)
                for (unsigned n = 3; n < 64; n++)
                    if (n != BIT_PS || level >= 4 || level == leaf)
                        reserved_case(&w, &regs, leaf, level, n);
    }
    world_close(&w);
}
END_TEST

/* ---- addresses ---- */

START_TEST(pages_of_each_size_give_the_right_byte)
{
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned level = 1; level <= 3; level++) {
        va_t va = (va_t)level << 40 | UINT64_C(0x3f5dc7a1);
        world_map(&w, va, level, 7 * level_span(3) >> PAGE_SHIFT, 0);
        struct translation to;
        ck_assert(mmu_probe(w.mmu, va, &to));
        ck_assert_uint_eq(to.page_size, level_span(level));
        ck_assert_uint_eq(to.pa, 7 * level_span(3) + va % level_span(level));
    }
    ck_assert_uint_eq(mmu_counters(w.mmu)->accesses + mmu_counters(w.mmu)->walks, 0);
    world_close(&w);
}
END_TEST

START_TEST(addresses_that_are_not_canonical_are_gp)
{
    static const struct {
        va_t va;
        bool four, five; /* canonical with so many levels */
    } cases[] = {
        {0x00007fffffffffff, true, true},  {0x0000800000000000, false, true},
        {0xffff7fffffffffff, false, true}, {0xffff800000000000, true, true},
        {0x00ffffffffffffff, false, true}, {0x0100000000000000, false, false},
        {0xff00000000000000, false, true}, {0xfeffffffffffffff, false, false},
    };
    struct world w;
    struct mmu_config config = world_config();
    world_open(&w, &config, MIB);
    for (unsigned i = 0; i < ARRAY_LEN(cases) * 2; i++) {
        bool five = i % 2, canonical = five ? cases[i / 2].five : cases[i / 2].four;
        struct mmu_fault fault;
        mmu_regs(w.mmu)->cr4 = CR4_PAE | (five ? CR4_LA57 : 0);
        ck_assert(!world_access(&w, cases[i / 2].va, ACCESS_WRITE, &fault));
        ck_assert_uint_eq(fault.vector, canonical ? 14 : 13);
        ck_assert_uint_eq(fault.error, canonical ? 6 : 0);
        ck_assert_uint_eq(fault.level, canonical ? (five ? 5 : 4) : 0);
    }
    world_close(&w);
}
END_TEST

TEST_MAIN("walk", every_combination_of_rights, every_absent_entry, whole_accesses_obey_the_rules,
          cached_rights_are_judged_anew, every_reserved_bit_of_every_level,
          pages_of_each_size_give_the_right_byte, addresses_that_are_not_canonical_are_gp)
