/* trail.c: which events concern a thing, and what they do to it. */
#include "viz/trail.h"

#include <stdlib.h>
#include <string.h>

/* ---- what concerns a thing ---- */

struct subject trail_subject(const struct model *m, const struct model_cpu *cpu, struct thing t)
{
    struct links l;
    thing_links(&l, m, cpu, t);
    struct subject s = {.thing = t, .pid = cpu->pid, .start = l.start, .end = l.end};
    switch (t.kind) {
    case THING_VA:
    case THING_BLOCK:
    case THING_CHUNK:
    case THING_AREA:
        s.ranged = l.ranged;
        break;
    case THING_FRAME:
        s.framed = true;
        s.pfn = t.a;
        break;
    case THING_ENTRY:
        s.entered = true;
        s.entry = t.a;
        break;
    case THING_LINE: {
        uint32_t ways = cpu->tlb[(t.b - 1) % TLB_ARRAYS].ways;
        s.lined = ways > 0;
        s.level = t.b;
        s.set = ways ? t.a / ways : 0;
        s.way = ways ? t.a % ways : 0;
        break;
    }
    default:
        break;
    }
    return s;
}

/* The value of the field of that name; false: the event has none. */
static bool field(const struct event *e, const char *name, uint64_t *value)
{
    const struct event_info *info = &event_info[e->kind];
    for (size_t i = 0; i < info->fields; i++) {
        if (strcmp(info->field[i].name, name) != 0)
            continue;
        *value = event_value(e, i);
        return true;
    }
    return false;
}

static bool on_line(const struct subject *s, const struct event *e)
{
    uint64_t level, set, way;
    return field(e, "level", &level) && field(e, "set", &set) && field(e, "way", &way) &&
           level == s->level && set == s->set && way == s->way;
}

static bool of_areas(const struct event *e)
{
    return strncmp(event_info[e->kind].name, "area_", 5) == 0 || e->kind == EV_brk_move ||
           e->kind == EV_fault_area;
}

static bool value_fits(const struct subject *s, enum field_kind kind, uint64_t value)
{
    switch (kind) {
    case FIELD_va:
        return s->ranged && value >= s->start && value < s->end;
    case FIELD_vpn:
        return s->ranged && value >= s->start >> PAGE_SHIFT && value << PAGE_SHIFT < s->end;
    case FIELD_pfn:
        return s->framed && value == s->pfn;
    case FIELD_pa:
        return (s->framed && value >> PAGE_SHIFT == s->pfn) || (s->entered && value == s->entry);
    default:
        return false;
    }
}

static bool concerns(const struct subject *s, const struct event *e)
{
    const struct event_info *info = &event_info[e->kind];
    if (s->lined)
        return on_line(s, e);
    if (s->ranged && e->pid != s->pid)
        return false;
    if (s->thing.kind == THING_AREA && !of_areas(e))
        return false;
    for (size_t i = 0; i < info->fields; i++)
        if (value_fits(s, info->field[i].kind, event_value(e, i)))
            return true;
    return false;
}

static unsigned kind_of(const struct subject *s, const struct event *e)
{
    switch (e->kind) {
    case EV_tlb_fill: /* makes the line, not the page or frame that it speaks of */
        return s->lined ? TRAIL_MADE : TRAIL_OTHER;
    case EV_block_new:
    case EV_area_new:
    case EV_frame_alloc:
    case EV_table_new:
        return TRAIL_MADE;
    case EV_alloc_header:
    case EV_entry_write:
    case EV_entry_mark:
    case EV_frame_zero:
    case EV_tlb_dirty:
    case EV_area_change:
        return TRAIL_WRITTEN;
    case EV_data:
        return e->data.how == ACCESS_WRITE ? TRAIL_WRITTEN : TRAIL_READ;
    case EV_walk_read:
    case EV_tlb_hit:
    case EV_alloc_probe:
        return TRAIL_READ;
    default:
        return TRAIL_OTHER;
    }
}

unsigned trail_concerns(const struct subject *s, const struct event *e)
{
    return concerns(s, e) ? kind_of(s, e) : 0;
}

/* ---- the run ---- */

static unsigned match(void *ctx, const struct event *e, uint64_t op)
{
    (void)op;
    return trail_concerns(ctx, e);
}

enum err trail_open(struct trail **trail, const struct config *config, const struct trace *trace,
                    const struct subject *subject, struct error *error)
{
    struct trail *t = calloc(1, sizeof(*t));
    *trail = NULL;
    if (!t)
        return error_set(error, ERR_MEMORY, NULL, 0, NULL, "no memory for the search");
    t->subject = *subject;
    enum err err = hits_open(&t->hits, config, trace, match, &t->subject, error);
    if (err)
        free(t);
    else
        *trail = t;
    return err;
}

void trail_close(struct trail *t)
{
    if (!t)
        return;
    hits_close(t->hits);
    free(t);
}
