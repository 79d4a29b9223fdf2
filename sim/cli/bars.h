/* bars.h: several runs as bars in one picture. */
#ifndef MEMWALK_SIM_CLI_BARS_H
#define MEMWALK_SIM_CLI_BARS_H

#include "sim/cli/report.h"

/* Writes the picture: .png or .svg by the path's end. */
enum err bars_write(const struct report *const *, size_t count, const char *path, struct error *);

#endif
