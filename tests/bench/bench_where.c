/* bench_where.c: where the time of a replay goes, by rooms of the house: the program counter is
 * looked at a thousand times a second of processor time, and binutils' addr2line tells whose source
 * it was in. Usage: bench_where [TRACE]; the default is a shipped recording.
 */
#include "sim/inspect.h"
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define SAMPLES 2000u
#define ROOMS   16u

extern const char __executable_start[];

static uint64_t sample[SAMPLES];
static volatile sig_atomic_t samples;

static void look(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    const ucontext_t *u = context;
    if (samples < (int)SAMPLES) {
        sample[samples] = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
        samples = samples + 1;
    }
}

/* Ops done until there are samples enough. */
static uint64_t replay_on(const struct trace *t, const char *alloc, struct mmu_counters *mmu)
{
    struct config c;
    struct error error = {0};
    struct sim_options o = {.config = &c, .trace = t};
    struct sim *s;
    uint64_t ops = 0;
    config_default(&c);
    c.mmu.classify = false; /* as in bench_replay */
    snprintf(c.alloc, sizeof(c.alloc), "%s", alloc);
    samples = 0;
    while (samples < (int)SAMPLES) {
        if (sim_open(&s, &o, &error))
            bench_die(&error);
        if (sim_run(s, NULL, NULL, &error) < 0)
            bench_die(&error);
        ops += t->count;
        mmu->accesses += inspect_mmu(s, 0)->accesses;
        mmu->walks += inspect_mmu(s, 0)->walks;
        sim_close(s);
    }
    return ops;
}

struct room {
    char name[64];
    unsigned count;
};

/* "alloc/glibc.c:17" is alloc/; what no source of ours has is the C library's. The short way to
 * memory (hot.h) is part of whoever takes it, so its folder, sim/base/, is told by itself. */
static void count_line(struct room *room, const char *line)
{
    char cwd[512] = "";
    if (!getcwd(cwd, sizeof(cwd)))
        return;
    size_t n = strlen(cwd);
    const char *path = strncmp(line, cwd, n) == 0 && line[n] == '/' ? line + n + 1 : line;
    path += strncmp(path, "./", 2) == 0 ? 2 : 0;
    const char *file = strrchr(path, '/');
    bool ours = path[0] != '/' && path[0] != '?' && file;
    char name[64] = "the C library and the kernel";
    if (ours)
        snprintf(name, sizeof(name), "%.*s/", (int)min_u64((uint64_t)(file - path), 40), path);
    for (unsigned i = 0; i < ROOMS; i++) {
        if (room[i].count && strcmp(room[i].name, name) != 0)
            continue;
        memcpy(room[i].name, name, sizeof(name));
        room[i].count++;
        return;
    }
}

static bool count_rooms(struct room *room)
{
    char list[] = "/tmp/bench-where-XXXXXX", command[256], line[1024], self[200];
    int fd = mkstemp(list);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (!out || length < 0)
        return false;
    self[length] = '\0';
    for (unsigned i = 0; i < SAMPLES; i++)
        fprintf(out, "%#" PRIx64 "\n", sample[i] - (uint64_t)(uintptr_t)__executable_start);
    fclose(out);
    snprintf(command, sizeof(command), "addr2line -e '%s' < %s", self, list);
    FILE *in = popen(command, "r");
    while (in && fgets(line, sizeof(line), in))
        count_line(room, line);
    bool good = in && pclose(in) == 0;
    unlink(list);
    return good;
}

static int by_count(const void *a, const void *b)
{
    const struct room *x = a, *y = b;
    return (y->count > x->count) - (y->count < x->count);
}

static void bench(const struct trace *t, const char *alloc)
{
    struct room room[ROOMS] = {{"", 0}};
    struct mmu_counters mmu = {0};
    uint64_t ops = replay_on(t, alloc, &mmu);
    if (!count_rooms(room)) {
        printf("addr2line is missing (package binutils): nothing can be said\n");
        return;
    }
    qsort(room, ROOMS, sizeof(room[0]), by_count);
    printf("%s: %.1f accesses and %.3f walks an op; of the time\n", alloc,
           (double)mmu.accesses / (double)ops, (double)mmu.walks / (double)ops);
    for (unsigned i = 0; i < ROOMS && room[i].count; i++)
        printf("  %5.1f %%  %s\n", 100.0 * room[i].count / SAMPLES, room[i].name);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "traces/sqlite3.jsonl.zst";
    struct error error;
    struct trace *t;
    if (trace_load(&t, path, &error))
        bench_die(&error);
    struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    const struct itimerval every = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &every, NULL);
    printf("%s: where the time of its replay goes, %u samples a line\n", path, SAMPLES);
    bench(t, "glibc");
    bench(t, "first-fit");
    trace_free(t);
    return 0;
}
