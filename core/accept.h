/* accept.h - a worker taking in connections from the sockets that all workers share.
 * A few per wake-up, so that a burst is spread; a worker with more than its share of connections, or whose loop lags
 * behind the others', leaves the next ones to them for a moment. A balancer's connection first tells whose it is
 * (proxy.h); then, as any, it is refused by a limit (limit.h) or opens a session of its service. */
#ifndef CORE_ACCEPT_H
#define CORE_ACCEPT_H

#include "core/listen.h"

struct accepts;
struct worker;

struct accepts *accepts_new(struct worker *w);
void accepts_free(struct accepts *a); /* closes what it listens on; NULL is fine */

void accepts_add(struct accepts *a, const struct service *service, const char *address, int fd); /* fd is its own now */
void accepts_drop(struct accepts *a, const struct service *service, const char *address);

#endif
