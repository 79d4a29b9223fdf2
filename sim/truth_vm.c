/* truth_vm.c: sequences of memory calls, replayed and told in the words of the native replay.
 *
 * The native replay runs each process of the sequence as a real one and asks Linux itself:
 * getrusage around every op, /proc/PID/smaps and pagemap at the end. Here the machine is asked.
 * Calls go the way of every trace; only reads and writes are done here, because the native ones
 * touch one byte per page and tell what they saw.
 */
#include "kernel/vma.h"
#include "sim/replay.h"
#include "sim/state.h"
#include "sim/truth.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TABLES_BEFORE_KB 48u /* VmPTE of the native replay when a sequence begins */
#define NUMBERS          64u /* of processes in a sequence: 0 to 63 */

/* A process of the sequence, by its number. */
struct one {
    uint16_t pid; /* 0: it is not there, or has ended */
    uint64_t faults;
};

/* What the first process held when the sequence began: figures are told as differences to it. */
struct before {
    uint64_t tables, pages, resident, anon, data, stack;
};

struct replay {
    struct sim *sim;
    struct machine *m;
    const struct truth_options *o;
    struct truth *t;
    bool several; /* the sequence names processes, so every row does */
    struct one one[NUMBERS];
    struct before before;
};

/* ---- processes ---- */

/* Pages that the native replay itself had touched, on either side of what the sequence uses: their
 * page tables are there from the start. */
static void stand(struct replay *r)
{
    uint8_t byte;
    machine_access(r->m, r->o->heap0 - PAGE_SIZE, &byte, 1, ACCESS_READ);
    machine_access(r->m, r->o->mmap_low, &byte, 1, ACCESS_READ);
}

static bool come(struct replay *r, unsigned number)
{
    int64_t result;
    const struct program *p = machine_program(r->m, (uint16_t)number, 0, &result);
    if (!p)
        return false;
    r->one[number].pid = p->pid;
    stand(r);
    return true;
}

static struct process_info info_of(const struct replay *r, unsigned number)
{
    struct process_info info = {0};
    kernel_process(r->m->kernel, r->one[number].pid, &info);
    return info;
}

/* ---- results ---- */

static void add_va(const struct replay *r, enum truth_text what, va_t va)
{
    char text[32];
    text_add(&r->t->text[what], "%s", va ? truth_address(r->o, va, text) : "m-");
    if (!va)
        text_add(&r->t->text[what], "%" PRIu64, r->o->mmap_low);
}

/* "3x0,1x12": values with how often each comes in a row. */
struct runs {
    struct text *out;
    uint64_t count;
    unsigned value;
    bool any;
};

static void runs_flush(struct runs *r)
{
    if (!r->count)
        return;
    text_add(r->out, "%s%" PRIu64 "x%u", r->any ? "," : "", r->count, r->value);
    r->any = true;
    r->count = 0;
}

static void runs_add(struct runs *r, unsigned value)
{
    if (r->count && r->value != value)
        runs_flush(r);
    r->value = value;
    r->count++;
}

static void tell_signal(const struct replay *r)
{
    struct text *out = &r->t->text[TRUTH_OUT];
    const struct lx_siginfo *s = &r->m->signal;
    const char *code = s->code == LX_SEGV_MAPERR ? "MAPERR" : "ACCERR";
    if (s->signal == LX_SIGKILL)
        text_add(out, "KILLED:");
    else if (s->signal == LX_SIGBUS)
        text_add(out, "BUS:ADRERR:");
    else
        text_add(out, "SEGV:%s:", code);
    add_va(r, TRUTH_OUT, s->va);
}

/* One byte at the start, then the first byte of each page that follows. */
static void do_access(const struct replay *r, const struct op *op, uint64_t number,
                      struct text *content, uint64_t *pages, bool *ok)
{
    struct runs runs = {.out = content};
    va_t va = replay_address(r->m, op->base, op->v[0]), end = va + op->v[1];
    bool write = op->kind == OP_write;
    for (; va < end; va = align_down(va, PAGE_SIZE) + PAGE_SIZE) {
        uint8_t byte = (uint8_t)(number % 255 + 1);
        *ok = !machine_access(r->m, va, &byte, 1, write ? ACCESS_WRITE : ACCESS_READ);
        if (!*ok)
            break;
        ++*pages;
        if (!write)
            runs_add(&runs, byte);
    }
    runs_flush(&runs);
}

static void tell_access(struct replay *r, const struct op *op, uint64_t number)
{
    struct text content = {0}, *out = &r->t->text[TRUTH_OUT];
    struct one *one = &r->one[op->pid];
    uint64_t pages = 0, faults = info_of(r, op->pid).faults_minor;
    bool ok = true;
    do_access(r, op, number, &content, &pages, &ok);
    faults = info_of(r, op->pid).faults_minor - faults;
    one->faults += faults;
    if (ok)
        text_add(out, "%" PRIu64, pages);
    else
        tell_signal(r);
    text_add(out, " %" PRIu64, faults);
    for (size_t at = 0; at < content.size; at += 256)
        text_add(out, "%s%.256s", at ? "" : " ", content.bytes + at);
    text_add(out, "\n");
    out->failed = out->failed || content.failed;
    text_free(&content);
}

static void tell_mincore(const struct replay *r, const struct op *op)
{
    struct runs runs = {.out = &r->t->text[TRUTH_OUT]};
    va_t start = replay_address(r->m, op->base, op->v[0]), end = start + op->v[1];
    for (va_t va = start; va < end; va += PAGE_SIZE)
        runs_add(&runs, (unsigned)kernel_mincore(r->m->kernel, r->one[op->pid].pid, va));
    runs_flush(&runs);
}

static void tell_result(const struct replay *r, const struct op *op, int64_t result)
{
    bool address =
        op->kind == OP_mmap || op->kind == OP_mremap || op->kind == OP_brk || op->kind == OP_sbrk;
    if (lx_failed(result))
        text_add(&r->t->text[TRUTH_OUT], "-%s", lx_errno_name(result));
    else if (op->kind == OP_mincore && op->v[1])
        tell_mincore(r, op);
    else if (address)
        add_va(r, TRUTH_OUT, (va_t)result);
    else
        text_add(&r->t->text[TRUTH_OUT], "%" PRId64, result);
}

static void tell_call(struct replay *r, const struct op *op, uint64_t number)
{
    uint64_t faults = info_of(r, op->pid).faults_minor;
    replay_op(r->m, number + 1, op, NULL);
    int64_t result = r->m->outcome.result;
    if (op->kind == OP_exit)
        r->one[op->pid].pid = 0;
    else
        faults = info_of(r, op->pid).faults_minor - faults;
    if (op->kind == OP_exit)
        faults = 0;
    r->one[op->pid].faults += faults;
    tell_result(r, op, result);
    text_add(&r->t->text[TRUTH_OUT], " %" PRIu64 "\n", faults);
    if (op->kind == OP_fork && !lx_failed(result)) {
        r->one[op->v[0]].faults = 0;
        come(r, (unsigned)op->v[0]);
    }
}

/* ---- the end ---- */

static void add_number(const struct replay *r, enum truth_text what, unsigned number)
{
    if (r->several)
        text_add(&r->t->text[what], "p%u ", number);
}

/* Is it of the sequence, not of what stood before? */
static bool of_sequence(const struct replay *r, const struct area_info *a)
{
    return a->start < r->o->mmap_low &&
           (a->end <= r->m->config.kernel.image_start || a->start >= r->o->heap0);
}

/* In the order of their bits, as VmFlags has them. */
static void add_flags(struct text *t, uint32_t flags)
{
    static const struct {
        uint32_t vm;
        const char *name;
    } names[] = {{VM_GROWSDOWN, "gd"}, {VM_LOCKED, "lo"},    {VM_DONTCOPY, "dc"},
                 {VM_ACCOUNT, "ac"},   {VM_NORESERVE, "nr"}, {VM_WIPEONFORK, "wf"},
                 {VM_DONTDUMP, "dd"},  {VM_HUGEPAGE, "hg"},  {VM_NOHUGEPAGE, "nh"}};
    const char *comma = "";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(flags & names[i].vm))
            continue;
        text_add(t, "%s%s", comma, names[i].name);
        comma = ",";
    }
    if (!*comma)
        text_add(t, "-");
}

static void tell_area(const struct replay *r, unsigned number, const struct area_info *a,
                      const struct area_usage *u)
{
    struct text *t = &r->t->text[TRUTH_MAPS];
    const uint64_t page = PAGE_SIZE / KIB;
    add_number(r, TRUTH_MAPS, number);
    add_va(r, TRUTH_MAPS, a->start);
    text_add(t, " %" PRIu64 " %c%c%c %c", a->end - a->start, u->flags & VM_READ ? 'r' : '-',
             u->flags & VM_WRITE ? 'w' : '-', u->flags & VM_EXEC ? 'x' : '-',
             u->flags & VM_SHARED ? 's' : 'p');
    text_add(t, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", u->resident * page,
             u->anon * page, u->flags & VM_LOCKED ? u->share >> 22 : 0, u->huge * page);
    add_flags(t, u->flags);
    text_add(t, "%s\n", strcmp(a->name, "[heap]") == 0 ? " [heap]" : "");
}

static void tell_run(const struct replay *r, unsigned number, va_t start, va_t end,
                     const struct page_info *p)
{
    static const char *const kinds[] = {"a", "s", "z", "guard"};
    add_number(r, TRUTH_PAGES, number);
    add_va(r, TRUTH_PAGES, start);
    text_add(&r->t->text[TRUTH_PAGES], " %" PRIu64 " %s%s%s\n", (end - start) >> PAGE_SHIFT,
             kinds[p->kind], p->exclusive ? "x" : "", p->huge ? "h" : "");
}

static bool same_kind(const struct page_info *a, const struct page_info *b)
{
    return a->kind == b->kind && a->exclusive == b->exclusive && a->huge == b->huge;
}

static void tell_pages(const struct replay *r, unsigned number, const struct area_info *a)
{
    struct page_info page, run = {0};
    va_t start = 0, end = 0; /* of the run so far */
    va_t va = a->start;
    for (; kernel_page(r->m->kernel, r->one[number].pid, &va, a->end, &page); va += PAGE_SIZE) {
        if (end != va || !same_kind(&run, &page)) {
            if (end > start)
                tell_run(r, number, start, end, &run);
            start = va;
            run = page;
        }
        end = va + PAGE_SIZE;
    }
    if (end > start)
        tell_run(r, number, start, end, &run);
}

static void tell_areas(const struct replay *r, unsigned number)
{
    struct area_info a;
    struct area_usage u;
    uint16_t pid = r->one[number].pid;
    for (size_t i = 0; kernel_area(r->m->kernel, pid, i, &a); i++)
        if (of_sequence(r, &a) && kernel_area_usage(r->m->kernel, pid, i, &u)) {
            tell_area(r, number, &a, &u);
            tell_pages(r, number, &a);
        }
}

/* ---- figures ---- */

/* Linux: vm_stat_account: which areas count as data, which as stack. */
static void count_area(struct before *b, const struct area_info *a, const struct area_usage *u)
{
    uint64_t pages = (a->end - a->start) >> PAGE_SHIFT;
    bool code = (u->flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC;
    bool stack = !code && (u->flags & VM_GROWSDOWN);
    bool data = !stack && (u->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
    b->pages += pages;
    b->stack += stack ? pages : 0;
    b->data += data ? pages : 0;
    b->resident += u->resident;
    b->anon += u->anon;
}

static struct before figures(const struct replay *r, unsigned number)
{
    struct before b = {.tables = info_of(r, number).tables};
    struct area_info a;
    struct area_usage u;
    uint16_t pid = r->one[number].pid;
    for (size_t i = 0; kernel_area(r->m->kernel, pid, i, &a); i++)
        if (kernel_area_usage(r->m->kernel, pid, i, &u))
            count_area(&b, &a, &u);
    return b;
}

static int64_t kb(uint64_t pages, uint64_t before)
{
    return ((int64_t)pages - (int64_t)before) * (int64_t)(PAGE_SIZE / KIB);
}

static void tell_first(const struct replay *r)
{
    struct text *t = &r->t->text[TRUTH_SUMMARY];
    struct before now = figures(r, 0);
    const struct before *was = &r->before;
    text_add(t, ",\"dVmSize_kb\":%" PRId64 ",\"dVmRSS_kb\":%" PRId64, kb(now.pages, was->pages),
             kb(now.resident, was->resident));
    text_add(t, ",\"dRssAnon_kb\":%" PRId64 ",\"dRssShmem_kb\":%" PRId64, kb(now.anon, was->anon),
             kb(now.resident - now.anon, was->resident - was->anon));
    text_add(t, ",\"dVmData_kb\":%" PRId64 ",\"dVmStk_kb\":%" PRId64, kb(now.data, was->data),
             kb(now.stack, was->stack));
    text_add(t, ",\"VmLck_kb\":%" PRId64 ",\"VmPTE_before_kb\":%u,\"VmPTE_after_kb\":%" PRId64,
             kb(info_of(r, 0).locked, 0), TABLES_BEFORE_KB,
             TABLES_BEFORE_KB + kb(now.tables, was->tables));
}

static void tell_summary_of(const struct replay *r, unsigned number)
{
    struct text *t = &r->t->text[TRUTH_SUMMARY];
    if (r->several)
        text_add(t, "  {\"p\":%u,", number);
    text_add(t, "\"minflt\":%" PRIu64 ",\"brk\":\"", r->one[number].faults);
    add_va(r, TRUTH_SUMMARY, info_of(r, number).brk);
    text_add(t, "\"");
    if (number == 0)
        tell_first(r);
    else
        text_add(t, ",\"VmPTE_after_kb\":%" PRId64 ",\"VmLck_kb\":%" PRId64,
                 TABLES_BEFORE_KB + kb(info_of(r, number).tables, r->before.tables),
                 kb(info_of(r, number).locked, 0));
    text_add(t, r->several ? "}" : "");
}

static void tell_end(const struct replay *r, uint64_t ops)
{
    struct text *t = &r->t->text[TRUTH_SUMMARY];
    text_add(t, "{\"nops\":%" PRIu64 ",\"mmap_low\":\"0x%" PRIx64 "\",\"heap0\":\"0x%" PRIx64 "\"",
             ops, r->o->mmap_low, r->o->heap0);
    text_add(t, ",\"image0\":\"0x%" PRIx64 "\",%s", r->m->config.kernel.image_start,
             r->several ? "\"procs\":[\n" : "");
    const char *comma = "";
    for (unsigned number = 0; number < NUMBERS; number++) {
        if (!r->one[number].pid)
            continue;
        text_add(t, "%s", comma);
        tell_areas(r, number);
        tell_summary_of(r, number);
        comma = ",\n";
    }
    text_add(t, r->several ? "\n]}\n" : "}\n");
}

/* ---- all of it ---- */

static enum err check_op(const struct replay *r, const struct trace *trace, const struct op *op,
                         struct error *e)
{
    bool known = op->kind == OP_read || op->kind == OP_write || op->kind == OP_fork ||
                 op->kind == OP_exit || (op->kind >= OP_brk && op->kind <= OP_munlock);
    if (!known || (op->base == BASE_BLOCK && op->kind <= OP_copy))
        return error_set(e, ERR_VALUE, trace->path, op->line, "op",
                         "is not one of a sequence of memory calls");
    if (op->pid >= NUMBERS || (op->kind == OP_fork && op->v[0] >= NUMBERS))
        return error_set(e, ERR_VALUE, trace->path, op->line, op->kind == OP_fork ? "child" : "p",
                         "process numbers are below %u", NUMBERS);
    if (!r->one[op->pid].pid)
        return error_set(e, ERR_VALUE, trace->path, op->line, "p",
                         "process %u was never forked, or has ended", op->pid);
    return ERR_NONE;
}

static enum err run(struct replay *r, const struct trace *trace, struct error *e)
{
    uint64_t count = min_u64(trace->count, r->o->stop), number = 0;
    enum err err = ERR_NONE;
    for (size_t i = 0; i < trace->count; i++)
        r->several = r->several || (trace->op[i].flags & OP_HAS_PID);
    if (!come(r, 0))
        return error_set(e, ERR_MEMORY, trace->path, 0, NULL, "the first process cannot start");
    r->before = figures(r, 0);
    for (; number < count && !err; number++) {
        const struct op *op = &trace->op[number];
        int64_t result;
        err = check_op(r, trace, op, e);
        if (!err && !machine_program(r->m, op->pid, op->tid, &result))
            err = error_set(e, ERR_VALUE, trace->path, op->line, "p", "process %u was killed",
                            op->pid);
        if (!err && (op->kind == OP_read || op->kind == OP_write))
            tell_access(r, op, number);
        else if (!err)
            tell_call(r, op, number);
    }
    if (!err)
        tell_end(r, count);
    return err;
}

/* Texts that hold nothing are texts all the same. */
static void open_texts(struct truth *t)
{
    static const enum truth_text mine[] = {TRUTH_OUT, TRUTH_MAPS, TRUTH_PAGES, TRUTH_SUMMARY};
    for (size_t i = 0; i < ARRAY_LEN(mine); i++)
        text_add(&t->text[mine[i]], "%s", "");
}

enum err truth_vm(const struct trace *trace, const struct truth_options *o, struct truth *t,
                  struct error *e)
{
    struct config config;
    truth_config(o, &config);
    struct replay r = {.o = o, .t = t};
    enum err err = sim_open(&r.sim, &(struct sim_options){.config = &config, .trace = trace}, e);
    if (err)
        return err;
    r.m = r.sim->m;
    open_texts(t);
    err = run(&r, trace, e);
    sim_close(r.sim);
    return err;
}
