/* text.h: how wide a text is, how it is cut, and how numbers are written.
 *
 * The scene must know widths to promise that nothing is cut unseen, but it must not know SDL. So
 * whoever has the fonts hands in a struct metrics; tests hand in one with fixed widths.
 */
#ifndef MEMWALK_VIZ_TEXT_H
#define MEMWALK_VIZ_TEXT_H

#include "sim/base/types.h"

enum face { FACE_MONO, FACE_MONO_BOLD, FACE_SANS, FACE_SANS_BOLD, FACES };

struct metrics {
    void *ctx;
    /* Pixels that the character takes at this size (of the em square, in pixels). */
    int (*advance)(void *ctx, enum face, int px, uint32_t character);
};

/* Widths without any font: those of DejaVu, rounded up. The same on every machine. */
extern const struct metrics text_plain;

/* The next character of UTF-8 text, 0 at its end; a broken byte reads as itself. */
uint32_t text_next(const char **text);
int text_width(const struct metrics *, enum face, int px, const char *text);
/* Pixels from one line to the next. */
int text_line(int px);
/* Copies text, shortened to end in "…" where it is wider than width; returns the width. */
int text_fit(const struct metrics *, enum face, int px, const char *text, int width, char *to,
             size_t size);
/* Copies as many whole words as fit into width, and moves *text to what is left. With last, the
 * rest is cut with "…". Returns the width. */
int text_wrap(const struct metrics *, enum face, int px, const char **text, int width, bool last,
              char *to, size_t size);

/* ---- numbers; each returns its buffer ---- */

struct number {
    char text[48];
};

/* 0x0000_7fff_f7a0_0010: hex in groups of four, at least digits of them. */
struct number number_hex(uint64_t, unsigned digits);
/* The same without 0x and leading zeroes: 7fff_f7a0_0010. */
struct number number_bare(uint64_t);
/* 132 KiB, 4 B, 1.5 GiB. */
struct number number_bytes(uint64_t);
/* 18 204. */
struct number number_count(uint64_t);
/* 96.8 %; "–" where whole is 0. */
struct number number_percent(uint64_t part, uint64_t whole);
/* The lowest bits of a value, highest first, in groups of four: 1 1011 1101. */
struct number number_bits(uint64_t value, unsigned bits);

#endif
