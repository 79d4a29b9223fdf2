/* events.c: 'memwalk events': the events of the log, as a list, as JSON, as a JSON schema, and as
 * the page docs/events.md. All four are made from events.def, so none can be out of date. */
#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "sim/log.h"

#include <string.h>

enum form { FORM_TEXT, FORM_JSON, FORM_SCHEMA, FORM_PAGE };

struct events_options {
    struct cli_options common;
    enum form form;
};

static const struct argp_option options[] = {
    {"schema", 's', 0, 0, "Print the JSON schema of a line of the log", 0},
    {"markdown", 'd', 0, 0, "Print the reference page docs/events.md", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct events_options *o = state->input;
    switch (key) {
    case 's':
        o->form = FORM_SCHEMA;
        return 0;
    case 'd':
        o->form = FORM_PAGE;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->common;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "no argument is expected; \"%s\" is too many", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_list(void)
{
    for (size_t i = 0; i < EV_COUNT; i++) {
        const struct event_info *e = &event_info[i];
        printf("%s\n    ", e->name);
        cli_wrap(stdout, e->doc, 4, 4);
        for (size_t k = 0; k < e->fields; k++) {
            char name[48];
            snprintf(name, sizeof(name), "  %s (%s)", e->field[k].name,
                     log_field_type(&e->field[k]));
            cli_entry(stdout, name, e->field[k].doc, 26);
        }
    }
    return STATUS_OK;
}

static int print_json(void)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *events = cJSON_AddArrayToObject(root, "events");
    for (size_t i = 0; i < EV_COUNT; i++) {
        cJSON *event = cJSON_CreateObject();
        cJSON_AddItemToArray(events, event);
        cJSON_AddStringToObject(event, "name", event_info[i].name);
        cJSON_AddStringToObject(event, "doc", event_info[i].doc);
        cJSON *fields = cJSON_AddArrayToObject(event, "fields");
        for (size_t k = 0; k < event_info[i].fields; k++) {
            const struct event_field *f = &event_info[i].field[k];
            cJSON *field = cJSON_CreateObject();
            cJSON_AddItemToArray(fields, field);
            cJSON_AddStringToObject(field, "name", f->name);
            cJSON_AddStringToObject(field, "type", log_field_type(f));
            cJSON_AddStringToObject(field, "doc", f->doc);
        }
    }
    return cli_json_print(root);
}

/* ---- the schema ---- */

static void add_enum(cJSON *property, const struct event_field *f)
{
    cJSON *names = cJSON_AddArrayToObject(property, "enum");
    const char *name;
    for (uint64_t v = 0; (name = log_enum_name(f, v)); v++)
        cJSON_AddItemToArray(names, cJSON_CreateString(name));
}

static cJSON *field_schema(const struct event_field *f)
{
    cJSON *property = cJSON_CreateObject();
    cJSON_AddStringToObject(property, "description", f->doc);
    switch (f->kind) {
    case FIELD_num:
    case FIELD_bytes:
    case FIELD_cycles:
        cJSON_AddStringToObject(property, "type", "integer");
        cJSON_AddNumberToObject(property, "minimum", 0);
        break;
    case FIELD_int:
        cJSON_AddStringToObject(property, "type", "integer");
        break;
    case FIELD_flag:
        cJSON_AddStringToObject(property, "type", "boolean");
        break;
    case FIELD_enum:
        add_enum(property, f);
        break;
    case FIELD_name:
        cJSON_AddItemToObject(property, "type",
                              cJSON_CreateStringArray((const char *[]){"string", "null"}, 2));
        break;
    default:
        cJSON_AddStringToObject(property, "type", "string");
        cJSON_AddStringToObject(property, "pattern", "^0x[0-9a-f]+$");
    }
    return property;
}

static cJSON *event_schema(const struct event_info *e)
{
    static const char *const head[] = {"moment", "cycle", "cpu", "process", "event"};
    cJSON *schema = cJSON_CreateObject();
    cJSON_AddStringToObject(schema, "description", e->doc);
    cJSON *properties = cJSON_AddObjectToObject(schema, "properties");
    cJSON *required = cJSON_AddArrayToObject(schema, "required");
    for (size_t i = 0; i < ARRAY_LEN(head); i++) {
        cJSON *item = cJSON_AddObjectToObject(properties, head[i]);
        cJSON_AddItemToArray(required, cJSON_CreateString(head[i]));
        if (strcmp(head[i], "event") == 0)
            cJSON_AddStringToObject(item, "const", e->name);
        else
            cJSON_AddStringToObject(item, "$ref", i ? "#/$defs/count" : "#/$defs/moment");
    }
    for (size_t k = 0; k < e->fields; k++) {
        cJSON_AddItemToObject(properties, e->field[k].name, field_schema(&e->field[k]));
        cJSON_AddItemToArray(required, cJSON_CreateString(e->field[k].name));
    }
    cJSON_AddBoolToObject(schema, "additionalProperties", false);
    return schema;
}

static int print_schema(void)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "$schema", "https://json-schema.org/draft/2020-12/schema");
    cJSON_AddStringToObject(root, "title", "One line of memwalk's event log");
    cJSON *defs = cJSON_AddObjectToObject(root, "$defs");
    cJSON *count = cJSON_AddObjectToObject(defs, "count");
    cJSON_AddStringToObject(count, "type", "integer");
    cJSON_AddNumberToObject(count, "minimum", 0);
    cJSON *moment = cJSON_AddObjectToObject(defs, "moment");
    cJSON_AddStringToObject(moment, "description", "[op, step]; op 0: while the machine boots");
    cJSON_AddStringToObject(moment, "type", "array");
    cJSON_AddNumberToObject(moment, "minItems", 2);
    cJSON_AddNumberToObject(moment, "maxItems", 2);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(moment, "items"), "$ref", "#/$defs/count");
    cJSON_AddStringToObject(root, "type", "object");
    cJSON *any = cJSON_AddArrayToObject(root, "oneOf");
    for (size_t i = 0; i < EV_COUNT; i++)
        cJSON_AddItemToArray(any, event_schema(&event_info[i]));
    return cli_json_print(root);
}

static int print_page(void)
{
    puts("# Events\n\n"
         "What the machine tells while it runs, in the order in which it happens. `memwalk run "
         "--log FILE` writes\none JSON object per line; `--events LIST` chooses kinds by name or "
         "by family (`tlb`, `alloc`, `walk`).\nThis page is printed by `memwalk events "
         "--markdown`, the schema beside it by `memwalk events --schema`.\n\n"
         "Every line begins with `moment` (`[op, step]`: the op's number from 1 and the event's "
         "place in it;\nop 0 is the boot), `cycle` (simulated time), `cpu`, `process` (pid, 0: "
         "none) and `event`.\nNumbers are JSON numbers; addresses, page and frame numbers, "
         "entries and flags are texts `\"0x…\"`;\nenums are names.");
    for (size_t i = 0; i < EV_COUNT; i++) {
        const struct event_info *e = &event_info[i];
        printf("\n## %s\n\n%s.\n\n| field | value | meaning |\n|---|---|---|\n", e->name, e->doc);
        for (size_t k = 0; k < e->fields; k++)
            printf("| `%s` | %s | %s |\n", e->field[k].name, log_field_type(&e->field[k]),
                   e->field[k].doc);
    }
    return STATUS_OK;
}

int cli_events(int argc, char **argv)
{
    const struct argp_child children[] = {{&cli_json_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,  parse, "", "List the events that a machine tells, and what each of them holds.",
        children, 0,     0};
    struct events_options o = {.common = {.command = argv[0]}};
    cli_parse(&argp, argc, argv, false, &o);
    if (o.common.json)
        o.form = FORM_JSON;
    switch (o.form) {
    case FORM_JSON:
        return print_json();
    case FORM_SCHEMA:
        return print_schema();
    case FORM_PAGE:
        return print_page();
    default:
        return print_list();
    }
}
