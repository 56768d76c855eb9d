/* hosts.c - see hosts.h. */
#include "dns/hosts.h"
#include "core/mem.h"
#include "core/worker.h"
#include <assert.h>
#include <stdlib.h>

/* --- addresses ----------------------------------------------------------------------------------------------------- */

#define FAMILIES 2

struct lookup {
	struct worker *worker;
	struct call *handle, *waiting[FAMILIES]; /* IPv6, IPv4 */
	struct dns_answer *answers[FAMILIES];    /* NULL until there, or not asked for */
	dns_addresses_done *done;
	void *user;
};

static void lookup_free(struct lookup *l)
{
	for (int i = 0; i < FAMILIES; i++) {
		call_cancel(l->waiting[i]);
		dns_answer_unref(l->answers[i]);
	}
	free(l);
}

static void lookup_dropped(void *user)
{
	lookup_free(user);
}

static size_t found(const struct dns_answer *a)
{
	return a && a->outcome == DNS_FOUND ? a->count : 0;
}

static void shuffle(struct dns_answer *a)
{
	for (size_t n = found(a); n > 1; n--) {
		size_t i = arc4random_uniform((uint32_t)n);
		struct dns_record kept = a->records[i];

		a->records[i] = a->records[n - 1];
		a->records[n - 1] = kept;
	}
}

/* As struct ip wants it: an IPv4 address is the IPv6 one that stands for it. */
static void take_address(struct ip *to, const struct dns_answer *from, size_t place)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (from->type == DNS_AAAA) {
		memcpy(to->bytes, &from->records[place].aaaa, sizeof(to->bytes));
	} else {
		memcpy(to->bytes, mapped, sizeof(mapped));
		memcpy(to->bytes + sizeof(mapped), &from->records[place].a, sizeof(from->records[place].a));
	}
}

/* What is worse to say of two questions of which neither found anything: that it is not known. */
static const struct dns_answer *worse(const struct dns_answer *a, const struct dns_answer *b)
{
	static const int ranks[DNS_OUTCOMES] = {
		[DNS_NO_DATA] = 1,
		[DNS_NO_NAME] = 2,
		[DNS_BAD_NAME] = 3,
		[DNS_SILENT] = 4,
		[DNS_FAILED] = 5,
	};

	if (!a || !b)
		return a ? a : b;
	return ranks[a->outcome] > ranks[b->outcome] ? a : b;
}

static void lookup_tell(struct lookup *l)
{
	size_t counts[FAMILIES] = { found(l->answers[0]), found(l->answers[1]) };
	size_t most = counts[0] > counts[1] ? counts[0] : counts[1], count = counts[0] + counts[1];
	struct ip *items = mem_alloc((count + 1) * sizeof(*items));
	struct dns_addresses a = { .outcome = DNS_FOUND, .secure = true, .ttl_s = UINT32_MAX, .items = items };
	const struct dns_answer *bad = worse(l->answers[0], l->answers[1]);

	for (int k = 0; k < FAMILIES; k++) {
		const struct dns_answer *answer = l->answers[k];

		if (!answer || (count && !counts[k]))
			continue;
		shuffle(l->answers[k]);
		a.secure &= answer->secure;
		a.ttl_s = answer->ttl_s < a.ttl_s ? answer->ttl_s : a.ttl_s;
		a.name = answer->name;
	}
	for (size_t i = 0; i < most; i++)
		for (int k = 0; k < FAMILIES; k++)
			if (i < counts[k])
				take_address(&items[a.count++], l->answers[k], i);
	if (!count)
		a.outcome = bad->outcome;
	call_steps_end(l->handle);
	l->done(l->user, &a);
	free(items);
	lookup_free(l);
}

static void lookup_answered(struct lookup *l, int family, const struct dns_answer *answer)
{
	l->waiting[family] = NULL;
	l->answers[family] = dns_answer_new(answer);
	if (!l->waiting[0] && !l->waiting[1])
		lookup_tell(l);
}

static void six_done(void *user, const struct dns_answer *answer)
{
	lookup_answered(user, 0, answer);
}

static void four_done(void *user, const struct dns_answer *answer)
{
	lookup_answered(user, 1, answer);
}

struct call *dns_ask_addresses(
	struct worker *w, struct str host, unsigned families, int64_t deadline_ms, dns_addresses_done *done, void *user)
{
	struct lookup *l = mem_new(struct lookup);

	assert(families & (DNS_IPV4 | DNS_IPV6));
	l->worker = w;
	l->done = done;
	l->user = user;
	l->handle = call_steps(lookup_dropped, l);
	if (families & DNS_IPV6)
		l->waiting[0] = dns_ask(w, host, DNS_AAAA, deadline_ms, six_done, l);
	if (families & DNS_IPV4)
		l->waiting[1] = dns_ask(w, host, DNS_A, deadline_ms, four_done, l);
	return l->handle;
}

/* --- mail ---------------------------------------------------------------------------------------------------------- */

struct mail {
	struct worker *worker;
	struct call *handle, *waiting;
	struct dns_answer *mx; /* there is none, if the addresses are asked for */
	int64_t until_ms;
	dns_mail_done *done;
	void *user;
	char domain[]; /* as asked */
};

static void mail_free(struct mail *m)
{
	call_cancel(m->waiting);
	dns_answer_unref(m->mx);
	free(m);
}

static void mail_dropped(void *user)
{
	mail_free(user);
}

static void mail_tell(struct mail *m, const struct dns_mail *mail)
{
	call_steps_end(m->handle);
	m->done(m->user, mail);
	mail_free(m);
}

/* A host "." is none; alone it is a null MX, beside others it should not be there (RFC 7505, 3). */
static void tell_listed(struct mail *m, const struct dns_answer *mx)
{
	struct dns_mail_host *hosts = mem_alloc(mx->count * sizeof(*hosts));
	struct dns_mail mail = {
		.outcome = DNS_FOUND, .kind = DNS_MAIL_LISTED, .secure = mx->secure, .ttl_s = mx->ttl_s, .hosts = hosts
	};

	for (size_t i = 0; i < mx->count; i++) {
		const struct dns_record *r = &mx->records[i];

		if (!str_eq(r->mx.host, STR(".")))
			hosts[mail.count++] = (struct dns_mail_host){ r->mx.preference, r->mx.host };
	}
	if (!mail.count)
		mail.kind = DNS_MAIL_NONE;
	mail_tell(m, &mail);
	free(hosts);
}

static void addresses_done(void *user, const struct dns_addresses *a)
{
	struct mail *m = user;
	struct dns_mail_host self = { 0, a->name };
	struct dns_mail mail = { .outcome = a->outcome,
		.kind = DNS_MAIL_IMPLICIT,
		.secure = a->secure && m->mx->secure,
		.ttl_s = a->ttl_s < m->mx->ttl_s ? a->ttl_s : m->mx->ttl_s,
		.hosts = &self };

	m->waiting = NULL;
	mail.count = a->outcome == DNS_FOUND;
	mail_tell(m, &mail);
}

static void mx_done(void *user, const struct dns_answer *mx)
{
	struct mail *m = user;

	m->waiting = NULL;
	if (mx->outcome == DNS_FOUND) {
		tell_listed(m, mx);
	} else if (mx->outcome == DNS_NO_DATA) {
		m->mx = dns_answer_new(mx);
		m->waiting = dns_ask_addresses(m->worker, str_of(m->domain), DNS_IPV4 | DNS_IPV6,
			m->until_ms - timers_now_ms(m->worker->timers), addresses_done, m);
	} else {
		mail_tell(m, &(struct dns_mail){ .outcome = mx->outcome, .ttl_s = mx->ttl_s, .secure = mx->secure });
	}
}

struct call *dns_ask_mail(struct worker *w, struct str domain, int64_t deadline_ms, dns_mail_done *done, void *user)
{
	struct mail *m = mem_alloc(sizeof(*m) + domain.len + 1);

	m->worker = w;
	m->until_ms = timers_now_ms(w->timers) + deadline_ms;
	m->done = done;
	m->user = user;
	if (domain.len)
		memcpy(m->domain, domain.p, domain.len);
	m->handle = call_steps(mail_dropped, m);
	m->waiting = dns_ask(w, domain, DNS_MX, deadline_ms, mx_done, m);
	return m->handle;
}
