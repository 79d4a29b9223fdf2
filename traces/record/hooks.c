/* hooks.c: the malloc family, put before the C library's own in a recorded program.
 *
 * Each hook calls the real function and says so. The order makes the recording a valid order of
 * execution for any number of threads: a block is said to be gone before it really goes, and to be
 * there after it really came, so between two owners of an address the entries never cross.
 */
#include "traces/record/recorder.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#define HOOK __attribute__((visibility("default")))

/* glibc's own names of its functions: they need no lookup, which could itself allocate. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
int __libc_mallopt(int, int);

HOOK void *malloc(size_t);
HOOK void *calloc(size_t, size_t);
HOOK void *realloc(void *, size_t);
HOOK void *reallocarray(void *, size_t, size_t);
HOOK void free(void *);
HOOK void *memalign(size_t, size_t);
HOOK int posix_memalign(void **, size_t, size_t);
HOOK void *aligned_alloc(size_t, size_t);
HOOK void *valloc(size_t);
HOOK void *pvalloc(size_t);
HOOK int malloc_trim(size_t);
HOOK int mallopt(int, int);

/* The ones without such a name are looked up when they are first used. */
static uintptr_t real(_Atomic uintptr_t *slot, const char *name)
{
    uintptr_t function = atomic_load_explicit(slot, memory_order_relaxed);
    if (function)
        return function;
    function = (uintptr_t)dlsym(RTLD_NEXT, name);
    atomic_store_explicit(slot, function, memory_order_relaxed);
    return function;
}

#define REAL(name)                                                                                 \
    static _Atomic uintptr_t name##_slot;                                                          \
    __typeof__(&name) real_##name = (__typeof__(&name))real(&name##_slot, #name)

void *malloc(size_t size)
{
    void *p = __libc_malloc(size);
    recorder_note(LOG_MALLOC, p, size, 0);
    return p;
}

void *calloc(size_t nmemb, size_t size)
{
    void *p = __libc_calloc(nmemb, size);
    recorder_note(LOG_CALLOC, p, size, nmemb);
    return p;
}

void free(void *p)
{
    recorder_note(LOG_FREE, p, 0, 0);
    __libc_free(p);
}

void *realloc(void *old, size_t size)
{
    recorder_note(LOG_REALLOC_BEGIN, old, 0, 0);
    void *p = __libc_realloc(old, size);
    recorder_note(LOG_REALLOC, p, size, 0);
    return p;
}

void *reallocarray(void *old, size_t nmemb, size_t size)
{
    size_t bytes;
    void *p = NULL;
    recorder_note(LOG_REALLOC_BEGIN, old, 0, 0);
    if (__builtin_mul_overflow(nmemb, size, &bytes))
        errno = ENOMEM;
    else
        p = __libc_realloc(old, bytes);
    recorder_note(LOG_REALLOCARRAY, p, size, nmemb);
    return p;
}

void *memalign(size_t alignment, size_t size)
{
    void *p = __libc_memalign(alignment, size);
    recorder_note(LOG_MEMALIGN, p, size, alignment);
    return p;
}

int posix_memalign(void **to, size_t alignment, size_t size)
{
    REAL(posix_memalign);
    void *p = NULL;
    int error = real_posix_memalign(&p, alignment, size);
    recorder_note(LOG_POSIX_MEMALIGN, error ? NULL : p, size, alignment);
    if (!error)
        *to = p;
    return error;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    REAL(aligned_alloc);
    void *p = real_aligned_alloc(alignment, size);
    recorder_note(LOG_ALIGNED_ALLOC, p, size, alignment);
    return p;
}

void *valloc(size_t size)
{
    void *p = __libc_valloc(size);
    recorder_note(LOG_VALLOC, p, size, 0);
    return p;
}

void *pvalloc(size_t size)
{
    void *p = __libc_pvalloc(size);
    recorder_note(LOG_PVALLOC, p, size, 0);
    return p;
}

int malloc_trim(size_t pad)
{
    REAL(malloc_trim);
    recorder_note(LOG_MALLOC_TRIM, NULL, pad, 0);
    return real_malloc_trim(pad);
}

int mallopt(int param, int value)
{
    recorder_note(LOG_MALLOPT, NULL, (uint64_t)param, (uint64_t)value);
    return __libc_mallopt(param, value);
}
