/* test_nested.c: a guest's walk in two dimensions: 24 reads in order, EPT violations and
 * misconfigurations with their exit qualification, A and D of the EPT, and VPIDs in the TLBs.
 *
 * No emulator here runs a guest, so the rules are written down once more, by bit number, from Intel
 * SDM vol. 3C: tables "Format of an EPT PML4 Entry" and its neighbours, "Exit Qualification for EPT
 * Violations", sections "EPT Misconfigurations", "Prioritization of EPT Misconfigurations and EPT
 * Violations", "Accessed and Dirty Flags for EPT", "Operations that Invalidate Cached Mappings". */
#include "tests/test.h"
#include "tests/world.h"

#include <string.h>

#define VA        UINT64_C(0x00007123456789ab)
#define GUEST_PT  UINT64_C(0x10000)   /* guest-physical: its tables, root first */
#define GUEST_END UINT64_C(0x200000)  /* guest memory that the rig maps in 4 KiB pages */
#define PAGE_GPA  UINT64_C(0x1f000)   /* the page that VA is mapped to */
#define EPT_AT    UINT64_C(0x4000000) /* physical: the EPT's own tables */
#define OFFSET    UINT64_C(0x5000)    /* physical = guest-physical + this, in 4 KiB pages */

enum { R = 1, W = 2, X = 4 };

static struct world w;
static uint64_t offset;
static pa_t ept_next;

/* ---- putting tables there ---- */

/* The EPT's entry for a guest-physical address at a level; the tables above it are made. */
static pa_t ept_entry(pa_t root, pa_t gpa, unsigned level)
{
    pa_t table = root;
    for (unsigned at = 4; at > level; at--) {
        pa_t pa = table + 8 * (gpa >> (3 + 9 * at) & 511);
        if (!ram_read64(w.ram, pa)) {
            ram_write64(w.ram, pa, ept_next | R | W | X);
            ept_next += 4096;
        }
        table = ram_read64(w.ram, pa) & ~UINT64_C(0xfff);
    }
    return table + 8 * (gpa >> (3 + 9 * level) & 511);
}

static void ept_map(pa_t root, pa_t gpa, unsigned level, uint64_t flags)
{
    uint64_t page = level > 1 ? 1u << 7 : 0;
    uint64_t size = UINT64_C(1) << (3 + 9 * level);
    ram_write64(w.ram, ept_entry(root, gpa, level),
                ((gpa + offset) & ~(size - 1)) | 6u << 3 | page | flags);
}

/* A guest's entry, by its level; its tables stand one after the other. */
static pa_t guest_entry(unsigned level)
{
    return GUEST_PT + 0x1000 * (4 - (pa_t)level) + 8 * (VA >> (3 + 9 * level) & 511);
}

static void guest_put(unsigned level, uint64_t entry)
{
    ram_write64(w.ram, guest_entry(level) + offset, entry);
}

/* VA goes to PAGE_GPA; marked: A and D are set in all entries already. */
static void guest_tables(uint64_t flags, bool marked)
{
    for (unsigned level = 4; level > 1; level--)
        guest_put(level, (GUEST_PT + 0x1000 * (5 - (uint64_t)level)) | 7 | (marked ? 0x20 : 0));
    guest_put(1, PAGE_GPA | flags | (marked ? 0x60 : 0));
}

static void rig(bool ad)
{
    struct mmu_config config = world_config();
    world_open(&w, &config, 8 * GIB);
    offset = OFFSET;
    ept_next = EPT_AT + 4096;
    struct mmu_regs *regs = mmu_regs(w.mmu);
    regs->cr3 = GUEST_PT;
    regs->eptp = EPT_AT | 3u << 3 | 6 | (ad ? 1u << 6 : 0);
    regs->vpid = 1;
    for (pa_t gpa = 0; gpa < GUEST_END; gpa += 4096)
        ept_map(EPT_AT, gpa, 1, R | W | X);
    guest_tables(7, false);
}

static bool reach(enum access how, struct mmu_fault *fault)
{
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    return world_access(&w, VA, how, fault);
}

/* ---- the walk ---- */

START_TEST(twenty_four_reads_in_order)
{
    struct mmu_fault fault;
    rig(true);
    world_listen(&w);
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    pa_t gpa[] = {guest_entry(4), guest_entry(3), guest_entry(2), guest_entry(1),
                  PAGE_GPA + (VA & 0xfff)};
    unsigned reads = 0;
    for (unsigned i = 0; i < w.heard; i++) {
        const struct event *e = &w.event[i];
        if (e->kind == EV_ept_read) {
            unsigned level = 4 - reads % 5;
            ck_assert_uint_eq(e->ept_read.gpa, gpa[reads / 5]);
            ck_assert_uint_eq(e->ept_read.level, level);
            ck_assert_uint_eq(e->ept_read.pa, ept_entry(EPT_AT, gpa[reads / 5], level));
            reads++;
        } else if (e->kind == EV_walk_read) {
            ck_assert_uint_eq(reads % 5, 4);
            ck_assert_uint_eq(e->walk_read.pa, gpa[reads / 5] + OFFSET);
            reads++;
        }
    }
    ck_assert_uint_eq(reads, 24);
    ck_assert_uint_eq(mmu_counters(w.mmu)->ept_reads, 20);
    ck_assert_uint_eq(mmu_counters(w.mmu)->walk_reads, 4);
    ck_assert_uint_eq(mmu_counters(w.mmu)->cycles_walk, 24 * 14);
    struct tlb_line line;
    mmu_tlb_line(w.mmu, TLB_L1D, (VA >> 12) % 16, 0, &line);
    ck_assert(line.valid && line.pfn == (PAGE_GPA + OFFSET) >> 12 && line.page_size == 4096);
    world_close(&w);
}
END_TEST

START_TEST(five_levels_read_twenty_nine)
{
    struct mmu_fault fault;
    rig(false);
    mmu_regs(w.mmu)->cr4 |= CR4_LA57;
    mmu_regs(w.mmu)->cr3 = 0x8000;
    ram_write64(w.ram, 0x8000 + OFFSET, GUEST_PT | 7);
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    ck_assert_uint_eq(mmu_counters(w.mmu)->ept_reads + mmu_counters(w.mmu)->walk_reads, 29);
    world_close(&w);
}
END_TEST

/* What a paging-structure cache holds is behind the EPT already. */
START_TEST(paging_structure_caches_hold_both_dimensions)
{
    struct mmu_config config = world_config();
    struct mmu_fault fault;
    config.psc_entries[2] = 4;
    rig(false);
    struct mmu_regs regs = *mmu_regs(w.mmu);
    w.mmu = mmu_new(w.env, w.ram, &config);
    *mmu_regs(w.mmu) = regs;
    guest_put(1, PAGE_GPA | 7);
    ram_write64(w.ram, guest_entry(1) + OFFSET + 8, 0x20000 | 7);
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    uint8_t byte = 77, read = 0;
    ram_write(w.ram, 0x20000 + OFFSET + (VA & 0xfff), &byte, 1);
    ck_assert(mmu_access(w.mmu, VA + 4096, &read, 1, ACCESS_READ, &fault));
    ck_assert_uint_eq(read, 77);
    ck_assert_uint_eq(mmu_counters(w.mmu)->walk_reads, 4 + 1);
    ck_assert_uint_eq(mmu_counters(w.mmu)->ept_reads, 20 + 4);
    world_close(&w);
}
END_TEST

/* All sizes of the guest's page and of the EPT's: the TLB entry has the smaller, the byte is right.
 */
START_TEST(pages_of_all_sizes)
{
    for (unsigned n = 0; n < 9; n++) {
        unsigned guest = 1 + n / 3, ept = 1 + n % 3;
        struct mmu_fault fault;
        rig(n % 2);
        offset = ept == 1 ? OFFSET : GIB;
        pa_t base = 2 * GIB;
        pa_t gpa = base + (VA & ((UINT64_C(1) << (3 + 9 * guest)) - 1));
        ept_map(EPT_AT, gpa, ept, R | W | X);
        pa_t pa = gpa + offset;
        offset = OFFSET;
        guest_put(guest, base | (guest > 1 ? 0x80 : 0) | 7);
        uint8_t byte = (uint8_t)(n + 1), read = 0;
        ram_write(w.ram, pa, &byte, 1);
        ck_assert(mmu_access(w.mmu, VA, &read, 1, ACCESS_READ, &fault));
        ck_assert_uint_eq(read, n + 1);
        read = 0;
        ck_assert(mmu_access(w.mmu, VA, &read, 1, ACCESS_READ, &fault));
        ck_assert_uint_eq(read, n + 1);
        ck_assert_uint_eq(mmu_counters(w.mmu)->walks, 1);
        unsigned smaller = guest < ept ? guest : ept;
        struct tlb_line line = {.valid = false};
        uint64_t size = UINT64_C(1) << (3 + 9 * smaller);
        mmu_tlb_line(w.mmu, TLB_L1D, (uint32_t)(VA / size % 16), 0, &line);
        ck_assert(line.valid);
        ck_assert_uint_eq(line.page_size, size);
        ck_assert_uint_eq(line.pfn, (pa & ~(size - 1)) >> 12);
        world_close(&w);
    }
}
END_TEST

/* ---- exits ---- */

struct expected {
    unsigned reason; /* 0: done */
    unsigned qualification;
    pa_t gpa;
};

/* One page of guest memory has these rights, all others have all: target 0 to 3 holds the table of
 * level 4 to 1, target 4 is the page. */
static struct expected expect(unsigned target, unsigned rights, enum access how, bool ad,
                              bool marked)
{
    struct expected e = {0, 0, PAGE_GPA + (VA & 0xfff)};
    unsigned linear = 1u << 7, final = target == 4 ? 1u << 8 : 0;
    unsigned wanted = how == ACCESS_READ ? R : how == ACCESS_WRITE ? W : X;
    if (target < 4) {
        e.gpa = guest_entry(4 - target);
        wanted = ad ? R | W : R;
    }
    if (rights == W || rights == (W | X)) {
        e.reason = 49;
        return e;
    }
    bool writes_mark = target < 4 && !ad && !marked;
    if ((rights & wanted) == wanted && writes_mark)
        wanted = W;
    if ((rights & wanted) == wanted)
        return e;
    e.reason = 48;
    e.qualification = wanted | rights << 3 | linear | final;
    return e;
}

static void exit_case(unsigned target, unsigned rights, enum access how, bool ad, bool marked)
{
    struct mmu_fault fault;
    struct expected want = expect(target, rights, how, ad, marked);
    pa_t gpa = target < 4 ? guest_entry(4 - target) : PAGE_GPA;
    guest_tables(7, marked);
    ept_map(EPT_AT, gpa, 1, rights);
    bool done = reach(how, &fault);
    ept_map(EPT_AT, gpa, 1, R | W | X);
    if (done != !want.reason || (!done && (fault.vector || fault.exit.reason != want.reason ||
                                           fault.exit.qualification != want.qualification ||
                                           fault.exit.gpa != want.gpa || fault.va != VA)))
        ck_abort_msg("target %u rights %u how %d ad %d marked %d: reason %u qualification %llx",
                     target, rights, (int)how, ad, marked, fault.exit.reason,
                     (unsigned long long)fault.exit.qualification);
}

START_TEST(every_violation)
{
    for (unsigned ad = 0; ad < 2; ad++) {
        rig(ad);
        for (unsigned target = 0; target <= 4; target++)
            for (unsigned rights = 0; rights < 8; rights++)
                for (unsigned how = 0; how < 6; how++)
                    exit_case(target, rights, (enum access)(how % 3), ad, how / 3);
        world_close(&w);
    }
}
END_TEST

/* Rights are those of all levels together. */
START_TEST(upper_levels_take_rights_away)
{
    rig(true);
    for (unsigned level = 2; level <= 4; level++) {
        struct mmu_fault fault;
        pa_t at = ept_entry(EPT_AT, PAGE_GPA, level);
        uint64_t entry = ram_read64(w.ram, at);
        ram_write64(w.ram, at, entry & ~(uint64_t)W);
        ck_assert(!reach(ACCESS_READ, &fault));
        ck_assert_uint_eq(fault.exit.reason, 48);
        ck_assert_uint_eq(fault.exit.qualification, 0x80 | (R | X) << 3 | R | W);
        ram_write64(w.ram, at, entry);
    }
    world_close(&w);
}
END_TEST

/* Bit by bit: what must be 0 in an entry of each level that names a table or maps a page. */
static bool is_reserved(unsigned level, bool leaf, unsigned n)
{
    if (n >= 46 && n <= 51)
        return true;
    if (!leaf)
        return (n >= 3 && n <= 6) || (n == 7 && level == 4);
    return (level == 3 && n >= 12 && n <= 29) || (level == 2 && n >= 12 && n <= 20);
}

START_TEST(every_misconfiguration)
{
    for (unsigned leaf = 1; leaf <= 3; leaf++) {
        rig(false);
        offset = GIB; /* a frame of any size */
        guest_tables(7, false);
        ept_map(EPT_AT, 0, leaf, R | W | X);
        for (unsigned level = leaf; level <= 4; level++) {
            pa_t at = ept_entry(EPT_AT, 0, level);
            uint64_t entry = leaf == 1 && level == 1 ? 0 : ram_read64(w.ram, at);
            for (unsigned n = 3; n < 64; n++) {
                struct mmu_fault fault;
                if (leaf == 1 && level == 1)
                    at = ept_entry(EPT_AT, GUEST_PT, 1), entry = (GUEST_PT + GIB) | 6u << 3 | 7;
                bool memory = level == leaf && n >= 3 && n <= 5;
                if (memory || (n == 7 && level <= 3 && level != leaf) || (n >= 12 && n < 46))
                    if (!is_reserved(level, level == leaf, n))
                        continue;
                if (level == leaf && n == 7)
                    continue;
                ram_write64(w.ram, at, entry | UINT64_C(1) << n);
                bool done = reach(ACCESS_READ, &fault);
                unsigned reason = done || fault.vector ? 0 : fault.exit.reason;
                if ((reason == 49) != is_reserved(level, level == leaf, n))
                    ck_abort_msg("leaf %u level %u bit %u: reason %u", leaf, level, n, reason);
                if (reason == 49)
                    ck_assert_uint_eq(fault.exit.qualification, 0);
                ram_write64(w.ram, at, entry);
            }
        }
        world_close(&w);
    }
}
END_TEST

START_TEST(memory_types_of_the_ept)
{
    rig(false);
    for (uint64_t type = 0; type < 8; type++) {
        struct mmu_fault fault;
        pa_t at = ept_entry(EPT_AT, PAGE_GPA, 1);
        ram_write64(w.ram, at, (PAGE_GPA + OFFSET) | type << 3 | 7);
        bool done = reach(ACCESS_READ, &fault);
        ck_assert_int_eq(done, type != 2 && type != 3 && type != 7);
        ck_assert(done || fault.exit.reason == 49);
    }
    world_close(&w);
}
END_TEST

START_TEST(beyond_48_bits_nothing_is_mapped)
{
    struct mmu_fault fault;
    rig(false);
    mmu_regs(w.mmu)->maxphyaddr = 52;
    guest_put(1, UINT64_C(1) << 48 | 7);
    ck_assert(!reach(ACCESS_READ, &fault));
    ck_assert_uint_eq(fault.exit.reason, 48);
    ck_assert_uint_eq(fault.exit.qualification, 0x181);
    ck_assert_uint_eq(fault.exit.gpa, (UINT64_C(1) << 48) + (VA & 0xfff));
    world_close(&w);
}
END_TEST

/* The guest's own fault comes before the page's violation, and after a table's. */
START_TEST(priority_of_causes)
{
    struct mmu_fault fault;
    rig(false);
    guest_tables(5, false); /* read-only */
    ept_map(EPT_AT, PAGE_GPA, 1, 0);
    uint64_t reads = mmu_counters(w.mmu)->ept_reads;
    ck_assert(!reach(ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.vector, 14);
    ck_assert_uint_eq(fault.error, 7);
    ck_assert_uint_eq(mmu_counters(w.mmu)->ept_reads - reads, 16);
    ck_assert(!reach(ACCESS_READ, &fault));
    ck_assert_uint_eq(fault.exit.reason, 48);
    ept_map(EPT_AT, guest_entry(1), 1, 0);
    ck_assert(!reach(ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.vector, 0);
    ck_assert_uint_eq(fault.exit.gpa, guest_entry(1));
    guest_put(2, 0); /* not present: its table is not asked for */
    ck_assert(!reach(ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.error, 6);
    world_close(&w);
}
END_TEST

/* ---- A and D ---- */

static uint64_t flags_of(pa_t gpa, unsigned level)
{
    return ram_read64(w.ram, ept_entry(EPT_AT, gpa, level)) >> 8 & 3;
}

START_TEST(accessed_and_dirty)
{
    for (unsigned n = 0; n < 4; n++) {
        struct mmu_fault fault;
        bool ad = n & 1, write = n & 2;
        rig(ad);
        ck_assert(reach(write ? ACCESS_WRITE : ACCESS_READ, &fault));
        for (unsigned level = 2; level <= 4; level++)
            ck_assert_uint_eq(flags_of(PAGE_GPA, level), ad ? 1 : 0);
        for (unsigned level = 1; level <= 4; level++)
            ck_assert_uint_eq(flags_of(guest_entry(level), 1), ad ? 3 : 0);
        ck_assert_uint_eq(flags_of(PAGE_GPA, 1), ad ? (write ? 3 : 1) : 0);
        ck_assert_uint_eq(ram_read64(w.ram, guest_entry(1) + OFFSET) & 0x60, write ? 0x60 : 0x20);
        world_close(&w);
    }
}
END_TEST

/* After a read, a write finds the page in the TLB, and still sets D in both dimensions. */
START_TEST(dirty_on_a_hit)
{
    struct mmu_fault fault;
    rig(true);
    guest_tables(7, true); /* the guest's D is set, the EPT's is not */
    ck_assert(reach(ACCESS_READ, &fault));
    ck_assert_uint_eq(flags_of(PAGE_GPA, 1), 1);
    ck_assert(world_access(&w, VA, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(flags_of(PAGE_GPA, 1), 3);
    uint64_t walks = mmu_counters(w.mmu)->walks;
    ck_assert(world_access(&w, VA, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(mmu_counters(w.mmu)->walks, walks);
    world_close(&w);
}
END_TEST

/* ---- TLBs ---- */

START_TEST(hits_obey_the_ept)
{
    struct mmu_fault fault;
    rig(false);
    guest_tables(7, true);
    ept_map(EPT_AT, PAGE_GPA, 1, R);
    ck_assert(reach(ACCESS_READ, &fault));
    ck_assert(!world_access(&w, VA, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.exit.qualification, 0x180 | R << 3 | W);
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    ck_assert(!world_access(&w, VA, ACCESS_FETCH, &fault));
    ck_assert_uint_eq(fault.exit.qualification, 0x180 | R << 3 | X);
    ept_map(EPT_AT, PAGE_GPA, 1, X);
    ck_assert(reach(ACCESS_FETCH, &fault));
    ck_assert(!world_access(&w, VA, ACCESS_READ, &fault));
    ck_assert_uint_eq(fault.exit.qualification, 0x180 | X << 3 | R);
    /* What is taken away stays usable until it is invalidated. */
    ept_map(EPT_AT, PAGE_GPA, 1, R | W);
    ck_assert(reach(ACCESS_WRITE, &fault));
    ept_map(EPT_AT, PAGE_GPA, 1, 0);
    ck_assert(world_access(&w, VA, ACCESS_WRITE, &fault));
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    ck_assert(!world_access(&w, VA, ACCESS_WRITE, &fault));
    world_close(&w);
}
END_TEST

static bool cached(uint16_t vpid)
{
    struct mmu_fault fault;
    uint64_t walks = mmu_counters(w.mmu)->walks;
    mmu_regs(w.mmu)->vpid = vpid;
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    return mmu_counters(w.mmu)->walks == walks;
}

static void fill_three(bool global)
{
    guest_put(1, PAGE_GPA | 0x67 | (global ? 0x100 : 0));
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    for (uint16_t vpid = 1; vpid <= 3; vpid++)
        ck_assert(!cached(vpid));
    for (uint16_t vpid = 1; vpid <= 3; vpid++)
        ck_assert(cached(vpid));
}

START_TEST(vpids)
{
    rig(false);
    fill_three(false);
    ck_assert(mmu_invvpid(w.mmu, INVVPID_ADDRESS, 2, VA));
    ck_assert(cached(1) && !cached(2) && cached(3));
    ck_assert(mmu_invvpid(w.mmu, INVVPID_ADDRESS, 2, VA + 4096));
    ck_assert(cached(2));
    ck_assert(mmu_invvpid(w.mmu, INVVPID_SINGLE, 3, 0));
    ck_assert(cached(1) && cached(2) && !cached(3));
    ck_assert(mmu_invvpid(w.mmu, INVVPID_ALL, 0, 0));
    ck_assert(!cached(1) && !cached(2) && !cached(3));
    fill_three(true);
    ck_assert(mmu_invvpid(w.mmu, INVVPID_ALL_BUT_GLOBAL, 1, 0));
    ck_assert(cached(1));
    ck_assert(mmu_invvpid(w.mmu, INVVPID_SINGLE, 1, 0));
    ck_assert(!cached(1) && cached(2));
    /* A guest's own instructions do not reach other guests. */
    mmu_regs(w.mmu)->vpid = 2;
    ck_assert(mmu_write_cr3(w.mmu, GUEST_PT));
    mmu_invlpg(w.mmu, VA);
    ck_assert(cached(1) && !cached(2) && cached(3));
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    ck_assert(!cached(1) && !cached(2) && !cached(3));
    ck_assert(!mmu_invvpid(w.mmu, INVVPID_SINGLE, 0, 0));
    ck_assert(!mmu_invvpid(w.mmu, INVVPID_SINGLE, VPID_MAX + 1, 0));
    ck_assert(!mmu_invvpid(w.mmu, INVVPID_TYPES, 1, 0));
    ck_assert(!mmu_invvpid(w.mmu, INVVPID_ADDRESS, 1, UINT64_C(1) << 62));
    world_close(&w);
}
END_TEST

/* Two guests with one VPID but an EPT each: what one cached is not the other's, and INVEPT, INVVPID
 * and the guest's own instructions reach what the manual says. */
#define OTHER_EPT  UINT64_C(0x6000000)
#define OTHER_ROOT (OTHER_EPT | 3u << 3 | 6)

static bool cached_by(pa_t eptp, uint16_t vpid)
{
    mmu_regs(w.mmu)->eptp = eptp;
    return cached(vpid);
}

static void rig_two_epts(bool global)
{
    rig(false);
    guest_put(1, PAGE_GPA | 0x67 | (global ? 0x100 : 0));
    ept_next = OTHER_EPT + 4096;
    for (pa_t gpa = 0; gpa < GUEST_END; gpa += 4096)
        ept_map(OTHER_EPT, gpa, 1, R | W | X);
    offset = OFFSET + 0x40000; /* the other's page stands elsewhere */
    ept_map(OTHER_EPT, PAGE_GPA, 1, R | W | X);
    offset = OFFSET;
}

static void fill_two(pa_t eptp)
{
    for (uint16_t vpid = 1; vpid <= 2; vpid++) {
        cached_by(eptp, vpid);
        cached_by(OTHER_ROOT, vpid);
        ck_assert(cached_by(eptp, vpid) && cached_by(OTHER_ROOT, vpid));
    }
}

START_TEST(entries_belong_to_an_ept)
{
    for (unsigned global = 0; global < 2; global++) {
        uint8_t byte = 1, other = 2, read = 0;
        struct mmu_fault fault;
        rig_two_epts(global);
        uint64_t eptp = mmu_regs(w.mmu)->eptp;
        ram_write(w.ram, PAGE_GPA + OFFSET + (VA & 0xfff), &byte, 1);
        ram_write(w.ram, PAGE_GPA + OFFSET + 0x40000 + (VA & 0xfff), &other, 1);
        ck_assert(!cached_by(eptp, 1));
        ck_assert(!cached_by(OTHER_ROOT, 1));
        ck_assert(mmu_access(w.mmu, VA, &read, 1, ACCESS_READ, &fault));
        ck_assert_uint_eq(read, other);
        ck_assert(cached_by(eptp, 1)); /* the other one took nothing away */
        ck_assert(mmu_access(w.mmu, VA, &read, 1, ACCESS_READ, &fault));
        ck_assert_uint_eq(read, byte);
        ck_assert(cached_by(eptp | EPTP_AD, 1)); /* only bits 51:12 tell EPTs apart */
        world_close(&w);
    }
}
END_TEST

START_TEST(invept_of_two_types)
{
    rig_two_epts(true);
    uint64_t eptp = mmu_regs(w.mmu)->eptp;
    fill_two(eptp);
    ck_assert(mmu_invept(w.mmu, INVEPT_SINGLE, OTHER_ROOT));
    for (uint16_t vpid = 1; vpid <= 2; vpid++)
        ck_assert(cached_by(eptp, vpid) && !cached_by(OTHER_ROOT, vpid));
    fill_two(eptp);
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    for (uint16_t vpid = 1; vpid <= 2; vpid++)
        ck_assert(!cached_by(eptp, vpid) && !cached_by(OTHER_ROOT, vpid));
    /* What a VM entry would refuse: memory type, levels, bits 11:7, bits beyond MAXPHYADDR. */
    const uint64_t bad[] = {OTHER_EPT | 3u << 3 | 1, OTHER_EPT | 2u << 3 | 6, OTHER_ROOT | 1u << 7,
                            OTHER_ROOT | 1u << 11, OTHER_ROOT | UINT64_C(1) << 46};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert(!mmu_invept(w.mmu, INVEPT_SINGLE, bad[i]));
    ck_assert(mmu_invept(w.mmu, INVEPT_SINGLE, OTHER_EPT | 3u << 3 | 1u << 6)); /* UC, A and D */
    ck_assert(!mmu_invept(w.mmu, INVEPT_TYPES, OTHER_ROOT));
    world_close(&w);
}
END_TEST

/* By VPID all EPTs are reached; an EPT violation is of its own EPT alone. */
START_TEST(invalidation_by_vpid_reaches_all_epts)
{
    struct mmu_fault fault;
    rig_two_epts(false);
    uint64_t eptp = mmu_regs(w.mmu)->eptp;
    for (unsigned n = 0; n < 4; n++) {
        fill_two(eptp);
        mmu_regs(w.mmu)->vpid = 1;
        if (n == 0)
            ck_assert(mmu_invvpid(w.mmu, INVVPID_SINGLE, 1, 0));
        else if (n == 1)
            mmu_invlpg(w.mmu, VA);
        else if (n == 2)
            ck_assert(mmu_write_cr3(w.mmu, GUEST_PT));
        else
            ck_assert(mmu_invvpid(w.mmu, INVVPID_ADDRESS, 1, VA));
        ck_assert(cached_by(eptp, 2) && cached_by(OTHER_ROOT, 2));
        ck_assert(!cached_by(eptp, 1) && !cached_by(OTHER_ROOT, 1));
    }
    ept_map(OTHER_EPT, PAGE_GPA, 1, R);
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    fill_two(eptp);
    mmu_regs(w.mmu)->vpid = 1;
    mmu_regs(w.mmu)->eptp = OTHER_ROOT;
    ck_assert(!world_access(&w, VA, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.exit.reason, 48);
    ck_assert(cached_by(eptp, 1) && !cached_by(OTHER_ROOT, 1));
    /* The guest's own page fault is of its VPID. */
    guest_put(1, PAGE_GPA | 0x65);
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    fill_two(eptp);
    mmu_regs(w.mmu)->vpid = 1;
    ck_assert(!world_access(&w, VA, ACCESS_WRITE, &fault));
    ck_assert_uint_eq(fault.vector, 14);
    ck_assert(!cached_by(eptp, 1) && !cached_by(OTHER_ROOT, 1) && cached_by(eptp, 2));
    world_close(&w);
}
END_TEST

/* There are more guests than keys can name: whoever ran longest ago is forgotten, and only he. */
START_TEST(any_number_of_guests)
{
    struct mmu_config config = world_config();
    config.tlb[TLB_L2].ways = 32; /* one page of each guest */
    rig(false);
    struct mmu_regs regs = *mmu_regs(w.mmu);
    w.mmu = mmu_new(w.env, w.ram, &config);
    *mmu_regs(w.mmu) = regs;
    for (uint16_t vpid = 1; vpid <= 15; vpid++)
        ck_assert(!cached(VPID_MAX - vpid));
    ck_assert(cached(VPID_MAX - 1)); /* so the second one is the oldest */
    ck_assert(!cached(VPID_MAX));
    for (uint16_t vpid = 3; vpid <= 15; vpid++)
        ck_assert(cached(VPID_MAX - vpid));
    ck_assert(cached(VPID_MAX) && cached(VPID_MAX - 1));
    ck_assert(!cached(VPID_MAX - 2));
    ck_assert(!cached(VPID_MAX - 3)); /* its place went to the one before */
    world_close(&w);
}
END_TEST

/* Outside of guests VPID is 0: entries of the host survive all that is done to guests. */
START_TEST(the_host_keeps_its_own)
{
    struct mmu_fault fault;
    rig(false);
    fill_three(false);
    struct mmu_regs guest = *mmu_regs(w.mmu);
    mmu_regs(w.mmu)->eptp = 0;
    mmu_regs(w.mmu)->vpid = 0;
    mmu_regs(w.mmu)->cr3 = w.root;
    world_map(&w, VA, 1, 300, 0);
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    uint64_t walks = mmu_counters(w.mmu)->walks;
    struct mmu_regs host = *mmu_regs(w.mmu);
    *mmu_regs(w.mmu) = guest;
    mmu_regs(w.mmu)->vpid = 1;
    ck_assert(mmu_write_cr3(w.mmu, GUEST_PT)); /* forgets what is its own, and nobody else's */
    ck_assert(mmu_invpcid(w.mmu, INVPCID_ALL, 0, 0));
    *mmu_regs(w.mmu) = host;
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    ck_assert_uint_eq(mmu_counters(w.mmu)->walks, walks);
    *mmu_regs(w.mmu) = guest;
    ck_assert(!cached(1) && cached(2) && cached(3));
    ck_assert(mmu_invept(w.mmu, INVEPT_ALL, 0));
    mmu_invvpid(w.mmu, INVVPID_ALL, 0, 0);
    *mmu_regs(w.mmu) = host;
    walks = mmu_counters(w.mmu)->walks;
    ck_assert(world_access(&w, VA, ACCESS_READ, &fault));
    ck_assert_uint_eq(mmu_counters(w.mmu)->walks, walks);
    *mmu_regs(w.mmu) = guest;
    ck_assert(!cached(2));
    world_close(&w);
}
END_TEST

TEST_MAIN("nested", twenty_four_reads_in_order, five_levels_read_twenty_nine,
          paging_structure_caches_hold_both_dimensions, pages_of_all_sizes, every_violation,
          upper_levels_take_rights_away, every_misconfiguration, memory_types_of_the_ept,
          beyond_48_bits_nothing_is_mapped, priority_of_causes, accessed_and_dirty, dirty_on_a_hit,
          hits_obey_the_ept, vpids, entries_belong_to_an_ept, invept_of_two_types,
          invalidation_by_vpid_reaches_all_epts, any_number_of_guests, the_host_keeps_its_own)
