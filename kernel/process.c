/* process.c: processes begin, run, and end. A process starts with the address space that Linux
 * shows for a small dynamically linked program without address randomisation:
 *
 *   image_start  r--p r-xp r--p r--p rw-p   the program, as its file is mapped
 *   heap_start   [heap]                     grows up by brk
 *   …
 *   mmap_top     mappings, placed downwards from here; above it the C library, [vvar], [vdso],
 * ld.so stack_top    [stack]                    grows down by faults
 */
#include "kernel/process.h"

#include "kernel/pgtable.h"
#include "kernel/pkeys.h"
#include "kernel/reclaim.h"
#include "kernel/uaccess.h"
#include "sim/base/arena.h"
#include "sim/base/check.h"

#include <string.h>

/* The dynamic loader ends here below the top of the stack, where Linux starts mapping. */
#define MMAP_BASE_GAP UINT64_C(0x8000000)

static const struct area_file file_program = {"/usr/bin/program", 0x08, 1, 1048577};
static const struct area_file file_libc = {"/usr/lib/x86_64-linux-gnu/libc.so.6", 0x08, 1, 1049101};
static const struct area_file file_ld = {"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", 0x08, 1,
                                         1049095};
static const struct area_file file_vvar = {"[vvar]", 0, 0, 0};
static const struct area_file file_vdso = {"[vdso]", 0, 0, 0};

/* One area of the start: pages long; file NULL: anonymous. */
struct piece {
    const struct area_file *file;
    uint64_t pages;
    uint64_t pgoff;
    uint32_t flags;
};

#define R  VM_READ
#define RX (VM_READ | VM_EXEC)
#define RW (VM_READ | VM_WRITE | VM_ACCOUNT)

/* As the C library and the loader of Debian 12 lie in memory. */
static const struct piece libc_pieces[] = {
    {&file_libc, 0x26, 0, R},  {&file_libc, 0x155, 0x26, RX}, {&file_libc, 0x53, 0x17b, R},
    {&file_libc, 4, 0x1ce, R}, {&file_libc, 2, 0x1d2, RW},    {NULL, 13, 0, RW},
};
static const struct piece ld_pieces[] = {
    {&file_vvar, 4, 0, R},   {&file_vdso, 2, 0, RX},   {&file_ld, 1, 0, R},
    {&file_ld, 0x25, 1, RX}, {&file_ld, 0xa, 0x26, R}, {&file_ld, 2, 0x30, R},
    {&file_ld, 2, 0x32, RW},
};

/* ---- finding ---- */

struct process *process_find(const struct kernel *k, uint16_t pid)
{
    for (size_t i = 0; i < k->process_count; i++)
        if (k->process[i]->pid == pid)
            return k->process[i];
    return NULL;
}

struct process *process_running(const struct cpu *cpu)
{
    return cpu->current && !cpu->current->killed ? cpu->current : NULL;
}

/* ---- layout ---- */

static bool layout_add(struct kernel *k, struct process *p, va_t start, const struct piece *piece)
{
    struct area wanted = {.start = start,
                          .end = start + piece->pages * PAGE_SIZE,
                          .flags = piece->flags,
                          .pgoff = piece->file ? piece->pgoff : start >> PAGE_SHIFT,
                          .file = piece->file};
    if (!areas_reserve(k->env, &p->areas, 1))
        return false;
    area_add(k->env, p, &wanted, JOIN_NONE);
    return true;
}

static uint64_t pieces_bytes(const struct piece *piece, size_t count)
{
    uint64_t pages = 0;
    for (size_t i = 0; i < count; i++)
        pages += piece[i].pages;
    return pages * PAGE_SIZE;
}

static bool layout_pieces(struct kernel *k, struct process *p, va_t start,
                          const struct piece *piece, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!layout_add(k, p, start, &piece[i]))
            return false;
        start += piece[i].pages * PAGE_SIZE;
    }
    return true;
}

/* The program: most of it is text; with fewer than five pages there is only text. */
static bool layout_image(struct kernel *k, struct process *p)
{
    uint64_t pages = k->config.image_bytes >> PAGE_SHIFT;
    uint64_t text = pages - 4;
    const struct piece image[] = {
        {&file_program, 1, 0, R},         {&file_program, text, 1, RX},
        {&file_program, 1, text + 1, R},  {&file_program, 1, text + 1, R},
        {&file_program, 1, text + 2, RW},
    };
    const struct piece tiny = {&file_program, pages, 0, RX};
    if (pages == 0)
        return true;
    return pages < 5 ? layout_add(k, p, k->config.image_start, &tiny)
                     : layout_pieces(k, p, k->config.image_start, image, ARRAY_LEN(image));
}

/* The libraries, where there is room for them between mmap_top and the stack. */
static bool layout_libraries(struct kernel *k, struct process *p)
{
    va_t top = k->config.stack_top - MMAP_BASE_GAP;
    uint64_t libc = pieces_bytes(libc_pieces, ARRAY_LEN(libc_pieces));
    uint64_t ld = pieces_bytes(ld_pieces, ARRAY_LEN(ld_pieces));
    if (k->config.stack_top < MMAP_BASE_GAP || k->config.mmap_top + libc + ld > top)
        return true;
    return layout_pieces(k, p, k->config.mmap_top, libc_pieces, ARRAY_LEN(libc_pieces)) &&
           layout_pieces(k, p, top - ld, ld_pieces, ARRAY_LEN(ld_pieces));
}

static bool layout(struct kernel *k, struct process *p)
{
    const struct piece stack = {NULL, k->config.stack_bytes >> PAGE_SHIFT, 0, RW | VM_GROWSDOWN};
    return layout_image(k, p) && layout_libraries(k, p) &&
           layout_add(k, p, k->config.stack_top - k->config.stack_bytes, &stack);
}

/* ---- the root table ---- */

/* Copies the kernel half, or with NULL clears it. */
static void root_kernel_half(struct kernel *k, struct process *p, const pfn_t *from)
{
    for (unsigned i = TABLE_ENTRIES / 2; i < TABLE_ENTRIES; i++) {
        pa_t pa = i * sizeof(pte_t);
        pte_t entry = from ? ram_read64(k->ram, (*from << PAGE_SHIFT) + pa) : 0;
        if (entry != ram_read64(k->ram, (p->root << PAGE_SHIFT) + pa))
            entry_write(k, p, p->root, i, entry);
    }
}

static bool root_make(struct kernel *k, struct process *p)
{
    p->root = table_new(k, p, pt_levels(k), 0);
    if (p->root == PFN_NONE)
        return false;
    root_kernel_half(k, p, &k->root);
    return true;
}

void process_clear(struct kernel *k, struct process *p)
{
    if (p->root != PFN_NONE) {
        mm_leave_all(k, p);
        gather_hold(k);
        pgtable_zap(k, p, 0, TASK_SIZE, ZAP_ALL);
        pgtable_trim(k, p, 0, TASK_SIZE, 0, 0);
        gather_release(k, p);
    }
    area_remove_range(k->env, p, 0, TASK_SIZE);
    areas_drop(k->env, &p->areas);
    if (p->root == PFN_NONE)
        return;
    root_kernel_half(k, p, NULL);
    table_free(k, p, p->root);
    p->root = PFN_NONE;
}

/* ---- life ---- */

static bool list_room(struct kernel *k)
{
    if (k->process_count < k->process_capacity)
        return true;
    size_t capacity = k->process_capacity ? k->process_capacity * 2 : 4;
    struct process **list =
        arena_resize(k->env->arena, k->process, k->process_capacity * sizeof(struct process *),
                     capacity * sizeof(struct process *));
    if (!list)
        return false;
    k->process = list;
    k->process_capacity = capacity;
    return true;
}

/* The next number that is not in use; 0: none. */
static uint16_t pid_take(struct kernel *k)
{
    for (unsigned i = 0; i < UINT16_MAX; i++) {
        uint16_t pid = k->next_pid;
        k->next_pid = pid == UINT16_MAX ? 1 : (uint16_t)(pid + 1);
        if (!process_find(k, pid))
            return pid;
    }
    return 0;
}

/* Puts p into the list, which is sorted by pid. */
static void list_insert(struct kernel *k, struct process *p)
{
    size_t i = k->process_count++;
    for (; i > 0 && k->process[i - 1]->pid > p->pid; i--)
        k->process[i] = k->process[i - 1];
    k->process[i] = p;
}

static void list_remove(struct kernel *k, const struct process *p)
{
    size_t i = 0;
    while (k->process[i] != p)
        i++;
    k->process_count--;
    memmove(k->process + i, k->process + i + 1, (k->process_count - i) * sizeof(struct process *));
}

static struct process *process_new(struct kernel *k, const char *name, uint16_t parent)
{
    struct process *p = list_room(k) ? arena_alloc(k->env->arena, sizeof(*p)) : NULL;
    if (!p)
        return NULL;
    p->pid = pid_take(k);
    p->ctx = ++k->next_ctx;
    p->parent = parent;
    p->root = PFN_NONE;
    p->heap_start = p->brk = k->config.heap_start;
    p->stack_top = k->config.stack_top;
    p->pkru = PKRU_INIT;
    limits_start(k, p);
    size_t length = strlen(name);
    memcpy(p->name, name, length < NAME_BYTES ? length : NAME_BYTES - 1);
    list_insert(k, p);
    return p;
}

/* Takes p out of the world; its memory is gone already. */
static void process_forget(struct kernel *k, struct process *p)
{
    sched_forget(k, p);
    list_remove(k, p);
    arena_free(k->env->arena, p, sizeof(*p));
}

/* Its children have nobody who waits for them: those that ended are forgotten (Linux:
 * forget_original_parent in kernel/exit.c; there init adopts them). */
static void process_orphan(struct kernel *k, const struct process *parent)
{
    for (size_t i = k->process_count; i-- > 0;) {
        struct process *child = k->process[i];
        if (child->parent != parent->pid)
            continue;
        child->parent = 0;
        if (child->exited)
            process_forget(k, child);
    }
}

void process_kill(struct kernel *k, struct process *p, va_t va)
{
    k->counters.oom_kills++;
    EMIT(k->env, out_of_memory, .va = va, .pid = p->pid);
    EMIT(k->env, signal_sent, .signal = LX_SIGKILL, .code = 0, .va = va);
    process_clear(k, p);
    p->killed = true;
    p->status = LX_SIGKILL;
    process_orphan(k, p);
    EMIT(k->env, process_gone, .id = p->pid, .signal = LX_SIGKILL);
}

struct process *process_begin(struct kernel *k, const char *name, uint16_t parent, int64_t *result)
{
    *result = -LX_EAGAIN;
    if (k->process_count == UINT16_MAX)
        return NULL;
    *result = -LX_ENOMEM;
    struct process *p = process_new(k, name, parent);
    if (!p)
        return NULL;
    uint16_t before = k->env->pid;
    k->env->pid = p->pid; /* the events that follow are about the new process */
    EMIT(k->env, process_new, .id = p->pid, .parent = parent);
    bool made = root_make(k, p);
    k->env->pid = before;
    if (made)
        return p;
    process_end(k, p);
    return NULL;
}

int64_t kernel_spawn(struct kernel *k, const char *name)
{
    int64_t result;
    struct process *p = process_begin(k, name, 0, &result);
    if (!p)
        return result;
    uint16_t pid = p->pid, before = k->env->pid;
    k->env->pid = pid;
    bool made = layout(k, p);
    if (made)
        EMIT(k->env, brk_move, .start = p->heap_start, .before = p->brk, .after = p->brk);
    else
        process_end(k, p);
    k->env->pid = before;
    return made ? pid : -LX_ENOMEM;
}

void kernel_exit_code(struct kernel *k, uint16_t pid, uint8_t code)
{
    struct process *p = process_find(k, pid);
    if (p && !p->killed)
        p->status = (uint32_t)code
                    << 8; /* as wait shows it: a signal would stand in the low bits */
}

/* Gives p's memory back, unless it has none any more. */
static void process_finish(struct kernel *k, struct process *p)
{
    if (p->killed)
        return;
    uint16_t before = k->env->pid;
    k->env->pid = p->pid;
    process_clear(k, p);
    p->killed = true;
    EMIT(k->env, process_gone, .id = p->pid, .signal = 0);
    k->env->pid = before;
}

void process_end(struct kernel *k, struct process *p)
{
    process_finish(k, p);
    process_forget(k, p);
}

void kernel_exit(struct kernel *k, struct cpu *cpu, uint16_t pid)
{
    (void)cpu;
    struct process *p = process_find(k, pid);
    if (!p || p->exited)
        return;
    const struct process *parent = p->parent ? process_find(k, p->parent) : NULL;
    process_finish(k, p);
    reclaim_unpin(k);
    sched_forget(k, p);
    process_orphan(k, p);
    p->exited = true;
    if (!parent || parent->exited)
        process_forget(k, p);
}

/* ---- waiting ---- */

/* The lowest of p's children that pid names (-1: any), an ended one if there is one. */
static struct process *child_find(const struct kernel *k, const struct process *p, int64_t pid)
{
    struct process *found = NULL;
    for (size_t i = 0; i < k->process_count; i++) {
        struct process *child = k->process[i];
        if (child->parent != p->pid || (pid > 0 && child->pid != pid))
            continue;
        if (child->killed)
            return child;
        if (!found)
            found = child;
    }
    return found;
}

/* wait4: NOTE: a child that still runs is never waited for, as with WNOHANG: the order of a trace
 * is the order in which everything happens. NOTE: pid 0 and below -1 (groups) mean any child. */
int64_t sys_wait4(struct kernel *k, struct process *p, const uint64_t arg[6])
{
    struct process *child = child_find(k, p, (int32_t)(uint32_t)arg[0]);
    if (!child)
        return -LX_ECHILD;
    if (!child->killed)
        return 0;
    uint16_t pid = child->pid;
    uint32_t status = child->status;
    p->children_minor += child->faults_minor + child->children_minor;
    p->children_major += child->faults_major + child->children_major;
    p->children_peak = max_u64(p->children_peak, child->resident_peak);
    process_orphan(k, child);
    process_forget(k, child);
    if (arg[1] && !copy_to_user(k, arg[1], &status, sizeof(status)))
        return -LX_EFAULT;
    return pid;
}
