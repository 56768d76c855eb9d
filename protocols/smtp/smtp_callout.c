/* smtp_callout.c - see smtp_callout.h. A route that wants TLS is not asked: what is said here is in clear text. */
#include "protocols/smtp/smtp_callout.h"
#include "core/conn.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/network.h"
#include "core/worker.h"
#include "dns/hosts.h"
#include "protocols/smtp/smtp.h"
#include "protocols/smtp_client/reply.h"
#include "protocols/smtp_client/smtp_client.h"
#include "storage/route/next_hop.h"
#include "storage/table.h"
#include <stdlib.h>

COUNTER(callouts, "smtp.callouts", "other servers asked whether they know an address");

struct asker { /* one who waits */
	struct asker *next;
	struct call *handle;
	struct answer *answer; /* that is waited for; NULL: it is known, and told in a later turn */
	struct call *later;
	enum err e;
	store_done *done;
	void *user;
};

struct answer { /* what is known of an address, or being asked */
	struct table_node node;
	char *address;
	enum err e;
	int64_t until_ms;
	struct callout *callout; /* NULL: nobody is being asked */
	struct asker *askers;
};

struct callout { /* one under way */
	struct worker *worker;
	struct answer *answer;
	struct conf *conf; /* ours */
	struct arena memory;
	struct next_hop hop;
	struct call *waiting; /* for the DNS, or a turn of the loop */
	struct conn *conn;
	struct timer limit;
	unsigned said; /* lines: the reply that comes is to the last of them */
};

static struct { /* this process's, which is a worker */
	struct table answers;
	size_t under_way;
} state;

/* --- what is known ----------------------------------------------------------------------------------------------- */

static struct answer *answer_find(struct str address)
{
	struct table_node *n = table_first(&state.answers, str_hash(address));

	while (n && !str_eq(str_of(container_of(n, struct answer, node)->address), address))
		n = table_next(n);
	return n ? container_of(n, struct answer, node) : NULL;
}

static void answer_free(struct answer *a)
{
	table_remove(&state.answers, &a->node);
	free(a->address);
	free(a);
}

/* All that nobody waits for: it is asked again when it is wanted. */
static void forget_all(void)
{
	struct answer **all = mem_alloc(state.answers.count * sizeof(struct answer *));
	size_t count = 0;

	for (size_t i = 0; i < state.answers.chain_count; i++)
		for (struct table_node *n = state.answers.chains[i]; n; n = n->next)
			all[count++] = container_of(n, struct answer, node);
	for (size_t i = 0; i < count; i++)
		if (!all[i]->callout)
			answer_free(all[i]);
	free(all);
}

static struct answer *answer_new(struct str address)
{
	struct answer *a;

	if (state.answers.count >= CALLOUT_KEPT_MAX)
		forget_all();
	a = mem_new(struct answer);
	a->address = str_dup(address);
	table_add(&state.answers, &a->node, str_hash(address));
	return a;
}

/* --- the end of one ---------------------------------------------------------------------------------------------- */

static void asker_tell(struct asker *k, enum err e)
{
	store_done *done = k->done;
	void *user = k->user;

	call_steps_end(k->handle);
	free(k);
	done(user, e);
}

static void callout_free(struct callout *c)
{
	timer_stop(c->worker->timers, &c->limit);
	call_cancel(c->waiting);
	conn_free(c->conn);
	conf_unref(c->conf);
	arena_free(&c->memory);
	free(c);
	state.under_way--;
}

static int64_t kept_ms(enum err e)
{
	return e == OK ? CALLOUT_KNOWN_MS : e == ERR_ABSENT ? CALLOUT_UNKNOWN_MS : CALLOUT_UNCLEAR_MS;
}

static void finish(struct callout *c, enum err e, const char *why)
{
	struct answer *a = c->answer;
	struct asker *k;

	log_info("smtp", c->conn ? conn_id(c->conn) : NULL, "callout to=<%s> known=%s reason=\"%s\"", a->address,
		e == OK           ? "yes"
		: e == ERR_ABSENT ? "no"
				  : "unclear",
		why);
	if (c->conn && c->said) {
		conn_write_str(c->conn, STR("QUIT\r\n"));
		conn_leave(c->conn);
		c->conn = NULL;
	}
	a->e = e;
	a->until_ms = worker_wall_ms(c->worker) + kept_ms(e);
	a->callout = NULL;
	callout_free(c);
	while ((k = a->askers)) {
		a->askers = k->next;
		asker_tell(k, e);
	}
}

/* --- the conversation -------------------------------------------------------------------------------------------- */

static bool beyond_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return true;
	return false;
}

static void say_next(struct callout *c)
{
	const char *address = c->answer->address;
	bool lmtp = c->hop.way == HOP_LMTP;

	switch (c->said++) {
	case 0:
		conn_printf(c->conn, "%s %s\r\n", lmtp ? "LHLO" : "EHLO", smtp_own_name(c->conf));
		break;
	case 1:
		conn_printf(c->conn, "MAIL FROM:<>%s\r\n", beyond_ascii(str_of(address)) ? " SMTPUTF8" : "");
		break;
	default:
		conn_printf(c->conn, "RCPT TO:<%s>\r\n", address);
	}
}

/* What refuses us, not him, tells nothing of him (RFC 3463, 3.8). */
static enum err verdict(const struct reply *r)
{
	if (r->code / 100 == 2)
		return OK;
	if (r->code == 550 || r->code == 551 || r->code == 553 || str_starts(r->status, STR("5.1.")))
		return str_starts(r->status, STR("5.7.")) ? ERR_AGAIN : ERR_ABSENT;
	return ERR_AGAIN;
}

/* Takes the next reply; false: no more has come, or it is over. */
static bool take_reply(struct callout *c, struct buf *in)
{
	struct reply r;
	ptrdiff_t used = reply_parse(buf_str(in), &r);
	bool last = c->said == 3;

	if (!used)
		return false;
	if (used < 0) {
		finish(c, ERR_AGAIN, "no reply of SMTP");
		return false;
	}
	if (last || r.code / 100 != 2) {
		struct buf words = { 0 };

		reply_words(&r, &words);
		for (char *p = buf_data(&words); p && p < buf_data(&words) + buf_len(&words); p++)
			if (*p == '\n' || *p == '"')
				*p = ' ';
		buf_add_char(&words, '\0');
		finish(c, last ? verdict(&r) : ERR_AGAIN, buf_data(&words));
		buf_free(&words);
		return false;
	}
	buf_take(in, (size_t)used);
	say_next(c);
	return true;
}

static void on_input(void *user, struct buf *in)
{
	while (take_reply(user, in))
		;
}

static void on_end(void *user, enum conn_end why)
{
	struct callout *c = user;

	c->said = 0; /* nothing more is said */
	finish(c, ERR_AGAIN, why == CONN_ABSENT ? "nobody answers" : "the connection broke");
}

static void on_limit(void *user)
{
	finish(user, ERR_AGAIN, "no answer in time");
}

/* --- finding it -------------------------------------------------------------------------------------------------- */

static void connect_to(struct callout *c, const struct ip *ip)
{
	static const struct conn_events events = { .on_input = on_input, .on_end = on_end };
	const struct smtp_client_conf *conf = conf_section(c->conf, &smtp_client_settings);
	bool own_port = c->hop.way == HOP_LMTP || c->hop.port != 25 || (c->hop.direct && c->hop.rule.len);
	uint16_t port = own_port ? c->hop.port : (uint16_t)conf->port;

	c->conn = conn_connect(c->worker, ip, port, NULL, CALLOUT_TIME_MS, &events, c);
}

static void addresses_found(void *user, const struct dns_addresses *found)
{
	struct callout *c = user;

	c->waiting = NULL;
	if (found->outcome == DNS_FOUND)
		connect_to(c, &found->items[0]);
	else
		finish(c, ERR_AGAIN, "its host has no address");
}

static void find_addresses(struct callout *c, struct str host)
{
	const struct smtp_client_conf *conf = conf_section(c->conf, &smtp_client_settings);

	c->waiting = dns_ask_addresses(
		c->worker, host, (unsigned)conf->families + 1, CALLOUT_TIME_MS, addresses_found, c);
}

static void hosts_found(void *user, const struct dns_mail *mail)
{
	struct callout *c = user;

	c->waiting = NULL;
	if (mail->outcome != DNS_FOUND || !mail->count)
		finish(c, ERR_AGAIN, "its domain has no host");
	else if (str_eq_nocase(mail->hosts[0].name, str_of(smtp_own_name(c->conf))))
		finish(c, ERR_AGAIN, "its best host is ourselves");
	else
		find_addresses(c, mail->hosts[0].name);
}

static void begin(void *user, enum err e, struct str text)
{
	struct callout *c = user;
	struct ip ip;

	(void)e, (void)text;
	c->waiting = NULL;
	next_hop_find(c->conf, &c->memory, str_of(c->answer->address), STR(""), &c->hop);
	if (c->hop.way == HOP_REJECT)
		finish(c, ERR_ABSENT, "a route refuses him");
	else if ((c->hop.way != HOP_SMTP && c->hop.way != HOP_LMTP) || c->hop.tls_at_once ||
		 c->hop.tls == HOP_TLS_MUST || c->hop.tls == HOP_TLS_VERIFY)
		finish(c, ERR_AGAIN, "its route does not let us ask");
	else if (ip_read(c->hop.host, &ip))
		connect_to(c, &ip);
	else if (c->hop.direct)
		find_addresses(c, c->hop.host);
	else
		c->waiting = dns_ask_mail(c->worker, c->hop.host, CALLOUT_TIME_MS, hosts_found, c);
}

static void callout_new(struct worker *w, const struct conf *conf, struct answer *a)
{
	struct callout *c = mem_new(struct callout);

	counter_add(&callouts, 1);
	state.under_way++;
	a->callout = c;
	c->worker = w;
	c->answer = a;
	c->conf = conf_ref((struct conf *)conf);
	timer_start(w->timers, &c->limit, CALLOUT_TIME_MS, on_limit, c);
	c->waiting = call_later(w, begin, c);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void asker_dropped(void *user)
{
	struct asker *k = user;
	struct answer *a = k->answer;

	call_cancel(k->later);
	if (a) {
		struct asker **at = &a->askers;

		while (*at != k)
			at = &(*at)->next;
		*at = k->next;
		if (!a->askers && a->callout) {
			callout_free(a->callout);
			answer_free(a);
		}
	}
	free(k);
}

static void tell_known(void *user, enum err e, struct str text)
{
	struct asker *k = user;

	(void)e, (void)text;
	k->later = NULL;
	asker_tell(k, k->e);
}

struct call *smtp_callout(struct worker *w, const struct conf *conf, struct str address, store_done *done, void *user)
{
	struct asker *k = mem_new(struct asker);
	struct answer *a = answer_find(address);
	bool known = a && !a->callout && a->until_ms > worker_wall_ms(w);

	*k = (struct asker){ .done = done, .user = user, .handle = call_steps(asker_dropped, k) };
	if (known || (!(a && a->callout) && state.under_way >= CALLOUT_ASKED_MAX)) {
		k->e = known ? a->e : ERR_AGAIN;
		k->later = call_later(w, tell_known, k);
		return k->handle;
	}
	if (!a)
		a = answer_new(address);
	if (!a->callout)
		callout_new(w, conf, a);
	k->answer = a;
	k->next = a->askers;
	a->askers = k;
	return k->handle;
}
