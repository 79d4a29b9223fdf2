/* proof_model.c: the window's model equals inspection in every shipped trace and lesson, with every
 * allocator and every processor. Minutes of work on all cores; `make model-check` runs it.
 *
 *   own       each trace and lesson as it is           everything after every op
 *   lessons   each lesson × allocator × processor      everything after every op
 *   mixed     each recording × allocator, × processor  the quick part after every op, everything
 *                                                      after every 100th and the last
 *
 * Usage: proof_model [JOBS [WORD…]]; with words: only runs whose name has all of them in it.
 */
#include "alloc/alloc.h"
#include "sim/preset.h"
#include "tests/model_run.h"

#include <glob.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELDOM 100u

struct job {
    const char *path;
    const char *alloc, *cpu; /* NULL: the trace's own */
    uint64_t every;
};

struct plan {
    struct job *job;
    size_t jobs;
    char **word;
    int words;
};

/* What the workers share. */
struct tally {
    atomic_size_t next;
    atomic_ullong runs, ops, refused, damaged, differences;
};

static void name_of(const struct job *j, char *name, size_t size)
{
    snprintf(name, size, "%s alloc=%s cpu=%s every=%" PRIu64, j->path, j->alloc ? j->alloc : "own",
             j->cpu ? j->cpu : "own", j->every);
}

static void add(struct plan *p, struct job job)
{
    char name[300];
    name_of(&job, name, sizeof(name));
    for (int i = 0; i < p->words; i++)
        if (!strstr(name, p->word[i]))
            return;
    p->job = realloc(p->job, (p->jobs + 1) * sizeof(job));
    if (!p->job)
        exit(2);
    p->job[p->jobs++] = job;
}

static void plan_lesson(struct plan *p, const char *path)
{
    add(p, (struct job){path, NULL, NULL, 1});
    for (size_t a = 0; alloc_table[a]; a++)
        for (size_t c = 0; preset_at(c); c++)
            add(p, (struct job){path, alloc_table[a]->name, preset_at(c)->name, 1});
}

static void plan_recording(struct plan *p, const char *path)
{
    add(p, (struct job){path, NULL, NULL, 1});
    for (size_t a = 0; alloc_table[a]; a++)
        add(p, (struct job){path, alloc_table[a]->name, NULL, SELDOM});
    for (size_t c = 0; preset_at(c); c++)
        add(p, (struct job){path, NULL, preset_at(c)->name, SELDOM});
}

/* Sets the key where there is something to set. */
static enum err set(struct config *config, const char *key, const char *value, struct error *e)
{
    char setting[80];
    snprintf(setting, sizeof(setting), "%s=%s", key, value ? value : "");
    return value ? config_option(config, setting, e) : ERR_NONE;
}

static void do_job(const struct job *j, struct tally *tally)
{
    struct trace *trace;
    struct config config;
    struct error error = {0};
    struct model_run r = {.config = &config, .every = j->every};
    char name[300];
    name_of(j, name, sizeof(name));
    if (trace_load(&trace, j->path, &error)) {
        printf("%s: cannot be read\n", name);
        tally->differences++;
        return;
    }
    r.trace = trace;
    enum model_run_end end = RUN_REFUSED;
    if (model_run_config(&config, trace, &error) || set(&config, "alloc", j->alloc, &error) ||
        set(&config, "cpu", j->cpu, &error))
        error_text(&error, r.why, sizeof(r.why));
    else
        end = model_run(&r);
    tally->runs++;
    tally->ops += r.ops;
    tally->damaged += r.damaged;
    tally->refused += end == RUN_REFUSED;
    tally->differences += end == RUN_DIFFERS;
    if (end != RUN_EQUAL)
        printf("%s: %s%s\n", name, end == RUN_REFUSED ? "refused: " : "", r.why);
    fflush(stdout);
    trace_free(trace);
}

/* Takes jobs until there are no more. */
static void work(const struct plan *p, struct tally *tally)
{
    size_t i;
    while ((i = atomic_fetch_add(&tally->next, 1)) < p->jobs)
        do_job(&p->job[i], tally);
}

/* Workers are processes, so that one that dies takes nothing with it. true: none died. */
static bool work_together(const struct plan *p, struct tally *tally, long workers)
{
    bool good = true;
    int status;
    fflush(stdout);
    for (long i = 0; i < workers; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            work(p, tally);
            exit(0);
        }
        good = good && pid > 0;
    }
    while (wait(&status) > 0)
        good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return good;
}

int main(int argc, char **argv)
{
    struct plan p = {.word = argv + 2, .words = argc > 2 ? argc - 2 : 0};
    long workers = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    glob_t recordings;
    glob_t lessons;
    struct tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (workers < 1 || tally == MAP_FAILED || glob("traces/*.jsonl*", 0, NULL, &recordings) ||
        glob("traces/lesson-*.json", 0, NULL, &lessons)) {
        fprintf(stderr, "usage: proof_model [JOBS [WORD...]], where traces/ is\n");
        return 2;
    }
    for (size_t i = 0; i < recordings.gl_pathc; i++)
        plan_recording(&p, recordings.gl_pathv[i]);
    for (size_t i = 0; i < lessons.gl_pathc; i++)
        plan_lesson(&p, lessons.gl_pathv[i]);
    bool good = work_together(&p, tally, workers);
    if (tally->refused || tally->damaged)
        printf(
            "%llu runs refused; %llu ops not compared, because the program had damaged its heap\n",
            tally->refused, tally->damaged);
    printf("%llu runs, %llu ops, %llu differences%s\n", tally->runs, tally->ops, tally->differences,
           good ? "" : "; a worker died");
    good = good && tally->runs > 0 && !tally->differences;
    globfree(&recordings);
    globfree(&lessons);
    free(p.job);
    return good ? 0 : 1;
}
