/* nested.h: the settings of a machine that is a guest.
 */
#ifndef MEMWALK_SIM_NESTED_H
#define MEMWALK_SIM_NESTED_H

#include "sim/base/types.h"

struct nested_config {
    bool on;
    bool ad;       /* A and D in the EPT */
    uint64_t page; /* what the hypervisor maps at once: 4 KiB, 2 MiB, 1 GiB */
};

#endif
