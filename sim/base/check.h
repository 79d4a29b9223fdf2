/* check.h: assertions on what may not happen. What may happen is an enum err.
 *
 *   CHECK      always compiled in; constant cost, never in a loop over data
 *   INVARIANT  on by default, off with -DMEMWALK_NO_INVARIANT; a few instructions
 *   EXPENSIVE  only with -DMEMWALK_PARANOID; walks whole structures
 */
#ifndef MEMWALK_BASE_CHECK_H
#define MEMWALK_BASE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s: CHECK failed: %s\n", __FILE__, __LINE__, __func__, #cond); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#ifdef MEMWALK_NO_INVARIANT
#define INVARIANT(cond) ((void)sizeof(cond))
#else
#define INVARIANT(cond) CHECK(cond)
#endif

#ifdef MEMWALK_PARANOID
#define EXPENSIVE(cond) CHECK(cond)
#else
#define EXPENSIVE(cond) ((void)sizeof(cond))
#endif

#endif
