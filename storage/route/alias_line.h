/* alias_line.h - the text of an aliases(5) file, as Sendmail and Postfix read it: lines and what names stand for.
 *   # a comment
 *   team:  alice, bob@far.test,          a line that begins with a blank goes on with the one before
 *          "|/usr/bin/archive team, all"
 *   list:  :include:/etc/mail/list       each line of that file is a list as well
 *   owner-list: alice                    gets the bounces of what goes to list
 *   bob:   \bob, bob@away.test           \bob is bob himself, whatever aliases say of that name
 *   old:   error:550 Gone away           OpenSMTPD's way to refuse */
#ifndef STORAGE_ROUTE_ALIAS_LINE_H
#define STORAGE_ROUTE_ALIAS_LINE_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

struct alias_reader {
	struct str left; /* of the text */
	bool plain;      /* an included file: each line is one for itself */
	unsigned number; /* of the line last read */
	unsigned begin;  /* of the first line of what alias_read gave */
	struct buf line; /* ours */
};

/* The next line, continued ones in one, without comments and line ends; false at the end. It is valid until the next. */
bool alias_read(struct alias_reader *r, struct str *line);
void alias_reader_free(struct alias_reader *r);

/* "name: what it stands for". The name is in lower case, without quotes, in the arena. ERR_MISTAKE: it is none. */
enum err alias_name(struct arena *a, struct str line, struct str *name, struct str *targets);

enum alias_kind {
	ALIAS_ADDRESS, /* local@domain, or a local part alone */
	ALIAS_PROGRAM, /* the command behind the | */
	ALIAS_FILE,    /* its name, from / on */
	ALIAS_INCLUDE, /* the name of the file */
	ALIAS_ERROR,   /* a reply: "550 5.1.1 words" */
};
struct alias_target {
	enum alias_kind kind;
	bool plain;    /* an address that is not looked for among aliases again */
	bool included; /* it stands in a file that was included */
	struct str text;
};

/* Takes the next target off the list; it lies in the arena. OK; ERR_ABSENT: there is none left; ERR_MISTAKE: what was taken
 * (text) is none. */
enum err alias_target(struct arena *a, struct str *left, struct alias_target *t);

/* The form in which names are compared: without quotes, in lower case. */
struct str alias_key(struct arena *a, struct str local);

#endif
