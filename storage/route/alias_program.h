/* alias_program.h - a program of an aliases(5) file as the address of a recipient in the queue: "team@example.test|5f0e12...".
 * No address that can be written or configured has such a domain, so only the router leads anybody to a program. What is kept
 * names the alias and marks the command, which is looked for in the files at each try: one that the administrator took out, or
 * allows no more, is not run. */
#ifndef STORAGE_ROUTE_ALIAS_PROGRAM_H
#define STORAGE_ROUTE_ALIAS_PROGRAM_H

#include "core/worker.h"
#include "storage/route/alias_file.h"
#include "storage/route/domain.h"

struct str alias_program_address(struct arena *a, struct str name, struct str domain, struct str command);
bool alias_program_is(struct str address);
struct str alias_program_name(struct str address); /* "team@example.test"; an address that is none stays as it is */

/* Whether the settings of the domain that has the file let this target be run. */
bool alias_program_may(const struct domain_conf *conf, const struct alias_target *t);

/* OK; ERR_ABSENT: it does not stand there any more, or may not be run; ERR_AGAIN: the file was never read. The command is
 * valid until the caller returns to the loop. */
enum err alias_program_find(struct worker *w, struct str address, struct str *command);

#endif
