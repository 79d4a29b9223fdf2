/* vma.h: areas: the ranges of virtual memory that a process may use, and by what right.
 *
 * The areas of a process are a sorted array of pointers: found by bisection, listed by walking.
 * They split and merge by Linux's rules (mm/vma.c), because programs can see the result: in
 * /proc/PID/maps, in the limit on their number, and in where the next mapping goes.
 *
 *        prev          the range          next
 *   [ r w anon 1 ][ r w untouched ][ r w anon 2 ]      merges with prev only: two different
 *                                                       anon identities never join
 */
#ifndef MEMWALK_KERNEL_VMA_H
#define MEMWALK_KERNEL_VMA_H

#include "kernel/kernel.h"

struct process;

/* Flags of an area; the first three are LX_PROT_ bits, the values are Linux's own. */
#define VM_READ       0x1u
#define VM_WRITE      0x2u
#define VM_EXEC       0x4u
#define VM_ACCESS     (VM_READ | VM_WRITE | VM_EXEC)
#define VM_SHARED     0x8u
#define VM_PKEY       0xf0u /* the protection key; Linux keeps it in bits 32 to 35 */
#define VM_PKEY_SHIFT 4
#define VM_GROWSDOWN  0x100u
#define VM_LOCKED     0x2000u
#define VM_SEQ_READ   0x8000u
#define VM_RAND_READ  0x10000u
#define VM_DONTCOPY   0x20000u
#define VM_ACCOUNT    0x100000u /* its pages are charged against overcommit */
#define VM_NORESERVE  0x200000u
#define VM_SYNC       0x800000u /* asked for with MAP_SYNC; means something for files only */
#define VM_WIPEONFORK 0x2000000u
#define VM_DONTDUMP   0x4000000u
#define VM_HUGEPAGE   0x20000000u
#define VM_NOHUGEPAGE 0x40000000u
#define VM_MERGEABLE  0x80000000u /* for same-page merging, which is not modelled */

#define TASK_SIZE   UINT64_C(0x7ffffffff000) /* end of what a program may map */
#define HINT_MIN    UINT64_C(65536)          /* a lower wish, or stack, is not granted */
#define MMAP_MIN    PAGE_SIZE                /* vm.mmap_min_addr, as Linux starts with */
#define STACK_GUARD (256 * PAGE_SIZE)        /* kept free below an area that grows down */
#define HUGE_SIZE   (2 * MIB)
#define AREA_SPARES 3u

/* What an area shows of a file. Constant: nothing of it travels in time. */
struct area_file {
    const char *path;
    unsigned major, minor; /* device */
    uint64_t inode;
};

struct area {
    va_t start, end;
    uint32_t flags;
    /* Identity of the anonymous memory that was written here (Linux: anon_vma); 0: none yet. */
    uint64_t anon;
    bool inherited; /* anon came from the parent by fork: joins only with its own pieces */
    /* Page number in the file or shared object; of private memory start >> 12 when it was made.
     * Neighbours merge only where it goes on. */
    uint64_t pgoff;
    const struct area_file *file; /* NULL: anonymous */
    struct object *object;        /* of shared memory; holds one count of it */
};

/* In every list there is room for the areas that a call may need, before it changes anything. */
struct areas {
    struct area **at;
    size_t count, capacity;
    struct area *spare[AREA_SPARES];
    size_t spares;
};

/* Room for n <= AREA_SPARES more areas. false: no memory, nothing changed. */
bool areas_reserve(struct env *, struct areas *, size_t n);
/* Gives the list's own memory back; it holds no areas any more. */
void areas_drop(struct env *, struct areas *);

/* Index of the first area that ends above va (count where there is none). */
size_t areas_index(const struct areas *, va_t);
/* The area that holds va, or NULL. */
struct area *areas_find(const struct areas *, va_t);
/* The first area with bytes in [start, end), or NULL. */
struct area *areas_first(const struct areas *, va_t start, va_t end);
/* Area number i, NULL beyond the last. */
static inline struct area *areas_at(const struct areas *s, size_t i)
{
    return i < s->count ? s->at[i] : NULL;
}

static inline uint64_t area_pages(const struct area *a)
{
    return (a->end - a->start) >> PAGE_SHIFT;
}

/* The page of the file or object that an address of the area shows; va may be its end. */
static inline uint64_t area_index(const struct area *a, va_t va)
{
    return a->pgoff + ((va - a->start) >> PAGE_SHIFT);
}

/* The start as a neighbour below sees it: with the guard gap of a stack. */
va_t area_start_gap(const struct area *);
/* MAP_ bits as they would be asked for, for inspection and events. */
uint32_t area_map_flags(const struct area *);
/* "[heap]", "[stack]", a path, "". */
const char *area_name(const struct process *, const struct area *);

/* ---- changes; each tells its event right after it. All need areas_reserve before. ---- */

enum join { JOIN_NONE, JOIN_LOWER, JOIN_BOTH };

/* A new area with the given fields. It joins its neighbours where it can and join allows it. Takes
 * over wanted->object's count. The area that now holds it. */
struct area *area_add(struct env *, struct process *, const struct area *wanted, enum join join);
/* Gives [start, end), which lies in area, the given flags: splits and joins as needed. NULL: too
 * many areas (limit), nothing changed. */
struct area *area_modify(struct env *, struct process *, struct area *, va_t start, va_t end,
                         uint32_t flags, uint64_t limit);
/* The whole area gets the flags, without joining anything. */
void area_set_flags(struct env *, struct process *, struct area *, uint32_t flags);
/* Cuts area at va, which lies inside. */
void area_split(struct env *, struct process *, struct area *, va_t);
/* Takes [start, end) out of the list; its pages are gone already. */
void area_remove_range(struct env *, struct process *, va_t start, va_t end);
/* Moves the lower border down: growth of a stack. */
void area_grow_down(struct env *, struct process *, struct area *, va_t start);
/* Moves the upper border up (mremap in place), then joins the next area where it can. */
struct area *area_grow_up(struct env *, struct process *, struct area *, va_t end);
/* Gives the area its anonymous identity: a neighbour's that could be joined but for its rights, or
 * a new one from *next. */
void area_own_anon(const struct process *, struct area *, uint64_t *next);

/* ---- placement ---- */

/* Where the top-down search would put length bytes below top; 0: no hole is large enough. */
va_t areas_hole(const struct areas *, uint64_t length, va_t top, va_t *hole_start, va_t *hole_end);
/* The same from the bottom up, in [low, high). */
va_t areas_hole_up(const struct areas *, uint64_t length, va_t low, va_t high);

#endif
