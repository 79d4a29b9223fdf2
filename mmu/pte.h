/* pte.h: how one entry of an x86-64 page table is laid out, and how an address is split.
 *
 *   63  62:59   58:52    51 … 12            11:9   8   7   6   5   4    3    2    1    0
 *   XD  prot.key ignored  frame (4 KiB)      ign.   G  PAT  D   A  PCD  PWT  U/S  R/W   P
 *                                            in PDPTE and PDE bit 7 is PS: the entry maps a page
 *
 * Intel SDM vol. 3A, chapter "Paging", tables "Format of a Page-Table Entry that Maps a 4-KByte
 * Page" and its neighbours.
 *
 *   virtual address, 4 levels
 *   63 … 48   47 … 39   38 … 30   29 … 21   20 … 12   11 … 0
 *   copies    PML4      PDPT      PD        PT        offset
 *   of 47     index     index     index     index
 */
#ifndef MEMWALK_MMU_PTE_H
#define MEMWALK_MMU_PTE_H

#include "sim/base/types.h"

#define PTE_P         ((pte_t)1 << 0) /* present */
#define PTE_RW        ((pte_t)1 << 1) /* writable */
#define PTE_US        ((pte_t)1 << 2) /* user */
#define PTE_PWT       ((pte_t)1 << 3)
#define PTE_PCD       ((pte_t)1 << 4)
#define PTE_A         ((pte_t)1 << 5) /* accessed */
#define PTE_D         ((pte_t)1 << 6) /* dirty: only where the entry maps a page */
#define PTE_PS        ((pte_t)1 << 7) /* page size: PDPTE, PDE */
#define PTE_PAT       ((pte_t)1 << 7) /* in a PTE */
#define PTE_G         ((pte_t)1 << 8) /* global */
#define PTE_PAT_LARGE ((pte_t)1 << 12)
#define PTE_XD        ((pte_t)1 << 63) /* execute disable */

#define PTE_FRAME      UINT64_C(0x000ffffffffff000)
#define PTE_PKEY_SHIFT 59
#define PTE_PKEY       ((pte_t)15 << PTE_PKEY_SHIFT) /* where the entry maps a page */

#define TABLE_ENTRIES 512u
#define LEVELS_MAX    5u

/* #PF error code, SDM vol. 3A, "Page-Fault Exceptions". */
#define PF_P    1u
#define PF_W    2u
#define PF_U    4u
#define PF_RSVD 8u
#define PF_I    16u
#define PF_PK   32u
#define PF_SS   64u
#define PF_SGX  0x8000u /* never raised: there is no enclave */

/* Level 1 is the PT, 4 the PML4, 5 the PML5. */
static inline unsigned va_index(va_t va, unsigned level)
{
    return (unsigned)(va >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

/* The address bits below those that choose an entry of this level. */
static inline unsigned level_shift(unsigned level)
{
    return PAGE_SHIFT + 9 * (level - 1);
}

/* Bytes that one entry of this level covers: 4 KiB, 2 MiB, 1 GiB, 512 GiB, 256 TiB. */
static inline uint64_t level_span(unsigned level)
{
    return (uint64_t)1 << level_shift(level);
}

static inline pfn_t pte_pfn(pte_t entry)
{
    return (entry & PTE_FRAME) >> PAGE_SHIFT;
}

static inline pte_t pte_make(pfn_t pfn, pte_t flags)
{
    return (pfn << PAGE_SHIFT) | flags;
}

/* Are the bits above the highest translated one copies of it? levels is 4 or 5. */
static inline bool va_canonical(va_t va, unsigned levels)
{
    unsigned bits = PAGE_SHIFT + 9 * levels;
    uint64_t top = va >> (bits - 1);
    return top == 0 || top == (UINT64_MAX >> (bits - 1));
}

#endif
