/* listen.h - where the server listens: one descriptor per address, opened by the master and kept over reloads, worker
 * deaths and the hand-over to a new program, so that no connection waiting in it is ever lost. */
#ifndef CORE_LISTEN_H
#define CORE_LISTEN_H

#include "core/home.h"
#include "core/service.h"
#include <sys/socket.h>

#define LISTENERS_MAX 256

struct listener {
	const struct service *service;
	char *address; /* as configured; of a local service the socket's path */
	int fd;
};

struct listeners {
	struct listener items[LISTENERS_MAX];
	size_t count;
};

/* The service of this role; NULL: there is none. */
const struct service *listen_role(const char *role);

/* "192.0.2.1:25" or "[2001:db8::1]:25"; numbers alone, nothing is looked up. sa may be NULL. */
bool listen_address(const char *text, struct sockaddr_storage *sa, socklen_t *len);

/* Where conf wants to listen: what is in `have` is taken over (same descriptor), the rest opened now. On failure what
 * was opened is closed and why says what is wrong, a line each. */
enum err listen_plan(const struct conf *conf, int directory, const struct owner *o, const struct listeners *have,
	struct listeners *want, struct buf *why);
const struct listener *listen_find(const struct listeners *in, const struct listener *like); /* NULL: not there */

/* Forgets the list; with `but` closes the descriptors that are not in that list too. */
void listen_close(struct listeners *l, const struct listeners *but);
void listen_forget(struct listener *l); /* its memory, not its descriptor */

/* Unlinks the names of local ones: the last server's last act. */
void listen_remove_local(const struct listeners *l, int directory, const struct owner *o);

/* As text for a process that inherits the descriptors (a line each: role, descriptor, address), and back: lines that
 * make no sense are passed over, their descriptors closed. */
void listen_write(const struct listeners *l, struct buf *out);
void listen_read(struct listeners *l, struct str text);

#endif
