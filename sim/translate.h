/* translate.h: single accesses to given tables, each on a processor that has nothing cached.
 *
 * It is the MMU itself that answers, by the same path as in a machine; only the registers come from
 * outside and the RAM is put back afterwards, so that every access finds the same tables.
 */
#ifndef MEMWALK_SIM_TRANSLATE_H
#define MEMWALK_SIM_TRANSLATE_H

#include "mmu/mmu.h"
#include "sim/base/err.h"

#define TRANSLATE_PIECES 2u /* an access of up to a page lies in one or two pages */
/* In a guest each of up to five levels, and the page, has four entries of the EPT. */
#define TRANSLATE_ENTRIES (TRANSLATE_PIECES * (LEVELS_MAX + (LEVELS_MAX + 1) * EPT_LEVELS))

/* An entry of a table that the access changed. */
struct changed_entry {
    pa_t pa;
    pte_t before, after;
};

struct translate_result {
    bool allowed;
    struct mmu_fault fault; /* where not allowed; with vector 0 it leaves the guest */
    unsigned pieces;        /* pages that the access lies in */
    pa_t pa[TRANSLATE_PIECES];
    size_t entries;
    struct changed_entry entry[TRANSLATE_ENTRIES]; /* in the order of their first change */
};

struct translator;

/* The RAM stays the caller's and must live as long. NULL: no host memory. */
struct translator *translator_new(struct ram *);
void translator_free(struct translator *);
/* One access of size bytes, 1 to PAGE_SIZE. No data moves. RAM is as before when it returns. */
void translator_access(struct translator *, const struct mmu_regs *, va_t, size_t size, enum access,
                       struct translate_result *);

/* Registers where nothing is said: long mode as a 64-bit kernel runs it, a program at CPL 3. */
struct mmu_regs translate_regs(void);

/* A raw image of physical memory. Whole frames of zeroes and holes of the file take no memory. */
enum err translate_ram(struct ram **, const char *path, struct error *);

#endif
