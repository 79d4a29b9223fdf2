/* process.c: what processes can do to a recorder: fork, vfork, spawn, close everything, crash, wait
 * to be killed. The first argument says which. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile keep;

static void churn(int n, size_t size)
{
    for (int i = 0; i < n; i++) {
        keep = malloc(size);
        free(keep);
    }
}

/* 3 blocks before the fork; the child frees the first two and makes 2; the parent frees the third
 * and makes 1; the grandchild makes 1. */
static int do_fork(void)
{
    char *block[3];
    for (size_t i = 0; i < 3; i++)
        block[i] = malloc(1000 + i);
    pid_t child = fork();
    if (!child) {
        free(block[0]);
        free(block[1]);
        keep = malloc(2000);
        pid_t grandchild = (pid_t)syscall(SYS_fork); /* not through the C library */
        if (!grandchild) {
            keep = malloc(4000);
            _exit(0);
        }
        waitpid(grandchild, NULL, 0);
        keep = malloc(2001);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    free(block[2]);
    keep = malloc(3000);
    return 0;
}

static int do_vfork(void)
{
    keep = malloc(11);
    pid_t child = vfork();
    if (!child) {
        execlp("ls", "ls", "/", (char *)NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
    char *const argv[] = {(char *)"ls", (char *)"/", NULL};
    if (posix_spawnp(&child, "ls", NULL, NULL, argv, environ))
        return 1;
    waitpid(child, NULL, 0);
    keep = malloc(12);
    return 0;
}

/* Takes every file descriptor for itself, and writes to the lowest ones that it can get. */
static int do_close(void)
{
    struct rlimit r = {64, 64};
    setrlimit(RLIMIT_NOFILE, &r);
    syscall(SYS_close_range, 3u, ~0u, 0u);
    int fd = open("closed.out", O_CREAT | O_TRUNC | O_RDWR, 0600);
    while (dup(fd) >= 0)
        continue;
    churn(100000, 100);
    return dprintf(fd, "mine\n") == 5 && fd == 3 ? 0 : 1;
}

static int do_crash(void)
{
    churn(1000, 10);
    keep = malloc(12345);
    *(volatile int *)8 = 1;
    return 0;
}

static int do_double_free(void)
{
    keep = malloc(100);
    free(keep);
    free(keep); /* cppcheck-suppress doubleFree ; on purpose */
    return 0;
}

static int do_wait(void)
{
    churn(5000, 10);
    keep = malloc(54321);
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    while (pause() != 0)
        continue;
    return 0;
}

static int do_many(void)
{
    churn(100000, 100);
    puts("all done");
    return 3;
}

static void *forking(void *unused)
{
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (!child) {
            churn(100, 500);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return unused;
}

/* One thread forks while three allocate. */
static int do_threads_fork(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, forking, NULL);
    for (int i = 0; i < 20; i++)
        churn(500, 300);
    pthread_join(thread, NULL);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } ways[] = {
        {"fork", do_fork},   {"vfork", do_vfork},
        {"close", do_close}, {"crash", do_crash},
        {"wait", do_wait},   {"double-free", do_double_free},
        {"many", do_many},   {"threads-fork", do_threads_fork},
    };
    for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++)
        if (!strcmp(argv[1], ways[i].name))
            return ways[i].run();
    return 2;
}
