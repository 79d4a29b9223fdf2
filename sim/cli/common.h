/* common.h: what the commands share: options, a simulation opened from them, ways to print.
 *
 * The options come in groups, each an argp of its own; a command lists the groups that it has and
 * adds its own options. Settings are kept as texts and applied late, because a trace's own "config"
 * stands between the machine file and the command line.
 */
#ifndef MEMWALK_SIM_CLI_COMMON_H
#define MEMWALK_SIM_CLI_COMMON_H

#include "sim/inspect.h"
#include "sim/words.h"

#include <argp.h>
#include <cjson/cJSON.h>
#include <stdio.h>

enum cli_status {
    STATUS_OK = 0,
    STATUS_FAILED = 1, /* the run went well, but an expectation failed */
    STATUS_BAD = 2,    /* bad input, bad usage, or output that could not be written */
};

#define CLI_SETTINGS 256
#define CLI_COLUMNS  100

struct cli_options {
    const char *command; /* "memwalk run" */
    const char *trace;   /* "-": standard input */
    const char *machine[16];
    size_t machines;
    const char *setting[CLI_SETTINGS]; /* key=value */
    size_t settings;
    char alloc[48]; /* "alloc=NAME"; "": not given */
    bool json;
    bool has_op;
    uint64_t op, step, pid; /* op: as given, the moment is after it */
};

/* ---- options ---- */

/* Groups, for the children of a command's argp; the input of each is a struct cli_options. */
extern const struct argp cli_machine_argp; /* -m, -o, --alloc */
extern const struct argp cli_json_argp;    /* --json */
extern const struct argp cli_moment_argp;  /* --op, --step, --pid */

/* Parses; on a mistake it says so, with the nearest option where one is near, and ends the program
 * with STATUS_BAD. --help ends it with STATUS_OK. in_order: options end at the first argument. */
void cli_parse(const struct argp *, int argc, char **argv, bool in_order, void *input);
/* For parsers: a whole number from 0 (decimal or 0x…), or the end of the program with a message. */
uint64_t cli_number(const struct argp_state *, const char *option, const char *text);
/* For parsers: the language of --lang, or the end of the program with a message. */
enum lang cli_lang(const struct argp_state *, const char *text);
/* The same for a number from least to most that may have a fraction. */
double cli_decimal(const struct argp_state *, const char *option, const char *text, double least,
                   double most);
/* For parsers: the one argument of most commands. */
error_t cli_trace_argument(struct cli_options *, int key, char *arg, struct argp_state *);

/* ---- names ---- */

/* "; did you mean "near"?" or "", for messages; text must hold 128 bytes. */
const char *cli_near(const char *given, const char *const *names, size_t count, char *text);

/* ---- configurations and simulations ---- */

/* Default, machine files, the trace's "config" (may be NULL), command line: later wins. */
enum err cli_configure(const struct cli_options *, const struct trace_header *, struct config *,
                       struct error *);

/* A whole trace and a simulation that can be sought in. */
struct cli_session {
    struct trace *trace;
    struct config config;
    struct sim *sim;
};
/* Loads the trace and opens the simulation with these sinks (NULL: none). On an error: prints it
 * and returns STATUS_BAD with nothing left open. */
int cli_open(struct cli_session *, const struct cli_options *, const struct sim_sink *sinks,
             unsigned count);
/* Goes to the moment of --op and --step; without --op to the end. Prints and returns as cli_open.
 */
int cli_seek(struct cli_session *, const struct cli_options *);
void cli_close(struct cli_session *);
/* The process of --pid, else the one that runs on the first processor, else the first one. false:
 * there is no such process (said on stderr). */
bool cli_process(const struct cli_session *, const struct cli_options *, struct process_info *);
/* "after op 3: p1 = malloc(24)" for headlines. */
const char *cli_moment_text(const struct cli_session *, char *text, size_t size);

/* The command line of this trace and machine, without a moment, as a shell takes it: "memwalk view
 * traces/ls.jsonl.zst --alloc=best-fit"; cut where size is too small. */
const char *cli_again(const struct cli_options *, char *text, size_t size);

/* ---- printing ---- */

/* 1234567 as "1,234,567"; text must hold 32 bytes. */
const char *cli_grouped(uint64_t n, char *text);
/* Bytes as "1,234 B", "132 KiB", "1.5 MiB"; text must hold 32 bytes. */
const char *cli_bytes(uint64_t n, char *text);
/* Prints text wrapped at CLI_COLUMNS, its lines after the first indented by hang columns. The first
 * line is taken to begin at column `column`. */
void cli_wrap(FILE *out, const char *text, unsigned column, unsigned hang);
/* A name beside its doc, as the lists of config, events and help have it. */
void cli_entry(FILE *out, const char *name, const char *doc, unsigned width);

/* JSON objects: whole numbers exactly, addresses as "0x…" texts. */
void cli_json_number(cJSON *object, const char *name, uint64_t n);
void cli_json_hex(cJSON *object, const char *name, uint64_t n);
/* Prints and frees it. */
int cli_json_print(cJSON *root);

/* Prints the error as "memwalk: …" and returns STATUS_BAD. */
int cli_fail(const struct error *);
/* Has a write to standard output failed? Long outputs ask now and then, to stop early. */
bool cli_broken(void);

#endif
