/* reload.c - a configuration comes into force, whole or not at all.
 * All that can fail is done first: the file is read and checked, the certificate tried with its key, new sockets bound,
 * the log file opened. Then nothing can fail any more, and every worker is told. */
#include "core/core_settings.h"
#include "core/house.h"
#include "core/log.h"
#include "core/master_inside.h"
#include "core/pack.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLOCK_MAX_MS (100 * 365 * 86400000ll) /* a scratch server's clock is moved no further, nor back before now */

static enum err fail(struct buf *why, const char *what, const char *path)
{
	int number = errno;

	buf_printf(why, "%s %s: %s\n", what, path, strerror(number));
	return err_of_errno(number);
}

/* --- the log ----------------------------------------------------------------------------------------------------- */

int reload_open_log(const struct conf *conf, struct buf *why)
{
	const struct log_conf *log = conf_section(conf, &log_settings);
	int fd;

	if (!log->file[0])
		return STDERR_FILENO;
	fd = open(log->file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		fail(why, "cannot open log file", log->file);
	return fd;
}

static void take_log(struct master *m, int fd)
{
	children_order(m, &ORDER_WITH(ORDER_LOG, fd));
	log_to(fd);
	if (m->log_fd != STDERR_FILENO)
		close(m->log_fd);
	m->log_fd = fd;
}

void reload_log(struct master *m)
{
	struct buf why = { 0 };
	int fd = reload_open_log(m->conf, &why);

	if (fd < 0)
		master_log_lines(LEVEL_ERROR, "the log stays as it is", buf_str(&why));
	else if (fd != STDERR_FILENO)
		take_log(m, fd);
	log_info("core", NULL, "log opened anew");
	buf_free(&why);
}

/* --- the configuration ------------------------------------------------------------------------------------------- */

struct fresh { /* what comes into force together */
	struct conf *conf;
	uint64_t certs_stamp;
	struct certs certs;
	struct tls *tls;
	struct listeners listeners;
	int log_fd; /* -1: as it was */
	int sealed; /* the memfd for the workers */
};

int reload_seal(const struct buf *packed, struct buf *why)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t wrote = fd < 0 ? -1 : write(fd, buf_data(packed), buf_len(packed));

	if (wrote == (ssize_t)buf_len(packed) &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return fd;
	fail(why, "cannot write", "the configuration for the workers");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int seal(const struct fresh *f, struct buf *why)
{
	struct buf text = { 0 }, packed = { 0 };
	int fd;

	conf_dump(f->conf, CONF_WHOLE, &text);
	pack_str(&packed, buf_str(&text));
	certs_pack(&f->certs, &packed);
	fd = reload_seal(&packed, why);
	buf_free(&text);
	buf_free(&packed);
	return fd;
}

static bool same_log_file(const struct conf *a, const struct conf *b)
{
	const struct log_conf *x = conf_section(a, &log_settings), *y = conf_section(b, &log_settings);

	return !strcmp(x->file, y->file);
}

static void fresh_drop(struct master *m, struct fresh *f)
{
	listen_close(&f->listeners, &m->listeners);
	tls_unref(f->tls);
	conf_unref(f->conf);
	certs_free(&f->certs);
	if (f->log_fd > STDERR_FILENO)
		close(f->log_fd);
}

static enum err fresh_make(struct master *m, struct fresh *f, struct buf *why)
{
	enum err e;

	*f = (struct fresh){ .log_fd = -1, .sealed = -1 };
	f->conf = house.conf_read(m->conf_path, why);
	e = f->conf ? OK : ERR_MISTAKE;
	if (!e) {
		f->certs_stamp = certs_stamp(f->conf);
		e = certs_read(&f->certs, f->conf, why);
	}
	if (!e)
		e = certs_tls(&f->certs, m->ticket_key, &f->tls, why);
	if (!e)
		e = listen_plan(f->conf, m->directory, &m->owner, &m->listeners, &f->listeners, why);
	if (!e && !same_log_file(m->conf, f->conf) && (f->log_fd = reload_open_log(f->conf, why)) < 0)
		e = ERR_AGAIN;
	if (!e && (f->sealed = seal(f, why)) < 0)
		e = ERR_AGAIN;
	if (e)
		fresh_drop(m, f);
	return e;
}

static void order_listener(struct master *m, enum order_kind kind, const struct listener *l)
{
	struct buf text = { 0 };

	buf_printf(&text, "%s\n%s", l->service->role, l->address);
	children_order(m, &ORDER_WITH(kind, kind == ORDER_LISTEN ? l->fd : -1, .text = buf_str(&text)));
	log_info("core", NULL, "%s role=%s address=%s", kind == ORDER_LISTEN ? "listens" : "listens no more",
		l->service->role, l->address);
	buf_free(&text);
}

static void fresh_take(struct master *m, struct fresh *f, uint64_t number)
{
	const struct log_conf *log = conf_section(f->conf, &log_settings);

	if (f->log_fd >= 0)
		take_log(m, f->log_fd);
	log_set_levels(log->levels);
	for (size_t i = 0; i < f->listeners.count; i++)
		if (!listen_find(&m->listeners, &f->listeners.items[i]))
			order_listener(m, ORDER_LISTEN, &f->listeners.items[i]);
	for (size_t i = 0; i < m->listeners.count; i++)
		if (!listen_find(&f->listeners, &m->listeners.items[i]))
			order_listener(m, ORDER_UNLISTEN, &m->listeners.items[i]);
	children_order(m, &ORDER_WITH(ORDER_RELOAD, f->sealed, .number = number));
	close(f->sealed);
	listen_close(&m->listeners, &f->listeners);
	m->listeners = f->listeners;
	conf_unref(m->conf);
	m->conf = f->conf;
	tls_unref(m->tls);
	m->tls = f->tls;
	certs_free(&m->certs);
	m->certs = f->certs;
	m->certs_tried = f->certs_stamp;
}

static enum err reload(struct master *m, uint64_t number, struct buf *text)
{
	struct buf why = { 0 };
	struct fresh f;
	enum err e;

	manager_tell("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)master_now_ms() * 1000);
	if ((e = fresh_make(m, &f, &why))) {
		master_log_lines(LEVEL_ERROR, "reload", buf_str(&why));
		log_error("core", NULL, "reload failed, the configuration stays as it was");
		buf_add_str(text, buf_str(&why));
	} else {
		conf_diff(m->conf, f.conf, text);
		master_log_lines(LEVEL_INFO, "setting changed", buf_str(text));
		fresh_take(m, &f, number);
		log_info("core", NULL, "configuration reloaded file=%s", m->conf_path);
		renewal_warn(m);
	}
	manager_tell("READY=1");
	buf_free(&why);
	return e;
}

/* --- changes, one after the other ---------------------------------------------------------------------------------- */

static void change_tell(struct master *m)
{
	struct change *c = &m->change;

	if (c->asker != NOBODY && m->children[c->asker].pid && shm_slot(m->shm, c->asker)->generation == c->asker_life)
		order_send(m->children[c->asker].orders,
			&ORDER(ORDER_TELL, .number = c->question, .e = c->e, .text = buf_str(&c->text)));
	buf_free(&c->text);
	c->number = 0;
}

static void change_begin(struct master *m, const struct asked *asked)
{
	const struct core_conf *core = conf_section(m->conf, &core_settings);
	struct change *c = &m->change;

	*c = (struct change){ ++m->orders, asked->asker, asked->asker_life, asked->question, OK, { 0 } };
	if (asked->kind == ORDER_ASK_RELOAD) {
		c->e = reload(m, c->number, &c->text);
	} else if (!core->scratch) {
		c->e = ERR_DENIED;
	} else if (asked->value > CLOCK_MAX_MS - m->clock_ms || asked->value < -m->clock_ms) {
		c->e = ERR_MISTAKE;
	} else {
		m->clock_ms += asked->value;
		log_shift(m->clock_ms);
		log_info("core", NULL, "the clock moves ms=%lld", (long long)asked->value);
		children_order(m, &ORDER(ORDER_CLOCK, .number = c->number, .value = m->clock_ms));
	}
}

void change_ask(struct master *m, const struct asked *asked)
{
	for (unsigned i = 0; i < m->asked_count; i++)
		if (asked->asker == NOBODY && m->asked[i].asker == NOBODY)
			return; /* one HUP that waits is as good as ten */
	if (m->asked_count == ASKED_MAX) {
		log_warn("core", NULL, "too many reloads asked for at once");
		if (asked->asker != NOBODY)
			order_send(m->children[asked->asker].orders,
				&ORDER(ORDER_TELL, .number = asked->question, .e = ERR_AGAIN));
		return;
	}
	m->asked[m->asked_count++] = *asked;
}

void change_turn(struct master *m)
{
	if (m->change.number && children_all_done(m))
		change_tell(m);
	while (!m->change.number && m->asked_count && m->state == SERVING) {
		struct asked next = m->asked[0];

		m->asked_count--;
		memmove(m->asked, m->asked + 1, m->asked_count * sizeof(*m->asked));
		change_begin(m, &next);
		if (children_all_done(m))
			change_tell(m);
	}
}
