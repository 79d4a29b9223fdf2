/* err.c: error records and their messages. */
#include "sim/base/err.h"

#include "sim/base/types.h"

#include <stdarg.h>
#include <string.h>

/* A message may quote a hostile file: what could steer a terminal is shown as '?', and a UTF-8
 * character that was cut by the end of the buffer is dropped. */
static void text_tame(char *text)
{
    size_t length = strlen(text);
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    unsigned char lead = start > 0 ? (unsigned char)text[start - 1] : 0;
    size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (length - start < wanted)
        text[start - 1] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

/* Built aside first: file, field and the format's arguments may be those of *e itself. (The name
 * stands in parentheses because for analyzers it is also a macro.) */
enum err(error_set)(struct error *e, enum err code, const char *file, uint64_t line,
                    const char *field, const char *format, ...)
{
    if (!e)
        return code;
    struct error fresh = {.code = code, .line = line};
    snprintf(fresh.file, sizeof(fresh.file), "%s", file ? file : "");
    snprintf(fresh.field, sizeof(fresh.field), "%s", field ? field : "");
    va_list args;
    va_start(args, format);
    vsnprintf(fresh.reason, sizeof(fresh.reason), format, args);
    va_end(args);
    text_tame(fresh.file);
    text_tame(fresh.field);
    text_tame(fresh.reason);
    *e = fresh;
    return code;
}

char *error_text(const struct error *e, char *text, size_t size)
{
    char line[32] = "";
    if (e->line)
        snprintf(line, sizeof(line), "%s%llu", e->file[0] ? ":" : "line ",
                 (unsigned long long)e->line);
    bool where = e->file[0] || e->line;
    snprintf(text, size, "%s%s%s%s%s%s", e->file, line, where ? ": " : "", e->field,
             e->field[0] ? ": " : "", e->reason);
    return text;
}

void error_print(const struct error *e, FILE *out)
{
    char text[640];
    fprintf(out, "memwalk: %s\n", error_text(e, text, sizeof(text)));
}

/* Levenshtein distance, one row at a time; texts longer than the row count as far away. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[65];
    size_t lb = strlen(b);
    if (lb >= ARRAY_LEN(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < lb; j++) {
            size_t replace = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            size_t best = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;
            row[j + 1] = replace < best ? replace : best;
        }
    }
    return row[lb];
}

const char *error_nearest(const char *text, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = strlen(text) / 2 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(text, names[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best;
}
