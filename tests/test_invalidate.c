/* test_invalidate.c: what each instruction forgets and keeps, against a table written out from the
 * manual: Intel SDM vol. 3A, "Operations that Invalidate TLBs and Paging-Structure Caches". */
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

/* Three address spaces, PCIDs 1 to 3. Pages A and B are neighbours, C is in another PML4E's part of
 * memory, G is global and was used under PCID 1 only. PCID 2 is current. */
#define A UINT64_C(0x7f0000001000)
#define B (A + PAGE_SIZE)
#define C (A - 512 * GIB + 8 * PAGE_SIZE)
#define G (A + 2 * PAGE_SIZE)

static struct world w;
static pa_t root[4];

static void touch(va_t va)
{
    struct mmu_fault fault;
    ck_assert(world_access(&w, va, ACCESS_READ, &fault));
}

static void enter(unsigned pcid)
{
    ck_assert(mmu_write_cr3(w.mmu, root[pcid] | pcid | CR3_NOFLUSH));
}

static void open_spaces(void)
{
    struct mmu_config config = world_config();
    config.psc_entries[2] = config.psc_entries[3] = config.psc_entries[4] = 8;
    world_open(&w, &config, 64 * MIB);
    ck_assert(mmu_write_cr4(w.mmu, CR4_PAE | CR4_PGE | CR4_PCIDE));
    for (unsigned pcid = 1; pcid <= 3; pcid++) {
        w.root = root[pcid] = (pa_t)w.next++ << PAGE_SHIFT;
        static const va_t va[] = {A, B, C, G};
        for (unsigned i = 0; i < ARRAY_LEN(va); i++)
            world_map(&w, va[i], 1, 512 + 8 * pcid + i, va[i] == G ? PTE_G : 0);
        enter(pcid);
        touch(A);
        touch(B);
        touch(C);
        touch(G);
    }
    enter(2);
}

static const char *name_of(va_t page)
{
    return page == A ? "A" : page == B ? "B" : page == C ? "C" : page == G ? "G" : "?";
}

/* Every entry of a level as PCID and page, sorted by both. */
static const char *tlb_text(unsigned level)
{
    static char text[256];
    static const va_t order[] = {C, A, B, G};
    const struct tlb_config *c = mmu_tlb_config(w.mmu, level);
    text[0] = '\0';
    for (unsigned pcid = 0; pcid <= 3; pcid++) {
        for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
            for (uint32_t at = 0; at < c->sets * c->ways; at++) {
                struct tlb_line line;
                mmu_tlb_line(w.mmu, level, at / c->ways, at % c->ways, &line);
                if (line.valid && line.pcid == pcid && line.vpn == order[i] >> PAGE_SHIFT)
                    sprintf(text + strlen(text), "%s%u%s", *text ? " " : "", pcid,
                            name_of(order[i]));
            }
        }
    }
    return text;
}

/* Every entry of a paging-structure cache as PCID and the page whose walk it is for. */
static const char *psc_text(unsigned level)
{
    static char text[256];
    static const va_t order[] = {C, A};
    text[0] = '\0';
    for (unsigned pcid = 0; pcid <= 3; pcid++) {
        for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
            for (uint32_t slot = 0; slot < mmu_psc_entries(w.mmu, level); slot++) {
                struct psc_line line;
                mmu_psc_line(w.mmu, level, slot, &line);
                if (line.valid && line.pcid == pcid &&
                    line.va == align_down(order[i], level_span(level)))
                    sprintf(text + strlen(text), "%s%u%s", *text ? " " : "", pcid,
                            name_of(order[i]));
            }
        }
    }
    return text;
}

static void holds(const char *tlb, const char *psc)
{
    for (unsigned level = TLB_L1D; level <= TLB_L2; level++)
        ck_assert_str_eq(tlb_text(level), tlb);
    for (unsigned level = 2; level <= 4; level++)
        ck_assert_str_eq(psc_text(level), psc);
}

/* What one instruction, from the same beginning, leaves. */
#define LEAVES(instruction, tlb, psc)                                                              \
    do {                                                                                           \
        open_spaces();                                                                             \
        holds("1C 1A 1B 1G 2C 2A 2B 3C 3A 3B", "1C 1A 2C 2A 3C 3A");                               \
        instruction;                                                                               \
        holds(tlb, psc);                                                                           \
        world_close(&w);                                                                           \
    } while (0)

static void cr3(unsigned pcid)
{
    ck_assert(mmu_write_cr3(w.mmu, root[pcid] | pcid));
}

static void invpcid(enum invpcid type, unsigned pcid, va_t va)
{
    ck_assert(mmu_invpcid(w.mmu, type, pcid, va));
}

static void cr4_flip(uint64_t bits)
{
    ck_assert(mmu_write_cr4(w.mmu, mmu_regs(w.mmu)->cr4 ^ bits));
}

START_TEST(invlpg_forgets_this_pcid_and_global_entries)
{
    LEAVES(mmu_invlpg(w.mmu, A + 123), "1C 1A 1B 1G 2C 2B 3C 3A 3B", "1C 1A 3C 3A");
    LEAVES(mmu_invlpg(w.mmu, G), "1C 1A 1B 2C 2A 2B 3C 3A 3B", "1C 1A 3C 3A");
    LEAVES(mmu_invlpg(w.mmu, 0), "1C 1A 1B 1G 2C 2A 2B 3C 3A 3B", "1C 1A 3C 3A");
}
END_TEST

START_TEST(mov_cr3_forgets_the_new_pcid_unless_told_not_to)
{
    LEAVES(cr3(2), "1C 1A 1B 1G 3C 3A 3B", "1C 1A 3C 3A");
    LEAVES(cr3(1), "1G 2C 2A 2B 3C 3A 3B", "2C 2A 3C 3A");
    LEAVES(enter(3), "1C 1A 1B 1G 2C 2A 2B 3C 3A 3B", "1C 1A 2C 2A 3C 3A");
}
END_TEST

START_TEST(the_four_types_of_invpcid)
{
    LEAVES(invpcid(INVPCID_ADDRESS, 1, A), "1C 1B 1G 2C 2A 2B 3C 3A 3B", "1C 2C 2A 3C 3A");
    LEAVES(invpcid(INVPCID_ADDRESS, 1, G), "1C 1A 1B 1G 2C 2A 2B 3C 3A 3B", "1C 2C 2A 3C 3A");
    LEAVES(invpcid(INVPCID_SINGLE, 3, 0), "1C 1A 1B 1G 2C 2A 2B", "1C 1A 2C 2A");
    LEAVES(invpcid(INVPCID_ALL, 0, 0), "", "");
    LEAVES(invpcid(INVPCID_ALL_BUT_GLOBAL, 0, 0), "1G", "");
}
END_TEST

START_TEST(mov_cr4_forgets_by_the_bits_that_change)
{
    LEAVES(cr4_flip(CR4_PGE), "", "");
    LEAVES(cr4_flip(CR4_PCIDE), "", "");
    LEAVES(cr4_flip(CR4_SMEP), "1C 1A 1B 3C 3A 3B", "1C 1A 3C 3A");
    LEAVES(cr4_flip(CR4_SMAP), "1C 1A 1B 1G 2C 2A 2B 3C 3A 3B", "1C 1A 2C 2A 3C 3A");
    LEAVES(cr4_flip(CR4_SMAP), "1C 1A 1B 1G 2C 2A 2B 3C 3A 3B", "1C 1A 2C 2A 3C 3A");
    /* The end of SMEP forgets nothing, its beginning did. */
    LEAVES((mmu_regs(w.mmu)->cr4 |= CR4_SMEP, cr4_flip(CR4_SMEP)), "1C 1A 1B 1G 2C 2A 2B 3C 3A 3B",
           "1C 1A 2C 2A 3C 3A");
}
END_TEST

START_TEST(a_translation_serves_its_pcid_only_and_a_global_one_all)
{
    open_spaces();
    const struct mmu_counters *c = mmu_counters(w.mmu);
    uint64_t walks = c->walks;
    ck_assert_uint_eq(walks, 3 * 3 + 1);
    for (unsigned pcid = 1; pcid <= 3; pcid++) {
        uint8_t byte, mark = (uint8_t)(pcid + 10);
        ram_write(w.ram, (512 + 8 * pcid) << PAGE_SHIFT, &mark, 1);
        enter(pcid);
        struct mmu_fault fault;
        ck_assert(mmu_access(w.mmu, A, &byte, 1, ACCESS_READ, &fault));
        ck_assert_uint_eq(byte, mark);
        touch(G);
    }
    ck_assert_uint_eq(c->walks, walks);
    world_close(&w);
}
END_TEST

/* A page that was unmapped stays readable under its PCID, however often CR3 is loaded without a
 * flush: what a kernel that forgets to invalidate lives with. */
START_TEST(stale_entries_live_through_loads_of_cr3_without_flush)
{
    open_spaces();
    w.root = root[3];
    ram_write64(w.ram, world_entry(&w, root[3], A, 1), 0);
    enter(3);
    enter(1);
    enter(3);
    touch(A);
    invpcid(INVPCID_ADDRESS, 3, A);
    struct mmu_fault fault;
    ck_assert(!world_access(&w, A, ACCESS_READ, &fault));
    world_close(&w);
}
END_TEST

START_TEST(what_raises_gp_changes_nothing)
{
    open_spaces();
    world_listen(&w);
    struct mmu_regs before = *mmu_regs(w.mmu);
    ck_assert(!mmu_write_cr3(w.mmu, (pa_t)1 << 46));
    ck_assert(!mmu_write_cr4(w.mmu, before.cr4 & ~CR4_PAE));
    ck_assert(!mmu_write_cr4(w.mmu, before.cr4 | CR4_LA57));
    ck_assert(!mmu_invpcid(w.mmu, (enum invpcid)4, 0, 0));
    ck_assert(!mmu_invpcid(w.mmu, INVPCID_SINGLE, 4096, 0));
    ck_assert(!mmu_invpcid(w.mmu, INVPCID_ADDRESS, 1, (va_t)1 << 47));
    ck_assert_uint_eq(w.heard, 0);
    ck_assert_uint_eq(mmu_regs(w.mmu)->cr3, before.cr3);
    ck_assert_uint_eq(mmu_regs(w.mmu)->cr4, before.cr4);

    cr4_flip(CR4_PCIDE);                                     /* CR3 still has a 2 there */
    ck_assert(!mmu_write_cr4(w.mmu, before.cr4));            /* so PCIDs cannot begin */
    ck_assert(!mmu_write_cr3(w.mmu, root[1] | CR3_NOFLUSH)); /* bit 63 is reserved now */
    ck_assert(!mmu_invpcid(w.mmu, INVPCID_SINGLE, 1, 0));    /* there is only PCID 0 */
    ck_assert(mmu_invpcid(w.mmu, INVPCID_SINGLE, 0, 0));
    ck_assert(mmu_write_cr3(w.mmu, root[1]));
    ck_assert(mmu_write_cr4(w.mmu, before.cr4));
    world_close(&w);
}
END_TEST

/* Pages of the upper half, and of 57-bit addresses, keep their whole number. */
START_TEST(numbers_of_high_pages_are_whole)
{
    struct mmu_config config = world_config();
    config.psc_entries[2] = config.psc_entries[5] = 2;
    world_open(&w, &config, 64 * MIB);
    mmu_regs(w.mmu)->cr4 |= CR4_LA57;
    static const va_t high[] = {UINT64_C(0xffffffff80201000), UINT64_C(0xff23456789abc000),
                                UINT64_C(0x00dcba9876543000)};
    for (unsigned i = 0; i < ARRAY_LEN(high); i++) {
        world_map(&w, high[i], 1, 300 + i, 0);
        touch(high[i]);
        bool found = false;
        for (uint32_t at = 0; at < 64; at++) {
            struct tlb_line line;
            mmu_tlb_line(w.mmu, TLB_L1D, at / 4, at % 4, &line);
            found |= line.valid && line.vpn == high[i] >> PAGE_SHIFT;
        }
        ck_assert(found);
        struct psc_line line;
        mmu_psc_line(w.mmu, 5, i % 2, &line);
        ck_assert_uint_eq(line.va, align_down(high[i], level_span(5)));
    }
    world_close(&w);
}
END_TEST

TEST_MAIN("invalidate", invlpg_forgets_this_pcid_and_global_entries,
          mov_cr3_forgets_the_new_pcid_unless_told_not_to, the_four_types_of_invpcid,
          mov_cr4_forgets_by_the_bits_that_change,
          a_translation_serves_its_pcid_only_and_a_global_one_all,
          stale_entries_live_through_loads_of_cr3_without_flush, what_raises_gp_changes_nothing,
          numbers_of_high_pages_are_whole)
