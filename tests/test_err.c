/* test_err.c: error records: the message's shape, cut ends, hostile text, nearest names. */
#include "sim/base/err.h"
#include "sim/base/types.h"
#include "tests/test.h"

#include <string.h>

START_TEST(message_names_what_applies)
{
    static const struct {
        const char *file;
        uint64_t line;
        const char *field, *expected;
    } cases[] = {
        {"a.json", 7, "size", "a.json:7: size: too big"},
        {"a.json", 7, NULL, "a.json:7: too big"},
        {"a.json", 0, "size", "a.json: size: too big"},
        {NULL, 7, "size", "line 7: size: too big"},
        {NULL, 0, "size", "size: too big"},
        {"", 0, "", "too big"},
        {"a.json", UINT64_MAX, NULL, "a.json:18446744073709551615: too big"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error e;
        char text[640];
        ck_assert_int_eq(
            error_set(&e, ERR_VALUE, cases[i].file, cases[i].line, cases[i].field, "too %s", "big"),
            ERR_VALUE);
        ck_assert_int_eq(e.code, ERR_VALUE);
        ck_assert_str_eq(error_text(&e, text, sizeof(text)), cases[i].expected);
    }
}
END_TEST

START_TEST(set_without_a_record_returns_the_code)
{
    ck_assert_int_eq(error_set(NULL, ERR_IO, "f", 1, "x", "%d", 3), ERR_IO);
}
END_TEST

START_TEST(set_may_quote_its_own_record)
{
    struct error e;
    char text[640];
    error_set(&e, ERR_SYNTAX, "t.json", 3, "ops", "inner");
    error_set(&e, ERR_VALUE, e.file, e.line, e.field, "outer (%s)", e.reason);
    ck_assert_str_eq(error_text(&e, text, sizeof(text)), "t.json:3: ops: outer (inner)");
}
END_TEST

START_TEST(long_texts_are_cut)
{
    char big[2000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    struct error e;
    error_set(&e, ERR_VALUE, big, 1, big, "%s", big);
    ck_assert_uint_eq(strlen(e.file), sizeof(e.file) - 1);
    ck_assert_uint_eq(strlen(e.field), sizeof(e.field) - 1);
    ck_assert_uint_eq(strlen(e.reason), sizeof(e.reason) - 1);
    char small[10];
    ck_assert_str_eq(error_text(&e, small, sizeof(small)), "xxxxxxxxx");
}
END_TEST

/* Whatever the length before it, a euro sign (three bytes) is shown whole or not at all. */
START_TEST(cut_never_splits_a_character)
{
    for (size_t before = 0; before < 80; before++) {
        char field[100];
        memset(field, 'a', before);
        strcpy(field + before, "\xe2\x82\xac");
        struct error e;
        error_set(&e, ERR_VALUE, NULL, 0, field, "r");
        size_t room = sizeof(e.field) - 1;
        size_t expected = before + 3 <= room ? before + 3 : before < room ? before : room;
        ck_assert_uint_eq(strlen(e.field), expected);
    }
}
END_TEST

START_TEST(control_characters_are_shown_as_question_marks)
{
    struct error e;
    char text[640];
    error_set(&e, ERR_SYNTAX, "a\nb", 1, "\x1b[31m", "tab\there \x7f");
    ck_assert_str_eq(error_text(&e, text, sizeof(text)), "a?b:1: ?[31m: tab?here ?");
}
END_TEST

START_TEST(print_writes_one_line)
{
    struct error e;
    char line[700] = "";
    error_set(&e, ERR_IO, "t.json", 0, NULL, "no such file");
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    error_print(&e, out);
    rewind(out);
    size_t n = fread(line, 1, sizeof(line) - 1, out);
    fclose(out);
    ck_assert_uint_eq(n, strlen(line));
    ck_assert_str_eq(line, "memwalk: t.json: no such file\n");
}
END_TEST

START_TEST(nearest_name)
{
    static const char *const names[] = {"tlb.l1d.ways", "tlb.l1d.sets", "ram", "seed", "allocator"};
    const struct {
        const char *text, *expected;
    } cases[] = {
        {"tlb.l1d.way", "tlb.l1d.ways"},
        {"tlb.l1.sets", "tlb.l1d.sets"},
        {"alocator", "allocator"},
        {"ram", "ram"},
        {"rma", NULL},
        {"something else altogether", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *found = error_nearest(cases[i].text, names, ARRAY_LEN(names));
        if (cases[i].expected)
            ck_assert_pstr_eq(found, cases[i].expected);
        else
            ck_assert_ptr_null(found);
    }
    ck_assert_ptr_null(error_nearest("x", names, 0));
}
END_TEST

START_TEST(nearest_name_passes_over_names_too_long_to_compare)
{
    char huge[200];
    memset(huge, 'n', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    const char *const names[] = {huge, "nnn"};
    ck_assert_pstr_eq(error_nearest("nnnn", names, 2), "nnn");
    ck_assert_ptr_null(error_nearest(huge, names, 1));
}
END_TEST

TEST_MAIN("err", message_names_what_applies, set_without_a_record_returns_the_code,
          set_may_quote_its_own_record, long_texts_are_cut, cut_never_splits_a_character,
          control_characters_are_shown_as_question_marks, print_writes_one_line, nearest_name,
          nearest_name_passes_over_names_too_long_to_compare)
