/* launch.h: running a program as if nobody stood between it and its caller. */
#ifndef MEMWALK_CLI_LAUNCH_H
#define MEMWALK_CLI_LAUNCH_H

/* Runs argv with the two variables set in its environment, passes on the signals that are sent to
 * this process, and waits. Returns 0 and *status as waitpid gives it, or the errno with which the
 * program could not be started. */
int launch(char *const argv[], const char *const environment[][2], int *status);

/* Ends this process as the program ended: with its exit status (returned), or by its signal. */
int launch_echo(int status);

#endif
