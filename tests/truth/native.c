/* native.c: replays ops of the malloc family against the C library of this computer, and writes
 * down what really happened, in the texts that 'memwalk truth' writes too.
 *
 *     native OPS TOUCH PREFIX       PREFIX.out .walk .pages .arena .info .json
 *     native --sys OPS TOUCH FILE   the system calls, seen by a tracer
 *
 * OPS has a line for each op: letter, id, two numbers. What is measured must not disturb: nothing
 * here uses the heap, all that the program has is in memory before the first op, addresses are not
 * randomised, and every hole above mmap_low is plugged, so that all later mappings go below it.
 *
 * The places of the library's variables are those of Debian 12's libc6 2.36-9+deb12u14; with
 * another library the exit status is 77.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE       4096ull
#define OTHER_LIBC 77
#define MARK       1000 /* a system call that there is not: tells the tracer where we are */
#define MARK_END   (~0ull)
#define MAPS_ROOM  (4u << 20)
#define AREAS      4096
#define MAIN_ARENA 0x1d3c60
#define MALLOC_PAR 0x1d3340
#define MAX_FAST   0x1da4a0
#define TCACHE_TLS 0x38 /* from errno on */
#define FIRST_FREE 7    /* descriptors below it are open, whatever it was called with */
#define STAGE      "MEMWALK_NATIVE_STAGE=1"

struct op {
    char kind;
    uint64_t id, a, b;
};

struct result {
    uint64_t pointer;
    uint32_t in_call, in_touch;
};

struct area {
    uint64_t start, end;
    bool read, write, special, stack, heap, libc;
    char prot[5];
    uint64_t rss, anon;
};

static struct op *ops;
static struct result *results;
static void **block;
static uint64_t op_count, id_count;
static char *maps_text;
static struct area *areas;
static uint64_t heap0, mmap_low;

static void die(const char *what)
{
    dprintf(2, "native: %s: %s\n", what, strerror(errno));
    _exit(2);
}

/* Pages that are there from the start. Lengths that Linux would align to 2 MiB are avoided. */
static void *pages(size_t bytes)
{
    size_t size = (bytes / PAGE + 1) * PAGE;
    size += size % (2u << 20) ? 0 : PAGE;
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

/* ---- words to files, without the heap ---- */

static char out_bytes[1 << 16];
static size_t out_size;
static int out_fd;

static void out_flush(void)
{
    for (size_t done = 0; done < out_size;) {
        ssize_t n = write(out_fd, out_bytes + done, out_size - done);
        if (n <= 0)
            die("write");
        done += (size_t)n;
    }
    out_size = 0;
}

static __attribute__((format(printf, 1, 2))) void put(const char *format, ...)
{
    va_list list;
    if (sizeof(out_bytes) - out_size < 512)
        out_flush();
    va_start(list, format);
    out_size += (size_t)vsnprintf(out_bytes + out_size, sizeof(out_bytes) - out_size, format, list);
    va_end(list);
}

static void out_open(const char *prefix, const char *end)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s%s", prefix, end);
    out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out_fd < 0)
        die(path);
}

static void out_close(void)
{
    out_flush();
    close(out_fd);
}

static const char *address(uint64_t at)
{
    static char text[4][32];
    static unsigned turn;
    char *t = text[turn++ % 4];
    if (!at)
        return "0";
    if (at == ~0ull)
        return "-";
    if (at >= heap0 && at < heap0 + (1ull << 40) && at < 0x7e0000000000ull)
        snprintf(t, 32, "h+%llu", (unsigned long long)(at - heap0));
    else if (at < mmap_low)
        snprintf(t, 32, "m-%llu", (unsigned long long)(mmap_low - at));
    else
        snprintf(t, 32, "m+%llu", (unsigned long long)(at - mmap_low));
    return t;
}

/* ---- the ops ---- */

static uint64_t number(const char **at)
{
    uint64_t n = 0;
    while (**at == ' ')
        ++*at;
    bool minus = **at == '-';
    *at += minus;
    for (; **at >= '0' && **at <= '9'; ++*at)
        n = 10 * n + (uint64_t)(**at - '0');
    return minus ? -n : n;
}

static void read_ops(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        die(path);
    char *text = pages((size_t)st.st_size + 1);
    if (read(fd, text, (size_t)st.st_size) != st.st_size)
        die(path);
    close(fd);
    uint64_t lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    ops = pages(lines * sizeof(*ops));
    for (const char *at = text; *at; at += *at == '\n') {
        struct op *op = &ops[op_count++];
        op->kind = *at++;
        op->id = number(&at);
        op->a = number(&at);
        op->b = number(&at);
        if (op->id >= id_count)
            id_count = op->id + 1;
    }
    block = pages((id_count + 1) * sizeof(*block));
    results = pages((op_count + 1) * sizeof(*results));
}

/* ---- /proc ---- */

static size_t slurp(const char *path)
{
    size_t size = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die(path);
    while ((n = read(fd, maps_text + size, MAPS_ROOM - 1 - size)) > 0)
        size += (size_t)n;
    close(fd);
    maps_text[size] = '\0';
    return size;
}

static uint64_t hex(const char **at)
{
    uint64_t n = 0;
    for (;; ++*at) {
        char c = **at;
        if (c >= '0' && c <= '9')
            n = 16 * n + (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = 16 * n + (uint64_t)(c - 'a' + 10);
        else
            return n;
    }
}

static bool line_has(const char *line, const char *word)
{
    size_t n = strcspn(line, "\n");
    return memmem(line, n, word, strlen(word)) != NULL;
}

static void read_area(const char *line, struct area *a)
{
    memset(a, 0, sizeof(*a));
    a->start = hex(&line);
    line++;
    a->end = hex(&line);
    memcpy(a->prot, line + 1, 4);
    a->read = a->prot[0] == 'r';
    a->write = a->prot[1] == 'w';
    a->special = line_has(line, "[v");
    a->stack = line_has(line, "[stack]");
    a->heap = line_has(line, "[heap]");
    a->libc = line_has(line, "/libc.so.6");
}

/* Areas of /proc/self/maps or smaps, in order. */
static size_t read_areas(const char *path)
{
    size_t count = 0;
    slurp(path);
    for (const char *line = maps_text; *line;) {
        const char *at = line;
        hex(&at);
        if (*at == '-' && count < AREAS)
            read_area(line, &areas[count++]);
        else if (count && strncmp(line, "Rss:", 4) == 0)
            areas[count - 1].rss = strtoull(line + 4, NULL, 10);
        else if (count && strncmp(line, "Anonymous:", 10) == 0)
            areas[count - 1].anon = strtoull(line + 10, NULL, 10);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return count;
}

static uint64_t status(const char *name)
{
    slurp("/proc/self/status");
    const char *at = strstr(maps_text, name);
    return at ? strtoull(at + strlen(name) + 1, NULL, 10) : 0;
}

/* ---- conditions ---- */

static void fault_in(const struct area *a)
{
    if (a->special)
        return;
    if (a->write)
        madvise((void *)a->start, a->end - a->start, MADV_POPULATE_WRITE);
    else if (a->read)
        madvise((void *)a->start, a->end - a->start, MADV_POPULATE_READ);
}

static void *guard(uint64_t at, uint64_t size, int flags)
{
    return mmap((void *)at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags,
                -1, 0);
}

static bool is_high(const struct area *a)
{
    return a->start > heap0 + (1ull << 32) && !a->stack;
}

/* The lowest mapping that there is above the heap. */
static uint64_t lowest(void)
{
    size_t count = read_areas("/proc/self/maps");
    for (size_t i = 0; i < count; i++)
        if (is_high(&areas[i]))
            return areas[i].start;
    return 0;
}

static void prepare(void)
{
    heap0 = (uint64_t)sbrk(0);
    size_t count = read_areas("/proc/self/maps");
    for (size_t i = 0; i < count; i++)
        fault_in(&areas[i]);
    for (size_t i = 0; i + 1 < count; i++)
        if (is_high(&areas[i]) && is_high(&areas[i + 1]) && areas[i].end < areas[i + 1].start)
            guard(areas[i].end, areas[i + 1].start - areas[i].end, MAP_FIXED_NOREPLACE);
    uint64_t low = lowest();
    while ((uint64_t)guard(0, PAGE, 0) > low)
        ;
    mmap_low = lowest();
}

static bool right_libc(uint64_t *base)
{
    static const uint8_t id[] = {0x93, 0xac, 0x61, 0xec, 0x5a, 0x8e, 0xb1, 0x39};
    size_t count = read_areas("/proc/self/maps");
    for (size_t i = 0; i < count; i++) {
        if (!areas[i].libc)
            continue;
        *base = areas[i].start;
        return memmem((void *)*base, PAGE, id, sizeof(id)) != NULL;
    }
    return false;
}

/* ---- doing the ops ---- */

static volatile uint8_t sink;

static void *do_op(const struct op *op, uint64_t *size)
{
    void **slot = &block[op->id];
    void *p = NULL;
    *size = op->kind == 'c' ? op->a * op->b : strchr("GPA", op->kind) ? op->b : op->a;
    switch (op->kind) {
    case 'm':
        return *slot = malloc(op->a);
    case 'c':
        return *slot = calloc(op->a, op->b);
    case 'r':
        p = realloc(*slot, op->a);
        if (p || !op->a)
            *slot = p;
        return p;
    case 'G':
        return *slot = memalign(op->a, op->b);
    case 'P':
        if (posix_memalign(&p, op->a, op->b))
            p = NULL;
        return *slot = p;
    case 'A':
        return *slot = aligned_alloc(op->a, op->b);
    case 'v':
        return *slot = valloc(op->a);
    case 'p':
        return *slot = pvalloc(op->a);
    case 'f':
        free(*slot);
        *slot = NULL;
        break;
    case 't':
        malloc_trim(op->a);
        break;
    case 'o':
        mallopt((int)op->a, (int)op->b);
        break;
    case 'W':
        if (*slot)
            memset((char *)*slot + op->a, 0x5a, op->b);
        break;
    case 'R':
        for (uint64_t i = 0; *slot && i < op->b; i += 64)
            sink = ((uint8_t *)*slot)[op->a + i];
        if (*slot && op->b)
            sink = ((uint8_t *)*slot)[op->a + op->b - 1];
        break;
    }
    *size = 0;
    return (void *)~0ull;
}

static uint64_t faults(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_minflt;
}

static bool made_block(const void *p)
{
    return p && p != (void *)~0ull;
}

/* With glibc.malloc.hugetlb=1 the library reads a file into its stack and compares it as a string,
 * without having ended it: what it believes depends on a byte that somebody left there. So the
 * stack that the first call will use is made zero. */
static __attribute__((noinline)) void calm_stack(void)
{
    volatile uint8_t bytes[8192];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = 0;
}

static uint64_t measure(bool touch)
{
    calm_stack();
    uint64_t first = faults(), before, size;
    before = first = faults();
    for (uint64_t i = 0; i < op_count; i++) {
        void *p = do_op(&ops[i], &size);
        uint64_t now = faults();
        results[i].pointer = (uint64_t)p;
        results[i].in_call = (uint32_t)(now - before);
        before = now;
        if (!touch || !made_block(p))
            continue;
        memset(p, 0xa5, size);
        now = faults();
        results[i].in_touch = (uint32_t)(now - before);
        before = now;
    }
    return before - first;
}

/* For the tracer: the same ops, with marks between them. */
static void show(bool touch)
{
    uint64_t size;
    calm_stack();
    for (uint64_t i = 0; i < op_count; i++) {
        syscall(MARK, i, heap0, mmap_low);
        void *p = do_op(&ops[i], &size);
        if (touch && made_block(p))
            memset(p, 0xa5, size);
    }
    syscall(MARK, MARK_END);
    _exit(0);
}

/* ---- the texts ---- */

static void write_out(const char *prefix)
{
    out_open(prefix, ".out");
    for (uint64_t i = 0; i < op_count; i++)
        put("%s %u %u\n", address(results[i].pointer), results[i].in_call, results[i].in_touch);
    out_close();
}

static void write_walk(const char *prefix)
{
    uint64_t at = (heap0 + 15) & ~15ull, end = (uint64_t)sbrk(0);
    out_open(prefix, ".walk");
    while (at + 16 <= end) {
        uint64_t word = ((uint64_t *)at)[1], size = word & ~7ull;
        put("%llu %llu %llu\n", (unsigned long long)(at - heap0), (unsigned long long)size,
            (unsigned long long)(word & 7));
        if (size < 16)
            break;
        at += size;
    }
    out_close();
}

static bool wanted(const struct area *a)
{
    return a->heap || (a->start >= heap0 && a->start < mmap_low);
}

static void write_runs(int pagemap, const struct area *a)
{
    uint64_t start = 0, run = 0, entry;
    for (uint64_t at = a->start; at <= a->end; at += PAGE) {
        bool present =
            at < a->end && pread(pagemap, &entry, 8, (off_t)(at / PAGE * 8)) == 8 && entry >> 63;
        if (present && !run++)
            start = at;
        if (present || !run)
            continue;
        put("%s %llu\n", address(start), (unsigned long long)run);
        run = 0;
    }
}

static void write_pages(const char *prefix)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    size_t count = read_areas("/proc/self/maps");
    out_open(prefix, ".pages");
    for (size_t i = 0; i < count; i++)
        if (wanted(&areas[i]))
            write_runs(pagemap, &areas[i]);
    out_close();
    close(pagemap);
}

static void write_number(const char *name, uint64_t n)
{
    put("%s %llu\n", name, (unsigned long long)n);
}

static void write_parameters(uint64_t base)
{
    static const char *const wide[] = {"trim_threshold", "top_pad",   "mmap_threshold",
                                       "arena_test",     "arena_max", "thp_pagesize",
                                       "hp_pagesize"};
    static const char *const narrow[] = {"n_mmaps", "n_mmaps_max", "max_n_mmaps",
                                         "no_dyn_threshold"};
    static const char *const last[] = {"tcache_bins", "tcache_max_bytes", "tcache_count",
                                       "tcache_unsorted_limit"};
    const uint64_t *par = (uint64_t *)(base + MALLOC_PAR);
    for (unsigned i = 0; i < 7; i++)
        write_number(wide[i], par[i]);
    for (unsigned i = 0; i < 4; i++)
        write_number(narrow[i], ((const uint32_t *)par)[15 + i]);
    write_number("mmapped_mem", par[10]);
    write_number("max_mmapped_mem", par[11]);
    write_number("sbrk_base-heap0", par[12] - heap0);
    for (unsigned i = 0; i < 4; i++)
        write_number(last[i], par[13 + i]);
    write_number("global_max_fast", *(uint64_t *)(base + MAX_FAST));
}

static uint64_t word_at(uint64_t at)
{
    return *(uint64_t *)at;
}

static void write_lists(uint64_t arena)
{
    for (unsigned i = 0; i < 10; i++) {
        uint64_t p = word_at(arena + 16 + 8 * i);
        if (!p)
            continue;
        put("fastbin %u", 32 + 16 * i);
        for (; p; p = (p + 16) >> 12 ^ word_at(p + 16))
            put(" %s", address(p));
        put("\n");
    }
    for (unsigned i = 1; i < 128; i++) {
        uint64_t bin = arena + 112 + 16ull * (i - 1) - 16, p = word_at(bin + 16);
        if (p == bin)
            continue;
        put("bin %u", i);
        for (; p != bin; p = word_at(p + 16))
            put(" %s:%llu", address(p), (unsigned long long)(word_at(p + 8) & ~7ull));
        put("\n");
    }
}

static void write_tcache(void)
{
    uint64_t cache = word_at((uint64_t)&errno + TCACHE_TLS);
    put("tcache_struct %s\n", address(cache));
    for (unsigned i = 0; cache && i < 64; i++) {
        unsigned count = ((uint16_t *)cache)[i];
        if (!count)
            continue;
        put("tcache %u n=%u", 32 + 16 * i, count);
        for (uint64_t e = word_at(cache + 128 + 8ull * i); e; e = e >> 12 ^ word_at(e))
            put(" %s", address(e - 16));
        put("\n");
    }
}

static void write_arena(const char *prefix, uint64_t base)
{
    uint64_t arena = base + MAIN_ARENA, top = word_at(arena + 96);
    const uint32_t *half = (uint32_t *)arena;
    out_open(prefix, ".arena");
    write_parameters(base);
    write_number("flags", half[1]);
    write_number("have_fastchunks", half[2]);
    put("top %s size %llu\n", address(top), (unsigned long long)(word_at(top + 8) & ~7ull));
    put("last_remainder %s\n", address(word_at(arena + 104)));
    write_number("system_mem", word_at(arena + 2184));
    write_number("max_system_mem", word_at(arena + 2192));
    put("binmap");
    for (unsigned i = 0; i < 4; i++)
        put(" 0x%x", half[536 + i]);
    put("\n");
    write_lists(arena);
    write_tcache();
    out_close();
}

static void write_mallinfo(const struct mallinfo2 *m)
{
    put("\"mallinfo2\":{\"arena\":%zu,\"ordblks\":%zu,\"smblks\":%zu,\"hblks\":%zu,\"hblkhd\":%zu,"
        "\"fsmblks\":%zu,\"uordblks\":%zu,\"fordblks\":%zu,\"keepcost\":%zu},",
        m->arena, m->ordblks, m->smblks, m->hblks, m->hblkhd, m->fsmblks, m->uordblks, m->fordblks,
        m->keepcost);
}

static void write_areas(void)
{
    uint64_t sum[4] = {0}, mapped = 0;
    size_t count = read_areas("/proc/self/smaps");
    const char *comma = "";
    put("\"vmas\":[");
    for (size_t i = 0; i < count; i++) {
        const struct area *a = &areas[i];
        if (!wanted(a))
            continue;
        put("%s\n  "
            "{\"start\":\"%s\",\"size\":%llu,\"prot\":\"%s\",\"rss_kb\":%llu,\"anon_kb\":%llu,"
            "\"thp_kb\":0%s}",
            comma, address(a->start), (unsigned long long)(a->end - a->start), a->prot,
            (unsigned long long)a->rss, (unsigned long long)a->anon,
            a->heap ? ",\"heap\":true" : "");
        comma = ",";
        mapped += !a->heap;
        sum[a->heap ? 0 : 2] += (a->end - a->start) / 1024;
        sum[a->heap ? 1 : 3] += a->rss;
    }
    put("],\"heap_size_kb\":%llu,\"heap_rss_kb\":%llu,\"mmap_size_kb\":%llu,\"mmap_rss_kb\":%llu,"
        "\"mmap_vmas\":%llu,\"end\":0}\n",
        (unsigned long long)sum[0], (unsigned long long)sum[1], (unsigned long long)sum[2],
        (unsigned long long)sum[3], (unsigned long long)mapped);
}

static void write_summary(const char *prefix, uint64_t minor, uint64_t tables0, uint64_t tables)
{
    uint64_t end = (uint64_t)sbrk(0);
    struct mallinfo2 m = mallinfo2();
    out_open(prefix, ".json");
    put("{\"nops\":%llu,\"minflt\":%llu,\"heap0\":\"0x%llx\",\"mmap_low\":\"0x%llx\",\"brk_end\":%"
        "llu,"
        "\"vmpte_before_kb\":%llu,\"vmpte_after_kb\":%llu,",
        (unsigned long long)op_count, (unsigned long long)minor, (unsigned long long)heap0,
        (unsigned long long)mmap_low, (unsigned long long)(end - heap0),
        (unsigned long long)tables0, (unsigned long long)tables);
    write_mallinfo(&m);
    write_areas();
    out_close();
}

/* The library prints to a stream; one with a buffer of its own takes nothing from the heap. */
static void write_info(const char *prefix)
{
    static char buffer[1 << 16];
    out_open(prefix, ".info");
    dup2(out_fd, 1);
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    malloc_info(0, stdout);
    fflush(stdout);
    out_close();
}

/* ---- the tracer ---- */

static const struct {
    long nr;
    const char *name;
} calls[] = {
    {SYS_brk, "brk"},
    {SYS_mmap, "mmap"},
    {SYS_munmap, "munmap"},
    {SYS_mremap, "mremap"},
    {SYS_mprotect, "mprotect"},
    {SYS_madvise, "madvise"},
    {SYS_getrandom, "getrandom"},
    {SYS_openat, "openat"},
};

static void write_call(uint64_t op, const char *name, const struct user_regs_struct *r)
{
    long nr = (long)r->orig_rax;
    int64_t result = (int64_t)r->rax;
    unsigned long long b = r->rsi, c = r->rdx, d = r->r10;
    put("%llu %s", (unsigned long long)op, name);
    if (nr != SYS_getrandom && nr != SYS_openat)
        put(" %s", address(r->rdi));
    if (nr == SYS_mmap)
        put(" %llu prot=%llu flags=0x%llx", b, c, d);
    else if (nr == SYS_munmap)
        put(" %llu", b);
    else if (nr == SYS_mremap)
        put(" %llu %llu flags=%llu", b, c, d);
    else if (nr == SYS_mprotect || nr == SYS_madvise)
        put(" %llu %llu", b, c);
    if (result < 0 && result > -4096)
        put(" = -E%lld\n", (long long)-result);
    else if (nr == SYS_brk || nr == SYS_mmap || nr == SYS_mremap)
        put(" = %s\n", address(r->rax));
    else
        put(" = %lld\n", (long long)result);
}

/* Follows the child from one system call to the next. */
static int trace(pid_t child)
{
    uint64_t op = MARK_END;
    bool inside = false;
    int state;
    waitpid(child, &state, 0);
    ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    for (;;) {
        ptrace(PTRACE_SYSCALL, child, NULL, NULL);
        if (waitpid(child, &state, 0) < 0 || !WIFSTOPPED(state))
            return WIFEXITED(state) ? WEXITSTATUS(state) : 1;
        if (WSTOPSIG(state) != (SIGTRAP | 0x80))
            continue;
        struct user_regs_struct r;
        ptrace(PTRACE_GETREGS, child, NULL, &r);
        inside = !inside;
        if (inside && r.orig_rax == MARK) {
            op = r.rdi;
            heap0 = r.rsi;
            mmap_low = r.rdx;
        }
        for (size_t i = 0; !inside && op != MARK_END && i < sizeof(calls) / sizeof(calls[0]); i++)
            if (calls[i].nr == (long)r.orig_rax)
                write_call(op, calls[i].name, &r);
    }
}

/* ---- stages ---- */

/* Again, with nothing in the environment but the tunables, and with addresses as they are. */
static int start_again(char **argv)
{
    static char tunables[4096];
    char *environment[] = {(char *)STAGE, tunables, NULL};
    const char *given = getenv("GLIBC_TUNABLES");
    if (given)
        snprintf(tunables, sizeof(tunables), "GLIBC_TUNABLES=%s", given);
    else
        environment[1] = NULL;
    personality(ADDR_NO_RANDOMIZE);
    execve("/proc/self/exe", argv, environment);
    die("exec");
    return 2;
}

static int run_traced(char **argv)
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        return start_again(argv);
    }
    out_open(argv[4], "");
    int status_of_child = trace(child);
    out_close();
    return status_of_child;
}

static int run(const char *path, bool touch, const char *prefix)
{
    uint64_t base;
    while (dup(2) < FIRST_FREE - 1)
        ;
    maps_text = pages(MAPS_ROOM);
    areas = pages(AREAS * sizeof(*areas));
    read_ops(path);
    if (!right_libc(&base))
        _exit(OTHER_LIBC);
    prepare();
    if (!prefix)
        show(touch);
    uint64_t tables0 = status("VmPTE");
    uint64_t minor = measure(touch);
    uint64_t tables = status("VmPTE");
    write_summary(prefix, minor, tables0, tables);
    write_out(prefix);
    write_walk(prefix);
    write_pages(prefix);
    write_arena(prefix, base);
    write_info(prefix);
    _exit(0);
}

int main(int argc, char **argv)
{
    bool traced = argc == 5 && strcmp(argv[1], "--sys") == 0;
    if (!traced && argc != 4) {
        dprintf(2, "usage: native [--sys] OPS none|all FILE\n");
        return 2;
    }
    char **rest = argv + (traced ? 2 : 1);
    bool second = getenv("MEMWALK_NATIVE_STAGE") != NULL;
    if (!second)
        return traced ? run_traced(argv) : start_again(argv);
    return run(rest[0], strcmp(rest[1], "all") == 0, traced ? NULL : rest[2]);
}
