/* elsewhere.c - recipients whom one host puts off are asked for at the next host of the domain in the same try, as a backup
 * is there for (RFC 5321, 5.1; whoever greylists at the first host often does not at the second). That is so as long as
 * nothing of the content was sent, and for no more hosts than smtp_client.hosts_per_try says. What was said of a recipient
 * is kept; if no host takes him, the last words are his outcome. Nobody is asked again for what was refused for good.
 * What the next host cannot take (size, letters) or if it cannot be reached is no reason to refuse either: the first may
 * take it yet. A session that went elsewhere ends with its transaction, so that the next begins with the best host. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp_client/session.h"
#include <stdlib.h>

bool elsewhere_may(const struct client *c)
{
	return !c->worker->stopping && c->asked < (unsigned)c->conf->hosts_per_try && c->host_at < c->host_count &&
	       c->tried < CLIENT_ADDRESSES_MAX;
}

void elsewhere_put_off(struct client *c, size_t place, const struct outcome *o)
{
	if (!c->put_off)
		c->put_off = mem_alloc(c->t->count * sizeof(*c->put_off));
	c->put_off[place] = arena_new(&c->kept, struct outcome);
	*c->put_off[place] = (struct outcome){ .kind = o->kind,
		.status = arena_str(&c->kept, o->status),
		.reply = arena_str(&c->kept, o->reply),
		.remote = arena_str(&c->kept, o->remote),
		.session = arena_str(&c->kept, o->session),
		.diagnostic_type = o->diagnostic_type };
}

static bool is_open(const struct client *c, size_t place)
{
	return c->put_off && c->put_off[place] && !c->t->recipients[place].told;
}

static void forget(struct client *c)
{
	free(c->put_off);
	c->put_off = NULL;
	arena_reset(&c->kept);
}

static void tell_last_words(struct client *c)
{
	for (size_t i = 0; c->put_off && i < c->t->count; i++)
		if (is_open(c, i))
			sending_tell(c->sending, c->t, i, c->put_off[i]);
	forget(c);
}

bool elsewhere_go(struct client *c)
{
	size_t open = 0;

	for (size_t i = 0; c->put_off && i < c->t->count; i++)
		open += is_open(c, i);
	if (!open || !elsewhere_may(c)) {
		tell_last_words(c);
		return false;
	}
	log_info("smtp_client", c->conn ? conn_id(c->conn) : NULL,
		"put off, the next host is asked destination=" STR_FMT " remote=\"" STR_FMT "\" recipients=%zu",
		STR_ARG(c->hop->host), STR_ARG(buf_str(&c->remote)), open);
	c->asked++;
	client_enter(c, READY, 0);
	client_part(c);
	c->parting = c->unclean = false;
	c->done = 0;
	c->address_at = c->address_count; /* another address of the same host is no other host */
	client_next(c);
	return true;
}

void elsewhere_free(struct client *c)
{
	free(c->put_off);
	arena_free(&c->kept);
}
