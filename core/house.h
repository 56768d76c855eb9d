/* house.h - what the floors above tell core, so that core can start them and know nothing of mail.
 * There is one, `house`, defined in protocols/house.c: the single place where all modules are listed. */
#ifndef CORE_HOUSE_H
#define CORE_HOUSE_H

#include "core/call.h"
#include "core/service.h"
#include "core/settings.h"

/* One word of the command line: `postern account add ...`. Its own options are its own business. */
struct command {
	const char *name;  /* "account"; NULL ends the table */
	const char *usage; /* "add|list|passwd|delete USER@DOMAIN"; for --help */
	const char *text;  /* one sentence */
	/* argv[0] is the command's name; conf_path is what -c said, or the default. Answers the exit status. */
	int (*run)(int argc, char **argv, const char *conf_path);
};

/* What a section says of others: run for each of its sections once all are good by themselves. Adds lines to `why` and answers
 * false. */
struct conf_rule {
	const struct settings *table; /* titled; NULL ends the list */
	bool (*check)(const struct conf *c, const void *values, const char *title, struct buf *why);
};

struct house {
	const struct settings *const *settings; /* ended by NULL */
	const struct conf_rule *rules;          /* NULL: there are none */
	const struct service *const *services;  /* ended by NULL */
	const struct call_type *const *calls;   /* tables, ended by NULL; each ended by a row with name NULL */
	const struct command *const *commands;  /* tables beside core's own run, ended by NULL; each ended likewise */
	/* Reads and checks a configuration file: NULL, and a line per error (file:line: reason) in why. */
	struct conf *(*conf_read)(const char *path, struct buf *why);
	struct conf *(*conf_parse)(struct str text, const char *name, struct buf *why);
	/* In a process of its own before any worker: settles what the last run left in the journals. */
	enum err (*store_recover)(const struct conf *conf, int directory);
	enum err (*worker_start)(struct worker *w);                      /* opens the store; w->store is set */
	void (*worker_reload)(struct worker *w, const struct conf *old); /* w->conf is the new one */
	/* No session is left: settle, then run `done` in a later turn. */
	void (*worker_stop)(struct worker *w, void (*done)(struct worker *w));
};

extern const struct house house;

#endif
