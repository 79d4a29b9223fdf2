/* truth_compare.c: the texts of a replay against recorded ones: the first op that differs, and what
 * both say around it.
 *
 * Texts are compared line by line. Of the summary every figure that both have is compared; the
 * peak of VmHWM is left out, because Linux itself only updates it now and then.
 */
#include "sim/cli/truth.h"

#include "sim/base/types.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define AROUND 3 /* lines shown before and after the first that differs */

/* ---- files ---- */

static enum err slurp(gzFile in, const char *path, struct text *t, struct error *e)
{
    char piece[4096];
    int n;
    while ((n = gzread(in, piece, sizeof(piece) - 1)) > 0) {
        piece[n] = '\0';
        for (char *at = piece; n > 0;) {
            int part = n < 256 ? n : 256;
            text_add(t, "%.*s", part, at);
            at += part;
            n -= part;
        }
    }
    if (n < 0)
        return error_set(e, ERR_IO, path, 0, NULL, "cannot be read: damaged, or cut");
    return t->failed ? error_set(e, ERR_MEMORY, path, 0, NULL, "no memory for it") : ERR_NONE;
}

enum err truth_read(const char *path, struct text *t, bool *found, struct error *e)
{
    char packed[4096];
    snprintf(packed, sizeof(packed), "%s.gz", path);
    const char *real = access(path, F_OK) == 0 ? path : packed;
    *found = access(real, F_OK) == 0;
    if (!*found)
        return ERR_NONE;
    gzFile in = gzopen(real, "rbe");
    if (!in)
        return error_set(e, ERR_IO, real, 0, NULL, "%s", strerror(errno));
    text_add(t, "%s", "");
    enum err err = slurp(in, real, t, e);
    gzclose(in);
    return err;
}

/* ---- lines ---- */

/* The line that begins at *at, without its end; *at moves behind it. false: the text is over. */
static bool next_line(const char **at, const char **line, int *length)
{
    if (!**at)
        return false;
    size_t n = strcspn(*at, "\n");
    *line = *at;
    *length = n > INT32_MAX ? INT32_MAX : (int)n;
    *at += n + ((*at)[n] == '\n');
    return true;
}

static uint64_t count_lines(const char *text)
{
    const char *line;
    int length;
    uint64_t count = 0;
    while (next_line(&text, &line, &length))
        count++;
    return count;
}

/* As long as there is no heap, top stands for itself in the library's data: "top m+N size 0". How
 * far above the lowest mapping that lies is the process's layout, not malloc's doing. */
static bool top_of_nothing(const char *line, int length)
{
    static const char begin[] = "top m+", end[] = " size 0";
    return length > (int)(sizeof(begin) + sizeof(end)) &&
           strncmp(line, begin, sizeof(begin) - 1) == 0 &&
           strncmp(line + length - (sizeof(end) - 1), end, sizeof(end) - 1) == 0;
}

/* The number of the first line that differs; UINT64_MAX: none. */
static uint64_t first_difference(const char *a, const char *b)
{
    for (uint64_t i = 0; *a || *b; i++) {
        const char *x = "", *y = "";
        int nx = 0, ny = 0;
        bool in_a = next_line(&a, &x, &nx), in_b = next_line(&b, &y, &ny);
        bool same = in_a == in_b && nx == ny && memcmp(x, y, (size_t)nx) == 0;
        if (!same && !(top_of_nothing(x, nx) && top_of_nothing(y, ny)))
            return i;
    }
    return UINT64_MAX;
}

static void print_lines(const char *who, const char *text, uint64_t from, uint64_t to,
                        uint64_t mark)
{
    const char *line;
    int length;
    printf("  %s\n", who);
    for (uint64_t i = 0; i <= to && next_line(&text, &line, &length); i++)
        if (i >= from)
            printf("  %c %8" PRIu64 "  %.*s\n", i == mark ? '>' : ' ', i,
                   length > 400 ? 400 : length, line);
}

static void print_around(const char *ours, const char *theirs, uint64_t at)
{
    uint64_t from = at > AROUND ? at - AROUND : 0;
    print_lines("recorded", theirs, from, at + AROUND, at);
    print_lines("memwalk", ours, from, at + AROUND, at);
}

/* Lines of .sys that belong to the ops around this one. */
static void print_calls(const char *who, const char *text, uint64_t op)
{
    const char *line;
    int length;
    printf("  %s\n", who);
    while (next_line(&text, &line, &length)) {
        uint64_t of = strtoull(line, NULL, 10);
        if (of + AROUND >= op && of <= op + AROUND)
            printf("    %.*s\n", length, line);
    }
}

/* ---- the summary ---- */

static bool left_out(const char *name)
{
    return !name || strcmp(name, "vmhwm_kb") == 0 || strcmp(name, "snapshots") == 0;
}

static uint64_t compare_json(const cJSON *ours, const cJSON *theirs, const char *path,
                             uint64_t *compared)
{
    uint64_t differ = 0;
    for (const cJSON *item = theirs->child; item; item = item->next) {
        char name[200];
        bool array = cJSON_IsArray(theirs);
        const cJSON *other = array ? NULL : cJSON_GetObjectItemCaseSensitive(ours, item->string);
        if (left_out(item->string))
            continue;
        snprintf(name, sizeof(name), "%.150s%s%.40s", path, *path ? "." : "", item->string);
        if (other && cJSON_IsObject(item)) {
            differ += compare_json(other, item, name, compared);
            continue;
        }
        ++*compared;
        if (other && cJSON_Compare(other, item, true))
            continue;
        char *a = cJSON_PrintUnformatted(item), *b = other ? cJSON_PrintUnformatted(other) : NULL;
        if (!differ++)
            printf("json: %s\n  recorded %s\n  memwalk  %s\n", name, a ? a : "?",
                   b ? b : "nothing");
        cJSON_free(a);
        cJSON_free(b);
    }
    return differ;
}

static enum err compare_summary(const char *ours, const char *theirs, const char *path, bool *same,
                                struct error *e)
{
    cJSON *a = cJSON_Parse(ours), *b = cJSON_Parse(theirs);
    uint64_t compared = 0, differ = 0;
    enum err err = ERR_NONE;
    if (!a || !b)
        err = error_set(e, ERR_SYNTAX, path, 0, NULL, "is not a JSON object");
    else
        differ = compare_json(a, b, "", &compared);
    if (!err)
        printf("json: %" PRIu64 " figures, %" PRIu64 " differ\n", compared, differ);
    *same = !differ;
    cJSON_Delete(a);
    cJSON_Delete(b);
    return err;
}

/* ---- all texts ---- */

static void compare_lines(const struct truth *t, unsigned i, const char *theirs, bool *same,
                          uint64_t *first)
{
    const char *ours = t->text[i].bytes;
    uint64_t at = first_difference(ours, theirs);
    *same = at == UINT64_MAX;
    printf("%s: %" PRIu64 " lines", truth_text_name[i], count_lines(theirs));
    if (*same) {
        printf(", the same\n");
        return;
    }
    printf(", line %" PRIu64 " is the first that differs (counted from 0%s)\n", at,
           i == TRUTH_OUT ? ": the op" : "");
    print_around(ours, theirs, at);
    if (i == TRUTH_OUT) {
        *first = min_u64(*first, at);
        printf("  system calls around it\n");
        print_calls("memwalk", t->text[TRUTH_SYS].bytes ? t->text[TRUTH_SYS].bytes : "", at);
    }
}

enum err truth_compare(const struct truth *t, const char *prefix, bool *same, uint64_t *first,
                       struct error *e)
{
    unsigned files = 0;
    *same = true;
    *first = UINT64_MAX;
    for (unsigned i = 0; i < TRUTH_TEXTS; i++) {
        char path[4096];
        struct text theirs = {0};
        bool found = false, equal = true;
        if (!t->text[i].bytes)
            continue;
        snprintf(path, sizeof(path), "%s.%s", prefix, truth_text_name[i]);
        enum err err = truth_read(path, &theirs, &found, e);
        if (!err && found && i == TRUTH_SUMMARY)
            err = compare_summary(t->text[i].bytes, theirs.bytes, path, &equal, e);
        else if (!err && found)
            compare_lines(t, i, theirs.bytes, &equal, first);
        text_free(&theirs);
        if (err)
            return err;
        files += found;
        *same = *same && equal;
    }
    if (!files)
        return error_set(e, ERR_USAGE, prefix, 0, "--against",
                         "there is no file %s.out, %s.out.gz and so on", prefix, prefix);
    return ERR_NONE;
}
