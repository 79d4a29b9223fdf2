/* test_event.c: the table of events agrees with the structs, and telling numbers, stamps, stops. */
#include "sim/base/event.h"
#include "tests/test.h"

#include <setjmp.h>
#include <string.h>

/* What a listener of these tests keeps of what it heard. */
struct ear {
    unsigned count;
    struct event last;
    uint64_t order; /* of the last call among all ears */
    uint64_t *calls;
};

static void ear_hear(void *ctx, const struct event *e)
{
    struct ear *ear = ctx;
    ear->count++;
    ear->last = *e;
    ear->order = ++*ear->calls;
}

START_TEST(table_is_complete_and_unique)
{
    for (unsigned i = 0; i < EV_COUNT; i++) {
        ck_assert_pstr_ne(event_info[i].name, NULL);
        ck_assert_uint_gt(strlen(event_info[i].name), 0);
        ck_assert_uint_gt(strlen(event_info[i].doc), 0);
        ck_assert_uint_ge(event_info[i].fields, 1);
        ck_assert_uint_le(event_info[i].fields, ARRAY_LEN(event_info[i].field));
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(event_info[i].name, event_info[j].name);
        for (size_t f = 0; f < event_info[i].fields; f++) {
            ck_assert_uint_gt(strlen(event_info[i].field[f].doc), 0);
            for (size_t g = 0; g < f; g++)
                ck_assert_str_ne(event_info[i].field[f].name, event_info[i].field[g].name);
        }
    }
}
END_TEST

/* Fields are 8-byte aligned and at most 8 bytes long, so a struct of 8 bytes to each field has
 * field i at 8 i, where event_value looks for it. */
START_TEST(structs_are_as_long_as_the_table_says)
{
#define EVENT(name_, doc_, ...) sizeof(struct ev_##name_),
    static const size_t size[] = {
#include "sim/base/events.def"
    };
#undef EVENT
    for (unsigned kind = 0; kind < EV_COUNT; kind++)
        ck_assert_uint_eq(size[kind], event_info[kind].fields * 8);
}
END_TEST

START_TEST(values_are_read_by_number)
{
    struct event e = {.kind = EV_op_end, .op_end = {.op = 9, .result = -12, .faults = 3}};
    ck_assert_uint_eq(event_value(&e, 0), 9);
    ck_assert_int_eq((int64_t)event_value(&e, 1), -12);
    ck_assert_uint_eq(event_value(&e, 2), 3);
    e = (struct event){.kind = EV_alloc_probe,
                       .alloc_probe = {.chunk = 0x1000, .verdict = 2, .best = UINT64_MAX}};
    ck_assert_uint_eq(event_value(&e, 0), 0x1000);
    ck_assert_uint_eq(event_value(&e, 3), 2);
    ck_assert_uint_eq(event_value(&e, 4), UINT64_MAX);
    e = (struct event){.kind = EV_alloc_list, .alloc_list = {.list = "bin", .in = true}};
    ck_assert_str_eq(event_name(&e, 0), "bin");
    ck_assert_uint_eq(event_value(&e, 3), 1);
    e.alloc_list.in = false;
    e.alloc_list.list = NULL;
    ck_assert_uint_eq(event_value(&e, 3), 0);
    ck_assert_str_eq(event_name(&e, 0), "");
}
END_TEST

START_TEST(nothing_is_made_while_nobody_listens)
{
    struct bus bus = {0};
    struct env env = {.bus = &bus};
    unsigned asked = 0;
    EMIT(&env, invlpg, .va = ++asked);
    ck_assert_uint_eq(asked, 0);
    ck_assert_uint_eq(env.seq, 0);
}
END_TEST

START_TEST(told_to_each_listener_in_order_and_stamped)
{
    uint64_t calls = 0;
    struct ear first = {.calls = &calls};
    struct ear second = {.calls = &calls};
    struct bus bus = {
        .on = true, .count = 2, .listener = {{ear_hear, &first}, {ear_hear, &second}}};
    struct env env = {.bus = &bus, .cycle = 77, .cpu = 1, .pid = 42, .seq = 5};
    EMIT(&env, invlpg, .va = 0xabc000);
    EMIT(&env, psc_drop, .level = 3, .slot = 6);
    ck_assert_uint_eq(first.count, 2);
    ck_assert_uint_eq(second.count, 2);
    ck_assert_uint_eq(first.order, 3);
    ck_assert_uint_eq(second.order, 4);
    ck_assert_uint_eq(second.last.seq, 7);
    ck_assert_uint_eq(second.last.cycle, 77);
    ck_assert_uint_eq(second.last.cpu, 1);
    ck_assert_uint_eq(second.last.pid, 42);
    ck_assert_uint_eq(second.last.kind, EV_psc_drop);
    ck_assert_uint_eq(event_value(&second.last, 0), 3);
    ck_assert_uint_eq(event_value(&second.last, 1), 6);
}
END_TEST

static void leave(void *ctx)
{
    longjmp(*(jmp_buf *)ctx, 1);
}

/* The op is left right after the event asked for: told to all, and nothing after it. */
START_TEST(stop_leaves_the_op_in_the_middle)
{
    uint64_t calls = 0;
    struct ear ear = {.calls = &calls};
    jmp_buf out;
    struct bus bus = {.on = true,
                      .count = 1,
                      .listener = {{ear_hear, &ear}},
                      .stop_at = 3,
                      .stop = leave,
                      .stop_ctx = &out};
    static struct env env; /* static: it is changed between setjmp and longjmp */
    env.bus = &bus;
    if (setjmp(out) == 0) {
        for (unsigned i = 1; i <= 5; i++)
            EMIT(&env, invlpg, .va = i * PAGE_SIZE);
        ck_abort_msg("the op was not left");
    }
    ck_assert_uint_eq(ear.count, 3);
    ck_assert_uint_eq(env.seq, 3);
    ck_assert_uint_eq(ear.last.invlpg.va, 3 * PAGE_SIZE);
}
END_TEST

TEST_MAIN("event", table_is_complete_and_unique, structs_are_as_long_as_the_table_says,
          values_are_read_by_number, nothing_is_made_while_nobody_listens,
          told_to_each_listener_in_order_and_stamped, stop_leaves_the_op_in_the_middle)
