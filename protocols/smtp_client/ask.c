/* ask.c - see ask.h. */
#include "protocols/smtp_client/ask.h"
#include "core/mem.h"
#include "protocols/smtp_client/session.h"
#include "storage/mail/utf8.h"
#include <stdlib.h>

struct ask {
	struct str address;
	bool named; /* RCPT was said; else MAIL */
	enum err e;
	struct buf words;
	client_asked *done;
	void *user;
};

void ask_free(struct ask *a)
{
	if (!a)
		return;
	buf_free(&a->words);
	free(a);
}

void ask_tell(struct client *c)
{
	struct ask *a = c->ask;

	c->ask = NULL;
	client_end(c);
	a->done(a->user, a->e, buf_str(&a->words));
	ask_free(a);
}

void ask_unreachable(struct client *c)
{
	c->ask->e = ERR_AGAIN;
	buf_clear(&c->ask->words);
	buf_add_str(&c->ask->words, buf_str(&c->trouble.reply));
	client_over(c);
}

/* It is known: the session ends as one should. */
static void settle(struct client *c, enum err e)
{
	c->ask->e = e;
	client_enter(c, READY, 0);
	client_over(c);
}

static void pass_over(struct client *c, const struct reply *r)
{
	client_trouble(c, OUTCOME_DEFERRED, "4.4.0", r, " ");
	if (r->code != 421)
		client_leave(c);
	client_next(c);
}

/* What refuses us, not him, tells nothing of him (RFC 3463, 3.8). */
static bool is_unknown(const struct reply *r)
{
	if (reply_class(r) != 5 || str_starts(r->status, STR("5.7.")))
		return false;
	return r->code == 550 || r->code == 551 || r->code == 553 || str_starts(r->status, STR("5.1."));
}

void ask_begin(struct client *c)
{
	struct str address = c->ask->address;
	bool utf8 = utf8_ascii(address) < address.len;

	c->ask->named = false;
	if (utf8 && !(c->can.offers & OFFERS_SMTPUTF8)) { /* nobody there can have such a name (RFC 6531, 3.2) */
		buf_add_str(&c->ask->words, STR("the host does not speak SMTPUTF8"));
		settle(c, ERR_ABSENT);
		return;
	}
	client_say(c, "MAIL FROM:<>%s\r\n", utf8 ? " SMTPUTF8" : "");
	client_enter(c, ASKING, c->conf->command_ms);
}

void ask_reply(struct client *c, const struct reply *r)
{
	struct ask *a = c->ask;

	buf_clear(&a->words);
	reply_words(r, &a->words);
	if (reply_class(r) == 2 && !a->named) {
		a->named = true;
		client_say(c, "RCPT TO:<" STR_FMT ">\r\n", STR_ARG(a->address));
		client_expect(c, c->conf->command_ms);
	} else if (reply_class(r) == 2) {
		settle(c, OK);
	} else if (a->named && is_unknown(r)) {
		settle(c, ERR_ABSENT);
	} else {
		pass_over(c, r);
	}
}

struct client *ask_host(
	struct worker *w, const struct next_hop *hop, struct str address, client_asked *done, void *user)
{
	struct client *c = client_new(w, NULL, hop);

	c->ask = mem_new(struct ask);
	c->ask->address = arena_str(&c->places, address);
	c->ask->done = done;
	c->ask->user = user;
	return c;
}

void ask_no_more(struct client *c)
{
	if (c)
		client_end(c);
}
