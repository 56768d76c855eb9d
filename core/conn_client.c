/* conn_client.c - connections of our own: made, and made secure. How connections work stands in conn_inside.h. */
#include "core/certs.h"
#include "core/conn_inside.h"
#include "core/core_settings.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/network.h"
#include "core/worker.h"
#include <assert.h>
#include <errno.h>

COUNTER(conns_made, "conn.made", "connections of our own begun");

static socklen_t address_of(const struct ip *ip, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	*out = (struct sockaddr_storage){ 0 };
	if (ip_is_v4(ip)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, ip->bytes + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, ip->bytes, 16);
	return sizeof(*v6);
}

/* Begins it; 0, or an errno. */
static int begin(int fd, const struct ip *to, uint16_t port, const struct ip *from)
{
	struct sockaddr_storage address;
	socklen_t len;
	int on = 1;

	if (fd < 0)
		return errno;
	if (from) {
		len = address_of(from, 0, &address);
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)); /* a port per peer, not for all */
		if (bind(fd, (struct sockaddr *)&address, len))
			return errno;
	}
	len = address_of(to, port, &address);
	return connect(fd, (struct sockaddr *)&address, len) && errno != EINPROGRESS ? errno : 0;
}

struct conn *conn_connect(struct worker *w, const struct ip *to, uint16_t port, const struct ip *from, int64_t limit_ms,
	const struct conn_events *events, void *user)
{
	struct conn *c = conn_make(w, events, user);
	int fd = socket(ip_is_v4(to) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	char peer[INET6_ADDRSTRLEN];
	int error = begin(fd, to, port, from);

	counter_add(&conns_made, 1);
	ip_print(to, peer);
	conn_name(c, conn_id(c), peer, "");
	c->outgoing = c->opening = c->blocked = true;
	ev_io_init(&c->io, conn_on_io, fd, EV_WRITE);
	c->io.data = c;
	if (error) {
		conn_end(c, CONN_ABSENT, strerrordesc_np(error));
		return c;
	}
	ev_io_start(w->loop, &c->io);
	c->limit_ms = conn_now_ms(c) + limit_ms;
	conn_arm(c);
	return c;
}

enum err conn_opened(struct conn *c)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		conn_end(c, CONN_ABSENT, strerrordesc_np(error));
		return ERR_NEVER;
	}
	len = sizeof(peer);
	if (getpeername(c->io.fd, (struct sockaddr *)&peer, &len))
		return ERR_AGAIN;
	conn_note_addresses(c);
	return OK;
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

/* What connections that verify have in common: made anew when the file of the authorities is another one. */
static struct tls_client *verifying(struct conns *cs)
{
	const struct tls_conf *conf = conf_section(cs->worker->conf, &tls_settings);
	uint64_t stamp = certs_stamp_file(str_hash(str_of(conf->ca)), conf->ca);
	struct buf pem = { 0 }, why = { 0 };

	if (cs->verified && cs->authorities == stamp)
		return cs->verified;
	tls_client_free(cs->verified);
	cs->verified = NULL;
	cs->authorities = stamp;
	if (certs_read_file(conf->ca, &pem, &why) ||
		tls_client_new(&cs->verified, &(struct str){ buf_data(&pem), buf_len(&pem) }, &why))
		log_error("tls", NULL, "ca cannot be used: " STR_FMT, STR_ARG(str_trim(buf_str(&why))));
	buf_free(&pem);
	buf_free(&why);
	return cs->verified;
}

static struct tls_client *trusting(struct conns *cs)
{
	struct buf why = { 0 };

	if (!cs->any)
		tls_client_new(&cs->any, NULL, &why); /* without authorities there is nothing to refuse */
	buf_free(&why);
	assert(cs->any);
	return cs->any;
}

enum err conn_start_tls_client(struct conn *c, struct str host, bool verify)
{
	struct tls_client *t;

	assert(!c->ssl);
	if (buf_len(&c->in))
		return ERR_MISTAKE;
	if (c->ended || c->closing)
		return OK; /* on_end comes, on_secure never */
	t = verify ? verifying(c->conns) : trusting(c->conns);
	if (t) {
		c->read_on = EV_WRITE; /* the first word is ours */
		conn_begin_tls(c, tls_connect(t, c->io.fd, host));
	} else {
		conn_end(c, CONN_TLS, "there are no authorities to verify certificates by");
	}
	return OK;
}
