/* words.h: what is said to people, in the languages it can be said in.
 *
 * The English text is the key, as with gettext: a source says what it says in the place where it
 * says it, and a text without a translation is still one that a person can read. It is a table and
 * not gettext itself because gettext chooses by the locale of the process: two machines in one
 * process could not speak two languages, and the environment of whoever runs memwalk would reach
 * its output, which is the same bytes everywhere. So the language is an argument, and there is no
 * state. sim/words.def holds the table, in the order of strcmp; tests/test_words.c and
 * tests/test_words_table.py see to it that it is in order, that both texts take the same arguments,
 * and that nothing is missing or left over.
 */
#ifndef MEMWALK_SIM_WORDS_H
#define MEMWALK_SIM_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum lang { LANG_EN, LANG_DE, LANGS };
extern const char *const lang_name[LANGS]; /* "en", "de" */

/* By its name, as an option takes it; false: there is no such language. */
bool lang_of(const char *name, enum lang *);

/* The text in the language; itself where there is no translation. Both are constants or the
 * caller's, so nothing is to be freed. A printf format stays one for the same arguments. */
const char *words_say(enum lang, const char *english) __attribute__((format_arg(2)));

#endif
