/* listen.c - see listen.h. */
#include "core/listen.h"
#include "core/core_settings.h"
#include "core/house.h"
#include "core/log.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* connections the kernel holds until a worker accepts; net.core.somaxconn may cap it */

const struct service *listen_role(const char *role)
{
	for (const struct service *const *s = house.services; *s; s++)
		if (!strcmp((*s)->role, role))
			return *s;
	return NULL;
}

bool listen_address(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
	struct sockaddr_storage spare;
	struct str whole = str_of(text), host;
	ptrdiff_t colon = str_rfind(whole, ':');
	char number[INET6_ADDRSTRLEN];
	uint32_t port;

	if (!sa)
		sa = &spare;
	if (colon < 0 || !str_u32(str_cut(whole, (size_t)colon + 1, whole.len), &port) || port > 65535)
		return false;
	host = str_cut(whole, 0, (size_t)colon);
	memset(sa, 0, sizeof(*sa));
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)sa;

		host = str_cut(host, 1, host.len - 1);
		sa->ss_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		if (len)
			*len = sizeof(*six);
		snprintf(number, sizeof(number), STR_FMT, STR_ARG(host));
		return host.len < sizeof(number) && inet_pton(AF_INET6, number, &six->sin6_addr) == 1;
	} else {
		struct sockaddr_in *four = (struct sockaddr_in *)sa;

		sa->ss_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		if (len)
			*len = sizeof(*four);
		snprintf(number, sizeof(number), STR_FMT, STR_ARG(host));
		return host.len < sizeof(number) && inet_pton(AF_INET, number, &four->sin_addr) == 1;
	}
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static int fail(int fd, const struct listener *l, struct buf *why)
{
	buf_printf(why, "cannot listen role=%s address=%s: %s\n", l->service->role, l->address, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_inet(const struct listener *l, struct buf *why)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, on = 1;

	if (!listen_address(l->address, &sa, &len)) {
		errno = EINVAL;
		return fail(-1, l, why);
	}
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
		(sa.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
		bind(fd, (struct sockaddr *)&sa, len) || listen(fd, BACKLOG))
		return fail(fd, l, why);
	return fd;
}

/* A path in a deep directory may be longer than a socket's address can be: the name is bound by way of /proc. */
static int open_local(const struct listener *l, int directory, const struct owner *o, struct buf *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask;
	bool bound;

	if (fd < 0)
		return fail(fd, l, why);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/run/%s", directory, l->service->role);
	mask = umask(0177);
	owner_act(o);
	unlink(sa.sun_path);
	bound = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	owner_rest(o);
	umask(mask);
	if (!bound || listen(fd, BACKLOG))
		return fail(fd, l, why);
	return fd;
}

void listen_remove_local(const struct listeners *l, int directory, const struct owner *o)
{
	char path[64];

	owner_act(o);
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].service->local) {
			snprintf(path, sizeof(path), "run/%s", l->items[i].service->role);
			unlinkat(directory, path, 0);
		}
	owner_rest(o);
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

const struct listener *listen_find(const struct listeners *in, const struct listener *like)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->items[i].service == like->service && !strcmp(in->items[i].address, like->address))
			return &in->items[i];
	return NULL;
}

void listen_forget(struct listener *l)
{
	free(l->address);
	*l = (struct listener){ .fd = -1 };
}

void listen_close(struct listeners *l, const struct listeners *but)
{
	for (size_t i = 0; i < l->count; i++) {
		if (but && !listen_find(but, &l->items[i]))
			close(l->items[i].fd);
		listen_forget(&l->items[i]);
	}
	l->count = 0;
}

static enum err add(struct listeners *want, const struct listeners *have, const struct service *service,
	const char *address, int directory, const struct owner *o, struct buf *why)
{
	struct listener *l = &want->items[want->count];
	const struct listener *old;

	if (want->count == LISTENERS_MAX) {
		buf_printf(why, "more than %d addresses to listen on\n", LISTENERS_MAX);
		return ERR_TOO_BIG;
	}
	*l = (struct listener){ service, str_dup(str_of(address)), -1 };
	if ((old = listen_find(want, l))) {
		listen_forget(l);
		return OK;
	}
	if ((old = listen_find(have, l)))
		l->fd = old->fd;
	else
		l->fd = service->local ? open_local(l, directory, o, why) : open_inet(l, why);
	if (l->fd < 0) {
		listen_forget(l);
		return ERR_AGAIN;
	}
	want->count++;
	return OK;
}

static enum err add_role(struct listeners *want, const struct listeners *have, const struct service *service,
	const struct conf *conf, int directory, const struct owner *o, struct buf *why)
{
	const struct core_conf *core = conf_section(conf, &core_settings);
	const struct tls_conf *tls = conf_section(conf, &tls_settings);
	const struct listen_conf *listen = conf_find(conf, &listen_settings, service->role);
	char path[4096];
	enum err e = OK;

	if (service->local) {
		snprintf(path, sizeof(path), "%s/run/%s", core->directory, service->role);
		return add(want, have, service, path, directory, o, why);
	}
	if (listen && listen->address.count && service->tls && !tls->certificate[0]) {
		buf_printf(why, "role %s needs a certificate (tls.certificate)\n", service->role);
		return ERR_ABSENT;
	}
	for (size_t i = 0; listen && !e && i < listen->address.count; i++)
		e = add(want, have, service, listen->address.items[i], directory, o, why);
	return e;
}

enum err listen_plan(const struct conf *conf, int directory, const struct owner *o, const struct listeners *have,
	struct listeners *want, struct buf *why)
{
	enum err e = OK;

	want->count = 0;
	for (const struct service *const *s = house.services; *s && !e; s++)
		e = add_role(want, have, *s, conf, directory, o, why);
	if (e)
		listen_close(want, have);
	return e;
}

/* --- to another program ------------------------------------------------------------------------------------------ */

void listen_write(const struct listeners *l, struct buf *out)
{
	for (size_t i = 0; i < l->count; i++)
		buf_printf(out, "%s %d %s\n", l->items[i].service->role, l->items[i].fd, l->items[i].address);
}

static bool is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

void listen_read(struct listeners *l, struct str text)
{
	while (text.len) {
		ptrdiff_t end = str_find(text, '\n');
		char *line = str_dup(str_cut(text, 0, end < 0 ? text.len : (size_t)end));
		char role[32], address[4096];
		const struct service *service;
		int fd;

		if (sscanf(line, "%31s %d %4095[^\n]", role, &fd, address) == 3) {
			service = listen_role(role);
			if (service && l->count < LISTENERS_MAX && is_listening(fd))
				l->items[l->count++] = (struct listener){ service, str_dup(str_of(address)), fd };
			else
				close(fd);
		}
		text = str_cut(text, end < 0 ? text.len : (size_t)end + 1, text.len);
		free(line);
	}
}
