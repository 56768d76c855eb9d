/* settings.h - a setting is one row, and whatever knows of settings reads the rows.
 * A module lists its settings in a table: name, type, default, limits, where the value goes, one line of text. From
 * the rows come the parser, the error text, the dump, the sample file, `postern help settings` and the manual. The
 * values of one reading of the configuration are a snapshot, `struct conf`: immutable, counted, shared by whatever
 * started while it was in force. A section may be titled (`domain "example.test" { ... }`) and then occurs any
 * number of times. The file's syntax is conf/'s business; core knows rows and values only. */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include "core/buf.h"
#include "core/err.h"

enum setting_type {
	SETTING_BOOL,     /* bool: true, false, yes, no, on, off */
	SETTING_NUMBER,   /* int64_t */
	SETTING_SIZE,     /* int64_t, bytes: 512, 64K, 50M, 1G (powers of 1,024) */
	SETTING_DURATION, /* int64_t, milliseconds: 500ms, 30s, 5m, 2h, 1d */
	SETTING_TEXT,     /* const char *, never NULL */
	SETTING_CHOICE,   /* int64_t: the place of the word in `max`, a list like "strict|normalise" */
	SETTING_LIST,     /* struct setting_list of words; the default is separated by spaces */
};

struct setting_list {
	const char *const *items;
	size_t count;
};

enum setting_flags {
	SETTING_RESTART = 1, /* a change takes effect at a restart only; a reload says so */
	SETTING_SECRET = 2,  /* dumps to people show *** */
};

struct setting {
	const char *name; /* NULL ends the table */
	enum setting_type type;
	const char *def;  /* as it would be written in the file */
	const char *min;  /* for numbers, sizes, durations; NULL for no limit */
	const char *max;  /* the same; for SETTING_CHOICE the words */
	size_t offset;    /* of the value in the section's struct */
	const char *text; /* one line for people, a sentence */
	unsigned flags;
};

struct settings {            /* a section of the file */
	const char *section; /* "imap"; "" for settings outside any section */
	bool titled;         /* section "title" { ... }, any number of them */
	size_t size;         /* of the struct that the offsets are in */
	const struct setting *rows;
	const char *text; /* what the section is for, a sentence */
	/* Checks what rows cannot: adds lines to `why` and answers false. NULL: nothing to check. */
	bool (*check)(const void *values, const char *title, struct buf *why);
};

struct conf;

/* A snapshot with every value at its default, to be filled by conf_set before anybody else sees it. `tables` ends
 * with NULL and outlives the snapshot. */
struct conf *conf_new(const struct settings *const *tables);
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* NULL is fine */

/* Makes the titled section if it is not there. False: there is no such section; why says so. */
bool conf_add_title(struct conf *c, const char *section, const char *title, struct buf *why);
/* title is NULL in an untitled section. A list is given item by item: the first call replaces the default, and a
 * value of NULL makes it empty.
 * False: why says in one line what is wrong, naming the setting, its limits and what was given. */
bool conf_set(
	struct conf *c, const char *section, const char *title, const char *name, const char *value, struct buf *why);
bool conf_check(const struct conf *c, struct buf *why); /* every section's check; a line for each that fails */

/* The values of an untitled section. Never NULL: points to the struct that the table describes. */
const void *conf_section(const struct conf *c, const struct settings *table);
size_t conf_titles(const struct conf *c, const struct settings *table); /* how many there are */
const void *conf_titled(const struct conf *c, const struct settings *table, size_t place, const char **title);
const void *conf_find(const struct conf *c, const struct settings *table, const char *title); /* NULL without */

/* What a module makes of a whole snapshot, once, when it is first asked for (a table to look things up in). It is kept with
 * the snapshot and freed with it; both functions belong to the one `p`. Of the loop's thread alone. */
struct preparation {
	void *(*make)(const struct conf *c);
	void (*free)(void *made);
};
const void *conf_prepared(const struct conf *c, const struct preparation *p);

enum conf_dump { CONF_WHOLE, CONF_FOR_PEOPLE }; /* with secrets, or with *** for them */

/* The snapshot as a file that gives the same snapshot again, every setting written out. */
void conf_dump(const struct conf *c, enum conf_dump how, struct buf *out);
/* A line per difference: `imap.idle_timeout: 30m -> 20m`, with "(at a restart)" where that is so. */
void conf_diff(const struct conf *old, const struct conf *new, struct buf *out);

#endif
