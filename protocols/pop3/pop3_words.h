/* pop3_words.h - what we say besides the protocol's own words, in the language that the client chose (RFC 6856, 3). Our
 * sources say it in English; another language has a table of what that is in it. What is not there stays English. */
#ifndef PROTOCOLS_POP3_WORDS_H
#define PROTOCOLS_POP3_WORDS_H

#include "core/str.h"

struct pop3_words {
	const char *english, *other; /* formats that take the same arguments, response codes in front; NULL ends them */
};

struct pop3_language {
	const char *tag, *name;         /* RFC 5646; and how it calls itself */
	const struct pop3_words *words; /* NULL: English */
};

extern const struct pop3_language pop3_languages[]; /* ended by a tag of NULL; the first is the default */

/* The language for a tag, or for a shorter one as in RFC 4647, 3.4 ("de-AT" finds "de"); "*" and "i-default" are the
 * default. NULL: we do not speak it. */
const struct pop3_language *pop3_language(struct str tag);

const char *pop3_in(const struct pop3_language *language, const char *english);

#endif
