/* config.h: the whole configuration of a machine, and every way to set it.
 *
 * Later wins: default < machine file < trace < command line. The keys stand in config.def; in JSON
 * they may be written flat ({"tlb.l1d.ways": 8}) or nested ({"tlb": {"l1d": {"ways": 8}}}).
 */
#ifndef MEMWALK_SIM_CONFIG_H
#define MEMWALK_SIM_CONFIG_H

#include "alloc/alloc.h"
#include "kernel/kernel.h"
#include "mmu/mmu.h"
#include "sim/base/err.h"
#include "sim/nested.h"

struct config {
    uint64_t ram_bytes;
    uint64_t kernel_reserved;
    uint64_t seed;
    uint64_t access_unit;
    uint64_t scan_ops, scan_pages; /* of khugepaged */
    uint32_t cpus;
    char alloc[32];
    char cpu[32]; /* the preset that the MMU was last set by */
    struct alloc_config heap;
    struct mmu_config mmu;
    struct nested_config nested;
    struct kernel_config kernel;
};

void config_default(struct config *);

/* key=value as on the command line. */
enum err config_set(struct config *, const char *key, const char *value, struct error *);
/* "key=value" in one text. */
enum err config_option(struct config *, const char *text, struct error *);
/* A JSON object, flat or nested, numbers, texts or booleans; where names the source in messages. */
enum err config_json(struct config *, const char *json, const char *where, struct error *);
/* A machine file: a JSON object, // comments allowed. */
enum err config_file(struct config *, const char *path, struct error *);
/* Do the settings make sense together? To be called once all are made. */
enum err config_check(const struct config *, struct error *);

/* The value of a key as text, as config_set would take it; NULL: no such key. */
const char *config_get(const struct config *, const char *key, char *text, size_t size);
/* Key number i: false beyond the last. */
struct config_key {
    const char *section, *key, *doc, *values; /* values: what may be written, for people */
};
bool config_key_at(size_t i, struct config_key *);

#endif
