/* event.h: what the machine tells while it runs, and the environment that every module is handed.
 *
 * Events are said once, in events.def; the enum, the structs, the JSON log, the schema and the
 * reference page are made from it. A module tells an event with
 *
 *     EMIT(env, tlb_miss, .level = 1, .set = set, .vpn = vpn);
 *
 * which costs one predictable branch where nobody listens. Events never carry a question: no
 * listener can change the machine.
 *
 * Order: an event that announces a change is told right after the change was made, so that a model
 * folded from events equals the machine at every event.
 */
#ifndef MEMWALK_BASE_EVENT_H
#define MEMWALK_BASE_EVENT_H

#include "sim/base/rng.h"
#include "sim/base/types.h"

struct arena;

/* The kinds of field, and the C type of each. The kind decides how a value is printed. */
typedef uint64_t ev_num;   /* a plain number, decimal */
typedef uint64_t ev_bytes; /* a size in bytes */
typedef uint64_t ev_va;    /* virtual address, 0 where there is none */
typedef uint64_t ev_pa;    /* physical address */
typedef uint64_t ev_vpn;
typedef uint64_t ev_pfn;
typedef uint64_t ev_pte; /* an entry of a table; also a chunk's header word */
typedef uint64_t ev_cycles;
typedef uint64_t ev_hex; /* flags, error codes */
typedef int64_t ev_int;  /* a signed result, -errno included */
typedef bool ev_flag;
typedef uint32_t ev_enum;    /* which enum: the field's doc says */
typedef const char *ev_name; /* a string constant with static storage: a policy, a list */

enum event_kind {
#define F(kind, name, doc)
#define EVENT(name, doc, ...) EV_##name,
#include "sim/base/events.def"
#undef EVENT
    EV_COUNT
};

/* Every field stands at a multiple of 8 bytes, so field i is found without knowing the event. */
#define EVENT(name, doc, ...)                                                                      \
    struct ev_##name {                                                                             \
        __VA_ARGS__                                                                                \
    };
#undef F
#define F(kind, name, doc) _Alignas(8) ev_##kind name;
#include "sim/base/events.def"
#undef EVENT
#undef F

struct event {
    uint64_t seq;   /* place in the op: the micro-step, from 1 */
    cycles_t cycle; /* simulated time when it was told */
    uint32_t kind;  /* enum event_kind */
    uint16_t cpu;
    uint16_t pid; /* the process that runs there; 0 before there is one */
    union {
#define F(kind, name, doc)
#define EVENT(name, doc, ...) struct ev_##name name;
#include "sim/base/events.def"
#undef EVENT
#undef F
    };
};

/* One field of an event, for whoever treats events generically (log, schema, reference). */
enum field_kind {
    FIELD_num,
    FIELD_bytes,
    FIELD_va,
    FIELD_pa,
    FIELD_vpn,
    FIELD_pfn,
    FIELD_pte,
    FIELD_cycles,
    FIELD_hex,
    FIELD_int,
    FIELD_flag,
    FIELD_enum,
    FIELD_name,
};

struct event_field {
    const char *name, *doc;
    enum field_kind kind;
};

struct event_info {
    const char *name, *doc;
    size_t fields;
    struct event_field field[12];
};

extern const struct event_info event_info[EV_COUNT];

/* Field i of e as 64 bits (ev_int sign-extended); for FIELD_name use event_name instead. */
uint64_t event_value(const struct event *e, size_t i);
const char *event_name(const struct event *e, size_t i);

/* A listener. The bus never owns it. */
struct listener {
    void (*hear)(void *ctx, const struct event *);
    void *ctx;
};

#define BUS_LISTENERS 8

/* The bus. It is the host's (not in the arena): listeners do not travel in time. */
struct bus {
    bool on; /* somebody listens: events are made and numbered */
    unsigned count;
    struct listener listener[BUS_LISTENERS];
    uint64_t stop_at;        /* after the event with this seq, call stop; 0: never */
    void (*stop)(void *ctx); /* does not return: leaves the op in the middle */
    void *stop_ctx;
};

/* What every module is handed. It lives in the arena; bus and arena are the host's. */
struct env {
    cycles_t cycle; /* the clock */
    uint64_t seq;   /* events told in this op; counts only while the bus is on */
    struct rng rng;
    uint16_t cpu; /* who runs now: stamped on events */
    uint16_t pid;
    uint64_t op; /* index of the op being replayed, from 1; 0 before the first (boot) */
    struct bus *bus;
    struct arena *arena;
};

/* Numbers the event, hands it to every listener, and stops the op where that was asked. */
void event_tell(struct env *, struct event *);

#define EMIT(env_, name_, ...)                                                                     \
    do {                                                                                           \
        if (__builtin_expect((env_)->bus->on, 0)) {                                                \
            struct event event_ = {.kind = EV_##name_, .name_ = {__VA_ARGS__}};                    \
            event_tell((env_), &event_);                                                           \
        }                                                                                          \
    } while (0)

#endif
