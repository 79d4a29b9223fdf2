/* test_words.c: the table is in the order that the search needs, and every entry of it is found. */
#include "sim/base/types.h"
#include "sim/words.h"
#include "tests/test.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *english, *german;
} table[] = {
#define WORD(english, german) {english, german},
#include "sim/words.def"
#undef WORD
};

START_TEST(in_order_and_found)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (i)
            ck_assert_msg(strcmp(table[i - 1].english, table[i].english) < 0,
                          "\"%s\" stands before \"%s\"", table[i - 1].english, table[i].english);
        ck_assert_str_eq(words_say(LANG_DE, table[i].english), table[i].german);
        ck_assert_str_eq(words_say(LANG_EN, table[i].english), table[i].english);
    }
}
END_TEST

START_TEST(what_is_not_there_stays)
{
    static const char *const text[] = {"", "malloc(24)", "no such words", "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        ck_assert_ptr_eq(words_say(LANG_DE, text[i]), text[i]);
}
END_TEST

START_TEST(languages_by_name)
{
    enum lang lang = LANG_EN;
    ck_assert(lang_of("de", &lang));
    ck_assert_int_eq(lang, LANG_DE);
    ck_assert(!lang_of("fr", &lang));
    ck_assert(!lang_of("", &lang));
    ck_assert_int_eq(lang, LANG_DE);
    for (int i = 0; i < LANGS; i++)
        ck_assert(lang_of(lang_name[i], &lang) && lang == (enum lang)i);
}
END_TEST

TEST_MAIN("words", in_order_and_found, what_is_not_there_stays, languages_by_name)
