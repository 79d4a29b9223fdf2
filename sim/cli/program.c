/* program.c: finds a program and reads from its file whether a preloaded library would reach it.
 *
 * The dynamic loader ignores LD_PRELOAD in programs that gain rights, a static program has no
 * loader at all, and another C library could not load the recorder: better said before the run
 * than found as an empty trace after it.
 */
#include "sim/cli/program.h"

#include "sim/base/types.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS_DEEP = 4 }; /* interpreters that are scripts themselves; Linux allows as many */

static bool is_executable(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

static enum program_verdict find_in(const char *dirs, const char *name, char path[PATH_MAX])
{
    bool there = false;
    while (*dirs) {
        size_t n = strcspn(dirs, ":");
        snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, dirs, n ? "/" : "", name);
        if (is_executable(path))
            return PROGRAM_OK;
        there |= !access(path, F_OK);
        dirs += n + (dirs[n] == ':');
    }
    return there ? PROGRAM_FORBIDDEN : PROGRAM_MISSING;
}

static enum program_verdict find(const char *name, char path[PATH_MAX])
{
    if (!strchr(name, '/')) {
        const char *dirs = getenv("PATH");
        return *name ? find_in(dirs ? dirs : "/bin:/usr/bin", name, path) : PROGRAM_MISSING;
    }
    snprintf(path, PATH_MAX, "%s", name);
    if (is_executable(path))
        return PROGRAM_OK;
    return access(path, F_OK) ? PROGRAM_MISSING : PROGRAM_FORBIDDEN;
}

/* Would the kernel start it in secure execution (AT_SECURE)? */
static bool gains_rights(int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return false;
    if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
        return true;
    if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
        return true;
    return getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* The name of the loader that the program asks for, "" where it asks for none. */
static void read_loader(int fd, const Elf64_Ehdr *elf, char loader[256])
{
    *loader = 0;
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        Elf64_Phdr ph;
        off_t at = (off_t)(elf->e_phoff + (uint64_t)i * sizeof(ph));
        if (elf->e_phentsize != sizeof(ph) || pread(fd, &ph, sizeof(ph), at) != sizeof(ph))
            return;
        if (ph.p_type != PT_INTERP)
            continue;
        ssize_t n = pread(fd, loader, min_u64(ph.p_filesz, 255), (off_t)ph.p_offset);
        loader[n > 0 ? n : 0] = 0;
        return;
    }
}

static const char *why_not_elf(int fd, const Elf64_Ehdr *elf)
{
    char loader[256];
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64)
        return "it is not an x86-64 program";
    read_loader(fd, elf, loader);
    if (!*loader)
        return "it is statically linked: its malloc cannot be reached from outside";
    const char *base = strrchr(loader, '/');
    if (strcmp(base ? base + 1 : loader, "ld-linux-x86-64.so.2") != 0)
        return "it does not use the GNU C library";
    if (gains_rights(fd))
        return "it is set-user-ID, set-group-ID or has capabilities: the loader keeps the recorder "
               "out";
    return NULL;
}

/* The interpreter of a script, from its first line; false: none named. */
static bool read_interpreter(const char *head, char path[PATH_MAX])
{
    head += strspn(head + 2, " \t") + 2;
    size_t n = strcspn(head, " \t\r\n");
    snprintf(path, PATH_MAX, "%.*s", (int)n, head);
    return n > 0;
}

/* NULL: nothing stands against it. path is replaced by that of a script's interpreter. */
static const char *why_not(char path[PATH_MAX])
{
    for (int deep = 0; deep <= SCRIPTS_DEEP; deep++) {
        union {
            Elf64_Ehdr elf;
            char text[256];
        } head = {.text = ""};
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return NULL; /* executable but not readable: the run will tell */
        ssize_t n = pread(fd, &head, sizeof(head) - 1, 0);
        bool elf = n >= (ssize_t)sizeof(head.elf) && !memcmp(head.text, ELFMAG, SELFMAG);
        const char *why = elf ? why_not_elf(fd, &head.elf) : NULL;
        close(fd);
        if (elf || strncmp(head.text, "#!", 2) != 0 || !read_interpreter(head.text, path))
            return why;
    }
    return NULL;
}

enum program_verdict program_judge(const char *name, struct error *error)
{
    char path[PATH_MAX];
    enum program_verdict verdict = find(name, path);
    if (verdict == PROGRAM_MISSING)
        error_set(error, ERR_USAGE, name, 0, NULL, "no such program");
    if (verdict == PROGRAM_FORBIDDEN)
        error_set(error, ERR_USAGE, name, 0, NULL, "cannot be executed");
    if (verdict != PROGRAM_OK)
        return verdict;
    const char *why = why_not(path);
    if (!why)
        return PROGRAM_OK;
    error_set(error, ERR_USAGE, path, 0, NULL, "cannot be recorded: %s", why);
    return PROGRAM_UNRECORDED;
}
