/* log.h: events as JSON Lines, and what is known about their fields as names.
 *
 * One event is one line. Its moment, clock and place come first, then its own fields:
 *
 *     {"moment":[3,7],"cycle":812,"cpu":0,"process":1,"event":"tlb_miss","level":1,"set":9,…}
 *
 * Counts and sizes are numbers; addresses, page and frame numbers, entries and flags are texts
 * "0x…", because JSON readers keep numbers as doubles; enums are their names. docs/events.md lists
 * them all, docs/events.schema.json is the schema; both are made from events.def.
 */
#ifndef MEMWALK_SIM_LOG_H
#define MEMWALK_SIM_LOG_H

#include "sim/base/event.h"

/* A set of kinds of events. */
struct event_filter {
    bool wanted[EV_COUNT];
};

/* From names separated by commas: "tlb_miss", a whole family "tlb", or "all". On an unknown name:
 * false, and the name is in unknown. */
bool event_filter_parse(struct event_filter *, const char *list, char *unknown, size_t size);

/* The line of an event (with its newline), cut to fit; returns its length. op: the op in progress,
 * 0 at boot. */
size_t log_line(const struct event *, uint64_t op, char *text, size_t size);

/* Name number `value` of the enum that a field of kind FIELD_enum holds (its doc names the enum);
 * NULL beyond the last. */
const char *log_enum_name(const struct event_field *, uint64_t value);

/* What a field's value looks like in JSON, for people: "number", "hex text", … */
const char *log_field_type(const struct event_field *);

#endif
