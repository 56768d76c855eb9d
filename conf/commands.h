/* commands.h - commands that need no server: `postern help`. A table for the house's list (core/house.h), and what
 * every other command's --help prints. */
#ifndef CONF_COMMANDS_H
#define CONF_COMMANDS_H

#include "core/house.h"

extern const struct command conf_commands[];

/* Whether --help is among the arguments; then what the command is for was printed. */
bool command_helped(int argc, char **argv);

#endif
