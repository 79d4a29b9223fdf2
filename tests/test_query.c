/* test_query.c: questions about events: what they accept, what they refuse and why, and that each
 * field of each event can be asked for. */
#include "mmu/mmu.h"
#include "sim/query.h"
#include "tests/test.h"

#include <string.h>

static struct query parsed(const char *text)
{
    struct query q;
    struct error error = {0};
    ck_assert_msg(!query_parse(&q, text, &error), "%s: %s", text, error.reason);
    return q;
}

static bool asks(const char *text, const struct event *e, uint64_t op)
{
    struct query q = parsed(text);
    return query_matches(&q, e, op);
}

START_TEST(names_of_events_families_and_ops)
{
    struct event fault = {.kind = EV_fault}, hit = {.kind = EV_tlb_hit};
    struct event begin = {.kind = EV_op_begin, .op_begin = {.op = 3, .kind = OP_malloc}};
    ck_assert(asks("fault", &fault, 1));
    ck_assert(!asks("fault", &hit, 1));
    ck_assert(asks("tlb", &hit, 1));
    ck_assert(asks("malloc", &begin, 3));
    ck_assert(!asks("free", &begin, 3));
    ck_assert(!asks("malloc", &hit, 3));
}
END_TEST

START_TEST(fields_are_compared)
{
    struct event e = {.kind = EV_tlb_miss,
                      .seq = 12,
                      .cpu = 1,
                      .pid = 2,
                      .cycle = 900,
                      .tlb_miss = {.level = 2, .set = 7, .vpn = 0x555, .class = MISS_CONFLICT}};
    static const char *const yes[] = {
        "tlb_miss level=2",
        "level==2",
        "level!=1",
        "set<8",
        "set<=7",
        "set>6",
        "set>=7",
        "vpn=0x5_55",
        "vpn&0x500",
        "class=conflict",
        "class!=cold",
        "op=4",
        "step=12",
        "pid=2 cpu=1",
        "cycle>=900",
        "addr=0x555123",
        "  level=2   set=7  ",
        "tlb level=2 op>3 op<5",
    };
    static const char *const no[] = {
        "tlb_hit", "level=1", "set<7",   "set>7",         "vpn&0x800",     "class=cold", "op=5",
        "pid=1",   "cpu=0",   "step<12", "addr=0x556000", "level=2 set=8", "size=1",
    };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        ck_assert_msg(asks(yes[i], &e, 4), "%s", yes[i]);
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        ck_assert_msg(!asks(no[i], &e, 4), "%s", no[i]);
}
END_TEST

START_TEST(ranges_names_and_signs)
{
    struct event data = {.kind = EV_data, .data = {.va = 0x1000, .pa = 0x9000, .length = 8}};
    ck_assert(asks("addr=0x1007", &data, 1));
    ck_assert(asks("addr=0x9000", &data, 1));
    ck_assert(!asks("addr=0x1008", &data, 1));
    struct event end = {.kind = EV_op_end, .op_end = {.result = -12}};
    ck_assert(asks("result<0", &end, 1));
    ck_assert(!asks("result>100", &end, 1));
    struct event search = {.kind = EV_alloc_search,
                           .alloc_search = {.policy = "best-fit", .need = 2048}};
    ck_assert(asks("policy=best-fit need=2K", &search, 1));
    ck_assert(!asks("policy=first-fit", &search, 1));
    ck_assert(asks("policy!=first-fit", &search, 1));
}
END_TEST

START_TEST(every_field_of_every_event_can_be_asked_for)
{
    for (uint32_t kind = 0; kind < EV_COUNT; kind++)
        for (size_t i = 0; i < event_info[kind].fields; i++) {
            struct event e = {.kind = kind};
            struct query q;
            struct error error;
            char text[QUERY_TEXT];
            enum field_kind field = event_info[kind].field[i].kind;
            if (field == FIELD_name)
                continue;
            snprintf(text, sizeof(text), "%s %s=0", event_info[kind].name,
                     event_info[kind].field[i].name);
            ck_assert_msg(!query_parse(&q, text, &error), "%s: %s", text, error.reason);
            bool context = q.term[1].kind == QUERY_CONTEXT;
            ck_assert_msg(query_matches(&q, &e, 0) || context, "%s", text);
        }
}
END_TEST

START_TEST(what_cannot_be_read_is_refused_with_the_reason)
{
    static const char *const bad[][2] = {
        {"", "empty"},
        {"   ", "empty"},
        {"falt", "did you mean \"fault\""},
        {"level=", "no value"},
        {"level!2", "compare with"},
        {"colour=2", "no event has such a field"},
        {"class=purple", "neither a number nor a name"},
        {"class<cold", "names can only"},
        {"op=first", "neither a number"},
        {"addr=here", "addr=ADDRESS"},
        {"set=99999999999999999999", "neither a number"},
        {"set=99999999999999999G", "neither a number"},
        {"op=1 op=1 op=1 op=1 op=1 op=1 op=1 op=1 op=1", "more than 8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct query q;
        struct error error = {0};
        ck_assert_int_eq(query_parse(&q, bad[i][0], &error), ERR_SYNTAX);
        ck_assert_msg(strstr(error.reason, bad[i][1]), "%s: %s", bad[i][0], error.reason);
        ck_assert_uint_eq(q.terms, 0);
    }
    char longer[2 * QUERY_TEXT];
    struct query q;
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    ck_assert_int_eq(query_parse(&q, longer, NULL), ERR_SYNTAX);
    ck_assert(!query_matches(&q, &(struct event){.kind = EV_fault}, 1));
}
END_TEST

TEST_MAIN("query", names_of_events_families_and_ops, fields_are_compared, ranges_names_and_signs,
          every_field_of_every_event_can_be_asked_for,
          what_cannot_be_read_is_refused_with_the_reason)
