/* prompt.c: editing the one line, and finding commands by a part of their name. */
#include "viz/prompt.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

const char *const prompt_title[PROMPT_KINDS] = {
    [PROMPT_OP] = "go to op",     [PROMPT_FIND] = "find", [PROMPT_BREAK] = "stop at",
    [PROMPT_COMMAND] = "command", [PROMPT_FILE] = "open",
};

void prompt_open(struct prompt *p, enum prompt_kind kind, enum lang lang)
{
    *p = (struct prompt){.kind = kind, .lang = lang};
}

static bool takes(const struct prompt *p, int key)
{
    return p->kind == PROMPT_OP ? key >= '0' && key <= '9' : key >= ' ' && key < 127;
}

bool prompt_key(struct prompt *p, int key, unsigned mods)
{
    size_t n = strlen(p->text);
    if (mods & MOD_CTRL)
        return false;
    if (key == KEY_UP || key == KEY_DOWN) {
        enum action choice[ACTIONS];
        size_t count = prompt_choices(p, choice);
        if (key == KEY_DOWN && p->pick + 1 < count)
            p->pick++;
        if (key == KEY_UP && p->pick)
            p->pick--;
        return true;
    }
    if (key == KEY_BACKSPACE) {
        p->text[n ? n - 1 : 0] = '\0';
    } else if (takes(p, key)) {
        if (n + 1 < sizeof(p->text)) {
            p->text[n] = (char)(mods & MOD_SHIFT ? toupper(key) : key);
            p->text[n + 1] = '\0';
        }
    } else {
        return false;
    }
    p->pick = 0;
    p->reason[0] = '\0';
    return true;
}

/* By its name, or by its words in English or in the language of the window. */
static bool fits(const struct prompt *p, const struct action_info *info)
{
    return strcasestr(info->name, p->text) || strcasestr(info->doc, p->text) ||
           strcasestr(words_say(p->lang, info->doc), p->text);
}

size_t prompt_choices(const struct prompt *p, enum action choice[ACTIONS])
{
    size_t n = 0;
    if (p->kind != PROMPT_COMMAND)
        return 0;
    for (int a = 1; a < ACTIONS; a++)
        if (a != DO_COMMAND && fits(p, &action_info[a]))
            choice[n++] = (enum action)a;
    return n;
}
