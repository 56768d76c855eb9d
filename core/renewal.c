/* renewal.c - certificates that are renewed while the server runs.
 * Their files are looked at every second, through symbolic links: whoever renews them writes two files, one after the
 * other, in place or by renaming. So a change is tried when the next look finds nothing newer. What is no use leaves
 * that certificate as it was, is told once, and tried again when the files change again. */
#include "core/log.h"
#include "core/master_inside.h"
#include <time.h>
#include <unistd.h>

#define WARN_DAYS 14
#define DAY_S     86400

static int64_t wall_s(const struct master *m)
{
	return (int64_t)time(NULL) + m->clock_ms / 1000;
}

void renewal_warn(struct master *m)
{
	int64_t now_s = wall_s(m);

	m->warned_day = now_s / DAY_S;
	for (size_t i = 0; m->tls && i < tls_count(m->tls); i++) {
		struct tls_certificate c = tls_at(m->tls, i);
		long long days = (c.expires - now_s) / DAY_S;

		if (now_s < c.starts)
			log_warn("core", NULL, "certificate is not valid yet name=\"%s\"", c.label);
		else if (now_s > c.expires)
			log_warn("core", NULL, "certificate has expired name=\"%s\" days_ago=%lld", c.label, -days);
		else if (days < WARN_DAYS)
			log_warn("core", NULL, "certificate expires soon name=\"%s\" days=%lld", c.label, days);
	}
}

static enum err take(struct master *m, struct buf *why)
{
	struct buf packed = { 0 };
	struct tls *tls;
	enum err e = certs_tls(&m->certs, m->ticket_key, &tls, why);
	int fd;

	if (e)
		return e;
	tls_unref(m->tls);
	m->tls = tls;
	certs_pack(&m->certs, &packed);
	if ((fd = reload_seal(&packed, why)) >= 0) {
		children_order(m, &ORDER_WITH(ORDER_CERTS, fd));
		close(fd);
	}
	buf_free(&packed);
	return fd < 0 ? ERR_AGAIN : OK;
}

static void renew(struct master *m)
{
	struct buf why = { 0 };

	if (certs_renew(&m->certs, m->conf, &why) && !take(m, &why)) {
		log_info("core", NULL, "certificates renewed");
		renewal_warn(m);
	}
	master_log_lines(LEVEL_ERROR, "certificate stays as it was", buf_str(&why));
	buf_free(&why);
}

void renewal_look(struct master *m)
{
	uint64_t stamp;

	if (m->state != SERVING)
		return;
	stamp = certs_stamp(m->conf);
	if (stamp != m->certs_tried && stamp == m->certs_seen) {
		m->certs_tried = stamp;
		renew(m);
	}
	m->certs_seen = stamp;
	if (wall_s(m) / DAY_S != m->warned_day)
		renewal_warn(m);
}
