/* text.c: measuring, cutting and wrapping UTF-8; numbers as people read them. */
#include "viz/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- UTF-8 ---- */

/* Bytes that the character with this first byte takes. */
static unsigned utf8_length(unsigned char first)
{
    if (first >= 0xf0)
        return 4;
    if (first >= 0xe0)
        return 3;
    return first >= 0xc0 ? 2 : 1;
}

uint32_t text_next(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    if (!*s)
        return 0;
    unsigned n = utf8_length(*s);
    uint32_t c = n == 1 ? *s : *s & (0x7fu >> n);
    for (unsigned i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            (*text)++;
            return *s;
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    *text += n;
    return c;
}

/* ---- widths ---- */

/* Thousandths of the em of DejaVu Sans, by class of character. */
static int sans_width(uint32_t c)
{
    if (c < 128 && strchr("iljI.,:;'|![]()/ ft-", (int)c))
        return 400;
    if (c < 128 && strchr("mwMW%@", (int)c))
        return 990;
    return c < 128 ? 640 : 840;
}

static int plain_advance(void *ctx, enum face face, int px, uint32_t c)
{
    (void)ctx;
    if (face == FACE_MONO || face == FACE_MONO_BOLD)
        return (px * 602 + 999) / 1000;
    int width = sans_width(c) + (face == FACE_SANS_BOLD ? 70 : 0);
    return (px * width + 999) / 1000;
}

const struct metrics text_plain = {.ctx = NULL, .advance = plain_advance};

int text_width(const struct metrics *m, enum face face, int px, const char *text)
{
    int width = 0;
    for (uint32_t c = text_next(&text); c; c = text_next(&text))
        width += m->advance(m->ctx, face, px, c);
    return width;
}

int text_line(int px)
{
    return px + px / 4;
}

static size_t copy(char *to, size_t size, size_t at, const char *from, size_t n)
{
    if (at + n + 1 > size)
        n = size > at + 1 ? size - at - 1 : 0;
    memcpy(to + at, from, n);
    to[at + n] = '\0';
    return at + n;
}

int text_fit(const struct metrics *m, enum face face, int px, const char *text, int width, char *to,
             size_t size)
{
    int all = text_width(m, face, px, text);
    if (all <= width) {
        copy(to, size, 0, text, strlen(text));
        return all;
    }
    int dots = m->advance(m->ctx, face, px, 0x2026);
    int used = 0;
    const char *end = text;
    for (const char *at = text; *at; end = at) {
        int w = m->advance(m->ctx, face, px, text_next(&at));
        if (used + w + dots > width)
            break;
        used += w;
    }
    to[0] = '\0';
    if (dots > width)
        return 0;
    size_t n = copy(to, size, 0, text, (size_t)(end - text));
    copy(to, size, n, "…", strlen("…"));
    return used + dots;
}

int text_wrap(const struct metrics *m, enum face face, int px, const char **text, int width,
              bool last, char *to, size_t size)
{
    const char *start = *text;
    if (last || text_width(m, face, px, start) <= width) {
        *text = start + strlen(start);
        return text_fit(m, face, px, start, width, to, size);
    }
    const char *end = start;
    int used = 0;
    for (const char *at = start; *at;) {
        const char *here = at;
        uint32_t c = text_next(&at);
        if (c == ' ')
            end = here;
        used += m->advance(m->ctx, face, px, c);
        if (used > width)
            break;
    }
    if (end == start) { /* one word wider than the line */
        *text = start + strlen(start);
        return text_fit(m, face, px, start, width, to, size);
    }
    copy(to, size, 0, start, (size_t)(end - start));
    *text = end + 1;
    return text_width(m, face, px, to);
}

/* ---- numbers ---- */

struct number number_hex(uint64_t value, unsigned digits)
{
    struct number n = {"0x"};
    size_t at = 2;
    for (unsigned d = 16; d-- > 0;) {
        if (d >= digits && !(value >> (4 * d)))
            continue;
        n.text[at++] = "0123456789abcdef"[value >> (4 * d) & 15];
        if (d % 4 == 0 && d)
            n.text[at++] = '_';
    }
    if (at == 2)
        n.text[at++] = '0';
    n.text[at] = '\0';
    return n;
}

struct number number_bare(uint64_t value)
{
    struct number n = number_hex(value, 1);
    memmove(n.text, n.text + 2, strlen(n.text + 2) + 1);
    return n;
}

struct number number_bytes(uint64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct number n;
    size_t u = 0;
    uint64_t whole = bytes;
    uint64_t rest = 0;
    while (whole >= 1024 && u + 1 < ARRAY_LEN(unit)) {
        rest = whole % 1024;
        whole /= 1024;
        u++;
    }
    uint64_t tenth = rest * 10 / 1024;
    if (tenth && whole < 100)
        snprintf(n.text, sizeof(n.text), "%" PRIu64 ".%" PRIu64 " %s", whole, tenth, unit[u]);
    else
        snprintf(n.text, sizeof(n.text), "%" PRIu64 " %s", whole, unit[u]);
    return n;
}

struct number number_count(uint64_t value)
{
    char digits[24];
    struct number n;
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            n.text[at++] = ' ';
        n.text[at++] = digits[i];
    }
    n.text[at] = '\0';
    return n;
}

struct number number_percent(uint64_t part, uint64_t whole)
{
    struct number n = {"–"};
    if (!whole)
        return n;
    uint64_t tenths = (uint64_t)((double)part * 1000.0 / (double)whole + 0.5);
    snprintf(n.text, sizeof(n.text), "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
    return n;
}

struct number number_bits(uint64_t value, unsigned bits)
{
    struct number n;
    size_t at = 0;
    for (unsigned b = bits; b-- > 0 && at + 2 < sizeof(n.text);) {
        n.text[at++] = value >> b & 1 ? '1' : '0';
        if (b % 4 == 0 && b)
            n.text[at++] = ' ';
    }
    n.text[at] = '\0';
    return n;
}
