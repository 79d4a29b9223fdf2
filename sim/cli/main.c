/* main.c: the memwalk command: one table of commands, and what all of them need from the host.
 *
 * Broken pipes are errors of write here, not signals, so that 'memwalk … | head' ends quietly; any
 * other failed write to standard output ends with STATUS_BAD whatever the command said.
 */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int cli_version(int argc, char **argv);
static int cli_help(int argc, char **argv);

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *doc;
};

static const struct command commands[] = {
    {"run", cli_run, "replay a trace and report: allocator, kernel, MMU, cycles"},
    {"explain", cli_explain, "tell what happens, step by step, in words"},
    {"walk", cli_walk, "one address through the page tables, bit by bit"},
    {"translate", cli_translate, "accesses to tables in an image of physical memory"},
    {"maps", cli_maps, "the areas of a process, as /proc/PID/maps shows them"},
    {"proc", cli_proc, "a file below /proc, in Linux's format"},
    {"heap", cli_heap, "the heap chunk by chunk, and its free lists"},
    {"tlb", cli_tlb, "the TLBs, set by set, and the paging-structure caches"},
    {"tables", cli_tables, "the tree of page tables"},
    {"frames", cli_frames, "physical memory: which frame belongs to whom"},
    {"access", cli_access, "drive the MMU with a stream of memory accesses"},
    {"view", cli_view, "the window: step through memory, forwards and back"},
    {"film", cli_film, "a stretch of a run as GIF, WebM or MP4"},
    {"perfetto", cli_perfetto, "a run as slices and flows for ui.perfetto.dev"},
    {"lab", cli_lab, "grade an allocator on traces, as a malloc lab does"},
    {"record", cli_record, "record the allocations of a real program as a trace"},
    {"trace", cli_trace, "check, count, convert and cut traces"},
    {"truth", cli_truth, "replay as on a real Linux, and compare with what happened there"},
    {"cpu", cli_cpu, "the processors whose TLBs and caches can be had by name"},
    {"config", cli_config, "the keys of the configuration"},
    {"events", cli_events, "the events of the log"},
    {"version", cli_version, "the version of memwalk"},
    {"help", cli_help, "this list, or the help of one command"},
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[ARRAY_LEN(commands)];
    char hint[128];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        names[i] = commands[i].name;
    fprintf(stderr, "memwalk: there is no command \"%s\"%s\nTry 'memwalk help' for all commands.\n",
            name, cli_near(name, names, ARRAY_LEN(names), hint));
    return STATUS_BAD;
}

static int run(const struct command *c, int argc, char **argv)
{
    char name[48];
    snprintf(name, sizeof(name), "memwalk %s", c->name);
    argv[0] = name;
    return c->run(argc, argv);
}

static void print_commands(FILE *out)
{
    fputs("Usage: memwalk COMMAND [OPTION...] [ARGUMENT...]\n"
          "Watch a program's malloc go all the way down: allocator, kernel, page tables, TLB.\n\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        cli_entry(out, commands[i].name, commands[i].doc, 10);
    fputs("\n'memwalk COMMAND --help' tells more of each command; so does 'man memwalk-COMMAND'.\n"
          "Exit status: 0 fine, 1 expectations of a trace failed, 2 bad input or usage.\n",
          out);
}

static int cli_version(int argc, char **argv)
{
    static const struct argp argp = {NULL, NULL, "", "Print the version of memwalk.", 0, 0, 0};
    cli_parse(&argp, argc, argv, false, NULL);
    puts("memwalk " MEMWALK_VERSION);
    return STATUS_OK;
}

static int cli_help(int argc, char **argv)
{
    char option[] = "--help";
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        print_commands(stdout);
        return STATUS_OK;
    }
    const struct command *c = find(argv[1]);
    if (!c)
        return unknown(argv[1]);
    return run(c, 2, (char *[]){argv[0], option, NULL});
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        print_commands(stderr);
        return STATUS_BAD;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "-?") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct command *c = find(name);
    return c ? run(c, argc - 1, argv + 1) : unknown(name);
}

/* A standard stream that is closed would give its number to the next file that is opened. */
static void fill_standard_streams(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
            exit(STATUS_BAD);
}

static bool reader_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

/* Has everything that was printed arrived? A reader that went away has seen what it wanted. It runs
 * also where argp ends the program, after --help. */
static void check_output(void)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if ((fflush(stdout) == 0 && !failed) || reader_gone())
        return;
    fprintf(stderr, "memwalk: standard output cannot be written%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    _exit(STATUS_BAD);
}

int main(int argc, char **argv)
{
    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN);
    atexit(check_output);
    return dispatch(argc, argv);
}
