/* start.c: what the start screen offers, read from the headers of the traces themselves. */
#include "viz/start.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lessons whose outcome surprises within ten seconds. */
static const char *const card_file[START_CARDS] = {"lesson-promise.json", "lesson-belady-4.json",
                                                   "lesson-stale-tlb.json"};

static void add(struct start *s, enum start_kind kind, const char *path, const char *title,
                const char *doc)
{
    if (s->entries == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        void *more = realloc(s->entry, room * sizeof(*s->entry));
        if (!more)
            return;
        s->entry = more;
        s->room = room;
    }
    struct start_entry e = {kind, strdup(path), strdup(title), strdup(doc)};
    if (e.path && e.title && e.doc) {
        s->entry[s->entries++] = e;
        return;
    }
    free(e.path);
    free(e.title);
    free(e.doc);
}

/* A trace, by what its header says. One that cannot be read is left out here; whoever opens it
 * hears why. */
static void add_trace(struct start *s, enum start_kind kind, const char *folder, const char *name)
{
    char path[2048];
    struct trace_reader *reader;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (trace_open(&reader, path, NULL))
        return;
    const struct trace_header *h = trace_reader_header(reader);
    const char *doc = h->doc ? h->doc : h->command ? h->command : "";
    add(s, kind, path, h->name, doc);
    trace_close(reader);
}

static int is_trace(const struct dirent *d)
{
    return strstr(d->d_name, ".json") != NULL && !strstr(d->d_name, "schema");
}

/* Lessons first, then recordings; each in the order of their names. */
static void add_folder(struct start *s, const char *folder)
{
    struct dirent **list;
    int n = scandir(folder, &list, is_trace, alphasort);
    for (int lesson = 1; lesson >= 0; lesson--)
        for (int i = 0; i < n; i++)
            if ((strncmp(list[i]->d_name, "lesson-", 7) == 0) == lesson)
                add_trace(s, START_LESSON, folder, list[i]->d_name);
    for (int i = 0; i < n; i++)
        free(list[i]);
    if (n >= 0)
        free(list);
}

void start_load(struct start *s, const char *folder, char recent[][STATE_PATH], size_t recents)
{
    start_free(s);
    for (size_t i = 0; folder && i < START_CARDS; i++)
        add_trace(s, START_CARD, folder, card_file[i]);
    for (size_t i = 0; i < recents; i++) {
        const char *slash = strrchr(recent[i], '/');
        add(s, START_RECENT, recent[i], slash ? slash + 1 : recent[i], recent[i]);
    }
    add(s, START_OPEN, "", "open a file …", "or drop one on this window");
    if (folder)
        add_folder(s, folder);
}

void start_free(struct start *s)
{
    for (size_t i = 0; i < s->entries; i++) {
        free(s->entry[i].path);
        free(s->entry[i].title);
        free(s->entry[i].doc);
    }
    free(s->entry);
    *s = (struct start){0};
}

bool start_key(struct start *s, int key)
{
    size_t last = s->entries ? s->entries - 1 : 0;
    switch (key) {
    case KEY_UP:
    case KEY_LEFT:
        s->pick -= s->pick > 0;
        return true;
    case KEY_DOWN:
    case KEY_RIGHT:
    case KEY_TAB:
        s->pick += s->pick < last;
        return true;
    case KEY_PAGE_UP:
        s->pick -= s->pick < 10 ? s->pick : 10;
        return true;
    case KEY_PAGE_DOWN:
        s->pick = s->pick + 10 < last ? s->pick + 10 : last;
        return true;
    case KEY_HOME:
        s->pick = 0;
        return true;
    case KEY_END:
        s->pick = last;
        return true;
    case '1':
    case '2':
    case '3':
        if ((size_t)(key - '1') > last || s->entry[key - '1'].kind != START_CARD)
            return false;
        s->pick = (size_t)(key - '1');
        return true;
    case KEY_RETURN:
        return s->entries > 0;
    default:
        return false;
    }
}

bool start_path(const struct start *s, char *path, size_t size)
{
    if (s->pick >= s->entries || s->entry[s->pick].kind == START_OPEN)
        return false;
    snprintf(path, size, "%s", s->entry[s->pick].path);
    return true;
}
