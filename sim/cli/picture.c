/* picture.c: the options of pictures: their size and their theme. */
#include "sim/cli/picture.h"

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

void cli_picture_theme(const struct argp_state *state, const char *text, struct viz_options *o)
{
    const char *const *names = viz_themes();
    size_t count = 0;
    o->theme = NULL;
    for (; names[count]; count++)
        if (strcmp(names[count], text) == 0)
            o->theme = names[count];
    char near[128];
    if (!o->theme)
        argp_error(state, "--theme: there is no theme \"%s\"%s", text,
                   cli_near(text, names, count, near));
}
