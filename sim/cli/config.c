/* config.c: 'memwalk config': every key with its meaning, its default and its value now; as a list,
 * as JSON, and as the page docs/configuration.md. All come from config.def, so none can be out of
 * date. */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"

#include <string.h>

struct config_options {
    struct cli_options common;
    const char *key[64];
    size_t keys;
    bool page;
};

static const struct argp_option options[] = {
    {"markdown", 'd', 0, 0, "Print the reference page docs/configuration.md", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct config_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        state->child_inputs[1] = &o->common;
        return 0;
    case 'd':
        o->page = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->keys == ARRAY_LEN(o->key))
            argp_error(state, "at most %zu keys", ARRAY_LEN(o->key));
        o->key[o->keys++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A key is shown where none is asked for, or itself, or what it begins with ("tlb", "tlb.l1d"). */
static bool matches(const char *key, const char *asked)
{
    size_t n = strlen(asked);
    return strncmp(key, asked, n) == 0 && (key[n] == '\0' || key[n] == '.');
}

static bool shown(const struct config_options *o, const struct config_key *k)
{
    bool show = o->keys == 0;
    for (size_t i = 0; i < o->keys && !show; i++)
        show = matches(k->key, o->key[i]);
    return show;
}

/* Names an asked key that does not exist. */
static bool all_known(const struct config_options *o)
{
    const char *names[256];
    size_t count = 0;
    struct config_key k;
    char hint[128];
    for (size_t i = 0; config_key_at(i, &k) && count < ARRAY_LEN(names); i++)
        names[count++] = k.key;
    for (size_t a = 0; a < o->keys; a++) {
        bool found = false;
        for (size_t i = 0; i < count && !found; i++)
            found = matches(names[i], o->key[a]);
        if (!found) {
            fprintf(stderr, "memwalk: there is no key \"%s\"%s\n", o->key[a],
                    cli_near(o->key[a], names, count, hint));
            return false;
        }
    }
    return true;
}

static void print_key(const struct config *c, const struct config *defaults,
                      const struct config_key *k)
{
    char value[64], usual[64], line[512];
    config_get(c, k->key, value, sizeof(value));
    config_get(defaults, k->key, usual, sizeof(usual));
    int n = snprintf(line, sizeof(line), "%s (%s", k->doc, k->values);
    if (strcmp(value, usual) != 0)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "; default %s", usual);
    snprintf(line + n, sizeof(line) - (size_t)n, ")");
    printf("  %-22s %14s  ", k->key, value);
    cli_wrap(stdout, line, 41, 41);
}

static int print_text(const struct config_options *o, const struct config *c,
                      const struct config *defaults)
{
    struct config_key k;
    const char *section = "";
    for (size_t i = 0; config_key_at(i, &k); i++) {
        if (!shown(o, &k))
            continue;
        if (strcmp(section, k.section) != 0)
            printf("%s%s\n", *section ? "\n" : "", k.section);
        section = k.section;
        print_key(c, defaults, &k);
    }
    return STATUS_OK;
}

static int print_json(const struct config_options *o, const struct config *c,
                      const struct config *defaults)
{
    struct config_key k;
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "keys");
    for (size_t i = 0; config_key_at(i, &k); i++) {
        char value[64];
        if (!shown(o, &k))
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cJSON_AddStringToObject(item, "key", k.key);
        cJSON_AddStringToObject(item, "section", k.section);
        cJSON_AddStringToObject(item, "doc", k.doc);
        cJSON_AddStringToObject(item, "values", k.values);
        cJSON_AddStringToObject(item, "default", config_get(defaults, k.key, value, sizeof(value)));
        cJSON_AddStringToObject(item, "value", config_get(c, k.key, value, sizeof(value)));
    }
    return cli_json_print(root);
}

static const char page_head[] =
    "# Configuration\n\n"
    "Every setting of the machine, with its default. Later wins: default, machine file "
    "(`-m FILE`), the trace's\n`\"config\"`, the command line (`-o KEY=VALUE`). In machine files "
    "and traces a key is written flat\n(`{\"tlb.l1d.ways\": 8}`) or nested "
    "(`{\"tlb\": {\"l1d\": {\"ways\": 8}}}`), its value as a number, a text or\na boolean. Sizes "
    "take K, M, G and T (powers of 1024). A key that does not exist is an error that names\nthe "
    "nearest one. This page is printed by `memwalk config --markdown`.\n";

/* The page says the defaults, whatever the command line sets. */
static int print_page(const struct config_options *o, const struct config *defaults)
{
    struct config_key k;
    const char *section = "";
    fputs(page_head, stdout);
    for (size_t i = 0; config_key_at(i, &k); i++) {
        char usual[64];
        if (!shown(o, &k))
            continue;
        if (strcmp(section, k.section) != 0)
            printf("\n## %s\n\n| key | default | what it does | what may be written |\n"
                   "|---|---|---|---|\n",
                   k.section);
        section = k.section;
        printf("| `%s` | %s | %s | %s |\n", k.key,
               config_get(defaults, k.key, usual, sizeof(usual)), k.doc, k.values);
    }
    return STATUS_OK;
}

static int show_keys(const struct config_options *o)
{
    struct config config, defaults;
    struct error e = {0};
    if (!all_known(o))
        return STATUS_BAD;
    config_default(&defaults);
    if (cli_configure(&o->common, NULL, &config, &e))
        return cli_fail(&e);
    if (o->page)
        return print_page(o, &defaults);
    return o->common.json ? print_json(o, &config, &defaults) : print_text(o, &config, &defaults);
}

int cli_config(int argc, char **argv)
{
    const struct argp_child children[] = {
        {&cli_machine_argp, 0, NULL, 0}, {&cli_json_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,
                              parse,
                              "[KEY...]",
                              "List the keys of the configuration: meaning, value, and default "
                              "where it differs.\vKEY may be a whole family, such as tlb.l1d. "
                              "With -m and -o: the values that a machine would get.",
                              children,
                              0,
                              0};
    struct config_options o = {.common = {.command = argv[0]}};
    cli_parse(&argp, argc, argv, false, &o);
    return show_keys(&o);
}
