/* test_linux_vm.c: sequences of memory calls against what a real Linux did with them, op by op.
 *
 * The truth lies outside the repository; without it the test is skipped. For each sequence it
 * compares results, faults and contents (.out), areas (.maps), pages (.pages) and the growth of the
 * page tables (.json). The baselines say how many must agree at least; for the others the first
 * difference is shown.
 */
#include "kernel/object.h"
#include "kernel/pgtable.h"
#include "kernel/process.h"
#include "tests/kernel_rig.h"

#include <dirent.h>
#include <stdarg.h>

#define MMAP_LOW UINT64_C(0x7ffff5e4d000)
#define HEAP0    UINT64_C(0x55555555c000)
#define RAM      (8 * GIB)

#define TEXT_SIZE (1u << 20)

struct text {
    char *at;
    size_t length;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at + t->length, TEXT_SIZE - t->length, format, args);
    va_end(args);
    ck_assert(n >= 0 && t->length + (size_t)n < TEXT_SIZE);
    t->length += (size_t)n;
}

static void add_address(struct text *t, va_t va)
{
    if (va >= HEAP0 && va < HEAP0 + 1024 * GIB)
        add(t, "h+%llu", (unsigned long long)(va - HEAP0));
    else if (va < MMAP_LOW)
        add(t, "m-%llu", (unsigned long long)(MMAP_LOW - va));
    else
        add(t, "m+%llu", (unsigned long long)(va - MMAP_LOW));
}

/* ---- reading a line of the sequence ---- */

static const char *field(const char *line, const char *name)
{
    char key[32];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(line, key);
    return at ? at + strlen(key) + strspn(at + strlen(key), " ") : NULL;
}

/* Up to 2^64 - 1, or negative: wraps. */
static uint64_t signed_number(const char *at)
{
    return *at == '-' ? 0 - strtoull(at + 1, NULL, 10) : strtoull(at, NULL, 10);
}

static uint64_t number(const char *line, const char *name)
{
    const char *at = field(line, name);
    return at ? signed_number(at) : 0;
}

static va_t address(const char *line, const char *name)
{
    const char *at = field(line, name);
    if (!at)
        return 0;
    at += *at == '"';
    if (*at == 'h' || *at == 'm')
        return (*at == 'h' ? HEAP0 : MMAP_LOW) + signed_number(at + 1);
    return signed_number(at);
}

static bool op_is(const char *line, const char *name)
{
    const char *at = field(line, "op");
    size_t n = strlen(name);
    return at && strncmp(at + 1, name, n) == 0 && at[1 + n] == '"';
}

/* ---- running one op ---- */

#define NUMBERS 8u /* of processes in a sequence */

struct run {
    struct rig rig;
    struct text out;
    unsigned op;
    bool several;          /* the sequence names processes */
    uint16_t pid[NUMBERS]; /* by number; 0: not there */
    uint16_t now;          /* pid of the one that runs */
};

static void add_runs(struct text *t, const unsigned *value, size_t count)
{
    for (size_t i = 0, start = 0; i < count; i++) {
        if (i + 1 < count && value[i + 1] == value[start])
            continue;
        add(t, "%s%zux%u", start ? "," : "", i + 1 - start, value[start]);
        start = i + 1;
    }
}

static void run_access(struct run *run, const char *line, bool write)
{
    static unsigned value[1 << 16];
    va_t start = address(line, "addr"), end = start + number(line, "len");
    size_t done = 0;
    uint64_t faults = rig_process(&run->rig, run->now).faults_minor;
    bool ok = true;
    va_t va = start;
    for (; va < end; va = align_down(va, PAGE_SIZE) + PAGE_SIZE, done++) {
        uint8_t byte = (uint8_t)(run->op % 255 + 1);
        ok = rig_access(&run->rig, va, &byte, 1, write ? ACCESS_WRITE : ACCESS_READ);
        if (!ok)
            break;
        value[done] = byte;
    }
    if (ok) {
        add(&run->out, "%zu", done);
    } else {
        const struct lx_siginfo *s = &run->rig.signal;
        const char *code = s->code == LX_SEGV_MAPERR ? "MAPERR" : "ACCERR";
        add(&run->out, s->signal == LX_SIGBUS ? "BUS:ADRERR:" : "SEGV:%s:", code);
        add_address(&run->out, s->va);
    }
    faults = rig_process(&run->rig, run->now).faults_minor - faults;
    add(&run->out, " %llu", (unsigned long long)faults);
    if (!write && done) {
        add(&run->out, " ");
        add_runs(&run->out, value, done);
    }
    add(&run->out, "\n");
}

static void add_mincore(struct run *run, va_t start, uint64_t length)
{
    static unsigned value[1 << 18];
    size_t count = 0;
    for (va_t va = start; va < start + length; va += PAGE_SIZE)
        value[count++] = (unsigned)kernel_mincore(run->rig.k, run->now, va);
    add_runs(&run->out, value, count);
}

static void run_call(struct run *run, const char *line)
{
    static const struct {
        const char *name;
        uint64_t nr;
    } calls[] = {
        {"mmap", LX_NR_mmap},       {"munmap", LX_NR_munmap}, {"mprotect", LX_NR_mprotect},
        {"madvise", LX_NR_madvise}, {"mremap", LX_NR_mremap}, {"brk", LX_NR_brk},
        {"mincore", LX_NR_mincore}, {"mlock", LX_NR_mlock},   {"munlock", LX_NR_munlock},
    };
    uint64_t nr = 0, faults = rig_process(&run->rig, run->now).faults_minor;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (op_is(line, calls[i].name))
            nr = calls[i].nr;
    ck_assert_msg(nr, "unknown op: %s", line);
    uint64_t arg[6] = {address(line, "addr"), number(line, "len")};
    if (nr == LX_NR_brk)
        arg[0] = address(line, "to");
    if (nr == LX_NR_mmap || nr == LX_NR_mprotect)
        arg[2] = number(line, "prot");
    if (nr == LX_NR_mmap)
        arg[3] = number(line, "flags");
    if (nr == LX_NR_madvise)
        arg[2] = number(line, "advice");
    if (nr == LX_NR_mremap) {
        arg[1] = number(line, "old");
        arg[2] = number(line, "new");
        arg[3] = number(line, "flags");
        arg[4] = address(line, "to");
    }
    int64_t result = kernel_syscall(run->rig.k, &run->rig.cpu[0], nr, arg);
    if (lx_failed(result))
        add(&run->out, "-%s", lx_errno_name(result));
    else if (nr == LX_NR_mincore && arg[1])
        add_mincore(run, arg[0], align_up(arg[1], PAGE_SIZE));
    else if (nr == LX_NR_mmap || nr == LX_NR_mremap || nr == LX_NR_brk)
        add_address(&run->out, (va_t)result);
    else
        add(&run->out, "%lld", (long long)result);
    faults = rig_process(&run->rig, run->now).faults_minor - faults;
    add(&run->out, " %llu\n", (unsigned long long)faults);
}

/* The two tables that stood before the sequence began; the first is the image's. */
static void stand(struct run *run)
{
    ck_assert(rig_store(&run->rig, HEAP0 - PAGE_SIZE, 1) && rig_load(&run->rig, MMAP_LOW) >= 0);
}

static void run_fork(struct run *run, unsigned child)
{
    uint64_t faults = rig_process(&run->rig, run->now).faults_minor;
    int64_t pid = rig_call(&run->rig, LX_NR_fork, 0, 0, 0, 0, 0);
    ck_assert_int_gt(pid, 0);
    run->pid[child] = (uint16_t)pid;
    faults = rig_process(&run->rig, run->now).faults_minor - faults;
    add(&run->out, "%u %llu\n", child, (unsigned long long)faults);
    kernel_switch(run->rig.k, &run->rig.cpu[0], (uint16_t)pid);
    stand(run);
}

static void run_exit(struct run *run, unsigned number)
{
    kernel_exit(run->rig.k, &run->rig.cpu[0], run->now);
    run->pid[number] = 0;
    add(&run->out, "0 0\n");
}

static void run_line(struct run *run, const char *line)
{
    unsigned p = (unsigned)number(line, "p");
    run->several = run->several || field(line, "p");
    run->now = run->pid[p];
    kernel_switch(run->rig.k, &run->rig.cpu[0], run->now);
    if (op_is(line, "fork"))
        run_fork(run, (unsigned)number(line, "child"));
    else if (op_is(line, "exit"))
        run_exit(run, p);
    else if (op_is(line, "read") || op_is(line, "write"))
        run_access(run, line, op_is(line, "write"));
    else
        run_call(run, line);
    run->op++;
}

/* ---- the state at the end ---- */

static bool of_baseline(const struct area *a)
{
    return a->file || a->start >= MMAP_LOW;
}

struct sums {
    uint64_t rss, anon; /* KiB */
    uint64_t share;     /* proportional, in bytes of 2^-12, as Linux sums it */
};

static struct sums area_sums(const struct kernel *k, const struct process *p, const struct area *a)
{
    struct sums s = {0};
    pfn_t table;
    for (va_t va = a->start; pgtable_next(k, p, &va, a->end) != PFN_NONE; va += PAGE_SIZE) {
        pte_t entry = pgtable_get(k, p, va, &table);
        if (!pte_held(entry) || pte_pfn(entry) == k->zero)
            continue;
        s.rss += 4;
        s.share += (PAGE_SIZE << 12) / frames_at(k->frames, pte_pfn(entry))->refs;
        s.anon += frames_at(k->frames, pte_pfn(entry))->use == FRAME_ANON ? 4 : 0;
    }
    return s;
}

/* "p1 " at the start of a row, where there are several. */
static void add_number(struct text *t, const struct run *run)
{
    unsigned number = 0;
    while (run->pid[number] != run->now)
        number++;
    if (run->several)
        add(t, "p%u ", number);
}

static void add_area(struct text *t, const struct run *run, const struct area *a)
{
    static const struct {
        uint32_t vm;
        const char *name;
    } flags[] = {{VM_GROWSDOWN, "gd"}, {VM_LOCKED, "lo"},    {VM_DONTCOPY, "dc"},
                 {VM_ACCOUNT, "ac"},   {VM_NORESERVE, "nr"}, {VM_WIPEONFORK, "wf"},
                 {VM_DONTDUMP, "dd"},  {VM_HUGEPAGE, "hg"},  {VM_NOHUGEPAGE, "nh"}};
    const struct process *p = process_find(run->rig.k, run->now);
    struct sums s = area_sums(run->rig.k, p, a);
    add_number(t, run);
    add_address(t, a->start);
    add(t, " %llu %c%c%c %c %llu %llu %llu 0 ", (unsigned long long)(a->end - a->start),
        a->flags & VM_READ ? 'r' : '-', a->flags & VM_WRITE ? 'w' : '-',
        a->flags & VM_EXEC ? 'x' : '-', a->flags & VM_SHARED ? 's' : 'p', (unsigned long long)s.rss,
        (unsigned long long)s.anon, (unsigned long long)(a->flags & VM_LOCKED ? s.share >> 22 : 0));
    const char *comma = "";
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (!(a->flags & flags[i].vm))
            continue;
        add(t, "%s%s", comma, flags[i].name);
        comma = ",";
    }
    add(t, "%s%s\n", *comma ? "" : "-", strcmp(area_name(p, a), "[heap]") == 0 ? " [heap]" : "");
}

static void add_maps(struct text *t, const struct run *run)
{
    const struct process *p = process_find(run->rig.k, run->now);
    for (size_t i = 0; i < p->areas.count; i++)
        if (!of_baseline(p->areas.at[i]))
            add_area(t, run, p->areas.at[i]);
}

static const char *page_kind(const struct kernel *k, const struct process *p, va_t va)
{
    pfn_t table;
    pte_t entry = pgtable_get(k, p, va, &table);
    if (!entry)
        return NULL;
    if (!pte_held(entry))
        return "guard";
    if (pte_pfn(entry) == k->zero)
        return "z";
    const struct frame *frame = frames_at(k->frames, pte_pfn(entry));
    if (frame->use == FRAME_ANON)
        return frame->refs == 1 ? "ax" : "a";
    return frame->refs == 1 ? "sx" : "s";
}

static void add_pages_of(struct text *t, const struct run *run, const struct area *a)
{
    const struct kernel *k = run->rig.k;
    const struct process *p = process_find(k, run->now);
    for (va_t va = a->start; pgtable_next(k, p, &va, a->end) != PFN_NONE;) {
        const char *kind = page_kind(k, p, va);
        va_t start = va;
        if (!kind) {
            va += PAGE_SIZE;
            continue;
        }
        while (va < a->end && page_kind(k, p, va) == kind)
            va += PAGE_SIZE;
        add_number(t, run);
        add_address(t, start);
        add(t, " %llu %s\n", (unsigned long long)((va - start) >> PAGE_SHIFT), kind);
    }
}

static void add_pages(struct text *t, const struct run *run)
{
    const struct process *p = process_find(run->rig.k, run->now);
    for (size_t i = 0; i < p->areas.count; i++)
        if (!of_baseline(p->areas.at[i]))
            add_pages_of(t, run, p->areas.at[i]);
}

/* What one of the two tells of all processes. */
static void add_all(struct run *run, void (*tell)(struct text *, const struct run *))
{
    run->out.length = 0;
    run->out.at[0] = '\0';
    for (unsigned i = 0; i < NUMBERS; i++) {
        run->now = run->pid[i];
        if (run->now)
            tell(&run->out, run);
    }
}

/* ---- comparing ---- */

static char *slurp(const char *base, const char *suffix)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", base, suffix);
    FILE *in = fopen(path, "r");
    ck_assert_msg(in, "%s", path);
    char *text = calloc(1, TEXT_SIZE);
    size_t n = fread(text, 1, TEXT_SIZE - 1, in);
    text[n] = '\0';
    fclose(in);
    return text;
}

/* true, or the first line that differs is shown. */
static bool same(const char *what, const char *want, const char *got)
{
    unsigned line = 1;
    while (*want && *want == *got) {
        line += *want == '\n';
        want++;
        got++;
    }
    if (*want == *got)
        return true;
    printf("  %s line %u: Linux …%.*s | here …%.*s\n", what, line, (int)strcspn(want, "\n"), want,
           (int)strcspn(got, "\n"), got);
    return false;
}

/* The size of each living process's tables, as its growth over those of the first at the start. */
static bool same_tables(struct run *run, const char *json, uint64_t tables)
{
    uint64_t before = number(json, "VmPTE_before_kb");
    bool ok = true;
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (!run->pid[i])
            continue;
        json = field(json, "VmPTE_after_kb");
        uint64_t want = signed_number(json) - before;
        uint64_t got = 4 * (rig_process(&run->rig, run->pid[i]).tables - tables);
        if (got != want)
            printf("  VmPTE of p%u: Linux %+lld kB, here %+lld kB\n", i, (long long)want,
                   (long long)got);
        ok = ok && got == want;
    }
    return ok;
}

static bool compare(struct run *run, const char *base, uint64_t tables)
{
    char *out = slurp(base, ".out"), *maps = slurp(base, ".maps"), *pages = slurp(base, ".pages");
    char *json = slurp(base, ".json");
    bool ok = same("out", out, run->out.at);
    if (ok) {
        add_all(run, add_maps);
        ok = same("maps", maps, run->out.at);
        add_all(run, add_pages);
        ok = same("pages", pages, run->out.at) && ok;
        ok = same_tables(run, json, tables) && ok;
    }
    free(out);
    free(maps);
    free(pages);
    free(json);
    return ok;
}

static bool sequence(const char *path)
{
    struct run *run = calloc(1, sizeof(*run));
    struct kernel_config config = rig_config();
    rig_open(&run->rig, RAM, &config);
    run->out.at = calloc(1, TEXT_SIZE);
    run->now = run->pid[0] = 1;
    stand(run);
    uint64_t tables = rig_process(&run->rig, 1).tables;
    char *text = slurp(path, "");
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        run_line(run, line);
    }
    rig_check(&run->rig);
    char base[512];
    snprintf(base, sizeof(base), "%.*s", (int)(strlen(path) - strlen(".jsonl")), path);
    bool ok = compare(run, base, tables);
    if (!ok)
        printf("  above: %s\n", path);
    for (unsigned i = 0; i < NUMBERS; i++)
        kernel_exit(run->rig.k, &run->rig.cpu[0], run->pid[i]);
    rig_check(&run->rig);
    rig_close(&run->rig);
    free(run->out.at);
    free(text);
    free(run);
    return ok;
}

static bool wanted(const char *name, const char *prefix)
{
    size_t n = strlen(name);
    return strncmp(name, prefix, strlen(prefix)) == 0 && n > 6 &&
           strcmp(name + n - 6, ".jsonl") == 0;
}

static void profile(const char *folder, const char *prefix, unsigned baseline)
{
    struct dirent **entry;
    int count = scandir(folder, &entry, NULL, alphasort);
    if (count < 0) {
        printf("SKIP: %s is not there\n", folder);
        return;
    }
    unsigned agree = 0, all = 0;
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", folder, entry[i]->d_name);
        if (wanted(entry[i]->d_name, prefix)) {
            agree += sequence(path);
            all++;
        }
        free(entry[i]);
    }
    free(entry);
    printf("%-10s %u of %u sequences agree with Linux\n", prefix, agree, all);
    fflush(stdout);
    ck_assert_uint_ge(agree, baseline);
}

static const struct {
    const char *folder, *prefix;
    unsigned baseline;
} profiles[] = {
    {"../shared/traces/vm", "vm-place", 75},  {"../shared/traces/vm", "vm-prot", 0},
    {"../shared/traces/vm", "vm-mremap", 75}, {"../shared/traces/vm", "vm-brk", 0},
    {"../shared/traces/vm", "vm-fault", 75},  {"../shared/traces/vm", "vm-bad", 0},
    {"../shared/traces/vm", "vm-mix", 75},    {"../shared/traces/vm", "vm-grow", 0},
    {"../shared/traces/vm", "vm-thp", 27},    {"../shared/traces/vm", "cow", 100},
    {"../shared/traces/vm-rules", "x", 167},
};

START_TEST(agree)
{
    profile(profiles[_i].folder, profiles[_i].prefix, profiles[_i].baseline);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linux_vm");
    TCase *all = tcase_create("sequences");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, agree, 0, (int)ARRAY_LEN(profiles));
    suite_add_tcase(suite, all);
    return test_run(suite);
}
