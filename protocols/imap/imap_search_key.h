/* imap_search_key.h - what SEARCH looks for (RFC 3501, 6.4.4): by flags, numbers, dates and sizes. No I/O.
 * A program is compiled to a list of keys in postfix order and run on each message with a stack of truths, so that
 * nesting takes no recursion. */
#ifndef PROTOCOLS_IMAP_SEARCH_KEY_H
#define PROTOCOLS_IMAP_SEARCH_KEY_H

#include "protocols/imap/imap_set.h"

#define SEARCH_KEYS_MAX  500
#define SEARCH_DEPTH_MAX 100 /* of parentheses, NOT and OR, one in the other */

struct search_program {
	struct search_key *keys; /* in the arena */
	size_t count;
};

/* search-key *(SP search-key), all that is left; false: a is bad. Words lie in the command's bytes. */
bool search_compile(struct args *a, struct search_program *p);

/* Before it is run: what `*` stands for in numbers and UIDs, and which bits a keyword's word has. */
void search_bind(struct search_program *p, uint32_t exists, uint32_t last_uid,
	uint64_t (*bits)(const void *user, struct str word), const void *user);

struct search_subject {
	uint32_t seq;
	bool recent;
	const struct message *message;
};

bool search_fits(const struct search_program *p, const struct search_subject *subject);

#endif
