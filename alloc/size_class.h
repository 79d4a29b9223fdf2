/* size_class.h: the size classes that mi-like and je-like share: each multiple of 16 up to 128, and
 * then four steps to each doubling, so that rounding up wastes at most a fifth.
 *
 *   16 32 48 64 80 96 112 128 | 160 192 224 256 | 320 384 448 512 | 640 768 896 1024 | …
 */
#ifndef MEMWALK_ALLOC_SIZE_CLASS_H
#define MEMWALK_ALLOC_SIZE_CLASS_H

#include "sim/base/types.h"

#define SIZE_CLASSES 40u /* up to 32K */

static inline uint64_t size_class_bytes(unsigned class)
{
    if (class < 8)
        return UINT64_C(16) * (class + 1);
    unsigned group = (class - 8) / 4;
    return (UINT64_C(5) + (class - 8) % 4) << (group + 5);
}

/* The smallest class that holds so many bytes; size is at most that of the last class. */
static inline unsigned size_class_of(uint64_t size)
{
    if (size <= 128)
        return size ? (unsigned)((size - 1) / 16) : 0;
    unsigned power = 63 - (unsigned)__builtin_clzll((unsigned long long)(size - 1));
    return 8 + 4 * (power - 7) + (unsigned)((size - 1) >> (power - 2) & 3);
}

static inline const char *size_class_name(unsigned class)
{
    static const char *const names[SIZE_CLASSES] = {
        "16",   "32",   "48",    "64",    "80",    "96",    "112",   "128",   "160",   "192",
        "224",  "256",  "320",   "384",   "448",   "512",   "640",   "768",   "896",   "1024",
        "1280", "1536", "1792",  "2048",  "2560",  "3072",  "3584",  "4096",  "5120",  "6144",
        "7168", "8192", "10240", "12288", "14336", "16384", "20480", "24576", "28672", "32768"};
    return names[class];
}

#endif
