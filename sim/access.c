/* access.c: streams of addresses through the whole machine, faults and all. */
#include "sim/access.h"

#include "sim/base/check.h"
#include "sim/state.h"

#include <inttypes.h>
#include <stdlib.h>

#define KNOWN 4096 /* pages remembered as mapped; a power of two */

struct access_run {
    struct trace nothing; /* a trace without ops: the machine only boots */
    struct sim *sim;
    vpn_t known[KNOWN]; /* page number + 1 of a page that is mapped, by its lowest bits; 0: none */
};

#define ALL_RIGHTS (LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC)

/* Reserves [start, end), which no area touches. */
static bool reserve(struct machine *m, va_t start, va_t end)
{
    if (start >= end)
        return true;
    uint64_t arg[6] = {
        start,      end - start,
        ALL_RIGHTS, LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_NORESERVE | LX_MAP_FIXED,
        UINT64_MAX, 0};
    return !lx_failed(machine_syscall(m, LX_NR_mmap, arg));
}

/* The kernel's own half is not the program's to change. */
static bool allowed(const struct area_info *area)
{
    return area->start > UINT64_MAX / 2 || (area->prot & ALL_RIGHTS) == ALL_RIGHTS;
}

/* Areas with equal rights merge, which changes their numbers: so each change begins anew. */
static bool allow_all(struct sim *s)
{
    struct area_info area;
    for (size_t i = 0; inspect_area(s, s->m->env.pid, i, &area);) {
        uint64_t arg[6] = {area.start, area.end - area.start, ALL_RIGHTS};
        if (allowed(&area))
            i++;
        else if (lx_failed(machine_syscall(s->m, LX_NR_mprotect, arg)))
            return false;
        else
            i = 0;
    }
    return true;
}

/* First the rights of what is there, then the holes between. */
static bool reserve_all(struct sim *s)
{
    struct machine *m = s->m;
    struct area_info area;
    va_t limit = m->config.kernel.stack_top;
    uint16_t pid = m->env.pid;
    if (!allow_all(s))
        return false;
    for (va_t at = PAGE_SIZE; at < limit;) {
        if (inspect_area_at(s, pid, at, &area)) {
            at = area.end;
            continue;
        }
        va_t end = limit;
        for (size_t i = 0; inspect_area(s, pid, i, &area); i++)
            if (area.start > at && area.start < end)
                end = area.start;
        if (!reserve(m, at, end))
            return false;
        at = end;
    }
    return true;
}

enum err access_open(struct access_run **out, const struct config *config, struct error *e)
{
    *out = NULL;
    struct access_run *run = calloc(1, sizeof(*run));
    if (!run)
        return error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory");
    struct sim_options options = {.config = config, .trace = &run->nothing};
    enum err err = sim_open(&run->sim, &options, e);
    if (!err && !reserve_all(run->sim))
        err = error_set(e, ERR_VALUE, NULL, 0, "ram", "the address space cannot be reserved");
    if (err) {
        access_close(run);
        return err;
    }
    *out = run;
    return ERR_NONE;
}

void access_close(struct access_run *run)
{
    if (run)
        sim_close(run->sim);
    free(run);
}

static enum err refuse(struct machine *m, const struct mmu_fault *fault, struct error *e)
{
    if (m->signal.signal == LX_SIGKILL)
        return error_set(e, ERR_LIMIT, NULL, 0, "ram",
                         "no frame is left for 0x%" PRIx64 "; give the machine more ram",
                         fault->va);
    return error_set(e, ERR_VALUE, NULL, 0, NULL,
                     "0x%" PRIx64 " is not an address that a user program can have", fault->va);
}

/* The kernel resolves the fault, or *e says why it cannot. */
static enum err resolve(struct machine *m, const struct mmu_fault *fault, struct error *e)
{
    if (machine_fault(m, fault) >= FAULT_SIGNAL)
        return refuse(m, fault, e);
    return ERR_NONE;
}

/* Gives the page of va a frame before it is accessed for the first time, as a program that touched
 * all of its memory beforehand. So the accesses of a stream are counted once each, and their
 * misses are those of any simulator that knows no faults; the faults are counted all the same. */
static enum err map_page(struct access_run *run, va_t va, struct error *e)
{
    struct machine *m = run->sim->m;
    vpn_t vpn = va >> PAGE_SHIFT;
    vpn_t *known = &run->known[vpn % KNOWN];
    struct translation to;
    struct mmu_fault fault = {
        .va = va, .vector = VECTOR_PF, .error = PF_W | PF_U, .access = ACCESS_WRITE};
    enum err err = ERR_NONE;
    if (*known == vpn + 1 && !m->hears) /* where pages are evicted, nothing is known for long */
        return ERR_NONE;
    if (!mmu_probe(machine_cpu(m)->mmu, va, &to))
        err = resolve(m, &fault, e);
    if (!err)
        *known = vpn + 1;
    return err;
}

/* One access of a machine that may evict pages and wants to hear of each. */
static enum err touch_heard(struct access_run *run, va_t va, enum access access, struct error *e)
{
    struct machine *m = run->sim->m;
    struct mmu_fault fault;
    enum err err = map_page(run, va, e);
    while (!err && mmu_touch(m->cpu[0].mmu, &va, 1, access, &fault) == 0)
        err = resolve(m, &fault, e);
    if (!err)
        kernel_used(m->kernel, &m->cpu[0], va, 1);
    return err;
}

enum err access_touch(struct access_run *run, const va_t *va, size_t n, enum access access,
                      size_t *done, struct error *e)
{
    struct machine *m = run->sim->m;
    struct mmu_fault fault;
    enum err err = ERR_NONE;
    size_t mapped = 0;
    if (m->hears) {
        for (*done = 0; *done < n && !(err = touch_heard(run, va[*done], access, e)); ++*done)
            ;
        return err;
    }
    while (mapped < n && !(err = map_page(run, va[mapped], e)))
        mapped++;
    size_t at = 0;
    while (at < mapped) {
        at += mmu_touch(machine_cpu(m)->mmu, va + at, mapped - at, access, &fault);
        enum err late = at < mapped ? resolve(m, &fault, e) : ERR_NONE;
        if (late) {
            err = late;
            break;
        }
    }
    *done = at;
    return err;
}

enum err access_bytes(struct access_run *run, va_t va, size_t size, enum access access,
                      struct error *e)
{
    struct machine *m = run->sim->m;
    struct mmu_fault fault;
    enum err err = map_page(run, va, e);
    if (!err && (va & PAGE_MASK) + size > PAGE_SIZE)
        err = map_page(run, va + size - 1, e);
    while (!err && !mmu_access(machine_cpu(m)->mmu, va, NULL, size, access, &fault))
        err = resolve(m, &fault, e);
    if (!err && m->hears)
        kernel_used(m->kernel, &m->cpu[0], va, size);
    return err;
}

const struct sim *access_sim(const struct access_run *run)
{
    return run->sim;
}
