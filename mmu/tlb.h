/* tlb.h: one level of translation cache: sets × ways of tags and translations, any geometry.
 *
 * It only holds, finds and replaces; who counts and tells events is mmu.c. The paging-structure
 * caches are made of the same thing with one set.
 *
 *   key   63 … 60  59 … 48  47 …                         3 2  0
 *         guest    PCID     page number in its own size   size     0: the way is invalid
 *   data  63 … 52  51 …       12  11 … 0
 *         flags    frame (4 KiB)  flags    enum tlb_flag: an entry's own bits stand in their place
 *
 * A page number is that of a 57-bit virtual address: its upper bits are copies and not kept. A
 * large page is held once, under its own size; the set is the page number in that size mod sets.
 * Guest and PCID together are the space that an entry belongs to; a global entry serves all PCIDs.
 *
 * Each way also has a short tag of 16 bits, of the page only; the short tags of a set stand
 * together, so a set is searched by comparing eight ways at a time, and only a way that seems right
 * has its key read.
 */
#ifndef MEMWALK_MMU_TLB_H
#define MEMWALK_MMU_TLB_H

#include "mmu/pte.h"
#include "mmu/repl.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct arena;

/* How much an entry maps, in order of size. 8K to 32K: coalesced pages. */
enum size_code { SIZE_4K = 1, SIZE_8K, SIZE_16K, SIZE_32K, SIZE_2M, SIZE_1G, SIZE_CODES };

#define TLB_LANES 8u   /* short tags compared at a time */
#define TLB_NONE  (-1) /* no way */

#define KEY_SIZE_BITS   3
#define KEY_PCID_SHIFT  48
#define KEY_GUEST_SHIFT 60 /* 0: not a guest's; else its number in struct guests */
#define KEY_PCID        ((uint64_t)0xfff << KEY_PCID_SHIFT)
#define KEY_GUEST       ((uint64_t)0xf << KEY_GUEST_SHIFT)
#define KEY_PAGE        (((uint64_t)1 << KEY_PCID_SHIFT) - 1) /* page number and size */
#define VA_BITS_KEPT    57

struct tlb_entry {
    uint64_t key, data;
};

struct tlb {
    struct tlb_config config;
    const struct repl_ops *ops;
    uint32_t stride;           /* ways rounded up to whole lanes: slot = set × stride + way */
    uint32_t words;            /* of replacement state per set */
    uint64_t pow2_mask;        /* sets - 1 where sets is a power of two, else 0 */
    uint64_t reciprocal;       /* floor(2^64 / sets), where it is not */
    uint64_t held[SIZE_CODES]; /* valid entries of each size */
    uint64_t pieces;           /* valid entries that map a part of their page */
    uint16_t *shorts;          /* [slot] */
    struct tlb_entry *entry;   /* [slot] */
    uint64_t *state;           /* [set × words] */
    uint32_t *valid;           /* [set] valid ways */
};

/* All from the arena; false: no memory. sets and ways are not 0. */
bool tlb_init(struct tlb *, struct arena *, const struct tlb_config *);

static inline uint64_t size_shift(enum size_code size)
{
    static const uint8_t shift[SIZE_CODES] = {PAGE_SHIFT, 12, 13, 14, 15, 21, 30};
    return shift[size];
}

static inline uint64_t size_pages(enum size_code size)
{
    return (uint64_t)1 << (size_shift(size) - PAGE_SHIFT);
}

/* The size of the page that flags tell of. */
static inline enum size_code flags_size(uint32_t flags)
{
    return flags & TLB_1G ? SIZE_1G : flags & TLB_2M ? SIZE_2M : SIZE_4K;
}

/* space: guest and PCID in their places, see mmu_space. */
static inline uint64_t key_make(va_t va, enum size_code size, uint64_t space)
{
    uint64_t kept = va & (((uint64_t)1 << VA_BITS_KEPT) - 1);
    return kept >> size_shift(size) << KEY_SIZE_BITS | (uint64_t)size | space;
}

/* Does a key tell the whole address? Not where the bits above those that it keeps are no copies. */
static inline bool key_tells(va_t va)
{
    return !((va + ((va_t)1 << (VA_BITS_KEPT - 1))) >> VA_BITS_KEPT);
}

static inline enum size_code key_size(uint64_t key)
{
    return (enum size_code)(key & (((uint64_t)1 << KEY_SIZE_BITS) - 1));
}

/* The page number in the key's own size. */
static inline uint64_t key_number(uint64_t key)
{
    return (key & KEY_PAGE) >> KEY_SIZE_BITS;
}

static inline uint16_t key_pcid(uint64_t key)
{
    return (uint16_t)((key & KEY_PCID) >> KEY_PCID_SHIFT);
}

/* The first 4 KiB page that a key stands for. */
static inline vpn_t key_vpn(uint64_t key)
{
    va_t kept = key_number(key) << size_shift(key_size(key));
    va_t sign = (va_t)1 << (VA_BITS_KEPT - 1);
    return ((kept ^ sign) - sign) >> PAGE_SHIFT;
}

static inline uint64_t data_make(pfn_t pfn, uint32_t flags)
{
    return (uint64_t)flags >> PAGE_SHIFT << 52 | pfn << PAGE_SHIFT | (flags & PAGE_MASK);
}

static inline pfn_t data_pfn(uint64_t data)
{
    return pte_pfn(data);
}

static inline uint32_t data_flags(uint64_t data)
{
    return (uint32_t)(data >> 52 << PAGE_SHIFT | (data & PAGE_MASK));
}

/* Page number mod sets, without a division: the quotient is at most one too small, because a page
 * number has at most 45 bits. */
static inline uint32_t tlb_set(const struct tlb *t, uint64_t key)
{
    __extension__ typedef unsigned __int128 u128;
    uint64_t number = key_number(key);
    if (t->pow2_mask || t->config.sets == 1)
        return (uint32_t)(number & t->pow2_mask);
    uint64_t quotient = (uint64_t)((u128)number * t->reciprocal >> 64);
    uint64_t rest = number - quotient * t->config.sets;
    return (uint32_t)(rest - (rest >= t->config.sets ? t->config.sets : 0));
}

/* All bits of page number and size have a part in the short tag, so pages rarely share one. The
 * zeroes at the factor's end keep guest and PCID out of it. */
static inline uint16_t key_short(uint64_t key)
{
    return (uint16_t)(key * UINT64_C(0x79b97f4a7c150000) >> 48);
}

/* Can the entry be used for a lookup with this key? An equal key, or a global entry of any PCID. */
static inline bool entry_serves(const struct tlb_entry *e, uint64_t key)
{
    uint64_t differs = e->key ^ key;
    return !differs || (!(differs & ~KEY_PCID) && e->data & TLB_GLOBAL);
}

/* Bits 2 i and 2 i + 1: tag[i] == wanted, for eight lanes. */
static inline uint32_t lanes_twice(const uint16_t *tag, uint16_t wanted)
{
#ifdef __SSE2__
    __m128i equal = _mm_cmpeq_epi16(_mm_loadu_si128((const __m128i *)(const void *)tag),
                                    _mm_set1_epi16((short)wanted));
    return (uint32_t)_mm_movemask_epi8(equal);
#else
    uint32_t bits = 0;
    for (unsigned i = 0; i < TLB_LANES; i++)
        bits |= (tag[i] == wanted ? 3u : 0) << 2 * i;
    return bits;
#endif
}

/* The lowest way that serves key, or TLB_NONE. Up to 16 ways are compared before any is looked at:
 * which of them it is cannot be predicted. */
static inline int tlb_find(const struct tlb *t, uint32_t set, uint64_t key)
{
    size_t slot = (size_t)set * t->stride;
    uint16_t wanted = key_short(key);
    for (uint32_t from = 0; from < t->stride; from += 16) {
        uint32_t bits = 0, lanes = t->stride - from < 16 ? t->stride - from : 16;
        for (uint32_t at = 0; at < lanes; at += TLB_LANES)
            bits |= lanes_twice(t->shorts + slot + from + at, wanted) << 2 * at;
        for (; bits; bits &= bits - 1) {
            uint32_t way = from + (uint32_t)__builtin_ctz(bits) / 2;
            if (entry_serves(&t->entry[slot + way], key))
                return (int)way;
        }
    }
    return TLB_NONE;
}

static inline size_t tlb_slot(const struct tlb *t, uint32_t set, uint32_t way)
{
    return (size_t)set * t->stride + way;
}

static inline uint64_t *tlb_state(const struct tlb *t, uint32_t set)
{
    return t->state + (size_t)set * t->words;
}

/* The entry was of use. */
static inline void tlb_hit(struct tlb *t, uint32_t set, uint32_t way)
{
    t->ops->hit(tlb_state(t, set), t->config.ways, way);
}

/* Which entries an instruction forgets. */
struct scope {
    uint64_t mask;   /* KEY_PCID where it matters */
    uint64_t space;  /* … and what it must be */
    bool global;     /* global entries too, whatever their PCID */
    uint16_t guests; /* bit n: those of guest n, bit 0: those of no guest */
};

/* Is an entry with this key and data in the scope? */
static inline bool scope_has(const struct scope *s, uint64_t key, bool global)
{
    if (!(s->guests >> (key >> KEY_GUEST_SHIFT) & 1))
        return false;
    return global ? s->global : !((key ^ s->space) & s->mask);
}

/* Puts an entry that is not there into the lowest invalid way, else into the victim's. Returns the
 * way; *victim is what was thrown out, key 0: nothing. */
uint32_t tlb_put(struct tlb *, struct rng *, uint32_t set, uint64_t key, uint64_t data,
                 struct tlb_entry *victim);
/* Makes a valid way invalid. */
void tlb_remove(struct tlb *, uint32_t set, uint32_t way);

#endif
