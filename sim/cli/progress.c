/* progress.c: draws the bar at most ten times a second, over itself. */
#include "sim/cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    BAR_WIDTH = 30,
    FIRST_AFTER_MS = 500,
    EVERY_MS = 100,
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void progress_start(struct progress *p, const char *what)
{
    *p = (struct progress){.what = what, .on = isatty(STDERR_FILENO) == 1};
    if (p->on)
        p->start = p->last = now_ms();
}

static void draw(const struct progress *p, uint64_t done, uint64_t total)
{
    char bar[BAR_WIDTH + 1];
    double part = (double)done / (double)total;
    int full = (int)(part * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %3d %%", p->what, bar, (int)(part * 100));
}

void progress_tick(struct progress *p, uint64_t done, uint64_t total)
{
    if (!p->on)
        return;
    uint64_t now = now_ms();
    if (now - p->start < FIRST_AFTER_MS || (p->shown && now - p->last < EVERY_MS))
        return;
    p->last = now;
    p->shown = true;
    if (total && done <= total)
        draw(p, done, total);
    else
        fprintf(stderr, "\r%s: %llu MB", p->what, (unsigned long long)(done / 1000000));
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown)
        fprintf(stderr, "\r\033[K");
    p->shown = false;
}
