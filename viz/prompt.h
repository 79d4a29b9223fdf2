/* prompt.h: one line that a person types: an op to go to, what to look for, a command by name. */
#ifndef MEMWALK_VIZ_PROMPT_H
#define MEMWALK_VIZ_PROMPT_H

#include "sim/words.h"
#include "viz/keys.h"

enum prompt_kind {
    PROMPT_NONE,
    PROMPT_OP,      /* go to op N */
    PROMPT_FIND,    /* a query: sim/query.h */
    PROMPT_BREAK,   /* the same, for a breakpoint */
    PROMPT_COMMAND, /* any action, by a part of its name */
    PROMPT_FILE,    /* a trace to open */
    PROMPT_KINDS
};

struct prompt {
    enum prompt_kind kind;
    enum lang lang; /* in which actions are found too */
    char text[256];
    unsigned pick;    /* the choice that Enter takes */
    char reason[160]; /* why the text was not taken; "": it was not tried yet */
};

/* What a prompt asks for: "go to op", … */
extern const char *const prompt_title[PROMPT_KINDS];

void prompt_open(struct prompt *, enum prompt_kind, enum lang);
/* A key for the line: a character, backspace, up or down. false: it is not for the line (Enter,
 * Escape, and the like). */
bool prompt_key(struct prompt *, int key, unsigned mods);
/* PROMPT_COMMAND: the actions that the text fits, in the order of the table; returns how many. */
size_t prompt_choices(const struct prompt *, enum action choice[ACTIONS]);

#endif
