/* translate.c: 'memwalk translate': accesses to page tables that somebody else made.
 *
 * Physical memory comes from a raw file, the accesses from JSON Lines, one answer goes out for
 * each. So translations done by hand, or by another emulator, can be held against the simulator's.
 */
#include "sim/translate.h"

#include "sim/cli/cli.h"
#include "sim/cli/common.h"
#include "traces/fields.h"
#include "traces/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_RAM = 0x900, KEY_CASES };

struct translate_options {
    const char *ram, *cases;
};

static const struct argp_option options[] = {
    {"ram", KEY_RAM, "IMAGE", 0, "Physical memory, as raw bytes from address 0", 1},
    {"cases", KEY_CASES, "FILE", 0,
     "The accesses, one JSON object in each line (-: standard input)", 1},
    {0},
};

static const char doc_after[] =
    "\vEach line of FILE is an object with these fields; numbers are decimal or texts like "
    "\"0x7fff\". cr3, va and access must be there.\n"
    "  cr3         the root table\n"
    "  va          virtual address\n"
    "  access      \"r\", \"w\" or \"x\"\n"
    "  size        bytes, 1 to 4096 (1)\n"
    "  cpl         0 to 3 (3)\n"
    "  cr0         only WP matters (0x80010033: WP is set)\n"
    "  cr4         PGE LA57 SMEP SMAP PKE CET PKS matter (0x20: none)\n"
    "  efer        only NXE matters (0xd01: NXE is set)\n"
    "  pkru, pkrs  rights of the protection keys (0)\n"
    "  ac          EFLAGS.AC, 0 or 1 (0)\n"
    "  maxphyaddr  physical address bits, 36 to 52 (46)\n"
    "  pat         IA32_PAT (0x7040600070406)\n"
    "  eptp        a guest's EPT pointer: then cr3 and all entries are guest-physical (0: no "
    "guest)\n"
    "  implicit, stack, shadow   0 or 1: the processor's own access to a system table; one by "
    "SS; one to a shadow stack (0)\n\n"
    "Paging is always on and in long mode. Each access starts with empty TLBs and with the image "
    "as it was given; no data moves. The answers, a line each:\n"
    "  {\"pa\":\"0x…\"}             physical address of the first byte; where the access crosses "
    "into another page, \"pa2\" is that of the first byte there\n"
    "  {\"vector\":14,\"error\":6,\"cr2\":\"0x…\"}   the fault; cr2 is 0 unless it is a page "
    "fault\n"
    "  {\"exit\":48,\"qualification\":\"0x…\",\"gpa\":\"0x…\"}   a guest's access that leaves it: "
    "EPT "
    "violation, or 49, misconfiguration\n"
    "and in all \"entries\":[[\"0x…\",\"0x…\",\"0x…\"],…]: each entry of a table that changed: "
    "where, before, after.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct translate_options *o = state->input;
    switch (key) {
    case KEY_RAM:
        o->ram = arg;
        return 0;
    case KEY_CASES:
        o->cases = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->ram || !o->cases)
            argp_error(state, "--ram IMAGE and --cases FILE must be given");
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is too many", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- a case ---- */

enum field {
    CR0,
    CR3,
    CR4,
    EFER,
    PKRU,
    PKRS,
    AC,
    MAXPHYADDR,
    CPL,
    VA,
    SIZE,
    PAT,
    EPTP,
    IMPLICIT,
    STACK,
    SHADOW,
    NUMBERS,
    ACCESS = NUMBERS,
    FIELDS
};

/* Of each field: its name and what it may be. */
#define NAME(text) text, sizeof(text) - 1
static const struct {
    const char *name;
    size_t length;
    uint64_t low, high;
} fields[FIELDS] = {
    [CR0] = {NAME("cr0"), 0, UINT64_MAX},
    [CR3] = {NAME("cr3"), 0, UINT64_MAX},
    [CR4] = {NAME("cr4"), 0, UINT64_MAX},
    [EFER] = {NAME("efer"), 0, UINT64_MAX},
    [PKRU] = {NAME("pkru"), 0, UINT32_MAX},
    [PKRS] = {NAME("pkrs"), 0, UINT32_MAX},
    [AC] = {NAME("ac"), 0, 1},
    [MAXPHYADDR] = {NAME("maxphyaddr"), 36, 52},
    [CPL] = {NAME("cpl"), 0, 3},
    [VA] = {NAME("va"), 0, UINT64_MAX},
    [SIZE] = {NAME("size"), 1, PAGE_SIZE},
    [PAT] = {NAME("pat"), 0, UINT64_MAX},
    [EPTP] = {NAME("eptp"), 0, UINT64_MAX},
    [IMPLICIT] = {NAME("implicit"), 0, 1},
    [STACK] = {NAME("stack"), 0, 1},
    [SHADOW] = {NAME("shadow"), 0, 1},
    [ACCESS] = {NAME("access"), 0, 0},
};
#undef NAME

struct one_case {
    uint64_t number[NUMBERS];
    enum access how;
    uint32_t given; /* bit: the field stands in the line */
};

/* Where a case stands, for messages. */
struct place {
    const char *path;
    uint64_t line;
    struct error *e;
};

static enum err wrong(const struct place *at, const char *field, const char *reason)
{
    return error_set(at->e, ERR_VALUE, at->path, at->line, field, "%s", reason);
}

static bool number_of(const struct json_field *given, uint64_t *value)
{
    const struct slice *text = &given->text;
    if (given->type == JSON_BOOL) {
        *value = given->truth;
        return true;
    }
    if (!text->length || *text->at == '-')
        return false;
    if (given->type == JSON_STRING && (text->length < 3 || memcmp(text->at, "0x", 2) != 0))
        return false;
    return given->type != JSON_OTHER &&
           number_read(text->at, text->length, false, value) == NUMBER_GOOD;
}

static enum err take_access(struct one_case *c, const struct json_field *given,
                            const struct place *at)
{
    static const char letters[] = "rwx";
    const char *letter = given->type == JSON_STRING && given->text.length == 1
                             ? memchr(letters, *given->text.at, 3)
                             : NULL;
    if (!letter)
        return wrong(at, "access", "must be \"r\", \"w\" or \"x\"");
    c->how = (enum access)(letter - letters);
    return ERR_NONE;
}

static enum err take_number(struct one_case *c, unsigned f, const struct json_field *given,
                            const struct place *at)
{
    uint64_t value;
    if (!number_of(given, &value))
        return wrong(at, fields[f].name,
                     "must be a whole number from 0 to 2^64 - 1, or a text like \"0x7fff\"");
    if (value < fields[f].low || value > fields[f].high)
        return error_set(at->e, ERR_VALUE, at->path, at->line, fields[f].name,
                         "must be from %" PRIu64 " to %" PRIu64, fields[f].low, fields[f].high);
    c->number[f] = value;
    return ERR_NONE;
}

static unsigned field_find(struct slice name)
{
    unsigned f = 0;
    while (f < FIELDS &&
           (name.length != fields[f].length || memcmp(fields[f].name, name.at, name.length) != 0))
        f++;
    return f;
}

static enum err unknown_field(struct slice name, const struct place *at)
{
    const char *names[FIELDS];
    char hint[128];
    char given[48];
    for (unsigned f = 0; f < FIELDS; f++)
        names[f] = fields[f].name;
    snprintf(given, sizeof(given), "%.*s", (int)min_u64(name.length, 40), name.at);
    return error_set(at->e, ERR_VALUE, at->path, at->line, given, "no such field%s",
                     cli_near(given, names, FIELDS, hint));
}

static enum err take_field(struct one_case *c, const struct json_field *given,
                           const struct place *at)
{
    unsigned f = field_find(given->name);
    if (f == FIELDS)
        return unknown_field(given->name, at);
    if (c->given >> f & 1)
        return wrong(at, fields[f].name, "is there twice");
    c->given |= 1u << f;
    return f == ACCESS ? take_access(c, given, at) : take_number(c, f, given, at);
}

static enum err check_case(const struct one_case *c, const struct place *at)
{
    static const unsigned needed[] = {CR3, VA, ACCESS};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!(c->given >> needed[i] & 1))
            return wrong(at, fields[needed[i]].name, "is missing");
    if (c->number[CR3] >> c->number[MAXPHYADDR])
        return wrong(at, "cr3", "has bits above maxphyaddr");
    if (c->number[EPTP] >> c->number[MAXPHYADDR])
        return wrong(at, "eptp", "has bits above maxphyaddr");
    if (c->number[EPTP] && (c->number[EPTP] >> 3 & 7) != EPT_LEVELS - 1)
        return wrong(at, "eptp", "bits 5:3 must be 3: a walk of 4 levels");
    return ERR_NONE;
}

static void defaults(struct one_case *c)
{
    struct mmu_regs r = translate_regs();
    *c = (struct one_case){.number = {[CR0] = r.cr0,
                                      [CR4] = r.cr4,
                                      [EFER] = r.efer,
                                      [PAT] = r.pat,
                                      [MAXPHYADDR] = r.maxphyaddr,
                                      [CPL] = r.cpl,
                                      [SIZE] = 1}};
}

static struct mmu_regs regs_of(const struct one_case *c)
{
    const uint64_t *n = c->number;
    return (struct mmu_regs){.cr0 = n[CR0],
                             .cr3 = n[CR3],
                             .cr4 = n[CR4],
                             .efer = n[EFER],
                             .pat = n[PAT],
                             .eptp = n[EPTP],
                             .pkru = (uint32_t)n[PKRU],
                             .pkrs = (uint32_t)n[PKRS],
                             .maxphyaddr = (unsigned)n[MAXPHYADDR],
                             .cpl = (uint8_t)n[CPL],
                             .ac = n[AC] != 0,
                             .implicit = n[IMPLICIT] != 0,
                             .stack = n[STACK] != 0,
                             .shadow = n[SHADOW] != 0};
}

/* Most lines are plain; what the fast reader does not know, the whole one judges. */
static enum err read_case(struct slice text, struct one_case *c, const struct place *at)
{
    struct json_object object;
    const char *why, *near = json_space(text.at, text.at + text.length);
    if (*near != '{')
        return error_set(at->e, ERR_SYNTAX, at->path, at->line, NULL, "must be an object {…}");
    if (!json_read_plain(text, &object) && !json_read(text, &object, &why, &near))
        return error_set(at->e, ERR_SYNTAX, at->path, at->line, NULL, "column %zu: %s",
                         (size_t)(near - text.at) + 1, why);
    enum err err = ERR_NONE;
    defaults(c);
    for (size_t i = 0; !err && i < object.count; i++)
        err = take_field(c, &object.field[i], at);
    json_release(&object);
    return err ? err : check_case(c, at);
}

/* ---- an answer ---- */

/* "0x1f", quotes included: most of an answer is that, and printf would take most of the time. */
static void print_hex(uint64_t n)
{
    char text[20]; /* 16 digits, 0x, two quotes */
    char *at = text + sizeof(text);
    *--at = '"';
    do
        *--at = "0123456789abcdef"[n & 15];
    while (n >>= 4);
    *--at = 'x';
    *--at = '0';
    *--at = '"';
    fwrite(at, 1, (size_t)(text + sizeof(text) - at), stdout);
}

static void print_entries(const struct translate_result *r)
{
    fputs(",\"entries\":[", stdout);
    for (size_t i = 0; i < r->entries; i++) {
        fputs(i ? ",[" : "[", stdout);
        print_hex(r->entry[i].pa);
        putchar(',');
        print_hex(r->entry[i].before);
        putchar(',');
        print_hex(r->entry[i].after);
        putchar(']');
    }
    fputs("]}\n", stdout);
}

static void print_result(const struct translate_result *r)
{
    if (r->allowed) {
        fputs("{\"pa\":", stdout);
        print_hex(r->pa[0]);
        if (r->pieces > 1)
            fputs(",\"pa2\":", stdout);
        if (r->pieces > 1)
            print_hex(r->pa[1]);
    } else if (r->fault.exit.reason) {
        printf("{\"exit\":%" PRIu32 ",\"qualification\":", r->fault.exit.reason);
        print_hex(r->fault.exit.qualification);
        fputs(",\"gpa\":", stdout);
        print_hex(r->fault.exit.gpa);
    } else {
        printf("{\"vector\":%" PRIu32 ",\"error\":%" PRIu32 ",\"cr2\":", r->fault.vector,
               r->fault.error);
        print_hex(r->fault.vector == VECTOR_PF ? r->fault.va : 0);
    }
    print_entries(r);
}

/* ---- the file of cases ---- */

static enum err answer_all(struct translator *t, FILE *in, struct place *at)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    enum err err = ERR_NONE;
    while (!err && !cli_broken() && (n = getline(&line, &room, in)) > 0) {
        struct one_case c;
        struct slice text = {line, (size_t)n};
        at->line++;
        if (json_space(text.at, text.at + n) == text.at + n)
            continue;
        err = read_case(text, &c, at);
        if (err)
            continue;
        struct translate_result r;
        struct mmu_regs regs = regs_of(&c);
        translator_access(t, &regs, c.number[VA], c.number[SIZE], c.how, &r);
        print_result(&r);
    }
    free(line);
    if (!err && ferror(in))
        err = error_set(at->e, ERR_IO, at->path, 0, NULL, "cannot be read: %s", strerror(errno));
    return err;
}

static enum err run(const struct translate_options *o, struct ram *ram, struct error *e)
{
    bool standard = strcmp(o->cases, "-") == 0;
    struct place at = {.path = standard ? "standard input" : o->cases, .e = e};
    struct translator *t = translator_new(ram);
    FILE *in = standard ? stdin : fopen(o->cases, "r");
    enum err err = ERR_NONE;
    if (!t)
        err = error_set(e, ERR_MEMORY, NULL, 0, NULL, "no host memory for a processor");
    else if (!in)
        err = error_set(e, ERR_IO, o->cases, 0, NULL, "cannot be opened: %s", strerror(errno));
    else
        err = answer_all(t, in, &at);
    if (in && !standard)
        fclose(in);
    translator_free(t);
    return err;
}

int cli_translate(int argc, char **argv)
{
    static char doc[sizeof(doc_after) + 200];
    struct translate_options o = {0};
    struct ram *ram;
    struct error e = {0};
    snprintf(doc, sizeof(doc),
             "Translate accesses by page tables in an image of physical memory: "
             "each gives its physical address or its fault.%s",
             doc_after);
    const struct argp argp = {options, parse, "", doc, NULL, NULL, NULL};
    cli_parse(&argp, argc, argv, false, &o);
    if (translate_ram(&ram, o.ram, &e))
        return cli_fail(&e);
    enum err err = run(&o, ram, &e);
    ram_destroy(ram);
    return err ? cli_fail(&e) : STATUS_OK;
}
