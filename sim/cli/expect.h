/* expect.h: where an expectation stands in its trace. */
#ifndef MEMWALK_SIM_CLI_EXPECT_H
#define MEMWALK_SIM_CLI_EXPECT_H

#include "sim/base/types.h"

/* The line, from 1, on which the "expect" of the trace names this figure; 0: it cannot be told. */
uint64_t expect_line(const char *path, const char *figure);

#endif
