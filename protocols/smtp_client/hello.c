/* hello.c - from an open connection to a session that is ready: greeting, EHLO, STARTTLS (RFC 5321, 3.1, 3.2; RFC 3207). */
#include "core/log.h"
#include "protocols/smtp/smtp.h"
#include "protocols/smtp_client/session.h"
#include <assert.h>
#include <stdio.h>

static struct str host_name(const struct client *c)
{
	return c->hosts[c->host_at - 1].name;
}

static void begin_tls(struct client *c)
{
	client_expect(c, c->conf->command_ms);
	if (conn_start_tls_client(c->conn, host_name(c), c->hop->tls == HOP_TLS_VERIFY))
		client_insecure(c, "more was said in the clear behind the reply to STARTTLS");
}

void client_opened(struct client *c)
{
	if (c->hop->tls_at_once)
		begin_tls(c);
	else
		client_enter(c, GREETING, c->conf->greeting_ms);
}

static void say_hello(struct client *c)
{
	c->said = SAID_EHLO;
	c->can = (struct extensions){ 0 };
	client_say(c, "%s %s\r\n", c->lmtp ? "LHLO" : "EHLO", smtp_own_name(c->snapshot));
	client_enter(c, HELLO, c->conf->command_ms);
}

void client_secured(struct client *c)
{
	log_debug("smtp_client", conn_id(c->conn), "secure cipher=\"%s\" verified=%d", conn_cipher(c->conn),
		c->hop->tls == HOP_TLS_VERIFY);
	if (c->hop->tls_at_once)
		client_enter(c, GREETING, c->conf->greeting_ms);
	else
		say_hello(c); /* what was known before does not count (RFC 3207, 4.2) */
}

/* A host that cannot do TLS rightly gets the mail without, unless that was said to be wrong. */
void client_insecure(struct client *c, const char *why)
{
	if (c->hop->tls == HOP_TLS_MAY && !c->hop->tls_at_once && !c->clear && c->stage == SECURING) {
		log_info("smtp_client", conn_id(c->conn),
			"tls failed, once more without remote=\"" STR_FMT "\" error=\"%s\"",
			STR_ARG(buf_str(&c->remote)), why);
		c->clear = true;
		client_again(c);
	} else {
		client_lost(c, "4.7.5", "TLS failed: %s", why);
	}
}

/* It will not have us now: the next may (RFC 5321, 4.2.4.2 and 4.5.4.1); for good is what no host says to all mail. */
static void refused(struct client *c, const struct reply *r, const char *status)
{
	char theirs[16];

	snprintf(theirs, sizeof(theirs), STR_FMT, STR_ARG(r->status));
	client_trouble(c, OUTCOME_DEFERRED, reply_class(r) == 4 && *theirs ? theirs : status, r, " ");
	client_next(c);
}

void client_greeted(struct client *c, const struct reply *r)
{
	if (r->code == 220)
		say_hello(c);
	else
		refused(c, r, "4.3.2");
}

/* Hello is said, TLS is there or will not be. */
static void hello_over(struct client *c)
{
	if (c->hop->user.len && !c->logged_in) {
		client_log_in(c);
		return;
	}
	log_debug("smtp_client", conn_id(c->conn), "ready offers=%x", c->can.offers);
	client_ready(c);
}

static bool wants_tls(const struct client *c)
{
	return c->hop->tls != HOP_TLS_NEVER && !c->clear && !conn_secure(c->conn);
}

static void hello_said(struct client *c)
{
	bool must = c->hop->tls == HOP_TLS_MUST || c->hop->tls == HOP_TLS_VERIFY;

	if (wants_tls(c) && c->can.offers & OFFERS_STARTTLS) {
		c->said = SAID_STARTTLS;
		client_say(c, "STARTTLS\r\n");
		client_enter(c, HELLO, c->conf->command_ms);
	} else if (must && !conn_secure(c->conn)) {
		client_trouble(c, OUTCOME_DEFERRED, "4.7.4", NULL, "TLS is wanted there, and not offered");
		client_next(c);
	} else {
		hello_over(c);
	}
}

static void starttls_said(struct client *c, const struct reply *r)
{
	if (r->code == 220) {
		client_enter(c, SECURING, 0);
		begin_tls(c);
	} else if (c->hop->tls == HOP_TLS_MAY && r->code != 421) {
		hello_over(c);
	} else {
		refused(c, r, "4.7.4");
	}
}

void client_hello_reply(struct client *c, const struct reply *r)
{
	switch (c->said) {
	case SAID_EHLO:
		if (r->code == 250) {
			extensions_read(r, &c->can);
			hello_said(c);
		} else if (reply_class(r) == 5 && !c->lmtp && !conn_secure(c->conn)) {
			c->said = SAID_HELO; /* RFC 5321, 3.2 */
			client_say(c, "HELO %s\r\n", smtp_own_name(c->snapshot));
			client_expect(c, c->conf->command_ms);
		} else {
			refused(c, r, "4.3.2");
		}
		break;
	case SAID_HELO:
		if (r->code == 250)
			hello_said(c);
		else
			refused(c, r, "4.3.2");
		break;
	case SAID_STARTTLS:
		starttls_said(c, r);
		break;
	default:
		assert(0);
	}
}
