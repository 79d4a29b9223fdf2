/* truth.h: texts of a replay held against texts in files. */
#ifndef MEMWALK_SIM_CLI_TRUTH_H
#define MEMWALK_SIM_CLI_TRUTH_H

#include "sim/truth.h"

/* The whole of a file, plain or gzip; path may lack its ".gz". *found false: there is no such
 * file, which is no error. */
enum err truth_read(const char *path, struct text *, bool *found, struct error *);

/* Compares every text that both have, PREFIX.out and so on, and prints to standard output how many
 * lines were compared, and of the first op that differs the lines around it from both. *same tells
 * how it came out; *first is the first op (from 0) whose line in .out or .sys differs, or
 * UINT64_MAX. ERR_IO: a file cannot be read; ERR_USAGE: there is no file with that prefix. */
enum err truth_compare(const struct truth *, const char *prefix, bool *same, uint64_t *first,
                       struct error *);

#endif
