/* queue_filter.h - which of the queue's mail an operator means: by recipient, sender, age, destination, id, held.
 * An item is meant if all that is said fits. Recipients and senders are told by the message's file alone, which is opened
 * for that; all else is in memory. */
#ifndef PROTOCOLS_CLI_QUEUE_FILTER_H
#define PROTOCOLS_CLI_QUEUE_FILTER_H

#include "protocols/cli/control_session.h"
#include "protocols/sending/sending.h"

struct queue_filter {           /* texts are of whoever made it; "" : not said */
	struct str to, from;    /* an address, or a domain; from "<>": mail without a sender */
	struct str destination; /* its key */
	uint64_t id;            /* 0: any */
	uint32_t before_s;      /* arrived no later than that; 0: whenever */
	bool held;
};

/* Of a request: "to", "from", "destination", "id", "older_ms", "held". NULL, or what is wrong with it. */
const char *filter_read(const struct control *c, struct queue_filter *f);
bool filter_is_all(const struct queue_filter *f); /* everything is meant */
void filter_pack(const struct queue_filter *f, struct buf *out);
void filter_unpack(struct unpack *u, struct queue_filter *f);

bool filter_needs_texts(const struct queue_filter *f);
/* Could something of the message be meant, as far as is known without its texts? */
bool filter_has(const struct queue_filter *f, struct worker *w, const struct queue_message *m);
/* e: NULL if no texts are needed. */
bool filter_has_item(
	const struct queue_filter *f, struct worker *w, const struct queue_item *item, const struct queue_envelope *e);

#endif
