/* orders.c - what operators and ETRN see and do: destinations, and items out of turn. */
#include "protocols/sending/sending_inside.h"
#include <assert.h>

struct queue_destination *sending_destination_after(struct worker *w, const struct queue_destination *d)
{
	if (!w->sending)
		return NULL;
	return d ? TAILQ_NEXT(d, all) : TAILQ_FIRST(&w->sending->all);
}
