/* check_compare.c - what is known of messages against what their files say. */
#include "storage/check/check_parts.h"
#include <stdio.h>

#define TEXT_SIZE 160

static void tell(const struct comparison *c, uint32_t uid, uint64_t offset, const char *text)
{
	struct problem p = c->problem;

	p.uid = uid;
	p.offset = offset;
	p.text = str_of(text);
	found_add(c->found, &p);
}

/* What of a message is known wrongly; NULL: nothing. */
static const char *difference(const struct message *known, const struct message *said)
{
	if (known->offset != said->offset)
		return "place";
	if (known->prefix != said->prefix)
		return "length of the prefix";
	if (known->stored != said->stored)
		return "length";
	if (known->header != said->header)
		return "length of the header";
	if (known->wire != said->wire)
		return "size";
	if (known->date != said->date)
		return "date";
	if ((known->flags ^ said->flags) & FLAG_SYSTEM)
		return "flags";
	return known->keywords != said->keywords ? "keywords" : NULL;
}

void compare_messages(const struct comparison *c)
{
	size_t k = 0, s = 0;
	char text[TEXT_SIZE];

	while (k < c->known_count || s < c->said_count) {
		const struct message *known = k < c->known_count ? &c->known[k] : NULL;
		const struct message *said = s < c->said_count ? &c->said[s] : NULL;
		const char *what;

		if (said && said->flags & FLAG_EXPUNGED && (!known || known->uid != said->uid)) {
			s++;
		} else if (!said || (known && known->uid < said->uid)) {
			snprintf(text, sizeof(text), "the %s has a message that is not in the %s", c->where, c->kept);
			tell(c, known->uid, known->offset, text);
			k++;
		} else if (!known || said->uid < known->uid) {
			snprintf(text, sizeof(text), "the %s has a message that is not in the %s", c->kept, c->where);
			tell(c, said->uid, said->offset, text);
			s++;
		} else {
			what = said->flags & FLAG_EXPUNGED ? "end" : difference(known, said);
			if (what) {
				snprintf(text, sizeof(text),
					"the %s of a message is another in the %s than in the files", what, c->where);
				tell(c, said->uid, said->offset, text);
			}
			k++;
			s++;
		}
	}
}

void compare_records(const struct comparison *c, const struct mailbox_record *known, const struct mailbox_record *said)
{
	char text[TEXT_SIZE];
	const char *what = known->head.id != said->head.id                     ? "id"
	                   : known->head.generation != said->head.generation   ? "generation"
	                   : known->head.uidvalidity != said->head.uidvalidity ? "UIDVALIDITY"
	                   : known->head.uidnext < said->head.uidnext          ? "next UID"
	                   : known->messages != said->messages                 ? "number of messages"
	                   : known->unseen != said->unseen                     ? "number of unseen messages"
	                   : known->deleted != said->deleted                   ? "number of deleted messages"
	                   : known->bytes != said->bytes                       ? "size"
	                   : known->mbox_end != said->mbox_end                 ? "length"
	                   : known->state_end != said->state_end               ? "length of the state file"
	                                                                       : NULL;

	if (!what)
		return;
	snprintf(text, sizeof(text), "the %s of the mailbox is another in the %s than in the files", what, c->where);
	tell(c, 0, 0, text);
}
