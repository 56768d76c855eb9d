/* proxied.c - see proxied.h. */
#include "core/proxied.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER_MS 10000 /* for the whole of it */

COUNTER(headers_bad, "proxy.dropped", "connections of balancers dropped without a right header");

struct proxied {
	struct ev_io io; /* first: libev gives us its address */
	struct proxied *next, **link;
	struct proxied_list *list;
	const struct service *service;
	struct ip balancer;
	struct buf header; /* what has come of it */
	struct timer timer;
};

struct proxied_list {
	struct worker *w;
	proxied_come *come;
	struct proxied *first;
};

/* Its socket stays open. */
static void proxied_end(struct proxied *p)
{
	struct worker *w = p->list->w;

	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	ev_io_stop(w->loop, &p->io);
	timer_stop(w->timers, &p->timer);
	buf_free(&p->header);
	free(p);
}

static void drop(struct proxied *p, const char *why)
{
	char text[INET6_ADDRSTRLEN];

	ip_print(&p->balancer, text);
	counter_add(&headers_bad, 1);
	log_warn(p->service->component, NULL, "balancer dropped role=%s peer=%s reason=\"%s\"", p->service->role, text,
		why);
	close(p->io.fd);
	proxied_end(p);
}

static void too_late(void *user)
{
	drop(user, "no PROXY header in time");
}

static void arrived(struct proxied *p, const struct proxy_header *h)
{
	struct proxied_list *list = p->list;
	const struct service *service = p->service;
	struct ip balancer = p->balancer;
	int fd = p->io.fd;

	proxied_end(p);
	list->come(list->w, service, fd, &balancer, h);
}

/* Looks at what is there, and takes what is the header's: all of it as long as the header is not whole. */
static void on_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct proxied *p = (struct proxied *)io;
	size_t had = buf_len(&p->header), room = PROXY_MAX + 1 - had, mine;
	struct proxy_header h;
	ptrdiff_t used;
	ssize_t n;

	(void)loop, (void)events;
	n = recv(io->fd, buf_room(&p->header, room), room, MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 0 && !had) { /* a balancer that only looks whether somebody listens, every few seconds */
		close(io->fd);
		proxied_end(p);
		return;
	}
	if (n <= 0) {
		drop(p, n < 0 ? strerror(errno) : "closed before its PROXY header was whole");
		return;
	}
	buf_added(&p->header, (size_t)n);
	used = proxy_parse(buf_str(&p->header), &h);
	if (used < 0) {
		drop(p, "no PROXY header");
		return;
	}
	mine = (used ? (size_t)used : buf_len(&p->header)) - had;
	buf_cut(&p->header, had);
	n = recv(io->fd, buf_room(&p->header, mine), mine, 0);
	if (n != (ssize_t)mine) {
		drop(p, "cannot be read"); /* it was there a moment ago */
		return;
	}
	buf_added(&p->header, mine);
	if (used)
		arrived(p, &h);
}

struct proxied_list *proxied_new(struct worker *w, proxied_come *come)
{
	struct proxied_list *list = mem_new(struct proxied_list);

	list->w = w;
	list->come = come;
	return list;
}

void proxied_add(struct proxied_list *list, const struct service *service, int fd, const struct ip *balancer)
{
	struct proxied *p = mem_new(struct proxied);

	p->list = list;
	p->service = service;
	p->balancer = *balancer;
	p->next = list->first;
	p->link = &list->first;
	if (p->next)
		p->next->link = &p->next;
	list->first = p;
	ev_io_init(&p->io, on_ready, fd, EV_READ);
	ev_io_start(list->w->loop, &p->io);
	timer_start(list->w->timers, &p->timer, HEADER_MS, too_late, p);
}

void proxied_free(struct proxied_list *list)
{
	if (!list)
		return;
	while (list->first) {
		close(list->first->io.fd);
		proxied_end(list->first);
	}
	free(list);
}
