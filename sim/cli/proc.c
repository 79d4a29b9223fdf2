/* proc.c: 'memwalk proc': a file below /proc, byte for byte as Linux would show it, so that scripts
 * that read the real files read these.
 */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGEMAP_WORDS 512 /* written at once */

static int fail(enum err code, const char *what, const char *why)
{
    struct error e;
    error_set(&e, code, NULL, 0, what, "%s", why);
    return cli_fail(&e);
}

/* ---- names ---- */

/* "/proc/self/maps" to "7/maps"; false: it does not begin as it must, or is too long. */
static bool proc_path(const struct look *look, char *path, size_t size)
{
    const char *given = look->path;
    if (strncmp(given, "/proc/", 6) != 0)
        return false;
    given += 6;
    int n;
    if (strncmp(given, "self/", 5) == 0)
        n = snprintf(path, size, "%u/%s", look->process.pid, given + 5);
    else
        n = snprintf(path, size, "%s", given);
    return n > 0 && (size_t)n < size;
}

static void each_name(const struct look *look, void (*show)(void *ctx, const char *name), void *ctx)
{
    char path[64];
    const char *name;
    bool of_process;
    struct process_info p;
    for (size_t i = 0; (name = kernel_proc_name(i, &of_process)); i++) {
        if (of_process)
            continue;
        snprintf(path, sizeof(path), "/proc/%s", name);
        show(ctx, path);
    }
    for (size_t k = 0; inspect_process_at(look->session.sim, k, &p); k++) {
        for (size_t i = 0; (name = kernel_proc_name(i, &of_process)) && of_process; i++) {
            snprintf(path, sizeof(path), "/proc/%u/%s", p.pid, name);
            show(ctx, path);
        }
        snprintf(path, sizeof(path), "/proc/%u/pagemap", p.pid);
        show(ctx, path);
    }
}

static void print_name(void *ctx, const char *name)
{
    (void)ctx;
    puts(name);
}

static void json_name(void *ctx, const char *name)
{
    cJSON_AddItemToArray(ctx, cJSON_CreateString(name));
}

static int list(const struct look *look)
{
    if (!look->options.json) {
        each_name(look, print_name, NULL);
        return STATUS_OK;
    }
    cJSON *root = look_json(look);
    each_name(look, json_name, cJSON_AddArrayToObject(root, "files"));
    return cli_json_print(root);
}

/* ---- text ---- */

/* "Name:   123 kB" or "name 123" become name and number; other lines stay out. */
static void json_field(cJSON *fields, const char *line, size_t n)
{
    char name[64], *end;
    size_t length = strcspn(line, ": \t");
    if (!length || length >= n || length >= sizeof(name))
        return;
    memcpy(name, line, length);
    name[length] = '\0';
    const char *at = line + length + strspn(line + length, ": \t");
    unsigned long long value = strtoull(at, &end, 10);
    const char *rest = end + strspn(end, " ");
    if (end != at && end <= line + n && (rest == line + n || strncmp(rest, "kB", 2) == 0))
        cli_json_number(fields, name, value);
}

static int print_json(const struct look *look, const char *path, const char *text)
{
    cJSON *root = look_json(look);
    char full[80];
    snprintf(full, sizeof(full), "/proc/%s", path);
    cJSON_AddStringToObject(root, "path", full);
    cJSON_AddStringToObject(root, "text", text);
    cJSON *fields = cJSON_AddObjectToObject(root, "fields");
    bool one = !strstr(path, "smaps") || strstr(path, "rollup"); /* names stand once in it */
    while (one && *text) {
        size_t n = strcspn(text, "\n");
        json_field(fields, text, n);
        text += n + (text[n] == '\n');
    }
    return cli_json_print(root);
}

static int write_out(const struct look *look, const char *text)
{
    FILE *f = look->out ? fopen(look->out, "w") : stdout;
    if (!f)
        return fail(ERR_IO, look->out, strerror(errno));
    bool good = fputs(text, f) >= 0;
    if (look->out)
        good = fclose(f) == 0 && good;
    return good ? STATUS_OK
                : fail(ERR_IO, look->out ? look->out : "standard output", strerror(errno));
}

static int print_text(const struct look *look, const char *path)
{
    int64_t length = inspect_proc(look->session.sim, path, NULL, 0);
    if (length < 0)
        return fail(ERR_VALUE, look->path, "there is no such file; without a name all are listed");
    char *text = malloc((size_t)length + 1);
    if (!text)
        return fail(ERR_MEMORY, look->path, "no memory for its text");
    inspect_proc(look->session.sim, path, text, (size_t)length + 1);
    int status = look->options.json ? print_json(look, path, text) : write_out(look, text);
    free(text);
    return status;
}

/* ---- pagemap ---- */

/* One stretch of pages at its place in the file. */
static bool write_words(const struct look *look, uint16_t pid, FILE *f, va_t start, va_t end)
{
    uint64_t word[PAGEMAP_WORDS];
    vpn_t page = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    if (fseeko(f, (off_t)(page * sizeof(word[0])), SEEK_SET))
        return false;
    while (page < last) {
        size_t n = (size_t)min_u64(PAGEMAP_WORDS, last - page);
        for (size_t i = 0; i < n; i++)
            inspect_pagemap(look->session.sim, pid, page + i, &word[i]);
        if (fwrite(word, sizeof(word[0]), n, f) != n)
            return false;
        page += n;
    }
    return true;
}

static int write_pagemap(const struct look *look, uint16_t pid)
{
    struct area_info a;
    FILE *f = fopen(look->out, "wb");
    bool good = f != NULL;
    for (size_t i = 0; good && inspect_area(look->session.sim, pid, i, &a); i++)
        good = write_words(look, pid, f, a.start, a.end);
    if (f)
        good = fclose(f) == 0 && good;
    return good ? STATUS_OK : fail(ERR_IO, look->out, strerror(errno));
}

static void json_pages(const struct look *look, uint16_t pid, cJSON *pages)
{
    struct area_info a;
    for (size_t i = 0; inspect_area(look->session.sim, pid, i, &a); i++) {
        for (va_t va = a.start; va < a.end && a.resident; va += PAGE_SIZE) {
            uint64_t word;
            inspect_pagemap(look->session.sim, pid, va >> PAGE_SHIFT, &word);
            if (!word)
                continue;
            cJSON *page = cJSON_CreateObject();
            cJSON_AddItemToArray(pages, page);
            cli_json_hex(page, "va", va);
            cli_json_hex(page, "entry", word);
        }
    }
}

/* Linux's file is 256 GiB long; so it is written with holes, or as a list of what is not 0. */
static int print_pagemap(const struct look *look, const char *path)
{
    uint16_t pid = (uint16_t)strtoul(path, NULL, 10);
    struct process_info info;
    if (!inspect_process(look->session.sim, pid, &info))
        return fail(ERR_VALUE, look->path, "there is no such process");
    if (look->out && !look->options.json)
        return write_pagemap(look, pid);
    if (!look->options.json)
        return fail(ERR_USAGE, look->path,
                    "it is binary and 256 GiB long: give --out=FILE or --json");
    cJSON *root = look_json(look);
    cJSON_AddStringToObject(root, "path", look->path);
    json_pages(look, pid, cJSON_AddArrayToObject(root, "pages"));
    return cli_json_print(root);
}

static int print(struct look *look)
{
    char path[64];
    if (!look->path)
        return list(look);
    if (!proc_path(look, path, sizeof(path)))
        return fail(ERR_USAGE, look->path, "a name begins with /proc/; without one all are listed");
    size_t n = strcspn(path, "/");
    if (strcmp(path + n, "/pagemap") == 0 && strspn(path, "0123456789") == n)
        return print_pagemap(look, path);
    return print_text(look, path);
}

int cli_proc(int argc, char **argv)
{
    struct look look = {.path_doc = "TRACE [FILE]"};
    return look_run(&look, "memwalk proc",
                    "Print a file below /proc as Linux would show it at any moment of a trace: "
                    "/proc/PID/maps, smaps, smaps_rollup, status, statm and pagemap (PID may be "
                    "self), /proc/meminfo, vmstat and buddyinfo. Without FILE all are listed.",
                    argc, argv, print);
}
