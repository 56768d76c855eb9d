/* worker_orders.c - what the master orders of a worker, and what a worker asks of the master. */
#include "core/certs.h"
#include "core/core_settings.h"
#include "core/house.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pack.h"
#include "core/worker_inside.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASKS_MAX 64 /* questions without an answer yet */

struct ask {
	struct ask *next;
	struct asks *asks;
	uint64_t number;
	call_done *done; /* NULL: nobody waits */
	void *user;
	enum err refused; /* if the master was not asked at all */
};

struct asks {
	struct body *body;
	struct ask *first;
	unsigned count;
	uint64_t number; /* of the last one */
};

bool worker_tell(struct body *b, const struct order *o)
{
	return order_send(b->orders.fd, o);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void ask_answered(struct ask *ask, enum err e, struct str text)
{
	struct ask **link = &ask->asks->first;
	call_done *done = ask->done;
	void *user = ask->user;

	while (*link != ask)
		link = &(*link)->next;
	*link = ask->next;
	ask->asks->count--;
	free(ask);
	if (done)
		done(user, e, text);
}

static void ask_refused(void *user, enum err e, struct str text)
{
	struct ask *ask = user;

	(void)e;
	ask_answered(ask, ask->refused, text);
}

static void ask_master(struct worker *w, struct order o, enum err refused, call_done *done, void *user)
{
	struct asks *asks = w->asks;
	struct ask *ask = mem_new(struct ask);

	if (!refused && asks->count >= ASKS_MAX)
		refused = ERR_AGAIN;
	ask->asks = asks;
	ask->number = o.number = ++asks->number;
	ask->done = done;
	ask->user = user;
	ask->next = asks->first;
	asks->first = ask;
	asks->count++;
	if (!refused && !worker_tell(asks->body, &o))
		refused = ERR_AGAIN;
	ask->refused = refused;
	if (refused)
		call_later(w, ask_refused, ask);
}

void worker_ask_clock(struct worker *w, int64_t shift_ms, call_done *done, void *user)
{
	const struct core_conf *core = conf_section(w->conf, &core_settings);

	ask_master(w, ORDER(ORDER_ASK_CLOCK, .value = shift_ms), core->scratch ? OK : ERR_DENIED, done, user);
}

void worker_ask_reload(struct worker *w, call_done *done, void *user)
{
	ask_master(w, ORDER(ORDER_ASK_RELOAD), OK, done, user);
}

void worker_ask_stop(struct worker *w, call_done *done, void *user)
{
	ask_master(w, ORDER(ORDER_ASK_STOP), OK, done, user);
}

void worker_ask_cancel(struct worker *w, void *user)
{
	for (struct ask *ask = w->asks->first; ask; ask = ask->next)
		if (ask->user == user)
			ask->done = NULL;
}

static void told(struct body *b, const struct order *o)
{
	for (struct ask *ask = b->w.asks->first; ask; ask = ask->next)
		if (ask->number == o->number && !ask->refused) {
			ask_answered(ask, o->e, o->text);
			return;
		}
}

/* --- being ordered ----------------------------------------------------------------------------------------------- */

/* Who keeps an order's descriptor says so by putting -1 in its place. */
static void listen_order(struct body *b, struct order *o)
{
	ptrdiff_t end = str_find(o->text, '\n');
	const struct service *service;
	char *role, *address;

	if (end < 0 || !b->accepts)
		return;
	role = str_dup(str_cut(o->text, 0, (size_t)end));
	address = str_dup(str_cut(o->text, (size_t)end + 1, o->text.len));
	service = listen_role(role);
	if (service && o->kind == ORDER_UNLISTEN) {
		accepts_drop(b->accepts, service, address);
	} else if (service && o->fd >= 0) {
		accepts_add(b->accepts, service, address, o->fd);
		o->fd = -1;
	}
	free(role);
	free(address);
}

static void log_order(struct body *b, struct order *o)
{
	if (o->fd < 0)
		return;
	log_to(o->fd);
	if (b->log_fd > 2)
		close(b->log_fd);
	b->log_fd = o->fd;
	o->fd = -1;
}

/* The whole of a memfd that the master wrote and sealed. */
static enum err read_sealed(int fd, struct buf *bytes)
{
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st))
		return err_errno("read the new configuration");
	len = (size_t)st.st_size;
	while (buf_len(bytes) < len) {
		ssize_t n = pread(fd, buf_room(bytes, len), len - buf_len(bytes), (off_t)buf_len(bytes));

		if (n <= 0)
			return err_errno("read the new configuration");
		buf_added(bytes, (size_t)n);
	}
	return OK;
}

static enum err reload(struct body *b, int fd)
{
	struct buf bytes = { 0 }, why = { 0 };
	struct conf *conf = NULL, *old = b->w.conf;
	struct certs certs = { 0 };
	struct tls *tls = NULL;
	struct str text;
	struct unpack u;
	enum err e = read_sealed(fd, &bytes);

	u = unpack_of(buf_str(&bytes));
	text = unpack_str(&u);
	certs_unpack(&certs, &u);
	if (!e && !unpack_end(&u))
		e = ERR_NEVER;
	if (!e && !(conf = house.conf_parse(text, "reload", &why)))
		e = ERR_NEVER;
	if (!e)
		e = certs_tls(&certs, b->birth->ticket_key, &tls, &why);
	if (!e) {
		const struct log_conf *log = conf_section(conf, &log_settings);

		log_set_levels(log->levels);
		tls_unref(b->w.tls);
		b->w.tls = tls;
		b->w.conf = conf;
		house.worker_reload(&b->w, old);
		conf_unref(old);
	} else {
		log_error("core", NULL, "cannot take over the configuration, starts anew slot=%u why=\"" STR_FMT "\"",
			b->w.slot, STR_ARG(buf_str(&why)));
		conf_unref(conf);
	}
	certs_free(&certs);
	buf_free(&bytes);
	buf_free(&why);
	return e;
}

static enum err renew(struct body *b, int fd)
{
	struct buf bytes = { 0 }, why = { 0 };
	struct certs certs = { 0 };
	struct tls *tls = NULL;
	struct unpack u;
	enum err e = read_sealed(fd, &bytes);

	u = unpack_of(buf_str(&bytes));
	certs_unpack(&certs, &u);
	if (!e && !unpack_end(&u))
		e = ERR_NEVER;
	if (!e)
		e = certs_tls(&certs, b->birth->ticket_key, &tls, &why);
	if (!e) {
		tls_unref(b->w.tls);
		b->w.tls = tls;
	} else {
		log_error("core", NULL, "cannot take over certificates, starts anew slot=%u why=\"" STR_FMT "\"",
			b->w.slot, STR_ARG(buf_str(&why)));
	}
	certs_free(&certs);
	buf_free(&bytes);
	buf_free(&why);
	return e;
}

static void clock_order(struct body *b, int64_t shift_ms)
{
	timers_shift(b->w.timers, shift_ms - b->clock_ms);
	b->clock_ms = shift_ms;
	log_shift(shift_ms);
}

static void obey(struct body *b, struct order *o)
{
	bool done = true;

	switch (o->kind) {
	case ORDER_LISTEN:
	case ORDER_UNLISTEN:
		listen_order(b, o);
		break;
	case ORDER_LOG:
		log_order(b, o);
		break;
	case ORDER_RELOAD:
		if (reload(b, o->fd))
			worker_leave(
				b, 1); /* the master's other workers serve by the new one: so shall the next life */
		break;
	case ORDER_CERTS:
		if (renew(b, o->fd))
			worker_leave(b, 1);
		break;
	case ORDER_CLOCK:
		clock_order(b, o->value);
		break;
	case ORDER_STOP:
		worker_stop_sessions(b, o->number);
		done = false;
		break;
	case ORDER_END:
		worker_settle(b);
		break;
	case ORDER_TELL:
		told(b, o);
		done = false;
		break;
	default:
		done = false;
	}
	if (done && o->number)
		worker_tell(b, &ORDER(ORDER_DONE, .number = o->number));
}

static void on_orders(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct body *b = io->data;
	char bytes[ORDER_TEXT_MAX];
	enum order_came came;
	struct order o;

	(void)loop, (void)events;
	while ((came = order_receive(io->fd, &o, bytes)) == ORDER_CAME) {
		obey(b, &o);
		if (o.fd >= 0)
			close(o.fd);
	}
	if (came == ORDER_GONE) {
		log_error("core", NULL, "the master is gone, ends slot=%u", b->w.slot);
		_exit(1);
	}
}

void worker_orders_begin(struct body *b)
{
	b->w.asks = mem_new(struct asks);
	b->w.asks->body = b;
	ev_io_init(&b->orders, on_orders, b->birth->orders, EV_READ);
	b->orders.data = b;
	ev_io_start(b->w.loop, &b->orders);
}

void worker_orders_end(struct body *b)
{
	struct asks *asks = b->w.asks;

	ev_io_stop(b->w.loop, &b->orders);
	while (asks->first)
		ask_answered(asks->first, ERR_AGAIN, STR_NONE);
	free(asks);
}
