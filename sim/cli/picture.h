/* picture.h: options that view and film have in common: how large, how coloured. */
#ifndef MEMWALK_SIM_CLI_PICTURE_H
#define MEMWALK_SIM_CLI_PICTURE_H

#include "sim/cli/common.h"
#include "viz/viz.h"

/* For parsers: --size WxH --theme NAME and --lang NAME into the options, or the end of the program
 * with a message. */
void cli_picture_size(const struct argp_state *, const char *text, struct viz_options *);
void cli_picture_theme(const struct argp_state *, const char *text, struct viz_options *);
void cli_picture_lang(const struct argp_state *, const char *text, struct viz_options *);
/* "N" or "N.K"; without K the step is `step`. */
struct moment cli_picture_moment(const struct argp_state *, const char *option, const char *text,
                                 uint64_t step);
void cli_picture_pane(const struct argp_state *, const char *text, struct viz_options *);

#endif
