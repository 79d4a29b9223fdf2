/* ept.h: extended page tables: what stands between a guest's physical addresses and the machine's.
 *
 *   63:52    51 … 12       11 10  9  8  7     6     5:3     2  1  0
 *   ignored  frame         ign.   D  A  page  IPAT  memory  X  W  R
 *                                                   type
 *            a table when bit 7 is 0 (then bits 6:3 are reserved), a page of 1 GiB or 2 MiB when
 *            it is 1 in a PDPTE or PDE; a PTE always maps a page. Present: any of X, W, R.
 *
 *   EPTP     51 … 12 the PML4 table   6 A and D are used   5:3 levels - 1   2:0 memory type
 *
 * Every guest-physical address is walked through four levels, also those at which the guest's own
 * entries stand: so a guest's walk of n entries reads n × 4 + n + 4 entries, 24 with four levels.
 *
 * Intel SDM vol. 3C, chapter "VMX Support for Address Translation", sections "EPT Translation
 * Mechanism", "EPT-Induced VM Exits", "Accessed and Dirty Flags for EPT"; the exit qualification is
 * in chapter "VM Exits", "Basic VM-Exit Information".
 */
#ifndef MEMWALK_MMU_EPT_H
#define MEMWALK_MMU_EPT_H

#include "sim/base/types.h"

#define EPT_R          ((pte_t)1 << 0)
#define EPT_W          ((pte_t)1 << 1)
#define EPT_X          ((pte_t)1 << 2)
#define EPT_RWX        (EPT_R | EPT_W | EPT_X)
#define EPT_TYPE_SHIFT 3
#define EPT_TYPE       ((pte_t)7 << EPT_TYPE_SHIFT) /* enum memory_type: 0 1 4 5 6 */
#define EPT_IPAT       ((pte_t)1 << 6)              /* the guest's PAT does not matter */
#define EPT_PAGE       ((pte_t)1 << 7)              /* PDPTE, PDE: maps a page */
#define EPT_A          ((pte_t)1 << 8)
#define EPT_D          ((pte_t)1 << 9)
#define EPT_FRAME      UINT64_C(0x000ffffffffff000)

#define EPT_LEVELS 4u
#define EPTP_AD    ((uint64_t)1 << 6)
#define EPTP_WALK  ((uint64_t)(EPT_LEVELS - 1) << 3)
#define EPTP_WB    ((uint64_t)6)

/* Basic exit reasons, SDM vol. 3D, appendix "VMX Basic Exit Reasons". */
enum { EXIT_EPT_VIOLATION = 48, EXIT_EPT_MISCONFIG = 49 };

/* Exit qualification of an EPT violation; bits 3 to 5 are R, W, X of the entries used. */
#define EXIT_READ         ((uint64_t)1 << 0)
#define EXIT_WRITE        ((uint64_t)1 << 1)
#define EXIT_FETCH        ((uint64_t)1 << 2)
#define EXIT_RIGHTS_SHIFT 3
#define EXIT_LINEAR       ((uint64_t)1 << 7) /* there is a guest-linear address */
#define EXIT_FINAL        ((uint64_t)1 << 8) /* … and this is its translation, not a table's */

struct vm_exit {
    uint32_t reason; /* 0: none */
    uint64_t qualification;
    pa_t gpa;
};

struct ept_step {
    unsigned level; /* 4 … 1 */
    unsigned index;
    pa_t pa;
    pte_t entry;
    bool marked; /* A or D was set in it */
};

/* One guest-physical address through the EPT. */
struct ept_walk {
    pa_t gpa, pa;       /* pa: the machine's, where exit is 0 */
    uint64_t page_size; /* of the EPT's page */
    pte_t rights;       /* EPT_R, W, X of all levels read */
    uint32_t exit;      /* 0, or why there is no translation */
    unsigned steps;     /* entries read */
    struct ept_step step[EPT_LEVELS];
};

#endif
