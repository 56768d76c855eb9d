/* pipe_command.h - a program of the configuration that takes mail: its command line and what its exit status means.
 *   pipe "archive" { command = { "/usr/local/bin/archive", "--from", "%{sender}", "%{recipient}" }, timeout = 5m }
 *   route "archive" { recipients = { "*@archive.example.test" }, to = "pipe:archive" }
 * There is no shell: each text is one argument, whatever stands for its %{...}. An address that begins with "-" is written
 * with its local part in quotes, which is the same address and no option.
 * A program of an aliases(5) file is the shell's, as with others who read such files: the command is the administrator's, and
 * what the message says is in the environment alone. */
#ifndef PROTOCOLS_PIPE_COMMAND_H
#define PROTOCOLS_PIPE_COMMAND_H

#include "core/program.h"
#include "core/settings.h"
#include "protocols/sending/transport.h"

struct pipe_conf {
	struct setting_list command;
	int64_t timeout_ms;
};
extern const struct settings pipe_settings; /* pipe "NAME" { } */

/* Whether the program is there that a route section wants, if it wants one; why says which is not (struct conf_rule). */
bool pipe_is_there(const struct conf *c, const void *route, const char *title, struct buf *why);

/* The arguments for one recipient, NULL behind the last; all lies in the arena. */
const char *const *pipe_arguments(const struct pipe_conf *conf, struct arena *a, const struct queue_envelope *envelope,
	struct str recipient, uint64_t size);

#define PIPE_ALIAS_MS (10 * 60 * 1000) /* so long one of an aliases file may take */

/* The same of a program of an aliases file, and what is beside the usual in its environment: SENDER, RECIPIENT, LOCAL and
 * DOMAIN, in which all but letters, digits and a few signs is "_". recipient: the alias. */
const char *const *pipe_alias_arguments(struct arena *a, struct str command);
const char *const *pipe_alias_environment(struct arena *a, struct str sender, struct str recipient);

/* What its end means (sysexits.h): 0 delivered; 75, a signal, too long, could not be started: deferred; the rest is refused.
 * Its output is the reply; an enhanced status code at the front of it counts if it is of the same class. Texts lie in
 * the arena. */
void pipe_outcome(const struct program_end *end, struct arena *a, struct outcome *o);

#endif
