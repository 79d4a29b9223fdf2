/* picture.c: the options of pictures: their size and their theme. */
#include "sim/cli/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void cli_picture_size(const struct argp_state *state, const char *text, struct viz_options *o)
{
    char *end;
    unsigned long w = strtoul(text, &end, 10);
    unsigned long h = *end == 'x' ? strtoul(end + 1, &end, 10) : 0;
    if (*end || w < VIZ_LEAST || h < VIZ_LEAST || w > VIZ_MOST || h > VIZ_MOST)
        argp_error(state, "--size: \"%s\" is not WIDTHxHEIGHT with %d to %d pixels each", text,
                   VIZ_LEAST, VIZ_MOST);
    o->width = (int)w;
    o->height = (int)h;
}

/* The name in the list that text is; ends the program with a message where there is none. */
static const char *pick(const struct argp_state *state, const char *option,
                        const char *const *names, const char *text)
{
    size_t count = 0;
    char near[128];
    for (; names[count]; count++)
        if (strcmp(names[count], text) == 0)
            return names[count];
    argp_error(state, "--%s: there is no %s \"%s\"%s", option, option, text,
               cli_near(text, names, count, near));
    return NULL;
}

void cli_picture_theme(const struct argp_state *state, const char *text, struct viz_options *o)
{
    o->theme = pick(state, "theme", viz_themes(), text);
}

void cli_picture_lang(const struct argp_state *state, const char *text, struct viz_options *o)
{
    o->lang = lang_name[cli_lang(state, text)];
}

void cli_picture_pane(const struct argp_state *state, const char *text, struct viz_options *o)
{
    o->pane = pick(state, "pane", viz_panes(), text);
}

struct moment cli_picture_moment(const struct argp_state *state, const char *option,
                                 const char *text, uint64_t step)
{
    char *end;
    errno = 0;
    uint64_t op = strtoull(text, &end, 10);
    if (end != text && *end == '.' && end[1] >= '0' && end[1] <= '9')
        step = strtoull(end + 1, &end, 10);
    if (end == text || *end || *text == '-' || errno || !op)
        argp_error(state, "%s: \"%s\" is not OP or OP.STEP, with ops counted from 1", option, text);
    return (struct moment){op, step};
}
