/* imap_search_key.h - what SEARCH looks for (RFC 3501, 6.4.4). No I/O.
 * A program is compiled to a list of keys in postfix order and run on each message with a stack of truths, so that
 * nesting takes no recursion. A key whose message was not read yet is MAYBE, and so is what depends on it: a message is
 * read, header first, only when nothing else decides. */
#ifndef PROTOCOLS_IMAP_SEARCH_KEY_H
#define PROTOCOLS_IMAP_SEARCH_KEY_H

#include "protocols/imap/imap_set.h"
#include "storage/mail/search.h"

#define SEARCH_KEYS_MAX  500
#define SEARCH_DEPTH_MAX 100 /* of parentheses, NOT and OR, one in the other */

enum truth { NO, MAYBE, YES }; /* in this order AND is the lesser, OR the greater */

struct search_program {
	struct search_key *keys; /* in the arena */
	size_t count;
	struct search_text *texts; /* that keys look for; in the arena */
	size_t text_count;
};

/* search-key *(SP search-key), all that is left, its texts in that charset, which is known; false: a is bad. Words lie in
 * the command's bytes. */
bool search_compile(struct args *a, struct str charset, struct search_program *p);

/* Before it is run: what `*` stands for in numbers and UIDs, and which bits a keyword's word has. */
void search_bind(struct search_program *p, uint32_t exists, uint32_t last_uid,
	uint64_t (*bits)(const void *user, struct str word), const void *user);

enum search_read { NOTHING_READ, HEADER_READ, ALL_READ };

struct search_subject {
	uint32_t seq;
	bool recent;
	const struct message *message;
	enum search_read read; /* of it, and looked through for the program's texts */
	bool dated;            /* with HEADER_READ: it has a date, its sender's, in days since 1970 */
	int64_t day;
};

/* A new message: nothing of it is found yet. */
void search_begin(struct search_program *p, struct search_subject *subject);
/* Its header is there: looks at it, HEADER_READ from then on. */
void search_see_header(struct search_program *p, struct search_subject *subject, struct str block);
enum truth search_fits(const struct search_program *p, const struct search_subject *subject);

#endif
