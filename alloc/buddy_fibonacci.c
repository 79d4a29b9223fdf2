/* buddy_fibonacci.c: Fibonacci buddies: block sizes 1, 2, 3, 5, 8, 13 … units, each the sum of the
 * two before it.
 *
 * A block of order k is cut into one of order k-1 and one of order k-2, so there are more sizes
 * than with powers of two, and less of a block is wasted: at most about 38 % instead of 50 %.
 *
 *   34 ──▶ 21 + 13        the arena as a tree of cuts
 *          21 ──▶ 13 + 8
 *                 13 ──▶ 8 + 5
 *
 * The price: buddies have two different sizes, and whether a block is the left or the right part of
 * its parent cannot be read off its offset. Here the way to it is taken from the top of the tree,
 * which costs a few instructions and no memory.
 * Source: Hirschberg, "A class of dynamic memory allocation algorithms", 1973.
 *
 * Cost: malloc and free O(orders). Best: mixed sizes. Worst: sizes just above one of the series.
 * The lists, the bytes for the orders and the drawing are those of buddy.c.
 */
#include "alloc/buddy.h"

static uint64_t fibonacci_size(unsigned order)
{
    uint64_t size = BUDDY_UNIT;
    uint64_t next = 2 * BUDDY_UNIT;
    for (unsigned i = 0; i < order; i++) {
        uint64_t sum = size + next;
        size = next;
        next = sum;
    }
    return size;
}

static unsigned fibonacci_left(unsigned order)
{
    return order - 1;
}

static unsigned fibonacci_right(unsigned order)
{
    return order - 2;
}

static void fibonacci_family(struct buddy_place b, unsigned whole, struct buddy_place *parent,
                             struct buddy_place *buddy)
{
    struct buddy_place at = {0, whole};
    *parent = *buddy = at;
    while (at.order > b.order) {
        struct buddy_place left = {at.offset, at.order - 1};
        uint64_t middle = at.offset + fibonacci_size(left.order);
        struct buddy_place right = {middle, at.order >= 2 ? at.order - 2 : 0};
        bool goes_right = b.offset >= middle;
        *parent = at;
        *buddy = goes_right ? left : right;
        at = goes_right ? right : left;
    }
}

const struct buddy_kind buddy_fibonacci = {
    .ops = BUDDY_OPS("fibonacci-buddy", "Fibonacci buddies: a block of order k is k-1 and k-2"),
    .size = fibonacci_size,
    .left = fibonacci_left,
    .right = fibonacci_right,
    .cut_min = 2,
    .family = fibonacci_family,
    .natural = 0,
};
