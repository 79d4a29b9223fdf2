/* preset.h: processors whose TLBs and caches can be had by name: the key "cpu", memwalk cpu.
 *
 * A preset is a list of settings in the words of config.def, so it can do nothing that a machine
 * file cannot, and each of its numbers says where it comes from.
 */
#ifndef MEMWALK_SIM_PRESET_H
#define MEMWALK_SIM_PRESET_H

#include <stdbool.h>
#include <stddef.h>

struct preset_setting {
    const char *key, *value;
};

struct preset_source {
    const char *what;   /* which of the settings */
    const char *source; /* document and section, or why the number is ours */
};

struct preset {
    const char *name, *title, *doc;
    const struct preset_setting *settings; /* to the one without a key */
    const struct preset_source *sources;   /* to the one without a what */
};

/* NULL beyond the last. */
const struct preset *preset_at(size_t i);
const struct preset *preset_find(const char *name);
/* Is the key one that a preset decides, if only by leaving it at its default? */
bool preset_owns(const char *key);

#endif
