/* state.c: the window's memory as JSON. */
#include "viz/state.h"

#include "traces/output.h"
#include "viz/layout.h"
#include "viz/viz.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BYTES_MOST 65536u

void state_default(struct state *s)
{
    *s = (struct state){
        .scale = 1000, .speed = 200, .width = VIZ_WIDTH, .height = VIZ_HEIGHT, .motion = true};
}

static void take_number(const cJSON *root, const char *name, int least, int most, int *to)
{
    const cJSON *item = cJSON_GetObjectItem(root, name);
    if (cJSON_IsNumber(item) && item->valuedouble >= least && item->valuedouble <= most)
        *to = item->valueint;
}

static void take_hidden(const cJSON *list, unsigned *hidden)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list) for (unsigned pane = 0; pane < PANES;
                                        pane++) if (cJSON_IsString(item) &&
                                                    strcmp(item->valuestring, pane_name[pane]) ==
                                                        0) *hidden |= 1u << pane;
}

static void take(struct state *s, const cJSON *root)
{
    const cJSON *theme = cJSON_GetObjectItem(root, "theme"), *item;
    const cJSON *lang = cJSON_GetObjectItem(root, "lang");
    for (int i = 0; i < THEMES; i++)
        if (cJSON_IsString(theme) && strcmp(theme->valuestring, theme_name[i]) == 0)
            s->theme = (enum theme)i;
    if (cJSON_IsString(lang))
        lang_of(lang->valuestring, &s->lang);
    take_number(root, "scale", 500, 3000, &s->scale);
    take_number(root, "speed", 0, 10000, &s->speed);
    take_number(root, "width", VIZ_LEAST, VIZ_MOST, &s->width);
    take_number(root, "height", VIZ_LEAST, VIZ_MOST, &s->height);
    s->motion = !cJSON_IsFalse(cJSON_GetObjectItem(root, "motion"));
    take_hidden(cJSON_GetObjectItem(root, "hidden"), &s->hidden);
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(root, "recent"))
    {
        if (!cJSON_IsString(item) || s->recents == STATE_RECENT ||
            strlen(item->valuestring) >= STATE_PATH)
            continue;
        snprintf(s->recent[s->recents++], STATE_PATH, "%s", item->valuestring);
    }
}

enum err state_load(struct state *s, const char *path, struct error *error)
{
    static char text[BYTES_MOST];
    FILE *file = fopen(path, "r");
    state_default(s);
    if (!file)
        return errno == ENOENT || errno == ENOTDIR
                   ? ERR_NONE
                   : error_set(error, ERR_IO, path, 0, NULL, "cannot be read: %s", strerror(errno));
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    cJSON *root = cJSON_Parse(text);
    bool good = cJSON_IsObject(root);
    if (good)
        take(s, root);
    cJSON_Delete(root);
    return good ? ERR_NONE
                : error_set(error, ERR_SYNTAX, path, 0, NULL,
                            "not what the window remembers: it begins anew");
}

/* All folders on the way to the file. */
static void make_folders(const char *path)
{
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *c = folder + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        mkdir(folder, 0700);
        *c = '/';
    }
}

static cJSON *as_json(const struct state *s)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "theme", theme_name[s->theme]);
    cJSON_AddStringToObject(root, "lang", lang_name[s->lang]);
    cJSON_AddNumberToObject(root, "scale", s->scale);
    cJSON_AddNumberToObject(root, "speed", s->speed);
    cJSON_AddNumberToObject(root, "width", s->width);
    cJSON_AddNumberToObject(root, "height", s->height);
    cJSON_AddBoolToObject(root, "motion", s->motion);
    cJSON *hidden = cJSON_AddArrayToObject(root, "hidden");
    for (unsigned pane = 0; pane < PANES; pane++)
        if (s->hidden >> pane & 1)
            cJSON_AddItemToArray(hidden, cJSON_CreateString(pane_name[pane]));
    cJSON *recent = cJSON_AddArrayToObject(root, "recent");
    for (size_t i = 0; i < s->recents; i++)
        cJSON_AddItemToArray(recent, cJSON_CreateString(s->recent[i]));
    return root;
}

enum err state_save(const struct state *s, const char *path, struct error *error)
{
    struct output *output;
    cJSON *root = as_json(s);
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (!text)
        return error_set(error, ERR_MEMORY, path, 0, NULL, "no memory to write it");
    make_folders(path);
    enum err err = output_open(&output, path, error);
    if (!err) {
        err = output_write(output, text, strlen(text), error);
        enum err closed = output_close(output, !err, err ? NULL : error);
        err = err ? err : closed;
    }
    cJSON_free(text);
    return err;
}

void state_opened(struct state *s, const char *path)
{
    char *whole = realpath(path, NULL);
    if (!whole || strlen(whole) >= STATE_PATH) {
        free(whole);
        return;
    }
    size_t i = 0;
    while (i < s->recents && strcmp(s->recent[i], whole) != 0)
        i++;
    if (i == s->recents && s->recents < STATE_RECENT)
        s->recents++;
    i = i < STATE_RECENT ? i : STATE_RECENT - 1;
    memmove(s->recent + 1, s->recent, i * sizeof(s->recent[0]));
    snprintf(s->recent[0], STATE_PATH, "%s", whole);
    free(whole);
}
