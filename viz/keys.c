/* keys.c: the table of keys. The help overlay is made from it, and a test sees to it that each key
 * is bound once.
 */
#include "viz/keys.h"

const struct action_info action_info[ACTIONS] = {
    [DO_PLAY] = {"play", "play, pause"},
    [DO_FORWARD] = {"forward", "step forward"},
    [DO_BACK] = {"back", "step back"},
    [DO_GRAIN_STEP] = {"grain-step", "steps are micro-steps"},
    [DO_GRAIN_ACCESS] = {"grain-access", "steps are accesses"},
    [DO_GRAIN_OP] = {"grain-op", "steps are ops"},
    [DO_GRAIN_STOP] = {"grain-stop", "steps are stops of the lesson"},
    [DO_FIRST] = {"first", "the beginning"},
    [DO_LAST] = {"last", "the end"},
    [DO_NEXT_FAULT] = {"next-fault", "next page fault"},
    [DO_LAST_FAULT] = {"last-fault", "page fault before"},
    [DO_NEXT_MISS] = {"next-miss", "next TLB miss that walks"},
    [DO_LAST_MISS] = {"last-miss", "TLB miss before"},
    [DO_NEXT_CALL] = {"next-call", "next kernel call"},
    [DO_LAST_CALL] = {"last-call", "kernel call before"},
    [DO_NEXT_EVENT] = {"next-event", "next event of the selection"},
    [DO_LAST_EVENT] = {"last-event", "event of the selection before"},
    [DO_MADE_BY] = {"made-by", "what made the selection"},
    [DO_WRITTEN_BY] = {"written-by", "what last wrote the selection"},
    [DO_READ_BY] = {"read-by", "what next reads the selection"},
    [DO_BOOKMARK] = {"bookmark", "bookmark here, or take it away"},
    [DO_NEXT_BOOKMARK] = {"next-bookmark", "next bookmark, round again"},
    [DO_ASK_OP] = {"go", "go to op N"},
    [DO_CLEAR] = {"clear", "close, clear the selection"},
    [DO_FASTER] = {"faster", "play faster"},
    [DO_SLOWER] = {"slower", "play slower"},
    [DO_LARGER] = {"larger", "larger text"},
    [DO_SMALLER] = {"smaller", "smaller text"},
    [DO_NORMAL_SIZE] = {"normal-size", "usual text size"},
    [DO_MOTION] = {"motion", "motion on, off"},
    [DO_THEME] = {"theme", "dark, light, high contrast"},
    [DO_FULL_SCREEN] = {"full-screen", "full screen"},
    [DO_LECTURE] = {"lecture", "lecture hall: full screen, large text"},
    [DO_SCREENSHOT] = {"screenshot", "screenshot into a PNG file"},
    [DO_COPY] = {"copy", "copy the command that leads here"},
    [DO_HELP] = {"help", "this help"},
    [DO_QUIT] = {"quit", "quit"},
};

const struct binding key_table[] = {
    {DO_PLAY, ' ', 0, "Space"},
    {DO_FORWARD, KEY_RIGHT, 0, "→"},
    {DO_FORWARD, KEY_PAGE_DOWN, 0, "PageDown"},
    {DO_BACK, KEY_LEFT, 0, "←"},
    {DO_BACK, KEY_PAGE_UP, 0, "PageUp"},
    {DO_GRAIN_STEP, '1', 0, "1"},
    {DO_GRAIN_ACCESS, '2', 0, "2"},
    {DO_GRAIN_OP, '3', 0, "3"},
    {DO_GRAIN_STOP, '4', 0, "4"},
    {DO_FIRST, KEY_HOME, 0, "Home"},
    {DO_FIRST, 'r', 0, "R"},
    {DO_LAST, KEY_END, 0, "End"},
    {DO_NEXT_FAULT, 'f', 0, "F"},
    {DO_LAST_FAULT, 'f', MOD_SHIFT, "Shift+F"},
    {DO_NEXT_MISS, 't', 0, "T"},
    {DO_LAST_MISS, 't', MOD_SHIFT, "Shift+T"},
    {DO_NEXT_CALL, 'k', 0, "K"},
    {DO_LAST_CALL, 'k', MOD_SHIFT, "Shift+K"},
    {DO_NEXT_EVENT, '.', 0, "."},
    {DO_LAST_EVENT, ',', 0, ","},
    {DO_MADE_BY, 'c', 0, "C"},
    {DO_WRITTEN_BY, 'w', MOD_SHIFT, "Shift+W"},
    {DO_READ_BY, 'r', MOD_SHIFT, "Shift+R"},
    {DO_BOOKMARK, 'b', 0, "B"},
    {DO_NEXT_BOOKMARK, 'b', MOD_SHIFT, "Shift+B"},
    {DO_ASK_OP, 'g', 0, "G"},
    {DO_CLEAR, KEY_ESCAPE, 0, "Esc"},
    {DO_FASTER, '>', 0, ">"},
    {DO_SLOWER, '<', 0, "<"},
    {DO_LARGER, '+', 0, "+"},
    {DO_LARGER, '=', 0, "="},
    {DO_LARGER, '=', MOD_CTRL, "Ctrl+="},
    {DO_LARGER, '+', MOD_CTRL, "Ctrl++"},
    {DO_SMALLER, '-', 0, "-"},
    {DO_SMALLER, '-', MOD_CTRL, "Ctrl+-"},
    {DO_NORMAL_SIZE, '0', MOD_CTRL, "Ctrl+0"},
    {DO_MOTION, 'm', MOD_CTRL, "Ctrl+M"},
    {DO_THEME, 't', MOD_CTRL, "Ctrl+T"},
    {DO_FULL_SCREEN, KEY_F11, 0, "F11"},
    {DO_LECTURE, KEY_F5, 0, "F5"},
    {DO_SCREENSHOT, 's', MOD_CTRL | MOD_SHIFT, "Ctrl+Shift+S"},
    {DO_COPY, 'c', MOD_CTRL, "Ctrl+C"},
    {DO_HELP, '?', 0, "?"},
    {DO_QUIT, 'q', 0, "Q"},
    {DO_QUIT, 'q', MOD_CTRL, "Ctrl+Q"},
};

const size_t key_count = ARRAY_LEN(key_table);

enum action key_action(int key, unsigned mods)
{
    for (size_t i = 0; i < key_count; i++)
        if (key_table[i].key == key && key_table[i].mods == mods)
            return key_table[i].action;
    return DO_NOTHING;
}
