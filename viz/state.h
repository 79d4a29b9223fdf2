/* state.h: what the window remembers from one time to the next: how it looks, and what was open.
 *
 * A small JSON file in the user's state folder. Whatever in it makes no sense is left out, so that
 * an old or foreign file never keeps the window from opening.
 */
#ifndef MEMWALK_VIZ_STATE_H
#define MEMWALK_VIZ_STATE_H

#include "sim/base/err.h"
#include "sim/words.h"
#include "viz/theme.h"

#define STATE_RECENT 8u
#define STATE_PATH   1024u

struct state {
    enum theme theme;
    enum lang lang;
    int scale, speed, width, height;
    unsigned hidden; /* panes, bit by bit */
    bool motion;
    size_t recents;
    char recent[STATE_RECENT][STATE_PATH]; /* the newest first */
};

void state_default(struct state *);
/* A file that is not there is no error. ERR_SYNTAX: it is no JSON object; *s is the default. */
enum err state_load(struct state *s, const char *path, struct error *);
/* Makes the folder where it is missing. */
enum err state_save(const struct state *, const char *path, struct error *);
/* A trace was opened: it is the newest now. */
void state_opened(struct state *, const char *path);

#endif
