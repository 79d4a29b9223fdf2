/* cli.h: the commands of memwalk, one function each.
 *
 * main.c holds the one table {name, function, doc}; a new command is a line here, a line there, a
 * file, and a page docs/man/memwalk-NAME.1. argv[0] is "memwalk NAME", so that what argp prints
 * reads right. The result is the exit status: STATUS_… of common.h.
 */
#ifndef MEMWALK_SIM_CLI_CLI_H
#define MEMWALK_SIM_CLI_CLI_H

int cli_run(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_walk(int argc, char **argv);
int cli_translate(int argc, char **argv);
int cli_maps(int argc, char **argv);
int cli_proc(int argc, char **argv);
int cli_heap(int argc, char **argv);
int cli_lab(int argc, char **argv);
int cli_tlb(int argc, char **argv);
int cli_tables(int argc, char **argv);
int cli_frames(int argc, char **argv);
int cli_access(int argc, char **argv);
int cli_view(int argc, char **argv);
int cli_film(int argc, char **argv);
int cli_perfetto(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_truth(int argc, char **argv);
int cli_cpu(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_events(int argc, char **argv);

#endif
