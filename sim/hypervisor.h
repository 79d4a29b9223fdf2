/* hypervisor.h: what runs below the toy kernel where the machine is a guest: it owns the EPT.
 */
#ifndef MEMWALK_SIM_HYPERVISOR_H
#define MEMWALK_SIM_HYPERVISOR_H

#include "mmu/mmu.h"
#include "sim/nested.h"

struct hypervisor;

/* Bytes behind the guest's RAM that its tables may need. */
uint64_t hypervisor_bytes(const struct nested_config *, uint64_t ram_bytes);
/* From the arena; an EPT that maps nothing. NULL: no memory. RAM was made with the bytes above. */
struct hypervisor *hypervisor_new(struct env *, struct ram *, const struct nested_config *);
uint64_t hypervisor_eptp(const struct hypervisor *);
/* Handles an EPT violation: maps the guest-physical address to the same physical one, as a
 * hypervisor does that gives memory when it is touched. false: the guest has no such memory. */
bool hypervisor_exit(struct hypervisor *, const struct vm_exit *);

#endif
