/* smtp_rcpt.c - RCPT (RFC 5321, 4.1.1.3): to whom, as the router knows him, and whether it may be.
 * An address is refused here if nothing of what it means can have the message, so that nobody need write back later. A
 * group with a member that cannot have it is taken: who answers for the group hears of him by a report. What leads
 * elsewhere is taken from those who may relay (smtp_relay.c); a name of ours that somebody here had sent on may be
 * written to by everybody. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp/smtp_backup.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/queue/queue.h"
#include <stdio.h>

/* Of memory for addresses, refused ones included; room for 100,000 recipients of the usual length. */
#define TRANSACTION_BYTES_MAX (32u << 20)

/* Where <postmaster> alone and addresses at our own address literal are: our first domain. */
static struct str own_domain(const struct smtp *s)
{
	return str_of(*s->login_conf->default_domain ? s->login_conf->default_domain : smtp_hostname(s));
}

/* An address literal is ours if it is what the client connected to (RFC 5321, 4.1.3). */
static bool own_literal(const struct smtp *s, struct str domain)
{
	const char *here = conn_here(s->conn);
	char literal[80];

	snprintf(literal, sizeof(literal), "[%s%s]", strchr(here, ':') ? "IPv6:" : "", here);
	return str_eq(domain, str_of(literal));
}

/* --- what may not be --------------------------------------------------------------------------------------------- */

static enum next refuse(struct smtp *s, const char *reply)
{
	log_info("smtp", s->id, "recipient refused to=<" STR_FMT "> from=<" STR_FMT "> peer=%s reason=\"%s\"",
		STR_ARG(s->asked.address), STR_ARG(s->sender), conn_peer(s->conn), reply);
	smtp_reply(s, "%s", reply);
	/* An MTA behind LMTP has to ask, it does not know who is here. */
	return *reply == '5' && !s->lmtp ? smtp_count(s) : DONE;
}

/* The forms in which mail was once sent on by way of us: user%elsewhere, elsewhere!user, "user@elsewhere". */
static bool points_elsewhere(struct str local)
{
	return str_find(local, '%') >= 0 || str_find(local, '!') >= 0 || str_find(local, '@') >= 0;
}

static const char *no_relay(struct smtp *s)
{
	return arena_printf(
		&s->transaction, "550 5.7.1 <" STR_FMT "> is not ours, and we do not relay", STR_ARG(s->asked.address));
}

/* Whoever may not relay does not get elsewhere through a domain that we back up either: its own server trusts us. */
static bool leads_past_us(const struct smtp *s, const struct route_leaf *leaf)
{
	return leaf->kind == ROUTE_REMOTE && ((leaf->relay && !leaf->backup) || points_elsewhere(s->asked.local));
}

/* NULL: it may be; else the reply. */
static const char *judge(struct smtp *s, const struct route *route)
{
	bool trusted = smtp_relay_trusted(s);
	size_t rejected = 0;

	for (size_t i = 0; i < route->count; i++) {
		const struct route_leaf *leaf = &route->leaves[i];

		if (leaf->kind == ROUTE_AGAIN)
			return arena_dup(&s->transaction, leaf->text);
		rejected += leaf->kind == ROUTE_REJECT;
		if (!trusted && leads_past_us(s, leaf))
			return no_relay(s);
	}
	if (rejected < route->count)
		return NULL;
	return points_elsewhere(s->asked.local) ? no_relay(s) : arena_dup(&s->transaction, route->leaves[0].text);
}

static bool needs_queue(const struct smtp *s, const struct route *route)
{
	bool needs = s->asked.notify & NOTIFY_SUCCESS;

	for (size_t i = 0; i < route->count; i++)
		needs |= route->leaves[i].kind == ROUTE_REMOTE;
	return needs;
}

/* --- what is taken ----------------------------------------------------------------------------------------------- */

/* Makes room for one more in a growing array, which is full at each power of two. */
static void *grown(void *array, size_t count, size_t size)
{
	return count & (count - 1) ? array : mem_resize(array, (count ? 2 * count : 1) * size);
}

static void keep_leaf(struct smtp *s, const struct route_leaf *leaf)
{
	struct arena *a = &s->transaction;

	size_t place = s->target_count + s->asked.count++;

	s->targets = grown(s->targets, place, sizeof(*s->targets));
	s->targets[place] = (struct smtp_target){ .smtp = s,
		.recipient = s->recipient_count,
		.kind = leaf->kind,
		.address = arena_str(a, leaf->address),
		.sender = leaf->sender.len ? arena_str(a, leaf->sender) : STR(""),
		.forwarded = leaf->forwarded };
}

static void keep_leaves(struct smtp *s, const struct route *route)
{
	s->asked.targets = s->target_count;
	for (size_t i = 0; i < route->count; i++)
		keep_leaf(s, &route->leaves[i]);
}

static void keep_asked(struct smtp *s)
{
	s->target_count += s->asked.count;
	s->recipients = grown(s->recipients, s->recipient_count, sizeof(*s->recipients));
	s->recipients[s->recipient_count++] = s->asked;
}

void smtp_rcpt_keep(struct smtp *s, const struct route *route)
{
	keep_leaves(s, route);
	keep_asked(s);
}

static enum next take(struct smtp *s)
{
	keep_asked(s);
	smtp_enter(s, RCPTS);
	return smtp_reply(s, "250 2.1.5 recipient <" STR_FMT ">", STR_ARG(s->asked.address));
}

static void backup_done(void *user, enum err e)
{
	struct smtp *s = user;
	struct arena *a = &s->transaction;
	struct str address = s->asked.address;
	enum next next;

	s->waiting = NULL;
	if (!e)
		next = take(s);
	else if (e == ERR_ABSENT)
		next = refuse(s, arena_printf(a, "550 5.1.1 <" STR_FMT "> is not known there", STR_ARG(address)));
	else
		next = refuse(s, arena_printf(a, "451 4.4.0 <" STR_FMT "> cannot be asked for now, try again",
					 STR_ARG(address)));
	smtp_resume(s, next);
}

/* What a stranger sends by way of us to a domain that we back up must be for somebody who is there. */
static enum next keep(struct smtp *s, const struct route *route)
{
	const struct route_leaf *backed = NULL;

	keep_leaves(s, route);
	for (size_t i = 0; i < route->count; i++)
		if (route->leaves[i].relay && route->leaves[i].kind == ROUTE_REMOTE)
			backed = &route->leaves[i];
	if (!backed || smtp_relay_trusted(s))
		return take(s);
	s->waiting = smtp_backup_ask(s->worker, s->snapshot, backed->address, backup_done, s);
	return WAIT;
}

static enum next too_many(struct smtp *s)
{
	return smtp_reply(s, "452 4.5.3 a message has at most %lld recipients", (long long)s->conf->recipients_max);
}

static void routed(void *user, const struct route *route)
{
	const struct queue_conf *conf;
	struct smtp *s = user;
	const char *wrong;
	enum next next;

	s->waiting = NULL;
	conf = conf_section(s->snapshot, &queue_settings);
	if ((wrong = judge(s, route)))
		next = refuse(s, wrong);
	else if (s->target_count + route->count > (size_t)conf->recipients)
		next = too_many(s);
	else if (needs_queue(s, route) && queue_room(s->worker->queue, s->mail.size))
		next = smtp_reply(s, "452 4.3.1 the queue has no room now, try again");
	else
		next = keep(s, route);
	if (next != WAIT)
		smtp_resume(s, next);
}

static enum next ask(struct smtp *s, struct address_path *path)
{
	struct route_question q = { .sender = s->sender, .size = s->mail.size, .believed = smtp_relay_trusted(s) };

	if (!path->domain.len || own_literal(s, path->domain))
		path->domain = own_domain(s);
	s->asked.address = q.address = address_text(&s->transaction, path);
	s->asked.local = path->local;
	s->waiting = route_find(s->worker, &q, routed, s);
	return WAIT;
}

enum next smtp_cmd_rcpt(struct smtp *s, struct str rest)
{
	struct smtp_path_line line;
	struct smtp_rcpt_parameters p;
	enum err e = smtp_parse_path(rest, STR("TO:"), ADDRESS_BARE | ADDRESS_UTF8, &s->transaction, &line);
	const char *wrong;

	if (e)
		return smtp_bad_path(s, e, "RCPT TO:<address>");
	if ((wrong = smtp_rcpt_parameters(&line, s->mail.utf8, &p)))
		return smtp_wrong(s, "%s", wrong);
	if (!smtp_may_be_said(line.path.local, s->mail.utf8) || !smtp_may_be_said(line.path.domain, s->mail.utf8))
		return smtp_not_ascii(s);
	/* No mistake: the client sends to those that were taken, and again to the others (RFC 5321, 4.5.3.1.10). */
	if (s->recipient_count >= (size_t)s->conf->recipients_max || s->transaction.used > TRANSACTION_BYTES_MAX)
		return too_many(s);
	s->asked = (struct smtp_recipient){ .notify = p.notify, .orcpt = arena_str(&s->transaction, p.orcpt) };
	return ask(s, &line.path);
}
