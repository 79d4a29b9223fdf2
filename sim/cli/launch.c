/* launch.c: runs a program and waits for it, transparently.
 *
 * Signals are taken one by one with sigwaitinfo instead of by handlers: no handler, no global. What
 * the terminal sends (Ctrl-C) reaches the program anyway, since it is in the same process group;
 * what a person or a supervisor sends to this process alone is passed on.
 */
#include "sim/cli/launch.h"

#include "sim/base/types.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

struct calm {
    sigset_t set, before;
    struct sigaction child_before;
};

/* Blocks what is to be waited for. SIGCHLD must not be ignored, or the status would be lost. */
static void calm_begin(struct calm *c)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigemptyset(&c->set);
    sigaddset(&c->set, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        sigaddset(&c->set, passed_on[i]);
    sigaction(SIGCHLD, &normal, &c->child_before);
    sigprocmask(SIG_BLOCK, &c->set, &c->before);
}

/* A Ctrl-C that ended the program was not meant for what is still to be done here. */
static void calm_end(const struct calm *c)
{
    const struct timespec now = {0, 0};
    while (sigtimedwait(&c->set, NULL, &now) > 0)
        continue;
    sigaction(SIGCHLD, &c->child_before, NULL);
    sigprocmask(SIG_SETMASK, &c->before, NULL);
}

static void become(char *const argv[], const char *const environment[][2], const struct calm *c,
                   int report)
{
    for (size_t i = 0; i < 2; i++)
        setenv(environment[i][0], environment[i][1], 1);
    sigaction(SIGCHLD, &c->child_before, NULL);
    sigprocmask(SIG_SETMASK, &c->before, NULL);
    execvp(argv[0], argv);
    int error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

/* The errno of a failed exec, 0 where it worked: then the pipe was closed by it. */
static int read_report(int fd)
{
    int error = 0;
    ssize_t n;
    do {
        n = read(fd, &error, sizeof(error));
    } while (n < 0 && errno == EINTR);
    close(fd);
    return n == sizeof(error) ? error : 0;
}

static int wait_for(pid_t pid, const struct calm *c)
{
    int status = 0;
    for (;;) {
        siginfo_t info;
        int signal = sigwaitinfo(&c->set, &info);
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        if (signal > 0 && signal != SIGCHLD && info.si_code <= 0)
            kill(pid, signal);
    }
}

int launch(char *const argv[], const char *const environment[][2], int *status)
{
    int report[2];
    struct calm calm;
    if (pipe2(report, O_CLOEXEC))
        return errno;
    calm_begin(&calm);
    pid_t pid = fork();
    int error = pid < 0 ? errno : 0;
    if (pid == 0)
        become(argv, environment, &calm, report[1]);
    close(report[1]);
    int failed = read_report(report[0]);
    if (pid > 0)
        *status = wait_for(pid, &calm);
    calm_end(&calm);
    return error ? error : failed;
}

int launch_echo(int status)
{
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    int signal = WTERMSIG(status);
    struct sigaction normal = {.sa_handler = SIG_DFL};
    struct rlimit no_core = {0, 0}; /* the program's own dump, if any, must not be overwritten */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    setrlimit(RLIMIT_CORE, &no_core);
    sigaction(signal, &normal, NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(signal);
    return 128 + signal;
}
