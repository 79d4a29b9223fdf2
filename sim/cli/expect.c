/* expect.c: finds the line of an expectation by reading the trace once more as text, because only
 * the few traces that break their promises need it.
 *
 * NOTE: traces from a pipe and those packed by zstd are not read again; the message has no line.
 */
#include "sim/cli/expect.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PIECE 65536 /* of a line that is longer, only what lies within one piece is found */

/* Where in a line the figure is named: by its whole name or, nested, by the last part of it. */
static bool names(const char *line, const char *figure)
{
    char quoted[80];
    const char *last = strrchr(figure, '.');
    snprintf(quoted, sizeof(quoted), "\"%s\"", figure);
    if (strstr(line, quoted))
        return true;
    snprintf(quoted, sizeof(quoted), "\"%s\"", last ? last + 1 : figure);
    return strstr(line, quoted) != NULL;
}

uint64_t expect_line(const char *path, const char *figure)
{
    gzFile in = strcmp(path, "-") != 0 ? gzopen(path, "rbe") : NULL; /* reads plain files too */
    char piece[PIECE];
    bool inside = false;
    uint64_t line = 1;
    uint64_t found = 0;
    while (in && !found && gzgets(in, piece, sizeof(piece))) {
        const char *expect = inside ? piece : strstr(piece, "\"expect\"");
        inside = inside || expect;
        if (expect && names(expect, figure))
            found = line;
        line += strchr(piece, '\n') != NULL;
    }
    if (in)
        gzclose(in);
    return found;
}
