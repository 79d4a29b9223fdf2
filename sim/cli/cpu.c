/* cpu.c: 'memwalk cpu': the processors that the key "cpu" knows: all of them, or one with each of
 * its numbers and where it comes from. A preset can be printed as a machine file, to begin one's
 * own with. */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/preset.h"

#include <string.h>

struct cpu_options {
    struct cli_options common;
    const char *what, *name; /* "list", or "show" and a name */
    bool file;
};

static const struct argp_option options[] = {
    {"file", 'f', 0, 0, "Print a machine file, to be changed by hand and given to -m", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct cpu_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case 'f':
        o->file = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return ARGP_ERR_UNKNOWN;
        *(state->arg_num ? &o->name : &o->what) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->what || (strcmp(o->what, "list") != 0 && strcmp(o->what, "show") != 0))
            argp_error(state, "list or show is missing");
        else if ((strcmp(o->what, "show") == 0) != (o->name != NULL))
            argp_error(state, o->name ? "list takes no NAME" : "show needs a NAME");
        else if (o->file && !o->name)
            argp_error(state, "--file needs show NAME");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- what a processor is made of ---- */

/* The configuration of a machine with this processor and nothing else set. */
static void configure(const struct preset *p, struct config *c)
{
    struct error e = {0};
    config_default(c);
    config_set(c, "cpu", p->name, &e);
}

/* Does the key say anything? What belongs to an array that is not there does not. */
static bool tells(const struct config *c, const struct config_key *k)
{
    char sets[64], family[64], value[64];
    snprintf(family, sizeof(family), "%s", k->key);
    char *dot = strrchr(family, '.');
    if (!preset_owns(k->key) || !dot)
        return preset_owns(k->key);
    size_t n = (size_t)(dot - family);
    snprintf(family + n, sizeof(family) - n, ".sets");
    if (!config_get(c, family, sets, sizeof(sets)))
        return !strstr(k->key, "_ways") ||
               strcmp(config_get(c, k->key, value, sizeof(value)), "0") != 0;
    return strcmp(sets, "0") != 0 || strcmp(k->key, family) == 0;
}

/* ---- list ---- */

static int list_json(void)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(root, "cpus");
    for (size_t i = 0; preset_at(i); i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(list, item);
        cJSON_AddStringToObject(item, "name", preset_at(i)->name);
        cJSON_AddStringToObject(item, "title", preset_at(i)->title);
        cJSON_AddStringToObject(item, "doc", preset_at(i)->doc);
    }
    return cli_json_print(root);
}

static int list_text(void)
{
    for (size_t i = 0; preset_at(i); i++) {
        const struct preset *p = preset_at(i);
        printf("  %-12s %-27s %s\n", p->name, p->title, p->doc);
    }
    return STATUS_OK;
}

/* ---- show ---- */

static void show_array(const struct config *c, unsigned array)
{
    const struct tlb_config *t = &c->mmu.tlb[array];
    if (!t->sets)
        return;
    uint32_t repl = c->mmu.tlb[array % TLB_LEVELS].repl;
    printf("  %-8s %5u entries: %u set%s x %u way%s, %s\n", tlb_array_name[array],
           t->sets * t->ways, t->sets, t->sets == 1 ? "" : "s", t->ways, t->ways == 1 ? "" : "s",
           repl_name[repl]);
}

static void show_psc(const struct config *c)
{
    static const char *const name[] = {"", "", "PDE", "PDPTE", "PML4E", "PML5E"};
    printf("Paging-structure caches:");
    for (unsigned level = 2; level <= LEVELS_MAX; level++)
        printf("%s %u %ss", level > 2 ? "," : "", c->mmu.psc_entries[level], name[level]);
    printf("\n\n");
}

static void show_caches(const struct config *c)
{
    if (!c->mmu.cache[0].sets)
        return;
    printf("Data caches\n");
    for (unsigned level = 0; level < CACHE_LEVELS; level++) {
        const struct cache_config *t = &c->mmu.cache[level];
        if (t->sets)
            printf("  L%-7u %5llu KiB: %u sets x %u ways, %s, %u cycles\n", level + 1,
                   (unsigned long long)t->sets * t->ways * c->mmu.cache_line / 1024, t->sets,
                   t->ways, repl_name[t->repl], t->hit_cycles);
    }
    printf("\n");
}

static int show_text(const struct preset *p, const struct config *c)
{
    struct config_key k;
    char value[64];
    printf("%s: %s. %s.\n\nTLBs\n", p->name, p->title, p->doc);
    for (unsigned array = 0; array < TLB_ARRAYS; array++)
        show_array(c, array);
    show_psc(c);
    show_caches(c);
    printf("Settings\n");
    for (size_t i = 0; config_key_at(i, &k); i++)
        if (tells(c, &k))
            printf("  %-22s %s\n", k.key, config_get(c, k.key, value, sizeof(value)));
    printf("\nSources\n");
    for (const struct preset_source *s = p->sources; s->what; s++) {
        printf("  %s\n      ", s->what);
        cli_wrap(stdout, s->source, 6, 6);
    }
    return STATUS_OK;
}

static int show_json(const struct preset *p, const struct config *c)
{
    struct config_key k;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "name", p->name);
    cJSON_AddStringToObject(root, "title", p->title);
    cJSON_AddStringToObject(root, "doc", p->doc);
    cJSON *settings = cJSON_AddObjectToObject(root, "config");
    for (size_t i = 0; config_key_at(i, &k); i++) {
        char value[64];
        if (preset_owns(k.key))
            cJSON_AddStringToObject(settings, k.key, config_get(c, k.key, value, sizeof(value)));
    }
    cJSON *sources = cJSON_AddArrayToObject(root, "sources");
    for (const struct preset_source *s = p->sources; s->what; s++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToArray(sources, item);
        cJSON_AddStringToObject(item, "of", s->what);
        cJSON_AddStringToObject(item, "source", s->source);
    }
    return cli_json_print(root);
}

/* Every key of the preset, one to a line with its meaning, so that a line can be changed. */
static int show_file(const struct preset *p, const struct config *c)
{
    struct config_key k;
    size_t count = 0;
    printf("// %s, %s, as a machine file: memwalk run -m FILE TRACE\n{\n", p->name, p->title);
    for (size_t i = 0; config_key_at(i, &k); i++) {
        char value[64], text[160];
        if (!preset_owns(k.key))
            continue;
        snprintf(text, sizeof(text), "%s  \"%s\": \"%s\"", count++ ? ",\n" : "", k.key,
                 config_get(c, k.key, value, sizeof(value)));
        fputs(text, stdout);
    }
    printf("\n}\n");
    return STATUS_OK;
}

static int show(const struct cpu_options *o)
{
    const struct preset *p = preset_find(o->name);
    struct config config;
    if (!p) {
        const char *names[32];
        char near[128];
        size_t count = 0;
        for (; count < ARRAY_LEN(names) && preset_at(count); count++)
            names[count] = preset_at(count)->name;
        fprintf(stderr, "memwalk cpu: no processor is called \"%s\"%s\n", o->name,
                cli_near(o->name, names, count, near));
        return STATUS_BAD;
    }
    configure(p, &config);
    if (o->file)
        return show_file(p, &config);
    return o->common.json ? show_json(p, &config) : show_text(p, &config);
}

int cli_cpu(int argc, char **argv)
{
    const struct argp_child children[] = {{&cli_json_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,
                              parse,
                              "list|show [NAME]",
                              "The processors whose TLBs and caches can be had by name.\v"
                              "list names them; show NAME prints one in full, with the source of "
                              "each number. Use one with -o cpu=NAME, \"cpu\": \"NAME\" in a "
                              "trace's config, or in a machine file; the keys after it change "
                              "single values.",
                              children,
                              0,
                              0};
    struct cpu_options o = {.common = {.command = argv[0]}};
    cli_parse(&argp, argc, argv, false, &o);
    if (strcmp(o.what, "show") == 0)
        return show(&o);
    return o.common.json ? list_json() : list_text();
}
