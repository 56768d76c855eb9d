/* smtp_copies.c - copies of all mail (storage/route/copies.h): more recipients of a message, once it is whole, of whom
 * neither its sender nor the others hear: no reply is about them, no report is made of them. */
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/route/copies.h"

static void ask_next(struct smtp *s);

static void copy_routed(void *user, const struct route *route)
{
	struct smtp *s = user;
	const struct route_leaf *first = &route->leaves[0];

	s->waiting = NULL;
	if (first->kind == ROUTE_AGAIN)
		smtp_message_refuse(s, "451 4.3.0 the message cannot be kept now, try again");
	else if (first->kind == ROUTE_REJECT && route->count == 1)
		log_warn("smtp", s->id, "no copy to=<" STR_FMT "> reason=\"" STR_FMT "\"", STR_ARG(s->asked.address),
			STR_ARG(first->text));
	else if (!smtp_watch_delivered(&s->watch, s->asked.address))
		smtp_rcpt_keep(s, route);
	ask_next(s);
}

static void ask_next(struct smtp *s)
{
	struct route_question q = { .sender = s->sender, .believed = smtp_relay_trusted(s) };

	if (s->copies_asked == s->copy_count || s->refused) {
		smtp_message_copied(s);
		return;
	}
	q.address = s->copies[s->copies_asked++];
	s->asked = (struct smtp_recipient){
		.address = q.address, .local = STR(""), .orcpt = STR(""), .notify = NOTIFY_NEVER, .hidden = true
	};
	s->waiting = route_find(s->worker, &q, copy_routed, s);
}

/* All whom the message is for: as they were named, and whom that reaches, here or elsewhere. */
static size_t addressed(struct smtp *s, struct str **out)
{
	struct str *to = arena_alloc(&s->transaction, (s->recipient_count + s->target_count) * sizeof(*to));
	size_t count = 0;

	for (size_t i = 0; i < s->recipient_count; i++)
		to[count++] = s->recipients[i].address;
	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i].kind == ROUTE_LOCAL || s->targets[i].kind == ROUTE_REMOTE)
			to[count++] = s->targets[i].address;
	*out = to;
	return count;
}

void smtp_copies(struct smtp *s)
{
	struct str *to;
	size_t count;

	if (!conf_titles(s->snapshot, &copy_settings)) {
		smtp_message_copied(s);
		return;
	}
	count = addressed(s, &to);
	s->copy_count = copies_find(s->snapshot, &s->transaction, s->sender, to, count, &s->copies);
	s->copies_asked = 0;
	ask_next(s);
}
