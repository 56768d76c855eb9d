/* commands.h - the administration commands, for the house's list; they ask the server by its control socket. */
#ifndef PROTOCOLS_CLI_COMMANDS_H
#define PROTOCOLS_CLI_COMMANDS_H

#include "core/house.h"

extern const struct command cli_commands[];

/* Each in a file of its family. */
int check_run(int argc, char **argv, const char *conf_path);  /* check.c */
int status_run(int argc, char **argv, const char *conf_path); /* server_commands.c ... */
int stats_run(int argc, char **argv, const char *conf_path);
int who_run(int argc, char **argv, const char *conf_path);
int kick_run(int argc, char **argv, const char *conf_path);
int reload_run(int argc, char **argv, const char *conf_path);
int stop_run(int argc, char **argv, const char *conf_path);
int clock_run(int argc, char **argv, const char *conf_path);
int lag_run(int argc, char **argv, const char *conf_path);
int resolve_run(int argc, char **argv, const char *conf_path); /* resolve_command.c */
int route_run(int argc, char **argv, const char *conf_path);   /* route_command.c */
int queue_run(int argc, char **argv, const char *conf_path);   /* queue_command.c */
int trace_run(int argc, char **argv, const char *conf_path);   /* trace_command.c */
int backup_run(int argc, char **argv, const char *conf_path);  /* backup_commands.c */
int restore_run(int argc, char **argv, const char *conf_path);
int fsck_run(int argc, char **argv, const char *conf_path); /* fsck_command.c */
int index_run(int argc, char **argv, const char *conf_path);
int domain_run(int argc, char **argv, const char *conf_path); /* account_commands.c */
int account_run(int argc, char **argv, const char *conf_path);
int settle_run(int argc, char **argv, const char *conf_path);
int mailbox_run(int argc, char **argv, const char *conf_path);
int alias_run(int argc, char **argv, const char *conf_path); /* name_commands.c */
int forwarder_run(int argc, char **argv, const char *conf_path);
int group_run(int argc, char **argv, const char *conf_path);

#endif
