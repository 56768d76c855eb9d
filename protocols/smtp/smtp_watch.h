/* smtp_watch.h - what is looked for in a message while it goes by: how many servers had it before (RFC 5321, 6.3), to whom
 * it was delivered already, its Message-ID, how long its lines are, whether it is ASCII. The bytes come in any pieces, as
 * they are without dots; CR, LF and CRLF each end a line. Memory is the beginning of one line, the id and so many
 * addresses. */
#ifndef PROTOCOLS_SMTP_WATCH_H
#define PROTOCOLS_SMTP_WATCH_H

#include "core/buf.h"

#define SMTP_WATCH_LINE      320 /* bytes of a header line that are looked at: a field's name and an address */
#define SMTP_WATCH_DELIVERED 100 /* Delivered-To fields; later ones are not looked at */

struct smtp_watch { /* zeroed: at the first byte of the message */
	unsigned received;
	size_t longest;                         /* bytes of the longest line so far, its end not counted */
	bool beyond_ascii, header_beyond_ascii; /* it holds bytes that are none of ASCII; its header does */

	char head[SMTP_WATCH_LINE]; /* of the header's line under way */
	size_t len;                 /* of the line under way */
	bool in_body, cr;
	struct buf delivered; /* addresses, each with a NUL behind */
	unsigned delivered_count;
	struct buf message_id; /* of the first Message-ID field, without <>; "": none on one line */
};

void smtp_watch_feed(struct smtp_watch *w, struct str piece);
/* Whether a Delivered-To field names this address; letters of either case are the same. */
bool smtp_watch_delivered(const struct smtp_watch *w, struct str address);
void smtp_watch_free(struct smtp_watch *w); /* as new */

#endif
