/* smtp_etrn.c - ETRN (RFC 1985): what waits for a domain that we back up is tried now, in every worker.
 * Who may relay may ask for it, and for what one entry of relay.domains is about only so often: each time costs connections,
 * and names below a domain can be thought up without end. Others' asking is no matter. */
#include "core/log.h"
#include "core/tally.h"
#include "core/worker.h"
#include "protocols/sending/sending.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/route/next_hop.h"
#include "storage/route/relay.h"

#define EVERY_MS 30000 /* of all workers, for one client and entry */

/* Whether what goes to this destination is the domain's mail, or with `below` that of a domain in it. */
static bool is_for(struct str key, struct str wanted, struct str domain, bool below)
{
	size_t at = key.len > domain.len ? key.len - domain.len : 0;

	return str_eq(key, wanted) || (below && str_starts(key, STR("smtp:")) && at && key.p[at - 1] == '.' &&
					      str_eq(str_cut(key, at, key.len), domain));
}

static void etrn_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	bool below = unpack_u8(&u);
	struct str domain = unpack_str(&u);
	struct destination_status status;
	struct next_hop hop;
	struct arena a = { 0 };
	struct buf key = { 0 };

	(void)rq;
	if (unpack_end(&u) && w->sending) {
		next_hop_find(
			w->conf, &a, str_of(arena_printf(&a, "postmaster@" STR_FMT, STR_ARG(domain))), STR(""), &hop);
		next_hop_key(&hop, &key);
		for (struct queue_destination *d = NULL; (d = sending_destination_after(w, d));) {
			sending_destination_status(w, d, &status);
			if (is_for(status.key, buf_str(&key), domain, below))
				sending_destination_retry(w, d);
		}
	}
	buf_free(&key);
	arena_free(&a);
}

const struct call_type smtp_calls[] = {
	{ "smtp.etrn", etrn_handle },
	{ 0 },
};

/* False: he asked for it a moment ago. */
static bool not_too_often(struct smtp *s, struct str domain)
{
	const char *client = *s->session.account ? s->session.account : conn_peer(s->conn);
	struct str entry = relay_entry(s->snapshot, domain);
	struct worker *w = s->worker;
	int64_t now_ms = worker_wall_ms(w);
	struct buf what = { 0 };
	struct tally *t;
	uint64_t key;

	buf_printf(&what, "%s " STR_FMT, client, STR_ARG(entry));
	key = tally_key(w->shm, 'e', buf_str(&what));
	buf_free(&what);
	t = tally_of(w->shm, w->slot, key, now_ms);
	return !t || tally_once(w->shm, key, t, now_ms, EVERY_MS);
}

static enum next begin(struct smtp *s, struct str domain, bool below)
{
	struct buf args = { 0 };

	if (!not_too_often(s, domain))
		return smtp_reply(s, "458 4.7.1 " STR_FMT " was asked for a moment ago", STR_ARG(domain));
	pack_u8(&args, below);
	pack_str(&args, domain);
	for (unsigned i = 0; i < s->worker->workers; i++)
		event_send(s->worker, i, &smtp_calls[0], buf_str(&args));
	buf_free(&args);
	log_info("smtp", conn_id(s->conn), "etrn domain=" STR_FMT " peer=%s", STR_ARG(domain), conn_peer(s->conn));
	return smtp_reply(s, "250 2.0.0 what waits for " STR_FMT " is tried now", STR_ARG(domain));
}

enum next smtp_etrn(struct smtp *s, struct str rest)
{
	struct arena a = { 0 };
	bool below = rest.len && rest.p[0] == '@';
	struct str domain;
	enum next next;

	if (address_domain(&a, str_cut(rest, below, rest.len), ADDRESS_UTF8, &domain) || domain.p[0] == '[')
		next = smtp_wrong(s, "501 5.5.4 syntax: ETRN domain, or ETRN @domain");
	else if (!smtp_relay_trusted(s) || !relay_backs_up(s->snapshot, domain))
		next = smtp_wrong(
			s, "459 4.7.1 " STR_FMT " is none that we do this for, or you may not ask", STR_ARG(domain));
	else
		next = begin(s, domain, below);
	arena_free(&a);
	return next;
}
