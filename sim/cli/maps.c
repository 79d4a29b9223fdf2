/* maps.c: 'memwalk maps': the areas of a process as /proc/PID/maps shows them. */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/explain.h"

#include <stdlib.h>
#include <string.h>

static int print_json(const struct look *look)
{
    cJSON *root = look_json(look);
    cJSON *areas = cJSON_AddArrayToObject(root, "areas");
    struct area_info a;
    for (size_t i = 0; inspect_area(look->session.sim, look->process.pid, i, &a); i++) {
        cJSON *area = cJSON_CreateObject();
        char prot[8];
        cJSON_AddItemToArray(areas, area);
        cli_json_hex(area, "start", a.start);
        cli_json_hex(area, "end", a.end);
        cJSON_AddStringToObject(area, "prot", explain_prot(a.prot, prot, sizeof(prot)));
        cJSON_AddBoolToObject(area, "shared", (a.flags & LX_MAP_SHARED) != 0);
        cli_json_number(area, "resident_pages", a.resident);
        cJSON_AddStringToObject(area, "name", a.name);
    }
    return cli_json_print(root);
}

/* Linux pads the fields before a path to 73 columns, so long paths leave the screen: those lines
 * lose as much of the padding as they must. */
static void print_line(const char *line, size_t n)
{
    const char *path = memchr(line, '/', n);
    size_t head = path ? (size_t)(path - line) : n;
    size_t fields = head;
    while (fields && line[fields - 1] == ' ')
        fields--;
    size_t excess = n > CLI_COLUMNS ? n - CLI_COLUMNS : 0;
    size_t padding = head - fields;
    padding -= padding ? min_u64(excess, padding - 1) : 0;
    printf("%.*s%*s%.*s\n", (int)fields, line, (int)padding, "", (int)(n - head), line + head);
}

static void print_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        print_line(text, n);
        text += n + (text[n] == '\n');
    }
}

static int print(struct look *look)
{
    if (look->options.json)
        return print_json(look);
    const struct sim *s = look->session.sim;
    size_t size = inspect_maps(s, look->process.pid, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text) {
        struct error e;
        error_set(&e, ERR_MEMORY, NULL, 0, NULL, "no memory for the list of areas");
        return cli_fail(&e);
    }
    inspect_maps(s, look->process.pid, text, size);
    if (look->all)
        fputs(text, stdout);
    else
        print_lines(text);
    free(text);
    return STATUS_OK;
}

int cli_maps(int argc, char **argv)
{
    struct look look = {0};
    return look_run(&look, "memwalk maps",
                    "Print the areas of a process as /proc/PID/maps would, at any moment of a "
                    "trace: the end, or after op N. Lines with long paths have less padding than "
                    "Linux gives them, with --all the same.",
                    argc, argv, print);
}
