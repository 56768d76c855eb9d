/* master.h - the process that starts the others and handles no client's data.
 * It reads the configuration and the private keys, opens the listening sockets, maps the shared memory, settles what
 * the last run left, forks the workers and watches them. Signals: HUP reads the configuration again, TERM and INT end
 * the sessions and stop, USR1 opens the log file anew, USR2 hands over to a new program on the same sockets. */
#ifndef CORE_MASTER_H
#define CORE_MASTER_H

/* Runs the server until it is told to stop; answers the exit status. argv: as main had it, for the hand-over. */
int master_run(const char *conf_path, char **argv);

#endif
