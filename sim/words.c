/* words.c: a binary search in the table of words.def. */
#include "sim/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct words {
    const char *english, *german;
};

static const struct words words_table[] = {
#define WORD(english, german) {english, german},
#include "sim/words.def"
#undef WORD
};

const char *const lang_name[LANGS] = {[LANG_EN] = "en", [LANG_DE] = "de"};

bool lang_of(const char *name, enum lang *lang)
{
    for (int i = 0; i < LANGS; i++)
        if (strcmp(name, lang_name[i]) == 0) {
            *lang = (enum lang)i;
            return true;
        }
    return false;
}

static int compare(const void *key, const void *entry)
{
    return strcmp(key, ((const struct words *)entry)->english);
}

const char *words_say(enum lang lang, const char *english)
{
    const struct words *found;
    if (lang == LANG_EN)
        return english;
    found = bsearch(english, words_table, sizeof(words_table) / sizeof(words_table[0]),
                    sizeof(words_table[0]), compare);
    return found ? found->german : english;
}
