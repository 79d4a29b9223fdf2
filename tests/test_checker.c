/* test_checker.c: the whole-machine checker sees each kind of damage: a sound machine is spoiled in
 * one place at a time, by a physical write behind everybody's back, and must be told from a sound
 * one, by name.
 */
#include "sim/state.h"
#include "tests/test.h"

#include <string.h>

static const char lines[] =
    "{\"memwalk\":1,\"name\":\"t\"}\n"
    "{\"op\":\"malloc\",\"id\":1,\"size\":40}\n"
    "{\"op\":\"malloc\",\"id\":2,\"size\":600}\n"
    "{\"op\":\"malloc\",\"id\":3,\"size\":40}\n"
    "{\"op\":\"malloc\",\"id\":4,\"size\":700}\n"
    "{\"op\":\"malloc\",\"id\":5,\"size\":40}\n"
    "{\"op\":\"malloc\",\"id\":6,\"size\":300000}\n"
    "{\"op\":\"write\",\"id\":1,\"off\":0,\"len\":40}\n"
    "{\"op\":\"write\",\"id\":6,\"off\":0,\"len\":8192}\n"
    "{\"op\":\"free\",\"id\":2}\n"
    "{\"op\":\"free\",\"id\":4}\n"
    "{\"op\":\"mmap\",\"addr\":\"0x10000000\",\"len\":16384,\"prot\":3,\"flags\":50}\n"
    "{\"op\":\"write\",\"addr\":\"0x10000000\",\"len\":16384}\n";

struct patient {
    struct trace *trace;
    struct config config;
    struct sim *sim;
    uint16_t pid;
};

static void admit(struct patient *p, const char *alloc)
{
    struct error e = {0};
    config_default(&p->config);
    p->config.ram_bytes = 16 * MIB;
    ck_assert_int_eq(config_set(&p->config, "alloc", alloc, &e), ERR_NONE);
    ck_assert_int_eq(trace_load_memory(&p->trace, lines, sizeof(lines) - 1, "t", &e), ERR_NONE);
    struct sim_options options = {.config = &p->config, .trace = p->trace};
    ck_assert_int_eq(sim_open(&p->sim, &options, &e), ERR_NONE);
    ck_assert_int_eq(sim_run(p->sim, NULL, NULL, &e), 0);
    p->pid = inspect_current(p->sim, 0);
}

static void dismiss(struct patient *p)
{
    sim_close(p->sim);
    trace_free(p->trace);
}

static void assert_sound(const struct patient *p)
{
    char why[200] = "";
    ck_assert_msg(inspect_check(p->sim, why, sizeof(why)), "%s", why);
}

static void assert_seen(const struct patient *p, const char *what)
{
    char why[200] = "";
    ck_assert_msg(!inspect_check(p->sim, why, sizeof(why)), "nothing seen: %s", what);
    ck_assert_msg(strstr(why, what) != NULL, "\"%s\" does not say \"%s\"", why, what);
}

/* Where the 8 bytes at va lie in RAM. */
static pa_t place_of(const struct patient *p, va_t va)
{
    struct walk walk;
    ck_assert(inspect_walk(p->sim, p->pid, va, &walk) && walk.present);
    return walk.to.pa;
}

static va_t block(const struct patient *p, uint64_t id)
{
    struct block_info info = {0};
    ck_assert(inspect_block(p->sim, p->pid, id, &info));
    return info.start;
}

/* The address that a block had that is gone. */
static va_t gone(const struct patient *p, uint64_t id)
{
    const struct gone_block *was = block_gone(p->sim->m, p->pid, id);
    ck_assert_ptr_nonnull(was);
    return was->start;
}

/* Writes 8 bytes, asks the checker, and puts the old ones back. */
static void spoil(const struct patient *p, va_t va, uint64_t value, const char *what)
{
    pa_t at = place_of(p, va);
    uint64_t old = ram_read64(p->sim->ram, at);
    ck_assert_uint_ne(old, value);
    ram_write64(p->sim->ram, at, value);
    assert_seen(p, what);
    ram_write64(p->sim->ram, at, old);
    assert_sound(p);
}

START_TEST(a_damaged_heap_is_seen)
{
    struct patient p;
    admit(&p, "first-fit");
    assert_sound(&p);
    va_t used = block(&p, 3) - 8;
    va_t free2 = gone(&p, 2);
    va_t free4 = gone(&p, 4);
    uint64_t tag = ram_read64(p.sim->ram, place_of(&p, used));
    spoil(&p, used, 0, "the tags do not add up");
    spoil(&p, used, tag + 16, "");
    spoil(&p, used, UINT64_MAX & ~(uint64_t)15, "the tags do not add up");
    spoil(&p, used, tag ^ 2, "bit P is wrong");
    spoil(&p, free2, free2, "links of the list do not agree");
    spoil(&p, free4 + 8, 0, "links of the list do not agree");
    spoil(&p, block(&p, 6) - 8, 1, "a mapped chunk has a wrong header");
    dismiss(&p);
}
END_TEST

/* The program's books against the heap's. */
START_TEST(a_block_that_the_heap_does_not_hold_is_seen)
{
    struct patient p;
    admit(&p, "best-fit");
    struct block *b = block_find(p.sim->m, p.pid, 3);
    struct block_info info;
    block_get(b, &info);
    block_set(b, info.start + 16, info.size);
    assert_seen(&p, "does not hold a live block");
    block_set(b, info.start, info.size + 4096);
    assert_seen(&p, "does not hold a live block");
    block_set(b, info.start, info.size);
    assert_sound(&p);
    dismiss(&p);
}
END_TEST

START_TEST(damaged_tables_are_seen)
{
    struct patient p;
    struct walk walk;
    admit(&p, "first-fit");
    ck_assert(inspect_walk(p.sim, p.pid, 0x10001000, &walk));
    pa_t leaf = walk.step[walk.steps - 1].pa;
    pte_t old = ram_read64(p.sim->ram, leaf);
    static const struct {
        pte_t flip;
    } cases[] = {
        {PTE_P},                   /* the frame is nobody's */
        {(pte_t)1 << PAGE_SHIFT},  /* another frame */
        {(pte_t)64 << PAGE_SHIFT}, /* yet another */
        {PTE_US},                  /* the area says more than the entry */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ram_write64(p.sim->ram, leaf, old ^ cases[i].flip);
        assert_seen(&p, "");
        ram_write64(p.sim->ram, leaf, old);
        assert_sound(&p);
    }
    dismiss(&p);
}
END_TEST

/* The kernel's own view stays right here: only the TLB is ahead of an entry that forgot its D. */
START_TEST(a_tlb_line_that_knows_too_much_is_seen)
{
    struct patient p;
    struct walk walk;
    admit(&p, "first-fit");
    ck_assert(inspect_walk(p.sim, p.pid, 0x10000000, &walk));
    pa_t leaf = walk.step[walk.steps - 1].pa;
    pte_t old = ram_read64(p.sim->ram, leaf);
    ram_write64(p.sim->ram, leaf, old & ~PTE_D);
    assert_seen(&p, "the TLB allows more than the tables at 0x10000000");
    ram_write64(p.sim->ram, leaf, old);
    assert_sound(&p);
    dismiss(&p);
}
END_TEST

/* With "checked" the run ends at the op, and says so. */
START_TEST(a_checked_run_stops_at_the_damage)
{
    struct patient p;
    struct error e = {0};
    struct sim *s;
    admit(&p, "first-fit");
    struct sim_options options = {.config = &p.config, .trace = p.trace, .checked = true};
    ck_assert_int_eq(sim_open(&s, &options, &e), ERR_NONE);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(sim_step(s, &e), 1);
    struct block_info info;
    block_get(block_find(s->m, p.pid, 3), &info);
    block_set(block_find(s->m, p.pid, 3), info.start + 16, info.size);
    ck_assert_int_eq(sim_step(s, &e), -1);
    ck_assert_msg(strstr(e.reason, "after op 6") != NULL, "%s", e.reason);
    ck_assert_uint_eq(e.line, 7);
    sim_close(s);
    dismiss(&p);
}
END_TEST

TEST_MAIN("checker", a_damaged_heap_is_seen, a_block_that_the_heap_does_not_hold_is_seen,
          damaged_tables_are_seen, a_tlb_line_that_knows_too_much_is_seen,
          a_checked_run_stops_at_the_damage)
