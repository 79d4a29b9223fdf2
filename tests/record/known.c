/* known.c: makes one call of each kind; prints nothing. test_record.sh knows what must be recorded.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

static void *volatile keep; /* keeps the compiler from removing a call */

static void *use(void *p)
{
    keep = p;
    return keep;
}

int main(void)
{
    volatile size_t huge = SIZE_MAX, zero = 0;
    void *aligned = NULL, *aligned_badly = NULL;
    mallopt(M_TRIM_THRESHOLD, 200001);
    void *a = use(malloc(24));
    void *b = use(calloc(3, 40));
    a = use(realloc(a, 5000));
    void *c = use(realloc(NULL, 77));
    c = use(reallocarray(c, 10, 20));
    use(reallocarray(c, huge, 3));
    use(malloc(huge));
    use(calloc(huge, 2));
    free(NULL);
    void *d = use(memalign(64, 100));
    if (posix_memalign(&aligned, 4096, 33) || posix_memalign(&aligned_badly, 24, 8) == 0)
        return 1;
    void *e = use(aligned_alloc(128, 256));
    void *f = use(valloc(5));
    void *g = use(pvalloc(6));
    free(b);
    use(realloc(d, zero));
    use(realloc(a, huge));
    void *h = use(malloc(zero));
    free(a);
    free(c);
    free(aligned);
    free(e);
    free(f);
    free(g);
    free(h);
    malloc_trim(4096);
    return 0;
}
