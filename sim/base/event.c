/* event.c: the table of events, and telling one. */
#include "sim/base/event.h"

#include "sim/base/check.h"

#include <string.h>

#define FIELDS(...) (sizeof((const struct event_field[]){__VA_ARGS__}) / sizeof(struct event_field))

const struct event_info event_info[EV_COUNT] = {
#define F(kind_, name_, doc_) {.name = #name_, .doc = doc_, .kind = FIELD_##kind_},
#define EVENT(name_, doc_, ...)                                                                    \
    {.name = #name_, .doc = doc_, .fields = FIELDS(__VA_ARGS__), .field = {__VA_ARGS__}},
#include "sim/base/events.def"
#undef EVENT
#undef F
};

/* Where field i of any event stands: all event structs share one place in struct event. */
static const unsigned char *field_at(const struct event *e, size_t i)
{
    CHECK(e->kind < EV_COUNT && i < event_info[e->kind].fields);
    return (const unsigned char *)e + offsetof(struct event, op_begin) + i * 8;
}

uint64_t event_value(const struct event *e, size_t i)
{
    const unsigned char *at = field_at(e, i);
    enum field_kind kind = event_info[e->kind].field[i].kind;
    if (kind == FIELD_flag) {
        bool flag;
        memcpy(&flag, at, sizeof(flag));
        return flag;
    }
    if (kind == FIELD_enum) {
        uint32_t value;
        memcpy(&value, at, sizeof(value));
        return value;
    }
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

const char *event_name(const struct event *e, size_t i)
{
    const unsigned char *at = field_at(e, i);
    CHECK(event_info[e->kind].field[i].kind == FIELD_name);
    const char *name;
    memcpy(&name, at, sizeof(name));
    return name ? name : "";
}

void event_tell(struct env *env, struct event *e)
{
    struct bus *bus = env->bus;
    e->seq = ++env->seq;
    e->cycle = env->cycle;
    e->cpu = env->cpu;
    e->pid = env->pid;
    for (unsigned i = 0; i < bus->count; i++)
        bus->listener[i].hear(bus->listener[i].ctx, e);
    if (bus->stop_at && e->seq == bus->stop_at)
        bus->stop(bus->stop_ctx);
}
