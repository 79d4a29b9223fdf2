/* recording_command.c: a recorded command line as text that can stand in a trace's header. */
#include "sim/cli/recording_read.h"

#include <stdlib.h>
#include <string.h>

/* Length of the UTF-8 sequence at s[0..n), 0 where it is none (overlong forms and surrogates are
 * none). */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] > 0xf4 || length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return length > 1 && (overlong || outside) ? 0 : length;
}

/* In place: never longer than before. */
static void make_utf8(char *text)
{
    unsigned char *s = (unsigned char *)text;
    size_t n = strlen(text);
    while (n) {
        size_t length = utf8_length(s, n);
        if (!length || *s < ' ' || *s == 0x7f)
            *s = '?';
        length = length ? length : 1;
        s += length;
        n -= length;
    }
}

static bool is_plain(const char *arg)
{
    return *arg && !arg[strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_./=:,+@%-")];
}

static char *append_quoted(char *to, const char *arg)
{
    *to++ = '\'';
    for (; *arg; arg++) {
        if (*arg == '\'')
            to = stpcpy(to, "'\\'");
        *to++ = *arg;
    }
    *to++ = '\'';
    return to;
}

char *command_text(const char *args, size_t n)
{
    char *copy = malloc(n + 1);
    char *text = malloc(4 * n + 4); /* a quote takes four bytes; an empty argument three */
    if (!copy || !text) {
        free(copy);
        free(text);
        return NULL;
    }
    memcpy(copy, args, n);
    copy[n] = 0;
    char *to = text;
    for (size_t at = 0; at < n; at += strlen(copy + at) + 1) {
        if (at)
            *to++ = ' ';
        if (is_plain(copy + at))
            to = stpcpy(to, copy + at);
        else
            to = append_quoted(to, copy + at);
    }
    *to = 0;
    free(copy);
    make_utf8(text);
    return text;
}

char *command_name(const char *args, size_t n)
{
    char *name = strndup(args, n);
    char *slash = name ? strrchr(name, '/') : NULL;
    if (slash && slash[1])
        memmove(name, slash + 1, strlen(slash + 1) + 1);
    if (name)
        make_utf8(name);
    return name;
}
