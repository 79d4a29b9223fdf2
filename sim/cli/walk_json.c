/* walk_json.c: a translation for programs: the same as walk_text.c prints. */
#include "sim/cli/walk.h"
#include "sim/explain.h"

#include <string.h>

static const char *const access_word[] = {"read", "write", "fetch"};

static void add_registers(cJSON *root, const struct mmu_regs *r)
{
    cJSON *o = cJSON_AddObjectToObject(root, "registers");
    cli_json_hex(o, "cr0", r->cr0);
    cli_json_hex(o, "cr3", r->cr3);
    cli_json_hex(o, "cr4", r->cr4);
    cli_json_hex(o, "efer", r->efer);
    cli_json_hex(o, "pat", r->pat);
    cli_json_hex(o, "pkru", r->pkru);
    cli_json_hex(o, "pkrs", r->pkrs);
    cli_json_hex(o, "eptp", r->eptp);
    cli_json_number(o, "vpid", r->vpid);
    cli_json_number(o, "pcid", mmu_pcid(r));
    cli_json_number(o, "maxphyaddr", r->maxphyaddr);
    cli_json_number(o, "levels", mmu_levels(r));
    cli_json_number(o, "cpl", r->cpl);
    cJSON_AddBoolToObject(o, "ac", r->ac);
}

static cJSON *entry_json(const struct walk_view *v, unsigned level, unsigned index, pa_t pa,
                         pte_t value)
{
    struct walk_source source = walk_source(v, pa);
    cJSON *o = cJSON_CreateObject();
    cli_json_number(o, "level", level);
    cli_json_number(o, "index", index);
    cli_json_hex(o, "pa", pa);
    cli_json_hex(o, "value", value);
    cJSON_AddBoolToObject(o, "read", source.read);
    if (source.read)
        cli_json_number(o, "cycles", source.cost);
    if (source.read && source.caches)
        cli_json_number(o, "cache", source.cache);
    return o;
}

static cJSON *ept_json(const struct walk_view *v, const struct ept_walk *ept)
{
    cJSON *o = cJSON_CreateObject();
    cli_json_hex(o, "gpa", ept->gpa);
    cJSON *entries = cJSON_AddArrayToObject(o, "entries");
    for (unsigned i = 0; i < ept->steps; i++)
        cJSON_AddItemToArray(entries, entry_json(v, ept->step[i].level, ept->step[i].index,
                                                 ept->step[i].pa, ept->step[i].entry));
    if (ept->exit)
        cli_json_number(o, "exit", ept->exit);
    else
        cli_json_hex(o, "pa", ept->pa);
    return o;
}

static void add_entries(cJSON *root, const struct walk_view *v)
{
    cJSON *entries = cJSON_AddArrayToObject(root, "entries");
    for (unsigned i = 0; i < v->walk.steps; i++) {
        const struct walk_step *step = &v->walk.step[i];
        char means[128];
        cJSON *o = entry_json(v, step->level, step->index, step->pa, step->entry);
        explain_entry(LANG_EN, step->entry, step->level, means, sizeof(means));
        cJSON_AddStringToObject(o, "means", means);
        if (v->regs.eptp)
            cJSON_AddItemToObject(o, "ept", ept_json(v, &v->walk.ept[i]));
        cJSON_AddItemToArray(entries, o);
    }
    if (v->regs.eptp && (v->walk.present || v->walk.exit.reason))
        cJSON_AddItemToObject(root, "ept", ept_json(v, &v->walk.ept[v->walk.steps]));
}

static void add_rules(cJSON *root, const struct walk_view *v)
{
    struct walk_rule rules[WALK_RULES];
    size_t n = walk_rules(v, rules);
    cJSON *list = cJSON_AddArrayToObject(root, "rights");
    for (size_t i = 0; i < n; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", rules[i].name);
        cJSON_AddStringToObject(o, "how", rules[i].how);
        cJSON_AddBoolToObject(o, "fact", rules[i].fact);
        cJSON_AddBoolToObject(o, "matters", rules[i].needed);
        cJSON_AddBoolToObject(o, "good", !rules[i].needed || rules[i].fact != rules[i].inverse);
        cJSON_AddStringToObject(o, "why", rules[i].why);
        cJSON_AddItemToArray(list, o);
    }
}

static void add_result(cJSON *root, const struct walk_view *v)
{
    const struct vm_exit *exit = v->tried.done ? &v->walk.exit : &v->tried.fault.exit;
    if (exit->reason) {
        cJSON *o = cJSON_AddObjectToObject(root, "exit");
        cli_json_number(o, "reason", exit->reason);
        cli_json_hex(o, "qualification", exit->qualification);
        cli_json_hex(o, "gpa", exit->gpa);
    } else if (v->allowed) {
        cli_json_hex(root, "pa", v->walk.to.pa);
        cli_json_number(root, "page_size", v->walk.to.page_size);
        cJSON_AddStringToObject(root, "memory_type",
                                walk_memory_type(mmu_memory_type(&v->regs, v->walk.to.flags)));
    } else {
        char text[400];
        cJSON *o = cJSON_AddObjectToObject(root, "fault");
        cli_json_number(o, "vector", v->vector);
        cli_json_hex(o, "error", v->error);
        if (v->vector == VECTOR_PF)
            cJSON_AddStringToObject(o, "means", walk_error_bits(v->error, text));
    }
}

/* One event of the access that was tried, under the names of the log. */
static cJSON *event_json(const struct event *e)
{
    const struct event_info *info = &event_info[e->kind];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "event", info->name);
    for (size_t i = 0; i < info->fields; i++) {
        enum field_kind kind = info->field[i].kind;
        if (kind == FIELD_name)
            cJSON_AddStringToObject(o, info->field[i].name, event_name(e, i));
        else if (kind == FIELD_flag)
            cJSON_AddBoolToObject(o, info->field[i].name, event_value(e, i) != 0);
        else if (kind == FIELD_num || kind == FIELD_bytes || kind == FIELD_cycles ||
                 kind == FIELD_enum)
            cli_json_number(o, info->field[i].name, event_value(e, i));
        else
            cli_json_hex(o, info->field[i].name, event_value(e, i));
    }
    return o;
}

static void add_tried(cJSON *root, const struct walk_view *v)
{
    if (!v->running)
        return;
    cJSON *o = cJSON_AddObjectToObject(root, "now");
    cJSON_AddBoolToObject(o, "done", v->tried.done);
    cli_json_number(o, "cycles", v->tried.cycles);
    cJSON *events = cJSON_AddArrayToObject(o, "events");
    for (unsigned i = 0; i < v->heard; i++)
        cJSON_AddItemToArray(events, event_json(&v->event[i]));
}

int walk_print_json(const struct walk_view *v)
{
    cJSON *root = look_json(v->look);
    cli_json_hex(root, "va", v->look->address);
    cJSON_AddStringToObject(root, "access", access_word[v->look->how]);
    add_registers(root, &v->regs);
    add_entries(root, v);
    add_rules(root, v);
    add_result(root, v);
    add_tried(root, v);
    return cli_json_print(root);
}
