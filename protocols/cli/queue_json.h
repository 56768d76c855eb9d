/* queue_json.h - what waits in the queue as JSON for the administration commands. */
#ifndef PROTOCOLS_CLI_QUEUE_JSON_H
#define PROTOCOLS_CLI_QUEUE_JSON_H

#include "protocols/cli/queue_filter.h"

/* A message, without its recipients. whole: all of its envelope, else what a list shows. */
json_t *queue_message_json(struct worker *w, const struct queue_copy *copy, bool whole);
/* One of its recipients; item NULL: its fate is known. */
json_t *queue_recipient_json(
	struct worker *w, const struct queue_recipient *to, const struct queue_item *item, bool whole);
json_t *queue_destination_json(const struct worker *w, const struct destination_status *d);
json_t *queue_totals_json(const struct worker *w);

#endif
