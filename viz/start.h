/* start.h: the screen before a trace is open: three surprises, the lessons, and what was open last.
 */
#ifndef MEMWALK_VIZ_START_H
#define MEMWALK_VIZ_START_H

#include "viz/paint.h"
#include "viz/state.h"

enum start_kind { START_CARD, START_LESSON, START_RECENT, START_OPEN };

struct start_entry {
    enum start_kind kind;
    char *path, *title, *doc;
};

struct start {
    struct start_entry *entry; /* cards, lessons, recordings, recent files, "open another" */
    size_t entries, room, pick;
    char message[600]; /* why the last file could not be opened; "": it could */
};

#define START_CARDS 3u

/* Looks into the folder of shipped traces (NULL: there is none). */
void start_load(struct start *, const char *folder, char recent[][STATE_PATH], size_t recents);
void start_free(struct start *);
/* Up, down, Home, End, 1 to 3, Enter; false: the key means nothing here. */
bool start_key(struct start *, int key);
/* Of the picked entry; false: it asks for a file. */
bool start_path(const struct start *, char *path, size_t size);

void paint_start(struct scene *, const struct start *, const struct view *, const struct metrics *,
                 int w, int h, struct layout *);

#endif
