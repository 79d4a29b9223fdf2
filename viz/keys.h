/* keys.h: everything a person can do to the window, and the one table that binds keys to it. */
#ifndef MEMWALK_VIZ_KEYS_H
#define MEMWALK_VIZ_KEYS_H

#include "sim/base/types.h"

enum action {
    DO_NOTHING,
    DO_PLAY,
    DO_FORWARD,
    DO_BACK,
    DO_GRAIN_STEP,
    DO_GRAIN_ACCESS,
    DO_GRAIN_OP,
    DO_GRAIN_STOP,
    DO_FIRST,
    DO_LAST,
    DO_NEXT_FAULT,
    DO_LAST_FAULT,
    DO_NEXT_MISS,
    DO_LAST_MISS,
    DO_NEXT_CALL,
    DO_LAST_CALL,
    DO_NEXT_EVENT,
    DO_LAST_EVENT,
    DO_MADE_BY,
    DO_WRITTEN_BY,
    DO_READ_BY,
    DO_FIND,
    DO_NEXT_MATCH,
    DO_LAST_MATCH,
    DO_BREAK,
    DO_NO_BREAKS,
    DO_NEXT_BREAK,
    DO_LAST_BREAK,
    DO_DIFFERENCE,
    DO_MARK,
    DO_BOOKMARK,
    DO_NEXT_BOOKMARK,
    DO_ASK_OP,
    DO_CLEAR,
    DO_NEXT_THING,
    DO_LAST_THING,
    DO_FOLLOW,
    DO_MENU,
    DO_NEXT_PANE,
    DO_ENLARGE,
    DO_HIDE,
    DO_SHOW_ALL,
    DO_SPACE,
    DO_TABLES,
    DO_BYTES,
    DO_LESSON,
    DO_ZOOM_IN,
    DO_ZOOM_OUT,
    DO_PAN_LEFT,
    DO_PAN_RIGHT,
    DO_FASTER,
    DO_SLOWER,
    DO_LARGER,
    DO_SMALLER,
    DO_NORMAL_SIZE,
    DO_MOTION,
    DO_THEME,
    DO_LANGUAGE,
    DO_FULL_SCREEN,
    DO_LECTURE,
    DO_SCREENSHOT,
    DO_COPY,
    DO_PREDICT,
    DO_COMMAND,
    DO_OPEN,
    DO_RELOAD,
    DO_HELP,
    DO_QUIT,
    ACTIONS
};

/* Printable keys are their own lower-case characters; these are the others. */
enum key {
    KEY_RETURN = 13,
    KEY_ESCAPE = 27,
    KEY_BACKSPACE = 8,
    KEY_TAB = 9,
    KEY_LEFT = 0x100,
    KEY_RIGHT,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_UP,
    KEY_DOWN,
    KEY_F5,
    KEY_F9,
    KEY_F11,
};

enum { MOD_SHIFT = 1, MOD_CTRL = 2 };

struct binding {
    enum action action;
    int key;       /* enum key, or a character */
    unsigned mods; /* MOD_; for characters that need Shift to be typed: without MOD_SHIFT */
    const char *label;
};

struct action_info {
    const char *name, *doc;
};

extern const struct binding key_table[];
extern const size_t key_count;
extern const struct action_info action_info[ACTIONS];

enum action key_action(int key, unsigned mods);

#endif
