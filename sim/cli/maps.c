/* maps.c: 'memwalk maps': the areas of a process as /proc/PID/maps shows them. */
#include "sim/cli/cli.h"
#include "sim/cli/look.h"
#include "sim/explain.h"

#include <stdlib.h>

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
    fputs(text, stdout);
    free(text);
    return STATUS_OK;
}

int cli_maps(int argc, char **argv)
{
    struct look look = {0};
    return look_run(&look, "memwalk maps",
                    "Print the areas of a process as /proc/PID/maps would, at any moment of a "
                    "trace: the end, or after op N.",
                    argc, argv, print);
}
