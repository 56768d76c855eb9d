/* proxied.h - connections of balancers whose header (proxy.h) is still to come.
 * It is taken off the socket without a byte of what follows, so that greeting or TLS begin behind it. Who sends none
 * within 10 s, or something else, is dropped with a log line. */
#ifndef CORE_PROXIED_H
#define CORE_PROXIED_H

#include "core/network.h"
#include "core/proxy.h"
#include "core/service.h"

struct proxied_list;

/* The header has come; fd is come's now. */
typedef void proxied_come(struct worker *w, const struct service *service, int fd, const struct ip *balancer,
	const struct proxy_header *h);

struct proxied_list *proxied_new(struct worker *w, proxied_come *come);
void proxied_free(struct proxied_list *list); /* closes those that wait; NULL is fine */

/* fd: a connected, non-blocking socket, the list's from now on. */
void proxied_add(struct proxied_list *list, const struct service *service, int fd, const struct ip *balancer);

#endif
