/* vm_replay.c: a sequence of memory calls on the Linux that runs here: what each op returned, its
 * faults, what was read, and at the end every area and page.
 *
 *     vm_replay STUB TRACE PREFIX      writes PREFIX.out .maps .pages .json, as memwalk truth does
 *
 * Each process of the sequence is a real one that runs vm_stub under ptrace: this program puts the
 * registers of a system call, a load or a store into it and lets it run to the next breakpoint. So
 * nothing of the replay itself lies in the address space that is tried, and /proc tells the rest. A
 * fault that would kill the stub is seen here and kept from it. Status: 0; 3: it cannot be done
 * here, and why.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE         UINT64_C(4096)
#define TASK_SIZE    UINT64_C(0x7ffffffff000)
#define MMAP_LOW     UINT64_C(0x7ffff5e4d000) /* the lowest mapping that stands at the start */
#define SCRATCH      UINT64_C(0x7ffff8000000) /* above all that a sequence may use */
#define SCRATCH_SIZE (UINT64_C(1) << 20)
#define NUMBERS      64
#define BEFORE_KB    48 /* how memwalk counts the tables that stand at the start */
#define NOBODY       65534

/* Places in the stub, in the order of its code. */
struct stub {
    uint64_t syscall, load, store;
};

struct status {
    int64_t size, rss, anon, shmem, data, stack, locked, tables; /* kB, of /proc/PID/status */
};

struct one {
    pid_t pid; /* 0: it is not there, or has ended */
    uint64_t faults;
};

static struct {
    struct stub stub;
    struct one one[NUMBERS];
    uint64_t heap0, image0, mmap_low;
    struct status before;
    bool several;
    FILE *out, *maps, *pages, *json;
} g;

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("vm_replay: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    exit(3);
}

/* ---- one instruction of a process ---- */

/* What it came to: a signal, or the value of rax. */
struct step {
    int signal, code;
    uint64_t address, value;
};

static int wait_for(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, __WALL) != pid)
        give_up("waitpid: %s", strerror(errno));
    return status;
}

/* Runs to the next breakpoint. Signals of children are nobody's business; others end the step. */
static struct step go(pid_t pid, pid_t *child)
{
    struct user_regs_struct regs;
    siginfo_t info;
    while (true) {
        if (ptrace(PTRACE_CONT, pid, 0, 0))
            give_up("ptrace: %s", strerror(errno));
        int status = wait_for(pid);
        if (!WIFSTOPPED(status))
            return (struct step){.signal = -1};
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8)) {
            unsigned long message = 0;
            ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
            *child = (pid_t)message;
            continue;
        }
        if (WSTOPSIG(status) == SIGCHLD)
            continue;
        ptrace(PTRACE_GETREGS, pid, 0, &regs);
        if (WSTOPSIG(status) == SIGTRAP)
            return (struct step){.value = regs.rax};
        ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
        return (struct step){.signal = info.si_signo,
                             .code = info.si_code,
                             .address = (uint64_t)(uintptr_t)info.si_addr};
    }
}

static void aim(pid_t pid, uint64_t at, uint64_t nr, const uint64_t arg[6])
{
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    regs.rip = at;
    regs.rax = nr;
    regs.orig_rax = UINT64_MAX;
    regs.rdi = arg[0];
    regs.rsi = arg[1];
    regs.rdx = arg[2];
    regs.r10 = arg[3];
    regs.r8 = arg[4];
    regs.r9 = arg[5];
    if (ptrace(PTRACE_SETREGS, pid, 0, &regs))
        give_up("ptrace: %s", strerror(errno));
}

static int64_t call(pid_t pid, uint64_t nr, const uint64_t arg[6])
{
    aim(pid, g.stub.syscall, nr, arg);
    struct step step = go(pid, NULL);
    if (step.signal)
        give_up("system call %" PRIu64 " ended in signal %d", nr, step.signal);
    return (int64_t)step.value;
}

#define CALL(pid, nr, ...) call(pid, nr, (const uint64_t[6]){__VA_ARGS__})

static struct step touch(pid_t pid, uint64_t at, bool write, uint8_t byte)
{
    aim(pid, write ? g.stub.store : g.stub.load, 0, (const uint64_t[6]){at, byte});
    return go(pid, NULL);
}

/* ---- what /proc says ---- */

static FILE *proc_open(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    FILE *in = fopen(path, "re");
    if (!in)
        give_up("%s: %s", path, strerror(errno));
    return in;
}

/* Minor faults so far: the tenth field, counted behind the name in parentheses. */
static uint64_t faults_of(pid_t pid)
{
    char text[1024];
    FILE *in = proc_open(pid, "stat");
    size_t n = fread(text, 1, sizeof(text) - 1, in);
    fclose(in);
    text[n] = '\0';
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 10; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

static struct status status_of(pid_t pid)
{
    struct status s = {0};
    const struct {
        const char *name;
        int64_t *to;
    } lines[] = {{"VmSize:", &s.size},  {"VmRSS:", &s.rss},      {"RssAnon:", &s.anon},
                 {"VmData:", &s.data},  {"RssShmem:", &s.shmem}, {"VmStk:", &s.stack},
                 {"VmLck:", &s.locked}, {"VmPTE:", &s.tables}};
    char line[256];
    FILE *in = proc_open(pid, "status");
    while (fgets(line, sizeof(line), in))
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
            if (strncmp(line, lines[i].name, strlen(lines[i].name)) == 0)
                *lines[i].to = strtoll(line + strlen(lines[i].name), NULL, 10);
    fclose(in);
    return s;
}

/* ---- start ---- */

/* Pages of ours that the process will use again: in it now, so that they are no faults later. */
static void stand(pid_t pid)
{
    CALL(pid, SYS_madvise, SCRATCH, SCRATCH_SIZE, 23); /* MADV_POPULATE_WRITE */
    touch(pid, g.image0, false, 0);
    touch(pid, g.mmap_low, false, 0);
}

static void run_stub(const char *path)
{
    const struct rlimit limit = {8 << 20, 8 << 20};
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    sched_setaffinity(0, sizeof(one), &one);
    personality(ADDR_NO_RANDOMIZE);
    setrlimit(RLIMIT_STACK, &limit);
    setrlimit(RLIMIT_MEMLOCK, &limit);
    char *const nothing[] = {NULL};
    char *const argv[] = {(char *)(uintptr_t)path, NULL};
    execve(path, argv, nothing);
    _exit(127);
}

/* The image from the file's own map, the lowest mapping above it, the stub's places behind its
 * entry. */
static void learn_layout(pid_t pid)
{
    char line[512];
    struct user_regs_struct regs;
    FILE *in = proc_open(pid, "maps");
    while (fgets(line, sizeof(line), in)) {
        uint64_t start = strtoull(line, NULL, 16);
        if (!g.image0)
            g.image0 = start;
        if (start > UINT64_C(0x700000000000) && !g.mmap_low)
            g.mmap_low = start;
    }
    fclose(in);
    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    g.stub = (struct stub){regs.rip, regs.rip + 3, regs.rip + 7};
    g.heap0 = (uint64_t)CALL(pid, SYS_brk, 0);
}

/* Everything from MMAP_LOW up to what was there before becomes one mapping, so that a sequence
 * starts from the same addresses everywhere. */
static void fill_top(pid_t pid)
{
    uint64_t length = g.mmap_low - MMAP_LOW;
    if (g.mmap_low < MMAP_LOW ||
        (uint64_t)CALL(pid, SYS_mmap, MMAP_LOW, length, PROT_READ,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, UINT64_MAX,
                       0) != MMAP_LOW)
        give_up("the top of the address space is not free above 0x%" PRIx64, MMAP_LOW);
    g.mmap_low = MMAP_LOW;
}

static void check_layout(pid_t pid)
{
    int64_t at = CALL(pid, SYS_mmap, 0, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, UINT64_MAX, 0);
    if ((uint64_t)at != g.mmap_low - PAGE || g.heap0 % PAGE)
        give_up("the first mapping lies at 0x%" PRIx64 ", not below 0x%" PRIx64, (uint64_t)at,
                g.mmap_low);
    CALL(pid, SYS_munmap, (uint64_t)at, PAGE);
}

static void start(const char *stub)
{
    pid_t pid = fork();
    if (pid == 0)
        run_stub(stub);
    int status = wait_for(pid);
    if (!WIFSTOPPED(status))
        give_up("%s cannot be run", stub);
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL))
        give_up("ptrace: %s", strerror(errno));
    go(pid, NULL); /* to the first breakpoint */
    g.one[0].pid = pid;
    learn_layout(pid);
    CALL(pid, SYS_setresgid, NOBODY, NOBODY, NOBODY); /* where we are root: without its rights */
    CALL(pid, SYS_setresuid, NOBODY, NOBODY, NOBODY);
    if ((uint64_t)CALL(pid, SYS_mmap, SCRATCH, SCRATCH_SIZE, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, UINT64_MAX, 0) != SCRATCH)
        give_up("no place for the scratch pages");
    fill_top(pid);
    check_layout(pid);
    stand(pid);
    g.before = status_of(pid);
}

/* ---- ops ---- */

static void put_address(FILE *out, uint64_t at)
{
    if (at >= g.heap0 && at < g.heap0 + (UINT64_C(1) << 40))
        fprintf(out, "h+%" PRIu64, at - g.heap0);
    else if (at < g.mmap_low)
        fprintf(out, "m-%" PRIu64, g.mmap_low - at);
    else
        fprintf(out, "m+%" PRIu64, at - g.mmap_low);
}

/* Where the value of a field stands in the line of an op; NULL: it has none. */
static const char *find(const char *op, const char *name)
{
    char key[32];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(op, key);
    return at ? at + strlen(key) + strspn(at + strlen(key), " ") : NULL;
}

/* A number, or a text "h+N", "m-N", "123"; negative numbers wrap. 0: there is no such field. */
static uint64_t field(const char *op, const char *name)
{
    const char *at = find(op, name);
    if (!at)
        return 0;
    at += *at == '"';
    uint64_t base = *at == 'h' ? g.heap0 : *at == 'm' ? g.mmap_low : 0;
    at += *at == 'h' || *at == 'm';
    bool minus = *at == '-';
    uint64_t value = strtoull(at + (minus || *at == '+'), NULL, 10);
    return base + (minus ? 0 - value : value);
}

static bool op_is(const char *op, const char *name)
{
    const char *at = find(op, "op");
    size_t n = strlen(name);
    return at && strncmp(at + 1, name, n) == 0 && at[n + 1] == '"';
}

static void put_run(FILE *out, uint64_t count, unsigned value, bool first)
{
    fprintf(out, "%s%" PRIu64 "x%u", first ? "" : ",", count, value);
}

static void put_runs(FILE *out, const uint8_t *value, size_t count)
{
    size_t start = 0;
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || value[i + 1] != value[start]) {
            put_run(out, i + 1 - start, value[start], start == 0);
            start = i + 1;
        }
}

static void do_access(struct one *one, const char *op, bool write, unsigned number)
{
    static uint8_t value[1 << 16];
    uint64_t at = field(op, "addr"), end = at + field(op, "len");
    uint64_t before = faults_of(one->pid), pages = 0;
    struct step step = {0};
    for (; at < end; at = at / PAGE * PAGE + PAGE) {
        step = touch(one->pid, at, write, (uint8_t)(number % 255 + 1));
        if (step.signal)
            break;
        value[pages++] = (uint8_t)step.value;
    }
    uint64_t faults = faults_of(one->pid) - before;
    one->faults += faults;
    if (step.signal) {
        fputs(step.signal == SIGBUS      ? "BUS:ADRERR:"
              : step.code == SEGV_MAPERR ? "SEGV:MAPERR:"
                                         : "SEGV:ACCERR:",
              g.out);
        put_address(g.out, step.address);
    } else {
        fprintf(g.out, "%" PRIu64, pages);
    }
    fprintf(g.out, " %" PRIu64, faults);
    if (!write && pages) {
        fputs(" ", g.out);
        put_runs(g.out, value, pages);
    }
    fputs("\n", g.out);
}

static void do_fork(struct one *one, const char *op)
{
    uint64_t number = field(op, "child"), before = faults_of(one->pid);
    pid_t child = 0;
    aim(one->pid, g.stub.syscall, SYS_fork, (const uint64_t[6]){0});
    struct step step = go(one->pid, &child);
    if ((int64_t)step.value < 0 || !child)
        give_up("fork: %s", strerror((int)-(int64_t)step.value));
    wait_for(child);
    uint64_t faults = faults_of(one->pid) - before;
    one->faults += faults;
    g.one[number] = (struct one){.pid = child};
    stand(child);
    fprintf(g.out, "%" PRIu64 " %" PRIu64 "\n", number, faults);
}

static void do_exit(struct one *one)
{
    aim(one->pid, g.stub.syscall, SYS_exit_group, (const uint64_t[6]){0});
    go(one->pid, NULL);
    one->pid = 0;
    fputs("0 0\n", g.out);
}

static const char *error_name(int64_t error)
{
    const char *name = strerrorname_np((int)error);
    return name ? name : "E?";
}

static void put_result(pid_t pid, uint64_t nr, const uint64_t arg[6], int64_t result)
{
    static uint8_t vector[SCRATCH_SIZE];
    uint64_t pages = (arg[1] + PAGE - 1) / PAGE;
    if (result < 0 && result > -4096) {
        fprintf(g.out, "-%s", error_name(-result));
    } else if (nr == SYS_mincore && pages && pages <= sizeof(vector)) {
        struct iovec to = {vector, pages}, from = {(void *)SCRATCH, pages};
        if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)pages)
            give_up("process_vm_readv: %s", strerror(errno));
        for (size_t i = 0; i < pages; i++)
            vector[i] &= 1;
        put_runs(g.out, vector, pages);
    } else if (nr == SYS_mmap || nr == SYS_mremap || nr == SYS_brk) {
        put_address(g.out, (uint64_t)result);
    } else {
        fprintf(g.out, "%" PRId64, result);
    }
}

static void do_call(struct one *one, const char *op, uint64_t nr)
{
    uint64_t arg[6] = {field(op, "addr"), field(op, "len")};
    if (nr == SYS_brk)
        arg[0] = field(op, "to");
    if (nr == SYS_mmap) {
        arg[2] = field(op, "prot");
        arg[3] = field(op, "flags");
        arg[4] = UINT64_MAX;
    }
    if (nr == SYS_mprotect || nr == SYS_madvise)
        arg[2] = field(op, nr == SYS_mprotect ? "prot" : "advice");
    if (nr == SYS_mincore)
        arg[2] = SCRATCH;
    if (nr == SYS_mremap) {
        arg[1] = field(op, "old");
        arg[2] = field(op, "new");
        arg[3] = field(op, "flags");
        arg[4] = field(op, "to");
    }
    uint64_t before = faults_of(one->pid);
    int64_t result = call(one->pid, nr, arg);
    uint64_t faults = faults_of(one->pid) - before;
    one->faults += faults;
    put_result(one->pid, nr, arg, result);
    fprintf(g.out, " %" PRIu64 "\n", faults);
}

static void do_op(const char *op, unsigned number)
{
    static const struct {
        const char *name;
        uint64_t nr;
    } calls[] = {{"mmap", SYS_mmap},       {"munmap", SYS_munmap}, {"mprotect", SYS_mprotect},
                 {"madvise", SYS_madvise}, {"mremap", SYS_mremap}, {"brk", SYS_brk},
                 {"mincore", SYS_mincore}, {"mlock", SYS_mlock},   {"munlock", SYS_munlock}};
    uint64_t p = field(op, "p");
    g.several = g.several || find(op, "p");
    if (p >= NUMBERS || !g.one[p].pid)
        give_up("op %u: no such process", number);
    struct one *one = &g.one[p];
    if (op_is(op, "fork"))
        do_fork(one, op);
    else if (op_is(op, "exit"))
        do_exit(one);
    else if (op_is(op, "read") || op_is(op, "write"))
        do_access(one, op, op_is(op, "write"), number);
    else
        for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
            if (op_is(op, calls[i].name))
                do_call(one, op, calls[i].nr);
}

/* ---- the end: areas and pages ---- */

/* PAGEMAP_SCAN of linux/fs.h, which Debian's headers do not have yet. */
struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any, ret;
};
struct region {
    uint64_t start, end, categories;
};
#define SCAN       _IOWR('f', 16, struct scan)
#define IS_FILE    (1u << 2)
#define IS_PRESENT (1u << 3)
#define IS_ZERO    (1u << 5)
#define IS_HUGE    (1u << 6)
#define IS_GUARD   (1u << 8)
#define EXCLUSIVE  1u /* of ours: bit 56 of a pagemap entry */

/* A run of pages of one kind. */
struct run {
    unsigned number, kind;
    uint64_t start, pages;
};

static void put_number(FILE *out, unsigned number)
{
    if (g.several)
        fprintf(out, "p%u ", number);
}

static void run_end(struct run *r)
{
    if (!r->pages)
        return;
    const char *kind = r->kind & IS_ZERO ? "z" : r->kind & IS_FILE ? "s" : "a";
    put_number(g.pages, r->number);
    put_address(g.pages, r->start);
    if (r->kind & IS_GUARD)
        fprintf(g.pages, " %" PRIu64 " guard\n", r->pages);
    else
        fprintf(g.pages, " %" PRIu64 " %s%s%s\n", r->pages, kind, r->kind & EXCLUSIVE ? "x" : "",
                r->kind & IS_HUGE ? "h" : "");
    r->pages = 0;
}

static void run_page(struct run *r, uint64_t at, unsigned kind)
{
    if (r->pages && (r->kind != kind || r->start + r->pages * PAGE != at))
        run_end(r);
    if (!r->pages) {
        r->start = at;
        r->kind = kind;
    }
    r->pages++;
}

static void put_region(int map, struct run *run, const struct region *region)
{
    uint64_t entry;
    for (uint64_t at = region->start; at < region->end; at += PAGE) {
        if (pread(map, &entry, sizeof(entry), (off_t)(at / PAGE * sizeof(entry))) != sizeof(entry))
            give_up("pagemap: %s", strerror(errno));
        run_page(run, at, (unsigned)region->categories | (entry >> 56 & 1 ? EXCLUSIVE : 0));
    }
}

static void put_pages(unsigned number, int map, uint64_t start, uint64_t end)
{
    static struct region region[256];
    struct run run = {.number = number};
    while (start < end) {
        struct scan scan = {.size = sizeof(scan),
                            .start = start,
                            .end = end,
                            .vec = (uint64_t)(uintptr_t)region,
                            .vec_len = 256,
                            .any = IS_PRESENT | IS_GUARD,
                            .ret = IS_FILE | IS_PRESENT | IS_ZERO | IS_HUGE | IS_GUARD};
        int n = ioctl(map, SCAN, &scan);
        if (n < 0)
            give_up("PAGEMAP_SCAN: %s", strerror(errno));
        for (int i = 0; i < n; i++)
            put_region(map, &run, &region[i]);
        if (scan.walk_end <= start)
            break;
        start = scan.walk_end;
    }
    run_end(&run);
}

/* One area, as its lines in smaps are read. */
struct area {
    uint64_t start, end;
    char rights[5];
    bool heap;
    uint64_t rss, anon, locked, huge;
    char flags[128];
};

static void put_area(unsigned number, int map, const struct area *a)
{
    if (a->start >= g.mmap_low || (a->end > g.image0 && a->start < g.heap0))
        return;
    put_number(g.maps, number);
    put_address(g.maps, a->start);
    fprintf(g.maps, " %" PRIu64 " %.3s %c %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s%s\n",
            a->end - a->start, a->rights, a->rights[3], a->rss, a->anon, a->locked, a->huge,
            *a->flags ? a->flags : "-", a->heap ? " [heap]" : "");
    put_pages(number, map, a->start, a->end);
}

/* Of VmFlags those that memwalk tells. */
static void take_flags(struct area *a, char *text)
{
    static const char known[] = "gd lo lf nr ac hg nh dc dd wf";
    char *save = NULL;
    for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
        if (!strstr(known, word))
            continue;
        if (*a->flags)
            strcat(a->flags, ",");
        strcat(a->flags, word);
    }
}

static void put_areas(unsigned number)
{
    char line[512], path[64];
    pid_t pid = g.one[number].pid;
    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    int map = open(path, O_RDONLY | O_CLOEXEC);
    if (map < 0)
        give_up("%s: %s", path, strerror(errno));
    struct area a = {0};
    FILE *in = proc_open(pid, "smaps");
    while (fgets(line, sizeof(line), in)) {
        const struct {
            const char *name;
            uint64_t *to;
        } lines[] = {{"Rss:", &a.rss},
                     {"Anonymous:", &a.anon},
                     {"Locked:", &a.locked},
                     {"AnonHugePages:", &a.huge}};
        uint64_t from, to;
        char rights[5];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, rights) == 3) {
            a.start = from;
            a.end = to;
            memcpy(a.rights, rights, sizeof(rights));
            a.heap = strstr(line, "[heap]");
        }
        for (size_t i = 0; i < 4; i++)
            if (strncmp(line, lines[i].name, strlen(lines[i].name)) == 0)
                *lines[i].to = strtoull(line + strlen(lines[i].name), NULL, 10);
        if (strncmp(line, "VmFlags:", 8) == 0) {
            take_flags(&a, line + 8);
            put_area(number, map, &a);
            a = (struct area){0};
        }
    }
    fclose(in);
    close(map);
}

static void put_figures(unsigned number)
{
    struct one *one = &g.one[number];
    struct status s = status_of(one->pid);
    const struct status *b = &g.before;
    if (g.several)
        fprintf(g.json, "  {\"p\":%u,", number);
    fprintf(g.json, "\"minflt\":%" PRIu64 ",\"brk\":\"", one->faults);
    put_address(g.json, (uint64_t)CALL(one->pid, SYS_brk, 0));
    int64_t tables = BEFORE_KB + s.tables - b->tables;
    if (number)
        fprintf(g.json, "\",\"VmPTE_after_kb\":%" PRId64 ",\"VmLck_kb\":%" PRId64, tables,
                s.locked);
    else
        fprintf(g.json,
                "\",\"dVmSize_kb\":%" PRId64 ",\"dVmRSS_kb\":%" PRId64 ",\"dRssAnon_kb\":%" PRId64
                ",\"dRssShmem_kb\":%" PRId64 ",\"dVmData_kb\":%" PRId64 ",\"dVmStk_kb\":%" PRId64
                ",\"VmLck_kb\":%" PRId64 ",\"VmPTE_before_kb\":%d,\"VmPTE_after_kb\":%" PRId64,
                s.size - b->size, s.rss - b->rss, s.anon - b->anon, s.shmem - b->shmem,
                s.data - b->data, s.stack - b->stack, s.locked - b->locked, BEFORE_KB, tables);
    fputs(g.several ? "}" : "", g.json);
}

static void put_end(unsigned ops)
{
    fprintf(g.json, "{\"nops\":%u,\"mmap_low\":\"0x%" PRIx64 "\",\"heap0\":\"0x%" PRIx64 "\"", ops,
            g.mmap_low, g.heap0);
    fprintf(g.json, ",\"image0\":\"0x%" PRIx64 "\",%s", g.image0, g.several ? "\"procs\":[\n" : "");
    const char *comma = "";
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (!g.one[i].pid)
            continue;
        fputs(comma, g.json);
        put_areas(i);
        put_figures(i);
        comma = ",\n";
    }
    fputs(g.several ? "\n]}\n" : "}\n", g.json);
}

/* ---- all of it ---- */

static FILE *create(const char *prefix, const char *suffix)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s.%s", prefix, suffix);
    FILE *out = fopen(path, "we");
    if (!out)
        give_up("%s: %s", path, strerror(errno));
    return out;
}

int main(int argc, char **argv)
{
    static char line[4096];
    unsigned number = 0;
    FILE *in = argc == 4 ? fopen(argv[2], "re") : NULL;
    if (!in)
        give_up("usage: vm_replay STUB TRACE PREFIX");
    g.out = create(argv[3], "out");
    g.maps = create(argv[3], "maps");
    g.pages = create(argv[3], "pages");
    g.json = create(argv[3], "json");
    start(argv[1]);
    while (fgets(line, sizeof(line), in)) {
        if (!strchr(line, '\n') || !find(line, "op"))
            give_up("%s: line %u is not an op", argv[2], number + 1);
        do_op(line, number++);
    }
    put_end(number);
    fclose(in);
    if (fclose(g.out) | fclose(g.maps) | fclose(g.pages) | fclose(g.json))
        give_up("cannot write: %s", strerror(errno));
    return 0;
}
