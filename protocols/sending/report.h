/* report.h - telling senders what became of their mail: multipart/report (RFC 6522, 3464, 6533), text for people first.
 * One report tells of all recipients of a message with the same kind of fate at a time. It goes to the envelope's sender, from <>;
 * none is made for mail without a sender, for recipients that did not ask for it (RFC 3461, 5.2), or for more than a
 * number an hour to one address. The other side's own words are in it. It holds nothing of the message but what RET says:
 * header or all, and never more than the numbers below. */
#ifndef PROTOCOLS_REPORT_H
#define PROTOCOLS_REPORT_H

#include "protocols/sending/transport.h"
#include "storage/store.h"

#define REPORT_MESSAGE_MAX (256u << 10) /* bytes of a message that goes along whole; of a longer one its header does */
#define REPORT_HEADER_MAX  (64u << 10)  /* and of that no more */

enum report_action { /* RFC 3464, 2.3.3 */
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_DELIVERED,
	REPORT_RELAYED,
	REPORT_EXPANDED,
};

struct report_recipient {
	const struct queue_recipient *recipient;
	struct outcome outcome;
	struct queue_item *item; /* NULL: it has none (delivered at once) */
};

enum report_size { /* what of it is told, where all would be more than the queue takes at once */
	REPORT_WHOLE,
	REPORT_HEADER, /* of the original the header alone */
	REPORT_BARE,   /* nothing of the original */
	REPORT_SHORT,  /* and of what the other side said the beginning */
	REPORT_FEW,    /* and not of all recipients: `more` are left out */
};

struct report {
	enum report_action action;
	enum report_size size;
	size_t more;
	struct queue_copy *copy; /* the message, open; its envelope says who is told */
	const struct report_recipient *recipients;
	size_t count;
	int64_t until_s;   /* REPORT_DELAYED: it will be tried until then */
	uint32_t warned_s; /* the same: as of when the items show that they were told of */
	/* Reports an hour to one address, if mail to this domain has a number of its own; 0: as `sending` says. */
	int64_t per_sender;
	const char *domain;
};

/* Whether the sender wants to know this of this recipient. */
bool report_is_wanted(enum report_action action, const struct queue_envelope *e, unsigned notify);

/* How many bytes of the original go along, from its beginning: its header, or all of it. All is for failures alone (RFC
 * 3461, 4.3). */
size_t report_takes(const struct report *r);

/* The report in stored form (form.h): header and body. hostname: ours; message: so many bytes of the original, in stored
 * form. now_s: seconds since 1970. */
void report_write(const struct report *r, struct str hostname, int64_t now_s, struct str message, struct buf *out);

/* Writes it and puts it into the queue, for those of its recipients that want one; the items of REPORT_FAILED, all of them,
 * end in the same entry of the journal, and those of REPORT_DELAYED show in it that their sender was warned. Where no report is
 * to be made they end all the same. One that would be too long for the queue is made smaller. done (NULL is fine) runs
 * later; ERR_AGAIN: it could not be put, the items are still open. Recipients and copy are the caller's and live until
 * done; whoever cancels frees the copy next. */
struct call *report_send(struct worker *w, const struct report *r, store_done *done, void *user);

#endif
