/* procfs.c: what Linux shows under /proc, in its exact formats (fs/proc/task_mmu.c), so that
 * scripts that read the real files read these.
 */
#include "kernel/object.h"
#include "kernel/process.h"

#include <stdarg.h>
#include <stdio.h>

#define NAME_COLUMN 73 /* where the name of an area starts */

/* Text that may be longer than its room: the length goes on being counted. */
struct text {
    char *at;
    size_t size;
    size_t length;
};

static void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text_add(struct text *t, const char *format, ...)
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
static void maps_line(struct text *t, const struct process *p, const struct area *a)
{
    static const struct area_file nothing = {"", 0, 0, 0};
    const struct area_file *file = a->file ? a->file : &nothing;
    bool backed = file->inode || a->object;
    size_t start = t->length;
    text_add(t, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)a->start,
             (unsigned long long)a->end, a->flags & VM_READ ? 'r' : '-',
             a->flags & VM_WRITE ? 'w' : '-', a->flags & VM_EXEC ? 'x' : '-',
             a->flags & VM_SHARED ? 's' : 'p',
             (unsigned long long)(backed ? a->pgoff << PAGE_SHIFT : 0), file->major,
             a->object ? 1 : file->minor,
             (unsigned long long)(a->object ? a->object->number : file->inode));
    const char *name = area_name(p, a);
    if (*name)
        text_add(t, "%*s%s", (int)(NAME_COLUMN - (t->length - start)), "", name);
    text_add(t, "\n");
}

size_t kernel_proc_maps(const struct kernel *k, uint16_t pid, char *text, size_t size)
{
    struct text t = {text, size, 0};
    const struct process *p = process_find(k, pid);
    if (size)
        *text = '\0';
    if (!p || p->root == PFN_NONE)
        return 0;
    for (size_t i = 0; i < p->areas.count; i++)
        maps_line(&t, p, p->areas.at[i]);
    text_add(&t, "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 %*s[vsyscall]\n",
             NAME_COLUMN - 56, "");
    return t.length;
}
