/* content.h - the fields of a header that say what a body is (RFC 2045, 2183, 3282, 2557, 1864).
 * Read generously: a missing semicolon, a value in need of quotes, a line of nonsense cost no more than themselves.
 * Names and values are as written, without quoting, folding and comments; parameters in the forms of RFC 2231 are
 * not put together, as IMAP shows them. */
#ifndef STORAGE_MAIL_CONTENT_H
#define STORAGE_MAIL_CONTENT_H

#include "core/arena.h"
#include "core/str.h"

#define CONTENT_PARAMS_MAX    100 /* of one field; later ones are not looked at */
#define CONTENT_LANGUAGES_MAX 20

struct content_param {
	const struct content_param *next;
	struct str name, value;
};

struct content_word {
	const struct content_word *next;
	struct str text;
};

struct content {                  /* a text that is not there has p NULL */
	struct str type, subtype; /* always there: what was missing or broken is text/plain */
	const struct content_param *params;
	struct str disposition; /* "attachment" if only its parameters were given */
	const struct content_param *disposition_params;
	const struct content_word *languages;
	struct str encoding; /* Content-Transfer-Encoding */
	struct str id, description, location, md5;
};

/* Fills *c from the first `fields` fields of a header block; all it points to is in the arena or lives for ever. Of a
 * field that comes twice the first counts. */
void content_read(struct arena *a, struct str block, unsigned fields, struct content *c);

/* Makes it text/plain in us-ascii, RFC 2045's default (5.2), or another type without parameters. */
void content_plain(struct content *c);
void content_set(struct content *c, const char *type, const char *subtype);

bool content_is(const struct content *c, const char *type, const char *subtype); /* subtype NULL: any */

/* The value of the first parameter of that name; p NULL without. */
struct str content_param(const struct content_param *params, const char *name);

/* The same, or what the forms of RFC 2231 make of it: name*=charset'language'%41bc, name*0="A"; name*1="bc". Its bytes
 * are in that charset, whichever it is. */
struct str content_param_joined(struct arena *a, const struct content_param *params, const char *name);

#endif
