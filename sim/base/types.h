/* types.h: the scalar words of the whole project.
 *
 * An address is never just an address: va_t is virtual, pa_t is physical. A page is virtual, a
 * frame is physical. Ranges are half-open: [start, end).
 */
#ifndef MEMWALK_BASE_TYPES_H
#define MEMWALK_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t va_t;     /* virtual address, bytes */
typedef uint64_t pa_t;     /* physical address, bytes */
typedef uint64_t vpn_t;    /* virtual page number: va >> PAGE_SHIFT */
typedef uint64_t pfn_t;    /* physical frame number: pa >> PAGE_SHIFT */
typedef uint64_t pte_t;    /* one entry of a page table of any level */
typedef uint64_t cycles_t; /* simulated processor cycles */

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((uint64_t)1 << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)
#define PFN_NONE   UINT64_MAX

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* What an access wants to do. */
enum access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_FETCH,
};

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* align is a power of two. Wraps to 0 beyond the top of 64 bits. */
static inline uint64_t align_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static inline uint64_t align_down(uint64_t n, uint64_t align)
{
    return n & ~(align - 1);
}

static inline bool is_pow2(uint64_t n)
{
    return n && !(n & (n - 1));
}

#endif
