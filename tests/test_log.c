/* test_log.c: each kind of event is one well-formed line with all its fields, whatever they hold;
 * filters take names and families. */
#include "sim/log.h"
#include "tests/test.h"

#include <cjson/cJSON.h>
#include <string.h>

/* An event of that kind in which every 64-bit field holds value. */
static struct event filled(uint32_t kind, uint64_t value)
{
    struct event e = {.seq = 7, .cycle = 812, .kind = kind, .cpu = 2, .pid = 3};
    unsigned char *at = (unsigned char *)&e + offsetof(struct event, op_begin);
    for (size_t i = 0; i < event_info[kind].fields; i++) {
        const char *name = value ? "a \"quoted\"\n\\name" : NULL;
        bool flag = value != 0;
        uint32_t narrow = (uint32_t)value;
        switch (event_info[kind].field[i].kind) {
        case FIELD_name:
            memcpy(at + 8 * i, &name, sizeof(name));
            break;
        case FIELD_flag:
            memcpy(at + 8 * i, &flag, sizeof(flag));
            break;
        case FIELD_enum:
            memcpy(at + 8 * i, &narrow, sizeof(narrow));
            break;
        default:
            memcpy(at + 8 * i, &value, sizeof(value));
        }
    }
    return e;
}

static cJSON *parse_line(const struct event *e, uint64_t op)
{
    char text[2048];
    size_t n = log_line(e, op, text, sizeof(text));
    ck_assert_uint_eq(n, strlen(text));
    ck_assert_int_eq(text[n - 1], '\n');
    ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
    cJSON *line = cJSON_Parse(text);
    ck_assert_msg(line != NULL, "%s is not JSON", text);
    return line;
}

START_TEST(every_event_is_a_line)
{
    static const uint64_t values[] = {0, 1, UINT64_MAX};
    for (uint32_t kind = 0; kind < EV_COUNT; kind++)
        for (size_t v = 0; v < ARRAY_LEN(values); v++) {
            struct event e = filled(kind, values[v]);
            cJSON *line = parse_line(&e, 5);
            const struct event_info *info = &event_info[kind];
            ck_assert_str_eq(cJSON_GetObjectItem(line, "event")->valuestring, info->name);
            ck_assert_int_eq(cJSON_GetArraySize(line), 5 + (int)info->fields);
            for (size_t i = 0; i < info->fields; i++)
                ck_assert_msg(cJSON_HasObjectItem(line, info->field[i].name), "%s.%s", info->name,
                              info->field[i].name);
            cJSON_Delete(line);
        }
}
END_TEST

START_TEST(values_by_kind)
{
    struct event e = {.seq = 4, .cycle = 99, .kind = EV_tlb_fill, .cpu = 1, .pid = 9};
    e.tlb_fill.level = 2;
    e.tlb_fill.vpn = 0x7ffff7d70;
    e.tlb_fill.evicts = true;
    char text[512];
    log_line(&e, 3, text, sizeof(text));
    ck_assert_str_eq(text, "{\"moment\":[3,4],\"cycle\":99,\"cpu\":1,\"process\":9,\"event\":"
                           "\"tlb_fill\",\"level\":2,\"set\":0,\"way\":0,\"vpn\":\"0x7ffff7d70\","
                           "\"pfn\":\"0x0\",\"flags\":\"0x0\",\"pcid\":0,\"size\":0,\"victim\":"
                           "\"0x0\",\"evicts\":true}\n");
    struct event end = {.kind = EV_op_end};
    end.op_end.result = -12;
    log_line(&end, 1, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "\"result\":-12,"));
}
END_TEST

/* A buffer that is too small gets less, never more. */
START_TEST(short_buffers)
{
    struct event e = filled(EV_sys_enter, UINT64_MAX);
    char text[64];
    for (size_t size = 1; size < 60; size++) {
        memset(text, '#', sizeof(text));
        ck_assert_uint_lt(log_line(&e, 1, text, size), size);
        ck_assert_ptr_nonnull(memchr(text, '\0', size));
        ck_assert_int_eq(text[size], '#');
    }
}
END_TEST

START_TEST(enums_have_names)
{
    for (uint32_t kind = 0; kind < EV_COUNT; kind++)
        for (size_t i = 0; i < event_info[kind].fields; i++) {
            const struct event_field *f = &event_info[kind].field[i];
            if (f->kind != FIELD_enum)
                continue;
            ck_assert_msg(log_enum_name(f, 0) != NULL, "%s.%s", event_info[kind].name, f->name);
            ck_assert_ptr_null(log_enum_name(f, 1000));
        }
}
END_TEST

static unsigned wanted(const struct event_filter *f)
{
    unsigned n = 0;
    for (size_t i = 0; i < EV_COUNT; i++)
        n += f->wanted[i];
    return n;
}

START_TEST(filters)
{
    struct event_filter f;
    char unknown[32];
    ck_assert(event_filter_parse(&f, "tlb_miss", unknown, sizeof(unknown)));
    ck_assert_uint_eq(wanted(&f), 1);
    ck_assert(f.wanted[EV_tlb_miss]);
    ck_assert(event_filter_parse(&f, "fault,tlb_miss", unknown, sizeof(unknown)));
    ck_assert(f.wanted[EV_fault] && f.wanted[EV_fault_begin] && f.wanted[EV_fault_end]);
    ck_assert(f.wanted[EV_tlb_miss] && !f.wanted[EV_tlb_hit]);
    ck_assert(event_filter_parse(&f, "all", unknown, sizeof(unknown)));
    ck_assert_uint_eq(wanted(&f), EV_COUNT);
}
END_TEST

START_TEST(unknown_names_in_filters)
{
    static const char *const bad[][2] = {
        {"tlbs", "tlbs"}, {"tlb,walks", "walks"}, {"", ""}, {"tlb,", ""}, {"tlb_mis", "tlb_mis"}};
    struct event_filter f;
    char unknown[32];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert(!event_filter_parse(&f, bad[i][0], unknown, sizeof(unknown)));
        ck_assert_str_eq(unknown, bad[i][1]);
    }
}
END_TEST

TEST_MAIN("log", every_event_is_a_line, values_by_kind, short_buffers, enums_have_names, filters,
          unknown_names_in_filters)
