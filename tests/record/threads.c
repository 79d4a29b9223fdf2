/* threads.c: threads that take, move and give back each other's blocks, so that addresses pass from
 * one to another all the time. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 2, STEPS = 20000, SLOTS = 64 };

static void *slot[SLOTS];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static void *exchange(unsigned i, void *p)
{
    pthread_mutex_lock(&guard);
    void *old = slot[i];
    slot[i] = p;
    pthread_mutex_unlock(&guard);
    return old;
}

static void *work(void *seed)
{
    uint32_t s = (uint32_t)(uintptr_t)seed;
    for (int i = 0; i < STEPS; i++) {
        s = s * 1103515245u + 12345u;
        unsigned k = (s >> 16) % SLOTS;
        size_t size = (s >> 8) % 3000 + 1;
        void *p = exchange(k, NULL);
        if (p && s >> 31)
            free(p);
        else
            free(exchange(k, p ? realloc(p, size) : malloc(size)));
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];
    for (int round = 0; round < ROUNDS; round++) {
        for (uintptr_t i = 0; i < THREADS; i++)
            pthread_create(&thread[i], NULL, work, (void *)(i + 1));
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        free(exchange(i, NULL));
    puts("done");
    return 0;
}
