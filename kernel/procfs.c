/* procfs.c: what Linux shows under /proc, in its exact formats (fs/proc/task_mmu.c), so that
 * scripts that read the real files read these.
 */
#include "kernel/procfs.h"

#include "kernel/object.h"
#include "kernel/pgtable.h"
#include "kernel/swap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void proc_add(struct proc_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = t->length < t->size ? t->size - t->length : 0;
    int n = vsnprintf(room ? t->at + t->length : NULL, room, format, args);
    va_end(args);
    if (n > 0)
        t->length += (size_t)n;
}

/* show_vma_header_prefix: device and inode are those of the file; of shared memory its own. */
void maps_line(struct proc_text *t, const struct process *p, const struct area *a)
{
    static const struct area_file nothing = {"", 0, 0, 0};
    const struct area_file *file = a->file ? a->file : &nothing;
    bool backed = file->inode || a->object;
    size_t start = t->length;
    proc_add(t, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)a->start,
             (unsigned long long)a->end, a->flags & VM_READ ? 'r' : '-',
             a->flags & VM_WRITE ? 'w' : '-', a->flags & VM_EXEC ? 'x' : '-',
             a->flags & VM_SHARED ? 's' : 'p',
             (unsigned long long)(backed ? a->pgoff << PAGE_SHIFT : 0), file->major,
             a->object && !a->file ? 1 : file->minor,
             (unsigned long long)(a->object ? a->object->number : file->inode));
    const char *name = area_name(p, a);
    if (*name)
        proc_add(t, "%*s%s", (int)(NAME_COLUMN - (t->length - start)), "", name);
    proc_add(t, "\n");
}

void maps_vsyscall(struct proc_text *t)
{
    proc_add(t, "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 %*s[vsyscall]\n",
             NAME_COLUMN - 56, "");
}

static void proc_maps(const struct kernel *k, const struct process *p, struct proc_text *t)
{
    (void)k;
    for (size_t i = 0; i < p->areas.count; i++)
        maps_line(t, p, p->areas.at[i]);
    maps_vsyscall(t);
}

/* ---- the files by their names ---- */

struct process_file {
    const char *name;
    void (*write)(const struct kernel *, const struct process *, struct proc_text *);
    bool memory; /* a process that has none has an empty file */
};

static const struct process_file process_files[] = {
    {"maps", proc_maps, true},
    {"smaps", proc_smaps, true},
    {"smaps_rollup", proc_smaps_rollup, true},
    {"status", proc_status, false},
    {"statm", proc_statm, false},
};

struct system_file {
    const char *name;
    void (*write)(const struct kernel *, struct proc_text *);
};

static const struct system_file system_files[] = {
    {"meminfo", proc_meminfo}, {"vmstat", proc_vmstat}, {"buddyinfo", proc_buddyinfo}};

/* The process that a path "PID/…" names; *rest is what stands behind it. */
static const struct process *path_process(const struct kernel *k, const char *path,
                                          const char **rest)
{
    char *end;
    unsigned long pid = strtoul(path, &end, 10);
    *rest = end + 1;
    if (end == path || *end != '/' || pid > UINT16_MAX)
        return NULL;
    return process_find(k, (uint16_t)pid);
}

static bool file_write(const struct kernel *k, const char *path, struct proc_text *t)
{
    for (size_t i = 0; i < ARRAY_LEN(system_files); i++) {
        if (strcmp(path, system_files[i].name) == 0) {
            system_files[i].write(k, t);
            return true;
        }
    }
    const char *name;
    const struct process *p = path_process(k, path, &name);
    for (size_t i = 0; p && i < ARRAY_LEN(process_files); i++) {
        if (strcmp(name, process_files[i].name) == 0) {
            if (p->root != PFN_NONE || !process_files[i].memory)
                process_files[i].write(k, p, t);
            return true;
        }
    }
    return false;
}

int64_t kernel_proc(const struct kernel *k, const char *path, char *text, size_t size)
{
    struct proc_text t = {text, size, 0};
    if (size)
        *text = '\0';
    return file_write(k, path, &t) ? (int64_t)t.length : -LX_ENOENT;
}

const char *kernel_proc_name(size_t i, bool *of_process)
{
    *of_process = i < ARRAY_LEN(process_files);
    if (*of_process)
        return process_files[i].name;
    i -= ARRAY_LEN(process_files);
    return i < ARRAY_LEN(system_files) ? system_files[i].name : NULL;
}

size_t kernel_proc_maps(const struct kernel *k, uint16_t pid, char *text, size_t size)
{
    char path[32];
    snprintf(path, sizeof(path), "%u/maps", pid);
    int64_t length = kernel_proc(k, path, text, size);
    return length < 0 ? 0 : (size_t)length;
}

/* ---- pagemap ---- */

#define PM_EXCLUSIVE ((uint64_t)1 << 56)
#define PM_GUARD     ((uint64_t)1 << 58)
#define PM_FILE      ((uint64_t)1 << 61)
#define PM_SWAP      ((uint64_t)1 << 62)
#define PM_PRESENT   ((uint64_t)1 << 63)

/* Linux: pte_to_pagemap_entry in fs/proc/task_mmu.c. */
static uint64_t pagemap_entry(const struct kernel *k, pfn_t pfn, pte_t entry)
{
    if (entry == PTE_GUARD)
        return PM_GUARD;
    if (pte_swapped(entry)) /* the type of the device, 0, stands in the lowest five bits */
        return PM_SWAP | (uint64_t)pte_swap_slot(entry) << 5;
    if (!pte_held(entry))
        return 0;
    const struct frame *frame = frames_at(k->frames, pfn);
    uint64_t map = PM_PRESENT | pfn;
    if (pfn_is_zero(k, pfn) || !frame)
        return map;
    return map | (frame->refs == 1 ? PM_EXCLUSIVE : 0) | (frame->use == FRAME_ANON ? 0 : PM_FILE);
}

bool kernel_proc_pagemap(const struct kernel *k, uint16_t pid, vpn_t page, uint64_t *entry)
{
    const struct process *p = process_find(k, pid);
    *entry = 0;
    if (!p || p->root == PFN_NONE || page >= TASK_SIZE >> PAGE_SHIFT)
        return false;
    unsigned level;
    pte_t at = pgtable_leaf(k, p, page << PAGE_SHIFT, &level);
    if (at)
        *entry =
            pagemap_entry(k, pte_pfn(at) + (page & ((level_span(level) >> PAGE_SHIFT) - 1)), at);
    return true;
}
