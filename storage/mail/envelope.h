/* envelope.h - what the header of a message says about it, in the parts that IMAP's ENVELOPE has (RFC 3501, 7.4.2).
 * A text that is not there has p NULL; one that is there and empty has not. Texts are unfolded, else as they stand:
 * encoded words are for whoever shows them. Of a field that comes twice the first counts, but addresses are added up,
 * so that nothing is hidden from a reader that a sender's checks may have looked at. */
#ifndef STORAGE_MAIL_ENVELOPE_H
#define STORAGE_MAIL_ENVELOPE_H

#include "storage/mail/address.h"

#define ENVELOPE_ADDRESSES_MAX 4096 /* of all lists together */

struct envelope {
	struct str date, subject, in_reply_to, message_id;
	struct address *from, *sender, *reply_to, *to, *cc, *bcc; /* sender and reply_to: from, if they have nobody */
};

/* Fills *e from the first `fields` fields of a header block (header.h); all it points to is in the arena. */
void envelope_read(struct arena *a, struct str block, unsigned fields, struct envelope *e);

#endif
